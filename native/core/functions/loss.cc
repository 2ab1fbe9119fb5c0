#include "core/functions/loss.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include "core/functions/elementary.hpp"
#include "core/functions/softmax_lanes.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

constexpr double kReferenceTiny = 1e-10;
constexpr double kReferenceLargestExponent = 88.6;

// p <- exp(x − top), where top is no less than any x.
struct Exponentials {
  [[gnu::always_inline]] static inline void run(const double* x, double top, double* p, std::size_t count) {
    constexpr double lowest = -708;  // where exp_of_negative() ends
#pragma omp simd
    for (std::size_t i = 0; i < count; ++i) {
      const double e = exp_of_negative(x[i] - top);
      p[i] = x[i] - top < lowest ? 0 : e;
    }
  }
};

// p <- softmax(x), stable; returns log Σ exp(x).
double softmax(std::span<const double> x, std::span<double> p) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  simd::run<Exponentials>(x.data(), top, p.data(), x.size());
  for (const double value : p) sum += value;
  const double scale = 1 / sum;
  for (double& value : p) value *= scale;
  return top + std::log(sum);
}

void reference_softmax(std::span<const double> x, std::span<double> p) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double e = std::exp(x[i]);
    p[i] = std::isinf(e) ? std::exp(kReferenceLargestExponent) : e;
    sum += p[i];
  }
  for (double& value : p) value /= sum + kReferenceTiny;
}

double cross_entropy(Softmax kind, std::span<const double> z, std::int32_t label, std::span<double> p) {
  const auto y = static_cast<std::size_t>(label);
  if (kind == Softmax::stable) return softmax(z, p) - z[y];
  reference_softmax(z, p);
  return -std::log(p[y] == 0 ? kReferenceTiny : p[y]);
}

// log p for the p with p + ρ log p = t. With p = ρ eʸ this reads eʸ + y = t/ρ − log ρ: Wright's omega function, found
// by Newton's method, which needs four steps at most from these starts.
double log_probability(double t, double rho, double log_rho) {
  const double x = t / rho - log_rho;
  double y = x < -2 ? x : x < 2 ? (x - 1) / 2 : std::log(x - std::log(x));
  for (int step = 0; step < 6; ++step) {
    const double e = std::exp(y);
    const double change = (e + y - x) / (e + 1);
    y -= change;
    if (std::abs(change) <= 1e-9 * (1 + std::abs(y))) break;  // the next would be lost in rounding
  }
  return y + log_rho;
}

constexpr int kScalarLimit = 100;

// log p of the solution, from one equation in one unknown. A stationary z has p_i + ρ z_i = w_i with w = ρm − u + y.
// As z_i = log p_i + const, p_i + ρ log p_i = w_i − max w − σ for some σ, and σ is where the p_i(σ) sum to 1. The sum
// is a convex, decreasing function of σ, 1 or more at σ = −1 and 1 or less at σ = ρ log n: nothing here grows as ρ
// shrinks, however far from the start the solution lies.
void solve_by_sum(std::span<const double> m, std::span<const double> u, std::size_t y, double rho,
                  std::span<double> q) {
  const std::size_t n = q.size();
  const double log_rho = std::log(rho);
  const auto w = [&](std::size_t i) { return rho * m[i] - u[i] + (i == y ? 1 : 0); };
  double top = w(0);
  for (std::size_t i = 1; i < n; ++i) top = std::max(top, w(i));
  double low = -1;
  double high = rho * std::log(static_cast<double>(n));
  double sigma = low;
  for (int step = 0; step < kScalarLimit; ++step) {
    double sum = 0;
    double slope = 0;
    for (std::size_t i = 0; i < n; ++i) {
      q[i] = log_probability(w(i) - top - sigma, rho, log_rho);
      const double p = std::exp(q[i]);
      sum += p;
      slope += p / (p + rho);
    }
    (sum > 1 ? low : high) = sigma;
    // Newton for the sum is best where p is nearly linear in σ (p ≫ ρ), for its logarithm where p is exponential.
    const double change = (rho < 1 ? sum - 1 : sum * std::log(sum)) / slope;
    if (!(std::abs(change) > 1e-15 * (1 + rho))) return;
    sigma += change;
    if (!(sigma > low && sigma < high)) sigma = low + (high - low) / 2;
  }
}

