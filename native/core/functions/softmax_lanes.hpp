// The z_L subproblem of softmax cross-entropy for several samples at once, each in a lane of the vector registers.
#pragma once

#include <array>
#include <cstddef>
#include <span>

namespace dladmm {

// Of the sample in lane l, entry i of a vector stands at i * kLanes + l.
struct SoftmaxLanes {
  static constexpr std::size_t kLanes = 8;
  using Lanes = std::array<double, kLanes>;

  std::span<double> m, u, z;  // as for solve_output(); z goes from where the search begins to the solution
  Lanes label{}, rho{}, tolerance{};
  // What was found. Where `solved` is 0, solve_output() is to have a try, and z is anything.
  Lanes steps{}, stationarity{}, solved{};

  [[nodiscard]] static constexpr std::size_t work_size(std::size_t n) { return 5 * n * kLanes; }
};

// Numbers that a member of the team needs for losses, for each output.
inline constexpr std::size_t kLossWork = 12 + 8 * SoftmaxLanes::kLanes;

// Newton's method in every lane as solve_output() has it, without its way out for a solution that is far. What a lane
// finds does not depend on the others. `work` holds work_size(n) numbers.
void solve_softmax_lanes(SoftmaxLanes& lanes, std::size_t n, std::span<double> work);

}  // namespace dladmm
