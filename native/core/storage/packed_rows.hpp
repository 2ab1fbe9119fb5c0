// Blocks of rows as a store of samples keeps them, each column in the smallest type that holds it:
// src/tensor/packed-rows.ts states how they lie, and writes them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace dladmm {

// The rows of one block, for as long as its bytes are there.
class PackedRows {
 public:
  // `block` begins at a multiple of 8. Throws Damaged (tensor_file.hpp), which calls it `name`, where it is no block of
  // so many rows and columns.
  PackedRows(std::span<const std::byte> block, const std::string& name, std::size_t rows, std::size_t columns);

  // All columns of a row: the first out.size() of them into `out`, the others into `rest`. T: float or double.
  template <typename T>
  void read(std::size_t row, std::span<T> out, std::span<double> rest) const;

 private:
  enum class Type : std::uint8_t { bit, byte, half, single, wide };
  // Columns of a type that follow each other; `at` is where their values begin in a row, counted in values.
  struct Stretch {
    Type type;
    std::size_t column;
    std::size_t count;
    std::size_t at;
  };

  template <typename T>
  static void copy(const std::byte* row, const Stretch& from, std::size_t skipped, std::span<T> to);

  const std::byte* first_ = nullptr;
  std::size_t stride_ = 0;
  std::vector<Stretch> stretches_;
};

}  // namespace dladmm