// Newton's method from z, in a lane alone (softmax_lanes.cc); where it does not halve the gradient the solution is far,
// as it may be when ρ is small and u − y lies outside the simplex (then it is saturated, at a distance of 1/ρ): the
// equation in one unknown finds it, and Newton's method ends.
OutputSolution newton(std::span<const double> m, std::span<const double> u, std::int32_t label, double rho,
                      double tolerance, std::span<double> z, std::span<double> work) {
  constexpr std::size_t lanes = SoftmaxLanes::kLanes;
  const std::size_t n = z.size();
  thread_local std::vector<double> room;
  room.resize(3 * n * lanes + SoftmaxLanes::work_size(n));
  const auto piece = [&](std::size_t k) { return std::span(room).subspan(k * n * lanes, n * lanes); };
  SoftmaxLanes its{piece(0), piece(1), piece(2)};
  its.label.fill(label);
  its.rho.fill(rho);
  its.tolerance.fill(tolerance);
  OutputSolution found;
  const auto solve = [&] {
    for (std::size_t k = 0; k < n * lanes; ++k) {
      its.m[k] = m[k / lanes];
      its.u[k] = u[k / lanes];
      its.z[k] = z[k / lanes];
    }
    solve_softmax_lanes(its, n, std::span(room).subspan(3 * n * lanes));
    for (std::size_t i = 0; i < n; ++i) z[i] = its.z[i * lanes];
    found = {found.steps + static_cast<int>(its.steps[0]), its.stationarity[0]};
    return its.solved[0] != 0 || std::isnan(found.stationarity);
  };
  if (solve()) return found;
  const std::span<double> q = work.first(n);
  solve_by_sum(m, u, static_cast<std::size_t>(label), rho, q);
  std::copy(q.begin(), q.end(), z.begin());  // up to a shift, which the solution has of its own
  solve();
  return found;
}

}  // namespace

namespace {

// A loss of one output that has a kink: slope −below under it and `above` over it.
struct Kink {
  double at, below, above;
};

bool has_kinks(LossKind kind) {
  return kind == LossKind::hinge || kind == LossKind::absolute || kind == LossKind::quantile;
}

Kink kink_of(const Loss& loss, const SampleTarget& target, std::size_t j, std::size_t outputs) {
  if (loss.kind == LossKind::hinge) {
    return loss.is_on(target.label, j, outputs) ? Kink{1, 1, 0} : Kink{0, 0, 1};
  }
  const double tau = loss.parameter;
  return loss.kind == LossKind::absolute ? Kink{target.values[j], 1, 1} : Kink{target.values[j], tau, 1 - tau};
}

// The value and the slope of a smooth loss of one output.
struct Slope {
  double value, slope;
};

Slope slope_of(const Loss& loss, double z, double y) {
  if (loss.kind == LossKind::sigmoid_cross_entropy) {
    const double e = std::exp(-std::abs(z));
    return {std::max(z, 0.0) - y * z + std::log1p(e), (z < 0 ? e : 1) / (1 + e) - y};
  }
  if (loss.kind == LossKind::poisson) {
    const double e = std::exp(z);
    return {e - y * z, e - y};
  }
  const double delta = loss.parameter;
  const double d = z - y;
  if (std::abs(d) <= delta || std::isnan(d)) return {d * d / 2, d};
  return {delta * (std::abs(d) - delta / 2), std::copysign(delta, d)};
}

double unweighted(const Loss& loss, std::span<const double> z, const SampleTarget& target, std::span<double> gradient) {
  if (loss.kind == LossKind::squared_error) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      gradient[i] = z[i] - target.values[i];
      sum += gradient[i] * gradient[i];
    }
    return sum / 2;
  }
  if (loss.kind == LossKind::one_hot_squared_error) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      gradient[i] = z[i] - (loss.is_on(target.label, i, z.size()) ? 1 : 0);
      sum += gradient[i] * gradient[i];
    }
    return sum / 2;
  }
  if (has_kinks(loss.kind)) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const auto [at, below, above] = kink_of(loss, target, i, z.size());
      const double d = z[i] - at;
      sum += d > 0 ? above * d : below * -d;
      gradient[i] = d > 0 ? above : d < 0 ? 0 - below : 0;
    }
    return sum;
  }
  if (loss.kind != LossKind::softmax_cross_entropy) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const Slope at = slope_of(loss, z[i], target.values[i]);
      sum += at.value;
      gradient[i] = at.slope;
    }
    return sum;
  }
  const double value = cross_entropy(loss.softmax, z, target.label, gradient);
  gradient[static_cast<std::size_t>(target.label)] -= 1;
  return value;
}

}  // namespace

