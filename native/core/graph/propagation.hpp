// The linear maps of a graph convolution, Z ↦ Ã Z W and what stands beside it in a training: both orders of the two
// products, the cheaper one taken.
//
// W is n_in x n_out here, as Kipf and Welling write it. Ã may be a part of the propagation matrix: the rows of some
// nodes, the columns of those that they look at.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "core/graph/data.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// (Ã Z) W, or Ã (Z W).
enum class Order { nodes_first, weights_first };

// What a product takes: a sparse one is bound by the bytes it moves, a dense one by its floating-point operations.
struct ProductCost {
  double bytes = 0;
  double flops = 0;

  // Floating-point operations that a processor does in the time in which it moves a byte that lies in its caches.
  static constexpr double kFlopsPerByte = 2;
  [[nodiscard]] double total() const { return kFlopsPerByte * bytes + flops; }
};

// Whether the adjoint maps will be asked for, which need transposes.
enum class Adjoints { with, without };

// Ã with its transpose.
template <typename T>
class Propagation {
 public:
  Propagation() = default;
  explicit Propagation(Csr<T> a, Adjoints adjoints = Adjoints::with) : a_(std::move(a)) {
    if (adjoints == Adjoints::with) transposed_ = transposed(a_.view());
  }

  [[nodiscard]] std::size_t rows() const { return a_.rows; }
  [[nodiscard]] std::size_t columns() const { return a_.columns; }

  // out <- Ã Z W. Z: columns x n_in, out: rows x n_out.
  void forward(Team& team, MatrixView<const T> z, MatrixView<const T> w, std::span<T> scratch, MatrixView<T> out) const;
  // out <- Ãᵀ G Wᵀ, the adjoint for Z. G: rows x n_out, out: columns x n_in.
  void backward(Team& team, MatrixView<const T> g, MatrixView<const T> w, std::span<T> scratch,
                MatrixView<T> out) const;
  // out <- Ã Z, rows x n_in.
  void smooth(Team& team, MatrixView<const T> z, MatrixView<T> out) const { multiply<T>(team, a_.view(), z, out); }
  // out <- Ãᵀ G, columns x n_out.
  void smooth_back(Team& team, MatrixView<const T> g, MatrixView<T> out) const {
    multiply<T>(team, transposed_.view(), g, out);
  }

  enum class Map {
    forward,
    backward,
    // Both (Ã Z)ᵀ G and Ã Z S for one Z: with `nodes_first` Ã Z is formed once.
    weights,
  };
  [[nodiscard]] ProductCost cost(Map map, Order order, std::size_t inputs, std::size_t outputs) const;
  [[nodiscard]] Order order(Map map, std::size_t inputs, std::size_t outputs) const;
  // Entries of scratch that the maps need between layers so wide.
  [[nodiscard]] std::size_t scratch_entries(std::size_t inputs, std::size_t outputs) const {
    return std::max(rows() * inputs, columns() * outputs);
  }

 private:
  Csr<T> a_, transposed_;
};

// W ↦ Ã X W for features that never change. Dense ones are propagated once, which only makes later products smaller. Of
// sparse ones Ã X is kept where it has fewer entries to go through than Ã and X have together; where it has not, Ã (X
// W) is cheaper.
template <typename T>
class InputMap {
 public:
  InputMap() = default;
  // Ã: rows x nodes, X: nodes x features.
  InputMap(Team& team, Csr<T> a, Features<T> x, Adjoints adjoints = Adjoints::with);

  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t features() const { return features_; }
  // Whether Ã X is kept.
  [[nodiscard]] bool keeps_product() const { return kind_ != Kind::factors; }
  [[nodiscard]] bool is_sparse() const { return kind_ != Kind::dense; }

  // out <- Ã X W. W: features x n_out, out: rows x n_out.
  void forward(Team& team, MatrixView<const T> w, std::span<T> scratch, MatrixView<T> out) const;
  // out <- (Ã X)ᵀ G.
  void gradient(Team& team, PieceSums<T>& sums, MatrixView<const T> g, std::span<T> scratch, MatrixView<T> out) const;

  // Of one of the two.
  [[nodiscard]] ProductCost cost(std::size_t outputs) const;
  [[nodiscard]] std::size_t scratch_entries(std::size_t outputs) const;

 private:
  enum class Kind { dense, product, factors };

  Kind kind_ = Kind::dense;
  std::size_t rows_ = 0;
  std::size_t features_ = 0;
  Matrix<T> dense_;          // Ã X
  Csr<T> x_, x_transposed_;  // X, or Ã X where that is kept
  Csr<T> a_, a_transposed_;  // empty where Ã X is kept
};

}  // namespace dladmm
