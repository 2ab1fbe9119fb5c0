// How much memory this process may still take: what the control groups that it lives in and its own limits leave. And
// memory that is got ready.
#pragma once

#include <cstddef>
#include <span>

#include "core/runtime/control_groups.hpp"

namespace dladmm {

// Bytes that the tightest control group leaves, v1 and v2, infinite without a limit. Cached files that are given up as
// memory runs short count as free.
[[nodiscard]] double cgroup_memory(const ControlGroups& groups);

// Bytes of addresses that a limit of the process (ulimit -v) leaves, infinite without one.
[[nodiscard]] double address_space();

// The lesser of the two, measured now.
[[nodiscard]] double available_memory();

// Has the system provide the pages of some memory, which whoever writes them first waits for. They keep what they hold,
// also where somebody writes there at the same time.
void provide_pages(std::span<std::byte> memory);

}  // namespace dladmm
