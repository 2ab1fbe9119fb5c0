// The W_l update: a quadratic step (dlADMM, eq. 9 and 11, Algorithms 3 and 4), and b_l (eq. 6, 7, 12, 13).
#include <algorithm>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// Algorithm 3 (and 4), with w the penalty of layer l, S = ∇φ + λW and κ = w‖a Sᵀ‖²/‖S‖²:
//
//     W <- W − S/(θ + λ),  θ the first of α, αγ, αγ², … with φ(W − S/θ) ≤ P(W − S/θ; θ), which is θ ≥ κ.
template <typename T>
bool LayeredState<T>::update_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const double s_norm = find_direction_of_W(l, p);
  if (!std::isfinite(s_norm)) return false;
  const auto no_step = [&] {
    record.size = p.search == StepSearch::exact && it.last_theta > 0 ? it.last_theta : p.theta0;
    record.kappa = 0;
    record.step_norm = 0;
    direction_made_ = {};
    return true;
  };
  if (s_norm == 0) return no_step();

  const Image image = image_of_direction(l);
  record.kappa = penalty_of(l, p) * image.norm / s_norm;
  if (!std::isfinite(record.kappa)) return false;
  record.size = accepted_size(p.search, p.theta0, p.growth, record.kappa);
  const double scale = 1 / (record.size + p.l2);
  // The exact size of a direction that is itself rounding, or of inputs whose squares vanish, may be 0.
  if (!std::isfinite(static_cast<T>(scale))) return no_step();
  record.step_norm = scale * scale * s_norm;
  if (!std::isfinite(static_cast<T>(std::sqrt(record.step_norm)))) return false;
  it.last_theta = record.size;
  move_W(l, image, scale, p);
  return true;
}

// b_l <- the minimiser for the whole batch: the mean of z_l − P_l, plus the mean of u/ρ at the output.
template <typename T>
bool LayeredState<T>::update_b(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  if (it.differences_made != differences_stamp(l)) find_residual(l);
  const double* const duals = multiplier_of(l).data == nullptr ? nullptr : dual_sums().data();
  const auto samples = static_cast<double>(setup_.samples);
  for (std::size_t j = 0; j < it.b.size(); ++j) {
    const double mean = (it.differences[j] + (duals == nullptr ? 0 : duals[j] / p.rho)) / samples;
    if (!std::isfinite(static_cast<T>(mean))) return false;
    it.b[j] = static_cast<T>(mean);
  }
  version(Block::b, l).advance();
  return true;
}

// S = G + λW with G = (w (P_l + b_l − z_l) − u)ᵀ a_{l-1}, the gradient of the augmented Lagrangian in W_l; ‖S‖².
template <typename T>
double LayeredState<T>::find_direction_of_W(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> s = direction_of_W(l);
  const double weight = penalty_of(l, p);
  const bool known =
      l == 1 && direction_made_ == gradient_stamp(1) && direction_weight_ == weight && direction_l2_ == p.l2;
  if (!known) {
    direction_made_ = {};
    const MatrixView<T> u = multiplier_of(l);
    // n_l x n_{l-1} <- (samples x n_l)ᵀ, samples x n_{l-1}
    summing_pass({product(l), activation(l - 1), pre_activation(l)}, l, it.b.size(), false,
                 [&](Rows rows, Partial&, MatrixView<T> right) {
                   kernels::weighted_residual<T>(rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows),
                                                 rows_of(u, rows), static_cast<T>(weight), right);
                 });
    sums_.product(team_, s);
  }
  return over_parameters(l, kBand, [&](Rows rows) {
    if (!known && p.l2 > 0) {
      elementwise::step_back<T>(rows_of(s, rows), static_cast<T>(-p.l2), rows_of(it.W.view(), rows));
    }
    return elementwise::square_norm<T>(rows_of(s, rows));
  });
}

