#pragma once

#include "core/constraints/state.hpp"  // IWYU pragma: export

namespace dladmm::constraints {

extern template class State<float>;
extern template class State<double>;

}  // namespace dladmm::constraints
