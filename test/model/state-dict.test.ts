import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fc, test as property } from '@fast-check/vitest';
import { afterAll, describe, expect, it } from 'vitest';
import { DlAdmmError } from '../../src/core/errors.js';
import { encodeSafetensors, type Tensor } from '../../src/formats/safetensors.js';
import { encodeModel } from '../../src/model/model-file.js';
import type { StateDictOptions } from '../../src/model/options.js';
import { importStateDict, stateDictModel } from '../../src/model/state-dict.js';
import { fromBfloat16, fromFloat16 } from '../../src/tensor/half.js';
import { fit as train } from '../../src/training/fit.js';

const f32 = (shape: readonly number[], ...values: number[]): Tensor => ({
  dtype: 'F32',
  shape,
  data: Float32Array.from(values),
});
const file = (tensors: Readonly<Record<string, Tensor>>, metadata: Readonly<Record<string, string>> = {}): Uint8Array =>
  encodeSafetensors(new Map(Object.entries(tensors)), metadata);
const load = (tensors: Readonly<Record<string, Tensor>>, options: StateDictOptions = {}) =>
  importStateDict(file(tensors), options);
const error = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const sequential = {
  '0.weight': f32([2, 3], 1, 2, 3, 4, 5, 6),
  '0.bias': f32([2], 7, 8),
  '2.weight': f32([1, 2], 9, 10),
  '2.bias': f32([1], 11),
};

