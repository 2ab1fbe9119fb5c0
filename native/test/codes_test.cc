// Products of whole numbers of 8 bits by every processor's way, and a quantised network against its definition: the
// same bits.
#include <algorithm>
#include <cmath>
#include <cstdint>
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

std::vector<std::int8_t> weight_codes(std::size_t count, Random& random) {
  std::vector<std::int8_t> out(count);
  for (auto& w : out) w = static_cast<std::int8_t>(static_cast<int>(random.below(255)) - 127);
  return out;
}

// Of every processor's way the same bits, which are those of sums in 64 bits.
template <typename T>
void products_of_codes() {
  Random random(94);
  for (const std::size_t outputs : {1, 2, 15, 16, 17, 33, 64, 65, 100, 300}) {
    for (const std::size_t inputs : {1, 2, 3, 4, 5, 64, 101, 784, 2051}) {
      for (const bool extreme : {false, true}) {
        // All as large as can be: what 16 bits do not hold would be cut off.
        auto w = weight_codes(outputs * inputs, random);
        if (extreme) std::ranges::transform(w, w.begin(), [](int k) { return std::int8_t(k < 0 ? -127 : 127); });
        std::vector<float> scales(outputs);
        for (float& scale : scales) scale = static_cast<float>(random.uniform(0.001, 0.1));
        const ValueGrid grid{0.013F, static_cast<std::int32_t>(random.below(128))};
        PackedInt8 W(outputs, inputs);
        W.assign({w.data(), outputs, inputs}, scales, grid);
        check_equal(W.outputs(), outputs, "outputs");
        check(W.padded_outputs() >= outputs && W.padded_outputs() < outputs + 16, "padded to a panel");
        for (const std::size_t samples : {0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 21}) {
          const std::size_t stride = W.padded_inputs() + 5;
          std::vector<std::uint8_t> codes(samples * stride);
          for (auto& code : codes) code = extreme ? 127 : static_cast<std::uint8_t>(random.below(128));
          const MatrixView<const std::uint8_t> x(codes.data(), samples, W.padded_inputs(), stride);
          for (const Int8Sums& way : PackedInt8::all()) {
            Strided<T> out(samples, W.padded_outputs(), 1);
            W.multiply(x, 0, W.panels(), out.view(), way);
            check(out.gap_intact(), "writes only its rows");
            for (std::size_t i = 0; i < samples; ++i) {
              for (std::size_t j = 0; j < outputs; ++j) {
                std::int64_t sum = 0;
                for (std::size_t k = 0; k < inputs; ++k) sum += (x.row(i)[k] - grid.zero) * w[j * inputs + k];
                check(out.view().row(i)[j] == static_cast<T>(sum) * static_cast<T>(grid.scale * scales[j]),
                      text(way.name, " ", samples, " samples, ", inputs, " inputs, output ", j, " of ", outputs));
              }
            }
          }
        }
      }
    }
  }
  for (const float x : {-1e30F, -5.1F, -0.5F, 0.0F, 0.24F, 0.26F, 99.0F, 1e30F, std::nanf("")}) {
    const ValueGrid grid{0.5F, 10};
    const double nearest = std::isnan(x) ? 0 : std::clamp(std::floor(static_cast<double>(x) / 0.5 + 10.5), 0.0, 127.0);
    check_equal(static_cast<double>(grid.code_of<T>(static_cast<T>(x), grid.inverse<T>())), nearest,
                text("code of ", x));
  }
}

