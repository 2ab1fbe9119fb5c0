// The team and the pool behind it: every piece once a round, by whoever is free, whatever the work throws and whatever
// else the machine does.
#include "core/runtime/team.hpp"

#include <array>
#include <atomic>
#include <cfloat>
#include <chrono>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/library.hpp"
#include "core/runtime/processors.hpp"
#include "core/runtime/subnormals.hpp"
#include "core/runtime/trace.hpp"
#include "test/check.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr double kMuch = 1e12;  // flops that are worth every thread

void every_piece_once_a_round() {
  for (unsigned size = 1; size <= 5; ++size) {
    Team team(size);
    check_equal(team.size(), size, "size");
    for (const std::size_t pieces : {0, 1, 2, 3, 7, 64, 1000, 70000, 200000}) {
      // Plain numbers, each piece its own: what run() orders must be visible without atomics.
      std::vector<int> calls(pieces, 0);
      const int rounds = pieces > 1000 ? 3 : 300;
      for (int round = 0; round < rounds; ++round) {
        team.run(pieces, kMuch, [&](std::size_t piece, unsigned) { ++calls[piece]; });
        bool together = true;
        for (const int count : calls) together = together && count == round + 1;
        if (!together) return check(false, text("every piece before run() returned, size ", size, " round ", round));
      }
      check(true, "all rounds");
    }
  }
}

void no_two_pieces_share_a_member() {
  Team team(4);
  std::array<std::atomic<int>, 4> within{};
  std::atomic<bool> apart{true};
  for (int round = 0; round < 50; ++round) {
    team.run(40, kMuch, [&](std::size_t, unsigned member) {
      if (member >= 4 || within[member]++ != 0) apart = false;
      std::this_thread::sleep_for(std::chrono::microseconds(20));
      --within[member];
    });
  }
  check(apart.load(), "a member is below size() and at one piece at a time");
}

void small_rounds_stay_with_the_caller() {
  Team team(4);
  bool here = true;
  const auto caller = std::this_thread::get_id();
  team.run(100, 1e5, [&](std::size_t, unsigned member) {
    here = here && member == 0 && std::this_thread::get_id() == caller;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  });
  check(here, "no other thread took part");
}

// They sleep once they have waited for a while; the next round must wake them, and the caller must sleep through a
// piece that takes long.
void idle_threads_wake_up() {
  Team team(3);
  std::vector<int> calls(30, 0);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    team.run(30, kMuch, [&](std::size_t piece, unsigned) {
      ++calls[piece];
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    });
  }
  std::atomic<unsigned> others{0};
  for (int round = 0; round < 200 && others == 0; ++round) {
    team.run(3, kMuch, [&](std::size_t piece, unsigned member) {
      others += member == 0 ? 0 : 1;
      std::this_thread::sleep_for(std::chrono::milliseconds(piece == 0 ? 1 : 20));
    });
  }
  check(others > 0, "others took part");
  for (const int count : calls) check_equal(count, 20, "calls of one piece");
}

