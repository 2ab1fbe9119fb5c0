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
  if (!p.regulariser(l).none()) return update_W_proximally(l, p, record);
  Layer& it = layer(l);
  const double s_norm = find_direction_of_W(l, p);
  if (!std::isfinite(s_norm)) return false;
  if (s_norm == 0) return no_step_of_W(l, p, record);

  const MatrixView<T> s = direction_of_W(l);
  const Image image = image_of(l, s);
  record.kappa = penalty_of(l, p) * image.norm / s_norm;
  if (!std::isfinite(record.kappa)) return false;
  record.size = accepted_size(p.search, p.theta0, p.growth, record.kappa);
  const double scale = 1 / (record.size + p.l2);
  // The exact size of a direction that is itself rounding, or of inputs whose squares vanish, may be 0.
  if (!std::isfinite(static_cast<T>(scale))) return no_step_of_W(l, p, record);
  record.step_norm = scale * scale * s_norm;
  if (!std::isfinite(static_cast<T>(std::sqrt(record.step_norm)))) return false;
  it.last_theta = record.size;
  move_W(l, image, s, scale, p);
  return true;
}

template <typename T>
bool LayeredState<T>::no_step_of_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
  const double last = layer(l).last_theta;
  record.size = p.search == StepSearch::exact && last > 0 ? last : p.theta0;
  record.kappa = 0;
  record.step_norm = 0;
  direction_made_ = {};
  return true;
}

// The same with Ω_l: D(θ) = W − prox_{Ω/(θ + λ)}(W − S/(θ + λ)), accepted when φ(W − D) ≤ P(W − D; θ), which is
// θ ≥ κ(D) = w‖a Dᵀ‖²/‖D‖². D turns with θ, so every size that is tried takes an image of its own: sizes that are
// below the κ of a direction that failed are passed over. From then on the decrease is at least ½(θ + λ)‖D‖².
template <typename T>
bool LayeredState<T>::update_W_proximally(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const double s_norm = find_direction_of_W(l, p);
  if (!std::isfinite(s_norm)) return false;
  const double weight = penalty_of(l, p);
  const MatrixView<T> s = direction_of_W(l);
  const MatrixView<T> next(proximal_point_.data(), s.rows, s.columns);
  const MatrixView<T> d(proximal_step_.data(), s.rows, s.columns);
  record.size = p.theta0;
  if (p.search == StepSearch::exact) {
    if (it.last_theta > 0) record.size = it.last_theta;
    if (s_norm > 0) record.size = weight * image_of(l, s).norm / s_norm;
    if (!std::isfinite(record.size)) return false;
  }
  for (int tried = 1;; ++tried) {
    const double scale = 1 / (record.size + p.l2);
    if (!std::isfinite(static_cast<T>(scale)) || tried > kMostGrowths) return no_step_of_W(l, p, record);
    over_parameters(l, kBand, [&](Rows rows) {
      entrywise::each([c = static_cast<T>(scale)](T w, T si, T& to) DLADMM_INLINE { to = w - c * si; },
                      MatrixView<const T>(rows_of(it.W.view(), rows)), MatrixView<const T>(rows_of(s, rows)),
                      rows_of(next, rows));
      return 0.0;
    });
    if (!proximal_step<T>(team_, p.regulariser(l), scale, next, spectral_)) return false;
    record.step_norm = over_parameters(l, kBand, [&](Rows rows) {
      entrywise::each([](T w, T to, T& di) DLADMM_INLINE { di = w - to; },
                      MatrixView<const T>(rows_of(it.W.view(), rows)), MatrixView<const T>(rows_of(next, rows)),
                      rows_of(d, rows));
      return elementwise::square_norm<T>(rows_of(d, rows));
    });
    if (!std::isfinite(static_cast<T>(std::sqrt(record.step_norm)))) return false;
    if (record.step_norm == 0) return no_step_of_W(l, p, record);
    const Image image = image_of(l, d);
    record.kappa = weight * image.norm / record.step_norm;
    if (!std::isfinite(record.kappa)) return false;
    if (record.size >= record.kappa) {
      it.last_theta = record.size;
      move_W(l, image, d, 1, p);
      return true;
    }
    // Under exact search a κ may follow on a κ for long: from the third on they grow.
    const double grown = tried > 2 ? record.size * p.growth : 0;
    record.size = std::max(grown, accepted_size(p.search, record.size, p.growth, record.kappa));
  }
}

