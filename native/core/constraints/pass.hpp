// One pass over the samples.
#pragma once

#include <algorithm>

#include "core/constraints/state.hpp"
#include "core/functions/elementwise.hpp"
#include "core/linalg/blas.hpp"

namespace dladmm::constraints {

// body(part) sees a piece of the samples at a time, with S_l of the layers in `reads` as it should be: a layer comes
// before those that its V feeds. `groups` are the pieces themselves, or segments of them where matrices are added up;
// `flops` the products that the body makes.
template <typename T>
template <typename Body>
void State<T>::pass(std::initializer_list<std::size_t> reads, const Pieces& groups, double flops, Body&& body) {
  const auto samples = static_cast<double>(setup_.samples);
  for (const std::size_t l : reads) {
    const auto inputs = static_cast<double>(layer(l).W.columns());
    const auto outputs = static_cast<double>(layer(l).W.rows());
    flops += kFlopsAnEntry * samples * outputs;
    if (layer(l).S_made != product_stamp(l)) flops += count(&Work::image, samples, outputs, inputs);
  }
  const Pieces& pieces = sums_.cut().pieces;
  team_.run(groups.count, flops, [&](std::size_t group, unsigned member) {
    const Rows own = groups[group];
    for (std::size_t piece = own.first; piece < own.first + own.count; ++piece) {
      const Rows rows = pieces[piece];
      for (const std::size_t l : reads) {
        Layer& it = layer(l);
        if (it.S_made == product_stamp(l)) continue;
        const MatrixView<T> S = rows_of(it.S, rows);
        // rows x n_l <- (rows x n_{l-1}) (n_l x n_{l-1})ᵀ
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), input_of(l).rows_from(rows.first, rows.count),
                      it.W.view(), T(0), S);
        elementwise::add_bias_and_activate<T>(activation_of(l), S, it.b, S);
      }
      body(Part{rows, member, group, piece == own.first, sums_.begin(piece)});
    }
  });
  for (const std::size_t l : reads) layer(l).S_made = product_stamp(l);
}

}  // namespace dladmm::constraints
