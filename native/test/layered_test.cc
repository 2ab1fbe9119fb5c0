// The layered splitting against the plain algorithm: every update, in any order, however its steps are kept waiting.
#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/layered/state.hpp"
#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/plain.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

struct Shape {
  std::vector<std::size_t> widths;
  std::size_t samples;
  unsigned threads;
};

// Fewer samples than threads, one sample, widths of 1, one layer, an output wider than what comes before, and shapes
// as one expects them.
const std::vector<Shape> kShapes{
    {{5, 7, 6, 3}, 23, 2}, {{4, 3}, 11, 3},       {{3, 5, 2}, 2, 5},        {{6, 4, 3}, 1, 2}, {{1, 1, 1, 1}, 9, 2},
    {{2, 3, 9}, 14, 4},    {{3, 2, 2, 11}, 8, 3}, {{4, 8, 3, 5, 2}, 31, 1}, {{1, 2}, 1, 4},    {{2, 1}, 5, 1},
};

// So wide that elementwise work takes a block by pieces, and with several blocks of samples a thread.
const std::vector<Shape> kLarge{{{3, 150, 20, 4}, 130, 2}, {{7, 5, 4, 3}, 2600, 2}};

std::vector<Shape> all_shapes() {
  std::vector<Shape> out = kShapes;
  out.insert(out.end(), kLarge.begin(), kLarge.end());
  return out;
}

std::string name_of(const Shape& shape) {
  std::string name;
  for (const std::size_t width : shape.widths) name += text(width, " ");
  return text(name, "of ", shape.samples, " samples, ", shape.threads, " threads");
}

struct Variant {
  LossKind loss = LossKind::softmax_cross_entropy;
  double slope = 0;
  bool gram = false;
  bool fista = false;
  Steps steps = {};
  Multiplier multiplier = Multiplier::residual;
  bool joint_bias = false;
  ActivationKind kind = ActivationKind::rectifier;
};

// The same problem for both: numbers rounded to T, so that they start from one point.
template <typename T>
struct Pair {
  std::unique_ptr<LayeredState<T>> state;
  Plain plain;

  Pair(const Shape& shape, const Variant& variant, Random& random) {
    LayeredSetup setup;
    setup.network = {shape.widths,
                     {static_cast<double>(static_cast<T>(variant.slope)), variant.kind},
                     {variant.loss, Softmax::stable}};
    setup.samples = shape.samples;
    setup.threads = shape.threads;
    setup.gram = variant.gram;
    setup.fista = variant.fista;
    setup.steps = variant.steps;
    setup.multiplier = variant.multiplier;
    setup.joint_bias = variant.joint_bias;
    state = std::make_unique<LayeredState<T>>(setup);

    plain.network = setup.network;
    plain.steps = variant.steps;
    plain.multiplier = variant.multiplier;
    plain.joint_bias = variant.joint_bias;
    const std::size_t outputs = shape.widths.back();
    const std::size_t depth = setup.network.layers();
    plain.a.push_back(numbers(shape.samples, shape.widths[0], 1, random));
    copy(plain.a[0], state->input());
    if (setup.network.loss.classifies()) {
      for (std::size_t i = 0; i < shape.samples; ++i) {
        plain.labels.push_back(static_cast<std::int32_t>(random.below(setup.network.loss.classes(outputs))));
        state->labels()[i] = plain.labels[i];
      }
    } else {
      plain.values = numbers(shape.samples, outputs, 1, random);
      copy(plain.values, state->target_values());
    }
    plain.W.resize(depth + 1);
    plain.b.resize(depth + 1);
    for (std::size_t l = 1; l <= depth; ++l) {
      const double scale = std::sqrt(2.0 / static_cast<double>(shape.widths[l - 1]));
      plain.W[l] = numbers(shape.widths[l], shape.widths[l - 1], scale, random);
      plain.b[l] = numbers(1, shape.widths[l], 0.3, random).values;
      write(Block::W, l, plain.W[l].values);
      write(Block::b, l, plain.b[l]);
    }
  }

  static Mat numbers(std::size_t rows, std::size_t columns, double scale, Random& random) {
    Mat m(rows, columns);
    for (double& value : m.values) value = static_cast<double>(static_cast<T>(scale * random.normal()));
    return m;
  }
  static void copy(const Mat& from, MatrixView<T> to) {
    for (std::size_t i = 0; i < from.values.size(); ++i) to.flat()[i] = static_cast<T>(from.values[i]);
  }

  void write(Block block, std::size_t layer, const std::vector<double>& values) {
    std::vector<T> typed(values.size());
    for (std::size_t i = 0; i < values.size(); ++i) typed[i] = static_cast<T>(values[i]);
    state->write(block, layer, typed);
  }
  std::vector<double> read(Block block, std::size_t layer) {
    std::vector<T> typed(state->size_of(block, layer));
    state->read(block, layer, typed);
    return {typed.begin(), typed.end()};
  }
  std::vector<double>& plain_block(Block block, std::size_t l) {
    switch (block) {
      case Block::W:
        return plain.W[l].values;
      case Block::b:
        return plain.b[l];
      case Block::z:
        return plain.z[l].values;
      case Block::a:
        return plain.a[l].values;
      case Block::u:
        break;
    }
    return plain.u.values;
  }
  void start(OutputStart output = OutputStart::forward, DualStart dual = DualStart::zero) {
    state->start({.hidden = HiddenStart::forward, .output = output, .dual = dual, .seed = 0});
    plain.start(output == OutputStart::signed_labels, dual == DualStart::stationary);
  }
  // Moves everything away from the start, where residuals are zero and hide mistakes.
  void scatter(Random& random) {
    for (const Update& it : blocks()) {
      if (it.block == Block::W || it.block == Block::b) continue;
      auto& values = plain_block(it.block, it.layer);
      for (double& value : values) value = static_cast<double>(static_cast<T>(value + 0.5 * random.normal()));
      write(it.block, it.layer, values);
    }
  }
  // Every block there is; each of them can be updated.
  [[nodiscard]] std::vector<Update> blocks() const {
    std::vector<Update> out;
    for (std::size_t l = 1; l <= plain.depth(); ++l) {
      for (const Block block : {Block::W, Block::b, Block::z}) out.push_back({block, l});
      if (l < plain.depth()) out.push_back({Block::a, l});
    }
    out.push_back({Block::u, plain.depth()});
    return out;
  }

