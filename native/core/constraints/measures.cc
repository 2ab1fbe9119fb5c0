// What the constraints leave, and the gradients in W that the measures of a sweep and the next W updates share.
#include <algorithm>
#include <cmath>

#include "core/constraints/state.hpp"

namespace dladmm::constraints {

template <typename T>
void State<T>::measure(const Penalties& p, Measures& measures) {
  need_start(x_version_);
  const AtWork here;
  note_beta(p);
  measures = {};
  measures.residual.resize(depth());
  measures.stationary_W.resize(depth());
  measures.stationary_V.resize(depth());
  double penalties = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    know_slope(l, p, &measures);
    Layer& it = layer(l);
    const std::size_t n = it.W.columns();
    const double lambda = p.lambda[l - 1];
    // ‖[W_l b_l]‖² and ‖∂L/∂[W_l b_l]‖²
    const auto squares = [lambda](T w, T g) DLADMM_INLINE {
      const double value = static_cast<double>(w);
      const double slope = static_cast<double>(g) + lambda * value;
      return entrywise::Pair{value * value, slope * slope};
    };
    const auto found = sum_pieces<entrywise::Pair>(team_, it.b.size(), n + 1, [&](Rows rows, unsigned) {
      const MatrixView<T> gradient = it.gradient.view();
      entrywise::Pair sums = entrywise::sums(squares, it.W.view().rows_from(rows), window(gradient, rows, {0, n}));
      return sums += entrywise::sums(squares, biases(it).rows_from(rows), window(gradient, rows, {n, 1}));
    });
    measures.regularisation += lambda / 2 * found.first;
    measures.stationary_W[l - 1] = found.second;
    penalties += p.beta[l - 1] / 2 * measures.residual[l - 1];
  }
  for (std::size_t l = 0; l < depth(); ++l) {
    measures.kkt += measures.residual[l] + measures.stationary_W[l] + measures.stationary_V[l];
  }
  measures.lagrangian = measures.loss + measures.regularisation + measures.dual_product + penalties;
}

// (s/2)‖V_N − Y‖², ‖s (V_N − Y) − Λ_N − β_N (S_N − V_N)‖² and the largest |Λ_N − s (V_N − Y)|, with s the weight of
// the sample.
template <typename T>
void State<T>::measure_output(const Penalties& p, const Part& part) {
  const Layer& it = layer(depth());
  auto& scalars = part.sums.scalars;
  scalars[kLoss] = scalars[kOutputStationary] = scalars[kIdentity] = 0;
  by_weight(part.rows, [&](double weight, Rows rows) {
    const MatrixView<T> Y = rows_of(y_, rows);
    const MatrixView<T> V = rows_of(it.V, rows);
    const MatrixView<T> Lambda = rows_of(it.Lambda, rows);
    const entrywise::Pair sums = entrywise::sums(
        [beta = p.beta[depth() - 1], weight](T y, T s, T v, T dual) DLADMM_INLINE {
          const double miss = static_cast<double>(v) - static_cast<double>(y);
          const double gap = static_cast<double>(s) - static_cast<double>(v);
          const double rest = weight * miss - static_cast<double>(dual) - beta * gap;
          return entrywise::Pair{weight * (miss * miss / 2), rest * rest};
        },
        Y, rows_of(it.S, rows), V, Lambda);
    scalars[kLoss] += sums.first;
    scalars[kOutputStationary] += sums.second;
    const double largest = entrywise::largest<double>(
        [weight](T y, T v, T dual) DLADMM_INLINE {
          return std::abs(static_cast<double>(dual) - weight * (static_cast<double>(v) - static_cast<double>(y)));
        },
        Y, V, Lambda);
    scalars[kIdentity] = std::isnan(largest) ? largest : std::max(scalars[kIdentity], largest);
  });
}

