// The W_l update: a quadratic step (dlADMM, eq. 9 and 11, Algorithms 3 and 4), and b_l (eq. 6, 7, 12, 13).
#include <algorithm>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// S = G + λW with G = (w (P_l + b_l − z_l) − u)ᵀ a_{l-1}: the gradient of the augmented Lagrangian in W_l.
template <typename T>
void LayeredState<T>::find_direction_of_W(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> in = input_of(l);
  const MatrixView<T> u = multiplier_of(l);
  const T weight = static_cast<T>(penalty_of(l, p));
  const std::size_t n = it.b.size();
  const auto residual_block = [&](unsigned member, std::size_t count) {
    return MatrixView<T>(spaces_[member].first.flat().data(), count, n);
  };
  pass(
      {product(l), activation(l - 1)}, {},
      [&](unsigned member, Rows block, Rows rows, Partial&) {
        kernels::weighted_residual<T>(
            rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows), rows_of(u, rows), weight,
            residual_block(member, block.count).rows_from(rows.first - block.first, rows.count));
      },
      [&](unsigned member, Rows block, Partial& partial) {
        partial.product.add(residual_block(member, block.count), rows_of(in, block));
      });
  sums_.product(team_, direction_of_W(l));
  if (p.l2 > 0) kernels::step_back<T>(direction_of_W(l), static_cast<T>(-p.l2), it.W.view());
}

// W_l <- W_l − scale S
template <typename T>
void LayeredState<T>::take_W_step(std::size_t l, double scale) {
  kernels::step_back<T>(layer(l).W.view(), static_cast<T>(scale), direction_of_W(l));
  changed_product(l);
}

template <typename T>
bool LayeredState<T>::update_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const double weight = penalty_of(l, p);
  const bool through_gram = l == 1 && setup_.gram;

  if (!(through_gram && direction_continues_)) find_direction_of_W(l, p);
  direction_continues_ = false;
  const MatrixView<T> s = direction_of_W(l);
  const double s_norm = kernels::square_norm<T>(s);
  if (!std::isfinite(s_norm)) return false;
  const auto no_step = [&] {
    record.size = p.search == StepSearch::exact && it.last_theta > 0 ? it.last_theta : p.theta0;
    record.kappa = 0;
    record.step_norm = 0;
    return true;
  };
  if (s_norm == 0) return no_step();

  // The image a Sᵀ of the direction: through C for the first layer, else by the second product of the update.
  const std::size_t slot = free_slot();
  const std::size_t n = it.b.size();
  double image_norm = 0;
  if (through_gram) {
    team_.run([&](unsigned member) {
      SampleBlocks{n, n}.each(member, team_.size(), [&](Rows rows) {
        blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), s.rows_from(rows.first, rows.count), gram_.view(), T(0),
                      image_.view().rows_from(rows.first, rows.count));
      });
    });
    // ‖X Sᵀ‖² = ⟨S C, S⟩
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < s.columns; ++j) {
        image_norm += static_cast<double>(image_.view().row(i)[j]) * static_cast<double>(s.row(i)[j]);
      }
    }
    image_norm = std::max(image_norm, 0.0);
  } else {
    const MatrixView<T> in = input_of(l);
    pass(
        {activation(l - 1)}, {{slot, n}}, [](unsigned, Rows, Rows, Partial&) {},
        [&](unsigned, Rows block, Partial& partial) {
          const MatrixView<T> image = slot_block(slot, block, n);
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), rows_of(in, block), s, T(0), image);
          partial.scalars[kImage] += kernels::square_norm<T>(image, std::span(partial.columns[0]).first(n));
        });
    image_norm = sums_.scalar(kImage);
  }

  record.kappa = weight * image_norm / s_norm;
  record.size = accepted_size(p.search, p.theta0, p.growth, record.kappa);
  const double scale = 1 / (record.size + p.l2);
  if (!std::isfinite(record.kappa)) return false;
  // The exact size of a direction that is itself rounding, or of inputs whose squares vanish, may be 0.
  if (!std::isfinite(static_cast<T>(scale))) return no_step();
  record.step_norm = scale * scale * s_norm;
  if (!std::isfinite(static_cast<T>(std::sqrt(record.step_norm)))) return false;
  it.last_theta = record.size;
  take_W_step(l, scale);

  if (!through_gram) {
    hold(slot, product(l), n, scale, false);
    sums_.columns(0, it.difference_sums, scale, 1);
    return true;
  }
  // P_1 <- P_1 − X Dᵀ waits, D gathering the steps; the sums follow it at once: Σ X Sᵀ = S Σ X.
  if (!input_step_pending_) std::fill(input_step_.flat().begin(), input_step_.flat().end(), T(0));
  input_step_pending_ = true;
  kernels::step_back<T>(input_step_.view(), static_cast<T>(-scale), s);
  for (std::size_t i = 0; i < n; ++i) {
    double sum = 0;
    for (std::size_t j = 0; j < s.columns; ++j) sum += static_cast<double>(s.row(i)[j]) * input_sums_[j];
    it.difference_sums[i] += scale * sum;
  }
  // The direction of a W_1 update that follows at once: S − (w S C + λ S)/(θ + λ).
  kernels::step_back<T>(s, static_cast<T>(p.l2 * scale), s);
  kernels::step_back<T>(s, static_cast<T>(weight * scale), image_.view());
  direction_continues_ = true;
  return true;
}

// b_l <- the minimiser for the whole batch: the mean of z_l − P_l, plus the mean of u/ρ at the output.
template <typename T>
bool LayeredState<T>::update_b(std::size_t l, const Penalties& p) {
  Layer& it = layer(l);
  know_difference_sums(l);
  const auto samples = static_cast<double>(setup_.samples);
  for (std::size_t j = 0; j < it.b.size(); ++j) {
    double mean = it.difference_sums[j] / samples;
    if (multiplier_of(l).data != nullptr) mean += dual_sums_[j] / (p.rho * samples);
    if (!std::isfinite(static_cast<T>(mean))) return false;
    it.b[j] = static_cast<T>(mean);
  }
  changed_product(l);
  return true;
}

template void LayeredState<float>::find_direction_of_W(std::size_t, const Penalties&);
template void LayeredState<double>::find_direction_of_W(std::size_t, const Penalties&);
template void LayeredState<float>::take_W_step(std::size_t, double);
template void LayeredState<double>::take_W_step(std::size_t, double);
template bool LayeredState<float>::update_W(std::size_t, const Penalties&, UpdateRecord&);
template bool LayeredState<double>::update_W(std::size_t, const Penalties&, UpdateRecord&);
template bool LayeredState<float>::update_b(std::size_t, const Penalties&);
template bool LayeredState<double>::update_b(std::size_t, const Penalties&);

}  // namespace dladmm
