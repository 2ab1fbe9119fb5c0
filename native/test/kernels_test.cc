// Each kernel of the layered splitting against a plain loop in double.
#include "core/layered/kernels.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <vector>

#include "core/functions/activation.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr std::array<std::array<std::size_t, 2>, 10> kShapes{
    {{1, 1}, {1, 2}, {3, 1}, {2, 7}, {5, 8}, {4, 17}, {31, 33}, {2, 257}, {0, 3}, {1, 1000}}};

double f(double x, double slope) { return x > 0 ? x : slope * x; }

// The operands of all kernels, one shape at a time.
template <typename T>
struct Operands {
  Strided<T> p, z, a, u, out;
  std::vector<T> b;
  T slope;
  T weight;
  double eps = std::numeric_limits<T>::epsilon();

  Operands(std::size_t rows, std::size_t n, std::size_t gap, Random& random)
      : p(rows, n, gap),
        z(rows, n, gap),
        a(rows, n, gap),
        u(rows, n, gap),
        out(rows, n, gap),
        b(normals<T>(n, random)),
        slope(static_cast<T>(random.uniform(-0.5, 1.5))),
        weight(static_cast<T>(random.uniform(0.1, 3))) {
    for (auto* const m : {&p, &z, &a, &u}) fill_normal(m->view(), random);
  }
  [[nodiscard]] Activation activation() const { return {static_cast<double>(slope)}; }
};

template <typename T, typename Body>
void each_shape(std::uint64_t seed, Body&& body) {
  Random random(seed);
  for (const auto& [rows, n] : kShapes) {
    for (const std::size_t gap : {0, 5}) {
      Operands<T> it(rows, n, gap, random);
      body(it, rows, n, text(type_name<T>(), " ", rows, "x", n, " gap ", gap));
      for (const auto* const m : {&it.p, &it.z, &it.a, &it.u, &it.out}) check(m->gap_intact(), "the gap is left alone");
    }
  }
}

template <typename T>
double at(Strided<T>& m, std::size_t i, std::size_t j) {
  return static_cast<double>(m.view().row(i)[j]);
}

// |found − expected(i, j)| within `ulps` epsilons of the magnitude that the operands have.
template <typename T, typename Expected>
void check_entries(Strided<T>& found, Expected&& expected, double tolerance, const std::string& what) {
  double worst = 0;
  for (std::size_t i = 0; i < found.view().rows; ++i) {
    for (std::size_t j = 0; j < found.view().columns; ++j) {
      const double miss = std::abs(at(found, i, j) - expected(i, j));
      if (!(miss <= worst)) worst = miss;
    }
  }
  check_at_most(worst, tolerance, what);
}

// Normal numbers stay below this, so an epsilon of it bounds one rounding.
constexpr double kLargest = 8;

template <typename T>
void step_back() {
  each_shape<T>(10, [](Operands<T>& it, std::size_t, std::size_t, const std::string& what) {
    Strided<T> before = it.p;
    elementwise::step_back<T>(it.p.view(), it.weight, it.a.view());
    const auto c = static_cast<double>(it.weight);
    check_entries(
        it.p, [&](std::size_t i, std::size_t j) { return at(before, i, j) - c * at(it.a, i, j); },
        8 * kLargest * it.eps, what);
    // A matrix may step back along itself.
    Strided<T> self = it.z;
    elementwise::step_back<T>(self.view(), T(0.25), self.view());
    check_entries(
        self, [&](std::size_t i, std::size_t j) { return 0.75 * at(it.z, i, j); }, kLargest * it.eps,
        what + " along itself");
  });
}

template <typename T>
void weighted_residual() {
  each_shape<T>(11, [](Operands<T>& it, std::size_t, std::size_t, const std::string& what) {
    const auto w = static_cast<double>(it.weight);
    const auto residual = [&](std::size_t i, std::size_t j) {
      return w * (at(it.p, i, j) + static_cast<double>(it.b[j]) - at(it.z, i, j));
    };
    kernels::weighted_residual<T>(it.p.view(), it.b, it.z.view(), {}, it.weight, it.out.view());
    check_entries(it.out, residual, 20 * kLargest * it.eps, what + " without multiplier");
    kernels::weighted_residual<T>(it.p.view(), it.b, it.z.view(), it.u.view(), it.weight, it.out.view());
    check_entries(
        it.out, [&](std::size_t i, std::size_t j) { return residual(i, j) - at(it.u, i, j); }, 20 * kLargest * it.eps,
        what + " with multiplier");
  });
}

