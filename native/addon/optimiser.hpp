// The optimiser of the options { method, … }: every hyperparameter of the method, none left out.
#pragma once

#include "addon/arguments.hpp"
#include "core/gradient/method.hpp"

namespace dladmm::addon {

inline std::size_t sub_batches_from(const Napi::Object& options) {
  constexpr std::size_t most = std::size_t{1} << 16;
  const std::size_t count = member_size(options, "subBatches");
  if (count < 1 || count > most) reject(options.Env(), "subBatches must be from 1 to 65536");
  return count;
}

inline Optimiser optimiser_from(const Napi::Object& options) {
  const std::string method = member_string(options, "method");
  const auto of = [&](const char* name) { return member_number(options, name); };
  if (method == "sgd") return Sgd{of("momentum"), of("dampening"), of("weightDecay"), member_flag(options, "nesterov")};
  if (method == "adagrad") {
    return Adagrad{of("learningRateDecay"), of("weightDecay"), of("initialAccumulator"), of("epsilon")};
  }
  if (method == "adadelta") return Adadelta{of("decay"), of("epsilon"), of("weightDecay")};
  if (method == "adam") {
    return Adam{of("beta1"),
                of("beta2"),
                of("epsilon"),
                of("weightDecay"),
                member_flag(options, "decoupled"),
                member_flag(options, "nesterov")};
  }
  if (method == "schedule-free") {
    return ScheduleFree{of("beta1"), of("beta2"), of("epsilon"), of("weightDecay"), of("averagePower")};
  }
  if (method == "muon") {
    const std::size_t iterations = member_size(options, "newtonSchulz");
    if (iterations > 100) reject(options.Env(), "newtonSchulz must be at most 100");
    return Muon{of("momentum"),  member_flag(options, "nesterov"),
                iterations,      of("weightDecay"),
                of("adamShare"), of("beta1"),
                of("beta2"),     of("epsilon")};
  }
  const auto count = [&](const char* name, std::size_t least) {
    constexpr std::size_t most = (std::size_t{1} << 31) - 1;
    const std::size_t value = member_size(options, name);
    if (value < least || value > most) reject(options.Env(), std::string(name) + " is out of range");
    return value;
  };
  if (method == "soap") {
    return Soap{
        of("beta1"), of("beta2"), of("epsilon"), of("weightDecay"), count("basisEvery", 1), count("largestBasis", 0)};
  }
  if (method == "kfac") {
    return Kfac{of("damping"),      of("dampingDecay"),       count("dampingEvery", 1),
                of("factorMemory"), count("inverseEvery", 1), of("weightDecay")};
  }
  if (method == "isaac") {
    return Isaac{of("damping"), count("turnedLayers", 0), of("momentum"), of("weightDecay")};
  }
  if (method == "badm") {
    return Badm{of("sigma"), of("rho"), of("weightDecay"), sub_batches_from(options), member_flag(options, "duals")};
  }
  if (method == "sisa") {
    return Sisa{of("sigma"), of("rho"), of("beta"), of("epsilon"), of("weightDecay"), sub_batches_from(options)};
  }
  reject(options.Env(), "unknown method");
}

inline Optimiser optimiser_member(const Napi::Object& options) {
  const Napi::Value optimiser = options.Get("optimiser");
  if (!optimiser.IsObject()) reject(options.Env(), "optimiser must be an object");
  return optimiser_from(optimiser.As<Napi::Object>());
}

}  // namespace dladmm::addon
