// The running Gram matrix of a layer's input, and products with (A + δI)⁻¹, which is what it is there for.
//
//     A <- βA + (1 − β) ãᵀ S ã / B,   δ = λ + c (trace(A)/n + λ)
//
// ã is the input of the layer with a column of ones (which b_l meets), n columns in all; S = diag(s) has what the
// samples count for, I where all count alike; λ is the weight of ½‖[W_l b_l]‖². As long as the plain mean of the
// batches taken in is shorter than the memory of β, it stands for A.
//
//   full      A is kept, and A + δI inverted by Cholesky: n² B + n³ flops for a batch that is taken in, 2n² for a row
//             that is multiplied. Where A + δI is not positive definite in T, δ grows until it is.
//   low_rank  Of A its trace is kept, and A ≈ U H Uᵀ with U (n x r) orthonormal, one step of subspace iteration further
//             with every batch taken in: U <- orth(AU). Then (A + δI)⁻¹ ≈ (I − U H (H + δI)⁻¹ Uᵀ) / δ: a direction in
//             which A is below δ is hardly changed by the inverse. 8 B n r flops for a batch, 4n r for a row; nothing
//             is n x n. Exact where r = n.
//
// With `split` there is (A + (δ + s)I)⁻¹ beside it, s the mean eigenvalue of A + δI: of the steps of a consensus split.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/order.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/lapack.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
#include "core/runtime/ranks.hpp"
#include "core/runtime/team.hpp"
#include "core/splitting/gram.hpp"
#include "core/splitting/storage_plan.hpp"

namespace dladmm {

enum class GramForm : std::uint8_t { full, low_rank };

struct GramSettings {
  GramForm form = GramForm::low_rank;
  std::size_t rank = 16;  // r
  double beta = 0.95;     // β
  double damping = 4;     // c
  double l2 = 0;          // λ
  bool split = false;

  // r of a layer whose input has n columns.
  [[nodiscard]] std::size_t rank_of(std::size_t n) const { return form == GramForm::full ? 0 : (rank < n ? rank : n); }
};

// s of a batch: what its samples, rows of `of`, count for.
struct BatchWeights {
  std::span<const double> of;  // none where all count alike
  std::span<const std::uint32_t> samples;

  [[nodiscard]] bool none() const { return of.empty(); }
  [[nodiscard]] double operator[](std::size_t i) const { return of[samples[i]]; }
};

template <typename T>
class RunningGram {
 public:
  // Of use once it has been declared, the plan has allocated, and reset() was called.
  RunningGram(std::size_t size, const GramSettings& settings, std::uint32_t seed)
      : size_(size), rank_(settings.rank_of(size)), settings_(settings), seed_(seed) {}

  void declare(StoragePlan& plan) {
    if (settings_.form == GramForm::full) {
      plan.matrix(a_, size_, size_);
      const typename GramSolver<T>::Room room{.size = size_, .inverse = true};
      plan.made(solver_, room);
      if (settings_.split) plan.made(split_solver_, room);
      return;
    }
    for (Matrix<double>* const it : {&basis_, &other_basis_}) plan.matrix(*it, size_, rank_);
    for (Matrix<double>* const it : {&h_, &small_, &turned_}) plan.matrix(*it, rank_, rank_);
    for (Matrix<T>* const it : {&u_, &image_}) plan.matrix(*it, size_, rank_);
    plan.matrix(m_, rank_, size_);
    if (settings_.split) plan.matrix(split_m_, rank_, size_);
    plan.matrix(projected_, rank_, rank_);
  }

  // r, 0 for `full`: how many columns the scratch of the calls below has.
  [[nodiscard]] std::size_t rank() const { return rank_; }
  // δ, as it was last found.
  [[nodiscard]] double damping() const { return delta_; }
  // s
  [[nodiscard]] double split() const { return delta_ + trace_ / static_cast<double>(size_); }

  // δ has so much more from what is taken in or restored next on.
  void raise(double more) { raised_ = more; }

