// The W_l update: a step against S_l, and how long it may be.
//
// A batch costs the products of a gradient method, 2B(3 Σ n_{l-1} n_l − n_0 n_1) flops, and S_l on top. (A_l + δ_l I)⁻¹
// meets D_lᵀ ã_{l-1}, row by row (running_gram.hpp says what a row costs), or ã_{l-1} where that has fewer rows. There
// the low-rank form needs no product of its own: with Y = ã U
//
//     D_lᵀ ã (A_l + δ_l I)⁻¹ ≈ (D_lᵀ ã − (D_lᵀ Y) M) / δ_l
//
// is one product, of D_l with −YᵀD_l below it and of ã with M below it: r rows more than the batch has.
//
// S_l is shortened where it would be longer than Polyak's rule has it (N. Loizou et al., AISTATS 2021, with a layer's
// share of the loss): by its gradient alone no step takes the batch's loss R below (1 − c_R) R,
//
//     S_l <- ν_l S_l,   ν_l = min(1, c_R R / (L t ⟨S_l, ∇_l⟩))
//
// where R counts from the least that it can be: 0, and of poisson what eᶻ = y makes it. ⟨S_l, ∇_l⟩ is found chunk by
// chunk, from S_l alone where ∇_l never stands anywhere: ⟨S, ∇⟩ = ⟨S, S (A_l + δ_l I)⟩ = δ_l ‖S‖² + ⟨S U H, S U⟩.
//
// With the metric P_l on the side of the multipliers too (metrics.cc) there is a trust region as well:
//
//     S_l = ν_l (P_l + π_l I)⁻¹ ∇_l (A_l + δ_l I)⁻¹,        ∇_l = D_lᵀ ã_{l-1} / B + λ[W_l b_l]
//     ν_l = min(1, √(κ / (L t² ⟨S_l, ∇_l⟩)))                a trust region: t²⟨S_l, ∇_l⟩ is at most κ/L
//
// t²⟨S, ∇⟩ is twice the Kullback–Leibler divergence by which a step t S changes what the model says, as far as the
// metric tells; t = η/(1 − μ), as momentum makes a step of it that many times over. With R = ∇_l (A_l + δ_l I)⁻¹ and
// (P_l + π_l I)⁻¹ ≈ (I − U M) / π_l
//
//     S = ν (R − U (M R)) / π,   ⟨S, ∇⟩ = ν (⟨R, ∇⟩ − ⟨M R, Uᵀ∇⟩) / π
//
// of which ⟨R, ∇⟩, M R and Uᵀ∇ are found chunk by chunk, while R and ∇ are in the cache.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <numeric>

#include "core/minibatch/state.hpp"

