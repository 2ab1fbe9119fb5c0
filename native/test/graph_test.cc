// The graph splitting against plain loops over dense matrices, in double.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <tuple>
#include <utility>
#include <vector>

#include "core/graph/propagation.hpp"
#include "core/graph/state.hpp"
#include "test/activations.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

using namespace dladmm;
using namespace dladmm::test;

namespace {

// --- plain matrices ---

struct Plain {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<double> data;

  Plain() = default;
  Plain(std::size_t r, std::size_t c) : rows(r), columns(c), data(r * c) {}
  double& at(std::size_t i, std::size_t j) { return data[i * columns + j]; }
  [[nodiscard]] double at(std::size_t i, std::size_t j) const { return data[i * columns + j]; }
};

Plain times(const Plain& a, const Plain& b) {
  Plain c(a.rows, b.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < b.columns; ++j) {
      for (std::size_t k = 0; k < a.columns; ++k) c.at(i, j) += a.at(i, k) * b.at(k, j);
    }
  }
  return c;
}

Plain mirrored(const Plain& a) {
  Plain t(a.columns, a.rows);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < a.columns; ++j) t.at(j, i) = a.at(i, j);
  }
  return t;
}

// a + c b
Plain plus(Plain a, double c, const Plain& b) {
  for (std::size_t i = 0; i < a.data.size(); ++i) a.data[i] += c * b.data[i];
  return a;
}

double square(const Plain& a) {
  double sum = 0;
  for (const double x : a.data) sum += x * x;
  return sum;
}

double inner(const Plain& a, const Plain& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.data.size(); ++i) sum += a.data[i] * b.data[i];
  return sum;
}

Plain mapped(Plain a, const std::function<double(double)>& f) {
  for (double& x : a.data) x = f(x);
  return a;
}

double farthest(const Plain& a, const Plain& b) {
  double largest = a.data.size() == b.data.size() ? 0 : std::numeric_limits<double>::infinity();
  for (std::size_t i = 0; i < std::min(a.data.size(), b.data.size()); ++i) {
    const double off = std::abs(a.data[i] - b.data[i]);
    if (!(off <= largest)) largest = off;
  }
  return largest;
}

Plain rows_of(const Plain& a, std::span<const std::int32_t> rows) {
  Plain out(rows.size(), a.columns);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t j = 0; j < a.columns; ++j) out.at(i, j) = a.at(static_cast<std::size_t>(rows[i]), j);
  }
  return out;
}

template <typename T>
Plain plain(const CsrView<T>& a) {
  Plain out(a.rows, a.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t k = a.begin(i); k < a.end(i); ++k) {
      out.at(i, static_cast<std::size_t>(a.indices[k])) += static_cast<double>(a.values[k]);
    }
  }
  return out;
}

template <typename T>
Plain plain(MatrixView<const T> a) {
  Plain out(a.rows, a.columns);
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < a.columns; ++j) out.at(i, j) = static_cast<double>(a.row(i)[j]);
  }
  return out;
}

Plain random_matrix(std::size_t rows, std::size_t columns, Random& random) {
  Plain out(rows, columns);
  for (double& x : out.data) x = random.normal();
  return out;
}

template <typename T>
Csr<T> sparse(const Plain& a) {
  Csr<T> out{a.rows, a.columns, {0}, {}, {}};
  for (std::size_t i = 0; i < a.rows; ++i) {
    for (std::size_t j = 0; j < a.columns; ++j) {
      if (a.at(i, j) == 0) continue;
      out.indices.push_back(static_cast<std::int32_t>(j));
      out.values.push_back(static_cast<T>(a.at(i, j)));
    }
    out.indptr.push_back(static_cast<std::int64_t>(out.indices.size()));
  }
  return out;
}

// --- the maps ---

