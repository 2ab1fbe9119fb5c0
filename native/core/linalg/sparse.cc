#include "core/linalg/sparse.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>

#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

// Entries whose rows of X are fetched ahead of their use.
constexpr std::size_t kAhead = 8;
constexpr std::size_t kCacheLine = 64;

// Columns `first` … of Y <- A X, Lines cache lines of them: they stay in registers while a row of A is gone through.
template <typename T, std::size_t Lines>
struct SumRows {
  static constexpr std::size_t kWidth = kCacheLine / sizeof(T);
  typedef T Line [[gnu::vector_size(kCacheLine)]];

  [[gnu::always_inline]] static inline void run(const CsrView<T>* a, MatrixView<const T> x, Rows rows, MatrixView<T> y,
                                                std::size_t first) {
    const std::int32_t* const indices = a->indices.data();
    const T* const values = a->values.data();
    const std::size_t last = a->entries() == 0 ? 0 : a->entries() - 1;
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      Line sum[Lines] = {};
      const std::size_t end = a->end(i);
      for (std::size_t k = a->begin(i); k < end; ++k) {
        const T* const next = x.data + static_cast<std::size_t>(indices[std::min(k + kAhead, last)]) * x.stride + first;
        const T* const from = x.data + static_cast<std::size_t>(indices[k]) * x.stride + first;
        const T value = values[k];
#pragma GCC unroll 8
        for (std::size_t line = 0; line < Lines; ++line) {
          Line part;
          __builtin_prefetch(next + line * kWidth);
          std::memcpy(&part, from + line * kWidth, kCacheLine);
          sum[line] += value * part;
        }
      }
      std::memcpy(y.data + i * y.stride + first, sum, sizeof(sum));
    }
  }
};

// The same for what is left at the end, fewer columns than a cache line holds.
template <typename T>
struct SumRest {
  [[gnu::always_inline]] static inline void run(const CsrView<T>* a, MatrixView<const T> x, Rows rows, MatrixView<T> y,
                                                std::size_t first) {
    const std::size_t width = x.columns - first;
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      T* const to = y.data + i * y.stride + first;
      std::fill_n(to, width, T(0));
      for (std::size_t k = a->begin(i); k < a->end(i); ++k) {
        const T* const from = x.data + static_cast<std::size_t>(a->indices[k]) * x.stride + first;
        const T value = a->values[k];
        for (std::size_t j = 0; j < width; ++j) to[j] += value * from[j];
      }
    }
  }
};

// Rows that are finished, all their columns, before the next ones begin: what they share of X is still near then.
constexpr std::size_t kRowBlock = 256;

template <typename T, std::size_t Lines>
void sum_while_wide(const CsrView<T>& a, MatrixView<const T> x, Rows rows, MatrixView<T> y, std::size_t& first) {
  using Kernel = SumRows<T, Lines>;
  constexpr std::size_t width = Lines * Kernel::kWidth;
  for (; first + width <= x.columns; first += width) simd::run<Kernel>(&a, x, rows, y, first);
}

}  // namespace

template <typename T>
std::optional<CsrFault> find_fault(const CsrView<T>& a) {
  constexpr auto limit = static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max());
  if (a.rows > limit || a.columns > limit) return CsrFault{CsrDefect::too_large};
  if (a.indptr.size() != a.rows + 1) return CsrFault{CsrDefect::indptr_length, a.indptr.size()};
  if (a.indptr[0] != 0) return CsrFault{CsrDefect::indptr_start};
  for (std::size_t i = 0; i < a.rows; ++i) {
    if (a.indptr[i + 1] < a.indptr[i]) return CsrFault{CsrDefect::indptr_decreases, i};
  }
  if (static_cast<std::size_t>(a.indptr[a.rows]) != a.indices.size()) return CsrFault{CsrDefect::indptr_end, a.rows};
  if (a.values.size() != a.indices.size()) return CsrFault{CsrDefect::values_length, a.values.size()};
  for (std::size_t k = 0; k < a.indices.size(); ++k) {
    if (a.indices[k] < 0 || static_cast<std::size_t>(a.indices[k]) >= a.columns) {
      return CsrFault{CsrDefect::index_range, k};
    }
    if (!std::isfinite(a.values[k])) return CsrFault{CsrDefect::not_finite, k};
  }
  return std::nullopt;
}

