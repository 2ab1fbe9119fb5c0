import type { DlAdmmError, ErrorCode } from './errors.js';
import { breathe } from './inputs.js';
import type { Matrix } from './matrix.js';

/**
 * A sparse matrix by rows: the entries of row i are number `indptr[i]` … `indptr[i + 1] − 1`, with column `indices[k]` and
 * value `data[k]`. `indptr` has rows + 1 entries and ends at the number of entries.
 */
export interface CsrMatrix {
  readonly data: Float32Array | Float64Array;
  readonly indices: Int32Array;
  readonly indptr: Int32Array;
  readonly rows: number;
  readonly columns: number;
}

/** Which nodes are to learn from, to watch, and to test on. */
export interface GraphSplit {
  readonly trainIndex: Int32Array;
  readonly validationIndex?: Int32Array;
  readonly testIndex?: Int32Array;
}

/** A graph whose nodes have features, and some of them a class. */
export interface Graph {
  /** nodes × nodes, as it is: not normalised, self-loops left to whoever needs them. */
  readonly adjacency: CsrMatrix;
  /** nodes × n_0. */
  readonly features: CsrMatrix | Matrix;
  /** The class of each node, −1 where it has none. */
  readonly labels: Int32Array;
}

/** Whether features are kept as a sparse matrix. */
export const isSparse = (matrix: CsrMatrix | Matrix): matrix is CsrMatrix => 'indptr' in matrix;

/** The parts of a sparse matrix, as errors point to them. */
export type CsrPart = 'data' | 'indices' | 'indptr';

/** Says what is wrong with a part of a sparse matrix. */
export type RefuseCsr = (part: CsrPart, what: string, code?: ErrorCode) => DlAdmmError;

/** Entries that are checked between two turns of the event loop. */
const CHUNK = 2 ** 20;

/**
 * That a sparse matrix is one: whoever walks along it then stays within its arrays.
 *
 * @throws what `refuse` makes of it, ERR_DLADMM_NON_FINITE among the codes for a value that is not finite
 */
export async function checkCsr({ data, indices, indptr, rows, columns }: CsrMatrix, refuse: RefuseCsr): Promise<void> {
  const nonZeros = indices.length;
  if (indptr.length !== rows + 1) {
    throw refuse('indptr', `expected ${rows + 1} entries, one a row and one more, but found ${indptr.length}`);
  }
  if (indptr[0] !== 0) throw refuse('indptr', `expected it to begin at 0 but it begins at ${indptr[0]}`);
  for (let i = 0; i < rows; i += 1) {
    if (i % CHUNK === CHUNK - 1) await breathe();
    const [from, to] = [indptr[i] ?? 0, indptr[i + 1] ?? 0];
    if (to < from)
      throw refuse('indptr', `expected it never to decrease but it goes from ${from} to ${to} after row ${i}`);
  }
  if (indptr[rows] !== nonZeros) {
    throw refuse('indptr', `expected it to end at ${nonZeros}, the number of entries, but it ends at ${indptr[rows]}`);
  }
  if (data.length !== nonZeros) {
    throw refuse('data', `expected ${nonZeros} values, as many as there are indices, but found ${data.length}`);
  }
  for (let k = 0; k < nonZeros; k += 1) {
    if (k % CHUNK === CHUNK - 1) await breathe();
    const column = indices[k] ?? -1;
    if (column < 0 || column >= columns) {
      throw refuse('indices', `expected columns from 0 to ${columns - 1} but entry ${k} is ${column}`);
    }
    const value = data[k] ?? Number.NaN;
    if (!Number.isFinite(value)) {
      throw refuse('data', `expected finite numbers but entry ${k} is ${value}`, 'ERR_DLADMM_NON_FINITE');
    }
  }
}
