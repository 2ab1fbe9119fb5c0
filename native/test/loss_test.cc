// Losses: values and gradients against central differences, and the z_L subproblem against its own optimality.
#include "core/functions/loss.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <vector>

#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr Loss kCrossEntropy{LossKind::softmax_cross_entropy, Softmax::stable};
constexpr Loss kReference{LossKind::softmax_cross_entropy, Softmax::reference};
constexpr Loss kSquared{LossKind::squared_error, Softmax::stable};
constexpr Loss kHinge{LossKind::hinge, Softmax::stable};
constexpr Loss kOneHot{LossKind::one_hot_squared_error, Softmax::stable};

// The losses that are sums over the outputs.
const std::vector<Loss> kOfValues{{LossKind::sigmoid_cross_entropy},
                                  {LossKind::poisson},
                                  {LossKind::absolute},
                                  {LossKind::huber, Softmax::stable, 1},
                                  {LossKind::huber, Softmax::stable, 1e-6},
                                  {LossKind::huber, Softmax::stable, 1e6},
                                  {LossKind::quantile, Softmax::stable, 0.5},
                                  {LossKind::quantile, Softmax::stable, 0.01},
                                  {LossKind::quantile, Softmax::stable, 0.999}};

std::string name_of(const Loss& loss) { return text("loss ", static_cast<int>(loss.kind), " of ", loss.parameter); }

// A target that goes with a loss.
double target_for(const Loss& loss, Random& random) {
  if (loss.kind == LossKind::sigmoid_cross_entropy) return static_cast<double>(random.below(3)) / 2;
  if (loss.kind == LossKind::poisson) return static_cast<double>(random.below(5));
  return random.normal();
}

// --- values and gradients ---

void check_gradient(const Loss& loss, std::vector<double> z, const SampleTarget& target, const std::string& what) {
  std::vector<double> gradient(z.size());
  std::vector<double> work(z.size());
  const double value = loss_and_gradient(loss, z, target, gradient);
  check_equal(loss_value(loss, z, target, work), value, what + ": one value");
  for (std::size_t i = 0; i < z.size(); ++i) {
    const double h = 1e-6;
    const double at = z[i];
    z[i] = at + h;
    const double above = loss_value(loss, z, target, work);
    z[i] = at - h;
    const double below = loss_value(loss, z, target, work);
    z[i] = at;
    check_close(gradient[i], (above - below) / (2 * h), 2e-8 + 1e-9 * std::abs(value), what + ": gradient");
  }
}

void gradients_are_central_differences() {
  Random random(20);
  for (const std::size_t n : {1, 2, 3, 10, 37}) {
    for (int trial = 0; trial < 5; ++trial) {
      const std::vector<double> z = normals<double>(n, random, 2);
      const std::vector<double> y = normals<double>(n, random);
      const auto label = static_cast<std::int32_t>(random.below(n));
      check_gradient(kCrossEntropy, z, {label, {}}, text("cross-entropy of ", n));
      check_gradient(kReference, z, {label, {}}, text("reference cross-entropy of ", n));
      check_gradient(kSquared, z, {0, y}, text("squared error of ", n));
      check_gradient(kHinge, z, {label, {}}, text("hinge of ", n));
      check_gradient(kCrossEntropy, z, {label, {}, 2.5}, text("weighted cross-entropy of ", n));
      for (const Loss& loss : kOfValues) {
        std::vector<double> values(n);
        for (double& value : values) value = target_for(loss, random);
        check_gradient(loss, z, {0, values}, name_of(loss));
        check_gradient(loss, z, {0, values, 0.3}, "weighted " + name_of(loss));
      }
    }
  }
}

