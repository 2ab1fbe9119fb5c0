// Subnormal numbers, flushed to zero: a training with dead features fills its matrices with them, and arithmetic on
// them is a hundred times slower.
#pragma once

#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <xmmintrin.h>
#endif

namespace dladmm {

// While it lives, the calling thread takes subnormals for zero, as operands and as results. The thread's own mode comes
// back with its end.
class FlushSubnormals {
 public:
  FlushSubnormals() : before_(mode()) { set(before_ | kFlush); }
  ~FlushSubnormals() {
    // Flags that were raised in between stay raised.
    set((mode() & ~kFlush) | (before_ & kFlush));
  }
  FlushSubnormals(const FlushSubnormals&) = delete;
  FlushSubnormals& operator=(const FlushSubnormals&) = delete;

 private:
#if defined(__x86_64__) || defined(__i386__)
  using Mode = unsigned;
  static constexpr Mode kFlush = 0x8040;  // flush to zero, denormals are zero
  static Mode mode() { return _mm_getcsr(); }
  static void set(Mode mode) { _mm_setcsr(mode); }
#elif defined(__aarch64__)
  using Mode = std::uint64_t;
  static constexpr Mode kFlush = Mode{1} << 24;  // FPCR.FZ
  static Mode mode() {
    Mode mode = 0;
    asm volatile("mrs %0, fpcr" : "=r"(mode));
    return mode;
  }
  static void set(Mode mode) { asm volatile("msr fpcr, %0" : : "r"(mode)); }
#else
  using Mode = unsigned;
  static constexpr Mode kFlush = 0;
  static Mode mode() { return 0; }
  static void set(Mode) {}
#endif
  const Mode before_;
};

}  // namespace dladmm
