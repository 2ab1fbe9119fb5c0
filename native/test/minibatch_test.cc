// Mini-batch dlADMM: a run of batches against plain loops in double, the limits in which it becomes something known,
// the running Gram matrix by itself, what a batch allocates (nothing), and what divergence leaves behind.
#include <cblas.h>

#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <vector>

#include "core/consensus/trainer.hpp"
#include "core/layered/state.hpp"
#include "core/minibatch/state.hpp"
#include "test/allocations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};
const std::atomic<bool> kStop{true};

using Table = std::vector<std::vector<double>>;

std::vector<BatchUpdate> default_sweep(std::size_t depth) {
  std::vector<BatchUpdate> sweep{{BatchBlock::z, depth}};
  for (std::size_t l = depth - 1; l >= 1; --l) {
    sweep.push_back({BatchBlock::a, l});
    sweep.push_back({BatchBlock::z, l});
  }
  for (std::size_t l = depth; l >= 1; --l) sweep.push_back({BatchBlock::W, l});
  return sweep;
}

// Every W_l at once after the target it follows, as dlADMM's own backward sweep has it: a_{l-1} sees the new W_l.
std::vector<BatchUpdate> interleaved_sweep(std::size_t depth) {
  std::vector<BatchUpdate> sweep{{BatchBlock::z, depth}, {BatchBlock::W, depth}};
  for (std::size_t l = depth - 1; l >= 1; --l) {
    for (const BatchBlock block : {BatchBlock::a, BatchBlock::z, BatchBlock::W}) sweep.push_back({block, l});
  }
  return sweep;
}

MinibatchSetup setup_of(std::vector<std::size_t> widths, std::size_t samples, std::size_t batch) {
  MinibatchSetup setup;
  setup.network.widths = std::move(widths);
  setup.samples = samples;
  setup.batch = batch;
  setup.shuffle = false;
  setup.seed = 7;
  setup.sweep = default_sweep(setup.network.layers());
  return setup;
}

// The same samples and parameters for every state of a network.
template <typename T>
void fill(MinibatchState<T>& state, double scale = 0.5) {
  const Network& net = state.setup().network;
  Random random(3);
  fill_normal(state.input(), random);
  for (auto& label : state.labels()) label = static_cast<std::int32_t>(random.below(net.widths.back()));
  if (!net.loss.classifies()) fill_normal(state.target_values(), random);
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    state.write(ParameterBlock::W, l, normals<T>(net.outputs(l) * net.inputs(l), random, scale));
    state.write(ParameterBlock::b, l, normals<T>(net.outputs(l), random, scale));
  }
}

// [W_l b_l], row by row.
template <typename T>
Table table_of(const MinibatchState<T>& state, std::size_t l) {
  const Network& net = state.setup().network;
  std::vector<T> w(net.outputs(l) * net.inputs(l));
  std::vector<T> b(net.outputs(l));
  state.read(ParameterBlock::W, l, w);
  state.read(ParameterBlock::b, l, b);
  Table out(b.size());
  for (std::size_t i = 0; i < b.size(); ++i) {
    for (std::size_t j = 0; j < net.inputs(l); ++j) out[i].push_back(static_cast<double>(w[i * net.inputs(l) + j]));
    out[i].push_back(static_cast<double>(b[i]));
  }
  return out;
}

template <typename T>
std::vector<Table> tables_of(const MinibatchState<T>& state) {
  std::vector<Table> out;
  for (std::size_t l = 1; l <= state.setup().network.layers(); ++l) out.push_back(table_of(state, l));
  return out;
}

template <typename T>
StepsRecord run(MinibatchState<T>& state, std::size_t count, double step) {
  StepsRecord record;
  state.run(count, std::array{step}, kGo, record);
  return record;
}

// X with X A = R, for a symmetric A, by Gauss and Jordan with pivots.
Table right_solve(const Table& r, Table a) {
  const std::size_t n = a.size();
  Table x = r;
  for (std::size_t k = 0; k < n; ++k) {
    std::size_t pivot = k;
    for (std::size_t i = k; i < n; ++i) {
      if (std::abs(a[k][i]) > std::abs(a[k][pivot])) pivot = i;
    }
    // Columns are worked on, as the unknown stands on the left.
    for (auto* const matrix : {&a, &x}) {
      for (auto& row : *matrix) std::swap(row[k], row[pivot]);
    }
    const double divisor = a[k][k];
    for (auto& row : a) row[k] /= divisor;
    for (auto& row : x) row[k] /= divisor;
    for (std::size_t j = 0; j < n; ++j) {
      if (j == k) continue;
      const double factor = a[k][j];
      for (auto& row : a) row[j] -= factor * row[k];
      for (auto& row : x) row[j] -= factor * row[k];
    }
  }
  return x;
}

