/** dlADMM on graph convolutional networks, against a dense transcription over all nodes of a small graph. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { ErrorCode } from '../../../src/core/errors.js';
import type { Csr, GraphSamples } from '../../../src/graph.js';
import { GraphModel, fit as learn, Model, train } from '../../../src/index.js';
import {
  type GraphSession,
  type GraphSweepPenalties,
  type GraphUpdate,
  graphLayered,
  graphSweep,
  U,
  W,
  Z,
} from '../../../src/solvers.js';
import { entry, largest, type Matrix64, map, matrix, minus, plus, squaredNorm, times } from '../../reference/dense.js';
import {
  type DenseGraph,
  type DenseState,
  graphLagrangian,
  nodeGradient,
  normalised,
  product,
  relu,
  spread,
  weightGradient,
} from '../../reference/graph.js';

/**
 * Twelve nodes: a chain of nine with a chord, directed, one edge twice, one self-loop; then a pair; node 9 is alone. Node
 * 3 has no features, node 6 no label.
 */
const NODES = 12;
const EDGES: readonly (readonly [number, number, number])[] = [
  ...[0, 1, 2, 3, 4, 5, 6, 7].map((i) => [i, i + 1, 1] as const),
  [0, 4, 2],
  [2, 1, 3],
  [5, 6, 1],
  [7, 7, 0.5],
  [10, 11, 1],
];
const LAYERS = [4, 5, 3] as const;
const DEEP = [4, 5, 6, 3] as const;
const TRAIN = [7, 1, 9];

/** Numbers that look random and are the same every time. */
const wave = (i: number, j: number, phase: number): number =>
  Math.sin(12.9898 * (i + 1) + 78.233 * (j + 1) + phase) * 1.3;

function csr(rows: number, columns: number, entries: readonly (readonly [number, number, number])[]): Csr {
  const byRow = Array.from({ length: rows }, (_, i) => entries.filter(([row]) => row === i));
  const indptr = [0];
  for (const row of byRow) indptr.push((indptr.at(-1) ?? 0) + row.length);
  const flat = byRow.flat();
  return {
    rows,
    columns,
    indptr: Int32Array.from(indptr),
    indices: Int32Array.from(flat, ([, column]) => column),
    data: Float64Array.from(flat, ([, , value]) => value),
  };
}

const X = matrix(NODES, 4, (i, j) => (i === 3 ? 0 : wave(i, j, 0)));
const labels = Array.from({ length: NODES }, (_, i) => (i === 6 ? -1 : i % 3));
const sparseX = csr(
  NODES,
  4,
  Array.from(X.data, (value, k) => [Math.floor(k / 4), k % 4, value] as const).filter(([, , value]) => value !== 0),
);
const data: GraphSamples = { adjacency: csr(NODES, NODES, EDGES), features: X, labels, trainIndex: TRAIN };
const dense: DenseGraph = {
  edges: matrix(NODES, NODES, (i, j) =>
    EDGES.filter(([a, b]) => a === i && b === j).reduce((sum, [, , weight]) => sum + weight, 0),
  ),
  x: X,
  labels,
  train: TRAIN,
};
const A = normalised(dense);
/** The nodes themselves and their neighbours, ascending. */
const seenBy = (nodes: readonly number[]): number[] =>
  Array.from({ length: NODES }, (_, j) => j).filter((j) => nodes.some((i) => entry(A, i, j) !== 0));

const penalties = (layers: readonly number[]): GraphSweepPenalties & { readonly l2: readonly number[] } => ({
  nu: 0.8,
  rho: 1.2,
  theta0: 1e-3,
  tau0: 1e-3,
  growth: 2,
  search: 'exact',
  l2: layers.slice(1).map((_, l) => 0.05 * (l + 1)),
});

