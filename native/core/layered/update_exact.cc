// The exact minimisers that inversion steps take in place of quadratic steps (Taylor et al., Algorithm 1). With w the
// penalty of the constraint that W_l (or W_{l+1}) is in, and T = z − b (+ u/ρ) what its product is to be near to:
//
// W_l minimises (w/2)‖T − a_{l-1} W_lᵀ‖² + (λ/2)‖W_l‖², the subproblem that eq. 9 and 11 of dlADMM take a step on:
//
//     W_l = Tᵀ a_{l-1} (a_{l-1}ᵀ a_{l-1} + (λ/w + ε) I)⁻¹           n_{l-1} x n_{l-1}
//         = ((a_{l-1} a_{l-1}ᵀ + (λ/w + ε) I)⁻¹ T)ᵀ a_{l-1}         samples x samples
//
// With Ω_l beside it the step is split, W = V, with a scaled dual Y and the weight wr, r the mean eigenvalue of aᵀa:
//
//     W <- (Tᵀ a + r (V − Y)) (aᵀ a + (λ/w + r) I)⁻¹,   V <- prox_{Ω/(wr)}(W + Y),   Y <- Y + W − V
//
// a few times by one factor. V, whose zeros and bounds are exact, is what W_l becomes; Y is kept from sweep to sweep.
//
// With `joint_bias`, a_{l-1} has a column of ones more and W_l is [W_l b_l].
//
// a_l minimises (w/2)‖T − a W_{l+1}ᵀ‖² + (γ/2)‖a − f(z_l)‖² (eq. 3 and 16). With c = γ/w, sample by sample:
//
//     a = (T W + c f(z)) (Wᵀ W + c I)⁻¹                             n_l x n_l
//       = f(z) + t W,  t = (T − f(z) Wᵀ)(W Wᵀ + c I)⁻¹              n_{l+1} x n_{l+1}
//
// In the second form the new product is P_{l+1} = a Wᵀ = T − c t: it costs nothing.
#include <algorithm>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"
#include "core/splitting/gram.hpp"

