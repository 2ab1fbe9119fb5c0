// Schedule-Free AdamW (A. Defazio et al., "The Road Less Scheduled", NeurIPS 2024, arXiv 2405.15682). Gradients are
// taken at y, between the iterates z and their average x, which is the model; the decay is decoupled.
//
//   y = (1 − β₁) z + β₁ x;  v ← β₂ v + (1 − β₂) g²;  d = g / (√(v / (1 − β₂ᵗ)) + ε) + λ y
//   z ← z − γ d;  x ← (1 − c) x + c z,  c = γ² tʳ / Σ γ² tʳ
//
// Without x a step is  y ← (1 − c) y + c z − (1 − β₁ (1 − c)) γ d, z as it was: it reads no more than Adam's. During a
// run y stands in place of the parameters; as it ends they become x, and y waits beside them.
#pragma once

#include <algorithm>
#include <cmath>

#include "core/gradient/optimiser.hpp"

namespace dladmm {

struct ScheduleFree {
  double beta1 = 0.9;  // above 0
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double power = 0;  // r

  // z, v, and y between two runs.
  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 3; }
  [[nodiscard]] double initial_state() const { return 0; }
  // Of a step in the average.
  [[nodiscard]] double weight(double rate, std::uint64_t t) const {
    return rate * rate * std::pow(static_cast<double>(t), power);
  }
};

template <typename T>
bool apply(const ScheduleFree& method, const Step& step, const Slice<T>& slice) {
  const T beta2 = static_cast<T>(method.beta2);
  const T take2 = static_cast<T>(1 - method.beta2);
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(method.beta2, static_cast<double>(step.number))));
  const T epsilon = static_cast<T>(method.epsilon);
  const T decay = static_cast<T>(method.weight_decay);
  const T rate = static_cast<T>(step.rate);
  const T stays = static_cast<T>(1 - step.share);
  const T share = static_cast<T>(step.share);
  const T far = static_cast<T>((1 - method.beta1 * (1 - step.share)) * step.rate);
  return entrywise::all_finite<T>(
      [=](T& y, T g, T& z, T& second) DLADMM_INLINE {
        second = beta2 * second + take2 * g * g;
        const T d = g / (std::sqrt(second) * root + epsilon) + decay * y;
        y = stays * y + share * z - far * d;
        z -= rate * d;
        return y;
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

// z = y = x: as the average begins.
template <typename T>
void begin_average(const Slice<T>& all) {
  std::copy_n(all.w, all.count, all.kept(0).data);
  std::copy_n(all.w, all.count, all.kept(2).data);
}

// The parameters become y as a run begins, and x as it ends.
template <typename T>
void to_gradient_point(const Slice<T>& all) {
  std::copy_n(all.kept(2).data, all.count, all.w);
}
template <typename T>
void to_average(const ScheduleFree& method, const Slice<T>& all) {
  std::copy_n(all.w, all.count, all.kept(2).data);
  const T beyond = static_cast<T>(1 / method.beta1 - 1);
  entrywise::each([=](T& w, T z) DLADMM_INLINE { w += beyond * (w - z); }, all.parameters(), all.kept(0));
}

}  // namespace dladmm