// A quantised network against its definition, bit for bit: in any company, by any number of threads, dense or sparse.
template <typename T>
void answers_in_codes() {
  Random random(95);
  const std::vector<std::vector<std::size_t>> networks{{4, 7, 5, 3}, {3, 2}, {1, 1, 1}, {9, 300, 256, 10}, {70, 65, 2}};
  for (const auto& widths : networks) {
    for (const Activation activation : kAllKinds) {
      const Network network{widths, activation, {}};
      std::vector<std::vector<std::int8_t>> w;
      std::vector<std::vector<float>> scales;
      std::vector<std::vector<T>> b;
      std::vector<ValueGrid> grids;
      for (std::size_t l = 1; l <= network.layers(); ++l) {
        w.push_back(weight_codes(network.outputs(l) * network.inputs(l), random));
        b.push_back(normals<T>(network.outputs(l), random));
        scales.emplace_back(network.outputs(l));
        for (float& scale : scales.back()) scale = static_cast<float>(random.uniform(0.5, 1.5)) / 500;
        grids.push_back({0.03F, l == 1 ? 60 : 20});
      }
      const auto served = [&](unsigned threads) {
        auto out = std::make_unique<ServedNetwork<T>>(network, threads, true);
        for (std::size_t l = 1; l <= network.layers(); ++l) {
          out->set_layer(l, {w[l - 1].data(), network.outputs(l), network.inputs(l)}, scales[l - 1], grids[l - 1],
                         std::span<const T>(b[l - 1]));
        }
        return out;
      };
      const auto by_definition = [&](MatrixView<const T> x) {
        std::vector<T> h(x.data, x.data + x.rows * x.columns);
        for (std::size_t l = 1; l <= network.layers(); ++l) {
          const std::size_t inputs = network.inputs(l);
          Matrix<T> out(x.rows, network.outputs(l));
          for (std::size_t i = 0; i < x.rows; ++i) {
            for (std::size_t j = 0; j < out.columns(); ++j) {
              std::int64_t sum = 0;
              for (std::size_t k = 0; k < inputs; ++k) {
                const int code = grids[l - 1].code_of(h[i * inputs + k], grids[l - 1].template inverse<T>());
                sum += (code - grids[l - 1].zero) * w[l - 1][j * inputs + k];
              }
              out.view().row(i)[j] = static_cast<T>(sum) * static_cast<T>(grids[l - 1].scale * scales[l - 1][j]);
            }
          }
          elementwise::add_bias_and_activate<T>(l < network.layers() ? activation : Activation::identity(), out.view(),
                                                std::span<const T>(b[l - 1]), out.view());
          h.assign(out.flat().begin(), out.flat().end());
        }
        return h;
      };
      for (const std::size_t samples : {0, 1, 2, 13, 130, 300}) {
        Matrix<T> x(samples, widths.front());
        fill_normal(x.view(), random);
        Csr<T> sparse;
        sparse.columns = widths.front();
        sparse.rows = samples;
        for (std::size_t i = 0; i < samples; ++i) {
          for (std::size_t k = 0; k < widths.front(); ++k) {
            if (k % 3 == 1) x.view().row(i)[k] = 0;
          }
        }
        for (std::size_t i = 0; i < samples; ++i) {
          for (std::size_t k = 0; k < widths.front(); ++k) {
            if (x.view().row(i)[k] == T(0)) continue;
            sparse.indices.push_back(static_cast<std::int32_t>(k));
            sparse.values.push_back(x.view().row(i)[k]);
          }
          sparse.indptr.push_back(static_cast<std::int64_t>(sparse.indices.size()));
        }
        const std::vector<T> holed = by_definition(x.view());
        for (const unsigned threads : {1U, 3U}) {
          const auto net = served(threads);
          const auto same = [&](MatrixView<const T> out, std::size_t first, const std::vector<T>& wanted) {
            for (std::size_t i = 0; i < out.rows; ++i) {
              if (!std::equal(out.row(i), out.row(i) + out.columns, wanted.data() + (first + i) * widths.back()))
                return false;
            }
            return true;
          };
          Strided<T> together(samples, widths.back(), 2);
          net->predict(x.view(), together.view());
          check(together.gap_intact(), "writes only its rows");
          check(same(together.view(), 0, holed), text(type_name<T>(), " as it is defined, ", samples, " samples"));
          Matrix<T> one(1, widths.back());
          for (std::size_t i = 0; i < samples; i += 7) {
            net->predict(x.view().rows_from(i, 1), one.view());
            check(same(one.view(), i, holed), "one sample as among many");
          }
          Matrix<T> by_sparse(samples, widths.back());
          net->predict(sparse.view(), by_sparse.view());
          check(same(by_sparse.view(), 0, holed), "sparse samples as dense ones");
          if (samples == 0) continue;
          std::vector<std::int32_t> labels(samples);
          for (auto& label : labels) label = static_cast<std::int32_t>(random.below(widths.back()));
          std::vector<double> work(12 * widths.back());
          const auto plain =
              loss_of_rows<T>({}, MatrixView<const T>(holed.data(), samples, widths.back()), {labels, {}}, 0, work);
          const auto judged = net->evaluate(x.view(), {labels, {}});
          check_equal(judged.correct, plain.correct, "correct");
          check_close(judged.loss, plain.loss, 1e-5 * (1 + plain.loss), "loss");
        }
      }
    }
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("products of codes, in float", products_of_codes<float>);
  fact("products of codes, in double", products_of_codes<double>);
  fact("float answers in codes", answers_in_codes<float>);
  fact("double answers in codes", answers_in_codes<double>);
  return report();
}
