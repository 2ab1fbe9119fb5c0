// The layered splitting but for its updates: allocation, start, the sweep, measuring, looking in.
#include "core/layered/state.hpp"

#include <algorithm>
#include <cmath>

#include "core/functions/normals.hpp"
#include "core/layered/pass.hpp"

namespace dladmm {
namespace {

// Elementwise work goes through its arrays by rows of about this size.
constexpr std::size_t kCachedBytes = std::size_t{1} << 14;
// With fewer segments of samples than this, a sum of products is shared out by its rows too.
constexpr std::size_t kFewSegments = 16;

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
  std::size_t gram = 0;    // a segment's share of a Gram matrix
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
  return setup.steps.W[l - 1] == StepKind::cholesky && !setup.proximal && !(l == 1 && setup.gram) &&
         setup.share.ranks == nullptr && setup.samples < setup.network.inputs(l) + (setup.joint_bias ? 1 : 0);
}

bool solves_by_outputs(const LayeredSetup& setup, std::size_t l) {
  return setup.steps.a[l - 1] == StepKind::cholesky && setup.network.outputs(l + 1) < setup.network.outputs(l);
}

template <typename T>
LayeredState<T>::LayeredState(const LayeredSetup& setup) : LayeredState(setup, Shell()) {
  this->allocate();
  sums_.over(setup_.share.ranks);
}

template <typename T>
LayeredState<T>::LayeredState(const LayeredSetup& setup, Shell)
    : Base(setup),
      widest_(setup.network.widest()),
      sub_piece_(std::max<std::size_t>(1, kCachedBytes / (sizeof(T) * widest_))),
      cut_(setup.samples) {}

template <typename T>
void LayeredState<T>::declare(StoragePlan& plan) {
  const Network& net = setup_.network;
  const std::size_t samples = setup_.samples;
  const std::size_t inputs = net.widths.front();
  const std::size_t outputs = net.widths.back();
  const auto saved = [&](std::string name) { return StoragePlan::Name{&sections_, std::move(name)}; };
  const auto kept = [&](std::string name) { return StoragePlan::Name{&kept_sections_, std::move(name)}; };

  this->declare_samples(plan, cut_.pieces.largest());
  std::size_t parameters = 0;
  std::size_t largest = 0;
  layers_.resize(depth());
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const std::size_t n = net.outputs(l);
    plan.matrix(it.W, n, net.inputs(l), saved(section_name("W", l)));
    plan.vector(it.b, n, saved(section_name("b", l)));
    plan.rows(it.z, samples, n, saved(section_name("z", l)));
    if (!is_output(l)) plan.rows(it.a, samples, n, saved(section_name("a", l)));
    sections_.add(section_name("theta", l), it.last_theta);
    sections_.add(section_name("tau", l), it.last_tau);
    if (setup_.proximal && step_of_W(l) != StepKind::quadratic) {
      plan.matrix(it.Y, n, net.inputs(l), saved(section_name("Y", l)));
      sections_.add(section_name("Y.weight", l), it.Y_weight);
    }
    plan.rows(it.P, samples, n, kept(section_name("P", l)));
    plan.vector(it.differences, n, kept(section_name("P.sums", l)));
    plan.made(it.forward, n, net.inputs(l));
    if (l > 1) plan.made(it.back, net.inputs(l), n);
    parameters += n * (net.inputs(l) + 1);
    largest = std::max(largest, n * net.inputs(l));
  }
  plan.rows(u_, samples, outputs, saved("u"));
  plan.vector(dual_sums_, outputs, saved("u.sums"));
  kept_sections_.add("notes", notes_);
  for (std::size_t s = 0; s < slots_needed(setup_); ++s) plan.rows(slots_[s].storage, samples, widest_);
  plan.buffer(direction_, largest);
  if (setup_.proximal) {
    plan.buffer(proximal_point_, largest);
    plan.buffer(proximal_step_, largest);
    if (setup_.spectral) this->declare_spectral(plan, spectral_);
  }
  plan.buffer(finite_.room, parameters);
  if (setup_.gram) {
    plan.matrix(gram_, inputs, inputs);
    plan.matrix(image_, net.widths[1], inputs);
    plan.matrix(input_step_, net.widths[1], inputs);
    plan.vector(input_sums_, inputs);
  }
  if (setup_.fista) plan.rows(fista_y_, samples, outputs);
  bool whole_right = cut_.segments.count < kFewSegments;
  for (std::size_t l = 1; l <= setup_.steps.W.size(); ++l) whole_right = whole_right || solves_by_samples(setup_, l);
  if (whole_right) plan.rows(right_, samples, widest_);

