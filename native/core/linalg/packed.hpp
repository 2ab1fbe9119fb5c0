// Products with a matrix that stays as it is, as the weights of a trained network do: laid out once in the order in
// which a product reads them. A product with one sample then runs at the speed at which memory is read, one with many
// at the speed of the multiplier; OpenBLAS lays them out anew in every call.
#pragma once

#include <cstddef>

#include "core/linalg/matrix.hpp"

namespace dladmm {

// W, outputs x inputs, in panels of as many outputs as the processor multiplies at once: of a panel, the weights of
// input 0 for each of its outputs, then those of input 1, … The last panel is filled up with zeros.
template <typename T>
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(std::size_t outputs, std::size_t inputs);  // zero

  void assign(MatrixView<const T> W);  // outputs x inputs

  [[nodiscard]] std::size_t outputs() const { return outputs_; }
  [[nodiscard]] std::size_t inputs() const { return inputs_; }
  // The outputs with those of the zeros.
  [[nodiscard]] std::size_t padded_outputs() const { return panels_ * panel_; }

  [[nodiscard]] std::size_t panels() const { return panels_; }
  [[nodiscard]] std::size_t panel() const { return panel_; }

  // out <- x Wᵀ. x: samples x inputs, out: samples x padded outputs. Every entry is one sum in the order of the inputs:
  // it has the same bits whatever the other samples are, and however many.
  void multiply(MatrixView<const T> x, MatrixView<T> out) const { multiply(x, 0, panels_, out); }
  // The same for `count` panels from the first on; out: samples x count · panel.
  void multiply(MatrixView<const T> x, std::size_t first, std::size_t count, MatrixView<T> out) const;

 private:
  std::size_t outputs_ = 0;
  std::size_t inputs_ = 0;
  std::size_t panel_ = 0;
  std::size_t panels_ = 0;
  Buffer<T> values_;  // panels x inputs x panel
};

}  // namespace dladmm