// The image a Sᵀ of the direction. For the first layer its norm comes through C = XᵀX, ‖X Sᵀ‖² = ⟨S C, S⟩, and P_1 is
// to follow by one product for all the steps until it is read; else it is the second product of the update.
template <typename T>
typename LayeredState<T>::Image LayeredState<T>::image_of_direction(std::size_t l) {
  const MatrixView<T> s = direction_of_W(l);
  const std::size_t n = s.rows;
  if (l == 1 && setup_.gram) {
    const MatrixView<T> c = gram().view();
    const double norm = over_parameters(l, kTile, [&](Rows rows) {
      const MatrixView<T> image = rows_of(image_.view(), rows);
      // n_1 x n_0 <- n_1 x n_0, n_0 x n_0
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), rows_of(s, rows), c, T(0), image);
      return elementwise::inner_product<T>(image, rows_of(s, rows));
    });
    return {std::isnan(norm) ? norm : std::max(norm, 0.0), true, 0};
  }
  const std::size_t slot = free_slot();
  const MatrixView<T> in = input_of(l);
  RowProduct<T>& times_s = layer(l).forward;
  times_s.set(team_, blas::Op::transpose, T(1), s);
  pass(
      {activation(l - 1)}, {{slot, n}}, at_once(), 2 * static_cast<double>(n * s.columns),
      [](unsigned, Rows, Rows, Partial&) {},
      [&](unsigned, Rows rows, Partial& partial, Ahead& ahead) {
        const MatrixView<T> image = slot_rows(slot, rows, n);
        // rows x n_l <- rows x n_{l-1}, n_{l-1} x n_l
        times_s.apply(rows_of(in, rows), Onto::nothing, image, ahead);
        partial.scalars[kImage] += elementwise::square_norm<T>(image, std::span(partial.columns[0]).first(n));
      });
  return {sums_.scalar(kImage), false, slot};
}

// W_l <- W_l − scale S. P_l follows late; Σ (z_l − P_l) at once.
template <typename T>
void LayeredState<T>::move_W(std::size_t l, const Image& image, double scale, const Penalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> s = direction_of_W(l);
  const Stamp before = product_stamp(l);
  const bool differences_known = it.differences_made == differences_stamp(l);
  const bool more = input_late_.applies(held(product(1)), before);
  const auto c = static_cast<T>(scale);
  over_parameters(l, kBand, [&](Rows rows) {
    const MatrixView<T> own = rows_of(s, rows);
    elementwise::step_back<T>(rows_of(it.W.view(), rows), c, own);
    if (!image.through_gram) return 0.0;
    // P_1 <- P_1 − X Dᵀ waits, D gathering the steps; Σ X Sᵀ = S Σ X.
    entrywise::each([c, more](T& d, T si) DLADMM_INLINE { d = (more ? d : T(0)) + c * si; },
                    rows_of(input_step_.view(), rows), MatrixView<const T>(own));
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      it.differences[i] +=
          scale * elementwise::inner_product<T, double>({s.row(i), 1, s.columns}, {input_sums_.data(), 1, s.columns});
    }
    // The direction of a W_1 update that follows at once: S − (w S C + λ S)/(θ + λ).
    entrywise::each([keep = static_cast<T>(1 - p.l2 * scale), w = static_cast<T>(penalty_of(l, p) * scale)](T& si, T ci)
                        DLADMM_INLINE { si = keep * si - w * ci; },
                    own, MatrixView<const T>(rows_of(image_.view(), rows)));
    return 0.0;
  });
  version(Block::W, l).advance();
  if (image.through_gram) {
    input_late_ = {more ? input_late_.from : before, product_stamp(l), T(1)};
    direction_made_ = gradient_stamp(1);
    direction_weight_ = penalty_of(l, p);
    direction_l2_ = p.l2;
  } else {
    take_late(image.slot, product(l), before, scale, false);
    sums_.columns(0, it.differences, scale, 1);
  }
  it.differences_made = differences_known ? differences_stamp(l) : Stamp();
}

#define DLADMM_INSTANTIATE(T)                                                            \
  template bool LayeredState<T>::update_W(std::size_t, const Penalties&, UpdateRecord&); \
  template bool LayeredState<T>::update_b(std::size_t, const Penalties&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
