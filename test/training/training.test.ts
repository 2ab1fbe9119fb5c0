import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { loadDataset } from '../../src/data.js';
import { type FitResult, fit as fitModel, type Matrix, Model, train } from '../../src/index.js';
import { dladmm } from '../../src/solvers/dladmm/solver.js';
import { completePlan } from '../../src/solvers/shared/descriptor.js';
import { type DladmmOptions, dladmmSweep, type IterationRecord, type Penalties, u } from '../../src/solvers.js';
import { numbers, random } from '../reference/addon.js';
import { at, entry, type Matrix64, map, matrix, minus, row, squaredNorm, transposedTimes } from '../reference/dense.js';
import { accuracyOf, forward, lossGradient, lossOf, softmaxRows, type Target } from '../reference/layered.js';

/** Three noisy rays from the origin, one a class. */
function rays(seed: number, samples: number) {
  const next = numbers(seed);
  const labels = Int32Array.from({ length: samples }, (_, i) => i % 3);
  const x = matrix(samples, 2, (i, j) => {
    const angle = (2 * Math.PI * (labels[i] ?? 0)) / 3;
    return (1 + (i % 7) / 4) * (j === 0 ? Math.cos(angle) : Math.sin(angle)) + 0.9 * next();
  });
  return { x, labels };
}

/** Every setting whose default a study may change, so that these tests do not depend on it. */
const OPTIONS: DladmmOptions = {
  layers: [2, 8, 3],
  iterations: 30,
  nu: 1,
  rho: 1,
  theta0: 1,
  tau0: 1,
  stepSearch: 'exact',
  schedule: 'constant',
  initialisation: 'he',
  threads: 2,
  dtype: 'float64',
};
const train90 = rays(1, 90);

const sumOf = (data: Matrix['data'], of: (value: number) => number): number =>
  Array.from(data).reduce((sum, value) => sum + of(value), 0);

/** Columns with mean 0 and standard deviation 1 on the training part. */
function standardised<S extends { readonly x: Matrix }>(fitted: S, others: readonly S[]): S[] {
  const { data, rows, columns } = fitted.x;
  const mean = new Float64Array(columns);
  const variance = new Float64Array(columns);
  data.forEach((value, i) => {
    mean[i % columns] = (mean[i % columns] ?? 0) + value / rows;
  });
  data.forEach((value, i) => {
    variance[i % columns] = (variance[i % columns] ?? 0) + (value - (mean[i % columns] ?? 0)) ** 2 / rows;
  });
  return [fitted, ...others].map((split) => ({
    ...split,
    x: {
      ...split.x,
      data: Float64Array.from(
        split.x.data,
        (value, i) => (value - (mean[i % columns] ?? 0)) / (Math.sqrt(variance[i % columns] ?? 0) || 1),
      ),
    },
  }));
}

describe('the quality', () => {
  test.each([
    ['iris', [4, 16, 3], 0.93],
    ['digits', [64, 48, 10], 0.85],
  ] as const)('on %s is that of a network that has learned', async (name, layers, least) => {
    const dataset = await loadDataset(name);
    if (dataset.task !== 'classification') throw new Error(`${name} is for classification`);
    const [training, held] = standardised(dataset.train, [dataset.test]);
    if (training === undefined || held === undefined) throw new Error('two parts are needed');
    for (const dtype of ['float32', 'float64'] as const) {
      const options: DladmmOptions = { ...OPTIONS, layers, dtype, iterations: 120, classes: dataset.classes };
      const { model, status } = await fitModel(training, options);
      expect(status.kind).toBe('completed');
      const { accuracy, loss } = await model.evaluate(held);
      expect(accuracy).toBeGreaterThanOrEqual(least);
      expect(loss).toBeLessThan(Math.log(dataset.classes.length) / 2);
      expect(model.classes).toEqual(dataset.classes);
    }
  });

  test('on diabetes is far better than the mean, on both parts', async () => {
    const dataset = await loadDataset('diabetes');
    if (dataset.task !== 'regression') throw new Error('diabetes is for regression');
    const mean = sumOf(dataset.train.y.data, (value) => value) / dataset.train.y.rows;
    const options = { layers: [10, 8, 1], loss: 'squared-error', standardise: true, dtype: 'float64' } as const;
    const { model } = await fitModel(dataset.train, { ...options, iterations: 30, nu: 1, rho: 2, threads: 2 });
    const ofMean = (y: Matrix) => sumOf(y.data, (value) => (value - mean) ** 2 / 2) / y.rows;
    const loss = async (part: typeof dataset.train) => (await model.evaluate(part)).loss / ofMean(part.y);
    expect(await loss(dataset.train)).toBeLessThan(0.55);
    expect(await loss(dataset.test)).toBeLessThan(0.55);
  });

  test.each([
    'relu',
    'identity',
    { leakyRelu: 0.01 },
    { leakyRelu: 0.5 },
    { leakyRelu: -0.3 },
    { leakyRelu: 2 },
  ] as const)('does not hang on the activation: %o', async (activation) => {
    const { history, model } = await fitModel(train90, { ...OPTIONS, activation, iterations: 80 });
    expect((await model.evaluate(rays(2, 300))).accuracy).toBeGreaterThan(0.85);
    expect(history.at(-1)?.lagrangian).toBeLessThan(history.at(0)?.lagrangian ?? Number.NaN);
  });
});

