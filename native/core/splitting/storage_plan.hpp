// What a state is to hold, declared once: the plan counts the bytes, and allocates.
//
//     State(setup, plan)   declares: plan.matrix(x_, samples, widths[0]); …
//     State(setup)         : State(setup, plan) and plan.allocate()
//     required_bytes       State shell(setup, plan) without allocating, plan.bytes()
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "core/linalg/matrix.hpp"

namespace dladmm {

class StoragePlan {
 public:
  template <typename T>
  void matrix(Matrix<T>& to, std::size_t rows, std::size_t columns) {
    add<T>(static_cast<double>(rows) * static_cast<double>(columns), [&to, rows, columns] { to = {rows, columns}; });
  }
  template <typename T>
  void buffer(Buffer<T>& to, std::size_t count) {
    add<T>(static_cast<double>(count), [&to, count] { to = Buffer<T>(count); });
  }
  // As large as rows · columns, which may be more than can be counted.
  template <typename T>
  void buffer(Buffer<T>& to, std::size_t rows, std::size_t columns) {
    add<T>(static_cast<double>(rows) * static_cast<double>(columns), [&to, rows, columns] {
      if (columns != 0 && rows > std::numeric_limits<std::size_t>::max() / columns) throw std::bad_alloc();
      to = Buffer<T>(rows * columns);
    });
  }
  // Filled with zeros at once: such are allocated last, when the larger ones have said whether the memory suffices.
  template <typename T>
  void vector(std::vector<T>& to, std::size_t count) {
    bytes_ += sizeof(T) * static_cast<double>(count);
    filled_.emplace_back([&to, count] { to.resize(count); });
  }
  // Something that counts and allocates by itself.
  void other(double bytes, std::function<void()> allocate) {
    bytes_ += bytes;
    filled_.push_back(std::move(allocate));
  }

  [[nodiscard]] double bytes() const { return bytes_; }
  // Throws std::bad_alloc. Once; what was declared must still be where it was.
  void allocate() {
    for (const auto& it : plain_) it();
    for (const auto& it : filled_) it();
    plain_.clear();
    filled_.clear();
  }

 private:
  template <typename T>
  void add(double count, std::function<void()> allocate) {
    bytes_ += sizeof(T) * count;
    plain_.push_back(std::move(allocate));
  }

  double bytes_ = 0;
  std::vector<std::function<void()>> plain_;
  std::vector<std::function<void()>> filled_;
};

}  // namespace dladmm
