// The order in which an epoch visits the samples.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include "core/linalg/section.hpp"

namespace dladmm {

// Chris Doty-Humphrey's sfc32, seeded by SplitMix32: the stream of src/random.ts, number for number.
class RandomStream {
 public:
  explicit RandomStream(std::uint32_t seed) {
    for (std::uint32_t& word : state_) word = spread(seed);
    for (int i = 0; i < 12; ++i) next();
  }

  // Uniform in [0, 1), of 53 bits.
  double uniform() {
    const double high = next() >> 5;
    const double low = next() >> 6;
    return (high * 67108864 + low) / 9007199254740992.0;
  }

  // Where the stream stands (section.hpp); every state is a legal one.
  [[nodiscard]] std::vector<Section> sections() {
    return {section("random", std::span<std::uint32_t>(state_)), section("random.counter", counter_)};
  }

 private:
  static std::uint32_t spread(std::uint32_t& seed) {
    seed += 0x9e3779b9U;
    std::uint32_t word = seed;
    word = (word ^ (word >> 16)) * 0x85ebca6bU;
    word = (word ^ (word >> 13)) * 0xc2b2ae35U;
    return word ^ (word >> 16);
  }
  std::uint32_t next() {
    auto& [a, b, c] = state_;
    const std::uint32_t sum = a + b + counter_++;
    a = b ^ (b >> 9);
    b = c + (c << 3);
    c = ((c << 21) | (c >> 11)) + sum;
    return sum;
  }

  std::array<std::uint32_t, 3> state_{};
  std::uint32_t counter_ = 1;
};

// Samples 0 … n − 1, as they lie until the first shuffle. Each shuffle permutes what the one before it left.
class SampleOrder {
 public:
  SampleOrder(std::size_t samples, std::uint32_t seed) : random_(seed), order_(samples) {
    std::iota(order_.begin(), order_.end(), 0U);
  }

  // Fisher and Yates, from the last to the second.
  void shuffle() {
    for (std::size_t i = order_.size(); i > 1; --i) {
      const auto j = static_cast<std::size_t>(random_.uniform() * static_cast<double>(i));
      std::swap(order_[i - 1], order_[j]);
    }
  }

  [[nodiscard]] std::span<const std::uint32_t> samples() const { return order_; }

  // The order, and what decides the next ones (section.hpp).
  [[nodiscard]] std::vector<Section> sections() {
    std::vector<Section> out = random_.sections();
    out.push_back(section("order", order_));
    return out;
  }
  // Throws std::domain_error where the numbers read are no order of the samples, which are then as they lie.
  void restored() {
    std::vector<bool> seen(order_.size());
    for (const std::uint32_t i : order_) {
      if (i < seen.size() && !seen[i]) {
        seen[i] = true;
        continue;
      }
      std::iota(order_.begin(), order_.end(), 0U);
      throw std::domain_error("\"order\" is not a permutation of the samples");
    }
  }

 private:
  RandomStream random_;
  std::vector<std::uint32_t> order_;
};

// The batches of one epoch after the other.
class Epochs {
 public:
  Epochs() = default;
  Epochs(std::size_t samples, std::size_t batch, bool shuffle, std::uint32_t seed)
      : batch_(batch), shuffle_(shuffle), seed_(seed), order_(samples, seed), count_(samples) {}

  // The last batch of an epoch has what is left.
  [[nodiscard]] std::size_t batches() const { return (count_ + batch_ - 1) / batch_; }
  // The next batches are of `count` samples from `first` on: a window, which is filled anew as batches go on. Behind
  // the last sample follows the first; no batch may go over that.
  void visit(std::size_t first, std::size_t count) {
    first_ = first;
    count_ = count;
    next_ = 0;
  }
  // The samples of the next batch; an epoch begins with a shuffle. end() when it has been seen.
  [[nodiscard]] std::span<const std::uint32_t> begin() {
    if (next_ == 0 && shuffle_) order_.shuffle();
    const std::size_t first = next_ * batch_;
    return order_.samples().subspan((first_ + first) % order_.samples().size(), std::min(batch_, count_ - first));
  }
  void end() { next_ = (next_ + 1) % batches(); }
  void reset() {
    order_ = SampleOrder(order_.samples().size(), seed_);
    next_ = 0;
  }

  // The place in the epoch, and the order (section.hpp). restored() throws std::domain_error where they are none.
  [[nodiscard]] std::vector<Section> sections() {
    std::vector<Section> out{section("batch", next_)};
    for (Section& it : order_.sections()) out.push_back(std::move(it));
    return out;
  }
  void restored() {
    const bool within = next_ < batches();
    if (!within) next_ = 0;
    order_.restored();
    if (!within) throw std::domain_error("\"batch\" lies past the end of the epoch");
  }

 private:
  std::size_t batch_ = 1;
  bool shuffle_ = false;
  std::uint32_t seed_ = 0;
  SampleOrder order_{0, 0};
  std::size_t first_ = 0;
  std::size_t count_ = 0;
  std::uint64_t next_ = 0;
};

}  // namespace dladmm
