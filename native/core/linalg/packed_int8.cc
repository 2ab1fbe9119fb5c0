#include "core/linalg/packed_int8.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>

#include "core/linalg/entrywise.hpp"
#include "core/linalg/simd.hpp"

#if defined(__x86_64__) && defined(__GNUC__)
#define DLADMM_HAS_INT8
#include <immintrin.h>
#endif

namespace dladmm {
namespace {

constexpr std::size_t kPanel = PackedInt8::kPanel;
constexpr std::size_t kGroup = 4;  // inputs whose products are added up at once
constexpr std::size_t kMostRows = 8;
constexpr std::size_t kPanels = 4;  // of one row
constexpr std::size_t kMostSums = kMostRows * 2 * kPanel;

void plain_sum(std::size_t rows, const std::uint8_t* x, std::size_t stride, std::size_t groups, const std::int8_t* w,
               std::size_t panels, std::int32_t* out) {
  for (std::size_t i = 0; i < rows * panels; ++i) {
    const std::uint8_t* const row = x + i / panels * stride;
    const std::int8_t* at = w + i % panels * groups * kPanel * kGroup;
    std::int32_t sum[kPanel] = {};
    for (std::size_t k = 0; k < groups * kGroup; k += kGroup, at += kPanel * kGroup) {
      for (std::size_t j = 0; j < kPanel; ++j) {
        for (std::size_t r = 0; r < kGroup; ++r) sum[j] += row[k + r] * at[kGroup * j + r];
      }
    }
    std::memcpy(out + i * kPanel, sum, sizeof(sum));
  }
}

#if defined(DLADMM_HAS_INT8)

// Sums in vectors of four products each. A macro, as the instruction set of a function cannot be a parameter of it:
// SET(int) fills a vector with it, DOT(sum, x, w) adds the products of four values and four weights to every sum.
#define DLADMM_INT8_SUMS(NAME, TARGET, VECTOR, SET, DOT)                                                      \
  struct NAME {                                                                                               \
    static constexpr std::size_t kVectors = kPanel * kGroup / sizeof(VECTOR);                                 \
    template <std::size_t kRows, std::size_t kOf>                                                             \
    [[gnu::noinline, gnu::target(TARGET)]] static void of(const std::uint8_t* x, std::size_t stride,          \
                                                          std::size_t groups, const std::int8_t* w,           \
                                                          std::int32_t* out) {                                \
      constexpr std::size_t count = kRows * kOf * kVectors;                                                   \
      VECTOR sum[count];                                                                                      \
      _Pragma("GCC unroll 16") for (std::size_t i = 0; i < count; ++i) sum[i] = SET(0);                       \
      for (std::size_t k = 0; k < groups; ++k) {                                                              \
        _Pragma("GCC unroll 4") for (std::size_t p = 0; p < kOf; ++p) {                                       \
          VECTOR weights[kVectors];                                                                           \
          _Pragma("GCC unroll 2") for (std::size_t v = 0; v < kVectors; ++v) {                                \
            std::memcpy(&weights[v], w + ((p * groups + k) * kVectors + v) * sizeof(VECTOR), sizeof(VECTOR)); \
          }                                                                                                   \
          _Pragma("GCC unroll 8") for (std::size_t i = 0; i < kRows; ++i) {                                   \
            std::int32_t four;                                                                                \
            std::memcpy(&four, x + i * stride + k * kGroup, sizeof(four));                                    \
            const VECTOR values = SET(four);                                                                  \
            _Pragma("GCC unroll 2") for (std::size_t v = 0; v < kVectors; ++v) {                              \
              VECTOR& to = sum[(i * kOf + p) * kVectors + v];                                                 \
              to = DOT(to, values, weights[v]);                                                               \
            }                                                                                                 \
          }                                                                                                   \
        }                                                                                                     \
      }                                                                                                       \
      _Pragma("GCC unroll 16") for (std::size_t i = 0; i < count; ++i) {                                      \
        std::memcpy(out + i * sizeof(VECTOR) / 4, &sum[i], sizeof(VECTOR));                                   \
      }                                                                                                       \
    }                                                                                                         \
    static void run(std::size_t rows, const std::uint8_t* x, std::size_t stride, std::size_t groups,          \
                    const std::int8_t* w, std::size_t panels, std::int32_t* out) {                            \
      if (panels == kPanels) return of<1, kPanels>(x, stride, groups, w, out);                                \
      if (panels == 2) return of<8, 2>(x, stride, groups, w, out);                                            \
      if (rows == 8) return of<8, 1>(x, stride, groups, w, out);                                              \
      if (rows == 4) return of<4, 1>(x, stride, groups, w, out);                                              \
      if (rows == 2) return of<2, 1>(x, stride, groups, w, out);                                              \
      of<1, 1>(x, stride, groups, w, out);                                                                    \
    }                                                                                                         \
  };

#define DLADMM_DOT_256(SUM, X, W) \
  _mm256_add_epi32(SUM, _mm256_madd_epi16(_mm256_maddubs_epi16(X, W), _mm256_set1_epi16(1)))
#define DLADMM_DOT_512(SUM, X, W) \
  _mm512_add_epi32(SUM, _mm512_madd_epi16(_mm512_maddubs_epi16(X, W), _mm512_set1_epi16(1)))
DLADMM_INT8_SUMS(Avx2, "avx2", __m256i, _mm256_set1_epi32, DLADMM_DOT_256)
DLADMM_INT8_SUMS(Avx512, "avx512f,avx512bw", __m512i, _mm512_set1_epi32, DLADMM_DOT_512)
DLADMM_INT8_SUMS(Vnni, "avx512f,avx512bw,avx512vnni", __m512i, _mm512_set1_epi32, _mm512_dpbusd_epi32)
#undef DLADMM_DOT_512
#undef DLADMM_DOT_256
#undef DLADMM_INT8_SUMS

#endif

// What sums stand for: factor (sum − zero Σ w), for one row of a panel.
template <typename T>
struct Value {
  [[gnu::always_inline]] static inline void run(const std::int32_t* sum, const std::int32_t* zeros,
                                                const float* factors, T* out, std::size_t count) {
#pragma omp simd
    for (std::size_t j = 0; j < count; ++j) out[j] = static_cast<T>(sum[j] - zeros[j]) * static_cast<T>(factors[j]);
  }
};

// Codes of a row, whose length is known when it is compiled for a processor.
template <typename T>
struct Round {
  [[gnu::always_inline]] static inline void run(ValueGrid grid, const T* x, std::uint8_t* codes, std::size_t count) {
    const T inverse = grid.inverse<T>();
#pragma omp simd
    for (std::size_t k = 0; k < count; ++k) codes[k] = grid.code_of(x[k], inverse);
  }
};

}  // namespace

template <typename T>
void round_to(const ValueGrid& grid, MatrixView<const T> x, MatrixView<std::uint8_t> codes) {
  assert(codes.rows == x.rows && codes.columns == x.columns);
  for (std::size_t i = 0; i < x.rows; ++i) simd::run<Round<T>>(grid, x.row(i), codes.row(i), x.columns);
}

std::span<const Int8Sums> PackedInt8::all() {
  static const std::vector<Int8Sums> found = [] {
    std::vector<Int8Sums> ways{{"plain", 4, 1, plain_sum}};
#if defined(DLADMM_HAS_INT8)
    if (simd::level != simd::Level::baseline) ways.push_back({"avx2", 4, 1, Avx2::run});
    if (simd::level == simd::Level::avx512) {
      ways.push_back({"avx512", 8, 2, Avx512::run});
      if (__builtin_cpu_supports("avx512vnni")) ways.push_back({"vnni", 8, 2, Vnni::run});
    }
#endif
    return ways;
  }();
  return found;
}

PackedInt8::PackedInt8(std::size_t outputs, std::size_t inputs)
    : inputs_(inputs), groups_((inputs + kGroup - 1) / kGroup), factors_(outputs), zeros_(outputs) {
  // Buffers do not look whether a size overflows: one of int8 is smaller than that of the same weights in float.
  values_ = Buffer<std::int8_t>(padded_outputs() * groups_ * kGroup);
  std::fill(values_.span().begin(), values_.span().end(), std::int8_t{0});
}

void PackedInt8::assign(MatrixView<const std::int8_t> w, std::span<const float> scales, const ValueGrid& x) {
  assert(w.rows == outputs() && w.columns == inputs_ && scales.size() == outputs() && inputs_ <= kMostInputs);
  grid_ = x;
  for (std::size_t j = 0; j < w.rows; ++j) {
    factors_[j] = x.scale * scales[j];
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < inputs_; ++k) {
      sum += w.row(j)[k];
      const std::size_t group = j / kPanel * groups_ + k / kGroup;
      values_.data()[(group * kPanel + j % kPanel) * kGroup + k % kGroup] = w.row(j)[k];
    }
    zeros_[j] = x.zero * sum;
  }
}

