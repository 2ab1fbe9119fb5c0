// Training of a graph convolutional network by gradients: central differences, a plain transcription of the network,
// what dropout and weight decay do, and what a step allocates (nothing).
#include <cblas.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <vector>

#include "core/graph/gradient.hpp"
#include "test/activations.hpp"
#include "test/allocations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};
const std::atomic<bool> kStop{true};
constexpr std::size_t kNodes = 11;

struct Problem {
  std::vector<std::size_t> widths{6, 4, 3};
  Activation activation;
  LossKind loss = LossKind::softmax_cross_entropy;
  unsigned threads = 1;
  Optimiser optimiser = Sgd{};
  bool sparse = true;
  double dropout = 0;
  Reduction reduction = Reduction::mean;
  std::vector<double> weight_decay = std::vector<double>(8, 0.0);
};

GraphTrainerSetup setup_of(const Problem& problem) {
  GraphTrainerSetup setup;
  setup.network = {problem.widths, problem.activation, {problem.loss, Softmax::stable}};
  setup.threads = problem.threads;
  setup.reduction = problem.reduction;
  setup.dropout = problem.dropout;
  setup.seed = 5;
  setup.optimiser = problem.optimiser;
  setup.weight_decay = problem.weight_decay;
  return setup;
}

// A dense matrix of which about a share is not zero, as rows of doubles.
std::vector<std::vector<double>> sparse_numbers(std::size_t rows, std::size_t columns, double share, Random& random) {
  std::vector<std::vector<double>> out(rows, std::vector<double>(columns));
  for (auto& row : out) {
    for (double& value : row) value = random.uniform() < share ? random.uniform(0.1, 1) : 0;
  }
  return out;
}

