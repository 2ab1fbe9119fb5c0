// Activations: the value, and the closed form of the hidden z against a brute-force minimiser.
#include "core/functions/activation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "test/activations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
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
      check_equal(Rectifier<double>{slope}.value(x), x > 0 ? x : slope * x, text("f(", x, ") with slope ", slope));
    }
    check(std::isnan(Rectifier<double>{0.1}.value(std::nan(""))), "NaN stays NaN");
  }
  // Slope 1 with x = anything: the identity, exactly.
  for (const float x : {-3.5F, 0.0F, 7.25F}) check_equal(Rectifier<float>{1}.value(x), x, "the identity");
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
      const auto found = static_cast<double>(Rectifier<T>{s}.nearest(m, a, T(1)));
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
  check_equal(Rectifier<double>{0.0}.nearest(0.0, 0.0, 1.0), 0.0, "all zero");
  // m = −1, a = 1: z = −1 costs 1, z = 0 costs 1 + 1.
  check_equal(Rectifier<double>{0.0}.nearest(-1.0, 1.0, 1.0), -1.0, "m = -1, a = 1");
  // a ≤ 0 ≤ m: both sides end at the kink or above; (m + a)/2 = 0 with z = 0 on either side.
  check_equal(Rectifier<double>{0.0}.nearest(2.0, -2.0, 1.0), 0.0, "both at the kink");
  // Slope −1 is |·| turned over: for m = 0 the two sides mirror each other and tie exactly.
  for (const double a : {1.0, 3.0, 0.5}) {
    check_equal(Rectifier<double>{-1.0}.nearest(0.0, a, 1.0), -a / 2, "the mirror image at slope -1");
  }
  // On either side of ReLU's tie the right branch is taken.
  const double tie = 1 + std::sqrt(2.0);
  check_equal(Rectifier<double>{0.0}.nearest(-1.0, tie * (1 - 1e-12), 1.0), -1.0, "just below the tie");
  check_close(Rectifier<double>{0.0}.nearest(-1.0, tie * (1 + 1e-12), 1.0), (tie - 1) / 2, 1e-11, "just above the tie");
}

void the_identity_takes_the_mean() {
  Random random(5);
  for (int trial = 0; trial < 100; ++trial) {
    const double m = random.normal();
    const double a = random.normal();
    check_close(Rectifier<double>{1.0}.nearest(m, a, 1.0), (m + a) / 2, 1e-16, "slope 1");
  }
}

double smooth_cost(const Activation& f, double z, double m, double a, double ratio) {
  const double miss = a - value_of(f, z);
  return (z - m) * (z - m) + ratio * miss * miss;
}

// One entry, from a z that may be anywhere.
template <typename T>
T nearest(const Activation& f, T m, T a, T ratio, T z) {
  constexpr T none = 0;
  nearest_smooth<T>(f, {&m, 1, 1}, std::span(&none, 1), {&a, 1, 1}, ratio, {&z, 1, 1});
  return z;
}

// Against grids over all that could be best, finer and finer around the best point of the one before.
double smooth_grid_cost(const Activation& f, double m, double a, double ratio) {
  double best = smooth_cost(f, m, m, a, ratio);
  const double reach = std::sqrt(best);
  double at = m;
  const auto scan = [&](double low, double high, int points) {
    for (int i = 0; i <= points; ++i) {
      const double z = low + (high - low) * i / points;
      const double c = smooth_cost(f, z, m, a, ratio);
      if (c < best) {
        best = c;
        at = z;
      }
    }
  };
  // f is a line beyond 45 on either side: there the best point is m or lies towards a.
  const double low = std::max(m - reach, std::min(m, -45.0));
  const double high = std::min(m + reach, std::max({m, 45.0, a + 1}));
  scan(low, high, 20000);
  double step = (high - low) / 20000;
  for (int level = 0; level < 3; ++level) {
    const double middle = at;
    scan(middle - 2 * step, middle + 2 * step, 400);
    step /= 100;
  }
  return best;
}

void a_smooth_function_is_its_definition() {
  for (const Activation& activation : kSmooth) {
    for (double x = -40; x <= 40; x += 0.0173) {
      const auto what = text(name_of(activation), " at ", x);
      with_activation<double>(activation, [&](auto f) {
        if constexpr (requires { f.at(x); }) {
          const auto jet = f.at(x);
          check_close(f.value(x), value_of(activation, x), 1e-14 * (1 + std::abs(x)), what);
          check_close(jet.value, f.value(x), 1e-15 * (1 + std::abs(x)), what + ": at");
          check_close(jet.slope, slope_of(activation, x), 1e-14 * (1 + std::abs(x)), what + ": slope");
          check_close(f.derivative(decltype(f)::kTellsDerivative ? jet.value : x), jet.slope, 4e-16,
                      what + ": derivative");
          if (std::abs(x) < 1e-3) return;  // a kink is near
          constexpr double h = 1e-4;
          check_close(jet.slope, (value_of(activation, x + h) - value_of(activation, x - h)) / (2 * h), 2e-8,
                      what + ": f'");
          check_close(jet.bend, (slope_of(activation, x + h) - slope_of(activation, x - h)) / (2 * h), 2e-8,
                      what + ": f''");
        }
      });
      const auto single = static_cast<float>(x);
      with_activation<float>(activation, [&](auto f) {
        check_close(static_cast<double>(f.value(single)), value_of(activation, static_cast<double>(single)),
                    4e-7 * (1 + std::abs(x)), what + " in float");
      });
    }
    with_activation<double>(activation, [&](auto f) {
      check(std::isnan(f.value(std::nan(""))), name_of(activation) + ": NaN stays NaN");
      for (const double x : {-1e300, 1e300}) check(std::isfinite(f.value(x)), name_of(activation) + ": far out");
    });
  }
}

