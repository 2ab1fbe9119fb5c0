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

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/method.hpp"
#include "core/gradient/network.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/section.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"
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
};

template <typename T>
class Trainer {
 public:
  // Allocates everything that steps need. Throws std::bad_alloc, std::length_error.
  explicit Trainer(const TrainerSetup& setup);

  // Bytes that the constructor will allocate.
  [[nodiscard]] static double required_bytes(const TrainerSetup& setup);

  [[nodiscard]] const TrainerSetup& setup() const { return setup_; }
  [[nodiscard]] MatrixView<T> input() { return x_.view(); }
  [[nodiscard]] std::span<std::int32_t> labels() { return labels_; }
  [[nodiscard]] MatrixView<T> target_values() { return target_values_.view(); }

  // Parameters of layer l = 1 … L, row-major; and the dual of sub-batch s for them (state s of Badm with duals, Sisa).
  [[nodiscard]] std::span<T> weights(std::size_t l) { return weights_in(parameters_, l); }
  [[nodiscard]] std::span<T> biases(std::size_t l) { return biases_in(parameters_, l); }
  [[nodiscard]] std::size_t duals() const;
  [[nodiscard]] std::span<T> weight_duals(std::size_t s, std::size_t l);
  [[nodiscard]] std::span<T> bias_duals(std::size_t s, std::size_t l);

  // `count` steps from where the last run ended, an epoch beginning with a shuffle. rates: one learning rate for all,
  // or one a step; stops between two steps when `stop` is set. A step whose loss is not finite changes nothing; one
  // that makes a parameter so puts back the parameters that the run began with. After either the optimiser is as new.
  void run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop, StepsRecord& record);

  // As new but for the parameters: state of the optimiser, step number, place in the epoch.
  void reset();

  // Parameters, state of the optimiser, order and place in the epoch (section.hpp). restored() throws std::domain_error
  // where the order or the place is none.
  [[nodiscard]] std::vector<Section> sections();
  void restored();

  // R summed, and correct answers, on given samples.
  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);
  ForwardLoss evaluate_training() { return evaluate(x_.view(), targets()); }

  [[nodiscard]] std::size_t steps_an_epoch() const { return epochs_.batches(); }

 private:
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

  struct Unallocated {};
  Trainer(const TrainerSetup& setup, Unallocated);
  void declare(StoragePlan& plan);

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] Layer& layer(std::size_t l) { return net_[l - 1]; }
  [[nodiscard]] Activation activation_of(std::size_t l) const {
    return l < depth() ? setup_.network.activation : Activation::identity();
  }
  [[nodiscard]] Targets<T> targets() const { return {labels_, target_values_.view()}; }
  std::span<T> weights_in(const Buffer<T>& vector, std::size_t l, std::size_t offset = 0);
  std::span<T> biases_in(const Buffer<T>& vector, std::size_t l, std::size_t offset = 0);

  // Adds R of the batch to `loss`. False where something is no longer finite.
  bool step(std::span<const std::uint32_t> batch, double rate, double& loss);
  // x of so many samples, in their order.
  MatrixView<const T> gather(std::span<const std::uint32_t> samples);
  // Fills h, z and δ for the block; returns R summed over it.
  double forward_backward(MatrixView<const T> x, std::span<const std::uint32_t> samples);
  // `rows`: the block within a batch of so many samples.
  bool update(MatrixView<const T> x, std::size_t batch, Rows rows, const Step& step);
  bool update_chunk(Member& member, MatrixView<const T> x, std::size_t batch, Rows rows, const Chunk& chunk,
                    const Step& step);

  TrainerSetup setup_;
  std::size_t gradients_;  // that a step takes
  std::size_t states_;     // vectors that the optimiser keeps
  std::size_t block_;      // rows of h and δ
  bool whole_gradient_;    // a batch may span several blocks
  std::size_t parameters_count_ = 0;
  std::vector<Layer> net_;
  std::vector<Chunk> chunks_;

  Team team_;
  Matrix<T> x_;
  std::vector<std::int32_t> labels_;
  Matrix<T> target_values_;
  Buffer<T> parameters_;  // W_1, b_1, W_2, …
  FiniteCopy<T> finite_;  // as the run began
  Buffer<T> state_;       // states_ vectors
  Buffer<T> gradient_;    // gradients_ vectors, where whole_gradient_
  Matrix<T> batch_;       // rows of x in the order of the epoch, where it is shuffled
  std::vector<Member> members_;
  std::vector<Workspace<T>> spaces_;  // for evaluation
  std::vector<LayerParameters<T>> layers_;
  std::vector<double> shares_;          // α_s of the step at work
  std::vector<std::uint8_t> finished_;  // chunk by chunk: whether its parameters are finite
  Epochs epochs_;
  std::uint64_t step_number_ = 0;
};

}  // namespace dladmm
