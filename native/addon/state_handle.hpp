// A state of a splitting as a JavaScript object: its samples, its evaluation sets, its blocks, its end. What the
// splittings have of their own stands in the classes derived from it.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/samples.hpp"
#include "addon/storage.hpp"
#include "core/storage/hash.hpp"

namespace dladmm::addon {

// Derived: static Setup setup_from(const Napi::Object&), where Setup has a member `network`; its destructor calls
// release(). State<T>: State(setup), required_bytes(setup), and what WithSets asks for.
template <typename Derived, template <typename> typename State, typename Setup>
class StateHandle : public Handle<Derived> {
 public:
  explicit StateHandle(const Napi::CallbackInfo& info) : Handle<Derived>(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    setup_ = Derived::setup_from(options);
    try {
      if (wants_float32(options)) {
        hold<float>();
      } else {
        hold<double>();
      }
      this->start_jobs(env, JobQueue::Kind::training);
    } catch (const std::exception&) {
      throw to_error(env, std::current_exception());
    }
    this->hold_bytes(env, bytes_);
  }

 protected:
  template <typename T>
  using Typed = WithSets<T, State<T>>;
  using Property = typename Handle<Derived>::PropertyDescriptor;

  // What every state offers to JavaScript, and `more`.
  static std::vector<Property> properties(std::initializer_list<Property> more) {
    using Call = typename Handle<Derived>::InstanceMethodCallback;
    using VoidCall = typename Handle<Derived>::InstanceVoidMethodCallback;
    const auto call = [](const char* name, Call method) { return Derived::InstanceMethod(name, method); };
    const auto void_call = [](const char* name, VoidCall method) { return Derived::InstanceMethod(name, method); };
    std::vector<Property> all{
        call("loadInput", &StateHandle::load_input),
        call("loadTargets", &StateHandle::load_targets),
        call("loadLabels", &StateHandle::load_labels),
        call("addEvaluationSet", &StateHandle::add_evaluation_set),
        call("evaluate", &StateHandle::evaluate),
        call("sectionBytes", &StateHandle::section_bytes),
        call("saveSections", &StateHandle::save_sections),
        call("loadSections", &StateHandle::load_sections),
        call("fingerprint", &StateHandle::fingerprint),
        void_call("stop", &StateHandle::stop_work),
        void_call("close", &StateHandle::close),
        Derived::StaticMethod("requiredBytes", &StateHandle::required_bytes),
    };
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // Calls f with the Typed<float> or Typed<double> that stands.
  template <typename F>
  auto with_state(F&& f) {
    return std::visit(std::forward<F>(f), typed_);
  }

  // A Promise of nothing, after work(typed) on the training thread.
  template <typename Work>
  Napi::Value later_with_state(Napi::Env env, Work work) {
    return this->later(
        env, [this, work = std::move(work)] { std::visit(work, typed_); },
        [](Napi::Env there) { return there.Undefined(); });
  }

  // A Promise of what work(typed, result) finds on the training thread, as to_object makes it for JavaScript.
  template <typename Result, typename Work, typename ToObject>
  Napi::Value answer_later(Napi::Env env, Work work, ToObject to_object) {
    const auto result = std::make_shared<Result>();
    return this->later(
        env, [this, work = std::move(work), result] { std::visit([&](auto& typed) { work(typed, *result); }, typed_); },
        [to_object, result](Napi::Env there) -> Napi::Value { return to_object(there, *result); });
  }

  // A Promise of a typed array of `size` numbers, which fill(span) has filled on the training thread.
  template <typename T, typename Fill>
  Napi::Value values_later(Napi::Env env, std::size_t size, Fill fill) {
    const auto copy = std::make_shared<std::vector<T>>();
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

  [[nodiscard]] const Setup& setup() const { return setup_; }

  // Ends the thread, then frees the memory.
  void release(Napi::Env env) {
    if (!this->end(env)) return;
    std::visit(
        [](auto& typed) {
          typed.sets.clear();
          typed.state.reset();
        },
        typed_);
  }

 private:
  template <typename T>
  void hold() {
    typed_ = Typed<T>{std::make_unique<State<T>>(setup_), {}};
    bytes_ = State<T>::required_bytes(setup_);
  }

  double set_argument(const Napi::CallbackInfo& info) const {
    const double set = number(info, 0, "set");
    std::visit([&](const auto& typed) { need_set(info.Env(), set, typed.sets.size()); }, typed_);
    return set;
  }

  // loadInput(set, firstRow, chunk): set −1 is the training set. Returns the index in the chunk of the first value that
  // is not finite, or −1.
  Napi::Value load_input(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    return with_state([&](auto& typed) { return load_rows(info, typed.input(set)); });
  }

  Napi::Value load_targets(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    return with_state([&](auto& typed) { return load_rows(info, typed.values(set)); });
  }

  // loadLabels(set, labels): returns the index of the first label that names no class, or −1.
  Napi::Value load_labels(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    const std::size_t classes = setup_.network.loss.classes(setup_.network.widths.back());
    return with_state([&](auto& typed) { return load_labels_into(info, typed.labels(set), classes); });
  }

  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const std::size_t samples = size_argument(info, 0, "samples");
    return with_state([&](auto& typed) { return add_set(info.Env(), typed, setup_.network, samples); });
  }

  // evaluate(set) → Promise of { loss, correct }: loss summed over the samples; set −1 is the training set.
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    const double set = set_argument(info);
    return answer_later<ForwardLoss>(
        info.Env(), [set](auto& typed, ForwardLoss& found) { found = typed.evaluate(set); },
        [](Napi::Env env, const ForwardLoss& found) { return evaluation_object(env, found); });
  }

