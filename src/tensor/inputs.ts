import { types } from 'node:util';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype, NativeCsr, Numbers } from '../core/native.js';
import { dtypeOf, isNumbers, zeros } from '../core/numbers.js';
import type { Matrix } from './matrix.js';

/** Any array of numbers that JavaScript has, BigInt ones left out. */
export type NumericArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Uint8ClampedArray
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array;

/** Samples as users have them: a Matrix, a flat row-major typed array, or an array of rows. */
export type MatrixLike = Matrix | NumericArray | readonly (readonly number[] | NumericArray)[];

/** Class numbers from 0, or names of classes, or true and false. */
export type LabelsLike = NumericArray | readonly (number | string | boolean)[];

/** Rows that can be had a chunk at a time, so that neither a copy of everything nor a long pause is needed. */
export interface RowSource {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  /**
   * Rows first … first + count − 1, row-major. `spent` is memory that may be used for them: an earlier chunk that nobody needs any more, or
   * where they are to stand.
   */
  chunk(first: number, count: number, spent?: Numbers): Numbers;
  /** Of sparse rows: all of them, for whoever does not need them dense. */
  readonly sparse?: NativeCsr;
  /** Every chunk is a window on memory that is there, so that any number of rows can be had at once. */
  readonly inPlace?: boolean;
  /** Of rows that are not in memory, which no chunk gives: all of them, one chunk after the other; `take` is waited for. */
  each?(take: (chunk: Numbers, first: number, count: number) => unknown): Promise<void>;
  /** Of rows that were standardised: what a value had been, for errors. */
  before?(row: number, column: number): unknown;
  /** Says that the rows before `row` will not be asked for again, so that their memory may be given back. */
  release?(row: number): void;
}

/** The sources that were made here: one from elsewhere could say anything. */
const sources = new WeakSet<object>();

/** `source` as something that may stand for samples. */
export function trusted<T extends RowSource>(source: T): T {
  sources.add(source);
  return source;
}

/** A source where samples are asked for: `rowSource` gives it back as it is. */
export const asSamples = (source: RowSource): MatrixLike => source as unknown as MatrixLike;

export const isRowSource = (value: unknown): value is RowSource =>
  typeof value === 'object' && value !== null && sources.has(value);

/** Entries that are moved or checked between two looks at the clock: few enough for code that is not compiled yet. */
export const CHUNK_ENTRIES: number = 2 ** 14;
const LARGEST_COUNT = 2 ** 31 - 1;

export function isNumericArray(value: unknown): value is NumericArray {
  return types.isTypedArray(value) && !types.isBigInt64Array(value) && !types.isBigUint64Array(value);
}

/** @throws DlAdmmError ERR_DLADMM_DETACHED where the buffer was transferred away */
export function checkAttached(array: NumericArray, name: string): void {
  if (array.length > 0) return;
  try {
    new Uint8Array(array.buffer);
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_DETACHED', `Expected numbers for ${name} but its ArrayBuffer is detached`, {
      cause,
    });
  }
}

const intrinsicLength = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(Uint8Array.prototype), 'length')?.get;

/** The true number of entries, whatever a subclass says: what native code copies must be what was counted on. */
const lengthOf = (array: NumericArray): number => intrinsicLength?.call(array) as number;

/**
 * Samples as a source of rows of `columns` entries.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_DETACHED
 */
export function rowSource(x: unknown, columns: number, name: string): RowSource {
  if (isRowSource(x)) {
    if (x.columns !== columns) throw shape(`${columns} columns`, name, x.columns);
    return x;
  }
  if (isNumericArray(x)) return flatSource(x, columns, name);
  if (isArray(x)) return arraySource(x, columns, name);
  if (isMatrix(x)) {
    const { data, rows, columns: width } = x;
    if (!isNumericArray(data)) throw expected('a typed array', `${name}.data`, data);
    if (width !== columns) throw shape(`${columns} columns`, `${name}.columns`, width);
    checkAttached(data, `${name}.data`);
    if (typeof rows !== 'number' || rows * columns !== data.length) {
      throw shape(`rows × columns = ${data.length / columns} × ${columns} entries`, `${name}.rows`, rows);
    }
    return flatSource(data, columns, name);
  }
  throw expected('a typed array, an array of rows, or { data, rows, columns }', name, x);
}

export function isMatrix(
  value: unknown,
): value is { readonly data: unknown; readonly rows: unknown; readonly columns: unknown } {
  try {
    return typeof value === 'object' && value !== null && 'data' in value && 'rows' in value && 'columns' in value;
  } catch {
    return false;
  }
}

