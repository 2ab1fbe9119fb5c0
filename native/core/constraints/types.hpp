// The vocabulary of the splitting that keeps all constraints: what an update is, and what a sweep reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/functions/activation.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm::constraints {

// The blocks of variables. W_l carries b_l as one column more, which meets a column of ones in V_{l-1}; `b` names that
// column for those who read or write it and is no update of its own.
enum class Block : std::uint8_t { W, V, Lambda, b };

// Minimise over one block of layer l = 1 … N, the rest held fixed (for Lambda: the dual step).
struct Update {
  Block block;
  std::size_t layer;
};

// The curvature h of the quadratic that stands in for ½(σ(x) − B)² (local linear approximation). `bound`: 𝓛(‖B‖_max),
// which lies above it (the paper, after eq. 51); `largest`: ‖B‖_max itself, which the published code takes.
enum class Majoriser { bound, largest };

// 𝓛(c) = 2 L_2 (L_0 + c) + 2 L_1² with the bounds L_0, L_1, L_2 of |σ|, |σ'|, |σ''|: the largest second derivative of
// (σ(x) − B)² for |B| ≤ c.
[[nodiscard]] constexpr double curvature_bound(ActivationKind kind, double c) {
  const ActivationBounds bounds = bounds_of(kind);
  return 2 * bounds.bend * (bounds.value + c) + 2 * bounds.slope * bounds.slope;
}

// Everything that may change from sweep to sweep.
struct Penalties {
  std::vector<double> lambda;  // λ_l of (λ_l/2)‖[W_l b_l]‖², l = 1 … N
  std::vector<double> beta;    // β_l, l = 1 … N
  Majoriser majoriser = Majoriser::bound;
};

// What one update did.
struct UpdateRecord {
  double curvature = kNone;       // h of a hidden W_l, μ of V_l below a hidden layer
  double step_norm = kNone;       // ‖Δ‖² of the block
  double ridge = kNone;           // ε that was added to the diagonal so that the matrix could be factored
  double factor_seconds = kNone;  // spent on the matrix, once the products over the samples were done
  double seconds = 0;
};

// The products over the samples that a sweep took, its measures included.
struct Work {
  std::size_t gradient = 0;  // Gᵀ V, samples summed
  std::size_t image = 0;     // V Wᵀ
  std::size_t back = 0;      // G W
  std::size_t gram = 0;      // Vᵀ V, half a product
  std::size_t solve = 0;     // rows times the inverse of a matrix as wide as a layer
  std::size_t factor = 0;    // Cholesky factors
  double flops = 0;
};

// Where the variables stand. Norms are squared and summed over the samples.
struct Measures {
  std::vector<double> residual;  // ‖σ(V_{l-1} W_lᵀ + b_l) − V_l‖², l = 1 … N (σ the identity for l = N)
  std::vector<double> stationary_W;  // ‖∂L/∂[W_l b_l]‖²
  std::vector<double> stationary_V;  // ‖∂L/∂V_l‖²
  double loss = 0;                   // ½‖V_N − Y‖²
  double regularisation = 0;         // Σ (λ_l/2)‖[W_l b_l]‖²
  double dual_product = 0;           // Σ ⟨Λ_l, σ(…) − V_l⟩
  double dual_identity = 0;          // the largest |Λ_N − (V_N − Y)|
  double kkt = 0;                    // ‖∇L‖²: the three lists added up
  double lagrangian = 0;
};

struct SweepRecord : SweepRecordOf<UpdateRecord, Measures> {
  Work work;
};

}  // namespace dladmm::constraints
