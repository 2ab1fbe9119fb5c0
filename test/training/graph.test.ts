import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import type { GraphSamples, GraphTrainOptions } from '../../src/graph.js';
import { type GraphModel, fit as learn, loadModel, readCheckpoint, resume, train } from '../../src/index.js';
import { numbers } from '../reference/addon.js';
import { untimed } from './checkpoint/support.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm graphs ü-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const NODES = 24;
const next = numbers(11);
const LABELS = Array.from({ length: NODES }, (_, i) => (i % 3 === 0 ? 'oak' : 'ash'));
const FEATURES = Float64Array.from(
  { length: NODES * 4 },
  (_, i) => 50 + 20 * next() + (i % 4 === 0 ? 30 * ((i / 4) % 3) : 0),
);

/** A ring of nodes of two kinds of trees, whose features are far from 0. */
const GRAPH: GraphSamples = {
  adjacency: {
    rows: NODES,
    columns: NODES,
    indptr: Int32Array.from({ length: NODES + 1 }, (_, i) => i),
    indices: Int32Array.from({ length: NODES }, (_, i) => (i + 3) % NODES),
    data: new Float64Array(NODES).fill(1),
  },
  features: { data: FEATURES, rows: NODES, columns: 4 },
  labels: LABELS,
  trainIndex: Array.from({ length: 12 }, (_, i) => i),
  validationIndex: [12, 13, 14, 15, 16, 17],
  testIndex: [18, 19, 20, 21, 22, 23],
};

const COMMON = { layers: [4, 5, 2], dtype: 'float64', threads: 2, standardise: true } as const;
const SOLVERS: readonly (readonly [string, GraphTrainOptions])[] = [
  ['dladmm', { ...COMMON, iterations: 7, refreshEvery: 3, earlyStopping: { patience: 7 } }],
  ['adam', { ...COMMON, solver: 'adam', epochs: 7 }],
  ['sisa', { ...COMMON, solver: 'sisa', epochs: 7, subBatches: 3 }],
];

describe.each(SOLVERS)('a training on a graph by %s', (name, options) => {
  test('goes on from its checkpoint to the same numbers, with any number of threads', async () => {
    const path = join(folder, `${name}.checkpoint`);
    const whole = await learn(GRAPH, options);
    const before = train(GRAPH, { ...options, checkpoint: { path, every: 2 } });
    for await (const { iteration } of before) if (iteration === 4) break;
    const after = await resume(path, GRAPH, { threads: 1 });
    expect(after.iterations).toBe(7);
    expect(untimed(after.history as never)).toEqual(untimed(whole.history.slice(4) as never));
    expect(after.model.weights).toEqual(whole.model.weights);
    expect(await readCheckpoint(path)).toMatchObject({ iteration: 7, samples: 12 });
  });

  test('that is complete goes further by either name of its limit', async () => {
    const path = join(folder, `${name}-further.checkpoint`);
    const longer = { iterations: 9 };
    const { epochs: _, iterations: __, ...rest } = options as { epochs?: number; iterations?: number };
    const whole = await learn(GRAPH, { ...rest, ...longer } as typeof options);
    await learn(GRAPH, { ...options, checkpoint: { path } });
    const limits = name === 'dladmm' ? [longer] : [{ epochs: 8 }, longer];
    for (const limit of limits) expect((await resume(path, GRAPH, limit)).iterations).toBe(Object.values(limit)[0]);
    expect((await resume(path, GRAPH)).model.weights).toEqual(whole.model.weights);
  });

  test('goes on with the same graph alone', async () => {
    const path = join(folder, `${name}-other.checkpoint`);
    await learn(GRAPH, { ...options, checkpoint: { path } });
    const others = { ...GRAPH, labels: LABELS.with(0, 'ash') };
    const samples = { x: FEATURES, labels: LABELS };
    for (const data of [others, { ...GRAPH, trainIndex: [0, 1, 2] }, samples]) {
      await expect(resume(path, data)).rejects.toMatchObject({
        code: 'ERR_DLADMM_CHECKPOINT',
      });
    }
  });
});

