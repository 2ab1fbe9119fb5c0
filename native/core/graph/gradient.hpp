// Training of a graph convolutional network by gradients (Kipf and Welling 2017), all nodes at once:
//   Z_l = Ã D(H_{l-1}) W_l,  H_l = f(Z_l),  H_0 = X,  outputs Z_L
// with D dropout, W_l n_{l-1} x n_l, no biases, and a loss on the training nodes alone. Backward, with δ_l = ∂F/∂Z_l,
// which for l = L is not zero on the training nodes only, and Ã symmetric:
//   G_l = Ã δ_l,  ∂F/∂W_l = D(H_{l-1})ᵀ G_l,  δ_{l-1} = (G_l W_lᵀ) ∘ D' ∘ f'(Z_{l-1})
// A layer that is wider than what goes into it takes Ã D(H_{l-1}) first, which is then what its gradient needs.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <vector>

#include "core/gradient/method.hpp"
#include "core/graph/data.hpp"
#include "core/graph/dropout.hpp"
#include "core/graph/forward.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"

namespace dladmm {

struct GraphTrainerSetup {
  Network network;
  unsigned threads = 1;
  Reduction reduction = Reduction::mean;
  double dropout = 0;  // p of everything that goes into a layer, from 0 to below 1
  std::uint32_t seed = 0;
  Optimiser optimiser;
  std::vector<double> weight_decay;  // λ of each layer, in place of the optimiser's own
};

template <typename T>
class GraphTrainer {
 public:
  // Normalises the adjacency. Throws std::bad_alloc, std::length_error.
  GraphTrainer(const GraphTrainerSetup& setup, GraphData<T> data);
  GraphTrainer(const GraphTrainer&) = delete;
  GraphTrainer& operator=(const GraphTrainer&) = delete;

  // Bytes that allocate() will take.
  [[nodiscard]] double required_bytes() const { return plan_.bytes(); }
  // Everything that steps need. Throws std::bad_alloc.
  void allocate();

  [[nodiscard]] const GraphTrainerSetup& setup() const { return setup_; }
  // How many nodes layer l = 0 … L is kept on: all.
  [[nodiscard]] std::size_t node_count(std::size_t) const { return nodes(); }

  // W_l, n_{l-1} x n_l row-major; zero until it is written.
  [[nodiscard]] std::span<const T> weights(std::size_t l) const { return weights_of(l).flat(); }
  void write_weights(std::size_t l, std::span<const T> values);

  // `count` steps; each sees all nodes. rates: one learning rate for all, or one a step; stops between two steps when
  // `stop` is set. After a loss or a parameter that is not finite the parameters are those that the run began with, or
  // that the step did, and the optimiser is as new.
  void run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop, StepsRecord& record);

  // As new but for the parameters: state of the optimiser, step number.
  void reset();

  // R summed over the given nodes, and how many of them are named right; without dropout.
  ForwardLoss evaluate(std::span<const std::int32_t> nodes);
  ForwardLoss evaluate_training() { return evaluate(training_); }

  // What a run that goes on later needs. Which nodes are in which sub-batch, and what is dropped, follows from the seed
  // and the step number.
  [[nodiscard]] std::vector<Section> sections();
  void restored() { of_weights_.advance(); }

 private:
  // A layer with what it needs in a step.
  struct Layer {
    std::size_t inputs = 0;
    std::size_t outputs = 0;
    std::size_t first = 0;      // of W_l among the parameters
    bool weights_first = true;  // Ã (H W) and not (Ã H) W
    Matrix<T> input;            // D(H_{l-1}); none for sparse features, nor for dense ones that nothing is dropped from
    Matrix<T> smoothed;         // Ã D(H_{l-1}), where that comes first
    Matrix<T> z;                // of a hidden layer, where f' cannot be told from h
    Matrix<T> delta;            // δ_l
    Optimiser optimiser;        // one method, the layer's own weight decay
    PieceSums<T> sums;
  };

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] std::size_t nodes() const { return a_.rows; }
  [[nodiscard]] bool sparse_input() const { return x_.is_sparse; }
  [[nodiscard]] bool drops() const { return setup_.dropout > 0; }
  [[nodiscard]] MatrixView<T> weights_of(std::size_t l) const;
  [[nodiscard]] MatrixView<T> scratch(std::size_t columns) const { return {scratch_.data(), nodes(), columns}; }
  [[nodiscard]] Dropout dropout_of(std::size_t l) const { return {setup_.dropout, setup_.seed, step_number_, l}; }
  // What goes into layer l where that is dense; X itself while nothing is dropped from it.
  [[nodiscard]] MatrixView<const T> input_of(std::size_t l, bool training) const;
  // Where Z_l, or H_l in its place, goes: into the next layer's input where f' can be told from it.
  [[nodiscard]] MatrixView<T> target_of(std::size_t l) const;
  // Nodes of sub-batch s, as places in `training_`.
  [[nodiscard]] Rows part(std::size_t s) const { return Pieces{training_.size(), gradients_}[s]; }

  void declare();
  void forward(bool training);
  void drop_features();
  void project(std::size_t l, bool training);
  void activate(std::size_t l, bool training);
  // δ_L of sub-batch s; returns R summed over it.
  double start_backward(std::size_t s);
  void backward(std::size_t s);
  // δ_{l-1} from what multiplies W_lᵀ
  void pass_back(std::size_t l, MatrixView<const T> g);
  bool update(double rate);
  bool step(double rate, double& loss);

  GraphTrainerSetup setup_;
  Csr<T> a_;  // Ã
  Features<T> x_;
  std::vector<std::int32_t> labels_;
  std::vector<std::int32_t> training_;
  std::size_t gradients_;
  std::size_t parameters_count_ = 0;
  Team team_;
  StoragePlan plan_;
  std::vector<Layer> layers_;

  std::vector<T> dropped_;              // values of D(X), where something is dropped from sparse features
  Csr<T> by_feature_;                   // D(X)ᵀ, for sparse features
  std::vector<std::int32_t> entry_of_;  // where entry k of Xᵀ lies in X, where something is dropped
  Matrix<T> outputs_;                   // Z_L
  Stamp outputs_made_;                  // without dropout
  Version of_weights_;
  Buffer<T> scratch_;
  Buffer<T> parameters_;
  FiniteCopy<T> finite_;
  Buffer<T> state_;
  Buffer<T> gradient_;                        // gradients_ vectors
  std::vector<std::vector<double>> works_;    // one a member
  std::vector<std::vector<const T*>> parts_;  // where the gradients of a member's piece begin
  std::vector<double> shares_;
  std::uint64_t step_number_ = 0;
};

}  // namespace dladmm
