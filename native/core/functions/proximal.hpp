// What a weight matrix W (neurons x inputs) costs by itself, Ω(W), and its proximal step
//
//     V <- argmin_W Ω(W) + ‖W − V‖²/(2t),
//
// in closed form, with exact zeros and exact bounds. Terms add up; which of them have a common closed form is told by
// `closed`. (N. Parikh, S. Boyd, Proximal Algorithms, 2014, chapter 6.)
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

#include "core/linalg/entrywise.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

struct Regulariser {
  static constexpr double kNone = std::numeric_limits<double>::infinity();

  double l1 = 0;                         // λ Σ |w|
  double l2 = 0;                         // (λ/2) Σ (w − a)², a of the centre, else 0
  double inputs = 0;                     // λ Σ_k ‖W_·k‖, over the outgoing weights of every input
  double neurons = 0;                    // λ Σ_j ‖W_j·‖, over the incoming weights of every neuron
  double lower = -kNone, upper = kNone;  // lower ≤ w ≤ upper
  double neuron_norm = kNone;            // ‖W_j·‖ ≤ c
  double norm = kNone;                   // ‖W‖ ≤ c (Frobenius)
  double nuclear = 0;                    // λ Σ σ_i(W)
  double spectral_norm = kNone;          // σ_1(W) ≤ c
  bool zero_sum = false;                 // Σ_k W_jk = 0
  // Of monotone paths: r_j of every neuron and c_k of every input, −1, 0 or 1. Where c_k is not 0, r_j c_k W_jk ≥ 0,
  // and W_jk = 0 where r_j is. Both empty, or both there.
  std::vector<std::int8_t> neuron_signs, input_signs;
  // W_·k is one for all k of a group; each group has two at least, and no input is in two.
  std::vector<std::vector<std::uint32_t>> equal;
  std::vector<double> centre;      // A, as W lies; empty for 0
  std::vector<std::uint8_t> kept;  // w = a where it is 0, as W lies; empty where all are kept

  [[nodiscard]] bool bounded() const { return lower > -kNone || upper < kNone; }
  [[nodiscard]] bool spectral() const { return nuclear > 0 || spectral_norm < kNone; }
  // Whether every entry has a step of its own.
  [[nodiscard]] bool separable() const {
    return inputs == 0 && neurons == 0 && neuron_norm == kNone && norm == kNone && !spectral() && !zero_sum;
  }
  [[nodiscard]] bool none() const {
    return l1 == 0 && l2 == 0 && !bounded() && !masked() && equal.empty() && separable();
  }
  // Whether some entries are held, or of one sign.
  [[nodiscard]] bool masked() const { return !input_signs.empty() || !kept.empty(); }
  // Whether what is equal has one sign, and is not held entry by entry: then the mean of a group comes first, and each
  // other term acts on it alike.
  [[nodiscard]] bool ties() const {
    if (!equal.empty() && !kept.empty()) return false;
    return input_signs.empty() || std::ranges::all_of(equal, [&](const std::vector<std::uint32_t>& group) {
             return std::ranges::all_of(group,
                                        [&](std::uint32_t k) { return input_signs[k] == input_signs[group.front()]; });
           });
  }
  // Whether the numbers are such, the set is not empty, and the proximal step is the one taken below: entry by entry,
  // then at most one of the terms that see groups, for which the entries before must be a cone.
  [[nodiscard]] bool closed() const {
    const int groups = (inputs > 0 ? 1 : 0) + (neurons > 0 || neuron_norm < kNone ? 1 : 0) + (norm < kNone ? 1 : 0);
    const int matrices = (spectral() ? 1 : 0) + (zero_sum ? 1 : 0);  // what goes with l2 alone
    const bool entries = l1 > 0 || bounded() || masked();
    const bool cone = (lower == -kNone || lower == 0) && (upper == kNone || upper == 0);
    const bool finite = l1 < kNone && l2 < kNone && inputs < kNone && neurons < kNone && nuclear < kNone;
    return l1 >= 0 && l2 >= 0 && inputs >= 0 && neurons >= 0 && nuclear >= 0 && finite && lower <= upper &&
           lower < kNone && upper > -kNone && neuron_norm > 0 && norm > 0 && spectral_norm > 0 &&
           (!masked() || (lower <= 0 && upper >= 0)) && (groups == 0 || (groups == 1 && cone)) &&
           (matrices == 0 || (matrices == 1 && groups == 0 && !entries)) && ties();
  }
};

