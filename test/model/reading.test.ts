import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Table, vectorFromArray } from 'apache-arrow';
import { afterAll, describe, expect, test } from 'vitest';
import { importance } from '../../src/choosing.js';
import { packSamples } from '../../src/data.js';
import { fit, type Model } from '../../src/index.js';
import { expectFailure } from '../formats/support.js';

// What is said beside rows has a meaning for them, or is refused; and an abort ends what is done with them.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-reading-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const records = Array.from({ length: 60 }, (_, i) => ({
  size: i % 7,
  word: `w${i % 3}`,
  kind: i % 7 < 3 ? 'oak' : 'elm',
}));
const rows = records.map(({ size }, i) => [size, i % 5]);
const labels = records.map(({ kind }) => kind);
const some = { solver: 'adam', epochs: 2, threads: 1 } as const;
const learnt = (await fit(records, { ...some, target: 'kind' })).model as Model;
const hashed = (await fit(records, { ...some, target: 'kind', hash: 32 })).model as Model;
const plain = (await fit({ x: rows, labels }, { ...some, layers: [2, 4, 2] })).model as Model;
const named = (
  await fit({ x: records.map(({ size, kind }) => ({ size, kind })), labels: 'kind' }, { ...some, layers: [1, 4, 2] })
).model as Model;
const store = join(folder, 'rows.samples');
await packSamples(store, records, { target: 'kind' });
const file = join(folder, 'rows.csv');
writeFileSync(file, `size,word,kind\n${records.map(({ size, word, kind }) => `${size},${word},${kind}`).join('\n')}\n`);
const packed = (await fit(store, { ...some, target: 'kind' })).model as Model;

/** Two items, and then never another. */
async function* silent<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items.slice(0, 2);
  await new Promise(() => undefined);
}
const labelled = rows.map((x, i) => ({ x, label: labels[i] }));

describe('a signal', () => {
  test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['records are predicted from', (signal) => learnt.predict(silent(records), { signal })],
    ['records are judged by', (signal) => learnt.evaluate(silent(records), { signal })],
    ['texts are hashed', (signal) => hashed.predict(silent(records), { signal })],
    ['rows of numbers are predicted from', (signal) => plain.predict(silent(rows), { signal })],
    ['rows with labels are judged by', (signal) => plain.evaluate({ x: silent(labelled) as never }, { signal })],
    ['records without texts are predicted from', (signal) => named.predict(silent(records), { signal })],
    ['records without texts are judged by', (signal) => named.evaluate(silent(records), { signal })],
    ['some columns are passed over', (signal) => learnt.predict(silent(records), { signal, ignore: ['kind'] })],
    ['a threshold is chosen', (signal) => plain.tuneThreshold({ x: silent(labelled) as never }, 'f1', { signal })],
    ['columns are judged', (signal) => importance(named, silent(records), { signal })],
  ])('ends the wait for a stream while %s, with the rows so far', async (_, asked) => {
    const stop = new AbortController();
    const answer = asked(stop.signal);
    setTimeout(() => stop.abort(), 50);
    await expectFailure(() => answer, 'ERR_DLADMM_ABORTED', /after 2 rows/);
  });

  test.each<[string, (signal: AbortSignal) => Promise<unknown>]>([
    ['a record', (signal) => learnt.predict(records[0] as object, { signal })],
    ['a row', (signal) => plain.predict(rows[0] as number[], { signal })],
    ['records', (signal) => learnt.predict(records, { signal })],
    ['rows', (signal) => plain.predict(rows, { signal })],
    ['columns', (signal) => learnt.predict({ size: [1], word: ['w1'] }, { signal })],
    ['a stream', (signal) => plain.predict(silent(rows), { signal })],
    ['a file', (signal) => learnt.predict(file, { signal })],
    ['a store', (signal) => packed.predict(store, { signal })],
    ['a store to be judged by', (signal) => packed.evaluate(store, { signal })],
    ['rows to be judged by', (signal) => plain.evaluate({ x: rows, labels }, { signal })],
    ['records to be judged by', (signal) => named.evaluate(records, { signal })],
  ])('that was aborted before has %s not looked at', async (_, asked) => {
    await expectFailure(() => asked(AbortSignal.abort()), 'ERR_DLADMM_ABORTED', /was aborted/);
  });

  test.each(['predict', 'evaluate'] as const)('ends %s between two parts of many rows', async (what) => {
    const x = { data: new Float32Array(2 ** 22), rows: 2 ** 21, columns: 2 };
    const stop = new AbortController();
    const answer =
      what === 'predict'
        ? plain.predict(x, { signal: stop.signal })
        : plain.evaluate({ x, labels: new Int32Array(x.rows) }, { signal: stop.signal });
    setImmediate(() => stop.abort());
    await expectFailure(() => answer, 'ERR_DLADMM_ABORTED', /was aborted/);
  });
});

