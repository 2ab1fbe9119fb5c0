// Passes over the samples, and the one seam through which every sum over samples goes: gradients, Gram matrices,
// norms, losses. If the samples are ever spread over several processes, an all-reduce stands in SampleSums and no
// algorithm changes.
#pragma once

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include "core/linalg/blas.hpp"
#include "core/linalg/matrix.hpp"
#include "core/runtime/pieces.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

// Which samples each member of the team works on: one contiguous share, cut into blocks. The division depends on
// nothing but the three sizes, so a run repeats bit for bit for a given number of threads.
struct SampleBlocks {
  std::size_t samples;
  std::size_t block;

  template <typename Body>
  void each(unsigned member, unsigned members, Body&& body) const {
    const std::size_t begin = share(member, members);
    const std::size_t end = share(member + 1, members);
    for (std::size_t first = begin; first < end; first += block) body(Rows{first, std::min(block, end - first)});
  }

 private:
  [[nodiscard]] std::size_t share(unsigned member, unsigned members) const {
    const std::size_t whole = samples / members;
    const std::size_t rest = samples % members;
    return whole * member + std::min<std::size_t>(member, rest);
  }
};

// One accumulator for each member, added up in the order of the members. Scalars and columns are double.
template <typename T>
class SampleSums {
 public:
  static constexpr std::size_t kScalars = 9;

  // A matrix that is summed over the samples; nothing is added to it before its first product.
  struct MatrixSum {
    Buffer<T> matrix;
    bool started = false;

    // += Rᵀ A over the rows of a block
    void add(MatrixView<const T> r, MatrixView<const T> a) {
      blas::gemm<T>(blas::Op::transpose, blas::Op::none, T(1), r, a, started ? T(1) : T(0),
                    MatrixView<T>(matrix.data(), r.columns, a.columns));
      started = true;
    }
    // lower triangle += Aᵀ A over the rows of a block
    void add_gram(MatrixView<const T> a) {
      blas::syrk<T>(blas::Op::transpose, a, started ? T(1) : T(0), MatrixView<T>(matrix.data(), a.columns, a.columns));
      started = true;
    }
  };

  struct alignas(64) Partial {
    std::array<double, kScalars> scalars{};
    std::array<std::vector<double>, 2> columns;
    MatrixSum product;
    MatrixSum gram;
  };

  SampleSums() = default;
  SampleSums(unsigned members, std::size_t widest, std::size_t largest_product, std::size_t largest_gram)
      : partials_(members) {
    for (auto& partial : partials_) {
      for (auto& columns : partial.columns) columns.assign(widest, 0.0);
      partial.product.matrix = Buffer<T>(largest_product);
      partial.gram.matrix = Buffer<T>(largest_gram);
    }
  }

  void clear() {
    for (auto& partial : partials_) {
      partial.scalars.fill(0);
      for (auto& columns : partial.columns) std::fill(columns.begin(), columns.end(), 0.0);
      partial.product.started = false;
      partial.gram.started = false;
    }
  }

  [[nodiscard]] Partial& of(unsigned member) { return partials_[member]; }

  [[nodiscard]] double scalar(std::size_t i) const {
    double sum = 0;
    for (const auto& partial : partials_) sum += partial.scalars[i];
    return sum;
  }

  // NaN when any member's is: a comparison with it is false, so it must not decide.
  [[nodiscard]] double largest(std::size_t i) const {
    double largest = 0;
    for (const auto& partial : partials_) {
      const double value = partial.scalars[i];
      if (value > largest || std::isnan(value)) largest = value;
      if (std::isnan(largest)) break;
    }
    return largest;
  }

  // out[j] <- keep * out[j] + factor * (column sum j of set `which`); with keep = 0 the old value does not count, not
  // even NaN.
  void columns(std::size_t which, std::span<double> out, double factor, double keep) const {
    for (std::size_t j = 0; j < out.size(); ++j) {
      double sum = 0;
      for (const auto& partial : partials_) sum += partial.columns[which][j];
      out[j] = (keep == 0 ? 0 : keep * out[j]) + factor * sum;
    }
  }

  // out <- sum of the members' products
  void product(Team& team, MatrixView<T> out) const { add_up(team, out, &Partial::product, false); }
  // lower triangle of out <- sum of the members' Gram matrices
  void gram(Team& team, MatrixView<T> out) const { add_up(team, out, &Partial::gram, true); }

 private:
  void add_up(Team& team, MatrixView<T> out, MatrixSum Partial::*which, bool lower_only) const {
    team.run([&](unsigned member) {
      SampleBlocks{out.rows, std::max<std::size_t>(out.rows, 1)}.each(member, team.size(), [&](Rows rows) {
        for (std::size_t i = rows.first; i < rows.first + rows.count; ++i) {
          const std::size_t n = lower_only ? i + 1 : out.columns;
          T* const to = out.row(i);
          std::fill(to, to + n, T(0));
          for (const auto& partial : partials_) {
            const MatrixSum& sum = partial.*which;
            if (!sum.started) continue;
            const T* const from = sum.matrix.data() + i * out.columns;
            for (std::size_t j = 0; j < n; ++j) to[j] += from[j];
          }
        }
      });
    });
  }

  std::vector<Partial> partials_;
};

}  // namespace dladmm
