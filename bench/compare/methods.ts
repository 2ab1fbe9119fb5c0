import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { TrainOptions } from 'dladmm';
import { SAMPLE_SOLVERS } from 'dladmm/solvers';
import { refused } from '../harness/program.js';

type Shared = 'layers' | 'seed' | 'dtype' | 'threads' | 'trainMetrics' | 'evaluateEvery';
/** What of the options every method is given alike. */
export type SharedOptions = Pick<TrainOptions, Shared>;

type Own<Options> = Options extends unknown ? Omit<Options, keyof SharedOptions | 'iterations' | 'epochs'> : never;

const GAUSSIAN = { hidden: 'gaussian', output: 'gaussian' } as const;
const FORWARD = { hidden: 'forward', output: 'signed-labels' } as const;

/**
 * The comparison methods of the KDD 2019 paper: full batch, loss summed over the samples, its learning rates. That of SGD only makes
 * sense for such a sum. Where its networks begin the paper does not say: of three starts this was nearest to its training accuracies.
 */
const KDD = { initialisation: { gaussian: 0.1 }, batchSize: 1e9, shuffle: false, reduction: 'sum' } as const;

/** What is compared of a solver's choices, or sets one apart from its defaults. */
const CHOICES = {
  // The choices that the paper leaves open: where z and a begin, and γ.
  'inversion-gaussian-1': { solver: 'inversion-admm', gamma: 1, start: GAUSSIAN },
  'inversion-gaussian-10': { solver: 'inversion-admm', gamma: 10, start: GAUSSIAN },
  'inversion-forward-1': { solver: 'inversion-admm', gamma: 1, start: FORWARD },
  'inversion-forward-10': { solver: 'inversion-admm', gamma: 10, start: FORWARD },
  // An iteration of these is an epoch: one step on all samples for gd, a step a batch of 128 for the others.
  gd: { solver: 'gd', learningRate: 0.1 },
  sgd: { solver: 'sgd', learningRate: 0.02, momentum: 0.9 },
  adagrad: { solver: 'adagrad', learningRate: 0.01 },
  adadelta: { solver: 'adadelta', learningRate: 1 },
  adam: { solver: 'adam', learningRate: 1e-3 },
  'kdd-sgd': { solver: 'sgd', learningRate: 1e-6, ...KDD },
  'kdd-adagrad': { solver: 'adagrad', learningRate: 1e-3, ...KDD },
  'kdd-adadelta': { solver: 'adadelta', learningRate: 0.1, ...KDD },
  'kdd-adam': { solver: 'adam', learningRate: 1e-3, ...KDD },
  'kdd-sgd-he': { solver: 'sgd', learningRate: 1e-6, ...KDD, initialisation: 'he' },
  'kdd-sgd-glorot': { solver: 'sgd', learningRate: 1e-6, ...KDD, initialisation: 'glorot' },
  'kdd-adam-he': { solver: 'adam', learningRate: 1e-3, ...KDD, initialisation: 'he' },
  'kdd-adam-glorot': { solver: 'adam', learningRate: 1e-3, ...KDD, initialisation: 'glorot' },
} as const satisfies Readonly<Record<string, Own<TrainOptions>>>;

/** The methods by name: every solver, by its defaults where nothing else is chosen above, and the other choices. */
export const methodsOf = (solvers: readonly { readonly name: string }[]): Readonly<Record<string, object>> => ({
  ...Object.fromEntries(solvers.map(({ name }) => [name, { solver: name }])),
  ...CHOICES,
});
export const METHODS = methodsOf(SAMPLE_SOLVERS);

/** A method under a name. */
export interface Method {
  readonly name: string;
  readonly options: object;
}

/** The solver that a module exports by default, with its defaults. @throws DlAdmmError ERR_DLADMM_ARGUMENT where it has none */
export async function ownSolver(file: string): Promise<Method> {
  const path = resolve(file);
  if (!existsSync(path)) throw refused('a module with a solver', '--solver', file);
  const { default: solver } = (await import(pathToFileURL(path).href)) as { readonly default?: object };
  if (solver === undefined || !('name' in solver)) {
    throw refused('a module that exports a solver by default (defineSolver)', '--solver', file);
  }
  return { name: String(solver.name), options: { solver } };
}

/** The whole options of a method, dlADMM where it names no solver: of so many sweeps, or epochs of a gradient method. */
export const optionsOf = (own: object, shared: SharedOptions, iterations: number): TrainOptions =>
  ({ solver: 'dladmm', ...shared, ...own, iterations }) as TrainOptions;
