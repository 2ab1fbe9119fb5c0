// The a_l update: a quadratic step (dlADMM, eq. 3 and 16, Algorithms 2 and 5), and the hidden z_l (eq. 4 and 14).
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// z_l <- argmin of (ν/2)‖z − P_l − b_l‖² + (γ/2)‖a_l − f(z)‖², entry by entry, for some rows.
template <typename T>
void LayeredState<T>::renew_hidden_z(std::size_t l, const Penalties& p, Rows rows, Partial& partial) {
  Layer& it = layer(l);
  const auto sums = kernels::hidden_z<T>(function(), rows_of(it.P.view(), rows), it.b, rows_of(it.a.view(), rows),
                                         static_cast<T>(p.gamma / p.nu), rows_of(it.z.view(), rows),
                                         std::span(partial.columns[0]).first(it.b.size()));
  partial.scalars[kResidual] += sums.first;
  partial.scalars[kActivation] += sums.second;
}

// What a pass that renewed z_l found on its way; false where it is not finite.
template <typename T>
bool LayeredState<T>::know_hidden_z(std::size_t l) {
  Layer& it = layer(l);
  version(Block::z, l).advance();
  set_differences(l);
  it.residual.set(sums_.scalar(kResidual), residual_stamp(l));
  it.activation.set(sums_.scalar(kActivation), activation_stamp(l));
  return std::isfinite(it.residual.value) && std::isfinite(it.activation.value);
}

template <typename T>
bool LayeredState<T>::update_hidden_z(std::size_t l, const Penalties& p) {
  pass({product(l), activation(l), pre_activation(l)}, {layer(l).z.view()},
       [&](unsigned, Rows rows, Partial& partial) { renew_hidden_z(l, p, rows, partial); });
  return know_hidden_z(l);
}

// Algorithm 2 (and 5). One pass gives everything that the step needs: with w the penalty of layer l + 1,
//
//     g = (w (P_{l+1} + b_{l+1} − z_{l+1}) − u) W_{l+1} + γ (a_l − f(z_l)),   κ = (w‖g Wᵀ‖² + γ‖g‖²)/‖g‖²,
//     a <- a − g/τ,   τ the first of t, tη, tη², … that is not below κ.
//
// `with_z`: the z_l update that comes just before rides on the same pass. `last`: no later update of the sweep touches
// a_l or z_l.
template <typename T>
bool LayeredState<T>::update_a(std::size_t l, const Penalties& p, bool with_z, bool last, UpdateRecord& record) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const MatrixView<T> u = multiplier_of(l + 1);
  const double weight = penalty_of(l + 1, p);
  const std::size_t n = it.b.size();
  const std::size_t m = next.b.size();
  constexpr std::size_t gradient_slot = 0;
  constexpr std::size_t image_slot = 1;

  next.back.set(team_, blas::Op::none, T(1), next.W.view());
  next.forward.set(team_, blas::Op::transpose, T(1), next.W.view());
  pass(
      {activation(l), pre_activation(l), product(l + 1), pre_activation(l + 1), with_z ? product(l) : product(l + 1)},
      {with_z ? it.z.view() : MatrixView<T>()}, {{gradient_slot, n}, {image_slot, m}}, at_once(),
      4 * static_cast<double>(n * m),
      [&](unsigned member, Rows block, Rows rows, Partial& partial) {
        if (with_z) renew_hidden_z(l, p, rows, partial);
        kernels::activation_pull<T>(function(), rows_of(it.a.view(), rows), rows_of(it.z.view(), rows),
                                    static_cast<T>(p.gamma), slot_rows(gradient_slot, rows, n));
        kernels::weighted_residual<T>(rows_of(next.P.view(), rows), next.b, rows_of(next.z.view(), rows),
                                      rows_of(u, rows), static_cast<T>(weight),
                                      room(member, block.count, m).rows_from(rows.first - block.first, rows.count));
      },
      [&](unsigned member, Rows rows, Partial& partial, Ahead& ahead) {
        const MatrixView<T> g = slot_rows(gradient_slot, rows, n);
        const MatrixView<T> image = slot_rows(image_slot, rows, m);
        // rows x n_l <- rows x n_{l+1}, n_{l+1} x n_l
        next.back.apply(room(member, rows.count, m), Onto::result, g, ahead);
        // rows x n_{l+1} <- rows x n_l, n_l x n_{l+1}
        next.forward.apply(g, Onto::nothing, image, ahead);
        partial.scalars[kDirection] += elementwise::square_norm<T>(g);
        partial.scalars[kImage] += elementwise::square_norm<T>(image, std::span(partial.columns[1]).first(m));
      });

  if (with_z && !know_hidden_z(l)) return false;
  const double g_norm = sums_.scalar(kDirection);
  const double image_norm = sums_.scalar(kImage);
  if (!std::isfinite(g_norm) || !std::isfinite(image_norm)) return false;
  record.kappa = 0;
  record.step_norm = 0;
  record.size = p.search == StepSearch::exact && it.last_tau > 0 ? it.last_tau : p.tau0;
  if (g_norm == 0) return true;

  record.kappa = (weight * image_norm + p.gamma * g_norm) / g_norm;
  record.size = accepted_size(p.search, p.tau0, p.growth, record.kappa);
  const double scale = 1 / record.size;
  if (!std::isfinite(record.kappa) || !std::isfinite(scale)) return false;
  it.last_tau = record.size;
  record.step_norm = scale * scale * g_norm;

  const Stamp a_before = present(activation(l));
  const Stamp product_before = present(product(l + 1));
  const bool differences_known = next.differences_made == differences_stamp(l + 1);
  version(Block::a, l).advance();
  take_late(gradient_slot, activation(l), a_before, scale, last);
  take_late(image_slot, product(l + 1), product_before, scale, false);
  if (differences_known) {
    sums_.columns(1, next.differences, scale, 1);
    next.differences_made = differences_stamp(l + 1);
  }
  return true;
}

#define DLADMM_INSTANTIATE(T)                                                    \
  template bool LayeredState<T>::update_hidden_z(std::size_t, const Penalties&); \
  template bool LayeredState<T>::update_a(std::size_t, const Penalties&, bool, bool, UpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
