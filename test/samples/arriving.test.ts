import { once } from 'node:events';
import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { makeVector, Table, vectorFromArray } from 'apache-arrow';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DlAdmmError } from '../../src/core/errors.js';
import { type ArrivalRules, arrivingRows, arrivingSamples } from '../../src/samples/arriving.js';
import type { RowSource } from '../../src/tensor/inputs.js';
import { rowStore } from '../../src/tensor/row-store.js';
import { fit as fitModel } from '../../src/training/fit.js';
import type { FitResult, TrainingData } from '../../src/training/result.js';
import { expectFailure, failure } from '../formats/support.js';

const OPTIONS = { solver: 'dladmm', layers: [3, 5, 3], iterations: 4, seed: 7, threads: 1 } as const;
const SPECIES = ['elm', 'ash', 'oak'] as const;
const ROWS = Array.from({ length: 48 }, (_, i) => [
  (i % 3) + (i % 7) / 8,
  ((i * 5) % 11) / 4,
  (i % 3) * 2 - (i % 5) / 8,
]);
const LABELS = ROWS.map((_, i) => SPECIES[i % 3] as string);
const RECORDS = ROWS.map(([a, b, c], i) => ({ a, b, c, species: LABELS[i] }));
const column = (j: number): Float32Array => Float32Array.from(ROWS, (row) => row[j] as number);
const TABLE = new Table({
  a: makeVector(column(0)),
  b: makeVector(column(1)),
  c: makeVector(column(2)),
  species: vectorFromArray(LABELS),
});

const lagrangian = ({ history }: FitResult): number | undefined => history.at(-1)?.lagrangian;
const CLEAN = fitModel({ x: Float32Array.from(ROWS.flat()), labels: LABELS }, OPTIONS).then(lagrangian);

async function* slowly<T>(items: Iterable<T>): AsyncGenerator<T> {
  for (const item of items) {
    await nextTurn();
    yield item;
  }
}

const blocks = <T>(make: (rows: readonly number[][], first: number) => T): T[] => [
  make(ROWS.slice(0, 1), 0),
  make(ROWS.slice(1, 20), 1),
  make(ROWS.slice(20), 20),
];
const matrix = (rows: readonly (readonly number[])[]) => ({
  data: Float64Array.from(rows.flat()),
  rows: rows.length,
  columns: 3,
});
const labelled = ROWS.map((x, i) => ({ x, label: LABELS[i] as string }));

describe('a training gives the same numbers, bit for bit, from', () => {
  it.each<[string, TrainingData]>([
    ['an array of rows', { x: ROWS, labels: LABELS }],
    ['doubles', { x: Float64Array.from(ROWS.flat()), labels: LABELS }],
    ['a matrix', { x: matrix(ROWS), labels: LABELS }],
    ['an iterator of rows', { x: ROWS.values(), labels: LABELS }],
    ['a set of rows', { x: new Set(ROWS), labels: LABELS }],
    ['rows that come slowly', { x: slowly(ROWS), labels: LABELS }],
    ['typed arrays of several rows', { x: slowly(blocks((rows) => Float32Array.from(rows.flat()))), labels: LABELS }],
    ['matrices', { x: slowly(blocks(matrix)), labels: LABELS }],
    ['arrays of rows', { x: slowly(blocks((rows) => rows)), labels: LABELS }],
    ['a Readable', { x: Readable.from(ROWS), labels: LABELS }],
    ['rows with their labels', { x: slowly(labelled) }],
    ['an array of rows with their labels', { x: labelled }],
    [
      'blocks with their labels',
      { x: slowly(blocks((x, first) => ({ x, labels: LABELS.slice(first, first + x.length) }))) },
    ],
    ['records', { x: RECORDS, labels: 'species' }],
    ['a Readable of records', { x: Readable.from(RECORDS), labels: 'species' }],
    ['records beside their labels', { x: RECORDS.map(({ species: _, ...rest }) => rest), labels: LABELS }],
    ['an Arrow table', { x: TABLE, labels: 'species' }],
    ['an Arrow table in pieces', { x: TABLE.slice(0, 20).concat(TABLE.slice(20)), labels: 'species' }],
    ['the columns of an Arrow table beside their labels', { x: TABLE.select(['a', 'b', 'c']), labels: LABELS }],
  ])('%s', async (_, data) => {
    const result = await fitModel(data, OPTIONS);
    expect(lagrangian(result)).toBe(await CLEAN);
    expect(result.model.classes).toEqual(['ash', 'elm', 'oak']);
  });

  it('targets in a column, in rows and beside the samples', async () => {
    const options = { ...OPTIONS, layers: [2, 4, 1], loss: 'squared-error' } as const;
    const x = ROWS.map(([a = 0, b = 0]) => [a, b]);
    const y = ROWS.map((row) => row[2] as number);
    const want = lagrangian(await fitModel({ x, y: y.map((value) => [value]) }, options));
    for (const data of [
      { x: TABLE.select(['a', 'b', 'c']), y: 'c' },
      { x: TABLE.select(['a', 'c', 'b']), y: ['c'] },
      { x: RECORDS.map(({ species: _, ...rest }) => rest), y: 'c' },
      { x: slowly(x), y: Float64Array.from(y) },
      { x: slowly(x.map((row, i) => ({ x: row, y: y[i] as number }))) },
      { x: slowly([{ x, y: y.map((value) => [value]) }]) },
    ]) {
      expect(lagrangian(await fitModel(data, options))).toBe(want);
    }
  });
});

