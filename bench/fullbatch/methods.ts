/** What is tried of every method: the trials that its settings are chosen by, and one setting at a time changed. */
import { combinations } from '../harness/study.js';

/** As JSON holds it. */
export type Settings = Readonly<Record<string, unknown>>;

export const SOLVERS = ['variable-metric-admm', 'adam', 'dladmm', 'sigmoid-admm'] as const;
export type Solver = (typeof SOLVERS)[number];

const RATES = combinations<Settings>({ learningRate: [3e-3, 1e-3, 1e-2], cosine: [true, false] });
const GAINS = combinations<Settings>({ l2: [1, 10, 1e-2, 1e-6], gain: [8, 3, 1] });
const EXACT = { step: { W: 'cholesky', a: 'cholesky' } };
const DECAYS = [{}, ...[1e-5, 1.5e-4, 5e-5, 5e-4, 0].map((l2) => ({ ...EXACT, l2 }))];

/** The likeliest first: of classes, and of values. */
export const TRIALS: Readonly<Record<Solver, Readonly<Record<'classes' | 'values', readonly Settings[]>>>> = {
  'variable-metric-admm': {
    classes: combinations<Settings>({ relativeDamping: [100, 30, 300], outputDamping: [0.3, 0.1] }),
    values: combinations<Settings>({ relativeDamping: [100, 10, 1], adapts: ['damping', 'length'] }),
  },
  adam: { classes: RATES, values: RATES },
  dladmm: { classes: DECAYS, values: DECAYS },
  'sigmoid-admm': { classes: GAINS, values: GAINS },
};

const each = (name: string, values: readonly unknown[]): readonly Settings[] =>
  values.map((value) => ({ [name]: value }));

/**
 * One setting at a time, everything else as the defaults have it. Of variable-metric ADMM every knob over a hundredfold range
 * about its default, of momentum m over one of 1 − m; of dlADMM what its own family has.
 */
export const VARIED: Readonly<Record<Solver, readonly Settings[]>> = {
  'variable-metric-admm': [
    {},
    ...each('relativeDamping', [10, 30, 300, 1000]),
    ...each('outputDamping', [0.03, 0.1, 1, 3]),
    ...each('learningRate', [0.03, 0.1, 1, 3]),
    ...each('momentum', [0, 0.4, 0.94, 0.98]),
    { adapts: 'damping' },
  ],
  adam: [{}, ...each('learningRate', [1e-4, 3e-4, 3e-3, 1e-2])],
  'sigmoid-admm': [{}, ...each('beta', [0.01, 0.1, 10, 100]), ...each('l2', [1e-4, 1e-2, 1]), ...each('gain', [1, 3])],
  dladmm: [
    {},
    { step: { W: 'cholesky' } },
    { step: { a: 'cholesky' } },
    EXACT,
    ...[
      ...each('l2', [1e-6, 1e-5, 3e-5, 1e-4, 1e-3]),
      ...combinations<Settings>({ nu: [1e-6, 1e-4, 1e-2], rho: [1e-6, 1e-4, 1e-2] }).slice(1),
      ...combinations<Settings>({ nu: [1e-4], rho: [1e-6, 1e-4], l2: [1e-4, 1e-3] }),
      { nu: 1e-6, rho: 1 },
      { nu: 1e-2, rho: 1e-2, l2: 0.1 },
      ...[
        { nu: 1e-6, rho: 1e-4 },
        { schedule: { kind: 'paper', every: 10 } },
        { initialisation: 'he' },
        ...each('start', [{ dual: 'stationary' }, { output: 'signed-labels' }, { hidden: 'gaussian' }]),
      ].map((settings) => ({ ...settings, l2: 1e-5 })),
    ].map((settings) => ({ ...EXACT, ...settings })),
  ],
};

/** The options of a run; of Adam's cosine, the rate falls along half a wave to 0. sigmoid-ADMM has squared errors, and its start a gain. */
export function optionsOf(
  solver: Solver,
  { cosine, gain = 8, ...settings }: Settings,
  iterations: number,
  samples: number,
  classes: boolean,
): object {
  if (solver === 'sigmoid-admm') {
    const loss = classes ? 'one-hot-squared-error' : 'squared-error';
    return { solver, ...settings, loss, initialisation: { scheme: 'msra', gain }, iterations };
  }
  if (solver !== 'adam') return { solver, ...settings, iterations };
  const rate = Number(settings.learningRate ?? 1e-3);
  const learningRate = cosine
    ? ({ epoch }: { readonly epoch: number }) => (rate / 2) * (1 + Math.cos((Math.PI * (epoch - 1)) / iterations))
    : rate;
  return { solver, learningRate, batchSize: samples, shuffle: false, epochs: iterations };
}
