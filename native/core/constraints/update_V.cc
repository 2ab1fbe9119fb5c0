// The V_l update below layer l + 1. With M = W_{l+1}, r = (β_{l+1} μ/2) / β_l for the curvature μ of the model of layer
// l + 1 (2 where it is linear), E = S_l + Λ_l/β_l − V_l and G = D_{l+1}/β_l,
//
//     V_l <- V_l + (E − G M) (I + r Mᵀ M)⁻¹                                 n_l x n_l
//          = V_l + E + t M,  t = −(G/r + E Mᵀ) (I/r + M Mᵀ)⁻¹               n_{l+1} x n_{l+1}
//
// is the minimiser (57), and (56) for l = N − 1. The smaller matrix is factored.
#include <chrono>
#include <cmath>

#include "core/constraints/kernels.hpp"
#include "core/constraints/pass.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::constraints {
namespace {

// Rows of a symmetric matrix that are multiplied at a time, up to the diagonal.
constexpr std::size_t kTile = 128;
// Below it, 1/r would drown M Mᵀ.
constexpr double kSmallestRatio = 1e-6;

}  // namespace

template <typename T>
bool State<T>::update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const MatrixView<const T> M = next.W.view();
  const std::size_t n = it.b.size();
  const std::size_t m = next.b.size();
  const T beta = beta_of(l, p);
  const double mu = curvature(l + 1, p);
  if (!std::isfinite(mu)) return false;
  if (!is_output(l + 1)) record.curvature = mu;
  const double ratio = p.beta[l] * mu / 2 / p.beta[l - 1];
  const bool by_outputs = m < n && ratio >= kSmallestRatio;
  const std::size_t size = by_outputs ? m : n;

  const auto began = std::chrono::steady_clock::now();
  const auto factor = static_cast<T>(by_outputs ? 1 : ratio);
  const auto shift = static_cast<T>(by_outputs ? 1 / ratio : 1);
  const auto fill = [&](MatrixView<T> matrix) {
    team_.run([&](unsigned member) {
      SampleBlocks{matrix.rows, kTile}.each(member, team_.size(), [&](Rows rows) {
        const std::size_t end = rows.first + rows.count;
        const MatrixView<T> out(matrix.row(rows.first), rows.count, end, matrix.stride);
        if (by_outputs) {
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, factor, M.rows_from(rows.first, rows.count),
                        M.rows_from(0, end), T(0), out);
        } else {
          blas::gemm<T>(blas::Op::transpose, blas::Op::none, factor,
                        MatrixView<const T>(M.data + rows.first, m, rows.count, M.stride),
                        MatrixView<const T>(M.data, m, end, M.stride), T(0), out);
        }
        for (std::size_t i = 0; i < rows.count; ++i) out.row(i)[rows.first + i] += shift;
      });
    });
  };
  if (!solver_.prepare(team_, Inversion::cholesky, size, 0, fill)) return false;
  record.ridge = solver_.ridge();
  record.factor_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  ++work_.factor;
  work_.flops += std::pow(static_cast<double>(size), 3) / 3 + static_cast<double>(m * n * size);

  const Activation activation = activation_of(l + 1);
  pass({l, l + 1}, [&](unsigned member, Rows rows, Partial& partial) {
    const MatrixView<T> V = rows_of(it.V, rows);
    const MatrixView<T> D = scratch(member, true, rows.count, m);
    const MatrixView<T> step = scratch(member, false, rows.count, n);
    kernels::weighted_miss<T>(activation, rows_of(next.S, rows), rows_of(next.V, rows), rows_of(next.Lambda, rows),
                              beta_of(l + 1, p), D);
    kernels::pull<T>(rows_of(it.S, rows), V, rows_of(it.Lambda, rows), beta, step);
    if (by_outputs) {
      blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), step, M, static_cast<T>(-1 / (p.beta[l - 1] * ratio)),
                    D);
      solver_.apply_rows(D, {});
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, M, T(1), step);
    } else {
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(-1) / beta, D, M, T(1), step);
      solver_.apply_rows(step, {});
    }
    partial.scalars[kStep] += kernels::add_step<T>(step, V);
  });
  const auto samples = static_cast<double>(setup_.samples);
  count(&Work::back, samples, static_cast<double>(n), static_cast<double>(m));
  if (by_outputs) count(&Work::image, samples, static_cast<double>(m), static_cast<double>(n));
  count(&Work::solve, samples, static_cast<double>(size), static_cast<double>(size));
  record.step_norm = sums_.scalar(kStep);
  changed_V(l);
  return std::isfinite(record.step_norm);
}

// V_N <- (Y + Λ_N + β_N (V_{N-1} W_Nᵀ + b_N)) / (1 + β_N)
template <typename T>
bool State<T>::update_output_V(const Penalties& p, UpdateRecord& record) {
  const std::size_t N = depth();
  Layer& it = layer(N);
  pass({N}, [&](unsigned, Rows rows, Partial& partial) {
    partial.scalars[kStep] += kernels::output_update<T>(rows_of(y_, rows), rows_of(it.S, rows),
                                                        rows_of(it.Lambda, rows), beta_of(N, p), rows_of(it.V, rows));
  });
  record.step_norm = sums_.scalar(kStep);
  changed_V(N);
  return std::isfinite(record.step_norm);
}

#define DLADMM_INSTANTIATE(T)                                                            \
  template bool State<T>::update_hidden_V(std::size_t, const Penalties&, UpdateRecord&); \
  template bool State<T>::update_output_V(const Penalties&, UpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::constraints
