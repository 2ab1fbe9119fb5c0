// Products by the team: C is cut into tiles by its sizes alone, each formed by whoever is free, and no sum is split. So
// a small batch is spread over its outputs too, and the result does not depend on the number of threads.
#pragma once

#include <bit>

#include "core/linalg/blas.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

[[nodiscard]] inline double product_flops(std::size_t rows, std::size_t inner, std::size_t columns) {
  return 2 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(columns);
}

// Strips of `width`, the last with what is left.
struct Strips {
  std::size_t total = 0;
  std::size_t width = 1;

  [[nodiscard]] std::size_t count() const { return (total + width - 1) / width; }
  [[nodiscard]] Rows operator[](std::size_t strip) const {
    return {strip * width, std::min(width, total - strip * width)};
  }
  // 2^k nearly equal ones of about `wanted`; widths that BLAS likes are multiples of 16.
  [[nodiscard]] static Strips of_about(std::size_t total, std::size_t wanted) {
    const std::size_t count = std::bit_floor(std::max<std::size_t>((total + total / 3) / wanted, 1));
    const std::size_t step = total < 512 ? 4 : 16;
    return {total, std::max(((total + count - 1) / count + step - 1) / step * step, step)};
  }
};

// A grid of tiles.
struct Tiles {
  Strips rows, columns;

  [[nodiscard]] std::size_t count() const { return rows.count() * columns.count(); }
  [[nodiscard]] Rows rows_of(std::size_t tile) const { return rows[tile / columns.count()]; }
  [[nodiscard]] Rows columns_of(std::size_t tile) const { return columns[tile % columns.count()]; }
};

// Whether our own loops multiply so few rows: they read these as they lie, where BLAS packs them anew for every tile.
// Of fewer still, or of a small W, it takes longer to lay W out.
[[nodiscard]] inline bool multiplies_rows(std::size_t rows, std::size_t inner, std::size_t columns) {
  return simd::has_many_registers() && rows >= 64 && rows <= 256 && inner * columns >= std::size_t{1} << 14;
}

// What a tile reads is packed anew for it: 256 rows or columns bear that (as share of the speed of one whole call:
// 128 x 256 .95, 256 x 256 .96, 256 x 512 .97, but 128 x 64 .84). So up to 1,024 rows the last 1 % is given for twice
// as many tiles, which many processors need. What takes no longer than a wake-up stays whole.
[[nodiscard]] inline Tiles tiles_of(std::size_t rows, std::size_t columns, std::size_t inner) {
  constexpr double two = 6e6;
  const bool tall = rows > 256;
  const std::size_t width = rows > 1024 ? 512 : multiplies_rows(rows, inner, columns) ? 128 : 256;
  Tiles out{{rows, std::max<std::size_t>(rows, 1)}, {columns, std::max<std::size_t>(columns, 1)}};
  if (product_flops(rows, inner, columns) < two) return out;
  out.columns = Strips::of_about(columns, width);
  if (tall) out.rows = Strips::of_about(rows, std::clamp<std::size_t>(rows / 128, 256, 1024));
  if (out.count() == 1) {
    Strips& longer = rows >= columns ? out.rows : out.columns;
    longer = Strips::of_about(longer.total, std::max<std::size_t>(longer.total / 2, 1));
  }
  return out;
}

// Rows `rows` and columns `columns` of a matrix.
template <typename T>
[[nodiscard]] MatrixView<T> window(MatrixView<T> m, Rows rows, Rows columns) {
  return {m.data + rows.first * m.stride + columns.first, rows.count, columns.count, m.stride};
}

// A tile of C <- alpha op(A) op(B) + beta C.
template <typename T>
void multiply_tile(blas::Op op_a, blas::Op op_b, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta,
                   MatrixView<T> c, Rows rows, Rows columns) {
  using blas::Op;
  const auto part_a = op_a == Op::none ? a.rows_from(rows) : window(a, {0, a.rows}, rows);
  const auto part_b = op_b == Op::none ? window(b, {0, b.rows}, columns) : b.rows_from(columns);
  const auto part_c = window(c, rows, columns);
  if (op_a == Op::none && beta == T(0) && multiplies_rows(c.rows, a.columns, c.columns)) {
    return multiply_rows<T>(op_b, alpha, part_a, part_b, part_c);
  }
  blas::gemm<T>(op_a, op_b, alpha, part_a, part_b, beta, part_c);
}

