import { checkObject } from './checks.js';
import { DlAdmmError } from './errors.js';
import { initialise, type Parameters } from './initialisation.js';
import { rowSource } from './inputs.js';
import { type LabelledSamples, LayeredState, type SweepResult } from './layered-state.js';
import { Model } from './model.js';
import type { NativePenalties, Numbers } from './native.js';
import { DEFAULTS, type DladmmOptions, type Plan, planOf } from './options.js';
import { seededRandom } from './random.js';
import type { IterationRecord, Metrics } from './record.js';
import type { Penalties } from './schedule.js';
import type { Block, Update } from './sweep.js';

/** What to train on, and what to watch meanwhile. */
export interface TrainingData extends LabelledSamples {
  /** Watched by early stopping. */
  readonly validation?: LabelledSamples;
  /** Only reported. */
  readonly test?: LabelledSamples;
}

/** How a training ended. None of these is an error: the model is usable after each. */
export type Status =
  /** All iterations ran. */
  | { readonly kind: 'completed' }
  /** The validation metric stopped improving; the model is that of the best iteration. */
  | { readonly kind: 'early-stopped'; readonly bestIteration: number }
  /** The signal was aborted, or the consumer of the iteration records left. */
  | { readonly kind: 'aborted' }
  /** An update met a value that is not finite; the model is the last finite one. */
  | { readonly kind: 'diverged'; readonly iteration: number; readonly update: Update };

/** What a training gives. */
export interface FitResult {
  readonly model: Model;
  readonly status: Status;
  /** Iterations that ran to their end. */
  readonly iterations: number;
  readonly history: readonly IterationRecord[];
  /** Wall-clock seconds, everything included. */
  readonly seconds: number;
}

/**
 * A training under way: an async iterable of iteration records that works while it is being iterated. Afterwards (or
 * after a `break`, or an abort) `result` has the model.
 */
export class Training implements AsyncIterable<IterationRecord> {
  readonly #plan: Plan;
  readonly #data: TrainingData;
  readonly #history: IterationRecord[] = [];
  #state: LayeredState | undefined;
  #result: FitResult | undefined;
  #started = false;

  /** Use {@link train}. */
  constructor(data: TrainingData, plan: Plan) {
    this.#data = data;
    this.#plan = plan;
  }

  /** @throws DlAdmmError ERR_DLADMM_CLOSED while the training has not ended, or where it failed */
  get result(): FitResult {
    if (this.#result === undefined) {
      throw new DlAdmmError('ERR_DLADMM_CLOSED', 'The training has no result yet: iterate over it to its end first');
    }
    return this.#result;
  }

