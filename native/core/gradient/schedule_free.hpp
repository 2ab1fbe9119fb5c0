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

// y and z of a step of direction d.
template <typename T>
struct AveragedStep {
  T rate, share, stays, far;

  AveragedStep(double beta, const Step& step)
      : rate(static_cast<T>(step.rate)),
        share(static_cast<T>(step.share)),
        stays(static_cast<T>(1 - step.share)),
        far(static_cast<T>((1 - beta * (1 - step.share)) * step.rate)) {}

  DLADMM_INLINE void operator()(T& y, T& z, T d) const {
    y = stays * y + share * z - far * d;
    z -= rate * d;
  }
};

template <typename T>
bool apply(const ScheduleFree& method, const Step& step, const Slice<T>& slice) {
  const T beta2 = static_cast<T>(method.beta2);
  const T take2 = static_cast<T>(1 - method.beta2);
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(method.beta2, static_cast<double>(step.number))));
  const T epsilon = static_cast<T>(method.epsilon);
  const T decay = static_cast<T>(method.weight_decay);
  const AveragedStep<T> go(method.beta1, step);
  return entrywise::all_finite<T>(
      [=](T& y, T g, T& z, T& second) DLADMM_INLINE {
        second = beta2 * second + take2 * g * g;
        go(y, z, g / (std::sqrt(second) * root + epsilon) + decay * y);
        return y;
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

// The parameters w, z, and y between two runs.
template <typename T>
struct Averaging {
  MatrixView<T> w, z, y;

  // z = y = x: as the average begins.
  void begin() const {
    copy(w, z);
    copy(w, y);
  }
  // The parameters become y as a run begins, and x as it ends.
  void to_gradient_point() const { copy(y, w); }
  void to_average(double beta) const {
    copy(w, y);
    const T beyond = static_cast<T>(1 / beta - 1);
    entrywise::each([=](T& to, T from) DLADMM_INLINE { to += beyond * (to - from); }, w, MatrixView<const T>(z));
  }

 private:
  static void copy(MatrixView<const T> from, MatrixView<T> to) {
    std::copy_n(from.data, from.rows * from.columns, to.data);
  }
};

}  // namespace dladmm