describe('a model of a graph', () => {
  test('tells classes by their names, and takes features as the training did', async () => {
    const { model } = await learn(GRAPH, { ...COMMON, iterations: 40 });
    expect(model.classes).toEqual(['ash', 'oak']);
    const { labels } = await model.predict(GRAPH, [0, 1, 2]);
    expect(labels).toEqual(['oak', 'ash', 'ash']);
    const { accuracy } = await model.evaluate(GRAPH, GRAPH.testIndex ?? []);
    expect(accuracy).toBe(1);
    const path = join(folder, 'model.safetensors');
    await model.save(path);
    const loaded = (await loadModel(path)) as GraphModel;
    expect(loaded.kind).toBe('gcn');
    expect(await loaded.predict(GRAPH)).toEqual(await model.predict(GRAPH));
  });

  test('standardises sparse features as it does dense ones', async () => {
    const sparse = {
      rows: NODES,
      columns: 4,
      indptr: Int32Array.from({ length: NODES + 1 }, (_, i) => 4 * i),
      indices: Int32Array.from({ length: 4 * NODES }, (_, i) => i % 4),
      data: FEATURES,
    };
    const [dense, other] = [
      await learn(GRAPH, { ...COMMON, iterations: 3 }),
      await learn({ ...GRAPH, features: sparse }, { ...COMMON, iterations: 3 }),
    ];
    expect(other.model.weights).toEqual(dense.model.weights);
    expect(await other.model.predict({ ...GRAPH, features: sparse })).toEqual(await dense.model.predict(GRAPH));
  });

  test.each(SOLVERS)('is where another training by %s begins', async (_, options) => {
    const { model } = await learn(GRAPH, options);
    const still = { ...COMMON, solver: 'gd', learningRate: 1e-300, epochs: 1 } as const;
    const { model: after } = await learn(GRAPH, { ...still, initialisation: model } as GraphTrainOptions);
    expect(after.weights).toEqual(model.weights);
    expect(await after.predict(GRAPH)).toEqual(await model.predict(GRAPH));
    const refused = async (more: object, message: RegExp) =>
      expect(learn(GRAPH, { ...still, initialisation: model, ...more } as GraphTrainOptions)).rejects.toThrow(message);
    await refused({ activation: 'tanh' }, /Expected activation: "relu", that of the model in initialisation/);
    await refused({ layers: [4, 6, 2] }, /initialisation\.weights/);
    await refused({ standardise: false }, /standardise: true, and those that it learnt from/);
    const renamed = { ...GRAPH, labels: LABELS.map((label) => (label === 'oak' ? 'elm' : label)) };
    await expect(learn(renamed, { ...still, initialisation: model } as GraphTrainOptions)).rejects.toMatchObject({
      code: 'ERR_DLADMM_LABEL',
    });
    const bare = { initialisation: { weights: model.weights } };
    expect((await learn(renamed, { ...still, ...bare } as GraphTrainOptions)).model.weights).toEqual(model.weights);
  });

  test('has the names that come beside numbers; nodes without a class have −1 or null', async () => {
    const named = {
      ...GRAPH,
      labels: LABELS.map((label, i) => (i > 17 ? -1 : label === 'oak' ? 1 : 0)),
      classes: ['ash', 'oak'],
    };
    const { testIndex: _, ...unlabelled } = { ...GRAPH, labels: LABELS.map((label, i) => (i > 17 ? null : label)) };
    const { testIndex: __, ...numbered } = named;
    for (const graph of [numbered, unlabelled]) {
      const { model } = await learn(graph, { ...COMMON, iterations: 40 });
      expect((await model.predict(graph, [0, 1])).labels).toEqual(['oak', 'ash']);
    }
    const { classes: ___, ...plain } = numbered;
    const nulls = { ...plain, labels: plain.labels.map((label) => (label < 0 ? null : label)) };
    const [minus, other] = [
      await learn(plain, { ...COMMON, iterations: 3 }),
      await learn(nulls, { ...COMMON, iterations: 3 }),
    ];
    expect(other.model.weights).toEqual(minus.model.weights);
  });

  test('whose names are unknown to it is refused by name and node', async () => {
    const { model } = await learn(GRAPH, { ...COMMON, iterations: 1 });
    const strange = { ...GRAPH, labels: LABELS.map((label, i) => (i === 20 ? 'elm' : label)) };
    await expect(model.evaluate(strange, [20])).rejects.toMatchObject({
      code: 'ERR_DLADMM_LABEL',
      message: expect.stringMatching(/graph\.labels\[20\].*elm/),
    });
  });
});

