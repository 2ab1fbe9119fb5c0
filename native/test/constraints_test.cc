// The splitting that keeps all constraints against the formulas of the paper, written out plainly in double: every
// update, in any order, whatever is kept of products and gradients.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#if defined(__GLIBC__)
#include <malloc.h>
#endif

#include "core/constraints/state.hpp"
#include "core/linalg/library.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"
#include "test/plain.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;
using constraints::Block;
using constraints::Majoriser;
using constraints::Penalties;
using constraints::State;
using constraints::SweepRecord;
using constraints::Update;

struct Shape {
  std::vector<std::size_t> widths;
  std::size_t samples;
  unsigned threads;
};

// One layer, widths and samples of one, layers that narrow and that widen, fewer samples than threads, several blocks.
const std::vector<Shape> kShapes{
    {{5, 7, 6, 3}, 23, 2}, {{4, 3}, 11, 3},         {{3, 5, 2}, 2, 5},        {{6, 4, 3}, 1, 2},
    {{1, 1, 1, 1}, 9, 2},  {{2, 3, 9}, 14, 4},      {{4, 8, 3, 5, 2}, 31, 1}, {{1, 2, 1, 1}, 6, 2},
    {{2, 9, 4, 1}, 40, 3}, {{7, 5, 4, 3}, 2600, 2},
};

std::string name_of(const Shape& shape) {
  std::string name;
  for (const std::size_t width : shape.widths) name += text(width, " ");
  return text(name, "of ", shape.samples, " samples, ", shape.threads, " threads");
}

// Algorithm 1
std::vector<Update> standard_sweep(std::size_t N) {
  std::vector<Update> updates;
  for (std::size_t l = N; l >= 1; --l) updates.push_back({Block::W, l});
  for (std::size_t l = 1; l <= N; ++l) updates.push_back({Block::V, l});
  for (std::size_t l = 1; l <= N; ++l) updates.push_back({Block::Lambda, l});
  return updates;
}

// The variables, and the updates as the paper prints them. Vectors are indexed by layer; index 0 is unused but for
// V[0] = X.
struct Plain {
  Network network;
  std::vector<Mat> W, V, Lambda;
  std::vector<std::vector<double>> b;
  Mat Y;

  [[nodiscard]] std::size_t depth() const { return network.layers(); }
  [[nodiscard]] bool linear(std::size_t l) const { return l == depth(); }
  [[nodiscard]] double sigma(std::size_t l, double x) const {
    if (linear(l)) return x;
    return network.activation.kind == ActivationKind::tanh ? std::tanh(x) : 1 / (1 + std::exp(-x));
  }
  [[nodiscard]] double slope(std::size_t l, double x) const {
    if (linear(l)) return 1;
    const double y = sigma(l, x);
    return network.activation.kind == ActivationKind::tanh ? 1 - y * y : y * (1 - y);
  }

