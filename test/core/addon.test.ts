// The raw addon, past the checks of the TypeScript face: what it promises when calls meet each other, when memory is
// short, and when arguments are not what they should be.
import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type NativeLayeredOptions, type NativePenalties, type NativeWindows, native } from '../../src/core/native.js';
import { openCheckpoint, writeCheckpoint } from '../../src/training/checkpoint/file.js';
import { run, runProgram } from '../children/run.js';

const INDEX = new URL('../../dist/index.js', import.meta.url).href;
const NATIVE = new URL('../../dist/core/native.js', import.meta.url).href;

const NETWORK = {
  dtype: 'float64',
  widths: [12, 30, 3],
  activation: 'rectifier',
  slope: 0,
  loss: 'softmax-cross-entropy',
  softmax: 'stable',
  threads: 2,
} as const;

const OPTIONS: NativeLayeredOptions = {
  ...NETWORK,
  samples: 300,
  gram: true,
  fista: true,
  jointBias: false,
  multiplier: 'residual',
  stepsW: ['quadratic', 'quadratic'],
  stepsA: ['quadratic'],
};

const PENALTIES: NativePenalties = {
  nu: 1,
  gamma: 1,
  rho: 1,
  l2: 0,
  search: 'exact',
  theta0: 1,
  tau0: 1,
  growth: 2,
  output: 'exact',
  fistaStep: 4,
  fistaTolerance: 1e-3,
  fistaLimit: 500,
};

const wave = (length: number) => Float64Array.from({ length }, (_, i) => Math.sin(i));
/** So many updates of W_2, as pairs of block and layer. */
const updates = (count: number) => Int32Array.from({ length: 2 * count }, (_, i) => (i % 2 === 0 ? 0 : 2));

const expectRefusal = async (work: () => unknown, message: string) =>
  expect(async () => work()).rejects.toMatchObject({
    code: 'ERR_DLADMM_ARGUMENT',
    message: expect.stringContaining(message),
  });

async function started() {
  const state = new native.Layered(OPTIONS);
  state.loadInput(-1, 0, wave(300 * 12));
  state.loadLabels(
    -1,
    Int32Array.from({ length: 300 }, (_, i) => i % 3),
  );
  await Promise.all([
    state.write(0, 1, wave(360)),
    state.write(1, 1, wave(30)),
    state.write(0, 2, wave(90)),
    state.write(1, 2, wave(3)),
  ]);
  await state.start({ hidden: 'forward', output: 'forward', dual: 'zero', seed: 0 });
  return state;
}

describe('a stop', () => {
  test('ends the run at work, or else the first that waits, and none behind it', async () => {
    const state = await started();
    const atWork = state.run(updates(200_000), PENALTIES);
    const waiting = state.run(updates(10), PENALTIES);
    state.stop();
    const after = state.run(updates(3), PENALTIES);
    expect(await atWork).toMatchObject({ stopped: true });
    expect(await waiting).toMatchObject({ stopped: false, completed: 10 });
    expect(await after).toMatchObject({ stopped: false, completed: 3 });
    state.close();
  });

  test('without anything to stop is forgotten', async () => {
    const state = await started();
    state.stop();
    expect(await state.run(updates(2), PENALTIES)).toMatchObject({ stopped: false, completed: 2 });
    state.close();
  });
});

test('what there is only from the start on is refused before it', async () => {
  const layered = new native.Layered(OPTIONS);
  const network = { ...NETWORK, activation: 'sigmoid', loss: 'one-hot-squared-error' } as const;
  const constraints = new native.Constraints({ ...network, samples: 300 });
  const penalties = { lambda: [1, 1], beta: [1, 1], majoriser: 'paper' } as const;
  const early = [
    () => layered.run(updates(1), PENALTIES),
    () => layered.measure(PENALTIES),
    () => layered.read(2, 1),
    () => constraints.run(updates(1), penalties),
    () => constraints.measure(penalties),
    () => constraints.read(1, 1),
    () => constraints.write(2, 1, wave(300 * 30)),
  ];
  for (const each of early) await expect(each()).rejects.toMatchObject({ code: 'ERR_DLADMM_STATE' });
  for (const state of [layered, constraints]) state.close();
});

