#include "test/instances/minibatch.hpp"

namespace dladmm {

template class MinibatchState<float>;
template class MinibatchState<double>;

}  // namespace dladmm
