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
  const empty = lacks(value);
  const why = typeof value === 'bigint' ? `, ${TOO_WIDE}` : '';
  const found = empty ? `a missing value (${describe(value)})` : `${describe(value)}${why}`;
  const hint =
    typeof value === 'string' && !empty && what === 'a number' ? "; texts: 'one-hot' takes texts as categories" : '';
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
/** How errors call a row. */
type RowName = (row: number) => string;

/** How the values of a column become inputs. */
interface Coding {
  /** A value in one number: itself, milliseconds since 1970, or the place of a text; NaN where it is missing. */
  cell(value: unknown, row: number): number;
  /** Writes what such a number means into a row, from `at` on, where zeros stand. */
  write(cell: number, out: Row, at: number): void;
}

/** Turns the values of some columns into inputs of a network; `c` is a column by its place among `columns`. */
export interface Encoder {
  readonly columns: readonly Column[];
  readonly inputs: number;
  cell(value: unknown, c: number, row: number): number;
  /** Writes what a cell means into a row that begins at `at`; zeros stand there. */
  write(cell: number, c: number, out: Row, at: number): void;
  /** Both at once. */
  put(value: unknown, c: number, out: Row, at: number, row: number): void;
}

function codingOfText(column: Column, name: string, rowName: RowName): Coding {
  const { categories, buckets, other } = column;
  const places = categories && new Map(categories.map((text, i) => [text, i]));
  const count = buckets ?? (categories?.length ?? 0) + (other ? 1 : 0);
  return {
    cell(value, row) {
      const known = typeof value === 'string' ? places?.get(value) : undefined;
      if (known !== undefined) return known;
      const text = textOf(value);
      if (text === undefined || lacks(value)) throw badValue('a text', value, rowName(row), column.name, name);
      const place = buckets ? hashOf(text) % buckets : (places?.get(text) ?? (other ? places?.size : undefined));
      if (place !== undefined) return place;
      throw expected(
        `one of ${listed(categories ?? [], 20)}`,
        `${rowName(row)} of ${columnOf(name, column.name)}`,
        value,
        'ERR_DLADMM_LABEL',
      );
    },
    write(place, out, at) {
      // A file may say anything.
      if (place >>> 0 === place && place < count) out[at + place] = 1;
      else out[at] = Number.NaN;
    },
  };
}

function codingOfDate({ name: column, date = [] }: Column, name: string, rowName: RowName): Coding {
  return {
    cell(value, row) {
      const moment = momentOf(value);
      if (moment === undefined) throw badValue('a date', value, rowName(row), column, name);
      return moment;
    },
    write(moment, out, at) {
      for (const [i, part] of date.entries()) out[at + i] = datePart(moment, part);
    },
  };
}

function codingOfNumber({ name: column, fill, bins = [] }: Column, name: string, rowName: RowName): Coding {
  return {
    cell(value, row) {
      const number = numberSaid(value);
      if (number === undefined) {
        const what = fill === undefined ? 'a number' : 'a number, as the training set has there,';
        throw badValue(what, value, rowName(row), column, name);
      }
      if (fill !== undefined && !Number.isFinite(number)) {
        const where = `${rowName(row)} of ${columnOf(name, column)}`;
        throw expected('a finite number', where, value, 'ERR_DLADMM_NON_FINITE');
      }
      return number;
    },
    write(number, out, at) {
      out[at] = number;
      putBins(number, bins, out, at + 1);
    },
  };
}

function codingOf(column: Column, name: string, rowName: RowName): Coding {
  const { categories, buckets, hash, date, fill, indicator } = column;
  if (hash) throw expected('rows of a table, or features, as words by hash are no dense inputs,', name, column.name);
  const kind = categories || buckets ? codingOfText : date ? codingOfDate : codingOfNumber;
  const { cell, write } = kind(column, name, rowName);
  if (fill === undefined) return { cell, write };
  const last = inputsOfColumn(column) - 1;
  let filled: number | undefined;
  return {
    cell: (value, row) => (lacks(value) ? Number.NaN : cell(value, row)),
    write(number, out, at) {
      if (!Number.isNaN(number)) return write(number, out, at);
      filled ??= cell(fill, 0);
      write(filled, out, at);
      if (indicator) out[at + last] = 1;
    },
  };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_LABEL from `cell` and `put`, naming row and column */
export function encoderOf(columns: readonly Column[], name: string, rowName: RowName = (row) => `row ${row}`): Encoder {
  const { offsets, inputs } = offsetsOf(columns);
  const codings = columns.map((column) => codingOf(column, name, rowName));
  const cell: Encoder['cell'] = (value, c, row) => (codings[c] as Coding).cell(value, row);
  const write: Encoder['write'] = (number, c, out, at) =>
    (codings[c] as Coding).write(number, out, at + (offsets[c] as number));
  return { columns, inputs, cell, write, put: (value, c, out, at, row) => write(cell(value, c, row), c, out, at) };
}
