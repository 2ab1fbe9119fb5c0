import { atLeast, checkKeys, checkObject, given, oneOf, whole } from '../../core/checks.js';
import { type Initialisation, initialisationOf } from '../../network/initialisation.js';
import { type CommonOptions, type CommonPlan, commonPlanOf } from '../shared/options.js';
import { checkPenalties, type Penalties } from '../shared/penalties.js';
import { type Schedule, startSchedule } from '../shared/schedule.js';
import {
  checkStart,
  type IterationRecord,
  type LayeredPlan,
  listLayeredUpdates,
  type StartOptions,
} from '../shared/splittings/layered.js';
import { type StepChoices, stepChoicesOf } from '../shared/step.js';
import type { Sweep } from '../shared/sweep.js';
import { dladmmSweep } from './algorithm.js';

/** How z_L is minimised. `fista` is the official code's solver and returns its extrapolated point. */
export type OutputSolver =
  | { readonly solver: 'exact' }
  | { readonly solver: 'fista'; readonly step?: number; readonly tolerance?: number; readonly limit?: number };

/** Every knob of a dlADMM training beside the common ones. */
export interface DladmmOptions extends CommonOptions<IterationRecord> {
  readonly solver?: 'dladmm';
  /** Sweeps at most. Default 200. */
  readonly iterations?: number;
  /** ν at the start. Default {@link DEFAULTS}.nu. */
  readonly nu?: number;
  /** ρ at the start. Default {@link DEFAULTS}.rho. */
  readonly rho?: number;
  /** How ν, ρ, θ0, τ0 change. Default {@link DEFAULTS}.schedule. */
  readonly schedule?: Schedule;
  /** λ of Ω_l(W) = (λ/2)‖W‖². Default 0. */
  readonly l2?: number;
  /** `backtracking`: θ0, θ0 γ, θ0 γ², … until φ(new) ≤ model (Algorithms 2 to 5). `exact`: the smallest that passes. */
  readonly stepSearch?: 'backtracking' | 'exact';
  /** First θ tried. Default: the number of samples over 60,000. */
  readonly theta0?: number;
  /** First τ tried. */
  readonly tau0?: number;
  /** γ and η, the growth of a search. Default 2. */
  readonly growth?: number;
  /** Default `{ solver: 'exact' }`. */
  readonly outputSolver?: OutputSolver;
  /** `reference`: the official code's softmax (no maximum subtracted, 1e-10 in the denominator). Default `'stable'`. */
  readonly softmax?: 'stable' | 'reference';
  readonly initialisation?: Initialisation;
  /** Where z_L and u begin. Default `{ output: 'forward', dual: 'zero' }`. */
  readonly start?: Partial<StartOptions>;
  /** The ordered updates of an iteration. Default: Algorithm 1 of the paper. */
  readonly sweep?: Sweep;
  /** How every W_l and a_l is minimised over. Default: quadratic steps, as in the paper. */
  readonly step?: StepChoices;
  /** Iterations between fresh products P_l. Default 25; 0 for never. */
  readonly refreshEvery?: number;
}

/** The defaults that the accuracy study chose (`npm run bench:accuracy`). */
export const DEFAULTS = {
  activation: 'relu',
  loss: 'softmax-cross-entropy',
  dtype: 'float32',
  seed: 1,
  evaluateEvery: 1,
  iterations: 200,
  nu: 1e-6,
  rho: 1e-6,
  schedule: 'constant',
  stepSearch: 'backtracking',
  // κ grows with the number of samples, and so does the default θ0: 1 at the paper's 60,000.
  theta0PerSample: 1.6666666666666667e-5,
  tau0: 1,
  growth: 2,
  step: { W: 'quadratic', a: 'quadratic' },
  initialisation: { gaussian: 0.1 },
  start: { output: 'forward', dual: 'zero' },
  refreshEvery: 25,
} as const;

