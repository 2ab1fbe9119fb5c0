#include "addon/graph_gradient.hpp"

#include <algorithm>
#include <utility>

#include "addon/optimiser.hpp"
#include "addon/steps.hpp"

namespace dladmm::addon {

GraphTrainerSetup GraphGradientTrainer::setup_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  GraphTrainerSetup setup;
  setup.network = network_from(options);
  if (!setup.network.loss.classifies()) reject(env, "the loss must be one of classes");
  setup.threads = threads_from(options);
  setup.reduction = choice<Reduction>(options, "reduction", {{"mean", Reduction::mean}, {"sum", Reduction::sum}});
  setup.dropout = member_number(options, "dropout");
  if (!(setup.dropout >= 0 && setup.dropout < 1)) reject(env, "dropout must be from 0 to below 1");
  setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
  const Napi::Value optimiser = options.Get("optimiser");
  if (!optimiser.IsObject()) reject(env, "optimiser must be an object");
  setup.optimiser = optimiser_from(optimiser.As<Napi::Object>());
  const auto decay = doubles_member(options, "weightDecay");
  if (decay.size() != setup.network.layers()) reject(env, "one weight decay a layer is needed");
  setup.weight_decay.assign(decay.begin(), decay.end());
  return setup;
}

Napi::Function GraphGradientTrainer::define(Napi::Env env) {
  return DefineClass(env, "GraphGradientTrainer",
                     properties({
                         InstanceMethod<&GraphGradientTrainer::run>("run"),
                         InstanceMethod<&GraphGradientTrainer::reset>("reset"),
                         InstanceMethod<&GraphGradientTrainer::read>("read"),
                         InstanceMethod<&GraphGradientTrainer::write>("write"),
                     }));
}

// (block, layer): block 0 is W, and there is no other.
std::size_t GraphGradientTrainer::layer_argument(const Napi::CallbackInfo& info) const {
  if (number(info, 0, "block") != 0) reject(info.Env(), "block must be 0 (W)");
  const std::size_t layer = size_argument(info, 1, "layer");
  if (layer < 1 || layer > setup().network.layers()) reject(info.Env(), "no such layer");
  return layer;
}

// run(count, rates: Float64Array of one learning rate, or one a step) → Promise of a record of the steps
Napi::Value GraphGradientTrainer::run(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  const std::size_t count = size_argument(info, 0, "count");
  auto rates = rates_argument(info, 1, count);
  return run_later<StepsRecord>(
      info.Env(),
      [this, count, rates = std::move(rates)](auto& typed, StepsRecord& record) {
        typed.state->run(count, rates, stop(), record);
      },
      [](Napi::Env env, const StepsRecord& record) { return steps_object(env, record); });
}

Napi::Value GraphGradientTrainer::reset(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->reset(); });
}

// read(block, layer) → Promise of W_l as a typed array, n_{l−1} x n_l row-major
Napi::Value GraphGradientTrainer::read(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  const std::size_t layer = layer_argument(info);
  return with_state([&]<typename T>(Typed<T>& typed) {
    const std::span<const T> from = typed.state->weights(layer);
    return values_later<T>(info.Env(), from.size(), [from](std::span<T> to) { std::ranges::copy(from, to.begin()); });
  });
}

// write(block, layer, values) → Promise
Napi::Value GraphGradientTrainer::write(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  const std::size_t layer = layer_argument(info);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return take_later<T>(info, 2, typed.state->weights(layer).size(),
                         [&typed, layer](std::span<const T> from) { typed.state->write_weights(layer, from); });
  });
}

}  // namespace dladmm::addon
