#include "core/linalg/packed_sparse.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <cstring>
#include <numeric>
#include <span>

#include "core/linalg/simd.hpp"
#include "core/linalg/squares.hpp"

namespace dladmm {
namespace {

constexpr std::size_t kGroup = PackedSparse<float>::kGroup;
constexpr std::uint32_t kNone = ~std::uint32_t{0};

// The groups of some outputs.
template <typename T>
struct Groups {
  std::size_t count;
  const std::size_t* indptr;
  const std::uint32_t* order;
  const std::uint32_t* lengths;
  const T* values;
  const std::uint32_t* indices;
};

// 0, or NaN where a value is infinite or none.
template <typename T>
struct Doubts {
  [[gnu::always_inline]] static inline T run(const T* x, std::size_t count) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t k = 0; k < count; ++k) doubt += x[k] - x[k];
    return doubt;
  }
};

// One sample: the sums of a group side by side, as one alone would wait for every addition. out begins at `first`.
template <typename T, std::size_t kBytes>
struct OneSample {
  static constexpr std::size_t kOwn = std::min(kBytes, kGroup * sizeof(T));
  static constexpr std::size_t kLanes = kOwn / sizeof(T);
  static constexpr std::size_t kParts = kGroup / kLanes;
  typedef T Vector __attribute__((vector_size(kOwn)));

  [[gnu::always_inline]] static inline void run(Groups<T> groups, const T* x, std::size_t first, T* out) {
    for (std::size_t g = 0; g < groups.count; ++g) {
      Vector sum[kParts] = {};
      for (std::size_t at = groups.indptr[g] * kGroup; at < groups.indptr[g + 1] * kGroup; at += kGroup) {
#pragma GCC unroll 4
        for (std::size_t p = 0; p < kParts; ++p) {
          Vector weights;
          Vector values;
          std::memcpy(&weights, groups.values + at + p * kLanes, kOwn);
#pragma GCC unroll 8
          for (std::size_t j = 0; j < kLanes; ++j) values[j] = x[groups.indices[at + p * kLanes + j]];
          sum[p] += weights * values;
        }
      }
      for (std::size_t j = 0; j < kGroup; ++j) {
        const std::uint32_t output = groups.order[g * kGroup + j];
        if (output != kNone) out[output - first] = sum[j / kLanes][j % kLanes];
      }
    }
  }
};

// Up to kMost vectors of samples at a time.
template <typename T, std::size_t kBytes, std::size_t kMost>
struct ManySamples {
  typedef T Vector __attribute__((vector_size(kBytes)));
  static constexpr std::size_t kLanes = kBytes / sizeof(T);
  static constexpr std::size_t kSamples = kMost * kLanes;

