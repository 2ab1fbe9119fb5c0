import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, expectTypeOf, test } from 'vitest';
import { fit as fitModel, loadModel, type Model, train } from '../../src/index.js';
import { heldOut } from '../../src/samples/hold-out.js';
import { automatic, heldOutShare, hiddenFor } from '../../src/solvers/auto.js';
import { expectFailure } from '../formats/support.js';
import { slowly } from '../samples/support.js';

// From rows to a judged model: what nobody says is inferred.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-front-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const COUNT = 400;
const customers = Array.from({ length: COUNT }, (_, i) => {
  const [age, spend] = [20 + ((i * 37) % 60), 50 + 40 * Math.sin(i)];
  const plan = ['basic', 'pro', 'team'][i % 3] as string;
  return {
    age,
    spend,
    plan,
    member: i % 2 === 0,
    churned: age + spend / 4 + (plan === 'pro' ? 20 : 0) > 70 ? 'yes' : 'no',
  };
});
const houses = customers.map(({ age, spend, plan }) => ({ age, spend, plan, price: 1e5 + 3000 * age - 500 * spend }));
const csv = (records: readonly object[]): string =>
  `${[Object.keys(records[0] ?? {}), ...records.map(Object.values)].map((row) => row.join(',')).join('\n')}\n`;
const path = (name: string): string => join(folder, name);
writeFileSync(path('customers.csv'), csv(customers));

const target = { target: 'churned', threads: 1 } as const;

test.each([
  { target: 'y' },
  { columns: ['a'] },
  { ignore: ['a'] },
  { missing: 'error' },
  { bins: 4 },
  { delimiter: ';' },
])('samples of numbers, of which no columns are read, refuse %o', async (options) => {
  const data = { x: [[1], [2], [3], [4]], labels: [0, 1, 0, 1] };
  for (const solver of [{}, { solver: 'adam', layers: [1, 2] }])
    await expectFailure(
      () => fitModel(data, { ...options, ...solver, epochs: 1 } as never),
      'ERR_DLADMM_ARGUMENT',
      /rows of columns/,
    );
});

describe('rows with a column to predict become a judged model', () => {
  test.each([
    ['records', () => customers],
    ['a stream of them', () => slowly(customers)],
    ['a CSV file by its path', () => path('customers.csv')],
  ])('%s', async (_, rows) => {
    const { model, report } = await fitModel(rows(), target);
    expect(model.classes).toEqual(['no', 'yes']);
    expect(model.target).toBe('churned');
    expect(report.task).toMatchObject({ kind: 'classification', target: 'churned', loss: 'softmax-cross-entropy' });
    expect(report.task.because).toMatch(/holds texts/);
    expect(report.heldOut).toMatchObject({ samples: 80, of: COUNT });
    expect(report.scores?.accuracy).toBeGreaterThan(0.9);
    expect(String(report)).toMatch(/churned.*holds texts[\s\S]*held out 80 of 400 samples/);
    expect(model.describe()).toMatch(
      /^network 15[\s\S]*churned: no, yes[\s\S]*plan: a text, one of 3 or another \(4 inputs\)/,
    );
    // The model takes rows as they are, wherever they come from, and finds its target among them.
    const before = await model.evaluate(customers);
    expect(await model.evaluate(path('customers.csv'))).toEqual(before);
    await model.save(path('m.safetensors'));
    const loaded = (await loadModel(path('m.safetensors'))) as Model;
    expect(loaded.target).toBe('churned');
    expect((await loaded.evaluate(customers)).accuracy).toBe(before.accuracy);
    expect((await loaded.predict(path('customers.csv'))).labels).toHaveLength(COUNT);
  });

  test('numbers are values, and a linear model is kept where a network is no better', async () => {
    const { model, report } = await fitModel(houses, { target: 'price', threads: 1 });
    expect(report.task).toMatchObject({ kind: 'regression', loss: 'squared-error' });
    expect(report.layers).toHaveLength(2);
    const mean = houses.reduce((sum, { price }) => sum + price, 0) / COUNT;
    const spread = houses.reduce((sum, { price }) => sum + (price - mean) ** 2 / 2, 0) / COUNT;
    expect((await model.evaluate(houses)).loss).toBeLessThan(0.001 * spread);
  });

  test('hidden sets the widths, epochs and a solver of a name are taken', async () => {
    const { model, history } = await fitModel(customers, { ...target, hidden: [7], epochs: 4 });
    expect(model.network.layers.slice(1)).toEqual([7, 2]);
    expect(history).toHaveLength(4);
    const named = await fitModel(customers, { ...target, solver: 'adam', epochs: 3 });
    expect(named.history).toHaveLength(3);
    expect(named.report.solver).toBeUndefined();
  });

  test('a training of it is an async iterable of records', async () => {
    const training = train(customers, { ...target, hidden: [4], epochs: 3 });
    const seen: number[] = [];
    for await (const { iteration } of training) seen.push(iteration);
    expect(seen).toEqual([1, 2, 3]);
    expect(training.result.report.task.kind).toBe('classification');
  });

  test('is the same for the same seed', async () => {
    const [one, other] = [await fitModel(customers, target), await fitModel(customers, target)];
    expect(one.model.weights).toEqual(other.model.weights);
  });
});

