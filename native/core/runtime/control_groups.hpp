// The control groups of a process, v1 and v2: what the tightest of those that it lives in says of a resource.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace dladmm {

// Answers nothing where there is no file.
using FileReader = std::function<std::optional<std::string>(const std::string& path)>;

[[nodiscard]] std::optional<std::string> read_file(const std::string& path);

// The first number of a text; −1 where there is none ("max").
[[nodiscard]] double first_number(const std::optional<std::string>& text);

// As /proc/self/cgroup and /proc/self/mountinfo tell of them.
struct ControlGroups {
  std::string cgroup;
  std::string mountinfo;
  FileReader read;

  [[nodiscard]] static ControlGroups of_this_process();

  // The least of what `of` says of the groups under a controller that the process is in, as a group has no more than
  // those that it lies in: infinity without one. `of` is given the group's folder and whether it is of version 2.
  [[nodiscard]] double least(std::string_view controller,
                             const std::function<double(const std::string& folder, bool v2)>& of) const;
};

}  // namespace dladmm
