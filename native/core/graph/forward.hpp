// The forward pass of a graph convolutional network over all nodes: Z_l = f(Ã Z_{l-1} W_l), the last layer linear.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/gradient/network.hpp"
#include "core/graph/propagation.hpp"

namespace dladmm {

// A graph with features, ready for forward passes.
template <typename T>
class GraphForward {
 public:
  GraphForward() = default;
  // Ã: nodes x nodes, X: nodes x n_0.
  GraphForward(Team& team, const Network& network, const Csr<T>& a, Features<T> x)
      : network_(network), input_(team, a, std::move(x), Adjoints::without), propagation_(a, Adjoints::without) {
    std::size_t scratch = input_.scratch_entries(network.outputs(1));
    for (std::size_t l = 2; l <= network.layers(); ++l) {
      scratch = std::max(scratch, propagation_.scratch_entries(network.inputs(l), network.outputs(l)));
    }
    scratch_ = Buffer<T>(scratch);
    first_ = Buffer<T>(a.rows * network.widest());
    if (network.layers() > 1) second_ = Buffer<T>(a.rows * network.widest());
  }

  [[nodiscard]] std::size_t nodes() const { return propagation_.rows(); }

  // Z_L of all nodes, nodes x n_L, until the next call. W_l: n_{l-1} x n_l.
  MatrixView<const T> outputs(Team& team, std::span<const MatrixView<const T>> weights) {
    const std::size_t n = nodes();
    MatrixView<T> z(first_.data(), n, network_.outputs(1));
    input_.forward(team, weights[0], scratch_.span(), z);
    for (std::size_t l = 2; l <= network_.layers(); ++l) {
      each_piece(team, n, z.columns, [&](Rows rows, unsigned) {
        const MatrixView<T> part = z.rows_from(rows);
        elementwise::activate<T>(network_.activation, part, part);
      });
      T* const other = z.data == first_.data() ? second_.data() : first_.data();
      const MatrixView<T> next(other, n, network_.outputs(l));
      propagation_.forward(team, z, weights[l - 1], scratch_.span(), next);
      z = next;
    }
    return z;
  }

 private:
  Network network_;
  InputMap<T> input_;
  Propagation<T> propagation_;
  Buffer<T> first_, second_, scratch_;
};

// Numbers that evaluate_nodes works in, a member of the team its own.
[[nodiscard]] inline std::vector<std::vector<double>> node_works(const Team& team, const Network& network) {
  return {team.size(), std::vector<double>(loss_work(network.widths.back()))};
}

// R of the outputs of the given nodes, summed, and the number of nodes whose outputs name the label's class.
template <typename T>
ForwardLoss evaluate_nodes(Team& team, std::span<std::vector<double>> works, const Loss& loss,
                           MatrixView<const T> outputs, std::span<const std::int32_t> labels,
                           std::span<const std::int32_t> nodes) {
  return sum_pieces<ForwardLoss>(team, nodes.size(), outputs.columns, [&](Rows rows, unsigned member) {
    const auto node_of = [&](std::size_t i) { return static_cast<std::size_t>(nodes[rows.first + i]); };
    return loss_over_rows(
        loss, rows.count, outputs.columns, works[member], [&](std::size_t i) { return outputs.row(node_of(i)); },
        [&](std::size_t i, std::span<double>) {
          return SampleTarget{labels[node_of(i)], {}};
        },
        [](std::size_t, std::span<const double>) {});
  });
}

}  // namespace dladmm
