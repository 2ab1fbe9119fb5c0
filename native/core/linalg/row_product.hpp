// X M for a small M and a tall X, a few rows at a time: M is laid out once for all of them where our own loops multiply
// faster than BLAS, which lays it out anew in every call.
#pragma once

#include <algorithm>
#include <cstddef>

#include "core/linalg/blas.hpp"
#include "core/linalg/packed.hpp"
#include "core/linalg/simd.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

template <typename T>
class RowProduct {
 public:
  RowProduct() = default;
  RowProduct(std::size_t outputs, std::size_t inputs, bool packs = simd::has_many_registers())
      : packs_(packs), packed_(packs ? PackedMatrix<T>(outputs, inputs) : PackedMatrix<T>()) {}
  [[nodiscard]] static double required_bytes(std::size_t outputs, std::size_t inputs) {
    return simd::has_many_registers() ? PackedMatrix<T>::required_bytes(outputs, inputs) : 0;
  }

  // M <- factor op(w), inputs x outputs; w is to stay as it is while M is used.
  void set(Team& team, blas::Op op, T factor, MatrixView<const T> w) {
    op_ = op;
    factor_ = factor;
    w_ = w;
    if (!packs_) return;
    constexpr double flops_an_entry = 4;
    team.run(packed_.panels(), flops_an_entry * static_cast<double>(w.rows) * static_cast<double>(w.columns),
             [&](std::size_t panel, unsigned) { packed_.assign(op, factor, w, panel, 1); });
  }

  // out <- X M (+ out), fetching what is `ahead`. Each row has the same bits whatever the others are.
  void apply(MatrixView<const T> x, Onto onto, MatrixView<T> out, Ahead& ahead) const {
    if (packs_) return packed_.multiply(x, onto, out, ahead);
    blas::gemm<T>(blas::Op::none, op_, factor_, x, w_, onto == Onto::result ? T(1) : T(0), out);
  }

  // How many of so many rows to multiply at a time: so few that they stay in a core's own cache with what is done to
  // them before and after, and no fewer than the product needs to be fast.
  [[nodiscard]] std::size_t rows_at_once(std::size_t rows) const {
    constexpr std::size_t tile = 14;
    constexpr std::size_t most = 9 * tile;
    if (!packs_ || rows == 0) return std::max<std::size_t>(rows, 1);
    const std::size_t even = pieces_of(rows, most).largest();
    return (even + tile - 1) / tile * tile;
  }

 private:
  bool packs_ = false;
  PackedMatrix<T> packed_;
  blas::Op op_ = blas::Op::none;
  T factor_ = 1;
  MatrixView<const T> w_;
};

}  // namespace dladmm
