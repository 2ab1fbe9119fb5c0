import { atLeast, checkFunction, checkKeys, checkObject, flag, oneOf, positive, whole } from '../../../core/checks.js';
import { expected } from '../../../core/errors.js';
import { type NativeMeasures, type NativePenalties, native } from '../../../core/native.js';
import { type Present, present } from '../../../core/objects.js';
import type { Initialisation } from '../../../network/initialisation.js';
import { classifies, type Loss } from '../../../network/network.js';
import type { LabelledSamples } from '../../../samples/samples.js';
import { StoredSet } from '../../../samples/stored.js';
import { rowSource } from '../../../tensor/inputs.js';
import { sweepCourse, type UpdateChanges } from '../course.js';
import { checkPenalties, type Penalties, type RunningSchedule } from '../penalties.js';
import { samples } from '../problem.js';
import type { ProgressRecord, SweepMeasures, WeightMeasures } from '../record.js';
import { CONSTANT } from '../schedule.js';
import { openNative, type SessionOptions } from '../session.js';
import { SHARED_SAMPLES, type Splitting } from '../splitting.js';
import { checkStepKinds, decideSteps, type StepChoice, type StepKind, type StepKinds } from '../step.js';
import { type Block, type Blocks, biases, bySample, listUpdates, type Sweep, type Update, weights } from '../sweep.js';
import { SweepSession, type SweepTypes } from '../sweep-session.js';

/** What a session of the layered splitting is made of. */
export interface LayeredSessionOptions extends SessionOptions {
  readonly softmax: 'stable' | 'reference';
  /** Keep XᵀX, which spares two of four products where a sweep updates W_1 twice in a row. */
  readonly gram: boolean;
  /** Make room for the FISTA solver of z_L. */
  readonly fista: boolean;
  /** Make room for proximal steps of W, which `regularisers` need, or for those of singular values too. Default false. */
  readonly proximal?: boolean | 'spectral';
  /** The kind of step of every block. Default: all quadratic. */
  readonly steps?: StepKinds;
  /** `residual`: u multiplies z_L − W_L a_{L−1} − b_L (dlADMM, the default); `output`: z_L (Taylor et al.). */
  readonly multiplier?: 'residual' | 'output';
  /** `joint`: b_l is renewed together with W_l, as a column of it. Default `separate`: a block of its own. */
  readonly bias?: 'separate' | 'joint';
}

/**
 * The penalties of a run, and how its quadratic steps and its z_L are found.
 *
 * @interface
 */
export type SweepPenalties = Omit<NativePenalties, 'gamma'> & {
  /** γ, of ‖a_l − f(z_l)‖². Default ν. */
  readonly gamma?: number;
};

/** Where z, a and u begin. */
export interface StartOptions {
  /** z_L. `forward`: the network's own output. `signed-labels`: +1 at the label, −1 elsewhere. `gaussian`: N(0, 1). */
  readonly output: 'forward' | 'signed-labels' | 'gaussian';
  /** z_l and a_l of the hidden layers: the forward pass (default), or independent N(0, 1). */
  readonly hidden?: 'forward' | 'gaussian';
  /** `stationary`: u = −∇R(z_L), for which L_ρ descends from the first sweep on. `zero`: the official code. */
  readonly dual: 'stationary' | 'zero';
}

/** What one update did. Fields that do not apply to its block are absent. */
export interface UpdateRecord extends Update, UpdateChanges {
  /** The accepted θ (W) or τ (a). */
  readonly size?: number;
  /** κ, the smallest size that passes the acceptance test φ(new) ≤ model (W, a). */
  readonly kappa?: number;
  /** ‖Δ‖², the squared length of the step (W, a). */
  readonly stepNorm?: number;
  /** z_L: Newton steps (the most that any sample took), or FISTA steps. */
  readonly steps?: number;
  /** z_L: the largest |∇R(z) + u + ρ(z − m)| of any entry as the solver ended, in float64. */
  readonly stationarity?: number;
  /** Inversion steps: ε, what was added to the diagonal so that the matrix could be factored. */
  readonly ridge?: number;
  /** Pseudo-inverse: how many eigenvalues were kept. */
  readonly rank?: number;
  /** Inversion steps: seconds in forming, factoring and applying the inverse, products over the samples left out. */
  readonly factorSeconds?: number;
  /** Wall-clock seconds. An update that rode on the next one's pass over the samples reports 0. */
  readonly seconds: number;
}