  static Napi::Value required_bytes(const Napi::CallbackInfo& info) {
    const Napi::Object options = object_argument(info, 0, "options");
    const Setup setup = Derived::setup_from(options);
    try {
      return Napi::Number::New(info.Env(), wants_float32(options) ? State<float>::required_bytes(setup)
                                                                  : State<double>::required_bytes(setup));
    } catch (const std::exception&) {
      throw to_error(info.Env(), std::current_exception());
    }
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

  // sectionBytes(kept) → Promise of the bytes that saveSections(…, kept, …) writes, header and extras left out
  Napi::Value section_bytes(const Napi::CallbackInfo& info) {
    const bool kept = info[0].ToBoolean();
    return answer_later<std::uint64_t>(
        info.Env(), [kept](auto& typed, std::uint64_t& bytes) { bytes = bytes_of(sections_of(*typed.state, kept)); },
        [](Napi::Env env, std::uint64_t bytes) { return Napi::Number::New(env, static_cast<double>(bytes)); });
  }

  // saveSections(file, metadata, kept, extras: [{ name, data }]) → Promise of the size of the file. The state is
  // written from where it lives; the extras are copied first.
  Napi::Value save_sections(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
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
          size = write_sections(file->descriptor(), std::move(all), metadata, this->called_off());
        },
        [](Napi::Env env, std::uint64_t size) { return Napi::Number::New(env, static_cast<double>(size)); });
  }

  // loadSections(file, stored: [{ name, offset, bytes, checksum }], kept, extras: names) → Promise of the extras as
  // typed arrays of the state's type
  Napi::Value load_sections(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    const std::shared_ptr<OpenFile> file = open_file_argument(info, 0);
    const std::vector<StoredSection> stored = stored_sections_argument(info, 1);
    const bool kept = info[2].ToBoolean();
    const std::vector<std::string> names = names_argument(info, 3);
    return with_state([&]<typename T>(Typed<T>& typed) {
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

  template <typename T>
  void load(Typed<T>& typed, const OpenFile& file, const std::vector<StoredSection>& stored, bool kept,
            const std::vector<std::string>& names, std::vector<std::vector<T>>& extras) {
    const int descriptor = file.descriptor();
    const auto restored = [&] {
      if constexpr (requires { typed.state->restored(); }) typed.state->restored();
    };
    try {
      read_sections(descriptor, sections_of(*typed.state, false), stored, this->called_off());
    } catch (...) {
      // What was read so far may be anything.
      try {
        restored();
      } catch (const std::domain_error&) {
      }
      throw;
    }
    restored();
    if constexpr (requires { typed.state->kept_restored(); }) {
      if (kept) {
        try {
          read_sections(descriptor, typed.state->kept_sections(), stored, this->called_off());
        } catch (...) {
          restored();  // finds afresh what was read in part
          throw;
        }
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

  // fingerprint(set) → Promise of a checksum, 16 digits, of the samples of a set as they were loaded
  Napi::Value fingerprint(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    const double set = set_argument(info);
    return answer_later<std::uint64_t>(
        info.Env(),
        [this, set](auto& typed, std::uint64_t& result) {
          Hash64 hash;
          const auto take = [&](auto values) { hash.update(std::as_bytes(values)); };
          take(typed.input(set).flat());
          // With labels, the values are a room of the state's own.
          if (setup_.network.loss.classifies()) {
            take(typed.labels(set));
          } else {
            take(typed.values(set).flat());
          }
          // Data that a splitting has besides: a graph.
          if constexpr (requires { typed.state->data_sections(); }) {
            for (const Section& it : typed.state->data_sections()) take(std::span<const std::byte>(it.bytes));
          }
          result = hash.digest();
        },
        [](Napi::Env env, std::uint64_t result) { return Napi::String::New(env, digits(result)); });
  }

  void stop_work(const Napi::CallbackInfo&) { this->request_stop(); }
  void close(const Napi::CallbackInfo& info) { release(info.Env()); }

  Setup setup_;
  std::variant<Typed<float>, Typed<double>> typed_;
  double bytes_ = 0;
};

}  // namespace dladmm::addon