// The definition, in plain loops.
class Plain {
 public:
  template <typename T>
  explicit Plain(MinibatchState<T>& state) : setup_(state.setup()), w_(tables_of(state)) {
    const MatrixView<T> x = state.input();
    for (std::size_t i = 0; i < x.rows; ++i) x_.emplace_back(x.row(i), x.row(i) + x.columns);
    labels_.assign(state.labels().begin(), state.labels().end());
    const std::size_t depth = setup_.network.layers();
    v_.resize(depth);
    a_.resize(depth);
    for (std::size_t l = 0; l < depth; ++l) v_[l] = Table(w_[l].size(), std::vector<double>(w_[l][0].size(), 0.0));
  }

  [[nodiscard]] const Table& parameters(std::size_t l) const { return w_[l - 1]; }
  [[nodiscard]] const Table& distance(std::size_t l) const { return d_[l - 1]; }

  void batch(std::size_t first, std::size_t count, double step) {
    const std::size_t depth = setup_.network.layers();
    const double slope = setup_.network.activation.slope;
    std::vector<Table> inputs(depth);
    std::vector<Table> z(depth);
    d_.assign(depth, {});
    for (std::size_t i = first; i < first + count; ++i) {
      std::vector<double> a = x_[i];
      for (std::size_t l = 0; l < depth; ++l) {
        a.push_back(1);
        inputs[l].push_back(a);
        std::vector<double> next;
        for (const auto& row : w_[l]) next.push_back(dot(row, a));
        z[l].push_back(next);
        if (l + 1 < depth) {
          for (double& value : next) value = value > 0 ? value : slope * value;
        }
        a = next;
      }
    }
    const bool due = batches_ == 0 || since_ >= std::min<std::uint64_t>(setup_.gram_every, taken_);
    since_ = due ? 1 : since_ + 1;
    if (due) ++taken_;
    ++batches_;
    for (std::size_t l = 0; l < depth && due; ++l) take_in(l, inputs[l]);

    Table moved;
    for (const BatchUpdate& update : setup_.sweep) {
      const std::size_t l = update.layer - 1;
      if (update.block == BatchBlock::W) {
        update_W(l, inputs[l], step);
      } else if (update.block == BatchBlock::a) {
        moved = Table(count, std::vector<double>(w_[l].size(), 0.0));
        for (std::size_t i = 0; i < count; ++i) {
          for (std::size_t k = 0; k < w_[l + 1].size(); ++k) {
            for (std::size_t j = 0; j < w_[l].size(); ++j) moved[i][j] += d_[l + 1][i][k] * w_[l + 1][k][j];
          }
        }
      } else if (update.layer == depth) {
        for (std::size_t i = 0; i < count; ++i) d_[l].push_back(softmax_gradient(z[l][i], labels_[first + i]));
      } else {
        d_[l] = moved;
        for (std::size_t i = 0; i < count; ++i) {
          for (std::size_t j = 0; j < w_[l].size(); ++j) d_[l][i][j] *= z[l][i][j] > 0 ? 1 : slope;
        }
      }
    }
  }

 private:
  static double dot(const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
    return sum;
  }
  static std::vector<double> softmax_gradient(const std::vector<double>& z, std::int32_t label) {
    std::vector<double> p;
    double sum = 0;
    for (const double value : z) sum += std::exp(value);
    for (const double value : z) p.push_back(std::exp(value) / sum);
    p[static_cast<std::size_t>(label)] -= 1;
    return p;
  }

