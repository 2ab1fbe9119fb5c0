import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { packSamples, readCsv } from '../../src/data.js';
import { fit, loadModel, type Model } from '../../src/index.js';
import { encoded } from '../../src/samples/encoded.js';
import { frameOf } from '../../src/samples/framing.js';
import { areHashed, learnHashed } from '../../src/samples/hashed.js';
import { learnColumns } from '../../src/samples/learning.js';
import { standardised } from '../../src/samples/standardise.js';
import { allRows } from '../../src/tensor/inputs.js';
import { expectFailure, temporaryFolder } from '../formats/support.js';

const HASH = 2 ** 12;

const [GOOD, BAD, PLAIN] = ['fine warm kind bright', 'rude late cold broken', 'the train of a day and'].map((words) =>
  words.split(' '),
);

/** Two sentences in turn, one glad and one cross, among words that say nothing. */
const ROWS = Array.from({ length: 240 }, (_, i) => {
  const telling = i % 2 ? GOOD : BAD;
  const word = (list: readonly string[] = [], k = 0): string => list[(i * 7 + k * 3) % list.length] as string;
  return {
    text: `${word(PLAIN)} ${word(PLAIN, 1)} ${word(telling)}, ${word(PLAIN, 2)} ${word(telling, 1)}!`,
    size: 1000 + (i % 13),
    mood: i % 2 ? 'glad' : 'cross',
  };
});
const OPTIONS = { target: 'mood', hash: HASH, hidden: [4], epochs: 6, threads: 1 } as const;

/** The rows of a table as a training meets them. */
async function met(rows: readonly object[], options: object) {
  const frame = await frameOf(rows as never, { name: 'rows' });
  const { columns } = await learnColumns(frame, options);
  const { x } = await encoded(frame, columns);
  const rule = await learnHashed(x, columns);
  return { columns, x, rule, met: standardised(x, rule, 'float64') };
}

describe('words by their hash', () => {
  it('enter with tf · idf: counts of a text of length 1, times ln((1 + n) / (1 + d)) + 1', async () => {
    const rows = [{ t: 'Oak, oak ash!' }, { t: 'ash elm' }, { t: 'ASH elm' }, { t: null }];
    const { met: x } = await met(rows, { hash: 2 ** 16 });
    const all = await allRows(x);
    const values = rows.map((_, i) => [...all.subarray(i * 2 ** 16, (i + 1) * 2 ** 16)].filter((v) => v !== 0).sort());
    const idf = (d: number): number => Math.log(5 / (1 + d)) + 1;
    const near = (value: number): unknown => expect.closeTo(value, 6);
    expect(values[0]).toEqual([near(idf(3) / Math.sqrt(5)), near((2 * idf(1)) / Math.sqrt(5))]);
    expect(values[1]).toEqual([near(idf(3) / Math.sqrt(2)), near(idf(2) / Math.sqrt(2))]);
    expect(values[2]).toEqual(values[1]);
    expect(values[3]).toEqual([]);
  });

  it('stand beside numbers, which are standardised as ever, and nothing is laid out', async () => {
    const { columns, x, met: own } = await met(ROWS, { target: 'mood', hash: HASH, bins: 0 });
    expect(columns.map(({ name, hash }) => [name, hash])).toEqual([
      ['text', HASH],
      ['size', undefined],
    ]);
    expect(areHashed(columns)).toBe(true);
    expect(x.columns).toBe(HASH + 1);
    expect(x.sparse?.values.length).toBeLessThan(7 * ROWS.length);
    const sizes = (await allRows(own)).filter((_, k) => k % (HASH + 1) === HASH);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBeCloseTo(0, 9);
    expect(sizes.reduce((sum, size) => sum + size * size, 0) / ROWS.length).toBeCloseTo(1, 9);
  });

  it('are learnt from, saved with the model, told by it, and found again in records, in many and in a file', async () => {
    const { model, report } = await fit(ROWS, OPTIONS);
    expect(report.solver?.name).toBe('adam');
    const folder = await temporaryFolder();
    const file = join(folder, 'mood.safetensors');
    await model.save(file);
    const again = (await loadModel(file)) as Model;
    expect(again.describe()).toMatch(/^text: a text, its words by hash, weighed by TF-IDF \(4096 inputs\)$/m);
    const glad = await again.predict({ text: 'a warm and KIND day', size: 1003 });
    expect(glad.label).toBe('glad');
    expect((await again.predict({ text: 'never heard of', size: 1003 })).probability).toBeGreaterThan(0.4);
    expect(again.predictSync({ text: 'a warm and KIND day', size: 1003 })).toMatchObject({ label: 'glad' });
    const many = await again.predict(ROWS);
    expect(many.labels).toEqual(ROWS.map(({ mood }) => mood));
    const table = join(folder, 'mood.csv');
    writeFileSync(table, `text,size\n${ROWS.map(({ text, size }) => `"${text}",${size}`).join('\n')}\n`);
    expect((await again.predict(table)).outputs).toEqual(many.outputs);
    expect((await again.evaluate(ROWS)).accuracy).toBe(1);
    const labels = ROWS.map(({ mood }) => mood);
    expect((await again.evaluate({ x: ROWS, labels })).accuracy).toBe(1);
    const further = await again.fit(ROWS, { epochs: 1 });
    expect((await further.model.evaluate(ROWS)).accuracy).toBe(1);
  });

  it('give what the same features give in dense rows, up to rounding', async () => {
    const rows = ROWS.slice(0, 60);
    const { met: x } = await met(rows, { target: 'mood', hash: 64, bins: 0 });
    const labels = rows.map(({ mood }) => mood);
    const settings = { layers: [65, 4, 2], solver: 'adam', epochs: 5, batchSize: 7, dtype: 'float64' } as const;
    const dense = { data: await allRows(x), rows: 60, columns: 65 };
    const { model: wanted } = await fit({ x: dense, labels }, settings);
    const { layers: _, ...own } = settings;
    const front = { ...own, target: 'mood', hash: 64, bins: 0, hidden: [4], validationShare: 0 } as const;
    const { model } = await fit(rows, front);
    for (const [l, weights] of wanted.weights.entries()) {
      const furthest = Math.max(...weights.map((value, i) => Math.abs(value - (model.weights[l]?.[i] as number))));
      expect(furthest).toBeLessThan(1e-9);
    }
  });
});

