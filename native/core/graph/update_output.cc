// The output layer: Z_L on the training nodes, and the dual variable U.
#include <cmath>
#include <span>

#include "core/graph/state.hpp"

namespace dladmm {

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

#define DLADMM_INSTANTIATE(T)                                                              \
  template OutputRows<T> GraphState<T>::output_rows(Rows);                                 \
  template bool GraphState<T>::update_output_Z(const GraphPenalties&, GraphUpdateRecord&); \
  template bool GraphState<T>::update_U(const GraphPenalties&);                            \
  template OutputMeasures GraphState<T>::measure_output(double);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
