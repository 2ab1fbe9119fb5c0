#pragma once

#include "core/consensus/trainer.hpp"  // IWYU pragma: export

namespace dladmm {

extern template class Trainer<float>;
extern template class Trainer<double>;

}  // namespace dladmm
