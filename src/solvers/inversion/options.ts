import { atLeast, checkKeys, checkObject, given, whole } from '../../core/checks.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import { classifies, type Loss } from '../../network/network.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import {
  checkStart,
  type IterationRecord,
  type LayeredPlan,
  listLayeredUpdates,
  type StartOptions,
} from '../shared/splittings/layered.js';
import { type StepChoices, stepChoicesOf } from '../shared/step.js';
import type { Sweep } from '../shared/sweep.js';
import { firstWeights, inversionSweep, warmStartSweep } from './algorithm.js';

/** Every knob of an inversion-ADMM training (Taylor et al., 2016) beside the common ones. */
export interface InversionOptions extends CommonOptions<IterationRecord> {
  readonly solver: 'inversion-admm';
  /** Iterations at most, warm start included. Default 100. */
  readonly iterations?: number;
  /** β of every ‖z_l − W_l a_{l−1} − b_l‖². Default 1. */
  readonly beta?: number;
  /** γ of every ‖a_l − h(z_l)‖². Default 1 (the paper: 10). */
  readonly gamma?: number;
  /** Iterations without an update of the multiplier λ. Default 5. */
  readonly warmStart?: number;
  /** How every W_l and a_l is minimised over. Default `cholesky` for both. */
  readonly step?: StepChoices;
  /**
   * Where z and a begin. Default: a forward pass, with z_L = +1 at the label and −1 elsewhere (for regression, with the
   * network's own output). The paper: `gaussian` for both, which learns far less in as many iterations.
   */
  readonly start?: Partial<Omit<StartOptions, 'dual'>>;
  /** The parameters of the forward pass that z and a may begin with; W is computed from z and a before it is used. */
  readonly initialisation?: Initialisation;
  /** The ordered updates of an iteration after the warm start, which leaves out u. */
  readonly sweep?: Sweep;
}

/** The paper's β and warm start, with the γ and the start that did best on MNIST (`npm run bench:compare`). */
export const INVERSION_DEFAULTS = {
  activation: 'relu',
  loss: 'softmax-cross-entropy',
  dtype: 'float32',
  seed: 1,
  evaluateEvery: 1,
  iterations: 100,
  beta: 1,
  gamma: 1,
  warmStart: 5,
  step: { W: 'cholesky', a: 'cholesky' },
  start: { output: 'signed-labels', hidden: 'forward' },
  initialisation: 'he',
} as const;

const KEYS: readonly (keyof InversionOptions)[] = [
  'iterations',
  'beta',
  'gamma',
  'warmStart',
  'step',
  'start',
  'initialisation',
  'sweep',
];

const defaultStart = (loss: Loss) =>
  classifies(loss) ? INVERSION_DEFAULTS.start : ({ output: 'forward', hidden: 'forward' } as const);

const POSITIVE = Number.MIN_VALUE;

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function inversionPlanOf(options: InversionOptions): CommonPlan<IterationRecord> & LayeredPlan {
  const common = commonPlanOf(options, KEYS, given(options.iterations, INVERSION_DEFAULTS.iterations));
  const { network, dtype } = common;
  const L = network.layers.length - 1;
  const beta = atLeast(given(options.beta, INVERSION_DEFAULTS.beta), POSITIVE, 'beta');
  const warmStart = whole(given(options.warmStart, INVERSION_DEFAULTS.warmStart), 0, 1e9, 'warmStart');
  const step = given(options.step, INVERSION_DEFAULTS.step);
  checkObject(step, '{ W, a }', 'step');
  checkKeys(step, ['W', 'a'], 'step');
  const start = given(options.start, {});
  checkObject(start, '{ output, hidden }', 'start');
  checkKeys(start, ['output', 'hidden'], 'start');
  const updates = listLayeredUpdates(given(options.sweep, inversionSweep), L);
  const warmUpdates =
    options.sweep === undefined ? listLayeredUpdates(warmStartSweep, L) : updates.filter(({ block }) => block !== 'u');
  return {
    ...common,
    softmax: 'stable',
    firstUpdates: listLayeredUpdates(firstWeights, L),
    updatesOf: (iteration) => (iteration <= warmStart ? warmUpdates : updates),
    steps: stepChoicesOf(step, INVERSION_DEFAULTS.step, L),
    multiplier: 'output',
    bias: 'joint',
    penaltiesFor: (samples) => ({ nu: beta, rho: beta, theta0: samples * 1e-12, tau0: 1e-12 }),
    gamma: atLeast(given(options.gamma, INVERSION_DEFAULTS.gamma), POSITIVE, 'gamma'),
    schedule: { needsTrainLoss: false, next: (penalties) => penalties },
    settings: {
      l2: 0,
      search: 'exact',
      growth: 2,
      output: 'exact',
      fistaStep: 4,
      fistaTolerance: 1e-3,
      fistaLimit: 500,
    },
    initialisation: initialisationOf(
      given(options.initialisation, INVERSION_DEFAULTS.initialisation),
      network.layers,
      dtype,
    ),
    start: checkStart({ ...defaultStart(network.loss), ...start, dual: 'zero' }, network.loss),
    // Every update writes its products afresh.
    refreshEvery: 0,
  };
}
