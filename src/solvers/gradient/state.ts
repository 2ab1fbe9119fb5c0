import { checkKeys, checkObject, flag, given, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError } from '../../core/errors.js';
import {
  BLOCK_NUMBER,
  type Dtype,
  type NativeGradientOptions,
  type NativeGradientTrainer,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkActivation, checkLayers, checkLoss, type Network, nativeActivation } from '../../network/network.js';
import type { LabelledSamples } from '../../samples/samples.js';
import { ratesOf } from '../shared/learning-rate.js';
import { checkDivides, type GradientMethod, type Method, methodOf } from '../shared/methods.js';
import type { Metrics } from '../shared/record.js';
import { StateHandle } from '../shared/state-handle.js';

/** What a training by gradients is made of. */
export interface GradientStateOptions {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly method: GradientMethod;
  /** Samples a batch; the last of an epoch has what is left. All for 'gd'; else 128, or all where there are fewer. */
  readonly batchSize?: number;
  /** F is the mean of the loss over the samples of a batch, or the sum; 'mean' if absent. */
  readonly reduction?: 'mean' | 'sum';
  /** Visit the samples in a new order every epoch; true if absent, and never for batches of all samples. */
  readonly shuffle?: boolean;
  /** Of the orders; 1 if absent. */
  readonly seed?: number;
}

/** What one call of {@link GradientState.run} did. */
export interface StepsResult {
  /** How many steps ran to their end. */
  readonly steps: number;
  /** Samples that they saw. */
  readonly samples: number;
  /** R averaged over those, each at the parameters that its step began with; NaN where there were none. */
  readonly loss: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /**
   * The step after these met a loss that is not finite, and changed nothing, or gave parameters that are not, and those
   * from before the call are back. The optimiser begins anew.
   */
  readonly diverged: boolean;
  readonly seconds: number;
}

const DEFAULT_BATCH = 128;

const KEYS = ['network', 'dtype', 'threads', 'method', 'batchSize', 'reduction', 'shuffle', 'seed'];

/**
 * A network under training by gradients, in native memory: load samples, write parameters, run steps. Calls run one
 * after the other, off the event loop; a whole epoch is one hop.
 *
 * Shapes: W_l n_l × n_{l−1}, b_l n_l, row-major. Parameters are zero until they are written.
 */
export class GradientState {
  readonly options: GradientStateOptions;
  readonly samples: number;
  /** Steps an epoch has. */
  readonly stepsPerEpoch: number;
  readonly #method: Method;
  readonly #handle: StateHandle<NativeGradientTrainer>;
  #done = 0;
  #running = false;

  private constructor(
    options: GradientStateOptions,
    method: Method,
    stepsPerEpoch: number,
    handle: StateHandle<NativeGradientTrainer>,
  ) {
    this.options = options;
    this.samples = handle.samples;
    this.stepsPerEpoch = stepsPerEpoch;
    this.#method = method;
    this.#handle = handle;
  }

  /**
   * Allocates the state and copies the training samples in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the samples; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE,
   * ERR_DLADMM_SHAPE for the options
   */
  static async create(options: GradientStateOptions, samples: LabelledSamples, name = 'data'): Promise<GradientState> {
    const method = checkOptions(options);
    const setup = (rows: number) => nativeOptions(options, method, rows);
    const handle = await StateHandle.open(native.GradientTrainer, options.network, setup, samples, name);
    return new GradientState(
      options,
      method,
      Math.ceil(handle.samples / batchOf(options, method, handle.samples)),
      handle,
    );
  }

