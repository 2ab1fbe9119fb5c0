// The elementwise work of the layered splitting, each kernel one fused loop over a few rows that fit in the cache.
// Norms and sums come back in double. `b` is one value a column.
#pragma once

#include <span>

#include "core/functions/activation.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm::kernels {

// target <- target − c direction
template <typename T>
void step_back(MatrixView<T> target, T c, MatrixView<const T> direction);

// out <- weight (P + b − z) − u, the gradient of an output-side quadratic with respect to P; `u` may be empty (hidden
// layers have no multiplier).
template <typename T>
void weighted_residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, MatrixView<const T> u,
                       T weight, MatrixView<T> out);

struct HiddenSums {
  double residual = 0;    // ‖z − P − b‖²
  double activation = 0;  // ‖a − f(z)‖²
};

// z <- argmin (z − P − b)² + ratio (a − f(z))², entry by entry; adds z − P to the column sums.
template <typename T>
HiddenSums hidden_z(const Activation& activation, MatrixView<const T> p, std::span<const T> b, MatrixView<const T> a,
                    T ratio, MatrixView<T> z, std::span<double> columns);

// out <- weight (a − f(z))
template <typename T>
void activation_pull(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z, T weight,
                     MatrixView<T> out);

// ‖a − f(z)‖²
template <typename T>
double activation_miss(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z);

// ‖z − P − b‖²; adds z − P to the column sums.
template <typename T>
double residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, std::span<double> columns);

// out <- z − b + u / weight, what W a is to be near to; `b` and `u` may be empty.
template <typename T>
void output_target(MatrixView<const T> z, std::span<const T> b, MatrixView<const T> u, T weight, MatrixView<T> out);

// Adds x to the column sums.
template <typename T>
void add_columns(MatrixView<const T> x, std::span<double> columns);

// ‖x‖²
template <typename T>
double square_norm(MatrixView<const T> x);

// ‖x‖²; adds x to the column sums.
template <typename T>
double square_norm(MatrixView<const T> x, std::span<double> columns);

// z <- P + b
template <typename T>
void add_bias(MatrixView<const T> p, std::span<const T> b, MatrixView<T> z);

// a <- f(z)
template <typename T>
void activate(const Activation& activation, MatrixView<const T> z, MatrixView<T> a);

}  // namespace dladmm::kernels
