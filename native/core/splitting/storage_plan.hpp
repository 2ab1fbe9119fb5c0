// What a state is to hold, declared once: the plan counts the bytes, allocates, and says what is written out.
//
//     declare(plan)        plan.rows(x_, samples, widths[0]); plan.rows(z, samples, n, {&sections_, "z.1"}); …
//     State(setup)         declare(plan) and plan.allocate()
//     required_bytes       declare(plan) of a state that is never allocated, and plan.bytes()
//     sections()           sections_(), the list of all that has a name
#pragma once

#include <cstddef>
#include <functional>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/runtime/row_file.hpp"

namespace dladmm {

// The parts of a state that are written out, found when they are asked for.
class SectionList {
 public:
  template <typename Part>
  void add(std::string name, Part& part, bool by_sample = false) {
    parts_.emplace_back([name = std::move(name), &part, by_sample] {
      Section made = section(name, part);
      made.by_sample = by_sample;
      return made;
    });
  }
  [[nodiscard]] std::vector<Section> operator()() const {
    std::vector<Section> all;
    all.reserve(parts_.size());
    for (const auto& it : parts_) all.push_back(it());
    return all;
  }

 private:
  std::vector<std::function<Section()>> parts_;
};

// What is given a name goes into a list of sections besides, under that name.
struct StorageName {
  SectionList* list = nullptr;
  std::string name;
};

class StoragePlan {
 public:
  using Name = StorageName;

  // With a file, rows of samples lie there; it is made for disk_bytes() before allocate().
  explicit StoragePlan(RowFile* file = nullptr) : file_(file) {}

  // A row a sample.
  template <typename T>
  void rows(Matrix<T>& to, std::size_t rows, std::size_t columns, Name name = {}) {
    if (file_ == nullptr) {
      matrix(to, rows, columns);
    } else {
      add_rows<T>(rows, columns, [&to, rows, columns](T* at) { to = {at, rows, columns}; });
    }
    save(std::move(name), to, true);
  }
  template <typename T>
  void rows(Buffer<T>& to, std::size_t rows, std::size_t columns) {
    if (file_ == nullptr) return buffer(to, rows, columns);
    add_rows<T>(rows, columns, [&to, rows, columns](T* at) { to = {at, rows * columns}; });
  }
  template <typename T>
  void matrix(Matrix<T>& to, std::size_t rows, std::size_t columns, Name name = {}) {
    add<T>(static_cast<double>(rows) * static_cast<double>(columns), [&to, rows, columns] { to = {rows, columns}; });
    save(std::move(name), to);
  }
  template <typename T>
  void buffer(Buffer<T>& to, std::size_t count) {
    add<T>(static_cast<double>(count), [&to, count] { to = Buffer<T>(count); });
  }
  // rows · columns numbers, which may be more than can be counted.
  template <typename T>
  void buffer(Buffer<T>& to, std::size_t rows, std::size_t columns) {
    add<T>(static_cast<double>(rows) * static_cast<double>(columns), [&to, rows, columns] {
      if (columns != 0 && rows > std::numeric_limits<std::size_t>::max() / columns) throw std::bad_alloc();
      to = Buffer<T>(rows * columns);
    });
  }
  // Filled with zeros at once: such are allocated last, when the larger ones have said whether the memory suffices.
  template <typename T>
  void vector(std::vector<T>& to, std::size_t count, Name name = {}) {
    bytes_ += sizeof(T) * static_cast<double>(count);
    filled_.emplace_back([&to, count] { to.resize(count); });
    save(std::move(name), to);
  }
  // Something that counts by itself, and is made at the end.
  void other(double bytes, std::function<void()> allocate) {
    bytes_ += bytes;
    filled_.push_back(std::move(allocate));
  }

  // The same of what takes required_bytes(of …) and is made of these.
  template <typename Made, typename... Of>
  void made(Made& to, const Of&... of) {
    other(Made::required_bytes(of...), [&to, of...] { to = Made(of...); });
  }

  // In memory.
  [[nodiscard]] double bytes() const { return bytes_; }
  [[nodiscard]] double disk_bytes() const { return disk_bytes_; }
  // Throws std::bad_alloc. Once; what was declared must still be where it was.
  void allocate() {
    if (bytes_ > kAddressable) throw std::bad_alloc();
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
  template <typename T, typename Place>
  void add_rows(std::size_t rows, std::size_t columns, Place place) {
    disk_bytes_ += RowFile::bytes_of(static_cast<double>(rows), sizeof(T) * static_cast<double>(columns));
    plain_.emplace_back(
        [this, rows, columns, place] { place(reinterpret_cast<T*>(file_->take(rows, sizeof(T) * columns))); });
  }
  template <typename Part>
  static void save(Name name, Part& part, bool by_sample = false) {
    if (name.list != nullptr) name.list->add(std::move(name.name), part, by_sample);
  }

  // No process has more addresses than that, and no library need be asked for them.
  static constexpr double kAddressable = 0x1p47;

  RowFile* file_;
  double bytes_ = 0;
  double disk_bytes_ = 0;
  std::vector<std::function<void()>> plain_;
  std::vector<std::function<void()>> filled_;
};

}  // namespace dladmm
