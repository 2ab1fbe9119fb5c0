// Activations over whole matrices.
#pragma once

#include <span>

#include "core/functions/activation.hpp"
#include "core/linalg/matrix.hpp"

namespace dladmm {

// x <- f(x + b), b one value a column.
template <typename T>
void add_bias_and_activate(const Activation& activation, std::span<const T> b, MatrixView<T> x);

}  // namespace dladmm
