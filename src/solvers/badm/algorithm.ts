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
 * so one gradient and one vector of state do for any number of them. On a quadratic of largest curvature L it is stable
 * exactly for L < (4ρ + 2σ)/3; its first step is gradient descent with step 2/(ρ + σ).
 */
import { atLeast, flag, fraction, given, positive, whole } from '../../core/checks.js';
import type { NativeConsensus } from '../../core/native.js';

interface ConsensusOptions {
  /** σ > 0, the penalty of w_s = w. */
  readonly sigma?: number;
  /** ρ > 0, the weight of the proximal term of the local steps. */
  readonly rho?: number;
  /** How many sub-batches a batch is cut into; must divide the batch size. */
  readonly subBatches?: number;
  /** λ; 0 if absent. */
  readonly weightDecay?: number;
}

/** σ is 1, ρ is 40 and there is 1 sub-batch if absent. */
export interface BadmOptions extends ConsensusOptions {
  readonly solver: 'badm';
  /** Keep the multiplier of every sub-batch, at the cost of a gradient and a vector of state each; false if absent. */
  readonly duals?: boolean;
}

/** σ is 1, ρ is 2000 and there are 4 sub-batches if absent. */
export interface SisaOptions extends ConsensusOptions {
  readonly solver: 'sisa';
  /** β, from 0 to below 1; 0.999 if absent. */
  readonly beta?: number;
  /** ε; 1e-8 if absent. */
  readonly epsilon?: number;
}

const SHARED = ['sigma', 'rho', 'subBatches', 'weightDecay'] as const;

export const CONSENSUS_KEYS: { readonly badm: readonly string[]; readonly sisa: readonly string[] } = {
  badm: [...SHARED, 'duals'],
  sisa: [...SHARED, 'beta', 'epsilon'],
};

/** What the addon can count. */
const MOST_SUB_BATCHES = 2 ** 16;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function badmOptimiser(options: BadmOptions, prefix: string): NativeConsensus {
  return {
    method: 'badm',
    ...shared(options, { sigma: 1, rho: 40, subBatches: 1 }, prefix),
    duals: flag(given(options.duals, false), `${prefix}duals`),
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function sisaOptimiser(options: SisaOptions, prefix: string): NativeConsensus {
  return {
    method: 'sisa',
    ...shared(options, { sigma: 1, rho: 2000, subBatches: 4 }, prefix),
    beta: fraction(given(options.beta, 0.999), `${prefix}beta`),
    epsilon: positive(given(options.epsilon, 1e-8), `${prefix}epsilon`),
  };
}

function shared(
  options: ConsensusOptions,
  otherwise: { readonly sigma: number; readonly rho: number; readonly subBatches: number },
  prefix: string,
) {
  return {
    sigma: positive(given(options.sigma, otherwise.sigma), `${prefix}sigma`),
    rho: positive(given(options.rho, otherwise.rho), `${prefix}rho`),
    subBatches: whole(given(options.subBatches, otherwise.subBatches), 1, MOST_SUB_BATCHES, `${prefix}subBatches`),
    weightDecay: atLeast(given(options.weightDecay, 0), 0, `${prefix}weightDecay`),
  };
}
