#include "core/minibatch/state.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <new>
#include <stdexcept>

#include "core/linalg/blas.hpp"

namespace dladmm {
namespace {

using blas::Op;

constexpr std::size_t kEvaluationBlock = 256;
// What a member works on at once, a gradient and a direction, stays in its second-level cache.
constexpr std::size_t kChunkBytes = std::size_t{1} << 19;
constexpr std::size_t kChunkRows = 32;  // fewer would slow the product down

std::size_t widest_output(const Network& network) {
  return *std::max_element(network.widths.begin() + 1, network.widths.end());
}
std::size_t widest_input(const Network& network) {
  return *std::max_element(network.widths.begin(), network.widths.end() - 1);
}

// (A + δI)⁻¹ meets ã_{l-1} where that has fewer rows than D_lᵀ ã_{l-1}, and λ[W_l b_l] does not have to meet it too.
bool is_by_input(const MinibatchSetup& setup, std::size_t l) {
  return setup.gram.l2 == 0 && setup.batch < setup.network.outputs(l);
}
// Rows of ã_{l-1} and D_l besides those of a batch.
std::size_t rows_below(const MinibatchSetup& setup, std::size_t l) {
  return is_by_input(setup, l) ? setup.gram.rank_of(setup.network.inputs(l) + 1) : 0;
}

// What a setup comes to, in numbers of entries.
struct Plan {
  std::vector<std::size_t> first_weight, first_bias, chunk_rows;
  std::size_t parameters = 0, biases = 0, chunk = 0, chunk_rows_most = 0, prepared = 0, rank = 0;

  static Plan of(const MinibatchSetup& setup, std::size_t number_bytes) {
    const Network& net = setup.network;
    const std::size_t threads = std::max(setup.threads, 1U);
    Plan plan;
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t columns = net.inputs(l) + 1;
      const std::size_t out = net.outputs(l);
      if (out > (std::numeric_limits<std::size_t>::max() / number_bytes - plan.parameters) / columns) {
        throw std::bad_alloc();
      }
      plan.first_weight.push_back(plan.parameters);
      plan.first_bias.push_back(plan.biases);
      plan.parameters += out * columns;
      plan.biases += out;
      const std::size_t buffers = is_by_input(setup, l) ? 1 : 2;
      const std::size_t fit = kChunkBytes / (buffers * number_bytes * columns);
      const std::size_t share = (out + threads - 1) / threads;
      plan.chunk_rows.push_back(std::min(share, std::max(fit, kChunkRows)));
      plan.chunk = std::max(plan.chunk, plan.chunk_rows.back() * columns);
      plan.chunk_rows_most = std::max(plan.chunk_rows_most, plan.chunk_rows.back());
      plan.rank = std::max(plan.rank, setup.gram.rank_of(columns));
      if (is_by_input(setup, l) && setup.gram.form == GramForm::full) plan.prepared = std::max(plan.prepared, columns);
    }
    return plan;
  }
};

}  // namespace

bool is_batch_sweep(std::span<const BatchUpdate> sweep, std::size_t layers) {
  if (sweep.empty() || sweep[0].block != BatchBlock::z || sweep[0].layer != layers) return false;
  std::vector<bool> z(layers + 2, false);
  std::vector<bool> a(layers + 2, false);
  std::vector<bool> W(layers + 2, false);
  for (const BatchUpdate& update : sweep) {
    const std::size_t l = update.layer;
    if (l < 1 || l > layers) return false;
    const bool is_z = update.block == BatchBlock::z;
    std::vector<bool>& done = is_z ? z : update.block == BatchBlock::a ? a : W;
    const bool ready = is_z ? l == layers || a[l] : update.block == BatchBlock::a ? l < layers && z[l + 1] : z[l];
    if (done[l] || !ready) return false;
    done[l] = true;
  }
  return true;
}

