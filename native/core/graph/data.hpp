// A graph with features and labels, as a training takes it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"

namespace dladmm {

// The features of the nodes, a node a row: sparse, or dense.
template <typename T>
struct Features {
  Csr<T> sparse;
  Matrix<T> dense;
  bool is_sparse = false;

  [[nodiscard]] std::size_t rows() const { return is_sparse ? sparse.rows : dense.rows(); }
  [[nodiscard]] std::size_t columns() const { return is_sparse ? sparse.columns : dense.columns(); }
};

// The features of some nodes.
template <typename T>
[[nodiscard]] Features<T> with_rows(const Features<T>& x, std::span<const std::int32_t> nodes) {
  Features<T> out;
  out.is_sparse = x.is_sparse;
  if (x.is_sparse) {
    out.sparse = with_rows<T>(x.sparse.view(), nodes);
    return out;
  }
  out.dense = Matrix<T>(nodes.size(), x.columns());
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    std::copy_n(x.dense.view().row(static_cast<std::size_t>(nodes[i])), x.columns(), out.dense.view().row(i));
  }
  return out;
}

// What it says is checked by whoever fills it in.
template <typename T>
struct GraphData {
  Csr<T> adjacency;                    // nodes x nodes, as the user has it
  Features<T> features;                // nodes x n_0
  std::vector<std::int32_t> labels;    // one a node; −1 for none
  std::vector<std::int32_t> training;  // nodes that have a label, none twice
  std::vector<double> weights;         // what a node counts for in training, one a node; empty where all count alike

  [[nodiscard]] double bytes() const {
    const auto of = [](const Csr<T>& m) {
      return 8 * static_cast<double>(m.indptr.size()) + (4 + sizeof(T)) * static_cast<double>(m.indices.size());
    };
    return of(adjacency) + of(features.sparse) + sizeof(T) * static_cast<double>(features.dense.flat().size()) +
           4 * static_cast<double>(labels.size() + training.size()) + 8 * static_cast<double>(weights.size());
  }
};

}  // namespace dladmm
