#include "core/graph/propagation.hpp"

#include <algorithm>
#include <cassert>
#include <numeric>
#include <utility>

#include "core/linalg/blas.hpp"
#include "core/parallel/samples.hpp"

namespace dladmm {
namespace {

double dense_flops(std::size_t rows, std::size_t inner, std::size_t columns) {
  return 2 * static_cast<double>(rows) * static_cast<double>(inner) * static_cast<double>(columns);
}

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

template <typename T>
void multiply_dense(Team& team, bool transpose_a, bool transpose_b, MatrixView<const T> a, MatrixView<const T> b,
                    MatrixView<T> y) {
  const auto op = [](bool transpose) { return transpose ? blas::Op::transpose : blas::Op::none; };
  team.run([&](unsigned member) {
    SampleBlocks{y.rows, std::max<std::size_t>(y.rows, 1)}.each(member, team.size(), [&](Rows rows) {
      const MatrixView<const T> part = transpose_a
                                           ? MatrixView<const T>(a.data + rows.first, a.rows, rows.count, a.stride)
                                           : a.rows_from(rows.first, rows.count);
      blas::gemm<T>(op(transpose_a), op(transpose_b), T(1), part, b, T(0), y.rows_from(rows.first, rows.count));
    });
  });
}

template <typename T>
ProductCost Propagation<T>::cost(Map map, Order order, std::size_t inputs, std::size_t outputs) const {
  const bool nodes_first = order == Order::nodes_first;
  // The sparse product goes over n_in columns where it meets Z, over n_out where it meets what W made of it; the dense
  // one over as many rows as the sparse one has left.
  switch (map) {
    case Map::forward:
      return nodes_first
                 ? sparse_cost<T>(a_.entries(), rows(), inputs) + ProductCost{0, dense_flops(rows(), inputs, outputs)}
                 : sparse_cost<T>(a_.entries(), rows(), outputs) +
                       ProductCost{0, dense_flops(columns(), inputs, outputs)};
    case Map::backward:
      return nodes_first ? sparse_cost<T>(a_.entries(), columns(), outputs) +
                               ProductCost{0, dense_flops(columns(), inputs, outputs)}
                         : sparse_cost<T>(a_.entries(), columns(), inputs) +
                               ProductCost{0, dense_flops(rows(), inputs, outputs)};
    case Map::gradient:
      break;
  }
  return nodes_first
             ? sparse_cost<T>(a_.entries(), rows(), inputs) + ProductCost{0, dense_flops(rows(), inputs, outputs)}
             : sparse_cost<T>(a_.entries(), columns(), outputs) +
                   ProductCost{0, dense_flops(columns(), inputs, outputs)};
}

template <typename T>
Order Propagation<T>::order(Map map, std::size_t inputs, std::size_t outputs) const {
  return cost(map, Order::nodes_first, inputs, outputs).total() <=
                 cost(map, Order::weights_first, inputs, outputs).total()
             ? Order::nodes_first
             : Order::weights_first;
}

template <typename T>
std::size_t Propagation<T>::scratch_entries(std::size_t inputs, std::size_t outputs) const {
  return std::max(rows() * inputs, columns() * outputs);
}

template <typename T>
void Propagation<T>::forward(Team& team, MatrixView<const T> z, MatrixView<const T> w, std::span<T> scratch,
                             MatrixView<T> out) const {
  if (order(Map::forward, w.rows, w.columns) == Order::nodes_first) {
    const MatrixView<T> h = room(scratch, rows(), w.rows);
    multiply<T>(team, a_.view(), z, h);
    multiply_dense<T>(team, false, false, h, w, out);
  } else {
    const MatrixView<T> y = room(scratch, columns(), w.columns);
    multiply_dense<T>(team, false, false, z, w, y);
    multiply<T>(team, a_.view(), y, out);
  }
}

template <typename T>
void Propagation<T>::backward(Team& team, MatrixView<const T> g, MatrixView<const T> w, std::span<T> scratch,
                              MatrixView<T> out) const {
  if (order(Map::backward, w.rows, w.columns) == Order::nodes_first) {
    const MatrixView<T> h = room(scratch, columns(), w.columns);
    multiply<T>(team, transposed_.view(), g, h);
    multiply_dense<T>(team, false, true, h, w, out);
  } else {
    const MatrixView<T> y = room(scratch, rows(), w.rows);
    multiply_dense<T>(team, false, true, g, w, y);
    multiply<T>(team, transposed_.view(), y, out);
  }
}

template <typename T>
void Propagation<T>::gradient(Team& team, MatrixView<const T> z, MatrixView<const T> g, std::span<T> scratch,
                              MatrixView<T> out) const {
  if (order(Map::gradient, z.columns, g.columns) == Order::nodes_first) {
    const MatrixView<T> h = room(scratch, rows(), z.columns);
    multiply<T>(team, a_.view(), z, h);
    multiply_dense<T>(team, true, false, h, g, out);
  } else {
    const MatrixView<T> h = room(scratch, columns(), g.columns);
    multiply<T>(team, transposed_.view(), g, h);
    multiply_dense<T>(team, true, false, z, h, out);
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
  if (kind_ == Kind::dense) return {0, dense_flops(rows_, features_, outputs)};
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
      return multiply_dense<T>(team, false, false, dense_.view(), w, out);
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
void InputMap<T>::gradient(Team& team, MatrixView<const T> g, std::span<T> scratch, MatrixView<T> out) const {
  switch (kind_) {
    case Kind::dense:
      return multiply_dense<T>(team, true, false, dense_.view(), g, out);
    case Kind::product:
      return multiply<T>(team, x_transposed_.view(), g, out);
    case Kind::factors:
      break;
  }
  const MatrixView<T> y = room(scratch, x_.rows, g.columns);
  multiply<T>(team, a_transposed_.view(), g, y);
  multiply<T>(team, x_transposed_.view(), y, out);
}

#define DLADMM_INSTANTIATE(T)                                                                                  \
  template void multiply_dense<T>(Team&, bool, bool, MatrixView<const T>, MatrixView<const T>, MatrixView<T>); \
  template class Propagation<T>;                                                                               \
  template class InputMap<T>;

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
