// Mini-batch dlADMM as a JavaScript object.
#pragma once

#include "addon/state_handle.hpp"
#include "core/minibatch/state.hpp"

namespace dladmm::addon {

class Minibatch : public StateHandle<Minibatch, MinibatchState, MinibatchSetup> {
 public:
  static Napi::Function define(Napi::Env env);
  static MinibatchSetup setup_from(const Napi::Object& options);
  explicit Minibatch(const Napi::CallbackInfo& info) : StateHandle(info) {}
  ~Minibatch() override { release(this->Env()); }
  Minibatch(const Minibatch&) = delete;
  Minibatch& operator=(const Minibatch&) = delete;

 private:
  // Weights or biases of a layer.
  struct Place {
    bool weights;
    std::size_t layer;
    std::size_t size;
  };

  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  Place place_argument(const Napi::CallbackInfo& info) const;
};

}  // namespace dladmm::addon
