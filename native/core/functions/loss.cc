#include "core/functions/loss.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

namespace dladmm {
namespace {

constexpr double kReferenceTiny = 1e-10;
constexpr double kReferenceLargestExponent = 88.6;

// p <- softmax(x), stable; returns log Σ exp(x).
double softmax(std::span<const double> x, std::span<double> p) {
  const double top = *std::max_element(x.begin(), x.end());
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    p[i] = std::exp(x[i] - top);
    sum += p[i];
  }
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

double largest_magnitude(std::span<const double> g) {
  double largest = 0;
  for (const double value : g) {
    // A NaN must not hide behind a comparison that is false.
    if (!(std::abs(value) <= largest)) largest = std::abs(value);
  }
  return largest;
}

double dot(std::span<const double> a, std::span<const double> b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

constexpr int kNewtonLimit = 400;
constexpr int kNewtonPatience = 12;
constexpr double kSlopeShare = 0.5;

// ω(x), Wright's function: the ω > 0 with ω + ln ω = x. Two steps of Fritsch, Shafer and Crowley's iteration (of fourth
// order) end at full precision from each of the three starts.
double wright_omega(double x) {
  if (x < -38) return std::exp(x);
  double w = x < -2 ? std::exp(x) : x < 4 ? std::exp((x - 1) * 2 / 3) : x - std::log(x) + std::log(x) / x;
  for (int i = 0; i < 2; ++i) {
    const double r = x - w - std::log(w);
    const double q = 2 * (1 + w) * (1 + w + r * 2 / 3);
    w *= 1 + r / (1 + w) * (q - r) / (q - 2 * r);
  }
  return w;
}

// d with softmax(m + d) + ρd = y − u up to rounding, u centred: the way out for starts from which Newton's method, its
// steps held short by saturated exponentials, would crawl. With c = log Σ exp(m + d) and v = m + (y − u)/ρ every entry
// is p = ρω(v − c − ln ρ), and Σp = 1 is one equation in c, convex and falling. Newton's method from below, where the
// largest entry alone gives 1, therefore climbs to its root and never passes it.
void solve_by_log_sum(std::span<const double> m, std::span<const double> u, double mean_u, std::size_t y, double rho,
                      std::span<double> v, std::span<double> d) {
  const std::size_t n = m.size();
  for (std::size_t i = 0; i < n; ++i) v[i] = m[i] + ((i == y ? 1.0 : 0.0) - (u[i] - mean_u)) / rho;
  const double log_rho = std::log(rho);
  double c = *std::max_element(v.begin(), v.end()) - 1 / rho;
  for (int i = 0; i < 60; ++i) {
    double excess = -1;
    double slope = 0;
    for (std::size_t j = 0; j < n; ++j) {
      const double w = wright_omega(v[j] - c - log_rho);
      excess += rho * w;
      slope += rho * (w / (1 + w));
    }
    const double next = c + excess / slope;
    if (!(excess > 1e-13) || next == c) break;
    c = next;
  }
  for (std::size_t j = 0; j < n; ++j) {
    const double x = v[j] - c - log_rho;
    const double w = wright_omega(x);
    // ln p, from the form that has the digits.
    const double log_p = log_rho + (w > 1 ? std::log(w) : x - w);
    d[j] = (c - m[j]) + log_p;
  }
}

// Newton's method for min over z of −log softmax(z)_label + uᵀz + (ρ/2)‖z − m‖².
//
// The gradient is p(z) − y + u + ρ(z − m). Its entries sum to Σu + ρΣ(z − m), so the minimiser has mean(z − m) =
// −mean(u)/ρ exactly; with z = m + shift + d and u centred, what is left is a problem in Σd = 0, free of the large
// common shift that a small ρ would bring. With D = ρI + diag(p), the Hessian D − ppᵀ is inverted by its rank-one
// form; because Σg = 0 it becomes Δ = −D⁻¹(g − λp) with λ = Σ(g/D) / Σ(p/D): no cancellation however small ρ is.
//
// Along Δ the slope φ'(t) satisfies φ'(t) ≤ φ''(0)(−1 + (e^{rt} − 1)/r) for r = maxΔ − minΔ, since the third
// derivative of log-sum-exp is at most r times the second. Hence t = ln(1 + r)/r always descends. A full step is taken
// whenever its slope says so; otherwise t shrinks towards that bound.
OutputSolution newton(std::span<const double> m, std::span<const double> u, std::int32_t label, double rho,
                      double tolerance, std::span<double> z, std::span<double> work) {
  const std::size_t n = z.size();
  const auto y = static_cast<std::size_t>(label);
  const std::span<double> d = work.subspan(0, n);
  const std::span<double> p = work.subspan(n, n);
  const std::span<double> g = work.subspan(2 * n, n);
  const std::span<double> step = work.subspan(3 * n, n);
  const std::span<double> trial = work.subspan(4 * n, n);
  const std::span<double> logits = work.subspan(5 * n, n);

  double mean_u = 0;
  double mean_d = 0;
  for (std::size_t i = 0; i < n; ++i) {
    mean_u += u[i];
    mean_d += z[i] - m[i];
  }
  mean_u /= static_cast<double>(n);
  mean_d /= static_cast<double>(n);
  for (std::size_t i = 0; i < n; ++i) d[i] = z[i] - m[i] - mean_d;

  const auto centre = [&](std::span<double> at) {
    double mean = 0;
    for (const double value : at) mean += value;
    mean /= static_cast<double>(n);
    for (double& value : at) value -= mean;
  };
  const auto gradient_at = [&](std::span<const double> at) {
    for (std::size_t i = 0; i < n; ++i) logits[i] = m[i] + at[i];
    softmax(logits, p);
    for (std::size_t i = 0; i < n; ++i) g[i] = p[i] + (u[i] - mean_u) + rho * at[i];
    g[y] -= 1;
    return largest_magnitude(g);
  };

  OutputSolution found;
  found.stationarity = gradient_at(d);
  double previous = std::numeric_limits<double>::infinity();
  while (found.stationarity > tolerance && found.steps < kNewtonLimit) {
    // Rounding has the last word: near the solution, a step that no longer halves the gradient ends the search.
    const bool near = found.stationarity < 1e-11 || found.steps > kNewtonPatience;
    if (near && found.stationarity > 0.5 * previous) break;
    previous = found.stationarity;
    ++found.steps;
    if (found.steps == kNewtonPatience) {
      solve_by_log_sum(m, u, mean_u, y, rho, step, trial);
      centre(trial);
      const double there = gradient_at(trial);
      if (there < found.stationarity) {
        found.stationarity = there;
        previous = std::numeric_limits<double>::infinity();
        std::copy(trial.begin(), trial.end(), d.begin());
        continue;
      }
      static_cast<void>(gradient_at(d));
    }

    double sum_g = 0;
    double sum_p = 0;
    for (std::size_t i = 0; i < n; ++i) {
      sum_g += g[i] / (rho + p[i]);
      sum_p += p[i] / (rho + p[i]);
    }
    const double lambda = sum_g / sum_p;
    double low = 0;
    double high = 0;
    for (std::size_t i = 0; i < n; ++i) {
      step[i] = -(g[i] - lambda * p[i]) / (rho + p[i]);
      low = std::min(low, step[i]);
      high = std::max(high, step[i]);
    }
    const double slope = dot(g, step);
    const double range = high - low;
    const double safe = range > 1e-8 ? std::log1p(range) / range : 1;

    double t = 1;
    for (;;) {
      for (std::size_t i = 0; i < n; ++i) trial[i] = d[i] + t * step[i];
      centre(trial);
      found.stationarity = gradient_at(trial);
      if (t <= safe || dot(g, step) <= kSlopeShare * std::abs(slope)) break;
      t = std::max(safe, t * std::min(0.5, std::sqrt(safe / t)));
    }
    std::copy(trial.begin(), trial.end(), d.begin());
    if (!std::isfinite(found.stationarity)) break;
  }
  const double shift = -mean_u / rho;
  for (std::size_t i = 0; i < n; ++i) z[i] = (m[i] + shift) + d[i];
  return found;
}

}  // namespace

double loss_and_gradient(const Loss& loss, std::span<const double> z, const SampleTarget& target,
                         std::span<double> gradient) {
  assert(gradient.size() == z.size());
  if (loss.kind == LossKind::squared_error) {
    double sum = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      gradient[i] = z[i] - target.values[i];
      sum += gradient[i] * gradient[i];
    }
    return sum / 2;
  }
  const double value = cross_entropy(loss.softmax, z, target.label, gradient);
  gradient[static_cast<std::size_t>(target.label)] -= 1;
  return value;
}

double loss_value(const Loss& loss, std::span<const double> z, const SampleTarget& target, std::span<double> work) {
  return loss_and_gradient(loss, z, target, work.first(z.size()));
}

OutputSolution solve_output(const Loss& loss, std::span<const double> m, std::span<const double> u,
                            const SampleTarget& target, double rho, double tolerance, std::span<double> z,
                            std::span<double> work) {
  assert(m.size() == z.size() && u.size() == z.size() && work.size() >= 6 * z.size());
  if (loss.kind == LossKind::softmax_cross_entropy) return newton(m, u, target.label, rho, tolerance, z, work);
  for (std::size_t i = 0; i < z.size(); ++i) z[i] = (target.values[i] - u[i] + rho * m[i]) / (1 + rho);
  return {};
}

}  // namespace dladmm
