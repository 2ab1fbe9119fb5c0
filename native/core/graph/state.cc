// Storage of the graph splitting: the nodes of every layer, allocation, start, looking in, measuring.
#include "core/graph/state.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "core/graph/kernels.hpp"
#include "core/graph/pass.hpp"

namespace dladmm {
namespace {

template <typename T>
Features<T> features_of(const Features<T>& x, std::span<const std::int32_t> nodes) {
  Features<T> out;
  out.is_sparse = x.is_sparse;
  if (x.is_sparse) {
    out.sparse = with_rows<T>(x.sparse.view(), nodes);
    return out;
  }
  out.dense = Matrix<T>(nodes.size(), x.columns());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::copy_n(x.dense.view().row(static_cast<std::size_t>(nodes[i])), x.columns(), out.dense.view().row(i));
  }
  return out;
}

}  // namespace

template <typename T>
GraphState<T>::GraphState(const GraphSetup& setup, GraphData<T> data)
    : setup_(setup), team_(setup.threads), labels_(std::move(data.labels)), nodes_(setup.network.layers() + 1) {
  const Csr<T> a = normalised_adjacency(data.adjacency.view());
  data.adjacency = {};
  nodes_[depth()] = std::move(data.training);
  propagations_.resize(depth() - 1);
  for (std::size_t l = depth(); l >= 1; --l) {
    Csr<T> rows = with_rows<T>(a.view(), nodes_[l]);
    nodes_[l - 1] = columns_of(rows.view());
    Csr<T> part = with_columns<T>(rows.view(), nodes_[l - 1]);
    if (l == 1) {
      input_ = InputMap<T>(team_, std::move(part), features_of(data.features, nodes_[0]));
    } else {
      propagations_[l - 2] = Propagation<T>(std::move(part));
    }
  }
  forward_ = GraphForward<T>(team_, setup_.network, a, std::move(data.features));
}

template <typename T>
typename GraphState<T>::Sizes GraphState<T>::sizes() const {
  const Network& net = setup_.network;
  Sizes sizes;
  sizes.scratch = input_.scratch_entries(net.outputs(1));
  for (std::size_t l = 1; l <= depth(); ++l) {
    const std::size_t rows = nodes_[l].size() * net.outputs(l);
    sizes.weights = std::max(sizes.weights, net.inputs(l) * net.outputs(l));
    sizes.product = std::max(sizes.product, rows);
    if (l < depth()) sizes.hidden = std::max(sizes.hidden, rows);
    if (l > 1) sizes.scratch = std::max(sizes.scratch, propagation(l).scratch_entries(net.inputs(l), net.outputs(l)));
  }
  if (setup_.output_weights == OutputWeights::quadratic) return sizes;
  const std::size_t training = nodes_[depth()].size();
  const std::size_t inputs = net.inputs(depth());
  sizes.solver.size = std::min(training, inputs);
  sizes.input = training * inputs;
  sizes.right_side = training * net.widths.back();
  return sizes;
}

template <typename T>
double GraphState<T>::required_bytes() const {
  const Network& net = setup_.network;
  const Sizes all = sizes();
  auto entries = static_cast<double>(all.weights + all.hidden + 2 * all.product + all.scratch + all.input +
                                     all.right_side + nodes_[depth()].size() * net.widths.back());
  for (std::size_t l = 1; l <= depth(); ++l) {
    entries += 2 * static_cast<double>(net.outputs(l)) * static_cast<double>(net.inputs(l) + nodes_[l].size());
  }
  return sizeof(T) * entries + GramSolver<T>::required_bytes(all.solver);
}

