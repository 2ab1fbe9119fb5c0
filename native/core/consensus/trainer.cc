#include "core/consensus/trainer.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <stdexcept>

#include "core/linalg/blas.hpp"

namespace dladmm {
namespace {

// Large enough that products run at full speed; all that a batch of any size needs besides the gradient.
constexpr std::size_t kBlock = 1024;
constexpr std::size_t kEvaluationBlock = 256;
// The gradients of the rows that a member updates at once stay in its second-level cache.
constexpr std::size_t kChunkBytes = std::size_t{1} << 19;
constexpr std::size_t kChunkRows = 32;  // fewer would slow the product down

std::size_t gradients_of(const Optimiser& optimiser) {
  return std::visit([](const auto& method) { return method.gradients(); }, optimiser);
}
std::size_t states_of(const Optimiser& optimiser) {
  return std::visit([](const auto& method) { return method.states(); }, optimiser);
}

// What a setup comes to, in numbers of entries.
struct Plan {
  std::size_t gradients, states, block, parameters = 0, chunk = 0;
  bool whole_gradient;
  std::vector<std::size_t> first_weight, chunk_rows;

  template <typename T>
  static Plan of(const TrainerSetup& setup, T) {
    const Network& net = setup.network;
    Plan plan{
        gradients_of(setup.optimiser), states_of(setup.optimiser), std::min(setup.batch, kBlock), 0, 0, false, {}, {}};
    plan.whole_gradient = setup.batch > plan.block;
    const std::size_t threads = std::max(setup.threads, 1U);
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      const std::size_t in = net.inputs(l);
      const std::size_t out = net.outputs(l);
      if (out > (std::numeric_limits<std::size_t>::max() / sizeof(T) - plan.parameters) / (in + 1)) {
        throw std::bad_alloc();
      }
      plan.first_weight.push_back(plan.parameters);
      plan.parameters += out * (in + 1);
      const std::size_t fit = kChunkBytes / (sizeof(T) * plan.gradients * (in + 1));
      const std::size_t share = (out + threads - 1) / threads;
      plan.chunk_rows.push_back(std::min(share, std::max(fit, kChunkRows)));
      plan.chunk = std::max(plan.chunk, plan.chunk_rows.back() * (in + 1));
    }
    return plan;
  }
};

std::size_t widest_output(const Network& network) {
  return *std::max_element(network.widths.begin() + 1, network.widths.end());
}

}  // namespace

template <typename T>
double Trainer<T>::required_bytes(const TrainerSetup& setup) {
  const Plan plan = Plan::of(setup, T());
  const Network& net = setup.network;
  const auto samples = static_cast<double>(setup.samples);
  const auto inputs = static_cast<double>(net.widths.front());
  const auto outputs = static_cast<double>(net.widths.back());
  const auto block = static_cast<double>(plan.block);
  double columns = inputs;
  if (!net.loss.classifies()) columns += outputs;
  const auto vectors = static_cast<double>(2 + plan.states + (plan.whole_gradient ? plan.gradients : 0));
  double entries = samples * columns + vectors * static_cast<double>(plan.parameters);
  if (setup.shuffle) entries += block * inputs;
  const double threads = std::max(setup.threads, 1U);
  const auto widest = static_cast<double>(widest_output(net));
  if (!plan.whole_gradient) entries += threads * static_cast<double>(plan.gradients * plan.chunk);
  entries += threads * 2 * kEvaluationBlock * widest;
  return entries * sizeof(T) + samples * 8 + Tape<T>::required_bytes(net, plan.block) + threads * 8 * 16 * widest;
}

template <typename T>
Trainer<T>::Trainer(const TrainerSetup& setup)
    : setup_(setup),
      gradients_(gradients_of(setup.optimiser)),
      states_(states_of(setup.optimiser)),
      block_(std::min(setup.batch, kBlock)),
      whole_gradient_(setup.batch > block_),
      team_(setup.threads),
      x_(setup.samples, setup.network.widths.front()),
      tape_(setup.network, block_),
      shares_(gradients_),
      order_(setup.samples, setup.seed) {
  const Network& net = setup_.network;
  for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width));
  Plan plan = Plan::of(setup_, T());
  parameters_count_ = plan.parameters;
  first_weight_ = std::move(plan.first_weight);
  chunk_rows_ = std::move(plan.chunk_rows);
  const auto vectors = [&](std::size_t count) {
    if (count != 0 && parameters_count_ > std::numeric_limits<std::size_t>::max() / count) throw std::bad_alloc();
    return Buffer<T>(count * parameters_count_);
  };
  parameters_ = vectors(1);
  finite_ = vectors(1);
  state_ = vectors(states_);
  std::fill_n(parameters_.data(), parameters_.size(), T(0));
  if (net.loss.classifies()) {
    labels_.resize(setup_.samples);
  } else {
    target_values_ = Matrix<T>(setup_.samples, net.widths.back());
  }
  if (whole_gradient_) gradient_ = vectors(gradients_);
  if (setup_.shuffle) batch_ = Matrix<T>(block_, net.widths.front());
  const std::size_t widest = widest_output(net);
  members_ = std::vector<Member>(team_.size());
  for (Member& member : members_) {
    if (!whole_gradient_) member.gradient = Buffer<T>(gradients_ * plan.chunk);
    member.parts.resize(gradients_);
    member.work.resize(3 * widest);
    spaces_.emplace_back(kEvaluationBlock, widest, net.widths.back());
  }
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    layers_.push_back({MatrixView<const T>(weights(l).data(), net.outputs(l), net.inputs(l)), biases(l)});
  }
  reset();
}

