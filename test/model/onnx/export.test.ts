import { describe, expect, it } from 'vitest';
import { nearestOnGrid } from '../../../src/compressing/grid.js';
import { Model } from '../../../src/model/model.js';
import { encodeOnnx } from '../../../src/model/onnx/export.js';
import { importOnnx } from '../../../src/model/onnx/import.js';
import type { ModelParts } from '../../../src/model/parts.js';
import { GRID_NAMES } from '../../../src/model/quantisation.js';
import { type Activation, goalOf, hasProbabilities, LOSSES, type Loss } from '../../../src/network/network.js';
import { standardise } from '../../../src/samples/standardise.js';
import { numbers, runtime } from './support.js';

function partsOf(
  layers: readonly number[],
  activation: Activation,
  loss: Loss,
  dtype: ModelParts['dtype'] = 'float32',
) {
  const typed = (values: Float32Array) => (dtype === 'float32' ? values : Float64Array.from(values));
  return {
    network: { layers, activation, loss },
    dtype,
    weights: layers.slice(1).map((width, i) => typed(numbers(width * (layers[i] ?? 0), i + 1))),
    biases: layers.slice(1).map((width, i) => typed(numbers(width, 50 + i))),
  };
}

const ACTIVATIONS: readonly Activation[] = [
  'relu',
  'identity',
  'sigmoid',
  'tanh',
  { leakyRelu: 0.01 },
  { leakyRelu: -0.5 },
  { leakyRelu: 2 },
  'elu',
  { elu: 0.5 },
  'silu',
  'gelu',
  'softplus',
];

const largestDifference = (a: ArrayLike<number>, b: ArrayLike<number>): number =>
  Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - Number(b[i]))), 0);

