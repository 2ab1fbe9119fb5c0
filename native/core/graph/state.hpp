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

#include <atomic>
#include <span>
#include <vector>

#include "core/graph/data.hpp"
#include "core/graph/forward.hpp"
#include "core/graph/propagation.hpp"
#include "core/graph/types.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/parallel/samples.hpp"
#include "core/parallel/team.hpp"

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

  // Bytes that allocate() will take.
  [[nodiscard]] double required_bytes() const;
  // Everything that sweeps need. Throws std::bad_alloc.
  void allocate();

  [[nodiscard]] const GraphSetup& setup() const { return setup_; }
  // The nodes that layer l = 0 … L is kept on.
  [[nodiscard]] std::span<const std::int32_t> nodes(std::size_t l) const { return nodes_[l]; }
  [[nodiscard]] std::size_t node_count(std::size_t l) const { return nodes_[l].size(); }
  [[nodiscard]] std::size_t graph_nodes() const { return labels_.size(); }

  // Z by a forward pass from the present W, and U = 0 or −∇R(Z_L), for which the augmented Lagrangian descends from the
  // first sweep on.
  void start(GraphDual dual);

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W is
  // that from before the sweep.
  void run(std::span<const GraphUpdate> updates, const GraphPenalties& penalties, const std::atomic<bool>& stop,
           GraphSweepRecord& record);

  // Residuals and the augmented Lagrangian of the state as it stands.
  void measure(const GraphPenalties& penalties, GraphMeasures& measures);

  // P_l = Ã Z_{l-1} W_l afresh for every layer: bounds the drift of the kept products.
  void refresh();

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(GraphBlock block, std::size_t layer) { return entries_of(block, layer).size(); }
  void read(GraphBlock block, std::size_t layer, std::span<T> out);
  void write(GraphBlock block, std::size_t layer, std::span<const T> values);

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
  struct Layer {
    Matrix<T> W, finite_W;  // n_{l-1} x n_l; the second as the last sweep began
    Matrix<T> Z, P;         // N_l x n_l
    double last_theta = 0;  // sizes that the last searches accepted
    double last_tau = 0;
  };
  // Entries of the matrices that layers share.
  struct Sizes {
    std::size_t weights = 0;  // largest W
    std::size_t hidden = 0;   // largest Z of a hidden layer
    std::size_t product = 0;  // largest P
    std::size_t scratch = 0;
    // For the exact W_L.
    std::size_t input = 0;
    std::size_t right_side = 0;
    typename GramSolver<T>::Room solver;
  };
  enum Sum : std::size_t { kDirection, kInner, kImage, kResidual, kLoss, kDualProduct, kDualNorm, kLargest, kSteps };

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] bool is_output(std::size_t l) const { return l == depth(); }
  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] const Propagation<T>& propagation(std::size_t l) const { return propagations_[l - 2]; }
  [[nodiscard]] const Activation& activation() const { return setup_.network.activation; }
  [[nodiscard]] std::span<T> entries_of(GraphBlock block, std::size_t l);
  [[nodiscard]] static double penalty_on(const GraphPenalties& p, std::size_t l) { return p.l2[l - 1]; }

  // out <- Ã Z_{l-1} V, and out <- (Ã Z_{l-1})ᵀ G.
  void propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out);
  void weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out);
  // The gradient of the terms of layer l with respect to P_l, N_l x n_l, in a matrix of its own.
  MatrixView<T> product_gradient(std::size_t l, const GraphPenalties& p);

  // body(member, rows, partial) over all of so many rows; what it adds up is in sums_ then.
  template <typename Body>
  void pass(std::size_t rows, Body&& body);
  [[nodiscard]] double square_norm(MatrixView<const T> m);
  void step_back(MatrixView<T> target, double c, MatrixView<const T> direction);

  // The first of start, start · growth, … that `accepts` likes, given what a step does to ‖Z_l − f(P_l)‖² when P_l
  // moves by −scale(size) D. No product is multiplied in here. False where kLargestGrowths growths did not do.
  template <typename Scale, typename Accepts>
  bool search(std::size_t l, MatrixView<const T> d, double start, double growth, Scale&& scale, Accepts&& accepts,
              GraphUpdateRecord& record);

  // The updates. Each returns false when it met a value that is not finite.
  bool update(GraphUpdate update, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_hidden_W(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_output_W(const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_output_W_exactly(const GraphPenalties& p, GraphUpdateRecord& record);
  // w <- argmin ‖target − H W‖² + shift ‖W‖²; spoils the target. False where a value is not finite.
  bool solve_output_W(double shift, MatrixView<T> target, MatrixView<T> w);
  bool update_hidden_Z(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_output_Z(const GraphPenalties& p, GraphUpdateRecord& record);
  bool update_U(const GraphPenalties& p);
  void measure_output(GraphMeasures& measures);

  [[nodiscard]] Sizes sizes() const;
  void find_products();
  void refresh_if_stale();
  void keep_finite();
  void restore_finite();

  GraphSetup setup_;
  Team team_;
  std::vector<std::int32_t> labels_;
  std::vector<std::vector<std::int32_t>> nodes_;  // N_0 … N_L
  InputMap<T> input_;                             // of layer 1
  std::vector<Propagation<T>> propagations_;      // of layers 2 … L
  GraphForward<T> forward_;
  MatrixView<const T> outputs_;  // Z_L of all nodes, while `outputs_known_`
  bool outputs_known_ = false;

  std::vector<Layer> layers_;
  Matrix<T> u_;          // T x n_L
  Buffer<T> direction_;  // S of a W update
  Buffer<T> gradient_;   // g of a Z update
  Buffer<T> image_;      // what the step does to a product
  Buffer<T> pull_;       // the gradient with respect to a product
  Buffer<T> scratch_;
  SampleSums<T> sums_;
  std::vector<std::vector<double>> works_;  // one a member, for losses
  bool stale_ = true;                       // products are to be found afresh

  // For the exact W_L: H = Ã Z_{L-1} on T, and the right-hand side.
  GramSolver<T> solver_;
  Matrix<T> h_;
  Buffer<T> right_side_;
};

}  // namespace dladmm
