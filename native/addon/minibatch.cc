// Mini-batch dlADMM as a JavaScript object.
#include <cmath>

#include "addon/registry.hpp"
#include "addon/state_handle.hpp"
#include "addon/steps.hpp"
#include "addon/windows.hpp"
#include "core/minibatch/state.hpp"

namespace dladmm::addon {
namespace {

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
  gram.rank = member_count(options, "rank");
  gram.beta = member_number(options, "beta");
  if (!(gram.beta >= 0 && gram.beta < 1)) reject(env, "beta must be from 0 to below 1");
  gram.damping = member_number(options, "damping");
  gram.l2 = member_number(options, "l2");
  for (const double value : {gram.damping, gram.l2}) {
    if (!(value >= 0) || !std::isfinite(value)) reject(env, "damping and l2 must be finite and at least 0");
  }
  return gram;
}

OutputMetric output_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  OutputMetric output;
  output.used = choice<bool>(options, "factors", {{"input", false}, {"both", true}});
  output.damping = member_number(options, "outputDamping");
  output.trust = member_number(options, "trustRegion");
  for (const double value : {output.damping, output.trust}) {
    if (!(value > 0) || !std::isfinite(value)) reject(env, "outputDamping and trustRegion must be finite and above 0");
  }
  return output;
}

class Minibatch : public Steps<Minibatch, Windows<StateHandle<Minibatch, MinibatchState, MinibatchSetup>>> {
 public:
  using Steps::Steps;

  static MinibatchSetup setup_from(const Napi::Object& options) {
    const Napi::Env env = options.Env();
    MinibatchSetup setup;
    take_batches(options, setup);
    setup.weighted = member_flag(options, "weighted");
    setup.gram = gram_from(options);
    setup.output = output_from(options);
    setup.gram_every = member_count(options, "gramEvery");
    setup.momentum = member_number(options, "momentum");
    if (!(setup.momentum >= 0 && setup.momentum < 1)) reject(env, "momentum must be from 0 to below 1");
    setup.nesterov = member_flag(options, "nesterov");
    setup.bias_correction = member_flag(options, "biasCorrection");
    setup.polyak = member_number(options, "polyak");
    if (!(setup.polyak >= 0) || !std::isfinite(setup.polyak)) reject(env, "polyak must be finite and at least 0");
    setup.schedule_free = member_flag(options, "scheduleFree");
    if (setup.schedule_free && setup.momentum == 0) reject(env, "a schedule-free training needs a momentum above 0");
    setup.sweep = sweep_from(options, setup.network.layers());
    setup.regularisers = regularisers_from(options, setup.network);
    if (setup.output.used && !setup.regularisers.empty())
      reject(env, "both factors are for networks without regularisers");
    if (setup.schedule_free && !setup.regularisers.empty())
      reject(env, "schedule-free trainings are of networks without regularisers");
    return setup;
  }
};

const Exported<Minibatch> exported("Minibatch");

}  // namespace
}  // namespace dladmm::addon
