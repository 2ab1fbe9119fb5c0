// Elementary functions in a form that a compiler turns into vector instructions: no branch, no call into the C library.
// Absolute errors are a few units in the last place of 1; NaN stays NaN.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
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

// c_0 + c_1 x + c_2 x² + …, by Horner's scheme.
template <typename T, std::size_t kCount>
[[nodiscard, gnu::always_inline]] constexpr T polynomial(const T (&c)[kCount], T x) {
  T sum = c[kCount - 1];
  for (std::size_t k = kCount - 1; k-- > 0;) sum = sum * x + c[k];
  return sum;
}

// log(1 + t) for 0 ≤ t ≤ 1: 2 artanh(u) with u = t/(2 + t) ≤ 1/3, and the series of artanh up to where it ends in T.
template <typename T>
[[nodiscard, gnu::always_inline]] inline T log_of_one_and(T t) {
  constexpr int terms = std::is_same_v<T, double> ? 17 : 8;
  const T u = t / (T(2) + t);
  const T square = u * u;
  T series = T(1) / T(2 * terms + 1);
  for (int k = terms - 1; k >= 0; --k) series = series * square + T(1) / T(2 * k + 1);
  return T(2) * u * series;
}

// e^(x²) erfc(x) for x ≥ 0: t q(2t − 1) with t = 2/(2 + x), q its Chebyshev expansion (relative error 4 · 10^−16; in
// float 10^−7), written in powers.
template <typename T>
[[nodiscard, gnu::always_inline]] inline T scaled_erfc(T x) {
  const T t = T(2) / (T(2) + x);
  const T s = T(2) * t - T(1);
  if constexpr (std::is_same_v<T, double>) {
    constexpr double q[] = {
        0.510791352621011525,       0.3435803422069051367,     0.1397360462780147514,     0.01822111575345903991,
        -0.01075533094403653138,    -0.003239592534582067464,  0.001545306014101328687,   0.00041864804327911113,
        -0.0003315365766901461241,  -0.0000171858318748897515, 0.00007223418829504806803, -0.0000170737811338189144,
        -0.00001084298532996441017, 8.057875867147340403e-6,   -5.776423611511426753e-7,  -1.815035508054166564e-6,
        1.030569921529110538e-6,    -1.375450823318594513e-8,  -3.262460935296672007e-7,  1.786722947916853454e-7,
        3.600084529207993444e-8,    -6.965842943409138309e-8,  6.52043461440153958e-9,    1.321632551763264864e-8,
        -1.911173728607893941e-9,   -1.059033314357179863e-9};
    return t * polynomial(q, s);
  } else {
    constexpr float q[] = {0.5107913569F,   0.3435803330F,     0.1397357335F,    0.0182213842F,
                           -0.0107516262F,  -0.0032418549F,    0.0015291572F,    0.00042702015F,
                           -0.00029938271F, -0.0000329515393F, 0.0000421611972F, -0.00000132739552F};
    return t * polynomial(q, s);
  }
}

}  // namespace dladmm