  const InversionRooms<T> rooms(setup_);
  plan.made(solver_, rooms.shared);
  plan.made(input_solver_, rooms.input);
  plan.buffer(right_side_, rooms.right);
  plan.buffer(right_scratch_, rooms.right);
  plan.buffer(right_base_, setup_.proximal ? rooms.right : 0);
  plan.vector(sums_of_input_, rooms.inputs);
  const typename PieceSums<T>::Room sums{.columns = std::max({widest_, rooms.inputs, setup_.gram ? inputs : 0}),
                                         .product = largest,
                                         .gram = std::max(rooms.gram, setup_.gram ? inputs * inputs : 0)};
  plan.made(sums_, cut_, sums);
  if (setup_.file) {
    const std::size_t room = RowWindow::kMostUses * cut_.pieces.largest() * std::max(widest_, inputs) * sizeof(T);
    plan.other(setup_.held_bytes + static_cast<double>(room) * team_.size(), [this, room] {
      for (unsigned i = 0; i < team_.size(); ++i) windows_.emplace_back(room);
    });
  }
  // Of rows on a disk that are looked at where they are mapped: those of the pieces at work.
  const double pieces = 1.0 * team_.size() / static_cast<double>(std::max<std::size_t>(cut_.pieces.count, 1));
  plan.other(std::min(pieces, 1.0) * plan.disk_bytes(), [this] {
    for (Layer& it : layers_) {
      std::fill(it.W.flat().begin(), it.W.flat().end(), T(0));
      std::fill(it.Y.flat().begin(), it.Y.flat().end(), T(0));
      finite_.watch(it.W.flat());
      finite_.watch(it.b);
    }
  });
}

template <typename T>
void LayeredState<T>::start(const Start& start) {
  const AtWork here;
  const std::size_t outputs = setup_.network.widths.back();
  x_version_.advance();
  const auto fill_at_random = [&](std::uint64_t stream, MatrixView<T> m) {
    pass({}, {m}, [&](unsigned, Rows rows, Partial&) {
      const MatrixView<T> own = rows_of(m, rows);
      for (std::size_t i = 0; i < rows.count; ++i) {
        fill_normals<T>(start.seed, stream, setup_.share.first + rows.first + i, {own.row(i), m.columns});
      }
    });
  };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    const bool at_random = is_output(l) ? start.output == OutputStart::gaussian : start.hidden == HiddenStart::gaussian;
    if (at_random) {
      fill_at_random(2 * l, it.z.view());
      if (!is_output(l)) fill_at_random(2 * l + 1, it.a.view());
    } else {
      pass({product(l)}, {it.z.view(), it.a.view()}, [&](unsigned, Rows rows, Partial&) {
        const auto z = rows_of(it.z.view(), rows);
        elementwise::add_bias<T>(rows_of(it.P.view(), rows), it.b, z);
        if (!is_output(l)) elementwise::activate<T>(function(), z, rows_of(it.a.view(), rows));
      });
    }
    version(Block::z, l).advance();
    if (!is_output(l)) overwrote_a(l);
  }
  const MatrixView<T> z = layer(depth()).z.view();
  pass({}, {}, [&](unsigned member, Rows rows, Partial&) {
    const OutputWork work(spaces_[member].work, outputs);
    for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
      if (start.output == OutputStart::signed_labels) {
        for (std::size_t j = 0; j < outputs; ++j) {
          z.row(i)[j] = setup_.network.loss.is_on(labels_[i], j, outputs) ? T(1) : T(-1);
        }
      }
      std::fill_n(u_.view().row(i), outputs, T(0));
      if (start.dual == DualStart::zero) continue;
      std::copy_n(z.row(i), outputs, work.z.begin());
      loss_and_gradient(setup_.network.loss, work.z, targets().of(i, work.target), work.gradient);
      for (std::size_t j = 0; j < outputs; ++j) u_.view().row(i)[j] = static_cast<T>(-work.gradient[j]);
    }
  });
  u_version_.advance();
}

// C = XᵀX and Σ X.
template <typename T>
const Matrix<T>& LayeredState<T>::gram() {
  if (gram_made_ == Stamp(x_version_)) return gram_;
  const std::size_t n = gram_.rows();
  summing_pass({activation(0)}, 1, 0, true, [&](Rows rows, Partial& partial, MatrixView<T>) {
    elementwise::add_columns<T>(rows_of(x_.view(), rows), std::span(partial.columns[0]).first(n));
  });
  sums_.columns(0, input_sums_, 1, 0);
  sums_.gram(team_, gram_.view());
  for (std::size_t i = 0; i < n; ++i) {
    for (std::size_t j = 0; j < i; ++j) gram_.view().row(j)[i] = gram_.view().row(i)[j];
  }
  gram_made_ = Stamp(x_version_);
  return gram_;
}

