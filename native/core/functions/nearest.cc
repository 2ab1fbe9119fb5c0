#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "core/functions/activation.hpp"

namespace dladmm {
namespace {

constexpr int kLimit = 200;

// The root of an increasing function between low and high, by Newton's method from the middle; a step that leaves the
// bracket, or does not halve what the one before last did, becomes a bisection. at(x) gives value and derivative.
template <typename At>
double increasing_root(double low, double high, At&& at) {
  double x = low + (high - low) / 2;
  double last = high - low;
  for (int step = 0; step < kLimit; ++step) {
    const auto [value, slope] = at(x);
    if (value == 0) return x;
    (value < 0 ? low : high) = x;
    double next = x - value / slope;
    if (!(next > low && next < high) || !(std::abs(next - x) <= last / 2)) next = low + (high - low) / 2;
    last = std::abs(next - x);
    if (next == x || last <= 1e-16 * std::abs(next)) return next;
    x = next;
  }
  return x;
}

struct ValueAndSlope {
  double value;
  double slope;
};

// For f the sigmoid and s = f(z), half the second derivative of the objective is 1 + ratio q(s) with
// q(s) = s (1 − s) (−3s² + (2 + 2a) s − a).
double curvature(double s, double a) { return s * (1 - s) * ((2 + 2 * a - 3 * s) * s - a); }

struct Interval {
  double low;
  double high;
};

// Where the objective is concave at z < 0: nowhere, or between two of its inflection points. q is negative there for a
// > 0 and s below its root s₋ < ½, with one minimum on the way.
bool concave_below_zero(double a, double ratio, Interval& where) {
  if (!(a > 0)) return false;
  const double edge = a / (1 + a + std::sqrt(1 - a + a * a));
  // The last factor of q is above −a.
  if (ratio * a * edge * (1 - edge) <= 1) return false;
  const double deepest = increasing_root(0, edge, [a](double s) {
    return ValueAndSlope{((12 * s - 3 * (5 + 2 * a)) * s + 2 * (2 + 3 * a)) * s - a,
                         (36 * s - 6 * (5 + 2 * a)) * s + 2 * (2 + 3 * a)};
  });
  if (1 + ratio * curvature(deepest, a) >= 0) return false;
  const auto slope = [a](double s) { return ((12 * s - 3 * (5 + 2 * a)) * s + 2 * (2 + 3 * a)) * s - a; };
  const double first = increasing_root(0, deepest, [&](double s) {
    return ValueAndSlope{-(1 + ratio * curvature(s, a)), -ratio * slope(s)};
  });
  const double second = increasing_root(deepest, edge, [&](double s) {
    return ValueAndSlope{1 + ratio * curvature(s, a), ratio * slope(s)};
  });
  const auto logit = [](double s) { return std::log(s) - std::log1p(-s); };
  where = {logit(first), logit(second)};
  return where.low < where.high;
}

double nearest_sigmoid(double m, double a, double ratio) {
  const auto cost = [&](double z) {
    const double miss = a - sigmoid(z);
    return (z - m) * (z - m) + ratio * miss * miss;
  };
  // Half the derivative of the objective.
  const auto derivative = [&](double z) {
    const double s = sigmoid(z);
    return ValueAndSlope{(z - m) + ratio * (s - a) * s * (1 - s), 1 + ratio * curvature(s, a)};
  };
  // f' is at most a quarter, so every stationary point lies in between.
  const double reach = ratio * std::max(std::abs(a), std::abs(1 - a)) / 4;
  const double low = m - reach;
  const double high = m + reach;
  if (!(reach > 0)) return m;

  // What is left where the objective is not concave. f(−z) = 1 − f(z): above zero is below zero with 1 − a.
  std::array<double, 6> ends{low, high, high, high, high, high};
  std::size_t pieces = 1;
  Interval gap{};
  const auto cut = [&](double from, double to) {
    ends[2 * pieces - 1] = std::clamp(from, low, high);
    ends[2 * pieces] = std::clamp(to, low, high);
    ends[2 * pieces + 1] = high;
    ++pieces;
  };
  if (concave_below_zero(a, ratio, gap)) cut(gap.low, gap.high);
  if (concave_below_zero(1 - a, ratio, gap)) cut(-gap.high, -gap.low);

  double best = m;
  double least = std::numeric_limits<double>::infinity();
  const auto consider = [&](double z) {
    const double value = cost(z);
    if (!(value < least)) return;
    least = value;
    best = z;
  };
  for (std::size_t i = 0; i < pieces; ++i) {
    const double from = ends[2 * i];
    const double to = ends[2 * i + 1];
    if (!(from <= to)) continue;
    // Convex on the piece: its minimiser is an end, or where the derivative is zero in between.
    if (derivative(from).value >= 0) {
      consider(from);
    } else if (derivative(to).value <= 0) {
      consider(to);
    } else {
      consider(increasing_root(from, to, derivative));
    }
  }
  return best;
}

}  // namespace

double nearest_smooth(ActivationKind kind, double m, double a, double ratio) {
  if (!std::isfinite(m) || !std::isfinite(a)) return std::numeric_limits<double>::quiet_NaN();
  if (kind == ActivationKind::sigmoid) return nearest_sigmoid(m, a, ratio);
  // tanh(z) = 2 sigmoid(2z) − 1
  return nearest_sigmoid(2 * m, (a + 1) / 2, 16 * ratio) / 2;
}

}  // namespace dladmm
