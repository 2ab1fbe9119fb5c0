/**
 * dlADMM for graph convolutional networks: J. Wang, H. Li, L. Zhao, "A Convergent ADMM Framework for Efficient Neural
 * Network Training", arXiv 2112.11619, as its published code has it.
 *
 *     min  Σ_{i ∈ T} R(Z_L[i]; y_i) + Σ_l Ω_l(W_l) + (ν/2) Σ_{l<L} ‖Z_l − f_l(Ã Z_{l−1} W_l)‖²
 *     s.t. Z_L = Ã Z_{L−1} W_L
 *
 * with Z_0 = X, the training nodes T, and one dual variable U of the output constraint, whose penalty is ρ. Z_l is what
 * comes out of the activation: there is no variable before it, and no bias.
 */

import { type GraphUpdate, U, W, Z } from '../shared/sweep.js';

/** From the last layer to the first: Z_L, W_L, …, Z_1, W_1. */
export function* graphBackward(L: number): Generator<GraphUpdate> {
  for (let l = L; l >= 1; l -= 1) {
    yield Z(l);
    yield W(l);
  }
}

/** From the first layer to the last, then the dual step: W_1, Z_1, …, W_L, Z_L, U ← U + ρ (Z_L − Ã Z_{L−1} W_L). */
export function* graphForward(L: number): Generator<GraphUpdate> {
  for (let l = 1; l <= L; l += 1) {
    yield W(l);
    yield Z(l);
  }
  yield U(L);
}

/** One iteration: backward, then forward. Every block is visited twice, W_1 twice in a row. */
export function* graphSweep(L: number): Generator<GraphUpdate> {
  yield* graphBackward(L);
  yield* graphForward(L);
}
