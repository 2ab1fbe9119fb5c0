import { describe, expect, it } from 'vitest';
import { type Column, columnsText } from '../../src/samples/columns.js';
import { encoded } from '../../src/samples/encoded.js';
import { encoderOf, hashOf } from '../../src/samples/encoder.js';
import { type Frame, takeRows, valueAt } from '../../src/samples/frame.js';
import { frameOf } from '../../src/samples/framing.js';
import { type LearningOptions, learnColumns } from '../../src/samples/learning.js';
import { inferTask, targetValues } from '../../src/samples/targets.js';
import { expectFailure } from '../formats/support.js';

type Values = readonly unknown[];

const tableOf = (columns: Readonly<Record<string, Values>>): Promise<Frame> => {
  const rows = Math.max(...Object.values(columns).map(({ length }) => length));
  return frameOf(
    Array.from({ length: rows }, (_, i) =>
      Object.fromEntries(Object.entries(columns).map(([name, v]) => [name, v[i]])),
    ),
    { name: 'rows' },
  );
};

const learn = async (columns: Readonly<Record<string, Values>>, options?: LearningOptions) => {
  const frame = await tableOf(columns);
  const { columns: learnt, notes } = await learnColumns(frame, options);
  const { x } = await encoded(frame, learnt);
  return { learnt, notes, x: [...x.chunk(0, frame.rows)], inputs: x.columns, frame };
};

const some = (values: Values, times = 6): Values => Array.from({ length: times }, () => values).flat();

describe('values are what they say, whatever JavaScript has them in', () => {
  it.each<[string, Values, readonly number[]]>([
    ['numbers', [1, 2.5, -3], [1, 2.5, -3]],
    ["numeric strings, as PostgreSQL's NUMERIC", ['1', '2.50', '-3e2'], [1, 2.5, -300]],
    ['true and false', [true, false, true], [1, 0, 1]],
    ['their names', ['true', 'FALSE', 'true'], [1, 0, 1]],
    ['BigInt', [1n, 2n ** 53n - 1n, -3n], [1, 2 ** 53 - 1, -3]],
    ['all of them', [1, '2.5', 3n, true], [1, 2.5, 3, 1]],
  ])('%s', async (_, values, want) => {
    const { x, learnt } = await learn({ v: values });
    expect(x).toEqual(want);
    expect(learnt).toEqual([{ name: 'v', fill: expect.any(Number) }]);
  });

  it('dates become the parts of them that vary', async () => {
    const days = ['2024-01-01', '2024-01-02', '2024-03-05'];
    const { learnt, x, inputs } = await learn({ at: days });
    expect(learnt[0]).toMatchObject({ date: ['time', 'year-sin', 'year-cos', 'week-sin', 'week-cos'] });
    expect(x.filter((_, i) => i % inputs === 0)).toEqual(days.map((day) => Date.parse(day) / 86_400_000));
    const same = await learn({ at: days.map((day) => new Date(day)) });
    expect(same.x).toEqual(x);
    const hours = await learn({ at: ['2024-01-01 06:00', '2024-01-01T12:00:00Z', '2024-01-01T20:00+02:00'] });
    expect(hours.learnt[0]?.date).toContain('day-sin');
    expect(hours.x[hours.inputs - 2]).toBeCloseTo(1, 12);
  });

  it('a BigInt beyond 2^53 is a text, and so is a date that there is not', async () => {
    const { learnt } = await learn({ a: [2n ** 60n, 2n ** 61n], b: ['2024-02-30', '2024-02-31'] });
    expect(learnt.map(({ categories }) => categories)).toEqual([
      [`${2n ** 60n}`, `${2n ** 61n}`],
      ['2024-02-30', '2024-02-31'],
    ]);
  });

  it('what is none of them is refused by row and column', async () => {
    await expectFailure(() => learn({ v: [1, { deep: 1 }] }), 'ERR_DLADMM_ARGUMENT', /row 1 of column "v" of rows/);
    await expectFailure(() => frameOf([[1, 2]], { name: 'rows' }), 'ERR_DLADMM_ARGUMENT', /a record.*rows\[0\]/);
  });
});