template <typename T>
double MinibatchState<T>::required_bytes(const MinibatchSetup& setup) {
  const Network& net = setup.network;
  const Plan plan = Plan::of(setup, sizeof(T));
  const auto samples = static_cast<double>(setup.samples);
  const auto batch = static_cast<double>(setup.batch);
  const double threads = std::max(setup.threads, 1U);
  const double widest = static_cast<double>(widest_output(net));
  double columns = static_cast<double>(net.widths.front());
  if (!net.loss.classifies()) columns += static_cast<double>(net.widths.back());
  double of_batch = static_cast<double>(plan.prepared + plan.rank);
  double bytes = 0;
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    const auto n = static_cast<double>(net.outputs(l));
    of_batch += static_cast<double>(net.inputs(l) + 1) + n;
    bytes += sizeof(T) * static_cast<double>(rows_below(setup, l)) * (static_cast<double>(net.inputs(l) + 1) + n);
    if (l == net.layers() || !net.activation.keeps_sign()) of_batch += n;
    bytes += RunningGram<T>::required_bytes(net.inputs(l) + 1, setup.gram);
  }
  const auto size = static_cast<double>(widest_input(net) + 1);
  const auto rank = static_cast<double>(plan.rank);
  const bool full = setup.gram.form == GramForm::full;
  const double sums = full ? size * size : size * rank + rank * rank;
  const double of_member = sums + 2 * static_cast<double>(plan.chunk) +
                           static_cast<double>(plan.chunk_rows_most) * rank + 2 * kEvaluationBlock * widest;
  const double vectors = setup.momentum == 0 ? 2 : 3;
  bytes += sizeof(T) * (samples * columns + batch * of_batch + vectors * static_cast<double>(plan.parameters) +
                        static_cast<double>(plan.biases) + threads * of_member);
  return bytes + samples * 8 + threads * 8 * 15 * widest;
}

template <typename T>
MinibatchState<T>::MinibatchState(const MinibatchSetup& setup)
    : setup_(setup),
      team_(setup.threads),
      x_(setup.samples, setup.network.widths.front()),
      outputs_(setup.batch, setup.network.widths.back()),
      order_(setup.samples, setup.seed) {
  const Network& net = setup_.network;
  if (!is_batch_sweep(setup_.sweep, net.layers())) throw std::invalid_argument("no sweep over batches");
  for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width + 1));
  static_cast<void>(blas::dimension(setup_.batch));
  Plan plan = Plan::of(setup_, sizeof(T));
  first_weight_ = std::move(plan.first_weight);
  first_bias_ = std::move(plan.first_bias);
  chunk_rows_ = std::move(plan.chunk_rows);
  parameters_ = Buffer<T>(plan.parameters);
  finite_ = Buffer<T>(plan.parameters);
  velocity_ = Buffer<T>(setup_.momentum == 0 ? 0 : plan.parameters);
  biases_ = Buffer<T>(plan.biases);
  std::fill_n(parameters_.data(), parameters_.size(), T(0));
  std::fill_n(biases_.data(), biases_.size(), T(0));
  if (net.loss.classifies()) {
    labels_.resize(setup_.samples);
  } else {
    target_values_ = Matrix<T>(setup_.samples, net.widths.back());
  }
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    const std::size_t columns = columns_of(l);
    const std::size_t rows = setup_.batch + rows_below(setup_, l);
    a_.emplace_back(rows, columns);
    distance_.emplace_back(rows, net.outputs(l));
    std::fill(distance_.back().flat().begin(), distance_.back().flat().end(), T(0));
    if (l < net.layers() && !net.activation.keeps_sign()) z_.emplace_back(setup_.batch, net.outputs(l));
    // Every layer a basis of its own.
    grams_.emplace_back(columns, setup_.gram, setup_.seed + static_cast<std::uint32_t>(l));
    const MatrixView<T> w = weights(l);
    layers_.push_back({MatrixView<const T>(w), biases(l)});
  }
  prepared_ = Matrix<T>(setup_.batch, plan.prepared);
  scratch_ = Matrix<T>(setup_.batch, plan.rank);
  const std::size_t size = widest_input(net) + 1;
  const bool full = setup_.gram.form == GramForm::full;
  sums_ = SampleSums<T>(team_.size(), 0, full ? 0 : size * plan.rank, full ? size * size : plan.rank * plan.rank);
  const std::size_t widest = widest_output(net);
  members_ = std::vector<Member>(team_.size());
  for (Member& member : members_) {
    member.gradient = Buffer<T>(plan.chunk);
    member.direction = Buffer<T>(plan.chunk);
    member.scratch = Matrix<T>(plan.chunk_rows_most, plan.rank);
    member.work.resize(3 * widest);
    spaces_.emplace_back(kEvaluationBlock, widest, net.widths.back());
  }
  reset();
}

// --- parameters ---

template <typename T>
MatrixView<T> MinibatchState<T>::matrix_of(const Buffer<T>& vector, std::size_t l) const {
  return {vector.data() + first_weight_[l - 1], setup_.network.outputs(l), columns_of(l)};
}

template <typename T>
MatrixView<T> MinibatchState<T>::weights(std::size_t l) const {
  const MatrixView<T> both = matrix_of(parameters_, l);
  return {both.data, both.rows, both.columns - 1, both.stride};
}