template <typename T>
Csr<T> transposed(const CsrView<T>& a) {
  Csr<T> out{a.columns, a.rows, std::vector<std::int64_t>(a.columns + 1), std::vector<std::int32_t>(a.entries()),
             std::vector<T>(a.entries())};
  for (const std::int32_t column : a.indices) ++out.indptr[static_cast<std::size_t>(column) + 1];
  std::partial_sum(out.indptr.begin(), out.indptr.end(), out.indptr.begin());
  std::vector<std::int64_t> next(out.indptr.begin(), out.indptr.end() - 1);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      const auto to = static_cast<std::size_t>(next[static_cast<std::size_t>(a.indices[k])]++);
      out.indices[to] = static_cast<std::int32_t>(i);
      out.values[to] = a.values[k];
    }
  }
  return out;
}

template <typename T>
Csr<T> tidied(const CsrView<T>& a) {
  Csr<T> out = transposed(transposed(a).view());
  std::size_t kept = 0;
  std::size_t k = 0;
  for (std::size_t i = 0; i < out.rows; ++i) {
    const auto end = static_cast<std::size_t>(out.indptr[i + 1]);
    while (k < end) {
      const std::int32_t column = out.indices[k];
      // In double: many float duplicates lose nothing.
      double sum = 0;
      for (; k < end && out.indices[k] == column; ++k) sum += static_cast<double>(out.values[k]);
      if (sum == 0) continue;
      out.indices[kept] = column;
      out.values[kept++] = static_cast<T>(sum);
    }
    out.indptr[i + 1] = static_cast<std::int64_t>(kept);
  }
  out.indices.resize(kept);
  out.values.resize(kept);
  return out;
}

template <typename T>
Csr<T> normalised_adjacency(const CsrView<T>& a) {
  assert(a.rows == a.columns);
  const Csr<T> there = tidied(a);
  const Csr<T> back = transposed(there.view());
  const CsrView<T> f = there.view();
  const CsrView<T> b = back.view();
  Csr<T> out{a.rows, a.columns, std::vector<std::int64_t>(a.rows + 1), {}, {}};
  out.indices.reserve(there.entries() + a.rows);
  out.values.reserve(there.entries() + a.rows);
  std::vector<double> degree(a.rows);
  constexpr std::int32_t none = std::numeric_limits<std::int32_t>::max();
  for (std::size_t i = 0; i < a.rows; ++i) {
    const auto self = static_cast<std::int32_t>(i);
    std::size_t p = f.begin(i);
    std::size_t q = b.begin(i);
    bool looped = false;
    while (true) {
      const std::int32_t left = p < f.end(i) ? f.indices[p] : none;
      const std::int32_t right = q < b.end(i) ? b.indices[q] : none;
      std::int32_t column = std::min(left, right);
      if (!looped && self < column) column = self;
      if (column == none) break;
      const double there_weight = left == column ? static_cast<double>(f.values[p++]) : 0;
      const double back_weight = right == column ? static_cast<double>(b.values[q++]) : 0;
      double weight = std::max(there_weight, back_weight);
      if (column == self) {
        weight += 1;
        looped = true;
      }
      degree[i] += weight;
      out.indices.push_back(column);
      out.values.push_back(static_cast<T>(weight));
    }
    out.indptr[i + 1] = static_cast<std::int64_t>(out.indices.size());
    if (!std::isfinite(static_cast<T>(degree[i]))) {
      throw std::length_error("the weights of the edges of node " + std::to_string(i) + " add up to infinity");
    }
  }
  std::vector<double> root(a.rows);
  for (std::size_t i = 0; i < a.rows; ++i) root[i] = 1 / std::sqrt(degree[i]);
  for (std::size_t i = 0; i < out.rows; ++i) {
    for (auto k = static_cast<std::size_t>(out.indptr[i]); k < static_cast<std::size_t>(out.indptr[i + 1]); ++k) {
      const double scale = root[i] * root[static_cast<std::size_t>(out.indices[k])];
      out.values[k] = static_cast<T>(static_cast<double>(out.values[k]) * scale);
    }
  }
  return out;
}

