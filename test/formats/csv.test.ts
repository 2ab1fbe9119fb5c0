import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CsvOptions, parseCsv, readCsv } from '../../src/formats/csv.js';
import { expectFailure, resultOrRefusal, temporaryFolder } from './support.js';

const read = (text: string, options: CsvOptions = {}, name = 'file.csv') => parseCsv(Buffer.from(text), name, options);

describe('a table', () => {
  it('has its features and, last, its label', async () => {
    expect(await read('1,2.5,0\n-3,4e1,2\n')).toEqual({
      task: 'classification',
      x: { data: Float32Array.of(1, 2.5, -3, 40), rows: 2, columns: 2 },
      columns: ['column 1', 'column 2'],
      target: 'column 3',
      labels: Int32Array.of(0, 1),
      classes: ['0', '2'],
    });
  });

  it('names its columns if the first row has no number and the second has', async () => {
    const table = await read('width,height,kind\n1,2,a\n3,4,b\n');
    expect(table).toMatchObject({ columns: ['width', 'height'], target: 'kind' });
    expect(table.x.rows).toBe(2);
  });

  it('calls a column without a name by its place', async () => {
    expect(await read(',x,,kind\n0,1,5,2\n')).toMatchObject({ columns: ['column 1', 'x', 'column 3'], target: 'kind' });
  });

  it('has no header if its first row has a number', async () => {
    const table = await read('1,2,b\n3,4,a\n');
    expect(table).toMatchObject({
      columns: ['column 1', 'column 2'],
      classes: ['a', 'b'],
      labels: Int32Array.of(1, 0),
    });
  });

  it('takes a header where it is told that there is one or none', async () => {
    expect(await read('1,2\n3,4\n', { header: true })).toMatchObject({ columns: ['1'], x: { rows: 1 } });
    await expectFailure(() => read('a,b\n3,4\n', { header: false }), 'ERR_DLADMM_FORMAT', 'line 1, column 1');
  });

  it('may have its label anywhere', async () => {
    const text = 'kind,width,height\n1,2,3\n0,5,6\n';
    for (const label of ['kind', 0, -3])
      expect(await read(text, { target: label })).toMatchObject({
        columns: ['width', 'height'],
        target: 'kind',
        labels: Int32Array.of(1, 0),
        x: { data: Float32Array.of(2, 3, 5, 6) },
      });
  });

  it('may have no label', async () => {
    expect(await read('a,b\n1,2\n', { target: null })).toEqual({
      task: 'unlabelled',
      columns: ['a', 'b'],
      x: { data: Float32Array.of(1, 2), rows: 1, columns: 2 },
    });
  });

  it('may be so wide that its names alone are longer than what shows how it is written', async () => {
    const names = Array.from({ length: 20_000 }, (_, i) => `c${i}`);
    const row = (k: number): string => names.map((_, i) => (i * 7 + k) % 10).join(';');
    const text = `${names.join(';')};label\n${[0, 1, 2].map((k) => `${row(k)};${'xyx'[k]}\n`).join('')}`;
    const table = await read(text);
    expect(table).toMatchObject({ columns: names, target: 'label', classes: ['x', 'y'], x: { rows: 3 } });
    expect((await read(text, { columns: table.columns.map((name) => ({ name: String(name) })) })).x).toEqual(table.x);
  });

  it('has no more columns than a table has', async () => {
    const endless = '1,'.repeat(2 ** 20 + 1);
    await expect(read(endless)).rejects.toThrow(/expected at most 1048576 columns but its first line has more/);
  });

  it('may have one row', async () => {
    expect(await read('1,2,0')).toMatchObject({ x: { rows: 1, columns: 2 }, labels: Int32Array.of(0) });
  });

  it('may be separated otherwise, quoted, spaced, and end its lines in any way', async () => {
    const want = { data: Float32Array.of(1, 2, 3, 4), rows: 2, columns: 2 };
    const texts: readonly (readonly [string, CsvOptions?, string?])[] = [
      ['1;2;0\n3;4;1', { delimiter: ';' }],
      ['1 2 0\n3 4 1', { delimiter: ' ' }],
      ['1\t2\t0\n3\t4\t1', {}, 'file.tsv'],
      ['"1","2","0"\r\n"3","4","1"\r\n'],
      ['\ufeff 1 , 2,0 \n\n3,4 ,1\n\n'],
      ['1,2,0\r3,4,1\r'],
      ['1,2,0\r\n3,4,1\n'],
    ];
    for (const [text, options, name] of texts) expect((await read(text, options, name)).x).toEqual(want);
  });

  it('is read in the same way in pieces', async () => {
    const rows = 40_000;
    const text = Array.from({ length: rows }, (_, i) => `${i},${i % 7}.25,${i % 3}`).join('\n');
    const { x } = await read(text);
    expect(x).toMatchObject({ rows, columns: 2 });
    expect([x.data[2 * 39_999], x.data[2 * 39_999 + 1]]).toEqual([39_999, (39_999 % 7) + 0.25]);
  });
});

