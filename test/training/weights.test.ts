import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fit, type Matrix, type Model, resume, type TrainOptions, train } from '../../src/index.js';
import { SAMPLE_SOLVERS } from '../../src/solvers/index.js';
import { numbers } from '../reference/addon.js';
import { matrix } from '../reference/dense.js';
import { slowly } from '../samples/support.js';

// What samples count for: s_i R(z_i; y_i) in place of R(z_i; y_i), in every gradient and every proximal step of z_L.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-weights-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const next = numbers(7);
const SAMPLES = 24;
const x = matrix(SAMPLES, 3, () => next());
const labels = Int32Array.from({ length: SAMPLES }, (_, i) => i % 3);
const y = matrix(SAMPLES, 3, (i, j) => Math.sin(i + j));
const weights = Array.from({ length: SAMPLES }, (_, i) => 1 + (i % 3));
/** Every sample as often as its weight says. */
const times = weights.flatMap((weight, i) => Array.from({ length: weight }, () => i));
const rowsOf = (of: Matrix, which: readonly number[]): Matrix =>
  matrix(which.length, of.columns, (i, j) => of.data[(which[i] ?? 0) * of.columns + j] ?? 0);
const repeated = { x: rowsOf(x, times), labels: Int32Array.from(times, (i) => labels[i] ?? 0), y: rowsOf(y, times) };

const COMMON = { dtype: 'float64', threads: 2, seed: 3, evaluateEvery: 100 } as const;
const parametersOf = ({ weights: W, biases }: Model): readonly number[] =>
  [...W, ...biases].flatMap((part) => Array.from(part as Float64Array));

/** The largest difference of two lists, beside the largest number of the second. */
function gap(a: readonly number[], b: readonly number[]): number {
  const size = Math.max(...b.map(Math.abs));
  return Math.max(...a.map((value, i) => Math.abs(value - (b[i] ?? Number.NaN)))) / size;
}

/** Options of a solver under which every step sees all samples. */
const FULL = {
  gd: {},
  sgd: {},
  adagrad: {},
  adadelta: {},
  adam: {},
  nadamw: {},
  'schedule-free': {},
  muon: { adamShare: 1 },
  isaac: { learningRate: 0.1, damping: 1 },
  badm: { subBatches: 1 },
  sisa: { subBatches: 1 },
} as const;

describe('a sample of weight s is the sample s times', () => {
  test.each(Object.entries(FULL))('%s: the same iterates, to rounding', async (solver, own) => {
    for (const loss of ['softmax-cross-entropy', 'squared-error', 'hinge'] as const) {
      const options = { ...COMMON, ...own, solver, layers: [3, 5, 3], loss, activation: 'tanh', iterations: 4 };
      const batched = (samples: number) =>
        ({ ...options, ...(solver !== 'gd' && { batchSize: samples }) }) as unknown as TrainOptions;
      const goal = loss === 'squared-error' ? 'y' : 'labels';
      const told = { standardiseTargets: false } as const;
      const weighted = await fit({ x, [goal]: goal === 'y' ? y : labels, weights }, {
        ...batched(SAMPLES),
        ...(goal === 'y' && told),
      } as never);
      const twice = await fit({ x: repeated.x, [goal]: repeated[goal] }, {
        ...batched(times.length),
        ...(goal === 'y' && told),
      } as never);
      const plain = await fit({ x, [goal]: goal === 'y' ? y : labels }, {
        ...batched(SAMPLES),
        ...(goal === 'y' && told),
      } as never);
      const found = parametersOf(weighted.model as unknown as Model);
      expect(gap(found, parametersOf(twice.model as unknown as Model))).toBeLessThan(1e-10);
      expect(gap(found, parametersOf(plain.model as unknown as Model))).toBeGreaterThan(1e-5);
    }
  });
});

