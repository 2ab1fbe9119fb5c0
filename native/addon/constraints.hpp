// The splitting that keeps all constraints, as a JavaScript object.
#pragma once

#include "addon/state_handle.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::addon {

class Constraints : public StateHandle<Constraints, constraints::State, constraints::Setup> {
 public:
  static Napi::Function define(Napi::Env env);
  static constraints::Setup setup_from(const Napi::Object& options);
  explicit Constraints(const Napi::CallbackInfo& info) : StateHandle(info) {}
  ~Constraints() override { release(this->Env()); }
  Constraints(const Constraints&) = delete;
  Constraints& operator=(const Constraints&) = delete;

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  constraints::Update block_argument(const Napi::CallbackInfo& info, std::size_t i) const;
  constraints::Update checked_block(Napi::Env env, double block, double layer) const;
  constraints::Penalties penalties_from(const Napi::Object& options) const;
};

}  // namespace dladmm::addon
