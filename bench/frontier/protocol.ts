/** What docs/frontier.md lays down: the tasks with their targets, and for every method the space that its trials are drawn from. */
import { defaultBatchSize } from 'dladmm/solvers';
import { loadTask } from '../defaults/tasks.js';
import { heldOut, type Samples } from '../harness/samples.js';
import { autoencoder, language } from '../tasks/task.js';

/** What a task is judged by, and the score that is to be reached. */
export const TARGETS = {
  mnist: { score: 'accuracy', target: 0.98 },
  'fashion-mnist': { score: 'accuracy', target: 0.885 },
  autoencoder: { score: 'loss', target: 4 },
  language: { score: 'loss', target: 2.4 * Math.LN2 },
  'california-housing': { score: 'loss', target: 0.105 },
  adult: { score: 'accuracy', target: 0.855 },
  digits: { score: 'accuracy', target: 0.93 },
  diabetes: { score: 'loss', target: 0.27 },
} as const;
export type TaskName = keyof typeof TARGETS;
export const TASKS = Object.keys(TARGETS) as TaskName[];

/** Scores of seeds, one that diverged (null) as bad as can be. */
export const seedsOf = (task: TaskName, scores: readonly (number | null)[]): readonly number[] =>
  scores.map((score) => score ?? (TARGETS[task].score === 'accuracy' ? 0 : Number.POSITIVE_INFINITY));

/** In epochs of Adam. */
export const BUDGETS = '1,2,4,8,16';

/** Of rates and penalties from and to, with a uniform logarithm; of the others a choice. */
type Space = Readonly<Record<string, readonly unknown[]>>;
const RATES = ['learningRate', 'trustRegion', 'sigma', 'rho'];

const batchSize = [64, 128, 256, 512];
const learningRateSchedule = ['cosine'];

/** The first trial of a method is its published defaults (those of `first`); the others lie in `space`. */
export const SPACES: Readonly<Record<string, { readonly first?: object; readonly space: Space }>> = {
  'minibatch-admm-input': {
    first: { solver: 'minibatch-admm', factors: 'input' },
    space: {
      ...{ learningRate: [0.05, 1.6], batchSize, relativeDamping: [1, 4, 16], l2: [0, 1e-4, 1e-3] },
      ...{ factors: ['input'], solver: ['minibatch-admm'] },
    },
  },
  'minibatch-admm': {
    first: { factors: 'both' },
    space: {
      ...{ trustRegion: [3e-3, 0.3], batchSize, outputDamping: [0.3, 1, 3], l2: [0, 1e-4, 1e-3] },
      ...{ factors: ['both'], solver: ['minibatch-admm'] },
    },
  },
  'minibatch-admm-input-free': {
    first: { solver: 'minibatch-admm', factors: 'input', scheduleFree: true },
    space: {
      ...{ learningRate: [1, 30], batchSize, relativeDamping: [1, 4, 16], l2: [0, 1e-4, 1e-3] },
      ...{ factors: ['input'], scheduleFree: [true], solver: ['minibatch-admm'] },
    },
  },
  'minibatch-admm-free': {
    first: { solver: 'minibatch-admm', factors: 'both', scheduleFree: true },
    space: {
      ...{ trustRegion: [3e-3, 0.3], batchSize, outputDamping: [0.3, 1, 3], l2: [0, 1e-4, 1e-3] },
      ...{ factors: ['both'], scheduleFree: [true], solver: ['minibatch-admm'] },
    },
  },
  adam: { space: { learningRate: [3e-4, 2e-2], batchSize, learningRateSchedule } },
  sgd: {
    first: { momentum: 0.9 },
    space: { learningRate: [1e-3, 0.5], batchSize, learningRateSchedule, momentum: [0.9], nesterov: [true] },
  },
  nadamw: { space: { learningRate: [3e-4, 2e-2], batchSize, l2: [0, 0.01, 0.08] } },
  'schedule-free': { space: { learningRate: [1e-3, 6e-2], batchSize, beta1: [0.9, 0.95], l2: [0, 0.01, 0.08] } },
  muon: { space: { learningRate: [3e-3, 0.2], batchSize, adamShare: [0.015, 0.05, 0.15, 0.5] } },
  soap: { space: { learningRate: [3e-4, 3e-2], batchSize, l2: [0, 0.01, 0.08] } },
  kfac: { space: { damping: [0.03, 0.3, 3, 30], batchSize: [256, 512, 1024, 2048], l2: [0, 1e-5, 1e-4] } },
  isaac: {
    space: { learningRate: [1e-2, 3], batchSize, damping: [0.1, 1, 10], momentum: [0, 0.9], learningRateSchedule },
  },
  badm: { space: { sigma: [0.1, 100], rho: [3, 1000], batchSize, learningRate: [1, 1], learningRateSchedule } },
  sisa: {
    space: {
      ...{ sigma: [0.1, 30], rho: [300, 30_000], batchSize, subBatches: [4] },
      ...{ learningRate: [1, 1], learningRateSchedule },
    },
  },
};
export type Settings = Readonly<Record<string, unknown>>;

/** Samples a batch, 0 for a method's own default. Where that follows from the samples it is told, as a pace is measured on fewer. */
export const batchOf = ({ solver, batchSize }: Settings, samples: number): number =>
  Number(batchSize ?? (solver === 'minibatch-admm' ? defaultBatchSize(samples) : 0));

/** With steps so short that nothing diverges. */
export const timid = (settings: Settings): Settings => ({
  ...settings,
  ...(settings.solver === 'kfac' ? { damping: 1e9 } : { learningRate: 1e-6 }),
});

/** Halton's points: the digits of i in a base, mirrored at the point. */
const mirrored = (i: number, base: number): number =>
  i === 0 ? 0 : ((i % base) + mirrored(Math.floor(i / base), base)) / base;
const BASES = [2, 3, 5, 7, 11];

/** Trial 0, 1, …: the same for every task and budget, rates spread alike in the range of every method; more trials leave the first as they are. */
export const trialsOf = (method: string, count: number): readonly Settings[] =>
  Array.from({ length: count }, (_, i) => {
    const { first, space } = SPACES[method] as (typeof SPACES)[string];
    if (i === 0) return { solver: method, ...first };
    const drawn = Object.entries(space).map(([name, values], k) => {
      const share = mirrored(i, BASES[k] ?? 2);
      if (!RATES.includes(name)) return [name, values[Math.floor(share * values.length)]];
      const [low, high] = values as readonly [number, number];
      return [name, low * (high / low) ** share];
    });
    return { solver: method, ...Object.fromEntries(drawn) };
  });

export interface Parts {
  readonly train: Samples;
  readonly test: Samples;
}

/** The network of a task, all of its samples, and those to choose by: the last tenth of the training samples is their test. */
export async function taskOf(name: TaskName, dataDir: string | undefined) {
  const parted = (train: Samples, test: Samples) => ({ all: { train, test }, fewer: heldOut(train) });
  if (name === 'autoencoder' || name === 'language') {
    const own = name === 'language' ? await language() : await autoencoder('mnist', dataDir);
    const { layers, loss, initialisation, train, test } = own;
    return { network: { layers, loss, initialisation, standardiseTargets: false }, ...parted(train, test) };
  }
  const found = await loadTask(name, dataDir);
  if (found === undefined) return undefined;
  const { layers, loss, data } = found;
  const { test, ...train } = data as Samples & { readonly test: Samples };
  return { network: { layers, loss, standardiseTargets: false }, ...parted(train, test) };
}
