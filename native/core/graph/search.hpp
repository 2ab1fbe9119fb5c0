// The search for the size of a step on a subproblem with the activation inside its square.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>

#include "core/graph/kernels.hpp"
#include "core/graph/pass.hpp"

namespace dladmm {

// Beyond so many growths nothing can pass: the subproblem is at a kink, where the model's gradient is not a slope in
// the direction of the step.
inline constexpr int kLargestGrowths = 60;
// Sizes that one pass over the rows tries: the pass costs little more than for one.
inline constexpr std::size_t kTrialsAtOnce = 4;

template <typename T>
template <typename Scale, typename Accepts>
bool GraphState<T>::search(std::size_t l, MatrixView<const T> d, double start, double growth, Scale&& scale,
                           Accepts&& accepts, GraphUpdateRecord& record) {
  Layer& it = layer(l);
  double size = start;
  record.trials = 0;
  while (record.trials <= kLargestGrowths) {
    std::array<double, kTrialsAtOnce> scales{};
    double next = size;
    for (double& value : scales) {
      value = scale(next);
      next *= growth;
    }
    pass(d.rows, [&](unsigned, Rows rows, auto& partial) {
      graph::add_changes<T>(activation(), it.Z.view().rows_from(rows.first, rows.count),
                            it.P.view().rows_from(rows.first, rows.count), d.rows_from(rows.first, rows.count), scales,
                            std::span(partial.scalars).first(kTrialsAtOnce));
    });
    for (std::size_t k = 0; k < kTrialsAtOnce && record.trials <= kLargestGrowths; ++k) {
      ++record.trials;
      record.size = size;
      if (accepts(size, sums_.scalar(k))) return true;
      size *= growth;
    }
  }
  return false;
}

}  // namespace dladmm
