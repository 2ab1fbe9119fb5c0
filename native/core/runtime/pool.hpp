// The one pool of threads of the process. Its threads take pieces of the rounds that are open, wherever there are some;
// who opened a round waits only for pieces that have been begun, so that alone it is as fast as alone.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <mutex>
#include <optional>

#include "core/runtime/team.hpp"
#include "core/runtime/waiting.hpp"

namespace dladmm {

// A place for an open round. Places are used again and never freed: a thread that comes late finds a round that is not
// the one it saw, and leaves.
struct alignas(64) Lane {
  // Round (32 bits), claims of it (16), and the next that nobody has taken (16), in one word: what a thread takes
  // belongs to the round that it sees, however late it comes.
  std::atomic<std::uint64_t> next{0};
  // Round (32 bits), and how many helpers it may still have (32).
  std::atomic<std::uint64_t> seats{0};

  // Written before a round opens.
  Team::Task task;
  std::size_t pieces = 0;
  std::size_t stride = 1;  // pieces a claim
  unsigned helpers = 0;

  alignas(64) std::atomic<std::uint32_t> done{0};  // claims
  std::atomic<bool> owner_sleeps{false};
  std::mutex mutex;  // for what follows
  std::exception_ptr failure;
  std::size_t failed_piece = 0;
};

class Pool {
 public:
  // Never destroyed: its threads may be asleep in it when the process ends.
  static Pool& instance();

  struct Round {
    Team::Task task;
    std::size_t pieces;
    unsigned helpers;  // at most
    Sleepers sleepers;
  };
  // Runs a round with the calling thread as member 0. Answers how much time the helpers saved (negative: cost); nothing
  // where too many rounds are open already and this one has not begun.
  std::optional<Clock::duration> share(const Round& round);

  // Not more threads than BLAS bears are within pieces at once.
  void enter();
  void leave();

  // Threads that may call, each with a buffer of the BLAS.
  [[nodiscard]] bool admit_caller();
  void dismiss_caller() { callers_.fetch_sub(1, std::memory_order_relaxed); }

  void came_to_work() { at_work_.fetch_add(1, std::memory_order_relaxed); }
  void left_work() { at_work_.fetch_sub(1, std::memory_order_relaxed); }

  [[nodiscard]] unsigned threads() const { return threads_.load(std::memory_order_relaxed); }
  void measure_processors();

 private:
  static constexpr std::size_t kLanes = 64;

  Pool();
  [[nodiscard]] Lane* take_lane();
  void give_back(const Lane& lane);
  void grow(unsigned threads);
  void serve(unsigned thread);
  bool help(unsigned& last_lane);
  bool help_in(Lane& lane);
  [[nodiscard]] bool try_enter();
  [[nodiscard]] bool try_help();
  [[nodiscard]] Clock::duration patience() const;

  const unsigned limit_;
  std::array<Lane, kLanes> lanes_;
  std::mutex growth_;

  alignas(64) std::atomic<std::uint32_t> opened_{0};  // rounds: what idle threads wait for
  std::atomic<std::uint64_t> open_{0};                // lanes in use, a bit each
  alignas(64) std::atomic<std::uint32_t> room_;       // for threads in BLAS
  std::atomic<std::uint32_t> queue_{0};               // callers that wait for it
  alignas(64) std::atomic<unsigned> asleep_{0};
  std::atomic<unsigned> watching_{0};  // idle and awake: they need no waking
  std::atomic<unsigned> threads_{0};
  std::atomic<unsigned> at_work_{0};  // threads that call
  std::atomic<unsigned> callers_{0};  // and those that may
  std::atomic<unsigned> helping_{0};  // threads of the pool within pieces
  std::atomic<unsigned> wanted_{0};   // helpers of all open rounds
  std::atomic<unsigned> processors_{1};
};

}  // namespace dladmm
