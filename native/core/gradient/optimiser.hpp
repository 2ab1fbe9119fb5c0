// The plain gradient methods. Formulas and defaults are those of torch.optim; g is the gradient of the batch, w the
// parameters, t = 1, 2, … the step, γ its learning rate, λ the weight decay. Everything is entry by entry.
//
//   all but decoupled Adam   g ← g + λ w
//   Sgd        momentum μ = 0:  w ← w − γ g
//              else  m ← g (t = 1),  μ m + (1 − τ) g (after);  w ← w − γ m,  or with Nesterov  w ← w − γ (g + μ m)
//   Adagrad    s ← s + g²,  s_0 given;  w ← w − γ / (1 + (t − 1) η) · g / (√s + ε)
//   Adadelta   s ← ρ s + (1 − ρ) g²;  Δ = √(u + ε) / √(s + ε) · g;  u ← ρ u + (1 − ρ) Δ²;  w ← w − γ Δ
//   Adam       m ← β₁ m + (1 − β₁) g;  v ← β₂ v + (1 − β₂) g²;
//              w ← w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε);  decoupled (AdamW): first  w ← w − γ λ w
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

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
};

// One fused pass over the slice. False where a parameter is no longer finite.
template <typename T>
bool apply(const Sgd& method, const Step& step, const Slice<T>& slice);
template <typename T>
bool apply(const Adagrad& method, const Step& step, const Slice<T>& slice);
template <typename T>
bool apply(const Adadelta& method, const Step& step, const Slice<T>& slice);
template <typename T>
bool apply(const Adam& method, const Step& step, const Slice<T>& slice);

}  // namespace dladmm