describe('a model as ONNX says in onnxruntime what it says here', () => {
  for (const activation of ACTIVATIONS) {
    for (const loss of LOSSES) {
      it(`${JSON.stringify(activation)}, ${loss}`, async () => {
        for (const layers of [
          [5, 9, 6, 3],
          [5, 3],
        ]) {
          using model = new Model(partsOf(layers, activation, loss));
          const bytes = model.toOnnx();
          for (const rows of [1, 2, 37]) {
            const x = numbers(rows * 5, rows);
            const { outputs, probabilities } = await model.predict(x);
            const wanted = probabilities ?? outputs;
            const got = await runtime(bytes, x, 5);
            expect(got.input).toBe('x');
            expect(got.name).toBe(hasProbabilities(loss) ? 'probabilities' : 'outputs');
            expect(got.dims).toEqual([rows, 3]);
            const size = loss === 'poisson' ? Math.max(...wanted.data) : 1;
            expect(largestDifference(got.data, wanted.data) / size).toBeLessThan(1e-5);
          }
        }
      });
    }
  }

  it.each(GRID_NAMES.flatMap((grid) => [true, false].map((rounds) => [grid, rounds] as const)))(
    'with weights of %s, its inputs rounded: %s',
    async (grid, rounds) => {
      const parts = partsOf([5, 9, 6, 3], 'relu', 'squared-error');
      const { V: weights, scales } = nearestOnGrid(parts.weights, [5, 9, 6, 3], {
        grid,
        dtype: 'float32',
        scales: undefined,
      });
      // Inputs lie from −1 to 1; what the layers say is cut off above.
      const activations = [64, 0, 0].map((zero) => ({ scale: zero === 0 ? 1 / 50 : 1 / 63, zero }));
      const quantisation = { grid, scales, ...(rounds && { activations }) };
      for (const targets of [undefined, { mean: Float64Array.of(1, 2, 3), scale: Float64Array.of(0.5, 2, 1) }]) {
        using model = new Model({
          ...parts,
          weights,
          quantisation,
          ...(targets && { targetStandardisation: targets }),
        });
        const x = numbers(37 * 5, 4);
        const got = await runtime(model.toOnnx(), x, 5);
        const wanted = (await model.predict(x)).outputs.data;
        // A value that lies in the middle between two codes up to the rounding of float32 may get the other one.
        const off = wanted.filter((value: number, i: number) => Math.abs(value - (got.data[i] as number)) > 1e-5);
        expect(off.length).toBeLessThanOrEqual(3);
        expect(largestDifference(got.data, wanted)).toBeLessThan(rounds ? 0.03 : 1e-5);
        expect(model.toOnnx({ opset: 13 })).toHaveLength(model.toOnnx().length);
        // And back: the codes are the same ones.
        using back = await importOnnx(model.toOnnx());
        expect(back.quantisation?.grid).toBe(grid);
        expect(back.quantisation?.activations).toEqual(quantisation.activations);
        if (targets === undefined) expect(back.weights).toEqual(model.weights);
        expect(
          largestDifference((await back.predict(x)).outputs.data, (await model.predict(x)).outputs.data),
        ).toBeLessThan(1e-5);
      }
    },
  );

  it.each([
    ['one target', [5, 7, 1], { mean: Float64Array.of(5), scale: Float64Array.of(0.011) }],
    ['targets of several scales', [5, 7, 2], { mean: Float64Array.of(5, -3), scale: Float64Array.of(0.011, 40) }],
  ])("with Huber's loss, whose δ is in units of the standardised targets, and back: %s", async (_, layers, targets) => {
    const parts = partsOf(layers, 'relu', 'huber');
    const { V: weights, scales } = nearestOnGrid(parts.weights, layers, {
      grid: 'int8',
      dtype: 'float32',
      scales: undefined,
    });
    for (const own of [parts, { ...parts, weights, quantisation: { grid: 'int8', scales } as const }]) {
      const network = { ...parts.network, delta: 0.5 };
      using model = new Model({ ...own, network, targetStandardisation: targets });
      using back = await importOnnx(model.toOnnx());
      expect(back.network).toEqual(model.network);
      expect(back.targetStandardisation).toEqual(targets);
      expect(back.quantisation === undefined).toBe(model.quantisation === undefined);
      const outputs = layers.at(-1) as number;
      const x = { rows: 40, columns: 5, data: numbers(40 * 5) };
      const y = {
        rows: 40,
        columns: outputs,
        data: Float64Array.from(numbers(40 * outputs), (value, i) => 5 + (100 * value) / (i % 2 ? 3000 : 1)),
      };
      const [there, here] = [await model.evaluate({ x, y }), await back.evaluate({ x, y })];
      expect(here.loss / there.loss).toBeCloseTo(1, 5);
      // In what a runtime answers there is no standardisation to undo.
      const got = await runtime(model.toOnnx(), x.data, 5);
      const wanted = (await model.predict(x)).outputs.data;
      expect(largestDifference(got.data, wanted) / Math.max(...wanted.map(Math.abs))).toBeLessThan(1e-5);
    }
  });

  it('with one output and the hinge loss', async () => {
    using model = new Model(partsOf([4, 8, 1], 'relu', 'hinge'));
    const x = numbers(40);
    const got = await runtime(model.toOnnx(), x, 4);
    expect(got.dims).toEqual([10, 1]);
    expect(largestDifference(got.data, (await model.predict(x)).outputs.data)).toBeLessThan(1e-5);
  });

  it('with the outputs in place of the probabilities', async () => {
    using model = new Model(partsOf([4, 8, 3], 'relu', 'softmax-cross-entropy'));
    const x = numbers(40);
    const got = await runtime(model.toOnnx({ output: 'outputs' }), x, 4);
    expect(got.name).toBe('outputs');
    expect(largestDifference(got.data, (await model.predict(x)).outputs.data)).toBeLessThan(1e-5);
  });

  it('in float64, to the digits of float32', async () => {
    using model = new Model(partsOf([4, 8, 3], 'tanh', 'squared-error', 'float64'));
    const x = numbers(40);
    const got = await runtime(model.toOnnx(), x, 4);
    expect(largestDifference(got.data, (await model.predict(x)).outputs.data)).toBeLessThan(1e-5);
  });

  it('for every operator set that can be named', async () => {
    using model = new Model(partsOf([4, 8, 3], { leakyRelu: 0.1 }, 'softmax-cross-entropy'));
    const x = numbers(8);
    const wanted = (await model.predict(x)).probabilities?.data ?? [];
    for (let opset = 13; opset <= 26; opset += 1) {
      const got = await runtime(model.toOnnx({ opset }), x, 4);
      expect(largestDifference(got.data, wanted), `opset ${opset}`).toBeLessThan(1e-5);
    }
  });

  it('with standardised features, though their mean is large', async () => {
    const parts = partsOf([3, 8, 2], 'relu', 'softmax-cross-entropy');
    const standardisation = {
      mean: Float64Array.of(1e5, -3, 0.5),
      scale: Float64Array.of(2, 0.125, 0),
    };
    using model = new Model(parts);
    const x = Float32Array.of(100000.5, -2, 7, 99999.25, -11, 0.5);
    const rows = standardise({ data: x, rows: 2, columns: 3 }, standardisation, 'float32');
    const wanted = (await model.predict(rows)).probabilities?.data ?? [];
    const got = await runtime(encodeOnnx({ ...parts, standardisation }), x, 3);
    expect(largestDifference(got.data, wanted)).toBeLessThan(1e-5);
  });

  it('with the parameters as they were when it was written', () => {
    const parts = partsOf([2, 1], 'relu', 'squared-error');
    const bytes = encodeOnnx(parts);
    const copy = bytes.slice();
    parts.weights[0]?.fill(7);
    expect(bytes).toEqual(copy);
  });
});