template <typename T>
void PackedInt8::multiply(MatrixView<const std::uint8_t> codes, std::size_t first, std::size_t count, MatrixView<T> out,
                          const Int8Sums& sums) const {
  assert(codes.columns == padded_inputs() && out.rows == codes.rows && out.columns == count * kPanel);
  assert(first + count <= panels());
  const std::size_t step = groups_ * kGroup * kPanel;
  alignas(64) std::int32_t found[kMostSums];
  // `rows` x `wide` panels of `found`, from row i and panel p on.
  const auto finish = [&](std::size_t i, std::size_t rows, std::size_t p, std::size_t wide) {
    const std::size_t column = (first + p) * kPanel;
    const std::size_t columns = std::min(wide * kPanel, outputs() - column);
    for (std::size_t r = 0; r < rows; ++r) {
      simd::run<Value<T>>(found + r * wide * kPanel, zeros_.data() + column, factors_.data() + column,
                          out.row(i + r) + p * kPanel, columns);
    }
  };
  for (std::size_t p = 0, wide = 1; p < count; p += wide) {
    const std::int8_t* const weights = values_.data() + (first + p) * step;
    const std::size_t left = count - p;
    // One sample has too few sums in a panel to hide how long an addition takes.
    wide = codes.rows == 1 && left >= kPanels ? kPanels : codes.rows >= sums.rows ? std::min(sums.panels, left) : 1;
    for (std::size_t i = 0, rows = 0; i < codes.rows; i += rows) {
      rows = std::bit_floor(std::min(sums.rows, codes.rows - i));
      if (rows == sums.rows || wide == 1 || codes.rows == 1) {
        sums.sum(rows, codes.row(i), codes.stride, groups_, weights, wide, found);
        finish(i, rows, p, wide);
      } else {
        for (std::size_t q = 0; q < wide; ++q) {
          sums.sum(rows, codes.row(i), codes.stride, groups_, weights + q * step, 1, found);
          finish(i, rows, p + q, 1);
        }
      }
    }
  }
}

