#include "core/runtime/memory.hpp"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <limits>
#include <sstream>

#if defined(__linux__)
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#endif

namespace dladmm {
namespace {

constexpr double kNone = std::numeric_limits<double>::infinity();

// "key number" of a memory.stat; 0 where it is not there.
double stat_of(const std::optional<std::string>& text, std::string_view key) {
  std::istringstream lines(text.value_or(""));
  std::string name;
  for (double value = 0; lines >> name >> value;) {
    if (name == key) return value;
  }
  return 0;
}

}  // namespace

double cgroup_memory(const ControlGroups& groups) {
  return groups.least("memory", [&](const std::string& folder, bool v2) {
    const auto number = [&](const char* file) { return first_number(groups.read(folder + file)); };
    double limit = number(v2 ? "/memory.max" : "/memory.limit_in_bytes");
    // Above `high` a group is not ended but slowed down until it gives memory back, which a training cannot.
    const double high = v2 ? number("/memory.high") : -1;
    if (high >= 0 && (limit < 0 || high < limit)) limit = high;
    const double used = number(v2 ? "/memory.current" : "/memory.usage_in_bytes");
    if (limit < 0 || used < 0) return kNone;
    const double cached = stat_of(groups.read(folder + "/memory.stat"), v2 ? "inactive_file" : "total_inactive_file");
    return std::max(limit - std::max(used - cached, 0.0), 0.0);
  });
}

double address_space() {
#if defined(__linux__)
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return kNone;
  const double pages = std::max(first_number(read_file("/proc/self/statm")), 0.0);
  return std::max(static_cast<double>(limit.rlim_cur) - pages * static_cast<double>(sysconf(_SC_PAGESIZE)), 0.0);
#else
  return kNone;
#endif
}

double available_memory() { return std::min(cgroup_memory(ControlGroups::of_this_process()), address_space()); }

void provide_pages(std::span<std::byte> memory) {
  constexpr std::size_t page = 4096;
#if defined(MADV_POPULATE_WRITE)
  // All at once, where the system knows how; what it leaves out is found below.
  const auto begin = reinterpret_cast<std::uintptr_t>(memory.data());
  const std::size_t before = (page - begin % page) % page;
  if (memory.size() > before + page) {
    const std::size_t whole = (memory.size() - before) / page * page;
    static_cast<void>(madvise(memory.data() + before, whole, MADV_POPULATE_WRITE));
  }
#endif
  for (std::size_t at = 0; at < memory.size(); at += page) {
    std::atomic_ref(reinterpret_cast<unsigned char&>(memory[at])).fetch_or(0, std::memory_order_relaxed);
  }
}

}  // namespace dladmm
