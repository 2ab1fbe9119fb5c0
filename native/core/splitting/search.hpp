// The search for the size of a quadratic step: the first of start, start·growth, start·growth², … for which the
// quadratic model is an upper bound (dlADMM, Algorithms 2 to 5).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "core/runtime/team.hpp"

namespace dladmm {

// How the size of a step is found: `backtracking` begins at a given size and lets it grow until the model is an upper
// bound; `exact` takes the smallest size that passes, κ, where that is known.
enum class StepSearch { backtracking, exact };

// The most growths of a search: from the smallest number to the largest by steps of a hundredth.
constexpr int kMostGrowths = 150'000;

// Where the objective is quadratic along the direction, the model with size θ is an upper bound exactly when θ ≥ κ: the
// doubling loop of the paper is a loop over numbers, not over products. It begins at a normal number, as a subnormal
// one may not grow by rounding or be flushed to zero; where growing does not get there, κ itself passes. Needs start >
// 0 and growth > 1.
[[nodiscard]] inline double accepted_size(StepSearch search, double start, double growth, double kappa) {
  if (search == StepSearch::exact) return kappa;
  double size = std::max(start, std::numeric_limits<double>::min());
  for (int grown = 0; size < kappa; ++grown) {
    if (grown == kMostGrowths) return kappa;
    size *= growth;
  }
  return std::isfinite(size) ? size : kappa;
}

// A search by trials goes over this many powers of two: over fewer, a step may still pass; past them none does.
constexpr double kPowersTried = 60;
[[nodiscard]] inline int growths_tried(double growth) {
  return static_cast<int>(std::ceil(std::min(kPowersTried / std::log2(growth), double{kMostGrowths})));
}

struct Trials {
  double size = 0;  // the accepted one; where none was, the last one tried
  int tried = 0;
  bool accepted = false;
};

// Where the objective is not quadratic. measure(sizes, changes) finds what the objective changes by for several sizes
// at once (one pass over the rows costs little more than for one), accepts(size, change) is the test. After `limit`
// growths nothing can pass: the subproblem is at a kink, where the gradient is no slope in the direction of the step.
// A stop that is asked for ends the search without a size.
template <typename Measure, typename Accepts>
[[nodiscard]] Trials first_accepted(double start, double growth, int limit, Measure&& measure, Accepts&& accepts) {
  constexpr std::size_t at_once = 4;
  Trials found;
  double next = start;
  while (found.tried <= limit && !stop_asked()) {
    std::array<double, at_once> sizes{};
    std::array<double, at_once> changes{};
    for (double& size : sizes) {
      size = next;
      next *= growth;
    }
    measure(std::span<const double>(sizes), std::span<double>(changes));
    for (std::size_t k = 0; k < at_once && found.tried <= limit; ++k) {
      ++found.tried;
      found.size = sizes[k];
      found.accepted = accepts(sizes[k], changes[k]);
      if (found.accepted) return found;
    }
  }
  return found;
}

}  // namespace dladmm
