// What mini-batch dlADMM is asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/functions/proximal.hpp"
#include "core/gradient/network.hpp"
#include "core/gradient/own_part.hpp"
#include "core/minibatch/running_gram.hpp"

namespace dladmm {

// One update of a sweep: W_l (with b_l), or the target of z_l or a_l.
enum class BatchBlock : std::uint8_t { W, z, a };
struct BatchUpdate {
  BatchBlock block;
  std::size_t layer;
};

// The metric on the side of the multipliers.
struct OutputMetric {
  bool used = false;
  double damping = 1;  // π_l in mean eigenvalues of P_l
  double trust = 0;    // κ
};

struct MinibatchSetup {
  Network network;
  std::size_t samples = 0;
  std::size_t batch = 0;  // 1 … samples; the last batch of an epoch has what is left
  unsigned threads = 1;
  bool shuffle = true;  // a new order every epoch
  std::uint32_t seed = 0;
  GramSettings gram;
  OutputMetric output;            // not with regularisers
  std::uint64_t gram_every = 10;  // k: the m-th batch is taken in min(k, m − 1) batches after the one before
  double momentum = 0.9;          // μ
  bool nesterov = true;
  bool bias_correction = true;  // of V_l, which begins with 0
  double polyak = 0;            // c_R, 0 for steps without a bound
  bool schedule_free = false;   // with μ above 0, and not with regularisers
  // Begins with z_L; each update at most once, and after those whose outcome it needs.
  std::vector<BatchUpdate> sweep;
  std::vector<Regulariser> regularisers;  // Ω_l of every layer; none where empty
  // Whether the features are sparse, and how many entries they have.
  bool sparse = false;
  std::size_t entries = 0;
  bool weighted = false;  // whether samples are known to weigh
  // Of the samples, where others have the rest: batches are of all, and so are what is summed over them. Not of sparse
  // features.
  Share share;

  [[nodiscard]] std::size_t all_samples() const { return share.all(samples); }
};

// Whether a sweep is one that can run in a network of `layers` layers.
[[nodiscard]] inline bool is_batch_sweep(std::span<const BatchUpdate> sweep, std::size_t layers) {
  if (sweep.empty() || sweep[0].block != BatchBlock::z || sweep[0].layer != layers) return false;
  std::vector<bool> z(layers + 2, false);
  std::vector<bool> a(layers + 2, false);
  std::vector<bool> W(layers + 2, false);
  for (const BatchUpdate& update : sweep) {
    const std::size_t l = update.layer;
    if (l < 1 || l > layers) return false;
    const bool is_z = update.block == BatchBlock::z;
    std::vector<bool>& done = is_z ? z : update.block == BatchBlock::a ? a : W;
    const bool ready = is_z ? l == layers || a[l] : update.block == BatchBlock::a ? l < layers && z[l + 1] : z[l];
    if (done[l] || !ready) return false;
    done[l] = true;
  }
  return true;
}

}  // namespace dladmm
