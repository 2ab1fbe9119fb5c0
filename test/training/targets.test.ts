import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { type Activation, fit as fitModel, Model, resume, type TrainOptions } from '../../src/index.js';
import { importOnnx } from '../../src/onnx.js';
import { SAMPLE_SOLVERS } from '../../src/solvers/index.js';
import { runtime } from '../model/onnx/support.js';

const scratch = mkdtempSync(join(tmpdir(), 'dladmm-targets-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

const ROWS = 200;
const X = Array.from({ length: ROWS }, (_, i) => [Math.sin(i), Math.cos(3 * i), Math.sin(7 * i + 1)]);
/** Prices: a mean of 400,000 and a deviation of some 60,000. */
const prices = X.map(([a = 0, b = 0, c = 0]) => 400_000 + 80_000 * a - 20_000 * b + 5000 * c);
const least = { layers: [3, 16, 1], loss: 'squared-error', threads: 1, seed: 3 } as const;

const r2 = (outputs: ArrayLike<number>, y: readonly number[]): number => {
  const mean = y.reduce((sum, value) => sum + value) / y.length;
  const of = (each: (value: number, i: number) => number) => y.reduce((sum, value, i) => sum + each(value, i) ** 2, 0);
  return 1 - of((value, i) => value - (outputs[i] as number)) / of((value) => value - mean);
};

/** Few iterations that bring each solver somewhere. */
const SETTINGS: Readonly<Record<string, object>> = {
  dladmm: { iterations: 60, nu: 1, rho: 1 },
  'inversion-admm': { iterations: 30 },
  'sigmoid-admm': { iterations: 60 },
  'minibatch-admm': { epochs: 20, batchSize: 32 },
  'variable-metric-admm': { iterations: 60 },
  gd: { epochs: 200, learningRate: 0.3 },
  sgd: { epochs: 60, learningRate: 0.1, batchSize: 32 },
  adagrad: { epochs: 60, learningRate: 0.1, batchSize: 32 },
  adadelta: { epochs: 100, batchSize: 32 },
  adam: { epochs: 60, learningRate: 0.01, batchSize: 32 },
  nadamw: { epochs: 60, learningRate: 0.01, batchSize: 32 },
  'schedule-free': { epochs: 60, learningRate: 0.01, batchSize: 32 },
  muon: { epochs: 60, batchSize: 32, adamShare: 0.5 },
  soap: { epochs: 60, learningRate: 0.01, batchSize: 32 },
  kfac: { epochs: 100, batchSize: 128, damping: 3 },
  isaac: { epochs: 60, learningRate: 0.1, batchSize: 32 },
  badm: { epochs: 40, batchSize: 32 },
  sisa: { epochs: 40, batchSize: 32 },
};

describe('targets of a regression are standardised by every solver', () => {
  test.each(SAMPLE_SOLVERS.map(({ name }) => name))('%s', async (solver) => {
    const options = { ...least, solver, ...SETTINGS[solver] } as unknown as TrainOptions;
    const data = { x: X, y: prices, test: { x: X, y: prices } };
    const { model, history, status } = await fitModel(data, options as never);
    expect(status.kind).toBe('completed');
    const { outputs } = await model.predict(X);
    expect(r2(outputs.data, prices)).toBeGreaterThan(0.9);
    // Every answer and every metric is in the units of the targets.
    expect([...model.predictSync(X).outputs.data]).toEqual([...outputs.data]);
    const loss = prices.reduce((sum, y, i) => sum + (y - (outputs.data[i] as number)) ** 2 / 2, 0) / ROWS;
    expect((await model.evaluate({ x: X, y: prices })).loss / loss).toBeCloseTo(1, 10);
    expect((history.at(-1)?.test?.loss ?? 0) / loss).toBeCloseTo(1, 3);
    model.close();
  });
});

describe('what was learnt of targets', () => {
  const adam = { ...least, solver: 'adam', epochs: 4, batchSize: 32 } as const;

  test('is kept in the model, in its file and in what ONNX says', async () => {
    const { model } = await fitModel({ x: X, y: prices }, adam);
    expect(model.targetStandardisation?.mean[0]).toBeCloseTo(400_000, -4);
    const path = join(scratch, 'model.safetensors');
    await model.save(path);
    const loaded = await Model.load(path);
    const wanted = (await model.predict(X)).outputs.data;
    expect((await loaded.predict(X)).outputs.data).toEqual(wanted);
    const bytes = model.toOnnx();
    const said = await runtime(bytes, Float32Array.from(X.flat()), 3);
    said.data.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1);
    });
    const again = (await (await importOnnx(bytes)).predict(X)).outputs.data;
    again.forEach((value, i) => {
      expect(Math.abs(value - (wanted[i] as number))).toBeLessThan(1);
    });
  });

  test('lets targets keep digits that float32 has not', async () => {
    const noon = 1_766_000_000;
    const times = X.map(([a = 0]) => noon + 40 * a);
    const { model } = await fitModel({ x: X, y: times }, { ...adam, epochs: 60, learningRate: 0.02 });
    const { data } = (await model.predict(X)).outputs;
    expect(Math.max(...times.map((time, i) => Math.abs(time - (data[i] as number))))).toBeLessThan(8);
    const arriving = fitModel({ x: (async function* () { for (const [i, x] of X.entries()) yield { x, y: times[i] as number }; })() }, { ...adam, epochs: 60, learningRate: 0.02 }); // biome-ignore format: one line
    expect((await (await arriving).model.predict(X)).outputs.data).toEqual(data);
  });

  test('is told of each of several targets in its own units', async () => {
    const y = X.map(([a = 0, b = 0]) => [1e6 + 2e5 * a, 3 + 0.01 * b]);
    const set = { x: X, y };
    const { model, history } = await fitModel(
      { ...set, validation: set },
      { ...adam, layers: [3, 16, 2], epochs: 60, learningRate: 0.02, trainMetrics: true },
    );
    const { data } = (await model.predict(X)).outputs;
    for (const j of [0, 1]) {
      expect(
        r2(
          data.filter((_, i) => i % 2 === j),
          y.map((row) => row[j] as number),
        ),
      ).toBeGreaterThan(0.95);
    }
    const loss = y.flat().reduce((sum, value, i) => sum + (value - (data[i] as number)) ** 2 / 2, 0) / ROWS;
    for (const found of [history.at(-1)?.validation, history.at(-1)?.train, await model.evaluate(set)]) {
      expect((found?.loss ?? 0) / loss).toBeCloseTo(1, 10);
    }
  });

  test('leaves a target alone that never varies', async () => {
    const { model } = await fitModel({ x: X, y: X.map(() => 7) }, { ...adam, epochs: 200, learningRate: 0.01 });
    expect(model.targetStandardisation?.mean[0]).toBeCloseTo(7, 10);
    expect(model.targetStandardisation?.scale).toEqual(Float64Array.of(1));
    expect((await model.predict(X)).outputs.data[0]).toBeCloseTo(7, 1);
  });

  test('is not learnt where nobody wants it, nor of classes', async () => {
    const { model } = await fitModel({ x: X, y: prices }, { ...adam, standardiseTargets: false });
    expect(model.targetStandardisation).toBeUndefined();
    const labelled = await fitModel(
      { x: X, labels: X.map((_, i) => i % 2) },
      { layers: [3, 2], iterations: 1, threads: 1 },
    );
    expect(labelled.model.targetStandardisation).toBeUndefined();
  });

  test('is refused where it is not finite, by row', async () => {
    const bad = prices.with(5, Number.NaN);
    await expect(fitModel({ x: X, y: bad }, adam)).rejects.toMatchObject({
      code: 'ERR_DLADMM_NON_FINITE',
      message: expect.stringMatching(/data\.y .*row 5/),
    });
    await expect(fitModel({ x: X, y: prices.slice(1) }, adam)).rejects.toMatchObject({ code: 'ERR_DLADMM_SHAPE' });
  });

  test('is where a training goes on from by the same activation alone', async () => {
    const { model } = await fitModel({ x: X, y: prices }, { ...adam, activation: { leakyRelu: 0.2 }, epochs: 1 });
    const next = (activation: Activation, initialisation: object = model) =>
      fitModel({ x: X, y: prices }, { ...adam, activation, epochs: 1, initialisation } as never);
    for (const other of ['relu', { leakyRelu: 0.1 }, { elu: 0.2 }] as const) {
      await expect(next(other)).rejects.toMatchObject({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringMatching(/activation: {"leakyRelu":0.2}, that of the model in initialisation/),
      });
    }
    const { weights, biases } = model;
    await next('relu', { weights, biases });
    await next({ leakyRelu: 0.2 });
    // 'relu' has another name.
    const { model: plain } = await fitModel({ x: X, y: prices }, { ...adam, activation: { leakyRelu: 0 }, epochs: 1 });
    await next('relu', plain);
    // Where nothing is hidden there is no activation.
    const flat = { ...adam, layers: [adam.layers[0], 1] } as never;
    const { model: linear } = await fitModel({ x: X, y: prices }, { ...(flat as object), activation: 'tanh' } as never);
    await fitModel({ x: X, y: prices }, { ...(flat as object), initialisation: linear } as never);
  });

  test('is where a training goes on from, whatever the new targets are', async () => {
    const options = { ...adam, dtype: 'float64' } as const;
    const { model } = await fitModel(
      { x: X, y: prices },
      { ...options, epochs: 30, learningRate: 0.02, standardise: true },
    );
    const wanted = (await model.predict(X)).outputs.data;
    for (const rest of [{}, { standardiseTargets: false }, { standardise: true }]) {
      const still = { ...options, solver: 'sgd', epochs: 1, learningRate: 0, initialisation: model, ...rest } as const;
      const { model: next } = await fitModel({ x: X, y: prices.map((value) => value / 2 + 9) }, still);
      (await next.predict(X)).outputs.data.forEach((value, i) => {
        expect(value / (wanted[i] as number)).toBeCloseTo(1, 10);
      });
    }
  });
});

