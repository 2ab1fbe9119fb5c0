// Proximal steps against what defines them. F(W) = Ω(W) + ‖W − V‖²/(2t) is 1/t-strongly convex, so that its minimiser,
// and it alone, has F(Y) ≥ F(W) + ‖Y − W‖²/(2t) for every Y that the constraints allow.
#include "core/functions/proximal.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/plain.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

double norm_of(const Mat& m, std::size_t first, std::size_t count, std::size_t step) {
  double squares = 0;
  for (std::size_t k = 0; k < count; ++k) squares += m.values[first + k * step] * m.values[first + k * step];
  return std::sqrt(squares);
}

// By Jacobi's rotations of the columns (rows, where they are fewer) against each other, until all are orthogonal.
std::vector<double> singular_values(const Mat& w) {
  const bool tall = w.rows >= w.columns;
  const std::size_t count = std::min(w.rows, w.columns), length = std::max(w.rows, w.columns);
  std::vector<std::vector<double>> c(count, std::vector<double>(length));
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t k = 0; k < length; ++k) c[i][k] = tall ? w(k, i) : w(i, k);
  }
  const auto dot = [&](std::size_t i, std::size_t j) {
    double sum = 0;
    for (std::size_t k = 0; k < length; ++k) sum += c[i][k] * c[j][k];
    return sum;
  };
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) total += dot(i, i);
  for (bool turned = true; turned;) {
    turned = false;
    for (std::size_t i = 0; i < count; ++i) {
      for (std::size_t j = i + 1; j < count; ++j) {
        const double a = dot(i, i), b = dot(j, j), g = dot(i, j);
        // What is left of a column where there are as many as the rank without it is rounding, and turns for ever.
        if (std::abs(g) <= 1e-14 * std::sqrt(a * b) || std::min(a, b) <= 1e-30 * total) continue;
        turned = true;
        const double zeta = (b - a) / (2 * g);
        const double tangent = (zeta < 0 ? -1 : 1) / (std::abs(zeta) + std::sqrt(1 + zeta * zeta));
        const double cosine = 1 / std::sqrt(1 + tangent * tangent), sine = cosine * tangent;
        for (std::size_t k = 0; k < length; ++k) {
          const double x = c[i][k];
          c[i][k] = cosine * x - sine * c[j][k];
          c[j][k] = sine * x + cosine * c[j][k];
        }
      }
    }
  }
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i) out[i] = std::sqrt(dot(i, i));
  return out;
}

// Ω, written down as it is defined; infinite outside of the constraints, which rounding may miss by a little.
double plain_value(const Regulariser& omega, const Mat& w) {
  constexpr double kMiss = 1e-9;
  double value = 0;
  for (std::size_t i = 0; i < w.values.size(); ++i) {
    const double x = w.values[i], away = omega.centre.empty() ? x : x - omega.centre[i];
    value += omega.l1 * std::abs(x) + omega.l2 / 2 * away * away;
    if (x < omega.lower - kMiss || x > omega.upper + kMiss) return Regulariser::kNone;
    if (!omega.kept.empty() && omega.kept[i] == 0 && away != 0) return Regulariser::kNone;
  }
  for (const auto& group : omega.equal) {
    for (std::size_t j = 0; j < w.rows; ++j) {
      for (const std::uint32_t k : group) {
        if (w(j, k) != w(j, group.front())) return Regulariser::kNone;
      }
    }
  }
  for (std::size_t k = 0; k < w.columns; ++k) value += omega.inputs * norm_of(w, k, w.rows, w.columns);
  for (std::size_t j = 0; j < w.rows; ++j) {
    const double norm = norm_of(w, j * w.columns, w.columns, 1);
    double sum = 0;
    for (std::size_t k = 0; k < w.columns; ++k) sum += w(j, k);
    value += omega.neurons * norm;
    if (norm > omega.neuron_norm + kMiss || (omega.zero_sum && std::abs(sum) > kMiss)) return Regulariser::kNone;
  }
  if (omega.spectral()) {
    for (const double sigma : singular_values(w)) {
      value += omega.nuclear * sigma;
      if (sigma > omega.spectral_norm + 1e-7) return Regulariser::kNone;
    }
  }
  return std::sqrt(square_norm(w)) > omega.norm + kMiss ? Regulariser::kNone : value;
}

