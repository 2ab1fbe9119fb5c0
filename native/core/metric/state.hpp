// The state of the splitting with matrix penalties: what a full-batch step in the metric of the multipliers needs.
//
//     min F = (1/N) Σ R(z_L; y) + (λ/2) Σ ‖[W_l b_l]‖²   s.t. z_l = [W_l b_l] ã_{l-1},  a_l = f(z_l),  ã_l = (a_l, 1)
//
// A sweep ends feasible: z and a follow from W by a forward pass, every residual is zero. There the multipliers that
// make the Lagrangian stationary in every z and a are known in closed form, u_L = ∇R(z_L) and u_l = (u_{l+1} W_{l+1}) ∘
// f'(z_l), and ∂F/∂[W_l b_l] = u_lᵀ ã_{l-1}/N + λ [W_l b_l]. With v_l the multipliers for labels that the model draws
//
//     P_l = v_lᵀ v_l / N + ε I          n_l x n_l                    ε = c_P times the mean eigenvalue
//     G_l = ã_{l-1}ᵀ ã_{l-1} / N + ε I  (n_{l-1} + 1) x (n_{l-1} + 1)  ε = c times the mean eigenvalue
//     Δ_l = P_l⁻¹ ∂F/∂[W_l b_l] G_l⁻¹
//     V_l <- m V_l − s Δ_l,  [W_l b_l] <- [W_l b_l] + V_l
//
// and the step counts where F did not rise; else everything is as it was. (Samples of weight w: R, u and the summands
// of both second moments times w.)
//
// Nothing is kept a sample but the samples themselves: one pass over them, a block at a time, finds F, ∇F, P and G of a
// point, and what is read of z, a, u is found when it is read. Besides X and y that is, in numbers: for each of two
// points 3 n_l (n_{l-1} + 1) + n_l² + (n_{l-1} + 1)² a layer, and for a block of B ≤ 2048 samples B (n_{l-1} + 1 + 3
// n_l).
//
// A pass costs the products of a gradient, 2N(3 Σ n_l n_{l-1} − n_0 n_1) flops, and for the metrics
// N (Σ n_l² + Σ_{l>1} n_{l-1}²) and 2N Σ_{l>1} n_l n_{l-1} to carry v back.
#pragma once

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdint>
#include <span>
#include <stdexcept>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/metric/types.hpp"
#include "core/splitting/gram.hpp"
#include "core/splitting/sample_state.hpp"
#include "core/splitting/version.hpp"

namespace dladmm::metric {

template <typename T>
class State : public SampleState<State<T>, T, Setup> {
  using Base = SampleState<State<T>, T, Setup>;
  friend Base;
  using typename Base::Shell;

 public:
  // Allocates everything that sweeps need. Throws std::bad_alloc, std::length_error.
  explicit State(const Setup& setup);

  using Base::weights;

  // As new but for W and b: V = 0, nothing drawn.
  void start();

  // One sweep. It stops when `stop` is set, between two updates and between two blocks: then, and where F rose or is no
  // number, the kept point is as it was.
  void run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop, SweepRecord& record);
  void measure(const Penalties& p, Measures& measures);

  // --- looking in and changing by hand ---

  [[nodiscard]] std::size_t size_of(Block block, std::size_t l) const;
  void read(Block block, std::size_t l, std::span<T> out);

  // W or b.
  void write(Block block, std::size_t l, std::span<const T> values);

  // W, b and V of the kept point, and which labels were drawn there (section.hpp): all else follows from them.
  [[nodiscard]] std::vector<Section> sections();
  void restored() { kept_.parameters.advance(); }

 private:
  using Op = blas::Op;
  static constexpr std::size_t kBlock = 2048;

  struct Layer {
    Matrix<T> W;         // [W_l b_l], n_l x (n_{l-1} + 1)
    Matrix<T> velocity;  // V_l, as large
    Matrix<T> gradient;  // Σ u ãᵀ over the samples, as large
    Matrix<T> outer;     // Σ v vᵀ, n_l x n_l, lower triangle
    Matrix<T> inner;     // Σ ã ãᵀ, (n_{l-1} + 1) x (n_{l-1} + 1), lower triangle; of layer 1 in first_inner_
  };
  // Parameters, with the pass that draws the labels, and what a pass over the samples finds there: R(z_L), summed, and
  // of every layer the gradient and the second moments.
  struct Point {
    std::vector<Layer> layers;
    std::uint64_t draw = 0;
    Version parameters;
    Derived<double> loss;

    [[nodiscard]] bool known() const { return loss.valid(Stamp(parameters)); }
  };
  // Of the samples at work.
  struct InBlock {
    Matrix<T> input;  // ã_{l-1}, B x (n_{l-1} + 1)
    Matrix<T> z;      // B x n_l
    Matrix<T> duals;  // u_l and below it v_l, 2B x n_l
  };
  // A tile of a sum over the samples.
  enum class Kind : std::uint8_t { gradient, outer, inner };
  struct Tile {
    Kind kind;
    std::size_t layer;
    Rows rows, columns;
  };