template <typename T>
void propagation() {
  const double tolerance = std::is_same_v<T, float> ? 2e-4 : 1e-11;
  const auto dense_of = [](const Plain& a) {
    Matrix<T> out(a.rows, a.columns);
    for (std::size_t i = 0; i < a.data.size(); ++i) out.flat()[i] = static_cast<T>(a.data[i]);
    return out;
  };
  using Map = typename Propagation<T>::Map;
  // A square Ã with layers that grow and shrink, and parts of it with few rows: each map meets both orders.
  bool nodes_first = false;
  bool weights_first = false;
  for (const std::size_t rows : {5U, 60U}) {
    for (const auto& [inputs, outputs] : {std::pair{40U, 3U}, std::pair{3U, 40U}, std::pair{16U, 16U}}) {
      fact(text("the maps of a layer ", inputs, "-", outputs, " on ", rows, " of 60 nodes"), [&] {
        Random random(rows + inputs);
        Plain a(rows, 60);
        for (double& x : a.data) x = random.uniform() < .2 ? random.normal() : 0;
        const Plain z = random_matrix(60, inputs, random);
        const Plain w = random_matrix(inputs, outputs, random);
        const Plain g = random_matrix(rows, outputs, random);
        const Propagation<T> propagation(sparse<T>(a));
        Team team(2);
        Buffer<T> scratch(propagation.scratch_entries(inputs, outputs));
        const Matrix<T> zt = dense_of(z);
        const Matrix<T> wt = dense_of(w);
        const Matrix<T> gt = dense_of(g);
        Matrix<T> forward(rows, outputs);
        Matrix<T> backward(60, inputs);
        propagation.forward(team, zt.view(), wt.view(), scratch.span(), forward.view());
        propagation.backward(team, gt.view(), wt.view(), scratch.span(), backward.view());
        Matrix<T> smooth(rows, inputs);
        Matrix<T> smooth_back(60, outputs);
        propagation.smooth(team, zt.view(), smooth.view());
        propagation.smooth_back(team, gt.view(), smooth_back.view());
        check_at_most(farthest(plain<T>(forward.view()), times(a, times(z, w))), tolerance, "Ã Z W");
        check_at_most(farthest(plain<T>(backward.view()), times(mirrored(a), times(g, mirrored(w)))), tolerance,
                      "Ãᵀ G Wᵀ");
        check_at_most(farthest(plain<T>(smooth.view()), times(a, z)), tolerance, "Ã Z");
        check_at_most(farthest(plain<T>(smooth_back.view()), times(mirrored(a), g)), tolerance, "Ãᵀ G");
        for (const Map map : {Map::forward, Map::backward, Map::weights}) {
          const double first = propagation.cost(map, Order::nodes_first, inputs, outputs).total();
          const double second = propagation.cost(map, Order::weights_first, inputs, outputs).total();
          const Order taken = propagation.order(map, inputs, outputs);
          (taken == Order::nodes_first ? nodes_first : weights_first) = true;
          check((taken == Order::nodes_first) == (first <= second), "the cheaper order");
        }
      });
    }
  }
  fact("both orders have been met", [&] { check(nodes_first && weights_first, "both"); });

  for (const auto& [kind, dense, apart] :
       {std::tuple{"dense", true, false}, {"sparse and propagated", false, false}, {"sparse and apart", false, true}}) {
    fact(text("the map of the input, features ", kind), [&, dense = dense, apart = apart] {
      Random random(9);
      Plain a(30, 40);
      for (std::size_t i = 0; i < 30; ++i) {
        a.at(i, i) = 1;
        // Many neighbours fill Ã X up.
        for (std::size_t k = 0; apart && k < 12; ++k) a.at(i, random.below(40)) = random.normal();
      }
      Plain x(40, 90);
      for (std::size_t i = 0; i < 40; ++i) {
        for (std::size_t k = 0; k < 4; ++k) x.at(i, random.below(90)) = random.normal();
      }
      Features<T> features;
      features.is_sparse = !dense;
      if (dense) {
        features.dense = dense_of(x);
      } else {
        features.sparse = sparse<T>(x);
      }
      Team team(2);
      const InputMap<T> input(team, sparse<T>(a), std::move(features));
      check_equal(input.keeps_product(), !apart, "whether Ã X is kept");
      check_equal(input.is_sparse(), !dense, "whether it is sparse");
      const Plain w = random_matrix(90, 7, random);
      const Plain g = random_matrix(30, 7, random);
      Buffer<T> scratch(input.scratch_entries(7));
      Matrix<T> forward(30, 7);
      Matrix<T> gradient(90, 7);
      input.forward(team, dense_of(w).view(), scratch.span(), forward.view());
      PieceSums<T> sums(SampleCut(30), {});
      input.gradient(team, sums, dense_of(g).view(), scratch.span(), gradient.view());
      check_at_most(farthest(plain<T>(forward.view()), times(times(a, x), w)), tolerance, "Ã X W");
      check_at_most(farthest(plain<T>(gradient.view()), times(mirrored(times(a, x)), g)), tolerance, "(Ã X)ᵀ G");
    });
  }
}

// --- the state ---

// A graph of two parts, one node alone, one without features, one without label; and all that its updates need, in
// plain matrices.
struct Case {
  GraphSetup setup;
  Csr<double> adjacency;
  Plain x;
  bool sparse_features = false;
  std::vector<std::int32_t> labels;
  std::vector<std::int32_t> training;
  Plain a;  // Ã of all nodes
  GraphPenalties penalties;
};

