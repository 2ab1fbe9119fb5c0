import { atLeast, oneOf, positive } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import {
  type NativeConstraintsMeasures,
  type NativeConstraintsPenalties,
  type NativeWork,
  native,
} from '../../core/native.js';
import type { Initialisation } from '../../network/initialisation.js';
import type { Network } from '../../network/network.js';
import { byLayer } from '../../network/schema.js';
import type { LabelledSamples } from '../../samples/samples.js';
import { sweepCourse, type UpdateChanges } from '../shared/course.js';

import { samples } from '../shared/problem.js';
import type { ProgressRecord, SweepMeasures } from '../shared/record.js';
import { openNative, type SessionOptions } from '../shared/session.js';
import { ON_SAMPLES, type Splitting } from '../shared/splitting.js';
import {
  type Blocks,
  biases,
  bySample,
  type ConstraintBlock,
  listUpdates,
  type Sweep,
  type Update,
  weights,
} from '../shared/sweep.js';
import { SweepSession, type SweepTypes } from '../shared/sweep-session.js';

/** What may change from sweep to sweep. */
export interface ConstraintPenalties {
  /** λ_1 … λ_N of Σ (λ_i/2)‖[W_i b_i]‖², or one for all. */
  readonly l2: number | readonly number[];
  /** β_1 … β_N, or one for all. */
  readonly beta: number | readonly number[];
  /** h = 𝓛(‖B‖_max), as the paper says, or ‖B‖_max, as its published code does (sigmoid alone). */
  readonly majoriser: 'paper' | 'code';
}

/** Where the variables stand. Norms are squared and summed over the samples. */
export interface ConstraintMeasures extends SweepMeasures {
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

/** What one update did. Fields that do not apply to its block are absent. */
export interface ConstraintUpdateRecord extends Update<ConstraintBlock>, UpdateChanges {
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

export type { NativeWork as SweepWork } from '../../core/native.js';

/** What one sweep of sigmoid-ADMM did. */
export interface SigmoidRecord extends ConstraintMeasures, ProgressRecord {
  readonly updates: readonly ConstraintUpdateRecord[];
  readonly work: NativeWork;
}

/** The types of the splitting that keeps all constraints. */
export interface ConstraintsTypes extends SweepTypes {
  /** Its network has a smooth activation, and a squared error of values or of one-hot labels. */
  readonly options: SessionOptions;
  readonly block: ConstraintBlock | 'b';
  readonly set: LabelledSamples;
  readonly start: undefined;
  readonly penalties: ConstraintPenalties;
  readonly update: ConstraintUpdateRecord;
  readonly measures: ConstraintMeasures;
}

/**
 * The variables of the splitting that keeps all constraints: W_l n_l × n_{l−1}, b_l a row of n_l, V_l and Λ_l samples × n_l.
 * Start with V by a forward pass from the present W and b, and Λ = 0; then run updates in any order.
 */
export type ConstraintsSession = SweepSession<ConstraintsTypes>;

/** What a solver of the splitting that keeps all constraints is: a sweep, penalties, a start. */
export interface ConstraintsPlan {
  readonly updates: readonly Update<ConstraintBlock>[];
  readonly penalties: ConstraintPenalties;
  readonly initialisation: Initialisation;
}

const BLOCKS: Blocks<ConstraintBlock | 'b'> = {
  W: { number: 0, shape: weights },
  V: { number: 1, shape: bySample },
  Lambda: { number: 2, shape: bySample },
  b: { number: 3, shape: biases, alone: false },
};

/** The updates of a sweep, checked. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export const listConstraintUpdates = (sweep: Sweep<ConstraintBlock>, N: number): readonly Update<ConstraintBlock>[] =>
  listUpdates<ConstraintBlock>(BLOCKS, sweep, N);

/**
 * Penalties that fit a network.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE
 */
export function checkConstraintPenalties(
  { l2, beta, majoriser: how }: ConstraintPenalties,
  { layers, activation }: Network,
): NativeConstraintsPenalties {
  const majoriser = oneOf(how, ['paper', 'code'], 'majoriser');
  if (majoriser === 'code' && activation !== 'sigmoid') {
    throw expected("'paper' (the published code's lies above the function for sigmoid alone)", 'majoriser', majoriser);
  }
  return {
    lambda: byLayer(l2, layers.length - 1, 'l2', (value, name) => atLeast(value, 0, name)),
    beta: byLayer(beta, layers.length - 1, 'beta', positive),
    majoriser,
  };
}

/**
 * A network that the splitting can carry.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
function checkConstraintsNetwork({ activation, loss }: Network, prefix = ''): void {
  oneOf(activation, ['sigmoid', 'tanh'], `${prefix}activation`);
  oneOf(loss, ['squared-error', 'one-hot-squared-error'], `${prefix}loss`);
}

/** sigmoid-ADMM: W and V, and a multiplier Λ for the constraint of every layer. */
export const constraints: Splitting<
  SessionOptions,
  LabelledSamples,
  ConstraintsSession,
  ConstraintsPlan,
  SigmoidRecord,
  typeof ON_SAMPLES
> = {
  name: 'constraints',
  ...ON_SAMPLES,
  async open(options, data, name = 'data') {
    const opening = {
      problem: samples,
      blocks: BLOCKS,
      State: () => native.Constraints,
      keys: [],
      check: ({ network }: SessionOptions) => checkConstraintsNetwork(network, 'options.network.'),
      setup: () => ({}),
    };
    return new SweepSession<ConstraintsTypes>(await openNative(opening, options, data, name), {
      blocks: BLOCKS,
      start: () => undefined,
      penaltyKeys: ['l2', 'beta', 'majoriser'],
      penalties: (penalties, { network }) => checkConstraintPenalties(penalties, network),
      measures: ({ residual, stationaryW, stationaryV, ...rest }: NativeConstraintsMeasures) => ({
        ...rest,
        residuals: [...residual],
        stationarityW: [...stationaryW],
        stationarityV: [...stationaryV],
      }),
    });
  },
  async course({ network, dtype, threads, updates, penalties }, data: LabelledSamples) {
    const again = () => constraints.open({ network, dtype, threads }, data);
    return sweepCourse<ConstraintsTypes, never, SigmoidRecord>(await again(), {
      ...{ again, updatesOf: () => updates, start: undefined, penalties: () => penalties, refreshEvery: undefined },
    });
  },
};
