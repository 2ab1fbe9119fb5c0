// The state of the layered splitting, and the updates of dlADMM's Algorithm 1 on it.
//
// Notation (papers' columns are our rows):
//   W_l  n_l x n_{l-1}      z_l, a_l, P_l  samples x n_l      u  samples x n_L      a_0 = X
//   P_l = a_{l-1} W_lᵀ is kept, never multiplied afresh by an update: a quadratic step of W_l by S turns it into
//   P_l − (a_{l-1} Sᵀ)/θ, a step of a_l by g turns P_{l+1} into P_{l+1} − (g W_{l+1}ᵀ)/τ.
//
// How a quadratic step is taken. Its size is known only after a sum over all samples, so the direction (a Sᵀ, or g and
// g Wᵀ) is left in a *slot*, a scratch matrix, and the step is taken late: by the next pass that reads the variable or
// needs the slot, piece by piece, while the rows are in the cache. No pass over the samples exists only to add two
// matrices, and no order of updates is assumed.
//
// What is valid. Every block has a version; P_l, the sums and the measures carry the versions that they were made from
// (version.hpp). A pass names what it reads, and brings it to the present on its way: by the step that waits for it, or
// by a product afresh.
#pragma once

#include <array>
#include <atomic>
#include <optional>
#include <span>
#include <vector>

#include "core/layered/types.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/row_product.hpp"
#include "core/linalg/row_window.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/ranks.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/output_layer.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"

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
  // Make room for proximal steps of W.
  bool proximal = false;
  bool spectral = false;  // of singular values too
  // An open file where all that has a row a sample lies, in place of memory, but for so many bytes of it.
  std::optional<int> file;
  double held_bytes = 0;
  Share share;

  // Of all ranks together.
  [[nodiscard]] std::size_t all_samples() const { return share.all(samples); }
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
class LayeredState : public SampleState<LayeredState<T>, T, LayeredSetup> {
  using Base = SampleState<LayeredState<T>, T, LayeredSetup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that sweeps need. Throws std::bad_alloc, std::length_error.
  explicit LayeredState(const LayeredSetup& setup);

  // z and a from the present W and b, or at random, then z_L and u as asked. What needs them throws std::logic_error
  // before this, or restored(), has been called.
  void start(const Start& start);

  // --- the algorithm ---

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W and b
  // are those from before the sweep.
  void run(std::span<const Update> updates, const Penalties& penalties, const std::atomic<bool>& stop,
           SweepRecord& record);

  // Residuals and the augmented Lagrangian of the state as it stands.
  void measure(const Penalties& penalties, Measures& measures);

  // P_l = a_{l-1} W_lᵀ afresh for every layer, and what follows from it: bounds the drift of the kept products.
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

  // On the training samples, from P_1 as it is kept.
  ForwardLoss evaluate_training();

 private:
  struct Layer {
    Matrix<T> W;
    std::vector<T> b;
    Matrix<T> z;
    Matrix<T> a;  // empty for the output layer
    Matrix<T> P;
    std::array<Version, 4> versions;  // of W, b, z, a
    Stamp a_holds, P_holds;           // what is in memory, where a step is still to be taken

    std::vector<double> differences;  // Σ over samples of z_l − P_l, moved along with every step
    Stamp differences_made;
    Derived<double> residual;    // ‖r_l‖²
    Derived<double> activation;  // ‖a_l − f(z_l)‖²
    double last_theta = 0;       // what a zero direction reports under exact search
    double last_tau = 0;

    // Of an exact step with Ω_l: the scaled dual of W = V, the weight that it is scaled by, and r.
    Matrix<T> Y;
    double Y_weight = 0, split = 0;

    // Of the pass at hand: W_lᵀ, or the transposed direction of a step of W_l, and W_l (not of the first layer).
    RowProduct<T> forward, back;
  };

  // What a pass may read: P_l, or a_l, which a step may be late for, or z_l.
  struct Quantity {
    enum Kind : std::uint8_t { product, activation, pre_activation } kind = product;
    std::size_t layer = 0;
    bool operator==(const Quantity&) const = default;
  };
  static constexpr Quantity product(std::size_t l) { return {Quantity::product, l}; }
  static constexpr Quantity activation(std::size_t l) { return {Quantity::activation, l}; }
  static constexpr Quantity pre_activation(std::size_t l) { return {Quantity::pre_activation, l}; }

