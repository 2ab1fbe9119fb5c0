import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import type { RecordLike } from '../../src/data.js';
import { type ErrorCode, fit } from '../../src/index.js';
import { drills } from '../children/drills.js';

// Whatever the rows are, there is an error of a code, or a word in the report, that names the column.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-front-bad-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(folder, name), content);
  return join(folder, name);
};

const COUNT = 100;
const ROWS = Array.from({ length: COUNT }, (_, i) => {
  const [age, plan] = [20 + ((i * 37) % 60), ['basic', 'pro', 'team'][i % 3] as string];
  return { age, spend: 50 + 40 * Math.sin(i), plan, churned: age > 45 ? 'yes' : 'no' };
});
const QUICK = { target: 'churned', threads: 1, epochs: 2, hidden: [3] } as const;
const each = (more: (row: (typeof ROWS)[number], i: number) => object): readonly RecordLike[] =>
  ROWS.map((row, i) => ({ ...row, ...more(row, i) }));

const train = (rows: unknown, options: object = {}) => fit(rows as never, { ...QUICK, ...options } as never);

async function* broken(): AsyncGenerator<object> {
  yield* ROWS.slice(0, 5);
  throw new Error('hung up');
}
async function* nothing(): AsyncGenerator<object> {}
const CSV = ['age,plan,churned', ...ROWS.map(({ age, plan, churned }) => `${age},${plan},${churned}`)].join('\n');
/** A stream of a CSV that ends in the middle, as that of a server does which goes away. */
const halfway = (error?: Error): Readable =>
  new Readable({
    read() {
      this.push(CSV.slice(0, 300));
      this.destroy(error);
    },
  });
const PARQUET = readFileSync(new URL('../fixtures/columnar/duckdb-snappy.parquet', import.meta.url));

