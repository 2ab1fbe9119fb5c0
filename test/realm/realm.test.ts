/** This file runs in a vm context, as tests do under jest: its arrays, errors and symbols are others than those of Node and the addon. */
import { mkdtempSync, rmSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runInNewContext, runInThisContext } from 'node:vm';
import { afterAll, describe, expect, test } from 'vitest';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { DlAdmmError, fit as learn, loadModel, Model, readCheckpoint, resume, train } from '../../src/index.js';
import { importOnnx, importStateDict } from '../../src/onnx.js';
import { SAMPLE_SOLVERS } from '../../src/solvers/index.js';

const folder = mkdtempSync(join(tmpdir(), 'dladmm-realm-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const x = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
];
const labels = [0, 1, 1, 0];
const data = { x, labels };
const options = { layers: [2, 8, 2], threads: 1, iterations: 3 } as const;

/** An array of a third realm. */
function there<T extends ArrayLike<number>>(values: T, kind = 'Float32Array'): T {
  return runInNewContext(`${kind}.of(${Array.from(values).join(', ')})`) as T;
}

test('this is a realm of its own', () => {
  expect(runInThisContext('Float32Array')).not.toBe(Float32Array);
  expect((there([1, 2]) as unknown) instanceof Float32Array).toBe(false);
});

describe('in a vm context', () => {
  test.each(SAMPLE_SOLVERS.map(({ name }) => name))(
    '%s trains, and its model predicts, is saved, and is disposed of',
    async (solver) => {
      const loss = solver === 'sigmoid-admm' ? 'squared-error' : 'softmax-cross-entropy';
      const targets = loss === 'squared-error' ? { x, y: labels.map((label) => [label, 1 - label]) } : data;
      const own = { layers: [2, 8, 2], threads: 1, dtype: 'float32', solver, loss } as Parameters<typeof learn>[1];
      const { model, status } = await learn(targets as typeof data, own);
      expect(status.kind).toBe('completed');
      expect(model.weights[0]).toBeInstanceOf(Float32Array);
      const before = await model.predict(x);
      const path = join(folder, `${solver}.safetensors`);
      await model.save(path);
      using back = (await loadModel(path)) as Model;
      expect(await back.predict(x)).toEqual(before);
      expect(back.weights).toEqual(model.weights);
    },
    120_000,
  );

  test('a training is stopped by a signal, goes on from its checkpoint, and fails by errors that are errors here', async () => {
    const controller = new AbortController();
    const checkpoint = { path: join(folder, 'checkpoint'), every: 1 };
    const training = train(data, { ...options, iterations: 50, signal: controller.signal, checkpoint });
    for await (const { iteration } of training) if (iteration === 2) controller.abort();
    expect(training.result.status.kind).toBe('aborted');
    expect((await readCheckpoint(checkpoint.path)).iteration).toBeGreaterThanOrEqual(2);
    expect((await resume(checkpoint.path, data, { iterations: 6 })).status.kind).toBe('completed');
    const refused = learn(data, { ...options, layers: [3, 2] });
    await expect(refused).rejects.toBeInstanceOf(DlAdmmError);
    await expect(refused).rejects.toBeInstanceOf(Error);
    await expect(loadModel(join(folder, 'none'))).rejects.toMatchObject({ code: 'ERR_DLADMM_FILE' });
  });
});

describe('what comes from yet another realm is taken as it is:', () => {
  test.each<[string, Parameters<typeof learn>[0]]>([
    ['samples in one array', { x: there(x.flat()), labels }],
    ['samples in rows', { x: x.map((row) => there(row, 'Float64Array')), labels }],
    ['an array of arrays', { x: runInNewContext(JSON.stringify(x)), labels: runInNewContext('[0, 1, 1, 0]') }],
    ['labels', { x, labels: there(Int32Array.from(labels), 'Int32Array') }],
    ['a matrix', { x: { data: there(Float32Array.from(x.flat())), rows: 4, columns: 2 }, labels }],
    ['records', { x: runInNewContext('[{a: 0, b: 0}, {a: 0, b: 1}, {a: 1, b: 0}, {a: 1, b: 1}]'), labels }],
    [
      'a stream',
      runInNewContext(
        '({ x: (async function* () { for (const x of [[0, 0], [0, 1], [1, 0], [1, 1]]) yield x; })(), labels: [0, 1, 1, 0] })',
      ),
    ],
  ])('%s', async (_, foreign) => {
    expect((await learn(foreign, options)).status.kind).toBe('completed');
  });

  test('parameters, standardisation, initialisation', async () => {
    const { model } = await learn(data, options);
    const parts = {
      network: model.network,
      dtype: 'float32' as const,
      weights: model.weights.map((values) => there(values)),
      biases: model.biases.map((values) => there(values)),
      standardisation: {
        mean: there(Float64Array.of(1, 2), 'Float64Array'),
        scale: there(Float64Array.of(1, 1), 'Float64Array'),
      },
    };
    using copy = new Model(parts);
    expect(copy.predictSync([1, 2]).outputs).toEqual(model.predictSync([0, 0]).outputs);
    expect((await learn(data, { ...options, initialisation: parts })).status.kind).toBe('completed');
  });

  test('the bytes of files', async () => {
    const { model } = await learn(data, options);
    const onnx = await importOnnx(there(model.toOnnx(), 'Uint8Array'));
    expect(onnx.weights).toEqual(model.weights);
    const state = encodeSafetensors(
      new Map([['0.weight', { dtype: 'F32', shape: [2, 1], data: there(Float32Array.of(1, 2)) }]]),
      {},
    );
    expect((await importStateDict(there(state, 'Uint8Array'))).network.layers).toEqual([1, 2]);
    await model.save(join(folder, 'bytes.safetensors'));
    expect((await readFile(join(folder, 'bytes.safetensors'))).length).toBeGreaterThan(100);
  });

  test('a signal, and what a callback throws', async () => {
    const signal = runInThisContext('AbortSignal.abort()') as AbortSignal;
    expect((await learn(data, { ...options, signal })).status.kind).toBe('aborted');
    const thrown: unknown = runInNewContext('new TypeError("theirs")');
    const onIteration = (): void => {
      throw thrown;
    };
    await expect(learn(data, { ...options, onIteration })).rejects.toBe(thrown);
  });
});
