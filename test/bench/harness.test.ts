import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { choice, count, file, flag, layers, maybe, some, text, valuesOf } from '../../dist/bench/harness/program.js';
import { compact, machine, rounded } from '../../dist/bench/harness/results.js';
import { follow } from '../../dist/bench/harness/samples.js';
import { median, quantile } from '../../dist/bench/harness/statistics.js';
import { studyIn } from '../../dist/bench/harness/study.js';
import { table } from '../../dist/bench/harness/table.js';

describe('the options of a benchmark', () => {
  const OPTIONS = {
    dataDir: file,
    layers: layers('784-10'),
    methods: some(['adam', 'sgd']),
    seeds: count(3),
    samples: maybe(count(1)),
    gram: choice(['low-rank', 'full'], 'low-rank'),
    fresh: flag,
    name: text('x'),
  };
  const read = (...args: readonly string[]) => valuesOf(OPTIONS, args).values;

  test('are what stands where nothing is given', () => {
    expect(read()).toEqual({
      dataDir: undefined,
      layers: [784, 10],
      methods: ['adam', 'sgd'],
      seeds: 3,
      samples: undefined,
      gram: 'low-rank',
      fresh: false,
      name: 'x',
    });
  });

  test('are read by their names in kebab case', () => {
    const given = read('--data-dir', 'here', '--layers', '4-3', '--methods', 'sgd, sgd', '--seeds', '12', '--fresh');
    expect(given).toMatchObject({ dataDir: 'here', layers: [4, 3], methods: ['sgd'], seeds: 12, fresh: true });
  });

  test.each(['0', '-1', '1.5', '', 'many', '1e3'])('refuse %j as a count', (given) => {
    expect(() => read(`--seeds=${given}`)).toThrow(/^Expected a positive whole number for --seeds but received "/);
  });

  test.each([
    ['--gram', 'half', /^Expected one of low-rank, full for --gram but received "half"/],
    ['--methods', 'adam,', /^Expected some of adam, sgd for --methods but received ""/],
    ['--methods', 'constructor', /^Expected some of adam, sgd for --methods but received "constructor"$/],
    ['--methods', 'sgd,adma', /^Expected some of adam, sgd for --methods but received "adma"; did you mean adam\?$/],
    ['--layers', '4-x', /^Expected a positive whole number for --layers/],
    ['--unknown', '1', /--unknown/],
  ])('refuse %s %s', (option, given, message) => {
    expect(() => read(option, given)).toThrow(message);
  });
});

describe('a result file', () => {
  const result = {
    name: 'x',
    points: Array.from({ length: 30 }, (_, i) => ({ iteration: i, accuracy: i / 8 })),
    numbers: Array.from({ length: 300 }, (_, i) => i),
    runs: Array.from({ length: 9 }, (_, i) => ({
      method: 'of a name that is long',
      seed: i,
      scores: Array(20).fill(i / 8),
    })),
  };

  test('has a line a long record, and short ones and numbers side by side', () => {
    const written = compact(result);
    expect(JSON.parse(written)).toEqual(result);
    const lines = written.split('\n');
    expect(lines).toContain(`  ${JSON.stringify(result.runs[4])},`);
    expect(lines.filter((line) => line.includes('"iteration":8,'))).toEqual([
      expect.stringContaining('"iteration":9,'),
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(361);
    expect(lines.length).toBeLessThan(40);
  });

  test('has eight digits of a number, and null for what is not finite', () => {
    expect(rounded({ third: 1 / 3, none: Number.NaN, text: 'a', left: undefined })).toEqual({
      third: 0.33333333,
      none: null,
      text: 'a',
    });
  });

  test('says on what it was measured', () => {
    expect(Object.keys(machine(2))).toEqual(
      expect.arrayContaining(['openblasCore', 'openblasConfig', 'OPENBLAS_CORETYPE', 'OPENBLAS_L2_SIZE', 'processor']),
    );
    expect(machine(2)).toMatchObject({ threads: 2, version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });
});

describe('a table', () => {
  test('has numbers to the right and names to the left', () => {
    expect(
      table(
        ['name', 'ms'],
        [
          ['a', '1.5'],
          ['long one', '12.25'],
        ],
      ),
    ).toBe('name         ms\na           1.5\nlong one  12.25');
  });
});

describe('statistics', () => {
  test('have a middle, and none of nothing', () => {
    expect([median([3, 1, 2]), median([4, 1, 2, 3]), median([])]).toEqual([2, 2.5, Number.NaN]);
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
  });
});

describe('a training that is followed', () => {
  const training = () => ({
    result: 'done',
    async *[Symbol.asyncIterator]() {
      for (const seconds of [1, 2, 4]) yield { seconds };
    },
  });

  test('adds up its seconds', async () => {
    const all: number[] = [];
    expect(await follow(training(), (_, seconds) => all.push(seconds))).toBe('done');
    expect(all).toEqual([1, 3, 7]);
  });

  test('ends where that is enough', async () => {
    const all: number[] = [];
    await follow(training(), (_, seconds) => (all.push(seconds) === 2 ? 'enough' : 'more'));
    expect(all).toEqual([1, 3]);
  });
});

describe('a study', () => {
  interface Run {
    readonly method: string;
    readonly seed: number;
    readonly error?: number;
  }
  const begun = async (file: string, data = 'x', anew = false) =>
    studyIn<{ readonly data: string }, Run>(file, { data }, 1, anew);

  test('takes up what an earlier one has left, one run a key', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-study-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const file = join(folder, 'it.json');
    const first = await begun(file);
    await first.put({ method: 'a', seed: 1 }, { method: 'a', seed: 1, error: 3 });
    await first.put({ method: 'a', seed: 2 }, { method: 'a', seed: 2, error: 4 });
    await first.put({ method: 'a', seed: 1 }, { method: 'a', seed: 1, error: 5 });
    const second = await begun(file);
    expect(second.find({ method: 'a', seed: 1 })?.error).toBe(5);
    expect(second.find({ seed: 3 })).toBeUndefined();
    expect(second.now().runs.map(({ error }) => error)).toEqual([4, 5]);
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ data: 'x', threads: 1 });
    expect((await begun(file, 'y')).now().runs).toEqual([]);
    expect((await begun(file, 'x', true)).now().runs).toEqual([]);
  });
});
