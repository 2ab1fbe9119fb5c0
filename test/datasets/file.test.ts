import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { Table, tableToIPC, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { zipSync } from 'fflate';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { beforeEach, describe, expect, it } from 'vitest';
import { readTable, type TableFileOptions } from '../../src/datasets/file.js';
import { encodeNpy, type NpyArray } from '../../src/formats/npy.js';
import { expectFailure, resultOrRefusal, temporaryFolder } from '../formats/support.js';

let folder: string;

beforeEach(async () => {
  folder = await temporaryFolder();
});

async function file(name: string, content: Uint8Array | string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const npz = (arrays: Record<string, NpyArray>) =>
  zipSync(Object.fromEntries(Object.entries(arrays).map(([key, array]) => [`${key}.npy`, encodeNpy(array)])));

const readNpz = async (arrays: Record<string, NpyArray>, options?: TableFileOptions) =>
  readTable(await file('file.npz', npz(arrays)), options);

const x = { shape: [2, 3], data: Float32Array.of(1, 2, 3, 4, 5, 6) };
const classes = { shape: [2], data: BigInt64Array.of(0n, 2n) };
const matrix = { rows: 2, columns: 3, data: x.data };

describe('readTable, on CSV,', () => {
  it('reads what readCsv does, by content and not by name', async () => {
    const want = { task: 'classification', name: 'data', train: { x: { rows: 2, columns: 2 } }, classes: ['a', 'b'] };
    expect(await readTable(await file('data', 'u,v,w\n1,2,b\n3,4,a\n'))).toMatchObject(want);
    expect(await readTable(await file('data', gzipSync('1,2,b\n3,4,a\n')))).toMatchObject(want);
  });

  it('reads targets, and features alone', async () => {
    const path = await file('data.csv', '1,2,0.5\n3,4,1.5\n');
    expect(await readTable(path)).toMatchObject({
      task: 'regression',
      outputs: 1,
      train: { y: { rows: 2, columns: 1 } },
    });
    expect(await readTable(path, { target: null })).toMatchObject({ task: 'unlabelled', x: { columns: 3 } });
  });
});

describe('readTable, on NPZ,', () => {
  it.each([{ target: 'y' }, { target: -1 }, { columns: ['x'] }, { ignore: ['x'] }, { texts: 'one-hot' }] as const)(
    'has no columns of which %j would say something',
    async (options) => {
      await expect(readNpz({ x, y: classes }, options)).rejects.toMatchObject({
        code: 'ERR_DLADMM_ARGUMENT',
        message: expect.stringContaining(`none with arrays, as they have no columns, for ${Object.keys(options)[0]}`),
      });
      expect(await readNpz({ x, y: classes }, { target: null })).toMatchObject({ task: 'classification' });
    },
  );

  it.each([
    ['x', 'y'],
    ['X', 'y'],
    ['x_train', 'y_train'],
    ['X_train', 'y_train'],
  ])('reads %s and %s', async (xKey, yKey) => {
    expect(await readNpz({ [xKey]: x, [yKey]: classes })).toEqual({
      task: 'classification',
      name: 'file.npz',
      classes: ['0', '2'],
      train: { x: matrix, labels: Int32Array.of(0, 1), classes: ['0', '2'] },
    });
  });

  it('reads a test part where there is one, and counts its classes too', async () => {
    const y_test = { shape: [1, 1], data: Uint8Array.of(3) };
    const x_test = { shape: [1, 3], data: Float32Array.of(7, 8, 9) };
    const table = await readNpz({ x_train: x, y_train: classes, x_test, y_test });
    expect(table).toMatchObject({ classes: ['0', '2', '3'], test: { labels: Int32Array.of(2), x: { rows: 1 } } });
  });

  it('takes floating-point labels for targets, and one or two columns of them', async () => {
    const y = { shape: [2, 2], data: Float64Array.of(1, 2, 3, 4) };
    expect(await readNpz({ x, y })).toMatchObject({ task: 'regression', outputs: 2, train: { y: { data: y.data } } });
    const one = { shape: [2], data: Float32Array.of(0, 1) };
    expect(await readNpz({ x, y: one })).toMatchObject({ task: 'regression', outputs: 1 });
    expect(await readNpz({ x, y: one }, { task: 'classification' })).toMatchObject({ classes: ['0', '1'] });
    expect(await readNpz({ x, y: classes }, { task: 'regression' })).toMatchObject({ train: { y: { columns: 1 } } });
  });

  it('makes a row of every sample, unscaled, exact', async () => {
    const images = { shape: [2, 2, 2], data: Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 255) };
    expect(await readNpz({ x: images, y: classes })).toMatchObject({
      train: { x: { rows: 2, columns: 4, data: Float32Array.from(images.data) } },
    });
    const wide = { shape: [2, 1], data: Int32Array.of(2 ** 31 - 1, 3) };
    expect(await readNpz({ x: wide })).toMatchObject({ x: { data: Float64Array.of(2 ** 31 - 1, 3) } });
  });

  it('refuses what does not fit together', async () => {
    const short = { shape: [1], data: Int8Array.of(0) };
    const narrow = { shape: [1, 2], data: Float32Array.of(1, 2) };
    await expectFailure(() => readNpz({ a: x, b: classes }), 'ERR_DLADMM_FORMAT', 'x and y', 'a, b');
    await expectFailure(() => readNpz({ x, y: short }), 'ERR_DLADMM_FORMAT', 'array "y"', '2 labels', '1');
    await expectFailure(() => readNpz({ x, y: short }, { task: 'regression' }), 'ERR_DLADMM_FORMAT', '2 labels', '1');
    await expectFailure(() => readNpz({ x, y: classes, x_test: x }), 'ERR_DLADMM_FORMAT', 'y_test');
    await expectFailure(
      () => readNpz({ x, y: classes, x_test: narrow, y_test: short }),
      'ERR_DLADMM_FORMAT',
      '3 features',
      '2',
    );
    await expectFailure(
      () => readNpz({ x: { shape: [0, 3], data: new Float32Array(0) } }),
      'ERR_DLADMM_FORMAT',
      '0, 3',
    );
    await expectFailure(() => readNpz({ x: { shape: [], data: Float32Array.of(1) } }), 'ERR_DLADMM_FORMAT', 'shape');
    const oneHot = { shape: [2, 2], data: Int8Array.of(0, 1, 1, 0) };
    await expectFailure(() => readNpz({ x, y: oneHot }, { task: 'classification' }), 'ERR_DLADMM_FORMAT', '2, 2');
  });

  it('takes −1 and 1 for two classes', async () => {
    const y = { shape: [2], data: Float64Array.of(1, -1) };
    const table = await readNpz({ x, y }, { task: 'classification' });
    expect(table).toMatchObject({ classes: ['-1', '1'], train: { labels: Int32Array.of(1, 0) } });
  });

  it.each([0.5, 2 ** 60, Number.NaN])('refuses the class %d', async (label) => {
    const y = { shape: [2], data: Float64Array.of(0, label) };
    await expectFailure(() => readNpz({ x, y }, { task: 'classification' }), 'ERR_DLADMM_LABEL', 'label 1', `${label}`);
  });
});

const idx = (shape: readonly number[], values: readonly number[]) =>
  new Uint8Array([0, 0, 8, shape.length, ...shape.flatMap((length) => [0, 0, 0, length]), ...values]);

describe('readTable, on NPY and IDX,', () => {
  it('reads samples without labels', async () => {
    expect(await readTable(await file('x.npy', encodeNpy(x)))).toEqual({
      task: 'unlabelled',
      name: 'x.npy',
      x: matrix,
    });
    expect(await readTable(await file('x.idx', idx([2, 1], [7, 255])))).toMatchObject({
      x: { data: Float32Array.of(7, 255) },
    });
  });

  it('reads the labels of another file, of either format', async () => {
    const path = await file('x.npy', encodeNpy(x));
    for (const labels of [await file('y.npy', encodeNpy(classes)), await file('y.idx.gz', gzipSync(idx([2], [0, 2])))])
      expect(await readTable(path, { labels })).toMatchObject({ classes: ['0', '2'], train: { x: matrix } });
  });

  it("finds labels and test part by MNIST's names, and scales pixels to [0, 1]", async () => {
    const path = await file('train-images-idx3-ubyte', idx([2, 1, 2], [0, 51, 102, 255]));
    await file('train-labels-idx1-ubyte.gz', gzipSync(idx([2], [1, 0])));
    await file('t10k-images-idx3-ubyte.gz', gzipSync(idx([1, 1, 2], [255, 0])));
    const withoutTest = await readTable(path);
    expect(withoutTest).toMatchObject({ train: { x: { data: Float32Array.of(0, 0.2, 0.4, 1), rows: 2, columns: 2 } } });
    expect(withoutTest).not.toHaveProperty('test');
    await file('t10k-labels-idx1-ubyte', idx([1], [2]));
    expect(await readTable(path)).toMatchObject({
      classes: ['0', '1', '2'],
      train: { labels: Int32Array.of(1, 0) },
      test: { labels: Int32Array.of(2), x: { data: Float32Array.of(1, 0) } },
    });
  });

  it('refuses labels that do not fit', async () => {
    const path = await file('x.npy', encodeNpy(x));
    const labels = await file('y.idx', idx([3], [0, 1, 2]));
    await expectFailure(() => readTable(path, { labels }), 'ERR_DLADMM_FORMAT', labels, '2 labels', '3');
    await expectFailure(() => readTable(path, { labels: `${labels}.none` }), 'ERR_DLADMM_FILE', 'y.idx.none');
  });
});

describe('readTable', () => {
  it('refuses a file of labels beside one that holds its own, and an unknown task', async () => {
    const path = await file('x.csv', '1,2,0\n');
    await expectFailure(() => readTable(path, { labels: path }), 'ERR_DLADMM_ARGUMENT', 'labels');
    await expectFailure(() => readTable(path, { task: 'other' as 'regression' }), 'ERR_DLADMM_ARGUMENT', 'task');
  });

  it('answers any file with samples or a refusal', async () => {
    const magic = fc.constantFrom<readonly number[]>(
      [],
      [0, 0, 8, 1],
      [0, 0, 13, 2],
      [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0],
      [0x50, 0x4b, 3, 4],
      [0x1f, 0x8b],
      [...Buffer.from('PAR1')],
      [...Buffer.from('ARROW1\0\0')],
      [0xff, 0xff, 0xff, 0xff],
    );
    await fc.assert(
      fc.asyncProperty(magic, fc.uint8Array({ maxLength: 60 }), async (start, rest) => {
        const path = await file('any', new Uint8Array([...start, ...rest]));
        const table = await resultOrRefusal(() => readTable(path));
        if (table) expect((table.task === 'unlabelled' ? table.x : table.train.x).rows).toBeGreaterThan(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe('labels that nobody called classes, of which nearly every row has its own,', () => {
  const rows = 60;
  const ids = Array.from({ length: rows }, (_, i) => (i * 37) % rows);
  const values = Float32Array.from({ length: rows }, (_, i) => i / 7);
  const refusal = /60 rows nearly every one is a class of its own \(60 classes\).*identifier.*label.*task/;

  it.each([
    ['CSV, as numbers', 't.csv', Buffer.from(`a,id\n${ids.map((id, i) => `${values[i]},${id}`).join('\n')}\n`)],
    ['CSV, as texts', 't.csv', Buffer.from(`a,id\n${ids.map((id, i) => `${values[i]},n${id}`).join('\n')}\n`)],
    [
      'Parquet',
      't.parquet',
      new Uint8Array(
        parquetWriteBuffer({
          columnData: [
            { name: 'a', data: [...values], type: 'DOUBLE' },
            { name: 'id', data: ids, type: 'INT32' },
          ],
        }),
      ),
    ],
    ['Arrow', 't.arrow', tableToIPC(new Table({ a: vectorFromArray(values), id: vectorFromArray(ids) }))],
    ['NPZ', 't.npz', npz({ x: { data: values, shape: [rows, 1] }, y: { data: Int32Array.from(ids), shape: [rows] } })],
  ])('are refused with the reason: %s', async (_, name, bytes) => {
    const path = await file(name, bytes);
    await expectFailure(() => readTable(path), 'ERR_DLADMM_LABEL', refusal);
    expect(await readTable(path, { task: 'classification' })).toMatchObject({ task: 'classification' });
    if (!String(bytes).includes('n37'))
      expect(await readTable(path, { task: 'regression' })).toMatchObject({ task: 'regression' });
  });

  it('are taken where they are few, or shared', async () => {
    const table = (labels: readonly number[]) => `${labels.map((label, i) => `${i / 7},c${label}`).join('\n')}\n`;
    expect(await readTable(await file('few.csv', table(ids.slice(0, 8))))).toMatchObject({ task: 'classification' });
    const shared = await readTable(await file('shared.csv', table(ids.map((id) => id % 30))));
    expect(shared).toMatchObject({ task: 'classification' });
  });
});

describe('whole numbers beyond 2^53', () => {
  const big = 2n ** 60n + 1n;
  const why = /beyond 2\^53, where no double holds every whole number.*doubles.*texts/;

  it('are refused with the reason, in every format that has them', async () => {
    const y = { data: Int32Array.of(0, 1), shape: [2] };
    await expectFailure(
      () => readNpz({ x: { data: BigInt64Array.of(1n, big), shape: [2, 1] }, y }),
      'ERR_DLADMM_FORMAT',
      /array "x": entry 1 is 1152921504606846977/,
      why,
    );
    await expectFailure(
      () => readNpz({ x: { data: BigUint64Array.of(2n ** 64n - 1n, 1n), shape: [2, 1] }, y }),
      'ERR_DLADMM_FORMAT',
      why,
    );
    const columns = { id: vectorFromArray([1n, big]), y: vectorFromArray(['a', 'b']) };
    const arrow = await file('t.arrow', tableToIPC(new Table(columns)));
    await expectFailure(() => readTable(arrow), 'ERR_DLADMM_FORMAT', /row 1, column "id".*1152921504606846977/, why);
    const columnData = [
      { name: 'id', data: [1n, big], type: 'INT64' },
      { name: 'y', data: ['a', 'b'], type: 'STRING' },
    ] as const;
    const parquet = await file(
      't.parquet',
      new Uint8Array(parquetWriteBuffer({ columnData: [...columnData] as never })),
    );
    await expectFailure(() => readTable(parquet), 'ERR_DLADMM_FORMAT', /row 1, column "id".*1152921504606846977/, why);
  });
});
