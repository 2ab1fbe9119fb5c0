#include "addon/storage.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>

#include "addon/convert.hpp"
#include "addon/registry.hpp"

namespace dladmm::addon {
namespace {

int descriptor_argument(const Napi::CallbackInfo& info, std::size_t i) {
  const std::size_t file = size_argument(info, i, "file");
  if (file > static_cast<std::size_t>(std::numeric_limits<int>::max())) reject(info.Env(), "file must be a descriptor");
  return static_cast<int>(file);
}

Napi::Object object_of(const Napi::Value& entry) {
  if (!entry.IsObject()) reject(entry.Env(), "an entry must be an object");
  return entry.As<Napi::Object>();
}

}  // namespace

OpenFile::OpenFile(int descriptor) : descriptor_(fcntl(descriptor, F_DUPFD_CLOEXEC, 0)) {
  if (descriptor_ < 0) throw FileFailure(errno, std::generic_category(), "open");
}

OpenFile::~OpenFile() { ::close(descriptor_); }

std::shared_ptr<OpenFile> open_file_argument(const Napi::CallbackInfo& info, std::size_t i) {
  const int descriptor = descriptor_argument(info, i);
  return coded(info.Env(), [&] { return std::make_shared<OpenFile>(descriptor); });
}

std::vector<Extra> extras_argument(const Napi::CallbackInfo& info, std::size_t i) {
  return list_of(info.Env(), info[i], "extras", [&](const Napi::Value& given) -> Extra {
    const Napi::Object entry = object_of(given);
    const std::string name = member_string(entry, "name");
    const Napi::Value value = entry.Get("data");
    const auto kind = value.IsTypedArray() ? value.As<Napi::TypedArray>().TypedArrayType() : napi_int8_array;
    if (kind != napi_float32_array && kind != napi_float64_array) reject(info.Env(), "data must be a float array");
    auto data = value.As<Napi::TypedArray>();
    const auto* const from = static_cast<const std::byte*>(data.ArrayBuffer().Data()) + data.ByteOffset();
    return {name, {from, from + data.ByteLength()}, kind == napi_float32_array ? "F32" : "F64", data.ElementLength()};
  });
}

std::vector<StoredSection> stored_sections_argument(const Napi::CallbackInfo& info, std::size_t i) {
  return list_of(info.Env(), info[i], "stored", [&](const Napi::Value& given) -> StoredSection {
    const Napi::Object entry = object_of(given);
    const std::string checksum = member_string(entry, "checksum");
    if (checksum.size() != 16 || checksum.find_first_not_of("0123456789abcdef") != std::string::npos) {
      reject(info.Env(), "a checksum must have 16 digits");
    }
    return {member_string(entry, "name"), member_size(entry, "offset"), member_size(entry, "bytes"),
            std::strtoull(checksum.c_str(), nullptr, 16)};
  });
}

std::vector<std::string> names_argument(const Napi::CallbackInfo& info, std::size_t i) {
  return list_of(info.Env(), info[i], "names", [&](const Napi::Value& name) -> std::string {
    if (!name.IsString()) reject(info.Env(), "a name must be a string");
    return name.As<Napi::String>();
  });
}

std::string digits(std::uint64_t value) {
  std::array<char, 17> text{};
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

Napi::Value lock_file(const Napi::CallbackInfo& info) {
  const int descriptor = descriptor_argument(info, 0);
  const bool held_by_another = flock(descriptor, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
  return Napi::Boolean::New(info.Env(), !held_by_another);
}

namespace {

// Hash64: update(bytes: Uint8Array), digest() → 16 digits.
class HashHandle : public Napi::ObjectWrap<HashHandle> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {InstanceMethod<&HashHandle::update>("update"), InstanceMethod<&HashHandle::digest>("digest")};
  }
  explicit HashHandle(const Napi::CallbackInfo& info) : Napi::ObjectWrap<HashHandle>(info) {}

 private:
  void update(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray()) reject(info.Env(), "bytes must be a typed array");
    auto bytes = info[0].As<Napi::TypedArray>();
    hash_.update({static_cast<const std::byte*>(bytes.ArrayBuffer().Data()) + bytes.ByteOffset(), bytes.ByteLength()});
  }

  Napi::Value digest(const Napi::CallbackInfo& info) { return Napi::String::New(info.Env(), digits(hash_.digest())); }

  Hash64 hash_;
};

const Exported<HashHandle> exported("Hash64");

}  // namespace
}  // namespace dladmm::addon
