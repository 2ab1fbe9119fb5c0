// The graph splitting as a JavaScript object.
#pragma once

#include <vector>

#include "addon/graph_handle.hpp"
#include "core/graph/state.hpp"

namespace dladmm::addon {

class Graph : public GraphHandle<Graph, GraphState, GraphSetup> {
 public:
  static Napi::Function define(Napi::Env env);
  static GraphSetup setup_from(const Napi::Object& options);
  explicit Graph(const Napi::CallbackInfo& info) : GraphHandle(info) {}
  ~Graph() override { release(this->Env()); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

 private:
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value refresh(const Napi::CallbackInfo& info);
  Napi::Value product_seconds(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);

  [[nodiscard]] GraphUpdate checked_update(Napi::Env env, double block, double layer) const;
  [[nodiscard]] std::vector<GraphUpdate> updates_argument(const Napi::CallbackInfo& info) const;
  [[nodiscard]] GraphPenalties penalties_argument(const Napi::CallbackInfo& info, std::size_t i) const;
};

}  // namespace dladmm::addon
