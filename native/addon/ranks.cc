// The processes of a distributed training as a JavaScript object.
#include <memory>
#include <string>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"
#include "core/runtime/mpi.hpp"

namespace dladmm::addon {
namespace {

class RanksHandle : public Handle<RanksHandle> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {InstanceMethod("join", &RanksHandle::join),           InstanceMethod("largest", &RanksHandle::largest),
            InstanceMethod("broadcast", &RanksHandle::broadcast), InstanceMethod("traffic", &RanksHandle::traffic),
            InstanceMethod("leave", &RanksHandle::leave),         InstanceMethod("abort", &RanksHandle::abort)};
  }

  explicit RanksHandle(const Napi::CallbackInfo& info) : Handle(info) {
    start_jobs(info.Env(), JobQueue::Kind::serving);
  }
  ~RanksHandle() override { end(Env()); }
  RanksHandle(const RanksHandle&) = delete;
  RanksHandle& operator=(const RanksHandle&) = delete;

 private:
  static World& world(Napi::Env env) {
    if (World* const found = World::joined()) return *found;
    throw coded_error(env, "ERR_DLADMM_STATE", "join() has to come before");
  }

  // join() → { rank, size, library }, when all ranks have come. JavaScript waits for it: where an MPI moves the end of
  // the heap to and fro as it begins (mpi.cc), nobody else should.
  Napi::Value join(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const World& all = *coded(env, [] { return &World::join(); });
    auto out = Napi::Object::New(env);
    out.Set("rank", static_cast<double>(all.rank()));
    out.Set("size", static_cast<double>(all.size()));
    out.Set("library", all.library());
    return out;
  }

  // largest(numbers: Float64Array) → Promise of the largest of all ranks, entry by entry
  Napi::Value largest(const Napi::CallbackInfo& info) {
    World& all = world(info.Env());
    const auto values = std::make_shared<std::vector<double>>(doubles_argument(info, 0, "numbers"));
    return later(
        info.Env(), [&all, values] { all.largest(*values); },
        [values](Napi::Env env) -> Napi::Value { return typed_array<double>(env, *values); });
  }

  // broadcast(text, from) → Promise of the text of that rank
  Napi::Value broadcast(const Napi::CallbackInfo& info) {
    World& all = world(info.Env());
    if (!info[0].IsString()) reject(info.Env(), "text must be a string");
    const std::size_t from = size_argument(info, 1, "from");
    if (from >= all.size()) reject(info.Env(), "there is no such rank");
    const auto text = std::make_shared<std::string>(info[0].As<Napi::String>());
    return later(
        info.Env(), [&all, text, from] { *text = all.broadcast(*text, static_cast<int>(from)); },
        [text](Napi::Env env) -> Napi::Value { return Napi::String::New(env, *text); });
  }

  // traffic() → { calls, bytes } that this rank has added up with the others so far
  Napi::Value traffic(const Napi::CallbackInfo& info) {
    const auto [calls, bytes] = world(info.Env()).traffic();
    auto out = Napi::Object::New(info.Env());
    out.Set("calls", static_cast<double>(calls));
    out.Set("bytes", static_cast<double>(bytes));
    return out;
  }

  // leave(): blocks until all ranks have left
  Napi::Value leave(const Napi::CallbackInfo& info) {
    coded(info.Env(), [&] { world(info.Env()).leave(); });
    return info.Env().Undefined();
  }

  // abort(code): ends all ranks; does not return
  Napi::Value abort(const Napi::CallbackInfo& info) {
    const auto code = static_cast<int>(size_argument(info, 0, "code") % 256);
    world(info.Env()).abort(code);
    return info.Env().Undefined();
  }
};

const Exported<RanksHandle> exported("Ranks");

}  // namespace
}  // namespace dladmm::addon
