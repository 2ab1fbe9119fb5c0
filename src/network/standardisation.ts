import { types } from 'node:util';
import { checkKeys, checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { errorLoss, type Network } from './network.js';
import type { Parameters } from './parameters.js';

/** How each feature x, or each target, is made comparable: (x − mean) · scale. */
export interface Standardisation {
  readonly mean: Float64Array;
  /** 1/σ with the population's σ; 0 for a feature that never varies, as nothing can be learnt from it. */
  readonly scale: Float64Array;
}

/**
 * @param least of the scales; targets need one above 0, as answers are divided by it
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT unless `rule` has finite means and scales, one each for `width` numbers
 */
export function checkStandardisation(
  rule: unknown,
  width: number,
  name = 'standardisation',
  least: 0 | 'positive' = 0,
): Standardisation {
  checkObject(rule, '{ mean, scale }', name);
  checkKeys(rule, ['mean', 'scale'], name);
  const { mean, scale } = rule as Partial<Standardisation>;
  const tooSmall = (value: number): boolean => value < 0 || (value === 0 && least === 'positive');
  for (const [field, values] of Object.entries({ mean, scale })) {
    const isRight = types.isFloat64Array(values) && values.length === width;
    if (!isRight) throw expected(`a Float64Array of ${width} values`, `${name}.${field}`, values);
    const bad = values.find((value) => !Number.isFinite(value) || (field === 'scale' && tooSmall(value)));
    if (bad !== undefined) {
      const range = field === 'mean' ? '' : least === 0 ? ' from 0' : ' above 0';
      throw expected(`finite values${range}`, `${name}.${field}`, bad);
    }
  }
  return { mean, scale } as Standardisation;
}

/** Outputs of a network as values of the targets: z / scale + mean, in float64, from `at` on in `out`. */
export function restoreTargets(
  outputs: Numbers,
  { mean, scale }: Standardisation,
  out: Float64Array,
  at: number,
): void {
  const width = mean.length;
  for (let i = 0; i < outputs.length; i += 1) {
    const j = i % width;
    out[at + i] = (outputs[i] as number) / (scale[j] as number) + (mean[j] as number);
  }
}

/**
 * Parameters whose outputs say the same of targets that are standardised by `to`, from parameters for targets standardised by
 * `from`; undefined is for targets as they are. Found in float64 and rounded once.
 */
export function retarget(
  { weights, biases }: Parameters,
  from: Standardisation | undefined,
  to: Standardisation | undefined,
): Parameters {
  const last = weights.length - 1;
  const [W, b] = [weights[last] as Numbers, biases[last] as Numbers];
  const inputs = W.length / b.length;
  const ratio = (j: number): number => (to?.scale[j] ?? 1) / (from?.scale[j] ?? 1);
  const shift = (j: number): number => ((from?.mean[j] ?? 0) - (to?.mean[j] ?? 0)) * (to?.scale[j] ?? 1);
  return {
    weights: weights.with(last, W.map((w: number, i: number) => w * ratio(Math.floor(i / inputs))) as Numbers),
    biases: biases.with(last, b.map((value: number, j: number) => value * ratio(j) + shift(j)) as Numbers),
  };
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

/** R summed over the entries, of outputs as the targets were. */
export function lossInUnits(
  network: Network,
  outputs: Numbers,
  values: ArrayLike<number>,
  targets: Standardisation,
): number {
  const restored = new Float64Array(outputs.length);
  restoreTargets(outputs, targets, restored, 0);
  const { scale } = targets;
  const of = errorLoss(network);
  return restored.reduce((sum, z, i) => sum + of(z - (values[i] as number), scale[i % scale.length] as number), 0);
}
