// The output layer: z_L (dlADMM, eq. 5 and 15) and the dual variable u; the network's loss from the kept product.
#include <algorithm>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// z_L <- argmin of R(z) + ⟨u, z⟩ + (ρ/2)‖z − P_L − b_L‖², sample by sample, from the kept product.
template <typename T>
bool LayeredState<T>::update_output_z(const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(depth());
  const std::size_t n = it.b.size();
  pass({product(depth()), pre_activation(depth())}, {it.z.view()}, [&](unsigned member, Rows rows, Partial& partial) {
    const auto found =
        solve_output_rows<T>(setup_.network.loss, output_rows(rows), targets_of(rows), p.rho,
                             OutputWork(spaces_[member].work, n), std::span(partial.columns[0]).first(n));
    partial.scalars[kSteps] = std::max(partial.scalars[kSteps], found.steps);
    partial.scalars[kLargest] = largest_of(partial.scalars[kLargest], found.stationarity);
  });
  version(Block::z, depth()).advance();
  set_differences(depth());
  record.steps = static_cast<int>(sums_.largest(kSteps));
  record.stationarity = sums_.largest(kLargest);
  return std::all_of(it.differences.begin(), it.differences.end(), [](double s) { return std::isfinite(s); });
}

// The official code's solver (Beck and Teboulle's FISTA with the quadratic as the proximal part). With
// F(x) = R(x) + (ρ/2)‖x − m + u/ρ‖² and step s:  y⁺ = (ρ(m − u/ρ) + (x − s∇R(x))/s)/(ρ + 1/s),
// x⁺ = y⁺ + ((t − 1)/t⁺)(y⁺ − y), until F changes by less than the tolerance. The extrapolated x is what it returns.
template <typename T>
bool LayeredState<T>::update_output_z_fista(const Penalties& p, UpdateRecord& record) {
  const std::size_t n = layer(depth()).b.size();
  const double rho = p.rho;
  const double s = p.fista.step;
  const MatrixView<T> z = layer(depth()).z.view();

  // One pass: optionally renew x by a step with the given extrapolation, then F at x.
  const auto sweep_samples = [&](bool first, double extrapolation) {
    pass({product(depth()), pre_activation(depth())}, {z}, [&](unsigned member, Rows rows, Partial& partial) {
      const OutputWork work(spaces_[member].work, n);
      const OutputRows<T> output = output_rows(rows);
      const auto target_of = targets_of(rows);
      for (std::size_t i = 0; i < rows.count; ++i) {
        const T* const pi = output.P.row(i);
        const T* const ui = output.u.row(i);
        T* const x = output.z.row(i);
        T* const y = fista_y_.view().row(rows.first + i);
        const SampleTarget target = target_of(i, work.target);
        output.write_product(i, work.m);
        for (std::size_t j = 0; j < n; ++j) {
          work.m[j] -= static_cast<double>(ui[j]) / rho;
          work.z[j] = static_cast<double>(x[j]);
        }
        if (first) {
          std::copy_n(x, n, y);
        } else {
          loss_and_gradient(setup_.network.loss, work.z, target, work.gradient);
          for (std::size_t j = 0; j < n; ++j) {
            const double next = (rho * work.m[j] + (work.z[j] - s * work.gradient[j]) / s) / (rho + 1 / s);
            work.z[j] = next + extrapolation * (next - static_cast<double>(y[j]));
            y[j] = static_cast<T>(next);
            x[j] = static_cast<T>(work.z[j]);
          }
        }
        double quadratic = 0;
        for (std::size_t j = 0; j < n; ++j) {
          const double miss = work.z[j] - work.m[j];
          quadratic += miss * miss;
          partial.columns[0][j] += static_cast<double>(x[j]) - static_cast<double>(pi[j]);
        }
        partial.scalars[kLoss] += loss_value(setup_.network.loss, work.z, target, work.rest) + rho / 2 * quadratic;
      }
    });
    return sums_.scalar(kLoss);
  };

  double t = 1;
  double value_before = 1e11;
  double value = sweep_samples(true, 0);
  record.steps = 0;
  while (record.steps < p.fista.limit && !(std::abs(value - value_before) < p.fista.tolerance) && !stop_asked()) {
    value_before = value;
    const double t_next = (1 + std::sqrt(1 + 4 * t * t)) / 2;
    value = sweep_samples(false, (t - 1) / t_next);
    t = t_next;
    ++record.steps;
    if (!std::isfinite(value)) break;
  }
  version(Block::z, depth()).advance();
  set_differences(depth());
  return std::isfinite(value);
}

template <typename T>
void LayeredState<T>::output_pass(double dual_step) {
  Layer& it = layer(depth());
  const std::size_t n = it.b.size();
  pass({product(depth()), pre_activation(depth())}, {u_.view()}, [&](unsigned member, Rows rows, Partial& partial) {
    const auto found =
        measure_output_rows<T>(setup_.network.loss, output_rows(rows), targets_of(rows), setup_.multiplier, dual_step,
                               OutputWork(spaces_[member].work, n), std::span(partial.columns[0]).first(n));
    partial.scalars[kLoss] += found.loss;
    partial.scalars[kResidual] += found.residual;
    partial.scalars[kDualProduct] += found.dual_product;
    partial.scalars[kDirection] += found.dual_norm;
    partial.scalars[kLargest] = largest_of(partial.scalars[kLargest], found.dual_identity);
  });
  if (dual_step != 0) {
    u_version_.advance();
    sums_.columns(0, dual_sums_, 1, 0);
    dual_sums_made_ = Stamp(u_version_);
  }
  it.residual.set(sums_.scalar(kResidual), residual_stamp(depth()));
  output_.set({.loss = sums_.scalar(kLoss),
               .residual = it.residual.value,
               .dual_product = sums_.scalar(kDualProduct),
               .dual_norm = sums_.scalar(kDirection),
               .dual_identity = sums_.largest(kLargest)},
              output_stamp());
}

// u <- u + ρ (z_L − P_L − b_L)
template <typename T>
bool LayeredState<T>::update_u(const Penalties& p) {
  output_pass(p.rho);
  return std::isfinite(output_.value.dual_norm) && std::isfinite(output_.value.loss);
}

#define DLADMM_INSTANTIATE(T)                                                            \
  template bool LayeredState<T>::update_output_z(const Penalties&, UpdateRecord&);       \
  template bool LayeredState<T>::update_output_z_fista(const Penalties&, UpdateRecord&); \
  template void LayeredState<T>::output_pass(double);                                    \
  template bool LayeredState<T>::update_u(const Penalties&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