const rulesOf = (inputs: number, rest: Partial<ArrivalRules> = {}): ArrivalRules => ({
  network: { layers: [inputs, 2], activation: 'relu', loss: 'softmax-cross-entropy' },
  dtype: 'float64',
  exact: false,
  exactTargets: false,
  ...rest,
});
const numbersOf = (source: RowSource): number[] => [...source.chunk(0, source.rows)];

describe('rows', () => {
  it('arrive as they were sent, however they are cut into pieces', async () => {
    const number = fc.double({ noNaN: true, noDefaultInfinity: true });
    const cut = fc.constantFrom('row', 'typed row', 'block', 'typed block', 'matrix');
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(cut, fc.integer({ min: 1, max: 90 })), { minLength: 1, maxLength: 8 }),
        fc.infiniteStream(number),
        fc.boolean(),
        async (columns, pieces, values, sync) => {
          const sent: number[] = [];
          const row = () => Array.from({ length: columns }, () => values.next().value);
          const items = pieces.flatMap(([kind, count]) => {
            const rows = Array.from({ length: kind.endsWith('row') ? 1 : count }, row);
            const flat = rows.flat();
            sent.push(...flat);
            if (kind === 'row') return rows;
            if (kind === 'block') return [rows];
            const data = Float64Array.from(flat);
            return [kind === 'matrix' ? { data, rows: rows.length, columns } : data];
          });
          const source = await arrivingRows(sync ? items.values() : Readable.from(items), rulesOf(columns), 'x');
          expect(numbersOf(source)).toEqual(sent);
          const half = Math.floor(source.rows / 2);
          const parts = [...source.chunk(0, half), ...source.chunk(half, source.rows - half)];
          expect(parts).toEqual(sent);
        },
      ),
      { numRuns: 60 },
    );
  });

  it('are never asked for faster than they are taken', async () => {
    let ahead = 0;
    let asked = 0;
    const source = new Readable({
      objectMode: true,
      highWaterMark: 4,
      read() {
        asked += 1;
        this.push(asked > 5000 ? null : [asked, 1]);
      },
    });
    const watched = (async function* () {
      let taken = 0;
      for await (const row of source) {
        taken += 1;
        ahead = Math.max(ahead, asked - taken);
        yield row as number[];
      }
    })();
    expect((await arrivingRows(watched, rulesOf(2), 'x')).rows).toBe(5000);
    expect(ahead).toBeLessThanOrEqual(5);
  });

  it('let the event loop run while they are gathered', async () => {
    let turns = 0;
    const count = (): void => {
      turns += 1;
      timer = setImmediate(count);
    };
    let timer = setImmediate(count);
    const rows = (function* () {
      for (let i = 0; i < 300_000; i += 1) yield Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    })();
    await arrivingRows(rows, rulesOf(8), 'x');
    clearImmediate(timer);
    expect(turns).toBeGreaterThanOrEqual(2);
  });

  it('give their memory back once they are loaded', () => {
    const store = rowStore(2, 'float32', 'x');
    for (let i = 0; i < 1000; i += 1) store.add([i, -i]);
    const source = store.source();
    expect([...source.chunk(500, 1)]).toEqual([500, -500]);
    source.release?.(600);
    expect([...source.chunk(600, 1)]).toEqual([600, -600]);
    expect(() => source.chunk(500, 1)).toThrow(expect.objectContaining({ code: 'ERR_DLADMM_CLOSED' }));
  });
});