describe('what is said of columns', () => {
  test('passes them over in rows that come by name, wherever these lie', async () => {
    const known = await learnt.predict(records);
    async function* stream() {
      yield* records;
    }
    const twice = [...records].map((record) => ({ ...record, id: record.size > 2 ? undefined : 3 }));
    const columns = {
      size: records.map(({ size }) => size),
      word: records.map(({ word }) => word),
      id: records.map(() => 0),
    };
    for (const [rows, ignore] of [
      [twice, ['id']],
      [stream(), ['kind']],
      [columns, ['id']],
    ] as const)
      expect(await learnt.predict(rows as typeof records, { ignore, target: 'kind' } as never)).toEqual(known);
    expect(await learnt.predict(records[5] as object, { ignore: ['kind'] })).toEqual(
      await learnt.predict(records[5] as object),
    );
    expect(await hashed.predict(records, { ignore: ['kind'] })).toEqual(await hashed.predict(records));
    expect(await named.evaluate(records, { ignore: ['word'] })).toEqual(await named.evaluate(records));
  });

  test('tells two of one name apart, which a model cannot', async () => {
    const values = (of: (record: (typeof records)[number]) => number) => vectorFromArray(records.map(of));
    const table = new Table({ size: values(({ size }) => size), other: values(() => 0) });
    const [first, second] = table.schema.fields;
    const doubled = {
      numRows: table.numRows,
      schema: { fields: [first, { ...second, name: 'size' }] as never },
      getChild: (name: string) => table.getChild(name as 'size'),
    };
    await expectFailure(() => named.predict(doubled), 'ERR_DLADMM_ARGUMENT', /different names/);
    expect(await named.predict(doubled, { ignore: [1] })).toEqual(await named.predict(records));
  });

  test.each<[string, () => Promise<unknown>, RegExp]>([
    [
      'rows of numbers',
      () => plain.predict(rows, { ignore: ['a'] }),
      /Expected none, as these rows have no columns .* for ignore/,
    ],
    [
      'a matrix',
      () => plain.predict({ data: rows.flat(), rows: 60, columns: 2 } as never, { target: 'a' }),
      /for target/,
    ],
    ['a row', () => plain.predict(rows[0] as number[], { target: 'a' } as never), /for target/],
    ['sparse rows', () => plain.predict([{ indices: [0], values: [1] }] as never, { target: 'a' }), /for target/],
    ['a stream of rows', () => plain.predict(silent(rows), { ignore: ['a'] }), /Expected a record/],
    ['records, by a model without names', () => plain.predict(records, { ignore: ['a'] }), /keys have no order/],
    ['a store', () => packed.predict(store, { ignore: ['word'] }), /for ignore/],
    ['a store to be judged by', () => packed.evaluate(store, { ignore: ['word'] }), /for ignore/],
    ['rows with labels', () => plain.evaluate({ x: rows, labels }, { target: 'a' }), /for target/],
    ['a column that is not there', () => learnt.predict(records, { ignore: ['colour'] }), /colour/],
  ])('is refused of %s', async (_, asked, text) => {
    await expectFailure(asked, 'ERR_DLADMM_ARGUMENT', text);
  });
});

test.each<[string, () => Promise<unknown>]>([
  ['records', () => learnt.predict(records, { delimiter: ';' })],
  ['a record', () => learnt.predict(records[0] as object, { delimiter: ';' } as never)],
  ['rows', () => plain.predict(rows, { delimiter: ';' })],
  ['a stream', () => learnt.predict(silent(records), { delimiter: ';' })],
  ['a store', () => packed.predict(store, { delimiter: ';' })],
  ['records to be judged by', () => learnt.evaluate(records, { delimiter: ';' })],
  ['rows with labels', () => plain.evaluate({ x: rows, labels }, { delimiter: ';' })],
])('what is said of CSV is refused for %s', async (_, asked) => {
  await expectFailure(asked, 'ERR_DLADMM_ARGUMENT', /no delimiter, which is for CSV/);
});