void values_by_hand() {
  std::vector<double> g(3);
  const std::vector<double> even{5, 5, 5};
  check_close(loss_and_gradient(kCrossEntropy, even, {1, {}}, g), std::log(3.0), 1e-15, "three equal logits");
  check_close(g[1], -2.0 / 3, 1e-15, "p − y at the label");
  check_close(g[2], 1.0 / 3, 1e-15, "p − y elsewhere");
  const std::vector<double> y{4, 5, 7};
  check_equal(loss_and_gradient(kSquared, even, {0, y}, g), (1.0 + 0 + 4) / 2, "½‖z − y‖²");
  check(g[0] == 1 && g[1] == 0 && g[2] == -2, "z − y");
}

void values_of_the_losses_of_values() {
  std::vector<double> g(1);
  const auto at = [&](Loss loss, double z, double y) {
    return loss_and_gradient(loss, std::vector<double>{z}, {0, std::vector<double>{y}}, g);
  };
  const Loss sigmoid{LossKind::sigmoid_cross_entropy};
  check_close(at(sigmoid, 0, 1), std::log(2.0), 1e-16, "undecided");
  check_equal(at(sigmoid, 1e4, 1), 0.0, "sure and right");
  check_equal(at(sigmoid, -1e4, 1), 1e4, "sure and wrong");
  check_equal(g[0], -1.0, "sure and wrong: slope");
  const Loss huber{LossKind::huber, Softmax::stable, 2};
  check_equal(at(huber, 3, 1), 2.0, "d = δ");
  check_equal(at(huber, -9, 1), 2.0 * (10 - 1), "d beyond −δ");
  check_equal(g[0], -2.0, "slope −δ");
  check_equal(at({LossKind::absolute}, -9, 1), 10.0, "|d|");
  const Loss quantile{LossKind::quantile, Softmax::stable, 0.9};
  check_close(at(quantile, 0, 10), 9, 1e-15, "below the ninth decile");
  check_close(at(quantile, 20, 10), 1, 1e-14, "above it");
  check_close(at({LossKind::poisson}, 1, 3), std::exp(1) - 3, 1e-15, "eᶻ − y z");
  const std::vector<double> counts{0, 3};
  check_close(least_loss({LossKind::poisson}, {0, counts, 2}), 2 * (3 - 3 * std::log(3)), 1e-15, "least where eᶻ = y");
  check_equal(least_loss(huber, {0, counts}), 0.0, "least of what is never below 0");
  for (const Loss& loss : kOfValues) {
    at(loss, std::nan(""), 1);
    check(std::isnan(at(loss, std::nan(""), 1)), name_of(loss) + " of NaN is NaN");
  }
}

void stable_at_any_size() {
  std::vector<double> g(3);
  for (const double big : {1e3, 1e6, 1e300}) {
    const std::vector<double> z{big, -big, 0};
    check_equal(loss_and_gradient(kCrossEntropy, z, {0, {}}, g), 0.0, "the label's logit towers");
    check(g[0] == 0 && g[1] == 0 && g[2] == 0, "nothing to gain");
    check_equal(loss_and_gradient(kCrossEntropy, z, {2, {}}, g), big, "another towers over the label's");
    check(g[0] == 1 && g[1] == 0 && g[2] == -1, "p − y at the corners");
  }
}

// The formula of the official code where it departs from the stable one.
void reference_softmax_corner_cases() {
  std::vector<double> g(2);
  const auto at = [&](double z0, double z1, std::int32_t label) {
    const std::vector<double> z{z0, z1};
    return loss_and_gradient(kReference, z, {label, {}}, g);
  };
  const double top = std::exp(88.6);

  // exp(z) = inf counts as exp(88.6).
  const double value = at(710, 88, 0);
  const double p0 = top / (top + std::exp(88.0) + 1e-10);
  check_close(value, -std::log(p0), 1e-14, "one logit overflows");
  check_close(g[0], p0 - 1, 1e-15, "p − y with an overflow");
  check_close(at(1e6, 1e6, 1), std::log(2.0), 1e-14, "both overflow: equal");
  // So a logit of 700, which does not overflow, beats one of 710.
  check_close(at(710, 700, 0), 700 - 88.6, 1e-10, "700 beats 710");
  check_close(g[1], 1, 1e-15, "p of 700 next to 710");

  // A probability of zero counts as 1e-10 in the loss; the gradient is p − y all the same.
  check_close(at(0, -800, 1), -std::log(1e-10), 1e-12, "the label's exp underflows");
  check(g[0] == 1 / (1 + 1e-10) && g[1] == -1, "p − y with an underflow");
  check_close(at(-800, -900, 0), -std::log(1e-10), 1e-12, "every exp underflows");
  check(g[0] == -1 && g[1] == 0, "no probability is left: p = 0");
  // 1e-10 in the denominator: small exps are halved when they sum to it.
  check_close(at(std::log(1e-10), -800, 0), std::log(2.0), 1e-12, "a sum as small as 1e-10");
}

