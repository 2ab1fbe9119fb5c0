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

#include <algorithm>
#include <atomic>
#include <cmath>
#include <span>
#include <vector>

#include "core/constraints/types.hpp"
#include "core/functions/elementwise.hpp"
#include "core/linalg/blas.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/gram.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"

namespace dladmm::constraints {

struct Setup {
  Network network;  // a smooth activation, a squared error (of values, or of one-hot labels)
  std::size_t samples = 0;
  unsigned threads = 1;
};

template <typename T>
class State : public SampleState<State<T>, T, Setup> {
  using Base = SampleState<State<T>, T, Setup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that sweeps need. Throws std::bad_alloc, std::length_error.
  explicit State(const Setup& setup);

  // V by a forward pass from the present W and b, Λ = 0.
  void start();

  // --- the algorithm ---

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W and b
  // are those from before the sweep.
  void run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop, SweepRecord& record);

  // Constraints, gradient and augmented Lagrangian of the state as it stands.
  void measure(const Penalties& p, Measures& measures);

  // --- looking in and changing by hand ---

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(Block block, std::size_t layer) { return entries_of(block, layer).size(); }

  // V and Λ are there from start() on.
  void read(Block block, std::size_t l, std::span<T> out);
  void write(Block block, std::size_t l, std::span<const T> values);

  // --- writing it out and taking it up again (section.hpp) ---

  // W, b, V, Λ: everything else follows from them.
  [[nodiscard]] std::vector<Section> sections() { return sections_(); }

  void restored();

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

  using Base::activation_of, Base::depth, Base::is_output;
  using Base::labels_, Base::setup_, Base::spaces_, Base::team_, Base::weights_, Base::x_, Base::y_;

  State(const Setup& setup, Shell) : Base(setup), layers_(depth()) {}

  void declare(StoragePlan& plan);

  [[nodiscard]] std::vector<LayerParameters<T>> parameters() const {
    std::vector<LayerParameters<T>> all;
    for (const Layer& it : layers_) all.push_back({it.W.view(), it.b});
    return all;
  }
  [[nodiscard]] Layer& layer(std::size_t l) { return layers_[l - 1]; }
  [[nodiscard]] MatrixView<T> input_of(std::size_t l) { return l == 1 ? x_.view() : layer(l - 1).V.view(); }
  [[nodiscard]] static MatrixView<T> biases(Layer& it) { return {it.b.data(), it.b.size(), 1}; }
  [[nodiscard]] static T beta_of(std::size_t l, const Penalties& p) { return static_cast<T>(p.beta[l - 1]); }
  [[nodiscard]] static MatrixView<T> rows_of(const Matrix<T>& m, Rows rows) { return m.view().rows_from(rows); }
  [[nodiscard]] MatrixView<T> scratch(const Part& part, bool first, std::size_t columns) const {
    const Workspace<T>& space = spaces_[part.member];
    return {(first ? space.first : space.second).flat().data(), part.rows.count, columns};
  }

  [[nodiscard]] std::span<T> entries_of(Block block, std::size_t l) {
    Layer& it = layer(l);
    if (block == Block::b) return it.b;
    return (block == Block::W ? it.W : block == Block::V ? it.V : it.Lambda).flat();
  }

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

  void advance_all() {
    x_version_.advance();
    for (Layer& it : layers_) {
      it.W_version.advance();
      it.V_version.advance();
      it.Lambda_version.advance();
    }
  }

  void note_beta(const Penalties& p) {
    if (p.beta == beta_) return;
    beta_ = p.beta;
    beta_version_.advance();
  }

