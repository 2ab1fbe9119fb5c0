import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { seededRandom } from '../../src/core/random.js';
import { shuffledIndices } from '../../src/datasets/split.js';
import { fit, type Metric, Model, train } from '../../src/index.js';
import { importanceBy } from '../../src/model/importance.js';

const { importances: recorded } = JSON.parse(
  readFileSync(new URL('../fixtures/judging/cases.json', import.meta.url), 'utf8'),
) as {
  readonly importances: readonly {
    readonly name: string;
    readonly weights: readonly number[];
    readonly bias: number;
    readonly x: readonly (readonly number[])[];
    readonly y: readonly number[];
    readonly orders: readonly (readonly number[])[];
    /** By metric, column and repeat. */
    readonly importances: Readonly<Record<string, readonly (readonly number[])[]>>;
  }[];
};

const random = seededRandom(5);
const NAMES = ['ash', 'beech', 'oak'];
/** A table of which the kind of tree, a date and a number decide, and one number says nothing; some values are missing. */
const records = Array.from({ length: 400 }, (_, i) => {
  const kind = Math.floor(3 * random.uniform());
  const size = random.uniform() < 0.1 ? null : random.normal();
  const day = Math.floor(700 * random.uniform());
  const score = 2 * (kind - 1) + 2 * (size ?? 0) + (day > 350 ? 1 : -1) + 0.5 * random.normal();
  return {
    kind: NAMES[kind],
    size,
    felled: new Date(1.6e12 + 864e5 * day),
    noise: random.normal(),
    rare: score > 1.5,
    i,
  };
});
const { model } = await fit(records, { target: 'rare', ignore: ['i'], hidden: [8], epochs: 40 });

