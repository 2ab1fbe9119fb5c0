// Samples that are read from a disk as a training needs them: the next batches are of a window on the state's rows, and
// rows outside of it are filled meanwhile.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <vector>

#include "addon/row_reader.hpp"
#include "addon/samples.hpp"

namespace dladmm::addon {

// On: the handle of a state on samples that has visit(first, count).
template <typename On>
class Windows : public On {
 public:
  using On::On;

 protected:
  using Property = typename On::Property;

  static std::vector<Property> properties(std::initializer_list<Property> more) {
    auto all = On::properties(more);
    all.push_back(On::method("visit", &Windows::visit));
    return all;
  }

 private:
  // visit(first, count): the next batches are of these samples, as they lie. Behind the last sample follows the first,
  // where whole batches come from a multiple of their size on.
  Napi::Value visit(const Napi::CallbackInfo& info) {
    this->need_idle(info.Env());
    const std::size_t first = size_argument(info, 0, "first");
    const std::size_t count = size_argument(info, 1, "count");
    const std::size_t batch = this->setup().batch;
    this->with_state([&](auto& typed) {
      const std::size_t rows = typed.state->input().rows;
      const bool goes_round = first % batch == 0 && rows % batch == 0;
      if (count == 0 || count > rows || first >= rows || (first + count > rows && !goes_round)) {
        reject(info.Env(), "a window must lie among the samples");
      }
      typed.state->visit(first, count);
    });
    first_ = first;
    count_ = count;
    return info.Env().Undefined();
  }

  // Before the first window all samples are visited.
  [[nodiscard]] bool visits(std::size_t first, std::size_t count, std::size_t rows) const override {
    const std::size_t behind = rows == 0 ? 0 : (first + rows - first_) % rows;
    return count_ == 0 || behind < count_ || behind + count > rows;
  }

  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace dladmm::addon
