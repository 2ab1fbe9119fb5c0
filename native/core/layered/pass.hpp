// One pass over the samples: bring what it reads to the present, do the elementwise work while the rows are in the
// cache, then the products of the piece.
#pragma once

#include <algorithm>

#include "core/layered/kernels.hpp"
#include "core/layered/state.hpp"

namespace dladmm {

// `reads` names the P_l, a_l and z_l that the pass looks at, `writes` what it changes itself. `claims` names the slots
// that it writes, and the width of what it writes: a step that waits in such a slot is taken before it is overwritten.
template <typename T>
typename LayeredState<T>::Due LayeredState<T>::find_due(std::initializer_list<Quantity> reads,
                                                        std::initializer_list<MatrixView<T>> writes,
                                                        std::initializer_list<Claim> claims) {
  Due due;
  const auto take_step_of = [&](Quantity of) {
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (slots_[s].of == of && waits(slots_[s])) return due.slots[s] = true;
    }
    return false;
  };
  for (const Quantity& read : reads) {
    const auto memory = memory_of(read);
    const auto is_same = [&](const auto& other) { return other.data == memory.data; };
    if (std::none_of(due.reads.begin(), due.reads.end(), is_same)) due.reads.push_back(memory);
    if (read.kind == Quantity::pre_activation) continue;
    // a_0 = X is always of the present.
    if (read.layer == 0 || held(read) == present(read) || take_step_of(read) || read.kind == Quantity::activation) {
      continue;
    }
    if (read == product(1) && input_late_.applies(held(read), present(read))) {
      due.input_step = true;
      continue;
    }
    // Multiplied afresh, from activations that are of the present first.
    if (std::find(due.products.begin(), due.products.end(), read.layer) == due.products.end()) {
      due.products.push_back(read.layer);
    }
    if (read.layer > 1) take_step_of(activation(read.layer - 1));
  }
  for (const auto [s, width] : claims) {
    due.claims[s] = width;
    if (!waits(slots_[s])) continue;
    due.slots[s] = true;
    // A row of the new direction may lie where other rows of the old one still are.
    due.whole_piece = due.whole_piece || width != slots_[s].width;
  }
  if (due.input_step) due.reads.push_back(x_.view());
  if (due.input_step) layer(1).forward.set(team_, blas::Op::transpose, T(-1), input_step_.view());
  for (const std::size_t l : due.products) layer(l).forward.set(team_, blas::Op::transpose, T(1), layer(l).W.view());
  if (!file_.empty()) find_uses(due, writes);
  return due;
}

template <typename T>
void LayeredState<T>::find_uses(Due& due, std::initializer_list<MatrixView<T>> writes) {
  const auto use_of = [&](MatrixView<const T> m) -> Use& {
    const auto is_same = [&](const Use& use) { return use.data == m.data; };
    const auto known = std::find_if(due.uses.begin(), due.uses.end(), is_same);
    if (known != due.uses.end()) return *known;
    return due.uses.emplace_back(Use{const_cast<T*>(m.data), m.columns, 0, 0});
  };
  const auto read = [&](MatrixView<const T> m) { use_of(m).read = m.columns; };
  const auto write = [&](MatrixView<const T> m) { use_of(m).written = m.columns; };
  for (const MatrixView<const T>& m : due.reads) read(m);
  for (const MatrixView<T>& m : writes) {
    if (m.data == nullptr) continue;
    read(m);
    write(m);
  }
  if (due.input_step) write(layer(1).P.view());
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    const Slot& slot = slots_[s];
    const std::size_t waiting = due.slots[s] ? slot.width : 0;
    if (waiting + due.claims[s] != 0) due.uses.push_back({slot.storage.data(), widest_, waiting, due.claims[s]});
    if (!due.slots[s]) continue;
    const MatrixView<const T> variable = memory_of(slot.of);
    read(variable);
    write(variable);
    if (slot.measure) read(layer(slot.of.layer).z.view());
  }
  for (const std::size_t l : due.products) {
    read(input_of(l));
    Use& product = use_of(layer(l).P.view());
    product.read = 0;
    product.written = product.pitch;
  }
}

// Some rows of a piece that the pass will come to.
template <typename T>
void LayeredState<T>::fetch(const Due& due, Rows rows, Ahead& ahead) const {
  for (const MatrixView<const T>& read : due.reads) ahead.add(rows_of(read, rows));
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    if (due.slots[s]) ahead.add(slot_rows(s, rows, slots_[s].width));
  }
}

// Where rows lie on a disk: those of a piece that the pass will come to.
template <typename T>
void LayeredState<T>::expect(const Due& due, std::size_t piece) const {
  if (file_.empty() || piece >= cut_.pieces.count) return;
  const Rows rows = cut_.pieces[piece];
  for (const Use& use : due.uses) {
    file_.expect(use.data + rows.first * use.pitch, rows.count * use.read * sizeof(T));
  }
}

