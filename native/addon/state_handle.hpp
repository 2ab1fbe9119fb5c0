// A state of a splitting on samples as a JavaScript object: its samples and its evaluation sets. What the splittings
// have of their own stands in the classes derived from it.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "addon/row_reader.hpp"
#include "addon/samples.hpp"
#include "addon/typed_handle.hpp"

namespace dladmm::addon {

// Derived: static Setup setup_from(const Napi::Object&), where Setup has a member `network`; no members of its own, as
// work may go on until the end of this class. State<T>: State(setup), required_bytes(setup), and what WithSets asks
// for.
template <typename Derived, template <typename> typename State, typename Setup>
class StateHandle : public TypedHandle<Derived, WithSets<float, State<float>>, WithSets<double, State<double>>> {
  using Base = TypedHandle<Derived, WithSets<float, State<float>>, WithSets<double, State<double>>>;

 public:
  explicit StateHandle(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    setup_ = Derived::setup_from(options);
    const auto allocate = [&]<typename T>(T) {
      this->hold(Typed<T>{std::make_unique<State<T>>(setup_), {}});
      return State<T>::required_bytes(setup_);
    };
    const double bytes = in_type_of(options, allocate);
    this->start_jobs(env, JobQueue::Kind::training);
    this->account(env, bytes);
    this->set_ready();
  }
  ~StateHandle() override { this->release(this->Env()); }
  StateHandle(const StateHandle&) = delete;
  StateHandle& operator=(const StateHandle&) = delete;

  [[nodiscard]] const Setup& setup() const { return setup_; }

 protected:
  template <typename T>
  using Typed = WithSets<T, State<T>>;
  using Property = typename Base::Property;

  // What every state offers to JavaScript, and `more`.
  static std::vector<Property> properties(std::initializer_list<Property> more) {
    std::vector<Property> all = Base::properties({
        Base::method("loadInput", &StateHandle::load_input),
        Base::method("loadSparse", &StateHandle::load_sparse),
        Base::method("loadTargets", &StateHandle::load_targets),
        Base::method("loadLabels", &StateHandle::load_labels),
        Base::method("loadWeights", &StateHandle::load_weights),
        Base::method("input", &StateHandle::input),
        Base::method("fill", &StateHandle::fill),
        Base::method("addEvaluationSet", &StateHandle::add_evaluation_set),
        Base::method("evaluate", &StateHandle::evaluate),
        Base::method("fingerprint", &StateHandle::fingerprint),
        Derived::StaticMethod("requiredBytes", &StateHandle::required_bytes),
    });
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  // Whether work may look at some of these rows of the training set.
  [[nodiscard]] virtual bool visits(std::size_t /*first*/, std::size_t /*count*/, std::size_t /*rows*/) const {
    return true;
  }

 private:
  double set_argument(const Napi::CallbackInfo& info) {
    const double set = number(info, 0, "set");
    this->with_state([&](const auto& typed) { need_set(info.Env(), set, typed.sets.size()); });
    return set;
  }

  // loadInput(set, firstRow, chunk): set −1 is the training set. Returns the index in the chunk of the first value that
  // is not finite, or −1.
  Napi::Value load_input(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    return this->with_state([&](auto& typed) { return load_rows(info, typed.input(set)); });
  }

  Napi::Value load_targets(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    return this->with_state([&](auto& typed) { return load_rows(info, typed.values(set)); });
  }

  // loadLabels(set, labels): returns the index of the first label that names no class, or −1.
  Napi::Value load_labels(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const double set = set_argument(info);
    const std::size_t classes = setup_.network.loss.classes(setup_.network.widths.back());
    return this->with_state([&](auto& typed) { return load_labels_into(info, 1, typed.labels(set), classes); });
  }

  // loadWeights(weights): what the samples of the training set count for.
  Napi::Value load_weights(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    auto weights = doubles_argument(info, 0, "weights");
    this->with_state([&](auto& typed) {
      check_weights(info.Env(), weights, setup_.samples);
      typed.state->weights() = std::move(weights);
    });
    return info.Env().Undefined();
  }

  // input(): where features are read to (row_reader.cc), for as long as the state lives.
  Napi::Value input(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    return this->with_state([&]<typename Typed>(Typed& typed) -> Napi::Value {
      using T = typename Typed::Number;
      auto target = std::make_unique<RowTarget>(RowsOf<T>{typed.state, typed.state->input()});
      return Napi::External<RowTarget>::New(info.Env(), target.release(),
                                            [](Napi::Env, RowTarget* ended) { delete ended; });
    });
  }

  // fill(part, firstRow, chunk): rows of the training set that are not visited now: of x (part 0), of target values
  // (1), labels (2) or weights (3). Returns the index of the first entry that is not finite or names no class, or −1.
  Napi::Value fill(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    this->need_open(env);
    const std::size_t part = size_argument(info, 0, "part");
    const std::size_t first = size_argument(info, 1, "firstRow");
    if (!info[2].IsTypedArray()) reject(env, "a chunk must be a typed array");
    const std::size_t entries = info[2].As<Napi::TypedArray>().ElementLength();
    return this->with_state([&](auto& typed) -> Napi::Value {
      const std::size_t rows = typed.state->input().rows;
      const std::size_t columns = part == 0   ? typed.state->input().columns
                                  : part == 1 ? typed.state->target_values().columns
                                              : 1;
      const std::size_t count = columns == 0 ? 0 : entries / columns;
      if (first > rows || count > rows - first) reject(env, "a chunk reaches past the last sample");
      if (visits(first, count, rows)) this->need_idle(env);
      typed.state->release_rows();
      if (part == 0) return load_rows(info, typed.state->input());
      if (part == 1) return load_rows(info, typed.state->target_values());
      if (part == 2) {
        const std::span<std::int32_t> labels = typed.state->labels();
        if (labels.size() != rows) reject(env, "this loss has no labels");
        const Network& network = setup_.network;
        return load_labels_into(info, 2, labels.subspan(first, count), network.loss.classes(network.widths.back()));
      }
      const auto weights = doubles_argument(info, 2, "weights");
      std::vector<double>& to = typed.state->weights();
      if (to.size() != rows) reject(env, "weights have to be loaded before they are filled");
      std::ranges::copy(weights, to.begin() + static_cast<std::ptrdiff_t>(first));
      return Napi::Number::New(env, -1);
    });
  }

  // addEvaluationSet(samples, sparse): returns its number
  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const std::size_t samples = counted(info.Env(), size_argument(info, 0, "samples"), "samples");
    const bool sparse = info[1].ToBoolean();
    return this->with_state([&](auto& typed) { return add_set(info.Env(), typed, setup_.network, samples, sparse); });
  }

