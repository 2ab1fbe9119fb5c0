// Rows of samples that lie on a disk in place of memory: a file, mapped at addresses like any others. What computes
// with them does not know, so it has the same bits; a pass says which rows it is done with, and which come next. What
// goes through all of them takes them into memory of its own (RowWindow): a page that is looked at where it is mapped
// costs a fault, which is many times what it costs to copy it.
#pragma once

#include <cstddef>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "core/runtime/pieces.hpp"

namespace dladmm {

// The system said no: std::system_error has its number.
struct FileFailure : std::system_error {
  using std::system_error::system_error;
};

class RowFile {
 public:
  RowFile() = default;
  // Takes so many bytes of an open file that nobody else uses, all of them at once: a disk that is full says so here,
  // and not by a signal in the middle of the work. The descriptor may be closed afterwards. Throws FileFailure.
  RowFile(int file, double bytes);
  ~RowFile();
  RowFile(RowFile&& other) noexcept { *this = std::move(other); }
  RowFile& operator=(RowFile&& other) noexcept;
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;

  // What is taken by so many rows of so many bytes: whole pages.
  [[nodiscard]] static double bytes_of(double rows, double row_bytes);
  // The next so many rows; at most all that the file was made for.
  [[nodiscard]] std::byte* take(std::size_t rows, std::size_t row_bytes);
  // Of all that was taken, and before it is used: as many of the first rows as so many bytes have room for lie in
  // memory after all. Throws std::bad_alloc.
  void hold(double bytes);
  [[nodiscard]] bool holds(const std::byte* first, std::size_t bytes) const { return held_from(first) >= bytes; }

  [[nodiscard]] bool empty() const { return begin_ == nullptr; }
  // Bytes of the rows, into other memory or from there. Throws FileFailure.
  void read(const std::byte* from, std::span<std::byte> to) const;
  void write(std::span<const std::byte> from, std::byte* to) const;
  // These bytes are read or written soon: the disk may begin.
  void expect(const void* first, std::size_t bytes) const;
  // Rows of all that was taken have been used: they need not stay in memory. Whoever reads them again finds what was
  // written there.
  void release(Rows rows) const;
  void release() const;

 private:
  struct Part {
    std::size_t offset, rows, row_bytes;
    std::size_t held = 0;  // so many bytes are in memory
  };
  // How many bytes from there on are in memory.
  [[nodiscard]] std::size_t held_from(const std::byte* first) const;

  int file_ = -1;
  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;
  std::vector<Part> parts_;
};

}  // namespace dladmm
