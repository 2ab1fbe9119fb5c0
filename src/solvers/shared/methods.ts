/**
 * The methods that step by the gradients of batches, as options: the plain ones, with the formulas and defaults of
 * `torch.optim` (gradient/algorithm.ts has them), and the ADMMs over batches (badm/algorithm.ts).
 */
import { checkKeys, checkObject, oneOf } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { NativeOptimiser } from '../../core/native.js';
import {
  type About,
  type Complete,
  completed,
  flag,
  number,
  type OptionsOf,
  option,
  type Schema,
  whole,
} from '../../network/schema.js';
import { LEARNING_RATE, type LearningRate } from './learning-rate.js';

/** The option of a learning rate γ. */
export const rate = (otherwise: number) =>
  option(LEARNING_RATE, {
    default: otherwise as LearningRate,
    symbol: 'γ',
    says: 'The length of a step, or a function that gives one for each.',
  });

const epsilon = (otherwise: number) =>
  number('positive', { default: otherwise, symbol: 'ε', says: 'Added to the root of the second moment.' });

const beta2 = (otherwise: number, symbol: string) =>
  number('fraction', { default: otherwise, symbol, says: 'Memory of the second moment.' });

const beta1 = (otherwise: number) =>
  number('fraction', { default: otherwise, symbol: 'β₁', says: 'Memory of the first moment.' });

/** Decay as AdamW has it. */
const decoupled = (otherwise: number) =>
  number(
    { min: 0 },
    { default: otherwise, symbol: 'λ', says: 'Weight decay by itself: w ← w − γ λ w, of biases too.' },
  );

const momentum = {
  momentum: number('fraction', { default: 0, symbol: 'μ', says: 'Memory of the momentum.' }),
  dampening: number('fraction', { default: 0, symbol: 'τ', says: 'What of each gradient the momentum leaves out.' }),
  nesterov: flag({ default: false, says: 'Look ahead along the momentum, which must not be dampened.' }),
} as const;

const MOST = 2 ** 31 - 1;

const consensus = (rho: number, subBatches: number) =>
  ({
    learningRate: option(LEARNING_RATE, {
      default: 1 as LearningRate,
      symbol: 'γ',
      says: 'The penalties are σ/γ and ρ/γ: a number, or a function that gives one for each step.',
    }),
    sigma: number('positive', { default: 1, symbol: 'σ', says: 'Penalty of w_s = w.' }),
    rho: number('positive', { default: rho, symbol: 'ρ', says: 'Weight of the proximal term of the local steps.' }),
    subBatches: whole(
      1,
      { default: subBatches, says: 'Parts that a batch is cut into; must divide the batch size.' },
      2 ** 16, // What the addon can count.
    ),
  }) as const;

