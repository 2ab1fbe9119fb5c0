// The output layer, which every splitting with the constraint z_L = P_L + b_L and a multiplier u has: the z_L update
// (dlADMM, eq. 5 and 15), the dual step, and what the terms of the constraint come to. Each call sees some rows; a
// sample is a row of its own, so no sum is split but over rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <type_traits>

#include "core/functions/loss.hpp"
#include "core/functions/softmax_lanes.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm {

// Which term carries u: ⟨u, z_L − P_L − b_L⟩ (dlADMM), or ⟨u, z_L⟩ alone (Taylor et al., eq. 5).
enum class Multiplier { residual, output };

// The larger of two numbers, and NaN where one is: a comparison with NaN is false, so it must not decide.
[[nodiscard]] inline double largest_of(double a, double b) { return a >= b || std::isnan(a) ? a : b; }

// Some rows of the output layer. `b` may be empty.
template <typename T>
struct OutputRows {
  MatrixView<const T> P;
  std::span<const T> b;
  MatrixView<T> z;
  MatrixView<T> u;

  // P + b of row i
  void write_product(std::size_t i, std::span<double> out) const {
    const T* const p = P.row(i);
    for (std::size_t j = 0; j < out.size(); ++j) {
      out[j] = static_cast<double>(p[j]) + (b.empty() ? 0 : static_cast<double>(b[j]));
    }
  }
};

// Pieces of a member's work array, each as long as the layer is wide, and room for the lanes.
struct OutputWork {
  std::span<double> m, u, z, target, gradient, rest, lanes;

  OutputWork(std::span<double> work, std::size_t n)
      : m(work.subspan(0, n)),
        u(work.subspan(n, n)),
        z(work.subspan(2 * n, n)),
        target(work.subspan(3 * n, n)),
        gradient(work.subspan(4 * n, n)),
        rest(work.subspan(5 * n, 7 * n)),
        lanes(work.subspan(12 * n)) {}
  [[nodiscard]] static constexpr std::size_t size(std::size_t n) { return kLossWork * n; }
};

// Entries of the gradient below this are rounding in the type that holds z.
template <typename T>
constexpr double kOutputTolerance = std::is_same_v<T, double> ? 2e-14 : 1e-9;

struct OutputSolves {
  double steps = 0;         // Newton steps, the most of any row
  double stationarity = 0;  // largest |∇R(z) + u + ρ(z − m)|; NaN where there is one
  double residual = 0;      // ‖z − P − b‖²

  OutputSolves& operator+=(const OutputSolves& more) {
    steps = std::max(steps, more.steps);
    stationarity = largest_of(stationarity, more.stationarity);
    residual += more.residual;
    return *this;
  }
};

// The same for softmax cross-entropy, of up to kLanes rows from `first` on at once, as far as the lanes go. Lanes that
// are left over do what the last one does.
template <typename T, typename TargetOf>
SoftmaxLanes solve_output_lanes(const OutputRows<T>& rows, std::size_t first, TargetOf&& target_of, double rho,
                                const OutputWork& work) {
  constexpr std::size_t lanes = SoftmaxLanes::kLanes;
  const std::size_t n = rows.z.columns;
  const auto piece = [&](std::size_t k) { return work.lanes.subspan(k * n * lanes, n * lanes); };
  SoftmaxLanes out{piece(0), piece(1), piece(2)};
  for (std::size_t l = 0; l < lanes; ++l) {
    const std::size_t i = std::min(first + l, rows.z.rows - 1);
    const SampleTarget target = target_of(i, work.target);
    const double s = target.weight;
    rows.write_product(i, work.m);
    for (std::size_t j = 0; j < n; ++j) {
      out.m[j * lanes + l] = work.m[j];
      out.u[j * lanes + l] = static_cast<double>(rows.u.row(i)[j]) / s;
      out.z[j * lanes + l] = static_cast<double>(rows.z.row(i)[j]);
    }
    out.label[l] = target.label;
    out.rho[l] = rho / s;
    out.tolerance[l] = kOutputTolerance<T> / s;
  }
  solve_softmax_lanes(out, n, work.lanes.subspan(3 * n * lanes));
  return out;
}

