// Multipliers of z_L for labels that the model draws itself. They have mean 0 (but where a loss has a kink), and their
// second moment is the curvature of R: E v vᵀ = ∇²R(z), the Fisher information of the model's own distribution.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>

#include "core/functions/loss.hpp"
#include "core/gradient/order.hpp"

namespace dladmm {

// The random numbers of a sample in the draw-th pass: they depend on nothing else, neither on threads nor on a pass
// that came before.
[[nodiscard]] inline RandomStream stream_of(std::uint32_t seed, std::uint64_t draw, std::size_t sample) {
  return RandomStream(seed + 0x9e3779b9U * static_cast<std::uint32_t>(draw) +
                      0x85ebca6bU * static_cast<std::uint32_t>(sample + 1));
}

// v of one sample; its weight does not count. Of a loss with a kink, which has no curvature, v is ∇R.
inline void draw_multiplier(const Loss& loss, std::span<const double> z, SampleTarget target, RandomStream& random,
                            std::span<double> v) {
  target.weight = 1;
  static_cast<void>(loss_and_gradient(loss, z, target, v));
  const auto sign = [&] { return random.uniform() < 0.5 ? -1.0 : 1.0; };
  switch (loss.kind) {
    case LossKind::softmax_cross_entropy: {
      v[static_cast<std::size_t>(target.label)] += 1;  // the probabilities
      const double at = random.uniform();
      std::size_t drawn = 0;
      for (double below = v[0]; drawn + 1 < v.size() && !(below > at); below += v[drawn]) ++drawn;
      v[drawn] -= 1;
      return;
    }
    case LossKind::squared_error:
    case LossKind::one_hot_squared_error:
      for (double& each : v) each = sign();
      return;
    case LossKind::sigmoid_cross_entropy:
      for (std::size_t j = 0; j < v.size(); ++j) {
        const double p = v[j] + target.values[j];
        v[j] = random.uniform() < p ? p - 1 : p;
      }
      return;
    case LossKind::poisson:
      for (std::size_t j = 0; j < v.size(); ++j) v[j] = sign() * std::exp(z[j] / 2);
      return;
    case LossKind::huber:
      // The curvature of the parabola that touches R at z and lies above it: 1 within δ, δ/|z − y| outside.
      for (std::size_t j = 0; j < v.size(); ++j) {
        v[j] = sign() * std::sqrt(std::min(1.0, loss.parameter / std::abs(z[j] - target.values[j])));
      }
      return;
    case LossKind::hinge:
    case LossKind::absolute:
    case LossKind::quantile:
      return;
  }
}

// E v vᵀ = diag(c) + s r rᵀ of one sample, whose weight does not count; returns s.
inline double moment_of_multiplier(const Loss& loss, std::span<const double> z, SampleTarget target,
                                   std::span<double> c, std::span<double> r) {
  target.weight = 1;
  static_cast<void>(loss_and_gradient(loss, z, target, r));
  switch (loss.kind) {
    case LossKind::softmax_cross_entropy:
      r[static_cast<std::size_t>(target.label)] += 1;
      std::ranges::copy(r, c.begin());
      return -1;
    case LossKind::squared_error:
    case LossKind::one_hot_squared_error:
      std::ranges::fill(c, 1.0);
      return 0;
    case LossKind::sigmoid_cross_entropy:
      for (std::size_t j = 0; j < c.size(); ++j) c[j] = (r[j] + target.values[j]) * (1 - r[j] - target.values[j]);
      return 0;
    case LossKind::poisson:
      for (std::size_t j = 0; j < c.size(); ++j) c[j] = std::exp(z[j]);
      return 0;
    case LossKind::huber:
      for (std::size_t j = 0; j < c.size(); ++j)
        c[j] = std::min(1.0, loss.parameter / std::abs(z[j] - target.values[j]));
      return 0;
    case LossKind::hinge:
    case LossKind::absolute:
    case LossKind::quantile:
      std::ranges::fill(c, 0.0);
      return 1;
  }
  return 0;
}

}  // namespace dladmm