// work() on a piece; where rows lie on a disk, those of the piece are in memory meanwhile.
template <typename T>
template <typename Work>
void LayeredState<T>::with_rows(const Due& due, std::size_t piece, unsigned member, Work&& work) {
  if (file_.empty()) return work();
  const Rows rows = cut_.pieces[piece];
  std::array<RowWindow::Use, RowWindow::kMostUses> uses;
  const std::size_t count = std::min(due.uses.size(), uses.size());
  std::transform(due.uses.begin(), due.uses.begin() + static_cast<std::ptrdiff_t>(count), uses.begin(),
                 [&](const Use& use) {
                   return RowWindow::Use{reinterpret_cast<std::byte*>(use.data + rows.first * use.pitch),
                                         rows.count * use.read * sizeof(T), rows.count * use.written * sizeof(T)};
                 });
  const RowWindow::Open open(windows_[member], file_, std::span(uses).first(count));
  work();
  open.keep();
  file_.release(rows);
}

// What was due is of the present now.
template <typename T>
void LayeredState<T>::note_done(const Due& due) {
  sums_.end();
  if (due.input_step) held(product(1)) = present(product(1));
  for (const std::size_t l : due.products) held(product(l)) = present(product(l));
  for (std::size_t s = 0; s < slots_.size(); ++s) {
    if (!due.slots[s]) continue;
    const Slot& slot = slots_[s];
    held(slot.of) = slot.step.to;
    if (slot.measure) layer(slot.of.layer).activation.set(sums_.scalar(kMeasured), activation_stamp(slot.of.layer));
  }
}

// Of a round over all samples, with products of so many a sample and what is due.
template <typename T>
double LayeredState<T>::flops_of(const Due& due, double flops) const {
  const Network& net = setup_.network;
  const auto product_flops = [&](std::size_t l) { return 2 * static_cast<double>(net.inputs(l) * net.outputs(l)); };
  if (due.input_step) flops += product_flops(1);
  for (const std::size_t l : due.products) flops += product_flops(l);
  return static_cast<double>(setup_.samples) * (flops + kFlopsAnEntry * static_cast<double>(widest_));
}

template <typename T>
template <typename Body>
double LayeredState<T>::over_parameters(std::size_t l, std::size_t rows, Body&& body) {
  const Matrix<T>& w = layer(l).W;
  const Pieces bands = pieces_for_many(w.rows(), rows);
  std::array<double, 64> parts{};
  team_.run(bands.count, kFlopsAnEntry * static_cast<double>(w.rows() * w.columns()),
            [&](std::size_t band, unsigned) { parts[band] = body(bands[band]); });
  return sum_pairwise(bands.count, [&](std::size_t band) { return parts[band]; });
}

template <typename T>
template <typename Elementwise, typename Products>
void LayeredState<T>::work_on_piece(const Due& due, std::size_t index, std::size_t at_once, Partial& partial,
                                    Elementwise&& elementwise, Products&& products) {
  const auto take_steps = [&](Rows rows) {
    for (std::size_t s = 0; s < slots_.size(); ++s) {
      if (due.slots[s]) take_step(s, rows, partial);
    }
  };
  const Rows piece = cut_.pieces[index];
  if (due.whole_piece) take_steps(piece);
  each_part(piece, at_once, [&](Rows block) {
    // What the block after this one reads; after the last one, that of the piece which probably is the next.
    Ahead ahead;
    const std::size_t end = block.first + block.count;
    const std::size_t next = index + team_.size();
    Rows later{end, std::min(at_once, piece.first + piece.count - end)};
    if (later.count == 0 && next < cut_.pieces.count && file_.empty()) {
      later = {cut_.pieces[next].first, std::min(at_once, cut_.pieces[next].count)};
    }
    if (later.count != 0) fetch(due, later, ahead);
    if (!due.whole_piece && !due.products.empty()) take_steps(block);
    // P_1 (samples x n_1) <- P_1 − X (samples x n_0) Dᵀ (n_0 x n_1)
    if (due.input_step)
      layer(1).forward.apply(rows_of(x_.view(), block), Onto::result, rows_of(layer(1).P.view(), block), ahead);
    // P_l (samples x n_l) <- a_{l-1} (samples x n_{l-1}) W_lᵀ (n_{l-1} x n_l)
    for (const std::size_t l : due.products) {
      layer(l).forward.apply(rows_of(input_of(l), block), Onto::nothing, rows_of(layer(l).P.view(), block), ahead);
    }
    each_part(block, sub_piece_, [&](Rows rows) {
      if (!due.whole_piece && due.products.empty()) take_steps(rows);
      elementwise(block, rows);
    });
    products(block, ahead);
  });
}

