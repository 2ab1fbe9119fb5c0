import { createReadStream, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Bool, DateMillisecond, Float64, Table, tableToIPC, Utf8, vectorFromArray } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import { openSamples, packSamples } from '../../src/data.js';
import { readFrame } from '../../src/datasets/frame-file.js';
import { encoded } from '../../src/samples/encoded.js';
import { StoredSet } from '../../src/samples/stored.js';
import type { MatrixLike } from '../../src/tensor/inputs.js';
import { rowSource } from '../../src/tensor/inputs.js';
import { drills } from '../children/drills.js';
import { run } from '../children/run.js';
import { expectFailure } from '../formats/support.js';

// Columns that are packed lie in a file until they are encoded: what the store then has is what they are in memory, bit for bit.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-packed-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const path = (name: string): string => join(folder, name);
const filesWithout = async (...names: readonly string[]) =>
  (await readdir(folder)).filter((name) => !names.includes(name) && !name.endsWith('.samples'));

/** So many that columns are longer than what of them is kept in memory. */
const ROWS = 70_000;
const at = <T>(of: (i: number) => T): T[] => Array.from({ length: ROWS }, (_, i) => of(i));
const columns = {
  size: at((i) => Math.sin(i)),
  gap: at((i) => (i % 7 === 0 ? null : i % 5)),
  kind: at((i) => (i % 11 === 0 ? null : (['a', 'b', 'c'][i % 3] as string))),
  word: at((i) => `word ${(i * i) % 311} of it`),
  late: at((i) => (i < 40_000 ? String(i % 9) : 'none of these')),
  day: at((i) => new Date(1e12 + (i % 1000) * 864e5)),
  flag: at((i) => i % 4 === 1),
  price: at((i) => ['low', 'middle', 'high'][Math.floor(3 * Math.abs(Math.sin(i / 3)))] as string),
};
type Cell = number | string | boolean | Date | null;
const names = Object.keys(columns) as (keyof typeof columns)[];
const textOf = (value: Cell): string =>
  value === null ? '' : typeof value === 'object' ? value.toISOString() : String(value);
const record = (i: number) => Object.fromEntries(names.map((name) => [name, columns[name][i] as Cell]));

const csv = path('table.csv');
writeFileSync(
  csv,
  `${names.join(',')}\n${at((i) => names.map((name) => textOf(columns[name][i] as Cell)).join(',')).join('\n')}\n`,
);
const types = {
  ...{ size: new Float64(), gap: new Float64(), day: new DateMillisecond(), flag: new Bool() },
  ...{ kind: new Utf8(), word: new Utf8(), late: new Utf8(), price: new Utf8() },
};
const table = new Table(
  Object.fromEntries(names.map((name) => [name, vectorFromArray(columns[name] as never[], types[name])])) as never,
);
writeFileSync(path('table.arrow'), tableToIPC(table, 'file'));
const parquet = { size: 'DOUBLE', gap: 'DOUBLE', day: 'TIMESTAMP', flag: 'BOOLEAN' } as const;
const columnData = names.map((name) => ({
  ...{ name, data: columns[name] },
  type: parquet[name as keyof typeof parquet] ?? ('STRING' as const),
}));
writeFileSync(path('table.parquet'), new Uint8Array(parquetWriteBuffer({ columnData: columnData as never })));

async function* stream() {
  for (let i = 0; i < ROWS; i += 1) yield record(i);
}

const contentOf = async (file: string) => {
  using samples = await openSamples(file);
  const { x, labels } = await new StoredSet(samples).gathered(true);
  const source = rowSource(x as MatrixLike, samples.inputs, 'x');
  const { columns, classes, facts } = samples;
  return { columns, classes, labels, x: source.chunk(0, source.rows), cells: facts.cells };
};

