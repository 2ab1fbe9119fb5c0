import { atLeast, checkKeys, checkObject, given, oneOf, positive, whole } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import { type GraphInitialisation, graphInitialisationOf } from '../../network/graph-initialisation.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import { checkPenalties, type Penalties, type RunningSchedule } from '../shared/penalties.js';
import { type PenaltyRule, startSchedule } from '../shared/schedule.js';
import { checkClassLoss } from '../shared/splittings/graph-gradient.js';
import type { IterationRecord } from '../shared/splittings/layered.js';
import type { GraphSweep } from '../shared/sweep.js';
import { graphSweep } from './algorithm.js';
import { type GraphPlan, type GraphRecord, listGraphUpdates } from './splitting.js';

/**
 * - `constant`: ν and ρ never change.
 * - `published`: the rule of the published code, which has one penalty for every constraint: ν and ρ grow by `factor`
 *   (10) every `every` (50) iterations, up to `cap` (1).
 * - a function of the iteration record that answers with what changes.
 */
export type GraphSchedule =
  | 'constant'
  | 'published'
  | { readonly kind: 'published'; readonly factor?: number; readonly every?: number; readonly cap?: number }
  | ((record: GraphRecord) => Partial<Penalties>);

/** The options of dlADMM on a graph convolutional network. Only `layers` must be given. */
export interface DladmmGraphOptions extends CommonOptions<GraphRecord> {
  readonly solver?: 'dladmm';
  /** Sweeps at most. Default 100. */
  readonly iterations?: number;
  /** ν, of Z_l = f(Ã Z_{l−1} W_l) in the hidden layers. Default 1. */
  readonly nu?: number;
  /** ρ, of the output constraint. Default 1; from 0.79 on the augmented Lagrangian falls in every iteration. */
  readonly rho?: number;
  /** How ν, ρ, θ0 and τ0 change. Default `'constant'`. */
  readonly schedule?: GraphSchedule;
  /** λ_l of Ω_l(W) = (λ_l/2)‖W‖², one number for all layers or one each. Default 0.1. */
  readonly l2?: number | readonly number[];
  /**
   * Where the search for the size of a step begins. `exact` (the default): W_L and Z_{L−1}, whose subproblems are quadratic,
   * take the smallest size that passes, the others begin at half of the last size that was accepted. `backtracking`: at θ0
   * and τ0, as in the published code.
   */
  readonly stepSearch?: 'backtracking' | 'exact';
  /** First θ tried. Default 0.001. */
  readonly theta0?: number;
  /** First τ tried. Default 0.001. */
  readonly tau0?: number;
  /** The growth of a search. Default 2. */
  readonly growth?: number;
  /**
   * How W_L is minimised over: `cholesky` exactly (the default with a hidden layer), or `quadratic` by a step, as in the
   * published code.
   */
  readonly outputWeights?: 'quadratic' | 'cholesky';
  readonly initialisation?: GraphInitialisation;
  /** Where U begins: −∇R(Z_L) (`stationary`, the default), or 0. */
  readonly dual?: 'stationary' | 'zero';
  /** The ordered updates of an iteration. Default: Z_L, W_L, …, Z_1, W_1, then W_1, Z_1, …, W_L, Z_L, U. */
  readonly sweep?: GraphSweep;
  /** Iterations between fresh products. Default 25; 0 for never. */
  readonly refreshEvery?: number;
}

/** The defaults of dlADMM on graphs (`npm run bench:graph`). */
export const DLADMM_GRAPH_DEFAULTS = {
  iterations: 100,
  nu: 1,
  rho: 1,
  schedule: 'constant',
  l2: 0.1,
  stepSearch: 'exact',
  theta0: 1e-3,
  tau0: 1e-3,
  growth: 2,
  initialisation: 'glorot',
  dual: 'stationary',
  refreshEvery: 25,
} as const;