  void take_in(std::size_t l, const Table& input) {
    const std::size_t n = input[0].size();
    if (a_[l].empty()) a_[l] = Table(n, std::vector<double>(n, 0.0));
    const double keep = std::min(setup_.gram.beta, 1 - 1 / static_cast<double>(taken_));
    for (std::size_t i = 0; i < n; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (const auto& row : input) sum += row[i] * row[j];
        a_[l][i][j] = keep * a_[l][i][j] + (1 - keep) * sum / static_cast<double>(input.size());
      }
    }
  }

  void update_W(std::size_t l, const Table& input, double step) {
    const std::size_t n = input[0].size();
    const double l2 = setup_.gram.l2;
    Table gradient(w_[l].size(), std::vector<double>(n, 0.0));
    for (std::size_t k = 0; k < w_[l].size(); ++k) {
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t i = 0; i < input.size(); ++i) sum += d_[l][i][k] * input[i][j];
        gradient[k][j] = sum / static_cast<double>(input.size()) + l2 * w_[l][k][j];
      }
    }
    double trace = 0;
    for (std::size_t i = 0; i < n; ++i) trace += a_[l][i][i];
    const double delta = l2 + setup_.gram.damping * (trace / static_cast<double>(n) + l2);
    Table damped = a_[l];
    for (std::size_t i = 0; i < n; ++i) damped[i][i] += delta;
    const Table s = right_solve(gradient, damped);
    const double seen = static_cast<double>(batches_ + (setup_.nesterov ? 1 : 0));
    step /= 1 - std::pow(setup_.momentum, seen);
    for (std::size_t k = 0; k < s.size(); ++k) {
      for (std::size_t j = 0; j < n; ++j) {
        double& v = v_[l][k][j];
        v = setup_.momentum * v + s[k][j];
        w_[l][k][j] -= step * (setup_.nesterov ? s[k][j] + setup_.momentum * v : v);
      }
    }
  }

  MinibatchSetup setup_;
  Table x_;
  std::vector<std::int32_t> labels_;
  std::vector<Table> w_, v_, a_, d_;
  std::uint64_t batches_ = 0, taken_ = 0, since_ = 0;
};

// Samples of which every third entry is not zero, dense or sparse: there in no order, and some in two halves.
template <typename T>
void fill_thinly(MinibatchState<T>& state) {
  const MinibatchSetup& setup = state.setup();
  const Network& net = setup.network;
  Random random(5);
  Matrix<T> x(setup.samples, net.inputs(1));
  fill_normal(x.view(), random);
  Csr<T> sparse;
  sparse.columns = x.columns();
  for (std::size_t i = 0; i < x.rows(); ++i) {
    for (std::size_t j = x.columns(); j-- > 0;) {
      T& value = x.view().row(i)[j];
      if ((i + j) % 3 != 0 || i % 5 == 4) value = 0;
      for (std::size_t half = 0; value != T(0) && half < 2; ++half) {
        sparse.indices.push_back(static_cast<std::int32_t>(j));
        sparse.values.push_back(value / 2);
      }
    }
    sparse.indptr.push_back(static_cast<std::int64_t>(sparse.indices.size()));
    ++sparse.rows;
  }
  if (setup.sparse) {
    append(state.sparse_input(), sparse.view());
  } else {
    std::ranges::copy(x.flat(), state.input().flat().begin());
  }
  for (auto& label : state.labels()) label = static_cast<std::int32_t>(random.below(net.widths.back()));
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    state.write(ParameterBlock::W, l, normals<T>(net.outputs(l) * net.inputs(l), random, 0.5));
    state.write(ParameterBlock::b, l, normals<T>(net.outputs(l), random, 0.5));
  }
}

double gap(const Table& a, const Table& b) {
  double most = a.size() == b.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < b.size(); ++i) {
    for (std::size_t j = 0; j < b[i].size(); ++j) {
      const double difference = std::abs(a[i][j] - b[i][j]);
      if (std::isnan(difference)) return difference;
      most = std::max(most, difference);
    }
  }
  return most;
}

// Every path of the core: the two forms where low rank is full rank, both sides on which (A + δI)⁻¹ may stand, short
// last batches, weight decay, momentum in both kinds, both sweeps, one member and several.
template <typename T>
void batches_follow_their_definition() {
  const double tolerance = std::is_same_v<T, double> ? 1e-9 : 3e-3;
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    for (const std::size_t batch : {std::size_t{5}, std::size_t{12}}) {
      for (const double l2 : {0.0, 0.03}) {
        for (const bool interleaved : {false, true}) {
          for (const unsigned threads : {1U, 3U}) {
            MinibatchSetup setup = setup_of({4, 7, 6, 3}, 17, batch);
            setup.network.activation.slope = interleaved ? 0.2 : 0;
            setup.gram = {form, 99, 0.8, 0.5, l2};
            setup.gram_every = 3;
            setup.nesterov = !interleaved;
            setup.threads = threads;
            if (interleaved) setup.sweep = interleaved_sweep(3);
            MinibatchState<T> state(setup);
            fill(state);
            Plain plain(state);
            for (std::size_t t = 0; t < 14; ++t) {
              check_equal(run(state, 1, 0.05).steps, std::size_t{1}, "batches");
              const std::size_t first = t * batch % ((17 + batch - 1) / batch * batch);
              plain.batch(first, std::min(batch, 17 - first), 0.05);
              for (std::size_t l = 1; l <= 3; ++l) {
                check_at_most(gap(table_of(state, l), plain.parameters(l)), tolerance,
                              text(type_name<T>(), form == GramForm::full ? " full" : " low rank", ", batch ", batch,
                                   ", l2 ", l2, ", threads ", threads, ", step ", t + 1, ", layer ", l));
              }
            }
          }
        }
      }
    }
  }
}

