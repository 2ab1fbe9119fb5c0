#include "core/functions/apply.hpp"

#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

template <typename T, typename F>
struct AddBiasAndActivate {
  [[gnu::always_inline]] static inline void run(F f, const T* b, MatrixView<T> x) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      T* const xi = x.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < x.columns; ++j) xi[j] = f.value(xi[j] + b[j]);
    }
  }
};

}  // namespace

template <typename T>
void add_bias_and_activate(const Activation& activation, std::span<const T> b, MatrixView<T> x) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<AddBiasAndActivate<T, F>>(f, b.data(), x); });
}

template void add_bias_and_activate<float>(const Activation&, std::span<const float>, MatrixView<float>);
template void add_bias_and_activate<double>(const Activation&, std::span<const double>, MatrixView<double>);

}  // namespace dladmm
