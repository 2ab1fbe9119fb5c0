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

#define DLADMM_INSTANTIATE(T)                                                                                     \
  template bool GraphState<T>::update(GraphUpdate, const GraphPenalties&, GraphUpdateRecord&);                    \
  template void GraphState<T>::run(std::span<const GraphUpdate>, const GraphPenalties&, const std::atomic<bool>&, \
                                   GraphSweepRecord&);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
