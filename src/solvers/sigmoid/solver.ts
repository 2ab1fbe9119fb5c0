import { option, perLayer, type Schema, word } from '../../network/schema.js';
import { initialisedBy, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import type { ConstraintSweep, ConstraintUpdate } from '../shared/sweep.js';
import { sigmoidSweep } from './algorithm.js';
import { checkConstraintPenalties, constraints, listConstraintUpdates } from './splitting.js';

/** The paper's settings, with the start of its published code. */
const OPTIONS = {
  activation: word(['sigmoid', 'tanh'], { default: 'sigmoid', symbol: 'σ', says: 'Of the hidden layers.' }),
  loss: word(['one-hot-squared-error', 'squared-error'], {
    default: 'one-hot-squared-error',
    says: "'one-hot-squared-error' for class labels, 'squared-error' for rows of target values.",
  }),
  dtype: word(['float32', 'float64'], {
    default: 'float64',
    says: 'The Gram matrices of smooth features have condition numbers that float32 does not hold.',
  }),
  l2: perLayer(
    { min: 0 },
    {
      default: 1e-6,
      symbol: 'λ',
      equation: 'JMLR 2021, eq. 5',
      says: 'Weight decay: Σ (λ_i/2)‖[W_i b_i]‖²; biases too, as in the published code.',
    },
  ),
  beta: perLayer('positive', {
    default: 1,
    symbol: 'β_i',
    says: 'Penalty of every constraint, as beta of inversion-admm; beta1 and beta2 are memories, not penalties.',
  }),
  majoriser: word(['paper', 'code'], {
    default: 'paper',
    symbol: 'h',
    says: 'The curvature of the quadratic model that stands in for ½‖σ(·) − B‖²: 𝓛(‖B‖_max), with which it lies above the function, or ‖B‖_max, as the published code has it (sigmoid alone).',
  }),
  initialisation: initialisedBy({ scheme: 'msra', gain: 8 }),
  sweep: option(sweepType<ConstraintSweep, ConstraintUpdate>(listConstraintUpdates), {
    default: sigmoidSweep,
    equation: 'JMLR 2021, Algorithm 1',
    says: 'The ordered updates of an iteration.',
  }),
} as const satisfies Schema;

/** sigmoid-ADMM. */
export const sigmoid = defineSolver({
  name: 'sigmoid-admm',
  title: 'sigmoid-ADMM: all constraints kept, each with a multiplier',
  source:
    'J. Zeng, S.-B. Lin, Y. Yao, D.-X. Zhou, On ADMM in Deep Learning: Convergence and Saturation-Avoidance, JMLR 2021',
  splitting: constraints,
  iterations: 200,
  options: OPTIONS,
  plan: ({ l2, beta, majoriser, initialisation, sweep }, { network }) => {
    const penalties = { l2, beta, majoriser };
    checkConstraintPenalties(penalties, network);
    return { updates: sweep, penalties, initialisation };
  },
});

/** The options of sigmoid-ADMM. */
export type SigmoidOptions = SolverOptions<typeof sigmoid>;