async function open(layers: readonly number[], features: GraphSamples['features'], cholesky = false) {
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const outputWeights = cholesky ? 'cholesky' : 'quadratic';
  const state = await graphLayered.open(
    { network, dtype: 'float64', threads: 2, outputWeights },
    { ...data, features },
  );
  const sizes = layers.slice(1).map((columns, i) => ({ l: i + 1, rows: layers[i] as number, columns }));
  for (const { l, rows, columns } of sizes) {
    await state.write('W', l, matrix(rows, columns, (i, j) => wave(i, j, l)).data);
  }
  await state.start({ dual: 'zero' });
  for (const { l, columns } of sizes) {
    const rows = state.rows[l] as number;
    await state.write('Z', l, matrix(rows, columns, (i, j) => wave(i, j, 5 * l)).data);
  }
  await state.write('U', sizes.length, matrix(TRAIN.length, layers.at(-1) as number, (i, j) => wave(i, j, 40)).data);
  return state;
}

/** The nodes of layer 0 … L. */
function rowSets(L: number): readonly (readonly number[])[] {
  const sets: (readonly number[])[] = [TRAIN];
  for (let l = L; l >= 1; l -= 1) sets.unshift(seenBy(sets[0] as readonly number[]));
  return sets;
}

/** The state on every node: rows that it does not keep stand at their minimisers, f(P_l) and P_L with U = 0. */
async function wholeOf(state: GraphSession, layers: readonly number[]): Promise<DenseState> {
  const L = layers.length - 1;
  const sets = rowSets(L);
  const read = async (block: 'W' | 'Z' | 'U', l: number, rows: number): Promise<Matrix64> => ({
    data: (await state.read(block, l)).data as Float64Array,
    rows,
    columns: layers[l] as number,
  });
  let whole: DenseState = { W: [], Z: [X], U: matrix(NODES, layers[L] as number, () => 0) };
  for (let l = 1; l <= L; l += 1) {
    whole = { ...whole, W: [...whole.W, await read('W', l, layers[l - 1] as number)] };
    const P = product(A, whole, l);
    const nodes = sets[l] as readonly number[];
    const kept = await read('Z', l, nodes.length);
    whole = { ...whole, Z: [...whole.Z, spread(kept, nodes, l < L ? map(P, relu) : P)] };
  }
  return { ...whole, U: spread(await read('U', L, TRAIN.length), TRAIN, whole.U) };
}

const block = ({ Z: z, W: w, U: u }: DenseState, { block: name, layer }: GraphUpdate): Matrix64 =>
  (name === 'W' ? w[layer - 1] : name === 'Z' ? z[layer] : u) as Matrix64;

const at = <T>(list: readonly T[], i: number): T => list[i] as T;