// C <- alpha op(A) op(B) + beta C; finish(rows, columns) for every tile while it is in the cache of who made it.
template <typename T, typename Finish>
void multiply_and(Team& team, blas::Op op_a, blas::Op op_b, T alpha, MatrixView<const T> a, MatrixView<const T> b,
                  T beta, MatrixView<T> c, Finish&& finish) {
  const std::size_t inner = op_a == blas::Op::none ? a.columns : a.rows;
  const Tiles tiles = tiles_of(c.rows, c.columns, inner);
  team.run(tiles.count(), product_flops(c.rows, inner, c.columns), [&](std::size_t tile, unsigned) {
    const Rows rows = tiles.rows_of(tile);
    const Rows columns = tiles.columns_of(tile);
    multiply_tile<T>(op_a, op_b, alpha, a, b, beta, c, rows, columns);
    finish(rows, columns);
  });
}

// The same of Y <- X Wᵀ for a sparse X. A tile has a cache line of each of its rows to itself.
template <typename T, typename Finish>
void multiply_and(Team& team, const CsrView<T>& x, MatrixView<const T> w, MatrixView<T> y, Finish&& finish) {
  const Tiles tiles{{y.rows, 256}, {y.columns, 64 / sizeof(T)}};
  const double flops = 2 * static_cast<double>(x.entries()) * static_cast<double>(y.columns);
  team.run(tiles.count(), flops, [&](std::size_t tile, unsigned) {
    const Rows rows = tiles.rows_of(tile);
    const Rows columns = tiles.columns_of(tile);
    multiply_transposed<T>(x.rows_from(rows), w.rows_from(columns), window(y, rows, columns));
    finish(rows, columns);
  });
}

template <typename T>
void multiply(Team& team, blas::Op op_a, blas::Op op_b, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta,
              MatrixView<T> c) {
  multiply_and<T>(team, op_a, op_b, alpha, a, b, beta, c, [](Rows, Rows) {});
}

// Whether a sum over samples is split: by segments of the samples where these are more than the tiles of what is
// formed.
[[nodiscard]] inline bool summed_by_segments(std::size_t samples, std::size_t rows, std::size_t columns) {
  const std::size_t segments = SampleCut(samples).segments.count;
  return segments > 1 && segments > tiles_of(rows, columns, samples).count();
}

// out <- factor Rᵀ A + keep out over all the samples of a batch, by tiles.
template <typename T>
void sum_products(Team& team, T factor, MatrixView<const T> r, MatrixView<const T> a, T keep, MatrixView<T> out) {
  multiply<T>(team, blas::Op::transpose, blas::Op::none, factor, r, a, keep, out);
}

// out <- AᵀA of sparse samples, which are given by columns too.
template <typename T>
void sum_products(Team& team, const CsrView<T>& a_transposed, const CsrView<T>& a, MatrixView<T> out) {
  const Strips strips = Strips::of_about(out.rows, 64);
  const double entries = static_cast<double>(a.entries());
  const double flops = 2 * entries * entries / static_cast<double>(std::max<std::size_t>(a.rows, 1));
  team.run(strips.count(), flops, [&](std::size_t strip, unsigned) {
    const Rows rows = strips[strip];
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      T* const sums = out.row(i);
      std::fill_n(sums, out.columns, T(0));
      for (std::size_t k = a_transposed.begin(i); k < a_transposed.end(i); ++k) {
        const auto sample = static_cast<std::size_t>(a_transposed.indices[k]);
        for (std::size_t m = a.begin(sample); m < a.end(sample); ++m) {
          sums[static_cast<std::size_t>(a.indices[m])] += a_transposed.values[k] * a.values[m];
        }
      }
    }
  });
}

enum class Part { all, lower };

// out <- Rᵀ A over all the samples there are; of `lower` the entries above the diagonal may stay as they are. `sums`
// has room for the product where it is summed_by_segments; a set of another size (a short batch) is not.
template <typename T>
void sum_products(Team& team, PieceSums<T>& sums, MatrixView<const T> r, MatrixView<const T> a, MatrixView<T> out,
                  Part part = Part::all) {
  const double flops = product_flops(out.rows, r.rows, out.columns);
  if (!summed_by_segments(r.rows, out.rows, out.columns) || sums.cut().pieces.total != r.rows) {
    const Tiles tiles = tiles_of(out.rows, out.columns, r.rows);
    team.run(tiles.count(), flops, [&](std::size_t tile, unsigned) {
      const Rows rows = tiles.rows_of(tile);
      const Rows columns = tiles.columns_of(tile);
      if (part == Part::lower && columns.first >= rows.first + rows.count) return;
      sum_products<T>(1, window(r, {0, r.rows}, rows), window(a, {0, a.rows}, columns), 0, window(out, rows, columns));
    });
    return;
  }
  const SampleCut& cut = sums.cut();
  team.run(cut.segments.count, flops, [&](std::size_t segment, unsigned) {
    const Rows own = cut.segments[segment];
    for (std::size_t i = 0; i < own.count; ++i) {
      const Rows rows = cut.pieces[own.first + i];
      sums.add_product(segment, r.rows_from(rows), a.rows_from(rows), i == 0);
    }
  });
  sums.product(team, out);
}

}  // namespace dladmm
