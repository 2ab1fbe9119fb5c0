// What a state is made of, as bytes under names: for writing it out and taking it up again.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

namespace dladmm {

// A part of a state that a run which goes on later needs: an array or a number, in the memory where it lives.
// A state offers `std::vector<Section> sections()`, in an order that its set-up alone decides, and `void restored()`,
// which finds afresh whatever follows from them (products, factors).
struct Section {
  std::string name;
  std::span<std::byte> bytes;
};

template <typename T>
Section section(std::string name, std::span<T> values) {
  return {std::move(name), std::as_writable_bytes(values)};
}

}  // namespace dladmm