template <typename T>
void LayeredState<T>::refresh() {
  need_start(x_version_);
  const AtWork here;
  bring_activations();
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    // All afresh: nothing but the variables themselves decides what comes after a refresh.
    it.P_holds = it.differences_made = {};
    it.residual.forget();
    it.activation.forget();
    bring(product(l));
  }
  output_.forget();
  direction_made_ = {};
}

template <typename T>
MatrixView<T> LayeredState<T>::slot_rows(std::size_t slot, Rows rows, std::size_t width) const {
  const std::size_t first = cut_.pieces.around(rows.first).first;
  return found(
      MatrixView<T>(slots_[slot].storage.data() + first * widest_ + (rows.first - first) * width, rows.count, width));
}

template <typename T>
void LayeredState<T>::take_step(std::size_t s, Rows rows, Partial& partial) {
  const Slot& slot = slots_[s];
  Layer& it = layer(slot.of.layer);
  const MatrixView<T> variable = rows_of(slot.of.kind == Quantity::activation ? it.a.view() : it.P.view(), rows);
  elementwise::step_back<T>(variable, slot.step.scale, slot_rows(s, rows, variable.columns));
  if (slot.measure) {
    partial.scalars[kMeasured] += elementwise::activation_miss<T>(function(), variable, rows_of(it.z.view(), rows));
  }
}

template <typename T>
void LayeredState<T>::bring_activations() {
  for (std::size_t l = 1; l < depth(); ++l) bring(activation(l));
}

template <typename T>
std::size_t LayeredState<T>::free_slot() {
  return waits(slots_[0]) && !waits(slots_[1]) && slots_[1].storage.size() != 0 ? 1 : 0;
}

template <typename T>
void LayeredState<T>::take_late(std::size_t s, Quantity of, const Stamp& from, double scale, bool measure) {
  Slot& slot = slots_[s];
  slot.of = of;
  slot.width = of.kind == Quantity::activation ? layer(of.layer).a.columns() : layer(of.layer).P.columns();
  slot.step = {from, present(of), static_cast<T>(scale)};
  slot.measure = measure;
}

template <typename T>
void LayeredState<T>::set_differences(std::size_t l) {
  sums_.columns(0, layer(l).differences, 1, 0);
  layer(l).differences_made = differences_stamp(l);
}

template <typename T>
void LayeredState<T>::find_residual(std::size_t l) {
  Layer& it = layer(l);
  pass({product(l), pre_activation(l)}, {}, [&](unsigned, Rows rows, Partial& partial) {
    partial.scalars[kResidual] += kernels::residual<T>(rows_of(it.P.view(), rows), it.b, rows_of(it.z.view(), rows),
                                                       std::span(partial.columns[0]).first(it.b.size()));
  });
  set_differences(l);
  it.residual.set(sums_.scalar(kResidual), residual_stamp(l));
}

template <typename T>
const std::vector<double>& LayeredState<T>::dual_sums() {
  if (dual_sums_made_ == Stamp(u_version_)) return dual_sums_;
  pass({}, {}, [&](unsigned, Rows rows, Partial& partial) {
    elementwise::add_columns<T>(rows_of(u_.view(), rows), std::span(partial.columns[0]).first(dual_sums_.size()));
  });
  sums_.columns(0, dual_sums_, 1, 0);
  dual_sums_made_ = Stamp(u_version_);
  return dual_sums_;
}

