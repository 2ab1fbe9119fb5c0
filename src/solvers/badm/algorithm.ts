/**
 * BADM: O. Wang, S. Zhou, G. Y. Li, "BADM: Batch ADMM for Deep Learning", arXiv 2407.01640, and its successor
 *
 * SISA: S. Zhou, O. Wang, Z. Luo, Y. Zhu, G. Y. Li, "Preconditioned Inexact Stochastic ADMM for Deep Models",
 * arXiv 2502.10784.
 *
 * F(w) = Σ_b Σ_s α_{bs} F_{bs}(w) over batches b, cut into sub-batches s with copies w_s = w and multipliers π_s. The state
 * is carried from batch to batch; for each, with an optional ℓ2 weight λ,
 *
 *     w   = Σ_s α_s (σ w_s + π_s) / (σ + λ)             aggregate
 *     w_s = w − (∇F_{bs}(w) + π_s) / (ρ + σ)            every s by itself
 *     π_s ← π_s + σ (w_s − w)
 *
 * where SISA keeps a second moment and scales the local step by it:
 *
 *     v_s ← β v_s + (1 − β) (∇F_{bs}(w) + π_s)²,  v̂_s = v_s / (1 − βᵗ)
 *     w_s = w − (∇F_{bs}(w) + π_s) / (σ + ρ (√v̂_s + ε))
 *
 * After the step of a batch the parameters here are the aggregate that the next batch begins with.
 *
 * The sub-batches of BADM cancel: all gradients are taken at one w, and the steps are linear with the same coefficients
 * for every s. With m = −Σ α_s π_s, ḡ the gradient of the whole batch and β = ρ/(ρ + σ),
 *
 *     m⁺ = β m + (1 − β) ḡ,   w⁺ = (σ w − (2 m⁺ − m)) / (σ + λ)
 *
 * so one gradient and one vector of state do for any number of them. A learning rate γ has the penalties grow, σ/γ and ρ/γ: β stays as it
 * is, and the steps get shorter. On a quadratic of largest curvature L it is stable
 * exactly for L < (4ρ + 2σ)/3; its first step is gradient descent with step 2/(ρ + σ).
 */
import { onGraphs, onSamples } from '../shared/batches.js';

const BADM = {
  name: 'badm',
  title: 'BADM: consensus over the sub-batches of a batch',
  source: 'O. Wang, S. Zhou, G. Y. Li, arXiv 2407.01640',
} as const;
const SISA = {
  name: 'sisa',
  title: 'SISA: the same, preconditioned by second moments',
  source: 'S. Zhou, O. Wang, Z. Luo, Y. Zhu, G. Y. Li, arXiv 2502.10784',
} as const;

/** BADM. */
export const badm = onSamples(BADM);
/** SISA. */
export const sisa = onSamples(SISA);

/** BADM on a graph. */
export const badmOnGraph = onGraphs(BADM);
/** SISA on a graph. */
export const sisaOnGraph = onGraphs(SISA);
