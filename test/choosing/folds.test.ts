import { fc, test } from '@fast-check/vitest';
import { describe, expect } from 'vitest';
import { foldsOf } from '../../src/choosing/folds.js';
import { checkSpace, choice, drawnOptions, integer, logUniform, uniform } from '../../src/choosing/space.js';

const count = (rows: Int32Array, keys: ArrayLike<unknown>, key: unknown) =>
  [...rows].filter((i) => keys[i] === key).length;
const labels = fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 8, maxLength: 120 });
const folds = fc.integer({ min: 2, max: 8 });
const seed = fc.nat({ max: 2 ** 31 });

describe('folds', () => {
  test.prop([labels, folds, seed])(
    'hold every sample out once, and each class by its share',
    async (of, folds, seed) => {
      const held = await foldsOf(of.length, { folds, seed, labels: of });
      expect(held.flatMap((rows) => [...rows]).sort((a, b) => a - b)).toEqual(of.map((_, i) => i));
      for (const counts of [
        held.map(({ length }) => length),
        ...[0, 1, 2, 3].map((c) => held.map((rows) => count(rows, of, c))),
      ]) {
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      }
    },
  );

  test.prop([fc.array(fc.integer({ min: 0, max: 30 }), { minLength: 60, maxLength: 200 }), seed])(
    'never part a group, and none is empty',
    async (groups, seed) => {
      fc.pre(new Set(groups).size >= 4);
      const held = await foldsOf(groups.length, { folds: 4, seed, groups, labels: groups.map((group) => group % 2) });
      expect(held.flatMap((rows) => [...rows]).sort((a, b) => a - b)).toEqual(groups.map((_, i) => i));
      for (const group of new Set(groups))
        expect(held.filter((rows) => count(rows, groups, group) > 0)).toHaveLength(1);
      for (const rows of held) expect(rows.length).toBeGreaterThan(0);
    },
  );

  test('of groups of one size have their classes as even as may be', async () => {
    const groups = Array.from({ length: 120 }, (_, i) => Math.floor(i / 4));
    const classes = groups.map((group) => (group % 3 === 0 ? 'rare' : 'common'));
    const held = await foldsOf(120, { folds: 5, seed: 3, groups, labels: classes });
    expect(held.map((rows) => count(rows, classes, 'rare'))).toEqual([8, 8, 8, 8, 8]);
  });

  test('are drawn by the seed, and refused where there are too few samples or groups', async () => {
    const of = (seed: number) => foldsOf(20, { folds: 3, seed });
    expect(await of(1)).toEqual(await of(1));
    expect(await of(1)).not.toEqual(await of(2));
    await expect(foldsOf(4, { folds: 5, seed: 1 })).rejects.toThrow(/at most 4 folds.*samples/);
    const groups = 'aaabbbccc' as never;
    await expect(foldsOf(9, { folds: 4, seed: 1, groups })).rejects.toThrow(/at most 3 folds.*groups/);
  });
});

describe('a space', () => {
  const space = {
    solver: 'adam',
    hidden: [[8], [16, 16]],
    learningRate: logUniform(1e-4, 1e-1),
    l2: uniform(0, 1),
    epochs: integer(3, 5),
    activation: choice(['relu', 'tanh']),
    ignore: ['id'],
  } as const;

  test('gives options within its bounds, evenly, and leaves the others as they are', () => {
    const draws = drawnOptions(space, 4);
    const all = Array.from({ length: 3000 }, () => draws.next().value as { [name: string]: number });
    for (const options of all) {
      expect(options).toMatchObject({ solver: 'adam', ignore: ['id'] });
      expect(options.learningRate).toBeGreaterThanOrEqual(1e-4);
      expect(options.learningRate).toBeLessThanOrEqual(1e-1);
    }
    const share = (of: (options: { [name: string]: number }) => boolean) => all.filter(of).length / all.length;
    expect(share(({ learningRate = 0 }) => learningRate < Math.sqrt(1e-5))).toBeCloseTo(0.5, 1);
    expect(share(({ l2 = 0 }) => l2 < 0.25)).toBeCloseTo(0.25, 1);
    for (const epochs of [3, 4, 5]) expect(share((options) => options.epochs === epochs)).toBeCloseTo(1 / 3, 1);
  });

  test('of few options gives each of them once', () => {
    const all = [...drawnOptions({ hidden: [[1], [2]], epochs: integer(1, 3) }, 9)];
    expect(all).toHaveLength(6);
    expect(new Set(all.map((options) => JSON.stringify(options))).size).toBe(6);
  });

  test('is refused where nothing varies, or bounds are none', () => {
    const refused = (space: object, message: RegExp) => expect(() => checkSpace(space)).toThrow(message);
    refused({ solver: 'adam', hidden: [4] }, /that varies/);
    refused({ epochs: [] }, /at least one value for space\.epochs/);
    refused({ epochs: integer(1.5, 3) }, /whole numbers/);
    refused({ l2: uniform(2, 1) }, /low ≤ high/);
    refused({ l2: logUniform(0, 1) }, /above 0/);
    refused({ l2: { draw: 'normal', low: 0, high: 1 } }, /choice, uniform/);
  });
});
