// The z_l subproblem of a hidden layer with a smooth activation, a block of entries at a time.
//
// With h(z) = (z − m) + ratio (f(z) − a) f'(z), half the derivative of the objective, a minimiser is where h changes
// from − to +. The global one is no worse than m, nor than the z that is there already: (z* − m)² is at most what
// either of them costs. Between these ends, and where f is no line, h is looked at in steps finer than the features of
// f; each change of sign is a bracket, in which Newton's method, held by bisection, finds the minimiser; the least
// counts. In a training the ends lie close to the solution, so there are few steps, and no more than one bracket as a
// rule.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>

#include "core/functions/activation.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

constexpr std::size_t kLanes = 16;
constexpr int kMostSteps = 200;
constexpr std::size_t kBrackets = 4;  // one more than any f of ours has been seen to have

template <typename T>
using Lanes = std::array<T, kLanes>;

template <typename T, typename F>
struct Nearest {
  static constexpr T kEpsilon = std::numeric_limits<T>::epsilon();
  static constexpr T kLargest = std::numeric_limits<T>::max() / 8;
  static constexpr T kInfinity = std::numeric_limits<T>::infinity();
  static constexpr T kStep = T(F::kScale / 4);
  static constexpr T kEdge = T(F::kReach);

  // The problems of a block, and the best that was found.
  struct Block {
    Lanes<T> m, a, start, low, high, first, last;
    Lanes<T> best, cost;
  };

  [[gnu::always_inline]] static inline T cost_of(T value, T z, T m, T a, T ratio) {
    const T miss = a - value;
    return (z - m) * (z - m) + ratio * (miss * miss);
  }

  // Where the global minimiser must lie, [low, high], and the part of it where f is no line, [first, last].
  [[gnu::always_inline]] static inline void bound(F f, T ratio, Block& it) {
#pragma omp simd
    for (std::size_t k = 0; k < kLanes; ++k) {
      const T at_m = f.at(it.m[k]).value;
      const T cost_m = cost_of(at_m, it.m[k], it.m[k], it.a[k], ratio);
      const T cost_start = cost_of(f.at(it.start[k]).value, it.start[k], it.m[k], it.a[k], ratio);
      const bool warm = cost_start < cost_m;
      it.best[k] = warm ? it.start[k] : it.m[k];
      it.cost[k] = kInfinity;
      const T least = warm ? cost_start : cost_m;
      const T slack = T(8) * kEpsilon * (T(1) + std::abs(it.m[k]));
      const T far = T(1.001) * std::sqrt(least < kLargest ? least : kLargest) + slack;
      const T reach = least < kLargest ? far : kLargest;
      // An increasing f comes nearer to a on one side of m alone.
      const bool up = it.a[k] > at_m;
      it.low[k] = std::max(F::kIncreases && up ? it.m[k] - slack : it.m[k] - reach, -kLargest);
      it.high[k] = std::min(F::kIncreases && !up ? it.m[k] + slack : it.m[k] + reach, kLargest);
      it.first[k] = std::min(std::max(it.low[k], -kEdge), it.high[k]);
      it.last[k] = std::max(std::min(it.high[k], kEdge), it.first[k]);
    }
  }

  // The minimiser in each bracket [from, to] that counts.
  [[gnu::always_inline]] static inline void refine(F f, T ratio, const Lanes<T>& from, const Lanes<T>& to,
                                                   const Lanes<T>& counts, Block& it) {
    Lanes<T> low = from;
    Lanes<T> high = to;
    Lanes<T> x{};
    Lanes<T> moved{};
    Lanes<T> open = counts;
#pragma omp simd
    for (std::size_t k = 0; k < kLanes; ++k) {
      const bool warm = it.start[k] > low[k] && it.start[k] < high[k];
      x[k] = warm ? it.start[k] : low[k] + (high[k] - low[k]) / T(2);
      moved[k] = high[k] - low[k];
    }
    for (int step = 0; step < kMostSteps; ++step) {
      T left = 0;
#pragma omp simd reduction(+ : left)
      for (std::size_t k = 0; k < kLanes; ++k) {
        const Jet<T> jet = f.at(x[k]);
        const T off = jet.value - it.a[k];
        const T h = (x[k] - it.m[k]) + ratio * off * jet.slope;
        const T rise = T(1) + ratio * (jet.slope * jet.slope + off * jet.bend);
        low[k] = h < T(0) ? x[k] : low[k];
        high[k] = h < T(0) ? high[k] : x[k];
        const T newton = x[k] - h / rise;
        const T size = std::abs(newton - x[k]);
        const bool held = newton >= low[k] && newton <= high[k] && size <= moved[k] / T(2);
        const T next = held ? newton : low[k] + (high[k] - low[k]) / T(2);
        moved[k] = std::abs(next - x[k]);
        const bool ends = moved[k] <= T(2) * kEpsilon * std::abs(next) || h == T(0);
        const T went = h == T(0) ? x[k] : next;
        x[k] = open[k] != T(0) ? went : x[k];
        open[k] = ends ? T(0) : open[k];
        left += open[k];
      }
      if (left == T(0)) break;
    }
#pragma omp simd
    for (std::size_t k = 0; k < kLanes; ++k) {
      const T cost = cost_of(f.at(x[k]).value, x[k], it.m[k], it.a[k], ratio);
      const bool better = counts[k] != T(0) && cost < it.cost[k];
      it.best[k] = better ? x[k] : it.best[k];
      it.cost[k] = better ? cost : it.cost[k];
    }
  }

