// The W_l update: a step in the metrics P_l and G_l, with what remains of the step before.
#include <cmath>

#include "core/metric/state.hpp"

namespace dladmm::metric {

// ∂F/∂[W_l b_l] of the kept point
template <typename T>
MatrixView<T> State<T>::slope(std::size_t l) {
  const Layer& it = layer(kept_, l);
  const MatrixView<T> out(step_.data(), it.W.rows(), it.W.columns());
  const T share = static_cast<T>(1 / count());
  const T l2 = static_cast<T>(penalties_.l2);
  each_piece(team_, out.rows, out.columns, [&](Rows rows, unsigned) {
    entrywise::each([share, l2](T g, T w, T& to) DLADMM_INLINE { to = share * g + l2 * w; },
                    it.gradient.view().rows_from(rows), it.W.view().rows_from(rows), out.rows_from(rows));
  });
  return out;
}

// P_l or G_l of a sum over the samples, factored
template <typename T>
bool State<T>::prepare(const Matrix<T>& sum, double damping) {
  const std::size_t n = sum.rows();
  return solver_.prepare(team_, Inversion::cholesky, n, damping / static_cast<double>(n), [&](MatrixView<T> to) {
    fill_scaled<T>(team_, static_cast<T>(1 / count()), sum.view(), T(0), to);
  });
}

// V_l <- m V_l − s P_l⁻¹ ∂F/∂[W_l b_l] G_l⁻¹, [W_l b_l] <- [W_l b_l] + V_l; false where a metric is not finite.
template <typename T>
bool State<T>::update_W(std::size_t l, UpdateRecord& record, Measures& measures) {
  const Layer& from = layer(kept_, l);
  const Layer& to = layer(tried_, l);
  const MatrixView<T> step = slope(l);
  // n_l x (n_{l-1} + 1), times the inverse on the right, then on the left
  if (!prepare(inner(kept_, l), penalties_.damping)) return false;
  solver_.apply(team_, step, {});
  if (!prepare(from.outer, penalties_.output_damping)) return false;
  solver_.apply_to_columns(team_, step);
  const T momentum = static_cast<T>(penalties_.momentum);
  const T rate = static_cast<T>(penalties_.rate);
  const double share = 1 / count();
  const double l2 = penalties_.l2;
  const auto sums = sum_pieces<entrywise::Pair>(team_, step.rows, step.columns, [&](Rows rows, unsigned) {
    const MatrixView<T> velocity = to.velocity.view().rows_from(rows);
    const MatrixView<T> delta = step.rows_from(rows);
    entrywise::each([momentum, rate](T old, T d, T& v) DLADMM_INLINE { v = momentum * old - rate * d; },
                    from.velocity.view().rows_from(rows), delta, velocity);
    entrywise::each([](T w, T v, T& next) DLADMM_INLINE { next = w + v; }, from.W.view().rows_from(rows), velocity,
                    to.W.view().rows_from(rows));
    return entrywise::sums(
        [share, l2](T g, T w, T d, T v) DLADMM_INLINE {
          const double slope = share * static_cast<double>(g) + l2 * static_cast<double>(w);
          return entrywise::Pair{slope * static_cast<double>(d), slope * static_cast<double>(v)};
        },
        from.gradient.view().rows_from(rows), from.W.view().rows_from(rows), delta, velocity);
  });
  tried_.parameters.advance();
  // No length of step would mend a gradient that overflows.
  if (!std::isfinite(sums.first)) return false;
  record.slope = sums.first;
  record.step_norm = elementwise::square_norm<T>(team_, to.velocity.view());
  measures.slope = (std::isnan(measures.slope) ? 0 : measures.slope) + sums.first;
  measures.expected = (std::isnan(measures.expected) ? 0 : measures.expected) + sums.second;
  return true;
}

#define DLADMM_INSTANTIATE(T)                                \
  template MatrixView<T> State<T>::slope(std::size_t);       \
  template bool State<T>::prepare(const Matrix<T>&, double); \
  template bool State<T>::update_W(std::size_t, UpdateRecord&, Measures&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::metric
