// Nothing depends on the number of threads: the trainings on graphs and on batches, bit for bit.
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <vector>

#include "core/graph/gradient.hpp"
#include "core/graph/state.hpp"
#include "core/minibatch/state.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

using namespace dladmm;
using namespace dladmm::test;

namespace {

using Left = std::vector<std::vector<std::byte>>;

const std::atomic<bool> kGo{false};
// Where time is short the first comparison is the last.
constexpr unsigned kTeams[] = {3, 8, 5, 2, 1};

// What run(threads) leaves is the same for every number of threads.
void same_for_any_team(const std::string& name, const std::function<Left(unsigned threads)>& run) {
  fact(name, [&] {
    const Left alone = run(1);
    for (const unsigned threads : kTeams) {
      const Left other = run(threads);
      check_equal(other.size(), alone.size(), "parts");
      for (std::size_t i = 0; i < alone.size(); ++i)
        check(other[i] == alone[i], text("part ", i, ", ", threads, " threads"));
    }
  });
}

void append(Left& to, const std::vector<Section>& sections) {
  for (const Section& it : sections) to.emplace_back(it.bytes.begin(), it.bytes.end());
}
void append(Left& to, double number) {
  const auto bytes = std::as_bytes(std::span(&number, 1));
  to.emplace_back(bytes.begin(), bytes.end());
}

// --- graphs: so many nodes that passes have pieces, sums over them segments, products tiles ---

const std::size_t kNodes = in_haste() ? 260 : 2600;
const std::vector<std::size_t> kWidths{150, 96, 40, 6};

template <typename T>
GraphData<T> graph(bool sparse_features) {
  Random random(4);
  GraphData<T> data;
  data.adjacency = {kNodes, kNodes, {0}, {}, {}};
  for (std::size_t i = 0; i < kNodes; ++i) {
    for (const std::size_t j : {(i + 1) % kNodes, (i * 13 + 5) % kNodes, (i * 7 + 2) % kNodes}) {
      data.adjacency.indices.push_back(static_cast<std::int32_t>(j));
      data.adjacency.values.push_back(T(1));
    }
    data.adjacency.indptr.push_back(static_cast<std::int64_t>(data.adjacency.indices.size()));
    data.labels.push_back(static_cast<std::int32_t>(i % kWidths.back()));
    if (i % 2 == 0) data.training.push_back(static_cast<std::int32_t>(i));
  }
  data.features.is_sparse = sparse_features;
  if (!sparse_features) {
    data.features.dense = Matrix<T>(kNodes, kWidths.front());
    for (T& x : data.features.dense.flat()) x = static_cast<T>(random.normal());
    return data;
  }
  Csr<T>& x = data.features.sparse;
  x = {kNodes, kWidths.front(), {0}, {}, {}};
  for (std::size_t i = 0; i < kNodes; ++i) {
    for (std::size_t k = 0; k < 9; ++k) {
      x.indices.push_back(static_cast<std::int32_t>((i * 3 + k * 16) % kWidths.front()));
      x.values.push_back(static_cast<T>(random.normal()));
    }
    x.indptr.push_back(static_cast<std::int64_t>(x.indices.size()));
  }
  return data;
}

template <typename T, typename Write>
void write_weights(Write&& write) {
  Random random(8);
  for (std::size_t l = 1; l < kWidths.size(); ++l) {
    std::vector<T> w(kWidths[l - 1] * kWidths[l]);
    for (T& x : w) x = static_cast<T>(random.normal() / 8);
    write(l, std::span<const T>(w));
  }
}

template <typename T>
void graph_splitting(OutputWeights output, Activation activation, bool sparse_features) {
  const std::string name =
      text("dlADMM on a graph in ", type_name<T>(), output == OutputWeights::cholesky ? ", exact W_L" : "",
           activation.is_smooth() ? ", tanh" : "", sparse_features ? ", sparse features" : "");
  same_for_any_team(name, [&](unsigned threads) {
    GraphSetup setup;
    setup.network = {kWidths, activation, {}};
    setup.threads = threads;
    setup.output_weights = output;
    GraphState<T> state(setup, graph<T>(sparse_features));
    state.allocate();
    write_weights<T>([&](std::size_t l, std::span<const T> w) { state.write(GraphBlock::W, l, w); });
    state.start(GraphDual::stationary);
    GraphPenalties p;
    p.nu = .7;
    p.rho = .9;
    p.l2 = {.02, .05, .03};
    std::vector<GraphUpdate> updates;
    for (std::size_t l = 3; l >= 1; --l) updates.insert(updates.end(), {{GraphBlock::Z, l}, {GraphBlock::W, l}});
    for (std::size_t l = 1; l <= 3; ++l) updates.insert(updates.end(), {{GraphBlock::W, l}, {GraphBlock::Z, l}});
    updates.push_back({GraphBlock::U, 3});
    GraphSweepRecord record;
    for (int i = 0; i < 3; ++i) state.run(updates, p, kGo, record);
    check(!record.diverged, "the run is a healthy one");
    Left left;
    append(left, record.measures.lagrangian);
    append(left, state.evaluate_training().loss);
    append(left, state.sections());
    append(left, state.kept_sections());
    return left;
  });
}

template <typename T>
void graph_gradients(const std::string& method, const Optimiser& optimiser, bool sparse_features) {
  same_for_any_team(
      text(method, " on a graph in ", type_name<T>(), sparse_features ? ", sparse features" : ""),
      [&](unsigned threads) {
        GraphTrainerSetup setup;
        setup.network = {kWidths, {0.0, ActivationKind::tanh}, {}};
        setup.threads = threads;
        setup.dropout = .3;
        setup.optimiser = optimiser;
        setup.weight_decay = {1e-3, 0, 0};
        GraphTrainer<T> trainer(setup, graph<T>(sparse_features));
        trainer.allocate();
        write_weights<T>([&](std::size_t l, std::span<const T> w) { trainer.write(ParameterBlock::W, l, w); });
        StepsRecord record;
        trainer.run(4, std::array{.05}, kGo, record);
        check(!record.diverged, "the run is a healthy one");
        Left left;
        append(left, record.loss);
        append(left, trainer.evaluate_training().loss);
        append(left, trainer.sections());
        return left;
      });
}

// --- batches ---

template <typename T>
void batches(const GramSettings& gram, std::size_t batch, Activation activation, const OutputMetric& output = {}) {
  const bool full = gram.form == GramForm::full;
  same_for_any_team(text("batches of ", batch, full ? ", full Gram matrices, " : ", ",
                         output.used ? "both factors, " : "", type_name<T>()),
                    [&](unsigned threads) {
                      MinibatchSetup setup;
                      if (in_haste())
                        setup.network = {{40, 60, 50, 5}, activation, {}};
                      else
                        setup.network = {{200, 300, 290, 5}, activation, {}};
                      setup.samples = 2 * batch + 7;
                      setup.batch = batch;
                      setup.threads = threads;
                      setup.gram = gram;
                      setup.gram_every = 2;
                      setup.output = output;
                      setup.polyak = 0.3;
                      for (std::size_t l = 3; l >= 1; --l) {
                        if (l < 3) setup.sweep.push_back({BatchBlock::a, l});
                        setup.sweep.push_back({BatchBlock::z, l});
                      }
                      for (std::size_t l = 3; l >= 1; --l) setup.sweep.push_back({BatchBlock::W, l});
                      MinibatchState<T> state(setup);
                      Random random(3);
                      fill_normal(state.input(), random);
                      for (auto& label : state.labels()) label = static_cast<std::int32_t>(random.below(5));
                      for (std::size_t l = 1; l <= 3; ++l) {
                        state.write(ParameterBlock::W, l,
                                    normals<T>(setup.network.outputs(l) * setup.network.inputs(l), random, .06));
                      }
                      StepsRecord record;
                      state.run(5, std::array{.05}, kGo, record);
                      check(!record.diverged, "the run is a healthy one");
                      Left left;
                      append(left, record.loss);
                      append(left, state.evaluate_training().loss);
                      append(left, state.sections());
                      return left;
                    });
}

void memory_does_not_grow_with_threads() {
  const auto bytes = [](unsigned threads) {
    GraphSetup setup;
    setup.network = {kWidths, {}, {}};
    setup.threads = threads;
    return GraphState<float>(setup, graph<float>(false)).required_bytes();
  };
  check_equal(bytes(8), bytes(1), "bytes");
}

}  // namespace

int main() {
  openblas_set_num_threads(1);
  share_rounds_of(0);  // small rounds too
  const Activation tanh{0, ActivationKind::tanh};
  graph_splitting<float>(OutputWeights::quadratic, {}, true);
  graph_splitting<double>(OutputWeights::cholesky, tanh, false);
  graph_gradients<float>("Adam", Adam{}, true);
  graph_gradients<double>("BADM", Badm{1, 20, 0, 3, true}, false);
  const GramSettings low{GramForm::low_rank, 16, .95, 4, 0}, full{GramForm::full, 0, .95, 4, 0};
  batches<float>(low, 128, {});
  batches<float>(full, 128, tanh);
  batches<double>({GramForm::low_rank, 16, .95, 4, 1e-3}, 600, tanh);
  batches<float>(low, 2500, {});
  batches<float>(low, 128, {}, {true, 1, 1e-4});
  batches<double>(full, 600, tanh, {true, .5, 1e-3});
  fact("memory does not grow with threads", memory_does_not_grow_with_threads);
  return report();
}
