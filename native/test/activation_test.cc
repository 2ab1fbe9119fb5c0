// Activations: the value, and the closed form of the hidden z against a brute-force minimiser.
#include "core/functions/activation.hpp"

#include <cmath>
#include <limits>

#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using dladmm::Activation;
using namespace dladmm::test;

constexpr double kSlopes[] = {0, 0.01, 0.1, 0.5, 1, 1.7, 30, -0.25, -1};

double cost(double z, double m, double a, double slope) {
  const double f = z > 0 ? z : slope * z;
  return (z - m) * (z - m) + (a - f) * (a - f);
}

// Finer and finer grids around the best point of the one before; the first spans everything that could be best.
double brute_force_cost(double m, double a, double slope) {
  double low = -(std::abs(m) + std::abs(a) + 1) * (1 + std::abs(slope));
  double high = -low;
  double best_z = 0;
  double best = cost(0, m, a, slope);
  for (int level = 0; level < 7; ++level) {
    constexpr int points = 400;
    const double step = (high - low) / points;
    for (int i = 0; i <= points; ++i) {
      const double z = low + i * step;
      const double c = cost(z, m, a, slope);
      if (c < best) {
        best = c;
        best_z = z;
      }
    }
    low = best_z - 2 * step;
    high = best_z + 2 * step;
  }
  return best;
}

void value_is_the_definition() {
  for (const double slope : kSlopes) {
    for (const double x : {-3.0, -1e-300, -0.0, 0.0, 1e-300, 2.5}) {
      check_equal(Activation::value(x, slope), x > 0 ? x : slope * x, text("f(", x, ") with slope ", slope));
    }
    check(std::isnan(Activation::value(std::nan(""), 0.1)), "NaN stays NaN");
  }
  // Slope 1 with x = anything: the identity, exactly.
  for (const float x : {-3.5F, 0.0F, 7.25F}) check_equal(Activation::value(x, 1.0F), x, "the identity");
}

template <typename T>
void nearest_is_the_minimiser() {
  Random random(4);
  const double eps = std::numeric_limits<T>::epsilon();
  for (const double wanted_slope : kSlopes) {
    const T s = static_cast<T>(wanted_slope);
    const auto slope = static_cast<double>(s);
    for (int trial = 0; trial < 400; ++trial) {
      const double scale = trial % 3 == 0 ? 1 : trial % 3 == 1 ? 1e-3 : 100;
      const T m = trial == 0 ? T(0) : static_cast<T>(scale * random.normal());
      const T a = trial <= 1 ? T(0) : static_cast<T>(scale * random.normal());
      const auto found = static_cast<double>(Activation::nearest(m, a, s, T(1)));
      const double size =
          (static_cast<double>(m) * static_cast<double>(m) + static_cast<double>(a) * static_cast<double>(a)) *
          (1 + slope * slope);
      const double got = cost(found, static_cast<double>(m), static_cast<double>(a), slope);
      const double best = brute_force_cost(static_cast<double>(m), static_cast<double>(a), slope);
      check_at_most(got, best + 20 * eps * size, text(type_name<T>(), " slope ", slope, " m ", m, " a ", a));
    }
  }
}

// ReLU with m < 0 < a: z = m misses by a², z = (m + a)/2 by (a − m)²/2; they tie where a = (1 + √2)(−m) … and exactly
// where both vertices are clipped to the kink. A tie goes to the negative side.
void ties_go_to_the_negative_side() {
  check_equal(Activation::nearest(0.0, 0.0, 0.0, 1.0), 0.0, "all zero");
  // m = −1, a = 1: z = −1 costs 1, z = 0 costs 1 + 1.
  check_equal(Activation::nearest(-1.0, 1.0, 0.0, 1.0), -1.0, "m = -1, a = 1");
  // a ≤ 0 ≤ m: both sides end at the kink or above; (m + a)/2 = 0 with z = 0 on either side.
  check_equal(Activation::nearest(2.0, -2.0, 0.0, 1.0), 0.0, "both at the kink");
  // Slope −1 is |·| turned over: for m = 0 the two sides mirror each other and tie exactly.
  for (const double a : {1.0, 3.0, 0.5}) {
    check_equal(Activation::nearest(0.0, a, -1.0, 1.0), -a / 2, "the mirror image at slope -1");
  }
  // On either side of ReLU's tie the right branch is taken.
  const double tie = 1 + std::sqrt(2.0);
  check_equal(Activation::nearest(-1.0, tie * (1 - 1e-12), 0.0, 1.0), -1.0, "just below the tie");
  check_close(Activation::nearest(-1.0, tie * (1 + 1e-12), 0.0, 1.0), (tie - 1) / 2, 1e-11, "just above the tie");
}

void the_identity_takes_the_mean() {
  Random random(5);
  for (int trial = 0; trial < 100; ++trial) {
    const double m = random.normal();
    const double a = random.normal();
    check_close(Activation::nearest(m, a, 1.0, 1.0), (m + a) / 2, 1e-16, "slope 1");
  }
}

double smooth_cost(dladmm::ActivationKind kind, double z, double m, double a, double ratio) {
  const double f = kind == dladmm::ActivationKind::tanh ? std::tanh(z) : 1 / (1 + std::exp(-z));
  return (z - m) * (z - m) + ratio * (a - f) * (a - f);
}