template <typename T>
std::span<T> MinibatchState<T>::biases(std::size_t l) const {
  return biases_.span().subspan(first_bias_[l - 1], setup_.network.outputs(l));
}

template <typename T>
void MinibatchState<T>::copy_biases(std::size_t l, Rows rows) {
  const MatrixView<T> both = matrix_of(parameters_, l);
  const std::span<T> b = biases(l);
  for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) b[i] = both.row(i)[both.columns - 1];
}

template <typename T>
void MinibatchState<T>::read_weights(std::size_t l, std::span<T> out) const {
  const MatrixView<T> w = weights(l);
  for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(w.row(i), w.columns, out.data() + i * w.columns);
}

template <typename T>
void MinibatchState<T>::read_biases(std::size_t l, std::span<T> out) const {
  std::copy_n(biases(l).data(), out.size(), out.data());
}

template <typename T>
void MinibatchState<T>::write_weights(std::size_t l, std::span<const T> values) {
  const MatrixView<T> w = weights(l);
  for (std::size_t i = 0; i < w.rows; ++i) std::copy_n(values.data() + i * w.columns, w.columns, w.row(i));
}

template <typename T>
void MinibatchState<T>::write_biases(std::size_t l, std::span<const T> values) {
  const MatrixView<T> both = matrix_of(parameters_, l);
  for (std::size_t i = 0; i < both.rows; ++i) both.row(i)[both.columns - 1] = values[i];
  copy_biases(l, {0, both.rows});
}

// --- the state ---

template <typename T>
void MinibatchState<T>::reset() {
  std::fill_n(velocity_.data(), velocity_.size(), T(0));
  for (RunningGram<T>& gram : grams_) gram.reset();
  order_ = SampleOrder(setup_.samples, setup_.seed);
  next_batch_ = 0;
  step_number_ = 0;
  taken_in_ = 0;
  since_taken_ = 0;
}

template <typename T>
std::vector<Section> MinibatchState<T>::sections() {
  std::vector<Section> out;
  out.push_back(section("parameters", parameters_.span()));
  if (velocity_.size() > 0) out.push_back(section("velocity", velocity_.span()));
  for (std::size_t l = 1; l <= grams_.size(); ++l) grams_[l - 1].add_sections("gram." + std::to_string(l), out);
  out.push_back(section("batch", std::span(&next_batch_, 1)));
  out.push_back(section("step", std::span(&step_number_, 1)));
  out.push_back(section("gram.taken", std::span(&taken_in_, 1)));
  out.push_back(section("gram.since", std::span(&since_taken_, 1)));
  for (Section& it : order_.sections()) out.push_back(std::move(it));
  return out;
}

template <typename T>
void MinibatchState<T>::restored() {
  bool legal = next_batch_ < batches_an_epoch();
  for (RunningGram<T>& gram : grams_) legal = gram.restored(team_) && legal;
  for (std::size_t l = 1; l <= grams_.size(); ++l) copy_biases(l, {0, setup_.network.outputs(l)});
  if (!legal) {
    reset();
    throw std::domain_error("the place in the epoch or a Gram matrix is none");
  }
  order_.restored();
}

template <typename T>
ForwardLoss MinibatchState<T>::evaluate(MatrixView<const T> x, const Targets<T>& targets) {
  return dladmm::evaluate<T>(team_, spaces_, kEvaluationBlock, layers_, setup_.network.activation, setup_.network.loss,
                             x, targets);
}

// --- the batch at work ---

template <typename T>
MatrixView<T> MinibatchState<T>::inputs_of(std::size_t l, Rows rows) const {
  return a_[l - 1].view().rows_from(rows.first, rows.count);
}

// z_l, or a_l where f' can be told from it.
template <typename T>
MatrixView<T> MinibatchState<T>::pre_activations(std::size_t l, Rows rows) const {
  if (l == setup_.network.layers()) return outputs_.view().rows_from(rows.first, rows.count);
  if (!z_.empty()) return z_[l - 1].view().rows_from(rows.first, rows.count);
  const MatrixView<T> both = inputs_of(l + 1, rows);
  return {both.data, both.rows, both.columns - 1, both.stride};
}

template <typename T>
typename MinibatchState<T>::Side MinibatchState<T>::side_of(std::size_t l) const {
  if (!is_by_input(setup_, l)) return Side::gradient;
  return setup_.gram.form == GramForm::full ? Side::input : Side::below;
}