// Of both forms, with the inverse on either side where the features are dense; one layer and several.
template <typename T>
void sparse_features_are_learnt_from_as_dense_ones() {
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    for (const std::vector<std::size_t>& widths : {std::vector<std::size_t>{90, 3}, {90, 24, 6, 3}}) {
      for (const auto& [batch, l2] : {std::pair{std::size_t{16}, 0.0}, {std::size_t{40}, 0.03}}) {
        for (const auto& [kind, both] : {std::pair{ActivationKind::rectifier, false},
                                         {ActivationKind::gelu, false},
                                         {ActivationKind::rectifier, true}}) {
          const auto trained = [&](bool sparse, unsigned threads) {
            MinibatchSetup setup = setup_of(widths, 100, batch);
            setup.network.activation = {0, kind};
            setup.gram = {form, 4, 0.8, 0.5, l2};
            setup.output = {both, 0.5, 1e-2};
            setup.polyak = 0.3;
            setup.gram_every = 2;
            setup.shuffle = true;
            setup.threads = threads;
            setup.sparse = sparse;
            MinibatchState<T> state(setup);
            fill_thinly(state);
            StepsRecord record = run(state, 12, 0.2);
            check(!record.diverged && record.steps == 12, "batches");
            const ForwardLoss found = state.evaluate_training();
            return std::pair{tables_of(state), std::array{record.loss, found.loss}};
          };
          const std::string where =
              text(type_name<T>(), form == GramForm::full ? " full" : " low rank", ", batch ", batch, ", layers ",
                   widths.size() - 1, ", activation ", static_cast<int>(kind));
          const auto own = trained(true, 1);
          const auto other = trained(false, 1);
          const double rounding = std::is_same_v<T, double> ? 1e-12 : 1e-4;
          for (std::size_t l = 0; l + 1 < widths.size(); ++l) {
            check_at_most(gap(own.first[l], other.first[l]), rounding, text(where, ", layer ", l + 1));
          }
          for (std::size_t i = 0; i < 2; ++i) {
            check_close(own.second[i], other.second[i], rounding * other.second[i], text(where, ", loss"));
          }
          for (const unsigned threads : {2U, 3U, 8U}) {
            check(trained(true, threads) == own, text(where, ", the same bits by ", threads, " threads"));
          }
        }
      }
    }
  }
}

// Nothing is as large as samples x features, and rows that are missing are told of.
void sparse_features_take_memory_by_their_entries() {
  MinibatchSetup setup = setup_of({1 << 18, 32, 2}, 100'000, 512);
  setup.sparse = true;
  const double none = MinibatchState<float>::required_bytes(setup);
  check_at_most(none, 4e8, "bytes of 262,144 features");
  setup.entries = 13'100'000;
  check_close(MinibatchState<float>::required_bytes(setup) - none, 8.0 * 13'100'000, 1e-3, "an entry, 8 bytes");
  setup = setup_of({9, 4, 2}, 20, 5);
  setup.sparse = true;
  MinibatchState<float> state(setup);
  check_throws<std::logic_error>([&] { run(state, 1, 0.1); }, "a run without rows");
  check_throws<std::logic_error>([&] { static_cast<void>(state.evaluate_training()); }, "a loss without rows");
}

// D_l is δ_l of the gradient engine: with the Gram matrix drowned in damping, a step is that of gradient descent.
void drowned_in_damping_it_is_gradient_descent() {
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    MinibatchSetup setup = setup_of({4, 7, 6, 3}, 12, 12);
    setup.network.activation = {0, ActivationKind::tanh};
    setup.gram = {form, 2, 0, 1e12, 0};
    setup.momentum = 0;
    MinibatchState<double> state(setup);
    fill(state);
    TrainerSetup other;
    other.network = setup.network;
    other.samples = other.batch = 12;
    other.shuffle = false;
    Trainer<double> trainer(other);
    std::ranges::copy(state.input().flat(), trainer.input().flat().begin());
    std::ranges::copy(state.labels(), trainer.labels().begin());
    for (std::size_t l = 1; l <= 3; ++l) {
      state.read(ParameterBlock::W, l, trainer.weights(l));
      state.read(ParameterBlock::b, l, trainer.biases(l));
    }
    const std::vector<Table> before = tables_of(state);
    StepsRecord record;
    trainer.run(1, std::array{1.0}, kGo, record);
    // η by which η (A + δI)⁻¹ tends to I differs by layer: each is compared by its own δ.
    run(state, 1, 1e12);
    for (std::size_t l = 1; l <= 3; ++l) {
      const Table after = table_of(state, l);
      const std::span<const double> w = trainer.weights(l);
      const std::size_t columns = setup.network.inputs(l);
      const double delta = state.gram(l).damping() / 1e12;
      for (std::size_t i = 0; i < after.size(); ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
          check_close(delta * (after[i][j] - before[l - 1][i][j]), w[i * columns + j] - before[l - 1][i][j], 1e-9,
                      text("W of layer ", l));
        }
        check_close(delta * (after[i][columns] - before[l - 1][i][columns]),
                    trainer.biases(l)[i] - before[l - 1][i][columns], 1e-9, text("b of layer ", l));
      }
    }
  }
}

