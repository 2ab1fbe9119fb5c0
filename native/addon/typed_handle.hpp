// A state of a splitting as a JavaScript object: work on the training thread, its persistence, its end.
#pragma once

#include <algorithm>
#include <exception>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/storage.hpp"
#include "core/runtime/mpi.hpp"

namespace dladmm::addon {

// Float, Double: what is held in either precision, with a `state`, a std::unique_ptr, and its type `Number`. State:
// size_of(block, layer), read(block, layer, out), write(block, layer, values). Derived: a type Place { block, layer }
// and static bool exists(Place, depth); setup(); a destructor that calls release().
template <typename Derived, typename Float, typename Double>
class TypedHandle : public Handle<Derived> {
 public:
  explicit TypedHandle(const Napi::CallbackInfo& info) : Handle<Derived>(info) {}

 protected:
  using Property = typename Handle<Derived>::PropertyDescriptor;
  using Call = typename Handle<Derived>::InstanceMethodCallback;
  using VoidCall = typename Handle<Derived>::InstanceVoidMethodCallback;

  static Property method(const char* name, Call call) { return Derived::InstanceMethod(name, call); }

  // What every state offers to JavaScript, and `more`.
  static std::vector<Property> properties(std::initializer_list<Property> more) {
    const auto void_method = [](const char* name, VoidCall call) { return Derived::InstanceMethod(name, call); };
    std::vector<Property> all{
        method("read", &TypedHandle::read),
        method("write", &TypedHandle::write),
        method("sectionBytes", &TypedHandle::section_bytes),
        method("saveSections", &TypedHandle::save_sections),
        method("sendSections", &TypedHandle::send_sections),
        method("loadSections", &TypedHandle::load_sections),
        void_method("stop", &TypedHandle::stop_work),
        void_method("close", &TypedHandle::close),
    };
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // Throws for a state that is closed, or not there yet.
  void need_ready(Napi::Env env) const {
    this->need_open(env);
    if (!ready_) throw coded_error(env, "ERR_DLADMM_STATE", "the state has not been allocated");
  }
  void set_ready() { ready_ = true; }
  [[nodiscard]] const Derived& self() const { return static_cast<const Derived&>(*this); }
  void hold(std::variant<Float, Double> typed) { typed_ = std::move(typed); }

  // A block of a layer, where there is such a one.
  [[nodiscard]] auto checked_place(Napi::Env env, double block, double layer) const {
    using Place = typename Derived::Place;
    constexpr std::size_t none = 255;
    const auto number = static_cast<std::uint8_t>(std::min(to_size(env, block, "block"), none));
    const Place place{static_cast<decltype(Place::block)>(number), to_size(env, layer, "layer")};
    if (!Derived::exists(place, self().setup().network.layers()))
      reject(env, "that block does not exist in this layer");
    return place;
  }
  [[nodiscard]] auto place_argument(const Napi::CallbackInfo& info, std::size_t i) const {
    return checked_place(info.Env(), number(info, i, "block"), number(info, i + 1, "layer"));
  }

  // Calls f with the Float or Double that is held.
  template <typename F>
  auto with_state(F&& f) {
    return std::visit(std::forward<F>(f), typed_);
  }

  // A Promise of nothing, after work(typed) on the training thread.
  template <typename Work>
  Napi::Value later_with_state(Napi::Env env, Work work) {
    need_ready(env);
    return this->later(
        env, [this, work = std::move(work)] { std::visit(work, typed_); },
        [](Napi::Env there) { return there.Undefined(); });
  }

  // A Promise of what work(typed, result) finds on the training thread, as to_object makes it for JavaScript.
  template <typename Result, typename Work, typename ToObject>
  Napi::Value answer_later(Napi::Env env, Work work, ToObject to_object, bool stoppable = false) {
    const auto result = std::make_shared<Result>();
    need_ready(env);
    return this->later(
        env, [this, work = std::move(work), result] { std::visit([&](auto& typed) { work(typed, *result); }, typed_); },
        [to_object, result](Napi::Env there) -> Napi::Value { return to_object(there, *result); }, stoppable);
  }

  // The same of a run: stop() ends it.
  template <typename Result, typename Work, typename ToObject>
  Napi::Value run_later(Napi::Env env, Work work, ToObject to_object) {
    return answer_later<Result>(env, std::move(work), std::move(to_object), true);
  }

  // A Promise of a typed array of `size` numbers, which fill(span) has filled on the training thread.
  template <typename T, typename Fill>
  Napi::Value values_later(Napi::Env env, std::size_t size, Fill fill) {
    const auto copy = std::make_shared<std::vector<T>>();
    need_ready(env);
    return this->later(
        env,
        [size, fill = std::move(fill), copy] {
          copy->resize(size);
          fill(std::span<T>(*copy));
        },
        [copy](Napi::Env there) { return typed_array<T>(there, *copy); });
  }

  // A Promise of nothing: argument i, `size` finite numbers, copied now and given to take(span) on the training thread.
  template <typename T, typename Take>
  Napi::Value take_later(const Napi::CallbackInfo& info, std::size_t i, std::size_t size, Take take) {
    const auto values = std::make_shared<std::vector<T>>(size);
    if (copy_numbers<T>(info, i, "values", *values) >= 0) reject(info.Env(), "values must be finite");
    return this->later(
        info.Env(), [take = std::move(take), values] { take(std::span<const T>(*values)); },
        [](Napi::Env env) { return env.Undefined(); });
  }

  // Ends the thread, then frees the memory.
  void release(Napi::Env env) {
    if (this->end(env)) std::visit([](auto& typed) { typed = {}; }, typed_);
  }

 private:
  // read(block, layer) → Promise of a typed array, row-major
  Napi::Value read(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const auto place = place_argument(info, 0);
    return with_state([&](auto& typed) {
      using T = typename std::remove_reference_t<decltype(typed)>::Number;
      return values_later<T>(info.Env(), typed.state->size_of(place.block, place.layer),
                             [&typed, place](std::span<T> to) { typed.state->read(place.block, place.layer, to); });
    });
  }

  // write(block, layer, values) → Promise
  Napi::Value write(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const auto place = place_argument(info, 0);
    return with_state([&](auto& typed) {
      using T = typename std::remove_reference_t<decltype(typed)>::Number;
      return take_later<T>(
          info, 2, typed.state->size_of(place.block, place.layer),
          [&typed, place](std::span<const T> from) { typed.state->write(place.block, place.layer, from); });
    });
  }

  // The sections of a state; with `kept` those too that let a run go on in between (section.hpp).
  template <typename Held>
  static std::vector<Section> sections_of(Held& state, bool kept) {
    if constexpr (requires { state.sections(); }) {
      std::vector<Section> all = state.sections();
      if constexpr (requires { state.kept_sections(); }) {
        if (!kept) return all;
        for (Section& it : state.kept_sections()) all.push_back(std::move(it));
      }
      return all;
    } else {
      throw std::logic_error("this state cannot be written out");
    }
  }

  // Which of all samples a state has.
  template <typename Held>
  static Share share_of(const Held& state) {
    if constexpr (requires { state.setup().share; }) return state.setup().share;
    return {};
  }

  // sectionBytes(kept) → Promise of the bytes that saveSections(…, kept, …) writes, header and extras left out
  Napi::Value section_bytes(const Napi::CallbackInfo& info) {
    const bool kept = info[0].ToBoolean();
    return answer_later<std::uint64_t>(
        info.Env(),
        [kept](auto& typed, std::uint64_t& bytes) {
          bytes = bytes_of(sections_of(*typed.state, kept), share_of(*typed.state));
        },
        [](Napi::Env env, std::uint64_t bytes) { return Napi::Number::New(env, static_cast<double>(bytes)); });
  }

  // saveSections(file, metadata, kept, extras: [{ name, data }]) → Promise of the size of the file. The state is
  // written from where it lives; the extras are copied first. Of ranks the first writes the rows of all, while the
  // others call sendSections(kept).
  Napi::Value save_sections(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const std::shared_ptr<OpenFile> file = open_file_argument(info, 0);
    if (!info[1].IsString()) reject(info.Env(), "metadata must be a string");
    const std::string metadata = info[1].As<Napi::String>();
    const bool kept = info[2].ToBoolean();
    const auto extras = std::make_shared<std::vector<Extra>>(extras_argument(info, 3));
    return answer_later<std::uint64_t>(
        info.Env(),
        [this, file, metadata, kept, extras](auto& typed, std::uint64_t& size) {
          std::vector<Section> all = sections_of(*typed.state, kept);
          for (Extra& extra : *extras) all.push_back(extra.section());
          size =
              write_sections(file->descriptor(), std::move(all), metadata, this->called_off(), share_of(*typed.state));
        },
        [](Napi::Env env, std::uint64_t size) { return Napi::Number::New(env, static_cast<double>(size)); });
  }

  // sendSections(kept) → Promise: the part in it of the other ranks
  Napi::Value send_sections(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const bool kept = info[0].ToBoolean();
    return later_with_state(info.Env(), [kept](auto& typed) {
      dladmm::send_sections(sections_of(*typed.state, kept), share_of(*typed.state));
    });
  }

  // loadSections(file, stored: [{ name, offset, bytes, checksum }], kept, extras: names) → Promise of the extras as
  // typed arrays of the state's type
  Napi::Value load_sections(const Napi::CallbackInfo& info) {
    need_ready(info.Env());
    const std::shared_ptr<OpenFile> file = open_file_argument(info, 0);
    const std::vector<StoredSection> stored = stored_sections_argument(info, 1);
    const bool kept = info[2].ToBoolean();
    const std::vector<std::string> names = names_argument(info, 3);
    return with_state([&](auto& typed) {
      using T = typename std::remove_reference_t<decltype(typed)>::Number;
      const auto extras = std::make_shared<std::vector<std::vector<T>>>(names.size());
      return this->later(
          info.Env(),
          [this, &typed, file, stored, kept, names, extras] { load(typed, *file, stored, kept, names, *extras); },
          [extras](Napi::Env env) -> Napi::Value {
            auto out = Napi::Array::New(env, extras->size());
            for (std::uint32_t i = 0; i < extras->size(); ++i) out.Set(i, typed_array<T>(env, (*extras)[i]));
            return out;
          });
    });
  }

  template <typename Held, typename T>
  void load(Held& typed, const OpenFile& file, const std::vector<StoredSection>& stored, bool kept,
            const std::vector<std::string>& names, std::vector<std::vector<T>>& extras) {
    const int descriptor = file.descriptor();
    const auto restored = [&] {
      if constexpr (requires { typed.state->restored(); }) typed.state->restored();
    };
    const Share share = share_of(*typed.state);
    const auto read = [&](std::vector<Section> into) {
      std::exception_ptr failure;
      try {
        read_sections(descriptor, std::move(into), stored, this->called_off(), share);
      } catch (...) {
        failure = std::current_exception();
      }
      const std::optional<std::size_t> failed = first_to_fail(share.ranks, failure != nullptr);
      if (!failed) return;
      // What was read so far may be anything.
      try {
        restored();
      } catch (const std::domain_error&) {
      }
      if (failure) std::rethrow_exception(failure);
      throw RanksFailure("Rank " + std::to_string(*failed) + " could not read the checkpoint");
    };
    read(sections_of(*typed.state, false));
    restored();
    if constexpr (requires { typed.state->kept_restored(); }) {
      if (kept) {
        read(typed.state->kept_sections());
        typed.state->kept_restored();
      }
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      const auto found =
          std::find_if(stored.begin(), stored.end(), [&](const StoredSection& s) { return s.name == names[i]; });
      if (found == stored.end()) throw Damaged("\"" + names[i] + "\" is missing");
      if (found->bytes > file_size(descriptor)) throw Damaged("\"" + names[i] + "\" is larger than the file");
      extras[i].resize(found->bytes / sizeof(T));
      const std::vector<Section> into{section(names[i], extras[i])};
      read_sections(descriptor, into, stored, this->called_off());
    }
  }

  void stop_work(const Napi::CallbackInfo&) { this->request_stop(); }
  void close(const Napi::CallbackInfo& info) { release(info.Env()); }

  std::variant<Float, Double> typed_;
  bool ready_ = false;
};

}  // namespace dladmm::addon
