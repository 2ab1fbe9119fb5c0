#include "core/gradient/backward.hpp"

#include <algorithm>

#include "core/linalg/blas.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

template <typename T, typename F>
struct BiasAndActivation {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<T> z, const T* b, MatrixView<T> h) {
    for (std::size_t i = 0; i < z.rows; ++i) {
      T* const zi = z.row(i);
      T* const hi = h.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < z.columns; ++j) {
        const T value = zi[j] + b[j];
        zi[j] = value;
        hi[j] = f.value(value);
      }
    }
  }
};

template <typename T, typename F>
struct TimesDerivative {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<T> delta, MatrixView<const T> y) {
    for (std::size_t i = 0; i < delta.rows; ++i) {
      T* const di = delta.row(i);
      const T* const yi = y.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < delta.columns; ++j) di[j] *= f.derivative(yi[j]);
    }
  }
};

template <typename T>
struct ColumnSums {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> delta, double* sums) {
    for (std::size_t i = 0; i < delta.rows; ++i) {
      const T* const di = delta.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < delta.columns; ++j) sums[j] += static_cast<double>(di[j]);
    }
  }
};

}  // namespace

template <typename T>
Tape<T>::Tape(const Network& network, std::size_t block) {
  for (std::size_t l = 1; l <= network.layers(); ++l) {
    h.emplace_back(block, network.outputs(l));
    delta.emplace_back(block, network.outputs(l));
    if (!network.activation.value_tells_derivative() && l < network.layers()) z.emplace_back(block, network.outputs(l));
  }
}

template <typename T>
double Tape<T>::required_bytes(const Network& network, std::size_t block) {
  double columns = 0;
  for (std::size_t l = 1; l <= network.layers(); ++l) {
    const bool three = !network.activation.value_tells_derivative() && l < network.layers();
    columns += (three ? 3 : 2) * static_cast<double>(network.outputs(l));
  }
  return columns * static_cast<double>(block) * sizeof(T);
}

template <typename T>
void bias_and_activation(const Activation& activation, MatrixView<T> z, std::span<const T> b, MatrixView<T> h) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<BiasAndActivation<T, F>>(f, z, b.data(), h); });
}

template <typename T>
double output_gradient(const Loss& loss, MatrixView<const T> outputs, std::span<const std::uint32_t> samples,
                       const Targets<T>& targets, MatrixView<T> delta, std::span<double> work) {
  const std::size_t n = outputs.columns;
  const std::span<double> z = work.subspan(0, n);
  const std::span<double> gradient = work.subspan(n, n);
  const std::span<double> values = work.subspan(2 * n, n);
  double sum = 0;
  for (std::size_t i = 0; i < outputs.rows; ++i) {
    std::copy_n(outputs.row(i), n, z.data());
    sum += loss_and_gradient(loss, z, targets.of(samples[i], values), gradient);
    T* const to = delta.row(i);
    for (std::size_t j = 0; j < n; ++j) to[j] = static_cast<T>(gradient[j]);
  }
  return sum;
}

template <typename T>
void times_derivative(const Activation& activation, MatrixView<T> delta, MatrixView<const T> y) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<TimesDerivative<T, F>>(f, delta, y); });
}

template <typename T>
double forward_backward(std::span<const LayerParameters<T>> layers, const Network& network, MatrixView<const T> x,
                        std::span<const std::uint32_t> samples, const Targets<T>& targets, Rows rows, Tape<T>& tape,
                        std::span<double> work) {
  using blas::Op;
  const std::size_t depth = layers.size();
  const auto rows_of = [&](const Matrix<T>& m) { return m.view().rows_from(rows.first, rows.count); };
  const auto pre_activations = [&](std::size_t l) { return rows_of(tape.z.empty() ? tape.h[l - 1] : tape.z[l - 1]); };

  MatrixView<const T> input = x.rows_from(rows.first, rows.count);
  for (std::size_t l = 1; l <= depth; ++l) {
    const MatrixView<T> h = rows_of(tape.h[l - 1]);
    const MatrixView<T> z = l < depth ? pre_activations(l) : h;
    blas::gemm<T>(Op::none, Op::transpose, T(1), input, layers[l - 1].W, T(0), z);
    bias_and_activation<T>(l < depth ? network.activation : Activation::identity(), z, layers[l - 1].b, h);
    input = h;
  }

  const double loss = output_gradient<T>(network.loss, input, samples.subspan(rows.first, rows.count), targets,
                                         rows_of(tape.delta[depth - 1]), work);

  for (std::size_t l = depth - 1; l >= 1; --l) {
    const MatrixView<T> delta = rows_of(tape.delta[l - 1]);
    blas::gemm<T>(Op::none, Op::none, T(1), rows_of(tape.delta[l]), layers[l].W, T(0), delta);
    times_derivative<T>(network.activation, delta, pre_activations(l));
  }
  return loss;
}

template <typename T>
void bias_gradient(MatrixView<const T> delta, std::size_t first, T factor, T keep, std::span<T> out,
                   std::span<double> work) {
  const std::span<double> sums = work.first(out.size());
  std::fill(sums.begin(), sums.end(), 0.0);
  simd::run<ColumnSums<T>>(MatrixView<const T>(delta.data + first, delta.rows, out.size(), delta.stride), sums.data());
  for (std::size_t j = 0; j < out.size(); ++j) {
    out[j] = (keep == T(0) ? T(0) : keep * out[j]) + factor * static_cast<T>(sums[j]);
  }
}

#define DLADMM_INSTANTIATE(T)                                                                                   \
  template struct Tape<T>;                                                                                      \
  template void bias_and_activation<T>(const Activation&, MatrixView<T>, std::span<const T>, MatrixView<T>);    \
  template double output_gradient<T>(const Loss&, MatrixView<const T>, std::span<const std::uint32_t>,          \
                                     const Targets<T>&, MatrixView<T>, std::span<double>);                      \
  template void times_derivative<T>(const Activation&, MatrixView<T>, MatrixView<const T>);                     \
  template double forward_backward<T>(std::span<const LayerParameters<T>>, const Network&, MatrixView<const T>, \
                                      std::span<const std::uint32_t>, const Targets<T>&, Rows, Tape<T>&,        \
                                      std::span<double>);                                                       \
  template void bias_gradient<T>(MatrixView<const T>, std::size_t, T, T, std::span<T>, std::span<double>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
