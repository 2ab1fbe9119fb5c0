import { types } from 'node:util';
import { checkKeys, checkObject, whole } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { isNumbers } from '../core/numbers.js';
import { isObject } from '../core/objects.js';
import { checkAttached, isNumericArray, type NumericArray, type RowSource, trusted } from './inputs.js';

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

/** A sparse matrix as the addon takes it. */
export interface NativeCsr {
  readonly rows: number;
  readonly columns: number;
  readonly indptr: Float64Array;
  readonly indices: Int32Array;
  readonly values: Numbers;
}

const LARGEST = 2 ** 31 - 1;

export const isCsr = (value: unknown): value is Csr => isObject(value) && 'indptr' in value && 'indices' in value;

/**
 * Checked, and with the arrays that the addon takes; nothing is copied that has the right type already.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_DETACHED; the message names the place
 */
export function nativeCsr(matrix: unknown, name: string): NativeCsr {
  checkObject(matrix, '{ data, indices, indptr, rows, columns }', name);
  checkKeys(matrix, ['data', 'indices', 'indptr', 'rows', 'columns'], name);
  const { data, indices, indptr, rows, columns } = matrix as Csr;
  whole(rows, 1, LARGEST, `${name}.rows`);
  whole(columns, 1, LARGEST, `${name}.columns`);
  for (const [key, array] of Object.entries({ data, indices, indptr })) {
    if (!isNumericArray(array)) throw expected('a typed array', `${name}.${key}`, array);
    checkAttached(array, `${name}.${key}`);
  }
  checkIndptr(indptr, indices.length, rows, `${name}.indptr`);
  if (data.length !== indices.length) {
    throw expected(`${indices.length} numbers, one an index,`, `${name}.data`, data.length, 'ERR_DLADMM_SHAPE');
  }
  checkIndices(indices, columns, `${name}.indices`);
  checkFinite(data, `${name}.data`);
  return {
    rows,
    columns,
    indptr: types.isFloat64Array(indptr) ? indptr : Float64Array.from(indptr),
    indices: types.isInt32Array(indices) ? indices : Int32Array.from(indices),
    values: isNumbers(data) ? data : Float64Array.from(data),
  };
}

function checkIndptr(indptr: NumericArray, entries: number, rows: number, name: string): void {
  if (indptr.length !== rows + 1)
    throw expected(`${rows + 1} numbers, rows + 1,`, name, indptr.length, 'ERR_DLADMM_SHAPE');
  if (indptr[0] !== 0) throw expected('a first number of 0', `${name}[0]`, indptr[0], 'ERR_DLADMM_SHAPE');
  for (let i = 1; i <= rows; i += 1) {
    const before = indptr[i - 1] ?? 0;
    const value = indptr[i] ?? Number.NaN;
    if (!Number.isSafeInteger(value)) throw expected('a whole number', `${name}[${i}]`, value, 'ERR_DLADMM_RANGE');
    if (value < before) {
      throw expected(`a number of at least ${before}, the one before,`, `${name}[${i}]`, value, 'ERR_DLADMM_SHAPE');
    }
  }
  if (indptr[rows] !== entries) {
    throw expected(`${entries}, the number of indices,`, `${name}[${rows}]`, indptr[rows], 'ERR_DLADMM_SHAPE');
  }
}

function checkIndices(indices: NumericArray, columns: number, name: string): void {
  for (let k = 0; k < indices.length; k += 1) {
    const index = indices[k] ?? Number.NaN;
    if (!Number.isInteger(index) || index < 0 || index >= columns) {
      throw expected(`a whole number from 0 to ${columns - 1}`, `${name}[${k}]`, index, 'ERR_DLADMM_RANGE');
    }
  }
}

function checkFinite(data: NumericArray, name: string): void {
  for (let k = 0; k < data.length; k += 1) {
    const value = data[k] ?? Number.NaN;
    if (!Number.isFinite(value)) throw expected('a finite number', `${name}[${k}]`, value, 'ERR_DLADMM_NON_FINITE');
  }
}

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

/** The rows of a sparse matrix, dense, a chunk at a time. @throws DlAdmmError as {@link nativeCsr} */
export function csrRows(matrix: Csr, columns: number, name: string): RowSource {
  const { rows, columns: width, indptr, indices, values } = nativeCsr(matrix, name);
  if (width !== columns) {
    throw expected(`${columns} columns, the width of the first layer,`, name, width, 'ERR_DLADMM_SHAPE');
  }
  return trusted({
    name,
    rows,
    columns,
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
