#include "core/consensus/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "core/functions/elementwise.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {
namespace {

using blas::Op;

// Large enough that products run at full speed; all that a batch of any size needs besides the gradient.
constexpr std::size_t kBlock = 2048;
constexpr std::size_t kEvaluationBlock = 256;
// The gradients of the rows that are updated at once stay in a second-level cache; few rows would slow the product
// down, and many would leave few chunks.
constexpr std::size_t kChunkBytes = std::size_t{1} << 19;
constexpr std::size_t kChunkRows = 128;
constexpr std::size_t kFewestRows = 32;

}  // namespace

template <typename T>
Trainer<T>::Trainer(const TrainerSetup& setup, Unallocated)
    : setup_(setup),
      gradients_(std::visit([](const auto& method) { return method.gradients(); }, setup.optimiser)),
      states_(std::visit([](const auto& method) { return method.states(); }, setup.optimiser)),
      block_(std::min(setup.batch, kBlock)),
      whole_gradient_(setup.batch > block_),
      net_(setup.network.layers()),
      team_(setup.threads),
      members_(team_.size()) {
  for (std::size_t l = 1; l <= depth(); ++l) {
    const std::size_t out = setup_.network.outputs(l);
    const std::size_t in = setup_.network.inputs(l);
    if (out > (std::numeric_limits<std::size_t>::max() / sizeof(T) - parameters_count_) / (in + 1)) {
      throw std::bad_alloc();
    }
    layer(l).first = parameters_count_;
    parameters_count_ += out * (in + 1);
    const std::size_t fit = kChunkBytes / (sizeof(T) * gradients_ * (in + 1));
    const Strips strips = Strips::of_about(out, std::clamp(fit, kFewestRows, kChunkRows));
    for (std::size_t i = 0; i < strips.count(); ++i) chunks_.push_back({l, strips[i]});
  }
}

template <typename T>
void Trainer<T>::declare(StoragePlan& plan) {
  const Network& net = setup_.network;
  plan.matrix(x_, setup_.samples, net.widths.front());
  if (!net.loss.classifies()) plan.matrix(target_values_, setup_.samples, net.widths.back());
  plan.buffer(parameters_, parameters_count_);
  plan.buffer(finite_.room, parameters_count_);
  plan.buffer(state_, states_, parameters_count_);
  if (whole_gradient_) plan.buffer(gradient_, gradients_, parameters_count_);
  if (setup_.shuffle) plan.matrix(batch_, block_, net.widths.front());
  for (std::size_t l = 1; l <= depth(); ++l) {
    plan.matrix(layer(l).h, block_, net.outputs(l));
    plan.matrix(layer(l).delta, block_, net.outputs(l));
    if (l < depth() && !net.activation.value_tells_derivative()) plan.matrix(layer(l).z, block_, net.outputs(l));
  }
  std::size_t chunk = 0;
  for (const Chunk& it : chunks_) chunk = std::max(chunk, it.rows.count * (net.inputs(it.layer) + 1));
  const std::size_t widest = *std::max_element(net.widths.begin() + 1, net.widths.end());
  for (Member& member : members_) {
    if (!whole_gradient_) plan.buffer(member.gradient, gradients_, chunk);
    plan.other(sizeof(const T*) * static_cast<double>(gradients_),
               [this, &member] { member.parts.resize(gradients_); });
    plan.vector(member.work, std::max(loss_work(net.widths.back()), widest));
    plan.other(Workspace<T>::required_bytes(kEvaluationBlock, widest, net.widths.back()),
               [this, widest] { spaces_.emplace_back(kEvaluationBlock, widest, setup_.network.widths.back()); });
  }
  if (net.loss.classifies()) plan.vector(labels_, setup_.samples);
  plan.vector(shares_, gradients_);
  plan.vector(finished_, chunks_.size());
  plan.other(sizeof(std::uint32_t) * static_cast<double>(setup_.samples),
             [this] { epochs_ = Epochs(setup_.samples, setup_.batch, setup_.shuffle, setup_.seed); });
}

template <typename T>
double Trainer<T>::required_bytes(const TrainerSetup& setup) {
  StoragePlan plan;
  Trainer(setup, Unallocated()).declare(plan);
  return plan.bytes();
}

template <typename T>
Trainer<T>::Trainer(const TrainerSetup& setup) : Trainer(setup, Unallocated()) {
  const Network& net = setup_.network;
  for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width));
  StoragePlan plan;
  declare(plan);
  plan.allocate();
  std::ranges::fill(parameters_.span(), T(0));
  finite_.watch(parameters_.span());
  for (std::size_t l = 1; l <= depth(); ++l) {
    layers_.push_back({MatrixView<const T>(weights(l).data(), net.outputs(l), net.inputs(l)), biases(l)});
  }
  reset();
}

