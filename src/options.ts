import { availableParallelism } from 'node:os';
import { atLeast, checkKeys, checkObject, flag, given, oneOf, whole } from './checks.js';
import { expected } from './errors.js';
import { type Initialisation, initialisationOf } from './initialisation.js';
import type { StartOptions } from './layered-state.js';
import type { Dtype } from './native.js';
import {
  type Activation,
  checkActivation,
  checkClasses,
  checkLayers,
  checkLoss,
  type Loss,
  type Network,
} from './network.js';
import type { IterationRecord } from './record.js';
import { checkPenalties, type Penalties, type RunningSchedule, type Schedule, startSchedule } from './schedule.js';
import { dladmmSweep } from './solvers/dladmm.js';
import { listUpdates, type Sweep, type Update } from './sweep.js';

/** How z_L is minimised. `fista` is the official code's solver and returns its extrapolated point. */
export type OutputSolver =
  | { readonly solver: 'exact' }
  | { readonly solver: 'fista'; readonly step?: number; readonly tolerance?: number; readonly limit?: number };

/** Stops when `metric` of the validation set has not improved for `patience` evaluations, and keeps the best model. */
export interface EarlyStopping {
  readonly patience: number;
  /** Default: `accuracy` for classification, `loss` for regression. */
  readonly metric?: 'accuracy' | 'loss';
}

/** Every knob of a dlADMM training. Only `layers` must be given. */
export interface DladmmOptions {
  /** n_0 … n_L, for example [784, 1000, 1000, 10]. */
  readonly layers: readonly number[];
  /** f_l of the hidden layers. Default `'relu'`. */
  readonly activation?: Activation;
  /** R. Default `'softmax-cross-entropy'`. */
  readonly loss?: Loss;
  /** The type of everything. Default `'float32'`; `'float64'` for tests against theory. */
  readonly dtype?: Dtype;
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
  /** Of the initialisation. Default 1. */
  readonly seed?: number;
  /** Threads of the team; results are the same, bit for bit, for the same number. Default: the processors at hand. */
  readonly threads?: number;
  /** The ordered updates of an iteration. Default: Algorithm 1 of the paper. */
  readonly sweep?: Sweep;
  /** Iterations between fresh products P_l. Default 25; 0 for never. */
  readonly refreshEvery?: number;
  /** Iterations between evaluations of the validation and test sets. Default 1. */
  readonly evaluateEvery?: number;
  /** Also evaluate the network on the training set (a forward pass over it). Default false. */
  readonly trainMetrics?: boolean;
  readonly earlyStopping?: EarlyStopping;
  /** Names of the classes, kept in the model. */
  readonly classes?: readonly string[];
  /** Ends the training between two updates and keeps the model as it stands. */
  readonly signal?: AbortSignal;
  /** Called with every iteration record; what it throws ends the training. */
  readonly onIteration?: (record: IterationRecord) => void;
}

/** The defaults that the accuracy study chose (`npm run bench:accuracy`). */
export const DEFAULTS = {
  activation: 'relu',
  loss: 'softmax-cross-entropy',
  dtype: 'float32',
  iterations: 200,
  nu: 1e-6,
  rho: 1e-6,
  schedule: 'constant',
  stepSearch: 'backtracking',
  // κ grows with the number of samples, and so does the default θ0: 1 at the paper's 60,000.
  theta0PerSample: 1.6666666666666667e-5,
  tau0: 1,
  growth: 2,
  initialisation: { gaussian: 0.1 },
  start: { output: 'forward', dual: 'zero' },
  seed: 1,
  refreshEvery: 25,
  evaluateEvery: 1,
} as const;

/** Options checked and completed. */
export interface Plan {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  readonly iterations: number;
  /** Without θ0 where it is to follow the number of samples. */
  readonly penalties: Omit<Penalties, 'theta0'> & { readonly theta0?: number };
  readonly schedule: RunningSchedule;
  readonly l2: number;
  readonly stepSearch: 'backtracking' | 'exact';
  readonly growth: number;
  readonly outputSolver: Required<OutputSolver>;
  readonly softmax: 'stable' | 'reference';
  readonly initialisation: Initialisation;
  readonly start: StartOptions;
  readonly seed: number;
  readonly updates: readonly Update[];
  readonly refreshEvery: number;
  readonly evaluateEvery: number;
  readonly trainMetrics: boolean;
  readonly earlyStopping?: Required<EarlyStopping>;
  readonly classes?: readonly string[];
  readonly signal?: AbortSignal;
  readonly onIteration?: (record: IterationRecord) => void;
}

