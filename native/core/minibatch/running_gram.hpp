// The running Gram matrix of a layer's input, and products with (A + δI)⁻¹, which is what it is there for.
//
//     A <- βA + (1 − β) ãᵀ ã / B,   δ = λ + c (trace(A)/n + λ)
//
// ã is the input of the layer with a column of ones (which b_l meets), n columns in all; λ is the weight of ½‖[W_l
// b_l]‖². As long as the plain mean of the batches taken in is shorter than the memory of β, it stands for A.
//
//   full      A is kept, and A + δI inverted by Cholesky: n² B + n³ flops for a batch that is taken in, 2n² for a row
//             that is multiplied. Where A + δI is not positive definite in T, δ grows until it is.
//   low_rank  Of A its trace is kept, and A ≈ U H Uᵀ with U (n x r) orthonormal, one step of subspace iteration further
//             with every batch taken in: U <- orth(AU). Then (A + δI)⁻¹ ≈ (I − U H (H + δI)⁻¹ Uᵀ) / δ: a direction in
//             which A is below δ is hardly changed by the inverse. 8 B n r flops for a batch, 4n r for a row; nothing
//             is n x n. Exact where r = n.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/linalg/gram_solver.hpp"
#include "core/linalg/matrix.hpp"
#include "core/linalg/section.hpp"
#include "core/linalg/sums.hpp"
#include "core/runtime/team.hpp"

namespace dladmm {

enum class GramForm : std::uint8_t { full, low_rank };

struct GramSettings {
  GramForm form = GramForm::low_rank;
  std::size_t rank = 16;  // r
  double beta = 0.95;     // β
  double damping = 4;     // c
  double l2 = 0;          // λ

  // r of a layer whose input has n columns.
  [[nodiscard]] std::size_t rank_of(std::size_t n) const { return form == GramForm::full ? 0 : (rank < n ? rank : n); }
};

template <typename T>
class RunningGram {
 public:
  RunningGram(std::size_t size, const GramSettings& settings, std::uint32_t seed);
  [[nodiscard]] static double required_bytes(std::size_t size, const GramSettings& settings);

  // r, 0 for `full`: how many columns the scratch of the calls below has.
  [[nodiscard]] std::size_t rank() const { return rank_; }
  // δ, as it was last found.
  [[nodiscard]] double damping() const { return delta_; }

  // Takes in the inputs of a batch, B x n, and finds afresh what `apply` multiplies by. False where A is not finite.
  // `scratch` is B x r; `sums` has room for products of sums_room(n, settings) entries over a whole batch.
  [[nodiscard]] bool take_in(Team& team, PieceSums<T>& sums, MatrixView<const T> input, MatrixView<T> scratch);
  [[nodiscard]] static std::size_t sums_room(std::size_t batch, std::size_t size, const GramSettings& settings);

  // out <- x (A + δI)⁻¹ for rows that one member has; `out` lies apart from x, `scratch` has as many rows and r
  // columns.
  void apply(MatrixView<const T> x, MatrixView<T> out, MatrixView<T> scratch) const;

  // The two factors of low_rank, (A + δI)⁻¹ ≈ (I − U M) / δ, for who can put them into a product of its own:
  // U, n x r, and M = (H + δI)⁻¹ H Uᵀ, r x n.
  [[nodiscard]] MatrixView<const T> basis() const { return u_.view(); }
  [[nodiscard]] MatrixView<const T> correction() const { return m_.view(); }

  void reset();

  // What has been learnt of A; once that is put back, restored() finds the rest.
  void add_sections(const std::string& name, std::vector<Section>& sections);
  [[nodiscard]] bool restored(Team& team);

 private:
  void absorb(Team& team, PieceSums<T>& sums, MatrixView<const T> input, double keep);
  [[nodiscard]] bool factor(Team& team);

  void begin_basis();
  void round_basis();
  void turn_basis(Team& team, PieceSums<T>& sums, MatrixView<const T> input, MatrixView<T> scratch, double keep);
  void project(Team& team, PieceSums<T>& sums, MatrixView<const T> input, MatrixView<T> scratch, double keep);
  [[nodiscard]] bool orthonormalise(Team& team, MatrixView<double> q);
  [[nodiscard]] bool invert_in_subspace(Team& team);

  std::size_t size_, rank_;
  GramSettings settings_;
  std::uint32_t seed_;
  std::uint64_t taken_ = 0;  // batches
  double trace_ = 0;         // of A
  double delta_ = 0;
  // full
  Matrix<T> a_;  // lower triangle
  GramSolver<T> solver_;
  // low_rank
  Matrix<double> basis_, other_basis_;   // U, and what becomes the next one
  Matrix<double> h_, small_, turned_;    // H, and room for matrices of r x r
  Matrix<T> u_, m_, image_, projected_;  // U, M, ãᵀãU and Uᵀãᵀ ãU, as products take and give them
};

}  // namespace dladmm