// k = 1, β = 0, no damping, all samples in a batch: W_l is the minimiser that the inversion ADMM finds for the same
// target.
void undamped_on_all_samples_it_is_the_inversion_step() {
  for (const double l2 : {0.0, 0.4}) {
    MinibatchSetup setup = setup_of({4, 6, 3}, 40, 40);
    setup.gram = {GramForm::full, 0, 0, 0, l2};
    setup.gram_every = 1;
    setup.momentum = 0;
    MinibatchState<double> state(setup);
    fill(state);

    LayeredSetup layered;
    layered.network = setup.network;
    layered.samples = 40;
    layered.joint_bias = true;
    layered.multiplier = Multiplier::output;
    layered.steps.W.assign(2, StepKind::cholesky);
    layered.steps.a.assign(1, StepKind::cholesky);
    LayeredState<double> other(layered);
    std::ranges::copy(state.input().flat(), other.input().flat().begin());
    std::ranges::copy(state.labels(), other.labels().begin());
    for (std::size_t l = 1; l <= 2; ++l) {
      std::vector<double> w(setup.network.outputs(l) * setup.network.inputs(l));
      std::vector<double> b(setup.network.outputs(l));
      state.read(ParameterBlock::W, l, w);
      state.read(ParameterBlock::b, l, b);
      other.write(Block::W, l, w);
      other.write(Block::b, l, b);
    }
    other.start({});
    run(state, 1, 1);

    // z_l of the forward pass, moved by D_l, is the target.
    for (std::size_t l = 1; l <= 2; ++l) {
      std::vector<double> z(other.size_of(Block::z, l));
      other.read(Block::z, l, z);
      const MatrixView<const double> distance = state.target_distance(l);
      for (std::size_t i = 0; i < z.size(); ++i) z[i] -= distance.flat()[i];
      other.write(Block::z, l, z);
    }
    Penalties penalties;
    penalties.l2 = 40 * l2;  // there the squares are summed over the samples, here averaged
    const std::array<Update, 2> updates{Update{Block::W, 1}, Update{Block::W, 2}};
    SweepRecord record;
    other.run(updates, penalties, kGo, record);
    for (std::size_t l = 1; l <= 2; ++l) {
      const Table ours = table_of(state, l);
      std::vector<double> w(other.size_of(Block::W, l));
      std::vector<double> b(other.size_of(Block::b, l));
      other.read(Block::W, l, w);
      other.read(Block::b, l, b);
      const std::size_t columns = setup.network.inputs(l);
      for (std::size_t i = 0; i < b.size(); ++i) {
        for (std::size_t j = 0; j < columns; ++j) {
          check_close(ours[i][j], w[i * columns + j], 1e-10, text("W of layer ", l, ", l2 ", l2));
        }
        check_close(ours[i][columns], b[i], 1e-10, text("b of layer ", l, ", l2 ", l2));
      }
    }
  }
}

