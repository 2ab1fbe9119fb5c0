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
#include "core/gradient/draw.hpp"
#include "core/gradient/loss_rows.hpp"
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
  explicit State(const Setup& setup) : State(setup, Shell()) {
    for (const std::size_t width : setup_.network.widths) static_cast<void>(blas::dimension(width + 1));
    this->allocate();
    for (Point* point : {&kept_, &tried_}) {
      for (Layer& it : point->layers) std::ranges::fill(it.W.flat(), T(0));
    }
    for (InBlock& it : block_) {
      const MatrixView<T> input = it.input.view();
      for (std::size_t i = 0; i < input.rows; ++i) input.row(i)[input.columns - 1] = T(1);
    }
    start();
  }

  using Base::weights;

  // As new but for W and b: V = 0, nothing drawn.
  void start() {
    for (Layer& it : kept_.layers) std::ranges::fill(it.velocity.flat(), T(0));
    kept_.draw = draws_ = 0;
    kept_.parameters.advance();
  }

  // One sweep. It stops when `stop` is set, between two updates and between two blocks: then, and where F rose or is no
  // number, the kept point is as it was.
  void run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop, SweepRecord& record) {
    const AtWork here(stop);
    penalties_ = p;
    record.measures = {};
    bool begun = false;
    bool moved = false;
    const bool ran = run_sweep(
        record, updates.size(), stop,
        [&](std::size_t& i) {
          if (!begun) {
            if (!know(kept_)) return true;
            if (!std::isfinite(objective(kept_))) return false;
            begin_step();
            begun = true;
          }
          if (updates[i].block != Block::W) {
            // All of them are found in one pass.
            while (i + 1 < updates.size() && updates[i + 1].block != Block::W) ++i;
            static_cast<void>(know(tried_));
            return true;
          }
          moved = true;
          return update_W(updates[i].layer, record.updates[i], record.measures);
        },
        [&] { return !moved || record.stopped || settle(record); });
    if (ran && !record.stopped) measure_kept(record.measures);
  }

  void measure(const Penalties& p, Measures& measures) {
    const AtWork here;
    penalties_ = p;
    measures = {};
    static_cast<void>(know(kept_));
    measure_kept(measures);
  }

  // --- looking in and changing by hand ---

  [[nodiscard]] std::size_t size_of(Block block, std::size_t l) const {
    const std::size_t in = setup_.network.inputs(l);
    const std::size_t out = setup_.network.outputs(l);
    switch (block) {
      case Block::W:
        return out * in;
      case Block::b:
        return out;
      case Block::P:
        return out * out;
      case Block::G:
        return (in + 1) * (in + 1);
      case Block::velocity:
        return out * (in + 1);
      case Block::z:
      case Block::a:
      case Block::u:
      case Block::target:
        return setup_.samples * out;
    }
    return 0;
  }

  void read(Block block, std::size_t l, std::span<T> out) {
    const AtWork here;
    const Layer& it = layer(kept_, l);
    switch (block) {
      case Block::W:
        return copy(weights(it), out);
      case Block::b:
        return copy(biases(it), out);
      case Block::velocity:
        return copy(MatrixView<const T>(it.velocity.view()), out);
      case Block::P:
        static_cast<void>(know(kept_));
        return read_metric(it.outer.view(), penalties_.output_damping, out);
      case Block::G:
        static_cast<void>(know(kept_));
        return read_metric(inner(kept_, l).view(), penalties_.damping, out);
      case Block::z:
      case Block::a:
      case Block::u:
      case Block::target:
        return read_samples(block, l, out);
    }
  }

  // W or b.
  void write(Block block, std::size_t l, std::span<const T> values) {
    if (block != Block::W && block != Block::b) throw std::logic_error("that block follows from W and b");
    const Layer& it = layer(kept_, l);
    const MatrixView<T> to = block == Block::W ? weights(it) : biases(it);
    for (std::size_t i = 0; i < to.rows; ++i) std::copy_n(values.data() + i * to.columns, to.columns, to.row(i));
    kept_.parameters.advance();
  }

  // W, b and V of the kept point, and which labels were drawn there (section.hpp): all else follows from them.
  [[nodiscard]] std::vector<Section> sections() {
    std::vector<Section> out;
    for (std::size_t l = 1; l <= depth(); ++l) {
      out.push_back(section(section_name("W", l), layer(kept_, l).W));
      out.push_back(section(section_name("velocity", l), layer(kept_, l).velocity));
    }
    out.push_back(section("draw", kept_.draw));
    out.push_back(section("draws", draws_));
    return out;
  }
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

  void declare(StoragePlan& plan) {
    this->declare_samples(plan);
    const Network& net = setup_.network;
    std::size_t step = 0;
    std::size_t size = 0;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const std::size_t in = net.inputs(l) + 1;
      const std::size_t out = net.outputs(l);
      for (Point* point : {&kept_, &tried_}) {
        Layer& it = layer(*point, l);
        for (Matrix<T>* matrix : {&it.W, &it.velocity, &it.gradient}) plan.matrix(*matrix, out, in);
        plan.matrix(it.outer, out, out);
        if (l > 1) plan.matrix(it.inner, in, in);
      }
      if (l == 1) plan.matrix(first_inner_, in, in);
      plan.matrix(block_[l - 1].input, rows_, in);
      plan.matrix(block_[l - 1].z, rows_, out);
      plan.matrix(block_[l - 1].duals, 2 * rows_, out);
      step = std::max(step, in * out);
      size = std::max({size, in, out});
    }
    plan.buffer(step_, step);
    plan.made(solver_, typename GramSolver<T>::Room{.size = size});
  }

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

  // F, ∇F and the second moments at a point, where they are not known yet; false where a stop came first.
  bool know(Point& point) {
    if (point.known()) return true;
    double loss = 0;
    const Pieces blocks = pieces_of(setup_.samples, rows_);
    for (std::size_t i = 0; i < blocks.count; ++i) {
      if (stop_asked()) return false;
      const Rows rows = blocks[i];
      forward(point, rows);
      loss += output_duals(rows, point.draw);
      carry_back(point, rows.count);
      add_up(point, rows, i == 0);
    }
    first_inner_made_ = Stamp(of_X_);
    point.loss.set(loss, Stamp(point.parameters));
    return true;
  }

  [[nodiscard]] MatrixView<T> part(const Matrix<T>& m, std::size_t count) const { return m.view().rows_from(0, count); }
  // a_l, B x n_l, in the rows that layer l + 1 takes.
  [[nodiscard]] MatrixView<T> activations(std::size_t l, std::size_t count) const {
    return window(block_[l].input.view(), {0, count}, {0, setup_.network.outputs(l)});
  }

  // z_l and a_l of a block
  void forward(Point& point, Rows rows) {
    const Network& net = setup_.network;
    const MatrixView<T> x = activations_of_input(rows.count);
    each_piece(team_, rows.count, x.columns, [&](Rows own, unsigned) {
      for (std::size_t i = own.first; i < own.first + own.count; ++i) {
        std::copy_n(x_.view().row(rows.first + i), x.columns, x.row(i));
      }
    });
    if (!weights_.empty()) {
      // add_up() may have scaled the column of ones.
      for (const InBlock& it : block_) {
        for (std::size_t i = 0; i < rows.count; ++i) it.input.view().row(i)[it.input.columns() - 1] = T(1);
      }
    }
    for (std::size_t l = 1; l <= depth(); ++l) {
      const MatrixView<T> z = part(block_[l - 1].z, rows.count);
      // B x n_l <- (B x (n_{l-1} + 1)) (n_l x (n_{l-1} + 1))ᵀ
      multiply_and<T>(team_, Op::none, Op::transpose, 1, part(block_[l - 1].input, rows.count),
                      layer(point, l).W.view(), 0, z, [&](Rows tile, Rows columns) {
                        if (l == depth()) return;
                        elementwise::activate<T>(net.activation, window(z, tile, columns),
                                                 window(activations(l, rows.count), tile, columns));
                      });
    }
  }
  [[nodiscard]] MatrixView<T> activations_of_input(std::size_t count) const {
    return window(block_[0].input.view(), {0, count}, {0, setup_.network.widths.front()});
  }

  // u_L and v_L; returns R summed over the block.
  double output_duals(Rows rows, std::uint64_t draw) {
    const Loss& loss = setup_.network.loss;
    const std::size_t n = setup_.network.widths.back();
    const MatrixView<const T> z = block_.back().z.view();
    const MatrixView<T> duals = block_.back().duals.view();
    const Targets<T> targets = this->targets();
    const auto found = sum_pieces<ForwardLoss>(team_, rows.count, n, [&](Rows own, unsigned member) {
      const std::span<double> work = spaces_[member].work;
      return loss_over_rows(
          loss, own.count, n, work, [&](std::size_t i) { return z.row(own.first + i); },
          [&](std::size_t i, std::span<double> room) { return targets.of(rows.first + own.first + i, room); },
          [&](std::size_t i, std::span<const double> gradient) {
            const std::size_t at = own.first + i;
            const std::span<double> v = work.subspan(3 * n, n);
            const SampleTarget target = targets.of(rows.first + at, work.subspan(4 * n, n));
            RandomStream random = stream_of(setup_.seed, draw, rows.first + at);
            draw_multiplier(loss, work.first(n), target, random, v);
            const double root = std::sqrt(target.weight);
            std::ranges::transform(gradient, duals.row(at), [](double g) { return static_cast<T>(g); });
            std::ranges::transform(v, duals.row(rows.count + at), [&](double g) { return static_cast<T>(root * g); });
          });
    });
    return found.loss;
  }

  // u_l and v_l of the hidden layers
  void carry_back(Point& point, std::size_t count) {
    const Activation& f = setup_.network.activation;
    for (std::size_t l = depth() - 1; l >= 1; --l) {
      const MatrixView<T> to = part(block_[l - 1].duals, 2 * count);
      const MatrixView<const T> y = f.value_tells_derivative() ? activations(l, count) : part(block_[l - 1].z, count);
      // 2B x n_l <- (2B x n_{l+1}) (n_{l+1} x n_l)
      multiply_and<T>(team_, Op::none, Op::none, 1, part(block_[l].duals, 2 * count), weights(layer(point, l + 1)), 0,
                      to, [&](Rows rows, Rows columns) {
                        // Rows of u, then rows of v.
                        for (const std::size_t first : {std::size_t{0}, count}) {
                          const std::size_t begin = std::max(rows.first, first);
                          const std::size_t end = std::min(rows.first + rows.count, first + count);
                          if (begin >= end) continue;
                          elementwise::times_derivative<T>(f, window(to, {begin, end - begin}, columns),
                                                           window(y, {begin - first, end - begin}, columns));
                        }
                      });
    }
  }

  // Adds a block to Σ u ãᵀ, Σ v vᵀ and Σ ã ãᵀ.
  void add_up(Point& point, Rows rows, bool first) {
    const std::size_t end = first_inner_made_ == Stamp(of_X_) ? first_tiles_ : tiles_.size();
    const auto add = [&](std::size_t from, std::size_t to) {
      double flops = 0;
      for (std::size_t i = from; i < to; ++i) {
        flops += product_flops(tiles_[i].rows.count, rows.count, tiles_[i].columns.count);
      }
      team_.run(to - from, flops, [&](std::size_t i, unsigned) {
        const auto& [kind, l, out, columns] = tiles_[from + i];
        const MatrixView<T> input = part(block_[l - 1].input, rows.count);
        const MatrixView<T> u = part(block_[l - 1].duals, rows.count);
        const MatrixView<T> v = block_[l - 1].duals.view().rows_from(rows.count, rows.count);
        const MatrixView<T> left = kind == Kind::gradient ? u : kind == Kind::outer ? v : input;
        const MatrixView<T> right = kind == Kind::outer ? v : input;
        Layer& it = layer(point, l);
        const Matrix<T>& sum = kind == Kind::gradient ? it.gradient : kind == Kind::outer ? it.outer : inner(point, l);
        // out x columns += (B x out)ᵀ (B x columns)
        sum_products<T>(1, window(left, {0, rows.count}, out), window(right, {0, rows.count}, columns),
                        first ? T(0) : T(1), window(sum.view(), out, columns));
      });
    };
    if (weights_.empty()) return add(0, end);
    add(0, inner_tiles_);
    // A sample of weight w counts as w of them: √w ã.
    for (const InBlock& it : block_) {
      const MatrixView<T> input = it.input.view();
      each_piece(team_, rows.count, input.columns, [&](Rows own, unsigned) {
        for (std::size_t i = own.first; i < own.first + own.count; ++i) {
          const T root = static_cast<T>(std::sqrt(weights_[rows.first + i]));
          std::ranges::transform(std::span(input.row(i), input.columns), input.row(i),
                                 [root](T x) { return root * x; });
        }
      });
    }
    add(inner_tiles_, end);
  }

  // --- F and its gradient ---

  [[nodiscard]] double regularisation(const Point& point) {
    if (penalties_.l2 == 0) return 0;
    double squares = 0;
    for (const Layer& it : point.layers) squares += elementwise::square_norm<T>(team_, it.W.view());
    return penalties_.l2 / 2 * squares;
  }
  [[nodiscard]] double objective(const Point& point) { return point.loss.value / count() + regularisation(point); }

  // ∂F/∂[W_l b_l] of the kept point
  [[nodiscard]] MatrixView<T> slope(std::size_t l) {
    const Layer& it = layer(kept_, l);
    const MatrixView<T> out(step_.data(), it.W.rows(), it.W.columns());
    const T share = static_cast<T>(1 / count());
    const T l2 = static_cast<T>(penalties_.l2);
    each_piece(team_, out.rows, out.columns, [&](Rows rows, unsigned) {
      entrywise::each([share, l2](T g, T w, T& to) DLADMM_INLINE { to = share * g + l2 * w; },
                      it.gradient.view().rows_from(rows), it.W.view().rows_from(rows), out.rows_from(rows));
    });
    return out;
  }

  void measure_kept(Measures& measures) {
    measures.loss = kept_.loss.value;
    measures.regularisation = regularisation(kept_);
    measures.objective = objective(kept_);
    measures.kkt = 0;
    for (std::size_t l = 1; l <= depth(); ++l) measures.kkt += elementwise::square_norm<T>(team_, slope(l));
  }

  // --- the step ---

  // Layers that the sweep does not name stay where they are.
  void begin_step() {
    for (std::size_t l = 1; l <= depth(); ++l) {
      std::ranges::copy(layer(kept_, l).W.flat(), layer(tried_, l).W.flat().begin());
      std::ranges::fill(layer(tried_, l).velocity.flat(), T(0));
    }
    tried_.parameters.advance();
    tried_.draw = ++draws_;
  }

  // P_l or G_l of a sum over the samples, factored
  [[nodiscard]] bool prepare(const Matrix<T>& sum, double damping) {
    const std::size_t n = sum.rows();
    return solver_.prepare(team_, Inversion::cholesky, n, damping / static_cast<double>(n), [&](MatrixView<T> to) {
      fill_scaled<T>(team_, static_cast<T>(1 / count()), sum.view(), T(0), to);
    });
  }

  // V_l <- m V_l − s P_l⁻¹ ∂F/∂[W_l b_l] G_l⁻¹, [W_l b_l] <- [W_l b_l] + V_l; false where a metric is not finite.
  [[nodiscard]] bool update_W(std::size_t l, UpdateRecord& record, Measures& measures) {
    const Layer& from = layer(kept_, l);
    const Layer& to = layer(tried_, l);
    const MatrixView<T> step = slope(l);
    // n_l x (n_{l-1} + 1), times the inverse on the right, then on the left
    if (!prepare(inner(kept_, l), penalties_.damping)) return false;
    solver_.apply(team_, step, {});
    if (!prepare(from.outer, penalties_.output_damping)) return false;
    solver_.apply_to_columns(team_, step);
    const T momentum = static_cast<T>(penalties_.momentum);
    const T rate = static_cast<T>(penalties_.rate);
    const double share = 1 / count();
    const double l2 = penalties_.l2;
    const auto sums = sum_pieces<entrywise::Pair>(team_, step.rows, step.columns, [&](Rows rows, unsigned) {
      const MatrixView<T> velocity = to.velocity.view().rows_from(rows);
      const MatrixView<T> delta = step.rows_from(rows);
      entrywise::each([momentum, rate](T old, T d, T& v) DLADMM_INLINE { v = momentum * old - rate * d; },
                      from.velocity.view().rows_from(rows), delta, velocity);
      entrywise::each([](T w, T v, T& next) DLADMM_INLINE { next = w + v; }, from.W.view().rows_from(rows), velocity,
                      to.W.view().rows_from(rows));
      return entrywise::sums(
          [share, l2](T g, T w, T d, T v) DLADMM_INLINE {
            const double slope = share * static_cast<double>(g) + l2 * static_cast<double>(w);
            return entrywise::Pair{slope * static_cast<double>(d), slope * static_cast<double>(v)};
          },
          from.gradient.view().rows_from(rows), from.W.view().rows_from(rows), delta, velocity);
    });
    tried_.parameters.advance();
    record.slope = sums.first;
    record.step_norm = elementwise::square_norm<T>(team_, to.velocity.view());
    measures.slope = (std::isnan(measures.slope) ? 0 : measures.slope) + sums.first;
    measures.expected = (std::isnan(measures.expected) ? 0 : measures.expected) + sums.second;
    return true;
  }

  // Keeps the point that the step led to, where F did not rise.
  bool settle(SweepRecord& record) {
    if (!know(tried_)) {
      record.stopped = true;
      return true;
    }
    Measures& measures = record.measures;
    const double before = objective(kept_);
    measures.tried = objective(tried_);
    measures.reduction = (measures.tried - before) / measures.expected;
    measures.kept = measures.tried <= before;
    if (measures.kept) std::swap(kept_, tried_);
    return true;
  }

  // --- what is read ---

  void read_metric(MatrixView<const T> sum, double damping, std::span<T> out) const {
    const std::size_t n = sum.rows;
    const double share = 1 / count();
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += share * static_cast<double>(sum.row(i)[i]);
    const double mean = trace > 0 ? trace / static_cast<double>(n) : 1;
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        const double shift = i == j ? damping * mean : 0;
        out[i * n + j] = out[j * n + i] = static_cast<T>(share * static_cast<double>(sum.row(i)[j]) + shift);
      }
    }
  }

  void read_samples(Block block, std::size_t l, std::span<T> out) {
    const bool by_target = block == Block::target;
    if (by_target && !(know(kept_) && prepare(layer(kept_, l).outer, penalties_.output_damping))) {
      throw std::logic_error("the metric of that layer is not finite");
    }
    const Pieces blocks = pieces_of(setup_.samples, rows_);
    const std::size_t n = setup_.network.outputs(l);
    for (std::size_t i = 0; i < blocks.count; ++i) {
      const Rows rows = blocks[i];
      const std::span<T> to = out.subspan(rows.first * n, rows.count * n);
      forward(kept_, rows);
      const MatrixView<T> z = part(block_[l - 1].z, rows.count);
      if (block == Block::z) copy(z, to);
      if (block == Block::a) copy(activations(l, rows.count), to);
      if (block == Block::z || block == Block::a) continue;
      static_cast<void>(output_duals(rows, kept_.draw));
      carry_back(kept_, rows.count);
      const MatrixView<T> u = part(block_[l - 1].duals, rows.count);
      if (by_target) {
        solver_.apply(team_, u, {});  // B x n_l, times P_l⁻¹
        elementwise::step_back<T>(z, 1, u);
      }
      copy(by_target ? z : u, to);
    }
  }

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