template <typename T>
void PackedInt8::multiply(const CsrView<T>& x, MatrixView<T> out) const {
  assert(x.columns == inputs_ && out.rows == x.rows && out.columns == padded_outputs());
  const T inverse = grid_.inverse<T>();
  for (std::size_t p = 0; p < panels(); ++p) {
    const std::size_t columns = std::min(kPanel, outputs() - p * kPanel);
    for (std::size_t i = 0; i < x.rows; ++i) {
      std::int32_t sum[kPanel] = {};
      for (std::size_t e = x.begin(i); e < x.end(i); ++e) {
        const auto k = static_cast<std::size_t>(x.indices[e]);
        const std::int32_t value = grid_.code_of(x.values[e], inverse) - grid_.zero;
        const std::int8_t* const w = values_.data() + ((p * groups_ + k / kGroup) * kPanel) * kGroup + k % kGroup;
        for (std::size_t j = 0; j < kPanel; ++j) sum[j] += value * w[kGroup * j];
      }
      T* const to = out.row(i) + p * kPanel;
      for (std::size_t j = 0; j < columns; ++j)
        to[j] = static_cast<T>(sum[j]) * static_cast<T>(factors_[p * kPanel + j]);
    }
  }
}

#define DLADMM_INSTANTIATE(T)                                                                                 \
  template void round_to(const ValueGrid&, MatrixView<const T>, MatrixView<std::uint8_t>);                    \
  template void PackedInt8::multiply(MatrixView<const std::uint8_t>, std::size_t, std::size_t, MatrixView<T>, \
                                     const Int8Sums&) const;                                                  \
  template void PackedInt8::multiply(const CsrView<T>&, MatrixView<T>) const;
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
