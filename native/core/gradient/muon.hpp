// Muon (K. Jordan et al., 2024; with decay: J. Liu et al., arXiv 2502.16982) for the weights of hidden layers, whose
// input and output are both hidden; all else goes by AdamW at a share of γ. G is the gradient of W, r x c.
//
//   M ← μ M + (1 − μ) G;  U = μ M + (1 − μ) G, or M without Nesterov's look ahead;  X = U / (‖U‖_F + 1e-7)
//   X ← 3.4445 X + (−4.7750 S + 2.0315 S²) X,  S = X Xᵀ, five times: its singular values come near 1
//   W ← (1 − γ λ) W − γ √max(1, r/c) X
#pragma once

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {

struct Muon {
  double momentum = 0.95;  // μ
  bool nesterov = true;
  std::size_t iterations = 5;  // of Newton and Schulz
  double weight_decay = 0;
  // Of AdamW.
  double share = 0.015;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-10;

  // M, or Adam's two moments.
  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 2; }
  [[nodiscard]] double initial_state() const { return 0; }
  [[nodiscard]] static bool takes(std::size_t layer, std::size_t depth) { return layer > 1 && layer < depth; }
};

// What is not a hidden layer's W.
template <typename T>
bool apply(const Muon& method, const Step& step, const Slice<T>& slice) {
  const Adam rest{method.beta1, method.beta2, method.epsilon, method.weight_decay, true};
  return apply<T>(rest, Step{method.share * step.rate, step.number, step.weights}, slice);
}

template <typename T>
struct MuonRoom {
  Buffer<T> x, next;  // as large as the largest W
  Buffer<T> s, p;     // S, −4.7750 S + 2.0315 S²

  template <typename Plan>
  void declare(Plan& plan, const Network& net) {
    std::size_t entries = 0;
    std::size_t gram = 0;
    for (std::size_t l = 2; l < net.layers(); ++l) {
      entries = std::max(entries, net.outputs(l) * net.inputs(l));
      gram = std::max(gram, std::min(net.outputs(l), net.inputs(l)));
    }
    for (Buffer<T>* const each : {&x, &next}) plan.buffer(*each, entries);
    for (Buffer<T>* const each : {&s, &p}) plan.buffer(*each, gram, gram);
  }
};

// False where W is no longer finite. W, G, M: r x c.
template <typename T>
[[nodiscard]] bool muon_step(Team& team, const Muon& method, double rate, MatrixView<T> w, MatrixView<const T> g,
                             MatrixView<T> m, const MuonRoom<T>& room) {
  using Op = blas::Op;
  const bool wide = w.rows <= w.columns;
  const std::size_t n = std::min(w.rows, w.columns);
  MatrixView<T> x(room.x.data(), w.rows, w.columns);
  MatrixView<T> next(room.next.data(), w.rows, w.columns);
  const MatrixView<T> s(room.s.data(), n, n);
  const MatrixView<T> p(room.p.data(), n, n);

  const T keep = static_cast<T>(method.momentum);
  const T take = static_cast<T>(1 - method.momentum);
  const T ahead = method.nesterov ? keep : T(1);
  const T now = method.nesterov ? take : T(0);
  const auto squares = sum_pieces<double>(team, w.rows, w.columns, [&](Rows rows, unsigned) {
    return entrywise::sum(
        [=](T gradient, T& moment, T& u) DLADMM_INLINE {
          moment = keep * moment + take * gradient;
          u = ahead * moment + now * gradient;
          return static_cast<double>(u) * static_cast<double>(u);
        },
        g.rows_from(rows), m.rows_from(rows), x.rows_from(rows));
  });
  const T scale = static_cast<T>(1 / (std::sqrt(squares) + 1e-7));
  each_piece(team, w.rows, w.columns,
             [&](Rows rows, unsigned) { entrywise::each([=](T& u) DLADMM_INLINE { u *= scale; }, x.rows_from(rows)); });

  for (std::size_t i = 0; i < method.iterations; ++i) {
    // n x n <- (n x c)(n x c)ᵀ or (r x n)ᵀ(r x n)
    multiply_and<T>(team, wide ? Op::none : Op::transpose, wide ? Op::transpose : Op::none, T(1), x, x, T(0), s,
                    [&](Rows rows, Rows columns) {
                      entrywise::each([](T from, T& to) DLADMM_INLINE { to = from; }, window(s, rows, columns),
                                      window(p, rows, columns));
                    });
    // n x n <- (n x n)(n x n)
    multiply<T>(team, Op::none, Op::none, static_cast<T>(2.0315), s, s, static_cast<T>(-4.7750), p);
    // r x c <- (n x n)(n x c) or (r x n)(n x n)
    multiply_and<T>(team, Op::none, Op::none, T(1), wide ? p : x, wide ? x : p, T(0), next,
                    [&](Rows rows, Rows columns) {
                      entrywise::each([](T& to, T from) DLADMM_INLINE { to += static_cast<T>(3.4445) * from; },
                                      window(next, rows, columns), window(x, rows, columns));
                    });
    std::swap(x, next);
  }

  const double tall = std::max(1.0, static_cast<double>(w.rows) / static_cast<double>(w.columns));
  const T stays = static_cast<T>(1 - rate * method.weight_decay);
  const T far = static_cast<T>(rate * std::sqrt(tall));
  return sum_pieces<double>(team, w.rows, w.columns, [&](Rows rows, unsigned) {
           const bool finite =
               entrywise::all_finite<T>([=](T& to, T u) DLADMM_INLINE { return to = stays * to - far * u; },
                                        w.rows_from(rows), x.rows_from(rows));
           return finite ? 0.0 : 1.0;
         }) == 0;
}

}  // namespace dladmm
