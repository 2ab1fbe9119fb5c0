// Memory of JavaScript's that is got ready off the event loop (src/tensor/provided.ts).
#include <algorithm>
#include <cstddef>
#include <span>

#include "addon/arguments.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"
#include "core/runtime/memory.hpp"

namespace dladmm::addon {
namespace {

// Pages(memory: Uint8Array), which must not be taken away before what has been asked for is done, or this is closed
class Pages : public Handle<Pages> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {InstanceMethod<&Pages::provide>("provide"), InstanceMethod<&Pages::close>("close")};
  }

  explicit Pages(const Napi::CallbackInfo& info) : Handle<Pages>(info) {
    if (!info[0].IsTypedArray() || info[0].As<Napi::TypedArray>().TypedArrayType() != napi_uint8_array) {
      reject(info.Env(), "memory must be an array of type Uint8Array");
    }
    auto array = info[0].As<Napi::Uint8Array>();
    memory_ = std::as_writable_bytes(std::span(array.Data(), array.ElementLength()));
    array_ = Napi::Persistent(array);
    start_jobs(info.Env(), JobQueue::Kind::serving);
  }

  ~Pages() override { end(this->Env()); }
  Pages(const Pages&) = delete;
  Pages& operator=(const Pages&) = delete;

 private:
  // provide(from, to) → Promise of undefined, once the pages of these bytes are there
  Napi::Value provide(const Napi::CallbackInfo& info) {
    const std::size_t to = std::min(size_argument(info, 1, "to"), memory_.size());
    const std::size_t from = std::min(size_argument(info, 0, "from"), to);
    return later(
        info.Env(), [some = memory_.subspan(from, to - from)] { provide_pages(some); },
        [](Napi::Env env) { return env.Undefined(); });
  }

  void close(const Napi::CallbackInfo& info) {
    if (end(info.Env())) array_.Reset();
  }

  Napi::Reference<Napi::Uint8Array> array_;
  std::span<std::byte> memory_;
};

const Exported<Pages> exported("Pages");

}  // namespace
}  // namespace dladmm::addon
