// The W_l update with Ω_l.
//
// With Ω_l the step ends at the minimiser of Ω_l(W) + ‖[W b] − W̃‖²_M / (2t) for W̃ where it led, M = A_l + δ_l I and t =
// η/(1 − μ), as of a gradient that stays momentum makes so many times itself. It is split, W = V, with the weight s/t:
//
//     [W b] <- W̃ + s (V − Y − W̃) (M + sI)⁻¹,   V <- prox_{Ωt/s}(W + Y),   Y <- Y + W − V
//
// a few times; V, whose zeros and bounds are exact, is what the layer gets, and Y is kept from batch to batch.
#include <algorithm>
#include <cmath>

#include "core/minibatch/state.hpp"

namespace dladmm {

// From [W_l b_l] where the step led, W̃, to V.
template <typename T>
bool MinibatchState<T>::split_W(std::size_t l, double t) {
  Layer& it = of(l);
  const MatrixView<T> own = parameters(l);
  const auto shaped = [&](T* data) { return MatrixView<T>(data, own.rows, own.columns); };
  const auto weights_of = [](MatrixView<T> m) { return MatrixView<T>(m.data, m.rows, m.columns - 1, m.stride); };
  const MatrixView<T> v = shaped(old_.data()), x = shaped(solved_.data()), y = shaped(dual_.data() + it.first);
  const std::size_t last = own.columns - 1, r = it.gram->rank();
  const double s = it.gram->split(), weight = s / t;
  // A step of no length leads to where Ω_l is finite alone: into the bounds.
  if (!(t > 0)) {
    return proximal_step<T>(team_, setup_.regularisers[l - 1], 0, weights_of(own), spectral_) &&
           std::isfinite(elementwise::square_norm<T>(team_, own));
  }
  const auto rescale = static_cast<T>(it.dual_weight > 0 ? it.dual_weight / weight : 1);
  it.dual_weight = weight;
  each_piece(team_, y.rows, y.columns, [&](Rows rows, unsigned) {
    entrywise::each([rescale](T& to) DLADMM_INLINE { to *= rescale; }, y.rows_from(rows));
  });
  const double flops = static_cast<double>(own.rows * own.columns) * static_cast<double>(4 * (r > 0 ? r : own.columns));
  const auto solve = [&] {
    team_.run(it.chunks.count(), flops, [&](std::size_t chunk, unsigned member) {
      const Rows rows = it.chunks[chunk];
      const MatrixView<T> miss(scratch_[member].gradient.data(), rows.count, own.columns);
      entrywise::each([s = static_cast<T>(s)](T w, T vi, T yi, T& to) DLADMM_INLINE { to = s * (vi - yi - w); },
                      own.rows_from(rows), v.rows_from(rows), y.rows_from(rows), miss);
      // rows x (n_{l-1} + 1) times (n_{l-1} + 1) x (n_{l-1} + 1)
      it.gram->apply(miss, x.rows_from(rows), {scratch_[member].product.data(), rows.count, r}, true);
      entrywise::each([](T w, T& to) DLADMM_INLINE { to += w; }, own.rows_from(rows), x.rows_from(rows));
      // b costs nothing: it is where it is found, and its dual stays 0.
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) v.row(i)[last] = x.row(i)[last];
    });
  };
  if (!split_steps<T>(team_, setup_.regularisers[l - 1], weight, kSplitSteps, weights_of(v), weights_of(y),
                      weights_of(x), weights_of(shaped(proximal_.data())), spectral_, solve)) {
    return false;
  }
  std::copy_n(v.data, own.rows * own.columns, own.data);
  copy_biases(l, {0, own.rows});
  return std::isfinite(elementwise::square_norm<T>(team_, own));
}

#define DLADMM_INSTANTIATE(T) template bool MinibatchState<T>::split_W(std::size_t, double);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
