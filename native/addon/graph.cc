#include "addon/graph.hpp"

#include <cmath>
#include <stdexcept>
#include <utility>

#include "addon/graph_data.hpp"
#include "addon/samples.hpp"

namespace dladmm::addon {
namespace {

GraphSetup setup_from(const Napi::Object& options) {
  GraphSetup setup;
  setup.network = network_from(options);
  if (!setup.network.loss.classifies()) reject(options.Env(), "the loss must be one of classes");
  setup.threads = threads_from(options);
  setup.output_weights =
      choice<OutputWeights>(options, "outputWeights",
                            {{"quadratic", OutputWeights::quadratic}, {"cholesky", OutputWeights::cholesky}});
  const bool exact = setup.output_weights == OutputWeights::cholesky;
  if (exact && setup.network.layers() < 2) reject(options.Env(), "an exact W_L needs a hidden layer");
  return setup;
}

template <typename Values>
Napi::Float64Array numbers(Napi::Env env, const Values& values) {
  auto out = Napi::Float64Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

Napi::Object to_object(Napi::Env env, const GraphMeasures& m) {
  auto out = Napi::Object::New(env);
  out.Set("residual", numbers(env, m.residual));
  out.Set("loss", m.loss);
  out.Set("regularisation", m.regularisation);
  out.Set("dualProduct", m.dual_product);
  out.Set("dualNorm", m.dual_norm);
  out.Set("dualIdentity", m.dual_identity);
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
                     {
                         InstanceMethod<&Graph::prepare>("prepare"),
                         InstanceMethod<&Graph::allocate>("allocate"),
                         InstanceMethod<&Graph::start>("start"),
                         InstanceMethod<&Graph::run>("run"),
                         InstanceMethod<&Graph::measure>("measure"),
                         InstanceMethod<&Graph::refresh>("refresh"),
                         InstanceMethod<&Graph::evaluate>("evaluate"),
                         InstanceMethod<&Graph::product_seconds>("productSeconds"),
                         InstanceMethod<&Graph::read>("read"),
                         InstanceMethod<&Graph::write>("write"),
                         InstanceMethod<&Graph::stop_sweep>("stop"),
                         InstanceMethod<&Graph::close>("close"),
                     });
}

Graph::Graph(const Napi::CallbackInfo& info) : Handle<Graph>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  setup_ = setup_from(options);
  try {
    if (wants_float32(options)) {
      typed_ = Typed<float>{graph_data<float>(options, setup_.network), nullptr};
    } else {
      typed_ = Typed<double>{graph_data<double>(options, setup_.network), nullptr};
    }
    labels_ = std::visit([](const auto& typed) { return typed.data.labels; }, typed_);
    start_jobs(env, JobQueue::Kind::training);
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
}

void Graph::need_allocated(Napi::Env env) const {
  need_open(env);
  if (!allocated_) reject(env, "allocate() has not come to its end");
}

GraphUpdate Graph::checked_update(Napi::Env env, double block, double layer) const {
  if (!(block >= 0 && block <= static_cast<double>(GraphBlock::U))) reject(env, "unknown block");
  const GraphUpdate update{static_cast<GraphBlock>(static_cast<int>(block)), to_size(env, layer, "layer")};
  const std::size_t depth = setup_.network.layers();
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
  p.search = choice<SizeSearch>(options, "search",
                                {{"exact", SizeSearch::exact}, {"backtracking", SizeSearch::backtracking}});
  const auto usable = [](double value) { return value > 0 && std::isfinite(value); };
  if (!usable(p.nu) || !usable(p.rho) || !usable(p.theta0) || !usable(p.tau0)) {
    reject(env, "penalties and step sizes must be positive and finite");
  }
  // The doubling loop must end.
  if (!(p.growth > 1.001) || !std::isfinite(p.growth)) reject(env, "growth must be above 1.001");
  const auto l2 = doubles_member(options, "l2");
  if (l2.size() != setup_.network.layers()) reject(env, "l2 must have one number a layer");
  for (const double value : l2) {
    if (!(value >= 0) || !std::isfinite(value)) reject(env, "l2 must not be negative");
  }
  p.l2.assign(l2.begin(), l2.end());
  return p;
}

// prepare() → Promise of { bytes, nodes }: normalises the adjacency and finds the nodes of every layer; how many bytes
// allocate() will take, and how many nodes each layer 0 … L is kept on.
Napi::Value Graph::prepare(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  if (prepared_) reject(info.Env(), "prepare() comes once");
  prepared_ = true;
  return later(
      info.Env(),
      [this] {
        std::visit(
            [&]<typename T>(Typed<T>& typed) {
              typed.state = std::make_unique<GraphState<T>>(setup_, std::exchange(typed.data, {}));
            },
            typed_);
      },
      [this](Napi::Env env) -> Napi::Value {
        auto out = Napi::Object::New(env);
        auto nodes = Napi::Array::New(env);
        std::visit(
            [&](const auto& typed) {
              out.Set("bytes", typed.state->required_bytes());
              for (std::size_t l = 0; l <= setup_.network.layers(); ++l) {
                nodes.Set(static_cast<std::uint32_t>(l), static_cast<double>(typed.state->nodes(l).size()));
              }
            },
            typed_);
        out.Set("nodes", nodes);
        return out;
      });
}

Napi::Value Graph::allocate(const Napi::CallbackInfo& info) {
  return later(
      info.Env(),
      [this] {
        std::visit(
            [](auto& typed) {
              if (typed.state == nullptr) throw std::logic_error("prepare() has not come to its end");
              typed.state->allocate();
            },
            typed_);
      },
      [this](Napi::Env env) {
        if (!allocated_) {
          held_bytes_ = std::visit([](const auto& typed) { return typed.state->required_bytes(); }, typed_);
          Napi::MemoryManagement::AdjustExternalMemory(env, static_cast<std::int64_t>(held_bytes_));
        }
        allocated_ = true;
        return env.Undefined();
      });
}

// start('zero' or 'stationary') → Promise
Napi::Value Graph::start(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  if (!info[0].IsString()) reject(info.Env(), "dual must be a string");
  const GraphDual dual =
      info[0].As<Napi::String>().Utf8Value() == "stationary" ? GraphDual::stationary : GraphDual::zero;
  return later(
      info.Env(), [this, dual] { std::visit([&](auto& typed) { typed.state->start(dual); }, typed_); },
      [](Napi::Env env) { return env.Undefined(); });
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
  need_allocated(info.Env());
  auto updates = updates_argument(info);
  const int repeats = static_cast<int>(std::clamp<std::size_t>(size_argument(info, 1, "repeats"), 1, 1000));
  const auto seconds = std::make_shared<double>();
  return later(
      info.Env(),
      [this, updates = std::move(updates), repeats, seconds] {
        std::visit([&](auto& typed) { *seconds = typed.state->product_seconds(updates, repeats); }, typed_);
      },
      [seconds](Napi::Env env) { return Napi::Number::New(env, *seconds); });
}

// run(updates, penalties) → Promise of a sweep record
Napi::Value Graph::run(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  auto updates = updates_argument(info);
  const auto penalties = std::make_shared<GraphPenalties>(penalties_argument(info, 1));
  const auto record = std::make_shared<GraphSweepRecord>();
  return later(
      info.Env(),
      [this, updates = std::move(updates), penalties, record] {
        std::visit([&](auto& typed) { typed.state->run(updates, *penalties, stop(), *record); }, typed_);
      },
      [record](Napi::Env env) { return to_object(env, *record); });
}

Napi::Value Graph::measure(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  const auto penalties = std::make_shared<GraphPenalties>(penalties_argument(info, 0));
  const auto measures = std::make_shared<GraphMeasures>();
  return later(
      info.Env(),
      [this, penalties, measures] {
        std::visit([&](auto& typed) { typed.state->measure(*penalties, *measures); }, typed_);
      },
      [measures](Napi::Env env) { return to_object(env, *measures); });
}

Napi::Value Graph::refresh(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  return later(
      info.Env(), [this] { std::visit([](auto& typed) { typed.state->refresh(); }, typed_); },
      [](Napi::Env env) { return env.Undefined(); });
}

// evaluate(nodes: Int32Array) → Promise of { loss, correct }: loss summed over the nodes, which have a class.
Napi::Value Graph::evaluate(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  const auto nodes = int32_argument(info, 0, "nodes");
  check_nodes(info.Env(), nodes, labels_, setup_.network.loss.classes(setup_.network.widths.back()));
  const auto copy = std::make_shared<std::vector<std::int32_t>>(nodes.begin(), nodes.end());
  const auto result = std::make_shared<ForwardLoss>();
  return later(
      info.Env(),
      [this, copy, result] { std::visit([&](auto& typed) { *result = typed.state->evaluate(*copy); }, typed_); },
      [result](Napi::Env env) { return evaluation_object(env, *result); });
}

// read(block, layer) → Promise of a typed array, row-major
Napi::Value Graph::read(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  const GraphUpdate which = checked_update(info.Env(), number(info, 0, "block"), number(info, 1, "layer"));
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        const auto copy = std::make_shared<std::vector<T>>(typed.state->size_of(which.block, which.layer));
        return later(
            info.Env(), [&typed, which, copy] { typed.state->read(which.block, which.layer, *copy); },
            [copy](Napi::Env env) { return typed_array<T>(env, *copy); });
      },
      typed_);
}

// write(block, layer, values) → Promise
Napi::Value Graph::write(const Napi::CallbackInfo& info) {
  need_allocated(info.Env());
  const GraphUpdate which = checked_update(info.Env(), number(info, 0, "block"), number(info, 1, "layer"));
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

void Graph::stop_sweep(const Napi::CallbackInfo&) { request_stop(); }

void Graph::close(const Napi::CallbackInfo& info) { release(info.Env()); }

void Graph::release(Napi::Env env) {
  if (!end(env)) return;
  std::visit(
      [](auto& typed) {
        typed.data = {};
        typed.state.reset();
      },
      typed_);
  if (allocated_) Napi::MemoryManagement::AdjustExternalMemory(env, -static_cast<std::int64_t>(held_bytes_));
}

}  // namespace dladmm::addon
