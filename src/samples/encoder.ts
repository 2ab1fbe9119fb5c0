/** Values of columns as inputs of a network. */
import { didYouMean } from '../core/checks.js';
import { DlAdmmError, describe, expected, listed } from '../core/errors.js';
import { TOO_WIDE } from '../core/numbers.js';
import { putBins } from './bins.js';
import { isMissing, parseNumber } from './cells.js';
import { type Column, inputsOfColumn, offsetsOf } from './columns.js';
import { datePart, parseDate } from './dates.js';

/** How errors call the columns of a table. */
export const columnOf = (name: string, column: string): string => `column ${JSON.stringify(column)} of ${name}`;

/** A value as a number; undefined where it is none. Integers of 64 bits must be exact. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  if (typeof value === 'bigint' && value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) {
    return Number(value);
  }
  return undefined;
}

const WORDS: ReadonlyMap<string, number> = new Map([
  ['true', 1],
  ['false', 0],
]);

/** A value as a number, texts that say one included: databases give numbers of many digits as texts. */
export function numberSaid(value: unknown): number | undefined {
  if (typeof value !== 'string') return numberOf(value);
  const text = value.trim();
  return parseNumber(text) ?? WORDS.get(text.toLowerCase());
}

const isDate = (value: unknown): value is Date => Object.prototype.toString.call(value) === '[object Date]';

/** A value as milliseconds since 1970. */
export function momentOf(value: unknown): number | undefined {
  if (isDate(value)) return value.getTime();
  return typeof value === 'string' ? parseDate(value.trim()) : numberOf(value);
}

/** A value as a text; undefined where it is none. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value.trim();
  if (isDate(value)) return value.toISOString();
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint'
    ? String(value)
    : undefined;
}

/** Reads a column of records: one that is called as what every object has (`constructor`) is a record's own or not there. */
export const readOf =
  (column: string) =>
  (record: Readonly<Record<string, unknown>>): unknown =>
    column in Object.prototype && !Object.hasOwn(record, column) ? undefined : record[column];

/** Whether a value says that there is none. */
export const lacks = (value: unknown): boolean =>
  value === null ||
  value === undefined ||
  (typeof value === 'string' ? isMissing(value.trim()) : Number.isNaN(value)) ||
  (isDate(value) && Number.isNaN(value.getTime()));

export function badValue(
  what: string,
  value: unknown,
  row: number | string,
  column: string,
  name: string,
): DlAdmmError {
  const where = typeof row === 'number' ? `row ${row}` : row;
  const empty = value === null || value === undefined || value === '';
  const why = typeof value === 'bigint' ? `, ${TOO_WIDE}` : '';
  const found = empty ? `a missing value (${describe(value)})` : `${describe(value)}${why}`;
  const hint =
    typeof value === 'string' && !empty && what === 'a number'
      ? "; categories: 'one-hot' takes texts as categories"
      : '';
  const large = typeof value === 'bigint' ? '; whole numbers beyond 2^53 are not exact' : '';
  const text = `Expected ${what} in ${where} of ${columnOf(name, column)} but received ${found}${hint}${large}`;
  return new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/** The 32-bit hash of Fowler, Noll and Vo (1a) over UTF-16 units, mixed once more, as its low bits alone are poor. */
export function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/**
 * A key that a record lacks stands for a missing value, unless the record seems to have it by another name, or has none of them.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT
 */
export function checkRecord(record: Readonly<Record<string, unknown>>, columns: readonly Column[], name: string): void {
  if (columns.every((column) => Object.hasOwn(record, column.name))) return;
  const lacked = columns.filter((column) => !Object.hasOwn(record, column.name));
  const keys = Object.keys(record);
  const known = new Set(columns.map((column) => column.name));
  const others = keys.filter((key) => !known.has(key));
  for (const { name: column, fill } of lacked) {
    const hint = didYouMean(column, others);
    if (fill !== undefined && hint === '' && lacked.length < columns.length) continue;
    const have = keys.length === 0 ? 'none' : listed(keys);
    const text = `Expected a column ${JSON.stringify(column)} in ${name}, as the model was trained on, but its columns are ${have}${hint}`;
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
  }
}

type Row = { [i: number]: number };
/** Writes what a value means into a row, from `at` on, where zeros stand. */
type Put = (value: unknown, out: Row, at: number, row: number) => void;
/** How errors call a row. */
type RowName = (row: number) => string;

/** Turns the values of some columns into inputs of a network. */
export interface Encoder {
  readonly columns: readonly Column[];
  readonly inputs: number;
  /** Writes what `value` of column `c` (by its place among `columns`) means into a row that begins at `at`; zeros stand there. */
  put(value: unknown, c: number, out: Row, at: number, row: number): void;
}

function putText(column: Column, name: string, rowName: RowName): Put {
  const { categories, buckets, other, fill } = column;
  const strict = fill === undefined;
  const places = categories && new Map(categories.map((text, i) => [text, i]));
  return (value, out, at, row) => {
    const text = strict ? value : textOf(value);
    if (typeof text !== 'string' || text === '') throw badValue('a text', value, rowName(row), column.name, name);
    const place = buckets ? hashOf(text) % buckets : (places?.get(text) ?? (other ? places?.size : undefined));
    if (place === undefined) {
      const known = `one of ${listed(categories ?? [], 20)}`;
      throw expected(known, `${rowName(row)} of ${columnOf(name, column.name)}`, value, 'ERR_DLADMM_LABEL');
    }
    out[at + place] = 1;
  };
}

function putDate({ name: column, date = [] }: Column, name: string, rowName: RowName): Put {
  return (value, out, at, row) => {
    const moment = momentOf(value);
    if (moment === undefined) throw badValue('a date', value, rowName(row), column, name);
    for (const [i, part] of date.entries()) out[at + i] = datePart(moment, part);
  };
}

function putNumber({ name: column, fill, bins = [] }: Column, name: string, rowName: RowName): Put {
  const read = fill === undefined ? numberOf : numberSaid;
  return (value, out, at, row) => {
    const number = read(value);
    if (number === undefined) {
      const what = fill === undefined ? 'a number' : 'a number, as the training set has there,';
      throw badValue(what, value, rowName(row), column, name);
    }
    if (fill !== undefined && !Number.isFinite(number)) {
      const where = `${rowName(row)} of ${columnOf(name, column)}`;
      throw expected('a finite number', where, value, 'ERR_DLADMM_NON_FINITE');
    }
    out[at] = number;
    putBins(number, bins, out, at + 1);
  };
}

function putColumn(column: Column, name: string, rowName: RowName): Put {
  const { categories, buckets, date, fill, indicator } = column;
  const kind = categories || buckets ? putText : date ? putDate : putNumber;
  const put = kind(column, name, rowName);
  if (fill === undefined) return put;
  const last = inputsOfColumn(column) - 1;
  return (value, out, at, row) => {
    const missing = lacks(value);
    put(missing ? fill : value, out, at, row);
    if (missing && indicator) out[at + last] = 1;
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL from `put`, naming row and column */
export function encoderOf(columns: readonly Column[], name: string, rowName: RowName = (row) => `row ${row}`): Encoder {
  const { offsets, inputs } = offsetsOf(columns);
  const puts = columns.map((column) => putColumn(column, name, rowName));
  return {
    columns,
    inputs,
    put: (value, c, out, at, row) => (puts[c] as Put)(value, out, at + (offsets[c] as number), row),
  };
}
