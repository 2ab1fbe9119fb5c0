import { atLeast, checkKeys, checkObject, flag, fraction, given, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError } from '../../core/errors.js';
import {
  BLOCK_NUMBER,
  type Dtype,
  type NativeMinibatch,
  type NativeMinibatchOptions,
  type Numbers,
  native,
} from '../../core/native.js';
import type { Metrics } from '../../network/metrics.js';
import {
  checkActivation,
  checkLayers,
  checkLoss,
  type Loss,
  type Network,
  nativeActivation,
} from '../../network/network.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { LearningRate } from '../gradient/algorithm.js';

import { StateHandle } from '../shared/state-handle.js';
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

/** What a mini-batch dlADMM is made of. */
export interface MinibatchStateOptions extends MinibatchMethod {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  /** Samples a batch; the last of an epoch has what is left. {@link defaultBatchSize} of the samples if absent. */
  readonly batchSize?: number;
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders, and of the directions that `'low-rank'` begins with; 0 if absent. */
  readonly seed?: number;
}

/** What one call of {@link MinibatchState.run} did. */
export interface BatchesResult {
  /** How many batches ran to their end. */
  readonly batches: number;
  /** Samples that they saw. */
  readonly samples: number;
  /** R averaged over those, each at the parameters that its batch began with; NaN where there were none. */
  readonly loss: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /**
   * The batch after these met a loss, a Gram matrix or a parameter that is not finite. The parameters from before the call
   * are back, and the rest of the state is as new.
   */
  readonly diverged: boolean;
  readonly seconds: number;
}

/** A hundredth of the samples, as a power of 2 from 64 to 512, and never more than there are. */
export const defaultBatchSize = (samples: number): number =>
  Math.min(samples, 2 ** Math.min(9, Math.max(6, Math.floor(Math.log2(Math.max(1, samples / 100))))));

const KEYS = ['network', 'dtype', 'threads', 'batchSize', 'shuffle', 'seed', ...MINIBATCH_METHOD_KEYS];

/**
 * A network under training by mini-batch dlADMM, in native memory: load samples, write parameters, run batches. Calls run
 * one after the other, off the event loop; a whole epoch is one hop.
 *
 * Shapes: W_l n_l × n_{l−1}, b_l n_l, row-major. Parameters are zero until they are written.
 */
export class MinibatchState {
  readonly options: MinibatchStateOptions;
  readonly samples: number;
  /** Batches an epoch has. */
  readonly batchesPerEpoch: number;
  readonly #handle: StateHandle<NativeMinibatch>;
  #done = 0;
  #running = false;

  private constructor(options: MinibatchStateOptions, handle: StateHandle<NativeMinibatch>) {
    this.options = options;
    this.samples = handle.samples;
    this.batchesPerEpoch = Math.ceil(handle.samples / batchOf(options, handle.samples));
    this.#handle = handle;
  }

  /**
   * Allocates the state and copies the training samples in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the samples; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE,
   * ERR_DLADMM_SHAPE for the options
   */
  static async create(
    options: MinibatchStateOptions,
    samples: LabelledSamples,
    name = 'data',
  ): Promise<MinibatchState> {
    const updates = checkOptions(options);
    const setup = (rows: number) => nativeOptions(options, updates, rows);
    const handle = await StateHandle.open(native.Minibatch, options.network, setup, samples, name);
    return new MinibatchState(options, handle);
  }

  /** Copies samples to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(samples: LabelledSamples, name: string): Promise<number> {
    return this.#handle.addEvaluationSet(samples, name);
  }

  /**
   * `batches` batches from where the last run ended, an epoch if absent; in one hop off the event loop.
   *
   * @param step η: a number, or a function that gives one for each batch, called in order before the run begins
   * @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT for the number of batches and for what the function gives;
   * ERR_DLADMM_ARGUMENT while another run is at work, as the place in the epoch is not known then
   */
  run(step: LearningRate, batches: number = this.batchesPerEpoch): Promise<BatchesResult> {
    return this.#handle.call(async () => {
      whole(batches, 0, 2 ** 31 - 1, 'batches');
      const steps = stepsOf(step, this.#done, batches, this.batchesPerEpoch);
      if (this.#running) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected one run at a time but one is at work');
      this.#running = true;
      try {
        const ran = await this.#handle.native.run(batches, steps);
        this.#done = ran.diverged ? 0 : this.#done + ran.batches;
        return { ...ran, loss: ran.loss / ran.samples };
      } finally {
        this.#running = false;
      }
    });
  }

