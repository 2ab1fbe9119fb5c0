/** What samples count for: weights s_i ≥ 0 of their own, and weights of their classes. */
import { types } from 'node:util';
import { checkObject, didYouMean } from '../core/checks.js';
import { DlAdmmError, expected, listed, quoted } from '../core/errors.js';
import { isArray, isNumericArray, type NumericArray } from '../tensor/inputs.js';

/** Weights of samples, one each. */
export type WeightsLike = NumericArray | readonly number[];

/**
 * What each class counts for: `'balanced'` lets all count alike, a sample of class c then n / (k n_c) with n samples of k classes, n_c
 * of them of class c; or weights by the name (or the number) of the class, 1 where none is named.
 */
export type ClassWeights = 'balanced' | Readonly<Record<string, number>>;

const isWeight = (value: unknown): value is number => typeof value === 'number' && value >= 0 && Number.isFinite(value);

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE */
export function checkClassWeights(value: unknown, name: string): ClassWeights {
  if (value === 'balanced') return value;
  const what = "'balanced' or { class: weight }";
  if (isArray(value) || types.isMap(value)) throw expected(what, name, value);
  if (typeof value === 'string') {
    const { code, message } = expected(what, name, value);
    throw new DlAdmmError(code, message + didYouMean(value, ['balanced']));
  }
  checkObject(value, what, name);
  for (const [key, weight] of Object.entries(value)) {
    if (!isWeight(weight))
      throw expected('a finite number from 0', `${name}[${JSON.stringify(key)}]`, weight, 'ERR_DLADMM_RANGE');
  }
  return { ...value } as ClassWeights;
}

/**
 * Weights of so many samples, checked.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_RANGE
 */
export function weightsOf(weights: unknown, rows: number, name: string): Float64Array {
  if (!isArray(weights) && !isNumericArray(weights))
    throw expected('an array of numbers, one a sample,', name, weights);
  if (weights.length !== rows)
    throw expected(`${rows} numbers, one a sample,`, name, weights.length, 'ERR_DLADMM_SHAPE');
  const out = new Float64Array(rows);
  let sum = 0;
  for (let i = 0; i < rows; i += 1) {
    const weight: unknown = weights[i];
    if (!isWeight(weight)) {
      const finite = typeof weight !== 'number' || Number.isFinite(weight);
      throw expected(
        'a finite number from 0',
        `${name}[${i}]`,
        weight,
        finite ? 'ERR_DLADMM_RANGE' : 'ERR_DLADMM_NON_FINITE',
      );
    }
    out[i] = weight;
    sum += weight;
  }
  if (!(sum > 0) || !Number.isFinite(sum))
    throw expected('weights with a positive finite sum', name, sum, 'ERR_DLADMM_RANGE');
  return out;
}

/**
 * What samples of these classes count for, times weights of their own where there are some.
 *
 * @param names the names of the classes, where they have any
 * @throws DlAdmmError ERR_DLADMM_LABEL for a weight of a class that there is not, ERR_DLADMM_RANGE where nothing counts
 */
export function weightedByClass(
  rule: ClassWeights,
  labels: ArrayLike<number>,
  count: number,
  names: readonly string[] | undefined,
  own: Float64Array | undefined,
): Float64Array {
  const byClass = rule === 'balanced' ? balanced(labels, count, own) : named(rule, count, names);
  const out = new Float64Array(labels.length);
  for (let i = 0; i < out.length; i += 1) out[i] = (byClass[labels[i] as number] ?? 0) * (own?.[i] ?? 1);
  return weightsOf(out, out.length, 'classWeights');
}

function balanced(labels: ArrayLike<number>, count: number, own: Float64Array | undefined): Float64Array {
  const sums = new Float64Array(count);
  let all = 0;
  for (let i = 0; i < labels.length; i += 1) {
    const label = labels[i] ?? -1;
    if (label < 0) continue;
    sums[label] = (sums[label] ?? 0) + (own?.[i] ?? 1);
    all += own?.[i] ?? 1;
  }
  const present = sums.filter((sum) => sum > 0).length;
  return sums.map((sum) => (sum > 0 ? all / (present * sum) : 0));
}

function named(rule: Exclude<ClassWeights, 'balanced'>, count: number, names?: readonly string[]): Float64Array {
  const known = names ?? Array.from({ length: count }, (_, k) => String(k));
  const unknown = Object.keys(rule).find((key) => !known.includes(key));
  if (unknown !== undefined) {
    const text = `Expected classes among ${listed(known, 20)} for classWeights but received ${quoted(unknown)}${didYouMean(unknown, known)}`;
    throw new DlAdmmError('ERR_DLADMM_LABEL', text);
  }
  return Float64Array.from(known, (name) => (Object.hasOwn(rule, name) ? (rule[name] ?? 1) : 1));
}

/** What counts for less than this, beside a mean of 1, is lost in any sum: it counts for nothing. */
const LEAST = 1e-100;

/** Weights divided by their mean over the samples (of a graph: the nodes) that are learnt from. */
export function relative(weights: Float64Array, learnt?: Int32Array): Float64Array {
  let sum = 0;
  for (let i = 0; i < (learnt ?? weights).length; i += 1) sum += weights[learnt ? (learnt[i] as number) : i] ?? 0;
  const mean = sum / (learnt?.length ?? weights.length);
  if (!(mean > 0))
    throw expected('weights that are not all 0 where there is something to learn', 'weights', mean, 'ERR_DLADMM_RANGE');
  return weights.map((weight) => (weight / mean < LEAST ? 0 : weight / mean));
}