describe('a stream is refused', () => {
  const stream = (data: object) => () => fitModel({ labels: LABELS, ...data } as unknown as TrainingData, OPTIONS);
  const rowsThen = (count: number, last: unknown) => slowly([...ROWS.slice(0, count), last] as number[][]);
  async function* broken(): AsyncGenerator<number[]> {
    yield* ROWS.slice(0, 17);
    throw new Error('the disk is gone');
  }

  it.each<[string, object, string, RegExp]>([
    ['that fails', { x: broken() }, 'ERR_DLADMM_STREAM', /data\.x failed where row 17 was to come: the disk is gone/],
    ['that ends early', { x: slowly(ROWS.slice(0, 40)) }, 'ERR_DLADMM_STREAM', /ended where row 40 was to come/],
    ['that goes on too long', { x: slowly([...ROWS, [1, 2, 3]]) }, 'ERR_DLADMM_SHAPE', /48 rows .* row 48/],
    ['with a ragged row', { x: rowsThen(3, [1, 2]) }, 'ERR_DLADMM_SHAPE', /3 numbers for data\.x\[3\]/],
    ['with a ragged block', { x: rowsThen(4, new Float32Array(4)) }, 'ERR_DLADMM_SHAPE', /data\.x\[4\] .* 4 /],
    ['with a text in a row', { x: rowsThen(5, [1, 'two', 3]) }, 'ERR_DLADMM_ARGUMENT', /data\.x\[5\]\[1\].*"two"/],
    ['with a missing value', { x: rowsThen(5, [1, null, 3]) }, 'ERR_DLADMM_ARGUMENT', /data\.x\[5\]\[1\].*null/],
    ['with a hole', { x: rowsThen(5, undefined) }, 'ERR_DLADMM_ARGUMENT', /a row of 3 numbers.* data\.x\[5\]/],
    ['with NaN', { x: rowsThen(6, [1, 2, Number.NaN]) }, 'ERR_DLADMM_NON_FINITE', /NaN in row 6, column 2/],
    [
      'that overflows',
      { x: rowsThen(6, [1, 1e39, 3]) },
      'ERR_DLADMM_NON_FINITE',
      /1e\+39, which overflows float32, in row 6/,
    ],
    ['of nothing', { x: slowly([]) }, 'ERR_DLADMM_SHAPE', /at least one sample in data\.x/],
    ['of bytes', { x: Readable.from(Buffer.from('1,2,3\n'), { objectMode: false }) }, 'ERR_DLADMM_ARGUMENT', /readCsv/],
    ['without labels', { x: slowly(ROWS), labels: undefined }, 'ERR_DLADMM_ARGUMENT', /labels, beside the stream/],
    ['with labels twice', { x: slowly(labelled) }, 'ERR_DLADMM_ARGUMENT', /nothing beside a stream/],
    [
      'without one of its labels',
      { x: slowly([...labelled.slice(0, 9), { x: [1, 2, 3] }]), labels: undefined },
      'ERR_DLADMM_ARGUMENT',
      /a label for data\.x\[9\]\.label/,
    ],
    [
      'with too few labels for a block',
      { x: slowly([{ x: ROWS, labels: ['elm'] }]), labels: undefined },
      'ERR_DLADMM_SHAPE',
      /48 labels, one a sample, for data\.x\[0\]\.labels/,
    ],
    [
      'with a misspelt name',
      { x: slowly([{ x: [1, 2, 3], lable: 'elm' }]), labels: undefined },
      'ERR_DLADMM_ARGUMENT',
      /lable/,
    ],
  ])('%s', async (_, data, code, message) => {
    await expectFailure(stream(data), code as DlAdmmError['code'], message);
  });

  it('that is destroyed, with its own error as the cause', async () => {
    const source = new Readable({ objectMode: true, read() {} });
    source.push([1, 2, 3]);
    const refused = failure(stream({ x: source }));
    setImmediate(() => source.destroy(new Error('hung up')));
    expect(await refused).toMatchObject({
      code: 'ERR_DLADMM_STREAM',
      cause: expect.objectContaining({ message: 'hung up' }),
    });
  });

  it('that never answers ends the training when the signal is aborted', async () => {
    const controller = new AbortController();
    const source = new Readable({ objectMode: true, read() {} });
    source.push([1, 2, 3]);
    const closed = once(source, 'close');
    const ended = fitModel({ x: source, labels: LABELS }, { ...OPTIONS, signal: controller.signal });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    expect(await ended).toMatchObject({ status: { kind: 'aborted' }, iterations: 0, history: [] });
    await closed;
  });

  it('and is closed when one of its rows is refused', async () => {
    const source = Readable.from([[1, 2, 3], [1], [1, 2, 3]]);
    await failure(stream({ x: source }));
    expect(source.destroyed).toBe(true);
  });
});

