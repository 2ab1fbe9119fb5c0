// The vocabulary of the splitting with matrix penalties: what an update is, and what a sweep reports.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/gradient/network.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm::metric {

// W_l carries b_l as one column more, which meets a column of ones in a_{l-1}; `b` names that column for those who read
// or write it. `velocity` and `target` (z_l − P_l⁻¹ u_l) can be read and are no updates.
enum class Block : std::uint8_t { W, b, z, a, u, P, G, velocity, target };

// Minimise over one block of layer l = 1 … L, the rest held fixed; of u the step that makes ∂L/∂z_l zero; P and G are
// found for the next step.
struct Update {
  Block block;
  std::size_t layer;
};

struct Setup {
  Network network;
  std::size_t samples = 0;
  unsigned threads = 1;
  std::uint32_t seed = 0;  // of the labels that the model draws
};

// Everything that may change from sweep to sweep.
struct Penalties {
  double damping = 0;         // c: G_l has c times its mean eigenvalue added
  double output_damping = 0;  // c_P, the same of P_l
  double rate = 0;            // s
  double momentum = 0;        // m
  double l2 = 0;              // λ of (λ/2) Σ ‖[W_l b_l]‖²
};

struct UpdateRecord {
  double slope = kNone;      // ⟨∂F/∂[W_l b_l], Δ_l⟩
  double step_norm = kNone;  // ‖V_l‖²
  double seconds = 0;
};

// Of the point that is kept; the last five are of the sweep.
struct Measures {
  double loss = 0;            // R, summed over the samples
  double regularisation = 0;  // (λ/2) Σ ‖[W_l b_l]‖²
  double objective = kNone;   // F: the mean of R, and the regularisation
  double kkt = kNone;         // ‖∇F‖²
  double tried = kNone;       // F where the step led
  double slope = kNone;       // ⟨∇F, Δ⟩
  double expected = kNone;    // ⟨∇F, V⟩, by which F would change if it were linear
  double reduction = kNone;   // the change of F over the expected one
  bool kept = true;           // whether F did not rise: otherwise the step was taken back
};

using SweepRecord = SweepRecordOf<UpdateRecord, Measures>;

}  // namespace dladmm::metric