describe('labels', () => {
  it('that are texts become classes in sorted order', async () => {
    const table = await read('1,virginica\n2,setosa\n3,versicolor\n4,setosa\n');
    expect(table).toMatchObject({
      classes: ['setosa', 'versicolor', 'virginica'],
      labels: Int32Array.of(2, 0, 1, 0),
    });
  });

  it('that are whole numbers are classes by their size, and no class is without a sample', async () => {
    const cases: readonly (readonly [string, readonly string[], readonly number[]])[] = [
      ['1,99\n2,3.0\n', ['3', '99'], [1, 0]],
      ['1,10\n2,20\n3,30\n', ['10', '20', '30'], [0, 1, 2]],
      ['1,-1\n2,1\n3,-1\n', ['-1', '1'], [0, 1, 0]],
      ['1,2\n2,10\n3,1\n', ['1', '2', '10'], [1, 2, 0]],
      ['1,01\n2,1\n', ['1'], [0, 0]],
    ];
    for (const [text, classes, labels] of cases)
      expect(await read(text)).toMatchObject({ task: 'classification', classes, labels: Int32Array.from(labels) });
  });

  it.each(['100', '0.5', '-2'])('are targets if one of them is %s and the task is not told', async (label) => {
    const table = await read(`1,0\n2,${label}\n`);
    expect(table).toMatchObject({
      task: 'regression',
      y: { rows: 2, columns: 1, data: Float32Array.of(0, Number(label)) },
    });
  });

  it('are what the task says', async () => {
    expect(await read('1,0\n2,1\n', { task: 'regression' })).toMatchObject({ y: { data: Float32Array.of(0, 1) } });
    expect(await read('1,0\n2,700\n', { task: 'classification' })).toMatchObject({ classes: ['0', '700'] });
    expect(await read('1,1\n2,a\n', { task: 'classification' })).toMatchObject({ classes: ['1', 'a'] });
  });

  it('that cannot be classes are refused with their line', async () => {
    await expectFailure(
      () => read('x,kind\n1,0\n2,0.5\n', { task: 'classification' }),
      'ERR_DLADMM_LABEL',
      'line 3, column 2 ("kind")',
      '0.5',
    );
    const many = Array.from({ length: 65_537 }, (_, i) => `1,${i}`).join('\n');
    await expectFailure(() => read(many, { task: 'classification' }), 'ERR_DLADMM_LABEL', /65536 classes.*65537/);
  });

  it('that are targets keep every digit', async () => {
    const table = await read('1,1700000000.3\n2,0.1\n');
    expect(table).toMatchObject({ y: { data: Float64Array.of(1700000000.3, 0.1) } });
  });

  it('that cannot be targets are refused with their line', async () => {
    await expectFailure(
      () => read('1,2\n3,a\n', { task: 'regression' }),
      'ERR_DLADMM_FORMAT',
      'line 2, column 2',
      '"a"',
    );
  });

  it('that are partly numbers and partly texts are refused unless the task is told', async () => {
    await expectFailure(() => read('1,2\n3,4\n5,oops\n'), 'ERR_DLADMM_FORMAT', 'line 3, column 2', 'oops');
  });
});

