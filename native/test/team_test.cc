// The team: every member once a round, for as many rounds as asked, whatever the work throws.
#include "core/parallel/team.hpp"

#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/library.hpp"
#include "test/check.hpp"

namespace {

using dladmm::Team;
using namespace dladmm::test;

void every_member_once_a_round() {
  for (unsigned size = 1; size <= 5; ++size) {
    Team team(size);
    check_equal(team.size(), size, "size");
    constexpr int rounds = 1000;
    // Plain numbers, each member its own: what run() orders must be visible without atomics.
    std::vector<int> calls(size, 0);
    for (int round = 0; round < rounds; ++round) {
      team.run([&](unsigned member) { ++calls[member]; });
      bool together = true;
      for (const int count : calls) together = together && count == round + 1;
      if (!together) return check(false, text("every member ran before run() returned, size ", size, " round ", round));
    }
    for (const int count : calls) check_equal(count, rounds, text("calls of one member of ", size));
  }
}

void members_are_different_threads() {
  Team team(4);
  std::array<std::thread::id, 4> ids;
  team.run([&](unsigned member) { ids[member] = std::this_thread::get_id(); });
  check(ids[0] == std::this_thread::get_id(), "member 0 is the caller");
  for (std::size_t i = 0; i < ids.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) check(ids[i] != ids[j], "two members are two threads");
  }
  auto before = ids;
  team.run([&](unsigned member) { ids[member] = std::this_thread::get_id(); });
  check(ids == before, "a member stays the same thread");
}

// The members wait in the kernel once the spin is over; the next round must wake them.
void idle_members_wake_up() {
  Team team(3);
  std::vector<int> calls(3, 0);
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    team.run([&](unsigned member) { ++calls[member]; });
  }
  // And the caller must sleep through a member that takes long.
  team.run([&](unsigned member) {
    if (member == 1) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    ++calls[member];
  });
  for (const int count : calls) check_equal(count, 21, "calls");
}

void exceptions_come_out_of_run() {
  for (unsigned size = 1; size <= 5; ++size) {
    Team team(size);
    for (unsigned thrower = 0; thrower < size; ++thrower) {
      std::vector<int> calls(size, 0);
      std::string caught;
      try {
        team.run([&](unsigned member) {
          ++calls[member];
          if (member == thrower) throw std::runtime_error("member " + std::to_string(member));
        });
      } catch (const std::runtime_error& error) {
        caught = error.what();
      }
      check_equal(caught, "member " + std::to_string(thrower), "what run() threw");
      for (const int count : calls) check_equal(count, 1, "the others ran all the same");
    }
    // Of several, the first by member.
    std::string caught;
    try {
      team.run([&](unsigned member) {
        if (member + 2 >= size) throw std::runtime_error(std::to_string(member));
      });
    } catch (const std::runtime_error& error) {
      caught = error.what();
    }
    check_equal(caught, std::to_string(size >= 2 ? size - 2 : 0), "the first of several");
    std::atomic<unsigned> calls{0};
    team.run([&](unsigned) { ++calls; });
    check_equal(calls.load(), size, "a failure does not stay for the next round");
  }
}

void size_zero_is_one_member() {
  Team team(0);
  check_equal(team.size(), 1U, "size");
  int calls = 0;
  team.run([&](unsigned) { ++calls; });
  check_equal(calls, 1, "calls");
}

// OpenBLAS has a buffer for so many calls at once and no more: any number of trainings may run side by side, but not
// all of their threads at the same moment.
void no_more_at_work_than_blas_bears() {
  const unsigned limit = dladmm::blas::concurrent_calls();
  check(limit >= 25, "there is room for a team");
  const unsigned teams = limit / 32 + 2;
  std::atomic<unsigned> at_work{0};
  std::atomic<unsigned> most{0};
  std::atomic<unsigned> calls{0};
  std::vector<std::thread> callers;
  for (unsigned c = 0; c < teams; ++c) {
    callers.emplace_back([&] {
      Team team(32);
      for (int round = 0; round < 3; ++round) {
        team.run([&](unsigned) {
          const unsigned now = ++at_work;
          for (unsigned before = most; before < now && !most.compare_exchange_weak(before, now);) {
          }
          std::this_thread::sleep_for(std::chrono::milliseconds(2));
          std::vector<float> x(64 * 64, 1.0F);
          std::vector<float> out(64 * 64);
          const dladmm::MatrixView<const float> in(x.data(), 64, 64);
          dladmm::blas::gemm<float>(dladmm::blas::Op::none, dladmm::blas::Op::transpose, 1, in, in, 0,
                                    {out.data(), 64, 64});
          calls += out[64 * 64 - 1] == 64 ? 1 : 0;
          --at_work;
        });
      }
    });
  }
  for (auto& caller : callers) caller.join();
  check_equal(calls.load(), teams * 32 * 3, "every member of every team did its work");
  check_at_most(most.load(), limit, "members at work at once");
}

void made_and_ended_under_load() {
  std::atomic<bool> done{false};
  std::vector<std::thread> load;
  for (int i = 0; i < 3; ++i) {
    load.emplace_back([&] {
      while (!done.load()) std::this_thread::yield();
    });
  }
  for (unsigned i = 0; i < 150; ++i) {
    Team never_used(i % 5 + 1);
    Team team(i % 5 + 1);
    std::atomic<unsigned> calls{0};
    for (unsigned round = 0; round < i % 3; ++round) team.run([&](unsigned) { ++calls; });
    if (calls != (i % 3) * team.size()) check(false, text("calls of team ", i));
  }
  // Several teams at work at once, each for its own caller.
  std::vector<std::thread> callers;
  std::array<unsigned, 3> sums{};
  for (unsigned c = 0; c < 3; ++c) {
    callers.emplace_back([&sums, c] {
      Team team(c + 1);
      std::vector<unsigned> own(c + 1, 0);
      for (unsigned round = 0; round < 300; ++round) team.run([&](unsigned member) { own[member] += 1; });
      for (const unsigned value : own) sums[c] += value;
    });
  }
  for (auto& caller : callers) caller.join();
  done = true;
  for (auto& thread : load) thread.join();
  for (unsigned c = 0; c < 3; ++c) check_equal(sums[c], 300 * (c + 1), "calls of one of several teams");
}

}  // namespace

int main() {
  dladmm::blas::set_own_threads(1);
  fact("every member runs once a round", every_member_once_a_round);
  fact("members are different threads", members_are_different_threads);
  fact("idle members wake up", idle_members_wake_up);
  fact("exceptions come out of run()", exceptions_come_out_of_run);
  fact("size 0 is one member", size_zero_is_one_member);
  fact("no more members at work at once than BLAS bears", no_more_at_work_than_blas_bears);
  fact("teams are made and ended under load", made_and_ended_under_load);
  return report();
}
