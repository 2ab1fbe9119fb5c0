// Processes that train one network together: each has samples of its own, all have the same parameters.
#pragma once

#include <cstddef>
#include <optional>
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

  // Bytes from one rank to another, which calls receive() for as many.
  [[nodiscard]] virtual std::size_t rank() const = 0;
  [[nodiscard]] virtual std::size_t size() const = 0;
  virtual void send(std::span<const std::byte> bytes, std::size_t to) = 0;
  virtual void receive(std::span<std::byte> bytes, std::size_t from) = 0;
};

// The first rank on which something has failed; on all the same.
inline std::optional<std::size_t> first_to_fail(Ranks* ranks, bool here) {
  if (ranks == nullptr) return here ? std::optional<std::size_t>(0) : std::nullopt;
  double latest = here ? static_cast<double>(ranks->size() - ranks->rank()) : 0;
  ranks->largest(std::span(&latest, 1));
  if (latest == 0) return std::nullopt;
  return ranks->size() - static_cast<std::size_t>(latest);
}

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
