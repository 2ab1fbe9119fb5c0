import { types } from 'node:util';
import { expected } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import type { Parameters } from './parameters.js';

/** How each feature x is made comparable: (x − mean) · scale. */
export interface Standardisation {
  readonly mean: Float64Array;
  /** 1/σ with the population's σ; 0 for a feature that never varies, as nothing can be learnt from it. */
  readonly scale: Float64Array;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT unless `rule` has finite means and scales, no scale negative, for so many inputs */
export function checkStandardisation(rule: unknown, inputs: number): Standardisation {
  if (typeof rule !== 'object' || rule === null || !('mean' in rule) || !('scale' in rule)) {
    throw expected('{ mean, scale }', 'standardisation', rule);
  }
  const { mean, scale } = rule;
  for (const [field, values] of Object.entries({ mean, scale })) {
    const isRight = types.isFloat64Array(values) && values.length === inputs;
    if (!isRight) throw expected(`a Float64Array of ${inputs} values`, `standardisation.${field}`, values);
    const bad = values.find((value) => !Number.isFinite(value) || (field === 'scale' && value < 0));
    if (bad !== undefined) {
      throw expected(`finite values${field === 'scale' ? ' from 0' : ''}`, `standardisation.${field}`, bad);
    }
  }
  return { mean, scale } as Standardisation;
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
