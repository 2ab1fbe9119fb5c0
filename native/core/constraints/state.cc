// The course of a training, what it holds, and what is kept of it.
#include "core/constraints/state.hpp"

namespace dladmm::constraints {

template <typename T>
State<T>::State(const Setup& setup) : State(setup, Shell()) {
  this->allocate();
  for (Layer& it : layers_) {
    std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
    finite_.watch(it.W.flat());
    finite_.watch(it.b);
  }
}

template <typename T>
void State<T>::start() {
  const AtWork here;
  write_targets();
  advance_all();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    pass({l}, every_piece(), 0, [&](const Part& part) {
      const MatrixView<T> S = rows_of(it.S, part.rows);
      std::copy_n(S.data, S.rows * S.columns, rows_of(it.V, part.rows).data);
      std::fill_n(rows_of(it.Lambda, part.rows).data, S.rows * S.columns, T(0));
    });
    it.V_version.advance();
    it.Lambda_version.advance();
  }
}

template <typename T>
void State<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& stop,
                   SweepRecord& record) {
  need_start(x_version_);
  const AtWork here(stop);
  note_beta(p);
  finite_.keep();
  work_ = {};
  const bool finite = run_sweep(
      record, updates.size(), stop, [&](std::size_t& i) { return update(updates[i], p, record.updates[i]); },
      [&] {
        measure(p, record.measures);
        return std::isfinite(record.measures.lagrangian) && std::isfinite(record.measures.kkt);
      });
  if (!finite) {
    finite_.restore();
    advance_all();
  }
  record.work = work_;
}

template <typename T>
void State<T>::read(Block block, std::size_t l, std::span<T> out) {
  if (block == Block::V || block == Block::Lambda) need_start(x_version_);
  const std::span<const T> entries = entries_of(block, l);
  std::copy(entries.begin(), entries.end(), out.begin());
}

template <typename T>
void State<T>::write(Block block, std::size_t l, std::span<const T> values) {
  if (block == Block::V || block == Block::Lambda) need_start(x_version_);
  std::copy(values.begin(), values.end(), entries_of(block, l).begin());
  Layer& it = layer(l);
  (block == Block::V ? it.V_version : block == Block::Lambda ? it.Lambda_version : it.W_version).advance();
}

template <typename T>
void State<T>::restored() {
  write_targets();
  advance_all();
}

template <typename T>
void State<T>::declare(StoragePlan& plan) {
  const Network& net = setup_.network;
  const std::size_t samples = setup_.samples;
  const SampleCut cut(samples);
  std::size_t parameters = 0, inputs = 0,
              step = 0;  // entries of all [W_l b_l], the widest input, the largest [W_l b_l]
  this->declare_samples(plan, cut.pieces.largest());
  if (net.loss.classifies()) plan.matrix(y_, samples, net.widths.back());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.inputs(l);
    const std::size_t m = net.outputs(l);
    const auto saved = [&](const char* block) { return StoragePlan::Name{&sections_, section_name(block, l)}; };
    plan.matrix(it.W, m, n, saved("W"));
    plan.vector(it.b, m, saved("b"));
    plan.matrix(it.V, samples, m, saved("V"));
    plan.matrix(it.Lambda, samples, m, saved("Lambda"));
    plan.matrix(it.S, samples, m);
    plan.matrix(it.gradient, m, n + 1);
    plan.matrix(it.gram, n + 1, n + 1);
    parameters += m * (n + 1);
    inputs = std::max(inputs, n);
    step = std::max(step, m * (n + 1));
  }
  plan.buffer(finite_.room, parameters);
  plan.buffer(step_, step);
  plan.buffer(step_scratch_, step);
  const std::size_t columns = std::max(inputs, net.widest());
  plan.vector(columns_, columns);
  plan.made(solver_, typename GramSolver<T>::Room{.size = inputs + 1});
  plan.made(sums_, cut, typename PieceSums<T>::Room{columns, step, inputs * inputs});
}

// Y, where it is made of labels.
template <typename T>
void State<T>::write_targets() {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    for (std::size_t j = 0; j < y_.columns(); ++j) {
      y_.view().row(i)[j] = setup_.network.loss.is_on(labels_[i], j, y_.columns()) ? T(1) : T(0);
    }
  }
}

template class State<float>;
template class State<double>;

}  // namespace dladmm::constraints
