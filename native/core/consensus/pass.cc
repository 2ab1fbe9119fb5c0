// h_l and z_l of a block forward, δ_l backward.
#include <algorithm>

#include "core/consensus/trainer.hpp"

namespace dladmm {

// x of so many samples, in their order; of sparse ones its size alone, as their entries are then in sparse_batch_.
template <typename T>
MatrixView<const T> Trainer<T>::gather(std::span<const std::uint32_t> samples) {
  if (setup_.sparse) {
    take_rows(sparse_.view(), samples, sparse_batch_);
    return {nullptr, samples.size(), sparse_.columns};
  }
  // As they lie, a batch is rows that follow each other.
  if (!setup_.shuffle) return x_.view().rows_from(samples.front(), samples.size());
  const MatrixView<T> to = batch_.view().rows_from(0, samples.size());
  each_piece(team_, to.rows, to.columns, [&](Rows rows, unsigned) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      std::copy_n(x_.view().row(samples[i]), to.columns, to.row(i));
    }
  });
  return to;
}

// z and h
template <typename T>
void Trainer<T>::forward(MatrixView<const T> x) {
  MatrixView<const T> input = x;
  for (std::size_t l = 1; l <= depth(); ++l) {
    const MatrixView<T> h = in_block(layer(l).h, x.rows);
    const bool keeps_z = !layer(l).z.empty();
    const MatrixView<T> z = sloped(l, x.rows);
    const auto finish = [&](Rows rows, Rows columns) {
      const MatrixView<T> tile = window(z, rows, columns);
      const std::span<const T> b = layers_[l - 1].b.subspan(columns.first, columns.count);
      if (keeps_z) elementwise::add_bias<T>(tile, b, tile);
      if (keeps_z) elementwise::activate<T>(activation_of(l), tile, window(h, rows, columns));
      if (!keeps_z) elementwise::add_bias_and_activate<T>(activation_of(l), tile, b, tile);
    };
    // block x n_l <- (block x n_{l-1}) (n_l x n_{l-1})ᵀ
    if (l == 1 && setup_.sparse) {
      multiply_and<T>(team_, sparse_batch_.view(), layers_[0].W, z, finish);
    } else {
      multiply_and<T>(team_, Op::none, Op::transpose, T(1), input, layers_[l - 1].W, T(0), z, finish);
    }
    input = h;
  }
}

// δ_L; returns R summed over the block.
template <typename T>
double Trainer<T>::output_deltas(std::span<const std::uint32_t> samples) {
  const MatrixView<const T> z = layer(depth()).h.view();
  const MatrixView<T> delta = in_block(layer(depth()).delta, samples.size());
  const Targets<T> goals = targets();
  return sum_pieces<ForwardLoss>(
             team_, samples.size(), delta.columns,
             [&](Rows rows, unsigned member) {
               return loss_over_rows(
                   setup_.network.loss, rows.count, delta.columns, members_[member].work,
                   [&](std::size_t i) { return z.row(rows.first + i); },
                   [&](std::size_t i, std::span<double> room) { return goals.of(samples[rows.first + i], room); },
                   [&](std::size_t i, std::span<const double> gradient) {
                     std::ranges::transform(gradient, delta.row(rows.first + i),
                                            [](double g) { return static_cast<T>(g); });
                   });
             })
      .loss;
}

// δ of the hidden layers
template <typename T>
void Trainer<T>::carry_back(std::size_t count) {
  for (std::size_t l = depth() - 1; l >= 1; --l) {
    const MatrixView<T> below = in_block(layer(l).delta, count);
    const MatrixView<T> y = sloped(l, count);
    // block x n_l <- (block x n_{l+1}) (n_{l+1} x n_l)
    multiply_and<T>(team_, Op::none, Op::none, T(1), in_block(layer(l + 1).delta, count), layers_[l].W, T(0), below,
                    [&](Rows rows, Rows columns) {
                      elementwise::times_derivative<T>(activation_of(l), window(below, rows, columns),
                                                       window(y, rows, columns));
                    });
  }
}

#define DLADMM_INSTANTIATE(T)                                                      \
  template MatrixView<const T> Trainer<T>::gather(std::span<const std::uint32_t>); \
  template void Trainer<T>::forward(MatrixView<const T>);                          \
  template double Trainer<T>::output_deltas(std::span<const std::uint32_t>);       \
  template void Trainer<T>::carry_back(std::size_t);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