for (const [kind, features] of [
  ['dense', X],
  ['sparse', sparseX],
] as const) {
  for (const layers of [LAYERS, DEEP]) {
    const L = layers.length - 1;
    describe(`one update of ${layers.join('-')}, ${kind} features`, () => {
      test('layers are kept on the nodes that the loss can see', async () => {
        using state = await open(layers, features);
        expect(state.rows).toEqual(rowSets(L).map((nodes) => nodes.length));
        expect(state.rows[0]).toBeLessThan(NODES);
      });

      const quadratic = [
        ...Array.from({ length: L }, (_, l) => W(l + 1)),
        ...Array.from({ length: L - 1 }, (_, l) => Z(l + 1)),
      ] satisfies GraphUpdate[];
      for (const update of quadratic) {
        test(`${update.block}_${update.layer} takes the step −S/(size + λ) along the gradient, and L_ρ falls to its model`, async () => {
          const p = penalties(layers);
          using state = await open(layers, features);
          const before = await wholeOf(state, layers);
          const { updates, measures } = await state.run([update], p);
          const after = await wholeOf(state, layers);
          const weights = update.block === 'W';
          const S = (weights ? weightGradient : nodeGradient)(A, p, before, update.layer);
          const λ = weights ? at(p.l2, update.layer - 1) : 0;
          const size = at(updates, 0).size as number;
          // Rows of Z that are not kept follow P and are no part of the step.
          const rows = weights ? undefined : at(rowSets(L), update.layer);
          const step = rows ? map(S, (value, i) => (rows.includes(i) ? value : 0)) : S;
          const wanted = plus(block(before, update), -1 / (size + λ), step);
          expect(largest(minus(block(after, update), wanted))).toBeLessThan(1e-11);
          expect(at(updates, 0).stepNorm).toBeCloseTo(squaredNorm(step) / (size + λ) ** 2, 9);
          const L0 = graphLagrangian(dense, p, before);
          const L1 = graphLagrangian(dense, p, after);
          expect(measures?.lagrangian).toBeCloseTo(L1, 9);
          // Ω is in the model as it is, so the decrease is at least that of its quadratic part.
          expect(L0 - L1).toBeGreaterThanOrEqual(((size + λ) / 2) * (at(updates, 0).stepNorm as number) - 1e-10);
        });
      }

      test('Z_L solves its subproblem at the training nodes; then the dual step makes ∇R(Z_L) + U = 0', async () => {
        const p = penalties(layers);
        using state = await open(layers, features);
        const before = await wholeOf(state, layers);
        await state.run([Z(L)], p);
        const after = await wholeOf(state, layers);
        const P = product(A, after, L);
        for (const i of TRAIN) {
          const row = Array.from({ length: 3 }, (_, j) => Math.exp(entry(at(after.Z, L), i, j)));
          const sum = row.reduce((a, b) => a + b);
          for (const [j, e] of row.entries()) {
            const gradient = e / sum - (labels[i] === j ? 1 : 0);
            const r = entry(at(after.Z, L), i, j) - entry(P, i, j);
            expect(gradient + entry(before.U, i, j) + p.rho * r).toBeCloseTo(0, 12);
          }
        }
        const { measures } = await state.run([U(L)], p);
        const last = await wholeOf(state, layers);
        for (const i of TRAIN) {
          for (let j = 0; j < 3; j += 1) {
            const r = entry(at(after.Z, L), i, j) - entry(P, i, j);
            expect(entry(last.U, i, j)).toBeCloseTo(entry(before.U, i, j) + p.rho * r, 12);
          }
        }
        expect(measures?.dualIdentity).toBeLessThan(1e-12);
      });

      test('the exact W_L leaves no gradient behind', async () => {
        const p = penalties(layers);
        using state = await open(layers, features, true);
        await state.run([W(L)], p);
        expect(largest(weightGradient(A, p, await wholeOf(state, layers), L))).toBeLessThan(1e-11);
      });
    });
  }
}

