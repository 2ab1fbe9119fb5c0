// What a network is: the vocabulary that every splitting shares.
#pragma once

#include <cstddef>
#include <vector>

#include "core/functions/activation.hpp"
#include "core/functions/loss.hpp"

namespace dladmm {

// Widths n_0 … n_L; f_l is the same for every hidden layer, the last layer is linear.
struct Network {
  std::vector<std::size_t> widths;
  Activation activation;
  Loss loss;

  [[nodiscard]] std::size_t layers() const { return widths.size() - 1; }
  [[nodiscard]] std::size_t inputs(std::size_t l) const { return widths[l - 1]; }
  [[nodiscard]] std::size_t outputs(std::size_t l) const { return widths[l]; }
};

}  // namespace dladmm
