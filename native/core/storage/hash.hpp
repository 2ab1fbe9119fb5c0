// A 64-bit checksum of a stream of bytes: XXH64 with seed 0 (Y. Collet, "xxHash fast digest algorithm", specification
// 0.1.1). Against damage, not against malice. Every step is a bijection of its eight bytes, so a damaged stretch that
// lies within eight aligned bytes never goes unnoticed within a lane.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace dladmm {

class Hash64 {
 public:
  void update(std::span<const std::byte> bytes);
  // Of everything so far; more may follow.
  [[nodiscard]] std::uint64_t digest() const;

 private:
  static constexpr std::size_t kStripe = 32;

  void take_stripe(const std::byte* stripe);

  std::array<std::uint64_t, 4> lanes_ = first_lanes();
  std::array<std::byte, kStripe> rest_{};
  std::size_t rest_size_ = 0;
  std::uint64_t total_ = 0;

  static std::array<std::uint64_t, 4> first_lanes();
};

[[nodiscard]] inline std::uint64_t hash64(std::span<const std::byte> bytes) {
  Hash64 hash;
  hash.update(bytes);
  return hash.digest();
}

}  // namespace dladmm
