import { positive } from '../../core/checks.js';
import { isObject } from '../../core/objects.js';
import {
  group,
  kindsOf,
  number,
  type OneOfKinds,
  option,
  type Schema,
  type ValueType,
  whole,
  word,
} from '../../network/schema.js';
import { checkOutput, dualBegins, initialisedBy, OUTPUTS, searchedBy, sweepType } from '../shared/declared.js';
import { defineSolver, type SolverOptions } from '../shared/descriptor.js';
import { EQUAL } from '../shared/equal.js';
import { grownTogether } from '../shared/penalties.js';
import { checkSwept, MONOTONE, REGULARISE, regularisedBy } from '../shared/regularise.js';
import { CONSTANT, growing, growth, scheduleType } from '../shared/schedule.js';
import {
  EXACT,
  type IterationRecord,
  type LayeredPlan,
  layered,
  layeredPlan,
  listLayeredUpdates,
} from '../shared/splittings/layered.js';
import { stepsBy } from '../shared/step.js';
import type { Sweep, Update } from '../shared/sweep.js';
import { dladmmSweep } from './algorithm.js';

/** From this width of the first hidden layer on, the official code lets step sizes grow with ρ. */
const REFERENCE_NEURONS = 100;

const SCHEDULES = {
  constant: {},
  paper: growth(100),
  reference: {
    factor: number('positive', { default: 10, says: 'What ν and ρ grow by.' }),
    cap: number('positive', { default: 0.1, says: 'Where ν and ρ stop to grow.' }),
    stepFactor: number('positive', {
      derive: ({ network: { layers } }) => ((layers[1] ?? 0) >= REFERENCE_NEURONS && layers.length > 2 ? 10 : 1),
      otherwise: '10 where the first hidden layer has 100 neurons or more, else 1',
      says: 'What θ0 and τ0 grow by.',
    }),
  },
} as const;

/**
 * - `constant`: ν and ρ never change.
 * - `paper`: ρ grows by `factor` every `every` iterations, ν stays (KDD 2019, section 5).
 * - `reference`: the rule of the official code, which has one ρ for every constraint (so ν grows with ρ): whenever the
 *   training loss has risen three iterations running, ρ ← min(factor ρ, cap), unless it is above `cap`, and θ0, τ0 grow by
 *   `stepFactor`.
 * - a function of the iteration record.
 */
const schedule = scheduleType<IterationRecord, typeof SCHEDULES>(SCHEDULES, (chosen, lowers) => {
  if (chosen.kind === 'constant') return CONSTANT;
  if (chosen.kind === 'paper') return growing(chosen.every, ({ rho }) => ({ rho: rho * chosen.factor }));
  const { stepFactor } = chosen;
  const costs: number[] = [];
  return {
    needsTrainLoss: true,
    memory: costs,
    next(penalties, { train }) {
      costs.push(train?.loss ?? Number.NaN);
      if (costs.length > 4) costs.shift();
      const [first = 0, second = 0, third = 0, fourth = 0] = costs;
      const rose = costs.length === 4 && fourth > third && third > second && second > first;
      if (!rose) return penalties;
      const { theta0, tau0 } = penalties;
      const grown = grownTogether(penalties, { ...chosen, lowers });
      return { ...grown, theta0: stepFactor * theta0, tau0: stepFactor * tau0 };
    },
  };
});

const OUTPUT_SOLVERS = {
  exact: {},
  fista: {
    curvature: number('positive', {
      derive: ({ network: { loss } }) => (loss === 'softmax-cross-entropy' ? 0.25 : 1),
      otherwise: "1, of softmax cross-entropy the official code's ¼",
      symbol: 'L',
      says: 'The curvature that R is taken to have: its step is of 1/L, with ρ beside it of 1/(L + ρ). From that of R on (½ of softmax cross-entropy, 1 of squared errors, times the weight of a sample) it converges.',
    }),
    tolerance: number({ min: 0 }, { default: 1e-3, says: 'Where it ends.' }),
    limit: whole(0, { default: 500, says: 'Steps at most.' }, 1e6),
  },
} as const;

/** Steps that are shorter than the inverse of this move nothing. */
const MOST_CURVATURE = 1e100;

const named = kindsOf(OUTPUT_SOLVERS);

/** Takes what checkpoints of before say too (shared/earlier.ts): a step that may be the inverse of no number. */
const outputSolver: ValueType<OneOfKinds<typeof OUTPUT_SOLVERS>, Partial<LayeredPlan['settings']>> = {
  ...named,
  check: (value: unknown, name, about) => {
    const { $step: step, ...own } = isObject(value) && value.$step !== undefined ? value : { $step: undefined };
    const chosen = named.check(step === undefined ? value : own, name, about);
    if (chosen.kind === 'exact') return {};
    const { kind: output, curvature, tolerance: fistaTolerance, limit: fistaLimit } = chosen;
    const fistaStep = step === undefined ? 1 / Math.min(curvature, MOST_CURVATURE) : positive(step, `${name}.$step`);
    return { output, fistaStep, fistaTolerance, fistaLimit };
  },
};

