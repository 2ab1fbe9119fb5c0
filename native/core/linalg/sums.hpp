// The one seam through which every sum over samples goes: gradients, Gram matrices, norms, losses. Where the samples
// are spread over several processes each adds up its own, and an all-reduce of what they found is the root of the tree.
//
// Scalars and columns have a slot of their own in every piece of the samples and are added up over a fixed tree.
// Matrices are added up by segments of pieces over such a tree too, or, where the samples are few, formed by tiles of
// their entries, no sum being split.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/packed.hpp"
#include "core/linalg/simd.hpp"
#include "core/linalg/sparse.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/ranks.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// Our own loops are the faster where the sum stays in a core's own cache.
[[nodiscard]] inline bool sums_by_own_loops(std::size_t rows, std::size_t columns) {
  constexpr std::size_t cached = std::size_t{1} << 18;
  return simd::has_many_registers() && rows * columns <= cached;
}

// A tile of Σ r aᵀ over all the samples there are: out <- factor Rᵀ A + keep out, R samples x out.rows, A samples x
// out.columns.
template <typename T>
void sum_products(T factor, MatrixView<const T> r, MatrixView<const T> a, T keep, MatrixView<T> out,
                  const Ahead& ahead = {}) {
  // Few samples, or a small sum of not many, take BLAS less time.
  const bool small = r.rows < 64 || (r.rows <= 256 && out.rows * out.columns < std::size_t{1} << 14);
  if (!small && sums_by_own_loops(out.rows, out.columns) && (keep == T(0) || keep == T(1))) {
    return multiply_transposed<T>(factor, r, a, keep == T(0) ? Onto::nothing : Onto::result, out, ahead);
  }
  blas::gemm<T>(blas::Op::transpose, blas::Op::none, factor, r, a, keep, out);
}

// The same of sparse samples, A samples x out.columns.
template <typename T>
void sum_products(T factor, MatrixView<const T> r, const CsrView<T>& a, T keep, MatrixView<T> out) {
  assert(a.columns == out.columns && a.rows == r.rows && r.columns == out.rows);
  for (std::size_t j = 0; j < out.rows; ++j) {
    T* const sums = out.row(j);
    if (keep == T(0)) std::fill_n(sums, out.columns, T(0));
    if (keep != T(0) && keep != T(1)) std::for_each_n(sums, out.columns, [keep](T& sum) { sum *= keep; });
    for (std::size_t i = 0; i < a.rows; ++i) {
      const T share = factor * r.row(i)[j];
      for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
        sums[static_cast<std::size_t>(a.indices[k])] += share * a.values[k];
      }
    }
  }
}

// out <- Rᵀ A for sparse samples that lie by columns: Rᵀ out.rows x samples, A samples x out.columns.
template <typename T>
void sum_products(Team& team, const CsrView<T>& r_transposed, MatrixView<const T> a, MatrixView<T> out) {
  multiply<T>(team, r_transposed, a, out);
}

// Elementwise work on so many rows: pieces worth the hand-over.
[[nodiscard]] inline Pieces pieces_of_entries(std::size_t rows, std::size_t columns) {
  return pieces_for_many(rows, 4096 / std::max<std::size_t>(columns, 1) + 1);
}

// body(rows, member) for pieces of so many rows.
template <typename Body>
void each_piece(Team& team, std::size_t rows, std::size_t columns, Body&& body) {
  const Pieces pieces = pieces_of_entries(rows, columns);
  team.run(pieces.count, kFlopsAnEntry * static_cast<double>(rows) * static_cast<double>(columns),
           [&](std::size_t piece, unsigned member) { body(pieces[piece], member); });
}

// What body(rows, member) finds for each piece, added up. Value has += .
template <typename Value, typename Body>
[[nodiscard]] Value sum_pieces(Team& team, std::size_t rows, std::size_t columns, Body&& body) {
  const Pieces pieces = pieces_of_entries(rows, columns);
  std::array<Value, kMostPieces> found;
  team.run(pieces.count, kFlopsAnEntry * static_cast<double>(rows) * static_cast<double>(columns),
           [&](std::size_t piece, unsigned member) { found[piece] = body(pieces[piece], member); });
  Value sum{};
  if (pieces.count == 0) return sum;
  add_pairwise(
      0, pieces.count, sum, [&](std::size_t i, Value& out) { out = found[i]; },
      [](Value& to, const Value& more) { to += more; });
  return sum;
}

// What pieces found, each for itself, added up in their order.
template <typename Value>
[[nodiscard]] Value sum_found(const std::vector<Value>& found) {
  Value sum{};
  for (const Value& each : found) sum += each;
  return sum;
}

