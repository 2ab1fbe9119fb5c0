// Storage of the splitting that keeps all constraints: allocation, start, looking in, measuring. The updates are in
// update_*.cc.
#include "core/constraints/state.hpp"

#include <algorithm>
#include <cmath>

#include "core/constraints/kernels.hpp"
#include "core/constraints/pass.hpp"

namespace dladmm::constraints {
namespace {

// Large enough that the products of a block run at full speed, small enough that its rows stay near the cores.
constexpr std::size_t kBlock = 1024;

std::size_t widest_output(const Network& network) {
  return *std::max_element(network.widths.begin() + 1, network.widths.end());
}

std::size_t block_size(const Setup& setup) {
  const std::size_t threads = std::max(setup.threads, 1U);
  const std::size_t share = setup.samples / threads + (setup.samples % threads == 0 ? 0 : 1);
  return std::clamp<std::size_t>(share, 1, kBlock);
}

struct Sizes {
  std::size_t product = 0;  // the largest W_l
  std::size_t gram = 0;     // the largest V_{l-1}ᵀ V_{l-1}
  std::size_t step = 0;     // the largest [W_l b_l]
  std::size_t columns = 0;  // the widest layer, inputs included
  std::size_t matrix = 0;   // the largest matrix to be factored

  explicit Sizes(const Network& net) {
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t n = net.inputs(l);
      product = std::max(product, net.outputs(l) * n);
      gram = std::max(gram, n * n);
      step = std::max(step, net.outputs(l) * (n + 1));
      columns = std::max({columns, n, net.outputs(l)});
      matrix = std::max(matrix, n + 1);
    }
  }
};

}  // namespace

template <typename T>
double State<T>::required_bytes(const Setup& setup) {
  const Network& net = setup.network;
  const auto number = [](std::size_t n) { return static_cast<double>(n); };
  const double samples = number(setup.samples);
  double sample_columns = number(net.widths.front() + net.widths.back());  // X, Y
  double parameters = 0;
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    const double n = number(net.inputs(l)) + 1;
    const double m = number(net.outputs(l));
    sample_columns += 3 * m;
    parameters += 3 * m * n + n * n;
  }
  const Sizes sizes(net);
  const double per_member =
      number(sizes.product) + number(sizes.gram) + 2 * number(block_size(setup)) * number(widest_output(net));
  const double doubles = setup.threads * (2 * number(sizes.columns) + 12 * number(net.widths.back()));
  const typename GramSolver<T>::Room room{.size = sizes.matrix};
  return sizeof(T) * (samples * sample_columns + parameters + 2 * number(sizes.step) + setup.threads * per_member) +
         GramSolver<T>::required_bytes(room) + sizeof(double) * doubles +
         sizeof(std::int32_t) * (net.loss.classifies() ? samples : 0);
}

template <typename T>
State<T>::State(const Setup& setup)
    : setup_(setup), block_(block_size(setup)), team_(setup.threads), blocks_{setup.samples, block_} {
  const Network& net = setup_.network;
  const std::size_t samples = setup_.samples;
  const Sizes sizes(net);
  x_ = Matrix<T>(samples, net.widths.front());
  y_ = Matrix<T>(samples, net.widths.back());
  if (net.loss.classifies()) labels_.resize(samples);
  layers_.resize(depth());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.inputs(l);
    const std::size_t m = net.outputs(l);
    it.W = Matrix<T>(m, n);
    std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
    it.finite_W = Matrix<T>(m, n);
    it.b.resize(m);
    it.finite_b.resize(m);
    it.V = Matrix<T>(samples, m);
    it.Lambda = Matrix<T>(samples, m);
    it.S = Matrix<T>(samples, m);
    it.gradient = Matrix<T>(m, n + 1);
    it.gram = Matrix<T>(n + 1, n + 1);
  }
  solver_ = GramSolver<T>({.size = sizes.matrix});
  step_ = Buffer<T>(sizes.step);
  step_scratch_ = Buffer<T>(sizes.step);
  // Last, because these are filled at once: where the memory does not suffice, the matrices above have said so.
  sums_ = SampleSums<T>(team_.size(), sizes.columns, sizes.product, sizes.gram);
  spaces_.reserve(team_.size());
  for (unsigned member = 0; member < team_.size(); ++member) {
    spaces_.emplace_back(block_, widest_output(net), net.widths.back());
  }
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
  write_targets();
  change_all();
  layer(1).gram_known = false;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    pass({l}, [&](unsigned, Rows rows, Partial&) {
      const MatrixView<T> S = rows_of(it.S, rows);
      std::copy_n(S.data, S.rows * S.columns, rows_of(it.V, rows).data);
      std::fill_n(rows_of(it.Lambda, rows).data, S.rows * S.columns, T(0));
    });
  }
  change_all();
}