void the_smooth_z_is_the_global_minimiser() {
  Random random(6);
  for (const Activation& f : kSmooth) {
    for (int trial = 0; trial < 400; ++trial) {
      constexpr double scales[] = {1e-3, 1, 5, 30};
      constexpr double ratios[] = {1e-3, 0.3, 1, 10, 100, 1e4};
      const double m = scales[random.below(4)] * random.normal();
      const double a = scales[random.below(4)] * random.normal();
      const double ratio = ratios[random.below(6)];
      const double from = m + scales[random.below(4)] * random.normal();
      const double best = smooth_grid_cost(f, m, a, ratio);
      const double size = ratio * (1 + a * a) + m * m;
      const auto what = text(name_of(f), ": m ", m, " a ", a, " ratio ", ratio, " from ", from);
      check_at_most(smooth_cost(f, nearest(f, m, a, ratio, from), m, a, ratio), best + 1e-13 * size, what);
      const auto single = static_cast<double>(nearest(f, static_cast<float>(m), static_cast<float>(a),
                                                      static_cast<float>(ratio), static_cast<float>(from)));
      check_at_most(smooth_cost(f, single, m, a, ratio), best + 4e-6 * size, what + " in float");
    }
  }
}

// Whether an entry comes alone or among others, and wherever the search begins: the same z.
void the_smooth_z_does_not_depend_on_its_neighbours() {
  Random random(8);
  for (const Activation& f : kSmooth) {
    constexpr std::size_t count = 37;
    std::vector<double> m(count), a(count), z(count, 0.0), b(count, 0.0);
    for (std::size_t i = 0; i < count; ++i) {
      m[i] = 3 * random.normal();
      a[i] = random.normal();
    }
    nearest_smooth<double>(f, {m.data(), 1, count}, b, {a.data(), 1, count}, 2.0, {z.data(), 1, count});
    for (std::size_t i = 0; i < count; ++i) {
      check_close(z[i], nearest(f, m[i], a[i], 2.0, m[i] + random.normal()), 1e-13, name_of(f));
    }
  }
}

// Two minima side by side: which is deeper decides, and a jump of z is where they tie.
void the_smooth_z_may_jump() {
  const Activation f{0, ActivationKind::sigmoid};
  const auto z = [&](double m) { return nearest(f, m, 1.0, 400.0, 0.0); };
  double low = -60;
  double high = 10;
  for (int step = 0; step < 60; ++step) {
    const double middle = low + (high - low) / 2;
    (z(middle) < -10 ? low : high) = middle;
  }
  check(z(high) - z(low) > 5, text("jumps from ", z(low), " to ", z(high)));
  check_close(smooth_cost(f, z(low), low, 1, 400), smooth_cost(f, z(high), high, 1, 400), 1e-6,
              "both are as good there");
}

void the_smooth_z_of_anything_ends() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const Activation& f : kSmooth) {
    for (const double m : {0.0, -0.0, 1e-300, -1e300, 1e300, 700.0, -800.0}) {
      for (const double a : {0.0, 1.0, -1.0, 0.5, 1e-300, 1e150, -1e150, 1e300}) {
        for (const double ratio : {1e-300, 1e-6, 1.0, 1e12, 1e300}) {
          for (const double from : {0.0, nan, inf, -1e300}) {
            const double z = nearest(f, m, a, ratio, from);
            check(!std::isnan(z), text(name_of(f), ": m ", m, " a ", a, " ratio ", ratio, " from ", from));
          }
        }
      }
    }
    for (const auto& [m, a] : {std::pair{nan, 1.0}, {1.0, nan}, {inf, 1.0}, {-inf, 1.0}, {1.0, inf}}) {
      check(std::isnan(nearest(f, m, a, 1.0, 0.0)), text("m ", m, " a ", a));
    }
  }
}

// Whatever z becomes, the caller's residual z − m or a − f(z) is then not finite, which is how divergence is seen.
void what_is_not_finite_shows() {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  constexpr double inf = std::numeric_limits<double>::infinity();
  for (const double slope : kSlopes) {
    for (const auto& [m, a] : {std::pair{nan, 1.0}, {1.0, nan}, {inf, 1.0}, {-inf, 1.0}, {1.0, inf}, {1.0, -inf}}) {
      const double z = Rectifier<double>{slope}.nearest(m, a, 1.0);
      const double r = z - m;
      const double miss = a - Rectifier<double>{slope}.value(z);
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
  fact("a smooth function is its definition", a_smooth_function_is_its_definition);
  fact("the smooth z does not depend on its neighbours", the_smooth_z_does_not_depend_on_its_neighbours);
  fact("the smooth z may jump", the_smooth_z_may_jump);
  fact("the smooth z of anything ends", the_smooth_z_of_anything_ends);
  return report();
}
