import { DlAdmmError } from '../core/errors.js';
import { fromJson, toJson } from '../core/json.js';
import { type Dtype, fromNative, type NativeExtra, type Numbers, native } from '../core/native.js';
import { isObject } from '../core/objects.js';
import { packageVersion } from '../core/package.js';
import { checkWritable, removeLeftovers } from '../formats/atomic-file.js';
import { classifies } from '../network/network.js';
import type { Parameters } from '../network/parameters.js';
import type { Learnt } from '../samples/arrival.js';
import { TRAINING_SET } from '../samples/samples.js';
import type { Course } from '../solvers/shared/course.js';
import type { AnySolver } from '../solvers/shared/descriptor.js';
import type { CheckpointPlan, CommonPlan } from '../solvers/shared/options.js';
import type { CheckpointRecord, ProgressRecord } from '../solvers/shared/record.js';
import {
  CHECKPOINT,
  checkTelling,
  fillState,
  freeBytes,
  type OpenCheckpoint,
  openCheckpoint,
  readValues,
  writeCheckpoint,
} from './checkpoint-file.js';
import {
  type BestModel,
  type Fingerprints,
  learntOf,
  networkIn,
  type StoredFront,
  type StoredTraining,
  saidIn,
  storedLearnt,
} from './stored-training.js';

interface Standing {
  readonly iteration: number;
  /** Seconds since it began, those before an interruption included. */
  readonly elapsed: number;
  readonly best?: BestModel;
}

export const isFunctionMark = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && '$function' in value && value.$function === true;

/** What a checkpoint keeps of an option: a copy, as what becomes of the caller's later does not matter. */
const storedValue = (value: unknown): unknown =>
  typeof value === 'function' ? { $function: true } : fromJson(toJson(value));

/** Options as a checkpoint keeps them: what is decided by the machine or by default is written down, too. */
export function storedOptionsOf(
  options: object,
  {
    network,
    dtype,
    threads,
    seed,
    standardiseTargets,
    earlyStopping,
    solver,
  }: Pick<CommonPlan<never>, 'network' | 'dtype' | 'threads' | 'seed' | 'standardiseTargets' | 'earlyStopping'> & {
    readonly solver: AnySolver;
  },
): StoredTraining['options'] {
  const {
    signal: _,
    onIteration: __,
    // How many processes go on is asked again.
    distributed: ___,
    checkpoint,
    initialisation,
    ...rest
  } = options as Readonly<Record<string, unknown>>;
  // Parameters of one's own have done their part.
  const own = typeof initialisation === 'object' && initialisation !== null && 'weights' in initialisation;
  const all = {
    ...rest,
    // Where the file lies is no part of what it holds.
    ...(isObject(checkpoint) && { checkpoint: { every: checkpoint.every } }),
    ...(!own && initialisation !== undefined && { initialisation }),
    ...network,
    dtype,
    threads,
    seed,
    ...(earlyStopping && { earlyStopping }),
    ...(!classifies(network.loss) && { standardiseTargets }),
    solver: solver.name,
  };
  return Object.fromEntries(
    Object.entries(all)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, storedValue(value)]),
  );
}

/** What decides, beside the number of threads and the type, how sums are rounded here. */
export function kernelHere(): string {
  const { config, core, simd } = native.info();
  return `${/OpenBLAS \S+/.exec(config)?.[0] ?? config} ${core}, ${simd}`;
}

const parameterNames = (layers: number, biases: boolean, prefix: string): readonly string[] =>
  Array.from({ length: layers }, (_, i) => [`${prefix}W.${i + 1}`, ...(biases ? [`${prefix}b.${i + 1}`] : [])]).flat();

/** Parameters in the order of their names. */
function parametersOf(arrays: readonly Numbers[], biases: boolean): Parameters {
  if (!biases) return { weights: arrays, biases: [] };
  return { weights: arrays.filter((_, i) => i % 2 === 0), biases: arrays.filter((_, i) => i % 2 === 1) };
}

/** Where some solvers keep all parameters: layer after layer, each row of W_l with its b_l behind it. */
const TOGETHER = 'parameters';