describe('a training', () => {
  const options = { layers: LAYERS, dtype: 'float64', threads: 2, rho: 0.79, iterations: 60 } as const;

  test.each(['cholesky', 'quadratic'] as const)(
    'L_ρ falls in every iteration from ρ = .79 on, and the dual identity holds: W_L %s',
    async (outputWeights) => {
      const { history, status, model } = await learn(data, { ...options, step: { W: outputWeights } });
      model.close();
      expect(status).toEqual({ kind: 'completed' });
      for (const [k, { lagrangian, dualIdentity }] of history.entries()) {
        expect(dualIdentity).toBeLessThan(1e-12);
        if (k > 0) expect(lagrangian).toBeLessThanOrEqual((history[k - 1]?.lagrangian as number) + 1e-12);
      }
      expect(history.at(-1)?.lagrangian).toBeLessThan((history[0]?.lagrangian as number) - 0.1);
    },
  );

  test('the same graph, however it is written down, gives the same numbers', async () => {
    const both = EDGES.flatMap(([i, j, weight]) =>
      i === j ? [[i, j, weight] as const] : [[i, j, weight] as const, [j, i, weight] as const],
    );
    // Of the pair (1, 2) the larger weight counts, of (5, 6) the sum of two.
    const merged = both.filter(([i, j, weight]) => !(Math.min(i, j) === 1 && Math.max(i, j) === 2 && weight === 1));
    const results = [];
    for (const adjacency of [data.adjacency, csr(NODES, NODES, merged)]) {
      const { history, model } = await learn({ ...data, adjacency }, { ...options, iterations: 5 });
      model.close();
      results.push(history.map((record) => record.lagrangian));
    }
    for (const [k, value] of (results[0] as number[]).entries()) expect(results[1]?.[k]).toBeCloseTo(value, 10);
  });

  test('sparse and dense features give the same numbers', async () => {
    const runs = await Promise.all(
      [X, sparseX].map((features) => learn({ ...data, features }, { ...options, iterations: 5 })),
    );
    const [a = 0, b = 1] = runs.map(({ history }) => history.at(-1)?.lagrangian);
    for (const { model } of runs) model.close();
    expect(b).toBeCloseTo(a, 9);
  });

  test('validation and test nodes are judged by the network; the model says the same, from a file too', async () => {
    const graph = { ...data, validationIndex: [0, 2, 4], testIndex: [5, 8, 10, 11] };
    const { model, history } = await learn(graph, { ...options, iterations: 3, classes: ['a', 'b', 'c'] });
    const last = history.at(-1);
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-'));
    try {
      const path = join(folder, 'model.safetensors');
      await model.save(path, { graph: 'twelve nodes' });
      const loaded = await GraphModel.load(path);
      for (const it of [model, loaded]) {
        const found = await it.evaluate(graph, graph.testIndex);
        expect(found.accuracy).toBe(last?.test?.accuracy);
        expect(found.loss).toBeCloseTo(last?.test?.loss as number, 12);
        const all = await it.predict(graph);
        const some = await it.predict(graph, [8, 0]);
        expect(all.outputs.rows).toBe(NODES);
        expect([...(some.labels as Int32Array)]).toEqual([all.labels?.[8], all.labels?.[0]]);
        const [W1, W2] = it.weights as [Float64Array, Float64Array];
        const H = map(times(A, times(X, { data: W1, rows: 4, columns: 5 })), relu);
        const out = times(A, times(H, { data: W2, rows: 5, columns: 3 }));
        expect(largest(minus(out, all.outputs as Matrix64))).toBeLessThan(1e-12);
        expect(it.classes).toEqual(['a', 'b', 'c']);
      }
      await expect(Model.load(path)).rejects.toMatchObject({ code: 'ERR_DLADMM_FORMAT', message: /GraphModel/ });
      loaded.close();
      await expect(loaded.predict(graph)).rejects.toMatchObject({ code: 'ERR_DLADMM_CLOSED' });
    } finally {
      model.close();
      await rm(folder, { recursive: true });
    }
  });

  test('an activation with a steeper left side keeps W_1 at a kink, and the record says so', async () => {
    const lonely = { adjacency: csr(1, 1, []), features: matrix(1, 2, () => 1), labels: [0], trainIndex: [0] };
    const network = { layers: [2, 1, 2], activation: { leakyRelu: 4 }, loss: 'softmax-cross-entropy' } as const;
    using state = await graphLayered.open(
      { network, dtype: 'float64', threads: 1, outputWeights: 'quadratic' },
      lonely,
    );
    await state.write('W', 1, Float64Array.of(-1, 1)); // P_1 = 0
    await state.start({ dual: 'stationary' });
    await state.write('Z', 1, Float64Array.of(5));
    const { updates, completed } = await state.run([W(1), Z(1)], { ...penalties([2, 1, 2]), l2: [0, 0] });
    expect(updates[0]).toMatchObject({ kept: true, trials: 61, stepNorm: 0 });
    expect([...(await state.read('W', 1)).data]).toEqual([-1, 1]);
    expect(completed).toBe(2);
    expect(updates[1]).not.toHaveProperty('kept');
  });

  test('the published schedule multiplies both penalties; a function may change any', async () => {
    const rhos = async (schedule: object) => {
      const { history, model } = await learn(data, { ...options, iterations: 4, rho: 0.01, nu: 0.01, ...schedule });
      model.close();
      return history.map(({ penalties: { nu, rho } }) => [nu, rho]);
    };
    expect(await rhos({ schedule: { kind: 'published', every: 1 } })).toEqual([
      [0.01, 0.01],
      [0.1, 0.1],
      [1, 1],
      [1, 1],
    ]);
    expect((await rhos({ schedule: ({ iteration }: { iteration: number }) => ({ rho: iteration }) }))[3]).toEqual([
      0.01, 3,
    ]);
  });

  test('the published schedule lowers no penalty: one above its cap stays, and each grows by itself', async () => {
    const penaltiesOf = async (nu: number, rho: number, more: object = {}) => {
      const schedule = { kind: 'published', every: 1, ...more };
      const { history, model } = await learn(data, { ...options, iterations: 3, nu, rho, schedule } as never);
      model.close();
      return history.map(({ penalties: found }) => [found.nu, found.rho]);
    };
    expect(await penaltiesOf(10, 0.5)).toEqual([
      [10, 0.5],
      [10, 1],
      [10, 1],
    ]);
    expect(await penaltiesOf(0.25, 4)).toEqual([
      [0.25, 4],
      [1, 4],
      [1, 4],
    ]);
    expect(await penaltiesOf(0.5, 4, { factor: 0.5 })).toEqual([
      [0.5, 4],
      [0.25, 2],
      [0.125, 1],
    ]);
    // What trainings did that an earlier checkpoint goes on with.
    expect(await penaltiesOf(10, 0.5, { $lowers: true })).toEqual([
      [10, 0.5],
      [1, 1],
      [1, 1],
    ]);
  });

  test('the sweep is the published one: backward, then forward, then the dual step', () => {
    const text = [...graphSweep(2)].map(({ block: name, layer }) => `${name}${layer}`).join(' ');
    expect(text).toBe('Z2 W2 Z1 W1 W1 Z1 W2 Z2 U2');
  });
});

