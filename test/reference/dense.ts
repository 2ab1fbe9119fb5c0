import { expected } from '../../src/core/errors.js';
import type { Matrix } from '../../src/tensor/matrix.js';

/** A dense row-major matrix of doubles. Nothing here changes its arguments. */
export interface Matrix64 extends Matrix {
  readonly data: Float64Array;
}

/** The rows x columns matrix whose entry (i, j) is `value(i, j)`. */
export function matrix(rows: number, columns: number, value: (i: number, j: number) => number): Matrix64 {
  const data = new Float64Array(rows * columns);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) data[i * columns + j] = value(i, j);
  return { data, rows, columns };
}

/** The matrix with no entries, in the place of a variable that does not exist (W_0, z_0). */
export const NONE: Matrix64 = { data: new Float64Array(0), rows: 0, columns: 0 };

/** `m[i, j]`. */
export function entry(m: Matrix64, i: number, j: number): number {
  return m.data[i * m.columns + j] as number;
}

/** `list[index]`, which must be there. */
export function at<T>(list: readonly T[], index: number, name: string): T {
  const item = list[index];
  if (item === undefined) throw expected(`an index below ${list.length}`, name, index, 'ERR_DLADMM_RANGE');
  return item;
}

/** A matrix with the shape of `m`, entry by entry. */
export function map(m: Matrix64, value: (x: number, i: number, j: number) => number): Matrix64 {
  return matrix(m.rows, m.columns, (i, j) => value(entry(m, i, j), i, j));
}

/** A + c B. */
export function plus(A: Matrix64, c: number, B: Matrix64): Matrix64 {
  const { data: a } = A;
  const { data: b } = B;
  const data = new Float64Array(a.length);
  for (let i = 0; i < data.length; i++) data[i] = (a[i] as number) + c * (b[i] as number);
  return { ...A, data };
}

/** c A. */
export function scaled(c: number, A: Matrix64): Matrix64 {
  return plus({ ...A, data: new Float64Array(A.data.length) }, c, A);
}

/** A − B. */
export function minus(A: Matrix64, B: Matrix64): Matrix64 {
  return plus(A, -1, B);
}

/**
 * A Bᵀ, for A n x k and B m x k. The only loops over three indices, hence the local names. Eight entries at once where there are as
 * many: one sum alone waits for each of its additions. Every sum keeps its order.
 */
export function timesTransposed(A: Matrix64, B: Matrix64): Matrix64 {
  const { data: a, rows: n, columns: k } = A;
  const { data: b, rows: m } = B;
  const data = new Float64Array(n * m);
  const [pairs, fours] = [n - (n % 2), m - (m % 4)];
  for (let i = 0; i < pairs; i += 2)
    for (let j = 0; j < fours; j += 4) eightEntries(a, i * k, b, j * k, k, data, i * m + j, m);
  for (let i = 0; i < n; i++)
    for (let j = i < pairs ? fours : 0; j < m; j++) {
      let sum = 0;
      for (let h = 0; h < k; h++) sum += (a[i * k + h] as number) * (b[j * k + h] as number);
      data[i * m + j] = sum;
    }
  return { data, rows: n, columns: m };
}

/** Two rows of A from `at`, by four of B from `bt`, into the two rows of four entries from `to`. */
function eightEntries(
  a: Float64Array,
  at: number,
  b: Float64Array,
  bt: number,
  k: number,
  data: Float64Array,
  to: number,
  m: number,
): void {
  let s0 = 0;
  let s1 = 0;
  let s2 = 0;
  let s3 = 0;
  let t0 = 0;
  let t1 = 0;
  let t2 = 0;
  let t3 = 0;
  for (let h = 0; h < k; h++) {
    const x = a[at + h] as number;
    const y = a[at + k + h] as number;
    const b0 = b[bt + h] as number;
    const b1 = b[bt + k + h] as number;
    const b2 = b[bt + 2 * k + h] as number;
    const b3 = b[bt + 3 * k + h] as number;
    s0 += x * b0;
    s1 += x * b1;
    s2 += x * b2;
    s3 += x * b3;
    t0 += y * b0;
    t1 += y * b1;
    t2 += y * b2;
    t3 += y * b3;
  }
  data.set([s0, s1, s2, s3], to);
  data.set([t0, t1, t2, t3], to + m);
}

/** Aᵀ, so that every product is the one above, with both factors read along their rows. */
export function transpose(A: Matrix64): Matrix64 {
  return matrix(A.columns, A.rows, (i, j) => entry(A, j, i));
}

/** A B, for A n x k and B k x m. */
export function times(A: Matrix64, B: Matrix64): Matrix64 {
  return timesTransposed(A, transpose(B));
}

/** Aᵀ B, for A k x n and B k x m. */
export function transposedTimes(A: Matrix64, B: Matrix64): Matrix64 {
  return timesTransposed(transpose(A), transpose(B));
}

/** ⟨A, B⟩, the sum of the products of the entries. */
export function dot(A: Matrix64, B: Matrix64): number {
  let sum = 0;
  for (let i = 0; i < A.data.length; i++) sum += (A.data[i] as number) * (B.data[i] as number);
  return sum;
}

/** ‖A‖², the squared Frobenius norm. */
export function squaredNorm(A: Matrix64): number {
  return dot(A, A);
}

/** The largest |entry|; NaN if one is NaN. */
export function largest(A: Matrix64): number {
  return A.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
}

/** A vector as a matrix of one row. */
export function row(vector: Float64Array): Matrix64 {
  return { data: vector, rows: 1, columns: vector.length };
}
