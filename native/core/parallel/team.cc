#include "core/parallel/team.hpp"

#include <algorithm>

#include "core/linalg/blas.hpp"
#include "core/parallel/relax.hpp"

namespace dladmm {
namespace {

// A pass ends for all members at nearly the same time: a short spin saves a trip through the kernel. It is bounded,
// because several trainings may share the processors.
constexpr int kSpins = 2000;

// At most blas::concurrent_calls() members of all teams in the process are at work at any time; the others wait for
// their turn. Members never wait for each other within a round, so every turn ends.
class Turn {
 public:
  Turn() {
    for (unsigned free = free_turns().load(std::memory_order_relaxed);;) {
      if (free == 0) {
        free_turns().wait(0, std::memory_order_relaxed);
        free = free_turns().load(std::memory_order_relaxed);
      } else if (free_turns().compare_exchange_weak(free, free - 1, std::memory_order_acquire)) {
        return;
      }
    }
  }
  ~Turn() {
    free_turns().fetch_add(1, std::memory_order_release);
    free_turns().notify_one();
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  static std::atomic<unsigned>& free_turns() {
    static std::atomic<unsigned> turns{blas::concurrent_calls()};
    return turns;
  }
};

}  // namespace

Team::Team(unsigned size) : size_(std::max(size, 1U)), failures_(size_) {
  members_.reserve(size_ - 1);
  try {
    for (unsigned member = 1; member < size_; ++member)
      members_.emplace_back([this, member] { wait_for_work(member); });
  } catch (...) {
    ending_.store(true);
    round_.fetch_add(1);
    round_.notify_all();
    for (auto& thread : members_) thread.join();
    throw;
  }
}

Team::~Team() {
  ending_.store(true);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& thread : members_) thread.join();
}

void Team::perform(unsigned member) noexcept {
  try {
    const Turn turn;
    call_(work_, member);
  } catch (...) {
    failures_[member] = std::current_exception();
  }
}

void Team::dispatch(Call call, void* work) {
  call_ = call;
  work_ = work;
  std::fill(failures_.begin(), failures_.end(), nullptr);
  if (size_ > 1) {
    busy_.store(size_ - 1, std::memory_order_relaxed);
    round_.fetch_add(1, std::memory_order_release);
    round_.notify_all();
  }
  perform(0);
  for (unsigned left = busy_.load(std::memory_order_acquire); left != 0; left = busy_.load(std::memory_order_acquire)) {
    wait_while(busy_, left, kSpins);
  }
  for (const auto& failure : failures_) {
    if (failure) std::rethrow_exception(failure);
  }
}

void Team::wait_for_work(unsigned member) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_while(round_, seen, kSpins);
    seen = round_.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_acquire)) return;
    perform(member);
    busy_.fetch_sub(1, std::memory_order_acq_rel);
    busy_.notify_one();
  }
}

}  // namespace dladmm
