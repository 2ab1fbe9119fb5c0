// BADM and SISA for parameters and gradients that come from elsewhere.
#pragma once

#include <variant>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/convert.hpp"
#include "core/gradient/method.hpp"

namespace dladmm::addon {

// Works on the caller's arrays, on the caller's thread: nobody else may touch them meanwhile.
class BadmOptimizer : public Napi::ObjectWrap<BadmOptimizer> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit BadmOptimizer(const Napi::CallbackInfo& info);

 private:
  template <typename T>
  struct Typed {
    Buffer<T> state;
    std::vector<const T*> parts;  // the gradients of the tensor at work
  };

  Napi::Value step(const Napi::CallbackInfo& info);
  Napi::Value dual(const Napi::CallbackInfo& info);
  void reset(const Napi::CallbackInfo& info);

  std::vector<Napi::Value> entries(Napi::Env env, const Napi::Value& value) const;
  template <typename T>
  std::vector<std::span<T>> tensors(Napi::Env env, const std::vector<Napi::Value>& entries) const;

  std::vector<std::size_t> sizes_;    // of the tensors
  std::vector<std::size_t> offsets_;  // of each in a vector of all parameters
  std::size_t count_ = 0;
  std::variant<Badm, Sisa> method_;
  std::size_t sub_batches_ = 1;
  std::vector<double> weights_;  // α_s
  std::uint64_t step_number_ = 0;
  std::variant<Typed<float>, Typed<double>> typed_;
};

}  // namespace dladmm::addon
