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
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// What it says of a sample has the same bits whether the sample comes alone or among others, whichever threads answer,
// and however many ask at once. It holds its weights and nothing else: threads are the process's, and each keeps the
// scratch memory that a pass takes for whichever network comes next.
template <typename T>
class ServedNetwork {
 public:
  // Parameters are zero until they are set. Throws std::bad_alloc.
  ServedNetwork(const Network& network, unsigned threads) : network_(network), team_(threads) {
    for (std::size_t l = 1; l <= network_.layers(); ++l) {
      layers_.push_back(
          {PackedMatrix<T>(network_.outputs(l), network_.inputs(l)), std::vector<T>(network_.outputs(l))});
      flops_ += 2.0 * static_cast<double>(network_.outputs(l)) * static_cast<double>(network_.inputs(l));
    }
    std::size_t widest = 0;
    for (const Layer& layer : layers_) widest = std::max(widest, layer.W.padded_outputs());
    stride_ = spread(widest);
  }

  // Bytes of the parameters.
  [[nodiscard]] double bytes() const {
    double bytes = 0;
    for (const auto& [W, b] : layers_) {
      bytes += static_cast<double>((W.padded_outputs() * W.inputs() + b.size()) * sizeof(T));
    }
    return bytes;
  }

  // Layer l = 1 … L: W n_l x n_{l-1}, b n_l. Not while a pass is at work.
  void set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b) {
    assert(b.size() == layers_[l - 1].b.size());
    layers_[l - 1].W.assign(W);
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
  static std::size_t spread(std::size_t columns) {
    constexpr std::size_t line = 64 / sizeof(T);
    constexpr std::size_t quarter_page = 1024 / sizeof(T);
    const std::size_t whole = (columns + line - 1) / line * line;
    return whole % quarter_page == 0 ? whole + line : whole;
  }
  static std::size_t pieces(std::size_t count, std::size_t each) { return (count + each - 1) / each; }

  struct Layer {
    PackedMatrix<T> W;
    std::vector<T> b;
  };
  // The outputs of one layer, and of the next; what a loss works in.
  struct Scratch {
    Buffer<T> first, second;
    std::vector<double> work;
  };

  // Of the calling thread, for as long as that lives.
  Scratch& scratch() const {
    thread_local Scratch space;
    if (space.first.size() < kBlock * stride_) {
      space.first = Buffer<T>(kBlock * stride_);
      space.second = Buffer<T>(kBlock * stride_);
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
      h = MatrixView<const T>(out, x.rows, layers_[l].W.outputs(), stride_);
    }
    return h;
  }
  MatrixView<const T> forward(MatrixView<const T> x, const Scratch& space) const {
    return through_layers(x, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      apply_panels(l, h, 0, layers_[l].W.panels(), out);
    });
  }
  MatrixView<const T> forward(const CsrView<T>& x, const Scratch& space) const {
    const MatrixView<const T> sized(nullptr, x.rows, x.columns);
    return through_layers(sized, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      const std::size_t panels = layers_[l].W.panels();
      if (l > 0) return apply_panels(l, h, 0, panels, out);
      layers_[0].W.multiply(x, MatrixView<T>(out, x.rows, panels * layers_[0].W.panel(), stride_));
      activate_panels(0, h.rows, 0, panels, out);
    });
  }
  // The same, each layer's outputs shared out.
  MatrixView<const T> forward_together(Sleepers sleepers, MatrixView<const T> x, const Scratch& space) {
    return through_layers(x, space, [&](std::size_t l, MatrixView<const T> h, T* out) {
      const std::size_t panels = layers_[l].W.panels();
      // Of a few samples it is to read the weights that takes the time.
      const double flops = std::max(2.0 * static_cast<double>(x.rows), kFlopsAnEntry) *
                           static_cast<double>(layers_[l].W.inputs() * layers_[l].W.padded_outputs());
      const auto work = [&](std::size_t piece, unsigned) {
        apply_panels(l, h, piece * kPanels, std::min(kPanels, panels - piece * kPanels), out);
      };
      team_.run(pieces(panels, kPanels), flops, work, sleepers);
    });
  }

  // Outputs of `count` panels of layer l from h on, activated. `out` is where the layer's outputs begin.
  void apply_panels(std::size_t l, MatrixView<const T> h, std::size_t first, std::size_t count, T* out) const {
    const auto& W = layers_[l].W;
    W.multiply(h, first, count, MatrixView<T>(out + first * W.panel(), h.rows, count * W.panel(), stride_));
    activate_panels(l, h.rows, first, count, out);
  }
  void activate_panels(std::size_t l, std::size_t rows, std::size_t first, std::size_t count, T* out) const {
    const auto& [W, b] = layers_[l];
    const std::size_t column = first * W.panel();
    const std::size_t columns = std::min(count * W.panel(), W.outputs() - column);
    const MatrixView<T> own(out + column, rows, columns, stride_);
    elementwise::add_bias_and_activate<T>(l + 1 < layers_.size() ? network_.activation : Activation::identity(), own,
                                          std::span(b).subspan(column, columns), own);
  }

  // body(rows, scratch) for all samples in equal shares of whole units, as few as there can be.
  template <typename Body>
  void each_share(std::size_t samples, std::size_t unit, Body&& body) {
    const std::size_t each = kBlock / unit * unit * team_.size();
    const std::size_t units = pieces(samples, unit);
    const Pieces shares{units, std::min(units, pieces(samples, each) * team_.size())};
    team_.run(shares.count, flops_ * static_cast<double>(samples), [&](std::size_t share, unsigned) {
      const auto [first, count] = shares[share];
      body(Rows{first * unit, std::min(count * unit, samples - first * unit)}, scratch());
    });
  }

  Network network_;
  std::vector<Layer> layers_;
  std::size_t stride_ = 0;  // of the rows of a scratch matrix
  double flops_ = 0;        // of a sample
  Team team_;
  std::atomic<std::int64_t> last_few_{0};  // when few samples were last asked for, ns of the steady clock
};

}  // namespace dladmm