describe('a table is refused, naming line and column,', () => {
  it.each([
    ['a row that is too short', 'a,b,c\n1,2,0\n\n1,0\n', /line 4: expected 3 cells.*found 2/],
    ['a row that is too long', '1,2,0\n1,2,3,0\n', /line 2: expected 3 cells.*found 4/],
    ['an empty cell', 'a,b,c\n1,,0\n1,2,0\n', /line 2, column 2 \("b"\): expected a number.*missing/],
    ['an empty label', '1,2,\n1,2,1\n', /line 1, column 3: expected a label.*missing/],
    ['a text in the first row beside numbers', '1,?,0\n1,2,1\n', /line 1, column 2.*missing/],
    ['a text', 'a,b,c\n1,2,0\noops,2,1\n', /line 3, column 1 \("a"\).*"oops"/],
    ['a mark of a missing value', 'a,b,c\n1,2,0\n?,2,1\n', /line 3, column 1 \("a"\).*missing/],
    ['an infinity', '1,2,0\n1,Infinity,1\n', /line 2, column 2.*"Infinity"/],
    ['a NaN', '1,2,0\n1,nan,1\n', /line 2, column 2.*missing/],
    ['a hexadecimal number', '1,2,0\n0x10,2,1\n', /line 2, column 1.*"0x10"/],
    ['a number beyond all doubles', '1,2,0\n1e309,2,1\n', /line 2, column 1.*"1e309"/],
    ['a whole number that no double is', '1,2,0\n9007199254740993,2,1\n', /line 2, column 1.*beyond 2\^53.*ignore/],
    ['a whole number of 400 digits', `1,2,0\n${'9'.repeat(400)},2,1\n`, /line 2, column 1.*beyond 2\^53/],
    ['an unclosed quotation mark', '1,2,0\n1,"2,1\n', /line \d+.*not CSV/],
  ])('for %s', async (_, text, message) => {
    await expectFailure(() => read(text), 'ERR_DLADMM_FORMAT', message, /^file\.csv, /);
  });

  it('or saying so, if it has no rows or no features', async () => {
    for (const text of ['', '\n\n']) await expectFailure(() => read(text), 'ERR_DLADMM_FORMAT', 'at least one row');
    await expectFailure(() => read('a,b\n', { header: true }), 'ERR_DLADMM_FORMAT', 'at least one row');
    await expectFailure(() => read('1\n2\n'), 'ERR_DLADMM_FORMAT', 'column of features');
  });
});

describe('options are refused', () => {
  it.each<[string, unknown, 'ERR_DLADMM_ARGUMENT' | 'ERR_DLADMM_RANGE']>([
    ['target', 'depth', 'ERR_DLADMM_ARGUMENT'],
    ['target', true, 'ERR_DLADMM_ARGUMENT'],
    ['target', 3, 'ERR_DLADMM_RANGE'],
    ['target', -4, 'ERR_DLADMM_RANGE'],
    ['target', 0.5, 'ERR_DLADMM_RANGE'],
    ['delimiter', '', 'ERR_DLADMM_ARGUMENT'],
    ['delimiter', '"', 'ERR_DLADMM_ARGUMENT'],
    ['delimiter', '\n', 'ERR_DLADMM_ARGUMENT'],
    ['task', 'guess', 'ERR_DLADMM_ARGUMENT'],
  ])('%s = %j', async (option, value, code) => {
    await expectFailure(() => read('a,b,c\n1,2,0\n', { [option]: value } as CsvOptions), code, option);
  });

  it('a label by name in a file without header', async () => {
    await expectFailure(() => read('1,2,0\n', { target: 'kind' }), 'ERR_DLADMM_ARGUMENT', 'no header');
  });
});

describe('whatever the file holds', () => {
  it('the answer is a table of finite numbers or a refusal', async () => {
    const piece = fc.constantFrom('1', '2.5', ',', ',', '\n', '\n', '"', 'a', '', ' ', '-', 'e', '\r', '\0', 'é');
    const text = fc.oneof(
      fc.array(piece, { maxLength: 40 }).map((parts) => parts.join('')),
      fc.string({ unit: 'binary', maxLength: 40 }),
    );
    await fc.assert(
      fc.asyncProperty(text, async (content) => {
        const table = await resultOrRefusal(() => read(content));
        if (table === undefined) return;
        expect(table.x.data).toHaveLength(table.x.rows * table.x.columns);
        expect(table.x.data.every(Number.isFinite)).toBe(true);
        if (table.task === 'classification') expect(table.labels).toHaveLength(table.x.rows);
      }),
      { numRuns: 500 },
    );
  });

  it('numbers come back as they are, in float32 where that holds all of them', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
          fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }),
        ),
        async (values) => {
          const { x } = await read(values.map((value) => `${value},0`).join('\n'), { header: false });
          expect([...x.data]).toEqual(values.map((value) => (Object.is(value, -0) ? expect.closeTo(0) : value)));
          const exact = values.every((value) => Math.fround(value) === value);
          expect(x.data).toBeInstanceOf(exact ? Float32Array : Float64Array);
        },
      ),
    );
  });
});

describe('readCsv', () => {
  it('tells gzipped from plain by content', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'packed.csv'), gzipSync('1,2,0\n'));
    await writeFile(join(folder, 'plain.csv.gz'), '1,2,0\n');
    for (const name of ['packed.csv', 'plain.csv.gz'])
      expect((await readCsv(join(folder, name))).x.data).toEqual(Float32Array.of(1, 2));
  });
});

describe('reading', () => {
  it('leaves the event loop its turns, and stops when its signal is aborted', async () => {
    const controller = new AbortController();
    const reading = parseCsv(Buffer.from('1,2,0\n'.repeat(200_000)), 'file.csv', { signal: controller.signal });
    setImmediate(() => controller.abort());
    await expectFailure(() => reading, 'ERR_DLADMM_ABORTED', 'file.csv');
  });
});

