// Samples spread over ranks, here threads of one process: the iterates of one that has them all.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/layered/state.hpp"
#include "core/runtime/ranks.hpp"
#include "test/check.hpp"
#include "test/layered_cases.hpp"
#include "test/numbers.hpp"
#include "test/threads_as_ranks.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

// Contiguous shares, as even as can be.
template <typename T>
std::vector<Ended> run_shared(const Case& of, std::size_t sweeps, std::size_t ranks) {
  std::vector<Ended> ended(ranks);
  each_rank(of.samples, ranks, [&](std::size_t r, Rows share, Thread& own) {
    ended[r] = run<T>(of, sweeps, share.first, share.count, &own);
  });
  return ended;
}

void ranks_go_as_one(const Case& of) {
  const std::size_t sweeps = in_haste() ? 2 : 20;
  const Ended alone = run<double>(of, sweeps, 0, of.samples, nullptr);
  for (const std::size_t ranks : {1, 2, 3, 4}) {
    const std::vector<Ended> all = run_shared<double>(of, sweeps, ranks);
    const std::string name = text(of.name, ", ", ranks, " ranks");
    for (const Ended& each : all) {
      check(each.parameters == all[0].parameters && each.told == all[0].told, text(name, " have the same bits"));
    }
    if (ranks == 1)
      check(all[0].parameters == alone.parameters && all[0].told == alone.told, "the bits of one process");
    check_at_most(distance(all[0].parameters, alone.parameters), 1e-12, text(name, ": parameters"));
    check_at_most(distance(all[0].told, alone.told), 1e-12, text(name, ": measures and sizes"));
    check_equal(all[0].calls, all[ranks - 1].calls, text(name, ": sums"));
  }
  const std::vector<Ended> rough = run_shared<float>(of, 2, 2);
  check(rough[0].parameters == rough[1].parameters, text(of.name, " in float: the same bits on both ranks"));
}

}  // namespace

int main() {
  for (const Case& each : cases()) {
    fact(each.name, [&] { ranks_go_as_one(each); });
  }
  return report();
}