double loss_and_gradient(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                         std::span<double> gradient) {
  assert(gradient.size() == z.size());
  const double value = unweighted(loss, z, target, gradient);
  if (target.weight == 1) return value;
  for (double& g : gradient) g *= target.weight;
  return target.weight * value;
}

double least_loss(const Loss& loss, const SampleTarget& target) {
  if (!loss.may_be_negative()) return 0;
  double sum = 0;
  for (const double y : target.values) sum += y > 0 ? y - y * std::log(y) : 0;
  return target.weight * sum;
}

double subgradient_distance(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                            std::span<const double> gradient, std::span<const double> u) {
  double largest = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    double low = gradient[i];
    double high = gradient[i];
    if (has_kinks(loss.kind)) {
      const auto [at, below, above] = kink_of(loss, target, i, z.size());
      if (z[i] == at) {
        low = -below * target.weight;
        high = above * target.weight;
      }
    }
    const double distance = std::max({low + u[i], -u[i] - high, 0.0});
    if (std::isnan(low + u[i])) return low + u[i];
    largest = std::max(largest, distance);
  }
  return largest;
}

bool is_correct(const Loss& loss, std::span<const double> z, std::int32_t label) {
  const auto y = static_cast<std::size_t>(label);
  if (loss.classes(z.size()) != z.size()) return label == 1 ? z[0] > 0.5 : z[0] <= 0.5;
  // The label's output is the first of the largest.
  for (std::size_t j = 0; j < z.size(); ++j) {
    if (!(j < y ? z[j] < z[y] : z[j] <= z[y])) return false;
  }
  return true;
}

double loss_value(const Loss& loss, std::span<const double> z, const SampleTarget& target, std::span<double> work) {
  return loss_and_gradient(loss, z, target, work.first(z.size()));
}