template <typename T>
void hidden_z() {
  each_shape<T>(12, [](Operands<T>& it, std::size_t rows, std::size_t n, const std::string& what) {
    std::vector<double> columns(n, 0.5);
    // The old z does not count.
    Strided<T> z(rows, n, 0);
    const auto sums = kernels::hidden_z<T>(it.activation(), it.p.view(), it.b, it.a.view(), T(1), z.view(), columns);
    std::vector<double> expected_columns(n, 0.5);
    double residual = 0;
    double activation = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const T m = it.p.view().row(i)[j] + it.b[j];
        check_close(at(z, i, j), static_cast<double>(Activation::nearest(m, it.a.view().row(i)[j], it.slope, T(1))),
                    kLargest * it.eps, what + ": z");
        const double r = at(z, i, j) - static_cast<double>(m);
        const double miss = at(it.a, i, j) - f(at(z, i, j), static_cast<double>(it.slope));
        residual += r * r;
        activation += miss * miss;
        expected_columns[j] += at(z, i, j) - at(it.p, i, j);
      }
    }
    const auto count = static_cast<double>(rows * n + 1);
    check_close(sums.first, residual, 8 * kLargest * it.eps * count, what + ": residual");
    check_close(sums.second, activation, 8 * kLargest * it.eps * count, what + ": activation");
    for (std::size_t j = 0; j < n; ++j) {
      check_close(columns[j], expected_columns[j], kLargest * it.eps * static_cast<double>(rows + 1), what + ": sums");
    }
  });
}

template <typename T>
void activation_kernels() {
  each_shape<T>(13, [](Operands<T>& it, std::size_t rows, std::size_t n, const std::string& what) {
    const auto slope = static_cast<double>(it.slope);
    const auto w = static_cast<double>(it.weight);
    kernels::activation_pull<T>(it.activation(), it.a.view(), it.z.view(), it.weight, it.out.view());
    check_entries(
        it.out, [&](std::size_t i, std::size_t j) { return w * (at(it.a, i, j) - f(at(it.z, i, j), slope)); },
        20 * kLargest * it.eps, what + ": pull");
    double miss = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double one = at(it.a, i, j) - f(at(it.z, i, j), slope);
        miss += one * one;
      }
    }
    check_close(elementwise::activation_miss<T>(it.activation(), it.a.view(), it.z.view()), miss,
                8 * kLargest * it.eps * static_cast<double>(rows * n + 1), what + ": miss");
    elementwise::activate<T>(it.activation(), it.z.view(), it.out.view());
    check_entries(
        it.out, [&](std::size_t i, std::size_t j) { return f(at(it.z, i, j), slope); }, kLargest * it.eps,
        what + ": activate");
  });
}

template <typename T>
void residuals_and_norms() {
  each_shape<T>(14, [](Operands<T>& it, std::size_t rows, std::size_t n, const std::string& what) {
    std::vector<double> differences(n, -1.0);
    std::vector<double> sums(n, 2.0);
    const double residual = kernels::residual<T>(it.p.view(), it.b, it.z.view(), differences);
    const double norm = elementwise::square_norm<T>(it.a.view());
    const double norm_too = elementwise::square_norm<T>(it.a.view(), sums);
    double expected_residual = 0;
    double expected_norm = 0;
    std::vector<double> expected_differences(n, -1.0);
    std::vector<double> expected_sums(n, 2.0);
    for (std::size_t i = 0; i < rows; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        const double r = at(it.z, i, j) - at(it.p, i, j) - static_cast<double>(it.b[j]);
        expected_residual += r * r;
        expected_norm += at(it.a, i, j) * at(it.a, i, j);
        expected_differences[j] += at(it.z, i, j) - at(it.p, i, j);
        expected_sums[j] += at(it.a, i, j);
      }
    }
    const auto count = static_cast<double>(rows * n + 1);
    check_close(residual, expected_residual, 20 * kLargest * it.eps * count, what + ": residual");
    // Squares of floats are exact in double, so norms are as good as double sums.
    check_close(norm, expected_norm, 1e-14 * count, what + ": norm");
    check_close(norm_too, expected_norm, 1e-14 * count, what + ": norm with sums");
    for (std::size_t j = 0; j < n; ++j) {
      check_close(differences[j], expected_differences[j], kLargest * it.eps * static_cast<double>(rows + 1),
                  what + ": differences");
      check_close(sums[j], expected_sums[j], 1e-13, what + ": sums");
    }
    elementwise::add_bias<T>(it.p.view(), it.b, it.out.view());
    check_entries(
        it.out, [&](std::size_t i, std::size_t j) { return at(it.p, i, j) + static_cast<double>(it.b[j]); },
        2 * kLargest * it.eps, what + ": add bias");
  });
}

template <typename T>
void all_of() {
  const std::string type = type_name<T>();
  fact(type + " step_back", step_back<T>);
  fact(type + " weighted_residual", weighted_residual<T>);
  fact(type + " hidden_z", hidden_z<T>);
  fact(type + " activation_pull, activation_miss, activate", activation_kernels<T>);
  fact(type + " residual, square_norm, add_bias", residuals_and_norms<T>);
}

}  // namespace

int main() {
  all_of<float>();
  all_of<double>();
  return report();
}