void exceptions_come_out_of_run() {
  for (unsigned size = 1; size <= 5; ++size) {
    Team team(size);
    for (std::size_t thrower = 0; thrower < 6; ++thrower) {
      std::string caught;
      try {
        team.run(6, kMuch, [&](std::size_t piece, unsigned) {
          if (piece >= thrower) throw std::runtime_error("piece " + std::to_string(piece));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      check_equal(caught, "piece " + std::to_string(thrower), "the lowest piece that threw");
    }
    std::atomic<unsigned> calls{0};
    team.run(6, kMuch, [&](std::size_t, unsigned) { ++calls; });
    check_equal(calls.load(), 6U, "a failure does not stay for the next round");
  }
}

void a_round_within_a_round_is_refused() {
  Team team(2);
  Team other(2);
  unsigned refused = 0;
  for (Team* const inner : {&team, &other}) {
    try {
      team.run(2, kMuch, [&](std::size_t, unsigned) { inner->run(2, kMuch, [](std::size_t, unsigned) {}); });
    } catch (const std::logic_error&) {
      ++refused;
    }
  }
  check_equal(refused, 2U, "refused");
  unsigned calls = 0;
  team.run(1, 0, [&](std::size_t, unsigned) { ++calls; });
  check_equal(calls, 1U, "and the thread may begin rounds again");
}

void size_zero_is_one_member() {
  check_equal(Team(0).size(), 1U, "size");
  check_equal(Team(1U << 20).size(), concurrent_blas_calls(), "no more than the BLAS bears");
}

void a_team_costs_no_threads() {
  Team first(3);
  for (int round = 0; round < 3; ++round) first.run(64, kMuch, [](std::size_t, unsigned) {});
  const unsigned before = pool_threads();
  check(before >= 2, "the pool has grown to what a team asked for");
  std::vector<std::unique_ptr<Team>> teams;
  for (int i = 0; i < 200; ++i) {
    teams.push_back(std::make_unique<Team>(3));
    teams.back()->run(64, kMuch, [](std::size_t, unsigned) {});
  }
  check_equal(pool_threads(), before, "200 teams, one after the other, use the same threads");
}

// OpenBLAS has a buffer for so many calls at once and no more: any number of trainings may run side by side, but not
// all of their threads at the same moment.
void no_more_at_work_than_blas_bears() {
  const unsigned limit = concurrent_blas_calls();
  check(limit >= 25, "there is room for a team");
  const unsigned teams = 2 * limit;
  std::atomic<unsigned> at_work{0};
  std::atomic<unsigned> most{0};
  std::atomic<unsigned> calls{0};
  std::vector<std::thread> callers;
  for (unsigned c = 0; c < teams; ++c) {
    callers.emplace_back([&] {
      Team team(4);
      for (int round = 0; round < 2; ++round) {
        team.run(8, kMuch, [&](std::size_t, unsigned) {
          const unsigned now = ++at_work;
          for (unsigned before = most; before < now && !most.compare_exchange_weak(before, now);) {
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          std::vector<float> x(64 * 64, 1.0F);
          std::vector<float> out(64 * 64);
          const MatrixView<const float> in(x.data(), 64, 64);
          blas::gemm<float>(blas::Op::none, blas::Op::transpose, 1, in, in, 0, {out.data(), 64, 64});
          calls += out[64 * 64 - 1] == 64 ? 1 : 0;
          --at_work;
        });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  check_equal(calls.load(), teams * 8 * 2, "every piece of every team");
  check_at_most(most.load(), limit, "members at work at once");
}

void many_teams_under_load() {
  std::atomic<bool> done{false};
  std::vector<std::thread> load;
  for (int i = 0; i < 3; ++i) {
    load.emplace_back([&] {
      while (!done.load()) std::this_thread::yield();
    });
  }
  std::vector<std::thread> callers;
  std::array<unsigned, 6> sums{};
  for (unsigned c = 0; c < sums.size(); ++c) {
    callers.emplace_back([&sums, c] {
      Team team(c + 1);
      std::vector<unsigned> own(c + 1, 0);
      for (unsigned round = 0; round < 300; ++round) {
        team.run(own.size(), kMuch, [&](std::size_t piece, unsigned) { own[piece] += 1; });
      }
      for (const unsigned value : own) sums[c] += value;
    });
  }
  for (auto& caller : callers) caller.join();
  done = true;
  for (auto& thread : load) thread.join();
  for (unsigned c = 0; c < sums.size(); ++c) check_equal(sums[c], 300 * (c + 1), "calls of one of several teams");
}

// The product of two numbers, found at run time; 0 where subnormals are flushed.
float product(float a, float b) {
  const volatile float x = a;
  const volatile float y = b;
  return x * y;
}

void subnormals_are_flushed_within_rounds_only() {
  const auto flushed = [] { return product(FLT_MIN, 0.5F) == 0 && product(FLT_TRUE_MIN, 1e30F) == 0; };
  check(!flushed(), "not before");
  const bool can = [&] {
    const FlushSubnormals flush;
    return flushed();
  }();
  if (!can) {
    std::printf("left out: this processor, as valgrind's, does not flush subnormals\n");
    return;
  }
  Team team(4);
  std::atomic<unsigned> helpers{0};
  std::atomic<bool> everywhere{true};
  for (int round = 0; round < 500 && helpers < 3; ++round) {
    team.run(16, kMuch, [&](std::size_t, unsigned member) {
      if (!flushed()) everywhere = false;
      helpers += member == 0 ? 0 : 1;
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    });
  }
  check(helpers >= 3, "pool threads took part");
  check(everywhere.load(), "on every thread of a round");
  check(!flushed(), "and not after it on the thread that called");
  team.run(1, 0, [&](std::size_t, unsigned) { check(flushed(), "in a round that the caller runs alone"); });
  {
    const AtWork here;
    check(flushed(), "between the rounds of a sweep");
    team.run(2, 0, [](std::size_t, unsigned) {});
    check(flushed(), "a round leaves it so");
  }
  check(!flushed(), "and no longer");
}

void rounds_of_several_threads_are_written_down_whole() {
  static_cast<void>(Trace::take(true));
  std::vector<std::thread> callers;
  for (unsigned c = 0; c < 4; ++c) {
    callers.emplace_back([] {
      Team team(1);
      for (int round = 0; round < 500; ++round) team.run(3, 7, [](std::size_t, unsigned) {});
    });
  }
  for (std::thread& caller : callers) caller.join();
  const std::vector<double> numbers = Trace::take(false);
  check_equal(numbers.size(), std::size_t{4 * 500 * 6}, "numbers");
  for (std::size_t at = 0; at < numbers.size(); at += 6) {
    if (numbers[at + 1] != 7 || numbers[at + 2] != 3) return check(false, "flops and pieces of every round");
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("every piece runs once a round", every_piece_once_a_round);
  fact("no two pieces at work share a member", no_two_pieces_share_a_member);
  fact("small rounds stay with the caller", small_rounds_stay_with_the_caller);
  fact("idle threads wake up", idle_threads_wake_up);
  fact("exceptions come out of run()", exceptions_come_out_of_run);
  fact("a round within a round is refused", a_round_within_a_round_is_refused);
  fact("size 0 is one member", size_zero_is_one_member);
  fact("a team costs no threads", a_team_costs_no_threads);
  fact("no more members at work at once than BLAS bears", no_more_at_work_than_blas_bears);
  fact("many teams at once, under load", many_teams_under_load);
  fact("subnormals are flushed within rounds only", subnormals_are_flushed_within_rounds_only);
  fact("rounds of several threads are written down whole", rounds_of_several_threads_are_written_down_whole);
  return report();
}
