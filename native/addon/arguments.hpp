// Arguments from JavaScript, checked. The TypeScript face has checked them once with messages for people; here stands
// what would otherwise corrupt memory.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "addon/errors.hpp"
#include "addon/napi_setup.hpp"

namespace dladmm::addon {

[[noreturn]] inline void reject(Napi::Env env, const std::string& what) {
  throw coded_error(env, "ERR_DLADMM_ARGUMENT", "native addon: " + what);
}

inline double number(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  if (!info[i].IsNumber()) reject(info.Env(), std::string(name) + " must be a number");
  return info[i].As<Napi::Number>().DoubleValue();
}

// A whole number from 0 to 2^53, as a size.
inline std::size_t to_size(Napi::Env env, double value, const char* name) {
  constexpr double limit = 9007199254740992.0;
  if (!(value >= 0 && value <= limit) || value != std::floor(value)) {
    reject(env, std::string(name) + " must be a whole number from 0 to 2^53");
  }
  return static_cast<std::size_t>(value);
}

inline std::size_t size_argument(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  return to_size(info.Env(), number(info, i, name), name);
}

inline double member_number(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsNumber()) reject(object.Env(), std::string(name) + " must be a number");
  return value.As<Napi::Number>().DoubleValue();
}

inline std::size_t member_size(const Napi::Object& object, const char* name) {
  return to_size(object.Env(), member_number(object, name), name);
}

// How many there are of what is allocated for: refused before any work where BLAS and labels cannot count as far.
inline std::size_t counted(Napi::Env env, std::size_t count, const char* name) {
  if (count < 1 || count > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max())) {
    reject(env, std::string(name) + " must be from 1 to 2^31 - 1");
  }
  return count;
}

inline std::size_t member_count(const Napi::Object& object, const char* name) {
  return counted(object.Env(), member_size(object, name), name);
}

inline bool member_flag(const Napi::Object& object, const char* name) { return object.Get(name).ToBoolean(); }

inline std::string member_string(const Napi::Object& object, const char* name) {
  const Napi::Value value = object.Get(name);
  if (!value.IsString()) reject(object.Env(), std::string(name) + " must be a string");
  return value.As<Napi::String>();
}

// One of the words that an option may be, as what it stands for.
template <typename Value>
Value word(Napi::Env env, const Napi::Value& given, const char* name,
           std::initializer_list<std::pair<const char*, Value>> words) {
  const std::string text = given.IsString() ? given.As<Napi::String>().Utf8Value() : "";
  std::string known;
  for (const auto& [word, value] : words) {
    if (text == word) return value;
    known.append(known.empty() ? "" : ", ").append(word);
  }
  reject(env, std::string(name) + " must be one of " + known + ", not \"" + text + '"');
}
template <typename Value>
Value choice(const Napi::Object& object, const char* name, std::initializer_list<std::pair<const char*, Value>> words) {
  return word<Value>(object.Env(), object.Get(name), name, words);
}

inline Napi::Object object_argument(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  if (!info[i].IsObject()) reject(info.Env(), std::string(name) + " must be an object");
  return info[i].As<Napi::Object>();
}

// What read(entry) makes of the entries of an array, of which there must be `count` where that is told.
template <typename Read>
auto list_of(Napi::Env env, const Napi::Value& value, const char* name, Read&& read,
             std::optional<std::size_t> count = {}) {
  if (!value.IsArray()) reject(env, std::string(name) + " must be an array");
  const auto array = value.As<Napi::Array>();
  const std::uint32_t length = array.Length();
  if (count && length != *count) reject(env, std::string(name) + " must have one entry a layer");
  std::vector<decltype(read(Napi::Value()))> out;
  for (std::uint32_t i = 0; i < length; ++i) out.push_back(read(Napi::Value(array.Get(i))));
  return out;
}

inline std::vector<std::size_t> sizes(Napi::Env env, const Napi::Value& value, const char* name) {
  return list_of(env, value, name, [&](const Napi::Value& entry) {
    if (!entry.IsNumber()) reject(env, std::string(name) + " must hold numbers");
    return to_size(env, entry.As<Napi::Number>().DoubleValue(), name);
  });
}

// The numbers of a typed array. A copy: any later look at an object of the caller's may run code that takes the array's
// memory away.
template <typename T>
std::vector<T> copied(Napi::Env env, const Napi::Value& value, const char* name) {
  constexpr bool narrow = std::is_same_v<T, std::int8_t>;
  constexpr auto type = std::is_same_v<T, double> ? napi_float64_array : narrow ? napi_int8_array : napi_int32_array;
  static_assert(narrow || std::is_same_v<T, double> || std::is_same_v<T, std::int32_t>);
  if (!value.IsTypedArray() || value.As<Napi::TypedArray>().TypedArrayType() != type) {
    const char* const kind = narrow ? "Int8Array" : type == napi_int32_array ? "Int32Array" : "Float64Array";
    reject(env, std::string(name) + " must be an array of type " + kind);
  }
  const auto array = value.As<Napi::TypedArrayOf<T>>();
  return {array.Data(), array.Data() + array.ElementLength()};
}

inline std::vector<std::int32_t> int32_argument(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  return copied<std::int32_t>(info.Env(), info[i], name);
}
inline std::vector<double> doubles_argument(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  return copied<double>(info.Env(), info[i], name);
}
inline std::vector<std::int32_t> int32_member(const Napi::Object& options, const char* name) {
  return copied<std::int32_t>(options.Env(), options.Get(name), name);
}
inline std::vector<double> doubles_member(const Napi::Object& options, const char* name) {
  return copied<double>(options.Env(), options.Get(name), name);
}

// What samples count for, one number each.
inline void check_weights(Napi::Env env, std::span<const double> weights, std::size_t samples) {
  if (weights.size() != samples) reject(env, "one weight a sample is needed");
  for (const double weight : weights) {
    if (!(weight >= 0) || !std::isfinite(weight)) reject(env, "weights must be finite and at least 0");
  }
}

// Copies a Float32Array or Float64Array into `to`, whose length it must have. Returns the index of the first value that
// is not finite (in the type of `to`), or −1.
template <typename T>
double copy_values(Napi::Env env, const Napi::Value& values, const char* name, std::span<T> to) {
  if (!values.IsTypedArray()) reject(env, std::string(name) + " must be a typed array");
  const auto array = values.As<Napi::TypedArray>();
  if (array.ElementLength() != to.size()) {
    reject(env, std::string(name) + " must have " + std::to_string(to.size()) + " elements, not " +
                    std::to_string(array.ElementLength()));
  }
  const auto copy = [&](auto* from) -> double {
    // One branch at the end of a cheap sum finds nearly all clean chunks: x − x is 0 for finite x, NaN otherwise.
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t k = 0; k < to.size(); ++k) {
      const T value = static_cast<T>(from[k]);
      to[k] = value;
      doubt += value - value;
    }
    if (doubt == 0) return -1;
    for (std::size_t k = 0; k < to.size(); ++k) {
      if (!std::isfinite(to[k])) return static_cast<double>(k);
    }
    return -1;
  };
  switch (array.TypedArrayType()) {
    case napi_float32_array:
      return copy(array.As<Napi::Float32Array>().Data());
    case napi_float64_array:
      return copy(array.As<Napi::Float64Array>().Data());
    default:
      reject(env, std::string(name) + " must be a Float32Array or a Float64Array");
  }
}

// The same for an argument.
template <typename T>
double copy_numbers(const Napi::CallbackInfo& info, std::size_t i, const char* name, std::span<T> to) {
  return copy_values<T>(info.Env(), info[i], name, to);
}

}  // namespace dladmm::addon
