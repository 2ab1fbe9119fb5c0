// Consensus ADMM over sub-batches. A batch b is cut into sub-batches s with weights α_s (Σ α_s = 1), each with a copy
// w_s of the parameters and a dual π_s for w_s = w; λ is an optional ℓ2 weight.
//
// BADM (O. Wang, S. Zhou, G. Y. Li, arXiv 2407.01640), state carried from batch to batch:
//   w   = Σ α_s (σ w_s + π_s) / (σ + λ)              aggregate
//   w_s = w − (∇F_s(w) + π_s) / (ρ + σ)              one gradient each, all at w
//   π_s ← π_s + σ (w_s − w)
// Here a step begins with the gradients at w and ends with the next aggregate: after the step of batch b the parameters
// are w of batch b + 1. With β = ρ/(ρ + σ) the new dual is  π_s⁺ = β π_s − (1 − β) ∇F_s  and  w⁺ = (σ w + Σ α_s (2 π_s⁺
// − π_s)) / (σ + λ).  All of it is linear with coefficients that no sub-batch has of its own, so with fixed α_s the
// sums suffice:  m = −Σ α_s π_s,  ḡ = Σ α_s ∇F_s, the gradient of the whole batch,
//   m⁺ = β m + (1 − β) ḡ,   w⁺ = (σ w − (2 m⁺ − m)) / (σ + λ):
// one gradient and one vector of state, whatever the number of sub-batches. The π_s are kept only where they are asked
// for.
//
// SISA (S. Zhou et al., arXiv 2502.10784) scales each local step by the second moment v_s, which is not linear:
//   v_s ← β v_s + (1 − β)(g_s + π_s)²,   v̂_s = v_s / (1 − βᵗ)
//   w_s = w − (g_s + π_s) / (σ + ρ (√v̂_s + ε)),   π_s⁺ = π_s + σ (w_s − w)
//   w⁺ = Σ α_s (σ w_s + π_s⁺) / (σ + λ)
// It takes one gradient and two vectors of state a sub-batch, in one pass.
//
// A learning rate γ divides the penalties: σ/γ and ρ/γ in place of σ and ρ. β is what it was, and so is what a dual
// gains; the aggregates are  w⁺ = (σ w − γ (2 m⁺ − m)) / (σ + γ λ),  of SISA  w⁺ = (σ w + γ Σ α_s (2 π_s⁺ − π_s)) / (σ
// + γ λ).
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "core/gradient/optimiser.hpp"
#include "core/linalg/entrywise.hpp"

namespace dladmm {

struct Badm {
  double sigma = 1;
  double rho = 1;
  double weight_decay = 0;  // λ
  std::size_t sub_batches = 1;
  bool duals = false;  // keep every π_s: sub_batches gradients and vectors of state instead of one

  // Gradients a step takes and vectors it keeps: π_s in the order of the sub-batches, or m alone.
  [[nodiscard]] std::size_t gradients() const { return duals ? sub_batches : 1; }
  [[nodiscard]] std::size_t states() const { return gradients(); }
  [[nodiscard]] double initial_state() const { return 0; }
};

struct Sisa {
  double sigma = 1;
  double rho = 1;
  double beta = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;  // λ
  std::size_t sub_batches = 1;

