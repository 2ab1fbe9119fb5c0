// How work is cut: by sizes alone, never by the number of threads, so that the same numbers are added in the same order
// whoever does it.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>

namespace dladmm {

// Rows (samples, or rows of a matrix) first … first + count − 1.
struct Rows {
  std::size_t first;
  std::size_t count;
};

// `total` rows in `count` pieces that differ by one at most.
struct Pieces {
  std::size_t total = 0;
  std::size_t count = 0;

  [[nodiscard]] Rows operator[](std::size_t piece) const {
    const std::size_t whole = total / count;
    const std::size_t rest = total % count;
    return {whole * piece + std::min(piece, rest), whole + (piece < rest ? 1 : 0)};
  }
  // The piece that a row is in.
  [[nodiscard]] Rows around(std::size_t row) const {
    const std::size_t whole = total / count;
    const std::size_t longer = total % count * (whole + 1);
    return (*this)[row < longer ? row / (whole + 1) : total % count + (row - longer) / whole];
  }
  // The most rows of a piece.
  [[nodiscard]] std::size_t largest() const { return count == 0 ? 0 : (total + count - 1) / count; }
};

// The fewest pieces of at most `largest` rows each.
[[nodiscard]] inline Pieces pieces_of(std::size_t total, std::size_t largest) {
  return {total, (total + largest - 1) / largest};
}

constexpr std::size_t kMostPieces = 64;

// As many pieces as so many threads have use for, but none smaller than `smallest` rows unless it is the only one.
[[nodiscard]] inline Pieces pieces_for_many(std::size_t total, std::size_t smallest) {
  return {total, total == 0 ? 0 : std::clamp<std::size_t>(total / smallest, 1, kMostPieces)};
}

// Samples in pieces whose products run at full speed and whose rows stay near the cores; and the pieces in segments,
// each of which adds a matrix up in memory of its own. A segment has so many samples that to add it to the others is a
// fraction of its products: there are few of them, and where the samples are few there is one, and the outputs are to
// be cut instead.
struct SampleCut {
  Pieces pieces;
  Pieces segments;  // of the pieces

  SampleCut() = default;
  explicit SampleCut(std::size_t samples)
      : pieces(pieces_of(samples, std::clamp<std::size_t>((samples + 127) / 128, 256, 1024))),
        segments{pieces.count, std::clamp<std::size_t>(samples / 512, std::min<std::size_t>(pieces.count, 1), 32)} {}
};

// Adds up leaf(0) … leaf(count − 1) over a tree that depends on `count` alone. Sum offers leaf(i) and add(sum, other).
template <typename Value, typename Leaf, typename Add>
void add_pairwise(std::size_t first, std::size_t count, Value& sum, const Leaf& leaf, const Add& add) {
  if (count == 1) return leaf(first, sum);
  const std::size_t half = std::bit_floor(count - 1);
  add_pairwise(first, half, sum, leaf, add);
  Value other;
  add_pairwise(first + half, count - half, other, leaf, add);
  add(sum, other);
}

// The same of numbers; 0 of none.
template <typename Leaf>
[[nodiscard]] double sum_pairwise(std::size_t count, const Leaf& leaf) {
  double sum = 0;
  if (count == 0) return sum;
  add_pairwise(
      0, count, sum, [&](std::size_t i, double& out) { out = leaf(i); }, [](double& to, double more) { to += more; });
  return sum;
}

}  // namespace dladmm
