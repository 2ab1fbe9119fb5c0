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
  GraphState(const GraphSetup& setup, GraphData<T> data);

  GraphState(const GraphState&) = delete;
  GraphState& operator=(const GraphState&) = delete;

  // Bytes that allocate() will take.
  [[nodiscard]] double required_bytes() const { return plan_.bytes(); }
  // Everything that sweeps need. Throws std::bad_alloc.
  void allocate();

  [[nodiscard]] const GraphSetup& setup() const { return setup_; }
  // The nodes that layer l = 0 … L is kept on.
  [[nodiscard]] std::span<const std::int32_t> nodes(std::size_t l) const { return nodes_[l]; }
  [[nodiscard]] std::size_t node_count(std::size_t l) const { return nodes_[l].size(); }

  // Z by a forward pass from the present W, and U = 0 or −∇R(Z_L), for which the augmented Lagrangian descends from the
  // first sweep on. What needs Z or U throws std::logic_error before this (or restored()).
  void start(GraphDual dual);

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W is
  // that from before the sweep.
  void run(std::span<const GraphUpdate> updates, const GraphPenalties& penalties, const std::atomic<bool>& stop,
           GraphSweepRecord& record);

  // Residuals and the augmented Lagrangian of the state as it stands.
  void measure(const GraphPenalties& p, GraphMeasures& measures);

  // P_l = Ã Z_{l-1} W_l afresh for every layer: bounds the drift of the kept products.
  void refresh();

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(GraphBlock block, std::size_t layer) { return entries_of(block, layer).size(); }

  void read(GraphBlock block, std::size_t l, std::span<T> out);
  void write(GraphBlock block, std::size_t l, std::span<const T> values);

  // Loss and accuracy of the network (not of the split variables) on given nodes, which have labels.
  ForwardLoss evaluate(std::span<const std::int32_t> nodes);

  ForwardLoss evaluate_training() { return evaluate(nodes_.back()); }

  // Seconds that the products of these updates take, sparse and dense, with what W_L is solved by, and nothing else:
  // the floor that a sweep is measured against. Of `repeats` runs of each the fastest counts. The blocks stay as they
  // are.
  double product_seconds(std::span<const GraphUpdate> updates, int repeats);

  // What a run that goes on later needs, and what follows from it up to rounding (section.hpp).
  [[nodiscard]] std::vector<Section> sections();
  void restored();
  [[nodiscard]] std::vector<Section> kept_sections();
  void kept_restored();

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

  void declare();

  // --- what is made of what ---
  [[nodiscard]] Stamp stamp_of_Z(std::size_t l) { return Stamp(l == 0 ? of_X_ : layer(l).of_Z); }
  [[nodiscard]] Stamp stamp_of_P(std::size_t l) { return Stamp(l == 1 ? of_X_ : layer(l - 1).of_Z, layer(l).of_W); }

  void advance_W(std::size_t l) {
    layer(l).of_W.advance();
    of_weights_.advance();
  }

  [[nodiscard]] DueStep due(Kept& kept, const Stamp& now);

  [[nodiscard]] DueStep due_on_Z(std::size_t l) { return due(layer(l).Z, stamp_of_Z(l)); }

  [[nodiscard]] DueStep due_on_P(std::size_t l);
  void settle(const DueStep& step);
  void step_on_W(std::size_t l, double c, MatrixView<const T> s, MatrixView<const T> d);
  void step_on_Z(std::size_t l, double c, MatrixView<const T> g, MatrixView<const T> d);
  [[nodiscard]] MatrixView<T> room_for_image(std::size_t l);
  [[nodiscard]] MatrixView<T> room_for_gradient(std::size_t l);
  [[nodiscard]] std::span<T> room_for_scratch();
  [[nodiscard]] MatrixView<const T> smoothed(std::size_t l);
  void propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out);
  void weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out);

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