describe('refused by name', () => {
  test.each<[string, unknown, object, ErrorCode, RegExp]>([
    ['a constant target', each(() => ({ churned: 'no' })), {}, 'ERR_DLADMM_LABEL', /two classes.*"churned"/],
    ['a constant value', each(() => ({ churned: 2.5 })), {}, 'ERR_DLADMM_LABEL', /vary.*"churned"/],
    ['one row', ROWS.slice(0, 1), {}, 'ERR_DLADMM_LABEL', /two classes.*"churned"/],
    ['a target all missing', each(() => ({ churned: null })), {}, 'ERR_DLADMM_LABEL', /"churned".*all 100 are missing/],
    [
      'a target missing in some rows',
      each((r, i) => ({ churned: i % 10 === 4 ? '' : r.churned })),
      {},
      'ERR_DLADMM_LABEL',
      /"churned".*10 of 100 .* row 4/,
    ],
    [
      'an infinite target',
      each((_, i) => ({ churned: i === 5 ? Infinity : i / 7 })),
      {},
      'ERR_DLADMM_NON_FINITE',
      /row 5 of column "churned"/,
    ],
    ['a target of dates', each((_, i) => ({ churned: new Date(i * 1e9) })), {}, 'ERR_DLADMM_LABEL', /"churned".*dates/],
    [
      'a target that names rows',
      each((_, i) => ({ churned: `u${i}` })),
      {},
      'ERR_DLADMM_LABEL',
      /"churned".*identifier/,
    ],
    ['a target that is not there', ROWS, { target: 'chruned' }, 'ERR_DLADMM_ARGUMENT', /did you mean churned\?/],
    ['no target', ROWS, { target: undefined }, 'ERR_DLADMM_ARGUMENT', /column to predict .*age, spend/],
    [
      'a few texts among numbers',
      each((_, i) => ({ age: i === 5 ? 'oops' : i * 1.5 })),
      {},
      'ERR_DLADMM_ARGUMENT',
      /"age".*99 numbers.*"oops" in row 5/,
    ],
    [
      'a few texts among dates',
      each((_, i) => ({ day: i === 7 ? '2024-02-31' : `2024-03-${10 + (i % 20)}` })),
      {},
      'ERR_DLADMM_ARGUMENT',
      /"day".*99 dates.*"2024-02-31" in row 7/,
    ],
    [
      'an infinite cell',
      each((r, i) => ({ age: i === 5 ? -Infinity : r.age })),
      {},
      'ERR_DLADMM_NON_FINITE',
      /row 5 of column "age"/,
    ],
    [
      'an object in some cells',
      each((_, i) => ({ more: i === 3 ? {} : i * 1.5 })),
      {},
      'ERR_DLADMM_ARGUMENT',
      /row 3 of column "more".*ignore/,
    ],
    [
      'a column of objects that is asked for',
      each(() => ({ more: {} })),
      { columns: ['age', 'more'] },
      'ERR_DLADMM_ARGUMENT',
      /row 0 of column "more"/,
    ],
    ['a target of objects', each(() => ({ churned: {} })), {}, 'ERR_DLADMM_ARGUMENT', /row 0 of column "churned"/],
    ['a text in place of a list', ROWS, { ignore: 'age' }, 'ERR_DLADMM_ARGUMENT', /array of columns.*ignore.*"age"/],
    ['the same of features', ROWS, { columns: 'age' }, 'ERR_DLADMM_ARGUMENT', /array of columns.*columns.*"age"/],
    ['what missing values cannot become', ROWS, { missing: 'mean' }, 'ERR_DLADMM_ARGUMENT', /'impute' or 'error'/],
    [
      'a value that is too large',
      each((_, i) => ({ churned: 1e300 * i })),
      {},
      'ERR_DLADMM_NON_FINITE',
      /row 1 of column "churned"/,
    ],
    [
      'a count below 0',
      each((_, i) => ({ churned: (i % 7) - (i === 7 ? 1 : 0) })),
      { loss: 'poisson' },
      'ERR_DLADMM_RANGE',
      /from 0, as the loss is poisson.*row 7 of column "churned"/,
    ],
    [
      'numbers too far apart',
      each((_, i) => ({ age: i % 2 ? 1e308 : -1e308 })),
      {},
      'ERR_DLADMM_RANGE',
      /column "age"/,
    ],
    ['columns of other lengths', { age: [1, 2], churned: ['no'] }, {}, 'ERR_DLADMM_SHAPE', /2 values.*"churned"/],
    [
      'Maps for records',
      ROWS.map((row) => new Map(Object.entries(row))),
      {},
      'ERR_DLADMM_ARGUMENT',
      /record.*data\[0\]/,
    ],
    ['pieces of text', [Buffer.from('a,b')], {}, 'ERR_DLADMM_ARGUMENT', /stream of text.*data\[0\]/],
    ['all columns ignored', ROWS, { ignore: ['age', 'spend', 'plan'] }, 'ERR_DLADMM_SHAPE', /ignore leaves none/],
    [
      'nothing but the target',
      ROWS.map(({ churned }) => ({ churned })),
      {},
      'ERR_DLADMM_SHAPE',
      /none beside the target/,
    ],
    [
      'an ignored column that is not there',
      ROWS,
      { ignore: ['agee'] },
      'ERR_DLADMM_ARGUMENT',
      /did you mean age\?.* ignore/,
    ],
    [
      'a column that is not there',
      ROWS,
      { columns: ['spent'] },
      'ERR_DLADMM_ARGUMENT',
      /did you mean spend\?.* columns/,
    ],
    ['the target among the features', ROWS, { columns: ['age', 'churned'] }, 'ERR_DLADMM_ARGUMENT', /"churned"/],
    [
      'nothing but identifiers',
      ROWS.map(({ churned }, i) => ({ id: i, key: `k${(i * 7919) % 997}`, churned })),
      {},
      'ERR_DLADMM_SHAPE',
      /"id" seems.*"key" seems/,
    ],
    [
      'missing values where they are refused',
      each((r, i) => ({ age: i === 9 ? null : r.age })),
      { missing: 'error' },
      'ERR_DLADMM_ARGUMENT',
      /row 9 of column "age"/,
    ],
    ['no rows', [], {}, 'ERR_DLADMM_SHAPE', /at least one row/],
    ['records without keys', [{}, {}], {}, 'ERR_DLADMM_ARGUMENT', /records with keys/],
    ['a stream of nothing', nothing(), {}, 'ERR_DLADMM_SHAPE', /at least one row/],
    ['a stream that ends early', broken(), {}, 'ERR_DLADMM_STREAM', /row 5 was to come: hung up/],
    ['a record that is none', [...ROWS, null], {}, 'ERR_DLADMM_ARGUMENT', /data\[100\]/],
    ['rows without names', [[1, 2]], {}, 'ERR_DLADMM_ARGUMENT', /a record.*data\[0\]/],
    ['a promise', Promise.resolve(ROWS), {}, 'ERR_DLADMM_ARGUMENT', /Promise/],
    ['nothing at all', null, {}, 'ERR_DLADMM_ARGUMENT', /records, a table/],
    [
      'layers of other widths',
      ROWS,
      { hidden: undefined, layers: [9, 3, 2] },
      'ERR_DLADMM_SHAPE',
      /Expected 14-…-2.*hidden/,
    ],
    [
      'validation rows of other columns',
      ROWS,
      { validation: file('other.csv', 'age,churned\n1,no\n') },
      'ERR_DLADMM_ARGUMENT',
      /"spend" in .*other\.csv/,
    ],
    [
      'test rows of another class',
      ROWS,
      { test: [{ ...ROWS[0], churned: 'maybe' }] },
      'ERR_DLADMM_LABEL',
      /row 0 of column "churned" of test.*"maybe"/,
    ],
    ['an empty file', file('empty.csv', ''), {}, 'ERR_DLADMM_FORMAT', /empty/],
    ['a file of names alone', file('names.csv', 'age,churned\n'), {}, 'ERR_DLADMM_FORMAT', /no-header/],
    ['a stream of a CSV that fails', halfway(new Error('gone')), {}, 'ERR_DLADMM_STREAM', /CSV stream failed: gone/],
    ['a stream of a CSV that closes early', halfway(), {}, 'ERR_DLADMM_STREAM', /CSV stream failed: Premature close/],
    [
      'a stream of a CSV cut in a row',
      Readable.from([Buffer.from(`${CSV}\n12`)], { objectMode: false }),
      {},
      'ERR_DLADMM_FORMAT',
      /line 102.*3 cells/,
    ],
    ['a text for a stream', Readable.from([CSV]), {}, 'ERR_DLADMM_ARGUMENT', /objectMode: false/],
    [
      'a gzipped file cut short',
      file('cut.csv.gz', gzipSync(CSV).subarray(0, -9)),
      {},
      'ERR_DLADMM_FORMAT',
      /truncated gzip/,
    ],
    [
      'a Parquet file cut short',
      file('cut.parquet', PARQUET.subarray(0, -9)),
      {},
      'ERR_DLADMM_FORMAT',
      /cut\.parquet.*PAR1/,
    ],
    [
      'a Parquet file without its target',
      file('whole.parquet', PARQUET),
      {},
      'ERR_DLADMM_ARGUMENT',
      /column of .*whole\.parquet/,
    ],
    ['a file cut short', file('cut.csv', 'age,churned\n1,no\n2\n'), {}, 'ERR_DLADMM_FORMAT', /line 3.*2 cells/],
  ])('%s', async (_, rows, options, code, message) => {
    await expect(train(rows, options)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
  });
});

describe('told in the report', () => {
  test.each<[string, unknown, RegExp]>([
    ['a column all missing', each(() => ({ note: null })), /"note".*all its values are missing/],
    [
      'numbers and texts',
      each((_, i) => ({ mix: i % 2 ? i % 7 : `x${i % 5}` })),
      /"mix" holds 50 numbers and 50 others/,
    ],
    [
      'dates and texts',
      each((_, i) => ({ mix: i % 2 ? '2024-01-01' : 'later' })),
      /"mix" holds 50 dates and 50 others/,
    ],
    ['dates and numbers', each((_, i) => ({ mix: i % 2 ? new Date(0) : i % 3 })), /"mix" holds 50 /],
    ['booleans and texts', each((_, i) => ({ mix: i % 2 ? true : 'maybe' })), /"mix" holds 50 booleans/],
    ['booleans and numbers', each((_, i) => ({ mix: i % 2 ? true : i % 5 })), /"mix" holds numbers and true and false/],
    ['NaN', each((r, i) => ({ age: i % 5 ? r.age : Number.NaN })), /"age": 16 of 80 values are missing/],
    [
      'dates that are none',
      each((_, i) => ({ day: new Date(i % 2 ? i * 1e9 : Number.NaN) })),
      /"day": \d+ of 80 values are missing/,
    ],
    [
      'records of other keys',
      ROWS.map((row, i) => (i % 2 ? row : { age: row.age, churned: row.churned })),
      /"plan": \d+ of 80 values/,
    ],
    ['a class of one row', each((r, i) => ({ churned: i === 7 ? 'rare' : r.churned })), /"churned".*"rare" has 1 row/],
    ['a column that never varies', each(() => ({ same: 1 })), /"same".*never varies/],
    ['an identifier', each((_, i) => ({ id: i })), /"id" seems to be an identifier/],
    ['a column of objects', each(() => ({ more: {} })), /"more" is left out.*row 0/],
    ['a column of symbols', each(() => ({ more: Symbol('s') })), /"more" is left out.*row 0/],
    [
      'codes',
      each((_, i) => ({ zip: `0${1000 + (i % 7)}` })),
      /"zip": some of its numbers \("01000"\).*taken for texts/,
    ],
    ['a few codes among numbers', each((_, i) => ({ zip: i % 50 ? '12345' : '01234' })), /"zip".*begin with zeros/],
    ['shares in percent', each((_, i) => ({ rate: `${i % 30}.5 %` })), /"rate".*look like numbers \("0\.5 %"\)/],
    ['amounts with their currency', each((_, i) => ({ paid: `$1,${100 + (i % 9)}` })), /"paid".*look like numbers/],
    ['decimal commas', each((_, i) => ({ paid: `${i % 30},5` })), /"paid".*look like numbers/],
    ['dates in another form', each((_, i) => ({ day: `${1 + (i % 12)}/13/2024` })), /"day".*look like dates/],
    ['times of day', each((_, i) => ({ at: `${i % 24}:30` })), /"at".*look like times/],
  ])('%s', async (_, rows, message) => {
    const { report } = await train(rows);
    expect(report.warnings.join('\n')).toMatch(message);
    expect(String(report)).toMatch(message);
  });

  test('texts of test rows that the training set did not have', async () => {
    const { report } = await train(ROWS, { test: each(() => ({ plan: 'new' })).slice(0, 30) });
    expect(report.warnings.join('\n')).toMatch(/"plan": none of its texts/);
    expect(report.test).toMatchObject({ samples: 30 });
  });

  test.each(['yes and no', '192.168.1.1', '1.2.3', 'B12', '12 Main Street', '+', '$'])(
    'nothing of texts such as %s',
    async (text) => {
      const { report } = await train(each((_, i) => ({ note: i % 3 ? text : 'other' })));
      expect(report.warnings).toEqual([]);
    },
  );

  test('what cannot be read says nothing where it is not wanted', async () => {
    const odd = each((_, i) => ({ more: i === 4 ? {} : Number.POSITIVE_INFINITY }));
    const { model, report } = await train(odd, { ignore: ['more'] });
    expect(report.warnings).toEqual([]);
    expect(await model.evaluate(odd)).toEqual(await model.evaluate(ROWS));
  });

  test('keys that every object has are keys like others', async () => {
    const odd = ROWS.map((row, i) => (i % 2 ? { ...row, constructor: i % 5 ? 'ferrari' : 'lotus', toString: i } : row));
    const { model, report } = await train(odd);
    expect(report.warnings.join('\n')).toMatch(/"constructor": \d+ of 80 values are missing/);
    const { age, spend, plan } = ROWS[0] as (typeof ROWS)[number];
    const asked = { age, spend, plan };
    const told = await model.predict({ ...asked, constructor: null, toString: null } as never);
    expect(await model.predict(asked)).toEqual(told);
    expect(model.predictSync(asked)).toEqual(told);
    expect((await model.predict([asked])).outputs.data).toEqual(Float32Array.from(told.outputs));
    const proto = JSON.parse(JSON.stringify(ROWS).replaceAll('"plan"', '"__proto__"'));
    expect((await train(proto)).model.columns?.map(({ name }) => name)).toEqual(['age', 'spend', '__proto__']);
  });

  test('columns by their names, and a Readable of text, are tables', async () => {
    const { model } = await train(ROWS);
    const names = ['age', 'spend', 'plan', 'churned'] as const;
    const columns = Object.fromEntries(names.map((name) => [name, ROWS.map((row) => row[name])]));
    const csv = file('rows.csv', [names.join(','), ...ROWS.map((row) => names.map((name) => row[name]))].join('\n'));
    const wanted = await model.evaluate(ROWS);
    for (const rows of [columns, new Map(Object.entries(columns)), csv, createReadStream(csv)]) {
      expect(await model.evaluate(rows as never)).toEqual(wanted);
    }
    for (const rows of [columns, new Map(Object.entries(columns)), createReadStream(csv)]) {
      expect((await train(rows)).model.weights).toEqual(model.weights);
    }
    expect((await model.predict(new Map(Object.entries(columns)))).labels).toHaveLength(COUNT);
    expect((await model.predict(createReadStream(csv))).labels).toHaveLength(COUNT);
  });

  const WIDE = drills(2e4, 1e5);
  test(`${WIDE} columns are taken`, async () => {
    const wide = ROWS.slice(0, 20).map(({ churned }, i) => {
      const record: Record<string, unknown> = { churned };
      for (let j = 0; j < WIDE; j += 1) record[`c${j}`] = (i * j) % 7;
      return record;
    });
    expect((await train(wide, { epochs: 1 })).report.layers[0]).toBeGreaterThan(0.8 * WIDE);
  }, 60_000);
});

test.each([{}, { loss: 'hinge', calibrate: true }])('a stop before the first iteration, by %j', async (options) => {
  const stop = new AbortController();
  async function* stopping(): AsyncGenerator<object> {
    yield* each(({ age }) => ({ churned: age > 45 }));
    stop.abort();
  }
  const result = await train(stopping(), { ...options, signal: stop.signal });
  expect(result).toMatchObject({ status: { kind: 'aborted' }, iterations: 0 });
  expect(() => result.report).toThrow('The signal was aborted before there was a report');
});

describe('samples of numbers', () => {
  const x = ROWS.map(({ age, spend }) => [age, spend]);
  const fitted = (data: object, options: object = {}) =>
    fit(data as never, { ...QUICK, target: undefined, validationShare: 0.2, ...options } as never);

  test('says that labels are no values', async () => {
    const message = expect.stringMatching(
      /rows of values, as these are to be learnt, for data\.y but received undefined/,
    );
    await expect(fitted({ x, labels: x.map((_, i) => i % 2) }, { loss: 'squared-error' })).rejects.toMatchObject({
      ...{ code: 'ERR_DLADMM_ARGUMENT', message },
    });
  });

  test.each<[string, object, ErrorCode, string]>([
    ['no samples', { x: [], labels: [] }, 'ERR_DLADMM_SHAPE', 'at least one sample in data.x'],
    ['no values', { x, y: [] }, 'ERR_DLADMM_SHAPE', 'at least one sample in data.y'],
    ['rows of nothing', { x: [[]], labels: ['a'] }, 'ERR_DLADMM_SHAPE', 'at least one number for data.x[0]'],
    ['a constant value', { x, y: x.map(() => 2.5) }, 'ERR_DLADMM_LABEL', 'vary for data.y but received 2.5'],
    ['the same packed', { x, y: new Float32Array(COUNT) }, 'ERR_DLADMM_LABEL', 'vary for data.y but received 0'],
    ['one of two values', { x, y: x.map(([age]) => [age, 1]) }, 'ERR_DLADMM_LABEL', 'vary for data.y but received 1'],
    ['a value too large', { x, y: x.map((_, i) => 1e300 * i) }, 'ERR_DLADMM_NON_FINITE', 'row 1 of data.y'],
    [
      'one class',
      { x, labels: x.map(() => 'no') },
      'ERR_DLADMM_LABEL',
      'two classes for data.labels but received "no"',
    ],
    ['lists that are all the same', { x, labels: x.map(() => ['a']) }, 'ERR_DLADMM_LABEL', 'vary for data.labels'],
    ['a label too few', { x, labels: x.slice(1).map((_, i) => i % 2) }, 'ERR_DLADMM_SHAPE', '100 of them'],
    [
      'a label that is no class',
      { x, labels: x.map((_, i) => (i === 50 ? 0.5 : i % 2)) },
      'ERR_DLADMM_LABEL',
      'labels[50]',
    ],
    ['a text among labels', { x, labels: x.map((_, i) => (i === 50 ? 'a' : i % 2)) }, 'ERR_DLADMM_LABEL', 'labels[50]'],
    [
      'a number among names',
      { x, labels: x.map((_, i) => (i === 50 ? 1 : `c${i % 2}`)) },
      'ERR_DLADMM_LABEL',
      'labels[50]',
    ],
    ['labels that are no array', { x, labels: { length: 2 ** 50 } }, 'ERR_DLADMM_ARGUMENT', 'array of class numbers'],
    ['no labels', { x, labels: [] }, 'ERR_DLADMM_SHAPE', 'data.labels but received 0'],
    ['a value too few', { x, y: x.slice(1) }, 'ERR_DLADMM_SHAPE', 'data.y but received 99'],
    ['two values a sample, packed', { x, y: Float32Array.from({ length: 200 }) }, 'ERR_DLADMM_SHAPE', '100 of them'],
  ])('%s: refused', async (_, data, code, message) => {
    await expect(fitted(data)).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  test('what is no target of layers that are named is told by its place among all', async () => {
    const named = { hidden: undefined, layers: [2, 3, 1], loss: 'poisson' };
    const counts = x.map((_, i) => i % 7);
    await expect(fitted({ x, y: counts.with(50, Number.NaN) }, named)).rejects.toThrow('NaN in row 50');
    await expect(fitted({ x, y: counts.with(50, -1) }, named)).rejects.toThrow('row 50, column 0 of data.y');
    const classes = { hidden: undefined, layers: [2, 3, 2] };
    await expect(fitted({ x, labels: counts.map((n) => n % 2).with(50, 2) }, classes)).rejects.toThrow(
      'data.labels[50]',
    );
  });

  test.each<[string, unknown, object, string]>([
    ['a text', 'rare', {}, '"rare"'],
    ['a number', 5, {}, '"5"'],
    ['a number that has a name', 2, { classes: ['no', 'yes', 'maybe'] }, '"maybe"'],
  ])('a class of one sample, by %s: told in the report', async (_, rare, options, name) => {
    const labels = ROWS.map(({ age, churned }, i) => (i === 7 ? rare : rare === 'rare' ? churned : Number(age > 45)));
    const { report } = await fitted({ x, labels }, options);
    expect(report.warnings).toEqual([
      expect.stringContaining(`data.labels: the class ${name} has 1 row, none of which`),
    ]);
  });
});

describe('what Python writes as None', () => {
  test.each([0, 1, COUNT - 1])('is missing among numbers, though the first of them stand in row %d', async (first) => {
    const rows = each((r, i) => ({ age: i === first || i % 9 === 4 ? 'None' : r.age }));
    const { model, report } = await train(rows, { validationShare: 0 });
    expect(report.warnings.join('\n')).toMatch(/"age": 1[12] of 100 values are missing/);
    expect(model.columns?.[0]).toMatchObject({ name: 'age', indicator: true });
  });

  test.each([0, 5])('is a text among texts, though the first stands in row %d', async (first) => {
    const rows = each((r, i) => ({ plan: i === first || i % 9 === 7 ? 'None' : r.plan }));
    const { model, report } = await train(rows, { validationShare: 0 });
    expect(report.warnings).toEqual([]);
    expect(model.columns?.[2]?.categories).toEqual(['None', 'basic', 'pro', 'team']);
  });
});

describe('a model, told something odd,', () => {
  const model = train(ROWS).then((result) => result.model);

  test('takes a key that is not there for a missing value, and passes over what it does not know', async () => {
    const own = await model;
    const full = { age: null, spend: 50, plan: 'pro' };
    const { age: _, ...less } = full;
    expect(await own.predict({ ...less, other: {} })).toEqual(await own.predict(full));
    expect(own.predictSync(less)).toEqual(own.predictSync(full));
    expect(await own.predict([less])).toEqual(await own.predict([full]));
    expect((await own.evaluate(each(() => ({ age: undefined })))).warnings).toBeUndefined();
    const evaluation = await own.evaluate(ROWS.map(({ age, ...row }) => row));
    expect(String(evaluation)).toMatch(/note: column "age" is not there/);
  });

  test.each<[string, unknown, RegExp]>([
    ['a misspelt key', { agee: 1, spend: 2, plan: 'pro' }, /"age" in x.*did you mean agee\?/],
    ['no key of its own', { foo: 1 }, /"age" in x/],
    ['a text for a number', { age: 'old', spend: 1, plan: 'pro' }, /number.*column "age".*"old"/],
    ['an infinite number', { age: Infinity, spend: 1, plan: 'pro' }, /finite.*column "age"/],
    ['an object', { age: {}, spend: 1, plan: 'pro' }, /number.*column "age"/],
  ])('refuses %s', async (_, record, message) => {
    const own = await model;
    const refusal = { message: expect.stringMatching(message), name: 'DlAdmmError' };
    await expect(own.predict(record as never)).rejects.toMatchObject(refusal);
    await expect(own.predict([ROWS[0], record] as never)).rejects.toMatchObject(refusal);
    expect(() => own.predictSync(record as never)).toThrow(message);
  });

  test('reads whatever one that fills in reads, where missing values are refused', async () => {
    const odd = ROWS.map((row, i) => ({
      ...row,
      age: `${row.age}.50`,
      since: new Date(i * 1e9),
      code: i % 4 ? 'x' : 7,
    }));
    const { model: own } = await train(odd, { missing: 'error' });
    const { model: filling } = await train(odd);
    const { churned: _, ...asked } = odd[9] as (typeof odd)[number];
    for (const record of [
      asked,
      { ...asked, age: ' 31 ' },
      { ...asked, code: 'new' },
      { ...asked, since: '2001-09-09' },
    ]) {
      const told = await filling.predict(record as never);
      expect(await own.predict(record as never)).toEqual(told);
      expect(own.predictSync(record as never)).toEqual(told);
    }
    expect((await own.evaluate(odd)).accuracy).toBe((await filling.evaluate(odd)).accuracy);
    for (const [key, value] of [
      ['age', null],
      ['age', 'NA'],
      ['code', Number.NaN],
      ['code', '?'],
      ['since', ''],
    ] as const) {
      await expect(own.predict({ ...asked, [key]: value } as never)).rejects.toThrow(
        `column "${key}" of x but received a missing value`,
      );
    }
    await expect(own.evaluate([{ ...odd[0], plan: '' }] as never)).rejects.toThrow('row 0 of column "plan"');
  });

  test('refuses files without a column of its own, and tells of one whose texts are all new', async () => {
    const own = await model;
    await expect(own.predict(file('lacks.csv', 'age,spend\n1,2\n'))).rejects.toThrow(/"plan" in .*lacks\.csv/);
    const strange = each(() => ({ plan: 'new' }));
    expect((await own.evaluate(strange as never)).warnings?.join()).toMatch(/"plan": none of its texts/);
    const warned = new Promise<Error>((resolve) => void process.once('warning', resolve));
    await own.predict(file('strange.csv', 'age,spend,plan\n1,2,new\n'));
    expect((await warned).message).toMatch(/"plan": none of its texts/);
    await expect(own.evaluate(null as never)).rejects.toMatchObject({ code: 'ERR_DLADMM_ARGUMENT' });
  });
});
