#include "core/measure/products.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/library.hpp"
#include "core/linalg/simd.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {
namespace {

// OpenBLAS's thread count is global to the process: borrowed for one measurement.
class OpenBlasThreads {
 public:
  explicit OpenBlasThreads(unsigned count) { blas::set_own_threads(static_cast<int>(count)); }
  ~OpenBlasThreads() { blas::set_own_threads(1); }
  OpenBlasThreads(const OpenBlasThreads&) = delete;
  OpenBlasThreads& operator=(const OpenBlasThreads&) = delete;
};

template <typename T>
void multiply(Product product, MatrixView<T> input, MatrixView<T> output, MatrixView<T> parameters, T beta) {
  using blas::Op;
  switch (product) {
    case Product::gradient:
      return blas::gemm<T>(Op::transpose, Op::none, T(1), output, input, beta, parameters);
    case Product::image:
      return blas::gemm<T>(Op::none, Op::transpose, T(1), input, parameters, T(0), output);
    case Product::back:
      return blas::gemm<T>(Op::none, Op::none, T(1), output, parameters, T(0), input);
  }
}

// The part of a product whose result is columns [first, first + count), of a gradient rows.
template <typename T>
void multiply_slice(Product product, MatrixView<T> input, MatrixView<T> output, MatrixView<T> parameters, Rows part) {
  const auto columns = [&](MatrixView<T> m) {
    return MatrixView<T>(m.data + part.first, m.rows, part.count, m.stride);
  };
  const MatrixView<T> rows = product == Product::back ? columns(parameters) : parameters.rows_from(part);
  switch (product) {
    case Product::gradient:
    case Product::image:
      return multiply<T>(product, input, columns(output), rows, T(0));
    case Product::back:
      return multiply<T>(product, columns(input), output, rows, T(0));
  }
}

// body(share, rows) for as many equal shares of `total` as there are threads.
template <typename Body>
void each_share(Team& team, unsigned threads, std::size_t total, Body&& body) {
  constexpr double worth_all = 1e15;
  const Pieces shares{total, threads};
  team.run(shares.count, worth_all, [&](std::size_t share, unsigned) {
    if (shares[share].count > 0) body(share, shares[share]);
  });
}

template <typename T>
struct Scale {
  [[gnu::always_inline]] static inline void run(T* x, std::size_t n, T c) {
#pragma omp simd
    for (std::size_t i = 0; i < n; ++i) x[i] *= c;
  }
};

}  // namespace

template <typename T>
double product_seconds(Product product, Way way, std::size_t samples, std::size_t inputs, std::size_t outputs,
                       unsigned threads, int repeats) {
  Team team(threads);
  Matrix<T> input(samples, inputs);
  Matrix<T> output(samples, outputs);
  std::vector<Matrix<T>> parameters;
  for (unsigned share = 0; share < threads; ++share) parameters.emplace_back(outputs, inputs);
  // Small numbers: a result fed back as an operand must not overflow.
  each_share(team, threads, samples, [&](std::size_t share, Rows rows) {
    const auto fill = [](std::span<T> m) { std::ranges::fill(m, static_cast<T>(1e-3)); };
    fill(input.view().rows_from(rows).flat());
    fill(output.view().rows_from(rows).flat());
    fill(parameters[share].flat());
  });

  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    if (way == Way::openblas_threads) {
      const OpenBlasThreads scope(threads);
      multiply<T>(product, input.view(), output.view(), parameters[0].view(), T(0));
    } else if (way == Way::team_slices) {
      const std::size_t results = product == Product::back ? inputs : outputs;
      each_share(team, threads, results, [&](std::size_t, Rows part) {
        multiply_slice<T>(product, input.view(), output.view(), parameters[0].view(), part);
      });
    } else {
      each_share(team, threads, samples, [&](std::size_t share, Rows rows) {
        const Pieces blocks = pieces_of(rows.count, way == Way::team_blocks ? 1024 : rows.count);
        for (std::size_t i = 0; i < blocks.count; ++i) {
          const Rows block{rows.first + blocks[i].first, blocks[i].count};
          multiply<T>(product, input.view().rows_from(block), output.view().rows_from(block),
                      parameters[product == Product::gradient ? share : 0].view(), i == 0 ? T(0) : T(1));
        }
      });
    }
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

template <typename T>
double pass_seconds(std::size_t count, unsigned threads, int repeats) {
  Team team(threads);
  const Buffer<T> x(count);
  double best = std::numeric_limits<double>::infinity();
  // The first pass touches the memory.
  for (int repeat = -1; repeat < repeats; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    each_share(team, threads, count, [&](std::size_t, Rows part) {
      if (repeat < 0) {
        std::fill_n(x.data() + part.first, part.count, T(1));
      } else {
        simd::run<Scale<T>>(x.data() + part.first, part.count, repeat % 2 == 0 ? T(2) : T(0.5));
      }
    });
    if (repeat < 0) continue;
    best = std::min(best, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  }
  return best;
}

template <typename T>
SparseSeconds sparse_product_seconds(const CsrView<T>& a, std::size_t columns, unsigned threads, int repeats) {
  Team team(threads);
  const Matrix<T> x(a.columns, columns);
  const Matrix<T> y(a.rows, columns);
  const Matrix<T> copy(a.columns, columns);
  const std::size_t entries = x.flat().size();
  each_share(team, threads, entries, [&](std::size_t, Rows part) {
    std::fill_n(x.flat().data() + part.first, part.count, T(1));
    std::fill_n(copy.flat().data() + part.first, part.count, T(0));
  });
  SparseSeconds best{std::numeric_limits<double>::infinity(), std::numeric_limits<double>::infinity()};
  const auto timed = [&](double& seconds, auto&& work) {
    const auto began = std::chrono::steady_clock::now();
    work();
    seconds = std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count());
  };
  for (int repeat = 0; repeat < repeats; ++repeat) {
    timed(best.product, [&] { dladmm::multiply<T>(team, a, x.view(), y.view()); });
    timed(best.copy, [&] {
      each_share(team, threads, entries, [&](std::size_t, Rows part) {
        std::memcpy(copy.flat().data() + part.first, x.flat().data() + part.first, part.count * sizeof(T));
      });
    });
  }
  return best;
}

template SparseSeconds sparse_product_seconds<float>(const CsrView<float>&, std::size_t, unsigned, int);
template SparseSeconds sparse_product_seconds<double>(const CsrView<double>&, std::size_t, unsigned, int);
template double pass_seconds<float>(std::size_t, unsigned, int);
template double pass_seconds<double>(std::size_t, unsigned, int);
template double product_seconds<float>(Product, Way, std::size_t, std::size_t, std::size_t, unsigned, int);
template double product_seconds<double>(Product, Way, std::size_t, std::size_t, std::size_t, unsigned, int);

}  // namespace dladmm
