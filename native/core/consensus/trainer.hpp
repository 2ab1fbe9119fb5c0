// Training by gradients of batches: the plain gradient methods, and consensus ADMM over sub-batches.
//
//   z_l = W_l h_{l-1} + b_l,  h_l = f(z_l),  h_0 = x        δ_L = ∇R(z_L),  δ_l = (W_{l+1}ᵀ δ_{l+1}) ∘ f'(z_l)
//   ∂/∂W_l = Σ δ_l h_{l-1}ᵀ,  ∂/∂b_l = Σ δ_l over the samples
//
// Every product is cut into tiles of its result by its sizes alone; bias and activation, or f', are applied to a tile
// while it is in the cache. Then rows of W_l, a few at a time, have their gradient summed over the whole batch and are
// updated while it is in the cache: no partial gradients are ever added up, and none is written to memory. A batch
// larger than a block goes through in blocks; its gradient is then kept whole, and the update rides on the last block.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/functions/proximal.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/gradient/method.hpp"
#include "core/gradient/order.hpp"
#include "core/gradient/own_part.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/tiled.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

struct TrainerSetup {
  Network network;
  std::size_t samples = 0;
  std::size_t batch = 0;  // 1 … samples; the last batch of an epoch has what is left
  unsigned threads = 1;
  Reduction reduction = Reduction::mean;
  bool shuffle = true;  // a new order every epoch
  std::uint32_t seed = 0;
  Optimiser optimiser;
  // Ω_l of every layer, whose proximal step follows on each step of the method; none where empty.
  std::vector<Regulariser> regularisers;
  // Whether the features are sparse, and how many entries they have; not of K-FAC and ISAAC, whose factors are dense.
  bool sparse = false;
  std::size_t entries = 0;
  // Of the samples, where others have the rest: batches are of all, and so are their gradients.
  Share share;

  [[nodiscard]] std::size_t all_samples() const { return share.all(samples); }
};

