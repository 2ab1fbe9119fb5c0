// The updates of sigmoid-ADMM (JMLR 2021, Algorithm 1).
#include <algorithm>
#include <cmath>

#include "core/constraints/state.hpp"

namespace dladmm::constraints {

namespace {

// Below it, 1/r would drown M Mᵀ.
constexpr double kSmallestRatio = 1e-6;

}  // namespace

// The curvature h of the quadratic model of layer l; 2 for the linear layer, whose model is exact.
template <typename T>
double State<T>::curvature(std::size_t l, const Penalties& p) {
  if (is_output(l)) return 2;
  Layer& it = layer(l);
  if (!it.largest.valid(target_stamp(l))) {
    const double entries = static_cast<double>(setup_.samples) * static_cast<double>(it.b.size());
    pass({}, every_piece(), kFlopsAnEntry * entries,
         [&](const Part& part) { part.sums.scalars[kLargest] = largest_target(l, p, part.rows); });
    it.largest.set(sums_.largest(kLargest), target_stamp(l));
  }
  const double largest = it.largest.value;
  return p.majoriser == Majoriser::largest ? largest : curvature_bound(setup_.network.activation.kind, largest);
}

// With A = [V_{l-1} 1], the gradient G = [D_lᵀ V_{l-1}, D_lᵀ 1] + λ_l [W_l b_l] and the curvature h of the model (2
// where the layer is linear and the model exact),
//
//     [W_l b_l] <- [W_l b_l] − G (λ_l I + (β_l h/2) Aᵀ A)⁻¹
//
// is the minimiser (50) of the last layer and (51) of a hidden one.
template <typename T>
bool State<T>::update_W(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  know_slope(l, p, nullptr);
  const double h = curvature(l, p);
  if (!is_output(l)) record.curvature = h;
  const std::size_t n = it.W.columns() + 1;
  const std::size_t m = it.W.rows();

  Clock clock;
  const auto c = static_cast<T>(p.beta[l - 1] * h / 2);
  const auto lambda = static_cast<T>(p.lambda[l - 1]);
  const MatrixView<T> gram = it.gram.view();
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += static_cast<double>(c * gram.row(i)[i]) + p.lambda[l - 1];
  const auto fill = [&](MatrixView<T> matrix) { fill_scaled<T>(team_, c, gram, lambda, matrix); };
  // Below that share of the trace, what λ_l adds is lost in the rounding of the Gram matrix.
  const double ridge = trace > 0 ? std::max(0.0, GramSolver<T>::kRounding - p.lambda[l - 1] / trace) : 0;
  if (!solver_.prepare(team_, Inversion::cholesky, n, ridge, fill)) return false;
  record.ridge = solver_.ridge();
  ++work_.factor;
  work_.flops += std::pow(static_cast<double>(n), 3) / 3 + 2 * static_cast<double>(m * n * n);

  const MatrixView<T> step(step_.data(), m, n);
  each_piece(team_, m, n, [&](Rows rows, unsigned) {
    const auto add = [lambda](T w, T g, T& to) DLADMM_INLINE { to = g + lambda * w; };
    const Rows weights{0, n - 1}, bias{n - 1, 1};
    entrywise::each(add, it.W.view().rows_from(rows), window(it.gradient.view(), rows, weights),
                    window(step, rows, weights));
    entrywise::each(add, biases(it).rows_from(rows), window(it.gradient.view(), rows, bias), window(step, rows, bias));
  });
  solver_.apply(team_, step, MatrixView<T>(step_scratch_.data(), m, n));
  record.step_norm = elementwise::square_norm<T>(team_, step);
  record.factor_seconds = clock.seconds();
  if (!std::isfinite(record.step_norm)) return false;
  each_piece(team_, m, n, [&](Rows rows, unsigned) {
    elementwise::step_back<T>(it.W.view().rows_from(rows), T(1), window(step, rows, {0, n - 1}));
    elementwise::step_back<T>(biases(it).rows_from(rows), T(1), window(step, rows, {n - 1, 1}));
  });
  it.W_version.advance();
  return true;
}

// V_l below layer l + 1. With M = W_{l+1}, r = (β_{l+1} μ/2) / β_l for the curvature μ of the model of layer l + 1 (2
// where it is linear), E = S_l + Λ_l/β_l − V_l and G = D_{l+1}/β_l,
//
//     V_l <- V_l + (E − G M) (I + r Mᵀ M)⁻¹                                 n_l x n_l
//          = V_l + E + t M,  t = −(G/r + E Mᵀ) (I/r + M Mᵀ)⁻¹               n_{l+1} x n_{l+1}
//
// is the minimiser (57), and (56) for l = N − 1. The smaller matrix is factored.
template <typename T>
bool State<T>::update_hidden_V(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  const MatrixView<const T> M = layer(l + 1).W.view();
  const std::size_t n = M.columns;
  const std::size_t m = M.rows;
  const T beta = beta_of(l, p);
  const double mu = curvature(l + 1, p);
  if (!std::isfinite(mu)) return false;
  if (!is_output(l + 1)) record.curvature = mu;
  const double ratio = p.beta[l] * mu / 2 / p.beta[l - 1];
  const bool by_outputs = m < n && ratio >= kSmallestRatio;
  const std::size_t size = by_outputs ? m : n;

  Clock clock;
  const auto factor = static_cast<T>(by_outputs ? 1 : ratio);
  const auto shift = static_cast<T>(by_outputs ? 1 / ratio : 1);
  const auto fill = [&](MatrixView<T> matrix) {
    fill_gram<T>(team_, by_outputs ? blas::Op::none : blas::Op::transpose, factor, M, shift, matrix);
  };
  if (!solver_.prepare(team_, Inversion::cholesky, size, 0, fill)) return false;
  record.ridge = solver_.ridge();
  record.factor_seconds = clock.seconds();
  ++work_.factor;
  work_.flops += std::pow(static_cast<double>(size), 3) / 3 + static_cast<double>(m * n * size);

  const auto samples = static_cast<double>(setup_.samples);
  const auto number = [](std::size_t k) { return static_cast<double>(k); };
  double flops = count(&Work::back, samples, number(n), number(m));
  if (by_outputs) flops += count(&Work::image, samples, number(m), number(n));
  flops += count(&Work::solve, samples, number(size), number(size));
  pass({l, l + 1}, every_piece(), flops, [&](const Part& part) {
    const MatrixView<T> V = rows_of(it.V, part.rows);
    const MatrixView<T> D = scratch(part, true, m);
    const MatrixView<T> step = scratch(part, false, n);
    weighted_miss(l + 1, p, part.rows, D);
    entrywise::each([inverse = T(1) / beta](T s, T v, T dual, T& e) DLADMM_INLINE { e = inverse * dual + (s - v); },
                    rows_of(it.S, part.rows), V, rows_of(it.Lambda, part.rows), step);
    if (by_outputs) {
      // t: samples x m <- −(samples x n) (m x n)ᵀ − G/r
      blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), step, M, static_cast<T>(-1 / (p.beta[l - 1] * ratio)),
                    D);
      solver_.apply_rows(D, {});
      // samples x n += (samples x m) (m x n)
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(1), D, M, T(1), step);
    } else {
      // samples x n −= (samples x m) (m x n) / β
      blas::gemm<T>(blas::Op::none, blas::Op::none, T(-1) / beta, D, M, T(1), step);
      solver_.apply_rows(step, {});
    }
    elementwise::step_back<T>(V, T(-1), step);
    part.sums.scalars[kStep] = elementwise::square_norm<T>(step);
  });
  record.step_norm = sums_.scalar(kStep);
  it.V_version.advance();
  return std::isfinite(record.step_norm);
}

