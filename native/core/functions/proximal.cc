#include "core/functions/proximal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "core/functions/elementwise.hpp"
#include "core/linalg/lapack.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {
namespace {

constexpr std::size_t kColumns = 64;
// Units by which a row grows where its factor and then its products are rounded, and what its length is found wrong by.
constexpr double kScaled = 2;

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

// The radius of a ball that rounding in T to within `parts` units leads not out of.
template <typename T>
double inner(double ball, double parts) {
  return ball * (1 - parts * static_cast<double>(std::numeric_limits<T>::epsilon()));
}

// Block soft-thresholding, then the ball: max(0, 1 − λ/‖v‖) v, no longer than c.
double shrunk(double norm, double lambda, double ball) {
  if (norm <= lambda) return norm > 0 || lambda > 0 ? 0 : 1;
  return std::min(norm - lambda, ball) / norm;
}

// The squares of the singular values of V, ascending, and over room.gram, as rows, the vectors of its shorter side; V
// itself in double. Empty where they were not found.
template <typename T>
std::span<const double> singular_squares(Team& team, MatrixView<const T> v, SpectralRoom& room) {
  const bool wide = v.rows <= v.columns;
  const std::size_t side = std::min(v.rows, v.columns);
  const MatrixView<double> entries(room.entries.data(), v.rows, v.columns);
  const MatrixView<double> gram(room.gram.data(), side, side);
  each_piece(team, v.rows, v.columns, [&](Rows rows, unsigned) {
    entrywise::each([](T x, double& to) DLADMM_INLINE { to = static_cast<double>(x); }, v.rows_from(rows),
                    entries.rows_from(rows));
  });
  // side x side <- V Vᵀ, or Vᵀ V
  multiply<double>(team, wide ? blas::Op::none : blas::Op::transpose, wide ? blas::Op::transpose : blas::Op::none, 1,
                   entries, entries, 0, gram);
  const std::span<double> values = std::span(room.values).first(side);
  if (!std::isfinite(elementwise::square_norm<double>(team, gram)) || !lapack::syev(gram, values, room.work)) return {};
  for (double& value : values) value = std::max(value, 0.0);
  return values;
}

// V <- V − Zᵀ diag(1 − σ⁺/σ) Z V with Z the singular vectors of the left (or the same on the right), σ⁺ what the step
// makes of σ: values that it leaves keep their part of V as it is.
template <typename T>
bool spectral_step(Team& team, const Regulariser& omega, double t, MatrixView<T> v, SpectralRoom& room) {
  const std::span<const double> squares = singular_squares<T>(team, v, room);
  if (squares.empty()) return false;
  const std::size_t side = squares.size();
  const MatrixView<double> vectors(room.gram.data(), side, side);
  const MatrixView<double> weighed(room.image.data(), side, side);
  const MatrixView<double> factor(room.factor.data(), side, side);
  // Every entry is rounded by half a unit at most, so that σ_1 grows by √side of them.
  const double ball = inner<T>(omega.spectral_norm, kScaled + std::sqrt(static_cast<double>(side)));
  bool moves = false;
  for (std::size_t i = 0; i < side; ++i) {
    const double less = 1 - shrunk(std::sqrt(squares[i]), t * omega.nuclear, ball);
    moves = moves || less > 0;
    for (std::size_t j = 0; j < side; ++j) weighed.row(i)[j] = less * vectors.row(i)[j];
  }
  if (!moves) return true;
  using blas::Op;
  const MatrixView<double> entries(room.entries.data(), v.rows, v.columns);
  const MatrixView<double> change(room.image.data(), v.rows, v.columns);
  multiply<double>(team, Op::transpose, Op::none, 1, vectors, weighed, 0, factor);  // side x side
  // n x m <- n x n, n x m, or n x m, m x m
  const bool wide = v.rows <= v.columns;
  multiply<double>(team, Op::none, Op::none, 1, wide ? factor : entries, wide ? entries : factor, 0, change);
  each_piece(team, v.rows, v.columns, [&](Rows rows, unsigned) {
    entrywise::each([](double x, double less, T& to) DLADMM_INLINE { to = static_cast<T>(x - less); },
                    entries.rows_from(rows), change.rows_from(rows), v.rows_from(rows));
  });
  return true;
}

// W_jk <- the mean of its group; afterwards, where `first`, the first of it: the mean of equal numbers may round.
template <typename T>
void tie(const Regulariser& omega, MatrixView<T> own, bool first) {
  for (std::size_t j = 0; j < own.rows; ++j) {
    for (const auto& group : omega.equal) {
      double sum = 0;
      for (const std::uint32_t k : group) sum += static_cast<double>(own.row(j)[k]);
      const T to = first ? own.row(j)[group.front()] : static_cast<T>(sum / static_cast<double>(group.size()));
      for (const std::uint32_t k : group) own.row(j)[k] = to;
    }
  }
}

}  // namespace

