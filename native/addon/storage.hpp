// Files and checksums on their way between JavaScript and core/storage.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "addon/arguments.hpp"
#include "core/storage/hash.hpp"
#include "core/storage/tensor_file.hpp"

namespace dladmm::addon {

// A descriptor of our own for an open file: JavaScript may close its own while we are at work, and open another file
// under the same number.
class OpenFile {
 public:
  explicit OpenFile(int descriptor);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  [[nodiscard]] int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

// An array that goes into a file beside a state: { name, data: Float32Array or Float64Array }, copied.
struct Extra {
  std::string name;
  std::vector<std::byte> bytes;
  std::string type;
  std::size_t count = 0;

  [[nodiscard]] Section section() { return {name, bytes, type, {count}}; }
};

std::shared_ptr<OpenFile> open_file_argument(const Napi::CallbackInfo& info, std::size_t i);
std::vector<Extra> extras_argument(const Napi::CallbackInfo& info, std::size_t i);
std::vector<StoredSection> stored_sections_argument(const Napi::CallbackInfo& info, std::size_t i);
std::vector<std::string> names_argument(const Napi::CallbackInfo& info, std::size_t i);

// 16 digits, hexadecimal.
std::string digits(std::uint64_t value);

// lockFile(file) → false where another process (or another open of the same file) holds the lock. It lasts until the
// file is closed. True as well where the file system knows no locks.
Napi::Value lock_file(const Napi::CallbackInfo& info);

}  // namespace dladmm::addon
