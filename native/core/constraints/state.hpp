// The state of the splitting that keeps all constraints, and the updates of sigmoid-ADMM's Algorithm 1 on it.
//
//     min ½‖V_N − Y‖² + Σ (λ_l/2)‖[W_l b_l]‖²   s.t. V_l = σ(V_{l-1} W_lᵀ + b_l) (l < N), V_N = V_{N-1} W_Nᵀ + b_N
//
// Notation (papers' columns are our rows): W_l  n_l x n_{l-1}; V_l, Λ_l, S_l  samples x n_l; V_0 = X.
//   S_l = σ(V_{l-1} W_lᵀ + b_l) is kept (σ the identity for l = N), and multiplied afresh by the next pass that looks
//   at it once W_l or V_{l-1} has another version. σ' follows from S. D_l = (Λ_l + β_l (S_l − V_l)) ∘ σ' is the
//   gradient of the augmented Lagrangian with respect to V_{l-1} W_lᵀ + b_l.
//
// Every update is written as a step from where its block stands, by the gradient and the quadratic model of
// the paper: the same minimiser as (50), (51), (56) and (57), with an error in proportion to the step. So is the fixed
// point the same where rounding demands a larger diagonal.
//
// The W gradients at the end of a sweep, which its measures need, are the first products of the next one's W updates:
// an update takes what is known of its layer, and a measure that comes before it costs nothing more.
#pragma once

#include <atomic>
#include <span>
#include <vector>

#include "core/constraints/types.hpp"
#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/storage_plan.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"

namespace dladmm::constraints {

struct Setup {
  Network network;  // a smooth activation, a squared error (of values, or of one-hot labels)
  std::size_t samples = 0;
  unsigned threads = 1;
};

template <typename T>
class State {
 public:
  // Allocates everything that sweeps need. Throws std::bad_alloc, std::length_error.
  explicit State(const Setup& setup);

  // Bytes that the constructor will allocate.
  [[nodiscard]] static double required_bytes(const Setup& setup);

  [[nodiscard]] const Setup& setup() const { return setup_; }

  // --- data and parameters, to be filled before start() ---
  [[nodiscard]] MatrixView<T> input() { return x_.view(); }
  [[nodiscard]] std::span<std::int32_t> labels() { return labels_; }
  [[nodiscard]] MatrixView<T> target_values() { return y_.view(); }

  // V by a forward pass from the present W and b, Λ = 0.
  void start();

  // --- the algorithm ---

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W and b
  // are those from before the sweep.
  void run(std::span<const Update> updates, const Penalties& penalties, const std::atomic<bool>& stop,
           SweepRecord& record);

  // Constraints, gradient and augmented Lagrangian of the state as it stands.
  void measure(const Penalties& penalties, Measures& measures);

  // --- looking in and changing by hand ---

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(Block block, std::size_t layer) { return entries_of(block, layer).size(); }
  void read(Block block, std::size_t layer, std::span<T> out);
  void write(Block block, std::size_t layer, std::span<const T> values);

  // --- writing it out and taking it up again (section.hpp) ---

  // W, b, V, Λ: everything else follows from them.
  [[nodiscard]] std::vector<Section> sections();
  void restored();

  // Loss and accuracy of the network (not of the split variables) on given samples.
  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);
  ForwardLoss evaluate_training() { return evaluate(x_.view(), {labels_, y_.view()}); }

 private:
  struct Layer {
    Matrix<T> W;
    std::vector<T> b;
    Matrix<T> V, Lambda;
    Version W_version, V_version, Lambda_version;  // b counts with W

    // What follows from them, and the versions that it was made of.
    Matrix<T> S;
    Stamp S_made;
    Matrix<T> gradient;  // [D_lᵀ V_{l-1}, D_lᵀ 1], n_l x (n_{l-1} + 1)
    Stamp gradient_made;
    Matrix<T> gram;  // lower triangle for V_{l-1} with its column of ones, n_{l-1} + 1
    Stamp gram_made;
    Derived<double> largest;  // max |V_l − Λ_l/β_l|
  };
  // A piece of the samples in a pass: who has it, which group of pieces it is in, and the sums of its own.
  struct Part {
    Rows rows;
    unsigned member;
    std::size_t group;
    bool first;  // of its group
    typename PieceSums<T>::Partial& sums;
  };
  // The scalars of a pass's sums.
  enum Sum : std::size_t { kResidual, kDualProduct, kLargest, kStationary, kLoss, kOutputStationary, kIdentity, kStep };

