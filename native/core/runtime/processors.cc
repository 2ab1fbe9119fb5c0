#include "core/runtime/processors.hpp"

#include <algorithm>
#include <cmath>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace dladmm {
namespace {

double quotient(double quota, double period) {
  return quota > 0 && period > 0 ? quota / period : std::numeric_limits<double>::infinity();
}

unsigned bound_processors() {
#if defined(__linux__)
  // The kernel refuses a set that is smaller than its own.
  for (std::size_t size = 1024; size <= (std::size_t{1} << 20); size *= 2) {
    std::vector<cpu_set_t> set(size / CPU_SETSIZE);
    if (sched_getaffinity(0, set.size() * sizeof(cpu_set_t), set.data()) == 0) {
      return static_cast<unsigned>(std::max(CPU_COUNT_S(set.size() * sizeof(cpu_set_t), set.data()), 1));
    }
  }
#endif
  return std::max(std::thread::hardware_concurrency(), 1U);
}

}  // namespace

double cgroup_quota(const ControlGroups& groups) {
  return groups.least("cpu", [&](const std::string& folder, bool v2) {
    if (!v2) {
      return quotient(first_number(groups.read(folder + "/cpu.cfs_quota_us")),
                      first_number(groups.read(folder + "/cpu.cfs_period_us")));
    }
    double quota = -1;
    double period = -1;
    if (const auto text = groups.read(folder + "/cpu.max")) std::istringstream(*text) >> quota >> period;  // or "max"
    return quotient(quota, period);
  });
}

Processors processors() {
  Processors found;
  found.bound = bound_processors();
  found.quota = cgroup_quota(ControlGroups::of_this_process());
  found.available = static_cast<unsigned>(std::ceil(std::min(found.quota, static_cast<double>(found.bound))));
  found.available = std::clamp(found.available, 1U, std::max(concurrent_blas_calls(), 1U));
  return found;
}

}  // namespace dladmm
