// The gradient of rows of W_l and b_l, and their update while it is in the cache.
#include <algorithm>

#include "core/consensus/trainer.hpp"

namespace dladmm {

// `rows`: the block within what is here of a batch of so many samples. `updates`: it is the last, and all are here.
template <typename T>
bool Trainer<T>::sum_gradients(MatrixView<const T> x, std::size_t batch, Rows rows, bool updates, const Step& step) {
  const double flops = 2 * static_cast<double>(parameters_count_) * static_cast<double>(rows.count);
  return each_chunk(flops,
                    [&](const Chunk& chunk, Member& member) {
                      sum_chunk(member, x, batch, rows, chunk, updates);
                      return !updates || update_chunk(member, chunk, step);
                    }) &&
         (!updates || update_matrices(step));
}

// From the gradient of the whole batch.
template <typename T>
bool Trainer<T>::update_by_whole(const Step& step) {
  return each_chunk(0, [&](const Chunk& chunk, Member& member) { return update_chunk(member, chunk, step); }) &&
         update_matrices(step);
}

// W_l that a step takes whole.
template <typename T>
bool Trainer<T>::update_matrices(const Step& step) {
  bool finite = true;
  for (std::size_t l = 1; l <= depth(); ++l) {
    if (!takes_whole(l)) continue;
    const auto matrix = [&](const Buffer<T>& vector, std::size_t before = 0) {
      return MatrixView<T>(vector.data() + before + layer(l).first, setup_.network.outputs(l),
                           setup_.network.inputs(l));
    };
    const MatrixView<T> w = matrix(parameters_), g = matrix(gradient_), m = matrix(state_);
    const bool own = muon() != nullptr
                         ? muon_step<T>(team_, *muon(), step.rate, w, g, m, muon_room_)
                         : bases_.step(team_, *soap(), step, l, w, g, m, matrix(state_, parameters_count_));
    finite = own && finite;
  }
  return finite;
}

// Rows of W_l and b_l: their gradient over the block. `updates`: their update follows.
template <typename T>
void Trainer<T>::sum_chunk(Member& member, MatrixView<const T> x, std::size_t batch, Rows rows, const Chunk& chunk,
                           bool updates) {
  const auto& [l, out] = chunk;
  const std::size_t inputs = setup_.network.inputs(l);
  const bool turned = isaac() != nullptr && isaac()->takes(l);
  const bool turned_delta = turned && isaac_room_.turns_delta(l);
  const MatrixView<const T> input =
      turned && !turned_delta ? in_block(isaac_room_.turned[l - 1], x.rows) : input_of(l, x);
  const MatrixView<T> carried = turned_delta ? isaac_room_.turned[l - 1].view() : layer(l).delta.view();

  const Sums sums = sums_of(member, chunk);
  Ahead ahead;  // what the update reads
  if (updates) {
    for (std::size_t k = 0; k <= states_; ++k) {
      const T* const vector = k == 0 ? parameters_.data() : state_.data() + (k - 1) * parameters_count_;
      ahead.add(MatrixView<const T>(vector + layer(l).first + out.first * inputs, out.count, inputs));
    }
  }
  for (std::size_t s = 0; s < gradients_; ++s) {
    const Rows part = own_[s];
    const std::size_t begin = std::max(part.first, rows.first);
    const std::size_t end = std::min(part.first + part.count, rows.first + rows.count);
    if (begin >= end) continue;
    const Rows own{begin - rows.first, end - begin};
    const T keep = begin == part.first ? T(0) : T(1);
    const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch);
    const T scale = static_cast<T>(terms / static_cast<double>(Pieces{batch, gradients_}[s].count));
    const MatrixView<const T> delta = window(layer(l).delta.view(), own, out);
    // n_l x n_{l-1} <- (samples x n_l)ᵀ (samples x n_{l-1})
    const MatrixView<T> sum(sums.weights + s * sums.stride, out.count, inputs);
    if (l == 1 && setup_.sparse) {
      sum_products<T>(scale, delta, sparse_batch_.view().rows_from(own), keep, sum);
    } else {
      sum_products<T>(scale, window(carried, own, out), input.rows_from(own), keep, sum,
                      s + 1 == gradients_ ? ahead : Ahead());
    }
    sum_columns<T>(scale, delta, keep, {sums.biases + s * sums.stride, out.count}, member.work);
  }
}

// Rows of W_l and b_l by their gradient. False where something is not finite.
template <typename T>
bool Trainer<T>::update_chunk(Member& member, const Chunk& chunk, const Step& step) {
  const auto& [l, out] = chunk;
  const std::size_t inputs = setup_.network.inputs(l);
  const Sums sums = sums_of(member, chunk);
  const auto update = [&](std::size_t first, std::size_t count, const T* g) {
    for (std::size_t s = 0; s < gradients_; ++s) member.parts[s] = g + s * sums.stride;
    const Slice<T> slice{parameters_.data() + first, count, member.parts, state_.data() + first, parameters_count_};
    return std::visit([&](const auto& method) { return apply<T>(method, step, slice); }, setup_.optimiser);
  };
  const bool weights_finite =
      takes_whole(l) || update(layer(l).first + out.first * inputs, out.count * inputs, sums.weights);
  return update(layer(l).first + setup_.network.outputs(l) * inputs + out.first, out.count, sums.biases) &&
         weights_finite;
}

#define DLADMM_INSTANTIATE(T)                                                                         \
  template bool Trainer<T>::sum_gradients(MatrixView<const T>, std::size_t, Rows, bool, const Step&); \
  template bool Trainer<T>::update_by_whole(const Step&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
