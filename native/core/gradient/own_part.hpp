// What of a batch lies on this rank: all ranks draw the same batches, those of one process, whatever their number.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/runtime/pieces.hpp"
#include "core/runtime/ranks.hpp"

namespace dladmm {

class OwnPart {
 public:
  OwnPart() = default;
  // `here` samples on this rank; a batch, of `batch` at most, is in so many nearly equal groups.
  OwnPart(const Share& share, std::size_t here, std::size_t batch, std::size_t groups)
      : share_(share), here_(here), groups_(groups) {
    if (share_.ranks == nullptr) return;
    own_.reserve(std::min(batch, here));
    places_.reserve(std::min(batch, here));
  }
  [[nodiscard]] static double required_bytes(const Share& share, std::size_t here, std::size_t batch,
                                             std::size_t groups) {
    const std::size_t own = share.ranks == nullptr ? 0 : std::min(batch, here);
    return static_cast<double>(2 * sizeof(std::uint32_t) * own + sizeof(Rows) * groups);
  }

  // The samples of a batch that are here, each by its number here, in the order of the batch.
  [[nodiscard]] std::span<const std::uint32_t> of(std::span<const std::uint32_t> batch) {
    const Pieces groups{batch.size(), groups_.size()};
    if (share_.ranks == nullptr) {
      for (std::size_t g = 0; g < groups.count; ++g) groups_[g] = groups[g];
      return batch;
    }
    own_.clear();
    places_.clear();
    for (std::size_t g = 0; g < groups.count; ++g) {
      const std::size_t first = own_.size();
      for (std::size_t i = groups[g].first; i < groups[g].first + groups[g].count; ++i) {
        if (batch[i] >= share_.first && batch[i] - share_.first < here_) {
          own_.push_back(static_cast<std::uint32_t>(batch[i] - share_.first));
          places_.push_back(static_cast<std::uint32_t>(i));
        }
      }
      groups_[g] = {first, own_.size() - first};
    }
    return own_;
  }
  // Where in the batch those are.
  [[nodiscard]] std::size_t place(std::size_t own) const { return share_.ranks == nullptr ? own : places_[own]; }
  // Which of those are of a group.
  [[nodiscard]] Rows operator[](std::size_t group) const { return groups_[group]; }

 private:
  Share share_;
  std::size_t here_ = 0;
  std::vector<Rows> groups_;
  std::vector<std::uint32_t> own_, places_;
};

}  // namespace dladmm
