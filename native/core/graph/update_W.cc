// The W_l updates. Below the output the activation stands inside the square, so the step is a gradient step whose size
// a search accepts; at the output the subproblem is quadratic.
#include <algorithm>
#include <cmath>

#include "core/graph/search.hpp"
#include "core/graph/state.hpp"
#include "core/linalg/blas.hpp"

namespace dladmm {
namespace {

// The size that doubling from `start` reaches when κ is the smallest that passes.
double grown(double start, double growth, double kappa) {
  double size = start;
  while (size < kappa) size *= growth;
  return size;
}

}  // namespace

template <typename T>
MatrixView<T> GraphState<T>::product_gradient(std::size_t l, const GraphPenalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> out(pull_.data(), it.P.rows(), it.P.columns());
  pass(out.rows, [&](unsigned, Rows rows, auto&) {
    const auto part = [&](MatrixView<T> m) { return m.rows_from(rows.first, rows.count); };
    if (is_output(l)) {
      graph::output_gradient<T>(part(it.Z.view()), part(it.P.view()), part(u_.view()), static_cast<T>(p.rho),
                                part(out));
    } else {
      graph::product_gradient<T>(activation(), part(it.Z.view()), part(it.P.view()), static_cast<T>(p.nu), part(out));
    }
  });
  return out;
}

// S = G + λW with G = (Ã Z_{l-1})ᵀ(−ν (Z_l − f(P_l)) ∘ f'(P_l)), and W⁺ = W − S/(θ + λ), the minimiser of the model
// φ + ⟨G, ΔW⟩ + (θ/2)‖ΔW‖² + Ω(W + ΔW). The step moves P_l by −D/(θ + λ) with D = Ã Z_{l-1} S, one map: every θ is then
// tried entry by entry. It is accepted where φ has fallen to the model or below.
template <typename T>
bool GraphState<T>::update_hidden_W(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  const double l2 = penalty_on(p, l);
  const MatrixView<T> s(direction_.data(), it.W.rows(), it.W.columns());
  const MatrixView<T> d(image_.data(), it.P.rows(), it.P.columns());
  weight_gradient(l, product_gradient(l, p), s);
  if (l2 > 0) step_back(s, -l2, it.W.view());
  pass(s.rows, [&](unsigned, Rows rows, auto& partial) {
    const auto part = s.rows_from(rows.first, rows.count);
    partial.scalars[kDirection] += graph::square_norm<T>(part);
    if (l2 > 0) {
      partial.scalars[kInner] += graph::inner_product<T>(part, it.W.view().rows_from(rows.first, rows.count));
    }
  });
  const double s_norm = sums_.scalar(kDirection);
  const double descent = s_norm - l2 * sums_.scalar(kInner);  // ⟨G, S⟩
  if (!std::isfinite(s_norm) || !std::isfinite(descent)) return false;
  record.step_norm = 0;
  record.trials = 0;
  record.size = it.last_theta > 0 ? it.last_theta : p.theta0;
  if (s_norm == 0) return true;

  propagate(l, s, d);
  const bool goes_on = p.search == SizeSearch::exact && it.last_theta > 0;
  const double start = goes_on ? it.last_theta / p.growth : p.theta0;
  const auto scale = [&](double theta) { return 1 / (theta + l2); };
  const bool found = search(
      l, d, start, p.growth, scale,
      [&](double theta, double change) {
        const double c = scale(theta);
        return p.nu / 2 * change <= c * (theta / 2 * c * s_norm - descent);
      },
      record);
  if (!found) {
    record.kept = true;
    return true;
  }
  const double c = scale(record.size);
  if (!std::isfinite(static_cast<T>(c))) return false;
  it.last_theta = record.size;
  record.step_norm = c * c * s_norm;
  step_back(it.W.view(), c, s);
  step_back(it.P.view(), c, d);
  outputs_known_ = false;
  return true;
}

// The same for W_L, where φ is quadratic: θ passes exactly when θ ≥ κ = ρ‖D‖²/‖S‖².
template <typename T>
bool GraphState<T>::update_output_W(const GraphPenalties& p, GraphUpdateRecord& record) {
  const std::size_t l = depth();
  Layer& it = layer(l);
  const double l2 = penalty_on(p, l);
  const MatrixView<T> s(direction_.data(), it.W.rows(), it.W.columns());
  const MatrixView<T> d(image_.data(), it.P.rows(), it.P.columns());
  weight_gradient(l, product_gradient(l, p), s);
  if (l2 > 0) step_back(s, -l2, it.W.view());
  const double s_norm = square_norm(s);
  if (!std::isfinite(s_norm)) return false;
  record.step_norm = 0;
  record.kappa = 0;
  record.trials = 0;
  record.size = p.search == SizeSearch::exact && it.last_theta > 0 ? it.last_theta : p.theta0;
  if (s_norm == 0) return true;

  propagate(l, s, d);
  const double kappa = p.rho * square_norm(d) / s_norm;
  if (!std::isfinite(kappa)) return false;
  const double size = p.search == SizeSearch::exact ? kappa : grown(p.theta0, p.growth, kappa);
  const double c = 1 / (size + l2);
  // The exact size of a direction that no product sees is 0.
  if (!std::isfinite(static_cast<T>(c))) return true;
  record.kappa = kappa;
  record.size = size;
  record.trials = 1;
  it.last_theta = size;
  record.step_norm = c * c * s_norm;
  step_back(it.W.view(), c, s);
  step_back(it.P.view(), c, d);
  outputs_known_ = false;
  return true;
}

// W_L <- argmin (ρ/2)‖Z_L + U/ρ − H W‖² + (λ/2)‖W‖² with H = Ã Z_{L-1} on the training nodes and c = λ/ρ:
//
//     W = (HᵀH + cI)⁻¹ Hᵀ(Z_L + U/ρ)  =  Hᵀ (HHᵀ + cI)⁻¹ (Z_L + U/ρ),
//
// by whichever matrix is smaller.
template <typename T>
bool GraphState<T>::update_output_W_exactly(const GraphPenalties& p, GraphUpdateRecord& record) {
  const std::size_t l = depth();
  Layer& it = layer(l);
  const MatrixView<T> target(right_side_.data(), it.Z.rows(), it.W.columns());
  for (std::size_t i = 0; i < target.rows; ++i) {
    const T* const z = it.Z.view().row(i);
    const T* const u = u_.view().row(i);
    for (std::size_t j = 0; j < target.columns; ++j) {
      target.row(i)[j] = static_cast<T>(static_cast<double>(z[j]) + static_cast<double>(u[j]) / p.rho);
    }
  }
  const MatrixView<T> step(direction_.data(), it.W.rows(), it.W.columns());
  if (!solve_output_W(penalty_on(p, l) / p.rho, target, step)) return false;
  record.ridge = solver_.ridge();
  multiply_dense<T>(team_, false, false, h_.view(), step, it.P.view());
  // The new W_L takes its place; what is left in `step` is the way there.
  pass(step.rows, [&](unsigned, Rows rows, auto& partial) {
    const MatrixView<T> to = it.W.view().rows_from(rows.first, rows.count);
    const MatrixView<T> from = step.rows_from(rows.first, rows.count);
    std::swap_ranges(to.data, to.data + to.rows * to.columns, from.data);
    graph::step_back<T>(from, T(1), to);
    partial.scalars[kDirection] += graph::square_norm<T>(from);
  });
  record.step_norm = sums_.scalar(kDirection);
  outputs_known_ = false;
  return std::isfinite(record.step_norm);
}

template <typename T>
bool GraphState<T>::solve_output_W(double shift, MatrixView<T> target, MatrixView<T> w) {
  const std::size_t l = depth();
  const MatrixView<T> h = h_.view();
  const bool by_nodes = h.rows < h.columns;
  multiply<T>(team_, propagation(l).matrix(), layer(l - 1).Z.view(), h);
  const auto fill = [&](MatrixView<T> m) {
    blas::syrk<T>(by_nodes ? blas::Op::none : blas::Op::transpose, h, T(0), m);
    for (std::size_t i = 0; i < m.rows; ++i) m.row(i)[i] += static_cast<T>(shift);
  };
  const double ridge = shift > 0 ? 0 : GramSolver<T>::kRounding;
  if (!solver_.prepare(team_, Inversion::cholesky, std::min(h.rows, h.columns), ridge, fill)) return false;
  if (by_nodes) {
    solver_.apply_to_columns(team_, target);
    multiply_dense<T>(team_, true, false, h, target, w);
  } else {
    multiply_dense<T>(team_, true, false, h, target, w);
    solver_.apply_to_columns(team_, w);
  }
  return true;
}

#define DLADMM_INSTANTIATE(T)                                                                           \
  template MatrixView<T> GraphState<T>::product_gradient(std::size_t, const GraphPenalties&);           \
  template bool GraphState<T>::update_hidden_W(std::size_t, const GraphPenalties&, GraphUpdateRecord&); \
  template bool GraphState<T>::update_output_W(const GraphPenalties&, GraphUpdateRecord&);              \
  template bool GraphState<T>::solve_output_W(double, MatrixView<T>, MatrixView<T>);                    \
  template bool GraphState<T>::update_output_W_exactly(const GraphPenalties&, GraphUpdateRecord&);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
