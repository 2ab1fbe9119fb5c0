// The layered splitting as a JavaScript object.
#pragma once

#include "addon/state_handle.hpp"
#include "core/layered/state.hpp"

namespace dladmm::addon {

class Layered : public StateHandle<Layered, LayeredState, LayeredSetup> {
 public:
  static Napi::Function define(Napi::Env env);
  static LayeredSetup setup_from(const Napi::Object& options);
  explicit Layered(const Napi::CallbackInfo& info) : StateHandle(info) {}
  ~Layered() override { release(this->Env()); }
  Layered(const Layered&) = delete;
  Layered& operator=(const Layered&) = delete;

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value refresh(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  Update block_argument(const Napi::CallbackInfo& info, std::size_t i) const;
  Update checked_update(Napi::Env env, double block, double layer) const;
};

}  // namespace dladmm::addon
