// The layered splitting as a JavaScript object.
#include <algorithm>
#include <cmath>
#include <limits>

#include "addon/registry.hpp"
#include "addon/state_handle.hpp"
#include "addon/sweeps.hpp"
#include "core/layered/state.hpp"

namespace dladmm::addon {

template <>
inline constexpr auto fields<UpdateRecord> = std::tuple{Field<&UpdateRecord::size>{"size"},
                                                        Field<&UpdateRecord::kappa>{"kappa"},
                                                        Field<&UpdateRecord::step_norm>{"stepNorm"},
                                                        Field<&UpdateRecord::steps>{"steps"},
                                                        Field<&UpdateRecord::stationarity>{"stationarity"},
                                                        Field<&UpdateRecord::ridge>{"ridge"},
                                                        Field<&UpdateRecord::rank>{"rank"},
                                                        Field<&UpdateRecord::factor_seconds>{"factorSeconds"},
                                                        Field<&UpdateRecord::seconds>{"seconds"}};
template <>
inline constexpr auto fields<Measures> = std::tuple{Field<&Measures::residual>{"residual"},
                                                    Field<&Measures::activation>{"activation"},
                                                    Field<&Measures::loss>{"loss"},
                                                    Field<&Measures::regularisation>{"regularisation"},
                                                    Field<&Measures::zeros>{"zeros"},
                                                    Field<&Measures::dual_product>{"dualProduct"},
                                                    Field<&Measures::dual_norm>{"dualNorm"},
                                                    Field<&Measures::dual_identity>{"dualIdentity"},
                                                    Field<&Measures::lagrangian>{"lagrangian"}};

namespace {

// An array of kinds of step, one for each of `layers` layers.
std::vector<StepKind> steps_from(const Napi::Object& options, const char* name, std::size_t layers) {
  const Napi::Env env = options.Env();
  const auto kind = [&](const Napi::Value& entry) {
    return word<StepKind>(env, entry, name,
                          {{"quadratic", StepKind::quadratic},
                           {"pseudoinverse", StepKind::pseudoinverse},
                           {"inverse", StepKind::inverse},
                           {"cholesky", StepKind::cholesky}});
  };
  return list_of(env, options.Get(name), name, kind, layers);
}

class Layered : public Sweeps<Layered, StateHandle<Layered, LayeredState, LayeredSetup>, Update, SweepRecord> {
 public:
  using Sweeps::Sweeps;

  static std::vector<Property> properties() { return Sweeps::properties({method("start", &Layered::start)}); }

  static LayeredSetup setup_from(const Napi::Object& options) {
    auto setup = setup_on_samples<LayeredSetup>(options);
    setup.gram = member_flag(options, "gram");
    setup.fista = member_flag(options, "fista");
    setup.proximal = member_flag(options, "proximal");
    setup.spectral = member_flag(options, "spectral");
    setup.joint_bias = member_flag(options, "jointBias");
    setup.multiplier =
        choice<Multiplier>(options, "multiplier", {{"residual", Multiplier::residual}, {"output", Multiplier::output}});
    if (options.Has("file")) {
      setup.file =
          static_cast<int>(std::min<std::size_t>(member_size(options, "file"), std::numeric_limits<int>::max()));
      setup.held_bytes = static_cast<double>(member_size(options, "heldBytes"));
    }
    setup.share = share_from(options, setup.samples);
    const std::size_t layers = setup.network.layers();
    setup.steps = {steps_from(options, "stepsW", layers), steps_from(options, "stepsA", layers - 1)};
    for (const StepKind kind : setup.steps.a) {
      if (kind == StepKind::pseudoinverse) reject(options.Env(), "a has no pseudoinverse step");
    }
    return setup;
  }

  static bool exists(Update update, std::size_t depth) {
    return update.block <= Block::u && update.layer >= 1 && update.layer <= depth &&
           (update.block != Block::a || update.layer < depth) && (update.block != Block::u || update.layer == depth);
  }

  [[nodiscard]] Penalties penalties_from(const Napi::Object& options) const {
    Penalties p;
    take_search(options, p);
    p.gamma = member_number(options, "gamma");
    p.l2 = member_number(options, "l2");
    if (!(p.gamma > 0) || !std::isfinite(p.gamma) || !(p.l2 >= 0)) {
      reject(options.Env(), "penalties must be positive and finite");
    }
    p.output =
        choice<OutputSolver>(options, "output", {{"exact", OutputSolver::exact}, {"fista", OutputSolver::fista}});
    p.fista.step = member_number(options, "fistaStep");
    p.fista.tolerance = member_number(options, "fistaTolerance");
    p.fista.limit = static_cast<int>(std::min<std::size_t>(member_size(options, "fistaLimit"), 1'000'000));
    p.regularisers = regularisers_from(options, setup().network);
    return p;
  }

  void check_run(Napi::Env env, const std::vector<Update>&, const Penalties& penalties) const {
    if (penalties.output == OutputSolver::fista && !setup().fista) reject(env, "this state was made without fista");
    if (!penalties.regularisers.empty() && !setup().proximal) reject(env, "this state was made without proximal");
    for (const Regulariser& it : penalties.regularisers) {
      if (it.spectral() && !setup().spectral) reject(env, "this state was made without spectral");
    }
  }

 private:
  Napi::Value start(const Napi::CallbackInfo& info) {
    const Napi::Object options = object_argument(info, 0, "options");
    Start start;
    start.output = choice<OutputStart>(options, "output",
                                       {{"forward", OutputStart::forward},
                                        {"signed-labels", OutputStart::signed_labels},
                                        {"gaussian", OutputStart::gaussian}});
    if (start.output == OutputStart::signed_labels && !setup().network.loss.classifies()) {
      reject(info.Env(), "signed labels need a classification loss");
    }
    start.hidden = choice<HiddenStart>(options, "hidden",
                                       {{"forward", HiddenStart::forward}, {"gaussian", HiddenStart::gaussian}});
    start.dual = choice<DualStart>(options, "dual", {{"zero", DualStart::zero}, {"stationary", DualStart::stationary}});
    start.seed = member_size(options, "seed");
    return later_with_state(info.Env(), [start](auto& typed) { typed.state->start(start); });
  }
};

const Exported<Layered> exported("Layered");

}  // namespace
}  // namespace dladmm::addon