// --- the z_L subproblem ---

// The largest entry of p(z) − y + u + ρ(z − m), found anew in long double.
double gradient_norm(std::span<const double> z, std::span<const double> m, std::span<const double> u,
                     std::int32_t label, double rho) {
  const long double top = *std::max_element(z.begin(), z.end());
  long double sum = 0;
  for (const double value : z) sum += std::exp(static_cast<long double>(value) - top);
  long double largest = 0;
  for (std::size_t i = 0; i < z.size(); ++i) {
    const long double p = std::exp(static_cast<long double>(z[i]) - top) / sum;
    const long double y = static_cast<std::int32_t>(i) == label ? 1 : 0;
    const long double g =
        p - y + static_cast<long double>(u[i]) +
        static_cast<long double>(rho) * (static_cast<long double>(z[i]) - static_cast<long double>(m[i]));
    if (!(std::abs(g) <= largest)) largest = std::abs(g);
  }
  return static_cast<double>(largest);
}

// What may be left of the gradient: 1e-12, or what the roundings of z, m and u to double leave.
double attainable(std::span<const double> z, std::span<const double> m, std::span<const double> u, double rho) {
  double size = 1;
  for (std::size_t i = 0; i < z.size(); ++i) {
    size = std::max({size, std::abs(u[i]), (1 + rho) * std::abs(z[i]), (1 + rho) * std::abs(m[i])});
  }
  return std::max(1e-12, 16 * std::numeric_limits<double>::epsilon() * size);
}

struct Worst {
  int steps = 0;
  double stationarity = 0;
};

void check_solution(const std::vector<double>& m, const std::vector<double>& u, std::vector<double> z,
                    std::int32_t label, double rho, const std::string& what, Worst& worst) {
  std::vector<double> work(6 * z.size() + 1, std::numeric_limits<double>::quiet_NaN());
  const auto found = solve_output(kCrossEntropy, m, u, {label, {}}, rho, 2e-14, z, std::span(work).first(6 * z.size()));
  check(std::isnan(work.back()), what + ": stays within its work array");
  const double limit = attainable(z, m, u, rho);
  check_at_most(gradient_norm(z, m, u, label, rho), limit, what);
  check_at_most(found.stationarity, limit, what + ", by its own account");
  check_at_most(found.steps, 40, what + ", steps");
  worst.steps = std::max(worst.steps, found.steps);
}

constexpr double kPenalties[] = {1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10, 100, 1e3, 1e4};

std::vector<double> start(int kind, std::size_t n, Random& random) {
  std::vector<double> z = normals<double>(n, random);
  for (std::size_t i = 0; i < n; ++i) {
    if (kind == 1) z[i] = i % 2 == 0 ? 1e6 : -1e6;
    if (kind == 2) z[i] = -1e6 + z[i];
    if (kind == 3) z[i] *= 1e6;
    if (kind == 4) z[i] = random.below(n) == 0 ? 1 : -1;
  }
  return z;
}

