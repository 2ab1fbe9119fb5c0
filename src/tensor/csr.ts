import { types } from 'node:util';
import { checkKeys, checkObject, whole } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype, NativeCsr, Numbers } from '../core/native.js';
import { arrayKind, dtypeOf, isNumbers, zeros } from '../core/numbers.js';
import { isObject } from '../core/objects.js';
import {
  CHUNK_ENTRIES,
  checkAttached,
  isArray,
  isNumericArray,
  type NumericArray,
  pause,
  type RowSource,
  rowSource,
  trusted,
} from './inputs.js';

/**
 * A sparse matrix in compressed rows: the arrays of SciPy's `csr_matrix`. Entry k of row i, for k from `indptr[i]` to
 * below `indptr[i + 1]`, is `data[k]` in column `indices[k]`. Rows need not be sorted; entries at the same place add up.
 */
export interface Csr {
  readonly data: NumericArray;
  readonly indices: NumericArray;
  readonly indptr: NumericArray;
  readonly rows: number;
  readonly columns: number;
}

/** A sparse row: `values[k]` stands in column `indices[k]`, from 0; all others are 0. */
export interface SparseRow {
  readonly indices: readonly number[] | NumericArray;
  readonly values: readonly number[] | NumericArray;
}

const LARGEST = 2 ** 31 - 1;

export const isCsr = (value: unknown): value is Csr => isObject(value) && 'indptr' in value && 'indices' in value;

/**
 * Checked, and with the arrays that the addon takes; nothing is copied that has the right type already.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED; the message names the place
 */
export const nativeCsr = (matrix: unknown, name: string): NativeCsr => atOnce(checkedCsr(matrix, name));

function* checkedCsr(matrix: unknown, name: string): Steps<NativeCsr> {
  checkObject(matrix, '{ data, indices, indptr, rows, columns }', name);
  checkKeys(matrix, ['data', 'indices', 'indptr', 'rows', 'columns'], name);
  const { data, indices, indptr, rows, columns } = matrix as Csr;
  whole(rows, 1, LARGEST, `${name}.rows`);
  whole(columns, 1, LARGEST, `${name}.columns`);
  for (const [key, array] of Object.entries({ data, indices, indptr })) {
    if (!isNumericArray(array)) throw expected('a typed array', `${name}.${key}`, array);
    checkAttached(array, `${name}.${key}`);
  }
  yield* checkIndptr(indptr, indices.length, rows, `${name}.indptr`);
  if (data.length !== indices.length) {
    throw expected(`${indices.length} numbers, one an index,`, `${name}.data`, data.length, 'ERR_DLADMM_SHAPE');
  }
  yield* checkIndices(indices, columns, `${name}.indices`);
  yield* checkFinite(data, `${name}.data`);
  return {
    rows,
    columns,
    indptr: types.isFloat64Array(indptr) ? indptr : yield* copied(indptr, new Float64Array(rows + 1)),
    indices: types.isInt32Array(indices) ? indices : yield* copied(indices, new Int32Array(indices.length)),
    values: isNumbers(data) ? data : yield* copied(data, new Float64Array(data.length)),
  };
}

type Steps<T = void> = Generator<void, T, undefined>;

function* copied<T extends NumericArray>(from: NumericArray, to: T): Steps<T> {
  yield* inParts(from.length, (first, end) => to.set(from.subarray(first, end), first));
  return to;
}

/** What work in steps comes to, at once. */
export function atOnce<T>(steps: Iterator<void, T>): T {
  let step = steps.next();
  while (!step.done) step = steps.next();
  return step.value;
}

/** The same; the event loop runs in between. */
export async function inSteps<T>(steps: Iterator<void, T>): Promise<T> {
  let step = steps.next();
  for (; !step.done; step = steps.next()) await pause();
  return step.value;
}

/** Looks at entries first … end − 1, as few at a time as a turn of the event loop bears. */
export function* inParts(entries: number, look: (first: number, end: number) => void): Steps {
  for (let first = 0; first < entries; first += CHUNK_ENTRIES) {
    look(first, Math.min(entries, first + CHUNK_ENTRIES));
    yield;
  }
}

function* checkIndptr(indptr: NumericArray, entries: number, rows: number, name: string): Steps {
  if (indptr.length !== rows + 1)
    throw expected(`${rows + 1} numbers, rows + 1,`, name, indptr.length, 'ERR_DLADMM_SHAPE');
  if (indptr[0] !== 0) throw expected('a first number of 0', `${name}[0]`, indptr[0], 'ERR_DLADMM_SHAPE');
  yield* inParts(rows, (first, end) => {
    for (let i = first + 1; i <= end; i += 1) {
      const before = indptr[i - 1] ?? 0;
      const value = indptr[i] ?? Number.NaN;
      if (!Number.isSafeInteger(value)) throw expected('a whole number', `${name}[${i}]`, value, 'ERR_DLADMM_RANGE');
      if (value < before) {
        throw expected(`a number of at least ${before}, the one before,`, `${name}[${i}]`, value, 'ERR_DLADMM_SHAPE');
      }
    }
  });
  if (indptr[rows] !== entries) {
    throw expected(`${entries}, the number of indices,`, `${name}[${rows}]`, indptr[rows], 'ERR_DLADMM_SHAPE');
  }
}

