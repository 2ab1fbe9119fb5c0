import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/core/random.js';
import { loadGraph } from '../../../src/datasets/graphs.js';
import { initialise } from '../../../src/network/initialisation.js';
import type { Network } from '../../../src/network/network.js';
import type { GraphSamples } from '../../../src/samples/graph-samples.js';
import type { GradientMethod } from '../../../src/solvers/shared/methods.js';
import {
  type GraphGradientSession,
  type GraphGradientSessionOptions,
  graphGradients,
} from '../../../src/solvers/shared/splittings/graph-gradient.js';
import { expectFailure, shared } from '../../formats/support.js';

const untyped = <T>(value: unknown): T => value as T;

/** Six nodes: a ring of five and one alone; three features, of which node 2 has none; node 5 has no class. */
const FEATURES = [
  [1, 0, 2],
  [0, 3, 0],
  [0, 0, 0],
  [1, 1, 0],
  [0, 2, 1],
  [4, 0, 0],
] as const;
const RING = [0, 1, 2, 3, 4].map((i) => [i, (i + 1) % 5] as const);
const NODES = FEATURES.length;
const LABELS = [0, 1, 0, 1, 1, -1];
const TRAIN = [0, 1, 3];

const dense = { data: Float64Array.from(FEATURES.flat()), rows: NODES, columns: 3 };

const sparse = {
  data: Float64Array.from(FEATURES.flat().filter((value) => value !== 0)),
  indices: Int32Array.from(FEATURES.flatMap((row) => [...row.keys()].filter((j) => row[j] !== 0))),
  indptr: Int32Array.from([0, 2, 3, 3, 5, 7, 8]),
  rows: NODES,
  columns: 3,
};

/** Every edge once, in one direction: the core makes it one in both. */
const GRAPH: GraphSamples = {
  adjacency: {
    data: new Float64Array(5).fill(1),
    indices: Int32Array.from(RING, ([, to]) => to),
    indptr: Int32Array.of(0, 1, 2, 3, 4, 5, 5),
    rows: NODES,
    columns: NODES,
  },
  features: sparse,
  labels: Int32Array.from(LABELS),
  trainIndex: Int32Array.from(TRAIN),
  testIndex: Int32Array.of(2, 4),
};

/** Ã: every node of the ring has degree 3 with its self-loop. */
const SMOOTHING = Array.from({ length: NODES }, (_, i) =>
  Array.from({ length: NODES }, (_entry, j) => {
    if (i === 5 || j === 5) return i === j ? 1 : 0;
    const apart = (i - j + 5) % 5;
    return apart === 0 || apart === 1 || apart === 4 ? 1 / 3 : 0;
  }),
);

const product = (a: readonly (readonly number[])[], b: readonly (readonly number[])[]): number[][] =>
  a.map((row) =>
    (b[0] ?? []).map((_, j) => row.reduce((sum, value, k) => sum + value * ((b[k] as readonly number[])[j] ?? 0), 0)),
  );

/** W_l of a vector of all weights. */
function matrices(layers: readonly number[], weights: ArrayLike<number>): number[][][] {
  let first = 0;
  return layers.slice(1).map((outputs, l) => {
    const inputs = layers[l] as number;
    const at = first;
    first += inputs * outputs;
    return Array.from({ length: inputs }, (_, i) =>
      Array.from({ length: outputs }, (_entry, j) => weights[at + i * outputs + j] ?? 0),
    );
  });
}

/** Z_L of the network with tanh, written down as it is defined. */
function outputs(layers: readonly number[], weights: ArrayLike<number>): number[][] {
  const all = matrices(layers, weights);
  return all.reduce<number[][]>(
    (h, w, l) => {
      const z = product(SMOOTHING, product(h, w));
      return l + 1 < all.length ? z.map((row) => row.map(Math.tanh)) : z;
    },
    FEATURES.map((row) => [...row]),
  );
}

/** Softmax cross-entropy, averaged over some nodes. */
function meanLoss(layers: readonly number[], weights: ArrayLike<number>, nodes: readonly number[]): number {
  const z = outputs(layers, weights);
  const losses = nodes.map((node) => {
    const row = z[node] as number[];
    return Math.log(row.reduce((sum, value) => sum + Math.exp(value), 0)) - (row[LABELS[node] as number] as number);
  });
  return losses.reduce((sum, loss) => sum + loss, 0) / nodes.length;
}

const LAYERS = [3, 4, 2];
const COUNT = 3 * 4 + 4 * 2;
const START = Float64Array.from({ length: COUNT }, (_, i) => Math.sin(3 * i + 1));
const NETWORK: Network = { layers: LAYERS, activation: 'tanh', loss: 'softmax-cross-entropy' };
const GD: GradientMethod = { solver: 'gd', learningRate: 1 };
const OPTIONS: GraphGradientSessionOptions = { network: NETWORK, dtype: 'float64', threads: 2, method: GD };

