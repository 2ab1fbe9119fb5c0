import { afterAll, describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import type { Loss } from '../../src/network/network.js';
import { numbers } from './onnx/support.js';

const made: Model[] = [];
afterAll(() => {
  for (const model of made) model.close();
});

function modelOf(
  layers: readonly number[],
  loss: Loss = 'softmax-cross-entropy',
  dtype: 'float32' | 'float64' = 'float32',
) {
  const typed = (values: Float32Array) => (dtype === 'float32' ? values : Float64Array.from(values));
  const model = new Model({
    network: { layers, activation: 'relu', loss },
    dtype,
    weights: layers.slice(1).map((width, i) => typed(numbers(width * (layers[i] ?? 0), i + 1))),
    biases: layers.slice(1).map((width, i) => typed(numbers(width, 70 + i))),
    threads: 2,
  });
  made.push(model);
  return model;
}

const error = (code: string, message = /./) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

describe('a prediction', () => {
  for (const dtype of ['float32', 'float64'] as const) {
    for (const loss of ['softmax-cross-entropy', 'squared-error', 'hinge', 'one-hot-squared-error'] as const) {
      it(`of a sample has the same bits alone, among many, at once and later (${dtype}, ${loss})`, async () => {
        const model = modelOf([7, 33, 20, 3], loss, dtype);
        const rows = 1100;
        const x = numbers(rows * 7, 5);
        const later = await model.predict(x);
        expect(model.predictSync(x)).toEqual(later);
        for (const i of [0, 1, 517, rows - 1]) {
          const row = x.slice(7 * i, 7 * (i + 1));
          const one = model.predictSync(row);
          expect(await model.predict(row)).toEqual(one);
          expect(one.outputs).toEqual({ data: later.outputs.data.slice(3 * i, 3 * (i + 1)), rows: 1, columns: 3 });
          expect(one.labels?.[0]).toBe(later.labels?.[i]);
          expect(one.probabilities?.data).toEqual(later.probabilities?.data.slice(3 * i, 3 * (i + 1)));
        }
      });
    }
  }

  it('takes a sample as an array of numbers, an array of rows, any typed array, or a matrix', async () => {
    const model = modelOf([3, 5, 2]);
    const wanted = model.predictSync(Float32Array.of(1, 2, 3));
    for (const x of [
      [1, 2, 3],
      [[1, 2, 3]],
      Float64Array.of(1, 2, 3),
      Uint8Array.of(1, 2, 3),
      [Float32Array.of(1, 2, 3)],
      { data: Float32Array.of(1, 2, 3), rows: 1, columns: 3 },
    ]) {
      expect(model.predictSync(x)).toEqual(wanted);
      expect(await model.predict(x)).toEqual(wanted);
    }
  });

  it('of a network with one input takes an array of numbers as so many samples', () => {
    const model = modelOf([1, 4, 2]);
    expect(model.predictSync([1, 2, 3]).outputs.rows).toBe(3);
  });

  it('is right when hundreds are asked for at once, large and small', async () => {
    const model = modelOf([20, 64, 5]);
    const sizes = Array.from({ length: 120 }, (_, i) => (i % 25 === 0 ? 2000 : 1 + (i % 7)));
    const answers = await Promise.all(sizes.map((rows, i) => model.predict(numbers(rows * 20, i + 1))));
    for (const [i, rows] of sizes.entries()) {
      expect(answers[i]).toEqual(model.predictSync(numbers(rows * 20, i + 1)));
    }
  });

  it('at once does not wait for those at work', async () => {
    const model = modelOf([50, 400, 400, 5]);
    const order: string[] = [];
    const many = model.predict(numbers(20_000 * 50)).then(() => order.push('many'));
    const few = model.predict(numbers(50)).then(() => order.push('few'));
    model.predictSync(numbers(50));
    order.push('sync');
    await Promise.all([many, few]);
    expect(order).toEqual(['sync', 'few', 'many']);
  });

  it('leaves the event loop its turns, though one is asked for after the other', async () => {
    const model = modelOf([3, 5, 2]);
    let turned = false;
    setImmediate(() => {
      turned = true;
    });
    let asked = 0;
    for (; !turned && asked < 20_000; asked += 1) await model.predict([1, 2, 3]);
    expect(turned).toBe(true);
    expect(asked).toBeGreaterThan(10);
  });

  it('refuses a wrong width and what is not finite, with its place, in both ways', async () => {
    const model = modelOf([3, 5, 2]);
    const cases = [
      [[1, 2], 'ERR_DLADMM_SHAPE', /a row of 3 numbers/],
      [Float32Array.of(1, 2, 3, 4), 'ERR_DLADMM_SHAPE', /multiple of 3/],
      [
        [
          [1, 2, 3],
          [4, Number.NaN, 6],
        ],
        'ERR_DLADMM_NON_FINITE',
        /row 1, column 1/,
      ],
      [[1, 1e39, 3], 'ERR_DLADMM_NON_FINITE', /row 0, column 1/],
      [new Float32Array(0), 'ERR_DLADMM_SHAPE', /at least one sample/],
      ['1, 2, 3', 'ERR_DLADMM_ARGUMENT', /for x/],
      [[1, '2', 3], 'ERR_DLADMM_ARGUMENT', /a number for x\[0\]\[1\]/],
    ] as const;
    for (const [x, code, message] of cases) {
      // @ts-expect-error: some of them are of no type that is taken
      expect(() => model.predictSync(x)).toThrow(error(code, message));
      // @ts-expect-error: as above
      await expect(model.predict(x)).rejects.toThrow(error(code, message));
    }
  });

  it('is refused by a closed model', async () => {
    const model = modelOf([3, 5, 2]);
    model.predictSync([1, 2, 3]);
    model.close();
    expect(() => model.predictSync([1, 2, 3])).toThrow(error('ERR_DLADMM_CLOSED'));
    await expect(model.predict([1, 2, 3])).rejects.toThrow(error('ERR_DLADMM_CLOSED'));
  });

  it('goes with the evaluation', async () => {
    const model = modelOf([6, 30, 4]);
    const x = numbers(600 * 6);
    const { labels } = model.predictSync(x);
    expect((await model.evaluate({ x, labels: labels as Int32Array })).accuracy).toBe(1);
  });
});
