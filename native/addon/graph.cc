#include "addon/graph.hpp"

#include <cmath>
#include <utility>

namespace dladmm::addon {

GraphSetup Graph::setup_from(const Napi::Object& options) {
  GraphSetup setup;
  setup.network = network_from(options);
  if (!setup.network.loss.classifies()) reject(options.Env(), "the loss must be one of classes");
  setup.threads = threads_from(options);
  setup.output_weights = choice<OutputWeights>(
      options, "outputWeights", {{"quadratic", OutputWeights::quadratic}, {"cholesky", OutputWeights::cholesky}});
  const bool exact = setup.output_weights == OutputWeights::cholesky;
  if (exact && setup.network.layers() < 2) reject(options.Env(), "an exact W_L needs a hidden layer");
  return setup;
}

namespace {

template <typename Values>
Napi::Float64Array numbers(Napi::Env env, const Values& values) {
  auto out = new_array<double>(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Object to_object(Napi::Env env, const GraphMeasures& m) {
  auto out = Napi::Object::New(env);
  out.Set("residual", numbers(env, m.residual));
  out.Set("loss", m.output.loss);
  out.Set("regularisation", m.regularisation);
  out.Set("dualProduct", m.output.dual_product);
  out.Set("dualNorm", m.output.dual_norm);
  out.Set("dualIdentity", m.output.dual_identity);
  out.Set("lagrangian", m.lagrangian);
  return out;
}

// Update records as one flat array, nine numbers an update: size, kappa, step norm, trials, kept, steps, stationarity,
// ridge, seconds.
Napi::Object to_object(Napi::Env env, const GraphSweepRecord& record) {
  std::vector<double> flat;
  flat.reserve(record.updates.size() * 9);
  for (const GraphUpdateRecord& it : record.updates) {
    flat.insert(flat.end(), {it.size, it.kappa, it.step_norm, static_cast<double>(it.trials), it.kept ? 1.0 : 0.0,
                             static_cast<double>(it.steps), it.stationarity, it.ridge, it.seconds});
  }
  auto out = Napi::Object::New(env);
  out.Set("updates", numbers(env, flat));
  out.Set("completed", static_cast<double>(record.completed));
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  if (!record.diverged) out.Set("measures", to_object(env, record.measures));
  return out;
}

}  // namespace

Napi::Function Graph::define(Napi::Env env) {
  return DefineClass(env, "Graph",
                     properties({
                         InstanceMethod<&Graph::start>("start"),
                         InstanceMethod<&Graph::run>("run"),
                         InstanceMethod<&Graph::measure>("measure"),
                         InstanceMethod<&Graph::refresh>("refresh"),
                         InstanceMethod<&Graph::product_seconds>("productSeconds"),
                         InstanceMethod<&Graph::read>("read"),
                         InstanceMethod<&Graph::write>("write"),
                     }));
}

GraphUpdate Graph::checked_update(Napi::Env env, double block, double layer) const {
  if (!(block >= 0 && block <= static_cast<double>(GraphBlock::U))) reject(env, "unknown block");
  const GraphUpdate update{static_cast<GraphBlock>(static_cast<int>(block)), to_size(env, layer, "layer")};
  const std::size_t depth = setup().network.layers();
  const bool exists =
      update.layer >= 1 && update.layer <= depth && (update.block != GraphBlock::U || update.layer == depth);
  if (!exists) reject(env, "that block does not exist in this layer");
  return update;
}

GraphPenalties Graph::penalties_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  const Napi::Object options = object_argument(info, i, "penalties");
  const Napi::Env env = info.Env();
  GraphPenalties p;
  p.nu = member_number(options, "nu");
  p.rho = member_number(options, "rho");
  p.theta0 = member_number(options, "theta0");
  p.tau0 = member_number(options, "tau0");
  p.growth = member_number(options, "growth");
  p.search =
      choice<StepSearch>(options, "search", {{"exact", StepSearch::exact}, {"backtracking", StepSearch::backtracking}});
  const auto usable = [](double value) { return value > 0 && std::isfinite(value); };
  if (!usable(p.nu) || !usable(p.rho) || !usable(p.theta0) || !usable(p.tau0)) {
    reject(env, "penalties and step sizes must be positive and finite");
  }
  // The doubling loop must end.
  if (!(p.growth > 1.001) || !std::isfinite(p.growth)) reject(env, "growth must be above 1.001");
  const auto l2 = doubles_member(options, "l2");
  if (l2.size() != setup().network.layers()) reject(env, "l2 must have one number a layer");
  for (const double value : l2) {
    if (!(value >= 0) || !std::isfinite(value)) reject(env, "l2 must not be negative");
  }
  p.l2.assign(l2.begin(), l2.end());
  return p;
}

// start('zero' or 'stationary') → Promise
Napi::Value Graph::start(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  if (!info[0].IsString()) reject(info.Env(), "dual must be a string");
  const GraphDual dual =
      info[0].As<Napi::String>().Utf8Value() == "stationary" ? GraphDual::stationary : GraphDual::zero;
  return later_with_state(info.Env(), [dual](auto& typed) { typed.state->start(dual); });
}

// An Int32Array of (block, layer) pairs.
std::vector<GraphUpdate> Graph::updates_argument(const Napi::CallbackInfo& info) const {
  const auto pairs = int32_argument(info, 0, "updates");
  if (pairs.size() % 2 != 0) reject(info.Env(), "updates must be pairs of block and layer");
  std::vector<GraphUpdate> updates;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    updates.push_back(checked_update(info.Env(), pairs[i], pairs[i + 1]));
  }
  return updates;
}

// productSeconds(updates, repeats) → Promise of the seconds that the products of a sweep take; for benchmarks.
Napi::Value Graph::product_seconds(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  auto updates = updates_argument(info);
  const int repeats = static_cast<int>(std::clamp<std::size_t>(size_argument(info, 1, "repeats"), 1, 1000));
  return answer_later<double>(
      info.Env(),
      [updates = std::move(updates), repeats](auto& typed, double& seconds) {
        seconds = typed.state->product_seconds(updates, repeats);
      },
      [](Napi::Env env, double seconds) { return Napi::Number::New(env, seconds); });
}

// run(updates, penalties) → Promise of a sweep record
Napi::Value Graph::run(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  auto updates = updates_argument(info);
  auto penalties = penalties_argument(info, 1);
  return run_later<GraphSweepRecord>(
      info.Env(),
      [this, updates = std::move(updates), penalties = std::move(penalties)](auto& typed, GraphSweepRecord& record) {
        typed.state->run(updates, penalties, stop(), record);
      },
      [](Napi::Env env, const GraphSweepRecord& record) { return to_object(env, record); });
}

Napi::Value Graph::measure(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  auto penalties = penalties_argument(info, 0);
  return answer_later<GraphMeasures>(
      info.Env(),
      [penalties = std::move(penalties)](auto& typed, GraphMeasures& measures) {
        typed.state->measure(penalties, measures);
      },
      [](Napi::Env env, const GraphMeasures& measures) { return to_object(env, measures); });
}

Napi::Value Graph::refresh(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->refresh(); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Graph::read(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  const GraphUpdate which = checked_update(info.Env(), number(info, 0, "block"), number(info, 1, "layer"));
  return with_state([&]<typename T>(Typed<T>& typed) {
    return values_later<T>(info.Env(), typed.state->size_of(which.block, which.layer),
                           [&typed, which](std::span<T> to) { typed.state->read(which.block, which.layer, to); });
  });
}

// write(block, layer, values) → Promise
Napi::Value Graph::write(const Napi::CallbackInfo& info) {
  need_ready(info.Env());
  const GraphUpdate which = checked_update(info.Env(), number(info, 0, "block"), number(info, 1, "layer"));
  return with_state([&]<typename T>(Typed<T>& typed) {
    return take_later<T>(
        info, 2, typed.state->size_of(which.block, which.layer),
        [&typed, which](std::span<const T> from) { typed.state->write(which.block, which.layer, from); });
  });
}

}  // namespace dladmm::addon
