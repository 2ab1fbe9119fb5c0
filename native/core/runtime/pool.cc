#include "core/runtime/pool.hpp"

#include <algorithm>
#include <bit>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "core/runtime/processors.hpp"
#include "core/runtime/trace.hpp"

namespace dladmm {
namespace {

// Longer than most of what lies between two rounds of a training, and short enough to harm nobody.
constexpr auto kAwake = std::chrono::microseconds(100);
// What is worth a thread: some 20 µs of AVX-512 products, ten times what it takes to hand them over.
std::atomic<double> flops_a_thread{3e6};
// A team that lost time by helpers works alone for so many times as long: it loses a ninth at most.
constexpr int kRest = 8;

constexpr std::uint64_t kMostClaims = 0xFFFF;
constexpr std::uint64_t round_of(std::uint64_t word) { return word >> 32; }
constexpr std::uint64_t claims_of(std::uint64_t word) { return (word >> 16) & kMostClaims; }
constexpr std::uint64_t next_of(std::uint64_t word) { return word & kMostClaims; }

thread_local unsigned depth_at_work = 0;
thread_local bool within_piece = false;
thread_local const std::atomic<bool>* asked_to_stop = nullptr;

class WithinPiece {
 public:
  WithinPiece() { within_piece = true; }
  ~WithinPiece() { within_piece = false; }
  WithinPiece(const WithinPiece&) = delete;
  WithinPiece& operator=(const WithinPiece&) = delete;
};

void run_claim(Lane& lane, std::size_t claim, unsigned member) noexcept {
  const std::size_t end = std::min((claim + 1) * lane.stride, lane.pieces);
  for (std::size_t piece = claim * lane.stride; piece < end; ++piece) {
    try {
      lane.task.call(lane.task.work, piece, member);
    } catch (...) {
      const std::lock_guard lock(lane.mutex);
      if (lane.failure && lane.failed_piece < piece) continue;
      lane.failure = std::current_exception();
      lane.failed_piece = piece;
    }
  }
}

// Takes claims of the round until none is left; answers how many. A claim that has been taken keeps the owner: what it
// reads is there until it is done.
std::uint32_t take_claims(Lane& lane, std::uint64_t round, unsigned member) {
  const WithinPiece here;
  std::uint32_t taken = 0;
  std::uint64_t word = lane.next.load(std::memory_order_acquire);
  while (round_of(word) == round && next_of(word) < claims_of(word)) {
    if (!lane.next.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_acquire))
      continue;
    run_claim(lane, next_of(word), member);
    ++taken;
    const auto all = static_cast<std::uint32_t>(claims_of(word));
    if (lane.done.fetch_add(1) + 1 == all && lane.owner_sleeps.load()) wake(lane.done, 1);
    word = lane.next.load(std::memory_order_acquire);
  }
  return taken;
}

}  // namespace

Pool& Pool::instance() {
  static Pool* const pool = new Pool();
  return *pool;
}

Pool::Pool() : limit_(std::max(concurrent_blas_calls(), 1U)), room_(limit_) { measure_processors(); }

void Pool::measure_processors() { processors_.store(dladmm::processors().available, std::memory_order_relaxed); }

// How long a thread that has nothing to do stays awake: not at all where another could use its processor.
Clock::duration Pool::patience() const {
  const unsigned threads = threads_.load(std::memory_order_relaxed);
  const unsigned awake = threads - std::min(threads, asleep_.load(std::memory_order_relaxed));
  const bool room = at_work_.load(std::memory_order_relaxed) + awake <= processors_.load(std::memory_order_relaxed);
  return room ? Clock::duration(kAwake) : Clock::duration::zero();
}

bool Pool::try_enter() {
  for (std::uint32_t room = room_.load(std::memory_order_relaxed); room != 0;) {
    if (room_.compare_exchange_weak(room, room - 1, std::memory_order_acquire)) return true;
  }
  return false;
}

// Nobody who is inside waits for anybody outside, so a turn comes.
void Pool::enter() {
  while (!try_enter()) {
    queue_.fetch_add(1);
    sleep_while(room_, 0);
    queue_.fetch_sub(1);
  }
}

void Pool::leave() {
  room_.fetch_add(1);
  if (queue_.load() != 0) wake(room_, 1);
}