GraphData<double> data_of(const Case& c) {
  GraphData<double> data;
  data.adjacency = c.adjacency;
  data.features.is_sparse = c.sparse_features;
  if (c.sparse_features) {
    data.features.sparse = sparse<double>(c.x);
  } else {
    data.features.dense = Matrix<double>(c.x.rows, c.x.columns);
    std::copy(c.x.data.begin(), c.x.data.end(), data.features.dense.flat().begin());
  }
  data.labels = c.labels;
  data.training = c.training;
  return data;
}

constexpr std::size_t kNodes = 16;

Case make_case(std::vector<std::size_t> widths, Activation activation, OutputWeights output, bool sparse_features) {
  Case c;
  Random random(widths.size() + (activation.is_smooth() ? 7 : 0));
  c.setup.network = {std::move(widths), activation, {}};
  c.setup.threads = 2;
  c.setup.output_weights = output;
  const std::size_t inputs = c.setup.network.widths.front();
  const std::size_t classes = c.setup.network.widths.back();
  Plain edges(kNodes, kNodes);
  for (std::size_t i = 0; i + 1 < kNodes; ++i) {
    if (i == 9 || i == 10) continue;  // node 10 is alone, and a gap
    edges.at(i, i + 1) = 1;
    if (i % 3 == 0 && i + 3 < 9) edges.at(i, i + 3) = 2;
  }
  c.adjacency = sparse<double>(edges);
  c.a = plain(normalised_adjacency(c.adjacency.view()).view());
  c.x = random_matrix(kNodes, inputs, random);
  for (std::size_t j = 0; j < inputs; ++j) c.x.at(3, j) = 0;
  c.sparse_features = sparse_features;
  for (std::size_t i = 0; i < kNodes; ++i) c.labels.push_back(static_cast<std::int32_t>(i % classes));
  c.labels[5] = -1;
  c.training = {7, 1, 10, 4};  // in no order, the lonely node among them
  c.penalties.nu = .7;
  c.penalties.rho = 1.3;
  c.penalties.l2 = {.02, .05, .03};
  c.penalties.l2.resize(c.setup.network.layers());
  c.penalties.theta0 = 1e-3;
  c.penalties.tau0 = 1e-3;
  return c;
}

// The plain twin of a state: its blocks as read from it, and what the formulas make of them.
class Twin {
 public:
  Twin(const Case& c, GraphState<double>& state) : c_(c) {
    const Network& net = c.setup.network;
    for (std::size_t l = 0; l <= net.layers(); ++l) {
      nodes_.emplace_back(state.nodes(l).begin(), state.nodes(l).end());
    }
    Z.push_back(rows_of(c.x, nodes_[0]));
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      A.push_back(mirrored(rows_of(mirrored(rows_of(c.a, nodes_[l])), nodes_[l - 1])));
      W.emplace_back(net.inputs(l), net.outputs(l));
      Z.emplace_back(nodes_[l].size(), net.outputs(l));
      state.read(GraphBlock::W, l, W.back().data);
      state.read(GraphBlock::Z, l, Z.back().data);
    }
    U = Plain(nodes_.back().size(), net.widths.back());
    state.read(GraphBlock::U, net.layers(), U.data);
  }

  [[nodiscard]] std::size_t depth() const { return W.size(); }
  [[nodiscard]] double f(double x) const { return value_of(c_.setup.network.activation, x); }
  [[nodiscard]] double slope(double x) const { return slope_of(c_.setup.network.activation, x); }
  [[nodiscard]] Plain P(std::size_t l) const { return times(A[l - 1], times(Z[l - 1], W[l - 1])); }
  // Z_l − f(P_l), without f at the output.
  [[nodiscard]] Plain miss(std::size_t l) const {
    Plain p = P(l);
    if (l < depth()) p = mapped(std::move(p), [&](double x) { return f(x); });
    return plus(Z[l], -1, p);
  }
  // The gradient of the terms of layer l with respect to P_l.
  [[nodiscard]] Plain product_gradient(std::size_t l) const {
    if (l == depth()) return plus(mapped(miss(l), [&](double r) { return -c_.penalties.rho * r; }), -1, U);
    const Plain p = P(l);
    Plain out = miss(l);
    for (std::size_t i = 0; i < out.data.size(); ++i) out.data[i] *= -c_.penalties.nu * slope(p.data[i]);
    return out;
  }
  [[nodiscard]] Plain weight_direction(std::size_t l) const {
    return plus(times(mirrored(times(A[l - 1], Z[l - 1])), product_gradient(l)), c_.penalties.l2[l - 1], W[l - 1]);
  }
  [[nodiscard]] Plain node_direction(std::size_t l) const {
    return plus(times(mirrored(A[l]), times(product_gradient(l + 1), mirrored(W[l]))), c_.penalties.nu, miss(l));
  }
  [[nodiscard]] double loss() const {
    double sum = 0;
    for (std::size_t i = 0; i < nodes_.back().size(); ++i) sum += loss_of(i);
    return sum;
  }
  [[nodiscard]] double lagrangian() const {
    double sum = loss();
    for (std::size_t l = 1; l <= depth(); ++l) {
      sum += c_.penalties.l2[l - 1] / 2 * square(W[l - 1]);
      sum += (l < depth() ? c_.penalties.nu : c_.penalties.rho) / 2 * square(miss(l));
    }
    return sum + inner(U, miss(depth()));
  }
  [[nodiscard]] std::int32_t label(std::size_t i) const {
    return c_.labels[static_cast<std::size_t>(nodes_.back()[i])];
  }
  [[nodiscard]] std::vector<double> probabilities(std::size_t i) const {
    std::vector<double> p(Z.back().columns);
    double sum = 0;
    for (std::size_t j = 0; j < p.size(); ++j) sum += p[j] = std::exp(Z.back().at(i, j));
    for (double& x : p) x /= sum;
    return p;
  }

  std::vector<Plain> A, W, Z;  // A[l − 1], W[l − 1] of layer l; Z[0] is X
  Plain U;

 private:
  [[nodiscard]] double loss_of(std::size_t i) const {
    return -std::log(probabilities(i)[static_cast<std::size_t>(label(i))]);
  }

  const Case& c_;
  std::vector<std::vector<std::int32_t>> nodes_;
};