describe('a network of one layer', () => {
  test('finds the least squares', async () => {
    const x = random(3, 60, 4);
    const y = random(4, 60, 2);
    const { model } = await fitModel(
      { x, y },
      { ...OPTIONS, layers: [4, 2], loss: 'squared-error', iterations: 3000, rho: 2 },
    );
    const residual = minus((await model.predict(x)).outputs as Matrix64, y);
    // The normal equations, for the weights and for the bias.
    expect(Math.sqrt(squaredNorm(transposedTimes(x, residual)))).toBeLessThan(1e-6);
    expect(
      Math.sqrt(
        squaredNorm(
          transposedTimes(
            matrix(60, 1, () => 1),
            residual,
          ),
        ),
      ),
    ).toBeLessThan(1e-6);
  });

  test('finds where the gradient of the cross-entropy vanishes', async () => {
    const { x, labels } = rays(5, 60);
    const { model } = await fitModel({ x, labels }, { ...OPTIONS, layers: [2, 3], iterations: 4000, l2: 0.5 });
    const { outputs } = await model.predict(x);
    const gradient = lossGradient(outputs as Matrix64, { loss: 'cross-entropy', labels, softmax: 'stable' });
    const ofW = map(transposedTimes(gradient, x), (g, i, j) => g + 0.5 * (model.weights[0]?.[2 * i + j] ?? Number.NaN));
    expect(Math.sqrt(squaredNorm(ofW))).toBeLessThan(1e-6);
  });
});

describe('the records', () => {
  test('have all that was asked for, and tell the same as the model does', async () => {
    const validation = rays(6, 40);
    const tested = rays(7, 50);
    const { history, model, iterations, status } = await fitModel(
      { ...train90, validation, test: tested },
      { ...OPTIONS, iterations: 7, evaluateEvery: 3, trainMetrics: true },
    );
    expect(status).toEqual({ kind: 'completed' });
    expect(iterations).toBe(7);
    expect(history.map(({ iteration }) => iteration)).toEqual([1, 2, 3, 4, 5, 6, 7]);
    for (const name of ['train', 'validation', 'test'] as const) {
      expect(history.filter((record) => record[name]).map(({ iteration }) => iteration)).toEqual([3, 6, 7]);
    }
    const last = history.at(-1);
    for (const [metrics, samples] of [
      [last?.train, train90],
      [last?.validation, validation],
      [last?.test, tested],
    ] as const) {
      const own = await model.evaluate(samples);
      expect(metrics?.accuracy).toBe(own.accuracy);
      expect(metrics?.loss).toBeCloseTo(own.loss, 12);
    }
    for (const record of history) {
      expect(record.updates.map(({ block, layer }) => ({ block, layer }))).toEqual([...dladmmSweep(2)]);
      expect(record.penalties).toMatchObject({ nu: 1, rho: 1 });
      expect([record.residuals.length, record.activationResiduals.length]).toEqual([2, 1]);
      for (const { block, size, kappa, steps, stationarity, layer } of record.updates) {
        expect([size, kappa].every((value) => value !== undefined)).toBe(block === 'W' || block === 'a');
        expect([steps, stationarity].every((value) => value !== undefined)).toBe(block === 'z' && layer === 2);
      }
    }
  });

  test('come to onIteration and to the loop alike', async () => {
    const called: IterationRecord[] = [];
    const looped: IterationRecord[] = [];
    const training = train(train90, { ...OPTIONS, iterations: 4, onIteration: (record) => called.push(record) });
    for await (const record of training) looped.push(record);
    expect(looped).toHaveLength(4);
    expect(called).toEqual(looped);
    expect(training.result.history).toEqual(looped);
  });
});

