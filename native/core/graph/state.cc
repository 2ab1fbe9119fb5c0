// The graph splitting: the nodes of every layer, what is made of what, start, looking in, measuring.
#include "core/graph/state.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "core/functions/elementwise.hpp"
#include "core/linalg/tiled.hpp"

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
  declare();
}

template <typename T>
void GraphState<T>::declare() {
  const Network& net = setup_.network;
  std::size_t weights = 0, largest_weights = 0, hidden = 0, product = 0;
  std::size_t scratch = input_.scratch_entries(net.outputs(1));
  layers_.resize(depth());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t in = net.inputs(l), out = net.outputs(l), rows = node_count(l);
    plan_.matrix(it.W, in, out);
    plan_.matrix(it.Z.matrix, rows, out);
    plan_.matrix(it.P.matrix, rows, out);
    // What (Ã Z)ᵀ G is summed over: the rows of Ã Z, or of Z.
    const std::size_t over =
        l > 1 && propagation(l).order(Propagation<T>::Map::weights, in, out) == Order::weights_first ? node_count(l - 1)
                                                                                                     : rows;
    typename PieceSums<T>::Room room;
    if (summed_by_segments(over, in, out)) room.product = in * out;
    // And HᵀH of the exact W_L.
    const bool exact = is_output(l) && setup_.output_weights == OutputWeights::cholesky;
    if (exact && summed_by_segments(over, in, in)) room.product = std::max(room.product, in * in);
    plan_.other(PieceSums<T>::required_bytes(SampleCut(over), room),
                [&it, over, room] { it.sums = PieceSums<T>(SampleCut(over), room); });
    weights += in * out;
    largest_weights = std::max(largest_weights, in * out);
    product = std::max(product, rows * out);
    if (l < depth()) hidden = std::max(hidden, rows * out);
    if (l > 1) scratch = std::max(scratch, propagation(l).scratch_entries(in, out));
  }
  plan_.matrix(u_, node_count(depth()), net.widths.back());
  plan_.buffer(finite_.room, weights);
  plan_.buffer(direction_, largest_weights);
  plan_.buffer(gradient_, hidden);
  plan_.buffer(image_, product);
  plan_.buffer(pull_, product);
  plan_.buffer(scratch_, scratch);
  if (setup_.output_weights == OutputWeights::quadratic) return;
  plan_.buffer(right_side_, node_count(depth()) * net.widths.back());
  typename GramSolver<T>::Room room;
  room.size = std::min(node_count(depth()), net.inputs(depth()));
  plan_.other(GramSolver<T>::required_bytes(room), [this, room] { solver_ = GramSolver<T>(room); });
}

template <typename T>
void GraphState<T>::allocate() {
  plan_.allocate();
  for (Layer& it : layers_) {
    for (const Matrix<T>* m : {&it.W, &it.Z.matrix, &it.P.matrix}) std::fill(m->flat().begin(), m->flat().end(), T(0));
    finite_.watch(it.W.flat());
  }
  std::fill(u_.flat().begin(), u_.flat().end(), T(0));
  const std::size_t n = setup_.network.widths.back();
  works_.assign(team_.size(), std::vector<double>(OutputWork::size(n)));
}

// --- what is made of what ---

template <typename T>
void GraphState<T>::DueStep::on(Rows rows) const {
  if (scale == T(0)) return;
  elementwise::step_back<T>(target.rows_from(rows.first, rows.count), scale,
                            direction.rows_from(rows.first, rows.count));
}

template <typename T>
void GraphState<T>::changed_W(std::size_t l) {
  layer(l).of_W.advance();
  of_weights_.advance();
}

template <typename T>
typename GraphState<T>::DueStep GraphState<T>::due(Kept& kept, const Stamp& now) {
  DueStep step;
  if (kept.late.applies(kept.made, now)) step = {kept.late.scale, kept.view(), kept.direction};
  kept.made = now;
  return step;
}

template <typename T>
typename GraphState<T>::DueStep GraphState<T>::due_on_P(std::size_t l) {
  Layer& it = layer(l);
  const Stamp now = stamp_of_P(l);
  if (it.P.made != now && !it.P.late.applies(it.P.made, now)) {
    propagate(l, it.W.view(), it.P.view());
    it.P.made = now;
  }
  return due(it.P, now);
}

template <typename T>
void GraphState<T>::settle(const DueStep& step) {
  if (step.scale == T(0)) return;
  each_piece(team_, step.target.rows, step.target.columns, [&](Rows rows, unsigned) { step.on(rows); });
}

template <typename T>
void GraphState<T>::step_on_W(std::size_t l, double c, MatrixView<const T> s, MatrixView<const T> d) {
  Layer& it = layer(l);
  const Stamp from = stamp_of_P(l);
  step_back(it.W.view(), c, s);
  changed_W(l);
  it.P.late = {from, stamp_of_P(l), static_cast<T>(c)};
  it.P.direction = d;
  image_of_ = l;
}

