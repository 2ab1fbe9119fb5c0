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

// Every member is looked at before any buffer is: a getter of the caller's may take a buffer away.
template <typename T>
Csr<T> csr_from(const Napi::Value& value, const char* name) {
  const Napi::Env env = value.Env();
  if (!value.IsObject()) reject(env, std::string(name) + " must be an object");
  const auto object = value.As<Napi::Object>();
  Csr<T> out;
  out.rows = member_size(object, "rows");
  out.columns = member_size(object, "columns");
  out.indptr.clear();
  for (const double start : doubles_member(object, "indptr")) {
    out.indptr.push_back(static_cast<std::int64_t>(to_size(env, start, "indptr")));
  }
  out.indices = int32_member(object, "indices");
  const Napi::Value values = object.Get("values");
  if (!values.IsTypedArray()) reject(env, std::string(name) + ".values must be a typed array");
  out.values.resize(values.As<Napi::TypedArray>().ElementLength());
  static_cast<void>(copy_values<T>(env, values, "values", std::span<T>(out.values)));  // the search below tells more
  if (const auto fault = find_fault(out.view())) reject(env, std::string(name) + " " + text_of(*fault));
  return out;
}

template <typename T>
Csr<T> csr_member(const Napi::Object& options, const char* name) {
  return csr_from<T>(options.Get(name), name);
}

}  // namespace dladmm::addon