describe('bad graphs are refused, and the message names the place', () => {
  const adjacency = data.adjacency as Csr;
  const broken = (change: object): object => ({ ...data, adjacency: { ...adjacency, ...change } });
  const changed = (array: Csr['indptr'], i: number, value: number): Float64Array => {
    const out = Float64Array.from(array);
    out[i] = value;
    return out;
  };
  const cases: readonly (readonly [string, object, ErrorCode, string])[] = [
    [
      'an index out of range',
      broken({ indices: changed(adjacency.indices, 3, NODES) }),
      'ERR_DLADMM_RANGE',
      'data.adjacency.indices[3]',
    ],
    [
      'a negative index',
      broken({ indices: changed(adjacency.indices, 0, -1) }),
      'ERR_DLADMM_RANGE',
      'data.adjacency.indices[0]',
    ],
    [
      'an indptr that decreases',
      broken({ indptr: changed(adjacency.indptr, 4, 1) }),
      'ERR_DLADMM_SHAPE',
      'data.adjacency.indptr[4]',
    ],
    [
      'an indptr that ends elsewhere',
      broken({ indptr: changed(adjacency.indptr, NODES, 99) }),
      'ERR_DLADMM_SHAPE',
      `data.adjacency.indptr[${NODES}]`,
    ],
    [
      'an indptr of another length',
      broken({ indptr: adjacency.indptr.slice(1) }),
      'ERR_DLADMM_SHAPE',
      'data.adjacency.indptr',
    ],
    [
      'a weight that is NaN',
      broken({ data: changed(adjacency.data, 2, Number.NaN) }),
      'ERR_DLADMM_NON_FINITE',
      'data.adjacency.data[2]',
    ],
    [
      'a negative weight',
      broken({ data: changed(adjacency.data, 2, -1) }),
      'ERR_DLADMM_RANGE',
      'data.adjacency.data[2]',
    ],
    ['fewer values than indices', broken({ data: adjacency.data.slice(1) }), 'ERR_DLADMM_SHAPE', 'data.adjacency.data'],
    ['an adjacency that is not square', broken({ columns: NODES + 1 }), 'ERR_DLADMM_SHAPE', 'data.adjacency'],
    [
      'features of fewer nodes',
      { ...data, features: matrix(NODES - 1, 4, () => 1) },
      'ERR_DLADMM_SHAPE',
      'data.features',
    ],
    ['features of another width', { ...data, features: csr(NODES, 5, []) }, 'ERR_DLADMM_SHAPE', 'data.features'],
    [
      'a feature that is infinite',
      { ...data, features: map(X, (x, i, j) => (i === 2 && j === 1 ? 1 / 0 : x)) },
      'ERR_DLADMM_NON_FINITE',
      'row 2, column 1',
    ],
    ['labels of fewer nodes', { ...data, labels: labels.slice(1) }, 'ERR_DLADMM_SHAPE', 'data.labels'],
    ['a label that is no class', { ...data, labels: labels.with(4, 3) }, 'ERR_DLADMM_LABEL', 'data.labels[4]'],
    ['a training node twice', { ...data, trainIndex: [1, 4, 1] }, 'ERR_DLADMM_ARGUMENT', 'data.trainIndex[2]'],
    ['a training node without a label', { ...data, trainIndex: [1, 6] }, 'ERR_DLADMM_LABEL', 'data.trainIndex[1]'],
    ['a training node that is not there', { ...data, trainIndex: [NODES] }, 'ERR_DLADMM_RANGE', 'data.trainIndex[0]'],
    ['no training node', { ...data, trainIndex: [] }, 'ERR_DLADMM_SHAPE', 'data.trainIndex'],
    ['no training nodes at all', { ...data, trainIndex: undefined }, 'ERR_DLADMM_ARGUMENT', 'data.trainIndex'],
    ['a test node without a label', { ...data, testIndex: [6] }, 'ERR_DLADMM_LABEL', 'data.testIndex[0]'],
  ];
  test.each(cases)('%s', async (_, graph, code, place) => {
    await expect(learn(graph as GraphSamples, { layers: LAYERS })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(place),
    });
  });

  test('weights that add up to infinity', async () => {
    const heavy = broken({ data: Float64Array.from(adjacency.data, () => 1.7e308) });
    await expect(learn(heavy as GraphSamples, { layers: LAYERS, dtype: 'float64' })).rejects.toMatchObject({
      code: 'ERR_DLADMM_RANGE',
      message: expect.stringContaining('node'),
    });
  });

  test('options', () => {
    const refuse = (options: object, code: ErrorCode, part: string): void => {
      expect(() => train(data, { layers: LAYERS, ...options })).toThrow(
        expect.objectContaining({ code, message: expect.stringContaining(part) }),
      );
    };
    refuse({ l2: [1] }, 'ERR_DLADMM_SHAPE', 'l2');
    refuse({ l2: -1 }, 'ERR_DLADMM_RANGE', 'l2');
    refuse({ rho: 0 }, 'ERR_DLADMM_RANGE', 'rho');
    refuse({ layers: [4, 3], step: { W: 'cholesky' } }, 'ERR_DLADMM_ARGUMENT', 'step.W');
    refuse({ loss: 'squared-error' }, 'ERR_DLADMM_ARGUMENT', 'loss');
    refuse({ solver: 'sigmoid-admm' }, 'ERR_DLADMM_ARGUMENT', 'solver');
    refuse({ gamma: 1 }, 'ERR_DLADMM_ARGUMENT', 'gamma');
    refuse({ schedule: { kind: 'paper' } }, 'ERR_DLADMM_ARGUMENT', 'schedule');
    refuse({ initialisation: { weights: [new Float32Array(20)] } }, 'ERR_DLADMM_SHAPE', 'initialisation.weights');
    refuse({ earlyStopping: { patience: 3 } }, 'ERR_DLADMM_ARGUMENT', 'validation');
  });
});
