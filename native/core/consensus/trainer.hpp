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
  explicit Trainer(const TrainerSetup& setup);

  using Base::weights;
  // Parameters of layer l = 1 … L, row-major; and the dual of sub-batch s for them (state s of Badm with duals, Sisa).
  [[nodiscard]] std::span<T> weights(std::size_t l) { return part_of(parameters_, ParameterBlock::W, l); }
  [[nodiscard]] std::span<T> biases(std::size_t l) { return part_of(parameters_, ParameterBlock::b, l); }

  [[nodiscard]] std::size_t duals() const;

  [[nodiscard]] std::span<T> dual(std::size_t s, ParameterBlock block, std::size_t l) {
    return part_of(state_, block, l, s * parameters_count_);
  }
  [[nodiscard]] std::size_t size_of(ParameterBlock block, std::size_t l) const {
    return setup_.network.outputs(l) * (block == ParameterBlock::W ? setup_.network.inputs(l) : 1);
  }
  void read(ParameterBlock block, std::size_t l, std::span<T> out);
  void write(ParameterBlock block, std::size_t l, std::span<const T> values);

  // `count` steps from where the last run ended, an epoch beginning with a shuffle. rates: one learning rate for all,
  // or one a step; stops between two steps when `stop` is set. A step whose loss is not finite changes nothing; one
  // that makes a parameter so puts back the parameters that the run began with. After either the optimiser is as new.
  void run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& asked, StepsRecord& record);

  void visit(std::size_t first, std::size_t count) { epochs_.visit(first, count); }

  // As new but for the parameters: state of the optimiser, step number, place in the epoch.
  void reset();

  // Parameters, state of the optimiser, order and place in the epoch (section.hpp). restored() throws std::domain_error
  // where the order or the place is none.
  [[nodiscard]] std::vector<Section> sections();

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

  void declare(StoragePlan& plan);

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

  bool step(std::span<const std::uint32_t> batch, double rate, double& loss);
  [[nodiscard]] bool take_proximal_steps(const Step& now);
  MatrixView<const T> gather(std::span<const std::uint32_t> samples);

  [[nodiscard]] MatrixView<T> in_block(const Matrix<T>& m, std::size_t count) const {
    return m.view().rows_from(0, count);
  }
  // What f'(z_l) is told from.
  [[nodiscard]] MatrixView<T> sloped(std::size_t l, std::size_t count) {
    return in_block(layer(l).z.empty() ? layer(l).h : layer(l).z, count);
  }

  void forward(MatrixView<const T> x);
  double output_deltas(std::span<const std::uint32_t> samples);
  void carry_back(std::size_t count);

  [[nodiscard]] MatrixView<const T> input_of(std::size_t l, MatrixView<const T> x) {
    return l == 1 ? x : MatrixView<const T>(in_block(layer(l - 1).h, x.rows));
  }
  [[nodiscard]] double weight_of(std::uint32_t sample) const { return weights_.empty() ? 1 : weights_[sample]; }

  [[nodiscard]] bool turn(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch);
  [[nodiscard]] bool move_by_factors(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch,
                                     double loss, const Step& step);
  [[nodiscard]] bool sum_gradients(MatrixView<const T> x, std::size_t batch, Rows rows, bool updates, const Step& step);
  [[nodiscard]] bool update_by_whole(const Step& step);

  template <typename Body>
  [[nodiscard]] bool each_chunk(double flops, Body&& body) {
    const double entries =
        kFlopsAnEntry * static_cast<double>(parameters_count_) * static_cast<double>(2 + gradients_ + states_);
    team_.run(chunks_.size(), flops + entries,
              [&](std::size_t i, unsigned member) { finished_[i] = body(chunks_[i], members_[member]) ? 1 : 0; });
    return std::ranges::all_of(finished_, [](std::uint8_t each) { return each != 0; });
  }

  [[nodiscard]] bool update_matrices(const Step& step);

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

  void sum_chunk(Member& member, MatrixView<const T> x, std::size_t batch, Rows rows, const Chunk& chunk, bool updates);
  [[nodiscard]] bool update_chunk(Member& member, const Chunk& chunk, const Step& step);

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
