// Whether the BLAS at work gives right numbers on this processor. OpenBLAS picks its kernels when it is loaded, and old
// ones are known to be wrong on processors that came after them: better no training than a wrong one.
#pragma once

#include <span>
#include <stdexcept>
#include <string>

#include "core/linalg/blas.hpp"
#include "core/linalg/lapack.hpp"

namespace dladmm::blas {

// The routines that everything stands on, to be tried; others than those at work where a test puts them in.
template <typename T>
struct Kernels {
  void (*gemm)(Op, Op, T, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>) = &blas::gemm<T>;
  void (*syrk)(Op, MatrixView<const T>, T, MatrixView<T>) = &blas::syrk<T>;
  bool (*potrf)(MatrixView<T>) = &lapack::potrf<T>;
  bool (*syev)(MatrixView<double>, std::span<double>, std::span<double>) = &lapack::syev;
};

// The name of the first routine whose numbers are not those of plain loops, as "sgemm"; empty where all are right.
// Takes milliseconds.
template <typename T>
[[nodiscard]] std::string wrong_kernel(const Kernels<T>& kernels = {});

struct WrongKernels : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// Tries the routines of both float types once a process; throws WrongKernels, then and ever after, where one is wrong.
void require_right_kernels();

}  // namespace dladmm::blas
