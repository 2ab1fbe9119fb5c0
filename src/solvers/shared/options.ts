import { expected } from '../../core/errors.js';
import { availableThreads } from '../../core/info.js';
import type { Dtype } from '../../core/native.js';
import { isUrl, pathOf } from '../../core/objects.js';
import { checkPath } from '../../formats/atomic-file.js';
import { METRIC, metricsOfLoss } from '../../network/metrics.js';
import {
  checkClasses,
  checkLayers,
  classCount,
  classifies,
  MOST_THREADS,
  type Network,
} from '../../network/network.js';
import {
  type Complete,
  callbackOption,
  flag,
  group,
  number,
  type OptionsOf,
  option,
  type Schema,
  seedOption,
  signalOption,
  type ValueType,
  whole,
  word,
} from '../../network/schema.js';
import { ACTIVATION, LOSS } from '../../network/values.js';
import { type ClassWeights, checkClassWeights } from '../../samples/weights.js';
import type { ProgressRecord } from './record.js';

const layers: ValueType<readonly number[]> = {
  type: 'widths n_0 … n_L',
  typed: { as: 'layers' },
  check: (value) => {
    checkLayers(value);
    return [...value];
  },
};

const classes: ValueType<readonly string[]> = {
  type: 'array of names',
  check: (value, _, { network }) => {
    checkClasses(value, classCount(network.loss, network.layers.at(-1) ?? 0));
    return [...(value as readonly string[])];
  },
};

const classWeights: ValueType<ClassWeights> = {
  type: "'balanced' | { class: weight }",
  typed: { as: 'classWeights' },
  check: (value, name, { network }) => {
    if (classifies(network.loss)) return checkClassWeights(value, name);
    throw expected('none, as values and any number of labels have no classes,', name, value);
  },
};

/** A path that can be written to. */
export const PATH: ValueType<string | URL, string> = {
  type: 'path',
  typed: { as: 'file' },
  check: (value, name) => {
    const path: unknown = isUrl(value) ? pathOf(value) : value;
    checkPath(path, name);
    return path;
  },
};