  // One pass over the samples, piece by piece; the S that it reads are multiplied on the way where they are not those
  // of the present W and V.
  // body(part) sees a piece of the samples at a time, with S_l of the layers in `reads` as it should be: a layer comes
  // before those that its V feeds. `groups` are the pieces themselves, or segments of them where matrices are added up;
  // `flops` the products that the body makes.
  template <typename Body>
  void pass(std::initializer_list<std::size_t> reads, const Pieces& groups, double flops, Body&& body) {
    const auto samples = static_cast<double>(setup_.samples);
    for (const std::size_t l : reads) {
      const auto inputs = static_cast<double>(layer(l).W.columns());
      const auto outputs = static_cast<double>(layer(l).W.rows());
      flops += kFlopsAnEntry * samples * outputs;
      if (layer(l).S_made != product_stamp(l)) flops += count(&Work::image, samples, outputs, inputs);
    }
    const Pieces& pieces = sums_.cut().pieces;
    team_.run(groups.count, flops, [&](std::size_t group, unsigned member) {
      const Rows own = groups[group];
      for (std::size_t piece = own.first; piece < own.first + own.count; ++piece) {
        const Rows rows = pieces[piece];
        for (const std::size_t l : reads) {
          Layer& it = layer(l);
          if (it.S_made == product_stamp(l)) continue;
          const MatrixView<T> S = rows_of(it.S, rows);
          // rows x n_l <- (rows x n_{l-1}) (n_l x n_{l-1})ᵀ
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), input_of(l).rows_from(rows), it.W.view(), T(0), S);
          elementwise::add_bias_and_activate<T>(activation_of(l), S, it.b, S);
        }
        body(Part{rows, member, group, piece == own.first, sums_.begin(piece)});
      }
    });
    for (const std::size_t l : reads) layer(l).S_made = product_stamp(l);
  }

  [[nodiscard]] Pieces every_piece() const { return {sums_.cut().pieces.count, sums_.cut().pieces.count}; }
  // Counts a product of rows x columns, `inner` long, and returns its flops.
  double count(std::size_t Work::*kind, double rows, double columns, double inner) {
    work_.*kind += 1;
    work_.flops += 2 * rows * columns * inner;
    return 2 * rows * columns * inner;
  }

  void write_targets();

  // D <- (Λ_l + β_l (S_l − V_l)) ∘ σ' for a part; ‖S − V‖² and ⟨Λ, S − V⟩.
  entrywise::Pair weighted_miss(std::size_t l, const Penalties& p, Rows rows, MatrixView<T> D) {
    const Layer& it = layer(l);
    return with_activation<T>(activation_of(l), [&](auto f) {
      return entrywise::sums(
          [f, beta = beta_of(l, p)](T s, T v, T dual, T& d) DLADMM_INLINE {
            const T miss = s - v;
            d = (dual + beta * miss) * f.derivative(s);
            return entrywise::Pair{static_cast<double>(miss) * static_cast<double>(miss),
                                   static_cast<double>(dual) * static_cast<double>(miss)};
          },
          rows_of(it.S, rows), rows_of(it.V, rows), rows_of(it.Lambda, rows), D);
    });
  }

  // max |V_l − Λ_l/β_l| of a part; NaN where there is one.
  [[nodiscard]] double largest_target(std::size_t l, const Penalties& p, Rows rows) {
    return entrywise::largest<T>([inverse = T(1) / beta_of(l, p)](T v, T dual)
                                     DLADMM_INLINE { return std::abs(v - inverse * dual); },
                                 rows_of(layer(l).V, rows), rows_of(layer(l).Lambda, rows));
  }

  // ‖back − Λ_l − β_l (S_l − V_l)‖²: what is left of ∂L/∂V_l, with `back` the share of layer l + 1.
  [[nodiscard]] double stationarity(std::size_t l, const Penalties& p, Rows rows, MatrixView<const T> back) {
    const Layer& it = layer(l);
    return entrywise::sum(
        [beta = beta_of(l, p)](T g, T s, T v, T dual) DLADMM_INLINE {
          const double rest = static_cast<double>(g - dual - beta * (s - v));
          return rest * rest;
        },
        back, rows_of(it.S, rows), rows_of(it.V, rows), rows_of(it.Lambda, rows));
  }

  // body(weight, rows) for rows that count alike, which are all of a piece where no sample has a weight of its own.
  template <typename Body>
  void by_weight(Rows rows, Body&& body) const {
    if (weights_.empty()) return body(T(1), rows);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) body(static_cast<T>(weights_[i]), Rows{i, 1});
  }

  void measure_output(const Penalties& p, const Part& part);
  void know_slope(std::size_t l, const Penalties& p, Measures* measures);
  [[nodiscard]] double curvature(std::size_t l, const Penalties& p);

  // --- the updates; each returns false when it met a value that is not finite ---

  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update_output_V(const Penalties& p, UpdateRecord& record);
  bool update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record);
  bool update(const Update& update, const Penalties& p, UpdateRecord& record);

  PieceSums<T> sums_;
  SectionList sections_;
  Version x_version_;
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