  // Takes in the inputs of a batch, B x n, and finds afresh what `apply` multiplies by. False where A is not finite.
  // `scratch` is B x r; `sums` has room for products of sums_room(n, settings) entries over a whole batch.
  // `share`: of B samples, of which others may have their part. `room`: weighed_room(B, n, settings) entries where
  // samples weigh.
  [[nodiscard]] bool take_in(Team& team, PieceSums<T>& sums, MatrixView<const T> input, MatrixView<T> scratch,
                             const Share& share = {}, const BatchWeights& weights = {}, std::span<T> room = {}) {
    return learn(team, sums, DenseBatch{input, share, weights, room}, scratch);
  }
  [[nodiscard]] bool take_in(Team& team, PieceSums<T>& sums, const CsrView<T>& input, MatrixView<T> scratch,
                             const BatchWeights& weights = {}) {
    return learn(team, sums, SparseBatch{input, transposed(input), weights}, scratch);
  }

  // Of √s ã: the low-rank form weighs its scratch instead.
  [[nodiscard]] static std::size_t weighed_room(std::size_t batch, std::size_t size, const GramSettings& settings) {
    return settings.form == GramForm::full ? batch * size : 0;
  }

  [[nodiscard]] static std::size_t sums_room(std::size_t batch, std::size_t size, const GramSettings& settings) {
    const auto room = [batch](std::size_t rows, std::size_t columns) {
      return summed_by_segments(batch, rows, columns) ? rows * columns : 0;
    };
    if (settings.form == GramForm::full) return room(size, size);
    // Of ãᵀY and of YᵀY: the smaller product may be summed by segments where the larger is not.
    const std::size_t r = settings.rank_of(size);
    return std::max(room(size, r), room(r, r));
  }

  // out <- x (A + δI)⁻¹, or with δ + s in place of δ, for rows that one member has; `out` lies apart from x, `scratch`
  // has as many rows and r columns.
  void apply(MatrixView<const T> x, MatrixView<T> out, MatrixView<T> scratch, bool by_split = false) const {
    if (settings_.form == GramForm::full) return (by_split ? split_solver_ : solver_).multiply_rows(x, out);
    const T factor = static_cast<T>(1 / (by_split ? delta_ + split() : delta_));
    // rows x r <- rows x n, n x r; then rows x n <- rows x r, r x n
    blas::gemm<T>(Op::none, Op::none, T(1), x, u_.view(), T(0), scratch);
    entrywise::each([factor](T xi, T& to) DLADMM_INLINE { to = factor * xi; }, x, out);
    blas::gemm<T>(Op::none, Op::none, -factor, scratch, (by_split ? split_m_ : m_).view(), T(1), out);
  }

  // ⟨S, S (A + δI)⟩ of rows S, where the form is low_rank; scratch as above.
  [[nodiscard]] double slope(MatrixView<const T> s, MatrixView<T> scratch) const {
    // rows x r <- rows x n, n x r
    blas::gemm<T>(Op::none, Op::none, T(1), s, u_.view(), T(0), scratch);
    double sum = delta_ * elementwise::square_norm<T>(s);
    const MatrixView<const double> h = h_.view();
    for (std::size_t k = 0; k < s.rows; ++k) {
      const T* const y = scratch.row(k);
      for (std::size_t i = 0; i < rank_; ++i) {
        double image = 0;
        for (std::size_t j = 0; j < rank_; ++j) image += h.row(i)[j] * static_cast<double>(y[j]);
        sum += image * static_cast<double>(y[i]);
      }
    }
    return sum;
  }

  // The two factors of low_rank, (A + δI)⁻¹ ≈ (I − U M) / δ, for who can put them into a product of its own:
  // U, n x r, and M = (H + δI)⁻¹ H Uᵀ, r x n.
  [[nodiscard]] MatrixView<const T> basis() const { return u_.view(); }
  [[nodiscard]] MatrixView<const T> correction() const { return m_.view(); }

  void reset() {
    taken_ = 0;
    trace_ = 0;
    delta_ = 0;
    std::fill(a_.flat().begin(), a_.flat().end(), T(0));
    std::fill(h_.flat().begin(), h_.flat().end(), 0.0);
    begin_basis();
  }

