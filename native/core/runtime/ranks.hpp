// Processes that train one network together: each has samples of its own, all have the same parameters.
#pragma once

#include <cstddef>
#include <span>

namespace dladmm {

// What these add up. All ranks make the same calls in the same order, and get the same numbers, bit for bit.
class Ranks {
 public:
  virtual ~Ranks() = default;

  // Entry by entry, over all ranks.
  virtual void sum(std::span<float> values) = 0;
  virtual void sum(std::span<double> values) = 0;
  virtual void largest(std::span<double> values) = 0;
};

// Which of all samples this process has.
struct Share {
  Ranks* ranks = nullptr;   // none: all of them
  std::size_t first = 0;    // its first sample among all
  std::size_t samples = 0;  // of all ranks together

  // Of all ranks, where so many are here.
  [[nodiscard]] std::size_t all(std::size_t here) const { return ranks == nullptr ? here : samples; }
  // values <- their sums over all ranks
  template <typename T>
  void sum(std::span<T> values) const {
    if (ranks != nullptr) ranks->sum(values);
  }
};

}  // namespace dladmm
