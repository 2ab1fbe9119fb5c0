// Products with matrices that are mostly zeros against those that multiply the zeros too, and pruned networks against
// their layers, multiplied whole: the same bits.
#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <vector>

#include "core/linalg/library.hpp"
#include "core/serving/served_network.hpp"
#include "test/activations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

enum class Structure { weights, blocks, rows, columns };

// Zeros but for about a share of the weights: single ones, four beside each other, whole outputs, whole inputs.
template <typename T>
Matrix<T> pruned(std::size_t outputs, std::size_t inputs, double share, Structure structure, Random& random) {
  Matrix<T> W(outputs, inputs);
  std::vector<bool> columns(inputs);
  for (std::size_t k = 0; k < inputs; ++k) columns[k] = random.uniform() < share;
  for (std::size_t j = 0; j < outputs; ++j) {
    bool kept = random.uniform() < share;
    for (std::size_t k = 0; k < inputs; ++k) {
      if (structure == Structure::weights || (structure == Structure::blocks && k % 4 == 0)) {
        kept = random.uniform() < share;
      }
      const bool stays = structure == Structure::columns ? columns[k] : kept;
      W.view().row(j)[k] = stays ? static_cast<T>(random.normal()) : T(0);
    }
  }
  return W;
}

template <typename T>
bool same(MatrixView<const T> a, MatrixView<const T> b, std::size_t columns) {
  for (std::size_t i = 0; i < a.rows; ++i) {
    if (!std::equal(a.row(i), a.row(i) + columns, b.row(i))) return false;
  }
  return true;
}

template <typename T>
void products_without_zeros() {
  Random random(96);
  const auto check_shape = [&](std::size_t outputs, std::size_t inputs, double share, Structure structure) {
    const Matrix<T> W = pruned<T>(outputs, inputs, share, structure, random);
    PackedMatrix<T> dense(outputs, inputs);
    dense.assign(W.view());
    const std::size_t window = 4 * dense.panel();
    const PackedSparse<T> sparse(W.view(), window);
    const auto values = W.flat();
    check_equal(sparse.entries(), values.size() - std::ranges::count(values, T(0)), "weights that are not 0");
    for (const std::size_t samples : {0, 1, 2, 3, 4, 5, 8, 15, 16, 17, 31, 33, 64, 65, 140}) {
      Strided<T> x(samples, inputs, 3);
      fill_normal(x.view(), random);
      Strided<T> wanted(samples, dense.padded_outputs(), 1);
      Strided<T> got(samples, dense.padded_outputs(), 1);
      dense.multiply(x.view(), wanted.view());
      check(sparse.multiply(x.view(), {0, outputs}, got.view()), "done");
      const auto which = text(type_name<T>(), " ", samples, " x ", inputs, ", ", outputs, " outputs, ", share);
      check(got.gap_intact(), "writes only its rows");
      check(same<T>(got.view(), wanted.view(), outputs), which);
      // A few panels of it, as threads share them.
      for (std::size_t first = 0; samples > 0 && first < outputs; first += window) {
        const std::size_t count = std::min(window, outputs - first);
        const std::size_t padded = std::min(window, dense.padded_outputs() - first);
        const MatrixView<T> all = got.view();
        const MatrixView<T> part(all.data + first, samples, padded, all.stride);
        for (std::size_t i = 0; i < samples; ++i) std::fill_n(part.row(i), count, T(7));
        check(sparse.multiply(x.view(), {first, count}, part), "done");
        check(same<T>(got.view(), wanted.view(), outputs), which + ", by panels");
      }
      if (samples == 0) continue;
      for (const T bad : {std::numeric_limits<T>::infinity(), std::numeric_limits<T>::quiet_NaN()}) {
        x.view().row(samples - 1)[inputs / 2] = bad;
        check(!sparse.multiply(x.view(), {0, outputs}, got.view()), "0 times what is not finite is left to others");
      }
    }
  };
  for (const std::size_t outputs : {1, 2, 7, 8, 9, 16, 33, 100, 257}) {
    for (const std::size_t inputs : {1, 4, 101}) {
      for (const double share : {0.0, 0.05, 0.5, 1.0}) check_shape(outputs, inputs, share, Structure::weights);
    }
    for (const Structure structure : {Structure::blocks, Structure::rows, Structure::columns}) {
      check_shape(outputs, 64, 0.2, structure);
    }
  }
}

