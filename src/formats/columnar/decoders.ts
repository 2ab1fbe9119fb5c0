/**
 * How files that are stored by column are taken apart: by packages of others, in this thread, a step at a time, each step within
 * a limit of time. The columns come out alike, whatever the format.
 */
import { availableParallelism, loadavg } from 'node:os';
import { createContext, Script } from 'node:vm';
import { DlAdmmError, messageOf, systemCode } from '../../core/errors.js';
import { formatError } from '../bytes.js';
import type { Decoder, StoredColumn } from './column-kinds.js';
import type { ColumnPart, FileColumn } from './file.js';

export type ColumnarFormat = 'Parquet' | 'Arrow';

export interface DecodedFile {
  readonly rows: number;
  readonly columns: readonly FileColumn[];
  parts(columns: readonly number[]): Iterator<ColumnPart>;
}

/** So many rows are handed over at once. */
const PART = 2 ** 14;
const LEAST_MS = 1000;
const BYTES_PER_MS = 2000;
const ROWS_PER_MS = 1000;

/** @throws DlAdmmError ERR_DLADMM_FILE where a package is missing */
export async function loadDecoder(format: ColumnarFormat, name: string): Promise<Decoder> {
  if (format === 'Parquet') return (await import('./parquet-decoder.js')).openParquet;
  return (await import('./arrow-decoder.js')).arrowDecoder(name);
}

const context: { work?: () => void } = createContext({});
const script = new Script('work()');

/** Runs `work`, which is ended where it takes too long: a damaged count would be counted to. */
function within<T>(ms: number, name: string, format: ColumnarFormat, work: () => T): T {
  // Where others want the processors too, work takes as much longer.
  const limit = Math.ceil(ms * Math.max(1, (loadavg()[0] ?? 0) / availableParallelism()));
  let result: { readonly value: T } | undefined;
  context.work = () => {
    result = { value: work() };
  };
  try {
    script.runInContext(context, { timeout: limit });
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const why =
      systemCode(error) === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
        ? `it takes more than ${limit / 1000} s, which its size does not account for`
        : messageOf(error);
    throw formatError(name, `damaged ${format} file, or one of another kind: ${why}`, error);
  } finally {
    delete context.work;
  }
  return (result as { readonly value: T }).value;
}

/** Numbers as doubles, where all of them are there and doubles hold them. */
function tidy(values: ArrayLike<unknown>): ArrayLike<unknown> {
  if (ArrayBuffer.isView(values) && typeof values[0] === 'number') return values;
  const numbers = new Float64Array(values.length);
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i];
    const number = typeof value === 'bigint' ? Number(value) : value;
    if (typeof number !== 'number' || (typeof value === 'bigint' && !Number.isSafeInteger(number))) {
      return Array.from(values, (other) => other ?? null);
    }
    numbers[i] = number;
  }
  return numbers;
}

/** How many numbers a column of lists has in each row, by its first. */
function widthOf(column: StoredColumn): number {
  for (const values of column.values()) {
    if (values.length > 0) return (values[0] as ArrayLike<unknown> | null)?.length ?? 0;
  }
  return 0;
}

/** A column of the file as it is shown: one of numbers for each place of a list. */
interface Shown extends FileColumn {
  readonly stored: StoredColumn;
  readonly place?: number;
}

function* shown(stored: StoredColumn): Generator<Shown> {
  const { values: _, list, ...column } = stored;
  const width = list && column.refused === undefined ? widthOf(stored) : 0;
  if (list === undefined || column.refused !== undefined) yield { ...column, stored };
  else if (width === 0) yield { ...column, stored, refused: 'lists, of which the first is empty or missing' };
  for (let place = 0; place < width; place += 1) {
    yield { ...column, name: `${column.name}[${place}]`, stored, place };
  }
}

function itemsAt(lists: ArrayLike<unknown>, place: number, width: number, where: (row: number) => string): unknown[] {
  return Array.from(lists, (list, i) => {
    if (list === null || list === undefined) return null;
    const { length } = list as ArrayLike<unknown>;
    if (length === width) return (list as ArrayLike<unknown>)[place];
    throw formatError(where(i), `expected a list of ${width} numbers, as in the first row, but found ${length}`);
  });
}

function* partsOf(columns: readonly Shown[], wanted: readonly number[], name: string): Generator<ColumnPart> {
  const stored = new Set(wanted.map((column) => (columns[column] as Shown).stored));
  for (const source of stored) {
    const width = columns.filter((column) => column.stored === source).length;
    let first = 0;
    for (const chunk of source.values()) {
      for (let from = 0; from < chunk.length; from += PART) {
        const part: ArrayLike<unknown> = ArrayBuffer.isView(chunk)
          ? (chunk as unknown as Float64Array).slice(from, from + PART)
          : Array.prototype.slice.call(chunk, from, from + PART);
        for (const column of wanted) {
          const { stored: its, place } = columns[column] as Shown;
          if (its !== source) continue;
          const start = first;
          const where = (row: number): string => `${name}, row ${start + row}, column ${JSON.stringify(source.name)}`;
          const own = place === undefined ? part : itemsAt(part, place, width, where);
          yield { column, first, values: tidy(own) };
        }
        first += part.length;
      }
    }
  }
}

/** Opens a file by a decoder, within limits of time, each `least` milliseconds and more. @throws DlAdmmError */
export function openDecoded(
  format: ColumnarFormat,
  decoder: Decoder,
  bytes: Uint8Array,
  name: string,
  least = LEAST_MS,
): DecodedFile {
  const limit = least + Math.ceil(bytes.length / BYTES_PER_MS);
  const { rows, columns } = within(limit, name, format, () => {
    const opened = decoder(bytes, name);
    return { rows: opened.rows, columns: opened.columns.flatMap((column) => [...shown(column)]) };
  });
  return {
    rows,
    columns: columns.map(({ stored: _, place: __, ...column }) => column),
    parts(wanted) {
      const parts = partsOf(columns, wanted, name);
      return { next: () => within(limit + Math.ceil(rows / ROWS_PER_MS), name, format, () => parts.next()) };
    },
  };
}
