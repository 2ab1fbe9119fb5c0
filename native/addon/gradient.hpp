// Training by gradients as a JavaScript object.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/samples.hpp"
#include "core/consensus/trainer.hpp"

namespace dladmm::addon {

class GradientTrainer : public Handle<GradientTrainer> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit GradientTrainer(const Napi::CallbackInfo& info);
  ~GradientTrainer() override { release(this->Env()); }
  GradientTrainer(const GradientTrainer&) = delete;
  GradientTrainer& operator=(const GradientTrainer&) = delete;

 private:
  template <typename T>
  using Typed = WithSets<T, Trainer<T>>;

  // Weights or biases of a layer.
  struct Place {
    bool weights;
    std::size_t layer;
  };

  Napi::Value load_input(const Napi::CallbackInfo& info);
  Napi::Value load_targets(const Napi::CallbackInfo& info);
  Napi::Value load_labels(const Napi::CallbackInfo& info);
  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value read_dual(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void stop_steps(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  static Napi::Value required_bytes(const Napi::CallbackInfo& info);

  // Ends the thread, then frees the memory.
  void release(Napi::Env env);
  double set_argument(const Napi::CallbackInfo& info) const;
  Place place_argument(const Napi::CallbackInfo& info, std::size_t i) const;
  template <typename T, typename Find>
  Napi::Value copy_of(Napi::Env env, Find find);

  TrainerSetup setup_;
  std::variant<Typed<float>, Typed<double>> typed_;
  double held_bytes_ = 0;
};

}  // namespace dladmm::addon