struct Case {
  const char* name;
  Regulariser omega;
  bool leans = false, masked = false;  // towards given weights; held there, or else at 0, where a mask says
  bool tied = false;                   // of four inputs three are equal
  // With what is as large as W.
  [[nodiscard]] Case on(std::size_t rows, std::size_t columns) const {
    Random random(41);
    Case made = *this;
    for (std::size_t i = 0; leans && i < rows * columns; ++i) made.omega.centre.push_back(2 * random.normal());
    for (std::size_t i = 0; masked && i < rows * columns; ++i) made.omega.kept.push_back(random.uniform(0, 1) > 0.6);
    for (std::size_t k = 0; tied && k + 2 < columns; k += 4) {
      const auto at = static_cast<std::uint32_t>(k);
      made.omega.equal.push_back({at, at + 2, at + 1});
    }
    return made;
  }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto add = [&](const char* name, const std::function<void(Regulariser&)>& set) {
    Case made{name, {}};
    set(made.omega);
    all.push_back(made);
  };
  add("l1", [](auto& it) { it.l1 = 0.7; });
  add("elastic net", [](auto& it) { it.l1 = 0.4, it.l2 = 0.9; });
  add("l2", [](auto& it) { it.l2 = 2; });
  add("inputs", [](auto& it) { it.inputs = 1.3; });
  add("neurons", [](auto& it) { it.neurons = 1.3; });
  add("sparse groups of inputs", [](auto& it) { it.l1 = 0.2, it.l2 = 0.1, it.inputs = 0.8; });
  add("sparse groups of neurons", [](auto& it) { it.l1 = 0.2, it.neurons = 0.8; });
  add("box", [](auto& it) { it.lower = -0.25, it.upper = 0.5; });
  add("box without 0, and l1", [](auto& it) { it.lower = 0.125, it.upper = 0.75, it.l1 = 0.3; });
  add("non-negative", [](auto& it) { it.lower = 0; });
  add("non-negative, sparse, in groups", [](auto& it) { it.lower = 0, it.l1 = 0.1, it.inputs = 0.4; });
  add("at most 0", [](auto& it) { it.upper = 0; });
  add("ball of every neuron", [](auto& it) { it.neuron_norm = 0.8; });
  add("ball of every neuron, groups, l1", [](auto& it) { it.neuron_norm = 0.8, it.neurons = 0.3, it.l1 = 0.2; });
  add("ball", [](auto& it) { it.norm = 1.5; });
  add("ball, non-negative", [](auto& it) { it.norm = 1.5, it.lower = 0; });
  add("nuclear", [](auto& it) { it.nuclear = 1.1, it.l2 = 0.2; });
  add("spectral ball", [](auto& it) { it.spectral_norm = 1.2; });
  add("nuclear in a spectral ball", [](auto& it) { it.nuclear = 0.3, it.spectral_norm = 1.2; });
  add("rows that sum to 0", [](auto& it) { it.zero_sum = true, it.l2 = 0.3; });
  const auto held = [&](const char* name, bool leans, bool masked, const std::function<void(Regulariser&)>& set) {
    add(name, set);
    all.back().leans = leans;
    all.back().masked = masked;
  };
  held("towards given weights", true, false, [](auto& it) { it.l2 = 1.5; });
  held("towards given weights, sparse, in a box", true, false,
       [](auto& it) { it.l2 = 1.5, it.l1 = 0.4, it.lower = -0.5; });
  held("towards given weights, in groups", true, false, [](auto& it) { it.l2 = 1.5, it.neurons = 0.8; });
  held("towards given weights of a low rank", true, false, [](auto& it) { it.l2 = 0.7, it.nuclear = 0.8; });
  held("held at 0", false, true, [](auto&) {});
  held("held at given weights, sparse", true, true, [](auto& it) { it.l2 = 0.5, it.l1 = 0.2; });
  const auto tied = [&](const char* name, bool leans, const std::function<void(Regulariser&)>& set) {
    held(name, leans, false, set);
    all.back().tied = true;
  };
  tied("equal inputs", false, [](auto&) {});
  tied("equal inputs, elastic net in a box", false,
       [](auto& it) { it.l1 = 0.3, it.l2 = 0.4, it.lower = -0.3, it.upper = 0.1; });
  tied("equal inputs towards given weights", true, [](auto& it) { it.l2 = 1.5, it.l1 = 0.1; });
  tied("equal inputs, non-negative, in groups of inputs", false, [](auto& it) { it.inputs = 0.6, it.lower = 0; });
  tied("equal inputs, in groups of neurons and a ball of each", false,
       [](auto& it) { it.neurons = 0.4, it.neuron_norm = 0.8; });
  tied("equal inputs in a ball", false, [](auto& it) { it.norm = 1.5; });
  tied("equal inputs of rows that sum to 0", false, [](auto& it) { it.zero_sum = true; });
  tied("equal inputs of a low rank in a spectral ball", false,
       [](auto& it) { it.nuclear = 0.3, it.spectral_norm = 1.2; });
  held("held at 0, in groups", false, true, [](auto& it) { it.inputs = 0.6; });
  return all;
}

