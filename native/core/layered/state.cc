// Storage of the layered splitting: allocation, start, looking in, measuring. The updates are in update_*.cc.
#include "core/layered/state.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <stdexcept>

#include "core/functions/normals.hpp"
#include "core/layered/pass.hpp"

namespace dladmm {
namespace {

// Large enough that the products of a block run at full speed, small enough that its rows stay near the cores.
constexpr std::size_t kBlock = 1024;
// Elementwise work goes through its arrays by pieces of about this size.
constexpr std::size_t kPieceBytes = std::size_t{1} << 16;

std::size_t widest_output(const Network& network) {
  return *std::max_element(network.widths.begin() + 1, network.widths.end());
}

std::size_t largest_parameter_matrix(const Network& network) {
  std::size_t largest = 0;
  for (std::size_t l = 1; l <= network.layers(); ++l) {
    largest = std::max(largest, network.inputs(l) * network.outputs(l));
  }
  return largest;
}

std::size_t block_size(const LayeredSetup& setup) {
  const std::size_t threads = std::max(setup.threads, 1U);
  const std::size_t share = setup.samples / threads + (setup.samples % threads == 0 ? 0 : 1);
  return std::clamp<std::size_t>(share, 1, kBlock);
}

// How many slots the updates need: two where there is an a, one for W_1 alone, none where C stands in for it.
std::size_t slots_needed(const LayeredSetup& setup) {
  if (setup.network.layers() > 1) return 2;
  return setup.gram ? 0 : 1;
}

// Room for the inversion steps.
template <typename T>
struct InversionRooms {
  typename GramSolver<T>::Room shared, input;
  std::size_t right = 0;   // n_l x (n_{l-1} + 1)
  std::size_t gram = 0;    // a member's share of a Gram matrix
  std::size_t inputs = 0;  // widest input of an inverted W_l

