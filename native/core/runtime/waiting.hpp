// Waiting for another thread: awake for a while, since waking takes longer than many a wait, then asleep. The while is
// a time: a pause is forty times longer on one processor than on another.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <climits>
#include <cstdint>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace dladmm {

using Clock = std::chrono::steady_clock;

inline void relax() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Watches `value` until it is no longer `old`, for so long at most. True where it has changed.
inline bool watch(const std::atomic<std::uint32_t>& value, std::uint32_t old, Clock::duration longest) {
  if (longest > Clock::duration::zero()) {
    const auto end = Clock::now() + longest;
    do {
      for (int pause = 0; pause < 4; ++pause) {
        if (value.load(std::memory_order_acquire) != old) return true;
        relax();
      }
    } while (Clock::now() < end);
  }
  return value.load(std::memory_order_acquire) != old;
}

// Sleeps unless `value` has changed; may wake for no reason.
inline void sleep_while(std::atomic<std::uint32_t>& value, std::uint32_t old) {
#if defined(__linux__)
  syscall(SYS_futex, &value, FUTEX_WAIT_PRIVATE, old, nullptr, nullptr, 0);
#else
  value.wait(old, std::memory_order_acquire);
#endif
}

// Wakes so many of those that sleep on `value`, in one call.
inline void wake(std::atomic<std::uint32_t>& value, std::uint32_t count) {
#if defined(__linux__)
  syscall(SYS_futex, &value, FUTEX_WAKE_PRIVATE, std::min<std::uint32_t>(count, INT_MAX), nullptr, nullptr, 0);
#else
  if (count == 1) {
    value.notify_one();
  } else {
    value.notify_all();
  }
#endif
}

}  // namespace dladmm
