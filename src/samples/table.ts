/** Tables by column (Arrow's and what looks like them), read a part of a column at a time. */
import { types } from 'node:util';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { isRevoked } from '../core/objects.js';
import { isArray, type NumericArray } from '../tensor/inputs.js';
import { columnOf } from './encoder.js';

/** A column of a table, as Arrow's vectors are. */
export interface ColumnLike {
  readonly length: number;
  /** The values in order, as a typed array where they are numbers. */
  toArray(): ArrayLike<unknown>;
  /** The number of missing values. */
  readonly nullCount?: number;
  /** Value i, null where it is missing. */
  get?(index: number): unknown;
  /** The values from `begin` to before `end`. */
  slice?(begin: number, end: number): ColumnLike;
}

/** A table by column, as Arrow's are: `tableFromIPC(bytes)` of the package apache-arrow, or anything of this shape. */
export interface TableLike {
  readonly numRows: number;
  readonly schema: { readonly fields: readonly { readonly name: string; readonly type?: unknown }[] };
  /** The column of that name; null where there is none. */
  getChild(name: string): ColumnLike | null;
}

/** Columns by their names, each with all its values: `{ age: [34, 51], plan: ['pro', 'basic'] }`, or a Map of them. */
export type ColumnsLike = Readonly<Record<string, ValuesLike>> | ReadonlyMap<string, ValuesLike>;
export type ValuesLike = readonly unknown[] | NumericArray | BigInt64Array | BigUint64Array;

/** Values by the names of their columns. */
export type Cells = Readonly<Record<string, unknown>>;

/** A sample by the names of its columns: any object that is no list, so that of an interface or a class too. */
export type RecordLike =
  | Cells
  | (object & { readonly [Symbol.iterator]?: never; readonly [Symbol.asyncIterator]?: never });

/** How columns are found and read where no model says so. */
export interface ColumnOptions {
  /** What becomes of texts among the features: an input for each (one-hot). Default: they are refused. */
  readonly texts?: 'one-hot';
}

export function isTable(value: unknown): value is TableLike {
  try {
    if (typeof value !== 'object' || value === null || !('getChild' in value) || !('schema' in value)) return false;
    return 'numRows' in value && typeof value.getChild === 'function';
  } catch {
    return false;
  }
}

const isValues = (value: unknown): value is ValuesLike => isArray(value) || types.isTypedArray(value);

const entriesOf = (x: object): readonly (readonly [unknown, unknown])[] =>
  types.isMap(x) ? [...x] : Object.entries(x);

/** Whether an object, or a Map, holds columns by their names, rather than a value for each. */
export function areColumns(x: Cells): boolean {
  const entries = entriesOf(x);
  return entries.length > 0 && entries.every(([, values]) => isValues(values));
}

/** What is a table, or columns by their names, as a table; undefined for anything else. @throws DlAdmmError ERR_DLADMM_SHAPE */
export function tableOf(x: unknown, name: string): TableLike | undefined {
  if (isRevoked(x)) return undefined;
  if (isTable(x)) return x;
  const plain =
    typeof x === 'object' && x !== null && !isArray(x) && !(Symbol.iterator in x) && !(Symbol.asyncIterator in x);
  const entries = types.isMap(x) || plain ? entriesOf(x) : [];
  if (entries.length === 0 || !entries.every(([key, values]) => typeof key === 'string' && isValues(values)))
    return undefined;
  const columns = new Map(entries as readonly (readonly [string, ValuesLike])[]);
  const numRows = columns.values().next().value?.length ?? 0;
  for (const [column, { length }] of columns) {
    if (length !== numRows)
      throw expected(`${numRows} values, as before,`, columnOf(name, column), length, 'ERR_DLADMM_SHAPE');
  }
  return {
    numRows,
    schema: { fields: Array.from(columns.keys(), (column) => ({ name: column })) },
    getChild(column) {
      const values = columns.get(column);
      return values ? { length: numRows, toArray: () => values } : null;
    },
  };
}

/** Columns by their names as records. @throws DlAdmmError ERR_DLADMM_SHAPE where they are not of one length */
export function recordsOf(columns: Cells): readonly Cells[] {
  const rows = tableOf(columns, 'x')?.numRows ?? 0;
  const values = entriesOf(columns) as readonly (readonly [string, ArrayLike<unknown>])[];
  return Array.from({ length: rows }, (_, row) => Object.fromEntries(values.map(([name, of]) => [name, of[row]])));
}

