/** Files that are not quite tables: each is read as its writer meant it, or refused in words that help. */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  openSamples,
  packSamples,
  readArrow,
  readCsv,
  readIdx,
  readNpy,
  readNpz,
  readParquet,
  readTable,
} from '../../src/data.js';
import { readGraph } from '../../src/graph.js';
import { fit, loadModel, readCheckpoint, resume } from '../../src/index.js';
import { importOnnx, importStateDict } from '../../src/onnx.js';
import { expectFailure } from './support.js';

const folder = mkdtempSync(join(tmpdir(), 'helping-'));
let count = 0;

function fileOf(content: string | Uint8Array): string {
  count += 1;
  const path = join(folder, `${count}.csv`);
  writeFileSync(path, content);
  return path;
}

const BODY = Array.from({ length: 40 }, (_, i) => `${(i % 7) / 4},${i % 3},${i % 2 ? 'a' : 'b'}`).join('\n');
const TABLE = `x,y,label\n${BODY}\n`;
const labelled = (label: (i: number) => string): string =>
  `x,label\n${Array.from({ length: 40 }, (_, i) => `${i % 7}.5,${label(i)}\n`).join('')}`;

it.each([
  ['lines that begin with #', `# made by hand\n# in 2020, at home\n${TABLE}`, ['x', 'y']],
  ['a line with # that names the columns', `# x,y,label\n${BODY}\n`, ['# x', 'y']],
  ['such a line below others', `# made by hand\n# x,y,label\n${BODY}\n`, ['# x', 'y']],
  ["Excel's first line in quotation marks", `"sep=,"\r\n${TABLE}`, ['x', 'y']],
])('%s above a table is no row of it', async (_, text, names) => {
  const path = fileOf(text);
  const { columns, x } = await readCsv(path, { target: 'label' });
  expect([x.rows, columns]).toEqual([40, names]);
});

it.each([
  ['a title', `My table\n${TABLE}`, 'line 2: expected 1 cell, as above, but found 3: a title above the names'],
  ['a line below it', `${TABLE}(40 rows)\n`, 'line 42: expected 3 cells, as above, but found 1: what is no row'],
  ['a row of units', `x,y,label\ncm,kg,-\n${BODY}\n`, 'found "cm", where 40 cells hold numbers'],
  ['another delimiter', TABLE.replaceAll(',', '^'), 'the only one is "x^y^label"; delimiter says what stands'],
  ['an open quotation mark', TABLE.replace('\n0', '\n"0'), 'line 2: not CSV: a quotation mark is opened in this row'],
  [
    'a quotation mark in a cell',
    TABLE.replace('b\n', 'b"c\n'),
    'line 2: not CSV: a quotation mark stands within a cell',
  ],
  [
    'two kinds of labels',
    labelled((i) => (i % 3 ? 'abc' : '3')),
    'holds 14 numbers and 26 texts, and here "3": task: \'classification\'',
  ],
  ['zero bytes', new Uint8Array(4096), 'is a file of zero bytes, which is not read here: a copy or a download'],
])('%s is refused in words that help', async (_, content, words) => {
  await expectFailure(() => readCsv(fileOf(content)), 'ERR_DLADMM_FORMAT', words);
});

it('a table that is one column, as by a wrong delimiter, says so whatever is in it', async () => {
  for (const text of [TABLE, labelled((i) => String(i))]) {
    const work = () => fit(fileOf(text), { target: -1, delimiter: '^' });
    await expectFailure(
      work,
      'ERR_DLADMM_SHAPE',
      'label" alone: delimiter (--delimiter) says what stands between cells',
    );
  }
});

it('a long gzipped file is read as it is unpacked, and one that was cut off is refused', async () => {
  // Few cells of many digits: it is the bytes that make it long.
  const rows = 2 ** 18;
  const lines = `${'0.125'.padEnd(64, '0')},1,a\n${'3.'.padEnd(64, '0')},2,b\n`;
  const packed = gzipSync(`x,y,label\n${lines.repeat(rows / 2)}`, { level: 0 });
  const { x, columns } = await readCsv(fileOf(packed));
  expect([x.rows, columns, x.data.at(-1)]).toEqual([rows, ['x', 'y'], 2]);
  const cut = fileOf(packed.subarray(0, -1000));
  for (const read of [readCsv, readTable]) await expectFailure(() => read(cut), 'ERR_DLADMM_FORMAT', 'gzip');
});

it('letters that stand alone in a text are not taken for Cyrillic', async () => {
  const bytes = Buffer.from(
    labelled((i) => (i % 2 ? 'caf\xe9' : 'g\xf6')),
    'latin1',
  );
  await expectFailure(() => readCsv(fileOf(bytes)), 'ERR_DLADMM_FORMAT', "encoding: 'windows-1252'");
});