  SweepRecord run(std::span<const Update> updates, const Penalties& p) {
    const std::atomic<bool> stop{false};
    SweepRecord record;
    state->run(updates, p, stop, record);
    return record;
  }

  // Runs both and compares the records of the updates and the measures.
  void run_both(const std::vector<Update>& updates, const Penalties& p, double tolerance, const std::string& what) {
    const SweepRecord record = run(updates, p);
    const bool whole = !record.stopped && !record.diverged && record.completed == updates.size();
    check(whole, what + ": ran to its end");
    if (!whole) return;
    for (std::size_t i = 0; i < updates.size(); ++i) {
      const Plain::Step step = plain.update(updates[i], p);
      const UpdateRecord& it = record.updates[i];
      const std::size_t l = updates[i].layer;
      const bool is_W = updates[i].block == Block::W;
      const StepKind kind = is_W                           ? plain.step_of_W(l)
                            : updates[i].block == Block::a ? plain.step_of_a(l)
                                                           : StepKind::quadratic;
      check(std::isfinite(it.factor_seconds) == (kind != StepKind::quadratic), what + ": time in the factor");
      check((it.rank >= 0) == (kind == StepKind::pseudoinverse), what + ": rank");
      if ((is_W || updates[i].block == Block::a) && kind == StepKind::quadratic) {
        // Where the block is at its minimum the direction is rounding, and so is its curvature.
        const double noise = std::is_same_v<T, double> ? 1e-18 : 1e-8;
        if (step.step_norm < noise && it.step_norm < noise) continue;
        check_close(it.size, step.size, tolerance * (step.size + 1e-12), what + ": size of update " + text(i));
        check_close(it.kappa, step.kappa, tolerance * (step.kappa + 1e-12), what + ": kappa of update " + text(i));
        check_close(it.step_norm, step.step_norm, tolerance * (step.step_norm + 1e-12),
                    what + ": step of update " + text(i));
      } else {
        check(std::isnan(it.size) && std::isnan(it.kappa) && std::isnan(it.step_norm), what + ": no size");
      }
      if (updates[i].block == Block::z && updates[i].layer == plain.depth()) {
        if (p.output == OutputSolver::fista) check_equal(it.steps, step.steps, what + ": FISTA steps");
        check(it.steps >= 0, what + ": steps of z_L");
      } else {
        check_equal(it.steps, -1, what + ": no steps");
      }
    }
    compare_measures(record.measures, p, tolerance, what);
  }

  void compare_measures(const Measures& got, const Penalties& p, double tolerance, const std::string& what) {
    const Measures expected = plain.measure(p);
    const auto close = [&](double x, double y, const char* which) {
      check_close(x, y, tolerance * (std::abs(y) + 1), what + ": " + which);
    };
    check_equal(got.residual.size(), expected.residual.size(), what + ": residuals");
    check_equal(got.activation.size(), expected.activation.size(), what + ": activations");
    for (std::size_t l = 0; l < expected.residual.size(); ++l) close(got.residual[l], expected.residual[l], "residual");
    for (std::size_t l = 0; l < expected.activation.size(); ++l)
      close(got.activation[l], expected.activation[l], "activation");
    close(got.loss, expected.loss, "loss");
    close(got.regularisation, expected.regularisation, "regularisation");
    close(got.dual_product, expected.dual_product, "dual product");
    close(got.dual_norm, expected.dual_norm, "dual norm");
    close(got.dual_identity, expected.dual_identity, "dual identity");
    close(got.lagrangian, expected.lagrangian, "Lagrangian");
  }

  void compare(double tolerance, const std::string& what) {
    for (const Update& it : blocks()) {
      const std::vector<double> got = read(it.block, it.layer);
      const std::vector<double>& expected = plain_block(it.block, it.layer);
      check_equal(got.size(), expected.size(), what + ": size of a block");
      double largest = 1;
      double worst = 0;
      for (std::size_t i = 0; i < expected.size(); ++i) {
        largest = std::max(largest, std::abs(expected[i]));
        const double miss = std::abs(got[i] - expected[i]);
        if (!(miss <= worst)) worst = miss;
      }
      check_at_most(worst / largest, tolerance,
                    text(what, ": block ", "Wbzau"[static_cast<int>(it.block)], " of layer ", it.layer));
    }
  }
};

template <typename T>
constexpr double kTolerance = std::is_same_v<T, double> ? 1e-9 : 2e-3;

Penalties some_penalties(Random& random) {
  Penalties p;
  p.nu = random.uniform(0.3, 2);
  p.gamma = random.below(2) == 0 ? p.nu : random.uniform(0.3, 2);
  p.rho = random.uniform(0.5, 2);
  p.l2 = random.below(2) == 0 ? 0 : random.uniform(0.01, 0.5);
  p.search = random.below(2) == 0 ? StepSearch::exact : StepSearch::backtracking;
  p.theta0 = random.uniform(0.01, 2);
  p.tau0 = random.uniform(0.01, 2);
  p.growth = random.uniform(1.3, 3);
  return p;
}

