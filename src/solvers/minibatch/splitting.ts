import { atLeast, flag, fraction, given, oneOf, whole } from '../../core/checks.js';
import { native } from '../../core/native.js';
import type { Initialisation } from '../../network/initialisation.js';
import type { Loss } from '../../network/network.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { LearningRate } from '../gradient/algorithm.js';
import { stepCourse } from '../shared/course.js';
import { samples } from '../shared/problem.js';
import type { EpochRecord } from '../shared/record.js';
import { openNative, type SessionOptions } from '../shared/session.js';
import { ON_SAMPLES, type Splitting } from '../shared/splitting.js';
import { PARAMETER_BLOCKS } from '../shared/splittings/gradient.js';
import { numberOf } from '../shared/splittings/layered.js';
import { StepSession, type StepTypes } from '../shared/step-session.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { listBatchUpdates, minibatchSweep } from './algorithm.js';

/** How the W subproblems of mini-batch dlADMM are solved. */
export interface MinibatchMethod {
  /**
   * How (A_l + δ_l I)⁻¹ is had. `'low-rank'`: on the `rank` directions in which A_l is largest, and 1/δ_l on the others;
   * nearly free. `'full'`: exactly, by Cholesky; cubic in the width. Default `'low-rank'`.
   */
  readonly gram?: 'low-rank' | 'full';
  /** Directions that `'low-rank'` keeps, all where the input has fewer. Default 16. */
  readonly rank?: number;
  /** β of A_l ← β A_l + (1 − β) ãᵀã/B, from 0 to below 1. Default 0.95. */
  readonly beta?: number;
  /** k: A_l takes in every k-th batch, the first ones sooner: the m-th at most m − 1 after the one before. Default 10. */
  readonly gramEvery?: number;
  /** c of δ_l = λ + c (trace(A_l)/n + λ), at least 0. Default 4. */
  readonly damping?: number;
  /** μ, from 0 to below 1. Default 0.9. */
  readonly momentum?: number;
  /** Look ahead along the momentum: − η (S_l + μV_l) in place of − ηV_l. Default true. */
  readonly nesterov?: boolean;
  /** λ of ½λ‖[W_l b_l]‖². Default 0. */
  readonly l2?: number;
  /** The updates of one batch. Default {@link minibatchSweep}. */
  readonly sweep?: Sweep;
}

/** The defaults of mini-batch dlADMM. */
export const MINIBATCH_DEFAULTS = {
  gram: 'low-rank',
  rank: 16,
  beta: 0.95,
  gramEvery: 10,
  damping: 4,
  momentum: 0.9,
  nesterov: true,
  l2: 0,
  epochs: 10,
  decay: 'cosine',
  shuffle: true,
  initialisation: 'he',
} as const;

/**
 * η where none is given: 0.2 over the largest curvature of R in z_L, which is ½ for softmax cross-entropy and 1 for the
 * squared errors (the hinge loss, which has none, is taken as the former).
 */
export const defaultStep = (loss: Loss): number =>
  loss === 'squared-error' || loss === 'one-hot-squared-error' ? 0.2 : 0.4;

export const MINIBATCH_METHOD_KEYS: readonly (keyof MinibatchMethod)[] = [
  'gram',
  'rank',
  'beta',
  'gramEvery',
  'damping',
  'momentum',
  'nesterov',
  'l2',
  'sweep',
];

/** A hundredth of the samples, as a power of 2 from 64 to 512, and never more than there are. */
export const defaultBatchSize = (samples: number): number =>
  Math.min(samples, 2 ** Math.min(9, Math.max(6, Math.floor(Math.log2(Math.max(1, samples / 100))))));