void what_pays() {
  Random random(97);
  for (const double share : {0.01, 0.9}) {
    const Matrix<float> W = pruned<float>(300, 784, share, Structure::weights, random);
    const PackedSparse<float> sparse(W.view(), 128);
    check(PackedSparse<float>::pays(W.view()) == (share < 0.5), "where nearly all is 0");
    for (const std::size_t samples : {1, 4, 10, 20, 256}) check(sparse.pays(samples) == (share < 0.5), text(samples));
  }
  check(!PackedSparse<float>().pays(1), "not where there is none");
  const auto cost = [&](double share) {
    return PackedSparse<float>(pruned<float>(300, 784, share, Structure::weights, random).view(), 128).cost(1);
  };
  check(cost(0.02) < cost(0.1) && cost(0.1) < 1 && cost(0.9) > 1, "the more zeros the less it takes");
}

template <typename T>
void pruned_answers() {
  Random random(98);
  const std::vector<std::vector<std::size_t>> networks{{9, 300, 256, 10}, {70, 65, 2}, {3, 2}, {1, 1, 1}};
  for (const auto& widths : networks) {
    for (const Activation activation : kAllKinds) {
      const Network network{widths, activation, {}};
      std::vector<Matrix<T>> weights;
      std::vector<std::vector<T>> b;
      for (std::size_t l = 1; l <= network.layers(); ++l) {
        weights.push_back(pruned<T>(network.outputs(l), network.inputs(l), 0.04,
                                    l == 2 ? Structure::blocks : Structure::weights, random));
        b.push_back(normals<T>(network.outputs(l), random));
      }
      for (const std::size_t samples : {0, 1, 2, 13, 130, 300}) {
        Matrix<T> x(samples, widths.front());
        fill_normal(x.view(), random);
        // What is not finite in one sample is so in its answer, and in no other's.
        const T most = std::numeric_limits<T>::max();
        if (samples > 1) std::fill_n(x.view().row(samples - 1), widths.front(), most);
        Matrix<T> wanted(samples, widths.front());
        std::ranges::copy(x.flat(), wanted.flat().begin());
        for (std::size_t l = 1; l <= network.layers(); ++l) {
          PackedMatrix<T> W(network.outputs(l), network.inputs(l));
          W.assign(weights[l - 1].view());
          Matrix<T> out(samples, W.padded_outputs());
          W.multiply(wanted.view(), out.view());
          wanted = Matrix<T>(samples, W.outputs());
          elementwise::add_bias_and_activate<T>(l < network.layers() ? activation : Activation::identity(),
                                                {out.flat().data(), samples, W.outputs(), W.padded_outputs()},
                                                std::span<const T>(b[l - 1]), wanted.view());
        }
        const auto as_wanted = [&](MatrixView<const T> out, std::size_t first) {
          for (std::size_t i = 0; i < out.rows; ++i) {
            for (std::size_t j = 0; j < out.columns; ++j) {
              const T should = wanted.view().row(first + i)[j];
              if (!(out.row(i)[j] == should || (std::isnan(out.row(i)[j]) && std::isnan(should)))) return false;
            }
          }
          return true;
        };
        for (const unsigned threads : {1U, 3U}) {
          ServedNetwork<T> served(network, threads);
          const double dense = served.bytes();
          for (std::size_t l = 1; l <= network.layers(); ++l) {
            served.set_layer(l, weights[l - 1].view(), std::span<const T>(b[l - 1]));
          }
          check(served.bytes() >= dense, "bytes of both forms");
          Strided<T> together(samples, widths.back(), 2);
          served.predict(x.view(), together.view());
          check(together.gap_intact(), "writes only its rows");
          check(as_wanted(together.view(), 0),
                text(type_name<T>(), " ", samples, " samples, ", widths.front(), " inputs, ", name_of(activation)));
          Matrix<T> one(1, widths.back());
          for (std::size_t i = 0; i < samples; i += 3) {
            served.predict(x.view().rows_from(i, 1), one.view());
            check(as_wanted(one.view(), i), "one sample as among many");
          }
        }
      }
    }
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  share_rounds_of(0);
  fact("float products without zeros", products_without_zeros<float>);
  fact("double products without zeros", products_without_zeros<double>);
  fact("what pays", what_pays);
  fact("pruned answers in float", pruned_answers<float>);
  fact("pruned answers in double", pruned_answers<double>);
  return report();
}