Variant some_variant(Random& random) {
  constexpr std::array<double, 5> slopes{0, 0.1, 1, -0.5, 2};
  constexpr std::array<LossKind, 3> losses{LossKind::softmax_cross_entropy, LossKind::squared_error, LossKind::hinge};
  return {.loss = losses[random.below(3)], .slope = slopes[random.below(5)], .gram = random.below(2) == 0};
}

// Any kind of step in any layer.
Variant some_inverting_variant(std::size_t depth, Random& random) {
  Variant variant = some_variant(random);
  constexpr std::array<StepKind, 4> kinds{StepKind::quadratic, StepKind::cholesky, StepKind::inverse,
                                          StepKind::pseudoinverse};
  for (std::size_t l = 1; l <= depth; ++l) {
    variant.steps.W.push_back(kinds[random.below(4)]);
    if (l < depth) variant.steps.a.push_back(kinds[random.below(3)]);
  }
  variant.multiplier = random.below(2) == 0 ? Multiplier::residual : Multiplier::output;
  variant.joint_bias = random.below(2) == 0;
  return variant;
}

std::vector<Update> standard_sweep(std::size_t depth) {
  std::vector<Update> out{{Block::z, depth}, {Block::b, depth}, {Block::W, depth}};
  for (std::size_t l = depth - 1; l >= 1; --l) {
    for (const Block block : {Block::a, Block::z, Block::b, Block::W}) out.push_back({block, l});
  }
  for (std::size_t l = 1; l < depth; ++l) {
    for (const Block block : {Block::W, Block::b, Block::z, Block::a}) out.push_back({block, l});
  }
  for (const Block block : {Block::W, Block::b, Block::z, Block::u}) out.push_back({block, depth});
  return out;
}

// --- facts ---

void accepted_sizes() {
  check_equal(accepted_size(StepSearch::exact, 7, 2, 0.3), 0.3, "exact takes kappa");
  check_equal(accepted_size(StepSearch::backtracking, 0.5, 2, 0.3), 0.5, "the start passes");
  check_equal(accepted_size(StepSearch::backtracking, 0.5, 2, 0.5), 0.5, "the start just passes");
  check_equal(accepted_size(StepSearch::backtracking, 0.5, 3, 1.6), 4.5, "two growths");
  check_equal(accepted_size(StepSearch::backtracking, 1, 2, 0), 1.0, "nothing to pass");
  check(std::isinf(accepted_size(StepSearch::backtracking, 1, 1.01, INFINITY)), "infinity ends the loop");
  check_equal(accepted_size(StepSearch::backtracking, 1, 2, NAN), 1.0, "NaN ends the loop");
}

template <typename T>
void starts() {
  Random random(30);
  for (const Shape& shape : kShapes) {
    for (const LossKind loss : {LossKind::softmax_cross_entropy, LossKind::squared_error}) {
      for (const OutputStart output : {OutputStart::forward, OutputStart::signed_labels}) {
        if (output == OutputStart::signed_labels && loss == LossKind::squared_error) continue;
        for (const DualStart dual : {DualStart::zero, DualStart::stationary}) {
          Pair<T> pair(shape, {.loss = loss, .slope = 0.2}, random);
          // A second start forgets what went before.
          pair.start();
          pair.scatter(random);
          pair.start(output, dual);
          const double tolerance = std::is_same_v<T, double> ? 1e-13 : 1e-5;
          pair.compare(tolerance, "start of " + name_of(shape));
          Penalties p;
          Measures measures;
          pair.state->measure(p, measures);
          pair.compare_measures(measures, p, 100 * tolerance, "measures of the start of " + name_of(shape));
        }
      }
    }
  }
}

template <typename T>
void each_update_alone() {
  Random random(31);
  for (const Shape& shape : kShapes) {
    for (int trial = 0; trial < 4; ++trial) {
      const Variant variant = some_variant(random);
      Pair<T> pair(shape, variant, random);
      pair.start(OutputStart::forward, trial % 2 == 0 ? DualStart::zero : DualStart::stationary);
      pair.scatter(random);
      for (const Update& it : pair.blocks()) {
        const auto what = text(type_name<T>(), " ", "Wbzau"[static_cast<int>(it.block)], " of layer ", it.layer, " of ",
                               name_of(shape), " gram ", variant.gram);
        const Penalties p = some_penalties(random);
        pair.run_both({it}, p, kTolerance<T>, what);
        pair.compare(kTolerance<T>, what);
        // Both go on from one point, so that roundings do not add up.
        for (const Update& block : pair.blocks())
          pair.plain_block(block.block, block.layer) = pair.read(block.block, block.layer);
      }
    }
  }
}

// With λ > 0 the minimiser is the only one, however few the samples.
template <typename T>
void each_inversion_step_alone() {
  Random random(131);
  for (const Shape& shape : kShapes) {
    for (int trial = 0; trial < 12; ++trial) {
      const Variant variant = some_inverting_variant(shape.widths.size() - 1, random);
      Pair<T> pair(shape, variant, random);
      pair.start();
      pair.scatter(random);
      for (const Update& it : pair.blocks()) {
        const auto what = text(type_name<T>(), " ", "Wbzau"[static_cast<int>(it.block)], " of layer ", it.layer, " of ",
                               name_of(shape), " gram ", variant.gram, " joint ", variant.joint_bias, " trial ", trial);
        Penalties p = some_penalties(random);
        p.l2 = random.uniform(0.1, 0.5);
        pair.run_both({it}, p, 3 * kTolerance<T>, what);
        pair.compare(3 * kTolerance<T>, what);
        for (const Update& block : pair.blocks())
          pair.plain_block(block.block, block.layer) = pair.read(block.block, block.layer);
      }
    }
  }
}

