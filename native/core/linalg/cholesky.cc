#include "core/linalg/cholesky.hpp"

#include <algorithm>
#include <atomic>

#include "core/linalg/blas.hpp"
#include "core/linalg/lapack.hpp"

namespace dladmm {
namespace {

// Columns eliminated at a time, and rows (columns) that a member takes at a time.
constexpr std::size_t kPanel = 128;
constexpr std::size_t kTile = 128;

template <typename T>
MatrixView<T> window(MatrixView<T> m, std::size_t row, std::size_t column, std::size_t rows, std::size_t columns) {
  return {m.data + row * m.stride + column, rows, columns, m.stride};
}

// Calls work(first, count) for pieces of 0 … size − 1, each on the member that is free next. What a piece computes
// must not depend on the member.
template <typename Work>
void share_out(Team& team, std::size_t size, std::size_t piece, Work&& work) {
  const std::size_t pieces = (size + piece - 1) / piece;
  std::atomic<std::size_t> next{0};
  team.run([&](unsigned) {
    for (std::size_t i = next.fetch_add(1); i < pieces; i = next.fetch_add(1)) {
      work(i * piece, std::min(piece, size - i * piece));
    }
  });
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
    share_out(team, rest, kTile, [&](std::size_t first, std::size_t count) {
      blas::trsm<T>(blas::Side::right, blas::Op::transpose, corner, window(m, below + first, k, count, width));
    });
    // M_ij −= L_ik L_jkᵀ for j ≤ i, the longest rows first.
    const std::size_t tiles = (rest + kTile - 1) / kTile;
    share_out(team, tiles, 1, [&](std::size_t turn, std::size_t) {
      const std::size_t first = (tiles - 1 - turn) * kTile;
      const std::size_t count = std::min(kTile, rest - first);
      blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), window(m, below + first, k, count, width),
                    window(m, below, k, first + count, width), T(1),
                    window(m, below + first, below, count, first + count));
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
  const std::size_t piece = std::max<std::size_t>(1, (x.rows + team.size() - 1) / team.size());
  share_out(team, x.rows, std::min(piece, 4 * kTile),
            [&](std::size_t first, std::size_t count) { cholesky_solve_rows<T>(lower, x.rows_from(first, count)); });
}

template <typename T>
void cholesky_solve_columns(Team& team, MatrixView<const T> lower, MatrixView<T> x) {
  const std::size_t piece = std::max<std::size_t>(1, (x.columns + team.size() - 1) / team.size());
  share_out(team, x.columns, std::min(piece, 4 * kTile), [&](std::size_t first, std::size_t count) {
    const auto columns = window(x, 0, first, x.rows, count);
    blas::trsm<T>(blas::Side::left, blas::Op::none, lower, columns);
    blas::trsm<T>(blas::Side::left, blas::Op::transpose, lower, columns);
  });
}

// Columns j … of the inverse from row j on need only the trailing part of L: forward substitution of unit vectors
// starts at row j, and back substitution is left off there, since the rows above follow by symmetry.
template <typename T>
void cholesky_invert(Team& team, MatrixView<const T> lower, MatrixView<T> out) {
  const std::size_t n = lower.rows;
  share_out(team, n, kTile, [&](std::size_t first, std::size_t count) {
    const auto trailing = window(lower, first, first, n - first, n - first);
    const auto columns = window(out, first, first, n - first, count);
    for (std::size_t i = 0; i < columns.rows; ++i) {
      std::fill_n(columns.row(i), count, T(0));
      if (i < count) columns.row(i)[i] = T(1);
    }
    blas::trsm<T>(blas::Side::left, blas::Op::none, trailing, columns);
    blas::trsm<T>(blas::Side::left, blas::Op::transpose, trailing, columns);
  });
  share_out(team, n, kTile, [&](std::size_t first, std::size_t count) {
    for (std::size_t i = first; i < first + count; ++i) {
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
