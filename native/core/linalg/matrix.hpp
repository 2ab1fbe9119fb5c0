// Dense row-major matrices: views that do not own, and storage that does.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory>
#include <new>
#include <span>
#include <type_traits>

#include "core/runtime/pieces.hpp"

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace dladmm {

// A rows x columns window on row-major storage; `stride` elements lie between the starts of two rows.
template <typename T>
struct MatrixView {
  T* data = nullptr;
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::size_t stride = 0;

  constexpr MatrixView() = default;
  constexpr MatrixView(T* data_, std::size_t rows_, std::size_t columns_, std::size_t stride_)
      : data(data_), rows(rows_), columns(columns_), stride(stride_) {}
  constexpr MatrixView(T* data_, std::size_t rows_, std::size_t columns_)
      : MatrixView(data_, rows_, columns_, columns_) {}

  // NOLINTNEXTLINE(google-explicit-constructor): a view of T is a view of const T
  constexpr operator MatrixView<const T>() const { return {data, rows, columns, stride}; }

  [[nodiscard, gnu::always_inline]] constexpr T* row(std::size_t i) const {
    assert(i < rows);
    return data + i * stride;
  }
  [[nodiscard]] constexpr MatrixView rows_from(std::size_t first, std::size_t count) const {
    assert(first + count <= rows);
    return {data + first * stride, count, columns, stride};
  }
  [[nodiscard]] constexpr MatrixView rows_from(Rows part) const { return rows_from(part.first, part.count); }
  // The entries as one span; only where no gap lies between the rows.
  [[nodiscard]] constexpr std::span<T> flat() const {
    assert(stride == columns || rows <= 1);
    return {data, rows * columns};
  }
};

// Uninitialised storage aligned to a cache line; large blocks ask for huge pages, which spares the TLB in
// passes over millions of samples. Throws std::bad_alloc.
template <typename T>
class Buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Buffer() = default;
  explicit Buffer(std::size_t count) : count_(count), data_(allocate(count)) {}
  // Storage that somebody else has, and keeps for as long as this is used.
  Buffer(T* lent, std::size_t count) : count_(count), data_(lent, Free{true}) {}

  [[nodiscard]] T* data() const { return data_.get(); }
  [[nodiscard]] std::size_t size() const { return count_; }
  [[nodiscard]] std::span<T> span() const { return {data_.get(), count_}; }

 private:
  struct Free {
    bool lent = false;
    void operator()(T* p) const {
      if (!lent) std::free(p);
    }
  };

  static T* allocate(std::size_t count) {
    constexpr std::size_t line = 64;
    constexpr std::size_t huge_page = std::size_t{1} << 21;
    if (count == 0) return nullptr;
    if (count > (std::numeric_limits<std::size_t>::max() - huge_page) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    const std::size_t alignment = bytes >= 2 * huge_page ? huge_page : line;
    const std::size_t padded = (bytes + alignment - 1) / alignment * alignment;
    void* p = std::aligned_alloc(alignment, padded);
    if (p == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    if (alignment == huge_page) static_cast<void>(madvise(p, padded, MADV_HUGEPAGE));
#endif
    return static_cast<T*>(p);
  }

  std::size_t count_ = 0;
  std::unique_ptr<T[], Free> data_;
};

// A rows x columns matrix that owns its (uninitialised) storage.
template <typename T>
class Matrix {
 public:
  Matrix() = default;
  Matrix(std::size_t rows, std::size_t columns) : rows_(rows), columns_(columns), buffer_(checked(rows, columns)) {}
  Matrix(T* lent, std::size_t rows, std::size_t columns)
      : rows_(rows), columns_(columns), buffer_(lent, checked(rows, columns)) {}

  [[nodiscard]] MatrixView<T> view() const { return {buffer_.data(), rows_, columns_}; }
  [[nodiscard]] std::span<T> flat() const { return buffer_.span(); }
  [[nodiscard]] std::size_t rows() const { return rows_; }
  [[nodiscard]] std::size_t columns() const { return columns_; }
  [[nodiscard]] bool empty() const { return buffer_.size() == 0; }

 private:
  static std::size_t checked(std::size_t rows, std::size_t columns) {
    if (columns != 0 && rows > std::numeric_limits<std::size_t>::max() / columns) throw std::bad_alloc();
    return rows * columns;
  }

  std::size_t rows_ = 0;
  std::size_t columns_ = 0;
  Buffer<T> buffer_;
};

}  // namespace dladmm