test('a graph without a split is told what draws one', async () => {
  const { trainIndex: _, ...whole } = GRAPH;
  await expect(learn(whole as never, { layers: [4, 5, 2], iterations: 1 })).rejects.toMatchObject({
    code: 'ERR_DLADMM_ARGUMENT',
    message: expect.stringMatching(/splitGraph\(graph, seed\).* for data\.trainIndex but received undefined/),
  });
});

test('a graph in which a node is trained on and tested on too is refused before any work', async () => {
  const options = { layers: [4, 5, 2], iterations: 1 } as const;
  for (const [parts, message] of [
    [{ testIndex: [18, 3] }, /\(3 is in trainIndex too\) for data\.testIndex/],
    [{ validationIndex: [12, 0] }, /\(0 is in trainIndex too\) for data\.validationIndex/],
    [{ validationIndex: [12], testIndex: [13, 12] }, /\(12 is in validationIndex too\) for data\.testIndex/],
  ] as const) {
    await expect(learn({ ...GRAPH, ...parts }, options)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(message),
    });
  }
});

test('edges as pairs of nodes are the same graph as the sparse matrix of them', async () => {
  const pairs = Array.from({ length: NODES }, (_, i) => [i, (i + 3) % NODES]);
  const shuffled = [...pairs.slice(10), ...pairs.slice(0, 10)];
  const whole = await learn(GRAPH, { ...COMMON, iterations: 5 });
  for (const adjacency of [pairs, shuffled, pairs.map((pair) => Int32Array.from(pair))]) {
    const { model } = await learn({ ...GRAPH, adjacency: adjacency as never }, { ...COMMON, iterations: 5 });
    expect(model.weights).toEqual(whole.model.weights);
    expect(await model.predict({ ...GRAPH, adjacency: adjacency as never })).toEqual(await whole.model.predict(GRAPH));
  }
  const alone = await learn({ ...GRAPH, adjacency: [] }, { ...COMMON, iterations: 2 });
  expect(alone.status.kind).toBe('completed');
});

test.each([
  [[[0, 1, 0.5]], 'ERR_DLADMM_SHAPE', /a pair of nodes, \[from, to\], for data\.adjacency\[0\]/],
  [[[0, 1], 7], 'ERR_DLADMM_SHAPE', /data\.adjacency\[1\] but received 7/],
  [[[0, NODES]], 'ERR_DLADMM_RANGE', new RegExp(`a node from 0 to ${NODES - 1} for data\\.adjacency\\[0\\]\\[1\\]`)],
  [[[-1, 0]], 'ERR_DLADMM_RANGE', /data\.adjacency\[0\]\[0\] but received -1/],
  [[['0', 1]], 'ERR_DLADMM_RANGE', /data\.adjacency\[0\]\[0\]/],
  [Array.from({ length: NODES }, () => new Array(NODES).fill(0)), 'ERR_DLADMM_SHAPE', /a pair of nodes/],
] as const)('edges that are no pairs of nodes are refused: %j', async (adjacency, code, message) => {
  await expect(learn({ ...GRAPH, adjacency: adjacency as never }, { ...COMMON, iterations: 1 })).rejects.toMatchObject({
    code,
    message: expect.stringMatching(message),
  });
});