  // loadSparse(set, rows): appends rows to those of a set whose features are sparse.
  Napi::Value load_sparse(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    this->need_idle(env);
    const double set = set_argument(info);
    return this->with_state([&](auto& typed) -> Napi::Value {
      using T = typename std::remove_reference_t<decltype(typed)>::Number;
      return coded(env, [&]() -> Napi::Value {
        const Csr<T> rows = csr_from<T>(info[1], "rows");
        this->need_idle(env);  // a getter of the caller's may have closed it
        Csr<T>* const to = typed.sparse(set);
        if (to == nullptr) reject(env, "the features of this set are not sparse");
        if (rows.columns != to->columns) reject(env, "rows must be as wide as the first layer");
        if (rows.rows > typed.samples(set) - to->rows) reject(env, "rows reach past the last sample");
        append(*to, rows.view());
        return env.Undefined();
      });
    });
  }

  // evaluate(set) → Promise of { loss, correct }: loss summed over the samples; set −1 is the training set.
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    const double set = set_argument(info);
    return this->template answer_later<ForwardLoss>(
        info.Env(), [set](auto& typed, ForwardLoss& found) { found = typed.evaluate(set); }, to_object<ForwardLoss>);
  }

  static Napi::Value required_bytes(const Napi::CallbackInfo& info) {
    const Napi::Object options = object_argument(info, 0, "options");
    const Setup setup = Derived::setup_from(options);
    return in_type_of(options, [&]<typename T>(T) -> Napi::Value {
      return Napi::Number::New(info.Env(), State<T>::required_bytes(setup));
    });
  }

  // fingerprint(set) → Promise of a checksum, 16 digits, of the samples of a set as they were loaded
  Napi::Value fingerprint(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    const double set = set_argument(info);
    return this->template answer_later<std::uint64_t>(
        info.Env(),
        [this, set](auto& typed, std::uint64_t& result) {
          Hash64 hash;
          const auto take = [&](auto values) { hash.update(std::as_bytes(values)); };
          take(typed.input(set).flat());
          if (const auto* const x = typed.sparse(set)) {
            take(std::span(x->indptr));
            take(std::span(x->indices));
            take(std::span(x->values));
          }
          // With labels, the values are a room of the state's own.
          if (setup_.network.loss.classifies()) {
            take(typed.labels(set));
          } else {
            take(typed.values(set).flat());
          }
          if (set < 0) take(std::span(typed.state->weights()));
          result = hash.digest();
        },
        [](Napi::Env env, std::uint64_t result) { return Napi::String::New(env, digits(result)); });
  }

  Setup setup_;
};

}  // namespace dladmm::addon