template <typename T>
class Trainer : public SampleState<Trainer<T>, T, TrainerSetup> {
  using Base = SampleState<Trainer<T>, T, TrainerSetup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that steps need. Throws std::bad_alloc, std::length_error.
  explicit Trainer(const TrainerSetup& setup) : Trainer(setup, Shell()) {
    const Network& net = setup_.network;
    for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width));
    this->allocate();
    std::ranges::fill(parameters_.span(), T(0));
    finite_.watch(parameters_.span());
    for (std::size_t l = 1; l <= depth(); ++l) {
      layers_.push_back({MatrixView<const T>(weights(l).data(), net.outputs(l), net.inputs(l)), biases(l)});
    }
    reset();
  }

  using Base::weights;
  // Parameters of layer l = 1 … L, row-major; and the dual of sub-batch s for them (state s of Badm with duals, Sisa).
  [[nodiscard]] std::span<T> weights(std::size_t l) { return part_of(parameters_, ParameterBlock::W, l); }
  [[nodiscard]] std::span<T> biases(std::size_t l) { return part_of(parameters_, ParameterBlock::b, l); }

  [[nodiscard]] std::size_t duals() const {
    if (const auto* const badm = std::get_if<Badm>(&setup_.optimiser)) return badm->duals ? badm->sub_batches : 0;
    if (const auto* const sisa = std::get_if<Sisa>(&setup_.optimiser)) return sisa->sub_batches;
    return 0;
  }

  [[nodiscard]] std::span<T> dual(std::size_t s, ParameterBlock block, std::size_t l) {
    return part_of(state_, block, l, s * parameters_count_);
  }
  [[nodiscard]] std::size_t size_of(ParameterBlock block, std::size_t l) const {
    return setup_.network.outputs(l) * (block == ParameterBlock::W ? setup_.network.inputs(l) : 1);
  }
  void read(ParameterBlock block, std::size_t l, std::span<T> out) {
    std::ranges::copy(part_of(parameters_, block, l), out.begin());
  }
  void write(ParameterBlock block, std::size_t l, std::span<const T> values) {
    std::ranges::copy(values, part_of(parameters_, block, l).begin());
    if (averaging() == nullptr) return;
    for (const std::size_t k : {0, 2}) {
      std::ranges::copy(values, part_of(state_, block, l, k * parameters_count_).begin());
    }
  }

  // `count` steps from where the last run ended, an epoch beginning with a shuffle. rates: one learning rate for all,
  // or one a step; stops between two steps when `stop` is set. A step whose loss is not finite changes nothing; one
  // that makes a parameter so puts back the parameters that the run began with. After either the optimiser is as new.
  void run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& asked, StepsRecord& record) {
    this->need_all_rows();
    const std::atomic<bool>& stop = this->heeded(asked);
    const AtWork here(stop);
    finite_.keep();
    if (averaging() != nullptr) average_of_all().to_gradient_point();
    const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) -> std::size_t {
      const std::span<const std::uint32_t> batch = epochs_.begin();
      if (!step(batch, step_size(rates, i), loss)) return 0;
      epochs_.end();
      return batch.size();
    });
    if (averaging() != nullptr) average_of_all().to_average(averaging()->beta1);
    if (!finite) return reset();
    record.weights = weight_measures<T>(team_, setup_.regularisers, layers_, spectral_);
  }

  void visit(std::size_t first, std::size_t count) { epochs_.visit(first, count); }

  // As new but for the parameters: state of the optimiser, step number, place in the epoch.
  void reset() {
    const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
    std::ranges::fill(state_.span(), static_cast<T>(first));
    if (averaging() != nullptr) average_of_all().begin();
    bases_.reset();
    if (kfac() != nullptr) factors_.reset(*kfac());
    epochs_.reset();
    step_number_ = 0;
    averaged_ = 0;
  }

  // Parameters, state of the optimiser, order and place in the epoch (section.hpp). restored() throws std::domain_error
  // where the order or the place is none.
  [[nodiscard]] std::vector<Section> sections() {
    std::vector<Section> out;
    for (std::size_t l = 1; l <= depth(); ++l) {
      out.push_back(section(section_name("W", l), weights(l)));
      out.push_back(section(section_name("b", l), biases(l)));
    }
    for (std::size_t k = 0; k < states_; ++k) {
      const std::span<T> state = state_.span().subspan(k * parameters_count_, parameters_count_);
      out.push_back(section(section_name("optimiser", k + 1), state));
    }
    out.push_back(section("step", step_number_));
    if (averaging() != nullptr) out.push_back(section("averaged", averaged_));
    if (soap() != nullptr) bases_.add_sections(out);
    if (kfac() != nullptr) factors_.add_sections(out);
    for (Section& it : epochs_.sections()) out.push_back(std::move(it));
    return out;
  }

  void restored() { epochs_.restored(); }

 private:
  using Op = blas::Op;

  // Large enough that products run at full speed; all that a batch of any size needs besides the gradient.
  static constexpr std::size_t kBlock = 2048;
  // The gradients of the rows that are updated at once stay in a second-level cache; few rows would slow the product
  // down, and many would leave few chunks.
  static constexpr std::size_t kChunkBytes = std::size_t{1} << 19;
  static constexpr std::size_t kChunkRows = 128;
  static constexpr std::size_t kFewestRows = 32;

  struct Layer {
    std::size_t first = 0;  // of W_l in a vector of all parameters; b_l follows it
    // Of the block at work, block x n_l: h_l (the outputs, for l = L), δ_l, and z_l where f' cannot be told from h_l.
    Matrix<T> h, delta, z;
  };
  // Rows of W_l and b_l that are updated at once.
  struct Chunk {
    std::size_t layer;
    Rows rows;
  };
  // What one member works with.
  struct alignas(64) Member {
    Buffer<T> gradient;           // of a chunk, one after the other for each sub-batch
    std::vector<const T*> parts;  // where the gradient of each sub-batch begins
    std::vector<double> work;     // for losses and column sums
  };

  using Base::activation_of, Base::depth, Base::targets;
  using Base::setup_, Base::sparse_, Base::spaces_, Base::team_, Base::weights_, Base::x_;

  Trainer(const TrainerSetup& setup, Shell)
      : Base(setup),
        gradients_(std::visit([](const auto& method) { return method.gradients(); }, setup.optimiser)),
        states_(std::visit([](const auto& method) { return method.states(); }, setup.optimiser)),
        block_(std::min({setup.batch, setup.samples, isaac() || kfac() ? setup.batch : kBlock})),
        whole_gradient_(setup.batch > block_ || muon() || soap() || kfac() || shared()),
        net_(setup.network.layers()),
        members_(team_.size()) {
    for (std::size_t l = 1; l <= depth(); ++l) {
      const std::size_t out = setup_.network.outputs(l);
      const std::size_t in = setup_.network.inputs(l);
      if (out > (std::numeric_limits<std::size_t>::max() / sizeof(T) - parameters_count_) / (in + 1)) {
        throw std::bad_alloc();
      }
      layer(l).first = parameters_count_;
      parameters_count_ += out * (in + 1);
      const std::size_t fit = kChunkBytes / (sizeof(T) * gradients_ * (in + 1));
      const Strips strips = Strips::of_about(out, std::clamp(fit, kFewestRows, kChunkRows));
      for (std::size_t i = 0; i < strips.count(); ++i) chunks_.push_back({l, strips[i]});
    }
  }

  void declare(StoragePlan& plan) {
    const Network& net = setup_.network;
    this->declare_samples(plan);
    plan.buffer(parameters_, parameters_count_);
    plan.buffer(finite_.room, parameters_count_);
    plan.buffer(state_, states_, parameters_count_);
    if (whole_gradient_) plan.buffer(gradient_, gradients_, parameters_count_);
    if (muon() != nullptr) muon_room_.declare(plan, net);
    if (soap() != nullptr) bases_.declare(plan, *soap(), net);
    if (kfac() != nullptr) factors_.declare(plan, net, block_);
    if (isaac() != nullptr) isaac_room_.declare(plan, *isaac(), net, block_, !apart());
    if (setup_.shuffle && !setup_.sparse) plan.matrix(batch_, block_, net.widths.front());
    for (std::size_t l = 1; l <= depth(); ++l) {
      plan.matrix(layer(l).h, block_, net.outputs(l));
      plan.matrix(layer(l).delta, block_, net.outputs(l));
      if (l < depth() && !net.activation.value_tells_derivative()) plan.matrix(layer(l).z, block_, net.outputs(l));
    }
    if (std::ranges::any_of(setup_.regularisers, &Regulariser::spectral)) this->declare_spectral(plan, spectral_);
    std::size_t chunk = 0;
    for (const Chunk& it : chunks_) chunk = std::max(chunk, it.rows.count * (net.inputs(it.layer) + 1));
    for (Member& member : members_) {
      if (!whole_gradient_) plan.buffer(member.gradient, gradients_, chunk);
      plan.other(sizeof(const T*) * static_cast<double>(gradients_),
                 [this, &member] { member.parts.resize(gradients_); });
      plan.vector(member.work, std::max(loss_work(net.widths.back()), net.widest()));
    }
    plan.vector(shares_, gradients_);
    plan.vector(finished_, chunks_.size());
    plan.other(sizeof(std::uint32_t) * static_cast<double>(setup_.all_samples()),
               [this] { epochs_ = Epochs(setup_.all_samples(), setup_.batch, setup_.shuffle, setup_.seed); });
    plan.made(own_, setup_.share, setup_.samples, setup_.batch, gradients_);
  }

  [[nodiscard]] Layer& layer(std::size_t l) { return net_[l - 1]; }
  [[nodiscard]] const std::vector<LayerParameters<T>>& parameters() const { return layers_; }
  [[nodiscard]] bool shared() const { return setup_.share.ranks != nullptr; }
  // Whether a batch may lie on several ranks.
  [[nodiscard]] bool apart() const { return shared() && setup_.share.ranks->size() > 1; }
  [[nodiscard]] const ScheduleFree* averaging() const { return std::get_if<ScheduleFree>(&setup_.optimiser); }
  [[nodiscard]] const Muon* muon() const { return std::get_if<Muon>(&setup_.optimiser); }
  [[nodiscard]] const Soap* soap() const { return std::get_if<Soap>(&setup_.optimiser); }
  [[nodiscard]] const Kfac* kfac() const { return std::get_if<Kfac>(&setup_.optimiser); }
  [[nodiscard]] const Isaac* isaac() const { return std::get_if<Isaac>(&setup_.optimiser); }
  // Whether a step takes W_l as a matrix.
  [[nodiscard]] bool takes_whole(std::size_t l) const {
    return soap() != nullptr || (muon() != nullptr && Muon::takes(l, depth()));
  }
  // All parameters with what the optimiser keeps of them.
  [[nodiscard]] Averaging<T> average_of_all() {
    const auto kept = [&](std::size_t k) {
      return MatrixView<T>(state_.data() + k * parameters_count_, 1, parameters_count_);
    };
    return {{parameters_.data(), 1, parameters_count_}, kept(0), kept(2)};
  }
  // W_l, or b_l behind it, in a vector of all parameters that begins at `offset`.
  std::span<T> part_of(const Buffer<T>& vector, ParameterBlock block, std::size_t l, std::size_t offset = 0) {
    const std::size_t before = block == ParameterBlock::W ? 0 : size_of(ParameterBlock::W, l);
    return vector.span().subspan(offset + layer(l).first + before, size_of(block, l));
  }

  // Adds R of the batch to `loss`. False where something is no longer finite.
  bool step(std::span<const std::uint32_t> batch, double rate, double& loss) {
    const std::span<const std::uint32_t> own = own_.of(batch);
    const Pieces sub_batches{batch.size(), gradients_};
    for (std::size_t s = 0; s < gradients_; ++s) {
      shares_[s] = static_cast<double>(sub_batches[s].count) / static_cast<double>(batch.size());
      if (shared() && own_[s].count == 0)
        std::ranges::fill(gradient_.span().subspan(s * parameters_count_, parameters_count_), T(0));
    }
    Step now{rate, step_number_ + 1, shares_};
    if (const auto* const average = averaging()) {
      const double weight = average->weight(rate, now.number);
      averaged_ += weight;
      now.share = averaged_ > 0 ? weight / averaged_ : 0;
    }
    const auto undone = [&] {
      finite_.restore();
      if (averaging() != nullptr) average_of_all().begin();
      return false;
    };
    MatrixView<const T> x(nullptr, 0, setup_.network.widths.front());
    if (own.empty() && !turn(x, own, batch.size())) return undone();
    for (std::size_t first = 0; first < own.size(); first += block_) {
      const Rows rows{first, std::min(block_, own.size() - first)};
      const std::span<const std::uint32_t> samples = own.subspan(rows.first, rows.count);
      x = gather(samples);
      forward(x);
      const double here = output_deltas(samples);
      loss += here;
      if (!shared() && !std::isfinite(loss)) return false;
      carry_back(samples.size());
      const bool last = first + rows.count == own.size();
      if (!turn(x, samples, batch.size()) || !sum_gradients(x, batch.size(), rows, last && !shared(), now) ||
          !(shared() || move_by_factors(x, samples, batch.size(), here, now))) {
        return undone();
      }
    }
    if (shared()) {
      setup_.share.sum(std::span<double>(&loss, 1));
      if (!std::isfinite(loss)) return false;
      setup_.share.sum(gradient_.span());
      if (!update_by_whole(now) || !move_by_factors(x, own, batch.size(), loss, now)) return undone();
    }
    if (!take_proximal_steps(now)) {
      finite_.restore();
      return false;
    }
    ++step_number_;
    return true;
  }

  // W_l <- argmin Ω_l(W) + ½‖W − W_l‖² in the metric that the step of the method was the shortest in: 1/γ of the plain
  // step, (1 − μ)/γ of momentum, (√v + ε)/γ of the adaptive ones, σ/γ + λ of the aggregate of consensus ADMM.
  [[nodiscard]] bool take_proximal_steps(const Step& now) {
    const auto by_metric = [&](std::size_t l, std::size_t k, auto size) {
      const MatrixView<const T> w = layers_[l - 1].W;
      separable_step<T>(team_, setup_.regularisers[l - 1], MatrixView<T>(weights(l).data(), w.rows, w.columns),
                        {part_of(state_, ParameterBlock::W, l, k * parameters_count_).data(), w.rows, w.columns}, size);
    };
    const auto by_size = [&](std::size_t l, double size) {
      const MatrixView<const T> w = layers_[l - 1].W;
      const MatrixView<T> own(weights(l).data(), w.rows, w.columns);
      return size <= 0 || proximal_step<T>(team_, setup_.regularisers[l - 1], size, own, spectral_);
    };
    const auto t = static_cast<double>(now.number);
    bool found = true;
    for (std::size_t l = 1; l <= setup_.regularisers.size(); ++l) {
      if (setup_.regularisers[l - 1].none()) continue;
      if (const auto* const adam = std::get_if<Adam>(&setup_.optimiser)) {
        const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(adam->beta2, t)));
        by_metric(l, 1,
                  [rate = static_cast<T>(now.rate), root, epsilon = static_cast<T>(adam->epsilon)](T second)
                      DLADMM_INLINE { return rate / (std::sqrt(second) * root + epsilon); });
      } else if (const auto* const adagrad = std::get_if<Adagrad>(&setup_.optimiser)) {
        const T rate = static_cast<T>(now.rate / (1 + (t - 1) * adagrad->rate_decay));
        by_metric(l, 0, [rate, epsilon = static_cast<T>(adagrad->epsilon)](T sum) DLADMM_INLINE {
          return rate / (std::sqrt(sum) + epsilon);
        });
      } else if (const auto* const badm = std::get_if<Badm>(&setup_.optimiser)) {
        found = by_size(l, now.rate / (badm->sigma + now.rate * badm->weight_decay)) && found;
      } else if (const auto* const sisa = std::get_if<Sisa>(&setup_.optimiser)) {
        found = by_size(l, now.rate / (sisa->sigma + now.rate * sisa->weight_decay)) && found;
      } else if (const auto* const sgd = std::get_if<Sgd>(&setup_.optimiser)) {
        // Of a gradient that stays, momentum makes so many times itself: only with it does Ω weigh against F.
        const double gain = (1 - sgd->dampening) / (1 - sgd->momentum);
        const double times = sgd->momentum == 0 ? 1 : sgd->nesterov ? 1 + sgd->momentum * gain : gain;
        found = by_size(l, now.rate * times) && found;
      }
    }
    return found;
  }

  // x of so many samples, in their order; of sparse ones its size alone, as their entries are then in sparse_batch_.
  MatrixView<const T> gather(std::span<const std::uint32_t> samples) {
    if (setup_.sparse) {
      take_rows(sparse_.view(), samples, sparse_batch_);
      return {nullptr, samples.size(), sparse_.columns};
    }
    // As they lie, a batch is rows that follow each other.
    if (!setup_.shuffle) return x_.view().rows_from(samples.front(), samples.size());
    const MatrixView<T> to = batch_.view().rows_from(0, samples.size());
    each_piece(team_, to.rows, to.columns, [&](Rows rows, unsigned) {
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        std::copy_n(x_.view().row(samples[i]), to.columns, to.row(i));
      }
    });
    return to;
  }

  [[nodiscard]] MatrixView<T> in_block(const Matrix<T>& m, std::size_t count) const {
    return m.view().rows_from(0, count);
  }
  // What f'(z_l) is told from.
  [[nodiscard]] MatrixView<T> sloped(std::size_t l, std::size_t count) {
    return in_block(layer(l).z.empty() ? layer(l).h : layer(l).z, count);
  }

  // z and h
  void forward(MatrixView<const T> x) {
    MatrixView<const T> input = x;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const MatrixView<T> h = in_block(layer(l).h, x.rows);
      const bool keeps_z = !layer(l).z.empty();
      const MatrixView<T> z = sloped(l, x.rows);
      const auto finish = [&](Rows rows, Rows columns) {
        const MatrixView<T> tile = window(z, rows, columns);
        const std::span<const T> b = layers_[l - 1].b.subspan(columns.first, columns.count);
        if (keeps_z) elementwise::add_bias<T>(tile, b, tile);
        if (keeps_z) elementwise::activate<T>(activation_of(l), tile, window(h, rows, columns));
        if (!keeps_z) elementwise::add_bias_and_activate<T>(activation_of(l), tile, b, tile);
      };
      // block x n_l <- (block x n_{l-1}) (n_l x n_{l-1})ᵀ
      if (l == 1 && setup_.sparse) {
        multiply_and<T>(team_, sparse_batch_.view(), layers_[0].W, z, finish);
      } else {
        multiply_and<T>(team_, Op::none, Op::transpose, T(1), input, layers_[l - 1].W, T(0), z, finish);
      }
      input = h;
    }
  }

  // δ_L; returns R summed over the block.
  double output_deltas(std::span<const std::uint32_t> samples) {
    const MatrixView<const T> z = layer(depth()).h.view();
    const MatrixView<T> delta = in_block(layer(depth()).delta, samples.size());
    const Targets<T> goals = targets();
    return sum_pieces<ForwardLoss>(
               team_, samples.size(), delta.columns,
               [&](Rows rows, unsigned member) {
                 return loss_over_rows(
                     setup_.network.loss, rows.count, delta.columns, members_[member].work,
                     [&](std::size_t i) { return z.row(rows.first + i); },
                     [&](std::size_t i, std::span<double> room) { return goals.of(samples[rows.first + i], room); },
                     [&](std::size_t i, std::span<const double> gradient) {
                       std::ranges::transform(gradient, delta.row(rows.first + i),
                                              [](double g) { return static_cast<T>(g); });
                     });
               })
        .loss;
  }

  // δ of the hidden layers
  void carry_back(std::size_t count) {
    for (std::size_t l = depth() - 1; l >= 1; --l) {
      const MatrixView<T> below = in_block(layer(l).delta, count);
      const MatrixView<T> y = sloped(l, count);
      // block x n_l <- (block x n_{l+1}) (n_{l+1} x n_l)
      multiply_and<T>(team_, Op::none, Op::none, T(1), in_block(layer(l + 1).delta, count), layers_[l].W, T(0), below,
                      [&](Rows rows, Rows columns) {
                        elementwise::times_derivative<T>(activation_of(l), window(below, rows, columns),
                                                         window(y, rows, columns));
                      });
    }
  }

  [[nodiscard]] MatrixView<const T> input_of(std::size_t l, MatrixView<const T> x) {
    return l == 1 ? x : MatrixView<const T>(in_block(layer(l - 1).h, x.rows));
  }
  [[nodiscard]] double weight_of(std::uint32_t sample) const { return weights_.empty() ? 1 : weights_[sample]; }

  // Of ISAAC. False where something is not finite.
  [[nodiscard]] bool turn(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch) {
    if (isaac() == nullptr) return true;
    for (std::size_t l = 1; l <= isaac_room_.turned.size(); ++l) {
      if (!isaac_turn<T>(team_, *isaac(), l, input_of(l, x), in_block(layer(l).delta, x.rows), batch, setup_.share,
                         isaac_room_, [&](std::size_t i) { return weight_of(samples[i]); })) {
        return false;
      }
    }
    return true;
  }

  // The step of K-FAC, from the gradient of the whole batch, of which `samples` are here; `loss` is R of all of it.
  // False where something is not finite.
  [[nodiscard]] bool move_by_factors(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch,
                                     double loss, const Step& step) {
    const Kfac* const method = kfac();
    if (method == nullptr) return true;
    const Loss& kind = setup_.network.loss;
    const std::size_t n = setup_.network.widths.back();
    const Targets<T> goals = targets();
    const MatrixView<T> drawn = in_block(layer(depth()).delta, x.rows);
    const MatrixView<const T> z = layer(depth()).h.view();
    const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch);
    // The target of row i, whose z comes first in the work of a member.
    const auto target_of = [&](std::size_t i, std::span<double> work) {
      std::copy_n(z.row(i), n, work.data());
      return goals.of(samples[i], work.subspan(n, n));
    };
    each_piece(team_, drawn.rows, n, [&](Rows rows, unsigned member) {
      const std::span<double> work = spaces_[member].work;
      const std::span<double> v = work.subspan(2 * n, n);
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        const SampleTarget target = target_of(i, work);
        RandomStream random = stream_of(setup_.seed, step.number - 1, own_.place(i));
        draw_multiplier(kind, work.first(n), target, random, v);
        const double root = std::sqrt(terms * target.weight);
        std::ranges::transform(v, drawn.row(i), [&](double each) { return static_cast<T>(root * each); });
      }
    });
    if (x.rows > 0) carry_back(x.rows);

    const auto of = [&](std::size_t l) {
      const std::size_t out = setup_.network.outputs(l), in = setup_.network.inputs(l);
      const std::size_t first = layer(l).first;
      return KfacLayer<T>{{parameters_.data() + first, out, in},
                          {state_.data() + first, out, in + 1},
                          MatrixView<const T>(gradient_.data() + first, out, in),
                          biases(l),
                          part_of(gradient_, ParameterBlock::b, l),
                          input_of(l, x),
                          sloped(l, x.rows),
                          in_block(layer(l).delta, x.rows)};
    };
    const auto root = [&](std::size_t i) { return std::sqrt(weight_of(samples[i])); };
    const auto moment = [&](std::size_t i, unsigned member, auto&& use) {
      const std::span<double> work = spaces_[member].work;
      const SampleTarget target = target_of(i, work);
      const std::span<double> c = work.subspan(2 * n, n), r = work.subspan(3 * n, n);
      const double s = moment_of_multiplier(kind, work.first(n), target, c, r);
      use(c, s, terms * target.weight, r);
    };
    const bool adapts = step.number % method->damping_every == 0;
    const double before = adapts ? factors_.half_square(team_, of) : 0;
    if (!factors_.take_in(team_, *method, step.number, batch, setup_.share, of, root)) return false;
    if (!factors_.move(team_, *method, setup_.network.activation, batch, setup_.share, of, moment)) return false;
    if (!adapts) return true;
    double after = 0;
    if (x.rows > 0) {
      forward(x);
      after = output_deltas(samples);
    }
    setup_.share.sum(std::span<double>(&after, 1));
    const double mean = terms / static_cast<double>(batch);
    factors_.adapt(*method, mean * (after - loss) + method->weight_decay * (factors_.half_square(team_, of) - before));
    return true;
  }

  // `rows`: the block within what is here of a batch of so many samples. `updates`: it is the last, and all are here.
  [[nodiscard]] bool sum_gradients(MatrixView<const T> x, std::size_t batch, Rows rows, bool updates,
                                   const Step& step) {
    const double flops = 2 * static_cast<double>(parameters_count_) * static_cast<double>(rows.count);
    return each_chunk(flops,
                      [&](const Chunk& chunk, Member& member) {
                        sum_chunk(member, x, batch, rows, chunk, updates);
                        return !updates || update_chunk(member, chunk, step);
                      }) &&
           (!updates || update_matrices(step));
  }
  // From the gradient of the whole batch.
  [[nodiscard]] bool update_by_whole(const Step& step) {
    return each_chunk(0, [&](const Chunk& chunk, Member& member) { return update_chunk(member, chunk, step); }) &&
           update_matrices(step);
  }

  template <typename Body>
  [[nodiscard]] bool each_chunk(double flops, Body&& body) {
    const double entries =
        kFlopsAnEntry * static_cast<double>(parameters_count_) * static_cast<double>(2 + gradients_ + states_);
    team_.run(chunks_.size(), flops + entries,
              [&](std::size_t i, unsigned member) { finished_[i] = body(chunks_[i], members_[member]) ? 1 : 0; });
    return std::ranges::all_of(finished_, [](std::uint8_t each) { return each != 0; });
  }

  // W_l that a step takes whole.
  [[nodiscard]] bool update_matrices(const Step& step) {
    bool finite = true;
    for (std::size_t l = 1; l <= depth(); ++l) {
      if (!takes_whole(l)) continue;
      const auto matrix = [&](const Buffer<T>& vector, std::size_t before = 0) {
        return MatrixView<T>(vector.data() + before + layer(l).first, setup_.network.outputs(l),
                             setup_.network.inputs(l));
      };
      const MatrixView<T> w = matrix(parameters_), g = matrix(gradient_), m = matrix(state_);
      const bool own = muon() != nullptr
                           ? muon_step<T>(team_, *muon(), step.rate, w, g, m, muon_room_)
                           : bases_.step(team_, *soap(), step, l, w, g, m, matrix(state_, parameters_count_));
      finite = own && finite;
    }
    return finite;
  }

  // Where the gradient of a chunk lies, that of the next sub-batch `stride` further.
  struct Sums {
    T *weights, *biases;
    std::size_t stride;
  };
  // One that outlives the block lies in the whole vector, else in the member's scratch.
  [[nodiscard]] Sums sums_of(Member& member, const Chunk& chunk) {
    const std::size_t inputs = setup_.network.inputs(chunk.layer);
    const std::size_t first = layer(chunk.layer).first;
    if (!whole_gradient_) {
      T* const own = member.gradient.data();
      return {own, own + chunk.rows.count * inputs, chunk.rows.count * (inputs + 1)};
    }
    T* const whole = gradient_.data() + first;
    return {whole + chunk.rows.first * inputs, whole + setup_.network.outputs(chunk.layer) * inputs + chunk.rows.first,
            parameters_count_};
  }

  // Rows of W_l and b_l: their gradient over the block. `updates`: their update follows.
  void sum_chunk(Member& member, MatrixView<const T> x, std::size_t batch, Rows rows, const Chunk& chunk,
                 bool updates) {
    const auto& [l, out] = chunk;
    const std::size_t inputs = setup_.network.inputs(l);
    const bool turned = isaac() != nullptr && isaac()->takes(l);
    const bool turned_delta = turned && isaac_room_.turns_delta(l);
    const MatrixView<const T> input =
        turned && !turned_delta ? in_block(isaac_room_.turned[l - 1], x.rows) : input_of(l, x);
    const MatrixView<T> carried = turned_delta ? isaac_room_.turned[l - 1].view() : layer(l).delta.view();

    const Sums sums = sums_of(member, chunk);
    Ahead ahead;  // what the update reads
    if (updates) {
      for (std::size_t k = 0; k <= states_; ++k) {
        const T* const vector = k == 0 ? parameters_.data() : state_.data() + (k - 1) * parameters_count_;
        ahead.add(MatrixView<const T>(vector + layer(l).first + out.first * inputs, out.count, inputs));
      }
    }
    for (std::size_t s = 0; s < gradients_; ++s) {
      const Rows part = own_[s];
      const std::size_t begin = std::max(part.first, rows.first);
      const std::size_t end = std::min(part.first + part.count, rows.first + rows.count);
      if (begin >= end) continue;
      const Rows own{begin - rows.first, end - begin};
      const T keep = begin == part.first ? T(0) : T(1);
      const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch);
      const T scale = static_cast<T>(terms / static_cast<double>(Pieces{batch, gradients_}[s].count));
      const MatrixView<const T> delta = window(layer(l).delta.view(), own, out);
      // n_l x n_{l-1} <- (samples x n_l)ᵀ (samples x n_{l-1})
      const MatrixView<T> sum(sums.weights + s * sums.stride, out.count, inputs);
      if (l == 1 && setup_.sparse) {
        sum_products<T>(scale, delta, sparse_batch_.view().rows_from(own), keep, sum);
      } else {
        sum_products<T>(scale, window(carried, own, out), input.rows_from(own), keep, sum,
                        s + 1 == gradients_ ? ahead : Ahead());
      }
      sum_columns<T>(scale, delta, keep, {sums.biases + s * sums.stride, out.count}, member.work);
    }
  }

  // Rows of W_l and b_l by their gradient. False where something is not finite.
  [[nodiscard]] bool update_chunk(Member& member, const Chunk& chunk, const Step& step) {
    const auto& [l, out] = chunk;
    const std::size_t inputs = setup_.network.inputs(l);
    const Sums sums = sums_of(member, chunk);
    const auto update = [&](std::size_t first, std::size_t count, const T* g) {
      for (std::size_t s = 0; s < gradients_; ++s) member.parts[s] = g + s * sums.stride;
      const Slice<T> slice{parameters_.data() + first, count, member.parts, state_.data() + first, parameters_count_};
      return std::visit([&](const auto& method) { return apply<T>(method, step, slice); }, setup_.optimiser);
    };
    const bool weights_finite =
        takes_whole(l) || update(layer(l).first + out.first * inputs, out.count * inputs, sums.weights);
    return update(layer(l).first + setup_.network.outputs(l) * inputs + out.first, out.count, sums.biases) &&
           weights_finite;
  }

  std::size_t gradients_;  // that a step takes
  std::size_t states_;     // vectors that the optimiser keeps
  std::size_t block_;      // rows of h and δ
  bool whole_gradient_;    // a batch may span several blocks
  std::size_t parameters_count_ = 0;
  std::vector<Layer> net_;
  std::vector<Chunk> chunks_;

  Buffer<T> parameters_;  // W_1, b_1, W_2, …
  FiniteCopy<T> finite_;  // as the run began
  Buffer<T> state_;       // states_ vectors
  Buffer<T> gradient_;    // gradients_ vectors, where whole_gradient_
  MuonRoom<T> muon_room_;
  SoapBases<T> bases_;
  KfacFactors<T> factors_;
  IsaacRoom<T> isaac_room_;
  SpectralRoom spectral_;
  Matrix<T> batch_;      // rows of x in the order of the epoch, where it is shuffled
  Csr<T> sparse_batch_;  // rows of x in a block, where they are sparse
  std::vector<Member> members_;
  std::vector<LayerParameters<T>> layers_;
  std::vector<double> shares_;          // α_s of the step at work
  std::vector<std::uint8_t> finished_;  // chunk by chunk: whether its parameters are finite
  Epochs epochs_;
  OwnPart own_;
  std::uint64_t step_number_ = 0;
  double averaged_ = 0;  // Σ of the weights of an average
};

}  // namespace dladmm
