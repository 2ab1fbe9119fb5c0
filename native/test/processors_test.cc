// How many processors there are, from what the kernel writes down of control groups.
#include "core/runtime/processors.hpp"

#include <limits>
#include <map>
#include <thread>

#include "core/runtime/memory.hpp"
#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr double kNone = std::numeric_limits<double>::infinity();

using Files = std::map<std::string, std::string>;

ControlGroups groups(std::string cgroup, std::string mountinfo, Files files) {
  return {std::move(cgroup), std::move(mountinfo), [files = std::move(files)](const std::string& path) {
            const auto found = files.find(path);
            return found == files.end() ? std::nullopt : std::optional(found->second);
          }};
}

double quota(std::string cgroup, std::string mountinfo, Files files) {
  return cgroup_quota(groups(std::move(cgroup), std::move(mountinfo), std::move(files)));
}

void version_1() {
  const char* const mounts =
      "22 1 0:20 / /proc rw - proc proc rw\n"
      "32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:9 - cgroup cgroup rw,cpu,cpuacct\n"
      "34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset\n";
  const std::string root = "/sys/fs/cgroup/cpu,cpuacct";
  const char* const group = "5:cpuset:/\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n";
  const auto with = [&](std::string own, std::string above) {
    return quota(group, mounts,
                 {{root + "/docker/abc/cpu.cfs_quota_us", std::move(own)},
                  {root + "/docker/abc/cpu.cfs_period_us", "100000\n"},
                  {root + "/docker/cpu.cfs_quota_us", std::move(above)},
                  {root + "/docker/cpu.cfs_period_us", "50000\n"}});
  };
  check_equal(with("-1\n", "-1\n"), kNone, "no quota");
  check_equal(with("50000\n", "-1\n"), 0.5, "half a processor");
  check_equal(with("250000\n", "-1\n"), 2.5, "two and a half");
  check_equal(with("250000\n", "50000\n"), 1.0, "a group has no more than the one it lies in");
  check_equal(with("", "rubbish"), kNone, "nothing to read");
  check_equal(quota("4:cpu:/docker/abc\n", "32 31 0:29 /docker/abc /cg rw - cgroup cgroup rw,cpu\n",
                    {{"/cg/cpu.cfs_quota_us", "200000"}, {"/cg/cpu.cfs_period_us", "100000"}}),
              2.0, "a container that sees its own group at the mount point");
  check_equal(quota("4:cpu:/elsewhere/abc\n", "32 31 0:29 /docker/abc /cg rw - cgroup cgroup rw,cpu\n",
                    {{"/cg/cpu.cfs_quota_us", "300000"}, {"/cg/cpu.cfs_period_us", "100000"}}),
              3.0, "or one that lies elsewhere");
}

void version_2() {
  const char* const mounts = "41 31 0:38 / /sys/fs/my\\040groups rw,relatime - cgroup2 cgroup2 rw,nsdelegate\n";
  const auto with = [&](std::string own, std::string above) {
    return quota("0::/a.slice/b.scope\n", mounts,
                 {{"/sys/fs/my groups/a.slice/b.scope/cpu.max", std::move(own)},
                  {"/sys/fs/my groups/a.slice/cpu.max", std::move(above)}});
  };
  check_equal(with("max 100000\n", "max 100000\n"), kNone, "no quota");
  check_equal(with("50000 100000\n", "max 100000\n"), 0.5, "half a processor");
  check_equal(with("400000 100000\n", "150000 100000\n"), 1.5, "the least on the way up");
  check_equal(with("0 0\n", ""), kNone, "nonsense is no quota");
  check_equal(quota("0::/\n", mounts, {{"/sys/fs/my groups/cpu.max", "100000 100000"}}), 1.0, "at the mount point");
  check_equal(quota("", "", {}), kNone, "no control groups");
  check_equal(quota("0::/x\nrubbish\n:\n", "1 2 3\n- - -\n41 31 0:38 / /cg rw - cgroup2\n", {}), kNone, "rubbish");
}

void memory() {
  const char* const v1 = "34 31 0:31 / /cg/memory rw,relatime - cgroup cgroup rw,memory\n";
  const auto of_v1 = [&](std::string own, std::string above) {
    return cgroup_memory(groups("4:memory:/a/b\n", v1,
                                {{"/cg/memory/a/b/memory.limit_in_bytes", std::move(own)},
                                 {"/cg/memory/a/b/memory.usage_in_bytes", "300\n"},
                                 {"/cg/memory/a/b/memory.stat", "cache 9\ninactive_file 7\ntotal_inactive_file 100\n"},
                                 {"/cg/memory/a/memory.limit_in_bytes", std::move(above)},
                                 {"/cg/memory/a/memory.usage_in_bytes", "400\n"}}));
  };
  check_equal(of_v1("1000\n", "9223372036854771712\n"), 800.0, "what is used is gone, but for cached files");
  check_equal(of_v1("1000\n", "500\n"), 100.0, "a group has no more than the one it lies in");
  check_equal(of_v1("250\n", "500\n"), 50.0, "cached files can be given up");
  check_equal(of_v1("150\n", "500\n"), 0.0, "never less than nothing");
  check_equal(of_v1("", ""), kNone, "nothing to read");

  const char* const v2 = "41 31 0:38 / /cg rw,relatime - cgroup2 cgroup2 rw\n";
  const auto of_v2 = [&](std::string own, std::string above, std::string high = "max\n") {
    return cgroup_memory(groups("0::/a/b\n", v2,
                                {{"/cg/a/b/memory.max", std::move(own)},
                                 {"/cg/a/b/memory.high", std::move(high)},
                                 {"/cg/a/b/memory.current", "300\n"},
                                 {"/cg/a/b/memory.stat", "anon 9\ninactive_file 100\n"},
                                 {"/cg/a/memory.max", std::move(above)},
                                 {"/cg/a/memory.current", "400\n"}}));
  };
  check_equal(of_v2("max\n", "max\n"), kNone, "no limit");
  check_equal(of_v2("1000\n", "max\n"), 800.0, "a limit");
  check_equal(of_v2("max\n", "500\n"), 100.0, "of the group above");
  check_equal(of_v2("max\n", "max\n", "900\n"), 700.0, "what slows a group down");
  check_equal(of_v2("1000\n", "max\n", "2000\n"), 800.0, "which may lie above the limit");
  check_equal(of_v2("1000\n", "max\n", ""), 800.0, "and old kernels have not");
  check(available_memory() > 0, "this process has some");
}

void this_machine() {
  const Processors found = processors();
  check(found.bound >= 1 && found.bound <= std::thread::hardware_concurrency(), "bound to what there is");
  check(found.available >= 1 && found.available <= found.bound, "available");
  check_at_most(static_cast<double>(found.available), found.quota + 1, "no more than the quota, rounded up");
}

}  // namespace

int main() {
  fact("cgroups, version 1", version_1);
  fact("cgroups, version 2", version_2);
  fact("memory of control groups", memory);
  fact("this machine", this_machine);
  return report();
}
