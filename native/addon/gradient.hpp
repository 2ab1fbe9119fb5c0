// Training by gradients as a JavaScript object.
#pragma once

#include "addon/state_handle.hpp"
#include "core/consensus/trainer.hpp"

namespace dladmm::addon {

class GradientTrainer : public StateHandle<GradientTrainer, Trainer, TrainerSetup> {
 public:
  static Napi::Function define(Napi::Env env);
  static TrainerSetup setup_from(const Napi::Object& options);
  explicit GradientTrainer(const Napi::CallbackInfo& info) : StateHandle(info) {}
  ~GradientTrainer() override { release(this->Env()); }
  GradientTrainer(const GradientTrainer&) = delete;
  GradientTrainer& operator=(const GradientTrainer&) = delete;

 private:
  // Weights or biases of a layer.
  struct Place {
    bool weights;
    std::size_t layer;
  };

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value read_dual(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  template <typename T>
  static std::span<T> values_at(Typed<T>& typed, Place place) {
    return place.weights ? typed.state->weights(place.layer) : typed.state->biases(place.layer);
  }

  Place place_argument(const Napi::CallbackInfo& info, std::size_t i) const;
};

}  // namespace dladmm::addon
