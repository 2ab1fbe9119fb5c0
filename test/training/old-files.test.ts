import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, test } from 'vitest';
import type { Numbers } from '../../src/data.js';
import type { GraphSamples } from '../../src/graph.js';
import {
  fit as fitModel,
  GraphModel,
  Model,
  type Prediction,
  type ResumeOptions,
  readCheckpoint,
  resume,
  type TrainingData,
} from '../../src/index.js';
import { decodeModel, encodeModel } from '../../src/model/model-file.js';
import { importOnnx, importStateDict } from '../../src/onnx.js';
import { earlierOptions } from '../../src/solvers/shared/earlier.js';

// Files that the version before wrote (test/fixtures/before-rooms/README.md) are read by this one, and mean the same.

const FOLDER = join(import.meta.dirname, '../fixtures/before-rooms');

interface Fixtures {
  readonly samples: () => Required<Pick<TrainingData, 'x' | 'labels' | 'y'>> & { readonly labels: Int32Array };
  readonly named: () => TrainingData;
  readonly records: () => TrainingData;
  readonly graph: () => GraphSamples;
}
const { samples, named, records, graph } = (await import(join(FOLDER, 'data.mjs'))) as Fixtures;

interface KeptModel {
  readonly network: Model['network'];
  readonly dtype: 'float32' | 'float64';
  readonly onnx?: boolean;
  readonly predicts: {
    readonly outputs: readonly number[];
    readonly labels?: readonly (string | number)[];
    readonly probabilities?: readonly number[];
  };
}

interface KeptCheckpoint {
  readonly at: number;
  readonly iterations: number;
  readonly status: { readonly kind: string };
  readonly dtype: 'float32' | 'float64';
  readonly weights: readonly (readonly number[])[];
  readonly biases: readonly (readonly number[])[];
  readonly classes?: readonly string[];
}