/** The options that every solver takes, unless it says otherwise. */
export const COMMON = {
  layers: option(layers, {
    required: true,
    says: 'The widths of the layers, inputs first, for example [784, 1000, 1000, 10].',
  }),
  activation: option(ACTIVATION, { default: 'relu', says: 'f_l of the hidden layers; the last layer is linear.' }),
  loss: option(LOSS, { default: 'softmax-cross-entropy', says: 'R: what the outputs are judged by (docs/losses.md).' }),
  delta: number('positive', {
    symbol: 'δ',
    otherwise: "1 with 'huber', else none",
    says: 'Of Huber’s loss: the error from which on it grows in proportion; with standardiseTargets in deviations of the target.',
  }),
  quantile: number('fraction', {
    symbol: 'τ',
    otherwise: "0.5 with 'quantile', else none",
    says: 'Of the quantile loss: the share, above 0, of targets that is to lie below the output.',
  }),
  dtype: word(['float32', 'float64'], {
    default: 'float32',
    says: "The type of every number; 'float64' for tests against theory.",
  }),
  seed: seedOption('Of everything that is drawn at random.'),
  threads: whole(
    1,
    {
      derive: () => availableThreads(),
      otherwise: 'the processors at hand',
      says: 'How many threads work; the result is the same, bit for bit, for any number.',
    },
    MOST_THREADS,
  ),
  distributed: flag({
    default: false,
    says: 'Train on all processes that mpirun has started, each with a share of the samples (docs/distributed.md).',
  }),
  evaluateEvery: whole(1, { default: 1, says: 'Iterations between evaluations of the validation and test sets.' }),
  trainMetrics: flag({
    default: false,
    says: 'Also evaluate the network on the training set, which costs a forward pass.',
  }),
  earlyStopping: group(
    {
      patience: whole(1, {
        default: 10,
        flag: 'early-stopping',
        elsewhere: 'rounds stoppingrounds niternochange epochs',
        says: 'So many evaluations without gain end the training, and the best model is kept.',
      }),
      metric: option(METRIC, {
        default: 'loss',
        flag: 'metric',
        elsewhere: 'monitor scoring evalmetric',
        says: 'What of the validation set has to improve, and of a search what is best: any metric that the task has (docs/judging.md).',
      }),
    },
    {
      otherwise: 'none',
      says: 'Stop when the validation set no longer improves, and keep the best model.',
      help: '{ patience: 10 } ends a training after so many evaluations without gain; left out, it goes to its end (docs/judging.md)',
    },
    ({ metric }, name, { network: { loss } }) => {
      const known = metricsOfLoss(loss);
      if (!known.includes(metric)) throw expected(`${known.join(', ')}, as ${loss} has it,`, `${name}.metric`, metric);
    },
  ),
  classes: option(classes, {
    otherwise: 'as the labels have them',
    says: 'Names of the classes, kept in the model; of labels that are names, their order too.',
  }),
  classWeights: option(classWeights, {
    otherwise: 'all samples count alike',
    says: "What samples of each class count for: 'balanced' (all classes alike), or weights by the names of classes, 1 for those left out.",
  }),
  standardise: flag({
    default: false,
    otherwise: 'false; where no solver is named, unless all features lie in [0, 1], as pixels do',
    also: 'standardize',
    says: 'Learn mean and deviation of every feature, train on (x − mean) / deviation, and keep them in the model; a feature that never varies becomes 0.',
  }),
  standardiseTargets: flag({
    default: true,
    says: 'Of regression: train on (y − mean) / deviation of every target, and undo it in whatever the model answers.',
  }),
  checkpoint: group(
    {
      path: option(PATH, {
        required: true,
        flag: 'checkpoint',
        elsewhere: 'file filename filepath dir directory',
        says: 'The file that the whole training is written to as it goes, and as it stops, so that resume can go on; each checkpoint takes the place of the one before, as a whole.',
      }),
      every: whole(1, {
        default: 25,
        elsewhere: 'frequency savefreq interval period',
        says: 'Iterations between two checkpoints; one more is written as the training ends, but for a divergence or an error. A multiple of refreshEvery makes the file smaller.',
      }),
    },
    { otherwise: 'none', says: 'Write the whole training out as it goes, so that resume can go on from there.' },
  ),
  signal: signalOption(
    'Ends the training as soon as an update ends (where the last iteration is not in the checkpoint yet: as this one ends, and writes it), and keeps the model.',
  ),
  onIteration: callbackOption<(record: never) => void>(
    'function of a record',
    'Called with every record, and waited for; what it throws ends the training.',
  ),
} as const satisfies Schema;

export type CommonSchema = typeof COMMON;

/** Where and how often a training is written out as it goes. */
export type CheckpointOptions = OptionsOf<CommonSchema>['checkpoint'] & {};

/** The same, complete. */
export type CheckpointPlan = Complete<CommonSchema>['checkpoint'] & {};

/** Stops when `metric` of the validation set has not improved for `patience` evaluations, and keeps the best model. */
export type EarlyStopping = OptionsOf<CommonSchema>['earlyStopping'] & {};

/** The options that every solver takes; R is its record. */
export type CommonOptions<R> = Omit<OptionsOf<CommonSchema>, 'onIteration'> & {
  /** Called with every record, and waited for; what it throws ends the training. */
  readonly onIteration?: (record: R) => void;
};

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
  readonly classWeights?: ClassWeights;
  readonly checkpoint?: CheckpointPlan;
  /** Whether other processes learn from other samples. */
  readonly distributed: boolean;
  readonly standardise: boolean;
  /** False where there are classes. */
  readonly standardiseTargets: boolean;
  readonly signal?: AbortSignal;
  readonly onIteration?: (record: R) => void;
}