const checkIndices = (indices: NumericArray, columns: number, name: string): Steps =>
  inParts(indices.length, (first, end) => {
    for (let k = first; k < end; k += 1) {
      const index = indices[k] ?? Number.NaN;
      if (!Number.isInteger(index) || index < 0 || index >= columns) {
        throw expected(`a whole number from 0 to ${columns - 1}`, `${name}[${k}]`, index, 'ERR_DLADMM_RANGE');
      }
    }
  });

const checkFinite = (data: NumericArray, name: string): Steps =>
  inParts(data.length, (first, end) => {
    for (let k = first; k < end; k += 1) {
      const value = data[k] ?? Number.NaN;
      if (!Number.isFinite(value)) throw expected('a finite number', `${name}[${k}]`, value, 'ERR_DLADMM_NON_FINITE');
    }
  });

/** The adjacency of a graph: square, without negative weights. @throws DlAdmmError as {@link nativeCsr} */
export function nativeAdjacency(matrix: unknown, name: string): NativeCsr {
  const native = nativeCsr(matrix, name);
  if (native.rows !== native.columns) {
    const text = `Expected as many columns as rows for ${name} but received ${native.rows} rows and ${native.columns} columns`;
    throw new DlAdmmError('ERR_DLADMM_SHAPE', text);
  }
  const at = native.values.findIndex((value: number) => value < 0);
  if (at >= 0) {
    throw expected('a weight of at least 0', `${name}.data[${at}]`, native.values[at], 'ERR_DLADMM_RANGE');
  }
  return native;
}

const isList = (value: unknown): value is ArrayLike<unknown> => isArray(value) || isNumericArray(value);

/** Whether a value has the form of a sparse row. */
export const isSparseRow = (
  row: unknown,
): row is { readonly indices: ArrayLike<unknown>; readonly values: ArrayLike<unknown> } =>
  isObject(row) && Object.keys(row).length === 2 && isList(row.indices) && isList(row.values);

/** Whether features are an array of sparse rows. */
export const areSparseRows = (features: unknown): features is readonly SparseRow[] =>
  isArray(features) && isSparseRow(features[0]);

/** What a row costs that is visited, in entries. */
const ROW = 8;

/** Visits rows 0, 1, …, each of so many entries as `visit` answers with; in steps, as {@link inParts}. */
function* rowByRow(rows: number, visit: (row: number) => number): Steps {
  let visited = 0;
  for (let row = 0; row < rows; row += 1) {
    visited += ROW + visit(row);
    if (visited < CHUNK_ENTRIES) continue;
    yield;
    visited = 0;
  }
}

