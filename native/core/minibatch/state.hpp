// Mini-batch dlADMM: the subproblems of dlADMM on a batch, that of W_l with a running Gram matrix.
//
// The forward pass makes z and a feasible: z_l = W_l a_{l-1} + b_l, a_l = f(z_l), every residual is zero. The updates
// of a sweep then move targets backward, by quadratic steps of length 1, and W_l towards them. What is kept of a target
// is its distance, D = z − target (a − target):
//
//     z_L  D_L = ∇R(z_L)
//     a_l  D = D_{l+1} W_{l+1}                              batch x n_l
//     z_l  D_l = D ∘ f'(z_l)
//     W_l  A_l <- βA_l + (1 − β) ãᵀ_{l-1} S ã_{l-1} / B     where it is due
//          V_l <- μV_l + S_l,  S_l = (D_lᵀ ã_{l-1} / B + λ[W_l b_l]) (A_l + δ_l I)⁻¹
//          [W_l b_l] <- [W_l b_l] − η V_l / (1 − μᵏ)        (with Nesterov's look ahead, − η (S_l + μV_l) / (1 − μᵏ⁺¹))
//
// S = diag(s) has what the samples of the batch count for, as ∇R(z_L) has: a sample of weight s is the sample s times.
//
// S_l is what lies between [W_l b_l] and the minimiser of ½‖target_l − W_l a_{l-1} − b_l‖²/B + (λ/2)‖[W_l b_l]‖² +
// (δ_l/2)‖[W_l b_l] − its old value‖², with A_l in place of the batch's own Gram matrix.
//
// Schedule-free (A. Defazio et al., NeurIPS 2024; schedule_free.hpp) the batch is taken at [W_l b_l] = (1 − μ) Z_l + μ
// X_l, Z_l <- Z_l − η S_l has no momentum, so that t = η, and the network is the average X_l of all Z_l.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/order.hpp"
#include "core/gradient/own_part.hpp"
#include "core/gradient/schedule_free.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/minibatch/running_gram.hpp"
#include "core/minibatch/setup.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

template <typename T>
class MinibatchState : public SampleState<MinibatchState<T>, T, MinibatchSetup> {
  using Base = SampleState<MinibatchState<T>, T, MinibatchSetup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that a run needs. Throws std::bad_alloc, std::length_error, std::invalid_argument (the sweep).
  explicit MinibatchState(const MinibatchSetup& setup);

  using Base::weights;
  // Row-major copies of W_l and b_l, l = 1 … L, and their replacement.
  [[nodiscard]] std::size_t size_of(ParameterBlock block, std::size_t l) const {
    return setup_.network.outputs(l) * (block == ParameterBlock::W ? setup_.network.inputs(l) : 1);
  }

  void read(ParameterBlock block, std::size_t l, std::span<T> out) const;
  void write(ParameterBlock block, std::size_t l, std::span<const T> values);

  // D_l of the last batch, in the first of its rows.
  [[nodiscard]] MatrixView<const T> target_distance(std::size_t l) const { return of(l).distance.view(); }
  [[nodiscard]] const RunningGram<T>& gram(std::size_t l) const { return *of(l).gram; }

