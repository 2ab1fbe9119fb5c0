// What a state is made of, as bytes under names: for writing it out and taking it up again.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "core/linalg/matrix.hpp"

namespace dladmm {

// A part of a state that a run which goes on later needs: an array or a number, in the memory where it lives.
// A state offers `std::vector<Section> sections()`, in an order that its set-up alone decides, and `void restored()`,
// which finds afresh whatever follows from them (products, factors). What was read may be anything: restored() must
// leave nothing behind that could lead out of the memory, and throws std::domain_error where it had to mend something.
//
// Where what follows does so up to rounding only (products kept up to date step by step), the state may also offer
// `std::vector<Section> kept_sections()` and `void kept_restored()`: with these as well a run goes on bit for bit at
// any moment, without them where everything has just been found afresh.
struct Section {
  std::string name;
  std::span<std::byte> bytes;
  std::string type = "U8";  // of an element: F, I or U, and its bits
  std::vector<std::size_t> shape = {bytes.size()};
  bool by_sample = false;  // a row a sample: where these are spread over ranks, this is a part of the whole
};

// The name of a block of a layer: "W.1".
inline std::string section_name(const char* block, std::size_t layer) {
  return std::string(block).append(1, '.').append(std::to_string(layer));
}

template <typename T>
std::string element_type() {
  static_assert(std::is_arithmetic_v<T>);
  std::string type(1, std::is_floating_point_v<T> ? 'F' : std::is_signed_v<T> ? 'I' : 'U');
  return type.append(std::to_string(8 * sizeof(T)));
}

template <typename T>
Section section(std::string name, std::span<T> values) {
  return {std::move(name), std::as_writable_bytes(values), element_type<T>(), {values.size()}};
}

// A matrix without gaps between its rows.
template <typename T>
Section section(std::string name, const Matrix<T>& matrix) {
  return {std::move(name), std::as_writable_bytes(matrix.flat()), element_type<T>(), {matrix.rows(), matrix.columns()}};
}

template <typename T>
Section section(std::string name, std::vector<T>& values) {
  return section(std::move(name), std::span<T>(values));
}

// A single number.
template <typename T>
requires std::is_arithmetic_v<T> Section section(std::string name, T& value) {
  return section(std::move(name), std::span<T>(&value, 1));
}

}  // namespace dladmm
