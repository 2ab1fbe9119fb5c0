import { describe, expect, test } from 'vitest';
import { loadDataset } from '../../../src/data.js';
import { fit as fitModel, type TrainingData, train } from '../../../src/index.js';
import type { EpochRecord, GradientOptions } from '../../../src/solvers.js';
import { expectFailure } from '../../formats/support.js';
import { sgd, trainPlainly } from '../../reference/gradient.js';
import { forAddon, places, samplesFor } from '../../reference/gradient-addon.js';

const LAYERS = [6, 9, 3] as const;
const NETWORK = { layers: LAYERS, activation: 'relu', loss: 'softmax-cross-entropy' } as const;
const SAMPLES = samplesFor(NETWORK, 90);
const DATA = forAddon(SAMPLES);
const OPTIONS: GradientOptions = { solver: 'adam', layers: LAYERS, epochs: 5, batchSize: 16, threads: 2 };

const SOLVERS: readonly GradientOptions[] = [
  { ...OPTIONS, solver: 'sgd', learningRate: 0.1, momentum: 0.9 },
  { ...OPTIONS, solver: 'adagrad', learningRate: 0.05 },
  { ...OPTIONS, solver: 'adadelta' },
  { ...OPTIONS, solver: 'adam', learningRate: 0.01 },
  { ...OPTIONS, solver: 'nadamw', learningRate: 0.01 },
  { ...OPTIONS, solver: 'schedule-free', learningRate: 0.01 },
  { ...OPTIONS, solver: 'muon', adamShare: 0.5 },
  { ...OPTIONS, solver: 'soap' },
  { ...OPTIONS, solver: 'kfac', batchSize: 128, damping: 30 },
  { ...OPTIONS, solver: 'isaac', learningRate: 0.3 },
  { ...OPTIONS, solver: 'badm', sigma: 5, rho: 50 },
  { ...OPTIONS, solver: 'sisa' },
  { solver: 'gd', layers: LAYERS, learningRate: 0.5 },
];