  // V_{l-1} with a column of ones
  [[nodiscard]] Mat input(std::size_t l) const {
    Mat in(V[0].rows, W[l].columns + 1);
    for (std::size_t i = 0; i < in.rows; ++i) {
      for (std::size_t k = 0; k < in.columns; ++k) in(i, k) = k < W[l].columns ? V[l - 1](i, k) : 1;
    }
    return in;
  }
  // [W_l b_l]
  [[nodiscard]] Mat joined(std::size_t l) const {
    Mat out(W[l].rows, W[l].columns + 1);
    for (std::size_t j = 0; j < out.rows; ++j) {
      for (std::size_t k = 0; k < W[l].columns; ++k) out(j, k) = W[l](j, k);
      out(j, W[l].columns) = b[l][j];
    }
    return out;
  }
  [[nodiscard]] Mat pre(std::size_t l) const { return times_transposed(input(l), joined(l)); }
  [[nodiscard]] Mat image(std::size_t l) const {
    Mat out = pre(l);
    for (double& value : out.values) value = sigma(l, value);
    return out;
  }
  // B = V_l − Λ_l/β_l
  [[nodiscard]] Mat target(std::size_t l, const Penalties& p) const {
    return minus(V[l], 1 / p.beta[l - 1], Lambda[l]);
  }
  // (Λ_l + β_l (σ(P) − V_l)) ∘ σ'(P)
  [[nodiscard]] Mat weighted(std::size_t l, const Penalties& p) const {
    const Mat at = pre(l);
    Mat out(at.rows, at.columns);
    for (std::size_t i = 0; i < at.values.size(); ++i) {
      const double x = at.values[i];
      out.values[i] = (Lambda[l].values[i] + p.beta[l - 1] * (sigma(l, x) - V[l].values[i])) * slope(l, x);
    }
    return out;
  }
  [[nodiscard]] double curvature(std::size_t l, const Penalties& p) const {
    if (linear(l)) return 2;
    double largest = 0;
    for (const double value : target(l, p).values) largest = std::max(largest, std::abs(value));
    if (p.majoriser == Majoriser::largest) return largest;
    if (network.activation.kind == ActivationKind::sigmoid) return 0.625 + 0.5 * largest;
    return 2 + 2 * 4 / (3 * std::sqrt(3.0)) * (1 + largest);
  }

  // X with X H = R
  static Mat solved(const Mat& h, const Mat& right) {
    Mat out = right;
    for (std::size_t i = 0; i < right.rows; ++i) {
      Mat system(h.rows, h.rows + 1);
      for (std::size_t j = 0; j < h.rows; ++j) {
        for (std::size_t k = 0; k < h.rows; ++k) system(j, k) = h(k, j);
        system(j, h.rows) = right(i, j);
      }
      const std::vector<double> x = test::Plain::eliminate(system);
      std::copy(x.begin(), x.end(), &out(i, 0));
    }
    return out;
  }

  // (50), (51)
  void update_W(std::size_t l, const Penalties& p) {
    const Mat A = input(l);
    const double c = p.beta[l - 1] * curvature(l, p) / 2;
    Mat right = minus(pre(l), 1 / c, weighted(l, p));
    for (double& value : right.values) value *= c;
    Mat h = transposed_times(A, A);
    for (std::size_t i = 0; i < h.rows; ++i) {
      for (std::size_t j = 0; j < h.rows; ++j) h(i, j) = c * h(i, j) + (i == j ? p.lambda[l - 1] : 0);
    }
    const Mat found = solved(h, transposed_times(right, A));
    for (std::size_t j = 0; j < found.rows; ++j) {
      for (std::size_t k = 0; k < W[l].columns; ++k) W[l](j, k) = found(j, k);
      b[l][j] = found(j, W[l].columns);
    }
  }

  // (56), (57) and V_N
  void update_V(std::size_t l, const Penalties& p) {
    const Mat S = image(l);
    const double beta = p.beta[l - 1];
    if (linear(l)) {
      for (std::size_t i = 0; i < S.values.size(); ++i) {
        V[l].values[i] = (Y.values[i] + Lambda[l].values[i] + beta * S.values[i]) / (1 + beta);
      }
      return;
    }
    const Mat& M = W[l + 1];
    const double c = p.beta[l] * curvature(l + 1, p) / 2;
    const Mat gram = transposed_times(M, M);
    Mat right = minus(times(V[l], gram), 1 / c, times(weighted(l + 1, p), M));
    for (std::size_t i = 0; i < right.values.size(); ++i) {
      right.values[i] = c * right.values[i] + Lambda[l].values[i] + beta * S.values[i];
    }
    Mat h = gram;
    for (std::size_t i = 0; i < h.rows; ++i) {
      for (std::size_t j = 0; j < h.rows; ++j) h(i, j) = c * h(i, j) + (i == j ? beta : 0);
    }
    V[l] = solved(h, right);
  }

  void update_Lambda(std::size_t l, const Penalties& p) {
    Lambda[l] = minus(Lambda[l], -p.beta[l - 1], minus(image(l), 1, V[l]));
  }

