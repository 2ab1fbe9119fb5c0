// The splitting with matrix penalties: what the model draws, the gradient against finite differences, the same bits for
// any number of threads, and what a sweep leaves behind that was stopped or taken back. Whole sweeps against a plain
// transcription: test/solvers/variable-metric.
#include <cblas.h>

#include <atomic>
#include <cmath>
#include <vector>

#include "core/gradient/draw.hpp"
#include "core/metric/state.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::metric;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};
const std::atomic<bool> kStop{true};
constexpr Penalties kPenalties{.damping = 1, .output_damping = 0.1, .rate = 0.2, .momentum = 0.8, .l2 = 0.01};

std::vector<Update> sweep_of(std::size_t depth) {
  std::vector<Update> sweep;
  for (std::size_t l = 1; l <= depth; ++l) sweep.push_back({Block::W, l});
  for (std::size_t l = 1; l <= depth; ++l) sweep.push_back({Block::z, l});
  return sweep;
}

template <typename T>
void fill(State<T>& state) {
  const Network& net = state.setup().network;
  Random random(3);
  fill_normal(state.input(), random);
  for (auto& label : state.labels()) label = static_cast<std::int32_t>(random.below(net.widths.back()));
  if (!net.loss.classifies()) fill_normal(state.target_values(), random);
  if (net.loss.kind == LossKind::sigmoid_cross_entropy || net.loss.kind == LossKind::poisson) {
    for (T& y : state.target_values().flat()) y = y > T(0) ? T(1) : T(0);
  }
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    state.write(Block::W, l, normals<T>(state.size_of(Block::W, l), random, 0.5));
    state.write(Block::b, l, normals<T>(state.size_of(Block::b, l), random, 0.5));
  }
}

template <typename T>
std::vector<T> read(State<T>& state, Block block, std::size_t l) {
  std::vector<T> out(state.size_of(block, l));
  state.read(block, l, out);
  return out;
}

// E v vᵀ = ∇²R(z), which finite differences of ∇R tell too.
void what_the_model_draws_has_the_curvature_of_the_loss() {
  constexpr std::size_t n = 3;
  constexpr std::size_t draws = 200'000;
  const std::vector<double> z{0.4, -0.7, 1.1};
  const std::vector<double> y{1, 0, 1};
  for (const LossKind kind : {LossKind::softmax_cross_entropy, LossKind::squared_error, LossKind::one_hot_squared_error,
                              LossKind::sigmoid_cross_entropy, LossKind::poisson, LossKind::huber}) {
    const Loss loss{kind, Softmax::stable, 5};
    const SampleTarget target{1, y, 3};
    std::vector<double> moment(n * n), v(n), mean(n);
    for (std::size_t draw = 0; draw < draws; ++draw) {
      RandomStream random = stream_of(7, draw, 0);
      draw_multiplier(loss, z, target, random, v);
      for (std::size_t i = 0; i < n * n; ++i) moment[i] += v[i / n] * v[i % n] / draws;
      for (std::size_t i = 0; i < n; ++i) mean[i] += v[i] / draws;
    }
    for (std::size_t i = 0; i < n; ++i) {
      check_at_most(std::abs(mean[i]), 0.02, "the mean is 0");
      std::vector<double> above(n), below(n), at = z;
      at[i] += 1e-4;
      loss_and_gradient(loss, at, {1, y}, above);
      at[i] -= 2e-4;
      loss_and_gradient(loss, at, {1, y}, below);
      for (std::size_t j = 0; j < n; ++j) {
        check_at_most(std::abs(moment[i * n + j] - (above[j] - below[j]) / 2e-4), 0.02, "the second moment");
      }
    }
  }
}