describe('early stopping', () => {
  const validation = rays(8, 24);
  const noisy = {
    ...train90,
    labels: train90.labels.map((label, i) => (i % 4 === 0 ? (label + 1) % 3 : label)),
    validation,
  };
  const options: DladmmOptions = { ...OPTIONS, layers: [2, 30, 3], iterations: 400 };

  test.each(['accuracy', 'loss'] as const)(
    'by %s keeps the best model, and waits as long as it was told',
    async (metric) => {
      const result = await fitModel(noisy, { ...options, earlyStopping: { patience: 4, metric } });
      const { status, history, model, iterations } = result;
      if (status.kind !== 'early-stopped') throw new Error(`the training ${status.kind}`);
      const score = (record: IterationRecord | undefined) =>
        (metric === 'loss' ? -(record?.validation?.loss ?? Number.NaN) : record?.validation?.accuracy) ?? Number.NaN;
      const best = score(history[status.bestIteration - 1]);
      expect(iterations).toBe(status.bestIteration + 4);
      // The first of the best.
      expect(history.findIndex((record) => score(record) >= best)).toBe(status.bestIteration - 1);
      const kept = await fitModel(noisy, { ...options, iterations: status.bestIteration });
      expect(model.weights).toEqual(kept.model.weights);
      const last = await fitModel(noisy, { ...options, iterations });
      expect(model.weights).not.toEqual(last.model.weights);
      const metrics = await model.evaluate(validation);
      expect(metric === 'loss' ? -metrics.loss : metrics.accuracy).toBeCloseTo(best, 12);
    },
  );

  test('counts evaluations, not iterations', async () => {
    const early = { earlyStopping: { patience: 2, metric: 'accuracy' }, evaluateEvery: 5 } as const;
    const { status, iterations } = await fitModel(noisy, { ...options, ...early });
    if (status.kind !== 'early-stopped') throw new Error(`the training ${status.kind}`);
    expect(status.bestIteration % 5).toBe(0);
    expect(iterations).toBe(status.bestIteration + 10);
  });

  test('that never comes leaves a completed training with its best model', async () => {
    const { status, model, history } = await fitModel(noisy, {
      ...options,
      iterations: 20,
      earlyStopping: { patience: 100 },
    });
    expect(status).toEqual({ kind: 'completed' });
    const best = Math.min(...history.map(({ validation }) => validation?.loss ?? Number.NaN));
    expect((await model.evaluate(validation)).loss).toBeCloseTo(best, 12);
  });
});

