/**
 * How well values were told, one row a sample. Of several outputs each is judged by itself, and the mean is taken. The event loop runs in
 * between.
 */
import { inTurns } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { checkLengths, type List, weightOf } from './classes.js';

/** The weighted mean of `of` over samples, for every output. */
async function means(y: Matrix, outputs: Matrix, weights: List | undefined, of: (y: number, output: number) => number) {
  const { rows, columns } = y;
  checkLengths(rows * columns, y.data, outputs.data);
  checkLengths(rows, weights);
  const totals = new Float64Array(columns);
  let all = 0;
  await inTurns(rows, (i) => {
    const weight = weightOf(weights, i);
    for (let j = 0; j < columns; j += 1) {
      const at = i * columns + j;
      totals[j] = (totals[j] as number) + weight * of(y.data[at] as number, outputs.data[at] as number);
    }
    all += weight;
  });
  return totals.map((total) => total / all);
}

const mean = (values: Float64Array): number => values.reduce((total, value) => total + value, 0) / values.length;
const squared = (y: number, output: number): number => (y - output) ** 2;

/** The mean of |y − output|. */
export const meanAbsoluteError = async (y: Matrix, outputs: Matrix, weights?: List): Promise<number> =>
  mean(await means(y, outputs, weights, (value, output) => Math.abs(value - output)));

/** The root of the mean of (y − output)². */
export const rootMeanSquaredError = async (y: Matrix, outputs: Matrix, weights?: List): Promise<number> =>
  mean((await means(y, outputs, weights, squared)).map(Math.sqrt));

/** The mean of |y − output| / |y|; a y of 0 counts as the smallest difference from 1 that there is. */
export const meanAbsolutePercentageError = async (y: Matrix, outputs: Matrix, weights?: List): Promise<number> =>
  mean(
    await means(y, outputs, weights, (value, output) => Math.abs(value - output) / Math.max(Math.abs(value), 2 ** -52)),
  );

/**
 * The share of the variance that is explained: 1 − Σ(y − output)² / Σ(y − mean)². Where y never varies 1 for what is exact, else 0;
 * undefined for a single sample.
 */
export async function r2(y: Matrix, outputs: Matrix, weights?: List): Promise<number | undefined> {
  if (y.rows < 2) return undefined;
  const errors = await means(y, outputs, weights, squared);
  const centre = await means(y, y, weights, (value) => value);
  const centred: Matrix = {
    ...y,
    data: y.data.map((value: number, i: number) => value - (centre[i % y.columns] as number)) as Matrix['data'],
  };
  const variances = await means(centred, centred, weights, (value) => value * value);
  return mean(
    errors.map((error, j) => (variances[j] === 0 ? Number(error === 0) : 1 - error / (variances[j] as number))),
  );
}

/** The share of samples whose value is not above the output: of a quantile's outputs, the quantile if they are right. */
export const quantileCoverage = async (y: Matrix, outputs: Matrix, weights?: List): Promise<number> =>
  mean(await means(y, outputs, weights, (value, output) => Number(value <= output)));

/** The mean of 2 (y log(y/ŷ) − y + ŷ), for counts. */
export const poissonDeviance = async (y: Matrix, outputs: Matrix, weights?: List): Promise<number> =>
  mean(
    await means(
      y,
      outputs,
      weights,
      (value, output) => 2 * ((value > 0 ? value * Math.log(value / output) : 0) - value + output),
    ),
  );
