/**
 * The plain gradient methods. Formulas and defaults are those of `torch.optim`; g is the gradient of the loss of the
 * batch, w the parameters, t = 1, 2, … the step, γ its learning rate, λ the weight decay; everything is entry by entry.
 */
import { atLeast, checkKeys, flag, fraction, given, oneOf, positive } from '../../core/checks.js';
import { expected } from '../../core/errors.js';
import type { NativeOptimiser } from '../../core/native.js';
import { type BadmOptions, badmOptimiser, CONSENSUS_KEYS, type SisaOptions, sisaOptimiser } from '../badm/algorithm.js';

/** Where a training stands, both from 1: `step` counts over the whole training. */
export interface Progress {
  readonly epoch: number;
  readonly step: number;
}

/**
 * γ: a number, or a function that gives one for each step. It is called once a step, in order, before the run of steps
 * (an epoch, as a rule) leaves for the training thread.
 */
export type LearningRate = number | ((at: Progress) => number);

interface WithRate {
  /** γ. */
  readonly learningRate?: LearningRate;
  /** λ of g ← g + λ w; 0 if absent. */
  readonly weightDecay?: number;
}

/** Gradient descent on all samples at once: w ← w − γ g. The learning rate is 1e-3 if absent. */
export interface GdOptions extends WithRate {
  readonly solver: 'gd';
}

/**
 * Stochastic gradient descent: w ← w − γ m with m ← g at t = 1 and m ← μ m + (1 − τ) g after; with Nesterov
 * w ← w − γ (g + μ m). The learning rate is 1e-3 if absent.
 */
export interface SgdOptions extends WithRate {
  readonly solver: 'sgd';
  /** μ, from 0 to below 1; 0 if absent. */
  readonly momentum?: number;
  /** τ; 0 if absent. */
  readonly dampening?: number;
  /** Needs momentum without dampening; false if absent. */
  readonly nesterov?: boolean;
}

/** s ← s + g², w ← w − γ / (1 + (t − 1) η) · g / (√s + ε). The learning rate is 1e-2 if absent. */
export interface AdagradOptions extends WithRate {
  readonly solver: 'adagrad';
  /** η; 0 if absent. */
  readonly learningRateDecay?: number;
  /** s before the first step; 0 if absent. */
  readonly initialAccumulator?: number;
  /** ε; 1e-10 if absent. */
  readonly epsilon?: number;
}

/**
 * s ← ρ s + (1 − ρ) g², Δ = √(u + ε) / √(s + ε) · g, u ← ρ u + (1 − ρ) Δ², w ← w − γ Δ. The learning rate is 1 if absent.
 */
export interface AdadeltaOptions extends WithRate {
  readonly solver: 'adadelta';
  /** ρ, from 0 to below 1; 0.9 if absent. */
  readonly decay?: number;
  /** ε; 1e-6 if absent. */
  readonly epsilon?: number;
}

/**
 * m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², w ← w − γ (m / (1 − β₁ᵗ)) / (√(v / (1 − β₂ᵗ)) + ε). The learning rate is
 * 1e-3 if absent.
 */
export interface AdamOptions extends WithRate {
  readonly solver: 'adam';
  /** β₁, from 0 to below 1; 0.9 if absent. */
  readonly beta1?: number;
  /** β₂, from 0 to below 1; 0.999 if absent. */
  readonly beta2?: number;
  /** ε; 1e-8 if absent. */
  readonly epsilon?: number;
  /** Decay the weights by themselves, w ← w − γ λ w, and leave g as it is (AdamW); false if absent. */
  readonly decoupled?: boolean;
}

/** A gradient method, or an ADMM over the gradients of batches, with its options. */
export type GradientMethod =
  | GdOptions
  | SgdOptions
  | AdagradOptions
  | AdadeltaOptions
  | AdamOptions
  | BadmOptions
  | SisaOptions;

/** Their names. */
export type GradientSolver = GradientMethod['solver'];

/** The hyperparameters of each method, `solver` left out. */
export const METHOD_KEYS: { readonly [S in GradientSolver]: readonly string[] } = {
  gd: ['learningRate', 'weightDecay'],
  sgd: ['learningRate', 'weightDecay', 'momentum', 'dampening', 'nesterov'],
  adagrad: ['learningRate', 'weightDecay', 'learningRateDecay', 'initialAccumulator', 'epsilon'],
  adadelta: ['learningRate', 'weightDecay', 'decay', 'epsilon'],
  adam: ['learningRate', 'weightDecay', 'beta1', 'beta2', 'epsilon', 'decoupled'],
  ...CONSENSUS_KEYS,
};

