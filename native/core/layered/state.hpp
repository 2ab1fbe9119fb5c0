// The state of the layered splitting, and the updates of dlADMM's Algorithm 1 on it.
//
// Notation (papers' columns are our rows):
//   W_l  n_l x n_{l-1}      z_l, a_l, P_l  samples x n_l      u  samples x n_L      a_0 = X
//   P_l = a_{l-1} W_lᵀ is kept, never multiplied afresh by an update: a quadratic step of W_l by S turns it into
//   P_l − (a_{l-1} Sᵀ)/θ, a step of a_l by g turns P_{l+1} into P_{l+1} − (g W_{l+1}ᵀ)/τ.
//
// How a quadratic step is taken. Its size is known only after a sum over all samples, so the direction (a Sᵀ, or g and
// g Wᵀ) is left in a *slot*, a scratch matrix, and the step stays *pending* until the next pass that reads the
// variable or needs the slot: that pass settles it, block by block, while the rows are in the cache. No pass over the
// samples exists only to add two matrices, and no order of updates is assumed.
#pragma once

#include <array>
#include <atomic>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/layered/types.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/parallel/samples.hpp"
#include "core/parallel/team.hpp"

namespace dladmm {

struct LayeredSetup {
  Network network;
  std::size_t samples = 0;
  unsigned threads = 1;
  // Keep C = XᵀX, which makes the second of two W_1 updates in a row free of products over the samples. Pays where the
  // sweep has such a pair and n_0 < samples.
  bool gram = false;
  // Keep the second matrix that FISTA needs for z_L.
  bool fista = false;
  Steps steps;
  Multiplier multiplier = Multiplier::residual;
  // b_l is a column of W_l, minimised over together with it (inversion steps), not a block of its own.
  bool joint_bias = false;
};

// The start of z_l and a_l of the hidden layers: the forward pass, or independent N(0, 1).
enum class HiddenStart { forward, gaussian };
// The start of z_L: the network's own output, (as in the official code) +1 at the label and −1 elsewhere, or N(0, 1).
enum class OutputStart { forward, signed_labels, gaussian };
// The start of u: zero, or −∇R(z_L), for which the augmented Lagrangian descends from the first sweep on.
enum class DualStart { zero, stationary };

struct Start {
  HiddenStart hidden = HiddenStart::forward;
  OutputStart output = OutputStart::forward;
  DualStart dual = DualStart::zero;
  std::uint64_t seed = 0;  // of the N(0, 1)
};

// Whether the W_l inversion step factors a samples x samples matrix in place of one as wide as its input (the same
// solution), and whether the a_l step factors one as wide as layer l + 1 in place of layer l.
[[nodiscard]] bool solves_by_samples(const LayeredSetup& setup, std::size_t l);
[[nodiscard]] bool solves_by_outputs(const LayeredSetup& setup, std::size_t l);

template <typename T>
class LayeredState {
 public:
  // Allocates everything that sweeps need. Throws std::bad_alloc, std::length_error.
  explicit LayeredState(const LayeredSetup& setup);

  // Bytes that the constructor will allocate.
  [[nodiscard]] static double required_bytes(const LayeredSetup& setup);

  [[nodiscard]] const LayeredSetup& setup() const { return setup_; }

  // --- data and parameters, to be filled before start() ---
  [[nodiscard]] MatrixView<T> input() { return x_.view(); }
  [[nodiscard]] std::span<std::int32_t> labels() { return labels_; }
  [[nodiscard]] MatrixView<T> target_values() { return target_values_.view(); }

  // z and a from the present W and b, or at random, then z_L and u as asked.
  void start(const Start& start);

  // --- the algorithm ---

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W and b
  // are those from before the sweep.
  void run(std::span<const Update> updates, const Penalties& penalties, const std::atomic<bool>& stop,
           SweepRecord& record);

  // Residuals and the augmented Lagrangian of the state as it stands.
  void measure(const Penalties& penalties, Measures& measures);

  // P_l = a_{l-1} W_lᵀ afresh for every layer: bounds the drift of the kept products.
  void refresh();

  // --- looking in and changing by hand ---

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(Block block, std::size_t layer) { return entries_of(block, layer).size(); }
  void read(Block block, std::size_t layer, std::span<T> out);
  void write(Block block, std::size_t layer, std::span<const T> values);

  // --- writing it out and taking it up again (section.hpp) ---

