// The a_l update by inversion: the exact minimiser of (w/2)‖T − a W_{l+1}ᵀ‖² + (γ/2)‖a − f(z_l)‖² with
// T = z_{l+1} − b_{l+1} (+ u/ρ) and w the penalty of layer l + 1 (Taylor et al., Algorithm 1; for dlADMM the subproblem
// of eq. 3 and 16). With c = γ/w, sample by sample:
//
//     a = (T W + c f(z)) (Wᵀ W + c I)⁻¹                              n_l x n_l
//       = f(z) + t W,  t = (T − f(z) Wᵀ)(W Wᵀ + c I)⁻¹               n_{l+1} x n_{l+1}
//
// In the second form the new product is P_{l+1} = a Wᵀ = T − c t: it costs nothing.
#include <chrono>
#include <cmath>

#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {
namespace {

// Rows of a symmetric matrix that are multiplied at a time, up to the diagonal.
constexpr std::size_t kTile = 128;

}  // namespace

template <typename T>
bool LayeredState<T>::update_a_exactly(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const MatrixView<const T> w = next.W.view();
  const std::size_t n = it.b.size();
  const std::size_t m = next.b.size();
  const bool by_outputs = solves_by_outputs(setup_, l);
  const T c = static_cast<T>(p.gamma / penalty_of(l + 1, p));
  const MatrixView<T> u = multiplier_of(l + 1);

  const auto began = std::chrono::steady_clock::now();
  const auto fill = [&](MatrixView<T> matrix) {
    team_.run([&](unsigned member) {
      SampleBlocks{matrix.rows, kTile}.each(member, team_.size(), [&](Rows rows) {
        const std::size_t end = rows.first + rows.count;
        const MatrixView<T> out(matrix.row(rows.first), rows.count, end, matrix.stride);
        if (by_outputs) {
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), w.rows_from(rows.first, rows.count),
                        w.rows_from(0, end), T(0), out);
        } else {
          blas::gemm<T>(blas::Op::transpose, blas::Op::none, T(1),
                        MatrixView<const T>(w.data + rows.first, m, rows.count, w.stride),
                        MatrixView<const T>(w.data, m, end, w.stride), T(0), out);
        }
        for (std::size_t i = 0; i < rows.count; ++i) out.row(i)[rows.first + i] += c;
      });
    });
  };
  const Inversion how = step_of_a(l) == StepKind::inverse ? Inversion::inverse : Inversion::cholesky;
  // γ > 0 makes the matrix positive definite; ε comes in only where rounding in T denies it.
  if (!solver_.prepare(team_, how, by_outputs ? m : n, 0, fill)) return false;
  record.factor_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  record.ridge = solver_.ridge();

  forget(activation(l));
  forget(product(l + 1));
  pass(
      {}, {},
      [&](unsigned member, Rows block, Rows rows, Partial&) {
        const MatrixView<T> target(spaces_[member].first.flat().data(), block.count, m);
        kernels::output_target<T>(rows_of(next.z.view(), rows), next.b, rows_of(u, rows),
                                  static_cast<T>(penalty_of(l + 1, p)),
                                  target.rows_from(rows.first - block.first, rows.count));
        kernels::activate<T>(activation_function(), rows_of(it.z.view(), rows), rows_of(it.a.view(), rows));
      },
      [&](unsigned member, Rows block, Partial& partial) {
        const MatrixView<T> target(spaces_[member].first.flat().data(), block.count, m);
        T* const scratch = spaces_[member].second.flat().data();
        const MatrixView<T> a = rows_of(it.a.view(), block);
        const MatrixView<T> product = rows_of(next.P.view(), block);
        if (by_outputs) {
          const MatrixView<T> t(scratch, block.count, m);
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), a, w, T(0), product);
          for (std::size_t i = 0; i < block.count; ++i) {
            for (std::size_t j = 0; j < m; ++j) t.row(i)[j] = target.row(i)[j] - product.row(i)[j];
          }
          solver_.apply_rows(t, {});
          blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), t, w, T(1), a);
          for (std::size_t i = 0; i < block.count; ++i) {
            for (std::size_t j = 0; j < m; ++j) product.row(i)[j] = target.row(i)[j] - c * t.row(i)[j];
          }
        } else {
          blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), target, w, c, a);
          solver_.apply_rows(a, MatrixView<T>(scratch, block.count, n));
          blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), a, w, T(0), product);
        }
        partial.scalars[kActivation] +=
            kernels::activation_miss<T>(activation_function(), a, rows_of(it.z.view(), block));
        partial.scalars[kResidual] += kernels::residual<T>(product, next.b, rows_of(next.z.view(), block),
                                                           std::span(partial.columns[0]).first(m));
      });
  changed_product(l + 1);
  it.activation = sums_.scalar(kActivation);
  it.activation_known = true;
  next.residual = sums_.scalar(kResidual);
  next.residual_known = true;
  sums_.columns(0, next.difference_sums, 1, 0);
  next.difference_known = true;
  return std::isfinite(it.activation) && std::isfinite(next.residual);
}

template bool LayeredState<float>::update_a_exactly(std::size_t, const Penalties&, UpdateRecord&);
template bool LayeredState<double>::update_a_exactly(std::size_t, const Penalties&, UpdateRecord&);

}  // namespace dladmm
