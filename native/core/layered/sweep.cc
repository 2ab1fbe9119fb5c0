// A sweep: the updates in order, one record each.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// Runs updates[i]; where the next one can ride on the same pass, it is run too and i advances past it.
template <typename T>
bool LayeredState<T>::update(std::span<const Update> updates, std::size_t& i, const Penalties& p, SweepRecord& record) {
  const auto [block, l] = updates[i];
  const auto touched_later = [&](std::size_t from) {
    for (std::size_t j = from; j < updates.size(); ++j) {
      const auto& later = updates[j];
      if (later.layer == l && (later.block == Block::a || later.block == Block::z)) return true;
    }
    return false;
  };
  if (!(block == Block::W && l == 1)) direction_continues_ = false;

  switch (block) {
    case Block::W: {
      if (step_of_W(l) != StepKind::quadratic) return update_W_exactly(l, p, record.updates[i]);
      if (!update_W(l, p, record.updates[i])) return false;
      if (!setup_.joint_bias) return true;
      direction_continues_ = false;
      return update_b(l, p);
    }
    case Block::b:
      return update_b(l, p);
    case Block::u:
      return update_u(p);
    case Block::a:
      return step_of_a(l) == StepKind::quadratic ? update_a(l, p, false, !touched_later(i + 1), record.updates[i])
                                                 : update_a_exactly(l, p, record.updates[i]);
    case Block::z:
      break;
  }
  if (is_output(l)) {
    return p.output == OutputSolver::fista ? update_output_z_fista(p, record.updates[i])
                                           : update_output_z(p, record.updates[i]);
  }
  const bool a_follows = i + 1 < updates.size() && updates[i + 1].block == Block::a && updates[i + 1].layer == l;
  if (!a_follows || step_of_a(l) != StepKind::quadratic) return update_hidden_z(l, p);
  if (update_a(l, p, true, !touched_later(i + 2), record.updates[i + 1])) {
    ++i;
    return true;
  }
  // Which of the two met the value that is not finite?
  if (std::isfinite(layer(l).residual) && std::isfinite(layer(l).activation)) ++i;
  return false;
}

template <typename T>
void LayeredState<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop,
                          SweepRecord& record) {
  const double began = seconds_now();
  refresh_if_stale();
  keep_finite();
  direction_continues_ = false;
  record.updates.assign(updates.size(), {kNone, kNone, kNone, -1, kNone, kNone, -1, kNone, 0});
  record.completed = 0;
  record.stopped = false;
  record.diverged = false;
  double before = seconds_now();
  for (std::size_t i = 0; i < updates.size(); ++i) {
    if (stop.load(std::memory_order_relaxed)) {
      record.stopped = true;
      break;
    }
    if (!update(updates, i, p, record)) {
      record.diverged = true;
      record.completed = i;
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

template bool LayeredState<float>::update(std::span<const Update>, std::size_t&, const Penalties&, SweepRecord&);
template bool LayeredState<double>::update(std::span<const Update>, std::size_t&, const Penalties&, SweepRecord&);
template void LayeredState<float>::run(std::span<const Update>, const Penalties&, const std::atomic<bool>&,
                                       SweepRecord&);
template void LayeredState<double>::run(std::span<const Update>, const Penalties&, const std::atomic<bool>&,
                                        SweepRecord&);

}  // namespace dladmm
