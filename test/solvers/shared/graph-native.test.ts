import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type NativeGraphGradientOptions,
  type NativeGraphGradientTrainer,
  type NativeGraphOptions,
  type NativeGraphPenalties,
  type NativeGraphState,
  type NativeOptimiser,
  type Numbers,
  native,
} from '../../../src/core/native.js';
import { seededRandom } from '../../../src/core/random.js';
import { fillState, openCheckpoint, writeCheckpoint } from '../../../src/training/checkpoint/file.js';
import { ADAM } from '../../reference/gradient-addon.js';

const NODES = 40;
const WIDTHS = [6, 5, 4, 3];
const DEPTH = WIDTHS.length - 1;
const WEIGHTS = 0;
const BADM: NativeOptimiser = { method: 'badm', sigma: 1, rho: 20, weightDecay: 0, subBatches: 3, duals: true };
const SISA: NativeOptimiser = {
  method: 'sisa',
  sigma: 1,
  rho: 20,
  beta: 0.99,
  epsilon: 1e-8,
  weightDecay: 0,
  subBatches: 2,
};
const PENALTIES: NativeGraphPenalties = {
  nu: 0.7,
  rho: 0.9,
  theta0: 1,
  tau0: 1,
  growth: 2,
  search: 'exact',
  l2: new Float64Array(DEPTH).fill(0.01),
};
/** W and Z of every layer backward and forward, then U. */
const SWEEP = Int32Array.from(
  [3, 2, 1]
    .flatMap((l) => [1, l, 0, l])
    .concat(
      [1, 2, 3].flatMap((l) => [0, l, 1, l]),
      [2, DEPTH],
    ),
);

/** A ring of nodes with chords. */
function ring(): NativeGraphOptions['adjacency'] {
  const to = Array.from({ length: NODES }, (_, i) => [(i + 1) % NODES, (i * 7 + 3) % NODES].sort((a, b) => a - b));
  return {
    rows: NODES,
    columns: NODES,
    indptr: Float64Array.from({ length: NODES + 1 }, (_, i) => 2 * i),
    indices: Int32Array.from(to.flat()),
    values: new Float64Array(2 * NODES).fill(1),
  };
}

function graph(dtype: 'float32' | 'float64', train = [0, 3, 4, 7, 11, 12, 20, 21, 33]) {
  const random = seededRandom(3);
  return {
    dtype,
    widths: WIDTHS,
    activation: 'tanh',
    slope: 0,
    loss: 'softmax-cross-entropy',
    softmax: 'stable',
    threads: 2,
    adjacency: ring(),
    features: { rows: NODES, columns: 6, values: Float64Array.from({ length: NODES * 6 }, () => random.normal()) },
    labels: Int32Array.from({ length: NODES }, (_, i) => i % 3),
    training: Int32Array.from(train),
  } as const satisfies Omit<NativeGraphOptions, 'outputWeights'>;
}

async function allocated<S extends NativeGraphState>(state: S): Promise<S> {
  await state.prepare();
  await state.allocate();
  return state;
}

async function writeWeights(state: NativeGraphState): Promise<void> {
  const random = seededRandom(9);
  for (let l = 1; l <= DEPTH; l++) {
    const size = (WIDTHS[l - 1] ?? 0) * (WIDTHS[l] ?? 0);
    await state.write(
      WEIGHTS,
      l,
      Float64Array.from({ length: size }, () => random.normal() / 2),
    );
  }
}

const weightsOf = (state: NativeGraphState): Promise<readonly Numbers[]> =>
  Promise.all([1, 2, 3].map((l) => state.read(WEIGHTS, l)));

interface Case {
  readonly name: string;
  /** A state, without weights. */
  readonly make: () => NativeGraphState;
  readonly start: (state: NativeGraphState) => Promise<void>;
  readonly advance: (state: NativeGraphState) => Promise<unknown>;
}

