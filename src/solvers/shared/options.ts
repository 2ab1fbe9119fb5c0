import { availableParallelism } from 'node:os';
import { checkKeys, checkObject, flag, given, oneOf, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { Dtype } from '../../core/native.js';
import {
  type Activation,
  checkActivation,
  checkClasses,
  checkLayers,
  checkLoss,
  classCount,
  classifies,
  type Loss,
  type Network,
} from '../../network/network.js';
import { type CheckpointOptions, type CheckpointPlan, checkpointPlanOf } from './checkpoint-options.js';
import type { ProgressRecord } from './record.js';

/** Stops when `metric` of the validation set has not improved for `patience` evaluations, and keeps the best model. */
export interface EarlyStopping {
  readonly patience: number;
  /** Default: `accuracy` for classification, `loss` for regression. */
  readonly metric?: 'accuracy' | 'loss';
}

/** The options that every solver takes. Only `layers` must be given. */
export interface CommonOptions<R extends ProgressRecord> {
  /** n_0 … n_L, for example [784, 1000, 1000, 10]. */
  readonly layers: readonly number[];
  /** f_l of the hidden layers. Default `'relu'`. */
  readonly activation?: Activation;
  /** R. Default `'softmax-cross-entropy'`. */
  readonly loss?: Loss;
  /** The type of everything. Default `'float32'`; `'float64'` for tests against theory. */
  readonly dtype?: Dtype;
  /** Of everything that is drawn at random. Default 1. */
  readonly seed?: number;
  /** Threads of the team; results are the same, bit for bit, for the same number. Default: the processors at hand. */
  readonly threads?: number;
  /** Iterations between evaluations of the validation and test sets. Default 1. */
  readonly evaluateEvery?: number;
  /** Also evaluate the network on the training set (a forward pass over it). Default false. */
  readonly trainMetrics?: boolean;
  readonly earlyStopping?: EarlyStopping;
  /** Names of the classes, kept in the model; of labels that are names, their order too (default: sorted). */
  readonly classes?: readonly string[];
  /**
   * Learn mean and deviation of every feature on the training set, train on (x − mean) / deviation, and keep them in the
   * model, which applies them to what it is given. A feature that never varies becomes 0. Default false.
   */
  readonly standardise?: boolean;
  /** Write the whole training out as it goes, so that `resume` can go on from there. */
  readonly checkpoint?: CheckpointOptions;
  /**
   * Ends the training as soon as an update ends, and keeps the model as it stands. With `checkpoint`: as soon as the
   * iteration ends, and writes one.
   */
  readonly signal?: AbortSignal;
  /** Called with every record; what it throws ends the training. */
  readonly onIteration?: (record: R) => void;
}

/** The defaults of the options that every solver takes. */
export const COMMON_DEFAULTS = {
  activation: 'relu',
  loss: 'softmax-cross-entropy',
  dtype: 'float32',
  seed: 1,
  evaluateEvery: 1,
} as const;

/** The common options, checked and completed, and the number of iterations. */
export interface CommonPlan<R extends ProgressRecord> {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly seed: number;
  readonly iterations: number;
  readonly evaluateEvery: number;
  readonly trainMetrics: boolean;
  readonly earlyStopping?: Required<EarlyStopping>;
  readonly classes?: readonly string[];
  readonly checkpoint?: CheckpointPlan;
  readonly standardise: boolean;
  readonly signal?: AbortSignal;
  readonly onIteration?: (record: R) => void;
}

const COMMON_KEYS: readonly (keyof CommonOptions<ProgressRecord> | 'solver')[] = [
  'solver',
  'layers',
  'activation',
  'loss',
  'dtype',
  'seed',
  'threads',
  'evaluateEvery',
  'trainMetrics',
  'earlyStopping',
  'classes',
  'checkpoint',
  'standardise',
  'signal',
  'onIteration',
];

/**
 * Checks the common options, and that there is no option but those and `own`.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE
 */
export function commonPlanOf<R extends ProgressRecord>(
  options: CommonOptions<R>,
  own: readonly string[],
  iterations: number,
): CommonPlan<R> {
  checkObject(options, 'an object', 'options');
  checkKeys(options, [...COMMON_KEYS, ...own], 'options');
  const { layers, activation = COMMON_DEFAULTS.activation, loss = COMMON_DEFAULTS.loss } = options;
  checkLayers(layers);
  checkActivation(activation);
  checkLoss(loss);
  const { signal, onIteration, classes } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw expected('an AbortSignal', 'signal', signal);
  if (onIteration !== undefined && typeof onIteration !== 'function')
    throw expected('a function', 'onIteration', onIteration);
  checkClasses(classes, classCount(loss, layers.at(-1) ?? 0));
  const earlyStopping = earlyStoppingOf(options.earlyStopping, loss);
  return {
    network: { layers: [...layers], activation, loss },
    dtype: oneOf(given(options.dtype, COMMON_DEFAULTS.dtype), ['float32', 'float64'], 'dtype'),
    threads: whole(given(options.threads, Math.min(availableParallelism(), 64)), 1, 64, 'threads'),
    seed: whole(given(options.seed, COMMON_DEFAULTS.seed), 0, 2 ** 32 - 1, 'seed'),
    iterations: whole(iterations, 1, 1e9, 'iterations'),
    evaluateEvery: whole(given(options.evaluateEvery, COMMON_DEFAULTS.evaluateEvery), 1, 1e9, 'evaluateEvery'),
    trainMetrics: flag(given(options.trainMetrics, false), 'trainMetrics'),
    standardise: flag(given(options.standardise, false), 'standardise'),
    ...(earlyStopping && { earlyStopping }),
    ...(classes && { classes }),
    ...(options.checkpoint !== undefined && { checkpoint: checkpointPlanOf(options.checkpoint) }),
    ...(signal && { signal }),
    ...(onIteration && { onIteration }),
  };
}

function earlyStoppingOf(early: EarlyStopping | undefined, loss: Loss): Required<EarlyStopping> | undefined {
  if (early === undefined) return undefined;
  checkObject(early, '{ patience }', 'earlyStopping');
  checkKeys(early, ['patience', 'metric'], 'earlyStopping');
  const classification = classifies(loss);
  const metric = oneOf(
    given(early.metric, classification ? 'accuracy' : 'loss'),
    ['accuracy', 'loss'],
    'earlyStopping.metric',
  );
  if (metric === 'accuracy' && !classification) throw expected("'loss' for regression", 'earlyStopping.metric', metric);
  return { metric, patience: whole(early.patience, 1, 1e9, 'earlyStopping.patience') };
}
