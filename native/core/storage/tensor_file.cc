#include "core/storage/tensor_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <numeric>

#include "core/storage/hash.hpp"

namespace dladmm {
namespace {

// Small enough to be in the cache when the checksum has seen it, large enough for the disk.
constexpr std::size_t kPiece = std::size_t{1} << 20;
constexpr std::size_t kDigits = 16;
constexpr std::string_view kHead = R"({"__metadata__":{"checksum":")";
constexpr std::size_t kLengthBytes = 8;

std::string digits_of(std::uint64_t value) {
  std::array<char, kDigits + 1> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return {text.data(), kDigits};
}

[[noreturn]] void fail(const char* what) { throw FileFailure(errno, std::generic_category(), what); }

void write_all(int file, std::span<const std::byte> bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const ssize_t written = pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("write");
    bytes = bytes.subspan(static_cast<std::size_t>(written));
    at += static_cast<std::uint64_t>(written);
  }
}

void read_all(int file, std::span<std::byte> bytes, std::uint64_t at, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t got = pread(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("read");
    if (got == 0) throw Damaged("the file ends within \"" + name + "\"");
    bytes = bytes.subspan(static_cast<std::size_t>(got));
    at += static_cast<std::uint64_t>(got);
  }
}

void need_going(const std::atomic<bool>& called_off) {
  if (called_off.load(std::memory_order_relaxed)) throw CalledOff();
}

void flush(int file) {
#if defined(__APPLE__)
  // There fsync leaves the bytes in the disk's own cache.
  if (fcntl(file, F_FULLFSYNC) == 0) return;
#endif
  while (fsync(file) != 0) {
    if (errno != EINTR) fail("fsync");
  }
}

std::size_t element_bytes(const Section& section) {
  const std::size_t count = std::accumulate(section.shape.begin(), section.shape.end(), std::size_t{1},
                                            [](std::size_t a, std::size_t b) { return a * b; });
  return count == 0 ? 1 : section.bytes.size() / count;
}

// Where the rows of this rank lie among those of all.
struct Extent {
  std::uint64_t before = 0, here = 0, all = 0;  // bytes
};

Extent extent_of(const Section& section, const Share& share) {
  const std::uint64_t here = section.bytes.size();
  if (!section.by_sample || share.ranks == nullptr || section.shape[0] == 0) return {0, here, here};
  const std::uint64_t row = here / section.shape[0];
  return {share.first * row, here, share.samples * row};
}

// Wide elements first, so that every tensor can be used where it lies in the file.
void sort_by_width(std::vector<Section>& sections) {
  std::stable_sort(sections.begin(), sections.end(),
                   [](const Section& a, const Section& b) { return element_bytes(a) > element_bytes(b); });
}

