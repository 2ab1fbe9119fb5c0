import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { crossValidate, search } from '../../src/choosing.js';
import { readCsv } from '../../src/data.js';
import { fit, loadModel, Model, resume } from '../../src/index.js';

const error = (code: string, message: RegExp) =>
  expect.objectContaining({ code, message: expect.stringMatching(message) });

const ROWS = Array.from({ length: 200 }, (_, i) => ({
  age: 20 + (i % 50),
  plan: ['basic', 'pro'][i % 2] as string,
  churned: i % 50 > 20 ? 'yes' : 'no',
}));
const COLUMNS = {
  age: Float64Array.from(ROWS, ({ age }) => age),
  plan: ROWS.map(({ plan }) => plan),
  churned: ROWS.map(({ churned }) => churned),
};
const folder = pathToFileURL(`${await mkdtemp(join(tmpdir(), 'forms of rows '))}/`);
const file = new URL('customers.csv', folder);
await writeFile(file, `age,plan,churned\n${ROWS.map((row) => Object.values(row).join()).join('\n')}\n`);

async function* inBatches() {
  for (let i = 0; i < ROWS.length; i += 60) yield ROWS.slice(i, i + 60);
  yield [];
}

const options = { target: 'churned', hidden: [], epochs: 2, threads: 1 } as const;
const { model } = await fit(ROWS, options);
const said = [...(await model.predict(ROWS)).outputs.data];

declare const FORM: ReadonlyMap<string, readonly unknown[]>;
const FORMS = {
  'columns by their names': () => COLUMNS,
  'a Map of columns': () => new Map(Object.entries(COLUMNS)),
  'a stream of arrays of records': inBatches,
  'a file: URL': () => file,
} as const;

describe.each(Object.entries(FORMS))('rows may come as %s', (_, form) => {
  it('for predictions', async () => {
    expect([...(await model.predict(form() as typeof FORM)).outputs.data]).toEqual(said);
  });

  it('for an evaluation', async () => {
    expect(await model.evaluate(form())).toEqual(await model.evaluate(ROWS));
  });

  it('for a training, to the same model', async () => {
    const { model: made } = await fit(form() as never, { ...options, validation: form() as never });
    expect(made.weights).toEqual((await fit(ROWS, { ...options, validation: ROWS })).model.weights);
  });

  it('for a cross-validation', async () => {
    const { folds } = await crossValidate(form(), options, { folds: 2 });
    expect(folds.reduce((sum, { rows }) => sum + rows.length, 0)).toBe(ROWS.length);
  });

  it('to go on with', async () => {
    const { status } = await (model as Model).fit(form(), { epochs: 1 });
    expect(status.kind).toBe('completed');
  });
});

describe('columns by their names', () => {
  it('are many rows at once for predictSync too', () => {
    expect([...model.predictSync(COLUMNS).outputs.data]).toEqual(said);
  });

  it('are one length', async () => {
    const uneven = { age: [25], plan: ['pro', 'basic'] };
    await expect(model.predict(uneven)).rejects.toThrow(error('ERR_DLADMM_SHAPE', /1 values.*"plan"/));
    expect(() => model.predictSync(uneven)).toThrow(error('ERR_DLADMM_SHAPE', /1 values.*"plan"/));
  });
});

describe('samples with labels beside them', () => {
  const labels = ROWS.map(({ churned }) => churned);

  it.each(Object.entries({ target: 'churned', missing: 'error', bins: 3, delimiter: ';', ignore: ['age'] }))(
    'take no %s, which is for rows of columns',
    async (name, value) => {
      const told = { [name]: value, epochs: 1 };
      const refused = error('ERR_DLADMM_ARGUMENT', new RegExp(`none with samples.*${name}`));
      await expect(fit({ x: ROWS.map(({ age }) => [age]), labels }, told)).rejects.toThrow(refused);
    },
  );

  it('are rows of numbers: columns have their labels among them', async () => {
    const refused = error('ERR_DLADMM_ARGUMENT', /fit\(columns, { target }\)/);
    await expect(fit({ x: { age: COLUMNS.age, plan: COLUMNS.plan } as never, labels }, {})).rejects.toThrow(refused);
  });
});

describe('a URL', () => {
  it('names the file of a model, and of a table', async () => {
    const at = new URL('a model.safetensors', folder);
    await model.save(at);
    expect((await Model.load(at)).classes).toEqual(['no', 'yes']);
    expect((await loadModel(at)).kind).toBe('perceptron');
    expect((await readCsv(file, { target: 'churned', texts: 'one-hot' })).x.rows).toBe(ROWS.length);
  });

  it('names a checkpoint, and the file of a search', async () => {
    const [checkpoint, trials] = [new URL('a training.checkpoint', folder), new URL('trials of a search', folder)];
    const { model: made } = await fit(ROWS, { ...options, checkpoint: { path: checkpoint } });
    expect((await resume(checkpoint, ROWS, { epochs: 2 })).model.weights).toEqual(made.weights);
    const tried = () => search(ROWS, { ...options, hidden: [[]], l2: [0, 1] }, { trials: 1, folds: 2, resume: trials });
    expect((await tried()).trials).toEqual((await tried()).trials);
  });

  it('is refused where it is none of a file', async () => {
    const elsewhere = new URL('https://example.org/customers.csv');
    const refused = error('ERR_DLADMM_ARGUMENT', /a file: URL, or a path.*https:/);
    await expect(fit(elsewhere, options)).rejects.toThrow(refused);
    await expect(model.predict(elsewhere)).rejects.toThrow(refused);
    await expect(model.save(elsewhere)).rejects.toThrow(refused);
  });
});