  void update(const Update& which, const Penalties& p) {
    if (which.block == Block::W) update_W(which.layer, p);
    if (which.block == Block::V) update_V(which.layer, p);
    if (which.block == Block::Lambda) update_Lambda(which.layer, p);
  }

  [[nodiscard]] double lagrangian(const Penalties& p) const {
    double sum = square_norm(minus(V[depth()], 1, Y)) / 2;
    for (std::size_t l = 1; l <= depth(); ++l) {
      const Mat miss = minus(image(l), 1, V[l]);
      sum += p.lambda[l - 1] / 2 * square_norm(joined(l)) + p.beta[l - 1] / 2 * square_norm(miss);
      for (std::size_t i = 0; i < miss.values.size(); ++i) sum += Lambda[l].values[i] * miss.values[i];
    }
    return sum;
  }
};

struct Variant {
  ActivationKind kind = ActivationKind::sigmoid;
  Majoriser majoriser = Majoriser::bound;
  bool labels = false;
  double lambda = 0.3;
};

template <typename T>
struct Pair {
  std::unique_ptr<State<T>> state;
  Plain plain;
  Penalties penalties;

  Pair(const Shape& shape, const Variant& variant, Random& random) {
    constraints::Setup setup;
    const LossKind loss = variant.labels ? LossKind::one_hot_squared_error : LossKind::squared_error;
    setup.network = {shape.widths, {0, variant.kind}, {loss, Softmax::stable}};
    setup.samples = shape.samples;
    setup.threads = shape.threads;
    state = std::make_unique<State<T>>(setup);
    plain.network = setup.network;
    const std::size_t N = plain.depth();
    for (std::size_t l = 1; l <= N; ++l) {
      penalties.lambda.push_back(variant.lambda * static_cast<double>(l));  // of another size in every layer
    }
    penalties.majoriser = variant.majoriser;
    for (std::size_t l = 1; l <= N; ++l) penalties.beta.push_back(random.uniform(0.5, 2));

    const auto mat = [&](std::size_t rows, std::size_t columns, double scale) {
      Mat m(rows, columns);
      for (double& value : m.values) value = static_cast<double>(static_cast<T>(scale * random.normal()));
      return m;
    };
    plain.V.push_back(mat(shape.samples, shape.widths.front(), 1));
    put(plain.V[0], state->input());
    plain.Y = mat(shape.samples, shape.widths.back(), 1);
    if (variant.labels) {
      for (std::size_t i = 0; i < shape.samples; ++i) {
        const std::size_t label = random.below(shape.widths.back());
        state->labels()[i] = static_cast<std::int32_t>(label);
        for (std::size_t j = 0; j < plain.Y.columns; ++j) plain.Y(i, j) = j == label ? 1 : 0;
      }
    } else {
      put(plain.Y, state->target_values());
    }
    plain.W.emplace_back();
    plain.b.emplace_back();
    for (std::size_t l = 1; l <= N; ++l) {
      plain.W.push_back(mat(shape.widths[l], shape.widths[l - 1], 1));
      plain.b.push_back(mat(1, shape.widths[l], 1).values);
      write(Block::W, l, plain.W[l].values);
      write(Block::b, l, plain.b[l]);
    }
    state->start();
    plain.Lambda.emplace_back();
    for (std::size_t l = 1; l <= N; ++l) {
      plain.V.push_back(plain.image(l));
      plain.Lambda.emplace_back(shape.samples, shape.widths[l]);
    }
  }

  static void put(const Mat& from, MatrixView<T> to) {
    std::transform(from.values.begin(), from.values.end(), to.data, [](double x) { return static_cast<T>(x); });
  }
  void write(Block block, std::size_t l, const std::vector<double>& values) {
    const std::vector<T> typed(values.begin(), values.end());
    state->write(block, l, typed);
  }

  // V and Λ of one's own, off the constraints.
  void scatter(Random& random) {
    for (std::size_t l = 1; l <= plain.depth(); ++l) {
      for (Mat* const m : {&plain.V[l], &plain.Lambda[l]}) {
        for (double& value : m->values) value = static_cast<double>(static_cast<T>(random.normal()));
      }
      write(Block::V, l, plain.V[l].values);
      write(Block::Lambda, l, plain.Lambda[l].values);
    }
  }

