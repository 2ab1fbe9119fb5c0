// Factors, inverses and pseudo-inverses against their definitions.
#include <cmath>
#include <limits>
#include <vector>

#include "core/functions/normals.hpp"
#include "core/linalg/cholesky.hpp"
#include "core/linalg/gram_solver.hpp"
#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/plain.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

template <typename T>
constexpr double kTolerance = std::is_same_v<T, double> ? 1e-11 : 5e-3;

Mat random_matrix(std::size_t rows, std::size_t columns, Random& random) {
  Mat m(rows, columns);
  for (double& value : m.values) value = random.normal();
  return m;
}

// Well conditioned, symmetric, positive definite.
Mat definite(std::size_t n, Random& random) {
  const Mat a = random_matrix(2 * n + 3, n, random);
  Mat m = transposed_times(a, a);
  for (std::size_t i = 0; i < n; ++i) m(i, i) += 1;
  return m;
}

template <typename T>
Matrix<T> typed(const Mat& m) {
  Matrix<T> out(m.rows, m.columns);
  for (std::size_t i = 0; i < m.values.size(); ++i) out.flat()[i] = static_cast<T>(m.values[i]);
  return out;
}

template <typename T>
Mat plain(const Matrix<T>& m) {
  Mat out(m.rows(), m.columns());
  for (std::size_t i = 0; i < out.values.size(); ++i) out.values[i] = static_cast<double>(m.flat()[i]);
  return out;
}

double largest(const Mat& m) {
  double out = 0;
  for (const double value : m.values) out = std::isnan(value) ? value : std::max(out, std::abs(value));
  return out;
}

void near(const Mat& got, const Mat& expected, double tolerance, const std::string& what) {
  check_at_most(largest(minus(got, 1, expected)), tolerance * (1 + largest(expected)), what);
}

template <typename T>
void factors_and_solves() {
  Random random(201);
  for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{127}, std::size_t{128},
                              std::size_t{129}, std::size_t{300}}) {
    for (const unsigned threads : {1U, 2U, 5U}) {
      Team team(threads);
      const auto what = text(type_name<T>(), " n ", n, " threads ", threads);
      const Mat m = definite(n, random);
      auto factor = typed<T>(m);
      // Only the lower triangle may be read.
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = i + 1; j < n; ++j) factor.view().row(i)[j] = std::numeric_limits<T>::quiet_NaN();
      }
      check(cholesky_factor<T>(team, factor.view()), what + ": is definite");
      for (const std::size_t rows : {std::size_t{1}, std::size_t{5}, std::size_t{530}}) {
        const Mat x = random_matrix(rows, n, random);
        auto solved = typed<T>(x);
        cholesky_solve_rows<T>(team, factor.view(), solved.view());
        near(times(plain(solved), m), x, kTolerance<T>, what + ": X M^-1 M = X");
        const Mat y = random_matrix(n, rows, random);
        auto columns = typed<T>(y);
        cholesky_solve_columns<T>(team, factor.view(), columns.view());
        near(times(m, plain(columns)), y, kTolerance<T>, what + ": M M^-1 X = X");
      }
      Matrix<T> inverse(n, n);
      cholesky_invert<T>(team, factor.view(), inverse.view());
      Mat identity(n, n);
      for (std::size_t i = 0; i < n; ++i) identity(i, i) = 1;
      near(times(plain(inverse), m), identity, kTolerance<T>, what + ": the inverse");
    }
  }
}

void what_is_not_definite_is_told() {
  Random random(202);
  Team team(2);
  for (const std::size_t n : {std::size_t{3}, std::size_t{200}}) {
    Mat m = definite(n, random);
    m(n - 1, n - 1) = -1;
    auto factor = typed<double>(m);
    check(!cholesky_factor<double>(team, factor.view()), text("n ", n));
  }
  Matrix<double> empty(0, 0);
  check(cholesky_factor<double>(team, empty.view()), "nothing is definite");
}

template <typename T>
GramSolver<T> solver_for(std::size_t n, std::size_t rows) {
  return GramSolver<T>({.size = n, .inverse = true, .eigen_size = n, .eigen_rows = rows});
}

// Moore and Penrose: M M⁺ M = M, M⁺ M M⁺ = M⁺, both products symmetric (M⁺ is, as M is).
template <typename T>
void pseudoinverse_is_moore_and_penroses() {
  Random random(203);
  Team team(2);
  for (const auto& [n, rank] : {std::pair<std::size_t, std::size_t>{1, 0}, {1, 1}, {6, 4}, {40, 11}, {150, 150}}) {
    const Mat a = random_matrix(rank == 0 ? 1 : rank, n, random);
    Mat m = transposed_times(a, a);
    if (rank == 0) m = Mat(n, n);
    auto solver = solver_for<T>(n, n);
    const auto fill = [&](MatrixView<T> out) {
      for (std::size_t i = 0; i < n; ++i) {
        for (std::size_t j = 0; j <= i; ++j) out.row(i)[j] = static_cast<T>(m(i, j));
      }
    };
    const auto what = text(type_name<T>(), " n ", n, " rank ", rank);
    check(solver.prepare(team, Inversion::pseudoinverse, n, 0, fill), what);
    check_equal(solver.rank(), rank, what + ": rank");
    Mat identity(n, n);
    for (std::size_t i = 0; i < n; ++i) identity(i, i) = 1;
    auto inverse = typed<T>(identity);
    Matrix<T> scratch(n, n);
    solver.apply(team, inverse.view(), scratch.view());
    const Mat p = plain(inverse);
    near(times(times(m, p), m), m, kTolerance<T>, what + ": M P M = M");
    near(times(times(p, m), p), p, 10 * kTolerance<T>, what + ": P M P = P");
    near(p, transposed_times(p, identity), kTolerance<T>, what + ": symmetric");
  }
}

