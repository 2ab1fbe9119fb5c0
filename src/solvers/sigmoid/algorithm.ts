/**
 * sigmoid-ADMM: J. Zeng, S.-B. Lin, Y. Yao, D.-X. Zhou, "On ADMM in Deep Learning: Convergence and Saturation-Avoidance",
 * JMLR 22(199), 2021.
 *
 *     min  ½‖V_N − Y‖² + (λ/2) Σ_i ‖W_i‖²
 *     s.t. V_i = σ(W_i V_{i−1}) (i < N),  V_N = W_N V_{N−1},  V_0 = X
 *
 * All N constraints are kept, each with a multiplier Λ_i and a penalty β_i of its own. Where σ stands in a subproblem, its
 * square is replaced by a quadratic model of curvature h (local linear approximation). Thresholds are a column of W_i
 * that meets a row of ones in V_{i−1}.
 */

import { type ConstraintUpdate, Lambda, V, W } from '../shared/sweep.js';

/** Algorithm 1: the weights from the last layer to the first, the activations from the first to the last, all Λ. */
export function* sigmoidSweep(N: number): Generator<ConstraintUpdate> {
  yield W(N); //  eq. 50: (β_N V_N − Λ_N) V_{N−1}ᵀ (λI + β_N V_{N−1} V_{N−1}ᵀ)⁻¹
  for (let i = N - 1; i >= 1; i -= 1) {
    yield W(i); //  eq. 51
  }
  for (let j = 1; j <= N - 2; j += 1) {
    yield V(j); //  eq. 57, with the minus of its optimality condition before the last term
  }
  if (N > 1) yield V(N - 1); //  eq. 56
  yield V(N); //  (Y + Λ_N + β_N W_N V_{N−1}) / (1 + β_N)
  for (let i = 1; i <= N; i += 1) {
    yield Lambda(i); //  Λ_i + β_i (σ(W_i V_{i−1}) − V_i), without σ for i = N
  }
}
