// The layered splitting as a JavaScript object.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/samples.hpp"
#include "core/layered/state.hpp"

namespace dladmm::addon {

class Layered : public Handle<Layered> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Layered(const Napi::CallbackInfo& info);
  ~Layered() override { release(this->Env()); }
  Layered(const Layered&) = delete;
  Layered& operator=(const Layered&) = delete;

 private:
  template <typename T>
  using Typed = WithSets<T, LayeredState<T>>;

  Napi::Value load_input(const Napi::CallbackInfo& info);
  Napi::Value load_targets(const Napi::CallbackInfo& info);
  Napi::Value load_labels(const Napi::CallbackInfo& info);
  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value refresh(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void stop_sweep(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  static Napi::Value required_bytes(const Napi::CallbackInfo& info);

  // Ends the thread, then frees the memory.
  void release(Napi::Env env);
  double set_argument(const Napi::CallbackInfo& info) const;
  Update block_argument(const Napi::CallbackInfo& info, std::size_t i) const;
  Update checked_update(Napi::Env env, double block, double layer) const;

  LayeredSetup setup_;
  std::variant<Typed<float>, Typed<double>> typed_;
  double held_bytes_ = 0;
};

}  // namespace dladmm::addon