void write(GraphState<double>& state, GraphBlock block, std::size_t l, const Plain& values) {
  state.write(block, l, values.data);
}

// A state away from any special place: W, Z and U at random.
void scatter(GraphState<double>& state, const Case& c) {
  state.allocate();
  Random random(21);
  const Network& net = c.setup.network;
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    write(state, GraphBlock::W, l, random_matrix(net.inputs(l), net.outputs(l), random));
  }
  state.start(GraphDual::zero);
  for (std::size_t l = 1; l <= net.layers(); ++l) {
    write(state, GraphBlock::Z, l, random_matrix(state.nodes(l).size(), net.outputs(l), random));
  }
  write(state, GraphBlock::U, net.layers(), random_matrix(state.nodes(net.layers()).size(), net.widths.back(), random));
}

GraphSweepRecord run(GraphState<double>& state, const Case& c, const std::vector<GraphUpdate>& updates) {
  const std::atomic<bool> stop{false};
  GraphSweepRecord record;
  state.run(updates, c.penalties, stop, record);
  return record;
}

// The paper's doubling loop on the twin: a step of one block along −direction/(size + λ), tried until the augmented
// Lagrangian without Ω falls to the model.
double doubled(const Twin& twin, const Case& c, bool weights, std::size_t l, double start) {
  const double l2 = weights ? c.penalties.l2[l - 1] : 0;
  const Plain s = weights ? twin.weight_direction(l) : twin.node_direction(l);
  const Plain g = weights ? plus(s, -l2, twin.W[l - 1]) : s;
  const auto phi = [&](const Twin& t) { return t.lagrangian() - (weights ? l2 / 2 * square(t.W[l - 1]) : 0); };
  double size = start;
  for (int k = 0; k <= 60; ++k, size *= 2) {
    Twin moved = twin;
    const double scale = 1 / (size + l2);
    Plain& block = weights ? moved.W[l - 1] : moved.Z[l];
    block = plus(std::move(block), -scale, s);
    if (phi(moved) <= phi(twin) - scale * inner(g, s) + size / 2 * scale * scale * square(s)) return size;
  }
  return -1;
}

const std::vector<std::pair<const char*, Activation>> kActivations{{"relu", {}},
                                                                   {"leaky relu", {.1, ActivationKind::rectifier}},
                                                                   {"a falling relu", {-.2, ActivationKind::rectifier}},
                                                                   {"tanh", {0, ActivationKind::tanh}},
                                                                   {"sigmoid", {0, ActivationKind::sigmoid}},
                                                                   {"elu", {0.5, ActivationKind::elu}},
                                                                   {"silu", {0, ActivationKind::silu}},
                                                                   {"gelu", {0, ActivationKind::gelu}},
                                                                   {"softplus", {0, ActivationKind::softplus}}};