  // W, b, z, a, u and what they carry from sweep to sweep: all that counts just after refresh().
  [[nodiscard]] std::vector<Section> sections();
  void restored();
  // P, and the sums that go with it: what a run that goes on between two refreshes needs besides.
  [[nodiscard]] std::vector<Section> kept_sections();
  void kept_restored();

  // Loss and accuracy of the network (not of the split variables) on given samples.
  ForwardLoss evaluate(MatrixView<const T> x, const Targets<T>& targets);
  ForwardLoss evaluate_training() { return evaluate(x_.view(), targets()); }

 private:
  struct Layer {
    Matrix<T> W;
    std::vector<T> b;
    Matrix<T> z;
    Matrix<T> a;  // empty for the output layer
    Matrix<T> P;
    std::vector<double> difference_sums;  // Σ over samples of z_l − P_l, kept up to date through every step
    bool difference_known = false;
    double residual = 0;  // ‖r_l‖², while `residual_known`
    bool residual_known = false;
    bool product_due = false;  // P_l is to be multiplied afresh by the next pass that looks at it
    double activation = 0;     // ‖a_l − f(z_l)‖², while `activation_known`
    bool activation_known = false;
    double last_theta = 0;  // what a zero direction reports under exact search
    double last_tau = 0;
    Matrix<T> finite_W;  // W and b as the last sweep began
    std::vector<T> finite_b;
  };

  // A variable that a step may be pending on: P_l, or a_l.
  struct Held {
    Block block = Block::a;  // Block::W stands for the product P_l
    std::size_t layer = 0;
    bool operator==(const Held&) const = default;
  };
  static constexpr Held product(std::size_t l) { return {Block::W, l}; }
  static constexpr Held activation(std::size_t l) { return {Block::a, l}; }

  // A scratch matrix for a direction, and the step that waits in it. A block of rows lies at rows.first * widest,
  // whatever the width of the direction, so blocks of different directions never overlap.
  struct Slot {
    Buffer<T> storage;
    bool pending = false;
    Held held;
    std::size_t width = 0;
    T scale = 0;           // variable <- variable − scale * direction
    bool measure = false;  // settling leaves a_l final: measure ‖a_l − f(z_l)‖² on the way
  };
  struct Claim {
    std::size_t slot;
    std::size_t width;
  };
  using Partial = typename SampleSums<T>::Partial;

  // The scalars of a pass's SampleSums.
  enum Sum : std::size_t {
    kMeasured,
    kResidual,
    kActivation,
    kLoss,
    kDirection,
    kImage,
    kDualProduct,
    kLargest,
    kSteps
  };

  [[nodiscard]] std::size_t depth() const { return setup_.network.layers(); }
  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] const Layer& layer(std::size_t l) const { return layers_[l - 1]; }
  [[nodiscard]] bool is_output(std::size_t l) const { return l == depth(); }
  // a_{l-1}, the input of layer l; a_0 = X.
  [[nodiscard]] MatrixView<T> input_of(std::size_t l) { return l == 1 ? x_.view() : layer(l - 1).a.view(); }
  // The multiplier in the constraint of layer l, where it has one.
  [[nodiscard]] MatrixView<T> multiplier_of(std::size_t l) {
    return is_output(l) && setup_.multiplier == Multiplier::residual ? u_.view() : MatrixView<T>();
  }
  [[nodiscard]] StepKind step_of_W(std::size_t l) const {
    return setup_.steps.W.empty() ? StepKind::quadratic : setup_.steps.W[l - 1];
  }
  [[nodiscard]] StepKind step_of_a(std::size_t l) const {
    return setup_.steps.a.empty() ? StepKind::quadratic : setup_.steps.a[l - 1];
  }
  [[nodiscard]] double penalty_of(std::size_t l, const Penalties& p) const { return is_output(l) ? p.rho : p.nu; }
  [[nodiscard]] const Activation& activation_function() const { return setup_.network.activation; }
  [[nodiscard]] Targets<T> targets() const { return {labels_, target_values_.view()}; }
  [[nodiscard]] std::span<T> entries_of(Block block, std::size_t l);
  [[nodiscard]] MatrixView<T> slot_block(std::size_t slot, Rows block, std::size_t width) const;
  [[nodiscard]] static MatrixView<T> rows_of(MatrixView<T> m, Rows rows) {
    return m.data == nullptr ? m : m.rows_from(rows.first, rows.count);
  }

