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
// A batch costs the products of a gradient method, 2B(3 Σ n_{l-1} n_l − n_0 n_1) flops, and S_l on top. (A_l + δ_l I)⁻¹
// meets D_lᵀ ã_{l-1}, row by row (running_gram.hpp says what a row costs), or ã_{l-1} where that has fewer rows. There
// the low-rank form needs no product of its own: with Y = ã U
//
//     D_lᵀ ã (A_l + δ_l I)⁻¹ ≈ (D_lᵀ ã − (D_lᵀ Y) M) / δ_l
//
// is one product, of D_l with −YᵀD_l below it and of ã with M below it: r rows more than the batch has.
//
// S_l is shortened where it would be longer than Polyak's rule has it (N. Loizou et al., AISTATS 2021, with a layer's
// share of the loss): by its gradient alone no step takes the batch's loss R below (1 − c_R) R,
//
//     S_l <- ν_l S_l,   ν_l = min(1, c_R R / (L t ⟨S_l, ∇_l⟩))
//
// where R counts from the least that it can be: 0, and of poisson what eᶻ = y makes it. ⟨S_l, ∇_l⟩ is found chunk by
// chunk, from S_l alone where ∇_l never stands anywhere: ⟨S, ∇⟩ = ⟨S, S (A_l + δ_l I)⟩ = δ_l ‖S‖² + ⟨S U H, S U⟩.
//
// With Ω_l the step ends at the minimiser of Ω_l(W) + ‖[W b] − W̃‖²_M / (2t) for W̃ where it led, M = A_l + δ_l I and t =
// η/(1 − μ), as of a gradient that stays momentum makes so many times itself. It is split, W = V, with the weight s/t:
//
//     [W b] <- W̃ + s (V − Y − W̃) (M + sI)⁻¹,   V <- prox_{Ωt/s}(W + Y),   Y <- Y + W − V
//
// a few times; V, whose zeros and bounds are exact, is what the layer gets, and Y is kept from batch to batch.
//
// With a metric on the side of the multipliers too (K-FAC's second factor: J. Martens, R. Grosse, ICML 2015) P_l is to
// D_l what A_l is to ã_{l-1}, of multipliers v_l for labels that the model draws itself (draw.hpp), in low rank:
//
//     P_l <- βP_l + (1 − β) v_lᵀ v_l / B                    with A_l
//     S_l = ν_l (P_l + π_l I)⁻¹ ∇_l (A_l + δ_l I)⁻¹,        ∇_l = D_lᵀ ã_{l-1} / B + λ[W_l b_l]
//     ν_l = min(1, √(κ / (L t² ⟨S_l, ∇_l⟩)))                a trust region: t²⟨S_l, ∇_l⟩ is at most κ/L
//
// t²⟨S, ∇⟩ is twice the Kullback–Leibler divergence by which a step t S changes what the model says, as far as the
// metric tells; t = η/(1 − μ), as momentum makes a step of it that many times over. With R = ∇_l (A_l + δ_l I)⁻¹ and
// (P_l + π_l I)⁻¹ ≈ (I − U M) / π_l
//
//     S = ν (R − U (M R)) / π,   ⟨S, ∇⟩ = ν (⟨R, ∇⟩ − ⟨M R, Uᵀ∇⟩) / π
//
// of which ⟨R, ∇⟩, M R and Uᵀ∇ are found chunk by chunk, while R and ∇ are in the cache.
//
// Schedule-free (A. Defazio et al., NeurIPS 2024; schedule_free.hpp) the batch is taken at [W_l b_l] = (1 − μ) Z_l + μ
// X_l, Z_l <- Z_l − η S_l has no momentum, so that t = η, and the network is the average X_l of all Z_l.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <numeric>
#include <optional>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/draw.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/order.hpp"
#include "core/gradient/own_part.hpp"
#include "core/gradient/schedule_free.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/minibatch/running_gram.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/sweep.hpp"

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

