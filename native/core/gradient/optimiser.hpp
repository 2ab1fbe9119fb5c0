// The plain gradient methods. Formulas and defaults are those of torch.optim; g is the gradient of the batch, w the
// parameters, t = 1, 2, … the step, γ its learning rate, λ the weight decay. Everything is entry by entry.
//
//   all but decoupled Adam   g ← g + λ w
//   Sgd        momentum μ = 0:  w ← w − γ g
//              else  m ← g (t = 1),  μ m + (1 − τ) g (after);  w ← w − γ m,  or with Nesterov  w ← w − γ (g + μ m)
//   Adagrad    s ← s + g²,  s_0 given;  w ← w − γ / (1 + (t − 1) η) · g / (√s + ε)
//   Adadelta   s ← ρ s + (1 − ρ) g²;  Δ = √(u + ε) / √(s + ε) · g;  u ← ρ u + (1 − ρ) Δ²;  w ← w − γ Δ
//   Adam       m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
//              w ← w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);  decoupled (AdamW): first  w ← w − γ λ w;
//              with Nesterov (NAdam)  β₁ m + (1 − β₁) g  in place of m
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>

#include "core/linalg/entrywise.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm {

struct Sgd {
  double momentum = 0;   // μ
  double dampening = 0;  // τ
  double weight_decay = 0;
  bool nesterov = false;

  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return momentum == 0 ? 0 : 1; }
  [[nodiscard]] double initial_state() const { return 0; }
};

struct Adagrad {
  double rate_decay = 0;  // η
  double weight_decay = 0;
  double initial_accumulator = 0;  // s_0
  double epsilon = 1e-10;

  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 1; }
  [[nodiscard]] double initial_state() const { return initial_accumulator; }
};

struct Adadelta {
  double rho = 0.9;
  double epsilon = 1e-6;
  double weight_decay = 0;

  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 2; }
  [[nodiscard]] double initial_state() const { return 0; }
};

struct Adam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  bool decoupled = false;
  bool nesterov = false;

  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 2; }
  [[nodiscard]] double initial_state() const { return 0; }
};

// A stretch of the parameters with what belongs to it: gradient s begins at g[s], state k at state + k · state_stride.
template <typename T>
struct Slice {
  T* w = nullptr;
  std::size_t count = 0;
  std::span<const T* const> g;
  T* state = nullptr;
  std::size_t state_stride = 0;

  // Each as a matrix of one row.
  [[nodiscard]] MatrixView<T> parameters() const { return {w, 1, count}; }
  [[nodiscard]] MatrixView<const T> gradient(std::size_t s = 0) const { return {g[s], 1, count}; }
  [[nodiscard]] MatrixView<T> kept(std::size_t k = 0) const { return {state + k * state_stride, 1, count}; }
};

struct Step {
  double rate = 0;                  // γ
  std::uint64_t number = 1;         // t
  std::span<const double> weights;  // α_s of the gradients, where a method takes several
  double share = 0;                 // c of its iterate, where a method averages them
};

// apply(method, step, slice): one fused pass over the slice. False where a parameter is no longer finite.

template <typename T>
bool apply(const Sgd& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate);
  const T decay = static_cast<T>(method.weight_decay);
  if (method.momentum == 0) {
    return entrywise::all_finite<T>([=](T& w, T gradient)
                                        DLADMM_INLINE { return w = w - rate * (gradient + decay * w); },
                                    slice.parameters(), slice.gradient());
  }
  const T momentum = static_cast<T>(method.momentum);
  const T take = step.number == 1 ? T(1) : static_cast<T>(1 - method.dampening);
  const T of_gradient = method.nesterov ? T(1) : T(0);
  const T of_buffer = method.nesterov ? momentum : T(1);
  return entrywise::all_finite<T>(
      [=](T& w, T gradient, T& buffer) DLADMM_INLINE {
        const T g = gradient + decay * w;
        buffer = momentum * buffer + take * g;
        return w = w - rate * (of_gradient * g + of_buffer * buffer);
      },
      slice.parameters(), slice.gradient(), slice.kept());
}

template <typename T>
bool apply(const Adagrad& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate / (1 + static_cast<double>(step.number - 1) * method.rate_decay));
  const T decay = static_cast<T>(method.weight_decay);
  const T epsilon = static_cast<T>(method.epsilon);
  return entrywise::all_finite<T>(
      [=](T& w, T gradient, T& sum) DLADMM_INLINE {
        const T g = gradient + decay * w;
        sum = sum + g * g;
        return w = w - rate * g / (std::sqrt(sum) + epsilon);
      },
      slice.parameters(), slice.gradient(), slice.kept());
}

template <typename T>
bool apply(const Adadelta& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate);
  const T decay = static_cast<T>(method.weight_decay);
  const T rho = static_cast<T>(method.rho);
  const T epsilon = static_cast<T>(method.epsilon);
  return entrywise::all_finite<T>(
      [=](T& w, T gradient, T& square, T& change) DLADMM_INLINE {
        const T g = gradient + decay * w;
        square = rho * square + (T(1) - rho) * g * g;
        const T delta = std::sqrt(change + epsilon) / std::sqrt(square + epsilon) * g;
        change = rho * change + (T(1) - rho) * delta * delta;
        return w = w - rate * delta;
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

template <typename T>
bool apply(const Adam& method, const Step& step, const Slice<T>& slice) {
  const auto t = static_cast<double>(step.number);
  const T decay = static_cast<T>(method.decoupled ? 0 : method.weight_decay);
  const T keep = static_cast<T>(method.decoupled ? 1 - step.rate * method.weight_decay : 1);
  const T beta1 = static_cast<T>(method.beta1);
  const T take1 = static_cast<T>(1 - method.beta1);
  const T beta2 = static_cast<T>(method.beta2);
  const T take2 = static_cast<T>(1 - method.beta2);
  const T size = static_cast<T>(step.rate / (1 - std::pow(method.beta1, t)));
  const T ahead = method.nesterov ? beta1 : T(1);
  const T now = method.nesterov ? take1 : T(0);
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(method.beta2, t)));
  const T epsilon = static_cast<T>(method.epsilon);
  return entrywise::all_finite<T>(
      [=](T& w, T gradient, T& first, T& second) DLADMM_INLINE {
        const T g = gradient + decay * w;
        first = beta1 * first + take1 * g;
        second = beta2 * second + take2 * g * g;
        return w = keep * w - size * (ahead * first + now * g) / (std::sqrt(second) * root + epsilon);
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

}  // namespace dladmm
