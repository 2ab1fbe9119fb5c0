/** A path of strengths: from the least to the greatest, each from the weights before, judged by what is held out. */
import { writeFile } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type AnyOptions, path, type Strengths } from '../../src/choosing.js';
import { fit, type Model } from '../../src/index.js';
import { inFolder } from '../cli/support.js';
import { expectFailure } from '../formats/support.js';
import { numbers } from '../reference/addon.js';

const files = inFolder();
const next = numbers(11);
const COLUMNS = 12;
/** Two columns decide; ten are noise. */
const rows = Array.from({ length: 300 }, () => {
  const x = Array.from({ length: COLUMNS }, next);
  const y = 2 * (x[0] ?? 0) - 1.5 * (x[3] ?? 0) + 0.3 * next();
  return { ...Object.fromEntries(x.map((value, k) => [`x${k}`, value])), y };
});
const data = {
  x: rows.map(({ y: _, ...row }) => Object.values(row) as number[]),
  y: rows.map(({ y }) => y),
};
const options = {
  ...({ solver: 'gd', layers: [COLUMNS, 1], loss: 'squared-error', learningRate: 0.1, epochs: 150 } as const),
  regularise: { W: { inputs: 1 } },
} as const satisfies AnyOptions;
const strengths = [0.001, 0.1, 0.2, 10];

