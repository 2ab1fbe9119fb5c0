#include "addon/minibatch.hpp"

#include <cmath>

namespace dladmm::addon {
namespace {

Napi::Object to_object(Napi::Env env, const StepsRecord& record) {
  auto out = Napi::Object::New(env);
  out.Set("batches", static_cast<double>(record.steps));
  out.Set("samples", static_cast<double>(record.samples));
  out.Set("loss", record.loss);
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  return out;
}

// Pairs of block (0 W, 2 z, 3 a) and layer.
std::vector<BatchUpdate> sweep_from(const Napi::Object& options, std::size_t layers) {
  const Napi::Env env = options.Env();
  const std::vector<std::size_t> pairs = sizes(env, options.Get("sweep"), "sweep");
  if (pairs.size() % 2 != 0) reject(env, "a sweep must be pairs of block and layer");
  std::vector<BatchUpdate> sweep;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    if (pairs[i] != 0 && pairs[i] != 2 && pairs[i] != 3) reject(env, "a block of a sweep must be W, z or a");
    const BatchBlock block = pairs[i] == 0 ? BatchBlock::W : pairs[i] == 2 ? BatchBlock::z : BatchBlock::a;
    sweep.push_back({block, pairs[i + 1]});
  }
  if (!is_batch_sweep(sweep, layers)) reject(env, "that is no sweep over batches");
  return sweep;
}

GramSettings gram_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  GramSettings gram;
  gram.form = choice<GramForm>(options, "gram", {{"low-rank", GramForm::low_rank}, {"full", GramForm::full}});
  gram.rank = member_size(options, "rank");
  if (gram.rank < 1) reject(env, "rank must be at least 1");
  gram.beta = member_number(options, "beta");
  if (!(gram.beta >= 0 && gram.beta < 1)) reject(env, "beta must be from 0 to below 1");
  gram.damping = member_number(options, "damping");
  gram.l2 = member_number(options, "l2");
  for (const double value : {gram.damping, gram.l2}) {
    if (!(value >= 0) || !std::isfinite(value)) reject(env, "damping and l2 must be finite and at least 0");
  }
  return gram;
}

}  // namespace

MinibatchSetup Minibatch::setup_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  MinibatchSetup setup;
  setup.network = network_from(options);
  setup.samples = member_size(options, "samples");
  if (setup.samples < 1 || setup.samples > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    reject(env, "samples must be from 1 to 2^31 - 1");
  }
  setup.batch = member_size(options, "batch");
  if (setup.batch < 1 || setup.batch > setup.samples) reject(env, "batch must be from 1 to the number of samples");
  setup.threads = threads_from(options);
  setup.shuffle = member_flag(options, "shuffle");
  setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
  setup.gram = gram_from(options);
  setup.gram_every = member_size(options, "gramEvery");
  if (setup.gram_every < 1) reject(env, "gramEvery must be at least 1");
  setup.momentum = member_number(options, "momentum");
  if (!(setup.momentum >= 0 && setup.momentum < 1)) reject(env, "momentum must be from 0 to below 1");
  setup.nesterov = member_flag(options, "nesterov");
  setup.sweep = sweep_from(options, setup.network.layers());
  return setup;
}

Napi::Function Minibatch::define(Napi::Env env) {
  return DefineClass(env, "Minibatch",
                     properties({
                         InstanceMethod<&Minibatch::run>("run"),
                         InstanceMethod<&Minibatch::reset>("reset"),
                         InstanceMethod<&Minibatch::read>("read"),
                         InstanceMethod<&Minibatch::write>("write"),
                     }));
}

// (block, layer): block 0 is W, 1 is b.
Minibatch::Place Minibatch::place_argument(const Napi::CallbackInfo& info) const {
  const double block = number(info, 0, "block");
  if (block != 0 && block != 1) reject(info.Env(), "block must be 0 (W) or 1 (b)");
  const std::size_t layer = size_argument(info, 1, "layer");
  const Network& net = setup().network;
  if (layer < 1 || layer > net.layers()) reject(info.Env(), "no such layer");
  return {block == 0, layer, block == 0 ? net.outputs(layer) * net.inputs(layer) : net.outputs(layer)};
}

// run(count, steps: Float64Array of one η, or one a batch) → Promise of a record of the batches
Napi::Value Minibatch::run(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t count = size_argument(info, 0, "count");
  std::vector<double> steps = doubles_argument(info, 1, "steps");
  if (steps.size() != 1 && steps.size() != count) reject(info.Env(), "one step size is needed, or one a batch");
  return run_later<StepsRecord>(
      info.Env(),
      [this, count, steps = std::move(steps)](auto& typed, StepsRecord& record) {
        typed.state->run(count, steps, stop(), record);
      },
      [](Napi::Env env, const StepsRecord& record) { return to_object(env, record); });
}

Napi::Value Minibatch::reset(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->reset(); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Minibatch::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return values_later<T>(info.Env(), place.size, [&typed, place](std::span<T> to) {
      place.weights ? typed.state->read_weights(place.layer, to) : typed.state->read_biases(place.layer, to);
    });
  });
}

// write(block, layer, values) → Promise
Napi::Value Minibatch::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return take_later<T>(info, 2, place.size, [&typed, place](std::span<const T> from) {
      place.weights ? typed.state->write_weights(place.layer, from) : typed.state->write_biases(place.layer, from);
    });
  });
}

}  // namespace dladmm::addon
