#include "core/constraints/kernels.hpp"

#include <cmath>

#include "core/linalg/simd.hpp"

namespace dladmm::constraints::kernels {
namespace {

template <typename T, typename F>
struct WeightedMiss {
  [[gnu::always_inline]] static inline MissSums run(F f, MatrixView<const T> S, MatrixView<const T> V,
                                                    MatrixView<const T> Lambda, T beta, MatrixView<T> out) {
    double residual = 0;
    double product = 0;
    T largest = 0;
    T doubt = 0;  // NaN as soon as any entry is: no comparison sees it
    const T inverse = T(1) / beta;
    for (std::size_t i = 0; i < S.rows; ++i) {
      const T* const s = S.row(i);
      const T* const v = V.row(i);
      const T* const dual = Lambda.row(i);
      T* const to = out.row(i);
#pragma omp simd reduction(+ : residual, product, doubt) reduction(max : largest)
      for (std::size_t j = 0; j < S.columns; ++j) {
        const T miss = s[j] - v[j];
        const T target = std::abs(v[j] - inverse * dual[j]);
        to[j] = (dual[j] + beta * miss) * f.derivative(s[j]);
        residual += static_cast<double>(miss) * static_cast<double>(miss);
        product += static_cast<double>(dual[j]) * static_cast<double>(miss);
        largest = largest > target ? largest : target;
        doubt += target - target;
      }
    }
    return {residual, product, static_cast<double>(largest + doubt)};
  }
};

template <typename T>
struct LargestTarget {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> V, MatrixView<const T> Lambda, T beta) {
    T largest = 0;
    T doubt = 0;
    const T inverse = T(1) / beta;
    for (std::size_t i = 0; i < V.rows; ++i) {
      const T* const v = V.row(i);
      const T* const dual = Lambda.row(i);
#pragma omp simd reduction(+ : doubt) reduction(max : largest)
      for (std::size_t j = 0; j < V.columns; ++j) {
        const T target = std::abs(v[j] - inverse * dual[j]);
        largest = largest > target ? largest : target;
        doubt += target - target;
      }
    }
    return static_cast<double>(largest + doubt);
  }
};

template <typename T>
struct Pull {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> S, MatrixView<const T> V,
                                                MatrixView<const T> Lambda, T beta, MatrixView<T> out) {
    const T inverse = T(1) / beta;
    for (std::size_t i = 0; i < S.rows; ++i) {
      const T* const s = S.row(i);
      const T* const v = V.row(i);
      const T* const dual = Lambda.row(i);
      T* const to = out.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < S.columns; ++j) to[j] = inverse * dual[j] + (s[j] - v[j]);
    }
  }
};

template <typename T>
struct AddStep {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> step, MatrixView<T> V) {
    double sum = 0;
    for (std::size_t i = 0; i < V.rows; ++i) {
      const T* const d = step.row(i);
      T* const v = V.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < V.columns; ++j) {
        v[j] += d[j];
        sum += static_cast<double>(d[j]) * static_cast<double>(d[j]);
      }
    }
    return sum;
  }
};

template <typename T>
struct Stationarity {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> back, MatrixView<const T> S,
                                                  MatrixView<const T> V, MatrixView<const T> Lambda, T beta) {
    double sum = 0;
    for (std::size_t i = 0; i < V.rows; ++i) {
      const T* const g = back.row(i);
      const T* const s = S.row(i);
      const T* const v = V.row(i);
      const T* const dual = Lambda.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < V.columns; ++j) {
        const double rest = static_cast<double>(g[j] - dual[j] - beta * (s[j] - v[j]));
        sum += rest * rest;
      }
    }
    return sum;
  }
};

template <typename T>
struct OutputMeasures {
  [[gnu::always_inline]] static inline OutputSums run(MatrixView<const T> Y, MatrixView<const T> S,
                                                      MatrixView<const T> V, MatrixView<const T> Lambda, T beta) {
    OutputSums sums;
    for (std::size_t i = 0; i < V.rows; ++i) {
      for (std::size_t j = 0; j < V.columns; ++j) {
        const double v = static_cast<double>(V.row(i)[j]);
        const double dual = static_cast<double>(Lambda.row(i)[j]);
        const double miss = v - static_cast<double>(Y.row(i)[j]);
        const double rest = miss - dual - static_cast<double>(beta) * (static_cast<double>(S.row(i)[j]) - v);
        const double off = std::abs(dual - miss);
        sums.loss += miss * miss / 2;
        sums.stationarity += rest * rest;
        if (!(off <= sums.identity) && !std::isnan(sums.identity)) sums.identity = off;
      }
    }
    return sums;
  }
};