// u = −∇R at some logits, as every dual step after an exact z_L leaves it: y − u lies in the simplex.
void solutions_with_u_in_the_simplex() {
  Random random(21);
  Worst worst;
  for (const double rho : kPenalties) {
    for (const std::size_t n : {1, 2, 3, 10, 100, 500}) {
      for (int kind = 0; kind <= 4; ++kind) {
        for (const double sharpness : {0.1, 5.0, 100.0}) {
          const std::vector<double> m = normals<double>(n, random, 3);
          std::vector<double> u(n);
          const auto label = static_cast<std::int32_t>(random.below(n));
          const std::vector<double> other = normals<double>(n, random, sharpness);
          loss_and_gradient(kCrossEntropy, other, {label, {}}, u);
          for (double& value : u) value = -value;
          check_solution(m, u, start(kind, n, random), label, rho,
                         text("rho ", rho, " classes ", n, " start ", kind, " sharpness ", sharpness), worst);
        }
      }
    }
  }
  std::printf("u in the simplex: %d steps at most\n", worst.steps);
}

// Zero, random and huge u: the solution may lie 1/ρ away, saturated.
void solutions_with_u_outside_the_simplex() {
  Random random(22);
  Worst worst;
  for (const double rho : kPenalties) {
    for (const std::size_t n : {1, 2, 3, 10, 100, 500}) {
      for (int kind = 0; kind <= 4; ++kind) {
        for (const double size : {0.0, 1e-9, 1e-3, 1.0, 30.0, 1e6}) {
          const std::vector<double> m = normals<double>(n, random, 3);
          const std::vector<double> u = normals<double>(n, random, size);
          // First, last and any label.
          const std::size_t at = kind == 0 ? 0 : kind == 1 ? n - 1 : random.below(n);
          check_solution(m, u, start(kind, n, random), static_cast<std::int32_t>(at), rho,
                         text("rho ", rho, " classes ", n, " start ", kind, " u ", size), worst);
        }
      }
    }
  }
  std::printf("u outside the simplex: %d steps at most\n", worst.steps);
}

void solutions_with_large_products() {
  Random random(23);
  Worst worst;
  for (const double rho : kPenalties) {
    for (const std::size_t n : {2, 10, 100}) {
      for (const double size : {100.0, 1e4, 1e6}) {
        for (int kind = 0; kind <= 4; ++kind) {
          check_solution(normals<double>(n, random, size), normals<double>(n, random), start(kind, n, random),
                         static_cast<std::int32_t>(random.below(n)), rho,
                         text("rho ", rho, " classes ", n, " m ", size, " start ", kind), worst);
        }
      }
    }
  }
  std::printf("large products: %d steps at most\n", worst.steps);
}

// Exactly equal entries, and all at once at rounding's mercy.
void symmetric_problems() {
  Worst worst;
  for (const double rho : kPenalties) {
    for (const std::size_t n : {1, 2, 5, 500}) {
      const std::vector<double> zero(n, 0.0);
      check_solution(zero, zero, zero, 0, rho, text("all zero, rho ", rho, " classes ", n), worst);
      const std::vector<double> ones(n, 1.0);
      check_solution(ones, ones, zero, static_cast<std::int32_t>(n - 1), rho, text("all one, rho ", rho), worst);
      // u pulls every class down by far more than a probability.
      const std::vector<double> hundred(n, 100.0);
      check_solution(zero, hundred, zero, 0, rho, text("u all 100, rho ", rho), worst);
    }
  }
  std::printf("symmetric problems: %d steps at most\n", worst.steps);
}

// From its own solution a problem needs no step worth the name.
void solved_problems_stay_solved() {
  Random random(24);
  for (const double rho : {1e-4, 1.0, 100.0}) {
    const std::size_t n = 10;
    const std::vector<double> m = normals<double>(n, random);
    const std::vector<double> u(n, 0.0);
    std::vector<double> z = m;
    std::vector<double> work(6 * n);
    solve_output(kCrossEntropy, m, u, {3, {}}, rho, 2e-14, z, work);
    const std::vector<double> solution = z;
    const auto again = solve_output(kCrossEntropy, m, u, {3, {}}, rho, 1e-11, z, work);
    check_equal(again.steps, 0, text("steps from the solution, rho ", rho));
    for (std::size_t i = 0; i < n; ++i) check_close(z[i], solution[i], 1e-12 / rho, "the solution stays");
  }
}

