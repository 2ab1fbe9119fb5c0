#include "addon/layered.hpp"

#include <algorithm>
#include <cmath>

namespace dladmm::addon {
namespace {

// An array of kinds of step, one for each of `layers` layers.
std::vector<StepKind> steps_from(const Napi::Object& options, const char* name, std::size_t layers) {
  const Napi::Env env = options.Env();
  const Napi::Value value = options.Get(name);
  if (!value.IsArray()) reject(env, std::string(name) + " must be an array");
  const auto array = value.As<Napi::Array>();
  if (array.Length() != layers) reject(env, std::string(name) + " must have one entry a layer");
  std::vector<StepKind> steps;
  for (std::uint32_t i = 0; i < layers; ++i) {
    steps.push_back(word<StepKind>(env, array.Get(i), name,
                                   {{"quadratic", StepKind::quadratic},
                                    {"pseudoinverse", StepKind::pseudoinverse},
                                    {"inverse", StepKind::inverse},
                                    {"cholesky", StepKind::cholesky}}));
  }
  return steps;
}

Penalties penalties_from(const Napi::Object& options) {
  Penalties p;
  p.nu = member_number(options, "nu");
  p.gamma = member_number(options, "gamma");
  p.rho = member_number(options, "rho");
  p.l2 = member_number(options, "l2");
  p.search =
      choice<StepSearch>(options, "search", {{"exact", StepSearch::exact}, {"backtracking", StepSearch::backtracking}});
  p.theta0 = member_number(options, "theta0");
  p.tau0 = member_number(options, "tau0");
  p.growth = member_number(options, "growth");
  // The doubling loop must end.
  const auto usable = [](double value) { return value > 0 && std::isfinite(value); };
  if (!usable(p.nu) || !usable(p.gamma) || !usable(p.rho) || !usable(p.theta0) || !usable(p.tau0) || !(p.l2 >= 0)) {
    reject(options.Env(), "penalties and step sizes must be positive and finite");
  }
  if (!(p.growth > 1.001) || !std::isfinite(p.growth)) reject(options.Env(), "growth must be above 1.001");
  p.output = choice<OutputSolver>(options, "output", {{"exact", OutputSolver::exact}, {"fista", OutputSolver::fista}});
  p.fista.step = member_number(options, "fistaStep");
  p.fista.tolerance = member_number(options, "fistaTolerance");
  p.fista.limit = static_cast<int>(std::min<std::size_t>(member_size(options, "fistaLimit"), 1'000'000));
  return p;
}

template <typename Values>
Napi::Float64Array numbers(Napi::Env env, const Values& values) {
  auto out = new_array<double>(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Object to_object(Napi::Env env, const Measures& m) {
  auto out = Napi::Object::New(env);
  out.Set("residual", numbers(env, m.residual));
  out.Set("activation", numbers(env, m.activation));
  out.Set("loss", m.loss);
  out.Set("regularisation", m.regularisation);
  out.Set("dualProduct", m.dual_product);
  out.Set("dualNorm", m.dual_norm);
  out.Set("dualIdentity", m.dual_identity);
  out.Set("lagrangian", m.lagrangian);
  return out;
}

// Update records as one flat array, nine numbers an update: size, kappa, step norm, steps, stationarity, ridge, rank,
// factor seconds, seconds.
Napi::Object to_object(Napi::Env env, const SweepRecord& record) {
  std::vector<double> flat;
  flat.reserve(record.updates.size() * 9);
  for (const UpdateRecord& it : record.updates) {
    flat.insert(flat.end(), {it.size, it.kappa, it.step_norm, static_cast<double>(it.steps), it.stationarity, it.ridge,
                             static_cast<double>(it.rank), it.factor_seconds, it.seconds});
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

LayeredSetup Layered::setup_from(const Napi::Object& options) {
  LayeredSetup setup;
  setup.network = network_from(options);
  setup.samples = member_size(options, "samples");
  if (setup.samples == 0) reject(options.Env(), "samples must be at least 1");
  setup.threads = threads_from(options);
  setup.gram = member_flag(options, "gram");
  setup.fista = member_flag(options, "fista");
  setup.joint_bias = member_flag(options, "jointBias");
  setup.multiplier =
      choice<Multiplier>(options, "multiplier", {{"residual", Multiplier::residual}, {"output", Multiplier::output}});
  const std::size_t layers = setup.network.layers();
  setup.steps = {steps_from(options, "stepsW", layers), steps_from(options, "stepsA", layers - 1)};
  for (const StepKind kind : setup.steps.a) {
    if (kind == StepKind::pseudoinverse) reject(options.Env(), "a has no pseudoinverse step");
  }
  return setup;
}

Napi::Function Layered::define(Napi::Env env) {
  return DefineClass(env, "Layered",
                     properties({
                         InstanceMethod<&Layered::start>("start"),
                         InstanceMethod<&Layered::run>("run"),
                         InstanceMethod<&Layered::measure>("measure"),
                         InstanceMethod<&Layered::refresh>("refresh"),
                         InstanceMethod<&Layered::read>("read"),
                         InstanceMethod<&Layered::write>("write"),
                     }));
}

Update Layered::checked_update(Napi::Env env, double block, double layer) const {
  if (!(block >= 0 && block <= static_cast<double>(Block::u))) reject(env, "unknown block");
  const Update update{static_cast<Block>(static_cast<int>(block)), to_size(env, layer, "layer")};
  const std::size_t depth = setup().network.layers();
  const bool exists = update.layer >= 1 && update.layer <= depth &&
                      (update.block != Block::a || update.layer < depth) &&
                      (update.block != Block::u || update.layer == depth);
  if (!exists) reject(env, "that block does not exist in this layer");
  return update;
}

Update Layered::block_argument(const Napi::CallbackInfo& info, std::size_t i) const {
  return checked_update(info.Env(), number(info, i, "block"), number(info, i + 1, "layer"));
}

Napi::Value Layered::start(const Napi::CallbackInfo& info) {
  const Napi::Object options = object_argument(info, 0, "options");
  Start start;
  start.output = choice<OutputStart>(options, "output",
                                     {{"forward", OutputStart::forward},
                                      {"signed-labels", OutputStart::signed_labels},
                                      {"gaussian", OutputStart::gaussian}});
  if (start.output == OutputStart::signed_labels && !setup().network.loss.classifies()) {
    reject(info.Env(), "signed labels need a classification loss");
  }
  start.hidden =
      choice<HiddenStart>(options, "hidden", {{"forward", HiddenStart::forward}, {"gaussian", HiddenStart::gaussian}});
  start.dual = choice<DualStart>(options, "dual", {{"zero", DualStart::zero}, {"stationary", DualStart::stationary}});
  start.seed = member_size(options, "seed");
  return later_with_state(info.Env(), [start](auto& typed) { typed.state->start(start); });
}

// run(updates: Int32Array of (block, layer) pairs, penalties) → Promise of a sweep record
Napi::Value Layered::run(const Napi::CallbackInfo& info) {
  const auto pairs = int32_argument(info, 0, "updates");
  if (pairs.size() % 2 != 0) reject(info.Env(), "updates must be pairs of block and layer");
  std::vector<Update> updates;
  for (std::size_t i = 0; i < pairs.size(); i += 2) {
    updates.push_back(checked_update(info.Env(), pairs[i], pairs[i + 1]));
  }
  const Penalties penalties = penalties_from(object_argument(info, 1, "penalties"));
  if (penalties.output == OutputSolver::fista && !setup().fista)
    reject(info.Env(), "this state was made without fista");
  return run_later<SweepRecord>(
      info.Env(),
      [this, updates = std::move(updates), penalties](auto& typed, SweepRecord& record) {
        typed.state->run(updates, penalties, stop(), record);
      },
      [](Napi::Env env, const SweepRecord& record) { return to_object(env, record); });
}

Napi::Value Layered::measure(const Napi::CallbackInfo& info) {
  const Penalties penalties = penalties_from(object_argument(info, 0, "penalties"));
  return answer_later<Measures>(
      info.Env(), [penalties](auto& typed, Measures& measures) { typed.state->measure(penalties, measures); },
      [](Napi::Env env, const Measures& measures) { return to_object(env, measures); });
}

Napi::Value Layered::refresh(const Napi::CallbackInfo& info) {
  return later_with_state(info.Env(), [](auto& typed) { typed.state->refresh(); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Layered::read(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Update which = block_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return values_later<T>(info.Env(), typed.state->size_of(which.block, which.layer),
                           [&typed, which](std::span<T> to) { typed.state->read(which.block, which.layer, to); });
  });
}

// write(block, layer, values) → Promise
Napi::Value Layered::write(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Update which = block_argument(info, 0);
  return with_state([&]<typename T>(Typed<T>& typed) {
    return take_later<T>(
        info, 2, typed.state->size_of(which.block, which.layer),
        [&typed, which](std::span<const T> from) { typed.state->write(which.block, which.layer, from); });
  });
}

}  // namespace dladmm::addon