describe('how a training ended that did not end as it was meant to', () => {
  test('is in the report: it diverged', async () => {
    const { status, report } = await fitModel(houses, {
      ...{ target: 'price', solver: 'sgd', learningRate: 1e30, epochs: 3, threads: 1 },
    });
    expect(status.kind).toBe('diverged');
    expect(report.warnings).toContainEqual(expect.stringMatching(/^it diverged in iteration 1; the model is the last/));
    expect(String(report)).toContain('note: it diverged');
  });

  test('is in the report: it was stopped', async () => {
    const controller = new AbortController();
    const { report } = await fitModel(customers, {
      ...{ ...target, signal: controller.signal, onIteration: () => controller.abort() },
    });
    expect(report.warnings).toContain('it was stopped after iteration 1');
  });
});

describe('terms and signs of weights', () => {
  test.each([
    { regularise: { W: { l1: 1e-3 } } },
    { regularise: { W: [{ l1: 1e-3 }, {}] } },
    { monotone: { age: 1 } },
    { equal: [['age', 'spend']] },
  ])('%o are taken by the rule, whose solvers have them', async (terms) => {
    const { report, model } = await fitModel(customers, { ...target, ...(terms as object) });
    expect(report.solver?.name).toBe('minibatch-admm');
    const { model: plain } = await fitModel(customers, target);
    expect(model.weights).not.toEqual(plain.weights);
  });

  test('a layer are as many as the network has layers', async () => {
    const W = [{ l1: 1e-3 }, {}];
    expect((await fitModel(customers, { ...target, regularise: { W } })).model.network.layers).toHaveLength(3);
    const three = { ...target, regularise: { W: [...W, {}] } };
    await expectFailure(() => fitModel(customers, three), 'ERR_DLADMM_SHAPE', /Expected 2 of them, one a layer/);
  });
});

describe('samples without a named solver', () => {
  const x = customers.map(({ age, spend }) => [age, spend]);
  const labels = customers.map(({ churned }) => churned);

  test('are trained on by the rule, and judged', async () => {
    const { model, report } = await fitModel({ x, labels }, { threads: 1 });
    expectTypeOf((await model.predict(x)).labels).not.toBeUndefined();
    expect(report.solver?.name).toBe('minibatch-admm');
    expect(report.scores?.accuracy).toBeGreaterThan(0.8);
    expect((await model.predict(x)).labels).toHaveLength(COUNT);
  });

  test('and rows are looked into as they train, as those are that say their layers', async () => {
    const named = { solver: 'dladmm', hidden: [3], iterations: 2, threads: 1 } as const;
    for (const training of [train({ x, labels }, named), train(customers, { ...named, target: 'churned' })]) {
      await expectFailure(() => training.read('W', 1), 'ERR_DLADMM_STATE');
      for await (const _ of training) expect(await training.read('z', 1)).toMatchObject({ columns: 3 });
      await expectFailure(() => training.read('z', 1), 'ERR_DLADMM_STATE');
    }
  });

  test('are asked for a network where a solver is named', async () => {
    await expectFailure(
      () => fitModel({ x, labels }, { solver: 'adam' } as never),
      'ERR_DLADMM_ARGUMENT',
      /or of samples hidden: \[256\] alone, for layers but received undefined/,
    );
  });

  test('bring their labels or values along in a stream, whose first row says how wide they are', async () => {
    const labelled = await fitModel({ x: slowly(x.map((row, i) => ({ x: row, label: labels[i] as string }))) });
    expect(labelled.model.network.layers.at(0)).toBe(2);
    expect(labelled.model.classes).toEqual(['no', 'yes']);
    const blocks = [{ x, y: x.map(([age = 0, spend = 0]) => [age + spend]) }];
    const valued = await fitModel({ x: slowly(blocks) }, { task: 'regression' });
    expect([valued.model.network.layers.at(0), valued.model.network.layers.at(-1)]).toEqual([2, 1]);
    expect(valued.report.scores).toHaveProperty('r2');
  });

  test.each([
    ['numbers that skip', [10, 20]],
    ['numbers below 0', [-1, 1]],
    ['numbers far apart', [0, 2 ** 31 - 1]],
  ])('labels that are %s are the classes that occur', async (_, [low = 0, high = 0]) => {
    const told = labels.map((label) => (label === labels[0] ? low : high));
    const { model } = await fitModel({ x, labels: told, validation: { x, labels: told } }, { threads: 1, epochs: 3 });
    expect(model).toMatchObject({ classes: [String(low), String(high)], labelKind: 'value' });
    expect(model.network.layers.at(-1)).toBe(2);
    const { labels: predicted } = await model.predict(x);
    expect([...(predicted as Int32Array)].every((label) => label === low || label === high)).toBe(true);
  });

  test('have a validation set of their own', async () => {
    const validation = { x: x.slice(0, 100), labels: labels.slice(0, 100) };
    const { report } = await fitModel({ x, labels, validation }, { threads: 1 });
    expect(report.heldOut).toBeUndefined();
    expect(report.scores?.accuracy).toBeGreaterThan(0.8);
  });
});