/** Where the split variables stand. Norms are squared and summed over the samples. */
export interface Measures extends SweepMeasures, Pick<Partial<WeightMeasures>, 'zeros'> {
  /** ‖z_l − W_l a_{l−1} − b_l‖² for l = 1 … L. */
  readonly residuals: readonly number[];
  /** ‖a_l − f_l(z_l)‖² for l = 1 … L − 1. */
  readonly activationResiduals: readonly number[];
  /** ‖u‖². */
  readonly dualNorm: number;
  /** ⟨u, r_L⟩. */
  readonly dualProduct: number;
  /** The largest |∇R(z_L) + u| of any entry: zero after an exact z_L and the dual step (Lemma B.2). */
  readonly dualIdentity: number;
}

/** What one sweep did. */
export interface IterationRecord extends Measures, ProgressRecord {
  /** The penalties that this iteration used. */
  readonly penalties: Penalties;
  readonly updates: readonly UpdateRecord[];
}

export interface LayeredTypes extends SweepTypes {
  readonly options: LayeredSessionOptions;
  readonly block: Block;
  readonly set: LabelledSamples;
  readonly start: StartOptions & { readonly seed?: number };
  readonly penalties: SweepPenalties;
  readonly update: UpdateRecord;
  readonly measures: Measures;
}

/**
 * The variables of the layered splitting: W_l n_l × n_{l−1}, b_l a row of n_l, z_l and a_l samples × n_l, u samples × n_L. Start
 * by a forward pass from the present W and b (or at random, by `seed`), then run updates in any order.
 */
export type LayeredSession = SweepSession<LayeredTypes>;

/** What a solver of the layered splitting is: sweeps, kinds of step, penalties and their schedule, a start. */
export interface LayeredPlan {
  readonly softmax: 'stable' | 'reference';
  /** Updates that run once, before the first iteration. */
  readonly firstUpdates: readonly Update[];
  /**
   * The sweep of iteration 1, 2, …, asked for as it comes; that of the first also as a training that goes on opens. What it throws
   * ends the training.
   */
  readonly updatesOf: (iteration: number) => readonly Update[];
  readonly steps: { readonly W: readonly StepChoice[]; readonly a: readonly StepChoice[] };
  readonly multiplier: 'residual' | 'output';
  readonly bias: 'separate' | 'joint';
  /** The penalties of the first iteration. */
  readonly penaltiesFor: (samples: number) => Penalties;
  readonly schedule: RunningSchedule<Penalties, IterationRecord>;
  /** The rest of what native updates need. */
  readonly settings: Omit<SweepPenalties, keyof Penalties | 'gamma'>;
  /** γ, of ‖a_l − f(z_l)‖²; ν where it is left out. */
  readonly gamma?: number;
  readonly initialisation: Initialisation;
  readonly start: StartOptions;
  /** Iterations between fresh products; 0 for never. */
  readonly refreshEvery: number;
}

/** Every subproblem exactly, without weight decay. */
export const EXACT: LayeredPlan['settings'] = {
  l2: 0,
  search: 'exact',
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
};

/** A plan of the layered splitting; what is left out is as dlADMM has it, with the smallest steps that pass. */
export const layeredPlan = (
  parts: Pick<LayeredPlan, 'updatesOf' | 'penaltiesFor' | 'initialisation' | 'steps'> & Partial<LayeredPlan>,
): LayeredPlan => ({
  softmax: 'stable',
  firstUpdates: [],
  multiplier: 'residual',
  bias: 'separate',
  schedule: CONSTANT,
  settings: EXACT,
  start: { output: 'forward', hidden: 'forward', dual: 'zero' },
  refreshEvery: 25,
  ...checkedParts(parts),
});

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
function checkedParts<P extends Partial<LayeredPlan>>(parts: P): Present<P> {
  checkObject(parts, 'an object', 'parts');
  const { updatesOf, penaltiesFor, steps, settings = EXACT, schedule = CONSTANT, refreshEvery = 0 } = parts;
  for (const [name, part] of Object.entries({ steps, settings, schedule }))
    checkObject(part, 'an object', `parts.${name}`);
  for (const [name, part] of Object.entries({ updatesOf, penaltiesFor, 'schedule.next': schedule.next })) {
    checkFunction(part, `parts.${name}`);
  }
  for (const block of ['W', 'a'] as const) {
    if (!Array.isArray(steps?.[block]))
      throw expected('an array, one a layer,', `parts.steps.${block}`, steps?.[block]);
  }
  whole(refreshEvery, 0, 1e9, 'parts.refreshEvery');
  return present(parts);
}

