import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { slopeOf } from '../../dist/bench/approximate/kkt.js';
import { frozen } from '../../dist/bench/approximate/methods.js';
import { tableOf as methodTable, summaryOf, type TaskResult } from '../../dist/bench/approximate/report.js';
import { TASKS } from '../../dist/bench/approximate/tasks.js';
import { isKept, runTrial, type Trial } from '../../dist/bench/approximate/trial.js';
import { chosen } from '../../dist/bench/harness/program.js';
import { type Run, rowsOf, runs, scalerOf, tableOf } from '../../dist/bench/stability/runs.js';
import { Lambda, V, W } from '../../src/solvers.js';

const root = fileURLToPath(new URL('../../', import.meta.url));

const trial = (seed: number, error: number | null, more: Partial<Trial> = {}): Trial => ({
  seed,
  epochs: 10,
  error,
  epoch: 3,
  seconds: 2,
  status: error === null ? 'diverged' : 'completed',
  ...more,
});

describe('a task', () => {
  test.each(TASKS.map((task) => [task.name, task] as const))('%s has its points from its seed alone', (_, task) => {
    const { x, y } = task.points(50, 3, 'train');
    expect([x.length, y.length]).toEqual([50 * task.inputs, 50]);
    expect(task.points(50, 3, 'train')).toEqual({ x, y });
    expect(task.points(50, 3, 'test').x).not.toEqual(x);
    expect(task.points(50, 4, 'train').x).not.toEqual(x);
    expect(x.every((value) => Math.abs(value) <= 1)).toBe(true);
  });

  test('of L1 has noise on its training targets alone', () => {
    const task = TASKS.find(({ name }) => name === 'l1-radial');
    const off = (part: 'train' | 'test'): number => {
      const { x, y } = task?.points(2000, 1, part) ?? { x: [], y: [] };
      const misses = Array.from(y, (value, i) => {
        const norm = Math.abs(x[2 * i] ?? Number.NaN) + Math.abs(x[2 * i + 1] ?? Number.NaN);
        return value - Math.max(norm - 1, 0);
      });
      return Math.sqrt(misses.reduce((sum, miss) => sum + miss * miss, 0) / misses.length);
    };
    expect(off('train')).toBeGreaterThan(0.095);
    expect(off('train')).toBeLessThan(0.105);
    expect(off('test')).toBeLessThan(1e-15);
  });
});

describe('frozen hidden layers', () => {
  test('are a sweep over the last one alone', () => {
    expect([...frozen(4)]).toEqual([W(4), V(4), Lambda(4)]);
  });
});

describe('a trial', () => {
  test('of SGD that diverges is run again at the next smaller rate', async () => {
    const task = TASKS[0] as (typeof TASKS)[number];
    const found = await runTrial(task, 'sgd', 1, { points: 200, epochs: 2, threads: 1, standardiseTargets: false });
    expect(found.diverged).toContain(0.1);
    expect(found.rate).toBeLessThan(0.1);
    expect(found.status).toBe('completed');
  });

  test('keeps its smallest error, its curve and what it fitted', async () => {
    const found = await runTrial(TASKS[0] as (typeof TASKS)[number], 'admm', 1, {
      points: 50,
      epochs: 12,
      threads: 1,
      standardiseTargets: false,
    });
    const { curve = [] } = found;
    const errors = curve.map(({ error }) => error);
    expect(curve.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12]);
    expect(errors).toEqual([...errors].sort((left, right) => right - left));
    expect(found.error).toBe(errors.at(-1));
    expect(found.fitted?.[150]).toBeCloseTo(0.25, 2);
    expect(found.rate).toBeUndefined();
  });
});

describe('a curve', () => {
  test('keeps few epochs, and those that tables name', () => {
    const kept = Array.from({ length: 2000 }, (_, i) => i + 1).filter(isKept);
    expect(kept.length).toBeLessThan(80);
    expect(kept).toEqual(expect.arrayContaining([1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000]));
  });
});

describe('the summary of a method', () => {
  const result = (...trials: readonly Trial[]) => ({
    task: 'x2',
    runs: trials.map((each) => ({ method: 'sgd' as const, layers: '1-5-1', ...each })),
  });

  test('has mean, best and deviation of the smallest errors', () => {
    const summary = summaryOf(result(trial(1, 1), trial(2, 3, { diverged: [0.1, 0.03] })), 'sgd', 4);
    expect(summary).toMatchObject({ mean: 2, best: 1, deviation: 1, seconds: 2, trials: 2, failed: 0, published: 4 });
    expect(summary.diverged).toEqual({ 0.1: 1, 0.03: 1 });
    expect(methodTable([summary])).toMatch(/2\.00e\+0 +1\.00e\+0 +1\.00e\+0 .*0\.1 \(1\)/);
  });

  test('says so where no trial was finite', () => {
    const summary = summaryOf(result(trial(1, null)), 'sgd');
    expect(summary).toMatchObject({ mean: null, best: null, deviation: null, failed: 1 });
    expect(methodTable([summary])).toContain('diverged');
  });
});

