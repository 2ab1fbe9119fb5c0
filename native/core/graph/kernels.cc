#include "core/graph/kernels.hpp"

#include <type_traits>

#include "core/linalg/simd.hpp"

namespace dladmm::graph {
namespace {

// f'(x) from x and y = f(x): the rectifiers look at x (their y may have lost its sign), the others at y.
template <typename F, typename T>
[[gnu::always_inline]] inline T derivative(F f, T x, T y) {
  if constexpr (std::is_same_v<F, Rectifier<T>>) {
    return f.derivative(x);
  } else {
    return f.derivative(y);
  }
}

template <typename T, typename F>
struct Activate {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<T> x) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      T* const xi = x.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < x.columns; ++j) xi[j] = f.value(xi[j]);
    }
  }
};

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
struct InnerProduct {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> x, MatrixView<const T> y) {
    double sum = 0;
    for (std::size_t i = 0; i < x.rows; ++i) {
      const T* const xi = x.row(i);
      const T* const yi = y.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < x.columns; ++j) sum += static_cast<double>(xi[j]) * static_cast<double>(yi[j]);
    }
    return sum;
  }
};

template <typename T, typename F>
struct Residual {
  [[gnu::always_inline]] static inline double run(F f, MatrixView<const T> z, MatrixView<const T> p) {
    double sum = 0;
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      const T* const pi = p.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < z.columns; ++j) {
        const double miss = static_cast<double>(zi[j] - f.value(pi[j]));
        sum += miss * miss;
      }
    }
    return sum;
  }
};

template <typename T, typename F>
struct ProductGradient {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> z, MatrixView<const T> p, T nu,
                                                MatrixView<T> out) {
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      const T* const pi = p.row(i);
      T* const to = out.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < z.columns; ++j) {
        const T y = f.value(pi[j]);
        to[j] = nu * (y - zi[j]) * derivative(f, pi[j], y);
      }
    }
  }
};

template <typename T>
struct OutputGradient {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> z, MatrixView<const T> p, MatrixView<const T> u,
                                                T rho, MatrixView<T> out) {
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      const T* const pi = p.row(i);
      const T* const ui = u.row(i);
      T* const to = out.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < z.columns; ++j) to[j] = rho * (pi[j] - zi[j]) - ui[j];
    }
  }
};

template <typename T, typename F>
struct AddPull {
  [[gnu::always_inline]] static inline PullSums run(F f, MatrixView<const T> z, MatrixView<const T> p, T nu,
                                                    MatrixView<T> g) {
    double direction = 0;
    double inner = 0;
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      const T* const pi = p.row(i);
      T* const to = g.row(i);
#pragma omp simd reduction(+ : direction, inner)
      for (std::size_t j = 0; j < z.columns; ++j) {
        const T miss = zi[j] - f.value(pi[j]);
        const T value = to[j] + nu * miss;
        to[j] = value;
        direction += static_cast<double>(value) * static_cast<double>(value);
        inner += static_cast<double>(miss) * static_cast<double>(value);
      }
    }
    return {direction, inner};
  }
};

// F is the activation in double, whatever T is.
template <typename T, typename F>
struct AddChanges {
  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> z, MatrixView<const T> p,
                                                MatrixView<const T> d, std::span<const double> c,
                                                std::span<double> changes) {
    for (std::size_t i = 0; i < z.rows; ++i) {
      const T* const zi = z.row(i);
      const T* const pi = p.row(i);
      const T* const di = d.row(i);
      for (std::size_t k = 0; k < c.size(); ++k) {
        const double ck = c[k];
        double sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::size_t j = 0; j < z.columns; ++j) {
          const double x = static_cast<double>(pi[j]);
          const double before = f.value(x);
          const double after = f.value(x - ck * static_cast<double>(di[j]));
          // (z − after)² − (z − before)²
          sum += (before - after) * (2 * static_cast<double>(zi[j]) - before - after);
        }
        changes[k] += sum;
      }
    }
  }
};

}  // namespace

template <typename T>
void activate(const Activation& activation, MatrixView<T> x) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<Activate<T, F>>(f, x); });
}

template <typename T>
void step_back(MatrixView<T> target, T c, MatrixView<const T> direction) {
  simd::run<StepBack<T>>(target, c, direction);
}

template <typename T>
double square_norm(MatrixView<const T> x) {
  return simd::run<InnerProduct<T>>(x, x);
}

template <typename T>
double inner_product(MatrixView<const T> x, MatrixView<const T> y) {
  return simd::run<InnerProduct<T>>(x, y);
}

template <typename T>
double residual(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p) {
  return with_activation<T>(activation, [&]<typename F>(F f) { return simd::run<Residual<T, F>>(f, z, p); });
}

template <typename T>
void product_gradient(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, T nu,
                      MatrixView<T> out) {
  with_activation<T>(activation, [&]<typename F>(F f) { simd::run<ProductGradient<T, F>>(f, z, p, nu, out); });
}

template <typename T>
void output_gradient(MatrixView<const T> z, MatrixView<const T> p, MatrixView<const T> u, T rho, MatrixView<T> out) {
  simd::run<OutputGradient<T>>(z, p, u, rho, out);
}

template <typename T>
PullSums add_pull(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, T nu, MatrixView<T> g) {
  return with_activation<T>(activation, [&]<typename F>(F f) { return simd::run<AddPull<T, F>>(f, z, p, nu, g); });
}

template <typename T>
void add_changes(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, MatrixView<const T> d,
                 std::span<const double> c, std::span<double> changes) {
  with_activation<double>(activation, [&]<typename F>(F f) { simd::run<AddChanges<T, F>>(f, z, p, d, c, changes); });
}

#define DLADMM_INSTANTIATE(T)                                                                                        \
  template void activate<T>(const Activation&, MatrixView<T>);                                                       \
  template void step_back<T>(MatrixView<T>, T, MatrixView<const T>);                                                 \
  template double square_norm<T>(MatrixView<const T>);                                                               \
  template double inner_product<T>(MatrixView<const T>, MatrixView<const T>);                                        \
  template double residual<T>(const Activation&, MatrixView<const T>, MatrixView<const T>);                          \
  template void product_gradient<T>(const Activation&, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);  \
  template void output_gradient<T>(MatrixView<const T>, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>); \
  template PullSums add_pull<T>(const Activation&, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);      \
  template void add_changes<T>(const Activation&, MatrixView<const T>, MatrixView<const T>, MatrixView<const T>,     \
                               std::span<const double>, std::span<double>);

DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::graph
