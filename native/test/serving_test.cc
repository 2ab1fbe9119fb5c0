// Packed products against plain sums in double, and what a served network promises: the same bits for a sample in any
// company.
#include "core/serving/served_network.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#include "core/linalg/library.hpp"
#include "core/linalg/row_product.hpp"
#include "test/activations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

template <typename T>
constexpr double kTolerance = std::is_same_v<T, double> ? 1e-13 : 2e-5;

// Every number of samples that a block can be cut into, and widths around those of a panel.
template <typename T>
void products() {
  Random random(90);
  for (const std::size_t outputs : {1, 2, 15, 16, 17, 32, 33, 100, 257}) {
    for (const std::size_t inputs : {1, 3, 64, 101}) {
      const PackedMatrix<T> empty(outputs, inputs);
      PackedMatrix<T> W(outputs, inputs);
      Strided<T> plain(outputs, inputs, 2);
      fill_normal(plain.view(), random);
      W.assign(plain.view());
      check_equal(W.outputs(), outputs, "outputs");
      check_equal(W.inputs(), inputs, "inputs");
      check(W.padded_outputs() >= outputs && W.padded_outputs() < outputs + 64, "padded to a panel");
      for (std::size_t samples = 0; samples <= 31; ++samples) {
        Strided<T> x(samples, inputs, 3);
        fill_normal(x.view(), random);
        Strided<T> out(samples, W.padded_outputs(), 1);
        W.multiply(x.view(), out.view());
        check(out.gap_intact(), "writes only its rows");
        for (std::size_t i = 0; i < samples; ++i) {
          for (std::size_t j = 0; j < outputs; ++j) {
            double sum = 0;
            double size = 1;
            for (std::size_t k = 0; k < inputs; ++k) {
              const double term = static_cast<double>(x.view().row(i)[k]) * static_cast<double>(plain.view().row(j)[k]);
              sum += term;
              size += std::abs(term);
            }
            check_close(static_cast<double>(out.view().row(i)[j]), sum, kTolerance<T> * size,
                        text(type_name<T>(), " ", samples, " samples, output ", j, " of ", outputs));
          }
        }
        if (samples == 0) continue;
        empty.multiply(x.view(), out.view());
        check(out.view().row(0)[0] == T(0), "zero until it is assigned");
      }
    }
  }
}