describe('missing values', () => {
  it('are filled with the median or the most frequent text, and an input says so', async () => {
    const { learnt, x, notes } = await learn({ n: [3, null, 1, 10], t: ['b', 'a', undefined, 'b'] });
    expect(learnt).toEqual([
      { name: 'n', fill: 3, indicator: true },
      { name: 't', categories: ['a', 'b'], other: true, fill: 'b', indicator: true },
    ]);
    expect(x).toEqual([3, 0, 0, 1, 0, 0, 3, 1, 1, 0, 0, 0, 1, 0, 0, 1, 0, 1, 10, 0, 0, 1, 0, 0]);
    expect(notes).toEqual([
      {
        column: 'n',
        kind: 'missing',
        text: expect.stringMatching(/column "n": 1 of 4 values are missing \(25 %\); 3/),
      },
      { column: 't', kind: 'missing', text: expect.stringMatching(/column "t": .*"b" stands for them/) },
    ]);
  });

  it.each([null, undefined, '', '?', 'NA', 'n/a', Number.NaN, 'NULL'])('may be written %j', async (value) => {
    const { learnt } = await learn({ n: [1, value, 3], t: ['a', 'b', value] });
    expect(learnt.map(({ indicator }) => indicator)).toEqual([true, true]);
  });

  it('that the training set did not have are filled all the same', async () => {
    const { learnt } = await learn({ n: [1, 2, 3], t: ['a', 'b', 'a'] });
    const later = await tableOf({ n: [null, 5], t: ['', 'b'] });
    expect([...(await encoded(later, learnt)).x.chunk(0, 2)]).toEqual([2, 1, 0, 0, 5, 0, 1, 0]);
    const out = [0, 0, 0, 0];
    encoderOf(learnt, 'x').put(undefined, 0, out, 0, 0);
    expect(out).toEqual([2, 0, 0, 0]);
  });

  it('are refused where they are not wanted', async () => {
    await expectFailure(
      () => learn({ a: [1, 2], n: [1, null] }, { missing: 'error' }),
      'ERR_DLADMM_ARGUMENT',
      /row 1 of column "n" of rows/,
    );
    const { learnt } = await learn({ n: [1, 2] }, { missing: 'error' });
    await expectFailure(
      async () => (await encoded(await tableOf({ n: [null] }), learnt)).x.chunk(0, 1),
      'ERR_DLADMM_ARGUMENT',
      /a number in row 0 of column "n"/,
    );
  });

  it('are all the values of a column that is left out', async () => {
    const { learnt, notes } = await learn({ a: [1, 2], none: [null, ''] });
    expect(learnt.map(({ name }) => name)).toEqual(['a']);
    expect(notes).toMatchObject([{ column: 'none', kind: 'all-missing' }]);
    await expectFailure(() => learn({ none: [null, null] }), 'ERR_DLADMM_SHAPE', /column "none" is left out/);
  });
});

describe('texts', () => {
  const LETTERS = some(['a', 'b', 'c', 'a'], 10);

  it('have an input each, and one for those that never came', async () => {
    const { learnt } = await learn({ t: LETTERS });
    expect(learnt).toEqual([{ name: 't', categories: ['a', 'b', 'c'], other: true, fill: 'a' }]);
    const { x, notes } = await encoded(await tableOf({ t: ['b', 'z'] }), learnt);
    expect([...x.chunk(0, 2)]).toEqual([0, 1, 0, 0, 0, 0, 0, 1]);
    expect(notes).toMatchObject([{ column: 't', kind: 'unseen', text: expect.stringContaining('1 of 2 values') }]);
    expect((await encoded(await tableOf({ t: ['y', 'z'] }), learnt)).notes[0]?.text).toContain('none of its texts');
  });

  it('that came but once teach what those that never came mean', async () => {
    const { learnt, x } = await learn({ t: [...LETTERS, 'rare', 'rarer'] });
    expect(learnt).toMatchObject([{ categories: ['a', 'b', 'c'], other: true }]);
    expect(x.slice(-4)).toEqual([0, 0, 0, 1]);
  });

  it('beyond a limit enter by their hash, the same in every process', async () => {
    const many = some(
      Array.from({ length: 30 }, (_, i) => `town ${i}`),
      3,
    );
    const { learnt, notes, x } = await learn({ t: many }, { categories: 20, buckets: 8 });
    expect(learnt).toEqual([{ name: 't', buckets: 8, fill: 'town 0' }]);
    expect(notes).toMatchObject([{ kind: 'hashed', text: expect.stringMatching(/30 different texts.*8 inputs/) }]);
    const used = new Set(x.flatMap((value, i) => (value === 1 ? [i % 8] : [])));
    expect(used.size).toBeGreaterThan(5);
    expect(x.indexOf(1)).toBe(hashOf('town 0') % 8);
    expect(hashOf('town 0')).toBe(3_336_429_290);
    const nowhere = (await encoded(await tableOf({ t: ['nowhere'] }), learnt)).x.chunk(0, 1);
    expect([...nowhere].filter(Boolean)).toEqual([1]);
  });

  it('beside numbers are codes where there are many, and a damage where there are few', async () => {
    const { learnt, notes } = await learn({ ticket: some(['A/5', '113803', 'PC 17', 24], 3) });
    expect(learnt[0]?.categories).toEqual(['113803', '24', 'A/5', 'PC 17']);
    expect(notes).toMatchObject([{ column: 'ticket', kind: 'mixed', text: expect.stringContaining('"A/5" in row 0') }]);
    const damaged = Array.from({ length: 50 }, (_, i) => (i === 7 ? 'oops' : i / 3));
    await expectFailure(
      () => learn({ n: damaged }),
      'ERR_DLADMM_ARGUMENT',
      /"n" of rows.*49 numbers and 1 other value \("oops" in row 7\)/,
    );
  });
});

