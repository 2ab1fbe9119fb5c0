// What is told of the layered splitting: its residuals, the augmented Lagrangian, the loss of what it has learnt.
#include "core/layered/pass.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

template <typename T>
void LayeredState<T>::set_differences(std::size_t l) {
  sums_.columns(0, layer(l).differences, 1, 0);
  layer(l).differences_made = differences_stamp(l);
}

template <typename T>
void LayeredState<T>::find_residual(std::size_t l) {
  Layer& it = layer(l);
  pass({product(l), pre_activation(l)}, {}, [&](unsigned, Rows rows, Partial& partial) {
    partial.scalars[kResidual] += kernels::residual<T>(rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows),
                                                       std::span(partial.columns[0]).first(it.b.size()));
  });
  set_differences(l);
  it.residual.set(sums_.scalar(kResidual), residual_stamp(l));
}

template <typename T>
const std::vector<double>& LayeredState<T>::dual_sums() {
  if (dual_sums_made_ == Stamp(u_version_)) return dual_sums_;
  pass({}, {}, [&](unsigned, Rows rows, Partial& partial) {
    elementwise::add_columns<T>(rows_of(u_.view(), rows), std::span(partial.columns[0]).first(dual_sums_.size()));
  });
  sums_.columns(0, dual_sums_, 1, 0);
  dual_sums_made_ = Stamp(u_version_);
  return dual_sums_;
}

template <typename T>
void LayeredState<T>::measure(const Penalties& p, Measures& measures) {
  need_start(x_version_);
  const AtWork here;
  measures.residual.resize(depth());
  measures.activation.resize(depth() - 1);
  measures.regularisation = 0;
  measures.zeros.clear();
  double hidden = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (p.l2 > 0) {
      measures.regularisation += p.l2 / 2 * over_parameters(l, kBand, [&](Rows rows) {
                                   return elementwise::square_norm<T>(rows_of(it.W.view(), rows));
                                 });
    }
    measures.regularisation += value_of<T>(team_, p.regulariser(l), it.W.view(), spectral_);
    if (!p.regularisers.empty()) measures.zeros.push_back(zeros_of<T>(team_, it.W.view()));
    if (p.l2 > 0 && setup_.joint_bias) {
      measures.regularisation +=
          p.l2 / 2 * elementwise::square_norm<T>(MatrixView<const T>(it.b.data(), 1, it.b.size()));
    }
    if (is_output(l)) continue;
    if (!it.residual.valid(residual_stamp(l))) find_residual(l);
    if (!it.activation.valid(activation_stamp(l))) {
      pass({activation(l), pre_activation(l)}, {}, [&](unsigned, Rows rows, Partial& partial) {
        partial.scalars[kActivation] +=
            elementwise::activation_miss<T>(function(), rows_of(it.a.view(), rows), rows_of(it.z.view(), rows));
      });
      it.activation.set(sums_.scalar(kActivation), activation_stamp(l));
    }
    measures.residual[l - 1] = it.residual.value;
    measures.activation[l - 1] = it.activation.value;
    hidden += p.nu / 2 * it.residual.value + p.gamma / 2 * it.activation.value;
  }
  if (!output_.valid(output_stamp())) output_pass(0);
  const OutputMeasures& output = output_.value;
  measures.residual[depth() - 1] = output.residual;
  measures.loss = output.loss;
  measures.dual_product = output.dual_product;
  measures.dual_norm = output.dual_norm;
  measures.dual_identity = output.dual_identity;
  measures.lagrangian =
      measures.loss + measures.regularisation + hidden + measures.dual_product + p.rho / 2 * output.residual;
}

template <typename T>
ForwardLoss LayeredState<T>::evaluate_training() {
  const AtWork here;
  const auto rest = parameters(2);
  const Activation& f = depth() == 1 ? Activation::identity() : function();
  const std::size_t n = layer(1).b.size();
  double flops = 0;
  for (const auto& it : rest) flops += 2 * static_cast<double>(it.W.rows * it.W.columns);
  const auto hidden = [&](unsigned member, Rows piece) {
    return MatrixView<T>(spaces_[member].second.flat().data(), piece.count, n);
  };
  pass(
      {product(1)}, {}, {}, cut_.pieces.largest(), flops,
      [&](unsigned member, Rows piece, Rows rows, Partial&) {
        elementwise::add_bias_and_activate<T>(f, rows_of(layer(1).P.view(), rows), layer(1).b,
                                              hidden(member, piece).rows_from(rows.first - piece.first, rows.count));
      },
      [&](unsigned member, Rows piece, Partial& partial, Ahead&) {
        const auto outputs = forward_block<T>(rest, f, hidden(member, piece), spaces_[member]);
        const ForwardLoss found =
            loss_of_rows<T>(setup_.network.loss, outputs, {labels_, y_.view()}, piece.first, spaces_[member].work);
        partial.scalars[kLoss] += found.loss;
        partial.scalars[kCorrect] += static_cast<double>(found.correct);
      });
  return {sums_.scalar(kLoss), static_cast<std::size_t>(sums_.scalar(kCorrect))};
}

#define DLADMM_INSTANTIATE(T)                                          \
  template void LayeredState<T>::set_differences(std::size_t);         \
  template void LayeredState<T>::find_residual(std::size_t);           \
  template const std::vector<double>& LayeredState<T>::dual_sums();    \
  template void LayeredState<T>::measure(const Penalties&, Measures&); \
  template ForwardLoss LayeredState<T>::evaluate_training();
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