SpectralRoom::SpectralRoom(std::size_t largest, std::size_t side)
    : entries(largest),
      image(largest),
      gram(side * side),
      factor(side * side),
      values(side),
      work(lapack::syev_work(side)) {}

double SpectralRoom::required_bytes(std::size_t largest, std::size_t side) {
  const auto n = static_cast<double>(side);
  return sizeof(double) * (2 * static_cast<double>(largest) + 2 * n * n + 35 * n + 1);
}

template <typename T>
double value_of(Team& team, const Regulariser& omega, MatrixView<const T> w, SpectralRoom& room) {
  double value = 0;
  const auto rows = [&](double factor, auto&& of) {
    if (factor == 0) return;
    value += factor * sum_pieces<double>(team, w.rows, w.columns, [&](Rows part, unsigned) {
               double sum = 0;
               for (std::size_t i = part.first; i < part.first + part.count; ++i) sum += of(w.rows_from(i, 1), i);
               return sum;
             });
  };
  rows(omega.l1, [](MatrixView<const T> row, std::size_t) {
    return entrywise::sum([](T x) DLADMM_INLINE { return static_cast<double>(x < T(0) ? -x : x); }, row);
  });
  rows(omega.l2 / 2, [&omega](MatrixView<const T> row, std::size_t i) {
    if (omega.centre.empty()) return elementwise::square_norm<T>(row);
    const MatrixView<const double> a(omega.centre.data() + i * row.columns, 1, row.columns);
    return entrywise::sum([](T x, double at)
                              DLADMM_INLINE { return (static_cast<double>(x) - at) * (static_cast<double>(x) - at); },
                          row, a);
  });
  rows(omega.neurons, [](MatrixView<const T> row, std::size_t) { return std::sqrt(elementwise::square_norm<T>(row)); });
  if (omega.nuclear > 0) {
    const std::span<const double> squares = singular_squares<T>(team, w, room);
    if (squares.empty()) return std::numeric_limits<double>::quiet_NaN();
    for (const double square : squares) value += omega.nuclear * std::sqrt(square);
  }
  if (omega.inputs > 0) {
    std::vector<double> norms(w.columns);
    each_column(team, w, [&](std::size_t j, double norm) { norms[j] = norm; });
    value += omega.inputs * sum_pairwise(norms.size(), [&](std::size_t j) { return norms[j]; });
  }
  return value;
}

template <typename T>
double zeros_of(Team& team, MatrixView<const T> w) {
  const double count = sum_pieces<double>(team, w.rows, w.columns, [&](Rows part, unsigned) {
    return entrywise::sum([](T x) DLADMM_INLINE { return x == T(0) ? 1.0 : 0.0; }, w.rows_from(part));
  });
  return count / static_cast<double>(w.rows * w.columns);
}

