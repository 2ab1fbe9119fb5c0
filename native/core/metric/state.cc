// The course of a training, and what it holds.
#include "core/metric/state.hpp"

namespace dladmm::metric {

template <typename T>
State<T>::State(const Setup& setup) : State(setup, Shell()) {
  for (const std::size_t width : setup_.network.widths) static_cast<void>(blas::dimension(width + 1));
  this->allocate();
  for (Point* point : {&kept_, &tried_}) {
    for (Layer& it : point->layers) std::ranges::fill(it.W.flat(), T(0));
  }
  for (InBlock& it : block_) {
    const MatrixView<T> input = it.input.view();
    for (std::size_t i = 0; i < input.rows; ++i) input.row(i)[input.columns - 1] = T(1);
  }
  start();
}

template <typename T>
void State<T>::start() {
  for (Layer& it : kept_.layers) std::ranges::fill(it.velocity.flat(), T(0));
  kept_.draw = draws_ = 0;
  kept_.parameters.advance();
}

template <typename T>
void State<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop,
                   SweepRecord& record) {
  const AtWork here(stop);
  penalties_ = p;
  record.measures = {};
  bool begun = false;
  bool moved = false;
  const bool ran = run_sweep(
      record, updates.size(), stop,
      [&](std::size_t& i) {
        if (!begun) {
          if (!know(kept_)) return true;
          if (!std::isfinite(objective(kept_))) return false;
          begin_step();
          begun = true;
        }
        if (updates[i].block != Block::W) {
          // All of them are found in one pass.
          while (i + 1 < updates.size() && updates[i + 1].block != Block::W) ++i;
          static_cast<void>(know(tried_));
          return true;
        }
        moved = true;
        return update_W(updates[i].layer, record.updates[i], record.measures);
      },
      [&] { return !moved || record.stopped || settle(record); });
  if (ran && !record.stopped) measure_kept(record.measures);
}

template <typename T>
void State<T>::measure(const Penalties& p, Measures& measures) {
  const AtWork here;
  penalties_ = p;
  measures = {};
  static_cast<void>(know(kept_));
  measure_kept(measures);
}

template <typename T>
std::vector<Section> State<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    out.push_back(section(section_name("W", l), layer(kept_, l).W));
    out.push_back(section(section_name("velocity", l), layer(kept_, l).velocity));
  }
  out.push_back(section("draw", kept_.draw));
  out.push_back(section("draws", draws_));
  return out;
}

template <typename T>
void State<T>::declare(StoragePlan& plan) {
  this->declare_samples(plan);
  const Network& net = setup_.network;
  std::size_t step = 0;
  std::size_t size = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    const std::size_t in = net.inputs(l) + 1;
    const std::size_t out = net.outputs(l);
    for (Point* point : {&kept_, &tried_}) {
      Layer& it = layer(*point, l);
      for (Matrix<T>* matrix : {&it.W, &it.velocity, &it.gradient}) plan.matrix(*matrix, out, in);
      plan.matrix(it.outer, out, out);
      if (l > 1) plan.matrix(it.inner, in, in);
    }
    if (l == 1) plan.matrix(first_inner_, in, in);
    plan.matrix(block_[l - 1].input, rows_, in);
    plan.matrix(block_[l - 1].z, rows_, out);
    plan.matrix(block_[l - 1].duals, 2 * rows_, out);
    step = std::max(step, in * out);
    size = std::max({size, in, out});
  }
  plan.buffer(step_, step);
  plan.made(solver_, typename GramSolver<T>::Room{.size = size});
}

template <typename T>
void State<T>::measure_kept(Measures& measures) {
  measures.loss = kept_.loss.value;
  measures.regularisation = regularisation(kept_);
  measures.objective = objective(kept_);
  measures.kkt = 0;
  for (std::size_t l = 1; l <= depth(); ++l) measures.kkt += elementwise::square_norm<T>(team_, slope(l));
}

// Layers that the sweep does not name stay where they are.
template <typename T>
void State<T>::begin_step() {
  for (std::size_t l = 1; l <= depth(); ++l) {
    std::ranges::copy(layer(kept_, l).W.flat(), layer(tried_, l).W.flat().begin());
    std::ranges::fill(layer(tried_, l).velocity.flat(), T(0));
  }
  tried_.parameters.advance();
  tried_.draw = ++draws_;
}

// Keeps the point that the step led to, where F did not rise.
template <typename T>
bool State<T>::settle(SweepRecord& record) {
  if (!know(tried_)) {
    record.stopped = true;
    return true;
  }
  Measures& measures = record.measures;
  const double before = objective(kept_);
  measures.tried = objective(tried_);
  const double change = measures.tried - before;
  // Where F is stationary nothing was foretold, and nothing came.
  measures.reduction = change == 0 && measures.expected == 0 ? 1 : change / measures.expected;
  measures.kept = measures.tried <= before;
  if (measures.kept) std::swap(kept_, tried_);
  return true;
}

template class State<float>;
template class State<double>;

}  // namespace dladmm::metric
