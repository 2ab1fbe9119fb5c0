import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { DlAdmmError, fit } from '../../src/index.js';

// What a model knows of columns tells what the rows are that it is given later.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-known-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};
const failure = async (call: () => Promise<unknown>): Promise<string> => {
  const error = await call().catch((thrown: unknown) => thrown);
  return error instanceof DlAdmmError ? `${error.code}: ${error.message}` : `no DlAdmmError: ${String(error)}`;
};

const ROWS = Array.from({ length: 200 }, (_, i) => ({
  age: 20 + ((i * 37) % 60),
  plan: ['basic', 'pro', 'team'][i % 3] as string,
  churned: (i * 37) % 60 > 25 ? 'yes' : 'no',
}));
const QUICK = { threads: 1, epochs: 2, hidden: [3] } as const;

describe('a column that is not there', async () => {
  const { model } = await fit(ROWS, { target: 'churned', ...QUICK });
  const text = `age,churned\n${ROWS.map(({ age, churned }) => `${age},${churned}`).join('\n')}\n`;
  const fewer = file('fewer.csv', text);

  test('of a file rejects, whatever is asked', async () => {
    for (const call of [
      () => model.predict(fewer),
      () => model.evaluate(fewer),
      () => model.tuneThreshold(fewer),
      () => model.fit(fewer, { threads: 1 }),
      () => importance(model, fewer),
    ]) {
      expect(await failure(call)).toMatch(/ERR_DLADMM_ARGUMENT: Expected a column "plan"/);
    }
  });

  test('of some records rejects where another is called nearly the same, whatever is asked', async () => {
    const slip = ROWS.map(({ plan, ...row }, i) => (i % 2 === 0 ? { ...row, plan } : { ...row, Plan: plan }));
    using learner = model.learner({ threads: 1 });
    for (const call of [
      () => model.predict(slip),
      () => model.evaluate(slip),
      () => model.fit(slip, { threads: 1 }),
      () => learner.partialFit(slip),
      () => fit(ROWS, { target: 'churned', validation: slip, ...QUICK }),
    ]) {
      expect(await failure(call)).toMatch(/\[1\], as the model was trained on, but its columns are .*mean Plan/);
    }
  });

  test('of some records is missing there where none is', async () => {
    const { accuracy } = await model.evaluate(
      ROWS.map(({ plan, ...row }, i) => (i % 2 === 0 ? { ...row, plan } : row)),
    );
    const filled = ROWS.map((row, i) => (i % 2 === 0 ? row : { ...row, plan: null }));
    expect(accuracy).toBe((await model.evaluate(filled)).accuracy);
  });
});

test('a number that float32 does not hold is told by its row and column', async () => {
  const { model } = await fit(ROWS, { target: 'churned', dtype: 'float32', ...QUICK });
  const large = ROWS.map((row, i) => (i === 70 ? { ...row, age: 1e300 } : row));
  const where = 'ERR_DLADMM_NON_FINITE: Expected finite numbers that float32 holds for x but found another in row';
  expect(await failure(() => model.predict(large))).toBe(`${where} 70 of column "age"`);
  expect(await failure(async () => model.predictSync(large.slice(70)))).toBe(`${where} 0 of column "age"`);
});

describe('a first line of numbers that are the names of a model', async () => {
  const sales = Array.from({ length: 200 }, (_, i) => {
    const [a, b, c] = [(i * 37) % 900, (i * 53) % 900, (i * 91) % 900];
    return { 2018: a, 2020: b, 2022: c, trend: c > a ? 'grows' : 'shrinks' };
  });
  const { model } = await fit(sales, { target: 'trend', ...QUICK });
  const { labels } = await model.predict(sales);
  const lines = (names: readonly (keyof (typeof sales)[number])[]): string =>
    [names, ...sales.map((row) => names.map((name) => row[name]))].map((row) => row.join(',')).join('\n');

  test('is no row, in any order and beside other columns', async () => {
    for (const names of [
      [2018, 2020, 2022],
      [2022, 2020, 2018],
      [2020, 2022, 'trend', 2018],
    ] as const) {
      expect((await model.predict(file('sales.csv', lines(names)))).labels).toEqual(labels);
    }
  });

  test('is none where it is judged, and where it is gone on with', async () => {
    const path = file('judged.csv', lines([2022, 2020, 2018, 'trend']));
    expect((await model.evaluate(path)).accuracy).toBe((await model.evaluate(sales)).accuracy);
    expect((await model.fit(path, { threads: 1 })).report.heldOut?.of ?? sales.length).toBe(sales.length);
  });

  test('is none either where the target that is asked for stands in it', async () => {
    const path = file('numbers.csv', lines([2018, 2020, 2022]));
    const { report } = await fit(path, { target: '2022', task: 'regression', ...QUICK });
    expect(report.heldOut?.of).toBe(sales.length);
  });
});