// Products that are due, products that are stepped and activations that are overwritten, in any order.
void any_order_of_inversion_steps() {
  Random random(132);
  for (int trial = 0; trial < 250; ++trial) {
    const Shape& shape = trial % 25 == 0 ? kLarge[0] : kShapes[random.below(kShapes.size())];
    Pair<double> pair(shape, some_inverting_variant(shape.widths.size() - 1, random), random);
    pair.start();
    pair.scatter(random);
    const auto blocks = pair.blocks();
    for (int sweep = 0; sweep < 3; ++sweep) {
      std::vector<Update> updates;
      const std::size_t count = 1 + random.below(12);
      while (updates.size() < count) {
        updates.push_back(blocks[random.below(blocks.size())]);
        if (random.below(4) == 0) updates.push_back(updates.back());
      }
      const auto what = text("inversion trial ", trial, " sweep ", sweep, " of ", name_of(shape));
      Penalties p = some_penalties(random);
      p.l2 = random.uniform(0.1, 0.5);
      pair.run_both(updates, p, 1e-7, what);
      if (random.below(3) == 0) pair.compare(1e-7, what);
      if (random.below(5) == 0) pair.state->refresh();
    }
    pair.compare(1e-7, text("inversion trial ", trial, " of ", name_of(shape)));
  }
}

// Steps wait in slots until somebody needs them: whatever the order, the outcome is that of the plain algorithm.
void any_order_of_updates() {
  Random random(32);
  for (int trial = 0; trial < 250; ++trial) {
    const Shape& shape = trial % 25 == 0 ? kLarge[0] : kShapes[random.below(kShapes.size())];
    Pair<double> pair(shape, some_variant(random), random);
    pair.start();
    pair.scatter(random);
    const auto blocks = pair.blocks();
    for (int sweep = 0; sweep < 3; ++sweep) {
      std::vector<Update> updates;
      const std::size_t count = 1 + random.below(12);
      while (updates.size() < count) {
        updates.push_back(blocks[random.below(blocks.size())]);
        // Now and then twice in a row: that is where W_1 goes on from its own direction.
        if (random.below(4) == 0) updates.push_back(updates.back());
      }
      const auto what = text("trial ", trial, " sweep ", sweep, " of ", name_of(shape));
      const Penalties p = some_penalties(random);
      pair.run_both(updates, p, 1e-7, what);
      // Between sweeps somebody may look, measure, refresh, or do nothing.
      switch (random.below(5)) {
        case 0:
          pair.compare(1e-7, what);
          break;
        case 1: {
          Measures measures;
          const Penalties others = some_penalties(random);
          pair.state->measure(others, measures);
          pair.compare_measures(measures, others, 1e-7, what + ", measured");
          break;
        }
        case 2:
          pair.state->refresh();
          break;
        case 3:
          pair.read(Block::z, 1);
          break;
        default:
          break;
      }
    }
    pair.compare(1e-7, text("trial ", trial, " of ", name_of(shape)));
  }
}

template <typename T>
void smooth_activations() {
  Random random(34);
  for (const Shape& shape : kShapes) {
    for (const auto& [slope, kind] : kSmooth) {
      Variant variant = some_variant(random);
      variant.kind = kind;
      variant.slope = slope;
      Pair<T> pair(shape, variant, random);
      pair.start();
      Penalties p = some_penalties(random);
      const auto what = text(type_name<T>(), " smooth sweep of ", name_of(shape));
      pair.run_both(standard_sweep(pair.plain.depth()), p, 1e3 * kTolerance<T>, what);
    }
  }
}

template <typename T>
void standard_sweeps() {
  Random random(33);
  for (const Shape& shape : all_shapes()) {
    for (int trial = 0; trial < 2; ++trial) {
      Variant variant = some_variant(random);
      Pair<T> pair(shape, variant, random);
      pair.start();
      Penalties p = some_penalties(random);
      const auto what = text(type_name<T>(), " sweeps of ", name_of(shape));
      const int sweeps = std::is_same_v<T, double> ? 3 : 1;
      for (int sweep = 0; sweep < sweeps; ++sweep) {
        pair.run_both(standard_sweep(pair.plain.depth()), p, 10 * kTolerance<T>, what);
      }
      pair.compare(10 * kTolerance<T>, what);
    }
  }
}

void fista_steps() {
  Random random(34);
  for (const Shape& shape : kShapes) {
    for (const LossKind loss : {LossKind::softmax_cross_entropy, LossKind::squared_error}) {
      Pair<double> pair(shape, {.loss = loss, .fista = true}, random);
      pair.start();
      pair.scatter(random);
      const std::size_t L = pair.plain.depth();
      Penalties p = some_penalties(random);
      p.output = OutputSolver::fista;
      p.fista.step = loss == LossKind::squared_error ? 1 : 2;
      for (const auto& [limit, tolerance] : {std::pair{500, 1e-3}, {7, 0.0}, {0, 1e-3}}) {
        p.fista.limit = limit;
        p.fista.tolerance = tolerance;
        const auto what = text("FISTA of ", name_of(shape), " limit ", limit);
        pair.run_both({{Block::z, L}, {Block::b, L}, {Block::z, L}, {Block::u, L}}, p, 1e-9, what);
        pair.compare(1e-9, what);
      }
    }
  }
}

void gram_or_not() {
  Random random(35);
  for (const Shape& shape : kShapes) {
    for (const double l2 : {0.0, 0.2}) {
      const std::uint64_t seed = random.bits();
      std::array<std::unique_ptr<Pair<double>>, 2> pairs;
      Penalties p;
      p.l2 = l2;
      p.search = StepSearch::exact;
      for (const bool gram : {false, true}) {
        Random own(seed);
        auto pair = std::make_unique<Pair<double>>(shape, Variant{.gram = gram}, own);
        pair->start();
        pair->scatter(own);
        // Three in a row, then one that is interrupted, then one by itself.
        pair->run(
            {{{Block::W, 1}, {Block::W, 1}, {Block::W, 1}, {Block::b, 1}, {Block::W, 1}, {Block::z, 1}, {Block::W, 1}}},
            p);
        pairs[gram ? 1 : 0] = std::move(pair);
      }
      for (const Update& it : pairs[0]->blocks()) {
        const auto without = pairs[0]->read(it.block, it.layer);
        const auto with = pairs[1]->read(it.block, it.layer);
        double worst = 0;
        for (std::size_t i = 0; i < with.size(); ++i) worst = std::max(worst, std::abs(with[i] - without[i]));
        check_at_most(worst, 1e-10, text("gram or not, ", name_of(shape), " l2 ", l2));
      }
    }
  }
}

