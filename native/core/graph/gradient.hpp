// Training of a graph convolutional network by gradients (Kipf and Welling 2017), all nodes at once:
//   Z_l = Ã D(H_{l-1}) W_l,  H_l = f(Z_l),  H_0 = X,  outputs Z_L
// with D dropout, W_l n_{l-1} x n_l, no biases, and a loss on the training nodes alone. Backward, with δ_l = ∂F/∂Z_l,
// which for l = L is not zero on the training nodes only, and Ã symmetric:
//   G_l = Ã δ_l,  ∂F/∂W_l = D(H_{l-1})ᵀ G_l,  δ_{l-1} = (G_l W_lᵀ) ∘ D' ∘ f'(Z_{l-1})
// A layer that is wider than what goes into it takes Ã D(H_{l-1}) first, which is then what its gradient needs.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/method.hpp"
#include "core/gradient/order.hpp"
#include "core/graph/data.hpp"
#include "core/graph/dropout.hpp"
#include "core/graph/forward.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
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
  GraphTrainer(const GraphTrainerSetup& setup, GraphData<T> data)
      : setup_(setup),
        a_(normalised_adjacency(data.adjacency.view())),
        x_(std::move(data.features)),
        labels_(std::move(data.labels)),
        weights_(std::move(data.weights)),
        training_(std::move(data.training)),
        gradients_(std::visit([](const auto& method) { return method.gradients(); }, setup.optimiser)),
        team_(setup.threads),
        shares_(gradients_) {
    for (const std::size_t width : setup_.network.widths) static_cast<void>(blas::dimension(width));
    // Neighbours in the list are often of one class: sub-batches should not be.
    if (gradients_ > 1) {
      SampleOrder order(training_.size(), setup_.seed);
      order.shuffle();
      std::vector<std::int32_t> shuffled;
      for (const std::uint32_t i : order.samples()) shuffled.push_back(training_[i]);
      training_ = std::move(shuffled);
    }
    for (std::size_t s = 0; s < gradients_; ++s) {
      shares_[s] = static_cast<double>(part(s).count) / static_cast<double>(training_.size());
    }
    declare();
  }

  GraphTrainer(const GraphTrainer&) = delete;
  GraphTrainer& operator=(const GraphTrainer&) = delete;

  // Bytes that allocate() will take.
  [[nodiscard]] double required_bytes() const { return plan_.bytes(); }
  // Everything that steps need. Throws std::bad_alloc.
  void allocate() {
    plan_.allocate();
    // Only the rows of training nodes are ever written.
    std::ranges::fill(layers_.back().delta.flat(), T(0));
    std::ranges::fill(parameters_.span(), T(0));
    finite_.watch(parameters_.span());
    if (!entry_of_.empty()) {
      const CsrView<T> x = x_.sparse.view();
      std::vector<double> places(x.entries());
      std::iota(places.begin(), places.end(), 0.0);
      const Csr<double> moved = transposed(CsrView<double>{x.rows, x.columns, x.indptr, x.indices, places});
      entry_of_.assign(moved.values.begin(), moved.values.end());
    }
    works_ = node_works(team_, setup_.network);
    parts_.assign(team_.size(), std::vector<const T*>(gradients_));
    reset();
  }

  [[nodiscard]] const GraphTrainerSetup& setup() const { return setup_; }
  // How many nodes layer l = 0 … L is kept on: all.
  [[nodiscard]] std::size_t node_count(std::size_t) const { return nodes(); }

  // W_l, n_{l-1} x n_l row-major; zero until it is written.
  [[nodiscard]] std::span<const T> weights(std::size_t l) const { return weights_of(l).flat(); }
  [[nodiscard]] std::size_t size_of(ParameterBlock, std::size_t l) const { return weights(l).size(); }
  void read(ParameterBlock, std::size_t l, std::span<T> out) const { std::ranges::copy(weights(l), out.begin()); }
  void write(ParameterBlock, std::size_t l, std::span<const T> values) {
    std::ranges::copy(values, weights_of(l).data);
    of_weights_.advance();
  }

  // `count` steps; each sees all nodes. rates: one learning rate for all, or one a step; stops between two steps when
  // `stop` is set. After a loss or a parameter that is not finite the parameters are those that the run began with, or
  // that the step did, and the optimiser is as new.
  void run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop, StepsRecord& record) {
    const AtWork here(stop);
    finite_.keep();
    const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) {
      return step(step_size(rates, i), loss) ? training_.size() : 0;
    });
    if (!finite) reset();
  }

  // As new but for the parameters: state of the optimiser, step number.
  void reset() {
    const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
    std::ranges::fill(state_.span(), static_cast<T>(first));
    step_number_ = 0;
  }

  // R summed over the given nodes, and how many of them are named right; without dropout.
  ForwardLoss evaluate(std::span<const std::int32_t> nodes) {
    const AtWork here;
    const Stamp now(of_weights_);
    if (outputs_made_ != now) forward(false);
    outputs_made_ = now;
    return evaluate_nodes<T>(team_, works_, setup_.network.loss, outputs_.view(), labels_, nodes);
  }

  ForwardLoss evaluate_training() { return evaluate(training_); }

  // What a run that goes on later needs. Which nodes are in which sub-batch, and what is dropped, follows from the seed
  // and the step number.
  [[nodiscard]] std::vector<Section> sections() {
    return {section("parameters", parameters_.span()), section("optimiser", state_.span()),
            section("step", std::span(&step_number_, 1))};
  }

  void restored() { of_weights_.advance(); }

 private:
  using Op = blas::Op;

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

  [[nodiscard]] MatrixView<T> weights_of(std::size_t l) const {
    const Layer& layer = layers_[l - 1];
    return {parameters_.data() + layer.first, layer.inputs, layer.outputs};
  }

  [[nodiscard]] MatrixView<T> scratch(std::size_t columns) const { return {scratch_.data(), nodes(), columns}; }
  [[nodiscard]] Dropout dropout_of(std::size_t l) const { return {setup_.dropout, setup_.seed, step_number_, l}; }
  // What goes into layer l where that is dense; X itself while nothing is dropped from it.
  [[nodiscard]] MatrixView<const T> input_of(std::size_t l, bool training) const {
    const bool as_it_is = l == 1 && !(training && drops());
    return as_it_is ? x_.dense.view() : layers_[l - 1].input.view();
  }

  // Where Z_l, or H_l in its place, goes: into the next layer's input where f' can be told from it.
  [[nodiscard]] MatrixView<T> target_of(std::size_t l) const {
    if (l == depth()) return outputs_.view();
    return layers_[l - 1].z.empty() ? layers_[l].input.view() : layers_[l - 1].z.view();
  }

  // Nodes of sub-batch s, as places in `training_`.
  [[nodiscard]] Rows part(std::size_t s) const { return Pieces{training_.size(), gradients_}[s]; }

  void declare() {
    const Network& net = setup_.network;
    const std::size_t n = nodes();
    std::size_t widest_scratch = 0;
    layers_.resize(depth());
    for (std::size_t l = 1; l <= depth(); ++l) {
      Layer& layer = layers_[l - 1];
      layer.inputs = net.inputs(l);
      layer.outputs = net.outputs(l);
      layer.first = parameters_count_;
      if (layer.inputs > (std::numeric_limits<std::size_t>::max() / sizeof(T) - parameters_count_) / layer.outputs) {
        throw std::bad_alloc();
      }
      parameters_count_ += layer.inputs * layer.outputs;
      layer.optimiser = setup_.optimiser;
      std::visit([&](auto& method) { method.weight_decay = setup_.weight_decay[l - 1]; }, layer.optimiser);
      const bool sparse = l == 1 && sparse_input();
      // Sparse features are never smoothed: that would fill them up.
      layer.weights_first = layer.outputs <= layer.inputs || sparse;
      widest_scratch = std::max(widest_scratch, layer.weights_first ? layer.outputs : layer.inputs);
      if (l > 1 || (!sparse && drops())) plan_.matrix(layer.input, n, layer.inputs);
      if (!layer.weights_first) plan_.matrix(layer.smoothed, n, layer.inputs);
      if (l < depth() && !net.activation.value_tells_derivative()) plan_.matrix(layer.z, n, layer.outputs);
      plan_.matrix(layer.delta, n, layer.outputs);
      if (sparse || !summed_by_segments(n, layer.inputs, layer.outputs)) continue;
      plan_.made(layer.sums, SampleCut(n), typename PieceSums<T>::Room{0, layer.inputs * layer.outputs, 0});
    }
    plan_.matrix(outputs_, n, net.widths.back());
    plan_.buffer(scratch_, n, widest_scratch);
    plan_.buffer(parameters_, parameters_count_);
    plan_.buffer(finite_.room, parameters_count_);
    plan_.buffer(state_, std::visit([](const auto& method) { return method.states(); }, setup_.optimiser),
                 parameters_count_);
    plan_.buffer(gradient_, gradients_, parameters_count_);
    if (!sparse_input()) return;
    const std::size_t entries = x_.sparse.entries();
    if (drops()) plan_.vector(dropped_, entries);
    if (drops()) plan_.vector(entry_of_, entries);
    plan_.other(static_cast<double>(entries) * (sizeof(T) + 4) + 8 * static_cast<double>(x_.columns()),
                [this] { by_feature_ = transposed(x_.sparse.view()); });
  }

  void forward(bool training) {
    outputs_made_ = {};
    if (training && drops()) drop_features();
    for (std::size_t l = 1; l <= depth(); ++l) {
      project(l, training);
      if (l < depth()) activate(l, training);
    }
  }

  void drop_features() {
    const Dropout dropout = dropout_of(1);
    const std::span<const T> from = sparse_input() ? std::span<const T>(x_.sparse.values) : x_.dense.flat();
    const std::span<T> to = sparse_input() ? std::span<T>(dropped_) : layers_[0].input.flat();
    each_piece(team_, from.size(), 1, [&](Rows own, unsigned) {
      dropout.apply<T>(from.subspan(own.first, own.count), to.subspan(own.first, own.count), own.first);
    });
    if (!sparse_input()) return;
    each_piece(team_, from.size(), 1, [&](Rows own, unsigned) {
      for (std::size_t k = own.first; k < own.first + own.count; ++k) {
        by_feature_.values[k] = dropped_[static_cast<std::size_t>(entry_of_[k])];
      }
    });
  }

  // Z_l = Ã D(H_{l-1}) W_l, in the cheaper order
  void project(std::size_t l, bool training) {
    const Layer& layer = layers_[l - 1];
    const MatrixView<const T> w = weights_of(l);
    if (!layer.weights_first) {
      // nodes x nodes (sparse) times nodes x n_{l-1}
      multiply<T>(team_, a_.view(), input_of(l, training), layer.smoothed.view());
      // nodes x n_{l-1} times n_{l-1} x n_l
      return multiply<T>(team_, Op::none, Op::none, 1, layer.smoothed.view(), w, 0, target_of(l));
    }
    const MatrixView<T> projected = scratch(layer.outputs);
    if (l == 1 && sparse_input()) {
      CsrView<T> x = x_.sparse.view();
      if (training && drops()) x.values = dropped_;
      // nodes x n_0 (sparse) times n_0 x n_1
      multiply<T>(team_, x, w, projected);
    } else {
      // nodes x n_{l-1} times n_{l-1} x n_l
      multiply<T>(team_, Op::none, Op::none, 1, input_of(l, training), w, 0, projected);
    }
    // nodes x nodes (sparse) times nodes x n_l
    multiply<T>(team_, a_.view(), projected, target_of(l));
  }

  // H_l = D(f(Z_l))
  void activate(std::size_t l, bool training) {
    const MatrixView<const T> z = target_of(l);
    const MatrixView<T> h = layers_[l].input.view();
    each_piece(team_, h.rows, h.columns, [&](Rows rows, unsigned) {
      const MatrixView<T> to = h.rows_from(rows);
      elementwise::activate<T>(setup_.network.activation, z.rows_from(rows), to);
      if (training && drops()) dropout_of(l + 1).template apply<T>(to.flat(), to.flat(), rows.first * h.columns);
    });
  }

  // δ_L of sub-batch s; returns R summed over it.
  double start_backward(std::size_t s) {
    const std::size_t n = outputs_.columns();
    const Rows own = part(s);
    const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(training_.size());
    const double scale = terms / static_cast<double>(own.count);
    const MatrixView<T> delta = layers_.back().delta.view();
    const auto node_of = [&](std::size_t i) { return static_cast<std::size_t>(training_[i]); };
    for (std::size_t i = 0; gradients_ > 1 && i < training_.size(); ++i) std::fill_n(delta.row(node_of(i)), n, T(0));
    const auto found = sum_pieces<ForwardLoss>(team_, own.count, n, [&](Rows rows, unsigned member) {
      const std::size_t first = own.first + rows.first;
      return loss_over_rows(
          setup_.network.loss, rows.count, n, works_[member],
          [&](std::size_t i) { return outputs_.view().row(node_of(first + i)); },
          [&](std::size_t i, std::span<double>) {
            const std::size_t node = node_of(first + i);
            return SampleTarget{labels_[node], {}, weights_.empty() ? 1 : weights_[node]};
          },
          [&](std::size_t i, std::span<const double> gradient) {
            std::ranges::transform(gradient, delta.row(node_of(first + i)),
                                   [scale](double g) { return static_cast<T>(scale * g); });
          });
    });
    return found.loss;
  }

  void backward(std::size_t s) {
    for (std::size_t l = depth(); l >= 1; --l) {
      Layer& layer = layers_[l - 1];
      const MatrixView<T> gradient(gradient_.data() + s * parameters_count_ + layer.first, layer.inputs, layer.outputs);
      MatrixView<const T> g = layer.delta.view();
      if (layer.weights_first) {
        // nodes x nodes (sparse) times nodes x n_l
        multiply<T>(team_, a_.view(), g, scratch(layer.outputs));
        g = scratch(layer.outputs);
      }
      if (l == 1 && sparse_input()) {
        // n_0 x nodes (sparse) times nodes x n_1
        sum_products<T>(team_, by_feature_.view(), g, gradient);
      } else {
        // n_{l-1} x nodes times nodes x n_l
        sum_products<T>(team_, layer.sums, layer.weights_first ? input_of(l, true) : layer.smoothed.view(), g,
                        gradient);
      }
      if (l > 1) pass_back(l, g);
    }
  }

  // δ_{l-1} from what multiplies W_lᵀ
  void pass_back(std::size_t l, MatrixView<const T> g) {
    const Layer& layer = layers_[l - 1];
    const Layer& below = layers_[l - 2];
    const MatrixView<T> delta = below.delta.view();
    const MatrixView<T> product = layer.weights_first ? delta : scratch(layer.inputs);
    // nodes x n_l times n_l x n_{l-1}
    multiply<T>(team_, Op::none, Op::transpose, 1, g, weights_of(l), 0, product);
    if (!layer.weights_first) multiply<T>(team_, a_.view(), product, delta);
    // y = D(f(z)), which times 1 − p is f(z) wherever D' is not zero; or z itself.
    const MatrixView<const T> y = below.z.empty() ? layer.input.view() : below.z.view();
    const T undo = static_cast<T>(below.z.empty() ? 1 - setup_.dropout : 1);
    with_activation<T>(setup_.network.activation, [&](auto f) {
      each_piece(team_, delta.rows, delta.columns, [&](Rows rows, unsigned) {
        const MatrixView<T> to = delta.rows_from(rows);
        entrywise::each([f, undo](T& d, T yi) DLADMM_INLINE { d *= f.derivative(undo * yi); }, to, y.rows_from(rows));
        if (drops()) dropout_of(l).template apply<T>(to.flat(), to.flat(), rows.first * delta.columns);
      });
    });
  }

  bool update(double rate) {
    const Step now{rate, step_number_ + 1, shares_};
    double faults = 0;
    for (const Layer& layer : layers_) {
      faults += sum_pieces<double>(team_, layer.inputs * layer.outputs, 1, [&](Rows own, unsigned member) {
        const std::size_t first = layer.first + own.first;
        const std::span<const T*> parts = parts_[member];
        for (std::size_t s = 0; s < gradients_; ++s) parts[s] = gradient_.data() + s * parameters_count_ + first;
        const Slice<T> slice{parameters_.data() + first, own.count, parts, state_.data() + first, parameters_count_};
        const bool finite =
            std::visit([&](const auto& method) { return apply<T>(method, now, slice); }, layer.optimiser);
        return finite ? 0.0 : 1.0;
      });
    }
    of_weights_.advance();
    return faults == 0;
  }

  bool step(double rate, double& loss) {
    forward(true);
    for (std::size_t s = 0; s < gradients_; ++s) {
      // Fewer training nodes than sub-batches: what has no samples has no gradient.
      if (part(s).count == 0) continue;
      loss += start_backward(s);
      if (!std::isfinite(loss)) return false;
      backward(s);
    }
    if (!update(rate)) {
      finite_.restore();
      of_weights_.advance();
      return false;
    }
    ++step_number_;
    return true;
  }

  GraphTrainerSetup setup_;
  Csr<T> a_;  // Ã
  Features<T> x_;
  std::vector<std::int32_t> labels_;
  std::vector<double> weights_;
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
