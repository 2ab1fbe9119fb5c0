import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, describe, expect, test } from 'vitest';
import { optionalPackage } from '../../src/core/package.js';
import { packSamples, sql } from '../../src/data.js';
import { readFrame } from '../../src/datasets/frame-file.js';
import { fit, type Model } from '../../src/index.js';
import { frameOf } from '../../src/samples/framing.js';
import { expectFailure } from './support.js';

// Rows of a query are learnt from as the same rows are that are given as records.

const folder = mkdtempSync(join(tmpdir(), 'dladmm-sql-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const connection = await (await DuckDBInstance.create(':memory:')).connect();

const ROWS = 5000;
const day = (i: number): Date => new Date(Date.UTC(2024, 0, 1 + (i % 400)));
const records = Array.from({ length: ROWS }, (_, i) => ({
  size: Math.fround((i * 7919) % 997) / 8,
  big: BigInt(i % 50),
  price: (i % 300) / 100,
  plan: ['pro', 'basic', 'none at all'][i % 3],
  since: day(i),
  active: i % 4 === 0,
  gap: i % 7 === 0 ? null : i % 11,
  churned: (i * 7919) % 997 > 500 ? 'yes' : 'no',
}));
const QUERY = `
  select (i * 7919 % 997)::float / 8 as size, (i % 50)::bigint as big, ((i % 300) / 100)::decimal(8, 2) as price,
         ['pro', 'basic', 'none at all'][1 + i % 3] as plan, date '2024-01-01' + (i % 400)::integer as since,
         i % 4 = 0 as active, case when i % 7 = 0 then null else i % 11 end as gap,
         case when i * 7919 % 997 > 500 then 'yes' else 'no' end as churned
  from range(${ROWS}) as rows(i) order by i`;
const options = { target: 'churned', solver: 'adam', epochs: 2, threads: 1 } as const;
const bytesOf = ({ weights, biases }: Model) =>
  [...weights, ...biases].map((block) => Buffer.from(block.buffer).toString('base64'));

/** The numbers, or texts, of a column. */
async function column(from: string | AsyncIterable<object>): Promise<unknown> {
  const frame = await (typeof from === 'string' ? readFrame(from) : frameOf(from, { name: 'query' }));
  const [{ kind, ...found } = { kind: 'none' }] = frame.columns;
  return [
    kind,
    'texts' in found ? [...found.codes].map((code) => found.texts[code]) : [...(found as { values: [] }).values],
  ];
}

describe('the rows of a query', () => {
  test('teach the same bits as the same records, and are asked about and packed as these are', async () => {
    const { model, report } = await fit(sql(QUERY, connection), options);
    const other = await fit(records, options);
    expect(bytesOf(model as Model)).toEqual(bytesOf(other.model as Model));
    expect(report.samples).toBe(other.report.samples);
    const known = await model.evaluate(records);
    expect(await model.evaluate(sql(QUERY, connection))).toEqual(known);
    expect((await model.predict(sql(QUERY, connection))).labels).toEqual((await model.predict(records)).labels);
    expect(
      await packSamples(join(folder, 'rows.samples'), sql(QUERY, connection), { target: 'churned' }),
    ).toMatchObject({
      rows: ROWS,
    });
  });

  test('are the records that DuckDB makes, but for times and sums, of whatever type and name, empty results too', async () => {
    const odd = `select 1::utinyint as a, 2::ubigint as b, 1.5::float as c, 2.25::decimal(4, 2) as d, 'x' as e, true as f, null as g,
      date '2024-01-31' as h, timestamp '2024-01-31 10:20:30.5' as i, union_value(j := 4) as j, [1, 2] as k, {'l': 3} as l, 'm'::blob as m,
      map {'n': [2.5]} as n, interval '1 month 2 days 3 seconds' as o, '101'::bit as p, uuid() is null as q, 'r'::enum('r', 's') as r,
      [true, null] as s, array[1, 2]::integer[2] as t, 5::variant as u, uuid '00000000-0000-4000-8000-000000000001' as v,
      7 as a from range(3000)`;
    for (const query of [QUERY, odd, 'select 1 as a from range(0)']) {
      const mine: object[] = [];
      const theirs: object[] = [];
      for await (const some of sql(query, connection)) mine.push(...some);
      for await (const some of (await connection.run(query)).yieldRowObjectJs()) theirs.push(...some);
      expect(mine).toEqual(theirs);
      expect(Object.keys(mine[0] ?? {})).toEqual(Object.keys(theirs[0] ?? {}));
    }
    for await (const [row] of sql('select 8 as "__proto__"', connection))
      expect(Object.entries(row as object)).toEqual([['__proto__', 8]]);
  });

  test.each([
    ['times', "time '00:00:00' + interval (i * 239000123) microsecond"],
    ['the end of a day', "time '24:00:00'"],
    ['times in nanoseconds', "(time '10:00:00' + interval (i) microsecond)::time_ns"],
    ['times with a zone', "case when i % 2 = 0 then timetz '01:00:00.25+02' else timetz '23:00:00-05:30' end"],
    ['moments around 1970', "timestamp '1969-12-31 23:59:59.000123' + interval (i * 17777) microsecond"],
    ['moments in nanoseconds', 'make_timestamp_ns(777072782401000000 + i) '],
    ['moments to the millisecond', 'epoch_ms(-274267383461 + i)::timestamp_ms'],
    ['moments to the second', 'epoch_ms(-274267383000 + i * 1000)::timestamp_s'],
    ['moments with a zone', "timestamptz '1965-01-01 00:00:00.000123+02' + interval (i * 17777) microsecond"],
    ['dates', "date '0044-03-15' + i::integer * 6007"],
    ['short decimals', '(i / 7)::decimal(9, 5)'],
    ['long decimals', '(i / 7)::decimal(38, 30)'],
    ['sums of whole numbers', 'i::hugeint * 10000000000000001'],
    ['identifiers', 'md5(i::varchar)::uuid'],
    ['enumerated texts', "(['r', 's', 't'][1 + i % 3])::enum('r', 's', 't')"],
    ['true and false', 'i % 3 = 0'],
  ])('have %s as a file of Parquet has them', async (_, expression) => {
    const query = `select case when i = 3 then null else ${expression} end as v from range(200) as rows(i) order by i`;
    const path = join(folder, 'typed.parquet');
    await connection.run(`copy (${query}) to '${path}'`);
    expect(await column(sql(query, connection))).toEqual(await column(path));
  });

  test('mean the same in lists, structures and variants', async () => {
    const query =
      "select [time '00:00:01.5'] as a, {'b': time '00:00:02'} as b, (time '00:00:03')::variant as c, 7::hugeint as d";
    const rows: unknown[] = [];
    for await (const some of sql(query, connection)) rows.push(...some);
    expect(rows).toEqual([{ a: [1.5], b: { b: 2 }, c: 3, d: 7 }]);
  });

  test('are read by their types, whichever copy of the package made them', async () => {
    const values: readonly (readonly [value: unknown, typeId: number])[] = [
      [{ micros: 1_500_000n }, 14],
      [{ value: 225n, scale: 2 }, 19],
      [{ days: 1 }, 13],
      [null, 14],
    ];
    const chunk = {
      rowCount: 1,
      convertColumns: (convert: (value: unknown, type: object) => unknown) =>
        values.map(([value, typeId]) => [convert(value, { typeId })]),
    };
    const result = {
      deduplicatedColumnNames: () => ['a', 'b', 'c', 'd'],
      async *[Symbol.asyncIterator]() {
        yield chunk;
      },
    };
    for await (const some of sql('select', { run: async () => result as never }))
      expect(some).toEqual([{ a: 1.5, b: 2.25, c: new Date(86_400_000), d: null }]);
    expect.assertions(1);
  });

  test.each(["date 'infinity'", "timestamp '-infinity'", "timestamptz 'infinity'"])(
    'refuse %s, which no Date can be',
    async (moment) => {
      await expectFailure(
        () => fit(sql(`select ${moment} as a, 'x' as churned from range(9)`, connection), options),
        'ERR_DLADMM_ARGUMENT',
        /dates that a Date can be, or null \(nullif/,
      );
    },
  );

  test('are run anew each time, in a database of their own where no connection is given', async () => {
    const file = join(folder, 'rows.csv');
    writeFileSync(file, `a,b,y\n${records.map((_, i) => `${i % 9},${i % 2 ? 'x' : 'z'},${i % 3}`).join('\n')}\n`);
    const rows = sql(`select * from read_csv('${file}')`);
    for (let time = 0; time < 2; time += 1) {
      let count = 0;
      for await (const some of rows) count += some.length;
      expect(count).toBe(ROWS);
    }
  });

  test('are not asked for further than they have been taken', async () => {
    let [given, ended] = [0, false];
    const counting = {
      run: async () => ({
        async *yieldRowObjectJs() {
          try {
            for (; ; given += 1) yield [{ a: given, y: given % 2 }];
          } finally {
            ended = true;
          }
        },
      }),
    };
    let taken = 0;
    for await (const [row] of sql('select', counting)) {
      expect(given).toBe(taken);
      expect(row).toEqual({ a: taken, y: taken % 2 });
      taken += 1;
      if (taken === 9) break;
    }
    expect(ended).toBe(true);
  });

  test.each([
    ['selec 1', /Expected a query .*"selec 1": .*Parser Error/],
    ['select colour from range(3)', /Binder Error.*colour/],
    ["select * from 'nowhere.parquet'", /nowhere\.parquet/],
  ])('%s is refused in the words of DuckDB', async (query, text) => {
    await expectFailure(() => fit(sql(query, connection), options), 'ERR_DLADMM_ARGUMENT', text);
  });

  test('that lack the target, or fail on their way, say so', async () => {
    await expectFailure(
      () => fit(sql('select 1 as a, 2 as b', connection), options),
      'ERR_DLADMM_ARGUMENT',
      /its columns are a, b\) for target .*churned/,
    );
    const breaks =
      "select i as a, case when i = 500000 then error('the disk is gone') else 'x' end as churned from range(600000) as rows(i)";
    await expectFailure(() => fit(sql(breaks, connection), options), 'ERR_DLADMM_ARGUMENT', /the disk is gone/);
  });

  test('take a query and a connection, and the package that has these', async () => {
    expect(() => sql(3 as never)).toThrow(/a query as text for query/);
    expect(() => sql('select 1', {} as never)).toThrow(/a connection of @duckdb\/node-api/);
    await expectFailure(
      () => optionalPackage('@duckdb/none', 'A query'),
      'ERR_DLADMM_FILE',
      /which is not installed: npm install @duckdb\/none/,
    );
  });
});