it('fractions that were asked to be classes are told to be targets', async () => {
  const path = fileOf(labelled((i) => (i % 2 ? '.5' : '1')));
  await expectFailure(
    () => readCsv(path, { task: 'classification' }),
    'ERR_DLADMM_LABEL',
    "found 0.5: task: 'regression'",
  );
  const samples = { x: [[1], [2]], labels: [0.5, 1] };
  await expectFailure(() => fit(samples), 'ERR_DLADMM_LABEL', 'numbers that are no classes are values: y');
  await expectFailure(() => fit({ x: [[1], [2]], labels: [1n, 2n] as never }), 'ERR_DLADMM_LABEL', 'bigint');
});

it('a text among numbers to come close to is named, not the first row', async () => {
  const path = fileOf(labelled((i) => (i === 5 || i > 30 ? 'far' : String(i / 2))));
  await expectFailure(() => fit(path, { target: 'label', task: 'regression' }), 'ERR_DLADMM_LABEL', /line 7 .*"far"/);
});

it('a target of which nothing is there says to name another', async () => {
  const path = fileOf('x,note\n1,\n2,\n3,\n');
  await expectFailure(() => fit(path, { target: 'note' }), 'ERR_DLADMM_LABEL', 'name another column by target');
});

describe('a column cannot be left out and be', () => {
  it.each(['label', 2, -1])('the target (%s)', async (place) => {
    const path = fileOf(TABLE);
    const options = { target: 'label', ignore: [place] };
    const words = 'columns other than the target (target names another) for ignore but received "label"';
    for (const work of [
      () => fit(path, options),
      () => packSamples(join(folder, 'left.samples'), path, options),
      () => readCsv(path, { target: 'label', ignore: [place] }),
    ])
      await expectFailure(work, 'ERR_DLADMM_ARGUMENT', words);
  });

  it('a feature', async () => {
    const path = fileOf(TABLE);
    const words = 'columns other than those that columns names for ignore but received "x"';
    for (const work of [
      () => fit(path, { target: 'label', columns: ['x'], ignore: ['x'] }),
      () => readCsv(path, { target: 'label', columns: ['x'], ignore: ['x'] }),
    ])
      await expectFailure(work, 'ERR_DLADMM_ARGUMENT', words);
  });
});

const READERS: Readonly<Record<string, (path: string) => Promise<unknown>>> = {
  ...{ readCsv, readTable, readNpy, readNpz, readIdx, readParquet, readArrow, readGraph },
  resume: (path) => resume(path, { x: [[1]], labels: [0] }),
  ...{ loadModel, importOnnx, importStateDict, readCheckpoint, openSamples },
};

describe.each(Object.entries(READERS))('%s', (name, read) => {
  it('says of an address what helps, of a folder and a device that they are none', async () => {
    for (const path of ['https://example.com/a.csv', 's3://bucket/a'])
      await expectFailure(() => read(path), 'ERR_DLADMM_FILE', 'it is an address', 'fetch it first');
    await expectFailure(() => read('file:///a.csv'), 'ERR_DLADMM_FILE', 'leave file:// out');
    await expectFailure(() => read(folder), 'ERR_DLADMM_FILE', /folder|regular file/);
    await expectFailure(() => read('/dev/zero'), 'ERR_DLADMM_FILE', /device|regular file/);
  });

  it('says of an empty file that it is empty, and of text which reader reads it', async () => {
    await expectFailure(() => read(fileOf('')), 'ERR_DLADMM_FORMAT', 'empty');
    if (/Csv|Table/.test(name)) return;
    await expectFailure(() => read(fileOf(TABLE)), 'ERR_DLADMM_FORMAT', 'is text, as CSV is');
  });
});

describe('packing', () => {
  it('takes no store, onto itself least of all', async () => {
    const store = join(folder, 'own.samples');
    await packSamples(store, fileOf(TABLE), { target: 'label' });
    using opened = await openSamples(store);
    for (const data of [store, opened])
      await expectFailure(
        () => packSamples(store, data),
        'ERR_DLADMM_ARGUMENT',
        'a store, whose samples are packed already',
      );
  });

  it('names the item of a stream as the stream has it', async () => {
    async function* items(odd: object) {
      for (let i = 0; i < 3; i += 1) yield { x: [[1], [2]], labels: [0, 1], ...(i === 2 && odd) };
    }
    const pack = (odd: object) => () => packSamples(join(folder, 'odd.samples'), items(odd) as never);
    await expectFailure(pack({ labels: [0] }), 'ERR_DLADMM_SHAPE', 'for data[2].labels but received 1');
    await expectFailure(pack({ x: [[1], [NaN]] }), 'ERR_DLADMM_NON_FINITE', 'for data but received NaN in row 5');
  });
});
