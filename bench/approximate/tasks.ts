/** Functions to be approximated from their values at points drawn at random. */

import { seededRandom } from '../random.js';

/** Inputs of samples × inputs and one target each, row-major. */
export interface Points {
  readonly x: Float64Array;
  readonly y: Float64Array;
}

export interface Task {
  readonly name: string;
  readonly inputs: number;
  /** Which points the error is judged on. */
  readonly judged: 'train' | 'test';
  /** Hidden layers and width of the sigmoid network, as the paper lists them. */
  readonly sigmoid: readonly [depth: number, width: number];
  /** The same of its ReLU networks, under SGD and under Adam. */
  readonly sgd: readonly [depth: number, width: number];
  readonly adam: readonly [depth: number, width: number];
  /** What the paper reports for sigmoid-ADMM; none where the exact form of its task is not known. */
  readonly published?: number;
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

const sum = (point: Float64Array, of: (value: number) => number): number =>
  point.reduce((total, value) => total + of(value), 0);

/**
 * x² and uv as published. The radial tasks are defined here, for their published form is not known, and are comparable
 * with nothing but each other: five variables uniform on [−1, 1]⁵; (‖x‖₁ − 1)₊ with normal noise of standard deviation
 * 0.1 on the training targets, and exp(−|x|²) without noise; judged without noise on points of their own.
 */
export const TASKS: readonly Task[] = [
  {
    name: 'x2',
    inputs: 1,
    judged: 'train',
    sigmoid: [2, 100],
    sgd: [18, 100],
    adam: [15, 80],
    published: 2.53e-9,
    points: drawn(1, 0, (point) => (point[0] ?? 0) ** 2),
  },
  {
    name: 'uv',
    inputs: 2,
    judged: 'train',
    sigmoid: [2, 300],
    sgd: [20, 300],
    adam: [13, 120],
    published: 2.62e-9,
    points: drawn(2, 0, (point) => (point[0] ?? 0) * (point[1] ?? 0)),
  },
  {
    name: 'l1-radial',
    inputs: 5,
    judged: 'test',
    sigmoid: [4, 10],
    sgd: [17, 50],
    adam: [10, 50],
    points: drawn(5, 0.1, (point) => Math.max(sum(point, Math.abs) - 1, 0)),
  },
  {
    name: 'l2-radial',
    inputs: 5,
    judged: 'test',
    sigmoid: [5, 300],
    sgd: [16, 300],
    adam: [11, 400],
    points: drawn(5, 0, (point) => Math.exp(-sum(point, (value) => value * value))),
  },
];
