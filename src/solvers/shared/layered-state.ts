import { checkObject, flag, oneOf, whole } from '../../core/checks.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import {
  BLOCK_NUMBER,
  type Dtype,
  type NativeLayered,
  type NativeMeasures,
  type NativePenalties,
  type NativeSweep,
  type Numbers,
  native,
} from '../../core/native.js';
import type { Metrics } from '../../network/metrics.js';
import {
  checkActivation,
  checkLayers,
  checkLoss,
  classifies,
  type Loss,
  type Network,
  nativeActivation,
} from '../../network/network.js';
import { checkNumbers } from '../../network/parameters.js';
import type { LabelledSamples } from '../../samples/samples.js';
import type { Measures, UpdateRecord } from './record.js';
import { StateHandle } from './state-handle.js';
import { checkStepKinds, type StepKind, type StepKinds } from './step.js';
import { type Block, checkedUpdate, type Update } from './sweep.js';

export type { LabelledSamples } from '../../samples/samples.js';

/** What a state is made of, checked. */
export interface StateOptions {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly softmax: 'stable' | 'reference';
  readonly threads: number;
  /** Keep XᵀX, which spares two of four products where a sweep updates W_1 twice in a row. */
  readonly gram: boolean;
  /** Make room for the FISTA solver of z_L. */
  readonly fista: boolean;
  /** The kind of step of every block. Default: all quadratic. */
  readonly steps?: StepKinds;
  /** `residual`: u multiplies z_L − W_L a_{L−1} − b_L (dlADMM, the default); `output`: z_L (Taylor et al.). */
  readonly multiplier?: 'residual' | 'output';
  /** `joint`: b_l is renewed together with W_l, as a column of it. Default `separate`: a block of its own. */
  readonly bias?: 'separate' | 'joint';
}

/**
 * The penalties of a run, and how its quadratic steps and its z_L are found.
 *
 * @interface
 */
export type SweepPenalties = Omit<NativePenalties, 'gamma'> & {
  /** γ, of ‖a_l − f(z_l)‖². Default ν. */
  readonly gamma?: number;
};

/** What one call of {@link LayeredState.run} did. */
export interface SweepResult {
  readonly updates: readonly UpdateRecord[];
  /** How many of them ran. */
  readonly completed: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /** The update after the completed ones met a value that is not finite; W and b are those from before the call. */
  readonly diverged: boolean;
  readonly seconds: number;
  /** Absent after a divergence. */
  readonly measures?: Measures;
}

/** Where z_L and u begin. */
export interface StartOptions {
  /** z_L. `forward`: the network's own output. `signed-labels`: +1 at the label, −1 elsewhere. `gaussian`: N(0, 1). */
  readonly output: 'forward' | 'signed-labels' | 'gaussian';
  /** z_l and a_l of the hidden layers: the forward pass (default), or independent N(0, 1). */
  readonly hidden?: 'forward' | 'gaussian';
  /** `stationary`: u = −∇R(z_L), for which L_ρ descends from the first sweep on. `zero`: the official code. */
  readonly dual: 'stationary' | 'zero';
}

const STARTS = {
  output: ['forward', 'signed-labels', 'gaussian'],
  hidden: ['forward', 'gaussian'],
  dual: ['stationary', 'zero'],
} as const;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
export function checkStart(start: StartOptions, loss: Loss): Required<StartOptions> {
  const output = oneOf(start.output, STARTS.output, 'start.output');
  const hidden = oneOf(start.hidden ?? 'forward', STARTS.hidden, 'start.hidden');
  const dual = oneOf(start.dual, STARTS.dual, 'start.dual');
  if (output === 'signed-labels' && !classifies(loss)) {
    throw expected("'forward' or 'gaussian' (signed labels need classes)", 'start.output', output);
  }
  return { output, hidden, dual };
}

const UPDATE_FIELDS = 9;

/**
 * The variables of the layered splitting, in native memory: load samples, write parameters, start, run updates in any
 * order, look at every block. Calls run one after the other, off the event loop.
 *
 * Shapes: W_l n_l × n_{l−1}, b_l n_l, z_l and a_l samples × n_l, u samples × n_L; all row-major.
 */
export class LayeredState {
  readonly options: StateOptions;
  readonly samples: number;
  readonly #handle: StateHandle<NativeLayered>;
  #started = false;

