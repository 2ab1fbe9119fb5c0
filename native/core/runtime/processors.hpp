// How many processors this process may use: what it is bound to, and what the control groups it lives in leave of them.
#pragma once

#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

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

// The least quota of the control groups of a process, v1 and v2, infinite without one: from /proc/self/cgroup and
// /proc/self/mountinfo as they stand, and a reader of files that answers nothing where there is none.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;
[[nodiscard]] double cgroup_quota(std::string_view cgroup, std::string_view mountinfo, const FileReader& read);

}  // namespace dladmm