  // Brackets of each lane, in the order in which they were found.
  struct Brackets {
    std::array<Lanes<T>, kBrackets> from, to;
    Lanes<T> count{};

    [[gnu::always_inline]] inline void add(const Lanes<T>& low, const Lanes<T>& high, const Lanes<T>& counts) {
      for (std::size_t s = 0; s < kBrackets; ++s) {
#pragma omp simd
        for (std::size_t k = 0; k < kLanes; ++k) {
          const bool here = counts[k] != T(0) && count[k] == T(s);
          from[s][k] = here ? low[k] : from[s][k];
          to[s][k] = here ? high[k] : to[s][k];
        }
      }
      for (std::size_t k = 0; k < kLanes; ++k) count[k] += counts[k];
    }
  };

  // Point 0 … points of a lane, from `low` over `first` and `last` to `high`; 0 and what lies just above it are among
  // them where f has a kink.
  [[gnu::always_inline]] static inline T point_of(const Block& it, std::size_t k, int point, int inner) {
    const T first = it.first[k];
    const T last = it.last[k];
    const auto between = [&](T from, T to, int i) {
      return std::min(from + static_cast<T>(i) / static_cast<T>(inner) * (to - from), to);
    };
    if (point == 0) return it.low[k];
    if constexpr (F::kKink) {
      const T kink = std::min(std::max(T(0), first), last);
      const T above = std::max(std::min(std::numeric_limits<T>::min(), last), first);
      if (point <= inner + 1) return between(first, kink, point - 1);
      if (point <= 2 * inner + 2) return between(above, last, point - inner - 2);
    } else {
      if (point <= inner + 1) return between(first, last, point - 1);
    }
    return it.high[k];
  }

  [[gnu::always_inline]] static inline void solve(F f, T ratio, Block& it) {
    bound(f, ratio, it);
    T widest = 0;
    for (std::size_t k = 0; k < kLanes; ++k) widest = std::max(widest, it.last[k] - it.first[k]);
    const int inner = std::max(1, static_cast<int>(std::ceil(widest / kStep)));
    const int points = F::kKink ? 2 * inner + 3 : inner + 2;
    Brackets brackets{};
    Lanes<T> from{};
    Lanes<T> to{};
    Lanes<T> falls{};
    Lanes<T> counts{};
    for (int point = 0; point <= points; ++point) {
      T any = 0;
      for (std::size_t k = 0; k < kLanes; ++k) to[k] = point_of(it, k, point, inner);
#pragma omp simd reduction(+ : any)
      for (std::size_t k = 0; k < kLanes; ++k) {
        const Jet<T> jet = f.at(to[k]);
        const T h = (to[k] - it.m[k]) + ratio * (jet.value - it.a[k]) * jet.slope;
        const T rises = h >= T(0) ? T(1) : T(0);
        counts[k] = falls[k] * rises;
        falls[k] = T(1) - rises;
        any += counts[k];
      }
      if (any != T(0)) brackets.add(from, to, counts);
      from = to;
    }
    for (std::size_t s = 0; s < kBrackets; ++s) {
      T any = 0;
      for (std::size_t k = 0; k < kLanes; ++k) {
        counts[k] = brackets.count[k] > T(s) ? T(1) : T(0);
        any += counts[k];
      }
      if (any != T(0)) refine(f, ratio, brackets.from[s], brackets.to[s], counts, it);
    }
  }

  [[gnu::always_inline]] static inline void run(F f, MatrixView<const T> P, const T* b, MatrixView<const T> a, T ratio,
                                                MatrixView<T> z) {
    Block it{};
    for (std::size_t i = 0; i < z.rows; ++i) {
      for (std::size_t j = 0; j < z.columns; j += kLanes) {
        for (std::size_t k = 0; k < kLanes; ++k) {
          const std::size_t at = std::min(j + k, z.columns - 1);  // the last entry fills the block up
          it.m[k] = P.row(i)[at] + b[at];
          it.a[k] = a.row(i)[at];
          it.start[k] = z.row(i)[at];
        }
        solve(f, ratio, it);
        for (std::size_t k = 0; k < std::min(kLanes, z.columns - j); ++k) {
          const bool finite = std::isfinite(it.m[k]) && std::isfinite(it.a[k]);
          z.row(i)[j + k] = finite ? it.best[k] : std::numeric_limits<T>::quiet_NaN();
        }
      }
    }
  }
};

}  // namespace

template <typename T>
void nearest_smooth(const Activation& activation, MatrixView<const T> P, std::span<const T> b, MatrixView<const T> a,
                    T ratio, MatrixView<T> z) {
  with_activation<T>(activation, [&]<typename F>(F f) {
    if constexpr (requires { f.at(T{}); }) {
      simd::run<Nearest<T, F>>(f, P, b.data(), a, ratio, z);
    } else {
      for (std::size_t i = 0; i < z.rows; ++i) {
        for (std::size_t j = 0; j < z.columns; ++j) z.row(i)[j] = f.nearest(P.row(i)[j] + b[j], a.row(i)[j], ratio);
      }
    }
  });
}

template void nearest_smooth<float>(const Activation&, MatrixView<const float>, std::span<const float>,
                                    MatrixView<const float>, float, MatrixView<float>);
template void nearest_smooth<double>(const Activation&, MatrixView<const double>, std::span<const double>,
                                     MatrixView<const double>, double, MatrixView<double>);

}  // namespace dladmm