describe('the schedule', () => {
  const rhos = ({ history }: FitResult) => history.map(({ penalties }) => penalties.rho);
  const tiny = { ...OPTIONS, layers: [2, 3], iterations: 201, threads: 1 };

  test('of the paper multiplies ρ after iterations 100 and 200, and leaves ν', async () => {
    const result = await fitModel(train90, { ...tiny, nu: 1e-6, rho: 1e-6, theta0: 1, schedule: 'paper' });
    const found = rhos(result);
    expect(new Set(found.slice(0, 100))).toEqual(new Set([1e-6]));
    expect(new Set(found.slice(100, 200))).toEqual(new Set([1e-6 * 10]));
    expect(found[200]).toBe(1e-6 * 10 * 10);
    for (const { penalties } of result.history) expect(penalties).toMatchObject({ nu: 1e-6, theta0: 1, tau0: 1 });
  });

  test('begins θ0 at the number of samples over 60,000 where nobody gave it', async () => {
    const { history } = await fitModel(train90, { solver: 'dladmm', layers: [2, 3], iterations: 1 });
    expect(history[0]?.penalties.theta0).toBeCloseTo(90 / 60_000, 12);
  });

  test('that is constant changes nothing', async () => {
    expect(new Set(rhos(await fitModel(train90, { ...tiny, iterations: 5 })))).toEqual(new Set([1]));
  });

  test('of one’s own sees every record and changes what it names', async () => {
    const seen: number[] = [];
    const result = await fitModel(train90, {
      ...tiny,
      iterations: 4,
      stepSearch: 'backtracking',
      theta0: 1,
      schedule: ({ iteration, penalties }) => {
        seen.push(iteration);
        return iteration === 2 ? { rho: 3 * penalties.rho, theta0: 1000 } : {};
      },
    });
    expect(seen).toEqual([1, 2, 3, 4]);
    expect(rhos(result)).toEqual([1, 1, 3, 3]);
    expect(result.history.map(({ penalties }) => penalties.theta0)).toEqual([1, 1, 1000, 1000]);
    const sizes = result.history.map(({ updates }) => updates.find(({ block }) => block === 'W')?.size);
    expect(sizes[1]).toBeLessThan(1000);
    expect(sizes[2]).toBe(1000);
  });

  /** The penalties after each of the costs. */
  function penaltiesAfter(
    costs: readonly number[],
    schedule: DladmmOptions['schedule'] & {},
    layers: readonly number[],
    first: Partial<Penalties> = {},
  ) {
    const { schedule: running } = completePlan(dladmm, { layers, schedule });
    let penalties: Penalties = { nu: 1e-6, rho: 1e-6, theta0: 1, tau0: 1, ...first };
    return costs.map((loss) => {
      penalties = running.next(penalties, { train: { loss } } as IterationRecord);
      return penalties;
    });
  }
  const factors = (costs: readonly number[]): number[] =>
    penaltiesAfter(costs, 'reference', [4, 5, 2]).map(({ rho }) => Math.round(Math.log10(rho / 1e-6)));

  test('of the published code lowers no penalty: one above its cap stays, and each grows by itself', () => {
    const risen = (nu: number, rho: number, more: object = {}) => {
      const schedule = { kind: 'reference', factor: 10, cap: 1, ...more } as DladmmOptions['schedule'] & {};
      return penaltiesAfter([1, 2, 3, 4], schedule, [4, 5, 2], { nu, rho }).at(-1);
    };
    expect(risen(10, 0.5)).toMatchObject({ nu: 10, rho: 1 });
    expect(risen(0.02, 4)).toMatchObject({ nu: 0.2, rho: 4 });
    expect(risen(10, 0.5, { $lowers: true })).toMatchObject({ nu: 1, rho: 1 });
  });

  test('of the published code waits for three rises running', () => {
    expect(factors([1, 2, 3])).toEqual([0, 0, 0]);
    expect(factors([1, 2, 3, 4])).toEqual([0, 0, 0, 1]);
    expect(factors([1, 2, 3, 4, 5, 6])).toEqual([0, 0, 0, 1, 2, 3]);
    expect(factors([9, 1, 2, 3])).toEqual([0, 0, 0, 0]);
    expect(factors([0, 1, 2, 2, 3, 4])).toEqual([0, 0, 0, 0, 0, 0]);
    expect(factors([5, 1, 2, 3, 4, 1, 2, 3, 4])).toEqual([0, 0, 0, 0, 1, 1, 1, 1, 2]);
    expect(factors([1, Number.NaN, 2, 3, 4])).toEqual([0, 0, 0, 0, 0]);
  });

  test('of the published code takes ν along, stops at its cap, and grows the first sizes for wide layers', () => {
    const rising = Array.from({ length: 12 }, (_, i) => i);
    const narrow = penaltiesAfter(rising, 'reference', [4, 99, 2]).at(-1);
    expect(narrow).toEqual({ nu: 0.1, rho: 0.1, theta0: 1, tau0: 1 });
    const wide = penaltiesAfter(rising.slice(0, 5), 'reference', [4, 100, 2]).at(-1);
    expect(wide).toEqual({ nu: 1e-6 * 10 * 10, rho: 1e-6 * 10 * 10, theta0: 100, tau0: 100 });
    const own = penaltiesAfter(
      rising.slice(0, 5),
      { kind: 'reference', factor: 2, cap: 3e-6, stepFactor: 3 },
      [4, 5, 2],
    );
    expect(own.map(({ rho }) => rho)).toEqual([1e-6, 1e-6, 1e-6, 2e-6, 3e-6]);
    expect(own.at(-1)?.tau0).toBe(9);
  });

  test('of the published code is fed with the training loss of the network', async () => {
    const result = await fitModel(train90, { ...OPTIONS, iterations: 3, schedule: 'reference', nu: 1e-6, rho: 1e-6 });
    for (const { train: metrics } of result.history) expect(metrics?.loss).toBeGreaterThan(0);
    expect(result.history.at(-1)?.train?.loss).toBeCloseTo((await result.model.evaluate(train90)).loss, 10);
  });
});

