#include "addon/graph_network.hpp"

#include <array>
#include <utility>

#include "addon/graph_data.hpp"
#include "addon/samples.hpp"

namespace dladmm::addon {

Napi::Function TrainedGraphNetwork::define(Napi::Env env) {
  return DefineClass(env, "TrainedGraphNetwork",
                     {
                         InstanceMethod<&TrainedGraphNetwork::set_layer>("setLayer"),
                         InstanceMethod<&TrainedGraphNetwork::predict>("predict"),
                         InstanceMethod<&TrainedGraphNetwork::evaluate>("evaluate"),
                         InstanceMethod<&TrainedGraphNetwork::close>("close"),
                     });
}

TrainedGraphNetwork::TrainedGraphNetwork(const Napi::CallbackInfo& info) : Handle<TrainedGraphNetwork>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  network_ = network_from(options);
  if (!network_.loss.classifies()) reject(env, "the loss must be one of classes");
  const auto allocate = [&]<typename T>(Typed<T> typed) {
    for (std::size_t l = 1; l <= network_.layers(); ++l) {
      typed.W.emplace_back(network_.inputs(l), network_.outputs(l));
      std::fill(typed.W.back().flat().begin(), typed.W.back().flat().end(), T(0));
    }
    typed_ = std::move(typed);
  };
  try {
    team_ = std::make_unique<Team>(threads_from(options));
    if (wants_float32(options)) {
      allocate(Typed<float>{});
    } else {
      allocate(Typed<double>{});
    }
    start_jobs(env, JobQueue::Kind::serving);
    static const std::array<BlasBuffer, JobQueue::kServing> of_those_that_serve;
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
  account(env, std::visit(
                   []<typename T>(const Typed<T>& typed) {
                     double bytes = 0;
                     for (const auto& w : typed.W) bytes += static_cast<double>(w.flat().size_bytes());
                     return bytes;
                   },
                   typed_));
}

// setLayer(l, W): n_{l-1} x n_l row-major
Napi::Value TrainedGraphNetwork::set_layer(const Napi::CallbackInfo& info) {
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
    try {
      read_graph(graph, network, adjacency, features);
    } catch (const std::exception&) {
      throw to_error(graph.Env(), std::current_exception());
    }
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

}  // namespace

// predict({ adjacency, features }) → Promise of the outputs of all nodes, nodes x n_L
Napi::Value TrainedGraphNetwork::predict(const Napi::CallbackInfo& info) {
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

// evaluate({ adjacency, features }, labels, nodes) → Promise of { loss, correct }: summed over the nodes, which have a
// class
Napi::Value TrainedGraphNetwork::evaluate(const Napi::CallbackInfo& info) {
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
            [call](Napi::Env env) { return evaluation_object(env, call->found); });
      },
      typed_);
}

void TrainedGraphNetwork::close(const Napi::CallbackInfo& info) { release(info.Env()); }

void TrainedGraphNetwork::release(Napi::Env env) {
  if (!end(env)) return;
  std::visit([](auto& typed) { typed.W.clear(); }, typed_);
  team_.reset();
}

}  // namespace dladmm::addon