describe('columns', () => {
  const rows = Array.from({ length: 40 }, (_, i) => i);
  const table = {
    id: rows.map((i) => i + 1),
    user: rows.map((i) => `u-${i * 7}`),
    same: rows.map(() => 5),
    age: rows.map((i) => (i * 13) % 37),
    note: rows.map((i) => `the ${i}th customer said so`),
    churned: rows.map((i) => i % 2 === 0),
  };

  it('that are identifiers, or never vary, are left out with a word, unless they are asked for', async () => {
    const { learnt, notes } = await learn(table, { target: 'churned', buckets: 4, categories: 10 });
    expect(learnt.map(({ name }) => name)).toEqual(['age', 'note']);
    expect(notes.map(({ column, kind }) => [column, kind])).toEqual([
      ['id', 'identifier'],
      ['user', 'identifier'],
      ['note', 'hashed'],
      ['same', 'constant'],
    ]);
    const asked = await learn(table, { columns: ['id', 'age'] });
    expect(asked.learnt.map(({ name }) => name)).toEqual(['id', 'age']);
    expect(asked.notes).toMatchObject([{ kind: 'identifier', text: expect.stringContaining('it is taken') }]);
  });

  it('of one text and nothing else are no identifiers', async () => {
    const { learnt, notes } = await learn({ ...table, rare: rows.map((i) => (i === 3 ? 'x' : null)) });
    expect(learnt.map(({ name }) => name)).toContain('rare');
    expect(notes).toContainEqual(
      expect.objectContaining({ column: 'rare', text: expect.stringContaining('(97.5 %)') }),
    );
    const { notes: most } = await learn({ n: Array.from({ length: 400 }, (_, i) => (i < 2 ? i : null)) });
    expect(most[0]?.text).toContain('398 of 400 values are missing (99.5 %)');
  });

  it('are chosen and left out by name', async () => {
    const { learnt } = await learn(table, { target: 'churned', ignore: ['note', 'id', 'user'] });
    expect(learnt.map(({ name }) => name)).toEqual(['age']);
    for (const [option, value] of Object.entries({ target: 'churnd', columns: ['agee'], ignore: ['idd'] })) {
      await expectFailure(() => learn(table, { [option]: value }), 'ERR_DLADMM_ARGUMENT', /did you mean/, option);
    }
    await expectFailure(
      () => learn(table, { target: 'age', columns: ['age'] }),
      'ERR_DLADMM_ARGUMENT',
      /other than the target/,
    );
  });

  it('are learnt from the rows that are given, and no others', async () => {
    const frame = await tableOf({ t: ['a', 'b', 'c'], n: [1, null, 9] });
    const { columns } = await learnColumns(await takeRows(frame, Int32Array.of(0, 1)));
    expect(columns).toMatchObject([{ categories: ['a', 'b'] }, { fill: 1, indicator: true }]);
    const rest = await takeRows(frame, Int32Array.of(2, 0));
    expect([...(await encoded(rest, columns)).x.chunk(0, 2)]).toEqual([0, 0, 1, 9, 0, 1, 0, 0, 1, 0]);
  });

  it('are told of in words', async () => {
    const { learnt } = await learn({ n: [1, null], t: ['a', 'b'], at: ['2024-01-01', '2024-01-02'] });
    expect(columnsText(learnt)).toEqual([
      'n: a number (2 inputs); missing: 1, and an input that says so',
      't: a text, one of 2 or another (3 inputs); missing: a',
      expect.stringMatching(/^at: a moment in time, by time, .* inputs\); missing: 2024-01-01T12/),
    ]);
  });

  it('of a record may be missing, and may come late', async () => {
    const frame = await frameOf([{ a: 1 }, { a: 2, b: 'x' }, { b: 'y' }], { name: 'rows' });
    const read = frame.columns.map((column) => [0, 1, 2].map((row) => valueAt(column, row)));
    expect(read).toEqual([
      [1, 2, null],
      [null, 'x', 'y'],
    ]);
  });
});