test.each([
  ['no labels', {}, /labels \(of classes\) or y \(of values\) beside x for data/],
  ['null as labels', { labels: null }, /an array of labels for data\.labels but received null/],
  ['names as values', { y: ['a', 'b', 'a', 'b'] }, /classes stand in labels\), for data\.y\[0\] but received "a"/],
  [
    'booleans as values',
    { y: [true, false, true, false] },
    /classes stand in labels\), for data\.y\[0\] but received true/,
  ],
  ['a missing value', { y: [null, 1, 2, 3] }, /a number, or a row of numbers .* for data\.y\[0\] but received null/],
  [
    'dates as values',
    { y: [new Date(0), new Date(1), new Date(2), new Date(3)] },
    /for data\.y\[0\] but received an object \(Date\)/,
  ],
])('samples with %s are refused', async (_, told, message) => {
  await expectFailure(() => fitModel({ x: [[1], [2], [3], [4]], ...told } as never), 'ERR_DLADMM_ARGUMENT', message);
});

test('values beside samples are learnt by the squared error, whoever trains', async () => {
  const data = { x: [[1], [2], [3], [4]], y: [1, 2, 3, 4] };
  for (const solver of ['adam', 'dladmm', 'minibatch-admm'] as const) {
    const { model } = await fitModel(data, { solver, layers: [1, 1], threads: 1, iterations: 1 });
    expectTypeOf(model).toEqualTypeOf<Model<'squared-error'>>();
    expect(model.network.loss).toBe('squared-error');
  }
  const classes = { solver: 'adam', layers: [1, 2], loss: 'softmax-cross-entropy', epochs: 1 } as const;
  await expectFailure(() => fitModel(data, classes), 'ERR_DLADMM_ARGUMENT', /class numbers for data\.labels/);
});

describe('what cannot be learnt from is refused, by name', () => {
  test.each([
    ['no target', customers, {}, /column to predict.*age, spend/],
    ['a target that is not there', customers, { target: 'churn' }, /churn.*did you mean churned/],
    ['one class', customers.map((row) => ({ ...row, churned: 'no' })), target, /two classes.*"churned"/],
    [
      'a constant value',
      houses.map((row) => ({ ...row, price: 1 })),
      { target: 'price', task: 'regression' },
      /vary.*"price"/,
    ],
    ['no rows', [], target, /at least one/],
    ['one class of numbers', { x: [[1], [2]], labels: [3, 3] }, {}, /at least two classes for data.labels/],
    [
      'labels that are no array',
      { x: [[1], [2]], labels: { length: 2 ** 50 } },
      { layers: [1, 2] },
      /array of class numbers/,
    ],
    [
      'an infinity in a record',
      customers.map((row, i) => (i === 317 ? { ...row, age: Number.POSITIVE_INFINITY } : row)),
      target,
      /row 317 of column "age"/,
    ],
    [
      'an infinity in an array, by its row before some are held out',
      { x: customers.map(({ age }, i) => [i === 317 ? Number.NaN : age, 1]), labels: customers.map((_, i) => i % 2) },
      { threads: 1 },
      /NaN in row 317, column 0/,
    ],
    ['an option that is none', customers, { ...target, n_estimators: 3 }, /n_estimators/],
    ['two words for one thing', customers, { ...target, hidden: [3], layers: [4, 3, 2] }, /hidden and layers/],
  ])('%s', async (_, rows, options, message) => {
    await expect(fitModel(rows as never, options as never)).rejects.toMatchObject({
      message: expect.stringMatching(message),
    });
  });
});

