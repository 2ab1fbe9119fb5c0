import { atLeast, whole } from '../../core/checks.js';
import { type NativeMetricMeasures, native } from '../../core/native.js';
import type { Initialisation } from '../../network/initialisation.js';
import type { LabelledSamples } from '../../samples/samples.js';
import { sweepCourse } from '../shared/course.js';
import type { RunningSchedule } from '../shared/penalties.js';
import { samples } from '../shared/problem.js';
import type { ProgressRecord, SweepMeasures } from '../shared/record.js';
import { openNative, type SessionOptions } from '../shared/session.js';
import { ON_SAMPLES, type Splitting } from '../shared/splitting.js';
import {
  type BlockKind,
  type Blocks,
  biases,
  bySample,
  listUpdates,
  type MetricBlock,
  type MetricReading,
  type Update,
  weights,
} from '../shared/sweep.js';
import { SweepSession, type SweepTypes } from '../shared/sweep-session.js';
import type { Damping } from './algorithm.js';
import { metricSweep } from './algorithm.js';

/** What a session is made of. */
export interface MetricSessionOptions extends SessionOptions {
  /** Of the labels that the model draws; 1 if absent. */
  readonly seed?: number;
}

/** Everything that a sweep is told. */
export interface MetricPenalties extends Damping {
  /** c_P: P_l has so many times its mean eigenvalue on its diagonal. */
  readonly outputDamping: number;
  /** λ of (λ/2) Σ ‖[W_l b_l]‖². */
  readonly l2: number;
}

/** Where the kept point stands, and its certificate. Sums over the samples are divided by nothing unless it is said. */
export interface MetricMeasures extends SweepMeasures {
  /** F = loss + (λ/2) Σ ‖[W_l b_l]‖², with the mean of R: it never rises. The augmented Lagrangian is N F. */
  readonly objective: number;
  /** ‖z_l − [W_l b_l] ã_{l−1}‖² for l = 1 … L: zero, as z and a are found by a forward pass. */
  readonly residuals: readonly number[];
  /** ‖∇F‖²: what the KKT conditions miss by, as the multipliers fulfil all others. */
  readonly kkt: number;
  /** ⟨∇F, Δ⟩ at the point where the step began: positive, Δ is a direction of descent. */
  readonly slope: number;
  /** ⟨∇F, V⟩ there, by which F would change if it were linear: negative, unless inertia leads uphill. */
  readonly expected: number;
  /** F where the step led. */
  readonly tried: number;
  /** The change of F over the expected one. */
  readonly reduction: number;
  /** Whether F did not rise; otherwise the step was taken back, and everything else here is of the point before it. */
  readonly kept: boolean;
}

/** What one update did. */
export interface MetricUpdateRecord extends Update<MetricBlock> {
  /** Of W: ⟨∂F/∂[W_l b_l], Δ_l⟩. */
  readonly slope?: number;
  /** Of W: ‖V_l‖². */
  readonly stepNorm?: number;
  /** Wall-clock seconds. What follows from W is found in one pass: its seconds stand at the last of these updates. */
  readonly seconds: number;
}

/** What one sweep did. */
export interface MetricRecord extends MetricMeasures, ProgressRecord {
  readonly updates: readonly MetricUpdateRecord[];
  /** What the sweep went by. */
  readonly penalties: Damping;
}

/** The types of the splitting with matrix penalties. */
export interface MetricTypes extends SweepTypes {
  readonly options: MetricSessionOptions;
  readonly block: MetricReading;
  readonly set: LabelledSamples;
  readonly start: undefined;
  readonly penalties: MetricPenalties;
  readonly update: MetricUpdateRecord;
  readonly measures: MetricMeasures;
}

/**
 * The variables: W_l n_l × n_{l−1}, b_l a row of n_l, z_l, a_l, u_l and the targets z_l − P_l⁻¹ u_l samples × n_l, P_l n_l × n_l,
 * G_l and the velocity V_l with n_{l−1} + 1 columns. Only W and b can be written; the others follow from them.
 */
export type MetricSession = SweepSession<MetricTypes>;

/** What a solver of this splitting is. */
export interface MetricPlan {
  readonly penalties: MetricPenalties;
  /** How they change. */
  readonly schedule: RunningSchedule<Damping, MetricRecord>;
  readonly initialisation: Initialisation;
}

const outputs: BlockKind['shape'] = (widths, l) => [widths[l] ?? 0, widths[l] ?? 0];
const inputs: BlockKind['shape'] = (widths, l) => [(widths[l - 1] ?? 0) + 1, (widths[l - 1] ?? 0) + 1];
const both: BlockKind['shape'] = (widths, l) => [widths[l] ?? 0, (widths[l - 1] ?? 0) + 1];

const BLOCKS: Blocks<MetricReading> = {
  W: { number: 0, shape: weights },
  b: { number: 1, shape: biases, alone: false },
  z: { number: 2, shape: bySample },
  a: { number: 3, shape: bySample, layers: 'hidden' },
  u: { number: 4, shape: bySample },
  P: { number: 5, shape: outputs },
  G: { number: 6, shape: inputs },
  velocity: { number: 7, shape: both, alone: false },
  target: { number: 8, shape: bySample, alone: false },
};

const PENALTY_KEYS: readonly (keyof MetricPenalties)[] = ['rate', 'momentum', 'damping', 'outputDamping', 'l2'];

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function checkPenalties(penalties: MetricPenalties): MetricPenalties {
  for (const key of PENALTY_KEYS) atLeast(penalties[key], 0, `penalties.${key}`);
  return penalties;
}

/** dlADMM's variables with a multiplier in closed form and a matrix penalty for every layer. */
export const metric: Splitting<
  MetricSessionOptions,
  LabelledSamples,
  MetricSession,
  MetricPlan,
  MetricRecord,
  typeof ON_SAMPLES
> = {
  name: 'metric',
  ...ON_SAMPLES,
  async open(options, data, name = 'data') {
    const opening = {
      problem: samples,
      blocks: BLOCKS,
      State: () => native.Metric,
      keys: ['seed'],
      check: ({ seed = 1 }: MetricSessionOptions) => whole(seed, 0, 2 ** 32 - 1, 'options.seed'),
      setup: ({ seed = 1 }: MetricSessionOptions) => ({ seed }),
    };
    const opened = await openNative(opening, options, data, name);
    return new SweepSession<MetricTypes>(opened, {
      blocks: BLOCKS,
      start: () => undefined,
      penaltyKeys: PENALTY_KEYS,
      penalties: checkPenalties,
      measures: ({ regularisation, ...rest }: NativeMetricMeasures) => ({
        ...rest,
        lagrangian: opened.samples * rest.objective,
        regularisation: opened.samples * regularisation,
        residuals: opened.options.network.layers.slice(1).map(() => 0),
      }),
    });
  },
  async course({ network, dtype, threads, seed, penalties, schedule }, data: LabelledSamples) {
    const updates = listUpdates<MetricBlock>(BLOCKS as Blocks<MetricBlock>, metricSweep, network.layers.length - 1);
    const { rate, momentum, damping } = penalties;
    return sweepCourse<MetricTypes, Damping, MetricRecord>(await metric.open({ network, dtype, threads, seed }, data), {
      updatesOf: () => updates,
      start: undefined,
      varying: { first: { rate, momentum, damping }, check: (kept) => kept, schedule },
      penalties: (now) => ({ ...penalties, ...now }),
      refreshEvery: undefined,
    });
  },
};
