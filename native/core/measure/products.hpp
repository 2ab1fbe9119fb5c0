// How fast the machine multiplies: the floor that an iteration is measured against.
#pragma once

#include <cstddef>

#include "core/linalg/sparse.hpp"

namespace dladmm {

// The three products over samples that a sweep is made of, for a layer of n_in inputs and n_out outputs.
enum class Product {
  gradient,  // n_out x n_in  <- (samples x n_out)ᵀ (samples x n_in)
  image,     // samples x n_out <- (samples x n_in) (n_out x n_in)ᵀ
  back,      // samples x n_in <- (samples x n_out) (n_out x n_in)
};

enum class Way {
  openblas_threads,  // one call on whole matrices, OpenBLAS's own threads
  team_blocks,       // our team, blocks of 1,024 samples
  team_shares,       // our team, each member's whole share of the samples
  team_slices,       // our team, each member a share of the columns of the result, for a gradient of its rows
};

// Seconds of the fastest of `repeats` runs of one product, done in one way by `threads` threads.
template <typename T>
double product_seconds(Product product, Way way, std::size_t samples, std::size_t inputs, std::size_t outputs,
                       unsigned threads, int repeats);

// Seconds of the fastest of `repeats` passes x <- c x over `count` numbers, done by `threads` threads: two times
// count · sizeof(T) bytes moved.
template <typename T>
double pass_seconds(std::size_t count, unsigned threads, int repeats);

struct SparseSeconds {
  double product = 0;  // Y <- A X, X of so many columns
  double copy = 0;     // of X to another place: two times its bytes moved
};

// The fastest of `repeats` runs each, taking turns.
template <typename T>
SparseSeconds sparse_product_seconds(const CsrView<T>& a, std::size_t columns, unsigned threads, int repeats);

}  // namespace dladmm