const gradientOptions = (dtype: 'float32' | 'float64', optimiser: NativeOptimiser): NativeGraphGradientOptions => ({
  ...graph(dtype),
  reduction: 'mean',
  dropout: 0.4,
  seed: 5,
  weightDecay: new Float64Array(DEPTH),
  optimiser,
});
const splitting = (dtype: 'float32' | 'float64', outputWeights: 'quadratic' | 'cholesky'): Case => ({
  name: `dlADMM with ${outputWeights} W_L in ${dtype}`,
  make: () => new native.Graph({ ...graph(dtype), outputWeights }),
  start: (state) => (state as InstanceType<typeof native.Graph>).start('stationary'),
  advance: (state) => (state as InstanceType<typeof native.Graph>).run(SWEEP, PENALTIES),
});
const gradient = (dtype: 'float32' | 'float64', optimiser: NativeOptimiser): Case => ({
  name: `${optimiser.method} with dropout in ${dtype}`,
  make: () => new native.GraphGradientTrainer(gradientOptions(dtype, optimiser)),
  start: async () => undefined,
  advance: (state) => (state as NativeGraphGradientTrainer).run(3, Float64Array.of(0.02)),
});
const CASES = [
  splitting('float64', 'quadratic'),
  splitting('float32', 'cholesky'),
  gradient('float32', ADAM),
  gradient('float64', BADM),
  gradient('float64', SISA),
];

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dladmm-graph-'));
});
afterAll(() => rm(folder, { recursive: true }));

test('a record has the names of its table', async () => {
  const { update, measures } = native.Graph.recordNames();
  const seen = new Set<string>(['kept']); // of an update that no size was accepted for
  for (const outputWeights of ['quadratic', 'cholesky'] as const) {
    const state = await allocated(new native.Graph({ ...graph('float64'), outputWeights }));
    await writeWeights(state);
    await state.start('stationary');
    const record = await state.run(SWEEP, PENALTIES);
    for (const name of record.updates.flatMap(Object.keys)) seen.add(name);
    expect(Object.keys(record.measures ?? {})).toEqual(measures);
    state.close();
  }
  expect([...seen].sort()).toEqual([...update].sort());
});

describe.each(CASES)('$name', ({ make, start, advance }) => {
  test('a run that is taken up from a file goes on with the same bits', async () => {
    const path = join(folder, `${Math.random()}.checkpoint`);
    const first = await allocated(make());
    await writeWeights(first);
    await start(first);
    for (let i = 0; i < 3; i++) await advance(first);
    await writeCheckpoint(path, first, { training: null, kept: true, extras: [] });
    expect(await first.sectionBytes(true)).toBeGreaterThanOrEqual(await first.sectionBytes(false));

    const second = await allocated(make());
    const from = await openCheckpoint(path);
    await fillState(from, second, true, []);
    await from.file.close();
    expect(await weightsOf(second)).toEqual(await weightsOf(first));
    expect(await second.evaluate(-1)).toEqual(await first.evaluate(-1));
    for (let i = 0; i < 3; i++) {
      await advance(first);
      await advance(second);
      expect(await weightsOf(second)).toEqual(await weightsOf(first));
    }
    first.close();
    second.close();
  });

  test('the fingerprint is that of the graph, its labels and its training nodes', async () => {
    const print = async (change: (state: ReturnType<typeof graph>) => object): Promise<string> => {
      const options = { ...gradientOptions('float64', ADAM), ...graph('float64'), outputWeights: 'quadratic' } as const;
      const changed = { ...options, ...change(graph('float64')) };
      const made =
        make() instanceof native.Graph ? new native.Graph(changed) : new native.GraphGradientTrainer(changed);
      const state = await allocated<NativeGraphState>(made);
      const found = await state.fingerprint(-1);
      state.close();
      return found;
    };
    const same = await print(() => ({}));
    expect(await print(() => ({ threads: 1 }))).toBe(same);
    const others = await Promise.all([
      print(({ training }) => ({ training: training.subarray(1) })),
      print(({ labels }) => ({ labels: labels.map((label) => (label + 1) % 3) })),
      print(({ features }) => ({ features: { ...features, values: features.values.map((x, i) => (i ? x : 7)) } })),
      print(({ adjacency }) => ({ adjacency: { ...adjacency, values: new Float64Array(2 * NODES).fill(2) } })),
    ]);
    expect(new Set([same, ...others]).size).toBe(5);

    const state = await allocated(make());
    const [one, another] = [
      [1, 2],
      [1, 5],
    ].map((nodes) => state.addEvaluationSet(Int32Array.from(nodes)));
    expect(await state.fingerprint(one ?? -1)).not.toBe(await state.fingerprint(another ?? -1));
    state.close();
  });

  test('nothing can be asked of a state that has not been allocated', async () => {
    const state = make();
    await state.prepare();
    const refused = expect.objectContaining({ code: 'ERR_DLADMM_STATE' });
    for (const call of [() => state.read(WEIGHTS, 1), () => state.evaluate(-1), () => state.fingerprint(-1)]) {
      expect(call).toThrow(refused);
    }
    expect(() => state.sectionBytes(true)).toThrow(refused);
    expect(() => state.prepare()).toThrow(refused);
    state.close();
  });

  test('what a closed state was asked before arrives, and frees nothing twice', async () => {
    for (const step of ['prepare', 'allocate'] as const) {
      const state = make();
      if (step === 'allocate') await state.prepare();
      const asked = state[step]();
      // It comes to its end while this thread is busy: its answer is on the way when the state is closed.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 100);
      state.close();
      await asked;
      expect(() => state.evaluate(-1)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_CLOSED' }));
    }
  });
});

test('a file that ends in the middle of the kept products leaves none of them behind', async () => {
  const { make, start, advance } = splitting('float64', 'quadratic');
  const path = join(folder, 'damaged.checkpoint');
  const first = await allocated(make() as InstanceType<typeof native.Graph>);
  await writeWeights(first);
  await start(first);
  await advance(first);
  await first.refresh();
  const before = await first.measure(PENALTIES);
  await writeCheckpoint(path, first, { training: null, kept: true, extras: [] });
  const { sections, file } = await openCheckpoint(path);
  await file.close();
  const writable = await open(path, 'r+');
  const last = sections.find(({ name }) => name === 'P.3');
  await writable.write(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8), 0, 8, last?.offset);
  await expect(first.loadSections(writable.fd, sections, true, [])).rejects.toThrow('checksum');
  await writable.close();
  expect(await first.measure(PENALTIES)).toEqual(before);
  first.close();
});

