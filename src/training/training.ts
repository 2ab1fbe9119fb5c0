import { checkObject } from '../core/checks.js';
import { DlAdmmError } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import type { GraphModel } from '../model/graph-model.js';
import type { Model } from '../model/model.js';
import { evaluationSet, type Learnt, trainingSet } from '../samples/arrival.js';
import type { ArrivingSamples } from '../samples/arriving.js';
import { type GraphSamples, isGraph, type NodesLike } from '../samples/graph-samples.js';
import type { LabelledSamples } from '../samples/samples.js';
import type { GraphSolver, SampleSolver } from '../solvers/index.js';
import type { AnySolver, OwnOptions, RecordOf } from '../solvers/shared/descriptor.js';
import type { AnySamples, Engine, Watched } from '../solvers/shared/engine.js';
import type { CheckpointRecord, IterationRecord, Metrics, ProgressRecord } from '../solvers/shared/record.js';
import type { AnyBlock } from '../solvers/shared/sweep.js';
import {
  type BestModel,
  checkLearnt,
  checkValidation,
  type Keeper,
  openKeeper,
  type Resumption,
  type StoredTraining,
  storedOptionsOf,
  takeUpFrom,
} from './checkpoint.js';
import { graphPlanOf, type Plan, planOf } from './plan.js';

/** What to train on, and what to watch meanwhile. */
export interface TrainingData extends ArrivingSamples {
  /** Watched by early stopping. */
  readonly validation?: ArrivingSamples;
  /** Only reported. */
  readonly test?: ArrivingSamples;
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
  | {
      readonly kind: 'diverged';
      readonly iteration: number;
      readonly update?: { readonly block: AnyBlock; readonly layer: number };
    };

/** What a training gives. */
export interface FitResult<R extends ProgressRecord = IterationRecord, M = Model> {
  readonly model: M;
  readonly status: Status;
  /** Iterations that ran to their end, those before an interruption included. */
  readonly iterations: number;
  /** The records of this process. */
  readonly history: readonly R[];
  /** Wall-clock seconds, everything included; of a training that was interrupted, those before too. */
  readonly seconds: number;
}

/**
 * A training under way: an async iterable of iteration records that works while it is being iterated. Afterwards (or
 * after a `break`, or an abort) `result` has the model.
 */
export class Training<R extends ProgressRecord = IterationRecord, M = Model> implements AsyncIterable<R> {
  readonly #plan: Plan<R, LabelledSamples | GraphSamples, M>;
  readonly #data: TrainingData | GraphSamples;
  readonly #options: StoredTraining['options'];
  readonly #from: Resumption | undefined;
  readonly #history: R[] = [];
  #engine: Engine<R, AnySamples> | undefined;
  #keeper: Keeper | undefined;
  #result: FitResult<R, M> | undefined;
  #started = false;

  /**
   * Use {@link train}.
   *
   * @internal
   */
  constructor(
    data: TrainingData | GraphSamples,
    plan: Plan<R, LabelledSamples | GraphSamples, M>,
    options: StoredTraining['options'],
    from?: Resumption,
  ) {
    this.#data = data;
    this.#plan = plan;
    this.#options = options;
    this.#from = from;
  }

  /** @throws DlAdmmError ERR_DLADMM_CLOSED while the training has not ended, or where it failed */
  get result(): FitResult<R, M> {
    if (this.#result === undefined) {
      throw new DlAdmmError('ERR_DLADMM_CLOSED', 'The training has no result yet: iterate over it to its end first');
    }
    return this.#result;
  }

  /**
   * A copy of a block of the present state, row-major (see {@link LayeredState} and {@link ConstraintsState} for shapes); between two records.
   *
   * @throws DlAdmmError ERR_DLADMM_CLOSED before the first record and after the last
   */
  async read(block: AnyBlock, layer: number): Promise<Numbers> {
    if (this.#engine === undefined) {
      throw new DlAdmmError('ERR_DLADMM_CLOSED', 'A training can be looked into only while it is being iterated');
    }
    return this.#engine.read(block, layer);
  }

  /**
   * The bytes that a checkpoint takes on the disk, but for a few kilobytes; between two records.
   *
   * @throws DlAdmmError ERR_DLADMM_CLOSED before the first record, and where there is no `checkpoint` among the options
   */
  get checkpointBytes(): number {
    if (this.#keeper === undefined) {
      throw new DlAdmmError('ERR_DLADMM_CLOSED', 'Expected a training with checkpoints that is being iterated');
    }
    return this.#keeper.bytes;
  }