describe('a training that a function of the caller’s ends', () => {
  const fails = (at: number) => (record: { readonly iteration: number }) => {
    if (record.iteration === at) throw new Error('mine');
    return {};
  };
  const rateFails = ({ epoch }: { readonly epoch: number }) => {
    if (epoch === 3) throw new Error('mine');
    return 0.01;
  };
  test.each<[string, object, object]>([
    ['the schedule', { schedule: fails(2) }, {}],
    ['the schedule, of the last iteration', { schedule: fails(2), iterations: 2 }, {}],
    ['onIteration', { onIteration: fails(2) }, {}],
    ['the learning rate', { learningRate: rateFails }, { solver: 'adam', learningRate: () => 0.01 }],
  ])('has the model of as many iterations as it tells of: %s', async (_, options, plain) => {
    const common = { solver: 'dladmm', layers: [2, 4, 3], threads: 1, ...plain };
    const training = train(train90, { ...common, iterations: 4, ...options } as never);
    const all = async () => {
      for await (const _record of training);
    };
    await expect(all()).rejects.toThrow('mine');
    const { result } = training;
    const two = await fitModel(train90, { ...common, iterations: 2 } as never);
    expect(result.model.weights).toEqual(two.model.weights);
    expect(result.iterations).toBe(2);
    expect(result.history.map(({ iteration }) => iteration)).toEqual([1, 2]);
    expect(result.history.map(({ loss }) => loss)).toEqual(two.history.map(({ loss }) => loss));
  });
});