/** Either an array was copied before it was taken away, or what misses it is refused: memory that is gone is not read. */
describe('getters that take a buffer away', () => {
  /** `object` with a member that takes the buffer of an array away as it is read. */
  const thief = <O extends object>(object: O, member: keyof O & string, { buffer }: Numbers | Int32Array): O => {
    const get = (): unknown => {
      structuredClone(buffer, { transfer: [buffer as ArrayBuffer] });
      return object[member];
    };
    return Object.defineProperty({ ...object }, member, { get });
  };
  /** What work gives, or 'refused'. */
  const orRefused = async <R>(work: () => Promise<R>): Promise<R | 'refused'> => {
    try {
      return await work();
    } catch (error) {
      expect(error).toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
      return 'refused';
    }
  };

  test.each([
    ['columns', 'indices'],
    ['values', 'indptr'],
    ['rows', 'values'],
  ] as const)('the %s of a sparse matrix, that of its %s', async (member, taken) => {
    const fingerprintOf = (adjacency: NativeGraphOptions['adjacency']) =>
      orRefused(async () => {
        const state = new native.Graph({ ...graph('float64'), outputWeights: 'quadratic', adjacency });
        return await (await allocated(state)).fingerprint(-1);
      });
    const matrix = ring();
    const found = await fingerprintOf(thief(matrix, member, matrix[taken]));
    expect([await fingerprintOf(ring()), 'refused']).toContain(found);
  });

  test('the adjacency of a graph, that of the labels to evaluate by', async () => {
    const { adjacency, features, labels, training, ...network } = graph('float64');
    const trained = new native.TrainedGraphNetwork(network);
    const evaluate = (data: { adjacency: typeof adjacency; features: typeof features }) =>
      orRefused(() => trained.evaluate(data, labels, training));
    const whole = await evaluate({ features, adjacency });
    const found = await evaluate(thief({ features, adjacency }, 'adjacency', labels));
    expect([whole, 'refused']).toContainEqual(found);
    trained.close();
  });
});