describe('the same holds for minibatch-admm, whose A_l counts samples as its gradients do', () => {
  const own = { ...COMMON, solver: 'minibatch-admm', layers: [3, 5, 3], loss: 'hinge', iterations: 4 } as const;
  const sparse = ({ data, rows, columns }: Matrix) => ({
    data: Float64Array.from(data),
    indices: Int32Array.from(data, (_, k) => k % columns),
    indptr: Int32Array.from({ length: rows + 1 }, (_, i) => i * columns),
    rows,
    columns,
  });
  const trained = async (data: object, options: object) =>
    parametersOf((await fit(data as never, { ...own, ...options } as never)).model as unknown as Model);

  // Of the hinge loss v_l is drawn from nothing.
  test.each([
    ['in low rank', { factors: 'input', rank: 2 }],
    ['in whole Gram matrices', { factors: 'input', gram: 'full' }],
    ['both factors', { rank: 2 }],
    ['both factors, in whole Gram matrices', { gram: 'full' }],
    ['schedule-free', { scheduleFree: true }],
    ['with a regulariser', { regularise: { W: { l1: 1e-3 } } }],
  ])('%s: a step on all samples, dense or sparse', async (_, options) => {
    for (const form of [(rows: Matrix) => rows, sparse]) {
      const weighted = await trained({ x: form(x), labels, weights }, { ...options, batchSize: SAMPLES });
      const twice = await trained(
        { x: form(repeated.x), labels: repeated.labels },
        { ...options, batchSize: times.length },
      );
      expect(gap(weighted, twice)).toBeLessThan(1e-10);
      expect(gap(weighted, await trained({ x: form(x), labels }, { ...options, batchSize: SAMPLES }))).toBeGreaterThan(
        1e-5,
      );
    }
  });

  test.each([
    ['', {}],
    [', in whole Gram matrices', { gram: 'full' }],
    [', with the first factor alone', { factors: 'input' }],
  ])('samples of weight 0 change nothing, however large they are%s', async (_, options) => {
    const all = matrix(SAMPLES + 8, 3, (i, j) => (i < SAMPLES ? (x.data[3 * i + j] ?? 0) : 1e3));
    const more = { x: all, labels: Int32Array.from({ length: SAMPLES + 8 }, (_each, i) => i % 3) };
    const some = { ...options, loss: 'softmax-cross-entropy', batchSize: SAMPLES + 8, shuffle: false };
    const counted = Array.from(more.labels, (_each, i) => (i < SAMPLES ? 1 : 0));
    const found = await trained({ ...more, weights: counted }, some);
    expect(gap(found, await trained({ x, labels }, some))).toBeLessThan(1e-10);
  });

  test.each(['low-rank', 'full'] as const)('a learner may be given them with a later batch, %s', async (gram) => {
    const { model } = await fit({ x, labels }, { ...own, gram });
    const learnt = async (more: object) => {
      using learner = model.learner();
      await learner.partialFit({ x, labels });
      await learner.partialFit({ x, labels, ...more });
      return parametersOf((await learner.model()) as unknown as Model);
    };
    const plain = await learnt({});
    expect(await learnt({ weights: Array.from(labels, () => 3) })).toEqual(plain);
    expect(gap(await learnt({ weights }), plain)).toBeGreaterThan(1e-6);
  });

  test('a batch of such samples alone is one that nothing is learnt from', async () => {
    const first = Array.from(labels, (_each, i) => (i < 8 ? 0 : 1));
    for (const gram of ['low-rank', 'full'] as const) {
      const options = { ...own, gram, batchSize: 8, shuffle: false, epochs: 2, iterations: undefined } as const;
      const { status, model } = await fit({ x, labels, weights: first }, options as never);
      expect(status).toEqual({ kind: 'completed' });
      expect(parametersOf(model as unknown as Model).every(Number.isFinite)).toBe(true);
    }
  });
});

