// What a training on a graph holds, how it begins, and what is kept of it.
#include "core/graph/state.hpp"

#include <algorithm>
#include <utility>

namespace dladmm {

template <typename T>
GraphState<T>::GraphState(const GraphSetup& setup, GraphData<T> data)
    : setup_(setup),
      team_(setup.threads),
      labels_(std::move(data.labels)),
      weights_(std::move(data.weights)),
      nodes_(setup.network.layers() + 1) {
  const Csr<T> a = normalised_adjacency(data.adjacency.view());
  data.adjacency = {};
  nodes_[depth()] = std::move(data.training);
  propagations_.resize(depth() - 1);
  for (std::size_t l = depth(); l >= 1; --l) {
    Csr<T> rows = with_rows<T>(a.view(), nodes_[l]);
    nodes_[l - 1] = columns_of(rows.view());
    Csr<T> part = with_columns<T>(rows.view(), nodes_[l - 1]);
    if (l == 1) {
      input_ = InputMap<T>(team_, std::move(part), with_rows(data.features, std::span<const std::int32_t>(nodes_[0])));
    } else {
      propagations_[l - 2] = Propagation<T>(std::move(part));
    }
  }
  forward_ = GraphForward<T>(team_, setup_.network, a, std::move(data.features));
  declare();
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

template <typename T>
void GraphState<T>::start(GraphDual dual) {
  const AtWork here;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    it.P.made = {};
    settle(due_on_P(l));
    pass(it.Z.matrix, [&](Rows rows, unsigned) {
      const MatrixView<const T> p = it.P.view().rows_from(rows);
      elementwise::activate<T>(is_output(l) ? Activation::identity() : activation(), p, it.Z.view().rows_from(rows));
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
void GraphState<T>::measure(const GraphPenalties& p, GraphMeasures& measures) {
  need_start(of_U_);
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
      return elementwise::activation_miss<T>(activation(), it.Z.view().rows_from(rows), it.P.view().rows_from(rows));
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
void GraphState<T>::refresh() {
  need_start(of_U_);
  const AtWork here;
  output_measures_.forget();
  for (std::size_t l = 1; l <= depth(); ++l) {
    layer(l).P.made = {};
    settle(due_on_P(l));
  }
}

template <typename T>
void GraphState<T>::read(GraphBlock block, std::size_t l, std::span<T> out) {
  if (block != GraphBlock::W) need_start(of_U_);
  if (block == GraphBlock::Z) settle(due_on_Z(l));
  std::ranges::copy(entries_of(block, l), out.begin());
}

template <typename T>
void GraphState<T>::write(GraphBlock block, std::size_t l, std::span<const T> values) {
  if (block != GraphBlock::W) need_start(of_U_);
  std::ranges::copy(values, entries_of(block, l).begin());
  if (block == GraphBlock::W) advance_W(l);
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

template <typename T>
std::vector<Section> GraphState<T>::sections() {
  for (std::size_t l = 1; l <= depth(); ++l) settle(due_on_Z(l));
  return sections_();
}

template <typename T>
void GraphState<T>::restored() {
  bool mended = false;
  of_U_.advance();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    advance_W(l);
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
std::vector<Section> GraphState<T>::kept_sections() {
  for (std::size_t l = 1; l <= depth(); ++l) settle(due_on_P(l));
  return kept_sections_();
}

template <typename T>
void GraphState<T>::kept_restored() {
  for (std::size_t l = 1; l <= depth(); ++l) layer(l).P.made = stamp_of_P(l);
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
    plan_.matrix(it.W, in, out, {&sections_, section_name("W", l)});
    plan_.matrix(it.Z.matrix, rows, out, {&sections_, section_name("Z", l)});
    plan_.matrix(it.P.matrix, rows, out, {&kept_sections_, section_name("P", l)});
    sections_.add(section_name("theta", l), it.last_theta);
    sections_.add(section_name("tau", l), it.last_tau);
    // What (Ã Z)ᵀ G is summed over: the rows of Ã Z, or of Z.
    const std::size_t over =
        l > 1 && propagation(l).order(Propagation<T>::Map::weights, in, out) == Order::weights_first ? node_count(l - 1)
                                                                                                     : rows;
    typename PieceSums<T>::Room room;
    if (summed_by_segments(over, in, out)) room.product = in * out;
    // And HᵀH of the exact W_L.
    const bool exact = is_output(l) && setup_.output_weights == OutputWeights::cholesky;
    if (exact && summed_by_segments(over, in, in)) room.product = std::max(room.product, in * in);
    plan_.made(it.sums, SampleCut(over), room);
    weights += in * out;
    largest_weights = std::max(largest_weights, in * out);
    product = std::max(product, rows * out);
    if (l < depth()) hidden = std::max(hidden, rows * out);
    if (l > 1) scratch = std::max(scratch, propagation(l).scratch_entries(in, out));
  }
  plan_.matrix(u_, node_count(depth()), net.widths.back(), {&sections_, "U"});
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
  plan_.made(solver_, room);
}

template class GraphState<float>;
template class GraphState<double>;

}  // namespace dladmm
