#include "core/linalg/cholesky.hpp"

#include <algorithm>

#include "core/linalg/blas.hpp"
#include "core/linalg/lapack.hpp"
#include "core/runtime/pieces.hpp"

namespace dladmm {
namespace {

// Columns eliminated at a time, and rows (columns) of a piece.
constexpr std::size_t kPanel = 128;
constexpr std::size_t kTile = 128;

template <typename T>
MatrixView<T> window(MatrixView<T> m, std::size_t row, std::size_t column, std::size_t rows, std::size_t columns) {
  return {m.data + row * m.stride + column, rows, columns, m.stride};
}

// Of one row of X (L Lᵀ)⁻¹.
template <typename T>
double solve_flops(MatrixView<T> lower) {
  return 2 * static_cast<double>(lower.rows) * static_cast<double>(lower.rows);
}

// work(rows) for pieces of `size` rows, each of so many flops.
template <typename Work>
void share_out(Team& team, std::size_t size, double flops_a_row, Work&& work) {
  const Pieces pieces = pieces_of(size, kTile);
  team.run(pieces.count, flops_a_row * static_cast<double>(size),
           [&](std::size_t piece, unsigned) { work(pieces[piece]); });
}

}  // namespace

template <typename T>
bool cholesky_factor(Team& team, MatrixView<T> m) {
  const std::size_t n = m.rows;
  for (std::size_t k = 0; k < n; k += kPanel) {
    const std::size_t width = std::min(kPanel, n - k);
    const auto corner = window(m, k, k, width, width);
    if (!lapack::potrf<T>(corner)) return false;
    const std::size_t below = k + width;
    const std::size_t rest = n - below;
    if (rest == 0) break;
    // L_ik = M_ik L_kk⁻ᵀ
    const auto wide = static_cast<double>(width);
    share_out(team, rest, wide * wide, [&](Rows rows) {
      blas::trsm<T>(blas::Side::right, blas::Op::transpose, corner,
                    window(m, below + rows.first, k, rows.count, width));
    });
    // M_ij −= L_ik L_jkᵀ for j ≤ i, the longest rows first: tile x end −= tile x width times (end x width)ᵀ
    const Pieces tiles = pieces_of(rest, kTile);
    team.run(
        tiles.count, wide * static_cast<double>(rest) * static_cast<double>(rest), [&](std::size_t turn, unsigned) {
          const Rows rows = tiles[tiles.count - 1 - turn];
          const std::size_t end = rows.first + rows.count;
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), window(m, below + rows.first, k, rows.count, width),
                        window(m, below, k, end, width), T(1), window(m, below + rows.first, below, rows.count, end));
        });
  }
  return true;
}

template <typename T>
void cholesky_solve_rows(MatrixView<const T> lower, MatrixView<T> x) {
  blas::trsm<T>(blas::Side::right, blas::Op::transpose, lower, x);
  blas::trsm<T>(blas::Side::right, blas::Op::none, lower, x);
}

template <typename T>
void cholesky_solve_rows(Team& team, MatrixView<const T> lower, MatrixView<T> x) {
  share_out(team, x.rows, solve_flops(lower), [&](Rows rows) { cholesky_solve_rows<T>(lower, x.rows_from(rows)); });
}

template <typename T>
void cholesky_solve_columns(Team& team, MatrixView<const T> lower, MatrixView<T> x) {
  share_out(team, x.columns, solve_flops(lower), [&](Rows part) {
    const auto columns = window(x, 0, part.first, x.rows, part.count);
    blas::trsm<T>(blas::Side::left, blas::Op::none, lower, columns);
    blas::trsm<T>(blas::Side::left, blas::Op::transpose, lower, columns);
  });
}

// Columns j … of the inverse from row j on need only the trailing part of L: forward substitution of unit vectors
// starts at row j, and back substitution is left off there, since the rows above follow by symmetry.
template <typename T>
void cholesky_invert(Team& team, MatrixView<const T> lower, MatrixView<T> out) {
  const std::size_t n = lower.rows;
  share_out(team, n, solve_flops(lower) / 3, [&](Rows part) {
    const std::size_t rest = n - part.first;
    const auto trailing = window(lower, part.first, part.first, rest, rest);
    const auto columns = window(out, part.first, part.first, rest, part.count);
    for (std::size_t i = 0; i < columns.rows; ++i) {
      std::fill_n(columns.row(i), part.count, T(0));
      if (i < part.count) columns.row(i)[i] = T(1);
    }
    blas::trsm<T>(blas::Side::left, blas::Op::none, trailing, columns);
    blas::trsm<T>(blas::Side::left, blas::Op::transpose, trailing, columns);
  });
  share_out(team, n, kFlopsAnEntry / 2 * static_cast<double>(n), [&](Rows rows) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      for (std::size_t j = i + 1; j < n; ++j) out.row(i)[j] = out.row(j)[i];
    }
  });
}

#define DLADMM_INSTANTIATE(T)                                                         \
  template bool cholesky_factor<T>(Team&, MatrixView<T>);                             \
  template void cholesky_solve_rows<T>(MatrixView<const T>, MatrixView<T>);           \
  template void cholesky_solve_rows<T>(Team&, MatrixView<const T>, MatrixView<T>);    \
  template void cholesky_solve_columns<T>(Team&, MatrixView<const T>, MatrixView<T>); \
  template void cholesky_invert<T>(Team&, MatrixView<const T>, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