// The largest directions of a fixed Gram matrix are found, and on them the inverse is that of the whole.
void the_basis_finds_the_largest_directions() {
  constexpr std::size_t n = 40;
  constexpr std::size_t rows = 400;
  Random random(11);
  Matrix<double> input(rows, n);
  fill_normal(input.view(), random);
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < n; ++j) input.view().row(i)[j] *= j < 5 ? 10.0 - static_cast<double>(j) : 0.3;
  }
  const GramSettings full{GramForm::full, 0, 0, 1, 0};
  const GramSettings low{GramForm::low_rank, 8, 0, 1, 0};
  Team team(2);
  PieceSums<double> sums;
  Matrix<double> scratch(rows, 8);
  RunningGram<double> whole(n, full, 1);
  RunningGram<double> part(n, low, 1);
  StoragePlan plan;
  for (RunningGram<double>* const it : {&whole, &part}) it->declare(plan);
  plan.allocate();
  for (RunningGram<double>* const it : {&whole, &part}) it->reset();
  check(whole.take_in(team, sums, input.view(), MatrixView<double>(nullptr, rows, 0)), "full");
  for (int turn = 0; turn < 30; ++turn) check(part.take_in(team, sums, input.view(), scratch.view()), "low rank");
  check_close(part.damping(), whole.damping(), 1e-9 * whole.damping(), "the same damping");
  Matrix<double> x(3, n);
  fill_normal(x.view(), random);
  Matrix<double> by_whole(3, n);
  Matrix<double> by_part(3, n);
  whole.apply(x.view(), by_whole.view(), {});
  part.apply(x.view(), by_part.view(), MatrixView<double>(scratch.flat().data(), 3, 8));
  for (std::size_t i = 0; i < 3; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      // What the remaining eigenvalues, at most 0.15, change beside a damping of about 9.
      check_close(by_part.view().row(i)[j], by_whole.view().row(i)[j],
                  0.05 / whole.damping() * (1 + std::abs(x.view().row(i)[j])), "a product with the inverse");
    }
  }
}

template <typename T>
void hard_cases_stay_finite() {
  struct Case {
    const char* name;
    std::vector<std::size_t> widths;
    std::size_t samples, batch;
    bool constant, dead;
  };
  const std::size_t wide = in_haste() ? 300 : 4096;  // of a full Gram matrix the cube is computed
  const std::array cases{
      Case{"one row a batch", {5, 9, 3}, 7, 1, false, false},
      Case{"a short last batch", {5, 9, 3}, 10, 4, false, false},
      Case{"a layer of width one", {5, 1, 3}, 20, 6, false, false},
      Case{"one input", {1, 4, 2}, 20, 6, false, false},
      Case{"inputs that never vary", {5, 9, 3}, 20, 6, true, false},
      Case{"units that are never on", {5, 9, 8, 3}, 20, 6, false, true},
      Case{"widths 10 and 4,096", {10, wide, 10, 3}, 24, 8, false, false},
  };
  for (const Case& it : cases) {
    for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
      if (form == GramForm::full && it.widths[1] == wide && std::is_same_v<T, double>) continue;  // slow, and no other
      for (const double damping : {0.0, 1e-6, 4.0}) {
        if (form == GramForm::full && it.widths[1] == wide && damping != 0) continue;
        MinibatchSetup setup = setup_of(it.widths, it.samples, it.batch);
        setup.gram = {form, 6, 0.9, damping, 0};
        setup.threads = 2;
        MinibatchState<T> state(setup);
        fill(state, it.widths[1] == wide ? 0.02 : 0.5);
        if (it.constant) std::ranges::fill(state.input().flat(), T(0.5));
        if (it.dead) state.write(ParameterBlock::b, 1, std::vector<T>(it.widths[1], T(-1e4)));
        const StepsRecord record = run(state, it.widths[1] == wide ? 3 : 12, damping == 0 ? 1e-3 : 0.1);
        check(!record.diverged && std::isfinite(record.loss),
              text(type_name<T>(), form == GramForm::full ? " full, " : " low rank, ", it.name, ", c = ", damping));
        for (const Table& table : tables_of(state)) {
          for (const auto& row : table) {
            for (const double w : row) check(std::isfinite(w), text(it.name, ": a parameter"));
          }
        }
      }
    }
  }
}

void nothing_is_allocated_by_batches() {
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    MinibatchSetup setup = setup_of({6, 40, 3}, 100, 12);
    setup.gram.form = form;
    setup.network.activation.slope = -0.1;
    setup.shuffle = true;
    setup.threads = 2;
    MinibatchState<float> state(setup);
    fill(state);
    run(state, 2, 1e-3);
    const std::size_t before = allocations.load();
    check_equal(run(state, 40, 1e-3).steps, std::size_t{40}, "batches");
    check_equal(allocations.load(), before, "allocations");
  }
}

