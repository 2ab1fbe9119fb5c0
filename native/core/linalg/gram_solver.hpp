// X <- X M⁻¹ for a symmetric positive semidefinite M (a Gram matrix and what is added to its diagonal): the inversion
// steps' one seam to linear algebra. Everything is allocated once; a singular M never gives NaN.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// How M is inverted.
//   pseudoinverse  M⁺ by the eigen-decomposition, in double; small eigenvalues are dropped: the minimum-norm solution
//   inverse        (M + εI)⁻¹ is formed and multiplied by
//   cholesky       M + εI = L Lᵀ, two triangular solves
enum class Inversion { pseudoinverse, inverse, cholesky };

template <typename T>
class GramSolver {
 public:
  struct Room {
    std::size_t size = 0;        // largest M, for inverse and cholesky
    bool inverse = false;        // whether any M is inverted explicitly
    std::size_t eigen_size = 0;  // largest M of a pseudo-inverse
    std::size_t eigen_rows = 0;  // most rows of X that it is applied to
  };

  GramSolver() = default;
  explicit GramSolver(const Room& room)
      : factor_(room.size * room.size),
        inverse_(room.inverse ? room.size * room.size : 0),
        gram_(room.eigen_size * room.eigen_size),
        vectors_(room.eigen_size * room.eigen_size),
        left_(room.eigen_rows * room.eigen_size),
        right_(room.eigen_rows * room.eigen_size),
        values_(room.eigen_size),
        work_(room.eigen_size == 0 ? 0 : 34 * room.eigen_size + 1) {}

  [[nodiscard]] static double required_bytes(const Room& room) {
    const auto n = static_cast<double>(room.size);
    const auto e = static_cast<double>(room.eigen_size);
    return sizeof(T) * (n * n * (room.inverse ? 2 : 1) + e * e) +
           sizeof(double) * (e * e + 2 * static_cast<double>(room.eigen_rows) * e + 35 * e);
  }

  // Takes M (n x n), whose lower triangle fill(view) writes; fill is called again where M has to be had afresh.
  // `ridge` is the ε to begin with, as a share of the trace: where M + εI is not positive definite in T, ε grows
  // tenfold until it is. False where M is not finite.
  template <typename Fill>
  [[nodiscard]] bool prepare(Team& team, Inversion how, std::size_t n, double ridge, Fill&& fill) {
    how_ = how;
    n_ = n;
    rank_ = n;
    ridge_ = 0;
    if (how == Inversion::pseudoinverse) {
      fill(MatrixView<T>(gram_.data(), n, n));
      return decompose(MatrixView<T>(gram_.data(), n, n));
    }
    double share = ridge;
    while (true) {
      fill(factor());
      const double trace = trace_of(factor());
      if (!std::isfinite(trace)) return false;
      ridge_ = trace > 0 ? share * trace : share > 0 ? 1 : 0;
      add_ridge(factor());
      if (try_factor(team)) break;
      if (!(share <= 1)) return false;          // no symmetric M whose entries are finite needs so much
      share = std::max(10 * share, kRounding);  // less than rounding changes nothing
    }
    if (how == Inversion::inverse) invert(team);
    return true;
  }

  // ε, and for the pseudo-inverse the number of eigenvalues kept.
  [[nodiscard]] double ridge() const { return ridge_; }
  [[nodiscard]] std::size_t rank() const { return rank_; }

  // The room of the factor as an n x n matrix, free until the next `prepare`.
  [[nodiscard]] MatrixView<T> room(std::size_t n) const { return {factor_.data(), n, n}; }

  // X <- X M⁻¹ by the team; `scratch` is as large as X (used by `inverse`).
  void apply(Team& team, MatrixView<T> x, MatrixView<T> scratch);
  // The same for the rows that one member has; not for the pseudo-inverse.
  void apply_rows(MatrixView<T> x, MatrixView<T> scratch) const;
  // out <- X M⁻¹ for the rows that one member has; `inverse` only, `out` lies apart from X.
  void multiply_rows(MatrixView<const T> x, MatrixView<T> out) const;
  // X <- M⁻¹ X by the team; cholesky only.
  void apply_to_columns(Team& team, MatrixView<T> x) const;

  // What rounding may leave of an eigenvalue of a singular M, as a share of the trace: the ε to begin with.
  static constexpr double kRounding = 16 * std::numeric_limits<T>::epsilon();
  // Eigenvalues below this share of the largest are dropped.
  static constexpr double kDropped = kRounding > 1e-13 ? kRounding : 1e-13;

 private:
  [[nodiscard]] MatrixView<T> factor() const { return {factor_.data(), n_, n_}; }
  [[nodiscard]] MatrixView<T> inverse() const { return {inverse_.data(), n_, n_}; }

  static double trace_of(MatrixView<const T> m) {
    double sum = 0;
    for (std::size_t i = 0; i < m.rows; ++i) sum += static_cast<double>(m.row(i)[i]);
    return sum;
  }
  void add_ridge(MatrixView<T> m) const {
    for (std::size_t i = 0; i < m.rows; ++i) m.row(i)[i] += static_cast<T>(ridge_);
  }
  bool try_factor(Team& team);
  void invert(Team& team);
  bool decompose(MatrixView<const T> m);

  Inversion how_ = Inversion::cholesky;
  std::size_t n_ = 0;
  std::size_t rank_ = 0;
  double ridge_ = 0;
  Buffer<T> factor_, inverse_, gram_;
  Buffer<double> vectors_, left_, right_;
  std::vector<double> values_, work_;
};

}  // namespace dladmm