// X M and Rᵀ A, laid out by ourselves and by BLAS, onto nothing and onto what is there; the rest of a row stays.
template <typename T>
void products_in_training() {
  Random random(91);
  Team team(2);
  const auto expect = [&](MatrixView<const T> left, bool transposed, MatrixView<const T> right, Strided<T>& out,
                          const std::vector<T>& before, const std::string& which) {
    check(out.gap_intact(), which + " writes only its columns");
    for (std::size_t i = 0; i < out.view().rows; ++i) {
      for (std::size_t j = 0; j < out.view().columns; ++j) {
        double sum = before.empty() ? 0 : static_cast<double>(before[i * out.view().columns + j]);
        double size = 1;
        for (std::size_t k = 0; k < right.rows; ++k) {
          const T x = transposed ? left.row(k)[i] : left.row(i)[k];
          const double term = static_cast<double>(x) * static_cast<double>(right.row(k)[j]);
          sum += term;
          size += std::abs(term);
        }
        check_close(static_cast<double>(out.view().row(i)[j]), sum, kTolerance<T> * size, which);
      }
    }
  };
  const auto entries = [](MatrixView<const T> m) {
    std::vector<T> out;
    for (std::size_t i = 0; i < m.rows; ++i) out.insert(out.end(), m.row(i), m.row(i) + m.columns);
    return out;
  };
  const auto check_shape = [&](std::size_t samples, std::size_t inputs, std::size_t outputs) {
    const std::string which = text(type_name<T>(), " ", samples, " x ", inputs, " x ", outputs);
    Strided<T> x(samples, inputs, 3);
    Strided<T> m(inputs, outputs, 2);
    fill_normal(x.view(), random);
    fill_normal(m.view(), random);
    Ahead ahead;
    ahead.add(x.view());
    for (const bool packs : {true, false}) {
      RowProduct<T> product(outputs, inputs, packs);
      product.set(team, blas::Op::none, T(1), m.view());
      Strided<T> out(samples, outputs, 1);
      product.apply(x.view(), Onto::nothing, out.view(), ahead);
      expect(x.view(), false, m.view(), out, {}, which);
      const auto before = entries(out.view());
      product.apply(x.view(), Onto::result, out.view(), ahead);
      expect(x.view(), false, m.view(), out, before, which + " twice");
      check(product.rows_at_once(samples) > 0, "some rows at a time");
    }
    Strided<T> turned(outputs, inputs, 3);
    for (std::size_t k = 0; k < inputs; ++k) {
      for (std::size_t j = 0; j < outputs; ++j) turned.view().row(j)[k] = m.view().row(k)[j] / T(2);
    }
    Strided<T> rows(samples, outputs, 1);
    multiply_rows<T>(blas::Op::none, 1, x.view(), m.view(), rows.view());
    expect(x.view(), false, m.view(), rows, {}, which + " by rows");
    multiply_rows<T>(blas::Op::transpose, 2, x.view(), turned.view(), rows.view());
    expect(x.view(), false, m.view(), rows, {}, which + " by rows, turned");
    Strided<T> a(samples, outputs, 2);
    fill_normal(a.view(), random);
    Strided<T> sum(inputs, outputs, 1);
    multiply_transposed<T>(1, x.view(), a.view(), Onto::nothing, sum.view());
    expect(x.view(), true, a.view(), sum, {}, which + " transposed");
    const auto before = entries(sum.view());
    multiply_transposed<T>(1, x.view(), a.view(), Onto::result, sum.view());
    expect(x.view(), true, a.view(), sum, before, which + " transposed, twice");
  };
  for (const std::size_t outputs : {1, 10, 32, 100, 300}) {
    for (const std::size_t inputs : {1, 10, 30, 33, 100, 301}) {
      for (const std::size_t samples : {1, 13, 14, 27, 140, 301}) check_shape(samples, inputs, outputs);
    }
  }
  // What is left of a strip and of a panel, of every width.
  for (std::size_t width = 1; width <= 70; ++width) {
    check_shape(65, width, 33);
    check_shape(65, 17, width);
    check_shape(width, 40, 45);
  }
}

template <typename T>
struct Perceptron {
  Network network;
  std::vector<std::vector<T>> W, b;
  std::vector<LayerParameters<T>> layers;

  Perceptron(std::vector<std::size_t> widths, Activation activation, Random& random)
      : network{std::move(widths), activation, {}} {
    for (std::size_t l = 1; l <= network.layers(); ++l) {
      const double scale = 1 / std::sqrt(static_cast<double>(network.inputs(l)));
      W.push_back(normals<T>(network.outputs(l) * network.inputs(l), random, scale));
      b.push_back(normals<T>(network.outputs(l), random));
    }
    for (std::size_t l = 1; l <= network.layers(); ++l) {
      layers.push_back({MatrixView<const T>(W[l - 1].data(), network.outputs(l), network.inputs(l)), b[l - 1]});
    }
  }

  [[nodiscard]] std::unique_ptr<ServedNetwork<T>> served(unsigned threads) const {
    auto out = std::make_unique<ServedNetwork<T>>(network, threads);
    for (std::size_t l = 1; l <= network.layers(); ++l) out->set_layer(l, layers[l - 1].W, layers[l - 1].b);
    return out;
  }

  [[nodiscard]] Workspace<T> workspace(std::size_t samples) const {
    return {samples, *std::max_element(network.widths.begin(), network.widths.end()), network.widths.back()};
  }
};

