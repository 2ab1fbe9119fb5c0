import * as ort from 'onnxruntime-web';
import { describe, expect, it } from 'vitest';
import { Model } from '../../../src/model/model.js';
import { importOnnx } from '../../../src/model/onnx/import.js';
import { type Column, inputsOf } from '../../../src/samples/columns.js';
import { DATE_PARTS } from '../../../src/samples/dates.js';
import { numbers } from './support.js';

const COLUMNS: readonly Column[] = [
  // Names that values of the graph have too.
  { name: 'x', fill: 1.5, indicator: true, bins: [-2, 0, 1.5, 4] },
  { name: 'outputs', fill: 'b', indicator: true, categories: ['a', 'b', 'ö'], other: true },
  { name: 'mean', fill: 0 },
  { name: 'day', fill: 1.6e12, indicator: true, date: DATE_PARTS },
  { name: 'strict', categories: ['no', 'yes'] },
  { name: 'scale' },
];

function modelOf(columns: readonly Column[]): Model {
  const inputs = inputsOf(columns);
  const mean = Float64Array.from({ length: inputs }, (_, j) => (j % 3) / 4);
  const scale = Float64Array.from({ length: inputs }, (_, j) => 1 / (1 + (j % 4)));
  return new Model({
    network: { layers: [inputs, 8, 2], activation: 'tanh', loss: 'squared-error' },
    dtype: 'float64',
    weights: [numbers(8 * inputs), numbers(16, 2)].map((values) => Float64Array.from(values, (value) => value / 4)),
    biases: [numbers(8, 3), numbers(2, 4)].map((values) => Float64Array.from(values)),
    standardisation: { mean, scale },
    columns,
  });
}

type Row = Readonly<Record<string, number | string | null>>;
const ROWS: readonly Row[] = [
  { x: 0.75, outputs: 'a', mean: 2, day: 1.7e12, strict: 'no', scale: 1 },
  { x: null, outputs: null, mean: null, day: null, strict: 'yes', scale: -1 },
  { x: -3, outputs: 'unseen', mean: -1, day: 3e11, strict: 'no', scale: 0.5 },
  { x: 9, outputs: 'NaN', mean: 0.25, day: -1e11, strict: 'yes', scale: 0 },
  { x: 1.5, outputs: 'ö', mean: 0.5, day: 0, strict: 'yes', scale: 3 },
];

async function said(bytes: Uint8Array, columns: readonly Column[], rows: readonly Row[]) {
  const session = await ort.InferenceSession.create(bytes);
  const feeds = columns.map(({ name, categories, date }) => {
    const values = rows.map((row) => row[name]);
    const dims = [rows.length, 1];
    if (categories)
      return [
        name,
        new ort.Tensor(
          'string',
          values.map((value) => String(value ?? '')),
          dims,
        ),
      ];
    const found = values.map((value) => (value === null ? Number.NaN : Number(value)));
    if (date) return [name, new ort.Tensor('float64', Float64Array.from(found), dims)];
    return [name, new ort.Tensor('float32', Float32Array.from(found), dims)];
  });
  const names = session.inputNames;
  const results = await session.run(Object.fromEntries(feeds));
  return { names, output: session.outputNames[0], data: Object.values(results)[0]?.data as Float32Array };
}

describe('the encoders of columns in ONNX', () => {
  for (const opset of [13, 26]) {
    it(`say what the model says of records, in operator set ${opset}`, async () => {
      using model = modelOf(COLUMNS);
      const { names, output, data } = await said(model.toOnnx({ opset }), COLUMNS, ROWS);
      expect(names).toEqual(COLUMNS.map(({ name }) => name));
      expect(output).toBe('outputs_');
      const wanted = model.predictSync(ROWS).outputs.data;
      expect(data).toHaveLength(wanted.length);
      for (const [i, value] of wanted.entries()) {
        expect(Math.abs(Number(data[i]) - value), `answer ${i}`).toBeLessThan(1e-5 * Math.max(1, Math.abs(value)));
      }
    });
  }

  it('refuse a text that the model refuses', async () => {
    using model = modelOf(COLUMNS);
    const odd = [{ ...ROWS[0], strict: 'perhaps' } as Row];
    expect(() => model.predictSync(odd)).toThrow();
    await expect(said(model.toOnnx(), COLUMNS, odd)).rejects.toThrow();
  });

  it('come back with the model', async () => {
    using model = modelOf(COLUMNS);
    for (const encoders of [true, false]) {
      using back = await importOnnx(model.toOnnx({ encoders }));
      expect(back.columns).toEqual(COLUMNS);
      expect(back.predictSync(ROWS).outputs.data[0]).toBeCloseTo(Number(model.predictSync(ROWS).outputs.data[0]), 5);
    }
  });

  it('are left out, and said to be, where a column enters by its hash', () => {
    using model = modelOf([{ name: 'note', buckets: 8, fill: '' }, { name: 'n' }]);
    expect(() => model.toOnnx({ encoders: true })).toThrow(
      expect.objectContaining({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringMatching(/"note".*encoders: false/),
      }),
    );
    expect(model.toOnnx().length).toBe(model.toOnnx({ encoders: false }).length);
  });
});
