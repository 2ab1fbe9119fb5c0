import { number, type Schema, word } from '../../network/schema.js';
import { initialisedBy } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { ADAPTED, nextDamping } from './algorithm.js';
import { type MetricPlan, metric } from './splitting.js';

const OPTIONS = {
  learningRate: number('positive', {
    default: 0.3,
    symbol: 's',
    says: 'The length of the first step.',
  }),
  momentum: number('fraction', { default: 0.8, symbol: 'm', says: 'What is kept of the step before.' }),
  relativeDamping: number(
    { min: 0 },
    { default: 100, symbol: 'c', says: 'Damping in mean eigenvalues: G_l has c times its own added.' },
  ),
  outputDamping: number(
    { min: 0 },
    { default: 0.3, symbol: 'c_P', says: 'The same of P_l, which has c_P times its mean eigenvalue added.' },
  ),
  adapts: word(ADAPTED, {
    default: 'length',
    says: 'What follows from how well F was foretold, sweep by sweep: s, or c.',
  }),
  l2: number(
    { min: 0 },
    { default: 0, symbol: 'λ', says: 'Weight decay: (λ/2) Σ ‖[W_l b_l]‖², beside the mean of R.' },
  ),
  initialisation: initialisedBy('he'),
} as const satisfies Schema;

/** Variable-metric ADMM. */
export const variableMetric = defineSolver({
  name: 'variable-metric-admm',
  title:
    'variable-metric ADMM: multipliers in closed form, matrices for penalties (after elimination, full-batch K-FAC)',
  splitting: metric,
  iterations: 50,
  options: OPTIONS,
  plan: ({
    learningRate: rate,
    momentum,
    relativeDamping: damping,
    outputDamping,
    adapts,
    l2,
    initialisation,
  }): MetricPlan => ({
    penalties: { rate, momentum, damping, outputDamping, l2 },
    schedule: { needsTrainLoss: false, next: (now, record) => nextDamping(now, { momentum, adapts }, record) },
    initialisation,
  }),
});

/** The options of variable-metric ADMM. */
export type VariableMetricOptions = SolverOptions<typeof variableMetric>;
