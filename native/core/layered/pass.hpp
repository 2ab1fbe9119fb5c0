// One pass over the samples: settle what is pending, do the elementwise work while the rows are in the cache, then
// the products of the block.
#pragma once

#include "core/layered/kernels.hpp"
#include "core/layered/state.hpp"
#include "core/linalg/blas.hpp"

namespace dladmm {

// `reads` names the P_l and a_l that the pass looks at: steps pending on them are settled first. `claims` names the
// slots that it writes, and the width of what it writes: steps waiting in those slots are settled before the slot is
// overwritten. elementwise(member, block, rows, partial) sees a few rows of a block at a time; products(member,
// block, partial) then sees the whole block.
template <typename T>
template <typename Elementwise, typename Products>
void LayeredState<T>::pass(std::initializer_list<Held> reads, std::initializer_list<Claim> claims,
                           Elementwise&& elementwise, Products&& products) {
  std::array<bool, 2> due{};
  bool whole_block_first = false;
  bool input_due = false;
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    if (!slots_[s].pending) continue;
    for (const Held& held : reads) due[s] = due[s] || held == slots_[s].held;
    for (const Claim& claim : claims) {
      if (claim.slot != s) continue;
      due[s] = true;
      // A row of the new direction may lie where other rows of the old one still are.
      whole_block_first = whole_block_first || claim.width != slots_[s].width;
    }
  }
  for (const Held& held : reads) input_due = input_due || (input_step_pending_ && held == product(1));
  // Products that are due are multiplied here, from activations that are settled first.
  const auto is_product_due = [&](const Held& held) { return held.block == Block::W && layer(held.layer).product_due; };
  bool products_due = false;
  for (const Held& held : reads) {
    if (!is_product_due(held)) continue;
    products_due = true;
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (!slots_[s].pending || !(slots_[s].held == activation(held.layer - 1))) continue;
      due[s] = true;
      whole_block_first = true;
    }
  }

  sums_.clear();
  team_.run([&](unsigned member) {
    Partial& partial = sums_.of(member);
    const auto settle = [&](Rows block, Rows rows) {
      for (std::size_t s = 0; s < slots_.size(); ++s) {
        if (due[s]) settle_rows(s, block, rows, partial);
      }
    };
    blocks_.each(member, team_.size(), [&](Rows block) {
      if (input_due) {
        blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(-1), rows_of(x_.view(), block), input_step_.view(), T(1),
                      rows_of(layer(1).P.view(), block));
      }
      if (whole_block_first) settle(block, block);
      if (products_due) {
        for (const Held& held : reads) {
          if (is_product_due(held)) multiply(held.layer, block);
        }
      }
      for (std::size_t first = block.first; first < block.first + block.count; first += sub_block_) {
        const Rows rows{first, std::min(sub_block_, block.first + block.count - first)};
        if (!whole_block_first) settle(block, rows);
        elementwise(member, block, rows, partial);
      }
      products(member, block, partial);
    });
  });

  if (input_due) input_step_pending_ = false;
  for (const Held& held : reads) {
    if (is_product_due(held)) layer(held.layer).product_due = false;
  }
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    if (!due[s]) continue;
    slots_[s].pending = false;
    if (!slots_[s].measure) continue;
    Layer& measured = layer(slots_[s].held.layer);
    measured.activation = sums_.scalar(kMeasured);
    measured.activation_known = true;
  }
}

}  // namespace dladmm
