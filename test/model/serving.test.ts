import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { fit } from '../../src/index.js';
import { Model } from '../../src/model/model.js';
import type { Loss } from '../../src/network/network.js';
import { temporaryFolder } from '../formats/support.js';
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

  it.each(['float32', 'float64'] as const)(
    'of a sparse sample has the same bits by every route (%s)',
    async (dtype) => {
      const model = modelOf([300, 33, 3], 'softmax-cross-entropy', dtype);
      const rows = Array.from({ length: 200 }, (_, i) => {
        const indices = Array.from({ length: i % 40 }, (_, k) => (k * 7 + i * 13) % 300);
        return { indices, values: [...numbers(indices.length, i)] };
      });
      const later = await model.predict(rows);
      expect(model.predictSync(rows)).toEqual(later);
      for (const i of [0, 1, 39, 199]) {
        const some = [rows[i]] as typeof rows;
        const one = model.predictSync(some);
        expect(one.outputs.data).toEqual(later.outputs.data.slice(3 * i, 3 * (i + 1)));
        expect(await model.predict(some)).toEqual(one);
      }
      const bad = rows.with(7, { indices: [4], values: [1e39] });
      const refused = error('ERR_DLADMM_NON_FINITE');
      if (dtype === 'float32') expect(() => model.predictSync(bad)).toThrow(refused);
    },
  );

  it.each([{}, { hidden: [] }, { dtype: 'float64' }])(
    'of hashed texts has the same bits by every route (%o)',
    async (options) => {
      const mails = Array.from({ length: 150 }, (_, i) => ({
        text: Array.from({ length: 1 + (i % 30) }, (_, k) => `word${(i * 31 + k * k) % 97}`).join(' '),
        size: i % 17,
        spam: i % 5 < 2,
      }));
      const common = { target: 'spam', hash: 128, hidden: [16], epochs: 2, threads: 2 } as const;
      const { model } = await fit(mails, { ...common, ...(options as object) });
      const later = await model.predict(mails);
      expect(model.predictSync(mails)).toEqual(later);
      for (const [i, mail] of mails.entries()) {
        const one = model.predictSync(mail);
        expect(one.outputs).toEqual([...later.outputs.data.slice(2 * i, 2 * i + 2)]);
        expect(await model.predict(mail)).toEqual(one);
      }
    },
  );

  it.each([
    ['float32', 1e-5],
    ['float64', 1e-13],
  ] as const)(
    'of a pruned model (%s) has the same bits by every route, and is what its weights say',
    async (dtype, tolerance) => {
      const layers = [40, 300, 200, 3];
      const dense = modelOf(layers, 'squared-error', dtype);
      // Of each ten weights nine go, of the last layer none.
      const weights = dense.weights.map((W, l) => W.map((w, i) => (l < 2 && (i * 7919) % 101 > 4 ? 0 : w)));
      const served = [1, 2].map((threads) => new Model({ ...dense, weights, threads } as never));
      made.push(...served);
      const [single, both] = served as [Model, Model];
      const rows = 300;
      const x = numbers(rows * 40, 9);
      const wanted = (row: Float32Array): readonly number[] =>
        weights.reduce<readonly number[]>((h, W, l) => {
          const sums = Array.from(dense.biases[l] as Float32Array, (b, j) =>
            h.reduce((sum, value, k) => sum + value * (W[j * h.length + k] as number), b),
          );
          return l === weights.length - 1 ? sums : sums.map((z) => Math.max(0, z));
        }, Array.from(row));
      const { outputs } = await both.predict(x);
      expect(single.predictSync(x).outputs).toEqual(outputs);
      for (const count of [1, 3, 4, 9, 20, 64, 130]) {
        const part = both.predictSync(x.slice(0, 40 * count)).outputs;
        expect(part.data).toEqual(outputs.data.slice(0, 3 * count));
      }
      for (const i of [0, 17, rows - 1]) {
        const row = x.slice(40 * i, 40 * (i + 1));
        const one = await single.predict(row);
        expect(one.outputs.data).toEqual(outputs.data.slice(3 * i, 3 * (i + 1)));
        for (const [j, value] of wanted(row).entries()) {
          expect(Math.abs((one.outputs.data[j] as number) - value)).toBeLessThan(tolerance * (1 + Math.abs(value)));
        }
      }
    },
  );

  it('takes many samples as an array of rows, any typed array, or a matrix', async () => {
    const model = modelOf([3, 5, 2]);
    const wanted = model.predictSync(Float32Array.of(1, 2, 3));
    for (const x of [
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

  it('of one sample, an array of numbers, is one answer', async () => {
    const model = modelOf([3, 5, 2]);
    const { outputs, labels, probabilities } = model.predictSync([[1, 2, 3]]);
    const one = await model.predict([1, 2, 3]);
    expect(model.predictSync([1, 2, 3])).toEqual(one);
    expect(one).toEqual({
      label: labels?.[0],
      probability: Math.max(...(probabilities?.data ?? [])),
      probabilities: [...(probabilities?.data ?? [])],
      outputs: [...outputs.data],
    });
    expect(JSON.parse(JSON.stringify(one))).toEqual(one);
    const value = modelOf([1, 4, 1], 'squared-error');
    expect(await value.predict([2])).toEqual({
      value: value.predictSync([[2]]).outputs.data[0],
      outputs: [...value.predictSync([[2]]).outputs.data],
    });
    await expect(value.predict([1, 2])).rejects.toThrow(error('ERR_DLADMM_SHAPE', /a row of 1 number/));
  });

  it('of a record is one answer, of records as many, by the names of the columns', async () => {
    const columns = [{ name: 'size' }, { name: 'kind', categories: ['ash', 'oak'] }];
    const parts = modelOf([3, 5, 2]);
    const model = new Model({ ...parts, classes: ['no', 'yes'], labelKind: 'string', columns });
    made.push(model);
    const records = [
      { kind: 'oak', size: 2 },
      { size: 1, kind: 'ash', other: 'passed over' },
    ];
    const rows = [
      [2, 0, 1],
      [1, 1, 0],
    ];
    expect(model.predictSync(records)).toEqual(model.predictSync(rows));
    expect(await model.predict(records)).toEqual(model.predictSync(rows));
    const byName: ReadonlyMap<string, readonly unknown[]> = new Map(
      Object.entries({ kind: ['oak', 'ash'], size: [2, 1] }),
    );
    expect(model.predictSync(byName)).toEqual(model.predictSync(rows));
    expect(await model.predict(byName)).toEqual(model.predictSync(rows));
    for (const [i, record] of records.entries()) {
      const one = await model.predict(record);
      expect(model.predictSync(record)).toEqual(one);
      expect(one).toEqual(model.predictSync(rows[i] as number[]));
      expect(['no', 'yes']).toContain(one.label);
    }
    expect(() => model.predictSync({ size: 1 })).toThrow(error('ERR_DLADMM_ARGUMENT', /kind/));
    expect(() => model.predictSync({ size: 'x', kind: 'oak' })).toThrow(
      error('ERR_DLADMM_ARGUMENT', /row 0 of column "size"/),
    );
    expect(() => parts.predictSync({ size: 1 })).toThrow(error('ERR_DLADMM_ARGUMENT', /without names/));
    await expect(parts.predict({ size: 1 })).rejects.toThrow(error('ERR_DLADMM_ARGUMENT', /without names/));
  });

  it('is right when hundreds are asked for at once, large and small', async () => {
    const model = modelOf([20, 64, 5]);
    const sizes = Array.from({ length: 120 }, (_, i) => (i % 25 === 0 ? 2000 : 1 + (i % 7)));
    const answers = await Promise.all(sizes.map((rows, i) => model.predict(numbers(rows * 20, i + 1))));
    for (const [i, rows] of sizes.entries()) {
      expect(answers[i]).toEqual(model.predictSync(numbers(rows * 20, i + 1)));
    }
  });

  it.runIf(process.platform === 'linux')(
    'after the other takes the same thread, whichever model is asked',
    async () => {
      const models = Array.from({ length: 20 }, () => modelOf([50, 400, 400, 5]));
      const threads = () => readdirSync('/proc/self/task').length;
      const x = numbers(100 * 50);
      const ask = async () => {
        for (const model of models) await model.predict(x);
      };
      await models[0]?.predict(x);
      const before = threads();
      for (let round = 0; round < 10; round += 1) await ask();
      expect(threads()).toBe(before);
    },
  );

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
    let turns = 0;
    const turn = () => {
      turns += 1;
      if (turns < 20) setImmediate(turn);
    };
    setImmediate(turn);
    let asked = 0;
    for (; turns < 20 && asked < 100_000; asked += 1) await model.predict([1, 2, 3]);
    expect(turns).toBe(20);
    // Far from one turn each; a collection of garbage may make one of them long.
    expect(asked).toBeGreaterThan(100);
  });

  it('is refused by the place of a weight that was written over with what is not finite', async () => {
    const model = modelOf([3, 5, 2]);
    const { weights } = model;
    (weights[1] as Float32Array)[4] = Number.NaN;
    const refused = error('ERR_DLADMM_NON_FINITE', /finite in float32 for weights\[1\]\[4\] but received NaN/);
    expect(() => model.predictSync([1, 2, 3])).toThrow(refused);
    await expect(model.predict([1, 2, 3])).rejects.toThrow(refused);
    (weights[1] as Float32Array)[4] = 1;
    expect(model.predictSync([1, 2, 3]).outputs).toHaveLength(2);
  });

  it('can be saved while eight ask it in a loop', async () => {
    const model = modelOf([3, 5, 2]);
    let saved = false;
    const ask = async () => {
      while (!saved) await model.predict([1, 2, 3]);
    };
    const asking = Array.from({ length: 8 }, ask);
    await model.save(join(await temporaryFolder(), 'model.safetensors'));
    saved = true;
    await Promise.all(asking);
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
      // A text is the path of a file to one of the two.
      const [told, words] = typeof x === 'string' ? (['ERR_DLADMM_FILE', /no such file/] as const) : [code, message];
      // @ts-expect-error: as above
      await expect(model.predict(x)).rejects.toThrow(error(told, words));
    }
  });

  it('is refused by a closed model', async () => {
    const model = modelOf([3, 5, 2]);
    model.predictSync([1, 2, 3]);
    model.close();
    expect(() => model.predictSync([1, 2, 3])).toThrow(error('ERR_DLADMM_CLOSED'));
    await expect(model.predict([1, 2, 3])).rejects.toThrow(error('ERR_DLADMM_CLOSED'));
  });

  it('that is under way ends before a model is closed by drain, and none is begun', async () => {
    const model = modelOf([50, 400, 400, 5]);
    const many = model.predict(numbers(20_000 * 50));
    const few = model.evaluate({ x: numbers(50), labels: [0] });
    const closed = model.close({ drain: true });
    expect(() => model.predictSync(numbers(50))).toThrow(error('ERR_DLADMM_CLOSED'));
    await expect(model.predict(numbers(50))).rejects.toThrow(error('ERR_DLADMM_CLOSED'));
    expect((await many).outputs.rows).toBe(20_000);
    expect((await few).accuracy).toBeDefined();
    await closed;
    expect(model.weights).toHaveLength(3);
    await model.close({ drain: true });
  });

  it('is closed by using and by await using', async () => {
    const [first, second] = [modelOf([3, 5, 2]), modelOf([3, 5, 2])];
    const under = second.predict(numbers(3000));
    first[Symbol.dispose]();
    await second[Symbol.asyncDispose]();
    expect((await under).outputs.rows).toBe(1000);
    for (const model of [first, second]) expect(() => model.predictSync([1, 2, 3])).toThrow(error('ERR_DLADMM_CLOSED'));
  });

  it('may be told by whom: what was saved with a model is there when it is loaded, and is saved again', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'model.safetensors');
    await modelOf([3, 5, 2]).save(path, { trained: '2026-11-26', rows: '1200' });
    const model = await Model.load(path);
    expect(model.note).toEqual({ trained: '2026-11-26', rows: '1200' });
    await model.save(path);
    expect((await Model.load(path)).note).toEqual(model.note);
    expect(() => new Model({ ...model, note: { rows: 1200 } as never })).toThrow(
      error('ERR_DLADMM_ARGUMENT', /note\["rows"\]/),
    );
  });

  it('goes with the evaluation', async () => {
    const model = modelOf([6, 30, 4]);
    const x = numbers(600 * 6);
    const { labels } = model.predictSync(x);
    expect((await model.evaluate({ x, labels: labels as Int32Array })).accuracy).toBe(1);
  });
});