// z <- argmin of R(z) + ⟨u, z⟩ + (ρ/2)‖z − P − b‖², row by row. target_of(i, scratch) is what row i should become;
// z − P is added to the column sums, where there are any.
template <typename T, typename TargetOf>
OutputSolves solve_output_rows(const Loss& loss, const OutputRows<T>& rows, TargetOf&& target_of, double rho,
                               const OutputWork& work, std::span<double> columns) {
  constexpr std::size_t lanes = SoftmaxLanes::kLanes;
  const bool by_lanes = loss.kind == LossKind::softmax_cross_entropy;
  OutputSolves found;
  SoftmaxLanes its;
  const std::size_t n = rows.z.columns;
  for (std::size_t i = 0; i < rows.z.rows; ++i) {
    const std::size_t l = i % lanes;
    if (by_lanes && l == 0) its = solve_output_lanes(rows, i, target_of, rho, work);
    T* const z = rows.z.row(i);
    const T* const p = rows.P.row(i);
    const SampleTarget target = target_of(i, work.target);
    rows.write_product(i, work.m);
    OutputSolution one{static_cast<int>(its.steps[l]), its.stationarity[l] * target.weight};
    if (by_lanes && its.solved[l] != 0) {
      for (std::size_t j = 0; j < n; ++j) work.z[j] = its.z[j * lanes + l];
    } else {
      std::copy_n(rows.u.row(i), n, work.u.begin());
      std::copy_n(z, n, work.z.begin());
      one = solve_output(loss, work.m, work.u, target, rho, kOutputTolerance<T>, work.z, work.rest);
    }
    found.steps = std::max(found.steps, static_cast<double>(one.steps));
    found.stationarity = largest_of(found.stationarity, one.stationarity);
    for (std::size_t j = 0; j < n; ++j) {
      z[j] = static_cast<T>(work.z[j]);
      const double r = static_cast<double>(z[j]) - work.m[j];
      found.residual += r * r;
      if (!columns.empty()) columns[j] += static_cast<double>(z[j]) - static_cast<double>(p[j]);
    }
  }
  return found;
}

// The output constraint's share of the measures.
struct OutputMeasures {
  double loss = 0;          // R(z_L), summed
  double residual = 0;      // ‖z_L − P_L − b_L‖²
  double dual_product = 0;  // ⟨u, r_L⟩, or ⟨u, z_L⟩
  double dual_norm = 0;     // ‖u‖²
  double dual_identity = 0;  // largest |∇R(z_L) + u|: zero after an exact z_L and the dual step; NaN where there is one

  OutputMeasures& operator+=(const OutputMeasures& more) {
    loss += more.loss;
    residual += more.residual;
    dual_product += more.dual_product;
    dual_norm += more.dual_norm;
    dual_identity = largest_of(dual_identity, more.dual_identity);
    return *this;
  }
};

// The same of some rows, once u <- u + dual_step (z − P − b) is done; adds u to the column sums, where there are any.
template <typename T, typename TargetOf>
OutputMeasures measure_output_rows(const Loss& loss, const OutputRows<T>& rows, TargetOf&& target_of,
                                   Multiplier multiplier, double dual_step, const OutputWork& work,
                                   std::span<double> columns) {
  OutputMeasures found;
  const std::size_t n = rows.z.columns;
  for (std::size_t i = 0; i < rows.z.rows; ++i) {
    T* const u = rows.u.row(i);
    rows.write_product(i, work.m);
    std::copy_n(rows.z.row(i), n, work.z.begin());
    const SampleTarget target = target_of(i, work.target);
    found.loss += loss_and_gradient(loss, work.z, target, work.gradient);
    for (std::size_t j = 0; j < n; ++j) {
      const double r = work.z[j] - work.m[j];
      if (dual_step != 0) u[j] = static_cast<T>(static_cast<double>(u[j]) + dual_step * r);
      const double dual = static_cast<double>(u[j]);
      work.u[j] = dual;
      found.residual += r * r;
      found.dual_product += dual * (multiplier == Multiplier::output ? work.z[j] : r);
      found.dual_norm += dual * dual;
      if (!columns.empty()) columns[j] += dual;
    }
    found.dual_identity =
        largest_of(found.dual_identity, subgradient_distance(loss, work.z, target, work.gradient, work.u));
  }
  return found;
}

}  // namespace dladmm
