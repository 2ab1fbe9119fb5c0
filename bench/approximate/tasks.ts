/** Functions to be approximated from their values at points drawn at random. */
import { seededRandom } from '../harness/random.js';

type Part = 'train' | 'test';
type Shape = readonly [depth: number, width: number];

export interface Task {
  readonly name: string;
  /** In words, for tables. */
  readonly definition: string;
  readonly inputs: number;
  /** Which points the error is judged on. */
  readonly judged: Part;
  /** Hidden layers and their width, as the paper lists them: sigmoid networks of admm and sgd-sigmoid, ReLU networks of sgd and adam. */
  readonly shapes: Readonly<Record<'admm' | 'sgd' | 'adam' | 'sgd-sigmoid', Shape>>;
  /** The paper's errors by method; none where the exact form of its task is not known. */
  readonly published?: Readonly<Record<string, number>>;
  /** Inputs of samples × inputs and one target each, row-major. */
  readonly points: (count: number, seed: number, part: Part) => { readonly x: Float64Array; readonly y: Float64Array };
}

const drawn =
  (inputs: number, noise: number, f: (u: number, v: number) => number): Task['points'] =>
  (count, seed, part) => {
    const random = seededRandom(2 * seed + (part === 'train' ? 0 : 1));
    const x = Float64Array.from({ length: count * inputs }, () => 2 * random.uniform() - 1);
    const y = Float64Array.from({ length: count }, (_, i) => {
      const value = f(x[i * inputs] ?? 0, x[i * inputs + 1] ?? 0);
      return part === 'train' && noise > 0 ? value + noise * random.normal() : value;
    });
    return { x, y };
  };

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
    shapes: { admm: [2, 100], sgd: [18, 100], adam: [15, 80], 'sgd-sigmoid': [2, 60] },
    published: { admm: 2.53e-9, sgd: 5.34e-8, adam: 3.33e-8, 'sgd-sigmoid': 2.46e-4 },
    points: drawn(1, 0, (x) => x * x),
  },
  {
    name: 'uv',
    definition: 'uv on [-1, 1]²',
    inputs: 2,
    judged: 'train',
    shapes: { admm: [2, 300], sgd: [20, 300], adam: [13, 120], 'sgd-sigmoid': [2, 240] },
    published: { admm: 2.62e-9, sgd: 1.22e-6, adam: 1.13e-6, 'sgd-sigmoid': 1.13e-3 },
    points: drawn(2, 0, (u, v) => u * v),
  },
  {
    name: 'l1-radial',
    definition: '(|u| + |v| - 1)₊ on [-1, 1]², targets with noise N(0, 0.1²)',
    inputs: 2,
    judged: 'test',
    shapes: { admm: [4, 10], sgd: [17, 50], adam: [10, 50], 'sgd-sigmoid': [1, 20] },
    points: drawn(2, 0.1, (u, v) => Math.max(Math.abs(u) + Math.abs(v) - 1, 0)),
  },
  {
    name: 'l2-radial',
    definition: 'exp(-u² - v²) on [-1, 1]²',
    inputs: 2,
    judged: 'test',
    shapes: { admm: [5, 300], sgd: [16, 300], adam: [11, 400], 'sgd-sigmoid': [4, 200] },
    points: drawn(2, 0, (u, v) => Math.exp(-u * u - v * v)),
  },
];
