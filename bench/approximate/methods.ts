/** The methods that approximate, each with the settings of the sigmoid-ADMM paper. */
import { type TrainOptions, train } from 'dladmm';
import { type ConstraintUpdate, Lambda, V, W } from 'dladmm/solvers';
import type { Task } from './tasks.js';

export const METHODS = ['admm', 'frozen', 'sgd', 'adam', 'sgd-sigmoid'] as const;
export type Method = (typeof METHODS)[number];

/** Only the last layer moves: what its ridge regression on the features of the start can do alone. */
export function* frozen(N: number): Generator<ConstraintUpdate> {
  yield W(N);
  yield V(N);
  yield Lambda(N);
}

/** n_0 … n_L of a method's network. */
export function layersOf(task: Task, method: Method): readonly number[] {
  const [depth, width] = task.shapes[method === 'frozen' ? 'admm' : method];
  return [task.inputs, ...new Array<number>(depth).fill(width), 1];
}

export interface Settings {
  readonly points: number;
  readonly epochs: number;
  readonly threads: number;
  readonly standardiseTargets: boolean;
}

/**
 * A training, not yet begun. ADMM in float64; the gradient methods in float32, batches of 50, initial weights of variance
 * 2/n_{l−1} (MSRA), SGD with the rate γ · 0.95^k after k tens of epochs, Adam with γ.
 */
export function open(
  task: Task,
  method: Method,
  seed: number,
  { points, epochs, threads, standardiseTargets }: Settings,
  rate: number,
) {
  const byTest = task.judged === 'test';
  const data = { ...task.points(points, seed, 'train'), ...(byTest && { test: task.points(points, seed, 'test') }) };
  const batches = { initialisation: 'he', batchSize: 50 };
  const sgd = {
    ...batches,
    solver: 'sgd',
    learningRate: ({ epoch }: { readonly epoch: number }) => rate * 0.95 ** Math.floor((epoch - 1) / 10),
  };
  const own = {
    admm: { solver: 'sigmoid-admm' },
    frozen: { solver: 'sigmoid-admm', sweep: frozen },
    adam: { ...batches, solver: 'adam', learningRate: rate },
    sgd: { ...sgd, activation: 'relu' },
    'sgd-sigmoid': { ...sgd, activation: 'sigmoid' },
  }[method];
  const its = { layers: layersOf(task, method), loss: 'squared-error', standardiseTargets };
  const common = { ...its, seed, threads, trainMetrics: !byTest };
  return train(data, { ...common, iterations: epochs, ...own } as TrainOptions);
}
