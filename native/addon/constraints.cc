#include "addon/constraints.hpp"

#include <algorithm>
#include <cmath>

namespace dladmm::addon {
namespace {

constraints::Setup setup_from(const Napi::Object& options) {
  constraints::Setup setup;
  setup.network = network_from(options);
  setup.samples = member_size(options, "samples");
  if (setup.samples == 0) reject(options.Env(), "samples must be at least 1");
  setup.threads = threads_from(options);
  if (!setup.network.activation.is_smooth()) reject(options.Env(), "the activation must be sigmoid or tanh");
  const LossKind loss = setup.network.loss.kind;
  if (loss != LossKind::squared_error && loss != LossKind::one_hot_squared_error) {
    reject(options.Env(), "the loss must be a squared error");
  }
  return setup;
}

Napi::Float64Array numbers(Napi::Env env, const std::vector<double>& values) {
  auto out = Napi::Float64Array::New(env, values.size());
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

Napi::Function Constraints::define(Napi::Env env) {
  return DefineClass(env, "Constraints",
                     {
                         InstanceMethod<&Constraints::load_input>("loadInput"),
                         InstanceMethod<&Constraints::load_targets>("loadTargets"),
                         InstanceMethod<&Constraints::load_labels>("loadLabels"),
                         InstanceMethod<&Constraints::add_evaluation_set>("addEvaluationSet"),
                         InstanceMethod<&Constraints::start>("start"),
                         InstanceMethod<&Constraints::run>("run"),
                         InstanceMethod<&Constraints::measure>("measure"),
                         InstanceMethod<&Constraints::evaluate>("evaluate"),
                         InstanceMethod<&Constraints::read>("read"),
                         InstanceMethod<&Constraints::write>("write"),
                         InstanceMethod<&Constraints::stop_sweep>("stopSweep"),
                         InstanceMethod<&Constraints::close>("close"),
                         StaticMethod<&Constraints::required_bytes>("requiredBytes"),
                     });
}

Constraints::Constraints(const Napi::CallbackInfo& info) : Handle<Constraints>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  setup_ = setup_from(options);
  const constraints::Setup& setup = setup_;
  try {
    if (wants_float32(options)) {
      typed_ = Typed<float>{std::make_unique<constraints::State<float>>(setup), {}};
      held_bytes_ = constraints::State<float>::required_bytes(setup);
    } else {
      typed_ = Typed<double>{std::make_unique<constraints::State<double>>(setup), {}};
      held_bytes_ = constraints::State<double>::required_bytes(setup);
    }
    start_thread(env);
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(held_bytes_));
}

Napi::Value Constraints::required_bytes(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  const constraints::Setup setup = setup_from(options);
  return Napi::Number::New(info.Env(), wants_float32(options) ? constraints::State<float>::required_bytes(setup)
                                                              : constraints::State<double>::required_bytes(setup));
}

constraints::Update Constraints::checked_block(Napi::Env env, double block, double layer) const {
  if (!(block >= 0 && block <= static_cast<double>(constraints::Block::b)) || block != std::floor(block)) {
    reject(env, "unknown block");
  }
  const constraints::Update update{static_cast<constraints::Block>(static_cast<int>(block)),
                                   to_size(env, layer, "layer")};
  if (update.layer < 1 || update.layer > setup_.network.layers()) reject(env, "no such layer");
  return update;
}

constraints::Penalties Constraints::penalties_from(const Napi::Object& options) const {
  const Napi::Env env = options.Env();
  constraints::Penalties p;
  p.lambda = member_number(options, "lambda");
  p.majoriser =
      member_string(options, "majoriser") == "code" ? constraints::Majoriser::largest : constraints::Majoriser::bound;
  const Napi::Value beta = options.Get("beta");
  if (!beta.IsArray()) reject(env, "beta must be an array");
  const auto array = beta.As<Napi::Array>();
  if (array.Length() != setup_.network.layers()) reject(env, "beta must have one entry a layer");
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    const Napi::Value value = array.Get(i);
    p.beta.push_back(value.IsNumber() ? value.As<Napi::Number>().DoubleValue() : 0);
    if (!(p.beta.back() > 0) || !std::isfinite(p.beta.back())) reject(env, "beta must be positive and finite");
  }
  if (!(p.lambda >= 0) || !std::isfinite(p.lambda)) reject(env, "lambda must be a finite number of at least 0");
  return p;
}

double Constraints::set_argument(const Napi::CallbackInfo& info) const {
  const double set = number(info, 0, "set");
  std::visit([&](const auto& typed) { need_set(info.Env(), set, typed.sets.size()); }, typed_);
  return set;
}

constraints::Update Constraints::block_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  return checked_block(info.Env(), number(info, i, "block"), number(info, i + 1, "layer"));
}