  // A scratch matrix for a direction, and the step that waits in it. A piece of rows lies at rows.first * widest,
  // whatever the width of the direction, so pieces of different directions never overlap.
  struct Slot {
    Buffer<T> storage;
    Quantity of;
    std::size_t width = 0;
    LateStep<T> step;
    bool measure = false;  // the step leaves a_l final: measure ‖a_l − f(z_l)‖² on the way
  };
  struct Claim {
    std::size_t slot;
    std::size_t width;
  };
  // Numbers a row that are read, and that are written, of what has `pitch` numbers a row.
  struct Use {
    T* data;
    std::size_t pitch, read, written;
  };
  // What a pass does before its own work.
  struct Due {
    std::array<bool, 2> slots{};
    std::array<std::size_t, 2> claims{};  // widths of what is written
    bool input_step = false;
    bool whole_piece = false;  // steps are taken for the whole piece at once, not a few rows at a time
    std::vector<std::size_t> products;
    std::vector<MatrixView<const T>> reads;  // all that the pass reads, to be fetched ahead
    std::vector<Use> uses;                   // where rows lie on a disk: all that it reads or writes
  };
  using Partial = typename PieceSums<T>::Partial;
  // From the first of so many to the last, or back.
  struct Order {
    std::size_t count;
    bool back;
    [[nodiscard]] std::size_t operator[](std::size_t i) const { return back ? count - 1 - i : i; }
  };

  // The scalars of a pass's sums.
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
  static constexpr Sum kCorrect = kSteps;
  // Rows of a matrix of parameters that one thread multiplies, or goes through, at a time.
  static constexpr std::size_t kTile = 128;
  static constexpr std::size_t kBand = 16;
  static constexpr int kSplitSteps = 8;

  using Base::depth, Base::is_output, Base::targets;
  using Base::file_, Base::labels_, Base::setup_, Base::spaces_, Base::team_, Base::x_, Base::y_;

