// The course of a training, what it holds, and what is kept of it.
#include "core/minibatch/state.hpp"

#include <algorithm>
#include <limits>
#include <new>
#include <stdexcept>
#include <string>

namespace dladmm {

template <typename T>
MinibatchState<T>::MinibatchState(const MinibatchSetup& setup) : MinibatchState(setup, Shell()) {
  const Network& net = setup_.network;
  if (!is_batch_sweep(setup_.sweep, net.layers())) throw std::invalid_argument("no sweep over batches");
  for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width + 1));
  static_cast<void>(blas::dimension(setup_.batch));
  this->allocate();
  std::ranges::fill(parameters_.span(), T(0));
  finite_.watch(parameters_.span());
  for (std::size_t l = 1; l <= depth(); ++l) {
    std::ranges::fill(of(l).distance.flat(), T(0));
    views_.push_back({MatrixView<const T>(weights(l)), of(l).b});
  }
  reset();
}

template <typename T>
void MinibatchState<T>::read(ParameterBlock block, std::size_t l, std::span<T> out) const {
  const MatrixView<T> w = block == ParameterBlock::W ? weights(l) : biases(l);
  for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(w.row(i), w.columns, out.data() + i * w.columns);
}

template <typename T>
void MinibatchState<T>::write(ParameterBlock block, std::size_t l, std::span<const T> values) {
  const MatrixView<T> w = block == ParameterBlock::W ? weights(l) : biases(l);
  for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(values.data() + i * w.columns, w.columns, w.row(i));
  copy_biases(l, {0, w.rows});
  if (setup_.schedule_free) averaging().begin();
}

template <typename T>
void MinibatchState<T>::run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& asked,
                            StepsRecord& record) {
  this->need_all_rows();
  // A learner may be given weights with a later batch.
  if (!weights_.empty() && weighed_.size() < weighed_room()) weighed_ = Buffer<T>(weighed_room());
  const std::atomic<bool>& stop = this->heeded(asked);
  const AtWork here(stop);
  finite_.keep();
  if (setup_.schedule_free) {
    averaging().to_gradient_point();
    copy_biases();
  }
  const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) -> std::size_t {
    const std::span<const std::uint32_t> batch = epochs_.begin();
    if (!run_batch(batch, step_size(steps, i), loss)) return 0;
    epochs_.end();
    return batch.size();
  });
  if (setup_.schedule_free) {
    averaging().to_average(setup_.momentum);
    copy_biases();
  }
  if (finite) {
    record.weights = weight_measures<T>(team_, setup_.regularisers, views_, spectral_);
    return;
  }
  finite_.restore();
  copy_biases();
  reset();
}

template <typename T>
void MinibatchState<T>::reset() {
  for (const std::span<T> kept : {velocity_.span(), dual_.span()}) std::ranges::fill(kept, T(0));
  if (setup_.schedule_free) averaging().begin();
  for (Layer& it : layers_) {
    it.gram->reset();
    if (it.outer) it.outer->reset();
  }
  epochs_.reset();
  step_number_ = 0;
  averaged_ = 0;
  taken_in_ = 0;
  since_taken_ = 0;
}

template <typename T>
std::vector<Section> MinibatchState<T>::sections() {
  std::vector<Section> out;
  out.push_back(section("parameters", parameters_.span()));
  if (velocity_.size() > 0) out.push_back(section("velocity", velocity_.span()));
  if (setup_.schedule_free) out.push_back(section("averaged", averaged_));
  if (dual_.size() > 0) out.push_back(section("Y", dual_.span()));
  for (std::size_t l = 1; l <= depth() && dual_.size() > 0; ++l) {
    out.push_back(section(section_name("Y.weight", l), std::span(&of(l).dual_weight, 1)));
  }
  for (std::size_t l = 1; l <= depth(); ++l) {
    of(l).gram->add_sections("gram." + std::to_string(l), out);
    if (of(l).outer) of(l).outer->add_sections("outer." + std::to_string(l), out);
  }
  out.push_back(section("step", step_number_));
  out.push_back(section("gram.taken", taken_in_));
  out.push_back(section("gram.since", since_taken_));
  for (Section& it : epochs_.sections()) out.push_back(std::move(it));
  return out;
}