void row_sets() {
  fact("a layer is kept on what the loss can see through the layers above it", [] {
    const Case c = make_case({6, 5, 4, 3}, {}, OutputWeights::quadratic, true);
    GraphState<double> state(c.setup, data_of(c));
    const auto is = [&](std::size_t l, std::vector<std::int32_t> expected) {
      return std::equal(state.nodes(l).begin(), state.nodes(l).end(), expected.begin(), expected.end());
    };
    check(is(3, {7, 1, 10, 4}), "the training nodes, in their order");
    check(is(2, {0, 1, 2, 3, 4, 5, 6, 7, 8, 10}), "and their neighbours");
    check(is(1, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), "and theirs");
    check(is(0, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}), "nodes 11 to 15 are far away");
  });
}

void updates_against_formulas() {
  for (const auto& [name, activation] : kActivations) {
    for (const bool sparse_features : {true, false}) {
      const Case c = make_case({6, 5, 4, 3}, activation, OutputWeights::quadratic, sparse_features);
      const std::string where = text(name, sparse_features ? ", sparse features" : ", dense features");

      for (std::size_t l = 1; l <= 3; ++l) {
        fact(text("W", l, " is updated by its quadratic step: ", where), [&, l] {
          GraphState<double> state(c.setup, data_of(c));
          scatter(state, c);
          const Twin before(c, state);
          const GraphSweepRecord record = run(state, c, {{GraphBlock::W, l}});
          const Twin after(c, state);
          const Plain s = before.weight_direction(l);
          if (l == 3) {
            const Plain d = times(before.A[2], times(before.Z[2], s));
            const double kappa = c.penalties.rho * square(d) / square(s);
            check_close(record.updates[0].kappa, kappa, 1e-10 * kappa, "κ");
            check_close(record.updates[0].size, kappa, 1e-10 * kappa, "θ, the smallest that passes");
          } else {
            check_close(record.updates[0].size, doubled(before, c, true, l, c.penalties.theta0), 1e-9, "θ");
          }
          const double scale = 1 / (record.updates[0].size + c.penalties.l2[l - 1]);
          check_at_most(farthest(after.W[l - 1], plus(before.W[l - 1], -scale, s)), 1e-11, "W − S/(θ + λ)");
          check_close(record.updates[0].step_norm, scale * scale * square(s), 1e-9 * scale * scale * square(s), "‖Δ‖²");
          check_close(record.measures.lagrangian, after.lagrangian(), 1e-9 * std::abs(after.lagrangian()), "L_ρ");
          check(after.lagrangian() < before.lagrangian(), "L_ρ falls");
        });
      }
      for (std::size_t l = 1; l <= 2; ++l) {
        fact(text("Z", l, " is updated by its quadratic step: ", where), [&, l] {
          GraphState<double> state(c.setup, data_of(c));
          scatter(state, c);
          const Twin before(c, state);
          const GraphSweepRecord record = run(state, c, {{GraphBlock::Z, l}});
          const Twin after(c, state);
          const Plain g = before.node_direction(l);
          if (l == 2) {
            const Plain d = times(before.A[2], times(g, before.W[2]));
            const double kappa = (c.penalties.rho * square(d) + c.penalties.nu * square(g)) / square(g);
            check_close(record.updates[0].size, kappa, 1e-10 * kappa, "τ, the smallest that passes");
          } else {
            check_close(record.updates[0].size, doubled(before, c, false, l, c.penalties.tau0), 1e-9, "τ");
          }
          check_at_most(farthest(after.Z[l], plus(before.Z[l], -1 / record.updates[0].size, g)), 1e-11, "Z − g/τ");
          check_close(record.measures.lagrangian, after.lagrangian(), 1e-9 * std::abs(after.lagrangian()), "L_ρ");
          check(after.lagrangian() < before.lagrangian(), "L_ρ falls");
        });
      }
    }
  }

  const Case c = make_case({6, 5, 3}, {}, OutputWeights::quadratic, true);
  fact("Z_L is the minimiser, node by node, and U the dual step", [&] {
    GraphState<double> state(c.setup, data_of(c));
    scatter(state, c);
    const Twin before(c, state);
    const GraphSweepRecord record = run(state, c, {{GraphBlock::Z, 2}});
    const Twin after(c, state);
    // ∇R(Z) + U + ρ(Z − P) = 0
    const Plain miss = after.miss(2);
    for (std::size_t i = 0; i < miss.rows; ++i) {
      const auto p = after.probabilities(i);
      for (std::size_t j = 0; j < p.size(); ++j) {
        const double on = static_cast<std::size_t>(after.label(i)) == j ? 1 : 0;
        check_close(p[j] - on + before.U.at(i, j) + c.penalties.rho * miss.at(i, j), 0, 1e-12, "stationary");
      }
    }
    check(record.updates[0].steps > 0, "Newton steps are told");
    const GraphSweepRecord dual = run(state, c, {{GraphBlock::U, 2}});
    const Twin last(c, state);
    check_at_most(farthest(last.U, plus(before.U, c.penalties.rho, miss)), 1e-13, "U + ρ(Z − P)");
    check_at_most(dual.measures.output.dual_identity, 1e-12, "∇R(Z) + U = 0 then");
  });

  for (const double l2 : {.4, 0.}) {
    for (const std::size_t hidden : {3U, 9U}) {  // fewer and more than there are training nodes
      fact(text("the exact W_L solves the normal equations: λ = ", l2, ", ", hidden, " hidden units"), [&, l2, hidden] {
        Case exact = make_case({6, hidden, 3}, {}, OutputWeights::cholesky, true);
        exact.penalties.l2 = {.02, l2};
        GraphState<double> state(exact.setup, data_of(exact));
        scatter(state, exact);
        const Twin before(exact, state);
        const GraphSweepRecord record = run(state, exact, {{GraphBlock::W, 2}});
        const Twin after(exact, state);
        // The gradient of the augmented Lagrangian in W_L is zero.
        check_at_most(std::sqrt(square(after.weight_direction(2))), l2 > 0 ? 1e-11 : 1e-8, "gradient");
        check_close(record.updates[0].step_norm, square(plus(after.W[1], -1, before.W[1])), 1e-9, "‖Δ‖²");
        check_close(record.measures.lagrangian, after.lagrangian(), 1e-9, "L_ρ");
      });
    }
  }

  fact("a search begins where it is told to, and goes on from there under `exact`", [&] {
    GraphState<double> state(c.setup, data_of(c));
    scatter(state, c);
    const GraphSweepRecord record = run(state, c, {{GraphBlock::W, 1}, {GraphBlock::W, 1}});
    check_equal(record.updates[0].trials, static_cast<int>(std::log2(record.updates[0].size / 1e-3)) + 1, "doublings");
    check(record.updates[1].trials <= 4, "close to the last size");
    Case paper = c;
    paper.penalties.search = StepSearch::backtracking;
    GraphState<double> again(paper.setup, data_of(paper));
    scatter(again, paper);
    const GraphSweepRecord both = run(again, paper, {{GraphBlock::W, 1}, {GraphBlock::W, 1}, {GraphBlock::W, 2}});
    check(both.updates[1].trials > 4, "from the start again");
    check_equal(std::log2(both.updates[2].size / 1e-3), std::round(std::log2(both.updates[2].size / 1e-3)), "a power");
    check(both.updates[2].size >= both.updates[2].kappa && both.updates[2].size < 2 * both.updates[2].kappa,
          "the first");
  });
}

