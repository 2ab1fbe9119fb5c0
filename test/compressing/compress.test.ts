/** A small model in the place of a large one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { type Compression, type CompressionStep, type CompressOptions, compress } from '../../src/compress.js';
import { loadDataset, packSamples } from '../../src/data.js';
import { fit, GraphModel, Model } from '../../src/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-compress-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const zerosOf = (model: Model): number =>
  model.weights.reduce((sum, each) => sum + [...each].filter((w) => w === 0).length, 0);
const lostBy = ({ before, after }: Compression): number => (before.scores.accuracy ?? 0) - (after.scores.accuracy ?? 1);
const sizeOf = (model: Model): number => model.weights.reduce((sum, { length }) => sum + length, 0);

describe('digits', () => {
  let model: Model;
  let data: object;
  beforeAll(async () => {
    const { train, test: tested, classes } = (await loadDataset('digits')) as never as Record<string, object>;
    data = { ...train, classes, test: { ...tested, classes } };
    const layers = [64, 32, 16, 10];
    const options = {
      solver: 'adam',
      layers,
      epochs: 40,
      batchSize: 32,
      standardise: true,
      learningRate: 3e-3,
    } as const;
    ({ model } = await fit({ ...train, classes } as never, options));
  });
  const small = (rules: CompressOptions) =>
    compress(
      model,
      data as never,
      { rounds: 2, steps: 3, stepEpochs: 4, retrain: 20, ...rules },
      { learningRate: 3e-3 },
    );

  test.each([
    ['weights', 0.9],
    ['1x4', 0.75],
  ] as const)(
    'keep what they are worth where of %s the share %d goes, with zeros that are exact in the file',
    async (structure, sparsity) => {
      const found = await small({ structure, sparsity });
      const path = join(folder, `${structure}.safetensors`);
      await found.model.save(path);
      const loaded = await Model.load(path);
      const [all, zeros] = [sizeOf(loaded), zerosOf(loaded)];
      expect(zeros).toBe(zerosOf(found.model));
      expect(zeros / all).toBeGreaterThanOrEqual(sparsity);
      expect(zeros / all).toBeLessThan(sparsity + 0.01);
      expect(found.sparsity).toBe(zeros / all);
      expect(found.parameters).toBe(all - zeros + 32 + 16 + 10);
      expect(found.judgedBy).toBe('test');
      expect(found.after.scores).toEqual(await loaded.evaluate((data as { readonly test: never }).test));
      expect(lostBy(found)).toBeLessThan(0.05);
      for (const [l, each] of loaded.weights.entries()) {
        expect(
          each.some((w: number) => w !== 0),
          `layer ${l + 1}`,
        ).toBe(true);
        if (structure === '1x4')
          for (let i = 0; i < each.length; i += 4)
            expect([0, 4]).toContain([...each.subarray(i, i + 4)].filter((w) => w === 0).length);
      }
    },
  );

  test('lose neurons, and are a smaller dense network that says nearly the same', async () => {
    const found = await small({ structure: 'neurons', sparsity: 0.6 });
    const { layers } = found.model.network;
    expect(layers).toEqual([64, 14, 7, 10]);
    expect(zerosOf(found.model)).toBe(0);
    expect(lostBy(found)).toBeLessThan(0.05);
    expect(found.model.standardisation).toEqual(model.standardisation);
  });

  test.each([
    ['int8', 0.01],
    ['int4', 0.03],
    ['powers-of-two', 0.03],
  ] as const)('keep what they are worth with weights of %s, all on the grid', async (quantise, most) => {
    const steps: CompressionStep[] = [];
    const found = await small({ quantise, rounds: 3, onStep: (step) => void steps.push(step) });
    const path = join(folder, `${quantise}.safetensors`);
    await found.model.save(path);
    const loaded = await Model.load(path);
    expect(loaded.quantisation).toMatchObject({ grid: quantise });
    expect(loaded.weights).toEqual(found.model.weights);
    expect(found.after.scores).toEqual(await loaded.evaluate((data as { readonly test: never }).test));
    expect(lostBy(found)).toBeLessThan(most);
    expect(steps.map(({ kind }) => kind)).toEqual([1, 2, 3].flatMap(() => ['admm', 'admm', 'admm', 'retraining']));
    expect([found.before.type, found.after.type]).toEqual(['float32', quantise]);
    expect(found.after.bytes / found.before.bytes).toBeLessThan(quantise === 'int8' ? 0.33 : 0.21);
    expect(String(found)).toMatch(new RegExp(`weights are +float32 +${quantise}\n`));
    // Biases are trained on with the weights as they are.
    expect(found.model.biases).not.toEqual(model.biases);
    // It goes on learning as any other, and is of float32 then.
    const further = await found.model.fit(data as never, { epochs: 1 });
    expect(further.model.quantisation).toBeUndefined();
  });

  test('are sparse and quantised at once', async () => {
    const found = await small({ sparsity: 0.75, quantise: 'int4', rounds: 2 });
    expect(found.sparsity).toBeGreaterThanOrEqual(0.75);
    expect(found.model.quantisation?.grid).toBe('int4');
    expect(lostBy(found)).toBeLessThan(0.05);
    const narrow = await small({ sparsity: 0.6, structure: 'neurons', quantise: 'int8', rounds: 1, steps: 1 });
    expect(narrow.model.network.layers).toEqual([64, 14, 7, 10]);
    expect(narrow.model.quantisation?.scales.map(({ length }) => length)).toEqual([14, 7, 10]);
  });

  test('keep as many parameters as are asked for, by a solver that is named', async () => {
    const found = await compress(
      model,
      data as never,
      { parameters: 700, rounds: 1, steps: 1, retrain: 2 },
      { solver: 'sgd', learningRate: 0.05, momentum: 0.9 },
    );
    expect(found.parameters).toBe(700);
    const narrow = await small({ parameters: 700, structure: 'neurons', rounds: 1, steps: 1, retrain: 1 });
    expect(narrow.parameters).toBeLessThanOrEqual(700);
    expect(narrow.parameters).toBeGreaterThan(550);
  });

  test('tell of every iteration, and are the same for any number of threads', async () => {
    const steps: CompressionStep[] = [];
    const rules = { sparsity: 0.8, onStep: (step: CompressionStep) => void steps.push(step) };
    const found = await small(rules);
    expect(found.history).toEqual(steps);
    expect(steps.map(({ kind, round, step }) => `${kind} ${round} ${step}`)).toEqual([
      ...['admm 1 1', 'admm 1 2', 'admm 1 3', 'retraining 1 3'],
      ...['admm 2 1', 'admm 2 2', 'admm 2 3', 'retraining 2 3'],
    ]);
    // As the penalty holds W at V, what goes weighs less and less.
    expect(steps.map(({ weights }) => weights).toSorted((a, b) => b - a)).toEqual(steps.map(({ weights }) => weights));
    const again = await compress(
      model,
      data as never,
      { sparsity: 0.8, rounds: 2, steps: 3, stepEpochs: 4, retrain: 20 },
      { learningRate: 3e-3, threads: 1 },
    );
    expect(again.model.weights).toEqual(found.model.weights);
    expect(String(found)).toMatch(
      /before +after\nlayers +64-32-16-10 +64-32-16-10\nweights that are not 0 +2720 +544\n/,
    );
  });

  test('end with what onStep throws, and when the signal says so', async () => {
    const onStep = () => {
      throw new RangeError('enough');
    };
    await expect(small({ sparsity: 0.5, onStep })).rejects.toThrow('enough');
    const controller = new AbortController();
    const stops = small({ sparsity: 0.5, signal: controller.signal, onStep: () => controller.abort('tea') });
    await expect(stops).rejects.toMatchObject({ code: 'ERR_DLADMM_ABORTED' });
    await expect(small({ sparsity: 0.5, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'ERR_DLADMM_ABORTED',
    });
  });

  test.each<readonly [string, object, string, RegExp]>([
    ['nothing', {}, 'ERR_DLADMM_ARGUMENT', /either sparsity or parameters.*neither/],
    ['both', { sparsity: 0.5, parameters: 9 }, 'ERR_DLADMM_ARGUMENT', /either sparsity or parameters.*both/],
    ...[0, 1, -0.1, 1.5, Number.NaN].map(
      (sparsity) =>
        [`a sparsity of ${sparsity}`, { sparsity }, 'ERR_DLADMM_RANGE', /above 0 and below 1 for sparsity/] as const,
    ),
    ['a sparsity in words', { sparsity: '95%' }, 'ERR_DLADMM_ARGUMENT', /a number for sparsity/],
    ['all that there are', { parameters: 1e5 }, 'ERR_DLADMM_RANGE', /fewer than the 2778 that there are/],
    ['less than the biases', { parameters: 58 }, 'ERR_DLADMM_RANGE', /at least 3 weights and 58 biases/],
    ['less than one a layer', { sparsity: 0.9999 }, 'ERR_DLADMM_RANGE', /at least 3 weights to stay/],
    ['less than a block a layer', { sparsity: 0.996, structure: '1x4' }, 'ERR_DLADMM_RANGE', /at least 12 weights/],
    ['less than a neuron a layer', { sparsity: 0.98, structure: 'neurons' }, 'ERR_DLADMM_RANGE', /at least 75 weights/],
    [
      'a structure that there is not',
      { sparsity: 0.5, structure: 'neuron' },
      'ERR_DLADMM_ARGUMENT',
      /did you mean neurons/,
    ],
    ['a grid that there is not', { quantise: 'int5' }, 'ERR_DLADMM_ARGUMENT', /'int8' or 'int4' or 'powers-of-two'/],
    ['a structure of nothing', { quantise: 'int8', structure: '1x4' }, 'ERR_DLADMM_ARGUMENT', /none without sparsity/],
    ['what is misspelt', { sparsety: 0.5 }, 'ERR_DLADMM_ARGUMENT', /did you mean sparsity/],
    ['a penalty of 0', { sparsity: 0.5, penalty: 0 }, 'ERR_DLADMM_RANGE', /penalty/],
  ])('refuse %s before any work', async (_, rules, code, text) => {
    const reached = {
      get x(): never {
        throw new Error('the data were looked at');
      },
    };
    const error = await compress(model, reached as never, rules as never).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code, message: expect.stringMatching(text) });
  });

  test.each<readonly [string, object, RegExp]>([
    ['a solver without proximal steps', { solver: 'muon' }, /one that takes regularise \(dladmm, .*adam/],
    ['options of the model', { layers: [64, 10] }, /none, as the model that goes on has its own, for layers/],
    ['options of its own', { epochs: 3 }, /none, as compress has its own, for options.epochs/],
    ['Ω', { regularise: { W: { l1: 1 } } }, /none, as compress has its own, for options.regularise/],
    ['what no solver has', { learningRates: 1 }, /did you mean learningRate/],
  ])('refuse %s for the trainings', async (_, options, text) => {
    const error = await compress(model, data as never, { sparsity: 0.5 }, options as never).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(text) });
  });

  test('refuse samples of another width, other classes and what is no model', async () => {
    const rules = { sparsity: 0.5 };
    const wide = { x: { data: new Float32Array(60 * 65), rows: 60, columns: 65 }, labels: new Int32Array(60) };
    await expect(compress(model, wide, rules)).rejects.toMatchObject({ code: 'ERR_DLADMM_SHAPE' });
    const strange = { x: { data: new Float32Array(60 * 64), rows: 60, columns: 64 }, labels: new Array(60).fill('z') };
    await expect(compress(model, strange as never, rules)).rejects.toMatchObject({ code: 'ERR_DLADMM_LABEL' });
    await expect(compress({} as never, wide, rules)).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
    const weights = [new Float32Array(6), new Float32Array(6)];
    const network = { layers: [2, 3, 2], activation: 'relu', loss: 'softmax-cross-entropy' } as const;
    const graph = new GraphModel({ network, dtype: 'float32', weights });
    await expect(compress(graph as never, wide, rules)).rejects.toThrow(
      /a model of samples for model but received "a model of a graph/,
    );
    // A model of another copy of the package has all that one has, and knows nothing of what is private to this one.
    const { kind, evaluate } = model;
    const other = { kind, network: model.network, evaluate };
    for (const refused of [compress(other as never, wide, rules), importance(other as never, wide)]) {
      const message = expect.stringMatching(/a model of this copy of dladmm/);
      await expect(refused).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT', message });
    }
  });

  test('refuse a diverging training', async () => {
    await expect(
      compress(model, data as never, { sparsity: 0.5 }, { solver: 'sgd', learningRate: 1e30 }),
    ).rejects.toMatchObject({
      code: 'ERR_DLADMM_NON_FINITE',
    });
  });
});

describe('structures', () => {
  const network = (layers: readonly number[]) =>
    new Model({
      network: { layers, activation: 'relu', loss: 'squared-error' },
      dtype: 'float32',
      weights: layers.slice(1).map((width, l) => new Float32Array(width * (layers[l] as number)).fill(1)),
      biases: layers.slice(1).map((width) => new Float32Array(width)),
    });
  test('that do not divide are refused', async () => {
    const blocks = compress(network([6, 8, 2]), [], { sparsity: 0.5, structure: '1x4' });
    await expect(blocks).rejects.toMatchObject({
      code: 'ERR_DLADMM_SHAPE',
      message: expect.stringMatching(/that 4 divides.*6-8-2/),
    });
    const linear = compress(network([6, 2]), [], { sparsity: 0.5, structure: 'neurons' });
    await expect(linear).rejects.toMatchObject({
      code: 'ERR_DLADMM_SHAPE',
      message: expect.stringMatching(/a hidden layer/),
    });
  });
});

describe('rows of a table', () => {
  const rows = Array.from({ length: 300 }, (_, i) => {
    const [size, kind] = [((i * 7) % 31) / 31, ['ash', 'oak', 'elm'][i % 3] as string];
    return { kind, size: i % 29 === 0 ? null : size, old: size + (i % 3) / 3 > 0.8 ? 'yes' : 'no' };
  });

  test('are answered raw, as before: with the columns, the target and the classes of the model', async () => {
    const { model } = await fit(rows, { target: 'old', hidden: [16, 8], epochs: 30 });
    const found = await compress(model, rows, { sparsity: 0.6, rounds: 1, steps: 2 });
    expect(found.judgedBy).toBe('validation');
    expect(found.model.columns).toEqual(model.columns);
    expect(found.model.classes).toEqual(model.classes);
    expect(found.model.target).toBe('old');
    expect(['yes', 'no']).toContain((await found.model.predict({ kind: 'oak', size: 0.9 })).label);
    expect(lostBy(found)).toBeLessThan(0.1);
    const others = compress(
      model,
      rows.map(({ old: _, ...rest }) => rest),
      { sparsity: 0.6 },
    );
    await expect(others).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  });

  test.each(['dladmm', 'inversion-admm', 'badm', 'gd', 'nadamw'] as const)('are compressed by %s', async (solver) => {
    const { model } = await fit(rows, { target: 'old', hidden: [16], epochs: 10, seed: 3 });
    const found = await compress(
      model,
      rows,
      { sparsity: 0.5, rounds: 1, steps: 2, stepEpochs: 2, retrain: 4 },
      { solver },
    );
    expect(zerosOf(found.model) / sizeOf(found.model)).toBeGreaterThanOrEqual(0.5);
    expect(found.history).toHaveLength(3);
  });

  test('of a store, which the model was trained from', async () => {
    const path = join(folder, 'rows.samples');
    await packSamples(path, rows, { target: 'old' });
    const { model } = await fit(path as 'rows.samples', { hidden: [8], epochs: 3 });
    const found = await compress(model, path, { sparsity: 0.5, rounds: 1, steps: 1, stepEpochs: 1, retrain: 2 });
    expect(zerosOf(found.model) / sizeOf(found.model)).toBeGreaterThanOrEqual(0.5);
  });

  test('of values, with paths that stay monotone where the rows are not', async () => {
    const table = rows.map(({ size, kind }) => {
      const x = size ?? 0;
      return { kind, size: x, price: 3 * x + 2 * Math.sin(9 * x) + (kind === 'oak' ? 1 : 0) };
    });
    const told = { target: 'price', hidden: [12], solver: 'adam', epochs: 40, monotone: { size: 1 } } as const;
    const { model } = await fit(table, told);
    const found = await compress(
      model,
      table,
      { sparsity: 0.5, rounds: 1, steps: 2, stepEpochs: 10, retrain: 60 },
      { learningRate: 0.02, monotone: { size: 1 } },
    );
    expect(zerosOf(found.model) / sizeOf(found.model)).toBeGreaterThanOrEqual(0.5);
    for (const kind of ['ash', 'oak', 'elm']) {
      const sizes = Array.from({ length: 20 }, (_, i) => ({ kind, size: i / 20 }));
      const { data } = (await found.model.predict(sizes)).outputs;
      expect([...data]).toEqual([...data].toSorted((a, b) => a - b));
    }
  });
});
