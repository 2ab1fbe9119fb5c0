import { classifies } from '../../network/network.js';
import { group, number, option, type Schema, whole, word } from '../../network/schema.js';
import { checkOutput, initialisedBy, OUTPUTS, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { EQUAL } from '../shared/equal.js';
import { MONOTONE, REGULARISE, regularisedBy } from '../shared/regularise.js';
import { EXACT, layered, layeredPlan, listLayeredUpdates } from '../shared/splittings/layered.js';
import { stepsBy } from '../shared/step.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { firstWeights, inversionSweep } from './algorithm.js';

/** The paper's β and warm start, with the γ and the start that did best on MNIST (`npm run bench:compare`). */
const OPTIONS = {
  beta: number('positive', {
    default: 1,
    symbol: 'β',
    equation: 'ICML 2016, eq. 5',
    says: 'Penalty of every ‖z_l − W_l a_{l−1} − b_l‖².',
  }),
  gamma: number('positive', {
    default: 1,
    symbol: 'γ',
    equation: 'ICML 2016, eq. 5',
    says: 'Penalty of every ‖a_l − h(z_l)‖²; the paper has 10.',
  }),
  warmStart: whole(0, { default: 5, says: 'Iterations without an update of the multiplier λ.' }),
  regularise: REGULARISE,
  monotone: MONOTONE,
  equal: EQUAL,
  step: stepsBy({ W: 'cholesky', a: 'cholesky' }),
  start: group(
    {
      output: word(OUTPUTS, {
        derive: ({ network }) => (classifies(network.loss) ? 'signed-labels' : 'forward'),
        otherwise: 'signed-labels, for regression forward',
        symbol: 'z_L',
        says: "The outputs: the network's own, +1 at the label and −1 elsewhere, or N(0, 1).",
      }),
      hidden: word(['forward', 'gaussian'], {
        default: 'forward',
        symbol: 'z_l, a_l',
        says: "The hidden layers: a forward pass, or N(0, 1); the paper's 'gaussian' for both learns far less.",
      }),
    },
    { default: {}, otherwise: 'signed labels, a forward pass', says: 'Where z and a begin.' },
    ({ output }, name, about) => checkOutput(output, name, about),
  ),
  initialisation: initialisedBy('he'),
  sweep: option(sweepType<Sweep, Update>(listLayeredUpdates), {
    default: inversionSweep,
    equation: 'ICML 2016, Algorithm 1',
    says: 'The ordered updates of an iteration after the warm start, which leaves out u.',
  }),
} as const satisfies Schema;

/** The matrix-inversion ADMM. */
export const inversion = defineSolver({
  name: 'inversion-admm',
  title: 'the matrix-inversion ADMM: every subproblem exactly',
  source: 'G. Taylor et al., Training Neural Networks Without Gradients: A Scalable ADMM Approach, ICML 2016',
  splitting: layered,
  iterations: 100,
  options: OPTIONS,
  plan: ({ beta, gamma, warmStart, regularise, monotone, equal, step, start, initialisation, sweep }, { network }) => {
    const L = network.layers.length - 1;
    const warm = sweep.filter(({ block }) => block !== 'u');
    return layeredPlan({
      initialisation,
      gamma,
      firstUpdates: listLayeredUpdates(firstWeights, L),
      updatesOf: (iteration) => (iteration <= warmStart ? warm : sweep),
      steps: step,
      settings: { ...EXACT, ...regularisedBy({ regularise, monotone, equal }, network) },
      multiplier: 'output',
      bias: 'joint',
      penaltiesFor: (samples) => ({ nu: beta, rho: beta, theta0: samples * 1e-12, tau0: 1e-12 }),
      start: { ...start, dual: 'zero' },
      // Every update writes its products afresh.
      refreshEvery: 0,
    });
  },
});

/** The options of the inversion ADMM. */
export type InversionOptions = SolverOptions<typeof inversion>;