  explicit InversionRooms(const LayeredSetup& setup) {
    const Network& net = setup.network;
    for (std::size_t l = 1; l <= setup.steps.W.size(); ++l) {
      const StepKind kind = setup.steps.W[l - 1];
      if (kind == StepKind::quadratic) continue;
      const std::size_t size = net.inputs(l) + (setup.joint_bias ? 1 : 0);
      const bool kept = l == 1 && setup.gram;
      const bool by_samples = solves_by_samples(setup, l);
      auto& room = kept ? input : shared;
      if (kind == StepKind::pseudoinverse) {
        room.eigen_size = std::max(room.eigen_size, size);
        room.eigen_rows = std::max(room.eigen_rows, net.outputs(l));
      } else {
        room.size = std::max(room.size, by_samples ? setup.samples : size);
        room.inverse = room.inverse || kind == StepKind::inverse;
      }
      inputs = std::max(inputs, net.inputs(l));
      if (by_samples) continue;
      right = std::max(right, net.outputs(l) * size);
      if (!kept) gram = std::max(gram, net.inputs(l) * net.inputs(l));
    }
    for (std::size_t l = 1; l <= setup.steps.a.size(); ++l) {
      const StepKind kind = setup.steps.a[l - 1];
      if (kind == StepKind::quadratic) continue;
      shared.size = std::max(shared.size, solves_by_outputs(setup, l) ? net.outputs(l + 1) : net.outputs(l));
      shared.inverse = shared.inverse || kind == StepKind::inverse;
    }
  }
};

}  // namespace

bool solves_by_samples(const LayeredSetup& setup, std::size_t l) {
  return setup.steps.W[l - 1] == StepKind::cholesky && !(l == 1 && setup.gram) &&
         setup.samples < setup.network.inputs(l) + (setup.joint_bias ? 1 : 0);
}

bool solves_by_outputs(const LayeredSetup& setup, std::size_t l) {
  return setup.steps.a[l - 1] == StepKind::cholesky && setup.network.outputs(l + 1) < setup.network.outputs(l);
}

template <typename T>
double LayeredState<T>::required_bytes(const LayeredSetup& setup) {
  const Network& net = setup.network;
  const auto samples = static_cast<double>(setup.samples);
  const auto width = [&](std::size_t l) { return static_cast<double>(net.widths[l]); };
  const std::size_t depth = net.layers();
  double sample_columns = width(0) + 2 * width(depth) + width(depth);  // X; z_L, P_L; u
  if (setup.fista) sample_columns += width(depth);
  if (!net.loss.classifies()) sample_columns += width(depth);
  for (std::size_t l = 1; l < depth; ++l) sample_columns += 3 * width(l);
  sample_columns += static_cast<double>(slots_needed(setup)) * static_cast<double>(widest_output(net));
  double parameters = 0;
  for (std::size_t l = 1; l <= depth; ++l) parameters += 2 * width(l) * (width(l - 1) + 1);
  double largest = 0;
  for (std::size_t l = 1; l <= depth; ++l) largest = std::max(largest, width(l) * width(l - 1));
  if (setup.gram) parameters += width(0) * width(0) + 2 * width(0) * width(1);
  const double partial = setup.gram ? std::max(largest, width(0) * width(0)) : largest;
  const double per_member =
      partial + 2 * static_cast<double>(block_size(setup)) * static_cast<double>(widest_output(net));
  // Sums over the samples are double, whatever T.
  double doubles = setup.threads * (2 * static_cast<double>(widest_output(net)) + 12 * width(depth));
  for (std::size_t l = 0; l <= depth; ++l) doubles += width(l);
  const InversionRooms<T> rooms(setup);
  const double inversion =
      GramSolver<T>::required_bytes(rooms.shared) + GramSolver<T>::required_bytes(rooms.input) +
      sizeof(T) * (2 * static_cast<double>(rooms.right) + setup.threads * static_cast<double>(rooms.gram)) +
      sizeof(double) * static_cast<double>((1 + 2 * setup.threads) * rooms.inputs);
  return sizeof(T) * (samples * sample_columns + parameters + largest + setup.threads * per_member) +
         sizeof(double) * doubles + inversion + sizeof(std::int32_t) * (net.loss.classifies() ? samples : 0);
}

template <typename T>
LayeredState<T>::LayeredState(const LayeredSetup& setup)
    : setup_(setup),
      widest_(widest_output(setup.network)),
      block_(block_size(setup)),
      sub_block_(std::max<std::size_t>(1, kPieceBytes / (sizeof(T) * widest_))),
      team_(setup.threads),
      blocks_{setup.samples, block_} {
  const Network& net = setup_.network;
  const std::size_t samples = setup_.samples;
  const std::size_t largest = largest_parameter_matrix(net);
  const std::size_t gram = setup_.gram ? net.widths[0] * net.widths[0] : 0;
  x_ = Matrix<T>(samples, net.widths[0]);
  if (net.loss.classifies()) {
    labels_.resize(samples);
  } else {
    target_values_ = Matrix<T>(samples, net.widths.back());
  }
  layers_.resize(depth());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.outputs(l);
    it.W = Matrix<T>(n, net.inputs(l));
    std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
    it.finite_W = Matrix<T>(n, net.inputs(l));
    it.b.resize(n);
    it.finite_b.resize(n);
    it.z = Matrix<T>(samples, n);
    it.P = Matrix<T>(samples, n);
    if (!is_output(l)) it.a = Matrix<T>(samples, n);
    it.difference_sums.resize(n);
  }
  u_ = Matrix<T>(samples, net.widths.back());
  dual_sums_.resize(net.widths.back());
  for (std::size_t s = 0; s < slots_needed(setup_); ++s) slots_[s].storage = Buffer<T>(samples * widest_);
  direction_ = Buffer<T>(largest);
  if (setup_.gram) {
    gram_ = Matrix<T>(net.widths[0], net.widths[0]);
    image_ = Matrix<T>(net.widths[1], net.widths[0]);
    input_step_ = Matrix<T>(net.widths[1], net.widths[0]);
    input_sums_.resize(net.widths[0]);
  }
  if (setup_.fista) fista_y_ = Matrix<T>(samples, net.widths.back());
  const InversionRooms<T> rooms(setup_);
  solver_ = GramSolver<T>(rooms.shared);
  input_solver_ = GramSolver<T>(rooms.input);
  right_side_ = Buffer<T>(rooms.right);
  right_scratch_ = Buffer<T>(rooms.right);
  sums_of_input_.resize(rooms.inputs);
  // Last, because these are filled at once: where the memory does not suffice, the matrices above have said so.
  sums_ = SampleSums<T>(team_.size(), std::max(widest_, rooms.inputs), std::max(largest, gram), rooms.gram);
  spaces_.reserve(team_.size());
  for (unsigned member = 0; member < team_.size(); ++member) spaces_.emplace_back(block_, widest_, net.widths.back());
}

