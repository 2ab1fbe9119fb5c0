// The loss over rows of outputs, each with a target: its sum, what is answered right, its gradient.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "core/functions/loss.hpp"

namespace dladmm {

struct ForwardLoss {
  double loss = 0;
  std::size_t correct = 0;

  ForwardLoss& operator+=(const ForwardLoss& more) {
    loss += more.loss;
    correct += more.correct;
    return *this;
  }
};

// Numbers that loss_over_rows works in, for outputs so wide.
[[nodiscard]] constexpr std::size_t loss_work(std::size_t outputs) { return 3 * outputs; }

// For each of `count` rows of n outputs: row_of(i) points at them, target_of(i, scratch) is what they should be, and
// use(i, gradient) gets ∇R.
template <typename RowOf, typename TargetOf, typename Use>
ForwardLoss loss_over_rows(const Loss& loss, std::size_t count, std::size_t n, std::span<double> work, RowOf&& row_of,
                           TargetOf&& target_of, Use&& use) {
  const std::span<double> z = work.subspan(0, n);
  const std::span<double> gradient = work.subspan(n, n);
  ForwardLoss sum;
  for (std::size_t i = 0; i < count; ++i) {
    std::copy_n(row_of(i), n, z.data());
    const SampleTarget target = target_of(i, work.subspan(2 * n, n));
    sum.loss += loss_and_gradient(loss, z, target, gradient);
    if (loss.classifies() && is_correct(loss, z, target.label)) ++sum.correct;
    use(i, std::span<const double>(gradient));
  }
  return sum;
}

}  // namespace dladmm
