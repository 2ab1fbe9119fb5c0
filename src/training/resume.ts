import { unlessAborted } from '../core/abort.js';
import { checkObject, flag } from '../core/checks.js';
import { DISPOSE } from '../core/dispose.js';
import { DlAdmmError, describe, expected, quoted } from '../core/errors.js';
import { toJson } from '../core/json.js';
import type { Dtype } from '../core/native.js';
import { isUrl, pathOf, present } from '../core/objects.js';
import { packageVersion } from '../core/package.js';
import { isFile } from '../datasets/frame-file.js';
import type { CsvDialect } from '../formats/csv.js';
import { reader } from '../formats/reader.js';
import { isSampleFile, StoredSamples } from '../formats/sample-file.js';
import { METRIC_NAMES, type Metric, scoreOf } from '../judging/metrics.js';
import type { Loss } from '../network/network.js';
import { pick, SEED } from '../network/schema.js';
import { targetColumns } from '../samples/arrived.js';
import { areSamples, type WeightedSamples } from '../samples/arriving.js';
import { type GraphSamples, isGraph } from '../samples/graph-samples.js';
import type { DladmmOptions } from '../solvers/dladmm/solver.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS, type TrainOptions } from '../solvers/index.js';
import type { AnyRecord } from '../solvers/records.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import type { LearningRate } from '../solvers/shared/learning-rate.js';
import type { CommonOptions } from '../solvers/shared/options.js';
import type { ConstraintSweep, Sweep } from '../solvers/shared/sweep.js';
import { checkHeld } from './calibrated.js';
import { isFunctionMark, kernelHere, storedOptionsOf } from './checkpoint.js';
import { checkValues, type OpenCheckpoint, openCheckpoint } from './checkpoint-file.js';
import { readyOf } from './front/front.js';
import { FRONT, type FrontOptions, type Rows } from './options.js';
import { checkOptionNames, type Plan, planOf } from './plan.js';
import type { FitResult, TrainingData } from './result.js';
import { isSaid, learntOf, networkIn, type StoredTraining, saidIn, storedTrainingOf } from './stored-training.js';
import { Training } from './training.js';
import { checkWatched } from './watching.js';

/**
 * What may change, or has to be given again, when a training goes on. Any other option is taken from the checkpoint; one
 * that is given all the same must be what it was.
 */
export interface ResumeOptions
  extends Omit<FrontOptions, keyof CsvDialect>,
    CsvDialect,
    Partial<Pick<CommonOptions<AnyRecord>, MayChange | MustStay>> {
  /** Go further, or less far, than was planned; no less far than it has gone. */
  readonly iterations?: number;
  /** The same for the solvers whose iteration is an epoch. */
  readonly epochs?: number;
  /** Where it was a function: a checkpoint cannot keep one. What it remembers by itself is yours to bring back. */
  readonly schedule?: NonNullable<DladmmOptions['schedule']>;
  readonly learningRate?: LearningRate;
  readonly sweep?: Sweep | ConstraintSweep;
  /**
   * Go on although the version of the package or the kernels of the processor are others: the numbers are then the same up to
   * rounding only. Default false.
   */
  readonly inexact?: boolean;
  /** One of one's own has to be given again. */
  readonly solver?: TrainOptions['solver'] | AnySolver;
}

/** The checkpoint goes into the same file, as often, where nobody says. */
const MAY_CHANGE = [
  'threads',
  'distributed',
  'evaluateEvery',
  'trainMetrics',
  'signal',
  'onIteration',
  'checkpoint',
] as const;
const FREE: readonly string[] = ['iterations', 'epochs', ...MAY_CHANGE];
type MayChange = (typeof MAY_CHANGE)[number];
/** Must be what they were; here for those who want to be sure. */
type MustStay = 'layers' | 'activation' | 'loss' | 'dtype' | 'classes' | 'standardise' | 'standardiseTargets';