async function open(
  options: Partial<GraphGradientSessionOptions> = {},
  graph: GraphSamples = GRAPH,
): Promise<GraphGradientSession> {
  const state = await graphGradients.open({ ...OPTIONS, ...options }, graph);
  await state.write('W', 1, START.slice(0, 12));
  await state.write('W', 2, START.slice(12));
  return state;
}

const weightsOf = async (state: GraphGradientSession): Promise<number[]> => [
  ...(await state.read('W', 1)).data,
  ...(await state.read('W', 2)).data,
];

describe('a graph network under training by gradients', () => {
  test('has the loss and the accuracy of the network as it is defined', async () => {
    using state = await open();
    const z = outputs(LAYERS, START);
    const right = [2, 4].filter((node) => Number((z[node]?.[1] ?? 0) > (z[node]?.[0] ?? 0)) === LABELS[node]);
    const { loss, accuracy } = await state.evaluate(await state.addEvaluationSet([2, 4], 'test'));
    expect(loss).toBeCloseTo(meanLoss(LAYERS, START, [2, 4]), 13);
    expect(accuracy).toBe(right.length / 2);
    expect((await state.evaluate('train')).loss).toBeCloseTo(meanLoss(LAYERS, START, TRAIN), 13);
  });

  test.each([
    ['sparse', sparse],
    ['dense', dense],
  ])('goes down the slope that central differences find, with %s features', async (_, features) => {
    using state = await open({}, { ...GRAPH, features });
    const { loss } = await state.run();
    expect(loss).toBeCloseTo(meanLoss(LAYERS, START, TRAIN), 13);
    const after = await weightsOf(state);
    for (const [i, weight] of START.entries()) {
      const moved = (by: number): number => meanLoss(LAYERS, START.with(i, weight + by), TRAIN);
      expect(weight - (after[i] ?? 0)).toBeCloseTo((moved(1e-5) - moved(-1e-5)) / 2e-5, 8);
    }
  });

  test('decays the weights of a layer by what is that layer’s', async () => {
    using plain = await open();
    using decayed = await open({ l2: [0.25, 0] });
    using even = await open({ l2: 0.5 });
    for (const state of [plain, decayed, even]) await state.run();
    const [without, first, both] = [await weightsOf(plain), await weightsOf(decayed), await weightsOf(even)];
    for (const [i, weight] of START.entries()) {
      expect((without[i] ?? 0) - (first[i] ?? 0)).toBeCloseTo(i < 12 ? 0.25 * weight : 0, 13);
      expect((without[i] ?? 0) - (both[i] ?? 0)).toBeCloseTo(0.5 * weight, 13);
    }
  });

  test('leaves nothing out when it is evaluated, and another half in every step', async () => {
    using state = await open({ dropout: 0.5, method: { solver: 'gd', learningRate: 0 } });
    expect((await state.evaluate('train')).loss).toBeCloseTo(meanLoss(LAYERS, START, TRAIN), 13);
    const losses: number[] = [];
    for (let step = 0; step < 6; step += 1) losses.push((await state.run()).loss);
    expect(new Set(losses).size).toBe(6);
  });

  test('depends on the seed and not on the threads, where something is left out', async () => {
    const trained = async (options: Partial<GraphGradientSessionOptions>) => {
      using state = await open({ dropout: 0.5, method: { solver: 'adam', learningRate: 0.1 }, ...options });
      await state.run(20);
      return await weightsOf(state);
    };
    const first = await trained({ seed: 3 });
    expect(await trained({ seed: 3 })).toEqual(first);
    expect(await trained({ seed: 4 })).not.toEqual(first);
    for (const [i, weight] of (await trained({ seed: 3, threads: 1 })).entries())
      expect(weight).toBeCloseTo(first[i] ?? 0, 10);
  });

  test('begins anew after reset', async () => {
    const options = { dropout: 0.5, method: { solver: 'adam', learningRate: 0.1 } } as const;
    using state = await open(options);
    const first = await state.run(5);
    await state.reset();
    await state.write('W', 1, START.slice(0, 12));
    await state.write('W', 2, START.slice(12));
    expect((await state.run(5)).loss).toBe(first.loss);
  });

  test('stops between two steps, and can go on', async () => {
    using state = await open();
    const running = state.run(1e9);
    const other = expectFailure(() => state.run(1), 'ERR_DLADMM_STATE', /one run at a time/);
    setTimeout(() => state.stop(), 20);
    expect(await running).toMatchObject({ stopped: true, diverged: false });
    await other;
    expect(await state.run(2)).toMatchObject({ steps: 2, samples: 6, stopped: false });
  });

  test('is not used after its end', async () => {
    const state = await open();
    state.close();
    state.close();
    await expectFailure(() => state.run(), 'ERR_DLADMM_CLOSED');
    await expectFailure(() => state.evaluate('train'), 'ERR_DLADMM_CLOSED');
  });

  test('puts the last finite weights back where it diverges', async () => {
    using state = await open({ dtype: 'float32', method: { solver: 'gd', learningRate: 1e38 }, l2: 1 });
    const { diverged, steps } = await state.run(50);
    expect(diverged).toBe(true);
    expect(steps).toBeLessThan(50);
    for (const weight of await weightsOf(state)) expect(Number.isFinite(weight)).toBe(true);
  });
});