  // What has been learnt of A; once that is put back, restored() finds the rest.
  void add_sections(const std::string& name, std::vector<Section>& sections) {
    sections.push_back(section(name + ".taken", std::span(&taken_, 1)));
    sections.push_back(section(name + ".trace", std::span(&trace_, 1)));
    if (settings_.form == GramForm::full) {
      sections.push_back(section(name + ".A", a_.flat()));
    } else {
      sections.push_back(section(name + ".U", basis_.flat()));
      sections.push_back(section(name + ".H", h_.flat()));
    }
  }

  [[nodiscard]] bool restored(Team& team) {
    if (rank_ > 0) round_basis();
    if (taken_ == 0) return true;
    return settings_.form == GramForm::full ? factor(team) : invert_in_subspace(team);
  }

 private:
  using Op = blas::Op;

  // A share of A's mean eigenvalue that is added to A for the subspace iteration: AU has full rank even where A has
  // not, and the eigenvectors are the same.
  static constexpr double kShift = 1e-3;
  // Steps of subspace iteration with the first batch, as U begins anywhere.
  static constexpr int kFirstTurns = 3;

  // What is asked of ã: ⟨ã, Sã⟩, ãU, ãᵀY, and ãᵀSã, of which the lower triangle counts.
  struct DenseBatch {
    MatrixView<const T> rows;
    const Share& share;
    const BatchWeights& weights;
    std::span<T> room;

    [[nodiscard]] std::size_t count() const { return share.all(rows.rows); }
    [[nodiscard]] double square_norm(Team& team) const {
      double sum = sum_pieces<double>(team, rows.rows, rows.columns, [&](Rows own, unsigned) {
        if (weights.none()) return elementwise::square_norm<T>(rows.rows_from(own));
        double weighed = 0;
        for (std::size_t i = own.first; i < own.first + own.count; ++i) {
          weighed += weights[i] * elementwise::square_norm<T>(rows.rows_from(i, 1));
        }
        return weighed;
      });
      share.sum(std::span<double>(&sum, 1));
      return sum;
    }
    // B x n times n x r
    void times(Team& team, MatrixView<const T> u, MatrixView<T> out) const {
      multiply<T>(team, Op::none, Op::none, 1, rows, u, 0, out);
    }
    // n x B times B x r
    void back(Team& team, PieceSums<T>& sums, MatrixView<const T> y, MatrixView<T> out) const {
      sum_over(team, sums, share, rows, y, out, Part::all);
    }
    // n x B times B x n
    void gram(Team& team, PieceSums<T>& sums, MatrixView<T> out) const {
      if (weights.none()) return sum_over(team, sums, share, rows, rows, out, Part::lower);
      const MatrixView<T> weighed(room.data(), rows.rows, rows.columns);
      each_piece(team, rows.rows, rows.columns, [&](Rows own, unsigned) {
        for (std::size_t i = own.first; i < own.first + own.count; ++i) {
          entrywise::each([root = static_cast<T>(std::sqrt(weights[i]))](T x, T& to) DLADMM_INLINE { to = root * x; },
                          rows.rows_from(i, 1), weighed.rows_from(i, 1));
        }
      });
      sum_over(team, sums, share, weighed, weighed, out, Part::lower);
    }
    // r x B times B x r
    void square(Team& team, PieceSums<T>& sums, MatrixView<const T> y, MatrixView<T> out) const {
      sum_over(team, sums, share, y, y, out, Part::lower);
    }
  };
  // out <- Rᵀ A over the samples of all ranks.
  static void sum_over(Team& team, PieceSums<T>& sums, const Share& share, MatrixView<const T> r, MatrixView<const T> a,
                       MatrixView<T> out, Part part) {
    const bool shared = share.ranks != nullptr;
    // What the tiles leave out is added up with the rest, or there is nothing to sum here.
    if (shared && (part == Part::lower || r.rows == 0)) {
      for (std::size_t i = 0; i < out.rows; ++i) std::fill_n(out.row(i), out.columns, T(0));
    }
    if (r.rows > 0) sum_products<T>(team, sums, r, a, out, part);
    if (shared) share.sum(out.flat());
  }
  struct SparseBatch {
    CsrView<T> rows;
    Csr<T> columns;  // ãᵀ, whose rows are sorted
    const BatchWeights& weights;

