#include "core/linalg/packed.hpp"

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <cstring>
#include <limits>
#include <new>
#include <type_traits>
#include <utility>

#include "core/linalg/simd.hpp"
#include "core/linalg/squares.hpp"
#include "core/runtime/pieces.hpp"

namespace dladmm {
namespace {

// `kPanel` outputs are one or two vectors of kBytes; the sums of kSamples samples times these stay in registers.
template <typename T, std::size_t kBytes, std::size_t kSamples, std::size_t kVectors = 2>
struct Tile {
  typedef T Vector __attribute__((vector_size(kBytes)));
  static constexpr std::size_t kLanes = kBytes / sizeof(T);
  static constexpr std::size_t kPanel = kVectors * kLanes;
  // Of a panel, what many samples multiply before they go on: it stays in a core's innermost cache.
  static constexpr std::size_t kRun = (std::size_t{1} << 15) / (kVectors * kBytes);

  // What is to be asked for while a tile is computed, a place for every input.
  struct Fetch {
    const char* at = nullptr;
    std::size_t step = 0;
  };

  // kCount samples x kPanels panels, onto nothing or onto `out`. x: value k of sample i at x + i * row + k * step; b:
  // panels of `inputs` x kPanel, of which the first kUsed vectors count. A function of its own: inlined into a large
  // one, some of its sums would not stay in registers.
  template <std::size_t kCount, std::size_t kPanels, bool kFetches = false, std::size_t kUsed = kVectors>
  [[gnu::always_inline]] static inline void sums(const T* x, std::size_t row, std::size_t step, std::size_t inputs,
                                                 const T* b, T* out, std::size_t out_stride, Onto onto = Onto::nothing,
                                                 Fetch fetch = {}, bool begun = false) {
    simd::call<kBytes, Sums<kCount, kPanels, kFetches, kUsed>>(x, row, step, inputs, b, out, out_stride, onto, fetch,
                                                               begun);
  }
  template <std::size_t kCount, std::size_t kPanels, bool kFetches, std::size_t kUsed>
  struct Sums {
    [[gnu::always_inline]] static inline void run(const T* x, std::size_t row, std::size_t step, std::size_t inputs,
                                                  const T* b, T* out, std::size_t out_stride, Onto onto, Fetch fetch,
                                                  bool begun) {
      Vector sum[kCount][kPanels][kUsed];
#pragma GCC unroll 28
      for (std::size_t i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 2
          for (std::size_t v = 0; v < kUsed; ++v) {
            sum[i][p][v] = Vector{};
            if (begun) std::memcpy(&sum[i][p][v], out + i * out_stride + p * kPanel + v * kLanes, kBytes);
          }
        }
      }
      for (std::size_t k = 0; k < inputs; ++k) {
        if constexpr (kFetches) __builtin_prefetch(fetch.at + k * fetch.step, 0, 2);
#pragma GCC unroll 4
        for (std::size_t p = 0; p < kPanels; ++p) {
          const T* const weights = b + (p * inputs + k) * kPanel;
          Vector first;
          Vector last;
          std::memcpy(&first, weights, kBytes);
          if constexpr (kUsed == 2) std::memcpy(&last, weights + kLanes, kBytes);
#pragma GCC unroll 28
          for (std::size_t i = 0; i < kCount; ++i) {
            const T value = x[i * row + k * step];
            sum[i][p][0] += value * first;
            if constexpr (kUsed == 2) sum[i][p][1] += value * last;
          }
        }
      }
#pragma GCC unroll 28
      for (std::size_t i = 0; i < kCount; ++i) {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < kPanels; ++p) {
          T* const to = out + i * out_stride + p * kPanel;
#pragma GCC unroll 2
          for (std::size_t v = 0; v < kUsed; ++v) {
            if (onto == Onto::result) {
              Vector before;
              std::memcpy(&before, to + v * kLanes, kBytes);
              sum[i][p][v] += before;
            }
            std::memcpy(to + v * kLanes, &sum[i][p][v], kBytes);
          }
        }
      }
    }
  };

