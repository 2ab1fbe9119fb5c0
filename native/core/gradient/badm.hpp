// Consensus ADMM over sub-batches. A batch b is cut into sub-batches s with weights α_s (Σ α_s = 1), each with a copy
// w_s of the parameters and a dual π_s for w_s = w; λ is an optional ℓ2 weight.
//
// BADM (O. Wang, S. Zhou, G. Y. Li, arXiv 2407.01640), state carried from batch to batch:
//   w   = Σ α_s (σ w_s + π_s) / (σ + λ)              aggregate
//   w_s = w − (∇F_s(w) + π_s) / (ρ + σ)              one gradient each, all at w
//   π_s ← π_s + σ (w_s − w)
// Here a step begins with the gradients at w and ends with the next aggregate: after the step of batch b the parameters
// are w of batch b + 1. With β = ρ/(ρ + σ) the new dual is  π_s⁺ = β π_s − (1 − β) ∇F_s  and  w⁺ = (σ w + Σ α_s (2 π_s⁺
// − π_s)) / (σ + λ).  All of it is linear with coefficients that no sub-batch has of its own, so with fixed α_s the
// sums suffice:  m = −Σ α_s π_s,  ḡ = Σ α_s ∇F_s, the gradient of the whole batch,
//   m⁺ = β m + (1 − β) ḡ,   w⁺ = (σ w − (2 m⁺ − m)) / (σ + λ):
// one gradient and one vector of state, whatever the number of sub-batches. The π_s are kept only where they are asked
// for.
//
// SISA (S. Zhou et al., arXiv 2502.10784) scales each local step by the second moment v_s, which is not linear:
//   v_s ← β v_s + (1 − β)(g_s + π_s)²,   v̂_s = v_s / (1 − βᵗ)
//   w_s = w − (g_s + π_s) / (σ + ρ (√v̂_s + ε)),   π_s⁺ = π_s + σ (w_s − w)
//   w⁺ = Σ α_s (σ w_s + π_s⁺) / (σ + λ)
// It takes one gradient and two vectors of state a sub-batch, in one pass.
#pragma once

#include <cstddef>

#include "core/gradient/optimiser.hpp"

namespace dladmm {

struct Badm {
  double sigma = 1;
  double rho = 1;
  double weight_decay = 0;  // λ
  std::size_t sub_batches = 1;
  bool duals = false;  // keep every π_s: sub_batches gradients and vectors of state instead of one

  // Gradients a step takes and vectors it keeps: π_s in the order of the sub-batches, or m alone.
  [[nodiscard]] std::size_t gradients() const { return duals ? sub_batches : 1; }
  [[nodiscard]] std::size_t states() const { return gradients(); }
  [[nodiscard]] double initial_state() const { return 0; }
};

struct Sisa {
  double sigma = 1;
  double rho = 1;
  double beta = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // λ
  std::size_t sub_batches = 1;

  // π_s are states 0 … sub_batches − 1, v_s the ones after.
  [[nodiscard]] std::size_t gradients() const { return sub_batches; }
  [[nodiscard]] std::size_t states() const { return 2 * sub_batches; }
  [[nodiscard]] double initial_state() const { return 0; }
};

// One fused pass over the slice. False where a parameter is no longer finite. A sub-batch of weight 0 has no samples:
// its gradient is not read and its state stays as it is. Badm without duals takes one gradient, of the whole batch, or
// one a sub-batch and forms their mean itself.
template <typename T>
bool apply(const Badm& method, const Step& step, const Slice<T>& slice);
template <typename T>
bool apply(const Sisa& method, const Step& step, const Slice<T>& slice);

}  // namespace dladmm