  LayeredState(const LayeredSetup& setup, Shell);
  void declare(StoragePlan& plan);

  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
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
  [[nodiscard]] const Activation& function() const { return setup_.network.activation; }
  [[nodiscard]] std::span<T> entries_of(Block block, std::size_t l);
  [[nodiscard]] MatrixView<T> slot_rows(std::size_t slot, Rows rows, std::size_t width) const;
  // Room of a member for so many rows, n wide.
  [[nodiscard]] MatrixView<T> room(unsigned member, std::size_t rows, std::size_t n) const {
    return {spaces_[member].first.flat().data(), rows, n};
  }
  // Rows of samples are found where the thread that works on them has them.
  template <typename U>
  [[nodiscard]] MatrixView<U> rows_of(MatrixView<U> m, Rows rows) const {
    return m.data == nullptr ? m : found(m.rows_from(rows.first, rows.count));
  }
  template <typename U>
  [[nodiscard]] MatrixView<U> found(MatrixView<U> m) const {
    if (!file_.empty()) m.data = RowWindow::find(m.data);
    return m;
  }
  [[nodiscard]] auto targets_of(Rows rows) const {
    return [goals = targets(), rows](std::size_t i, std::span<double> scratch) {
      return goals.of(rows.first + i, scratch);
    };
  }
  [[nodiscard]] std::vector<LayerParameters<T>> parameters(std::size_t first = 1);
  [[nodiscard]] OutputRows<T> output_rows(Rows rows) {
    const Layer& it = layer(depth());
    return {rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows), rows_of(u_.view(), rows)};
  }

  // --- versions, and what is made of them ---

  [[nodiscard]] Version& version(Block block, std::size_t l) {
    if (block == Block::u) return u_version_;
    return l == 0 ? x_version_ : layer(l).versions[static_cast<std::size_t>(block)];
  }
  [[nodiscard]] Stamp product_stamp(std::size_t l) { return Stamp(version(Block::W, l), version(Block::a, l - 1)); }
  [[nodiscard]] Stamp differences_stamp(std::size_t l) {
    return Stamp(version(Block::z, l), version(Block::W, l), version(Block::a, l - 1));
  }
  [[nodiscard]] Stamp residual_stamp(std::size_t l) {
    return Stamp(version(Block::z, l), version(Block::W, l), version(Block::a, l - 1), version(Block::b, l));
  }
  [[nodiscard]] Stamp activation_stamp(std::size_t l) { return Stamp(version(Block::a, l), version(Block::z, l)); }
  [[nodiscard]] Stamp gradient_stamp(std::size_t l) {  // but for the penalties
    return Stamp(version(Block::z, l), version(Block::W, l), version(Block::a, l - 1), version(Block::b, l),
                 u_version_);
  }
  [[nodiscard]] Stamp output_stamp() { return gradient_stamp(depth()); }
  [[nodiscard]] MatrixView<const T> memory_of(Quantity of) {
    if (of.kind == Quantity::activation) return input_of(of.layer + 1);
    return of.kind == Quantity::product ? layer(of.layer).P.view() : layer(of.layer).z.view();
  }
  [[nodiscard]] Stamp& held(Quantity of) {
    return of.kind == Quantity::activation ? layer(of.layer).a_holds : layer(of.layer).P_holds;
  }
  [[nodiscard]] Stamp present(Quantity of) {
    return of.kind == Quantity::activation ? Stamp(version(Block::a, of.layer)) : product_stamp(of.layer);
  }
  [[nodiscard]] bool waits(const Slot& slot) {
    return slot.of.layer != 0 && slot.step.applies(held(slot.of), present(slot.of));
  }
  // All of a_l was written.
  void overwrote_a(std::size_t l) {
    version(Block::a, l).advance();
    held(activation(l)) = present(activation(l));
  }

  // --- passes over the samples (pass.hpp) ---

  template <typename Elementwise, typename Products>
  void pass(std::initializer_list<Quantity> reads, std::initializer_list<MatrixView<T>> writes,
            std::initializer_list<Claim> claims, std::size_t at_once, double flops, Elementwise&& elementwise,
            Products&& products);
  template <typename Elementwise>
  void pass(std::initializer_list<Quantity> reads, std::initializer_list<MatrixView<T>> writes,
            Elementwise&& elementwise);
  template <typename WriteRight>
  void summing_pass(std::initializer_list<Quantity> reads, std::size_t l, std::size_t n, bool gram,
                    WriteRight&& write_right);
  [[nodiscard]] Due find_due(std::initializer_list<Quantity> reads, std::initializer_list<MatrixView<T>> writes,
                             std::initializer_list<Claim> claims);
  void find_uses(Due& due, std::initializer_list<MatrixView<T>> writes);
  void note_done(const Due& due);
  void fetch(const Due& due, Rows rows, Ahead& ahead) const;
  void expect(const Due& due, std::size_t piece) const;
  template <typename Work>
  void with_rows(const Due& due, std::size_t piece, unsigned member, Work&& work);
  // Where rows lie on a disk every other pass goes back: the rows that were used last are in memory still.
  [[nodiscard]] Order next_order(std::size_t count) {
    goes_back_ = !goes_back_ && !file_.empty();
    return {count, goes_back_};
  }
  template <typename Elementwise, typename Products>
  void work_on_piece(const Due& due, std::size_t index, std::size_t at_once, Partial& partial,
                     Elementwise&& elementwise, Products&& products);
  // body(part) for the rows, at most so many at a time.
  template <typename Body>
  static void each_part(Rows rows, std::size_t at_once, Body&& body) {
    for (std::size_t done = 0; done < rows.count; done += std::min(at_once, rows.count - done)) {
      body(Rows{rows.first + done, std::min(at_once, rows.count - done)});
    }
  }
  // Rows of a piece that a pass multiplies at a time.
  [[nodiscard]] std::size_t at_once() const { return layers_.front().forward.rows_at_once(cut_.pieces.largest()); }
  [[nodiscard]] double flops_of(const Due& due, double flops) const;
  void take_step(std::size_t slot, Rows rows, Partial& partial);
  void bring(Quantity of) {
    if (held(of) != present(of)) pass({of}, {}, [](unsigned, Rows, Partial&) {});
  }
  void bring_activations();
  [[nodiscard]] std::size_t free_slot();
  // The step waits in a slot; `of` has just been moved by its variable's new version.
  void take_late(std::size_t slot, Quantity of, const Stamp& from, double scale, bool measure);

  // --- the updates; each returns false when it met a value that is not finite ---

  bool update(std::span<const Update> updates, std::size_t& i, const Penalties& p, SweepRecord& record);
  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_W_proximally(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool no_step_of_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_W_exactly(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_b(std::size_t l, const Penalties& p);
  bool update_hidden_z(std::size_t l, const Penalties& p);
  bool update_a(std::size_t l, const Penalties& p, bool with_z, bool last, UpdateRecord& record);
  bool update_a_exactly(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_output_z(const Penalties& p, UpdateRecord& record);
  bool update_output_z_fista(const Penalties& p, UpdateRecord& record);
  bool update_u(const Penalties& p);

  // What the direction of a step of W_l does to P_l.
  struct Image {
    double norm = 0;            // ‖a Sᵀ‖²
    bool through_gram = false;  // the image of the parameters is at hand, not that of the samples
    std::size_t slot = 0;       // where a Sᵀ lies, where it is at hand
  };
  [[nodiscard]] MatrixView<T> direction_of_W(std::size_t l) const {
    return {direction_.data(), setup_.network.outputs(l), setup_.network.inputs(l)};
  }
  double find_direction_of_W(std::size_t l, const Penalties& p);
  Image image_of(std::size_t l, MatrixView<T> direction);
  void move_W(std::size_t l, const Image& image, MatrixView<T> direction, double scale, const Penalties& p);
  // One round over the rows of W_l, so many at a time: Σ of what body(rows) returns.
  template <typename Body>
  double over_parameters(std::size_t l, std::size_t rows, Body&& body);
  const Matrix<T>& gram();

  void write_target(std::size_t l, bool own_bias, const Penalties& p, Rows rows, MatrixView<T> out);
  bool solve_W_by_features(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool split_W(std::size_t l, const Penalties& p, GramSolver<T>& solver, MatrixView<T> right,
               std::span<const double> sums);
  bool solve_W_by_samples(std::size_t l, const Penalties& p, UpdateRecord& record);
  void renew_hidden_z(std::size_t l, const Penalties& p, Rows rows, Partial& partial);
  bool know_hidden_z(std::size_t l);
  // ‖r_l‖² and the differences.
  void find_residual(std::size_t l);
  void set_differences(std::size_t l);
  const std::vector<double>& dual_sums();
  // The output constraint's measures; takes the dual step u <- u + dual_step r_L on the way.
  void output_pass(double dual_step);

  std::size_t widest_;     // widest layer that a slot or a workspace holds
  std::size_t sub_piece_;  // rows that elementwise work takes at a time
  SampleCut cut_;
  PieceSums<T> sums_;
  std::vector<Layer> layers_;
  Matrix<T> u_;
  Version x_version_, u_version_;
  bool goes_back_ = false;
  std::vector<double> dual_sums_;  // Σ over samples of u
  Stamp dual_sums_made_;
  std::array<Slot, 2> slots_;
  std::vector<RowWindow> windows_;  // one a member, where rows lie on a disk
  FiniteCopy<T> finite_;            // W and b as the last sweep began
  SectionList sections_, kept_sections_;

  // S = G + λW of the W update at hand, or of the W_1 update that comes next.
  Buffer<T> direction_;
  Stamp direction_made_;
  double direction_weight_ = 0, direction_l2_ = 0;
  Matrix<T> image_;  // S C, for layer 1
  Buffer<T> proximal_point_, proximal_step_;
  SpectralRoom spectral_;
  Matrix<T> gram_;                  // C = XᵀX
  std::vector<double> input_sums_;  // Σ over samples of X
  Stamp gram_made_;
  Matrix<T> input_step_;  // D: P_1 still lacks − X Dᵀ
  LateStep<T> input_late_;

  Matrix<T> fista_y_;

  // For inversion steps: of every layer, and of the first one where XᵀX, which never changes, is kept.
  GramSolver<T> solver_;
  GramSolver<T> input_solver_;
  Derived<double> input_shift_;                        // what was added to the diagonal of XᵀX when it was factored
  Buffer<T> right_;                                    // where the samples are few: R of a sum of products Rᵀ a
  Buffer<T> right_side_, right_scratch_, right_base_;  // n_l x (n_{l-1} + 1)
  std::vector<double> sums_of_input_;                  // Σ over samples of a_{l-1}
  Derived<OutputMeasures> output_;
  std::vector<double> notes_;  // what is known, as kept_sections() hands it out
};

}  // namespace dladmm
