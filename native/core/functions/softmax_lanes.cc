#include "core/functions/softmax_lanes.hpp"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <limits>

#include "core/functions/elementary.hpp"
#include "core/linalg/entrywise.hpp"
#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

constexpr std::size_t kLanes = SoftmaxLanes::kLanes;
constexpr int kNewtonLimit = 60;

template <typename Body>
[[gnu::always_inline]] inline void each_lane(Body&& body) {
#pragma omp simd
  for (std::size_t l = 0; l < kLanes; ++l) body(l);
}

// The argmin over z of −log softmax(z)_label + uᵀz + (ρ/2)‖z − m‖².
//
// The gradient is p(z) − y + u + ρ(z − m). Its entries sum to Σu + ρΣ(z − m), so the minimiser has mean(z − m) =
// −mean(u)/ρ exactly; with z = m + shift + d and u centred, what is left is a problem in Σd = 0, free of the large
// common shift that a small ρ would bring. With D = ρI + diag(p), the Hessian D − ppᵀ is inverted by its rank-one
// form; because Σg = 0 it becomes Δ = −D⁻¹(g − λp) with λ = Σ(g/D) / Σ(p/D): no cancellation however small ρ is. A step
// keeps Σd as it is, also what rounding left of it, and ρ may be large: d is centred afresh.
//
// From one sweep to the next the solution moves little, so Newton's method from the given z is there in a few steps.
struct Newton {
  using Lanes = SoftmaxLanes::Lanes;

  // What every lane needs of its n entries.
  struct Entries {
    std::size_t n;
    const double* m;
    double* u;  // centred
    double* d;
    double* trial;
    double* p;
    double* g;
  };
  struct Gradient {
    Lanes largest;  // not finite where an entry is not
    Lanes floor;    // what rounding alone may leave of it
  };

  // mean <- Σ_i v_i / n, and v <- v − mean
  [[gnu::always_inline]] static inline Lanes centre(std::size_t n, double* v) {
    Lanes mean{};
    for (std::size_t i = 0; i < n; ++i) each_lane([&](std::size_t l) DLADMM_INLINE { mean[l] += v[i * kLanes + l]; });
    each_lane([&](std::size_t l) DLADMM_INLINE { mean[l] /= static_cast<double>(n); });
    for (std::size_t i = 0; i < n; ++i) each_lane([&](std::size_t l) DLADMM_INLINE { v[i * kLanes + l] -= mean[l]; });
    return mean;
  }

  // p <- softmax(m + at), g <- p − y + u + ρ at
  [[gnu::always_inline]] static inline Gradient gradient(const SoftmaxLanes& its, const Entries& e, const double* at) {
    Lanes top, size, sum{}, check{};
    top.fill(-std::numeric_limits<double>::infinity());
    size.fill(1);
    for (std::size_t i = 0; i < e.n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        const double logit = e.m[k] + at[k];
        const double pull = its.rho[l] * std::abs(at[k]);
        top[l] = std::max(top[l], logit);
        size[l] = std::max(std::max(size[l], std::abs(logit)), std::max(pull, std::abs(e.u[k])));
      });
    }
    for (std::size_t i = 0; i < e.n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        e.p[k] = exp_of_negative(e.m[k] + at[k] - top[l]);
        sum[l] += e.p[k];
      });
    }
    Gradient found{};
    for (std::size_t i = 0; i < e.n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        e.p[k] /= sum[l];
        const double on = its.label[l] == static_cast<double>(i) ? 1 : 0;
        e.g[k] = e.p[k] + e.u[k] + its.rho[l] * at[k] - on;
        found.largest[l] = std::max(found.largest[l], std::abs(e.g[k]));
        check[l] += e.g[k] - e.g[k];
      });
    }
    each_lane([&](std::size_t l) DLADMM_INLINE {
      found.largest[l] += check[l];
      found.floor[l] = 8 * std::numeric_limits<double>::epsilon() * size[l];
    });
    return found;
  }

  // trial <- d − (g − λp)/(ρ + p) with λ = Σ(g/(ρ + p)) / Σ(p/(ρ + p)), centred
  [[gnu::always_inline]] static inline void step(const SoftmaxLanes& its, const Entries& e) {
    Lanes sum_g{}, sum_p{};
    for (std::size_t i = 0; i < e.n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        e.trial[k] = 1 / (its.rho[l] + e.p[k]);
        sum_g[l] += e.g[k] * e.trial[k];
        sum_p[l] += e.p[k] * e.trial[k];
      });
    }
    for (std::size_t i = 0; i < e.n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        e.trial[k] = e.d[k] - (e.g[k] - sum_g[l] / sum_p[l] * e.p[k]) * e.trial[k];
      });
    }
    centre(e.n, e.trial);
  }

  [[gnu::always_inline]] static inline void run(SoftmaxLanes* lanes, std::size_t n, double* work) {
    SoftmaxLanes& its = *lanes;
    const Entries e{
        n, its.m.data(), work, work + n * kLanes, work + 2 * n * kLanes, work + 3 * n * kLanes, work + 4 * n * kLanes};
    std::copy_n(its.u.data(), n * kLanes, e.u);
    for (std::size_t k = 0; k < n * kLanes; ++k) e.d[k] = its.z[k] - its.m[k];
    const Lanes mean_u = centre(n, e.u);
    centre(n, e.d);

    const Gradient first = gradient(its, e, e.d);
    Lanes going{};
    its.stationarity = first.largest;
    its.steps = {};
    each_lane([&](std::size_t l) DLADMM_INLINE {
      going[l] = its.stationarity[l] > its.tolerance[l] ? 1 : 0;
      // False for a NaN.
      its.solved[l] = std::abs(its.stationarity[l]) <= std::numeric_limits<double>::max() ? 1 : 0;
    });
    for (int count = 0; count < kNewtonLimit; ++count) {
      double left = 0;
      for (const double one : going) left += one;
      if (left == 0) break;
      step(its, e);
      const Gradient after = gradient(its, e, e.trial);
      Lanes taken{};
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const double before = its.stationarity[l];
        const bool near = after.largest[l] <= before / 2;
        taken[l] = going[l] > 0 && after.largest[l] < before ? 1 : 0;
        its.steps[l] += going[l];
        its.stationarity[l] = taken[l] > 0 ? after.largest[l] : before;
        // Rounding has the last word; above that the solution is far.
        its.solved[l] = going[l] > 0 && !near && its.stationarity[l] > after.floor[l] ? 0 : its.solved[l];
        going[l] = going[l] > 0 && near && its.stationarity[l] > its.tolerance[l] ? 1 : 0;
      });
      for (std::size_t i = 0; i < n; ++i) {
        each_lane([&](std::size_t l) DLADMM_INLINE {
          const std::size_t k = i * kLanes + l;
          e.d[k] = taken[l] > 0 ? e.trial[k] : e.d[k];
        });
      }
    }
    for (std::size_t i = 0; i < n; ++i) {
      each_lane([&](std::size_t l) DLADMM_INLINE {
        const std::size_t k = i * kLanes + l;
        its.z[k] = (e.m[k] - mean_u[l] / its.rho[l]) + e.d[k];
      });
    }
  }
};

}  // namespace

void solve_softmax_lanes(SoftmaxLanes& lanes, std::size_t n, std::span<double> work) {
  assert(lanes.m.size() == n * kLanes && lanes.u.size() == n * kLanes && lanes.z.size() == n * kLanes);
  assert(work.size() >= SoftmaxLanes::work_size(n));
  simd::run<Newton>(&lanes, n, work.data());
}

}  // namespace dladmm