// [D_lᵀ V_{l-1}, D_lᵀ 1], the Gram matrix of V_{l-1} and max |V_l − Λ_l/β_l| where they are not those of the present
// variables; with `measures` also what layer l adds to them, and what it gives to ∂L/∂V_{l-1}.
template <typename T>
void State<T>::know_slope(std::size_t l, const Penalties& p, Measures* measures) {
  Layer& it = layer(l);
  const bool gradient = it.gradient_made != gradient_stamp(l);
  const bool gram = it.gram_made != Stamp(input_version(l));
  const bool largest = !it.largest.valid(target_stamp(l));
  if (!gradient && !gram && measures == nullptr) return;
  const MatrixView<T> in = input_of(l);
  const std::size_t n = in.columns;
  const std::size_t m = it.b.size();
  const auto samples = static_cast<double>(setup_.samples);
  const auto wide = static_cast<double>(n);
  const bool back = measures != nullptr && l > 1;
  double flops = 0;
  if (gradient) flops += count(&Work::gradient, samples, static_cast<double>(m), wide);
  if (gram) flops += count(&Work::gram, samples, wide, wide / 2);
  if (back) flops += count(&Work::back, samples, wide, static_cast<double>(m));
  const auto work = [&](const Part& part) {
    const MatrixView<T> input = in.rows_from(part.rows);
    const MatrixView<T> D = scratch(part, true, m);
    const entrywise::Pair miss = weighted_miss(l, p, part.rows, D);
    part.sums.scalars[kResidual] = miss.first;
    part.sums.scalars[kDualProduct] = miss.second;
    if (largest) part.sums.scalars[kLargest] = largest_target(l, p, part.rows);
    if (gradient) {
      sums_.add_product(part.group, D, input, part.first);  // n_l x n_{l-1} += Dᵀ V_{l-1}
      elementwise::add_columns<T>(D, std::span(part.sums.columns[1]).first(m));
    }
    if (gram) {
      sums_.add_gram(part.group, input, part.first);  // n_{l-1} x n_{l-1} += V_{l-1}ᵀ V_{l-1}
      elementwise::add_columns<T>(input, std::span(part.sums.columns[0]).first(n));
    }
    if (back) {
      const MatrixView<T> from_above = scratch(part, false, n);
      // samples x n_{l-1} <- (samples x n_l) (n_l x n_{l-1})
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, it.W.view(), T(0), from_above);
      part.sums.scalars[kStationary] = stationarity(l - 1, p, part.rows, from_above);
    }
    if (measures != nullptr && is_output(l)) measure_output(p, part);
  };
  const Pieces groups = gradient || gram ? sums_.cut().segments : every_piece();
  if (back) {
    pass({l - 1, l}, groups, flops, work);
  } else {
    pass({l}, groups, flops, work);
  }

  if (gradient) {
    const MatrixView<T> to = it.gradient.view();
    sums_.product(team_, MatrixView<T>(to.data, m, n, n + 1));
    const std::span<double> columns = std::span(columns_).first(m);
    sums_.columns(1, columns, 1, 0);
    for (std::size_t j = 0; j < m; ++j) to.row(j)[n] = static_cast<T>(columns[j]);
    it.gradient_made = gradient_stamp(l);
  }
  if (gram) {
    const MatrixView<T> to = it.gram.view();
    sums_.gram(team_, MatrixView<T>(to.data, n, n, n + 1));
    const std::span<double> columns = std::span(columns_).first(n);
    sums_.columns(0, columns, 1, 0);
    std::transform(columns.begin(), columns.end(), to.row(n), [](double x) { return static_cast<T>(x); });
    to.row(n)[n] = static_cast<T>(samples);
    it.gram_made = Stamp(input_version(l));
  }
  if (largest) it.largest.set(sums_.largest(kLargest), target_stamp(l));
  if (measures == nullptr) return;
  measures->residual[l - 1] = sums_.scalar(kResidual);
  measures->dual_product += sums_.scalar(kDualProduct);
  if (l > 1) measures->stationary_V[l - 2] = sums_.scalar(kStationary);
  if (is_output(l)) {
    measures->loss = sums_.scalar(kLoss);
    measures->stationary_V[l - 1] = sums_.scalar(kOutputStationary);
    measures->dual_identity = sums_.largest(kIdentity);
  }
}

#define DLADMM_INSTANTIATE(T)                                   \
  template void State<T>::measure(const Penalties&, Measures&); \
  template void State<T>::know_slope(std::size_t, const Penalties&, Measures*);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::constraints
