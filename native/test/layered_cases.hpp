// Trainings of the layered splitting of every kind, and what a training ends with: what must be the same wherever its
// samples lie.
#pragma once

#include <atomic>
#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "core/layered/state.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/threads_as_ranks.hpp"

namespace dladmm::test {

struct Case {
  std::string name;
  std::function<void(LayeredSetup&)> setup;
  std::function<void(Penalties&)> penalties = [](Penalties&) {};
  Start start = {};
  std::vector<std::size_t> widths{7, 9, 6, 3};
  std::size_t samples = 61;
};

// Algorithm 1 of dlADMM: backward, then forward.
inline std::vector<Update> sweep_of(std::size_t L, bool own_bias) {
  std::vector<Update> all;
  const auto add = [&](Block block, std::size_t l) {
    if (own_bias || block != Block::b) all.push_back({block, l});
  };
  add(Block::z, L);
  add(Block::b, L);
  add(Block::W, L);
  for (std::size_t l = L - 1; l >= 1; --l) {
    for (const Block block : {Block::a, Block::z, Block::b, Block::W}) add(block, l);
  }
  for (std::size_t l = 1; l < L; ++l) {
    for (const Block block : {Block::W, Block::b, Block::z, Block::a}) add(block, l);
  }
  for (const Block block : {Block::W, Block::b, Block::z, Block::u}) add(block, L);
  return all;
}

// What a rank ends with.
struct Ended {
  std::vector<double> parameters;
  std::vector<double> told;  // the Lagrangian, the accepted sizes, loss and accuracy, sweep by sweep
  std::size_t calls = 0;
};

template <typename T>
Ended run(const Case& of, std::size_t sweeps, std::size_t first, std::size_t count, Thread* ranks = nullptr) {
  LayeredSetup setup;
  setup.network.widths = of.widths;
  setup.samples = count;
  of.setup(setup);
  if (ranks != nullptr) setup.share = {ranks, first, of.samples};
  LayeredState<T> state(setup);
  const std::size_t depth = setup.network.layers();

  Random random(7);
  const Network& net = setup.network;
  for (std::size_t i = 0; i < of.samples; ++i) {
    const bool here = i >= first && i < first + count;
    for (std::size_t j = 0; j < net.widths.front(); ++j) {
      const double x = random.normal();
      if (here) state.input().row(i - first)[j] = static_cast<T>(x);
    }
    const std::size_t label = random.below(net.widths.back());
    if (here && net.loss.classifies()) state.labels()[i - first] = static_cast<std::int32_t>(label);
    if (net.loss.classifies()) continue;
    for (std::size_t j = 0; j < net.widths.back(); ++j) {
      const double y = random.normal();
      if (here) state.target_values().row(i - first)[j] = static_cast<T>(y);
    }
  }
  for (std::size_t l = 1; l <= depth; ++l) {
    const double scale = std::sqrt(2.0 / static_cast<double>(net.inputs(l)));
    state.write(Block::W, l, normals<T>(net.inputs(l) * net.outputs(l), random, scale));
    state.write(Block::b, l, normals<T>(net.outputs(l), random, 0.1));
  }
  state.start(of.start);

  Penalties penalties;
  penalties.nu = penalties.gamma = 0.7;
  penalties.rho = 0.9;
  of.penalties(penalties);
  const std::vector<Update> sweep = sweep_of(depth, !setup.joint_bias);
  const std::atomic<bool> go{false};
  Ended out;
  for (std::size_t k = 0; k < sweeps; ++k) {
    SweepRecord record;
    state.run(sweep, penalties, go, record);
    check(!record.diverged, text(of.name, " stays finite"));
    out.told.push_back(record.measures.lagrangian);
    for (const UpdateRecord& it : record.updates) {
      if (std::isfinite(it.size)) out.told.push_back(it.size);
    }
    if (k % 7 == 6) state.refresh();
    const ForwardLoss found = state.evaluate_training();
    out.told.push_back(found.loss);
    out.told.push_back(static_cast<double>(found.correct));
  }
  for (std::size_t l = 1; l <= depth; ++l) {
    for (const Block block : {Block::W, Block::b}) {
      std::vector<T> values(state.size_of(block, l));
      state.read(block, l, values);
      out.parameters.insert(out.parameters.end(), values.begin(), values.end());
    }
  }
  out.calls = ranks == nullptr ? 0 : ranks->calls();
  return out;
}

inline std::vector<Case> cases() {
  const auto steps = [](StepKind kind, std::size_t layers) {
    return Steps{std::vector<StepKind>(layers, kind), std::vector<StepKind>(layers - 1, kind)};
  };
  return {
      {"quadratic steps", [](LayeredSetup&) {}},
      {"the Gram matrix of the input", [](LayeredSetup& setup) { setup.gram = true; }},
      {"the smallest steps that pass, with decay", [](LayeredSetup&) {},
       [](Penalties& p) {
         p.search = StepSearch::exact;
         p.l2 = 0.3;
       }},
      {"proximal steps", [](LayeredSetup& setup) { setup.proximal = true; },
       [](Penalties& p) {
         p.regularisers.resize(3);
         for (Regulariser& it : p.regularisers) it.l1 = 0.05;
       }},
      {"FISTA", [](LayeredSetup& setup) { setup.fista = true; }, [](Penalties& p) { p.output = OutputSolver::fista; }},
      {"inversion steps with joint biases",
       [steps](LayeredSetup& setup) {
         setup.steps = steps(StepKind::cholesky, 3);
         setup.joint_bias = true;
         setup.multiplier = Multiplier::output;
       }},
      {"inverses and the Gram matrix",
       [steps](LayeredSetup& setup) {
         setup.steps = steps(StepKind::inverse, 3);
         setup.gram = true;
       }},
      {"a start at random, values as targets",
       [](LayeredSetup& setup) {
         setup.network.loss = {LossKind::squared_error, Softmax::stable};
       },
       [](Penalties&) {},
       {HiddenStart::gaussian, OutputStart::gaussian, DualStart::stationary, 3}},
      {"one layer, several pieces", [](LayeredSetup&) {}, [](Penalties&) {}, {}, {5, 4}, 2600},
      {"several pieces and segments",
       [](LayeredSetup& setup) { setup.gram = true; },
       [](Penalties&) {},
       {},
       {6, 8, 3},
       9100},
  };
}

}  // namespace dladmm::test