// A singular M is factored with an ε that is told, and what comes out is finite.
template <typename T>
void singular_matrices_give_numbers() {
  Random random(204);
  Team team(2);
  for (const Inversion how : {Inversion::inverse, Inversion::cholesky}) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{5}, std::size_t{140}}) {
      for (const int kind : {0, 1, 2}) {
        Mat m(n, n);  // 0: all zero
        if (kind == 1) {
          for (double& value : m.values) value = 1;  // of rank one
        }
        if (kind == 2) {  // dead features among live ones
          m = definite(n, random);
          for (std::size_t i = 0; i < n; i += 2) {
            for (std::size_t j = 0; j < n; ++j) m(i, j) = m(j, i) = 0;
          }
        }
        auto solver = solver_for<T>(n, 3);
        const auto fill = [&](MatrixView<T> out) {
          for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j <= i; ++j) out.row(i)[j] = static_cast<T>(m(i, j));
          }
        };
        const auto what = text(type_name<T>(), " n ", n, " kind ", kind);
        check(solver.prepare(team, how, n, GramSolver<T>::kRounding, fill), what);
        check(solver.ridge() > 0 && std::isfinite(solver.ridge()), what + ": ridge");
        // A right side in the range of M, as Tᵀ a is in that of aᵀ a: dead features get nothing.
        const Mat x = times(random_matrix(3, n, random), m);
        auto solved = typed<T>(x);
        Matrix<T> scratch(3, n);
        solver.apply(team, solved.view(), scratch.view());
        const Mat w = plain(solved);
        check(std::isfinite(largest(w)), what + ": finite");
        if (kind == 2) {
          for (std::size_t i = 0; i < n; i += 2) check_equal(w(1, i), 0.0, what + ": a dead feature has no weight");
        }
      }
    }
  }
}

void what_is_not_finite_is_refused() {
  Team team(1);
  for (const Inversion how : {Inversion::pseudoinverse, Inversion::inverse, Inversion::cholesky}) {
    for (const double bad : {std::nan(""), std::numeric_limits<double>::infinity()}) {
      auto solver = solver_for<double>(3, 1);
      const auto fill = [&](MatrixView<double> out) {
        for (std::size_t i = 0; i < 3; ++i) {
          for (std::size_t j = 0; j <= i; ++j) out.row(i)[j] = i == j ? 2 : 0.1;
        }
        out.row(2)[1] = bad;
      };
      check(!solver.prepare(team, how, 3, 1e-12, fill), text("bad ", bad));
      const auto unit = [](MatrixView<double> out) {
        for (std::size_t i = 0; i < 3; ++i) std::fill_n(out.row(i), i + 1, i == 0 ? 1.0 : 0.5);
      };
      if (how != Inversion::pseudoinverse) check(!solver.prepare(team, how, 3, bad, unit), text("bad ridge ", bad));
    }
  }
}

// Mean 0, variance 1, and the same numbers whichever rows are asked for first.
void normals_are_normal() {
  std::vector<double> row(1001);
  double sum = 0;
  double squares = 0;
  double neighbours = 0;
  for (std::uint64_t i = 0; i < 200; ++i) {
    fill_normals<double>(7, 3, i, row);
    for (std::size_t j = 0; j < row.size(); ++j) {
      sum += row[j];
      squares += row[j] * row[j];
      if (j > 0) neighbours += row[j] * row[j - 1];
    }
  }
  const double count = 200 * 1001;
  check_at_most(std::abs(sum) / std::sqrt(count), 4, "mean");
  check_at_most(std::abs(squares - count) / std::sqrt(2 * count), 4, "variance");
  check_at_most(std::abs(neighbours) / std::sqrt(count), 4, "neighbours");
  std::vector<double> again(1001);
  fill_normals<double>(7, 3, 199, again);
  check(again == row, "the same row again");
  fill_normals<double>(7, 4, 199, again);
  check(again != row, "another stream");
  fill_normals<double>(8, 3, 199, again);
  check(again != row, "another seed");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float factors and solves", factors_and_solves<float>);
  fact("double factors and solves", factors_and_solves<double>);
  fact("what is not definite is told", what_is_not_definite_is_told);
  fact("float: the pseudo-inverse is Moore's and Penrose's", pseudoinverse_is_moore_and_penroses<float>);
  fact("double: the pseudo-inverse is Moore's and Penrose's", pseudoinverse_is_moore_and_penroses<double>);
  fact("float: singular matrices give numbers", singular_matrices_give_numbers<float>);
  fact("double: singular matrices give numbers", singular_matrices_give_numbers<double>);
  fact("what is not finite is refused", what_is_not_finite_is_refused);
  fact("normals are normal", normals_are_normal);
  return report();
}