  // out, outputs x kVectors · kLanes, <- the sums of all groups. x: inputs x kVectors · kLanes.
  template <std::size_t kVectors>
  struct Sums {
    [[gnu::always_inline]] static inline void run(Groups<T> groups, const T* x, std::size_t first, T* out) {
      constexpr std::size_t width = kVectors * kLanes;
      for (std::size_t p = 0; p < groups.count * kGroup; ++p) {
        if (groups.order[p] == kNone) continue;
        Vector sum[kVectors];
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) sum[v] = Vector{};
        const std::size_t begin = groups.indptr[p / kGroup] * kGroup + p % kGroup;
        for (std::size_t at = begin; at < begin + groups.lengths[p] * kGroup; at += kGroup) {
          const T weight = groups.values[at];
          const T* const from = x + groups.indices[at] * width;
#pragma GCC unroll 8
          for (std::size_t v = 0; v < kVectors; ++v) {
            Vector values;
            std::memcpy(&values, from + v * kLanes, kBytes);
            sum[v] += weight * values;
          }
        }
        T* const to = out + (groups.order[p] - first) * width;
#pragma GCC unroll 8
        for (std::size_t v = 0; v < kVectors; ++v) std::memcpy(to + v * kLanes, &sum[v], kBytes);
      }
    }
  };

  template <std::size_t kVectors>
  [[gnu::always_inline]] static inline bool block(Groups<T> groups, MatrixView<const T> x, Rows outputs,
                                                  MatrixView<T> out, T* room) {
    constexpr std::size_t width = kVectors * kLanes;
    Packer<T, kBytes>::run(T(1), x, width, room);
    if (!(Doubts<T>::run(room, x.columns * width) == T(0))) return false;
    T* const sums = room + x.columns * width;
    simd::call<kBytes, Sums<kVectors>>(groups, static_cast<const T*>(room), outputs.first, sums);
    for (std::size_t i = 0; i < x.rows; i += kLanes) {
      for (std::size_t j = 0; j < outputs.count; j += kLanes) {
        const T* const from = sums + j * width + i;
        if (i + kLanes <= x.rows) {
          Packer<T, kBytes>::square(T(1), from, width, out.row(i) + j, out.stride);
          continue;
        }
        T few[kLanes * kLanes];
        Packer<T, kBytes>::square(T(1), from, width, few, kLanes);
        for (std::size_t r = i; r < x.rows; ++r) std::memcpy(out.row(r) + j, few + (r - i) * kLanes, kBytes);
      }
    }
    return true;
  }

  [[gnu::always_inline]] static inline bool run(Groups<T> groups, MatrixView<const T> x, Rows outputs,
                                                MatrixView<T> out, T* room) {
    for (std::size_t first = 0; first < x.rows; first += kSamples) {
      const std::size_t rows = std::min(kSamples, x.rows - first);
      const auto part = [&]<std::size_t kVectors>() __attribute__((always_inline)) {
        return block<kVectors>(groups, x.rows_from(first, rows), outputs, out.rows_from(first, rows), room);
      };
      const bool done = rows <= kLanes       ? part.template operator()<1>()
                        : rows <= 2 * kLanes ? part.template operator()<2>()
                        : rows <= 4 * kLanes ? part.template operator()<4>()
                                             : part.template operator()<kMost>();
      if (!done) return false;
    }
    return true;
  }
};

template <typename T>
using Samples = simd::Choice<ManySamples<T, 64, 4>, ManySamples<T, 32, 8>, ManySamples<T, 16, 8>>;
template <typename T>
using Singly = simd::Choice<OneSample<T, 64>, OneSample<T, 32>, OneSample<T, 16>>;
constexpr std::size_t kSingly = 4;  // samples that are taken one by one at most
constexpr std::size_t kMany = 64;
constexpr std::size_t kMostBytes = 256;  // of the samples that are taken at a time, of one input

// What a sparse product takes of a dense one's time, measured: so much of each weight, and of laying the samples out,
// so that layers of few outputs gain little.
double share_of_dense(std::size_t samples, double density, std::size_t outputs) {
  struct Cost {
    std::size_t most;  // samples
    double of_weights, of_samples;
  };
  constexpr Cost costs[] = {{1, 7.5, 7}, {3, 12, 8}, {4, 20, 16}, {15, 14, 60}, {31, 6, 16}, {~std::size_t{0}, 4, 16}};
  const Cost& cost = *std::ranges::lower_bound(costs, samples, {}, &Cost::most);
  return cost.of_weights * density + cost.of_samples / static_cast<double>(outputs);
}
// As a processor may differ from those that it was measured on.
constexpr double kSafe = 0.8;

}  // namespace

template <typename T>
bool PackedSparse<T>::pays(MatrixView<const T> W) {
  std::size_t entries = 0;
  for (std::size_t j = 0; j < W.rows; ++j) {
    entries += W.columns - static_cast<std::size_t>(std::count(W.row(j), W.row(j) + W.columns, T(0)));
  }
  const double density = static_cast<double>(entries) / static_cast<double>(W.rows * W.columns);
  return std::min(share_of_dense(1, density, W.rows), share_of_dense(kMany, density, W.rows)) <= kSafe;
}

template <typename T>
double PackedSparse<T>::cost(std::size_t samples) const {
  const double all = static_cast<double>(outputs_) * static_cast<double>(inputs_);
  return share_of_dense(samples, static_cast<double>(entries_) / all, outputs_);
}

