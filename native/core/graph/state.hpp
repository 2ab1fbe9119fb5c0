// The state of the graph splitting, and the updates of dlADMM for graph convolutional networks on it.
//
//   min  Σ_{i in T} R(Z_L[i]; y_i) + Σ_l Ω_l(W_l) + (ν/2) Σ_{l<L} ‖Z_l − f(P_l)‖²   s.t. Z_L = P_L,   P_l = Ã Z_{l-1}
//   W_l
//
// with Z_0 = X, the training nodes T, and one dual variable U for the output constraint (Wang, Li and Zhao,
// arXiv 2112.11619, as far as it is known: the problem as its published code has it).
//
// Which nodes count. The loss looks at Z_L on T alone. On any other node Z_L is free: it appears in nothing but its own
// constraint, so its minimiser, whatever the other variables are, is P_L there, with U = 0. Those rows are therefore
// minimised out of the problem, once and for all, and are not stored. What is left of the output constraint looks at
// Z_{L-1} on T and its neighbours alone; elsewhere Z_{L-1} is again free, its minimiser is f(P_{L-1}), and so on
// towards the input. Layer l is thus kept on
//
//   N_L = T,   N_{l-1} = { j : Ã_ij ≠ 0 for some i in N_l },
//
// the nodes that the loss can see through L − l convolutions, and every update of a layer touches all its rows. This
// changes no minimiser of the whole and makes every sum shorter; it also takes away a drag, for a row that is free but
// held fixed ties W_l to what it was.
//
// Matrices are row-major, a node a row, rows in the order of nodes(l); W_l is n_{l-1} x n_l.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/graph/data.hpp"
#include "core/graph/forward.hpp"
#include "core/graph/propagation.hpp"
#include "core/graph/types.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"