  using Base::depth;
  using Base::setup_, Base::spaces_, Base::team_, Base::weights_, Base::x_;

  State(const Setup& setup, Shell)
      : Base(setup), rows_(std::min(setup.samples, kBlock)), block_(depth()), biases_(depth()) {
    kept_.layers.resize(depth());
    tried_.layers.resize(depth());
    for (const Kind kind : {Kind::gradient, Kind::outer, Kind::inner}) {
      if (kind == Kind::inner) inner_tiles_ = tiles_.size();
      for (std::size_t l = depth(); l >= 1; --l) {
        const std::size_t in = setup_.network.inputs(l) + 1;
        const std::size_t out = setup_.network.outputs(l);
        if (kind == Kind::inner && l == 1) first_tiles_ = tiles_.size();
        const Strips rows = Strips::of_about(kind == Kind::inner ? in : out, 256);
        const Strips columns = Strips::of_about(kind == Kind::outer ? out : in, 512);
        for (std::size_t i = 0; i < rows.count(); ++i) {
          for (std::size_t j = 0; j < columns.count(); ++j) {
            // Of a symmetric matrix the lower triangle is enough.
            if (kind != Kind::gradient && columns[j].first >= rows[i].first + rows[i].count) continue;
            tiles_.push_back({kind, l, rows[i], columns[j]});
          }
        }
      }
    }
  }

  void declare(StoragePlan& plan);

  [[nodiscard]] std::vector<LayerParameters<T>> parameters() {
    std::vector<LayerParameters<T>> all;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const Layer& it = layer(kept_, l);
      biases_[l - 1].resize(it.W.rows());
      copy(biases(it), biases_[l - 1]);
      all.push_back({weights(it), biases_[l - 1]});
    }
    return all;
  }
  [[nodiscard]] double count() const { return static_cast<double>(setup_.samples); }
  [[nodiscard]] static Layer& layer(Point& point, std::size_t l) { return point.layers[l - 1]; }
  [[nodiscard]] Matrix<T>& inner(Point& point, std::size_t l) { return l == 1 ? first_inner_ : layer(point, l).inner; }
  [[nodiscard]] static MatrixView<T> weights(const Layer& it) {
    return {it.W.view().data, it.W.rows(), it.W.columns() - 1, it.W.columns()};
  }
  [[nodiscard]] static MatrixView<T> biases(const Layer& it) {
    return {it.W.view().data + it.W.columns() - 1, it.W.rows(), 1, it.W.columns()};
  }
  static void copy(MatrixView<const T> from, std::span<T> to) {
    for (std::size_t i = 0; i < from.rows; ++i) std::copy_n(from.row(i), from.columns, to.data() + i * from.columns);
  }

  // --- a point ---

  bool know(Point& point);

  [[nodiscard]] MatrixView<T> part(const Matrix<T>& m, std::size_t count) const { return m.view().rows_from(0, count); }
  // a_l, B x n_l, in the rows that layer l + 1 takes.
  [[nodiscard]] MatrixView<T> activations(std::size_t l, std::size_t count) const {
    return window(block_[l].input.view(), {0, count}, {0, setup_.network.outputs(l)});
  }

  void forward(Point& point, Rows rows);
  [[nodiscard]] MatrixView<T> activations_of_input(std::size_t count) const {
    return window(block_[0].input.view(), {0, count}, {0, setup_.network.widths.front()});
  }

  double output_duals(Rows rows, std::uint64_t draw);
  void carry_back(Point& point, std::size_t count);
  void add_up(Point& point, Rows rows, bool first);

  // --- F and its gradient ---

  [[nodiscard]] double regularisation(const Point& point) {
    if (penalties_.l2 == 0) return 0;
    double squares = 0;
    for (const Layer& it : point.layers) squares += elementwise::square_norm<T>(team_, it.W.view());
    return penalties_.l2 / 2 * squares;
  }
  [[nodiscard]] double objective(const Point& point) { return point.loss.value / count() + regularisation(point); }

  [[nodiscard]] MatrixView<T> slope(std::size_t l);
  void measure_kept(Measures& measures);

  // --- the step ---

  void begin_step();
  [[nodiscard]] bool prepare(const Matrix<T>& sum, double damping);
  [[nodiscard]] bool update_W(std::size_t l, UpdateRecord& record, Measures& measures);
  bool settle(SweepRecord& record);

  // --- what is read ---

  void read_metric(MatrixView<const T> sum, double damping, std::span<T> out) const;
  void read_samples(Block block, std::size_t l, std::span<T> out);

  std::size_t rows_;  // B
  Penalties penalties_;
  Point kept_, tried_;
  Version of_X_;  // X never changes
  Matrix<T> first_inner_;
  Stamp first_inner_made_;
  std::uint64_t draws_ = 0;
  std::vector<InBlock> block_;
  std::vector<Tile> tiles_;  // those of inner last, and of them those of layer 1
  std::size_t inner_tiles_ = 0, first_tiles_ = 0;
  Buffer<T> step_;
  GramSolver<T> solver_;
  std::vector<std::vector<T>> biases_;  // without gaps, for evaluation
};

}  // namespace dladmm::metric
