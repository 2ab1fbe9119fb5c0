import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type GraphResult, type Run, rowsOf, spread, tableOf } from '../../dist/bench/graph/result.js';
import { METHODS, SETTINGS, settingText } from '../../dist/bench/graph/settings.js';
import { planOf } from '../../dist/training/plan.js';
import { shared } from '../formats/support.js';

const run = (seed: number, testAccuracy: number, status: Run['status'] = 'completed'): Run => ({
  method: 'adam',
  setting: '16 hidden',
  peakRssBytes: 1e8 * (4 - seed),
  seed,
  status,
  iterations: 200,
  testAccuracy,
  validationAccuracy: 0.75,
  trainAccuracy: 1,
  secondsPerIteration: seed / 100,
});

describe('the results of a graph', () => {
  test('have the mean and the standard deviation of the runs', () => {
    expect(spread([1, 2, 3])).toEqual({ mean: 2, deviation: 1 });
    expect(spread([0.5])).toEqual({ mean: 0.5, deviation: Number.NaN });
  });

  test('are a row a method, with its largest memory and how it ended where that was not at its end', () => {
    const result = { graph: 'cora', runs: [run(1, 0.8), run(2, 0.9, 'diverged')] };
    expect(rowsOf(result)).toEqual([
      expect.objectContaining({
        graph: 'cora',
        method: 'adam',
        runs: 2,
        secondsPerIteration: 0.015,
        peakRssBytes: 3e8,
        ended: ['diverged'],
      }),
    ]);
    const [head, row, last] = tableOf([result]).split('\n');
    expect(head).toMatch(/^graph +method +test accuracy/);
    expect(row).toMatch(/^cora +adam +0\.8500 ± 0\.0707 +2 +0\.0150 +0\.30 GB +16 hidden; diverged$/);
    expect(last).toMatch(/^pubmed .*1,060 of its 19,717 nodes; dblp/);
  });
});

describe('the settings', () => {
  test('of the gradient methods are options that a graph takes', () => {
    for (const method of METHODS.filter((name) => name !== 'dladmm')) {
      for (const { options } of SETTINGS[method]) {
        expect(() => planOf({ ...options, layers: [9, 16, 3] }, 'graph')).not.toThrow();
      }
    }
  });

  test('tell each other apart by their text', () => {
    for (const method of METHODS) {
      expect(new Set(SETTINGS[method].map(settingText)).size).toBe(SETTINGS[method].length);
    }
  });
});

describe('the program', () => {
  const program = fileURLToPath(new URL('../../dist/bench/graph.js', import.meta.url));
  let folder = '';
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'dladmm-graph-'));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));
  const bench = (...args: readonly string[]) =>
    promisify(execFile)(process.execPath, [program, '--out', folder, '--svg', join(folder, 'graph.svg'), ...args]);

  test('refuses what it does not know', async () => {
    await expect(bench('--graphs', 'pubmed')).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(/cora/) });
    await expect(bench('--methods', 'sgd')).rejects.toMatchObject({ stderr: expect.stringMatching(/dladmm, adam/) });
    await expect(bench('--seeds', '0')).rejects.toMatchObject({ stderr: expect.stringMatching(/--seeds/) });
  });

  test.skipIf(!existsSync(join(shared, 'datasets/graphs')))(
    'goes on where it was stopped (skipped without the shared data folder)',
    async () => {
      const args = ['--graphs', 'cora', '--methods', 'adam', '--data-dir', join(shared, 'datasets'), '--json'];
      const first = await bench(...args, '--seeds', '1');
      expect(first.stderr).toMatch(/cora adam 1: test/);
      const second = await bench(...args, '--seeds', '2');
      expect(second.stderr).not.toMatch(/cora adam 1: test/);
      expect(second.stderr).toMatch(/cora adam 2: test/);
      const rows = JSON.parse(second.stdout) as readonly { readonly runs: number; readonly mean: number }[];
      expect(rows).toEqual([expect.objectContaining({ graph: 'cora', method: 'adam', runs: 2 })]);
      expect(rows[0]?.mean).toBeGreaterThan(0.78);
      const kept = JSON.parse(await readFile(join(folder, 'graph-cora.json'), 'utf8')) as GraphResult;
      expect(kept.runs.map(({ method, seed }) => [method, seed])).toEqual([
        ['adam', 1],
        ['adam', 2],
      ]);
      expect(kept.runs[0]?.peakRssBytes).toBeGreaterThan(1e7);
      expect(await readFile(join(folder, 'graph.svg'), 'utf8')).toMatch(/^<svg/);
    },
    60_000,
  );
});
