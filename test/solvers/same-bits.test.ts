import { expect, test } from 'vitest';
import type { GraphSamples, GraphTrainOptions } from '../../src/graph.js';
import { fit as learn, type TrainOptions } from '../../src/index.js';
import { GRAPH_SOLVERS, SAMPLE_SOLVERS } from '../../src/solvers/index.js';
import { numbers } from '../reference/addon.js';
import { untimed } from '../training/checkpoint/support.js';

/** More than this machine may have processors: who does a piece of the work must not matter, only how it was cut. */
const MORE = [2, 3, 5, 8];
const ROWS = 1400;
const WIDTH = 120;

const next = numbers(5);
const numbersOf = (count: number): Float64Array => Float64Array.from({ length: count }, () => next() - 0.5);
const labels = Array.from({ length: ROWS }, (_, i) => i % 5);
const data = { x: numbersOf(ROWS * WIDTH), labels };
const graph: GraphSamples = {
  adjacency: {
    rows: ROWS,
    columns: ROWS,
    indptr: Int32Array.from({ length: ROWS + 1 }, (_, i) => i),
    indices: Int32Array.from({ length: ROWS }, (_, i) => (i * 7 + 2) % ROWS),
    data: new Float64Array(ROWS).fill(1),
  },
  features: { data: data.x, rows: ROWS, columns: WIDTH },
  labels,
  trainIndex: Array.from({ length: ROWS - 100 }, (_, i) => i),
  testIndex: Array.from({ length: 100 }, (_, i) => ROWS - 1 - i),
};

const COMMON = { layers: [WIDTH, 140, 130, 5], iterations: 2 } as const;
/** Batches so large that rounds are shared: what takes less than 3e6 operations a thread stays with one. */
const batches = (name: string) => name !== 'gd' && !name.endsWith('admm') && { batchSize: 700 };

test.each(SAMPLE_SOLVERS.map(({ name }) => ({ name })))(
  '$name leaves the same bits with any number of threads',
  async ({ name }) => {
    const run = async (threads: number) => {
      const { model, history } = await learn(data, {
        ...COMMON,
        ...batches(name),
        solver: name,
        threads,
      } as TrainOptions);
      return { weights: model.weights, biases: model.biases, history: untimed(history) };
    };
    const alone = await run(1);
    for (const threads of MORE) expect(await run(threads), `${threads} threads`).toEqual(alone);
  },
);

test.each(GRAPH_SOLVERS.map(({ name }) => ({ name })))(
  '$name on a graph leaves the same bits with any number of threads',
  async ({ name }) => {
    const run = async (threads: number) => {
      const { model, history } = await learn(graph, { ...COMMON, solver: name, threads } as GraphTrainOptions);
      return { weights: model.weights, history: untimed(history) };
    };
    const alone = await run(1);
    for (const threads of MORE) expect(await run(threads), `${threads} threads`).toEqual(alone);
  },
);
