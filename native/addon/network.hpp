// A trained network as a JavaScript object: forward passes off the event loop.
#pragma once

#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "core/gradient/forward.hpp"
#include "core/layered/types.hpp"

namespace dladmm::addon {

class TrainedNetwork : public Handle<TrainedNetwork> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainedNetwork(const Napi::CallbackInfo& info);
  ~TrainedNetwork() override { end(this->Env()); }
  TrainedNetwork(const TrainedNetwork&) = delete;
  TrainedNetwork& operator=(const TrainedNetwork&) = delete;

 private:
  template <typename T>
  struct Typed {
    std::vector<Matrix<T>> W;
    std::vector<std::vector<T>> b;
    std::vector<LayerParameters<T>> layers;
    std::vector<Workspace<T>> spaces;
  };

  Napi::Value set_layer(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  template <typename T>
  Matrix<T> input_argument(const Napi::CallbackInfo& info);

  Network network_;
  unsigned threads_ = 1;
  std::unique_ptr<Team> team_;
  std::variant<Typed<float>, Typed<double>> typed_;
};

}  // namespace dladmm::addon