// Against grids over all that could be best, finer and finer around the ten best points of the first.
double smooth_grid_cost(dladmm::ActivationKind kind, double m, double a, double ratio) {
  const double reach = 1 + ratio * (1 + std::abs(a));
  double best = std::numeric_limits<double>::infinity();
  const auto scan = [&](double low, double high, int points) {
    double at = low;
    for (int i = 0; i <= points; ++i) {
      const double z = low + (high - low) * i / points;
      const double c = smooth_cost(kind, z, m, a, ratio);
      if (c < best) {
        best = c;
        at = z;
      }
    }
    return at;
  };
  // f is flat beyond 40: there the best point is m or that end.
  double low = std::max(m - reach, std::min(m, -40.0));
  double high = std::min(m + reach, std::max(m, 40.0));
  double at = scan(low, high, 40000);
  double step = (high - low) / 40000;
  for (int level = 0; level < 3; ++level) {
    const double found = scan(at - 2 * step, at + 2 * step, 400);
    if (smooth_cost(kind, found, m, a, ratio) <= smooth_cost(kind, at, m, a, ratio)) at = found;
    step /= 100;
  }
  return best;
}

void the_smooth_z_is_the_global_minimiser() {
  Random random(6);
  using dladmm::ActivationKind;
  for (const ActivationKind kind : {ActivationKind::sigmoid, ActivationKind::tanh}) {
    for (int trial = 0; trial < 600; ++trial) {
      constexpr double scales[] = {1e-3, 1, 5, 30};
      constexpr double ratios[] = {1e-3, 0.3, 1, 10, 100, 1e4};
      const double m = scales[random.below(4)] * random.normal();
      const double a = scales[random.below(4)] * random.normal();
      const double ratio = ratios[random.below(6)];
      const double z = dladmm::nearest_smooth(kind, m, a, ratio);
      const double got = smooth_cost(kind, z, m, a, ratio);
      const double best = smooth_grid_cost(kind, m, a, ratio);
      const double size = ratio * (1 + a * a) + m * m;
      check_at_most(got, best + 1e-13 * size, text("m ", m, " a ", a, " ratio ", ratio));
      // So it never lies above the point that it starts from.
      const double from = m + random.normal();
      check_at_most(got, smooth_cost(kind, from, m, a, ratio) + 1e-13 * size, "no point is better");
    }
  }
}

// Two minima side by side: which is deeper decides, and a jump of z is where they tie.
void the_smooth_z_may_jump() {
  using dladmm::ActivationKind;
  const auto z = [](double m) { return dladmm::nearest_smooth(ActivationKind::sigmoid, m, 1.0, 400.0); };
  double low = -60;
  double high = 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = low + (high - low) / 2;
    (z(middle) < -10 ? low : high) = middle;
  }
  check(z(high) - z(low) > 5, text("jumps from ", z(low), " to ", z(high)));
  check_close(smooth_cost(ActivationKind::sigmoid, z(low), low, 1, 400),
              smooth_cost(ActivationKind::sigmoid, z(high), high, 1, 400), 1e-6, "both are as good there");
}

void the_smooth_z_of_anything_ends() {
  using dladmm::ActivationKind;
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const ActivationKind kind : {ActivationKind::sigmoid, ActivationKind::tanh}) {
    for (const double m : {0.0, -0.0, 1e-300, -1e300, 1e300, 700.0, -800.0}) {
      for (const double a : {0.0, 1.0, -1.0, 0.5, 1e-300, 1e150, -1e150, 1e300}) {
        for (const double ratio : {1e-300, 1e-6, 1.0, 1e12, 1e300}) {
          const double z = dladmm::nearest_smooth(kind, m, a, ratio);
          check(!std::isnan(z) || !std::isfinite(ratio * a), text("m ", m, " a ", a, " ratio ", ratio));
        }
      }
    }
    for (const auto& [m, a] : {std::pair{nan, 1.0}, {1.0, nan}, {inf, 1.0}, {-inf, 1.0}, {1.0, inf}}) {
      check(std::isnan(dladmm::nearest_smooth(kind, m, a, 1)), text("m ", m, " a ", a));
    }
  }
}

// Whatever z becomes, the caller's residual z − m or a − f(z) is then not finite, which is how divergence is seen.
void what_is_not_finite_shows() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const double slope : kSlopes) {
    for (const auto& [m, a] : {std::pair{nan, 1.0}, {1.0, nan}, {inf, 1.0}, {-inf, 1.0}, {1.0, inf}, {1.0, -inf}}) {
      const double z = Activation::nearest(m, a, slope, 1.0);
      const double r = z - m;
      const double miss = a - Activation::value(z, slope);
      check(!std::isfinite(r * r + miss * miss), text("m ", m, " a ", a, " slope ", slope));
    }
  }
}

}  // namespace

int main() {
  fact("the value is the definition", value_is_the_definition);
  fact("float: the closed-form z is the minimiser", nearest_is_the_minimiser<float>);
  fact("double: the closed-form z is the minimiser", nearest_is_the_minimiser<double>);
  fact("ties go to the negative side", ties_go_to_the_negative_side);
  fact("the identity takes the mean", the_identity_takes_the_mean);
  fact("what is not finite shows", what_is_not_finite_shows);
  fact("the smooth z is the global minimiser", the_smooth_z_is_the_global_minimiser);
  fact("the smooth z may jump", the_smooth_z_may_jump);
  fact("the smooth z of anything ends", the_smooth_z_of_anything_ends);
  return report();
}