template <typename T>
std::span<T> Trainer<T>::weights_in(const Buffer<T>& vector, std::size_t l, std::size_t offset) {
  return vector.span().subspan(offset + first_weight_[l - 1], setup_.network.outputs(l) * setup_.network.inputs(l));
}

template <typename T>
std::span<T> Trainer<T>::biases_in(const Buffer<T>& vector, std::size_t l, std::size_t offset) {
  const std::size_t weights = setup_.network.outputs(l) * setup_.network.inputs(l);
  return vector.span().subspan(offset + first_weight_[l - 1] + weights, setup_.network.outputs(l));
}

template <typename T>
std::size_t Trainer<T>::duals() const {
  if (const auto* const badm = std::get_if<Badm>(&setup_.optimiser)) return badm->duals ? badm->sub_batches : 0;
  if (const auto* const sisa = std::get_if<Sisa>(&setup_.optimiser)) return sisa->sub_batches;
  return 0;
}

template <typename T>
std::span<T> Trainer<T>::weight_duals(std::size_t s, std::size_t l) {
  return weights_in(state_, l, s * parameters_count_);
}

template <typename T>
std::span<T> Trainer<T>::bias_duals(std::size_t s, std::size_t l) {
  return biases_in(state_, l, s * parameters_count_);
}

template <typename T>
void Trainer<T>::reset() {
  const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
  std::fill_n(state_.data(), state_.size(), static_cast<T>(first));
  order_ = SampleOrder(setup_.samples, setup_.seed);
  next_batch_ = 0;
  step_number_ = 0;
}

template <typename T>
std::vector<Section> Trainer<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= setup_.network.layers(); ++l) {
    out.push_back(section(section_name("W", l), weights(l)));
    out.push_back(section(section_name("b", l), biases(l)));
  }
  for (std::size_t k = 0; k < states_; ++k) {
    const std::span<T> state = state_.span().subspan(k * parameters_count_, parameters_count_);
    out.push_back(section(section_name("optimiser", k + 1), state));
  }
  out.push_back(section("step", step_number_));
  out.push_back(section("batch", next_batch_));
  for (Section& it : order_.sections()) out.push_back(std::move(it));
  return out;
}

template <typename T>
void Trainer<T>::restored() {
  const bool within = next_batch_ < steps_an_epoch();
  if (!within) next_batch_ = 0;
  order_.restored();
  if (!within) throw std::domain_error("\"batch\" lies past the end of the epoch");
}

template <typename T>
ForwardLoss Trainer<T>::evaluate(MatrixView<const T> x, const Targets<T>& targets) {
  return dladmm::evaluate<T>(team_, spaces_, kEvaluationBlock, layers_, setup_.network.activation, setup_.network.loss,
                             x, targets);
}

template <typename T>
void Trainer<T>::run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop,
                     StepsRecord& record) {
  const auto began = std::chrono::steady_clock::now();
  record = {};
  std::copy_n(parameters_.data(), parameters_.size(), finite_.data());
  for (std::size_t i = 0; i < count; ++i) {
    record.stopped = stop.load(std::memory_order_relaxed);
    if (record.stopped) break;
    if (next_batch_ == 0 && setup_.shuffle) order_.shuffle();
    const std::size_t first = next_batch_ * setup_.batch;
    const Rows batch{first, std::min(setup_.batch, setup_.samples - first)};
    const double rate = rates.empty() ? 0 : rates[rates.size() == 1 ? 0 : i];
    double loss = 0;
    record.diverged = !step(batch, rate, loss);
    if (record.diverged) break;
    record.loss += loss;
    record.samples += batch.count;
    ++record.steps;
    next_batch_ = (next_batch_ + 1) % steps_an_epoch();
  }
  if (record.diverged) reset();
  record.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
}

