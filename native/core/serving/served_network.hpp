// A trained network that answers: forward passes over weights that are laid out for them once.
#pragma once

#include <algorithm>
#include <atomic>
#include <cassert>
#include <chrono>
#include <span>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/gradient/forward.hpp"
#include "core/gradient/network.hpp"
#include "core/linalg/packed.hpp"
#include "core/linalg/packed_int8.hpp"
#include "core/linalg/packed_sparse.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// What it says of a sample has the same bits whether the sample comes alone or among others, whichever threads answer,
// and however many ask at once. It holds its weights and nothing else: threads are the process's, and each keeps the
// scratch memory that a pass takes for whichever network comes next. Of a quantised network weights and the inputs of
// every layer are whole numbers of 8 bits (packed_int8.hpp). A layer that is mostly zeros is multiplied without them
// where that is faster, which changes no bit (packed_sparse.hpp).
template <typename T>
class ServedNetwork {
 public:
  // Parameters are zero until they are set. Throws std::bad_alloc.
  ServedNetwork(const Network& network, unsigned threads, bool quantised = false)
      : network_(network), quantised_(quantised), team_(threads) {
    std::size_t widest = 0;
    std::size_t deepest = 0;
    for (std::size_t l = 1; l <= network_.layers(); ++l) {
      const std::size_t outputs = network_.outputs(l);
      const std::size_t inputs = network_.inputs(l);
      Layer layer{{}, {}, {}, std::vector<T>(outputs)};
      if (quantised) layer.codes = PackedInt8(outputs, inputs);
      if (!quantised) layer.W = PackedMatrix<T>(outputs, inputs);
      widest = std::max(widest, layer.shape([](const auto& W) { return W.padded_outputs(); }));
      deepest = std::max(deepest, layer.codes.padded_inputs());
      layers_.push_back(std::move(layer));
    }
    stride_ = spread<T>(widest);
    code_stride_ = spread<std::uint8_t>(deepest);
  }

  // Bytes of the parameters.
  [[nodiscard]] double bytes() const {
    double bytes = 0;
    for (const auto& [W, sparse, codes, b] : layers_) {
      bytes += static_cast<double>((W.padded_outputs() * W.inputs() + b.size()) * sizeof(T) + codes.bytes());
      bytes += static_cast<double>(sparse.bytes());
    }
    return bytes;
  }
  [[nodiscard]] bool quantised() const { return quantised_; }

