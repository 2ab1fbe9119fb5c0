import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import { optionalPackage } from '../core/package.js';
import type { RecordLike } from '../samples/table.js';
import { type DuckType, fromDuckDB } from './columnar/duckdb-values.js';

/** What a query has found. */
export interface SqlResult {
  /** Its rows, some at a time. */
  yieldRowObjectJs(): AsyncIterable<readonly RecordLike[]>;
}

/** What a connection of the package `@duckdb/node-api` has: `await instance.connect()`. */
export interface SqlConnection {
  /** Runs a query to its end. */
  run(query: string): Promise<SqlResult>;
}

/** What is asked of that package. */
interface DuckDB {
  readonly DuckDBInstance: { create(path: string): Promise<Instance> };
}
interface Instance {
  connect(): Promise<SqlConnection & { closeSync(): void }>;
  closeSync(): void;
}

/** What else a result of that package has: its rows by column, some at a time, which is several times as quick. */
interface Chunked extends AsyncIterable<Chunk> {
  deduplicatedColumnNames(): readonly string[];
}
interface Chunk {
  readonly rowCount: number;
  convertColumns(converter: (value: unknown, type: DuckType) => unknown): readonly (readonly unknown[])[];
}

const isChunked = (result: object): result is Chunked =>
  Symbol.asyncIterator in result && 'deduplicatedColumnNames' in result;

const isConnection = (value: unknown): value is SqlConnection => isObject(value) && typeof value.run === 'function';

/** The rows of a result, made of its columns where these are to be had: its own rows do not tell their types, and so not what their values mean. */
async function* rowsIn(result: SqlResult): AsyncGenerator<readonly RecordLike[]> {
  if (!isChunked(result)) {
    yield* result.yieldRowObjectJs();
    return;
  }
  const names = result.deduplicatedColumnNames();
  const like: Record<string, unknown> = Object.fromEntries(names.map((name) => [name, null]));
  for await (const chunk of result) {
    const columns = chunk.convertColumns(fromDuckDB);
    yield Array.from({ length: chunk.rowCount }, (_, i) => {
      const row = { ...like };
      for (const [j, name] of names.entries()) row[name] = columns[j]?.[i];
      return row;
    });
  }
}

/** By the connection of somebody, whose package need not be found from here, or by one of ours. */
async function* rowsOn(query: string, connection: SqlConnection): AsyncGenerator<readonly RecordLike[]> {
  // Not `stream`: one of its queries that fails on its way ends as if there were no more rows.
  const result = await connection.run(query).catch((cause: unknown) => {
    const text = `Expected a query that DuckDB can run for query but received ${JSON.stringify(query)}: ${messageOf(cause)}`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text, { cause });
  });
  yield* rowsIn(result);
}

/** By a connection that is there for this query alone. */
async function* rowsOf(query: string): AsyncGenerator<readonly RecordLike[]> {
  const { DuckDBInstance } = await optionalPackage<DuckDB>('@duckdb/node-api', 'A query');
  const instance = await DuckDBInstance.create(':memory:');
  try {
    const connection = await instance.connect();
    try {
      yield* rowsOn(query, connection);
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/**
 * The rows of a query, wherever rows of a table are taken. DuckDB runs it off the event loop and keeps what it finds, by column, from where rows
 * are taken some 2,000 at a time, as they are asked for. It reads files of CSV, Parquet and JSON, many at once, and what its extensions know.
 * Each time the rows are gone through the query is run anew. It takes the package `@duckdb/node-api`, which has to be installed beside this one.
 *
 *     await fit(sql("select * from 'trips/*.parquet' where fare > 0"), { target: 'fare' });
 *     await fit(sql('select age, plan, churned from customers', connection), { target: 'churned' });
 *
 * @param connection where it is run; if absent, in a database of its own, in memory
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT at once for what is no query or no connection; where the rows are gone through, for a query that
 *   DuckDB refuses or cannot end, with its words; ERR_DLADMM_FILE where the package is not installed
 */
export function sql(query: string, connection?: SqlConnection): AsyncIterable<readonly RecordLike[]> {
  if (typeof query !== 'string') throw expected('a query as text', 'query', query);
  if (connection !== undefined && !isConnection(connection))
    throw expected('a connection of @duckdb/node-api (await instance.connect())', 'connection', connection);
  return { [Symbol.asyncIterator]: () => (connection ? rowsOn(query, connection) : rowsOf(query)) };
}