template <typename T>
void GraphState<T>::step_on_Z(std::size_t l, double c, MatrixView<const T> g, MatrixView<const T> d) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const Stamp from = stamp_of_Z(l), product_from = stamp_of_P(l + 1);
  it.of_Z.advance();
  it.Z.late = {from, stamp_of_Z(l), static_cast<T>(c)};
  it.Z.direction = g;
  gradient_of_ = l;
  next.P.late = {product_from, stamp_of_P(l + 1), static_cast<T>(c)};
  next.P.direction = d;
  image_of_ = l + 1;
}

template <typename T>
MatrixView<T> GraphState<T>::room_for_image(std::size_t l) {
  if (image_of_ != 0) {
    Kept& held = layer(image_of_).P;
    if (held.late.applies(held.made, stamp_of_P(image_of_))) settle(due(held, stamp_of_P(image_of_)));
    image_of_ = 0;
  }
  return {image_.data(), layer(l).P.matrix.rows(), layer(l).P.matrix.columns()};
}

template <typename T>
MatrixView<T> GraphState<T>::room_for_gradient(std::size_t l) {
  if (gradient_of_ != 0) settle(due_on_Z(std::exchange(gradient_of_, 0)));
  return {gradient_.data(), layer(l).Z.matrix.rows(), layer(l).Z.matrix.columns()};
}

template <typename T>
std::span<T> GraphState<T>::room_for_scratch() {
  smoothed_.forget();
  return scratch_.span();
}

template <typename T>
MatrixView<const T> GraphState<T>::smoothed(std::size_t l) {
  const MatrixView<T> h(scratch_.data(), node_count(l), setup_.network.inputs(l));
  settle(due_on_Z(l - 1));
  if (!smoothed_.valid(stamp_of_Z(l - 1)) || smoothed_.value != l) {
    propagation(l).smooth(team_, layer(l - 1).Z.view(), h);
    smoothed_.set(l, stamp_of_Z(l - 1));
  }
  return h;
}

// --- maps ---

template <typename T>
void GraphState<T>::propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out) {
  if (l == 1) return input_.forward(team_, v, room_for_scratch(), out);
  const Propagation<T>& map = propagation(l);
  if (map.order(Propagation<T>::Map::weights, v.rows, v.columns) == Order::nodes_first) {
    // N_l x n_{l-1} times n_{l-1} x n_l
    return multiply<T>(team_, blas::Op::none, blas::Op::none, 1, smoothed(l), v, 0, out);
  }
  settle(due_on_Z(l - 1));
  map.forward(team_, layer(l - 1).Z.view(), v, room_for_scratch(), out);
}

template <typename T>
void GraphState<T>::weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out) {
  PieceSums<T>& sums = layer(l).sums;
  if (l == 1) return input_.gradient(team_, sums, g, room_for_scratch(), out);
  const Propagation<T>& map = propagation(l);
  if (map.order(Propagation<T>::Map::weights, out.rows, out.columns) == Order::nodes_first) {
    // n_{l-1} x N_l times N_l x n_l
    return sum_products<T>(team_, sums, smoothed(l), g, out);
  }
  settle(due_on_Z(l - 1));
  const MatrixView<T> back(room_for_scratch().data(), map.columns(), g.columns);
  map.smooth_back(team_, g, back);
  // n_{l-1} x N_{l-1} times N_{l-1} x n_l
  sum_products<T>(team_, sums, layer(l - 1).Z.view(), back, out);
}

template <typename T>
double GraphState<T>::square_norm(MatrixView<const T> m) {
  return sum<double>(
      m, [&](Rows rows, unsigned) { return elementwise::square_norm<T>(m.rows_from(rows.first, rows.count)); });
}

template <typename T>
void GraphState<T>::step_back(MatrixView<T> target, double c, MatrixView<const T> direction) {
  settle({static_cast<T>(c), target, direction});
}

// --- start, look in, measure ---

template <typename T>
void GraphState<T>::need_start() const {
  if (of_U_.number() == Version().number()) throw std::logic_error("the state has not been started");
}