describe('for the solvers that split the network into variables', () => {
  const options = { ...COMMON, layers: [3, 3], iterations: 3000, trainMetrics: false } as const;
  test.each(SAMPLE_SOLVERS.filter(({ name }) => !Object.hasOwn(FULL, name)).map(({ name }) => name))(
    '%s: weights that are all the same are none, bit for bit',
    async (solver) => {
      const sigmoid = solver === 'sigmoid-admm' && { activation: 'sigmoid', loss: 'one-hot-squared-error' };
      const own = { ...options, layers: [3, 4, 3], solver, iterations: 5, ...sigmoid } as unknown as TrainOptions;
      const plain = await fit({ x, labels }, own);
      const same = await fit({ x, labels, weights: Array.from(labels, () => 2) }, own);
      expect(parametersOf(same.model as unknown as Model)).toEqual(parametersOf(plain.model as unknown as Model));
      const other = await fit({ x, labels, weights }, own);
      expect(parametersOf(other.model as unknown as Model)).not.toEqual(parametersOf(plain.model as unknown as Model));
    },
  );

  test.each([
    ['dladmm', { nu: 1, rho: 1 }],
    ['sigmoid-admm', { loss: 'one-hot-squared-error', activation: 'sigmoid' }],
    ['minibatch-admm', {}],
  ])('%s: a linear model ends where it would on repeated rows', async (solver, own) => {
    const loss = 'loss' in own ? own.loss : 'one-hot-squared-error';
    const all = (samples: number) =>
      ({
        ...options,
        ...own,
        loss,
        solver,
        ...(solver === 'minibatch-admm' && { batchSize: samples }),
      }) as unknown as TrainOptions;
    const weighted = await fit({ x, labels, weights }, all(SAMPLES));
    const twice = await fit({ x: repeated.x, labels: repeated.labels }, all(times.length));
    const plain = await fit({ x, labels }, all(SAMPLES));
    const outputs = async ({ model }: { readonly model: unknown }) =>
      Array.from((await (model as Model).predict(x)).outputs.data);
    expect(gap(await outputs(weighted), await outputs(twice))).toBeLessThan(1e-3);
    expect(gap(await outputs(weighted), await outputs(plain))).toBeGreaterThan(1e-2);
  });

  test.each(['dladmm', 'sigmoid-admm'] as const)('%s: u is −∇(s R) after an exact z_L', async (solver) => {
    const sigmoid = solver === 'sigmoid-admm' && { activation: 'sigmoid', loss: 'one-hot-squared-error' };
    const own = { ...COMMON, layers: [3, 4, 3], solver, iterations: 3, ...sigmoid } as unknown as TrainOptions;
    const { history } = await fit({ x, labels, weights }, own);
    for (const record of history) expect((record as { dualIdentity: number }).dualIdentity).toBeLessThan(1e-12);
  });
});

describe('weights of classes', () => {
  const names = ['a', 'b', 'c'];
  const skewed = Array.from(labels, (_, i) => names[i % 7 < 4 ? 0 : i % 7 < 6 ? 1 : 2] as string);
  const own = { ...COMMON, solver: 'adam', layers: [3, 4, 3], epochs: 3 } as const;
  const counts = names.map((name) => skewed.filter((label) => label === name).length);

  test("are samples' weights: 'balanced' is n / (k n_c), and what is not named is 1", async () => {
    const same = async (classWeights: 'balanced' | Record<string, number>, of: readonly number[]) => {
      const byClass = await fit({ x, labels: skewed }, { ...own, classWeights });
      const bySample = await fit(
        { x, labels: skewed, weights: skewed.map((name) => of[names.indexOf(name)] ?? 0) },
        own,
      );
      expect(gap(parametersOf(byClass.model), parametersOf(bySample.model))).toBeLessThan(1e-12);
    };
    await same(
      'balanced',
      counts.map((count) => SAMPLES / (3 * count)),
    );
    await same({ b: 5 }, [1, 5, 1]);
    await same({ c: 0, a: 0.5 }, [0.5, 1, 0]);
  });

  test('count beside weights of samples', async () => {
    const both = await fit({ x, labels: skewed, weights }, { ...own, classWeights: { a: 3 } });
    const product = skewed.map((name, i) => (name === 'a' ? 3 : 1) * (weights[i] ?? 0));
    const one = await fit({ x, labels: skewed, weights: product }, own);
    expect(gap(parametersOf(both.model), parametersOf(one.model))).toBeLessThan(1e-12);
  });

  test('of classes that there are not are refused, as they are for a regression', async () => {
    const refused = (options: object, data: object = { x, labels: skewed }) =>
      expect(fit(data as never, { ...own, ...options } as never)).rejects;
    await refused({ classWeights: { d: 1 } }).toThrow(/a, b, c for classWeights but received "d"/);
    await refused({ classWeights: { a: -1 } }).toThrow(/a finite number from 0 for classWeights\["a"\]/);
    await refused({ classWeights: { a: 0, b: 0, c: 0 } }).toThrow(/positive finite sum/);
    await refused({ classWeights: 'even' }).toThrow(/'balanced' or { class: weight }/);
    await refused({ loss: 'squared-error', classWeights: 'balanced' }, { x, y }).toThrow(/values .* have no classes/);
    // @ts-expect-error no such rule
    await expect(fit({ x, labels: skewed }, { ...own, classWeights: 'even' })).rejects.toThrow();
  });
});

