// The layered splitting as named bytes: what a run that goes on later needs.
#include "core/layered/state.hpp"

namespace dladmm {

template <typename T>
std::vector<Section> LayeredState<T>::sections() {
  refresh_if_stale();
  settle_all();
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    out.push_back(section(section_name("W", l), it.W));
    out.push_back(section(section_name("b", l), it.b));
    out.push_back(section(section_name("z", l), it.z));
    if (!is_output(l)) out.push_back(section(section_name("a", l), it.a));
    out.push_back(section(section_name("theta", l), it.last_theta));
    out.push_back(section(section_name("tau", l), it.last_tau));
  }
  out.push_back(section("u", u_));
  out.push_back(section("u.sums", dual_sums_));
  return out;
}

template <typename T>
void LayeredState<T>::restored() {
  for (auto& slot : slots_) slot.pending = false;
  input_step_pending_ = false;
  for (auto& it : layers_) it.product_due = false;
  stale_ = false;
  know_gram();
  refresh();
}

template <typename T>
std::vector<Section> LayeredState<T>::kept_sections() {
  refresh_if_stale();
  settle_all();
  notes_.clear();
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    out.push_back(section(section_name("P", l), it.P));
    out.push_back(section(section_name("P.sums", l), it.difference_sums));
    const auto note = [&](bool known, double value) { notes_.insert(notes_.end(), {known ? 1.0 : 0.0, value}); };
    note(it.difference_known, 0);
    note(it.residual_known, it.residual);
    note(it.activation_known, it.activation);
  }
  notes_.insert(notes_.end(), {output_.known ? 1.0 : 0.0, output_.loss, output_.dual_product, output_.dual_norm,
                               output_.dual_identity});
  out.push_back(section("notes", notes_));
  return out;
}

template <typename T>
void LayeredState<T>::kept_restored() {
  const double* note = notes_.data();
  const auto known = [&] { return *note++ != 0; };
  const auto value = [&] { return *note++; };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    it.difference_known = known();
    value();
    it.residual_known = known();
    it.residual = value();
    it.activation_known = known();
    it.activation = value();
  }
  output_.known = known();
  output_.loss = value();
  output_.dual_product = value();
  output_.dual_norm = value();
  output_.dual_identity = value();
}

#define DLADMM_INSTANTIATE(T)                                     \
  template std::vector<Section> LayeredState<T>::sections();      \
  template void LayeredState<T>::restored();                      \
  template std::vector<Section> LayeredState<T>::kept_sections(); \
  template void LayeredState<T>::kept_restored();
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
