#include "core/graph/gradient.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <stdexcept>

#include "core/gradient/order.hpp"
#include "core/linalg/blas.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

using blas::Op;

// h <- D(f(z)); z and h may be the same. `first` is the place of the first entry among all of the layer's.
template <typename T, typename F>
struct ActivateAndDrop {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> z, MatrixView<T> h, Dropout dropout,
                                                std::size_t first) {
    for (std::size_t i = 0; i < h.rows; ++i) {
      const T* const zi = z.row(i);
      T* const hi = h.row(i);
      const std::size_t at = first + i * h.columns;
#pragma omp simd
      for (std::size_t j = 0; j < h.columns; ++j) hi[j] = dropout.factor<T>(at + j) * f.value(zi[j]);
    }
  }
};

template <typename T, typename F>
struct Activate {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> z, MatrixView<T> h) {
    for (std::size_t i = 0; i < h.rows; ++i) {
      const T* const zi = z.row(i);
      T* const hi = h.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < h.columns; ++j) hi[j] = f.value(zi[j]);
    }
  }
};

// δ <- δ ∘ D' ∘ f'(z), from y = D(f(z)), which times `undo` = 1 − p is f(z) wherever D' is not zero, or from z itself
// with `undo` = 1.
template <typename T, typename F>
struct TimesDropAndDerivative {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<T> delta, MatrixView<const T> y, T undo,
                                                Dropout dropout, std::size_t first) {
    for (std::size_t i = 0; i < delta.rows; ++i) {
      T* const di = delta.row(i);
      const T* const yi = y.row(i);
      const std::size_t at = first + i * delta.columns;
#pragma omp simd
      for (std::size_t j = 0; j < delta.columns; ++j) {
        di[j] *= dropout.factor<T>(at + j) * f.derivative(undo * yi[j]);
      }
    }
  }
};

template <typename T, typename F>
struct TimesDerivative {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<T> delta, MatrixView<const T> y) {
    for (std::size_t i = 0; i < delta.rows; ++i) {
      T* const di = delta.row(i);
      const T* const yi = y.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < delta.columns; ++j) di[j] *= f.derivative(yi[j]);
    }
  }
};

// out <- D(x), entry by entry from number `first` on
template <typename T>
struct Drop {
  [[gnu::always_inline]] static inline void run(const T* x, std::size_t count, T* out, Dropout dropout,
                                                std::size_t first) {
#pragma omp simd
    for (std::size_t k = 0; k < count; ++k) out[k] = dropout.factor<T>(first + k) * x[k];
  }
};

std::size_t gradients_of(const Optimiser& optimiser) {
  return std::visit([](const auto& method) { return method.gradients(); }, optimiser);
}
std::size_t states_of(const Optimiser& optimiser) {
  return std::visit([](const auto& method) { return method.states(); }, optimiser);
}

// What a setup comes to, in numbers of entries.
struct Plan {
  std::size_t parameters = 0;
  std::size_t widest_scratch = 0;   // columns of what is projected before it is multiplied by Ã, or after
  std::size_t largest_product = 0;  // of a sum over the nodes of dense products
  std::size_t columns = 0;          // of the matrices with a row a node

  static Plan of(const GraphTrainerSetup& setup, bool sparse_input) {
    const Network& net = setup.network;
    Plan plan;
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t in = net.inputs(l);
      const std::size_t out = net.outputs(l);
      if (in > (std::numeric_limits<std::size_t>::max() / sizeof(double) - plan.parameters) / out)
        throw std::bad_alloc();
      plan.parameters += in * out;
      const bool dense = l > 1 || !sparse_input;
      plan.widest_scratch = std::max(plan.widest_scratch, weights_first(net, l, sparse_input) ? out : in);
      if (dense) plan.largest_product = std::max(plan.largest_product, in * out);
      plan.columns += out;  // δ
      if (dense && (l > 1 || setup.dropout > 0)) plan.columns += in;
      if (!weights_first(net, l, sparse_input)) plan.columns += in;
      if (l < net.layers() && !net.activation.keeps_sign()) plan.columns += out;
    }
    plan.columns += net.outputs(net.layers()) + plan.widest_scratch;
    return plan;
  }

  // Sparse features are never smoothed: that would fill them up.
  static bool weights_first(const Network& net, std::size_t l, bool sparse_input) {
    return net.outputs(l) <= net.inputs(l) || (l == 1 && sparse_input);
  }
};

}  // namespace