namespace dladmm {

struct GraphSetup {
  Network network;  // with a loss that classifies
  unsigned threads = 1;
  OutputWeights output_weights = OutputWeights::quadratic;  // cholesky needs a hidden layer
};

enum class GraphDual { zero, stationary };

template <typename T>
class GraphState {
 public:
  // Normalises the adjacency, finds the nodes of every layer and what is linear in its variables. Throws
  // std::bad_alloc, std::length_error.
  GraphState(const GraphSetup& setup, GraphData<T> data)
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
        input_ =
            InputMap<T>(team_, std::move(part), with_rows(data.features, std::span<const std::int32_t>(nodes_[0])));
      } else {
        propagations_[l - 2] = Propagation<T>(std::move(part));
      }
    }
    forward_ = GraphForward<T>(team_, setup_.network, a, std::move(data.features));
    declare();
  }

  GraphState(const GraphState&) = delete;
  GraphState& operator=(const GraphState&) = delete;

  // Bytes that allocate() will take.
  [[nodiscard]] double required_bytes() const { return plan_.bytes(); }
  // Everything that sweeps need. Throws std::bad_alloc.
  void allocate() {
    plan_.allocate();
    for (Layer& it : layers_) {
      for (const Matrix<T>* m : {&it.W, &it.Z.matrix, &it.P.matrix})
        std::fill(m->flat().begin(), m->flat().end(), T(0));
      finite_.watch(it.W.flat());
    }
    std::fill(u_.flat().begin(), u_.flat().end(), T(0));
    const std::size_t n = setup_.network.widths.back();
    works_.assign(team_.size(), std::vector<double>(OutputWork::size(n)));
  }

  [[nodiscard]] const GraphSetup& setup() const { return setup_; }
  // The nodes that layer l = 0 … L is kept on.
  [[nodiscard]] std::span<const std::int32_t> nodes(std::size_t l) const { return nodes_[l]; }
  [[nodiscard]] std::size_t node_count(std::size_t l) const { return nodes_[l].size(); }

  // Z by a forward pass from the present W, and U = 0 or −∇R(Z_L), for which the augmented Lagrangian descends from the
  // first sweep on. What needs Z or U throws std::logic_error before this (or restored()).
  void start(GraphDual dual) {
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

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W is
  // that from before the sweep.
  void run(std::span<const GraphUpdate> updates, const GraphPenalties& penalties, const std::atomic<bool>& stop,
           GraphSweepRecord& record);

  // Residuals and the augmented Lagrangian of the state as it stands.
  void measure(const GraphPenalties& p, GraphMeasures& measures) {
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

  // P_l = Ã Z_{l-1} W_l afresh for every layer: bounds the drift of the kept products.
  void refresh() {
    need_start(of_U_);
    const AtWork here;
    output_measures_.forget();
    for (std::size_t l = 1; l <= depth(); ++l) {
      layer(l).P.made = {};
      settle(due_on_P(l));
    }
  }

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(GraphBlock block, std::size_t layer) { return entries_of(block, layer).size(); }

  void read(GraphBlock block, std::size_t l, std::span<T> out) {
    if (block != GraphBlock::W) need_start(of_U_);
    if (block == GraphBlock::Z) settle(due_on_Z(l));
    std::ranges::copy(entries_of(block, l), out.begin());
  }

  void write(GraphBlock block, std::size_t l, std::span<const T> values) {
    if (block != GraphBlock::W) need_start(of_U_);
    std::ranges::copy(values, entries_of(block, l).begin());
    if (block == GraphBlock::W) advance_W(l);
    if (block == GraphBlock::U) of_U_.advance();
    if (block == GraphBlock::Z) {
      layer(l).of_Z.advance();
      layer(l).Z.made = stamp_of_Z(l);
    }
  }

  // Loss and accuracy of the network (not of the split variables) on given nodes, which have labels.
  ForwardLoss evaluate(std::span<const std::int32_t> nodes) {
    const AtWork here;
    const Stamp now(of_weights_);
    if (!outputs_.valid(now)) {
      std::vector<MatrixView<const T>> weights;
      for (const auto& it : layers_) weights.push_back(it.W.view());
      outputs_.set(forward_.outputs(team_, weights), now);
    }
    return evaluate_nodes<T>(team_, works_, setup_.network.loss, outputs_.value, labels_, nodes);
  }

  ForwardLoss evaluate_training() { return evaluate(nodes_.back()); }

  // Seconds that the products of these updates take, sparse and dense, with what W_L is solved by, and nothing else:
  // the floor that a sweep is measured against. Of `repeats` runs of each the fastest counts. The blocks stay as they
  // are.
  double product_seconds(std::span<const GraphUpdate> updates, int repeats);

  // What a run that goes on later needs, and what follows from it up to rounding (section.hpp).
  [[nodiscard]] std::vector<Section> sections() {
    for (std::size_t l = 1; l <= depth(); ++l) settle(due_on_Z(l));
    return sections_();
  }

  void restored() {
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

  [[nodiscard]] std::vector<Section> kept_sections() {
    for (std::size_t l = 1; l <= depth(); ++l) settle(due_on_P(l));
    return kept_sections_();
  }

  void kept_restored() {
    for (std::size_t l = 1; l <= depth(); ++l) layer(l).P.made = stamp_of_P(l);
  }

 private:
  // A matrix with the versions that it was made from. A step along a direction may wait until the matrix is next
  // looked at, and ride on that pass.
  struct Kept {
    Matrix<T> matrix;
    Stamp made;
    LateStep<T> late;
    MatrixView<const T> direction;  // of the late step; in `gradient_` for a Z, in `image_` for a P

    [[nodiscard]] MatrixView<T> view() const { return matrix.view(); }
  };
  struct Layer {
    Matrix<T> W;  // n_{l-1} x n_l
    Kept Z, P;    // N_l x n_l
    Version of_W, of_Z;
    double last_theta = 0;  // sizes that the last searches accepted
    double last_tau = 0;
    PieceSums<T> sums;  // over N_l, of the gradient for W_l
  };
  // A step that is due, for the rows that a pass is at.
  struct DueStep {
    T scale = 0;
    MatrixView<T> target;
    MatrixView<const T> direction;

    void on(Rows rows) const {
      if (scale == T(0)) return;
      elementwise::step_back<T>(target.rows_from(rows), scale, direction.rows_from(rows));
    }
  };

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] bool is_output(std::size_t l) const { return l == depth(); }
  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] const Propagation<T>& propagation(std::size_t l) const { return propagations_[l - 2]; }
  [[nodiscard]] const Activation& activation() const { return setup_.network.activation; }

  [[nodiscard]] std::span<T> entries_of(GraphBlock block, std::size_t l) {
    return (block == GraphBlock::W ? layer(l).W : block == GraphBlock::Z ? layer(l).Z.matrix : u_).flat();
  }

  [[nodiscard]] static double penalty_on(const GraphPenalties& p, std::size_t l) { return p.l2[l - 1]; }

  void declare() {
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
          l > 1 && propagation(l).order(Propagation<T>::Map::weights, in, out) == Order::weights_first
              ? node_count(l - 1)
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

  // --- what is made of what ---
  [[nodiscard]] Stamp stamp_of_Z(std::size_t l) { return Stamp(l == 0 ? of_X_ : layer(l).of_Z); }
  [[nodiscard]] Stamp stamp_of_P(std::size_t l) { return Stamp(l == 1 ? of_X_ : layer(l - 1).of_Z, layer(l).of_W); }

  void advance_W(std::size_t l) {
    layer(l).of_W.advance();
    of_weights_.advance();
  }

  // The step that brings a kept matrix up to date, claimed by the pass that calls; P_l is made afresh where none does.
  [[nodiscard]] DueStep due(Kept& kept, const Stamp& now) {
    DueStep step;
    if (kept.late.applies(kept.made, now)) step = {kept.late.scale, kept.view(), kept.direction};
    kept.made = now;
    return step;
  }

  [[nodiscard]] DueStep due_on_Z(std::size_t l) { return due(layer(l).Z, stamp_of_Z(l)); }

  [[nodiscard]] DueStep due_on_P(std::size_t l) {
    Layer& it = layer(l);
    const Stamp now = stamp_of_P(l);
    if (it.P.made != now && !it.P.late.applies(it.P.made, now)) {
      propagate(l, it.W.view(), it.P.view());
      it.P.made = now;
    }
    return due(it.P, now);
  }

  void settle(const DueStep& step) {
    if (step.scale == T(0)) return;
    each_piece(team_, step.target.rows, step.target.columns, [&](Rows rows, unsigned) { step.on(rows); });
  }

  // Lets a step wait. Its direction stays where it is until the room is wanted again.
  void step_on_W(std::size_t l, double c, MatrixView<const T> s, MatrixView<const T> d) {
    Layer& it = layer(l);
    const Stamp from = stamp_of_P(l);
    step_back(it.W.view(), c, s);
    advance_W(l);
    it.P.late = {from, stamp_of_P(l), static_cast<T>(c)};
    it.P.direction = d;
    image_of_ = l;
  }

  void step_on_Z(std::size_t l, double c, MatrixView<const T> g, MatrixView<const T> d) {
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

  [[nodiscard]] MatrixView<T> room_for_image(std::size_t l) {
    if (image_of_ != 0) {
      Kept& held = layer(image_of_).P;
      if (held.late.applies(held.made, stamp_of_P(image_of_))) settle(due(held, stamp_of_P(image_of_)));
      image_of_ = 0;
    }
    return {image_.data(), layer(l).P.matrix.rows(), layer(l).P.matrix.columns()};
  }

  [[nodiscard]] MatrixView<T> room_for_gradient(std::size_t l) {
    if (gradient_of_ != 0) settle(due_on_Z(std::exchange(gradient_of_, 0)));
    return {gradient_.data(), layer(l).Z.matrix.rows(), layer(l).Z.matrix.columns()};
  }

  [[nodiscard]] std::span<T> room_for_scratch() {
    smoothed_.forget();
    return scratch_.span();
  }

  // Ã Z_{l-1}, N_l x n_{l-1}.
  [[nodiscard]] MatrixView<const T> smoothed(std::size_t l) {
    const MatrixView<T> h(scratch_.data(), node_count(l), setup_.network.inputs(l));
    settle(due_on_Z(l - 1));
    if (!smoothed_.valid(stamp_of_Z(l - 1)) || smoothed_.value != l) {
      propagation(l).smooth(team_, layer(l - 1).Z.view(), h);
      smoothed_.set(l, stamp_of_Z(l - 1));
    }
    return h;
  }

  // out <- Ã Z_{l-1} V, and out <- (Ã Z_{l-1})ᵀ G.
  void propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out) {
    if (l == 1) return input_.forward(team_, v, room_for_scratch(), out);
    const Propagation<T>& map = propagation(l);
    if (map.order(Propagation<T>::Map::weights, v.rows, v.columns) == Order::nodes_first) {
      // N_l x n_{l-1} times n_{l-1} x n_l
      return multiply<T>(team_, blas::Op::none, blas::Op::none, 1, smoothed(l), v, 0, out);
    }
    settle(due_on_Z(l - 1));
    map.forward(team_, layer(l - 1).Z.view(), v, room_for_scratch(), out);
  }

  void weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out) {
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

  // The gradient of the terms of layer l with respect to P_l, N_l x n_l, in a matrix of its own.
  MatrixView<T> product_gradient(std::size_t l, const GraphPenalties& p);
  // S <- G + λW_l, with G the gradient of the terms of layer l.
  MatrixView<T> weight_direction(std::size_t l, const GraphPenalties& p);

  // body(rows, member), over all of so many rows.
  template <typename Body>
  void pass(const Matrix<T>& over, Body&& body) {
    each_piece(team_, over.rows(), over.columns(), body);
  }
  template <typename Value, typename Body>
  [[nodiscard]] Value sum(MatrixView<const T> over, Body&& body) {
    return sum_pieces<Value>(team_, over.rows, over.columns, body);
  }

  [[nodiscard]] double square_norm(MatrixView<const T> m) { return elementwise::square_norm<T>(team_, m); }

  void step_back(MatrixView<T> target, double c, MatrixView<const T> direction) {
    settle({static_cast<T>(c), target, direction});
  }

  [[nodiscard]] OutputRows<T> output_rows(Rows rows);
  [[nodiscard]] SampleTarget target_of(std::size_t i) const {
    const auto node = static_cast<std::size_t>(nodes_.back()[i]);
    return {labels_[node], {}, weights_.empty() ? 1 : weights_[node]};
  }

  // The first of start, start · growth, … that `accepts` likes, given what a step does to ‖Z_l − f(P_l)‖² when P_l
  // moves by −scale(size) D. `direction` is the squared norm of what D is the image of, `weight` the penalty. No
  // product is multiplied in here. False where no size passed.
  template <typename Scale, typename Accepts>
  bool search(std::size_t l, MatrixView<const T> d, double direction, double weight, double start, double growth,
              Scale&& scale, Accepts&& accepts, GraphUpdateRecord& record);

  // The updates. Each returns false when it met a value that is not finite.
  bool update(GraphUpdate update, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_W(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_output_W_exactly(const GraphPenalties& p, GraphUpdateRecord& record);
  // w <- argmin ‖target − H W‖² + shift ‖W‖²; spoils the target. False where a value is not finite.
  bool solve_output_W(double shift, MatrixView<const T> h, MatrixView<T> target, MatrixView<T> w);
  bool update_hidden_Z(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_output_Z(const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_U(const GraphPenalties& p);
  // After U <- U + dual_step (Z_L − P_L).
  OutputMeasures measure_output(double dual_step);

  GraphSetup setup_;
  Team team_;
  std::vector<std::int32_t> labels_;
  std::vector<double> weights_;
  std::vector<std::vector<std::int32_t>> nodes_;  // N_0 … N_L
  InputMap<T> input_;                             // of layer 1
  std::vector<Propagation<T>> propagations_;      // of layers 2 … L
  GraphForward<T> forward_;

  StoragePlan plan_;
  SectionList sections_, kept_sections_;
  std::vector<Layer> layers_;
  Matrix<T> u_;  // T x n_L
  Version of_X_, of_U_, of_weights_;
  Derived<MatrixView<const T>> outputs_;  // Z_L of all nodes
  Derived<OutputMeasures> output_measures_;
  FiniteCopy<T> finite_;  // of W, as the last sweep began

  // Rooms that layers share, and the layer that has a step waiting in one.
  Buffer<T> direction_;  // S of a W update
  Buffer<T> gradient_;   // g of a Z update
  Buffer<T> image_;      // what the step does to a product
  Buffer<T> pull_;       // the gradient with respect to a product
  Buffer<T> scratch_;    // Ã Z_{l-1} of layer smoothed_.value, or anything
  std::size_t gradient_of_ = 0, image_of_ = 0;
  Derived<std::size_t> smoothed_;
  std::vector<std::vector<double>> works_;  // one a member, for losses
  // For the exact W_L.
  GramSolver<T> solver_;
  Buffer<T> right_side_;
};

}  // namespace dladmm

#include "core/graph/updates.hpp"  // IWYU pragma: export: its updates
