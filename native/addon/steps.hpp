// Steps of a training by gradients, on their way from and to JavaScript.
#pragma once

#include <vector>

#include "addon/arguments.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm::addon {

// A Float64Array of one learning rate, or of one for each of `count` steps.
inline std::vector<double> rates_argument(const Napi::CallbackInfo& info, std::size_t i, std::size_t count) {
  std::vector<double> rates = doubles_argument(info, i, "rates");
  if (rates.size() != 1 && rates.size() != count) reject(info.Env(), "one learning rate is needed, or one a step");
  return rates;
}

inline Napi::Object steps_object(Napi::Env env, const StepsRecord& record) {
  auto out = Napi::Object::New(env);
  out.Set("steps", static_cast<double>(record.steps));
  out.Set("samples", static_cast<double>(record.samples));
  out.Set("loss", record.loss);
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  return out;
}

}  // namespace dladmm::addon