  [[nodiscard]] std::vector<T> read(Block block, std::size_t l) {
    std::vector<T> out(state->size_of(block, l));
    state->read(block, l, out);
    return out;
  }

  void compare(double tolerance, const std::string& what) {
    const auto near = [&](Block block, std::size_t l, const std::vector<double>& expected, const char* name) {
      const std::vector<T> got = read(block, l);
      double largest = 1;
      for (const double value : expected) largest = std::max(largest, std::abs(value));
      double off = 0;
      for (std::size_t i = 0; i < got.size(); ++i) {
        const double distance = std::abs(static_cast<double>(got[i]) - expected[i]);
        if (!(distance <= off)) off = distance;
      }
      check_at_most(off, tolerance * largest, text(name, l, " ", what));
    };
    for (std::size_t l = 1; l <= plain.depth(); ++l) {
      near(Block::W, l, plain.W[l].values, "W");
      near(Block::b, l, plain.b[l], "b");
      near(Block::V, l, plain.V[l].values, "V");
      near(Block::Lambda, l, plain.Lambda[l].values, "Lambda");
    }
  }

  SweepRecord run(const std::vector<Update>& updates) {
    const std::atomic<bool> stop{false};
    SweepRecord record;
    state->run(updates, penalties, stop, record);
    return record;
  }
};

template <typename T>
constexpr double kTolerance = std::is_same_v<T, double> ? 1e-9 : 3e-3;

const std::vector<Variant> kVariants{{},
                                     {ActivationKind::tanh},
                                     {ActivationKind::sigmoid, Majoriser::largest},
                                     {ActivationKind::sigmoid, Majoriser::bound, true}};

template <typename T>
void each_pair(std::uint64_t seed, const std::function<void(Pair<T>&, Random&, const std::string&)>& body) {
  Random random(seed);
  for (const Shape& shape : kShapes) {
    for (const Variant& variant : kVariants) {
      Pair<T> pair(shape, variant, random);
      body(pair, random, text(name_of(shape), " variant ", &variant - kVariants.data()));
    }
  }
}

template <typename T>
void every_update_is_the_papers() {
  each_pair<T>(1, [](Pair<T>& pair, Random& random, const std::string& name) {
    for (const Update& update : standard_sweep(pair.plain.depth())) {
      pair.scatter(random);
      const SweepRecord record = pair.run({update});
      check(!record.diverged && record.completed == 1, name);
      pair.plain.update(update, pair.penalties);
      pair.compare(kTolerance<T>, name);
      // The next one starts from where this one is, to the last digit.
      for (std::size_t l = 1; l <= pair.plain.depth(); ++l) {
        pair.write(Block::W, l, pair.plain.W[l].values);
        pair.write(Block::b, l, pair.plain.b[l]);
      }
    }
  });
}

template <typename T>
void standard_sweeps_follow() {
  each_pair<T>(2, [](Pair<T>& pair, Random&, const std::string& name) {
    for (int sweep = 0; sweep < 3; ++sweep) {
      pair.run(standard_sweep(pair.plain.depth()));
      for (const Update& update : standard_sweep(pair.plain.depth())) pair.plain.update(update, pair.penalties);
    }
    pair.compare(100 * kTolerance<T>, name);
  });
}

// What is known of gradients, Gram matrices and images goes stale in as many ways as there are orders.
void any_order_follows() {
  each_pair<double>(3, [](Pair<double>& pair, Random& random, const std::string& name) {
    std::vector<Update> updates = standard_sweep(pair.plain.depth());
    for (int round = 0; round < 3; ++round) {
      std::vector<Update> order;
      for (std::size_t i = 0; i < updates.size(); ++i) order.push_back(updates[random.below(updates.size())]);
      pair.run(order);
      for (const Update& update : order) pair.plain.update(update, pair.penalties);
      // Λ may grow without end under updates that leave other blocks out.
      pair.compare(1e-7, text(name, " round ", round));
    }
  });
}

