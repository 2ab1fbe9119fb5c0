// Training by gradients: central differences, the optimisers against one-line formulas, what a step allocates
// (nothing), and what divergence leaves behind.
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/consensus/trainer.hpp"
#include "core/linalg/library.hpp"
#include "test/activations.hpp"
#include "test/allocations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};
const std::atomic<bool> kStop{true};

struct Problem {
  std::vector<std::size_t> widths;
  double slope = 0;
  LossKind loss = LossKind::softmax_cross_entropy;
  std::size_t samples = 0;
  std::size_t batch = 0;
  unsigned threads = 1;
  Optimiser optimiser = Sgd{};
  bool shuffle = false;
  Reduction reduction = Reduction::mean;
  ActivationKind kind = ActivationKind::rectifier;
};

TrainerSetup setup_of(const Problem& problem) {
  TrainerSetup setup;
  setup.network.widths = problem.widths;
  setup.network.activation = {problem.slope, problem.kind};
  setup.network.loss.kind = problem.loss;
  setup.samples = problem.samples;
  setup.batch = problem.batch;
  setup.threads = problem.threads;
  setup.shuffle = problem.shuffle;
  setup.reduction = problem.reduction;
  setup.optimiser = problem.optimiser;
  return setup;
}

// The same samples and the same parameters for every trainer of a problem.
template <typename T>
void fill(Trainer<T>& trainer, const Problem& problem) {
  Random random(3);
  fill_normal(trainer.input(), random);
  for (auto& label : trainer.labels()) label = static_cast<std::int32_t>(random.below(problem.widths.back()));
  if (problem.loss == LossKind::squared_error) fill_normal(trainer.target_values(), random);
  for (std::size_t l = 1; l < problem.widths.size(); ++l) {
    for (T& w : trainer.weights(l)) w = static_cast<T>(0.5 * random.normal());
    for (T& b : trainer.biases(l)) b = static_cast<T>(0.5 * random.normal());
  }
}

template <typename T>
std::vector<double> parameters_of(Trainer<T>& trainer) {
  std::vector<double> out;
  for (std::size_t l = 1; l < trainer.setup().network.widths.size(); ++l) {
    for (const T w : trainer.weights(l)) out.push_back(static_cast<double>(w));
    for (const T b : trainer.biases(l)) out.push_back(static_cast<double>(b));
  }
  return out;
}

template <typename T>
T& parameter(Trainer<T>& trainer, std::size_t i) {
  for (std::size_t l = 1;; ++l) {
    if (i < trainer.weights(l).size()) return trainer.weights(l)[i];
    i -= trainer.weights(l).size();
    if (i < trainer.biases(l).size()) return trainer.biases(l)[i];
    i -= trainer.biases(l).size();
  }
}

template <typename T>
StepsRecord steps(Trainer<T>& trainer, std::size_t count, double rate) {
  StepsRecord record;
  trainer.run(count, std::array{rate}, kGo, record);
  return record;
}

void gradients_are_central_differences() {
  std::vector<Activation> activations{{0.0}, {0.2}, {1.0}, {1.6}, {-0.4}};
  activations.insert(activations.end(), std::begin(kSmooth), std::end(kSmooth));
  for (const auto& [slope, kind] : activations) {
    for (const LossKind loss : {LossKind::softmax_cross_entropy, LossKind::squared_error, LossKind::hinge}) {
      for (const unsigned threads : {1U, 3U}) {
        Problem problem{{4, 5, 3, 2}, slope, loss, 7, 7, threads};
        problem.kind = kind;
        Trainer<double> trainer(setup_of(problem));
        fill(trainer, problem);
        const auto before = parameters_of(trainer);
        const auto record = steps(trainer, 1, 1);
        const auto after = parameters_of(trainer);
        Trainer<double> other(setup_of(problem));
        fill(other, problem);
        check_close(record.loss, other.evaluate_training().loss, 1e-12, "the loss before the step");
        double largest = 0;
        for (std::size_t i = 0; i < before.size(); ++i) largest = std::max(largest, std::abs(before[i] - after[i]));
        for (std::size_t i = 0; i < before.size(); ++i) {
          constexpr double h = 1e-5;
          double& w = parameter(other, i);
          w = before[i] + h;
          const double above = other.evaluate_training().loss;
          w = before[i] - h;
          const double below = other.evaluate_training().loss;
          w = before[i];
          check_close(before[i] - after[i], (above - below) / (2 * h) / 7, 1e-6 * largest,
                      text(name_of({slope, kind}), ", parameter ", i));
        }
      }
    }
  }
}

