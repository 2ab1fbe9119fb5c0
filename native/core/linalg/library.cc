#include "core/linalg/library.hpp"

#include <cblas.h>

#include <cstdlib>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <mutex>
#include <string_view>
#include <vector>

#include "core/runtime/processors.hpp"

#ifdef DLADMM_ANY_CBLAS
#include <dlfcn.h>
#endif
#if defined(__linux__)
#include <sys/mman.h>
#endif

#ifndef DLADMM_ANY_CBLAS
// What its own calls take their buffers from.
extern "C" {
void* blas_memory_alloc(int);
void blas_memory_free(void*);
}
#endif

namespace dladmm::blas {
namespace {

struct Buffers {
  void* (*take)(int) = nullptr;
  void (*give_back)(void*) = nullptr;
};
Buffers buffers();

}  // namespace
}  // namespace dladmm::blas

namespace {

// Of an OpenBLAS for many processors; others have less.
constexpr std::size_t kBufferBytes = std::size_t{1} << 27;
// What is left for those who cannot say no: V8 ends the process where it gets no memory.
constexpr std::size_t kRoomForOthers = std::size_t{1} << 26;

bool is_room_for([[maybe_unused]] std::size_t bytes) {
#if defined(__linux__)
  void* const probe = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (probe == MAP_FAILED) return false;
  munmap(probe, bytes);
#endif
  return true;
}

}  // namespace

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

// OpenBLAS maps a buffer when a call first finds none that is free, keeps it for good, and where the system has no
// memory asks again for ever. So they are mapped here, as many as there will be calls at once, after the system has
// been asked whether it has as much.
bool dladmm::reserve_blas_buffers(unsigned count) {
  static std::atomic<unsigned> reserved{0};
  if (count <= reserved.load(std::memory_order_acquire)) return true;
  static std::mutex one_at_a_time;
  const std::lock_guard lock(one_at_a_time);
  if (count <= reserved.load(std::memory_order_relaxed)) return true;
  const blas::Buffers buffers = blas::buffers();
  std::vector<void*> taken;
  // The lowest that are free are taken. Which of them are mapped already is not known, as calls may be under way.
  while (buffers.take != nullptr && taken.size() < count && is_room_for(kBufferBytes + kRoomForOthers)) {
    taken.push_back(buffers.take(0));
  }
  for (void* const buffer : taken) buffers.give_back(buffer);
  if (buffers.take != nullptr && taken.size() < count) return false;
  reserved.store(count, std::memory_order_release);
  return true;
}

#if defined(__GLIBC__) && __GLIBC__ == 2 && __GLIBC_MINOR__ < 38
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

Buffers buffers() { return {find<void*(int)>("blas_memory_alloc"), find<void(void*)>("blas_memory_free")}; }

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

namespace {

Buffers buffers() { return {blas_memory_alloc, blas_memory_free}; }

}  // namespace

void set_own_threads(int count) { openblas_set_num_threads(count); }

std::optional<int> own_threads() { return openblas_get_num_threads(); }

std::string library() { return openblas_get_config(); }

std::string kernels() { return openblas_get_corename(); }

#endif

}  // namespace dladmm::blas