// By central differences of the Lagrangian.
void measures_are_the_gradient() {
  Random random(4);
  for (const Shape& shape : {Shape{{3, 4, 2}, 5, 2}, Shape{{2, 2, 3, 2}, 4, 1}, Shape{{2, 1}, 3, 2}}) {
    for (const Variant& variant : kVariants) {
      Pair<double> pair(shape, variant, random);
      pair.scatter(random);
      constraints::Measures m;
      pair.state->measure(pair.penalties, m);
      Plain& plain = pair.plain;
      const auto slope_norm = [&](std::vector<double>& values) {
        double sum = 0;
        for (double& value : values) {
          const double kept = value;
          const double step = 1e-5;
          value = kept + step;
          const double above = plain.lagrangian(pair.penalties);
          value = kept - step;
          const double below = plain.lagrangian(pair.penalties);
          value = kept;
          sum += (above - below) / (2 * step) * (above - below) / (2 * step);
        }
        return sum;
      };
      const std::string name = name_of(shape);
      check_close(m.lagrangian, plain.lagrangian(pair.penalties), 1e-10 * std::abs(m.lagrangian), "L of " + name);
      double all = 0;
      for (std::size_t l = 1; l <= plain.depth(); ++l) {
        const double w = slope_norm(plain.W[l].values) + slope_norm(plain.b[l]);
        const double v = slope_norm(plain.V[l].values);
        const double dual = slope_norm(plain.Lambda[l].values);
        check_close(m.stationary_W[l - 1], w, 1e-6 * (1 + w), text("dL/dW", l, " of ", name));
        check_close(m.stationary_V[l - 1], v, 1e-6 * (1 + v), text("dL/dV", l, " of ", name));
        check_close(m.residual[l - 1], dual, 1e-6 * (1 + dual), text("dL/dLambda", l, " of ", name));
        all += w + v + dual;
      }
      check_close(m.kkt, all, 1e-6 * (1 + all), "the whole gradient of " + name);
      check_close(m.loss, square_norm(minus(plain.V.back(), 1, plain.Y)) / 2, 1e-10 * (1 + m.loss), "loss of " + name);
    }
  }
}

// The bound lies above (σ(x) − B)², and for |B| up to a half its published stand-in does so for the sigmoid.
void the_model_lies_above() {
  Random random(5);
  for (const ActivationKind kind : {ActivationKind::sigmoid, ActivationKind::tanh}) {
    for (int i = 0; i < 20000; ++i) {
      const double x0 = random.uniform(-6, 6);
      const double x = random.uniform(-8, 8);
      const double B = random.uniform(-4, 4);
      const auto f = [&](double at) { return kind == ActivationKind::tanh ? std::tanh(at) : 1 / (1 + std::exp(-at)); };
      const double y = f(x0);
      const double slope = kind == ActivationKind::tanh ? 1 - y * y : y * (1 - y);
      const double h = constraints::curvature_bound(kind, std::abs(B));
      const double model = (y - B) * (y - B) / 2 + (y - B) * slope * (x - x0) + h / 4 * (x - x0) * (x - x0);
      check_at_most((f(x) - B) * (f(x) - B) / 2, model + 1e-12, "the function lies below its model");
    }
  }
  check_close(constraints::curvature_bound(ActivationKind::sigmoid, 1), 1.125, 1e-15, "0.625 + 0.5 c");
  check_close(constraints::curvature_bound(ActivationKind::tanh, 0), 2 + 8 / (3 * std::sqrt(3.0)), 1e-15,
              "2 + 1.54 (1 + c)");
}

