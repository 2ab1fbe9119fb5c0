// Mini-batch dlADMM: the subproblems of dlADMM on a batch, that of W_l with a running Gram matrix.
//
// The forward pass makes z and a feasible: z_l = W_l a_{l-1} + b_l, a_l = f(z_l), every residual is zero. The updates
// of a sweep then move targets backward, by quadratic steps of length 1, and W_l towards them. What is kept of a target
// is its distance, D = z − target (a − target):
//
//     z_L  D_L = ∇R(z_L)
//     a_l  D = D_{l+1} W_{l+1}                              batch x n_l
//     z_l  D_l = D ∘ f'(z_l)
//     W_l  A_l <- βA_l + (1 − β) ãᵀ_{l-1} ã_{l-1} / B       where it is due
//          V_l <- μV_l + S_l,  S_l = (D_lᵀ ã_{l-1} / B + λ[W_l b_l]) (A_l + δ_l I)⁻¹
//          [W_l b_l] <- [W_l b_l] − η V_l                   (with Nesterov's look ahead, − η (S_l + μV_l))
//
// S_l is what lies between [W_l b_l] and the minimiser of ½‖target_l − W_l a_{l-1} − b_l‖²/B + (λ/2)‖[W_l b_l]‖² +
// (δ_l/2)‖[W_l b_l] − its old value‖², with A_l in place of the batch's own Gram matrix.
//
// A batch costs the products of a gradient method, 2B(3 Σ n_{l-1} n_l − n_0 n_1) flops, and S_l on top. (A_l + δ_l I)⁻¹
// meets D_lᵀ ã_{l-1}, row by row (running_gram.hpp says what a row costs), or ã_{l-1} where that has fewer rows. There
// the low-rank form needs no product of its own: with Y = ã U
//
//     D_lᵀ ã (A_l + δ_l I)⁻¹ ≈ (D_lᵀ ã − (D_lᵀ Y) M) / δ_l
//
// is one product, of D_l with −YᵀD_l below it and of ã with M below it: r rows more than the batch has.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/minibatch/running_gram.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

// One update of a sweep: W_l (with b_l), or the target of z_l or a_l.
enum class BatchBlock : std::uint8_t { W, z, a };
struct BatchUpdate {
  BatchBlock block;
  std::size_t layer;
};

struct MinibatchSetup {
  Network network;
  std::size_t samples = 0;
  std::size_t batch = 0;  // 1 … samples; the last batch of an epoch has what is left
  unsigned threads = 1;
  bool shuffle = true;  // a new order every epoch
  std::uint32_t seed = 0;
  GramSettings gram;
  std::uint64_t gram_every = 10;  // k: the m-th batch is taken in min(k, m − 1) batches after the one before
  double momentum = 0.9;          // μ
  bool nesterov = true;
  // Begins with z_L; each update at most once, and after those whose outcome it needs.
  std::vector<BatchUpdate> sweep;
};

// Whether a sweep is one that can run in a network of `layers` layers.
[[nodiscard]] bool is_batch_sweep(std::span<const BatchUpdate> sweep, std::size_t layers);

template <typename T>
class MinibatchState {
 public:
  // Allocates everything that a run needs. Throws std::bad_alloc, std::length_error, std::invalid_argument (the sweep).
  explicit MinibatchState(const MinibatchSetup& setup);
  MinibatchState(const MinibatchState&) = delete;
  MinibatchState& operator=(const MinibatchState&) = delete;
  [[nodiscard]] static double required_bytes(const MinibatchSetup& setup);

  [[nodiscard]] const MinibatchSetup& setup() const { return setup_; }
  [[nodiscard]] MatrixView<T> input() { return x_.view(); }
  [[nodiscard]] std::span<std::int32_t> labels() { return labels_; }
  [[nodiscard]] MatrixView<T> target_values() { return target_values_.view(); }

  // Row-major copies of W_l and b_l, l = 1 … L, and their replacement. Sizes are those of the blocks.
  void read_weights(std::size_t l, std::span<T> out) const;
  void read_biases(std::size_t l, std::span<T> out) const;
  void write_weights(std::size_t l, std::span<const T> values);
  void write_biases(std::size_t l, std::span<const T> values);

  // D_l of the last batch, in the first of its rows.
  [[nodiscard]] MatrixView<const T> target_distance(std::size_t l) const { return of(l).distance.view(); }
  [[nodiscard]] const RunningGram<T>& gram(std::size_t l) const { return *of(l).gram; }