describe('a table that is packed', () => {
  const packed = (async () => {
    await packSamples(path('csv.samples'), csv, { target: 'price' });
    return contentOf(path('csv.samples'));
  })();

  test('has the inputs that it has in memory, bit for bit', async () => {
    const { columns, labels, x, classes, cells } = await packed;
    expect(cells).toBe(true);
    const frame = await readFrame(csv);
    const { x: source } = await encoded(frame, columns ?? []);
    expect(Buffer.compare(Buffer.from(x.buffer), Buffer.from(source.chunk(0, ROWS).buffer))).toBe(0);
    expect([...(labels ?? [])].map((label) => classes?.[label as number])).toEqual(
      frame.columns.at(-1) && at((i) => record(i).price),
    );
    expect(
      columns?.map(({ name, fill, categories, buckets, date, bins }) => [
        name,
        fill !== undefined,
        !!(categories ?? buckets),
        !!date,
        !!bins,
      ]),
    ).toEqual([
      ['size', true, false, false, true],
      ['gap', true, false, false, true],
      ['kind', true, true, false, false],
      ['word', true, true, false, false],
      ['late', true, true, false, false],
      ['day', true, false, true, false],
      ['flag', true, false, false, false],
    ]);
  });

  test.each([
    ['a Parquet file', () => path('table.parquet')],
    ['an Arrow file', () => path('table.arrow')],
    ['a table of Arrow', () => table],
    ['records', () => at(record)],
    ['a stream of records', stream],
    ['columns', () => columns],
    ['a stream of its text', () => createReadStream(csv)],
  ])('is the same store as %s', async (_, rows) => {
    await packSamples(path('other.samples'), rows() as never, { target: 'price' });
    const [other, first] = [await contentOf(path('other.samples')), await packed];
    expect(other.columns).toEqual(first.columns);
    expect(other.labels).toEqual(first.labels);
    expect(Buffer.compare(Buffer.from(other.x.buffer), Buffer.from(first.x.buffer))).toBe(0);
  });

  test('leaves nothing beside the store', async () => {
    await packed;
    expect(await filesWithout('table.csv', 'table.arrow', 'table.parquet')).toEqual([]);
  });

  test('has whole places of texts and whole labels, however short its numbers are', async () => {
    const rows = at((i) => ({ a: Math.sin(i), word: `w${i % 3001}`, class: i % 3001 }));
    const options = { target: 'class', categories: 3500, precision: 'float16', task: 'classification' } as const;
    await packSamples(path('short.samples'), rows, options);
    const { columns, labels, x } = await contentOf(path('short.samples'));
    expect(labels).toEqual(Int32Array.from(rows, ({ class: label }) => label));
    const words = columns?.find(({ name }) => name === 'word')?.categories ?? [];
    const inputs = x.length / ROWS;
    const first = inputs - words.length - (columns?.at(-1)?.other ? 1 : 0) - (columns?.at(-1)?.indicator ? 1 : 0);
    expect(words.length).toBe(3001);
    for (const row of [2999, 3000, 6001]) expect(x[row * inputs + first + words.indexOf(`w${row % 3001}`)]).toBe(1);
  });
});