/** The settings of each method beside its weight decay. */
export const METHODS = {
  gd: { learningRate: rate(1e-3) },
  sgd: { learningRate: rate(1e-3), ...momentum },
  adagrad: {
    learningRate: rate(1e-2),
    learningRateDecay: number(
      { min: 0 },
      { default: 0, symbol: 'η', says: 'Step t is shortened to γ / (1 + (t − 1) η).' },
    ),
    initialAccumulator: number(
      { min: 0 },
      { default: 0, symbol: 's', says: 'The sum of squares before the first step.' },
    ),
    epsilon: epsilon(1e-10),
  },
  adadelta: { learningRate: rate(1), beta2: beta2(0.9, 'ρ'), epsilon: epsilon(1e-6) },
  adam: {
    learningRate: rate(1e-3),
    beta1: beta1(0.9),
    beta2: beta2(0.999, 'β₂'),
    epsilon: epsilon(1e-8),
    decoupled: flag({
      default: false,
      says: 'Decay the weights by themselves, w ← w − γ λ w, and leave the gradient as it is (AdamW).',
    }),
  },
  nadamw: {
    learningRate: rate(1.75e-3),
    beta1: beta1(0.9327),
    beta2: beta2(0.99552, 'β₂'),
    epsilon: epsilon(1e-8),
    l2: decoupled(0.0812),
  },
  'schedule-free': {
    learningRate: rate(2.5e-3),
    beta1: number('fraction', {
      default: 0.9,
      symbol: 'β₁',
      says: 'How near to the average gradients are taken; above 0.',
    }),
    beta2: beta2(0.99552, 'β₂'),
    epsilon: epsilon(1e-8),
    averagePower: number({ min: 0 }, { default: 0.75, symbol: 'r', says: 'The average weighs iterate t by γ² tʳ.' }),
    l2: decoupled(0.0812),
  },
  muon: {
    learningRate: rate(0.02),
    momentum: number('fraction', { default: 0.95, symbol: 'μ', says: 'Memory of the momentum.' }),
    nesterov: flag({ default: true, says: 'Look ahead along the momentum.' }),
    newtonSchulz: whole(0, { default: 5, says: 'Iterations of Newton and Schulz that make a step orthogonal.' }, 100),
    adamShare: number(
      { min: 0 },
      { default: 0.015, says: 'Biases, the first and the last layer step by AdamW, with this share of γ.' },
    ),
    beta1: beta1(0.9),
    beta2: beta2(0.95, 'β₂'),
    epsilon: epsilon(1e-10),
    l2: decoupled(0),
  },
  soap: {
    learningRate: rate(3e-3),
    beta1: beta1(0.95),
    beta2: beta2(0.95, 'β₂'),
    epsilon: epsilon(1e-8),
    basisEvery: whole(
      1,
      { default: 10, symbol: 'k', says: 'Steps from one improvement of the eigenbases to the next.' },
      MOST,
    ),
    largestBasis: whole(
      0,
      { default: 10000, says: 'A side of W that is longer has no basis: time grows by its cube.' },
      MOST,
    ),
    l2: decoupled(0.01),
  },
  kfac: {
    damping: number('positive', {
      default: 150,
      symbol: 'λ',
      says: 'Damping, added to the curvature as it is, of the first steps. In batches of less than about a hundred it may fall so far that a training diverges.',
    }),
    dampingDecay: number('fraction', {
      default: 0.95,
      symbol: 'ω',
      says: 'A step that reaches what its quadratic model promises multiplies the damping by this, another divides it; above 0.',
    }),
    dampingEvery: whole(
      1,
      { default: 5, says: 'Steps from one look at the model to the next; for all of them at once.' },
      MOST,
    ),
    factorMemory: number('fraction', { default: 0.95, symbol: 'ε', says: 'Memory of the two factors of a layer.' }),
    inverseEvery: whole(1, { default: 5, says: 'Steps from one inversion of the factors to the next.' }, MOST),
    l2: number(
      { min: 0 },
      { default: 1e-5, symbol: 'λ₂', says: 'Weight decay, in the loss: ½ λ₂ ‖w‖², of biases too.' },
    ),
  },
  isaac: {
    learningRate: rate(1),
    damping: number('positive', {
      default: 10,
      symbol: 'λ',
      says: 'Tikhonov damping, added to the Gram matrices as it is; ∞ would be plain SGD.',
    }),
    turnedLayers: whole(0, { default: 3, says: 'Layers whose gradients are turned, from the first on.' }, MOST),
    momentum: number('fraction', { default: 0, symbol: 'μ', says: 'Memory of the momentum.' }),
  },
  badm: {
    ...consensus(40, 1),
    duals: flag({
      default: false,
      says: 'Keep the multiplier of every sub-batch, at the cost of a gradient and a vector of state each.',
    }),
  },
  sisa: { ...consensus(2000, 4), beta2: beta2(0.999, 'β'), epsilon: epsilon(1e-8) },
} as const satisfies Readonly<Record<string, Schema>>;

export type MethodName = keyof typeof METHODS;

/** The weight decay of a method that has one for all layers. */
export const L2 = number({ min: 0 }, { default: 0, symbol: 'λ', says: 'Weight decay: g ← g + λ w, of biases too.' });

/** A method with its settings. */
export type GradientMethod = {
  [M in MethodName]: { readonly solver: M; readonly l2?: number } & OptionsOf<(typeof METHODS)[M]>;
}[MethodName];

export interface Method {
  readonly optimiser: NativeOptimiser;
  readonly learningRate: LearningRate;
  readonly subBatches: number;
  /** Every batch is all samples. */
  readonly fullBatch: boolean;
}