test('a file whose kept products are spoiled leaves the state of the file, its products made afresh', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-half-'));
  const [state, other] = await Promise.all([started(), started()]);
  const before = await state.measure(PENALTIES);
  await writeCheckpoint(join(folder, 'spoiled'), state, { training: null, kept: true, extras: [] });
  await other.run(updates(3), PENALTIES);
  const { sections, file } = await openCheckpoint(join(folder, 'spoiled'));
  await file.close();
  const spoiled = await open(join(folder, 'spoiled'), 'r+');
  const { offset, bytes } = sections.find(({ name }) => name === 'P.2') ?? { offset: 0, bytes: 0 };
  await spoiled.write(new Uint8Array(bytes).fill(7), 0, bytes, offset);
  await expect(other.loadSections(spoiled.fd, sections, true, [])).rejects.toThrow('checksum of "P.2"');
  expect(await other.measure(PENALTIES)).toEqual(before);
  await spoiled.close();
  await rm(folder, { recursive: true });
  for (const each of [state, other]) each.close();
});

describe('a record has the names of its table', () => {
  const keysOf = (records: readonly object[]): readonly string[] => [...new Set(records.flatMap(Object.keys))].sort();
  const pairsOf = (sweep: readonly (readonly [block: number, layer: number])[]) => Int32Array.from(sweep.flat());

  test('of the layered splitting', async () => {
    const { update, measures } = native.Layered.recordNames();
    const state = new native.Layered({ ...OPTIONS, stepsW: ['pseudoinverse', 'cholesky'], stepsA: ['quadratic'] });
    state.loadInput(-1, 0, wave(300 * 12));
    await state.start({ hidden: 'gaussian', output: 'gaussian', dual: 'zero', seed: 1 });
    // W, b, z, a of both layers, and u.
    const sweep = pairsOf([
      [0, 1],
      [1, 1],
      [2, 1],
      [3, 1],
      [0, 2],
      [1, 2],
      [2, 2],
      [4, 2],
    ]);
    const record = await state.run(sweep, PENALTIES);
    expect(keysOf(record.updates)).toEqual([...update].sort());
    expect(Object.keys(record.measures ?? {})).toEqual(measures);
    state.close();
  });

  test('of the splitting with matrix penalties', async () => {
    const { update, measures } = native.Metric.recordNames();
    const state = new native.Metric({ ...NETWORK, samples: 30, seed: 1 });
    state.loadInput(-1, 0, wave(30 * 12));
    state.loadLabels(-1, new Int32Array(30));
    await state.start();
    const penalties = { damping: 1, outputDamping: 1, rate: 0.1, momentum: 0, l2: 0 };
    const record = await state.run(pairsOf([[0, 1]]), penalties);
    expect(keysOf(record.updates)).toEqual([...update].sort());
    expect(Object.keys(record.measures ?? {})).toEqual(measures);
    state.close();
  });

  test('of the splitting that keeps all constraints', async () => {
    const { update, measures } = native.Constraints.recordNames();
    const network = { ...NETWORK, activation: 'sigmoid', loss: 'one-hot-squared-error' } as const;
    const state = new native.Constraints({ ...network, samples: 30 });
    state.loadInput(-1, 0, wave(30 * 12));
    state.loadLabels(-1, new Int32Array(30));
    await state.write(0, 2, wave(90));
    await state.start();
    const penalties = { lambda: [1e-3, 1e-3], beta: [1, 1], majoriser: 'paper' } as const;
    // W and V of both layers, and Λ.
    const record = await state.run(
      pairsOf([
        [0, 1],
        [1, 1],
        [0, 2],
        [1, 2],
        [2, 2],
      ]),
      penalties,
    );
    expect(keysOf(record.updates)).toEqual([...update].sort());
    expect(Object.keys(record.measures ?? {})).toEqual(measures);
    expect(await state.measure(penalties)).toEqual(record.measures);
    state.close();
  });
});

test('a result that cannot be handed over rejects its promise', async () => {
  const state = await started();
  Object.defineProperty(Object.prototype, 'completed', {
    configurable: true,
    set() {
      throw new RangeError('mine');
    },
  });
  try {
    await expect(state.run(updates(1), PENALTIES)).rejects.toThrow('mine');
  } finally {
    Reflect.deleteProperty(Object.prototype, 'completed');
  }
  expect(await state.run(updates(1), PENALTIES)).toMatchObject({ completed: 1 });
  state.close();
});