void kinks() {
  // One node, two features, one hidden unit, P_1 = W_11 + W_12 = 0 exactly.
  fact("at a kink no size passes: the block keeps its value and the record says so", [] {
    Case c;
    c.setup.network = {{2, 1, 2}, {}, {}};
    c.adjacency = Csr<double>{1, 1, {0, 0}, {}, {}};
    c.x = Plain(1, 2);
    c.x.data = {1, 1};
    c.labels = {0};
    c.training = {0};
    c.penalties.l2 = {1, 1};
    GraphState<double> state(c.setup, data_of(c));
    state.allocate();
    state.start(GraphDual::zero);
    const std::vector<double> at_kink{-1, 1};
    state.write(GraphBlock::W, 1, at_kink);
    state.write(GraphBlock::Z, 1, std::vector<double>{-5});
    const GraphSweepRecord flat = run(state, c, {{GraphBlock::W, 1}});
    check(!flat.updates[0].kept, "a step that stays at the kink passes");
    Case leaky = c;
    // f' counts as 4 at 0, as on the left; the step goes to the right, where it is 1: a quarter of what the model
    // promises, and half would do.
    leaky.setup.network.activation = {4, ActivationKind::rectifier};
    leaky.penalties.l2 = {0, 0};
    GraphState<double> kinked(leaky.setup, data_of(leaky));
    kinked.allocate();
    kinked.start(GraphDual::zero);
    kinked.write(GraphBlock::W, 1, at_kink);
    kinked.write(GraphBlock::Z, 1, std::vector<double>{5});
    const GraphSweepRecord record = run(kinked, leaky, {{GraphBlock::W, 1}});
    std::vector<double> after(2);
    kinked.read(GraphBlock::W, 1, after);
    check(record.updates[0].kept, "told");
    check_equal(record.updates[0].trials, 61, "the start and 60 doublings");
    check(after == at_kink, "the value before");
    check_equal(record.updates[0].step_norm, 0.0, "no step");
    check_equal(record.completed, std::size_t{1}, "the sweep goes on");
  });
}

