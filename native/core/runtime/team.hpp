// Everything that runs in parallel runs here: a round of pieces, claimed by the thread that calls and by whichever
// threads of the process's one pool are free, each calling single-threaded BLAS.
//
// What a piece computes must not depend on who runs it: then nothing depends on how many threads there are, and the
// pool may give a round many threads, few or none, as the machine allows at the moment.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <type_traits>

#include "core/runtime/subnormals.hpp"

namespace dladmm {

// The calling thread is at work for a while (a sweep, a batch): until its end it flushes subnormals, between rounds
// too, and the pool counts it as taking a processor. Rounds that begin outside of one make their own. `stop` is what
// asks it to end early.
class AtWork {
 public:
  AtWork() : AtWork(nullptr) {}
  explicit AtWork(const std::atomic<bool>& stop) : AtWork(&stop) {}
  ~AtWork();
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

 private:
  explicit AtWork(const std::atomic<bool>* stop);

  const FlushSubnormals flush_;
  const std::atomic<bool>* const before_;
};

// Whether the work of the calling thread is to end: every loop that goes on until something is reached asks.
[[nodiscard]] bool stop_asked();

struct NoBlasBuffer : std::bad_alloc {
  [[nodiscard]] const char* what() const noexcept override {
    return "there is no room for another buffer of the BLAS, which takes 128 MiB of addresses: raise the limit of the "
           "process (ulimit -v), or close trainings that have ended";
  }
};

// What may call rounds, on any thread of its own, keeps a buffer of the BLAS for it: none is sought for when there may
// be no memory left. Throws NoBlasBuffer.
class BlasBuffer {
 public:
  BlasBuffer();
  ~BlasBuffer();
  BlasBuffer(const BlasBuffer&) = delete;
  BlasBuffer& operator=(const BlasBuffer&) = delete;
};

// Whether pool threads that sleep are worth waking for a round, which takes longer than a short piece of work.
enum class Sleepers { wake, leave };

// What an entry of an elementwise pass counts for among `flops`: it is the memory that takes the time.
constexpr double kFlopsAnEntry = 20;

// Rounds of fewer flops a thread are given fewer threads. For tests, which share every round: 0.
void share_rounds_of(double flops);

// A handle on the pool that bounds how many threads take part in a round: nothing is started for it, nothing kept.
class Team {
 public:
  // 1 … what the BLAS allows at once; 0 counts as 1.
  explicit Team(unsigned threads);
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] unsigned size() const { return size_; }

  // Calls work(piece, member) once for every piece from 0 to below `pieces`, and returns when all have ended.
  // member < size() is the same for no two pieces at work at once: it may choose scratch memory and nothing else.
  // `flops` of the whole round say how many threads it is worth: a small round stays on the calling thread. The
  // exception of the lowest piece that threw is rethrown; of a round within a round, std::logic_error.
  template <typename Work>
  void run(std::size_t pieces, double flops, Work&& work, Sleepers sleepers = Sleepers::wake) {
    using F = std::remove_reference_t<Work>;
    dispatch({[](void* f, std::size_t piece, unsigned member) { (*static_cast<F*>(f))(piece, member); },
              const_cast<void*>(static_cast<const void*>(std::addressof(work)))},
             pieces, flops, sleepers);
  }

  struct Task {
    void (*call)(void*, std::size_t, unsigned) = nullptr;
    void* work = nullptr;
  };

 private:
  void dispatch(Task task, std::size_t pieces, double flops, Sleepers sleepers);

  const unsigned size_;
  // On a machine that has other things to do, a helper may sleep within its piece: a team that has lost time by that
  // works alone for some time, so that it never loses more than a small share.
  std::atomic<std::int64_t> alone_until_{0};  // ns of the steady clock
};

// Threads of the process's pool so far.
[[nodiscard]] unsigned pool_threads();

}  // namespace dladmm
