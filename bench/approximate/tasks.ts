/** Functions to be approximated from their values at points drawn at random. */

import { seededRandom } from '../harness/random.js';

/** Inputs of samples × inputs and one target each, row-major. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

export interface Task {
  readonly name: string;
  /** In words, for tables. */
  readonly definition: string;
  readonly inputs: number;
  /** Which points the error is judged on. */
  readonly judged: 'train' | 'test';
  /** Hidden layers and width of the sigmoid network, as the paper lists them. */
  readonly sigmoid: readonly [depth: number, width: number];
  /** The same of its ReLU networks, under SGD and under Adam, and of its sigmoid networks under SGD. */
  readonly sgd: readonly [depth: number, width: number];
  readonly adam: readonly [depth: number, width: number];
  readonly sgdSigmoid: readonly [depth: number, width: number];
  /** The paper's errors by method; none where the exact form of its task is not known. */
  readonly published?: Readonly<Record<string, number>>;
  readonly points: (count: number, seed: number, part: 'train' | 'test') => Points;
}

const drawn =
  (inputs: number, noise: number, f: (point: Float64Array) => number): Task['points'] =>
  (count, seed, part) => {
    const random = seededRandom(2 * seed + (part === 'train' ? 0 : 1));
    const x = Float64Array.from({ length: count * inputs }, () => 2 * random.uniform() - 1);
    const y = Float64Array.from({ length: count }, (_, i) => {
      const value = f(x.subarray(i * inputs, (i + 1) * inputs));
      return part === 'train' && noise > 0 ? value + noise * random.normal() : value;
    });
    return { x, y };
  };

const norm1 = (point: Float64Array): number => point.reduce((sum, value) => sum + Math.abs(value), 0);
const squares = (point: Float64Array): number => point.reduce((sum, value) => sum + value * value, 0);

/**
 * x² and uv as published. The radial tasks are defined here, for their published form is not known, and are comparable
 * with nothing but each other: two variables uniform on [−1, 1]²; (‖x‖₁ − 1)₊ with normal noise of standard deviation 0.1
 * on the training targets, and exp(−‖x‖₂²) without noise; both judged on points of their own, without noise. Depths and
 * widths of all four are those that the paper lists.
 */
export const TASKS: readonly Task[] = [
  {
    name: 'x2',
    definition: 'x² on [-1, 1]',
    inputs: 1,
    judged: 'train',
    sigmoid: [2, 100],
    sgd: [18, 100],
    adam: [15, 80],
    sgdSigmoid: [2, 60],
    published: { admm: 2.53e-9, sgd: 5.34e-8, adam: 3.33e-8, 'sgd-sigmoid': 2.46e-4 },
    points: drawn(1, 0, (point) => (point[0] ?? 0) ** 2),
  },
  {
    name: 'uv',
    definition: 'uv on [-1, 1]²',
    inputs: 2,
    judged: 'train',
    sigmoid: [2, 300],
    sgd: [20, 300],
    adam: [13, 120],
    sgdSigmoid: [2, 240],
    published: { admm: 2.62e-9, sgd: 1.22e-6, adam: 1.13e-6, 'sgd-sigmoid': 1.13e-3 },
    points: drawn(2, 0, (point) => (point[0] ?? 0) * (point[1] ?? 0)),
  },
  {
    name: 'l1-radial',
    definition: '(|u| + |v| - 1)₊ on [-1, 1]², targets with noise N(0, 0.1²)',
    inputs: 2,
    judged: 'test',
    sigmoid: [4, 10],
    sgd: [17, 50],
    adam: [10, 50],
    sgdSigmoid: [1, 20],
    points: drawn(2, 0.1, (point) => Math.max(norm1(point) - 1, 0)),
  },
  {
    name: 'l2-radial',
    definition: 'exp(-u² - v²) on [-1, 1]²',
    inputs: 2,
    judged: 'test',
    sigmoid: [5, 300],
    sgd: [16, 300],
    adam: [11, 400],
    sgdSigmoid: [4, 200],
    points: drawn(2, 0, (point) => Math.exp(-squares(point))),
  },
];
