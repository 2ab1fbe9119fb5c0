// The W_l update by inversion: the exact minimiser of (w/2)‖T − a_{l-1} W_lᵀ‖² + (λ/2)‖W_l‖² (Taylor et al., Algorithm
// 1, W_l <- z_l a_{l-1}⁺; for dlADMM the subproblem that eq. 9 and 11 take a quadratic step on).
//
//     W_l = Tᵀ a_{l-1} (a_{l-1}ᵀ a_{l-1} + (λ/w + ε) I)⁻¹           n_{l-1} x n_{l-1}
//         = ((a_{l-1} a_{l-1}ᵀ + (λ/w + ε) I)⁻¹ T)ᵀ a_{l-1}         samples x samples
//
// With `joint_bias`, a_{l-1} has a column of ones more and W_l is [W_l b_l].
#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {
namespace {

Inversion inversion_of(StepKind kind) {
  if (kind == StepKind::pseudoinverse) return Inversion::pseudoinverse;
  return kind == StepKind::inverse ? Inversion::inverse : Inversion::cholesky;
}

class Stopwatch {
 public:
  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - began_).count();
  }

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
};

template <typename T>
bool all_finite(MatrixView<const T> m) {
  return std::isfinite(kernels::square_norm<T>(m));
}

}  // namespace

template <typename T>
void LayeredState<T>::write_target(std::size_t l, const Penalties& p, Rows rows, MatrixView<T> out) {
  const std::span<const T> b = setup_.joint_bias ? std::span<const T>() : std::span<const T>(layer(l).b);
  kernels::output_target<T>(rows_of(layer(l).z.view(), rows), b, rows_of(multiplier_of(l), rows),
                            static_cast<T>(penalty_of(l, p)), out);
}

template <typename T>
bool LayeredState<T>::update_W_exactly(std::size_t l, const Penalties& p, UpdateRecord& record) {
  forget(product(l));
  changed_product(l);
  layer(l).difference_known = false;
  const bool finite =
      solves_by_samples(setup_, l) ? solve_W_by_samples(l, p, record) : solve_W_by_features(l, p, record);
  layer(l).product_due = true;
  return finite;
}

template <typename T>
bool LayeredState<T>::solve_W_by_features(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const MatrixView<T> in = input_of(l);
  const std::size_t n = in.columns;
  const std::size_t size = n + (setup_.joint_bias ? 1 : 0);
  const std::size_t m = it.b.size();
  const bool kept = l == 1 && setup_.gram;
  const auto samples = static_cast<double>(setup_.samples);
  const auto target_block = [&](unsigned member, std::size_t count) {
    return MatrixView<T>(spaces_[member].first.flat().data(), count, m);
  };

  // One pass gives Tᵀ a, aᵀ a, and the sums of a and of z.
  pass(
      {activation(l - 1)}, {},
      [&](unsigned member, Rows block, Rows rows, Partial& partial) {
        write_target(l, p, rows, target_block(member, block.count).rows_from(rows.first - block.first, rows.count));
        if (!kept) kernels::add_columns<T>(rows_of(in, rows), partial.columns[0]);
        kernels::add_columns<T>(rows_of(it.z.view(), rows), partial.columns[1]);
      },
      [&](unsigned member, Rows block, Partial& partial) {
        partial.product.add(target_block(member, block.count), rows_of(in, block));
        if (!kept) partial.gram.add_gram(rows_of(in, block));
      });

  const Stopwatch watch;
  const std::span<double> sums = std::span(sums_of_input_).first(n);
  if (kept) {
    std::copy_n(input_sums_.begin(), n, sums.begin());
  } else {
    sums_.columns(0, sums, 1, 0);
  }
  sums_.columns(1, it.difference_sums, 1, 0);

  const double shift = p.l2 / penalty_of(l, p);
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
      matrix.row(n)[n] = static_cast<T>(samples);
    }
    for (std::size_t i = 0; i < size; ++i) matrix.row(i)[i] += static_cast<T>(shift);
  };
  // XᵀX never changes, so neither does its factor.
  const bool ready = kept && input_solver_ready_ && input_solver_shift_ == shift;
  if (!ready && !solver.prepare(team_, how, size, GramSolver<T>::kRounding, fill)) return false;
  if (kept) {
    input_solver_ready_ = true;
    input_solver_shift_ = shift;
  }

  const MatrixView<T> right(right_side_.data(), m, size);
  sums_.product(team_, MatrixView<T>(right.data, m, n, size));
  if (setup_.joint_bias) {
    const bool multiplied = multiplier_of(l).data != nullptr;
    for (std::size_t j = 0; j < m; ++j) {
      right.row(j)[n] = static_cast<T>(it.difference_sums[j] + (multiplied ? dual_sums_[j] / p.rho : 0));
    }
  }
  solver.apply(team_, right, MatrixView<T>(right_scratch_.data(), m, size));
  record.factor_seconds = watch.seconds();
  if (how == Inversion::pseudoinverse) {
    record.rank = static_cast<int>(solver.rank());
  } else {
    record.ridge = solver.ridge();
  }
  if (!all_finite<T>(right)) return false;
  for (std::size_t j = 0; j < m; ++j) {
    std::copy_n(right.row(j), n, it.W.view().row(j));
    if (setup_.joint_bias) it.b[j] = right.row(j)[n];
    // Σ (z − P) = Σ z − W Σ a
    double sum = 0;
    for (std::size_t k = 0; k < n; ++k) sum += static_cast<double>(right.row(j)[k]) * sums[k];
    it.difference_sums[j] -= sum;
  }
  it.difference_known = true;
  return true;
}