template <typename T>
void State<T>::count(std::size_t Work::*kind, double rows, double columns, double inner) {
  work_.*kind += 1;
  work_.flops += 2 * rows * columns * inner;
}

template <typename T>
void State<T>::changed_W(std::size_t l) {
  layer(l).product_due = true;
  layer(l).gradient_known = false;
}

template <typename T>
void State<T>::changed_V(std::size_t l) {
  layer(l).gradient_known = false;
  layer(l).largest_known = false;
  if (is_output(l)) return;
  changed_W(l + 1);
  layer(l + 1).gram_known = false;
}

template <typename T>
void State<T>::changed_Lambda(std::size_t l) {
  layer(l).gradient_known = false;
  layer(l).largest_known = false;
}

template <typename T>
void State<T>::change_all() {
  for (std::size_t l = 1; l <= depth(); ++l) {
    changed_W(l);
    changed_V(l);
  }
}

// D and the largest targets depend on β.
template <typename T>
void State<T>::note_beta(const Penalties& p) {
  if (p.beta == beta_) return;
  beta_ = p.beta;
  for (std::size_t l = 1; l <= depth(); ++l) changed_Lambda(l);
}

template <typename T>
void State<T>::know_slope(std::size_t l, const Penalties& p, Measures* measures) {
  Layer& it = layer(l);
  const bool gradient = !it.gradient_known;
  const bool gram = !it.gram_known;
  if (!gradient && !gram && measures == nullptr) return;
  const MatrixView<T> in = input_of(l);
  const std::size_t n = in.columns;
  const std::size_t m = it.b.size();
  const T beta = beta_of(l, p);
  const Activation activation = activation_of(l);
  const auto work = [&](unsigned member, Rows rows, Partial& partial) {
    const MatrixView<T> input = in.rows_from(rows.first, rows.count);
    const MatrixView<T> S = rows_of(it.S, rows);
    const MatrixView<T> V = rows_of(it.V, rows);
    const MatrixView<T> dual = rows_of(it.Lambda, rows);
    const MatrixView<T> D = scratch(member, true, rows.count, m);
    const auto sums = kernels::weighted_miss<T>(activation, S, V, dual, beta, D);
    partial.scalars[kResidual] += sums.residual;
    partial.scalars[kDualProduct] += sums.dual_product;
    double& largest = partial.scalars[kLargest];
    if (!(sums.largest <= largest) && !std::isnan(largest)) largest = sums.largest;
    if (gradient) {
      partial.product.add(D, input);
      kernels::add_columns<T>(D, partial.columns[1]);
    }
    if (gram) {
      partial.gram.add_gram(input);
      kernels::add_columns<T>(input, partial.columns[0]);
    }
    if (measures == nullptr) return;
    if (l > 1) {
      Layer& below = layer(l - 1);
      const MatrixView<T> back = scratch(member, false, rows.count, n);
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, it.W.view(), T(0), back);
      partial.scalars[kStationary] += kernels::stationarity<T>(back, rows_of(below.S, rows), rows_of(below.V, rows),
                                                               rows_of(below.Lambda, rows), beta_of(l - 1, p));
    }
    if (is_output(l)) {
      const auto output = kernels::output_measures<T>(rows_of(y_, rows), S, V, dual, beta);
      partial.scalars[kLoss] += output.loss;
      partial.scalars[kOutputStationary] += output.stationarity;
      double& off = partial.scalars[kIdentity];
      if (!(output.identity <= off) && !std::isnan(off)) off = output.identity;
    }
  };
  if (measures != nullptr && l > 1) {
    pass({l - 1, l}, work);
  } else {
    pass({l}, work);
  }

  const auto samples = static_cast<double>(setup_.samples);
  if (gradient) {
    const MatrixView<T> to = it.gradient.view();
    sums_.product(team_, MatrixView<T>(to.data, m, n, n + 1));
    std::vector<double> columns(m);
    sums_.columns(1, columns, 1, 0);
    for (std::size_t j = 0; j < m; ++j) to.row(j)[n] = static_cast<T>(columns[j]);
    it.gradient_known = true;
    count(&Work::gradient, samples, static_cast<double>(m), static_cast<double>(n));
  }
  if (gram) {
    const MatrixView<T> to = it.gram.view();
    sums_.gram(team_, MatrixView<T>(to.data, n, n, n + 1));
    std::vector<double> columns(n);
    sums_.columns(0, columns, 1, 0);
    std::transform(columns.begin(), columns.end(), to.row(n), [](double x) { return static_cast<T>(x); });
    to.row(n)[n] = static_cast<T>(samples);
    it.gram_known = true;
    count(&Work::gram, samples, static_cast<double>(n), static_cast<double>(n) / 2);
  }
  it.largest = sums_.largest(kLargest);
  it.largest_known = true;
  if (measures == nullptr) return;
  measures->residual[l - 1] = sums_.scalar(kResidual);
  measures->dual_product += sums_.scalar(kDualProduct);
  if (l > 1) {
    measures->stationary_V[l - 2] = sums_.scalar(kStationary);
    count(&Work::back, samples, static_cast<double>(n), static_cast<double>(m));
  }
  if (is_output(l)) {
    measures->loss = sums_.scalar(kLoss);
    measures->stationary_V[l - 1] = sums_.scalar(kOutputStationary);
    measures->dual_identity = sums_.largest(kIdentity);
  }
}

