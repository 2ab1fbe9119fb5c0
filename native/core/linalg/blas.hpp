// The BLAS that the algorithms need, typed and shaped: sizes come from the views and are checked.
#pragma once

#include <cblas.h>

#include <cassert>
#include <cstddef>
#include <limits>
#include <stdexcept>
#include <type_traits>

#include "core/linalg/library.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm::blas {

#ifndef DLADMM_ANY_CBLAS
static_assert(sizeof(blasint) == sizeof(int), "an OpenBLAS that counts in 64 bits would read our arguments wrongly");
#endif

enum class Op { none, transpose };

// BLAS counts in 32-bit integers: no view wider or taller than that may reach it.
[[nodiscard]] inline int dimension(std::size_t n) {
  if (n > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    throw std::length_error("a matrix dimension exceeds what BLAS can count (2^31 - 1)");
  }
  return static_cast<int>(n);
}

// The distance between two rows; at least 1 is asked for, even where there are no columns.
[[nodiscard]] inline int leading_dimension(std::size_t stride) { return dimension(stride == 0 ? 1 : stride); }

// The one of two routines that is written for T.
template <typename T, typename Single, typename Double>
constexpr auto routine(Single single, Double twice) {
  static_assert(std::is_same_v<T, float> || std::is_same_v<T, double>);
  if constexpr (std::is_same_v<T, float>) {
    return single;
  } else {
    return twice;
  }
}

[[nodiscard]] inline CBLAS_TRANSPOSE word_for(Op op) { return op == Op::none ? CblasNoTrans : CblasTrans; }

// C <- alpha op(A) op(B) + beta C
template <typename T>
void gemm(Op op_a, Op op_b, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta, MatrixView<T> c) {
  const std::size_t inner = op_a == Op::none ? a.columns : a.rows;
  assert((op_a == Op::none ? a.rows : a.columns) == c.rows);
  assert((op_b == Op::none ? b.columns : b.rows) == c.columns);
  assert((op_b == Op::none ? b.rows : b.columns) == inner);
  if (c.rows == 0 || c.columns == 0) return;
  const int m = dimension(c.rows);
  const int n = dimension(c.columns);
  const int k = dimension(inner);
  const int lda = leading_dimension(a.stride);
  const int ldb = leading_dimension(b.stride);
  const int ldc = leading_dimension(c.stride);
  routine<T>(cblas_sgemm, cblas_dgemm)(CblasRowMajor, word_for(op_a), word_for(op_b), m, n, k, alpha, a.data, lda,
                                       b.data, ldb, beta, c.data, ldc);
}

// Lower triangle of C <- Aᵀ A + beta C (Op::transpose) or A Aᵀ + beta C (Op::none)
template <typename T>
void syrk(Op op_a, MatrixView<const T> a, T beta, MatrixView<T> c) {
  const std::size_t inner = op_a == Op::none ? a.columns : a.rows;
  assert(c.rows == c.columns && c.rows == (op_a == Op::none ? a.rows : a.columns));
  if (c.rows == 0) return;
  const int n = dimension(c.rows);
  const int k = dimension(inner);
  const int lda = leading_dimension(a.stride);
  const int ldc = leading_dimension(c.stride);
  routine<T>(cblas_ssyrk, cblas_dsyrk)(CblasRowMajor, CblasLower, word_for(op_a), n, k, 1, a.data, lda, beta, c.data,
                                       ldc);
}

enum class Side { left, right };

// X <- op(L)⁻¹ X (left) or X op(L)⁻¹ (right), L lower triangular
template <typename T>
void trsm(Side side, Op op_l, MatrixView<const T> lower, MatrixView<T> x) {
  assert(lower.rows == lower.columns && lower.rows == (side == Side::left ? x.rows : x.columns));
  if (x.rows == 0 || x.columns == 0) return;
  const auto at = side == Side::left ? CblasLeft : CblasRight;
  const int m = dimension(x.rows);
  const int n = dimension(x.columns);
  const int ldl = leading_dimension(lower.stride);
  const int ldx = leading_dimension(x.stride);
  routine<T>(cblas_strsm, cblas_dtrsm)(CblasRowMajor, at, CblasLower, word_for(op_l), CblasNonUnit, m, n, 1, lower.data,
                                       ldl, x.data, ldx);
}

}  // namespace dladmm::blas