template <typename T>
void GraphState<T>::start(GraphDual dual) {
  const AtWork here;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    it.P.made = {};
    settle(due_on_P(l));
    pass(it.Z.matrix, [&](Rows rows, unsigned) {
      const MatrixView<const T> p = it.P.view().rows_from(rows.first, rows.count);
      elementwise::activate<T>(is_output(l) ? Activation::identity() : activation(), p,
                               it.Z.view().rows_from(rows.first, rows.count));
    });
    it.of_Z.advance();
    it.Z.made = stamp_of_Z(l);
    it.last_theta = 0;
    it.last_tau = 0;
  }
  const MatrixView<const T> z = layer(depth()).Z.view();
  pass(u_, [&](Rows rows, unsigned member) {
    const auto row = [&](std::size_t i) { return rows.first + i; };
    loss_over_rows(
        setup_.network.loss, rows.count, z.columns, works_[member], [&](std::size_t i) { return z.row(row(i)); },
        [&](std::size_t i, std::span<double>) { return target_of(row(i)); },
        [&](std::size_t i, std::span<const double> gradient) {
          std::ranges::transform(gradient, u_.view().row(row(i)),
                                 [&](double g) { return dual == GraphDual::zero ? T(0) : static_cast<T>(-g); });
        });
  });
  of_U_.advance();
}

template <typename T>
void GraphState<T>::refresh() {
  need_start();
  const AtWork here;
  output_measures_.forget();
  for (std::size_t l = 1; l <= depth(); ++l) {
    layer(l).P.made = {};
    settle(due_on_P(l));
  }
}

template <typename T>
void GraphState<T>::measure(const GraphPenalties& p, GraphMeasures& measures) {
  need_start();
  const AtWork here;
  measures.residual.assign(depth(), 0);
  measures.regularisation = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (penalty_on(p, l) > 0) measures.regularisation += penalty_on(p, l) / 2 * square_norm(it.W.view());
    if (is_output(l)) continue;
    const DueStep on_P = due_on_P(l), on_Z = due_on_Z(l);
    measures.residual[l - 1] = sum<double>(it.Z.view(), [&](Rows rows, unsigned) {
      on_Z.on(rows);
      on_P.on(rows);
      return elementwise::activation_miss<T>(activation(), it.Z.view().rows_from(rows.first, rows.count),
                                             it.P.view().rows_from(rows.first, rows.count));
    });
  }
  measures.output = measure_output(0);
  measures.residual[depth() - 1] = measures.output.residual;
  measures.lagrangian = measures.output.loss + measures.regularisation + measures.output.dual_product;
  for (std::size_t l = 1; l <= depth(); ++l) {
    measures.lagrangian += (is_output(l) ? p.rho : p.nu) / 2 * measures.residual[l - 1];
  }
}

template <typename T>
std::span<T> GraphState<T>::entries_of(GraphBlock block, std::size_t l) {
  switch (block) {
    case GraphBlock::W:
      return layer(l).W.flat();
    case GraphBlock::Z:
      return layer(l).Z.matrix.flat();
    case GraphBlock::U:
      return u_.flat();
  }
  return {};
}

template <typename T>
void GraphState<T>::read(GraphBlock block, std::size_t l, std::span<T> out) {
  if (block != GraphBlock::W) need_start();
  if (block == GraphBlock::Z) settle(due_on_Z(l));
  std::ranges::copy(entries_of(block, l), out.begin());
}

template <typename T>
void GraphState<T>::write(GraphBlock block, std::size_t l, std::span<const T> values) {
  if (block != GraphBlock::W) need_start();
  std::ranges::copy(values, entries_of(block, l).begin());
  if (block == GraphBlock::W) changed_W(l);
  if (block == GraphBlock::U) of_U_.advance();
  if (block == GraphBlock::Z) {
    layer(l).of_Z.advance();
    layer(l).Z.made = stamp_of_Z(l);
  }
}

template <typename T>
ForwardLoss GraphState<T>::evaluate(std::span<const std::int32_t> nodes) {
  const AtWork here;
  const Stamp now(of_weights_);
  if (!outputs_.valid(now)) {
    std::vector<MatrixView<const T>> weights;
    for (const auto& it : layers_) weights.push_back(it.W.view());
    outputs_.set(forward_.outputs(team_, weights), now);
  }
  return evaluate_nodes<T>(team_, works_, setup_.network.loss, outputs_.value, labels_, nodes);
}

// --- persistence ---

template <typename T>
std::vector<Section> GraphState<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    settle(due_on_Z(l));
    out.push_back(section(section_name("W", l), it.W));
    out.push_back(section(section_name("Z", l), it.Z.matrix));
    out.push_back(section(section_name("theta", l), it.last_theta));
    out.push_back(section(section_name("tau", l), it.last_tau));
  }
  out.push_back(section("U", u_));
  return out;
}

template <typename T>
std::vector<Section> GraphState<T>::kept_sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    settle(due_on_P(l));
    out.push_back(section(section_name("P", l), layer(l).P.matrix));
  }
  return out;
}

template <typename T>
void GraphState<T>::restored() {
  bool mended = false;
  of_U_.advance();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    changed_W(l);
    it.of_Z.advance();
    it.Z.made = stamp_of_Z(l);
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
  for (std::size_t l = 1; l <= depth(); ++l) layer(l).P.made = stamp_of_P(l);
}

template class GraphState<float>;
template class GraphState<double>;

}  // namespace dladmm