describe('what an ONNX file cannot be', () => {
  const parts = partsOf([4, 3], 'relu', 'softmax-cross-entropy', 'float64');

  it('wider than float32', () => {
    const weights = [Float64Array.from(parts.weights[0] ?? [], (_, i) => (i === 5 ? 1e300 : 0))];
    expect(() => encodeOnnx({ ...parts, weights })).toThrow(
      expect.objectContaining({
        code: 'ERR_DLADMM_NON_FINITE',
        message: expect.stringContaining('0.weight but received 1e+300 at 5'),
      }),
    );
    const steep = { layers: [1, 1, 1], activation: { leakyRelu: 1e300 }, loss: 'squared-error' } as const;
    const ones = [Float32Array.of(1), Float32Array.of(1)];
    expect(() => encodeOnnx({ network: steep, weights: ones, biases: ones })).toThrow(
      expect.objectContaining({ code: 'ERR_DLADMM_NON_FINITE', message: expect.stringContaining('slope') }),
    );
  });

  it('of an operator set that is not there, or with an output that is not there', () => {
    expect(() => encodeOnnx(parts, { opset: 12 })).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_RANGE' }));
    expect(() => encodeOnnx(parts, { opset: 27 })).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_RANGE' }));
    // @ts-expect-error: no such output
    expect(() => encodeOnnx(parts, { output: 'logits' })).toThrow(
      expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' }),
    );
    // @ts-expect-error: no such option
    expect(() => encodeOnnx(parts, { outputs: 'outputs' })).toThrow(
      expect.objectContaining({ code: 'ERR_DLADMM_ARGUMENT' }),
    );
  });
});

describe('a model that was exported', () => {
  it('comes back with its standardisation', async () => {
    const standardisation = { mean: Float64Array.of(1.5, -3, 0), scale: Float64Array.of(2, 0.125, 0) };
    using model = new Model({ ...partsOf([3, 4, 2], 'relu', 'softmax-cross-entropy'), standardisation });
    using back = await importOnnx(model.toOnnx());
    expect(back.standardisation).toEqual(standardisation);
    expect(back.predictSync([1, 2, 3])).toEqual(model.predictSync([1, 2, 3]));
  });

  for (const activation of ACTIVATIONS) {
    for (const loss of LOSSES) {
      it(`comes back as it was: ${JSON.stringify(activation)}, ${loss}`, async () => {
        for (const layers of [
          [5, 9, 6, 3],
          [5, 3],
        ]) {
          using model = new Model({ ...partsOf(layers, activation, loss), classes: ['a', '', 'ö'] });
          for (const output of ['probabilities', 'outputs'] as const) {
            using back = await importOnnx(model.toOnnx({ output }));
            const { network, dtype, weights, biases } = back;
            expect({ network, dtype, weights, biases }).toEqual(partsOf(layers, activation, loss));
            expect(back.classes).toEqual(goalOf(loss) === 'values' ? undefined : ['a', '', 'ö']);
          }
        }
      });
    }
  }
});

it('refuses weights that somebody has transferred away', () => {
  const parts = partsOf([2, 3, 2], 'relu', 'softmax-cross-entropy');
  structuredClone(parts.weights[1], { transfer: [parts.weights[1]?.buffer as ArrayBuffer] });
  expect(() => encodeOnnx(parts)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_DETACHED' }));
});
