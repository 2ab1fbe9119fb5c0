#pragma once

#include "core/minibatch/state.hpp"  // IWYU pragma: export

namespace dladmm {

extern template class MinibatchState<float>;
extern template class MinibatchState<double>;

}  // namespace dladmm
