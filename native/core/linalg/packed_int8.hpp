// Products of whole numbers of a few bits, with a matrix that stays as it is: weights of −127 … 127, values of 0 … 127.
// Two such products add up within 16 bits (2 · 127² < 2^15), which is all that AVX2 has for them, so that every
// processor finds the same sums, in whole numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"

namespace dladmm {

// The grid that values are rounded to: scale (c − zero), c = 0 … 127.
struct ValueGrid {
  static constexpr std::int32_t kMost = 127;

  float scale = 1;
  std::int32_t zero = 0;

  // The nearest code of x; that of NaN is 0. No sum in it is of a product: that would be rounded once where it is
  // fused.
  template <typename T>
  [[nodiscard, gnu::always_inline]] std::uint8_t code_of(T x, T inverse) const {
    const T least = static_cast<T>(-zero);
    const T most = static_cast<T>(kMost - zero);
    const T scaled = x * inverse;
    const T above = scaled > least ? scaled : least;
    const T within = above < most ? above : most;
    return static_cast<std::uint8_t>(static_cast<std::int32_t>(within + (static_cast<T>(zero) + T(0.5))));
  }
  template <typename T>
  [[nodiscard]] T inverse() const {
    return T(1) / static_cast<T>(scale);
  }
};

// codes <- the nearest of x, as wide
template <typename T>
void round_to(const ValueGrid& grid, MatrixView<const T> x, MatrixView<std::uint8_t> codes);

// One way to add products up, for processors that have what it is called. sum(r, x, stride, groups, w, panels, out): of
// r = 1, 2, 4, … rows and one panel, of one row and four panels, or of `rows` rows and `panels` panels: out, r x panels
// · 16,
// <- Σ x w over 4 · groups inputs. `rows` is the largest r that is fast.
struct Int8Sums {
  const char* name;
  std::size_t rows;
  std::size_t panels;
  void (*sum)(std::size_t rows, const std::uint8_t* x, std::size_t stride, std::size_t groups, const std::int8_t* w,
              std::size_t panels, std::int32_t* out);
};

// W, outputs x inputs, in panels of 16 outputs: of a panel, the weights of inputs 0 … 3 for each of its outputs, then
// those of inputs 4 … 7, … Both are filled up with zeros.
class PackedInt8 {
 public:
  static constexpr std::size_t kPanel = 16;
  // Inputs at most: 127² times as many are below 2^31.
  static constexpr std::size_t kMostInputs = std::size_t{1} << 17;

  PackedInt8() = default;
  PackedInt8(std::size_t outputs, std::size_t inputs);  // zero

  // w: outputs x inputs, −127 … 127; scales: one an output. x is the grid of what comes in.
  void assign(MatrixView<const std::int8_t> w, std::span<const float> scales, const ValueGrid& x);

  [[nodiscard]] const ValueGrid& grid() const { return grid_; }
  [[nodiscard]] std::size_t outputs() const { return factors_.size(); }
  [[nodiscard]] std::size_t inputs() const { return inputs_; }
  // How many codes a row has at least; what is beyond the inputs is of no account.
  [[nodiscard]] std::size_t padded_inputs() const { return 4 * groups_; }
  [[nodiscard]] std::size_t padded_outputs() const { return panels() * kPanel; }
  [[nodiscard]] std::size_t panels() const { return (outputs() + kPanel - 1) / kPanel; }
  [[nodiscard]] static constexpr std::size_t panel() { return kPanel; }
  [[nodiscard]] std::size_t bytes() const { return values_.size() + 8 * outputs(); }

  // out <- scale_x scale_j Σ (codes − zero) w for `count` panels from the first on. codes: samples x padded inputs,
  // out: samples x count · panel. The sums are exact, so that neither other samples nor the processor change a bit.
  template <typename T>
  void multiply(MatrixView<const std::uint8_t> codes, std::size_t first, std::size_t count, MatrixView<T> out,
                const Int8Sums& sums = fastest()) const;
  // The same of sparse samples, rounded on the way; out: samples x padded outputs.
  template <typename T>
  void multiply(const CsrView<T>& x, MatrixView<T> out) const;

  // All that this processor has; the first is plain.
  [[nodiscard]] static std::span<const Int8Sums> all();
  [[nodiscard]] static const Int8Sums& fastest() { return all().back(); }

 private:
  std::size_t inputs_ = 0;
  std::size_t groups_ = 0;
  ValueGrid grid_;
  std::vector<float> factors_;       // scale_x scale_j
  std::vector<std::int32_t> zeros_;  // zero Σ_k w_jk
  Buffer<std::int8_t> values_;       // panels x groups x panel x 4
};

}  // namespace dladmm