// Room for the singular values of matrices: of so many entries at most, and so many rows or columns, whichever are
// fewer.
struct SpectralRoom {
  Buffer<double> entries, image, gram, factor;
  std::vector<double> values, work;

  SpectralRoom() = default;
  SpectralRoom(std::size_t largest, std::size_t side);
  [[nodiscard]] static double required_bytes(std::size_t largest, std::size_t side);
};

// Ω(W); constraints count 0. The same bits for any team.
template <typename T>
[[nodiscard]] double value_of(Team& team, const Regulariser& omega, MatrixView<const T> w, SpectralRoom& room);

// Needs omega.closed() and t > 0, and the room where omega.spectral(). The same bits for any team. False where the
// singular values were not found.
template <typename T>
[[nodiscard]] bool proximal_step(Team& team, const Regulariser& omega, double t, MatrixView<T> v, SpectralRoom& room);

// The share of the entries that are 0.
template <typename T>
[[nodiscard]] double zeros_of(Team& team, MatrixView<const T> w);

// What is told of regularised weights: Σ Ω_l(W_l), and the share of zeros of every W_l; nothing where none are.
struct WeightMeasures {
  double regularisation = 0;
  std::vector<double> zeros;
};
template <typename T, typename Layers>
[[nodiscard]] WeightMeasures weight_measures(Team& team, const std::vector<Regulariser>& omegas, const Layers& layers,
                                             SpectralRoom& room) {
  WeightMeasures found;
  for (std::size_t l = 0; l < omegas.size(); ++l) {
    found.regularisation += value_of<T>(team, omegas[l], layers[l].W, room);
    found.zeros.push_back(zeros_of<T>(team, layers[l].W));
  }
  return found;
}

// Steps of consensus on min_V Ω(V) + g(V), split as X = V with the scaled dual Y and its weight:
//
//     solve(): X <- argmin g(X) + (weight/2)‖X − V + Y‖²;   V <- prox_{Ω/weight}(X + Y),   Y <- Y + X − V
//
// V, whose zeros and bounds are exact, is the answer; `next` is as large. False where singular values were not found.
template <typename T, typename Solve>
[[nodiscard]] bool split_steps(Team& team, const Regulariser& omega, double weight, int steps, MatrixView<T> v,
                               MatrixView<T> y, MatrixView<T> x, MatrixView<T> next, SpectralRoom& room,
                               Solve&& solve) {
  for (int step = 0; step < steps; ++step) {
    solve();
    const auto by_rows = [&](auto&& body) {
      each_piece(team, v.rows, v.columns, [&](Rows rows, unsigned) { body(rows); });
    };
    by_rows([&](Rows rows) {
      entrywise::each([](T xi, T yi, T& to) DLADMM_INLINE { to = xi + yi; }, x.rows_from(rows), y.rows_from(rows),
                      next.rows_from(rows));
    });
    if (!proximal_step<T>(team, omega, 1 / weight, next, room)) return false;
    by_rows([&](Rows rows) {
      entrywise::each(
          [](T xi, T ni, T& yi, T& vi) DLADMM_INLINE {
            yi += xi - ni;
            vi = ni;
          },
          x.rows_from(rows), next.rows_from(rows), y.rows_from(rows), v.rows_from(rows));
    });
  }
  return true;
}

// The largest number of T that is at most `bound`: the nearest one may lie beyond it.
template <typename T>
[[nodiscard]] T within(double bound) {
  const T nearest = static_cast<T>(bound);
  if (static_cast<double>(nearest) <= bound) return nearest;
  return std::nextafter(nearest, -std::numeric_limits<T>::infinity());
}

// The step of one entry, in order: l2, l1, the bounds.
template <typename T>
struct EntryStep {
  T l1, l2, lower, upper;