namespace dladmm {

// Of a batch of `all` samples, of which `count` are here.
template <typename T>
bool MinibatchState<T>::update_W(std::size_t l, std::size_t count, std::size_t all, const Step& step) {
  const Layer& it = of(l);
  const MatrixView<T> own = parameters(l);
  if (it.regularised) std::copy_n(own.data, own.rows * own.columns, old_.data());
  MatrixView<T> input = input_of(l, count);
  if (it.side == Side::input) {
    const MatrixView<T> prepared(prepared_.data(), count, input.columns);
    const Strips strips = Strips::of_about(count, 64);
    team_.run(strips.count(), product_flops(count, input.columns, input.columns), [&](std::size_t strip, unsigned) {
      const Rows rows = strips[strip];
      it.gram->apply(input.rows_from(rows), prepared.rows_from(rows), {});
    });
    input = prepared;
  } else if (it.side == Side::below) {
    // batch x (n_{l-1} + 1) times (n_{l-1} + 1) x r
    multiply<T>(team_, Op::none, Op::none, 1, input, it.gram->basis(), 0, {images_.data(), count, it.below});
    std::ranges::copy(it.gram->correction().flat(), it.input.view().row(count));
    input = it.input.view().rows_from(0, count + it.below);
  }
  std::atomic<bool> finite{true};
  const double flops = product_flops(setup_.network.outputs(l), input.rows, input.columns);
  const auto gradient_of = [&](std::size_t chunk, unsigned member) {
    const Rows out = it.chunks[chunk];
    if (is_bounded() && it.side != Side::gradient) return turned(l, out);
    T* const at = shared() ? gradient_.data() + it.first + out.first * own.columns : scratch_[member].gradient.data();
    return MatrixView<T>(at, out.count, own.columns);
  };
  const auto move = [&](std::size_t chunk, unsigned member) {
    const MatrixView<T> gradient = gradient_of(chunk, member);
    if (it.outer) return turn_rows(scratch_[member], l, gradient, chunk);
    if (is_bounded()) return hold_rows(scratch_[member], l, gradient, chunk, count, all);
    if (!update_rows(scratch_[member], l, gradient, it.chunks[chunk], step)) {
      finite.store(false, std::memory_order_relaxed);
    }
  };
  team_.run(it.chunks.count(), flops, [&](std::size_t chunk, unsigned member) {
    sum_rows(l, input, it.chunks[chunk], count, all, gradient_of(chunk, member));
    if (!shared()) move(chunk, member);
  });
  if (shared()) {
    setup_.share.sum(gradient_.span().subspan(it.first, own.rows * own.columns));
    team_.run(it.chunks.count(), kFlopsAnEntry * static_cast<double>(own.rows * own.columns), move);
  }
  double within = 1;
  if (is_held() && !step_W(l, step, within)) return false;
  return finite && (!it.regularised || split_W(l, within * reach(step)));
}

// R of the rows of a chunk, and what of ⟨S_l, ∇_l⟩ they tell.
template <typename T>
void MinibatchState<T>::turn_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk) {
  const Layer& it = of(l);
  const Rows out = it.chunks[chunk];
  const MatrixView<T> r = turned(l, out);
  const T l2 = static_cast<T>(setup_.gram.l2);
  if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, parameters(l).rows_from(out));
  it.gram->apply(gradient, r, {scratch.product.data(), out.count, it.gram->rank()});
  squares_[chunk] = elementwise::inner_product<T>(r, gradient);
  // q x rows times rows x (n_{l-1} + 1)
  const MatrixView<const T> m = it.outer->correction(), u = it.outer->basis();
  blas::gemm<T>(Op::none, Op::none, T(1), window(m, {0, m.rows}, out), r, T(0), seen(l, chunk, 0));
  blas::gemm<T>(Op::transpose, Op::none, T(1), u.rows_from(out), gradient, T(0), seen(l, chunk, 1));
}

// S_l of the rows of a chunk, and what of ⟨S_l, ∇_l⟩ they tell. `gradient` is ∇_l, or S_l where the product made it.
template <typename T>
void MinibatchState<T>::hold_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, std::size_t chunk,
                                  std::size_t count, std::size_t all) {
  const Layer& it = of(l);
  const Rows out = it.chunks[chunk];
  const MatrixView<T> s = turned(l, out);
  const MatrixView<T> product(scratch.product.data(), out.count, it.gram->rank());
  if (it.side == Side::below) {
    squares_[chunk] = it.gram->slope(s, product);
    return;
  }
  if (it.side == Side::input) {
    gradient = {scratch.gradient.data(), out.count, s.columns};
    sum_rows(l, input_of(l, count), out, count, all, gradient);
  } else {
    const T l2 = static_cast<T>(setup_.gram.l2);
    if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, parameters(l).rows_from(out));
    it.gram->apply(gradient, s, product);
  }
  squares_[chunk] = elementwise::inner_product<T>(s, gradient);
}

// How much of S_l is taken: t ν_l.
template <typename T>
double MinibatchState<T>::share_of(double slope, double t) const {
  // Of a step that is not taken nothing is kept: a longer one to come would make it more than is allowed.
  if (!(t > 0)) return 0;
  const auto layers = static_cast<double>(depth());
  double within = 1;
  if (setup_.output.used) {
    const double longest = setup_.output.trust / layers, length = t * t * slope;
    if (length > longest) within = std::sqrt(longest / length);
  }
  if (is_bounded()) {
    const double most = setup_.polyak * mean_excess_ / layers, foretold = t * slope;
    if (within * foretold > most) within = most / foretold;
  }
  return within;
}

