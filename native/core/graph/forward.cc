#include "core/graph/forward.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/graph/kernels.hpp"

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
    team.run([&](unsigned member) {
      SampleBlocks{n, std::max<std::size_t>(n, 1)}.each(member, team.size(), [&](Rows rows) {
        graph::activate<T>(network_.activation, z.rows_from(rows.first, rows.count));
      });
    });
    T* const other = z.data == first_.data() ? second_.data() : first_.data();
    const MatrixView<T> next(other, n, network_.outputs(l));
    propagation_.forward(team, z, weights[l - 1], scratch_.span(), next);
    z = next;
  }
  return z;
}

template <typename T>
ForwardLoss evaluate_nodes(const Loss& loss, MatrixView<const T> outputs, std::span<const std::int32_t> labels,
                           std::span<const std::int32_t> nodes) {
  std::vector<double> z(outputs.columns);
  std::vector<double> work(outputs.columns);
  ForwardLoss found;
  for (const std::int32_t node : nodes) {
    const auto i = static_cast<std::size_t>(node);
    std::copy_n(outputs.row(i), outputs.columns, z.begin());
    found.loss += loss_value(loss, z, {labels[i], {}}, work);
    if (is_correct(loss, z, labels[i])) ++found.correct;
  }
  return found;
}

#define DLADMM_INSTANTIATE(T)                                                                             \
  template class GraphForward<T>;                                                                         \
  template ForwardLoss evaluate_nodes<T>(const Loss&, MatrixView<const T>, std::span<const std::int32_t>, \
                                         std::span<const std::int32_t>);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