void nan_comes_out_as_nan() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const double bad : {nan, inf, -inf}) {
    for (int where = 0; where < 3; ++where) {
      std::vector<double> m{1, 2, 3};
      std::vector<double> u{0, 0, 0};
      std::vector<double> z{1, 2, 3};
      std::vector<double> work(18);
      (where == 0 ? m : where == 1 ? u : z)[1] = bad;
      const auto found = solve_output(kCrossEntropy, m, u, {0, {}}, 0.5, 2e-14, z, work);
      bool finite = true;
      for (const double value : z) finite = finite && std::isfinite(value);
      check(!finite && std::isnan(found.stationarity), text(bad, " in operand ", where, " is not hidden"));
    }
  }
}

void squared_error_closed_form() {
  Random random(25);
  for (const double rho : kPenalties) {
    for (const double weight : {1.0, 0.25, 40.0, 0.0}) {
      const std::size_t n = 7;
      const std::vector<double> m = normals<double>(n, random);
      const std::vector<double> u = normals<double>(n, random);
      const std::vector<double> y = normals<double>(n, random);
      std::vector<double> z(n, std::numeric_limits<double>::quiet_NaN());
      std::vector<double> work(6 * n);
      const auto found = solve_output(kSquared, m, u, {0, y, weight}, rho, 2e-14, z, work);
      check(found.steps == 0 && found.stationarity == 0, "closed form");
      for (std::size_t i = 0; i < n; ++i) {
        const double size = weight * (1 + std::abs(z[i])) + rho * (1 + std::abs(z[i])) + 1;
        check_close(weight * (z[i] - y[i]) + u[i] + rho * (z[i] - m[i]), 0, 1e-14 * size,
                    text("rho ", rho, " weight ", weight));
      }
    }
  }
}

// The slope of s R(z; y) + u z + (ρ/2)(z − m)² just under and just over z.
struct Slopes {
  long double under, over;
};

Slopes slopes_of(const Loss& loss, long double z, long double y, long double s, long double u, long double m,
                 long double rho) {
  const long double d = z - y;
  const long double p = loss.parameter;
  const long double rest = u + rho * (z - m);
  if (s == 0) return {rest, rest};
  switch (loss.kind) {
    case LossKind::sigmoid_cross_entropy: {
      const long double slope = 1 / (1 + std::exp(-z)) - y;
      return {s * slope + rest, s * slope + rest};
    }
    case LossKind::poisson: {
      const long double slope = std::exp(z) - y;
      return {s * slope + rest, s * slope + rest};
    }
    case LossKind::huber: {
      const long double slope = std::clamp(d, -p, p);
      return {s * slope + rest, s * slope + rest};
    }
    case LossKind::absolute:
      return {(d > 0 ? s : -s) + rest, (d >= 0 ? s : -s) + rest};
    case LossKind::one_hot_squared_error:
      return {s * d + rest, s * d + rest};
    // Of an output that is to be on (y = 1) the kink is at 1, of others at 0.
    case LossKind::hinge:
      if (y == 1) return {(z <= 1 ? -s : 0) + rest, (z < 1 ? -s : 0) + rest};
      return {(z > 0 ? s : 0) + rest, (z >= 0 ? s : 0) + rest};
    default:
      return {s * (d > 0 ? 1 - p : -p) + rest, s * (d >= 0 ? 1 - p : -p) + rest};
  }
}

// By halving: where the slope, which rises, changes its sign.
long double brute_force(const Loss& loss, long double y, long double s, long double u, long double m, long double rho) {
  long double reach = 1;
  while (slopes_of(loss, m - reach, y, s, u, m, rho).under > 0 ||
         slopes_of(loss, m + reach, y, s, u, m, rho).over < 0) {
    reach *= 2;
  }
  long double low = m - reach;
  long double high = m + reach;
  for (int step = 0; step < 20000; ++step) {
    const long double middle = low + (high - low) / 2;
    if (!(middle > low && middle < high)) break;
    (slopes_of(loss, middle, y, s, u, m, rho).over < 0 ? low : high) = middle;
  }
  return high;
}

