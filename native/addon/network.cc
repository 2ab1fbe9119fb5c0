// A trained network as a JavaScript object: forward passes, on the event loop for a few samples and off it for many.
#include <algorithm>
#include <cmath>
#include <memory>
#include <span>
#include <variant>
#include <vector>

#include "addon/convert.hpp"
#include "addon/handle.hpp"
#include "addon/registry.hpp"
#include "addon/samples.hpp"
#include "core/linalg/simd.hpp"
#include "core/serving/served_network.hpp"

namespace dladmm::addon {
namespace {

// Of a size that came from JavaScript: too large a one is an error with a code.
template <typename T>
Matrix<T> matrix(Napi::Env env, std::size_t rows, std::size_t columns) {
  return coded(env, [&] { return Matrix<T>(rows, columns); });
}

// Copies values, if `to` is not null. A sum of x − x, 0 for finite x and NaN otherwise, tells with one branch at its
// end whether all are finite.
template <typename T>
struct Doubt {
  [[gnu::always_inline]] static inline T run(const T* from, T* to, std::size_t count) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t k = 0; k < count; ++k) {
      const T value = from[k];
      if (to != nullptr) to[k] = value;
      doubt += value - value;
    }
    return doubt;
  }
};

class TrainedNetwork : public Handle<TrainedNetwork> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {
        InstanceMethod<&TrainedNetwork::set_layer>("setLayer"),
        InstanceMethod<&TrainedNetwork::set_codes>("setCodes"),
        InstanceMethod<&TrainedNetwork::predict>("predict"),
        InstanceMethod<&TrainedNetwork::predict_now>("predictNow"),
        InstanceMethod<&TrainedNetwork::evaluate>("evaluate"),
        InstanceMethod<&TrainedNetwork::close>("close"),
    };
  }

  explicit TrainedNetwork(const Napi::CallbackInfo& info) : Handle<TrainedNetwork>(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    network_ = network_from(options);
    const unsigned threads = threads_from(options);
    const bool quantised = member_flag(options, "quantised");
    if (quantised && *std::max_element(network_.widths.begin(), network_.widths.end() - 1) > PackedInt8::kMostInputs) {
      reject(env, "a quantised layer has too many inputs");
    }
    const double bytes = in_type_of(options, [&]<typename T>(T) {
      auto served = std::make_unique<ServedNetwork<T>>(network_, threads, quantised);
      const double taken = served->bytes();
      served_ = std::move(served);
      return taken;
    });
    start_jobs(env, JobQueue::Kind::serving);
    account(env, bytes);
  }

  ~TrainedNetwork() override { release(this->Env()); }
  TrainedNetwork(const TrainedNetwork&) = delete;
  TrainedNetwork& operator=(const TrainedNetwork&) = delete;

 private:
  // setLayer(l, W, b): W row-major n_l x n_{l-1}
  Napi::Value set_layer(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return fill_layer(info, false, [&]<typename T>(ServedNetwork<T>& served, std::size_t l, std::span<const T> b) {
      const auto W = matrix<T>(env, network_.outputs(l), network_.inputs(l));
      if (copy_numbers<T>(info, 1, "W", W.flat()) >= 0) reject(env, "W must be finite");
      served.set_layer(l, W.view(), b);
    });
  }

  // setCodes(l, codes, b, scales, scale, zero) of a quantised network: W = scales_j codes, and the grid of what comes
  // in
  Napi::Value set_codes(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    return fill_layer(info, true, [&]<typename T>(ServedNetwork<T>& served, std::size_t l, std::span<const T> b) {
      const auto codes = copied<std::int8_t>(env, info[1], "codes");
      if (codes.size() != network_.outputs(l) * network_.inputs(l)) reject(env, "codes must have one a weight");
      if (std::ranges::find(codes, std::int8_t{-128}) != codes.end()) reject(env, "codes must be −127 … 127");
      const auto scales = matrix<float>(env, 1, network_.outputs(l));
      if (copy_numbers<float>(info, 3, "scales", scales.flat()) >= 0) reject(env, "scales must be finite");
      const auto scale = static_cast<float>(number(info, 4, "scale"));
      if (!(scale > 0 && std::isfinite(scale))) reject(env, "scale must be positive");
      const std::size_t zero = size_argument(info, 5, "zero");
      if (zero > ValueGrid::kMost) reject(env, "zero must be a code");
      const ValueGrid grid{scale, static_cast<std::int32_t>(zero)};
      served.set_layer(l, {codes.data(), network_.outputs(l), network_.inputs(l)}, scales.flat(), grid, b);
    });
  }

  // fill(network, l, b) for the layer of the first argument, with the biases of the third.
  template <typename Fill>
  Napi::Value fill_layer(const Napi::CallbackInfo& info, bool quantised, Fill&& fill) {
    const Napi::Env env = info.Env();
    need_idle(env);
    const std::size_t l = size_argument(info, 0, "layer");
    if (l < 1 || l > network_.layers()) reject(env, "no such layer");
    return std::visit(
        [&]<typename T>(const std::unique_ptr<ServedNetwork<T>>& served) -> Napi::Value {
          if (served->quantised() != quantised) reject(env, "codes are for quantised networks, weights for the others");
          const auto b = matrix<T>(env, 1, network_.outputs(l));
          if (copy_numbers<T>(info, 2, "b", b.flat()) >= 0) reject(env, "b must be finite");
          const double before = served->bytes();
          fill(*served, l, std::span<const T>(b.flat()));
          account(env, served->bytes() - before);
          return env.Undefined();
        },
        served_);
  }

  // What follows stands before its use, as Clang 14 leaves it out otherwise.
  // x as samples x n_0, copied.
  template <typename T>
  Matrix<T> input_argument(const Napi::CallbackInfo& info) {
    const MatrixView<const T> x = input_in_place<T>(info);
    Matrix<T> copy = matrix<T>(info.Env(), x.rows, x.columns);
    if (x.data == nullptr) {
      need_finite(info.Env(), copy_numbers<T>(info, 0, "x", copy.flat()));
    } else {
      take_finite<T>(info.Env(), x, copy.flat().data());
    }
    return copy;
  }

  // The same for as long as the call lasts: as it lies, where its type is T, or else in `copy`.
  template <typename T>
  MatrixView<const T> input_now(const Napi::CallbackInfo& info, Matrix<T>& copy) {
    const MatrixView<const T> x = input_in_place<T>(info);
    if (x.data == nullptr) return (copy = input_argument<T>(info)).view();
    take_finite<T>(info.Env(), x, nullptr);
    return x;
  }

  // x as samples x n_0, as it lies; without data where its type is another.
  template <typename T>
  MatrixView<const T> input_in_place(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray()) reject(info.Env(), "x must be a typed array");
    const auto array = info[0].As<Napi::TypedArray>();
    const std::size_t columns = network_.widths.front();
    if (array.ElementLength() % columns != 0) reject(info.Env(), "x must hold whole rows");
    const bool same = array.TypedArrayType() == (sizeof(T) == 4 ? napi_float32_array : napi_float64_array);
    const T* const data = same ? array.As<Napi::TypedArrayOf<T>>().Data() : nullptr;
    return {data, array.ElementLength() / columns, columns};
  }

  template <typename T>
  static void take_finite(Napi::Env env, MatrixView<const T> x, T* to) {
    const std::span<const T> values = x.flat();
    if (simd::run<Doubt<T>>(values.data(), to, values.size()) == 0) return;
    const auto bad = std::ranges::find_if_not(values, [](T value) { return std::isfinite(value); });
    if (bad != values.end()) need_finite(env, static_cast<double>(bad - values.begin()));
  }

  static void need_finite(Napi::Env env, double bad) {
    if (bad < 0) return;
    auto error = coded_error(env, "ERR_DLADMM_NON_FINITE", "x must be finite");
    error.Set("index", bad);
    throw error;
  }

  // Samples on their way to another thread, dense or sparse.
  template <typename T>
  struct Input {
    Matrix<T> dense;
    Csr<T> sparse;

    [[nodiscard]] bool is_sparse() const { return sparse.columns > 0; }
    [[nodiscard]] std::size_t rows() const { return is_sparse() ? sparse.rows : dense.rows(); }
  };

  // x: a typed array of whole rows, or { rows, columns, indptr, indices, values }
  template <typename T>
  Input<T> samples_argument(const Napi::CallbackInfo& info) {
    if (info[0].IsTypedArray()) return {input_argument<T>(info), {}};
    Input<T> input{{}, coded(info.Env(), [&] { return csr_from<T>(info[0], "x"); })};
    if (input.sparse.columns != network_.widths.front()) reject(info.Env(), "x must be as wide as the first layer");
    return input;
  }

  // predict(x) → Promise of the outputs, rows x n_L
  Napi::Value predict(const Napi::CallbackInfo& info) {
    need_open(info.Env());
    return std::visit(
        [&]<typename T>(const std::unique_ptr<ServedNetwork<T>>& served) -> Napi::Value {
          struct Call {
            Input<T> x;
            Matrix<T> out;
          };
          const auto call = std::make_shared<Call>();
          call->x = samples_argument<T>(info);
          call->out = matrix<T>(info.Env(), call->x.rows(), network_.widths.back());
          return later(
              info.Env(),
              [&network = *served, call] {
                const auto& [dense, sparse] = call->x;
                if (call->x.is_sparse()) return network.predict(sparse.view(), call->out.view());
                network.predict(dense.view(), call->out.view());
              },
              [call](Napi::Env env) { return typed_array<T>(env, call->out.flat()); });
        },
        served_);
  }

  // predictNow(x) → the outputs, rows x n_L
  Napi::Value predict_now(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    need_open(env);
    return std::visit(
        [&]<typename T>(const std::unique_ptr<ServedNetwork<T>>& served) -> Napi::Value {
          const auto answer = [&](const auto& x) {
            auto out = new_array<T>(env, x.rows * network_.widths.back());
            served->predict(x, {out.Data(), x.rows, network_.widths.back()});
            return out;
          };
          if (info[0].IsTypedArray()) {
            Matrix<T> copy;
            return answer(input_now<T>(info, copy));
          }
          const Input<T> input = samples_argument<T>(info);
          need_open(env);  // a getter of the caller's may have closed it
          return answer(input.sparse.view());
        },
        served_);
  }

  // evaluate(x, labels or target values) → Promise of { loss, correct }: summed over the rows
  Napi::Value evaluate(const Napi::CallbackInfo& info) {
    need_open(info.Env());
    return std::visit(
        [&]<typename T>(const std::unique_ptr<ServedNetwork<T>>& served) -> Napi::Value {
          struct Call {
            Input<T> x;
            Matrix<T> values;
            std::vector<std::int32_t> labels;
            ForwardLoss result;
          };
          const auto call = std::make_shared<Call>();
          call->x = samples_argument<T>(info);
          const std::size_t rows = call->x.rows();
          if (network_.loss.classifies()) {
            const auto labels = int32_argument(info, 1, "labels");
            if (labels.size() != rows) reject(info.Env(), "one label a row is needed");
            const auto classes = static_cast<std::int32_t>(network_.loss.classes(network_.widths.back()));
            for (const std::int32_t label : labels) {
              if (label < 0 || label >= classes) reject(info.Env(), "a label names no class");
            }
            call->labels = labels;
          } else {
            call->values = matrix<T>(info.Env(), rows, network_.widths.back());
            if (copy_numbers<T>(info, 1, "y", call->values.flat()) >= 0) reject(info.Env(), "y must be finite");
          }
          return later(
              info.Env(),
              [&network = *served, call] {
                const Targets<T> targets{call->labels, call->values.view()};
                const auto& [dense, sparse] = call->x;
                call->result = call->x.is_sparse() ? network.evaluate(sparse.view(), targets)
                                                   : network.evaluate(dense.view(), targets);
              },
              [call](Napi::Env env) { return to_object(env, call->result); });
        },
        served_);
  }

  void close(const Napi::CallbackInfo& info) { release(info.Env()); }

  // Ends the jobs, then frees the weights.
  void release(Napi::Env env) {
    if (end(env)) std::visit([](auto& served) { served.reset(); }, served_);
  }

  Network network_;
  // One of the two, by the type; made once, as both have large storage of their own.
  std::variant<std::unique_ptr<ServedNetwork<float>>, std::unique_ptr<ServedNetwork<double>>> served_;
};

const Exported<TrainedNetwork> exported("TrainedNetwork");

}  // namespace
}  // namespace dladmm::addon
