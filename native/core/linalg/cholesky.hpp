// Cholesky factors by the team: M = L Lᵀ, solves with it, and the explicit inverse. Every piece is a call of
// single-threaded BLAS on a tile, cut by sizes alone, so the result does not depend on the number of threads.
#pragma once

#include "core/linalg/matrix.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// L over the lower triangle of M, n³/3 flops; false where M is not positive definite (then M is spoilt).
template <typename T>
[[nodiscard]] bool cholesky_factor(Team& team, MatrixView<T> m);

// X <- X (L Lᵀ)⁻¹ for some rows: 2 rows n² flops.
template <typename T>
void cholesky_solve_rows(MatrixView<const T> lower, MatrixView<T> x);

// X <- X (L Lᵀ)⁻¹ by the team.
template <typename T>
void cholesky_solve_rows(Team& team, MatrixView<const T> lower, MatrixView<T> x);

// X <- (L Lᵀ)⁻¹ X by the team.
template <typename T>
void cholesky_solve_columns(Team& team, MatrixView<const T> lower, MatrixView<T> x);

// out <- (L Lᵀ)⁻¹, both triangles; 2n³/3 flops.
template <typename T>
void cholesky_invert(Team& team, MatrixView<const T> lower, MatrixView<T> out);

}  // namespace dladmm
