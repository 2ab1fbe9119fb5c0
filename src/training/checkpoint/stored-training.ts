/** What a checkpoint says of its training, as JSON: written by openKeeper, and believed in nothing when it is read. */
import { DlAdmmError, describe, type ErrorCode, messageOf } from '../../core/errors.js';
import { isObject } from '../../core/objects.js';
import { readingError } from '../../formats/reader.js';
import { checkNetwork, type Network } from '../../network/network.js';
import type { Parameters } from '../../network/parameters.js';
import type { Learnt } from '../../samples/arrival.js';
import { earlierOptions } from '../../solvers/shared/earlier.js';
import type { FrontOptions } from '../options.js';
import type { OpenCheckpoint } from './file.js';

export interface BestModel {
  readonly score: number;
  readonly iteration: number;
  /** Evaluations since. */
  readonly age: number;
  readonly parameters: Parameters;
}

/** Checksums of the samples, as they were loaded. */
export interface Fingerprints {
  readonly train: string;
  /** Where early stopping decides by it. */
  readonly validation?: string;
  /** Of what the samples say beside their numbers: the names of classes, how features were standardised. */
  readonly learnt?: string;
}

/** The options that say how rows became samples, but for those that are given again. */
export const SAID = [
  ...(['target', 'columns', 'ignore', 'task', 'missing', 'categories', 'buckets', 'hash', 'pairs', 'bins'] as const),
  ...(['validationShare', 'calibrate'] as const),
] as const;
export type StoredFront = { readonly [name in (typeof SAID)[number]]?: FrontOptions[name] } & {
  /** The column that says what rows count for, or that numbers did. */
  readonly weights?: string | true;
  /** Whether something was to be held out where nobody said so. */
  readonly holdsOut?: boolean;
};

export const isSaid = (option: string): boolean => (SAID as readonly string[]).includes(option);

export function frontIn(options: FrontOptions & object, holdsOut: boolean): StoredFront {
  const said = Object.entries(options).filter(([key, value]) => value !== undefined && isSaid(key));
  const { weights } = options;
  return {
    ...Object.fromEntries(said),
    holdsOut,
    ...(weights !== undefined && { weights: typeof weights === 'string' ? weights : true }),
  };
}

/** What a checkpoint says of a training, beside the variables. */
export interface StoredTraining {
  /** Of the package. */
  readonly version: string;
  /** What decides how sums are rounded. */
  readonly kernel: string;
  /** Those of the training; a function is `{ $function: true }`. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Left out by earlier versions. */
  readonly front?: StoredFront;
  readonly iteration: number;
  readonly elapsed: number;
  readonly samples: number;
  /** What it learns from; samples where it is left out. */
  readonly problem?: 'graph' | 'stream';
  readonly data: Fingerprints;
  /** What the samples say beside their numbers. */
  readonly learnt?: unknown;
  /** A model that went on had taught that, rather than the samples. */
  readonly taught?: true;
  /** Whether what is kept up to date step by step is in the file too. */
  readonly kept: boolean;
  /** Of a learner: the features of its last rows were sparse. */
  readonly sparse?: true;
  readonly best?: Omit<BestModel, 'parameters'>;
  /** What the solver remembers. */
  readonly memory: unknown;
}

/** What is gone on with. */
export interface Resumption {
  readonly path: string;
  /** Of the file that was looked into: it may have been replaced since. */
  readonly identity: string;
  readonly training: StoredTraining;
  readonly layers: number;
  /** Gives back what was opened to be read as the training goes. */
  readonly release?: (() => void) | undefined;
}

const FAULTS: readonly ErrorCode[] = ['ERR_DLADMM_ARGUMENT', 'ERR_DLADMM_RANGE', 'ERR_DLADMM_SHAPE'];

const notOf = (path: string, what: string, cause?: unknown): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FORMAT', `${path} is no checkpoint of a training: ${what}`, { cause });

/** Does what takes a file at its word: what a check has against that is no mistake of the caller's. */
export async function saidIn<R>(path: string, work: () => R | Promise<R>): Promise<R> {
  try {
    return await work();
  } catch (error) {
    const own = readingError(path, error);
    throw FAULTS.includes(own.code) ? notOf(path, own.message, own) : own;
  }
}

type Check = (value: unknown) => boolean;
interface Fields {
  readonly [name: string]: Check | Fields;
}

const isText: Check = (value) => typeof value === 'string';
const isNumber: Check = (value) => typeof value === 'number';
const isFlag: Check = (value) => typeof value === 'boolean';
const isCount: Check = (value) => Number.isSafeInteger(value) && (value as number) >= 0;
const isSeconds: Check = (value) => Number.isFinite(value) && (value as number) >= 0;
const areNumbers: Check = (value) => Array.isArray(value) && value.every(isNumber);
/** What is checked where it is used, as what users give is. */
const isAnything: Check = () => true;
const optional =
  (check: Check | Fields): Check =>
  (value) =>
    value === undefined || (typeof check === 'function' ? check(value) : unsoundIn(value, check) === undefined);

const SCALE: Fields = { mean: areNumbers, scale: areNumbers };
const areColumns: Check = (value) =>
  Array.isArray(value) && value.every((column: unknown) => isObject(column) && isText(column.name));
const LEARNT: Fields = {
  standardisation: optional(SCALE),
  targetStandardisation: optional(SCALE),
  columns: optional(areColumns),
};
const FIELDS: { readonly [name in keyof StoredTraining]-?: Check | Fields } = {
  version: isText,
  kernel: isText,
  options: isObject,
  front: optional({
    validationShare: optional(isNumber),
    calibrate: optional(isFlag),
    holdsOut: optional(isFlag),
    weights: optional((value) => value === true || isText(value)),
  }),
  iteration: isCount,
  elapsed: isSeconds,
  samples: isCount,
  problem: optional((value) => value === 'graph' || value === 'stream'),
  data: { train: isText, validation: optional(isText), learnt: optional(isText) },
  learnt: optional(LEARNT),
  taught: optional((value) => value === true),
  kept: isFlag,
  sparse: optional((value) => value === true),
  best: optional({ score: isNumber, iteration: isCount, age: isCount }),
  memory: isAnything,
};

/** The first member that is not what it should be, and what it is. */
function unsoundIn(value: unknown, fields: Fields, at = ''): string | undefined {
  if (!isObject(value)) return `${at || 'it'} is ${describe(value)}`;
  for (const [name, check] of Object.entries(fields)) {
    const member = Object.hasOwn(value, name) ? value[name] : undefined;
    const where = at ? `${at}.${name}` : name;
    const bad =
      typeof check !== 'function'
        ? unsoundIn(member, check, where)
        : check(member)
          ? undefined
          : `${where} is ${describe(member)}`;
    if (bad !== undefined) return bad;
  }
  return undefined;
}

/**
 * What a checkpoint says, believed in nothing: checksums are no signature. Options are checked as those of a user are, by
 * whoever trains with them.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, naming the member
 */
export function storedTrainingOf({ path, training, format }: OpenCheckpoint): StoredTraining {
  const bad = unsoundIn(training, FIELDS);
  if (bad !== undefined) throw notOf(path, `of what its metadata say, ${bad}`);
  const stored = training as StoredTraining;
  const options = earlierOptions(stored.options, format);
  try {
    checkNetwork(networkIn(options), 'options');
  } catch (error) {
    throw notOf(path, messageOf(error), error);
  }
  return { ...stored, options };
}

/** The network among options. */
export const networkIn = (options: Readonly<Record<string, unknown>>): Network =>
  Object.fromEntries(
    ['layers', 'activation', 'loss', 'delta', 'quantile'].flatMap((name) =>
      options[name] === undefined ? [] : [[name, options[name]]],
    ),
  ) as unknown as Network;

/** The parts of what was learnt that are arrays of numbers. */
const RULES = ['standardisation', 'targetStandardisation'] as const;

/** As JSON can say it. */
export const storedLearnt = (learnt: Learnt): unknown =>
  withRules(learnt, ({ mean, scale }) => ({ mean: [...mean], scale: [...scale] }));

export function learntOf(stored: unknown): Learnt | undefined {
  if (!isObject(stored)) return undefined;
  const typed = (rule: StoredRule) => ({ mean: Float64Array.from(rule.mean), scale: Float64Array.from(rule.scale) });
  return withRules(stored, typed);
}

interface StoredRule {
  readonly mean: Iterable<number>;
  readonly scale: Iterable<number>;
}

const withRules = (learnt: Learnt, as: (rule: StoredRule) => StoredRule): object => ({
  ...learnt,
  ...Object.fromEntries(RULES.flatMap((name) => (learnt[name] ? [[name, as(learnt[name])]] : []))),
});
