// ISAAC (F. Petersen, T. Sutter, C. Borgelt, D. Huh, H. Kuehne, Y. Sun, O. Deussen, "ISAAC Newton: Input-based
// Approximate Curvature for Newton's Method", ICLR 2023): gradients turned by the curvature of a layer's inputs in the
// batch alone, without any state. A: B x n_{l-1} of inputs, δ: B x n_l, D = diag(weights of the samples / B); the
// gradient of W in the first layers becomes
//
//   λ δᵀA (AᵀDA + λI)⁻¹
//     = (D^½ (I + D^½ A Aᵀ D^½ / λ)⁻¹ D^−½ δ)ᵀ A      where B < n_{l-1}: δ is turned, in the batch
//     = δᵀ (A (AᵀDA / λ + I)⁻¹)                       else, and where the batch lies on several ranks: A is turned
//
// Biases and the other layers have the gradient as it is; the step is that of Sgd.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>

#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/linalg/cholesky.hpp"
#include "core/linalg/tiled.hpp"
#include "core/runtime/ranks.hpp"

namespace dladmm {

struct Isaac {
  double damping = 10;     // λ
  std::size_t layers = 3;  // that are turned, from the first on
  double momentum = 0;
  double weight_decay = 0;

  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return momentum == 0 ? 0 : 1; }
  [[nodiscard]] double initial_state() const { return 0; }
  [[nodiscard]] bool takes(std::size_t layer) const { return layer <= layers; }
};

template <typename T>
bool apply(const Isaac& method, const Step& step, const Slice<T>& slice) {
  return apply<T>(Sgd{method.momentum, 0, method.weight_decay, false}, step, slice);
}

template <typename T>
struct IsaacRoom {
  Buffer<T> gram;                 // the smaller of B x B and n x n
  std::vector<Matrix<T>> turned;  // of a layer: δ or A, B rows
  std::vector<std::uint8_t> deltas;

  // Whether δ is turned, or A.
  [[nodiscard]] bool turns_delta(std::size_t l) const { return deltas[l - 1] != 0; }

  // `whole`: all of a batch is here.
  template <typename Plan>
  void declare(Plan& plan, const Isaac& method, const Network& net, std::size_t batch, bool whole) {
    turned.resize(std::min(net.layers(), method.layers));
    deltas.assign(turned.size(), 0);
    std::size_t side = 0;
    for (std::size_t l = 1; l <= turned.size(); ++l) {
      const bool by_delta = whole && batch < net.inputs(l);
      deltas[l - 1] = by_delta ? 1 : 0;
      side = std::max(side, by_delta ? batch : net.inputs(l));
      plan.matrix(turned[l - 1], batch, by_delta ? net.outputs(l) : net.inputs(l));
    }
    plan.buffer(gram, side, side);
  }
};

// Turns δ or A, of which `room` has a place for layer l, of the rows of a batch that are here; it has `batch` in all.
// weight(i) of row i. False where it is not finite, on all ranks.
template <typename T, typename WeightOf>
[[nodiscard]] bool isaac_turn(Team& team, const Isaac& method, std::size_t l, MatrixView<const T> a,
                              MatrixView<const T> delta, std::size_t batch, const Share& ranks,
                              const IsaacRoom<T>& room, WeightOf&& weight) {
  using Op = blas::Op;
  const bool by_delta = room.turns_delta(l);
  const std::size_t n = by_delta ? a.rows : a.columns;
  const MatrixView<T> gram(room.gram.data(), n, n);
  const MatrixView<T> turned = room.turned[l - 1].view().rows_from(0, a.rows);
  const T share = static_cast<T>(1 / (method.damping * static_cast<double>(batch)));
  const auto each_row = [&](MatrixView<const T> m, auto&& body) {
    each_piece(team, m.rows, m.columns, [&](Rows rows, unsigned) {
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) body(i, static_cast<T>(std::sqrt(weight(i))));
    });
  };
  if (by_delta) {
    // B x B <- (B x n)(B x n)ᵀ
    multiply<T>(team, Op::none, Op::transpose, share, a, a, T(0), gram);
    each_row(gram, [&](std::size_t i, T root) {
      for (std::size_t j = 0; j < n; ++j) gram.row(i)[j] *= root * static_cast<T>(std::sqrt(weight(j)));
      gram.row(i)[i] += T(1);
      for (std::size_t j = 0; j < delta.columns; ++j) turned.row(i)[j] = root == 0 ? T(0) : delta.row(i)[j] / root;
    });
    if (!cholesky_factor<T>(team, gram)) return false;
    cholesky_solve_columns<T>(team, gram, turned);
    each_row(turned, [&](std::size_t i, T root) {
      for (std::size_t j = 0; j < turned.columns; ++j) turned.row(i)[j] *= root;
    });
    return true;
  }
  each_row(a, [&](std::size_t i, T root) {
    for (std::size_t j = 0; j < n; ++j) turned.row(i)[j] = root * a.row(i)[j];
  });
  // n x n <- (B x n)ᵀ(B x n), over all ranks
  if (a.rows == 0) std::ranges::fill(std::span(gram.data, n * n), T(0));
  if (a.rows > 0) sum_products<T>(team, share, turned, turned, T(0), gram);
  ranks.sum(std::span(gram.data, n * n));
  for (std::size_t i = 0; i < n; ++i) gram.row(i)[i] += T(1);
  if (!cholesky_factor<T>(team, gram)) return false;
  if (a.rows == 0) return true;
  each_row(a, [&](std::size_t i, T) { std::copy_n(a.row(i), n, turned.row(i)); });
  cholesky_solve_rows<T>(team, gram, turned);
  return true;
}

}  // namespace dladmm
