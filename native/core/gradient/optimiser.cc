#include "core/gradient/optimiser.hpp"

#include <cmath>

#include "core/linalg/simd.hpp"

// Every kernel ends with a cheap sum that is 0 while all is finite: x − x is 0 for finite x and NaN otherwise.
namespace dladmm {
namespace {

template <typename T>
struct PlainSgd {
  [[gnu::always_inline]] static inline T run(T* w, const T* gradient, std::size_t n, T rate, T decay) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T next = w[j] - rate * (gradient[j] + decay * w[j]);
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

template <typename T>
struct MomentumConstants {
  T rate, decay, momentum, take, of_gradient, of_buffer;
};

template <typename T>
struct MomentumSgd {
  [[gnu::always_inline]] static inline T run(T* w, const T* gradient, T* buffer, std::size_t n,
                                             MomentumConstants<T> c) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T g = gradient[j] + c.decay * w[j];
      const T m = c.momentum * buffer[j] + c.take * g;
      const T next = w[j] - c.rate * (c.of_gradient * g + c.of_buffer * m);
      buffer[j] = m;
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

template <typename T>
struct AdagradKernel {
  [[gnu::always_inline]] static inline T run(T* w, const T* gradient, T* sum, std::size_t n, T rate, T decay,
                                             T epsilon) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T g = gradient[j] + decay * w[j];
      const T s = sum[j] + g * g;
      const T next = w[j] - rate * g / (std::sqrt(s) + epsilon);
      sum[j] = s;
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

template <typename T>
struct AdadeltaKernel {
  [[gnu::always_inline]] static inline T run(T* w, const T* gradient, T* square, T* step, std::size_t n, T rate,
                                             T decay, T rho, T epsilon) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T g = gradient[j] + decay * w[j];
      const T s = rho * square[j] + (T(1) - rho) * g * g;
      const T delta = std::sqrt(step[j] + epsilon) / std::sqrt(s + epsilon) * g;
      const T next = w[j] - rate * delta;
      square[j] = s;
      step[j] = rho * step[j] + (T(1) - rho) * delta * delta;
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

template <typename T>
struct AdamConstants {
  T decay, keep, beta1, take1, beta2, take2, size, root, epsilon;
};

template <typename T>
struct AdamKernel {
  [[gnu::always_inline]] static inline T run(T* w, const T* gradient, T* first, T* second, std::size_t n,
                                             AdamConstants<T> c) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T g = gradient[j] + c.decay * w[j];
      const T m = c.beta1 * first[j] + c.take1 * g;
      const T v = c.beta2 * second[j] + c.take2 * g * g;
      const T next = c.keep * w[j] - c.size * m / (std::sqrt(v) * c.root + c.epsilon);
      first[j] = m;
      second[j] = v;
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

}  // namespace

template <typename T>
bool apply(const Sgd& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate);
  const T decay = static_cast<T>(method.weight_decay);
  if (method.momentum == 0) return simd::run<PlainSgd<T>>(slice.w, slice.g[0], slice.count, rate, decay) == T(0);
  const T momentum = static_cast<T>(method.momentum);
  const T take = step.number == 1 ? T(1) : static_cast<T>(1 - method.dampening);
  const MomentumConstants<T> constants{
      rate, decay, momentum, take, method.nesterov ? T(1) : T(0), method.nesterov ? momentum : T(1)};
  return simd::run<MomentumSgd<T>>(slice.w, slice.g[0], slice.state, slice.count, constants) == T(0);
}

template <typename T>
bool apply(const Adagrad& method, const Step& step, const Slice<T>& slice) {
  const double rate = step.rate / (1 + static_cast<double>(step.number - 1) * method.rate_decay);
  return simd::run<AdagradKernel<T>>(slice.w, slice.g[0], slice.state, slice.count, static_cast<T>(rate),
                                     static_cast<T>(method.weight_decay), static_cast<T>(method.epsilon)) == T(0);
}

template <typename T>
bool apply(const Adadelta& method, const Step& step, const Slice<T>& slice) {
  return simd::run<AdadeltaKernel<T>>(slice.w, slice.g[0], slice.state, slice.state + slice.state_stride, slice.count,
                                      static_cast<T>(step.rate), static_cast<T>(method.weight_decay),
                                      static_cast<T>(method.rho), static_cast<T>(method.epsilon)) == T(0);
}

template <typename T>
bool apply(const Adam& method, const Step& step, const Slice<T>& slice) {
  const auto t = static_cast<double>(step.number);
  const double decay = method.weight_decay;
  const AdamConstants<T> constants{
      static_cast<T>(method.decoupled ? 0 : decay),
      static_cast<T>(method.decoupled ? 1 - step.rate * decay : 1),
      static_cast<T>(method.beta1),
      static_cast<T>(1 - method.beta1),
      static_cast<T>(method.beta2),
      static_cast<T>(1 - method.beta2),
      static_cast<T>(step.rate / (1 - std::pow(method.beta1, t))),
      static_cast<T>(1 / std::sqrt(1 - std::pow(method.beta2, t))),
      static_cast<T>(method.epsilon),
  };
  return simd::run<AdamKernel<T>>(slice.w, slice.g[0], slice.state, slice.state + slice.state_stride, slice.count,
                                  constants) == T(0);
}

#define DLADMM_INSTANTIATE(T)                                            \
  template bool apply<T>(const Sgd&, const Step&, const Slice<T>&);      \
  template bool apply<T>(const Adagrad&, const Step&, const Slice<T>&);  \
  template bool apply<T>(const Adadelta&, const Step&, const Slice<T>&); \
  template bool apply<T>(const Adam&, const Step&, const Slice<T>&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
