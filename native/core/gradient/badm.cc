#include "core/gradient/badm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/linalg/entrywise.hpp"

namespace dladmm {
namespace {

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

// w <- (σ w + Σ) / (σ + λ), where local(s, first, sum) adds what sub-batch s gives to a piece of Σ.
template <typename T, typename Local>
bool aggregate(const Slice<T>& slice, const Step& step, double sigma, double weight_decay, Local&& local) {
  const T keep = static_cast<T>(sigma);
  const T scale = static_cast<T>(1 / (sigma + weight_decay));
  return each_piece_of<T>(slice, [&](std::size_t first, MatrixView<T> sum) {
    for (std::size_t s = 0; s < step.weights.size(); ++s) {
      if (step.weights[s] != 0) local(s, first, sum);
    }
    return entrywise::all_finite<T>([=](T& w, T more) DLADMM_INLINE { return w = scale * (keep * w + more); },
                                    stretch(slice.parameters(), first, sum.columns), sum);
  });
}

}  // namespace

template <typename T>
bool apply(const Badm& method, const Step& step, const Slice<T>& slice) {
  const double both = method.rho + method.sigma;
  const T beta = static_cast<T>(method.rho / both);
  const T take = static_cast<T>(method.sigma / both);
  if (method.duals) {
    // π <- β π − (1 − β) g; Σ += α (2 π⁺ − π)
    return aggregate<T>(
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
  const T scale = static_cast<T>(1 / (method.sigma + method.weight_decay));
  const auto collapsed = [=](T& w, T g, T& momentum) DLADMM_INLINE {
    const T next = beta * momentum + take * g;
    w = scale * (sigma * w - (T(2) * next - momentum));
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
  return aggregate<T>(slice, step, method.sigma, method.weight_decay,
                      [&](std::size_t s, std::size_t first, MatrixView<T> sum) {
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

#define DLADMM_INSTANTIATE(T)                                        \
  template bool apply<T>(const Badm&, const Step&, const Slice<T>&); \
  template bool apply<T>(const Sisa&, const Step&, const Slice<T>&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