// A batch of many blocks has the gradient of its parts.
template <typename T>
void blocks_and_members_add_up() {
  const double tolerance = std::is_same_v<T, double> ? 1e-12 : 2e-5;
  Problem problem{{6, 9, 3}, 0, LossKind::softmax_cross_entropy, 2100, 2100, 1};
  Trainer<T> trainer(setup_of(problem));
  fill(trainer, problem);
  const auto before = parameters_of(trainer);
  steps(trainer, 1, 1);
  const auto whole = parameters_of(trainer);
  // Seven batches of 300, every one from the same parameters.
  std::vector<double> mean(before.size(), 0.0);
  problem.batch = 300;
  for (const unsigned threads : {1U, 2U, 4U}) {
    problem.threads = threads;
    Trainer<T> parts(setup_of(problem));
    fill(parts, problem);
    std::fill(mean.begin(), mean.end(), 0.0);
    for (int batch = 0; batch < 7; ++batch) {
      for (std::size_t i = 0; i < before.size(); ++i) parameter(parts, i) = static_cast<T>(before[i]);
      steps(parts, 1, 1);
      const auto after = parameters_of(parts);
      for (std::size_t i = 0; i < before.size(); ++i) mean[i] += (after[i] - before[i]) / 7;
    }
    for (std::size_t i = 0; i < before.size(); ++i) {
      check_close(whole[i] - before[i], mean[i], tolerance, text(type_name<T>(), " parameter ", i));
    }
  }
}

// One entry through a few steps, next to the formula on plain doubles.
template <typename T, typename Method, typename Formula>
void follows(const Method& method, Formula&& formula, const char* name) {
  const double tolerance = std::is_same_v<T, double> ? 1e-13 : 2e-6;
  // Not a multiple of any vector length.
  constexpr std::size_t n = 37;
  Random random(9);
  std::vector<T> w = normals<T>(n, random);
  std::vector<T> state(n * method.states(), static_cast<T>(method.initial_state()));
  std::vector<double> plain(w.begin(), w.end());
  std::vector<std::array<double, 2>> kept(n, {method.initial_state(), method.initial_state()});
  for (std::uint64_t t = 1; t <= 9; ++t) {
    const std::vector<T> g = normals<T>(n, random);
    const T* const parts[] = {g.data()};
    const double rate = 0.1 / static_cast<double>(t);
    const bool finite = apply<T>(method, Step{rate, t, {}}, Slice<T>{w.data(), n, parts, state.data(), n});
    check(finite, "finite");
    for (std::size_t i = 0; i < n; ++i) {
      plain[i] = formula(plain[i], static_cast<double>(g[i]), kept[i], static_cast<double>(t), rate);
      check_close(static_cast<double>(w[i]), plain[i], tolerance * (1 + std::abs(plain[i])),
                  text(name, " ", type_name<T>(), " step ", t, " entry ", i));
    }
  }
}

