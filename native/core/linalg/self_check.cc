#include "core/linalg/self_check.hpp"

#include <cmath>
#include <limits>
#include <sstream>

namespace dladmm::blas {
namespace {

// Odd sizes: tiles that are cut on both sides, and more than one block of the inner dimension.
constexpr std::size_t kRows = 37;
constexpr std::size_t kColumns = 29;
constexpr std::size_t kInner = 109;
constexpr std::size_t kFactor = 53;
constexpr std::size_t kEigen = 23;

// Numbers from −1 to 1 without a pattern that a wrong kernel might get right.
template <typename T>
Matrix<T> numbers(std::size_t rows, std::size_t columns, std::uint32_t seed) {
  Matrix<T> out(rows, columns);
  for (T& value : out.flat()) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<T>(static_cast<double>(seed >> 8) / 0x1p23 - 1);
  }
  return out;
}

// Entry (i, k) of op(A).
template <typename T>
double entry(const Matrix<T>& a, Op op, std::size_t i, std::size_t k) {
  return static_cast<double>(op == Op::none ? a.view().row(i)[k] : a.view().row(k)[i]);
}

// Whether `found` is Σ terms up to the rounding of `count` additions in T.
template <typename T>
class Expected {
 public:
  void add(double term) {
    sum_ += term;
    size_ += std::abs(term);
    ++count_;
  }
  [[nodiscard]] bool is(T found) const {
    const double error = std::abs(static_cast<double>(found) - sum_);
    return error <= static_cast<double>(count_ + 8) * std::numeric_limits<T>::epsilon() * size_;  // false for NaN
  }

 private:
  double sum_ = 0;
  double size_ = 0;
  std::size_t count_ = 0;
};

// C <- 2 op(A) op(B) − C
template <typename T>
bool gemm_is_right(const Kernels<T>& kernels, Op op_a, Op op_b) {
  const Matrix<T> a = op_a == Op::none ? numbers<T>(kRows, kInner, 1) : numbers<T>(kInner, kRows, 1);
  const Matrix<T> b = op_b == Op::none ? numbers<T>(kInner, kColumns, 2) : numbers<T>(kColumns, kInner, 2);
  const Matrix<T> before = numbers<T>(kRows, kColumns, 3);
  const Matrix<T> c = numbers<T>(kRows, kColumns, 3);
  kernels.gemm(op_a, op_b, T(2), a.view(), b.view(), T(-1), c.view());
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j < kColumns; ++j) {
      Expected<T> expected;
      expected.add(-static_cast<double>(before.view().row(i)[j]));
      for (std::size_t k = 0; k < kInner; ++k) expected.add(2 * entry(a, op_a, i, k) * entry(b, op_b, k, j));
      if (!expected.is(c.view().row(i)[j])) return false;
    }
  }
  return true;
}

// Lower triangle of C <- op(A) op(A)ᵀ + C
template <typename T>
bool syrk_is_right(const Kernels<T>& kernels, Op op) {
  const Matrix<T> a = op == Op::none ? numbers<T>(kRows, kInner, 4) : numbers<T>(kInner, kRows, 4);
  const Matrix<T> before = numbers<T>(kRows, kRows, 5);
  const Matrix<T> c = numbers<T>(kRows, kRows, 5);
  kernels.syrk(op, a.view(), T(1), c.view());
  for (std::size_t i = 0; i < kRows; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      Expected<T> expected;
      expected.add(static_cast<double>(before.view().row(i)[j]));
      for (std::size_t k = 0; k < kInner; ++k) expected.add(entry(a, op, i, k) * entry(a, op, j, k));
      if (!expected.is(c.view().row(i)[j])) return false;
    }
  }
  return true;
}

// A symmetric matrix, its diagonal heavier by `weight`.
template <typename T>
Matrix<T> symmetric(std::size_t n, T weight) {
  Matrix<T> m = numbers<T>(n, n, 6);
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) m.view().row(j)[i] = m.view().row(i)[j];
    m.view().row(i)[i] += weight;
  }
  return m;
}

// L Lᵀ is the matrix again.
template <typename T>
bool potrf_is_right(const Kernels<T>& kernels) {
  constexpr T weight = kFactor;
  const Matrix<T> m = symmetric<T>(kFactor, weight);
  const Matrix<T> l = symmetric<T>(kFactor, weight);
  if (!kernels.potrf(l.view())) return false;
  for (std::size_t i = 0; i < kFactor; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      double sum = 0;
      for (std::size_t k = 0; k <= j; ++k) sum += entry(l, Op::none, i, k) * entry(l, Op::none, j, k);
      const double error = std::abs(sum - entry(m, Op::none, i, j));
      if (!(error <= 4 * kFactor * kFactor * std::numeric_limits<T>::epsilon())) return false;
    }
  }
  return true;
}

// M v = λ v, and the v are orthonormal.
template <typename T>
bool syev_is_right(const Kernels<T>& kernels) {
  constexpr double tolerance = 1e-12;
  const Matrix<double> m = symmetric<double>(kEigen, 0);
  const Matrix<double> v = symmetric<double>(kEigen, 0);
  const Buffer<double> values(kEigen);
  const Buffer<double> work(lapack::syev_work(kEigen));
  if (!kernels.syev(v.view(), values.span(), work.span())) return false;
  for (std::size_t i = 0; i < kEigen; ++i) {
    for (std::size_t j = 0; j < kEigen; ++j) {
      double image = -values.data()[i] * entry(v, Op::none, i, j);
      double inner = i == j ? -1 : 0;
      for (std::size_t k = 0; k < kEigen; ++k) {
        image += entry(m, Op::none, j, k) * entry(v, Op::none, i, k);
        inner += entry(v, Op::none, i, k) * entry(v, Op::none, j, k);
      }
      if (!(std::abs(image) <= kEigen * tolerance && std::abs(inner) <= kEigen * tolerance)) return false;
    }
  }
  return true;
}

std::string fault_at_work() {
  const std::string in_float = wrong_kernel<float>();
  const std::string wrong = in_float.empty() ? wrong_kernel<double>() : in_float;
  if (wrong.empty()) return "";
  std::ostringstream text;
  text
      << "the BLAS (" << library() << "; kernels: " << kernels() << ") gives wrong results on this processor: " << wrong
      << " differs from a plain loop. The environment variable OPENBLAS_CORETYPE, set before the process starts, makes "
         "OpenBLAS take other kernels (Haswell, or Nehalem on any x86-64; NEOVERSEN1 or ARMV8 on arm64); a newer "
         "OpenBLAS "
         "may have right ones";
  return text.str();
}

}  // namespace

template <typename T>
std::string wrong_kernel(const Kernels<T>& kernels) {
  const auto name = [](const char* routine) {
    return std::string(std::is_same_v<T, float> ? "s" : "d").append(routine);
  };
  for (const Op a : {Op::none, Op::transpose}) {
    for (const Op b : {Op::none, Op::transpose}) {
      if (!gemm_is_right(kernels, a, b)) return name("gemm");
    }
    if (!syrk_is_right(kernels, a)) return name("syrk");
  }
  if (!potrf_is_right(kernels)) return name("potrf");
  // The core takes eigenvalues in double alone.
  return std::is_same_v<T, double> && !syev_is_right(kernels) ? name("syev") : "";
}

template std::string wrong_kernel<float>(const Kernels<float>&);
template std::string wrong_kernel<double>(const Kernels<double>&);

void require_right_kernels() {
  static const std::string fault = fault_at_work();
  if (!fault.empty()) throw WrongKernels(fault);
}

}  // namespace dladmm::blas