describe('tables and records', () => {
  it('name row and column of what is no number', async () => {
    const table = new Table({ a: vectorFromArray([1, null, 3]), b: vectorFromArray(['x', 'y', 'z']) });
    const rules = { ...rulesOf(2) };
    await expectFailure(
      () => arrivingRows(table.select(['a']), rulesOf(1), 'x').then(numbersOf),
      'ERR_DLADMM_ARGUMENT',
      /row 1 of column "a" of x but received a missing value/,
    );
    await expectFailure(
      () => arrivingRows(table.select(['b', 'b']), rules, 'x').then(numbersOf),
      'ERR_DLADMM_ARGUMENT',
    );
    await expectFailure(
      () =>
        arrivingRows(
          [
            { a: 1, b: 2 },
            { a: 1, b: 'two' },
          ],
          rules,
          'x',
        ),
      'ERR_DLADMM_ARGUMENT',
      /row 1 of column "b" of x but received "two"/,
    );
    await expectFailure(
      () => arrivingRows([{ a: 1, b: 2 }, { a: 1 }], rules, 'x'),
      'ERR_DLADMM_ARGUMENT',
      /row 1 .*missing/,
    );
  });

  it('say which columns there are where one is asked for that is not there', async () => {
    for (const x of [TABLE, RECORDS]) {
      await expectFailure(
        () => fitModel({ x, labels: 'kind' }, OPTIONS),
        'ERR_DLADMM_ARGUMENT',
        /a, b, c, species.*"kind"/,
      );
    }
  });

  it('say what their features are where the network has not as many inputs', async () => {
    for (const x of [TABLE, RECORDS]) {
      await expectFailure(
        () => fitModel({ x, labels: 'species' }, { ...OPTIONS, layers: [4, 3] }),
        'ERR_DLADMM_SHAPE',
        /4 inputs for data\.x but its features make 3: a, b, c/,
      );
    }
  });

  it('hold integers of 64 bits, booleans and dictionaries for what they mean', async () => {
    const table = new Table({
      long: vectorFromArray([1n, -2n, 3n]),
      flag: vectorFromArray([true, false, true]),
      short: makeVector(Int8Array.of(-1, 0, 1)),
    });
    const source = await arrivingRows(table, rulesOf(3), 'x');
    expect(numbersOf(source)).toEqual([1, 1, -1, -2, 0, 0, 3, 1, 1]);
    const beyond = new Table({ long: vectorFromArray([2n ** 60n]) });
    await expectFailure(
      () => arrivingRows(beyond, rulesOf(1), 'x').then(numbersOf),
      'ERR_DLADMM_ARGUMENT',
      /row 0 of column "long"/,
    );
  });

  it('need no more than numRows, schema.fields and columns with toArray()', async () => {
    const columns: Record<string, number[]> = { a: [1, 2], b: [3, 4] };
    const table = {
      numRows: 2,
      schema: { fields: [{ name: 'a' }, { name: 'b' }] },
      getChild: (name: string) => ({ length: 2, toArray: () => columns[name] ?? [] }),
    };
    expect(numbersOf(await arrivingRows(table, rulesOf(2), 'x'))).toEqual([1, 3, 2, 4]);
    const lying = { ...table, getChild: () => ({ length: 2, toArray: () => [1] }) };
    await expectFailure(() => arrivingRows(lying, rulesOf(2), 'x').then(numbersOf), 'ERR_DLADMM_SHAPE', /2 values/);
    const throwing = {
      ...table,
      getChild: () => {
        throw new Error('no such thing');
      },
    };
    await expectFailure(() => arrivingRows(throwing, rulesOf(2), 'x'), 'ERR_DLADMM_ARGUMENT', /no such thing/);
  });
});

