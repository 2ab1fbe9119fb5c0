// What can be looked at, and changed by hand.
#include <algorithm>
#include <stdexcept>

#include "core/metric/state.hpp"

namespace dladmm::metric {

template <typename T>
std::size_t State<T>::size_of(Block block, std::size_t l) const {
  const std::size_t in = setup_.network.inputs(l);
  const std::size_t out = setup_.network.outputs(l);
  switch (block) {
    case Block::W:
      return out * in;
    case Block::b:
      return out;
    case Block::P:
      return out * out;
    case Block::G:
      return (in + 1) * (in + 1);
    case Block::velocity:
      return out * (in + 1);
    case Block::z:
    case Block::a:
    case Block::u:
    case Block::target:
      return setup_.samples * out;
  }
  return 0;
}

template <typename T>
void State<T>::read(Block block, std::size_t l, std::span<T> out) {
  const AtWork here;
  const Layer& it = layer(kept_, l);
  switch (block) {
    case Block::W:
      return copy(weights(it), out);
    case Block::b:
      return copy(biases(it), out);
    case Block::velocity:
      return copy(MatrixView<const T>(it.velocity.view()), out);
    case Block::P:
      static_cast<void>(know(kept_));
      return read_metric(it.outer.view(), penalties_.output_damping, out);
    case Block::G:
      static_cast<void>(know(kept_));
      return read_metric(inner(kept_, l).view(), penalties_.damping, out);
    case Block::z:
    case Block::a:
    case Block::u:
    case Block::target:
      return read_samples(block, l, out);
  }
}

template <typename T>
void State<T>::write(Block block, std::size_t l, std::span<const T> values) {
  if (block != Block::W && block != Block::b) throw std::logic_error("that block follows from W and b");
  const Layer& it = layer(kept_, l);
  const MatrixView<T> to = block == Block::W ? weights(it) : biases(it);
  for (std::size_t i = 0; i < to.rows; ++i) std::copy_n(values.data() + i * to.columns, to.columns, to.row(i));
  kept_.parameters.advance();
}

template <typename T>
void State<T>::read_metric(MatrixView<const T> sum, double damping, std::span<T> out) const {
  const std::size_t n = sum.rows;
  const double share = 1 / count();
  double trace = 0;
  for (std::size_t i = 0; i < n; ++i) trace += share * static_cast<double>(sum.row(i)[i]);
  const double mean = trace > 0 ? trace / static_cast<double>(n) : 1;
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j <= i; ++j) {
      const double shift = i == j ? damping * mean : 0;
      out[i * n + j] = out[j * n + i] = static_cast<T>(share * static_cast<double>(sum.row(i)[j]) + shift);
    }
  }
}

template <typename T>
void State<T>::read_samples(Block block, std::size_t l, std::span<T> out) {
  const bool by_target = block == Block::target;
  if (by_target && !(know(kept_) && prepare(layer(kept_, l).outer, penalties_.output_damping))) {
    throw std::logic_error("the metric of that layer is not finite");
  }
  const Pieces blocks = pieces_of(setup_.samples, rows_);
  const std::size_t n = setup_.network.outputs(l);
  for (std::size_t i = 0; i < blocks.count; ++i) {
    const Rows rows = blocks[i];
    const std::span<T> to = out.subspan(rows.first * n, rows.count * n);
    forward(kept_, rows);
    const MatrixView<T> z = part(block_[l - 1].z, rows.count);
    if (block == Block::z) copy(z, to);
    if (block == Block::a) copy(activations(l, rows.count), to);
    if (block == Block::z || block == Block::a) continue;
    static_cast<void>(output_duals(rows, kept_.draw));
    carry_back(kept_, rows.count);
    const MatrixView<T> u = part(block_[l - 1].duals, rows.count);
    if (by_target) {
      solver_.apply(team_, u, {});  // B x n_l, times P_l⁻¹
      elementwise::step_back<T>(z, 1, u);
    }
    copy(by_target ? z : u, to);
  }
}

#define DLADMM_INSTANTIATE(T)                                       \
  template std::size_t State<T>::size_of(Block, std::size_t) const; \
  template void State<T>::read(Block, std::size_t, std::span<T>);   \
  template void State<T>::write(Block, std::size_t, std::span<const T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::metric
