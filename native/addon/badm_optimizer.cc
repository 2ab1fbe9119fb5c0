// BADM and SISA for parameters and gradients that come from elsewhere.
#include <algorithm>
#include <variant>
#include <vector>

#include "addon/arguments.hpp"
#include "addon/convert.hpp"
#include "addon/optimiser.hpp"
#include "addon/registry.hpp"
#include "core/gradient/method.hpp"

namespace dladmm::addon {
namespace {

template <typename T>
bool all_finite(std::span<const T> values) {
  T doubt = 0;
#pragma omp simd reduction(+ : doubt)
  for (std::size_t i = 0; i < values.size(); ++i) doubt += values[i] - values[i];
  return doubt == T(0);
}

// Works on the caller's arrays, on the caller's thread: nobody else may touch them meanwhile.
class BadmOptimizer : public Napi::ObjectWrap<BadmOptimizer> {
 public:
  static std::vector<PropertyDescriptor> properties() {
    return {
        InstanceMethod<&BadmOptimizer::step>("step"),
        InstanceMethod<&BadmOptimizer::dual>("dual"),
        InstanceMethod<&BadmOptimizer::reset>("reset"),
    };
  }

  // new BadmOptimizer({ dtype, sizes: entries of each tensor, weights: α_s, optimiser: { method: 'badm' | 'sisa', … }
  // })
  explicit BadmOptimizer(const Napi::CallbackInfo& info) : Napi::ObjectWrap<BadmOptimizer>(info) {
    const Napi::Env env = info.Env();
    const Napi::Object options = object_argument(info, 0, "options");
    sizes_ = sizes(env, options.Get("sizes"), "sizes");
    for (const std::size_t size : sizes_) {
      if (size > std::numeric_limits<std::size_t>::max() / 16 - count_) reject(env, "there are too many parameters");
      offsets_.push_back(count_);
      count_ += size;
    }
    std::visit(
        [&](const auto& method) {
          if constexpr (requires { method.sub_batches; }) {
            method_ = method;
            sub_batches_ = method.sub_batches;
          } else {
            reject(env, "method must be badm or sisa");
          }
        },
        optimiser_member(options));
    weights_ = doubles_member(options, "weights");
    if (weights_.size() != sub_batches_) reject(env, "weights must be one number a sub-batch");
    const std::size_t states = std::visit([](const auto& method) { return method.states(); }, method_);
    in_type_of(options, [&]<typename T>(T) {
      if (count_ > std::numeric_limits<std::size_t>::max() / states) throw std::bad_alloc();
      Typed<T> typed{Buffer<T>(count_ * states), std::vector<const T*>(sub_batches_)};
      std::ranges::fill(typed.state.span(), T(0));
      typed_ = std::move(typed);
    });
  }

 private:
  template <typename T>
  struct Typed {
    Buffer<T> state;
    std::vector<const T*> parts;  // the gradients of the tensor at work
  };

  // The entries of an array of tensors. Reading an array may run code of the caller's, which could take a buffer away:
  // all arrays are read before any buffer is looked at.
  std::vector<Napi::Value> entries(Napi::Env env, const Napi::Value& value) const {
    if (!value.IsArray()) reject(env, "tensors must be an array of typed arrays");
    const auto array = value.As<Napi::Array>();
    if (array.Length() != sizes_.size()) reject(env, "there must be as many tensors as sizes");
    std::vector<Napi::Value> out;
    for (std::uint32_t k = 0; k < sizes_.size(); ++k) out.push_back(array.Get(k));
    return out;
  }

  // Their numbers, each tensor of the type and length agreed on.
  template <typename T>
  std::vector<std::span<T>> tensors(Napi::Env env, const std::vector<Napi::Value>& entries) const {
    std::vector<std::span<T>> out;
    for (std::size_t k = 0; k < sizes_.size(); ++k) {
      constexpr auto type = std::is_same_v<T, float> ? napi_float32_array : napi_float64_array;
      if (!entries[k].IsTypedArray() || entries[k].As<Napi::TypedArray>().TypedArrayType() != type) {
        reject(env, "a tensor is not of the type of the optimizer");
      }
      auto typed = entries[k].As<Napi::TypedArrayOf<T>>();
      if (typed.ElementLength() != sizes_[k]) reject(env, "a tensor has a wrong length");
      out.emplace_back(typed.Data(), sizes_[k]);
    }
    return out;
  }

