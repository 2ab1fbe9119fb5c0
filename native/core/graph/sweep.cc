// A sweep: the updates in order, one record each.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/graph/state.hpp"

namespace dladmm {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

template <typename T>
bool GraphState<T>::update(GraphUpdate update, const GraphPenalties& p, GraphUpdateRecord& record) {
  const auto [block, l] = update;
  switch (block) {
    case GraphBlock::W:
      if (!is_output(l)) return update_hidden_W(l, p, record);
      return setup_.output_weights == OutputWeights::cholesky ? update_output_W_exactly(p, record)
                                                              : update_output_W(p, record);
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
  const double began = seconds_now();
  refresh_if_stale();
  keep_finite();
  record.updates.assign(updates.size(), {kNone, kNone, kNone, -1, false, -1, kNone, kNone, 0});
  record.completed = 0;
  record.stopped = false;
  record.diverged = false;
  double before = seconds_now();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (stop.load(std::memory_order_relaxed)) {
      record.stopped = true;
      break;
    }
    if (!update(updates[i], p, record.updates[i])) {
      record.diverged = true;
      break;
    }
    const double now = seconds_now();
    record.updates[i].seconds = now - before;
    before = now;
    record.completed = i + 1;
  }
  if (!record.diverged) {
    measure(p, record.measures);
    // No update looks at all that it writes. The Lagrangian does: every variable is in it.
    if (!std::isfinite(record.measures.lagrangian)) {
      record.diverged = true;
      record.completed -= std::min<std::size_t>(record.completed, 1);
    }
  }
  if (record.diverged) restore_finite();
  record.seconds = seconds_now() - began;
}

template <typename T>
double GraphState<T>::product_seconds(std::span<const GraphUpdate> updates, int repeats) {
  refresh_if_stale();
  for (const std::span<T> all : {direction_.span(), gradient_.span(), pull_.span()}) {
    std::fill(all.begin(), all.end(), static_cast<T>(1e-3));
  }
  const auto products = [&](GraphUpdate update) {
    const auto [block, l] = update;
    if (block == GraphBlock::U || (block == GraphBlock::Z && is_output(l))) return;
    const std::size_t of = block == GraphBlock::W ? l : l + 1;
    const Layer& it = layer(of);
    const MatrixView<T> q(pull_.data(), it.P.rows(), it.P.columns());
    const MatrixView<T> d(image_.data(), it.P.rows(), it.P.columns());
    if (block == GraphBlock::Z) {
      const MatrixView<T> g(gradient_.data(), layer(l).Z.rows(), layer(l).Z.columns());
      propagation(of).backward(team_, q, it.W.view(), scratch_.span(), g);
      propagation(of).forward(team_, g, it.W.view(), scratch_.span(), d);
      return;
    }
    const MatrixView<T> s(direction_.data(), it.W.rows(), it.W.columns());
    if (is_output(l) && setup_.output_weights == OutputWeights::cholesky) {
      const MatrixView<T> target(right_side_.data(), it.Z.rows(), it.W.columns());
      static_cast<void>(solve_output_W(1, target, s));
      multiply_dense<T>(team_, false, false, h_.view(), s, d);
      return;
    }
    weight_gradient(l, q, s);
    propagate(l, s, d);
  };
  double sum = 0;
  for (const GraphUpdate update : updates) {
    double best = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < repeats; ++repeat) {
      const double began = seconds_now();
      products(update);
      best = std::min(best, seconds_now() - began);
    }
    sum += best;
  }
  return sum;
}

#define DLADMM_INSTANTIATE(T)                                                                                     \
  template bool GraphState<T>::update(GraphUpdate, const GraphPenalties&, GraphUpdateRecord&);                    \
  template void GraphState<T>::run(std::span<const GraphUpdate>, const GraphPenalties&, const std::atomic<bool>&, \
                                   GraphSweepRecord&);                                                            \
  template double GraphState<T>::product_seconds(std::span<const GraphUpdate>, int);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
