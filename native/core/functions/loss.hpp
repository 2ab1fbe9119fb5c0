// Losses R(z_L; y) of one sample: value, gradient, and the z_L subproblem. Everything is in double, whatever the type
// of the training; losses are summed over the samples by the caller.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dladmm {

enum class LossKind {
  softmax_cross_entropy,
  squared_error,
  hinge,
  one_hot_squared_error,
  sigmoid_cross_entropy,
  huber,
  absolute,
  quantile,
  poisson
};

// `reference` is the formula of the official dlADMM code: no maximum subtracted, exp = inf replaced by exp(88.6),
// 1e-10 added to the denominator, and a probability of zero counted as 1e-10 in the loss.
enum class Softmax { stable, reference };

struct Loss {
  LossKind kind = LossKind::softmax_cross_entropy;
  Softmax softmax = Softmax::stable;
  double parameter = 1;  // δ > 0 of huber, 0 < τ < 1 of quantile

  // Whether targets are class labels.
  [[nodiscard]] bool classifies() const {
    return kind == LossKind::softmax_cross_entropy || kind == LossKind::hinge ||
           kind == LossKind::one_hot_squared_error;
  }
  // How many classes a network with so many outputs tells apart. One output tells two under the hinge loss.
  [[nodiscard]] std::size_t classes(std::size_t outputs) const {
    return kind == LossKind::hinge && outputs == 1 ? 2 : outputs;
  }
  [[nodiscard]] bool may_be_negative() const { return kind == LossKind::poisson; }
  // Whether output j is the label's (or, where one output tells two classes, that of class 1).
  [[nodiscard]] bool is_on(std::int32_t label, std::size_t j, std::size_t outputs) const {
    return classes(outputs) == outputs ? static_cast<std::size_t>(label) == j : label == 1;
  }
};

// What one sample should become: a class for the losses that classify, a row of values for the others; and what it
// counts for. With a weight s the loss of the sample is s R(z; y), in all that follows.
struct SampleTarget {
  std::int32_t label = 0;
  std::span<const double> values;
  double weight = 1;
};

// R(z; y), with ∇R(z; y) written to `gradient` (as long as z). Softmax cross-entropy is −log p_label, the squared
// error is ½‖z − y‖² (with y the unit vector of the label where it is one-hot), the hinge loss (Taylor et al., 2016)
// adds max(1 − z, 0) for the output that is to be on and max(z, 0) for the others. The other losses of values are sums
// over the outputs, of d = z − y:
//   sigmoid cross-entropy  log(1 + eᶻ) − y z, with y from 0 to 1
//   huber                  d²/2 where |d| ≤ δ, else δ(|d| − δ/2)
//   absolute               |d|
//   quantile               max(−τ d, (1 − τ) d)
//   poisson                eᶻ − y z, with y from 0
// At a kink the subgradient is 0.
double loss_and_gradient(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                         std::span<double> gradient);

// What R(z; y) is not below for any z: 0, and y − y log y of every output, where eᶻ = y, of poisson.
double least_loss(const Loss& loss, const SampleTarget& target);

// R(z; y) alone.
double loss_value(const Loss& loss, std::span<const double> z, const SampleTarget& target, std::span<double> work);

// How far −u is from ∂R(z), in its largest entry: |∇R(z) + u| where R is smooth.
double subgradient_distance(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                            std::span<const double> gradient, std::span<const double> u);

// Whether the outputs z name the label's class; with a NaN among them they name none.
bool is_correct(const Loss& loss, std::span<const double> z, std::int32_t label);

// What the z_L subproblem of one sample found.
struct OutputSolution {
  int steps = 0;            // Newton steps (0 for a closed form)
  double stationarity = 0;  // largest |∇R(z) + u + ρ(z − m)|
};

// z <- argmin of R(z; y) + uᵀz + (ρ/2)‖z − m‖²  (dlADMM, eq. 5 and 15), exactly: a closed form for the squared errors
// and the losses with kinks; for softmax cross-entropy Newton's method from the given z until no entry of the gradient
// exceeds `tolerance`; for sigmoid cross-entropy and poisson Newton's method from beside the solution. `work` holds at
// least 6 z.size() numbers.
OutputSolution solve_output(const Loss& loss, std::span<const double> m, std::span<const double> u,
                            const SampleTarget& target, double rho, double tolerance, std::span<double> z,
                            std::span<double> work);

}  // namespace dladmm