  // step(parameters: [tensor], gradients: [[tensor]], one a sub-batch, learningRate) → −1, or the number of the first
  // sub-batch with a gradient that is not finite (then nothing was changed), or −2 where a parameter no longer is.
  Napi::Value step(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    const Napi::Value gradients = info[1];
    if (!gradients.IsArray()) reject(env, "gradients must be an array");
    if (!info[2].IsNumber()) reject(env, "learningRate must be a number");
    const double rate = info[2].As<Napi::Number>().DoubleValue();
    return std::visit(
        [&]<typename T>(Typed<T>& typed) -> Napi::Value {
          const auto array = gradients.As<Napi::Array>();
          if (array.Length() != sub_batches_) reject(env, "one gradient a sub-batch is needed");
          std::vector<std::vector<Napi::Value>> gradient_entries;
          for (std::uint32_t s = 0; s < sub_batches_; ++s) gradient_entries.push_back(entries(env, array.Get(s)));
          const auto w = tensors<T>(env, entries(env, info[0]));
          std::vector<std::vector<std::span<T>>> g;
          for (const auto& each : gradient_entries) g.push_back(tensors<T>(env, each));
          for (std::size_t s = 0; s < sub_batches_; ++s) {
            for (const auto& tensor : g[s]) {
              if (!all_finite<T>(tensor)) return Napi::Number::New(env, static_cast<double>(s));
            }
          }
          const Step now{rate, step_number_ + 1, weights_};
          bool finite = true;
          for (std::size_t k = 0; k < sizes_.size(); ++k) {
            for (std::size_t s = 0; s < sub_batches_; ++s) typed.parts[s] = g[s][k].data();
            const Slice<T> slice{w[k].data(), sizes_[k], typed.parts, typed.state.data() + offsets_[k], count_};
            finite = std::visit([&](const auto& method) { return apply<T>(method, now, slice); }, method_) && finite;
          }
          ++step_number_;
          return Napi::Number::New(env, finite ? -1 : -2);
        },
        typed_);
  }

  // dual(subBatch) → [tensor], copies
  Napi::Value dual(const Napi::CallbackInfo& info) {
    const std::size_t s = size_argument(info, 0, "subBatch");
    const auto* const badm = std::get_if<Badm>(&method_);
    if (s >= sub_batches_ || (badm != nullptr && !badm->duals)) reject(info.Env(), "no such dual is kept");
    return std::visit(
        [&]<typename T>(Typed<T>& typed) -> Napi::Value {
          auto out = Napi::Array::New(info.Env(), sizes_.size());
          for (std::uint32_t k = 0; k < sizes_.size(); ++k) {
            const std::span<const T> values = typed.state.span().subspan(s * count_ + offsets_[k], sizes_[k]);
            out.Set(k, typed_array<T>(info.Env(), values));
          }
          return out;
        },
        typed_);
  }

  void reset(const Napi::CallbackInfo&) {
    step_number_ = 0;
    std::visit([](auto& typed) { std::fill_n(typed.state.data(), typed.state.size(), 0); }, typed_);
  }

  std::vector<std::size_t> sizes_;    // of the tensors
  std::vector<std::size_t> offsets_;  // of each in a vector of all parameters
  std::size_t count_ = 0;
  std::variant<Badm, Sisa> method_;
  std::size_t sub_batches_ = 1;
  std::vector<double> weights_;  // α_s
  std::uint64_t step_number_ = 0;
  std::variant<Typed<float>, Typed<double>> typed_;
};

const Exported<BadmOptimizer> exported("BadmOptimizer");

}  // namespace
}  // namespace dladmm::addon
