// The splitting that keeps all constraints, as a JavaScript object.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/samples.hpp"
#include "core/constraints/state.hpp"

namespace dladmm::addon {

class Constraints : public Handle<Constraints> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Constraints(const Napi::CallbackInfo& info);
  ~Constraints() override { release(this->Env()); }
  Constraints(const Constraints&) = delete;
  Constraints& operator=(const Constraints&) = delete;

 private:
  template <typename T>
  using Typed = WithSets<T, constraints::State<T>>;

  Napi::Value load_input(const Napi::CallbackInfo& info);
  Napi::Value load_targets(const Napi::CallbackInfo& info);
  Napi::Value load_labels(const Napi::CallbackInfo& info);
  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void stop_sweep(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  static Napi::Value required_bytes(const Napi::CallbackInfo& info);

  // Ends the thread, then frees the memory.
  void release(Napi::Env env);
  double set_argument(const Napi::CallbackInfo& info) const;
  constraints::Update block_argument(const Napi::CallbackInfo& info, std::size_t i) const;
  constraints::Update checked_block(Napi::Env env, double block, double layer) const;
  constraints::Penalties penalties_from(const Napi::Object& options) const;

  constraints::Setup setup_;
  std::variant<Typed<float>, Typed<double>> typed_;
  double held_bytes_ = 0;
};

}  // namespace dladmm::addon
