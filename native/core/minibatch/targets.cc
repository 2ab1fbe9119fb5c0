// z_l and a_l forward, and the distances of their targets backward.
#include <algorithm>

#include "core/minibatch/state.hpp"

namespace dladmm {

// z_l = W_l a_{l-1} + b_l, a_l = f(z_l)
template <typename T>
void MinibatchState<T>::forward(std::span<const std::uint32_t> samples) {
  const Network& net = setup_.network;
  const std::size_t count = samples.size();
  if (is_sparse(1)) take_rows(sparse_.view(), samples, sparse_batch_, Ones::with);
  each_piece(team_, count, net.widths.front(), [&](Rows rows, unsigned) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      if (!is_sparse(1)) std::copy_n(x_.view().row(samples[i]), net.widths.front(), of(1).input.view().row(i));
      // Where a batch was short, something else stands in the rows after it.
      for (const Layer& it : layers_) {
        if (!it.input.empty()) it.input.view().row(i)[it.input.columns() - 1] = T(1);
      }
    }
  });
  for (std::size_t l = 1; l <= depth(); ++l) {
    const MatrixView<T> z = pre_activations(l, count);
    const auto finish = [&](Rows rows, Rows columns) {
      const MatrixView<T> own = window(z, rows, columns);
      const std::span<const T> b = std::span(of(l).b).subspan(columns.first, columns.count);
      const bool has_bias = is_sparse(l);
      if (of(l).z.empty() && !has_bias) return elementwise::add_bias_and_activate<T>(net.activation, own, b, own);
      if (!has_bias) elementwise::add_bias<T>(own, b, own);
      if (l == depth()) return;
      elementwise::activate<T>(net.activation, own, window(activations(l, count), rows, columns));
    };
    if (is_sparse(l)) {
      // batch x (n_0 + 1) times (n_0 + 1) x n_1
      multiply_and<T>(team_, sparse_batch_.view(), parameters(l), z, finish);
    } else {
      // batch x n_{l-1} times n_{l-1} x n_l
      multiply_and<T>(team_, Op::none, Op::transpose, 1, window(input_of(l, count), {0, count}, {0, net.inputs(l)}),
                      weights(l), 0, z, finish);
    }
  }
}

// D_L = ∇R(z_L)
template <typename T>
typename MinibatchState<T>::BatchLoss MinibatchState<T>::update_output_z(std::span<const std::uint32_t> samples) {
  const std::size_t n = setup_.network.widths.back();
  const MatrixView<const T> z = of(depth()).z.view();
  const MatrixView<T> distance = of(depth()).distance.view();
  return sum_pieces<BatchLoss>(team_, samples.size(), n, [&](Rows rows, unsigned member) {
    BatchLoss found;
    found.loss = loss_over_rows(
                     setup_.network.loss, rows.count, n, scratch_[member].work,
                     [&](std::size_t i) { return z.row(rows.first + i); },
                     [&](std::size_t i, std::span<double> values) {
                       const SampleTarget target = targets().of(samples[rows.first + i], values);
                       found.least += least_loss(setup_.network.loss, target);
                       found.weight += target.weight;
                       return target;
                     },
                     [&](std::size_t i, std::span<const double> gradient) {
                       std::ranges::transform(gradient, distance.row(rows.first + i),
                                              [](double g) { return static_cast<T>(g); });
                     })
                     .loss;
    return found;
  });
}

// to <- from W_{l+1}, and that ∘ f'(z_l) where asked
template <typename T>
void MinibatchState<T>::carry_back(std::size_t l, std::size_t count, MatrixView<const T> from, MatrixView<T> to,
                                   bool and_z) {
  // batch x n_{l+1} times n_{l+1} x n_l
  multiply_and<T>(team_, Op::none, Op::none, 1, from, weights(l + 1), 0, to, [&](Rows rows, Rows columns) {
    if (!and_z) return;
    elementwise::times_derivative<T>(setup_.network.activation, window(to, rows, columns),
                                     window(pre_activations(l, count), rows, columns));
  });
}

// z_l: D = D ∘ f'(z_l)
template <typename T>
void MinibatchState<T>::update_z(std::size_t l, std::size_t count) {
  each_piece(team_, count, setup_.network.outputs(l), [&](Rows rows, unsigned) {
    elementwise::times_derivative<T>(setup_.network.activation, of(l).distance.view().rows_from(rows),
                                     pre_activations(l, count).rows_from(rows));
  });
}

#define DLADMM_INSTANTIATE(T)                                                                                        \
  template void MinibatchState<T>::forward(std::span<const std::uint32_t>);                                          \
  template typename MinibatchState<T>::BatchLoss MinibatchState<T>::update_output_z(std::span<const std::uint32_t>); \
  template void MinibatchState<T>::carry_back(std::size_t, std::size_t, MatrixView<const T>, MatrixView<T>, bool);   \
  template void MinibatchState<T>::update_z(std::size_t, std::size_t);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
