// The output layer: Z_L on the training nodes, and the dual variable U.
#include <algorithm>
#include <cmath>

#include "core/graph/pass.hpp"
#include "core/graph/state.hpp"

namespace dladmm {
namespace {

// Named pieces of a member's work array, each as long as the output layer is wide.
struct NodeWork {
  std::span<double> m, u, z, gradient, rest;

  NodeWork(std::span<double> work, std::size_t n)
      : m(work.subspan(0, n)),
        u(work.subspan(n, n)),
        z(work.subspan(2 * n, n)),
        gradient(work.subspan(3 * n, n)),
        rest(work.subspan(4 * n)) {}
};

// Entries of the gradient below this are rounding in the type that holds Z.
template <typename T>
constexpr double kOutputTolerance = std::is_same_v<T, double> ? 2e-14 : 1e-9;

}  // namespace

// Z_L <- argmin of R(Z) + ⟨U, Z⟩ + (ρ/2)‖Z − P_L‖², node by node, exactly. On nodes without a part in the loss the
// minimiser is P_L; those rows are not kept (state.hpp).
template <typename T>
bool GraphState<T>::update_output_Z(const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(depth());
  const std::size_t n = it.Z.columns();
  pass(it.Z.rows(), [&](unsigned member, Rows rows, auto& partial) {
    const NodeWork work(works_[member], n);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      T* const z = it.Z.view().row(i);
      std::copy_n(it.P.view().row(i), n, work.m.begin());
      std::copy_n(u_.view().row(i), n, work.u.begin());
      std::copy_n(z, n, work.z.begin());
      const auto node = static_cast<std::size_t>(nodes_[depth()][i]);
      const auto found = solve_output(setup_.network.loss, work.m, work.u, {labels_[node], {}}, p.rho,
                                      kOutputTolerance<T>, work.z, work.rest);
      partial.scalars[kSteps] = std::max(partial.scalars[kSteps], static_cast<double>(found.steps));
      if (!(found.stationarity <= partial.scalars[kLargest])) partial.scalars[kLargest] = found.stationarity;
      for (std::size_t j = 0; j < n; ++j) {
        z[j] = static_cast<T>(work.z[j]);
        const double r = static_cast<double>(z[j]) - work.m[j];
        partial.scalars[kResidual] += r * r;
      }
    }
  });
  record.steps = static_cast<int>(sums_.largest(kSteps));
  record.stationarity = sums_.largest(kLargest);
  return std::isfinite(sums_.scalar(kResidual));
}

template <typename T>
void GraphState<T>::measure_output(GraphMeasures& measures) {
  Layer& it = layer(depth());
  const std::size_t n = it.Z.columns();
  pass(it.Z.rows(), [&](unsigned member, Rows rows, auto& partial) {
    const NodeWork work(works_[member], n);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      const T* const z = it.Z.view().row(i);
      const T* const product = it.P.view().row(i);
      std::copy_n(u_.view().row(i), n, work.u.begin());
      std::copy_n(z, n, work.z.begin());
      const auto node = static_cast<std::size_t>(nodes_[depth()][i]);
      const SampleTarget target{labels_[node], {}};
      partial.scalars[kLoss] += loss_and_gradient(setup_.network.loss, work.z, target, work.gradient);
      for (std::size_t j = 0; j < n; ++j) {
        const double r = work.z[j] - static_cast<double>(product[j]);
        partial.scalars[kResidual] += r * r;
        partial.scalars[kDualProduct] += work.u[j] * r;
        partial.scalars[kDualNorm] += work.u[j] * work.u[j];
      }
      const double distance = subgradient_distance(setup_.network.loss, work.z, target, work.gradient, work.u);
      if (!(distance <= partial.scalars[kLargest])) partial.scalars[kLargest] = distance;
    }
  });
  measures.residual.resize(depth());
  measures.residual[depth() - 1] = sums_.scalar(kResidual);
  measures.loss = sums_.scalar(kLoss);
  measures.dual_product = sums_.scalar(kDualProduct);
  measures.dual_norm = sums_.scalar(kDualNorm);
  measures.dual_identity = sums_.largest(kLargest);
}

// U <- U + ρ (Z_L − P_L)
template <typename T>
bool GraphState<T>::update_U(const GraphPenalties& p) {
  Layer& it = layer(depth());
  const std::size_t n = it.Z.columns();
  pass(it.Z.rows(), [&](unsigned, Rows rows, auto& partial) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      T* const u = u_.view().row(i);
      for (std::size_t j = 0; j < n; ++j) {
        const double r = static_cast<double>(it.Z.view().row(i)[j]) - static_cast<double>(it.P.view().row(i)[j]);
        u[j] = static_cast<T>(static_cast<double>(u[j]) + p.rho * r);
        partial.scalars[kDualNorm] += static_cast<double>(u[j]) * static_cast<double>(u[j]);
      }
    }
  });
  return std::isfinite(sums_.scalar(kDualNorm));
}

#define DLADMM_INSTANTIATE(T)                                                              \
  template bool GraphState<T>::update_output_Z(const GraphPenalties&, GraphUpdateRecord&); \
  template void GraphState<T>::measure_output(GraphMeasures&);                             \
  template bool GraphState<T>::update_U(const GraphPenalties&);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