describe('a path of strengths', () => {
  test('has more zeros with every strength, and takes the greatest within one standard error of the best', async () => {
    const found = await path(data, options, { strengths: strengths.toReversed(), folds: 4, refit: true });
    const { points, best, chosen } = found;
    expect(points.map(({ strength }) => strength)).toEqual(strengths);
    for (const [k, { zeros, inputs }] of points.entries()) {
      expect(zeros).toBeGreaterThanOrEqual(points[k - 1]?.zeros ?? 0);
      expect(inputs).toBeLessThanOrEqual(points[k - 1]?.inputs ?? COLUMNS);
    }
    expect(points.at(-1)).toMatchObject({ zeros: 1, inputs: 0 });
    expect(best.value).toBe(Math.min(...points.map(({ value = Number.NaN }) => value)));
    const within = points.filter(({ value = Number.NaN }) => value <= (best.value ?? 0) + (best.se ?? 0));
    expect(chosen).toEqual(within.at(-1));
    const model = found.model as Model;
    const w = Array.from(model.weights[0] ?? []);
    expect(w.map((value, k) => (value === 0 ? -1 : k)).filter((k) => k >= 0)).toEqual(expect.arrayContaining([0, 3]));
    expect(String(found)).toMatch(/strength +zeros +inputs +loss +se/);
    expect(String(found)).toMatch(/chosen/);
  });

  test('says so where nothing is left of the model that it gives', async () => {
    const found = await path(data, options, { strengths: [10], folds: 2, refit: true });
    expect(found.warnings).toEqual([expect.stringMatching(/all weights of layer 1 \(inputs 10\) are 0/)]);
    expect(String(found)).toMatch(/warning: regularise is too strong/);
  });

  test('begins each training with the weights that the one before ended with', async () => {
    // Without an iteration to speak of, what is found is what was there before.
    const slow = { ...options, learningRate: 1e-12, epochs: 1, seed: 3 } as const;
    const { model } = await path(data, slow, { strengths: [1e-9, 2e-9], folds: 2, rule: 'best', refit: true });
    const { model: alone } = await fit(data, { ...slow, regularise: { W: { inputs: 1e-9 } } });
    const [first, last] = [alone, model as Model].map((each) => Array.from(each.weights[0] ?? []));
    for (const [k, w] of (first ?? []).entries()) expect(last?.[k]).toBeCloseTo(w, 6);
  });

  test('gives the same however many folds are at work at once', async () => {
    const few = { ...options, epochs: 5 };
    const by = (parallel: number) =>
      path(data, few, { strengths: { from: 1e-3, to: 1e-1, count: 3 }, folds: 3, parallel });
    const [one, three] = [await by(1), await by(3)];
    expect(one).toEqual(three);
    expect(one.points.map(({ strength }) => strength.toPrecision(6))).toEqual(['0.00100000', '0.0100000', '0.100000']);
  });

  test('is asked for on the command line', async () => {
    const names = Object.keys(rows[0] ?? {});
    const text = [names.join(), ...rows.map((row) => Object.values(row).join())].join('\n');
    await writeFile(files.path('rows.csv'), text);
    const told = ['path', 'rows.csv', '--target', 'y', '--solver', 'gd', '--hidden', '4', '--epochs', '20'];
    const more = ['--regularise', 'inputs=1', '--strengths', '1e-3,1e-1,10', '--folds', '3'];
    const table = await files.run(...told, ...more, '--save', 'chosen.model');
    expect(table).toMatchObject({ code: 0, out: expect.stringMatching(/strength +zeros +inputs[\s\S]*chosen/) });
    const json = await files.run(...told, ...more, '--json');
    expect(JSON.parse(json.out)).toMatchObject({ metric: 'loss', points: [{ strength: 1e-3 }, { strength: 0.1 }, {}] });
    expect(await files.run(...told)).toMatchObject({ code: 1, err: expect.stringMatching(/strengths/) });
  });

  test.each([
    ['no number', ['1']],
    ['none', []],
    ['0', [0, 1]],
    ['a range from 0', { from: 0, to: 1 }],
    ['a range of one', { from: 1, to: 2, count: 1 }],
    ['a range of more than anybody waits for', { from: 1, to: 2, count: 1e12 }],
  ] as const)('tells of strengths that are none: %s', async (_, given) => {
    await expectFailure(
      () => path(data, options, { strengths: given as unknown as Strengths }),
      'ERR_DLADMM_RANGE',
      /for strengths/,
    );
  });

  test('tells of a solver that takes no regulariser', async () => {
    const kfac = { solver: 'kfac', target: 'y', hidden: [2], regularise: { W: { l1: 1 } } } as never;
    await expectFailure(() => path(rows, kfac, { strengths: [1] }), 'ERR_DLADMM_ARGUMENT', /regularise/);
  });

  test.each([
    ['a slip in a range', {}, { strengths: { from: 1, to: 2, cuont: 3 } }, /cuont.*did you mean count/],
    ['a slip in a regulariser', { regularise: { w: { l1: 1 } } }, {}, /Expected only W for regularise/],
    ['no regulariser', { regularise: 5 }, {}, /for regularise but received 5/],
    ['terms without a strength', { regularise: { W: { min: 0 } } }, {}, /a strength.*for regularise\.W/],
    ['no terms', { regularise: { W: null } }, {}, /for regularise\.W but received null/],
    ['no beginning', { initialisation: null }, {}, /for initialisation but received null/],
  ])('is refused for %s', async (_, told, rules, message) => {
    const own = { ...options, ...told } as never;
    await expectFailure(() => path(data, own, { strengths: [1], ...rules } as never), 'ERR_DLADMM_ARGUMENT', message);
  });

  test('waits for whom it tells of a fold, and ends where they fail', async () => {
    const onFold = async () => {
      await setTimeout(1);
      throw new Error('mine');
    };
    const few = { ...options, epochs: 1 };
    await expect(path(data, few, { strengths: [1], folds: 2, parallel: 1, onFold })).rejects.toThrow('mine');
  });

  test('is judged by what its loss has: of counts their deviance', async () => {
    const counts = { x: data.x, y: data.y.map((_, i) => i % 4) };
    const poisson = { ...options, loss: 'poisson', epochs: 2 } as const;
    const { best } = await path(counts, poisson, { strengths: [1], folds: 2, metric: 'poissonDeviance' });
    expect(best.value).toBeGreaterThan(0);
  });
});
