import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { crossValidate } from '../../src/choosing.js';
import { seededRandom } from '../../src/core/random.js';
import { DlAdmmError, type Evaluation, fit } from '../../src/index.js';
import { takeRows } from '../../src/samples/frame.js';
import { expectFailure } from '../formats/support.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-choosing-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const random = seededRandom(8);
const KINDS = ['ash', 'beech', 'oak'];
/** Trees in places: some values are missing, and every place has a name of its own, which says nothing elsewhere. */
const trees = Array.from({ length: 240 }, (_, i) => {
  const kind = Math.floor(3 * random.uniform());
  const height = random.uniform() < 0.1 ? null : 10 + 3 * random.normal();
  const score = kind + ((height ?? 10) - 10) / 3 + 0.5 * random.normal();
  return {
    place: `p${Math.floor(i / 8)}`,
    kind: KINDS[kind] as string,
    height,
    old: score > 1.5 ? 'yes' : 'no',
    score,
  };
});
const OLD = { target: 'old', ignore: ['score', 'place'], hidden: [6], epochs: 6 } as const;
const SCORE = { target: 'score', ignore: ['old', 'place'], hidden: [6], epochs: 6 } as const;

const without = <T>(list: readonly T[], rows: readonly number[]): T[] => {
  const held = new Set(rows);
  return list.filter((_, i) => !held.has(i));
};
const of = <T>(list: readonly T[], rows: readonly number[]): T[] => Array.from(rows, (i) => list[i] as T);
const plain = (scores: Evaluation | undefined) => JSON.parse(JSON.stringify(scores)) as object;

