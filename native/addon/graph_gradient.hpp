// Training of a graph convolutional network by gradients as a JavaScript object.
#pragma once

#include "addon/graph_handle.hpp"
#include "core/graph/gradient.hpp"

namespace dladmm::addon {

class GraphGradientTrainer : public GraphHandle<GraphGradientTrainer, GraphTrainer, GraphTrainerSetup> {
 public:
  static Napi::Function define(Napi::Env env);
  static GraphTrainerSetup setup_from(const Napi::Object& options);
  explicit GraphGradientTrainer(const Napi::CallbackInfo& info) : GraphHandle(info) {}
  ~GraphGradientTrainer() override { release(this->Env()); }
  GraphGradientTrainer(const GraphGradientTrainer&) = delete;
  GraphGradientTrainer& operator=(const GraphGradientTrainer&) = delete;

 private:
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  [[nodiscard]] std::size_t layer_argument(const Napi::CallbackInfo& info) const;
};

}  // namespace dladmm::addon
