// The self-test of BLAS passes the one at work, and finds each wrong routine by its name.
#include "core/linalg/self_check.hpp"

#include <cmath>
#include <utility>

#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

// As the routines at work, but for one number of one case.

template <typename T>
void wrong_gemm(blas::Op op_a, blas::Op op_b, T alpha, MatrixView<const T> a, MatrixView<const T> b, T beta,
                MatrixView<T> c) {
  blas::gemm(op_a, op_b, alpha, a, b, beta, c);
  if (op_a == blas::Op::transpose && op_b == blas::Op::none) c.row(c.rows - 1)[c.columns - 1] += T(0.01);
}

template <typename T>
void wrong_syrk(blas::Op op, MatrixView<const T> a, T beta, MatrixView<T> c) {
  blas::syrk(op, a, beta, c);
  if (op == blas::Op::transpose) c.row(c.rows - 1)[0] += T(0.01);
}

template <typename T>
bool wrong_potrf(MatrixView<T> m) {
  const bool factored = lapack::potrf(m);
  m.row(m.rows - 1)[m.rows - 1] = std::numeric_limits<T>::quiet_NaN();
  return factored;
}

bool wrong_syev(MatrixView<double> m, std::span<double> values, std::span<double> work) {
  const bool found = lapack::syev(m, values, work);
  std::swap(values[0], values[1]);
  return found;
}

template <typename T>
void each_wrong_routine_is_found(const char* gemm, const char* syrk, const char* potrf) {
  check_equal(blas::wrong_kernel<T>(), std::string(), "at work");
  blas::Kernels<T> kernels;
  kernels.gemm = &wrong_gemm<T>;
  check_equal(blas::wrong_kernel(kernels), std::string(gemm), "gemm");
  kernels = {};
  kernels.syrk = &wrong_syrk<T>;
  check_equal(blas::wrong_kernel(kernels), std::string(syrk), "syrk");
  kernels = {};
  kernels.potrf = &wrong_potrf<T>;
  check_equal(blas::wrong_kernel(kernels), std::string(potrf), "potrf");
  if constexpr (std::is_same_v<T, double>) {
    kernels = {};
    kernels.syev = &wrong_syev;
    check_equal(blas::wrong_kernel(kernels), std::string("dsyev"), "syev");
  }
}

void the_blas_at_work_is_accepted() {
  blas::require_right_kernels();
  check(true, "twice");
  blas::require_right_kernels();
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("each wrong float routine is found", [] { each_wrong_routine_is_found<float>("sgemm", "ssyrk", "spotrf"); });
  fact("each wrong double routine is found", [] { each_wrong_routine_is_found<double>("dgemm", "dsyrk", "dpotrf"); });
  fact("the BLAS at work is accepted", the_blas_at_work_is_accepted);
  return report();
}