const KEYS: readonly (keyof DladmmGraphOptions)[] = [
  'iterations',
  'nu',
  'rho',
  'schedule',
  'l2',
  'stepSearch',
  'theta0',
  'tau0',
  'growth',
  'outputWeights',
  'initialisation',
  'dual',
  'sweep',
  'refreshEvery',
];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function dladmmGraphPlanOf(options: DladmmGraphOptions): CommonPlan<GraphRecord> & GraphPlan {
  const defaults = DLADMM_GRAPH_DEFAULTS;
  const common = commonPlanOf(options, KEYS, given(options.iterations, defaults.iterations));
  const { network, dtype } = common;
  checkClassLoss(network.loss);
  const L = network.layers.length - 1;
  const outputWeights = oneOf(
    given(options.outputWeights, L > 1 ? 'cholesky' : 'quadratic'),
    ['quadratic', 'cholesky'],
    'outputWeights',
  );
  if (outputWeights === 'cholesky' && L === 1) {
    throw expected("'quadratic' (an exact W_L needs a hidden layer)", 'outputWeights', outputWeights);
  }
  return {
    ...common,
    updates: listGraphUpdates(given(options.sweep, graphSweep), L),
    outputWeights,
    penalties: checkPenalties({
      nu: given(options.nu, defaults.nu),
      rho: given(options.rho, defaults.rho),
      theta0: given(options.theta0, defaults.theta0),
      tau0: given(options.tau0, defaults.tau0),
    }),
    schedule: scheduleOf(given<GraphSchedule>(options.schedule, defaults.schedule), network.layers),
    settings: {
      l2: perLayer(given<number | readonly number[]>(options.l2, defaults.l2), L),
      search: oneOf(given(options.stepSearch, defaults.stepSearch), ['backtracking', 'exact'], 'stepSearch'),
      growth: atLeast(given(options.growth, defaults.growth), 1.01, 'growth'),
    },
    initialisation: graphInitialisationOf(
      given(options.initialisation, defaults.initialisation),
      network.layers,
      dtype,
    ),
    dual: oneOf(given(options.dual, defaults.dual), ['stationary', 'zero'], 'dual'),
    refreshEvery: whole(given(options.refreshEvery, defaults.refreshEvery), 0, 1e9, 'refreshEvery'),
  };
}

function perLayer(l2: unknown, L: number): readonly number[] {
  if (!Array.isArray(l2)) return new Array<number>(L).fill(atLeast(l2, 0, 'l2'));
  if (l2.length !== L) throw expected(`${L} numbers, one a layer,`, 'l2', l2, 'ERR_DLADMM_SHAPE');
  return l2.map((value, i) => atLeast(value, 0, `l2[${i}]`));
}

function scheduleOf(schedule: GraphSchedule, layers: readonly number[]): RunningSchedule<Penalties, GraphRecord> {
  if (schedule === 'constant') return { needsTrainLoss: false, next: (penalties) => penalties };
  if (typeof schedule === 'function') {
    // The rule of a perceptron's schedule reads another record; what becomes of its answer is the same.
    const rule = startSchedule(schedule as unknown as PenaltyRule, layers);
    return { ...rule, next: (penalties, record) => rule.next(penalties, record as unknown as IterationRecord) };
  }
  const published = schedule === 'published' ? { kind: 'published' as const } : schedule;
  const known = "'constant', 'published' or a function";
  checkObject(published, known, 'schedule');
  if (published.kind !== 'published') throw expected(known, 'schedule', schedule);
  checkKeys(published, ['kind', 'factor', 'every', 'cap'], 'schedule');
  const factor = positive(given(published.factor, 10), 'schedule.factor');
  const every = whole(given(published.every, 50), 1, 1e9, 'schedule.every');
  const cap = positive(given(published.cap, 1), 'schedule.cap');
  return {
    needsTrainLoss: false,
    next(penalties, { iteration }) {
      if (iteration % every !== 0) return penalties;
      const rho = Math.min(factor * penalties.rho, cap);
      return { ...penalties, nu: rho, rho };
    },
  };
}