template <typename T>
void optimisers_follow_their_formulas() {
  using Kept = std::array<double, 2>;
  follows<T>(
      Sgd{0, 0, 0.1, false}, [](double w, double g, Kept&, double, double rate) { return w - rate * (g + 0.1 * w); },
      "sgd");
  for (const bool nesterov : {false, true}) {
    follows<T>(
        Sgd{0.9, nesterov ? 0 : 0.3, 0.1, nesterov},
        [=](double w, double g, Kept& kept, double t, double rate) {
          g += 0.1 * w;
          kept[0] = t == 1 ? g : 0.9 * kept[0] + (nesterov ? 1 : 0.7) * g;
          return w - rate * (nesterov ? g + 0.9 * kept[0] : kept[0]);
        },
        "momentum");
  }
  follows<T>(
      Adagrad{0.2, 0.1, 0.5, 1e-3},
      [](double w, double g, Kept& kept, double t, double rate) {
        g += 0.1 * w;
        kept[0] += g * g;
        return w - rate / (1 + (t - 1) * 0.2) * g / (std::sqrt(kept[0]) + 1e-3);
      },
      "adagrad");
  follows<T>(
      Adadelta{0.8, 1e-3, 0.1},
      [](double w, double g, Kept& kept, double, double rate) {
        g += 0.1 * w;
        kept[0] = 0.8 * kept[0] + 0.2 * g * g;
        const double delta = std::sqrt(kept[1] + 1e-3) / std::sqrt(kept[0] + 1e-3) * g;
        kept[1] = 0.8 * kept[1] + 0.2 * delta * delta;
        return w - rate * delta;
      },
      "adadelta");
  for (const bool decoupled : {false, true}) {
    follows<T>(
        Adam{0.8, 0.9, 1e-3, 0.1, decoupled},
        [=](double w, double g, Kept& kept, double t, double rate) {
          if (decoupled) {
            w -= rate * 0.1 * w;
          } else {
            g += 0.1 * w;
          }
          kept[0] = 0.8 * kept[0] + 0.2 * g;
          kept[1] = 0.9 * kept[1] + 0.1 * g * g;
          return w - rate * (kept[0] / (1 - std::pow(0.8, t))) / (std::sqrt(kept[1] / (1 - std::pow(0.9, t))) + 1e-3);
        },
        "adam");
  }
}

// What is no longer finite is told, wherever it lies.
void kernels_tell_what_is_not_finite() {
  constexpr std::size_t n = 70;
  const std::array<Optimiser, 9> methods{
      Sgd{}, Sgd{0.9}, Adagrad{}, Adam{}, ScheduleFree{}, Muon{}, Isaac{}, Badm{}, Badm{1, 1, 0, 2, true}};
  for (const Optimiser& optimiser : methods) {
    for (std::size_t at = 0; at < n; ++at) {
      std::vector<float> w(n, 1);
      std::vector<float> state(4 * n, 0);
      std::vector<float> g(n, 1);
      w[at] = std::numeric_limits<float>::infinity();
      const float* const parts[] = {g.data(), g.data()};
      constexpr std::array<double, 2> weights{0.5, 0.5};
      const bool finite = std::visit(
          [&](const auto& method) {
            const std::size_t gradients = method.gradients();
            return apply<float>(method, Step{0.1, 1, std::span(weights).first(gradients)},
                                Slice<float>{w.data(), n, std::span(parts).first(gradients), state.data(), n});
          },
          optimiser);
      check(!finite, text("infinity at ", at));
    }
  }
}

void nothing_is_allocated_by_steps() {
  const std::array<Optimiser, 10> methods{Sgd{},  Adam{}, Adadelta{}, ScheduleFree{}, Muon{},
                                          Soap{}, Kfac{}, Isaac{},    Badm{},         Sisa{1, 10, 0.9, 1e-8, 0, 3}};
  for (const Optimiser& optimiser : methods) {
    for (const std::size_t batch : {std::size_t{12}, std::size_t{1500}}) {
      const Problem problem{{6, 8, 9, 3}, -0.1, LossKind::softmax_cross_entropy, 1502, batch, 2, optimiser, true};
      Trainer<float> trainer(setup_of(problem));
      fill(trainer, problem);
      steps(trainer, 2, 1e-3);
      const std::size_t before = allocations.load();
      const auto record = steps(trainer, 30, 1e-3);
      check_equal(allocations.load(), before, "allocations");
      check_equal(record.steps, std::size_t{30}, "steps");
    }
  }
}

void memory_is_what_was_announced() {
  const Problem small{{100, 200, 10}, 0, LossKind::softmax_cross_entropy, 4000, 100, 2, Adam{}, true};
  Problem large = small;
  large.samples = 8000;
  const double less = Trainer<float>::required_bytes(setup_of(small));
  const double more = Trainer<float>::required_bytes(setup_of(large));
  check_close(more - less, 4000.0 * (400 + 8), 1e-6, "a sample costs its row, its label and its place");
  Problem full = large;
  full.batch = 8000;
  const double whole = Trainer<float>::required_bytes(setup_of(full));
  check(whole - more < 2048.0 * 4 * (2 * 210 + 100) + 4 * 22210, "a full batch costs one block and one gradient more");
}

