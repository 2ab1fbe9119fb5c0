// Storage of the splitting that keeps all constraints: allocation, start, looking in, measuring. The updates are in
// update_*.cc.
#include "core/constraints/state.hpp"

#include <algorithm>
#include <cmath>

#include "core/constraints/pass.hpp"

namespace dladmm::constraints {
namespace {

struct Sizes {
  std::size_t product = 0;  // the largest W_l
  std::size_t gram = 0;     // the largest V_{l-1}ᵀ V_{l-1}
  std::size_t step = 0;     // the largest [W_l b_l]
  std::size_t columns = 0;  // the widest layer, inputs included
  std::size_t matrix = 0;   // the largest matrix to be factored
  std::size_t parameters = 0;

  explicit Sizes(const Network& net) {
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t n = net.inputs(l);
      product = std::max(product, net.outputs(l) * n);
      gram = std::max(gram, n * n);
      step = std::max(step, net.outputs(l) * (n + 1));
      columns = std::max({columns, n, net.outputs(l)});
      matrix = std::max(matrix, n + 1);
      parameters += net.outputs(l) * (n + 1);
    }
  }
};

}  // namespace

template <typename T>
State<T>::State(const Setup& setup, Unallocated) : setup_(setup), team_(setup.threads), layers_(depth()) {}

template <typename T>
State<T>::State(const Setup& setup) : State(setup, Unallocated()) {
  StoragePlan plan;
  declare(plan);
  plan.allocate();
  for (Layer& it : layers_) {
    std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
    finite_.watch(it.W.flat());
    finite_.watch(it.b);
  }
}

template <typename T>
double State<T>::required_bytes(const Setup& setup) {
  StoragePlan plan;
  State(setup, Unallocated()).declare(plan);
  return plan.bytes();
}

template <typename T>
void State<T>::declare(StoragePlan& plan) {
  const Network& net = setup_.network;
  const std::size_t samples = setup_.samples;
  const Sizes sizes(net);
  plan.matrix(x_, samples, net.widths.front());
  plan.matrix(y_, samples, net.widths.back());
  if (net.loss.classifies()) plan.vector(labels_, samples);
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.inputs(l);
    const std::size_t m = net.outputs(l);
    plan.matrix(it.W, m, n);
    plan.vector(it.b, m);
    plan.matrix(it.V, samples, m);
    plan.matrix(it.Lambda, samples, m);
    plan.matrix(it.S, samples, m);
    plan.matrix(it.gradient, m, n + 1);
    plan.matrix(it.gram, n + 1, n + 1);
  }
  plan.buffer(finite_.room, sizes.parameters);
  plan.buffer(step_, sizes.step);
  plan.buffer(step_scratch_, sizes.step);
  plan.vector(columns_, sizes.columns);
  const typename GramSolver<T>::Room room{.size = sizes.matrix};
  plan.other(GramSolver<T>::required_bytes(room), [this, room] { solver_ = GramSolver<T>(room); });
  const SampleCut cut(samples);
  const typename PieceSums<T>::Room sums{sizes.columns, sizes.product, sizes.gram};
  plan.other(PieceSums<T>::required_bytes(cut, sums), [this, cut, sums] { sums_ = PieceSums<T>(cut, sums); });
  const std::size_t widest = *std::max_element(net.widths.begin() + 1, net.widths.end());
  const std::size_t outputs = net.widths.back();
  plan.other(team_.size() * Workspace<T>::required_bytes(cut.pieces.largest(), widest, outputs),
             [this, rows = cut.pieces.largest(), widest, outputs] {
               for (unsigned i = 0; i < team_.size(); ++i) spaces_.emplace_back(rows, widest, outputs);
             });
}

template <typename T>
void State<T>::write_targets() {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    for (std::size_t j = 0; j < y_.columns(); ++j) {
      y_.view().row(i)[j] = setup_.network.loss.is_on(labels_[i], j, y_.columns()) ? T(1) : T(0);
    }
  }
}