// A sample of weight s is the sample s times, in the Gram matrix too: one batch of all samples, some of them repeated.
void a_sample_that_weighs_is_so_many_samples() {
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    for (const bool sparse : {false, true}) {
      const auto trained = [&](std::size_t samples, bool weighs) {
        MinibatchSetup setup = setup_of({9, 7, 3}, samples, samples);
        setup.gram = {form, 4, 0.8, 0.5, 0};
        setup.gram_every = 1;
        setup.weighted = weighs;
        setup.sparse = sparse;
        MinibatchState<double> state(setup);
        // Sample i, a table of 12 of them; behind it stand those of weight 2 once more.
        const auto which = [](std::size_t i) { return i < 12 ? i : 3 * (i - 12); };
        const auto entry = [](std::size_t i, std::size_t j) { return std::sin(static_cast<double>(3 * i + j * j)); };
        Csr<double> rows;
        rows.columns = 9;
        for (std::size_t i = 0; i < samples; ++i) {
          for (std::size_t j = 0; j < 9; ++j) {
            if (!sparse) state.input().row(i)[j] = entry(which(i), j);
            rows.indices.push_back(static_cast<std::int32_t>(j));
            rows.values.push_back(entry(which(i), j));
          }
          rows.indptr.push_back(static_cast<std::int64_t>(rows.indices.size()));
          ++rows.rows;
          state.labels()[i] = static_cast<std::int32_t>(which(i) % 3);
        }
        if (sparse) append(state.sparse_input(), rows.view());
        // 1 on average
        for (std::size_t i = 0; i < samples && weighs; ++i) {
          state.weights().push_back((i % 3 == 0 ? 2.0 : 1.0) * 12 / 16);
        }
        Random random(3);
        for (std::size_t l = 1; l <= 2; ++l) {
          const Network& net = setup.network;
          state.write(ParameterBlock::W, l, normals<double>(net.outputs(l) * net.inputs(l), random, 0.5));
          state.write(ParameterBlock::b, l, normals<double>(net.outputs(l), random, 0.5));
        }
        check_equal(run(state, 6, 0.1).steps, std::size_t{6}, "batches");
        return tables_of(state);
      };
      const auto weighed = trained(12, true), repeated = trained(16, false);
      for (std::size_t l = 0; l < 2; ++l) {
        check_at_most(gap(weighed[l], repeated[l]), 1e-10,
                      text(form == GramForm::full ? "full" : "low rank", sparse ? ", sparse" : "", ", layer ", l + 1));
      }
    }
  }
}

void memory_is_what_was_announced() {
  MinibatchSetup setup = setup_of({100, 200, 10}, 4000, 100);
  const double less = MinibatchState<float>::required_bytes(setup);
  setup.samples = 8000;
  check_close(MinibatchState<float>::required_bytes(setup) - less, 4000.0 * (400 + 8), 1e-6,
              "a sample costs its row, its label and its place");
  setup.batch = 200;
  const double larger = MinibatchState<float>::required_bytes(setup);
  check_at_most(larger - less - 4000.0 * 408, 4.0 * 100 * (101 + 201 + 210 + 10 + 16), "and a row of a batch its own");
  setup.gram.form = GramForm::full;
  check_close(MinibatchState<float>::required_bytes(setup) / (4.0 * 3 * (101 * 101 + 201 * 201) + larger), 1, 0.2,
              "and full Gram matrices three times their size");
  const double alike = MinibatchState<float>::required_bytes(setup);
  setup.weighted = true;
  check_close(MinibatchState<float>::required_bytes(setup) - alike, 4.0 * 200 * 201, 1e-9,
              "where samples weigh, with the widest input of a batch once more");
}

void stopping_and_diverging() {
  MinibatchSetup setup = setup_of({3, 4, 2}, 20, 5);
  setup.shuffle = true;
  MinibatchState<float> state(setup);
  fill(state);
  const auto start = tables_of(state);
  StepsRecord record;
  state.run(3, std::array{0.1}, kStop, record);
  check(record.stopped && record.steps == 0, "stopped before the first batch");
  check(tables_of(state) == start, "and nothing changed");
  record = run(state, 50, 1e38);
  check(record.diverged && record.steps < 50, "an enormous step diverges");
  for (const Table& table : tables_of(state)) {
    for (const auto& row : table) {
      for (const double w : row) check(std::isfinite(w), "the parameters are finite");
    }
  }
  fill(state);
  MinibatchState<float> fresh(setup);
  fill(fresh);
  run(state, 6, 0.1);
  run(fresh, 6, 0.1);
  check(tables_of(state) == tables_of(fresh), "after it all is as new but the parameters");
}