template <typename T>
bool Trainer<T>::step(Rows batch, double rate, double& loss) {
  for (std::size_t s = 0; s < gradients_; ++s) {
    shares_[s] = static_cast<double>(sub_batch(batch.count, gradients_, s).count) / static_cast<double>(batch.count);
  }
  const Step now{rate, step_number_ + 1, shares_};
  for (std::size_t first = 0; first < batch.count; first += block_) {
    const Rows rows{first, std::min(block_, batch.count - first)};
    loss += forward_backward_block({batch.first + first, rows.count});
    if (!std::isfinite(loss)) return false;
    if (!update_block(batch, rows, now)) {
      std::copy_n(finite_.data(), finite_.size(), parameters_.data());
      return false;
    }
  }
  ++step_number_;
  return true;
}

// rows: places in the order of the epoch.
template <typename T>
double Trainer<T>::forward_backward_block(Rows rows) {
  const std::span<const std::uint32_t> samples = order_.samples().subspan(rows.first, rows.count);
  const MatrixView<const T> x = block_input(rows);
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.loss = 0;
    SampleBlocks{rows.count, rows.count}.each(index, team_.size(), [&](Rows own) {
      if (setup_.shuffle) {
        for (std::size_t i = own.first; i < own.first + own.count; ++i) {
          std::copy_n(x_.view().row(samples[i]), x_.columns(), batch_.view().row(i));
        }
      }
      member.loss =
          forward_backward<T>(layers_, setup_.network, x, samples, targets(), own, tape_, std::span(member.work));
    });
  });
  double loss = 0;
  for (const Member& member : members_) loss += member.loss;
  return loss;
}

template <typename T>
MatrixView<const T> Trainer<T>::block_input(Rows rows) const {
  return setup_.shuffle ? batch_.view().rows_from(0, rows.count) : x_.view().rows_from(rows.first, rows.count);
}

template <typename T>
bool Trainer<T>::update_block(Rows batch, Rows rows, const Step& step) {
  const Network& net = setup_.network;
  team_.run([&](unsigned index) {
    Member& member = members_[index];
    member.finite = true;
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      SampleBlocks{net.outputs(l), chunk_rows_[l - 1]}.each(
          index, team_.size(), [&](Rows out) { update_rows(member, batch, rows, l, out, step); });
    }
  });
  return std::all_of(members_.begin(), members_.end(), [](const Member& member) { return member.finite; });
}

// Rows `out` of W_l and b_l: their gradient over the block, and at the end of the batch their update.
template <typename T>
void Trainer<T>::update_rows(Member& member, Rows batch, Rows rows, std::size_t l, Rows out, const Step& step) {
  const std::size_t inputs = setup_.network.inputs(l);
  const MatrixView<const T> delta = tape_.delta[l - 1].view();
  const MatrixView<const T> input =
      l == 1 ? block_input({batch.first + rows.first, rows.count}) : MatrixView<const T>(tape_.h[l - 2].view());

  // A gradient that outlives the block lies in the whole vector, else in the member's scratch.
  const std::size_t first_weight = first_weight_[l - 1] + out.first * inputs;
  const std::size_t first_bias = first_weight_[l - 1] + setup_.network.outputs(l) * inputs + out.first;
  T* const g_weights = whole_gradient_ ? gradient_.data() + first_weight : member.gradient.data();
  T* const g_biases = whole_gradient_ ? gradient_.data() + first_bias : g_weights + out.count * inputs;
  const std::size_t g_stride = whole_gradient_ ? parameters_count_ : out.count * (inputs + 1);

  for (std::size_t s = 0; s < gradients_; ++s) {
    const Rows part = sub_batch(batch.count, gradients_, s);
    const std::size_t begin = std::max(part.first, rows.first);
    const std::size_t end = std::min(part.first + part.count, rows.first + rows.count);
    if (begin >= end) continue;
    const T keep = begin == part.first ? T(0) : T(1);
    const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch.count);
    const T scale = static_cast<T>(terms / static_cast<double>(part.count));
    const MatrixView<const T> part_delta = delta.rows_from(begin - rows.first, end - begin);
    const MatrixView<const T> slice(part_delta.data + out.first, part_delta.rows, out.count, part_delta.stride);
    blas::gemm<T>(blas::Op::transpose, blas::Op::none, scale, slice, input.rows_from(begin - rows.first, end - begin),
                  keep, MatrixView<T>(g_weights + s * g_stride, out.count, inputs));
    bias_gradient<T>(part_delta, out.first, scale, keep, {g_biases + s * g_stride, out.count}, member.work);
  }
  if (rows.first + rows.count < batch.count) return;

  T* const w = parameters_.data();
  const auto update = [&](std::size_t first, std::size_t count, const T* g) {
    for (std::size_t s = 0; s < gradients_; ++s) member.parts[s] = g + s * g_stride;
    const Slice<T> slice{w + first, count, member.parts, state_.data() + first, parameters_count_};
    const bool finite = std::visit([&](const auto& method) { return apply<T>(method, step, slice); }, setup_.optimiser);
    member.finite = member.finite && finite;
  };
  update(first_weight, out.count * inputs, g_weights);
  update(first_bias, out.count, g_biases);
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace dladmm