// z_l followed by a_l rides on one pass; apart they give the same bits.
template <typename T>
void z_and_a_together_or_apart() {
  Random random(36);
  for (const Shape& shape : kShapes) {
    for (std::size_t l = 1; l + 1 < shape.widths.size(); ++l) {
      const std::uint64_t seed = random.bits();
      const Variant variant = some_variant(random);
      const Penalties p = some_penalties(random);
      std::array<std::vector<double>, 2> bits;
      std::array<std::vector<double>, 2> activations;
      for (const std::size_t apart : {0, 1}) {
        Random own(seed);
        Pair<T> pair(shape, variant, own);
        pair.start();
        pair.scatter(own);
        // Something waits already.
        pair.run({{{Block::W, l}, {Block::a, l}}}, p);
        SweepRecord record;
        if (apart == 1) {
          pair.run({{{Block::z, l}}}, p);
          record = pair.run({{{Block::a, l}}}, p);
        } else {
          record = pair.run({{{Block::z, l}, {Block::a, l}}}, p);
        }
        activations[apart] = record.measures.activation;
        for (const Update& it : pair.blocks()) {
          const auto values = pair.read(it.block, it.layer);
          bits[apart].insert(bits[apart].end(), values.begin(), values.end());
        }
      }
      check(bits[0] == bits[1], text("z and a of layer ", l, " of ", name_of(shape)));
      check(activations[0] == activations[1], "their measures");
    }
  }
}

void refresh_changes_nothing() {
  Random random(37);
  for (const Shape& shape : kShapes) {
    Pair<double> pair(shape, some_variant(random), random);
    pair.start();
    const Penalties p = some_penalties(random);
    const auto sweep = standard_sweep(pair.plain.depth());
    pair.run_both(sweep, p, 1e-8, "sweep of " + name_of(shape));
    pair.state->refresh();
    pair.compare(1e-9, "refreshed " + name_of(shape));
    Measures measures;
    pair.state->measure(p, measures);
    pair.compare_measures(measures, p, 1e-9, "refreshed " + name_of(shape));
    pair.state->refresh();
    pair.state->refresh();
    pair.run_both(sweep, p, 1e-8, "sweep after the refresh of " + name_of(shape));
  }
}

// A block changed by hand is what the next update starts from.
void blocks_can_be_written() {
  Random random(38);
  for (const Shape& shape : kShapes) {
    Pair<double> pair(shape, some_variant(random), random);
    pair.start();
    const Penalties p = some_penalties(random);
    for (const Update& it : pair.blocks()) {
      pair.run_both(standard_sweep(pair.plain.depth()), p, 1e-7, name_of(shape));
      auto& values = pair.plain_block(it.block, it.layer);
      values = normals<double>(values.size(), random);
      pair.write(it.block, it.layer, values);
      check(pair.read(it.block, it.layer) == values, "what was written is read");
      const auto what = text("after writing ", "Wbzau"[static_cast<int>(it.block)], " of ", name_of(shape));
      // Whoever comes first: b goes by sums that are kept, the measures by residuals that are.
      if (random.below(2) == 0) {
        for (std::size_t l = 1; l <= pair.plain.depth(); ++l) pair.run_both({{Block::b, l}}, p, 1e-7, what);
      }
      Measures measures;
      pair.state->measure(p, measures);
      pair.compare_measures(measures, p, 1e-7, what);
      // Roundings must not add up over the blocks.
      for (const Update& block : pair.blocks())
        pair.plain_block(block.block, block.layer) = pair.read(block.block, block.layer);
    }
  }
}

void zero_directions() {
  // A network that outputs its targets: every residual is zero, and so is every gradient of W.
  const Shape shape{{3, 4, 2}, 6, 2};
  Random random(39);
  for (const StepSearch search : {StepSearch::backtracking, StepSearch::exact}) {
    Pair<double> pair(shape, {.loss = LossKind::squared_error, .gram = random.below(2) == 0}, random);
    pair.start();
    Penalties p;
    p.search = search;
    p.theta0 = 0.125;
    p.tau0 = 0.25;
    const auto record = pair.run({{{Block::W, 1}, {Block::W, 2}, {Block::a, 1}}}, p);
    for (std::size_t i = 0; i < 3; ++i) {
      check_equal(record.updates[i].size, i == 2 ? 0.25 : 0.125, "a zero direction reports the start");
      check_equal(record.updates[i].step_norm, 0.0, "no step");
      check_equal(record.updates[i].kappa, 0.0, "no curvature");
    }
    pair.compare(1e-15, "nothing moved");
  }
  // Exact search has no start of its own: it reports the last size.
  Pair<double> pair(shape, {.loss = LossKind::squared_error}, random);
  pair.start();
  Penalties p;
  p.search = StepSearch::exact;
  const std::vector<double> z = pair.read(Block::z, 2);
  pair.write(Block::z, 2, normals<double>(z.size(), random));
  const double size = pair.run({{{Block::W, 2}}}, p).updates[0].size;
  pair.start();
  check_equal(pair.run({{{Block::W, 2}}}, p).updates[0].size, size, "the last size");
}

