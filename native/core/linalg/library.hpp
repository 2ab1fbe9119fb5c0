// What CBLAS has no word for: which library this is, and how many threads of its own it may use.
#pragma once

#include <optional>
#include <string>

namespace dladmm::blas {

// The threads of its own that a call of BLAS may use, in the whole process. A library without such a switch keeps its
// number.
void set_own_threads(int count);

// The number set, where the library tells it.
[[nodiscard]] std::optional<int> own_threads();

// The library with its build options, e.g. "OpenBLAS 0.3.21 … DYNAMIC_ARCH … MAX_THREADS=64". Of any other the file; if
// an OpenBLAS is loaded beside it, or stands behind it, that one too.
[[nodiscard]] std::string library();

// The processor that the kernels at work were written for, e.g. "Haswell"; empty where the library does not tell.
[[nodiscard]] std::string kernels();

}  // namespace dladmm::blas