template <typename T>
void State<T>::start() {
  const AtWork here;
  write_targets();
  advance_all();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    pass({l}, every_piece(), 0, [&](const Part& part) {
      const MatrixView<T> S = rows_of(it.S, part.rows);
      std::copy_n(S.data, S.rows * S.columns, rows_of(it.V, part.rows).data);
      std::fill_n(rows_of(it.Lambda, part.rows).data, S.rows * S.columns, T(0));
    });
    it.V_version.advance();
    it.Lambda_version.advance();
  }
}

template <typename T>
double State<T>::count(std::size_t Work::*kind, double rows, double columns, double inner) {
  work_.*kind += 1;
  work_.flops += 2 * rows * columns * inner;
  return 2 * rows * columns * inner;
}

template <typename T>
void State<T>::advance_all() {
  x_version_.advance();
  for (Layer& it : layers_) {
    it.W_version.advance();
    it.V_version.advance();
    it.Lambda_version.advance();
  }
}

template <typename T>
void State<T>::note_beta(const Penalties& p) {
  if (p.beta == beta_) return;
  beta_ = p.beta;
  beta_version_.advance();
}

template <typename T>
entrywise::Pair State<T>::weighted_miss(std::size_t l, const Penalties& p, Rows rows, MatrixView<T> D) {
  const Layer& it = layer(l);
  return with_activation<T>(activation_of(l), [&](auto f) {
    return entrywise::sums(
        [f, beta = beta_of(l, p)](T s, T v, T dual, T& d) DLADMM_INLINE {
          const T miss = s - v;
          d = (dual + beta * miss) * f.derivative(s);
          return entrywise::Pair{static_cast<double>(miss) * static_cast<double>(miss),
                                 static_cast<double>(dual) * static_cast<double>(miss)};
        },
        rows_of(it.S, rows), rows_of(it.V, rows), rows_of(it.Lambda, rows), D);
  });
}

template <typename T>
double State<T>::largest_target(std::size_t l, const Penalties& p, Rows rows) {
  return entrywise::largest<T>([inverse = T(1) / beta_of(l, p)](T v, T dual)
                                   DLADMM_INLINE { return std::abs(v - inverse * dual); },
                               rows_of(layer(l).V, rows), rows_of(layer(l).Lambda, rows));
}