  /**
   * A copy of a block of the present state, row-major (see {@link LayeredState} for shapes); between two iteration
   * records.
   *
   * @throws DlAdmmError ERR_DLADMM_CLOSED before the first record and after the last
   */
  async read(block: Block, layer: number): Promise<Numbers> {
    if (this.#state === undefined) {
      throw new DlAdmmError('ERR_DLADMM_CLOSED', 'A training can be looked into only while it is being iterated');
    }
    return this.#state.read(block, layer);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<IterationRecord, void, undefined> {
    if (this.#started) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'A training can be iterated over only once');
    this.#started = true;
    const { signal } = this.#plan;
    throwIfAborted(signal);
    const began = performance.now();
    const stop = (): void => this.#state?.stop();
    signal?.addEventListener('abort', stop, { once: true });
    let status: Status = { kind: 'aborted' };
    let best: BestModel | undefined;
    let parametersReady = false;
    try {
      const state = await this.#open();
      parametersReady = true;
      const sets = await this.#evaluationSets(state);
      let penalties = firstPenalties(this.#plan, state.samples);
      for (let iteration = 1; !signal?.aborted; iteration += 1) {
        const sweep = await state.run(this.#plan.updates, nativePenalties(this.#plan, penalties));
        if (sweep.stopped) break;
        if (sweep.diverged) {
          const { updates } = this.#plan;
          status = { kind: 'diverged', iteration, update: updates[sweep.completed] ?? (updates.at(-1) as Update) };
          break;
        }
        const { refreshEvery } = this.#plan;
        if (refreshEvery > 0 && iteration % refreshEvery === 0) await state.refresh();
        const record = await this.#record(state, sets, sweep, iteration, penalties, began);
        this.#history.push(record);
        best = await this.#keepBest(state, record, best);
        penalties = this.#plan.schedule.next(penalties, record);
        const early = this.#plan.earlyStopping;
        if (early && best && best.age >= early.patience) {
          status = { kind: 'early-stopped', bestIteration: best.iteration };
        } else if (iteration === this.#plan.iterations) {
          status = { kind: 'completed' };
        }
        this.#plan.onIteration?.(record);
        yield record;
        if (status.kind !== 'aborted') break;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      const state = this.#state;
      if (state !== undefined) {
        if (parametersReady) {
          const parameters = best?.parameters ?? (await readParameters(state));
          this.#result = {
            model: new Model({ ...this.#plan, ...parameters }),
            status,
            iterations: this.#history.length,
            history: this.#history,
            seconds: (performance.now() - began) / 1000,
          };
        }
        this.#state = undefined;
        state.close();
      }
    }
  }

  async #open(): Promise<LayeredState> {
    const plan = this.#plan;
    const { updates, network } = plan;
    const inputs = network.layers[0] ?? 0;
    const samples = rowSource(this.#data.x, inputs, 'data.x').rows;
    const pairs = updates.some((update, i) => isFirstWeights(update) && isFirstWeights(updates[i + 1]));
    const state = await LayeredState.create(
      {
        network,
        dtype: plan.dtype,
        softmax: plan.softmax,
        threads: plan.threads,
        gram: pairs && inputs < samples,
        fista: plan.outputSolver.solver === 'fista',
      },
      this.#data,
    );
    this.#state = state;
    const { weights, biases } = await initialise(
      plan.initialisation,
      network.layers,
      plan.dtype,
      seededRandom(plan.seed),
    );
    for (let l = 1; l < network.layers.length; l += 1) {
      await state.write('W', l, weights[l - 1] as Numbers);
      await state.write('b', l, biases[l - 1] as Numbers);
    }
    await state.start(plan.start);
    return state;
  }

  async #evaluationSets(state: LayeredState): Promise<EvaluationSets> {
    const { validation, test } = this.#data;
    return {
      ...(validation !== undefined && { validation: await state.addEvaluationSet(validation, 'validation') }),
      ...(test !== undefined && { test: await state.addEvaluationSet(test, 'test') }),
    };
  }

  async #record(
    state: LayeredState,
    sets: EvaluationSets,
    sweep: SweepResult,
    iteration: number,
    penalties: Penalties,
    began: number,
  ): Promise<IterationRecord> {
    const { evaluateEvery, iterations, trainMetrics, schedule } = this.#plan;
    const due = iteration % evaluateEvery === 0 || iteration === iterations;
    const metrics = async (name: 'train' | 'validation' | 'test', set: number | 'train' | undefined) =>
      set === undefined ? {} : { [name]: await state.evaluate(set) };
    if (sweep.measures === undefined) throw new DlAdmmError('ERR_DLADMM_NATIVE', 'A sweep came back without measures');
    return {
      iteration,
      ...sweep.measures,
      penalties,
      updates: sweep.updates,
      seconds: sweep.seconds,
      ...(schedule.needsTrainLoss || (trainMetrics && due) ? await metrics('train', 'train') : {}),
      ...(due ? await metrics('validation', sets.validation) : {}),
      ...(due ? await metrics('test', sets.test) : {}),
      elapsed: (performance.now() - began) / 1000,
    };
  }

  async #keepBest(
    state: LayeredState,
    record: IterationRecord,
    best: BestModel | undefined,
  ): Promise<BestModel | undefined> {
    const early = this.#plan.earlyStopping;
    if (early === undefined || record.validation === undefined) return best;
    const score = scoreOf(record.validation, early.metric);
    if (best !== undefined && !(score > best.score)) return { ...best, age: best.age + 1 };
    return { score, iteration: record.iteration, age: 0, parameters: await readParameters(state) };
  }
}

interface EvaluationSets {
  readonly validation?: number;
  readonly test?: number;
}

interface BestModel {
  readonly score: number;
  readonly iteration: number;
  /** Evaluations since. */
  readonly age: number;
  readonly parameters: Parameters;
}

/**
 * Begins a training. Options are checked here; data as the iteration begins.
 *
 *     for await (const record of training) console.log(record.iteration, record.lagrangian, record.test?.accuracy);
 *     const { model } = training.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE for the options
 */
export function train(data: TrainingData, options: DladmmOptions): Training {
  const plan = planOf(options);
  checkObject(data, '{ x, labels } or { x, y }', 'data');
  if (plan.earlyStopping && data.validation === undefined) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      'Expected a validation set in data for earlyStopping but received none',
    );
  }
  return new Training(data, plan);
}

/**
 * Trains to the end and resolves to the model, its history and how the training ended.
 *
 * @throws DlAdmmError rejects with any code that options or data can cause
 */
export async function fit(data: TrainingData, options: DladmmOptions): Promise<FitResult> {
  const training = train(data, options);
  for await (const _ of training);
  return training.result;
}

/** κ grows with the number of samples, and so does the θ0 that nobody gave. */
function firstPenalties({ penalties }: Plan, samples: number): Penalties {
  return { ...penalties, theta0: penalties.theta0 ?? samples * DEFAULTS.theta0PerSample };
}

const isFirstWeights = (update: Update | undefined): boolean => update?.block === 'W' && update.layer === 1;

const scoreOf = (metrics: Metrics, metric: 'accuracy' | 'loss'): number =>
  metric === 'accuracy' ? (metrics.accuracy ?? Number.NaN) : -metrics.loss;

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new DlAdmmError('ERR_DLADMM_ABORTED', 'The signal was aborted before the training began', {
      cause: signal.reason,
    });
  }
}

async function readParameters(state: LayeredState): Promise<Parameters> {
  const weights: Numbers[] = [];
  const biases: Numbers[] = [];
  for (let l = 1; l < state.options.network.layers.length; l += 1) {
    weights.push(await state.read('W', l));
    biases.push(await state.read('b', l));
  }
  return { weights, biases };
}

/** The plan's part and the schedule's part of what native updates need. */
export function nativePenalties(plan: Plan, penalties: Penalties): NativePenalties {
  const fista = plan.outputSolver.solver === 'fista' ? plan.outputSolver : { step: 4, tolerance: 1e-3, limit: 500 };
  return {
    ...penalties,
    l2: plan.l2,
    search: plan.stepSearch,
    growth: plan.growth,
    output: plan.outputSolver.solver,
    fistaStep: fista.step,
    fistaTolerance: fista.tolerance,
    fistaLimit: fista.limit,
  };
}