template <typename T>
void keep_allowed(const Regulariser& omega, Rows rows, MatrixView<T> own) {
  if (!omega.kept.empty()) {
    const MatrixView<const std::uint8_t> mask(omega.kept.data() + rows.first * own.columns, own.rows, own.columns);
    if (omega.centre.empty()) {
      entrywise::each([](T& x, std::uint8_t is) DLADMM_INLINE { x = is == 0 ? T(0) : x; }, own, mask);
    } else {
      const MatrixView<const double> a(omega.centre.data() + rows.first * own.columns, own.rows, own.columns);
      entrywise::each([](T& x, std::uint8_t is, double to) DLADMM_INLINE { x = is == 0 ? static_cast<T>(to) : x; }, own,
                      mask, a);
    }
  }
  if (omega.input_signs.empty()) return;
  for (std::size_t j = 0; j < own.rows; ++j) {
    const std::int8_t r = omega.neuron_signs[rows.first + j];
    for (std::size_t k = 0; k < own.columns; ++k) {
      const int sign = r * omega.input_signs[k];
      T& x = own.row(j)[k];
      if (omega.input_signs[k] != 0 && !(sign > 0 ? x > T(0) : sign < 0 && x < T(0))) x = T(0);
    }
  }
}

template <typename T>
bool proximal_step(Team& team, const Regulariser& omega, double t, MatrixView<T> v, SpectralRoom& room) {
  // (λ/2)‖W − A‖² beside Ω: the step of Ω from (V + tλA)/(1 + tλ) with t/(1 + tλ).
  const double after = t / (1 + t * omega.l2);
  const double each_neuron = after * omega.neurons;
  const bool by_neurons = each_neuron > 0 || omega.neuron_norm < Regulariser::kNone;
  const double neuron_ball = inner<T>(omega.neuron_norm, kScaled);
  each_piece(team, v.rows, v.columns, [&](Rows part, unsigned) {
    const MatrixView<T> own = v.rows_from(part);
    lean(omega, part, own, MatrixView<const T>(own), [size = static_cast<T>(t)](T) DLADMM_INLINE { return size; });
    tie(omega, own, false);
    entrywise::each([of = EntryStep<T>(omega), size = static_cast<T>(t)](T& x) DLADMM_INLINE { x = of(x, size); }, own);
    keep_allowed(omega, part, own);
    for (std::size_t i = 0; (by_neurons || omega.zero_sum) && i < own.rows; ++i) {
      const MatrixView<T> row = own.rows_from(i, 1);
      if (by_neurons) scale(row, shrunk(std::sqrt(elementwise::square_norm<T>(row)), each_neuron, neuron_ball));
      if (omega.zero_sum) {
        const double sum = entrywise::sum([](T x) DLADMM_INLINE { return static_cast<double>(x); }, row);
        entrywise::each(
            [mean = static_cast<T>(sum / static_cast<double>(v.columns))](T& x) DLADMM_INLINE { x -= mean; }, row);
      }
    }
  });
  if (omega.inputs > 0) {
    each_column(team, v, [&](std::size_t j, double norm) {
      scale(MatrixView<T>(v.data + j, v.rows, 1, v.stride), shrunk(norm, after * omega.inputs, Regulariser::kNone));
    });
  }
  if (omega.norm < Regulariser::kNone) {
    const double factor = shrunk(std::sqrt(elementwise::square_norm<T>(team, v)), 0, inner<T>(omega.norm, kScaled));
    each_piece(team, v.rows, v.columns, [&](Rows part, unsigned) { scale(v.rows_from(part), factor); });
  }
  if (omega.spectral() && !spectral_step(team, omega, after, v, room)) return false;
  if (!omega.equal.empty()) {
    each_piece(team, v.rows, v.columns, [&](Rows part, unsigned) { tie(omega, v.rows_from(part), true); });
  }
  return true;
}

#define DLADMM_INSTANTIATE(T)                                                                      \
  template double value_of<T>(Team&, const Regulariser&, MatrixView<const T>, SpectralRoom&);      \
  template double zeros_of<T>(Team&, MatrixView<const T>);                                         \
  template bool proximal_step<T>(Team&, const Regulariser&, double, MatrixView<T>, SpectralRoom&); \
  template void keep_allowed<T>(const Regulariser&, Rows, MatrixView<T>);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
