// SOAP (N. Vyas et al., ICLR 2025, arXiv 2409.11321): Adam in the eigenbasis of Shampoo's preconditioner. G is the
// gradient of W, r x c; the rows of U and V are eigenvectors.
//
//   L ← β₂ L + (1 − β₂) G Gᵀ,  R ← β₂ R + (1 − β₂) Gᵀ G     after the step
//   G' = U G Vᵀ;  M' ← β₁ M' + (1 − β₁) G';  S ← β₂ S + (1 − β₂) G'²
//   W ← (1 − γ λ)(W − γ √(1 − β₂ᵗ)/(1 − β₁ᵗ) · Uᵀ (M' / (√S + ε)) V)
//
// The first gradient only makes L, R, U and V, t counts from the second. Every k steps U ← the rows of U L, those of
// the largest uᵀLu first, made orthonormal in this order (one step of power iteration), likewise V, and M' follows. A
// side longer than `largest` is left as it is, and so are biases: Adam. What is kept of M' and S lies as W does.
#pragma once

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "core/gradient/network.hpp"
#include "core/gradient/optimiser.hpp"
#include "core/linalg/lapack.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/tiled.hpp"

namespace dladmm {

struct Soap {
  double beta1 = 0.95;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  std::size_t every = 10;       // k
  std::size_t largest = 10000;  // side of W that has a basis

  // M' and S.
  [[nodiscard]] std::size_t gradients() const { return 1; }
  [[nodiscard]] std::size_t states() const { return 2; }
  [[nodiscard]] double initial_state() const { return 0; }
};

// The constants of step t.
template <typename T>
struct SoapStep {
  SoapStep(const Soap& method, double rate, std::uint64_t t)
      : beta1(static_cast<T>(method.beta1)),
        take1(static_cast<T>(1 - method.beta1)),
        beta2(static_cast<T>(method.beta2)),
        take2(static_cast<T>(1 - method.beta2)),
        epsilon(static_cast<T>(method.epsilon)),
        scale(static_cast<T>(std::sqrt(1 - std::pow(method.beta2, static_cast<double>(t))) /
                             (1 - std::pow(method.beta1, static_cast<double>(t))))),
        stays(static_cast<T>(1 - rate * method.weight_decay)),
        far(static_cast<T>(rate)) {}

  [[nodiscard, gnu::always_inline]] T direction(T g, T& m, T& s) const {
    m = beta1 * m + take1 * g;
    s = beta2 * s + take2 * g * g;
    return scale * m / (std::sqrt(s) + epsilon);
  }
  [[nodiscard, gnu::always_inline]] T moved(T w, T d) const { return stays * (w - far * d); }

  T beta1, take1, beta2, take2, epsilon, scale, stays, far;
};

// Biases.
template <typename T>
bool apply(const Soap& method, const Step& step, const Slice<T>& slice) {
  if (step.number == 1) return true;
  const SoapStep<T> now(method, step.rate, step.number - 1);
  return entrywise::all_finite<T>([now](T& w, T g, T& m, T& s)
                                      DLADMM_INLINE { return w = now.moved(w, now.direction(g, m, s)); },
                                  slice.parameters(), slice.gradient(), slice.kept(0), slice.kept(1));
}

template <typename T>
class SoapBases {
 public:
  template <typename Plan>
  void declare(Plan& plan, const Soap& method, const Network& net) {
    std::size_t entries = 0, side = 0;
    layers_.resize(net.layers());
    for (std::size_t l = 1; l <= net.layers(); ++l) {
      Layer& it = layers_[l - 1];
      entries = std::max(entries, net.outputs(l) * net.inputs(l));
      for (auto& [which, n] : {std::pair{&it.left, net.outputs(l)}, std::pair{&it.right, net.inputs(l)}}) {
        if (n > method.largest) continue;
        plan.matrix(which->moment, n, n);
        plan.matrix(which->basis, n, n);
        side = std::max(side, n);
      }
    }
    for (Buffer<T>* const each : {&turned_, &next_}) plan.buffer(*each, entries);
    plan.buffer(image_, side, side);
    plan.buffer(eigen_, side, side);
    plan.buffer(values_, side);
    plan.buffer(eigen_work_, lapack::syev_work(side));
    plan.buffer(work_, lapack::orthonormalise_work(side));
    plan.vector(order_, side);
  }

