// Activations f_l, each in one place: value, first and second derivative, and what its hidden z_l subproblem needs to
// know. A new one is a type here and a case in with_activation() and bounds_of(): the compiler asks for both.
#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>
#include <span>

#include "core/functions/elementary.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm {

// `rectifier`: f(x) = x for x > 0 and slope * x elsewhere; slope 0 is ReLU, slope 1 the identity, any other a leaky
// ReLU. `elu`: x for x > 0 and slope (eˣ − 1) elsewhere, with a slope above 0. The others have none.
enum class ActivationKind : std::uint8_t { rectifier, sigmoid, tanh, elu, silu, gelu, softplus };

struct Activation {
  double slope = 0;
  ActivationKind kind = ActivationKind::rectifier;

  [[nodiscard]] constexpr bool is_smooth() const { return kind != ActivationKind::rectifier; }
  // Whether f'(x) is derivative(f(x)), so that a backward pass needs the activations alone and no z.
  [[nodiscard]] constexpr bool value_tells_derivative() const;

  // The identity, which the last layer has.
  [[nodiscard]] static constexpr Activation identity() { return {1, ActivationKind::rectifier}; }
};

// f, f' and f'' at a point.
template <typename T>
struct Jet {
  T value;
  T slope;
  T bend;
};

// One activation as a loop likes to have it: a kernel takes one of these as a type, so that what it is gets decided
// outside the loop. derivative(k) is f'(x) where k is f(x) if kTellsDerivative, and x itself if not.
//
// A smooth one has at(x), and for its z_l subproblem: whether it increases everywhere, how fine its features are
// (kScale), the reach beyond which it is a line up to rounding (kReach), and whether f' may jump at 0 (kKink).

template <typename T>
struct Rectifier {
  static constexpr bool kTellsDerivative = false;
  T slope;

  [[nodiscard, gnu::always_inline]] constexpr T value(T x) const { return x > T(0) ? x : slope * x; }
  // At the kink it is the slope of the negative side, as in PyTorch.
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T x) const { return x > T(0) ? T(1) : slope; }

  // argmin over z of (z − m)² + ratio (a − f(z))²  (dlADMM, eq. 4 and 14, where the ratio is 1; Taylor et al., where it
  // is γ/β).
  // On each side of the kink the objective is a parabola, so the minimiser is one of two clipped vertices; a tie goes
  // to the negative side, as in the official code.
  [[nodiscard, gnu::always_inline]] constexpr T nearest(T m, T a, T ratio) const {
    // The same for every entry: a loop divides once.
    const T share_below = T(1) / (T(1) + ratio * slope * slope);
    const T share_above = T(1) / (T(1) + ratio);
    const T below = (m + ratio * slope * a) * share_below;
    const T above = (m + ratio * a) * share_above;
    const T negative = below < T(0) ? below : T(0);
    const T positive = above > T(0) ? above : T(0);
    const T negative_miss = a - slope * negative;
    const T positive_miss = a - positive;
    const T negative_cost = (negative - m) * (negative - m) + ratio * (negative_miss * negative_miss);
    const T positive_cost = (positive - m) * (positive - m) + ratio * (positive_miss * positive_miss);
    return negative_cost > positive_cost ? positive : negative;
  }
};

template <typename T>
struct Sigmoid {
  static constexpr bool kTellsDerivative = true;
  static constexpr bool kIncreases = true;
  static constexpr double kScale = 1;
  static constexpr double kReach = 40;
  static constexpr bool kKink = false;

  [[nodiscard, gnu::always_inline]] T value(T x) const { return sigmoid(x); }
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return y * (T(1) - y); }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    const T s = sigmoid(x);
    const T slope = s * (T(1) - s);
    return {s, slope, slope * (T(1) - T(2) * s)};
  }
};

template <typename T>
struct Tanh {
  static constexpr bool kTellsDerivative = true;
  static constexpr bool kIncreases = true;
  static constexpr double kScale = 0.5;
  static constexpr double kReach = 20;
  static constexpr bool kKink = false;

  [[nodiscard, gnu::always_inline]] T value(T x) const { return hyperbolic_tangent(x); }
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return (T(1) - y) * (T(1) + y); }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    const T y = hyperbolic_tangent(x);
    const T slope = (T(1) - y) * (T(1) + y);
    return {y, slope, T(-2) * y * slope};
  }
};

// x for x > 0, α (eˣ − 1) elsewhere.
template <typename T>
struct Elu {
  static constexpr bool kTellsDerivative = true;
  static constexpr bool kIncreases = true;
  static constexpr double kScale = 1;
  static constexpr double kReach = 40;
  static constexpr bool kKink = true;
  T alpha;

  [[nodiscard, gnu::always_inline]] T value(T x) const {
    const T below = alpha * (exp_of_negative(x < T(0) ? x : x - x) - T(1));  // NaN stays
    return x > T(0) ? x : below;
  }
  // At the kink that an α other than 1 makes it is that of the negative side.
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return y > T(0) ? T(1) : y + alpha; }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    const T e = alpha * exp_of_negative(x < T(0) ? x : x - x);
    return x > T(0) ? Jet<T>{x, T(1), T(0)} : Jet<T>{e - alpha, e, e};
  }
};

