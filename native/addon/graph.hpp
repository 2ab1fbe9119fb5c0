// The graph splitting as a JavaScript object.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "core/graph/state.hpp"

namespace dladmm::addon {

class Graph : public Handle<Graph> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit Graph(const Napi::CallbackInfo& info);
  ~Graph() override { release(this->Env()); }
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

 private:
  // The graph as it came, until prepare() makes a state of it.
  template <typename T>
  struct Typed {
    using Number = T;
    GraphData<T> data;
    std::unique_ptr<GraphState<T>> state;
  };

  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value allocate(const Napi::CallbackInfo& info);
  Napi::Value start(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value measure(const Napi::CallbackInfo& info);
  Napi::Value refresh(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value product_seconds(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void stop_sweep(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);

  // Ends the thread, then frees the memory.
  void release(Napi::Env env);
  void need_allocated(Napi::Env env) const;
  [[nodiscard]] GraphUpdate checked_update(Napi::Env env, double block, double layer) const;
  [[nodiscard]] std::vector<GraphUpdate> updates_argument(const Napi::CallbackInfo& info) const;
  [[nodiscard]] GraphPenalties penalties_argument(const Napi::CallbackInfo& info, std::size_t i) const;

  GraphSetup setup_;
  std::vector<std::int32_t> labels_;
  std::variant<Typed<float>, Typed<double>> typed_;
  bool prepared_ = false;
  bool allocated_ = false;
  double held_bytes_ = 0;
};

}  // namespace dladmm::addon