bool Pool::admit_caller() {
  const unsigned callers = callers_.fetch_add(1, std::memory_order_relaxed) + 1;
  if (reserve_blas_buffers(std::min(callers + helping_.load(std::memory_order_relaxed), limit_))) return true;
  dismiss_caller();
  return false;
}

// A helper that would have to ask the system for a buffer, and gets none, is of no help: BLAS would ask for ever.
bool Pool::try_help() {
  const unsigned helping = helping_.fetch_add(1, std::memory_order_relaxed) + 1;
  const unsigned callers = std::max(callers_.load(std::memory_order_relaxed), at_work_.load(std::memory_order_relaxed));
  if (reserve_blas_buffers(std::min(callers + helping, limit_)) && try_enter()) return true;
  helping_.fetch_sub(1, std::memory_order_relaxed);
  return false;
}

Lane* Pool::take_lane() {
  for (std::uint64_t open = open_.load(std::memory_order_relaxed); ~open != 0;) {
    const int lane = std::countr_one(open);
    if (open_.compare_exchange_weak(open, open | (std::uint64_t{1} << lane), std::memory_order_acquire)) {
      return &lanes_[static_cast<std::size_t>(lane)];
    }
  }
  return nullptr;
}

void Pool::give_back(const Lane& lane) {
  open_.fetch_and(~(std::uint64_t{1} << (&lane - lanes_.data())), std::memory_order_release);
}

std::optional<Clock::duration> Pool::share(const Round& round) {
  Lane* const lane = take_lane();
  if (lane == nullptr) return std::nullopt;
  // More threads than one round asks for serve several at once, as far as there are processors.
  const unsigned wanted = wanted_.fetch_add(round.helpers, std::memory_order_relaxed) + round.helpers;
  grow(std::max(round.helpers, std::min(wanted, processors_.load(std::memory_order_relaxed))));

  lane->task = round.task;
  lane->pieces = round.pieces;
  lane->stride = (round.pieces + kMostClaims - 1) / kMostClaims;
  lane->helpers = round.helpers;
  lane->done.store(0, std::memory_order_relaxed);
  const auto claims = static_cast<std::uint32_t>((round.pieces + lane->stride - 1) / lane->stride);
  const std::uint64_t number = (round_of(lane->next.load(std::memory_order_relaxed)) + 1) & 0xFFFFFFFF;
  lane->seats.store(number << 32 | round.helpers, std::memory_order_relaxed);
  lane->next.store(number << 32 | std::uint64_t{claims} << 16, std::memory_order_release);

  const auto began = Clock::now();
  opened_.fetch_add(1);
  const unsigned asleep = asleep_.load();
  const unsigned watching = std::min(watching_.load(std::memory_order_relaxed), round.helpers);
  const unsigned missing = std::min(asleep, round.helpers - watching);
  if (missing != 0 && round.sleepers == Sleepers::wake) wake(opened_, missing);
  const auto told = Clock::now();

  const std::uint32_t own = take_claims(*lane, number, 0);
  const auto finished = Clock::now();
  for (auto done = lane->done.load(std::memory_order_acquire); done != claims;) {
    if (!watch(lane->done, done, patience())) {
      lane->owner_sleeps.store(true);
      // Those that finish from here on see that somebody is to be woken; those before are counted now.
      if (lane->done.load() == done) sleep_while(lane->done, done);
      lane->owner_sleeps.store(false, std::memory_order_relaxed);
    }
    done = lane->done.load(std::memory_order_acquire);
  }
  const auto ended = Clock::now();
  wanted_.fetch_sub(round.helpers, std::memory_order_relaxed);
  const std::exception_ptr failure = std::exchange(lane->failure, nullptr);
  give_back(*lane);
  if (failure) std::rethrow_exception(failure);
  if (own == 0) return Clock::duration::zero();
  return (finished - told) / own * (claims - own) - (ended - finished) - (told - began);
}

void Pool::grow(unsigned threads) {
  threads = std::min(threads, limit_ - 1);
  if (threads_.load(std::memory_order_relaxed) >= threads) return;
  const std::lock_guard lock(growth_);
  try {
    for (unsigned now = threads_.load(std::memory_order_relaxed); now < threads; ++now) {
      std::thread([this, now] { serve(now); }).detach();
      threads_.store(now + 1, std::memory_order_relaxed);
    }
  } catch (const std::system_error&) {
    // Those that there are do it too.
  }
}

