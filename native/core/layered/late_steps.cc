// Steps of P_l and a_l that wait until the next pass over the samples, and are taken there.
#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

template <typename T>
MatrixView<T> LayeredState<T>::slot_rows(std::size_t slot, Rows rows, std::size_t width) const {
  const std::size_t first = cut_.pieces.around(rows.first).first;
  return found(
      MatrixView<T>(slots_[slot].storage.data() + first * widest_ + (rows.first - first) * width, rows.count, width));
}

template <typename T>
void LayeredState<T>::take_step(std::size_t s, Rows rows, Partial& partial) {
  const Slot& slot = slots_[s];
  Layer& it = layer(slot.of.layer);
  const MatrixView<T> variable = rows_of(slot.of.kind == Quantity::activation ? it.a.view() : it.P.view(), rows);
  elementwise::step_back<T>(variable, slot.step.scale, slot_rows(s, rows, variable.columns));
  if (slot.measure) {
    partial.scalars[kMeasured] += elementwise::activation_miss<T>(function(), variable, rows_of(it.z.view(), rows));
  }
}

template <typename T>
void LayeredState<T>::bring_activations() {
  for (std::size_t l = 1; l < depth(); ++l) bring(activation(l));
}

template <typename T>
std::size_t LayeredState<T>::free_slot() {
  return waits(slots_[0]) && !waits(slots_[1]) && slots_[1].storage.size() != 0 ? 1 : 0;
}

template <typename T>
void LayeredState<T>::take_late(std::size_t s, Quantity of, const Stamp& from, double scale, bool measure) {
  Slot& slot = slots_[s];
  slot.of = of;
  slot.width = of.kind == Quantity::activation ? layer(of.layer).a.columns() : layer(of.layer).P.columns();
  slot.step = {from, present(of), static_cast<T>(scale)};
  slot.measure = measure;
}

#define DLADMM_INSTANTIATE(T)                                                              \
  template MatrixView<T> LayeredState<T>::slot_rows(std::size_t, Rows, std::size_t) const; \
  template void LayeredState<T>::take_step(std::size_t, Rows, Partial&);                   \
  template void LayeredState<T>::bring_activations();                                      \
  template std::size_t LayeredState<T>::free_slot();                                       \
  template void LayeredState<T>::take_late(std::size_t, Quantity, const Stamp&, double, bool);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
