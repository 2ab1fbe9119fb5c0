// Sparse matrices from JavaScript: { rows, columns, indptr: Float64Array, indices: Int32Array, values } with values a
// Float32Array or a Float64Array. Copied, and checked as if nobody had.
#pragma once

#include <cstdint>
#include <string>

#include "addon/arguments.hpp"
#include "core/linalg/sparse.hpp"

namespace dladmm::addon {

inline std::string text_of(const CsrFault& fault) {
  const std::string at = std::to_string(fault.at);
  switch (fault.defect) {
    case CsrDefect::too_large:
      return "has more rows or columns than 2^31 - 1";
    case CsrDefect::indptr_length:
      return "has " + at + " numbers in indptr in place of rows + 1";
    case CsrDefect::indptr_start:
      return "has an indptr that does not begin with 0";
    case CsrDefect::indptr_decreases:
      return "has an indptr that decreases after row " + at;
    case CsrDefect::indptr_end:
      return "has an indptr that does not end with the number of indices";
    case CsrDefect::values_length:
      return "has " + at + " values, which is not the number of indices";
    case CsrDefect::index_range:
      return "has an index out of range at entry " + at;
    case CsrDefect::not_finite:
      return "has a value that is not finite at entry " + at;
  }
  return "is damaged";
}

template <typename T>
Csr<T> csr_member(const Napi::Object& options, const char* name) {
  const Napi::Env env = options.Env();
  if (!options.Get(name).IsObject()) reject(env, std::string(name) + " must be an object");
  const auto object = options.Get(name).As<Napi::Object>();
  // A getter may do anything, detach a buffer too: all are called before any array is looked into.
  Csr<T> out;
  out.rows = member_size(object, "rows");
  out.columns = member_size(object, "columns");
  const Napi::Value members[] = {object.Get("indptr"), object.Get("indices"), object.Get("values")};
  const auto typed = [&](std::size_t i, const char* key, std::initializer_list<napi_typedarray_type> kinds) {
    if (members[i].IsTypedArray()) {
      for (const napi_typedarray_type kind : kinds) {
        if (members[i].As<Napi::TypedArray>().TypedArrayType() == kind) return members[i].As<Napi::TypedArray>();
      }
    }
    reject(env, std::string(name) + "." + key + " must be a typed array of the right kind");
  };
  const auto indptr = typed(0, "indptr", {napi_float64_array}).template As<Napi::Float64Array>();
  const auto indices = typed(1, "indices", {napi_int32_array}).template As<Napi::Int32Array>();
  const Napi::TypedArray values = typed(2, "values", {napi_float32_array, napi_float64_array});
  out.indptr.resize(indptr.ElementLength());
  for (std::size_t i = 0; i < out.indptr.size(); ++i) {
    out.indptr[i] = static_cast<std::int64_t>(to_size(env, indptr.Data()[i], "indptr"));
  }
  out.indices.assign(indices.Data(), indices.Data() + indices.ElementLength());
  out.values.resize(values.ElementLength());
  const auto copy = [&](const auto* from) {
    for (std::size_t k = 0; k < out.values.size(); ++k) out.values[k] = static_cast<T>(from[k]);
  };
  if (values.TypedArrayType() == napi_float32_array) {
    copy(values.As<Napi::Float32Array>().Data());
  } else {
    copy(values.As<Napi::Float64Array>().Data());
  }
  if (const auto fault = find_fault(out.view())) reject(env, std::string(name) + " " + text_of(*fault));
  return out;
}

}  // namespace dladmm::addon
