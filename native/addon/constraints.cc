#include "addon/constraints.hpp"

#include <algorithm>
#include <cmath>

namespace dladmm::addon {
namespace {

Napi::Float64Array numbers(Napi::Env env, const std::vector<double>& values) {
  auto out = new_array<double>(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Object to_object(Napi::Env env, const constraints::Measures& m) {
  auto out = Napi::Object::New(env);
  out.Set("residual", numbers(env, m.residual));
  out.Set("stationaryW", numbers(env, m.stationary_W));
  out.Set("stationaryV", numbers(env, m.stationary_V));
  out.Set("loss", m.loss);
  out.Set("regularisation", m.regularisation);
  out.Set("dualProduct", m.dual_product);
  out.Set("dualIdentity", m.dual_identity);
  out.Set("kkt", m.kkt);
  out.Set("lagrangian", m.lagrangian);
  return out;
}

Napi::Object to_object(Napi::Env env, const constraints::Work& work) {
  auto out = Napi::Object::New(env);
  out.Set("gradient", static_cast<double>(work.gradient));
  out.Set("image", static_cast<double>(work.image));
  out.Set("back", static_cast<double>(work.back));
  out.Set("gram", static_cast<double>(work.gram));
  out.Set("solve", static_cast<double>(work.solve));
  out.Set("factor", static_cast<double>(work.factor));
  out.Set("flops", work.flops);
  return out;
}

// Update records as one flat array, five numbers an update: curvature, step norm, ridge, factor seconds, seconds.
Napi::Object to_object(Napi::Env env, const constraints::SweepRecord& record) {
  std::vector<double> flat;
  flat.reserve(record.updates.size() * 5);
  for (const constraints::UpdateRecord& it : record.updates) {
    flat.insert(flat.end(), {it.curvature, it.step_norm, it.ridge, it.factor_seconds, it.seconds});
  }
  auto out = Napi::Object::New(env);
  out.Set("updates", numbers(env, flat));
  out.Set("completed", static_cast<double>(record.completed));
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  out.Set("work", to_object(env, record.work));
  if (!record.diverged) out.Set("measures", to_object(env, record.measures));
  return out;
}

}  // namespace

constraints::Setup Constraints::setup_from(const Napi::Object& options) {
  constraints::Setup setup;
  setup.network = network_from(options);
  setup.samples = member_size(options, "samples");
  if (setup.samples == 0) reject(options.Env(), "samples must be at least 1");
  setup.threads = threads_from(options);
  if (!std::isfinite(bounds_of(setup.network.activation.kind).value)) {
    reject(options.Env(), "the activation must be sigmoid or tanh");
  }
  const LossKind loss = setup.network.loss.kind;
  if (loss != LossKind::squared_error && loss != LossKind::one_hot_squared_error) {
    reject(options.Env(), "the loss must be a squared error");
  }
  return setup;
}

Napi::Function Constraints::define(Napi::Env env) {
  return DefineClass(env, "Constraints",
                     properties({
                         InstanceMethod<&Constraints::start>("start"),
                         InstanceMethod<&Constraints::run>("run"),
                         InstanceMethod<&Constraints::measure>("measure"),
                         InstanceMethod<&Constraints::read>("read"),
                         InstanceMethod<&Constraints::write>("write"),
                     }));
}

constraints::Update Constraints::checked_block(Napi::Env env, double block, double layer) const {
  if (!(block >= 0 && block <= static_cast<double>(constraints::Block::b)) || block != std::floor(block)) {
    reject(env, "unknown block");
  }
  const constraints::Update update{static_cast<constraints::Block>(static_cast<int>(block)),
                                   to_size(env, layer, "layer")};
  if (update.layer < 1 || update.layer > setup().network.layers()) reject(env, "no such layer");
  return update;
}

constraints::Penalties Constraints::penalties_from(const Napi::Object& options) const {
  const Napi::Env env = options.Env();
  constraints::Penalties p;
  p.majoriser = choice<constraints::Majoriser>(
      options, "majoriser", {{"paper", constraints::Majoriser::bound}, {"code", constraints::Majoriser::largest}});
  const auto by_layer = [&](const char* name) {
    const Napi::Value list = options.Get(name);
    if (!list.IsArray()) reject(env, std::string(name) + " must be an array");
    const auto array = list.As<Napi::Array>();
    const std::size_t layers = setup().network.layers();
    if (array.Length() != layers) reject(env, std::string(name) + " must have one entry a layer");
    std::vector<double> values;
    for (std::uint32_t i = 0; i < layers; ++i) {
      const Napi::Value value = array.Get(i);
      values.push_back(value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : -1);
      if (!(values.back() >= 0) || !std::isfinite(values.back())) {
        reject(env, std::string(name) + " must be finite and at least 0");
      }
    }
    return values;
  };
  p.lambda = by_layer("lambda");
  p.beta = by_layer("beta");
  for (const double beta : p.beta) {
    if (!(beta > 0)) reject(env, "beta must be positive");
  }
  return p;
}

constraints::Update Constraints::block_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  return checked_block(info.Env(), number(info, i, "block"), number(info, i + 1, "layer"));
}

Napi::Value Constraints::start(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->start(); });
}

// run(updates: Int32Array of (block, layer) pairs, penalties) → Promise of a sweep record
Napi::Value Constraints::run(const Napi::CallbackInfo& info) {
  const auto pairs = int32_argument(info, 0, "updates");
  if (pairs.size() % 2 != 0) reject(info.Env(), "updates must be pairs of block and layer");
  std::vector<constraints::Update> updates;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    updates.push_back(checked_block(info.Env(), pairs[i], pairs[i + 1]));
    if (updates.back().block == constraints::Block::b) reject(info.Env(), "b is updated with W");
  }
  const constraints::Penalties penalties = penalties_from(object_argument(info, 1, "penalties"));
  return run_later<constraints::SweepRecord>(
      info.Env(),
      [this, updates = std::move(updates), penalties](auto& typed, constraints::SweepRecord& record) {
        typed.state->run(updates, penalties, stop(), record);
      },
      [](Napi::Env env, const constraints::SweepRecord& record) { return to_object(env, record); });
}

Napi::Value Constraints::measure(const Napi::CallbackInfo& info) {
  const constraints::Penalties penalties = penalties_from(object_argument(info, 0, "penalties"));
  return answer_later<constraints::Measures>(
      info.Env(),
      [penalties](auto& typed, constraints::Measures& measures) { typed.state->measure(penalties, measures); },
      [](Napi::Env env, const constraints::Measures& measures) { return to_object(env, measures); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Constraints::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const constraints::Update which = block_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return values_later<T>(info.Env(), typed.state->size_of(which.block, which.layer),
                           [&typed, which](std::span<T> to) { typed.state->read(which.block, which.layer, to); });
  });
}

// write(block, layer, values) → Promise
Napi::Value Constraints::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const constraints::Update which = block_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return take_later<T>(
        info, 2, typed.state->size_of(which.block, which.layer),
        [&typed, which](std::span<const T> from) { typed.state->write(which.block, which.layer, from); });
  });
}

}  // namespace dladmm::addon