// Λ_N = V_N − Y and Λ_{N-1} = W_Nᵀ Λ_N + β_N W_Nᵀ (V_N − V_N before), sample by sample (Lemma 8).
void lemma_8_holds() {
  each_pair<double>(6, [](Pair<double>& pair, Random&, const std::string& name) {
    const std::size_t N = pair.plain.depth();
    const std::size_t n = pair.plain.network.widths.back();
    const std::size_t samples = pair.plain.V[0].rows;
    for (int sweep = 0; sweep < 5; ++sweep) {
      const std::vector<double> before = pair.read(Block::V, N);
      const SweepRecord record = pair.run(standard_sweep(N));
      const std::vector<double> V = pair.read(Block::V, N);
      const std::vector<double> dual = pair.read(Block::Lambda, N);
      double largest = 1;
      double off = 0;
      for (std::size_t i = 0; i < V.size(); ++i) {
        largest = std::max({largest, std::abs(V[i]), std::abs(before[i])});
        off = std::max(off, std::abs(dual[i] - (V[i] - pair.plain.Y.values[i])));
      }
      check_at_most(off, 1e-14 * largest, "first identity " + name);
      check_close(record.measures.dual_identity, off, 1e-14 * largest, "as reported " + name);
      if (N == 1) continue;
      const std::vector<double> W = pair.read(Block::W, N);
      const std::vector<double> below = pair.read(Block::Lambda, N - 1);
      const std::size_t width = pair.plain.network.widths[N - 1];
      double miss = 0;
      double size = 1;
      for (std::size_t i = 0; i < samples; ++i) {
        for (std::size_t k = 0; k < width; ++k) {
          double sum = 0;
          for (std::size_t j = 0; j < n; ++j) {
            const std::size_t at = i * n + j;
            sum += W[j * width + k] * (dual[at] + pair.penalties.beta[N - 1] * (V[at] - before[at]));
          }
          size = std::max(size, std::abs(sum));
          miss = std::max(miss, std::abs(below[i * width + k] - sum));
        }
      }
      check_at_most(miss, 1e-12 * size * largest, "second identity " + name);
    }
  });
}

void counts_its_products() {
  Random random(7);
  for (const Shape& shape : {Shape{{5, 6, 6, 6, 6}, 50, 2}, Shape{{5, 7, 3}, 20, 1}, Shape{{4, 2}, 9, 1}}) {
    Pair<double> pair(shape, {}, random);
    const std::size_t N = pair.plain.depth();
    pair.run(standard_sweep(N));
    const SweepRecord record = pair.run(standard_sweep(N));
    const std::string name = name_of(shape);
    // Each layer's gradient, its image for new W and for new V_{l-1}, its share of V_{l-1} and of the gradient there.
    const std::size_t narrowing = shape.widths.size() == 3 ? 1 : 0;
    check_equal(record.work.gradient, N, "gradients " + name);
    check_equal(record.work.image, 2 * N - 1 + narrowing, "images " + name);
    check_equal(record.work.back, 2 * (N - 1), "back " + name);
    check_equal(record.work.gram, N - 1, "Gram matrices " + name);
    check_equal(record.work.solve, N - 1, "solves " + name);
    check_equal(record.work.factor, 2 * N - 1, "factors " + name);
    check(record.work.flops > 0, "flops");
  }
}

void stops_between_updates() {
  Random random(8);
  Pair<double> pair({{3, 4, 2}, 6, 2}, {}, random);
  const std::atomic<bool> stop{true};
  SweepRecord record;
  pair.state->run(standard_sweep(2), pair.penalties, stop, record);
  check(record.stopped && record.completed == 0 && !record.diverged, "at once");
  pair.compare(1e-15, "nothing has changed");
}

void divergence_restores_W_and_b() {
  Random random(9);
  Pair<double> pair({{3, 4, 2}, 6, 2}, {}, random);
  pair.write(Block::V, 2, std::vector<double>(12, 1e200));
  const SweepRecord record = pair.run(standard_sweep(2));
  check(record.diverged, "1e200 squared is not finite");
  for (std::size_t l = 1; l <= 2; ++l) {
    check(pair.read(Block::W, l) == pair.plain.W[l].values, "W is what it was");
    check(pair.read(Block::b, l) == pair.plain.b[l], "b is what it was");
  }
}

