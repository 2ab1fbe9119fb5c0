import { atLeast, whole } from '../../core/checks.js';
import { DlAdmmError } from '../../core/errors.js';
import type { NativeStepping, NativeSteps } from '../../core/native.js';
import type { Matrix } from '../../tensor/matrix.js';
import type { Feed } from './feed.js';
import { type LearningRate, ratesOf } from './learning-rate.js';
import type { WeightMeasures } from './record.js';
import { type Opened, Session, type SessionOptions } from './session.js';

/** The types that make a splitting whose iterations are epochs. */
export interface StepTypes {
  readonly options: SessionOptions;
  readonly block: string;
  readonly set: unknown;
}

/** What one call of {@link StepSession.run} did. */
export interface StepsResult {
  /** How many steps (batches) ran to their end. */
  readonly steps: number;
  /** Samples that they saw. */
  readonly samples: number;
  /** R averaged over those, each at the parameters that its step began with; NaN where there were none. */
  readonly loss: number;
  /** A stop was asked for. */
  readonly stopped: boolean;
  /**
   * The step after these met a value that is not finite. The parameters from before it, or from before the call, are back, and
   * all else that the method remembers is as new.
   */
  readonly diverged: boolean;
  readonly seconds: number;
  /** The γ of the last step that was asked for; undefined where there was none. */
  readonly learningRate?: number | undefined;
  /** Where weights are regularised. */
  readonly weights?: WeightMeasures;
}

export interface StepRules<T extends StepTypes> {
  readonly stepsPerEpoch: (options: T['options'], samples: number) => number;
  /** Where none is given to a run. */
  readonly learningRate: (options: T['options']) => LearningRate;
  /** How many sub-batches have multipliers of their own. Default: none. */
  readonly duals?: (options: T['options']) => number;
}

/** What has been done before the first step. */
const NONE = { steps: 0, samples: 0, loss: 0, stopped: false, diverged: false };

/**
 * A session of a splitting whose iterations are epochs: run steps, each on a batch. A whole epoch is one hop off the event loop.
 * Parameters are zero until they are written.
 */
export class StepSession<T extends StepTypes> extends Session<T['options'], T['block'], T['set']> {
  /** Steps an epoch has. */
  readonly stepsPerEpoch: number;
  readonly #rules: StepRules<T>;
  readonly #native: NativeStepping;
  #stopping = false;
  #done = 0;
  #running = false;

  /** @internal */
  constructor(opened: Opened<T['options'], T['block'], T['set'], NativeStepping>, rules: StepRules<T>) {
    super(opened);
    this.#native = opened.native;
    this.#rules = rules;
    this.stepsPerEpoch = rules.stepsPerEpoch(this.options, this.samples);
  }

  /**
   * `count` steps from where the last run ended, an epoch if absent.
   *
   * @param learningRate a number, or a function that gives one for each step, called in order before the run begins; that of
   * the options if absent
   * @throws DlAdmmError ERR_DLADMM_RANGE, ERR_DLADMM_ARGUMENT for the number of steps and for what the function gives;
   * ERR_DLADMM_STATE while another run is at work, as the place in the epoch is not known then
   */
  run(count: number = this.stepsPerEpoch, learningRate?: LearningRate): Promise<StepsResult> {
    return this.call(async () => {
      whole(count, 0, 2 ** 31 - 1, 'steps');
      const rate = learningRate ?? this.#rules.learningRate(this.options);
      if (typeof rate !== 'function') atLeast(rate, 0, 'learningRate');
      if (this.#running) throw new DlAdmmError('ERR_DLADMM_STATE', 'Expected one run at a time but one is at work');
      this.#stopping = false;
      const rates = ratesOf(rate, this.#done, count, this.stepsPerEpoch);
      this.#running = true;
      try {
        const { loss, regularisation, zeros, ...ran } = await this.#ran(count, rates);
        this.#done = ran.diverged ? 0 : this.#done + ran.steps;
        const weights = zeros.length > 0 && { weights: { regularisation, zeros: [...zeros] } };
        return { ...ran, loss: loss / ran.samples, learningRate: rates.at(-1), ...weights };
      } finally {
        this.#running = false;
      }
    });
  }

  async #ran(count: number, rates: Float64Array): Promise<NativeSteps> {
    // The function that gave the rates may have asked for the stop: the addon has nothing to stop before a run.
    if (this.#stopping) return { ...NONE, stopped: true, regularisation: 0, zeros: new Float64Array(), seconds: 0 };
    return this.feed ? this.#runFed(this.feed, count, rates) : this.#native.run(count, rates);
  }

  /** Steps on windows of samples, of which the next is read while one is learnt from. */
  async #runFed(feed: Feed, count: number, rates: Float64Array): Promise<NativeSteps> {
    const began = performance.now();
    const sum = { ...NONE };
    let weights: Pick<NativeSteps, 'regularisation' | 'zeros'> = { regularisation: 0, zeros: new Float64Array() };
    while (sum.steps < count && !sum.stopped && !sum.diverged) {
      const steps = Math.min(await feed.window(), count - sum.steps);
      const own = rates.length > 1 ? rates.subarray(sum.steps, sum.steps + steps) : rates;
      const running = this.#stopping ? undefined : this.#native.run(steps, own);
      const [ran] = await Promise.all([running, sum.steps + steps < count ? feed.readAhead() : undefined]);
      feed.took(ran?.steps ?? 0);
      sum.steps += ran?.steps ?? 0;
      sum.samples += ran?.samples ?? 0;
      sum.loss += ran?.loss ?? 0;
      sum.stopped = ran?.stopped ?? true;
      sum.diverged = ran?.diverged ?? false;
      weights = ran ?? weights;
    }
    const { regularisation, zeros } = weights;
    return { ...sum, regularisation, zeros, seconds: (performance.now() - began) / 1000 };
  }

  override stop(): void {
    this.#stopping = true;
    super.stop();
  }

  /** Everything as new but the parameters: what the method remembers, and the place in the epoch. */
  reset(): Promise<void> {
    return this.call(async () => {
      await this.#native.reset();
      this.#done = 0;
    });
  }

  /**
   * A copy of the multiplier π_s of sub-batch s = 0, 1, … for W_l or b_l.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT where none is kept: 'sisa' keeps them, 'badm' where `duals` is set
   */
  readDual(subBatch: number, block: T['block'], layer: number): Promise<Matrix> {
    return this.call(async () => {
      const kept = this.#rules.duals?.(this.options) ?? 0;
      if (kept === 0 || this.#native.readDual === undefined) {
        const what = "Expected solver 'sisa', or 'badm' with duals: true, for readDual";
        throw new DlAdmmError('ERR_DLADMM_ARGUMENT', what);
      }
      whole(subBatch, 0, kept - 1, 'subBatch');
      const { number, rows, columns } = this.place(block, layer);
      return { rows, columns, data: await this.#native.readDual(subBatch, number, layer) };
    });
  }

  /** Steps since the training began, or since it began anew. */
  get steps(): number {
    return this.#done;
  }

  /** The state has been filled from a checkpoint that was written after so many steps. @internal */
  takeUp(steps: number): void {
    this.#done = steps;
  }
}
