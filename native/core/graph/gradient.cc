#include "core/graph/gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/functions/elementwise.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {
namespace {

using blas::Op;

// x <- D(x), entry by entry from number `first` on
template <typename T>
struct Drop {
  [[gnu::always_inline]] static inline void run(const T* x, std::size_t count, T* out, Dropout dropout,
                                                std::size_t first) {
#pragma omp simd
    for (std::size_t k = 0; k < count; ++k) out[k] = dropout.factor<T>(first + k) * x[k];
  }
};

template <typename T>
void drop(std::span<const T> x, std::span<T> out, const Dropout& dropout, std::size_t first) {
  simd::run<Drop<T>>(x.data(), x.size(), out.data(), dropout, first);
}

}  // namespace

template <typename T>
GraphTrainer<T>::GraphTrainer(const GraphTrainerSetup& setup, GraphData<T> data)
    : setup_(setup),
      a_(normalised_adjacency(data.adjacency.view())),
      x_(std::move(data.features)),
      labels_(std::move(data.labels)),
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

template <typename T>
void GraphTrainer<T>::declare() {
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
    const typename PieceSums<T>::Room room{0, layer.inputs * layer.outputs, 0};
    plan_.other(PieceSums<T>::required_bytes(SampleCut(n), room),
                [&layer, n, room] { layer.sums = PieceSums<T>(SampleCut(n), room); });
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

template <typename T>
void GraphTrainer<T>::allocate() {
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

template <typename T>
MatrixView<T> GraphTrainer<T>::weights_of(std::size_t l) const {
  const Layer& layer = layers_[l - 1];
  return {parameters_.data() + layer.first, layer.inputs, layer.outputs};
}

template <typename T>
void GraphTrainer<T>::write_weights(std::size_t l, std::span<const T> values) {
  std::copy(values.begin(), values.end(), weights_of(l).data);
  of_weights_.advance();
}

template <typename T>
void GraphTrainer<T>::reset() {
  const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
  std::ranges::fill(state_.span(), static_cast<T>(first));
  step_number_ = 0;
}

// --- forward ---

template <typename T>
MatrixView<const T> GraphTrainer<T>::input_of(std::size_t l, bool training) const {
  const bool as_it_is = l == 1 && !(training && drops());
  return as_it_is ? x_.dense.view() : layers_[l - 1].input.view();
}

template <typename T>
MatrixView<T> GraphTrainer<T>::target_of(std::size_t l) const {
  if (l == depth()) return outputs_.view();
  return layers_[l - 1].z.empty() ? layers_[l].input.view() : layers_[l - 1].z.view();
}

template <typename T>
void GraphTrainer<T>::forward(bool training) {
  outputs_made_ = {};
  if (training && drops()) drop_features();
  for (std::size_t l = 1; l <= depth(); ++l) {
    project(l, training);
    if (l < depth()) activate(l, training);
  }
}

template <typename T>
void GraphTrainer<T>::drop_features() {
  const Dropout dropout = dropout_of(1);
  const std::span<const T> from = sparse_input() ? std::span<const T>(x_.sparse.values) : x_.dense.flat();
  const std::span<T> to = sparse_input() ? std::span<T>(dropped_) : layers_[0].input.flat();
  each_piece(team_, from.size(), 1, [&](Rows own, unsigned) {
    drop<T>(from.subspan(own.first, own.count), to.subspan(own.first, own.count), dropout, own.first);
  });
  if (!sparse_input()) return;
  each_piece(team_, from.size(), 1, [&](Rows own, unsigned) {
    for (std::size_t k = own.first; k < own.first + own.count; ++k) {
      by_feature_.values[k] = dropped_[static_cast<std::size_t>(entry_of_[k])];
    }
  });
}

// Z_l = Ã D(H_{l-1}) W_l, in the cheaper order
template <typename T>
void GraphTrainer<T>::project(std::size_t l, bool training) {
  const Layer& layer = layers_[l - 1];
  const MatrixView<const T> w = weights_of(l);
  if (!layer.weights_first) {
    multiply<T>(team_, a_.view(), input_of(l, training), layer.smoothed.view());
    // nodes x n_{l-1} times n_{l-1} x n_l
    return multiply<T>(team_, Op::none, Op::none, 1, layer.smoothed.view(), w, 0, target_of(l));
  }
  const MatrixView<T> projected = scratch(layer.outputs);
  if (l == 1 && sparse_input()) {
    CsrView<T> x = x_.sparse.view();
    if (training && drops()) x.values = dropped_;
    multiply<T>(team_, x, w, projected);
  } else {
    // nodes x n_{l-1} times n_{l-1} x n_l
    multiply<T>(team_, Op::none, Op::none, 1, input_of(l, training), w, 0, projected);
  }
  multiply<T>(team_, a_.view(), projected, target_of(l));
}

// H_l = D(f(Z_l))
template <typename T>
void GraphTrainer<T>::activate(std::size_t l, bool training) {
  const MatrixView<const T> z = target_of(l);
  const MatrixView<T> h = layers_[l].input.view();
  each_piece(team_, h.rows, h.columns, [&](Rows rows, unsigned) {
    const MatrixView<T> to = h.rows_from(rows.first, rows.count);
    elementwise::activate<T>(setup_.network.activation, z.rows_from(rows.first, rows.count), to);
    if (training && drops()) drop<T>(to.flat(), to.flat(), dropout_of(l + 1), rows.first * h.columns);
  });
}

// --- backward ---

template <typename T>
double GraphTrainer<T>::start_backward(std::size_t s) {
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
          return SampleTarget{labels_[node_of(first + i)], {}};
        },
        [&](std::size_t i, std::span<const double> gradient) {
          std::ranges::transform(gradient, delta.row(node_of(first + i)),
                                 [scale](double g) { return static_cast<T>(scale * g); });
        });
  });
  return found.loss;
}