template <typename T>
void LayeredState<T>::start(const Start& start) {
  const std::size_t outputs = setup_.network.widths.back();
  for (auto& slot : slots_) slot.pending = false;
  input_step_pending_ = false;
  const auto fill_at_random = [&](std::uint64_t stream, MatrixView<T> m) {
    team_.run([&](unsigned member) {
      blocks_.each(member, team_.size(), [&](Rows rows) {
        for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
          fill_normals<T>(start.seed, stream, i, {m.row(i), m.columns});
        }
      });
    });
  };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    it.product_due = false;
    if (!is_output(l) && start.hidden == HiddenStart::gaussian) {
      fill_at_random(2 * l, it.z.view());
      fill_at_random(2 * l + 1, it.a.view());
      continue;
    }
    if (is_output(l) && start.output == OutputStart::gaussian) {
      fill_at_random(2 * l, it.z.view());
      continue;
    }
    team_.run([&](unsigned member) {
      blocks_.each(member, team_.size(), [&](Rows rows) {
        multiply(l, rows);
        const auto z = rows_of(it.z.view(), rows);
        kernels::add_bias<T>(rows_of(it.P.view(), rows), it.b, z);
        if (!is_output(l)) kernels::activate<T>(activation_function(), z, rows_of(it.a.view(), rows));
      });
    });
  }
  const MatrixView<T> z = layer(depth()).z.view();
  const Targets<T> goals = targets();
  team_.run([&](unsigned member) {
    auto& work = spaces_[member].work;
    const std::span<double> value = std::span(work).subspan(0, outputs);
    const std::span<double> gradient = std::span(work).subspan(outputs, outputs);
    const std::span<double> scratch = std::span(work).subspan(2 * outputs, outputs);
    blocks_.each(member, team_.size(), [&](Rows rows) {
      for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
        if (start.output == OutputStart::signed_labels) {
          for (std::size_t j = 0; j < outputs; ++j)
            z.row(i)[j] = setup_.network.loss.is_on(labels_[i], j, outputs) ? T(1) : T(-1);
        }
        std::fill_n(u_.view().row(i), outputs, T(0));
        if (start.dual == DualStart::zero) continue;
        std::copy_n(z.row(i), outputs, value.begin());
        loss_and_gradient(setup_.network.loss, value, goals.of(i, scratch), gradient);
        for (std::size_t j = 0; j < outputs; ++j) u_.view().row(i)[j] = static_cast<T>(-gradient[j]);
      }
    });
  });
  know_gram();
  stale_ = true;
  refresh_if_stale();
}

// C = XᵀX and Σ X; through the same seam as every other sum over samples.
template <typename T>
void LayeredState<T>::know_gram() {
  input_solver_ready_ = false;
  if (!setup_.gram) return;
  sums_.clear();
  team_.run([&](unsigned member) {
    blocks_.each(member, team_.size(), [&](Rows rows) {
      const auto x = rows_of(x_.view(), rows);
      sums_.of(member).product.add(x, x);
    });
  });
  sums_.product(team_, gram_.view());
  std::fill(input_sums_.begin(), input_sums_.end(), 0.0);
  for (std::size_t i = 0; i < setup_.samples; ++i) {
    const T* const row = x_.view().row(i);
    for (std::size_t j = 0; j < input_sums_.size(); ++j) input_sums_[j] += static_cast<double>(row[j]);
  }
}

template <typename T>
void LayeredState<T>::refresh() {
  for (std::size_t l = 1; l <= depth(); ++l) forget(product(l));
  settle_all();
  for (std::size_t l = 1; l <= depth(); ++l) {
    team_.run([&](unsigned member) { blocks_.each(member, team_.size(), [&](Rows rows) { multiply(l, rows); }); });
    layer(l).difference_known = false;
    // Measured afresh too: nothing but the variables themselves decides what comes after a refresh.
    layer(l).activation_known = false;
    changed_product(l);
  }
  direction_continues_ = false;
}

