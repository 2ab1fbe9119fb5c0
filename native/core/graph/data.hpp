// A graph with features and labels, as a training takes it.
#pragma once

#include <cstddef>
#include <cstdint>
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

// What it says is checked by whoever fills it in.
template <typename T>
struct GraphData {
  Csr<T> adjacency;                    // nodes x nodes, as the user has it
  Features<T> features;                // nodes x n_0
  std::vector<std::int32_t> labels;    // one a node; −1 for none
  std::vector<std::int32_t> training;  // nodes that have a label, none twice

  [[nodiscard]] double bytes() const {
    const auto of = [](const Csr<T>& m) {
      return 8 * static_cast<double>(m.indptr.size()) + (4 + sizeof(T)) * static_cast<double>(m.indices.size());
    };
    return of(adjacency) + of(features.sparse) + sizeof(T) * static_cast<double>(features.dense.flat().size()) +
           4 * static_cast<double>(labels.size() + training.size());
  }
};

}  // namespace dladmm