describe('what goes wrong while it is packed', () => {
  test('a file that may not grow so long is a typed error, and leaves nothing', async () => {
    const program = `
      import { packSamples } from ${JSON.stringify(new URL('../../dist/data.js', import.meta.url).href)};
      try { await packSamples('full.samples', 'table.csv', { target: 'price' }); } catch (error) { console.log(error.code, error.message); }`;
    for (const blocks of [100, 4000]) {
      const script = `cd "$1"; trap '' XFSZ; ulimit -f ${blocks}; exec "$0" --input-type=module -e "$2"`;
      const { stdout } = await run('sh', ['-c', script, process.execPath, folder, program]);
      expect(stdout).toMatch(/^ERR_DLADMM_FILE Could not write .*EFBIG/);
      expect((await readdir(folder)).filter((name) => /tmp|full/.test(name))).toEqual([]);
    }
  });

  const endless = {
    samples: async function* () {
      for (let i = 0; ; i += 1) {
        if (i % 100 === 0) await new Promise(setImmediate);
        yield { x: [i, 1], label: i % 2 };
      }
    },
    records: async function* () {
      for (let i = 0; ; i += 1) {
        if (i % 100 === 0) await new Promise(setImmediate);
        yield { a: i, y: i % 2 };
      }
    },
    silence: async function* () {
      yield { x: [1], label: 1 };
      await new Promise(() => undefined);
    },
  };

  test.each(Object.keys(endless) as (keyof typeof endless)[])('a signal ends a stream of %s', async (kind) => {
    const options = { ...(kind === 'records' && { target: 'y' }), signal: AbortSignal.timeout(100) };
    await expectFailure(() => packSamples(path('ended'), endless[kind]() as never, options), 'ERR_DLADMM_ABORTED');
    expect((await readdir(folder)).filter((name) => /tmp|ended/.test(name))).toEqual([]);
  });

  test('a stream is given back where what it brings is refused, and told of where it fails', async () => {
    let returned = 0;
    const rows = function* (last: unknown) {
      try {
        yield { x: [1], label: 0 };
        if (last === undefined) throw new Error('the database is gone');
        yield last;
      } finally {
        returned += 1;
      }
    };
    await expectFailure(() => packSamples(path('bad'), rows({ x: [1, 2], label: 0 }) as never), 'ERR_DLADMM_SHAPE');
    await expectFailure(
      () => packSamples(path('bad'), rows(undefined) as never),
      'ERR_DLADMM_STREAM',
      /item 1 .* the database is gone/,
    );
    await expectFailure(() => packSamples(path('bad'), rows(1) as never, { target: 'y' }), 'ERR_DLADMM_ARGUMENT');
    expect(returned).toBe(3);
  });

  const two = [
    { x: [1], label: 0 },
    { x: [2], label: 1 },
  ];
  test.each([
    [{ precison: 'float16' }, /did you mean precision/],
    [{ classes: ['a', 'b'] }, /Expected only/],
    [{ signal: 7 }, /an AbortSignal/],
    [{ ignore: ['x'] }, /rows of columns/],
    [null, /an object/],
  ])('refuses %o', async (options, text) => {
    await expectFailure(() => packSamples(path('no'), two as never, options as never), 'ERR_DLADMM_ARGUMENT', text);
    await expectFailure(
      () => packSamples(path('no'), { x: [[1], [2]], labels: [0, 1] }, options as never),
      'ERR_DLADMM_ARGUMENT',
      text,
    );
  });

  test.each([
    ['label', { x: [1], label: ['a', 'b'] }],
    ['labels[0]', { x: [[1], [2]], labels: [['a'], ['a', 'b']] }],
  ])('a stream of samples with lists of labels: refuses data[0].%s', async (name, item) => {
    for (const options of [{}, { task: 'multi-label' }] as const) {
      const { message } = await expectFailure(
        () => packSamples(path('no'), [item] as never, options),
        'ERR_DLADMM_ARGUMENT',
        /which is taken whole/,
      );
      expect(message).toContain(`for data[0].${name} but received an array`);
    }
  });

  test('a store is packed already', async () => {
    await packSamples(path('two.samples'), two as never);
    using open = await openSamples(path('two.samples'));
    for (const data of [open, path('two.samples')])
      await expectFailure(() => packSamples(path('two.samples'), data), 'ERR_DLADMM_ARGUMENT', /packed already/);
  });
});

describe('a file of cells', () => {
  test('that was cut at any length, or had a bit changed in any byte, is a typed error', async () => {
    const rows = at(record).slice(0, 24);
    await packSamples(path('cells.samples'), rows, { target: 'price' });
    const bytes = readFileSync(path('cells.samples'));
    expect(bytes.toString('latin1', 8, 24)).toBe('dladmm-samples-2');
    for (let i = 0; i < bytes.length; i += drills(4, 1)) {
      writeFileSync(path('damaged'), bytes.subarray(0, i));
      await expectFailure(() => contentOf(path('damaged')), 'ERR_DLADMM_FORMAT');
      const changed = Buffer.from(bytes);
      changed[i] = (changed[i] as number) ^ (1 << (i % 8));
      writeFileSync(path('damaged'), changed);
      await expectFailure(() => contentOf(path('damaged')), 'ERR_DLADMM_FORMAT');
    }
    rmSync(path('damaged'));
  });

  test('has what the first version wrote of the same table', async () => {
    const first = await contentOf(fileURLToPath(new URL('../fixtures/table-1.samples', import.meta.url)));
    const rows = Array.from({ length: 120 }, (_, i) => ({
      ...{
        size: i % 9 === 0 ? null : Math.sin(i),
        kind: ['a', 'b', 'c'][i % 3],
        day: `2024-0${1 + (i % 9)}-1${i % 7}`,
      },
      price: Math.cos(i) > 0 ? 'high' : 'low',
    }));
    await packSamples(path('second.samples'), rows, { target: 'price' });
    const second = await contentOf(path('second.samples'));
    expect([first.cells, second.cells]).toEqual([undefined, true]);
    expect(first.columns).toEqual(second.columns);
    expect(first.labels).toEqual(second.labels);
    expect(first.x).toEqual(Float64Array.from(second.x, Math.fround));
  });
});
