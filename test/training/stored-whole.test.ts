import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { seededRandom } from '../../src/core/random.js';
import { packSamples } from '../../src/data.js';
import { fit, type Model } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// Solvers of all samples at once, from a store: the same bits as from the same rows in memory, be the variables in memory or on the disk.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-whole-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const store = join(folder, 'whole.samples') as 'whole.samples';

/** Two segments of pieces that are not all as long. */
const [ROWS, INPUTS] = [9001, 21];
const random = seededRandom(3);
const x = Float32Array.from({ length: ROWS * INPUTS }, () => random.uniform() - 0.25);
const labels = Int32Array.from({ length: ROWS }, (_, i) => ((x[i * INPUTS] as number) > 0.2 ? 2 : i % 2));
const weights = Float64Array.from({ length: ROWS }, (_, i) => 0.5 + (i % 3));
await packSamples(store, {
  x: Array.from({ length: ROWS }, (_, i) => x.subarray(i * INPUTS, (i + 1) * INPUTS)),
  labels,
  weights,
});

const common = { seed: 7, threads: 2, iterations: 3, validationShare: 0, standardise: true } as const;
const bytesOf = ({ weights, biases }: Model) =>
  [...weights, ...biases].map((block) => Buffer.from(block.buffer).toString('base64'));
const inMemory = async (options: object) => {
  const { model, history } = await fit({ x, labels, weights }, {
    ...common,
    ...options,
    layers: [INPUTS, 37, 29, 3],
  } as never);
  return { bytes: bytesOf(model as Model), losses: history.map((record) => (record as { lossSum?: number }).lossSum) };
};
const fromStore = async (options: object) => {
  const { model, history } = await fit(store, { ...common, hidden: [37, 29], ...options } as never);
  return { bytes: bytesOf(model as Model), losses: history.map((record) => (record as { lossSum?: number }).lossSum) };
};

describe.each(['float32', 'float64'])('in %s from a store that fits into memory', (dtype) => {
  test.each([
    ['dladmm', {}],
    ['inversion-admm', {}],
    ['variable-metric-admm', {}],
    ['sigmoid-admm', { activation: 'sigmoid' }],
  ])('%s does what it does in memory', async (solver, more) => {
    expect(await fromStore({ solver, dtype, ...more })).toEqual(await inMemory({ solver, dtype, ...more }));
  });
});

/** What the process has taken is left out, so that `memory` is for the variables and 100 MB beside them. */
const BESIDE = 3 * 2 ** 25;
const mapped = (): boolean => readFileSync('/proc/self/maps', 'utf8').includes(`${folder}/.dladmm-`);
describe.runIf(process.platform === 'linux')('more variables than memory allows', () => {
  beforeEach(() => {
    vi.spyOn(process.memoryUsage, 'rss').mockReturnValue(0);
  });
  afterEach(() => {
    vi.restoreAllMocks();
  });

  test.each([
    ['dladmm', 'float32', {}],
    ['dladmm', 'float64', { outputSolver: { kind: 'fista' }, l2: 1e-4 }],
    ['inversion-admm', 'float32', {}],
    ['inversion-admm', 'float64', {}],
  ])('%s in %s leaves what has a row a sample on the disk, and has the same bits', async (solver, dtype, more) => {
    const seen: (readonly [boolean, readonly string[]])[] = [];
    const onIteration = () => seen.push([mapped(), readdirSync(folder)]);
    const memory = BESIDE + (dtype === 'float32' ? 8e6 : 16e6);
    expect(await fromStore({ solver, dtype, ...more, memory, onIteration })).toEqual(
      await inMemory({ solver, dtype, ...more }),
    );
    // The file has no name: whoever is killed leaves nothing.
    expect(seen).toEqual(new Array(3).fill([true, ['whole.samples']]));
    expect(mapped()).toBe(false);
  });

  test('what fits stays in memory', async () => {
    const seen: boolean[] = [];
    await fit(store, {
      ...common,
      solver: 'dladmm',
      hidden: [5],
      memory: '1GB',
      onIteration: () => seen.push(mapped()),
    });
    expect(seen).toEqual([false, false, false]);
  });

  test('a training that is aborted has a model, and leaves nothing', async () => {
    const controller = new AbortController();
    const { status } = await fit(store, {
      ...common,
      ...{ solver: 'dladmm', hidden: [37, 29], iterations: 1000, memory: BESIDE + 8e6, signal: controller.signal },
      onIteration: () => controller.abort(),
    });
    expect(status).toEqual({ kind: 'aborted' });
    expect(mapped()).toBe(false);
    expect(readdirSync(folder)).toEqual(['whole.samples']);
  });

  test.each([
    ['dladmm', {}],
    ['variable-metric-admm', {}],
    ['sigmoid-admm', { activation: 'sigmoid' }],
  ])('%s says before it starts that memory is too little even so', async (solver, more) => {
    await expectFailure(
      () => fit(store, { ...common, solver, hidden: [37, 29], memory: BESIDE + 1e6, ...more } as never),
      'ERR_DLADMM_MEMORY',
      /takes \d+ MB .* but memory allows 102 MB; .*dladmm and inversion-admm leave on the disk/,
    );
  });

  test.runIf(process.getuid?.() === 0)('a disk without room is a typed error before anything starts', async () => {
    const disk = mkdtempSync(join(tmpdir(), 'dladmm-small-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'none', disk]);
    try {
      const small = join(disk, 'small.samples') as 'small.samples';
      await packSamples(small, { x: Array.from({ length: ROWS }, (_, i) => [i % 7, i % 5]), labels });
      const left = execFileSync('df', ['--output=avail', disk]).toString();
      const seen: unknown[] = [];
      await expectFailure(
        () =>
          fit(small, {
            ...common,
            ...{ solver: 'dladmm', hidden: [37, 29], memory: BESIDE + 8e6, onIteration: () => seen.push(1) },
          }),
        'ERR_DLADMM_FILE',
        /variables of the training beside .*small\.samples: the disk is full \(ENOSPC\)/,
      );
      expect(seen).toEqual([]);
      expect(execFileSync('df', ['--output=avail', disk]).toString()).toBe(left);
      expect(readdirSync(disk)).toEqual(['small.samples']);
    } finally {
      execFileSync('umount', [disk]);
      rmSync(disk, { recursive: true });
    }
  });
});
