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
  return report();
}
