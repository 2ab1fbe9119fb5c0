// The W_l updates of dlADMM on a graph (arXiv 2112.11619). Below the output the activation stands inside the square, so
// the step is a gradient step whose size a search accepts; at the output the subproblem is quadratic.
#include <algorithm>
#include <cmath>

#include "core/functions/elementwise.hpp"
#include "core/graph/search.hpp"
#include "core/graph/state.hpp"
#include "core/linalg/tiled.hpp"
#include "core/splitting/gram.hpp"

namespace dladmm {

// −ν (Z_l − f(P_l)) ∘ f'(P_l), or ρ (P_L − Z_L) − U.
template <typename T>
MatrixView<T> GraphState<T>::product_gradient(std::size_t l, const GraphPenalties& p) {
  Layer& it = layer(l);
  const MatrixView<T> out(pull_.data(), it.P.matrix.rows(), it.P.matrix.columns());
  const DueStep on_P = due_on_P(l), on_Z = due_on_Z(l);
  pass(it.P.matrix, [&](Rows rows, unsigned) {
    on_P.on(rows);
    on_Z.on(rows);
    const auto of = [&](MatrixView<T> m) { return m.rows_from(rows); };
    if (is_output(l)) {
      const T rho = static_cast<T>(p.rho);
      entrywise::each([rho](T z, T product, T u, T& to) DLADMM_INLINE { to = rho * (product - z) - u; },
                      of(it.Z.view()), of(it.P.view()), of(u_.view()), of(out));
      return;
    }
    const T nu = static_cast<T>(p.nu);
    with_activation<T>(activation(), [&](auto f) {
      entrywise::each(
          [f, nu](T z, T product, T& to) DLADMM_INLINE {
            const T y = f.value(product);
            to = nu * (y - z) * slope_of(f, product, y);
          },
          of(it.Z.view()), of(it.P.view()), of(out));
    });
  });
  return out;
}

template <typename T>
MatrixView<T> GraphState<T>::weight_direction(std::size_t l, const GraphPenalties& p) {
  const MatrixView<T> s(direction_.data(), layer(l).W.rows(), layer(l).W.columns());
  weight_gradient(l, product_gradient(l, p), s);
  if (penalty_on(p, l) > 0) step_back(s, -penalty_on(p, l), layer(l).W.view());
  return s;
}

// S = G + λW with G = (Ã Z_{l-1})ᵀ(−ν (Z_l − f(P_l)) ∘ f'(P_l)), and W⁺ = W − S/(θ + λ), the minimiser of the model
// φ + ⟨G, ΔW⟩ + (θ/2)‖ΔW‖² + Ω(W + ΔW). The step moves P_l by −D/(θ + λ) with D = Ã Z_{l-1} S, one map: every θ is then
// tried entry by entry. It is accepted where φ has fallen to the model or below. For W_L φ is quadratic: θ passes
// exactly when θ ≥ κ = ρ‖D‖²/‖S‖².
template <typename T>
bool GraphState<T>::update_W(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  const double l2 = penalty_on(p, l);
  const MatrixView<T> s = weight_direction(l, p);
  const entrywise::Pair sums = sum<entrywise::Pair>(s, [&](Rows rows, unsigned) {
    const MatrixView<const T> part = s.rows_from(rows);
    const MatrixView<const T> w = it.W.view().rows_from(rows);
    const bool inner = l2 > 0 && !is_output(l);
    return entrywise::Pair{elementwise::square_norm<T>(part), inner ? elementwise::inner_product<T>(part, w) : 0};
  });
  const double s_norm = sums.first;
  const double descent = s_norm - l2 * sums.second;  // ⟨G, S⟩
  if (!std::isfinite(s_norm) || !std::isfinite(descent)) return false;
  const bool goes_on = p.search == StepSearch::exact && it.last_theta > 0;
  record.step_norm = 0;
  record.trials = 0;
  record.size = goes_on ? it.last_theta : p.theta0;
  if (is_output(l)) record.kappa = 0;
  if (s_norm == 0) return true;

  const MatrixView<T> d = room_for_image(l);
  propagate(l, s, d);
  const auto scale = [&](double theta) { return 1 / (theta + l2); };
  if (is_output(l)) {
    const double kappa = p.rho * square_norm(d) / s_norm;
    if (!std::isfinite(kappa)) return false;
    const double size = accepted_size(p.search, p.theta0, p.growth, kappa);
    // The exact size of a direction that no product sees is 0.
    if (!std::isfinite(static_cast<T>(scale(size)))) return true;
    record.kappa = kappa;
    record.size = size;
    record.trials = 1;
  } else {
    const auto accepts = [&](double theta, double change) {
      const double c = scale(theta);
      return p.nu / 2 * change <= c * (theta / 2 * c * s_norm - descent);
    };
    const double start = goes_on ? it.last_theta / p.growth : p.theta0;
    record.kept = !search(l, d, s_norm, p.nu, start, p.growth, scale, accepts, record);
    if (record.kept) return true;
  }
  const double c = scale(record.size);
  if (!std::isfinite(static_cast<T>(c))) return false;
  it.last_theta = record.size;
  record.step_norm = c * c * s_norm;
  step_on_W(l, c, s, d);
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
  const MatrixView<T> target(right_side_.data(), u_.rows(), u_.columns());
  settle(due_on_Z(l));
  pass(u_, [&](Rows rows, unsigned) {
    const auto of = [&](MatrixView<T> m) { return m.rows_from(rows); };
    const double inverse_rho = 1 / p.rho;
    entrywise::each(
        [inverse_rho](T z, T u, T& to)
            DLADMM_INLINE { to = static_cast<T>(static_cast<double>(z) + static_cast<double>(u) * inverse_rho); },
        of(it.Z.view()), of(u_.view()), of(target));
  });
  const MatrixView<T> step(direction_.data(), it.W.rows(), it.W.columns());
  const MatrixView<const T> h = smoothed(l);
  if (!solve_output_W(penalty_on(p, l) / p.rho, h, target, step)) return false;
  record.ridge = solver_.ridge();
  static_cast<void>(room_for_image(l));
  // T x n_{L-1} times n_{L-1} x n_L
  multiply<T>(team_, blas::Op::none, blas::Op::none, 1, h, step, 0, it.P.view());
  // The new W_L takes its place; what is left in `step` is the way there.
  record.step_norm = sum<double>(step, [&](Rows rows, unsigned) {
    const MatrixView<T> from = step.rows_from(rows);
    return entrywise::sum(
        [](T& now, T& found) DLADMM_INLINE {
          const T old = now;
          now = found;
          found -= old;
          return static_cast<double>(found) * static_cast<double>(found);
        },
        it.W.view().rows_from(rows), from);
  });
  advance_W(l);
  it.P.made = stamp_of_P(l);
  return std::isfinite(record.step_norm);
}

template <typename T>
bool GraphState<T>::solve_output_W(double shift, MatrixView<const T> h, MatrixView<T> target, MatrixView<T> w) {
  const bool by_nodes = h.rows < h.columns;
  PieceSums<T>& sums = layer(depth()).sums;
  const auto fill = [&](MatrixView<T> m) {
    // T x n_{L-1} with n_{L-1} x T
    if (by_nodes) return fill_gram<T>(team_, blas::Op::none, 1, h, static_cast<T>(shift), m);
    // n_{L-1} x T with T x n_{L-1}
    sum_products<T>(team_, sums, h, h, m, Part::lower);
    for (std::size_t i = 0; i < m.rows; ++i) m.row(i)[i] += static_cast<T>(shift);
  };
  const double ridge = shift > 0 ? 0 : GramSolver<T>::kRounding;
  if (!solver_.prepare(team_, Inversion::cholesky, std::min(h.rows, h.columns), ridge, fill)) return false;
  if (by_nodes) solver_.apply_to_columns(team_, target);
  // n_{L-1} x T times T x n_L
  sum_products<T>(team_, sums, h, target, w);
  if (!by_nodes) solver_.apply_to_columns(team_, w);
  return true;
}

#define DLADMM_INSTANTIATE(T)                                                                      \
  template MatrixView<T> GraphState<T>::product_gradient(std::size_t, const GraphPenalties&);      \
  template bool GraphState<T>::update_W(std::size_t, const GraphPenalties&, GraphUpdateRecord&);   \
  template bool GraphState<T>::update_output_W_exactly(const GraphPenalties&, GraphUpdateRecord&); \
  template bool GraphState<T>::solve_output_W(double, MatrixView<const T>, MatrixView<T>, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
