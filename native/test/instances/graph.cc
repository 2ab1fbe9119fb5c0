#include "test/instances/graph.hpp"

namespace dladmm {

template class GraphState<float>;
template class GraphState<double>;

}  // namespace dladmm
