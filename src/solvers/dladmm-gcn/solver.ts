import { expected } from '../../core/errors.js';
import { group, number, option, perLayer, type Schema, word } from '../../network/schema.js';
import { dualBegins, graphInitialisedBy, LABEL_LOSS, searchedBy, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { grownTogether } from '../shared/penalties.js';
import { CONSTANT, growing, growth, scheduleType } from '../shared/schedule.js';
import type { GraphSweep, GraphUpdate } from '../shared/sweep.js';
import { graphSweep } from './algorithm.js';
import { type GraphRecord, graphLayered, listGraphUpdates } from './splitting.js';

const SCHEDULES = {
  constant: {},
  published: {
    ...growth(50),
    cap: number('positive', { default: 1, says: 'Where ν and ρ stop to grow.' }),
  },
} as const;

/**
 * - `constant`: ν and ρ never change.
 * - `published`: the rule of the published code, which has one penalty for every constraint: ν and ρ grow by `factor`
 *   every `every` iterations, up to `cap`; one above it stays.
 * - a function of the iteration record that answers with what changes.
 */
const schedule = scheduleType<GraphRecord, typeof SCHEDULES>(SCHEDULES, (chosen, lowers) => {
  if (chosen.kind === 'constant') return CONSTANT;
  return growing(chosen.every, (penalties) => grownTogether(penalties, { ...chosen, lowers }));
});

/** The defaults of dlADMM on graphs (`npm run bench:graph`). */
const OPTIONS = {
  loss: LABEL_LOSS,
  nu: number('positive', { default: 1, symbol: 'ν', says: 'Penalty of Z_l = f(Ã Z_{l−1} W_l) in the hidden layers.' }),
  rho: number('positive', {
    default: 1,
    symbol: 'ρ',
    says: 'Penalty of the output constraint; from 0.79 on the augmented Lagrangian falls in every iteration.',
  }),
  schedule: option(schedule, { default: 'constant', says: 'How ν, ρ, θ0 and τ0 change.' }),
  l2: perLayer({ min: 0 }, { default: 0.1, symbol: 'λ_l', says: 'Weight decay: Ω_l(W) = (λ_l/2)‖W‖².' }),
  ...searchedBy({
    stepSearch: word(['backtracking', 'exact'], {
      default: 'exact',
      says: "Where the search for the size of a step begins: 'backtracking' at θ0 and τ0, as in the published code; 'exact' takes the smallest size that passes for W_L and Z_{L−1}, whose subproblems are quadratic, and begins at half of the last accepted size elsewhere.",
    }),
    theta0: number('positive', { default: 1e-3, symbol: 'θ0', says: 'The first size tried for a W step.' }),
    tau0: number('positive', { default: 1e-3, symbol: 'τ0', says: 'The first size tried for a Z step.' }),
  }),
  step: group(
    {
      W: word(['quadratic', 'cholesky'], {
        derive: ({ network }) => (network.layers.length > 2 ? 'cholesky' : 'quadratic'),
        otherwise: 'cholesky with a hidden layer, else quadratic',
        says: "How every W is minimised over; 'cholesky' is for W_L alone, whose subproblem is quadratic.",
      }),
    },
    { default: {}, otherwise: 'W: cholesky', says: 'How the blocks are minimised over.' },
    ({ W }, name, { network }) => {
      if (W !== 'cholesky' || network.layers.length > 2) return;
      throw expected("'quadratic' (an exact W_L needs a hidden layer)", `${name}.W`, W);
    },
  ),
  start: group(
    { dual: dualBegins('stationary') },
    { default: {}, otherwise: 'dual: stationary', says: 'Where the variables begin.' },
  ),
  initialisation: graphInitialisedBy('glorot'),
  sweep: option(sweepType<GraphSweep, GraphUpdate>(listGraphUpdates), {
    default: graphSweep,
    says: 'The ordered updates of an iteration: Z_L, W_L, …, Z_1, W_1, then W_1, Z_1, …, W_L, Z_L, U.',
  }),
} as const satisfies Schema;

/** dlADMM on a graph convolutional network. */
export const dladmmOnGraph = defineSolver({
  name: 'dladmm',
  title: 'dlADMM on a graph convolutional network',
  source:
    'J. Wang, H. Li, L. Zhao, A Convergent ADMM Framework for Efficient Neural Network Training, arXiv 2112.11619',
  splitting: graphLayered,
  iterations: 100,
  options: OPTIONS,
  plan: ({ loss: _, nu, rho, theta0, tau0, l2, stepSearch, growth, step, start, sweep, ...rest }) => ({
    ...rest,
    updates: sweep,
    outputWeights: step.W,
    penalties: { nu, rho, theta0, tau0 },
    settings: { l2, search: stepSearch, growth },
    dual: start.dual,
  }),
});

/** The options of dlADMM on a graph. Only `layers` must be given. */
export type DladmmGraphOptions = SolverOptions<typeof dladmmOnGraph>;
