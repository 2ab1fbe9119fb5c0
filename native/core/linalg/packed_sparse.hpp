// Products with a matrix that is mostly zeros and stays as it is, as the weights of a pruned network do.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/runtime/pieces.hpp"

namespace dladmm {

// W, outputs x inputs, without its zeros: eight outputs side by side, of each its weights in the order of the inputs.
// Outputs with as many weights stand together, so that few places are filled up. What is multiplied are 64 samples at
// a time, laid out so that one weight meets one vector of them; or one sample, eight outputs at a time.
//
// Every entry of a product is one sum in the order of the inputs, as PackedMatrix has it: what is left out would have
// added 0, so that both say the same to the last bit, and either may be taken for any samples.
template <typename T>
class PackedSparse {
 public:
  // What is asked for at once begins at a multiple of `window`, itself one of kGroup, or is all there is.
  static constexpr std::size_t kGroup = 8;
  // Whether it is ever faster than a dense product.
  [[nodiscard]] static bool pays(MatrixView<const T> W);

  PackedSparse() = default;
  PackedSparse(MatrixView<const T> W, std::size_t window);

  [[nodiscard]] bool empty() const { return indptr_.empty(); }
  [[nodiscard]] std::size_t bytes() const;
  // The weights that are not 0.
  [[nodiscard]] std::size_t entries() const { return entries_; }
  // What a product of so many samples takes of a dense one's time, by one thread each; and whether it is faster.
  [[nodiscard]] double cost(std::size_t samples) const;
  [[nodiscard]] bool pays(std::size_t samples) const;

  // out <- x Wᵀ for some outputs. x: samples x inputs, out: samples x at least so many outputs. Where a value of x is
  // infinite or none, 0 times that counts too: then nothing is done, and false is said.
  [[nodiscard]] bool multiply(MatrixView<const T> x, Rows outputs, MatrixView<T> out) const;

 private:
  std::size_t outputs_ = 0;
  std::size_t inputs_ = 0;
  std::size_t window_ = 0;
  std::size_t entries_ = 0;
  // Of group g: which outputs, how many weights each has, and where its weights begin; what is no output has none.
  std::vector<std::uint32_t> order_, lengths_;
  std::vector<std::size_t> indptr_;  // groups + 1, in steps of kGroup weights
  Buffer<T> values_;                 // steps x kGroup
  Buffer<std::uint32_t> indices_;
};

}  // namespace dladmm
