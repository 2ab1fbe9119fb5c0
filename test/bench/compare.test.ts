import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bestOf,
  type ComparePoint,
  milestones,
  pointOf,
  tableOf,
  type Watched,
} from '../../dist/bench/compare/curves.js';
import { METHODS, methodsOf, optionsOf } from '../../dist/bench/compare/methods.js';
import { trainingSamples } from '../../dist/bench/harness/samples.js';
import { SAMPLE_SOLVERS } from '../../dist/solvers.js';

const record = (iteration: number, accuracy: number): Watched => ({
  iteration,
  lagrangian: 10 / iteration,
  test: { accuracy, loss: 1 - accuracy },
});

const points: ComparePoint[] = [];
for (const accuracy of [0.5, 0.75, 0.625, 0.75]) {
  points.push(pointOf(record(points.length + 1, accuracy), 2 * (points.length + 1), 100));
}

describe('a curve', () => {
  test('has what an iteration reached, and when', () => {
    expect(points[1]).toEqual({ iteration: 2, seconds: 4, testAccuracy: 0.75, testLoss: 0.25, objective: 5 });
  });

  test('has the loss on the training samples where it was asked for', () => {
    expect(pointOf({ ...record(1, 0.5), train: { loss: 0.25 } }, 0, 100)).toMatchObject({ trainLoss: 0.25 });
  });

  test('has the loss summed over the samples as the objective of a method without a Lagrangian', () => {
    const epoch = { iteration: 1, loss: 0.25, test: { accuracy: 0.5, loss: 0.5 } };
    expect(pointOf(epoch, 0, 100)).toMatchObject({ objective: 25, testAccuracy: 0.5 });
  });

  test('is best where it first reaches its highest accuracy', () => {
    expect(bestOf(points)?.iteration).toBe(2);
    expect(bestOf([])).toBeUndefined();
  });

  test('is not best where it has no accuracy', () => {
    const blind = pointOf({ iteration: 1, lagrangian: 1 }, 2, 100);
    expect(bestOf([blind, ...points.slice(0, 1)])?.testAccuracy).toBe(0.5);
    expect(bestOf([blind])).toBeUndefined();
  });
});

describe('the table', () => {
  test('looks at 1, 2, 5, 10, …', () => {
    expect(milestones(60)).toEqual([1, 2, 5, 10, 20, 50]);
    expect(milestones(1)).toEqual([1]);
  });

  test('has a column for each method, however long it ran', () => {
    const lines = tableOf([
      { method: 'one', status: 'completed', points },
      { method: 'two', status: 'diverged', points: points.slice(0, 1) },
    ]).split('\n');
    expect(lines.map((line) => line.trim().split(/ +/).join(' '))).toEqual([
      'iteration one two',
      '1 0.5000 2.00 s 0.5000 2.00 s',
      '2 0.7500 4.00 s -',
      'best (2) 0.7500 4.00 s (1) 0.5000 2.00 s',
      'last (4) 0.7500 8.00 s (1) 0.5000 2.00 s',
      'ended completed diverged',
    ]);
  });

  test('puts at most five methods beside each other', () => {
    const curves = ['a', 'b', 'c', 'd', 'e', 'f'].map((method, i) => ({
      method,
      status: 'completed',
      points: points.slice(0, i === 0 ? 4 : 1),
    }));
    const [first = '', second = '', ...more] = tableOf(curves).split('\n\n');
    const heads = [first, second].map((block) => block.split('\n')[0]?.trim().split(/ +/));
    expect(heads).toEqual([
      ['iteration', 'a', 'b', 'c', 'd', 'e'],
      ['iteration', 'f'],
    ]);
    expect([first, second].map((block) => block.split('\n').length)).toEqual([6, 6]);
    expect(more).toEqual([]);
  });

  test('has a dash where an accuracy or all points are missing', () => {
    const blind = pointOf({ iteration: 1, lagrangian: 1 }, 2, 100);
    const lines = tableOf([
      { method: 'one', status: 'completed', points: [blind] },
      { method: 'two', status: 'diverged', points: [] },
    ]).split('\n');
    expect(lines.map((line) => line.trim().split(/ +/).join(' ')).slice(1)).toEqual([
      '1 - 2.00 s -',
      'best - -',
      'last (1) - 2.00 s -',
      'ended completed diverged',
    ]);
  });
});

describe('the methods', () => {
  const shared = { layers: [4, 3], seed: 7 };

  test('take what they share, and as many iterations, be they sweeps or epochs', () => {
    for (const own of Object.values(METHODS))
      expect(optionsOf(own, shared, 5)).toEqual({ ...shared, ...own, iterations: 5 });
  });

  test('include every solver of the list, one that joins it by its name and defaults', () => {
    const joined = methodsOf([...SAMPLE_SOLVERS, { name: 'brand-new' }]);
    expect(joined).toEqual({ ...METHODS, 'brand-new': { solver: 'brand-new' } });
    for (const { name } of SAMPLE_SOLVERS) expect(METHODS[name]).toMatchObject({ solver: name });
  });
});