template <typename T>
Csr<T> with_rows(const CsrView<T>& a, std::span<const std::int32_t> rows) {
  std::size_t entries = 0;
  for (const std::int32_t row : rows)
    entries += a.end(static_cast<std::size_t>(row)) - a.begin(static_cast<std::size_t>(row));
  Csr<T> out;
  out.indices.reserve(entries);
  out.values.reserve(entries);
  take_rows(a, rows, out);
  return out;
}

template <typename T>
std::vector<std::int32_t> columns_of(const CsrView<T>& a) {
  std::vector<bool> used(a.columns);
  for (const std::int32_t column : a.indices) used[static_cast<std::size_t>(column)] = true;
  std::vector<std::int32_t> out;
  for (std::size_t j = 0; j < a.columns; ++j) {
    if (used[j]) out.push_back(static_cast<std::int32_t>(j));
  }
  return out;
}

template <typename T>
Csr<T> with_columns(const CsrView<T>& a, std::span<const std::int32_t> columns) {
  std::vector<std::int32_t> number(a.columns, -1);
  for (std::size_t j = 0; j < columns.size(); ++j) {
    number[static_cast<std::size_t>(columns[j])] = static_cast<std::int32_t>(j);
  }
  Csr<T> out{a.rows, columns.size(), std::vector<std::int64_t>(a.rows + 1), {}, {}};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      const std::int32_t column = number[static_cast<std::size_t>(a.indices[k])];
      if (column < 0) continue;
      out.indices.push_back(column);
      out.values.push_back(a.values[k]);
    }
    out.indptr[i + 1] = static_cast<std::int64_t>(out.indices.size());
  }
  return out;
}

template <typename T>
std::size_t product_entries(const CsrView<T>& a, const CsrView<T>& b) {
  assert(a.columns == b.rows);
  std::vector<std::size_t> seen_in(b.columns, std::numeric_limits<std::size_t>::max());
  std::size_t count = 0;
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      const auto j = static_cast<std::size_t>(a.indices[k]);
      for (std::size_t m = b.begin(j); m < b.end(j); ++m) {
        std::size_t& seen = seen_in[static_cast<std::size_t>(b.indices[m])];
        count += seen == i ? 0 : 1;
        seen = i;
      }
    }
  }
  return count;
}

template <typename T>
Csr<T> product(const CsrView<T>& a, const CsrView<T>& b) {
  const std::size_t entries = product_entries(a, b);
  Csr<T> out{a.rows, b.columns, std::vector<std::int64_t>(a.rows + 1), {}, {}};
  out.indices.reserve(entries);
  out.values.reserve(entries);
  std::vector<std::size_t> seen_in(b.columns, std::numeric_limits<std::size_t>::max());
  std::vector<double> sums(b.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    const std::size_t first = out.indices.size();
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      const auto j = static_cast<std::size_t>(a.indices[k]);
      for (std::size_t m = b.begin(j); m < b.end(j); ++m) {
        const auto column = static_cast<std::size_t>(b.indices[m]);
        if (seen_in[column] != i) {
          seen_in[column] = i;
          sums[column] = 0;
          out.indices.push_back(b.indices[m]);
        }
        sums[column] += static_cast<double>(a.values[k]) * static_cast<double>(b.values[m]);
      }
    }
    for (std::size_t k = first; k < out.indices.size(); ++k) {
      out.values.push_back(static_cast<T>(sums[static_cast<std::size_t>(out.indices[k])]));
    }
    out.indptr[i + 1] = static_cast<std::int64_t>(out.indices.size());
  }
  return transposed(transposed(out.view()).view());  // which sorts its rows
}