const records = Array.from({ length: 60 }, (_, i) => ({
  age: 20 + ((i * 7) % 50),
  income: 100 * Math.sin(i),
  count: 1 + (i % 4),
  churned: (i * 7) % 50 > 25 ? 'yes' : 'no',
}));

describe('a column of weights', () => {
  const front = { target: 'churned', weights: 'count', threads: 1 } as const;

  test('is no feature, and counts as the same numbers do that stand beside', async () => {
    const { model } = await fit(records, front);
    expect(model.columns?.map(({ name }) => name)).toEqual(['age', 'income']);
    const beside = await fit(
      records.map(({ count: _, ...rest }) => rest),
      {
        ...front,
        weights: records.map(({ count }) => count),
      },
    );
    expect(parametersOf(beside.model)).toEqual(parametersOf(model));
    const without = await fit(records, { target: 'churned', ignore: ['count'], threads: 1 });
    expect(parametersOf(without.model)).not.toEqual(parametersOf(model));
    // Later rows may have it or not.
    expect((await model.predict(records)).labels).toEqual((await beside.model.predict(records)).labels);
  });

  test('may come in a table, in records, in a stream, and with each item of one', async () => {
    const own = { ...COMMON, solver: 'gd', layers: [2, 4, 2], iterations: 3 } as const;
    const rows = records.map(({ age, income }) => [age / 50, income / 100]);
    const named = records.map(({ age, income, count, churned }) => ({ a: age / 50, b: income / 100, count, churned }));
    const classes = records.map(({ churned }) => churned);
    const numbers = records.map(({ count }) => count);
    const expected = parametersOf((await fit({ x: rows, labels: classes, weights: numbers }, own)).model);
    const table = {
      numRows: records.length,
      schema: { fields: ['a', 'b', 'count', 'churned'].map((name) => ({ name })) },
      getChild: (name: string) => ({ length: named.length, toArray: () => named.map((row) => row[name as 'a']) }),
    };
    const forms = [
      { x: named, labels: 'churned', weights: 'count' },
      { x: slowly(named), labels: 'churned', weights: 'count' },
      { x: slowly(rows), labels: classes, weights: numbers },
      { x: slowly(rows.map((row, i) => ({ x: row, label: classes[i], weight: numbers[i] }))) },
      { x: slowly([{ x: rows, labels: classes, weights: numbers }]) },
      { x: table, labels: 'churned', weights: 'count' },
    ];
    for (const [i, form] of forms.entries()) {
      const { model } = await fit(form as never, own);
      expect(gap(parametersOf(model as unknown as Model), expected), `form ${i}`).toBeLessThan(1e-12);
    }
  });

  test('says where it cannot be meant', async () => {
    const refused = (data: object, options: object = {}) =>
      expect(fit(data as never, { ...COMMON, solver: 'gd', layers: [3, 3], ...options } as never)).rejects;
    await refused({ x, labels, weights: 'count' }).toThrow(
      /weights themselves, as x has no named columns, for data.weights/,
    );
    await refused({ x, labels, weights: [1, 2] }).toThrow(/24 numbers, one a sample, for data.weights/);
    await refused({ x, labels, weights: weights.map((w, i) => (i === 3 ? -w : w)) }).toThrow(
      /from 0 for data.weights\[3\]/,
    );
    await refused({ x, labels, weights: weights.map((w, i) => (i === 3 ? Number.NaN : w)) }).toThrow(
      /data.weights\[3\]/,
    );
    await refused({ x, labels, weights: weights.map(() => 0) }).toThrow(/positive finite sum/);
    await refused({ x, labels, validation: { x, labels, weights } }).toThrow(/validation/);
    const gone = records.map((row, i) => (i === 5 ? { ...row, count: null } : row));
    await expect(fit(gone, front)).rejects.toThrow(/row 5 of column "count"/);
    await expect(fit(records, { ...front, weights: 'cuont' })).rejects.toThrow(/count/);
    await expect(fit(records, { ...front, columns: ['age', 'count'] })).rejects.toThrow(/count/);
    const { model } = await fit({ x, labels }, { ...COMMON, solver: 'gd', layers: [3, 3], iterations: 1 });
    await expect(model.evaluate({ x, labels, weights } as never)).rejects.toThrow(/weights/);
  });
});