    [[nodiscard]] std::size_t count() const { return rows.rows; }
    [[nodiscard]] double square_norm(Team& team) const {
      return sum_pieces<double>(team, columns.rows, 1, [&](Rows own, unsigned) {
        double sum = 0;
        const CsrView<T> a = columns.view();
        for (std::size_t j = own.first; j < own.first + own.count; ++j) {
          double entry = 0;
          for (std::size_t k = a.begin(j); k < a.end(j); ++k) {
            entry += static_cast<double>(a.values[k]);
            // Entries at the same place add up.
            if (k + 1 < a.end(j) && a.indices[k + 1] == a.indices[k]) continue;
            sum += (weights.none() ? 1 : weights[static_cast<std::size_t>(a.indices[k])]) * entry * entry;
            entry = 0;
          }
        }
        return sum;
      });
    }
    void times(Team& team, MatrixView<const T> u, MatrixView<T> out) const { multiply<T>(team, rows, u, out); }
    void back(Team& team, PieceSums<T>&, MatrixView<const T> y, MatrixView<T> out) const {
      sum_products<T>(team, columns.view(), y, out);
    }
    void gram(Team& team, PieceSums<T>&, MatrixView<T> out) const {
      if (weights.none()) return sum_products<T>(team, columns.view(), rows, out);
      Csr<T> weighed = columns;
      for (std::size_t k = 0; k < weighed.values.size(); ++k) {
        weighed.values[k] *= static_cast<T>(weights[static_cast<std::size_t>(weighed.indices[k])]);
      }
      sum_products<T>(team, weighed.view(), rows, out);
    }
    void square(Team& team, PieceSums<T>& sums, MatrixView<const T> y, MatrixView<T> out) const {
      sum_products<T>(team, sums, y, y, out, Part::lower);
    }
  };

  // Y <- S Y, or √S Y
  enum class Weighing : std::uint8_t { whole, root };
  static void weigh(Team& team, const BatchWeights& weights, Weighing by, MatrixView<T> y) {
    if (weights.none()) return;
    each_piece(team, y.rows, y.columns, [&](Rows own, unsigned) {
      for (std::size_t i = own.first; i < own.first + own.count; ++i) {
        const auto factor = static_cast<T>(by == Weighing::whole ? weights[i] : std::sqrt(weights[i]));
        entrywise::each([factor](T& to) DLADMM_INLINE { to *= factor; }, y.rows_from(i, 1));
      }
    });
  }

  template <typename Batch>
  [[nodiscard]] bool learn(Team& team, PieceSums<T>& sums, const Batch& input, MatrixView<T> scratch) {
    ++taken_;
    const double keep = std::min(settings_.beta, 1 - 1 / static_cast<double>(taken_));
    if (settings_.form == GramForm::full) {
      absorb(team, sums, input, keep);
      return factor(team);
    }
    trace_ = keep * trace_ + (1 - keep) * input.square_norm(team) / static_cast<double>(input.count());
    if (!std::isfinite(trace_)) return false;
    for (int turn = taken_ == 1 ? kFirstTurns : 1; turn > 0; --turn) turn_basis(team, sums, input, scratch, keep);
    project(team, sums, input, scratch, keep);
    return invert_in_subspace(team);
  }

  template <typename To, typename From>
  static void convert(MatrixView<const From> from, MatrixView<To> to) {
    entrywise::each([](From x, To& out) DLADMM_INLINE { out = static_cast<To>(x); }, from, to);
  }

  // A <- keep A + (1 − keep) ãᵀSã/B
  template <typename Batch>
  void absorb(Team& team, PieceSums<T>& sums, const Batch& input, double keep) {
    // The factor is found afresh: its room holds the sum meanwhile.
    const MatrixView<T> fresh = solver_.room(size_);
    input.gram(team, sums, fresh);
    const T take = static_cast<T>((1 - keep) / static_cast<double>(input.count()));
    const T old = static_cast<T>(keep);
    each_piece(team, size_, size_, [&](Rows rows, unsigned) {
      // Of the upper triangle nothing is ever read.
      const auto lower = [&](MatrixView<T> m) { return window(m, rows, {0, rows.first + rows.count}); };
      entrywise::each([take, old](T& a, T more) DLADMM_INLINE { a = old * a + take * more; }, lower(a_.view()),
                      lower(fresh));
    });
    trace_ = 0;
    for (std::size_t i = 0; i < size_; ++i) trace_ += static_cast<double>(a_.view().row(i)[i]);
  }

