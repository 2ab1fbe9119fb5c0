#include "core/runtime/row_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <limits>
#include <new>

#if defined(__linux__)
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>
#endif

namespace dladmm {
namespace {

// No page of any system is larger.
constexpr std::size_t kPage = std::size_t{1} << 16;

#if defined(__linux__)
// step(done) moves bytes and says how many, until all have been.
template <typename Step>
void move_all(std::size_t bytes, const char* name, Step&& step) {
  for (std::size_t done = 0; done < bytes;) {
    const ssize_t moved = step(done);
    if (moved < 0 && errno == EINTR) continue;
    // A file that has become shorter under its reader is as bad as one that cannot be read.
    if (moved <= 0) throw FileFailure(moved == 0 ? EIO : errno, std::generic_category(), name);
    done += static_cast<std::size_t>(moved);
  }
}
#endif

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
  file_ = fcntl(file, F_DUPFD_CLOEXEC, 0);
  if (file_ < 0) {
    const int failure = errno;
    munmap(at, bytes_);
    throw FileFailure(failure, std::generic_category(), "fcntl");
  }
}

RowFile::~RowFile() {
  if (begin_ == nullptr) return;
  munmap(begin_, bytes_);
  close(file_);
}

void RowFile::hold(double bytes) {
  const double share = taken_ == 0 ? 0 : std::clamp(bytes / static_cast<double>(taken_), 0.0, 1.0);
  for (Part& part : parts_) {
    const auto rows = static_cast<std::size_t>(share * static_cast<double>(part.rows));
    const std::size_t held = (rows * part.row_bytes + (rows == part.rows ? kPage - 1 : 0)) / kPage * kPage;
    if (held == 0) continue;
    void* const at = mmap(begin_ + part.offset, held, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0);
    if (at == MAP_FAILED) throw std::bad_alloc();
    static_cast<void>(madvise(at, held, MADV_HUGEPAGE));
    part.held = held;
  }
}

std::size_t RowFile::held_from(const std::byte* first) const {
  const std::size_t offset = static_cast<std::size_t>(first - begin_);
  for (const Part& part : parts_) {
    if (offset >= part.offset && offset < part.offset + part.held) return part.offset + part.held - offset;
  }
  return 0;
}

void RowFile::read(const std::byte* from, std::span<std::byte> to) const {
  const std::size_t held = std::min(held_from(from), to.size());
  std::copy_n(from, held, to.begin());
  const std::size_t offset = static_cast<std::size_t>(from - begin_) + held;
  const std::span<std::byte> rest = to.subspan(held);
  move_all(rest.size(), "Rows of a training that lie on a disk could not be read", [&](std::size_t done) {
    return pread(file_, rest.data() + done, rest.size() - done, static_cast<off_t>(offset + done));
  });
}

void RowFile::write(std::span<const std::byte> from, std::byte* to) const {
  const std::size_t held = std::min(held_from(to), from.size());
  std::copy_n(from.begin(), held, to);
  const std::size_t offset = static_cast<std::size_t>(to - begin_) + held;
  const std::span<const std::byte> rest = from.subspan(held);
  move_all(rest.size(), "Rows of a training could not be written to the disk where they lie", [&](std::size_t done) {
    return pwrite(file_, rest.data() + done, rest.size() - done, static_cast<off_t>(offset + done));
  });
}

void RowFile::expect(const void* first, std::size_t bytes) const {
  if (empty() || bytes == 0) return;
  const auto* const at = static_cast<const std::byte*>(first);
  const std::size_t offset = static_cast<std::size_t>(at - begin_);
  const std::size_t held = held_from(at);
  if (held >= bytes) return;
  const std::size_t from = (offset + held) / kPage * kPage;
  static_cast<void>(madvise(begin_ + from, offset + bytes - from, MADV_WILLNEED));
}

// Pages that rows share go with the later ones.
void RowFile::release(Rows rows) const {
  for (const auto& [offset, all, row_bytes, held] : parts_) {
    const std::size_t from = std::max(rows.first * row_bytes / kPage * kPage, held);
    const std::size_t last = rows.first + rows.count;
    const std::size_t to = (last * row_bytes + (last == all ? kPage - 1 : 0)) / kPage * kPage;
    if (to > from) static_cast<void>(madvise(begin_ + offset + from, to - from, MADV_DONTNEED));
  }
}

#else

RowFile::RowFile(int, double) { throw FileFailure(ENOTSUP, std::generic_category(), "mmap"); }
RowFile::~RowFile() = default;
void RowFile::hold(double) {}
std::size_t RowFile::held_from(const std::byte*) const { return 0; }
void RowFile::read(const std::byte*, std::span<std::byte>) const {}
void RowFile::write(std::span<const std::byte>, std::byte*) const {}
void RowFile::expect(const void*, std::size_t) const {}
void RowFile::release(Rows) const {}

#endif

void RowFile::release() const {
  for (const auto& part : parts_) release({0, part.rows});
}

RowFile& RowFile::operator=(RowFile&& other) noexcept {
  std::swap(file_, other.file_);
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
  parts_.push_back({taken_, rows, row_bytes, 0});
  taken_ += bytes;
  return begin_ + parts_.back().offset;
}

}  // namespace dladmm
