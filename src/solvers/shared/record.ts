import type { Penalties } from './penalties.js';
import type { ConstraintUpdate, GraphUpdate, Update } from './sweep.js';

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

/** What was written out after an iteration. */
export interface CheckpointRecord {
  readonly path: string;
  /** The size of the file. */
  readonly bytes: number;
  /** What it took, until it was safe on the disk. */
  readonly seconds: number;
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
  /** Present where one was written after this iteration. */
  readonly checkpoint?: CheckpointRecord;
}

/** What one sweep did. */
export interface IterationRecord extends Measures, ProgressRecord {
  /** The penalties that this iteration used. */
  readonly penalties: Penalties;
  readonly updates: readonly UpdateRecord[];
}

/** Where the variables of the splitting that keeps all constraints stand. Norms are squared and summed over the samples. */
export interface ConstraintMeasures {
  /** The augmented Lagrangian L. */
  readonly lagrangian: number;
  /** ½‖V_N − Y‖². */
  readonly loss: number;
  /** Σ (λ_i/2)‖[W_i b_i]‖². */
  readonly regularisation: number;
  /** ‖σ(W_i V_{i−1}) − V_i‖² for i = 1 … N, without σ for i = N: the squared norm of ∂L/∂Λ_i. */
  readonly residuals: readonly number[];
  /** ‖∂L/∂W_i‖², biases included, for i = 1 … N. */
  readonly stationarityW: readonly number[];
  /** ‖∂L/∂V_i‖² for i = 1 … N. */
  readonly stationarityV: readonly number[];
  /**
   * What the KKT conditions (24) miss by: ‖∇L‖² of the augmented Lagrangian, the sum of the three lists; its mean over the
   * iterations is what Theorem 4 (c) bounds. The gradient is that of the Lagrangian at the multipliers
   * Λ_i + β_i (σ(W_i V_{i−1}) − V_i), not at Λ_i, but where it is zero the residuals are, and the two are one: it is zero
   * where (24) holds and nowhere else.
   */
  readonly kkt: number;
  /** Σ ⟨Λ_i, σ(W_i V_{i−1}) − V_i⟩. */
  readonly dualProduct: number;
  /** The largest |Λ_N − (V_N − Y)| of any entry: zero but for rounding (Lemma 8). */
  readonly dualIdentity: number;
}

/** What one update of the splitting that keeps all constraints did. Fields that do not apply to its block are absent. */
export interface ConstraintUpdateRecord extends ConstraintUpdate {
  /** h of a hidden W_i, or μ of a V_j below a hidden layer: the curvature of the quadratic model. */
  readonly curvature?: number;
  /** ‖Δ‖², the squared length of the step. */
  readonly stepNorm: number;
  /** ε, what was added to the diagonal so that the matrix could be factored; almost always 0 in float64. */
  readonly ridge?: number;
  /** Seconds in forming and factoring the matrix, products over the samples left out. */
  readonly factorSeconds?: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
}

/** The products over the samples that a sweep took, its measures included, by kind. */
export interface SweepWork {
  /** Gᵀ V, summed over the samples. */
  readonly gradient: number;
  /** V Wᵀ. */
  readonly image: number;
  /** G W. */
  readonly back: number;
  /** Vᵀ V, half a product. */
  readonly gram: number;
  /** Rows times the inverse of a matrix as wide as a layer. */
  readonly solve: number;
  /** Cholesky factors. */
  readonly factor: number;
  /** Floating-point operations of all of these. */
  readonly flops: number;
}

/** What one sweep of sigmoid-ADMM did. */
export interface SigmoidRecord extends ConstraintMeasures, ProgressRecord {
  readonly updates: readonly ConstraintUpdateRecord[];
  readonly work: SweepWork;
}

/** Where the split variables of a graph convolutional network stand. Norms are squared and summed over the nodes. */
export interface GraphMeasures {
  /** The augmented Lagrangian L_ρ. */
  readonly lagrangian: number;
  /** R(Z_L; y), summed over the training nodes. */
  readonly loss: number;
  /** Σ Ω_l(W_l). */
  readonly regularisation: number;
  /** ‖Z_l − f_l(Ã Z_{l−1} W_l)‖² for l = 1 … L, without f for l = L; over the nodes that the loss can see. */
  readonly residuals: readonly number[];
  /** ‖U‖². */
  readonly dualNorm: number;
  /** ⟨U, Z_L − Ã Z_{L−1} W_L⟩. */
  readonly dualProduct: number;
  /** The largest |∇R(Z_L) + U| of any entry: zero after an exact Z_L and the dual step. */
  readonly dualIdentity: number;
}

/** What one update of a graph convolutional network did. Fields that do not apply to its block are absent. */
export interface GraphUpdateRecord extends GraphUpdate {
  /** The accepted θ (W) or τ (Z); where none was, the last one tried. */
  readonly size?: number;
  /** κ, the smallest size that passes, where the subproblem is quadratic. */
  readonly kappa?: number;
  /** ‖Δ‖², the squared length of the step. */
  readonly stepNorm?: number;
  /** How many sizes were tried. */
  readonly trials?: number;
  /** No size passed, as happens at a kink of the activation: the block is what it was. */
  readonly kept?: true;
  /** Z_L: Newton steps, the most that any node took. */
  readonly steps?: number;
  /** Z_L: the largest |∇R(Z) + U + ρ(Z − P)| of any entry as the solver ended, in float64. */
  readonly stationarity?: number;
  /** W_L by Cholesky: ε, what was added to the diagonal so that the matrix could be factored. */
  readonly ridge?: number;
  /** Wall-clock seconds. */
  readonly seconds: number;
}

/** What one sweep over a graph convolutional network did. */
export interface GraphRecord extends GraphMeasures, ProgressRecord {
  /** The penalties that this iteration used. */
  readonly penalties: Penalties;
  readonly updates: readonly GraphUpdateRecord[];
}

/** What one epoch of a training by gradients did. */
export interface EpochRecord extends ProgressRecord {
  /** R averaged over the samples as the epoch met them, each at the parameters of its step. */
  readonly loss: number;
  /** Batches of the epoch. */
  readonly steps: number;
}

/** The record of any solver. */
export type AnyRecord = IterationRecord | SigmoidRecord | EpochRecord | GraphRecord;
