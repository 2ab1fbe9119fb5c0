/**
 * The matrix-inversion ADMM: G. Taylor, R. Burmeister, Z. Xu, B. Singh, A. Patel, T. Goldstein, "Training Neural Networks
 * Without Gradients: A Scalable ADMM Approach", ICML 2016.
 *
 *     min  ℓ(z_L; y) + ⟨λ, z_L⟩ + (β/2) Σ_l ‖z_l − W_l a_{l−1} − b_l‖² + (γ/2) Σ_{l<L} ‖a_l − h(z_l)‖²     (eq. 5)
 *
 * with penalties of ½, for which λ ← λ + β (z_L − W_L a_{L−1} − b_L) makes −λ a subgradient of ℓ exactly, and with
 * biases: b_l is a column of W_l that meets a column of ones in a_{l−1}. λ is the dual variable u of the vocabulary.
 */

import { a, type Update, u, W, z } from '../shared/sweep.js';

/** Before the first iteration: a_l needs W_{l+1}, which the listing of the paper computes only afterwards. */
export function* firstWeights(L: number): Generator<Update> {
  for (let l = 1; l <= L; l += 1) yield W(l);
}

/** Algorithm 1 of the paper without its last line: an iteration of the warm start. */
export function* warmStartSweep(L: number): Generator<Update> {
  for (let l = 1; l < L; l += 1) {
    yield W(l); //  W_l ← z_l a_{l−1}⁺
    yield a(l); //  a_l ← (β W_{l+1}ᵀ W_{l+1} + γ I)⁻¹ (β W_{l+1}ᵀ z_{l+1} + γ h(z_l))
    yield z(l); //  z_l ← argmin γ ‖a_l − h(z)‖² + β ‖z − W_l a_{l−1}‖²
  }
  yield W(L); //  W_L ← z_L a_{L−1}⁺
  yield z(L); //  z_L ← argmin ℓ(z; y) + ⟨λ, z⟩ + (β/2) ‖z − W_L a_{L−1}‖²
}

/** One iteration of Algorithm 1. */
export function* inversionSweep(L: number): Generator<Update> {
  yield* warmStartSweep(L);
  yield u(L); //  λ ← λ + β (z_L − W_L a_{L−1})
}
