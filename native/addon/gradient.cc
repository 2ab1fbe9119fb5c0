#include "addon/gradient.hpp"

#include <algorithm>
#include <cmath>

#include "addon/optimiser.hpp"
#include "addon/steps.hpp"

namespace dladmm::addon {
TrainerSetup GradientTrainer::setup_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  TrainerSetup setup;
  setup.network = network_from(options);
  setup.samples = member_size(options, "samples");
  if (setup.samples < 1 || setup.samples > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    reject(env, "samples must be from 1 to 2^31 - 1");
  }
  setup.batch = member_size(options, "batch");
  if (setup.batch < 1 || setup.batch > setup.samples) reject(env, "batch must be from 1 to the number of samples");
  setup.threads = threads_from(options);
  setup.reduction = choice<Reduction>(options, "reduction", {{"mean", Reduction::mean}, {"sum", Reduction::sum}});
  setup.shuffle = member_flag(options, "shuffle");
  setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
  const Napi::Value optimiser = options.Get("optimiser");
  if (!optimiser.IsObject()) reject(env, "optimiser must be an object");
  setup.optimiser = optimiser_from(optimiser.As<Napi::Object>());
  return setup;
}

Napi::Function GradientTrainer::define(Napi::Env env) {
  return DefineClass(env, "GradientTrainer",
                     properties({
                         InstanceMethod<&GradientTrainer::run>("run"),
                         InstanceMethod<&GradientTrainer::reset>("reset"),
                         InstanceMethod<&GradientTrainer::read>("read"),
                         InstanceMethod<&GradientTrainer::read_dual>("readDual"),
                         InstanceMethod<&GradientTrainer::write>("write"),
                     }));
}

// (block, layer): block 0 is W, 1 is b.
GradientTrainer::Place GradientTrainer::place_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  const double block = number(info, i, "block");
  if (block != 0 && block != 1) reject(info.Env(), "block must be 0 (W) or 1 (b)");
  const std::size_t layer = size_argument(info, i + 1, "layer");
  if (layer < 1 || layer > setup().network.layers()) reject(info.Env(), "no such layer");
  return {block == 0, layer};
}

// run(count, rates: Float64Array of one learning rate, or one a step) → Promise of a record of the steps
Napi::Value GradientTrainer::run(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t count = size_argument(info, 0, "count");
  auto rates = rates_argument(info, 1, count);
  return run_later<StepsRecord>(
      info.Env(),
      [this, count, rates = std::move(rates)](auto& typed, StepsRecord& record) {
        typed.state->run(count, rates, stop(), record);
      },
      [](Napi::Env env, const StepsRecord& record) { return steps_object(env, record); });
}

Napi::Value GradientTrainer::reset(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->reset(); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value GradientTrainer::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    const std::span<const T> from = values_at(typed, place);
    return values_later<T>(info.Env(), from.size(), [from](std::span<T> to) { std::ranges::copy(from, to.begin()); });
  });
}

// readDual(subBatch, block, layer) → Promise of a typed array, row-major
Napi::Value GradientTrainer::read_dual(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t s = size_argument(info, 0, "subBatch");
  const Place place = place_argument(info, 1);
  return with_state([&]<typename T>(Typed<T>& typed) {
    if (s >= typed.state->duals()) reject(info.Env(), "no such dual is kept");
    const std::span<const T> from =
        place.weights ? typed.state->weight_duals(s, place.layer) : typed.state->bias_duals(s, place.layer);
    return values_later<T>(info.Env(), from.size(), [from](std::span<T> to) { std::ranges::copy(from, to.begin()); });
  });
}

// write(block, layer, values) → Promise
Napi::Value GradientTrainer::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    const std::span<T> to = values_at(typed, place);
    return take_later<T>(info, 2, to.size(), [to](std::span<const T> from) { std::ranges::copy(from, to.begin()); });
  });
}

}  // namespace dladmm::addon