const std::vector<std::pair<std::size_t, std::size_t>> kSizes = {{1, 1}, {1, 7}, {7, 1}, {3, 131}, {131, 3}, {65, 67}};

template <typename T>
Matrix<T> step_from(const Mat& v, const Regulariser& omega, double t, unsigned threads) {
  Matrix<T> out(v.rows, v.columns);
  for (std::size_t i = 0; i < v.values.size(); ++i) out.flat()[i] = static_cast<T>(v.values[i]);
  Team team(threads);
  SpectralRoom room(v.values.size(), std::min(v.rows, v.columns));
  check(proximal_step<T>(team, omega, t, out.view(), room), "found");
  return out;
}

template <typename T>
double value_by(Team& team, const Regulariser& omega, const Matrix<T>& w) {
  SpectralRoom room(w.flat().size(), std::min(w.rows(), w.columns()));
  return value_of<T>(team, omega, w.view(), room);
}

Mat plain(const Matrix<double>& m) {
  Mat out(m.rows(), m.columns());
  out.values.assign(m.flat().begin(), m.flat().end());
  return out;
}

void minimises(const Case& any) {
  Random random(77);
  for (const auto& [rows, columns] : kSizes) {
    const Case of = any.on(rows, columns);
    for (const double t : {0.05, 0.6, 4.0}) {
      const auto what = text(of.name, " ", rows, "x", columns, " t ", t);
      Mat v(rows, columns);
      for (double& x : v.values) x = random.normal();
      const Mat w = plain(step_from<double>(v, of.omega, t, 1));
      const auto objective = [&](const Mat& y) {
        return plain_value(of.omega, y) + square_norm(minus(y, 1, v)) / (2 * t);
      };
      const double least = objective(w);
      check(std::isfinite(least), what + ": within the constraints");
      const auto no_better = [&](const Mat& y) {
        const double bound = least + square_norm(minus(y, 1, w)) / (2 * t);
        check(objective(y) >= bound - 1e-9 * (1 + std::abs(bound)), what + ": no point is better");
      };
      // Entry by entry and along all of them; towards 0, V and other steps, at every scale.
      for (const double size : {1e-4, 1e-2, 0.5}) {
        for (int k = 0; k < (of.omega.spectral() && rows > 60 ? 2 : 20); ++k) {
          Mat one = w;
          one.values[static_cast<std::size_t>(k) * 31 % w.values.size()] += k % 2 == 0 ? size : -size;
          no_better(one);
          Mat other(rows, columns);
          for (double& x : other.values) x = random.normal();
          no_better(minus(w, -size, other));
          const Mat allowed = plain(step_from<double>(other, of.omega, t, 1));
          no_better(minus(w, size, minus(w, 1, allowed)));
        }
        no_better(minus(w, size, w));
        no_better(minus(w, size, minus(w, 1, v)));
      }
      Team team(1);
      const Matrix<double> typed = step_from<double>(v, of.omega, t, 1);
      check_close(value_by(team, of.omega, typed), plain_value(of.omega, w),
                  (of.omega.spectral() ? 1e-7 : 1e-12) * (1 + least), what + ": its value");
    }
  }
}