describe('the samples', () => {
  const set = (name: string, rows: number): Parameters<typeof trainingSamples>[0] => {
    const part = { x: { data: new Float32Array(2 * rows), rows, columns: 2 }, labels: new Int32Array(rows) };
    return { name, task: 'classification', train: part, test: part, classes: ['0', '1'] } as const as never;
  };

  test.each([
    ['mnist', 60_000, undefined, 55_000],
    ['fashion-mnist', 60_000, undefined, 60_000],
    ['mnist', 60_000, 100, 100],
    ['mnist', 60_000, 60_000, 60_000],
    ['mnist', 100, 200, 100],
  ])('of %s with %d, asked for %s, are the first %d', (name, rows, count, taken) => {
    const { x, labels } = trainingSamples(set(name, rows), count);
    expect([x.rows, x.data.length, labels.length]).toEqual([taken, 2 * taken, taken]);
  });
});

describe('bench:compare', () => {
  const program = fileURLToPath(new URL('../../dist/bench/compare.js', import.meta.url));
  const place = { folder: '' };
  beforeAll(async () => {
    place.folder = await mkdtemp(join(tmpdir(), 'dladmm-compare-'));
  });
  afterAll(() => rm(place.folder, { recursive: true, force: true }));
  const run = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [program, '--out', 'it.json', '--svg', 'it.svg', ...args], {
      cwd: place.folder,
    });

  test('writes every curve and one picture', async () => {
    const args = ['--dataset', 'digits', '--layers', '64-16-10', '--samples', '200', '--iterations', '3'];
    const { stdout } = await run(...args, '--train-metrics', '--json');
    const file = JSON.parse(await readFile(join(place.folder, 'it.json'), 'utf8'));
    const summary = JSON.parse(stdout);
    expect(file).toMatchObject({ data: 'digits', samples: 200, layers: '64-16-10' });
    expect(file.runs.map(({ method, status }: { method: string; status: string }) => [method, status])).toEqual(
      Object.keys(METHODS).map((method) => [method, 'completed']),
    );
    for (const { method, points: curve } of file.runs) {
      expect(curve.map(({ iteration }: ComparePoint) => iteration)).toEqual([1, 2, 3]);
      expect(summary.methods[method].last).toEqual(curve.at(-1));
      expect(curve[0]).toMatchObject({ objective: expect.any(Number), trainLoss: expect.any(Number) });
    }
    const svg = await readFile(join(place.folder, 'it.svg'), 'utf8');
    expect(svg).toMatch(/^<svg .*<\/svg>$/s);
    for (const title of ['test accuracy', 'objective', 'iteration', 'seconds'])
      expect(svg).toContain(`>${title}</text>`);
  });

  test('goes on with what is missing, and keeps what is there', async () => {
    const args = [
      '--dataset',
      'digits',
      '--layers',
      '64-16-10',
      '--samples',
      '200',
      '--methods',
      'dladmm,adam',
      '--train-metrics',
    ];
    const curves = async () => JSON.parse(await readFile(join(place.folder, 'it.json'), 'utf8')).runs;
    const before = await curves();
    const { stdout } = await run(...args, '--iterations', '4', '--json');
    expect(Object.keys(JSON.parse(stdout).methods)).toEqual(['dladmm', 'adam']);
    const after = await curves();
    expect(after.slice(0, -2)).toEqual(before);
    expect(after.slice(-2).map(({ method }: { method: string }) => method)).toEqual(['dladmm', 'adam']);
    await run(...args, '--iterations', '4');
    expect(await curves()).toEqual(after);
    await run(...args, '--iterations', '4', '--anew');
    expect((await curves()).length).toBe(2);
  });

  test('compares a solver that is defined outside of the package', async () => {
    const own = fileURLToPath(new URL('own-solver.mjs', import.meta.url));
    const args = ['--dataset', 'digits', '--layers', '64-16-10', '--samples', '200', '--iterations', '2'];
    const { stdout } = await run(...args, '--methods', 'dladmm', '--solver', own, '--json');
    const { methods } = JSON.parse(stdout);
    expect(Object.keys(methods)).toEqual(['dladmm', 'forward-only']);
    expect(methods['forward-only']).toMatchObject({ status: 'completed', last: { iteration: 2 } });
    expect(methods['forward-only'].last.objective).not.toBe(methods.dladmm.last.objective);
  });

  test.each([
    ['--solver', fileURLToPath(import.meta.url.replace('compare.test.ts', 'nothing.mjs')), 1],
    ['--samples', '0', 2],
    ['--methods', 'none', 2],
    ['--dtype', 'float16', 2],
    ['--unknown', '1', 2],
    ['--dataset', 'nothing', 1],
    ['--dataset', 'diabetes', 1],
  ])('refuses %s %s in one line', async (option, value, code) => {
    const failed = run('--dataset', 'digits', '--layers', '64-16-10', option, value);
    await expect(failed).rejects.toMatchObject({ code, stderr: expect.stringMatching(/^[^\n]+\n$/) });
  });
});
