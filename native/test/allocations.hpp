// How often anything is allocated, so that a test can tell that steps allocate nothing. It replaces the program's
// operator new: for the one file of a test.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace dladmm::test {

inline std::atomic<std::size_t> allocations{0};

}  // namespace dladmm::test

[[gnu::noinline]] void* operator new(std::size_t bytes) {
  ++dladmm::test::allocations;
  if (void* const p = std::malloc(bytes == 0 ? 1 : bytes)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }
