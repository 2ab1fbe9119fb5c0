import { consensus, type Setting } from '../race/settings.js';

export const TASKS = ['autoencoder', 'language'] as const;
export type TaskName = (typeof TASKS)[number];
export const METHODS = ['adam', 'badm', 'sisa'] as const;

const adam = (learningRate: number): Setting => ({ solver: 'adam', batchSize: 128, learningRate });

const grid = (solver: 'badm' | 'sisa', sigma: readonly number[], rho: readonly number[]): readonly Setting[] =>
  consensus(solver, sigma, rho, { subBatches: 4 });

const RATES = [3e-4, 1e-3, 2e-3, 4e-3, 8e-3].map(adam);

/** What `--tune` tries for a method. A squared error summed over 784 pixels is much more curved: it needs larger σ and ρ. */
export const GRIDS: Readonly<Record<TaskName, Readonly<Record<string, readonly Setting[]>>>> = {
  autoencoder: {
    adam: RATES,
    badm: grid('badm', [3, 10, 30, 100], [100, 200, 400, 800]),
    sisa: grid('sisa', [1, 3, 10, 30], [1000, 3000, 10_000, 30_000]),
  },
  language: {
    adam: RATES,
    badm: grid('badm', [0.1, 0.3, 1], [3, 10, 30, 100]),
    sisa: grid('sisa', [0.1, 0.3, 1], [300, 1000, 3000, 10_000]),
  },
};

/** The best that `--tune` found. */
export const BEST: Readonly<Record<TaskName, Readonly<Record<string, Setting | undefined>>>> = {
  autoencoder: { adam: adam(2e-3), badm: grid('badm', [30], [400])[0], sisa: grid('sisa', [3], [3000])[0] },
  language: { adam: adam(4e-3), badm: grid('badm', [0.3], [10])[0], sisa: grid('sisa', [1], [3000])[0] },
};