// loadInput(set, firstRow, chunk): set −1 is the training set. Returns the index in the chunk of the first value that
// is not finite, or −1.
Napi::Value Constraints::load_input(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit([&](auto& typed) { return load_rows(info, typed.input(set)); }, typed_);
}

Napi::Value Constraints::load_targets(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit([&](auto& typed) { return load_rows(info, typed.values(set)); }, typed_);
}

// loadLabels(set, labels): returns the index of the first label that names no class, or −1.
Napi::Value Constraints::load_labels(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit(
      [&](auto& typed) {
        return load_labels_into(info, typed.labels(set), setup_.network.loss.classes(setup_.network.widths.back()));
      },
      typed_);
}

Napi::Value Constraints::add_evaluation_set(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const std::size_t samples = size_argument(info, 0, "samples");
  return std::visit([&](auto& typed) { return add_set(info.Env(), typed, setup_.network, samples); }, typed_);
}

Napi::Value Constraints::start(const Napi::CallbackInfo& info) {
  return later(
      info.Env(), [this] { std::visit([](auto& typed) { typed.state->start(); }, typed_); },
      [](Napi::Env env) { return env.Undefined(); });
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
  const auto record = std::make_shared<constraints::SweepRecord>();
  return later(
      info.Env(),
      [this, updates = std::move(updates), penalties, record] {
        std::visit([&](auto& typed) { typed.state->run(updates, penalties, stop(), *record); }, typed_);
      },
      [record](Napi::Env env) { return to_object(env, *record); });
}

Napi::Value Constraints::measure(const Napi::CallbackInfo& info) {
  const constraints::Penalties penalties = penalties_from(object_argument(info, 0, "penalties"));
  const auto measures = std::make_shared<constraints::Measures>();
  return later(
      info.Env(),
      [this, penalties, measures] {
        std::visit([&](auto& typed) { typed.state->measure(penalties, *measures); }, typed_);
      },
      [measures](Napi::Env env) { return to_object(env, *measures); });
}

// evaluate(set) → Promise of { loss, correct }: loss summed over the samples; set −1 is the training set.
Napi::Value Constraints::evaluate(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const double set = set_argument(info);
  const auto result = std::make_shared<ForwardLoss>();
  return later(
      info.Env(), [this, set, result] { std::visit([&](auto& typed) { *result = typed.evaluate(set); }, typed_); },
      [result](Napi::Env env) { return evaluation_object(env, *result); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Constraints::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const constraints::Update which = block_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const auto copy = std::make_shared<std::vector<T>>();
        return later(
            info.Env(),
            [&typed, which, copy] {
              copy->resize(typed.state->size_of(which.block, which.layer));
              typed.state->read(which.block, which.layer, *copy);
            },
            [copy](Napi::Env env) { return typed_array<T>(env, *copy); });
      },
      typed_);
}

// write(block, layer, values) → Promise
Napi::Value Constraints::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const constraints::Update which = block_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const auto values = std::make_shared<std::vector<T>>(typed.state->size_of(which.block, which.layer));
        if (copy_numbers<T>(info, 2, "values", *values) >= 0) reject(info.Env(), "values must be finite");
        return later(
            info.Env(), [&typed, which, values] { typed.state->write(which.block, which.layer, *values); },
            [](Napi::Env env) { return env.Undefined(); });
      },
      typed_);
}

void Constraints::stop_sweep(const Napi::CallbackInfo&) { request_stop(); }

void Constraints::close(const Napi::CallbackInfo& info) { release(info.Env()); }

void Constraints::release(Napi::Env env) {
  if (!end(env)) return;
  std::visit(
      [](auto& typed) {
        typed.sets.clear();
        typed.state.reset();
      },
      typed_);
  Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<std::int64_t>(held_bytes_));
}

}  // namespace dladmm::addon