// Whatever the weights and the targets are, what comes out is finite or called a divergence.
template <typename T>
void hard_starts_stay_finite() {
  Random random(10);
  for (const Shape& shape : kShapes) {
    for (const double scale : {0.0, 100.0, 1e4}) {
      for (const double lambda : {0.0, 1e-6}) {
        for (const Majoriser majoriser : {Majoriser::bound, Majoriser::largest}) {
          Pair<T> pair(shape, {ActivationKind::sigmoid, majoriser, false, lambda}, random);
          for (std::size_t l = 1; l <= pair.plain.depth(); ++l) {
            std::vector<double> W = pair.plain.W[l].values;
            for (double& value : W) value *= scale;
            pair.write(Block::W, l, W);
          }
          std::fill_n(pair.state->target_values().data, shape.samples * shape.widths.back(), T(0.5));
          pair.state->start();
          for (int sweep = 0; sweep < 4; ++sweep) {
            if (pair.run(standard_sweep(pair.plain.depth())).diverged) break;
          }
          for (std::size_t l = 1; l <= pair.plain.depth(); ++l) {
            for (const T value : pair.read(Block::W, l)) check(std::isfinite(value), name_of(shape));
          }
        }
      }
    }
  }
}

template <typename T>
void the_same_bits_for_any_number_of_threads() {
  share_rounds_of(0);
  for (const std::size_t samples : {5, 300, 2600}) {
    const auto outcome = [&](unsigned threads) {
      Random random(11);
      Pair<T> pair({{7, 150, 140, 3}, samples, threads}, {}, random);
      std::vector<double> all;
      for (int sweep = 0; sweep < 2; ++sweep) {
        const SweepRecord record = pair.run(standard_sweep(3));
        all.insert(all.end(), {record.measures.lagrangian, record.measures.kkt, record.measures.dual_identity});
        for (const auto& it : record.updates) all.push_back(it.step_norm);
      }
      for (const Block block : {Block::W, Block::b, Block::V, Block::Lambda}) {
        for (std::size_t l = 1; l <= 3; ++l) {
          const std::vector<T> part = pair.read(block, l);
          all.insert(all.end(), part.begin(), part.end());
        }
      }
      return all;
    };
    const auto alone = outcome(1);
    for (const unsigned threads : {1, 2, 3, 5, 8}) {
      check(outcome(threads) == alone, text(samples, " samples, ", threads, " threads"));
    }
  }
  share_rounds_of(1e6);
}

void evaluates_the_network_itself() {
  Random random(12);
  Pair<double> pair({{3, 4, 2}, 6, 2}, {ActivationKind::sigmoid, Majoriser::bound, true}, random);
  const Mat hidden = pair.plain.image(1);
  pair.plain.V[1] = hidden;
  const Mat outputs = pair.plain.image(2);
  const ForwardLoss found = pair.state->evaluate_training();
  check_close(found.loss, square_norm(minus(outputs, 1, pair.plain.Y)) / 2, 1e-12, "½‖z − y‖²");
  std::size_t correct = 0;
  for (std::size_t i = 0; i < 6; ++i) correct += (outputs(i, 0) >= outputs(i, 1)) == (pair.plain.Y(i, 0) == 1);
  check_equal(found.correct, correct, "the larger output");
}