// Inputs so small that their squares vanish: there is no curvature to find, and no reason to give up.
template <typename T>
void tiny_inputs_do_not_diverge() {
  for (const bool gram : {false, true}) {
    Random random(40);
    Pair<T> pair({{3, 2}, 5, 1}, {.gram = gram}, random);
    const double tiny = std::is_same_v<T, double> ? 1e-200 : 1e-30;
    for (T& value : pair.state->input().flat()) value = static_cast<T>(tiny);
    pair.state->start({});
    Penalties p;
    p.search = StepSearch::exact;
    const auto record = pair.run(standard_sweep(1), p);
    check(!record.diverged, text(type_name<T>(), " inputs of ", tiny, " gram ", gram));
  }
}

// The request may come at any moment: the state is then that after `completed` updates.
void stops_between_updates() {
  Random random(41);
  const Shape shape{{5, 7, 6, 3}, 200, 2};
  bool stopped_midway = false;
  for (int trial = 0; trial < 60; ++trial) {
    Pair<double> pair(shape, some_variant(random), random);
    pair.start();
    Penalties p = some_penalties(random);
    std::vector<Update> updates = standard_sweep(3);
    for (int i = 0; i < 3; ++i) updates.insert(updates.end(), updates.begin(), updates.end());
    std::atomic<bool> stop{trial == 0};
    SweepRecord record;
    const std::size_t delay = random.below(20000);
    std::thread requester([&] {
      for (std::size_t i = 0; i < delay; ++i) std::atomic_signal_fence(std::memory_order_seq_cst);
      stop = true;
    });
    pair.state->run(updates, p, stop, record);
    requester.join();
    if (trial == 0) check_equal(record.completed, std::size_t{0}, "a request that was there before");
    // One that comes in the last update is told too.
    check(record.stopped || record.completed == updates.size(), "stopped short, or ran to the end");
    check(!record.diverged, "not diverged");
    stopped_midway = stopped_midway || (record.completed > 0 && record.completed < updates.size());
    for (std::size_t i = 0; i < record.completed; ++i) pair.plain.update(updates[i], p);
    pair.compare_measures(record.measures, p, 1e-6, text("stopped after ", record.completed));
    pair.compare(1e-6, text("stopped after ", record.completed));
    // It goes on as if nothing had been.
    pair.run_both(standard_sweep(3), p, 1e-6, "the sweep after");
  }
  std::printf("a stop came between two updates: %s\n", stopped_midway ? "yes" : "no");
}

void divergence_restores_W_and_b() {
  Random random(42);
  const Shape shape{{4, 5, 3, 2}, 9, 2};
  struct Poison {
    Block block;
    std::size_t layer;
    double value;
    std::size_t completed;  // of the sweep below
  };
  // z_3 b_3 W_3 | a_2 z_2 b_2 W_2 | …
  const std::vector<Poison> poisons{{Block::u, 3, NAN, 0},   {Block::a, 2, NAN, 0},   {Block::b, 3, INFINITY, 0},
                                    {Block::a, 2, 1e200, 2}, {Block::W, 3, 1e200, 2}, {Block::z, 2, INFINITY, 3},
                                    {Block::a, 1, NAN, 4},   {Block::z, 1, 1e300, 7}};
  for (const bool gram : {false, true}) {
    for (const Poison& poison : poisons) {
      Pair<double> pair(shape, {.loss = LossKind::squared_error, .gram = gram}, random);
      pair.start();
      const Penalties p = some_penalties(random);
      pair.run(standard_sweep(3), p);
      auto values = pair.read(poison.block, poison.layer);
      const auto healthy = values;
      values[values.size() / 2] = poison.value;
      pair.write(poison.block, poison.layer, values);
      std::vector<std::vector<double>> before;
      for (std::size_t l = 1; l <= 3; ++l) {
        before.push_back(pair.read(Block::W, l));
        before.push_back(pair.read(Block::b, l));
      }
      const auto record = pair.run(standard_sweep(3), p);
      const auto what = text("poison ", poison.value, " in ", "Wbzau"[static_cast<int>(poison.block)], " of layer ",
                             poison.layer, " gram ", gram);
      check(record.diverged && !record.stopped, what + ": diverged");
      check_equal(record.completed, poison.completed, what + ": completed");
      for (std::size_t l = 1; l <= 3; ++l) {
        // Not ==, for a NaN that was there before.
        const auto same = [](const std::vector<double>& x, const std::vector<double>& y) {
          return std::memcmp(x.data(), y.data(), x.size() * sizeof(double)) == 0;
        };
        check(same(pair.read(Block::W, l), before[2 * l - 2]), what + ": W is back");
        check(same(pair.read(Block::b, l), before[2 * l - 1]), what + ": b is back");
      }
      // A fresh start from there, and all is well again.
      pair.write(poison.block, poison.layer, healthy);
      pair.plain.W.assign(4, {});
      for (std::size_t l = 1; l <= 3; ++l) {
        pair.plain.W[l] = Mat(shape.widths[l], shape.widths[l - 1]);
        pair.plain.W[l].values = pair.read(Block::W, l);
        pair.plain.b[l] = pair.read(Block::b, l);
      }
      pair.start();
      pair.run_both(standard_sweep(3), p, 1e-7, what + ": afterwards");
      pair.compare(1e-7, what + ": afterwards");
    }
  }
}

