import { DlAdmmError, expected } from '../core/errors.js';
import { isObject, isUrl, present } from '../core/objects.js';
import { StoredSamples } from '../formats/sample-file.js';
import { METRICS, type Metric, scoreOf } from '../judging/metrics.js';
import type { Model } from '../model/model.js';
import { classCount, type Loss } from '../network/network.js';
import { pick, SEED } from '../network/schema.js';
import type { Learnt } from '../samples/arrival.js';
import { type Column, inputsOfColumn, offsetsOf } from '../samples/columns.js';
import { automatic, type Choice, type Pace } from '../solvers/auto.js';
import { dladmm } from '../solvers/dladmm/solver.js';
import { SAMPLE_SOLVERS } from '../solvers/index.js';
import { chosenSolver, schemaOf } from '../solvers/shared/descriptor.js';
import { checkOptionKeys } from '../solvers/shared/hints.js';
import type { EarlyStopping } from '../solvers/shared/options.js';
import type { EpochRecord, ProgressRecord } from '../solvers/shared/record.js';
import { checkSign } from '../solvers/shared/regularise.js';
import type { AnyBlock } from '../solvers/shared/sweep.js';
import type { Matrix } from '../tensor/matrix.js';
import { checkCalibrated, checkHeld } from './calibrated.js';
import { storedOptionsOf } from './checkpoint/options.js';
import { frontIn } from './checkpoint/stored-training.js';
import { before } from './company.js';
import { checkFront } from './front/front.js';
import type { Given, Ready } from './front/ready.js';
import { checkNotStored } from './front/stored.js';
import { AUTO_KEYS, FRONT, type Rows } from './options.js';
import { checkSweeps, type Plan, planOf } from './plan.js';
import { type Report, reportOf } from './report.js';
import { type FitResult, nothingOf, type TrainingData } from './result.js';
import { readyWithin } from './set-aside.js';
import { Training } from './training.js';
import { checkWatched } from './watching.js';

/** What a training of rows gives, or one without a named solver: also what it is worth, and what was decided. */
export interface AutoResult<R extends ProgressRecord = EpochRecord, M = Model> extends FitResult<R, M> {
  readonly report: Report;
}

/** The options that dlADMM has, and what is chosen here has not: who gives one of them means it. */
const RESEARCH_KEYS: readonly string[] = Object.keys(dladmm.options).filter((key) => !AUTO_KEYS.includes(key));

const given = (options: object, key: string): unknown => (options as Readonly<Record<string, unknown>>)[key];

export function isAutomatic(options: object): boolean {
  const solver = given(options, 'solver');
  return solver === 'auto' || (solver === undefined && !RESEARCH_KEYS.some((key) => given(options, key) !== undefined));
}

/** Whether data or options are of the front door: rows rather than samples, or options that say how they become samples. */
export const isFront = (data: unknown, options: object): boolean =>
  typeof data === 'string' ||
  isUrl(data) ||
  StoredSamples.is(data) ||
  Object.keys(pick(FRONT, options)).length > 0 ||
  isAutomatic(options);

/** What is being trained, of how many networks, and for how many iterations at most. */
export interface Phase {
  readonly name: 'linear' | 'network';
  readonly of: number;
  readonly iterations: number;
}

/** What the outputs of a network stand for. */
const COUNTED = { classification: 'classes', 'multi-label': 'labels', regression: 'targets' } as const;

/** A network that is trained: what it is called, and the options of its training. */
interface Stage {
  readonly name: 'linear' | 'network';
  readonly options: object;
}

/**
 * What is said of numeric columns by their names, of the places of their inputs: the number, and its bins, which rise with it.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where one is no number
 */
function placesOf(name: unknown, columns: readonly (string | Column)[], option: string): readonly unknown[] {
  const known = columns.map((column): Column => (typeof column === 'string' ? { name: column } : column));
  const at = known.findIndex((column) => column.name === name);
  const column = known[at];
  if (column === undefined) return [name];
  const { categories, buckets, hash, date, indicator } = column;
  if (categories || buckets || hash || date) throw expected('columns of numbers', option, name);
  const first = offsetsOf(known).offsets[at] as number;
  return Array.from({ length: inputsOfColumn(column) - (indicator ? 1 : 0) }, (_, i) => String(first + i));
}

/**
 * Groups of columns as groups of places: the numbers of all are equal, and each of their bins.
 *
 * @throws DlAdmmError ERR_DLADMM_RANGE where one is no column, ERR_DLADMM_ARGUMENT where one is no number, ERR_DLADMM_SHAPE where they
 * have different numbers of bins
 */
