// A state that was written out and taken up again in another one goes on to the same bits as one that never stopped.
#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/consensus/trainer.hpp"
#include "core/constraints/state.hpp"
#include "core/layered/state.hpp"
#include "test/check.hpp"
#include "test/numbers.hpp"

namespace {

using namespace dladmm;
using namespace dladmm::test;

const std::atomic<bool> kGo{false};

using Bytes = std::map<std::string, std::vector<std::byte>>;

void take(const std::vector<Section>& sections, Bytes& out) {
  for (const Section& it : sections) out[it.name].assign(it.bytes.begin(), it.bytes.end());
}

void give(const std::vector<Section>& sections, const Bytes& from) {
  for (const Section& it : sections) {
    const auto& bytes = from.at(it.name);
    check_equal(bytes.size(), it.bytes.size(), it.name);
    std::copy(bytes.begin(), bytes.end(), it.bytes.begin());
  }
}

template <typename State>
Bytes bytes_of_state(State& state) {
  Bytes out;
  take(state.sections(), out);
  if constexpr (requires { state.kept_sections(); }) take(state.kept_sections(), out);
  return out;
}

template <typename State>
void check_same(State& a, State& b, const std::string& what) {
  const Bytes expected = bytes_of_state(a);
  for (const auto& [name, bytes] : bytes_of_state(b)) check(bytes == expected.at(name), what + ": " + name);
}

template <typename T, typename State>
void fill_samples(State& state, const Network& net) {
  Random random(3);
  fill_normal<T>(state.input(), random);
  const std::size_t classes = net.loss.classes(net.widths.back());
  for (auto& label : state.labels()) label = static_cast<std::int32_t>(random.below(classes));
  if (!net.loss.classifies()) fill_normal<T>(state.target_values(), random);
}

std::vector<Update> dladmm_sweep(std::size_t L) {
  std::vector<Update> out{{Block::z, L}, {Block::b, L}, {Block::W, L}};
  for (std::size_t l = L - 1; l >= 1; --l) {
    out.insert(out.end(), {{Block::a, l}, {Block::z, l}, {Block::b, l}, {Block::W, l}});
  }
  for (std::size_t l = 1; l < L; ++l) {
    out.insert(out.end(), {{Block::W, l}, {Block::b, l}, {Block::z, l}, {Block::a, l}});
  }
  out.insert(out.end(), {{Block::W, L}, {Block::b, L}, {Block::z, L}, {Block::u, L}});
  return out;
}

struct Variant {
  std::string name;
  std::vector<std::size_t> widths = {6, 9, 7, 3};
  std::size_t samples = 61;
  unsigned threads = 2;
  bool gram = false;
  bool fista = false;
  double l2 = 0;
  bool joint_bias = false;
  Multiplier multiplier = Multiplier::residual;
  Steps steps = {};
  LossKind loss = LossKind::softmax_cross_entropy;
  // A sweep that leaves something alone: what was known of it before has to be known after.
  bool partial = false;
};

template <typename T>
std::unique_ptr<LayeredState<T>> layered_state(const Variant& v) {
  LayeredSetup setup;
  setup.network.widths = v.widths;
  setup.network.loss.kind = v.loss;
  setup.samples = v.samples;
  setup.threads = v.threads;
  setup.gram = v.gram;
  setup.fista = v.fista;
  setup.joint_bias = v.joint_bias;
  setup.multiplier = v.multiplier;
  setup.steps = v.steps;
  auto state = std::make_unique<LayeredState<T>>(setup);
  fill_samples<T>(*state, setup.network);
  return state;
}

template <typename T>
void layered(const Variant& v, bool after_refresh) {
  const std::string name = text(v.name, " in ", type_name<T>(), after_refresh ? ", after a refresh" : ", in between");
  fact("the layered splitting goes on: " + name, [&] {
    Penalties p;
    p.nu = p.rho = p.gamma = 0.8;
    p.l2 = v.l2;
    p.theta0 = p.tau0 = 1e-3;
    p.output = v.fista ? OutputSolver::fista : OutputSolver::exact;
    std::vector<Update> updates = dladmm_sweep(v.widths.size() - 1);
    if (v.partial) std::erase_if(updates, [](const Update& u) { return u.layer == 1 || u.block == Block::u; });
    auto first = layered_state<T>(v);
    Random random(5);
    for (std::size_t l = 1; l < v.widths.size(); ++l) {
      first->write(Block::W, l, normals<T>(first->size_of(Block::W, l), random, 0.4));
    }
    first->start({});
    SweepRecord record, other;
    for (int i = 0; i < 3; ++i) first->run(updates, p, kGo, record);
    check(!record.diverged, "the run is a healthy one");
    if (after_refresh) first->refresh();

    Bytes stored;
    take(first->sections(), stored);
    if (!after_refresh) take(first->kept_sections(), stored);
    auto second = layered_state<T>(v);
    give(second->sections(), stored);
    second->restored();
    if (!after_refresh) {
      give(second->kept_sections(), stored);
      second->kept_restored();
    }
    for (int i = 0; i < 3; ++i) {
      first->run(updates, p, kGo, record);
      second->run(updates, p, kGo, other);
      check_equal(other.measures.lagrangian, record.measures.lagrangian, "augmented Lagrangian");
      check(other.measures.residual == record.measures.residual, "residuals");
      check(other.measures.activation == record.measures.activation, "activation residuals");
      check_equal(other.measures.dual_norm, record.measures.dual_norm, "norm of u");
    }
    check_same(*first, *second, name);
  });
}

template <typename T>
void constraints_state(unsigned threads, LossKind loss) {
  const std::string name = text(type_name<T>(), ", ", threads, " threads, loss ", static_cast<int>(loss));
  fact("the splitting with all constraints goes on: " + name, [&] {
    constraints::Setup setup;
    setup.network.widths = {5, 8, 6, 3};
    setup.network.activation.kind = ActivationKind::sigmoid;
    setup.network.loss.kind = loss;
    setup.samples = 53;
    setup.threads = threads;
    constraints::Penalties p;
    p.lambda = {1e-3, 1e-3, 1e-3};
    p.beta = {1, 2, 3};
    std::vector<constraints::Update> updates;
    using CB = constraints::Block;
    for (std::size_t l = 3; l >= 1; --l) updates.push_back({CB::W, l});
    for (std::size_t l = 1; l <= 3; ++l) updates.push_back({CB::V, l});
    for (std::size_t l = 1; l <= 3; ++l) updates.push_back({CB::Lambda, l});

    constraints::State<T> first(setup), second(setup);
    fill_samples<T>(first, setup.network);
    fill_samples<T>(second, setup.network);
    Random random(5);
    for (std::size_t l = 1; l <= 3; ++l) first.write(CB::W, l, normals<T>(first.size_of(CB::W, l), random));
    first.start();
    constraints::SweepRecord record, other;
    for (int i = 0; i < 3; ++i) first.run(updates, p, kGo, record);
    check(!record.diverged, "the run is a healthy one");
    Bytes stored;
    take(first.sections(), stored);
    give(second.sections(), stored);
    second.restored();
    constraints::Measures measures;
    second.measure(p, measures);
    check_equal(measures.lagrangian, record.measures.lagrangian, "augmented Lagrangian as it was left");
    for (int i = 0; i < 3; ++i) {
      first.run(updates, p, kGo, record);
      second.run(updates, p, kGo, other);
      check_equal(other.measures.lagrangian, record.measures.lagrangian, "augmented Lagrangian");
      check_equal(other.measures.kkt, record.measures.kkt, "KKT");
      check_equal(other.work.flops, record.work.flops, "work");
    }
    check_same(first, second, name);
  });
}

TrainerSetup trainer_setup(const Optimiser& optimiser, bool shuffle) {
  TrainerSetup setup;
  setup.network.widths = {4, 6, 3};
  setup.samples = 37;
  setup.batch = 8;
  setup.threads = 2;
  setup.shuffle = shuffle;
  setup.seed = 9;
  setup.optimiser = optimiser;
  return setup;
}

template <typename T>
void trainer(const Optimiser& optimiser, bool shuffle) {
  const std::string name = text(type_name<T>(), ", method ", optimiser.index(), shuffle ? ", shuffled" : "");
  fact("a training by gradients goes on, in the middle of an epoch too: " + name, [&] {
    const TrainerSetup setup = trainer_setup(optimiser, shuffle);
    const std::vector<double> rate{0.05};
    Trainer<T> first(setup), second(setup);
    fill_samples<T>(first, setup.network);
    fill_samples<T>(second, setup.network);
    Random random(5);
    for (T& w : first.weights(1)) w = static_cast<T>(random.normal());
    for (T& w : first.weights(2)) w = static_cast<T>(random.normal());
    StepsRecord record, other;
    first.run(8, rate, kGo, record);
    Bytes stored;
    take(first.sections(), stored);
    give(second.sections(), stored);
    second.restored();
    first.run(11, rate, kGo, record);
    second.run(11, rate, kGo, other);
    check(!record.diverged, "the run is a healthy one");
    check_equal(other.loss, record.loss, "loss");
    check_same(first, second, name);
  });
}

void damage() {
  fact("an order that would lead out of the samples is refused, and forgotten", [] {
    const TrainerSetup setup = trainer_setup(Sgd{}, true);
    for (const std::uint32_t entry : {37U, 0xffffffffU, 3U}) {
      Trainer<float> state(setup);
      fill_samples<float>(state, setup.network);
      for (const Section& it : state.sections()) {
        if (it.name == "order") std::memcpy(it.bytes.data() + 8, &entry, sizeof(entry));
      }
      if (entry == 3) {
        for (const Section& it : state.sections()) {
          if (it.name == "order") std::memcpy(it.bytes.data() + 4, &entry, sizeof(entry));
        }
      }
      check_throws<std::domain_error>([&] { state.restored(); }, text("entry ", entry));
      StepsRecord record;
      const std::vector<double> rate{0.1};
      state.run(5, rate, kGo, record);
      check_equal(record.steps, 5U, "steps");
    }
  });
  fact("where order and place are none, both are forgotten", [] {
    Trainer<float> state(trainer_setup(Sgd{}, true));
    fill_samples<float>(state, state.setup().network);
    for (const Section& it : state.sections()) {
      if (it.name == "order" || it.name == "batch") std::fill(it.bytes.begin(), it.bytes.end(), std::byte{0x7f});
    }
    check_throws<std::domain_error>([&] { state.restored(); }, "rubbish");
    StepsRecord record;
    const std::vector<double> rate{0.1};
    state.run(5, rate, kGo, record);
    check_equal(record.steps, 5U, "steps");
  });
  fact("a place past the end of the epoch is refused", [] {
    Trainer<float> state(trainer_setup(Sgd{}, true));
    for (const Section& it : state.sections()) {
      const std::uint64_t place = 5;
      if (it.name == "batch") std::memcpy(it.bytes.data(), &place, sizeof(place));
    }
    check_throws<std::domain_error>([&] { state.restored(); }, "batch 5 of 5");
  });
}

template <typename T>
void all() {
  const Steps exact{{StepKind::cholesky, StepKind::inverse, StepKind::cholesky},
                    {StepKind::cholesky, StepKind::inverse}};
  const Steps mixed{{StepKind::quadratic, StepKind::cholesky, StepKind::pseudoinverse},
                    {StepKind::cholesky, StepKind::quadratic}};
  std::vector<Variant> variants(10);
  variants[0].name = "plain";
  variants[1] = {.name = "gram and l2", .gram = true, .l2 = 0.1};
  variants[2] = {.name = "fista", .fista = true};
  variants[3] = {.name = "a partial sweep", .partial = true};
  variants[4] = {.name = "several blocks", .widths = {3, 5, 4, 2}, .samples = 2600};
  variants[5] = {.name = "squared error, one thread", .threads = 1, .loss = LossKind::squared_error};
  variants[6] = {
      .name = "inversion", .gram = true, .joint_bias = true, .multiplier = Multiplier::output, .steps = exact};
  variants[7] = {.name = "mixed steps", .joint_bias = true, .multiplier = Multiplier::output, .steps = mixed};
  variants[8] = {.name = "mixed steps, separate biases", .steps = mixed};
  variants[9] = {.name = "one layer, gram", .widths = {5, 3}, .gram = true};
  for (const Variant& variant : variants) {
    layered<T>(variant, true);
    layered<T>(variant, false);
  }
  for (const unsigned threads : {1U, 3U}) {
    constraints_state<T>(threads, LossKind::one_hot_squared_error);
    constraints_state<T>(threads, LossKind::squared_error);
  }
  const std::vector<Optimiser> optimisers{
      Sgd{},
      Sgd{.momentum = 0.9, .nesterov = true},
      Adagrad{},
      Adadelta{},
      Adam{},
      Badm{.sigma = 1, .rho = 5},
      Badm{.sigma = 1, .rho = 5, .sub_batches = 4, .duals = true},
      Sisa{.sigma = 1, .rho = 50, .sub_batches = 2},
  };
  for (const Optimiser& optimiser : optimisers) {
    trainer<T>(optimiser, true);
    trainer<T>(optimiser, false);
  }
}

}  // namespace

int main() {
  all<float>();
  all<double>();
  damage();
  return report();
}
