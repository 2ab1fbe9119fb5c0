#include "test/instances/consensus.hpp"

namespace dladmm {

template class Trainer<float>;
template class Trainer<double>;

}  // namespace dladmm