describe('what it refuses', () => {
  const refuses = (
    options: object,
    code: 'ERR_DLADMM_ARGUMENT' | 'ERR_DLADMM_RANGE' | 'ERR_DLADMM_SHAPE',
    what: string,
  ) => expectFailure(() => graphGradients.open(untyped({ ...OPTIONS, ...options }), GRAPH), code, what);

  test('options that are none, or out of range', async () => {
    await refuses({ dropout: 1 }, 'ERR_DLADMM_RANGE', 'dropout');
    await refuses({ dropout: -0.1 }, 'ERR_DLADMM_RANGE', 'dropout');
    await refuses({ dropout: '0.5' }, 'ERR_DLADMM_ARGUMENT', 'dropout');
    await refuses({ batchSize: 2 }, 'ERR_DLADMM_ARGUMENT', 'batchSize');
    await refuses({ l2: [1] }, 'ERR_DLADMM_SHAPE', 'l2');
    await refuses({ l2: [1, -1] }, 'ERR_DLADMM_RANGE', 'l2[1]');
    await refuses({ method: { solver: 'adam', l2: 1 } }, 'ERR_DLADMM_ARGUMENT', 'l2');
    await refuses({ method: { solver: 'newton' } }, 'ERR_DLADMM_ARGUMENT', 'solver');
    await refuses({ network: { ...NETWORK, loss: 'squared-error' } }, 'ERR_DLADMM_ARGUMENT', 'loss');
  });

  test('blocks, layers and parts that it does not have', async () => {
    using state = await open();
    await expectFailure(() => state.read(untyped('b'), 1), 'ERR_DLADMM_ARGUMENT', 'block');
    await expectFailure(() => state.read('W', 3), 'ERR_DLADMM_RANGE', 'layer');
    await expectFailure(() => state.write('W', 1, new Float64Array(11)), 'ERR_DLADMM_SHAPE', '12 numbers');
    await expectFailure(() => state.write('W', 1, new Float64Array(12).fill(Number.NaN)), 'ERR_DLADMM_NON_FINITE');
    await expectFailure(() => state.evaluate(0), 'ERR_DLADMM_ARGUMENT', 'set');
  });
});

describe.skipIf(!existsSync(join(shared, 'datasets/graphs')))(
  'Adam with 16 hidden units (skipped without the shared data folder)',
  () => {
    // Kipf and Welling (2017), table 2; a run differs from the mean by less than .02.
    test.each([
      ['cora', 0.815],
      ['citeseer', 0.703],
    ])(
      'reaches on %s what Kipf and Welling reached',
      async (name, reached) => {
        const graph = await loadGraph(name as 'cora', { dataDir: join(shared, 'datasets') });
        const layers = [graph.features.columns, 16, graph.classes.length];
        const accuracies: number[] = [];
        for (const seed of [1, 2, 3]) {
          using state = await graphGradients.open(
            {
              network: { layers, activation: 'relu', loss: 'softmax-cross-entropy' },
              dtype: 'float32',
              threads: 2,
              method: { solver: 'adam', learningRate: 0.01 },
              dropout: 0.5,
              l2: [5e-4, 0],
              seed,
            },
            graph,
          );
          const { weights } = await initialise('glorot', layers, 'float32', seededRandom(seed));
          for (const [i, values] of weights.entries()) await state.write('W', i + 1, values);
          await state.run(200);
          accuracies.push(
            (await state.evaluate(await state.addEvaluationSet(graph.testIndex ?? [], 'test'))).accuracy ?? 0,
          );
        }
        const mean = accuracies.reduce((sum, value) => sum + value, 0) / accuracies.length;
        expect(Math.abs(mean - reached)).toBeLessThan(0.02);
      },
      60_000,
    );
  },
);