template <typename T>
void answers() {
  Random random(91);
  const std::vector<std::vector<std::size_t>> networks{{4, 7, 5, 3}, {3, 2}, {1, 1, 1}, {9, 300, 256, 10}};
  for (const auto& widths : networks) {
    for (const Activation activation : kAllKinds) {
      const Perceptron<T> net(widths, activation, random);
      for (const std::size_t samples : {0, 1, 2, 13, 130, 300}) {
        Matrix<T> x(samples, widths.front());
        fill_normal(x.view(), random);
        auto space = net.workspace(samples);
        const auto expected = forward_block<T>(net.layers, activation, x.view(), space);
        for (const unsigned threads : {1U, 3U}) {
          const auto served = net.served(threads);
          Strided<T> together(samples, widths.back(), 2);
          served->predict(x.view(), together.view());
          check(together.gap_intact(), "writes only its rows");
          Matrix<T> one(1, widths.back());
          for (std::size_t i = 0; i < samples; ++i) {
            served->predict(x.view().rows_from(i, 1), one.view());
            for (std::size_t j = 0; j < widths.back(); ++j) {
              const T got = together.view().row(i)[j];
              const auto wanted = static_cast<double>(expected.row(i)[j]);
              check_close(static_cast<double>(got), wanted, 10 * kTolerance<T> * (1 + std::abs(wanted)), "output");
              check(one.view().row(0)[j] == got, "one sample as among many, bit for bit");
            }
          }
          if (samples == 0) continue;
          std::vector<std::int32_t> labels(samples);
          for (auto& label : labels) label = static_cast<std::int32_t>(random.below(widths.back()));
          Team team(1);
          std::vector<Workspace<T>> spaces;
          spaces.push_back(net.workspace(64));
          const auto plain = evaluate<T>(team, spaces, 64, net.layers, activation, {}, x.view(), {labels, {}});
          const auto judged = served->evaluate(x.view(), {labels, {}});
          check_close(judged.loss, plain.loss, 100 * kTolerance<T> * (1 + plain.loss), "loss");
          check_equal(judged.correct, plain.correct, "correct");
          const auto other = net.served(2);
          check(other->evaluate(x.view(), {labels, {}}).loss == judged.loss, "bit for bit, by any number of threads");
        }
      }
    }
  }
}

void two_at_once() {
  Random random(92);
  const Perceptron<float> net({20, 64, 64, 4}, {0}, random);
  const auto served = net.served(3);
  for (const std::size_t samples : {1, 50, 500}) {
    Matrix<float> x(samples, 20);
    fill_normal(x.view(), random);
    Matrix<float> expected(samples, 4);
    served->predict(x.view(), expected.view());
    const auto ask = [&](bool& same) {
      Matrix<float> out(samples, 4);
      for (int i = 0; i < 100; ++i) {
        std::fill_n(out.flat().data(), out.flat().size(), 0.0F);
        served->predict(x.view(), out.view());
        same = same && std::equal(out.flat().begin(), out.flat().end(), expected.flat().begin());
      }
    };
    bool here = true;
    bool there = true;
    std::thread other([&] { ask(there); });
    ask(here);
    other.join();
    check(here && there, "each as if it were alone");
  }
}

void what_is_not_finite() {
  Random random(93);
  const Perceptron<float> net({2, 3, 2}, {0}, random);
  const auto served = net.served(1);
  Matrix<float> x(2, 2);
  std::fill_n(x.flat().data(), 4, 1.0F);
  x.view().row(1)[0] = std::numeric_limits<float>::infinity();
  Matrix<float> out(2, 2);
  served->predict(x.view(), out.view());
  check(std::isfinite(out.view().row(0)[0]), "another sample's infinity is no concern of this one");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float products", products<float>);
  fact("double products", products<double>);
  fact("float products in training", products_in_training<float>);
  fact("double products in training", products_in_training<double>);
  fact("float answers", answers<float>);
  fact("double answers", answers<double>);
  fact("two passes at once", two_at_once);
  fact("what is not finite", what_is_not_finite);
  return report();
}