function groupsByPlace(equal: readonly unknown[], columns: readonly (string | Column)[]): readonly unknown[] {
  const names = new Set(columns.map((column) => (typeof column === 'string' ? column : column.name)));
  return equal.flatMap((group) => {
    if (!Array.isArray(group) || group.length === 0) return [group];
    const unknown = group.find((name) => typeof name === 'string' && !names.has(name) && !/^\d+$/.test(name));
    if (unknown !== undefined) throw expected('numeric columns by name,', 'equal', unknown, 'ERR_DLADMM_RANGE');
    const places = group.map((name) => placesOf(name, columns, 'equal'));
    const [{ length: count } = []] = places;
    const other = places.findIndex(({ length }) => length !== count);
    if (other >= 0) {
      const what = `columns of as many inputs as ${group[0]}, which has ${count},`;
      throw expected(what, 'equal', `${group[other]} of ${places[other]?.length}`, 'ERR_DLADMM_SHAPE');
    }
    return Array.from({ length: count }, (_, i) => places.map((each) => each[i]));
  });
}

/** The same options, `monotone` and `equal` of places. */
export function placed<O extends object>(options: O, columns: readonly (string | Column)[] = []): O {
  const { monotone, equal } = options as { readonly monotone?: unknown; readonly equal?: unknown };
  const signs =
    isObject(monotone) &&
    Object.entries(monotone).flatMap(([name, sign]) => {
      checkSign(sign, `monotone.${name}`);
      return placesOf(name, columns, 'monotone').map((place) => [place, sign] as const);
    });
  return {
    ...options,
    ...(signs && { monotone: Object.fromEntries(signs) }),
    ...(Array.isArray(equal) && { equal: groupsByPlace(equal, columns) }),
  };
}

