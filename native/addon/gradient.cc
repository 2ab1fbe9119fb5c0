// Training by gradients as a JavaScript object.
#include <algorithm>

#include "addon/optimiser.hpp"
#include "addon/registry.hpp"
#include "addon/state_handle.hpp"
#include "addon/steps.hpp"
#include "addon/windows.hpp"
#include "core/consensus/trainer.hpp"

namespace dladmm::addon {
namespace {

class GradientTrainer : public Steps<GradientTrainer, Windows<StateHandle<GradientTrainer, Trainer, TrainerSetup>>> {
 public:
  using Steps::Steps;

  static std::vector<Property> properties() {
    return Steps::properties({method("readDual", &GradientTrainer::read_dual)});
  }

  static TrainerSetup setup_from(const Napi::Object& options) {
    TrainerSetup setup;
    take_batches(options, setup);
    setup.reduction = choice<Reduction>(options, "reduction", {{"mean", Reduction::mean}, {"sum", Reduction::sum}});
    setup.optimiser = optimiser_member(options);
    const bool by_factors =
        std::holds_alternative<Kfac>(setup.optimiser) || std::holds_alternative<Isaac>(setup.optimiser);
    if (by_factors && setup.sparse) reject(options.Env(), "the method takes dense features alone");
    setup.regularisers = regularisers_from(options, setup.network);
    const bool by_metric =
        std::holds_alternative<Adam>(setup.optimiser) || std::holds_alternative<Adagrad>(setup.optimiser);
    const bool by_size = std::holds_alternative<Sgd>(setup.optimiser) ||
                         std::holds_alternative<Badm>(setup.optimiser) || std::holds_alternative<Sisa>(setup.optimiser);
    const bool separable = std::ranges::all_of(setup.regularisers, &Regulariser::separable);
    if (!setup.regularisers.empty() && !by_size && !(by_metric && separable)) {
      reject(options.Env(), "the method has no proximal step for these regularisers");
    }
    return setup;
  }

 private:
  // readDual(subBatch, block, layer) → Promise of a typed array, row-major
  Napi::Value read_dual(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const std::size_t s = size_argument(info, 0, "subBatch");
    const Parameter place = place_argument(info, 1);
    return with_state([&]<typename T>(Typed<T>& typed) {
      if (s >= typed.state->duals()) reject(info.Env(), "no such dual is kept");
      const std::span<const T> from = typed.state->dual(s, place.block, place.layer);
      return values_later<T>(info.Env(), from.size(), [from](std::span<T> to) { std::ranges::copy(from, to.begin()); });
    });
  }
};

const Exported<GradientTrainer> exported("GradientTrainer");

}  // namespace
}  // namespace dladmm::addon