describe('the start', () => {
  const widths = [100, 300, 200, 3];
  const samples = { x: random(9, 6, 100), labels: [0, 1, 2, 0, 1, 2] };
  /** A sweep of nothing but the dual step leaves the weights as they were drawn. */
  const drawn = async (options: Partial<DladmmOptions>): Promise<Model> =>
    (await fitModel(samples, { ...OPTIONS, layers: widths, iterations: 1, sweep: (L) => [u(L)], ...options })).model;
  const moments = (values: ArrayLike<number>) => {
    const list = Array.from(values);
    const mean = list.reduce((sum, value) => sum + value, 0) / list.length;
    const power = (k: number) => list.reduce((sum, value) => sum + (value - mean) ** k, 0) / list.length;
    return { mean, sd: Math.sqrt(power(2)), kurtosis: power(4) / power(2) ** 2 };
  };

  test('by He has normal weights of variance 2/n and no bias', async () => {
    const { weights, biases } = await drawn({ initialisation: 'he' });
    for (const [i, W] of weights.slice(0, 2).entries()) {
      const sd = Math.sqrt(2 / at(widths, i, 'widths'));
      const found = moments(W);
      // Within four of their own standard deviations.
      expect(Math.abs(found.mean)).toBeLessThan((4 * sd) / Math.sqrt(W.length));
      expect(Math.abs(found.sd / sd - 1)).toBeLessThan(4 / Math.sqrt(2 * W.length));
      expect(Math.abs(found.kurtosis - 3)).toBeLessThan(4 * Math.sqrt(24 / W.length));
    }
    for (const b of biases) expect(b.every((value) => value === 0)).toBe(true);
  });

  test('by Glorot has uniform weights of variance 2/(n_in + n_out) and no bias', async () => {
    const { weights, biases } = await drawn({ initialisation: 'glorot' });
    for (const [i, W] of weights.slice(0, 2).entries()) {
      const sd = Math.sqrt(2 / (at(widths, i, 'widths') + at(widths, i + 1, 'widths')));
      const found = moments(W);
      expect(Math.abs(found.mean)).toBeLessThan((4 * sd) / Math.sqrt(W.length));
      // The kurtosis of a uniform variable is 1.8.
      expect(Math.abs(found.sd / sd - 1)).toBeLessThan(4 * Math.sqrt(0.8 / (4 * W.length)));
      expect(found.kurtosis).toBeLessThan(1.9);
      expect(Math.max(...W.map(Math.abs))).toBeLessThanOrEqual(Math.sqrt(3) * sd * (1 + 1e-6));
    }
    for (const b of biases) expect(b.every((value) => value === 0)).toBe(true);
  });

  test('by a Gaussian has weights and biases of its deviation', async () => {
    const { weights, biases } = await drawn({ initialisation: { gaussian: 0.1 } });
    const all = [...weights, ...biases].flatMap((block) => [...block]);
    expect(Math.abs(moments(all).mean)).toBeLessThan(0.4 / Math.sqrt(all.length));
    expect(Math.abs(moments(all).sd / 0.1 - 1)).toBeLessThan(4 / Math.sqrt(2 * all.length));
    expect(Math.abs(moments(biases.flatMap((b) => [...b])).sd / 0.1 - 1)).toBeLessThan(0.13);
    const none = await drawn({ initialisation: { gaussian: 0 } });
    expect(none.weights.every((W) => W.every((value) => value === 0))).toBe(true);
  });

  test('repeats by its seed, and differs by it', async () => {
    const [one, same, other, single] = await Promise.all([
      drawn({ seed: 5 }),
      drawn({ seed: 5, threads: 1 }),
      drawn({ seed: 6 }),
      drawn({ seed: 5, dtype: 'float32' }),
    ]);
    expect(same.weights).toEqual(one.weights);
    expect(other.weights).not.toEqual(one.weights);
    expect(single.weights).toEqual(one.weights.map((W) => Float32Array.from(W)));
    // No number twice, neither within a layer nor between layers.
    const all = one.weights.flatMap((W) => [...W]);
    expect(new Set(all).size).toBe(all.length);
  });

  test('from parameters of one’s own is just those', async () => {
    const weights = [random(11, 300, 100).data, random(12, 200, 300).data, random(13, 3, 200).data];
    const biases = [random(14, 1, 300).data, random(15, 1, 200).data, random(16, 1, 3).data];
    const model = await drawn({ initialisation: { weights, biases } });
    expect(model.weights).toEqual(weights);
    expect(model.biases).toEqual(biases);
  });

  test('goes forward from there, or from the signs of the labels', async () => {
    const { x, labels } = train90;
    const initial = {
      weights: [random(17, 8, 2).data, random(18, 3, 8).data],
      biases: [random(19, 1, 8).data, random(20, 1, 3).data],
    };
    const look = async (start: DladmmOptions['start']) => {
      const sweep = (): { block: 'b'; layer: number }[] => [{ block: 'b', layer: 1 }];
      const training = train(train90, {
        ...OPTIONS,
        iterations: 1,
        initialisation: initial,
        sweep,
        ...(start && { start }),
      });
      for await (const _ of training)
        return { z: (await training.read('z', 2)).data, u: (await training.read('u', 2)).data };
      throw new Error('no record came');
    };
    const outputs = forward(
      plainOf({ weights: initial.weights, biases: initial.biases, layers: [2, 8, 3], slope: 0 }),
      x,
    );
    const gradient = (z: Matrix64) => lossGradient(z, { loss: 'cross-entropy', labels, softmax: 'stable' });
    const byDefault = await look(undefined);
    expectClose(byDefault.z, outputs.data, 1e-13);
    expect(byDefault.u.every((value) => value === 0)).toBe(true);
    const ours = await look({ dual: 'stationary' });
    expectClose(ours.z, outputs.data, 1e-13);
    expectClose(
      ours.u,
      gradient(outputs).data.map((g) => -g),
      1e-13,
    );
    const published = await look({ output: 'signed-labels', dual: 'zero' });
    expect([...published.z]).toEqual([...matrix(90, 3, (i, j) => (labels[i] === j ? 1 : -1)).data]);
    expect(published.u.every((value) => value === 0)).toBe(true);
  });
});