template <typename T>
void same_bits_by_any_team(const Case& any) {
  Random random(5);
  for (const auto& [rows, columns] : {std::pair<std::size_t, std::size_t>{300, 200}, {3, 5000}, {5000, 3}}) {
    const Case of = any.on(rows, columns);
    Mat v(rows, columns);
    for (double& x : v.values) x = random.normal();
    const Matrix<T> one = step_from<T>(v, of.omega, 0.3, 1);
    const Matrix<double> wide = step_from<double>(v, of.omega, 0.3, 1);
    Team alone(1);
    const double value = value_by(alone, of.omega, one);
    for (std::size_t i = 0; i < one.flat().size(); i += 17) {
      check_close(static_cast<double>(one.flat()[i]), wide.flat()[i], std::is_same_v<T, float> ? 2e-6 : 0, of.name);
    }
    for (const unsigned threads : {2U, 5U}) {
      const Matrix<T> many = step_from<T>(v, of.omega, 0.3, threads);
      check(std::memcmp(many.flat().data(), one.flat().data(), one.flat().size_bytes()) == 0, of.name);
      Team team(threads);
      check_equal(value_by(team, of.omega, many), value, of.name);
    }
  }
}

void keeps_the_signs_of_paths() {
  Regulariser omega;
  omega.neuron_signs = {1, -1, 0};
  omega.input_signs = {1, 0, -1};
  Random random(9);
  for (int k = 0; k < 20; ++k) {
    Mat v(3, 3);
    for (double& x : v.values) x = random.normal();
    const Mat w = plain(step_from<double>(v, omega, 1, 1));
    for (std::size_t j = 0; j < 3; ++j) {
      for (std::size_t i = 0; i < 3; ++i) {
        const int c = omega.input_signs[i], sign = c * omega.neuron_signs[j];
        const double nearest = c == 0 || sign * v(j, i) > 0 ? v(j, i) : 0;
        check_equal(w(j, i), nearest, "the nearest of its sign");
      }
    }
  }
}

// Of a metric of its own for every entry: the scalar problem, looked for between the points of a grid that is made
// finer.
void separable_in_any_metric() {
  Random random(31);
  Regulariser omega;
  omega.l1 = 0.4;
  omega.l2 = 0.3;
  omega.lower = -0.6;
  omega.upper = 1.1;
  const std::size_t rows = 5, columns = 41;
  for (std::size_t i = 0; i < rows * columns; ++i) {
    omega.centre.push_back(random.normal());
    omega.kept.push_back(i % 7 == 0 ? 0 : 1);
  }
  Matrix<double> v(rows, columns), kept(rows, columns);
  fill_normal(v.view(), random, 2);
  for (double& x : kept.flat()) x = random.uniform(0.01, 3);
  const std::vector<double> from(v.flat().begin(), v.flat().end());
  Team team(2);
  separable_step<double>(team, omega, v.view(), kept.view(), [](double k) { return 0.7 / k; });
  for (std::size_t i = 0; i < from.size(); ++i) {
    const double t = 0.7 / kept.flat()[i];
    double low = omega.lower, high = omega.upper;
    for (int k = 0; k < 200; ++k) {
      const auto cost = [&](double x) {
        const double away = x - omega.centre[i];
        return omega.l1 * std::abs(x) + omega.l2 / 2 * away * away + (x - from[i]) * (x - from[i]) / (2 * t);
      };
      const double a = low + (high - low) / 3, b = high - (high - low) / 3;
      (cost(a) < cost(b) ? high : low) = cost(a) < cost(b) ? b : a;
    }
    if (omega.kept[i] == 0)
      check_equal(v.flat()[i], omega.centre[i], "an entry that is held is where it leans to");
    else
      check_close(v.flat()[i], low, 1e-7, "the minimiser of an entry");
  }
}

