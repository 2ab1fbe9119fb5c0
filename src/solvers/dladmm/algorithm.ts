/**
 * dlADMM: J. Wang, F. Yu, X. Chen, L. Zhao, "ADMM for Efficient Deep Learning with Global Convergence", KDD 2019.
 *
 *     min  R(z_L; y) + Σ_l Ω_l(W_l) + (ν/2) Σ_{l<L} ( ‖z_l − W_l a_{l−1} − b_l‖² + ‖a_l − f_l(z_l)‖² )
 *     s.t. z_L = W_L a_{L−1} + b_L                                              (Problem 2)
 *
 * with the augmented Lagrangian (eq. 1) in one dual variable u and the penalty ρ of the output constraint.
 */

import { a, b, type Update, u, W, z } from '../shared/sweep.js';

/** Algorithm 1, lines 3 to 11: from the last layer to the first. */
export function* backward(L: number): Generator<Update> {
  yield z(L); //  eq. 5
  yield b(L); //  eq. 7
  yield W(L); //  eq. 9
  for (let l = L - 1; l >= 1; l -= 1) {
    yield a(l); //  eq. 3
    yield z(l); //  eq. 4
    yield b(l); //  eq. 6
    yield W(l); //  eq. 9
  }
}

/** Algorithm 1, lines 12 to 24: from the first layer to the last, then the dual step. */
export function* forward(L: number): Generator<Update> {
  for (let l = 1; l < L; l += 1) {
    yield W(l); //  eq. 11
    yield b(l); //  eq. 12
    yield z(l); //  eq. 14
    yield a(l); //  eq. 16
  }
  yield W(L); //  eq. 11
  yield b(L); //  eq. 13
  yield z(L); //  eq. 15
  yield u(L); //  u ← u + ρ (z_L − W_L a_{L−1} − b_L)
}

/** One iteration of dlADMM: backward, then forward. Every block is visited twice, W_1 twice in a row. */
export function* dladmmSweep(L: number): Generator<Update> {
  yield* backward(L);
  yield* forward(L);
}
