// Products with Ã, and the steps that wait for a pass over what they belong to.
#include <utility>

#include "core/graph/state.hpp"

namespace dladmm {

// The step that brings a kept matrix up to date, claimed by the pass that calls; P_l is made afresh where none does.
template <typename T>
typename GraphState<T>::DueStep GraphState<T>::due(Kept& kept, const Stamp& now) {
  DueStep step;
  if (kept.late.applies(kept.made, now)) step = {kept.late.scale, kept.view(), kept.direction};
  kept.made = now;
  return step;
}

template <typename T>
typename GraphState<T>::DueStep GraphState<T>::due_on_P(std::size_t l) {
  Layer& it = layer(l);
  const Stamp now = stamp_of_P(l);
  if (it.P.made != now && !it.P.late.applies(it.P.made, now)) {
    propagate(l, it.W.view(), it.P.view());
    it.P.made = now;
  }
  return due(it.P, now);
}

template <typename T>
void GraphState<T>::settle(const DueStep& step) {
  if (step.scale == T(0)) return;
  each_piece(team_, step.target.rows, step.target.columns, [&](Rows rows, unsigned) { step.on(rows); });
}

// Lets a step wait. Its direction stays where it is until the room is wanted again.
template <typename T>
void GraphState<T>::step_on_W(std::size_t l, double c, MatrixView<const T> s, MatrixView<const T> d) {
  Layer& it = layer(l);
  const Stamp from = stamp_of_P(l);
  step_back(it.W.view(), c, s);
  advance_W(l);
  it.P.late = {from, stamp_of_P(l), static_cast<T>(c)};
  it.P.direction = d;
  image_of_ = l;
}

template <typename T>
void GraphState<T>::step_on_Z(std::size_t l, double c, MatrixView<const T> g, MatrixView<const T> d) {
  Layer& it = layer(l);
  Layer& next = layer(l + 1);
  const Stamp from = stamp_of_Z(l), product_from = stamp_of_P(l + 1);
  it.of_Z.advance();
  it.Z.late = {from, stamp_of_Z(l), static_cast<T>(c)};
  it.Z.direction = g;
  gradient_of_ = l;
  next.P.late = {product_from, stamp_of_P(l + 1), static_cast<T>(c)};
  next.P.direction = d;
  image_of_ = l + 1;
}

template <typename T>
MatrixView<T> GraphState<T>::room_for_image(std::size_t l) {
  if (image_of_ != 0) {
    Kept& held = layer(image_of_).P;
    if (held.late.applies(held.made, stamp_of_P(image_of_))) settle(due(held, stamp_of_P(image_of_)));
    image_of_ = 0;
  }
  return {image_.data(), layer(l).P.matrix.rows(), layer(l).P.matrix.columns()};
}

template <typename T>
MatrixView<T> GraphState<T>::room_for_gradient(std::size_t l) {
  if (gradient_of_ != 0) settle(due_on_Z(std::exchange(gradient_of_, 0)));
  return {gradient_.data(), layer(l).Z.matrix.rows(), layer(l).Z.matrix.columns()};
}

template <typename T>
std::span<T> GraphState<T>::room_for_scratch() {
  smoothed_.forget();
  return scratch_.span();
}

// Ã Z_{l-1}, N_l x n_{l-1}.
template <typename T>
MatrixView<const T> GraphState<T>::smoothed(std::size_t l) {
  const MatrixView<T> h(scratch_.data(), node_count(l), setup_.network.inputs(l));
  settle(due_on_Z(l - 1));
  if (!smoothed_.valid(stamp_of_Z(l - 1)) || smoothed_.value != l) {
    propagation(l).smooth(team_, layer(l - 1).Z.view(), h);
    smoothed_.set(l, stamp_of_Z(l - 1));
  }
  return h;
}

// out <- Ã Z_{l-1} V, and out <- (Ã Z_{l-1})ᵀ G.
template <typename T>
void GraphState<T>::propagate(std::size_t l, MatrixView<const T> v, MatrixView<T> out) {
  if (l == 1) return input_.forward(team_, v, room_for_scratch(), out);
  const Propagation<T>& map = propagation(l);
  if (map.order(Propagation<T>::Map::weights, v.rows, v.columns) == Order::nodes_first) {
    // N_l x n_{l-1} times n_{l-1} x n_l
    return multiply<T>(team_, blas::Op::none, blas::Op::none, 1, smoothed(l), v, 0, out);
  }
  settle(due_on_Z(l - 1));
  map.forward(team_, layer(l - 1).Z.view(), v, room_for_scratch(), out);
}

template <typename T>
void GraphState<T>::weight_gradient(std::size_t l, MatrixView<const T> g, MatrixView<T> out) {
  PieceSums<T>& sums = layer(l).sums;
  if (l == 1) return input_.gradient(team_, sums, g, room_for_scratch(), out);
  const Propagation<T>& map = propagation(l);
  if (map.order(Propagation<T>::Map::weights, out.rows, out.columns) == Order::nodes_first) {
    // n_{l-1} x N_l times N_l x n_l
    return sum_products<T>(team_, sums, smoothed(l), g, out);
  }
  settle(due_on_Z(l - 1));
  const MatrixView<T> back(room_for_scratch().data(), map.columns(), g.columns);
  map.smooth_back(team_, g, back);
  // n_{l-1} x N_{l-1} times N_{l-1} x n_l
  sum_products<T>(team_, sums, layer(l - 1).Z.view(), back, out);
}

#define DLADMM_INSTANTIATE(T)                                                                            \
  template typename GraphState<T>::DueStep GraphState<T>::due(Kept&, const Stamp&);                      \
  template typename GraphState<T>::DueStep GraphState<T>::due_on_P(std::size_t);                         \
  template void GraphState<T>::settle(const DueStep&);                                                   \
  template void GraphState<T>::step_on_W(std::size_t, double, MatrixView<const T>, MatrixView<const T>); \
  template void GraphState<T>::step_on_Z(std::size_t, double, MatrixView<const T>, MatrixView<const T>); \
  template MatrixView<T> GraphState<T>::room_for_image(std::size_t);                                     \
  template MatrixView<T> GraphState<T>::room_for_gradient(std::size_t);                                  \
  template std::span<T> GraphState<T>::room_for_scratch();                                               \
  template MatrixView<const T> GraphState<T>::smoothed(std::size_t);                                     \
  template void GraphState<T>::propagate(std::size_t, MatrixView<const T>, MatrixView<T>);               \
  template void GraphState<T>::weight_gradient(std::size_t, MatrixView<const T>, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
