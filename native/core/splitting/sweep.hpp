// What every run has in common, of updates or of steps on batches: it stops between two of them when asked to, takes
// back the parameters where a value is not finite, and says how long it took.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#include "core/functions/proximal.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm {

class Clock {
 public:
  // Since the clock was made, or since the last lap().
  [[nodiscard]] double seconds() const { return since(now()); }
  double lap() {
    const auto at = now();
    const double seconds = since(at);
    began_ = at;
    return seconds;
  }

 private:
  using Time = std::chrono::steady_clock::time_point;
  static Time now() { return std::chrono::steady_clock::now(); }
  [[nodiscard]] double since(Time at) const { return std::chrono::duration<double>(at - began_).count(); }

  Time began_ = now();
};

// The parameters as they were when all was finite. `room` is as large as what is watched.
template <typename T>
class FiniteCopy {
 public:
  Buffer<T> room;

  void watch(std::span<T> values) { watched_.push_back(values); }
  void keep() {
    T* to = room.data();
    for (const std::span<T> values : watched_) to = std::copy(values.begin(), values.end(), to);
  }
  void restore() const {
    const T* from = room.data();
    for (const std::span<T> values : watched_) {
      std::copy_n(from, values.size(), values.begin());
      from += values.size();
    }
  }

 private:
  std::vector<std::span<T>> watched_;
};

// What an entry of an update's record holds that does not apply to it.
inline constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
inline constexpr int kNoCount = -1;

// What a sweep did.
template <typename Update, typename Measures>
struct SweepRecordOf {
  std::vector<Update> updates;
  std::size_t completed = 0;  // how many updates ran
  bool stopped = false;       // the stop request came between two updates
  bool diverged = false;  // the update after `completed`, or one before it unnoticed, met a value that is not finite
  Measures measures;
  double seconds = 0;
};

// A sweep of `count` updates. update(i) runs the i-th and, where others ride on its pass, moves i to the
// last that ran; false where that met a value that is not finite. measure() finds record.measures and says whether they
// are finite: every variable is in them, so they notice what no update looked at. Returns whether all stayed finite;
// where not, the caller puts its parameters back.
template <typename Record, typename Update, typename Measure>
[[nodiscard]] bool run_sweep(Record& record, std::size_t count, const std::atomic<bool>& stop, Update&& update,
                             Measure&& measure) {
  const Clock whole;
  Clock lap;
  record.updates.assign(count, {});
  record.completed = 0;
  record.stopped = false;
  record.diverged = false;
  for (std::size_t i = 0; i < record.updates.size(); ++i) {
    record.stopped = stop.load(std::memory_order_relaxed);
    if (record.stopped) break;
    record.diverged = !update(i);
    if (!record.diverged) record.updates[i].seconds = lap.lap();
    record.completed = i + (record.diverged ? 0 : 1);
    if (record.diverged) break;
  }
  // It may have cut the last update short.
  record.stopped = record.stopped || stop.load(std::memory_order_relaxed);
  if (!record.diverged && !measure()) {
    record.diverged = true;
    record.completed -= std::min<std::size_t>(record.completed, 1);
  }
  record.seconds = whole.seconds();
  return !record.diverged;
}

// What a run of steps on batches did.
struct StepsRecord {
  std::size_t steps = 0;    // that ran to their end
  std::size_t samples = 0;  // that they saw
  double loss = 0;          // R summed over those, each at the parameters its step began with
  bool stopped = false;     // the stop request came between two steps
  bool diverged = false;    // the step after these met a value that is not finite
  double seconds = 0;
  WeightMeasures weights;  // as the last step left them, where there are regularisers
};

// `count` steps. step(i, loss) takes the i-th, adds R of its batch to `loss` and returns how many samples it saw, 0
// where it met a value that is not finite. Returns whether all stayed finite.
template <typename Step>
[[nodiscard]] bool run_steps(std::size_t count, const std::atomic<bool>& stop, StepsRecord& record, Step&& step) {
  const Clock clock;
  record = {};
  for (std::size_t i = 0; i < count; ++i) {
    record.stopped = stop.load(std::memory_order_relaxed);
    if (record.stopped) break;
    double loss = 0;
    const std::size_t seen = step(i, loss);
    record.diverged = seen == 0;
    if (record.diverged) break;
    record.loss += loss;
    record.samples += seen;
    ++record.steps;
  }
  record.seconds = clock.seconds();
  return !record.diverged;
}

// The i-th of the step sizes of a run: none is 0, one is for all.
[[nodiscard]] inline double step_size(std::span<const double> sizes, std::size_t i) {
  return sizes.empty() ? 0 : sizes[sizes.size() == 1 ? 0 : i];
}

}  // namespace dladmm
