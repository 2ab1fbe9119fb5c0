#include "core/gradient/optimiser.hpp"

#include <cmath>

#include "core/linalg/entrywise.hpp"

namespace dladmm {

using entrywise::all_finite;

template <typename T>
bool apply(const Sgd& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate);
  const T decay = static_cast<T>(method.weight_decay);
  if (method.momentum == 0) {
    return all_finite<T>([=](T& w, T gradient) DLADMM_INLINE { return w = w - rate * (gradient + decay * w); },
                         slice.parameters(), slice.gradient());
  }
  const T momentum = static_cast<T>(method.momentum);
  const T take = step.number == 1 ? T(1) : static_cast<T>(1 - method.dampening);
  const T of_gradient = method.nesterov ? T(1) : T(0);
  const T of_buffer = method.nesterov ? momentum : T(1);
  return all_finite<T>(
      [=](T& w, T gradient, T& buffer) DLADMM_INLINE {
        const T g = gradient + decay * w;
        buffer = momentum * buffer + take * g;
        return w = w - rate * (of_gradient * g + of_buffer * buffer);
      },
      slice.parameters(), slice.gradient(), slice.kept());
}

template <typename T>
bool apply(const Adagrad& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate / (1 + static_cast<double>(step.number - 1) * method.rate_decay));
  const T decay = static_cast<T>(method.weight_decay);
  const T epsilon = static_cast<T>(method.epsilon);
  return all_finite<T>(
      [=](T& w, T gradient, T& sum) DLADMM_INLINE {
        const T g = gradient + decay * w;
        sum = sum + g * g;
        return w = w - rate * g / (std::sqrt(sum) + epsilon);
      },
      slice.parameters(), slice.gradient(), slice.kept());
}

template <typename T>
bool apply(const Adadelta& method, const Step& step, const Slice<T>& slice) {
  const T rate = static_cast<T>(step.rate);
  const T decay = static_cast<T>(method.weight_decay);
  const T rho = static_cast<T>(method.rho);
  const T epsilon = static_cast<T>(method.epsilon);
  return all_finite<T>(
      [=](T& w, T gradient, T& square, T& change) DLADMM_INLINE {
        const T g = gradient + decay * w;
        square = rho * square + (T(1) - rho) * g * g;
        const T delta = std::sqrt(change + epsilon) / std::sqrt(square + epsilon) * g;
        change = rho * change + (T(1) - rho) * delta * delta;
        return w = w - rate * delta;
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

template <typename T>
bool apply(const Adam& method, const Step& step, const Slice<T>& slice) {
  const auto t = static_cast<double>(step.number);
  const T decay = static_cast<T>(method.decoupled ? 0 : method.weight_decay);
  const T keep = static_cast<T>(method.decoupled ? 1 - step.rate * method.weight_decay : 1);
  const T beta1 = static_cast<T>(method.beta1);
  const T take1 = static_cast<T>(1 - method.beta1);
  const T beta2 = static_cast<T>(method.beta2);
  const T take2 = static_cast<T>(1 - method.beta2);
  const T size = static_cast<T>(step.rate / (1 - std::pow(method.beta1, t)));
  const T root = static_cast<T>(1 / std::sqrt(1 - std::pow(method.beta2, t)));
  const T epsilon = static_cast<T>(method.epsilon);
  return all_finite<T>(
      [=](T& w, T gradient, T& first, T& second) DLADMM_INLINE {
        const T g = gradient + decay * w;
        first = beta1 * first + take1 * g;
        second = beta2 * second + take2 * g * g;
        return w = keep * w - size * first / (std::sqrt(second) * root + epsilon);
      },
      slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
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