template <typename T>
void GraphTrainer<T>::backward(std::size_t s) {
  for (std::size_t l = depth(); l >= 1; --l) {
    Layer& layer = layers_[l - 1];
    const MatrixView<T> gradient(gradient_.data() + s * parameters_count_ + layer.first, layer.inputs, layer.outputs);
    MatrixView<const T> g = layer.delta.view();
    if (layer.weights_first) {
      multiply<T>(team_, a_.view(), g, scratch(layer.outputs));
      g = scratch(layer.outputs);
    }
    if (l == 1 && sparse_input()) {
      multiply<T>(team_, by_feature_.view(), g, gradient);
    } else {
      // n_{l-1} x nodes times nodes x n_l
      sum_products<T>(team_, layer.sums, layer.weights_first ? input_of(l, true) : layer.smoothed.view(), g, gradient);
    }
    if (l > 1) pass_back(l, g);
  }
}

template <typename T>
void GraphTrainer<T>::pass_back(std::size_t l, MatrixView<const T> g) {
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
      const MatrixView<T> to = delta.rows_from(rows.first, rows.count);
      entrywise::each([f, undo](T& d, T yi) DLADMM_INLINE { d *= f.derivative(undo * yi); }, to,
                      y.rows_from(rows.first, rows.count));
      if (drops()) drop<T>(to.flat(), to.flat(), dropout_of(l), rows.first * delta.columns);
    });
  });
}

// --- steps ---

template <typename T>
bool GraphTrainer<T>::update(double rate) {
  const Step now{rate, step_number_ + 1, shares_};
  double faults = 0;
  for (const Layer& layer : layers_) {
    faults += sum_pieces<double>(team_, layer.inputs * layer.outputs, 1, [&](Rows own, unsigned member) {
      const std::size_t first = layer.first + own.first;
      const std::span<const T*> parts = parts_[member];
      for (std::size_t s = 0; s < gradients_; ++s) parts[s] = gradient_.data() + s * parameters_count_ + first;
      const Slice<T> slice{parameters_.data() + first, own.count, parts, state_.data() + first, parameters_count_};
      const bool finite = std::visit([&](const auto& method) { return apply<T>(method, now, slice); }, layer.optimiser);
      return finite ? 0.0 : 1.0;
    });
  }
  of_weights_.advance();
  return faults == 0;
}

template <typename T>
bool GraphTrainer<T>::step(double rate, double& loss) {
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

template <typename T>
void GraphTrainer<T>::run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop,
                          StepsRecord& record) {
  const AtWork here(stop);
  finite_.keep();
  const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) {
    return step(step_size(rates, i), loss) ? training_.size() : 0;
  });
  if (!finite) reset();
}

template <typename T>
ForwardLoss GraphTrainer<T>::evaluate(std::span<const std::int32_t> nodes) {
  const AtWork here;
  const Stamp now(of_weights_);
  if (outputs_made_ != now) forward(false);
  outputs_made_ = now;
  return evaluate_nodes<T>(team_, works_, setup_.network.loss, outputs_.view(), labels_, nodes);
}

template <typename T>
std::vector<Section> GraphTrainer<T>::sections() {
  return {section("parameters", parameters_.span()), section("optimiser", state_.span()),
          section("step", std::span(&step_number_, 1))};
}

template class GraphTrainer<float>;
template class GraphTrainer<double>;

}  // namespace dladmm
