// The graph splitting as a JavaScript object.
#include <cmath>
#include <utility>
#include <vector>

#include "addon/graph_handle.hpp"
#include "addon/registry.hpp"
#include "addon/sweeps.hpp"
#include "core/graph/state.hpp"

namespace dladmm::addon {

template <>
inline constexpr auto fields<GraphUpdateRecord> = std::tuple{Field<&GraphUpdateRecord::size>{"size"},
                                                             Field<&GraphUpdateRecord::kappa>{"kappa"},
                                                             Field<&GraphUpdateRecord::step_norm>{"stepNorm"},
                                                             Field<&GraphUpdateRecord::trials>{"trials"},
                                                             Field<&GraphUpdateRecord::kept>{"kept"},
                                                             Field<&GraphUpdateRecord::steps>{"steps"},
                                                             Field<&GraphUpdateRecord::stationarity>{"stationarity"},
                                                             Field<&GraphUpdateRecord::ridge>{"ridge"},
                                                             Field<&GraphUpdateRecord::seconds>{"seconds"}};
template <>
inline constexpr auto fields<GraphMeasures> =
    std::tuple{Field<&GraphMeasures::residual>{"residual"},
               Field<&GraphMeasures::output, &OutputMeasures::loss>{"loss"},
               Field<&GraphMeasures::regularisation>{"regularisation"},
               Field<&GraphMeasures::output, &OutputMeasures::dual_product>{"dualProduct"},
               Field<&GraphMeasures::output, &OutputMeasures::dual_norm>{"dualNorm"},
               Field<&GraphMeasures::output, &OutputMeasures::dual_identity>{"dualIdentity"},
               Field<&GraphMeasures::lagrangian>{"lagrangian"}};

namespace {

class Graph : public Sweeps<Graph, GraphHandle<Graph, GraphState, GraphSetup>, GraphUpdate, GraphSweepRecord> {
 public:
  using Sweeps::Sweeps;

  static std::vector<Property> properties() {
    return Sweeps::properties({method("start", &Graph::start), method("productSeconds", &Graph::product_seconds)});
  }

  static GraphSetup setup_from(const Napi::Object& options) {
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

  static bool exists(GraphUpdate update, std::size_t depth) {
    return update.block <= GraphBlock::U && update.layer >= 1 && update.layer <= depth &&
           (update.block != GraphBlock::U || update.layer == depth);
  }

  [[nodiscard]] GraphPenalties penalties_from(const Napi::Object& options) const {
    const Napi::Env env = options.Env();
    GraphPenalties p;
    take_search(options, p);
    p.l2 = doubles_member(options, "l2");
    if (p.l2.size() != setup().network.layers()) reject(env, "l2 must have one number a layer");
    for (const double value : p.l2) {
      if (!(value >= 0) || !std::isfinite(value)) reject(env, "l2 must not be negative");
    }
    return p;
  }

 private:
  // start('zero' or 'stationary') → Promise
  Napi::Value start(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    if (!info[0].IsString()) reject(info.Env(), "dual must be a string");
    const GraphDual dual =
        info[0].As<Napi::String>().Utf8Value() == "stationary" ? GraphDual::stationary : GraphDual::zero;
    return later_with_state(info.Env(), [dual](auto& typed) { typed.state->start(dual); });
  }

  // productSeconds(updates, repeats) → Promise of the seconds that the products of a sweep take; for benchmarks.
  Napi::Value product_seconds(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    auto updates = updates_argument(info);
    const int repeats = static_cast<int>(std::clamp<std::size_t>(size_argument(info, 1, "repeats"), 1, 1000));
    return answer_later<double>(
        info.Env(),
        [updates = std::move(updates), repeats](auto& typed, double& seconds) {
          seconds = typed.state->product_seconds(updates, repeats);
        },
        to_value<double>);
  }
};

const Exported<Graph> exported("Graph");

}  // namespace
}  // namespace dladmm::addon
