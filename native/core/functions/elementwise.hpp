// The elementwise work that every splitting and every gradient method needs. Norms and sums come back in double.
#pragma once

#include <span>
#include <type_traits>

#include "core/functions/activation.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/sums.hpp"

namespace dladmm::elementwise {

using entrywise::repeated;

// target <- target − c direction
template <typename T>
void step_back(MatrixView<T> target, T c, MatrixView<const T> direction) {
  entrywise::each([c](T& to, T d) DLADMM_INLINE { to -= c * d; }, target, direction);
}

// out <- f(x); `out` may be x
template <typename T>
void activate(const Activation& activation, MatrixView<const T> x, MatrixView<T> out) {
  with_activation<T>(activation,
                     [&](auto f) { entrywise::each([f](T xi, T& to) DLADMM_INLINE { to = f.value(xi); }, x, out); });
}

// out <- x + b, b one value a column; `out` may be x
template <typename T>
void add_bias(MatrixView<const T> x, std::span<const T> b, MatrixView<T> out) {
  entrywise::each([](T xi, T bias, T& to) DLADMM_INLINE { to = xi + bias; }, x, repeated(b, x.rows), out);
}

// out <- f(x + b); `out` may be x
template <typename T>
void add_bias_and_activate(const Activation& activation, MatrixView<const T> x, std::span<const T> b,
                           MatrixView<T> out) {
  with_activation<T>(activation, [&](auto f) {
    entrywise::each([f](T xi, T bias, T& to) DLADMM_INLINE { to = f.value(xi + bias); }, x, repeated(b, x.rows), out);
  });
}

// delta <- delta ∘ f'
template <typename T>
void times_derivative(const Activation& activation, MatrixView<T> delta, MatrixView<const T> x) {
  with_activation<T>(
      activation, [&](auto f) { entrywise::each([f](T& d, T xi) DLADMM_INLINE { d *= f.derivative(xi); }, delta, x); });
}

// ‖x‖²
template <typename T>
[[nodiscard]] double square_norm(MatrixView<const T> x) {
  return entrywise::sum([](T xi) DLADMM_INLINE { return static_cast<double>(xi) * static_cast<double>(xi); }, x);
}

// The same by the team.
template <typename T>
[[nodiscard]] double square_norm(Team& team, MatrixView<const T> x) {
  return sum_pieces<double>(team, x.rows, x.columns,
                            [&](Rows rows, unsigned) { return square_norm<T>(x.rows_from(rows)); });
}

// ‖x‖²; adds x to the column sums.
template <typename T>
[[nodiscard]] double square_norm(MatrixView<const T> x, std::span<double> columns) {
  return entrywise::sum(
      [](T xi, double& column) DLADMM_INLINE {
        const double value = static_cast<double>(xi);
        column += value;
        return value * value;
      },
      x, repeated(columns, x.rows));
}

// Adds x to the column sums.
template <typename T>
void add_columns(MatrixView<const T> x, std::span<double> columns) {
  entrywise::each([](T xi, double& column) DLADMM_INLINE { column += static_cast<double>(xi); }, x,
                  repeated(columns, x.rows));
}

// ⟨x, y⟩
template <typename T, typename U = T>
[[nodiscard]] double inner_product(MatrixView<const T> x, MatrixView<const std::type_identity_t<U>> y) {
  return entrywise::sum([](T xi, U yi) DLADMM_INLINE { return static_cast<double>(xi) * static_cast<double>(yi); }, x,
                        y);
}

// ‖a − f(z)‖²
template <typename T>
[[nodiscard]] double activation_miss(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z) {
  return with_activation<T>(activation, [&](auto f) {
    return entrywise::sum(
        [f](T ai, T zi) DLADMM_INLINE {
          const double miss = static_cast<double>(ai - f.value(zi));
          return miss * miss;
        },
        a, z);
  });
}

}  // namespace dladmm::elementwise
