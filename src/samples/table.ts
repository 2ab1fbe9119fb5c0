/**
 * Samples with named columns: tables by column (Arrow and what looks like it), and records, a row at a time. A column of
 * numbers is one input of a network; a column of texts is an input for each text that occurs in it, where that is asked for.
 */

import { types } from 'node:util';
import { repeated } from '../core/checks.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { isArray, type LabelsLike, type NumericArray, type RowSource, trusted } from '../tensor/inputs.js';
import { type Column, inputsOf, MAX_CATEGORIES } from './columns.js';
import { badValue, columnOf, encoderOf, numberOf } from './encoder.js';

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
type ValuesLike = readonly unknown[] | NumericArray | BigInt64Array | BigUint64Array;

/** A sample by the names of its columns. */
export type RecordLike = Readonly<Record<string, unknown>>;

/** How columns are found and read where no model says so. */
export interface ColumnOptions {
  /** What becomes of texts among the features: an input for each (one-hot). Default: they are refused. */
  readonly categories?: 'one-hot';
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

/** What is a table, or columns by their names, as a table; undefined for anything else. @throws DlAdmmError ERR_DLADMM_SHAPE */
export function tableOf(x: unknown, name: string): TableLike | undefined {
  if (isTable(x)) return x;
  const plain =
    typeof x === 'object' && x !== null && !isArray(x) && !(Symbol.iterator in x) && !(Symbol.asyncIterator in x);
  const entries = types.isMap(x) ? [...x] : plain ? Object.entries(x) : [];
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

/** The categories of a column, gathered value by value. */
export function categoryCollector(column: string, name: string) {
  const seen = new Set<string>();
  return {
    add(value: unknown, row: number): void {
      if (typeof value !== 'string' || value === '') throw badValue('a text', value, row, column, name);
      seen.add(value);
      if (seen.size > MAX_CATEGORIES) {
        throw new DlAdmmError(
          'ERR_DLADMM_ARGUMENT',
          `Expected at most ${MAX_CATEGORIES} categories in ${columnOf(name, column)} but row ${row} brings one more: it may be an identifier, to be left out`,
        );
      }
    },
    sorted: (): readonly string[] => [...seen].sort(),
  };
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

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, now or when it is read */
export function columnReader(table: TableLike, column: string, name: string): Read {
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
  const type = table.schema.fields.find((field) => field.name === column)?.type;
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

const ROWS = 4096;

function eachValue(read: Read, rows: number, visit: (value: unknown, row: number) => void): void {
  for (let first = 0; first < rows; first += ROWS) {
    const count = Math.min(ROWS, rows - first);
    const part = read(first, count);
    for (let i = 0; i < count; i += 1) visit(part[i], first + i);
  }
}

/** A table with the columns that are features and those that are not. */
export interface OpenTable {
  readonly columns: readonly Column[];
  readonly source: RowSource;
  /** The values of a column that is no feature. */
  values(column: string): LabelsLike;
  /** Columns as rows of target values. */
  rows(columns: readonly string[], name: string): RowSource;
}

/**
 * Opens a table: the features are `wanted` where that is given, else all columns but `others`.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL
 */
export function openTable(
  table: TableLike,
  wanted: readonly Column[] | undefined,
  others: readonly string[],
  options: ColumnOptions,
  name: string,
): OpenTable {
  const fields = fieldsOf(table, name);
  const { numRows: rows } = table;
  if (!Number.isInteger(rows) || rows < 1)
    throw expected('at least one row', `${name}.numRows`, rows, 'ERR_DLADMM_SHAPE');
  const need = (column: string): Read => {
    if (!fields.includes(column)) throw noColumn(column, fields, name);
    return columnReader(table, column, name);
  };
  for (const column of others) need(column);
  const chosen = new Set(wanted?.map((column) => column.name) ?? fields);
  const twice = repeated(fields.filter((field) => chosen.has(field)));
  if (twice !== undefined) throw expected('columns with different names', name, twice);
  const columns = wanted ?? fields.filter((field) => !others.includes(field)).map((field) => learnColumn(field, need));

  function learnColumn(column: string, reader: (column: string) => Read): Column {
    const read = reader(column);
    if (options.categories !== 'one-hot' || typeof read(0, 1)[0] !== 'string') return { name: column };
    const collector = categoryCollector(column, name);
    eachValue(read, rows, collector.add);
    return { name: column, categories: collector.sorted() };
  }

  function sourceOf(which: readonly Column[], called: string): RowSource {
    const encoder = encoderOf(which, called);
    const reads = which.map((column) => need(column.name));
    return trusted({
      name: called,
      rows,
      columns: encoder.inputs,
      chunk(first, count) {
        const out = new Float64Array(count * encoder.inputs);
        for (const [c, read] of reads.entries()) {
          const part = read(first, count);
          for (let i = 0; i < count; i += 1) encoder.put(part[i], c, out, i * encoder.inputs, first + i);
        }
        return out;
      },
    });
  }

  return {
    columns,
    source: sourceOf(columns, name),
    values(column) {
      const values: unknown[] = [];
      eachValue(need(column), rows, (value, row) => void values.push(labelOf(value, row, column, name)));
      return values as readonly string[];
    },
    rows: (which, called) =>
      sourceOf(
        which.map((column) => ({ name: column })),
        called,
      ),
  };
}

/** A value of a column of labels. */
export function labelOf(value: unknown, row: number, column: string, name: string): string | number | boolean {
  if (typeof value === 'string' || typeof value === 'boolean') if (value !== '') return value;
  const number = numberOf(value);
  if (number === undefined) throw badValue('a label', value, row, column, name);
  return number;
}

export function noColumn(column: string, fields: readonly string[], name: string): DlAdmmError {
  const known = fields.length > 50 ? [...fields.slice(0, 50), '…'] : fields;
  return expected(`one of its columns (${known.join(', ')})`, `a column of ${name}`, column);
}

/**
 * Rows in which every category is one number, as rows with an input for each: `columns` has the categories in their order,
 * `numbers` the number that each has in `source`.
 */
export function oneHot(
  source: RowSource,
  columns: readonly Column[],
  numbers: readonly ReadonlyMap<string, number>[],
): RowSource {
  const { name, rows } = source;
  const inputs = inputsOf(columns);
  const offsets = columns.map((_, c) => inputsOf(columns.slice(0, c)));
  const places = columns.map(({ categories }, c) => {
    const place = new Int32Array(categories?.length ?? 0);
    for (const [i, text] of (categories ?? []).entries()) place[numbers[c]?.get(text) ?? 0] = i;
    return categories && place;
  });
  return trusted({
    name,
    rows,
    columns: inputs,
    chunk(first, count) {
      const from = source.chunk(first, count);
      const out = zeros(dtypeOf(from), count * inputs);
      for (let i = 0; i < count; i += 1) {
        for (const [c, offset] of offsets.entries()) {
          const value = from[i * columns.length + c] as number;
          const place = places[c];
          if (place) out[i * inputs + offset + (place[value] as number)] = 1;
          else out[i * inputs + offset] = value;
        }
      }
      return out;
    },
    ...(source.release && { release: (row: number) => source.release?.(row) }),
  });
}
