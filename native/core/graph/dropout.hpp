// Dropout, inverted: an entry stays with probability 1 − p and is then divided by it, so that its expectation is its
// value. Whether it stays depends on the seed, the step, the layer and the place of the entry and on nothing else:
// forward and backward ask again instead of remembering, and any number of threads gets the same answer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "core/functions/normals.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {

// One draw for each entry of what goes into layer `layer` in step `step`: number i of a SplitMix64 stream of its own.
class Dropout {
 public:
  Dropout(double probability, std::uint32_t seed, std::uint64_t step, std::size_t layer)
      : start_(SplitMix64::at(SplitMix64::at(SplitMix64::at(seed) + step) + layer)),
        limit_(static_cast<std::uint64_t>(probability * 0x1p32)),
        scale_(1 / (1 - probability)) {}

  // 1/(1 − p) where entry i stays, 0 where it goes.
  template <typename T>
  [[nodiscard, gnu::always_inline]] T factor(std::size_t i) const {
    return (SplitMix64::at(start_ + i * SplitMix64::kGolden) >> 32) < limit_ ? T(0) : static_cast<T>(scale_);
  }

  // out <- D(x), entry by entry from number `first` on
  template <typename T>
  void apply(std::span<const T> x, std::span<T> out, std::size_t first) const {
    simd::run<Apply<T>>(x.data(), x.size(), out.data(), *this, first);
  }

 private:
  template <typename T>
  struct Apply {
    [[gnu::always_inline]] static inline void run(const T* x, std::size_t count, T* out, Dropout dropout,
                                                  std::size_t first) {
#pragma omp simd
      for (std::size_t k = 0; k < count; ++k) out[k] = dropout.factor<T>(first + k) * x[k];
    }
  };

  std::uint64_t start_;
  std::uint64_t limit_;
  double scale_;
};

}  // namespace dladmm