  void reset() {
    for (Layer& it : layers_) {
      for (Side* const side : {&it.left, &it.right}) {
        std::ranges::fill(side->moment.flat(), T(0));
        std::ranges::fill(side->basis.flat(), T(0));
      }
    }
  }

  void add_sections(std::vector<Section>& out) {
    for (std::size_t l = 1; l <= layers_.size(); ++l) {
      for (const auto& [name, side] : {std::pair{"left", &layers_[l - 1].left}, {"right", &layers_[l - 1].right}}) {
        if (side->moment.empty()) continue;
        out.push_back(section(section_name(name, l), side->moment));
        out.push_back(section(section_name(name, l) + ".basis", side->basis));
      }
    }
  }

  // False where something is no longer finite. W, G, M', S: r x c.
  [[nodiscard]] bool step(Team& team, const Soap& method, const Step& now, std::size_t l, MatrixView<T> w,
                          MatrixView<const T> g, MatrixView<T> first, MatrixView<T> second) {
    Layer& it = layers_[l - 1];
    const std::uint64_t t = now.number - 1;
    if (t == 0) {
      take_in(team, method, it, g);
      return begin(it.left) && begin(it.right);
    }
    MatrixView<T> turned(turned_.data(), w.rows, w.columns);
    MatrixView<T> next(next_.data(), w.rows, w.columns);
    const auto copy = [&](MatrixView<const T> from, MatrixView<T> to) {
      each_piece(team, w.rows, w.columns,
                 [&](Rows rows, unsigned) { std::ranges::copy(from.rows_from(rows).flat(), to.row(rows.first)); });
    };
    const SoapStep<T> own(method, now.rate, t);
    copy(g, turned);
    turn(team, it, Op::none, turned, next);
    each_piece(team, w.rows, w.columns, [&](Rows rows, unsigned) {
      entrywise::each([own](T& x, T& m, T& s) DLADMM_INLINE { x = own.direction(x, m, s); }, turned.rows_from(rows),
                      first.rows_from(rows), second.rows_from(rows));
    });
    turn(team, it, Op::transpose, turned, next);
    const double lost = sum_pieces<double>(team, w.rows, w.columns, [&](Rows rows, unsigned) {
      const bool finite = entrywise::all_finite<T>([own](T& to, T d) DLADMM_INLINE { return to = own.moved(to, d); },
                                                   w.rows_from(rows), turned.rows_from(rows));
      return finite ? 0.0 : 1.0;
    });
    if (lost > 0) return false;
    take_in(team, method, it, g);
    if (t % method.every != 0) return true;
    copy(first, turned);
    turn(team, it, Op::transpose, turned, next);
    for (const bool left : {true, false}) {
      Side& side = left ? it.left : it.right;
      if (side.moment.empty()) continue;
      if (!improve(team, side)) return false;
      permute(second, next, left);
      copy(next, second);
    }
    turn(team, it, Op::none, turned, next);
    copy(turned, first);
    return true;
  }

 private:
  using Op = blas::Op;

  struct Side {
    Matrix<T> moment, basis;  // L, U; none of a side that is too long
  };
  struct Layer {
    Side left, right;
  };

