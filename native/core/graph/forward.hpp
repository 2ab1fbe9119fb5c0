// The forward pass of a graph convolutional network over all nodes: Z_l = f(Ã Z_{l-1} W_l), the last layer linear.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

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
  GraphForward(Team& team, const Network& network, const Csr<T>& a, Features<T> x);

  // Bytes that outputs() works in, for so many nodes.
  [[nodiscard]] static double working_bytes(const Network& network, std::size_t nodes);

  [[nodiscard]] std::size_t nodes() const { return propagation_.rows(); }

  // Z_L of all nodes, nodes x n_L, until the next call. W_l: n_{l-1} x n_l.
  MatrixView<const T> outputs(Team& team, std::span<const MatrixView<const T>> weights);

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