  private constructor(options: StateOptions, handle: StateHandle<NativeLayered>) {
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
  static async create(options: StateOptions, samples: LabelledSamples, name = 'data'): Promise<LayeredState> {
    checkOptions(options);
    const setup = (rows: number) => nativeOptions(options, rows);
    return new LayeredState(options, await StateHandle.open(native.Layered, options.network, setup, samples, name));
  }

  /** Copies samples to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(samples: LabelledSamples, name: string): Promise<number> {
    return this.#handle.addEvaluationSet(samples, name);
  }

  /** z and a by a forward pass from the present W and b (or at random, by `seed`), then z_L and u. */
  start({ seed = 1, ...options }: StartOptions & { readonly seed?: number }): Promise<void> {
    return this.#handle.call(async () => {
      whole(seed, 0, 2 ** 32 - 1, 'seed');
      await this.#handle.native.start({ ...checkStart(options, this.options.network.loss), seed });
      this.#started = true;
    });
  }

  /** Runs updates in their order, in one hop off the event loop. */
  run(updates: readonly Update[], penalties: SweepPenalties): Promise<SweepResult> {
    return this.#handle.call(async () => {
      if (!Array.isArray(updates)) throw expected('an array of updates', 'updates', updates);
      const checked = updates.map((update, i) => this.#exists(update, `updates[${i}]`));
      const pairs = Int32Array.from(checked.flatMap(({ block, layer }) => [BLOCK_NUMBER[block], layer]));
      this.#needStart();
      return sweepResult(checked, await this.#handle.native.run(pairs, nativePenalties(penalties)));
    });
  }

  /** Residuals and the augmented Lagrangian as things stand. */
  measure(penalties: SweepPenalties): Promise<Measures> {
    return this.#handle.call(async () => {
      this.#needStart();
      return toMeasures(await this.#handle.native.measure(nativePenalties(penalties)));
    });
  }

  /** The kept products P_l = a_{l−1} W_lᵀ afresh: bounds their drift. */
  refresh(): Promise<void> {
    return this.#handle.call(() => this.#handle.native.refresh());
  }

  /** Loss and accuracy of the network on an evaluation set, or on the training set. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.#handle.evaluate(set);
  }

  /** A copy of a block, row-major. */
  read(block: Block, layer: number): Promise<Numbers> {
    return this.#handle.call(async () => {
      this.#exists({ block, layer }, 'block and layer');
      if (block !== 'W' && block !== 'b') this.#needStart();
      return await this.#handle.native.read(BLOCK_NUMBER[block], layer);
    });
  }

  /** Replaces a block; products and sums that depend on it are found afresh at the next run. */
  write(block: Block, layer: number, values: Numbers): Promise<void> {
    return this.#handle.call(async () => {
      this.#exists({ block, layer }, 'block and layer');
      checkNumbers(values, this.#sizeOf(block, layer), this.options.dtype, 'values');
      await this.#handle.native.write(BLOCK_NUMBER[block], layer, values);
    });
  }

  /** For checkpoints. @internal */
  get native(): NativeLayered {
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

  #exists(update: unknown, name: string): Update {
    return checkedUpdate(update, this.options.network.layers.length - 1, name);
  }

  #sizeOf(block: Block, layer: number): number {
    const { layers } = this.options.network;
    const width = layers[layer] ?? 0;
    if (block === 'W') return width * (layers[layer - 1] ?? 0);
    return block === 'b' ? width : width * this.samples;
  }

  /** Before start() z, a and u are nothing that could be looked at. */
  #needStart(): void {
    if (!this.#started && !this.#handle.closed)
      throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected start() before this call but it has not run');
  }
}

function checkOptions(options: StateOptions): void {
  checkObject(options, '{ network, dtype, softmax, threads, gram, fista }', 'options');
  const { network, dtype, softmax, threads, gram, fista, steps, multiplier, bias } = options;
  checkObject(network, '{ layers, activation, loss }', 'options.network');
  checkLayers(network.layers);
  checkActivation(network.activation);
  checkLoss(network.loss);
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  oneOf(softmax, ['stable', 'reference'], 'options.softmax');
  whole(threads, 1, 64, 'options.threads');
  flag(gram, 'options.gram');
  flag(fista, 'options.fista');
  if (steps !== undefined) {
    checkObject(steps, '{ W, a }', 'options.steps');
    checkStepKinds(steps, network.layers.length - 1, 'options.steps');
  }
  oneOf(multiplier ?? 'residual', ['residual', 'output'], 'options.multiplier');
  oneOf(bias ?? 'separate', ['separate', 'joint'], 'options.bias');
}

function nativePenalties(penalties: SweepPenalties): NativePenalties {
  checkObject(penalties, '{ nu, rho, … }', 'penalties');
  return { ...penalties, gamma: penalties.gamma ?? penalties.nu };
}

function nativeOptions(options: StateOptions, samples: number) {
  const { network, dtype, softmax, threads, gram, fista, steps, multiplier, bias } = options;
  const L = network.layers.length - 1;
  return {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    loss: network.loss,
    softmax,
    samples,
    threads,
    gram,
    fista,
    stepsW: steps?.W ?? new Array<StepKind>(L).fill('quadratic'),
    stepsA: steps?.a ?? new Array<StepKind>(L - 1).fill('quadratic'),
    multiplier: multiplier ?? 'residual',
    jointBias: bias === 'joint',
  } as const;
}

function sweepResult(updates: readonly Update[], sweep: NativeSweep): SweepResult {
  return {
    updates: updates
      .slice(0, sweep.completed)
      .map((update, i) => updateRecord(update, sweep.updates, i * UPDATE_FIELDS)),
    completed: sweep.completed,
    stopped: sweep.stopped,
    diverged: sweep.diverged,
    seconds: sweep.seconds,
    ...(sweep.measures && { measures: toMeasures(sweep.measures) }),
  };
}

function updateRecord({ block, layer }: Update, fields: Float64Array, at: number): UpdateRecord {
  const [
    size = 0,
    kappa = 0,
    stepNorm = 0,
    steps = -1,
    stationarity = 0,
    ridge = 0,
    rank = -1,
    factorSeconds = 0,
    seconds = 0,
  ] = fields.subarray(at, at + UPDATE_FIELDS);
  return {
    block,
    layer,
    seconds,
    ...(Number.isNaN(size) ? {} : { size, kappa, stepNorm }),
    ...(steps < 0 ? {} : { steps }),
    ...(Number.isNaN(stationarity) ? {} : { stationarity }),
    ...(Number.isNaN(ridge) ? {} : { ridge }),
    ...(rank < 0 ? {} : { rank }),
    ...(Number.isNaN(factorSeconds) ? {} : { factorSeconds }),
  };
}

function toMeasures(m: NativeMeasures): Measures {
  return {
    lagrangian: m.lagrangian,
    loss: m.loss,
    regularisation: m.regularisation,
    residuals: [...m.residual],
    activationResiduals: [...m.activation],
    dualNorm: m.dualNorm,
    dualProduct: m.dualProduct,
    dualIdentity: m.dualIdentity,
  };
}