const expectClose = (actual: ArrayLike<number>, wanted: ArrayLike<number>, limit: number): void => {
  expect(actual.length).toBe(wanted.length);
  const off = Array.from(actual).map((value, i) => Math.abs(value - (wanted[i] ?? Number.NaN)));
  expect(Math.max(...off)).toBeLessThanOrEqual(limit);
};

const entryOf = (m: Matrix | undefined, i: number, j: number): number => m?.data[i * m.columns + j] ?? Number.NaN;

/** The plain network of given parameters. */
function plainOf(parts: {
  readonly weights: readonly ArrayLike<number>[];
  readonly biases: readonly ArrayLike<number>[];
  readonly layers: readonly number[];
  readonly slope: number;
}) {
  const { weights, biases, layers, slope } = parts;
  const none = matrix(0, 0, () => 0);
  return {
    layers: layers.map((units) => ({ units, slope })),
    W: [
      none,
      ...weights.map((W, i) => ({
        data: Float64Array.from(W),
        rows: at(layers, i + 1, 'n'),
        columns: at(layers, i, 'n'),
      })),
    ],
    b: [none.data, ...biases.map((b) => Float64Array.from(b))],
  };
}

test.each([1, 7, 0])('a refresh every %i iterations changes nothing but rounding', async (refreshEvery) => {
  const options: DladmmOptions = { ...OPTIONS, layers: [2, 9, 7, 3], iterations: 60 };
  const [every, never] = await Promise.all([
    fitModel(train90, { ...options, refreshEvery }),
    fitModel(train90, { ...options, refreshEvery: 25 }),
  ]);
  for (const [i, W] of every.model.weights.entries()) expectClose(W, never.model.weights[i] ?? [], 1e-8);
  expect(every.history.at(-1)?.lagrangian).toBeCloseTo(never.history.at(-1)?.lagrangian ?? Number.NaN, 8);
});

test('float32 and float64 go the same way', async () => {
  const [single, double] = await Promise.all([
    fitModel(train90, { ...OPTIONS, iterations: 10, dtype: 'float32' }),
    fitModel(train90, { ...OPTIONS, iterations: 10 }),
  ]);
  expect(single.model.weights[0]).toBeInstanceOf(Float32Array);
  expect(double.model.weights[0]).toBeInstanceOf(Float64Array);
  for (const [i, W] of single.model.weights.entries()) expectClose(W, double.model.weights[i] ?? [], 1e-3);
});

