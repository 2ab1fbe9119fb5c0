import { atLeast, flag, given, oneOf, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import type { LearningRate } from '../gradient/algorithm.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import type { EpochRecord } from '../shared/record.js';
import {
  checkMinibatchMethod,
  defaultStep,
  MINIBATCH_DEFAULTS,
  MINIBATCH_METHOD_KEYS,
  type MinibatchMethod,
  type MinibatchPlan,
} from './splitting.js';

/** Mini-batch dlADMM: its settings beside the common options. An iteration is an epoch. */
export type MinibatchOptions = MinibatchMethod &
  CommonOptions<EpochRecord> & {
    readonly solver: 'minibatch-admm';
    /** Epochs at most. Default 10. */
    readonly epochs?: number;
    /**
     * η: a number, which falls by `decay`, or a function that gives one for each batch, called in order before its epoch
     * begins. Default 0.4, for squared errors 0.2.
     */
    readonly step?: LearningRate;
    /** How a number falls: `'cosine'`, along half a wave to 0 over `epochs`, or `'constant'`. Default `'cosine'`. */
    readonly decay?: 'cosine' | 'constant';
    /**
     * Samples a batch; the last of an epoch has what is left. Default: a hundredth of the samples, as a power of 2 from 64
     * to 512 (512 for 60,000 samples).
     */
    readonly batchSize?: number;
    /** A new order of the samples every epoch. Default true. */
    readonly shuffle?: boolean;
    /** Default `'he'`. */
    readonly initialisation?: Initialisation;
  };

const KEYS: readonly (keyof MinibatchOptions)[] = [
  ...MINIBATCH_METHOD_KEYS,
  'epochs',
  'step',
  'decay',
  'batchSize',
  'shuffle',
  'initialisation',
];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function minibatchPlanOf(options: MinibatchOptions): CommonPlan<EpochRecord> & MinibatchPlan {
  const epochs = whole(given(options.epochs, MINIBATCH_DEFAULTS.epochs), 1, 1e9, 'epochs');
  const common = commonPlanOf(options, KEYS, epochs);
  const { layers } = common.network;
  checkMinibatchMethod(options, layers.length - 1);
  const { batchSize } = options;
  if (batchSize !== undefined) whole(batchSize, 1, 2 ** 31 - 1, 'batchSize');
  const step = given(options.step, defaultStep(common.network.loss));
  if (typeof step !== 'function') atLeast(step, 0, 'step');
  const decay = oneOf(given(options.decay, MINIBATCH_DEFAULTS.decay), ['cosine', 'constant'], 'decay');
  if (typeof step === 'function' && options.decay !== undefined) {
    throw expected('a number for step, as a function falls by itself,', 'decay', decay);
  }
  return {
    ...common,
    method: Object.fromEntries(
      MINIBATCH_METHOD_KEYS.filter((key) => options[key] !== undefined).map((key) => [key, options[key]]),
    ),
    stepFor: (batchesPerEpoch) =>
      typeof step === 'number' && decay === 'cosine' ? cosine(step, epochs * batchesPerEpoch) : step,
    ...(batchSize !== undefined && { batchSize }),
    shuffle: flag(given(options.shuffle, MINIBATCH_DEFAULTS.shuffle), 'shuffle'),
    initialisation: initialisationOf(
      given(options.initialisation, MINIBATCH_DEFAULTS.initialisation),
      layers,
      common.dtype,
    ),
  };
}

/** From `first` along half a wave to 0, over so many batches. */
const cosine =
  (first: number, batches: number): LearningRate =>
  ({ step }) =>
    (first / 2) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / batches)));