// Runs updates[i]; where the next one can ride on the same pass, it is run too and i advances past it.
template <typename T>
bool LayeredState<T>::update(std::span<const Update> updates, std::size_t& i, const Penalties& p, SweepRecord& record) {
  const Block block = updates[i].block;
  const std::size_t l = updates[i].layer;
  const auto touched_later = [&](std::size_t from) {
    return std::any_of(
        updates.begin() + static_cast<std::ptrdiff_t>(std::min(from, updates.size())), updates.end(),
        [l](const Update& later) { return later.layer == l && (later.block == Block::a || later.block == Block::z); });
  };
  UpdateRecord& own = record.updates[i];
  switch (block) {
    case Block::W:
      if (step_of_W(l) != StepKind::quadratic) return update_W_exactly(l, p, own);
      return update_W(l, p, own) && (!setup_.joint_bias || update_b(l, p));
    case Block::b:
      return update_b(l, p);
    case Block::u:
      return update_u(p);
    case Block::a:
      if (step_of_a(l) != StepKind::quadratic) return update_a_exactly(l, p, own);
      return update_a(l, p, false, !touched_later(i + 1), own);
    case Block::z:
      break;
  }
  if (is_output(l)) {
    return p.output == OutputSolver::fista ? update_output_z_fista(p, own) : update_output_z(p, own);
  }
  const bool a_follows = i + 1 < updates.size() && updates[i + 1].block == Block::a && updates[i + 1].layer == l;
  if (!a_follows || step_of_a(l) != StepKind::quadratic) return update_hidden_z(l, p);
  const bool finite = update_a(l, p, true, !touched_later(i + 2), record.updates[i + 1]);
  // Where not, which of the two met the value that is not finite?
  if (finite || (std::isfinite(layer(l).residual.value) && std::isfinite(layer(l).activation.value))) ++i;
  return finite;
}

template <typename T>
void LayeredState<T>::run(std::span<const Update> updates, const Penalties& p, const std::atomic<bool>& asked,
                          SweepRecord& record) {
  need_start(x_version_);
  const std::atomic<bool>& stop = this->heeded(asked);
  const AtWork here(stop);
  finite_.keep();
  // Penalties are others from run to run, and so that a run which goes on elsewhere has the same bits.
  direction_made_ = {};
  const bool finite = run_sweep(
      record, updates.size(), stop, [&](std::size_t& i) { return update(updates, i, p, record); },
      [&] {
        measure(p, record.measures);
        return std::isfinite(record.measures.lagrangian);
      });
  if (finite) return;
  finite_.restore();
  for (std::size_t l = 1; l <= depth(); ++l) {
    std::fill(layer(l).Y.flat().begin(), layer(l).Y.flat().end(), T(0));
    version(Block::W, l).advance();
    version(Block::b, l).advance();
  }
}

template <typename T>
void LayeredState<T>::measure(const Penalties& p, Measures& measures) {
  need_start(x_version_);
  const AtWork here;
  measures.residual.resize(depth());
  measures.activation.resize(depth() - 1);
  measures.regularisation = 0;
  measures.zeros.clear();
  double hidden = 0;
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (p.l2 > 0) {
      measures.regularisation += p.l2 / 2 * over_parameters(l, kBand, [&](Rows rows) {
                                   return elementwise::square_norm<T>(rows_of(it.W.view(), rows));
                                 });
    }
    measures.regularisation += value_of<T>(team_, p.regulariser(l), it.W.view(), spectral_);
    if (!p.regularisers.empty()) measures.zeros.push_back(zeros_of<T>(team_, it.W.view()));
    if (p.l2 > 0 && setup_.joint_bias) {
      measures.regularisation +=
          p.l2 / 2 * elementwise::square_norm<T>(MatrixView<const T>(it.b.data(), 1, it.b.size()));
    }
    if (is_output(l)) continue;
    if (!it.residual.valid(residual_stamp(l))) find_residual(l);
    if (!it.activation.valid(activation_stamp(l))) {
      pass({activation(l), pre_activation(l)}, {}, [&](unsigned, Rows rows, Partial& partial) {
        partial.scalars[kActivation] +=
            elementwise::activation_miss<T>(function(), rows_of(it.a.view(), rows), rows_of(it.z.view(), rows));
      });
      it.activation.set(sums_.scalar(kActivation), activation_stamp(l));
    }
    measures.residual[l - 1] = it.residual.value;
    measures.activation[l - 1] = it.activation.value;
    hidden += p.nu / 2 * it.residual.value + p.gamma / 2 * it.activation.value;
  }
  if (!output_.valid(output_stamp())) output_pass(0);
  const OutputMeasures& output = output_.value;
  measures.residual[depth() - 1] = output.residual;
  measures.loss = output.loss;
  measures.dual_product = output.dual_product;
  measures.dual_norm = output.dual_norm;
  measures.dual_identity = output.dual_identity;
  measures.lagrangian =
      measures.loss + measures.regularisation + hidden + measures.dual_product + p.rho / 2 * output.residual;
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
  if (block != Block::W && block != Block::b) need_start(x_version_);
  if (block == Block::a) bring(activation(l));
  const std::span<const T> entries = entries_of(block, l);
  std::copy(entries.begin(), entries.end(), out.begin());
  this->release_rows();
}