describe('a model', () => {
  const slopes = [
    ['relu', 0],
    [{ leakyRelu: -0.4 }, -0.4],
    ['identity', 1],
  ] as const;

  test.each(slopes)('predicts and evaluates as a plain forward pass does: %o', async (activation, slope) => {
    const { x, labels } = rays(21, 70);
    for (const dtype of ['float64', 'float32'] as const) {
      const { model } = await fitModel(train90, { ...OPTIONS, layers: [2, 9, 5, 3], activation, dtype });
      const plain = plainOf({ ...model, layers: [2, 9, 5, 3], slope });
      const wanted = forward(plain, x);
      const limit = dtype === 'float64' ? 1e-12 : 1e-4;
      const { outputs, probabilities, labels: found } = await model.predict(x);
      expect([outputs.rows, outputs.columns]).toEqual([70, 3]);
      expectClose(outputs.data, wanted.data, limit);
      expectClose(probabilities?.data ?? [], softmaxRows(wanted, 'stable').data, limit);
      const largest = Array.from({ length: 70 }, (_, i) => {
        const values = [0, 1, 2].map((j) => entry(wanted, i, j));
        return values.indexOf(Math.max(...values));
      });
      expect([...(found ?? [])]).toEqual(largest);
      const target: Target = { loss: 'cross-entropy', labels, softmax: 'stable' };
      const { loss, accuracy } = await model.evaluate({ x, labels });
      expect(Math.abs(loss - lossOf(wanted, target) / 70)).toBeLessThanOrEqual(limit);
      expect(accuracy).toBe(accuracyOf(wanted, labels));
    }
  });

  test('for regression gives outputs alone, and half the squared error', async () => {
    const x = random(22, 30, 4);
    const y = random(23, 30, 2);
    const { model } = await fitModel(
      { x, y },
      { ...OPTIONS, layers: [4, 6, 2], loss: 'squared-error', standardiseTargets: false, rho: 2 },
    );
    const wanted = forward(plainOf({ ...model, layers: [4, 6, 2], slope: 0 }), x);
    const prediction = await model.predict(x);
    expect(Object.keys(prediction)).toEqual(['outputs']);
    expectClose(prediction.outputs.data, wanted.data, 1e-12);
    const metrics = await model.evaluate({ x, y });
    expect(Object.keys(metrics)).toEqual(['samples', 'loss', 'mae', 'rmse', 'r2', 'mape', 'coverage']);
    expect(metrics.loss).toBeCloseTo(squaredNorm(minus(wanted, y)) / 60, 12);
  });

  test('takes many samples in chunks, lets the event loop turn between them, and takes rows in every form', async () => {
    const { model } = await fitModel(train90, { ...OPTIONS, iterations: 2, dtype: 'float32' });
    const rows = [
      [0.5, -1],
      [2, 0.25],
      [-3, 1],
    ];
    const forms = [rows, Float32Array.from(rows.flat()), { data: Float64Array.from(rows.flat()), rows: 3, columns: 2 }];
    const [first] = await Promise.all(forms.map((x) => model.predict(x)));
    for (const x of forms) expect(await model.predict(x)).toEqual(first);
    const many = new Float32Array(2 * 3e5);
    for (let i = 0; i < many.length; i++) many[i] = rows[Math.floor(i / 2) % 3]?.[i % 2] ?? Number.NaN;
    let turns = 0;
    const timer = setInterval(() => {
      turns += 1;
    }, 0);
    const { outputs, labels, probabilities } = await model.predict(many);
    clearInterval(timer);
    expect(turns).toBeGreaterThan(3);
    expect(outputs.rows).toBe(3e5);
    // Where two chunks meet is nobody's business, so every row is looked at.
    for (let i = 0; i < 3e5; i++) {
      const same = [0, 1, 2].every(
        (j) =>
          Math.abs(entryOf(outputs, i, j) - entryOf(first?.outputs, i % 3, j)) < 1e-5 &&
          Math.abs(entryOf(probabilities, i, j) - entryOf(first?.probabilities, i % 3, j)) < 1e-5,
      );
      if (!same || labels?.[i] !== first?.labels?.[i % 3]) expect.unreachable(`row ${i}`);
    }
  });

  test('saved and loaded again predicts the same, bit for bit', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'dladmm-training-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    for (const dtype of ['float32', 'float64'] as const) {
      for (const [activation] of slopes) {
        const { model } = await fitModel(train90, { ...OPTIONS, activation, dtype, classes: ['a', 'b', 'c'] });
        const path = join(folder, `model-${dtype}.safetensors`);
        await model.save(path, { note: 'mine' });
        const loaded = await Model.load(path);
        expect(loaded).toMatchObject({ network: model.network, dtype, classes: ['a', 'b', 'c'] });
        expect(loaded.weights).toEqual(model.weights);
        expect(loaded.biases).toEqual(model.biases);
        const [before, after] = await Promise.all([model.predict(train90.x), loaded.predict(train90.x)]);
        expect(after).toEqual(before);
        expect(await loaded.evaluate(train90)).toEqual(await model.evaluate(train90));
      }
    }
  });

  test('of a bias alone answers with it', async () => {
    const bias = [0.25, -1, 3];
    const parts = {
      network: { layers: [2, 3], activation: 'relu', loss: 'softmax-cross-entropy' },
      dtype: 'float64',
      weights: [new Float64Array(6)],
      biases: [Float64Array.from(bias)],
    } as const;
    const { outputs, labels } = await new Model(parts).predict([[1, 2]]);
    expect([...outputs.data]).toEqual(bias);
    expect([...(labels ?? [])]).toEqual([2]);
    expect(squaredNorm(row(Float64Array.from(outputs.data)))).toBe(10.0625);
  });
});
