#include "core/runtime/control_groups.hpp"

#include <algorithm>
#include <fstream>
#include <limits>
#include <sstream>
#include <vector>

namespace dladmm {
namespace {

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

// Where the hierarchy is mounted and which of its groups stands at the mount point.
struct Mount {
  std::string root;
  std::string point;
  bool v2;
};

// "36 35 98:0 /root /point options … - type source super_options"
std::vector<Mount> mounts_of(std::string_view controller, std::string_view mountinfo) {
  std::vector<Mount> mounts;
  for (const auto& line : split(mountinfo, '\n')) {
    const auto fields = split(line, ' ');
    const auto dash = std::find(fields.begin(), fields.end(), "-");
    if (fields.size() < 5 || fields.end() - dash < 4) continue;
    const bool v2 = dash[1] == "cgroup2";
    if (v2 || (dash[1] == "cgroup" && lists(dash[3], controller))) {
      mounts.push_back({unescaped(fields[3]), unescaped(fields[4]), v2});
    }
  }
  return mounts;
}

// The group of the process in such a hierarchy: "4:cpu,cpuacct:/path", in v2 "0::/path".
std::optional<std::string> group_in(const Mount& mount, std::string_view controller, std::string_view cgroup) {
  for (const auto& line : split(cgroup, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (mount.v2 ? controllers.empty() : lists(controllers, controller)) return line.substr(second + 1);
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

}  // namespace

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

double first_number(const std::optional<std::string>& text) {
  std::istringstream stream(text.value_or(""));
  double value = 0;
  return stream >> value ? value : -1;
}

ControlGroups ControlGroups::of_this_process() {
  return {read_file("/proc/self/cgroup").value_or(""), read_file("/proc/self/mountinfo").value_or(""), read_file};
}

double ControlGroups::least(std::string_view controller,
                            const std::function<double(const std::string&, bool)>& of) const {
  double least = std::numeric_limits<double>::infinity();
  for (const Mount& mount : mounts_of(controller, mountinfo)) {
    const auto group = group_in(mount, controller, cgroup);
    if (!group) continue;
    for (std::string path = below(mount, *group);; path.resize(path.rfind('/'))) {
      least = std::min(least, of(mount.point + path, mount.v2));
      if (path.empty()) break;
    }
  }
  return least;
}

}  // namespace dladmm
