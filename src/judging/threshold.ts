/** From which probability on the second of two classes is told. */
import { DlAdmmError, describe, expected, refused } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import { type List, weightOf } from './classes.js';
import { eachThreshold } from './probabilities.js';

/** What a threshold is chosen by: the best F1 of the second class, the least cost, or the most recall with so much precision. */
export type ThresholdRule =
  | 'f1'
  | { readonly falsePositive: number; readonly falseNegative: number }
  | { readonly precision: number };

const COSTS = ['falseNegative', 'falsePositive'] as const;

/** Whether a rule has these members and no other. */
const hasOnly = <K extends string>(rule: unknown, ...keys: readonly K[]): rule is Readonly<Record<K, number>> =>
  isObject(rule) && Object.keys(rule).sort().join() === keys.join();

/** A number of which more is better; undefined where the rule is not kept. */
type Gain = (hits: number, misses: number, positives: number) => number | undefined;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT */
function gainOf(rule: ThresholdRule): Gain {
  if (rule === 'f1') return (hits, misses, positives) => (2 * hits) / (hits + misses + positives);
  if (hasOnly(rule, ...COSTS)) {
    const { falsePositive, falseNegative } = rule;
    if ([falsePositive, falseNegative].every((cost) => cost >= 0 && Number.isFinite(cost))) {
      return (hits, misses, positives) => -(falsePositive * misses + falseNegative * (positives - hits));
    }
  } else if (hasOnly(rule, 'precision') && rule.precision > 0 && rule.precision <= 1) {
    return (hits, misses) => (hits >= rule.precision * (hits + misses) ? hits : undefined);
  }
  const rules = "'f1', { falsePositive, falseNegative } (costs from 0) or { precision } (above 0 to 1)";
  if (!isObject(rule)) throw expected(rules, 'the rule of a threshold', rule);
  const given = Object.entries(rule).map(([key, value]) => `${key}: ${describe(value)}`);
  throw refused(`Expected ${rules} for the rule of a threshold but received { ${given.join(', ')} }`);
}

/**
 * The threshold that is best by a rule for samples of known classes (0 and 1) with these probabilities of class 1.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where the rule is none, cannot be kept, or the samples are of one class
 */
export async function chooseThreshold(
  labels: List,
  probabilities: List,
  rule: ThresholdRule,
  weights?: List,
): Promise<number> {
  const gain = gainOf(rule);
  const positive = (i: number): boolean => labels[i] === 1;
  let [positives, negatives] = [0, 0];
  for (let i = 0; i < labels.length; i += 1) {
    if (positive(i)) positives += weightOf(weights, i);
    else negatives += weightOf(weights, i);
  }
  if (positives === 0 || negatives === 0) {
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', 'Expected samples of both classes to choose a threshold by');
  }
  let best: { readonly threshold: number; readonly gain: number } | undefined;
  let [first, highest] = [true, 0];
  const better = (threshold: number, gained: number | undefined): void => {
    if (gained === undefined || (best && best.gain >= gained)) return;
    best = { threshold, gain: gained };
  };
  const visit = (threshold: number, hits: number, misses: number): void => {
    // Never, which costs may ask for, is told by what no sample reaches.
    if (first && hasOnly(rule, ...COSTS) && threshold < 1) better((1 + threshold) / 2, gain(0, 0, positives));
    first = false;
    better(threshold, gain(hits, misses, positives));
    highest = Math.max(highest, hits / (hits + misses));
  };
  await eachThreshold(positive, probabilities, visit, weights);
  if (best) return (best as { readonly threshold: number }).threshold;
  const text = `Expected a precision that some threshold reaches; the highest on these samples is ${highest.toPrecision(4)}`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}