const KNOWN: readonly (keyof DladmmOptions)[] = [
  'layers',
  'activation',
  'loss',
  'dtype',
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
  'seed',
  'threads',
  'sweep',
  'refreshEvery',
  'evaluateEvery',
  'trainMetrics',
  'earlyStopping',
  'classes',
  'signal',
  'onIteration',
]; // prettier-ignore

/**
 * Checks every option once, before native code sees any.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE
 */
export function planOf(options: DladmmOptions): Plan {
  checkObject(options, 'an object', 'options');
  checkKeys(options, KNOWN, 'options');
  const { layers, activation = DEFAULTS.activation, loss = DEFAULTS.loss } = options;
  checkLayers(layers);
  checkActivation(activation);
  checkLoss(loss);
  const dtype = oneOf(given(options.dtype, DEFAULTS.dtype), ['float32', 'float64'], 'dtype');
  const L = layers.length - 1;
  const { signal, onIteration, classes } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw expected('an AbortSignal', 'signal', signal);
  if (onIteration !== undefined && typeof onIteration !== 'function')
    throw expected('a function', 'onIteration', onIteration);
  checkClasses(classes, layers[L] ?? 0);
  const earlyStopping = earlyStoppingOf(options.earlyStopping, loss);
  return {
    network: { layers: [...layers], activation, loss },
    dtype,
    threads: whole(given(options.threads, Math.min(availableParallelism(), 64)), 1, 64, 'threads'),
    iterations: whole(given(options.iterations, DEFAULTS.iterations), 1, 1e9, 'iterations'),
    penalties: penaltiesOf(options),
    schedule: startSchedule(given(options.schedule, DEFAULTS.schedule), layers),
    l2: atLeast(given(options.l2, 0), 0, 'l2'),
    stepSearch: oneOf(given(options.stepSearch, DEFAULTS.stepSearch), ['backtracking', 'exact'], 'stepSearch'),
    growth: atLeast(given(options.growth, DEFAULTS.growth), 1.01, 'growth'),
    outputSolver: outputSolverOf(options.outputSolver),
    softmax: oneOf(given(options.softmax, 'stable'), ['stable', 'reference'], 'softmax'),
    initialisation: initialisationOf(given(options.initialisation, DEFAULTS.initialisation), layers, dtype),
    start: startOf(options.start, loss),
    seed: whole(given(options.seed, DEFAULTS.seed), 0, 2 ** 32 - 1, 'seed'),
    updates: listUpdates(given(options.sweep, dladmmSweep), L),
    refreshEvery: whole(given(options.refreshEvery, DEFAULTS.refreshEvery), 0, 1e9, 'refreshEvery'),
    evaluateEvery: whole(given(options.evaluateEvery, DEFAULTS.evaluateEvery), 1, 1e9, 'evaluateEvery'),
    trainMetrics: flag(given(options.trainMetrics, false), 'trainMetrics'),
    ...(earlyStopping && { earlyStopping }),
    ...(classes && { classes }),
    ...(signal && { signal }),
    ...(onIteration && { onIteration }),
  };
}

function penaltiesOf({ nu, rho, theta0, tau0 }: DladmmOptions): Plan['penalties'] {
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

function startOf(start: Partial<StartOptions> = {}, loss: Loss): StartOptions {
  checkObject(start, '{ output, dual }', 'start');
  checkKeys(start, ['output', 'dual'], 'start');
  const output = oneOf(given(start.output, DEFAULTS.start.output), ['forward', 'signed-labels'], 'start.output');
  const dual = oneOf(given(start.dual, DEFAULTS.start.dual), ['stationary', 'zero'], 'start.dual');
  if (output === 'signed-labels' && loss !== 'softmax-cross-entropy') {
    throw expected("'forward' (signed labels need classes)", 'start.output', output);
  }
  return { output, dual };
}

function earlyStoppingOf(early: EarlyStopping | undefined, loss: Loss): Required<EarlyStopping> | undefined {
  if (early === undefined) return undefined;
  checkObject(early, '{ patience }', 'earlyStopping');
  checkKeys(early, ['patience', 'metric'], 'earlyStopping');
  const classification = loss === 'softmax-cross-entropy';
  const metric = oneOf(
    given(early.metric, classification ? 'accuracy' : 'loss'),
    ['accuracy', 'loss'],
    'earlyStopping.metric',
  );
  if (metric === 'accuracy' && !classification) throw expected("'loss' for regression", 'earlyStopping.metric', metric);
  return { metric, patience: whole(early.patience, 1, 1e9, 'earlyStopping.patience') };
}
