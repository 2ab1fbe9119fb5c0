// Left until serving runs its rounds on a Team: what it asks of helpers, done by the process's one pool.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/runtime/team.hpp"

namespace dladmm {

class Helpers {
 public:
  explicit Helpers(unsigned size) : team_(size) {}

  [[nodiscard]] unsigned size() const { return team_.size(); }

  using Sleepers = dladmm::Sleepers;

  template <typename Work>
  void run(std::size_t pieces, Sleepers sleepers, Work&& work) {
    team_.run(
        pieces, 1e12, [&](std::size_t piece, unsigned member) { work(member, piece); }, sleepers);
  }

  static constexpr std::size_t kMaxPieces = SIZE_MAX;

 private:
  Team team_;
};

}  // namespace dladmm
