import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DlAdmmError, fit as fitModel, type Model, resume, type TrainingData } from '../../src/index.js';
import { slowly } from './support.js';

// Columns that have names are taken by them, wherever samples meet a model.

const COUNT = 200;
const RECORDS = Array.from({ length: COUNT }, (_, i) => {
  const [a, b] = [Math.sin(i), 5 + Math.cos(3 * i)];
  return { a, b, kind: i % 3 === 0 ? 'x' : 'y', label: b > 5 ? 'cat' : 'dog' };
});
/** The same with columns in another order. */
const TURNED = RECORDS.map(({ a, b, kind, label }) => ({ label, kind, b, a }));
const NUMBERS = RECORDS.map(({ a, b, label }) => ({ a, b, label }));
const TURNED_NUMBERS = RECORDS.map(({ a, b, label }) => ({ b, label, a }));
const labels = RECORDS.map(({ label }) => label);

/** A table by column. */
function tableOf(records: readonly Readonly<Record<string, unknown>>[]) {
  const names = Object.keys(records[0] ?? {});
  return {
    numRows: records.length,
    schema: { fields: names.map((name) => ({ name })) },
    getChild: (name: string) =>
      names.includes(name) ? { length: records.length, toArray: () => records.map((record) => record[name]) } : null,
  };
}

const rows = (names: readonly ('a' | 'b')[]) => RECORDS.map((record) => names.map((name) => record[name]));

/** The samples in every form, with columns in another order than that of the training. */
const FORMS: Readonly<Record<string, () => TrainingData>> = {
  'records in another order': () => ({ x: TURNED_NUMBERS, labels: 'label' }),
  'a stream of them': () => ({ x: slowly(TURNED_NUMBERS), labels: 'label' }),
  'a table of them': () => ({ x: tableOf(TURNED_NUMBERS), labels: 'label' }),
  'rows with their names': () => ({ x: rows(['b', 'a']), labels, columns: ['b', 'a'] }),
  'a stream of rows with their names': () => ({ x: slowly(rows(['b', 'a'])), labels, columns: ['b', 'a'] }),
  'more columns than it knows': () => ({ x: TURNED, labels: 'label' }),
};

const trained = async (data: TrainingData, options: object = {}): Promise<Model> =>
  (
    await fitModel(data, {
      ...{
        layers: [2, 16, 2],
        solver: 'adam',
        epochs: 60,
        learningRate: 0.02,
        batchSize: 20,
        threads: 1,
        standardise: true,
      },
      ...options,
    } as never)
  ).model as unknown as Model;
const STILL = { epochs: 1, learningRate: 1e-9 };
const accuracy = async (model: Model, data: TrainingData): Promise<number> =>
  (await model.evaluate(data)).accuracy ?? 0;

describe('a model that was trained on', () => {
  test.each(['records', 'a table', 'rows with names'])('%s takes columns by name', async (how) => {
    const data =
      how === 'records'
        ? { x: NUMBERS, labels: 'label' }
        : how === 'a table'
          ? { x: tableOf(NUMBERS), labels: 'label' }
          : { x: rows(['a', 'b']), labels, columns: ['a', 'b'] };
    const model = await trained(data);
    expect(await accuracy(model, data)).toBeGreaterThan(0.95);
    for (const form of Object.keys(FORMS)) {
      const fresh = FORMS[form] as () => TrainingData;
      expect([form, await accuracy(model, fresh())]).toEqual([form, await accuracy(model, data)]);
      const next = await trained(fresh(), { ...STILL, initialisation: model });
      expect([form, await accuracy(next, data)]).toEqual([form, await accuracy(model, data)]);
      expect(next.columns).toEqual(model.columns);
    }
    const [one, other] = [await model.predict(NUMBERS), await model.predict(TURNED_NUMBERS)];
    expect(other.outputs.data).toEqual(one.outputs.data);
  });

  test('categories takes them by name too, rows that are encoded already included', async () => {
    const options = { layers: [4, 16, 2] };
    const model = await trained({ x: RECORDS, labels: 'label', texts: 'one-hot' }, options);
    const before = await accuracy(model, { x: RECORDS, labels: 'label' });
    const next = await trained({ x: TURNED, labels: 'label' }, { ...options, ...STILL, initialisation: model });
    expect(await accuracy(next, { x: RECORDS, labels: 'label' })).toBe(before);
    const columns = [{ name: 'kind', categories: ['y', 'x'] }, { name: 'b' }, { name: 'a' }];
    const x = RECORDS.map(({ a, b, kind }) => [kind === 'y' ? 1 : 0, kind === 'x' ? 1 : 0, b, a]);
    expect(await accuracy(model, { x, labels, columns })).toBe(before);
  });

  test('some columns refuses samples without one of them, naming it', async () => {
    const model = await trained({ x: NUMBERS, labels: 'label' });
    const data = { x: rows(['a', 'b']), labels, columns: ['a', 'c'] };
    await expect(model.evaluate(data)).rejects.toMatchObject({ message: expect.stringMatching(/column "b".* a, c/) });
    await expect(trained(data, { initialisation: model })).rejects.toThrow(/column "b"/);
    await expect(
      trained({ x: RECORDS.map(({ a, label }) => ({ a, label })), labels: 'label' }, { initialisation: model }),
    ).rejects.toThrow(DlAdmmError);
  });

  test('some classes goes on with samples that have not all of them, by name', async () => {
    const model = await trained({ x: NUMBERS, labels: 'label' });
    const dogs = NUMBERS.filter(({ label }) => label === 'dog');
    const next = await trained({ x: dogs, labels: 'label' }, { ...STILL, initialisation: model });
    expect(next.classes).toEqual(['cat', 'dog']);
    expect(await accuracy(next, { x: NUMBERS, labels: 'label' })).toBe(
      await accuracy(model, { x: NUMBERS, labels: 'label' }),
    );
  });
});

