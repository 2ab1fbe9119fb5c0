// A trained network as a JavaScript object: forward passes, on the event loop for a few samples and off it for many.
#pragma once

#include <memory>
#include <variant>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "core/serving/served_network.hpp"

namespace dladmm::addon {

class TrainedNetwork : public Handle<TrainedNetwork> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainedNetwork(const Napi::CallbackInfo& info);
  ~TrainedNetwork() override { release(this->Env()); }
  TrainedNetwork(const TrainedNetwork&) = delete;
  TrainedNetwork& operator=(const TrainedNetwork&) = delete;

 private:
  Napi::Value set_layer(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value predict_now(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // Ends the jobs, then frees the weights.
  void release(Napi::Env env);
  template <typename T>
  Matrix<T> input_argument(const Napi::CallbackInfo& info);

  Network network_;
  // One of the two, by the type; made once, as both have large storage of their own.
  std::variant<std::unique_ptr<ServedNetwork<float>>, std::unique_ptr<ServedNetwork<double>>> served_;
};

}  // namespace dladmm::addon
