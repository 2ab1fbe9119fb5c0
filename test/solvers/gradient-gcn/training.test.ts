import { describe, expect, test } from 'vitest';
import { train } from '../../../src/index.js';
import type { EpochRecord, GraphGradientOptions } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';

/** Two rings of ten nodes, told apart by their first feature. */
const RING = 10;
const GRAPH = {
  adjacency: {
    data: new Float32Array(2 * RING).fill(1),
    indices: Int32Array.from({ length: 2 * RING }, (_, i) => (i < RING ? (i + 1) % RING : RING + ((i + 1) % RING))),
    indptr: Int32Array.from({ length: 2 * RING + 1 }, (_, i) => i),
    rows: 2 * RING,
    columns: 2 * RING,
  },
  features: {
    data: Float32Array.from({ length: 4 * RING }, (_, k) => (k % 2 === 0 && k >= 2 * RING ? 1 : 0.25)),
    rows: 2 * RING,
    columns: 2,
  },
  labels: Int32Array.from({ length: 2 * RING }, (_, i) => (i < RING ? 0 : 1)),
  trainIndex: Int32Array.of(0, 1, 10, 11),
  validationIndex: Int32Array.of(3, 13),
  testIndex: Int32Array.of(5, 6, 15, 16),
};
const OPTIONS: GraphGradientOptions = { solver: 'adam', layers: [2, 4, 2], learningRate: 0.1, threads: 1 };

async function recordsOf(options: GraphGradientOptions) {
  const training = train(GRAPH, options);
  const records: EpochRecord[] = [];
  for await (const record of training) records.push(record);
  return { records, ...training.result };
}

describe('train, on a graph by gradients', () => {
  test('yields a record an epoch, with the parts of the graph where they are due', async () => {
    const { records, status, model } = await recordsOf({ ...OPTIONS, epochs: 5, evaluateEvery: 2, trainMetrics: true });
    expect(status).toEqual({ kind: 'completed' });
    expect(records.map(({ iteration, steps }) => [iteration, steps])).toEqual([1, 2, 3, 4, 5].map((i) => [i, 1]));
    for (const part of ['train', 'validation', 'test'] as const)
      expect(records.map((record) => record[part] !== undefined)).toEqual([false, true, false, true, true]);
    const { loss, accuracy } = await model.evaluate(GRAPH, GRAPH.testIndex);
    expect(loss).toBeCloseTo(records.at(-1)?.test?.loss ?? Number.NaN, 6);
    expect(accuracy).toBe(records.at(-1)?.test?.accuracy);
    model.close();
  });

  test('runs 200 epochs if it is not told otherwise, and tells the rings apart', async () => {
    const { records, iterations, model } = await recordsOf(OPTIONS);
    expect(iterations).toBe(200);
    expect(records.at(-1)?.test?.accuracy).toBe(1);
    const { labels } = await model.predict(GRAPH);
    expect(labels).toEqual(GRAPH.labels);
    model.close();
  });

  test('can be looked into on the way, and left', async () => {
    const training = train(GRAPH, OPTIONS);
    for await (const { iteration } of training) {
      expect((await training.read('W', 1)).data.length).toBe(8);
      if (iteration === 3) break;
    }
    const { status, iterations, model } = training.result;
    expect([status.kind, iterations]).toEqual(['aborted', 3]);
    expect(model.weights.map(({ length }) => length)).toEqual([8, 8]);
    model.close();
  });

  test('stops early, and keeps the best', async () => {
    const early = { earlyStopping: { patience: 3, metric: 'accuracy' } } as const;
    const { status, iterations, model } = await recordsOf({ ...OPTIONS, ...early });
    expect(status.kind).toBe('early-stopped');
    expect(iterations).toBeLessThan(200);
    model.close();
  });

  test('refuses what a graph has no use for', async () => {
    const refuses = (options: object, what: string) =>
      expectFailure(() => train(GRAPH, { ...OPTIONS, ...options } as never), 'ERR_DLADMM_ARGUMENT', what);
    await refuses({ batchSize: 2 }, 'batchSize');
    await refuses({ shuffle: false }, 'shuffle');
    await refuses({ loss: 'squared-error' }, 'loss');
    await refuses({ solver: 'inversion-admm' }, 'solver');
  });
});
