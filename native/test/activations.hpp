// Activations as their definitions have them, by the C library: what the core's are held against.
#pragma once

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include "core/functions/activation.hpp"

namespace dladmm::test {

inline double value_of(const Activation& activation, double x) {
  switch (activation.kind) {
    case ActivationKind::rectifier:
      return x > 0 ? x : activation.slope * x;
    case ActivationKind::sigmoid:
      return 1 / (1 + std::exp(-x));
    case ActivationKind::tanh:
      return std::tanh(x);
    case ActivationKind::elu:
      return x > 0 ? x : activation.slope * std::expm1(x);
    case ActivationKind::silu:
      return x / (1 + std::exp(-x));
    case ActivationKind::gelu:
      return x * std::erfc(-x / std::numbers::sqrt2) / 2;
    case ActivationKind::softplus:
      return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x)));
  }
  return std::nan("");
}

// f'; at a kink that of the negative side.
inline double slope_of(const Activation& activation, double x) {
  const double s = 1 / (1 + std::exp(-x));
  switch (activation.kind) {
    case ActivationKind::rectifier:
      return x > 0 ? 1 : activation.slope;
    case ActivationKind::sigmoid:
      return s * (1 - s);
    case ActivationKind::tanh:
      return 1 - std::tanh(x) * std::tanh(x);
    case ActivationKind::elu:
      return x > 0 ? 1 : activation.slope * std::exp(x);
    case ActivationKind::silu:
      return s * (1 + x * (1 - s));
    case ActivationKind::gelu:
      return std::erfc(-x / std::numbers::sqrt2) / 2 + x * std::exp(-x * x / 2) / std::sqrt(2 * std::numbers::pi);
    case ActivationKind::softplus:
      return s;
  }
  return std::nan("");
}

inline std::string name_of(const Activation& activation) {
  constexpr const char* names[] = {"rectifier", "sigmoid", "tanh", "elu", "silu", "gelu", "softplus"};
  return names[static_cast<int>(activation.kind)] + std::string(" with slope ") + std::to_string(activation.slope);
}

// One of each smooth kind, those with a kink in f' too.
inline const Activation kSmooth[] = {
    {0, ActivationKind::sigmoid}, {0, ActivationKind::tanh}, {1, ActivationKind::elu},  {0.3, ActivationKind::elu},
    {2, ActivationKind::elu},     {0, ActivationKind::silu}, {0, ActivationKind::gelu}, {0, ActivationKind::softplus}};

// One of every kind, rectifiers without a slope and with one, and none.
inline const std::vector<Activation> kAllKinds{{0},
                                               {0.1},
                                               Activation::identity(),
                                               {0, ActivationKind::sigmoid},
                                               {0, ActivationKind::tanh},
                                               {0.5, ActivationKind::elu},
                                               {0, ActivationKind::silu},
                                               {0, ActivationKind::gelu},
                                               {0, ActivationKind::softplus}};

}  // namespace dladmm::test