// z_l and a_l on one pass: the record tells which of them met what is not finite.
void divergence_names_the_update() {
  const Shape shape{{2, 3, 2}, 4, 1};
  const auto completed_with = [&](Block block, std::size_t layer, double value) {
    Random random(43);
    Pair<double> pair(shape, {.loss = LossKind::squared_error}, random);
    pair.start();
    auto values = pair.read(block, layer);
    values[0] = value;
    pair.write(block, layer, values);
    const auto record = pair.run({{{Block::b, 2}, {Block::z, 1}, {Block::a, 1}, {Block::u, 2}}}, {});
    check(record.diverged, "diverged");
    return record.completed;
  };
  check_equal(completed_with(Block::W, 1, INFINITY), std::size_t{1}, "P_1 spoils z_1");
  check_equal(completed_with(Block::z, 2, INFINITY), std::size_t{0}, "z_2 spoils b_2");
  check_equal(completed_with(Block::u, 2, 1e300), std::size_t{2}, "u spoils a_1");
}

// Two runs give the same bits, also where the memory held something else before.
template <typename T>
void runs_repeat_bit_for_bit() {
  Random shapes(44);
  auto all = kShapes;
  all.push_back({{7, 33, 20, 5}, 2600, 3});
  for (const Shape& shape : all) {
    const std::uint64_t seed = shapes.bits();
    std::array<std::vector<double>, 3> bits;
    std::array<std::vector<double>, 3> lagrangians;
    for (std::size_t round = 0; round < 3; ++round) {
      // Whatever is allocated next may lie where this was.
      std::vector<std::vector<T>> dirt;
      for (std::size_t size = 1; size < 100000; size += 1 + size / 2) {
        dirt.emplace_back(size, round == 0 ? std::numeric_limits<T>::quiet_NaN() : static_cast<T>(3 * round));
      }
      dirt.clear();
      Random own(seed);
      Pair<T> pair(shape, {.slope = 0.1, .gram = own.below(2) == 0}, own);
      pair.start();
      const Penalties p = some_penalties(own);
      for (int sweep = 0; sweep < 3; ++sweep) {
        lagrangians[round].push_back(pair.run(standard_sweep(shape.widths.size() - 1), p).measures.lagrangian);
      }
      for (const Update& it : pair.blocks()) {
        const auto values = pair.read(it.block, it.layer);
        bits[round].insert(bits[round].end(), values.begin(), values.end());
      }
    }
    check(bits[0] == bits[1] && bits[1] == bits[2], text(type_name<T>(), " blocks of ", name_of(shape)));
    check(lagrangians[0] == lagrangians[1] && lagrangians[1] == lagrangians[2], "their Lagrangians");
  }
}

// Every block, record and measure of some sweeps, by its bits.
template <typename T>
std::vector<double> numbers_of_a_run(const Shape& shape, const Variant& variant, std::uint64_t seed, bool fista) {
  Random random(seed);
  Pair<T> pair(shape, variant, random);
  pair.state->start({.hidden = HiddenStart::forward, .output = OutputStart::forward, .dual = DualStart::stationary});
  Penalties p = some_penalties(random);
  p.output = fista ? OutputSolver::fista : OutputSolver::exact;
  std::vector<double> numbers;
  for (int sweep = 0; sweep < 2; ++sweep) {
    const SweepRecord record = pair.run(standard_sweep(shape.widths.size() - 1), p);
    const Measures& m = record.measures;
    for (const UpdateRecord& it : record.updates) {
      for (const double x : {it.size, it.kappa, it.step_norm, it.stationarity, it.ridge}) {
        numbers.push_back(std::isnan(x) ? -1 : x);
      }
    }
    numbers.insert(numbers.end(), m.residual.begin(), m.residual.end());
    numbers.insert(numbers.end(), m.activation.begin(), m.activation.end());
    numbers.insert(numbers.end(),
                   {m.loss, m.regularisation, m.dual_product, m.dual_norm, m.dual_identity, m.lagrangian});
    numbers.push_back(pair.state->evaluate_training().loss);
  }
  for (const Update& it : pair.blocks()) {
    const auto values = pair.read(it.block, it.layer);
    numbers.insert(numbers.end(), values.begin(), values.end());
  }
  return numbers;
}

// Fewer samples than a piece; few segments of samples, whose sums are shared out by rows; and many.
template <typename T>
void the_same_bits_whatever_the_threads() {
  share_rounds_of(0);
  using enum StepKind;
  const Steps exact{{cholesky, pseudoinverse, inverse}, {cholesky, inverse}};
  const std::vector<Variant> variants{
      {.gram = true},
      {.slope = 0.1, .fista = true},
      {.kind = ActivationKind::tanh},
      {.gram = true, .steps = exact, .multiplier = Multiplier::output, .joint_bias = true},
      {.steps = exact}};
  for (const Shape& shape :
       {Shape{{12, 150, 9, 4}, 11, 1}, Shape{{12, 40, 9, 4}, 2900, 1}, Shape{{9, 11, 6, 3}, 17000, 1}}) {
    for (const Variant& variant : variants) {
      if (shape.samples > 10000 && variant.kind != ActivationKind::rectifier) continue;
      std::vector<double> alone;
      for (const unsigned threads : {1U, 2U, 3U, 5U, 8U}) {
        Shape own = shape;
        own.threads = threads;
        const std::vector<double> numbers = numbers_of_a_run<T>(own, variant, 47, variant.fista);
        if (threads == 1) alone = numbers;
        check(numbers == alone, text(type_name<T>(), " ", name_of(own), " gram ", variant.gram, " exact steps ",
                                     variant.steps.W.size(), " FISTA ", variant.fista));
      }
    }
  }
}

// Before start() there is nothing that could be looked at or moved: memory that nobody has written.
void nothing_runs_before_the_start() {
  Random random(48);
  Pair<double> pair({{3, 4, 2}, 6, 2}, {}, random);
  SweepRecord record;
  Measures measures;
  std::vector<double> values(24);
  check_throws<std::logic_error>([&] { pair.run({{{Block::W, 1}}}, {}); }, "run");
  check_throws<std::logic_error>([&] { pair.state->measure({}, measures); }, "measure");
  check_throws<std::logic_error>([&] { pair.state->refresh(); }, "refresh");
  check_throws<std::logic_error>([&] { pair.state->read(Block::z, 1, values); }, "read");
  check_throws<std::logic_error>([&] { pair.state->write(Block::a, 1, values); }, "write");
  check_equal(pair.read(Block::W, 1).size(), std::size_t{12}, "W and b are there");
}

