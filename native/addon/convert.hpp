// Options from JavaScript objects, results back to them.
#pragma once

#include <algorithm>
#include <span>

#include "addon/arguments.hpp"
#include "core/functions/proximal.hpp"
#include "core/gradient/network.hpp"

namespace dladmm::addon {

inline bool wants_float32(const Napi::Object& options) {
  return choice<bool>(options, "dtype", {{"float32", true}, {"float64", false}});
}

// What make() gives; what it throws, as a JavaScript error.
template <typename Make>
auto coded(Napi::Env env, Make&& make) {
  try {
    return make();
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
}

// make(T{}) in the type that the options ask for, float or double.
template <typename Make>
auto in_type_of(const Napi::Object& options, Make&& make) {
  return coded(options.Env(), [&] { return wants_float32(options) ? make(float{}) : make(double{}); });
}

// { widths, activation, slope, loss, lossParameter, softmax }; 1 where lossParameter is absent
inline Network network_from(const Napi::Object& options) {
  const Napi::Env env = options.Env();
  Network network;
  network.widths = sizes(env, options.Get("widths"), "widths");
  if (network.widths.size() < 2) reject(env, "widths must have at least two entries");
  for (const std::size_t width : network.widths) static_cast<void>(counted(env, width, "every width"));
  network.activation.slope = member_number(options, "slope");
  network.activation.kind = choice<ActivationKind>(options, "activation",
                                                   {{"rectifier", ActivationKind::rectifier},
                                                    {"sigmoid", ActivationKind::sigmoid},
                                                    {"tanh", ActivationKind::tanh},
                                                    {"elu", ActivationKind::elu},
                                                    {"silu", ActivationKind::silu},
                                                    {"gelu", ActivationKind::gelu},
                                                    {"softplus", ActivationKind::softplus}});
  if (network.activation.kind == ActivationKind::elu && !(network.activation.slope > 0)) {
    reject(env, "the slope of elu must be above 0");
  }
  network.loss = {choice<LossKind>(options, "loss",
                                   {{"softmax-cross-entropy", LossKind::softmax_cross_entropy},
                                    {"squared-error", LossKind::squared_error},
                                    {"one-hot-squared-error", LossKind::one_hot_squared_error},
                                    {"hinge", LossKind::hinge},
                                    {"sigmoid-cross-entropy", LossKind::sigmoid_cross_entropy},
                                    {"huber", LossKind::huber},
                                    {"absolute", LossKind::absolute},
                                    {"quantile", LossKind::quantile},
                                    {"poisson", LossKind::poisson}}),
                  choice<Softmax>(options, "softmax", {{"stable", Softmax::stable}, {"reference", Softmax::reference}}),
                  options.Has("lossParameter") ? member_number(options, "lossParameter") : 1};
  const auto [kind, softmax, parameter] = network.loss;
  if (kind == LossKind::huber && !(parameter > 0)) reject(env, "lossParameter of huber must be above 0");
  if (kind == LossKind::quantile && !(parameter > 0 && parameter < 1)) {
    reject(env, "lossParameter of quantile must lie between 0 and 1");
  }
  return network;
}

// [{ l1, l2, inputs, neurons, lower, upper, neuronNorm, norm, nuclear,
// spectralNorm, zeroSum, neuronSigns, inputSigns, equal, centre, kept }, …], one a
// layer, with infinities where there is no bound; none where absent
inline std::vector<Regulariser> regularisers_from(const Napi::Object& options, const Network& network) {
  const Napi::Env env = options.Env();
  if (options.Get("regularisers").IsUndefined()) return {};
  std::size_t layer = 1;
  const auto read = [&](const Napi::Value& entry) {
    if (layer > network.layers()) reject(env, "regularisers must have one entry a layer");
    if (!entry.IsObject()) reject(env, "a regulariser must be an object");
    const auto of = entry.As<Napi::Object>();
    Regulariser out;
    out.l1 = member_number(of, "l1");
    out.l2 = member_number(of, "l2");
    out.inputs = member_number(of, "inputs");
    out.neurons = member_number(of, "neurons");
    out.lower = member_number(of, "lower");
    out.upper = member_number(of, "upper");
    out.neuron_norm = member_number(of, "neuronNorm");
    out.norm = member_number(of, "norm");
    out.nuclear = member_number(of, "nuclear");
    out.spectral_norm = member_number(of, "spectralNorm");
    out.zero_sum = member_flag(of, "zeroSum");
    if (of.Has("neuronSigns")) {
      const auto signs = [&](const char* name, std::size_t count) {
        const auto read = int32_member(of, name);
        const bool legal = read.size() == count && std::all_of(read.begin(), read.end(), [](std::int32_t sign) {
                             return sign >= -1 && sign <= 1;
                           });
        if (!legal) reject(env, std::string(name) + " must have −1, 0 or 1 for each");
        return std::vector<std::int8_t>(read.begin(), read.end());
      };
      out.neuron_signs = signs("neuronSigns", network.outputs(layer));
      out.input_signs = signs("inputSigns", network.inputs(layer));
    }
    if (of.Has("equal")) {
      // The number of its group from 1 for every input, 0 where it is alone.
      const auto read = int32_member(of, "equal");
      if (read.size() != network.inputs(layer)) reject(env, "equal must have a number for each input");
      const auto count = static_cast<std::int32_t>(read.size());
      for (std::size_t k = 0; k < read.size(); ++k) {
        if (read[k] < 0 || read[k] > count) reject(env, "equal must have numbers of groups");
        if (read[k] == 0) continue;
        const auto group = static_cast<std::size_t>(read[k]);
        if (out.equal.size() < group) out.equal.resize(group);
        out.equal[group - 1].push_back(static_cast<std::uint32_t>(k));
      }
      if (std::ranges::any_of(out.equal, [](const auto& group) { return group.size() < 2; }))
        reject(env, "equal must have two inputs at least in each group");
    }
    const std::size_t entries = network.outputs(layer) * network.inputs(layer);
    if (of.Has("centre")) {
      out.centre = doubles_member(of, "centre");
      const bool legal = out.centre.size() == entries &&
                         std::ranges::all_of(out.centre, [](double x) { return std::isfinite(static_cast<float>(x)); });
      if (!legal) reject(env, "centre must have a finite number for each weight");
    }
    if (of.Has("kept")) {
      const auto read = int32_member(of, "kept");
      if (read.size() != entries) reject(env, "kept must have a number for each weight");
      for (const std::int32_t is : read) out.kept.push_back(is == 0 ? 0 : 1);
    }
    ++layer;
    if (!out.closed()) reject(env, "these terms of a regulariser have no proximal step");
    return out;
  };
  return list_of(env, options.Get("regularisers"), "regularisers", read, network.layers());
}

inline unsigned threads_from(const Napi::Object& options) {
  constexpr std::size_t most = 1 << 16;
  return static_cast<unsigned>(std::clamp<std::size_t>(member_size(options, "threads"), 1, most));
}

// A new Float32Array, Float64Array or Int32Array. Made by its constructor and not by Node-API, which ends the process
// where memory is short; the constructor throws.
template <typename T>
Napi::TypedArrayOf<T> new_array(Napi::Env env, std::size_t length) {
  constexpr bool whole_numbers = std::is_same_v<T, std::int32_t>;
  constexpr bool single = std::is_same_v<T, float>;
  static_assert(whole_numbers || single || std::is_same_v<T, double>);
  constexpr auto kind = whole_numbers ? napi_int32_array : single ? napi_float32_array : napi_float64_array;
  constexpr auto* name = whole_numbers ? "Int32Array" : single ? "Float32Array" : "Float64Array";
  const Napi::Value made = [&] {
    const Napi::Value type = env.Global().Get(name);
    if (!type.IsFunction()) reject(env, "there are no typed arrays");
    try {
      return Napi::Value(type.As<Napi::Function>().New({Napi::Number::New(env, static_cast<double>(length))}));
    } catch (const Napi::Error&) {
      throw std::bad_alloc();
    }
  }();
  const bool whole = made.IsTypedArray() && made.As<Napi::TypedArray>().TypedArrayType() == kind &&
                     made.As<Napi::TypedArray>().ElementLength() == length;
  if (!whole) reject(env, "the global constructors of typed arrays have been replaced");
  return made.As<Napi::TypedArrayOf<T>>();
}

// A copy of the values as a Float32Array, Float64Array or Int32Array.
template <typename T>
Napi::Value typed_array(Napi::Env env, std::span<const T> values) {
  auto out = new_array<T>(env, values.size());
  std::copy(values.begin(), values.end(), out.Data());
  return out;
}

}  // namespace dladmm::addon
