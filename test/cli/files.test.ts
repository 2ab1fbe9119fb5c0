import { readFileSync, writeFileSync } from 'node:fs';
import { makeVector, Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { describe, expect, it } from 'vitest';
import { Model } from '../../src/model/model.js';
import { inFolder } from './support.js';

const { path, run } = inFolder();

const ROWS = Array.from(
  { length: 60 },
  (_, i) => [(i % 3) * 4 + (i % 5) / 8, 1000 + (i % 3) * 2 - (i % 7) / 16] as const,
);
const KINDS = ROWS.map((_, i) => ['oak', 'ash', 'elm'][i % 3] as string);
const column = (j: 0 | 1): Float32Array => Float32Array.from(ROWS, (row) => row[j]);

const CSV = `width,height,kind\n${ROWS.map(([w, h], i) => `${w},${h},${KINDS[i]}\n`).join('')}`;
const FILES = {
  'trees.csv': CSV,
  'trees.parquet': new Uint8Array(
    parquetWriteBuffer({
      columnData: [
        { name: 'width', data: column(0), type: 'FLOAT' },
        { name: 'height', data: column(1), type: 'FLOAT' },
        { name: 'kind', data: KINDS, type: 'STRING' },
      ],
    }),
  ),
  'trees.arrow': tableToIPC(
    new Table({ width: makeVector(column(0)), height: makeVector(column(1)), kind: vectorFromArray(KINDS) }),
    'file',
  ),
} as const;

const train = (data: string, ...more: string[]) =>
  run(
    'train',
    data,
    '--target',
    'kind',
    '--test-share',
    '0.2',
    '--iterations',
    '10',
    '--threads',
    '1',
    '--quiet',
    ...more,
  );

describe('a table', () => {
  it('trains the same model from CSV, Parquet and Arrow', async () => {
    const models: Model[] = [];
    for (const [name, content] of Object.entries(FILES)) {
      writeFileSync(path(name), content);
      expect(await train(name, '--save', `${name}.safetensors`)).toMatchObject({ code: 0, err: '' });
      models.push(await Model.load(path(`${name}.safetensors`)));
    }
    const [first] = models;
    expect(first?.classes).toEqual(['ash', 'elm', 'oak']);
    expect(first?.columns?.map(({ name }) => name)).toEqual(['width', 'height']);
    for (const model of models) expect({ ...model, note: undefined }).toEqual({ ...first, note: undefined });
  });

  it('is predicted from by the names of its columns, labels and all, in any order', async () => {
    writeFileSync(path('trees.csv'), CSV);
    await train('trees.csv', '--save', 'trees.safetensors');
    const { code, out, err } = await run('predict', 'trees.safetensors', 'trees.csv');
    expect({ code, err }).toEqual({ code: 0, err: '' });
    const [header, ...lines] = out.trimEnd().split('\n');
    expect(header).toBe('class,ash,elm,oak');
    using model = await Model.load(path('trees.safetensors'));
    expect(lines.map((line) => line.split(',')[0])).toEqual((await model.predict(ROWS)).labels);
    const turned = CSV.split('\n').map((line) => line.split(',').toReversed().join());
    writeFileSync(path('turned.csv'), turned.join('\n'));
    expect((await run('predict', 'trees.safetensors', 'turned.csv')).out).toBe(out);
    expect((await run('evaluate', 'trees.safetensors', 'turned.csv', '--target', 'kind')).out).toMatch(/on 60 samples/);
    writeFileSync(path('other.csv'), 'width,depth\n1,2\n');
    expect((await run('predict', 'trees.safetensors', 'other.csv')).err).toContain('Expected a column "height"');
  });

  it('has texts, dates, holes and numbers of its own country, and the model takes what it has not seen', async () => {
    const text = ROWS.map(
      ([w], i) =>
        `2024-01-${String(1 + (i % 28)).padStart(2, '0')};${i % 9 ? String(w).replace('.', ',') : ''};${i % 2 ? 'north' : 'south'};${KINDS[i]}\n`,
    ).join('');
    writeFileSync(path('sides.csv'), `day;width;side;kind\n${text}`);
    const told = ['--delimiter', ';', '--decimal', ',', '--header', '--categories', '5', '--hidden', '7'];
    const trained = await train('sides.csv', ...told, '--save', 'sides.safetensors');
    expect(trained).toMatchObject({ code: 0, err: '' });
    using model = await Model.load(path('sides.safetensors'));
    expect(model.columns?.map(({ name }) => name)).toEqual(['day', 'width', 'side']);
    expect(model.columns?.[1]).toMatchObject({ indicator: true });
    expect(model.network.layers[1]).toBe(7);
    writeFileSync(path('new.csv'), 'side;width;day\nnorth;1,5;2024-02-01\neast;?;\n');
    const said = await run('predict', 'sides.safetensors', 'new.csv', '--out', 'said.csv');
    expect(said).toMatchObject({ code: 0, err: '' });
    expect(readFileSync(path('said.csv'), 'utf8').split('\n')).toHaveLength(4);
    expect((await train('sides.csv', '--missing', 'error')).err).toMatch(/a value for line 2 of column "width"/);
  });

  it('is trained on with a checkpoint, from a model, and goes on', async () => {
    writeFileSync(path('trees.csv'), CSV);
    const args = ['trees.csv', '--solver', 'adam', '--epochs', '8', '--threads', '1', '--json', '--hidden', '5'];
    const learnt = (out: string) => ({
      ...JSON.parse(out.trimEnd().split('\n').at(-1) ?? ''),
      seconds: 0,
      checkpoint: 0,
      model: 0,
    });
    const whole = await run('train', ...args, '--early-stopping', '50', '--save', 'whole.safetensors');
    await run('train', ...args, '--early-stopping', '50', '--checkpoint', 'c', '--time-limit', '1e-9');
    const rest = await run('train', 'trees.csv', '--resume', 'c', '--json', '--save', 'rest.safetensors');
    expect(rest.code).toBe(0);
    expect(learnt(rest.out)).toEqual(learnt(whole.out));
    expect(readFileSync(path('rest.safetensors'))).toEqual(readFileSync(path('whole.safetensors')));
    const more = await run(
      'train',
      'trees.csv',
      '--from',
      'whole.safetensors',
      '--iterations',
      '2',
      '--quiet',
      '--threads',
      '1',
      '--save',
      'more.safetensors',
    );
    expect(more).toMatchObject({ code: 0, err: '' });
    using model = await Model.load(path('more.safetensors'));
    // Two columns of numbers, each with four bins.
    expect(model.network.layers).toEqual([10, 5, 3]);
  });
});

describe('plain arguments', () => {
  it.each([
    [["required option '--data <name|file>' not specified"], ['train']],
    [["required option '--data <name|file>' not specified"], ['predict', 'model']],
    [['too many arguments: other.csv'], ['train', '--data', 'iris', 'other.csv']],
  ])('are refused with %s', async ([message], args) => {
    const { code, err } = await run(...args);
    expect(err).toContain(message);
    expect(code).toBe(2);
  });
});

describe('a table of texts', () => {
  const semicolons = CSV.replaceAll(',', ';').replaceAll('.', ',');

  it('is read as it is written, or as the flags say', async () => {
    const outcome = async (content: string | Uint8Array, ...more: readonly string[]): Promise<string> => {
      writeFileSync(path('table.csv'), content);
      const { code, out, err } = await train('table.csv', '--json', ...more);
      expect({ code, err }).toEqual({ code: 0, err: '' });
      const { testAccuracy, testLoss } = JSON.parse(out) as Record<string, unknown>;
      return `${testAccuracy} ${testLoss}`;
    };
    const want = await outcome(CSV);
    expect(await outcome(semicolons)).toBe(want);
    expect(await outcome(semicolons, '--delimiter', ';', '--decimal', ',', '--header')).toBe(want);
    expect(await outcome(CSV.replaceAll(',', '\t'), '--delimiter', 'tab')).toBe(want);
    expect(await outcome(Buffer.from(CSV, 'utf16le'))).toBe(want);
    expect(await outcome(Buffer.from(CSV.replace('width', 'größe'), 'latin1'), '--encoding', 'latin1')).toBe(want);
    const wide = CSV.split('\n').map((line, i) => (line ? `${i},${line},${i * 7}` : ''));
    const text = ['id,width,height,kind,note', ...wide.slice(1)].join('\n');
    expect(await outcome(text, '--ignore', 'id,#-1')).toBe(want);
    expect(await outcome(text, '--ignore', 'id', '--ignore', '#-1')).toBe(want);
    expect(await outcome(text, '--columns', 'width,#3')).toBe(want);
    expect((await train('table.csv', '--ignore', 'kind')).err).toMatch(
      'columns other than the target (target names another)',
    );
    expect(await outcome(text.replace(/.*\n/, ''), '--no-header', '--target', '#4', '--ignore', '#1,#5')).toBe(want);
  });

  it('has its label by name or by place, and a number is a name', async () => {
    writeFileSync(path('years.csv'), 'city,pop,2019,2020\n1,2.5,3.5,4.5\n2,3.5,4.5,5.5\n3,4.5,5.5,6.5\n');
    const quick = ['--test-share', '0.2', '--iterations', '1', '--threads', '1', '--quiet', '--save'] as const;
    for (const label of ['2020', '#4', '#-1']) {
      const { code, err } = await run('train', 'years.csv', '--target', label, ...quick, 'years.safetensors');
      expect({ code, err }).toEqual({ code: 0, err: '' });
      using model = await Model.load(path('years.safetensors'));
      expect(model.columns?.map(({ name }) => name)).toEqual(['city', 'pop', '2019']);
    }
    const { err } = await run('train', 'years.csv', '--target', '3');
    expect(err).toMatch(/its columns are city, pop, 2019, 2020\) for target but received "3"/);
    expect((await run('train', 'years.csv', '--target', '#0')).code).toBe(2);
  });

  it('of two columns of one name, or in another encoding, is refused before any iteration', async () => {
    writeFileSync(path('twice.csv'), CSV.replace('height', 'width'));
    const twice = await train('twice.csv');
    expect(twice).toMatchObject({ code: 1, out: '' });
    expect(twice.err).toMatch(/twice\.csv: columns 1 and 2 are both called "width".*--ignore '#2'/);
    expect(await train('twice.csv', '--ignore', '#2')).toMatchObject({ code: 0, err: '' });
    writeFileSync(path('old.csv'), CSV.replace('height', 'höhe'), 'latin1');
    expect((await train('old.csv')).err).toMatch(
      /old\.csv, line 1: byte 8 \(0xF6\) is not UTF-8: .*--encoding windows-1252/,
    );
  });
});
