// What a batch tells of the metrics A_l and P_l. P_l is to D_l what A_l is to ã_{l-1}, of multipliers v_l for labels
// that the model draws itself (draw.hpp; K-FAC's second factor: J. Martens, R. Grosse, ICML 2015), in low rank:
//
//     P_l <- βP_l + (1 − β) v_lᵀ v_l / B                    with A_l
#include <algorithm>
#include <cmath>
#include "core/gradient/draw.hpp"

#include "core/minibatch/state.hpp"

namespace dladmm {

// A_l and P_l of every layer, where they are due.
template <typename T>
bool MinibatchState<T>::take_in_batch(std::span<const std::uint32_t> samples, std::size_t batch) {
  const std::size_t count = samples.size();
  if (since_taken_ < std::min(setup_.gram_every, taken_in_)) {
    ++since_taken_;
    return true;
  }
  ++taken_in_;
  since_taken_ = 1;
  const BatchWeights weights = weights_of(samples);
  for (const BatchUpdate& update : setup_.sweep) {
    if (update.block != BatchBlock::W) continue;
    RunningGram<T>& gram = *of(update.layer).gram;
    const MatrixView<T> images(images_.data(), count, gram.rank());
    const Share share{setup_.share.ranks, 0, batch};
    const bool taken = is_sparse(update.layer) ? gram.take_in(team_, sums_, sparse_batch_.view(), images, weights)
                                               : gram.take_in(team_, sums_, input_of(update.layer, count), images,
                                                              share, weights, weighed_.span());
    if (!taken) return false;
  }
  return !setup_.output.used || take_in_drawn(samples, batch);
}

// P_l of the layers whose weights are moved.
template <typename T>
bool MinibatchState<T>::take_in_drawn(std::span<const std::uint32_t> samples, std::size_t batch) {
  const std::size_t count = samples.size();
  std::size_t lowest = depth();
  for (const BatchUpdate& update : setup_.sweep) {
    if (update.block == BatchBlock::W) lowest = std::min(lowest, update.layer);
  }
  const auto drawn = [&](std::size_t l) {
    return MatrixView<T>(drawn_[l % 2].data(), count, setup_.network.outputs(l));
  };
  draw_output(samples, drawn(depth()));
  for (std::size_t l = depth();; --l) {
    RunningGram<T>& outer = *of(l).outer;
    const Share share{setup_.share.ranks, 0, batch};
    raise_outer(l);
    if (!outer.take_in(team_, sums_, drawn(l), {images_.data(), count, outer.rank()}, share)) return false;
    if (l == lowest) return true;
    carry_back(l - 1, count, drawn(l), drawn(l - 1), true);
  }
}

// v_L, times the square root of the sample's weight
template <typename T>
void MinibatchState<T>::draw_output(std::span<const std::uint32_t> samples, MatrixView<T> out) {
  const std::size_t n = out.columns;
  const MatrixView<const T> z = of(depth()).z.view();
  each_piece(team_, out.rows, n, [&](Rows rows, unsigned member) {
    const std::span<double> work = scratch_[member].work;
    const std::span<double> zi = work.subspan(0, n), v = work.subspan(n, n);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      std::copy_n(z.row(i), n, zi.data());
      const SampleTarget target = targets().of(samples[i], work.subspan(2 * n, n));
      RandomStream random = stream_of(setup_.seed, taken_in_ - 1, own_.place(i));
      draw_multiplier(setup_.network.loss, zi, target, random, v);
      const double root = std::sqrt(target.weight);
      std::ranges::transform(v, out.row(i), [root](double each) { return static_cast<T>(root * each); });
    }
  });
}

#define DLADMM_INSTANTIATE(T) \
  template bool MinibatchState<T>::take_in_batch(std::span<const std::uint32_t>, std::size_t);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