describe('train', () => {
  test('yields a record an epoch, with what the solver does and how the sets fare', async () => {
    const data: TrainingData = { ...DATA, validation: DATA, test: forAddon(samplesFor(NETWORK, 20, 5)) };
    const training = train(data, { ...OPTIONS, trainMetrics: true, evaluateEvery: 2 });
    const records: EpochRecord[] = [];
    for await (const record of training) {
      records.push(record);
      expect((await training.read('W', 2)).data.length).toBe(27);
    }
    expect(records.map(({ iteration, steps }) => [iteration, steps])).toEqual([1, 2, 3, 4, 5].map((i) => [i, 6]));
    for (const { loss, seconds, elapsed } of records) {
      expect(loss).toBeGreaterThan(0);
      expect(elapsed).toBeGreaterThanOrEqual(seconds);
    }
    expect(records.map(({ test: metrics }) => metrics !== undefined)).toEqual([false, true, false, true, true]);
    expect(records[3]?.validation).toEqual(records[3]?.train);
    const { model, status, iterations, history } = training.result;
    expect(status).toEqual({ kind: 'completed' });
    expect(iterations).toBe(5);
    expect(history).toEqual(records);
    expect((await model.evaluate(DATA)).loss).toBeCloseTo(records[4]?.train?.loss ?? Number.NaN, 6);
    model.close();
  });

  test('trains as the plain program does, from the parameters given', async () => {
    const start = Float64Array.from({ length: 93 }, (_, i) => Math.sin(i) / 2);
    const blocks = (block: 'W' | 'b') =>
      [...places(NETWORK)]
        .filter((place) => place.block === block)
        .map(({ first, count }) => start.slice(first, first + count));
    const { model } = await fitModel(DATA, {
      solver: 'sgd',
      layers: LAYERS,
      learningRate: ({ epoch }) => 0.1 / epoch,
      epochs: 4,
      batchSize: 16,
      dtype: 'float64',
      seed: 11,
      initialisation: { weights: blocks('W'), biases: blocks('b') },
    });
    const rate = (t: number): number => 0.1 / Math.ceil(t / 6);
    const plain = trainPlainly(NETWORK, SAMPLES, start, { batchSize: 16, seed: 11 }, sgd({}), rate);
    let w: Float64Array = start;
    for (let t = 1; t <= 24; t++) w = plain.next().value.w;
    for (const { block, layer, first, count } of places(NETWORK)) {
      const trained = (block === 'W' ? model.weights : model.biases)[layer - 1] as Float64Array;
      for (let j = 0; j < count; j++) expect(trained[j]).toBeCloseTo(w[first + j] as number, 12);
    }
    model.close();
  });

  test('lets the learning rate rise over a share of all steps, and fall along half a wave', async () => {
    const asked = { ...OPTIONS, dtype: 'float64', learningRate: 0.02 } as const;
    const trained = async (options: object) => {
      const { model } = await fitModel(DATA, { ...asked, ...options } as GradientOptions);
      return model.weights;
    };
    // 30 steps.
    const wave = (gone: number): number => 0.01 * (1 + Math.cos(Math.PI * gone));
    const own = (rate: (step: number) => number) => ({
      learningRate: ({ step }: { readonly step: number }) => rate(step),
    });
    expect(await trained({ learningRateSchedule: 'cosine' })).toEqual(await trained(own((t) => wave((t - 1) / 30))));
    expect(await trained({ learningRateSchedule: 'cosine', warmUp: 0.2 })).toEqual(
      await trained(own((t) => (t <= 6 ? (0.02 * t) / 6 : wave((t - 7) / 24)))),
    );
    expect(await trained({ warmUp: 0.1 })).toEqual(await trained(own((t) => (t < 3 ? (0.02 * t) / 3 : 0.02))));
    expect(await trained({ warmUp: 0.1, ...own(() => 0.02) })).toEqual(await trained({ warmUp: 0.1 }));
    expect(await trained({})).not.toEqual(await trained({ warmUp: 0.1 }));
  });

  test.each(SOLVERS)('learns the digits: %o', async (options) => {
    const digits = await loadDataset('digits');
    if (digits.task !== 'classification') throw new Error('digits are classes');
    const layers = [digits.train.x.columns, 32, 10];
    const epochs = options.solver === 'gd' ? 300 : 15;
    const { x, labels } = digits.train;
    const { model, status } = await fitModel({ x, labels }, { ...options, layers, epochs });
    expect(status.kind).toBe('completed');
    expect((await model.evaluate({ x, labels })).accuracy).toBeGreaterThan(0.9);
    model.close();
  });

  test('is the same, bit for bit, for the same seed and number of threads', async () => {
    for (const options of SOLVERS) {
      const one = await fitModel(DATA, options);
      const other = await fitModel(DATA, options);
      expect(other.model.weights).toEqual(one.model.weights);
      expect(other.history.map(({ loss }) => loss)).toEqual(one.history.map(({ loss }) => loss));
    }
  });

  test('stops early, and keeps the model of the best epoch', async () => {
    const options: GradientOptions = { ...OPTIONS, epochs: 500, earlyStopping: { patience: 3 } };
    const validation = forAddon(samplesFor(NETWORK, 40, 8));
    const { model, status, history } = await fitModel({ ...DATA, validation }, options);
    expect(status.kind).toBe('early-stopped');
    const best = status.kind === 'early-stopped' ? status.bestIteration : 0;
    expect(history.length).toBe(best + 3);
    const { accuracy, loss } = await model.evaluate(validation);
    expect(accuracy).toBe(history[best - 1]?.validation?.accuracy);
    expect(loss).toBeCloseTo(history[best - 1]?.validation?.loss ?? Number.NaN, 6);
    model.close();
  });

  test('stops on a signal in the middle of an epoch, with a usable model', async () => {
    const controller = new AbortController();
    const options: GradientOptions = { ...OPTIONS, epochs: 1e9, batchSize: 1, signal: controller.signal };
    setTimeout(() => controller.abort(), 20);
    const { model, status } = await fitModel(DATA, options);
    expect(status).toEqual({ kind: 'aborted' });
    expect((await model.predict(DATA.x)).outputs.data.every(Number.isFinite)).toBe(true);
    model.close();
  });

  test('tells of a divergence, and keeps the last finite model', async () => {
    const options: GradientOptions = { ...OPTIONS, solver: 'sgd', learningRate: 1e25 };
    const { model, status, iterations } = await fitModel(DATA, options);
    expect(status).toEqual({ kind: 'diverged', iteration: iterations + 1 });
    expect([...model.weights, ...model.biases].every((block) => block.every(Number.isFinite))).toBe(true);
    model.close();
  });

  test.each([
    [{ epochs: 0 }, 'ERR_DLADMM_RANGE', /epochs/],
    [{ iterations: 3 }, 'ERR_DLADMM_ARGUMENT', /iterations/],
    [{ batchSize: 0 }, 'ERR_DLADMM_RANGE', /batchSize/],
    [{ solver: 'badm', subBatches: 3 }, 'ERR_DLADMM_SHAPE', /subBatches/],
    [{ solver: 'badm', sigma: 0 }, 'ERR_DLADMM_RANGE', /for sigma/],
    [{ solver: 'sisa', rho: -1 }, 'ERR_DLADMM_RANGE', /for rho/],
    [{ solver: 'sisa', momentum: 0.5 }, 'ERR_DLADMM_ARGUMENT', /momentum/],
    [{ solver: 'schedule-free', beta1: 0 }, 'ERR_DLADMM_RANGE', /above 0 for beta1/],
    [{ solver: 'muon', newtonSchulz: 101 }, 'ERR_DLADMM_RANGE', /newtonSchulz/],
    [{ solver: 'soap', basisEvery: 0 }, 'ERR_DLADMM_RANGE', /basisEvery/],
    [{ solver: 'kfac', dampingDecay: 0 }, 'ERR_DLADMM_RANGE', /above 0 for dampingDecay/],
    [{ solver: 'kfac', learningRate: 0.1 }, 'ERR_DLADMM_ARGUMENT', /learningRate/],
    [{ solver: 'isaac', damping: 0 }, 'ERR_DLADMM_RANGE', /for damping/],
    [{ solver: 'nadamw', warmUp: 1 }, 'ERR_DLADMM_RANGE', /warmUp/],
    [
      { solver: 'nadamw', learningRate: () => 1, learningRateSchedule: 'cosine' },
      'ERR_DLADMM_ARGUMENT',
      /learningRateSchedule/,
    ],
    [{ solver: 'adam', nu: 1 }, 'ERR_DLADMM_ARGUMENT', /nu/],
    [{ solver: 'adam', learningRate: Number.NaN }, 'ERR_DLADMM_RANGE', /for learningRate/],
    [{ solver: 'gd', batchSize: 16 }, 'ERR_DLADMM_RANGE', /batchSize/],
    [{ solver: 'rprop' }, 'ERR_DLADMM_ARGUMENT', /solver/],
    [{ shuffle: 'no' }, 'ERR_DLADMM_ARGUMENT', /shuffle/],
    [{ reduction: 'none' }, 'ERR_DLADMM_ARGUMENT', /reduction/],
    [{ initialisation: 'xavier' }, 'ERR_DLADMM_ARGUMENT', /initialisation/],
  ] as const)('refuses %o', async (options, code, part) => {
    await expectFailure(() => fitModel(DATA, { ...OPTIONS, ...options } as never), code, part);
  });
});