template <typename T>
std::span<T> Trainer<T>::weights_in(const Buffer<T>& vector, std::size_t l, std::size_t offset) {
  return vector.span().subspan(offset + layer(l).first, setup_.network.outputs(l) * setup_.network.inputs(l));
}

template <typename T>
std::span<T> Trainer<T>::biases_in(const Buffer<T>& vector, std::size_t l, std::size_t offset) {
  const std::size_t weights = setup_.network.outputs(l) * setup_.network.inputs(l);
  return vector.span().subspan(offset + layer(l).first + weights, setup_.network.outputs(l));
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
  std::ranges::fill(state_.span(), static_cast<T>(first));
  epochs_.reset();
  step_number_ = 0;
}

template <typename T>
std::vector<Section> Trainer<T>::sections() {
  std::vector<Section> out;
  for (std::size_t l = 1; l <= depth(); ++l) {
    out.push_back(section(section_name("W", l), weights(l)));
    out.push_back(section(section_name("b", l), biases(l)));
  }
  for (std::size_t k = 0; k < states_; ++k) {
    const std::span<T> state = state_.span().subspan(k * parameters_count_, parameters_count_);
    out.push_back(section(section_name("optimiser", k + 1), state));
  }
  out.push_back(section("step", step_number_));
  for (Section& it : epochs_.sections()) out.push_back(std::move(it));
  return out;
}

template <typename T>
void Trainer<T>::restored() {
  epochs_.restored();
}

template <typename T>
ForwardLoss Trainer<T>::evaluate(MatrixView<const T> x, const Targets<T>& targets) {
  return dladmm::evaluate<T>(team_, spaces_, kEvaluationBlock, layers_, setup_.network.activation, setup_.network.loss,
                             x, targets);
}

template <typename T>
void Trainer<T>::run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& stop,
                     StepsRecord& record) {
  const AtWork here(stop);
  finite_.keep();
  const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) -> std::size_t {
    const std::span<const std::uint32_t> batch = epochs_.begin();
    if (!step(batch, step_size(rates, i), loss)) return 0;
    epochs_.end();
    return batch.size();
  });
  if (!finite) reset();
}

template <typename T>
bool Trainer<T>::step(std::span<const std::uint32_t> batch, double rate, double& loss) {
  const Pieces sub_batches{batch.size(), gradients_};
  for (std::size_t s = 0; s < gradients_; ++s) {
    shares_[s] = static_cast<double>(sub_batches[s].count) / static_cast<double>(batch.size());
  }
  const Step now{rate, step_number_ + 1, shares_};
  for (std::size_t first = 0; first < batch.size(); first += block_) {
    const Rows rows{first, std::min(block_, batch.size() - first)};
    const std::span<const std::uint32_t> samples = batch.subspan(rows.first, rows.count);
    const MatrixView<const T> x = gather(samples);
    loss += forward_backward(x, samples);
    if (!std::isfinite(loss)) return false;
    if (!update(x, batch.size(), rows, now)) {
      finite_.restore();
      return false;
    }
  }
  ++step_number_;
  return true;
}

template <typename T>
MatrixView<const T> Trainer<T>::gather(std::span<const std::uint32_t> samples) {
  // As they lie, a batch is rows that follow each other.
  if (!setup_.shuffle) return x_.view().rows_from(samples.front(), samples.size());
  const MatrixView<T> to = batch_.view().rows_from(0, samples.size());
  each_piece(team_, to.rows, to.columns, [&](Rows rows, unsigned) {
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      std::copy_n(x_.view().row(samples[i]), to.columns, to.row(i));
    }
  });
  return to;
}