std::vector<GraphUpdate> sweep(std::size_t depth) {
  std::vector<GraphUpdate> updates;
  for (std::size_t l = depth; l >= 1; --l) {
    updates.push_back({GraphBlock::Z, l});
    updates.push_back({GraphBlock::W, l});
  }
  for (std::size_t l = 1; l <= depth; ++l) {
    updates.push_back({GraphBlock::W, l});
    updates.push_back({GraphBlock::Z, l});
  }
  updates.push_back({GraphBlock::U, depth});
  return updates;
}

void whole_sweeps() {
  for (const std::size_t depth : {1U, 2U, 3U, 4U}) {
    for (const OutputWeights output : {OutputWeights::quadratic, OutputWeights::cholesky}) {
      if (depth == 1 && output == OutputWeights::cholesky) continue;
      fact(text("L_ρ falls in every sweep from ρ = .79 on: ", depth, " layers"), [&] {
        std::vector<std::size_t> widths{6, 5, 5, 5};
        widths.resize(depth);
        widths.push_back(3);
        Case c = make_case(widths, {}, output, true);
        c.penalties.rho = .79;
        GraphState<double> state(c.setup, data_of(c));
        state.allocate();
        Random random(2);
        for (std::size_t l = 1; l <= depth; ++l) {
          write(state, GraphBlock::W, l, random_matrix(widths[l - 1], widths[l], random));
        }
        state.start(GraphDual::stationary);
        GraphMeasures measures;
        state.measure(c.penalties, measures);
        double last = measures.lagrangian;
        double drift = 0;
        for (int k = 0; k < 120; ++k) {
          const GraphSweepRecord record = run(state, c, sweep(depth));
          check(record.measures.lagrangian <= last + 1e-12 * std::abs(last), "falls");
          check_at_most(record.measures.output.dual_identity, 1e-12, "∇R(Z_L) + U = 0");
          last = record.measures.lagrangian;
        }
        const Twin twin(c, state);
        check_close(last, twin.lagrangian(), 1e-9 * std::abs(last), "L_ρ by the formula");
        state.refresh();
        state.measure(c.penalties, measures);
        drift = std::abs(measures.lagrangian - last);
        check_at_most(drift, 1e-9 * std::abs(last), "what the kept products have drifted");
      });
    }
  }

  fact("a run that is written out and taken up again goes on with the same bits", [] {
    for (const bool in_between : {true, false}) {
      const Case c = make_case({6, 5, 4, 3}, {}, OutputWeights::quadratic, true);
      GraphState<double> one(c.setup, data_of(c));
      scatter(one, c);
      run(one, c, sweep(3));
      GraphState<double> other(c.setup, data_of(c));
      other.allocate();
      const auto copy = [](const std::vector<Section>& from, const std::vector<Section>& to) {
        check_equal(from.size(), to.size(), "sections");
        for (std::size_t i = 0; i < from.size(); ++i) {
          check(from[i].name == to[i].name && from[i].bytes.size() == to[i].bytes.size(), "the same section");
          std::ranges::copy(from[i].bytes, to[i].bytes.begin());
        }
      };
      if (!in_between) one.refresh();
      copy(one.sections(), other.sections());
      other.restored();
      if (in_between) {
        copy(one.kept_sections(), other.kept_sections());
        other.kept_restored();
      }
      for (int i = 0; i < 2; ++i) {
        const GraphSweepRecord a = run(one, c, sweep(3));
        const GraphSweepRecord b = run(other, c, sweep(3));
        check_equal(b.measures.lagrangian, a.measures.lagrangian, "L_ρ");
        check_equal(b.updates[3].trials, a.updates[3].trials, "searches begin where the last ones ended");
      }
    }
  });

  fact("steps that wait change nothing: a sweep at once is the sweep update by update", [] {
    for (const OutputWeights output : {OutputWeights::quadratic, OutputWeights::cholesky}) {
      const Case c = make_case({6, 5, 4, 3}, {}, output, true);
      GraphState<double> at_once(c.setup, data_of(c)), one_by_one(c.setup, data_of(c));
      scatter(at_once, c);
      scatter(one_by_one, c);
      for (int i = 0; i < 3; ++i) {
        const GraphSweepRecord whole = run(at_once, c, sweep(3));
        GraphSweepRecord last;
        // Every run ends by measuring, which lets no step wait.
        for (const GraphUpdate& update : sweep(3)) last = run(one_by_one, c, {update});
        check_equal(last.measures.lagrangian, whole.measures.lagrangian, "L_ρ");
      }
      const auto a = at_once.sections(), b = one_by_one.sections();
      for (std::size_t i = 0; i < a.size(); ++i) check(std::ranges::equal(a[i].bytes, b[i].bytes), a[i].name);
    }
  });

  fact("nothing is read or run before the start", [] {
    const Case c = make_case({6, 5, 3}, {}, OutputWeights::quadratic, true);
    GraphState<double> state(c.setup, data_of(c));
    state.allocate();
    GraphMeasures measures;
    std::vector<double> z(state.size_of(GraphBlock::Z, 1));
    check_throws<std::logic_error>([&] { state.measure(c.penalties, measures); }, "measure");
    check_throws<std::logic_error>([&] { run(state, c, sweep(2)); }, "run");
    check_throws<std::logic_error>([&] { state.read(GraphBlock::Z, 1, z); }, "read Z");
    check_throws<std::logic_error>([&] { state.write(GraphBlock::U, 2, std::vector<double>(12)); }, "write U");
    state.start(GraphDual::zero);
    state.read(GraphBlock::Z, 1, z);
  });

  fact("measuring the products changes no block", [] {
    for (const OutputWeights output : {OutputWeights::quadratic, OutputWeights::cholesky}) {
      const Case c = make_case({6, 5, 4, 3}, {}, output, true);
      GraphState<double> state(c.setup, data_of(c));
      scatter(state, c);
      const Twin before(c, state);
      check(state.product_seconds(sweep(3), 2) > 0, "seconds");
      const Twin after(c, state);
      check_equal(after.lagrangian(), before.lagrangian(), "L_ρ by the formula");
      GraphMeasures measures;
      state.measure(c.penalties, measures);
      check_close(measures.lagrangian, before.lagrangian(), 1e-9 * std::abs(before.lagrangian()), "L_ρ of the state");
    }
  });

  fact("a stop comes between two updates; what has run stays", [] {
    const Case c = make_case({6, 5, 3}, {}, OutputWeights::quadratic, true);
    GraphState<double> state(c.setup, data_of(c));
    scatter(state, c);
    const std::atomic<bool> stop{true};
    GraphSweepRecord record;
    state.run(sweep(2), c.penalties, stop, record);
    check(record.stopped && record.completed == 0 && !record.diverged, "stopped at once");
  });

  fact("after a value that is not finite W is what it was", [] {
    const Case c = make_case({6, 5, 3}, {}, OutputWeights::quadratic, true);
    GraphState<double> state(c.setup, data_of(c));
    scatter(state, c);
    const Twin before(c, state);
    Plain z = before.Z[1];
    z.data[3] = std::numeric_limits<double>::infinity();
    write(state, GraphBlock::Z, 1, z);
    const GraphSweepRecord record = run(state, c, sweep(2));
    const Twin after(c, state);
    check(record.diverged && record.completed < sweep(2).size(), "told");
    check(farthest(after.W[0], before.W[0]) == 0 && farthest(after.W[1], before.W[1]) == 0, "W");
  });

  fact("the network is judged on any nodes by its own forward pass over the whole graph", [] {
    const Case c = make_case({6, 5, 4, 3}, {}, OutputWeights::quadratic, true);
    GraphState<double> state(c.setup, data_of(c));
    scatter(state, c);
    const Twin twin(c, state);
    Plain z = c.x;
    for (std::size_t l = 1; l <= 3; ++l) {
      z = times(c.a, times(z, twin.W[l - 1]));
      if (l < 3) z = mapped(z, [&](double x) { return twin.f(x); });
    }
    const std::vector<std::int32_t> nodes{15, 2, 12};
    double loss = 0;
    std::size_t correct = 0;
    for (const std::int32_t node : nodes) {
      const auto i = static_cast<std::size_t>(node);
      const auto label = static_cast<std::size_t>(c.labels[i]);
      double sum = 0;
      bool best = true;
      for (std::size_t j = 0; j < 3; ++j) {
        sum += std::exp(z.at(i, j));
        best = best && z.at(i, j) <= z.at(i, label);
      }
      loss += std::log(sum) - z.at(i, label);
      correct += best ? 1 : 0;
    }
    const ForwardLoss found = state.evaluate(nodes);
    check_close(found.loss, loss, 1e-11, "loss");
    check_equal(found.correct, correct, "correct");
    run(state, c, {{GraphBlock::W, 1}});
    check(state.evaluate(nodes).loss != found.loss, "new weights, new outputs");
  });
}

}  // namespace

int main() {
  propagation<float>();
  propagation<double>();
  row_sets();
  updates_against_formulas();
  kinks();
  whole_sweeps();
  return report();
}