// Output by output the minimiser that halving finds, whatever the sample counts for, and −u − ρ(z − m) is a subgradient
// of the loss.
void losses_of_classes_are_minimised() {
  Random random(29);
  for (const Loss& loss : {kHinge, kOneHot}) {
    for (const std::size_t n : {std::size_t{1}, std::size_t{2}, std::size_t{5}}) {
      for (const double weight : {1.0, 0.25, 40.0, 1e-60, 0.0}) {
        for (int trial = 0; trial < 150; ++trial) {
          const auto label = static_cast<std::int32_t>(random.below(loss.classes(n)));
          const double rho = std::exp(3 * random.normal());
          const std::vector<double> m = normals<double>(n, random, trial % 2 == 0 ? 1 : 3);
          const std::vector<double> u = normals<double>(n, random, trial % 3 == 0 ? 0 : std::max(1.0, weight));
          const std::string what = text(name_of(loss), " n ", n, " weight ", weight, " rho ", rho, " trial ", trial);
          std::vector<double> z(n), dual(n), gradient(n), work(6 * n);
          const SampleTarget target{label, {}, weight};
          solve_output(loss, m, u, target, rho, 1e-14, z, work);
          for (std::size_t j = 0; j < n; ++j) {
            const bool on = loss.classes(n) == n ? static_cast<std::size_t>(label) == j : label == 1;
            const auto exact = static_cast<double>(brute_force(loss, on ? 1 : 0, weight, u[j], m[j], rho));
            const double eps = std::numeric_limits<double>::epsilon();
            const double slope = std::abs(u[j]) + rho * (std::abs(m[j]) + std::abs(exact)) + 2 * weight;
            check_close(z[j], exact, 8 * eps * (slope / rho + std::abs(exact)), what);
            dual[j] = u[j] + rho * (z[j] - m[j]);
          }
          loss_and_gradient(loss, z, target, gradient);
          const double tolerance = 1e-11 * (1 + rho) * (1 + weight);
          check_at_most(subgradient_distance(loss, z, target, gradient, dual), tolerance, what + ": stationary");
          dual[0] += 3 + 2 * weight;
          check(subgradient_distance(loss, z, target, gradient, dual) > 1, what + ": no slope is that steep");
        }
      }
    }
  }
}

void losses_of_values_are_minimised() {
  Random random(30);
  int steps = 0;
  for (const Loss& loss : kOfValues) {
    for (const double rho : {1e-12, 1e-4, 0.1, 1.0, 100.0, 1e9}) {
      for (const double size : {0.0, 1.0, 30.0, 1e6}) {
        for (const double weight : {1.0, 0.25, 40.0, 1e-60, 0.0}) {
          const double y = target_for(loss, random);
          const double m = size * random.normal();
          // As after a dual step, and anything.
          const double u = random.below(2) == 0 ? -weight * random.uniform() : size * random.normal();
          const std::string what = text(name_of(loss), " rho ", rho, " weight ", weight, " y ", y, " m ", m, " u ", u);
          std::vector<double> z{3};
          std::vector<double> work(6);
          const std::vector<double> ms{m}, us{u}, ys{y};
          const SampleTarget target{0, ys, weight};
          const auto found = solve_output(loss, ms, us, target, rho, 2e-14, z, work);
          steps = std::max(steps, found.steps);
          const long double exact = brute_force(loss, y, weight, u, m, rho);
          // What rounding of the operands moves the solution by.
          const double eps = std::numeric_limits<double>::epsilon();
          const double slope = std::abs(u) + rho * (std::abs(m) + static_cast<double>(std::abs(exact))) +
                               weight * (1 + std::abs(y) + (loss.kind == LossKind::huber ? 0 : 1));
          // And the least of what is not subnormal: not every processor has those below it.
          const double least = std::numeric_limits<double>::min();
          const double tolerance = 8 * eps * (slope / rho + static_cast<double>(std::abs(exact))) + least;
          check_close(z[0], static_cast<double>(exact), tolerance, what);
          // No point of a fine grid is better.
          const auto cost = [&](double at) {
            return loss_value(loss, std::vector<double>{at}, target, work) + u * at + rho / 2 * (at - m) * (at - m);
          };
          const double best = cost(z[0]);
          for (int k = -60; k <= 60; ++k) {
            const double at = z[0] + std::copysign(std::pow(10.0, std::abs(k) / 5.0 - 9), k);
            const double other = cost(at);
            check(!(other < best - 1e-9 * (1 + std::abs(best) + std::abs(other) + std::abs(u * at))),
                  what + ": a better point");
          }
        }
      }
    }
  }
  std::printf("losses of values: %d steps at most\n", steps);
  check_at_most(steps, 12, "steps");
}