  // `count` batches (the record's steps) from where the last run ended, an epoch beginning with a shuffle. steps: one η
  // for all, or one a batch; stops between two batches when `stop` is set. After something that is not finite the
  // parameters are those that the run began with, and the rest is as new.
  void run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& asked, StepsRecord& record);

  // As new but for the parameters.
  void reset();

  void visit(std::size_t first, std::size_t count) { epochs_.visit(first, count); }

  // Parameters, V_l, what is known of A_l, and the place in the epoch (section.hpp).
  [[nodiscard]] std::vector<Section> sections();

  void restored();

 private:
  using Op = blas::Op;

  // What a member works on at once, a gradient and a direction, stays in its second-level cache.
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 20;
  static constexpr int kSplitSteps = 4;
  // What is added to every eigenvalue of P_l, which is 0 where the model has no doubt.
  static constexpr double kLeastDoubt = 1e-12;

  using Base::depth, Base::targets;
  using Base::setup_, Base::sparse_, Base::team_, Base::weights_, Base::x_;

  MinibatchState(const MinibatchSetup& setup, Shell) : Base(setup), layers_(depth()), scratch_(team_.size()) {}

  void declare(StoragePlan& plan);

  // How (A_l + δ_l I)⁻¹ meets its product: with the gradient, or with ã_{l-1}, by a product of its own or by rows
  // below.
  enum class Side { gradient, input, below };
  struct Layer {
    std::size_t first = 0;  // of [W_l b_l] in a vector of all parameters
    Side side = Side::gradient;
    std::size_t below = 0;  // rows of ã_{l-1} and D_l besides those of a batch
    Strips chunks;          // rows of [W_l b_l] that are updated at once
    std::vector<T> b;       // b_l once more, without gaps
    Matrix<T> input;        // ã_{l-1}, (batch + below) x (n_{l-1} + 1), the last column one, unless that is sparse
    Matrix<T> z;            // z_L; of a hidden layer only where f' cannot be told from a_l
    Matrix<T> distance;     // D_l, (batch + below) x n_l
    std::optional<RunningGram<T>> gram, outer;  // A_l and P_l
    bool regularised = false;
    double dual_weight = 0;  // s/t that Y is scaled by
  };
  // What one member works with.
  struct Scratch {
    Buffer<T> gradient, direction;  // of a few rows of [W_l b_l]
    Buffer<T> product;              // for a product with (A_l + δ_l I)⁻¹
    std::vector<double> work;       // for losses
  };

  // Whether no step may foretell more than a share of what the loss is above its least.
  [[nodiscard]] bool is_bounded() const { return setup_.polyak > 0; }
  // Whether all of S_l is found before any of it is taken.
  [[nodiscard]] bool is_held() const { return setup_.output.used || is_bounded(); }

  [[nodiscard]] std::size_t weighed_room() const;
  // What these samples count for.
  [[nodiscard]] BatchWeights weights_of(std::span<const std::uint32_t> samples) const {
    const bool alike =
        weights_.empty() || std::ranges::all_of(samples, [this](std::uint32_t i) { return weights_[i] == 1; });
    return alike ? BatchWeights() : BatchWeights{weights_, samples};
  }

  [[nodiscard]] bool shared() const { return setup_.share.ranks != nullptr; }
  [[nodiscard]] bool is_sparse(std::size_t l) const { return l == 1 && Base::is_sparse(); }
  [[nodiscard]] Layer& of(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] const Layer& of(std::size_t l) const { return layers_[l - 1]; }

  [[nodiscard]] const std::vector<LayerParameters<T>>& parameters() const { return views_; }
  [[nodiscard]] MatrixView<T> parameters(std::size_t l) const {
    return {parameters_.data() + of(l).first, setup_.network.outputs(l), setup_.network.inputs(l) + 1};
  }

  [[nodiscard]] MatrixView<T> weights(std::size_t l) const {
    const MatrixView<T> both = parameters(l);
    return {both.data, both.rows, both.columns - 1, both.stride};
  }

  [[nodiscard]] MatrixView<T> biases(std::size_t l) const {
    const MatrixView<T> both = parameters(l);
    return {both.data + both.columns - 1, both.rows, 1, both.stride};
  }

  // ã_{l-1} of a batch; of a sparse one its size alone, as sparse_batch_ has its entries.
  [[nodiscard]] MatrixView<T> input_of(std::size_t l, std::size_t count) const {
    if (is_sparse(l)) return {nullptr, count, setup_.network.inputs(l) + 1};
    return of(l).input.view().rows_from(0, count);
  }

  [[nodiscard]] MatrixView<T> activations(std::size_t l, std::size_t count) const {
    return window(of(l + 1).input.view(), {0, count}, {0, setup_.network.outputs(l)});
  }

  [[nodiscard]] MatrixView<T> pre_activations(std::size_t l, std::size_t count) const {
    return of(l).z.empty() ? activations(l, count) : of(l).z.view().rows_from(0, count);
  }

  void copy_biases() {
    for (std::size_t l = 1; l <= depth(); ++l) copy_biases(l, {0, setup_.network.outputs(l)});
  }
  void copy_biases(std::size_t l, Rows rows) {
    const MatrixView<T> both = parameters(l);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) of(l).b[i] = both.row(i)[both.columns - 1];
  }

  [[nodiscard]] bool run_batch(std::span<const std::uint32_t> batch, double step, double& loss);
  [[nodiscard]] bool take_in_batch(std::span<const std::uint32_t> samples, std::size_t batch);
  [[nodiscard]] bool take_in_drawn(std::span<const std::uint32_t> samples, std::size_t batch);

  // π_l δ_l is no less than λ, what Ω curves by.
  void raise_outer(std::size_t l) {
    const double delta = of(l).gram->damping();
    of(l).outer->raise(delta > 0 ? setup_.gram.l2 / delta : 0);
  }

  void draw_output(std::span<const std::uint32_t> samples, MatrixView<T> out);
  void forward(std::span<const std::uint32_t> samples);

  // R summed over a batch, what that is not below, and what its samples count for together.
  struct BatchLoss {
    double loss = 0, least = 0, weight = 0;

    BatchLoss& operator+=(const BatchLoss& more) {
      loss += more.loss;
      least += more.least;
      weight += more.weight;
      return *this;
    }
  };
  BatchLoss update_output_z(std::span<const std::uint32_t> samples);

  // a_l: D = D_{l+1} W_{l+1}; and with it z_l.
  void update_a(std::size_t l, std::size_t count, bool and_z) {
    carry_back(l, count, of(l + 1).distance.view().rows_from(0, count), of(l).distance.view().rows_from(0, count),
               and_z);
  }

  void carry_back(std::size_t l, std::size_t count, MatrixView<const T> from, MatrixView<T> to, bool and_z);
  void update_z(std::size_t l, std::size_t count);
  [[nodiscard]] bool update_W(std::size_t l, std::size_t count, std::size_t all, const Step& step);

  // M R and Uᵀ∇ of a chunk, q x (n_{l-1} + 1) each; the first of both are the sums in the end.
  [[nodiscard]] MatrixView<T> seen(std::size_t l, std::size_t chunk, std::size_t which) const {
    const std::size_t q = of(l).outer->rank(), columns = setup_.network.inputs(l) + 1;
    return {seen_.data() + (2 * chunk + which) * q * columns, q, columns};
  }
  [[nodiscard]] MatrixView<T> turned(std::size_t l, Rows rows) const {
    const std::size_t columns = setup_.network.inputs(l) + 1;
    return {turned_.data() + rows.first * columns, rows.count, columns};
  }

  void turn_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk);
  void hold_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk, std::size_t count,
                 std::size_t all);
  [[nodiscard]] double share_of(double slope, double t) const;
  [[nodiscard]] bool step_W(std::size_t l, const Step& step, double& within);
  [[nodiscard]] bool split_W(std::size_t l, double t);
  void sum_rows(std::size_t l, MatrixView<T> input, Rows out, std::size_t count, std::size_t all,
                MatrixView<T> gradient);
  [[nodiscard]] bool update_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, Rows out, const Step& step);

  // t: how far a step goes of S_l in the end.
  [[nodiscard]] double reach(const Step& step) const {
    return setup_.schedule_free ? step.rate : step.rate / (1 - setup_.momentum);
  }

  // V_l began with 0, and has seen few S_l so far: as Adam's momentum does, it counts for as many as it will have.
  [[nodiscard]] Step corrected(Step step) const {
    if (setup_.bias_correction)
      step.rate /= 1 - std::pow(setup_.momentum, static_cast<double>(step.number + (setup_.nesterov ? 1 : 0)));
    return step;
  }

  // All parameters, Z and, between two runs, where the next batch is taken.
  [[nodiscard]] Averaging<T> averaging() const {
    const auto all = [&](T* at) { return MatrixView<T>(at, 1, parameters_.size()); };
    return {all(parameters_.data()), all(velocity_.data()), all(velocity_.data() + parameters_.size())};
  }

  [[nodiscard]] bool move_rows(std::size_t l, MatrixView<const T> direction, Rows out, const Step& step);

  [[nodiscard]] static bool average_rows(const AveragedStep<T>& go, const Slice<T>& all) {
    return entrywise::all_finite<T>(
        [=](T& y, T& z, T s) DLADMM_INLINE {
          go(y, z, s);
          return y;
        },
        all.parameters(), all.kept(), all.gradient());
  }

  Buffer<T> parameters_;               // [W_1 b_1], [W_2 b_2], …
  FiniteCopy<T> finite_;               // as the run began
  Buffer<T> velocity_;                 // V_1, V_2, …, or Z_1, Z_2, … and where the next batch is taken
  Buffer<T> dual_;                     // Y_1, Y_2, …, where there are regularisers
  Buffer<T> old_, solved_, proximal_;  // of one layer: V, [W b] and V as they are split
  SpectralRoom spectral_;
  std::vector<Layer> layers_;
  Csr<T> sparse_batch_;             // ã_0 of a batch, where the features are sparse
  Buffer<T> gradient_;              // of all ranks, [W_1 b_1], …
  Buffer<T> prepared_;              // ã_{l-1} (A_l + δ_l I)⁻¹
  Buffer<T> images_;                // ã_{l-1} U, batch x r
  Buffer<T> weighed_;               // √S ã_{l-1}, where samples weigh and A_l is whole
  std::array<Buffer<T>, 2> drawn_;  // v_l and v_{l-1}
  Buffer<T> turned_;                // R or S_l, then ν_l S_l
  Buffer<T> seen_;                  // M R and Uᵀ∇ of every chunk
  std::vector<double> squares_;     // ⟨R, ∇⟩ or ⟨S, ∇⟩ of every chunk
  double mean_excess_ = 0;          // R of the batch, over what it can be at least
  PieceSums<T> sums_;
  std::vector<Scratch> scratch_;
  std::vector<LayerParameters<T>> views_;
  Epochs epochs_;
  OwnPart own_;
  std::uint64_t step_number_ = 0;
  double averaged_ = 0;            // Σ η², as an average has it
  std::uint64_t taken_in_ = 0;     // batches that the Gram matrices have seen
  std::uint64_t since_taken_ = 0;  // batches since the last of them
};

}  // namespace dladmm
