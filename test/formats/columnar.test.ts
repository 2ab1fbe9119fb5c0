import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as zlib from 'node:zlib';
import { makeVector, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import type { CompressionCodec } from 'hyparquet';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { readTable } from '../../src/datasets/file.js';
import { parseArrow } from '../../src/formats/arrow.js';
import { parseCsv } from '../../src/formats/csv.js';
import type { CsvTable } from '../../src/formats/labels.js';
import { parseParquet } from '../../src/formats/parquet.js';
import { expectFailure, resultOrRefusal, temporaryFolder, withBit } from './support.js';

const a = [1.5, -2, 0.25, 1024];
const n = [3, 1, 2, 0];
const flag = [true, false, false, true];
const kind = ['oak', 'elm', 'oak', 'ash'];

const parquet = (columnData: ColumnSource[], options: object = {}): Uint8Array =>
  new Uint8Array(parquetWriteBuffer({ columnData, ...options }));

const COLUMNS: ColumnSource[] = [
  { name: 'a', data: a, type: 'FLOAT' },
  { name: 'flag', data: flag, type: 'BOOLEAN' },
  { name: 'kind', data: kind, type: 'STRING' },
];
const TABLE = new Table({
  a: makeVector(Float32Array.from(a)),
  flag: vectorFromArray(flag),
  kind: vectorFromArray(kind),
});
const PARQUET = parquet(COLUMNS);
const ARROW = tableToIPC(TABLE, 'file');

const want: CsvTable = {
  task: 'classification',
  x: { data: Float32Array.from(a.flatMap((value, i) => [value, flag[i] ? 1 : 0])), rows: 4, columns: 2 },
  columns: ['a', 'flag'],
  target: 'kind',
  classes: ['ash', 'elm', 'oak'],
  labels: Int32Array.of(2, 1, 2, 0),
};

describe('the same table is read from', () => {
  it('Parquet, in one group of rows or in several', async () => {
    expect(await parseParquet(PARQUET, 't.parquet')).toEqual(want);
    expect(await parseParquet(parquet(COLUMNS, { rowGroupSize: 1 }), 't.parquet')).toEqual(want);
    expect(await parseParquet(Buffer.from(PARQUET), 't.parquet')).toEqual(want);
  });

  it('Arrow, as a file, as a stream and in several batches', async () => {
    expect(await parseArrow(ARROW, 't.arrow')).toEqual(want);
    expect(await parseArrow(tableToIPC(TABLE, 'stream'), 't.arrow')).toEqual(want);
    const batches = TABLE.slice(0, 1).concat(TABLE.slice(1));
    expect(await parseArrow(tableToIPC(batches, 'file'), 't.arrow')).toEqual(want);
  });

  it('CSV', async () => {
    const lines = a.map((value, i) => `${value},${flag[i] ? 1 : 0},${kind[i]}`);
    expect(await parseCsv(Buffer.from(`a,flag,kind\n${lines.join('\n')}\n`), 't.csv')).toEqual(want);
  });

  it('any of them by content, packed or not, with what a model should know', async () => {
    const folder = await temporaryFolder();
    for (const bytes of [PARQUET, ARROW, tableToIPC(TABLE, 'stream'), zlib.gzipSync(PARQUET)]) {
      const path = join(folder, 'table');
      await writeFile(path, bytes);
      const { x, labels, classes } = want as Extract<CsvTable, { task: 'classification' }>;
      const columns = [{ name: 'a' }, { name: 'flag' }];
      expect(await readTable(path)).toEqual({
        ...{ task: 'classification', name: 'table', classes, columns },
        train: { x, labels, classes, columns },
      });
    }
  });
});

const both = (columns: Record<string, readonly (number | bigint | string | boolean | null)[]>) =>
  [
    ['Parquet', parseParquet, parquet(Object.entries(columns).map(([name, data]) => ({ name, data: [...data] })))],
    [
      'Arrow',
      parseArrow,
      tableToIPC(
        new Table(Object.fromEntries(Object.entries(columns).map(([name, data]) => [name, vectorFromArray(data)]))),
      ),
    ],
  ] as const;

describe('a column', () => {
  it('of doubles or wide integers keeps all its digits', async () => {
    for (const [, parse, bytes] of both({ x: [1 / 3, 1e-300], big: [2n ** 40n + 1n, -7n], y: ['a', 'b'] })) {
      expect((await parse(bytes, 't')).x.data).toEqual(Float64Array.of(1 / 3, 2 ** 40 + 1, 1e-300, -7));
    }
  });

  it('of labels may be named or numbered, hold numbers or targets, or be none', async () => {
    for (const [, parse, bytes] of both({ n, a, flag })) {
      expect(await parse(bytes, 't', { target: 'n' })).toMatchObject({
        task: 'classification',
        labels: Int32Array.from(n),
      });
      expect(await parse(bytes, 't', { target: 0 })).toMatchObject({ target: 'n' });
      expect(await parse(bytes, 't', { target: -2 })).toMatchObject({
        task: 'regression',
        y: { data: Float32Array.from(a) },
      });
      expect(await parse(bytes, 't')).toMatchObject({ classes: ['false', 'true'], labels: Int32Array.of(1, 0, 0, 1) });
      expect(await parse(bytes, 't', { target: null })).toMatchObject({
        task: 'unlabelled',
        columns: ['n', 'a', 'flag'],
      });
      await expectFailure(() => parse(bytes, 't', { target: 'm' }), 'ERR_DLADMM_ARGUMENT', /columns are n, a, flag/);
      await expectFailure(() => parse(bytes, 't', { target: 3 }), 'ERR_DLADMM_RANGE', /-3 to 2/);
    }
  });

  it('of texts is refused or becomes a column for each, and is read again as a model knows it', async () => {
    for (const [, parse, bytes] of both({ kind, n })) {
      await expectFailure(() => parse(bytes, 't'), 'ERR_DLADMM_FORMAT', /row 0, column "kind".*"oak".*one-hot/);
      const table = await parse(bytes, 't', { texts: 'one-hot' });
      expect([...table.x.data]).toEqual([0, 0, 1, 0, 1, 0, 0, 0, 1, 1, 0, 0]);
      const columns = [{ name: 'n' }, { name: 'kind', categories: ['oak', 'elm', 'ash'] }];
      const known = await parse(bytes, 't', { columns, target: null });
      expect([...known.x.data]).toEqual([3, 1, 0, 0, 1, 0, 1, 0, 2, 1, 0, 0, 0, 0, 0, 1]);
      const fewer = [{ name: 'kind', categories: ['oak', 'elm'] }];
      await expectFailure(
        () => parse(bytes, 't', { columns: fewer, target: null }),
        'ERR_DLADMM_LABEL',
        /one of oak, elm for row 3 of column "kind" of t but received "ash"/,
      );
    }
  });

  it.each([
    ['a missing value', { x: [1, null, 3], y: ['a', 'b', 'a'] }, /row 1, column "x".*missing/],
    ['a missing label', { x: [1, 2, 3], y: ['a', null, 'a'] }, /row 1, column "y".*missing/],
    ['NaN', { x: [1, 2, Number.NaN], y: ['a', 'b', 'a'] }, /row 2, column "x".*missing/],
    ['an integer beyond 2⁵³', { x: [1n, 2n ** 60n, 3n], y: ['a', 'b', 'a'] }, /row 1, column "x"/],
  ])('is refused for %s, with its place', async (_, columns, message) => {
    for (const [, parse, bytes] of both(columns)) {
      await expectFailure(() => parse(bytes, 't'), 'ERR_DLADMM_FORMAT', message);
    }
  });
});

describe('a Parquet file', () => {
  it('may be compressed by any codec but LZO, which is refused by name', async () => {
    const as = (codec: CompressionCodec, pack: (bytes: Uint8Array) => Uint8Array) =>
      parquet(COLUMNS, { codec, compressors: { [codec]: pack } });
    expect(await parseParquet(parquet(COLUMNS, { codec: 'UNCOMPRESSED' }), 't')).toEqual(want);
    expect(await parseParquet(as('GZIP', zlib.gzipSync), 't')).toEqual(want);
    const lzo = as('LZO', (bytes) => bytes);
    await expectFailure(
      () => parseParquet(lzo, 't'),
      'ERR_DLADMM_FORMAT',
      /column a is compressed by LZO; expected UNCOMPRESSED, SNAPPY.*zstd or snappy/,
    );
  });

  it('cut short anywhere is refused', async () => {
    for (let length = 4; length < PARQUET.length; length += 1) {
      await expectFailure(() => parseParquet(PARQUET.subarray(0, length), 't'), 'ERR_DLADMM_FORMAT');
    }
  });
});

describe('whatever becomes of a file', () => {
  it.each([
    ['Parquet', PARQUET, parseParquet, 600],
    ['Arrow', ARROW, parseArrow, 100],
    ['an Arrow stream', tableToIPC(TABLE, 'stream'), parseArrow, 100],
  ])('%s with a bit turned is a table of finite numbers or a refusal', async (_, bytes, parse, numRuns) => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 8 * bytes.length - 1 }), async (bit) => {
        const table = await resultOrRefusal(() => parse(withBit(bytes, bit), 't'));
        if (table === undefined) return;
        expect(table.x.data).toHaveLength(table.x.rows * table.x.columns);
        expect(table.x.data.every(Number.isFinite)).toBe(true);
      }),
      { numRuns },
    );
  });

  it('a count of rows that its values do not bear out is damage, and not millions of missing values', async () => {
    const bytes = await readFile(new URL('../fuzz/seeds/found/arrow-rows.bin', import.meta.url));
    await expectFailure(() => parseArrow(bytes, 't.arrow'), 'ERR_DLADMM_FORMAT', /column x has not 4194316 values/);
  });

  it('bytes that only begin like one are refused', async () => {
    for (const [magic, parse] of [
      ['PAR1', parseParquet],
      ['ARROW1\0\0', parseArrow],
      ['\xff\xff\xff\xff', parseArrow],
    ] as const) {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 80 }), fc.boolean(), async (rest, closed) => {
          const start = Buffer.from(magic, 'latin1');
          const bytes = Buffer.concat([start, rest, closed ? start.subarray(0, 4) : Buffer.alloc(0)]);
          await resultOrRefusal(() => parse(bytes, 't'));
        }),
        { numRuns: 200 },
      );
    }
  });
});
