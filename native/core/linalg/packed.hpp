// Products with a matrix that stays as it is, as the weights of a trained network do: laid out once in the order in
// which a product reads them. A product with one sample then runs at the speed at which memory is read, one with many
// at the speed of the multiplier; OpenBLAS lays them out anew in every call.
#pragma once

#include <array>
#include <cstddef>

#include "core/linalg/blas.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/sparse.hpp"

namespace dladmm {

// Whether a product comes in the place of what stood in the result, or is added to it.
enum class Onto { nothing, result };

// Memory that will be wanted soon. Products ask the processor for it a line at a time while they compute, so that the
// memory works while the multiplier does.
class Ahead {
 public:
  template <typename T>
  void add(MatrixView<T> rows) {
    if (count_ == spans_.size() || rows.data == nullptr || rows.rows == 0) return;
    const auto* const begin = reinterpret_cast<const char*>(rows.data);
    spans_[count_++] = {begin, begin + rows.rows * rows.stride * sizeof(T)};
  }
  // Where the next so many lines begin; `none` where nothing is left.
  [[nodiscard]] const char* take(std::size_t lines, const void* none) {
    if (at_ == count_) return static_cast<const char*>(none);
    auto& [begin, end] = spans_[at_];
    const char* const from = begin;
    begin += lines * kLine;
    if (begin >= end) ++at_;
    return from;
  }
  [[nodiscard]] std::size_t bytes() const {
    std::size_t bytes = 0;
    for (std::size_t i = at_; i < count_; ++i) bytes += static_cast<std::size_t>(spans_[i].end - spans_[i].begin);
    return bytes;
  }
  static constexpr std::size_t kLine = 64;

 private:
  struct Span {
    const char* begin;
    const char* end;
  };
  std::array<Span, 8> spans_;
  std::size_t count_ = 0;
  std::size_t at_ = 0;
};

// W, outputs x inputs, in panels of as many outputs as the processor multiplies at once: of a panel, the weights of
// input 0 for each of its outputs, then those of input 1, … The last panel is filled up with zeros.
template <typename T>
class PackedMatrix {
 public:
  PackedMatrix() = default;
  PackedMatrix(std::size_t outputs, std::size_t inputs);  // zero
  [[nodiscard]] static double required_bytes(std::size_t outputs, std::size_t inputs);

  void assign(MatrixView<const T> W) {  // outputs x inputs
    assign(blas::Op::transpose, T(1), W, 0, panels_);
  }
  // Of M, inputs x outputs, `count` panels from the first on: M <- factor op(w).
  void assign(blas::Op op, T factor, MatrixView<const T> w, std::size_t first, std::size_t count);

  [[nodiscard]] std::size_t outputs() const { return outputs_; }
  [[nodiscard]] std::size_t inputs() const { return inputs_; }
  // The outputs with those of the zeros.
  [[nodiscard]] std::size_t padded_outputs() const { return panels_ * panel_; }

  [[nodiscard]] std::size_t panels() const { return panels_; }
  [[nodiscard]] std::size_t panel() const { return panel_; }

  // out <- x Wᵀ. x: samples x inputs, out: samples x padded outputs. Every entry is one sum in the order of the inputs:
  // it has the same bits whatever the other samples are, and however many.
  void multiply(MatrixView<const T> x, MatrixView<T> out) const { multiply(x, 0, panels_, out); }
  // The same for `count` panels from the first on; out: samples x count · panel, what pads it being of no account.
  void multiply(MatrixView<const T> x, std::size_t first, std::size_t count, MatrixView<T> out) const;
  // out <- x Wᵀ of sparse samples; out: samples x padded outputs. Every entry is one sum in the order of its row.
  void multiply(const CsrView<T>& x, MatrixView<T> out) const;
  // out <- x M, or out + x M; out: samples x outputs.
  void multiply(MatrixView<const T> x, Onto onto, MatrixView<T> out, Ahead& ahead) const;

 private:
  std::size_t outputs_ = 0;
  std::size_t inputs_ = 0;
  std::size_t panel_ = 0;
  std::size_t panels_ = 0;
  Buffer<T> values_;  // panels x inputs x panel
};

// How many samples multiply_transposed() lays out at a time.
constexpr std::size_t kRowsOfRun = 160;

// out <- factor Rᵀ A, or out + factor Rᵀ A; R: samples x out.rows, A: samples x out.columns. Packs both in a room of
// the thread's own. Fetches the rows of A in time, and what is `ahead` with the last of them.
template <typename T>
void multiply_transposed(T factor, MatrixView<const T> r, MatrixView<const T> a, Onto onto, MatrixView<T> out,
                         Ahead ahead = {});

// out <- factor x op(w) for so few rows that laying w out is part of the work: a stretch of it at a time, in a room of
// the thread's own. x: rows x inputs, out: rows x outputs.
template <typename T>
void multiply_rows(blas::Op op, T factor, MatrixView<const T> x, MatrixView<const T> w, MatrixView<T> out);

}  // namespace dladmm