  // Layer l = 1 … L: W n_l x n_{l-1}, b n_l. Not while a pass is at work.
  void set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b) {
    assert(b.size() == layers_[l - 1].b.size());
    Layer& layer = layers_[l - 1];
    layer.W.assign(W);
    layer.sparse = PackedSparse<T>::pays(W) ? PackedSparse<T>(W, kPanels * layer.panel()) : PackedSparse<T>();
    std::copy(b.begin(), b.end(), layers_[l - 1].b.begin());
  }
  // The same of a quantised network: W = scales_j w, and the grid of what comes in.
  void set_layer(std::size_t l, MatrixView<const std::int8_t> w, std::span<const float> scales, const ValueGrid& grid,
                 std::span<const T> b) {
    layers_[l - 1].codes.assign(w, scales, grid);
    std::copy(b.begin(), b.end(), layers_[l - 1].b.begin());
  }

  // out <- outputs of the network. x: samples x n_0, out: samples x n_L.
  void predict(MatrixView<const T> x, MatrixView<T> out) {
    const auto copy = [&](MatrixView<const T> y, Rows rows) {
      for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
    };
    if (x.rows >= kFew) {
      each_share(x.rows, 1, [&](Rows rows, const Scratch& space) { copy(forward(x.rows_from(rows), space), rows); });
      return;
    }
    const std::chrono::nanoseconds now = std::chrono::steady_clock::now().time_since_epoch();
    const std::chrono::nanoseconds last(last_few_.load(std::memory_order_relaxed));
    copy(forward_together(now - last < kBusy ? Sleepers::wake : Sleepers::leave, x, scratch()), {0, x.rows});
    last_few_.store(std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count(),
                    std::memory_order_relaxed);
  }

  // The same of sparse samples, by sums of their own: of a sample the same bits in every call.
  void predict(const CsrView<T>& x, MatrixView<T> out) {
    each_share(x.rows, 1, [&](Rows rows, const Scratch& space) {
      const MatrixView<const T> y = forward(x.rows_from(rows), space);
      for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
    });
  }

  // R of the outputs, summed over the samples in an order that is always the same, and how many are correct. x: dense
  // or sparse.
  template <typename X>
  ForwardLoss evaluate(const X& x, const Targets<T>& targets) {
    std::vector<ForwardLoss> parts(pieces(x.rows, kUnit));
    each_share(x.rows, kUnit, [&](Rows rows, Scratch& space) {
      const auto outputs = forward(x.rows_from(rows), space);
      // By units, whatever the blocks: the sum does not depend on how many threads there are.
      for (std::size_t first = 0; first < rows.count; first += kUnit) {
        const auto unit = outputs.rows_from(first, std::min(kUnit, rows.count - first));
        parts[(rows.first + first) / kUnit] =
            loss_of_rows<T>(network_.loss, unit, targets, rows.first + first, space.work);
      }
    });
    return sum_found(parts);
  }

 private:
  // Samples that are taken through all layers at a time: their values stay in a core's own cache while the weights pass
  // by. Units are a multiple of the samples of a tile on every processor.
  static constexpr std::size_t kUnit = 42;
  static constexpr std::size_t kBlock = 3 * kUnit + 14;
  // Fewer than so many samples share the outputs of each layer out among the threads; more are shared out themselves.
  static constexpr std::size_t kFew = 2 * kUnit;
  // Panels of a layer that are taken at a time, as one sample multiplies four of them side by side.
  static constexpr std::size_t kPanels = 4;
  // Requests that come within this time of each other make it worth having the helpers awake for the next.
  static constexpr std::chrono::microseconds kBusy{1000};

  // Rows that begin at the same place of a page would all want the same few lines of the cache.
  template <typename U>
  static std::size_t spread(std::size_t columns) {
    constexpr std::size_t line = 64 / sizeof(U);
    constexpr std::size_t quarter_page = 1024 / sizeof(U);
    const std::size_t whole = (columns + line - 1) / line * line;
    return whole % quarter_page == 0 ? whole + line : whole;
  }
  static std::size_t pieces(std::size_t count, std::size_t each) { return (count + each - 1) / each; }

  // W, and without its zeros where there are many; or the codes of a quantised network.
  struct Layer {
    PackedMatrix<T> W;
    PackedSparse<T> sparse;
    PackedInt8 codes;
    std::vector<T> b;

    template <typename Of>
    std::size_t shape(Of&& of) const {
      return codes.outputs() > 0 ? of(codes) : of(W);
    }
    [[nodiscard]] double weights() const {
      return static_cast<double>(shape([](const auto& own) { return own.inputs() * own.padded_outputs(); }));
    }
    // What a pass of so many samples takes of the time that all weights would take.
    [[nodiscard]] double cost(std::size_t samples) const { return sparse.pays(samples) ? sparse.cost(samples) : 1; }
    [[nodiscard]] std::size_t panels() const {
      return shape([](const auto& own) { return own.panels(); });
    }
    [[nodiscard]] std::size_t panel() const {
      return shape([](const auto& own) { return own.panel(); });
    }
  };
  // The outputs of one layer, and of the next, with the codes of what goes into either; what a loss works in.
  struct Scratch {
    Buffer<T> first, second;
    Buffer<std::uint8_t> codes[2];
    std::vector<double> work;
  };

  // Of the calling thread, for as long as that lives.
  Scratch& scratch() const {
    thread_local Scratch space;
    if (space.first.size() < kBlock * stride_) {
      space.first = Buffer<T>(kBlock * stride_);
      space.second = Buffer<T>(kBlock * stride_);
    }
    for (Buffer<std::uint8_t>& codes : space.codes) {
      if (codes.size() >= kBlock * code_stride_) continue;
      codes = Buffer<std::uint8_t>(kBlock * code_stride_);
      std::fill(codes.span().begin(), codes.span().end(), std::uint8_t{0});
    }
    if (space.work.size() < 12 * network_.widths.back()) space.work.resize(12 * network_.widths.back());
    return space;
  }

  // Outputs for some samples, in one of the two matrices of `space`; apply(l, h, out) makes those of a layer.
  template <typename Apply>
  MatrixView<const T> through_layers(MatrixView<const T> x, const Scratch& space, Apply&& apply) const {
    MatrixView<const T> h = x;
    for (std::size_t l = 0; l < layers_.size(); ++l) {
      T* const out = (l % 2 == 0 ? space.first : space.second).data();
      apply(l, h, out);
      h = MatrixView<const T>(out, x.rows, layers_[l].b.size(), stride_);
    }
    return h;
  }
  MatrixView<const T> forward(MatrixView<const T> x, const Scratch& space) const {
    if (quantised_) round_to(layers_[0].codes.grid(), x, codes_for(0, x.rows, space));
    return through_layers(x, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      apply_panels(l, h, 0, layers_[l].panels(), out, space);
    });
  }
  // Where the codes of what goes into layer l are.
  MatrixView<std::uint8_t> codes_for(std::size_t l, std::size_t rows, const Scratch& space) const {
    return {space.codes[l % 2].data(), rows, layers_[l].codes.inputs(), code_stride_};
  }
  MatrixView<const T> forward(const CsrView<T>& x, const Scratch& space) const {
    const MatrixView<const T> sized(nullptr, x.rows, x.columns);
    return through_layers(sized, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      const Layer& layer = layers_[l];
      if (l > 0) return apply_panels(l, h, 0, layer.panels(), out, space);
      const MatrixView<T> own(out, x.rows, layer.panels() * layer.panel(), stride_);
      if (quantised_) layer.codes.multiply(x, own);
      if (!quantised_) layer.W.multiply(x, own);
      activate_panels(0, h.rows, 0, layer.panels(), out, space);
    });
  }
  // The same, each layer's outputs shared out.
  MatrixView<const T> forward_together(Sleepers sleepers, MatrixView<const T> x, const Scratch& space) {
    if (quantised_) round_to(layers_[0].codes.grid(), x, codes_for(0, x.rows, space));
    return through_layers(x, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      const std::size_t panels = layers_[l].panels();
      // Of a few samples it is to read the weights that takes the time.
      const double flops_a_weight = std::max(2.0 * static_cast<double>(x.rows), kFlopsAnEntry);
      const double flops = flops_a_weight * to_share(layers_[l].cost(x.rows), layers_[l].weights());
      const auto work = [&](std::size_t piece, unsigned) {
        apply_panels(l, h, piece * kPanels, std::min(kPanels, panels - piece * kPanels), out, space);
      };
      team_.run(pieces(panels, kPanels), flops, work, sleepers);
    });
  }

  // Outputs of `count` panels of layer l from h on, activated; of a quantised network from the codes of h, and with
  // those of the next layer. `out` is where the layer's outputs begin.
  void apply_panels(std::size_t l, MatrixView<const T> h, std::size_t first, std::size_t count, T* out,
                    const Scratch& space) const {
    const Layer& layer = layers_[l];
    const std::size_t column = first * layer.panel();
    const MatrixView<T> own(out + column, h.rows, count * layer.panel(), stride_);
    const Rows outputs{column, std::min(own.columns, layer.b.size() - column)};
    if (quantised_) {
      const MatrixView<const std::uint8_t> codes(space.codes[l % 2].data(), h.rows, layer.codes.padded_inputs(),
                                                 code_stride_);
      layer.codes.multiply(codes, first, count, own);
    } else if (!layer.sparse.pays(h.rows) || !layer.sparse.multiply(h, outputs, own)) {
      layer.W.multiply(h, first, count, own);
    }
    activate_panels(l, h.rows, first, count, out, space);
  }
  void activate_panels(std::size_t l, std::size_t rows, std::size_t first, std::size_t count, T* out,
                       const Scratch& space) const {
    const Layer& layer = layers_[l];
    const bool last = l + 1 == layers_.size();
    const std::size_t column = first * layer.panel();
    const std::size_t columns = std::min(count * layer.panel(), layer.b.size() - column);
    const MatrixView<T> own(out + column, rows, columns, stride_);
    elementwise::add_bias_and_activate<T>(last ? Activation::identity() : network_.activation, own,
                                          std::span(layer.b).subspan(column, columns), own);
    if (!quantised_ || last) return;
    const MatrixView<std::uint8_t> codes = codes_for(l + 1, rows, space);
    round_to<T>(layers_[l + 1].codes.grid(), own, {codes.data + column, rows, columns, code_stride_});
  }

  // Weights that a round counts as that takes a share `cost` of the time of all. It is less work only where one thread
  // is faster without the zeros than all threads are with them: what is too little to be shared must not lose by that.
  [[nodiscard]] double to_share(double cost, double weights) const {
    return cost * team_.size() < 1 ? cost * weights : weights;
  }

  // body(rows, scratch) for all samples in equal shares of whole units, as few as there can be.
  template <typename Body>
  void each_share(std::size_t samples, std::size_t unit, Body&& body) {
    double weights = 0;
    double taken = 0;
    for (const Layer& layer : layers_) {
      weights += layer.weights();
      taken += layer.cost(samples) * layer.weights();
    }
    const double flops = 2 * static_cast<double>(samples) * to_share(taken / weights, weights);
    const std::size_t each = kBlock / unit * unit * team_.size();
    const std::size_t units = pieces(samples, unit);
    const Pieces shares{units, std::min(units, pieces(samples, each) * team_.size())};
    team_.run(shares.count, flops, [&](std::size_t share, unsigned) {
      const auto [first, count] = shares[share];
      body(Rows{first * unit, std::min(count * unit, samples - first * unit)}, scratch());
    });
  }

  Network network_;
  bool quantised_ = false;
  std::vector<Layer> layers_;
  std::size_t stride_ = 0;       // of the rows of a scratch matrix
  std::size_t code_stride_ = 0;  // of those of codes
  Team team_;
  std::atomic<std::int64_t> last_few_{0};  // when few samples were last asked for, ns of the steady clock
};

}  // namespace dladmm