void other_penalties_count_at_once() {
  Random random(13);
  Pair<double> pair({{3, 4, 5, 2}, 12, 2}, {}, random);
  for (const double beta : {1.0, 0.1, 7.0}) {
    pair.penalties.beta.assign(3, beta);
    pair.penalties.lambda.assign(3, beta / 10);
    pair.run(standard_sweep(3));
    for (const Update& update : standard_sweep(3)) pair.plain.update(update, pair.penalties);
    pair.compare(1e-9, text("beta ", beta));
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
  for (const LossKind loss : {LossKind::squared_error, LossKind::one_hot_squared_error}) {
    for (const Shape& shape :
         {Shape{{30, 50, 40, 10}, 6000, 2}, Shape{{400, 300, 20}, 300, 2}, Shape{{300, 3}, 64, 4}}) {
      constraints::Setup setup;
      setup.network = {shape.widths, {0, ActivationKind::sigmoid}, {loss, Softmax::stable}};
      setup.samples = shape.samples;
      setup.threads = shape.threads;
      const double before = in_use();
      const State<float> state(setup);
      const double taken = in_use() - before;
      check_close(State<float>::required_bytes(setup), taken, 0.02 * taken + 2e4, text("bytes for ", name_of(shape)));
    }
  }
#endif
}

// The sigmoid and the hyperbolic tangent of loops against those of the C library.
template <typename T>
void the_functions_are_the_c_librarys() {
  const double eps = std::numeric_limits<T>::epsilon();
  for (double x = -120; x <= 120; x += 0.0037) {
    const auto at = static_cast<T>(x);
    const auto wide = static_cast<double>(at);
    check_close(static_cast<double>(sigmoid(at)), 1 / (1 + std::exp(-wide)), eps, text("sigmoid of ", wide));
    check_close(static_cast<double>(hyperbolic_tangent(at)), std::tanh(wide), 2 * eps, text("tanh of ", wide));
  }
  const T infinity = std::numeric_limits<T>::infinity();
  check_equal(sigmoid(infinity), T(1), "sigmoid of infinity");
  check_at_most(static_cast<double>(sigmoid(-infinity)), 1e-30, "sigmoid of minus infinity");
  check_equal(hyperbolic_tangent(infinity), T(1), "tanh of infinity");
  check_equal(hyperbolic_tangent(-infinity), T(-1), "tanh of minus infinity");
  const T nothing = std::numeric_limits<T>::quiet_NaN();
  check(std::isnan(sigmoid(nothing)) && std::isnan(hyperbolic_tangent(nothing)), "NaN stays NaN");
  for (const T x : {T(-2), T(0.3), T(1.5)}) {
    const double step = 1e-5;
    const double at = static_cast<double>(x);
    const double s = 1 / (1 + std::exp(-(at + step))) - 1 / (1 + std::exp(-(at - step)));
    check_close(static_cast<double>(Sigmoid<T>{}.derivative(sigmoid(x))), s / (2 * step), 1e-6, "sigmoid'");
    const double t = std::tanh(at + step) - std::tanh(at - step);
    check_close(static_cast<double>(Tanh<T>{}.derivative(hyperbolic_tangent(x))), t / (2 * step), 1e-6, "tanh'");
  }
}

}  // namespace

int main() {
  blas::set_own_threads(1);
  fact("float: the functions are the C library's", the_functions_are_the_c_librarys<float>);
  fact("double: the functions are the C library's", the_functions_are_the_c_librarys<double>);
  fact("the model lies above", the_model_lies_above);
  fact("float: every update is the paper's", every_update_is_the_papers<float>);
  fact("double: every update is the paper's", every_update_is_the_papers<double>);
  fact("float: standard sweeps follow", standard_sweeps_follow<float>);
  fact("double: standard sweeps follow", standard_sweeps_follow<double>);
  fact("any order follows", any_order_follows);
  fact("measures are the gradient", measures_are_the_gradient);
  fact("Lemma 8 holds", lemma_8_holds);
  fact("counts its products", counts_its_products);
  fact("stops between updates", stops_between_updates);
  fact("divergence restores W and b", divergence_restores_W_and_b);
  fact("float: hard starts stay finite", hard_starts_stay_finite<float>);
  fact("double: hard starts stay finite", hard_starts_stay_finite<double>);
  fact("float: the same bits for any number of threads", the_same_bits_for_any_number_of_threads<float>);
  fact("double: the same bits for any number of threads", the_same_bits_for_any_number_of_threads<double>);
  fact("evaluates the network itself", evaluates_the_network_itself);
  fact("other penalties count at once", other_penalties_count_at_once);
  fact("required_bytes is what it takes", required_bytes_is_what_it_takes);
  return report();
}
