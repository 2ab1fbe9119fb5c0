// The Z_l updates of the hidden layers: Z_l sees f(P_l), which it is to be near to, and the product of the next layer.
#include <cmath>

#include "core/graph/search.hpp"
#include "core/graph/state.hpp"

namespace dladmm {

// g = ν (Z_l − f(P_l)) + Ãᵀ Q W_{l+1}ᵀ with Q the gradient of the next layer's terms with respect to P_{l+1}, and
// Z⁺ = Z − g/τ, which moves P_{l+1} by −D/τ with D = Ã g W_{l+1}.
//
// Below the output layer the next constraint is linear: τ passes exactly when τ ≥ κ = (ρ‖D‖² + ν‖g‖²)/‖g‖². Elsewhere
// the part in Z_l itself is quadratic, ν(−⟨Z_l − f(P_l), g⟩/τ + ‖g‖²/(2τ²)), and only that of the next layer is tried
// entry by entry.
template <typename T>
bool GraphState<T>::update_hidden_Z(std::size_t l, const GraphPenalties& p, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const MatrixView<T> g(gradient_.data(), it.Z.rows(), it.Z.columns());
  const MatrixView<T> d(image_.data(), next.P.rows(), next.P.columns());
  propagation(l + 1).backward(team_, product_gradient(l + 1, p), next.W.view(), scratch_.span(), g);
  pass(g.rows, [&](unsigned, Rows rows, auto& partial) {
    const auto part = [&](MatrixView<T> m) { return m.rows_from(rows.first, rows.count); };
    const auto sums =
        graph::add_pull<T>(activation(), part(it.Z.view()), part(it.P.view()), static_cast<T>(p.nu), part(g));
    partial.scalars[kDirection] += sums.direction;
    partial.scalars[kInner] += sums.inner;
  });
  const double g_norm = sums_.scalar(kDirection);
  const double inner = sums_.scalar(kInner);
  if (!std::isfinite(g_norm) || !std::isfinite(inner)) return false;
  record.step_norm = 0;
  record.trials = 0;
  record.size = it.last_tau > 0 ? it.last_tau : p.tau0;
  if (g_norm == 0) return true;

  propagation(l + 1).forward(team_, g, next.W.view(), scratch_.span(), d);
  if (is_output(l + 1)) {
    record.kappa = (p.rho * square_norm(d) + p.nu * g_norm) / g_norm;
    if (!std::isfinite(record.kappa)) return false;
    record.size = p.search == SizeSearch::exact ? record.kappa : p.tau0;
    while (record.size < record.kappa) record.size *= p.growth;
    record.trials = 1;
  } else {
    const bool goes_on = p.search == SizeSearch::exact && it.last_tau > 0;
    const double start = goes_on ? it.last_tau / p.growth : p.tau0;
    const bool found = search(
        l + 1, d, start, p.growth, [](double tau) { return 1 / tau; },
        [&](double tau, double change) {
          const double c = 1 / tau;
          const double own = p.nu * c * (c / 2 * g_norm - inner);
          return own + p.nu / 2 * change <= -c / 2 * g_norm;
        },
        record);
    if (!found) {
      record.kept = true;
      return true;
    }
  }
  const double c = 1 / record.size;
  if (!std::isfinite(static_cast<T>(c))) return false;
  it.last_tau = record.size;
  record.step_norm = c * c * g_norm;
  step_back(it.Z.view(), c, g);
  step_back(next.P.view(), c, d);
  return true;
}

template bool GraphState<float>::update_hidden_Z(std::size_t, const GraphPenalties&, GraphUpdateRecord&);
template bool GraphState<double>::update_hidden_Z(std::size_t, const GraphPenalties&, GraphUpdateRecord&);

}  // namespace dladmm
