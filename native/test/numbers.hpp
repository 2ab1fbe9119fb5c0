// Numbers for tests: repeatable random ones, and matrices filled with them.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <numbers>
#include <vector>

#include "core/linalg/matrix.hpp"

namespace dladmm::test {

// SplitMix64: the same numbers everywhere, which <random>'s distributions do not promise.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}

  std::uint64_t bits() {
    state_ += 0x9e3779b97f4a7c15ULL;
    std::uint64_t x = state_;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
    return x ^ (x >> 31);
  }
  // From 0 to below 1.
  double uniform() { return static_cast<double>(bits() >> 11) * 0x1p-53; }
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal() { return std::sqrt(-2 * std::log(1 - uniform())) * std::cos(2 * std::numbers::pi * uniform()); }
  std::size_t below(std::size_t n) { return static_cast<std::size_t>(bits() % n); }

 private:
  std::uint64_t state_;
};

template <typename T>
void fill_normal(MatrixView<T> m, Random& random, double scale = 1) {
  for (std::size_t i = 0; i < m.rows; ++i) {
    for (std::size_t j = 0; j < m.columns; ++j) m.row(i)[j] = static_cast<T>(scale * random.normal());
  }
}

template <typename T>
std::vector<T> normals(std::size_t count, Random& random, double scale = 1) {
  std::vector<T> out(count);
  for (T& value : out) value = static_cast<T>(scale * random.normal());
  return out;
}

// A matrix with `gap` unused numbers after each row, all of them NaN: whoever reads one is found out, and `gap_intact`
// tells who writes one.
template <typename T>
class Strided {
 public:
  Strided(std::size_t rows, std::size_t columns, std::size_t gap)
      : values_(rows * (columns + gap), std::numeric_limits<T>::quiet_NaN()),
        rows_(rows),
        columns_(columns),
        gap_(gap) {}

  [[nodiscard]] MatrixView<T> view() { return {values_.data(), rows_, columns_, columns_ + gap_}; }
  [[nodiscard]] bool gap_intact() const {
    for (std::size_t i = 0; i < rows_; ++i) {
      for (std::size_t j = columns_; j < columns_ + gap_; ++j) {
        if (!std::isnan(values_[i * (columns_ + gap_) + j])) return false;
      }
    }
    return true;
  }

 private:
  std::vector<T> values_;
  std::size_t rows_, columns_, gap_;
};

}  // namespace dladmm::test