template <typename T>
void LayeredState<T>::refresh_if_stale() {
  if (!stale_) return;
  stale_ = false;
  refresh();
  sums_.clear();
  const std::size_t outputs = setup_.network.widths.back();
  team_.run([&](unsigned member) {
    auto& columns = sums_.of(member).columns[0];
    blocks_.each(member, team_.size(), [&](Rows rows) {
      kernels::square_norm<T>(rows_of(u_.view(), rows), std::span(columns).first(outputs));
    });
  });
  sums_.columns(0, dual_sums_, 1, 0);
}

template <typename T>
MatrixView<T> LayeredState<T>::slot_block(std::size_t slot, Rows block, std::size_t width) const {
  return {slots_[slot].storage.data() + block.first * widest_, block.count, width};
}

template <typename T>
void LayeredState<T>::multiply(std::size_t l, Rows rows) {
  blas::gemm<T>(blas::Op::none, blas::Op::transpose, T(1), rows_of(input_of(l), rows), layer(l).W.view(), T(0),
                rows_of(layer(l).P.view(), rows));
}

template <typename T>
void LayeredState<T>::settle_rows(std::size_t s, Rows block, Rows rows, Partial& partial) {
  const Slot& slot = slots_[s];
  Layer& it = layer(slot.held.layer);
  const MatrixView<T> variable = rows_of(slot.held.block == Block::a ? it.a.view() : it.P.view(), rows);
  const MatrixView<T> direction = slot_block(s, block, slot.width).rows_from(rows.first - block.first, rows.count);
  kernels::step_back<T>(variable, slot.scale, direction);
  if (slot.measure) {
    partial.scalars[kMeasured] +=
        kernels::activation_miss<T>(activation_function(), variable, rows_of(it.z.view(), rows));
  }
}

template <typename T>
void LayeredState<T>::settle_all() {
  const auto settle = [&](Held held) {
    pass(
        {held, product(1)}, {}, [](unsigned, Rows, Rows, Partial&) {}, [](unsigned, Rows, Partial&) {});
  };
  while (slots_[0].pending || slots_[1].pending || input_step_pending_) {
    settle(slots_[0].pending ? slots_[0].held : slots_[1].pending ? slots_[1].held : product(1));
  }
  for (std::size_t l = 1; l <= depth(); ++l) {
    if (layer(l).product_due) settle(product(l));
  }
}

template <typename T>
std::size_t LayeredState<T>::free_slot() const {
  return slots_[0].pending && !slots_[1].pending && slots_[1].storage.size() != 0 ? 1 : 0;
}

template <typename T>
void LayeredState<T>::hold(std::size_t s, Held held, std::size_t width, double scale, bool measure) {
  Slot& slot = slots_[s];
  slot.pending = true;
  slot.held = held;
  slot.width = width;
  slot.scale = static_cast<T>(scale);
  slot.measure = measure;
}

// Drops what is pending on a variable that is about to be overwritten.
template <typename T>
void LayeredState<T>::forget(Held held) {
  for (auto& slot : slots_) {
    if (slot.pending && slot.held == held) slot.pending = false;
  }
  if (held == product(1)) input_step_pending_ = false;
  if (held.block == Block::W) layer(held.layer).product_due = false;
}

template <typename T>
void LayeredState<T>::changed_product(std::size_t l) {
  layer(l).residual_known = false;
  if (is_output(l)) output_.known = false;
}

template <typename T>
void LayeredState<T>::know_difference_sums(std::size_t l) {
  Layer& it = layer(l);
  if (it.difference_known) return;
  const std::size_t n = it.b.size();
  pass(
      {product(l)}, {},
      [&](unsigned, Rows, Rows rows, Partial& partial) {
        partial.scalars[kResidual] += kernels::residual<T>(rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows),
                                                           std::span(partial.columns[0]).first(n));
      },
      [](unsigned, Rows, Partial&) {});
  sums_.columns(0, it.difference_sums, 1, 0);
  it.difference_known = true;
  it.residual = sums_.scalar(kResidual);
  it.residual_known = true;
}

