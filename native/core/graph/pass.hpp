// Passes of the team over the rows of a layer.
#pragma once

#include <algorithm>

#include "core/graph/state.hpp"

namespace dladmm {

template <typename T>
template <typename Body>
void GraphState<T>::pass(std::size_t rows, Body&& body) {
  constexpr std::size_t block = 512;
  sums_.clear();
  team_.run([&](unsigned member) {
    SampleBlocks{rows, block}.each(member, team_.size(), [&](Rows part) { body(member, part, sums_.of(member)); });
  });
}

}  // namespace dladmm
