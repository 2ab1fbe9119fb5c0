/** The options of folds and searches, and those of any training. */
import { availableThreads } from '../core/info.js';
import { METRIC } from '../network/metrics.js';
import {
  callbackOption,
  flag,
  number,
  type OptionsOf,
  option,
  type Schema,
  seedOption,
  signalOption,
  valueType,
  whole,
  word,
} from '../network/schema.js';
import type { TrainOptions } from '../solvers/index.js';
import { PATH as FILE } from '../solvers/shared/options.js';
import type { AutoOptions } from '../training/fit.js';

type Every = TrainOptions | AutoOptions;
type Keys<U> = U extends unknown ? keyof U : never;
type ValueIn<U, K> = U extends unknown ? (K extends keyof U ? U[K] : never) : never;

/** The options of a training by any solver, `layers` left to be inferred; a name that no solver has is a compile error. */
export type AnyOptions = { readonly [K in Keys<Every>]?: ValueIn<Every, K> };

/** How samples are parted. */
export const FOLDS = {
  folds: whole(
    2,
    {
      default: 5,
      elsewhere: 'cv k kfold kfolds nfolds nsplits',
      says: 'How often to train, each time without another part.',
    },
    1000,
  ),
  stratified: flag({
    otherwise: 'where there are classes',
    elsewhere: 'stratify',
    says: 'Whether every fold has its share of each class.',
  }),
  groups: option(
    valueType<string | ArrayLike<unknown>>(
      'name of a column, or a value a sample',
      (value) => typeof value === 'string' || (typeof value === 'object' && value !== null && 'length' in value),
      'the name of a column, or a value for each sample',
      { as: 'text' },
    ),
    {
      otherwise: 'none',
      elsewhere: 'group groupby',
      says: 'Samples of one value are held out together; such a column is no feature.',
    },
  ),
  seed: { ...seedOption('Decides which sample is in which fold.'), elsewhere: 'randomstate randomseed' },
  signal: signalOption('Ends the trainings, and rejects with ERR_DLADMM_ABORTED.'),
  onFold: {
    ...callbackOption<(done: number, all?: number) => void>(
      'function of two numbers',
      'Told when a fold has ended, and waited for: how many have, and of how many, where that is known; what it throws ends the trainings.',
    ),
    elsewhere: 'onfoldend',
  },
  parallel: whole(
    1,
    {
      derive: () => Math.min(4, availableThreads()),
      otherwise: 'the processors at hand, at most 4',
      elsewhere: 'njobs concurrency workers',
      says: 'Trainings at work at once; the results are the same for any number.',
    },
    1000,
  ),
} as const satisfies Schema;

/** How samples are parted. */
export type FoldOptions = OptionsOf<typeof FOLDS>;

/** Strengths as they are, or so many from one to another, each the same times the one before. */
export type Strengths =
  | number
  | readonly number[]
  | { readonly from: number; readonly to: number; readonly count?: number };

/** How strengths of a regulariser are tried. */
export const PATH = {
  ...FOLDS,
  strengths: option(
    valueType<Strengths>(
      'numbers > 0, or { from, to, count }',
      (value) => typeof value === 'number' || (typeof value === 'object' && value !== null),
      '[1e-4, 1e-3, …] or { from, to, count }',
      { as: 'numbers' },
    ),
    {
      required: true,
      elsewhere: 'alphas lambdas lambda cs',
      says: 'What the strengths of regularise are multiplied by; { from, to, count }: so many (8), each the same times the one before.',
    },
  ),
  metric: option(METRIC, { default: 'loss', elsewhere: 'scoring objective', says: 'What the folds are judged by.' }),
  rule: word(['one-se', 'best'], {
    default: 'one-se',
    says: 'Which strength is chosen: the greatest whose value is within one standard error of the best, or the best. By what is held out of each fold alone.',
  }),
  refit: flag({
    default: false,
    says: 'Whether the path is trained on all samples up to the chosen strength, for a model.',
  }),
} as const satisfies Schema;

/** How a search goes. */
export const SEARCH = {
  ...FOLDS,
  signal: signalOption("Ends the search with what has ended so far (status: 'aborted')."),
  trials: whole(
    1,
    {
      otherwise: '20; with seconds alone, as many as there is time for',
      elsewhere: 'ntrials niter maxtrials maxevals numsamples',
      says: 'How many settings are tried.',
    },
    1e6,
  ),
  seconds: number('positive', {
    otherwise: 'none',
    elsewhere: 'timeout time maxtime timelimit timebudget',
    says: 'Then it ends: trials under way are given up, but for the first.',
  }),
  metric: option(METRIC, {
    default: 'loss',
    elsewhere: 'scoring objective',
    says: 'What is to be best.',
  }),
  method: word(['random', 'halving'], {
    default: 'random',
    elsewhere: 'sampler strategy',
    says: "'random' trains every trial on all samples; 'halving' trains all of them on few, the best third of them on three times as many, and so on: for many trials on many samples.",
  }),
  resume: option(FILE, {
    otherwise: 'none',
    elsewhere: 'storage',
    says: 'The file that trials are kept in, each when it ends; where it is there the search goes on from it.',
  }),
  refit: flag({
    default: false,
    says: 'Whether the best settings are trained with on all samples in the end.',
  }),
  onTrial: {
    ...callbackOption<(trial: never) => void>(
      'function of a trial',
      'Called with every trial, when it has ended, and waited for; what it throws ends the search.',
    ),
    elsewhere: 'callback callbacks',
  },
} as const satisfies Schema;