// Σ r over the rows: out <- factor Σ r + keep out. `work` is as long as `out`.
template <typename T>
void sum_columns(T factor, MatrixView<const T> r, T keep, std::span<T> out, std::span<double> work) {
  const std::span<double> sums = work.first(out.size());
  std::fill(sums.begin(), sums.end(), 0.0);
  entrywise::each([](T value, double& sum) DLADMM_INLINE { sum += static_cast<double>(value); }, r,
                  entrywise::repeated(sums, r.rows));
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] = (keep == T(0) ? T(0) : keep * out[j]) + factor * static_cast<T>(sums[j]);
  }
}

template <typename T>
class PieceSums {
 public:
  static constexpr std::size_t kScalars = 9;

  // Numbers of one piece, in double.
  struct alignas(64) Partial {
    std::array<double, kScalars> scalars{};
    std::array<std::vector<double>, 2> columns;
  };

  struct Room {
    std::size_t columns = 0;  // most columns that are summed
    std::size_t product = 0;  // entries of the largest sum of products
    std::size_t gram = 0;     // entries of the largest Gram matrix
  };

  PieceSums() = default;
  PieceSums(const SampleCut& cut, const Room& room)
      : cut_(cut),
        room_(room),
        partials_(cut.pieces.count),
        products_(cut.segments.count * room.product),
        grams_(cut.segments.count * room.gram) {
    for (Partial& partial : partials_) {
      for (auto& columns : partial.columns) columns.resize(room.columns);
    }
  }
  [[nodiscard]] static double required_bytes(const SampleCut& cut, const Room& room) {
    return static_cast<double>(cut.pieces.count) * static_cast<double>(sizeof(Partial) + 16 * room.columns) +
           static_cast<double>(cut.segments.count) * static_cast<double>((room.product + room.gram) * sizeof(T));
  }

  [[nodiscard]] const SampleCut& cut() const { return cut_; }

  // From now on the sums are those of all ranks, null: of this process. Every rank then asks for the same, in the same
  // order.
  void over(Ranks* ranks) {
    ranks_ = ranks;
    if (ranks_ != nullptr) shared_columns_.resize(room_.columns);
  }

  // The numbers of a piece, all zero: every piece begins once in a pass.
  [[nodiscard]] Partial& begin(std::size_t piece) {
    Partial& partial = partials_[piece];
    partial.scalars.fill(0);
    for (auto& columns : partial.columns) std::fill(columns.begin(), columns.end(), 0.0);
    return partial;
  }

  // Rows `tile` of the segment's sum of products += Rᵀ A over the rows of a piece, R piece x tile.count. `first`: of
  // the segment.
  void add_product(std::size_t segment, Rows tile, MatrixView<const T> r, MatrixView<const T> a, bool first,
                   const Ahead& ahead = {}) {
    const MatrixView<T> out(products_.data() + segment * room_.product + tile.first * a.columns, tile.count, a.columns);
    sum_products<T>(1, r, a, first ? T(0) : T(1), out, ahead);
  }
  void add_product(std::size_t segment, MatrixView<const T> r, MatrixView<const T> a, bool first,
                   const Ahead& ahead = {}) {
    add_product(segment, {0, r.columns}, r, a, first, ahead);
  }
  // Lower triangle of the segment's Gram matrix += Aᵀ A over the rows of a piece.
  void add_gram(std::size_t segment, MatrixView<const T> a, bool first) {
    blas::syrk<T>(blas::Op::transpose, a, first ? T(0) : T(1),
                  {grams_.data() + segment * room_.gram, a.columns, a.columns});
  }

  // All pieces of a pass have been there.
  void end() { shared_ = false; }

  [[nodiscard]] double scalar(std::size_t i) {
    if (ranks_ == nullptr) return scalar_here(i);
    // All in one call, as it is its number that takes the time.
    if (!std::exchange(shared_, true)) {
      for (std::size_t each = 0; each < kScalars; ++each) shared_scalars_[each] = scalar_here(each);
      ranks_->sum(shared_scalars_);
    }
    return shared_scalars_[i];
  }

  // NaN when any piece's is: a comparison with it is false, so it must not decide.
  [[nodiscard]] double largest(std::size_t i) const {
    double largest = 0;
    for (const Partial& partial : partials_) {
      const double value = partial.scalars[i];
      if (value > largest || std::isnan(value)) largest = value;
      if (std::isnan(largest)) break;
    }
    if (ranks_ == nullptr) return largest;
    const bool none = std::isnan(largest);
    std::array<double, 2> all{none ? 0 : largest, none ? 1.0 : 0.0};
    ranks_->largest(all);
    return all[1] > 0 ? std::numeric_limits<double>::quiet_NaN() : all[0];
  }

