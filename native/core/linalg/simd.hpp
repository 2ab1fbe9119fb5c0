// One kernel, compiled for several instruction sets, chosen for the processor at run time: a binary that is installed
// without a compiler must run everywhere and still use what the machine has.
#pragma once

#include <cstddef>

namespace dladmm::simd {

#if defined(__x86_64__) && defined(__GNUC__)

enum class Level { baseline, avx2, avx512 };

[[nodiscard]] inline Level detect() {
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw")) {
    return Level::avx512;
  }
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return Level::avx2;
  return Level::baseline;
}

inline const Level level = detect();

// The instruction sets that are used here: sums come out in another order with others.
[[nodiscard]] inline const char* name() {
  return level == Level::avx512 ? "avx512" : level == Level::avx2 ? "avx2" : "baseline";
}

// Whether 512 bytes of sums fit into half of the vector registers.
[[nodiscard]] inline bool has_many_registers() { return level == Level::avx512; }

// Clang takes the width that loops are to have from the command line alone, and would leave the whole attribute aside.
#ifdef __clang__
#define DLADMM_WIDEST
#else
#define DLADMM_WIDEST ",prefer-vector-width=512"
#endif

template <typename Kernel, typename... Arguments>
[[gnu::noinline, gnu::target("avx512f,avx512dq,avx512vl,avx512bw,avx2,fma" DLADMM_WIDEST)]] auto run_avx512(
    Arguments... arguments) {
  return Kernel::run(arguments...);
}

#undef DLADMM_WIDEST

template <typename Kernel, typename... Arguments>
[[gnu::noinline, gnu::target("avx2,fma")]] auto run_avx2(Arguments... arguments) {
  return Kernel::run(arguments...);
}

// Kernel::run must be always_inline: it takes the instruction set of the function it is inlined into.
template <typename Kernel, typename... Arguments>
auto run(Arguments... arguments) {
  if (level == Level::avx512) return run_avx512<Kernel>(arguments...);
  if (level == Level::avx2) return run_avx2<Kernel>(arguments...);
  return Kernel::run(arguments...);
}

// Kernel::run as a function of its own, from a kernel whose vectors have so many bytes.
template <std::size_t kBytes, typename Kernel, typename... Arguments>
[[gnu::always_inline]] inline auto call(Arguments... arguments) {
  if constexpr (kBytes == 64) return run_avx512<Kernel>(arguments...);
  if constexpr (kBytes == 32) return run_avx2<Kernel>(arguments...);
  if constexpr (kBytes < 32) return Kernel::run(arguments...);
}

// Kernels that differ with the width of the vectors: for AVX-512, for AVX2, and for everything else.
template <typename Widest, typename Wide, typename Base>
struct Choice {
  template <typename V>
  static V pick(V widest, V wide, V base) {
    return level == Level::avx512 ? widest : level == Level::avx2 ? wide : base;
  }
  template <typename... Arguments>
  static auto run(Arguments... arguments) {
    if (level == Level::avx512) return run_avx512<Widest>(arguments...);
    if (level == Level::avx2) return run_avx2<Wide>(arguments...);
    return Base::run(arguments...);
  }
};

#else

[[nodiscard]] inline const char* name() { return "baseline"; }
[[nodiscard]] inline bool has_many_registers() { return false; }

template <typename Kernel, typename... Arguments>
auto run(Arguments... arguments) {
  return Kernel::run(arguments...);
}

template <std::size_t, typename Kernel, typename... Arguments>
auto call(Arguments... arguments) {
  return Kernel::run(arguments...);
}

template <typename, typename, typename Base>
struct Choice {
  template <typename V>
  static V pick(V, V, V base) {
    return base;
  }
  template <typename... Arguments>
  static auto run(Arguments... arguments) {
    return Base::run(arguments...);
  }
};

#endif

}  // namespace dladmm::simd
