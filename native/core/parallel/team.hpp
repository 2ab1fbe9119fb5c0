// The team of threads: everything that runs in parallel runs here, each member calling single-threaded BLAS.
#pragma once

#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace dladmm {

// `size` members: the thread that calls run() is member 0, the others wait between runs.
class Team {
 public:
  explicit Team(unsigned size);
  ~Team();
  Team(const Team&) = delete;
  Team& operator=(const Team&) = delete;

  [[nodiscard]] unsigned size() const { return size_; }

  // Calls work(member) once on every member and returns when all have ended. The first exception, by member, is
  // rethrown here.
  template <typename Work>
  void run(Work&& work) {
    using F = std::remove_reference_t<Work>;
    dispatch([](void* f, unsigned member) { (*static_cast<F*>(f))(member); },
             const_cast<void*>(static_cast<const void*>(std::addressof(work))));
  }

 private:
  using Call = void (*)(void*, unsigned);

  void dispatch(Call call, void* work);
  void wait_for_work(unsigned member);
  void perform(unsigned member) noexcept;

  const unsigned size_;
  Call call_ = nullptr;
  void* work_ = nullptr;
  std::vector<std::exception_ptr> failures_;
  std::atomic<std::uint32_t> round_{0};
  std::atomic<unsigned> busy_{0};
  std::atomic<bool> ending_{false};
  std::vector<std::thread> members_;
};

}  // namespace dladmm
