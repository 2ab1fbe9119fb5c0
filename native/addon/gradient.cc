#include "addon/gradient.hpp"

#include <algorithm>
#include <cmath>

#include "addon/optimiser.hpp"

namespace dladmm::addon {
namespace {

TrainerSetup setup_from(const Napi::Object& options) {
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
  setup.reduction = member_string(options, "reduction") == "sum" ? Reduction::sum : Reduction::mean;
  setup.shuffle = member_flag(options, "shuffle");
  setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
  const Napi::Value optimiser = options.Get("optimiser");
  if (!optimiser.IsObject()) reject(env, "optimiser must be an object");
  setup.optimiser = optimiser_from(optimiser.As<Napi::Object>());
  return setup;
}

Napi::Object to_object(Napi::Env env, const StepsRecord& record) {
  auto out = Napi::Object::New(env);
  out.Set("steps", static_cast<double>(record.steps));
  out.Set("samples", static_cast<double>(record.samples));
  out.Set("loss", record.loss);
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  return out;
}

}  // namespace

Napi::Function GradientTrainer::define(Napi::Env env) {
  return DefineClass(env, "GradientTrainer",
                     {
                         InstanceMethod<&GradientTrainer::load_input>("loadInput"),
                         InstanceMethod<&GradientTrainer::load_targets>("loadTargets"),
                         InstanceMethod<&GradientTrainer::load_labels>("loadLabels"),
                         InstanceMethod<&GradientTrainer::add_evaluation_set>("addEvaluationSet"),
                         InstanceMethod<&GradientTrainer::run>("run"),
                         InstanceMethod<&GradientTrainer::reset>("reset"),
                         InstanceMethod<&GradientTrainer::evaluate>("evaluate"),
                         InstanceMethod<&GradientTrainer::read>("read"),
                         InstanceMethod<&GradientTrainer::read_dual>("readDual"),
                         InstanceMethod<&GradientTrainer::write>("write"),
                         InstanceMethod<&GradientTrainer::stop_steps>("stopSteps"),
                         InstanceMethod<&GradientTrainer::close>("close"),
                         StaticMethod<&GradientTrainer::required_bytes>("requiredBytes"),
                     });
}

GradientTrainer::GradientTrainer(const Napi::CallbackInfo& info) : Handle<GradientTrainer>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  setup_ = setup_from(options);
  try {
    if (wants_float32(options)) {
      typed_ = Typed<float>{std::make_unique<Trainer<float>>(setup_), {}};
      held_bytes_ = Trainer<float>::required_bytes(setup_);
    } else {
      typed_ = Typed<double>{std::make_unique<Trainer<double>>(setup_), {}};
      held_bytes_ = Trainer<double>::required_bytes(setup_);
    }
    start_thread(env);
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
  Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(held_bytes_));
}

Napi::Value GradientTrainer::required_bytes(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  const TrainerSetup setup = setup_from(options);
  try {
    return Napi::Number::New(info.Env(), wants_float32(options) ? Trainer<float>::required_bytes(setup)
                                                                : Trainer<double>::required_bytes(setup));
  } catch (const std::exception&) {
    throw to_error(info.Env(), std::current_exception());
  }
}

double GradientTrainer::set_argument(const Napi::CallbackInfo& info) const {
  const double set = number(info, 0, "set");
  std::visit([&](const auto& typed) { need_set(info.Env(), set, typed.sets.size()); }, typed_);
  return set;
}

// (block, layer): block 0 is W, 1 is b.
GradientTrainer::Place GradientTrainer::place_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  const double block = number(info, i, "block");
  if (block != 0 && block != 1) reject(info.Env(), "block must be 0 (W) or 1 (b)");
  const std::size_t layer = size_argument(info, i + 1, "layer");
  if (layer < 1 || layer > setup_.network.layers()) reject(info.Env(), "no such layer");
  return {block == 0, layer};
}

// loadInput(set, firstRow, chunk): set −1 is the training set. Returns the index in the chunk of the first value that
// is not finite, or −1.
Napi::Value GradientTrainer::load_input(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit([&](auto& typed) { return load_rows(info, typed.input(set)); }, typed_);
}

Napi::Value GradientTrainer::load_targets(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit([&](auto& typed) { return load_rows(info, typed.values(set)); }, typed_);
}

