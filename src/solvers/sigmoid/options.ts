import { given } from '../../core/checks.js';
import type { Dtype } from '../../core/native.js';
import { type Initialisation, initialisationOf, SCHEMES, type Scheme } from '../../network/initialisation.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import type { ConstraintSweep } from '../shared/sweep.js';
import { sigmoidSweep } from './algorithm.js';
import {
  type ConstraintsPlan,
  checkConstraintPenalties,
  checkConstraintsNetwork,
  listConstraintUpdates,
  type SigmoidRecord,
} from './splitting.js';

/** Every knob of a sigmoid-ADMM training (Zeng et al., 2021) beside the common ones. */
export interface SigmoidOptions extends CommonOptions<SigmoidRecord> {
  readonly solver: 'sigmoid-admm';
  /** σ of the hidden layers. Default `'sigmoid'`. */
  readonly activation?: 'sigmoid' | 'tanh';
  /** `'one-hot-squared-error'` (default) for class labels, `'squared-error'` for rows of target values. */
  readonly loss?: 'one-hot-squared-error' | 'squared-error';
  /** Default `'float64'`: the Gram matrices of smooth features have condition numbers that float32 does not hold. */
  readonly dtype?: Dtype;
  /** Iterations at most. Default 200. */
  readonly iterations?: number;
  /** λ of Σ (λ/2)‖[W_i b_i]‖², or λ_1 … λ_N; biases are regularised too, as in the published code. Default 1e-6. */
  readonly lambda?: number | readonly number[];
  /** β of every constraint, or β_1 … β_N. Default 1. */
  readonly beta?: number | readonly number[];
  /**
   * The curvature of the quadratic model that stands in for ½‖σ(·) − B‖². `paper` (default): 𝓛(‖B‖_max), with which the
   * model lies above the function. `code`: ‖B‖_max, as the published code has it; for sigmoid alone.
   */
  readonly majoriser?: 'paper' | 'code';
  /** A scheme stands for itself with gain 8, which the published code has. Default `'msra'`. */
  readonly initialisation?: Scheme | Initialisation;
  /** The ordered updates of an iteration. Default: Algorithm 1 of the paper. */
  readonly sweep?: ConstraintSweep;
}

/** The paper's settings, with the gain of its published code. */
export const SIGMOID_DEFAULTS = {
  activation: 'sigmoid',
  loss: 'one-hot-squared-error',
  dtype: 'float64',
  seed: 1,
  evaluateEvery: 1,
  iterations: 200,
  lambda: 1e-6,
  beta: 1,
  majoriser: 'paper',
  initialisation: 'msra',
  gain: 8,
} as const;

const KEYS: readonly (keyof SigmoidOptions)[] = [
  'iterations',
  'lambda',
  'beta',
  'majoriser',
  'initialisation',
  'sweep',
];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function sigmoidPlanOf(options: SigmoidOptions): CommonPlan<SigmoidRecord> & ConstraintsPlan {
  const { activation, loss, dtype } = SIGMOID_DEFAULTS;
  const completed = {
    ...options,
    activation: given<unknown>(options.activation, activation) as NonNullable<SigmoidOptions['activation']>,
    loss: given(options.loss, loss),
    dtype: given(options.dtype, dtype),
  };
  const common = commonPlanOf(completed, KEYS, given(options.iterations, SIGMOID_DEFAULTS.iterations));
  const { network } = common;
  checkConstraintsNetwork(network);
  const N = network.layers.length - 1;
  const penalties = {
    l2: given(options.lambda, SIGMOID_DEFAULTS.lambda),
    beta: given(options.beta, SIGMOID_DEFAULTS.beta),
    majoriser: given(options.majoriser, SIGMOID_DEFAULTS.majoriser),
  };
  checkConstraintPenalties(penalties, network);
  return {
    ...common,
    updates: listConstraintUpdates(given(options.sweep, sigmoidSweep), N),
    penalties,
    initialisation: initialisationOf(
      startOf(given(options.initialisation, SIGMOID_DEFAULTS.initialisation)),
      network.layers,
      common.dtype,
    ),
  };
}

function startOf(how: Scheme | Initialisation): Initialisation {
  const scheme = SCHEMES.find((known) => known === how);
  return scheme === undefined ? (how as Initialisation) : { scheme, gain: SIGMOID_DEFAULTS.gain };
}