  [[nodiscard]] bool factor(Team& team) {
    const auto fill = [&](MatrixView<T> out) {
      fill_scaled<T>(team, T(1), a_.view(), static_cast<T>(settings_.l2), out);
    };
    const double share = settings_.damping / static_cast<double>(size_);
    if (!solver_.prepare(team, Inversion::inverse, size_, share, fill)) return false;
    delta_ = settings_.l2 + solver_.ridge();
    const auto fill_split = [&](MatrixView<T> out) {
      fill_scaled<T>(team, T(1), a_.view(), static_cast<T>(delta_ + split()), out);
    };
    return !settings_.split || split_solver_.prepare(team, Inversion::inverse, size_, 0, fill_split);
  }

  // U <- numbers from [−1, 1), which the first batch makes orthonormal.
  void begin_basis() {
    RandomStream random(seed_);
    for (double& entry : basis_.flat()) entry = 2 * random.uniform() - 1;
    round_basis();
  }

  void round_basis() { convert<T, double>(basis_.view(), u_.view()); }

  // U <- orth((A + εI) U) for A = keep U H Uᵀ + (1 − keep) ãᵀSã/B.
  template <typename Batch>
  void turn_basis(Team& team, PieceSums<T>& sums, const Batch& input, MatrixView<T> scratch, double keep) {
    input.times(team, u_.view(), scratch);
    weigh(team, input.weights, Weighing::whole, scratch);
    input.back(team, sums, scratch, image_.view());
    const double take = (1 - keep) / static_cast<double>(input.count());
    const double shift = kShift * trace_ / static_cast<double>(size_);
    const MatrixView<double> next = other_basis_.view();
    entrywise::each([take, shift](double& to, T image, double u)
                        DLADMM_INLINE { to = take * static_cast<double>(image) + shift * u; },
                    next, image_.view(), basis_.view());
    // n x r times r x r
    multiply<double>(team, Op::none, Op::none, keep, basis_.view(), h_.view(), 1, next);
    // Twice is enough: the first pass leaves what rounding made of the condition of AU, the second leaves nothing.
    // Columns that are not independent leave U as it was, which is as good a subspace as any.
    if (!orthonormalise(team, next) || !orthonormalise(team, next)) return;
    // H in the new basis, of what the old one knew.
    blas::gemm<double>(Op::transpose, Op::none, 1.0, basis_.view(), next, 0.0, small_.view());
    blas::gemm<double>(Op::none, Op::none, 1.0, h_.view(), small_.view(), 0.0, turned_.view());
    blas::gemm<double>(Op::transpose, Op::none, 1.0, small_.view(), turned_.view(), 0.0, h_.view());
    std::copy_n(next.data, next.rows * next.columns, basis_.flat().data());
    round_basis();
  }

  // H <- Uᵀ A U
  template <typename Batch>
  void project(Team& team, PieceSums<T>& sums, const Batch& input, MatrixView<T> scratch, double keep) {
    input.times(team, u_.view(), scratch);
    weigh(team, input.weights, Weighing::root, scratch);
    input.square(team, sums, scratch, projected_.view());
    const double take = (1 - keep) / static_cast<double>(input.count());
    const MatrixView<double> h = h_.view();
    for (std::size_t i = 0; i < rank_; ++i) {
      for (std::size_t j = 0; j <= i; ++j) {
        const double old = (h.row(i)[j] + h.row(j)[i]) / 2;
        h.row(i)[j] = keep * old + take * static_cast<double>(projected_.view().row(i)[j]);
        h.row(j)[i] = h.row(i)[j];
      }
    }
  }