template <typename T>
void MinibatchState<T>::restored() {
  bool legal = true;
  for (std::size_t l = 1; l <= depth(); ++l) {
    legal = of(l).gram->restored(team_) && legal;
    if (!of(l).outer) continue;
    raise_outer(l);
    legal = of(l).outer->restored(team_) && legal;
  }
  copy_biases();
  if (!legal) {
    reset();
    throw std::domain_error("a Gram matrix is none");
  }
  epochs_.restored();
}

template <typename T>
void MinibatchState<T>::declare(StoragePlan& plan) {
  this->declare_samples(plan);
  const Network& net = setup_.network;
  const std::size_t batch = setup_.batch;
  std::size_t parameters = 0, chunk = 0, product = 0, prepared = 0, rank = 0, summed = 0, split = 0;
  std::size_t drawn = 0, turned = 0, seen = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = of(l);
    const std::size_t columns = net.inputs(l) + 1, out = net.outputs(l), r = setup_.gram.rank_of(columns);
    if (out > (std::numeric_limits<std::size_t>::max() / sizeof(T) - parameters) / columns) throw std::bad_alloc();
    it.first = parameters;
    parameters += out * columns;
    // (A + δI)⁻¹ meets ã_{l-1} where that has fewer rows than D_lᵀ ã_{l-1} and would not become dense by it, and
    // λ[W_l b_l] does not have to meet it too. Ranks add up gradients.
    const bool by_input = setup_.gram.l2 == 0 && batch < out && !is_sparse(l) && !shared() && !setup_.output.used;
    it.side = !by_input ? Side::gradient : r == 0 ? Side::input : Side::below;
    it.below = it.side == Side::below ? r : 0;
    it.chunks =
        Strips::of_about(out, std::max<std::size_t>(kChunkBytes / ((by_input ? 1 : 2) * sizeof(T) * columns), 48));
    if (it.chunks.count() == 1 && product_flops(out, batch, columns) > 6e6)
      it.chunks = Strips::of_about(out, (out + 1) / 2);
    chunk = std::max(chunk, it.chunks.width * columns);
    it.regularised = !setup_.regularisers.empty() && !setup_.regularisers[l - 1].none();
    if (it.regularised) split = std::max(split, out * columns);
    if (it.side != Side::input || it.regularised) product = std::max(product, it.chunks.width * r);
    if (it.side == Side::input) prepared = std::max(prepared, batch * columns);
    rank = std::max(rank, r);
    summed = std::max(summed, RunningGram<T>::sums_room(batch, columns, setup_.gram));
    plan.vector(it.b, out);
    if (!is_sparse(l)) plan.matrix(it.input, batch + it.below, columns);
    plan.matrix(it.distance, batch + it.below, out);
    if (l == depth() || !net.activation.value_tells_derivative()) plan.matrix(it.z, batch, out);
    // Every layer a basis of its own.
    GramSettings gram = setup_.gram;
    gram.split = it.regularised;
    it.gram.emplace(columns, gram, setup_.seed + static_cast<std::uint32_t>(l)).declare(plan);
    if (is_held()) {
      turned = std::max(turned, out * columns);
      squares_.resize(std::max(squares_.size(), it.chunks.count()));
    }
    if (!setup_.output.used) continue;
    const GramSettings outer{GramForm::low_rank, setup_.gram.rank, setup_.gram.beta, setup_.output.damping,
                             kLeastDoubt};
    it.outer.emplace(out, outer, setup_.seed + static_cast<std::uint32_t>(depth() + l)).declare(plan);
    const std::size_t q = it.outer->rank();
    rank = std::max(rank, q);
    summed = std::max(summed, RunningGram<T>::sums_room(batch, out, outer));
    drawn = std::max(drawn, out);
    seen = std::max(seen, 2 * it.chunks.count() * q * columns);
  }
  for (Buffer<T>& each : drawn_) plan.buffer(each, batch, drawn);
  plan.buffer(turned_, turned);
  plan.buffer(seen_, seen);
  plan.buffer(parameters_, parameters);
  plan.buffer(finite_.room, parameters);
  if (setup_.momentum != 0) plan.buffer(velocity_, parameters * (setup_.schedule_free ? 2 : 1));
  if (split > 0) plan.buffer(dual_, parameters);
  for (Buffer<T>* const it : {&old_, &solved_, &proximal_}) plan.buffer(*it, split);
  if (std::ranges::any_of(setup_.regularisers, &Regulariser::spectral)) this->declare_spectral(plan, spectral_);
  plan.buffer(prepared_, prepared);
  plan.buffer(images_, batch, rank);
  if (setup_.weighted) plan.buffer(weighed_, weighed_room());
  plan.other(4 * static_cast<double>(setup_.all_samples()),
             [this] { epochs_ = Epochs(setup_.all_samples(), setup_.batch, setup_.shuffle, setup_.seed); });
  plan.made(own_, setup_.share, setup_.samples, batch, std::size_t{1});
  if (shared()) plan.buffer(gradient_, parameters);
  if (summed != 0) plan.made(sums_, SampleCut(batch), typename PieceSums<T>::Room{0, summed, 0});
  for (Scratch& it : scratch_) {
    plan.buffer(it.gradient, chunk);
    plan.buffer(it.direction, chunk);
    plan.buffer(it.product, product);
    plan.vector(it.work, loss_work(net.widths.back()));
  }
}

