import { atLeast, checkKeys, checkObject, flag, given, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError } from '../../core/errors.js';
import {
  BLOCK_NUMBER,
  type Dtype,
  type NativeMinibatch,
  type NativeMinibatchOptions,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkActivation, checkLayers, checkLoss, type Network, nativeActivation } from '../../network/network.js';
import type { LabelledSamples } from '../../samples/samples.js';
import { defaultBatchSize, GRAM_STEP, type GramStepOptions } from '../shared/gram-step.js';
import { type LearningRate, ratesOf } from '../shared/learning-rate.js';
import type { Metrics } from '../shared/record.js';
import { completed } from '../shared/schema.js';
import { StateHandle } from '../shared/state-handle.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { listBatchUpdates, minibatchSweep } from './algorithm.js';

/** How the W subproblems of mini-batch dlADMM are solved, and the updates of one batch. */
export type MinibatchMethod = GramStepOptions & {
  /** The updates of one batch, or a sweep of them. Default {@link minibatchSweep}. */
  readonly sweep?: Sweep | readonly Update[];
};

/** What a mini-batch dlADMM is made of. */
export type MinibatchStateOptions = MinibatchMethod & {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  /** Samples a batch; the last of an epoch has what is left. {@link defaultBatchSize} of the samples if absent. */
  readonly batchSize?: number;
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders, and of the directions that `'low-rank'` begins with; 1 if absent. */
  readonly seed?: number;
};

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

const KEYS = ['network', 'dtype', 'threads', 'batchSize', 'shuffle', 'seed', ...Object.keys(GRAM_STEP), 'sweep'];

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
      const steps = ratesOf(
        typeof step === 'function' ? step : atLeast(step, 0, 'rate'),
        this.#done,
        batches,
        this.batchesPerEpoch,
      );
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
  flag(given(options.shuffle, true), 'options.shuffle');
  whole(given(options.seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  completed(GRAM_STEP, options, 'options.', { network, dtype });
  const { sweep = minibatchSweep } = options;
  return listBatchUpdates(typeof sweep === 'function' ? sweep : () => sweep, network.layers.length - 1);
}

function nativeOptions(
  options: MinibatchStateOptions,
  updates: readonly Update[],
  samples: number,
): NativeMinibatchOptions {
  const { network, dtype, threads } = options;
  const batch = batchOf(options, samples);
  const { gramMemory: beta, ...settings } = completed(GRAM_STEP, options, 'options.', { network, dtype });
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax: 'stable',
    threads,
    samples,
    batch,
    shuffle: given(options.shuffle, true) && batch < samples,
    seed: given(options.seed, 1),
    ...settings,
    beta,
    sweep: updates.flatMap(({ block, layer }) => [BLOCK_NUMBER[block], layer]),
  };
}

const batchOf = ({ batchSize }: MinibatchStateOptions, samples: number): number =>
  whole(given(batchSize, defaultBatchSize(samples)), 1, samples, 'options.batchSize');
