/** From which probability on the second of two classes is told. */
import { DlAdmmError, expected } from '../core/errors.js';
import type { List } from './classes.js';
import { thresholds } from './probabilities.js';

/** What a threshold is chosen by: the best F1 of the second class, the least cost, or the most recall with so much precision. */
export type ThresholdRule =
  | 'f1'
  | { readonly falsePositive: number; readonly falseNegative: number }
  | { readonly precision: number };

const isCost = (rule: object): rule is { readonly falsePositive: number; readonly falseNegative: number } =>
  'falsePositive' in rule && 'falseNegative' in rule;

/** A number of which more is better; undefined where the rule is not kept. */
type Gain = (hits: number, misses: number, positives: number) => number | undefined;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function gainOf(rule: ThresholdRule): Gain {
  if (rule === 'f1') return (hits, misses, positives) => (2 * hits) / (hits + misses + positives);
  if (typeof rule === 'object' && rule !== null && isCost(rule)) {
    const { falsePositive, falseNegative } = rule;
    if (falsePositive >= 0 && falseNegative >= 0) {
      return (hits, misses, positives) => -(falsePositive * misses + falseNegative * (positives - hits));
    }
  } else if (typeof rule === 'object' && rule !== null && rule.precision > 0 && rule.precision <= 1) {
    return (hits, misses) => (hits >= rule.precision * (hits + misses) ? hits : undefined);
  }
  const rules = "'f1', { falsePositive, falseNegative } (costs from 0) or { precision } (above 0 to 1)";
  const given = typeof rule === 'object' && rule !== null ? `{ ${Object.keys(rule).join(', ')} }` : rule;
  throw expected(rules, 'the rule of a threshold', given);
}

/**
 * The threshold that is best by a rule for samples of known classes (0 and 1) with these probabilities of class 1.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where the rule is none, cannot be kept, or the samples are of one class
 */
export function chooseThreshold(labels: List, probabilities: List, rule: ThresholdRule, weights?: List): number {
  const gain = gainOf(rule);
  const positive = (i: number): boolean => labels[i] === 1;
  const steps = thresholds(positive, probabilities, weights);
  const { hits: positives = 0, misses: negatives = 0 } = steps.at(-1) ?? {};
  if (positives === 0 || negatives === 0) {
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected samples of both classes to choose a threshold by');
  }
  // Never, which costs may ask for, is told by what no sample reaches.
  const never = gain(0, 0, positives);
  const top = steps[0]?.threshold ?? 1;
  let best = {
    threshold: (1 + top) / 2,
    gain: typeof rule === 'object' && isCost(rule) && top < 1 ? never : undefined,
  };
  for (const { threshold, hits, misses } of steps) {
    const gained = gain(hits, misses, positives);
    if (gained !== undefined && !(best.gain !== undefined && best.gain >= gained)) best = { threshold, gain: gained };
  }
  if (best.gain !== undefined) return best.threshold;
  const highest = steps.reduce((most, { hits, misses }) => Math.max(most, hits / (hits + misses)), 0);
  const text = `Expected a precision that some threshold reaches; the highest on these samples is ${highest.toPrecision(4)}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}
