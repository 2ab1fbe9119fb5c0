#include "core/serving/served_network.hpp"

#include <algorithm>
#include <cassert>

#include "core/functions/apply.hpp"

namespace dladmm {
namespace {

// Samples that are taken through all layers at a time: their values stay in a core's own cache while the weights pass
// by. A multiple of the samples of a tile on every processor.
constexpr std::size_t kUnit = 42;
constexpr std::size_t kBlock = 3 * kUnit;
// Fewer than so many samples share the outputs of each layer out among the threads; more are shared out themselves.
constexpr std::size_t kFew = 2 * kUnit;
// Panels of a layer that are taken at a time, as one sample multiplies four of them side by side.
constexpr std::size_t kPanels = 4;
// Requests that come within this time of each other make it worth having the helpers awake for the next.
constexpr std::chrono::microseconds kBusy{1000};

// Rows that begin at the same place of a page would all want the same few lines of the cache.
template <typename T>
std::size_t spread(std::size_t columns) {
  constexpr std::size_t line = 64 / sizeof(T);
  constexpr std::size_t quarter_page = 1024 / sizeof(T);
  const std::size_t whole = (columns + line - 1) / line * line;
  return whole % quarter_page == 0 ? whole + line : whole;
}

template <typename T>
std::size_t widest(const std::vector<T>& layers) {
  std::size_t widest = 0;
  for (const auto& layer : layers) widest = std::max(widest, layer.W.padded_outputs());
  return widest;
}

std::size_t pieces(std::size_t count, std::size_t each) { return (count + each - 1) / each; }

}  // namespace

template <typename T>
class ServedNetwork<T>::Loan {
 public:
  explicit Loan(ServedNetwork& network)
      : network_(network),
        helpers_(network.lent_.exchange(true, std::memory_order_acquire) ? nullptr : &network.helpers_) {}
  ~Loan() {
    if (helpers_ != nullptr) network_.lent_.store(false, std::memory_order_release);
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;

  // Null while another lane has them.
  [[nodiscard]] Helpers* helpers() const { return helpers_; }

 private:
  ServedNetwork& network_;
  Helpers* const helpers_;
};

template <typename T>
ServedNetwork<T>::ServedNetwork(const Network& network, unsigned threads)
    : network_(network), threads_(std::max(threads, 1U)), helpers_(threads_) {
  for (std::size_t l = 1; l <= network_.layers(); ++l) {
    layers_.push_back({PackedMatrix<T>(network_.outputs(l), network_.inputs(l)), std::vector<T>(network_.outputs(l))});
  }
  stride_ = spread<T>(widest(layers_));
  // The first lane's members, then the second's.
  for (unsigned i = 0; i < kLanes * threads_; ++i) spaces_.emplace_back(kBlock, stride_, network_.widths.back());
}

template <typename T>
double ServedNetwork<T>::bytes() const {
  double bytes = 0;
  for (const auto& [W, b] : layers_) {
    bytes += static_cast<double>((W.padded_outputs() * W.inputs() + b.size()) * sizeof(T));
  }
  return bytes;
}

template <typename T>
void ServedNetwork<T>::set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b) {
  assert(b.size() == layers_[l - 1].b.size());
  layers_[l - 1].W.assign(W);
  std::copy(b.begin(), b.end(), layers_[l - 1].b.begin());
}

// Outputs of `count` panels of layer l from h on, activated. `out` is where the layer's outputs begin.
template <typename T>
void ServedNetwork<T>::apply_panels(std::size_t l, MatrixView<const T> h, std::size_t first, std::size_t count,
                                    T* out) const {
  const auto& [W, b] = layers_[l];
  const std::size_t column = first * W.panel();
  W.multiply(h, first, count, MatrixView<T>(out + column, h.rows, count * W.panel(), stride_));
  const std::size_t columns = std::min(count * W.panel(), W.outputs() - column);
  add_bias_and_activate<T>(l + 1 < layers_.size() ? network_.activation : Activation::identity(),
                           std::span(b).subspan(column, columns),
                           MatrixView<T>(out + column, h.rows, columns, stride_));
}

// Outputs for a block of samples, in one of the two matrices of `space`.
template <typename T>
MatrixView<const T> ServedNetwork<T>::forward(MatrixView<const T> x, Workspace<T>& space) const {
  MatrixView<const T> h = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    T* const out = (l % 2 == 0 ? space.first : space.second).flat().data();
    apply_panels(l, h, 0, layers_[l].W.panels(), out);
    h = MatrixView<const T>(out, x.rows, layers_[l].W.outputs(), stride_);
  }
  return h;
}