template <typename T>
GraphTrainer<T>::GraphTrainer(const GraphTrainerSetup& setup, GraphData<T> data)
    : setup_(setup),
      a_(normalised_adjacency(data.adjacency.view())),
      x_(std::move(data.features)),
      labels_(std::move(data.labels)),
      training_(std::move(data.training)),
      gradients_(gradients_of(setup.optimiser)),
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
}

template <typename T>
double GraphTrainer<T>::required_bytes() const {
  const Plan plan = Plan::of(setup_, sparse_input());
  double bytes = 0;
  if (sparse_input()) {
    const auto entry = static_cast<double>(sizeof(T) + sizeof(std::int32_t));
    bytes +=
        static_cast<double>(x_.sparse.entries()) * entry * (drops() ? 2 : 1) + 8 * static_cast<double>(x_.columns());
  }
  const std::size_t vectors = 2 + states_of(setup_.optimiser) + gradients_;
  bytes += sizeof(T) * static_cast<double>(plan.parameters) * static_cast<double>(vectors);
  bytes += sizeof(T) * static_cast<double>(plan.columns) * static_cast<double>(nodes());
  return bytes + sizeof(T) * static_cast<double>(plan.largest_product) * team_.size();
}

template <typename T>
void GraphTrainer<T>::allocate() {
  const Network& net = setup_.network;
  const std::size_t n = nodes();
  const Plan plan = Plan::of(setup_, sparse_input());
  parameters_count_ = plan.parameters;
  std::size_t first = 0;
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    Layer layer;
    layer.inputs = net.inputs(l);
    layer.outputs = net.outputs(l);
    layer.first = first;
    layer.weights_first = Plan::weights_first(net, l, sparse_input());
    if (l > 1 || (!sparse_input() && drops())) layer.input = Matrix<T>(n, layer.inputs);
    if (!layer.weights_first) layer.smoothed = Matrix<T>(n, layer.inputs);
    if (l < net.layers() && !net.activation.keeps_sign()) layer.z = Matrix<T>(n, layer.outputs);
    layer.delta = Matrix<T>(n, layer.outputs);
    first += layer.inputs * layer.outputs;
    layers_.push_back(std::move(layer));
    Optimiser optimiser = setup_.optimiser;
    std::visit([&](auto& method) { method.weight_decay = setup_.weight_decay[l - 1]; }, optimiser);
    optimisers_.push_back(optimiser);
  }
  // Only the rows of training nodes are ever written.
  std::fill_n(layers_.back().delta.flat().data(), layers_.back().delta.flat().size(), T(0));

  if (sparse_input()) {
    const CsrView<T> x = x_.sparse.view();
    by_feature_ = transposed(x);
    if (drops()) {
      dropped_.resize(x.entries());
      std::vector<double> places(x.entries());
      std::iota(places.begin(), places.end(), 0.0);
      const Csr<double> moved = transposed(CsrView<double>{x.rows, x.columns, x.indptr, x.indices, places});
      entry_of_.assign(moved.values.begin(), moved.values.end());
    }
  }
  outputs_ = Matrix<T>(n, net.widths.back());
  scratch_ = Buffer<T>(n * plan.widest_scratch);
  const auto vectors = [&](std::size_t count) {
    if (count != 0 && parameters_count_ > std::numeric_limits<std::size_t>::max() / count) throw std::bad_alloc();
    return Buffer<T>(count * parameters_count_);
  };
  parameters_ = vectors(1);
  finite_ = vectors(1);
  state_ = vectors(states_of(setup_.optimiser));
  gradient_ = vectors(gradients_);
  std::fill_n(parameters_.data(), parameters_.size(), T(0));
  sums_ = SampleSums<T>(team_.size(), 0, plan.largest_product, 0);
  members_ = std::vector<Member>(team_.size());
  for (Member& member : members_) {
    member.work.resize(2 * net.widths.back());
    member.parts.resize(gradients_);
  }
  reset();
}

