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
#include <span>
#include <vector>

#include "core/gradient/backward.hpp"
#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/section.hpp"
#include "core/minibatch/running_gram.hpp"
#include "core/parallel/samples.hpp"
#include "core/parallel/team.hpp"

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

// What a run of batches did.
struct BatchesRecord {
  std::size_t batches = 0;  // that ran to their end
  std::size_t samples = 0;  // that they saw
  double loss = 0;          // R summed over those, each at the parameters its batch began with
  bool stopped = false;     // the stop request came between two batches
  bool diverged = false;    // the batch after these met a loss, a Gram matrix or a parameter that is not finite
  double seconds = 0;
};

template <typename T>
class MinibatchState {
 public:
  // Allocates everything that a run needs. Throws std::bad_alloc, std::length_error, std::invalid_argument (the sweep).
  explicit MinibatchState(const MinibatchSetup& setup);
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
  [[nodiscard]] MatrixView<const T> target_distance(std::size_t l) const { return distance_[l - 1].view(); }
  [[nodiscard]] const RunningGram<T>& gram(std::size_t l) const { return grams_[l - 1]; }

  // `count` batches from where the last run ended, an epoch beginning with a shuffle. steps: one η for all, or one a
  // batch; stops between two batches when `stop` is set. After something that is not finite the parameters are those
  // that the run began with, and the rest is as new.
  void run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& stop, BatchesRecord& record);

  // As new but for the parameters.
  void reset();

  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);
  ForwardLoss evaluate_training() { return evaluate(x_.view(), targets()); }

  [[nodiscard]] std::size_t batches_an_epoch() const { return (setup_.samples + setup_.batch - 1) / setup_.batch; }

  // Parameters, V_l, what is known of A_l, and the place in the epoch (section.hpp).
  [[nodiscard]] std::vector<Section> sections();
  void restored();

 private:
  // What one member works with.
  struct alignas(64) Member {
    Buffer<T> gradient, direction;  // of a few rows of [W_l b_l]
    Matrix<T> scratch;              // for a product with (A_l + δ_l I)⁻¹
    std::vector<double> work;       // for losses
    double loss = 0;
    bool finite = true;
  };

  [[nodiscard]] std::size_t columns_of(std::size_t l) const { return setup_.network.inputs(l) + 1; }
  [[nodiscard]] MatrixView<T> matrix_of(const Buffer<T>& vector, std::size_t l) const;
  [[nodiscard]] MatrixView<T> weights(std::size_t l) const;
  [[nodiscard]] std::span<T> biases(std::size_t l) const;
  [[nodiscard]] MatrixView<T> inputs_of(std::size_t l, Rows rows) const;
  [[nodiscard]] MatrixView<T> pre_activations(std::size_t l, Rows rows) const;
  [[nodiscard]] Targets<T> targets() const { return {labels_, target_values_.view()}; }
  // How the inverse of layer l meets its product.
  enum class Side { gradient, input, below };
  [[nodiscard]] Side side_of(std::size_t l) const;
  void copy_biases(std::size_t l, Rows rows);

  [[nodiscard]] bool run_batch(Rows batch, double step, double& loss);
  [[nodiscard]] bool take_in_inputs(std::size_t count);
  void forward(std::span<const std::uint32_t> samples, Rows rows);
  void move_target(Member& member, BatchUpdate update, std::span<const std::uint32_t> samples, Rows rows);
  [[nodiscard]] bool update_W(std::size_t l, std::size_t count, const Step& step);
  void update_rows(Member& member, std::size_t l, MatrixView<T> input, Rows out, std::size_t count, const Step& step);

  MinibatchSetup setup_;
  std::vector<std::size_t> first_weight_;  // of layer l in a vector of all parameters
  std::vector<std::size_t> first_bias_;    // of layer l in biases_
  std::vector<std::size_t> chunk_rows_;    // rows of [W_l b_l] that are updated at once

  Team team_;
  Matrix<T> x_;
  std::vector<std::int32_t> labels_;
  Matrix<T> target_values_;
  Buffer<T> parameters_;  // [W_1 b_1], [W_2 b_2], …
  Buffer<T> finite_;      // as the run began
  Buffer<T> velocity_;    // V_1, V_2, …
  Buffer<T> biases_;      // b_1, b_2, … once more, without gaps
  // Of the batch at work.
  std::vector<Matrix<T>> a_;         // ã_0 … ã_{L-1}, (batch + r) x (n_l + 1), the last column one
  std::vector<Matrix<T>> z_;         // z_l of the hidden layers, only where f' cannot be told from a_l
  Matrix<T> outputs_;                // z_L
  std::vector<Matrix<T>> distance_;  // D_1 … D_L, (batch + r) x n_l
  Matrix<T> prepared_;               // ã_{l-1} (A_l + δ_l I)⁻¹
  Matrix<T> scratch_;                // batch x r
  std::vector<RunningGram<T>> grams_;
  SampleSums<T> sums_;
  std::vector<Member> members_;
  std::vector<Workspace<T>> spaces_;  // for evaluation
  std::vector<LayerParameters<T>> layers_;
  SampleOrder order_;
  std::uint64_t next_batch_ = 0;
  std::uint64_t step_number_ = 0;
  std::uint64_t taken_in_ = 0;     // batches that the Gram matrices have seen
  std::uint64_t since_taken_ = 0;  // batches since the last of them
};

}  // namespace dladmm
