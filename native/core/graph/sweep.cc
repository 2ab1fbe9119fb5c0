// A sweep of dlADMM on a graph, and how long its products alone take.
#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

#include "core/graph/state.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {

template <typename T>
bool GraphState<T>::update(GraphUpdate update, const GraphPenalties& p, GraphUpdateRecord& record) {
  const auto [block, l] = update;
  switch (block) {
    case GraphBlock::W:
      return is_output(l) && setup_.output_weights == OutputWeights::cholesky ? update_output_W_exactly(p, record)
                                                                              : update_W(l, p, record);
    case GraphBlock::Z:
      return is_output(l) ? update_output_Z(p, record) : update_hidden_Z(l, p, record);
    case GraphBlock::U:
      break;
  }
  return update_U(p);
}

template <typename T>
void GraphState<T>::run(std::span<const GraphUpdate> updates, const GraphPenalties& p, const std::atomic<bool>& stop,
                        GraphSweepRecord& record) {
  need_start(of_U_);
  const AtWork here(stop);
  finite_.keep();
  const bool finite = run_sweep(
      record, updates.size(), stop, [&](std::size_t i) { return update(updates[i], p, record.updates[i]); },
      [&] {
        measure(p, record.measures);
        // No update looks at all that it writes. The Lagrangian does: every variable is in it.
        return std::isfinite(record.measures.lagrangian);
      });
  if (finite) return;
  finite_.restore();
  for (std::size_t l = 1; l <= depth(); ++l) advance_W(l);
}

template <typename T>
double GraphState<T>::product_seconds(std::span<const GraphUpdate> updates, int repeats) {
  need_start(of_U_);
  const AtWork here;
  for (std::size_t l = 1; l <= depth(); ++l) {
    settle(due_on_P(l));
    settle(due_on_Z(l));
  }
  for (const std::span<T> all : {direction_.span(), gradient_.span(), pull_.span()}) {
    std::fill(all.begin(), all.end(), static_cast<T>(1e-3));
  }
  const auto products = [&](GraphUpdate update) {
    const auto [block, l] = update;
    if (block == GraphBlock::U || (block == GraphBlock::Z && is_output(l))) return;
    const std::size_t of = block == GraphBlock::W ? l : l + 1;
    const Layer& it = layer(of);
    const MatrixView<T> d = room_for_image(of);
    const MatrixView<T> q(pull_.data(), d.rows, d.columns);
    if (block == GraphBlock::Z) {
      const MatrixView<T> g = room_for_gradient(l);
      propagation(of).backward(team_, q, it.W.view(), room_for_scratch(), g);
      propagation(of).forward(team_, g, it.W.view(), room_for_scratch(), d);
      return;
    }
    const MatrixView<T> s(direction_.data(), it.W.rows(), it.W.columns());
    smoothed_.forget();
    if (is_output(l) && setup_.output_weights == OutputWeights::cholesky) {
      const MatrixView<const T> h = smoothed(l);
      static_cast<void>(solve_output_W(1, h, {right_side_.data(), u_.rows(), u_.columns()}, s));
      // T x n_{L-1} times n_{L-1} x n_L
      multiply<T>(team_, blas::Op::none, blas::Op::none, 1, h, s, 0, d);
      return;
    }
    weight_gradient(l, q, s);
    propagate(l, s, d);
  };
  double sum = 0;
  for (const GraphUpdate update : updates) {
    double best = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < repeats; ++repeat) {
      const Clock clock;
      products(update);
      best = std::min(best, clock.seconds());
    }
    sum += best;
  }
  return sum;
}

#define DLADMM_INSTANTIATE(T)                                                                                     \
  template void GraphState<T>::run(std::span<const GraphUpdate>, const GraphPenalties&, const std::atomic<bool>&, \
                                   GraphSweepRecord&);                                                            \
  template double GraphState<T>::product_seconds(std::span<const GraphUpdate>, int);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