  // Of the last panel only what is below `columns` counts.
  [[gnu::always_inline]] static inline void run(MatrixView<const T> x, const T* values, std::size_t panels,
                                                std::size_t columns, MatrixView<T> out) {
    const std::size_t step = x.columns * kPanel;
    if (x.rows == 1) {
      // One sample has too few sums in a panel to hide how long an addition takes.
      std::size_t p = 0;
      for (; p + 4 <= panels; p += 4) sums<1, 4>(x.data, 0, 1, x.columns, values + p * step, out.data + p * kPanel, 0);
      for (; p < panels; ++p) sums<1, 1>(x.data, 0, 1, x.columns, values + p * step, out.data + p * kPanel, 0);
      return;
    }
    const auto multiply = [&]<std::size_t kUsed>(std::size_t p) __attribute__((always_inline)) {
      for (std::size_t k = 0; k < x.columns; k += kRun) {
        const std::size_t inputs = std::min(kRun, x.columns - k);
        each_strip(
            0, x.rows, [&]<std::size_t kCount>(std::size_t first) __attribute__((always_inline)) {
              sums<kCount, 1, false, kUsed>(x.data + first * x.stride + k, x.stride, 1, inputs,
                                            values + p * step + k * kPanel, out.data + first * out.stride + p * kPanel,
                                            out.stride, Onto::nothing, {}, k > 0);
            });
      }
    };
    const std::size_t whole = columns + kLanes <= panels * kPanel ? panels - 1 : panels;
    for (std::size_t p = 0; p < whole; ++p) multiply.template operator()<kVectors>(p);
    if (whole < panels) multiply.template operator()<1>(whole);
  }

  // The same where only `columns` of the panel count.
  template <std::size_t kCount>
  [[gnu::always_inline]] static inline void tile(const T* x, std::size_t row, std::size_t step, std::size_t inputs,
                                                 const T* b, T* out, std::size_t out_stride, std::size_t columns,
                                                 Onto onto, Fetch fetch) {
    if (columns == kPanel) {
      for (std::size_t i = 0; i < kCount; ++i) {
        for (std::size_t j = 0; j < kPanel; j += Ahead::kLine / sizeof(T)) {
          __builtin_prefetch(out + i * out_stride + j, 1);
        }
      }
      return sums<kCount, 1, true>(x, row, step, inputs, b, out, out_stride, onto, fetch);
    }
    T found[kCount * kPanel];
    sums<kCount, 1, true>(x, row, step, inputs, b, found, kPanel, Onto::nothing, fetch);
    for (std::size_t i = 0; i < kCount; ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        T& entry = out[i * out_stride + j];
        entry = (onto == Onto::result ? entry : T(0)) + found[i * kPanel + j];
      }
    }
  }

  // body<count>(first) for `rows` rows, kSamples at a time and then fewer. 16 rows take less time as twice 8 than as 14
  // and 2, whose sums are too few to hide how long an addition takes; not where rows are laid out by kSamples (kLaid).
  template <bool kLaid = false, typename Body>
  [[gnu::always_inline]] static inline void each_strip(std::size_t first, std::size_t end, Body&& body) {
    for (; first + kSamples <= end && (kLaid || kSamples != 14 || end - first != 16); first += kSamples) {
      body.template operator()<kSamples>(first);
    }
    if constexpr (kSamples > 14) {
      for (; first + 14 <= end; first += 14) body.template operator()<14>(first);
    }
    if constexpr (kSamples > 8) {
      for (; first + 8 <= end; first += 8) body.template operator()<8>(first);
    }
    for (; first + 4 <= end; first += 4) body.template operator()<4>(first);
    for (; first + 2 <= end; first += 2) body.template operator()<2>(first);
    for (; first < end; ++first) body.template operator()<1>(first);
  }
};

// out <- x M (+ out), in blocks of samples whose values stay in a core's own cache while the panels pass by.
template <typename T, std::size_t kBytes, std::size_t kSamples, std::size_t kVectors = 2>
struct Blocks {
  using Own = Tile<T, kBytes, kSamples, kVectors>;

  [[gnu::always_inline]] static inline void run(MatrixView<const T> x, const T* values, Onto onto, MatrixView<T> out,
                                                Ahead* ahead) {
    // No block of a few rows remains where all fit as well.
    const std::size_t block = x.rows <= 10 * kSamples ? std::max<std::size_t>(x.rows, 1) : 9 * kSamples;
    for (std::size_t begin = 0; begin < x.rows; begin += block) {
      for (std::size_t column = 0; column < out.columns; column += Own::kPanel) {
        const std::size_t columns = std::min(Own::kPanel, out.columns - column);
        const T* const panel = values + column * x.columns;
        const auto strip = [&]<std::size_t kCount>(std::size_t first) __attribute__((always_inline)) {
          const char* const next = ahead->take(x.columns / kVectors, panel);
          Own::template tile<kCount>(x.data + first * x.stride, x.stride, 1, x.columns, panel,
                                     out.data + first * out.stride + column, out.stride, columns, onto,
                                     {next, Ahead::kLine / kVectors});
        };
        Own::each_strip(begin, std::min(begin + block, x.rows), strip);
      }
    }
  }
};