// b_l <- the minimiser for the whole batch: the mean of z_l − P_l, plus the mean of u/ρ at the output.
template <typename T>
bool LayeredState<T>::update_b(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  if (it.differences_made != differences_stamp(l)) find_residual(l);
  const double* const duals = multiplier_of(l).data == nullptr ? nullptr : dual_sums().data();
  const auto samples = static_cast<double>(setup_.all_samples());
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

// The image a Sᵀ of a direction. For the first layer its norm comes through C = XᵀX, ‖X Sᵀ‖² = ⟨S C, S⟩, and P_1 is
// to follow by one product for all the steps until it is read; else it is the second product of the update.
template <typename T>
typename LayeredState<T>::Image LayeredState<T>::image_of(std::size_t l, MatrixView<T> s) {
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
      {activation(l - 1)}, {}, {{slot, n}}, at_once(), 2 * static_cast<double>(n * s.columns),
      [](unsigned, Rows, Rows, Partial&) {},
      [&](unsigned, Rows rows, Partial& partial, Ahead& ahead) {
        const MatrixView<T> image = slot_rows(slot, rows, n);
        // rows x n_l <- rows x n_{l-1}, n_{l-1} x n_l
        times_s.apply(rows_of(in, rows), Onto::nothing, image, ahead);
        partial.scalars[kImage] += elementwise::square_norm<T>(image, std::span(partial.columns[0]).first(n));
      });
  return {sums_.scalar(kImage), false, slot};
}

// W_l <- W_l − scale D, where D is S, or the step to a proximal point, which is taken as it stands (its zeros are
// exact). P_l follows late; Σ (z_l − P_l) at once.
template <typename T>
void LayeredState<T>::move_W(std::size_t l, const Image& image, MatrixView<T> d, double scale, const Penalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> s = direction_of_W(l);
  const bool proximal = d.data != s.data;
  const Stamp before = product_stamp(l);
  const bool differences_known = it.differences_made == differences_stamp(l);
  const bool more = input_late_.applies(held(product(1)), before);
  const auto c = static_cast<T>(scale);
  over_parameters(l, kBand, [&](Rows rows) {
    const MatrixView<T> own = rows_of(d, rows);
    if (proximal) {
      std::copy_n(proximal_point_.data() + rows.first * d.columns, rows.count * d.columns, it.W.view().row(rows.first));
    } else {
      elementwise::step_back<T>(rows_of(it.W.view(), rows), c, own);
    }
    if (!image.through_gram) return 0.0;
    // P_1 <- P_1 − X Dᵀ waits, D gathering the steps; Σ X Sᵀ = S Σ X.
    entrywise::each([c, more](T& sum, T di) DLADMM_INLINE { sum = (more ? sum : T(0)) + c * di; },
                    rows_of(input_step_.view(), rows), MatrixView<const T>(own));
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      it.differences[i] +=
          scale * elementwise::inner_product<T, double>({d.row(i), 1, d.columns}, {input_sums_.data(), 1, d.columns});
    }
    // The direction of a W_1 update that follows at once: S − scale (w D C + λ D).
    const auto w = static_cast<T>(penalty_of(l, p) * scale);
    const MatrixView<const T> images = rows_of(image_.view(), rows);
    if (proximal) {
      entrywise::each([w, l2 = static_cast<T>(p.l2)](T& si, T di, T ci) DLADMM_INLINE { si -= l2 * di + w * ci; },
                      rows_of(s, rows), MatrixView<const T>(own), images);
    } else {
      entrywise::each([keep = static_cast<T>(1 - p.l2 * scale), w](T& si, T ci)
                          DLADMM_INLINE { si = keep * si - w * ci; },
                      own, images);
    }
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
