#include "core/linalg/library.hpp"

#include <cblas.h>

#include <cstdlib>

#include <algorithm>
#include <charconv>
#include <string_view>

#include "core/runtime/processors.hpp"

#ifdef DLADMM_ANY_CBLAS
#include <dlfcn.h>
#endif

// OpenBLAS lends every call one of max(50, 2 MAX_THREADS) buffers, of which its own threads keep MAX_THREADS; where
// more are wanted at once, it crashes the process.
unsigned dladmm::concurrent_blas_calls() {
  const std::string config = blas::library();
  constexpr std::string_view key = "MAX_THREADS=";
  const std::size_t at = config.find(key);
  unsigned own = 1;  // a build without threads does not say
  if (at != std::string::npos) {
    const char* const digits = config.data() + at + key.size();
    std::from_chars(digits, config.data() + config.size(), own);
  }
  return std::max(50U, 2 * own) - own;
}

#ifdef DLADMM_STATIC_OPENBLAS
// What an archive built against glibc 2.38 or newer asks for; where an older one is to do, this is the same.
extern "C" long __isoc23_strtol(const char* text, char** end, int base) { return std::strtol(text, end, base); }
#endif

namespace dladmm::blas {

#ifdef DLADMM_ANY_CBLAS

// Built against CBLAS alone. What stands behind it may differ from machine to machine (Debian's alternatives), so what
// a library has beyond CBLAS is looked for when it is there.
namespace {

template <typename Function>
Function* find(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_DEFAULT, name));
}

}  // namespace

void set_own_threads(int count) {
  if (auto* const openblas = find<void(int)>("openblas_set_num_threads")) openblas(count);
  if (auto* const mkl = find<void(int)>("MKL_Set_Num_Threads")) mkl(count);
  if (auto* const blis = find<void(long)>("bli_thread_set_num_threads")) blis(count);
  // Accelerate, from macOS 15: 0 is several threads, 1 is one.
  if (auto* const accelerate = find<int(unsigned)>("BLASSetThreading")) accelerate(count == 1 ? 1 : 0);
}

std::optional<int> own_threads() {
  if (auto* const openblas = find<int()>("openblas_get_num_threads")) return openblas();
  if (auto* const blis = find<long()>("bli_thread_get_num_threads")) return static_cast<int>(blis());
  return std::nullopt;
}

std::string library() {
  Dl_info file{};
  const bool found = dladdr(reinterpret_cast<const void*>(&cblas_sgemm), &file) != 0 && file.dli_fname != nullptr;
  const std::string name = found ? file.dli_fname : "unknown";
  auto* const openblas = find<char*()>("openblas_get_config");
  return openblas == nullptr ? name : name + ", " + openblas();
}

std::string kernels() {
  auto* const openblas = find<char*()>("openblas_get_corename");
  return openblas == nullptr ? "" : openblas();
}

#else

void set_own_threads(int count) { openblas_set_num_threads(count); }

std::optional<int> own_threads() { return openblas_get_num_threads(); }

std::string library() { return openblas_get_config(); }

std::string kernels() { return openblas_get_corename(); }

#endif

}  // namespace dladmm::blas
