import type { GradientOptions, LearningRate, MinibatchOptions } from 'dladmm/solvers';
import { combinations } from '../harness/study.js';

/** How one run of a race is set: a solver, its options as JSON can hold them, and how its learning rate falls. */
export interface Setting {
  readonly solver: GradientOptions['solver'] | MinibatchOptions['solver'];
  readonly batchSize: number;
  /** The default, which chooses solver, widths and epochs itself: nothing else of the setting is told to it. */
  readonly auto?: true;
  /** Of minibatch-admm: the step η. */
  readonly learningRate?: number;
  /** The learning rate falls along a half cosine to 0 over so many epochs; absent: it is constant. */
  readonly cosine?: number;
  /** σ, ρ, momentum … */
  readonly more?: Readonly<Record<string, number | boolean | string>>;
}

/** The learning rate of a setting, for an epoch of so many steps. */
function learningRateOf({ learningRate = 0, cosine }: Setting, stepsPerEpoch: number): LearningRate {
  if (cosine === undefined) return learningRate;
  const steps = cosine * stepsPerEpoch;
  return ({ step }) => (learningRate / 2) * (1 + Math.cos(Math.PI * Math.min(1, (step - 1) / steps)));
}

/** The options of a solver that a setting stands for, on so many samples. */
export function optionsOf(setting: Setting, samples: number) {
  const { solver, batchSize: wanted, learningRate, more } = setting;
  const batchSize = Math.min(wanted, samples);
  const rate = learningRate === undefined ? undefined : learningRateOf(setting, Math.ceil(samples / batchSize));
  return { solver, batchSize, ...more, ...(rate !== undefined && { learningRate: rate }) };
}

/** In words, for tables. */
export function settingText({ batchSize, learningRate, cosine, more = {}, auto }: Setting): string {
  if (auto) return 'as the rule says, its linear model included, on a network of its own widths';
  return [
    `batch ${batchSize}`,
    ...(learningRate === undefined
      ? []
      : [`rate ${learningRate}${cosine === undefined ? '' : `, cosine over ${cosine}`}`]),
    ...Object.entries(more).map(([name, value]) => `${name} ${value}`),
  ].join(', ');
}

/** Each rate with each batch and each number of epochs that it falls over. */
const falling = (
  solver: Setting['solver'],
  learningRate: readonly number[],
  batchSize: readonly number[],
  more?: Setting['more'],
): readonly Setting[] =>
  combinations({ cosine: [1, 2, 3, 5], batchSize, learningRate }).map((own) => ({
    solver,
    ...own,
    ...(more && { more }),
  }));

/** Both factors: each trust region with each batch and each number of epochs that the default η falls over. */
const measured = (momentum: number, batchSize: readonly number[]): readonly Setting[] =>
  combinations({ cosine: [1, 2, 3, 5], batchSize, trustRegion: [1e-3, 3e-3, 1e-2] }).map(({ trustRegion, ...own }) => ({
    ...{ solver: 'minibatch-admm', learningRate: 0.05, ...own, more: { factors: 'both', momentum, trustRegion } },
  }));

/** Both factors, schedule-free: there is no length of a schedule to try, and η does not matter while the trust region binds. */
const free: readonly Setting[] = combinations({
  batchSize: [256, 512, 1024],
  momentum: [0.8, 0.9],
  trustRegion: [3e-3, 1e-2, 3e-2],
  polyak: [0, 4],
}).map(({ batchSize, ...own }) => ({
  ...{ solver: 'minibatch-admm', batchSize, more: { factors: 'both', scheduleFree: true, ...own } },
}));

/** Penalties that grow as a learning rate has them that falls over two or three epochs, of batches of 128. */
const consensus = (solver: 'badm' | 'sisa', penalties: readonly Record<string, number>[]): readonly Setting[] =>
  combinations({ cosine: [2, 3], more: penalties }).map((own) => ({ solver, batchSize: 128, learningRate: 1, ...own }));

/** What `--tune` tries for a method: of Adam more settings than of ours with one factor, with both and schedule-free, of BADM and SISA fewer. */
export const GRIDS: Readonly<Record<string, readonly Setting[]>> = {
  'minibatch-admm-input': falling('minibatch-admm', [0.3, 0.5, 0.8], [256, 512], { factors: 'input' }),
  'minibatch-admm': [...measured(0.9, [512, 1024]), ...measured(0.8, [256, 512])],
  'minibatch-admm-free': free,
  adam: falling('adam', [5e-4, 1e-3, 2e-3, 3e-3, 4e-3, 6e-3], [128, 256, 512, 1024]),
  sgd: falling('sgd', [0.05, 0.1, 0.2], [128, 256], { momentum: 0.9 }),
  // w − (2m⁺ − m)/σ with m⁺ = βm + (1 − β)ḡ: 1/σ is the rate, ρ/σ = β/(1 − β).
  badm: consensus(
    'badm',
    combinations({ sigma: [0.3, 0.5, 1, 2], share: [4, 10, 20] }).map(({ sigma, share }) => ({
      sigma,
      rho: Number((share * sigma).toPrecision(3)),
    })),
  ),
  sisa: consensus('sisa', combinations({ subBatches: [1, 4], sigma: [0.1, 0.3, 1], rho: [200, 350, 600] })),
};

/** What an earlier search found on MNIST by test images, and what nobody chose. */
const MNIST: Readonly<Record<string, Setting>> = {
  auto: { solver: 'minibatch-admm', batchSize: 512, auto: true },
  'minibatch-admm-input': {
    ...{ solver: 'minibatch-admm', batchSize: 512, learningRate: 0.8, cosine: 2 },
    more: { factors: 'input' },
  },
  adam: { solver: 'adam', batchSize: 512, learningRate: 4e-3, cosine: 5 },
  sgd: { solver: 'sgd', batchSize: 128, learningRate: 0.1, cosine: 5, more: { momentum: 0.9 } },
  badm: { solver: 'badm', batchSize: 128, more: { sigma: 1, rho: 40 } },
  sisa: { solver: 'sisa', batchSize: 128, more: { sigma: 1, rho: 2000, subBatches: 4 } },
};

/** The same of Fashion-MNIST for ours and Adam; the others as on MNIST. */
const FASHION_MNIST: typeof MNIST = {
  ...MNIST,
  adam: { solver: 'adam', batchSize: 512, learningRate: 1e-3, cosine: 5 },
};

/** The settings of a race by data set and method. */
export const BEST: Readonly<Record<string, Readonly<Record<string, Setting>>>> = {
  mnist: MNIST,
  'fashion-mnist': FASHION_MNIST,
};
