/** Models whose weights lie on a grid, and their files. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { nearestOnGrid } from '../../src/compressing/grid.js';
import { seededRandom } from '../../src/core/random.js';
import { decodeSafetensors, encodeSafetensors, type Tensor } from '../../src/formats/safetensors.js';
import { GraphModel, Model } from '../../src/index.js';
import { decodeModel, encodeModel, type StoredModel } from '../../src/model/model-file.js';
import {
  bytesOf,
  codesOf,
  GRID_NAMES,
  type Grid,
  gridOf,
  packed,
  type Quantisation,
  unpacked,
} from '../../src/model/quantisation.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-quantised-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function onGrid(grid: Grid, layers: readonly number[], dtype: 'float32' | 'float64' = 'float32'): Model {
  const random = seededRandom(layers.length);
  const normals = (count: number) => Float32Array.from({ length: count }, () => random.normal());
  const drawn = layers.slice(1).map((width, l) => normals(width * (layers[l] as number)));
  const { V, scales } = nearestOnGrid(drawn, layers, { grid, dtype, scales: undefined });
  const biases = layers
    .slice(1)
    .map((width) => (dtype === 'float32' ? normals(width) : Float64Array.from(normals(width))));
  const network = { layers, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  return new Model({ network, dtype, weights: V, biases, quantisation: { grid, scales } });
}

const stored = (model: Model): StoredModel => ({ ...model }) as unknown as StoredModel;

describe.each(GRID_NAMES)('%s', (grid) => {
  test.each(['float32', 'float64'] as const)(
    'in a file keeps the bits of every weight of %s, and what it is',
    async (dtype) => {
      for (const layers of [
        [7, 5, 3],
        [1, 1],
        [8, 2, 9, 2],
      ]) {
        const model = onGrid(grid, layers, dtype);
        const path = join(folder, `${grid}-${dtype}-${layers.length}.safetensors`);
        await model.save(path);
        const loaded = await Model.load(path);
        expect(loaded.weights).toEqual(model.weights);
        expect(loaded.biases).toEqual(model.biases);
        expect(loaded.quantisation).toEqual(model.quantisation);
        expect(loaded.dtype).toBe(dtype);
        const x = [Array.from({ length: layers[0] as number }, (_, i) => Math.sin(i))];
        expect(loaded.predictSync(x)).toEqual(model.predictSync(x));
        expect(encodeModel(stored(loaded))).toEqual(encodeModel(stored(model)));
      }
    },
  );

  test('has in its file so many bits a weight, and a scale a neuron', () => {
    const layers = [784, 300, 100, 10];
    const model = onGrid(grid, layers);
    const { length } = encodeModel(stored(model));
    const { quantisation: _, kind: __, ...dense } = model;
    const full = encodeModel(stored(new Model(dense))).length;
    expect(length / full).toBeLessThan(grid === 'int8' ? 0.28 : 0.15);
    expect(bytesOf(model)).toBe((266_200 * gridOf(grid).bits) / 8 + 410 * 8);
    expect(length - bytesOf(model)).toBeLessThan(2000);
    const { tensors } = decodeSafetensors(encodeModel(stored(model)), 'm');
    expect(tensors.get('0.weight')).toMatchObject(
      grid === 'int8' ? { dtype: 'I8', shape: [300, 784] } : { dtype: 'U8', shape: [300, 392] },
    );
    expect(tensors.get('0.scale')).toMatchObject({ dtype: 'F32', shape: [300] });
  });

  test('packs codes and gives them back, rows of any width', () => {
    const all = Array.from({ length: 255 }, (_, i) => i - 127).filter((code) => gridOf(grid).nearest(code) === code);
    for (const inputs of [1, 2, 3, 8]) {
      const codes = Int8Array.from({ length: inputs * all.length }, (_, i) => all[i % all.length] as number);
      expect(unpacked(grid, packed(grid, codes, inputs), inputs)).toEqual(codes);
    }
  });

  describe('refuses', () => {
    const model = onGrid(grid, [3, 2]);
    const { tensors, metadata } = decodeSafetensors(encodeModel(stored(model)), 'm');
    const load = (change: Record<string, Tensor | undefined>, network: object = {}) => {
      const list = Object.entries({ ...Object.fromEntries(tensors), ...change }).filter(
        ([, each]) => each !== undefined,
      );
      const text = JSON.stringify({ ...JSON.parse(metadata.network as string), ...network });
      return () => decodeModel(encodeSafetensors(new Map(list as [string, Tensor][]), { network: text }), 'm.st');
    };
    const weight = tensors.get('0.weight') as Tensor;
    const scale = tensors.get('0.scale') as Tensor;
    const bytes = new Uint8Array(weight.data.buffer);
    const broken = Uint8Array.from(bytes).fill(grid === 'int8' ? 128 : 8, 0, 1);
    const codes = grid === 'int8' ? new Int8Array(broken.buffer) : broken;

    test('nothing of what the cases change', () => {
      expect(load({})()).toMatchObject({ quantisation: { grid } });
    });
    test.each<readonly [string, () => unknown, RegExp]>([
      [
        'a code that stands for nothing',
        load({ '0.weight': { ...weight, data: codes } as Tensor }),
        /0\.weight has bytes/,
      ],
      ['a file without scales', load({ '0.scale': undefined }), /number of tensors is 2, expected 3/],
      ['a scale of 0', load({ '0.scale': { ...scale, data: Float32Array.of(1, 0) } as Tensor }), /positive numbers/],
      [
        'a scale that is none',
        load({ '0.scale': { ...scale, data: Float32Array.of(Number.NaN, 1) } as Tensor }),
        /0\]/,
      ],
      [
        'scales of float64',
        load({ '0.scale': { dtype: 'F64', shape: [2], data: Float64Array.of(1, 1) } }),
        /F64 \[2\], expected F32/,
      ],
      [
        'weights of float32',
        load({ '0.weight': { dtype: 'F32', shape: [2, 3], data: new Float32Array(6) } }),
        /0\.weight is F32/,
      ],
      ['a grid that there is not', load({}, { quantisation: { grid: 'int7' } }), /quantisation\.grid/],
      ['a quantisation that is none', load({}, { quantisation: null }), /quantisation/],
      ['more than is known', load({}, { quantisation: { grid, zero: 1 } }), /zero/],
      ['inputs without a scale', load({}, { quantisation: { grid, activations: [{ scale: 0, zero: 0 }] } }), /scale/],
      [
        'inputs with a zero that is no code',
        load({}, { quantisation: { grid, activations: [{ scale: 1, zero: 128 }] } }),
        /zero/,
      ],
      ['inputs of more layers', load({}, { quantisation: { grid, activations: [] } }), /activations/],
      ['a field of format 4 in format 3', load({}, { format: 3 }), /field of the network is quantisation/],
      ['a quantised graph network', load({}, { kind: 'gcn' }), /quantisation/],
    ])('%s', (_, act, text) => {
      expect(act).toThrow(expect.objectContaining({ message: expect.stringMatching(text) }));
      expect(act).toThrow(/^m\.st/);
    });
  });
});

test('weights that are not on the grid they are said to be on are refused, with their place', () => {
  const { quantisation, ...parts } = onGrid('int8', [3, 2]);
  const { kind: _, ...rest } = parts;
  const weights = [rest.weights[0]?.map((w: number, i: number) => (i === 4 ? w * 1.003 : w)) as Float32Array];
  expect(() => new Model({ ...rest, weights, ...(quantisation && { quantisation }) })).toThrow(
    expect.objectContaining({
      code: 'ERR_DLADMM_RANGE',
      message: expect.stringMatching(/grid int8 for weights\[0\]\[4\]/),
    }),
  );
  const network = { layers: [2, 2], activation: 'relu', loss: 'softmax-cross-entropy' } as const;
  const graph = { network, dtype: 'float32', weights: [new Float32Array(4)], quantisation } as const;
  expect(() => new GraphModel(graph as never)).toThrow(/none for a graph for quantisation/);
});

test('codes are those that the weights were made of', () => {
  const model = onGrid('powers-of-two', [40, 30]);
  const [scales] = (model.quantisation as Quantisation).scales as readonly [Float32Array];
  for (const [i, code] of codesOf(model.weights[0] as Float32Array, scales).entries()) {
    expect(Math.fround(code * (scales[Math.floor(i / 40)] as number))).toBe(model.weights[0]?.[i]);
  }
});

describe('a model whose inputs are rounded too', () => {
  const layers = [6, 20, 9, 3];
  const activations = [
    { scale: 0.05, zero: 60 },
    { scale: 0.04, zero: 0 },
    { scale: 0.08, zero: 0 },
  ];
  const made = (dtype: 'float32' | 'float64') => {
    const { kind: _, quantisation, ...parts } = onGrid('int8', layers, dtype);
    return new Model({ ...parts, quantisation: { ...(quantisation as Quantisation), activations } });
  };
  const random = seededRandom(8);
  const x = { data: Float32Array.from({ length: 300 * 6 }, () => random.normal()), rows: 300, columns: 6 };

  /** The network as it is defined: sums of whole numbers, and float32 or float64 for the rest. */
  function defined(model: Model): readonly number[] {
    const round = model.dtype === 'float32' ? Math.fround : (value: number) => value;
    const { scales } = model.quantisation as Quantisation;
    const weights = model.weights.map((W, l) => codesOf(W, scales[l] as Float32Array));
    return Array.from({ length: x.rows }, (_, i) => {
      let h: readonly number[] = [...x.data.subarray(i * 6, (i + 1) * 6)];
      for (const [l, { scale, zero }] of activations.entries()) {
        const inverse = round(1 / Math.fround(scale));
        const codes = h.map((value) => {
          const within = Math.min(127 - zero, Math.max(-zero, round(value * inverse)));
          return Math.floor(round(within + zero + 0.5));
        });
        h = Array.from({ length: layers[l + 1] as number }, (__, j) => {
          const sum = codes.reduce(
            (all, code, k) => all + (code - zero) * (weights[l]?.[j * h.length + k] as number),
            0,
          );
          const factor = Math.fround(Math.fround(scale) * (scales[l]?.[j] as number));
          const z = round(round(round(sum) * factor) + (model.biases[l]?.[j] as number));
          return l < 2 ? Math.max(0, z) : z;
        });
      }
      return h;
    }).flat();
  }

  test.each(['float32', 'float64'] as const)(
    'says in %s what sums of whole numbers say, to the last bit',
    async (dtype) => {
      using model = made(dtype);
      const wanted = defined(model);
      expect([...(await model.predict(x)).outputs.data]).toEqual(wanted);
      expect([...model.predictSync(x).outputs.data]).toEqual(wanted);
      for (const rows of [1, 2, 5, 50]) {
        const some = { data: x.data.subarray(0, rows * 6), rows, columns: 6 };
        expect([...model.predictSync(some).outputs.data]).toEqual(wanted.slice(0, rows * 3));
      }
      const path = join(folder, `rounded-${dtype}.safetensors`);
      await model.save(path);
      using loaded = await Model.load(path);
      expect(loaded.quantisation).toEqual(model.quantisation);
      expect([...loaded.predictSync(x).outputs.data]).toEqual(wanted);
    },
  );

  test('judges by what it says', async () => {
    using model = made('float32');
    const { labels = [] } = await model.predict(x);
    const { accuracy, loss } = await model.evaluate({ x, labels: labels as Int32Array });
    expect(accuracy).toBe(1);
    const { probabilities } = await model.predict(x);
    const data = probabilities?.data as Float32Array;
    const mean =
      [...labels].reduce((sum: number, label, i) => sum - Math.log(data[3 * i + Number(label)] as number), 0) / 300;
    expect(loss).toBeCloseTo(mean, 5);
  });

  test('says of sparse samples what it says of dense ones', async () => {
    using model = made('float32');
    const holed = x.data.map((value, i) => (i % 4 === 1 ? value : 0));
    const indices = Int32Array.from(holed.keys()).filter((i) => holed[i] !== 0);
    const indptr = Int32Array.from({ length: 301 }, (_, i) => indices.filter((at) => at < 6 * i).length);
    const sparse = {
      data: holed.filter((value) => value !== 0),
      indices: indices.map((at) => at % 6),
      indptr,
      rows: 300,
      columns: 6,
    };
    expect((await model.predict(sparse)).outputs).toEqual((await model.predict({ ...x, data: holed })).outputs);
  });
});
