#include "test/instances/constraints.hpp"

namespace dladmm::constraints {

template class State<float>;
template class State<double>;

}  // namespace dladmm::constraints