  explicit EntryStep(const Regulariser& omega)
      : l1(static_cast<T>(omega.l1)),
        l2(static_cast<T>(omega.l2)),
        lower(-within<T>(-omega.lower)),
        upper(within<T>(omega.upper)) {
    // Between bounds that no number of T lies between there is but the nearest.
    if (lower > upper) lower = upper = static_cast<T>(omega.lower);
  }

  // argmin l1 |x| + (l2/2) x² + (x − v)²/(2t) within the bounds
  [[gnu::always_inline]] T operator()(T v, T t) const {
    const T shrink = T(1) / (T(1) + t * l2);
    const T x = v * shrink;
    const T c = t * shrink * l1;
    const T over = x > c ? x - c : T(0);
    const T soft = c == T(0) ? x : x < -c ? x + c : over;
    const T above = soft < lower ? lower : soft;
    return above > upper ? upper : above;
  }
};

// W_jk <- a_jk where it is not kept, and 0 where the signs of its path do not allow it.
template <typename T>
void keep_allowed(const Regulariser& omega, Rows rows, MatrixView<T> own);

// V <- V + t λ A, of which l2 makes (V + t λ A)/(1 + t λ); t_jk = size(metric_jk).
template <typename T, typename Size>
void lean(const Regulariser& omega, Rows rows, MatrixView<T> own, MatrixView<const T> metric, Size size) {
  if (omega.centre.empty()) return;
  const MatrixView<const double> a(omega.centre.data() + rows.first * own.columns, own.rows, own.columns);
  entrywise::each([size, l2 = static_cast<T>(omega.l2)](T& x, T k, double to)
                      DLADMM_INLINE { x += size(k) * l2 * static_cast<T>(to); },
                  own, metric, a);
}

// W_jk <- the mean of its group, in the metric of 1/t_jk = 1/size(metric_jk), and the step of the one number that is
// left, whose own t is the harmonic mean. `own` as it is before the steps of the entries, which `step` takes.
template <typename T, typename Size, typename Step>
void tied_step(const Regulariser& omega, MatrixView<T> own, MatrixView<const T> metric, Size size, Step&& step) {
  // Of this thread: what a first step allocates serves the others.
  thread_local std::vector<T> found;
  found.clear();
  for (std::size_t j = 0; j < own.rows; ++j) {
    for (const auto& group : omega.equal) {
      double weights = 0, sum = 0, plain = 0;
      bool moves = true;
      for (const std::uint32_t k : group) {
        const auto t = static_cast<double>(size(metric.row(j)[k])), x = static_cast<double>(own.row(j)[k]);
        moves = moves && t > 0;
        weights += 1 / t;
        sum += x / t;
        plain += x;
      }
      const auto count = static_cast<double>(group.size());
      const auto mean = static_cast<T>(moves ? sum / weights : plain / count);
      found.push_back(EntryStep<T>(omega)(mean, moves ? static_cast<T>(count / weights) : T(0)));
    }
  }
  step();
  std::size_t next = 0;
  for (std::size_t j = 0; j < own.rows; ++j) {
    for (const auto& group : omega.equal) {
      for (const std::uint32_t k : group) own.row(j)[k] = found[next];
      ++next;
    }
  }
}

// The step in a metric of one number an entry, (1/t_jk) of (W − V)²_jk/2, with t_jk = size(kept_jk); of what is
// separable alone.
template <typename T, typename Size>
void separable_step(Team& team, const Regulariser& omega, MatrixView<T> v, MatrixView<const T> kept, Size size) {
  each_piece(team, v.rows, v.columns, [&](Rows rows, unsigned) {
    const MatrixView<T> own = v.rows_from(rows);
    lean(omega, rows, own, kept.rows_from(rows), size);
    const MatrixView<const T> metric = kept.rows_from(rows);
    const auto step = [&] {
      entrywise::each([of = EntryStep<T>(omega), size](T& x, T k) DLADMM_INLINE { x = of(x, size(k)); }, own, metric);
    };
    if (omega.equal.empty())
      step();
    else
      tied_step(omega, own, metric, size, step);
    keep_allowed(omega, rows, own);
  });
}

}  // namespace dladmm