  /** Copies samples to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(samples: LabelledSamples, name: string): Promise<number> {
    return this.#handle.addEvaluationSet(samples, name);
  }

  /**
   * `steps` steps from where the last run ended, an epoch if absent; in one hop off the event loop.
   *
   * @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT for the number of steps and for what the function of the
   * learning rate gives; ERR_DLADMM_ARGUMENT while another run is at work, as the place in the epoch is not known then
   */
  run(steps: number = this.stepsPerEpoch): Promise<StepsResult> {
    return this.#handle.call(async () => {
      whole(steps, 0, 2 ** 31 - 1, 'steps');
      const rates = ratesOf(this.#method.learningRate, this.#done, steps, this.stepsPerEpoch);
      if (this.#running) throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected one run at a time but one is at work');
      this.#running = true;
      try {
        const ran = await this.#handle.native.run(steps, rates);
        this.#done = ran.diverged ? 0 : this.#done + ran.steps;
        return { ...ran, loss: ran.loss / ran.samples };
      } finally {
        this.#running = false;
      }
    });
  }

  /** The optimiser as new, and the place in the epoch; parameters stay. */
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

  /**
   * A copy of the multiplier π_s of sub-batch s = 0, 1, … for W_l or b_l.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT where none is kept: 'sisa' keeps them, 'badm' where `duals` is set
   */
  readDual(subBatch: number, block: 'W' | 'b', layer: number): Promise<Numbers> {
    return this.#handle.call(async () => {
      const { optimiser, subBatches } = this.#method;
      if (!(optimiser.method === 'sisa' || (optimiser.method === 'badm' && optimiser.duals))) {
        throw new DlAdmmError(
          'ERR_DLADMM_ARGUMENT',
          "Expected solver 'sisa', or 'badm' with duals: true, for readDual",
        );
      }
      whole(subBatch, 0, subBatches - 1, 'subBatch');
      this.#handle.checkParameter(block, layer);
      return await this.#handle.native.readDual(subBatch, BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces W_l or b_l; the optimiser goes on with its state. */
  write(block: 'W' | 'b', layer: number, values: Numbers): Promise<void> {
    return this.#handle.writeParameter(block, layer, values, this.options.dtype);
  }

  /** For checkpoints. @internal */
  get native(): NativeGradientTrainer {
    return this.#handle.native;
  }

  /** Steps since the training began, or since it began anew. */
  get steps(): number {
    return this.#done;
  }

  /** The state has been filled from a checkpoint, written after so many steps. @internal */
  takeUp(steps: number): void {
    this.#done = steps;
  }

  /** Ends the run at work between two steps. */
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

function checkOptions(options: GradientStateOptions): Method {
  checkObject(options, '{ network, dtype, threads, method }', 'options');
  checkKeys(options, KEYS, 'options');
  const { network, dtype, threads } = options;
  checkObject(network, '{ layers, activation, loss }', 'options.network');
  checkLayers(network.layers);
  checkActivation(network.activation);
  checkLoss(network.loss);
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  whole(threads, 1, 64, 'options.threads');
  oneOf(given(options.reduction, 'mean'), ['mean', 'sum'], 'options.reduction');
  flag(given(options.shuffle, true), 'options.shuffle');
  whole(given(options.seed, 1), 0, 2 ** 32 - 1, 'options.seed');
  checkObject(options.method, "{ solver: 'sgd', … }", 'options.method');
  return methodOf(options.method, 'options.method.');
}

function nativeOptions(options: GradientStateOptions, method: Method, samples: number): NativeGradientOptions {
  const { network, dtype, threads } = options;
  const batch = batchOf(options, method, samples);
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax: 'stable',
    threads,
    samples,
    batch,
    reduction: given(options.reduction, 'mean'),
    shuffle: given(options.shuffle, true) && batch < samples,
    seed: given(options.seed, 1),
    optimiser: method.optimiser,
  };
}

function batchOf({ batchSize }: GradientStateOptions, { subBatches, fullBatch }: Method, samples: number): number {
  const size = given(batchSize, fullBatch ? samples : Math.min(DEFAULT_BATCH, samples));
  const batch = whole(size, fullBatch ? samples : 1, samples, 'options.batchSize');
  checkDivides(subBatches, batch, 'options.method.subBatches');
  return batch;
}
