// Batches whose samples lie on several ranks, here threads of one process: the iterates of one that has them all.
#include <atomic>
#include <cmath>
#include <string>
#include <vector>

#include "core/consensus/trainer.hpp"
#include "core/minibatch/state.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/threads_as_ranks.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

// What a rank ends with.
struct Ended {
  std::vector<double> parameters;
  std::vector<double> told;  // losses, and how many answers are right
};

struct Samples {
  std::vector<std::size_t> widths;
  std::size_t count;
};

// Samples first … first + count − 1 of those that all have, and the same parameters for all.
template <typename State>
void fill(State& state, const Samples& of, Rows own, bool weighs) {
  const Network& net = state.setup().network;
  Random random(11);
  if (weighs) state.weights().resize(own.count);
  for (std::size_t i = 0; i < of.count; ++i) {
    const bool here = i >= own.first && i < own.first + own.count;
    for (std::size_t j = 0; j < net.widths.front(); ++j) {
      const double x = random.normal();
      if (here) state.input().row(i - own.first)[j] = x;
    }
    const std::size_t label = random.below(net.widths.back());
    if (here && net.loss.classifies()) state.labels()[i - own.first] = static_cast<std::int32_t>(label);
    if (here && weighs) state.weights()[i - own.first] = 0.5 + static_cast<double>(i % 3);
    for (std::size_t j = 0; j < net.widths.back() && !net.loss.classifies(); ++j) {
      const double drawn = random.normal();
      const double y = net.loss.kind == LossKind::poisson ? std::floor(4 * std::abs(drawn)) : drawn;
      if (here) state.target_values().row(i - own.first)[j] = y;
    }
  }
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    const double scale = std::sqrt(2.0 / static_cast<double>(net.inputs(l)));
    const auto w = normals<double>(net.inputs(l) * net.outputs(l), random, scale);
    const auto b = normals<double>(net.outputs(l), random, 0.1);
    state.write(ParameterBlock::W, l, w);
    state.write(ParameterBlock::b, l, b);
  }
}

template <typename State, typename Setup>
Ended run(Setup setup, const Samples& of, std::size_t steps, double rate, bool weighs, Rows own, Ranks* ranks) {
  setup.network.widths = of.widths;
  setup.samples = own.count;
  if (ranks != nullptr) setup.share = {ranks, own.first, of.count};
  State state(setup);
  fill(state, of, own, weighs);
  const std::atomic<bool> go{false};
  Ended out;
  for (std::size_t k = 0; k < steps; k += 4) {
    StepsRecord record;
    state.run(4, std::vector{rate}, go, record);
    check(!record.diverged && record.steps == 4, "steps");
    const ForwardLoss found = state.evaluate_training();
    for (const double told :
         {record.loss, static_cast<double>(record.samples), found.loss, static_cast<double>(found.correct)}) {
      out.told.push_back(told);
    }
  }
  for (std::size_t l = 1; l <= setup.network.layers(); ++l) {
    for (const ParameterBlock block : {ParameterBlock::W, ParameterBlock::b}) {
      std::vector<double> values(state.size_of(block, l));
      state.read(block, l, values);
      out.parameters.insert(out.parameters.end(), values.begin(), values.end());
    }
  }
  return out;
}

// `same`: one rank has the bits of a process by itself.
template <typename State, typename Setup>
void ranks_go_as_one(const std::string& name, const Setup& setup, double rate, const Samples& of, bool same = true,
                     bool weighs = false) {
  const std::size_t steps = in_haste() ? 4 : 20;
  const Ended alone = run<State>(setup, of, steps, rate, weighs, {0, of.count}, nullptr);
  for (const std::size_t ranks : {1, 2, 3, 4}) {
    std::vector<Ended> all(ranks);
    each_rank(of.count, ranks, [&](std::size_t r, Rows own, Thread& thread) {
      all[r] = run<State>(setup, of, steps, rate, weighs, own, &thread);
    });
    const std::string called = text(name, ", ", ranks, " ranks");
    for (const Ended& each : all) {
      check(each.parameters == all[0].parameters && each.told == all[0].told, text(called, " have the same bits"));
    }
    if (ranks == 1 && same) {
      check(all[0].parameters == alone.parameters && all[0].told == alone.told, text(called, ": those of one process"));
    }
    check_at_most(distance(all[0].parameters, alone.parameters), 1e-11, text(called, ": parameters"));
    check_at_most(distance(all[0].told, alone.told), 1e-11, text(called, ": losses"));
  }
}