namespace dladmm {
namespace {

Inversion inversion_of(StepKind kind) {
  if (kind == StepKind::pseudoinverse) return Inversion::pseudoinverse;
  return kind == StepKind::inverse ? Inversion::inverse : Inversion::cholesky;
}

}  // namespace

// T of layer l; b is in it where it is a block of its own.
template <typename T>
void LayeredState<T>::write_target(std::size_t l, bool own_bias, const Penalties& p, Rows rows, MatrixView<T> out) {
  const std::span<const T> b = own_bias ? std::span<const T>(layer(l).b) : std::span<const T>();
  kernels::output_target<T>(rows_of(layer(l).z.view(), rows), b, rows_of(multiplier_of(l), rows),
                            static_cast<T>(penalty_of(l, p)), out);
}

template <typename T>
bool LayeredState<T>::update_W_exactly(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  direction_made_ = {};
  const bool by_samples = solves_by_samples(setup_, l);
  if (!(by_samples ? solve_W_by_samples(l, p, record) : solve_W_by_features(l, p, record))) return false;
  version(Block::W, l).advance();
  if (setup_.joint_bias) version(Block::b, l).advance();
  it.differences_made = by_samples ? Stamp() : differences_stamp(l);
  return true;
}

template <typename T>
bool LayeredState<T>::solve_W_by_features(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const MatrixView<T> in = input_of(l);
  const std::size_t n = in.columns;
  const std::size_t size = n + (setup_.joint_bias ? 1 : 0);
  const std::size_t m = it.b.size();
  const bool kept = l == 1 && setup_.gram;
  const bool multiplied = multiplier_of(l).data != nullptr;
  if (kept) gram();
  if (multiplied) dual_sums();

  // One pass gives Tᵀ a, aᵀ a, and the sums of a and of z.
  summing_pass({activation(l - 1), pre_activation(l)}, l, m, !kept,
               [&](Rows rows, Partial& partial, MatrixView<T> right) {
                 write_target(l, !setup_.joint_bias, p, rows, right);
                 if (!kept) elementwise::add_columns<T>(rows_of(in, rows), std::span(partial.columns[0]).first(n));
                 elementwise::add_columns<T>(rows_of(it.z.view(), rows), std::span(partial.columns[1]).first(m));
               });
  const Clock clock;
  const std::span<double> sums = std::span(sums_of_input_).first(n);
  if (kept) {
    std::copy_n(input_sums_.begin(), n, sums.begin());
  } else {
    sums_.columns(0, sums, 1, 0);
  }
  sums_.columns(1, it.differences, 1, 0);

  const double shift = p.l2 / penalty_of(l, p);
  const bool proximal = !p.regulariser(l).none();
  const Inversion how = inversion_of(step_of_W(l));
  GramSolver<T>& solver = kept ? input_solver_ : solver_;
  const auto fill = [&](MatrixView<T> matrix) {
    const MatrixView<T> core(matrix.data, n, n, matrix.stride);
    if (kept) {
      for (std::size_t i = 0; i < n; ++i) std::copy_n(gram_.view().row(i), i + 1, core.row(i));
    } else {
      sums_.gram(team_, core);
    }
    if (setup_.joint_bias) {
      std::transform(sums.begin(), sums.end(), matrix.row(n), [](double x) { return static_cast<T>(x); });
      matrix.row(n)[n] = static_cast<T>(setup_.all_samples());
    }
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += static_cast<double>(core.row(i)[i]);
    it.split = !proximal ? 0 : trace > 0 ? trace / static_cast<double>(n) : 1;
    for (std::size_t i = 0; i < size; ++i) matrix.row(i)[i] += static_cast<T>(shift + (i < n ? it.split : 0));
  };
  // XᵀX never changes, so neither does its factor.
  if (!kept || !input_shift_.valid(gram_made_) || input_shift_.value != shift || proximal != (it.split > 0)) {
    input_shift_.forget();
    if (!solver.prepare(team_, how, size, GramSolver<T>::kRounding, fill)) return false;
    if (kept) input_shift_.set(shift, gram_made_);
  }

  const MatrixView<T> right(right_side_.data(), m, size);
  sums_.product(team_, MatrixView<T>(right.data, m, n, size));
  if (setup_.joint_bias) {
    for (std::size_t j = 0; j < m; ++j) {
      right.row(j)[n] = static_cast<T>(it.differences[j] + (multiplied ? dual_sums_[j] / p.rho : 0));
    }
  }
  if (proximal) {
    if (!split_W(l, p, solver, right, sums)) return false;
  } else {
    solver.apply(team_, right, MatrixView<T>(right_scratch_.data(), m, size));
  }
  record.factor_seconds = clock.seconds();
  if (how == Inversion::pseudoinverse) {
    record.rank = static_cast<int>(solver.rank());
  } else {
    record.ridge = solver.ridge();
  }
  if (!std::isfinite(elementwise::square_norm<T>(team_, right))) return false;
  over_parameters(l, kBand, [&](Rows rows) {
    for (std::size_t j = rows.first; j < rows.first + rows.count; ++j) {
      std::copy_n(right.row(j), n, it.W.view().row(j));
      if (setup_.joint_bias) it.b[j] = right.row(j)[n];
      // Σ (z − P) = Σ z − W Σ a
      it.differences[j] -= elementwise::inner_product<T, double>({right.row(j), 1, n}, {sums.data(), 1, n});
    }
    return 0.0;
  });
  return true;
}

// From the right side Tᵀ a to V, in its place, with b by the mean of what V leaves.
template <typename T>
bool LayeredState<T>::split_W(std::size_t l, const Penalties& p, GramSolver<T>& solver, MatrixView<T> right,
                              std::span<const double> sums) {
  Layer& it = layer(l);
  const std::size_t n = it.W.columns();
  const MatrixView<T> v = it.W.view(), y = it.Y.view();
  const MatrixView<T> base(right_base_.data(), right.rows, right.columns), next(proximal_point_.data(), right.rows, n);
  const double weight = penalty_of(l, p) * it.split;
  const auto rescale = static_cast<T>(it.Y_weight > 0 ? it.Y_weight / weight : 1);
  it.Y_weight = weight;
  const auto by_rows = [&](auto&& body) {
    over_parameters(l, kBand, [&](Rows rows) {
      for (std::size_t j = rows.first; j < rows.first + rows.count; ++j) body(j);
      return 0.0;
    });
  };
  by_rows([&](std::size_t j) {
    std::copy_n(right.row(j), right.columns, base.row(j));
    for (std::size_t k = 0; k < n; ++k) y.row(j)[k] *= rescale;
  });
  const auto r = static_cast<T>(it.split);
  const auto solve = [&] {
    by_rows([&](std::size_t j) {
      std::copy_n(base.row(j), right.columns, right.row(j));
      for (std::size_t k = 0; k < n; ++k) right.row(j)[k] += r * (v.row(j)[k] - y.row(j)[k]);
    });
    solver.apply(team_, right, MatrixView<T>(right_scratch_.data(), right.rows, right.columns));
  };
  const MatrixView<T> x(right.data, right.rows, n, right.columns);
  if (!split_steps<T>(team_, p.regulariser(l), weight, kSplitSteps, v, y, x, next, spectral_, solve)) return false;
  by_rows([&](std::size_t j) {
    std::copy_n(v.row(j), n, right.row(j));
    if (!setup_.joint_bias) return;
    const double left = static_cast<double>(base.row(j)[n]) -
                        elementwise::inner_product<T, double>({v.row(j), 1, n}, {sums.data(), 1, n});
    right.row(j)[n] = static_cast<T>(left / (static_cast<double>(setup_.all_samples()) + p.l2 / penalty_of(l, p)));
  });
  return std::isfinite(elementwise::square_norm<T>(team_, y));
}

template <typename T>
bool LayeredState<T>::solve_W_by_samples(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const MatrixView<T> in = input_of(l);
  const std::size_t m = it.b.size();
  const T ones = setup_.joint_bias ? T(1) : T(0);
  if (l > 1) bring(activation(l - 1));  // the input of layer 1 is x

  // samples x samples <- samples x n_{l-1}, n_{l-1} x samples
  const auto fill = [&](MatrixView<T> matrix) {
    fill_gram<T>(team_, blas::Op::none, T(1), in, static_cast<T>(p.l2 / penalty_of(l, p)), matrix);
    if (!setup_.joint_bias) return;
    for (std::size_t i = 0; i < matrix.rows; ++i) {
      for (std::size_t j = 0; j <= i; ++j) matrix.row(i)[j] += ones;
    }
  };
  const Clock clock;
  if (!solver_.prepare(team_, Inversion::cholesky, setup_.samples, GramSolver<T>::kRounding, fill)) return false;
  const MatrixView<T> target(right_.data(), setup_.samples, m);
  pass({}, {},
       [&](unsigned, Rows rows, Partial&) { write_target(l, !setup_.joint_bias, p, rows, rows_of(target, rows)); });
  solver_.apply_to_columns(team_, target);
  record.factor_seconds = clock.seconds();
  record.ridge = solver_.ridge();
  summing_pass({}, l, m, false, [&](Rows rows, Partial& partial, MatrixView<T>) {
    elementwise::add_columns<T>(rows_of(target, rows), std::span(partial.columns[0]).first(m));
  });
  sums_.product(team_, it.W.view());
  if (setup_.joint_bias) {
    sums_.columns(0, it.differences, 1, 0);
    for (std::size_t j = 0; j < m; ++j) it.b[j] = static_cast<T>(it.differences[j]);
  }
  return std::isfinite(elementwise::square_norm<T>(team_, it.W.view())) &&
         std::all_of(it.b.begin(), it.b.end(), [](T b) { return std::isfinite(b); });
}

template <typename T>
bool LayeredState<T>::update_a_exactly(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const MatrixView<T> w = next.W.view();
  const std::size_t n = it.b.size();
  const std::size_t m = next.b.size();
  const bool by_outputs = solves_by_outputs(setup_, l);
  const T c = static_cast<T>(p.gamma / penalty_of(l + 1, p));

  const Clock clock;
  const auto fill = [&](MatrixView<T> matrix) {
    fill_gram<T>(team_, by_outputs ? blas::Op::none : blas::Op::transpose, T(1), w, c, matrix);
  };
  const Inversion how = step_of_a(l) == StepKind::inverse ? Inversion::inverse : Inversion::cholesky;
  // γ > 0 makes the matrix positive definite; ε comes in only where rounding in T denies it.
  if (!solver_.prepare(team_, how, by_outputs ? m : n, 0, fill)) return false;
  record.factor_seconds = clock.seconds();
  record.ridge = solver_.ridge();

  pass(
      {pre_activation(l), pre_activation(l + 1)}, {it.a.view(), next.P.view()}, {}, cut_.pieces.largest(),
      4 * static_cast<double>(n * m) + 2 * std::pow(static_cast<double>(by_outputs ? m : n), 2),
      [&](unsigned member, Rows piece, Rows rows, Partial&) {
        write_target(l + 1, true, p, rows,
                     room(member, piece.count, m).rows_from(rows.first - piece.first, rows.count));
        elementwise::activate<T>(function(), rows_of(it.z.view(), rows), rows_of(it.a.view(), rows));
      },
      [&](unsigned member, Rows piece, Partial& partial, Ahead&) {
        using blas::Op;
        const MatrixView<T> target = room(member, piece.count, m);
        const MatrixView<T> a = rows_of(it.a.view(), piece);
        const MatrixView<T> product = rows_of(next.P.view(), piece);
        T* const scratch = spaces_[member].second.flat().data();
        if (by_outputs) {
          const MatrixView<T> t(scratch, piece.count, m);
          blas::gemm<T>(Op::none, Op::transpose, T(1), a, w, T(0), product);  // piece x m <- piece x n, n x m
          entrywise::each([](T& to, T goal, T is) DLADMM_INLINE { to = goal - is; }, t, target, product);
          solver_.apply_rows(t, {});
          blas::gemm<T>(Op::none, Op::none, T(1), t, w, T(1), a);  // piece x n <- piece x m, m x n
          entrywise::each([c](T& to, T goal, T ti) DLADMM_INLINE { to = goal - c * ti; }, product, target, t);
        } else {
          blas::gemm<T>(Op::none, Op::none, T(1), target, w, c, a);  // piece x n <- piece x m, m x n
          solver_.apply_rows(a, MatrixView<T>(scratch, piece.count, n));
          blas::gemm<T>(Op::none, Op::transpose, T(1), a, w, T(0), product);  // piece x m <- piece x n, n x m
        }
        partial.scalars[kActivation] += elementwise::activation_miss<T>(function(), a, rows_of(it.z.view(), piece));
        partial.scalars[kResidual] += kernels::residual<T>(product, next.b, rows_of(next.z.view(), piece),
                                                           std::span(partial.columns[0]).first(m));
      });
  overwrote_a(l);
  held(product(l + 1)) = product_stamp(l + 1);
  it.activation.set(sums_.scalar(kActivation), activation_stamp(l));
  next.residual.set(sums_.scalar(kResidual), residual_stamp(l + 1));
  set_differences(l + 1);
  return std::isfinite(it.activation.value) && std::isfinite(next.residual.value);
}

#define DLADMM_INSTANTIATE(T)                                                                    \
  template bool LayeredState<T>::update_W_exactly(std::size_t, const Penalties&, UpdateRecord&); \
  template bool LayeredState<T>::update_a_exactly(std::size_t, const Penalties&, UpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
