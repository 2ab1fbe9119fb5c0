#include "core/serving/served_network.hpp"

#include <algorithm>
#include <cassert>

#include "core/functions/apply.hpp"

namespace dladmm {
namespace {

// Samples whose values of two layers stay in a core's own cache while the weights pass by.
constexpr std::size_t kBlock = 128;

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

}  // namespace

template <typename T>
ServedNetwork<T>::ServedNetwork(const Network& network, unsigned members) : network_(network), alone_(0, 0, 0) {
  for (std::size_t l = 1; l <= network_.layers(); ++l) {
    layers_.push_back({PackedMatrix<T>(network_.outputs(l), network_.inputs(l)), std::vector<T>(network_.outputs(l))});
  }
  stride_ = spread<T>(widest(layers_));
  const std::size_t outputs = network_.widths.back();
  for (unsigned member = 0; member < members; ++member) spaces_.emplace_back(kBlock, stride_, outputs);
  alone_ = Workspace<T>(kBlock, stride_, outputs);
}

template <typename T>
void ServedNetwork<T>::set_layer(std::size_t l, MatrixView<const T> W, std::span<const T> b) {
  assert(b.size() == layers_[l - 1].b.size());
  layers_[l - 1].W.assign(W);
  std::copy(b.begin(), b.end(), layers_[l - 1].b.begin());
}

// Outputs for a block of samples, in one of the two matrices of `space`.
template <typename T>
MatrixView<const T> ServedNetwork<T>::forward(MatrixView<const T> x, Workspace<T>& space) const {
  MatrixView<const T> h = x;
  for (std::size_t l = 0; l < layers_.size(); ++l) {
    const auto& [W, b] = layers_[l];
    const Matrix<T>& storage = l % 2 == 0 ? space.first : space.second;
    T* const data = storage.flat().data();
    W.multiply(h, MatrixView<T>(data, x.rows, W.padded_outputs(), stride_));
    const MatrixView<T> out(data, x.rows, W.outputs(), stride_);
    add_bias_and_activate<T>(l + 1 < layers_.size() ? network_.activation : Activation::identity(), b, out);
    h = out;
  }
  return h;
}

template <typename T>
void ServedNetwork<T>::predict_rows(MatrixView<const T> x, MatrixView<T> out, Rows rows, Workspace<T>& space) const {
  const auto y = forward(x.rows_from(rows.first, rows.count), space);
  for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
}

template <typename T>
void ServedNetwork<T>::predict(Team& team, MatrixView<const T> x, MatrixView<T> out) {
  team.run([&](unsigned member) {
    SampleBlocks{x.rows, kBlock}.each(member, team.size(),
                                      [&](Rows rows) { predict_rows(x, out, rows, spaces_[member]); });
  });
}

template <typename T>
void ServedNetwork<T>::predict_alone(MatrixView<const T> x, MatrixView<T> out) {
  SampleBlocks{x.rows, kBlock}.each(0, 1, [&](Rows rows) { predict_rows(x, out, rows, alone_); });
}

template <typename T>
ForwardLoss ServedNetwork<T>::evaluate(Team& team, MatrixView<const T> x, const Targets<T>& targets) {
  return sum_losses(team, x.rows, kBlock, [&](unsigned member, Rows rows, ForwardLoss& sum) {
    auto& space = spaces_[member];
    add_losses<T>(network_.loss, forward(x.rows_from(rows.first, rows.count), space), targets, rows, space, sum);
  });
}

template class ServedNetwork<float>;
template class ServedNetwork<double>;

}  // namespace dladmm