const NATIVE: {
  readonly [M in MethodName]: (settings: Complete<(typeof METHODS)[M]>, weightDecay: number) => NativeOptimiser;
} = {
  gd: (_, weightDecay) => ({ method: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay }),
  sgd: ({ learningRate: _, ...settings }, weightDecay) => ({ method: 'sgd', ...settings, weightDecay }),
  adagrad: ({ learningRate: _, ...settings }, weightDecay) => ({ method: 'adagrad', ...settings, weightDecay }),
  adadelta: ({ beta2: decay, epsilon }, weightDecay) => ({ method: 'adadelta', decay, epsilon, weightDecay }),
  adam: ({ learningRate: _, ...settings }, weightDecay) => ({
    ...{ method: 'adam', ...settings, weightDecay, nesterov: false },
  }),
  nadamw: ({ learningRate: _, l2: __, ...settings }, weightDecay) => ({
    ...{ method: 'adam', ...settings, weightDecay, decoupled: true, nesterov: true },
  }),
  'schedule-free': ({ learningRate: _, l2: __, ...settings }, weightDecay) => ({
    ...{ method: 'schedule-free', ...settings, weightDecay },
  }),
  muon: ({ learningRate: _, l2: __, ...settings }, weightDecay) => ({ method: 'muon', ...settings, weightDecay }),
  soap: ({ learningRate: _, l2: __, ...settings }, weightDecay) => ({ method: 'soap', ...settings, weightDecay }),
  kfac: ({ l2: _, ...settings }, weightDecay) => ({ method: 'kfac', ...settings, weightDecay }),
  isaac: ({ learningRate: _, ...settings }, weightDecay) => ({ method: 'isaac', ...settings, weightDecay }),
  badm: ({ learningRate: _, ...settings }, weightDecay) => ({ method: 'badm', ...settings, weightDecay }),
  sisa: ({ learningRate: _, beta2: beta, ...settings }, weightDecay) => ({
    method: 'sisa',
    ...settings,
    beta,
    weightDecay,
  }),
};

/** None of their settings looks at the network. */
const NOTHING = {} as About;

/**
 * A method by its options; `prefix` stands before their names in errors.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function methodOf(options: GradientMethod, prefix = ''): Method {
  checkObject(options, "{ solver: 'sgd', … }", prefix === '' ? 'options' : prefix.slice(0, -1));
  const solver = oneOf(options.solver, Object.keys(METHODS) as MethodName[], `${prefix}solver`);
  const schema = { l2: L2, ...METHODS[solver] };
  checkKeys(options, ['solver', ...Object.keys(schema)], prefix === '' ? 'options' : prefix.slice(0, -1));
  const { l2, ...settings } = completed(schema, options, prefix, NOTHING);
  const optimiser = native(solver, settings as never, l2);
  if (optimiser.method === 'sgd' && optimiser.nesterov && (optimiser.momentum === 0 || optimiser.dampening !== 0)) {
    throw expected('momentum above 0 and no dampening', `${prefix}nesterov`, true, 'ERR_DLADMM_RANGE');
  }
  if (optimiser.method === 'kfac' && optimiser.dampingDecay === 0) {
    throw expected('a number above 0', `${prefix}dampingDecay`, 0, 'ERR_DLADMM_RANGE');
  }
  if (optimiser.method === 'schedule-free' && optimiser.beta1 === 0) {
    throw expected('a number above 0', `${prefix}beta1`, 0, 'ERR_DLADMM_RANGE');
  }
  return {
    optimiser,
    learningRate: 'learningRate' in settings ? (settings.learningRate as LearningRate) : 0,
    subBatches: 'subBatches' in optimiser ? optimiser.subBatches : 1,
    fullBatch: solver === 'gd',
  };
}

const native = <M extends MethodName>(
  solver: M,
  settings: Complete<(typeof METHODS)[M]>,
  l2: number,
): NativeOptimiser => NATIVE[solver](settings, l2);

/** @throws DlAdmmError ERR_DLADMM_SHAPE where sub-batches do not divide a batch */
export function checkDivides(subBatches: number, batch: number, name: string): void {
  if (batch % subBatches === 0) return;
  throw expected(`a number that divides the batch size ${batch}`, name, subBatches, 'ERR_DLADMM_SHAPE');
}