// [W_l b_l] by ν_l S_l, of whose R or S turned_ has the rows; `within` <- ν_l. False where something is not finite.
template <typename T>
bool MinibatchState<T>::step_W(std::size_t l, const Step& step, double& within) {
  const Layer& it = of(l);
  const std::size_t chunks = it.chunks.count();
  double slope = std::accumulate(squares_.begin(), squares_.begin() + static_cast<std::ptrdiff_t>(chunks), 0.0);
  MatrixView<T> mr;
  double pi = 1;
  if (it.outer) {
    for (std::size_t chunk = 1; chunk < chunks; ++chunk) {
      for (const std::size_t which : {std::size_t{0}, std::size_t{1}}) {
        entrywise::each([](T more, T& to) DLADMM_INLINE { to += more; }, MatrixView<const T>(seen(l, chunk, which)),
                        seen(l, 0, which));
      }
    }
    mr = seen(l, 0, 0);
    pi = it.outer->damping();
    slope = (slope - elementwise::inner_product<T>(mr, seen(l, 0, 1))) / pi;
  }
  if (!std::isfinite(slope)) return false;
  within = share_of(slope, reach(step));
  const T factor = static_cast<T>(within / pi);
  std::atomic<bool> finite{true};
  const double flops = it.outer ? product_flops(setup_.network.outputs(l), 2 * mr.rows, mr.columns)
                                : kFlopsAnEntry * static_cast<double>(parameters(l).rows * parameters(l).columns);
  team_.run(chunks, flops, [&](std::size_t chunk, unsigned) {
    const Rows out = it.chunks[chunk];
    const MatrixView<T> s = turned(l, out);
    if (it.outer) {
      // rows x q times q x (n_{l-1} + 1)
      blas::gemm<T>(Op::none, Op::none, -factor, it.outer->basis().rows_from(out), mr, factor, s);
    } else if (factor != T(1)) {
      entrywise::each([factor](T& to) DLADMM_INLINE { to *= factor; }, s);
    }
    if (!move_rows(l, s, out, step)) finite.store(false, std::memory_order_relaxed);
  });
  return finite;
}

// gradient <- that of rows `out` of [W_l b_l] by `count` samples of `all`. `input` is ã_{l-1}, or what (A_l + δ_l
// I)⁻¹ has made of it, or ã_{l-1} with M below it.
template <typename T>
void MinibatchState<T>::sum_rows(std::size_t l, MatrixView<T> input, Rows out, std::size_t count, std::size_t all,
                                 MatrixView<T> gradient) {
  const Layer& it = of(l);
  const std::size_t r = it.gram->rank();
  const MatrixView<T> distance = it.distance.view();
  if (count == 0) {
    std::ranges::fill(gradient.flat(), T(0));
    return;
  }
  T scale = T(1) / static_cast<T>(all);
  if (it.side == Side::below) {
    // r x batch times batch x rows of W_l
    sum_products<T>(-1, {images_.data(), count, r}, window(distance, {0, count}, out), 0,
                    window(distance, {count, r}, out));
    scale = static_cast<T>(1 / (static_cast<double>(all) * it.gram->damping()));
  }
  // rows of W_l x (batch + below) times (batch + below) x (n_{l-1} + 1)
  const MatrixView<const T> moved = window(distance, {0, input.rows}, out);
  if (is_sparse(l)) {
    sum_products<T>(scale, moved, sparse_batch_.view(), 0, gradient);
  } else {
    sum_products<T>(scale, moved, input, 0, gradient);
  }
}

// Rows `out` of [W_l b_l], S_l and V_l by their gradient, while it is in the cache. False where something is not
// finite.
template <typename T>
bool MinibatchState<T>::update_rows(Scratch& scratch, std::size_t l, MatrixView<T> gradient, Rows out,
                                    const Step& step) {
  const Layer& it = of(l);
  const std::size_t r = it.gram->rank();
  MatrixView<T> direction = gradient;
  const MatrixView<T> own = parameters(l).rows_from(out);
  if (it.side == Side::gradient) {
    const T l2 = static_cast<T>(setup_.gram.l2);
    if (l2 != T(0)) elementwise::step_back<T>(gradient, -l2, own);
    direction = {scratch.direction.data(), out.count, gradient.columns};
    it.gram->apply(gradient, direction, {scratch.product.data(), out.count, r});
  }
  return move_rows(l, direction, out, step);
}

// Rows `out` of V_l or Z_l and [W_l b_l] by those of S_l.
template <typename T>
bool MinibatchState<T>::move_rows(std::size_t l, MatrixView<const T> direction, Rows out, const Step& step) {
  const MatrixView<T> own = parameters(l).rows_from(out);
  const T* const parts[] = {direction.data};
  T* const velocity = velocity_.size() == 0 ? nullptr : velocity_.data() + (own.data - parameters_.data());
  const Slice<T> all{own.data, out.count * own.columns, parts, velocity, 0};
  const bool finite = setup_.schedule_free
                          ? average_rows(AveragedStep<T>(setup_.momentum, step), all)
                          : dladmm::apply<T>(Sgd{setup_.momentum, 0, 0, setup_.nesterov}, corrected(step), all);
  copy_biases(l, out);
  return finite;
}

#define DLADMM_INSTANTIATE(T) \
  template bool MinibatchState<T>::update_W(std::size_t, std::size_t, std::size_t, const Step&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