template <typename T>
MatrixView<T> GraphTrainer<T>::weights_of(std::size_t l) const {
  const Layer& layer = layers_[l - 1];
  return {parameters_.data() + layer.first, layer.inputs, layer.outputs};
}

template <typename T>
MatrixView<T> GraphTrainer<T>::scratch(std::size_t columns) const {
  return {scratch_.data(), nodes(), columns};
}

template <typename T>
std::span<const T> GraphTrainer<T>::weights(std::size_t l) const {
  return weights_of(l).flat();
}

template <typename T>
void GraphTrainer<T>::write_weights(std::size_t l, std::span<const T> values) {
  std::copy(values.begin(), values.end(), weights_of(l).data);
  current_ = false;
}

template <typename T>
void GraphTrainer<T>::reset() {
  const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
  std::fill_n(state_.data(), state_.size(), static_cast<T>(first));
  step_number_ = 0;
}

template <typename T>
template <typename Body>
void GraphTrainer<T>::each_share(Body&& body) {
  team_.run([&](unsigned member) {
    SampleBlocks{nodes(), nodes()}.each(member, team_.size(), [&](Rows rows) { body(rows, member); });
  });
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
  if (training && drops()) drop_features();
  for (std::size_t l = 1; l <= depth(); ++l) {
    project(l, training);
    if (l < depth()) activate(l, training);
  }
}

template <typename T>
void GraphTrainer<T>::drop_features() {
  const Dropout dropout = dropout_of(1);
  if (!sparse_input()) {
    const MatrixView<const T> x = x_.dense.view();
    each_share([&](Rows rows, unsigned) {
      simd::run<Drop<T>>(x.row(rows.first), rows.count * x.columns, layers_[0].input.view().row(rows.first), dropout,
                         rows.first * x.columns);
    });
    return;
  }
  const auto shares = [&](auto&& body) {
    const std::size_t entries = dropped_.size();
    team_.run([&](unsigned member) { SampleBlocks{entries, entries}.each(member, team_.size(), body); });
  };
  shares([&](Rows own) {
    simd::run<Drop<T>>(static_cast<const T*>(x_.sparse.values.data()) + own.first, own.count,
                       dropped_.data() + own.first, dropout, own.first);
  });
  shares([&](Rows own) {
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
  const auto times_weights = [&](MatrixView<const T> from, MatrixView<T> to) {
    each_share([&](Rows rows, unsigned) {
      blas::gemm<T>(Op::none, Op::none, T(1), from.rows_from(rows.first, rows.count), w, T(0),
                    to.rows_from(rows.first, rows.count));
    });
  };
  const MatrixView<T> out = target_of(l);
  if (!layer.weights_first) {
    multiply<T>(team_, a_.view(), input_of(l, training), layer.smoothed.view());
    return times_weights(layer.smoothed.view(), out);
  }
  const MatrixView<T> projected = scratch(layer.outputs);
  if (l == 1 && sparse_input()) {
    CsrView<T> x = x_.sparse.view();
    if (training && drops()) x.values = dropped_;
    multiply<T>(team_, x, w, projected);
  } else {
    times_weights(input_of(l, training), projected);
  }
  multiply<T>(team_, a_.view(), projected, out);
}

template <typename T>
void GraphTrainer<T>::activate(std::size_t l, bool training) {
  const MatrixView<const T> z = target_of(l);
  const MatrixView<T> h = layers_[l].input.view();
  const Dropout dropout = dropout_of(l + 1);
  with_activation<T>(setup_.network.activation, [&]<typename F>(F f) {
    each_share([&](Rows rows, unsigned) {
      const MatrixView<const T> from = z.rows_from(rows.first, rows.count);
      const MatrixView<T> to = h.rows_from(rows.first, rows.count);
      if (training && drops()) {
        simd::run<ActivateAndDrop<T, F>>(f, from, to, dropout, rows.first * h.columns);
      } else {
        simd::run<Activate<T, F>>(f, from, to);
      }
    });
  });
}

// --- backward ---

template <typename T>
double GraphTrainer<T>::start_backward(std::size_t s) {
  const std::size_t count = training_.size();
  const Rows part = sub_batch(count, gradients_, s);
  const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(count);
  const double scale = terms / static_cast<double>(part.count);
  const std::size_t n = outputs_.columns();
  const MatrixView<T> delta = layers_.back().delta.view();
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.sum = {};
    const std::span<double> z = std::span(member.work).first(n);
    const std::span<double> gradient = std::span(member.work).last(n);
    SampleBlocks{count, count}.each(index, team_.size(), [&](Rows own) {
      for (std::size_t i = own.first; i < own.first + own.count; ++i) {
        const auto node = static_cast<std::size_t>(training_[i]);
        T* const to = delta.row(node);
        if (i < part.first || i >= part.first + part.count) {
          std::fill_n(to, n, T(0));
          continue;
        }
        std::copy_n(outputs_.view().row(node), n, z.data());
        member.sum.loss += loss_and_gradient(setup_.network.loss, z, {labels_[node], {}}, gradient);
        for (std::size_t j = 0; j < n; ++j) to[j] = static_cast<T>(scale * gradient[j]);
      }
    });
  });
  double loss = 0;
  for (const Member& member : members_) loss += member.sum.loss;
  return loss;
}

