// Options from JavaScript objects, results back to them.
#pragma once

#include <algorithm>
#include <span>

#include "addon/arguments.hpp"
#include "core/layered/types.hpp"

namespace dladmm::addon {

inline bool wants_float32(const Napi::Object& options) { return member_string(options, "dtype") == "float32"; }

// { widths, activation, slope, loss, softmax }
inline Network network_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  Network network;
  network.widths = sizes(env, options.Get("widths"), "widths");
  if (network.widths.size() < 2) reject(env, "widths must have at least two entries");
  for (const std::size_t width : network.widths) {
    if (width == 0 || width > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
      reject(env, "every width must be from 1 to 2^31 - 1");
    }
  }
  const std::string activation = member_string(options, "activation");
  network.activation = {member_number(options, "slope"), activation == "sigmoid" ? ActivationKind::sigmoid
                                                         : activation == "tanh"  ? ActivationKind::tanh
                                                                                 : ActivationKind::rectifier};
  const std::string loss = member_string(options, "loss");
  network.loss.kind = loss == "squared-error"           ? LossKind::squared_error
                      : loss == "one-hot-squared-error" ? LossKind::one_hot_squared_error
                      : loss == "hinge"                 ? LossKind::hinge
                                                        : LossKind::softmax_cross_entropy;
  network.loss.softmax = member_string(options, "softmax") == "reference" ? Softmax::reference : Softmax::stable;
  return network;
}

inline unsigned threads_from(const Napi::Object& options) {
  return static_cast<unsigned>(std::clamp<std::size_t>(member_size(options, "threads"), 1, 64));
}

// A copy of the values as a Float32Array or Float64Array.
template <typename T>
Napi::Value typed_array(Napi::Env env, std::span<const T> values) {
  using Array = std::conditional_t<std::is_same_v<T, float>, Napi::Float32Array, Napi::Float64Array>;
  auto out = Array::New(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

}  // namespace dladmm::addon
