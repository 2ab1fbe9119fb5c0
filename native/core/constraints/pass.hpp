// One pass over the samples.
#pragma once

#include <algorithm>

#include "core/constraints/state.hpp"
#include "core/functions/apply.hpp"
#include "core/linalg/blas.hpp"

namespace dladmm::constraints {

// body(member, rows, partial) sees a block of samples at a time, with S_l of the layers in `reads` as it should be. A
// layer comes before those that its V feeds.
template <typename T>
template <typename Body>
void State<T>::pass(std::initializer_list<std::size_t> reads, Body&& body) {
  sums_.clear();
  team_.run([&](unsigned member) {
    Partial& partial = sums_.of(member);
    blocks_.each(member, team_.size(), [&](Rows rows) {
      for (const std::size_t l : reads) {
        Layer& it = layer(l);
        if (!it.product_due) continue;
        const MatrixView<T> S = rows_of(it.S, rows);
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), input_of(l).rows_from(rows.first, rows.count),
                      it.W.view(), T(0), S);
        add_bias_and_activate<T>(activation_of(l), it.b, S);
      }
      body(member, rows, partial);
    });
  });
  for (const std::size_t l : reads) {
    Layer& it = layer(l);
    if (!it.product_due) continue;
    it.product_due = false;
    count(&Work::image, static_cast<double>(setup_.samples), static_cast<double>(it.W.rows()),
          static_cast<double>(it.W.columns()));
  }
}

}  // namespace dladmm::constraints
