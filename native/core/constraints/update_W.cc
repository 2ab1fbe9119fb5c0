// The W_l update, biases included. With A = [V_{l-1} 1], the gradient G = [D_lᵀ V_{l-1}, D_lᵀ 1] + λ_l [W_l b_l] and
// the curvature h of the model (2 where the layer is linear and the model exact),
//
//     [W_l b_l] <- [W_l b_l] − G (λ_l I + (β_l h/2) Aᵀ A)⁻¹
//
// is the minimiser (50) of the last layer and (51) of a hidden one.
#include <chrono>
#include <cmath>

#include "core/constraints/pass.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::constraints {

template <typename T>
bool State<T>::update_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  know_slope(l, p, nullptr);
  const double h = curvature(l, p);
  if (!is_output(l)) record.curvature = h;
  const std::size_t n = it.W.columns() + 1;
  const std::size_t m = it.W.rows();

  const auto began = std::chrono::steady_clock::now();
  const auto c = static_cast<T>(p.beta[l - 1] * h / 2);
  const auto lambda = static_cast<T>(p.lambda[l - 1]);
  const MatrixView<T> gram = it.gram.view();
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += static_cast<double>(c * gram.row(i)[i]) + p.lambda[l - 1];
  const auto fill = [&](MatrixView<T> matrix) {
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j <= i; ++j) matrix.row(i)[j] = c * gram.row(i)[j];
      matrix.row(i)[i] += lambda;
    }
  };
  // Below that share of the trace, what λ_l adds is lost in the rounding of the Gram matrix.
  const double ridge = trace > 0 ? std::max(0.0, GramSolver<T>::kRounding - p.lambda[l - 1] / trace) : 0;
  if (!solver_.prepare(team_, Inversion::cholesky, n, ridge, fill)) return false;
  record.ridge = solver_.ridge();
  ++work_.factor;
  work_.flops += std::pow(static_cast<double>(n), 3) / 3 + 2 * static_cast<double>(m * n * n);

  const MatrixView<T> step(step_.data(), m, n);
  for (std::size_t j = 0; j < m; ++j) {
    const T* const w = it.W.view().row(j);
    const T* const gradient = it.gradient.view().row(j);
    T* const to = step.row(j);
    for (std::size_t k = 0; k + 1 < n; ++k) to[k] = gradient[k] + lambda * w[k];
    to[n - 1] = gradient[n - 1] + lambda * it.b[j];
  }
  solver_.apply(team_, step, MatrixView<T>(step_scratch_.data(), m, n));
  double norm = 0;
  for (const T value : step.flat()) norm += static_cast<double>(value) * static_cast<double>(value);
  record.step_norm = norm;
  record.factor_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  if (!std::isfinite(norm)) return false;
  for (std::size_t j = 0; j < m; ++j) {
    T* const w = it.W.view().row(j);
    const T* const d = step.row(j);
    for (std::size_t k = 0; k + 1 < n; ++k) w[k] -= d[k];
    it.b[j] -= d[n - 1];
  }
  changed_W(l);
  return true;
}

template bool State<float>::update_W(std::size_t, const Penalties&, UpdateRecord&);
template bool State<double>::update_W(std::size_t, const Penalties&, UpdateRecord&);

}  // namespace dladmm::constraints