template <typename T>
void State<T>::know_slope(std::size_t l, const Penalties& p, Measures* measures) {
  Layer& it = layer(l);
  const bool gradient = it.gradient_made != gradient_stamp(l);
  const bool gram = it.gram_made != Stamp(input_version(l));
  const bool largest = !it.largest.valid(target_stamp(l));
  if (!gradient && !gram && measures == nullptr) return;
  const MatrixView<T> in = input_of(l);
  const std::size_t n = in.columns;
  const std::size_t m = it.b.size();
  const auto samples = static_cast<double>(setup_.samples);
  const auto wide = static_cast<double>(n);
  const bool back = measures != nullptr && l > 1;
  double flops = 0;
  if (gradient) flops += count(&Work::gradient, samples, static_cast<double>(m), wide);
  if (gram) flops += count(&Work::gram, samples, wide, wide / 2);
  if (back) flops += count(&Work::back, samples, wide, static_cast<double>(m));
  const auto work = [&](const Part& part) {
    const MatrixView<T> input = in.rows_from(part.rows.first, part.rows.count);
    const MatrixView<T> D = scratch(part, true, m);
    const entrywise::Pair miss = weighted_miss(l, p, part.rows, D);
    part.sums.scalars[kResidual] = miss.first;
    part.sums.scalars[kDualProduct] = miss.second;
    if (largest) part.sums.scalars[kLargest] = largest_target(l, p, part.rows);
    if (gradient) {
      sums_.add_product(part.group, D, input, part.first);  // n_l x n_{l-1} += Dᵀ V_{l-1}
      elementwise::add_columns<T>(D, std::span(part.sums.columns[1]).first(m));
    }
    if (gram) {
      sums_.add_gram(part.group, input, part.first);  // n_{l-1} x n_{l-1} += V_{l-1}ᵀ V_{l-1}
      elementwise::add_columns<T>(input, std::span(part.sums.columns[0]).first(n));
    }
    if (back) {
      const MatrixView<T> from_above = scratch(part, false, n);
      // samples x n_{l-1} <- (samples x n_l) (n_l x n_{l-1})
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, it.W.view(), T(0), from_above);
      part.sums.scalars[kStationary] = stationarity(l - 1, p, part.rows, from_above);
    }
    if (measures != nullptr && is_output(l)) measure_output(p, part);
  };
  const Pieces groups = gradient || gram ? sums_.cut().segments : every_piece();
  if (back) {
    pass({l - 1, l}, groups, flops, work);
  } else {
    pass({l}, groups, flops, work);
  }

  if (gradient) {
    const MatrixView<T> to = it.gradient.view();
    sums_.product(team_, MatrixView<T>(to.data, m, n, n + 1));
    const std::span<double> columns = std::span(columns_).first(m);
    sums_.columns(1, columns, 1, 0);
    for (std::size_t j = 0; j < m; ++j) to.row(j)[n] = static_cast<T>(columns[j]);
    it.gradient_made = gradient_stamp(l);
  }
  if (gram) {
    const MatrixView<T> to = it.gram.view();
    sums_.gram(team_, MatrixView<T>(to.data, n, n, n + 1));
    const std::span<double> columns = std::span(columns_).first(n);
    sums_.columns(0, columns, 1, 0);
    std::transform(columns.begin(), columns.end(), to.row(n), [](double x) { return static_cast<T>(x); });
    to.row(n)[n] = static_cast<T>(samples);
    it.gram_made = Stamp(input_version(l));
  }
  if (largest) it.largest.set(sums_.largest(kLargest), target_stamp(l));
  if (measures == nullptr) return;
  measures->residual[l - 1] = sums_.scalar(kResidual);
  measures->dual_product += sums_.scalar(kDualProduct);
  if (l > 1) measures->stationary_V[l - 2] = sums_.scalar(kStationary);
  if (is_output(l)) {
    measures->loss = sums_.scalar(kLoss);
    measures->stationary_V[l - 1] = sums_.scalar(kOutputStationary);
    measures->dual_identity = sums_.largest(kIdentity);
  }
}

// ‖back − Λ_l − β_l (S_l − V_l)‖²: what is left of ∂L/∂V_l, with `back` the share of layer l + 1.
template <typename T>
double State<T>::stationarity(std::size_t l, const Penalties& p, Rows rows, MatrixView<const T> back) {
  const Layer& it = layer(l);
  return entrywise::sum(
      [beta = beta_of(l, p)](T g, T s, T v, T dual) DLADMM_INLINE {
        const double rest = static_cast<double>(g - dual - beta * (s - v));
        return rest * rest;
      },
      back, rows_of(it.S, rows), rows_of(it.V, rows), rows_of(it.Lambda, rows));
}

// ½‖V_N − Y‖², ‖V_N − Y − Λ_N − β_N (S_N − V_N)‖² and the largest |Λ_N − (V_N − Y)|.
template <typename T>
void State<T>::measure_output(const Penalties& p, const Part& part) {
  const Layer& it = layer(depth());
  const MatrixView<T> Y = rows_of(y_, part.rows);
  const MatrixView<T> V = rows_of(it.V, part.rows);
  const MatrixView<T> Lambda = rows_of(it.Lambda, part.rows);
  const entrywise::Pair sums = entrywise::sums(
      [beta = p.beta[depth() - 1]](T y, T s, T v, T dual) DLADMM_INLINE {
        const double miss = static_cast<double>(v) - static_cast<double>(y);
        const double rest = miss - static_cast<double>(dual) - beta * (static_cast<double>(s) - static_cast<double>(v));
        return entrywise::Pair{miss * miss / 2, rest * rest};
      },
      Y, rows_of(it.S, part.rows), V, Lambda);
  part.sums.scalars[kLoss] = sums.first;
  part.sums.scalars[kOutputStationary] = sums.second;
  part.sums.scalars[kIdentity] = entrywise::largest<double>(
      [](T y, T v, T dual) DLADMM_INLINE {
        return std::abs(static_cast<double>(dual) - (static_cast<double>(v) - static_cast<double>(y)));
      },
      Y, V, Lambda);
}