  // π_s are states 0 … sub_batches − 1, v_s the ones after.
  [[nodiscard]] std::size_t gradients() const { return sub_batches; }
  [[nodiscard]] std::size_t states() const { return 2 * sub_batches; }
  [[nodiscard]] double initial_state() const { return 0; }
};

// Where several sub-batches add to one parameter, their sum is kept here: a piece stays in the first-level cache.
constexpr std::size_t kPiece = 1024;
template <typename T>
using Piece = std::array<T, kPiece>;

// `count` entries of a slice from `first` on.
template <typename T>
MatrixView<T> stretch(MatrixView<T> row, std::size_t first, std::size_t count) {
  return {row.data + first, 1, count};
}

// body(first, sum) for one piece of the slice after the other, `sum` all zero; whether all were finite.
template <typename T, typename Body>
bool each_piece_of(const Slice<T>& slice, Body&& body) {
  alignas(64) Piece<T> room;
  bool finite = true;
  for (std::size_t first = 0; first < slice.count; first += kPiece) {
    const std::size_t n = std::min(kPiece, slice.count - first);
    std::fill_n(room.data(), n, T(0));
    finite = body(first, MatrixView<T>(room.data(), 1, n)) && finite;
  }
  return finite;
}

// w <- (σ w + γ Σ) / (σ + γ λ), where local(s, first, sum) adds what sub-batch s gives to a piece of Σ.
template <typename T, typename Local>
bool aggregate_copies(const Slice<T>& slice, const Step& step, double sigma, double weight_decay, Local&& local) {
  const T keep = static_cast<T>(sigma);
  const T rate = static_cast<T>(step.rate);
  const T scale = static_cast<T>(1 / (sigma + step.rate * weight_decay));
  return each_piece_of<T>(slice, [&](std::size_t first, MatrixView<T> sum) {
    for (std::size_t s = 0; s < step.weights.size(); ++s) {
      if (step.weights[s] != 0) local(s, first, sum);
    }
    return entrywise::all_finite<T>([=](T& w, T more) DLADMM_INLINE { return w = scale * (keep * w + rate * more); },
                                    stretch(slice.parameters(), first, sum.columns), sum);
  });
}

// One fused pass over the slice. False where a parameter is no longer finite. A sub-batch of weight 0 has no samples:
// its gradient is not read and its state stays as it is. Badm without duals takes one gradient, of the whole batch, or
// one a sub-batch and forms their mean itself.
template <typename T>
bool apply(const Badm& method, const Step& step, const Slice<T>& slice) {
  const double both = method.rho + method.sigma;
  const T beta = static_cast<T>(method.rho / both);
  const T take = static_cast<T>(method.sigma / both);
  if (method.duals) {
    // π <- β π − (1 − β) g; Σ += α (2 π⁺ − π)
    return aggregate_copies<T>(
        slice, step, method.sigma, method.weight_decay, [&](std::size_t s, std::size_t first, MatrixView<T> sum) {
          entrywise::each(
              [=, alpha = static_cast<T>(step.weights[s])](T g, T& dual, T& to) DLADMM_INLINE {
                const T next = beta * dual - take * g;
                to += alpha * (T(2) * next - dual);
                dual = next;
              },
              stretch(slice.gradient(s), first, sum.columns), stretch(slice.kept(s), first, sum.columns), sum);
        });
  }
  const T sigma = static_cast<T>(method.sigma);
  const T rate = static_cast<T>(step.rate);
  const T scale = static_cast<T>(1 / (method.sigma + step.rate * method.weight_decay));
  const auto collapsed = [=](T& w, T g, T& momentum) DLADMM_INLINE {
    const T next = beta * momentum + take * g;
    w = scale * (sigma * w - rate * (T(2) * next - momentum));
    momentum = next;
    return w;
  };
  if (slice.g.size() == 1) {
    return entrywise::all_finite<T>(collapsed, slice.parameters(), slice.gradient(), slice.kept());
  }
  return each_piece_of<T>(slice, [&](std::size_t first, MatrixView<T> mean) {
    for (std::size_t s = 0; s < slice.g.size(); ++s) {
      entrywise::each([alpha = static_cast<T>(step.weights[s])](T g, T& to) DLADMM_INLINE { to += alpha * g; },
                      stretch(slice.gradient(s), first, mean.columns), mean);
    }
    return entrywise::all_finite<T>(collapsed, stretch(slice.parameters(), first, mean.columns), mean,
                                    stretch(slice.kept(), first, mean.columns));
  });
}

template <typename T>
bool apply(const Sisa& method, const Step& step, const Slice<T>& slice) {
  const double seen = 1 - std::pow(method.beta, static_cast<double>(step.number));
  const T beta = static_cast<T>(method.beta);
  const T take = static_cast<T>(1 - method.beta);
  const T root = static_cast<T>(1 / std::sqrt(seen));
  const T epsilon = static_cast<T>(method.epsilon);
  const T sigma = static_cast<T>(method.sigma);
  const T rho = static_cast<T>(method.rho);
  // v <- β v + (1 − β)(g + π)²; d = (g + π)/(σ + ρ(√v̂ + ε)); π <- π − σ d; Σ += α (π⁺ − σ d)
  return aggregate_copies<T>(
      slice, step, method.sigma, method.weight_decay, [&](std::size_t s, std::size_t first, MatrixView<T> sum) {
        entrywise::each(
            [=, alpha = static_cast<T>(step.weights[s])](T g, T& dual, T& second, T& to) DLADMM_INLINE {
              const T direction = g + dual;
              second = beta * second + take * direction * direction;
              const T move = sigma * direction / (sigma + rho * (std::sqrt(second) * root + epsilon));
              dual -= move;
              to += alpha * (dual - move);
            },
            stretch(slice.gradient(s), first, sum.columns), stretch(slice.kept(s), first, sum.columns),
            stretch(slice.kept(method.sub_batches + s), first, sum.columns), sum);
      });
}

}  // namespace dladmm
