// The vocabulary of the graph splitting: what an update is, and what a sweep reports.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/splitting/output_layer.hpp"
#include "core/splitting/search.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

// The blocks of variables: weights, the outputs of a layer after its activation, the dual variable.
enum class GraphBlock : std::uint8_t { W, Z, U };

// Minimise over one block of layer l = 1 … L, the rest held fixed; `U`, the dual step, has l = L.
struct GraphUpdate {
  GraphBlock block;
  std::size_t layer;
};

// How W_L is minimised over: by a quadratic step, or exactly, through a Cholesky factor.
enum class OutputWeights : std::uint8_t { quadratic, cholesky };

// Everything that may change from sweep to sweep.
struct GraphPenalties {
  double nu = 1;           // Z_l = f(Ã Z_{l-1} W_l) of the hidden layers
  double rho = 1;          // the output constraint
  std::vector<double> l2;  // λ_l of Ω_l(W) = (λ_l/2)‖W‖², one a layer
  // `exact`: W_L and Z_{L-1}, whose subproblems are quadratic, take the smallest size that passes; the others begin at
  // the last size accepted over growth. `backtracking`: all begin at theta0 (tau0).
  StepSearch search = StepSearch::exact;
  double theta0 = 1;  // first size tried for W
  double tau0 = 1;    // first size tried for Z
  double growth = 2;
};

// What one update did.
struct GraphUpdateRecord {
  double size = kNone;          // accepted θ (W) or τ (Z); where none was, the last one tried
  double kappa = kNone;         // the smallest size that passes, where the subproblem is quadratic
  double step_norm = kNone;     // ‖Δ‖² of the block, for W and Z_l, l < L
  int trials = kNoCount;        // sizes tried
  bool kept = false;            // no size passed: the block is what it was
  int steps = kNoCount;         // Newton steps (the most of any node), for Z_L
  double stationarity = kNone;  // Z_L: largest |∇R(Z) + U + ρ(Z − P)|
  double ridge = kNone;         // ε that the exact W_L added to the diagonal
  double seconds = 0;
};

// What the variables miss by, and the augmented Lagrangian.
struct GraphMeasures {
  std::vector<double> residual;  // ‖Z_l − f(P_l)‖², l = 1 … L, without f for l = L
  OutputMeasures output;         // R(Z_L) summed over the training nodes; what U and the output constraint come to
  double regularisation = 0;     // Σ Ω_l(W_l)
  double lagrangian = 0;
};

using GraphSweepRecord = SweepRecordOf<GraphUpdateRecord, GraphMeasures>;

}  // namespace dladmm
