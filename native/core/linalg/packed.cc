#include "core/linalg/packed.hpp"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <limits>
#include <new>

#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

// `kPanel` outputs are two vectors of kBytes; the sums of kSamples samples times these stay in registers.
template <typename T, std::size_t kBytes, std::size_t kSamples>
struct Tile {
  typedef T Vector __attribute__((vector_size(kBytes)));
  static constexpr std::size_t kLanes = kBytes / sizeof(T);
  static constexpr std::size_t kPanel = 2 * kLanes;

  // kCount samples x kPanels panels. x: row i at x + i * stride; b: panels of `inputs` x kPanel.
  template <std::size_t kCount, std::size_t kPanels>
  [[gnu::always_inline]] static inline void sums(const T* x, std::size_t stride, std::size_t inputs, const T* b, T* out,
                                                 std::size_t out_stride) {
    Vector sum[kCount][kPanels][2];
    for (auto& sample : sum) {
      for (auto& panel : sample) panel[0] = panel[1] = Vector{};
    }
    for (std::size_t k = 0; k < inputs; ++k) {
#pragma GCC unroll 4
      for (std::size_t p = 0; p < kPanels; ++p) {
        const T* const weights = b + (p * inputs + k) * kPanel;
        Vector first;
        Vector second;
        std::memcpy(&first, weights, kBytes);
        std::memcpy(&second, weights + kLanes, kBytes);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < kCount; ++i) {
          const T value = x[i * stride + k];
          sum[i][p][0] += value * first;
          sum[i][p][1] += value * second;
        }
      }
    }
    for (std::size_t i = 0; i < kCount; ++i) {
      for (std::size_t p = 0; p < kPanels; ++p) {
        std::memcpy(out + i * out_stride + p * kPanel, &sum[i][p][0], kBytes);
        std::memcpy(out + i * out_stride + p * kPanel + kLanes, &sum[i][p][1], kBytes);
      }
    }
  }

  // As many samples at a time as are left of kCount.
  template <std::size_t kCount>
  [[gnu::always_inline]] static inline void samples(std::size_t& done, MatrixView<const T> x, const T* b,
                                                    MatrixView<T> out, std::size_t column) {
    for (; done + kCount <= x.rows; done += kCount) {
      sums<kCount, 1>(x.data + done * x.stride, x.stride, x.columns, b, out.data + done * out.stride + column,
                      out.stride);
    }
  }

  [[gnu::always_inline]] static inline void run(MatrixView<const T> x, const T* values, std::size_t panels,
                                                MatrixView<T> out) {
    const std::size_t step = x.columns * kPanel;
    if (x.rows == 1) {
      // One sample has too few sums in a panel to hide how long an addition takes.
      std::size_t p = 0;
      for (; p + 4 <= panels; p += 4) sums<1, 4>(x.data, 0, x.columns, values + p * step, out.data + p * kPanel, 0);
      for (; p < panels; ++p) sums<1, 1>(x.data, 0, x.columns, values + p * step, out.data + p * kPanel, 0);
      return;
    }
    for (std::size_t p = 0; p < panels; ++p) {
      std::size_t done = 0;
      samples<kSamples>(done, x, values + p * step, out, p * kPanel);
      if constexpr (kSamples > 8) samples<8>(done, x, values + p * step, out, p * kPanel);
      samples<4>(done, x, values + p * step, out, p * kPanel);
      samples<2>(done, x, values + p * step, out, p * kPanel);
      samples<1>(done, x, values + p * step, out, p * kPanel);
    }
  }
};

std::size_t entries(std::size_t rows, std::size_t columns) {
  if (columns != 0 && rows > std::numeric_limits<std::size_t>::max() / columns) throw std::bad_alloc();
  return rows * columns;
}

// 2 kSamples vectors hold the sums; two more the weights, and one the sample's value.
template <typename T>
using Tiles = simd::Choice<Tile<T, 64, 14>, Tile<T, 32, 6>, Tile<T, 16, 6>>;

}  // namespace

template <typename T>
PackedMatrix<T>::PackedMatrix(std::size_t outputs, std::size_t inputs)
    : outputs_(outputs),
      inputs_(inputs),
      panel_(Tiles<T>::pick(Tile<T, 64, 14>::kPanel, Tile<T, 32, 6>::kPanel, Tile<T, 16, 6>::kPanel)),
      panels_((outputs + panel_ - 1) / panel_),
      values_(entries(panels_ * panel_, inputs)) {
  std::fill(values_.span().begin(), values_.span().end(), T(0));
}

template <typename T>
void PackedMatrix<T>::assign(MatrixView<const T> W) {
  assert(W.rows == outputs_ && W.columns == inputs_);
  for (std::size_t j = 0; j < outputs_; ++j) {
    const T* const from = W.row(j);
    T* const to = values_.data() + (j / panel_) * inputs_ * panel_ + j % panel_;
    for (std::size_t k = 0; k < inputs_; ++k) to[k * panel_] = from[k];
  }
}

template <typename T>
void PackedMatrix<T>::multiply(MatrixView<const T> x, std::size_t first, std::size_t count, MatrixView<T> out) const {
  assert(x.columns == inputs_ && first + count <= panels_ && out.rows == x.rows && out.columns == count * panel_);
  Tiles<T>::run(x, static_cast<const T*>(values_.data() + first * panel_ * inputs_), count, out);
}

template class PackedMatrix<float>;
template class PackedMatrix<double>;

}  // namespace dladmm
