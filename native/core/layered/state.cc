// The layered splitting's variables: allocation, looking in, writing them out and taking them up again.
#include "core/layered/state.hpp"

#include <algorithm>

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
