/** The options that a training goes on with: those of its checkpoint, and what may change or has to be given again. */
import { checkObject, flag } from '../../core/checks.js';
import { DlAdmmError, describe, expected, quoted } from '../../core/errors.js';
import { toJson } from '../../core/json.js';
import { packageVersion } from '../../core/package.js';
import type { CsvDialect } from '../../formats/csv.js';
import { pick } from '../../network/schema.js';
import type { DladmmOptions } from '../../solvers/dladmm/solver.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS, type TrainOptions } from '../../solvers/index.js';
import type { AnyRecord } from '../../solvers/records.js';
import type { AnySolver } from '../../solvers/shared/descriptor.js';
import type { LearningRate } from '../../solvers/shared/learning-rate.js';
import type { CommonOptions } from '../../solvers/shared/options.js';
import type { ConstraintSweep, Sweep } from '../../solvers/shared/sweep.js';
import { FRONT, type FrontOptions } from '../options.js';
import { checkOptionNames, type Plan, planOf } from '../plan.js';
import { openCheckpoint } from './file.js';
import { isFunctionMark, kernelHere } from './options.js';
import { isSaid, learntOf, networkIn, type StoredTraining, saidIn, storedTrainingOf } from './stored-training.js';

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
 * The options with which a training would go on from a checkpoint.
 *
 * @throws DlAdmmError as `resume`
 */
export async function resumedOptions(path: string, options: ResumeOptions = {}): Promise<TrainOptions> {
  return (await lookInto(path, options)).merged;
}
