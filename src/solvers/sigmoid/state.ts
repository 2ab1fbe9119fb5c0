import { atLeast, checkKeys, checkObject, oneOf, positive, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import {
  CONSTRAINT_BLOCK_NUMBER,
  type Dtype,
  type NativeConstraints,
  type NativeConstraintsMeasures,
  type NativeConstraintsPenalties,
  type NativeConstraintsSweep,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkNumbers } from '../../network/initialisation.js';
import { checkLayers, type Network, nativeActivation } from '../../network/network.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { ConstraintMeasures, ConstraintUpdateRecord, Metrics, SweepWork } from '../shared/record.js';
import { StateHandle } from '../shared/state-handle.js';
import { type ConstraintBlock, type ConstraintUpdate, checkedConstraintUpdate } from '../shared/sweep.js';

/** What a state is made of. */
export interface ConstraintsStateOptions {
  /** With a smooth activation, and a squared error of values or of one-hot labels. */
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
}

/** What may change from sweep to sweep. */
export interface ConstraintPenalties {
  /** λ_1 … λ_N of Σ (λ_i/2)‖[W_i b_i]‖², or one for all. */
  readonly l2: number | readonly number[];
  /** β_1 … β_N, or one for all. */
  readonly beta: number | readonly number[];
  /** h = 𝓛(‖B‖_max), as the paper says, or ‖B‖_max, as its published code does (sigmoid alone). */
  readonly majoriser: 'paper' | 'code';
}

/** What one call of {@link ConstraintsState.run} did. */
export interface ConstraintSweepResult {
  readonly updates: readonly ConstraintUpdateRecord[];
  /** How many of them ran. */
  readonly completed: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /** The update after the completed ones met a value that is not finite; W and b are those from before the call. */
  readonly diverged: boolean;
  readonly seconds: number;
  readonly work: SweepWork;
  /** Absent after a divergence. */
  readonly measures?: ConstraintMeasures;
}

const UPDATE_FIELDS = 5;

/**
 * The variables of the splitting that keeps all constraints, in native memory: load samples, write parameters, start, run
 * updates in any order, look at every block. Calls run one after the other, off the event loop.
 *
 * Shapes: W_l n_l × n_{l−1}, b_l n_l, V_l and Λ_l samples × n_l; all row-major.
 */
export class ConstraintsState {
  readonly options: ConstraintsStateOptions;
  readonly samples: number;
  readonly #handle: StateHandle<NativeConstraints>;
  #started = false;

  private constructor(options: ConstraintsStateOptions, handle: StateHandle<NativeConstraints>) {
    this.options = options;
    this.samples = handle.samples;
    this.#handle = handle;
  }

  /**
   * Allocates the state and copies the training samples in.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
   * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the samples; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for
   * the options
   */
  static async create(
    options: ConstraintsStateOptions,
    samples: LabelledSamples,
    name = 'data',
  ): Promise<ConstraintsState> {
    checkOptions(options);
    const setup = (rows: number) => nativeOptions(options, rows);
    return new ConstraintsState(
      options,
      await StateHandle.open(native.Constraints, options.network, setup, samples, name),
    );
  }

  /** Copies samples to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(samples: LabelledSamples, name: string): Promise<number> {
    return this.#handle.addEvaluationSet(samples, name);
  }

  /** V by a forward pass from the present W and b, and Λ = 0. */
  start(): Promise<void> {
    return this.#handle.call(async () => {
      await this.#handle.native.start();
      this.#started = true;
    });
  }

  /** Runs updates in their order, in one hop off the event loop. */
  run(updates: readonly ConstraintUpdate[], penalties: ConstraintPenalties): Promise<ConstraintSweepResult> {
    return this.#handle.call(async () => {
      if (!Array.isArray(updates)) throw expected('an array of updates', 'updates', updates);
      const checked = updates.map((update, i) => checkedConstraintUpdate(update, this.#layers, `updates[${i}]`));
      const pairs = Int32Array.from(checked.flatMap(({ block, layer }) => [CONSTRAINT_BLOCK_NUMBER[block], layer]));
      this.#needStart();
      return sweepResult(checked, await this.#handle.native.run(pairs, this.#penalties(penalties)));
    });
  }

  /** Constraints, gradient and augmented Lagrangian as things stand. */
  measure(penalties: ConstraintPenalties): Promise<ConstraintMeasures> {
    return this.#handle.call(async () => {
      this.#needStart();
      return toMeasures(await this.#handle.native.measure(this.#penalties(penalties)));
    });
  }

  /** Loss and accuracy of the network on an evaluation set, or on the training set. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.#handle.evaluate(set);
  }

  /** A copy of a block, row-major. */
  read(block: ConstraintBlock | 'b', layer: number): Promise<Numbers> {
    return this.#handle.call(async () => {
      this.#exists(block, layer);
      if (block !== 'W' && block !== 'b') this.#needStart();
      return await this.#handle.native.read(CONSTRAINT_BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces a block; what depends on it is found afresh at the next run. */
  write(block: ConstraintBlock | 'b', layer: number, values: Numbers): Promise<void> {
    return this.#handle.call(async () => {
      this.#exists(block, layer);
      if (block !== 'W' && block !== 'b') this.#needStart();
      checkNumbers(values, this.#sizeOf(block, layer), this.options.dtype, 'values');
      await this.#handle.native.write(CONSTRAINT_BLOCK_NUMBER[block], layer, values);
    });
  }

  /** For checkpoints. @internal */
  get native(): NativeConstraints {
    return this.#handle.native;
  }

  /** The variables have been filled from a checkpoint: no start() is needed. @internal */
  takeUp(): void {
    this.#started = true;
  }

  /** Ends the run at work between two updates. */
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

  get #layers(): number {
    return this.options.network.layers.length - 1;
  }

  #exists(block: unknown, layer: unknown): void {
    const known = block === 'b' ? 'W' : block;
    checkedConstraintUpdate({ block: known, layer }, this.#layers, 'block and layer');
  }

  #sizeOf(block: ConstraintBlock | 'b', layer: number): number {
    const { layers } = this.options.network;
    const width = layers[layer] ?? 0;
    if (block === 'W') return width * (layers[layer - 1] ?? 0);
    return block === 'b' ? width : width * this.samples;
  }

  #penalties(penalties: ConstraintPenalties): NativeConstraintsPenalties {
    return checkConstraintPenalties(penalties, this.options.network);
  }

  /** Before start() V and Λ are nothing that could be looked at. */
  #needStart(): void {
    if (!this.#started && !this.#handle.closed)
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected start() before this call but it has not run');
  }
}

