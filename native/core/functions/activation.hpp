// Activations f_l: value, derivative, and the closed form of the z_l subproblem of a hidden layer.
#pragma once

#include <cstdint>

#include "core/functions/sigmoidal.hpp"

namespace dladmm {

// `rectifier`: f(x) = x for x > 0 and slope * x elsewhere; slope 0 is ReLU, slope 1 the identity, any other a leaky
// ReLU. The others are smooth and have no slope.
enum class ActivationKind : std::uint8_t { rectifier, sigmoid, tanh };

// argmin over z of (z − m)² + ratio (a − f(z))² for a smooth f: the global one of up to three local minimisers (the
// smallest in a tie). NaN where m or a is not finite. (In nearest.cc.)
[[nodiscard]] double nearest_smooth(ActivationKind kind, double m, double a, double ratio);

struct Activation {
  double slope = 0;
  ActivationKind kind = ActivationKind::rectifier;

  [[nodiscard]] constexpr bool is_smooth() const { return kind != ActivationKind::rectifier; }

  // The identity, which the last layer has.
  [[nodiscard]] static constexpr Activation identity() { return {1, ActivationKind::rectifier}; }

  // --- the rectifiers ---

  template <typename T>
  [[nodiscard, gnu::always_inline]] static constexpr T value(T x, T slope) {
    return x > T(0) ? x : slope * x;
  }

  // f'(x). At the kink it is the slope of the negative side, as in PyTorch.
  template <typename T>
  [[nodiscard, gnu::always_inline]] static constexpr T derivative(T x, T slope) {
    return x > T(0) ? T(1) : slope;
  }

  // Whether derivative(f(x)) is derivative(x), so that a backward pass needs the activations alone.
  [[nodiscard]] constexpr bool keeps_sign() const { return slope >= 0; }

  // argmin over z of (z − m)² + ratio (a − f(z))²  (dlADMM, eq. 4 and 14, where the ratio is 1; Taylor et al., where it
  // is γ/β).
  // On each side of the kink the objective is a parabola, so the minimiser is one of two clipped vertices; a tie goes
  // to the negative side, as in the official code.
  template <typename T>
  [[nodiscard, gnu::always_inline]] static constexpr T nearest(T m, T a, T slope, T ratio) {
    const T below = (m + ratio * slope * a) / (T(1) + ratio * slope * slope);
    const T above = (m + ratio * a) / (T(1) + ratio);
    const T negative = below < T(0) ? below : T(0);
    const T positive = above > T(0) ? above : T(0);
    const T negative_miss = a - slope * negative;
    const T positive_miss = a - positive;
    const T negative_cost = (negative - m) * (negative - m) + ratio * (negative_miss * negative_miss);
    const T positive_cost = (positive - m) * (positive - m) + ratio * (positive_miss * positive_miss);
    return negative_cost > positive_cost ? positive : negative;
  }
};

// One activation as a loop likes to have it: f(x), and f'(x) from y = f(x). A kernel takes one of these as a type, so
// that what it is gets decided outside the loop.
template <typename T>
struct Rectifier {
  T slope;
  [[nodiscard, gnu::always_inline]] constexpr T value(T x) const { return Activation::value(x, slope); }
  // Where the activation keeps signs.
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return Activation::derivative(y, slope); }
  // argmin over z of (z − m)² + ratio (a − f(z))²
  [[nodiscard, gnu::always_inline]] constexpr T nearest(T m, T a, T ratio) const {
    return Activation::nearest(m, a, slope, ratio);
  }
};

template <typename T>
struct Sigmoid {
  [[nodiscard, gnu::always_inline]] T value(T x) const { return sigmoid(x); }
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return y * (T(1) - y); }
  [[nodiscard]] T nearest(T m, T a, T ratio) const {
    return static_cast<T>(nearest_smooth(ActivationKind::sigmoid, m, a, ratio));
  }
};

template <typename T>
struct Tanh {
  [[nodiscard, gnu::always_inline]] T value(T x) const { return hyperbolic_tangent(x); }
  [[nodiscard, gnu::always_inline]] constexpr T derivative(T y) const { return (T(1) - y) * (T(1) + y); }
  [[nodiscard]] T nearest(T m, T a, T ratio) const {
    return static_cast<T>(nearest_smooth(ActivationKind::tanh, m, a, ratio));
  }
};

// body(f) with f the activation as one of the types above.
template <typename T, typename Body>
decltype(auto) with_activation(const Activation& activation, Body&& body) {
  switch (activation.kind) {
    case ActivationKind::sigmoid:
      return body(Sigmoid<T>{});
    case ActivationKind::tanh:
      return body(Tanh<T>{});
    case ActivationKind::rectifier:
      break;
  }
  return body(Rectifier<T>{static_cast<T>(activation.slope)});
}

}  // namespace dladmm
