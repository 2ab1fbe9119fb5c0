// The a_l update: a quadratic step (dlADMM, eq. 3 and 16, Algorithms 2 and 5), and the hidden z_l (eq. 4 and 14).
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// z_l <- argmin of (ν/2)‖z − P_l − b_l‖² + (γ/2)‖a_l − f(z)‖², entry by entry.
template <typename T>
bool LayeredState<T>::update_hidden_z(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  pass(
      {product(l), activation(l)}, {},
      [&](unsigned, Rows, Rows rows, Partial& partial) {
        const auto sums =
            kernels::hidden_z<T>(activation_function(), rows_of(it.P.view(), rows), it.b, rows_of(it.a.view(), rows),
                                 static_cast<T>(p.gamma / p.nu), rows_of(it.z.view(), rows),
                                 std::span(partial.columns[0]).first(it.b.size()));
        partial.scalars[kResidual] += sums.residual;
        partial.scalars[kActivation] += sums.activation;
      },
      [](unsigned, Rows, Partial&) {});
  know_hidden_z(l);
  return std::isfinite(it.residual) && std::isfinite(it.activation);
}

// What a pass that renewed z_l found on its way.
template <typename T>
void LayeredState<T>::know_hidden_z(std::size_t l) {
  Layer& it = layer(l);
  sums_.columns(0, it.difference_sums, 1, 0);
  it.difference_known = true;
  it.residual = sums_.scalar(kResidual);
  it.residual_known = true;
  it.activation = sums_.scalar(kActivation);
  it.activation_known = true;
}

// One pass gives everything that the step needs: with w the penalty of layer l + 1,
//   g = (w (P_{l+1} + b_{l+1} − z_{l+1}) − u) W_{l+1} + γ (a_l − f(z_l)),   κ = (w‖g Wᵀ‖² + γ‖g‖²)/‖g‖².
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
  const auto residual_block = [&](unsigned member, std::size_t count) {
    return MatrixView<T>(spaces_[member].first.flat().data(), count, m);
  };
  const Held also = with_z ? product(l) : product(l + 1);

  pass(
      {activation(l), product(l + 1), also}, {{gradient_slot, n}, {image_slot, m}},
      [&](unsigned member, Rows block, Rows rows, Partial& partial) {
        const std::size_t first = rows.first - block.first;
        const auto a = rows_of(it.a.view(), rows);
        const auto z = rows_of(it.z.view(), rows);
        if (with_z) {
          const auto sums =
              kernels::hidden_z<T>(activation_function(), rows_of(it.P.view(), rows), it.b, a,
                                   static_cast<T>(p.gamma / p.nu), z, std::span(partial.columns[0]).first(n));
          partial.scalars[kResidual] += sums.residual;
          partial.scalars[kActivation] += sums.activation;
        }
        kernels::activation_pull<T>(activation_function(), a, z, static_cast<T>(p.gamma),
                                    slot_block(gradient_slot, block, n).rows_from(first, rows.count));
        kernels::weighted_residual<T>(rows_of(next.P.view(), rows), next.b, rows_of(next.z.view(), rows),
                                      rows_of(u, rows), static_cast<T>(weight),
                                      residual_block(member, block.count).rows_from(first, rows.count));
      },
      [&](unsigned member, Rows block, Partial& partial) {
        const MatrixView<T> g = slot_block(gradient_slot, block, n);
        const MatrixView<T> image = slot_block(image_slot, block, m);
        blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), residual_block(member, block.count), next.W.view(), T(1),
                      g);
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), g, next.W.view(), T(0), image);
        partial.scalars[kDirection] += kernels::square_norm<T>(g);
        partial.scalars[kImage] += kernels::square_norm<T>(image, std::span(partial.columns[1]).first(m));
      });

  if (with_z) {
    know_hidden_z(l);
    if (!std::isfinite(it.residual) || !std::isfinite(it.activation)) return false;
  }
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
  hold(gradient_slot, activation(l), n, scale, last);
  hold(image_slot, product(l + 1), m, scale, false);
  if (next.difference_known) sums_.columns(1, next.difference_sums, scale, 1);
  it.activation_known = false;
  changed_product(l + 1);
  return true;
}

template bool LayeredState<float>::update_hidden_z(std::size_t, const Penalties&);
template bool LayeredState<double>::update_hidden_z(std::size_t, const Penalties&);
template void LayeredState<float>::know_hidden_z(std::size_t);
template void LayeredState<double>::know_hidden_z(std::size_t);
template bool LayeredState<float>::update_a(std::size_t, const Penalties&, bool, bool, UpdateRecord&);
template bool LayeredState<double>::update_a(std::size_t, const Penalties&, bool, bool, UpdateRecord&);

}  // namespace dladmm
