import { types } from 'node:util';
import { DlAdmmError, expected } from '../core/errors.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { spread } from '../core/random.js';
import { isMatrix } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import type { ClassificationSplit, RegressionSplit } from './dataset.js';

/** The rows of `matrix` with the numbers in `rows`, in that order, as a copy of the same type. */
export function selectRows(matrix: Matrix, rows: readonly number[] | Int32Array): Matrix {
  const { columns } = matrix;
  const data = zeros(dtypeOf(matrix.data), rows.length * columns);
  rows.forEach((row: number, i: number) => {
    data.set(matrix.data.subarray(row * columns, (row + 1) * columns), i * columns);
  });
  return { data, rows: rows.length, columns };
}

export const selectLabels = (labels: Int32Array, rows: readonly number[] | Int32Array): Int32Array =>
  Int32Array.from(rows, (row) => labels[row] as number);

/** The first `count` samples of a part, or all where it has no more, without a copy. */
export function firstSamples<T extends ClassificationSplit | RegressionSplit>(part: T, count: number): T {
  const first = (matrix: Matrix): Matrix => {
    const rows = Math.min(count, matrix.rows);
    return { ...matrix, data: matrix.data.subarray(0, rows * matrix.columns), rows };
  };
  const x = first(part.x);
  return 'labels' in part
    ? { ...part, x, labels: part.labels.subarray(0, x.rows) }
    : { ...part, x, y: first((part as RegressionSplit).y) };
}

/** The numbers 0 … n − 1 in an order that `seed` alone decides, the same on every machine. */
export function shuffledIndices(n: number, seed: number): Int32Array {
  const words = spread(seed);
  const order = new Int32Array(n).map((_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = Math.floor((words.next().value / 2 ** 32) * (i + 1));
    const kept = order[i] as number;
    order[i] = order[j] as number;
    order[j] = kept;
  }
  return order;
}

/**
 * Splits samples at random into a training part and a test part of round(`testShare` · samples) samples, at least one
 * on either side. Within a part the samples keep their order. The same seed gives the same split everywhere.
 *
 * @param x samples x features
 * @param y a class label for each sample, or targets, samples x outputs
 * @param testShare in (0, 1)
 * @param seed a whole number from 0 to 2³² − 1
 * @throws ERR_DLADMM_SHAPE if `y` has not one row for each row of `x`; ERR_DLADMM_RANGE for a share or a seed outside
 *   their ranges, or for fewer than 2 samples
 */
export function splitDataset(
  x: Matrix,
  y: Int32Array,
  testShare: number,
  seed: number,
): { train: ClassificationSplit; test: ClassificationSplit };
export function splitDataset(
  x: Matrix,
  y: Matrix,
  testShare: number,
  seed: number,
): { train: RegressionSplit; test: RegressionSplit };
export function splitDataset(
  x: Matrix,
  y: Int32Array | Matrix,
  testShare: number,
  seed: number,
): { train: ClassificationSplit | RegressionSplit; test: ClassificationSplit | RegressionSplit } {
  if (!isMatrix(x)) throw expected('{ data, rows, columns }', 'x', x);
  if (!types.isInt32Array(y) && !isMatrix(y)) throw expected('an Int32Array, or { data, rows, columns }', 'y', y);
  const samples = types.isInt32Array(y) ? y.length : y.rows;
  if (samples !== x.rows)
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${x.rows} labels or target rows for y but received ${samples}`);
  if (!(typeof testShare === 'number' && testShare > 0 && testShare < 1))
    throw expected('a number between 0 and 1', 'testShare', testShare, 'ERR_DLADMM_RANGE');
  if (!(Number.isInteger(seed) && seed >= 0 && seed < 2 ** 32))
    throw expected('a whole number from 0 to 4294967295', 'seed', seed, 'ERR_DLADMM_RANGE');
  if (samples < 2) throw expected('at least 2 samples', 'x', samples, 'ERR_DLADMM_RANGE');

  const order = shuffledIndices(samples, seed);
  const inTest = Math.min(samples - 1, Math.max(1, Math.round(testShare * samples)));
  const part = (rows: Int32Array) =>
    types.isInt32Array(y)
      ? { x: selectRows(x, rows), labels: selectLabels(y, rows) }
      : { x: selectRows(x, rows), y: selectRows(y, rows) };
  return { train: part(order.slice(inTest).sort()), test: part(order.slice(0, inTest).sort()) };
}