describe('the importance of a column', () => {
  test.each(['loss', 'accuracy', 'rocAuc', 'brier'] as const)(
    'by %s is what is lost where its values are shuffled in the table of the user',
    async (metric) => {
      const told = await importance(model, records, { metric, repeats: 3, seed: 9 });
      const worth = async (rows: typeof records) => ((await model.evaluate(rows)) as never)[metric] as number;
      const whole = await worth(records);
      expect(told.value).toBeCloseTo(whole, 12);
      const better = metric === 'accuracy' || metric === 'rocAuc' ? 1 : -1;
      expect(told.columns.map(({ column }) => column).sort()).toEqual(['felled', 'kind', 'noise', 'size']);
      for (const { column, mean, sd, values } of told.columns) {
        const plain: number[] = [];
        for (const seed of [9, 10, 11]) {
          const order = shuffledIndices(records.length, seed);
          const rows = records.map((row, i) => ({
            ...row,
            [column]: (records[order[i] as number] as Record<string, unknown>)[column],
          }));
          plain.push(better * (whole - (await worth(rows as typeof records))));
        }
        for (const [i, value] of values.entries()) expect(value).toBeCloseTo(plain[i] as number, 12);
        const centre = plain.reduce((a, b) => a + b) / 3;
        expect(mean).toBeCloseTo(centre, 12);
        expect(sd).toBeCloseTo(Math.sqrt(plain.reduce((sum, value) => sum + (value - centre) ** 2, 0) / 3), 12);
      }
      expect(told.columns.at(-1)?.column).toBe('noise');
    },
  );

  test.each(recorded.map((each) => [each.name, each] as const))(
    'is that of scikit-learn, shuffle by shuffle, to 1e-9: %s',
    async (name, { weights, bias, x, y, orders, importances }) => {
      const classes = name === 'two classes';
      const [w, b] = classes
        ? [
            [0, 0, 0, ...weights],
            [0, bias],
          ]
        : [weights, [bias]];
      const line = new Model({
        network: {
          layers: [3, b.length],
          activation: 'relu',
          loss: classes ? 'softmax-cross-entropy' : 'squared-error',
        },
        ...{ dtype: 'float64', weights: [Float64Array.from(w)], biases: [Float64Array.from(b)] },
      });
      const samples = classes ? { x, labels: y } : { x, y };
      for (const [metric, wanted] of Object.entries(importances)) {
        const told = await importanceBy(line, samples, { metric: metric as Metric }, () =>
          orders.map((o) => Int32Array.from(o)),
        );
        for (const { column, values } of told.columns) {
          const own = wanted[Number(column.slice(2, -1))] ?? [];
          for (const [i, value] of values.entries())
            expect(Math.abs(value - (own[i] ?? Number.NaN))).toBeLessThan(1e-9);
        }
      }
    },
  );

  test('of a linear model of independent inputs is twice the variance that it explains', async () => {
    const line = new Model({
      network: { layers: [2, 1], activation: 'relu', loss: 'squared-error' },
      ...{ dtype: 'float64', weights: [Float64Array.of(3, 1)], biases: [Float64Array.of(0)] },
    });
    const x = Array.from({ length: 4000 }, () => [random.normal(), random.normal()]);
    const y = x.map(([a = 0, b = 0]) => [3 * a + b]);
    // ½ E(w (x − x'))² = w² var x.
    const { columns, value } = await importance(line, { x, y });
    expect(value).toBe(0);
    expect(columns.map(({ column }) => column)).toEqual(['x[0]', 'x[1]']);
    expect(columns[0]?.mean).toBeCloseTo(9, 0);
    expect(columns[1]?.mean).toBeCloseTo(1, 0);
  });

  test('is the same from the same seed, whatever form the rows have, and prints as a table', async () => {
    async function* stream() {
      yield* records;
    }
    const once = await importance(model, records);
    expect(await importance(model, stream())).toEqual(once);
    expect((await importance(model, records, { seed: 2 })).columns).not.toEqual(once.columns);
    expect(String(once)).toMatch(/^loss .* shuffled:\n\ncolumn +importance +±\n/);
    expect(JSON.parse(JSON.stringify(once))).toEqual(JSON.parse(JSON.stringify({ ...once })));
  });

  test('of so many samples is that of those that are evenly chosen', async () => {
    const { columns } = await importance(model, records, { samples: 100, seed: 4 });
    const chosen = records.filter((_, i) => i % 4 === 0);
    expect(columns).toEqual((await importance(model, chosen, { seed: 4 })).columns);
    const all = await importance(model, records, { seed: 4 });
    expect(await importance(model, records, { samples: 1000, seed: 4 })).toEqual(all);
    expect(columns).not.toEqual(all.columns);
  });

  test('is in the report of a training that measures columns, found on what is held out', async () => {
    const [rows, held] = [records.slice(0, 200), records.slice(200)];
    const options = { target: 'rare', ignore: ['i'], hidden: [8], epochs: 4, validation: held };
    const training = train(rows, options).measureColumns();
    for await (const _ of training);
    const { report, model: made } = training.result;
    expect(report.importance).toEqual(await importance(made, held, { repeats: 3 }));
    expect((await fit(rows, options)).report.importance).toBeUndefined();
  });

  test('is left out of a report where it would take long, where columns have no names, and where it is stopped', async () => {
    const wide = records.map(({ rare, noise }, i) => ({
      ...Object.fromEntries(Array.from({ length: 250 }, (_, j) => [`c${j}`, noise * ((i + j) % 7)])),
      rare,
    }));
    const x = records.map(({ noise, i }) => [noise, i % 7]);
    const labels = records.map(({ rare }) => Number(rare));
    const stop = new AbortController();
    for (const training of [
      train(wide, { target: 'rare', hidden: [], epochs: 1 }),
      train({ x, labels }, { hidden: [], epochs: 1, validationShare: 0.2 }),
      train(records, { target: 'rare', hidden: [4], epochs: 2, signal: stop.signal }),
    ]) {
      for await (const { iteration } of training.measureColumns()) if (iteration === 2) stop.abort();
      expect(training.result.report.importance).toBeUndefined();
      expect(training.result.iterations).toBeGreaterThan(0);
    }
  });

  test('is aborted, and refused where an option is none', async () => {
    const signal = AbortSignal.abort();
    await expect(importance(model, records, { signal })).rejects.toMatchObject({ code: 'ERR_DLADMM_ABORTED' });
    const refused = (options: object, message: RegExp) =>
      expect(importance(model, records, options)).rejects.toThrow(message);
    await refused({ metric: 'r2' as Metric }, /'rocAuc'.*metric.*"r2"/);
    await refused({ repeats: 0 }, /repeats/);
    await refused({ seeds: 1 }, /did you mean seed\?/);
    const one = records.filter(({ rare }) => rare);
    await expect(importance(model, one, { metric: 'rocAuc' })).rejects.toThrow(/two classes/);
  });
});