void gradients() {
  const Samples few{{7, 9, 6, 3}, 61};
  const auto go = [&](const std::string& name, const Optimiser& optimiser, double rate, auto&& change,
                      const Samples& of, bool weighs = false) {
    TrainerSetup setup;
    setup.batch = 12;
    setup.seed = 5;
    setup.optimiser = optimiser;
    change(setup);
    fact(name, [&] { ranks_go_as_one<Trainer<double>>(name, setup, rate, of, true, weighs); });
  };
  const auto plain = [](TrainerSetup&) {};
  go("momentum", Sgd{.momentum = 0.9}, 0.05, plain, few);
  go(
      "fewer samples in a batch than ranks", Sgd{}, 0.05, [](TrainerSetup& it) { it.batch = 2; }, few);
  go(
      "all samples, summed, in their order", Sgd{}, 1e-3,
      [](TrainerSetup& it) {
        it.batch = 61;
        it.shuffle = false;
        it.reduction = Reduction::sum;
      },
      few);
  go(
      "batches in their order", Sgd{}, 0.05, [](TrainerSetup& it) { it.shuffle = false; }, few);
  go("samples that weigh", Sgd{}, 0.05, plain, few, true);
  go("AdaGrad", Adagrad{}, 0.05, plain, few);
  go(
      "Adam with a proximal step", Adam{.epsilon = 1e-3}, 0.01,
      [](TrainerSetup& it) {
        it.regularisers.resize(3);
        for (Regulariser& each : it.regularisers) each.l1 = 0.01;
      },
      few);
  go("Schedule-Free", ScheduleFree{.epsilon = 1e-3}, 0.01, plain, few);
  go("Muon", Muon{.epsilon = 1e-3}, 0.01, plain, few);
  go("BADM", Badm{.sigma = 2, .rho = 1, .sub_batches = 4, .duals = true}, 0.1, plain, few);
  go("SISA", Sisa{.sigma = 2, .rho = 1, .epsilon = 1e-3, .sub_batches = 3}, 0.1, plain, few);
  const Kfac kfac{.damping = 2, .damping_every = 3, .inverse_every = 2};
  go("K-FAC", kfac, 0, plain, few);
  go("K-FAC, samples that weigh", kfac, 0, plain, few, true);
  go(
      "K-FAC, fewer samples in a batch than ranks", kfac, 0, [](TrainerSetup& it) { it.batch = 2; }, few);
  go(
      "K-FAC, all samples, summed, in their order", kfac, 0,
      [](TrainerSetup& it) {
        it.batch = 61;
        it.shuffle = false;
        it.reduction = Reduction::sum;
      },
      few);
  const Isaac isaac{.damping = 0.5, .layers = 2, .momentum = 0.5};
  go("ISAAC", isaac, 0.05, plain, few);
  go("ISAAC, samples that weigh", isaac, 0.05, plain, few, true);
  go(
      "ISAAC, fewer samples in a batch than ranks", isaac, 0.05, [](TrainerSetup& it) { it.batch = 2; }, few);
  go("values as targets, several blocks", Sgd{}, 0.01,
     [](TrainerSetup& it) {
       it.network.loss = {LossKind::squared_error, Softmax::stable};
       it.network.activation = {0, ActivationKind::tanh};
       it.batch = 9100;
     },
     {{6, 8, 3}, 9100});
}

std::vector<BatchUpdate> sweep_of(std::size_t depth, bool interleaved) {
  std::vector<BatchUpdate> sweep{{BatchBlock::z, depth}};
  if (interleaved) sweep.push_back({BatchBlock::W, depth});
  for (std::size_t l = depth - 1; l >= 1; --l) {
    sweep.push_back({BatchBlock::a, l});
    sweep.push_back({BatchBlock::z, l});
    if (interleaved) sweep.push_back({BatchBlock::W, l});
  }
  for (std::size_t l = depth; l >= 1 && !interleaved; --l) sweep.push_back({BatchBlock::W, l});
  return sweep;
}

void minibatches() {
  const Samples few{{7, 29, 16, 3}, 61};
  const auto go = [](const std::string& name, auto&& change, const Samples& of, bool same, bool weighs = false) {
    MinibatchSetup setup;
    setup.batch = 12;
    setup.seed = 5;
    setup.gram = {GramForm::low_rank, 4, 0.8, 0.5, 0};
    setup.gram_every = 3;
    setup.sweep = sweep_of(of.widths.size() - 1, false);
    change(setup);
    fact(name, [&] { ranks_go_as_one<MinibatchState<double>>(name, setup, 0.1, of, same, weighs); });
  };
  go(
      "low rank", [](MinibatchSetup&) {}, few, false);
  go(
      "low rank with decay", [](MinibatchSetup& it) { it.gram.l2 = 0.03; }, few, true);
  go(
      "full Gram matrices, interleaved",
      [](MinibatchSetup& it) {
        it.gram.form = GramForm::full;
        it.sweep = sweep_of(3, true);
      },
      few, false);
  go(
      "both factors",
      [](MinibatchSetup& it) {
        it.output = {true, 0.5, 1e-3};
        it.polyak = 0.2;
      },
      few, true);
  go(
      "both factors, samples that weigh",
      [](MinibatchSetup& it) {
        it.output = {true, 0.5, 1e-3};
      },
      few, true, true);
  go(
      "full Gram matrices with decay, samples that weigh",
      [](MinibatchSetup& it) {
        it.gram.form = GramForm::full;
        it.gram.l2 = 0.03;
      },
      few, true, true);
  go(
      "full Gram matrices, fewer samples in a batch than ranks, samples that weigh",
      [](MinibatchSetup& it) {
        it.gram.form = GramForm::full;
        it.batch = 2;
      },
      few, false, true);
  go(
      "counts, no step too long",
      [](MinibatchSetup& it) {
        it.network.loss = {LossKind::poisson};
        it.polyak = 0.02;
      },
      few, false);
  go(
      "both factors, schedule-free",
      [](MinibatchSetup& it) {
        it.output = {true, 0.5, 1e-3};
        it.schedule_free = true;
      },
      few, true);
  go(
      "both factors with decay, fewer samples in a batch than ranks",
      [](MinibatchSetup& it) {
        it.batch = 2;
        it.gram.l2 = 0.03;
        it.output = {true, 0.5, 1e-3};
      },
      few, false);
  go(
      "fewer samples in a batch than ranks", [](MinibatchSetup& it) { it.batch = 2; }, few, false);
  go(
      "proximal steps",
      [](MinibatchSetup& it) {
        it.regularisers.resize(3);
        for (Regulariser& each : it.regularisers) each.l1 = 0.01;
      },
      few, false);
  go(
      "large batches", [](MinibatchSetup& it) { it.batch = 3000; }, {{6, 12, 3}, 7000}, true);
}

}  // namespace

int main() {
  gradients();
  minibatches();
  return report();
}