  /** Trains, and yields a record an iteration; once. Leaving the loop ends the training, with a usable result. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    if (this.#started) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'A training can be iterated over only once');
    this.#started = true;
    const { signal } = this.#plan;
    throwIfAborted(signal);
    const from = this.#from?.training;
    const began = performance.now() - 1000 * (from?.elapsed ?? 0);
    const elapsed = (): number => (performance.now() - began) / 1000;
    // Only between two iterations is there something that a checkpoint can hold.
    const stop = (): void => {
      if (this.#plan.checkpoint === undefined) this.#engine?.stop();
    };
    signal?.addEventListener('abort', stop, { once: true });
    let best: BestModel | undefined;
    let learnt: Learnt = {};
    let status: Status = { kind: 'aborted' };
    let parametersReady = false;
    let done = from?.iteration ?? 0;
    let saved = done;
    // Whether the state is that of the end of iteration `done`, and no other.
    let between = false;
    const save = async (): Promise<CheckpointRecord | undefined> => {
      saved = done;
      return this.#keeper?.save({ iteration: done, elapsed: elapsed(), ...(best && { best }) });
    };
    try {
      const data = this.#data;
      const set = isGraph(data) ? { samples: data, learnt: {} } : await trainingSet(data, this.#plan);
      learnt = set.learnt;
      await this.#plan.open(
        set.samples,
        (opened) => {
          this.#engine = opened;
        },
        this.#from &&
          takeUpFrom(this.#from, (found) => {
            best = found;
          }),
        learnt,
      );
      parametersReady = true;
      const engine = this.#engine as unknown as Engine<R, AnySamples>;
      const sets = await this.#evaluationSets(engine, learnt);
      await this.#openKeeper(engine, sets, learnt);
      status = this.#ending(done, best) ?? status;
      between = true;
      while (status.kind === 'aborted' && !signal?.aborted) {
        const iteration = done + 1;
        between = false;
        const advance = await engine.advance(iteration);
        if (advance.kind === 'stopped') break;
        if (advance.kind === 'diverged') {
          status = { ...advance, iteration };
          break;
        }
        const record = await this.#record(engine, sets, advance.progress, iteration, elapsed);
        best = await this.#keepBest(engine, record, best);
        engine.learn(record);
        this.#history.push(record);
        done = iteration;
        between = true;
        status = this.#ending(done, best) ?? status;
        const due = status.kind !== 'aborted' || signal?.aborted || this.#keeper?.due(done);
        const checkpoint = due ? await save() : undefined;
        const told = checkpoint ? { ...record, checkpoint } : record;
        this.#history[this.#history.length - 1] = told;
        this.#plan.onIteration?.(told);
        yield told;
      }
    } finally {
      signal?.removeEventListener('abort', stop);
      const engine = this.#engine as Engine<R, AnySamples> | undefined;
      if (engine !== undefined) {
        try {
          if (parametersReady) {
            const parameters = best?.parameters ?? (await engine.parameters());
            this.#result = {
              model: this.#plan.modelOf(parameters, learnt),
              status,
              iterations: done,
              history: this.#history,
              seconds: elapsed(),
            };
          }
          // Left by the loop, the signal, or an error of the caller's.
          if (between && done > saved) await save();
        } finally {
          this.#engine = undefined;
          this.#keeper = undefined;
          engine.close();
        }
      }
    }
  }

  /** How the training has ended, where it has. */
  #ending(iteration: number, best: BestModel | undefined): Status | undefined {
    const { earlyStopping, iterations } = this.#plan;
    if (earlyStopping && best && best.age >= earlyStopping.patience) {
      return { kind: 'early-stopped', bestIteration: best.iteration };
    }
    return iteration >= iterations ? { kind: 'completed' } : undefined;
  }

  async #openKeeper(
    { samples, persistence }: Engine<R, AnySamples>,
    { validation }: EvaluationSets,
    learnt: Learnt,
  ): Promise<void> {
    const { checkpoint: plan, earlyStopping } = this.#plan;
    const decisive = earlyStopping ? validation : undefined;
    if (this.#from) {
      checkLearnt(this.#from, learnt);
      await checkValidation(this.#from, persistence, decisive);
    }
    if (plan === undefined) return;
    const options = this.#options;
    const kept = {
      plan,
      options,
      samples,
      persistence,
      learnt,
      ...(decisive !== undefined && { validation: decisive }),
    };
    this.#keeper = await openKeeper(kept);
  }

  async #evaluationSets(engine: Engine<R, AnySamples>, learnt: Learnt): Promise<EvaluationSets> {
    const data = this.#data;
    if (isGraph(data)) {
      const { validationIndex, testIndex } = data;
      return {
        ...(validationIndex !== undefined && {
          validation: await engine.addEvaluationSet(validationIndex, 'validation'),
        }),
        ...(testIndex !== undefined && { test: await engine.addEvaluationSet(testIndex, 'test') }),
      };
    }
    const { validation, test } = data;
    const add = async (set: ArrivingSamples, name: string): Promise<number> =>
      engine.addEvaluationSet(await evaluationSet(set, this.#plan, learnt, name), name);
    return {
      ...(validation !== undefined && { validation: await add(validation, 'validation') }),
      ...(test !== undefined && { test: await add(test, 'test') }),
    };
  }

  async #record(
    engine: Engine<R, AnySamples>,
    sets: EvaluationSets,
    progress: Omit<R, Watched>,
    iteration: number,
    elapsed: () => number,
  ): Promise<R> {
    const { evaluateEvery, iterations, trainMetrics, needsTrainLoss } = this.#plan;
    const due = iteration % evaluateEvery === 0 || iteration === iterations;
    const metrics = async (name: 'train' | 'validation' | 'test', set: number | 'train' | undefined) =>
      set === undefined ? {} : { [name]: await engine.evaluate(set) };
    // Progress is R without what is added here.
    return {
      ...progress,
      iteration,
      ...(needsTrainLoss || (trainMetrics && due) ? await metrics('train', 'train') : {}),
      ...(due ? await metrics('validation', sets.validation) : {}),
      ...(due ? await metrics('test', sets.test) : {}),
      elapsed: elapsed(),
    } as unknown as R;
  }

  async #keepBest(
    engine: Engine<R, AnySamples>,
    record: R,
    best: BestModel | undefined,
  ): Promise<BestModel | undefined> {
    const early = this.#plan.earlyStopping;
    if (early === undefined || record.validation === undefined) return best;
    const score = scoreOf(record.validation, early.metric);
    if (best !== undefined && !(score > best.score)) return { ...best, age: best.age + 1 };
    return { score, iteration: record.iteration, age: 0, parameters: await engine.parameters() };
  }
}

