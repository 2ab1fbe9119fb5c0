import { DlAdmmError } from './errors.js';
import type { Parameters } from './initialisation.js';
import type { Matrix } from './matrix.js';
import type { Dtype, Numbers } from './native.js';

/** How each feature x is made comparable: (x − mean) · scale. */
export interface Standardisation {
  readonly mean: Float64Array;
  /** 1/σ with the population's σ; 0 for a feature that never varies, as nothing can be learnt from it. */
  readonly scale: Float64Array;
}

const zeros = (dtype: Dtype, length: number): Numbers =>
  dtype === 'float32' ? new Float32Array(length) : new Float64Array(length);

function eachRow({ data, rows, columns }: Matrix, visit: (value: number, column: number, row: number) => void): void {
  for (let i = 0; i < rows; i += 1) {
    for (let j = 0; j < columns; j += 1) visit(data[i * columns + j] as number, j, i);
  }
}

/**
 * The mean and the scale of each column of `x`, samples x features, in float64.
 *
 * @throws DlAdmmError ERR_DLADMM_NON_FINITE with row and column
 */
export function learnStandardisation(x: Matrix): Standardisation {
  const { rows, columns } = x;
  const mean = new Float64Array(columns);
  const low = new Float64Array(columns).fill(Number.POSITIVE_INFINITY);
  const high = new Float64Array(columns).fill(Number.NEGATIVE_INFINITY);
  eachRow(x, (value, j, i) => {
    if (!Number.isFinite(value)) {
      throw new DlAdmmError(
        'ERR_DLADMM_NON_FINITE',
        `Expected finite numbers for x but received ${value} in row ${i}, column ${j}`,
      );
    }
    mean[j] = (mean[j] as number) + value / rows;
    low[j] = Math.min(low[j] as number, value);
    high[j] = Math.max(high[j] as number, value);
  });
  const variance = new Float64Array(columns);
  eachRow(x, (value, j) => {
    variance[j] = (variance[j] as number) + (value - (mean[j] as number)) ** 2 / rows;
  });
  // Rounding leaves a constant column a tiny variance: its extremes say for certain that it is one.
  const scale = variance.map((v, j) => (low[j] === high[j] || v === 0 ? 0 : 1 / Math.sqrt(v)));
  return { mean, scale };
}

/** `x` with every feature standardised, as a copy of type `dtype`. */
export function standardise(x: Matrix, { mean, scale }: Standardisation, dtype: Dtype): Matrix {
  const { rows, columns } = x;
  const data = zeros(dtype, rows * columns);
  eachRow(x, (value, j, i) => {
    data[i * columns + j] = (value - (mean[j] as number)) * (scale[j] as number);
  });
  return { data, rows, columns };
}

/**
 * Parameters that take raw features, from parameters trained on standardised ones: W_1 diag(scale) and
 * b_1 − W_1 diag(scale) mean. Found in float64 and rounded once, which costs no more digits than the raw features have
 * themselves lost in that type.
 */
export function foldStandardisation({ weights, biases }: Parameters, { mean, scale }: Standardisation): Parameters {
  const [first, ...otherWeights] = weights as readonly [Numbers, ...Numbers[]];
  const [bias, ...otherBiases] = biases as readonly [Numbers, ...Numbers[]];
  const inputs = mean.length;
  const folded = first.map((w: number, i: number) => w * (scale[i % inputs] as number)) as Numbers;
  const shifted = bias.map((b: number, row: number) => {
    let shift = 0;
    for (let j = 0; j < inputs; j += 1)
      shift += (first[row * inputs + j] as number) * (scale[j] as number) * (mean[j] as number);
    return b - shift;
  }) as Numbers;
  return { weights: [folded, ...otherWeights], biases: [shifted, ...otherBiases] };
}

/**
 * The way back: parameters that take standardised features, from parameters that take raw ones. W_1 diag(1/scale) and
 * b_1 + W_1 mean; a feature that never varied in the training set counts as its mean from here on.
 */
export function unfoldStandardisation({ weights, biases }: Parameters, { mean, scale }: Standardisation): Parameters {
  const [first, ...otherWeights] = weights as readonly [Numbers, ...Numbers[]];
  const [bias, ...otherBiases] = biases as readonly [Numbers, ...Numbers[]];
  const inputs = mean.length;
  const unfolded = first.map((w: number, i: number) => {
    const s = scale[i % inputs] as number;
    return s === 0 ? 0 : w / s;
  }) as Numbers;
  const shifted = bias.map((b: number, row: number) =>
    mean.reduce((sum, m, j) => sum + (first[row * inputs + j] as number) * m, b),
  ) as Numbers;
  return { weights: [unfolded, ...otherWeights], biases: [shifted, ...otherBiases] };
}

/** Whether every value lies in [0, 1], as pixels do that have been scaled: such features are comparable as they are. */
export const liesInUnitInterval = ({ data }: Matrix): boolean =>
  data.every((value: number) => value >= 0 && value <= 1);