describe('columns of texts', () => {
  const rows = [
    { colour: 'red', size: 1, kind: 'a' },
    { colour: 'blue', size: 2, kind: 'b' },
    { colour: 'red', size: 3, kind: 'a' },
  ];
  const table = new Table({
    colour: vectorFromArray(rows.map(({ colour }) => colour)),
    size: makeVector(Float32Array.of(1, 2, 3)),
    kind: vectorFromArray(rows.map(({ kind }) => kind)),
  });
  const options = { layers: [3, 2], iterations: 3, threads: 1 } as const;

  it('are an input for each text, sorted, where that is asked for', async () => {
    for (const x of [rows, Readable.from(rows), table]) {
      const arrived = await arrivingSamples({ x, labels: 'kind', texts: 'one-hot' }, rulesOf(3), 'data');
      expect(numbersOf(arrived.x)).toEqual([0, 1, 1, 1, 0, 2, 0, 1, 3]);
      expect(arrived.columns).toEqual([{ name: 'colour', categories: ['blue', 'red'] }, { name: 'size' }]);
    }
  });

  it('are refused otherwise', async () => {
    for (const x of [rows, table]) {
      const error = await failure(() =>
        arrivingSamples({ x, labels: 'kind' }, rulesOf(2), 'data').then((arrived) => numbersOf(arrived.x)),
      );
      expect(error).toMatchObject({ code: 'ERR_DLADMM_ARGUMENT', message: expect.stringMatching(/"colour".*one-hot/) });
    }
  });

  it('are kept in the model, which takes records and tables with the columns in any order', async () => {
    const { model } = await fitModel({ x: rows, labels: 'kind', texts: 'one-hot' }, options);
    const { data } = (
      await model.predict([
        [0, 1, 1],
        [1, 0, 2],
        [0, 1, 3],
      ])
    ).outputs;
    const turned = rows.map(({ colour, size }) => ({ size, other: 'x', colour }));
    expect((await model.predict(turned)).outputs.data).toEqual(data);
    expect((await model.predict(table)).outputs.data).toEqual(data);
    expect(await model.evaluate({ x: rows, labels: 'kind' })).toEqual(
      await model.evaluate({ x: table, labels: 'kind' }),
    );
    await expectFailure(
      () => model.predict([{ size: 1, colour: 'green' }]),
      'ERR_DLADMM_LABEL',
      /blue, red for row 0 of column "colour".*"green"/,
    );
  });
});

describe('whatever is passed for samples', () => {
  it('is taken or refused with a DlAdmmError', async () => {
    const anything = fc.anything({
      withBigInt: true,
      withTypedArray: true,
      withSparseArray: true,
      withNullPrototype: true,
    });
    const samples = fc.oneof(
      fc.record(
        { x: anything, labels: anything, y: anything, classes: anything, columns: anything },
        { requiredKeys: [] },
      ),
      fc.record({ x: fc.array(anything, { maxLength: 4 }), labels: fc.oneof(fc.string(), anything) }),
      fc
        .tuple(fc.array(anything, { maxLength: 4 }), anything)
        .map(([items, labels]) => ({ x: items.values(), labels })),
    );
    await fc.assert(
      fc.asyncProperty(samples, async (data) => {
        try {
          const arrived = await arrivingSamples(data, rulesOf(1), 'data');
          numbersOf(arrived.x);
        } catch (error) {
          expect(error).toBeInstanceOf(DlAdmmError);
        }
      }),
      { numRuns: 1500 },
    );
  });
});
