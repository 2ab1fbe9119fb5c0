// Forward and backward through a multilayer perceptron for a block of samples:
//   z_l = W_l h_{l-1} + b_l,  h_l = f(z_l),  h_0 = x,  outputs z_L
//   δ_L = ∇R(z_L),  δ_l = (W_{l+1}ᵀ δ_{l+1}) ∘ f'(z_l)
// The gradient is ∂/∂W_l = Σ δ_l h_{l-1}ᵀ, ∂/∂b_l = Σ δ_l over the samples: whoever owns rows of W_l sums it up for
// them.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/matrix.hpp"
#include "core/parallel/samples.hpp"

namespace dladmm {

// What a block of samples leaves for the gradient. Rows are written by whichever member has those samples.
template <typename T>
struct Tape {
  std::vector<Matrix<T>> h;      // h[l − 1] = h_l, block x n_l; the last holds the outputs
  std::vector<Matrix<T>> z;      // z[l − 1] = z_l of a hidden layer, only where f' cannot be told from h
  std::vector<Matrix<T>> delta;  // delta[l − 1] = δ_l, block x n_l

  Tape() = default;
  Tape(const Network& network, std::size_t block);
  [[nodiscard]] static double required_bytes(const Network& network, std::size_t block);
};

// The steps of the pass on the rows at hand.
// z <- z + b, h <- f(z); z and h may be the same.
template <typename T>
void bias_and_activation(const Activation& activation, MatrixView<T> z, std::span<const T> b, MatrixView<T> h);

// delta <- ∇R of each row of the outputs; returns R summed over them. samples[i] says which target goes with row i.
// `work`: 3 n_L numbers.
template <typename T>
double output_gradient(const Loss& loss, MatrixView<const T> outputs, std::span<const std::uint32_t> samples,
                       const Targets<T>& targets, MatrixView<T> delta, std::span<double> work);

// δ <- δ ∘ f'(z), from y = f(z) or, where the sign of y is not that of z, from z itself.
template <typename T>
void times_derivative(const Activation& activation, MatrixView<T> delta, MatrixView<const T> y);

// Fills `rows` of the tape, rows counting from the start of the block; returns R summed over them. x is the block, and
// samples[i] says which target goes with its row i. `work`: 3 n_L numbers.
template <typename T>
double forward_backward(std::span<const LayerParameters<T>> layers, const Network& network, MatrixView<const T> x,
                        std::span<const std::uint32_t> samples, const Targets<T>& targets, Rows rows, Tape<T>& tape,
                        std::span<double> work);

// out <- factor Σ δ over the rows of `delta`, plus keep · out; columns first … first + out.size() − 1. Summed in
// double.
template <typename T>
void bias_gradient(MatrixView<const T> delta, std::size_t first, T factor, T keep, std::span<T> out,
                   std::span<double> work);

}  // namespace dladmm
