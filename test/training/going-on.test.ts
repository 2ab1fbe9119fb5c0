import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { fit, loadModel, type Model, resume } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// model.fit: from the present parameters, with the present encodings, to another model.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-going-on-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);

const customers = (count: number, from = 0) =>
  Array.from({ length: count }, (_, k) => {
    const i = from + k;
    const [age, spend] = [20 + ((i * 37) % 60), i % 17 === 0 ? null : 50 + 40 * Math.sin(i)];
    const plan = ['basic', 'pro', 'team'][i % 3] as string;
    return { age, spend, plan, churned: age + (spend ?? 50) / 4 + (plan === 'pro' ? 20 : 0) > 70 ? 'yes' : 'no' };
  });
const parametersOf = ({ weights, biases }: Model) => [...weights, ...biases].map((block) => [...block]);

const { model } = await fit(customers(400), { target: 'churned', hidden: [16], epochs: 1, threads: 1 });
const before = parametersOf(model);

describe('a model goes on', () => {
  test.each([
    ['records', () => customers(300, 400)],
    [
      'records whose columns come in another order',
      () => customers(300, 400).map((row) => Object.fromEntries(Object.entries(row).reverse())),
    ],
    ['a file', () => path('more.csv')],
    [
      'a stream',
      async function* () {
        yield* customers(300, 400);
      },
    ],
  ])('on %s, by the names of columns, to a model that is another', async (_, rows) => {
    const lines = customers(300, 400).map((row) => Object.values(row).join(','));
    writeFileSync(path('more.csv'), `age,spend,plan,churned\n${lines.join('\n')}\n`);
    const { model: after, report } = await model.fit(rows() as never, { threads: 1 });
    expect(parametersOf(model)).toEqual(before);
    expect(after.columns).toEqual(model.columns);
    expect([after.classes, after.target, after.standardisation]).toEqual([
      model.classes,
      'churned',
      model.standardisation,
    ]);
    expect(report.samples + (report.heldOut?.samples ?? 0)).toBe(300);
    expect(report.scores?.loss).toBeLessThan(report.before?.loss as number);
    expect(String(report)).toMatch(/loss on them .* before, .* now/);
    expect(report.task.because).toBe('the model says so');
    expect((await after.evaluate(customers(200, 700))).loss).toBeLessThan(
      (await model.evaluate(customers(200, 700))).loss,
    );
  });

  test('on a quiet day of 20 rows, fewer than a batch, or of one class', async () => {
    const { report } = await model.fit(customers(20, 400), { batchSize: 32, threads: 1 });
    expect(report.samples).toBe(16);
    const yes = customers(300, 400)
      .filter(({ churned }) => churned === 'yes')
      .slice(0, 5);
    const { model: after } = await model.fit(yes, { solver: 'adam', epochs: 1, threads: 1 });
    expect(after.classes).toEqual(['no', 'yes']);
    const alone = await fit(customers(20), { target: 'churned', batchSize: 32 });
    expect(alone.report.samples).toBe(16);
  });

  test('with the numbers of one training, where that goes on from its parameters', async () => {
    const x = customers(200).map(({ age }, i) => [age, Math.sin(i)]);
    const labels = x.map(([a = 0, b = 0]) => (a / 80 + b > 0.6 ? 1 : 0));
    const options = { solver: 'adam', epochs: 2, threads: 1 } as const;
    const first = (await fit({ x, labels }, { ...options, layers: [2, 4, 2] })).model;
    const { model: second } = await first.fit({ x, labels }, { ...options, validationShare: 0 });
    const same = await fit({ x, labels }, { ...options, layers: [2, 4, 2], initialisation: first });
    expect(parametersOf(second as Model)).toEqual(parametersOf(same.model as Model));
  });

  test('by full-batch dlADMM too, and with values', async () => {
    const houses = customers(200).map(({ age, plan }) => ({ age, plan, price: 1e5 + 3000 * age }));
    const { model: priced } = await fit(houses, { target: 'price', hidden: [8], epochs: 2, threads: 1 });
    const { model: after, report } = await priced.fit(houses, { solver: 'dladmm', iterations: 5, threads: 1 });
    expect(after.targetStandardisation).toEqual(priced.targetStandardisation);
    expect(report.scores).toHaveProperty('r2');
  });
});