test('memory that runs out while a result is copied rejects the promise, and the process goes on', async () => {
  const outcome = await runProgram(`
    const { spawnSync } = await import('node:child_process');
    const { native } = await import('${NATIVE}');
    const widths = [8192, 8192, 1];
    const state = new native.GradientTrainer({
      dtype: 'float32', widths, activation: 'rectifier', slope: 0, loss: 'squared-error', softmax: 'stable', threads: 1,
      samples: 1, batch: 1, reduction: 'mean', shuffle: false, seed: 0,
      optimiser: { method: 'sgd', momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
    });
    await state.read(1, 1);
    const pages = Number(readFileSync('/proc/self/statm', 'utf8').split(' ')[0]);
    // Room for one copy of W_1 (256 MB), not for two.
    const limit = pages * 4096 + 400 * 2 ** 20;
    spawnSync('prlimit', ['--pid', String(process.pid), '--as=' + limit + ':' + limit]);
    await state.read(0, 1).then(
      (values) => console.log('read', values.length),
      (error) => console.log(error.code),
    );
    console.log((await state.read(1, 1)).length);
    state.close();
  `);
  expect(outcome).toMatchObject({ code: 0, signal: null, stdout: 'ERR_DLADMM_MEMORY\n8192\n' });
});

describe('close()', () => {
  // 32 MB of weights each.
  const LARGE = { ...NETWORK, widths: [2000, 2000, 10] };
  const megabytes = () => process.memoryUsage().rss / 2 ** 20;

  test('of a trained network frees its memory at once', () => {
    const before = megabytes();
    for (let i = 0; i < 20; i++) new native.TrainedNetwork(LARGE).close();
    expect(megabytes() - before).toBeLessThan(200);
  });

  test('lets the result of work that was done arrive', async () => {
    const outcome = await runProgram(`
      const { native } = await import('${NATIVE}');
      const graph = () => new native.Graph({
        dtype: 'float64', widths: [2, 3, 2], activation: 'rectifier', slope: 0, loss: 'softmax-cross-entropy',
        softmax: 'stable', threads: 1, outputWeights: 'quadratic',
        adjacency: { rows: 3, columns: 3, indptr: Float64Array.of(0, 1, 2, 2), indices: Int32Array.of(1, 2), values: Float64Array.of(1, 1) },
        features: { rows: 3, columns: 2, values: Float64Array.of(1, 2, 3, 4, 5, 6) },
        labels: Int32Array.of(0, 1, 0), training: Int32Array.of(0, 1),
      });
      const pause = () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
      const first = graph();
      const prepared = first.prepare();
      pause();
      first.close();
      console.log((await prepared).nodes.length);
      const second = graph();
      await second.prepare();
      const allocated = second.allocate();
      pause();
      second.close();
      await allocated;
      console.log('allocated');
    `);
    expect(outcome).toMatchObject({ code: 0, signal: null, stdout: '3\nallocated\n' });
  });

  test('that never comes lets trained networks go as soon as V8 finds that there are many', async () => {
    const before = megabytes();
    let most = 0;
    for (let i = 0; i < 50; i++) {
      new native.TrainedNetwork(LARGE);
      await new Promise(setImmediate);
      most = Math.max(most, megabytes() - before);
    }
    expect(most).toBeLessThan(800);
  });
});

describe('a buffer that a getter takes away', () => {
  /** The same numbers elsewhere, spoiled. */
  const spoil = (array: Float64Array | Int32Array) =>
    structuredClone(array, { transfer: [array.buffer as ArrayBuffer] }).fill(1000);
  const graph = (more: object) => ({
    adjacency: {
      rows: 3,
      columns: 3,
      indptr: Float64Array.of(0, 1, 2, 2),
      indices: Int32Array.of(1, 2),
      values: Float64Array.of(1, 1),
    },
    features: { rows: 3, columns: 2, values: Float64Array.of(1, 2, 3, 4, 5, 6) },
    ...more,
  });

  test('while a sparse matrix is read is seen to be gone', async () => {
    const served = new native.TrainedGraphNetwork({ ...NETWORK, widths: [2, 2] });
    const { adjacency } = graph({});
    const meddling = {
      ...adjacency,
      get rows() {
        spoil(adjacency.indptr);
        return 3;
      },
    };
    await expectRefusal(() => served.predict(graph({ adjacency: meddling })), 'has 0 numbers');
    served.close();
  });

  test('after labels and nodes were given leaves them as they were', async () => {
    const served = new native.TrainedGraphNetwork({ ...NETWORK, widths: [2, 2] });
    const labels = Int32Array.of(0, 1, 0);
    const nodes = Int32Array.of(0, 1);
    const meddling = {
      ...graph({}),
      get features() {
        if (labels.length > 0) for (const array of [labels, nodes]) spoil(array);
        return graph({}).features;
      },
    };
    const { loss } = await served.evaluate(meddling, labels, nodes);
    expect(loss).toBeCloseTo(2 * Math.log(2), 12);
    served.close();
  });
});

