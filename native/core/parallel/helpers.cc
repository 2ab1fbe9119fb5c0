#include "core/parallel/helpers.hpp"

#include <algorithm>
#include <cassert>

#include "core/parallel/relax.hpp"

namespace dladmm {
namespace {

// Long enough to be awake still when the next request of a busy server comes, and short enough to harm nobody.
constexpr int kHelperSpins = 4000;
constexpr int kCallerSpins = 2000;

constexpr int kBits = 20;
constexpr std::uint64_t kMask = (std::uint64_t{1} << kBits) - 1;

constexpr std::uint64_t next_of(std::uint64_t word) { return word & kMask; }
constexpr std::uint64_t pieces_of(std::uint64_t word) { return (word >> kBits) & kMask; }

}  // namespace

Helpers::Helpers(unsigned size) {
  threads_.reserve(std::max(size, 1U) - 1);
  try {
    for (unsigned member = 1; member < size; ++member) threads_.emplace_back([this, member] { help(member); });
  } catch (...) {
    end();
    throw;
  }
}

Helpers::~Helpers() { end(); }

void Helpers::end() {
  ending_.store(true);
  round_.fetch_add(1, std::memory_order_release);
  round_.notify_all();
  for (auto& thread : threads_) thread.join();
}

// A piece that has been taken keeps the caller here: what it reads is there until it is done.
void Helpers::take_pieces(unsigned member) {
  std::uint64_t word = next_.load(std::memory_order_acquire);
  while (next_of(word) < pieces_of(word)) {
    if (!next_.compare_exchange_weak(word, word + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
    const auto pieces = static_cast<std::uint32_t>(pieces_of(word));
    call_(work_, member, next_of(word));
    if (done_.fetch_add(1, std::memory_order_acq_rel) + 1 == pieces) done_.notify_all();
    word = next_.load(std::memory_order_acquire);
  }
}

void Helpers::dispatch(Call call, void* work, std::size_t pieces, Sleepers sleepers) {
  assert(pieces <= kMaxPieces);
  if (pieces == 0) return;
  if (threads_.empty() || pieces == 1) {
    for (std::size_t piece = 0; piece < pieces; ++piece) call(work, 0, piece);
    return;
  }
  call_ = call;
  work_ = work;
  done_.store(0, std::memory_order_relaxed);
  const std::uint64_t round = (next_.load(std::memory_order_relaxed) >> (2 * kBits)) + 1;
  next_.store((round << (2 * kBits)) | (static_cast<std::uint64_t>(pieces) << kBits), std::memory_order_release);
  round_.fetch_add(1, std::memory_order_release);
  if (sleepers == Sleepers::wake) round_.notify_all();
  take_pieces(0);
  const auto all = static_cast<std::uint32_t>(pieces);
  for (auto done = done_.load(std::memory_order_acquire); done != all; done = done_.load(std::memory_order_acquire)) {
    wait_while(done_, done, kCallerSpins);
  }
}

void Helpers::help(unsigned member) {
  std::uint32_t seen = 0;
  for (;;) {
    wait_while(round_, seen, kHelperSpins);
    seen = round_.load(std::memory_order_acquire);
    if (ending_.load(std::memory_order_acquire)) return;
    take_pieces(member);
  }
}

}  // namespace dladmm
