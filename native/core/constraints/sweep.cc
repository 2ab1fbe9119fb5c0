// A sweep: the updates in order, one record each.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

#include "core/constraints/kernels.hpp"
#include "core/constraints/pass.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::constraints {
namespace {

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

}  // namespace

// Λ_l <- Λ_l + β_l (σ(V_{l-1} W_lᵀ + b_l) − V_l)
template <typename T>
bool State<T>::update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  pass({l}, [&](unsigned, Rows rows, Partial& partial) {
    partial.scalars[kStep] +=
        kernels::dual_step<T>(rows_of(it.S, rows), rows_of(it.V, rows), beta_of(l, p), rows_of(it.Lambda, rows));
  });
  record.step_norm = sums_.scalar(kStep);
  changed_Lambda(l);
  return std::isfinite(record.step_norm);
}

template <typename T>
bool State<T>::update(const Update& update, const Penalties& p, UpdateRecord& record) {
  switch (update.block) {
    case Block::W:
      return update_W(update.layer, p, record);
    case Block::V:
      return is_output(update.layer) ? update_output_V(p, record) : update_hidden_V(update.layer, p, record);
    case Block::Lambda:
      return update_Lambda(update.layer, p, record);
    case Block::b:
      break;
  }
  return true;
}

template <typename T>
void State<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop,
                   SweepRecord& record) {
  const double began = seconds_now();
  note_beta(p);
  keep_finite();
  work_ = {};
  record.updates.assign(updates.size(), {kNone, kNone, kNone, kNone, 0});
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
    // Every variable is in it.
    if (!std::isfinite(record.measures.lagrangian) || !std::isfinite(record.measures.kkt)) {
      record.diverged = true;
      record.completed -= std::min<std::size_t>(record.completed, 1);
    }
  }
  if (record.diverged) restore_finite();
  record.work = work_;
  record.seconds = seconds_now() - began;
}

#define DLADMM_INSTANTIATE(T)                                                          \
  template bool State<T>::update_Lambda(std::size_t, const Penalties&, UpdateRecord&); \
  template bool State<T>::update(const Update&, const Penalties&, UpdateRecord&);      \
  template void State<T>::run(std::span<const Update>, const Penalties&, const std::atomic<bool>&, SweepRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::constraints