template <typename T>
void LayeredState<T>::write(Block block, std::size_t l, std::span<const T> values) {
  if (block != Block::W && block != Block::b) need_start(x_version_);
  // Before the start there are none: looking for them at every write would be quadratic in the layers.
  if (x_version_.number() > 1) bring_activations();
  std::copy(values.begin(), values.end(), entries_of(block, l).begin());
  this->release_rows();
  if (block == Block::a) {
    overwrote_a(l);
  } else {
    version(block, l).advance();
  }
}

template <typename T>
std::vector<LayerParameters<T>> LayeredState<T>::parameters(std::size_t first) {
  std::vector<LayerParameters<T>> out;
  for (std::size_t l = first; l <= depth(); ++l) out.push_back({layer(l).W.view(), layer(l).b});
  return out;
}

template <typename T>
ForwardLoss LayeredState<T>::evaluate_training() {
  const AtWork here;
  const auto rest = parameters(2);
  const Activation& f = depth() == 1 ? Activation::identity() : function();
  const std::size_t n = layer(1).b.size();
  double flops = 0;
  for (const auto& it : rest) flops += 2 * static_cast<double>(it.W.rows * it.W.columns);
  const auto hidden = [&](unsigned member, Rows piece) {
    return MatrixView<T>(spaces_[member].second.flat().data(), piece.count, n);
  };
  pass(
      {product(1)}, {}, {}, cut_.pieces.largest(), flops,
      [&](unsigned member, Rows piece, Rows rows, Partial&) {
        elementwise::add_bias_and_activate<T>(f, rows_of(layer(1).P.view(), rows), layer(1).b,
                                              hidden(member, piece).rows_from(rows.first - piece.first, rows.count));
      },
      [&](unsigned member, Rows piece, Partial& partial, Ahead&) {
        const auto outputs = forward_block<T>(rest, f, hidden(member, piece), spaces_[member]);
        const ForwardLoss found =
            loss_of_rows<T>(setup_.network.loss, outputs, {labels_, y_.view()}, piece.first, spaces_[member].work);
        partial.scalars[kLoss] += found.loss;
        partial.scalars[kCorrect] += static_cast<double>(found.correct);
      });
  return {sums_.scalar(kLoss), static_cast<std::size_t>(sums_.scalar(kCorrect))};
}

// --- writing it out and taking it up again ---

template <typename T>
std::vector<Section> LayeredState<T>::sections() {
  if (x_version_.number() > 1) {
    bring_activations();
    dual_sums();
  }
  return sections_();
}

template <typename T>
void LayeredState<T>::restored() {
  x_version_.advance();
  u_version_.advance();
  dual_sums_made_ = Stamp(u_version_);
  for (std::size_t l = 1; l <= depth(); ++l) {
    for (Version& it : layer(l).versions) it.advance();
    if (!is_output(l)) overwrote_a(l);
  }
  refresh();
}

// What is known of each layer, two numbers a quantity, and of the output constraint.
template <typename T>
std::vector<Section> LayeredState<T>::kept_sections() {
  notes_.clear();
  const auto note = [&](bool known, std::initializer_list<double> values) {
    notes_.push_back(known ? 1 : 0);
    notes_.insert(notes_.end(), values);
  };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    if (x_version_.number() > 1) bring(product(l));
    note(it.differences_made == differences_stamp(l), {0});
    note(it.residual.valid(residual_stamp(l)), {it.residual.value});
    note(it.activation.valid(activation_stamp(l)), {it.activation.value});
  }
  const OutputMeasures& output = output_.value;
  note(output_.valid(output_stamp()), {output.loss, output.dual_product, output.dual_norm, output.dual_identity});
  return kept_sections_();
}

template <typename T>
void LayeredState<T>::kept_restored() {
  const double* note = notes_.data();
  const auto stamp_if_known = [&](const Stamp& now) { return *note++ != 0 ? now : Stamp(); };
  for (std::size_t l = 1; l <= depth(); ++l) {
    Layer& it = layer(l);
    it.P_holds = product_stamp(l);
    it.differences_made = stamp_if_known(differences_stamp(l));
    ++note;
    it.residual.made = stamp_if_known(residual_stamp(l));
    it.residual.value = *note++;
    it.activation.made = stamp_if_known(activation_stamp(l));
    it.activation.value = *note++;
  }
  output_.made = stamp_if_known(output_stamp());
  OutputMeasures& output = output_.value;
  output = {note[0], layer(depth()).residual.value, note[1], note[2], note[3]};
}

template class LayeredState<float>;
template class LayeredState<double>;

}  // namespace dladmm