/** What a checkpoint is of. */
export interface CheckpointInfo {
  readonly path: string;
  /** The size of the file. */
  readonly bytes: number;
  /** Of the package that wrote it. */
  readonly version: string;
  /** The kernels that the numbers were computed with. */
  readonly kernel: string;
  readonly solver: string;
  readonly layers: readonly number[];
  readonly dtype: Dtype;
  readonly threads: number;
  /** Iterations done, and seconds spent on them. */
  readonly iteration: number;
  readonly elapsed: number;
  /** Training samples. */
  readonly samples: number;
  /** The best model so far, where early stopping keeps one: the value of the metric that it watches. */
  readonly best?: { readonly iteration: number; readonly metric: Metric; readonly value: number };
  /** All options that were given or follow, but functions. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The options that were functions and have to be given to {@link resume}. */
  readonly functions: readonly string[];
}

function otherOption(path: string, name: string, before: unknown, asked: unknown): DlAdmmError {
  const was = isFunctionMark(before) ? 'a function' : before === undefined ? 'nothing (its default)' : toJson(before);
  const text = `Expected ${was} for options.${name}, as the training that wrote ${path} had it, but received ${typeof asked === 'object' ? toJson(asked) : describe(asked)}`;
  return new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where rows are to become other samples than they did */
function checkSaid(path: string, { front, learnt, options: stored }: StoredTraining, options: object): void {
  const { target } = learntOf(learnt) ?? {};
  const { layers } = networkIn(stored);
  // An earlier version did not write down what it was told.
  const known = { ...front, hidden: layers.slice(1, -1) };
  for (const [key, asked] of Object.entries(pick(FRONT, options))) {
    if (key !== 'hidden' && (front === undefined || !isSaid(key))) continue;
    const { default: otherwise } = FRONT[key as keyof typeof FRONT] as { readonly default?: unknown };
    const before = known[key as keyof typeof known] ?? otherwise;
    const same = toJson(asked) === toJson(before) || (key === 'target' && toJson(asked) === toJson(target));
    if (!same) throw otherOption(path, key, before, asked);
  }
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where a solver of one's own is known by its name alone */
function checkOwnSolver(path: string, solver: unknown): void {
  if (typeof solver !== 'string' || [...SAMPLE_SOLVERS, ...GRAPH_SOLVERS].some(({ name }) => name === solver)) return;
  const text = `Expected the solver ${quoted(solver)} for options.solver: the training that wrote ${path} had it of its own`;
  throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
}

/** Options of a checkpoint with those of the caller, which may not contradict. */
function mergedOptions(path: string, training: StoredTraining, options: ResumeOptions): TrainOptions {
  const { options: stored, problem, iteration } = training;
  const ofRows = problem !== 'graph';
  if (ofRows) checkSaid(path, training, options);
  const given = Object.fromEntries(
    Object.entries(options).filter(([key]) => key !== 'inexact' && !(ofRows && Object.hasOwn(FRONT, key))),
  );
  // It goes on to be written where it was found.
  const merged: Record<string, unknown> = { ...stored, checkpoint: { ...(stored.checkpoint ?? {}), path } };
  for (const [key, asked] of Object.entries(given)) {
    if (asked === undefined) continue;
    const before = stored[key];
    // What was completed by defaults need not be given whole.
    const value = key === 'earlyStopping' ? { ...(before as object | undefined), ...(asked as object) } : asked;
    // A solver of one's own is kept by its name.
    if (key === 'solver' && typeof value === 'object' && (value as AnySolver).name === before) {
      merged[key] = value;
      continue;
    }
    const free = FREE.includes(key);
    if (!free && !(isFunctionMark(before) && typeof value === 'function') && toJson(value) !== toJson(before)) {
      throw otherOption(path, key, before, value);
    }
    merged[key] = value;
  }
  for (const key of ['iterations', 'epochs']) {
    const limit = given[key];
    if (typeof limit === 'number' && limit < iteration)
      throw expected(`${iteration} or more, which ${path} has done,`, `options.${key}`, limit, 'ERR_DLADMM_RANGE');
  }
  // One limit under two names.
  if (given.iterations !== undefined && given.epochs === undefined) delete merged.epochs;
  if (given.epochs !== undefined && given.iterations === undefined) delete merged.iterations;
  checkOwnSolver(path, merged.solver);
  for (const [key, value] of Object.entries(merged)) {
    if (!isFunctionMark(value)) continue;
    const text = `Expected a function for options.${key}: the training that wrote ${path} had one, and a checkpoint cannot keep functions`;
    throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
  }
  return merged as unknown as TrainOptions;
}

function checkMachine(path: string, { version, kernel }: StoredTraining, format: number): void {
  const [here, now] = [kernelHere(), packageVersion()];
  if (version === now && kernel === here && format > 1) return;
  const text = `${path} was written by dladmm ${version} with ${kernel}${format > 1 ? '' : ' in an earlier format'}, and this is dladmm ${now} with ${here}: the numbers would be the same up to rounding only. With inexact: true it goes on all the same`;
  throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
}

/** What a checkpoint says, and the options that its training would go on with. */
export async function lookInto(path: string, options: ResumeOptions) {
  checkObject(options, 'an object', 'options');
  flag(options.inexact ?? false, 'options.inexact');
  checkOptionNames(options, 'resume', 'inexact');
  const from = await openCheckpoint(path);
  await from.file.close();
  const training = storedTrainingOf(from);
  if (!options.inexact) checkMachine(path, training, from.format);
  const merged = mergedOptions(path, training, options);
  const plan = (): Plan<AnyRecord> => planOf(merged, training.problem === 'graph' ? 'graph' : 'samples');
  // Where nobody gives options, what is wrong with them is wrong in the file.
  const isGiven = Object.keys(options).some((key) => key !== 'inexact');
  return { identity: from.identity, training, merged, plan: isGiven ? plan() : await saidIn(path, plan) };
}

/**
 * Samples as a training had them that was given them so: rows encoded by its columns, and what it held out held out.
 *
 * @throws DlAdmmError as {@link resume}
 */
export async function resumedData(
  path: string,
  data: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<TrainingData | GraphSamples> {
  return (await asBefore(path, data, (await lookInto(path, options)).training, options)).data;
}

/** What a training goes on with, and of a store that was opened for it how it is given back. */
interface Before {
  readonly data: TrainingData | GraphSamples;
  release?(): void;
}

async function asBefore(
  path: string,
  rows: TrainingData | GraphSamples | Rows,
  { learnt, options: stored, samples, front = {} }: StoredTraining,
  options: ResumeOptions,
): Promise<Before> {
  const { loss, layers, seed = SEED, earlyStopping } = stored as unknown as TrainOptions & { readonly loss: Loss };
  const { calibrate, validationShare } = front;
  const { weights = front.weights } = options;
  if (weights === true && (isFile(rows) || (rows as TrainingData | null)?.weights === undefined)) {
    const text = `Expected the weights of the samples again for options.weights, as the training that wrote ${path} had them`;
    throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
  }
  const { target, columns, classes } = learntOf(learnt) ?? {};
  // An earlier version did not write it down.
  const { holdsOut = earlyStopping !== undefined || isFile(rows) || !areSamples(rows) } = front;
  const known = {
    ...present({ calibrate, validationShare }),
    ...options,
    ...(weights !== undefined && weights !== true && { weights }),
    loss,
    seed,
    holdsOut,
  };
  const from = isUrl(rows) ? pathOf(rows) : rows;
  if (StoredSamples.is(from) || (typeof from === 'string' && (await isSampleFile(from)))) {
    const ready = await readyOf(from as Rows, known);
    return { data: ready.data, release: () => ready[DISPOSE]() };
  }
  if (typeof rows !== 'string') {
    checkObject(rows, 'rows, { x, labels }, { x, y } or { adjacency, features, labels, trainIndex }', 'data');
    if (isGraph(rows)) return { data: rows };
    const { labels, y } = rows as TrainingData;
    const named = target !== undefined && targetColumns({ labels, y } as WeightedSamples).length > 0;
    if (areSamples(rows) && !named) {
      const parted = holdsOut || (validationShare ?? 0) > 0;
      if (!parted || (rows as TrainingData).validation !== undefined) {
        return { data: known.weights === undefined ? rows : { ...rows, weights: known.weights } };
      }
      const { data, heldOut } = await readyOf(rows as TrainingData, { ...known, layers });
      // As many as the training had are not to be divided: it had a validation set beside.
      return { data: heldOut?.of === samples ? rows : data };
    }
  }
  if (target === undefined || columns === undefined) {
    throw expected(`{ x, labels } or { x, y }, as the training that wrote ${path} had,`, 'data', rows);
  }
  const { data } = await readyOf(rows as Rows, { ...known, target, columns, ...(classes && { classes }) });
  return { data };
}

/**
 * The options with which a training would go on from a checkpoint.
 *
 * @throws DlAdmmError as {@link resume}
 */
export async function resumedOptions(path: string, options: ResumeOptions = {}): Promise<TrainOptions> {
  return (await lookInto(path, options)).merged;
}

/**
 * {@link resume} as an async iterable of the records that are still to come.
 *
 *     const training = await resumeTraining('run.checkpoint', data);
 *     for await (const record of training) console.log(record.iteration);
 *
 * @throws DlAdmmError as {@link resume}
 */
export async function resumeTraining(
  checkpoint: string | URL,
  rows: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<Training<AnyRecord>> {
  const path = pathOf(checkpoint);
  const { identity, training, merged, plan } = await lookInto(path, options);
  const { data: arrived, release } =
    (await unlessAborted(options.signal, () => asBefore(path, rows, training, options))) ?? {};
  const data = arrived ?? (rows as TrainingData);
  try {
    const problem = training.problem ?? 'samples';
    if (problem === 'stream') {
      const text = `Expected the checkpoint of a training but ${path} is a learner's: loadLearner goes on from it`;
      throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
    }
    if (isGraph(data) !== (problem === 'graph')) {
      const text = `Expected ${problem === 'graph' ? 'a graph' : 'samples'} for data, as the training that wrote ${path} had`;
      throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
    }
    if (arrived) {
      checkWatched(arrived, plan);
      checkHeld(arrived as TrainingData, training.front?.calibrate);
    }
    const layers = plan.network.layers.length - 1;
    const taught = training.taught ? learntOf(training.learnt) : undefined;
    const from = { path, identity, training, layers, release };
    return new Training(data, plan, storedOptionsOf(merged, plan), { from, taught, front: training.front });
  } catch (error) {
    release?.();
    throw error;
  }
}

/**
 * Goes on with a training from its last checkpoint, to the same numbers, bit for bit, as if it had never been interrupted.
 * Rows of a table are read, encoded and held out as they were. `history` has the records since then. With `iterations` a training that was complete goes further.
 *
 *     const result = await resume('run.checkpoint', data);
 *
 * @throws DlAdmmError rejects with ERR_DLADMM_FORMAT for a file that is damaged or no checkpoint, with
 *   ERR_DLADMM_CHECKPOINT for one that is of other data, options, another version or machine, or that needs a function;
 *   ERR_DLADMM_FILE; and with any code that a training can cause
 */
export async function resume(
  path: string | URL,
  data: TrainingData | GraphSamples | Rows,
  options: ResumeOptions = {},
): Promise<FitResult<AnyRecord>> {
  const training = await resumeTraining(path, data, options);
  for await (const _ of training);
  return training.result;
}

/**
 * Reads a checkpoint, checks every byte of it, and tells what it is of.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT, ERR_DLADMM_CHECKPOINT for another format
 */
export const readCheckpoint = reader(async (path: string): Promise<CheckpointInfo> => {
  const from: OpenCheckpoint = await openCheckpoint(path);
  try {
    const { version, kernel, options, iteration, elapsed, samples, best } = storedTrainingOf(from);
    await checkValues(from);
    const { layers, dtype, threads, earlyStopping } = options as unknown as TrainOptions;
    const metric = earlyStopping?.metric ?? 'loss';
    if (!METRIC_NAMES.includes(metric)) {
      const text = `${path} is no checkpoint of a training: it watches ${String(metric)}`;
      throw new DlAdmmError('ERR_DLADMM_FORMAT', text);
    }
    const entries = Object.entries(options);
    return {
      path,
      bytes: from.bytes,
      version,
      kernel,
      solver: String(options.solver ?? 'dladmm'),
      layers,
      dtype: dtype ?? 'float32',
      threads: threads ?? 1,
      iteration,
      elapsed,
      samples,
      ...(best && { best: { iteration: best.iteration, metric, value: scoreOf(metric, best.score) } }),
      options: Object.fromEntries(entries.filter(([, value]) => !isFunctionMark(value))),
      functions: entries.filter(([, value]) => isFunctionMark(value)).map(([key]) => key),
    };
  } finally {
    await from.file.close();
  }
}, 'safetensors');