  // `count` batches (the record's steps) from where the last run ended, an epoch beginning with a shuffle. steps: one η
  // for all, or one a batch; stops between two batches when `stop` is set. After something that is not finite the
  // parameters are those that the run began with, and the rest is as new.
  void run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& stop, StepsRecord& record);

  // As new but for the parameters.
  void reset();

  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);
  ForwardLoss evaluate_training() { return evaluate(x_.view(), targets()); }

  [[nodiscard]] std::size_t batches_an_epoch() const { return epochs_.batches(); }

  // Parameters, V_l, what is known of A_l, and the place in the epoch (section.hpp).
  [[nodiscard]] std::vector<Section> sections();
  void restored();

 private:
  struct Shell {};
  // Declares what is to be held, and holds nothing.
  MinibatchState(const MinibatchSetup& setup, Shell);

  // How (A_l + δ_l I)⁻¹ meets its product: with the gradient, or with ã_{l-1}, by a product of its own or by rows
  // below.
  enum class Side { gradient, input, below };
  struct Layer {
    std::size_t first = 0;  // of [W_l b_l] in a vector of all parameters
    Side side = Side::gradient;
    std::size_t below = 0;  // rows of ã_{l-1} and D_l besides those of a batch
    Strips chunks;          // rows of [W_l b_l] that are updated at once
    std::vector<T> b;       // b_l once more, without gaps
    Matrix<T> input;        // ã_{l-1}, (batch + below) x (n_{l-1} + 1), the last column one
    Matrix<T> z;            // z_L; of a hidden layer only where f' cannot be told from a_l
    Matrix<T> distance;     // D_l, (batch + below) x n_l
    std::optional<RunningGram<T>> gram;
  };
  // What one member works with.
  struct Scratch {
    Buffer<T> gradient, direction;  // of a few rows of [W_l b_l]
    Buffer<T> product;              // for a product with (A_l + δ_l I)⁻¹
    std::vector<double> work;       // for losses
  };

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] Layer& of(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] const Layer& of(std::size_t l) const { return layers_[l - 1]; }
  [[nodiscard]] MatrixView<T> parameters(std::size_t l) const;  // [W_l b_l]
  [[nodiscard]] MatrixView<T> weights(std::size_t l) const;
  [[nodiscard]] Targets<T> targets() const { return {labels_, target_values_.view()}; }
  [[nodiscard]] MatrixView<T> activations(std::size_t l, std::size_t count) const;      // a_l
  [[nodiscard]] MatrixView<T> pre_activations(std::size_t l, std::size_t count) const;  // z_l, or a_l in its place
  void copy_biases(std::size_t l, Rows rows);

  [[nodiscard]] bool run_batch(std::span<const std::uint32_t> samples, double step, double& loss);
  [[nodiscard]] bool take_in_inputs(std::size_t count);
  void forward(std::span<const std::uint32_t> samples);
  double update_output_z(std::span<const std::uint32_t> samples);
  void update_a(std::size_t l, std::size_t count, bool and_z);
  void update_z(std::size_t l, std::size_t count);
  [[nodiscard]] bool update_W(std::size_t l, std::size_t count, const Step& step);
  [[nodiscard]] bool update_rows(Scratch& scratch, std::size_t l, MatrixView<T> input, Rows out, std::size_t count,
                                 const Step& step);

  MinibatchSetup setup_;
  Team team_;
  StoragePlan plan_;
  Matrix<T> x_;
  std::vector<std::int32_t> labels_;
  Matrix<T> target_values_;
  Buffer<T> parameters_;  // [W_1 b_1], [W_2 b_2], …
  FiniteCopy<T> finite_;  // as the run began
  Buffer<T> velocity_;    // V_1, V_2, …
  std::vector<Layer> layers_;
  Buffer<T> prepared_;  // ã_{l-1} (A_l + δ_l I)⁻¹
  Buffer<T> y_;         // ã_{l-1} U, batch x r
  PieceSums<T> sums_;
  std::vector<Scratch> scratch_;
  std::vector<Workspace<T>> spaces_;  // for evaluation
  std::vector<LayerParameters<T>> views_;
  Epochs epochs_;
  std::uint64_t step_number_ = 0;
  std::uint64_t taken_in_ = 0;     // batches that the Gram matrices have seen
  std::uint64_t since_taken_ = 0;  // batches since the last of them
};

}  // namespace dladmm
