#include "core/layered/kernels.hpp"

#include <algorithm>

#include "core/functions/activation.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm::kernels {
namespace {

template <typename T>
struct StepBack {
  [[gnu::always_inline]] static inline void run(MatrixView<T> target, T c, MatrixView<const T> direction) {
    for (std::size_t i = 0; i < target.rows; ++i) {
      T* const to = target.row(i);
      const T* const d = direction.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < target.columns; ++j) to[j] -= c * d[j];
    }
  }
};

template <typename T>
struct WeightedResidual {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z,
                                                MatrixView<const T> u, T weight, MatrixView<T> out) {
    const T* const bias = b.data();
    for (std::size_t i = 0; i < p.rows; ++i) {
      const T* const pi = p.row(i);
      const T* const zi = z.row(i);
      T* const to = out.row(i);
      if (u.data == nullptr) {
#pragma omp simd
        for (std::size_t j = 0; j < p.columns; ++j) to[j] = weight * (pi[j] + bias[j] - zi[j]);
      } else {
        const T* const ui = u.row(i);
#pragma omp simd
        for (std::size_t j = 0; j < p.columns; ++j) to[j] = weight * (pi[j] + bias[j] - zi[j]) - ui[j];
      }
    }
  }
};

template <typename T, typename F>
struct HiddenZ {
  [[gnu::always_inline]] static inline HiddenSums run(F f, MatrixView<const T> p, std::span<const T> b,
                                                      MatrixView<const T> a, T ratio, MatrixView<T> z,
                                                      std::span<double> columns) {
    double residual = 0;
    double activation = 0;
    const T* const bias = b.data();
    double* const column = columns.data();
    for (std::size_t i = 0; i < p.rows; ++i) {
      const T* const pi = p.row(i);
      const T* const ai = a.row(i);
      T* const zi = z.row(i);
#pragma omp simd reduction(+ : residual, activation)
      for (std::size_t j = 0; j < p.columns; ++j) {
        const T m = pi[j] + bias[j];
        const T value = settled(f, m, ai[j], ratio, zi[j]);
        zi[j] = value;
        const double r = static_cast<double>(value - m);
        const double miss = static_cast<double>(ai[j] - f.value(value));
        residual += r * r;
        activation += miss * miss;
        column[j] += static_cast<double>(value - pi[j]);
      }
    }
    return {residual, activation};
  }
};

template <typename T, typename F>
struct ActivationPull {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> a, MatrixView<const T> z, T weight,
                                                MatrixView<T> out) {
    for (std::size_t i = 0; i < a.rows; ++i) {
      const T* const ai = a.row(i);
      const T* const zi = z.row(i);
      T* const to = out.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < a.columns; ++j) to[j] = weight * (ai[j] - f.value(zi[j]));
    }
  }
};

template <typename T, typename F>
struct ActivationMiss {
  [[gnu::always_inline]] static inline double run(F f, MatrixView<const T> a, MatrixView<const T> z) {
    double sum = 0;
    for (std::size_t i = 0; i < a.rows; ++i) {
      const T* const ai = a.row(i);
      const T* const zi = z.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < a.columns; ++j) {
        const double miss = static_cast<double>(ai[j] - f.value(zi[j]));
        sum += miss * miss;
      }
    }
    return sum;
  }
};

template <typename T>
struct Residual {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z,
                                                  std::span<double> columns) {
    double sum = 0;
    const T* const bias = b.data();
    double* const column = columns.data();
    for (std::size_t i = 0; i < p.rows; ++i) {
      const T* const pi = p.row(i);
      const T* const zi = z.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < p.columns; ++j) {
        const double r = static_cast<double>(zi[j] - (pi[j] + bias[j]));
        sum += r * r;
        column[j] += static_cast<double>(zi[j] - pi[j]);
      }
    }
    return sum;
  }
};

template <typename T>
struct OutputTarget {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> z, std::span<const T> b, MatrixView<const T> u,
                                                T weight, MatrixView<T> out) {
    const T* const bias = b.data();
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      T* const to = out.row(i);
      if (bias == nullptr) {
        std::copy_n(zi, z.columns, to);
      } else {
#pragma omp simd
        for (std::size_t j = 0; j < z.columns; ++j) to[j] = zi[j] - bias[j];
      }
      if (u.data == nullptr) continue;
      const T* const ui = u.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < z.columns; ++j) to[j] += ui[j] / weight;
    }
  }
};

template <typename T>
struct AddColumns {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> x, std::span<double> columns) {
    double* const column = columns.data();
    for (std::size_t i = 0; i < x.rows; ++i) {
      const T* const xi = x.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < x.columns; ++j) column[j] += static_cast<double>(xi[j]);
    }
  }
};

template <typename T>
struct SquareNorm {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> x) {
    double sum = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const T* const xi = x.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < x.columns; ++j) sum += static_cast<double>(xi[j]) * static_cast<double>(xi[j]);
    }
    return sum;
  }
};

