// The elementwise work of the layered splitting, each kernel one fused loop over a few rows that fit in the cache.
// Norms and sums come back in double. `b` is one value a column.
#pragma once

#include <span>

#include "core/functions/elementwise.hpp"

namespace dladmm::kernels {

using entrywise::repeated;

// out <- weight (P + b − z) − u, the gradient of an output-side quadratic with respect to P; `u` may be empty (hidden
// layers have no multiplier).
template <typename T>
void weighted_residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, MatrixView<const T> u,
                       T weight, MatrixView<T> out) {
  const auto bias = repeated(b, p.rows);
  if (u.data == nullptr) {
    entrywise::each([weight](T pi, T bi, T zi, T& to) DLADMM_INLINE { to = weight * (pi + bi - zi); }, p, bias, z, out);
  } else {
    entrywise::each([weight](T pi, T bi, T zi, T ui, T& to) DLADMM_INLINE { to = weight * (pi + bi - zi) - ui; }, p,
                    bias, z, u, out);
  }
}

// z <- argmin (z − P − b)² + ratio (a − f(z))², entry by entry; adds z − P to the column sums. ‖z − P − b‖² and
// ‖a − f(z)‖².
template <typename T>
entrywise::Pair hidden_z(const Activation& activation, MatrixView<const T> p, std::span<const T> b,
                         MatrixView<const T> a, T ratio, MatrixView<T> z, std::span<double> columns) {
  return with_activation<T>(activation, [&](auto f) {
    return entrywise::sums(
        [f, ratio](T pi, T bi, T ai, T& zi, double& column) DLADMM_INLINE {
          const T m = pi + bi;
          zi = f.nearest(m, ai, ratio);
          const double r = static_cast<double>(zi - m);
          const double miss = static_cast<double>(ai - f.value(zi));
          column += static_cast<double>(zi - pi);
          return entrywise::Pair{r * r, miss * miss};
        },
        p, repeated(b, p.rows), a, z, repeated(columns, p.rows));
  });
}

// out <- weight (a − f(z))
template <typename T>
void activation_pull(const Activation& activation, MatrixView<const T> a, MatrixView<const T> z, T weight,
                     MatrixView<T> out) {
  with_activation<T>(activation, [&](auto f) {
    entrywise::each([f, weight](T ai, T zi, T& to) DLADMM_INLINE { to = weight * (ai - f.value(zi)); }, a, z, out);
  });
}

// ‖z − P − b‖²; adds z − P to the column sums.
template <typename T>
double residual(MatrixView<const T> p, std::span<const T> b, MatrixView<const T> z, std::span<double> columns) {
  return entrywise::sum(
      [](T pi, T bi, T zi, double& column) DLADMM_INLINE {
        const double r = static_cast<double>(zi - (pi + bi));
        column += static_cast<double>(zi - pi);
        return r * r;
      },
      p, repeated(b, p.rows), z, repeated(columns, p.rows));
}

// out <- z − b + u / weight, what W a is to be near to; `b` and `u` may be empty.
template <typename T>
void output_target(MatrixView<const T> z, std::span<const T> b, MatrixView<const T> u, T weight, MatrixView<T> out) {
  entrywise::each([](T zi, T& to) DLADMM_INLINE { to = zi; }, z, out);
  if (!b.empty()) entrywise::each([](T& to, T bi) DLADMM_INLINE { to -= bi; }, out, repeated(b, z.rows));
  if (u.data != nullptr) entrywise::each([weight](T& to, T ui) DLADMM_INLINE { to += ui / weight; }, out, u);
}

}  // namespace dladmm::kernels