template <typename T>
void MinibatchState<T>::run(std::size_t count, std::span<const double> steps, const std::atomic<bool>& stop,
                            BatchesRecord& record) {
  const auto began = std::chrono::steady_clock::now();
  record = {};
  std::copy_n(parameters_.data(), parameters_.size(), finite_.data());
  for (std::size_t i = 0; i < count; ++i) {
    record.stopped = stop.load(std::memory_order_relaxed);
    if (record.stopped) break;
    if (next_batch_ == 0 && setup_.shuffle) order_.shuffle();
    const std::size_t first = next_batch_ * setup_.batch;
    const Rows batch{first, std::min(setup_.batch, setup_.samples - first)};
    double loss = 0;
    record.diverged = !run_batch(batch, steps[steps.size() == 1 ? 0 : i], loss);
    if (record.diverged) break;
    record.loss += loss;
    record.samples += batch.count;
    ++record.batches;
    next_batch_ = (next_batch_ + 1) % batches_an_epoch();
  }
  if (record.diverged) {
    std::copy_n(finite_.data(), finite_.size(), parameters_.data());
    for (std::size_t l = 1; l <= grams_.size(); ++l) copy_biases(l, {0, setup_.network.outputs(l)});
    reset();
  }
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

// Updates of targets ride together on one round of the team, each member on samples of its own; the first of them on
// that of the forward pass.
template <typename T>
bool MinibatchState<T>::run_batch(Rows batch, double step, double& loss) {
  const std::span<const std::uint32_t> samples = order_.samples().subspan(batch.first, batch.count);
  const Step now{step, step_number_ + 1, {}};
  const std::span<const BatchUpdate> sweep = setup_.sweep;
  for (std::size_t i = 0; i < sweep.size();) {
    if (sweep[i].block == BatchBlock::W) {
      if (!update_W(sweep[i].layer, batch.count, now)) return false;
      ++i;
      continue;
    }
    std::size_t end = i;
    while (end < sweep.size() && sweep[end].block != BatchBlock::W) ++end;
    team_.run([&](unsigned index) {
      Member& member = members_[index];
      if (i == 0) member.loss = 0;
      SampleBlocks{batch.count, batch.count}.each(index, team_.size(), [&](Rows rows) {
        if (i == 0) forward(samples, rows);
        for (std::size_t j = i; j < end; ++j) move_target(member, sweep[j], samples, rows);
      });
    });
    if (i == 0) {
      for (const Member& member : members_) loss += member.loss;
      if (!std::isfinite(loss) || !take_in_inputs(batch.count)) return false;
    }
    i = end;
  }
  ++step_number_;
  return true;
}

// A_l of every layer, where it is due.
template <typename T>
bool MinibatchState<T>::take_in_inputs(std::size_t count) {
  if (since_taken_ < std::min(setup_.gram_every, taken_in_)) {
    ++since_taken_;
    return true;
  }
  ++taken_in_;
  since_taken_ = 1;
  for (const BatchUpdate& update : setup_.sweep) {
    if (update.block != BatchBlock::W) continue;
    RunningGram<T>& gram = grams_[update.layer - 1];
    const MatrixView<T> scratch(scratch_.flat().data(), count, gram.rank());
    if (!gram.take_in(team_, sums_, inputs_of(update.layer, {0, count}), scratch)) return false;
  }
  return true;
}

// z_l = W_l a_{l-1} + b_l, a_l = f(z_l)
template <typename T>
void MinibatchState<T>::forward(std::span<const std::uint32_t> samples, Rows rows) {
  const Network& net = setup_.network;
  const std::size_t columns = net.widths.front();
  for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
    std::copy_n(x_.view().row(samples[i]), columns, a_[0].view().row(i));
    // Where a batch was short, something else stands in the rows after it.
    for (const Matrix<T>& a : a_) a.view().row(i)[a.columns() - 1] = T(1);
  }
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    const bool last = l == net.layers();
    const MatrixView<T> input = inputs_of(l, rows);
    const MatrixView<T> z = pre_activations(l, rows);
    const MatrixView<T> next = last ? z : inputs_of(l + 1, rows);
    const MatrixView<T> a(next.data, next.rows, net.outputs(l), next.stride);
    blas::gemm<T>(Op::none, Op::transpose, T(1),
                  MatrixView<const T>(input.data, input.rows, input.columns - 1, input.stride), weights(l), T(0), z);
    bias_and_activation<T>(last ? Activation::identity() : net.activation, z, biases(l), a);
  }
}

