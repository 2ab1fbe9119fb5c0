// What a weight matrix W (neurons x inputs) costs by itself, Ω(W), and its proximal step
//
//     V <- argmin_W Ω(W) + ‖W − V‖²/(2t),
//
// in closed form, with exact zeros and exact bounds. Terms add up; which of them have a common closed form is told by
// `closed`. (N. Parikh, S. Boyd, Proximal Algorithms, 2014, chapter 6.)
#pragma once

#include <limits>

#include "core/linalg/matrix.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

struct Regulariser {
  static constexpr double kNone = std::numeric_limits<double>::infinity();

  double l1 = 0;                         // λ Σ |w|
  double l2 = 0;                         // (λ/2) Σ w²
  double inputs = 0;                     // λ Σ_k ‖W_·k‖, over the outgoing weights of every input
  double neurons = 0;                    // λ Σ_j ‖W_j·‖, over the incoming weights of every neuron
  double lower = -kNone, upper = kNone;  // lower ≤ w ≤ upper
  double neuron_norm = kNone;            // ‖W_j·‖ ≤ c
  double norm = kNone;                   // ‖W‖ ≤ c (Frobenius)
  bool zero_sum = false;                 // Σ_k W_jk = 0

  [[nodiscard]] bool bounded() const { return lower > -kNone || upper < kNone; }
  [[nodiscard]] bool none() const {
    return l1 == 0 && l2 == 0 && inputs == 0 && neurons == 0 && !bounded() && neuron_norm == kNone && norm == kNone &&
           !zero_sum;
  }
  // Whether the numbers are such, the set is not empty, and the proximal step is the one taken below: entry by entry,
  // then at most one of the terms that see groups, for which the entries before must be a cone.
  [[nodiscard]] bool closed() const {
    const int groups = (inputs > 0 ? 1 : 0) + (neurons > 0 || neuron_norm < kNone ? 1 : 0) + (norm < kNone ? 1 : 0);
    const bool cone = (lower == -kNone || lower == 0) && (upper == kNone || upper == 0);
    const bool finite = l1 < kNone && l2 < kNone && inputs < kNone && neurons < kNone;
    return l1 >= 0 && l2 >= 0 && inputs >= 0 && neurons >= 0 && finite && lower <= upper && lower < kNone &&
           upper > -kNone && neuron_norm > 0 && norm > 0 && (groups == 0 || (groups == 1 && cone)) &&
           (!zero_sum || (groups == 0 && l1 == 0 && !bounded()));
  }
};

// Ω(W); constraints count 0. The same bits for any team.
template <typename T>
[[nodiscard]] double value_of(Team& team, const Regulariser& omega, MatrixView<const T> w);

// Needs omega.closed() and t > 0. The same bits for any team.
template <typename T>
void proximal_step(Team& team, const Regulariser& omega, double t, MatrixView<T> v);

}  // namespace dladmm
