#include "addon/storage.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "addon/convert.hpp"
#include "addon/registry.hpp"

namespace dladmm::addon {
namespace {

int descriptor_argument(const Napi::CallbackInfo& info, std::size_t i) {
  const std::size_t file = size_argument(info, i, "file");
  if (file > static_cast<std::size_t>(std::numeric_limits<int>::max())) reject(info.Env(), "file must be a descriptor");
  return static_cast<int>(file);
}

Napi::Array array_argument(const Napi::CallbackInfo& info, std::size_t i, const char* name) {
  if (!info[i].IsArray()) reject(info.Env(), std::string(name) + " must be an array");
  return info[i].As<Napi::Array>();
}

Napi::Object object_at(const Napi::Array& array, std::uint32_t i) {
  const Napi::Value value = array.Get(i);
  if (!value.IsObject()) reject(array.Env(), "an entry must be an object");
  return value.As<Napi::Object>();
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
  const Napi::Array array = array_argument(info, i, "extras");
  std::vector<Extra> out;
  for (std::uint32_t k = 0; k < array.Length(); ++k) {
    const Napi::Object entry = object_at(array, k);
    const std::string name = member_string(entry, "name");
    const Napi::Value value = entry.Get("data");
    const auto kind = value.IsTypedArray() ? value.As<Napi::TypedArray>().TypedArrayType() : napi_int8_array;
    if (kind != napi_float32_array && kind != napi_float64_array) reject(info.Env(), "data must be a float array");
    auto data = value.As<Napi::TypedArray>();
    const auto* const from = static_cast<const std::byte*>(data.ArrayBuffer().Data()) + data.ByteOffset();
    out.push_back(
        {name, {from, from + data.ByteLength()}, kind == napi_float32_array ? "F32" : "F64", data.ElementLength()});
  }
  return out;
}

std::vector<StoredSection> stored_sections_argument(const Napi::CallbackInfo& info, std::size_t i) {
  const Napi::Array array = array_argument(info, i, "stored");
  std::vector<StoredSection> out;
  for (std::uint32_t k = 0; k < array.Length(); ++k) {
    const Napi::Object entry = object_at(array, k);
    const std::string checksum = member_string(entry, "checksum");
    if (checksum.size() != 16 || checksum.find_first_not_of("0123456789abcdef") != std::string::npos) {
      reject(info.Env(), "a checksum must have 16 digits");
    }
    out.push_back({member_string(entry, "name"), member_size(entry, "offset"), member_size(entry, "bytes"),
                   std::strtoull(checksum.c_str(), nullptr, 16)});
  }
  return out;
}

std::vector<std::string> names_argument(const Napi::CallbackInfo& info, std::size_t i) {
  const Napi::Array array = array_argument(info, i, "names");
  std::vector<std::string> out;
  for (std::uint32_t k = 0; k < array.Length(); ++k) {
    const Napi::Value name = array.Get(k);
    if (!name.IsString()) reject(info.Env(), "a name must be a string");
    out.push_back(name.As<Napi::String>());
  }
  return out;
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