function apart(all: Numbers, widths: readonly number[], biases: boolean): Parameters {
  const weights: Numbers[] = [];
  const shifts: Numbers[] = [];
  let at = 0;
  for (const [l, outputs] of widths.slice(1).entries()) {
    const inputs = widths[l] as number;
    const step = inputs + (biases ? 1 : 0);
    const end = at + outputs * step;
    const own = all.subarray(at, end);
    if (biases) shifts.push(own.filter((_: number, i: number) => i % step === inputs));
    weights.push(own.filter((_: number, i: number) => i % step !== inputs));
    at = end;
  }
  return { weights, biases: shifts };
}

const extrasOf = (best: BestModel | undefined): readonly NativeExtra[] =>
  (best?.parameters.weights ?? []).flatMap((data, i) => {
    const bias = best?.parameters.biases[i];
    return [{ name: `best.W.${i + 1}`, data }, ...(bias ? [{ name: `best.b.${i + 1}`, data: bias }] : [])];
  });

export interface Keeper {
  /** What one takes on the disk, header left out. */
  readonly bytes: number;
  due(iteration: number): boolean;
  /** What was written, where it is this process that writes. */
  save(standing: Standing): Promise<CheckpointRecord | undefined>;
}

export interface Kept {
  readonly plan: CheckpointPlan;
  readonly options: StoredTraining['options'];
  readonly course: Course<ProgressRecord>;
  readonly problem: 'samples' | 'graph';
  /** The number of the validation set, where early stopping decides by it. */
  readonly validation?: number;
  /** What was learnt of the samples before they were loaded. */
  readonly learnt: Learnt;
  /** How rows became the samples. */
  readonly front: StoredFront;
  /** Whether a model that went on had taught it, rather than the samples. */
  readonly taught: boolean;
  /** Whether the file is written here, or by another rank, to which this one sends what it has. */
  readonly writes: boolean;
}

const sizeText = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

/**
 * Finds out whether checkpoints can be written, before a long work, and removes what killed trainings have left.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_ARGUMENT
 */
export async function openKeeper({
  plan,
  options,
  course,
  problem,
  validation,
  learnt,
  front,
  taught,
  writes,
}: Kept): Promise<Keeper> {
  const { path, every } = plan;
  const { native: state, samples } = course.session;
  const due = (iteration: number): boolean => iteration % every === 0;
  const bytes = await nativeCall(() => state.sectionBytes(!course.endsAfresh(every)));
  if (!writes) {
    const save = async ({ iteration }: Standing): Promise<undefined> =>
      nativeCall(() => state.sendSections(!course.endsAfresh(iteration))) as Promise<undefined>;
    return { bytes, due, save };
  }
  await checkWritable(path, CHECKPOINT);
  await removeLeftovers(path);
  checkTelling(path, { options, front, learnt: storedLearnt(learnt) });
  const data = { ...(await fingerprints(course, validation)), learnt: checksumOf(learnt) };
  const free = await freeBytes(path);
  if (free < bytes) {
    const text = `Could not write ${path}: a checkpoint takes ${sizeText(bytes)}, but only ${sizeText(free)} are free there`;
    throw new DlAdmmError('ERR_DLADMM_FILE', text);
  }
  return {
    bytes,
    due,
    async save({ iteration, elapsed, best }) {
      const began = performance.now();
      const kept = !course.endsAfresh(iteration);
      const { parameters: _, ...standing } = best ?? { parameters: undefined };
      const training = {
        version: packageVersion(),
        kernel: kernelHere(),
        options,
        front,
        iteration,
        elapsed,
        samples,
        ...(problem === 'graph' && { problem }),
        data,
        learnt: storedLearnt(learnt),
        ...(taught && { taught }),
        kept,
        ...(best && { best: standing }),
        memory: course.memory(),
      };
      const written = await writeCheckpoint(path, state, { training, kept, extras: extrasOf(best) });
      return { path, bytes: written, seconds: (performance.now() - began) / 1000 };
    },
  };
}

async function nativeCall<R>(call: () => Promise<R>): Promise<R> {
  try {
    return await call();
  } catch (error) {
    throw fromNative(error);
  }
}

async function fingerprints(
  { session: { native: state, fingerprint } }: Course<ProgressRecord>,
  validation?: number,
): Promise<Fingerprints> {
  return {
    train: await nativeCall(() => fingerprint?.() ?? state.fingerprint(TRAINING_SET)),
    ...(validation !== undefined && { validation: await nativeCall(() => state.fingerprint(validation)) }),
  };
}

