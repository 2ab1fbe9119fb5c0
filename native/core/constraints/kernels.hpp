// The elementwise work of the splitting that keeps all constraints, each kernel one fused loop over a block of rows.
// S stands for σ(V_{l-1} W_lᵀ + b_l) as it is kept. Sums come back in double.
#pragma once

#include <span>

#include "core/functions/activation.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm::constraints::kernels {

struct MissSums {
  double residual = 0;      // ‖S − V‖²
  double dual_product = 0;  // ⟨Λ, S − V⟩
  double largest = 0;       // the largest |V − Λ/β|; NaN where there is one
};

// out <- (Λ + β(S − V)) ∘ σ'
template <typename T>
MissSums weighted_miss(const Activation& activation, MatrixView<const T> S, MatrixView<const T> V,
                       MatrixView<const T> Lambda, T beta, MatrixView<T> out);

// The largest |V − Λ/β|; NaN where there is one.
template <typename T>
double largest_target(MatrixView<const T> V, MatrixView<const T> Lambda, T beta);

// out <- Λ/β + S − V
template <typename T>
void pull(MatrixView<const T> S, MatrixView<const T> V, MatrixView<const T> Lambda, T beta, MatrixView<T> out);

// V <- V + step; returns ‖step‖².
template <typename T>
double add_step(MatrixView<const T> step, MatrixView<T> V);

// ‖back − Λ − β(S − V)‖²: what is left of ∂L/∂V_l, with `back` the share of layer l + 1.
template <typename T>
double stationarity(MatrixView<const T> back, MatrixView<const T> S, MatrixView<const T> V, MatrixView<const T> Lambda,
                    T beta);

struct OutputSums {
  double loss = 0;          // ½‖V − Y‖²
  double stationarity = 0;  // ‖V − Y − Λ − β(S − V)‖²
  double identity = 0;      // the largest |Λ − (V − Y)|; NaN where there is one
};

template <typename T>
OutputSums output_measures(MatrixView<const T> Y, MatrixView<const T> S, MatrixView<const T> V,
                           MatrixView<const T> Lambda, T beta);

// V <- (Y + Λ + β S) / (1 + β); returns ‖Δ‖².
template <typename T>
double output_update(MatrixView<const T> Y, MatrixView<const T> S, MatrixView<const T> Lambda, T beta, MatrixView<T> V);

// Λ <- Λ + β (S − V); returns ‖Δ‖².
template <typename T>
double dual_step(MatrixView<const T> S, MatrixView<const T> V, T beta, MatrixView<T> Lambda);

// Adds x to the column sums.
template <typename T>
void add_columns(MatrixView<const T> x, std::span<double> columns);

}  // namespace dladmm::constraints::kernels