// out <- Rᵀ A (+ out). Of both, kRowsOfRun samples are laid out at a time: A a panel of columns at a time, R in strips
// of kSamples columns, as many as stay in a core's own cache.
template <typename T, std::size_t kBytes, std::size_t kSamples>
struct Transposed {
  using Own = Tile<T, kBytes, kSamples>;
  static constexpr std::size_t kColumns = (256 / kSamples) * kSamples;
  static constexpr std::size_t kRoom = kRowsOfRun * (kColumns + Own::kPanel);

  [[gnu::always_inline]] static inline void run(T factor, MatrixView<const T> r, MatrixView<const T> a, Onto onto,
                                                MatrixView<T> out, T* room, Ahead later) {
    T* const panel = room;
    T* const strips = room + kRowsOfRun * Own::kPanel;
    const Pieces runs = pieces_of(r.rows, kRowsOfRun);
    for (std::size_t run = 0; run < runs.count; ++run) {
      const std::size_t first = runs[run].first;
      const std::size_t count = runs[run].count;
      // While these are multiplied, those after them are fetched.
      Ahead ahead = later;
      if (run + 1 < runs.count) {
        ahead = {};
        ahead.add(a.rows_from(runs[run + 1].first, runs[run + 1].count));
      }
      const std::size_t tiles = (out.rows / kSamples + 1) * (out.columns / Own::kPanel + 1);
      const std::size_t lines = ahead.bytes() / Ahead::kLine / tiles + 1;
      for (std::size_t begin = 0; begin < out.rows; begin += kColumns) {
        const std::size_t rows = std::min(kColumns, out.rows - begin);
        pack_strips(factor, r, first, count, begin, rows, strips);
        for (std::size_t column = 0; column < out.columns; column += Own::kPanel) {
          const std::size_t columns = std::min(Own::kPanel, out.columns - column);
          pack_panel(a.data + first * a.stride + column, a.stride, count, columns, panel);
          Own::template each_strip<true>(
              0, rows, [&]<std::size_t kCount>(std::size_t i) __attribute__((always_inline)) {
                const T* const strip = strips + i / kSamples * kSamples * count + i % kSamples;
                T* const to = out.data + (begin + i) * out.stride + column;
                Own::template tile<kCount>(strip, 1, kSamples, count, panel, to, out.stride, columns,
                                           run == 0 ? onto : Onto::result,
                                           {ahead.take(lines, panel), lines * Ahead::kLine / count});
              });
        }
      }
    }
  }

  [[gnu::always_inline]] static inline void pack_strips(T factor, MatrixView<const T> r, std::size_t first,
                                                        std::size_t count, std::size_t begin, std::size_t rows,
                                                        T* strips) {
    for (std::size_t k = 0; k < count; ++k) {
      const T* const from = r.data + (first + k) * r.stride + begin;
      T* to = strips + k * kSamples;
      std::size_t i = 0;
      for (; i + kSamples <= rows; i += kSamples, to += kSamples * count) {
        for (std::size_t j = 0; j < kSamples; ++j) to[j] = factor * from[i + j];
      }
      for (std::size_t j = 0; i + j < rows; ++j) to[j] = factor * from[i + j];
    }
  }

