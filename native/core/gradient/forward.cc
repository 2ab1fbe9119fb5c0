#include "core/gradient/forward.hpp"

#include <algorithm>

#include "core/functions/apply.hpp"
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
    add_bias_and_activate<T>(l + 1 < layers.size() ? activation : Activation::identity(), layer.b, out);
    h = out;
  }
  return h;
}

template <typename T>
void predict(Team& team, std::span<Workspace<T>> spaces, std::size_t block, std::span<const LayerParameters<T>> layers,
             Activation activation, MatrixView<const T> x, MatrixView<T> out) {
  team.run([&](unsigned member) {
    SampleBlocks{x.rows, block}.each(member, team.size(), [&](Rows rows) {
      const auto y = forward_block<T>(layers, activation, x.rows_from(rows.first, rows.count), spaces[member]);
      for (std::size_t i = 0; i < rows.count; ++i) std::copy_n(y.row(i), y.columns, out.row(rows.first + i));
    });
  });
}

template <typename T>
ForwardLoss evaluate(Team& team, std::span<Workspace<T>> spaces, std::size_t block,
                     std::span<const LayerParameters<T>> layers, Activation activation, const Loss& loss,
                     MatrixView<const T> x, const Targets<T>& targets) {
  std::vector<ForwardLoss> parts(team.size());
  team.run([&](unsigned member) {
    ForwardLoss part;
    SampleBlocks{x.rows, block}.each(member, team.size(), [&](Rows rows) {
      auto& space = spaces[member];
      const auto outputs = forward_block<T>(layers, activation, x.rows_from(rows.first, rows.count), space);
      const std::size_t n = outputs.columns;
      const std::span<double> z = std::span(space.work).subspan(0, n);
      const std::span<double> gradient = std::span(space.work).subspan(n, n);
      const std::span<double> values = std::span(space.work).subspan(2 * n, n);
      for (std::size_t i = 0; i < rows.count; ++i) {
        std::copy_n(outputs.row(i), n, z.data());
        const SampleTarget target = targets.of(rows.first + i, values);
        part.loss += loss_and_gradient(loss, z, target, gradient);
        if (loss.classifies()) part.correct += is_correct(loss, z, target.label) ? 1 : 0;
      }
    });
    parts[member] = part;
  });
  ForwardLoss total;
  for (const auto& part : parts) {
    total.loss += part.loss;
    total.correct += part.correct;
  }
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
