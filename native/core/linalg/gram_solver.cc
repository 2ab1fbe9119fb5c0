#include "core/linalg/gram_solver.hpp"

#include <algorithm>

#include "core/linalg/blas.hpp"
#include "core/linalg/cholesky.hpp"
#include "core/linalg/lapack.hpp"
#include "core/runtime/pieces.hpp"

namespace dladmm {
namespace {

// C <- A op(B) by the team.
template <typename T>
void multiply(Team& team, blas::Op op_b, MatrixView<const T> a, MatrixView<const T> b, MatrixView<T> c) {
  const Pieces pieces = pieces_of(c.rows, 128);
  const double flops = 2 * static_cast<double>(a.rows) * static_cast<double>(a.columns);
  team.run(pieces.count, flops * static_cast<double>(c.columns), [&](std::size_t piece, unsigned) {
    const Rows rows = pieces[piece];
    // rows x n times op(B), n x n
    blas::gemm<T>(blas::Op::none, op_b, T(1), a.rows_from(rows), b, T(0), c.rows_from(rows));
  });
}

template <typename To, typename From>
void copy(MatrixView<const From> from, MatrixView<To> to) {
  for (std::size_t i = 0; i < from.rows; ++i) {
    std::transform(from.row(i), from.row(i) + from.columns, to.row(i), [](From x) { return static_cast<To>(x); });
  }
}

}  // namespace

template <typename T>
bool GramSolver<T>::try_factor(Team& team) {
  if (!cholesky_factor<T>(team, factor())) return false;
  // OpenBLAS lets NaN pass for a pivot.
  return std::isfinite(trace_of(factor()));
}

template <typename T>
void GramSolver<T>::invert(Team& team) {
  cholesky_invert<T>(team, factor(), inverse());
}

template <typename T>
bool GramSolver<T>::decompose(MatrixView<const T> m) {
  const MatrixView<double> v(vectors_.data(), n_, n_);
  for (std::size_t i = 0; i < n_; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      if (!std::isfinite(m.row(i)[j])) return false;
      v.row(i)[j] = static_cast<double>(m.row(i)[j]);
    }
  }
  const std::span<double> values = std::span(values_).first(n_);
  if (!lapack::syev(v, values, work_)) return false;
  const double cut = kDropped * std::max(values.back(), 0.0);
  rank_ = 0;
  for (double& value : values) {
    rank_ += value > cut ? 1 : 0;
    value = value > cut ? 1 / value : 0;
  }
  return true;
}

template <typename T>
void GramSolver<T>::apply(Team& team, MatrixView<T> x, MatrixView<T> scratch) {
  if (how_ == Inversion::cholesky) {
    cholesky_solve_rows<T>(team, factor(), x);
    return;
  }
  if (how_ == Inversion::inverse) {
    copy<T, T>(x, scratch);
    multiply<T>(team, blas::Op::none, scratch, inverse(), x);
    return;
  }
  // X Vᵀ diag(1/values) V, the eigenvectors being the rows of V
  const MatrixView<double> v(vectors_.data(), n_, n_);
  const MatrixView<double> left(left_.data(), x.rows, n_);
  const MatrixView<double> right(right_.data(), x.rows, n_);
  copy<double, T>(x, left);
  multiply<double>(team, blas::Op::transpose, left, v, right);
  for (std::size_t i = 0; i < right.rows; ++i) {
    for (std::size_t j = 0; j < n_; ++j) right.row(i)[j] *= values_[j];
  }
  multiply<double>(team, blas::Op::none, right, v, left);
  copy<T, double>(left, x);
}

template <typename T>
void GramSolver<T>::apply_rows(MatrixView<T> x, MatrixView<T> scratch) const {
  if (how_ == Inversion::cholesky) {
    cholesky_solve_rows<T>(factor(), x);
    return;
  }
  copy<T, T>(x, scratch);
  // rows x n times n x n
  blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), scratch, inverse(), T(0), x);
}

template <typename T>
void GramSolver<T>::multiply_rows(MatrixView<const T> x, MatrixView<T> out) const {
  // rows x n times n x n
  blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), x, inverse(), T(0), out);
}

template <typename T>
void GramSolver<T>::apply_to_columns(Team& team, MatrixView<T> x) const {
  cholesky_solve_columns<T>(team, factor(), x);
}

template class GramSolver<float>;
template class GramSolver<double>;

}  // namespace dladmm