template <typename T>
void GraphState<T>::allocate() {
  const Network& net = setup_.network;
  const Sizes all = sizes();
  layers_.resize(depth());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.outputs(l);
    it.W = Matrix<T>(net.inputs(l), n);
    std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
    it.finite_W = Matrix<T>(net.inputs(l), n);
    it.Z = Matrix<T>(nodes_[l].size(), n);
    it.P = Matrix<T>(nodes_[l].size(), n);
  }
  u_ = Matrix<T>(nodes_[depth()].size(), net.widths.back());
  direction_ = Buffer<T>(all.weights);
  gradient_ = Buffer<T>(all.hidden);
  image_ = Buffer<T>(all.product);
  pull_ = Buffer<T>(all.product);
  scratch_ = Buffer<T>(all.scratch);
  sums_ = SampleSums<T>(team_.size(), 0, 0, 0);
  works_.assign(team_.size(), std::vector<double>(11 * net.widths.back()));
  solver_ = GramSolver<T>(all.solver);
  if (all.input > 0) h_ = Matrix<T>(nodes_[depth()].size(), net.inputs(depth()));
  right_side_ = Buffer<T>(all.right_side);
}

template <typename T>
void GraphState<T>::propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out) {
  if (l == 1) return input_.forward(team_, v, scratch_.span(), out);
  propagation(l).forward(team_, layer(l - 1).Z.view(), v, scratch_.span(), out);
}

template <typename T>
void GraphState<T>::weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out) {
  if (l == 1) return input_.gradient(team_, g, scratch_.span(), out);
  propagation(l).gradient(team_, layer(l - 1).Z.view(), g, scratch_.span(), out);
}

template <typename T>
double GraphState<T>::square_norm(MatrixView<const T> m) {
  pass(m.rows, [&](unsigned, Rows rows, auto& partial) {
    partial.scalars[kDirection] += graph::square_norm<T>(m.rows_from(rows.first, rows.count));
  });
  return sums_.scalar(kDirection);
}

template <typename T>
void GraphState<T>::step_back(MatrixView<T> target, double c, MatrixView<const T> direction) {
  pass(target.rows, [&](unsigned, Rows rows, auto&) {
    graph::step_back<T>(target.rows_from(rows.first, rows.count), static_cast<T>(c),
                        direction.rows_from(rows.first, rows.count));
  });
}

template <typename T>
void GraphState<T>::start(GraphDual dual) {
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    propagate(l, it.W.view(), it.P.view());
    pass(it.Z.rows(), [&](unsigned, Rows rows, auto&) {
      const MatrixView<T> z = it.Z.view().rows_from(rows.first, rows.count);
      std::copy_n(it.P.view().row(rows.first), z.rows * z.columns, z.data);
      if (!is_output(l)) graph::activate<T>(activation(), z);
    });
    it.last_theta = 0;
    it.last_tau = 0;
  }
  const Matrix<T>& z = layer(depth()).Z;
  pass(z.rows(), [&](unsigned member, Rows rows, auto&) {
    const std::size_t n = z.columns();
    const std::span<double> value = std::span(works_[member]).subspan(0, n);
    const std::span<double> gradient = std::span(works_[member]).subspan(n, n);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      T* const u = u_.view().row(i);
      std::fill_n(u, n, T(0));
      if (dual == GraphDual::zero) continue;
      std::copy_n(z.view().row(i), n, value.begin());
      const auto node = static_cast<std::size_t>(nodes_[depth()][i]);
      loss_and_gradient(setup_.network.loss, value, {labels_[node], {}}, gradient);
      for (std::size_t j = 0; j < n; ++j) u[j] = static_cast<T>(-gradient[j]);
    }
  });
  stale_ = false;
  outputs_known_ = false;
}

template <typename T>
void GraphState<T>::refresh() {
  for (std::size_t l = 1; l <= depth(); ++l) propagate(l, layer(l).W.view(), layer(l).P.view());
  stale_ = false;
}

template <typename T>
void GraphState<T>::refresh_if_stale() {
  if (stale_) refresh();
}

