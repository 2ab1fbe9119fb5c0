// A sweep of the layered splitting: the updates in their order, two in one pass over the samples where that can be.
#include <algorithm>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// Runs updates[i]; where the next one can ride on the same pass, it is run too and i advances past it.
template <typename T>
bool LayeredState<T>::update(std::span<const Update> updates, std::size_t& i, const Penalties& p, SweepRecord& record) {
  const Block block = updates[i].block;
  const std::size_t l = updates[i].layer;
  const auto touched_later = [&](std::size_t from) {
    return std::any_of(
        updates.begin() + static_cast<std::ptrdiff_t>(std::min(from, updates.size())), updates.end(),
        [l](const Update& later) { return later.layer == l && (later.block == Block::a || later.block == Block::z); });
  };
  UpdateRecord& own = record.updates[i];
  switch (block) {
    case Block::W:
      if (step_of_W(l) != StepKind::quadratic) return update_W_exactly(l, p, own);
      return update_W(l, p, own) && (!setup_.joint_bias || update_b(l, p));
    case Block::b:
      return update_b(l, p);
    case Block::u:
      return update_u(p);
    case Block::a:
      if (step_of_a(l) != StepKind::quadratic) return update_a_exactly(l, p, own);
      return update_a(l, p, false, !touched_later(i + 1), own);
    case Block::z:
      break;
  }
  if (is_output(l)) {
    return p.output == OutputSolver::fista ? update_output_z_fista(p, own) : update_output_z(p, own);
  }
  const bool a_follows = i + 1 < updates.size() && updates[i + 1].block == Block::a && updates[i + 1].layer == l;
  if (!a_follows || step_of_a(l) != StepKind::quadratic) return update_hidden_z(l, p);
  const bool finite = update_a(l, p, true, !touched_later(i + 2), record.updates[i + 1]);
  // Where not, which of the two met the value that is not finite?
  if (finite || (std::isfinite(layer(l).residual.value) && std::isfinite(layer(l).activation.value))) ++i;
  return finite;
}

template <typename T>
void LayeredState<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& asked,
                          SweepRecord& record) {
  need_start(x_version_);
  const std::atomic<bool>& stop = this->heeded(asked);
  const AtWork here(stop);
  finite_.keep();
  // Penalties are others from run to run, and so that a run which goes on elsewhere has the same bits.
  direction_made_ = {};
  const bool finite = run_sweep(
      record, updates.size(), stop, [&](std::size_t& i) { return update(updates, i, p, record); },
      [&] {
        measure(p, record.measures);
        return std::isfinite(record.measures.lagrangian);
      });
  if (finite) return;
  finite_.restore();
  for (std::size_t l = 1; l <= depth(); ++l) {
    std::fill(layer(l).Y.flat().begin(), layer(l).Y.flat().end(), T(0));
    version(Block::W, l).advance();
    version(Block::b, l).advance();
  }
}

#define DLADMM_INSTANTIATE(T)                                                                                   \
  template bool LayeredState<T>::update(std::span<const Update>, std::size_t&, const Penalties&, SweepRecord&); \
  template void LayeredState<T>::run(std::span<const Update>, const Penalties&, const std::atomic<bool>&, SweepRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