test('numbers enter by bins where rows bear them, in the model and its file, and categories stay 0 and 1', async () => {
  const many = Array.from({ length: 1600 }, (_, i) => ({
    n: (i * 37) % 1009,
    t: i % 3 === 0 ? 'a' : 'b',
    y: i % 1009,
  }));
  const { model } = await fitModel(many, { target: 'y', task: 'regression', epochs: 1, threads: 1, standardise: true });
  const [n, t] = model.columns ?? [];
  expect([n?.bins?.length, t?.bins]).toEqual([7, undefined]);
  expect([...(model.standardisation?.mean ?? [])].slice(1)).toEqual(Array.from({ length: 9 }, () => 0));
  await model.save(path('bins.safetensors'));
  const loaded = (await loadModel(path('bins.safetensors'))) as Model;
  expect(loaded.columns).toEqual(model.columns);
  const { outputs } = await model.predict(many.slice(0, 5));
  expect((await loaded.predict(many.slice(0, 5))).outputs).toEqual(outputs);
  expect(loaded.predictSync(many.slice(0, 5)).outputs).toEqual(outputs);
});

describe('the rule', () => {
  test('widens the network with the samples', () => {
    expect(hiddenFor({ samples: 100, features: 4 })).toEqual([32]);
    expect(hiddenFor({ samples: 5000, features: 4 })).toEqual([64, 64]);
    expect(hiddenFor({ samples: 60_000, features: 784 })).toEqual([256, 128]);
    const facts = { samples: 1e6, inputs: 28, features: 28, outputs: 2, loss: 'softmax-cross-entropy' } as const;
    expect(automatic(facts)).toMatchObject({ solver: 'minibatch-admm', epochs: 3, learningRate: 0.8 });
    // Fewer samples, more epochs and more weight decay, both up to a limit; where there are very few, small batches in place of epochs.
    expect([100, 1000, 20_000].map((samples) => automatic({ ...facts, samples }))).toMatchObject([
      { epochs: 20, batchSize: 32, l2: 0.01, linear: { epochs: 15, l2: 0.01 } },
      { epochs: 30, l2: 0.003 },
      { epochs: 8, l2: 0.001 },
    ]);
    expect(automatic({ ...facts, inputs: 5000 }).solver).toBe('adam');
    expect(automatic({ ...facts, loss: 'hinge' }).solver).toBe('adam');
    // Adam's steps are short: three times the epochs, and of few samples small batches and a step of 0.01, the linear model's too.
    const hinge = [50, 100, 999, 1000].map((samples) => automatic({ ...facts, samples, loss: 'hinge' }));
    const few = { epochs: 60, learningRate: 0.01, linear: { epochs: 45, learningRate: 0.01 } };
    expect(hinge).toMatchObject([
      { ...few, batchSize: 16 },
      { ...few, batchSize: 32 },
      { ...few, batchSize: 32 },
      { epochs: 90, linear: { epochs: 15 } },
    ]);
    const many = [hinge.at(-1), automatic({ ...facts, loss: 'hinge' })];
    for (const choice of many.flatMap((of) => [of, of?.linear])) expect(choice).not.toHaveProperty('learningRate');
    expect(hinge.at(-1)).not.toHaveProperty('batchSize');
    for (const loss of ['poisson', 'squared-error', 'sigmoid-cross-entropy'] as const) {
      expect(automatic({ ...facts, loss })).toMatchObject({ solver: 'minibatch-admm', learningRate: 0.8 });
    }
    expect([10, 1000, 50_000].map(heldOutShare)).toEqual([0, 0.2, 0.1]);
  });

  test('holds out the same share of every class, and never all of one', async () => {
    const labels = Array.from({ length: 1000 }, (_, i) => (i === 7 ? 'once' : i % 50 === 0 ? 'rare' : 'often'));
    const { train: rest, held } = await heldOut(1000, labels, 0.1, 3);
    expect([...rest, ...held].toSorted((a, b) => a - b)).toEqual(labels.map((_, i) => i));
    expect([...held].filter((i) => labels[i] === 'rare')).toHaveLength(2);
    expect([...held].map((i) => labels[i])).not.toContain('once');
    expect(await heldOut(1000, labels, 0.1, 3)).toEqual({ train: rest, held });
    expect((await heldOut(1000, labels, 0.1, 4)).held).not.toEqual(held);
  });
});