// Of the widest layer, as one is taken in after the other.
template <typename T>
std::size_t MinibatchState<T>::weighed_room() const {
  std::size_t room = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    if (is_sparse(l)) continue;
    room = std::max(room, RunningGram<T>::weighed_room(setup_.batch, setup_.network.inputs(l) + 1, setup_.gram));
  }
  return room;
}

template <typename T>
bool MinibatchState<T>::run_batch(std::span<const std::uint32_t> batch, double step, double& loss) {
  Step now{step, step_number_ + 1, {}};
  if (setup_.schedule_free) {
    averaged_ += step * step;
    now.share = averaged_ > 0 ? step * step / averaged_ : 0;
  }
  const std::span<const std::uint32_t> samples = own_.of(batch);
  const std::size_t count = samples.size();
  forward(samples);
  BatchLoss found = update_output_z(samples);
  std::array<double, 2> of_all{found.loss, found.weight};
  setup_.share.sum(std::span<double>(of_all));
  found.loss = of_all[0];
  const bool weighs = of_all[1] > 0;
  if (is_bounded() && setup_.network.loss.may_be_negative()) setup_.share.sum(std::span<double>(&found.least, 1));
  loss = found.loss;
  mean_excess_ = std::max(0.0, found.loss - found.least) / static_cast<double>(batch.size());
  if (!std::isfinite(loss)) return false;
  // A batch that weighs nothing tells nothing of A_l; before there is one no step can be measured.
  if (weighs && !take_in_batch(samples, batch.size())) return false;
  if (taken_in_ == 0) {
    ++step_number_;
    return true;
  }
  const std::span<const BatchUpdate> rest = std::span(setup_.sweep).subspan(1);
  for (std::size_t i = 0; i < rest.size(); ++i) {
    const auto [block, l] = rest[i];
    if (block == BatchBlock::W) {
      if (!update_W(l, count, batch.size(), now)) return false;
    } else if (block == BatchBlock::z) {
      update_z(l, count);
    } else {
      // z_l rides on the product that makes a_l, where it comes next.
      const bool and_z = i + 1 < rest.size() && rest[i + 1].block == BatchBlock::z && rest[i + 1].layer == l;
      update_a(l, count, and_z);
      if (and_z) ++i;
    }
  }
  ++step_number_;
  return true;
}

template class MinibatchState<float>;
template class MinibatchState<double>;

}  // namespace dladmm