/**
 * Penalties that fit a network.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE
 */
export function checkConstraintPenalties(penalties: ConstraintPenalties, network: Network): NativeConstraintsPenalties {
  checkObject(penalties, '{ l2, beta, majoriser }', 'penalties');
  checkKeys(penalties, ['l2', 'beta', 'majoriser'], 'penalties');
  const layers = network.layers.length - 1;
  const majoriser = oneOf(penalties.majoriser, ['paper', 'code'], 'majoriser');
  if (majoriser === 'code' && network.activation !== 'sigmoid') {
    throw expected("'paper' (the published code's lies above the function for sigmoid alone)", 'majoriser', majoriser);
  }
  return {
    lambda: byLayer(penalties.l2, layers, 'l2', (value, name) => atLeast(value, 0, name)),
    beta: byLayer(penalties.beta, layers, 'beta', positive),
    majoriser,
  };
}

function byLayer(
  value: unknown,
  layers: number,
  name: string,
  check: (value: unknown, name: string) => number,
): readonly number[] {
  if (typeof value === 'number') return new Array<number>(layers).fill(check(value, name));
  if (!Array.isArray(value)) throw expected(`a number, or an array of ${layers}, one a layer,`, name, value);
  if (value.length !== layers) throw expected(`${layers} numbers, one a layer,`, name, value, 'ERR_DLADMM_SHAPE');
  return value.map((each: unknown, i) => check(each, `${name}[${i}]`));
}

/**
 * A network that the splitting can carry.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE
 */
export function checkConstraintsNetwork(network: Network, prefix = ''): void {
  checkLayers(network.layers);
  oneOf(network.activation, ['sigmoid', 'tanh'], `${prefix}activation`);
  oneOf(network.loss, ['squared-error', 'one-hot-squared-error'], `${prefix}loss`);
}

function checkOptions(options: ConstraintsStateOptions): void {
  checkObject(options, '{ network, dtype, threads }', 'options');
  checkObject(options.network, '{ layers, activation, loss }', 'options.network');
  checkConstraintsNetwork(options.network, 'options.network.');
  oneOf(options.dtype, ['float32', 'float64'], 'options.dtype');
  whole(options.threads, 1, 64, 'options.threads');
}

function nativeOptions({ network, dtype, threads }: ConstraintsStateOptions, samples: number) {
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax: 'stable',
    samples,
    threads,
  } as const;
}

function sweepResult(updates: readonly ConstraintUpdate[], sweep: NativeConstraintsSweep): ConstraintSweepResult {
  const { completed, stopped, diverged, seconds, work, measures } = sweep;
  return {
    updates: updates.slice(0, completed).map((update, i) => updateRecord(update, sweep.updates, i * UPDATE_FIELDS)),
    completed,
    stopped,
    diverged,
    seconds,
    work,
    ...(measures && { measures: toMeasures(measures) }),
  };
}

function updateRecord({ block, layer }: ConstraintUpdate, fields: Float64Array, at: number): ConstraintUpdateRecord {
  const [curvature = 0, stepNorm = 0, ridge = 0, factorSeconds = 0, seconds = 0] = fields.subarray(
    at,
    at + UPDATE_FIELDS,
  );
  return {
    block,
    layer,
    seconds,
    stepNorm,
    ...(Number.isNaN(curvature) ? {} : { curvature }),
    ...(Number.isNaN(ridge) ? {} : { ridge }),
    ...(Number.isNaN(factorSeconds) ? {} : { factorSeconds }),
  };
}

const toMeasures = (m: NativeConstraintsMeasures): ConstraintMeasures => ({
  lagrangian: m.lagrangian,
  loss: m.loss,
  regularisation: m.regularisation,
  residuals: [...m.residual],
  stationarityW: [...m.stationaryW],
  stationarityV: [...m.stationaryV],
  kkt: m.kkt,
  dualProduct: m.dualProduct,
  dualIdentity: m.dualIdentity,
});