template <typename T>
double State<T>::curvature(std::size_t l, const Penalties& p) {
  if (is_output(l)) return 2;
  Layer& it = layer(l);
  if (!it.largest.valid(target_stamp(l))) {
    const double entries = static_cast<double>(setup_.samples) * static_cast<double>(it.b.size());
    pass({}, every_piece(), kFlopsAnEntry * entries,
         [&](const Part& part) { part.sums.scalars[kLargest] = largest_target(l, p, part.rows); });
    it.largest.set(sums_.largest(kLargest), target_stamp(l));
  }
  const double largest = it.largest.value;
  return p.majoriser == Majoriser::largest ? largest : curvature_bound(setup_.network.activation.kind, largest);
}

template <typename T>
void State<T>::measure(const Penalties& p, Measures& measures) {
  const AtWork here;
  note_beta(p);
  measures = {};
  measures.residual.resize(depth());
  measures.stationary_W.resize(depth());
  measures.stationary_V.resize(depth());
  double penalties = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    know_slope(l, p, &measures);
    Layer& it = layer(l);
    const std::size_t n = it.W.columns();
    const double lambda = p.lambda[l - 1];
    double squares = 0;
    double slope = 0;
    for (std::size_t j = 0; j < it.b.size(); ++j) {
      const T* const gradient = it.gradient.view().row(j);
      const T* const w = it.W.view().row(j);
      for (std::size_t k = 0; k <= n; ++k) {
        const auto value = static_cast<double>(k < n ? w[k] : it.b[j]);
        const double g = static_cast<double>(gradient[k]) + lambda * value;
        squares += value * value;
        slope += g * g;
      }
    }
    measures.regularisation += lambda / 2 * squares;
    measures.stationary_W[l - 1] = slope;
    penalties += p.beta[l - 1] / 2 * measures.residual[l - 1];
  }
  for (std::size_t l = 0; l < depth(); ++l) {
    measures.kkt += measures.residual[l] + measures.stationary_W[l] + measures.stationary_V[l];
  }
  measures.lagrangian = measures.loss + measures.regularisation + measures.dual_product + penalties;
}

template <typename T>
std::span<T> State<T>::entries_of(Block block, std::size_t l) {
  Layer& it = layer(l);
  switch (block) {
    case Block::W:
      return it.W.flat();
    case Block::b:
      return it.b;
    case Block::V:
      return it.V.flat();
    case Block::Lambda:
      return it.Lambda.flat();
  }
  return {};
}

template <typename T>
void State<T>::read(Block block, std::size_t l, std::span<T> out) {
  const std::span<const T> entries = entries_of(block, l);
  std::copy(entries.begin(), entries.end(), out.begin());
}

template <typename T>
void State<T>::write(Block block, std::size_t l, std::span<const T> values) {
  std::copy(values.begin(), values.end(), entries_of(block, l).begin());
  Layer& it = layer(l);
  (block == Block::V ? it.V_version : block == Block::Lambda ? it.Lambda_version : it.W_version).advance();
}

template <typename T>
std::vector<Section> State<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    out.push_back(section(section_name("W", l), it.W));
    out.push_back(section(section_name("b", l), it.b));
    out.push_back(section(section_name("V", l), it.V));
    out.push_back(section(section_name("Lambda", l), it.Lambda));
  }
  return out;
}

template <typename T>
void State<T>::restored() {
  write_targets();
  advance_all();
}

template <typename T>
ForwardLoss State<T>::evaluate(MatrixView<const T> x, const Targets<T>& goals) {
  std::vector<LayerParameters<T>> parameters;
  for (const Layer& it : layers_) parameters.push_back({it.W.view(), it.b});
  return dladmm::evaluate<T>(team_, spaces_, sums_.cut().pieces.largest(), parameters, setup_.network.activation,
                             setup_.network.loss, x, goals);
}

template class State<float>;
template class State<double>;

}  // namespace dladmm::constraints
