#include "core/runtime/processors.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif

namespace dladmm {
namespace {

constexpr double kNoQuota = std::numeric_limits<double>::infinity();

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, at);) parts.push_back(std::move(part));
  return parts;
}

bool lists(std::string_view comma_separated, std::string_view word) {
  const auto words = split(comma_separated, ',');
  return std::find(words.begin(), words.end(), word) != words.end();
}

// The kernel writes a blank in a path as \040.
std::string unescaped(std::string_view path) {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '\\' && i + 3 < path.size()) {
      out += static_cast<char>((path[i + 1] - '0') * 64 + (path[i + 2] - '0') * 8 + (path[i + 3] - '0'));
      i += 3;
    } else {
      out += path[i];
    }
  }
  return out;
}

double quotient(double quota, double period) { return quota > 0 && period > 0 ? quota / period : kNoQuota; }

double number(const std::optional<std::string>& text) {
  double value = -1;
  if (text) std::istringstream(*text) >> value;
  return value;
}

// Of one group, by its folder.
double quota_v1(const std::string& folder, const FileReader& read) {
  return quotient(number(read(folder + "/cpu.cfs_quota_us")), number(read(folder + "/cpu.cfs_period_us")));
}
double quota_v2(const std::string& folder, const FileReader& read) {
  double quota = -1;
  double period = -1;
  if (const auto text = read(folder + "/cpu.max")) std::istringstream(*text) >> quota >> period;  // "max" is no number
  return quotient(quota, period);
}

// Where the hierarchy is mounted and which of its groups stands at the mount point.
struct Mount {
  std::string root;
  std::string point;
  bool v2;
};

// "36 35 98:0 /root /point options … - type source super_options"
std::vector<Mount> cpu_mounts(std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const auto& line : split(mountinfo, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 5 || fields.end() - dash < 4) continue;
    const bool v2 = dash[1] == "cgroup2";
    if (v2 || (dash[1] == "cgroup" && lists(dash[3], "cpu"))) {
      mounts.push_back({unescaped(fields[3]), unescaped(fields[4]), v2});
    }
  }
  return mounts;
}

// The group of the process in such a hierarchy: "4:cpu,cpuacct:/path", in v2 "0::/path".
std::optional<std::string> group_in(const Mount& mount, std::string_view cgroup) {
  for (const auto& line : split(cgroup, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (mount.v2 ? controllers.empty() : lists(controllers, "cpu")) return line.substr(second + 1);
  }
  return std::nullopt;
}

// What of `group` lies below the mount point; in a container that sees its own group only, nothing does.
std::string below(const Mount& mount, const std::string& group) {
  const std::string root = mount.root == "/" ? "" : mount.root;
  if (group.rfind(root, 0) != 0 || group.find("..") != std::string::npos) return "";
  const std::string rest = group.substr(root.size());
  return rest == "/" || (!rest.empty() && rest.front() != '/') ? "" : rest;
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

double cgroup_quota(std::string_view cgroup, std::string_view mountinfo, const FileReader& read) {
  double least = kNoQuota;
  for (const Mount& mount : cpu_mounts(mountinfo)) {
    const auto group = group_in(mount, cgroup);
    if (!group) continue;
    // A group has no more than those that it lies in.
    for (std::string path = below(mount, *group);; path.resize(path.rfind('/'))) {
      least = std::min(least, mount.v2 ? quota_v2(mount.point + path, read) : quota_v1(mount.point + path, read));
      if (path.empty()) break;
    }
  }
  return least;
}

Processors processors() {
  Processors found;
  found.bound = bound_processors();
  found.quota = cgroup_quota(read_file("/proc/self/cgroup").value_or(""),
                             read_file("/proc/self/mountinfo").value_or(""), read_file);
  found.available = static_cast<unsigned>(std::ceil(std::min(found.quota, static_cast<double>(found.bound))));
  found.available = std::clamp(found.available, 1U, std::max(concurrent_blas_calls(), 1U));
  return found;
}

}  // namespace dladmm