describe('a checkpoint', () => {
  test('goes on to the same numbers, bit for bit', async () => {
    const options = { ...least, solver: 'adam', batchSize: 32 } as const;
    const path = join(scratch, 'run.checkpoint');
    const data = { x: X, y: prices };
    await fitModel(data, { ...options, epochs: 3, checkpoint: { path, every: 3 } });
    const resumed = await resume(path, data, { epochs: 6 });
    const { model } = await fitModel(data, { ...options, epochs: 6 });
    expect(resumed.model.weights).toEqual(model.weights);
    expect(resumed.model.targetStandardisation).toEqual(model.targetStandardisation);
    // Other targets of the same standardised values are other targets.
    const others = { x: X, y: prices.map((value) => 2 * value) };
    await expect(resume(path, others, { epochs: 6 })).rejects.toMatchObject({ code: 'ERR_DLADMM_CHECKPOINT' });
  });

  test('and a model of the version before take targets as they are', async () => {
    const folder = join(import.meta.dirname, '../fixtures/before-targets');
    const { data } = (await import(join(folder, 'data.mjs'))) as { data: { x: number[][]; y: number[][] } };
    const said = JSON.parse(readFileSync(join(folder, 'adam.json'), 'utf8')) as { outputs: number[]; loss: number };
    const model = await Model.load(join(folder, 'adam.safetensors'));
    const path = join(scratch, 'before.checkpoint');
    copyFileSync(join(folder, 'adam.checkpoint'), path);
    const resumed = await resume(path, data, { epochs: 6, inexact: true });
    for (const each of [model, resumed.model]) {
      expect(each.targetStandardisation).toBeUndefined();
      expect((await each.evaluate(data)).loss / said.loss).toBeCloseTo(1, 10);
      (await each.predict(data.x)).outputs.data.forEach((value, i) => {
        expect(value).toBeCloseTo(said.outputs[i] as number, 9);
      });
    }
  });
});