template <typename T>
void multiply_rows(const CsrView<T>& a, MatrixView<const T> x, Rows rows, MatrixView<T> y) {
  assert(x.rows == a.columns && y.rows == a.rows && x.columns == y.columns);
  assert(rows.first + rows.count <= a.rows);
  for (std::size_t begin = rows.first; begin < rows.first + rows.count; begin += kRowBlock) {
    const Rows block{begin, std::min(kRowBlock, rows.first + rows.count - begin)};
    std::size_t first = 0;
    if (simd::has_many_registers()) sum_while_wide<T, 8>(a, x, block, y, first);
    sum_while_wide<T, 4>(a, x, block, y, first);
    sum_while_wide<T, 2>(a, x, block, y, first);
    sum_while_wide<T, 1>(a, x, block, y, first);
    if (first < x.columns) simd::run<SumRest<T>>(&a, x, block, y, first);
  }
}

template <typename T>
void multiply_transposed(const CsrView<T>& x, MatrixView<const T> w, MatrixView<T> y) {
  assert(x.columns == w.columns && x.rows == y.rows && w.rows == y.columns);
  // An output at a time: its weights stay in the cache while the samples pass by.
  for (std::size_t j = 0; j < w.rows; ++j) {
    const T* const weights = w.row(j);
    for (std::size_t i = 0; i < x.rows; ++i) {
      T sum = 0;
      for (std::size_t k = x.begin(i); k < x.end(i); ++k) {
        sum += x.values[k] * weights[static_cast<std::size_t>(x.indices[k])];
      }
      y.row(i)[j] = sum;
    }
  }
}

template <typename T>
Rows balanced_rows(const CsrView<T>& a, std::size_t piece, std::size_t pieces) {
  // An empty row takes time too: it counts as one entry.
  const auto bound = [&](std::size_t p) -> std::size_t {
    if (p == pieces) return a.rows;
    const std::size_t goal = (a.entries() + a.rows) / pieces * p;
    std::size_t low = 0;
    std::size_t high = a.rows;
    while (low < high) {
      const std::size_t middle = low + (high - low) / 2;
      if (a.begin(middle) + middle < goal) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  };
  const std::size_t first = bound(piece);
  return {first, bound(piece + 1) - first};
}

template <typename T>
void multiply(Team& team, const CsrView<T>& a, MatrixView<const T> x, MatrixView<T> y) {
  if (a.rows == 0) return;
  const double work = static_cast<double>(a.entries() + a.rows) * static_cast<double>(x.columns);
  const std::size_t most = std::min(kMostPieces, a.rows);
  const auto pieces = std::clamp<std::size_t>(static_cast<std::size_t>(work / 1e5), 1, most);
  team.run(pieces, 4 * work,
           [&](std::size_t piece, unsigned) { multiply_rows(a, x, balanced_rows(a, piece, pieces), y); });
}

#define DLADMM_INSTANTIATE(T)                                                                  \
  template std::optional<CsrFault> find_fault<T>(const CsrView<T>&);                           \
  template Csr<T> transposed<T>(const CsrView<T>&);                                            \
  template Csr<T> tidied<T>(const CsrView<T>&);                                                \
  template Csr<T> normalised_adjacency<T>(const CsrView<T>&);                                  \
  template Csr<T> with_rows<T>(const CsrView<T>&, std::span<const std::int32_t>);              \
  template std::vector<std::int32_t> columns_of<T>(const CsrView<T>&);                         \
  template Csr<T> with_columns<T>(const CsrView<T>&, std::span<const std::int32_t>);           \
  template std::size_t product_entries<T>(const CsrView<T>&, const CsrView<T>&);               \
  template Csr<T> product<T>(const CsrView<T>&, const CsrView<T>&);                            \
  template void multiply_rows<T>(const CsrView<T>&, MatrixView<const T>, Rows, MatrixView<T>); \
  template void multiply_transposed<T>(const CsrView<T>&, MatrixView<const T>, MatrixView<T>); \
  template Rows balanced_rows<T>(const CsrView<T>&, std::size_t, std::size_t);                 \
  template void multiply<T>(Team&, const CsrView<T>&, MatrixView<const T>, MatrixView<T>)

DLADMM_INSTANTIATE(float);
DLADMM_INSTANTIATE(double);

#undef DLADMM_INSTANTIATE

}  // namespace dladmm
