#include "core/graph/forward.hpp"

#include <algorithm>
#include <utility>

#include "core/functions/elementwise.hpp"

namespace dladmm {
namespace {

std::size_t widest(const Network& network) {
  return *std::max_element(network.widths.begin() + 1, network.widths.end());
}

}  // namespace

template <typename T>
GraphForward<T>::GraphForward(Team& team, const Network& network, const Csr<T>& a, Features<T> x)
    : network_(network), input_(team, a, std::move(x), Adjoints::without), propagation_(a, Adjoints::without) {
  std::size_t scratch = input_.scratch_entries(network.outputs(1));
  for (std::size_t l = 2; l <= network.layers(); ++l) {
    scratch = std::max(scratch, propagation_.scratch_entries(network.inputs(l), network.outputs(l)));
  }
  scratch_ = Buffer<T>(scratch);
  first_ = Buffer<T>(a.rows * widest(network));
  if (network.layers() > 1) second_ = Buffer<T>(a.rows * widest(network));
}

template <typename T>
double GraphForward<T>::working_bytes(const Network& network, std::size_t nodes) {
  return 3 * sizeof(T) * static_cast<double>(nodes) * static_cast<double>(widest(network));
}

template <typename T>
MatrixView<const T> GraphForward<T>::outputs(Team& team, std::span<const MatrixView<const T>> weights) {
  const std::size_t n = nodes();
  MatrixView<T> z(first_.data(), n, network_.outputs(1));
  input_.forward(team, weights[0], scratch_.span(), z);
  for (std::size_t l = 2; l <= network_.layers(); ++l) {
    each_piece(team, n, z.columns, [&](Rows rows, unsigned) {
      const MatrixView<T> part = z.rows_from(rows.first, rows.count);
      elementwise::activate<T>(network_.activation, part, part);
    });
    T* const other = z.data == first_.data() ? second_.data() : first_.data();
    const MatrixView<T> next(other, n, network_.outputs(l));
    propagation_.forward(team, z, weights[l - 1], scratch_.span(), next);
    z = next;
  }
  return z;
}

template class GraphForward<float>;
template class GraphForward<double>;

}  // namespace dladmm
