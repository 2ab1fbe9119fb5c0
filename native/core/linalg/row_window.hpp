// The rows of a RowFile that one thread is at work on, in memory of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cassert>
#include <cstddef>
#include <cstring>
#include <functional>
#include <span>

#include "core/linalg/matrix.hpp"
#include "core/runtime/row_file.hpp"

namespace dladmm {

class RowWindow {
 public:
  // What is used of the file from an address on: so many bytes as they are, and so many that are other ones afterwards.
  struct Use {
    std::byte* first;
    std::size_t read, written;
  };
  static constexpr std::size_t kMostUses = 12;

  RowWindow() = default;
  explicit RowWindow(std::size_t bytes) : room_(bytes) {}

  // While this lives the calling thread finds what it uses in the window; what is in memory, or has no room there,
  // where it lies. Throws FileFailure.
  class Open {
   public:
    Open(RowWindow& window, const RowFile& file, std::span<const Use> uses) : window_(window), file_(file) {
      window_.take(file, uses);
      of_this_thread() = &window_;
    }
    ~Open() { of_this_thread() = nullptr; }
    Open(const Open&) = delete;
    Open& operator=(const Open&) = delete;

    // What was written goes to the file: whoever leaves without that has written nothing.
    void keep() const { window_.keep(file_); }

   private:
    RowWindow& window_;
    const RowFile& file_;
  };

  // Where the calling thread finds what lies there in the file.
  template <typename T>
  [[nodiscard]] static T* find(T* at) {
    const RowWindow* const window = of_this_thread();
    return window == nullptr ? at : window->here(at);
  }

 private:
  struct Part {
    std::byte* first;
    std::byte* here;
    std::size_t bytes, read, written;
  };
  static constexpr std::size_t kLine = 64;

  [[nodiscard]] static const RowWindow*& of_this_thread() {
    static thread_local const RowWindow* window = nullptr;
    return window;
  }

  template <typename T>
  [[nodiscard]] T* here(T* at) const {
    const auto* const address = reinterpret_cast<const std::byte*>(at);
    for (const Part& part : std::span(parts_).first(count_)) {
      if (std::less_equal<>()(part.first, address) && std::less<>()(address, part.first + part.bytes)) {
        return reinterpret_cast<T*>(part.here + (address - part.first));
      }
    }
    return at;
  }

  void take(const RowFile& file, std::span<const Use> uses) {
    count_ = 0;
    std::size_t taken = 0;
    for (const auto& [first, read, written] : uses) {
      const std::size_t bytes = std::max(read, written);
      if (file.holds(first, bytes) || count_ == parts_.size() || bytes > room_.size() - taken) continue;
      std::byte* const here = room_.data() + taken;
      file.read(first, {here, read});
      parts_[count_++] = {first, here, bytes, read, written};
      taken = std::min(room_.size(), taken + (bytes + kLine - 1) / kLine * kLine);
    }
  }

  void keep(const RowFile& file) const {
    for (const Part& part : std::span(parts_).first(count_)) {
      // What was only to be read is as it was.
      assert(part.written != 0 || std::memcmp(part.here, part.first, part.read) == 0);
      if (part.written != 0) file.write({part.here, part.written}, part.first);
    }
  }

  Buffer<std::byte> room_;
  std::array<Part, kMostUses> parts_{};
  std::size_t count_ = 0;
};

}  // namespace dladmm
