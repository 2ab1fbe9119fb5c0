// Training of a graph convolutional network by gradients as a JavaScript object.
#pragma once

#include <memory>
#include <optional>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "core/graph/gradient.hpp"

namespace dladmm::addon {

class GraphGradientTrainer : public Handle<GraphGradientTrainer> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit GraphGradientTrainer(const Napi::CallbackInfo& info);
  ~GraphGradientTrainer() override { release(this->Env()); }
  GraphGradientTrainer(const GraphGradientTrainer&) = delete;
  GraphGradientTrainer& operator=(const GraphGradientTrainer&) = delete;

 private:
  // The nodes as they came until the trainer takes them.
  template <typename T>
  struct Typed {
    using Number = T;
    std::optional<GraphSamples<T>> samples;
    std::unique_ptr<GraphTrainer<T>> trainer;

    [[nodiscard]] GraphTrainer<T>& ready() const;
  };

  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value run(const Napi::CallbackInfo& info);
  Napi::Value reset(const Napi::CallbackInfo& info);
  Napi::Value evaluate(const Napi::CallbackInfo& info);
  Napi::Value read(const Napi::CallbackInfo& info);
  Napi::Value write(const Napi::CallbackInfo& info);
  void stop_steps(const Napi::CallbackInfo& info);
  void close(const Napi::CallbackInfo& info);
  static Napi::Value required_bytes(const Napi::CallbackInfo& info);

  // Ends the thread, then frees the memory.
  void release(Napi::Env env);
  [[nodiscard]] std::size_t layer_argument(const Napi::CallbackInfo& info, std::size_t i) const;

  GraphTrainerSetup setup_;
  std::vector<std::int32_t> labels_;
  std::variant<Typed<float>, Typed<double>> typed_;
  double held_bytes_ = 0;
};

}  // namespace dladmm::addon
