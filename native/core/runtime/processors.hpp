// How many processors this process may use: what it is bound to, and what the control groups it lives in leave of them.
#pragma once

#include <limits>

#include "core/runtime/control_groups.hpp"

namespace dladmm {

struct Processors {
  unsigned bound = 1;                                      // that the scheduler may place this thread on
  double quota = std::numeric_limits<double>::infinity();  // processors' worth of time, by the tightest control group
  unsigned available = 1;                                  // what both leave, rounded up: ½ a processor is one thread
};

// Measured now: an orchestrator may change a quota while the process runs.
[[nodiscard]] Processors processors();

// How many threads may be inside the BLAS at once. Defined where the library is known (linalg/library.cc): the pool
// keeps to it and knows nothing else of BLAS.
[[nodiscard]] unsigned concurrent_blas_calls();

// Sees to it that so many threads find a buffer inside the BLAS without asking the system for memory; false where there
// is no room for them. Defined there too.
[[nodiscard]] bool reserve_blas_buffers(unsigned count);

// The least quota of the control groups of a process, v1 and v2, infinite without one.
[[nodiscard]] double cgroup_quota(const ControlGroups& groups);

}  // namespace dladmm