// The same of numbers that are to be equal: one number for the whole group, whose costs add up.
void tied_in_any_metric() {
  Random random(32);
  Regulariser omega;
  omega.l1 = 0.4;
  omega.l2 = 0.3;
  omega.lower = -0.6;
  omega.upper = 0.5;
  omega.equal = {{0, 3, 4}, {1, 5}};
  Matrix<double> v(30, 7), kept(30, 7);
  for (double& x : v.flat()) x = random.normal();
  for (double& k : kept.flat()) k = random.uniform(0.2, 3);
  const std::vector<double> from(v.flat().begin(), v.flat().end());
  Team team(2);
  separable_step<double>(team, omega, v.view(), kept.view(), [](double k) { return 0.7 / k; });
  const std::vector<std::vector<std::size_t>> groups = {{0, 3, 4}, {1, 5}, {2}, {6}};
  for (std::size_t j = 0; j < 30; ++j) {
    for (const auto& group : groups) {
      double low = omega.lower, high = omega.upper;
      for (int n = 0; n < 200; ++n) {
        const auto cost = [&](double x) {
          double sum = 0;
          for (const std::size_t k : group) {
            const double away = x - from[7 * j + k];
            sum += omega.l1 * std::abs(x) + omega.l2 / 2 * x * x + away * away * kept.flat()[7 * j + k] / 1.4;
          }
          return sum;
        };
        const double a = low + (high - low) / 3, b = high - (high - low) / 3;
        (cost(a) < cost(b) ? high : low) = cost(a) < cost(b) ? b : a;
      }
      for (const std::size_t k : group) {
        check_close(v.flat()[7 * j + k], low, 1e-7, "the minimiser of a group");
        check_equal(v.flat()[7 * j + k], v.flat()[7 * j + group.front()], "the bits of a group");
      }
    }
  }
  std::copy(from.begin(), from.end(), v.flat().begin());
  separable_step<double>(team, omega, v.view(), kept.view(), [](double) { return 0.0; });
  check_close(v.flat()[0], std::clamp((from[0] + from[3] + from[4]) / 3, -0.6, 0.5), 1e-15, "a step of no size");
}