template <typename T>
struct SquareNormWithColumns {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> x, std::span<double> columns) {
    double sum = 0;
    double* const column = columns.data();
    for (std::size_t i = 0; i < x.rows; ++i) {
      const T* const xi = x.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < x.columns; ++j) {
        const double value = static_cast<double>(xi[j]);
        sum += value * value;
        column[j] += value;
      }
    }
    return sum;
  }
};

template <typename T>
struct AddBias {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> p, std::span<const T> b, MatrixView<T> z) {
    const T* const bias = b.data();
    for (std::size_t i = 0; i < p.rows; ++i) {
      const T* const pi = p.row(i);
      T* const zi = z.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < p.columns; ++j) zi[j] = pi[j] + bias[j];
    }
  }
};

template <typename T, typename F>
struct Activate {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> z, MatrixView<T> a) {
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      T* const ai = a.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < z.columns; ++j) ai[j] = f.value(zi[j]);
    }
  }
};

}  // namespace

template <typename T>
void step_back(MatrixView<T> target, T c, MatrixView<const T> direction) {
  return simd::run<StepBack<T>>(target, c, direction);
}

template <typename T>
void weighted_residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, MatrixView<const T> u,
                       T weight, MatrixView<T> out) {
  return simd::run<WeightedResidual<T>>(p, b, z, u, weight, out);
}

template <typename T>
HiddenSums hidden_z(const Activation& activation, MatrixView<const T> p, std::span<const T> b, MatrixView<const T> a,
                    T ratio, MatrixView<T> z, std::span<double> columns) {
  if (activation.is_smooth()) nearest_smooth<T>(activation, p, b, a, ratio, z);
  return with_activation<T>(activation,
                            [&]<typename F>(F f) { return simd::run<HiddenZ<T, F>>(f, p, b, a, ratio, z, columns); });
}

template <typename T>
void activation_pull(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z, T weight,
                     MatrixView<T> out) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<ActivationPull<T, F>>(f, a, z, weight, out); });
}

template <typename T>
double activation_miss(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z) {
  return with_activation<T>(activation, [&]<typename F>(F f) { return simd::run<ActivationMiss<T, F>>(f, a, z); });
}

template <typename T>
double residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, std::span<double> columns) {
  return simd::run<Residual<T>>(p, b, z, columns);
}

template <typename T>
void output_target(MatrixView<const T> z, std::span<const T> b, MatrixView<const T> u, T weight, MatrixView<T> out) {
  return simd::run<OutputTarget<T>>(z, b, u, weight, out);
}

template <typename T>
void add_columns(MatrixView<const T> x, std::span<double> columns) {
  return simd::run<AddColumns<T>>(x, columns);
}

template <typename T>
double square_norm(MatrixView<const T> x) {
  return simd::run<SquareNorm<T>>(x);
}

template <typename T>
double square_norm(MatrixView<const T> x, std::span<double> columns) {
  return simd::run<SquareNormWithColumns<T>>(x, columns);
}

template <typename T>
void add_bias(MatrixView<const T> p, std::span<const T> b, MatrixView<T> z) {
  return simd::run<AddBias<T>>(p, b, z);
}

template <typename T>
void activate(const Activation& activation, MatrixView<const T> z, MatrixView<T> a) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<Activate<T, F>>(f, z, a); });
}

// The two float types that trainings come in.
#define DLADMM_INSTANTIATE(T)                                                                                         \
  template void step_back<T>(MatrixView<T>, T, MatrixView<const T>);                                                  \
  template void weighted_residual<T>(MatrixView<const T>, std::span<const T>, MatrixView<const T>,                    \
                                     MatrixView<const T>, T, MatrixView<T>);                                          \
  template HiddenSums hidden_z<T>(const Activation&, MatrixView<const T>, std::span<const T>, MatrixView<const T>, T, \
                                  MatrixView<T>, std::span<double>);                                                  \
  template void activation_pull<T>(const Activation&, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);    \
  template double activation_miss<T>(const Activation&, MatrixView<const T>, MatrixView<const T>);                    \
  template double residual<T>(MatrixView<const T>, std::span<const T>, MatrixView<const T>, std::span<double>);       \
  template void output_target<T>(MatrixView<const T>, std::span<const T>, MatrixView<const T>, T, MatrixView<T>);     \
  template void add_columns<T>(MatrixView<const T>, std::span<double>);                                               \
  template double square_norm<T>(MatrixView<const T>);                                                                \
  template double square_norm<T>(MatrixView<const T>, std::span<double>);                                             \
  template void add_bias<T>(MatrixView<const T>, std::span<const T>, MatrixView<T>);                                  \
  template void activate<T>(const Activation&, MatrixView<const T>, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::kernels