// elementwise(member, block, rows, partial) sees a few rows of a block at a time; products(member, block, partial,
// ahead) then sees the whole block, `at_once` rows or what is left of a piece. `flops` of the products, a sample.
template <typename T>
template <typename Elementwise, typename Products>
void LayeredState<T>::pass(std::initializer_list<Quantity> reads, std::initializer_list<MatrixView<T>> writes,
                           std::initializer_list<Claim> claims, std::size_t at_once, double flops,
                           Elementwise&& elementwise, Products&& products) {
  const Due due = find_due(reads, writes, claims);
  const Order order = next_order(cut_.pieces.count);
  team_.run(cut_.pieces.count, flops_of(due, flops), [&](std::size_t i, unsigned member) {
    const std::size_t index = order[i];
    Partial& partial = sums_.begin(index);
    expect(due, order[i + 2 * team_.size()]);
    with_rows(due, index, member, [&] {
      work_on_piece(
          due, index, at_once, partial, [&](Rows block, Rows rows) { elementwise(member, block, rows, partial); },
          [&](Rows block, Ahead& ahead) { products(member, block, partial, ahead); });
    });
  });
  note_done(due);
}

// The same without products: elementwise(member, rows, partial).
template <typename T>
template <typename Elementwise>
void LayeredState<T>::pass(std::initializer_list<Quantity> reads, std::initializer_list<MatrixView<T>> writes,
                           Elementwise&& elementwise) {
  pass(
      reads, writes, {}, at_once(), 0,
      [&](unsigned member, Rows, Rows rows, Partial& partial) { elementwise(member, rows, partial); },
      [](unsigned, Rows, Partial&, Ahead&) {});
}

// The sum of products Rᵀ a_{l-1}, with n columns of R that write_right(rows, partial, out) makes of a few samples; with
// `gram` also that of a_{l-1}ᵀ a_{l-1}. Where there are few segments of samples, R is made of them all first, and the
// threads share the rows of the sum too.
template <typename T>
template <typename WriteRight>
void LayeredState<T>::summing_pass(std::initializer_list<Quantity> reads, std::size_t l, std::size_t n, bool gram,
                                   WriteRight&& write_right) {
  const Due due = find_due(reads, {}, {});
  const MatrixView<T> in = input_of(l);
  const double flops = 2 * static_cast<double>(n) * static_cast<double>(in.columns) +
                       (gram ? static_cast<double>(in.columns) * static_cast<double>(in.columns) : 0);
  const auto make_right = [&](Rows piece, std::size_t index, MatrixView<T> right) {
    Partial& partial = sums_.begin(index);
    work_on_piece(
        due, index, at_once(), partial,
        [&](Rows, Rows rows) { write_right(rows, partial, right.rows_from(rows.first - piece.first, rows.count)); },
        [](Rows, Ahead&) {});
  };
  const auto each_piece = [&](std::size_t segment, auto&& body) {
    const Rows own = cut_.segments[segment];
    for (std::size_t i = 0; i < own.count; ++i) body(own.first + i, i == 0);
  };
  if (right_.size() == 0) {
    const Order order = next_order(cut_.segments.count);
    team_.run(cut_.segments.count, flops_of(due, flops), [&](std::size_t i, unsigned member) {
      const std::size_t segment = order[i];
      each_piece(segment, [&](std::size_t index, bool first) {
        const Rows piece = cut_.pieces[index];
        const MatrixView<T> right = room(member, piece.count, n);  // piece x n
        expect(due, index + 2);
        with_rows(due, index, member, [&] {
          make_right(piece, index, right);
          // The next piece is this thread's too, most often.
          Ahead ahead;
          if (index + 1 < cut_.pieces.count && file_.empty()) {
            const Rows next = cut_.pieces[index + 1];
            fetch(due, {next.first, next.count / 2}, ahead);
          }
          if (n != 0) sums_.add_product(segment, right, rows_of(in, piece), first, ahead);
          if (gram) sums_.add_gram(segment, rows_of(in, piece), first);
        });
      });
    });
  } else {
    const MatrixView<T> right(right_.data(), setup_.samples, n);  // samples x n
    team_.run(cut_.pieces.count, flops_of(due, 0), [&](std::size_t index, unsigned member) {
      const Rows piece = cut_.pieces[index];
      with_rows(due, index, member, [&] { make_right(piece, index, rows_of(right, piece)); });
    });
    const Pieces tiles = pieces_of(n, kTile);
    const std::size_t tasks = tiles.count + (gram ? 1 : 0);
    team_.run(cut_.segments.count * tasks, flops_of({}, flops), [&](std::size_t task, unsigned) {
      const std::size_t segment = task / tasks;
      each_piece(segment, [&](std::size_t index, bool first) {
        const Rows piece = cut_.pieces[index];
        if (task % tasks == tiles.count) return sums_.add_gram(segment, rows_of(in, piece), first);
        const Rows tile = tiles[task % tasks];
        const MatrixView<T> columns(right.row(piece.first) + tile.first, piece.count, tile.count, right.stride);
        sums_.add_product(segment, tile, columns, rows_of(in, piece), first);
      });
    });
    file_.release();
  }
  note_done(due);
}

}  // namespace dladmm