interface EvaluationSets {
  readonly validation?: number;
  readonly test?: number;
}

/** What early stopping watches. */
const validationOf = (data: TrainingData | GraphSamples): ArrivingSamples | NodesLike | undefined =>
  isGraph(data) ? data.validationIndex : data.validation;

/** A training by any solver. */
export type AnyTraining = Training<RecordOf<SampleSolver>>;
/** A training on a graph by any solver. */
export type GraphTraining = Training<RecordOf<GraphSolver>, GraphModel>;

type ByName<Of extends { readonly name: string }, S> = S extends string ? Extract<Of, { readonly name: S }> : S;

/** The options of a solver, which is named or given as it is; dlADMM where it is left out. */
export type OptionsFor<S, Of extends { readonly name: string } = SampleSolver> = {
  readonly solver?: S;
} & OwnOptions<ByName<Of, S>>;

/** The record of a solver that is named or given as it is. */
type RecordFor<S, Of extends { readonly name: string } = SampleSolver> = RecordOf<ByName<Of, S>>;

type AnyModel = Model | GraphModel;
type Named<Of extends { readonly name: string }> = Of['name'] | AnySolver;

/**
 * Begins a training. Options are checked here; data as the iteration begins.
 *
 *     for await (const record of training) console.log(record.iteration, record.lagrangian, record.test?.accuracy);
 *     const { model } = training.result;
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE for the options
 */
export function train<S extends Named<GraphSolver> = 'dladmm'>(
  data: GraphSamples,
  options: OptionsFor<S, GraphSolver>,
): Training<RecordFor<S, GraphSolver>, GraphModel>;
export function train<S extends Named<SampleSolver> = 'dladmm'>(
  data: TrainingData,
  options: OptionsFor<S>,
): Training<RecordFor<S>>;
export function train(data: TrainingData | GraphSamples, options: object): Training<ProgressRecord, AnyModel> {
  return begin(data, options);
}

/** As {@link train}, where the compiler does not know which solver it is. */
export function begin<R extends ProgressRecord, M extends AnyModel>(
  data: TrainingData | GraphSamples,
  options: object,
): Training<R, M> {
  const plan = isGraph(data) ? graphPlanOf<R>(options) : planOf<R>(options);
  checkObject(data, '{ x, labels }, { x, y } or { adjacency, features, labels, trainIndex }', 'data');
  if (plan.earlyStopping && validationOf(data) === undefined) {
    throw new DlAdmmError(
      'ERR_DLADMM_ARGUMENT',
      'Expected a validation set in data for earlyStopping but received none',
    );
  }
  return new Training<R, M>(
    data,
    plan as unknown as Plan<R, LabelledSamples | GraphSamples, M>,
    storedOptionsOf(options, plan),
  );
}

/**
 * Trains to the end and resolves to the model, its history and how the training ended.
 *
 * @throws DlAdmmError rejects with any code that options or data can cause
 */
export async function fit<S extends Named<GraphSolver> = 'dladmm'>(
  data: GraphSamples,
  options: OptionsFor<S, GraphSolver>,
): Promise<FitResult<RecordFor<S, GraphSolver>, GraphModel>>;
export async function fit<S extends Named<SampleSolver> = 'dladmm'>(
  data: TrainingData,
  options: OptionsFor<S>,
): Promise<FitResult<RecordFor<S>>>;
export async function fit(
  data: TrainingData | GraphSamples,
  options: object,
): Promise<FitResult<ProgressRecord, AnyModel>> {
  const training = begin(data, options);
  for await (const _ of training);
  return training.result;
}

const scoreOf = (metrics: Metrics, metric: 'accuracy' | 'loss'): number =>
  metric === 'accuracy' ? (metrics.accuracy ?? Number.NaN) : -metrics.loss;

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) {
    throw new DlAdmmError('ERR_DLADMM_ABORTED', 'The signal was aborted before the training began', {
      cause: signal.reason,
    });
  }
}
