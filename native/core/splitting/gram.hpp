// Matrices that an exact step factors.
#pragma once

#include <cstddef>

#include "core/linalg/blas.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// Lower triangle of out <- factor A Aᵀ (Op::none) or factor Aᵀ A (Op::transpose) + shift I, by bands of rows up to the
// diagonal.
template <typename T>
void fill_gram(Team& team, blas::Op op, T factor, MatrixView<const T> a, T shift, MatrixView<T> out) {
  constexpr std::size_t band = 128;
  const Pieces bands = pieces_of(out.rows, band);
  const std::size_t inner = op == blas::Op::none ? a.columns : a.rows;
  const auto flops = static_cast<double>(out.rows) * static_cast<double>(out.rows) * static_cast<double>(inner);
  team.run(bands.count, flops, [&](std::size_t index, unsigned) {
    // The longest first.
    const Rows rows = bands[bands.count - 1 - index];
    const std::size_t end = rows.first + rows.count;
    const MatrixView<T> to(out.row(rows.first), rows.count, end, out.stride);
    if (op == blas::Op::none) {
      // rows x end <- rows x inner, inner x end
      blas::gemm<T>(blas::Op::none, blas::Op::transpose, factor, a.rows_from(rows), a.rows_from(0, end), T(0), to);
    } else {
      // rows x end <- (inner x rows)ᵀ, inner x end
      blas::gemm<T>(blas::Op::transpose, blas::Op::none, factor,
                    MatrixView<const T>(a.data + rows.first, inner, rows.count, a.stride),
                    MatrixView<const T>(a.data, inner, end, a.stride), T(0), to);
    }
    for (std::size_t i = 0; i < rows.count; ++i) to.row(i)[rows.first + i] += shift;
  });
}

// Lower triangle of out <- factor of that of M + shift I, by the team.
template <typename T>
void fill_scaled(Team& team, T factor, MatrixView<const T> m, T shift, MatrixView<T> out) {
  each_piece(team, out.rows, out.columns, [&](Rows rows, unsigned) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      for (std::size_t j = 0; j <= i; ++j) out.row(i)[j] = factor * m.row(i)[j];
      out.row(i)[i] += shift;
    }
  });
}

}  // namespace dladmm
