// The forward pass against a plain loop in double, and the losses and counts over samples.
#include "core/gradient/forward.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

struct Shape {
  std::vector<std::size_t> widths;
  std::size_t samples;
  std::size_t block;
  unsigned threads;
};

const std::vector<Shape> kShapes{{{4, 7, 5, 3}, 29, 8, 2},     {{3, 2}, 10, 3, 3},         {{1, 1, 1}, 5, 1, 2},
                                 {{5, 2, 9}, 2, 16, 5},        {{6, 3, 4, 8, 2}, 1, 4, 1}, {{2, 3}, 0, 4, 2},
                                 {{9, 70, 33, 10}, 257, 64, 2}};

template <typename T>
struct Perceptron {
  std::vector<std::vector<T>> W, b;
  std::vector<LayerParameters<T>> layers;
  std::vector<Workspace<T>> spaces;
  Activation activation;

  Perceptron(const Shape& shape, double slope, Random& random) : activation{slope} {
    std::size_t widest = 0;
    for (std::size_t l = 1; l < shape.widths.size(); ++l) {
      widest = std::max(widest, shape.widths[l]);
      W.push_back(normals<T>(shape.widths[l] * shape.widths[l - 1], random, 0.5));
      b.push_back(normals<T>(shape.widths[l], random));
    }
    for (std::size_t l = 1; l < shape.widths.size(); ++l) {
      layers.push_back({MatrixView<const T>(W[l - 1].data(), shape.widths[l], shape.widths[l - 1]), b[l - 1]});
    }
    for (unsigned member = 0; member < shape.threads; ++member) {
      spaces.emplace_back(shape.block, widest, shape.widths.back());
    }
  }

  [[nodiscard]] std::vector<double> outputs(const T* x) const {
    std::vector<double> h(x, x + layers[0].W.columns);
    for (std::size_t l = 0; l < layers.size(); ++l) {
      std::vector<double> next(layers[l].W.rows);
      for (std::size_t j = 0; j < next.size(); ++j) {
        next[j] = static_cast<double>(b[l][j]);
        for (std::size_t k = 0; k < h.size(); ++k) next[j] += static_cast<double>(layers[l].W.row(j)[k]) * h[k];
        if (l + 1 < layers.size() && next[j] <= 0) next[j] *= activation.slope;
      }
      h = next;
    }
    return h;
  }
};

// Outputs for the samples of x, blocks of at most so many at a time.
template <typename T>
void predict(Perceptron<T>& net, std::size_t block, MatrixView<const T> x, MatrixView<T> out) {
  for (std::size_t first = 0; first < x.rows; first += block) {
    const std::size_t count = std::min(block, x.rows - first);
    const auto y = forward_block<T>(net.layers, net.activation, x.rows_from(first, count), net.spaces[0]);
    for (std::size_t i = 0; i < count; ++i) std::copy_n(y.row(i), y.columns, out.row(first + i));
  }
}

template <typename T>
void outputs_and_losses() {
  Random random(50);
  const double tolerance = std::is_same_v<T, double> ? 1e-12 : 3e-4;
  for (const Shape& shape : kShapes) {
    for (const double slope : {0.0, 0.1, 1.0}) {
      Perceptron<T> net(shape, slope, random);
      const std::size_t outputs = shape.widths.back();
      // Rows with gaps between them are as good as any.
      Strided<T> x(shape.samples, shape.widths[0], 3);
      Strided<T> out(shape.samples, outputs, 2);
      fill_normal(x.view(), random);
      Team team(shape.threads);
      predict<T>(net, shape.block, x.view(), out.view());
      check(out.gap_intact(), "writes only its rows");

      Strided<T> values(shape.samples, outputs, 1);
      fill_normal(values.view(), random);
      std::vector<std::int32_t> labels;
      double entropy = 0;
      double squares = 0;
      std::size_t correct = 0;
      for (std::size_t i = 0; i < shape.samples; ++i) {
        labels.push_back(static_cast<std::int32_t>(random.below(outputs)));
        const auto label = static_cast<std::size_t>(labels.back());
        const auto expected = net.outputs(x.view().row(i));
        double sum = 0;
        for (std::size_t j = 0; j < outputs; ++j) {
          check_close(static_cast<double>(out.view().row(i)[j]), expected[j], tolerance * (1 + std::abs(expected[j])),
                      text(type_name<T>(), " output ", j, " of sample ", i));
          sum += std::exp(expected[j]);
          const double miss = expected[j] - static_cast<double>(values.view().row(i)[j]);
          squares += miss * miss / 2;
        }
        entropy += std::log(sum) - expected[label];
        const T* const row = out.view().row(i);
        correct += std::max_element(row, row + outputs) == row + label ? 1 : 0;
      }

      const auto counted = evaluate<T>(team, net.spaces, shape.block, net.layers, net.activation,
                                       {LossKind::softmax_cross_entropy, Softmax::stable}, x.view(), {labels, {}});
      check_close(counted.loss, entropy, tolerance * (1 + entropy), "cross-entropy");
      check_equal(counted.correct, correct, "correct");
      const auto squared = evaluate<T>(team, net.spaces, shape.block, net.layers, net.activation,
                                       {LossKind::squared_error, Softmax::stable}, x.view(), {{}, values.view()});
      check_close(squared.loss, squares, 10 * tolerance * (1 + squares), "squared error");
      check_equal(squared.correct, std::size_t{0}, "nothing to be correct about");

      // The same bits again, and in another order of blocks the same to rounding.
      const auto again = evaluate<T>(team, net.spaces, shape.block, net.layers, net.activation,
                                     {LossKind::softmax_cross_entropy, Softmax::stable}, x.view(), {labels, {}});
      check(again.loss == counted.loss && again.correct == counted.correct, "bit for bit");
    }
  }
}

// Outputs W x + b with W = 0: all samples get b.
ForwardLoss evaluate_constant(std::vector<double> outputs, std::int32_t label) {
  const Shape shape{{1, outputs.size()}, 3, 2, 2};
  Random random(51);
  Perceptron<double> net(shape, 0, random);
  std::fill(net.W[0].begin(), net.W[0].end(), 0.0);
  std::copy(outputs.begin(), outputs.end(), net.b[0].begin());
  Matrix<double> x(3, 1);
  std::fill_n(x.flat().data(), 3, 1.0);
  const std::vector<std::int32_t> labels(3, label);
  Team team(2);
  return evaluate<double>(team, net.spaces, 2, net.layers, net.activation, {}, x.view(), {labels, {}});
}

void ties_and_what_is_not_finite() {
  check_equal(evaluate_constant({2, 5, 5}, 1).correct, std::size_t{3}, "the first of equal outputs is the answer");
  check_equal(evaluate_constant({2, 5, 5}, 2).correct, std::size_t{0}, "the second is not");
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  for (std::int32_t label = 0; label < 3; ++label) {
    check_equal(evaluate_constant({nan, nan, nan}, label).correct, std::size_t{0}, "no output, no correct answer");
    check_equal(evaluate_constant({nan, 1, 0}, label).correct, std::size_t{0}, "one NaN spoils the sample");
    check_equal(evaluate_constant({1, nan, 0}, label).correct, std::size_t{0}, "wherever it is");
    check(std::isnan(evaluate_constant({1, nan, 0}, label).loss), "and the loss");
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float outputs and losses", outputs_and_losses<float>);
  fact("double outputs and losses", outputs_and_losses<double>);
  fact("ties, and what is not finite", ties_and_what_is_not_finite);
  return report();
}
