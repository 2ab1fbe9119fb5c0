import { fraction, given, oneOf, whole } from '../../core/checks.js';
import { type GraphInitialisation, graphInitialisationOf } from '../../network/graph-initialisation.js';
import { type GradientMethod, METHOD_KEYS } from '../gradient/algorithm.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import type { EpochRecord } from '../shared/record.js';
import { checkClassLoss, type GraphGradientPlan, graphMethodOf, l2Of } from '../shared/splittings/graph-gradient.js';

/** A gradient method but for its weight decay, which a graph network has for each layer. */
export type WithoutDecay<M> = M extends GradientMethod ? Omit<M, 'weightDecay'> : never;

/**
 * A training of a graph convolutional network by gradients: the method with its settings, beside the common options. An
 * epoch is one step that sees all nodes. The defaults are the settings of Kipf and Welling (2017).
 */
export type GraphGradientOptions = WithoutDecay<GradientMethod> &
  CommonOptions<EpochRecord> & {
    /** Epochs at most. Default 200. */
    readonly epochs?: number;
    /** The share of what goes into each layer that a step leaves out, from 0 to below 1. Default 0.5. */
    readonly dropout?: number;
    /** λ of g ← g + λ w, one number for all layers or one each. Default 5e-4 for the first layer and 0 for the others. */
    readonly weightDecay?: number | readonly number[];
    /** What a step minimises: the mean of R over the training nodes, or the sum. Default `'mean'`. */
    readonly reduction?: 'mean' | 'sum';
    /** Default `'glorot'`. */
    readonly initialisation?: GraphInitialisation;
  };

/** The defaults of every gradient method on a graph; adam's learning rate is 0.01 here. */
export const GRAPH_GRADIENT_DEFAULTS = {
  epochs: 200,
  dropout: 0.5,
  firstWeightDecay: 5e-4,
  reduction: 'mean',
  initialisation: 'glorot',
  adamLearningRate: 0.01,
} as const;

const KEYS: readonly (keyof GraphGradientOptions)[] = [
  'epochs',
  'dropout',
  'weightDecay',
  'reduction',
  'initialisation',
];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function graphGradientPlanOf(options: GraphGradientOptions): CommonPlan<EpochRecord> & GraphGradientPlan {
  const { epochs, dropout, firstWeightDecay, reduction, initialisation } = GRAPH_GRADIENT_DEFAULTS;
  const own = METHOD_KEYS[options.solver].filter((key) => key !== 'weightDecay');
  const common = commonPlanOf(options, [...KEYS, ...own], whole(given(options.epochs, epochs), 1, 1e9, 'epochs'));
  checkClassLoss(common.network.loss);
  const { layers } = common.network;
  const method = methodWithDefaults({ solver: options.solver, ...picked(options, own) } as GradientMethod);
  graphMethodOf(method);
  const decays = layers.slice(1).map((_, l) => (l === 0 ? firstWeightDecay : 0));
  return {
    ...common,
    method,
    dropout: fraction(given(options.dropout, dropout), 'dropout'),
    l2: l2Of(given(options.weightDecay, decays), layers, 'weightDecay'),
    reduction: oneOf(given(options.reduction, reduction), ['mean', 'sum'], 'reduction'),
    initialisation: graphInitialisationOf(given(options.initialisation, initialisation), layers, common.dtype),
  };
}

const methodWithDefaults = (method: GradientMethod): GradientMethod =>
  method.solver === 'adam' ? { learningRate: GRAPH_GRADIENT_DEFAULTS.adamLearningRate, ...method } : method;

const picked = (options: object, keys: readonly string[]): object =>
  Object.fromEntries(Object.entries(options).filter(([key, value]) => keys.includes(key) && value !== undefined));
