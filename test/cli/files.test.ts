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
  run('train', data, '--target', 'kind', '--iterations', '10', '--threads', '1', '--quiet', ...more);

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
    expect(first?.columns).toEqual([{ name: 'width' }, { name: 'height' }]);
    for (const model of models) expect({ ...model }).toEqual({ ...first });
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
    expect((await run('predict', 'trees.safetensors', 'other.csv')).err).toContain('expected a column "height"');
  });

  it('with a column of texts takes --categories, and the model knows them', async () => {
    const text = ROWS.map(([w], i) => `${w},${i % 2 ? 'north' : 'south'},${KINDS[i]}\n`).join('');
    writeFileSync(path('sides.csv'), `width,side,kind\n${text}`);
    expect((await train('sides.csv')).err).toMatch(/line 2, column 2 \("side"\).*one-hot/);
    await train('sides.csv', '--categories', 'one-hot', '--save', 'sides.safetensors');
    writeFileSync(path('new.csv'), 'side,width\nnorth,1\nsouth,4\n');
    expect((await run('predict', 'sides.safetensors', 'new.csv', '--out', 'said.csv')).code).toBe(0);
    expect(readFileSync(path('said.csv'), 'utf8').split('\n')).toHaveLength(4);
    writeFileSync(path('new.csv'), 'side,width\neast,1\n');
    expect((await run('predict', 'sides.safetensors', 'new.csv')).err).toContain('expected one of north, south');
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