test('pairs of columns tell what neither of them tells', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => {
    const [a, b] = [i % 2 ? 'left' : 'right', Math.floor(i / 2) % 2 ? 'up' : 'down'];
    return { a, b, turn: (a === 'left') === (b === 'up') ? 'yes' : 'no' };
  });
  const linear = { target: 'turn', hash: 2 ** 10, hidden: [], solver: 'adam', learningRate: 0.05, epochs: 20 } as const;
  const alone = await fit(rows, linear);
  const { model } = await fit(rows, { ...linear, pairs: [['a', 'b']] });
  expect((await alone.model.evaluate(rows)).accuracy).toBeLessThan(0.8);
  expect((await model.evaluate(rows)).accuracy).toBe(1);
  expect((await model.predict({ a: 'left', b: 'up' })).label).toBe('yes');
  expect(model.columns?.map(({ name }) => name)).toEqual(['a', 'b', 'a × b']);
  expect(model.describe()).toMatch(/^a × b: two values together by hash/m);
});

describe('rows { indices, values }', () => {
  const rows = Array.from({ length: 90 }, (_, i) => ({ indices: [i % 3, 5], values: [1 + (i % 4), 0.5] }));
  const labels = rows.map((_, i) => i % 3);
  const settings = { layers: [9, 3], solver: 'adam', epochs: 3, threads: 1 } as const;
  const csr = {
    data: Float64Array.from(rows.flatMap(({ values }) => values)),
    indices: Int32Array.from(rows.flatMap(({ indices }) => indices)),
    indptr: Int32Array.from({ length: 91 }, (_, i) => 2 * i),
    rows: 90,
    columns: 9,
  };

  it('are the matrix in compressed rows that they say', async () => {
    const { model } = await fit({ x: rows, labels }, settings);
    expect(model.weights).toEqual((await fit({ x: csr, labels }, settings)).model.weights);
    expect(await model.predict(rows)).toEqual(await model.predict(csr));
    expect(model.predictSync(rows).labels).toEqual((await model.predict(csr)).labels);
    expect(await model.evaluate({ x: rows, labels })).toEqual(await model.evaluate({ x: csr, labels }));
  });

  it('have as many columns as their largest index asks for where no layers are named', async () => {
    const { model } = await fit({ x: rows, labels }, { epochs: 2 });
    expect(model.network.layers[0]).toBe(6);
  });

  test.each([
    ['lengths that differ', { indices: [1, 2], values: [1] }, 'ERR_DLADMM_SHAPE', /x\[1\]\.values/],
    ['an index beyond the last', { indices: [9], values: [1] }, 'ERR_DLADMM_RANGE', /from 0 to 8/],
    ['no number', { indices: [1], values: ['a'] }, 'ERR_DLADMM_NON_FINITE', /finite/],
    ['another kind of row', [1, 2], 'ERR_DLADMM_ARGUMENT', /x\[1\]/],
  ] as const)('are refused for %s', async (_, bad, code, message) => {
    await expectFailure(() => fit({ x: [rows[0], bad] as never, labels: [0, 1] }, settings), code, message);
  });
});

describe('what hashed texts are not for', () => {
  test.each([
    ['pairs without hash', { target: 'mood', pairs: [['text', 'size']] }, /hash beside pairs/],
    [
      'a pair with the target',
      { target: 'mood', hash: HASH, pairs: [['text', 'mood']] },
      /two columns that are features/,
    ],
    ['a solver of dense features', { ...OPTIONS, solver: 'kfac' }, /sparse/],
  ])('%s', async (_, options, message) => {
    await expectFailure(() => fit(ROWS, options as never), 'ERR_DLADMM_ARGUMENT', message);
  });

  it('a store, a matrix, encoders in ONNX, and permutation', async () => {
    const folder = await temporaryFolder();
    const packed = () => packSamples(join(folder, 'mood.samples'), ROWS, { target: 'mood', hash: HASH });
    await expectFailure(
      packed,
      'ERR_DLADMM_ARGUMENT',
      /a store keeps dense features, for hash but received \d+ \(number\)/,
    );
    const { model } = await fit(ROWS, OPTIONS);
    const table = join(folder, 'few.csv');
    writeFileSync(table, 'text,size\na b,3\n');
    const laid = () => readCsv(table, { columns: model.columns ?? [], target: null });
    await expectFailure(laid, 'ERR_DLADMM_FORMAT', /model\.predict takes the file/);
    expect(() => model.toOnnx({ encoders: true })).toThrow(/by the hash of its texts/);
    await expectFailure(() => importance(model, ROWS), 'ERR_DLADMM_ARGUMENT', /few features/);
  });
});
