// libFuzzer on the reader of checkpoints: the bytes are what the caller says of a file, and the file. Whatever they
// are, it fills its sections or throws one of the three errors that it may; and what is written is read back.
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "core/storage/hash.hpp"
#include "core/storage/tensor_file.hpp"

namespace {

using namespace dladmm;

const std::atomic<bool> kGo{false};

// Takes values off the front of the input; zeros when it has no more.
class Input {
 public:
  explicit Input(std::span<const std::byte> bytes) : rest_(bytes) {}

  template <typename T>
  T take() {
    T value{};
    const std::size_t count = std::min(sizeof value, rest_.size());
    std::memcpy(&value, rest_.data(), count);
    rest_ = rest_.subspan(count);
    return value;
  }
  [[nodiscard]] std::span<const std::byte> rest() const { return rest_; }

 private:
  std::span<const std::byte> rest_;
};

// A file in memory, of these bytes.
class File {
 public:
  explicit File(std::span<const std::byte> bytes) : descriptor_(memfd_create("fuzz", 0)) {
    if (write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) std::abort();
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

struct State {
  std::vector<float> floats = std::vector<float>(5);
  std::vector<double> doubles = std::vector<double>(3);
  std::uint64_t count = 0;
  std::vector<Section> sections() { return {section("W.1", floats), section("b.1", doubles), section("step", count)}; }
};

// The sections as the input has them: their checksums right more often than not, or nothing would be read.
std::vector<StoredSection> stored_of(Input& input, const File& file, std::uint64_t size) {
  const std::array<std::pair<const char*, std::uint64_t>, 3> known = {{{"W.1", 20}, {"b.1", 24}, {"step", 8}}};
  std::vector<StoredSection> out;
  for (unsigned count = input.take<std::uint8_t>() % 5; count > 0; --count) {
    const auto what = input.take<std::uint8_t>();
    const auto& [name, bytes] = known[what % known.size()];
    StoredSection stored{what & 64 ? "other" : name, input.take<std::uint16_t>(), bytes, input.take<std::uint64_t>()};
    if (what & 32) stored.offset = input.take<std::uint64_t>();
    if (what & 16) stored.bytes = input.take<std::uint64_t>();
    if (!(what & 8) && stored.offset <= size && stored.bytes <= size - stored.offset) {
      std::vector<std::byte> values(stored.bytes);
      if (pread(file.descriptor(), values.data(), values.size(), static_cast<off_t>(stored.offset)) < 0) std::abort();
      stored.checksum = hash64(values);
    }
    out.push_back(std::move(stored));
  }
  return out;
}

void reads(Input input) {
  const auto rest = input.rest();
  const File file(rest.subspan(rest.size() / 2));
  const std::vector<StoredSection> stored = stored_of(input, file, file_size(file.descriptor()));
  State state;
  try {
    read_sections(file.descriptor(), state.sections(), stored, kGo);
  } catch (const Damaged&) {
  } catch (const FileFailure&) {
  }
}

void checks_headers(std::span<const std::byte> bytes) {
  const std::string head = R"({"__metadata__":{"checksum":")";
  const std::string text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const std::string& header : {text, head + text}) {
    try {
      static_cast<void>(header_checksum(header));
    } catch (const Damaged&) {
    }
  }
}

// What is written is read back to the same bits, whatever they are.
void returns(Input input) {
  State written;
  for (float& value : written.floats) value = input.take<float>();
  for (double& value : written.doubles) value = input.take<double>();
  written.count = input.take<std::uint64_t>();
  const File file({});
  const std::uint64_t size = write_sections(file.descriptor(), written.sections(), "", kGo);
  if (size != file_size(file.descriptor())) std::abort();
  std::uint64_t at = size - 52;
  std::vector<StoredSection> stored;
  // Wide elements come first.
  std::vector<Section> sections = written.sections();
  std::rotate(sections.begin(), sections.begin() + 1, sections.end());
  for (const Section& it : sections) {
    stored.push_back({it.name, at, it.bytes.size(), hash64(it.bytes)});
    at += it.bytes.size();
  }
  State read;
  read_sections(file.descriptor(), read.sections(), stored, kGo);
  const auto same = [](const auto& a, const auto& b) {
    return std::memcmp(a.data(), b.data(), a.size() * sizeof a[0]) == 0;
  };
  if (!same(read.floats, written.floats) || !same(read.doubles, written.doubles) || read.count != written.count)
    std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::span bytes(reinterpret_cast<const std::byte*>(data), size);
  Input input(bytes);
  switch (input.take<std::uint8_t>() % 4) {
    case 0:
      checks_headers(input.rest());
      break;
    case 1:
      returns(input);
      break;
    default:
      reads(input);
  }
  return 0;
}
