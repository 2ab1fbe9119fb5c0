// A pass over the samples: F, its gradient, and both second moments at a point.
#include <algorithm>
#include <cmath>

#include "core/gradient/draw.hpp"
#include "core/gradient/loss_rows.hpp"
#include "core/metric/state.hpp"

namespace dladmm::metric {

// F, ∇F and the second moments at a point, where they are not known yet; false where a stop came first.
template <typename T>
bool State<T>::know(Point& point) {
  if (point.known()) return true;
  double loss = 0;
  const Pieces blocks = pieces_of(setup_.samples, rows_);
  for (std::size_t i = 0; i < blocks.count; ++i) {
    if (stop_asked()) return false;
    const Rows rows = blocks[i];
    forward(point, rows);
    loss += output_duals(rows, point.draw);
    carry_back(point, rows.count);
    add_up(point, rows, i == 0);
  }
  first_inner_made_ = Stamp(of_X_);
  point.loss.set(loss, Stamp(point.parameters));
  return true;
}

// z_l and a_l of a block
template <typename T>
void State<T>::forward(Point& point, Rows rows) {
  const Network& net = setup_.network;
  const MatrixView<T> x = activations_of_input(rows.count);
  each_piece(team_, rows.count, x.columns, [&](Rows own, unsigned) {
    for (std::size_t i = own.first; i < own.first + own.count; ++i) {
      std::copy_n(x_.view().row(rows.first + i), x.columns, x.row(i));
    }
  });
  if (!weights_.empty()) {
    // add_up() may have scaled the column of ones.
    for (const InBlock& it : block_) {
      for (std::size_t i = 0; i < rows.count; ++i) it.input.view().row(i)[it.input.columns() - 1] = T(1);
    }
  }
  for (std::size_t l = 1; l <= depth(); ++l) {
    const MatrixView<T> z = part(block_[l - 1].z, rows.count);
    // B x n_l <- (B x (n_{l-1} + 1)) (n_l x (n_{l-1} + 1))ᵀ
    multiply_and<T>(team_, Op::none, Op::transpose, 1, part(block_[l - 1].input, rows.count), layer(point, l).W.view(),
                    0, z, [&](Rows tile, Rows columns) {
                      if (l == depth()) return;
                      elementwise::activate<T>(net.activation, window(z, tile, columns),
                                               window(activations(l, rows.count), tile, columns));
                    });
  }
}

// u_L and v_L; returns R summed over the block.
template <typename T>
double State<T>::output_duals(Rows rows, std::uint64_t draw) {
  const Loss& loss = setup_.network.loss;
  const std::size_t n = setup_.network.widths.back();
  const MatrixView<const T> z = block_.back().z.view();
  const MatrixView<T> duals = block_.back().duals.view();
  const Targets<T> targets = this->targets();
  const auto found = sum_pieces<ForwardLoss>(team_, rows.count, n, [&](Rows own, unsigned member) {
    const std::span<double> work = spaces_[member].work;
    return loss_over_rows(
        loss, own.count, n, work, [&](std::size_t i) { return z.row(own.first + i); },
        [&](std::size_t i, std::span<double> room) { return targets.of(rows.first + own.first + i, room); },
        [&](std::size_t i, std::span<const double> gradient) {
          const std::size_t at = own.first + i;
          const std::span<double> v = work.subspan(3 * n, n);
          const SampleTarget target = targets.of(rows.first + at, work.subspan(4 * n, n));
          RandomStream random = stream_of(setup_.seed, draw, rows.first + at);
          draw_multiplier(loss, work.first(n), target, random, v);
          const double root = std::sqrt(target.weight);
          std::ranges::transform(gradient, duals.row(at), [](double g) { return static_cast<T>(g); });
          std::ranges::transform(v, duals.row(rows.count + at), [&](double g) { return static_cast<T>(root * g); });
        });
  });
  return found.loss;
}

// u_l and v_l of the hidden layers
template <typename T>
void State<T>::carry_back(Point& point, std::size_t count) {
  const Activation& f = setup_.network.activation;
  for (std::size_t l = depth() - 1; l >= 1; --l) {
    const MatrixView<T> to = part(block_[l - 1].duals, 2 * count);
    const MatrixView<const T> y = f.value_tells_derivative() ? activations(l, count) : part(block_[l - 1].z, count);
    // 2B x n_l <- (2B x n_{l+1}) (n_{l+1} x n_l)
    multiply_and<T>(team_, Op::none, Op::none, 1, part(block_[l].duals, 2 * count), weights(layer(point, l + 1)), 0, to,
                    [&](Rows rows, Rows columns) {
                      // Rows of u, then rows of v.
                      for (const std::size_t first : {std::size_t{0}, count}) {
                        const std::size_t begin = std::max(rows.first, first);
                        const std::size_t end = std::min(rows.first + rows.count, first + count);
                        if (begin >= end) continue;
                        elementwise::times_derivative<T>(f, window(to, {begin, end - begin}, columns),
                                                         window(y, {begin - first, end - begin}, columns));
                      }
                    });
  }
}

// Adds a block to Σ u ãᵀ, Σ v vᵀ and Σ ã ãᵀ.
template <typename T>
void State<T>::add_up(Point& point, Rows rows, bool first) {
  const std::size_t end = first_inner_made_ == Stamp(of_X_) ? first_tiles_ : tiles_.size();
  const auto add = [&](std::size_t from, std::size_t to) {
    double flops = 0;
    for (std::size_t i = from; i < to; ++i) {
      flops += product_flops(tiles_[i].rows.count, rows.count, tiles_[i].columns.count);
    }
    team_.run(to - from, flops, [&](std::size_t i, unsigned) {
      const auto& [kind, l, out, columns] = tiles_[from + i];
      const MatrixView<T> input = part(block_[l - 1].input, rows.count);
      const MatrixView<T> u = part(block_[l - 1].duals, rows.count);
      const MatrixView<T> v = block_[l - 1].duals.view().rows_from(rows.count, rows.count);
      const MatrixView<T> left = kind == Kind::gradient ? u : kind == Kind::outer ? v : input;
      const MatrixView<T> right = kind == Kind::outer ? v : input;
      Layer& it = layer(point, l);
      const Matrix<T>& sum = kind == Kind::gradient ? it.gradient : kind == Kind::outer ? it.outer : inner(point, l);
      // out x columns += (B x out)ᵀ (B x columns)
      sum_products<T>(1, window(left, {0, rows.count}, out), window(right, {0, rows.count}, columns),
                      first ? T(0) : T(1), window(sum.view(), out, columns));
    });
  };
  if (weights_.empty()) return add(0, end);
  add(0, inner_tiles_);
  // A sample of weight w counts as w of them: √w ã.
  for (const InBlock& it : block_) {
    const MatrixView<T> input = it.input.view();
    each_piece(team_, rows.count, input.columns, [&](Rows own, unsigned) {
      for (std::size_t i = own.first; i < own.first + own.count; ++i) {
        const T root = static_cast<T>(std::sqrt(weights_[rows.first + i]));
        std::ranges::transform(std::span(input.row(i), input.columns), input.row(i), [root](T x) { return root * x; });
      }
    });
  }
  add(inner_tiles_, end);
}

#define DLADMM_INSTANTIATE(T)                                  \
  template bool State<T>::know(Point&);                        \
  template void State<T>::forward(Point&, Rows);               \
  template double State<T>::output_duals(Rows, std::uint64_t); \
  template void State<T>::carry_back(Point&, std::size_t);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm::metric
