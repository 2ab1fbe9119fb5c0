// The updates of dlADMM on a graph (arXiv 2112.11619), and a sweep of them.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "core/functions/elementwise.hpp"
#include "core/graph/state.hpp"
#include "core/linalg/tiled.hpp"
#include "core/splitting/gram.hpp"

namespace dladmm {

// --- what the updates with the activation inside the square have in common ---

namespace {

// f'(x) from x and y = f(x), whichever tells.
template <typename F, typename T>
[[gnu::always_inline]] inline T slope_of(F f, T x, T y) {
  return f.derivative(F::kTellsDerivative ? y : x);
}

struct Changes : std::array<double, 4> {
  Changes& operator+=(const Changes& more) {
    for (std::size_t k = 0; k < size(); ++k) (*this)[k] += more[k];
    return *this;
  }
};

// ‖Z − f(P − c_k D)‖² − ‖Z − f(P)‖² for every c_k. In double, entry by entry, so that no decrease is lost in the
// rounding of T.
template <typename T>
[[nodiscard]] Changes changes_of(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p,
                                 MatrixView<const T> d, std::span<const double> c) {
  Changes changes{};
  with_activation<double>(activation, [&](auto f) {
    for (std::size_t k = 0; k < c.size(); ++k) {
      const double ck = c[k];
      changes[k] = entrywise::sum(
          [f, ck](T zi, T pi, T di) DLADMM_INLINE {
            const double x = static_cast<double>(pi);
            const double before = f.value(x);
            const double after = f.value(x - ck * static_cast<double>(di));
            return (before - after) * (2 * static_cast<double>(zi) - before - after);
          },
          z, p, d);
    }
  });
  return changes;
}

}  // namespace

template <typename T>
template <typename Scale, typename Accepts>
bool GraphState<T>::search(std::size_t l, MatrixView<const T> d, double direction, double weight, double start,
                           double growth, Scale&& scale, Accepts&& accepts, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  settle(due_on_P(l));
  settle(due_on_Z(l));
  const auto measure = [&](std::span<const double> sizes, std::span<double> changes) {
    Changes scales{};
    std::ranges::transform(sizes, scales.begin(), scale);
    const auto found = sum<Changes>(d, [&](Rows rows, unsigned) {
      return changes_of<T>(activation(), it.Z.view().rows_from(rows), it.P.view().rows_from(rows), d.rows_from(rows),
                           scales);
    });
    std::ranges::copy(found, changes.begin());
  };
  const auto from = [&](double first) {
    return first_accepted(first, growth, growths_tried(growth), measure, accepts);
  };
  Trials trials = from(start);
  if (!trials.accepted) {
    // Either the subproblem is at a kink, or the start is so far below the curvature that there is where f is the
    // identity that the search did not come near it: then it goes on from where sizes can pass.
    const double near = std::ldexp(weight * square_norm(d) / direction, static_cast<int>(-kPowersTried / 2));
    if (trials.size < near) trials = from(accepted_size(StepSearch::backtracking, start, growth, near));
  }
  record.trials = trials.tried;
  record.size = trials.size;
  return trials.accepted;
}

// --- the W_l updates ---
//
// Below the output the activation stands inside the square, so the step is a gradient step whose size
// a search accepts; at the output the subproblem is quadratic.

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

// --- the Z_l updates of the hidden layers ---
//
// Z_l sees f(P_l), which it is to be near to, and the product of the next layer.

// g = ν (Z_l − f(P_l)) + Ãᵀ Q W_{l+1}ᵀ with Q the gradient of the next layer's terms with respect to P_{l+1}, and
// Z⁺ = Z − g/τ, which moves P_{l+1} by −D/τ with D = Ã g W_{l+1}.
//
// Below the output layer the next constraint is linear: τ passes exactly when τ ≥ κ = (ρ‖D‖² + ν‖g‖²)/‖g‖². Elsewhere
// the part in Z_l itself is quadratic, ν(−⟨Z_l − f(P_l), g⟩/τ + ‖g‖²/(2τ²)), and only that of the next layer is tried
// entry by entry.
template <typename T>
bool GraphState<T>::update_hidden_Z(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  const MatrixView<const T> w = layer(l + 1).W.view();
  const MatrixView<T> g = room_for_gradient(l);
  propagation(l + 1).backward(team_, product_gradient(l + 1, p), w, room_for_scratch(), g);
  const DueStep on_P = due_on_P(l), on_Z = due_on_Z(l);
  const entrywise::Pair sums = sum<entrywise::Pair>(g, [&](Rows rows, unsigned) {
    on_P.on(rows);
    on_Z.on(rows);
    const auto of = [&](MatrixView<T> m) { return m.rows_from(rows); };
    const T nu = static_cast<T>(p.nu);
    // g <- g + ν (Z − f(P)), ‖g‖² and ⟨Z − f(P), g⟩
    return with_activation<T>(activation(), [&](auto f) {
      return entrywise::sums(
          [f, nu](T z, T product, T& to) DLADMM_INLINE {
            const T miss = z - f.value(product);
            to += nu * miss;
            const double value = static_cast<double>(to);
            return entrywise::Pair{value * value, static_cast<double>(miss) * value};
          },
          of(it.Z.view()), of(it.P.view()), of(g));
    });
  });
  const double g_norm = sums.first;
  const double inner = sums.second;
  if (!std::isfinite(g_norm) || !std::isfinite(inner)) return false;
  record.step_norm = 0;
  record.trials = 0;
  record.size = it.last_tau > 0 ? it.last_tau : p.tau0;
  if (g_norm == 0) return true;

  const MatrixView<T> d = room_for_image(l + 1);
  propagation(l + 1).forward(team_, g, w, room_for_scratch(), d);
  if (is_output(l + 1)) {
    record.kappa = (p.rho * square_norm(d) + p.nu * g_norm) / g_norm;
    if (!std::isfinite(record.kappa)) return false;
    record.size = accepted_size(p.search, p.tau0, p.growth, record.kappa);
    record.trials = 1;
  } else {
    const bool goes_on = p.search == StepSearch::exact && it.last_tau > 0;
    const auto accepts = [&](double tau, double change) {
      const double c = 1 / tau;
      const double own = p.nu * c * (c / 2 * g_norm - inner);
      return own + p.nu / 2 * change <= -c / 2 * g_norm;
    };
    record.kept = !search(
        l + 1, d, g_norm, p.nu, goes_on ? it.last_tau / p.growth : p.tau0, p.growth, [](double tau) { return 1 / tau; },
        accepts, record);
    if (record.kept) return true;
  }
  const double c = 1 / record.size;
  if (!std::isfinite(static_cast<T>(c))) return false;
  it.last_tau = record.size;
  record.step_norm = c * c * g_norm;
  step_on_Z(l, c, g, d);
  return true;
}

// --- the output layer: Z_L on the training nodes, and the dual variable U ---

template <typename T>
OutputRows<T> GraphState<T>::output_rows(Rows rows) {
  const auto of = [&](MatrixView<T> m) { return m.rows_from(rows); };
  return {of(layer(depth()).P.view()), {}, of(layer(depth()).Z.view()), of(u_.view())};
}

// Z_L <- argmin of R(Z) + ⟨U, Z⟩ + (ρ/2)‖Z − P_L‖², node by node, exactly. On nodes without a part in the loss the
// minimiser is P_L; those rows are not kept (state.hpp).
template <typename T>
bool GraphState<T>::update_output_Z(const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(depth());
  const DueStep on_P = due_on_P(depth()), on_Z = due_on_Z(depth());
  const auto found = sum<OutputSolves>(u_.view(), [&](Rows rows, unsigned member) {
    on_P.on(rows);
    on_Z.on(rows);
    return solve_output_rows(setup_.network.loss, output_rows(rows),
                             [&](std::size_t i, std::span<double>) { return target_of(rows.first + i); }, p.rho,
                             OutputWork(works_[member], u_.columns()), {});
  });
  it.of_Z.advance();
  it.Z.made = stamp_of_Z(depth());
  record.steps = static_cast<int>(found.steps);
  record.stationarity = found.stationarity;
  return std::isfinite(found.residual);
}

// U <- U + ρ (Z_L − P_L)
template <typename T>
bool GraphState<T>::update_U(const GraphPenalties& p) {
  return std::isfinite(measure_output(p.rho).dual_norm);
}

template <typename T>
OutputMeasures GraphState<T>::measure_output(double dual_step) {
  const std::size_t l = depth();
  const auto now = [&] { return Stamp(l == 1 ? of_X_ : layer(l - 1).of_Z, layer(l).of_W, layer(l).of_Z, of_U_); };
  if (dual_step == 0 && output_measures_.valid(now())) return output_measures_.value;
  const DueStep on_P = due_on_P(l), on_Z = due_on_Z(l);
  const auto found = sum<OutputMeasures>(u_.view(), [&](Rows rows, unsigned member) {
    on_P.on(rows);
    on_Z.on(rows);
    return measure_output_rows(setup_.network.loss, output_rows(rows),
                               [&](std::size_t i, std::span<double>) { return target_of(rows.first + i); },
                               Multiplier::residual, dual_step, OutputWork(works_[member], u_.columns()), {});
  });
  if (dual_step != 0) of_U_.advance();
  output_measures_.set(found, now());
  return found;
}

// --- a sweep ---

template <typename T>
bool GraphState<T>::update(GraphUpdate update, const GraphPenalties& p, GraphUpdateRecord& record) {
  const auto [block, l] = update;
  switch (block) {
    case GraphBlock::W:
      return is_output(l) && setup_.output_weights == OutputWeights::cholesky ? update_output_W_exactly(p, record)
                                                                              : update_W(l, p, record);
    case GraphBlock::Z:
      return is_output(l) ? update_output_Z(p, record) : update_hidden_Z(l, p, record);
    case GraphBlock::U:
      break;
  }
  return update_U(p);
}

template <typename T>
void GraphState<T>::run(std::span<const GraphUpdate> updates, const GraphPenalties& p, const std::atomic<bool>& stop,
                        GraphSweepRecord& record) {
  need_start(of_U_);
  const AtWork here(stop);
  finite_.keep();
  const bool finite = run_sweep(
      record, updates.size(), stop, [&](std::size_t i) { return update(updates[i], p, record.updates[i]); },
      [&] {
        measure(p, record.measures);
        // No update looks at all that it writes. The Lagrangian does: every variable is in it.
        return std::isfinite(record.measures.lagrangian);
      });
  if (finite) return;
  finite_.restore();
  for (std::size_t l = 1; l <= depth(); ++l) advance_W(l);
}

template <typename T>
double GraphState<T>::product_seconds(std::span<const GraphUpdate> updates, int repeats) {
  need_start(of_U_);
  const AtWork here;
  for (std::size_t l = 1; l <= depth(); ++l) {
    settle(due_on_P(l));
    settle(due_on_Z(l));
  }
  for (const std::span<T> all : {direction_.span(), gradient_.span(), pull_.span()}) {
    std::fill(all.begin(), all.end(), static_cast<T>(1e-3));
  }
  const auto products = [&](GraphUpdate update) {
    const auto [block, l] = update;
    if (block == GraphBlock::U || (block == GraphBlock::Z && is_output(l))) return;
    const std::size_t of = block == GraphBlock::W ? l : l + 1;
    const Layer& it = layer(of);
    const MatrixView<T> d = room_for_image(of);
    const MatrixView<T> q(pull_.data(), d.rows, d.columns);
    if (block == GraphBlock::Z) {
      const MatrixView<T> g = room_for_gradient(l);
      propagation(of).backward(team_, q, it.W.view(), room_for_scratch(), g);
      propagation(of).forward(team_, g, it.W.view(), room_for_scratch(), d);
      return;
    }
    const MatrixView<T> s(direction_.data(), it.W.rows(), it.W.columns());
    smoothed_.forget();
    if (is_output(l) && setup_.output_weights == OutputWeights::cholesky) {
      const MatrixView<const T> h = smoothed(l);
      static_cast<void>(solve_output_W(1, h, {right_side_.data(), u_.rows(), u_.columns()}, s));
      // T x n_{L-1} times n_{L-1} x n_L
      multiply<T>(team_, blas::Op::none, blas::Op::none, 1, h, s, 0, d);
      return;
    }
    weight_gradient(l, q, s);
    propagate(l, s, d);
  };
  double sum = 0;
  for (const GraphUpdate update : updates) {
    double best = std::numeric_limits<double>::infinity();
    for (int repeat = 0; repeat < repeats; ++repeat) {
      const Clock clock;
      products(update);
      best = std::min(best, clock.seconds());
    }
    sum += best;
  }
  return sum;
}

#define DLADMM_INSTANTIATE(T)                                                                                     \
  template void GraphState<T>::run(std::span<const GraphUpdate>, const GraphPenalties&, const std::atomic<bool>&, \
                                   GraphSweepRecord&);                                                            \
  template OutputMeasures GraphState<T>::measure_output(double);                                                  \
  template OutputRows<T> GraphState<T>::output_rows(Rows);                                                        \
  template double GraphState<T>::product_seconds(std::span<const GraphUpdate>, int);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
