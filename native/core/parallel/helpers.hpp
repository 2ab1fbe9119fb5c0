// Threads that help where they can. A team divides work beforehand and waits for its last member; on a machine that has
// other things to do, that member may not have begun. Here whoever is free takes the next piece, and the caller waits
// only for pieces that have been begun: alone it is as fast as alone.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <type_traits>
#include <vector>

namespace dladmm {

class Helpers {
 public:
  // `size` members: the thread that calls run() is member 0, the others are helpers. Throws where a thread cannot
  // start.
  explicit Helpers(unsigned size);
  ~Helpers();
  Helpers(const Helpers&) = delete;
  Helpers& operator=(const Helpers&) = delete;

  [[nodiscard]] unsigned size() const { return static_cast<unsigned>(threads_.size()) + 1; }

  // Whether helpers that sleep are worth waking, which takes longer than a short piece of work.
  enum class Sleepers { wake, leave };

  // Calls work(member, piece) once for every piece from 0 to below `pieces`, and returns when all have ended. `work`
  // must not throw. One thread at a time.
  template <typename Work>
  void run(std::size_t pieces, Sleepers sleepers, Work&& work) {
    using F = std::remove_reference_t<Work>;
    dispatch([](void* f, unsigned member, std::size_t piece) { (*static_cast<F*>(f))(member, piece); },
             const_cast<void*>(static_cast<const void*>(std::addressof(work))), pieces, sleepers);
  }

  static constexpr std::size_t kMaxPieces = (std::size_t{1} << 20) - 1;

 private:
  using Call = void (*)(void*, unsigned, std::size_t);

  void dispatch(Call call, void* work, std::size_t pieces, Sleepers sleepers);
  void take_pieces(unsigned member);
  void help(unsigned member);
  void end();

  Call call_ = nullptr;
  void* work_ = nullptr;
  // Round (24 bits), pieces of it (20), and the next that nobody has taken (20), in one word: what a helper takes
  // belongs to the round that it sees, however late it comes.
  std::atomic<std::uint64_t> next_{0};
  std::atomic<std::uint32_t> done_{0};
  std::atomic<std::uint32_t> round_{0};  // what helpers wait for
  std::atomic<bool> ending_{false};
  std::vector<std::thread> threads_;
};

}  // namespace dladmm