describe('the sweep over settings', () => {
  const result = (row: readonly string[], errors: readonly (number | null)[]) => ({
    task: 'x2' as const,
    solver: 'sigmoid-admm' as const,
    row,
    outcomes: errors.map((error, i) => ({ seed: i + 1, error })),
  });

  test('has β from .01 to 100, λ from 1e-6 to 0.1, every start and every scale', () => {
    const rows = new Set(runs().flatMap(({ solver, row }) => row.map((name) => `${solver} ${name}`)));
    for (const name of ['β = 0.01', 'β = 100', 'λ = 1e-6', 'λ = 0.1', 'start orthogonal', 'inputs raw']) {
      expect(rows).toContain(`sigmoid-admm ${name}`);
    }
    const admm = runs().filter(({ options }: Run) => 'l2' in options);
    expect(admm).toHaveLength(30);
  });

  test('counts a divergence as the worst of errors, and rows of one kind together', () => {
    const rows = rowsOf([
      result(['β = 1', 'λ = 1'], [1e-5, null]),
      result(['β = 1', 'λ = 2'], [1e-3, 1e-3]),
      result(['β = 2', 'λ = 1'], [1e-6, 1e-6]),
    ]);
    expect(rows.map(({ varied }) => varied)).toEqual(['β = 1', 'β = 2', 'λ = 1', 'λ = 2']);
    expect(rows[0]).toMatchObject({ runs: 4, finite: 3, reached: 1, best: 1e-5, median: 1e-3, worst: null });
    expect(tableOf(rows)).toMatch(/β = 1 +4 +75 % +25 % +1\.0e-5 +1\.0e-3 +diverged/);
  });
});

describe('a scale', () => {
  const x = { data: Float64Array.of(1, 5, 3, 5, 5, 5), rows: 3, columns: 2 };

  test('is that of the training samples, column by column; a constant column is only moved', () => {
    const far = { data: Float64Array.of(7, 6), rows: 1, columns: 2 };
    expect([...scalerOf(x, '[0, 1]')(far).data]).toEqual([1.5, 1]);
    expect([...scalerOf(x, 'standardised')(x).data].map((value) => value.toFixed(4))).toEqual([
      '-1.2247',
      '0.0000',
      '0.0000',
      '0.0000',
      '1.2247',
      '0.0000',
    ]);
    expect([...scalerOf(x, 'raw')(far).data]).toEqual([7, 6]);
  });
});

describe('a slope', () => {
  test('of 1/K is −1', () => {
    expect(slopeOf([1, 5, 30, 700].map((K) => [K, 12 / K]))).toBeCloseTo(-1, 12);
    expect(slopeOf([1, 5, 30, 700].map((K) => [K, K ** 2]))).toBeCloseTo(2, 12);
  });
});

describe('a list of names', () => {
  test('has known ones only, each once', () => {
    expect(chosen('b, a,b', ['a', 'b'], '--x')).toEqual(['b', 'a']);
    expect(() => chosen('a,c', ['a', 'b'], '--x')).toThrow(/some of a, b for --x but received "c"/);
  });
});

describe('bench:approximate', () => {
  test('takes up what an earlier run has left', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-approximate-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const run = async (trials: number) =>
      promisify(execFile)(process.execPath, [
        join(root, 'dist/bench/approximate.js'),
        ...['--tasks', 'x2', '--methods', 'admm', '--epochs', '3', '--points', '20', '--threads', '1', '--json'],
        ...['--trials', String(trials), '--out', folder, '--svg', join(folder, 'picture.svg')],
      ]);
    const first = await run(1);
    expect(JSON.parse(first.stdout)).toMatchObject({ task: 'x2', method: 'admm', trials: 1, epochs: 3 });
    const second = await run(2);
    expect(second.stderr).not.toContain('seed 1');
    expect(second.stderr).toContain('seed 2');
    const kept = JSON.parse(await readFile(join(folder, 'approximate-x2.json'), 'utf8')) as TaskResult;
    expect(kept.runs.map(({ method, seed }) => [method, seed])).toEqual([
      ['admm', 1],
      ['admm', 2],
    ]);
    expect(await readFile(join(folder, 'picture.svg'), 'utf8')).toMatch(/^<svg/);
  });
});