describe('classes that it does not know', () => {
  const more = customers(200, 400).map((row, i) => (i % 4 === 0 ? { ...row, plan: 'free', churned: 'paused' } : row));

  test('are refused by their names, before any work', async () => {
    await expectFailure(() => model.fit(more), 'ERR_DLADMM_LABEL', /no, yes.*paused.*newClasses: 'add'/);
    expect(parametersOf(model)).toEqual(before);
  });

  test("have an output each with newClasses: 'add', and are learnt", async () => {
    const { model: after } = await model.fit(more, { newClasses: 'add', threads: 1 });
    expect(after.classes).toEqual(['no', 'yes', 'paused']);
    expect(after.network.layers).toEqual([...model.network.layers.slice(0, -1), 3]);
    expect((await after.predict(more[0] as never)).label).toBe('paused');
    await after.save(path('three.safetensors'));
    expect((await loadModel(path('three.safetensors'))).classes).toEqual(['no', 'yes', 'paused']);
  });

  test('may be numbers', async () => {
    const x = customers(120).map(({ age }, i) => [age / 50, Math.sin(i)]);
    const two = (await fit({ x, labels: x.map((_, i) => i % 2) }, { layers: [2, 4, 2], solver: 'adam', epochs: 1 }))
      .model;
    const labels = x.map((_, i) => i % 3);
    await expectFailure(() => two.fit({ x, labels }), 'ERR_DLADMM_LABEL', /the samples have 2 too/);
    const { model: three } = await two.fit({ x, labels }, { newClasses: 'add' });
    expect(three.network.layers.at(-1)).toBe(3);
  });
});

test('options that the model has settled are refused, and so are those that nobody knows', async () => {
  await expectFailure(() => model.fit(customers(20), { layers: [4, 3, 2] } as never), 'ERR_DLADMM_ARGUMENT', /layers/);
  await expectFailure(() => model.fit(customers(20), { missing: 'error' } as never), 'ERR_DLADMM_ARGUMENT', /missing/);
  await expectFailure(
    () => model.fit(customers(20), { n_estimators: 4 } as never),
    'ERR_DLADMM_ARGUMENT',
    /n_estimators/,
  );
  await expectFailure(
    () => model.fit(customers(20), { newClasses: 'drop' } as never),
    'ERR_DLADMM_ARGUMENT',
    /newClasses/,
  );
});

test('a column that all of the records lack is filled, and the report says so', async () => {
  const { report } = await model.fit(customers(20).map(({ plan: _, ...row }) => row));
  expect(report.warnings).toContainEqual(expect.stringMatching(/column "plan" is not there/));
});

test('a training that goes on can be interrupted, and goes on from its checkpoint', async () => {
  const x = customers(90).map(({ age }, i) => [age, Math.sin(i)]);
  const samples = { x, labels: x.map(([a = 0]) => (a > 45 ? 'b' : 'a')) };
  const first = (await fit(samples, { layers: [2, 4, 2], solver: 'adam', epochs: 1, standardise: true, threads: 1 }))
    .model;
  const options = { solver: 'adam', validationShare: 0, threads: 1 } as const;
  const more = { x: x.map(([a = 0, b = 0]) => [a + 3, b]), labels: samples.labels };
  const { model: whole } = await first.fit(more, { ...options, epochs: 4 });
  await first.fit(more, { ...options, epochs: 2, checkpoint: { path: path('more.checkpoint'), every: 1 } });
  const { model: resumed } = await resume(path('more.checkpoint'), more, { epochs: 4 });
  expect(parametersOf(resumed)).toEqual(parametersOf(whole as Model));
  expect(resumed.standardisation).toEqual(first.standardisation);
});

test('rows count for what their weights say, and classes too', async () => {
  const x = customers(80).map(({ age }, i) => [age, Math.sin(i)]);
  const samples = { x, labels: x.map(([a = 0]) => (a > 45 ? 'b' : 'a')) };
  const first = (await fit(samples, { layers: [2, 4, 2], solver: 'adam', epochs: 1, threads: 1 })).model;
  const options = { solver: 'adam', validationShare: 0, epochs: 2, threads: 1 } as const;
  const weights = samples.labels.map((label) => (label === 'b' ? 3 : 1));
  const { model: by } = await first.fit({ ...samples, weights } as never, options);
  const { model: plain } = await first.fit(samples, options);
  expect(parametersOf(by as Model)).not.toEqual(parametersOf(plain as Model));
  using learner = first.learner({ solver: 'adam', threads: 1 });
  await learner.partialFit({ ...samples, weights } as never);
  using other = first.learner({ solver: 'adam', threads: 1 });
  await other.partialFit(samples);
  expect(parametersOf((await learner.model()) as Model)).not.toEqual(parametersOf((await other.model()) as Model));
});
