// What a network is: the vocabulary that every splitting shares.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
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
  // Of the layers but the input.
  [[nodiscard]] std::size_t widest() const { return *std::max_element(widths.begin() + 1, widths.end()); }
};

// W_l or b_l of a layer, where a splitting has no other blocks.
enum class ParameterBlock : std::uint8_t { W, b };
struct Parameter {
  ParameterBlock block;
  std::size_t layer;
};

}  // namespace dladmm
