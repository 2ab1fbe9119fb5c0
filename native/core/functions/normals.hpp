// Normal numbers that depend on nothing but a seed and a position, so that a matrix may be filled by any number of
// threads.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <utility>

namespace dladmm {

// Steele, Lea and Flood's SplitMix64: number i of the stream that begins at a state is at(state + i · kGolden).
class SplitMix64 {
 public:
  static constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15U;
  [[nodiscard, gnu::always_inline]] static constexpr std::uint64_t at(std::uint64_t state) {
    std::uint64_t x = state + kGolden;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
  }

  explicit SplitMix64(std::uint64_t state) : state_(state) {}

  std::uint64_t next() { return at(std::exchange(state_, state_ + kGolden)); }
  // Uniform in (0, 1].
  double uniform() { return (static_cast<double>(next() >> 11) + 1) * 0x1p-53; }

 private:
  std::uint64_t state_;
};

// out <- independent N(0, 1), the same for the same (seed, stream, row); by the Box-Muller transform.
template <typename T>
void fill_normals(std::uint64_t seed, std::uint64_t stream, std::uint64_t row, std::span<T> out) {
  SplitMix64 mix(seed);
  mix = SplitMix64(mix.next() ^ (stream * 0xd1342543de82ef95U));
  SplitMix64 random(mix.next() ^ (row * 0xaf251af3b0f025b5U));
  for (std::size_t i = 0; i < out.size(); i += 2) {
    const double radius = std::sqrt(-2 * std::log(random.uniform()));
    const double angle = 2 * std::numbers::pi * random.uniform();
    out[i] = static_cast<T>(radius * std::cos(angle));
    if (i + 1 < out.size()) out[i + 1] = static_cast<T>(radius * std::sin(angle));
  }
}

}  // namespace dladmm