template <typename T>
struct OutputUpdate {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> Y, MatrixView<const T> S,
                                                  MatrixView<const T> Lambda, T beta, MatrixView<T> V) {
    double sum = 0;
    for (std::size_t i = 0; i < V.rows; ++i) {
      const T* const y = Y.row(i);
      const T* const s = S.row(i);
      const T* const dual = Lambda.row(i);
      T* const v = V.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < V.columns; ++j) {
        const T next = (y[j] + dual[j] + beta * s[j]) / (T(1) + beta);
        const double change = static_cast<double>(next - v[j]);
        v[j] = next;
        sum += change * change;
      }
    }
    return sum;
  }
};

template <typename T>
struct DualStep {
  [[gnu::always_inline]] static inline double run(MatrixView<const T> S, MatrixView<const T> V, T beta,
                                                  MatrixView<T> Lambda) {
    double sum = 0;
    for (std::size_t i = 0; i < V.rows; ++i) {
      const T* const s = S.row(i);
      const T* const v = V.row(i);
      T* const dual = Lambda.row(i);
#pragma omp simd reduction(+ : sum)
      for (std::size_t j = 0; j < V.columns; ++j) {
        const T change = beta * (s[j] - v[j]);
        dual[j] += change;
        sum += static_cast<double>(change) * static_cast<double>(change);
      }
    }
    return sum;
  }
};

template <typename T>
struct AddColumns {
  [[gnu::always_inline]] static inline void run(MatrixView<const T> x, double* columns) {
    for (std::size_t i = 0; i < x.rows; ++i) {
      const T* const xi = x.row(i);
#pragma omp simd
      for (std::size_t j = 0; j < x.columns; ++j) columns[j] += static_cast<double>(xi[j]);
    }
  }
};

}  // namespace

template <typename T>
MissSums weighted_miss(const Activation& activation, MatrixView<const T> S, MatrixView<const T> V,
                       MatrixView<const T> Lambda, T beta, MatrixView<T> out) {
  return with_activation<T>(activation,
                            [&]<typename F>(F f) { return simd::run<WeightedMiss<T, F>>(f, S, V, Lambda, beta, out); });
}

template <typename T>
double largest_target(MatrixView<const T> V, MatrixView<const T> Lambda, T beta) {
  return simd::run<LargestTarget<T>>(V, Lambda, beta);
}

template <typename T>
void pull(MatrixView<const T> S, MatrixView<const T> V, MatrixView<const T> Lambda, T beta, MatrixView<T> out) {
  simd::run<Pull<T>>(S, V, Lambda, beta, out);
}

template <typename T>
double add_step(MatrixView<const T> step, MatrixView<T> V) {
  return simd::run<AddStep<T>>(step, V);
}

template <typename T>
double stationarity(MatrixView<const T> back, MatrixView<const T> S, MatrixView<const T> V, MatrixView<const T> Lambda,
                    T beta) {
  return simd::run<Stationarity<T>>(back, S, V, Lambda, beta);
}

template <typename T>
OutputSums output_measures(MatrixView<const T> Y, MatrixView<const T> S, MatrixView<const T> V,
                           MatrixView<const T> Lambda, T beta) {
  return simd::run<OutputMeasures<T>>(Y, S, V, Lambda, beta);
}

template <typename T>
double output_update(MatrixView<const T> Y, MatrixView<const T> S, MatrixView<const T> Lambda, T beta,
                     MatrixView<T> V) {
  return simd::run<OutputUpdate<T>>(Y, S, Lambda, beta, V);
}

template <typename T>
double dual_step(MatrixView<const T> S, MatrixView<const T> V, T beta, MatrixView<T> Lambda) {
  return simd::run<DualStep<T>>(S, V, beta, Lambda);
}

template <typename T>
void add_columns(MatrixView<const T> x, std::span<double> columns) {
  simd::run<AddColumns<T>>(x, columns.data());
}

#define DLADMM_INSTANTIATE(T)                                                                                          \
  template MissSums weighted_miss<T>(const Activation&, MatrixView<const T>, MatrixView<const T>, MatrixView<const T>, \
                                     T, MatrixView<T>);                                                                \
  template double largest_target<T>(MatrixView<const T>, MatrixView<const T>, T);                                      \
  template void pull<T>(MatrixView<const T>, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);              \
  template double add_step<T>(MatrixView<const T>, MatrixView<T>);                                                     \
  template double stationarity<T>(MatrixView<const T>, MatrixView<const T>, MatrixView<const T>, MatrixView<const T>,  \
                                  T);                                                                                  \
  template OutputSums output_measures<T>(MatrixView<const T>, MatrixView<const T>, MatrixView<const T>,                \
                                         MatrixView<const T>, T);                                                      \
  template double output_update<T>(MatrixView<const T>, MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);   \
  template double dual_step<T>(MatrixView<const T>, MatrixView<const T>, T, MatrixView<T>);                            \
  template void add_columns<T>(MatrixView<const T>, std::span<double>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::constraints::kernels
