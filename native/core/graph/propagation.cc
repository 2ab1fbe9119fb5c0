#include "core/graph/propagation.hpp"

#include <algorithm>
#include <cassert>
#include <utility>

#include "core/linalg/tiled.hpp"

namespace dladmm {
namespace {

using blas::Op;

template <typename T>
MatrixView<T> room(std::span<T> scratch, std::size_t rows, std::size_t columns) {
  assert(scratch.size() >= rows * columns);
  return {scratch.data(), rows, columns};
}

template <typename T>
ProductCost sparse_cost(std::size_t entries, std::size_t rows, std::size_t columns) {
  return {product_bytes(entries, rows, columns, sizeof(T)), 0};
}

ProductCost operator+(ProductCost a, ProductCost b) { return {a.bytes + b.bytes, a.flops + b.flops}; }

}  // namespace

// The sparse product goes over n_in columns where it meets Z, over n_out where it meets what W made of it; the dense
// one over as many rows as the sparse one has left.
template <typename T>
ProductCost Propagation<T>::cost(Map map, Order order, std::size_t inputs, std::size_t outputs) const {
  const bool nodes_first = order == Order::nodes_first;
  const auto sparse = [&](std::size_t to, std::size_t width) { return sparse_cost<T>(a_.entries(), to, width); };
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

template <typename T>
Order Propagation<T>::order(Map map, std::size_t inputs, std::size_t outputs) const {
  const double weights_first = cost(map, Order::weights_first, inputs, outputs).total();
  const bool nodes_first = cost(map, Order::nodes_first, inputs, outputs).total() <= weights_first;
  return nodes_first ? Order::nodes_first : Order::weights_first;
}

template <typename T>
void Propagation<T>::forward(Team& team, MatrixView<const T> z, MatrixView<const T> w, std::span<T> scratch,
                             MatrixView<T> out) const {
  if (order(Map::forward, w.rows, w.columns) == Order::nodes_first) {
    const MatrixView<T> h = room(scratch, rows(), w.rows);
    smooth(team, z, h);
    // rows x n_in times n_in x n_out
    multiply<T>(team, Op::none, Op::none, 1, h, w, 0, out);
  } else {
    const MatrixView<T> y = room(scratch, columns(), w.columns);
    // columns x n_in times n_in x n_out
    multiply<T>(team, Op::none, Op::none, 1, z, w, 0, y);
    smooth(team, y, out);
  }
}

template <typename T>
void Propagation<T>::backward(Team& team, MatrixView<const T> g, MatrixView<const T> w, std::span<T> scratch,
                              MatrixView<T> out) const {
  if (order(Map::backward, w.rows, w.columns) == Order::nodes_first) {
    const MatrixView<T> h = room(scratch, columns(), w.columns);
    smooth_back(team, g, h);
    // columns x n_out times n_out x n_in
    multiply<T>(team, Op::none, Op::transpose, 1, h, w, 0, out);
  } else {
    const MatrixView<T> y = room(scratch, rows(), w.rows);
    // rows x n_out times n_out x n_in
    multiply<T>(team, Op::none, Op::transpose, 1, g, w, 0, y);
    smooth_back(team, y, out);
  }
}

template <typename T>
InputMap<T>::InputMap(Team& team, Csr<T> a, Features<T> x, Adjoints adjoints) : rows_(a.rows), features_(x.columns()) {
  if (!x.is_sparse) {
    dense_ = Matrix<T>(rows_, features_);
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

template <typename T>
ProductCost InputMap<T>::cost(std::size_t outputs) const {
  if (kind_ == Kind::dense) return {0, product_flops(rows_, features_, outputs)};
  const ProductCost x = sparse_cost<T>(x_.entries(), x_.rows, outputs);
  return kind_ == Kind::product ? x : x + sparse_cost<T>(a_.entries(), a_.rows, outputs);
}

template <typename T>
std::size_t InputMap<T>::scratch_entries(std::size_t outputs) const {
  return kind_ == Kind::factors ? x_.rows * outputs : 0;
}

template <typename T>
void InputMap<T>::forward(Team& team, MatrixView<const T> w, std::span<T> scratch, MatrixView<T> out) const {
  switch (kind_) {
    case Kind::dense:
      // rows x features times features x n_out
      return multiply<T>(team, Op::none, Op::none, 1, dense_.view(), w, 0, out);
    case Kind::product:
      return multiply<T>(team, x_.view(), w, out);
    case Kind::factors:
      break;
  }
  const MatrixView<T> y = room(scratch, x_.rows, w.columns);
  multiply<T>(team, x_.view(), w, y);
  multiply<T>(team, a_.view(), y, out);
}

template <typename T>
void InputMap<T>::gradient(Team& team, PieceSums<T>& sums, MatrixView<const T> g, std::span<T> scratch,
                           MatrixView<T> out) const {
  switch (kind_) {
    case Kind::dense:
      // features x rows times rows x n_out
      return sum_products<T>(team, sums, dense_.view(), g, out);
    case Kind::product:
      return multiply<T>(team, x_transposed_.view(), g, out);
    case Kind::factors:
      break;
  }
  const MatrixView<T> y = room(scratch, x_.rows, g.columns);
  multiply<T>(team, a_transposed_.view(), g, y);
  multiply<T>(team, x_transposed_.view(), y, out);
}

template class Propagation<float>;
template class Propagation<double>;
template class InputMap<float>;
template class InputMap<double>;

}  // namespace dladmm