  // Q <- Q L⁻ᵀ with QᵀQ = L Lᵀ, columns scaled to length 1 first. False where the columns are not independent.
  [[nodiscard]] bool orthonormalise(Team& team, MatrixView<double> q) {
    const MatrixView<double> gram = small_.view();
    const std::span<double> scale = turned_.flat().first(rank_);
    blas::syrk<double>(Op::transpose, q, 0.0, gram);
    for (std::size_t i = 0; i < rank_; ++i) {
      scale[i] = 1 / std::sqrt(gram.row(i)[i]);
      if (!std::isfinite(scale[i])) return false;
      for (std::size_t j = 0; j <= i; ++j) gram.row(i)[j] *= scale[i] * scale[j];
    }
    if (!lapack::potrf<double>(gram)) return false;
    each_piece(team, q.rows, rank_, [&](Rows rows, unsigned) {
      const MatrixView<double> part = q.rows_from(rows);
      entrywise::each([](double& x, double factor) DLADMM_INLINE { x *= factor; }, part,
                      entrywise::repeated(scale, rows.count));
      blas::trsm<double>(blas::Side::right, Op::transpose, gram, part);
    });
    return true;
  }

  // M, and that of δ + s. Where H + δI is not positive definite, δ grows until it is.
  [[nodiscard]] bool invert_in_subspace(Team& team) {
    const double mean = trace_ / static_cast<double>(size_) + settings_.l2;
    delta_ = settings_.l2 + raised_ + settings_.damping * mean;
    while (true) {
      if (!std::isfinite(delta_)) return false;
      if (delta_ > 0 && correct(team, delta_, m_)) break;
      // No symmetric H whose entries are finite needs more than its trace.
      if (!(trace_ > 0) || delta_ > 10 * trace_) return false;
      delta_ = std::max(10 * delta_, GramSolver<T>::kRounding * trace_);
    }
    return !settings_.split || correct(team, delta_ + split(), split_m_);
  }

  // to <- (H + δI)⁻¹ H Uᵀ = (I − δ (H + δI)⁻¹) Uᵀ; false where H + δI is not positive definite.
  [[nodiscard]] bool correct(Team& team, double delta, const Matrix<T>& to) {
    const MatrixView<double> lower = small_.view();
    const MatrixView<double> inverse = turned_.view();
    std::copy(h_.flat().begin(), h_.flat().end(), lower.data);
    for (std::size_t i = 0; i < rank_; ++i) lower.row(i)[i] += delta;
    if (!lapack::potrf<double>(lower)) return false;
    for (std::size_t i = 0; i < rank_; ++i) {
      for (std::size_t j = 0; j < rank_; ++j) inverse.row(i)[j] = i == j ? 1 : 0;
    }
    blas::trsm<double>(blas::Side::left, Op::none, lower, inverse);
    blas::trsm<double>(blas::Side::left, Op::transpose, lower, inverse);
    for (std::size_t i = 0; i < rank_; ++i) {
      for (std::size_t j = 0; j < rank_; ++j) inverse.row(i)[j] = (i == j ? 1 : 0) - delta * inverse.row(i)[j];
    }
    const MatrixView<double> m(other_basis_.flat().data(), rank_, size_);
    // r x r times r x n
    multiply<double>(team, Op::none, Op::transpose, 1, inverse, basis_.view(), 0, m);
    convert<T, double>(m, to.view());
    return true;
  }

  std::size_t size_, rank_;
  GramSettings settings_;
  std::uint32_t seed_;
  std::uint64_t taken_ = 0;  // batches
  double trace_ = 0;         // of A
  double delta_ = 0;
  double raised_ = 0;
  // full
  Matrix<T> a_;  // lower triangle
  GramSolver<T> solver_, split_solver_;
  // low_rank
  Matrix<double> basis_, other_basis_;   // U, and what becomes the next one
  Matrix<double> h_, small_, turned_;    // H, and room for matrices of r x r
  Matrix<T> u_, m_, image_, projected_;  // U, M, ãᵀSãU and Uᵀãᵀ SãU, as products take and give them
  Matrix<T> split_m_;                    // M of δ + s
};

}  // namespace dladmm
