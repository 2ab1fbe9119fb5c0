#pragma once

#include "core/graph/gradient.hpp"  // IWYU pragma: export

namespace dladmm {

extern template class GraphTrainer<float>;
extern template class GraphTrainer<double>;

}  // namespace dladmm