// V_N <- (s Y + Λ_N + β_N (V_{N-1} W_Nᵀ + b_N)) / (s + β_N), with s the weight of the sample
template <typename T>
bool State<T>::update_output_V(const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(depth());
  const T beta = beta_of(depth(), p);
  pass({depth()}, every_piece(), 0, [&](const Part& part) {
    part.sums.scalars[kStep] = 0;
    by_weight(part.rows, [&](T weight, Rows rows) {
      part.sums.scalars[kStep] += entrywise::sum(
          [beta, weight](T y, T s, T dual, T& v) DLADMM_INLINE {
            const T next = (weight * y + dual + beta * s) / (weight + beta);
            const double change = static_cast<double>(next - v);
            v = next;
            return change * change;
          },
          rows_of(y_, rows), rows_of(it.S, rows), rows_of(it.Lambda, rows), rows_of(it.V, rows));
    });
  });
  record.step_norm = sums_.scalar(kStep);
  it.V_version.advance();
  return std::isfinite(record.step_norm);
}

// Λ_l <- Λ_l + β_l (σ(V_{l-1} W_lᵀ + b_l) − V_l)
template <typename T>
bool State<T>::update_Lambda(std::size_t l, const Penalties& p, UpdateRecord& record) {
  Layer& it = layer(l);
  pass({l}, every_piece(), 0, [&](const Part& part) {
    part.sums.scalars[kStep] = entrywise::sum(
        [beta = beta_of(l, p)](T s, T v, T& dual) DLADMM_INLINE {
          const T change = beta * (s - v);
          dual += change;
          return static_cast<double>(change) * static_cast<double>(change);
        },
        rows_of(it.S, part.rows), rows_of(it.V, part.rows), rows_of(it.Lambda, part.rows));
  });
  record.step_norm = sums_.scalar(kStep);
  it.Lambda_version.advance();
  return std::isfinite(record.step_norm);
}

template <typename T>
bool State<T>::update(const Update& update, const Penalties& p, UpdateRecord& record) {
  switch (update.block) {
    case Block::W:
      return update_W(update.layer, p, record);
    case Block::V:
      return is_output(update.layer) ? update_output_V(p, record) : update_hidden_V(update.layer, p, record);
    case Block::Lambda:
      return update_Lambda(update.layer, p, record);
    case Block::b:
      break;
  }
  return true;
}

#define DLADMM_INSTANTIATE(T) template bool State<T>::update(const Update&, const Penalties&, UpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::constraints