template <typename T>
void LayeredState<T>::keep_finite() {
  for (auto& it : layers_) {
    std::copy_n(it.W.flat().data(), it.W.flat().size(), it.finite_W.flat().data());
    std::copy(it.b.begin(), it.b.end(), it.finite_b.begin());
  }
}

template <typename T>
void LayeredState<T>::restore_finite() {
  for (auto& it : layers_) {
    std::copy_n(it.finite_W.flat().data(), it.finite_W.flat().size(), it.W.flat().data());
    std::copy(it.finite_b.begin(), it.finite_b.end(), it.b.begin());
  }
  for (auto& slot : slots_) slot.pending = false;
  input_step_pending_ = false;
  for (auto& it : layers_) it.product_due = false;
  stale_ = true;
}

template <typename T>
void LayeredState<T>::measure(const Penalties& p, Measures& measures) {
  refresh_if_stale();
  measures.residual.resize(depth());
  measures.activation.resize(depth() - 1);
  measures.regularisation = 0;
  double hidden = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (!it.residual_known) {
      it.difference_known = false;
      know_difference_sums(l);
    }
    measures.residual[l - 1] = it.residual;
    if (p.l2 > 0) measures.regularisation += p.l2 / 2 * kernels::square_norm<T>(it.W.view());
    if (p.l2 > 0 && setup_.joint_bias) {
      for (const T b : it.b) measures.regularisation += p.l2 / 2 * static_cast<double>(b) * static_cast<double>(b);
    }
    if (is_output(l)) continue;
    if (!it.activation_known) {
      pass(
          {activation(l)}, {},
          [&](unsigned, Rows, Rows rows, Partial& partial) {
            partial.scalars[kActivation] += kernels::activation_miss<T>(
                activation_function(), rows_of(it.a.view(), rows), rows_of(it.z.view(), rows));
          },
          [](unsigned, Rows, Partial&) {});
      it.activation = sums_.scalar(kActivation);
      it.activation_known = true;
    }
    measures.activation[l - 1] = it.activation;
    hidden += p.nu / 2 * it.residual + p.gamma / 2 * it.activation;
  }
  if (!output_.known) output_pass(0);
  const Layer& last = layer(depth());
  measures.residual[depth() - 1] = last.residual;
  measures.loss = output_.loss;
  measures.dual_product = output_.dual_product;
  measures.dual_norm = output_.dual_norm;
  measures.dual_identity = output_.dual_identity;
  measures.lagrangian =
      measures.loss + measures.regularisation + hidden + measures.dual_product + p.rho / 2 * last.residual;
}

template <typename T>
std::span<T> LayeredState<T>::entries_of(Block block, std::size_t l) {
  Layer& it = layer(l);
  switch (block) {
    case Block::W:
      return it.W.flat();
    case Block::b:
      return it.b;
    case Block::z:
      return it.z.flat();
    case Block::a:
      return it.a.flat();
    case Block::u:
      return u_.flat();
  }
  return {};
}

template <typename T>
void LayeredState<T>::read(Block block, std::size_t l, std::span<T> out) {
  settle_all();
  const std::span<const T> entries = entries_of(block, l);
  std::copy(entries.begin(), entries.end(), out.begin());
}

template <typename T>
void LayeredState<T>::write(Block block, std::size_t l, std::span<const T> values) {
  settle_all();
  std::copy(values.begin(), values.end(), entries_of(block, l).begin());
  stale_ = true;
}

template <typename T>
ForwardLoss LayeredState<T>::evaluate(MatrixView<const T> x, const Targets<T>& goals) {
  std::vector<LayerParameters<T>> parameters;
  for (const auto& it : layers_) parameters.push_back({it.W.view(), it.b});
  const ForwardLoss result =
      dladmm::evaluate<T>(team_, spaces_, block_, parameters, setup_.network.activation, setup_.network.loss, x, goals);
  return {result.loss, result.correct};
}

template class LayeredState<float>;
template class LayeredState<double>;

}  // namespace dladmm
