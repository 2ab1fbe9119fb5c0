// The linear maps of a graph convolution, Z ↦ Ã Z W and what stands beside it in a training: both orders of the two
// products, the cheaper one taken.
//
// W is n_in x n_out here, as Kipf and Welling write it. Ã may be a part of the propagation matrix: the rows of some
// nodes, the columns of those that they look at.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstddef>
#include <span>
#include <utility>

#include "core/graph/data.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/linalg/tiled.hpp"
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

inline ProductCost operator+(ProductCost a, ProductCost b) { return {a.bytes + b.bytes, a.flops + b.flops}; }

// A matrix of so many rows in `scratch`.
template <typename T>
[[nodiscard]] MatrixView<T> room(std::span<T> scratch, std::size_t rows, std::size_t columns) {
  assert(scratch.size() >= rows * columns);
  return {scratch.data(), rows, columns};
}

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
  void forward(Team& team, MatrixView<const T> z, MatrixView<const T> w, std::span<T> scratch,
               MatrixView<T> out) const {
    if (order(Map::forward, w.rows, w.columns) == Order::nodes_first) {
      const MatrixView<T> h = room(scratch, rows(), w.rows);
      smooth(team, z, h);
      // rows x n_in times n_in x n_out
      multiply<T>(team, blas::Op::none, blas::Op::none, 1, h, w, 0, out);
    } else {
      const MatrixView<T> y = room(scratch, columns(), w.columns);
      // columns x n_in times n_in x n_out
      multiply<T>(team, blas::Op::none, blas::Op::none, 1, z, w, 0, y);
      smooth(team, y, out);
    }
  }

  // out <- Ãᵀ G Wᵀ, the adjoint for Z. G: rows x n_out, out: columns x n_in.
  void backward(Team& team, MatrixView<const T> g, MatrixView<const T> w, std::span<T> scratch,
                MatrixView<T> out) const {
    if (order(Map::backward, w.rows, w.columns) == Order::nodes_first) {
      const MatrixView<T> h = room(scratch, columns(), w.columns);
      smooth_back(team, g, h);
      // columns x n_out times n_out x n_in
      multiply<T>(team, blas::Op::none, blas::Op::transpose, 1, h, w, 0, out);
    } else {
      const MatrixView<T> y = room(scratch, rows(), w.rows);
      // rows x n_out times n_out x n_in
      multiply<T>(team, blas::Op::none, blas::Op::transpose, 1, g, w, 0, y);
      smooth_back(team, y, out);
    }
  }

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

  // The sparse product goes over n_in columns where it meets Z, over n_out where it meets what W made of it; the dense
  // one over as many rows as the sparse one has left.
  [[nodiscard]] ProductCost cost(Map map, Order order, std::size_t inputs, std::size_t outputs) const {
    const bool nodes_first = order == Order::nodes_first;
    const auto sparse = [&](std::size_t to, std::size_t width) {
      return ProductCost{product_bytes(a_.entries(), to, width, sizeof(T)), 0};
    };
    const auto dense = [&](std::size_t on) { return ProductCost{0, product_flops(on, inputs, outputs)}; };
    switch (map) {
      case Map::forward:
        return nodes_first ? sparse(rows(), inputs) + dense(rows()) : sparse(rows(), outputs) + dense(columns());
      case Map::backward:
        return nodes_first ? sparse(columns(), outputs) + dense(columns()) : sparse(columns(), inputs) + dense(rows());
      case Map::weights:
        break;
    }
    if (nodes_first) return sparse(rows(), inputs) + dense(2 * rows());
    return sparse(columns(), outputs) + sparse(rows(), outputs) + dense(2 * columns());
  }

  [[nodiscard]] Order order(Map map, std::size_t inputs, std::size_t outputs) const {
    const double weights_first = cost(map, Order::weights_first, inputs, outputs).total();
    const bool nodes_first = cost(map, Order::nodes_first, inputs, outputs).total() <= weights_first;
    return nodes_first ? Order::nodes_first : Order::weights_first;
  }

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
  InputMap(Team& team, Csr<T> a, Features<T> x, Adjoints adjoints = Adjoints::with) {
    if (!x.is_sparse) {
      dense_ = Matrix<T>(a.rows, x.columns());
      multiply<T>(team, a.view(), x.dense.view(), dense_.view());
      return;
    }
    const std::size_t apart = a.entries() + x.sparse.entries();
    if (product_entries(a.view(), x.sparse.view()) <= apart) {
      kind_ = Kind::product;
      x_ = product(a.view(), x.sparse.view());
    } else {
      kind_ = Kind::factors;
      x_ = std::move(x.sparse);
      a_ = std::move(a);
    }
    if (adjoints == Adjoints::without) return;
    x_transposed_ = transposed(x_.view());
    if (kind_ == Kind::factors) a_transposed_ = transposed(a_.view());
  }

  // Whether Ã X is kept.
  [[nodiscard]] bool keeps_product() const { return kind_ != Kind::factors; }
  [[nodiscard]] bool is_sparse() const { return kind_ != Kind::dense; }

  // out <- Ã X W. W: features x n_out, out: rows x n_out.
  void forward(Team& team, MatrixView<const T> w, std::span<T> scratch, MatrixView<T> out) const {
    switch (kind_) {
      case Kind::dense:
        // rows x features times features x n_out
        return multiply<T>(team, blas::Op::none, blas::Op::none, 1, dense_.view(), w, 0, out);
      case Kind::product:
        // rows x features (sparse) times features x n_out
        return multiply<T>(team, x_.view(), w, out);
      case Kind::factors:
        break;
    }
    const MatrixView<T> y = room(scratch, x_.rows, w.columns);
    // nodes x features (sparse) times features x n_out, then rows x nodes (sparse) times nodes x n_out
    multiply<T>(team, x_.view(), w, y);
    multiply<T>(team, a_.view(), y, out);
  }

  // out <- (Ã X)ᵀ G.
  void gradient(Team& team, PieceSums<T>& sums, MatrixView<const T> g, std::span<T> scratch, MatrixView<T> out) const {
    switch (kind_) {
      case Kind::dense:
        // features x rows times rows x n_out
        return sum_products<T>(team, sums, dense_.view(), g, out);
      case Kind::product:
        // features x rows (sparse) times rows x n_out
        return sum_products<T>(team, x_transposed_.view(), g, out);
      case Kind::factors:
        break;
    }
    const MatrixView<T> y = room(scratch, x_.rows, g.columns);
    // nodes x rows (sparse) times rows x n_out, then features x nodes (sparse) times nodes x n_out
    multiply<T>(team, a_transposed_.view(), g, y);
    sum_products<T>(team, x_transposed_.view(), y, out);
  }

  [[nodiscard]] std::size_t scratch_entries(std::size_t outputs) const {
    return kind_ == Kind::factors ? x_.rows * outputs : 0;
  }

 private:
  enum class Kind { dense, product, factors };

  Kind kind_ = Kind::dense;
  Matrix<T> dense_;          // Ã X
  Csr<T> x_, x_transposed_;  // X, or Ã X where that is kept
  Csr<T> a_, a_transposed_;  // empty where Ã X is kept
};

}  // namespace dladmm