const json = (name: string): unknown => JSON.parse(readFileSync(join(FOLDER, name), 'utf8'));
const models = json('models.json') as Record<string, KeptModel>;
const checkpoints = json('checkpoints.json') as Record<string, KeptCheckpoint>;
const scratch = mkdtempSync(join(tmpdir(), 'dladmm-old-files-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const path = (name: string): string => join(FOLDER, name);

/** Sums may be rounded in another order than then. */
const TOLERANCE = { float32: 2e-4, float64: 1e-8 } as const;

function expectNear(found: Numbers, wanted: readonly number[], dtype: keyof typeof TOLERANCE): void {
  expect(found).toHaveLength(wanted.length);
  const scale = Math.max(1, ...wanted.map(Math.abs));
  const furthest = Math.max(...wanted.map((value, i) => Math.abs(value - (found[i] ?? Number.NaN))));
  expect(furthest).toBeLessThan(TOLERANCE[dtype] * scale);
}

function expectSaid(found: Prediction, { predicts }: KeptModel, dtype: keyof typeof TOLERANCE): void {
  expectNear(found.outputs.data, predicts.outputs, dtype);
  expect(found.labels && Array.from<unknown>(found.labels)).toEqual(predicts.labels);
  expect(found.probabilities === undefined).toBe(predicts.probabilities === undefined);
  if (found.probabilities) expectNear(found.probabilities.data, predicts.probabilities ?? [], dtype);
}

const rowsOf = (name: string) => (name === 'columns' ? records().x : samples().x);
const isGraphFile = (name: string): boolean => name.startsWith('graph');

test('every file of the folder is one of those below', () => {
  const known = [
    ...Object.keys(models).map((name) => `${name}.safetensors`),
    ...Object.entries(models).flatMap(([name, { onnx }]) => (onnx ? [`${name}.onnx`] : [])),
    ...Object.keys(checkpoints).map((name) => `${name}.checkpoint`),
    'state-dict.safetensors',
  ];
  const files = readdirSync(FOLDER).filter((name) => !/\.(?:mjs|md|json)$/.test(name));
  expect(files.sort()).toEqual(known.sort());
});

describe('models', () => {
  test.each(Object.entries(models).filter(([name]) => !isGraphFile(name)))('%s', async (name, kept) => {
    const model = await Model.load(path(`${name}.safetensors`));
    expect(model.network).toEqual(kept.network);
    expect(model.dtype).toBe(kept.dtype);
    expectSaid(await model.predict(rowsOf(name)), kept, kept.dtype);
  });

  test.each(Object.entries(models).filter(([name]) => isGraphFile(name)))('%s', async (name, kept) => {
    const model = await GraphModel.load(path(`${name}.safetensors`));
    expect(model.network).toEqual(kept.network);
    expectSaid(await model.predict(graph()), kept, kept.dtype);
  });

  test.each(Object.entries(models).filter(([, { onnx }]) => onnx))('%s as ONNX', async (name, kept) => {
    const model = await importOnnx(path(`${name}.onnx`));
    expect(model.network.layers).toEqual(kept.network.layers);
    expect(model.network.loss).toBe(kept.network.loss);
    expectSaid(await model.predict(rowsOf(name)), kept, 'float32');
  });

  it('as a state dict', async () => {
    const model = await importStateDict(path('state-dict.safetensors'));
    expect(model.network.layers).toEqual([4, 5, 3]);
    const { accuracy } = await model.evaluate({ x: samples().x, labels: samples().labels });
    expect(accuracy).toBeGreaterThan(0.9);
  });

  test.each(Object.keys(models))('%s is written to the same bytes', (name) => {
    const bytes = readFileSync(path(`${name}.safetensors`));
    expect(Buffer.from(encodeModel(decodeModel(bytes, name))).equals(bytes)).toBe(true);
  });

  it('may be trained further', async () => {
    const initialisation = await Model.load(path('named-standardised.safetensors'));
    const further = { layers: [4, 5, 3], solver: 'adam', epochs: 1, initialisation } as const;
    expect((await fitModel(named(), further)).model.classes).toEqual(['ash', 'beech', 'cedar']);
  });
});

describe('the options of a checkpoint', () => {
  test.each([
    [{ solver: 'minibatch-admm', damping: 2 }, { relativeDamping: 2 }],
    [
      { solver: 'variable-metric-admm', damping: 30, outputDamping: 1 },
      { relativeDamping: 30, outputDamping: 1 },
    ],
    [{ solver: 'kfac', damping: 3 }, { damping: 3 }],
    [{ solver: 'sigmoid-admm', initialisation: 'msra' }, { initialisation: { scheme: 'msra', gain: 8 } }],
    [{ solver: 'sigmoid-admm', initialisation: 'xavier' }, { initialisation: { scheme: 'glorot', gain: 8 } }],
    [
      { solver: 'adam', initialisation: { scheme: 'xavier', gain: 2 } },
      { initialisation: { scheme: 'glorot', gain: 2 } },
    ],
    [{ solver: 'adam', initialisation: 'glorot' }, { initialisation: 'glorot' }],
  ])('%o are in the words of today', (options, said) => {
    const { solver } = options;
    const [second, third, fourth] =
      solver === 'minibatch-admm'
        ? [{ polyak: 0, biasCorrection: false, trustRegion: 3e-3 }, { factors: 'input' }, { trustRegion: 0.05 }]
        : [{}, {}, {}];
    for (const format of [1, 2]) {
      expect(earlierOptions(options, format)).toEqual({ solver, ...second, ...third, ...said });
    }
    expect(earlierOptions(options, 3)).toEqual({ solver, ...third, ...fourth, ...said });
    expect(earlierOptions(options, 4)).toEqual({ solver, ...fourth, ...said });
    expect(earlierOptions(options, 5)).toEqual({ solver, ...said });
  });

  test.each(['toString', 'constructor', '__proto__', 'hasOwnProperty'])(
    '%s is no solver and no option that had another name',
    (name) => {
      const options = { solver: name, [name]: 1 };
      for (const format of [1, 2, 5]) expect(earlierOptions(options, format)).toEqual(options);
    },
  );

  test.each([
    ['fista', { kind: 'fista', curvature: 0.25 }],
    [
      { kind: 'fista', curvature: 2, limit: 50 },
      { kind: 'fista', curvature: 0.5, limit: 50 },
    ],
    // 1/(1/0.9) is not 0.9 in binary.
    [
      { kind: 'fista', curvature: 0.9 },
      { kind: 'fista', $step: 0.9 },
    ],
    ['exact', 'exact'],
    [undefined, undefined],
  ])('of dlADMM had the step of FISTA as its curvature: %o', (outputSolver, said) => {
    const options = { solver: 'dladmm', outputSolver };
    for (const format of [2, 3, 4, 5])
      expect(earlierOptions(options, format)).toEqual({ ...options, outputSolver: said });
    expect(earlierOptions(options, 6)).toEqual(options);
  });

  test('of the first format had it under its own name', () => {
    const options = { solver: 'dladmm', outputSolver: { solver: 'fista', step: 2 } };
    expect(earlierOptions(options, 1)).toEqual({ solver: 'dladmm', outputSolver: { kind: 'fista', curvature: 0.5 } });
  });

  test.each(['reference', 'published'])('of dlADMM had a schedule that lowered penalties: %s', (kind) => {
    for (const schedule of [kind, { kind, cap: 2 }]) {
      const options = { solver: 'dladmm', schedule };
      const said = { ...(typeof schedule === 'string' ? { kind } : schedule), $lowers: true };
      expect(earlierOptions(options, 5)).toEqual({ solver: 'dladmm', schedule: said });
      expect(earlierOptions(options, 6)).toEqual(options);
    }
  });

  test('of mini-batch dlADMM on counts had no bound', () => {
    const options = { solver: 'minibatch-admm', loss: 'poisson', polyak: 4 };
    expect(earlierOptions(options, 4)).toEqual({ ...options, trustRegion: 0.05, polyak: 0 });
    expect(earlierOptions(options, 5)).toEqual(options);
    expect(earlierOptions({ ...options, loss: 'huber' }, 4)).toHaveProperty('polyak', 4);
  });
});

describe('checkpoints', () => {
  const classes = { x: samples().x, labels: samples().labels };
  const values = { x: samples().x, y: samples().y };
  const dataOf = (name: string): TrainingData => {
    if (name.endsWith('-early')) return named();
    return name === 'dladmm-paper' || name === 'sigmoid-options' ? values : classes;
  };
  // What a checkpoint cannot keep.
  const again: Readonly<Record<string, ResumeOptions>> = {
    'adam-function': { learningRate: ({ epoch }) => 0.1 / epoch },
    'dladmm-function': { schedule: ({ iteration }) => ({ rho: iteration % 2 === 0 ? 0.2 : 0.1 }) },
  };

  test.each(Object.entries(checkpoints))('%s goes on to where it went', async (name, kept) => {
    const file = path(`${name}.checkpoint`);
    expect(await readCheckpoint(file)).toMatchObject({ iteration: kept.at, dtype: kept.dtype });
    // The kernels of this processor may be others; and the file stays as it is.
    const options = { ...again[name], inexact: true, checkpoint: { path: join(scratch, name), every: 1000 } };
    const { model, status, iterations } = await resume(file, dataOf(name), options);
    expect({ iterations, status }).toEqual({ iterations: kept.iterations, status: kept.status });
    expect(model.classes).toEqual(kept.classes);
    for (const [i, wanted] of kept.weights.entries()) expectNear(model.weights[i] as Numbers, wanted, kept.dtype);
    for (const [i, wanted] of kept.biases.entries()) expectNear(model.biases[i] as Numbers, wanted, kept.dtype);
  });
});
