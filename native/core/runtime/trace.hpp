// What rounds take, piece by piece, where one thread runs them all: a simulation of more threads is fed with it. For
// benchmarks, of one training at a time: of several at once, the rounds stand one after the other as they ended.
#pragma once

#include <atomic>
#include <chrono>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace dladmm {

class Trace {
 public:
  // Begins to write down, and answers what was written since: of every round the seconds since the one before, its
  // flops, how many pieces it has, and the seconds of each.
  static std::vector<double> take(bool go_on) {
    seconds_since_last();
    state().on.store(go_on);
    const std::lock_guard lock(state().mutex);
    return std::exchange(state().numbers, {});
  }

  // A round that the calling thread runs by itself.
  Trace(std::size_t pieces, double flops) : on_(state().on.load(std::memory_order_relaxed)) {
    if (!on_) return;
    round_.reserve(3 + pieces);
    round_ = {seconds_since_last(), flops, static_cast<double>(pieces)};
  }
  void piece_ended() {
    if (on_) round_.push_back(seconds_since_last());
  }
  ~Trace() {
    if (!on_) return;
    const std::lock_guard lock(state().mutex);
    try {
      state().numbers.insert(state().numbers.end(), round_.begin(), round_.end());
    } catch (const std::bad_alloc&) {
      // A round less is known.
    }
  }
  Trace(const Trace&) = delete;
  Trace& operator=(const Trace&) = delete;

 private:
  using Clock = std::chrono::steady_clock;
  struct State {
    std::atomic<bool> on{false};
    std::atomic<Clock::time_point> last;
    std::mutex mutex;  // for what follows
    std::vector<double> numbers;
  };
  static State& state() {
    static State state;
    return state;
  }
  static double seconds_since_last() {
    const auto now = Clock::now();
    return std::chrono::duration<double>(now - state().last.exchange(now)).count();
  }

  const bool on_;
  std::vector<double> round_;
};

}  // namespace dladmm
