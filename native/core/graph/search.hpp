// The search for the size of a step where the activation stands inside the square.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "core/functions/elementwise.hpp"
#include "core/graph/state.hpp"

namespace dladmm {

// f'(x) from x and y = f(x), whichever tells.
template <typename F, typename T>
[[gnu::always_inline]] inline T slope_of(F f, T x, T y) {
  return f.derivative(F::kTellsDerivative ? y : x);
}

struct Changes : std::array<double, 4> {
  Changes& operator+=(const Changes& more) {
    for (std::size_t k = 0; k < size(); ++k) (*this)[k] += more[k];
    return *this;
  }
};

// ‖Z − f(P − c_k D)‖² − ‖Z − f(P)‖² for every c_k. In double, entry by entry, so that no decrease is lost in the
// rounding of T.
template <typename T>
[[nodiscard]] Changes changes_of(const Activation& activation, MatrixView<const T> z, MatrixView<const T> p,
                                 MatrixView<const T> d, std::span<const double> c) {
  Changes changes{};
  with_activation<double>(activation, [&](auto f) {
    for (std::size_t k = 0; k < c.size(); ++k) {
      const double ck = c[k];
      changes[k] = entrywise::sum(
          [f, ck](T zi, T pi, T di) DLADMM_INLINE {
            const double x = static_cast<double>(pi);
            const double before = f.value(x);
            const double after = f.value(x - ck * static_cast<double>(di));
            return (before - after) * (2 * static_cast<double>(zi) - before - after);
          },
          z, p, d);
    }
  });
  return changes;
}

template <typename T>
template <typename Scale, typename Accepts>
bool GraphState<T>::search(std::size_t l, MatrixView<const T> d, double direction, double weight, double start,
                           double growth, Scale&& scale, Accepts&& accepts, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  settle(due_on_P(l));
  settle(due_on_Z(l));
  const auto measure = [&](std::span<const double> sizes, std::span<double> changes) {
    Changes scales{};
    std::ranges::transform(sizes, scales.begin(), scale);
    const auto found = sum<Changes>(d, [&](Rows rows, unsigned) {
      return changes_of<T>(activation(), it.Z.view().rows_from(rows), it.P.view().rows_from(rows), d.rows_from(rows),
                           scales);
    });
    std::ranges::copy(found, changes.begin());
  };
  const auto from = [&](double first) {
    return first_accepted(first, growth, growths_tried(growth), measure, accepts);
  };
  Trials trials = from(start);
  if (!trials.accepted) {
    // Either the subproblem is at a kink, or the start is so far below the curvature that there is where f is the
    // identity that the search did not come near it: then it goes on from where sizes can pass.
    const double near = std::ldexp(weight * square_norm(d) / direction, static_cast<int>(-kPowersTried / 2));
    if (trials.size < near) trials = from(accepted_size(StepSearch::backtracking, start, growth, near));
  }
  record.trials = trials.tried;
  record.size = trials.size;
  return trials.accepted;
}

}  // namespace dladmm
