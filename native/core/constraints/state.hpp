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
  explicit State(const Setup& setup) : State(setup, Shell()) {
    this->allocate();
    for (Layer& it : layers_) {
      std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
      finite_.watch(it.W.flat());
      finite_.watch(it.b);
    }
  }

  // V by a forward pass from the present W and b, Λ = 0.
  void start() {
    const AtWork here;
    write_targets();
    advance_all();
    for (std::size_t l = 1; l <= depth(); ++l) {
      Layer& it = layer(l);
      pass({l}, every_piece(), 0, [&](const Part& part) {
        const MatrixView<T> S = rows_of(it.S, part.rows);
        std::copy_n(S.data, S.rows * S.columns, rows_of(it.V, part.rows).data);
        std::fill_n(rows_of(it.Lambda, part.rows).data, S.rows * S.columns, T(0));
      });
      it.V_version.advance();
      it.Lambda_version.advance();
    }
  }

  // --- the algorithm ---

  // Runs the updates in order; stops between two of them when `stop` is set. After a value that is not finite, W and b
  // are those from before the sweep.
  void run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop, SweepRecord& record) {
    need_start(x_version_);
    const AtWork here(stop);
    note_beta(p);
    finite_.keep();
    work_ = {};
    const bool finite = run_sweep(
        record, updates.size(), stop, [&](std::size_t& i) { return update(updates[i], p, record.updates[i]); },
        [&] {
          measure(p, record.measures);
          return std::isfinite(record.measures.lagrangian) && std::isfinite(record.measures.kkt);
        });
    if (!finite) {
      finite_.restore();
      advance_all();
    }
    record.work = work_;
  }

  // Constraints, gradient and augmented Lagrangian of the state as it stands.
  void measure(const Penalties& p, Measures& measures) {
    need_start(x_version_);
    const AtWork here;
    note_beta(p);
    measures = {};
    measures.residual.resize(depth());
    measures.stationary_W.resize(depth());
    measures.stationary_V.resize(depth());
    double penalties = 0;
    for (std::size_t l = 1; l <= depth(); ++l) {
      know_slope(l, p, &measures);
      Layer& it = layer(l);
      const std::size_t n = it.W.columns();
      const double lambda = p.lambda[l - 1];
      // ‖[W_l b_l]‖² and ‖∂L/∂[W_l b_l]‖²
      const auto squares = [lambda](T w, T g) DLADMM_INLINE {
        const double value = static_cast<double>(w);
        const double slope = static_cast<double>(g) + lambda * value;
        return entrywise::Pair{value * value, slope * slope};
      };
      const auto found = sum_pieces<entrywise::Pair>(team_, it.b.size(), n + 1, [&](Rows rows, unsigned) {
        const MatrixView<T> gradient = it.gradient.view();
        entrywise::Pair sums = entrywise::sums(squares, it.W.view().rows_from(rows), window(gradient, rows, {0, n}));
        return sums += entrywise::sums(squares, biases(it).rows_from(rows), window(gradient, rows, {n, 1}));
      });
      measures.regularisation += lambda / 2 * found.first;
      measures.stationary_W[l - 1] = found.second;
      penalties += p.beta[l - 1] / 2 * measures.residual[l - 1];
    }
    for (std::size_t l = 0; l < depth(); ++l) {
      measures.kkt += measures.residual[l] + measures.stationary_W[l] + measures.stationary_V[l];
    }
    measures.lagrangian = measures.loss + measures.regularisation + measures.dual_product + penalties;
  }

  // --- looking in and changing by hand ---

  // Number of entries of a block, and a copy of them (row-major).
  [[nodiscard]] std::size_t size_of(Block block, std::size_t layer) { return entries_of(block, layer).size(); }

  // V and Λ are there from start() on.
  void read(Block block, std::size_t l, std::span<T> out) {
    if (block == Block::V || block == Block::Lambda) need_start(x_version_);
    const std::span<const T> entries = entries_of(block, l);
    std::copy(entries.begin(), entries.end(), out.begin());
  }

  void write(Block block, std::size_t l, std::span<const T> values) {
    if (block == Block::V || block == Block::Lambda) need_start(x_version_);
    std::copy(values.begin(), values.end(), entries_of(block, l).begin());
    Layer& it = layer(l);
    (block == Block::V ? it.V_version : block == Block::Lambda ? it.Lambda_version : it.W_version).advance();
  }

  // --- writing it out and taking it up again (section.hpp) ---

  // W, b, V, Λ: everything else follows from them.
  [[nodiscard]] std::vector<Section> sections() { return sections_(); }

  void restored() {
    write_targets();
    advance_all();
  }

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

  void declare(StoragePlan& plan) {
    const Network& net = setup_.network;
    const std::size_t samples = setup_.samples;
    const SampleCut cut(samples);
    std::size_t parameters = 0, inputs = 0,
                step = 0;  // entries of all [W_l b_l], the widest input, the largest [W_l b_l]
    this->declare_samples(plan, cut.pieces.largest());
    if (net.loss.classifies()) plan.matrix(y_, samples, net.widths.back());
    for (std::size_t l = 1; l <= depth(); ++l) {
      Layer& it = layer(l);
      const std::size_t n = net.inputs(l);
      const std::size_t m = net.outputs(l);
      const auto saved = [&](const char* block) { return StoragePlan::Name{&sections_, section_name(block, l)}; };
      plan.matrix(it.W, m, n, saved("W"));
      plan.vector(it.b, m, saved("b"));
      plan.matrix(it.V, samples, m, saved("V"));
      plan.matrix(it.Lambda, samples, m, saved("Lambda"));
      plan.matrix(it.S, samples, m);
      plan.matrix(it.gradient, m, n + 1);
      plan.matrix(it.gram, n + 1, n + 1);
      parameters += m * (n + 1);
      inputs = std::max(inputs, n);
      step = std::max(step, m * (n + 1));
    }
    plan.buffer(finite_.room, parameters);
    plan.buffer(step_, step);
    plan.buffer(step_scratch_, step);
    const std::size_t columns = std::max(inputs, net.widest());
    plan.vector(columns_, columns);
    plan.made(solver_, typename GramSolver<T>::Room{.size = inputs + 1});
    plan.made(sums_, cut, typename PieceSums<T>::Room{columns, step, inputs * inputs});
  }

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

  // Y, where it is made of labels.
  void write_targets() {
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      for (std::size_t j = 0; j < y_.columns(); ++j) {
        y_.view().row(i)[j] = setup_.network.loss.is_on(labels_[i], j, y_.columns()) ? T(1) : T(0);
      }
    }
  }

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

  // (s/2)‖V_N − Y‖², ‖s (V_N − Y) − Λ_N − β_N (S_N − V_N)‖² and the largest |Λ_N − s (V_N − Y)|, with s the weight of
  // the sample.
  void measure_output(const Penalties& p, const Part& part) {
    const Layer& it = layer(depth());
    auto& scalars = part.sums.scalars;
    scalars[kLoss] = scalars[kOutputStationary] = scalars[kIdentity] = 0;
    by_weight(part.rows, [&](double weight, Rows rows) {
      const MatrixView<T> Y = rows_of(y_, rows);
      const MatrixView<T> V = rows_of(it.V, rows);
      const MatrixView<T> Lambda = rows_of(it.Lambda, rows);
      const entrywise::Pair sums = entrywise::sums(
          [beta = p.beta[depth() - 1], weight](T y, T s, T v, T dual) DLADMM_INLINE {
            const double miss = static_cast<double>(v) - static_cast<double>(y);
            const double gap = static_cast<double>(s) - static_cast<double>(v);
            const double rest = weight * miss - static_cast<double>(dual) - beta * gap;
            return entrywise::Pair{weight * (miss * miss / 2), rest * rest};
          },
          Y, rows_of(it.S, rows), V, Lambda);
      scalars[kLoss] += sums.first;
      scalars[kOutputStationary] += sums.second;
      const double largest = entrywise::largest<double>(
          [weight](T y, T v, T dual) DLADMM_INLINE {
            return std::abs(static_cast<double>(dual) - weight * (static_cast<double>(v) - static_cast<double>(y)));
          },
          Y, V, Lambda);
      scalars[kIdentity] = std::isnan(largest) ? largest : std::max(scalars[kIdentity], largest);
    });
  }

  // [D_lᵀ V_{l-1}, D_lᵀ 1], the Gram matrix of V_{l-1} and max |V_l − Λ_l/β_l| where they are not those of the present
  // variables; with `measures` also what layer l adds to them, and what it gives to ∂L/∂V_{l-1}.
  void know_slope(std::size_t l, const Penalties& p, Measures* measures) {
    Layer& it = layer(l);
    const bool gradient = it.gradient_made != gradient_stamp(l);
    const bool gram = it.gram_made != Stamp(input_version(l));
    const bool largest = !it.largest.valid(target_stamp(l));
    if (!gradient && !gram && measures == nullptr) return;
    const MatrixView<T> in = input_of(l);
    const std::size_t n = in.columns;
    const std::size_t m = it.b.size();
    const auto samples = static_cast<double>(setup_.samples);
    const auto wide = static_cast<double>(n);
    const bool back = measures != nullptr && l > 1;
    double flops = 0;
    if (gradient) flops += count(&Work::gradient, samples, static_cast<double>(m), wide);
    if (gram) flops += count(&Work::gram, samples, wide, wide / 2);
    if (back) flops += count(&Work::back, samples, wide, static_cast<double>(m));
    const auto work = [&](const Part& part) {
      const MatrixView<T> input = in.rows_from(part.rows);
      const MatrixView<T> D = scratch(part, true, m);
      const entrywise::Pair miss = weighted_miss(l, p, part.rows, D);
      part.sums.scalars[kResidual] = miss.first;
      part.sums.scalars[kDualProduct] = miss.second;
      if (largest) part.sums.scalars[kLargest] = largest_target(l, p, part.rows);
      if (gradient) {
        sums_.add_product(part.group, D, input, part.first);  // n_l x n_{l-1} += Dᵀ V_{l-1}
        elementwise::add_columns<T>(D, std::span(part.sums.columns[1]).first(m));
      }
      if (gram) {
        sums_.add_gram(part.group, input, part.first);  // n_{l-1} x n_{l-1} += V_{l-1}ᵀ V_{l-1}
        elementwise::add_columns<T>(input, std::span(part.sums.columns[0]).first(n));
      }
      if (back) {
        const MatrixView<T> from_above = scratch(part, false, n);
        // samples x n_{l-1} <- (samples x n_l) (n_l x n_{l-1})
        blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, it.W.view(), T(0), from_above);
        part.sums.scalars[kStationary] = stationarity(l - 1, p, part.rows, from_above);
      }
      if (measures != nullptr && is_output(l)) measure_output(p, part);
    };
    const Pieces groups = gradient || gram ? sums_.cut().segments : every_piece();
    if (back) {
      pass({l - 1, l}, groups, flops, work);
    } else {
      pass({l}, groups, flops, work);
    }

    if (gradient) {
      const MatrixView<T> to = it.gradient.view();
      sums_.product(team_, MatrixView<T>(to.data, m, n, n + 1));
      const std::span<double> columns = std::span(columns_).first(m);
      sums_.columns(1, columns, 1, 0);
      for (std::size_t j = 0; j < m; ++j) to.row(j)[n] = static_cast<T>(columns[j]);
      it.gradient_made = gradient_stamp(l);
    }
    if (gram) {
      const MatrixView<T> to = it.gram.view();
      sums_.gram(team_, MatrixView<T>(to.data, n, n, n + 1));
      const std::span<double> columns = std::span(columns_).first(n);
      sums_.columns(0, columns, 1, 0);
      std::transform(columns.begin(), columns.end(), to.row(n), [](double x) { return static_cast<T>(x); });
      to.row(n)[n] = static_cast<T>(samples);
      it.gram_made = Stamp(input_version(l));
    }
    if (largest) it.largest.set(sums_.largest(kLargest), target_stamp(l));
    if (measures == nullptr) return;
    measures->residual[l - 1] = sums_.scalar(kResidual);
    measures->dual_product += sums_.scalar(kDualProduct);
    if (l > 1) measures->stationary_V[l - 2] = sums_.scalar(kStationary);
    if (is_output(l)) {
      measures->loss = sums_.scalar(kLoss);
      measures->stationary_V[l - 1] = sums_.scalar(kOutputStationary);
      measures->dual_identity = sums_.largest(kIdentity);
    }
  }

  // The curvature h of the quadratic model of layer l; 2 for the linear layer, whose model is exact.
  [[nodiscard]] double curvature(std::size_t l, const Penalties& p) {
    if (is_output(l)) return 2;
    Layer& it = layer(l);
    if (!it.largest.valid(target_stamp(l))) {
      const double entries = static_cast<double>(setup_.samples) * static_cast<double>(it.b.size());
      pass({}, every_piece(), kFlopsAnEntry * entries,
           [&](const Part& part) { part.sums.scalars[kLargest] = largest_target(l, p, part.rows); });
      it.largest.set(sums_.largest(kLargest), target_stamp(l));
    }
    const double largest = it.largest.value;
    return p.majoriser == Majoriser::largest ? largest : curvature_bound(setup_.network.activation.kind, largest);
  }

  // --- the updates; each returns false when it met a value that is not finite ---

  // Below it, 1/r would drown M Mᵀ.
  static constexpr double kSmallestRatio = 1e-6;

  // With A = [V_{l-1} 1], the gradient G = [D_lᵀ V_{l-1}, D_lᵀ 1] + λ_l [W_l b_l] and the curvature h of the model (2
  // where the layer is linear and the model exact),
  //
  //     [W_l b_l] <- [W_l b_l] − G (λ_l I + (β_l h/2) Aᵀ A)⁻¹
  //
  // is the minimiser (50) of the last layer and (51) of a hidden one.
  bool update_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
    Layer& it = layer(l);
    know_slope(l, p, nullptr);
    const double h = curvature(l, p);
    if (!is_output(l)) record.curvature = h;
    const std::size_t n = it.W.columns() + 1;
    const std::size_t m = it.W.rows();

    Clock clock;
    const auto c = static_cast<T>(p.beta[l - 1] * h / 2);
    const auto lambda = static_cast<T>(p.lambda[l - 1]);
    const MatrixView<T> gram = it.gram.view();
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += static_cast<double>(c * gram.row(i)[i]) + p.lambda[l - 1];
    const auto fill = [&](MatrixView<T> matrix) { fill_scaled<T>(team_, c, gram, lambda, matrix); };
    // Below that share of the trace, what λ_l adds is lost in the rounding of the Gram matrix.
    const double ridge = trace > 0 ? std::max(0.0, GramSolver<T>::kRounding - p.lambda[l - 1] / trace) : 0;
    if (!solver_.prepare(team_, Inversion::cholesky, n, ridge, fill)) return false;
    record.ridge = solver_.ridge();
    ++work_.factor;
    work_.flops += std::pow(static_cast<double>(n), 3) / 3 + 2 * static_cast<double>(m * n * n);

    const MatrixView<T> step(step_.data(), m, n);
    each_piece(team_, m, n, [&](Rows rows, unsigned) {
      const auto add = [lambda](T w, T g, T& to) DLADMM_INLINE { to = g + lambda * w; };
      const Rows weights{0, n - 1}, bias{n - 1, 1};
      entrywise::each(add, it.W.view().rows_from(rows), window(it.gradient.view(), rows, weights),
                      window(step, rows, weights));
      entrywise::each(add, biases(it).rows_from(rows), window(it.gradient.view(), rows, bias),
                      window(step, rows, bias));
    });
    solver_.apply(team_, step, MatrixView<T>(step_scratch_.data(), m, n));
    record.step_norm = elementwise::square_norm<T>(team_, step);
    record.factor_seconds = clock.seconds();
    if (!std::isfinite(record.step_norm)) return false;
    each_piece(team_, m, n, [&](Rows rows, unsigned) {
      elementwise::step_back<T>(it.W.view().rows_from(rows), T(1), window(step, rows, {0, n - 1}));
      elementwise::step_back<T>(biases(it).rows_from(rows), T(1), window(step, rows, {n - 1, 1}));
    });
    it.W_version.advance();
    return true;
  }

  // V_l below layer l + 1. With M = W_{l+1}, r = (β_{l+1} μ/2) / β_l for the curvature μ of the model of layer l + 1 (2
  // where it is linear), E = S_l + Λ_l/β_l − V_l and G = D_{l+1}/β_l,
  //
  //     V_l <- V_l + (E − G M) (I + r Mᵀ M)⁻¹                                 n_l x n_l
  //          = V_l + E + t M,  t = −(G/r + E Mᵀ) (I/r + M Mᵀ)⁻¹               n_{l+1} x n_{l+1}
  //
  // is the minimiser (57), and (56) for l = N − 1. The smaller matrix is factored.
  bool update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record) {
    Layer& it = layer(l);
    const MatrixView<const T> M = layer(l + 1).W.view();
    const std::size_t n = M.columns;
    const std::size_t m = M.rows;
    const T beta = beta_of(l, p);
    const double mu = curvature(l + 1, p);
    if (!std::isfinite(mu)) return false;
    if (!is_output(l + 1)) record.curvature = mu;
    const double ratio = p.beta[l] * mu / 2 / p.beta[l - 1];
    const bool by_outputs = m < n && ratio >= kSmallestRatio;
    const std::size_t size = by_outputs ? m : n;

    Clock clock;
    const auto factor = static_cast<T>(by_outputs ? 1 : ratio);
    const auto shift = static_cast<T>(by_outputs ? 1 / ratio : 1);
    const auto fill = [&](MatrixView<T> matrix) {
      fill_gram<T>(team_, by_outputs ? blas::Op::none : blas::Op::transpose, factor, M, shift, matrix);
    };
    if (!solver_.prepare(team_, Inversion::cholesky, size, 0, fill)) return false;
    record.ridge = solver_.ridge();
    record.factor_seconds = clock.seconds();
    ++work_.factor;
    work_.flops += std::pow(static_cast<double>(size), 3) / 3 + static_cast<double>(m * n * size);

    const auto samples = static_cast<double>(setup_.samples);
    const auto number = [](std::size_t k) { return static_cast<double>(k); };
    double flops = count(&Work::back, samples, number(n), number(m));
    if (by_outputs) flops += count(&Work::image, samples, number(m), number(n));
    flops += count(&Work::solve, samples, number(size), number(size));
    pass({l, l + 1}, every_piece(), flops, [&](const Part& part) {
      const MatrixView<T> V = rows_of(it.V, part.rows);
      const MatrixView<T> D = scratch(part, true, m);
      const MatrixView<T> step = scratch(part, false, n);
      weighted_miss(l + 1, p, part.rows, D);
      entrywise::each([inverse = T(1) / beta](T s, T v, T dual, T& e) DLADMM_INLINE { e = inverse * dual + (s - v); },
                      rows_of(it.S, part.rows), V, rows_of(it.Lambda, part.rows), step);
      if (by_outputs) {
        // t: samples x m <- −(samples x n) (m x n)ᵀ − G/r
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), step, M, static_cast<T>(-1 / (p.beta[l - 1] * ratio)),
                      D);
        solver_.apply_rows(D, {});
        // samples x n += (samples x m) (m x n)
        blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, M, T(1), step);
      } else {
        // samples x n −= (samples x m) (m x n) / β
        blas::gemm<T>(blas::Op::none, blas::Op::none, T(-1) / beta, D, M, T(1), step);
        solver_.apply_rows(step, {});
      }
      elementwise::step_back<T>(V, T(-1), step);
      part.sums.scalars[kStep] = elementwise::square_norm<T>(step);
    });
    record.step_norm = sums_.scalar(kStep);
    it.V_version.advance();
    return std::isfinite(record.step_norm);
  }

  // V_N <- (s Y + Λ_N + β_N (V_{N-1} W_Nᵀ + b_N)) / (s + β_N), with s the weight of the sample
  bool update_output_V(const Penalties& p, UpdateRecord& record) {
    Layer& it = layer(depth());
    const T beta = beta_of(depth(), p);
    pass({depth()}, every_piece(), 0, [&](const Part& part) {
      part.sums.scalars[kStep] = 0;
      by_weight(part.rows, [&](T weight, Rows rows) {
        part.sums.scalars[kStep] += entrywise::sum(
            [beta, weight](T y, T s, T dual, T& v) DLADMM_INLINE {
              const T next = (weight * y + dual + beta * s) / (weight + beta);
              const double change = static_cast<double>(next - v);
              v = next;
              return change * change;
            },
            rows_of(y_, rows), rows_of(it.S, rows), rows_of(it.Lambda, rows), rows_of(it.V, rows));
      });
    });
    record.step_norm = sums_.scalar(kStep);
    it.V_version.advance();
    return std::isfinite(record.step_norm);
  }

  // Λ_l <- Λ_l + β_l (σ(V_{l-1} W_lᵀ + b_l) − V_l)
  bool update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record) {
    Layer& it = layer(l);
    pass({l}, every_piece(), 0, [&](const Part& part) {
      part.sums.scalars[kStep] = entrywise::sum(
          [beta = beta_of(l, p)](T s, T v, T& dual) DLADMM_INLINE {
            const T change = beta * (s - v);
            dual += change;
            return static_cast<double>(change) * static_cast<double>(change);
          },
          rows_of(it.S, part.rows), rows_of(it.V, part.rows), rows_of(it.Lambda, part.rows));
    });
    record.step_norm = sums_.scalar(kStep);
    it.Lambda_version.advance();
    return std::isfinite(record.step_norm);
  }

  bool update(const Update& update, const Penalties& p, UpdateRecord& record) {
    switch (update.block) {
      case Block::W:
        return update_W(update.layer, p, record);
      case Block::V:
        return is_output(update.layer) ? update_output_V(p, record) : update_hidden_V(update.layer, p, record);
      case Block::Lambda:
        return update_Lambda(update.layer, p, record);
      case Block::b:
        break;
    }
    return true;
  }

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