template <typename T>
bool PackedSparse<T>::pays(std::size_t samples) const {
  return !empty() && samples > 0 && cost(samples) <= kSafe;
}

template <typename T>
PackedSparse<T>::PackedSparse(MatrixView<const T> W, std::size_t window)
    : outputs_(W.rows), inputs_(W.columns), window_(window) {
  assert(window % kGroup == 0 || window >= W.rows);
  indptr_.push_back(0);
  std::vector<std::uint32_t> counts(W.rows);
  for (std::size_t j = 0; j < W.rows; ++j) {
    counts[j] = static_cast<std::uint32_t>(W.columns - std::count(W.row(j), W.row(j) + W.columns, T(0)));
    entries_ += counts[j];
  }
  for (std::size_t first = 0; first < W.rows; first += window) {
    const std::size_t begin = order_.size();
    const std::size_t count = std::min(window, W.rows - first);
    order_.resize(begin + (count + kGroup - 1) / kGroup * kGroup, kNone);
    const std::span own(order_.data() + begin, count);
    std::iota(own.begin(), own.end(), static_cast<std::uint32_t>(first));
    std::ranges::stable_sort(own, {}, [&](std::uint32_t j) { return counts[j]; });
  }
  for (std::size_t p = 0; p < order_.size(); ++p) {
    lengths_.push_back(order_[p] == kNone ? 0 : counts[order_[p]]);
    if (p % kGroup == kGroup - 1) {
      indptr_.push_back(indptr_.back() + *std::max_element(lengths_.end() - kGroup, lengths_.end()));
    }
  }
  values_ = Buffer<T>(indptr_.back() * kGroup);
  indices_ = Buffer<std::uint32_t>(values_.size());
  // What fills a group up is 0 times the first input.
  std::ranges::fill(values_.span(), T(0));
  std::ranges::fill(indices_.span(), 0U);
  for (std::size_t p = 0; p < order_.size(); ++p) {
    if (order_[p] == kNone) continue;
    std::size_t at = indptr_[p / kGroup] * kGroup + p % kGroup;
    for (std::size_t k = 0; k < W.columns; ++k) {
      if (W.row(order_[p])[k] == T(0)) continue;
      values_.data()[at] = W.row(order_[p])[k];
      indices_.data()[at] = static_cast<std::uint32_t>(k);
      at += kGroup;
    }
  }
}

template <typename T>
std::size_t PackedSparse<T>::bytes() const {
  return values_.size() * (sizeof(T) + sizeof(std::uint32_t)) + order_.size() * 2 * sizeof(std::uint32_t);
}

template <typename T>
bool PackedSparse<T>::multiply(MatrixView<const T> x, Rows outputs, MatrixView<T> out) const {
  assert(x.columns == inputs_ && out.rows == x.rows && outputs.first + outputs.count <= outputs_);
  assert(outputs.first % window_ == 0);
  assert(outputs.count % window_ == 0 || outputs.first + outputs.count == outputs_);
  const std::size_t first = outputs.first / window_ * ((window_ + kGroup - 1) / kGroup);
  const Groups<T> groups{(outputs.count + kGroup - 1) / kGroup, indptr_.data() + first, order_.data() + first * kGroup,
                         lengths_.data() + first * kGroup,      values_.data(),         indices_.data()};
  if (x.rows <= kSingly) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      if (!(simd::run<Doubts<T>>(x.row(i), x.columns) == T(0))) return false;
      Singly<T>::run(groups, x.row(i), outputs.first, out.row(i));
    }
    return true;
  }
  // The samples by inputs, and by outputs, whole squares of them.
  thread_local Buffer<T> room;
  const std::size_t needed = (x.columns + (outputs.count + 15) / 16 * 16) * (kMostBytes / sizeof(T));
  if (room.size() < needed) room = Buffer<T>(needed);
  return Samples<T>::run(groups, x, outputs, out, room.data());
}

template class PackedSparse<float>;
template class PackedSparse<double>;

}  // namespace dladmm
