// Records on their way to JavaScript: one table for each says what its fields are called there. The objects come from
// the tables, and so do the names that a test holds them to (`records` of the classes).
#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <vector>

#include "addon/convert.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/splitting/sweep.hpp"

namespace dladmm::addon {

// A field by its name: a member, or a member of a member.
template <auto... kPath>
struct Field {
  const char* name;
  [[nodiscard]] static const auto& of(const auto& record) { return (record.*....*kPath); }
};

// The table of a record: a tuple of fields. That of a splitting's own records stands beside its class.
template <typename Record>
inline constexpr auto fields = nullptr;

// Losses are summed over the samples.
template <>
inline constexpr auto fields<ForwardLoss> =
    std::tuple{Field<&ForwardLoss::loss>{"loss"}, Field<&ForwardLoss::correct>{"correct"}};

template <>
inline constexpr auto fields<StepsRecord> =
    std::tuple{Field<&StepsRecord::steps>{"steps"},
               Field<&StepsRecord::samples>{"samples"},
               Field<&StepsRecord::loss>{"loss"},
               Field<&StepsRecord::stopped>{"stopped"},
               Field<&StepsRecord::diverged>{"diverged"},
               Field<&StepsRecord::seconds>{"seconds"},
               Field<&StepsRecord::weights, &WeightMeasures::regularisation>{"regularisation"},
               Field<&StepsRecord::weights, &WeightMeasures::zeros>{"zeros"}};

// body(field) for each field of a record.
template <typename Record, typename Body>
void each_field(Body&& body) {
  std::apply([&](const auto&... field) { (body(field), ...); }, fields<Record>);
}

// An entry of an update's record that does not apply.
inline bool is_none(double value) { return std::isnan(value); }
inline bool is_none(int value) { return value == kNoCount; }
inline bool is_none(bool value) { return !value; }

template <typename Record>
Napi::Object to_object(Napi::Env env, const Record& record);

template <typename Value>
Napi::Value to_value(Napi::Env env, const Value& value) {
  if constexpr (std::is_same_v<Value, bool>) {
    return Napi::Boolean::New(env, value);
  } else if constexpr (std::is_arithmetic_v<Value>) {
    return Napi::Number::New(env, static_cast<double>(value));
  } else if constexpr (std::is_same_v<Value, std::vector<double>>) {
    return typed_array<double>(env, value);
  } else {
    return to_object(env, value);
  }
}

template <typename Record>
Napi::Object to_object(Napi::Env env, const Record& record) {
  auto out = Napi::Object::New(env);
  each_field<Record>([&](const auto& field) { out.Set(field.name, to_value(env, field.of(record))); });
  return out;
}

// A sweep: of each update that ran the entries that apply, and no measures where it diverged.
template <typename Record>
Napi::Object sweep_object(Napi::Env env, const Record& record) {
  auto updates = Napi::Array::New(env, record.completed);
  for (std::uint32_t i = 0; i < record.completed; ++i) {
    auto update = Napi::Object::New(env);
    each_field<typename decltype(Record::updates)::value_type>([&](const auto& field) {
      const auto& value = field.of(record.updates[i]);
      if (!is_none(value)) update.Set(field.name, to_value(env, value));
    });
    updates.Set(i, update);
  }
  auto out = Napi::Object::New(env);
  out.Set("updates", updates);
  out.Set("completed", static_cast<double>(record.completed));
  out.Set("stopped", record.stopped);
  out.Set("diverged", record.diverged);
  out.Set("seconds", record.seconds);
  if constexpr (requires { record.work; }) out.Set("work", to_object(env, record.work));
  if (!record.diverged) out.Set("measures", to_object(env, record.measures));
  return out;
}

template <typename Record>
Napi::Array names_of(Napi::Env env) {
  auto names = Napi::Array::New(env);
  each_field<Record>([&](const auto& field) { names.Set(names.Length(), field.name); });
  return names;
}

}  // namespace dladmm::addon
