// What rounds take, piece by piece, where one thread runs them all: a simulation of more threads is fed with it. For
// benchmarks, of one training at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <utility>
#include <vector>

namespace dladmm {

class Trace {
 public:
  // Begins to write down, and answers what was written since: of every round the seconds since the one before, its
  // flops, how many pieces it has, and the seconds of each.
  static std::vector<double> take(bool go_on) {
    std::vector<double> numbers = std::exchange(state().numbers, {});
    state().last = std::chrono::steady_clock::now();
    state().on.store(go_on);
    return numbers;
  }

  // A round that the calling thread runs by itself.
  Trace(std::size_t pieces, double flops) : on_(state().on.load(std::memory_order_relaxed)) {
    if (!on_) return;
    piece_ended();
    state().numbers.insert(state().numbers.end(), {flops, static_cast<double>(pieces)});
  }
  void piece_ended() {
    if (!on_) return;
    const auto now = std::chrono::steady_clock::now();
    state().numbers.push_back(std::chrono::duration<double>(now - std::exchange(state().last, now)).count());
  }

 private:
  struct State {
    std::atomic<bool> on{false};
    std::vector<double> numbers;
    std::chrono::steady_clock::time_point last;
  };
  static State& state() {
    static State state;
    return state;
  }

  const bool on_;
};

}  // namespace dladmm