const BLOCKS: Blocks<Block> = {
  W: { number: 0, shape: weights },
  b: { number: 1, shape: biases },
  z: { number: 2, shape: bySample },
  a: { number: 3, shape: bySample, layers: 'hidden' },
  u: { number: 4, shape: bySample, layers: 'last' },
};

/** The number of a block on the way to the addon. */
export const numberOf = (block: Block): number => BLOCKS[block].number;

/** The updates of a sweep, checked. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export const listLayeredUpdates = (sweep: Sweep, L: number): readonly Update[] => listUpdates(BLOCKS, sweep, L);

const STARTS = {
  output: ['forward', 'signed-labels', 'gaussian'],
  hidden: ['forward', 'gaussian'],
  dual: ['stationary', 'zero'],
} as const;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function checkStart(start: StartOptions, loss: Loss): Required<StartOptions> {
  checkObject(start, '{ output, dual }', 'start');
  const output = oneOf(start.output, STARTS.output, 'start.output');
  const hidden = oneOf(start.hidden ?? 'forward', STARTS.hidden, 'start.hidden');
  const dual = oneOf(start.dual, STARTS.dual, 'start.dual');
  if (output === 'signed-labels' && !classifies(loss)) {
    throw expected("'forward' or 'gaussian' (signed labels need classes)", 'start.output', output);
  }
  return { output, hidden, dual };
}

const PENALTY_KEYS: readonly (keyof SweepPenalties)[] = [
  ...(['nu', 'rho', 'gamma', 'theta0', 'tau0', 'l2', 'search', 'growth', 'regularisers'] as const),
  ...(['output', 'fistaStep', 'fistaTolerance', 'fistaLimit'] as const),
];

function check({ network, softmax, gram, fista, proximal, steps, multiplier, bias }: LayeredSessionOptions): void {
  oneOf(softmax, ['stable', 'reference'], 'options.softmax');
  flag(gram, 'options.gram');
  flag(fista, 'options.fista');
  if (proximal !== 'spectral') flag(proximal ?? false, 'options.proximal');
  if (steps !== undefined) {
    checkObject(steps, '{ W, a }', 'options.steps');
    checkStepKinds(steps, network.layers.length - 1, 'options.steps');
  }
  oneOf(multiplier ?? 'residual', ['residual', 'output'], 'options.multiplier');
  oneOf(bias ?? 'separate', ['separate', 'joint'], 'options.bias');
}

function setup({ network, softmax, gram, fista, proximal, steps, multiplier, bias }: LayeredSessionOptions) {
  const L = network.layers.length - 1;
  return {
    softmax,
    gram,
    fista,
    proximal: Boolean(proximal),
    spectral: proximal === 'spectral',
    stepsW: steps?.W ?? new Array<StepKind>(L).fill('quadratic'),
    stepsA: steps?.a ?? new Array<StepKind>(L - 1).fill('quadratic'),
    multiplier: multiplier ?? 'residual',
    jointBias: bias === 'joint',
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an exact step whose matrix has a row a sample */
function checkShared({ W }: StepKinds, layers: readonly number[], samples: number): void {
  const odd = W.findIndex((kind, i) => kind === 'cholesky' && samples <= (layers[i] as number));
  if (odd < 0) return;
  const text = `more samples than layer ${odd + 1} has inputs (${layers[odd]}), as its exact step is then over features,`;
  throw expected(text, 'distributed', samples);
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, and what a solver of one's own throws */
function sweepOf({ updatesOf }: LayeredPlan, iteration: number): readonly Update[] {
  const updates: unknown = updatesOf(iteration);
  if (Array.isArray(updates)) return updates as readonly Update[];
  throw expected('an array of updates', `what updatesOf(${iteration}) returns`, updates);
}

const isFirstWeights = (update: Update | undefined): boolean => update?.block === 'W' && update.layer === 1;

/** dlADMM and the matrix-inversion ADMM on multilayer perceptrons: W, b, z, a, and u on the output constraint. */
export const layered: Splitting<
  LayeredSessionOptions,
  LabelledSamples,
  LayeredSession,
  LayeredPlan,
  IterationRecord,
  typeof SHARED_SAMPLES
> = {
  name: 'layered',
  ...SHARED_SAMPLES,
  async open(options, data, name = 'data') {
    const keys = ['softmax', 'gram', 'fista', 'proximal', 'steps', 'multiplier', 'bias', 'share'];
    const opening = { problem: samples, blocks: BLOCKS, State: () => native.Layered, keys, check, setup, spills: true };
    return new SweepSession<LayeredTypes>(await openNative(opening, options, data, name), {
      blocks: BLOCKS,
      start(begin, { network }) {
        checkObject(begin, '{ output, dual }', 'start');
        const { seed = 1, ...how } = begin;
        checkKeys(how, ['output', 'hidden', 'dual'], 'start');
        return { ...checkStart(how, network.loss), seed: whole(seed, 0, 2 ** 32 - 1, 'seed') };
      },
      penaltyKeys: PENALTY_KEYS,
      penalties: ({ gamma, ...penalties }) => {
        checkPenalties(penalties, 'penalties.');
        atLeast(penalties.l2, 0, 'penalties.l2');
        return { ...penalties, gamma: gamma === undefined ? penalties.nu : positive(gamma, 'penalties.gamma') };
      },
      measures: ({ residual, activation, zeros, ...rest }: NativeMeasures) => ({
        ...rest,
        ...(zeros.length > 0 && { zeros: [...zeros] }),
        residuals: [...residual],
        activationResiduals: [...activation],
      }),
    });
  },
  async course(plan, data: LabelledSamples, share) {
    const { network, dtype, threads, softmax, settings, gamma, multiplier, bias, seed } = plan;
    const inputs = network.layers[0] ?? 0;
    const count = StoredSet.within(data)?.rows ?? rowSource(data.x, inputs, 'data.x').rows;
    const steps = decideSteps(plan.steps, network.layers, count);
    if (share) checkShared(steps, network.layers, count);
    // Of the first sweep alone, whichever comes next: a training that goes on is to round as it began.
    const begin = sweepOf(plan, 1);
    const pairs = begin.some((update, i) => isFirstWeights(update) && isFirstWeights(begin[i + 1]));
    // XᵀX never changes: it spares products where W_1 is updated twice in a row, and the Gram matrix of an exact W_1.
    const gram = inputs < count && (pairs || steps.W[0] !== 'quadratic');
    const fista = settings.output === 'fista';
    const spectral = settings.regularisers?.some((each) => each.nuclear > 0 || each.spectralNorm < Infinity);
    const proximal: boolean | 'spectral' = spectral ? 'spectral' : settings.regularisers !== undefined;
    const own = { softmax, gram, fista, proximal, steps, multiplier, bias };
    const options = { network, dtype, threads, ...own, ...(share && { share }) };
    const first = checkPenalties(plan.penaltiesFor(count), `penaltiesFor(${count}).`);
    const again = () => layered.open(options, data);
    return sweepCourse<LayeredTypes, Penalties, IterationRecord>(await again(), {
      again,
      updatesOf: (iteration) => (iteration === 1 ? begin : sweepOf(plan, iteration)),
      firstUpdates: plan.firstUpdates,
      start: { ...plan.start, seed },
      varying: { first, check: checkPenalties, schedule: plan.schedule },
      penalties: (now = first) => ({ ...settings, ...now, ...(gamma !== undefined && { gamma }) }),
      refreshEvery: plan.refreshEvery,
    });
  },
};