test('a BLAS that gives wrong numbers is refused, and the message names the variable that helps', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'dladmm-wrong-'));
  try {
    // In the place of OpenBLAS's own, found first: C <- 0.
    await writeFile(
      join(folder, 'wrong.c'),
      `void cblas_sgemm(int o, int a, int b, int m, int n, int k, float s, const float *x, int xs, const float *y, int ys,
                        float t, float *c, int cs) { for (int i = 0; i < m; i++) for (int j = 0; j < n; j++) c[i * cs + j] = 0; }`,
    );
    const library = join(folder, 'wrong.so');
    expect((await run('cc', ['-shared', '-fPIC', '-o', library, join(folder, 'wrong.c')])).stderr).toBe('');
    const { stdout } = await run('env', [
      // The run-time of a sanitizer stays the first.
      `LD_PRELOAD=${[process.env.LD_PRELOAD ?? [], library].flat().join(':')}`,
      process.execPath,
      '--input-type=module',
      '--eval',
      `import { fit } from '${INDEX}';
       import { loadDataset } from '${INDEX.replace('index.js', 'data.js')}';
       const { train } = await loadDataset('iris');
       const once = () => fit(train, { layers: [4, 5, 3], iterations: 1 }).catch((error) => console.log(error.code, error.message));
       await once();
       await once();`,
    ]);
    expect(
      stdout.match(/^ERR_DLADMM_BLAS .*wrong results on this processor: sgemm .*OPENBLAS_CORETYPE/gm),
    ).toHaveLength(2);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe('what it was not made for', () => {
  const words: readonly [string, () => unknown][] = [
    ['dtype', () => new native.Layered({ ...OPTIONS, dtype: 'float16' as 'float32' })],
    ['activation', () => new native.Layered({ ...OPTIONS, activation: 'relu' as 'rectifier' })],
    ['loss', () => new native.Layered({ ...OPTIONS, loss: 'mse' as 'hinge' })],
    ['softmax', () => new native.Layered({ ...OPTIONS, softmax: '' as 'stable' })],
    ['multiplier', () => new native.Layered({ ...OPTIONS, multiplier: 'none' as 'output' })],
    ['stepsA', () => new native.Layered({ ...OPTIONS, stepsA: ['exact' as 'cholesky'] })],
  ];
  test.each(words)('an unknown word for %s is refused', async (name, make) => {
    await expectRefusal(make, `${name} must be one of`);
  });

  test('rows of sparse features are no rows that can be filled', async () => {
    const trainer = new native.GradientTrainer({
      ...{ ...NETWORK, samples: 300, batch: 100, entries: 9, seed: 1, shuffle: true, reduction: 'mean' },
      optimiser: { method: 'sgd', momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
    });
    const rows = trainer as typeof trainer & NativeWindows;
    await expectRefusal(() => rows.fill(0, 1, new Float64Array(12)), 'a chunk reaches past the last sample');
    expect(() => rows.fill(0, 0, new Float64Array(0))).toThrow();
    trainer.close();
  });

  test('more samples than labels can be counted by are refused before there is room for any', async () => {
    const many = 'samples must be from 1 to 2^31 - 1';
    for (const samples of [0, 2 ** 31]) await expectRefusal(() => new native.Layered({ ...OPTIONS, samples }), many);
    const state = await started();
    for (const sparse of [false, true]) await expectRefusal(() => state.addEvaluationSet(2 ** 31, sparse), many);
    state.close();
  });

  test.each(['search', 'output'])('as is one for %s, and a limit that is no number of steps', async (name) => {
    const state = await started();
    const run = (more: object) => () => state.run(updates(1), { ...PENALTIES, ...more });
    await expectRefusal(run({ [name]: 'none' }), `${name} must be one of`);
    for (const fistaLimit of [Number.NaN, -1, 0.5]) {
      await expectRefusal(run({ fistaLimit }), 'fistaLimit must be a whole number');
    }
    state.close();
  });
});