// The header for given checksums, padded with spaces so that the values begin at a multiple of eight.
std::string header_of(std::span<const Section> sections, const Share& share, std::string_view metadata,
                      const std::string& checksum, const std::string& checksums) {
  std::string text(kHead);
  text += checksum + R"(","sections":")" + checksums + '"';
  if (!metadata.empty()) text.append(",").append(metadata);
  text += '}';
  std::uint64_t at = 0;
  for (const Section& section : sections) {
    text += ",\"" + section.name + R"(":{"dtype":")" + section.type + R"(","shape":[)";
    for (std::size_t i = 0; i < section.shape.size(); ++i) {
      if (i > 0) text += ',';
      text += std::to_string(i == 0 && section.by_sample ? share.all(section.shape[0]) : section.shape[i]);
    }
    const std::uint64_t bytes = extent_of(section, share).all;
    text += R"(],"data_offsets":[)" + std::to_string(at) + ',' + std::to_string(at + bytes) + "]}";
    at += bytes;
  }
  text += '}';
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

template <typename Take>
void each_piece(std::span<std::byte> bytes, const std::atomic<bool>& called_off, Take&& take) {
  for (std::size_t first = 0; first < bytes.size(); first += kPiece) {
    need_going(called_off);
    take(bytes.subspan(first, std::min(kPiece, bytes.size() - first)), first);
  }
}

// The rows of the ranks after the first, in their order; each says how many bytes come.
template <typename Take>
void receive_others(Ranks& ranks, Take&& take) {
  std::vector<std::byte> room(kPiece);
  for (std::size_t from = 1; from < ranks.size(); ++from) {
    std::uint64_t left = 0;
    ranks.receive(std::as_writable_bytes(std::span(&left, 1)), from);
    while (left > 0) {
      const std::span<std::byte> piece = std::span(room).first(std::min<std::uint64_t>(left, kPiece));
      ranks.receive(piece, from);
      take(piece);
      left -= piece.size();
    }
  }
}

void need_checksum(const Hash64& hash, const StoredSection& stored) {
  if (hash.digest() == stored.checksum) return;
  throw Damaged("the checksum of \"" + stored.name + "\" is " + digits_of(hash.digest()) + ", but " +
                digits_of(stored.checksum) + " is recorded");
}

}  // namespace

std::uint64_t header_checksum(std::string_view header) {
  if (!header.starts_with(kHead) || header.size() < kHead.size() + kDigits) {
    throw Damaged("the header does not begin as that of a checkpoint does");
  }
  const std::uint64_t length = header.size();
  const std::string zeros(kDigits, '0');
  Hash64 hash;
  hash.update(std::as_bytes(std::span(&length, 1)));
  hash.update(std::as_bytes(std::span(kHead)));
  hash.update(std::as_bytes(std::span(zeros)));
  hash.update(std::as_bytes(std::span(header.substr(kHead.size() + kDigits))));
  return hash.digest();
}

std::uint64_t write_sections(int file, std::vector<Section> sections, std::string_view metadata,
                             const std::atomic<bool>& called_off, const Share& share) {
  sort_by_width(sections);
  const std::string zeros(kDigits, '0');
  std::string checksums(kDigits * sections.size(), '0');
  const std::uint64_t begin = kLengthBytes + header_of(sections, share, metadata, zeros, checksums).size();

  std::uint64_t at = begin;
  for (std::size_t i = 0; i < sections.size(); ++i) {
    Hash64 hash;
    const auto take = [&](std::span<const std::byte> piece) {
      hash.update(piece);
      write_all(file, piece, at);
      at += piece.size();
    };
    each_piece(sections[i].bytes, called_off, [&](std::span<const std::byte> piece, std::size_t) { take(piece); });
    if (sections[i].by_sample && share.ranks != nullptr) receive_others(*share.ranks, take);
    checksums.replace(i * kDigits, kDigits, digits_of(hash.digest()));
  }

  std::string header = header_of(sections, share, metadata, zeros, checksums);
  header.replace(kHead.size(), kDigits, digits_of(header_checksum(header)));
  const std::uint64_t length = header.size();
  write_all(file, std::as_bytes(std::span(header)), kLengthBytes);
  write_all(file, std::as_bytes(std::span(&length, 1)), 0);
  need_going(called_off);
  flush(file);
  return at;
}

void send_sections(std::vector<Section> sections, const Share& share) {
  if (share.ranks == nullptr) return;
  sort_by_width(sections);
  for (const Section& section : sections) {
    if (!section.by_sample) continue;
    const std::uint64_t size = section.bytes.size();
    share.ranks->send(std::as_bytes(std::span(&size, 1)), 0);
    const std::atomic<bool> never{false};
    each_piece(section.bytes, never,
               [&](std::span<const std::byte> piece, std::size_t) { share.ranks->send(piece, 0); });
  }
}

void read_sections(int file, std::span<const Section> sections, std::span<const StoredSection> stored,
                   const std::atomic<bool>& called_off, const Share& share) {
  for (const Section& section : sections) {
    const auto found =
        std::find_if(stored.begin(), stored.end(), [&](const StoredSection& s) { return s.name == section.name; });
    if (found == stored.end()) throw Damaged("\"" + section.name + "\" is missing");
    const Extent extent = extent_of(section, share);
    if (found->bytes != extent.all) {
      throw Damaged("\"" + section.name + "\" has " + std::to_string(found->bytes) + " bytes where " +
                    std::to_string(extent.all) + " belong");
    }
    Hash64 hash;
    std::uint64_t at = found->offset;
    const auto take = [&](std::span<std::byte> piece) {
      read_all(file, piece, at, section.name);
      hash.update(piece);
      at += piece.size();
    };
    // The rows of others are read for the checksum alone.
    const auto skim = [&](std::uint64_t bytes) {
      std::vector<std::byte> room(std::min<std::uint64_t>(bytes, kPiece));
      for (; bytes > 0; bytes -= std::min<std::uint64_t>(bytes, kPiece)) {
        need_going(called_off);
        take(std::span(room).first(std::min<std::uint64_t>(bytes, kPiece)));
      }
    };
    skim(extent.before);
    each_piece(section.bytes, called_off, [&](std::span<std::byte> piece, std::size_t) { take(piece); });
    skim(extent.all - extent.before - extent.here);
    need_checksum(hash, *found);
  }
}

std::uint64_t file_size(int file) {
  const off_t size = lseek(file, 0, SEEK_END);
  if (size < 0) fail("lseek");
  return static_cast<std::uint64_t>(size);
}

std::uint64_t bytes_of(std::span<const Section> sections, const Share& share) {
  return std::accumulate(
      sections.begin(), sections.end(), std::uint64_t{0},
      [&](std::uint64_t sum, const Section& section) { return sum + extent_of(section, share).all; });
}

}  // namespace dladmm
