#include "core/gradient/forward.hpp"

#include <algorithm>

#include "core/functions/elementwise.hpp"
#include "core/linalg/blas.hpp"

namespace dladmm {

template <typename T>
MatrixView<const T> forward_block(std::span<const LayerParameters<T>> layers, Activation activation,
                                  MatrixView<const T> x, Workspace<T>& space) {
  MatrixView<const T> h = x;
  for (std::size_t l = 0; l < layers.size(); ++l) {
    const auto& layer = layers[l];
    const Matrix<T>& storage = l % 2 == 0 ? space.first : space.second;
    const MatrixView<T> out(storage.flat().data(), x.rows, layer.W.rows);
    blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), h, layer.W, T(0), out);
    elementwise::add_bias_and_activate<T>(l + 1 < layers.size() ? activation : Activation::identity(), out, layer.b,
                                          out);
    h = out;
  }
  return h;
}

namespace {

// Flops of a forward pass of one sample.
template <typename T>
double flops_of(std::span<const LayerParameters<T>> layers) {
  double flops = 0;
  for (const auto& it : layers) flops += 2 * static_cast<double>(it.W.rows) * static_cast<double>(it.W.columns);
  return flops;
}

// body(piece, rows, outputs, space) for pieces of the samples of x.
template <typename T, typename Body>
void forward_pieces(Team& team, std::span<Workspace<T>> spaces, Pieces pieces,
                    std::span<const LayerParameters<T>> layers, Activation activation, MatrixView<const T> x,
                    Body&& body) {
  team.run(pieces.count, static_cast<double>(x.rows) * flops_of(layers), [&](std::size_t piece, unsigned member) {
    const Rows rows = pieces[piece];
    Workspace<T>& space = spaces[member];
    body(piece, rows, forward_block<T>(layers, activation, x.rows_from(rows.first, rows.count), space), space);
  });
}

Pieces pieces_for(std::size_t samples, std::size_t block) {
  return pieces_of(samples, std::min(block, std::max<std::size_t>(1, SampleCut(samples).pieces.largest())));
}

}  // namespace

template <typename T>
void predict(Team& team, std::span<Workspace<T>> spaces, std::size_t block, std::span<const LayerParameters<T>> layers,
             Activation activation, MatrixView<const T> x, MatrixView<T> out) {
  forward_pieces<T>(team, spaces, pieces_for(x.rows, block), layers, activation, x,
                    [&](std::size_t, Rows rows, MatrixView<const T> y, Workspace<T>&) {
                      for (std::size_t i = 0; i < y.rows; ++i)
                        std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
                    });
}

template <typename T>
ForwardLoss evaluate(Team& team, std::span<Workspace<T>> spaces, std::size_t block,
                     std::span<const LayerParameters<T>> layers, Activation activation, const Loss& loss,
                     MatrixView<const T> x, const Targets<T>& targets) {
  const Pieces pieces = pieces_for(x.rows, block);
  std::vector<ForwardLoss> parts(pieces.count);
  forward_pieces<T>(team, spaces, pieces, layers, activation, x,
                    [&](std::size_t piece, Rows rows, MatrixView<const T> y, Workspace<T>& space) {
                      parts[piece] = loss_of_rows<T>(loss, y, targets, rows.first, space.work);
                    });
  ForwardLoss total;
  for (const ForwardLoss& part : parts) total += part;
  return total;
}

#define DLADMM_INSTANTIATE(T)                                                                                         \
  template MatrixView<const T> forward_block<T>(std::span<const LayerParameters<T>>, Activation, MatrixView<const T>, \
                                                Workspace<T>&);                                                       \
  template void predict<T>(Team&, std::span<Workspace<T>>, std::size_t, std::span<const LayerParameters<T>>,          \
                           Activation, MatrixView<const T>, MatrixView<T>);                                           \
  template ForwardLoss evaluate<T>(Team&, std::span<Workspace<T>>, std::size_t, std::span<const LayerParameters<T>>,  \
                                   Activation, const Loss&, MatrixView<const T>, const Targets<T>&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
