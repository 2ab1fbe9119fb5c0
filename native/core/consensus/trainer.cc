// The course of a training, and what it holds.
#include "core/consensus/trainer.hpp"

namespace dladmm {

template <typename T>
Trainer<T>::Trainer(const TrainerSetup& setup) : Trainer(setup, Shell()) {
  const Network& net = setup_.network;
  for (const std::size_t width : net.widths) static_cast<void>(blas::dimension(width));
  this->allocate();
  std::ranges::fill(parameters_.span(), T(0));
  finite_.watch(parameters_.span());
  for (std::size_t l = 1; l <= depth(); ++l) {
    layers_.push_back({MatrixView<const T>(weights(l).data(), net.outputs(l), net.inputs(l)), biases(l)});
  }
  reset();
}

template <typename T>
std::size_t Trainer<T>::duals() const {
  if (const auto* const badm = std::get_if<Badm>(&setup_.optimiser)) return badm->duals ? badm->sub_batches : 0;
  if (const auto* const sisa = std::get_if<Sisa>(&setup_.optimiser)) return sisa->sub_batches;
  return 0;
}

template <typename T>
void Trainer<T>::read(ParameterBlock block, std::size_t l, std::span<T> out) {
  std::ranges::copy(part_of(parameters_, block, l), out.begin());
}

template <typename T>
void Trainer<T>::write(ParameterBlock block, std::size_t l, std::span<const T> values) {
  std::ranges::copy(values, part_of(parameters_, block, l).begin());
  if (averaging() == nullptr) return;
  for (const std::size_t k : {0, 2}) {
    std::ranges::copy(values, part_of(state_, block, l, k * parameters_count_).begin());
  }
}

template <typename T>
void Trainer<T>::run(std::size_t count, std::span<const double> rates, const std::atomic<bool>& asked,
                     StepsRecord& record) {
  this->need_all_rows();
  const std::atomic<bool>& stop = this->heeded(asked);
  const AtWork here(stop);
  finite_.keep();
  if (averaging() != nullptr) average_of_all().to_gradient_point();
  const bool finite = run_steps(count, stop, record, [&](std::size_t i, double& loss) -> std::size_t {
    const std::span<const std::uint32_t> batch = epochs_.begin();
    if (!step(batch, step_size(rates, i), loss)) return 0;
    epochs_.end();
    return batch.size();
  });
  if (averaging() != nullptr) average_of_all().to_average(averaging()->beta1);
  if (!finite) return reset();
  record.weights = weight_measures<T>(team_, setup_.regularisers, layers_, spectral_);
}

template <typename T>
void Trainer<T>::reset() {
  const double first = std::visit([](const auto& method) { return method.initial_state(); }, setup_.optimiser);
  std::ranges::fill(state_.span(), static_cast<T>(first));
  if (averaging() != nullptr) average_of_all().begin();
  bases_.reset();
  if (kfac() != nullptr) factors_.reset(*kfac());
  epochs_.reset();
  step_number_ = 0;
  averaged_ = 0;
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
  if (averaging() != nullptr) out.push_back(section("averaged", averaged_));
  if (soap() != nullptr) bases_.add_sections(out);
  if (kfac() != nullptr) factors_.add_sections(out);
  for (Section& it : epochs_.sections()) out.push_back(std::move(it));
  return out;
}

template <typename T>
void Trainer<T>::declare(StoragePlan& plan) {
  const Network& net = setup_.network;
  this->declare_samples(plan);
  plan.buffer(parameters_, parameters_count_);
  plan.buffer(finite_.room, parameters_count_);
  plan.buffer(state_, states_, parameters_count_);
  if (whole_gradient_) plan.buffer(gradient_, gradients_, parameters_count_);
  if (muon() != nullptr) muon_room_.declare(plan, net);
  if (soap() != nullptr) bases_.declare(plan, *soap(), net);
  if (kfac() != nullptr) factors_.declare(plan, net, block_);
  if (isaac() != nullptr) isaac_room_.declare(plan, *isaac(), net, block_, !apart());
  if (setup_.shuffle && !setup_.sparse) plan.matrix(batch_, block_, net.widths.front());
  for (std::size_t l = 1; l <= depth(); ++l) {
    plan.matrix(layer(l).h, block_, net.outputs(l));
    plan.matrix(layer(l).delta, block_, net.outputs(l));
    if (l < depth() && !net.activation.value_tells_derivative()) plan.matrix(layer(l).z, block_, net.outputs(l));
  }
  if (std::ranges::any_of(setup_.regularisers, &Regulariser::spectral)) this->declare_spectral(plan, spectral_);
  std::size_t chunk = 0;
  for (const Chunk& it : chunks_) chunk = std::max(chunk, it.rows.count * (net.inputs(it.layer) + 1));
  for (Member& member : members_) {
    if (!whole_gradient_) plan.buffer(member.gradient, gradients_, chunk);
    plan.other(sizeof(const T*) * static_cast<double>(gradients_),
               [this, &member] { member.parts.resize(gradients_); });
    plan.vector(member.work, std::max(loss_work(net.widths.back()), net.widest()));
  }
  plan.vector(shares_, gradients_);
  plan.vector(finished_, chunks_.size());
  plan.other(sizeof(std::uint32_t) * static_cast<double>(setup_.all_samples()),
             [this] { epochs_ = Epochs(setup_.all_samples(), setup_.batch, setup_.shuffle, setup_.seed); });
  plan.made(own_, setup_.share, setup_.samples, setup_.batch, gradients_);
}

// Adds R of the batch to `loss`. False where something is no longer finite.
template <typename T>
bool Trainer<T>::step(std::span<const std::uint32_t> batch, double rate, double& loss) {
  const std::span<const std::uint32_t> own = own_.of(batch);
  const Pieces sub_batches{batch.size(), gradients_};
  for (std::size_t s = 0; s < gradients_; ++s) {
    shares_[s] = static_cast<double>(sub_batches[s].count) / static_cast<double>(batch.size());
    if (shared() && own_[s].count == 0)
      std::ranges::fill(gradient_.span().subspan(s * parameters_count_, parameters_count_), T(0));
  }
  Step now{rate, step_number_ + 1, shares_};
  if (const auto* const average = averaging()) {
    const double weight = average->weight(rate, now.number);
    averaged_ += weight;
    now.share = averaged_ > 0 ? weight / averaged_ : 0;
  }
  const auto undone = [&] {
    finite_.restore();
    if (averaging() != nullptr) average_of_all().begin();
    return false;
  };
  MatrixView<const T> x(nullptr, 0, setup_.network.widths.front());
  if (own.empty() && !turn(x, own, batch.size())) return undone();
  for (std::size_t first = 0; first < own.size(); first += block_) {
    const Rows rows{first, std::min(block_, own.size() - first)};
    const std::span<const std::uint32_t> samples = own.subspan(rows.first, rows.count);
    x = gather(samples);
    forward(x);
    const double here = output_deltas(samples);
    loss += here;
    if (!shared() && !std::isfinite(loss)) return false;
    carry_back(samples.size());
    const bool last = first + rows.count == own.size();
    if (!turn(x, samples, batch.size()) || !sum_gradients(x, batch.size(), rows, last && !shared(), now) ||
        !(shared() || move_by_factors(x, samples, batch.size(), here, now))) {
      return undone();
    }
  }
  if (shared()) {
    setup_.share.sum(std::span<double>(&loss, 1));
    if (!std::isfinite(loss)) return false;
    setup_.share.sum(gradient_.span());
    if (!update_by_whole(now) || !move_by_factors(x, own, batch.size(), loss, now)) return undone();
  }
  if (!take_proximal_steps(now)) {
    finite_.restore();
    return false;
  }
  ++step_number_;
  return true;
}

template class Trainer<float>;
template class Trainer<double>;

}  // namespace dladmm