describe('a state dict of PyTorch', () => {
  it('of nn.Sequential becomes a model', async () => {
    const model = await load(sequential, { activation: 'tanh', loss: 'squared-error' });
    expect(model.network).toEqual({ layers: [3, 2, 1], activation: 'tanh', loss: 'squared-error' });
    expect(model.weights).toEqual([Float32Array.of(1, 2, 3, 4, 5, 6), Float32Array.of(9, 10)]);
    expect(model.biases).toEqual([Float32Array.of(7, 8), Float32Array.of(11)]);
    const h = [Math.tanh(1 + 2 + 3 + 7), Math.tanh(4 + 5 + 6 + 8)] as const;
    expect(model.predictSync([1, 1, 1]).outputs[0]).toBeCloseTo(9 * h[0] + 10 * h[1] + 11, 4);
  });

  it('has its layers in the order of their numbers, whatever the order in the file', async () => {
    const layers = Object.fromEntries(
      Array.from({ length: 11 }, (_, i) => [
        `net.fc${11 - i}.weight`,
        f32([13 - i, 12 - i], ...new Array(156).fill(0).slice(0, (13 - i) * (12 - i))),
      ]),
    );
    const model = await load(layers);
    expect(model.network.layers).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  });

  it('has zeros where a layer has no bias', async () => {
    const { '0.bias': _, ...without } = sequential;
    expect((await load(without)).biases[0]).toEqual(Float32Array.of(0, 0));
  });

  it('may have its order given, where names do not tell it', async () => {
    const layers = {
      'input.weight': f32([2, 1], 1, 2),
      'hidden.weight': f32([3, 2], 1, 2, 3, 4, 5, 6),
      'out.weight': f32([1, 3], 1, 2, 3),
    };
    const both =
      /more than one order.*order: \["hidden", "out", "input"\] \(2-3-1-2\), order: \["input", "hidden", "out"\] \(1-2-3-1\), order: \["out", "input", "hidden"\] \(3-1-2-3\)/;
    await expect(load(byName(layers))).rejects.toThrow(error('ERR_DLADMM_FORMAT', both));
    const model = await load(layers, { order: ['input', 'hidden', 'out'] });
    expect(model.network.layers).toEqual([1, 2, 3, 1]);
    await expect(load(layers, { order: ['input', 'out', 'hidden'] })).rejects.toThrow(
      error('ERR_DLADMM_FORMAT', /"out" takes 3 values where 2 come, in the order "input", "out", "hidden"/),
    );
    for (const order of [['input'], ['input', 'input', 'out'], ['input', 'hidden', 'head']]) {
      await expect(load(layers, { order })).rejects.toThrow(error('ERR_DLADMM_ARGUMENT', /once for options\.order/));
    }
  });

  const linear = (name: string, inputs: number, outputs: number): Readonly<Record<string, Tensor>> => ({
    [`${name}.weight`]: f32([outputs, inputs], ...new Array(inputs * outputs).fill(1)),
    [`${name}.bias`]: f32([outputs], ...new Array(outputs).fill(0)),
  });
  const byName = (tensors: Readonly<Record<string, Tensor>>) =>
    Object.fromEntries(Object.entries(tensors).sort(([a], [b]) => (a < b ? -1 : 1)));
  const autoencoder = {
    ...{ ...linear('encoder.0', 6, 4), ...linear('encoder.2', 4, 2) },
    ...{ ...linear('decoder.0', 2, 4), ...linear('decoder.2', 4, 6) },
  };

  it('of an autoencoder is read in the order of its file, where that is not the alphabet’s', async () => {
    expect((await load(autoencoder)).network.layers).toEqual([6, 4, 2, 4, 6]);
  });

  it('of an autoencoder that is sorted by name, as safetensors sorts it, is asked about', async () => {
    const both =
      /order: \["decoder\.0", "decoder\.2", "encoder\.0", "encoder\.2"\] \(2-4-6-4-2\), order: \["encoder\.0", "encoder\.2", "decoder\.0", "decoder\.2"\] \(6-4-2-4-6\)$/;
    await expect(load(byName(autoencoder))).rejects.toThrow(error('ERR_DLADMM_FORMAT', both));
    const order = ['encoder.0', 'encoder.2', 'decoder.0', 'decoder.2'];
    expect((await load(byName(autoencoder), { order })).network.layers).toEqual([6, 4, 2, 4, 6]);
  });

  it.each<[string, Readonly<Record<string, Tensor>>, readonly number[]]>([
    ['widths alone', { ...linear('a', 3, 1), ...linear('b', 5, 4), ...linear('c', 4, 3) }, [5, 4, 3, 1]],
    [
      'numbers, then widths',
      { ...linear('head', 4, 2), ...linear('net.0', 5, 4), ...linear('net.10', 4, 4), ...linear('net.9', 4, 4) },
      [5, 4, 4, 4, 2],
    ],
    [
      'numbers of blocks, then widths',
      { ...linear('block1.down', 8, 4), ...linear('block1.up', 6, 8), ...linear('block2.only', 4, 6) },
      [6, 8, 4, 6],
    ],
  ])('sorted by name has the one order that %s allow', async (_, tensors, layers) => {
    expect((await load(byName(tensors))).network.layers).toEqual(layers);
  });

  it('of square layers without numbers is asked about, however many there are', async () => {
    const square = (count: number, prefix = 'layer') =>
      byName(
        Object.assign(
          {},
          ...Array.from({ length: count }, (_, i) => linear(`${prefix}${'abcdefghij'[i % 10]}${'x'.repeat(i)}`, 3, 3)),
        ),
      );
    await expect(load(square(2))).rejects.toThrow(error('ERR_DLADMM_FORMAT', /more than one order/));
    for (const more of [{}, linear('odd', 7, 8)]) {
      const many = { ...square(30), ...more };
      await expect(load(many)).rejects.toThrow(error('ERR_DLADMM_FORMAT', /another order: \[|takes 7 values where/));
    }
    await expect(load(square(70))).rejects.toThrow(error('ERR_DLADMM_FORMAT', /another order: \[/));
  });

  it('may be in float16, bfloat16 or float64', async () => {
    const half: Tensor = { dtype: 'F16', shape: [1, 3], data: Uint16Array.of(0x3c00, 0xc100, 0x0001) };
    const brain: Tensor = { dtype: 'BF16', shape: [1, 3], data: Uint16Array.of(0x3f80, 0xc020, 0x7f7f) };
    const double: Tensor = { dtype: 'F64', shape: [1, 3], data: Float64Array.of(1 / 3, 2, 3) };
    expect((await load({ 'a.weight': half })).weights[0]).toEqual(Float32Array.of(1, -2.5, 2 ** -24));
    expect((await load({ 'a.weight': brain })).weights[0]).toEqual(Float32Array.of(1, -2.5, 3.3895313892515355e38));
    const model = await load({ 'a.weight': double, 'a.bias': f32([1], 0.5) });
    expect(model.dtype).toBe('float64');
    expect(model.weights[0]).toEqual(Float64Array.of(1 / 3, 2, 3));
    expect(model.biases[0]).toEqual(Float64Array.of(0.5));
    expect((await load({ 'a.weight': double }, { dtype: 'float32' })).weights[0]).toEqual(Float32Array.of(1 / 3, 2, 3));
  });

  it.each<[string, Readonly<Record<string, Tensor>>, RegExp]>([
    ['a convolution', { 'c.weight': f32([1, 1, 1, 2], 1, 2) }, /"c\.weight" has shape \[1, 1, 1, 2\]/],
    ['a normalisation', { ...sequential, '1.running_mean': f32([2], 0, 0) }, /"1\.running_mean" is neither/],
    ['a scale', { ...sequential, '1.weight': f32([2], 1, 1) }, /"1\.weight" has shape \[2\], expected the matrix/],
    ['a bias without weights', { ...sequential, '1.bias': f32([2], 1, 1) }, /"1\.bias" is neither/],
    [
      'a bias of another length',
      { ...sequential, '0.bias': f32([3], 1, 1, 1) },
      /"0\.bias" has 3 values for 2 outputs/,
    ],
    ['nothing', {}, /no tensor whose name ends in \.weight/],
    [
      'whole numbers',
      { 'q.weight': { dtype: 'I8', shape: [1, 2], data: Int8Array.of(1, 2) } },
      /"q\.weight" is of type I8/,
    ],
  ])('with %s is refused', async (_, tensors, message) => {
    await expect(load(tensors)).rejects.toThrow(error('ERR_DLADMM_FORMAT', message));
  });

  it('is not a model of dladmm, which says itself what it is', async () => {
    const own = encodeModel({
      kind: 'perceptron',
      network: { layers: [1, 1], activation: 'relu', loss: 'squared-error' },
      dtype: 'float32',
      weights: [Float32Array.of(1)],
      biases: [Float32Array.of(1)],
    });
    await expect(importStateDict(own)).rejects.toThrow(error('ERR_DLADMM_FORMAT', /is a model of dladmm/));
  });

  it('of values that are not finite is refused with their place', async () => {
    await expect(load({ ...sequential, '2.weight': f32([1, 2], 1, Number.NaN) })).rejects.toThrow(
      error('ERR_DLADMM_NON_FINITE', /weights\[1\]\[1\]/),
    );
  });

  it('is where a training goes on from', async () => {
    using model = await load(sequential, { loss: 'squared-error' });
    const data = {
      x: [
        [1, 2, 3],
        [0, 1, 0],
      ],
      y: [[1], [2]],
    };
    const { layers, activation, loss } = model.network;
    const { model: same } = await train(data, {
      ...{ layers, activation, loss, solver: 'sgd', epochs: 1, learningRate: 0, standardiseTargets: false },
      initialisation: model,
    });
    expect(same.weights).toEqual(model.weights);
    expect(same.biases).toEqual(model.biases);
    const { model: next } = await train(data, {
      ...{ layers, activation, loss, solver: 'sgd', epochs: 20, learningRate: 1e-4 },
      initialisation: model,
    });
    expect((await next.evaluate(data)).loss).toBeLessThan((await model.evaluate(data)).loss);
    await expect(
      train(data, { layers: [3, 4, 1], activation, loss, solver: 'sgd', initialisation: model }),
    ).rejects.toThrow(error('ERR_DLADMM_SHAPE', /initialisation\.weights\[0\]/));
  });

  it('says of raw features what it said, however the training that goes on standardises them', async () => {
    const x = [
      [10, 200, -3],
      [12, 180, -5],
      [17, 230, 1],
    ];
    const y = [[1], [2], [-1]];
    const options = { layers: [3, 2, 1], activation: 'relu', loss: 'squared-error', dtype: 'float64' } as const;
    const still = { ...options, solver: 'sgd', epochs: 1, learningRate: 0 } as const;
    using first = (await train({ x, y }, { ...still, standardise: true })).model;
    const shifted = { x: x.map((row) => row.map((value) => 2 * value + 7)), y };
    for (const standardise of [false, true]) {
      using next = (await train(shifted, { ...still, standardise, initialisation: first })).model;
      const [before, after] = [await first.predict(x), await next.predict(x)];
      after.outputs.data.forEach((value, i) => {
        expect(value).toBeCloseTo(before.outputs.data[i] as number, 10);
      });
    }
  });

  it('is refused where the samples have other classes', async () => {
    const still = { layers: [1, 2], solver: 'sgd', epochs: 1, learningRate: 0 } as const;
    using first = (await train({ x: [[1], [2]], labels: ['cat', 'dog'] }, still)).model;
    await expect(train({ x: [[1], [2]], labels: ['dog', 'emu'] }, { ...still, initialisation: first })).rejects.toThrow(
      error('ERR_DLADMM_LABEL', /cat, dog .*emu/),
    );
  });

  const folder = mkdtempSync(join(tmpdir(), 'dladmm-state-dict-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  it('is read from its file', async () => {
    const path = join(folder, 'state.safetensors');
    writeFileSync(path, file(sequential, { format: 'pt' }));
    expect((await importStateDict(path)).network.layers).toEqual([3, 2, 1]);
    await expect(importStateDict(join(folder, 'none'))).rejects.toThrow(error('ERR_DLADMM_FILE', /none/));
  });

  const bytes = file(sequential);
  const changes = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 });
  property.prop([changes, fc.nat(bytes.length)], { numRuns: 2000 })(
    'that is damaged is read or refused, and nothing else',
    (changed, length) => {
      const damaged = bytes.slice(0, changed.length % 2 === 0 ? length : bytes.length);
      for (const [at, value] of changed) if (at < damaged.length) damaged[at] = value;
      try {
        stateDictModel(damaged, 'file', {});
      } catch (thrown) {
        if (!(thrown instanceof DlAdmmError)) throw thrown;
      }
    },
  );
});

describe('16-bit floating-point numbers', () => {
  it('float16 has its sign, its tiniest, its largest, and what is not finite', () => {
    const pairs: readonly [number, number][] = [
      [0x0000, 0],
      [0x8000, -0],
      [0x0001, 2 ** -24],
      [0x03ff, 1023 * 2 ** -24],
      [0x0400, 2 ** -14],
      [0x3555, 0.333251953125],
      [0x7bff, 65504],
      [0xfc00, Number.NEGATIVE_INFINITY],
      [0x7c00, Number.POSITIVE_INFINITY],
      [0x7e00, Number.NaN],
    ];
    for (const [bits, value] of pairs) expect(fromFloat16(bits)).toBe(value);
  });

  it('bfloat16 is the upper half of a float32', () => {
    for (let bits = 0; bits < 2 ** 16; bits += 7) {
      const [whole] = new Float32Array(Uint32Array.of(bits * 2 ** 16).buffer);
      expect(fromBfloat16(bits)).toBe(whole);
    }
  });
});
