// What ISAAC and K-FAC make of a batch.
#include <algorithm>
#include <cmath>

#include "core/consensus/trainer.hpp"

namespace dladmm {

// Of ISAAC. False where something is not finite.
template <typename T>
bool Trainer<T>::turn(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch) {
  if (isaac() == nullptr) return true;
  for (std::size_t l = 1; l <= isaac_room_.turned.size(); ++l) {
    if (!isaac_turn<T>(team_, *isaac(), l, input_of(l, x), in_block(layer(l).delta, x.rows), batch, setup_.share,
                       isaac_room_, [&](std::size_t i) { return weight_of(samples[i]); })) {
      return false;
    }
  }
  return true;
}

// The step of K-FAC, from the gradient of the whole batch, of which `samples` are here; `loss` is R of all of it.
// False where something is not finite.
template <typename T>
bool Trainer<T>::move_by_factors(MatrixView<const T> x, std::span<const std::uint32_t> samples, std::size_t batch,
                                 double loss, const Step& step) {
  const Kfac* const method = kfac();
  if (method == nullptr) return true;
  const Loss& kind = setup_.network.loss;
  const std::size_t n = setup_.network.widths.back();
  const Targets<T> goals = targets();
  const MatrixView<T> drawn = in_block(layer(depth()).delta, x.rows);
  const MatrixView<const T> z = layer(depth()).h.view();
  const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch);
  // The target of row i, whose z comes first in the work of a member.
  const auto target_of = [&](std::size_t i, std::span<double> work) {
    std::copy_n(z.row(i), n, work.data());
    return goals.of(samples[i], work.subspan(n, n));
  };
  each_piece(team_, drawn.rows, n, [&](Rows rows, unsigned member) {
    const std::span<double> work = spaces_[member].work;
    const std::span<double> v = work.subspan(2 * n, n);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      const SampleTarget target = target_of(i, work);
      RandomStream random = stream_of(setup_.seed, step.number - 1, own_.place(i));
      draw_multiplier(kind, work.first(n), target, random, v);
      const double root = std::sqrt(terms * target.weight);
      std::ranges::transform(v, drawn.row(i), [&](double each) { return static_cast<T>(root * each); });
    }
  });
  if (x.rows > 0) carry_back(x.rows);

  const auto of = [&](std::size_t l) {
    const std::size_t out = setup_.network.outputs(l), in = setup_.network.inputs(l);
    const std::size_t first = layer(l).first;
    return KfacLayer<T>{{parameters_.data() + first, out, in},
                        {state_.data() + first, out, in + 1},
                        MatrixView<const T>(gradient_.data() + first, out, in),
                        biases(l),
                        part_of(gradient_, ParameterBlock::b, l),
                        input_of(l, x),
                        sloped(l, x.rows),
                        in_block(layer(l).delta, x.rows)};
  };
  const auto root = [&](std::size_t i) { return std::sqrt(weight_of(samples[i])); };
  const auto moment = [&](std::size_t i, unsigned member, auto&& use) {
    const std::span<double> work = spaces_[member].work;
    const SampleTarget target = target_of(i, work);
    const std::span<double> c = work.subspan(2 * n, n), r = work.subspan(3 * n, n);
    const double s = moment_of_multiplier(kind, work.first(n), target, c, r);
    use(c, s, terms * target.weight, r);
  };
  const bool adapts = step.number % method->damping_every == 0;
  const double before = adapts ? factors_.half_square(team_, of) : 0;
  if (!factors_.take_in(team_, *method, step.number, batch, setup_.share, of, root)) return false;
  if (!factors_.move(team_, *method, setup_.network.activation, batch, setup_.share, of, moment)) return false;
  if (!adapts) return true;
  double after = 0;
  if (x.rows > 0) {
    forward(x);
    after = output_deltas(samples);
  }
  setup_.share.sum(std::span<double>(&after, 1));
  const double mean = terms / static_cast<double>(batch);
  factors_.adapt(*method, mean * (after - loss) + method->weight_decay * (factors_.half_square(team_, of) - before));
  return true;
}

#define DLADMM_INSTANTIATE(T)                                                                                         \
  template bool Trainer<T>::turn(MatrixView<const T>, std::span<const std::uint32_t>, std::size_t);                   \
  template bool Trainer<T>::move_by_factors(MatrixView<const T>, std::span<const std::uint32_t>, std::size_t, double, \
                                            const Step&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