template <typename T>
void MinibatchState<T>::move_target(Member& member, BatchUpdate update, std::span<const std::uint32_t> samples,
                                    Rows rows) {
  const Network& net = setup_.network;
  const std::size_t l = update.layer;
  const MatrixView<T> distance = distance_[l - 1].view().rows_from(rows.first, rows.count);
  if (update.block == BatchBlock::a) {
    blas::gemm<T>(Op::none, Op::none, T(1), distance_[l].view().rows_from(rows.first, rows.count), weights(l + 1), T(0),
                  distance);
  } else if (l == net.layers()) {
    member.loss = output_gradient<T>(net.loss, outputs_.view().rows_from(rows.first, rows.count),
                                     samples.subspan(rows.first, rows.count), targets(), distance, member.work);
  } else {
    times_derivative<T>(net.activation, distance, pre_activations(l, rows));
  }
}

template <typename T>
bool MinibatchState<T>::update_W(std::size_t l, std::size_t count, const Step& step) {
  MatrixView<T> input = inputs_of(l, {0, count});
  const RunningGram<T>& gram = grams_[l - 1];
  const Side side = side_of(l);
  if (side != Side::gradient) {
    const MatrixView<T> prepared(prepared_.flat().data(), count, side == Side::input ? input.columns : 0);
    const MatrixView<T> y(scratch_.flat().data(), count, gram.rank());
    team_.run([&](unsigned index) {
      SampleBlocks{count, count}.each(index, team_.size(), [&](Rows rows) {
        const MatrixView<const T> own = input.rows_from(rows.first, rows.count);
        if (side == Side::input) {
          gram.apply(own, prepared.rows_from(rows.first, rows.count), {});
        } else {
          blas::gemm<T>(Op::none, Op::none, T(1), own, gram.basis(), T(0), y.rows_from(rows.first, rows.count));
        }
      });
      if (side == Side::below && index == 0) {
        std::ranges::copy(gram.correction().flat(), inputs_of(l, {count, gram.rank()}).data);
      }
    });
    input = side == Side::input ? prepared : inputs_of(l, {0, count + gram.rank()});
  }
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.finite = true;
    SampleBlocks{setup_.network.outputs(l), chunk_rows_[l - 1]}.each(
        index, team_.size(), [&](Rows out) { update_rows(member, l, input, out, count, step); });
  });
  return std::all_of(members_.begin(), members_.end(), [](const Member& member) { return member.finite; });
}

// Rows `out` of [W_l b_l]: their gradient over `count` samples, S_l and V_l, while they are in the cache. `input` is
// ã_{l-1}, or what (A_l + δ_l I)⁻¹ has made of it, or ã_{l-1} with M below it.
template <typename T>
void MinibatchState<T>::update_rows(Member& member, std::size_t l, MatrixView<T> input, Rows out, std::size_t count,
                                    const Step& step) {
  const std::size_t columns = input.columns;
  const RunningGram<T>& gram = grams_[l - 1];
  const Side side = side_of(l);
  const MatrixView<T> distance = distance_[l - 1].view();
  const auto slice = [&](std::size_t first, std::size_t rows) {
    return MatrixView<T>(distance.data + first * distance.stride + out.first, rows, out.count, distance.stride);
  };
  T scale = T(1) / static_cast<T>(count);
  if (side == Side::below) {
    const MatrixView<T> y(scratch_.flat().data(), count, gram.rank());
    blas::gemm<T>(Op::transpose, Op::none, T(-1), y, slice(0, count), T(0), slice(count, gram.rank()));
    scale = static_cast<T>(1 / (static_cast<double>(count) * gram.damping()));
  }
  const MatrixView<T> gradient(member.gradient.data(), out.count, columns);
  blas::gemm<T>(Op::transpose, Op::none, scale, slice(0, input.rows), input, T(0), gradient);
  T* direction = gradient.data;
  const std::size_t first = first_weight_[l - 1] + out.first * columns;
  T* const w = parameters_.data() + first;
  if (side == Side::gradient) {
    const T l2 = static_cast<T>(setup_.gram.l2);
    if (l2 != T(0)) {
      for (std::size_t j = 0; j < out.count * columns; ++j) gradient.data[j] += l2 * w[j];
    }
    direction = member.direction.data();
    gram.apply(gradient, MatrixView<T>(direction, out.count, columns),
               MatrixView<T>(member.scratch.flat().data(), out.count, gram.rank()));
  }
  const T* const parts[] = {direction};
  T* const velocity = velocity_.size() == 0 ? nullptr : velocity_.data() + first;
  const Sgd method{setup_.momentum, 0, 0, setup_.nesterov};
  const Slice<T> all{w, out.count * columns, parts, velocity, 0};
  member.finite = dladmm::apply<T>(method, step, all) && member.finite;
  copy_biases(l, out);
}

template class MinibatchState<float>;
template class MinibatchState<double>;

}  // namespace dladmm
