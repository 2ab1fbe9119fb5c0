// The LAPACK that the inversion steps need, typed. Only routines that OpenBLAS has without a Fortran run-time.
#pragma once

#include <cstddef>
#include <span>

#include "core/linalg/blas.hpp"
#include "core/linalg/matrix.hpp"

// Fortran passes the length of each text behind the last argument. OpenBLAS, written in C, does not look; others may.
extern "C" {
void spotrf_(const char* uplo, const int* n, float* a, const int* lda, int* info, std::size_t uplo_length);
void dpotrf_(const char* uplo, const int* n, double* a, const int* lda, int* info, std::size_t uplo_length);
void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w, double* work,
            const int* lwork, int* info, std::size_t jobz_length, std::size_t uplo_length);
void sgeqrf_(const int* m, const int* n, float* a, const int* lda, float* tau, float* work, const int* lwork,
             int* info);
void dgeqrf_(const int* m, const int* n, double* a, const int* lda, double* tau, double* work, const int* lwork,
             int* info);
void sorgqr_(const int* m, const int* n, const int* k, float* a, const int* lda, const float* tau, float* work,
             const int* lwork, int* info);
void dorgqr_(const int* m, const int* n, const int* k, double* a, const int* lda, const double* tau, double* work,
             const int* lwork, int* info);
}

namespace dladmm::lapack {

// M = L Lᵀ, L over the lower triangle of M; false where M is not positive definite. (LAPACK counts by columns: our
// lower triangle is its upper one.)
template <typename T>
[[nodiscard]] bool potrf(MatrixView<T> m) {
  assert(m.rows == m.columns);
  if (m.rows == 0) return true;
  const int n = blas::dimension(m.rows);
  const int ld = blas::leading_dimension(m.stride);
  int info = 0;
  blas::routine<T>(spotrf_, dpotrf_)("U", &n, m.data, &ld, &info, 1);
  return info == 0;
}

// How many numbers of work syev likes for an n x n matrix.
[[nodiscard]] inline std::size_t syev_work(std::size_t n) { return 34 * n + 1; }

// M = Vᵀ diag(values) V with the eigenvectors as the rows of V, over M; the lower triangle of M is read. Ascending.
// False where the iteration failed.
[[nodiscard]] inline bool syev(MatrixView<double> m, std::span<double> values, std::span<double> work) {
  assert(m.rows == m.columns && values.size() == m.rows && work.size() >= syev_work(m.rows));
  if (m.rows == 0) return true;
  const int n = blas::dimension(m.rows);
  const int ld = blas::leading_dimension(m.stride);
  const int lwork = blas::dimension(work.size());
  int info = 0;
  dsyev_("V", "U", &n, m.data, &ld, values.data(), work.data(), &lwork, &info, 1, 1);
  return info == 0;
}

// How many numbers of work orthonormalise likes for an n x n matrix.
[[nodiscard]] inline std::size_t orthonormalise_work(std::size_t n) { return 33 * n; }

// The rows of a square M made orthonormal, each from those before it (Householder's QR of Mᵀ).
template <typename T>
void orthonormalise(MatrixView<T> m, std::span<T> work) {
  assert(m.rows == m.columns && work.size() >= orthonormalise_work(m.rows));
  if (m.rows == 0) return;
  const int n = blas::dimension(m.rows);
  const int ld = blas::leading_dimension(m.stride);
  const int lwork = blas::dimension(work.size() - m.rows);
  int info = 0;
  T* const tau = work.data();
  T* const rest = tau + m.rows;
  blas::routine<T>(sgeqrf_, dgeqrf_)(&n, &n, m.data, &ld, tau, rest, &lwork, &info);
  blas::routine<T>(sorgqr_, dorgqr_)(&n, &n, &n, m.data, &ld, tau, rest, &lwork, &info);
}

}  // namespace dladmm::lapack