/** The names of a table's columns; each must be there once. */
export function fieldsOf(table: TableLike, name: string): readonly string[] {
  const fields: unknown = asked(name, () => table.schema?.fields);
  if (!Array.isArray(fields)) throw expected('an array', `${name}.schema.fields`, fields);
  return fields.map((field: unknown, i) => {
    if (typeof field === 'object' && field !== null && 'name' in field && typeof field.name === 'string')
      return field.name;
    throw expected('{ name }', `${name}.schema.fields[${i}]`, field);
  });
}

/** So many of a unit are a second. */
export const PER_SECOND: Readonly<Record<string, number>> = {
  SECOND: 1,
  MILLIS: 1e3,
  MILLISECOND: 1e3,
  MICROS: 1e6,
  MICROSECOND: 1e6,
  NANOS: 1e9,
  NANOSECOND: 1e9,
};

/** Of Arrow's times and durations, which come in units of their type: the seconds. Undefined for other types. */
export function secondsOf(type: unknown): ((value: number | bigint) => number) | undefined {
  const [, unit] = /^(?:Time|Duration)(?:32|64)?<([A-Z]+)/.exec(String(type)) ?? [];
  const perSecond = unit === undefined ? undefined : PER_SECOND[unit];
  return perSecond === undefined ? undefined : (value) => Number(value) / perSecond;
}

const NUMBERS = /^(?:float(?:32|64)|u?int(?:8|16|32|64))$/i;

/** Reads a part of one column. */
export type Read = (first: number, count: number) => ArrayLike<unknown>;

/** What a table says when it is asked; what it throws is told of as an argument that is not right. */
function asked<T>(where: string, ask: () => T): T {
  try {
    return ask();
  } catch (cause) {
    if (cause instanceof DlAdmmError) throw cause;
    const why = messageOf(cause);
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `${where} cannot be read: ${why}`, { cause });
  }
}

/** The type that a table says its column has, as Arrow's tables do. */
export const typeOf = (table: TableLike, column: string): unknown =>
  table.schema.fields.find((field) => field.name === column)?.type;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, now or when it is read */
export function columnReader(table: TableLike, column: string, name: string): Read {
  const read = storedReader(table, column, name);
  const type = typeOf(table, column);
  const meant = secondsOf(type) ?? (/^Timestamp/.test(String(type)) ? millisecond : undefined);
  if (meant === undefined) return read;
  return (first, count) =>
    Array.from(read(first, count) as ArrayLike<number | bigint | null>, (value) =>
      value === null ? null : meant(value),
    );
}

/** The one in which a moment lies, before 1970 too: a Date has no parts of it. */
const millisecond = (value: number | bigint): number => Math.floor(Number(value));

/** The same, of values as they are stored. */
function storedReader(table: TableLike, column: string, name: string): Read {
  const where = columnOf(name, column);
  const { vector, plain } = asked(where, () => openColumn(table, column, where));
  if (!plain && typeof vector.get === 'function') {
    return (first, count) => asked(where, () => Array.from({ length: count }, (_, i) => vector.get?.(first + i)));
  }
  if (typeof vector.slice === 'function') {
    return (first, count) => asked(where, () => arrayOf(vector.slice?.(first, first + count).toArray(), count, where));
  }
  let whole: ArrayLike<unknown> | undefined;
  return (first, count) =>
    asked(where, () => {
      whole ??= arrayOf(vector.toArray(), table.numRows, where);
      return Array.prototype.slice.call(whole, first, first + count);
    });
}

function openColumn(table: TableLike, column: string, where: string): { vector: ColumnLike; plain: boolean } {
  const vector = table.getChild(column);
  if (typeof vector !== 'object' || vector === null || typeof vector.toArray !== 'function') {
    throw expected('a column with toArray()', where, vector);
  }
  if (vector.length !== table.numRows) {
    throw expected(`${table.numRows} values`, where, vector.length, 'ERR_DLADMM_SHAPE');
  }
  const type = typeOf(table, column);
  // What toArray() gives of other types is how they are stored, not what they mean.
  const plain = (type === undefined || NUMBERS.test(String(type))) && !((vector.nullCount ?? 0) > 0);
  return { vector, plain };
}

function arrayOf(values: unknown, count: number, where: string): ArrayLike<unknown> {
  if (typeof values === 'object' && values !== null && 'length' in values && values.length === count) {
    return values as ArrayLike<unknown>;
  }
  throw expected(`an array of ${count} values from toArray()`, where, values, 'ERR_DLADMM_SHAPE');
}
