// What all splittings share: versions, the search for a size, the loop of a sweep, the storage plan.
#include <cmath>
#include <limits>
#include <vector>

#include "core/functions/elementwise.hpp"
#include "core/splitting/output_layer.hpp"
#include "core/splitting/search.hpp"
#include "core/splitting/storage_plan.hpp"
#include "core/splitting/sweep.hpp"
#include "core/splitting/version.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

void what_is_derived_is_valid_while_what_it_was_made_from_stands() {
  Version w;
  Version a;
  Derived<double> norm;
  check(!norm.valid(Stamp(w, a)), "made of nothing");
  norm.set(4, Stamp(w, a));
  check(norm.valid(Stamp(w, a)), "made of the present versions");
  a.advance();
  check(!norm.valid(Stamp(w, a)), "one of them changed");
  norm.set(5, Stamp(w, a));
  check(norm.valid(Stamp(w, a)), "made again");
  w.advance();
  check(!norm.valid(Stamp(w, a)) && !norm.valid(Stamp(a, w)), "the order of the names counts");
}

void a_late_step_counts_between_two_stamps_alone() {
  Version w;
  const Stamp before(w);
  w.advance();
  const LateStep<double> step{before, Stamp(w), 1.0};
  check(step.applies(before, Stamp(w)), "what it leads from is held, what it leads to is present");
  check(!step.applies(Stamp(w), Stamp(w)), "the target was made afresh");
  w.advance();
  check(!step.applies(before, Stamp(w)), "the variable changed once more");
}

void sizes_grow_until_the_model_is_an_upper_bound() {
  check_equal(accepted_size(StepSearch::backtracking, 1, 2, 5), 8.0, "the first power of two that is not below");
  check_equal(accepted_size(StepSearch::backtracking, 1, 2, 8), 8.0, "equal is enough");
  check_equal(accepted_size(StepSearch::backtracking, 9, 2, 5), 9.0, "the start already passes");
  check_equal(accepted_size(StepSearch::exact, 1, 2, 5), 5.0, "the smallest");

  for (const double growth : {1.001, 1.01, 1.4, 2.0, 1e300}) {
    for (const double start : {5e-324, 1e-310, 1e-300, 1e300}) {
      const FlushSubnormals as_at_work;
      for (const double kappa : {0.0, 1e-320, 1e-3, 1e308}) {
        const double size = accepted_size(StepSearch::backtracking, start, growth, kappa);
        check(size >= kappa && std::isfinite(size), text("a size from ", start, " by ", growth, " for ", kappa));
      }
    }
  }

  const auto changes = [](std::span<const double> sizes, std::span<double> out) {
    for (std::size_t k = 0; k < sizes.size(); ++k) out[k] = 6 - sizes[k];
  };
  const auto falls = [](double, double change) { return change < 0; };
  const Trials found = first_accepted(1, 2, 60, changes, falls);
  check(found.accepted && found.size == 8 && found.tried == 4, "the fourth of 1, 2, 4, 8");
  const Trials never = first_accepted(1, 2, 5, changes, [](double, double) { return false; });
  check(!never.accepted && never.tried == 6 && never.size == 32, "the first and five growths");
  check_equal(growths_tried(2), 60, "of factor two");
  check(std::pow(1.01, growths_tried(1.01)) >= std::exp2(60), "as far by any other");

  std::atomic<bool> stop{false};
  const AtWork here(stop);
  const Trials stopped = first_accepted(1, 2, 60, changes, [&](double, double) {
    stop = true;
    return false;
  });
  check(!stopped.accepted && stopped.tried == 4, "a stop ends the search");
}

struct One {
  double seconds = -1;
};

