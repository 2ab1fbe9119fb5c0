#include "core/measure/products.hpp"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <limits>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/library.hpp"
#include "core/linalg/simd.hpp"
#include "core/parallel/samples.hpp"

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
  const MatrixView<T> rows =
      product == Product::back ? columns(parameters) : parameters.rows_from(part.first, part.count);
  switch (product) {
    case Product::gradient:
    case Product::image:
      return multiply<T>(product, input, columns(output), rows, T(0));
    case Product::back:
      return multiply<T>(product, columns(input), output, rows, T(0));
  }
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
  for (unsigned member = 0; member < threads; ++member) parameters.emplace_back(outputs, inputs);
  const std::size_t share = (samples + threads - 1) / threads;
  const SampleBlocks blocks{samples, way == Way::team_blocks ? std::min<std::size_t>(1024, share) : share};
  // Small numbers: a result fed back as an operand must not overflow.
  team.run([&](unsigned member) {
    blocks.each(member, threads, [&](Rows rows) {
      const auto fill = [&](MatrixView<T> m) {
        for (std::size_t i = 0; i < m.rows; ++i) std::fill_n(m.row(i), m.columns, static_cast<T>(1e-3));
      };
      fill(input.view().rows_from(rows.first, rows.count));
      fill(output.view().rows_from(rows.first, rows.count));
    });
    std::fill_n(parameters[member].flat().data(), outputs * inputs, static_cast<T>(1e-3));
  });

  double best = std::numeric_limits<double>::infinity();
  for (int repeat = 0; repeat < repeats; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    if (way == Way::openblas_threads) {
      const OpenBlasThreads scope(threads);
      multiply<T>(product, input.view(), output.view(), parameters[0].view(), T(0));
    } else if (way == Way::team_slices) {
      const std::size_t results = product == Product::back ? inputs : outputs;
      team.run([&](unsigned member) {
        SampleBlocks{results, results}.each(member, threads, [&](Rows part) {
          multiply_slice<T>(product, input.view(), output.view(), parameters[0].view(), part);
        });
      });
    } else {
      team.run([&](unsigned member) {
        T beta = 0;
        const std::size_t own = product == Product::gradient ? member : 0;
        blocks.each(member, threads, [&](Rows rows) {
          multiply<T>(product, input.view().rows_from(rows.first, rows.count),
                      output.view().rows_from(rows.first, rows.count), parameters[own].view(), beta);
          beta = 1;
        });
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
  const SampleBlocks shares{count, count};
  double best = std::numeric_limits<double>::infinity();
  // The first pass touches the memory.
  for (int repeat = -1; repeat < repeats; ++repeat) {
    const auto began = std::chrono::steady_clock::now();
    team.run([&](unsigned member) {
      shares.each(member, threads, [&](Rows part) {
        if (repeat < 0) {
          std::fill_n(x.data() + part.first, part.count, T(1));
        } else {
          simd::run<Scale<T>>(x.data() + part.first, part.count, repeat % 2 == 0 ? T(2) : T(0.5));
        }
      });
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
  const SampleBlocks shares{x.flat().size(), x.flat().size()};
  team.run([&](unsigned member) {
    shares.each(member, threads, [&](Rows part) {
      std::fill_n(x.flat().data() + part.first, part.count, T(1));
      std::fill_n(copy.flat().data() + part.first, part.count, T(0));
    });
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
      team.run([&](unsigned member) {
        shares.each(member, threads, [&](Rows part) {
          std::memcpy(copy.flat().data() + part.first, x.flat().data() + part.first, part.count * sizeof(T));
        });
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
