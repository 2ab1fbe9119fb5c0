import type { Penalties } from './schedule.js';
import type { Update } from './sweep.js';

/** Loss and accuracy of the network (not of the split variables) on a set of samples. */
export interface Metrics {
  /** R of the network's outputs, averaged over the samples. */
  readonly loss: number;
  /** Share of samples whose largest output is the label's; classification only. */
  readonly accuracy?: number;
}

/** What one update did. Fields that do not apply to its block are absent. */
export interface UpdateRecord extends Update {
  /** The accepted θ (W) or τ (a). */
  readonly size?: number;
  /** κ, the smallest size that passes the acceptance test φ(new) ≤ model (W, a). */
  readonly kappa?: number;
  /** ‖Δ‖², the squared length of the step (W, a). */
  readonly stepNorm?: number;
  /** z_L: Newton steps (the most that any sample took), or FISTA steps. */
  readonly steps?: number;
  /** z_L: the largest |∇R(z) + u + ρ(z − m)| of any entry as the solver ended, in float64. */
  readonly stationarity?: number;
  /** Inversion steps: ε, what was added to the diagonal so that the matrix could be factored. */
  readonly ridge?: number;
  /** Pseudo-inverse: how many eigenvalues were kept. */
  readonly rank?: number;
  /** Inversion steps: seconds in forming, factoring and applying the inverse, products over the samples left out. */
  readonly factorSeconds?: number;
  /** Wall-clock seconds. An update that rode on the next one's pass over the samples reports 0. */
  readonly seconds: number;
}

/** Where the split variables stand. Norms are squared and summed over the samples. */
export interface Measures {
  /** The augmented Lagrangian L_ρ (eq. 1). */
  readonly lagrangian: number;
  /** R(z_L; y). */
  readonly loss: number;
  /** Σ Ω_l(W_l). */
  readonly regularisation: number;
  /** ‖z_l − W_l a_{l−1} − b_l‖² for l = 1 … L. */
  readonly residuals: readonly number[];
  /** ‖a_l − f_l(z_l)‖² for l = 1 … L − 1. */
  readonly activationResiduals: readonly number[];
  /** ‖u‖². */
  readonly dualNorm: number;
  /** ⟨u, r_L⟩. */
  readonly dualProduct: number;
  /** The largest |∇R(z_L) + u| of any entry: zero after an exact z_L and the dual step (Lemma B.2). */
  readonly dualIdentity: number;
}

/** What every solver tells of one of its iterations (a sweep, an epoch). */
export interface ProgressRecord {
  /** 1 for the first. */
  readonly iteration: number;
  /** Seconds of this iteration, evaluation left out. */
  readonly seconds: number;
  /** Seconds since the training began, everything included. */
  readonly elapsed: number;
  /** Present where they were asked for, in iterations that evaluate. */
  readonly train?: Metrics;
  readonly validation?: Metrics;
  readonly test?: Metrics;
}

/** What one sweep did. */
export interface IterationRecord extends Measures, ProgressRecord {
  /** The penalties that this iteration used. */
  readonly penalties: Penalties;
  readonly updates: readonly UpdateRecord[];
}

/** What one epoch of a training by gradients did. */
export interface EpochRecord extends ProgressRecord {
  /** R averaged over the samples as the epoch met them, each at the parameters of its step. */
  readonly loss: number;
  /** Batches of the epoch. */
  readonly steps: number;
}