/**
 * Checks the settings of the W subproblems; `prefix` stands before their names in errors.
 *
 * @returns the updates of a batch
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function checkMinibatchMethod(method: MinibatchMethod, L: number, prefix = ''): readonly Update[] {
  const { gram, rank, beta, gramEvery, damping, momentum, nesterov, l2 } = completed(method);
  oneOf(gram, ['low-rank', 'full'], `${prefix}gram`);
  whole(rank, 1, 2 ** 31 - 1, `${prefix}rank`);
  fraction(beta, `${prefix}beta`);
  whole(gramEvery, 1, 2 ** 31 - 1, `${prefix}gramEvery`);
  atLeast(damping, 0, `${prefix}damping`);
  fraction(momentum, `${prefix}momentum`);
  flag(nesterov, `${prefix}nesterov`);
  atLeast(l2, 0, `${prefix}l2`);
  return listBatchUpdates(given(method.sweep, minibatchSweep), L);
}

const completed = (method: MinibatchMethod) => ({
  gram: given(method.gram, MINIBATCH_DEFAULTS.gram),
  rank: given(method.rank, MINIBATCH_DEFAULTS.rank),
  beta: given(method.beta, MINIBATCH_DEFAULTS.beta),
  gramEvery: given(method.gramEvery, MINIBATCH_DEFAULTS.gramEvery),
  damping: given(method.damping, MINIBATCH_DEFAULTS.damping),
  momentum: given(method.momentum, MINIBATCH_DEFAULTS.momentum),
  nesterov: given(method.nesterov, MINIBATCH_DEFAULTS.nesterov),
  l2: given(method.l2, MINIBATCH_DEFAULTS.l2),
});

/** What a session of mini-batch dlADMM is made of. */
export interface MinibatchSessionOptions extends SessionOptions, MinibatchMethod {
  /** Samples a batch; the last of an epoch has what is left. {@link defaultBatchSize} of the samples if absent. */
  readonly batchSize?: number;
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders, and of the directions that `'low-rank'` begins with; 1 if absent. */
  readonly seed?: number;
}

/** The types of mini-batch dlADMM. */
export interface MinibatchTypes extends StepTypes {
  readonly options: MinibatchSessionOptions;
  readonly block: 'W' | 'b';
  readonly set: LabelledSamples;
}

/** A network under training by mini-batch dlADMM: W_l n_l × n_{l−1}, b_l a row of n_l. Write parameters, then run batches. */
export type MinibatchSession = StepSession<MinibatchTypes>;

/** What a training by mini-batch dlADMM is. */
export interface MinibatchPlan {
  readonly method: MinibatchMethod;
  /** η, for epochs of so many batches. */
  readonly stepFor: (batchesPerEpoch: number) => LearningRate;
  readonly batchSize?: number;
  readonly shuffle: boolean;
  readonly initialisation: Initialisation;
}

function check(options: MinibatchSessionOptions): void {
  flag(given(options.shuffle, MINIBATCH_DEFAULTS.shuffle), 'options.shuffle');
  whole(given(options.seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  checkMinibatchMethod(options, options.network.layers.length - 1, 'options.');
}

const batchOf = ({ batchSize }: MinibatchSessionOptions, count: number): number =>
  whole(given(batchSize, defaultBatchSize(count)), 1, count, 'options.batchSize');

function setup(options: MinibatchSessionOptions, count: number) {
  const batch = batchOf(options, count);
  const updates = listBatchUpdates(given(options.sweep, minibatchSweep), options.network.layers.length - 1);
  return {
    batch,
    shuffle: given(options.shuffle, MINIBATCH_DEFAULTS.shuffle) && batch < count,
    seed: given(options.seed, 1),
    ...completed(options),
    sweep: updates.flatMap(({ block, layer }) => [numberOf(block), layer]),
  };
}

/** Mini-batch dlADMM on multilayer perceptrons: W and b, with the Gram matrix of every layer's inputs. */
export const minibatches: Splitting<
  MinibatchSessionOptions,
  LabelledSamples,
  MinibatchSession,
  MinibatchPlan,
  EpochRecord
> = {
  name: 'minibatch',
  ...ON_SAMPLES,
  async open(options, data, name = 'data') {
    const keys = ['batchSize', 'shuffle', 'seed', ...MINIBATCH_METHOD_KEYS];
    const opening = { problem: samples, blocks: PARAMETER_BLOCKS, State: () => native.Minibatch, keys, check, setup };
    return new StepSession<MinibatchTypes>(await openNative(opening, options, data, name), {
      stepsPerEpoch: (own, count) => Math.ceil(count / batchOf(own, count)),
      learningRate: ({ network }) => defaultStep(network.loss),
    });
  },
  async course({ network, dtype, threads, seed, method, batchSize, shuffle, stepFor }, data) {
    const options = {
      ...method,
      network,
      dtype,
      threads,
      seed,
      shuffle,
      ...(batchSize !== undefined && { batchSize }),
    };
    return stepCourse(await minibatches.open(options, data), stepFor);
  },
};