const KEYS: readonly (keyof DladmmOptions)[] = [
  'iterations',
  'nu',
  'rho',
  'schedule',
  'l2',
  'stepSearch',
  'theta0',
  'tau0',
  'growth',
  'outputSolver',
  'softmax',
  'initialisation',
  'start',
  'sweep',
  'step',
  'refreshEvery',
];

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function dladmmPlanOf(options: DladmmOptions): CommonPlan<IterationRecord> & LayeredPlan {
  const common = commonPlanOf(options, KEYS, given(options.iterations, DEFAULTS.iterations));
  const { network, dtype } = common;
  const L = network.layers.length - 1;
  const penalties = penaltiesOf(options);
  const outputSolver = outputSolverOf(options.outputSolver);
  const fista = outputSolver.solver === 'fista' ? outputSolver : { step: 4, tolerance: 1e-3, limit: 500 };
  const schedule = startSchedule(given(options.schedule, DEFAULTS.schedule), network.layers);
  const step = given(options.step, DEFAULTS.step);
  checkObject(step, '{ W, a }', 'step');
  checkKeys(step, ['W', 'a'], 'step');
  const updates = listLayeredUpdates(given(options.sweep, dladmmSweep), L);
  return {
    ...common,
    trainMetrics: common.trainMetrics,
    softmax: oneOf(given(options.softmax, 'stable'), ['stable', 'reference'], 'softmax'),
    firstUpdates: [],
    updatesOf: () => updates,
    steps: stepChoicesOf(step, DEFAULTS.step, L),
    multiplier: 'residual',
    bias: 'separate',
    // κ grows with the number of samples, and so does the θ0 that nobody gave.
    penaltiesFor: (samples) => ({ ...penalties, theta0: penalties.theta0 ?? samples * DEFAULTS.theta0PerSample }),
    schedule,
    settings: {
      l2: atLeast(given(options.l2, 0), 0, 'l2'),
      search: oneOf(given(options.stepSearch, DEFAULTS.stepSearch), ['backtracking', 'exact'], 'stepSearch'),
      growth: atLeast(given(options.growth, DEFAULTS.growth), 1.01, 'growth'),
      output: outputSolver.solver,
      fistaStep: fista.step,
      fistaTolerance: fista.tolerance,
      fistaLimit: fista.limit,
    },
    initialisation: initialisationOf(given(options.initialisation, DEFAULTS.initialisation), network.layers, dtype),
    start: startOf(options.start, network.loss),
    refreshEvery: whole(given(options.refreshEvery, DEFAULTS.refreshEvery), 0, 1e9, 'refreshEvery'),
  };
}

/** Without θ0 where it is to follow the number of samples. */
function penaltiesOf({
  nu,
  rho,
  theta0,
  tau0,
}: DladmmOptions): Omit<Penalties, 'theta0'> & { readonly theta0?: number } {
  const { theta0: first, ...penalties } = checkPenalties({
    nu: given(nu, DEFAULTS.nu),
    rho: given(rho, DEFAULTS.rho),
    theta0: given(theta0, 1),
    tau0: given(tau0, DEFAULTS.tau0),
  });
  return theta0 === undefined ? penalties : { ...penalties, theta0: first };
}

function outputSolverOf(solver: OutputSolver = { solver: 'exact' }): Required<OutputSolver> {
  checkObject(solver, "{ solver: 'exact' | 'fista' }", 'outputSolver');
  const kind = oneOf(solver.solver, ['exact', 'fista'], 'outputSolver.solver');
  checkKeys(solver, kind === 'exact' ? ['solver'] : ['solver', 'step', 'tolerance', 'limit'], 'outputSolver');
  if (kind === 'exact') return { solver: 'exact' };
  const { step = 4, tolerance = 1e-3, limit = 500 } = solver as Extract<OutputSolver, { solver: 'fista' }>;
  return {
    solver: 'fista',
    step: atLeast(step, Number.MIN_VALUE, 'outputSolver.step'),
    tolerance: atLeast(tolerance, 0, 'outputSolver.tolerance'),
    limit: whole(limit, 0, 1e6, 'outputSolver.limit'),
  };
}

function startOf(
  start: Partial<StartOptions> = {},
  loss: CommonPlan<IterationRecord>['network']['loss'],
): StartOptions {
  checkObject(start, '{ output, dual, hidden }', 'start');
  checkKeys(start, ['output', 'dual', 'hidden'], 'start');
  return checkStart({ ...DEFAULTS.start, ...start }, loss);
}