export interface Resumption {
  readonly path: string;
  /** Of the file that was looked into: it may have been replaced since. */
  readonly identity: string;
  readonly training: StoredTraining;
  readonly layers: number;
  /** Gives back what was opened to be read as the training goes. */
  readonly release?: (() => void) | undefined;
}

/** What a training knows beside its data, its plan and its options. */
export interface Beside {
  /** The checkpoint that it goes on from. */
  readonly from?: Resumption | undefined;
  /** What a model that goes on knows of samples already. */
  readonly taught?: Learnt | undefined;
  /** How rows became the samples, as the options said it. */
  readonly front?: StoredFront | undefined;
}

const otherData = (path: string, expected: string, found: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_CHECKPOINT', `Expected ${expected} that ${path} was written with, but ${found}`);

export const replaced = (path: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_CHECKPOINT', `${path} has been replaced since it was looked into`);

/**
 * Fills a session from a checkpoint; answers with the best model so far.
 *
 * @throws DlAdmmError ERR_DLADMM_CHECKPOINT where it is of other samples; ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function takeUp(
  { path, identity, training, layers }: Resumption,
  course: Course<ProgressRecord>,
  alike: <T>(work: () => Promise<T>) => Promise<T>,
): Promise<BestModel | undefined> {
  const { samples, native: state } = course.session;
  const { best, problem } = training;
  const biases = problem !== 'graph';
  const opened = async (): Promise<OpenCheckpoint> => {
    if (samples !== training.samples) {
      throw otherData(path, `the ${training.samples} training samples`, `received ${samples}`);
    }
    const { train } = await fingerprints(course);
    if (train !== training.data.train) throw otherData(path, 'the training samples', 'these are others');
    const from = await openCheckpoint(path);
    if (from.identity === identity) return from;
    await from.file.close();
    throw replaced(path);
  };
  const from = await alike(opened);
  let extras: readonly Numbers[];
  try {
    const names = best ? parameterNames(layers, biases, 'best.') : [];
    extras = await alike(() => fillState(from, state, training.kept, names));
    for (const copy of course.copies()) await alike(() => fillState(from, copy, training.kept, []));
  } finally {
    await from.file.close();
  }
  course.session.feed?.goOn(training.iteration);
  await saidIn(path, () => course.recall(training.memory));
  return best && { ...best, parameters: parametersOf(extras, biases) };
}

/**
 * The model of a checkpoint without the samples: the parameters that the training kept best, or had last, and what its samples
 * had taught; undefined where an earlier version did not write that down.
 *
 * @throws DlAdmmError ERR_DLADMM_CHECKPOINT, ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function storedModel(
  { path, identity, training, layers }: Resumption,
  dtype: Dtype,
): Promise<{ readonly parameters: Parameters; readonly learnt: Learnt } | undefined> {
  const { best, problem } = training;
  const learnt = learntOf(training.learnt);
  if (learnt === undefined) return undefined;
  const biases = problem !== 'graph';
  const from = await openCheckpoint(path);
  try {
    if (from.identity !== identity) throw replaced(path);
    if (!best && from.sections.some(({ name }) => name === TOGETHER)) {
      const [all] = (await readValues(from, [TOGETHER], dtype)) as readonly [Numbers];
      return { parameters: apart(all, networkIn(training.options).layers, biases), learnt };
    }
    const arrays = await readValues(from, parameterNames(layers, biases, best ? 'best.' : ''), dtype);
    return { parameters: parametersOf(arrays, biases), learnt };
  } finally {
    await from.file.close();
  }
}

function checksumOf(learnt: object): string {
  const hash = new native.Hash64();
  // The name of the target decides nothing.
  hash.update(new TextEncoder().encode(toJson({ ...learnt, target: undefined })));
  return hash.digest();
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where classes have other names, or features another mean or deviation */
export function checkLearnt({ path, training }: Resumption, learnt: object): void {
  if (training.data.learnt === checksumOf(learnt)) return;
  throw otherData(path, 'the names and the scale of the samples', 'these are others');
}

/** @throws DlAdmmError ERR_DLADMM_CHECKPOINT where early stopping would decide by another validation set */
export async function checkValidation(
  { path, training }: Resumption,
  course: Course<ProgressRecord>,
  validation: number | undefined,
): Promise<void> {
  const { validation: stored } = training.data;
  if (stored === undefined) return;
  const found = validation === undefined ? undefined : (await fingerprints(course, validation)).validation;
  if (found !== stored) throw otherData(path, 'the validation samples', 'these are others');
}
