#include "addon/graph_gradient.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "addon/graph_data.hpp"
#include "addon/optimiser.hpp"
#include "addon/samples.hpp"
#include "addon/steps.hpp"

namespace dladmm::addon {
namespace {

GraphTrainerSetup setup_from(const Napi::Object& options) {
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

// Ã in place of what came is made later, on the training thread.
template <typename T>
GraphSamples<T> samples_from(const Napi::Object& options, const Network& network) {
  GraphData<T> data = graph_data<T>(options, network);
  return {std::move(data.adjacency), std::move(data.features.sparse), std::move(data.features.dense),
          std::move(data.labels), std::move(data.training)};
}

template <typename T>
double bytes_of(const Napi::Object& options, const GraphTrainerSetup& setup) {
  const auto entries = [&](const char* name) {
    const auto object = options.Get(name).As<Napi::Object>();
    const Napi::Value indices = object.Get("indices");
    if (!indices.IsTypedArray()) reject(options.Env(), std::string(name) + ".indices must be a typed array");
    return indices.As<Napi::TypedArray>().ElementLength();
  };
  if (!options.Get("adjacency").IsObject()) reject(options.Env(), "adjacency must be an object");
  const std::size_t nodes = member_size(options.Get("adjacency").As<Napi::Object>(), "rows");
  // Ã has each node's own entry too, and where every edge came in one direction only, twice as many of these.
  const GraphSizes sizes{nodes, 2 * entries("adjacency") + nodes,
                         has_sparse_features(options) ? entries("features") : 0};
  return GraphTrainer<T>::required_bytes(setup, sizes);
}

}  // namespace

template <typename T>
GraphTrainer<T>& GraphGradientTrainer::Typed<T>::ready() const {
  if (trainer == nullptr) throw std::logic_error("prepare() has not come to its end");
  return *trainer;
}

Napi::Function GraphGradientTrainer::define(Napi::Env env) {
  return DefineClass(env, "GraphGradientTrainer",
                     {
                         InstanceMethod<&GraphGradientTrainer::prepare>("prepare"),
                         InstanceMethod<&GraphGradientTrainer::run>("run"),
                         InstanceMethod<&GraphGradientTrainer::reset>("reset"),
                         InstanceMethod<&GraphGradientTrainer::evaluate>("evaluate"),
                         InstanceMethod<&GraphGradientTrainer::read>("read"),
                         InstanceMethod<&GraphGradientTrainer::write>("write"),
                         InstanceMethod<&GraphGradientTrainer::stop_steps>("stop"),
                         InstanceMethod<&GraphGradientTrainer::close>("close"),
                         StaticMethod<&GraphGradientTrainer::required_bytes>("requiredBytes"),
                     });
}

GraphGradientTrainer::GraphGradientTrainer(const Napi::CallbackInfo& info) : Handle<GraphGradientTrainer>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  setup_ = setup_from(options);
  try {
    if (wants_float32(options)) {
      held_bytes_ = bytes_of<float>(options, setup_);
      typed_ = Typed<float>{samples_from<float>(options, setup_.network), nullptr};
    } else {
      held_bytes_ = bytes_of<double>(options, setup_);
      typed_ = Typed<double>{samples_from<double>(options, setup_.network), nullptr};
    }
    labels_ = std::visit([](const auto& typed) { return typed.samples->labels; }, typed_);
    start_jobs(env, JobQueue::Kind::training);
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(held_bytes_));
}

Napi::Value GraphGradientTrainer::required_bytes(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  const GraphTrainerSetup setup = setup_from(options);
  try {
    return Napi::Number::New(
        info.Env(), wants_float32(options) ? bytes_of<float>(options, setup) : bytes_of<double>(options, setup));
  } catch (const std::exception&) {
    throw to_error(info.Env(), std::current_exception());
  }
}

std::size_t GraphGradientTrainer::layer_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  const std::size_t layer = size_argument(info, i, "layer");
  if (layer < 1 || layer > setup_.network.layers()) reject(info.Env(), "no such layer");
  return layer;
}