const uncounted = records.map(({ count: _, ...rest }) => rest);
const counts = records.map(({ count }) => count);
test.each<readonly [string, object, object, object]>([
  ['a column', records, { target: 'churned', weights: 'count' }, {}],
  ['a column of x', { x: records, labels: 'churned' }, { weights: 'count' }, {}],
  ['numbers of rows', uncounted, { target: 'churned', weights: counts }, { weights: counts }],
  ['numbers beside samples', { x, labels }, { weights }, { weights }],
  ['numbers beside samples of which some are held out', { x, labels }, { weights, validationShare: 0.25 }, { weights }],
])('a checkpoint knows that it was begun with weights: %s', async (_, data, told, again) => {
  const path = join(folder, 'told');
  const own = { ...COMMON, solver: 'adam', hidden: [4], ...told };
  const whole = (await fit(data as never, { ...own, epochs: 4 } as never)) as unknown as { readonly model: Model };
  await fit(data as never, { ...own, epochs: 2, checkpoint: { path } } as never);
  const { model } = await resume(path, data as never, { ...again, epochs: 4 });
  expect(parametersOf(model)).toEqual(parametersOf(whole.model));
  if ('weights' in again) {
    await expect(resume(path, data as never)).rejects.toMatchObject({
      code: 'ERR_DLADMM_CHECKPOINT',
      message: expect.stringContaining('Expected the weights of the samples again for options.weights'),
    });
  }
});

test('a checkpoint goes on with the weights that it was begun with, and with no others', async () => {
  for (const solver of ['dladmm', 'adam', 'minibatch-admm'] as const) {
    const own = { ...COMMON, solver, layers: [3, 4, 3], classWeights: { 1: 2 } } as unknown as TrainOptions;
    const whole = await fit({ x, labels, weights }, { ...own, iterations: 4 });
    const path = join(folder, solver);
    for await (const { iteration } of train({ x, labels, weights }, { ...own, iterations: 4, checkpoint: { path } })) {
      if (iteration === 2) break;
    }
    const { model } = await resume(path, { x, labels, weights });
    expect(parametersOf(model as unknown as Model)).toEqual(parametersOf(whole.model as unknown as Model));
    for (const data of [
      { x, labels },
      { x, labels, weights: weights.map((weight, i) => weight + (i === 0 ? 1 : 0)) },
    ]) {
      await expect(resume(path, data)).rejects.toThrow(/samples/);
    }
  }
});

test('a model that goes on takes them as the training did, and a learner forgets those of the batch before', async () => {
  const { model } = await fit({ x, labels }, { ...COMMON, solver: 'adam', layers: [3, 4, 3], epochs: 2 });
  const further = async (more: object, options: object = {}) =>
    parametersOf((await model.fit({ x, labels, ...more } as never, { epochs: 2, ...options } as never)).model as Model);
  const plain = await further({});
  expect(gap(await further({ weights }), plain)).toBeGreaterThan(1e-6);
  expect(gap(await further({}, { classWeights: { 1: 5 } }), plain)).toBeGreaterThan(1e-6);
  const learned = async (...batches: readonly object[]) => {
    using learner = model.learner();
    for (const more of batches) await learner.partialFit({ x, labels, ...more } as never);
    return parametersOf((await learner.model()) as unknown as Model);
  };
  expect(gap(await learned({ weights }), await learned({}))).toBeGreaterThan(1e-6);
  const ones = Array.from(labels, () => 1);
  expect(await learned({ weights }, {})).toEqual(await learned({ weights }, { weights: ones }));
});

test('weigh a training of which nothing is held out, and not what it is judged by', async () => {
  const rows = Array.from({ length: 60 }, (_, i) => ({
    a: i % 7,
    b: (i * 5) % 11,
    w: i % 3,
    k: i % 7 > 3 ? 'p' : 'q',
  }));
  const { model, report } = await fit(rows, { target: 'k', weights: 'w', validationShare: 0, threads: 1, epochs: 2 });
  expect(report.train).toEqual(await model.evaluate(rows));
  expect((await model.fit(rows.slice(0, 15), { weights: 'w', threads: 1 })).report.train?.samples).toBe(15);
});