namespace {

// Newton's method for an increasing, convex function from a point at which it is not negative: it comes down to the
// zero and never past it, but for rounding, which ends it. value_at(z) gives the function and its slope.
template <typename ValueAt>
double newton_from_above(double z, int& steps, ValueAt&& value_at) {
  constexpr int limit = 30;
  int step = 0;
  for (double change = std::numeric_limits<double>::infinity(); step < limit && change > 1e-16 * std::abs(z); ++step) {
    const Slope at = value_at(z);
    change = at.value / at.slope;
    z -= change;
  }
  steps = std::max(steps, step);
  return z;
}

// The z with eᶻ + ρ z = t. What log_probability() leaves is below 1e-9: one step over the zero, the others down to it.
double solve_exponential(double t, double rho, double log_rho, int& steps) {
  const double near = log_probability(t, rho, log_rho);
  return newton_from_above(near + 1e-8 * (1 + std::abs(near)), steps, [&](double z) {
    const double e = std::exp(z);
    return Slope{e + rho * z - t, e + rho};
  });
}

// The z with σ(z) + ρ z = t. As σ(−z) = 1 − σ(z) it may be sought below 0, where σ is convex and ½eᶻ ≤ σ(z) ≤ eᶻ: it
// lies within log 2 over the zero of eᶻ + ρ z − t.
double solve_sigmoid(double t, double rho, double log_rho, int& steps) {
  if (t > 0.5) return -solve_sigmoid(1 - t, rho, log_rho, steps);
  const double start = log_probability(t, rho, log_rho) + std::numbers::ln2;
  return newton_from_above(std::min(start, 0.0), steps, [&](double z) {
    const double e = std::exp(z);
    const double p = e / (1 + e);
    return Slope{p + rho * z - t, p / (1 + e) + rho};
  });
}

OutputSolution solve_unweighted(const Loss& loss, std::span<const double> m, std::span<const double> u,
                                const SampleTarget& target, double rho, double tolerance, std::span<double> z,
                                std::span<double> work) {
  if (loss.kind == LossKind::softmax_cross_entropy) return newton(m, u, target.label, rho, tolerance, z, work);
  if (has_kinks(loss.kind)) {
    // Move from c by the slope over ρ, but not past the kink.
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double c = m[i] - u[i] / rho;
      const auto [at, below, above] = kink_of(loss, target, i, z.size());
      z[i] = c > at ? std::max(c - above / rho, at) : c < at ? std::min(c + below / rho, at) : c;
    }
    return {};
  }
  if (loss.kind == LossKind::sigmoid_cross_entropy || loss.kind == LossKind::poisson) {
    const double log_rho = std::log(rho);
    OutputSolution found;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double t = rho * m[i] - u[i] + target.values[i];
      z[i] = loss.kind == LossKind::poisson ? solve_exponential(t, rho, log_rho, found.steps)
                                            : solve_sigmoid(t, rho, log_rho, found.steps);
      const double g = slope_of(loss, z[i], target.values[i]).slope + u[i] + rho * (z[i] - m[i]);
      found.stationarity = std::abs(g) <= found.stationarity ? found.stationarity : std::abs(g);
    }
    return found;
  }
  for (std::size_t i = 0; i < z.size(); ++i) {
    const bool one_hot = loss.kind == LossKind::one_hot_squared_error;
    const double y = one_hot ? (loss.is_on(target.label, i, z.size()) ? 1 : 0) : target.values[i];
    z[i] = (y - u[i] + rho * m[i]) / (1 + rho);
    if (loss.kind != LossKind::huber || std::abs(z[i] - y) <= loss.parameter) continue;
    z[i] = m[i] - (u[i] + std::copysign(loss.parameter, z[i] - y)) / rho;
  }
  return {};
}

}  // namespace

// With a weight s the objective is s times that of R alone with u/s and ρ/s.
OutputSolution solve_output(const Loss& loss, std::span<const double> m, std::span<const double> u,
                            const SampleTarget& target, double rho, double tolerance, std::span<double> z,
                            std::span<double> work) {
  const std::size_t n = z.size();
  const double s = target.weight;
  assert(m.size() == n && u.size() == n && work.size() >= 6 * n);
  if (s == 1) return solve_unweighted(loss, m, u, target, rho, tolerance, z, work);
  if (s == 0) {
    for (std::size_t i = 0; i < n; ++i) z[i] = m[i] - u[i] / rho;
    return {};
  }
  const std::span<double> scaled = work.subspan(5 * n, n);
  for (std::size_t i = 0; i < n; ++i) scaled[i] = u[i] / s;
  OutputSolution found = solve_unweighted(loss, m, scaled, target, rho / s, tolerance / s, z, work);
  found.stationarity *= s;
  return found;
}

}  // namespace dladmm