template <typename T>
double State<T>::curvature(std::size_t l, const Penalties& p) {
  if (is_output(l)) return 2;
  Layer& it = layer(l);
  if (!it.largest_known) {
    pass({}, [&](unsigned, Rows rows, Partial& partial) {
      const double found = kernels::largest_target<T>(rows_of(it.V, rows), rows_of(it.Lambda, rows), beta_of(l, p));
      double& largest = partial.scalars[kLargest];
      if (!(found <= largest) && !std::isnan(largest)) largest = found;
    });
    it.largest = sums_.largest(kLargest);
    it.largest_known = true;
  }
  return p.majoriser == Majoriser::largest ? it.largest : curvature_bound(setup_.network.activation.kind, it.largest);
}

template <typename T>
void State<T>::measure(const Penalties& p, Measures& measures) {
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
void State<T>::keep_finite() {
  for (Layer& it : layers_) {
    std::copy_n(it.W.flat().data(), it.W.flat().size(), it.finite_W.flat().data());
    std::copy(it.b.begin(), it.b.end(), it.finite_b.begin());
  }
}

template <typename T>
void State<T>::restore_finite() {
  for (Layer& it : layers_) {
    std::copy_n(it.finite_W.flat().data(), it.finite_W.flat().size(), it.W.flat().data());
    std::copy(it.finite_b.begin(), it.finite_b.end(), it.b.begin());
  }
  change_all();
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
  change_all();
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
  change_all();
  layer(1).gram_known = false;
}

template <typename T>
ForwardLoss State<T>::evaluate(MatrixView<const T> x, const Targets<T>& goals) {
  std::vector<LayerParameters<T>> parameters;
  for (const Layer& it : layers_) parameters.push_back({it.W.view(), it.b});
  return dladmm::evaluate<T>(team_, spaces_, block_, parameters, setup_.network.activation, setup_.network.loss, x,
                             goals);
}

template class State<float>;
template class State<double>;

}  // namespace dladmm::constraints
