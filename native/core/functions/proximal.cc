#include "core/functions/proximal.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/functions/elementwise.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/sums.hpp"

namespace dladmm {
namespace {

constexpr std::size_t kColumns = 64;

// body(j, ‖v_j‖) for each column j.
template <typename T, typename Body>
void each_column(Team& team, MatrixView<T> v, Body&& body) {
  each_piece(team, (v.columns + kColumns - 1) / kColumns, kColumns * v.rows, [&](Rows bands, unsigned) {
    for (std::size_t band = bands.first; band < bands.first + bands.count; ++band) {
      const std::size_t first = band * kColumns;
      const std::size_t count = std::min(kColumns, v.columns - first);
      std::array<double, kColumns> squares{};
      const MatrixView<const T> own(v.data + first, v.rows, count, v.stride);
      entrywise::each([](T x, double& sum) DLADMM_INLINE { sum += static_cast<double>(x) * static_cast<double>(x); },
                      own, entrywise::repeated(std::span(squares).first(count), v.rows));
      for (std::size_t j = 0; j < count; ++j) body(first + j, std::sqrt(squares[j]));
    }
  });
}

// A row or a column times a factor; 0 is exact, and 1 leaves it.
template <typename T>
void scale(MatrixView<T> v, double factor) {
  if (factor == 1) return;
  entrywise::each([c = static_cast<T>(factor)](T& x) DLADMM_INLINE { x = c == T(0) ? T(0) : c * x; }, v);
}

// Block soft-thresholding, then the ball: max(0, 1 − λ/‖v‖) v, no longer than c.
double shrunk(double norm, double lambda, double ball) {
  if (norm <= lambda) return norm > 0 || lambda > 0 ? 0 : 1;
  return std::min(norm - lambda, ball) / norm;
}

}  // namespace

template <typename T>
double value_of(Team& team, const Regulariser& omega, MatrixView<const T> w) {
  double value = 0;
  const auto rows = [&](double factor, auto&& of) {
    if (factor == 0) return;
    value += factor * sum_pieces<double>(team, w.rows, w.columns, [&](Rows part, unsigned) {
               double sum = 0;
               for (std::size_t i = part.first; i < part.first + part.count; ++i) sum += of(w.rows_from(i, 1));
               return sum;
             });
  };
  rows(omega.l1, [](MatrixView<const T> row) {
    return entrywise::sum([](T x) DLADMM_INLINE { return static_cast<double>(x < T(0) ? -x : x); }, row);
  });
  rows(omega.l2 / 2, [](MatrixView<const T> row) { return elementwise::square_norm<T>(row); });
  rows(omega.neurons, [](MatrixView<const T> row) { return std::sqrt(elementwise::square_norm<T>(row)); });
  if (omega.inputs > 0) {
    std::vector<double> norms(w.columns);
    each_column(team, w, [&](std::size_t j, double norm) { norms[j] = norm; });
    value += omega.inputs * sum_pairwise(norms.size(), [&](std::size_t j) { return norms[j]; });
  }
  return value;
}

template <typename T>
void proximal_step(Team& team, const Regulariser& omega, double t, MatrixView<T> v) {
  // (λ/2)‖W‖² beside Ω: the step of Ω from V/(1 + tλ) with t/(1 + tλ).
  const double shrink = 1 / (1 + t * omega.l2);
  t *= shrink;
  const double each_neuron = t * omega.neurons;
  const bool by_neurons = each_neuron > 0 || omega.neuron_norm < Regulariser::kNone;
  each_piece(team, v.rows, v.columns, [&](Rows part, unsigned) {
    const MatrixView<T> own = v.rows_from(part);
    scale(own, shrink);
    if (omega.l1 > 0) {  // sign(v) max(|v| − tλ, 0)
      entrywise::each(
          [c = static_cast<T>(t * omega.l1)](T& x) DLADMM_INLINE {
            const T over = x > c ? x - c : T(0);
            x = x < -c ? x + c : over;
          },
          own);
    }
    if (omega.bounded()) {
      entrywise::each(
          [low = static_cast<T>(omega.lower), high = static_cast<T>(omega.upper)](T& x) DLADMM_INLINE {
            const T above = x < low ? low : x;
            x = above > high ? high : above;
          },
          own);
    }
    for (std::size_t i = 0; (by_neurons || omega.zero_sum) && i < own.rows; ++i) {
      const MatrixView<T> row = own.rows_from(i, 1);
      if (by_neurons) scale(row, shrunk(std::sqrt(elementwise::square_norm<T>(row)), each_neuron, omega.neuron_norm));
      if (omega.zero_sum) {
        const double sum = entrywise::sum([](T x) DLADMM_INLINE { return static_cast<double>(x); }, row);
        entrywise::each(
            [mean = static_cast<T>(sum / static_cast<double>(v.columns))](T& x) DLADMM_INLINE { x -= mean; }, row);
      }
    }
  });
  if (omega.inputs > 0) {
    each_column(team, v, [&](std::size_t j, double norm) {
      scale(MatrixView<T>(v.data + j, v.rows, 1, v.stride), shrunk(norm, t * omega.inputs, Regulariser::kNone));
    });
  }
  if (omega.norm < Regulariser::kNone) {
    const double factor = shrunk(std::sqrt(elementwise::square_norm<T>(team, v)), 0, omega.norm);
    each_piece(team, v.rows, v.columns, [&](Rows part, unsigned) { scale(v.rows_from(part), factor); });
  }
}

#define DLADMM_INSTANTIATE(T)                                                  \
  template double value_of<T>(Team&, const Regulariser&, MatrixView<const T>); \
  template void proximal_step<T>(Team&, const Regulariser&, double, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