template <typename T>
void GraphTrainer<T>::backward(std::size_t s) {
  for (std::size_t l = depth(); l >= 1; --l) {
    const Layer& layer = layers_[l - 1];
    const MatrixView<T> gradient(gradient_.data() + s * parameters_count_ + layer.first, layer.inputs, layer.outputs);
    MatrixView<const T> g = layer.delta.view();
    if (layer.weights_first) {
      multiply<T>(team_, a_.view(), g, scratch(layer.outputs));
      g = scratch(layer.outputs);
    }
    if (l == 1 && sparse_input()) {
      multiply<T>(team_, by_feature_.view(), g, gradient);
    } else {
      sum_product(layer.weights_first ? input_of(l, true) : layer.smoothed.view(), g, gradient);
    }
    if (l > 1) pass_back(l, g);
  }
}

template <typename T>
void GraphTrainer<T>::sum_product(MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> out) {
  sums_.clear();
  each_share([&](Rows rows, unsigned member) {
    sums_.of(member).product.add(a.rows_from(rows.first, rows.count), b.rows_from(rows.first, rows.count));
  });
  sums_.product(team_, out);
}

template <typename T>
void GraphTrainer<T>::pass_back(std::size_t l, MatrixView<const T> g) {
  const Layer& layer = layers_[l - 1];
  const Layer& below = layers_[l - 2];
  const MatrixView<T> delta = below.delta.view();
  const MatrixView<T> product = layer.weights_first ? delta : scratch(layer.inputs);
  each_share([&](Rows rows, unsigned) {
    blas::gemm<T>(Op::none, Op::transpose, T(1), g.rows_from(rows.first, rows.count), weights_of(l), T(0),
                  product.rows_from(rows.first, rows.count));
  });
  if (!layer.weights_first) multiply<T>(team_, a_.view(), product, delta);
  const MatrixView<const T> y = below.z.empty() ? layer.input.view() : below.z.view();
  const T undo = static_cast<T>(below.z.empty() ? 1 - setup_.dropout : 1);
  const Dropout dropout = dropout_of(l);
  with_activation<T>(setup_.network.activation, [&]<typename F>(F f) {
    each_share([&](Rows rows, unsigned) {
      const MatrixView<T> to = delta.rows_from(rows.first, rows.count);
      const MatrixView<const T> from = y.rows_from(rows.first, rows.count);
      if (drops()) {
        simd::run<TimesDropAndDerivative<T, F>>(f, to, from, undo, dropout, rows.first * delta.columns);
      } else {
        simd::run<TimesDerivative<T, F>>(f, to, from);
      }
    });
  });
}

