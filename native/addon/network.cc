#include "addon/network.hpp"

#include <algorithm>

namespace dladmm::addon {
namespace {

constexpr std::size_t kBlock = 256;

}  // namespace

Napi::Function TrainedNetwork::define(Napi::Env env) {
  return DefineClass(env, "TrainedNetwork",
                     {
                         InstanceMethod<&TrainedNetwork::set_layer>("setLayer"),
                         InstanceMethod<&TrainedNetwork::predict>("predict"),
                         InstanceMethod<&TrainedNetwork::evaluate>("evaluate"),
                         InstanceMethod<&TrainedNetwork::close>("close"),
                     });
}

TrainedNetwork::TrainedNetwork(const Napi::CallbackInfo& info) : Handle<TrainedNetwork>(info) {
  const Napi::Env env = info.Env();
  const Napi::Object options = object_argument(info, 0, "options");
  network_ = network_from(options);
  threads_ = threads_from(options);
  const auto allocate = [&]<typename T>(Typed<T> typed) {
    const std::size_t widest = *std::max_element(network_.widths.begin() + 1, network_.widths.end());
    for (std::size_t l = 1; l <= network_.layers(); ++l) {
      typed.W.emplace_back(network_.outputs(l), network_.inputs(l));
      typed.b.emplace_back(network_.outputs(l));
      std::fill(typed.W.back().flat().begin(), typed.W.back().flat().end(), T(0));
    }
    for (std::size_t l = 1; l <= network_.layers(); ++l) {
      typed.layers.push_back({typed.W[l - 1].view(), typed.b[l - 1]});
    }
    for (unsigned member = 0; member < threads_; ++member) {
      typed.spaces.emplace_back(kBlock, widest, network_.widths.back());
    }
    return typed;
  };
  try {
    team_ = std::make_unique<Team>(threads_);
    if (wants_float32(options)) {
      typed_ = allocate(Typed<float>{});
    } else {
      typed_ = allocate(Typed<double>{});
    }
    start_thread(env);
  } catch (const std::exception&) {
    throw to_error(env, std::current_exception());
  }
}

// setLayer(l, W, b): W row-major n_l x n_{l-1}
Napi::Value TrainedNetwork::set_layer(const Napi::CallbackInfo& info) {
  need_idle(info.Env());
  const std::size_t l = size_argument(info, 0, "layer");
  if (l < 1 || l > network_.layers()) reject(info.Env(), "no such layer");
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        if (copy_numbers<T>(info, 1, "W", typed.W[l - 1].flat()) >= 0) reject(info.Env(), "W must be finite");
        if (copy_numbers<T>(info, 2, "b", std::span(typed.b[l - 1])) >= 0) reject(info.Env(), "b must be finite");
        return info.Env().Undefined();
      },
      typed_);
}

template <typename T>
Matrix<T> TrainedNetwork::input_argument(const Napi::CallbackInfo& info) {
  if (!info[0].IsTypedArray()) reject(info.Env(), "x must be a typed array");
  const std::size_t length = info[0].As<Napi::TypedArray>().ElementLength();
  const std::size_t columns = network_.widths.front();
  if (length % columns != 0) reject(info.Env(), "x must hold whole rows");
  Matrix<T> x(length / columns, columns);
  const double bad = copy_numbers<T>(info, 0, "x", x.flat());
  if (bad >= 0) {
    auto error = coded_error(info.Env(), "ERR_DLADMM_NON_FINITE", "x must be finite");
    error.Set("index", bad);
    throw error;
  }
  return x;
}

// predict(x) → Promise of the outputs, rows x n_L
Napi::Value TrainedNetwork::predict(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        struct Call {
          Matrix<T> x, out;
        };
        const auto call = std::make_shared<Call>();
        call->x = input_argument<T>(info);
        call->out = Matrix<T>(call->x.rows(), network_.widths.back());
        return later(
            info.Env(),
            [this, &typed, call] {
              dladmm::predict<T>(*team_, typed.spaces, kBlock, typed.layers, network_.activation, call->x.view(),
                                 call->out.view());
            },
            [call](Napi::Env env) { return typed_array<T>(env, call->out.flat()); });
      },
      typed_);
}

// evaluate(x, labels or target values) → Promise of { loss, correct }: summed over the rows
Napi::Value TrainedNetwork::evaluate(const Napi::CallbackInfo& info) {
  need_open(info.Env());
  return std::visit(
      [&]<typename T>(Typed<T>& typed) -> Napi::Value {
        struct Call {
          Matrix<T> x, values;
          std::vector<std::int32_t> labels;
          ForwardLoss result;
        };
        const auto call = std::make_shared<Call>();
        call->x = input_argument<T>(info);
        const std::size_t rows = call->x.rows();
        if (network_.loss.classifies()) {
          const auto labels = int32_argument(info, 1, "labels");
          if (labels.size() != rows) reject(info.Env(), "one label a row is needed");
          const auto classes = static_cast<std::int32_t>(network_.loss.classes(network_.widths.back()));
          for (const std::int32_t label : labels) {
            if (label < 0 || label >= classes) reject(info.Env(), "a label names no class");
            call->labels.push_back(label);
          }
        } else {
          call->values = Matrix<T>(rows, network_.widths.back());
          if (copy_numbers<T>(info, 1, "y", call->values.flat()) >= 0) reject(info.Env(), "y must be finite");
        }
        return later(
            info.Env(),
            [this, &typed, call] {
              call->result =
                  dladmm::evaluate<T>(*team_, typed.spaces, kBlock, typed.layers, network_.activation, network_.loss,
                                      call->x.view(), Targets<T>{call->labels, call->values.view()});
            },
            [call](Napi::Env env) {
              auto out = Napi::Object::New(env);
              out.Set("loss", call->result.loss);
              out.Set("correct", static_cast<double>(call->result.correct));
              return out;
            });
      },
      typed_);
}

void TrainedNetwork::close(const Napi::CallbackInfo& info) { end(info.Env()); }

}  // namespace dladmm::addon