describe('a model that was trained on rows without names', () => {
  const refusal = { code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(/rows as arrays .*columns/) };

  test('refuses records, whose order nobody has said', async () => {
    const model = await trained({ x: rows(['a', 'b']), labels });
    const bare = NUMBERS.map(({ a, b }) => ({ a, b }));
    await expect(model.predict(bare)).rejects.toMatchObject(refusal);
    await expect(model.predict(slowly(bare))).rejects.toMatchObject(refusal);
    await expect(model.evaluate({ x: NUMBERS, labels: 'label' })).rejects.toMatchObject(refusal);
    await expect(trained({ x: NUMBERS, labels: 'label' }, { initialisation: model })).rejects.toMatchObject(refusal);
    await expect(model.fit({ x: NUMBERS, labels: 'label' })).rejects.toMatchObject(refusal);
    await expect(model.learner().partialFit({ x: NUMBERS, labels: 'label' })).rejects.toMatchObject(refusal);
    const test = { x: NUMBERS, labels: 'label' };
    await expect(trained({ x: rows(['a', 'b']), labels, test })).rejects.toMatchObject(refusal);
    await expect(trained({ x: rows(['a', 'b']), labels, validation: test })).rejects.toMatchObject(refusal);
  });

  test('takes them where there is but one column', async () => {
    const x = RECORDS.map(({ b }) => [b]);
    const model = await trained({ x, labels }, { layers: [1, 8, 2] });
    const { data } = (await model.predict(x)).outputs;
    expect((await model.predict(RECORDS.map(({ b }) => ({ b })))).outputs.data).toEqual(data);
  });
});

test('a checkpoint goes on with columns by name', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'dladmm-names-'));
  const path = join(folder, 'run.checkpoint');
  const options = { layers: [2, 4, 2], solver: 'adam', threads: 1 } as const;
  await fitModel({ x: NUMBERS, labels: 'label' }, { ...options, epochs: 3, checkpoint: { path, every: 3 } });
  const { model } = await fitModel({ x: NUMBERS, labels: 'label' }, { ...options, epochs: 6 });
  const resumed = await resume(path, { x: TURNED_NUMBERS, labels: 'label' }, { epochs: 6 });
  expect(resumed.model.weights).toEqual(model.weights);
  rmSync(folder, { recursive: true });
});

describe('keys that samples have not', () => {
  const x = [[0, 1], [1, 0]]; // biome-ignore format: one line
  const labels = [0, 1];
  const options = { layers: [2, 2], iterations: 1, threads: 1 } as const;
  test.each([
    ['valid', { x, labels, valid: { x, labels } }, /received valid: .*did you mean validation\?/],
    ['lables', { x, lables: labels }, /did you mean labels\?/],
    [
      'a key of validation',
      { x, labels, validation: { x, label: labels } },
      /validation but received label: .*did you mean labels\?/,
    ],
    ['a key of test', { x, labels, test: { x, labels, validation: 1 } }, /test but received validation/],
  ])('are refused: %s', async (_, data, message) => {
    await expect(fitModel(data as TrainingData, options)).rejects.toMatchObject({
      code: 'ERR_DLADMM_ARGUMENT',
      message: expect.stringMatching(message),
    });
  });

  test('are refused by evaluate, and on graphs', async () => {
    const { model } = await fitModel({ x, labels }, options);
    await expect(model.evaluate({ x, labels, sampleWeights: [1, 1] } as never)).rejects.toThrow(
      /received sampleWeights/,
    );
    const adjacency = { rows: 2, columns: 2, rowPointers: [0, 1, 2], columnIndices: [1, 0] };
    const graph = { adjacency, features: x, labels, trainIndex: [0], trainMask: [1] };
    await expect(fitModel(graph as never, { layers: [2, 2], iterations: 1 } as never)).rejects.toThrow(
      /received trainMask/,
    );
  });
});

test('two classes of one name are refused', async () => {
  const data = { x: [[0], [1]], labels: [0, 1] };
  const options = { layers: [1, 2], iterations: 1, threads: 1 } as const;
  const refusal = { code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(/name of its own .*"a"/) };
  await expect(fitModel(data, { ...options, classes: ['a', 'a'] })).rejects.toMatchObject(refusal);
  await expect(fitModel({ ...data, classes: ['a', 'a'] }, options)).rejects.toMatchObject(refusal);
});

test('a name whose accent is written as a sign of its own is told as a slip', async () => {
  const records = RECORDS.map(({ a, b, label }) => ({ ['é'.normalize('NFC')]: a, b, label }));
  const { model } = await fitModel(records, { target: 'label', hidden: [4], epochs: 1, solver: 'adam', threads: 1 });
  const other = { ['é'.normalize('NFD')]: 1, b: 5 };
  await expect((model as Model).predict(other)).rejects.toThrow(/did you mean/);
});
