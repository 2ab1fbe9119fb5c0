/** The methods that approximate, each with the settings of the sigmoid-ADMM paper. */
import { train } from 'dladmm';
import { type ConstraintUpdate, Lambda, V, W } from 'dladmm/solvers';
import type { Task } from './tasks.js';

export const METHODS = ['admm', 'frozen', 'sgd', 'adam', 'sgd-sigmoid'] as const;
export type Method = (typeof METHODS)[number];

/**
 * The paper's rate for SGD, and those that are tried in its place where a training at a larger one meets what is not
 * finite.
 */
export const SGD_RATES: readonly number[] = [0.1, 0.03, 0.01, 0.003, 0.001];

/** Only the last layer moves: what its ridge regression on the features of the start can do alone. */
export function* frozen(N: number): Generator<ConstraintUpdate> {
  yield W(N);
  yield V(N);
  yield Lambda(N);
}

const SHAPES = { admm: 'sigmoid', frozen: 'sigmoid', sgd: 'sgd', adam: 'adam', 'sgd-sigmoid': 'sgdSigmoid' } as const;

/** n_0 … n_L of a method's network. */
export function layersOf(task: Task, method: Method): readonly number[] {
  const [depth, width] = task[SHAPES[method]];
  return [task.inputs, ...new Array<number>(depth).fill(width), 1];
}

export interface Settings {
  readonly points: number;
  readonly epochs: number;
  readonly threads: number;
}

/**
 * A training, not yet begun. ADMM in float64; the gradient methods in float32, batches of 50, initial weights of variance
 * 2/n_{l−1} (MSRA), SGD with the rate γ · 0.95^k after k tens of epochs, Adam with 1e-3.
 */
export function open(task: Task, method: Method, seed: number, { points, epochs, threads }: Settings, rate: number) {
  const data = {
    ...task.points(points, seed, 'train'),
    ...(task.judged === 'test' && { test: task.points(points, seed, 'test') }),
  };
  const common = {
    layers: layersOf(task, method),
    loss: 'squared-error',
    seed,
    threads,
    trainMetrics: task.judged === 'train',
  } as const;
  if (method === 'admm') return train(data, { ...common, solver: 'sigmoid-admm', iterations: epochs });
  if (method === 'frozen') {
    return train(data, { ...common, solver: 'sigmoid-admm', iterations: epochs, sweep: frozen });
  }
  const batches = { ...common, initialisation: 'he', epochs, batchSize: 50 } as const;
  if (method === 'adam') return train(data, { ...batches, solver: 'adam', learningRate: rate });
  return train(data, {
    ...batches,
    solver: 'sgd',
    activation: method === 'sgd' ? 'relu' : 'sigmoid',
    learningRate: ({ epoch }: { readonly epoch: number }) => rate * 0.95 ** Math.floor((epoch - 1) / 10),
  });
}