template <typename T>
void GraphState<T>::keep_finite() {
  for (auto& it : layers_) {
    pass(it.W.rows(), [&](unsigned, Rows rows, auto&) {
      std::copy_n(it.W.view().row(rows.first), rows.count * it.W.columns(), it.finite_W.view().row(rows.first));
    });
  }
}

template <typename T>
void GraphState<T>::restore_finite() {
  for (auto& it : layers_) std::copy_n(it.finite_W.flat().data(), it.W.flat().size(), it.W.flat().data());
  stale_ = true;
  outputs_known_ = false;
}

template <typename T>
void GraphState<T>::measure(const GraphPenalties& p, GraphMeasures& measures) {
  refresh_if_stale();
  measures.residual.assign(depth(), 0);
  measures.regularisation = 0;
  double hidden = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (penalty_on(p, l) > 0) measures.regularisation += penalty_on(p, l) / 2 * square_norm(it.W.view());
    if (is_output(l)) continue;
    pass(it.Z.rows(), [&](unsigned, Rows rows, auto& partial) {
      partial.scalars[kResidual] += graph::residual<T>(activation(), it.Z.view().rows_from(rows.first, rows.count),
                                                       it.P.view().rows_from(rows.first, rows.count));
    });
    measures.residual[l - 1] = sums_.scalar(kResidual);
    hidden += p.nu / 2 * measures.residual[l - 1];
  }
  measure_output(measures);
  measures.lagrangian = measures.loss + measures.regularisation + hidden + measures.dual_product +
                        p.rho / 2 * measures.residual[depth() - 1];
}

template <typename T>
std::span<T> GraphState<T>::entries_of(GraphBlock block, std::size_t l) {
  switch (block) {
    case GraphBlock::W:
      return layer(l).W.flat();
    case GraphBlock::Z:
      return layer(l).Z.flat();
    case GraphBlock::U:
      return u_.flat();
  }
  return {};
}

template <typename T>
void GraphState<T>::read(GraphBlock block, std::size_t l, std::span<T> out) {
  const std::span<const T> entries = entries_of(block, l);
  std::copy(entries.begin(), entries.end(), out.begin());
}

template <typename T>
void GraphState<T>::write(GraphBlock block, std::size_t l, std::span<const T> values) {
  std::copy(values.begin(), values.end(), entries_of(block, l).begin());
  stale_ = true;
  if (block == GraphBlock::W) outputs_known_ = false;
}

template <typename T>
ForwardLoss GraphState<T>::evaluate(std::span<const std::int32_t> nodes) {
  if (!outputs_known_) {
    std::vector<MatrixView<const T>> weights;
    for (const auto& it : layers_) weights.push_back(it.W.view());
    outputs_ = forward_.outputs(team_, weights);
    outputs_known_ = true;
  }
  return evaluate_nodes<T>(setup_.network.loss, outputs_, labels_, nodes);
}

template <typename T>
std::vector<Section> GraphState<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    out.push_back(section(section_name("W", l), it.W));
    out.push_back(section(section_name("Z", l), it.Z));
    out.push_back(section(section_name("theta", l), it.last_theta));
    out.push_back(section(section_name("tau", l), it.last_tau));
  }
  out.push_back(section("U", u_));
  return out;
}

template <typename T>
std::vector<Section> GraphState<T>::kept_sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) out.push_back(section(section_name("P", l), layer(l).P));
  return out;
}

template <typename T>
void GraphState<T>::restored() {
  stale_ = true;
  outputs_known_ = false;
  bool mended = false;
  for (auto& it : layers_) {
    for (double* const size : {&it.last_theta, &it.last_tau}) {
      if (*size >= 0 && std::isfinite(*size)) continue;
      *size = 0;
      mended = true;
    }
  }
  if (mended) throw std::domain_error("the size of a step is not a number from 0");
}

template <typename T>
void GraphState<T>::kept_restored() {
  stale_ = false;
}

template class GraphState<float>;
template class GraphState<double>;

}  // namespace dladmm