template <typename T>
bool LayeredState<T>::solve_W_by_samples(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  settle_all();  // both slots are free from here on
  const MatrixView<T> in = input_of(l);
  const std::size_t samples = setup_.samples;
  const std::size_t m = it.b.size();
  const T shift = static_cast<T>(p.l2 / penalty_of(l, p));
  const T ones = setup_.joint_bias ? T(1) : T(0);
  const MatrixView<T> target(slots_[0].storage.data(), samples, m);

  const auto fill = [&](MatrixView<T> matrix) {
    team_.run([&](unsigned member) {
      blocks_.each(member, team_.size(), [&](Rows rows) {
        const MatrixView<T> out(matrix.row(rows.first), rows.count, rows.first + rows.count, matrix.stride);
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), rows_of(in, rows),
                      in.rows_from(0, rows.first + rows.count), T(0), out);
        for (std::size_t i = 0; i < rows.count; ++i) {
          for (std::size_t j = 0; j <= rows.first + i; ++j) out.row(i)[j] += ones;
          out.row(i)[rows.first + i] += shift;
        }
      });
    });
  };
  const Stopwatch watch;
  if (!solver_.prepare(team_, Inversion::cholesky, samples, GramSolver<T>::kRounding, fill)) return false;
  team_.run([&](unsigned member) {
    blocks_.each(member, team_.size(), [&](Rows rows) { write_target(l, p, rows, rows_of(target, rows)); });
  });
  solver_.apply_to_columns(team_, target);
  record.factor_seconds = watch.seconds();
  record.ridge = solver_.ridge();

  sums_.clear();
  team_.run([&](unsigned member) {
    Partial& partial = sums_.of(member);
    blocks_.each(member, team_.size(), [&](Rows rows) {
      partial.product.add(rows_of(target, rows), rows_of(in, rows));
      kernels::add_columns<T>(rows_of(target, rows), partial.columns[0]);
    });
  });
  sums_.product(team_, it.W.view());
  if (setup_.joint_bias) {
    sums_.columns(0, it.difference_sums, 1, 0);
    for (std::size_t j = 0; j < m; ++j) it.b[j] = static_cast<T>(it.difference_sums[j]);
  }
  return all_finite<T>(it.W.view()) && std::all_of(it.b.begin(), it.b.end(), [](T b) { return std::isfinite(b); });
}

#define DLADMM_INSTANTIATE(T)                                                                       \
  template void LayeredState<T>::write_target(std::size_t, const Penalties&, Rows, MatrixView<T>);  \
  template bool LayeredState<T>::update_W_exactly(std::size_t, const Penalties&, UpdateRecord&);    \
  template bool LayeredState<T>::solve_W_by_features(std::size_t, const Penalties&, UpdateRecord&); \
  template bool LayeredState<T>::solve_W_by_samples(std::size_t, const Penalties&, UpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