void Pool::serve(unsigned thread) {
  const FlushSubnormals flush;
  unsigned last_lane = thread;
  for (;;) {
    const std::uint32_t seen = opened_.load(std::memory_order_acquire);
    if (help(last_lane)) continue;
    watching_.fetch_add(1, std::memory_order_relaxed);
    const bool changed = watch(opened_, seen, patience());
    watching_.fetch_sub(1, std::memory_order_relaxed);
    if (changed) continue;
    asleep_.fetch_add(1);
    sleep_while(opened_, seen);
    asleep_.fetch_sub(1);
  }
}

// Helps in the next open round after the one that it has been in, so that all have their turn.
bool Pool::help(unsigned& last_lane) {
  const std::uint64_t open = open_.load(std::memory_order_acquire);
  for (unsigned i = 1; i <= kLanes && open != 0; ++i) {
    const unsigned lane = (last_lane + i) % kLanes;
    if ((open >> lane & 1) == 0 || !help_in(lanes_[lane])) continue;
    last_lane = lane;
    return true;
  }
  return false;
}

bool Pool::help_in(Lane& lane) {
  const std::uint64_t word = lane.next.load(std::memory_order_acquire);
  if (next_of(word) >= claims_of(word)) return false;
  std::uint64_t seats = lane.seats.load(std::memory_order_relaxed);
  const auto seat_free = [&] { return round_of(seats) == round_of(word) && (seats & 0xFFFFFFFF) != 0; };
  if (!seat_free() || !try_help()) return false;
  bool helped = false;
  while (seat_free()) {
    // The number of seats that were free names the member: from `helpers` down to 1.
    if (!lane.seats.compare_exchange_weak(seats, seats - 1, std::memory_order_acq_rel)) continue;
    helped = take_claims(lane, round_of(word), static_cast<unsigned>(seats & 0xFFFFFFFF)) != 0;
    break;
  }
  leave();
  helping_.fetch_sub(1, std::memory_order_relaxed);
  return helped;
}

AtWork::AtWork(const std::atomic<bool>* stop) : before_(asked_to_stop) {
  if (stop != nullptr) asked_to_stop = stop;
  if (depth_at_work++ == 0) Pool::instance().came_to_work();
}
AtWork::~AtWork() {
  asked_to_stop = before_;
  if (--depth_at_work == 0) Pool::instance().left_work();
}

bool stop_asked() { return asked_to_stop != nullptr && asked_to_stop->load(std::memory_order_relaxed); }

BlasBuffer::BlasBuffer() {
  if (!Pool::instance().admit_caller()) throw NoBlasBuffer();
}
BlasBuffer::~BlasBuffer() { Pool::instance().dismiss_caller(); }

Team::Team(unsigned threads) : size_(std::clamp(threads, 1U, std::max(concurrent_blas_calls(), 1U))) {
  if (size_ > 1) Pool::instance().measure_processors();
}

void Team::dispatch(Task task, std::size_t pieces, double flops, Sleepers sleepers) {
  if (within_piece) throw std::logic_error("a round of a team was begun within a piece of another");
  if (pieces == 0) return;
  const AtWork here;
  struct Inside {
    Inside() { Pool::instance().enter(); }
    ~Inside() { Pool::instance().leave(); }
  } const inside;
  const double smallest = flops_a_thread.load(std::memory_order_relaxed);
  const auto most = static_cast<double>(std::min<std::size_t>(pieces, size_));
  const double worth = smallest > 0 ? std::min(flops / smallest, most) : most;
  const auto resting = [&] {
    return smallest > 0 &&
           Clock::now().time_since_epoch() < std::chrono::nanoseconds(alone_until_.load(std::memory_order_relaxed));
  };
  if (worth >= 2 && !resting()) {
    const auto saved = Pool::instance().share({task, pieces, static_cast<unsigned>(worth) - 1, sleepers});
    if (saved && *saved < Clock::duration::zero()) {
      const std::chrono::nanoseconds until = (Clock::now() - kRest * *saved).time_since_epoch();
      alone_until_.store(until.count(), std::memory_order_relaxed);
    }
    if (saved) return;
  }
  const WithinPiece within;
  Trace trace(pieces, flops);
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    task.call(task.work, piece, 0);
    trace.piece_ended();
  }
}

void share_rounds_of(double flops) { flops_a_thread.store(flops, std::memory_order_relaxed); }

unsigned pool_threads() { return Pool::instance().threads(); }

}  // namespace dladmm