/** κ grows with the number of samples, and so does the θ0 that nobody gave: 1 at the paper's 60,000. */
const THETA0_PER_SAMPLE = 1.6666666666666667e-5;

const OPTIONS = {
  nu: number('positive', {
    default: 1e-6,
    symbol: 'ν',
    equation: 'KDD 2019, Problem 2',
    says: 'Penalty of the hidden constraints.',
  }),
  rho: number('positive', {
    default: 1e-6,
    symbol: 'ρ',
    equation: 'KDD 2019, eq. 1',
    says: 'Penalty of the output constraint.',
  }),
  schedule: option(schedule, { default: 'constant', says: 'How ν, ρ, θ0 and τ0 change.' }),
  l2: number({ min: 0 }, { default: 0, symbol: 'λ', says: 'Weight decay: Ω_l(W) = (λ/2)‖W‖².' }),
  regularise: REGULARISE,
  monotone: MONOTONE,
  equal: EQUAL,
  ...searchedBy({
    stepSearch: word(['backtracking', 'exact'], {
      default: 'backtracking',
      equation: 'KDD 2019, Algorithms 2 to 5',
      says: "'backtracking' tries θ0, θ0 γ, θ0 γ², … until φ(new) ≤ model; 'exact' takes the smallest that passes.",
    }),
    theta0: number('positive', {
      otherwise: 'samples / 60,000',
      symbol: 'θ0',
      says: 'The first size tried for a W step.',
    }),
    tau0: number('positive', { default: 1, symbol: 'τ0', says: 'The first size tried for an a step.' }),
  }),
  outputSolver: option(outputSolver, {
    default: 'exact',
    equation: 'KDD 2019, eqs 5 and 15',
    says: "How z_L is minimised over; 'fista' is the official code's solver, with steps of 1/curvature, and returns its extrapolated point.",
  }),
  softmax: word(['stable', 'reference'], {
    default: 'stable',
    says: "'reference' is the official code's: no maximum subtracted, 1e-10 in the denominator.",
  }),
  initialisation: initialisedBy({ gaussian: 0.1 }),
  start: group(
    {
      output: word(OUTPUTS, {
        default: 'forward',
        symbol: 'z_L',
        says: "The outputs: the network's own, +1 at the label and −1 elsewhere, or N(0, 1).",
      }),
      hidden: word(['forward', 'gaussian'], {
        default: 'forward',
        symbol: 'z_l, a_l',
        says: 'The hidden layers: a forward pass, or N(0, 1).',
      }),
      dual: dualBegins('zero'),
    },
    { default: {}, otherwise: 'a forward pass, u = 0', says: 'Where the variables begin.' },
    ({ output }, name, about) => checkOutput(output, name, about),
  ),
  sweep: option(sweepType<Sweep, Update>(listLayeredUpdates), {
    default: dladmmSweep,
    equation: 'KDD 2019, Algorithm 1',
    says: 'The ordered updates of an iteration.',
  }),
  step: stepsBy({ W: 'quadratic', a: 'quadratic' }),
} as const satisfies Schema;

/** dlADMM: backward, then forward, with quadratic steps. */
export const dladmm = defineSolver({
  name: 'dladmm',
  title: 'dlADMM: quadratic steps, backward then forward',
  source: 'J. Wang, F. Yu, X. Chen, L. Zhao, ADMM for Efficient Deep Learning with Global Convergence, KDD 2019',
  splitting: layered,
  iterations: 200,
  options: OPTIONS,
  plan: (
    { nu, rho, theta0, tau0, l2, regularise, monotone, equal, stepSearch, growth, outputSolver, sweep, step, ...rest },
    { network },
  ) => {
    const regular = regularisedBy({ regularise, monotone, equal }, network);
    checkSwept(sweep, regular);
    return layeredPlan({
      ...rest,
      updatesOf: () => sweep,
      steps: step,
      penaltiesFor: (samples) => ({ nu, rho, theta0: theta0 ?? samples * THETA0_PER_SAMPLE, tau0 }),
      settings: {
        ...EXACT,
        l2,
        ...regular,
        search: stepSearch,
        growth,
        ...outputSolver,
      },
    });
  },
});

/** The options of dlADMM. Only `layers` must be given. */
export type DladmmOptions = SolverOptions<typeof dladmm>;
