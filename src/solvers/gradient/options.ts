import { flag, given, oneOf, whole } from '../../core/checks.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import type { EpochRecord } from '../shared/record.js';
import { checkDivides, type GradientPlan } from '../shared/splittings/gradient.js';
import { type GradientMethod, METHOD_KEYS, methodOf } from './algorithm.js';

/**
 * A training by gradients of batches: the method with its settings, beside the common options. An iteration is an epoch.
 */
export type GradientOptions = GradientMethod &
  CommonOptions<EpochRecord> & {
    /** Epochs at most. Default 10. */
    readonly epochs?: number;
    /** Samples a batch; the last of an epoch has what is left. All for `'gd'`; else 128, or all where there are fewer. */
    readonly batchSize?: number;
    /** What a batch minimises: the mean of R over its samples, or the sum. Default `'mean'`. */
    readonly reduction?: 'mean' | 'sum';
    /** A new order of the samples every epoch. Default true. */
    readonly shuffle?: boolean;
    /** Default `'he'`. */
    readonly initialisation?: Initialisation;
  };

/** The defaults of every gradient method; those of each stand with its options. */
export const GRADIENT_DEFAULTS = { epochs: 10, reduction: 'mean', shuffle: true, initialisation: 'he' } as const;

const KEYS: readonly (keyof GradientOptions)[] = ['epochs', 'batchSize', 'reduction', 'shuffle', 'initialisation'];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function gradientPlanOf(options: GradientOptions): CommonPlan<EpochRecord> & GradientPlan {
  const own = METHOD_KEYS[options.solver];
  const epochs = whole(given(options.epochs, GRADIENT_DEFAULTS.epochs), 1, 1e9, 'epochs');
  const common = commonPlanOf(options, [...KEYS, ...own], epochs);
  const method = { solver: options.solver, ...picked(options, own) } as GradientMethod;
  const { subBatches } = methodOf(method);
  const { batchSize } = options;
  if (batchSize !== undefined) checkDivides(subBatches, whole(batchSize, 1, 2 ** 31 - 1, 'batchSize'), 'subBatches');
  return {
    ...common,
    method,
    ...(batchSize !== undefined && { batchSize }),
    reduction: oneOf(given(options.reduction, GRADIENT_DEFAULTS.reduction), ['mean', 'sum'], 'reduction'),
    shuffle: flag(given(options.shuffle, GRADIENT_DEFAULTS.shuffle), 'shuffle'),
    initialisation: initialisationOf(
      given(options.initialisation, GRADIENT_DEFAULTS.initialisation),
      common.network.layers,
      common.dtype,
    ),
  };
}

const picked = (options: object, keys: readonly string[]): object =>
  Object.fromEntries(Object.entries(options).filter(([key, value]) => keys.includes(key) && value !== undefined));