describe('columns of texts', () => {
  const text = 'age,job,pay\n30,cook,low\n40,baker,high\n50,cook,high\n';

  it('are refused with a hint, unless they are asked for as an input for each text', async () => {
    await expectFailure(() => read(text), 'ERR_DLADMM_FORMAT', /line 2, column 2 \("job"\).*"cook".*texts: 'one-hot'/);
    const table = await read(text, { texts: 'one-hot' });
    expect(table).toMatchObject({ task: 'classification', classes: ['high', 'low'], labels: Int32Array.of(1, 0, 0) });
    expect(table.x).toEqual({ data: Float32Array.of(30, 0, 1, 40, 1, 0, 50, 0, 1), rows: 3, columns: 3 });
    expect(table.columns).toEqual(['age', { name: 'job', categories: ['baker', 'cook'] }]);
  });

  it('are read as a model knows them, by name, and whatever else is there is passed over', async () => {
    const columns = [{ name: 'job', categories: ['cook', 'baker'] }, { name: 'age' }];
    const turned = 'note,pay,age,job\nx,low,30,cook\n,high,40,baker\n';
    const table = await read(turned, { columns, target: 'pay' });
    expect(table.x.data).toEqual(Float32Array.of(1, 0, 30, 0, 1, 40));
    expect((await read(turned, { columns, target: null })).x).toEqual(table.x);
    expect((await read('cook,30\nbaker,40\n', { columns, target: null, header: false })).x).toEqual(table.x);
    await expectFailure(
      () => read('age,job\n30,smith\n', { columns, target: null }),
      'ERR_DLADMM_LABEL',
      /one of cook, baker for line 2 of column "job" of file\.csv but received "smith"/,
    );
    await expectFailure(
      () => read('age\n30\n', { columns, target: null }),
      'ERR_DLADMM_FORMAT',
      /column "job".*are age/,
    );
    await expectFailure(() => read('1,2,3\n', { columns, target: null }), 'ERR_DLADMM_FORMAT', /2 columns .* found 3/);
  });

  it('are read as another table had them, its columns of numbers too', async () => {
    const { columns } = await read(text, { texts: 'one-hot' });
    const other = await read('pay,job,age\nlow,baker,60\n', { columns, target: 'pay' });
    expect(other).toMatchObject({ x: { data: Float32Array.of(60, 1, 0), columns: 3 }, columns });
  });

  it('take the last column that is no feature for the labels', async () => {
    const table = await read('pay,age\nlow,30\nhigh,40\n', { columns: [{ name: 'age' }] });
    expect(table).toMatchObject({ target: 'pay', classes: ['high', 'low'] });
    await expectFailure(
      () => read('age\n30\n', { columns: [{ name: 'age' }] }),
      'ERR_DLADMM_FORMAT',
      /column of labels/,
    );
  });

  it('are no identifiers', async () => {
    const many = Array.from({ length: 1001 }, (_, i) => `${i},name${i},0`).join('\n');
    await expectFailure(
      () => read(many, { texts: 'one-hot' }),
      'ERR_DLADMM_FORMAT',
      /line 1001.*at most 1000 categories/,
    );
  });
});

describe('a stream of CSV', () => {
  async function* pieces(...texts: readonly (string | Uint8Array)[]): AsyncGenerator<string | Uint8Array> {
    yield* texts;
  }

  it('is read as a file is, wherever it is cut', async () => {
    const text = 'a,é,kind\r\n1,2,"x, y"\r\n3,4,z\r\n';
    const whole = await read(text);
    const bytes = Buffer.from(text);
    for (let at = 0; at <= bytes.length; at += 1) {
      expect(await readCsv(pieces(bytes.subarray(0, at), bytes.subarray(at)))).toEqual(whole);
    }
    expect(await readCsv(Readable.from([text]))).toEqual(whole);
  });

  it('is refused where it fails, or holds something else than text', async () => {
    async function* broken(): AsyncGenerator<string> {
      yield '1,2,0\n';
      throw new Error('hung up');
    }
    const error = await expectFailure(() => readCsv(broken()), 'ERR_DLADMM_STREAM', /CSV stream failed: hung up/);
    expect(error.cause).toMatchObject({ message: 'hung up' });
    await expectFailure(() => readCsv(Readable.from([{ a: 1 }])), 'ERR_DLADMM_ARGUMENT', /text or bytes/);
    await expectFailure(() => readCsv(pieces('1,2,0\n1,x,0\n')), 'ERR_DLADMM_FORMAT', /CSV stream, line 2, column 2/);
  });
});
