// The sigmoid and the hyperbolic tangent, in a form that a compiler turns into vector instructions: no branch, no call
// into the C library. Absolute errors are a few units in the last place of 1; NaN stays NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <type_traits>

namespace dladmm {

// exp(x) for x ≤ 0: x = n log 2 + r with |r| ≤ ½ log 2, and the series of exp(r) up to where it ends in T. Below
// −708 (−87 in float) the result stays at exp of that, which nothing can tell from zero beside 1.
template <typename T>
[[nodiscard, gnu::always_inline]] inline T exp_of_negative(T x) {
  constexpr bool wide = std::is_same_v<T, double>;
  static_assert(wide || std::is_same_v<T, float>);
  using Bits = std::conditional_t<wide, std::uint64_t, std::uint32_t>;
  constexpr T lowest = wide ? T(-708) : T(-87);
  // Adding it leaves the nearest whole number in the lowest bits of the sum.
  constexpr T rounder = wide ? T(6755399441055744.0) : T(12582912.0);
  // log 2 in two parts: n times the first is exact.
  constexpr T log2_high = wide ? T(6.93147180369123816490e-01) : T(0.693359375);
  constexpr T log2_low = wide ? T(1.90821492927058770002e-10) : T(-2.12194440054690583e-4);
  constexpr T inverse_log2 = T(1.44269504088896340736);

  const T bounded = x < lowest ? lowest : x;  // false for NaN, which stays
  const T shifted = bounded * inverse_log2 + rounder;
  const T n = shifted - rounder;
  const T r = (bounded - n * log2_high) - n * log2_low;
  T series;
  if constexpr (wide) {
    series = T(1.0 / 6227020800.0);
    series = series * r + T(1.0 / 479001600.0);
    series = series * r + T(1.0 / 39916800.0);
    series = series * r + T(1.0 / 3628800.0);
    series = series * r + T(1.0 / 362880.0);
    series = series * r + T(1.0 / 40320.0);
    series = series * r + T(1.0 / 5040.0);
  } else {
    series = T(1.0 / 5040.0);
  }
  series = series * r + T(1.0 / 720.0);
  series = series * r + T(1.0 / 120.0);
  series = series * r + T(1.0 / 24.0);
  series = series * r + T(1.0 / 6.0);
  series = series * r + T(0.5);
  series = series * r + T(1);
  series = series * r + T(1);
  constexpr Bits bias = wide ? 1023 : 127;
  constexpr int fraction = wide ? 52 : 23;
  const T power = std::bit_cast<T>(static_cast<Bits>((std::bit_cast<Bits>(shifted) + bias) << fraction));
  return series * power;
}

// 1 / (1 + e^−x)
template <typename T>
[[nodiscard, gnu::always_inline]] inline T sigmoid(T x) {
  const T e = exp_of_negative(-std::abs(x));
  const T above = T(1) / (T(1) + e);
  return x >= T(0) ? above : e * above;
}

// (eˣ − e^−x) / (eˣ + e^−x)
template <typename T>
[[nodiscard, gnu::always_inline]] inline T hyperbolic_tangent(T x) {
  const T e = exp_of_negative(T(-2) * std::abs(x));
  const T size = (T(1) - e) / (T(1) + e);
  return x >= T(0) ? size : -size;
}

}  // namespace dladmm
