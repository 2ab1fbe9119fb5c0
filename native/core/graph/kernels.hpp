// The elementwise work of the graph splitting, each kernel one loop over some rows. Norms and sums come back in double.
#pragma once

#include <span>

#include "core/functions/activation.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm::graph {

// x <- f(x)
template <typename T>
void activate(const Activation& activation, MatrixView<T> x);

// target <- target − c direction
template <typename T>
void step_back(MatrixView<T> target, T c, MatrixView<const T> direction);

// ‖x‖²
template <typename T>
double square_norm(MatrixView<const T> x);

// ⟨x, y⟩
template <typename T>
double inner_product(MatrixView<const T> x, MatrixView<const T> y);

// ‖Z − f(P)‖²
template <typename T>
double residual(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p);

// out <- −ν (Z − f(P)) ∘ f'(P), the gradient of (ν/2)‖Z − f(P)‖² with respect to P.
template <typename T>
void product_gradient(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, T nu,
                      MatrixView<T> out);

// out <- ρ (P − Z) − U, the gradient of the output constraint's terms with respect to P.
template <typename T>
void output_gradient(MatrixView<const T> z, MatrixView<const T> p, MatrixView<const T> u, T rho, MatrixView<T> out);

struct PullSums {
  double direction = 0;  // ‖g‖²
  double inner = 0;      // ⟨Z − f(P), g⟩
};

// g <- g + ν (Z − f(P)), which makes g the gradient with respect to Z.
template <typename T>
PullSums add_pull(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, T nu, MatrixView<T> g);

// changes[k] += ‖Z − f(P − c_k D)‖² − ‖Z − f(P)‖² for every c_k. In double, entry by entry, so that no decrease is lost
// in the rounding of T.
template <typename T>
void add_changes(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p, MatrixView<const T> d,
                 std::span<const double> c, std::span<double> changes);

}  // namespace dladmm::graph
