#include "core/gradient/badm.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/linalg/simd.hpp"

namespace dladmm {
namespace {

template <typename T>
struct CollapsedConstants {
  T beta, take, sigma, scale;
};

template <typename T>
struct Collapsed {
  [[gnu::always_inline]] static inline T run(T* w, const T* g, T* momentum, std::size_t n, CollapsedConstants<T> c) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T m = momentum[j];
      const T m_next = c.beta * m + c.take * g[j];
      const T next = c.scale * (c.sigma * w[j] - (T(2) * m_next - m));
      momentum[j] = m_next;
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

// out += α g
template <typename T>
struct AddScaled {
  [[gnu::always_inline]] static inline void run(const T* g, T* out, std::size_t n, T alpha) {
#pragma omp simd
    for (std::size_t j = 0; j < n; ++j) out[j] += alpha * g[j];
  }
};

// Where several sub-batches add to one parameter, their sum is kept here: a piece stays in the first-level cache.
constexpr std::size_t kPiece = 1024;
template <typename T>
using Piece = std::array<T, kPiece>;

// π <- β π − (1 − β) g; sum += α (2 π⁺ − π)
template <typename T>
struct LinearLocal {
  [[gnu::always_inline]] static inline void run(const T* g, T* dual, T* sum, std::size_t n, T beta, T take, T alpha) {
#pragma omp simd
    for (std::size_t j = 0; j < n; ++j) {
      const T p = dual[j];
      const T p_next = beta * p - take * g[j];
      dual[j] = p_next;
      sum[j] += alpha * (T(2) * p_next - p);
    }
  }
};

template <typename T>
struct SisaConstants {
  T beta, take, root, epsilon, sigma, rho;
};

// v <- β v + (1 − β)(g + π)²; d = (g + π)/(σ + ρ(√v̂ + ε)); π <- π − σ d; sum += α (π⁺ − σ d)
template <typename T>
struct ScaledLocal {
  [[gnu::always_inline]] static inline void run(const T* g, T* dual, T* second, T* sum, std::size_t n,
                                                SisaConstants<T> c, T alpha) {
#pragma omp simd
    for (std::size_t j = 0; j < n; ++j) {
      const T direction = g[j] + dual[j];
      const T v = c.beta * second[j] + c.take * direction * direction;
      const T move = c.sigma * direction / (c.sigma + c.rho * (std::sqrt(v) * c.root + c.epsilon));
      const T p_next = dual[j] - move;
      second[j] = v;
      dual[j] = p_next;
      sum[j] += alpha * (p_next - move);
    }
  }
};

// w <- (σ w + sum) / (σ + λ)
template <typename T>
struct Aggregate {
  [[gnu::always_inline]] static inline T run(T* w, const T* sum, std::size_t n, T sigma, T scale) {
    T doubt = 0;
#pragma omp simd reduction(+ : doubt)
    for (std::size_t j = 0; j < n; ++j) {
      const T next = scale * (sigma * w[j] + sum[j]);
      w[j] = next;
      doubt += next - next;
    }
    return doubt;
  }
};

// local(s, offset, n, sum) adds what sub-batch s gives to a piece of the aggregate.
template <typename T, typename Local>
bool aggregate(const Slice<T>& slice, const Step& step, double sigma, double weight_decay, Local&& local) {
  const T scale = static_cast<T>(1 / (sigma + weight_decay));
  alignas(64) Piece<T> sum;
  T doubt = 0;
  for (std::size_t first = 0; first < slice.count; first += kPiece) {
    const std::size_t n = std::min(kPiece, slice.count - first);
    std::fill_n(sum.data(), n, T(0));
    for (std::size_t s = 0; s < step.weights.size(); ++s) {
      if (step.weights[s] != 0) local(s, first, n, sum.data());
    }
    doubt +=
        simd::run<Aggregate<T>>(slice.w + first, static_cast<const T*>(sum.data()), n, static_cast<T>(sigma), scale);
  }
  return doubt == T(0);
}

}  // namespace

template <typename T>
bool apply(const Badm& method, const Step& step, const Slice<T>& slice) {
  const double sum = method.rho + method.sigma;
  const T beta = static_cast<T>(method.rho / sum);
  const T take = static_cast<T>(method.sigma / sum);
  if (!method.duals) {
    const CollapsedConstants<T> constants{beta, take, static_cast<T>(method.sigma),
                                          static_cast<T>(1 / (method.sigma + method.weight_decay))};
    if (slice.g.size() == 1) {
      return simd::run<Collapsed<T>>(slice.w, slice.g[0], slice.state, slice.count, constants) == T(0);
    }
    alignas(64) Piece<T> mean;
    T doubt = 0;
    for (std::size_t first = 0; first < slice.count; first += kPiece) {
      const std::size_t n = std::min(kPiece, slice.count - first);
      std::fill_n(mean.data(), n, T(0));
      for (std::size_t s = 0; s < slice.g.size(); ++s) {
        simd::run<AddScaled<T>>(slice.g[s] + first, mean.data(), n, static_cast<T>(step.weights[s]));
      }
      doubt += simd::run<Collapsed<T>>(slice.w + first, static_cast<const T*>(mean.data()), slice.state + first, n,
                                       constants);
    }
    return doubt == T(0);
  }
  return aggregate(slice, step, method.sigma, method.weight_decay,
                   [&](std::size_t s, std::size_t first, std::size_t n, T* to) {
                     simd::run<LinearLocal<T>>(slice.g[s] + first, slice.state + s * slice.state_stride + first, to, n,
                                               beta, take, static_cast<T>(step.weights[s]));
                   });
}

template <typename T>
bool apply(const Sisa& method, const Step& step, const Slice<T>& slice) {
  const double seen = 1 - std::pow(method.beta, static_cast<double>(step.number));
  const SisaConstants<T> constants{
      static_cast<T>(method.beta),    static_cast<T>(1 - method.beta), static_cast<T>(1 / std::sqrt(seen)),
      static_cast<T>(method.epsilon), static_cast<T>(method.sigma),    static_cast<T>(method.rho),
  };
  return aggregate(slice, step, method.sigma, method.weight_decay,
                   [&](std::size_t s, std::size_t first, std::size_t n, T* to) {
                     T* const dual = slice.state + s * slice.state_stride + first;
                     simd::run<ScaledLocal<T>>(slice.g[s] + first, dual, dual + method.sub_batches * slice.state_stride,
                                               to, n, constants, static_cast<T>(step.weights[s]));
                   });
}

#define DLADMM_INSTANTIATE(T)                                        \
  template bool apply<T>(const Badm&, const Step&, const Slice<T>&); \
  template bool apply<T>(const Sisa&, const Step&, const Slice<T>&);
DLADMM_INSTANTIATE(float)
DLADMM_INSTANTIATE(double)
#undef DLADMM_INSTANTIATE

}  // namespace dladmm
