// A state of a splitting on a graph as a JavaScript object. It comes in two steps off the event loop: prepare() makes a
// state of the graph and says how much memory that needs, allocate() takes it. What the splittings have of their own
// stands in the classes derived from it.
#pragma once

#include <initializer_list>
#include <memory>
#include <utility>
#include <vector>

#include "addon/graph_data.hpp"
#include "addon/samples.hpp"
#include "addon/typed_handle.hpp"

namespace dladmm::addon {

// The graph as it came, and from prepare() on a state in its place. State<T>: State(setup, data), required_bytes(),
// allocate(), node_count(layer), evaluate(nodes), evaluate_training().
template <typename T, typename State>
struct WithGraph {
  using Number = T;
  GraphData<T> data;
  std::unique_ptr<State> state;
};

// Derived: static Setup setup_from(const Napi::Object&), where Setup has a member `network`; no members of its own, as
// work may go on until the end of this class.
template <typename Derived, template <typename> typename State, typename Setup>
class GraphHandle : public TypedHandle<Derived, WithGraph<float, State<float>>, WithGraph<double, State<double>>> {
  using Base = TypedHandle<Derived, WithGraph<float, State<float>>, WithGraph<double, State<double>>>;
  using Nodes = std::vector<std::int32_t>;

 public:
  explicit GraphHandle(const Napi::CallbackInfo& info) : Base(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    setup_ = Derived::setup_from(options);
    const auto take = [&]<typename T>(T) {
      GraphData<T> data = graph_data<T>(options, setup_.network);
      labels_ = data.labels;
      const double bytes = data.bytes();
      this->hold(Typed<T>{std::move(data), nullptr});
      return bytes;
    };
    const double bytes = in_type_of(options, take);
    this->start_jobs(env, JobQueue::Kind::training);
    this->account(env, bytes);
  }
  ~GraphHandle() override { this->release(this->Env()); }
  GraphHandle(const GraphHandle&) = delete;
  GraphHandle& operator=(const GraphHandle&) = delete;

  [[nodiscard]] const Setup& setup() const { return setup_; }

 protected:
  template <typename T>
  using Typed = WithGraph<T, State<T>>;
  using Property = typename Base::Property;

  // What every state offers to JavaScript, and `more`.
  static std::vector<Property> properties(std::initializer_list<Property> more) {
    std::vector<Property> all = Base::properties({
        Base::method("prepare", &GraphHandle::prepare),
        Base::method("allocate", &GraphHandle::allocate),
        Base::method("addEvaluationSet", &GraphHandle::add_evaluation_set),
        Base::method("evaluate", &GraphHandle::evaluate),
        Base::method("fingerprint", &GraphHandle::fingerprint),
    });
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

 private:
  struct Needs {
    double bytes = 0;
    std::vector<std::size_t> nodes;
  };

  // prepare() → Promise of { bytes, nodes }: normalises the adjacency and finds the nodes of every layer; how many
  // bytes allocate() will take, and how many nodes each layer 0 … L is kept on. Comes first, and once.
  Napi::Value prepare(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    if (step_ != Step::none) throw coded_error(info.Env(), "ERR_DLADMM_STATE", "prepare() comes once");
    step_ = Step::preparing;
    const auto needs = std::make_shared<Needs>();
    const auto work = [this, needs]<typename T>(Typed<T>& typed) {
      fingerprint_ = fingerprint_of(typed.data);
      typed.state = std::make_unique<State<T>>(setup_, std::exchange(typed.data, {}));
      needs->bytes = typed.state->required_bytes();
      for (std::size_t l = 0; l <= setup_.network.layers(); ++l) needs->nodes.push_back(typed.state->node_count(l));
    };
    return this->later(
        info.Env(), [this, work] { this->with_state(work); },
        [this, needs](Napi::Env env) -> Napi::Value {
          step_ = Step::prepared;
          bytes_ = needs->bytes;
          auto out = Napi::Object::New(env);
          auto nodes = Napi::Array::New(env);
          for (const std::size_t count : needs->nodes) nodes.Set(nodes.Length(), static_cast<double>(count));
          out.Set("bytes", needs->bytes);
          out.Set("nodes", nodes);
          return out;
        });
  }

  // allocate() → Promise. Comes second, and once.
  Napi::Value allocate(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    if (step_ != Step::prepared) {
      throw coded_error(info.Env(), "ERR_DLADMM_STATE", "allocate() comes once, after prepare()");
    }
    step_ = Step::allocating;
    this->account(info.Env(), bytes_);
    return this->later(
        info.Env(), [this] { this->with_state([](auto& typed) { typed.state->allocate(); }); },
        [this](Napi::Env env) {
          this->set_ready();
          return env.Undefined();
        });
  }

  // addEvaluationSet(nodes: Int32Array) → the number of the set; nodes have a class.
  Napi::Value add_evaluation_set(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    auto nodes = int32_argument(info, 0, "nodes");
    check_nodes(info.Env(), nodes, labels_, setup_.network.loss.classes(setup_.network.widths.back()));
    sets_.push_back(std::make_shared<const Nodes>(std::move(nodes)));
    return Napi::Number::New(info.Env(), static_cast<double>(sets_.size() - 1));
  }

  // The nodes of the set that the first argument names, none for −1, the training nodes.
  std::shared_ptr<const Nodes> set_argument(const Napi::CallbackInfo& info) const {
    this->need_ready(info.Env());
    const double set = number(info, 0, "set");
    need_set(info.Env(), set, sets_.size());
    return set < 0 ? nullptr : sets_[static_cast<std::size_t>(set)];
  }

  // evaluate(set) → Promise of { loss, correct }: loss summed over the nodes; set −1 is the training nodes.
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    const auto nodes = set_argument(info);
    return this->template answer_later<ForwardLoss>(
        info.Env(),
        [nodes](auto& typed, ForwardLoss& found) {
          found = nodes ? typed.state->evaluate(*nodes) : typed.state->evaluate_training();
        },
        to_object<ForwardLoss>);
  }

  template <typename T>
  static std::uint64_t fingerprint_of(const GraphData<T>& data) {
    Hash64 hash;
    const auto take = [&](const auto& values) { hash.update(std::as_bytes(std::span(values))); };
    const auto take_sparse = [&](const Csr<T>& matrix) {
      take(matrix.indptr);
      take(matrix.indices);
      take(matrix.values);
    };
    take_sparse(data.adjacency);
    take_sparse(data.features.sparse);
    take(data.features.dense.flat());
    take(data.labels);
    take(data.training);
    take(data.weights);
    return hash.digest();
  }

  // fingerprint(set) → Promise of a checksum, 16 digits: of the graph with its labels and training nodes as they came,
  // or of the nodes of a set
  Napi::Value fingerprint(const Napi::CallbackInfo& info) {
    const auto nodes = set_argument(info);
    return this->template answer_later<std::uint64_t>(
        info.Env(),
        [this, nodes](auto&, std::uint64_t& found) {
          found = nodes ? hash64(std::as_bytes(std::span(*nodes))) : fingerprint_;
        },
        [](Napi::Env env, std::uint64_t found) { return Napi::String::New(env, digits(found)); });
  }

  Setup setup_;
  std::vector<std::int32_t> labels_;
  std::vector<std::shared_ptr<const Nodes>> sets_;
  enum class Step : std::uint8_t { none, preparing, prepared, allocating } step_ = Step::none;
  double bytes_ = 0;               // that allocate() takes
  std::uint64_t fingerprint_ = 0;  // of the graph; training thread only
};

}  // namespace dladmm::addon