void exact_zeros_and_bounds() {
  Mat v(2, 3);
  v.values = {0.5, -0.2, 0.1, -0.1, 3, -3};
  Regulariser l1;
  l1.l1 = 1;
  const Mat soft = plain(step_from<double>(v, l1, 0.2, 1));
  const std::vector<double> expected = {0.5 - 0.2, 0, 0, 0, 3 - 0.2, -3 + 0.2};
  for (std::size_t i = 0; i < 6; ++i) check_equal(soft.values[i], expected[i], "soft thresholds");
  Regulariser box;
  box.lower = -0.1;
  box.upper = 0.3;
  const Matrix<float> inside = step_from<float>(v, box, 1, 1);
  for (const float x : inside.flat()) {
    // The nearest floats to both lie beyond them.
    check(static_cast<double>(x) >= -0.1 && static_cast<double>(x) <= 0.3, "a bound is exact");
  }
  box.lower = box.upper = 0.1;
  const Matrix<float> between = step_from<float>(v, box, 1, 1);
  for (const float x : between.flat()) check_equal(x, 0.1F, "the nearest, between two floats");
  box.upper = 1e300;
  box.lower = -1e300;
  const Matrix<float> free = step_from<float>(v, box, 1, 1);
  for (const float x : free.flat()) check(std::isfinite(x), "bounds beyond all floats");
  for (const bool whole : {false, true}) {
    Regulariser ball;
    (whole ? ball.norm : ball.neuron_norm) = 0.7;
    const Matrix<float> shorter = step_from<float>(v, ball, 1, 1);
    double squares = 0;
    for (const float x : std::span(shorter.flat()).subspan(whole ? 0 : 3)) {
      squares += static_cast<double>(x) * static_cast<double>(x);
    }
    check(squares <= 0.7 * 0.7 && squares > 0.489999, "so is a ball, in double");
  }
}

void refuses_what_has_no_closed_form() {
  const auto closed = [](const std::function<void(Regulariser&)>& set) {
    Regulariser omega;
    set(omega);
    return omega.closed();
  };
  check(closed([](auto&) {}), "nothing");
  check(!closed([](auto& it) { it.l1 = -1; }), "negative strength");
  check(!closed([](auto& it) { it.l1 = std::nan(""); }), "NaN");
  check(!closed([](auto& it) { it.inputs = Regulariser::kNone; }), "infinite strength");
  check(!closed([](auto& it) { it.lower = 1, it.upper = 0; }), "no entry is above 1 and below 0");
  check(!closed([](auto& it) { it.inputs = 1, it.neurons = 1; }), "groups of both kinds");
  check(!closed([](auto& it) { it.inputs = 1, it.upper = 0.5; }), "groups in a box that is no cone");
  check(!closed([](auto& it) { it.zero_sum = true, it.l1 = 1; }), "sums of 0 and l1");
  check(!closed([](auto& it) { it.nuclear = 1, it.l1 = 1; }), "nuclear and l1");
  check(!closed([](auto& it) { it.spectral_norm = 1, it.zero_sum = true; }), "two of what goes with l2 alone");
  check(!closed([](auto& it) { it.lower = 1, it.neuron_signs = {1}, it.input_signs = {-1}; }), "signs outside the box");
  check(!closed([](auto& it) { it.lower = 1, it.kept = {0}; }), "held at 0 outside the box");
  check(!closed([](auto& it) { it.zero_sum = true, it.kept = {0}; }), "sums of 0 where some are held at 0");
  check(!closed([](auto& it) { it.equal = {{0, 1}}, it.kept = {0, 1}; }), "equal, and one of them held at 0");
  check(!closed([](auto& it) { it.equal = {{0, 1}}, it.input_signs = {1, -1}; }), "equal, of different signs");
  check(closed([](auto& it) { it.equal = {{0, 1}}, it.input_signs = {1, 1}; }), "equal, of one sign");
  check(!closed([](auto& it) { it.norm = 0; }), "a ball of nothing");
}

}  // namespace

int main() {
  share_rounds_of(0);
  for (const Case& each : cases()) {
    fact(text("the step of ", each.name, " minimises"), [&] { minimises(each); });
    fact(text("the step of ", each.name, " is the same by any team"), [&] {
      same_bits_by_any_team<float>(each);
      same_bits_by_any_team<double>(each);
    });
  }
  fact("signs of paths are kept", keeps_the_signs_of_paths);
  fact("an entry has a metric of its own", separable_in_any_metric);
  fact("equal entries have the metric of their group", tied_in_any_metric);
  fact("zeros and bounds are exact", exact_zeros_and_bounds);
  fact("what has no closed form is told", refuses_what_has_no_closed_form);
  return report();
}