void evaluates_the_network_itself() {
  Random random(45);
  for (const Shape& shape : kShapes) {
    for (const LossKind loss : {LossKind::softmax_cross_entropy, LossKind::squared_error}) {
      Pair<double> pair(shape, {.loss = loss, .slope = 0.1}, random);
      pair.start();
      const Penalties p = some_penalties(random);
      pair.run_both(standard_sweep(pair.plain.depth()), p, 1e-8, name_of(shape));
      const ForwardLoss found = pair.state->evaluate_training();
      // The outputs of the plain network are z_L of a fresh start.
      Plain network = pair.plain;
      network.start(false, false);
      double expected = 0;
      std::size_t correct = 0;
      std::vector<double> gradient;
      for (std::size_t i = 0; i < shape.samples; ++i) {
        const auto out = network.row(network.z.back(), i);
        expected += network.loss_of(i, out, gradient);
        if (loss == LossKind::squared_error) continue;
        correct += std::max_element(out.begin(), out.end()) - out.begin() == network.labels[i] ? 1 : 0;
      }
      check_close(found.loss, expected, 1e-8 * (1 + expected), "loss of " + name_of(shape));
      check_equal(found.correct, correct, "correct of " + name_of(shape));
    }
  }
}

// By the allocator's own count; sanitizers put theirs in its place, and other systems have none to ask.
void required_bytes_is_what_it_takes() {
#if defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  const auto in_use = [] {
    const auto now = mallinfo2();
    return static_cast<double>(now.uordblks) + static_cast<double>(now.hblkhd);
  };
  if (in_use() == 0) return;  // under valgrind, whose allocator keeps its count to itself
  for (const bool gram : {false, true}) {
    for (const LossKind loss : {LossKind::softmax_cross_entropy, LossKind::squared_error}) {
      // Samples weigh most, then parameters, then what each thread has. No matrix is large enough for huge pages, whose
      // alignment takes more.
      for (const Shape& shape : {Shape{{30, 50, 40, 10}, 15000, 2}, Shape{{900, 700, 20}, 300, 2},
                                 Shape{{900, 3}, 64, 4}, Shape{{1, 20000, 1}, 7, 3}}) {
        LayeredSetup setup;
        setup.network = {shape.widths, {0}, {loss, Softmax::stable}};
        setup.samples = shape.samples;
        setup.threads = shape.threads;
        setup.gram = gram;
        setup.fista = gram;
        const double before = in_use();
        const LayeredState<float> state(setup);
        const double taken = in_use() - before;
        check_close(LayeredState<float>::required_bytes(setup), taken, 0.02 * taken + 2e4,
                    text("bytes for ", name_of(shape), " gram ", gram));
      }
    }
  }
#endif
}

void odd_setups() {
  // No thread at all is one thread.
  Random random(46);
  Pair<double> pair({{2, 3, 2}, 4, 0}, {}, random);
  pair.start();
  pair.run_both(standard_sweep(2), {}, 1e-9, "0 threads");
  pair.run_both({}, {}, 1e-9, "no updates");
  check_throws<std::bad_alloc>(
      [] {
        LayeredSetup setup;
        setup.network.widths = {2, std::size_t{1} << 30, 2};
        setup.samples = std::size_t{1} << 62;
        const LayeredState<float> state(setup);
      },
      "more bytes than can be counted");
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("accepted sizes", accepted_sizes);
  fact("float starts", starts<float>);
  fact("double starts", starts<double>);
  fact("float: each update alone", each_update_alone<float>);
  fact("double: each update alone", each_update_alone<double>);
  fact("any order of updates", any_order_of_updates);
  fact("float: each inversion step alone", each_inversion_step_alone<float>);
  fact("double: each inversion step alone", each_inversion_step_alone<double>);
  fact("any order of inversion steps", any_order_of_inversion_steps);
  fact("float standard sweeps", standard_sweeps<float>);
  fact("double standard sweeps", standard_sweeps<double>);
  fact("float: smooth activations", smooth_activations<float>);
  fact("double: smooth activations", smooth_activations<double>);
  fact("FISTA", fista_steps);
  fact("gram or not", gram_or_not);
  fact("float: z and a together or apart", z_and_a_together_or_apart<float>);
  fact("double: z and a together or apart", z_and_a_together_or_apart<double>);
  fact("refresh changes nothing", refresh_changes_nothing);
  fact("blocks can be written", blocks_can_be_written);
  fact("zero directions", zero_directions);
  fact("float: tiny inputs do not diverge", tiny_inputs_do_not_diverge<float>);
  fact("double: tiny inputs do not diverge", tiny_inputs_do_not_diverge<double>);
  fact("stops between updates", stops_between_updates);
  fact("divergence restores W and b", divergence_restores_W_and_b);
  fact("divergence names the update", divergence_names_the_update);
  fact("float runs repeat bit for bit", runs_repeat_bit_for_bit<float>);
  fact("double runs repeat bit for bit", runs_repeat_bit_for_bit<double>);
  fact("float: the same bits whatever the threads", the_same_bits_whatever_the_threads<float>);
  fact("double: the same bits whatever the threads", the_same_bits_whatever_the_threads<double>);
  fact("nothing runs before the start", nothing_runs_before_the_start);
  fact("evaluates the network itself", evaluates_the_network_itself);
  fact("required_bytes is what it takes", required_bytes_is_what_it_takes);
  fact("odd setups", odd_setups);
  return report();
}