  /** Everything as new but the parameters: V_l, A_l, the place in the epoch. */
  reset(): Promise<void> {
    return this.#handle.call(async () => {
      await this.#handle.native.reset();
      this.#done = 0;
    });
  }

  /** Loss and accuracy of the network on an evaluation set, or on the training set. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.#handle.evaluate(set);
  }

  /** A copy of W_l or b_l, row-major. */
  read(block: 'W' | 'b', layer: number): Promise<Numbers> {
    return this.#handle.readParameter(block, layer);
  }

  /** Replaces W_l or b_l; the rest of the state stays. */
  write(block: 'W' | 'b', layer: number, values: Numbers): Promise<void> {
    return this.#handle.writeParameter(block, layer, values, this.options.dtype);
  }

  /** For checkpoints. @internal */
  get native(): NativeMinibatch {
    return this.#handle.native;
  }

  /** Batches since the training began, or since it began anew. */
  get batches(): number {
    return this.#done;
  }

  /** The state has been filled from a checkpoint, written after so many batches. @internal */
  takeUp(batches: number): void {
    this.#done = batches;
  }

  /** Ends the run at work between two batches. */
  stop(): void {
    this.#handle.native.stop();
  }

  /** Ends the thread and gives the memory back. Everything but `close` fails afterwards. */
  close(): void {
    this.#handle.close();
  }

  /** As `close`, at the end of a `using` block. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** η of the `count` batches after the first `done`: one for all where it is constant. */
function stepsOf(step: LearningRate, done: number, count: number, batchesPerEpoch: number): Float64Array {
  if (typeof step !== 'function') return Float64Array.of(atLeast(step, 0, 'step'));
  return Float64Array.from({ length: count }, (_, i) => {
    const at = { epoch: Math.floor((done + i) / batchesPerEpoch) + 1, step: done + i + 1 };
    return atLeast(step(at), 0, `step({ epoch: ${at.epoch}, step: ${at.step} })`);
  });
}

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

function checkOptions(options: MinibatchStateOptions): readonly Update[] {
  checkObject(options, '{ network, dtype, threads }', 'options');
  checkKeys(options, KEYS, 'options');
  const { network, dtype, threads } = options;
  checkObject(network, '{ layers, activation, loss }', 'options.network');
  checkLayers(network.layers);
  checkActivation(network.activation);
  checkLoss(network.loss);
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  whole(threads, 1, 64, 'options.threads');
  flag(given(options.shuffle, MINIBATCH_DEFAULTS.shuffle), 'options.shuffle');
  whole(given(options.seed, 0), 0, 2 ** 32 - 1, 'options.seed');
  return checkMinibatchMethod(options, network.layers.length - 1, 'options.');
}

function nativeOptions(
  options: MinibatchStateOptions,
  updates: readonly Update[],
  samples: number,
): NativeMinibatchOptions {
  const { network, dtype, threads } = options;
  const batch = batchOf(options, samples);
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax: 'stable',
    threads,
    samples,
    batch,
    shuffle: given(options.shuffle, MINIBATCH_DEFAULTS.shuffle) && batch < samples,
    seed: given(options.seed, 0),
    ...completed(options),
    sweep: updates.flatMap(({ block, layer }) => [BLOCK_NUMBER[block], layer]),
  };
}

const batchOf = ({ batchSize }: MinibatchStateOptions, samples: number): number =>
  whole(given(batchSize, defaultBatchSize(samples)), 1, samples, 'options.batchSize');
