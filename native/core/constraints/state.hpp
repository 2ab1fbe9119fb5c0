// The state of the splitting that keeps all constraints, and the updates of sigmoid-ADMM's Algorithm 1 on it.
//
//     min ½‖V_N − Y‖² + Σ (λ_l/2)‖[W_l b_l]‖²   s.t. V_l = σ(V_{l-1} W_lᵀ + b_l) (l < N), V_N = V_{N-1} W_Nᵀ + b_N
//
// Notation (papers' columns are our rows): W_l  n_l x n_{l-1}; V_l, Λ_l, S_l  samples x n_l; V_0 = X.
//   S_l = σ(V_{l-1} W_lᵀ + b_l) is kept (σ the identity for l = N), and multiplied afresh by the next pass that looks
//   at it once W_l or V_{l-1} has changed. σ' follows from S. D_l = (Λ_l + β_l (S_l − V_l)) ∘ σ' is the gradient of the
//   augmented Lagrangian with respect to V_{l-1} W_lᵀ + b_l.
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
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/parallel/samples.hpp"
#include "core/parallel/team.hpp"

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
    Matrix<T> V, Lambda, S;
    bool product_due = true;  // S_l is to be multiplied afresh by the next pass that looks at it
    double largest = 0;       // max |V_l − Λ_l/β_l|, while known
    bool largest_known = false;
    Matrix<T> gradient;  // [D_lᵀ V_{l-1}, D_lᵀ 1], n_l x (n_{l-1} + 1), while known
    bool gradient_known = false;
    Matrix<T> gram;  // lower triangle for V_{l-1} with its column of ones, while known
    bool gram_known = false;
    Matrix<T> finite_W;  // W and b as the last sweep began
    std::vector<T> finite_b;
  };
  using Partial = typename SampleSums<T>::Partial;

  // The scalars of a pass's SampleSums.
  enum Sum : std::size_t { kResidual, kDualProduct, kLargest, kStationary, kLoss, kOutputStationary, kIdentity, kStep };

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
  [[nodiscard]] MatrixView<T> scratch(unsigned member, bool first, std::size_t rows, std::size_t columns) const {
    return {(first ? spaces_[member].first : spaces_[member].second).flat().data(), rows, columns};
  }
  [[nodiscard]] std::span<T> entries_of(Block block, std::size_t l);

  // One pass over the samples, block by block; the S that it reads are multiplied on the way where they are due.
  template <typename Body>
  void pass(std::initializer_list<std::size_t> reads, Body&& body);
  void count(std::size_t Work::*kind, double rows, double columns, double inner);

  // Y, where it is made of labels.
  void write_targets();

  // What follows from a change of a block.
  void changed_W(std::size_t l);
  void changed_V(std::size_t l);
  void changed_Lambda(std::size_t l);
  void change_all();
  void note_beta(const Penalties& p);

  // [D_lᵀ V_{l-1}, D_lᵀ 1], the Gram matrix of V_{l-1} and max |V_l − Λ_l/β_l| where they are not known; with
  // `measures` also what layer l adds to them, and what layer l + 1 gives to ∂L/∂V_l.
  void know_slope(std::size_t l, const Penalties& p, Measures* measures);
  // The curvature h of the quadratic model of layer l; 2 for the linear layer, whose model is exact.
  [[nodiscard]] double curvature(std::size_t l, const Penalties& p);

  // The updates. Each returns false when it met a value that is not finite.
  bool update(const Update& update, const Penalties& p, UpdateRecord& record);
  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_output_V(const Penalties& p, UpdateRecord& record);
  bool update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record);

  void keep_finite();
  void restore_finite();

  Setup setup_;
  std::size_t block_;  // samples a block
  Team team_;
  SampleBlocks blocks_;
  SampleSums<T> sums_;
  std::vector<Workspace<T>> spaces_;  // one a member

  Matrix<T> x_;  // V_0
  Matrix<T> y_;
  std::vector<std::int32_t> labels_;
  std::vector<Layer> layers_;
  std::vector<double> beta_;  // for which D and the largest targets are known
  GramSolver<T> solver_;
  Buffer<T> step_, step_scratch_;  // n_l x (n_{l-1} + 1)
  Work work_;
};

}  // namespace dladmm::constraints