void a_state_taken_up_again_goes_on_bit_for_bit() {
  for (const GramForm form : {GramForm::full, GramForm::low_rank}) {
    MinibatchSetup setup = setup_of({6, 40, 3}, 100, 12);
    setup.gram.form = form;
    setup.gram.rank = 5;
    setup.threads = 2;
    setup.shuffle = true;
    MinibatchState<float> state(setup);
    fill(state);
    run(state, 13, 0.1);
    MinibatchState<float> other(setup);
    fill(other, 0.1);
    const auto from = state.sections();
    const auto to = other.sections();
    check_equal(to.size(), from.size(), "sections");
    for (std::size_t i = 0; i < from.size(); ++i) {
      check(from[i].name == to[i].name && from[i].bytes.size() == to[i].bytes.size(), from[i].name);
      std::ranges::copy(from[i].bytes, to[i].bytes.begin());
    }
    other.restored();
    run(state, 21, 0.1);
    run(other, 21, 0.1);
    check(tables_of(state) == tables_of(other), form == GramForm::full ? "full" : "low rank");
  }
}

void sweeps_that_cannot_run_are_refused() {
  const BatchUpdate z2{BatchBlock::z, 2};
  const BatchUpdate a1{BatchBlock::a, 1};
  const BatchUpdate z1{BatchBlock::z, 1};
  const BatchUpdate w1{BatchBlock::W, 1};
  const BatchUpdate w2{BatchBlock::W, 2};
  using Sweep = std::vector<BatchUpdate>;
  for (const Sweep& good : {Sweep{z2}, Sweep{z2, w2}, Sweep{z2, w2, a1, z1, w1}, Sweep{z2, a1, z1, w1}}) {
    check(is_batch_sweep(good, 2), "a sweep");
  }
  for (const Sweep& bad :
       {Sweep{}, Sweep{w2}, Sweep{w2, z2}, Sweep{z2, z1}, Sweep{z2, w1}, Sweep{z2, a1, w1}, Sweep{z2, w2, w2},
        Sweep{z2, {BatchBlock::a, 2}}, Sweep{z2, {BatchBlock::W, 3}}, Sweep{z2, {BatchBlock::W, 0}}}) {
    check(!is_batch_sweep(bad, 2), "no sweep");
  }
  MinibatchSetup setup = setup_of({3, 4, 2}, 20, 5);
  setup.sweep = {w2};
  check_throws<std::invalid_argument>([&] { const MinibatchState<float> state(setup); }, "a state for it");
}

}  // namespace

int main() {
  openblas_set_num_threads(1);
  fact("float: batches follow their definition", batches_follow_their_definition<float>);
  fact("double: batches follow their definition", batches_follow_their_definition<double>);
  fact("float: sparse features are learnt from as dense ones", sparse_features_are_learnt_from_as_dense_ones<float>);
  fact("double: sparse features are learnt from as dense ones", sparse_features_are_learnt_from_as_dense_ones<double>);
  fact("sparse features take memory by their entries", sparse_features_take_memory_by_their_entries);
  fact("drowned in damping it is gradient descent", drowned_in_damping_it_is_gradient_descent);
  fact("undamped on all samples it is the inversion step", undamped_on_all_samples_it_is_the_inversion_step);
  fact("the basis finds the largest directions", the_basis_finds_the_largest_directions);
  fact("float: hard cases stay finite", hard_cases_stay_finite<float>);
  fact("double: hard cases stay finite", hard_cases_stay_finite<double>);
  fact("nothing is allocated by batches", nothing_is_allocated_by_batches);
  fact("a sample that weighs is so many samples", a_sample_that_weighs_is_so_many_samples);
  fact("memory is what was announced", memory_is_what_was_announced);
  fact("stopping and diverging", stopping_and_diverging);
  fact("a state taken up again goes on bit for bit", a_state_taken_up_again_goes_on_bit_for_bit);
  fact("sweeps that cannot run are refused", sweeps_that_cannot_run_are_refused);
  return report();
}