  [[gnu::always_inline]] static inline void pack_panel(const T* a, std::size_t stride, std::size_t count,
                                                       std::size_t columns, T* panel) {
    if (columns == Own::kPanel) {
      for (std::size_t k = 0; k < count; ++k) std::memcpy(panel + k * Own::kPanel, a + k * stride, 2 * kBytes);
      return;
    }
    for (std::size_t k = 0; k < count; ++k) {
      std::memcpy(panel + k * Own::kPanel, a + k * stride, columns * sizeof(T));
      std::fill(panel + k * Own::kPanel + columns, panel + (k + 1) * Own::kPanel, T(0));
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
template <typename T>
using BlockTiles = simd::Choice<Blocks<T, 64, 14>, Blocks<T, 32, 6>, Blocks<T, 16, 6>>;
template <typename T>
using TransposedTiles = simd::Choice<Transposed<T, 64, 14>, Transposed<T, 32, 6>, Transposed<T, 16, 6>>;

// The same for so few outputs that they fill one vector.
template <typename T>
using NarrowTiles = simd::Choice<Tile<T, 64, 28, 1>, Tile<T, 32, 12, 1>, Tile<T, 16, 12, 1>>;
template <typename T>
using NarrowBlockTiles = simd::Choice<Blocks<T, 64, 28, 1>, Blocks<T, 32, 12, 1>, Blocks<T, 16, 12, 1>>;

template <typename T>
std::size_t panel_width(std::size_t outputs) {
  const std::size_t wide = Tiles<T>::pick(Tile<T, 64, 14>::kPanel, Tile<T, 32, 6>::kPanel, Tile<T, 16, 6>::kPanel);
  return outputs <= wide / 2 ? wide / 2 : wide;
}
template <typename T>
bool is_narrow(std::size_t panel) {
  return panel != panel_width<T>(std::numeric_limits<std::size_t>::max());
}

template <typename T>
void multiply_blocks(std::size_t panel, MatrixView<const T> x, const T* values, Onto onto, MatrixView<T> out,
                     Ahead& ahead) {
  if (is_narrow<T>(panel)) return NarrowBlockTiles<T>::run(x, values, onto, out, &ahead);
  BlockTiles<T>::run(x, values, onto, out, &ahead);
}

// Rows of W lie too far apart for the processor to see which comes next.
constexpr std::size_t kRowsFetched = 16;

// Of M = factor op(w) the panels of `outputs`, one after the other: of some inputs in turn the weights of so many
// outputs, the last filled up with zeros.
template <typename T>
void pack(blas::Op op, T factor, MatrixView<const T> w, Rows outputs, Rows inputs, std::size_t panel, T* to) {
  for (std::size_t at = outputs.first; at < outputs.first + outputs.count; at += panel) {
    const std::size_t count = std::min(panel, outputs.first + outputs.count - at);
    if (op == blas::Op::transpose) {
      const MatrixView<const T> own(w.row(at) + inputs.first, count, inputs.count, w.stride);
      Packers<T>::run(factor, own, panel, to);
      to += inputs.count * panel;
      continue;
    }
    for (std::size_t k = 0; k < inputs.count; ++k, to += panel) {
      const T* const row = w.row(inputs.first + k) + at;
      const T* const later = w.row(inputs.first + std::min(k + kRowsFetched, inputs.count - 1)) + at;
      for (std::size_t j = 0; j < count; j += Ahead::kLine / sizeof(T)) __builtin_prefetch(later + j);
      for (std::size_t j = 0; j < count; ++j) to[j] = factor * row[j];
      std::fill(to + count, to + panel, T(0));
    }
  }
}

}  // namespace

template <typename T>
PackedMatrix<T>::PackedMatrix(std::size_t outputs, std::size_t inputs)
    : outputs_(outputs),
      inputs_(inputs),
      panel_(panel_width<T>(outputs)),
      panels_((outputs + panel_ - 1) / panel_),
      values_(entries(panels_ * panel_, inputs)) {
  std::fill(values_.span().begin(), values_.span().end(), T(0));
}

template <typename T>
double PackedMatrix<T>::required_bytes(std::size_t outputs, std::size_t inputs) {
  const std::size_t panel = panel_width<T>(outputs);
  return static_cast<double>(sizeof(T) * panel) * static_cast<double>((outputs + panel - 1) / panel) *
         static_cast<double>(inputs);
}

template <typename T>
void PackedMatrix<T>::assign(blas::Op op, T factor, MatrixView<const T> w, std::size_t first, std::size_t count) {
  assert((op == blas::Op::none ? w.columns : w.rows) == outputs_);
  assert((op == blas::Op::none ? w.rows : w.columns) == inputs_);
  const std::size_t begin = first * panel_;
  const Rows outputs{begin, std::min(count * panel_, outputs_ - begin)};
  pack(op, factor, w, outputs, {0, inputs_}, panel_, values_.data() + begin * inputs_);
}

template <typename T>
void PackedMatrix<T>::multiply(MatrixView<const T> x, std::size_t first, std::size_t count, MatrixView<T> out) const {
  assert(x.columns == inputs_ && first + count <= panels_ && out.rows == x.rows && out.columns == count * panel_);
  const T* const values = values_.data() + first * panel_ * inputs_;
  const std::size_t columns = std::min(out.columns, outputs_ - first * panel_);
  if (is_narrow<T>(panel_)) return NarrowTiles<T>::run(x, values, count, columns, out);
  Tiles<T>::run(x, values, count, columns, out);
}

template <typename T>
void PackedMatrix<T>::multiply(const CsrView<T>& x, MatrixView<T> out) const {
  assert(x.columns == inputs_ && out.rows == x.rows && out.columns == padded_outputs());
  for (std::size_t p = 0; p < panels_; ++p) {
    const T* const values = values_.data() + p * panel_ * inputs_;
    for (std::size_t i = 0; i < x.rows; ++i) {
      T* const sums = out.row(i) + p * panel_;
      std::fill_n(sums, panel_, T(0));
      for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
        const T* const from = values + static_cast<std::size_t>(x.indices[k]) * panel_;
        const T value = x.values[k];
        for (std::size_t j = 0; j < panel_; ++j) sums[j] += value * from[j];
      }
    }
  }
}

template <typename T>
void PackedMatrix<T>::multiply(MatrixView<const T> x, Onto onto, MatrixView<T> out, Ahead& ahead) const {
  assert(x.columns == inputs_ && out.columns == outputs_ && out.rows == x.rows);
  multiply_blocks<T>(panel_, x, values_.data(), onto, out, ahead);
}

template <typename T>
void multiply_transposed(T factor, MatrixView<const T> r, MatrixView<const T> a, Onto onto, MatrixView<T> out,
                         Ahead ahead) {
  assert(r.rows == a.rows && r.columns == out.rows && a.columns == out.columns);
  thread_local const Buffer<T> room(
      TransposedTiles<T>::pick(Transposed<T, 64, 14>::kRoom, Transposed<T, 32, 6>::kRoom, Transposed<T, 16, 6>::kRoom));
  TransposedTiles<T>::run(factor, r, a, onto, out, room.data(), ahead);
}

template <typename T>
void multiply_rows(blas::Op op, T factor, MatrixView<const T> x, MatrixView<const T> w, MatrixView<T> out) {
  assert(x.rows == out.rows && (op == blas::Op::none ? w.columns : w.rows) == out.columns);
  assert((op == blas::Op::none ? w.rows : w.columns) == x.columns);
  constexpr std::size_t most_outputs = 128;
  constexpr std::size_t most_inputs = 256;
  thread_local const Buffer<T> room(most_outputs * most_inputs);
  const std::size_t panel = panel_width<T>(out.columns);
  const Pieces runs = pieces_of(x.columns, most_inputs);
  const auto columns_of = [](auto m, std::size_t first, std::size_t count) {
    return decltype(m){m.data + first, m.rows, count, m.stride};
  };
  // Of a W that lies by outputs a panel at a time is one stretch of memory: the next is fetched meanwhile.
  const std::size_t most = op == blas::Op::transpose ? panel : most_outputs;
  for (std::size_t begin = 0; begin < out.columns; begin += most) {
    const std::size_t end = std::min(begin + most, out.columns);
    Ahead ahead;
    if (op == blas::Op::transpose && end < out.columns) {
      ahead.add(w.rows_from(end, std::min(most, out.columns - end)));
    }
    for (std::size_t run = 0; run < runs.count; ++run) {
      const Rows inputs = runs[run];
      pack(op, factor, w, {begin, end - begin}, inputs, panel, room.data());
      for (std::size_t at = begin; at < end; at += panel) {
        multiply_blocks<T>(panel, columns_of(x, inputs.first, inputs.count), room.data() + (at - begin) * inputs.count,
                           run == 0 ? Onto::nothing : Onto::result, columns_of(out, at, std::min(panel, end - at)),
                           ahead);
      }
    }
  }
}

#define DLADMM_INSTANTIATE(T)                                                                                    \
  template void multiply_transposed<T>(T, MatrixView<const T>, MatrixView<const T>, Onto, MatrixView<T>, Ahead); \
  template void multiply_rows<T>(blas::Op, T, MatrixView<const T>, MatrixView<const T>, MatrixView<T>);          \
  template class PackedMatrix<T>;
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