template <typename T>
double Trainer<T>::forward_backward(MatrixView<const T> x, std::span<const std::uint32_t> samples) {
  const Rows all{0, samples.size()};
  const auto block = [&](const Matrix<T>& m) { return m.view().rows_from(0, all.count); };
  MatrixView<const T> input = x;
  for (std::size_t l = 1; l <= depth(); ++l) {
    const MatrixView<T> h = block(layer(l).h);
    const bool keeps_z = !layer(l).z.empty();
    const MatrixView<T> z = keeps_z ? block(layer(l).z) : h;
    // block x n_l <- (block x n_{l-1}) (n_l x n_{l-1})ᵀ
    multiply_and<T>(team_, Op::none, Op::transpose, T(1), input, layers_[l - 1].W, T(0), z,
                    [&](Rows rows, Rows columns) {
                      const MatrixView<T> tile = window(z, rows, columns);
                      const std::span<const T> b = layers_[l - 1].b.subspan(columns.first, columns.count);
                      if (keeps_z) elementwise::add_bias<T>(tile, b, tile);
                      if (keeps_z) elementwise::activate<T>(activation_of(l), tile, window(h, rows, columns));
                      if (!keeps_z) elementwise::add_bias_and_activate<T>(activation_of(l), tile, b, tile);
                    });
    input = h;
  }

  const MatrixView<T> delta = block(layer(depth()).delta);
  const Targets<T> goals = targets();
  const auto loss = sum_pieces<ForwardLoss>(team_, all.count, delta.columns, [&](Rows rows, unsigned member) {
    return loss_over_rows(
        setup_.network.loss, rows.count, delta.columns, members_[member].work,
        [&](std::size_t i) { return input.row(rows.first + i); },
        [&](std::size_t i, std::span<double> room) { return goals.of(samples[rows.first + i], room); },
        [&](std::size_t i, std::span<const double> gradient) {
          std::ranges::transform(gradient, delta.row(rows.first + i), [](double g) { return static_cast<T>(g); });
        });
  });

  for (std::size_t l = depth() - 1; l >= 1; --l) {
    const MatrixView<T> below = block(layer(l).delta);
    const MatrixView<T> y = block(layer(l).z.empty() ? layer(l).h : layer(l).z);
    // block x n_l <- (block x n_{l+1}) (n_{l+1} x n_l)
    multiply_and<T>(team_, Op::none, Op::none, T(1), block(layer(l + 1).delta), layers_[l].W, T(0), below,
                    [&](Rows rows, Rows columns) {
                      elementwise::times_derivative<T>(activation_of(l), window(below, rows, columns),
                                                       window(y, rows, columns));
                    });
  }
  return loss.loss;
}

template <typename T>
bool Trainer<T>::update(MatrixView<const T> x, std::size_t batch, Rows rows, const Step& step) {
  const auto parameters = static_cast<double>(parameters_count_);
  const double entries = kFlopsAnEntry * parameters * static_cast<double>(2 + gradients_ + states_);
  team_.run(chunks_.size(), 2 * parameters * static_cast<double>(rows.count) + entries,
            [&](std::size_t i, unsigned member) {
              finished_[i] = update_chunk(members_[member], x, batch, rows, chunks_[i], step) ? 1 : 0;
            });
  return std::ranges::all_of(finished_, [](std::uint8_t finite) { return finite != 0; });
}

// Rows of W_l and b_l: their gradient over the block, and at the end of the batch their update.
template <typename T>
bool Trainer<T>::update_chunk(Member& member, MatrixView<const T> x, std::size_t batch, Rows rows, const Chunk& chunk,
                              const Step& step) {
  const auto& [l, out] = chunk;
  const std::size_t inputs = setup_.network.inputs(l);
  const MatrixView<const T> input = l == 1 ? x : MatrixView<const T>(layer(l - 1).h.view());

  // A gradient that outlives the block lies in the whole vector, else in the member's scratch.
  const std::size_t first_weight = layer(l).first + out.first * inputs;
  const std::size_t first_bias = layer(l).first + setup_.network.outputs(l) * inputs + out.first;
  T* const g_weights = whole_gradient_ ? gradient_.data() + first_weight : member.gradient.data();
  T* const g_biases = whole_gradient_ ? gradient_.data() + first_bias : g_weights + out.count * inputs;
  const std::size_t g_stride = whole_gradient_ ? parameters_count_ : out.count * (inputs + 1);

  for (std::size_t s = 0; s < gradients_; ++s) {
    const Rows part = Pieces{batch, gradients_}[s];
    const std::size_t begin = std::max(part.first, rows.first);
    const std::size_t end = std::min(part.first + part.count, rows.first + rows.count);
    if (begin >= end) continue;
    const Rows own{begin - rows.first, end - begin};
    const T keep = begin == part.first ? T(0) : T(1);
    const double terms = setup_.reduction == Reduction::mean ? 1 : static_cast<double>(batch);
    const T scale = static_cast<T>(terms / static_cast<double>(part.count));
    const MatrixView<const T> delta = window(layer(l).delta.view(), own, out);
    // n_l x n_{l-1} <- (samples x n_l)ᵀ (samples x n_{l-1})
    sum_products<T>(scale, delta, input.rows_from(own.first, own.count), keep,
                    MatrixView<T>(g_weights + s * g_stride, out.count, inputs));
    sum_columns<T>(scale, delta, keep, {g_biases + s * g_stride, out.count}, member.work);
  }
  if (rows.first + rows.count < batch) return true;

  const auto update = [&](std::size_t first, std::size_t count, const T* g) {
    for (std::size_t s = 0; s < gradients_; ++s) member.parts[s] = g + s * g_stride;
    const Slice<T> slice{parameters_.data() + first, count, member.parts, state_.data() + first, parameters_count_};
    return std::visit([&](const auto& method) { return apply<T>(method, step, slice); }, setup_.optimiser);
  };
  const bool weights_finite = update(first_weight, out.count * inputs, g_weights);
  return update(first_bias, out.count, g_biases) && weights_finite;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace dladmm