// ‖∇F‖² is the sum of the squares of finite differences, for every loss and activation, with samples of any weight.
void the_gradient_is_that_of_finite_differences() {
  for (const LossKind kind : {LossKind::softmax_cross_entropy, LossKind::squared_error, LossKind::hinge,
                              LossKind::sigmoid_cross_entropy, LossKind::quantile, LossKind::poisson}) {
    for (const ActivationKind activation : {ActivationKind::rectifier, ActivationKind::tanh, ActivationKind::gelu}) {
      Setup setup;
      setup.network.widths = {3, 4, 3, 2};
      setup.network.activation = {0.1, activation};
      setup.network.loss = {kind, Softmax::stable, 0.3};
      setup.samples = 9;
      State<double> state(setup);
      fill(state);
      state.weights() = {1, 2, 0, 1, 0.5, 1, 1, 3, 1};
      Measures measures;
      state.measure(kPenalties, measures);
      const double kkt = measures.kkt;
      double squares = 0;
      for (std::size_t l = 1; l <= 3; ++l) {
        for (const Block block : {Block::W, Block::b}) {
          const std::vector<double> own = read(state, block, l);
          for (std::size_t i = 0; i < own.size(); ++i) {
            double slope = 0;
            for (const double step : {1e-5, -1e-5}) {
              std::vector<double> moved = own;
              moved[i] += step;
              state.write(block, l, moved);
              state.measure(kPenalties, measures);
              slope += measures.objective / (2 * step);
            }
            squares += slope * slope;
          }
          state.write(block, l, own);
        }
      }
      check_at_most(std::abs(squares - kkt), 1e-6 * (1 + kkt), text("‖∇F‖², loss ", static_cast<int>(kind)));
    }
  }
}

// More samples than a block has, in either type.
template <typename T>
void threads_change_nothing() {
  std::vector<T> first;
  for (const unsigned threads : {1U, 2U, 5U}) {
    Setup setup;
    setup.network.widths = {20, 70, 65, 4};
    setup.samples = 5000;
    setup.threads = threads;
    State<T> state(setup);
    fill(state);
    share_rounds_of(0);
    SweepRecord record;
    for (int sweep = 0; sweep < 3; ++sweep) state.run(sweep_of(3), kPenalties, kGo, record);
    check(record.measures.slope > 0, "Δ leads downhill");
    const std::vector<T> found = read(state, Block::W, 2);
    if (first.empty()) first = found;
    check(found == first, text(type_name<T>(), ", threads ", threads));
  }
  share_rounds_of(1e6);
}

void a_step_that_is_stopped_or_taken_back_changes_nothing() {
  Setup setup;
  setup.network.widths = {5, 8, 3};
  setup.samples = 40;
  State<double> state(setup);
  fill(state);
  SweepRecord record;
  state.run(sweep_of(2), kPenalties, kGo, record);
  check(record.measures.kept, "the first step is kept");
  const auto all = [&] {
    std::vector<double> out;
    for (const Block block :
         {Block::W, Block::b, Block::velocity, Block::z, Block::u, Block::P, Block::G, Block::target}) {
      for (const double x : read(state, block, 1)) out.push_back(x);
    }
    return out;
  };
  const std::vector<double> before = all();
  const double objective = record.measures.objective;
  state.run(sweep_of(2), kPenalties, kStop, record);
  check(record.stopped && !record.diverged && all() == before, "stopped");
  Penalties far = kPenalties;
  far.rate = 1e6;
  state.run(sweep_of(2), far, kGo, record);
  check(!record.measures.kept && !record.diverged, "taken back");
  check(record.measures.tried > objective, "F rose");
  check_equal(record.measures.objective, objective, "F of the kept point");
  check(all() == before, "the kept point is as it was");
}

}  // namespace

int main() {
  openblas_set_num_threads(1);
  fact("what the model draws has the curvature of the loss", what_the_model_draws_has_the_curvature_of_the_loss);
  fact("the gradient is that of finite differences", the_gradient_is_that_of_finite_differences);
  fact("threads change nothing", threads_change_nothing<float>);
  fact("threads change nothing in double", threads_change_nothing<double>);
  fact("a step that is stopped or taken back changes nothing", a_step_that_is_stopped_or_taken_back_changes_nothing);
  return report();
}
