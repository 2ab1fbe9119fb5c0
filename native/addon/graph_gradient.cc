// Training of a graph convolutional network by gradients as a JavaScript object.
#include "addon/graph_handle.hpp"
#include "addon/optimiser.hpp"
#include "addon/registry.hpp"
#include "addon/steps.hpp"
#include "core/graph/gradient.hpp"

namespace dladmm::addon {
namespace {

class GraphGradientTrainer
    : public Steps<GraphGradientTrainer, GraphHandle<GraphGradientTrainer, GraphTrainer, GraphTrainerSetup>> {
 public:
  using Steps::Steps;

  static bool exists(Parameter place, std::size_t depth) {
    return Steps::exists(place, depth) && place.block == ParameterBlock::W;
  }

  static GraphTrainerSetup setup_from(const Napi::Object& options) {
    const Napi::Env env = options.Env();
    GraphTrainerSetup setup;
    setup.network = network_from(options);
    if (!setup.network.loss.classifies()) reject(env, "the loss must be one of classes");
    setup.threads = threads_from(options);
    setup.reduction = choice<Reduction>(options, "reduction", {{"mean", Reduction::mean}, {"sum", Reduction::sum}});
    setup.dropout = member_number(options, "dropout");
    if (!(setup.dropout >= 0 && setup.dropout < 1)) reject(env, "dropout must be from 0 to below 1");
    setup.seed = static_cast<std::uint32_t>(member_size(options, "seed"));
    setup.optimiser = optimiser_member(options);
    if (!by_slices(setup.optimiser)) reject(env, "the method is for samples alone");
    setup.weight_decay = doubles_member(options, "weightDecay");
    if (setup.weight_decay.size() != setup.network.layers()) reject(env, "one weight decay a layer is needed");
    return setup;
  }
};

const Exported<GraphGradientTrainer> exported("GraphGradientTrainer");

}  // namespace
}  // namespace dladmm::addon
