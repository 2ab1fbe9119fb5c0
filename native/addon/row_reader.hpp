// Where rows of a store are read to beside the rooms of their reader: the features of a training set.
#pragma once

#include <memory>
#include <variant>

#include "core/linalg/matrix.hpp"

namespace dladmm::addon {

// Memory of a state, which may end at any time.
template <typename T>
struct RowsOf {
  std::weak_ptr<void> state;
  MatrixView<T> rows;
};
using RowTarget = std::variant<RowsOf<float>, RowsOf<double>>;

}  // namespace dladmm::addon
