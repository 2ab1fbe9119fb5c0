// A trained graph convolutional network as a JavaScript object: outputs for the nodes of a graph.
#include <array>
#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/graph_data.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"
#include "addon/samples.hpp"
#include "core/graph/forward.hpp"

namespace dladmm::addon {
namespace {

// A graph on its way through a network.
template <typename T>
struct Call {
  Csr<T> adjacency;
  Features<T> features;
  std::vector<T> out;
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> nodes;
  ForwardLoss found;

  Call(const Napi::Object& graph, const Network& network) {
    coded(graph.Env(), [&] { read_graph(graph, network, adjacency, features); });
  }

  // use(outputs of all nodes), on the training thread
  template <typename Use>
  void forward(Team& team, const Network& network, const std::vector<Matrix<T>>& layers, Use&& use) {
    GraphForward<T> pass(team, network, normalised_adjacency(adjacency.view()), std::move(features));
    std::vector<MatrixView<const T>> weights;
    for (const auto& w : layers) weights.push_back(w.view());
    use(pass.outputs(team, weights));
  }
};

class TrainedGraphNetwork : public Handle<TrainedGraphNetwork> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {
        InstanceMethod<&TrainedGraphNetwork::set_layer>("setLayer"),
        InstanceMethod<&TrainedGraphNetwork::predict>("predict"),
        InstanceMethod<&TrainedGraphNetwork::evaluate>("evaluate"),
        InstanceMethod<&TrainedGraphNetwork::close>("close"),
    };
  }

  explicit TrainedGraphNetwork(const Napi::CallbackInfo& info) : Handle<TrainedGraphNetwork>(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    network_ = network_from(options);
    if (!network_.loss.classifies()) reject(env, "the loss must be one of classes");
    team_ = std::make_unique<Team>(threads_from(options));
    const double bytes = in_type_of(options, [&]<typename T>(T) {
      Typed<T> typed;
      double taken = 0;
      for (std::size_t l = 1; l <= network_.layers(); ++l) {
        typed.W.emplace_back(network_.inputs(l), network_.outputs(l));
        std::ranges::fill(typed.W.back().flat(), T(0));
        taken += static_cast<double>(typed.W.back().flat().size_bytes());
      }
      typed_ = std::move(typed);
      return taken;
    });
    start_jobs(env, JobQueue::Kind::serving);
    coded(env, [] { static const std::array<BlasBuffer, JobQueue::kServing> of_those_that_serve; });
    account(env, bytes);
  }

  ~TrainedGraphNetwork() override { release(this->Env()); }
  TrainedGraphNetwork(const TrainedGraphNetwork&) = delete;
  TrainedGraphNetwork& operator=(const TrainedGraphNetwork&) = delete;

 private:
  template <typename T>
  struct Typed {
    std::vector<Matrix<T>> W;  // n_{l-1} x n_l
  };

  // setLayer(l, W): n_{l-1} x n_l row-major
  Napi::Value set_layer(const Napi::CallbackInfo& info) {
    need_idle(info.Env());
    const std::size_t l = size_argument(info, 0, "layer");
    if (l < 1 || l > network_.layers()) reject(info.Env(), "no such layer");
    return std::visit(
        [&]<typename T>(Typed<T>& typed) -> Napi::Value {
          if (copy_numbers<T>(info, 1, "W", typed.W[l - 1].flat()) >= 0) reject(info.Env(), "W must be finite");
          return info.Env().Undefined();
        },
        typed_);
  }

  // predict({ adjacency, features }) → Promise of the outputs of all nodes, nodes x n_L
  Napi::Value predict(const Napi::CallbackInfo& info) {
    need_open(info.Env());
    const Napi::Object graph = object_argument(info, 0, "graph");
    return std::visit(
        [&]<typename T>(Typed<T>& typed) -> Napi::Value {
          const auto call = std::make_shared<Call<T>>(graph, network_);
          return later(
              info.Env(),
              [this, &typed, call] {
                call->forward(*team_, network_, typed.W, [&](MatrixView<const T> outputs) {
                  call->out.assign(outputs.data, outputs.data + outputs.rows * outputs.columns);
                });
              },
              [call](Napi::Env env) { return typed_array<T>(env, call->out); });
        },
        typed_);
  }

  // evaluate({ adjacency, features }, labels, nodes) → Promise of { loss, correct }: summed over the nodes, which have
  // a class
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    need_open(info.Env());
    const Napi::Object graph = object_argument(info, 0, "graph");
    const auto labels = int32_argument(info, 1, "labels");
    const auto nodes = int32_argument(info, 2, "nodes");
    return std::visit(
        [&]<typename T>(Typed<T>& typed) -> Napi::Value {
          const auto call = std::make_shared<Call<T>>(graph, network_);
          if (labels.size() != call->adjacency.rows) reject(info.Env(), "one label a node is needed");
          check_nodes(info.Env(), nodes, labels, network_.loss.classes(network_.widths.back()));
          call->labels = labels;
          call->nodes = nodes;
          return later(
              info.Env(),
              [this, &typed, call] {
                call->forward(*team_, network_, typed.W, [&](MatrixView<const T> outputs) {
                  auto works = node_works(*team_, network_);
                  call->found = evaluate_nodes<T>(*team_, works, network_.loss, outputs, call->labels, call->nodes);
                });
              },
              [call](Napi::Env env) { return to_object(env, call->found); });
        },
        typed_);
  }

  void close(const Napi::CallbackInfo& info) { release(info.Env()); }

  // Ends the jobs, then frees the weights.
  void release(Napi::Env env) {
    if (!end(env)) return;
    std::visit([](auto& typed) { typed.W.clear(); }, typed_);
    team_.reset();
  }

  Network network_;
  std::unique_ptr<Team> team_;
  std::variant<Typed<float>, Typed<double>> typed_;
};

const Exported<TrainedGraphNetwork> exported("TrainedGraphNetwork");

}  // namespace
}  // namespace dladmm::addon