  // out[j] <- keep * out[j] + factor * (column sum j of set `which`); with keep = 0 the old value does not count, not
  // even NaN.
  void columns(std::size_t which, std::span<double> out, double factor, double keep) {
    const auto take = [&](std::size_t j, std::span<const double> sums) {
      for (std::size_t i = 0; i < sums.size(); ++i) {
        out[j + i] = (keep == 0 ? 0 : keep * out[j + i]) + factor * sums[i];
      }
    };
    for (std::size_t j = 0; j < out.size(); j += kRun) {
      const std::size_t run = std::min(kRun, out.size() - j);
      const auto sums = tree<double>(partials_.size(), run,
                                     [&](std::size_t piece) { return partials_[piece].columns[which].data() + j; });
      if (ranks_ == nullptr) {
        take(j, std::span(sums).first(run));
      } else {
        std::copy_n(sums.data(), run, shared_columns_.data() + j);
      }
    }
    if (ranks_ == nullptr) return;
    const std::span<double> all = std::span(shared_columns_).first(out.size());
    ranks_->sum(all);
    take(0, all);
  }

  // out <- the sum of products
  void product(Team& team, MatrixView<T> out) {
    add_up(team, out, products_, room_.product, false);
    share(out, products_, false);
  }
  // lower triangle of out <- the Gram matrix
  void gram(Team& team, MatrixView<T> out) {
    add_up(team, out, grams_, room_.gram, true);
    share(out, grams_, true);
  }

 private:
  static constexpr std::size_t kRun = 256;  // entries that are added up at a time, in the innermost cache

  [[nodiscard]] double scalar_here(std::size_t i) const {
    return sum_pairwise(partials_.size(), [&](std::size_t piece) { return partials_[piece].scalars[i]; });
  }

  // Adds what all ranks have. The partial sums are done with: their memory is where rows without gaps stand.
  void share(MatrixView<T> out, Buffer<T>& partials, bool lower_only) {
    if (ranks_ == nullptr) return;
    const auto each_row = [&](auto&& body) {
      T* at = partials.data();
      for (std::size_t i = 0; i < out.rows; ++i) {
        const std::size_t n = lower_only ? i + 1 : out.columns;
        body(out.row(i), at, n);
        at += n;
      }
      return static_cast<std::size_t>(at - partials.data());
    };
    const std::size_t count = each_row([](const T* row, T* at, std::size_t n) { std::copy_n(row, n, at); });
    ranks_->sum(partials.span().first(count));
    each_row([](T* row, const T* at, std::size_t n) { std::copy_n(at, n, row); });
  }

  // Entries that leaf(0), leaf(1), … point at, `run` of each, added up one by one.
  template <typename Number, typename Leaf>
  static std::array<Number, kRun> tree(std::size_t leaves, std::size_t run, const Leaf& leaf) {
    using Entries = std::array<Number, kRun>;
    Entries sum;
    if (leaves == 0) sum.fill(0);
    if (leaves == 0) return sum;
    add_pairwise(
        0, leaves, sum, [&](std::size_t i, Entries& out) { std::copy_n(leaf(i), run, out.data()); },
        [&](Entries& to, const Entries& more) {
          for (std::size_t i = 0; i < run; ++i) to[i] += more[i];
        });
    return sum;
  }

  void add_up(Team& team, MatrixView<T> out, const Buffer<T>& partials, std::size_t stride, bool lower_only) const {
    const Pieces bands = pieces_for_many(out.rows, 1);
    const auto entries = static_cast<double>(out.rows * out.columns);
    team.run(bands.count, kFlopsAnEntry * entries * static_cast<double>(cut_.segments.count),
             [&](std::size_t band, unsigned) {
               const Rows rows = bands[band];
               for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
                 const std::size_t n = lower_only ? i + 1 : out.columns;
                 for (std::size_t j = 0; j < n; j += kRun) {
                   const std::size_t run = std::min(kRun, n - j);
                   const auto sum = tree<T>(cut_.segments.count, run, [&](std::size_t segment) {
                     return partials.data() + segment * stride + i * out.columns + j;
                   });
                   std::copy_n(sum.data(), run, out.row(i) + j);
                 }
               }
             });
  }

  SampleCut cut_;
  Room room_;
  std::vector<Partial> partials_;
  Buffer<T> products_;  // a sum of products a segment
  Buffer<T> grams_;     // a Gram matrix a segment

  Ranks* ranks_ = nullptr;
  bool shared_ = false;  // the scalars of all ranks are at hand
  std::array<double, kScalars> shared_scalars_{};
  std::vector<double> shared_columns_;
};

}  // namespace dladmm