// --- steps ---

template <typename T>
bool GraphTrainer<T>::update(double rate) {
  for (std::size_t s = 0; s < gradients_; ++s) {
    const std::size_t count = training_.size();
    shares_[s] = static_cast<double>(sub_batch(count, gradients_, s).count) / static_cast<double>(count);
  }
  const Step now{rate, step_number_ + 1, shares_};
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.finite = true;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const Layer& layer = layers_[l - 1];
      const std::size_t count = layer.inputs * layer.outputs;
      SampleBlocks{count, count}.each(index, team_.size(), [&](Rows own) {
        const std::size_t first = layer.first + own.first;
        for (std::size_t s = 0; s < gradients_; ++s) {
          member.parts[s] = gradient_.data() + s * parameters_count_ + first;
        }
        const Slice<T> slice{parameters_.data() + first, own.count, member.parts, state_.data() + first,
                             parameters_count_};
        const bool finite =
            std::visit([&](const auto& method) { return apply<T>(method, now, slice); }, optimisers_[l - 1]);
        member.finite = member.finite && finite;
      });
    }
  });
  return std::all_of(members_.begin(), members_.end(), [](const Member& member) { return member.finite; });
}

template <typename T>
bool GraphTrainer<T>::step(double rate, double& loss) {
  current_ = false;
  forward(true);
  for (std::size_t s = 0; s < gradients_; ++s) {
    // Fewer training nodes than sub-batches: what has no samples has no gradient.
    if (sub_batch(training_.size(), gradients_, s).count == 0) continue;
    loss += start_backward(s);
    if (!std::isfinite(loss)) return false;
    backward(s);
  }
  if (!update(rate)) {
    std::copy_n(finite_.data(), finite_.size(), parameters_.data());
    return false;
  }
  ++step_number_;
  return true;
}

template <typename T>
void GraphTrainer<T>::run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop,
                          StepsRecord& record) {
  const auto began = std::chrono::steady_clock::now();
  record = {};
  std::copy_n(parameters_.data(), parameters_.size(), finite_.data());
  for (std::size_t i = 0; i < count; ++i) {
    record.stopped = stop.load(std::memory_order_relaxed);
    if (record.stopped) break;
    double loss = 0;
    record.diverged = !step(rates.empty() ? 0 : rates[rates.size() == 1 ? 0 : i], loss);
    if (record.diverged) break;
    record.loss += loss;
    record.samples += training_.size();
    ++record.steps;
  }
  if (record.diverged) reset();
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

template <typename T>
ForwardLoss GraphTrainer<T>::evaluate(std::span<const std::int32_t> nodes) {
  if (!current_) forward(false);
  current_ = true;
  const std::size_t n = outputs_.columns();
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.sum = {};
    const std::span<double> z = std::span(member.work).first(n);
    SampleBlocks{nodes.size(), std::max<std::size_t>(nodes.size(), 1)}.each(index, team_.size(), [&](Rows own) {
      for (std::size_t i = own.first; i < own.first + own.count; ++i) {
        const auto node = static_cast<std::size_t>(nodes[i]);
        const std::int32_t label = labels_[node];
        std::copy_n(outputs_.view().row(node), n, z.data());
        member.sum.loss += loss_and_gradient(setup_.network.loss, z, {label, {}}, std::span(member.work).last(n));
        member.sum.correct += is_correct(setup_.network.loss, z, label) ? 1 : 0;
      }
    });
  });
  ForwardLoss total;
  for (const Member& member : members_) {
    total.loss += member.sum.loss;
    total.correct += member.sum.correct;
  }
  return total;
}

template <typename T>
std::vector<Section> GraphTrainer<T>::sections() {
  return {section("parameters", parameters_.span()), section("optimiser", state_.span()),
          section("step", std::span(&step_number_, 1))};
}

template class GraphTrainer<float>;
template class GraphTrainer<double>;

}  // namespace dladmm
