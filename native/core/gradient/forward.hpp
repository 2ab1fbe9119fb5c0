// The forward pass of a multilayer perceptron: h_l = f(W_l h_{l-1} + b_l), the last layer linear.
#pragma once

#include <algorithm>
#include <span>
#include <type_traits>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/functions/loss.hpp"
#include "core/functions/softmax_lanes.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/linalg/blas.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

template <typename T>
struct LayerParameters {
  MatrixView<const T> W;  // n_l x n_{l-1}
  std::span<const T> b;   // n_l
};

// What one member of the team needs for a block of samples. Allocated once, used by every pass.
template <typename T>
struct Workspace {
  Matrix<T> first;           // block x widest layer
  Matrix<T> second;          // block x widest layer
  std::vector<double> work;  // for losses

  Workspace(std::size_t block, std::size_t widest, std::size_t outputs)
      : first(block, widest), second(block, widest), work(kLossWork * outputs) {}
  [[nodiscard]] static double required_bytes(std::size_t block, std::size_t widest, std::size_t outputs) {
    return 2 * sizeof(T) * static_cast<double>(block) * static_cast<double>(widest) +
           kLossWork * sizeof(double) * static_cast<double>(outputs);
  }
};

// The labels (classification) or target rows (regression) that go with a set of samples.
template <typename T>
struct Targets {
  std::span<const std::int32_t> labels;
  MatrixView<const T> values;
  std::span<const double> weights = {};  // of the samples; none where all count alike

  // Target i; values are converted into `scratch`.
  [[nodiscard]] SampleTarget of(std::size_t i, std::span<double> scratch) const {
    const double weight = weights.empty() ? 1 : weights[i];
    if (!labels.empty()) return {labels[i], {}, weight};
    const T* const row = values.row(i);
    for (std::size_t j = 0; j < values.columns; ++j) scratch[j] = static_cast<double>(row[j]);
    return {0, scratch.first(values.columns), weight};
  }
};

// block x n_l <- (block x n_{l-1}) (n_l x n_{l-1})ᵀ
template <typename T>
void through_weights(MatrixView<const T> x, MatrixView<const T> W, MatrixView<T> out) {
  blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), x, W, T(0), out);
}
template <typename T>
void through_weights(const CsrView<T>& x, MatrixView<const T> W, MatrixView<T> out) {
  multiply_transposed<T>(x, W, out);
}

// Outputs of the network for a block of samples, in one of the two matrices of `space`. x: block rows x n_0, dense or
// sparse.
template <typename T, typename X>
MatrixView<const T> forward_block(std::span<const LayerParameters<T>> layers, Activation activation, const X& x,
                                  Workspace<T>& space) {
  MatrixView<const T> h;
  // Without a layer, as where a splitting has kept the products of the only one, x is what comes out.
  if constexpr (std::is_convertible_v<X, MatrixView<const T>>) h = x;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    const Matrix<T>& storage = l % 2 == 0 ? space.first : space.second;
    const MatrixView<T> out(storage.flat().data(), x.rows, layer.W.rows);
    if (l == 0) {
      through_weights<T>(x, layer.W, out);
    } else {
      through_weights<T>(h, layer.W, out);
    }
    elementwise::add_bias_and_activate<T>(l + 1 < layers.size() ? activation : Activation::identity(), out, layer.b,
                                          out);
    h = out;
  }
  return h;
}

// The loss over the outputs of some samples, the first of which has target `first`. `work` holds loss_work numbers.
template <typename T>
ForwardLoss loss_of_rows(const Loss& loss, MatrixView<const T> outputs, const Targets<T>& targets, std::size_t first,
                         std::span<double> work) {
  return loss_over_rows(
      loss, outputs.rows, outputs.columns, work, [&](std::size_t i) { return outputs.row(i); },
      [&](std::size_t i, std::span<double> scratch) { return targets.of(first + i, scratch); },
      [](std::size_t, std::span<const double>) {});
}

// R of the outputs, summed over the samples, and the number of samples whose outputs name the label's class: one
// forward pass over x by the team, pieces of at most `block` samples at a time.
template <typename T, typename X>
ForwardLoss evaluate(Team& team, std::span<Workspace<T>> spaces, std::size_t block,
                     std::span<const LayerParameters<T>> layers, Activation activation, const Loss& loss, const X& x,
                     const Targets<T>& targets) {
  const std::size_t largest = std::max<std::size_t>(1, SampleCut(x.rows).pieces.largest());
  const Pieces pieces = pieces_of(x.rows, std::min(block, largest));
  std::vector<ForwardLoss> parts(pieces.count);
  double flops = 0;
  for (const auto& it : layers) flops += 2 * static_cast<double>(it.W.rows) * static_cast<double>(it.W.columns);
  team.run(pieces.count, static_cast<double>(x.rows) * flops, [&](std::size_t piece, unsigned member) {
    const Rows rows = pieces[piece];
    const auto outputs = forward_block<T>(layers, activation, x.rows_from(rows), spaces[member]);
    parts[piece] = loss_of_rows<T>(loss, outputs, targets, rows.first, spaces[member].work);
  });
  return sum_found(parts);
}

}  // namespace dladmm
