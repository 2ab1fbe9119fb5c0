// Training by gradients as a JavaScript object.

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
    if (setup.sparse &&
        (std::holds_alternative<Kfac>(setup.optimiser) || std::holds_alternative<Isaac>(setup.optimiser))) {
      reject(options.Env(), "the method takes dense features alone");
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
