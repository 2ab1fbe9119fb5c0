// The splitting that keeps all constraints, as a JavaScript object.
#include <cmath>

#include "addon/registry.hpp"
#include "addon/state_handle.hpp"
#include "addon/sweeps.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::addon {

using namespace constraints;

template <>
inline constexpr auto fields<UpdateRecord> =
    std::tuple{Field<&UpdateRecord::curvature>{"curvature"}, Field<&UpdateRecord::step_norm>{"stepNorm"},
               Field<&UpdateRecord::ridge>{"ridge"}, Field<&UpdateRecord::factor_seconds>{"factorSeconds"},
               Field<&UpdateRecord::seconds>{"seconds"}};
template <>
inline constexpr auto fields<Measures> = std::tuple{Field<&Measures::residual>{"residual"},
                                                    Field<&Measures::stationary_W>{"stationaryW"},
                                                    Field<&Measures::stationary_V>{"stationaryV"},
                                                    Field<&Measures::loss>{"loss"},
                                                    Field<&Measures::regularisation>{"regularisation"},
                                                    Field<&Measures::dual_product>{"dualProduct"},
                                                    Field<&Measures::dual_identity>{"dualIdentity"},
                                                    Field<&Measures::kkt>{"kkt"},
                                                    Field<&Measures::lagrangian>{"lagrangian"}};
// Products over the samples by kind, Cholesky factors, and the floating-point operations of all of them.
template <>
inline constexpr auto fields<Work> =
    std::tuple{Field<&Work::gradient>{"gradient"}, Field<&Work::image>{"image"}, Field<&Work::back>{"back"},
               Field<&Work::gram>{"gram"},         Field<&Work::solve>{"solve"}, Field<&Work::factor>{"factor"},
               Field<&Work::flops>{"flops"}};

namespace {

class Constraints : public Sweeps<Constraints, StateHandle<Constraints, State, Setup>, Update, SweepRecord> {
 public:
  using Sweeps::Sweeps;

  static Setup setup_from(const Napi::Object& options) {
    auto setup = setup_on_samples<Setup>(options);
    if (!std::isfinite(bounds_of(setup.network.activation.kind).value)) {
      reject(options.Env(), "the activation must be sigmoid or tanh");
    }
    const LossKind loss = setup.network.loss.kind;
    if (loss != LossKind::squared_error && loss != LossKind::one_hot_squared_error) {
      reject(options.Env(), "the loss must be a squared error");
    }
    return setup;
  }

  static bool exists(Update update, std::size_t depth) {
    return update.block <= Block::b && update.layer >= 1 && update.layer <= depth;
  }

  [[nodiscard]] Penalties penalties_from(const Napi::Object& options) const {
    const Napi::Env env = options.Env();
    Penalties p;
    p.majoriser = choice<Majoriser>(options, "majoriser", {{"paper", Majoriser::bound}, {"code", Majoriser::largest}});
    const auto by_layer = [&](const char* name) {
      const auto weight = [&](const Napi::Value& entry) {
        const double value = entry.IsNumber() ? entry.As<Napi::Number>().DoubleValue() : -1;
        if (!(value >= 0) || !std::isfinite(value)) reject(env, std::string(name) + " must be finite and at least 0");
        return value;
      };
      return list_of(env, options.Get(name), name, weight, setup().network.layers());
    };
    p.lambda = by_layer("lambda");
    p.beta = by_layer("beta");
    for (const double beta : p.beta) {
      if (!(beta > 0)) reject(env, "beta must be positive");
    }
    return p;
  }

  static void check_run(Napi::Env env, const std::vector<Update>& updates, const Penalties&) {
    for (const Update& update : updates) {
      if (update.block == Block::b) reject(env, "b is updated with W");
    }
  }
};

const Exported<Constraints> exported("Constraints");

}  // namespace
}  // namespace dladmm::addon