  struct Unallocated {};
  State(const Setup& setup, Unallocated);
  void declare(StoragePlan& plan);

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] bool is_output(std::size_t l) const { return l == depth(); }
  [[nodiscard]] MatrixView<T> input_of(std::size_t l) { return l == 1 ? x_.view() : layer(l - 1).V.view(); }
  [[nodiscard]] Activation activation_of(std::size_t l) const {
    return is_output(l) ? Activation::identity() : setup_.network.activation;
  }
  [[nodiscard]] static T beta_of(std::size_t l, const Penalties& p) { return static_cast<T>(p.beta[l - 1]); }
  [[nodiscard]] static MatrixView<T> rows_of(const Matrix<T>& m, Rows rows) {
    return m.view().rows_from(rows.first, rows.count);
  }
  [[nodiscard]] MatrixView<T> scratch(const Part& part, bool first, std::size_t columns) const {
    const Workspace<T>& space = spaces_[part.member];
    return {(first ? space.first : space.second).flat().data(), part.rows.count, columns};
  }
  [[nodiscard]] std::span<T> entries_of(Block block, std::size_t l);

  // What S_l, the targets V_l − Λ_l/β_l and the gradient in W_l are made of.
  [[nodiscard]] const Version& input_version(std::size_t l) { return l == 1 ? x_version_ : layer(l - 1).V_version; }
  [[nodiscard]] Stamp product_stamp(std::size_t l) { return Stamp(layer(l).W_version, input_version(l)); }
  [[nodiscard]] Stamp target_stamp(std::size_t l) {
    return Stamp(layer(l).V_version, layer(l).Lambda_version, beta_version_);
  }
  [[nodiscard]] Stamp gradient_stamp(std::size_t l) {
    const Layer& it = layer(l);
    return Stamp(it.W_version, input_version(l), it.V_version, it.Lambda_version, beta_version_);
  }
  void advance_all();
  void note_beta(const Penalties& p);

  // One pass over the samples, piece by piece; the S that it reads are multiplied on the way where they are not those
  // of the present W and V.
  template <typename Body>
  void pass(std::initializer_list<std::size_t> reads, const Pieces& groups, double flops, Body&& body);
  [[nodiscard]] Pieces every_piece() const { return {sums_.cut().pieces.count, sums_.cut().pieces.count}; }
  // Counts a product of rows x columns, `inner` long, and returns its flops.
  double count(std::size_t Work::*kind, double rows, double columns, double inner);

  // Y, where it is made of labels.
  void write_targets();

  // D <- (Λ_l + β_l (S_l − V_l)) ∘ σ' for a part; ‖S − V‖² and ⟨Λ, S − V⟩.
  entrywise::Pair weighted_miss(std::size_t l, const Penalties& p, Rows rows, MatrixView<T> D);
  // max |V_l − Λ_l/β_l| of a part; NaN where there is one.
  [[nodiscard]] double largest_target(std::size_t l, const Penalties& p, Rows rows);

  [[nodiscard]] double stationarity(std::size_t l, const Penalties& p, Rows rows, MatrixView<const T> back);
  void measure_output(const Penalties& p, const Part& part);

  // [D_lᵀ V_{l-1}, D_lᵀ 1], the Gram matrix of V_{l-1} and max |V_l − Λ_l/β_l| where they are not those of the present
  // variables; with `measures` also what layer l adds to them, and what it gives to ∂L/∂V_{l-1}.
  void know_slope(std::size_t l, const Penalties& p, Measures* measures);
  // The curvature h of the quadratic model of layer l; 2 for the linear layer, whose model is exact.
  [[nodiscard]] double curvature(std::size_t l, const Penalties& p);

  // The updates. Each returns false when it met a value that is not finite.
  bool update(const Update& update, const Penalties& p, UpdateRecord& record);
  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_output_V(const Penalties& p, UpdateRecord& record);
  bool update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record);

  Setup setup_;
  Team team_;
  PieceSums<T> sums_;
  std::vector<Workspace<T>> spaces_;  // one a member

  Matrix<T> x_;  // V_0
  Version x_version_;
  Matrix<T> y_;
  std::vector<std::int32_t> labels_;
  std::vector<Layer> layers_;
  FiniteCopy<T> finite_;  // W and b as the last sweep began
  std::vector<double> beta_;
  Version beta_version_;
  GramSolver<T> solver_;
  Buffer<T> step_, step_scratch_;  // n_l x (n_{l-1} + 1)
  std::vector<double> columns_;    // sums over the samples, on their way into a matrix
  Work work_;
};

}  // namespace dladmm::constraints
