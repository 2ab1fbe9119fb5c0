// A trained graph convolutional network as a JavaScript object: outputs for the nodes of a graph.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "core/graph/forward.hpp"

namespace dladmm::addon {

class TrainedGraphNetwork : public Handle<TrainedGraphNetwork> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit TrainedGraphNetwork(const Napi::CallbackInfo& info);
  ~TrainedGraphNetwork() override { release(this->Env()); }
  TrainedGraphNetwork(const TrainedGraphNetwork&) = delete;
  TrainedGraphNetwork& operator=(const TrainedGraphNetwork&) = delete;

 private:
  template <typename T>
  struct Typed {
    std::vector<Matrix<T>> W;  // n_{l-1} x n_l
  };

  Napi::Value set_layer(const Napi::CallbackInfo& info);
  Napi::Value predict(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // Ends the jobs, then frees the weights.
  void release(Napi::Env env);

  Network network_;
  std::unique_ptr<Team> team_;
  std::variant<Typed<float>, Typed<double>> typed_;
};

}  // namespace dladmm::addon
