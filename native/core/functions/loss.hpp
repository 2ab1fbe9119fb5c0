// Losses R(z_L; y) of one sample: value, gradient, and the z_L subproblem. Everything is in double, whatever the type
// of the training; losses are summed over the samples by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dladmm {

enum class LossKind { softmax_cross_entropy, squared_error };

// `reference` is the formula of the official dlADMM code: no maximum subtracted, exp = inf replaced by exp(88.6),
// 1e-10 added to the denominator, and a probability of zero counted as 1e-10 in the loss.
enum class Softmax { stable, reference };

struct Loss {
  LossKind kind = LossKind::softmax_cross_entropy;
  Softmax softmax = Softmax::stable;
};

// What one sample should become: a class for cross-entropy, a row of values for the squared error.
struct SampleTarget {
  std::int32_t label = 0;
  std::span<const double> values;
};

// R(z; y), with ∇R(z; y) written to `gradient` (as long as z). Softmax cross-entropy is −log p_label, the squared
// error is ½‖z − y‖².
double loss_and_gradient(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                         std::span<double> gradient);

// R(z; y) alone.
double loss_value(const Loss& loss, std::span<const double> z, const SampleTarget& target, std::span<double> work);

// What the z_L subproblem of one sample found.
struct OutputSolution {
  int steps = 0;            // Newton steps (0 for a closed form)
  double stationarity = 0;  // largest |∇R(z) + u + ρ(z − m)|
};

// z <- argmin of R(z; y) + uᵀz + (ρ/2)‖z − m‖²  (dlADMM, eq. 5 and 15), exactly: a closed form for the squared error;
// for softmax cross-entropy Newton's method from the given z until no entry of the gradient exceeds `tolerance`.
// `work` holds at least 6 z.size() numbers.
OutputSolution solve_output(const Loss& loss, std::span<const double> m, std::span<const double> u,
                            const SampleTarget& target, double rho, double tolerance, std::span<double> z,
                            std::span<double> work);

}  // namespace dladmm
