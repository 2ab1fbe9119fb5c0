#include "addon/graph_network.hpp"

#include <utility>

#include "addon/graph_data.hpp"

namespace dladmm::addon {

Napi::Function TrainedGraphNetwork::define(Napi::Env env) {
  return DefineClass(env, "TrainedGraphNetwork",
                     {
                         InstanceMethod<&TrainedGraphNetwork::set_layer>("setLayer"),
                         InstanceMethod<&TrainedGraphNetwork::predict>("predict"),
                         InstanceMethod<&TrainedGraphNetwork::close>("close"),
                     });
}

TrainedGraphNetwork::TrainedGraphNetwork(const Napi::CallbackInfo& info) : Handle<TrainedGraphNetwork>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  network_ = network_from(options);
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
    start_thread(env);
  } catch (const Napi::Error&) {
    throw;
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
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

// predict({ adjacency, features }) → Promise of the outputs of all nodes, nodes x n_L
Napi::Value TrainedGraphNetwork::predict(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  const Napi::Object options = object_argument(info, 0, "graph");
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        struct Call {
          Csr<T> adjacency;
          Features<T> features;
          std::vector<T> out;
        };
        const auto call = std::make_shared<Call>();
        try {
          read_graph(options, network_, call->adjacency, call->features);
        } catch (const Napi::Error&) {
          throw;
        } catch (const std::exception&) {
          throw to_error(info.Env(), std::current_exception());
        }
        return later(
            info.Env(),
            [this, &typed, call] {
              const Csr<T> a = normalised_adjacency(call->adjacency.view());
              GraphForward<T> forward(*team_, network_, a, std::move(call->features));
              std::vector<MatrixView<const T>> weights;
              for (const auto& w : typed.W) weights.push_back(w.view());
              const MatrixView<const T> outputs = forward.outputs(*team_, weights);
              call->out.assign(outputs.data, outputs.data + outputs.rows * outputs.columns);
            },
            [call](Napi::Env env) { return typed_array<T>(env, call->out); });
      },
      typed_);
}

void TrainedGraphNetwork::close(const Napi::CallbackInfo& info) { end(info.Env()); }

}  // namespace dladmm::addon
