/** What the columns of Parquet and Arrow files mean, type by type; the files are written by others where that can be. */
import { readFileSync } from 'node:fs';
import {
  Binary,
  Bool,
  type DataType,
  DateDay,
  Decimal,
  Dictionary,
  DurationMillisecond,
  Field,
  FixedSizeList,
  Float16,
  Float32,
  Float64,
  Int32,
  Int64,
  IntervalYearMonth,
  LargeUtf8,
  List,
  Null,
  Struct,
  Table,
  TimeMicrosecond,
  TimestampNanosecond,
  TimestampSecond,
  tableToIPC,
  Uint32,
  Uint64,
  Utf8,
  type Vector,
  vectorFromArray,
} from 'apache-arrow';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { parseArrow } from '../../src/formats/arrow.js';
import { parseParquet } from '../../src/formats/parquet.js';
import { expectFailure } from './support.js';

const fixture = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../fixtures/columnar/${name}`, import.meta.url)));
const alone = (name: string) => ({ target: null, columns: [{ name }] });

describe('a Parquet file of DuckDB', () => {
  it.each(['snappy', 'zstd', 'gzip', 'brotli', 'lz4_raw'])(
    'packed by %s has its numbers and its classes',
    async (codec) => {
      const bytes = fixture(`duckdb-${codec}.parquet`);
      const columns = ['f', 'i', 'big', 'dec', 'flag', 't'].map((name) => ({ name }));
      const table = await parseParquet(bytes, 't', { columns, target: 'kind' });
      expect(table).toMatchObject({ task: 'classification', classes: ['ash', 'elm', 'oak'] });
      const row = (i: number) => [i / 2, i, i * 1000000007, i + 0.25, i % 2 === 0 ? 1 : 0, (i % 24) * 3600 + 1800.5];
      expect([...table.x.data]).toEqual(Array.from({ length: 40 }, (_, i) => row(i)).flat());
    },
  );

  it('has lists of one length as a column for each of their places', async () => {
    const columns = ['e[0]', 'e[2]', 'l[1]'].map((name) => ({ name }));
    const { x } = await parseParquet(fixture('nested.parquet'), 't', { columns, target: null });
    expect([...x.data.slice(9, 12)]).toEqual([3, 5, 1.5]);
  });

  it.each([
    ['s', /column "s" holds a nested type/],
    ['m', /nested/],
    ['ll', /nested/],
    ['lt', /lists of what is no number/],
    ['iv', /interval/],
    ['u', /row 0, column "u"/],
  ])('is refused for column %s, unless it is not asked for', async (name, message) => {
    await expectFailure(() => parseParquet(fixture('nested.parquet'), 't', alone(name)), 'ERR_DLADMM_FORMAT', message);
    expect((await parseParquet(fixture('nested.parquet'), 't', alone('hu'))).x.data).toHaveLength(8);
  });

  it('says of dates that they are none of numbers', async () => {
    for (const name of ['ts', 'd'])
      await expectFailure(
        () => parseParquet(fixture('duckdb-zstd.parquet'), 't', alone(name)),
        'ERR_DLADMM_FORMAT',
        /dates/,
      );
  });
});

describe('a Parquet file of pyarrow', () => {
  it('has decimals as numbers, beside texts too', async () => {
    const { columns } = await parseParquet(fixture('pyarrow-decimal.parquet'), 't', { texts: 'one-hot' });
    expect(columns.map((column) => (typeof column === 'string' ? column : column.name))).toEqual(['d', 'c', 'a', 'b']);
    expect(columns[0]).toBe('d');
  });

  it('has times of day in seconds, whatever their unit', async () => {
    const { x } = await parseParquet(fixture('pyarrow-time.parquet'), 't', alone('t'));
    expect(new Set(x.data)).toEqual(new Set([36_000]));
  });
});

/** A table of one column and labels, as an Arrow file and as a stream. */
async function readColumn(values: Vector, label: string | null = null): Promise<unknown[]> {
  const table = new Table({
    c: values,
    y: vectorFromArray(Array.from({ length: values.length }, (_, i) => `${i % 2}`)),
  });
  const options = { target: label, ...(label === null ? { columns: [{ name: 'c' }] } : { texts: 'one-hot' as const }) };
  const read = await parseArrow(tableToIPC(table, 'file'), 't', options);
  expect(await parseArrow(tableToIPC(table, 'stream'), 't', options)).toEqual(read);
  return label === null ? [...read.x.data] : 'classes' in read ? [...read.classes] : [];
}

const decimals = (scale: number, values: readonly bigint[]): Vector => {
  const words = values.flatMap((value) => {
    const bits = BigInt.asUintN(128, value);
    return [0n, 32n, 64n, 96n].map((shift) => Number((bits >> shift) & 0xffffffffn));
  });
  return vectorFromArray(
    values.map((_, i) => Uint32Array.from(words.slice(4 * i, 4 * i + 4))),
    new Decimal(scale, 30, 128),
  );
};

describe('an Arrow column', () => {
  const noon = new Date('2024-01-01T12:00:00Z');

  it.each<[string, Vector, readonly number[]]>([
    ['Float16', vectorFromArray([1, 0.5, -2], new Float16()), [1, 0.5, -2]],
    ['Bool', vectorFromArray([true, false], new Bool()), [1, 0]],
    ['Int64', vectorFromArray([2n ** 53n - 1n, -7n], new Int64()), [2 ** 53 - 1, -7]],
    ['Uint32', vectorFromArray([2 ** 32 - 1, 0], new Uint32()), [2 ** 32 - 1, 0]],
    ['Uint64', vectorFromArray([1n, 2n ** 53n - 1n], new Uint64()), [1, 2 ** 53 - 1]],
    ['Time64<MICROSECOND>', vectorFromArray([36_000_500_000n, 0n], new TimeMicrosecond()), [36_000.5, 0]],
    ['Duration<MILLISECOND>', vectorFromArray([1500n, -1000n], new DurationMillisecond()), [1.5, -1]],
    ['Decimal', decimals(2, [57n, -110n, 3n * 10n ** 20n]), [0.57, -1.1, 3e18]],
    ['Dictionary of numbers', vectorFromArray([5, 6, 5], new Dictionary(new Float64(), new Int32())), [5, 6, 5]],
  ])('of %s is one of numbers', async (_, values, want) => {
    expect(await readColumn(values)).toEqual(want);
  });

  it('of lists is a column for each of their places', async () => {
    const item = new Field('item', new Float32());
    for (const type of [new FixedSizeList(2, item), new List(item)]) {
      const table = new Table({
        e: vectorFromArray(
          [
            [1, 2],
            [3, 4.5],
          ],
          type as DataType,
        ),
      });
      const read = await parseArrow(tableToIPC(table), 't', { target: null });
      expect(read.columns).toEqual(['e[0]', 'e[1]']);
      expect([...read.x.data]).toEqual([1, 2, 3, 4.5]);
    }
    const ragged = new Table({ e: vectorFromArray([[1, 2], [3]], new List(item) as DataType) });
    await expectFailure(
      () => parseArrow(tableToIPC(ragged), 't', { target: null }),
      'ERR_DLADMM_FORMAT',
      /row 1, column "e".*2 numbers.*found 1/,
    );
    const none = new Table({ e: vectorFromArray([[], []], new List(item) as DataType) });
    await expectFailure(
      () => parseArrow(tableToIPC(none), 't', { target: null }),
      'ERR_DLADMM_FORMAT',
      /the first is empty/,
    );
  });

  it.each<[string, Vector]>([
    ['Utf8', vectorFromArray(['b', 'a'], new Utf8())],
    ['LargeUtf8', vectorFromArray(['b', 'a'], new LargeUtf8())],
    ['a dictionary', vectorFromArray(['b', 'a'])],
  ])('of texts in %s has its classes', async (_, values) => {
    expect(await readColumn(values, 'c')).toEqual(['a', 'b']);
  });

  it.each<[string, Vector, RegExp]>([
    ['dates', vectorFromArray([noon], new DateDay()), /a number but found "\d.*takes dates/],
    ['timestamps', vectorFromArray([noon.getTime()], new TimestampSecond()), /a number but found "\d.*takes dates/],
    [
      'timestamps with a zone',
      vectorFromArray([noon.getTime()], new TimestampNanosecond('Europe/Paris')),
      /a number but found "\d.*takes dates/,
    ],
    ['bytes', vectorFromArray([Uint8Array.of(1)], new Binary()), /holds binary/],
    ['structs', vectorFromArray([{ a: 1 }], new Struct([new Field('a', new Float32())])), /holds struct/],
    ['intervals', vectorFromArray([Int32Array.of(1)], new IntervalYearMonth()), /holds interval/],
    ['nothing', vectorFromArray([null], new Null()), /row 0, column "c".*missing/],
    ['a missing boolean', vectorFromArray([true, null], new Bool()), /row 1, column "c".*missing/],
  ])('of %s is refused', async (_, values, message) => {
    await expectFailure(() => readColumn(values), 'ERR_DLADMM_FORMAT', message);
  });

  it('that has the name of another keeps its own values', async () => {
    const child = vectorFromArray([1, 2], new Float64());
    const [first, second] = [new Field('a', new Float64()), new Field('b', new Float64())];
    const table = new Table({ a: child, b: vectorFromArray([0.5, 0.25], new Float64()) });
    expect(table.schema.fields.map(({ name }) => name)).toEqual([first.name, second.name]);
    const bytes = Buffer.from(tableToIPC(table, 'stream'));
    // The name stands once in the bytes of the schema: `b`, with its length before it.
    const at = bytes.indexOf(Buffer.from([1, 0, 0, 0, 0x62]));
    expect(at).toBeGreaterThan(0);
    bytes[at + 4] = 0x61;
    const read = await parseArrow(bytes, 't', { target: null }).catch((error: Error) => error.message);
    if (typeof read === 'string') expect(read).toMatch(/both called "a"/);
    else expect([...read.x.data]).toEqual([1, 0.5, 2, 0.25]);
  });
});

describe('rows that pandas has numbered', () => {
  const columns: ColumnSource[] = [
    { name: 'a', data: [1, 2, 3], type: 'DOUBLE' },
    { name: 'y', data: ['n', 'm', 'n'], type: 'STRING' },
    { name: 'id', data: [7, 5, 9], type: 'INT32' },
  ];
  const withIndex = (index: unknown, name = 'id'): Uint8Array =>
    new Uint8Array(
      parquetWriteBuffer({
        columnData: columns.map((column) => (column.name === 'id' ? { ...column, name } : column)),
        kvMetadata: [{ key: 'pandas', value: JSON.stringify({ index_columns: index }) }],
      }),
    );

  it.each([
    ['by the file', withIndex(['id'])],
    ['by the name alone', withIndex([{ kind: 'range' }], '__index_level_0__')],
  ])('are neither features nor labels, as told %s', async (_, bytes) => {
    expect(await parseParquet(bytes, 't')).toMatchObject({ columns: ['a'], target: 'y', classes: ['m', 'n'] });
  });

  it('are read where they are asked for, and an index that is none changes nothing', async () => {
    const texts = { texts: 'one-hot' } as const;
    expect(await parseParquet(withIndex(['id']), 't', { target: 'id', ...texts })).toMatchObject({ target: 'id' });
    expect((await parseParquet(withIndex(['id']), 't', alone('id'))).x.data).toEqual(Float32Array.of(7, 5, 9));
    const { columns: all } = await parseParquet(withIndex([{ kind: 'range' }]), 't', { target: 'y' });
    expect(all).toEqual(['a', 'id']);
  });

  it('in an Arrow file are told in the same way', async () => {
    const table = new Table({ a: vectorFromArray([1, 2]), id: vectorFromArray([7, 5]) });
    table.schema.metadata.set('pandas', JSON.stringify({ index_columns: ['id'] }));
    expect((await parseArrow(tableToIPC(table), 't', { target: null })).columns).toEqual(['a']);
  });
});