describe('cross-validation', () => {
  test.each([
    ['classes', OLD],
    ['values', SCORE],
  ] as const)('of %s is one training a fold, which knows nothing of the rows held out', async (_, options) => {
    const { folds, scores } = await crossValidate(trees, options, { folds: 3, seed: 5 });
    expect(folds).toHaveLength(3);
    for (const { rows, scores: told } of folds) {
      const { model } = await fit(without(trees, rows), { ...options, seed: 5 });
      expect(plain((await model.evaluate(of(trees, rows))) as Evaluation)).toEqual(plain(told));
    }
    const losses = folds.map(({ scores }) => scores?.loss as number);
    const mean = losses.reduce((a, b) => a + b) / 3;
    const sd = Math.sqrt(losses.reduce((sum, loss) => sum + (loss - mean) ** 2, 0) / 2);
    expect(scores.loss?.mean).toBeCloseTo(mean, 12);
    expect(scores.loss?.sd).toBeCloseTo(sd, 12);
    expect(scores.loss).toMatchObject({ se: (scores.loss?.sd as number) / Math.sqrt(3), folds: 3 });
  });

  test('is the same for any number of trainings at once, any form of the rows and any number of threads', async () => {
    const path = join(folder, 'trees.csv');
    const lines = trees.map(({ place, kind, height, old, score }) => [place, kind, height ?? '', old, score].join(','));
    writeFileSync(path, ['place,kind,height,old,score', ...lines].join('\n'));
    async function* stream() {
      yield* trees;
    }
    const scores = async (...given: Parameters<typeof crossValidate>) => (await crossValidate(...given)).scores;
    const one = await scores(trees, OLD, { folds: 4, parallel: 1 });
    expect(await scores(trees, { ...OLD, threads: 2 }, { folds: 4, parallel: 4 })).toEqual(one);
    expect(await scores(stream(), OLD, { folds: 4 })).toEqual(one);
    expect(await scores(path, OLD, { folds: 4 })).toEqual(one);
    const { target: _, ...rest } = OLD;
    expect(await scores({ x: trees, labels: 'old' }, rest, { folds: 4 })).toEqual(one);
    expect(await scores(trees, OLD, { folds: 4, seed: 2 })).not.toEqual(one);
  });

  test('keeps the shares of classes, unless it shall not', async () => {
    const yes = (rows: readonly number[]) => of(trees, rows).filter(({ old }) => old === 'yes').length;
    const even = (await crossValidate(trees, OLD)).folds.map(({ rows }) => yes(rows));
    expect(Math.max(...even) - Math.min(...even)).toBeLessThanOrEqual(1);
    const chance = (await crossValidate(trees, OLD, { stratified: false, seed: 3 })).folds.map(({ rows }) => yes(rows));
    expect(Math.max(...chance) - Math.min(...chance)).toBeGreaterThan(1);
  });

  test('holds groups out whole, by a column or by a list, and makes no feature of them', async () => {
    const { ignore: _, ...options } = { ...OLD, ignore: [] };
    const named = await crossValidate(trees, { ...options, ignore: ['score'] }, { groups: 'place', folds: 4 });
    for (const { place } of trees) {
      const holding = named.folds.filter(({ rows }) => of(trees, rows).some((tree) => tree.place === place));
      expect(holding).toHaveLength(1);
    }
    const listed = await crossValidate(trees, OLD, { groups: trees.map(({ place }) => place), folds: 4 });
    expect(listed.scores).toEqual(named.scores);
  });

  test('of arrays takes labels and targets of every kind, and a class that a fold lacks', async () => {
    const x = trees.map(({ height }, i) => [height ?? 10, i % 7]);
    const labels = trees.map(({ old }) => old);
    const numbers = labels.map((label) => (label === 'yes' ? 20 : 10));
    const counted = labels.map((label) => (label === 'yes' ? 1 : 0));
    const options = { solver: 'adam', layers: [2, 4, 2], epochs: 3 } as const;
    const { scores } = await crossValidate({ x, labels }, options, { folds: 3 });
    expect(Object.keys(scores)).toEqual(expect.arrayContaining(['accuracy', 'rocAuc', 'logLoss', 'loss']));
    for (const same of [numbers, counted, Int32Array.from(counted)]) {
      expect((await crossValidate({ x, labels: same }, options, { folds: 3 })).scores).toEqual(scores);
    }
    expect((await crossValidate({ x, labels }, { hidden: [4], epochs: 2 }, { folds: 3 })).scores.rocAuc?.folds).toBe(3);
    const y = trees.map(({ score }) => [score, -score]);
    const values = await crossValidate({ x, y }, { hidden: [], epochs: 2 }, { folds: 3 });
    expect(values.scores.mae?.folds).toBe(3);
    const rare = labels.with(0, 'dead');
    expect((await crossValidate({ x, labels: rare }, { ...options, layers: [2, 3] })).scores.accuracy?.folds).toBe(5);
    const records = trees.map((tree, i) => ({ ...tree, old: i === 0 ? 7 : tree.old === 'yes' ? 5 : 3 }));
    expect((await crossValidate(records, { ...OLD, task: 'classification' })).scores.accuracy?.folds).toBe(5);
  });

  test('weighs the samples that are trained on, and judges by all alike', async () => {
    const heavy = trees.map((tree, i) => ({ ...tree, heavy: (i % 3) + 1 }));
    const weights = heavy.map((tree) => tree.heavy);
    const plain = await crossValidate(trees, OLD, { folds: 3 });
    const named = await crossValidate(heavy, { ...OLD, weights: 'heavy' }, { folds: 3 });
    expect(named.scores).not.toEqual(plain.scores);
    expect((await crossValidate(trees, { ...OLD, weights }, { folds: 3 })).scores).toEqual(named.scores);
    const { target: _, ...rest } = OLD;
    const beside = await crossValidate({ x: heavy, labels: 'old', weights: 'heavy' }, rest, { folds: 3 });
    expect(beside.scores).toEqual(named.scores);
    const x = trees.map(({ height }, i) => [height ?? 10, i % 7]);
    const labels = trees.map(({ old }) => old);
    const options = { solver: 'adam', layers: [2, 4, 2], epochs: 3 } as const;
    const { scores, folds } = await crossValidate({ x, labels, weights }, options, { folds: 3 });
    const [first] = folds;
    const held = first?.rows as number[];
    const part = { x: without(x, held), labels: without(labels, held), weights: without(weights, held) };
    const { model } = await fit(part, options);
    expect(await model.evaluate({ x: of(x, held), labels: of(labels, held) })).toEqual(first?.scores);
    expect(
      (await crossValidate({ x, labels }, { ...options, classWeights: 'balanced' }, { folds: 3 })).scores,
    ).not.toEqual(scores);
  });

  test('prints as a table', async () => {
    const text = String(await crossValidate(trees, OLD, { folds: 3 }));
    expect(text).toMatch(/^3 folds\n +mean +sd +se\naccuracy +0\.\d+/);
  });

  test('tells what diverged, and ends where all did', async () => {
    const x = trees.map((_, i) => [i % 7, i % 5]);
    const y = trees.map((_, i) => [i % 3]);
    const options = { solver: 'gd', layers: [2, 8, 1], epochs: 400, learningRate: 1e6, loss: 'squared-error' } as const;
    const refusal = crossValidate({ x, y }, options, { folds: 3 });
    await expect(refusal).rejects.toMatchObject({ code: 'ERR_DLADMM_NON_FINITE' });
  });

  test('is aborted while it works, and before', async () => {
    const stop = new AbortController();
    const work = crossValidate(
      trees,
      { ...OLD, epochs: 100_000, onIteration: () => stop.abort() },
      { signal: stop.signal },
    );
    await expect(work).rejects.toMatchObject({ code: 'ERR_DLADMM_ABORTED' });
    const before = crossValidate(trees, OLD, { signal: AbortSignal.abort() });
    await expect(before).rejects.toMatchObject({ code: 'ERR_DLADMM_ABORTED' });
  });

  test('keeps samples of one day together, though each has a date of its own', async () => {
    const x = trees.map(({ score }) => [score]);
    const labels = trees.map(({ old }) => old);
    const groups = trees.map((_, i) => new Date(2024, 0, 1 + (i % 6)));
    const { folds } = await crossValidate({ x, labels }, { hidden: [2], epochs: 1 }, { folds: 3, groups });
    expect(folds.map(({ rows }) => new Set(rows.map((row) => row % 6)).size)).toEqual([2, 2, 2]);
    const lists = trees.map((_, i) => [i % 6]);
    await expectFailure(
      () => crossValidate({ x, labels }, { hidden: [2] }, { groups: lists }),
      'ERR_DLADMM_ARGUMENT',
      /the same for what belongs together, for groups\[0\] but received an array/,
    );
  });

  test('takes a weight for each sample, and no more', async () => {
    const weights = Array.from({ length: 300 }, () => 1);
    await expectFailure(() => crossValidate(trees, { ...OLD, weights }), 'ERR_DLADMM_SHAPE', /240 numbers/);
  });

  test('is refused by name for what it cannot take', async () => {
    const refused = async (given: readonly unknown[], message: RegExp) => {
      const error = await crossValidate(...(given as [never])).then(
        () => undefined,
        (thrown: unknown) => thrown,
      );
      expect(error).toBeInstanceOf(DlAdmmError);
      expect(String(error)).toMatch(message);
    };
    await refused([trees, { ...OLD, epoch: 3 }], /did you mean epochs\?/);
    await refused([trees, OLD, { fold: 3 }], /did you mean folds\?/);
    await refused([trees, OLD, { folds: 1 }], /folds/);
    await refused([trees, OLD, { folds: 500 }], /at most 240 folds/);
    await refused([trees, OLD, { groups: 'plaice' }], /did you mean|place/);
    await refused([trees, OLD, { groups: ['a'] }], /each of 240 samples/);
    await refused([trees, SCORE, { stratified: true }], /stratified/);
    await refused([trees, { hidden: [4] }], /target/);
    const counts = trees.map((tree, i) => ({ ...tree, score: i === 200 ? -1 : i % 7 }));
    await refused([counts, { ...SCORE, loss: 'poisson' }], /as the loss is poisson, for row 200 of column "score"/);
    await refused([trees.map((tree) => ({ ...tree, old: 'no' })), OLD], /two classes for column "old"/);
    await refused([trees, { ...OLD, target: undefined, targt: 'old' }], /did you mean target\?/);
    await refused([trees, { ...OLD, checkpoint: { path: 'x' } }], /checkpoint/);
    await refused([{ x: [[1]], labels: [0], validation: { x: [[1]], labels: [0] } }], /validation/);
    await refused([{ x: [[1], [2]], labels: [0, 1] }, {}, { groups: 'a' }], /group/);
    await refused([undefined], /data/);
  });
});

test('rows that are taken of a table bring no text of the others along', async () => {
  const texts = ['ash', 'oak', 'elm'];
  const frame = {
    name: 'trees',
    rows: 4,
    named: true,
    columns: [{ name: 'kind', kind: 'text', missing: 1, texts, codes: Int32Array.of(0, 2, -1, 1) }],
  } as const;
  const [column] = (await takeRows(frame, Int32Array.of(3, 2, 1))).columns;
  expect(column).toMatchObject({ texts: ['oak', 'elm'], codes: Int32Array.of(0, -1, 1), missing: 1 });
});