void a_sweep_runs_its_updates_and_says_where_it_ended() {
  std::atomic<bool> stop{false};
  const auto finite = [] { return true; };
  SweepRecordOf<One, int> record;
  check(run_sweep(
            record, 4, stop, [](std::size_t&) { return true; }, finite),
        "all finite");
  check(record.completed == 4 && !record.stopped && !record.diverged && record.seconds >= 0, "all ran");
  check(record.updates[3].seconds >= 0, "and were timed");

  const auto two_at_once = [](std::size_t& i) { return ++i < 3; };
  check(!run_sweep(record, 4, stop, two_at_once, finite), "the last two met a value that is not finite");
  check(record.completed == 3 && record.diverged && record.updates[3].seconds < 0, "the update that did is named");

  check(!run_sweep(
            record, 4, stop, [](std::size_t&) { return true; }, [] { return false; }),
        "the measures notice");
  check(record.completed == 3 && record.diverged, "one update or the other before the end");

  const auto stopping = [&](std::size_t& i) {
    stop = i == 1;
    return true;
  };
  check(run_sweep(record, 4, stop, stopping, finite), "a stop is not a divergence");
  check(record.completed == 2 && record.stopped, "it comes between two updates");
}

void steps_add_up_what_they_saw() {
  std::atomic<bool> stop{false};
  StepsRecord record;
  const auto step = [](std::size_t i, double& loss) {
    loss = 2;
    return i == 3 ? std::size_t{0} : std::size_t{10};
  };
  check(run_steps(3, stop, record, step), "three steps");
  check(record.steps == 3 && record.samples == 30 && record.loss == 6 && !record.diverged, "add up");
  check(!run_steps(5, stop, record, step), "the fourth met a value that is not finite");
  check(record.steps == 3 && record.samples == 30 && record.loss == 6 && record.diverged, "and does not count");
  stop = true;
  check(run_steps(5, stop, record, step) && record.steps == 0 && record.stopped, "stopped before the first");
}

void parameters_come_back_as_they_were() {
  std::vector<float> w{1, 2, 3};
  std::vector<float> b{4};
  FiniteCopy<float> copy;
  copy.room = Buffer<float>(4);
  copy.watch(w);
  copy.watch(b);
  copy.keep();
  w = {5, 6, 7};
  b = {8};
  copy.restore();
  check(w == std::vector<float>{1, 2, 3} && b == std::vector<float>{4}, "both");
}

struct Shell {
  Matrix<float> x;
  Buffer<double> y;
  std::vector<std::int32_t> labels;
  explicit Shell(StoragePlan& plan, std::size_t n) {
    plan.matrix(x, n, 3);
    plan.buffer(y, n, n);
    plan.vector(labels, 5);
  }
};

void one_declaration_counts_and_allocates() {
  StoragePlan plan;
  Shell shell(plan, 7);
  check_equal(plan.bytes(), 7 * 3 * 4 + 49 * 8 + 5 * 4.0, "bytes");
  check(shell.x.empty() && shell.y.size() == 0 && shell.labels.empty(), "nothing is there yet");
  plan.allocate();
  check(shell.x.rows() == 7 && shell.x.columns() == 3 && shell.y.size() == 49 && shell.labels.size() == 5, "now it is");

  StoragePlan huge;
  Shell too_large(huge, std::size_t{1} << 62);
  check_close(huge.bytes() / (std::ldexp(1.0, 124) * 8), 1, 1e-9, "more than can be counted is counted");
  check_throws<std::bad_alloc>([&] { huge.allocate(); }, "and refused");

  StoragePlan beyond;
  bool asked = false;
  beyond.other(0x1p48, [&] { asked = true; });
  check_throws<std::bad_alloc>([&] { beyond.allocate(); }, "what no process can address is refused");
  check(!asked, "before anybody is asked for it");
}

void nan_is_the_largest() {
  check_equal(largest_of(1, 2), 2.0, "the larger");
  check_equal(largest_of(2, 1), 2.0, "whichever it is");
  check(std::isnan(largest_of(kNaN, 1)) && std::isnan(largest_of(1, kNaN)), "NaN is kept, and noticed");
}