export const GRADIENT_SOLVERS = Object.keys(METHOD_KEYS) as readonly GradientSolver[];

const DEFAULT_RATE = { gd: 1e-3, sgd: 1e-3, adagrad: 1e-2, adadelta: 1, adam: 1e-3 } as const;

/** A method, checked and complete. */
export interface Method {
  readonly optimiser: NativeOptimiser;
  readonly learningRate: LearningRate;
  readonly subBatches: number;
  /** Every batch is all samples. */
  readonly fullBatch: boolean;
}

/**
 * A method by its options; `prefix` stands before their names in errors.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE
 */
export function methodOf(options: GradientMethod, prefix = ''): Method {
  const { solver } = options;
  oneOf(solver, GRADIENT_SOLVERS, `${prefix}solver`);
  checkKeys(options, ['solver', ...METHOD_KEYS[solver]], prefix === '' ? 'options' : prefix.slice(0, -1));
  if (options.solver === 'badm' || options.solver === 'sisa') {
    const optimiser = options.solver === 'badm' ? badmOptimiser(options, prefix) : sisaOptimiser(options, prefix);
    return { optimiser, learningRate: 0, subBatches: optimiser.subBatches, fullBatch: false };
  }
  const learningRate = given(options.learningRate, DEFAULT_RATE[options.solver]);
  if (typeof learningRate !== 'function') atLeast(learningRate, 0, `${prefix}learningRate`);
  return { optimiser: plainOptimiser(options, prefix), learningRate, subBatches: 1, fullBatch: solver === 'gd' };
}

function plainOptimiser(options: Exclude<GradientMethod, BadmOptions | SisaOptions>, prefix: string): NativeOptimiser {
  const weightDecay = atLeast(given(options.weightDecay, 0), 0, `${prefix}weightDecay`);
  switch (options.solver) {
    case 'gd':
      return { method: 'sgd', momentum: 0, dampening: 0, nesterov: false, weightDecay };
    case 'sgd': {
      const momentum = fraction(given(options.momentum, 0), `${prefix}momentum`);
      const dampening = fraction(given(options.dampening, 0), `${prefix}dampening`);
      const nesterov = flag(given(options.nesterov, false), `${prefix}nesterov`);
      if (nesterov && (momentum === 0 || dampening !== 0)) {
        throw expected('momentum above 0 and no dampening', `${prefix}nesterov`, true, 'ERR_DLADMM_RANGE');
      }
      return { method: 'sgd', momentum, dampening, nesterov, weightDecay };
    }
    case 'adagrad':
      return {
        method: 'adagrad',
        learningRateDecay: atLeast(given(options.learningRateDecay, 0), 0, `${prefix}learningRateDecay`),
        initialAccumulator: atLeast(given(options.initialAccumulator, 0), 0, `${prefix}initialAccumulator`),
        epsilon: positive(given(options.epsilon, 1e-10), `${prefix}epsilon`),
        weightDecay,
      };
    case 'adadelta':
      return {
        method: 'adadelta',
        decay: fraction(given(options.decay, 0.9), `${prefix}decay`),
        epsilon: positive(given(options.epsilon, 1e-6), `${prefix}epsilon`),
        weightDecay,
      };
    case 'adam':
      return {
        method: 'adam',
        beta1: fraction(given(options.beta1, 0.9), `${prefix}beta1`),
        beta2: fraction(given(options.beta2, 0.999), `${prefix}beta2`),
        epsilon: positive(given(options.epsilon, 1e-8), `${prefix}epsilon`),
        decoupled: flag(given(options.decoupled, false), `${prefix}decoupled`),
        weightDecay,
      };
  }
}

/**
 * The learning rates of the `count` steps after the first `done`: one for all where it is constant.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where the function gives what is not a finite number ≥ 0
 */
export function ratesOf(learningRate: LearningRate, done: number, count: number, stepsPerEpoch: number): Float64Array {
  if (typeof learningRate === 'number') return Float64Array.of(learningRate);
  return Float64Array.from({ length: count }, (_, i) => {
    const at = { epoch: Math.floor((done + i) / stepsPerEpoch) + 1, step: done + i + 1 };
    return atLeast(learningRate(at), 0, `learningRate({ epoch: ${at.epoch}, step: ${at.step} })`);
  });
}
