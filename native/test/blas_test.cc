// The typed BLAS against plain loops in double.
#include "core/linalg/blas.hpp"

#include <array>
#include <cmath>
#include <cstdint>
#include <limits>
#include <new>
#include <vector>

#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;
using blas::Op;

template <typename T>
double entry(Op op, MatrixView<const T> m, std::size_t i, std::size_t j) {
  return static_cast<double>(op == Op::none ? m.row(i)[j] : m.row(j)[i]);
}

template <typename T>
Strided<T> operand(Op op, std::size_t rows, std::size_t columns, std::size_t gap, Random& random) {
  Strided<T> m(op == Op::none ? rows : columns, op == Op::none ? columns : rows, gap);
  fill_normal(m.view(), random);
  return m;
}

template <typename T>
void check_gemm(Op op_a, Op op_b, std::size_t m, std::size_t n, std::size_t k, T alpha, T beta, std::size_t gap,
                Random& random) {
  auto a = operand<T>(op_a, m, k, gap, random);
  auto b = operand<T>(op_b, k, n, gap == 0 ? 0 : gap + 1, random);
  Strided<T> c(m, n, gap == 0 ? 0 : gap + 2);
  // With beta = 0 the old values do not count, not even NaN.
  if (beta != 0) fill_normal(c.view(), random);
  Strided<T> before = c;
  blas::gemm<T>(op_a, op_b, alpha, a.view(), b.view(), beta, c.view());

  const auto what = text(type_name<T>(), " gemm ", m, "x", n, "x", k, op_a == Op::none ? " n" : " t",
                         op_b == Op::none ? "n" : "t", " beta ", beta, " gap ", gap);
  check(a.gap_intact() && b.gap_intact() && c.gap_intact(), what + ": writes only its rows");
  double worst = 0;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double expected = 0;
      double magnitude = 1e-30;
      for (std::size_t x = 0; x < k; ++x) {
        const double term =
            static_cast<double>(alpha) * entry<T>(op_a, a.view(), i, x) * entry<T>(op_b, b.view(), x, j);
        expected += term;
        magnitude += std::abs(term);
      }
      if (beta != 0) {
        const double old = static_cast<double>(beta) * static_cast<double>(before.view().row(i)[j]);
        expected += old;
        magnitude += std::abs(old);
      }
      const double miss = std::abs(static_cast<double>(c.view().row(i)[j]) - expected) / magnitude;
      if (!(miss <= worst)) worst = miss;
    }
  }
  check_at_most(worst, static_cast<double>(k + 8) * std::numeric_limits<T>::epsilon(), what);
}

template <typename T>
void gemm_equals_a_plain_loop() {
  Random random(2);
  constexpr std::array<std::array<std::size_t, 3>, 15> shapes{{{1, 1, 1},
                                                               {2, 3, 5},
                                                               {7, 1, 3},
                                                               {1, 9, 4},
                                                               {17, 13, 1},
                                                               {33, 31, 29},
                                                               {64, 64, 64},
                                                               {1, 1, 300},
                                                               {300, 2, 3},
                                                               {3, 257, 5},
                                                               {101, 67, 203},
                                                               {0, 3, 2},
                                                               {3, 0, 2},
                                                               {3, 2, 0},
                                                               {0, 0, 0}}};
  for (const auto& [m, n, k] : shapes) {
    for (const Op op_a : {Op::none, Op::transpose}) {
      for (const Op op_b : {Op::none, Op::transpose}) {
        for (const std::size_t gap : {0, 3}) {
          check_gemm<T>(op_a, op_b, m, n, k, T(1), T(0), gap, random);
          check_gemm<T>(op_a, op_b, m, n, k, T(-1.5), T(1), gap, random);
          check_gemm<T>(op_a, op_b, m, n, k, T(0.5), T(-0.25), gap, random);
        }
      }
    }
  }
}

void dimensions_beyond_blas_are_refused() {
  check_equal(blas::dimension((std::size_t{1} << 31) - 1), 2147483647, "the largest");
  check_throws<std::length_error>([] { static_cast<void>(blas::dimension(std::size_t{1} << 31)); }, "2^31");
  check_throws<std::length_error>([] { static_cast<void>(blas::dimension(std::numeric_limits<std::size_t>::max())); },
                                  "the largest size");
}

void storage_is_aligned_and_its_size_checked() {
  for (const std::size_t count : {1, 3, 100, 1000003, 3000001}) {
    const Buffer<float> buffer(count);
    check_equal(buffer.size(), count, "size");
    check_equal(reinterpret_cast<std::uintptr_t>(buffer.data()) % 64, std::uintptr_t{0}, "alignment");
    buffer.span()[0] = 1;
    buffer.span()[count - 1] = 1;
  }
  check(Buffer<double>(0).data() == nullptr, "nothing is allocated for nothing");
  constexpr std::size_t most = std::numeric_limits<std::size_t>::max();
  check_throws<std::bad_alloc>([] { const Buffer<double> buffer(most / 8); }, "bytes near the end of memory");
  check_throws<std::bad_alloc>([] { const Buffer<double> buffer(most); }, "bytes that overflow");
  check_throws<std::bad_alloc>([] { const Matrix<float> matrix(std::size_t{1} << 40, std::size_t{1} << 40); },
                               "entries that overflow");
  check(Matrix<double>(5, 0).empty() && Matrix<double>(0, 5).empty(), "no columns, no rows");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float gemm equals a plain loop", gemm_equals_a_plain_loop<float>);
  fact("double gemm equals a plain loop", gemm_equals_a_plain_loop<double>);
  fact("dimensions beyond BLAS are refused", dimensions_beyond_blas_are_refused);
  fact("storage is aligned and its size checked", storage_is_aligned_and_its_size_checked);
  return report();
}