// A value that is not finite in one row of the output layer must reach the diagnostics, whatever rows follow.
void a_row_with_nan_shows_in_the_diagnostics_of_the_output() {
  const std::size_t n = 3;
  Matrix<double> p(4, n);
  Matrix<double> z(4, n);
  Matrix<double> u(4, n);
  for (const auto& m : {p.flat(), z.flat(), u.flat()}) std::fill(m.begin(), m.end(), 0.5);
  p.view().row(1)[2] = kNaN;
  std::vector<double> room(OutputWork::size(n));
  const OutputWork work(room, n);
  const auto target = [](std::size_t, std::span<double>) { return SampleTarget{1, {}}; };
  const Loss loss;
  const OutputRows<double> rows{p.view(), {}, z.view(), u.view()};
  check(std::isnan(solve_output_rows<double>(loss, rows, target, 1.0, work, {}).stationarity), "of the solution");
  check(std::isnan(measure_output_rows<double>(loss, rows, target, Multiplier::residual, 0, work, {}).dual_identity),
        "of the dual identity");
}

// Some rows solve their subproblem together: what each finds is what it finds alone, wherever it stands, also where the
// solution is far from its start, which no lane gets to.
void rows_find_together_what_each_finds_alone() {
  const std::size_t n = 10, count = 21;
  Random random(9);
  Matrix<double> p(count, n), z(count, n), u(count, n);
  std::ranges::copy(normals<double>(count * n, random), p.flat().begin());
  std::ranges::copy(normals<double>(count * n, random), z.flat().begin());
  std::ranges::copy(normals<double>(count * n, random, 0.1), u.flat().begin());
  for (std::size_t j = 0; j < n; ++j) u.view().row(3)[j] = j == 0 ? 40 : -40;
  const auto target = [](std::size_t i, std::span<double>) {
    return SampleTarget{static_cast<std::int32_t>(i % n), {}};
  };
  std::vector<double> room(OutputWork::size(n));
  const OutputWork work(room, n);
  for (const double rho : {1e-3, 1.0}) {
    const auto solved = [&](std::size_t first, std::size_t rows) {
      Matrix<double> found(rows, n);
      std::ranges::copy(z.view().rows_from(first, rows).flat(), found.flat().begin());
      solve_output_rows<double>(
          Loss{}, {p.view().rows_from(first, rows), {}, found.view(), u.view().rows_from(first, rows)},
          [&](std::size_t i, std::span<double> to) { return target(first + i, to); }, rho, work, {});
      return std::vector<double>(found.flat().begin(), found.flat().end());
    };
    const std::vector<double> together = solved(0, count);
    for (std::size_t i = 0; i < count; ++i) {
      const std::vector<double> alone = solved(i, 1);
      std::vector<double> one(z.view().row(i), z.view().row(i) + n), scratch(6 * n);
      solve_output(Loss{}, {p.view().row(i), n}, {u.view().row(i), n}, target(i, {}), rho, 2e-14, one, scratch);
      for (std::size_t j = 0; j < n; ++j) {
        check_equal(together[i * n + j], alone[j], text("row ", i, " with others, rho ", rho));
        check_close(alone[j], one[j], 1e-9 * (1 + std::abs(one[j])), text("row ", i, ", rho ", rho));
      }
    }
  }
}

}  // namespace

int main() {
  fact("derived quantities", what_is_derived_is_valid_while_what_it_was_made_from_stands);
  fact("late steps", a_late_step_counts_between_two_stamps_alone);
  fact("sizes", sizes_grow_until_the_model_is_an_upper_bound);
  fact("sweeps", a_sweep_runs_its_updates_and_says_where_it_ended);
  fact("steps", steps_add_up_what_they_saw);
  fact("parameters", parameters_come_back_as_they_were);
  fact("storage", one_declaration_counts_and_allocates);
  fact("NaN", nan_is_the_largest);
  fact("lanes", rows_find_together_what_each_finds_alone);
  fact("diagnostics", a_row_with_nan_shows_in_the_diagnostics_of_the_output);
  return report();
}