/** `Array.isArray`, which throws for a revoked Proxy. */
export function isArray(value: unknown): value is readonly unknown[] {
  try {
    return Array.isArray(value);
  } catch {
    return false;
  }
}

const shape = (what: string, name: string, received: unknown): DlAdmmError =>
  expected(what, name, received, 'ERR_DLADMM_SHAPE');

function flatSource(array: NumericArray, columns: number, name: string): RowSource {
  checkAttached(array, name);
  if (array.length % columns !== 0) {
    const text = `Expected a multiple of ${columns} entries (whole rows) for ${name} but received ${array.length}`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  const rows = array.length / columns;
  checkRows(rows, name);
  return trusted({
    name,
    rows,
    columns,
    inPlace: isNumbers(array),
    chunk(first, count) {
      checkAttached(array, name);
      const part = array.subarray(first * columns, (first + count) * columns);
      const chunk = isNumbers(part) ? part : Float64Array.from(part);
      if (lengthOf(chunk) !== count * columns) throw shape(`${rows * columns} entries to the end`, name, array);
      return chunk;
    },
  });
}

function arraySource(array: readonly unknown[], columns: number, name: string): RowSource {
  checkRows(array.length, name);
  return trusted({
    name,
    rows: array.length,
    columns,
    chunk(first, count) {
      const out = new Float64Array(count * columns);
      for (let i = 0; i < count; i += 1) copyRow(array[first + i], columns, `${name}[${first + i}]`, out, i * columns);
      return out;
    },
  });
}

function copyRow(row: unknown, columns: number, name: string, out: Float64Array, at: number): void {
  // A column of single numbers may be written without the brackets.
  if (typeof row === 'number' && columns === 1) {
    out[at] = row;
    return;
  }
  if (!Array.isArray(row) && !isNumericArray(row)) throw expected(`a row of ${columns} numbers`, name, row);
  if (row.length !== columns) throw shape(`a row of ${columns} numbers`, name, row);
  for (let j = 0; j < columns; j += 1) {
    const value: unknown = row[j];
    if (typeof value !== 'number') throw expected('a number', `${name}[${j}]`, value);
    out[at + j] = value;
  }
}

export function checkRows(rows: number, name: string): void {
  if (rows === 0)
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected at least one sample in ${name} but received none`);
  if (rows > LARGEST_COUNT) throw expected('at most 2^31 - 1 samples', name, rows, 'ERR_DLADMM_RANGE');
}

/**
 * Class labels as an Int32Array.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED
 */
export function labelArray(labels: unknown, samples: number, classes: number, name: string): Int32Array {
  if (!isNumericArray(labels) && !isArray(labels)) throw expected('an array of class numbers', name, labels);
  if (isNumericArray(labels)) checkAttached(labels, name);
  if (labels.length !== samples) throw shape(`${samples} labels, one a sample,`, name, labels.length);
  // Numbers that were found here need no look at their kind.
  if (types.isInt32Array(labels) && labels.every((label) => label >= 0 && label < classes)) return labels.slice();
  const out = new Int32Array(samples);
  for (let i = 0; i < samples; i += 1) {
    const label: unknown = labels[i];
    if (typeof label !== 'number' || !Number.isInteger(label) || label < 0 || label >= classes) {
      const why =
        typeof label === 'number' && !Number.isInteger(label)
          ? ' (numbers that are no classes are values: y)'
          : typeof label === 'string'
            ? ', as the first label is no text,'
            : '';
      throw expected(`a whole number from 0 to ${classes - 1}${why}`, `${name}[${i}]`, label, 'ERR_DLADMM_LABEL');
    }
    out[i] = label;
  }
  return out;
}

/** So long a turn of the event loop is held by work, whoever asked for it, in milliseconds. */
const HELD_MS = 4;
/** When the work of this turn began; undefined where none has. */
let began: number | undefined;
/** What goes on in turns to come, the first to come first. */
const waiting: (() => void)[] = [];

/** Whether this turn has been held for so long; from the first time that is asked on. */
function isLong(): boolean {
  if (began !== undefined) return performance.now() - began > HELD_MS;
  began = performance.now();
  setImmediate(() => {
    began = undefined;
  });
  return false;
}

/** Lets one go on. All that wait may be called in one turn, but those that find it long already wait for another. */
function next(): void {
  if (isLong()) setImmediate(next);
  else waiting.shift()?.();
}

/** A pause in which the event loop may do other things. */
export const breathe = (): Promise<void> =>
  new Promise((resolve) => {
    waiting.push(resolve);
    setImmediate(next);
  });

/** Such a pause, where this turn has been held for long; else work goes on at once. */
export const pause = (): Promise<void> | undefined => (isLong() ? breathe() : undefined);

/** So much is done between two turns at most, however quick it is, and between two looks at the clock. */
const MOST = 2 ** 11;
const LOOK = 2 ** 7;

/** Counts what is done in small pieces, and answers with a pause where there should be one: after `most` of them, or after a long time. */
export function paced(most: number = MOST): (count: number) => Promise<void> | undefined {
  let [done, unseen] = [0, 0];
  return (count) => {
    done += count;
    unseen += count;
    if (unseen < Math.min(LOOK, most)) return undefined;
    unseen = 0;
    if (done < most) return pause();
    done = 0;
    return breathe();
  };
}

/** Visits rows 0, 1, …; the event loop runs in between, as often as time asks for it. */
export async function inTurns(rows: number, visit: (row: number) => unknown): Promise<void> {
  for (let first = 0; first < rows; first += MOST / 2) {
    const end = Math.min(rows, first + MOST / 2);
    for (let row = first; row < end; row += 1) visit(row);
    await (end < rows ? pause() : breathe());
  }
}

/** What has just been found, after such a pause; no promise, which could be rejected before anybody waits for it. */
export async function turn<T>(found: T extends PromiseLike<unknown> ? never : T): Promise<T> {
  await breathe();
  return found;
}

/** Zeros of that type: in memory that is there where it is of this size, so that chunk after chunk leaves nothing to be collected. */
export const roomFor = (dtype: Dtype, length: number, spent: Numbers | undefined): Numbers =>
  spent?.length === length && dtypeOf(spent) === dtype ? spent.fill(0) : zeros(dtype, length);

/** Hands rows to `take`, some at a time, for as long as it is not false; the event loop runs in between. */
export async function eachChunk(
  source: RowSource,
  take: (chunk: Numbers, first: number, count: number) => unknown,
): Promise<void> {
  if (source.each) return source.each(take);
  const step = Math.max(1, Math.floor(CHUNK_ENTRIES / source.columns));
  let chunk: Numbers | undefined;
  for (let first = 0; first < source.rows; first += step) {
    const count = Math.min(step, source.rows - first);
    chunk = source.chunk(first, count, chunk);
    if (take(chunk, first, count) === false) return;
    await pause();
  }
}

/**
 * Hands every chunk of rows to `load`, which answers with the index of an entry that is not finite, or −1; the event
 * loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_NON_FINITE with row and column
 */
export const loadRows = (source: RowSource, load: (firstRow: number, chunk: Numbers) => number): Promise<void> =>
  eachChunk(source, (chunk, first, count) => {
    const bad = load(first, chunk);
    if (bad >= 0) throw nonFinite(source, first, bad, chunk[bad]);
    source.release?.(first + count);
  });

export function nonFinite(
  source: Pick<RowSource, 'name' | 'columns' | 'before'>,
  first: number,
  index: number,
  value: unknown,
): DlAdmmError {
  const row = first + Math.floor(index / source.columns);
  const column = index % source.columns;
  const before = source.before?.(row, column);
  const what = Number.isFinite(before)
    ? `${before}, which overflows as it is standardised,`
    : Number.isFinite(value)
      ? `${value}, which overflows float32,`
      : String(value);
  const text = `Expected finite numbers for ${source.name} but received ${what} in row ${row}, column ${column}`;
  return new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
}

/** All rows of a source, in float64; the event loop runs in between. */
export const allRows = async (source: RowSource): Promise<Float64Array> =>
  fill(new Float64Array(source.rows * source.columns), source, 0, source.rows);

/** Rows of a source, as many as one likes, in `spent` where it has room for them; the event loop runs in between. */
export async function rowsOf(source: RowSource, first: number, count: number, spent?: Numbers): Promise<Numbers> {
  const length = count * source.columns;
  if (source.inPlace || length <= CHUNK_ENTRIES) return source.chunk(first, count, spent);
  return fill(roomFor(dtypeOf(source.chunk(first, 1)), length, spent), source, first, count);
}

async function fill<T extends Numbers>(data: T, source: RowSource, start: number, rows: number): Promise<T> {
  const { columns } = source;
  const step = Math.max(1, Math.floor(CHUNK_ENTRIES / columns));
  for (let first = 0; first < rows; first += step) {
    const count = Math.min(step, rows - first);
    const place = data.subarray(first * columns, (first + count) * columns);
    const chunk = source.chunk(start + first, count, place);
    if (chunk !== place) place.set(chunk);
    await pause();
  }
  return data;
}