// prepare() → Promise: normalises the adjacency and allocates what steps need. Comes before everything else.
Napi::Value GraphGradientTrainer::prepare(const Napi::CallbackInfo& info) {
  return later(
      info.Env(),
      [this] {
        std::visit(
            [&]<typename T>(Typed<T>& typed) {
              if (!typed.samples) throw std::logic_error("prepare() comes once");
              GraphSamples<T> samples = *std::exchange(typed.samples, std::nullopt);
              samples.adjacency = normalised_adjacency(samples.adjacency.view());
              typed.trainer = std::make_unique<GraphTrainer<T>>(setup_, std::move(samples));
            },
            typed_);
      },
      [](Napi::Env env) { return env.Undefined(); });
}

// run(count, rates: Float64Array of one learning rate, or one a step) → Promise of a record of the steps
Napi::Value GraphGradientTrainer::run(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t count = size_argument(info, 0, "count");
  auto rates = rates_argument(info, 1, count);
  const auto record = std::make_shared<StepsRecord>();
  return later(
      info.Env(),
      [this, count, rates = std::move(rates), record] {
        std::visit([&](auto& typed) { typed.ready().run(count, rates, stop(), *record); }, typed_);
      },
      [record](Napi::Env env) { return steps_object(env, *record); });
}

Napi::Value GraphGradientTrainer::reset(const Napi::CallbackInfo& info) {
  return later(
      info.Env(), [this] { std::visit([](auto& typed) { typed.ready().reset(); }, typed_); },
      [](Napi::Env env) { return env.Undefined(); });
}

// evaluate(nodes: Int32Array) → Promise of { loss, correct }: loss summed over the nodes, which have a class.
Napi::Value GraphGradientTrainer::evaluate(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const auto nodes = int32_argument(info, 0, "nodes");
  check_nodes(info.Env(), nodes, labels_, setup_.network.loss.classes(setup_.network.widths.back()));
  const auto copy = std::make_shared<std::vector<std::int32_t>>(nodes.begin(), nodes.end());
  const auto result = std::make_shared<ForwardLoss>();
  return later(
      info.Env(),
      [this, copy, result] { std::visit([&](auto& typed) { *result = typed.ready().evaluate(*copy); }, typed_); },
      [result](Napi::Env env) { return evaluation_object(env, *result); });
}

// read(layer) → Promise of W_l as a typed array, n_{l−1} x n_l row-major
Napi::Value GraphGradientTrainer::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t layer = layer_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const auto copy = std::make_shared<std::vector<T>>();
        return later(
            info.Env(),
            [&typed, layer, copy] {
              const auto weights = typed.ready().weights(layer);
              copy->assign(weights.begin(), weights.end());
            },
            [copy](Napi::Env env) { return typed_array<T>(env, *copy); });
      },
      typed_);
}

// write(layer, values) → Promise
Napi::Value GraphGradientTrainer::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t layer = layer_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const Network& net = setup_.network;
        const auto values = std::make_shared<std::vector<T>>(net.inputs(layer) * net.outputs(layer));
        if (copy_numbers<T>(info, 1, "values", *values) >= 0) reject(info.Env(), "values must be finite");
        return later(
            info.Env(), [&typed, layer, values] { typed.ready().write_weights(layer, *values); },
            [](Napi::Env env) { return env.Undefined(); });
      },
      typed_);
}

void GraphGradientTrainer::stop_steps(const Napi::CallbackInfo&) { request_stop(); }

void GraphGradientTrainer::close(const Napi::CallbackInfo& info) { release(info.Env()); }

void GraphGradientTrainer::release(Napi::Env env) {
  if (!end(env)) return;
  std::visit(
      [](auto& typed) {
        typed.samples.reset();
        typed.trainer.reset();
      },
      typed_);
  Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<std::int64_t>(held_bytes_));
}

}  // namespace dladmm::addon
