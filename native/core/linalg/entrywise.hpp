// Loops over the entries of matrices of one shape, compiled for every instruction set (simd.hpp): the body is written
// once, for one entry. A row that is to be met again in every row of the others (a bias, column sums) is a matrix whose
// stride is 0.
//
//     entrywise::each([c](T& to, T d) DLADMM_INLINE { to -= c * d; }, target, direction);
//     const double norm = entrywise::sum([](T x) DLADMM_INLINE { return double(x) * double(x); }, x);
#pragma once

#include <cstddef>
#include <span>
#include <tuple>

#include "core/linalg/matrix.hpp"
#include "core/linalg/simd.hpp"

// Of a lambda: it takes the instruction set of the loop that it is inlined into. (No attribute in brackets can say so.)
#define DLADMM_INLINE __attribute__((always_inline))

namespace dladmm::entrywise {

// The same row for each of `rows` rows.
template <typename T>
[[nodiscard]] MatrixView<T> repeated(std::span<T> row, std::size_t rows) {
  return {row.data(), rows, row.size(), 0};
}

template <typename F, typename... Views>
struct Each {
  [[gnu::always_inline]] static inline void run(F f, Views... views) {
    const auto& shape = std::get<0>(std::tie(views...));
    for (std::size_t i = 0; i < shape.rows; ++i) row(f, shape.columns, (views.data + i * views.stride)...);
  }
  template <typename... Entries>
  [[gnu::always_inline]] static inline void row(F f, std::size_t columns, Entries*... entries) {
#pragma omp simd
    for (std::size_t j = 0; j < columns; ++j) f(entries[j]...);
  }
};

template <typename F, typename... Views>
struct Sum {
  [[gnu::always_inline]] static inline double run(F f, Views... views) {
    const auto& shape = std::get<0>(std::tie(views...));
    double sum = 0;
    for (std::size_t i = 0; i < shape.rows; ++i) sum += row(f, shape.columns, (views.data + i * views.stride)...);
    return sum;
  }
  template <typename... Entries>
  [[gnu::always_inline]] static inline double row(F f, std::size_t columns, Entries*... entries) {
    double sum = 0;
#pragma omp simd reduction(+ : sum)
    for (std::size_t j = 0; j < columns; ++j) sum += f(entries[j]...);
    return sum;
  }
};

struct Pair {
  double first = 0;
  double second = 0;

  Pair& operator+=(const Pair& more) {
    first += more.first;
    second += more.second;
    return *this;
  }
};

template <typename F, typename... Views>
struct Sums {
  [[gnu::always_inline]] static inline Pair run(F f, Views... views) {
    const auto& shape = std::get<0>(std::tie(views...));
    Pair sums;
    for (std::size_t i = 0; i < shape.rows; ++i) {
      sums += row(f, shape.columns, (views.data + i * views.stride)...);
    }
    return sums;
  }
  template <typename... Entries>
  [[gnu::always_inline]] static inline Pair row(F f, std::size_t columns, Entries*... entries) {
    double first = 0;
    double second = 0;
#pragma omp simd reduction(+ : first, second)
    for (std::size_t j = 0; j < columns; ++j) {
      const Pair more = f(entries[j]...);
      first += more.first;
      second += more.second;
    }
    return {first, second};
  }
};

template <typename T, typename F, typename... Views>
struct AllFinite {
  [[gnu::always_inline]] static inline bool run(F f, Views... views) {
    const auto& shape = std::get<0>(std::tie(views...));
    T doubt = 0;  // x − x is 0 for a finite x and NaN otherwise
    for (std::size_t i = 0; i < shape.rows; ++i) doubt += row(f, shape.columns, (views.data + i * views.stride)...);
    return doubt == T(0);
  }
  template <typename... Entries>
  [[gnu::always_inline]] static inline T row(F f, std::size_t columns, Entries*... entries) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < columns; ++j) {
      const T value = f(entries[j]...);
      doubt += value - value;
    }
    return doubt;
  }
};

template <typename T, typename F, typename... Views>
struct Largest {
  [[gnu::always_inline]] static inline double run(F f, Views... views) {
    const auto& shape = std::get<0>(std::tie(views...));
    T largest = 0;
    T doubt = 0;
    for (std::size_t i = 0; i < shape.rows; ++i) {
      row(f, shape.columns, largest, doubt, (views.data + i * views.stride)...);
    }
    return static_cast<double>(largest + doubt);
  }
  template <typename... Entries>
  [[gnu::always_inline]] static inline void row(F f, std::size_t columns, T& most, T& doubts, Entries*... entries) {
    T largest = most;
    T doubt = doubts;  // NaN as soon as any entry is: no comparison sees it
#pragma omp simd reduction(+ : doubt) reduction(max : largest)
    for (std::size_t j = 0; j < columns; ++j) {
      const T value = f(entries[j]...);
      largest = largest > value ? largest : value;
      doubt += value - value;
    }
    most = largest;
    doubts = doubt;
  }
};

// f(x_ij, y_ij, …) for every entry.
template <typename F, typename... Views>
void each(F f, Views... views) {
  simd::run<Each<F, Views...>>(f, views...);
}

// Σ f(x_ij, y_ij, …), in double.
template <typename F, typename... Views>
[[nodiscard]] double sum(F f, Views... views) {
  return simd::run<Sum<F, Views...>>(f, views...);
}

// Two sums at once, of what f returns as a Pair.
template <typename F, typename... Views>
[[nodiscard]] Pair sums(F f, Views... views) {
  return simd::run<Sums<F, Views...>>(f, views...);
}

// Whether every f(x_ij, y_ij, …), a T, is finite.
template <typename T, typename F, typename... Views>
[[nodiscard]] bool all_finite(F f, Views... views) {
  return simd::run<AllFinite<T, F, Views...>>(f, views...);
}

// The largest f(x_ij, y_ij, …) ≥ 0; NaN where one is not finite.
template <typename T, typename F, typename... Views>
[[nodiscard]] double largest(F f, Views... views) {
  return simd::run<Largest<T, F, Views...>>(f, views...);
}

}  // namespace dladmm::entrywise