template <typename T>
void the_same_bits_for_any_number_of_threads() {
  share_rounds_of(0);
  const std::array<Optimiser, 9> methods{Sgd{0.9},
                                         Adam{},
                                         ScheduleFree{},
                                         Muon{},
                                         Soap{0.9, 0.9, 1e-8, 0, 1},
                                         Kfac{1, 0.9, 1, 0.9, 2},
                                         Isaac{10, 2, 0.5},
                                         Badm{1, 1, 0, 3, true},
                                         Sisa{1, 10, 0.9, 1e-8, 0, 3}};
  for (const Optimiser& optimiser : methods) {
    for (const std::size_t batch : {std::size_t{16}, std::size_t{300}, std::size_t{2600}}) {
      const auto outcome = [&](unsigned threads) {
        const Problem problem{{90, 140, 130, 5}, -0.1, LossKind::softmax_cross_entropy, 2600, batch, threads,
                              optimiser,         true};
        Trainer<T> trainer(setup_of(problem));
        fill(trainer, problem);
        const StepsRecord record = steps(trainer, 3, 1e-3);
        check_equal(record.steps, std::size_t{3}, "steps");
        std::vector<double> all = parameters_of(trainer);
        all.push_back(record.loss);
        return all;
      };
      const auto alone = outcome(1);
      for (const unsigned threads : {2, 3, 5, 8}) {
        check(outcome(threads) == alone, text("batches of ", batch, ", ", threads, " threads"));
      }
    }
  }
  share_rounds_of(1e6);
}

void stopping_and_diverging() {
  const Problem problem{{3, 4, 2}, 0, LossKind::softmax_cross_entropy, 20, 5, 2, Sgd{}, true};
  Trainer<float> trainer(setup_of(problem));
  fill(trainer, problem);
  const auto start = parameters_of(trainer);
  StepsRecord record;
  trainer.run(3, std::array{0.1}, kStop, record);
  check(record.stopped && record.steps == 0, "stopped before the first step");
  check(parameters_of(trainer) == start, "and nothing changed");
  trainer.run(50, std::array{1e38}, kGo, record);
  check(record.diverged && record.steps < 50, "an enormous rate diverges");
  for (const double w : parameters_of(trainer)) check(std::isfinite(w), "the parameters are finite");
  fill(trainer, problem);
  Trainer<float> fresh(setup_of(problem));
  fill(fresh, problem);
  steps(trainer, 6, 0.1);
  steps(fresh, 6, 0.1);
  check(parameters_of(trainer) == parameters_of(fresh), "after it the optimiser is as new");
}

void orders_are_permutations() {
  SampleOrder order(1000, 5);
  const auto is_permutation = [&] {
    std::vector<bool> seen(1000, false);
    for (const std::uint32_t i : order.samples()) seen.at(i) = true;
    return std::find(seen.begin(), seen.end(), false) == seen.end();
  };
  check_equal(order.samples()[999], 999U, "unshuffled at first");
  std::vector<double> places(1000, 0);
  for (int epoch = 0; epoch < 400; ++epoch) {
    order.shuffle();
    check(is_permutation(), "every sample once");
    for (std::size_t i = 0; i < 1000; ++i) places[order.samples()[i]] += static_cast<double>(i);
  }
  // The mean place of a sample is 499.5 with a standard deviation of 14.4.
  for (const double sum : places) check_close(sum / 400, 499.5, 75, "no sample has a place of its own");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("gradients are central differences", gradients_are_central_differences);
  fact("float: blocks and members add up", blocks_and_members_add_up<float>);
  fact("double: blocks and members add up", blocks_and_members_add_up<double>);
  fact("float: optimisers follow their formulas", optimisers_follow_their_formulas<float>);
  fact("double: optimisers follow their formulas", optimisers_follow_their_formulas<double>);
  fact("kernels tell what is not finite", kernels_tell_what_is_not_finite);
  fact("nothing is allocated by steps", nothing_is_allocated_by_steps);
  fact("memory is what was announced", memory_is_what_was_announced);
  fact("float: the same bits for any number of threads", the_same_bits_for_any_number_of_threads<float>);
  fact("double: the same bits for any number of threads", the_same_bits_for_any_number_of_threads<double>);
  fact("stopping and diverging", stopping_and_diverging);
  fact("orders are permutations", orders_are_permutations);
  return report();
}
