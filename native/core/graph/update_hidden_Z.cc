// The Z_l updates of the hidden layers: Z_l sees f(P_l), which it is to be near to, and the product of the next layer.
#include <cmath>

#include "core/functions/elementwise.hpp"
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

#define DLADMM_INSTANTIATE(T) \
  template bool GraphState<T>::update_hidden_Z(std::size_t, const GraphPenalties&, GraphUpdateRecord&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