  // L, R
  void take_in(Team& team, const Soap& method, Layer& it, MatrixView<const T> g) {
    const T keep = static_cast<T>(method.beta2);
    const T take = static_cast<T>(1 - method.beta2);
    // r x r += (r x c)(r x c)ᵀ, c x c += (r x c)ᵀ(r x c)
    if (!it.left.moment.empty()) {
      multiply<T>(team, Op::none, Op::transpose, take, g, g, keep, it.left.moment.view());
    }
    if (!it.right.moment.empty()) {
      multiply<T>(team, Op::transpose, Op::none, take, g, g, keep, it.right.moment.view());
    }
  }

  // x <- U x Vᵀ, or back: Uᵀ x V. Both views are swapped as products go.
  void turn(Team& team, const Layer& it, Op how, MatrixView<T>& x, MatrixView<T>& next) {
    if (!it.left.basis.empty()) {
      // r x c <- (r x r)(r x c)
      multiply<T>(team, how, Op::none, T(1), it.left.basis.view(), x, T(0), next);
      std::swap(x, next);
    }
    if (!it.right.basis.empty()) {
      // r x c <- (r x c)(c x c)
      const Op other = how == Op::none ? Op::transpose : Op::none;
      multiply<T>(team, Op::none, other, T(1), x, it.right.basis.view(), T(0), next);
      std::swap(x, next);
    }
  }

  // U <- the eigenvectors of L, that of the largest eigenvalue first
  [[nodiscard]] bool begin(Side& side) {
    const std::size_t n = side.moment.rows();
    if (n == 0) return true;
    const MatrixView<double> vectors(eigen_.data(), n, n);
    std::ranges::copy(side.moment.flat(), vectors.data);
    if (!std::ranges::all_of(vectors.flat(), [](double x) { return std::isfinite(x); })) return false;
    if (!lapack::syev(vectors, values_.span().first(n), eigen_work_.span())) return false;
    for (std::size_t i = 0; i < n; ++i) {
      std::transform(vectors.row(n - 1 - i), vectors.row(n - 1 - i) + n, side.basis.view().row(i),
                     [](double x) { return static_cast<T>(x); });
    }
    return true;
  }

  // One step of power iteration; order_ says which of the old rows each new one comes from. False where L is not
  // finite.
  [[nodiscard]] bool improve(Team& team, Side& side) {
    const std::size_t n = side.moment.rows();
    const MatrixView<T> basis = side.basis.view();
    const MatrixView<T> image(image_.data(), n, n);
    // n x n <- (n x n)(n x n)
    multiply<T>(team, Op::none, Op::none, T(1), basis, side.moment.view(), T(0), image);
    for (std::size_t i = 0; i < n; ++i) {
      values_.data()[i] = elementwise::inner_product<T>(basis.rows_from(i, 1), image.rows_from(i, 1));
    }
    if (!std::ranges::all_of(values_.span().first(n), [](double x) { return std::isfinite(x); })) return false;
    const std::span<std::size_t> order = std::span(order_).first(n);
    std::iota(order.begin(), order.end(), std::size_t{0});
    // Ties as they lie; stable_sort would allocate.
    std::ranges::sort(order, [&](std::size_t i, std::size_t j) {
      const double a = values_.data()[i], b = values_.data()[j];
      return a > b || (a == b && i < j);
    });
    for (std::size_t i = 0; i < n; ++i) std::copy_n(image.row(order[i]), n, basis.row(i));
    lapack::orthonormalise<T>(basis, work_.span());
    return true;
  }

  // The rows or columns of S in the order of the new basis
  void permute(MatrixView<const T> from, MatrixView<T> to, bool rows) const {
    for (std::size_t i = 0; i < to.rows; ++i) {
      for (std::size_t j = 0; j < to.columns; ++j) {
        to.row(i)[j] = rows ? from.row(order_[i])[j] : from.row(i)[order_[j]];
      }
    }
  }

  std::vector<Layer> layers_;
  Buffer<T> turned_, next_;  // as large as the largest W
  Buffer<T> image_, work_;
  Buffer<double> eigen_, values_, eigen_work_;
  std::vector<std::size_t> order_;
};

}  // namespace dladmm