describe('what there is to predict', () => {
  it.each<[string, readonly (string | number | boolean)[], string]>([
    ['texts', ['a', 'b', 'a'], 'classification'],
    ['true and false', [true, false], 'classification'],
    ['signs', [-1, 1, -1], 'classification'],
    ['whole numbers that count from 0', Array.from({ length: 300 }, (_, i) => i % 100), 'classification'],
    ['ages', Array.from({ length: 300 }, (_, i) => 18 + (i % 70)), 'regression'],
    ['fractions', [0, 1, 0.5], 'regression'],
    ['large numbers', [100, 200], 'regression'],
    ['two large numbers, many times', Array.from({ length: 30 }, (_, i) => (i % 2 ? 100 : 200)), 'classification'],
    ['two numbers below zero', Array.from({ length: 30 }, (_, i) => (i % 3 ? -5 : -3)), 'classification'],
    ['many large numbers', Array.from({ length: 300 }, (_, i) => 1000 + i), 'regression'],
  ])('%s', (_, values, task) => {
    expect(inferTask(values, 'column "y"')).toEqual({ task, because: expect.stringContaining('column "y"') });
  });

  it('is told with a doubt where few large numbers come many times', async () => {
    const years = Array.from({ length: 200 }, (_, i) => 2019 + (i % 4));
    expect(inferTask(years, 'column "year"')).toEqual({
      task: 'regression',
      because: 'column "year" holds 4 different whole numbers from 2019 to 2022',
      doubt: expect.stringMatching(/from 2019 to 2022, which are taken for values; task: 'classification'/),
    });
  });

  it('is refused where every row is another class, or has none', async () => {
    const ids = Array.from({ length: 30 }, (_, i) => `id-${i}`);
    expect(() => inferTask(ids, 'column "id"')).toThrow(
      /of its 30 rows nearly every one is a class of its own \(30 classes\): it may be an identifier/,
    );
    const frame = await tableOf({ y: ['a', null] });
    await expectFailure(() => targetValues(frame, 'y'), 'ERR_DLADMM_LABEL', /column "y" of rows .* row 1/);
    await expectFailure(() => targetValues(frame, 'z'), 'ERR_DLADMM_ARGUMENT', /target/);
  });
});

describe('a table that has no rows, or that breaks off', () => {
  it('is refused', async () => {
    await expectFailure(() => frameOf([], { name: 'rows' }), 'ERR_DLADMM_SHAPE', /one row in rows/);
    async function* broken() {
      yield { a: 1 };
      throw new Error('hung up');
    }
    await expectFailure(() => frameOf(broken(), { name: 'rows' }), 'ERR_DLADMM_STREAM', /row 1 was to come: hung up/);
    const signal = AbortSignal.abort();
    await expectFailure(() => frameOf([{ a: 1 }], { name: 'rows', signal }), 'ERR_DLADMM_ABORTED');
  });
});

it('columns of a model that was saved before mean what they meant', () => {
  const columns: readonly Column[] = [{ name: 'n' }, { name: 't', categories: ['a'] }];
  const encoder = encoderOf(columns, 'x');
  expect(() => encoder.put(null, 0, [0, 0], 0, 3)).toThrow(/a number in row 3/);
  expect(() => encoder.put('z', 1, [0, 0], 0, 3)).toThrow(/one of a /);
});
