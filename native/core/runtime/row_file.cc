#include "core/runtime/row_file.hpp"

#include <cerrno>
#include <cmath>
#include <limits>
#include <new>

#if defined(__linux__)
#include <fcntl.h>
#include <sys/mman.h>
#endif

namespace dladmm {
namespace {

// No page of any system is larger.
constexpr std::size_t kPage = std::size_t{1} << 16;

}  // namespace

#if defined(__linux__)

RowFile::RowFile(int file, double bytes) {
  if (!(bytes < static_cast<double>(std::numeric_limits<std::ptrdiff_t>::max()))) throw std::bad_alloc();
  bytes_ = std::max(static_cast<std::size_t>(bytes), kPage);
  int failed = 0;
  do {
    failed = posix_fallocate(file, 0, static_cast<off_t>(bytes_));
  } while (failed == EINTR);
  if (failed != 0) throw FileFailure(failed, std::generic_category(), "posix_fallocate");
  void* const at = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (at == MAP_FAILED) throw FileFailure(errno, std::generic_category(), "mmap");
  begin_ = static_cast<std::byte*>(at);
}

RowFile::~RowFile() {
  if (begin_ != nullptr) munmap(begin_, bytes_);
}

void RowFile::expect(const void* first, std::size_t bytes) const {
  if (empty() || bytes == 0) return;
  const std::size_t offset = static_cast<std::size_t>(static_cast<const std::byte*>(first) - begin_);
  const std::size_t from = offset / kPage * kPage;
  static_cast<void>(madvise(begin_ + from, offset + bytes - from, MADV_WILLNEED));
}

// Pages that rows share go with the later ones.
void RowFile::release(Rows rows) const {
  for (const auto& [offset, all, row_bytes] : parts_) {
    const std::size_t from = rows.first * row_bytes / kPage * kPage;
    const std::size_t last = rows.first + rows.count;
    const std::size_t to = (last * row_bytes + (last == all ? kPage - 1 : 0)) / kPage * kPage;
    if (to > from) static_cast<void>(madvise(begin_ + offset + from, to - from, MADV_DONTNEED));
  }
}

#else

RowFile::RowFile(int, double) { throw FileFailure(ENOTSUP, std::generic_category(), "mmap"); }
RowFile::~RowFile() = default;
void RowFile::expect(const void*, std::size_t) const {}
void RowFile::release(Rows) const {}

#endif

void RowFile::release() const {
  for (const auto& part : parts_) release({0, part.rows});
}

RowFile& RowFile::operator=(RowFile&& other) noexcept {
  std::swap(begin_, other.begin_);
  std::swap(bytes_, other.bytes_);
  std::swap(taken_, other.taken_);
  std::swap(parts_, other.parts_);
  return *this;
}

double RowFile::bytes_of(double rows, double row_bytes) {
  return std::ceil(rows * row_bytes / static_cast<double>(kPage)) * static_cast<double>(kPage);
}

std::byte* RowFile::take(std::size_t rows, std::size_t row_bytes) {
  const std::size_t bytes = (rows * row_bytes + kPage - 1) / kPage * kPage;
  if (bytes > bytes_ - taken_) throw std::bad_alloc();
  parts_.push_back({taken_, rows, row_bytes});
  taken_ += bytes;
  return begin_ + parts_.back().offset;
}

}  // namespace dladmm