// With a weight the argmin is that of the loss times the weight: by a stationary point, and at the corners.
void weights_scale_the_loss() {
  Random random(31);
  for (const double rho : {1e-4, 1.0, 100.0}) {
    for (const double weight : {0.0, 1e-50, 0.5, 2.0, 1000.0}) {
      const std::size_t n = 5;
      const std::vector<double> m = normals<double>(n, random, 2);
      std::vector<double> u = normals<double>(n, random, weight);
      std::vector<double> z(n), g(n), work(6 * n);
      const SampleTarget target{2, {}, weight};
      solve_output(kCrossEntropy, m, u, target, rho, 2e-14, z, work);
      loss_and_gradient(kCrossEntropy, z, target, g);
      for (std::size_t i = 0; i < n; ++i) {
        check_close(g[i] + u[i] + rho * (z[i] - m[i]), 0, 1e-12 * (1 + rho + weight),
                    text("rho ", rho, " weight ", weight));
      }
    }
  }
}

void one_output_tells_two_classes() {
  check_equal(kHinge.classes(1), std::size_t{2}, "hinge");
  check_equal(kHinge.classes(3), std::size_t{3}, "hinge of three");
  check_equal(kCrossEntropy.classes(1), std::size_t{1}, "cross-entropy");
  for (const double z : {-1.0, 0.4}) {
    check(is_correct(kHinge, std::vector<double>{z}, 0) && !is_correct(kHinge, std::vector<double>{z}, 1), "class 0");
  }
  check(is_correct(kHinge, std::vector<double>{0.6}, 1) && !is_correct(kHinge, std::vector<double>{0.6}, 0), "class 1");
  const std::vector<double> nothing{std::nan("")};
  check(!is_correct(kHinge, nothing, 0) && !is_correct(kHinge, nothing, 1), "NaN names no class");
}

}  // namespace

int main() {
  fact("gradients are central differences", gradients_are_central_differences);
  fact("values by hand", values_by_hand);
  fact("values of the losses of values", values_of_the_losses_of_values);
  fact("the stable softmax is stable at any size", stable_at_any_size);
  fact("corner cases of the reference softmax", reference_softmax_corner_cases);
  fact("z_L with u in the simplex", solutions_with_u_in_the_simplex);
  fact("z_L with u outside the simplex", solutions_with_u_outside_the_simplex);
  fact("z_L with large products", solutions_with_large_products);
  fact("z_L of symmetric problems", symmetric_problems);
  fact("solved problems stay solved", solved_problems_stay_solved);
  fact("NaN comes out as NaN", nan_comes_out_as_nan);
  fact("z_L of hinge and one-hot squared error is their minimiser", losses_of_classes_are_minimised);
  fact("z_L of the losses of values is their minimiser", losses_of_values_are_minimised);
  fact("weights scale the loss", weights_scale_the_loss);
  fact("one output tells two classes under the hinge loss", one_output_tells_two_classes);
  fact("z_L of the squared error is its closed form", squared_error_closed_form);
  return report();
}
