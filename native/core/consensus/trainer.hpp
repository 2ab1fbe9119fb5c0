// Training by gradients of batches: the plain gradient methods, and consensus ADMM over sub-batches.
//
// A step is two rounds of the team. In the first, each member takes a share of the batch's samples through the network
// and back. In the second, each member owns a share of the rows of every W_l: it sums up their gradient over the whole
// batch, a few rows at a time, and updates them while that gradient is in the cache. So no partial gradients are ever
// added up, and no gradient is written to memory. A batch larger than a block goes through in blocks; its gradient is
// then kept whole, and the update rides on the last block.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <variant>
#include <vector>

#include "core/consensus/badm.hpp"
#include "core/gradient/backward.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/section.hpp"
#include "core/parallel/team.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm {

using Optimiser = std::variant<Sgd, Adagrad, Adadelta, Adam, Badm, Sisa>;

// F of a batch is the mean of R over its samples, or the sum. ∇F_s of a sub-batch with share α_s is scaled so that
// Σ α_s ∇F_s = ∇F.
enum class Reduction { mean, sum };

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

  [[nodiscard]] std::size_t steps_an_epoch() const { return (setup_.samples + setup_.batch - 1) / setup_.batch; }

 private:
  // What one member works with.
  struct alignas(64) Member {
    Buffer<T> gradient;           // of a few rows of W and b, one after the other for each sub-batch
    std::vector<const T*> parts;  // where the gradient of each sub-batch begins
    std::vector<double> work;     // for losses and column sums
    double loss = 0;
    bool finite = true;
  };

  [[nodiscard]] Targets<T> targets() const { return {labels_, target_values_.view()}; }
  std::span<T> weights_in(const Buffer<T>& vector, std::size_t l, std::size_t offset = 0);
  std::span<T> biases_in(const Buffer<T>& vector, std::size_t l, std::size_t offset = 0);

  // Adds R of the batch to `loss`. False where something is no longer finite.
  bool step(Rows batch, double rate, double& loss);
  double forward_backward_block(Rows rows);
  MatrixView<const T> block_input(Rows rows) const;
  // rows: the block within the batch.
  bool update_block(Rows batch, Rows rows, const Step& step);
  void update_rows(Member& member, Rows batch, Rows rows, std::size_t l, Rows out, const Step& step);

  TrainerSetup setup_;
  std::size_t gradients_;  // that a step takes
  std::size_t states_;     // vectors that the optimiser keeps
  std::size_t parameters_count_ = 0;
  std::size_t block_;                      // rows of the tape
  bool whole_gradient_;                    // a batch may span several blocks
  std::vector<std::size_t> first_weight_;  // of layer l in a vector of all parameters
  std::vector<std::size_t> chunk_rows_;    // rows of W_l that are updated at once

  Team team_;
  Matrix<T> x_;
  std::vector<std::int32_t> labels_;
  Matrix<T> target_values_;
  Buffer<T> parameters_;  // W_1, b_1, W_2, …
  Buffer<T> finite_;      // as the run began
  Buffer<T> state_;       // states_ vectors
  Buffer<T> gradient_;    // gradients_ vectors, where whole_gradient_
  Matrix<T> batch_;       // rows of x in the order of the epoch, where it is shuffled
  Tape<T> tape_;
  std::vector<Member> members_;
  std::vector<Workspace<T>> spaces_;  // for evaluation
  std::vector<LayerParameters<T>> layers_;
  std::vector<double> shares_;  // α_s of the step at work
  SampleOrder order_;
  std::uint64_t next_batch_ = 0;
  std::uint64_t step_number_ = 0;
};

}  // namespace dladmm