function stagesOf(
  ready: Ready,
  options: Readonly<Record<string, unknown>>,
): { readonly stages: readonly Stage[]; readonly choice: Choice } {
  const { data, task, inputs, outputs, loss } = ready;
  const choice = automatic(ready);
  const { hidden, layers, earlyStopping, ...rest } = options as {
    readonly hidden?: readonly number[];
    readonly layers?: readonly number[];
    readonly earlyStopping?: EarlyStopping;
  };
  const last = layers?.at(-1) ?? outputs;
  if (layers && (layers[0] !== inputs || (last !== outputs && classCount(loss, last) !== outputs))) {
    const what = `${inputs}-…-${outputs}, as there are ${inputs} inputs and ${outputs} ${COUNTED[task]} (hidden sets the widths between),`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${what} for layers but received ${layers.join('-')}`);
  }
  const automaticOnes = isAutomatic(options);
  const own = Object.fromEntries(
    Object.entries(rest).filter(([key, value]) => value !== undefined && !Object.hasOwn(FRONT, key)),
  );
  const limit = own.epochs ?? own.iterations;
  const stage = (name: Stage['name'], widths: readonly number[], { epochs, l2, ...pace }: Pace): Stage => ({
    name,
    options: {
      ...(automaticOnes && {
        l2,
        ...present({ learningRate: pace.learningRate, factors: pace.factors, batchSize: choice.batchSize }),
      }),
      ...(automaticOnes && limit === undefined && { evaluateEvery: Math.ceil(epochs / 8) }),
      ...placed(own, ready.data.columns),
      ...(automaticOnes && { solver: choice.solver, ...(limit === undefined && { epochs }) }),
      layers: widths,
      loss,
      standardise: ready.standardise,
      // The best weights are kept; the step falls to 0 at the last epoch, so that there is no use in an end before.
      ...(automaticOnes && data.validation
        ? { earlyStopping: { patience: limit ?? epochs, ...earlyStopping } }
        : earlyStopping && { earlyStopping }),
    },
  });
  const network = stage('network', layers ?? [inputs, ...(hidden ?? choice.hidden), outputs], choice);
  const free =
    termsALayer(own) === undefined &&
    layers === undefined &&
    hidden === undefined &&
    data.validation !== undefined &&
    own.initialisation === undefined &&
    own.checkpoint === undefined;
  return {
    choice,
    stages: automaticOnes && free ? [stage('linear', [inputs, outputs], choice.linear), network] : [network],
  };
}

/** The best that a training had to show on what was held out: more is better. */
const best = ({ history }: FitResult<ProgressRecord, unknown>, metric: Metric): number =>
  history.reduce((most, { validation }) => {
    const score = scoreOf(metric, validation?.[metric] ?? Number.NaN);
    return score > most ? score : most;
  }, Number.NEGATIVE_INFINITY);

/**
 * A training of which some is still to be decided: its samples are made ready, then it trains one network, or a linear model and a
 * network, of which the one that is better on what was held out is kept. An async iterable of records, as {@link Training} is.
 */
export class AutoTraining<R extends ProgressRecord = EpochRecord, M = Model> implements AsyncIterable<R> {
  readonly #data: Rows | TrainingData;
  readonly #options: Readonly<Record<string, unknown>>;
  #current: Training<R, M> | undefined;
  #result: AutoResult<R, M> | undefined;
  #phase: Phase | undefined;
  readonly #solver: Pick<Plan<never>, 'solver'>;
  #started = false;
  #measures = false;
  #measuresColumns = false;

  /** Use `train`. @internal */
  constructor(data: Rows | TrainingData, options: object) {
    this.#data = data;
    this.#options = options as Readonly<Record<string, unknown>>;
    this.#solver = checkedPlan(options);
  }

  /** The model, and how the training went. @throws DlAdmmError ERR_DLADMM_STATE while it has not ended, or where it failed */
  get result(): AutoResult<R, M> {
    if (this.#result === undefined) {
      throw new DlAdmmError('ERR_DLADMM_STATE', 'The training has no result yet: iterate over it to its end first');
    }
    return this.#result;
  }

  /** What is being trained, once it is known. */
  get phase(): Phase | undefined {
    return this.#phase;
  }

  /** As of {@link Training}. */
  get checkpointBytes(): number {
    if (this.#current === undefined) throw new DlAdmmError('ERR_DLADMM_STATE', 'The training has not begun yet');
    return this.#current.checkpointBytes;
  }

  /** As of {@link Training}, of the network that is at work. */
  async read(block: AnyBlock, layer: number): Promise<Matrix> {
    if (this.#current === undefined) throw new DlAdmmError('ERR_DLADMM_STATE', 'The training has not begun yet');
    return this.#current.read(block, layer);
  }

  /** As of {@link Training}. */
  measureUpdates(): this {
    checkSweeps(this.#solver);
    this.#measures = true;
    return this;
  }

  /** Has what each column of a table is worth found when the training has ended, where that takes about a second at most: `report.importance`. */
  measureColumns(): this {
    this.#measuresColumns = true;
    return this;
  }

  /** As of {@link Training}. @internal */
  get samples(): number | undefined {
    return this.#current?.samples;
  }

  /** As of {@link Training}. */
  checkpointSoon(): void {
    this.#current?.checkpointSoon();
  }

  /** Trains, and yields the records of one network after the other; once. */
  async *[Symbol.asyncIterator](): AsyncGenerator<R, void, undefined> {
    if (this.#started) throw new DlAdmmError('ERR_DLADMM_STATE', 'A training can be iterated over only once');
    this.#started = true;
    const began = performance.now();
    const { calibrate, distributed, signal } = this.#options as {
      readonly calibrate?: boolean;
      readonly distributed?: boolean;
      readonly signal?: AbortSignal;
    };
    const said = givenOf(this.#options);
    if (distributed) await checkNotStored(this.#data);
    using ready = await before(distributed === true, signal, () => readyWithin(this.#data, said));
    if (ready === undefined) {
      this.#result = nothingOf(signal, (performance.now() - began) / 1000);
      return;
    }
    checkHeld(ready.data, calibrate);
    const { stages, choice } = stagesOf(ready, this.#options);
    const ended: { readonly stage: Stage; readonly result: FitResult<R, M> }[] = [];
    let failed = false;
    let taught: Learnt | undefined;
    try {
      for (const stage of stages) {
        const plan = planOf<R>(stage.options);
        this.#phase = { name: stage.name, of: stages.length, iterations: plan.iterations };
        checkWatched(ready.data, plan);
        const stored = storedOptionsOf(stage.options, plan);
        const front = frontIn(this.#options, said.holdsOut);
        this.#current = new Training<R, M>(ready.data, plan, stored, { taught, front });
        if (this.#measures) this.#current.measureUpdates();
        try {
          yield* this.#current;
        } finally {
          const result = this.#current.outcome;
          // Of the same samples the next network has nothing new to learn.
          taught = this.#current.learnt;
          if (result) ended.push({ stage, result });
        }
        if (ended.at(-1)?.result.status.kind === 'aborted') break;
      }
    } catch (error) {
      failed = true;
      throw error;
    } finally {
      const [first, ...others] = ended;
      if (first && !failed) {
        const { metric = 'loss' } = (this.#options.earlyStopping ?? {}) as EarlyStopping;
        const gain = ({ result }: typeof first): number => best(result, metric);
        const chosen = others.reduce((kept, each) => (gain(each) > gain(kept) ? each : kept), first);
        for (const each of ended) if (each !== chosen) (each.result.model as unknown as Model).close();
        const { result } = chosen;
        const seconds = (performance.now() - began) / 1000;
        const report = await reportOf({
          ready,
          choice: isAutomatic(this.#options) ? choice : undefined,
          chosen: chosen.stage.name,
          tried: ended.length,
          watched: 'earlyStopping' in chosen.stage.options,
          calibrated: calibrate === true,
          bounded: JSON.stringify(given(this.#options, 'regularise') ?? {}).includes('spectralNorm'),
          ...{ measuresColumns: this.#measuresColumns, signal },
          result: { ...result, seconds } as never,
        });
        this.#result = { ...result, seconds, report };
      }
    }
  }
}

function givenOf(options: Readonly<Record<string, unknown>>): Given {
  const { epochs, iterations, earlyStopping, solver } = options;
  const classLoss = isAutomatic(options)
    ? undefined
    : (schemaOf(chosenSolver(solver, SAMPLE_SOLVERS, 'samples')).loss?.default as Loss | undefined);
  // What goes on from a checkpoint is given all its samples again.
  const fixed = epochs !== undefined || iterations !== undefined || options.checkpoint !== undefined;
  const limited = fixed && earlyStopping === undefined;
  return {
    seed: SEED,
    ...(classLoss && { classLoss }),
    ...options,
    holdsOut: !limited || options.target !== undefined || options.calibrate === true,
  } as Given;
}

/** The terms of `regularise` where each layer has its own: so many layers the network is to have. */
function termsALayer({ regularise }: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const { W } = (isObject(regularise) ? regularise : {}) as { readonly W?: unknown };
  return Array.isArray(W) ? W : undefined;
}

/** Options without the places of inputs, of which there is no number yet. */
function withoutPlaces(options: Readonly<Record<string, unknown>>): object {
  const { regularise } = options;
  if (!isObject(regularise)) return options;
  const { W } = regularise as { readonly W?: unknown };
  const less = (terms: unknown): unknown =>
    isObject(terms) ? Object.fromEntries(Object.entries(terms).filter(([term]) => term !== 'equal')) : terms;
  return {
    ...options,
    regularise: { ...regularise, ...(W !== undefined && { W: Array.isArray(W) ? W.map(less) : less(W) }) },
  };
}

/** What can be said of options before any sample is seen; the plan is that of the solver, where that is to be chosen of one of those. */
export function checkedPlan(options: object): Plan<never> {
  checkFront(options, given(options, 'layers'), given(options, 'distributed'));
  if (isAutomatic(options)) checkOptionKeys(options, [...Object.keys(FRONT), ...AUTO_KEYS], 'fit');
  const { classes, ...rest } = options as Readonly<Record<string, unknown>>;
  const { metric } = (rest.earlyStopping ?? {}) as EarlyStopping;
  const of = rest.task === undefined && metric ? METRICS[metric]?.of : rest.task;
  const meant = ['regression', 'values', 'counts'].includes(String(of)) ? 'squared-error' : undefined;
  const { loss = of === 'multi-label' || of === 'labels' ? 'sigmoid-cross-entropy' : meant } = rest;
  const own = Object.entries(rest).filter(
    ([key, value]) =>
      value !== undefined && !['initialisation', 'monotone', 'equal'].includes(key) && !Object.hasOwn(FRONT, key),
  );
  const solver = isAutomatic(options) ? 'minibatch-admm' : given(options, 'solver');
  const stand = isAutomatic(options)
    ? termsALayer(rest)
        ?.slice(1)
        .map(() => 1)
    : undefined;
  const plan = planOf<never>({
    layers: [1, ...((rest.hidden ?? stand ?? []) as readonly number[]), 1],
    ...withoutPlaces(Object.fromEntries(own)),
    solver,
    ...(loss !== undefined && { loss }),
  });
  checkCalibrated(plan.network.loss, given(options, 'calibrate'));
  return plan;
}