template <typename T>
class MinibatchState : public SampleState<MinibatchState<T>, T, MinibatchSetup> {
  using Base = SampleState<MinibatchState<T>, T, MinibatchSetup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that a run needs. Throws std::bad_alloc, std::length_error, std::invalid_argument (the sweep).
  explicit MinibatchState(const MinibatchSetup& setup) : MinibatchState(setup, Shell()) {
    const Network& net = setup_.network;
    if (!is_batch_sweep(setup_.sweep, net.layers())) throw std::invalid_argument("no sweep over batches");
    for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width + 1));
    static_cast<void>(blas::dimension(setup_.batch));
    this->allocate();
    std::ranges::fill(parameters_.span(), T(0));
    finite_.watch(parameters_.span());
    for (std::size_t l = 1; l <= depth(); ++l) {
      std::ranges::fill(of(l).distance.flat(), T(0));
      views_.push_back({MatrixView<const T>(weights(l)), of(l).b});
    }
    reset();
  }

  using Base::weights;
  // Row-major copies of W_l and b_l, l = 1 … L, and their replacement.
  [[nodiscard]] std::size_t size_of(ParameterBlock block, std::size_t l) const {
    return setup_.network.outputs(l) * (block == ParameterBlock::W ? setup_.network.inputs(l) : 1);
  }

  void read(ParameterBlock block, std::size_t l, std::span<T> out) const {
    const MatrixView<T> w = block == ParameterBlock::W ? weights(l) : biases(l);
    for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(w.row(i), w.columns, out.data() + i * w.columns);
  }

  void write(ParameterBlock block, std::size_t l, std::span<const T> values) {
    const MatrixView<T> w = block == ParameterBlock::W ? weights(l) : biases(l);
    for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(values.data() + i * w.columns, w.columns, w.row(i));
    copy_biases(l, {0, w.rows});
    if (setup_.schedule_free) averaging().begin();
  }

  // D_l of the last batch, in the first of its rows.
  [[nodiscard]] MatrixView<const T> target_distance(std::size_t l) const { return of(l).distance.view(); }
  [[nodiscard]] const RunningGram<T>& gram(std::size_t l) const { return *of(l).gram; }

  // `count` batches (the record's steps) from where the last run ended, an epoch beginning with a shuffle. steps: one η
  // for all, or one a batch; stops between two batches when `stop` is set. After something that is not finite the
  // parameters are those that the run began with, and the rest is as new.
  void run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& asked, StepsRecord& record) {
    this->need_all_rows();
    // A learner may be given weights with a later batch.
    if (!weights_.empty() && weighed_.size() < weighed_room()) weighed_ = Buffer<T>(weighed_room());
    const std::atomic<bool>& stop = this->heeded(asked);
    const AtWork here(stop);
    finite_.keep();
    if (setup_.schedule_free) {
      averaging().to_gradient_point();
      copy_biases();
    }
    const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) -> std::size_t {
      const std::span<const std::uint32_t> batch = epochs_.begin();
      if (!run_batch(batch, step_size(steps, i), loss)) return 0;
      epochs_.end();
      return batch.size();
    });
    if (setup_.schedule_free) {
      averaging().to_average(setup_.momentum);
      copy_biases();
    }
    if (finite) {
      record.weights = weight_measures<T>(team_, setup_.regularisers, views_, spectral_);
      return;
    }
    finite_.restore();
    copy_biases();
    reset();
  }

  // As new but for the parameters.
  void reset() {
    for (const std::span<T> kept : {velocity_.span(), dual_.span()}) std::ranges::fill(kept, T(0));
    if (setup_.schedule_free) averaging().begin();
    for (Layer& it : layers_) {
      it.gram->reset();
      if (it.outer) it.outer->reset();
    }
    epochs_.reset();
    step_number_ = 0;
    averaged_ = 0;
    taken_in_ = 0;
    since_taken_ = 0;
  }

  void visit(std::size_t first, std::size_t count) { epochs_.visit(first, count); }

  // Parameters, V_l, what is known of A_l, and the place in the epoch (section.hpp).
  [[nodiscard]] std::vector<Section> sections() {
    std::vector<Section> out;
    out.push_back(section("parameters", parameters_.span()));
    if (velocity_.size() > 0) out.push_back(section("velocity", velocity_.span()));
    if (setup_.schedule_free) out.push_back(section("averaged", averaged_));
    if (dual_.size() > 0) out.push_back(section("Y", dual_.span()));
    for (std::size_t l = 1; l <= depth() && dual_.size() > 0; ++l) {
      out.push_back(section(section_name("Y.weight", l), std::span(&of(l).dual_weight, 1)));
    }
    for (std::size_t l = 1; l <= depth(); ++l) {
      of(l).gram->add_sections("gram." + std::to_string(l), out);
      if (of(l).outer) of(l).outer->add_sections("outer." + std::to_string(l), out);
    }
    out.push_back(section("step", step_number_));
    out.push_back(section("gram.taken", taken_in_));
    out.push_back(section("gram.since", since_taken_));
    for (Section& it : epochs_.sections()) out.push_back(std::move(it));
    return out;
  }

  void restored() {
    bool legal = true;
    for (std::size_t l = 1; l <= depth(); ++l) {
      legal = of(l).gram->restored(team_) && legal;
      if (!of(l).outer) continue;
      raise_outer(l);
      legal = of(l).outer->restored(team_) && legal;
    }
    copy_biases();
    if (!legal) {
      reset();
      throw std::domain_error("a Gram matrix is none");
    }
    epochs_.restored();
  }

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

  void declare(StoragePlan& plan) {
    this->declare_samples(plan);
    const Network& net = setup_.network;
    const std::size_t batch = setup_.batch;
    std::size_t parameters = 0, chunk = 0, product = 0, prepared = 0, rank = 0, summed = 0, split = 0;
    std::size_t drawn = 0, turned = 0, seen = 0;
    for (std::size_t l = 1; l <= depth(); ++l) {
      Layer& it = of(l);
      const std::size_t columns = net.inputs(l) + 1, out = net.outputs(l), r = setup_.gram.rank_of(columns);
      if (out > (std::numeric_limits<std::size_t>::max() / sizeof(T) - parameters) / columns) throw std::bad_alloc();
      it.first = parameters;
      parameters += out * columns;
      // (A + δI)⁻¹ meets ã_{l-1} where that has fewer rows than D_lᵀ ã_{l-1} and would not become dense by it, and
      // λ[W_l b_l] does not have to meet it too. Ranks add up gradients.
      const bool by_input = setup_.gram.l2 == 0 && batch < out && !is_sparse(l) && !shared() && !setup_.output.used;
      it.side = !by_input ? Side::gradient : r == 0 ? Side::input : Side::below;
      it.below = it.side == Side::below ? r : 0;
      it.chunks =
          Strips::of_about(out, std::max<std::size_t>(kChunkBytes / ((by_input ? 1 : 2) * sizeof(T) * columns), 48));
      if (it.chunks.count() == 1 && product_flops(out, batch, columns) > 6e6)
        it.chunks = Strips::of_about(out, (out + 1) / 2);
      chunk = std::max(chunk, it.chunks.width * columns);
      it.regularised = !setup_.regularisers.empty() && !setup_.regularisers[l - 1].none();
      if (it.regularised) split = std::max(split, out * columns);
      if (it.side != Side::input || it.regularised) product = std::max(product, it.chunks.width * r);
      if (it.side == Side::input) prepared = std::max(prepared, batch * columns);
      rank = std::max(rank, r);
      summed = std::max(summed, RunningGram<T>::sums_room(batch, columns, setup_.gram));
      plan.vector(it.b, out);
      if (!is_sparse(l)) plan.matrix(it.input, batch + it.below, columns);
      plan.matrix(it.distance, batch + it.below, out);
      if (l == depth() || !net.activation.value_tells_derivative()) plan.matrix(it.z, batch, out);
      // Every layer a basis of its own.
      GramSettings gram = setup_.gram;
      gram.split = it.regularised;
      it.gram.emplace(columns, gram, setup_.seed + static_cast<std::uint32_t>(l)).declare(plan);
      if (is_held()) {
        turned = std::max(turned, out * columns);
        squares_.resize(std::max(squares_.size(), it.chunks.count()));
      }
      if (!setup_.output.used) continue;
      const GramSettings outer{GramForm::low_rank, setup_.gram.rank, setup_.gram.beta, setup_.output.damping,
                               kLeastDoubt};
      it.outer.emplace(out, outer, setup_.seed + static_cast<std::uint32_t>(depth() + l)).declare(plan);
      const std::size_t q = it.outer->rank();
      rank = std::max(rank, q);
      summed = std::max(summed, RunningGram<T>::sums_room(batch, out, outer));
      drawn = std::max(drawn, out);
      seen = std::max(seen, 2 * it.chunks.count() * q * columns);
    }
    for (Buffer<T>& each : drawn_) plan.buffer(each, batch, drawn);
    plan.buffer(turned_, turned);
    plan.buffer(seen_, seen);
    plan.buffer(parameters_, parameters);
    plan.buffer(finite_.room, parameters);
    if (setup_.momentum != 0) plan.buffer(velocity_, parameters * (setup_.schedule_free ? 2 : 1));
    if (split > 0) plan.buffer(dual_, parameters);
    for (Buffer<T>* const it : {&old_, &solved_, &proximal_}) plan.buffer(*it, split);
    if (std::ranges::any_of(setup_.regularisers, &Regulariser::spectral)) this->declare_spectral(plan, spectral_);
    plan.buffer(prepared_, prepared);
    plan.buffer(images_, batch, rank);
    if (setup_.weighted) plan.buffer(weighed_, weighed_room());
    plan.other(4 * static_cast<double>(setup_.all_samples()),
               [this] { epochs_ = Epochs(setup_.all_samples(), setup_.batch, setup_.shuffle, setup_.seed); });
    plan.made(own_, setup_.share, setup_.samples, batch, std::size_t{1});
    if (shared()) plan.buffer(gradient_, parameters);
    if (summed != 0) plan.made(sums_, SampleCut(batch), typename PieceSums<T>::Room{0, summed, 0});
    for (Scratch& it : scratch_) {
      plan.buffer(it.gradient, chunk);
      plan.buffer(it.direction, chunk);
      plan.buffer(it.product, product);
      plan.vector(it.work, loss_work(net.widths.back()));
    }
  }

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

  // Of the widest layer, as one is taken in after the other.
  [[nodiscard]] std::size_t weighed_room() const {
    std::size_t room = 0;
    for (std::size_t l = 1; l <= depth(); ++l) {
      if (is_sparse(l)) continue;
      room = std::max(room, RunningGram<T>::weighed_room(setup_.batch, setup_.network.inputs(l) + 1, setup_.gram));
    }
    return room;
  }
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

  [[nodiscard]] bool run_batch(std::span<const std::uint32_t> batch, double step, double& loss) {
    Step now{step, step_number_ + 1, {}};
    if (setup_.schedule_free) {
      averaged_ += step * step;
      now.share = averaged_ > 0 ? step * step / averaged_ : 0;
    }
    const std::span<const std::uint32_t> samples = own_.of(batch);
    const std::size_t count = samples.size();
    forward(samples);
    BatchLoss found = update_output_z(samples);
    std::array<double, 2> of_all{found.loss, found.weight};
    setup_.share.sum(std::span<double>(of_all));
    found.loss = of_all[0];
    const bool weighs = of_all[1] > 0;
    if (is_bounded() && setup_.network.loss.may_be_negative()) setup_.share.sum(std::span<double>(&found.least, 1));
    loss = found.loss;
    mean_excess_ = std::max(0.0, found.loss - found.least) / static_cast<double>(batch.size());
    if (!std::isfinite(loss)) return false;
    // A batch that weighs nothing tells nothing of A_l; before there is one no step can be measured.
    if (weighs && !take_in_batch(samples, batch.size())) return false;
    if (taken_in_ == 0) {
      ++step_number_;
      return true;
    }
    const std::span<const BatchUpdate> rest = std::span(setup_.sweep).subspan(1);
    for (std::size_t i = 0; i < rest.size(); ++i) {
      const auto [block, l] = rest[i];
      if (block == BatchBlock::W) {
        if (!update_W(l, count, batch.size(), now)) return false;
      } else if (block == BatchBlock::z) {
        update_z(l, count);
      } else {
        // z_l rides on the product that makes a_l, where it comes next.
        const bool and_z = i + 1 < rest.size() && rest[i + 1].block == BatchBlock::z && rest[i + 1].layer == l;
        update_a(l, count, and_z);
        if (and_z) ++i;
      }
    }
    ++step_number_;
    return true;
  }

  // A_l and P_l of every layer, where they are due.
  [[nodiscard]] bool take_in_batch(std::span<const std::uint32_t> samples, std::size_t batch) {
    const std::size_t count = samples.size();
    if (since_taken_ < std::min(setup_.gram_every, taken_in_)) {
      ++since_taken_;
      return true;
    }
    ++taken_in_;
    since_taken_ = 1;
    const BatchWeights weights = weights_of(samples);
    for (const BatchUpdate& update : setup_.sweep) {
      if (update.block != BatchBlock::W) continue;
      RunningGram<T>& gram = *of(update.layer).gram;
      const MatrixView<T> images(images_.data(), count, gram.rank());
      const Share share{setup_.share.ranks, 0, batch};
      const bool taken = is_sparse(update.layer) ? gram.take_in(team_, sums_, sparse_batch_.view(), images, weights)
                                                 : gram.take_in(team_, sums_, input_of(update.layer, count), images,
                                                                share, weights, weighed_.span());
      if (!taken) return false;
    }
    return !setup_.output.used || take_in_drawn(samples, batch);
  }

  // P_l of the layers whose weights are moved.
  [[nodiscard]] bool take_in_drawn(std::span<const std::uint32_t> samples, std::size_t batch) {
    const std::size_t count = samples.size();
    std::size_t lowest = depth();
    for (const BatchUpdate& update : setup_.sweep) {
      if (update.block == BatchBlock::W) lowest = std::min(lowest, update.layer);
    }
    const auto drawn = [&](std::size_t l) {
      return MatrixView<T>(drawn_[l % 2].data(), count, setup_.network.outputs(l));
    };
    draw_output(samples, drawn(depth()));
    for (std::size_t l = depth();; --l) {
      RunningGram<T>& outer = *of(l).outer;
      const Share share{setup_.share.ranks, 0, batch};
      raise_outer(l);
      if (!outer.take_in(team_, sums_, drawn(l), {images_.data(), count, outer.rank()}, share)) return false;
      if (l == lowest) return true;
      carry_back(l - 1, count, drawn(l), drawn(l - 1), true);
    }
  }

  // π_l δ_l is no less than λ, what Ω curves by.
  void raise_outer(std::size_t l) {
    const double delta = of(l).gram->damping();
    of(l).outer->raise(delta > 0 ? setup_.gram.l2 / delta : 0);
  }

  // v_L, times the square root of the sample's weight
  void draw_output(std::span<const std::uint32_t> samples, MatrixView<T> out) {
    const std::size_t n = out.columns;
    const MatrixView<const T> z = of(depth()).z.view();
    each_piece(team_, out.rows, n, [&](Rows rows, unsigned member) {
      const std::span<double> work = scratch_[member].work;
      const std::span<double> zi = work.subspan(0, n), v = work.subspan(n, n);
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        std::copy_n(z.row(i), n, zi.data());
        const SampleTarget target = targets().of(samples[i], work.subspan(2 * n, n));
        RandomStream random = stream_of(setup_.seed, taken_in_ - 1, own_.place(i));
        draw_multiplier(setup_.network.loss, zi, target, random, v);
        const double root = std::sqrt(target.weight);
        std::ranges::transform(v, out.row(i), [root](double each) { return static_cast<T>(root * each); });
      }
    });
  }

  // z_l = W_l a_{l-1} + b_l, a_l = f(z_l)
  void forward(std::span<const std::uint32_t> samples) {
    const Network& net = setup_.network;
    const std::size_t count = samples.size();
    if (is_sparse(1)) take_rows(sparse_.view(), samples, sparse_batch_, Ones::with);
    each_piece(team_, count, net.widths.front(), [&](Rows rows, unsigned) {
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        if (!is_sparse(1)) std::copy_n(x_.view().row(samples[i]), net.widths.front(), of(1).input.view().row(i));
        // Where a batch was short, something else stands in the rows after it.
        for (const Layer& it : layers_) {
          if (!it.input.empty()) it.input.view().row(i)[it.input.columns() - 1] = T(1);
        }
      }
    });
    for (std::size_t l = 1; l <= depth(); ++l) {
      const MatrixView<T> z = pre_activations(l, count);
      const auto finish = [&](Rows rows, Rows columns) {
        const MatrixView<T> own = window(z, rows, columns);
        const std::span<const T> b = std::span(of(l).b).subspan(columns.first, columns.count);
        const bool has_bias = is_sparse(l);
        if (of(l).z.empty() && !has_bias) return elementwise::add_bias_and_activate<T>(net.activation, own, b, own);
        if (!has_bias) elementwise::add_bias<T>(own, b, own);
        if (l == depth()) return;
        elementwise::activate<T>(net.activation, own, window(activations(l, count), rows, columns));
      };
      if (is_sparse(l)) {
        // batch x (n_0 + 1) times (n_0 + 1) x n_1
        multiply_and<T>(team_, sparse_batch_.view(), parameters(l), z, finish);
      } else {
        // batch x n_{l-1} times n_{l-1} x n_l
        multiply_and<T>(team_, Op::none, Op::transpose, 1, window(input_of(l, count), {0, count}, {0, net.inputs(l)}),
                        weights(l), 0, z, finish);
      }
    }
  }

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
  // D_L = ∇R(z_L)
  BatchLoss update_output_z(std::span<const std::uint32_t> samples) {
    const std::size_t n = setup_.network.widths.back();
    const MatrixView<const T> z = of(depth()).z.view();
    const MatrixView<T> distance = of(depth()).distance.view();
    return sum_pieces<BatchLoss>(team_, samples.size(), n, [&](Rows rows, unsigned member) {
      BatchLoss found;
      found.loss = loss_over_rows(
                       setup_.network.loss, rows.count, n, scratch_[member].work,
                       [&](std::size_t i) { return z.row(rows.first + i); },
                       [&](std::size_t i, std::span<double> values) {
                         const SampleTarget target = targets().of(samples[rows.first + i], values);
                         found.least += least_loss(setup_.network.loss, target);
                         found.weight += target.weight;
                         return target;
                       },
                       [&](std::size_t i, std::span<const double> gradient) {
                         std::ranges::transform(gradient, distance.row(rows.first + i),
                                                [](double g) { return static_cast<T>(g); });
                       })
                       .loss;
      return found;
    });
  }

  // a_l: D = D_{l+1} W_{l+1}; and with it z_l.
  void update_a(std::size_t l, std::size_t count, bool and_z) {
    carry_back(l, count, of(l + 1).distance.view().rows_from(0, count), of(l).distance.view().rows_from(0, count),
               and_z);
  }

  // to <- from W_{l+1}, and that ∘ f'(z_l) where asked
  void carry_back(std::size_t l, std::size_t count, MatrixView<const T> from, MatrixView<T> to, bool and_z) {
    // batch x n_{l+1} times n_{l+1} x n_l
    multiply_and<T>(team_, Op::none, Op::none, 1, from, weights(l + 1), 0, to, [&](Rows rows, Rows columns) {
      if (!and_z) return;
      elementwise::times_derivative<T>(setup_.network.activation, window(to, rows, columns),
                                       window(pre_activations(l, count), rows, columns));
    });
  }

  // z_l: D = D ∘ f'(z_l)
  void update_z(std::size_t l, std::size_t count) {
    each_piece(team_, count, setup_.network.outputs(l), [&](Rows rows, unsigned) {
      elementwise::times_derivative<T>(setup_.network.activation, of(l).distance.view().rows_from(rows),
                                       pre_activations(l, count).rows_from(rows));
    });
  }

  // Of a batch of `all` samples, of which `count` are here.
  [[nodiscard]] bool update_W(std::size_t l, std::size_t count, std::size_t all, const Step& step) {
    const Layer& it = of(l);
    const MatrixView<T> own = parameters(l);
    if (it.regularised) std::copy_n(own.data, own.rows * own.columns, old_.data());
    MatrixView<T> input = input_of(l, count);
    if (it.side == Side::input) {
      const MatrixView<T> prepared(prepared_.data(), count, input.columns);
      const Strips strips = Strips::of_about(count, 64);
      team_.run(strips.count(), product_flops(count, input.columns, input.columns), [&](std::size_t strip, unsigned) {
        const Rows rows = strips[strip];
        it.gram->apply(input.rows_from(rows), prepared.rows_from(rows), {});
      });
      input = prepared;
    } else if (it.side == Side::below) {
      // batch x (n_{l-1} + 1) times (n_{l-1} + 1) x r
      multiply<T>(team_, Op::none, Op::none, 1, input, it.gram->basis(), 0, {images_.data(), count, it.below});
      std::ranges::copy(it.gram->correction().flat(), it.input.view().row(count));
      input = it.input.view().rows_from(0, count + it.below);
    }
    std::atomic<bool> finite{true};
    const double flops = product_flops(setup_.network.outputs(l), input.rows, input.columns);
    const auto gradient_of = [&](std::size_t chunk, unsigned member) {
      const Rows out = it.chunks[chunk];
      if (is_bounded() && it.side != Side::gradient) return turned(l, out);
      T* const at = shared() ? gradient_.data() + it.first + out.first * own.columns : scratch_[member].gradient.data();
      return MatrixView<T>(at, out.count, own.columns);
    };
    const auto move = [&](std::size_t chunk, unsigned member) {
      const MatrixView<T> gradient = gradient_of(chunk, member);
      if (it.outer) return turn_rows(scratch_[member], l, gradient, chunk);
      if (is_bounded()) return hold_rows(scratch_[member], l, gradient, chunk, count, all);
      if (!update_rows(scratch_[member], l, gradient, it.chunks[chunk], step)) {
        finite.store(false, std::memory_order_relaxed);
      }
    };
    team_.run(it.chunks.count(), flops, [&](std::size_t chunk, unsigned member) {
      sum_rows(l, input, it.chunks[chunk], count, all, gradient_of(chunk, member));
      if (!shared()) move(chunk, member);
    });
    if (shared()) {
      setup_.share.sum(gradient_.span().subspan(it.first, own.rows * own.columns));
      team_.run(it.chunks.count(), kFlopsAnEntry * static_cast<double>(own.rows * own.columns), move);
    }
    double within = 1;
    if (is_held() && !step_W(l, step, within)) return false;
    return finite && (!it.regularised || split_W(l, within * reach(step)));
  }

  // M R and Uᵀ∇ of a chunk, q x (n_{l-1} + 1) each; the first of both are the sums in the end.
  [[nodiscard]] MatrixView<T> seen(std::size_t l, std::size_t chunk, std::size_t which) const {
    const std::size_t q = of(l).outer->rank(), columns = setup_.network.inputs(l) + 1;
    return {seen_.data() + (2 * chunk + which) * q * columns, q, columns};
  }
  [[nodiscard]] MatrixView<T> turned(std::size_t l, Rows rows) const {
    const std::size_t columns = setup_.network.inputs(l) + 1;
    return {turned_.data() + rows.first * columns, rows.count, columns};
  }

  // R of the rows of a chunk, and what of ⟨S_l, ∇_l⟩ they tell.
  void turn_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk) {
    const Layer& it = of(l);
    const Rows out = it.chunks[chunk];
    const MatrixView<T> r = turned(l, out);
    const T l2 = static_cast<T>(setup_.gram.l2);
    if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, parameters(l).rows_from(out));
    it.gram->apply(gradient, r, {scratch.product.data(), out.count, it.gram->rank()});
    squares_[chunk] = elementwise::inner_product<T>(r, gradient);
    // q x rows times rows x (n_{l-1} + 1)
    const MatrixView<const T> m = it.outer->correction(), u = it.outer->basis();
    blas::gemm<T>(Op::none, Op::none, T(1), window(m, {0, m.rows}, out), r, T(0), seen(l, chunk, 0));
    blas::gemm<T>(Op::transpose, Op::none, T(1), u.rows_from(out), gradient, T(0), seen(l, chunk, 1));
  }

  // S_l of the rows of a chunk, and what of ⟨S_l, ∇_l⟩ they tell. `gradient` is ∇_l, or S_l where the product made it.
  void hold_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk, std::size_t count,
                 std::size_t all) {
    const Layer& it = of(l);
    const Rows out = it.chunks[chunk];
    const MatrixView<T> s = turned(l, out);
    const MatrixView<T> product(scratch.product.data(), out.count, it.gram->rank());
    if (it.side == Side::below) {
      squares_[chunk] = it.gram->slope(s, product);
      return;
    }
    if (it.side == Side::input) {
      gradient = {scratch.gradient.data(), out.count, s.columns};
      sum_rows(l, input_of(l, count), out, count, all, gradient);
    } else {
      const T l2 = static_cast<T>(setup_.gram.l2);
      if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, parameters(l).rows_from(out));
      it.gram->apply(gradient, s, product);
    }
    squares_[chunk] = elementwise::inner_product<T>(s, gradient);
  }

  // How much of S_l is taken: t ν_l.
  [[nodiscard]] double share_of(double slope, double t) const {
    // Of a step that is not taken nothing is kept: a longer one to come would make it more than is allowed.
    if (!(t > 0)) return 0;
    const auto layers = static_cast<double>(depth());
    double within = 1;
    if (setup_.output.used) {
      const double longest = setup_.output.trust / layers, length = t * t * slope;
      if (length > longest) within = std::sqrt(longest / length);
    }
    if (is_bounded()) {
      const double most = setup_.polyak * mean_excess_ / layers, foretold = t * slope;
      if (within * foretold > most) within = most / foretold;
    }
    return within;
  }

  // [W_l b_l] by ν_l S_l, of whose R or S turned_ has the rows; `within` <- ν_l. False where something is not finite.
  [[nodiscard]] bool step_W(std::size_t l, const Step& step, double& within) {
    const Layer& it = of(l);
    const std::size_t chunks = it.chunks.count();
    double slope = std::accumulate(squares_.begin(), squares_.begin() + static_cast<std::ptrdiff_t>(chunks), 0.0);
    MatrixView<T> mr;
    double pi = 1;
    if (it.outer) {
      for (std::size_t chunk = 1; chunk < chunks; ++chunk) {
        for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
          entrywise::each([](T more, T& to) DLADMM_INLINE { to += more; }, MatrixView<const T>(seen(l, chunk, which)),
                          seen(l, 0, which));
        }
      }
      mr = seen(l, 0, 0);
      pi = it.outer->damping();
      slope = (slope - elementwise::inner_product<T>(mr, seen(l, 0, 1))) / pi;
    }
    if (!std::isfinite(slope)) return false;
    within = share_of(slope, reach(step));
    const T factor = static_cast<T>(within / pi);
    std::atomic<bool> finite{true};
    const double flops = it.outer ? product_flops(setup_.network.outputs(l), 2 * mr.rows, mr.columns)
                                  : kFlopsAnEntry * static_cast<double>(parameters(l).rows * parameters(l).columns);
    team_.run(chunks, flops, [&](std::size_t chunk, unsigned) {
      const Rows out = it.chunks[chunk];
      const MatrixView<T> s = turned(l, out);
      if (it.outer) {
        // rows x q times q x (n_{l-1} + 1)
        blas::gemm<T>(Op::none, Op::none, -factor, it.outer->basis().rows_from(out), mr, factor, s);
      } else if (factor != T(1)) {
        entrywise::each([factor](T& to) DLADMM_INLINE { to *= factor; }, s);
      }
      if (!move_rows(l, s, out, step)) finite.store(false, std::memory_order_relaxed);
    });
    return finite;
  }

  // From [W_l b_l] where the step led, W̃, to V.
  [[nodiscard]] bool split_W(std::size_t l, double t) {
    Layer& it = of(l);
    const MatrixView<T> own = parameters(l);
    const auto shaped = [&](T* data) { return MatrixView<T>(data, own.rows, own.columns); };
    const auto weights_of = [](MatrixView<T> m) { return MatrixView<T>(m.data, m.rows, m.columns - 1, m.stride); };
    const MatrixView<T> v = shaped(old_.data()), x = shaped(solved_.data()), y = shaped(dual_.data() + it.first);
    const std::size_t last = own.columns - 1, r = it.gram->rank();
    const double s = it.gram->split(), weight = s / t;
    if (!(t > 0)) return true;
    const auto rescale = static_cast<T>(it.dual_weight > 0 ? it.dual_weight / weight : 1);
    it.dual_weight = weight;
    each_piece(team_, y.rows, y.columns, [&](Rows rows, unsigned) {
      entrywise::each([rescale](T& to) DLADMM_INLINE { to *= rescale; }, y.rows_from(rows));
    });
    const double flops =
        static_cast<double>(own.rows * own.columns) * static_cast<double>(4 * (r > 0 ? r : own.columns));
    const auto solve = [&] {
      team_.run(it.chunks.count(), flops, [&](std::size_t chunk, unsigned member) {
        const Rows rows = it.chunks[chunk];
        const MatrixView<T> miss(scratch_[member].gradient.data(), rows.count, own.columns);
        entrywise::each([s = static_cast<T>(s)](T w, T vi, T yi, T& to) DLADMM_INLINE { to = s * (vi - yi - w); },
                        own.rows_from(rows), v.rows_from(rows), y.rows_from(rows), miss);
        // rows x (n_{l-1} + 1) times (n_{l-1} + 1) x (n_{l-1} + 1)
        it.gram->apply(miss, x.rows_from(rows), {scratch_[member].product.data(), rows.count, r}, true);
        entrywise::each([](T w, T& to) DLADMM_INLINE { to += w; }, own.rows_from(rows), x.rows_from(rows));
        // b costs nothing: it is where it is found, and its dual stays 0.
        for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) v.row(i)[last] = x.row(i)[last];
      });
    };
    if (!split_steps<T>(team_, setup_.regularisers[l - 1], weight, kSplitSteps, weights_of(v), weights_of(y),
                        weights_of(x), weights_of(shaped(proximal_.data())), spectral_, solve)) {
      return false;
    }
    std::copy_n(v.data, own.rows * own.columns, own.data);
    copy_biases(l, {0, own.rows});
    return std::isfinite(elementwise::square_norm<T>(team_, own));
  }

  // gradient <- that of rows `out` of [W_l b_l] by `count` samples of `all`. `input` is ã_{l-1}, or what (A_l + δ_l
  // I)⁻¹ has made of it, or ã_{l-1} with M below it.
  void sum_rows(std::size_t l, MatrixView<T> input, Rows out, std::size_t count, std::size_t all,
                MatrixView<T> gradient) {
    const Layer& it = of(l);
    const std::size_t r = it.gram->rank();
    const MatrixView<T> distance = it.distance.view();
    if (count == 0) {
      std::ranges::fill(gradient.flat(), T(0));
      return;
    }
    T scale = T(1) / static_cast<T>(all);
    if (it.side == Side::below) {
      // r x batch times batch x rows of W_l
      sum_products<T>(-1, {images_.data(), count, r}, window(distance, {0, count}, out), 0,
                      window(distance, {count, r}, out));
      scale = static_cast<T>(1 / (static_cast<double>(all) * it.gram->damping()));
    }
    // rows of W_l x (batch + below) times (batch + below) x (n_{l-1} + 1)
    const MatrixView<const T> moved = window(distance, {0, input.rows}, out);
    if (is_sparse(l)) {
      sum_products<T>(scale, moved, sparse_batch_.view(), 0, gradient);
    } else {
      sum_products<T>(scale, moved, input, 0, gradient);
    }
  }

  // Rows `out` of [W_l b_l], S_l and V_l by their gradient, while it is in the cache. False where something is not
  // finite.
  [[nodiscard]] bool update_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, Rows out, const Step& step) {
    const Layer& it = of(l);
    const std::size_t r = it.gram->rank();
    MatrixView<T> direction = gradient;
    const MatrixView<T> own = parameters(l).rows_from(out);
    if (it.side == Side::gradient) {
      const T l2 = static_cast<T>(setup_.gram.l2);
      if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, own);
      direction = {scratch.direction.data(), out.count, gradient.columns};
      it.gram->apply(gradient, direction, {scratch.product.data(), out.count, r});
    }
    return move_rows(l, direction, out, step);
  }

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

  // Rows `out` of V_l or Z_l and [W_l b_l] by those of S_l.
  [[nodiscard]] bool move_rows(std::size_t l, MatrixView<const T> direction, Rows out, const Step& step) {
    const MatrixView<T> own = parameters(l).rows_from(out);
    const T* const parts[] = {direction.data};
    T* const velocity = velocity_.size() == 0 ? nullptr : velocity_.data() + (own.data - parameters_.data());
    const Slice<T> all{own.data, out.count * own.columns, parts, velocity, 0};
    const bool finite = setup_.schedule_free
                            ? average_rows(AveragedStep<T>(setup_.momentum, step), all)
                            : dladmm::apply<T>(Sgd{setup_.momentum, 0, 0, setup_.nesterov}, corrected(step), all);
    copy_biases(l, out);
    return finite;
  }

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
