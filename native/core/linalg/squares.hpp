// Matrices laid out by columns, a square as wide as a vector at a time.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include "core/linalg/matrix.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {

// to, w.columns x panel, <- factor wᵀ and zeros, by squares as wide as a vector.
template <typename T, std::size_t kBytes>
struct Packer {
  typedef T Vector __attribute__((vector_size(kBytes)));
  using Number = std::conditional_t<sizeof(T) == 4, std::int32_t, std::int64_t>;
  typedef Number Index __attribute__((vector_size(kBytes)));
  static constexpr std::size_t kLanes = kBytes / sizeof(T);

  // Entries of a and b in turn, from kFirst on.
  template <std::size_t kFirst, std::size_t... kAt>
  [[gnu::always_inline]] static inline void in_turn(const Vector& a, const Vector& b, Vector& out,
                                                    std::index_sequence<kAt...>) {
#if defined(__clang__)
    out = __builtin_shufflevector(a, b, (kAt % 2 * kLanes + kFirst + kAt / 2)...);
#else
    out = __builtin_shuffle(a, b, Index{(kAt % 2 * kLanes + kFirst + kAt / 2)...});
#endif
  }

  // Every round of log2 kLanes shifts the bits of (row, column) by one: then the two have changed places.
  [[gnu::always_inline]] static inline void square(T factor, const T* from, std::size_t stride, T* to,
                                                   std::size_t to_stride) {
    constexpr auto all = std::make_index_sequence<kLanes>();
    Vector rows[kLanes];
    Vector next[kLanes];
    for (std::size_t i = 0; i < kLanes; ++i) {
      std::memcpy(&rows[i], from + i * stride, kBytes);
      rows[i] *= factor;
    }
#pragma GCC unroll 4
    for (std::size_t round = 1; round < kLanes; round *= 2) {
#pragma GCC unroll 8
      for (std::size_t i = 0; i < kLanes / 2; ++i) {
        in_turn<0>(rows[i], rows[i + kLanes / 2], next[2 * i], all);
        in_turn<kLanes / 2>(rows[i], rows[i + kLanes / 2], next[2 * i + 1], all);
      }
      for (std::size_t i = 0; i < kLanes; ++i) rows[i] = next[i];
    }
    for (std::size_t i = 0; i < kLanes; ++i) std::memcpy(to + i * to_stride, &rows[i], kBytes);
  }

  [[gnu::always_inline]] static inline void run(T factor, MatrixView<const T> w, std::size_t panel, T* to) {
    const std::size_t whole = w.columns - w.columns % kLanes;
    std::size_t j = 0;
    for (; j + kLanes <= w.rows; j += kLanes) {
      for (std::size_t k = 0; k < whole; k += kLanes) {
        square(factor, w.data + j * w.stride + k, w.stride, to + k * panel + j, panel);
      }
      for (std::size_t k = whole; k < w.columns; ++k) {
        for (std::size_t i = j; i < j + kLanes; ++i) to[k * panel + i] = factor * w.data[i * w.stride + k];
      }
    }
    for (std::size_t k = 0; k < w.columns; ++k) {
      for (std::size_t i = j; i < w.rows; ++i) to[k * panel + i] = factor * w.data[i * w.stride + k];
      std::fill(to + k * panel + w.rows, to + (k + 1) * panel, T(0));
    }
  }
};

template <typename T>
using Packers = simd::Choice<Packer<T, 64>, Packer<T, 32>, Packer<T, 16>>;

}  // namespace dladmm