// The same, each layer's outputs shared out.
template <typename T>
MatrixView<const T> ServedNetwork<T>::forward_together(Helpers& helpers, Sleepers sleepers, MatrixView<const T> x,
                                                       Workspace<T>& space) const {
  MatrixView<const T> h = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    T* const out = (l % 2 == 0 ? space.first : space.second).flat().data();
    const std::size_t panels = layers_[l].W.panels();
    helpers.run(pieces(panels, kPanels), sleepers, [&](unsigned, std::size_t piece) {
      const std::size_t first = piece * kPanels;
      apply_panels(l, h, first, std::min(kPanels, panels - first), out);
    });
    h = MatrixView<const T>(out, x.rows, layers_[l].W.outputs(), stride_);
  }
  return h;
}

// body(rows, space) for all blocks of samples, by as many threads as there are to be had.
template <typename T>
template <typename Body>
void ServedNetwork<T>::each_block(unsigned lane, std::size_t samples, Body&& body) {
  const Loan loan(*this);
  const std::size_t each = samples < 8 * kUnit * threads_ ? kUnit : kBlock;
  const auto work = [&](unsigned member, std::size_t piece) {
    const std::size_t first = piece * each;
    body(Rows{first, std::min(each, samples - first)}, space(lane, member));
  };
  const std::size_t count = pieces(samples, each);
  if (loan.helpers() == nullptr || count > Helpers::kMaxPieces) {
    for (std::size_t piece = 0; piece < count; ++piece) work(0, piece);
  } else {
    loan.helpers()->run(count, Sleepers::wake, work);
  }
}

template <typename T>
void ServedNetwork<T>::predict(unsigned lane, MatrixView<const T> x, MatrixView<T> out) {
  const auto copy = [&](MatrixView<const T> y, Rows rows) {
    for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
  };
  if (x.rows >= kFew) {
    each_block(lane, x.rows, [&](Rows rows, Workspace<T>& space) {
      copy(forward(x.rows_from(rows.first, rows.count), space), rows);
    });
    return;
  }
  const Loan loan(*this);
  auto& own = space(lane, 0);
  if (loan.helpers() == nullptr) return copy(forward(x, own), {0, x.rows});
  const auto sleepers = Clock::now() - last_few_ < kBusy ? Sleepers::wake : Sleepers::leave;
  copy(forward_together(*loan.helpers(), sleepers, x, own), {0, x.rows});
  last_few_ = Clock::now();
}

template <typename T>
ForwardLoss ServedNetwork<T>::evaluate(unsigned lane, MatrixView<const T> x, const Targets<T>& targets) {
  std::vector<ForwardLoss> parts(pieces(x.rows, kUnit));
  each_block(lane, x.rows, [&](Rows rows, Workspace<T>& space) {
    const auto outputs = forward(x.rows_from(rows.first, rows.count), space);
    const std::size_t n = outputs.columns;
    const std::span<double> z = std::span(space.work).subspan(0, n);
    const std::span<double> gradient = std::span(space.work).subspan(n, n);
    const std::span<double> values = std::span(space.work).subspan(2 * n, n);
    for (std::size_t i = 0; i < rows.count; ++i) {
      // By units, whatever the blocks: the sum does not depend on how many threads there are.
      ForwardLoss& part = parts[(rows.first + i) / kUnit];
      std::copy_n(outputs.row(i), n, z.data());
      const SampleTarget target = targets.of(rows.first + i, values);
      part.loss += loss_and_gradient(network_.loss, z, target, gradient);
      if (network_.loss.classifies()) part.correct += is_correct(network_.loss, z, target.label) ? 1 : 0;
    }
  });
  ForwardLoss total;
  for (const auto& part : parts) {
    total.loss += part.loss;
    total.correct += part.correct;
  }
  return total;
}

template class ServedNetwork<float>;
template class ServedNetwork<double>;

}  // namespace dladmm
