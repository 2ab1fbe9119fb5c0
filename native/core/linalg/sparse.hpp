// Sparse matrices in compressed rows (CSR): checks, the normalised adjacency of a graph, and products with dense ones.
//
// Entry k of row i, for k = indptr[i] … indptr[i + 1] − 1, is values[k] in column indices[k]. Nothing here asks for
// sorted rows; whatever is made here has them sorted, without duplicates and without zeros.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

template <typename T>
struct CsrView {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::span<const std::int64_t> indptr;   // rows + 1
  std::span<const std::int32_t> indices;  // entries
  std::span<const T> values;              // entries

  [[nodiscard]] std::size_t entries() const { return indices.size(); }
  // The entries of row i, as positions in `indices` and `values`.
  [[nodiscard]] std::size_t begin(std::size_t i) const { return static_cast<std::size_t>(indptr[i]); }
  [[nodiscard]] std::size_t end(std::size_t i) const { return static_cast<std::size_t>(indptr[i + 1]); }
  // Some of the rows; entries() are still those of all.
  [[nodiscard]] CsrView rows_from(Rows part) const {
    return {part.count, columns, indptr.subspan(part.first, part.count + 1), indices, values};
  }
};

// A sparse matrix that owns its arrays.
template <typename T>
struct Csr {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<std::int64_t> indptr{0};
  std::vector<std::int32_t> indices;
  std::vector<T> values;

  [[nodiscard]] CsrView<T> view() const { return {rows, columns, indptr, indices, values}; }
  [[nodiscard]] std::size_t entries() const { return indices.size(); }
};

// --- checks ---

enum class CsrDefect : std::uint8_t {
  too_large,         // more rows or columns than an index can count
  indptr_length,     // not rows + 1
  indptr_start,      // not 0
  indptr_decreases,  // at row `at`
  indptr_end,        // not the number of indices
  values_length,     // not the number of indices
  index_range,       // entry `at` lies in no column
  not_finite,        // entry `at`
};

struct CsrFault {
  CsrDefect defect;
  std::size_t at = 0;
};

// The first thing wrong with arrays that claim to be a sparse matrix; every other function here trusts its arguments.
template <typename T>
[[nodiscard]] std::optional<CsrFault> find_fault(const CsrView<T>& a);

// --- matrices from matrices ---

// Aᵀ; rows sorted. Duplicates and zeros stay.
template <typename T>
[[nodiscard]] Csr<T> transposed(const CsrView<T>& a);

// A with its rows sorted, duplicates added up and zeros left out.
template <typename T>
[[nodiscard]] Csr<T> tidied(const CsrView<T>& a);

// Ã = D^{-1/2} (max(A, Aᵀ) + I) D^{-1/2} with D the row sums of what stands in the brackets (Kipf and Welling 2017):
// the propagation matrix of a graph convolution, symmetric. Duplicates in A are added up first; an edge that is there
// in one direction only counts in both, one with two weights with the larger. A self-loop of A adds its weight to the
// one that every node gets, so a node without edges has Ã_ii = 1. A is square, its values are not negative. Throws
// std::length_error where the weights of a node add up to infinity.
template <typename T>
[[nodiscard]] Csr<T> normalised_adjacency(const CsrView<T>& a);

// `rows` behind those of A.
template <typename T>
void append(Csr<T>& a, const CsrView<T>& rows) {
  a.indices.insert(a.indices.end(), rows.indices.begin(), rows.indices.end());
  a.values.insert(a.values.end(), rows.values.begin(), rows.values.end());
  const std::int64_t before = a.indptr.back();
  for (std::size_t i = 1; i <= rows.rows; ++i) a.indptr.push_back(before + rows.indptr[i]);
  a.rows += rows.rows;
}

// Whether a column of ones follows those of a matrix.
enum class Ones { with, without };

// out <- the given rows of A (any order); what `out` has allocated is used again.
template <typename T, typename Index>
void take_rows(const CsrView<T>& a, std::span<const Index> rows, Csr<T>& out, Ones ones = Ones::without) {
  out.rows = rows.size();
  out.columns = a.columns + (ones == Ones::with ? 1 : 0);
  out.indptr.assign(1, 0);
  out.indices.clear();
  out.values.clear();
  for (const Index row : rows) {
    const auto begin = static_cast<std::ptrdiff_t>(a.begin(static_cast<std::size_t>(row)));
    const auto end = static_cast<std::ptrdiff_t>(a.end(static_cast<std::size_t>(row)));
    out.indices.insert(out.indices.end(), a.indices.begin() + begin, a.indices.begin() + end);
    out.values.insert(out.values.end(), a.values.begin() + begin, a.values.begin() + end);
    if (ones == Ones::with) {
      out.indices.push_back(static_cast<std::int32_t>(a.columns));
      out.values.push_back(T(1));
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
}

// The given rows of A (any order).
template <typename T>
[[nodiscard]] Csr<T> with_rows(const CsrView<T>& a, std::span<const std::int32_t> rows);

// The columns that have an entry, ascending.
template <typename T>
[[nodiscard]] std::vector<std::int32_t> columns_of(const CsrView<T>& a);

// A with only the given columns (ascending), renumbered 0, 1, …; entries elsewhere are left out.
template <typename T>
[[nodiscard]] Csr<T> with_columns(const CsrView<T>& a, std::span<const std::int32_t> columns);

// How many entries A B has, and A B itself.
template <typename T>
[[nodiscard]] std::size_t product_entries(const CsrView<T>& a, const CsrView<T>& b);
template <typename T>
[[nodiscard]] Csr<T> product(const CsrView<T>& a, const CsrView<T>& b);

// --- products with dense matrices ---

// Y <- A X for the rows of Y that `rows` names. X: A.columns x c, Y: A.rows x c, which must not overlap.
template <typename T>
void multiply_rows(const CsrView<T>& a, MatrixView<const T> x, Rows rows, MatrixView<T> y);

// Y <- A X by the team. Every row is summed in one order by one member: the result does not depend on the number of
// threads.
template <typename T>
void multiply(Team& team, const CsrView<T>& a, MatrixView<const T> x, MatrixView<T> y);

// Y <- X Wᵀ. X: samples x n, W: m x n, Y: samples x m. Every entry is one sum in the order of its row's entries: its
// bits depend on nothing else.
template <typename T>
void multiply_transposed(const CsrView<T>& x, MatrixView<const T> w, MatrixView<T> y);

// The rows of A that belong to a piece, such that all pieces have about as many entries.
template <typename T>
[[nodiscard]] Rows balanced_rows(const CsrView<T>& a, std::size_t piece, std::size_t pieces);

// Bytes that Y <- A X moves: for each entry its index, its value and a row of X; for each row one of Y.
[[nodiscard]] constexpr double product_bytes(std::size_t entries, std::size_t rows, std::size_t columns,
                                             std::size_t number) {
  const auto c = static_cast<double>(columns * number);
  return static_cast<double>(entries) * (c + static_cast<double>(sizeof(std::int32_t) + number)) +
         static_cast<double>(rows) * c;
}

}  // namespace dladmm