  [[nodiscard]] OutputRows<T> output_rows(Rows rows) {
    const Layer& it = layer(depth());
    return {rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows), rows_of(u_.view(), rows)};
  }

  // One pass over the samples (pass.hpp).
  template <typename Elementwise, typename Products>
  void pass(std::initializer_list<Held> reads, std::initializer_list<Claim> claims, Elementwise&& elementwise,
            Products&& products);
  // P_l = a_{l-1} W_lᵀ for some samples.
  void multiply(std::size_t l, Rows rows);
  void settle_rows(std::size_t slot, Rows block, Rows rows, Partial& partial);
  void settle_all();
  [[nodiscard]] std::size_t free_slot() const;
  void hold(std::size_t slot, Held held, std::size_t width, double scale, bool measure);
  void forget(Held held);

  // The updates. Each returns false when it met a value that is not finite.
  bool update(std::span<const Update> updates, std::size_t& i, const Penalties& p, SweepRecord& record);
  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_W_exactly(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_b(std::size_t l, const Penalties& p);
  bool update_hidden_z(std::size_t l, const Penalties& p);
  bool update_a(std::size_t l, const Penalties& p, bool with_z, bool last, UpdateRecord& record);
  bool update_a_exactly(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_output_z(const Penalties& p, UpdateRecord& record);
  bool update_output_z_fista(const Penalties& p, UpdateRecord& record);
  bool update_u(const Penalties& p);

  [[nodiscard]] MatrixView<T> direction_of_W(std::size_t l) const {
    return {direction_.data(), layer(l).W.rows(), layer(l).W.columns()};
  }
  void find_direction_of_W(std::size_t l, const Penalties& p);
  void take_W_step(std::size_t l, double scale);
  void know_gram();
  // What W_l a_{l-1} is to be near to, for samples `rows`: z_l − b_l + u/ρ, or z_l where b_l is a column of W_l.
  void write_target(std::size_t l, const Penalties& p, Rows rows, MatrixView<T> out);
  bool solve_W_by_features(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool solve_W_by_samples(std::size_t l, const Penalties& p, UpdateRecord& record);
  void know_difference_sums(std::size_t l);
  void know_hidden_z(std::size_t l);
  void changed_product(std::size_t l);
  void refresh_if_stale();
  void keep_finite();
  void restore_finite();
  // Measures the output constraint; takes the dual step u <- u + dual_step r_L on the way.
  void output_pass(double dual_step);

  LayeredSetup setup_;
  std::size_t widest_;     // widest layer that a slot or a workspace holds
  std::size_t block_;      // samples a block
  std::size_t sub_block_;  // rows that elementwise work takes at a time
  Team team_;
  SampleBlocks blocks_;
  SampleSums<T> sums_;
  std::vector<Workspace<T>> spaces_;  // one a member

  Matrix<T> x_;  // a_0
  std::vector<std::int32_t> labels_;
  Matrix<T> target_values_;
  std::vector<Layer> layers_;
  Matrix<T> u_;
  std::vector<double> dual_sums_;  // Σ over samples of u
  std::array<Slot, 2> slots_;

  Buffer<T> direction_;  // S = G + λW of the W update at hand
  Matrix<T> image_;      // S C, for layer 1
  Matrix<T> gram_;       // C = XᵀX
  bool gram_known_ = false;
  std::vector<double> input_sums_;  // Σ over samples of X
  Matrix<T> input_step_;            // D: P_1 still lacks − X Dᵀ
  bool input_step_pending_ = false;
  bool direction_continues_ = false;  // the last update was W_1 and direction_ holds S of the next one
  bool stale_ = false;                // a block was written by hand: products and sums are to be found afresh

  Matrix<T> fista_y_;

  // For inversion steps: of every layer, and of the first one where XᵀX, which never changes, is kept.
  GramSolver<T> solver_;
  GramSolver<T> input_solver_;
  bool input_solver_ready_ = false;
  double input_solver_shift_ = 0;
  Buffer<T> right_side_, right_scratch_;  // n_l x (n_{l-1} + 1)
  std::vector<double> sums_of_input_;     // Σ over samples of a_{l-1}
  // The output constraint's share of the measures, while nothing changed since.
  struct OutputMeasures {
    bool known = false;
    double loss = 0;
    double dual_product = 0;
    double dual_norm = 0;
    double dual_identity = 0;
  };
  OutputMeasures output_;
  std::vector<double> notes_;  // what is known, as kept_sections() hands it out
};

}  // namespace dladmm