template <typename T>
Csr<T> csr_of(const std::vector<std::vector<double>>& dense) {
  Csr<T> out{dense.size(), dense.front().size(), {0}, {}, {}};
  for (const auto& row : dense) {
    for (std::size_t j = 0; j < row.size(); ++j) {
      if (row[j] == 0) continue;
      out.indices.push_back(static_cast<std::int32_t>(j));
      out.values.push_back(static_cast<T>(row[j]));
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  return out;
}

// One graph for all tests: a node without edges, one without features, two without a label.
struct Nodes {
  std::vector<std::vector<double>> adjacency;
  std::vector<std::vector<double>> smoothing;  // Ã
  std::vector<std::vector<double>> features;
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> training{1, 4, 6, 8, 9};

  explicit Nodes(const Problem& problem) {
    Random random(3);
    adjacency = sparse_numbers(kNodes, kNodes, 0.2, random);
    for (std::size_t i = 0; i < kNodes; ++i) adjacency[i][2] = adjacency[2][i] = adjacency[i][i] = 0;
    const Csr<double> normalised = normalised_adjacency(csr_of<double>(adjacency).view());
    smoothing.assign(kNodes, std::vector<double>(kNodes));
    for (std::size_t i = 0; i < kNodes; ++i) {
      for (std::size_t k = normalised.view().begin(i); k < normalised.view().end(i); ++k) {
        smoothing[i][static_cast<std::size_t>(normalised.indices[k])] = normalised.values[k];
      }
    }
    features = sparse_numbers(kNodes, problem.widths.front(), 0.5, random);
    std::fill(features[4].begin(), features[4].end(), 0.0);
    for (std::size_t i = 0; i < kNodes; ++i) {
      labels.push_back(i == 0 || i == 5 ? -1 : static_cast<std::int32_t>(random.below(problem.widths.back())));
    }
  }

  template <typename T>
  [[nodiscard]] GraphData<T> data(bool sparse) const {
    GraphData<T> out{csr_of<T>(adjacency), {}, labels, training, {}};
    out.features.is_sparse = sparse;
    if (sparse) {
      out.features.sparse = csr_of<T>(features);
    } else {
      out.features.dense = Matrix<T>(kNodes, features.front().size());
      for (std::size_t i = 0; i < kNodes; ++i) {
        std::ranges::transform(features[i], out.features.dense.view().row(i),
                               [](double x) { return static_cast<T>(x); });
      }
    }
    return out;
  }
};

template <typename T>
struct Allocated : GraphTrainer<T> {
  explicit Allocated(const Problem& problem)
      : GraphTrainer<T>(setup_of(problem), Nodes(problem).data<T>(problem.sparse)) {
    this->allocate();
  }
};
template <typename T>
Allocated<T> trainer_of(const Problem& problem) {
  return Allocated<T>(problem);
}

template <typename T>
std::vector<double> weights_of(const GraphTrainer<T>& trainer) {
  std::vector<double> out;
  for (std::size_t l = 1; l < trainer.setup().network.widths.size(); ++l) {
    for (const T w : trainer.weights(l)) out.push_back(static_cast<double>(w));
  }
  return out;
}

template <typename T>
void set_weights(GraphTrainer<T>& trainer, const std::vector<double>& weights) {
  std::size_t first = 0;
  for (std::size_t l = 1; l < trainer.setup().network.widths.size(); ++l) {
    std::vector<T> values(trainer.weights(l).size());
    for (T& value : values) value = static_cast<T>(weights[first++]);
    trainer.write(ParameterBlock::W, l, values);
  }
}

template <typename T>
void fill(GraphTrainer<T>& trainer) {
  Random random(8);
  auto weights = normals<double>(weights_of(trainer).size(), random, 0.7);
  // So that not everything behind a rectifier is zero.
  for (double& w : weights) w += 0.2;
  set_weights(trainer, weights);
}

template <typename T>
StepsRecord steps(GraphTrainer<T>& trainer, std::size_t count, double rate) {
  StepsRecord record;
  trainer.run(count, std::array{rate}, kGo, record);
  return record;
}

const std::vector<std::vector<std::size_t>> kShapes{{6, 3}, {6, 4, 3}, {3, 5, 7, 3}};
const std::vector<Activation> kActivations{{0},
                                           {0.2},
                                           {-0.4},
                                           {0, ActivationKind::sigmoid},
                                           {0, ActivationKind::tanh},
                                           {0.5, ActivationKind::elu},
                                           {0, ActivationKind::silu},
                                           {0, ActivationKind::gelu},
                                           {0, ActivationKind::softplus}};

void evaluation_is_that_of_a_plain_network() {
  for (const auto& widths : kShapes) {
    for (const bool sparse : {true, false}) {
      Problem problem;
      problem.widths = widths;
      problem.sparse = sparse;
      problem.activation = {0.2};
      problem.dropout = 0.5;  // Evaluation knows nothing of it.
      problem.threads = 2;
      auto trainer = trainer_of<double>(problem);
      fill(trainer);
      const Nodes nodes(problem);
      auto h = nodes.features;
      for (std::size_t l = 1; l < widths.size(); ++l) {
        const auto w = trainer.weights(l);
        std::vector<std::vector<double>> z(kNodes, std::vector<double>(widths[l]));
        for (std::size_t i = 0; i < kNodes; ++i) {
          for (std::size_t m = 0; m < kNodes; ++m) {
            for (std::size_t k = 0; k < widths[l - 1]; ++k) {
              for (std::size_t j = 0; j < widths[l]; ++j) {
                z[i][j] += nodes.smoothing[i][m] * h[m][k] * w[k * widths[l] + j];
              }
            }
          }
          for (double& value : z[i]) value = l + 1 < widths.size() ? value_of({0.2}, value) : value;
        }
        h = z;
      }
      const std::vector<std::int32_t> some{7, 1, 10};
      double loss = 0;
      std::size_t correct = 0;
      std::vector<double> gradient(widths.back());
      for (const std::int32_t i : some) {
        const auto at = static_cast<std::size_t>(i);
        loss += loss_and_gradient({}, h[at], {nodes.labels[at], {}}, gradient);
        correct += is_correct({}, h[at], nodes.labels[at]) ? 1 : 0;
      }
      const ForwardLoss found = trainer.evaluate(some);
      check_close(found.loss, loss, 1e-12, text("loss of ", widths.size() - 1, " layers"));
      check_equal(found.correct, correct, "right answers");
    }
  }
}

// The loss that a step meets, with what its dropout leaves: every call sees the first step's.
double loss_of(GraphTrainer<double>& trainer, const std::vector<double>& weights) {
  set_weights(trainer, weights);
  trainer.reset();
  return steps(trainer, 1, 0).loss;
}

void gradients_are_central_differences() {
  for (const auto& widths : kShapes) {
    for (const Activation& activation : kActivations) {
      for (const double dropout : {0.0, 0.4}) {
        for (const bool sparse : {true, false}) {
          Problem problem;
          problem.widths = widths;
          problem.activation = activation;
          problem.dropout = dropout;
          problem.sparse = sparse;
          problem.threads = activation.slope == 0.2 ? 3 : 1;
          problem.loss = dropout == 0 ? LossKind::softmax_cross_entropy : LossKind::one_hot_squared_error;
          auto trainer = trainer_of<double>(problem);
          fill(trainer);
          const auto before = weights_of(trainer);
          steps(trainer, 1, 1);
          const auto after = weights_of(trainer);
          double largest = 0;
          for (std::size_t i = 0; i < before.size(); ++i) largest = std::max(largest, std::abs(before[i] - after[i]));
          check(largest > 1e-3, "there is a gradient");
          for (std::size_t i = 0; i < before.size(); ++i) {
            constexpr double h = 1e-5;
            auto moved = before;
            moved[i] = before[i] + h;
            const double above = loss_of(trainer, moved);
            moved[i] = before[i] - h;
            const double below = loss_of(trainer, moved);
            check_close(
                before[i] - after[i], (above - below) / (2 * h) / 5, 1e-6 * largest,
                text(widths.size() - 1, " layers, slope ", activation.slope, ", dropout ", dropout, ", weight ", i));
          }
        }
      }
    }
  }
}

void the_sum_is_the_mean_times_the_training_nodes() {
  Problem problem;
  auto mean = trainer_of<double>(problem);
  problem.reduction = Reduction::sum;
  auto sum = trainer_of<double>(problem);
  fill(mean);
  fill(sum);
  steps(mean, 1, 0.5);
  steps(sum, 1, 0.1);
  for (std::size_t i = 0; i < weights_of(mean).size(); ++i) {
    check_close(weights_of(sum)[i], weights_of(mean)[i], 1e-14, text("weight ", i));
  }
}

void weight_decay_is_each_layers_own() {
  Problem problem;
  auto plain = trainer_of<double>(problem);
  problem.weight_decay = {0.25, 0};
  problem.optimiser = Sgd{0, 0, 7, false};  // Its own does not count.
  auto decayed = trainer_of<double>(problem);
  fill(plain);
  fill(decayed);
  const auto before = weights_of(plain);
  steps(plain, 1, 1);
  steps(decayed, 1, 1);
  const std::size_t first_layer = 6 * 4;
  for (std::size_t i = 0; i < before.size(); ++i) {
    check_close(weights_of(plain)[i] - weights_of(decayed)[i], i < first_layer ? 0.25 * before[i] : 0, 1e-14,
                text("weight ", i));
  }
}

void dropout_keeps_the_expectation() {
  for (const double probability : {0.1, 0.5, 0.75}) {
    const Dropout dropout(probability, 7, 3, 1);
    constexpr std::size_t n = 200000;
    std::size_t kept = 0;
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
      const double factor = dropout.factor<double>(i);
      kept += factor != 0 ? 1 : 0;
      sum += factor;
    }
    const double deviation = std::sqrt(probability * (1 - probability) / n);
    check_close(static_cast<double>(kept) / n, 1 - probability, 4.5 * deviation, "the share that stays");
    check_close(sum / n, 1, 4.5 * deviation / (1 - probability), "the mean");
  }
}

void dropout_is_independent_from_draw_to_draw() {
  // Of two streams that share nothing, a quarter of the entries stays in both.
  const auto both = [](const Dropout& a, const Dropout& b, std::size_t shift) {
    constexpr std::size_t n = 100000;
    double count = 0;
    for (std::size_t i = 0; i < n; ++i) count += a.factor<float>(i) * b.factor<float>(i + shift) / 4;
    return count / n;
  };
  const Dropout one(0.5, 7, 3, 1);
  const double tolerance = 4.5 * std::sqrt(3.0 / 16 / 100000);
  check_close(both(one, Dropout(0.5, 7, 4, 1), 0), 0.25, tolerance, "another step");
  check_close(both(one, Dropout(0.5, 7, 3, 2), 0), 0.25, tolerance, "another layer");
  check_close(both(one, Dropout(0.5, 8, 3, 1), 0), 0.25, tolerance, "another seed");
  for (const std::size_t shift : {1, 2, 16, 1433}) check_close(both(one, one, shift), 0.25, tolerance, "another entry");
  check_close(both(one, one, 0), 0.5, tolerance, "the same stream stays as it is");
}

void badms_sub_batches_cancel() {
  Problem problem;
  problem.optimiser = Badm{1, 2, 0, 1, false};
  auto whole = trainer_of<double>(problem);
  problem.optimiser = Badm{1, 2, 0, 3, true};
  auto parts = trainer_of<double>(problem);
  fill(whole);
  fill(parts);
  const double before = whole.evaluate_training().loss;
  const auto one = steps(whole, 20, 1);
  const auto three = steps(parts, 20, 1);
  check_close(three.loss, one.loss, 1e-12, "the loss");
  check(whole.evaluate_training().loss < 0.9 * before, "something is learnt");
  for (std::size_t i = 0; i < weights_of(whole).size(); ++i) {
    check_close(weights_of(parts)[i], weights_of(whole)[i], 1e-12, text("weight ", i));
  }
}

void every_optimiser_learns() {
  const std::array<Optimiser, 6> methods{Sgd{0.9}, Adagrad{},  Adadelta{},
                                         Adam{},   Badm{1, 2}, Sisa{1, 100, 0.99, 1e-8, 0, 2}};
  const std::array<double, 6> rates{0.2, 0.1, 1, 0.05, 1, 1};
  for (std::size_t i = 0; i < methods.size(); ++i) {
    Problem problem;
    problem.optimiser = methods[i];
    auto trainer = trainer_of<float>(problem);
    fill(trainer);
    const double before = trainer.evaluate_training().loss;
    steps(trainer, 200, rates[i]);
    check_at_most(trainer.evaluate_training().loss, 0.9 * before, text("the loss with method ", i));
  }
}

void nothing_is_allocated_by_steps() {
  const std::array<Optimiser, 3> methods{Adam{}, Badm{1, 10, 0, 2, true}, Sisa{1, 10, 0.9, 1e-8, 0, 3}};
  for (const Optimiser& optimiser : methods) {
    for (const auto& widths : kShapes) {
      for (const bool sparse : {true, false}) {
        Problem problem;
        problem.widths = widths;
        problem.activation = {-0.1};
        problem.dropout = 0.5;
        problem.sparse = sparse;
        problem.threads = 2;
        problem.optimiser = optimiser;
        auto trainer = trainer_of<float>(problem);
        fill(trainer);
        steps(trainer, 2, 1e-3);
        const std::size_t before = allocations.load();
        const auto record = steps(trainer, 10, 1e-3);
        check_equal(allocations.load(), before, "allocations");
        check_equal(record.steps, std::size_t{10}, "steps");
        check_equal(record.samples, std::size_t{50}, "training nodes seen");
      }
    }
  }
}

void memory_is_what_was_announced() {
  Problem problem;
  problem.widths = {100, 16, 7};
  problem.optimiser = Adam{};
  const GraphTrainer<float> sparse(setup_of(problem), Nodes(problem).data<float>(true));
  const GraphTrainer<float> dense(setup_of(problem), Nodes(problem).data<float>(false));
  const double parameters = 100 * 16 + 16 * 7;
  // δ_1, δ_2, H_1, Z_2 and a scratch of 16 columns; Adam's two moments, and parameters as they are and were, and their
  // gradient.
  const double common = 4 * (kNodes * (16 + 7 + 16 + 7 + 16) + 5 * parameters);
  const auto entries = static_cast<double>(Nodes(problem).data<float>(true).features.sparse.entries());
  check_close(sparse.required_bytes(), common + 8 * entries + 8 * 100, 1e-9, "and Xᵀ");
  check_close(dense.required_bytes(), common, 1e-9, "dense");
}

void stopping_and_diverging() {
  Problem problem;
  problem.activation = {0.2};
  auto trainer = trainer_of<float>(problem);
  fill(trainer);
  const auto start = weights_of(trainer);
  StepsRecord record;
  trainer.run(3, std::array{0.1}, kStop, record);
  check(record.stopped && record.steps == 0, "stopped before the first step");
  check(weights_of(trainer) == start, "and nothing changed");
  trainer.run(50, std::array{1e38}, kGo, record);
  check(record.diverged && record.steps < 50, "an enormous rate diverges");
  for (const double w : weights_of(trainer)) check(std::isfinite(w), "the weights are finite");
}

void an_evaluation_between_steps_changes_nothing() {
  Problem problem;
  problem.dropout = 0.5;
  auto one = trainer_of<double>(problem);
  auto other = trainer_of<double>(problem);
  fill(one);
  fill(other);
  for (int i = 0; i < 5; ++i) {
    steps(one, 1, 0.1);
    const double loss = one.evaluate_training().loss;
    check_equal(one.evaluate_training().loss, loss, "asked twice");
  }
  steps(other, 5, 0.1);
  check(weights_of(one) == weights_of(other), "the same weights");
  check_equal(one.evaluate_training().loss, other.evaluate_training().loss, "the same loss");
  const std::vector<double> zeros(weights_of(one).size(), 0.0);
  set_weights(one, zeros);
  check_close(one.evaluate_training().loss, 5 * std::log(3), 1e-12, "weights that were written count at once");
}

void a_training_goes_on_from_its_sections() {
  for (const Optimiser& optimiser : {Optimiser(Adam{}), Optimiser(Sisa{1, 100, 0.99, 1e-8, 0, 2})}) {
    Problem problem;
    problem.dropout = 0.5;
    problem.optimiser = optimiser;
    auto whole = trainer_of<double>(problem);
    auto other = trainer_of<double>(problem);
    fill(whole);
    steps(whole, 4, 0.1);
    static_cast<void>(other.evaluate_training());
    const auto from = whole.sections();
    const auto to = other.sections();
    check_equal(to.size(), from.size(), "sections");
    for (std::size_t i = 0; i < from.size(); ++i) {
      check_equal(to[i].name, from[i].name, "name");
      check_equal(to[i].bytes.size(), from[i].bytes.size(), "bytes");
      std::ranges::copy(from[i].bytes, to[i].bytes.begin());
    }
    other.restored();
    check_equal(other.evaluate_training().loss, whole.evaluate_training().loss, "the loss");
    steps(whole, 4, 0.1);
    steps(other, 4, 0.1);
    check(weights_of(other) == weights_of(whole), "the same weights after more steps");
  }
}

}  // namespace

int main() {
  openblas_set_num_threads(1);
  fact("evaluation is that of a plain network", evaluation_is_that_of_a_plain_network);
  fact("gradients are central differences", gradients_are_central_differences);
  fact("the sum is the mean times the training nodes", the_sum_is_the_mean_times_the_training_nodes);
  fact("weight decay is each layer's own", weight_decay_is_each_layers_own);
  fact("dropout keeps the expectation", dropout_keeps_the_expectation);
  fact("dropout is independent from draw to draw", dropout_is_independent_from_draw_to_draw);
  fact("BADM's sub-batches cancel", badms_sub_batches_cancel);
  fact("every optimiser learns", every_optimiser_learns);
  fact("nothing is allocated by steps", nothing_is_allocated_by_steps);
  fact("memory is what was announced", memory_is_what_was_announced);
  fact("stopping and diverging", stopping_and_diverging);
  fact("an evaluation between steps changes nothing", an_evaluation_between_steps_changes_nothing);
  fact("a training goes on from its sections", a_training_goes_on_from_its_sections);
  return report();
}
