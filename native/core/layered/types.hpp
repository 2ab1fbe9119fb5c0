// The vocabulary of the layered splitting: what an update is, and what a sweep reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/functions/proximal.hpp"
#include "core/splitting/output_layer.hpp"
#include "core/splitting/search.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

// The blocks of variables of min R(z_L) + Σ Ω(W_l) + penalties (PAPERS: dlADMM, Problem 2).
enum class Block : std::uint8_t { W, b, z, a, u };

// Minimise over one block of layer l = 1 … L, the rest held fixed. `a` has l < L, `u` has l = L.
struct Update {
  Block block;
  std::size_t layer;
};

// How one W_l or a_l is minimised over. `quadratic`: a gradient step whose size backtracking has accepted (O(n²)). The
// others are the exact minimiser (O(n³)): through the pseudo-inverse (W alone), through an explicit inverse, or through
// a Cholesky factor (which takes the smaller of the two matrices that give the same solution).
enum class StepKind : std::uint8_t { quadratic, pseudoinverse, inverse, cholesky };

// The kind of step of every layer, layer l at l − 1; empty where all are quadratic.
struct Steps {
  std::vector<StepKind> W;
  std::vector<StepKind> a;
};

// How z_L is minimised: exactly, or by the official code's FISTA with its step, tolerance and cap.
enum class OutputSolver { exact, fista };

struct Fista {
  double step = 4;
  double tolerance = 1e-3;
  int limit = 500;
};

// Everything that may change from sweep to sweep.
struct Penalties {
  double nu = 1;     // z_l = W_l a_{l-1} + b_l of the hidden layers
  double gamma = 1;  // a_l = f(z_l); ν in dlADMM
  double rho = 1;    // the output constraint
  double l2 = 0;     // λ of Ω_l(W) = (λ/2)‖W‖²
  StepSearch search = StepSearch::backtracking;
  double theta0 = 1;  // first size tried for W
  double tau0 = 1;    // first size tried for a
  double growth = 2;  // γ, η of Algorithms 2 to 5
  OutputSolver output = OutputSolver::exact;
  Fista fista;
  std::vector<Regulariser> regularisers;  // what Ω_l has beside l2, layer l at l − 1; empty where nothing

  [[nodiscard]] const Regulariser& regulariser(std::size_t l) const {
    static const Regulariser nothing;
    return regularisers.empty() ? nothing : regularisers[l - 1];
  }
};

// What one update did.
struct UpdateRecord {
  double size = kNone;            // accepted θ (W) or τ (a)
  double kappa = kNone;           // the smallest size that the acceptance test passes
  double step_norm = kNone;       // ‖Δ‖² of the block, for W and a
  int steps = kNoCount;           // Newton steps (the most of any sample) or FISTA steps, for z_L
  double stationarity = kNone;    // z_L: largest |∇R(z) + u + ρ(z − m)|
  double ridge = kNone;           // ε that an inversion step added to the diagonal
  int rank = kNoCount;            // eigenvalues that a pseudo-inverse kept
  double factor_seconds = kNone;  // what an inversion step spent on its matrix, once the products over the samples were
                                  // done
  double seconds = 0;
};

// What the variables miss by, and the augmented Lagrangian they give (eq. 1, with the penalties passed in).
struct Measures {
  std::vector<double> residual;    // ‖z_l − P_l − b_l‖², l = 1 … L
  std::vector<double> activation;  // ‖a_l − f(z_l)‖², l = 1 … L − 1
  double loss = 0;                 // R(z_L), summed over the samples
  double regularisation = 0;       // Σ Ω_l(W_l)
  std::vector<double> zeros;       // the share of zeros of W_l, where there are regularisers
  double dual_product = 0;         // ⟨u, r_L⟩, or ⟨u, z_L⟩
  double dual_norm = 0;            // ‖u‖²
  double dual_identity = 0;        // largest |∇R(z_L) + u|: zero after an exact z_L and the dual step
  double lagrangian = 0;
};

using SweepRecord = SweepRecordOf<UpdateRecord, Measures>;

}  // namespace dladmm
