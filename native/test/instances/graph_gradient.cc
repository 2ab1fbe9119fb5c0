#include "test/instances/graph_gradient.hpp"

namespace dladmm {

template class GraphTrainer<float>;
template class GraphTrainer<double>;

}  // namespace dladmm