// x σ(x)
template <typename T>
struct Silu {
  static constexpr bool kTellsDerivative = false;
  static constexpr bool kIncreases = false;
  static constexpr double kScale = 1;
  static constexpr double kReach = 45;
  static constexpr bool kKink = false;

  [[nodiscard, gnu::always_inline]] T value(T x) const { return x * sigmoid(x); }
  [[nodiscard, gnu::always_inline]] T derivative(T x) const { return at(x).slope; }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    const T s = sigmoid(x);
    const T steep = s * (T(1) - s);
    return {x * s, s + x * steep, steep * (T(2) + x * (T(1) - T(2) * s))};
  }
};

// x Φ(x), Φ the normal distribution: the exact one, no approximation by tanh.
template <typename T>
struct Gelu {
  static constexpr bool kTellsDerivative = false;
  static constexpr bool kIncreases = false;
  static constexpr double kScale = 0.5;
  static constexpr double kReach = 10;
  static constexpr bool kKink = false;

  [[nodiscard, gnu::always_inline]] T value(T x) const { return at(x).value; }
  [[nodiscard, gnu::always_inline]] T derivative(T x) const { return at(x).slope; }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    constexpr T density = T(0.39894228040143267794);  // 1/√(2π)
    const T size = std::abs(x);
    const T e = exp_of_negative(T(-0.5) * x * x);
    const T tail = T(0.5) * e * scaled_erfc(size * T(1 / std::numbers::sqrt2));  // Φ(−|x|)
    const T phi = density * e;
    const T Phi = x > T(0) ? T(1) - tail : tail;
    // The product of infinity and a tail of zero would be no number.
    const T value = x > T(0) ? x - x * tail : x * tail;
    return {value, Phi + x * phi, phi * (T(2) - x * x)};
  }
};

// log(1 + eˣ)
template <typename T>
struct Softplus {
  static constexpr bool kTellsDerivative = true;
  static constexpr bool kIncreases = true;
  static constexpr double kScale = 1;
  static constexpr double kReach = 40;
  static constexpr bool kKink = false;

  [[nodiscard, gnu::always_inline]] T value(T x) const {
    return (x > T(0) ? x : T(0)) + log_of_one_and(exp_of_negative(-std::abs(x)));
  }
  // 1 − e^−y
  [[nodiscard, gnu::always_inline]] T derivative(T y) const { return T(1) - exp_of_negative(-y); }
  [[nodiscard, gnu::always_inline]] Jet<T> at(T x) const {
    const T s = sigmoid(x);
    return {value(x), s, s * (T(1) - s)};
  }
};

// body(f) with f the activation as one of the types above.
template <typename T, typename Body>
constexpr decltype(auto) with_activation(const Activation& activation, Body&& body) {
  switch (activation.kind) {
    case ActivationKind::rectifier:
      return body(Rectifier<T>{static_cast<T>(activation.slope)});
    case ActivationKind::sigmoid:
      return body(Sigmoid<T>{});
    case ActivationKind::tanh:
      return body(Tanh<T>{});
    case ActivationKind::elu:
      return body(Elu<T>{static_cast<T>(activation.slope)});
    case ActivationKind::silu:
      return body(Silu<T>{});
    case ActivationKind::gelu:
      return body(Gelu<T>{});
    case ActivationKind::softplus:
      return body(Softplus<T>{});
  }
  __builtin_unreachable();
}

constexpr bool Activation::value_tells_derivative() const {
  // A rectifier's value has the sign of x where its slope has none of its own.
  if (kind == ActivationKind::rectifier) return slope >= 0;
  return with_activation<double>(*this, [](auto f) { return decltype(f)::kTellsDerivative; });
}

// What |f|, |f'| and |f''| stay below; infinite where nothing holds them.
struct ActivationBounds {
  double value;
  double slope;
  double bend;
};
[[nodiscard]] constexpr ActivationBounds bounds_of(ActivationKind kind) {
  constexpr double none = std::numeric_limits<double>::infinity();
  switch (kind) {
    case ActivationKind::sigmoid:
      return {1, 0.25, 0.25};
    case ActivationKind::tanh:
      return {1, 1, 0.76980035891950105};  // 4 / (3 √3)
    case ActivationKind::rectifier:
    case ActivationKind::elu:
    case ActivationKind::silu:
    case ActivationKind::gelu:
    case ActivationKind::softplus:
      return {none, none, none};
  }
  __builtin_unreachable();
}

// argmin over z of (z − m)² + ratio (a − f(z))², where that has a closed form; where it has none, the z that
// nearest_smooth() has found.
template <typename F, typename T>
[[nodiscard, gnu::always_inline]] constexpr T settled(F f, T m, T a, T ratio, T z) {
  if constexpr (requires { f.nearest(m, a, ratio); }) {
    return f.nearest(m, a, ratio);
  } else {
    return z;
  }
}

// z <- argmin (z − m)² + ratio (a − f(z))², entry by entry, with m = P + b: the global minimiser for a smooth f, of as
// many local ones as there may be (the smallest in a tie). z as it comes is where the search begins: near a solution it
// takes fewer steps. NaN where m or a is not finite. (In nearest.cc.)
template <typename T>
void nearest_smooth(const Activation& activation, MatrixView<const T> P, std::span<const T> b, MatrixView<const T> a,
                    T ratio, MatrixView<T> z);

}  // namespace dladmm
