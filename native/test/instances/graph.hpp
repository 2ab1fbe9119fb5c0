#pragma once

#include "core/graph/state.hpp"  // IWYU pragma: export

namespace dladmm {

extern template class GraphState<float>;
extern template class GraphState<double>;

}  // namespace dladmm