// loadLabels(set, labels): returns the index of the first label that names no class, or −1.
Napi::Value GradientTrainer::load_labels(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const double set = set_argument(info);
  return std::visit(
      [&](auto& typed) {
        return load_labels_into(info, typed.labels(set), setup_.network.loss.classes(setup_.network.widths.back()));
      },
      typed_);
}

Napi::Value GradientTrainer::add_evaluation_set(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const std::size_t samples = size_argument(info, 0, "samples");
  return std::visit([&](auto& typed) { return add_set(info.Env(), typed, setup_.network, samples); }, typed_);
}

// run(count, rates: Float64Array of one learning rate, or one a step) → Promise of a record of the steps
Napi::Value GradientTrainer::run(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t count = size_argument(info, 0, "count");
  if (!info[1].IsTypedArray() || info[1].As<Napi::TypedArray>().TypedArrayType() != napi_float64_array) {
    reject(info.Env(), "rates must be a Float64Array");
  }
  const auto given = info[1].As<Napi::Float64Array>();
  std::vector<double> rates(given.Data(), given.Data() + given.ElementLength());
  if (rates.size() != 1 && rates.size() != count) reject(info.Env(), "one learning rate is needed, or one a step");
  const auto record = std::make_shared<StepsRecord>();
  return later(
      info.Env(),
      [this, count, rates = std::move(rates), record] {
        std::visit([&](auto& typed) { typed.state->run(count, rates, stop(), *record); }, typed_);
      },
      [record](Napi::Env env) { return to_object(env, *record); });
}

Napi::Value GradientTrainer::reset(const Napi::CallbackInfo& info) {
  return later(
      info.Env(), [this] { std::visit([](auto& typed) { typed.state->reset(); }, typed_); },
      [](Napi::Env env) { return env.Undefined(); });
}

// evaluate(set) → Promise of { loss, correct }: loss summed over the samples; set −1 is the training set.
Napi::Value GradientTrainer::evaluate(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const double set = set_argument(info);
  const auto result = std::make_shared<ForwardLoss>();
  return later(
      info.Env(), [this, set, result] { std::visit([&](auto& typed) { *result = typed.evaluate(set); }, typed_); },
      [result](Napi::Env env) { return evaluation_object(env, *result); });
}

// A Promise of a copy of the span that find() gives, taken on the training thread.
template <typename T, typename Find>
Napi::Value GradientTrainer::copy_of(Napi::Env env, Find find) {
  const auto copy = std::make_shared<std::vector<T>>();
  return later(
      env,
      [find = std::move(find), copy] {
        const std::span<const T> from = find();
        copy->assign(from.begin(), from.end());
      },
      [copy](Napi::Env there) { return typed_array<T>(there, *copy); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value GradientTrainer::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        return copy_of<T>(info.Env(), [&typed, place] {
          return place.weights ? typed.state->weights(place.layer) : typed.state->biases(place.layer);
        });
      },
      typed_);
}

// readDual(subBatch, block, layer) → Promise of a typed array, row-major
Napi::Value GradientTrainer::read_dual(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const std::size_t s = size_argument(info, 0, "subBatch");
  const Place place = place_argument(info, 1);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        if (s >= typed.state->duals()) reject(info.Env(), "no such dual is kept");
        return copy_of<T>(info.Env(), [&typed, place, s] {
          return place.weights ? typed.state->weight_duals(s, place.layer) : typed.state->bias_duals(s, place.layer);
        });
      },
      typed_);
}

// write(block, layer, values) → Promise
Napi::Value GradientTrainer::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Place place = place_argument(info, 0);
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const auto to = [&typed, place] {
          return place.weights ? typed.state->weights(place.layer) : typed.state->biases(place.layer);
        };
        const auto values = std::make_shared<std::vector<T>>(to().size());
        if (copy_numbers<T>(info, 2, "values", *values) >= 0) reject(info.Env(), "values must be finite");
        return later(
            info.Env(), [to, values] { std::copy(values->begin(), values->end(), to().begin()); },
            [](Napi::Env env) { return env.Undefined(); });
      },
      typed_);
}

void GradientTrainer::stop_steps(const Napi::CallbackInfo&) { request_stop(); }

void GradientTrainer::close(const Napi::CallbackInfo& info) { release(info.Env()); }

void GradientTrainer::release(Napi::Env env) {
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