/** As many columns as the largest index asks for. */
export function* sparseWidth(rows: readonly SparseRow[]): Steps<number> {
  let columns = 1;
  yield* rowByRow(rows.length, (i) => {
    const { indices } = rows[i] as SparseRow;
    for (const index of indices) columns = Math.max(columns, index + 1);
    return indices.length;
  });
  return columns;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE where one of them is no sparse row; what they hold is checked by nativeCsr */
function* gatheredCsr(features: readonly unknown[], columns: number, name: string): Steps<Csr> {
  const indptr = new Float64Array(features.length + 1);
  yield* rowByRow(features.length, (i) => {
    const row = features[i];
    if (!isSparseRow(row)) throw expected('a sparse row { indices, values }', `${name}[${i}]`, row);
    if (row.indices.length !== row.values.length) {
      const what = `${row.indices.length} numbers, one an index,`;
      throw expected(what, `${name}[${i}].values`, row.values.length, 'ERR_DLADMM_SHAPE');
    }
    indptr[i + 1] = (indptr[i] as number) + row.indices.length;
    return 0;
  });
  const entries = indptr[features.length] as number;
  // What is no number becomes NaN, and is refused by its place.
  const [indices, data] = [new Float64Array(entries), new Float64Array(entries)];
  yield* rowByRow(features.length, (i) => {
    const row = features[i] as SparseRow;
    indices.set(row.indices, indptr[i]);
    data.set(row.values, indptr[i]);
    return row.indices.length;
  });
  return { data, indices, indptr, rows: features.length, columns };
}

/** Features row by row, sparse or dense. @throws DlAdmmError as {@link nativeCsr} and `rowSource` */
export const featureRows = (given: unknown, inputs: number, name: string): RowSource =>
  atOnce(rowsInSteps(given, inputs, name));

/** The same; the event loop runs in between. */
export const featureRowsInTurns = (given: unknown, inputs: number, name: string): Promise<RowSource> =>
  inSteps(rowsInSteps(given, inputs, name));

function* rowsInSteps(given: unknown, inputs: number, name: string): Steps<RowSource> {
  const features = areSparseRows(given) ? yield* gatheredCsr(given, inputs, name) : given;
  if (!isCsr(features)) return rowSource(features, inputs, name);
  const sparse = yield* checkedCsr(features, name);
  if (sparse.columns !== inputs) {
    throw expected(`${inputs} columns, the width of the first layer,`, name, sparse.columns, 'ERR_DLADMM_SHAPE');
  }
  return sparseRows(sparse, name);
}

/** Sparse rows as a source: dense for whoever asks for a chunk. */
export function sparseRows(sparse: NativeCsr, name: string): RowSource {
  const { rows, columns, indptr, indices, values } = sparse;
  return trusted({
    name,
    rows,
    columns,
    sparse,
    chunk(first, count) {
      const out = new Float64Array(count * columns);
      for (let i = 0; i < count; i += 1) {
        for (let k = indptr[first + i] ?? 0; k < (indptr[first + i + 1] ?? 0); k += 1) {
          const at = i * columns + (indices[k] ?? 0);
          out[at] = (out[at] ?? 0) + (values[k] ?? 0);
        }
      }
      return out;
    },
  });
}

/** Some rows of a sparse source, in that order, in steps. */
export function* someSparseRows(sparse: NativeCsr, name: string, rows: Int32Array): Steps<RowSource> {
  const { columns, indptr, indices, values } = sparse;
  const starts = new Float64Array(rows.length + 1);
  yield* inParts(rows.length, (first, end) => {
    for (let i = first; i < end; i += 1) {
      const row = rows[i] as number;
      starts[i + 1] = (starts[i] as number) + (indptr[row + 1] as number) - (indptr[row] as number);
    }
  });
  const entries = starts[rows.length] as number;
  const taken = { indices: new Int32Array(entries), values: zeros(dtypeOf(values), entries) };
  // Rows that follow each other go together, as every part of an array is an object to be collected.
  for (let i = 0; i < rows.length; ) {
    const [start, from] = [starts[i] as number, indptr[rows[i] as number] as number];
    let to = from;
    for (; i < rows.length && indptr[rows[i] as number] === to && to - from < CHUNK_ENTRIES; i += 1)
      to = indptr[(rows[i] as number) + 1] as number;
    taken.indices.set(indices.subarray(from, to), start);
    taken.values.set(values.subarray(from, to), start);
    yield;
  }
  return sparseRows({ rows: rows.length, columns, indptr: starts, ...taken }, name);
}

/** Entries and rows of a part: so few that the event loop is not held for long by what is done with it. */
const PART = { entries: 2 ** 18, rows: 2 ** 14 } as const;

/** A sparse matrix in parts of whole rows, with the number of the first row of each. */
export function* csrParts({
  rows,
  columns,
  indptr,
  indices,
  values,
}: NativeCsr): Generator<readonly [first: number, part: NativeCsr], void, undefined> {
  for (let first = 0; first < rows; ) {
    const from = indptr[first] as number;
    let end = first + 1;
    while (end < Math.min(rows, first + PART.rows) && (indptr[end + 1] as number) - from <= PART.entries) end += 1;
    const to = indptr[end] as number;
    yield [
      first,
      {
        rows: end - first,
        columns,
        indptr: indptr.slice(first, end + 1).map((start) => start - from),
        indices: indices.subarray(from, to),
        values: values.subarray(from, to),
      },
    ];
    first = end;
  }
}

/** A value may be finite in double and not in the type of the training. */
export function firstNonFinite(values: Numbers, dtype: Dtype, first = 0, end: number = values.length): number {
  const narrow = dtype === 'float32' && arrayKind(values) === 'Float64Array';
  for (let i = first; i < end; i += 1) {
    const value = values[i] ?? Number.NaN;
    if (!Number.isFinite(narrow ? Math.fround(value) : value)) return i;
  }
  return -1;
}

/** @throws DlAdmmError ERR_DLADMM_NON_FINITE for a value of a sparse matrix that is not finite in the type of the training */
export const checkFiniteIn = (values: Numbers, dtype: Dtype, name: string): void =>
  atOnce(finiteIn(values, dtype, name));

/** The same of the entries of sparse rows, in steps; others are looked at as they are loaded. */
export function* finiteRows({ sparse, name }: RowSource, dtype: Dtype): Steps {
  if (sparse) yield* finiteIn(sparse.values, dtype, `${name}.data`);
}

const finiteIn = (values: Numbers, dtype: Dtype, name: string): Steps =>
  inParts(values.length, (first, end) => {
    const at = firstNonFinite(values, dtype, first, end);
    if (at < 0) return;
    throw expected(`a number finite in ${dtype}`, `${name}[${at}]`, values[at], 'ERR_DLADMM_NON_FINITE');
  });
