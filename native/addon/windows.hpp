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
    all.push_back(On::method("fill", &Windows::fill));
    all.push_back(On::method("visit", &Windows::visit));
    all.push_back(On::method("input", &Windows::input));
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

  // input(): where features are read to (row_reader.cc), for as long as the state lives.
  Napi::Value input(const Napi::CallbackInfo& info) {
    this->need_open(info.Env());
    return this->with_state([&]<typename Typed>(Typed& typed) -> Napi::Value {
      using T = typename Typed::Number;
      auto target = std::make_unique<RowTarget>(RowsOf<T>{typed.state, typed.state->input()});
      return Napi::External<RowTarget>::New(info.Env(), target.release(),
                                            [](Napi::Env, RowTarget* ended) { delete ended; });
    });
  }

  // fill(part, firstRow, chunk): rows of the training set that are not visited now: of x (part 0), of target values
  // (1), labels (2) or weights (3). Returns the index of the first entry that is not finite or names no class, or −1.
  Napi::Value fill(const Napi::CallbackInfo& info) {
    const Napi::Env env = info.Env();
    this->need_open(env);
    const std::size_t part = size_argument(info, 0, "part");
    const std::size_t first = size_argument(info, 1, "firstRow");
    if (!info[2].IsTypedArray()) reject(env, "a chunk must be a typed array");
    const std::size_t entries = info[2].As<Napi::TypedArray>().ElementLength();
    return this->with_state([&](auto& typed) -> Napi::Value {
      const std::size_t rows = typed.state->input().rows;
      const std::size_t columns = part == 0   ? typed.state->input().columns
                                  : part == 1 ? typed.state->target_values().columns
                                              : 1;
      const std::size_t count = columns == 0 ? 0 : entries / columns;
      if (first > rows || count > rows - first) reject(env, "a chunk reaches past the last sample");
      // Before the first window all samples are visited.
      const std::size_t behind = rows == 0 ? 0 : (first + rows - first_) % rows;
      if (count_ == 0 || behind < count_ || behind + count > rows) this->need_idle(env);
      if (part == 0) return load_rows(info, typed.state->input());
      if (part == 1) return load_rows(info, typed.state->target_values());
      if (part == 2) {
        const std::span<std::int32_t> labels = typed.state->labels();
        if (labels.size() != rows) reject(env, "this loss has no labels");
        const Network& network = this->setup().network;
        return load_labels_into(info, 2, labels.subspan(first, count), network.loss.classes(network.widths.back()));
      }
      const auto weights = doubles_argument(info, 2, "weights");
      std::vector<double>& to = typed.state->weights();
      if (to.size() != rows) reject(env, "weights have to be loaded before they are filled");
      std::ranges::copy(weights, to.begin() + static_cast<std::ptrdiff_t>(first));
      return Napi::Number::New(env, -1);
    });
  }

  std::size_t first_ = 0;
  std::size_t count_ = 0;
};

}  // namespace dladmm::addon
