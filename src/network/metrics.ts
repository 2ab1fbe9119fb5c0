import type { NativeEvaluation } from '../core/native.js';
import { checkMetric, METRIC_NAMES, type Metric, metricsFor } from '../judging/metrics.js';
import { classifies, goalOf, hasProbabilities, type Loss, type Network } from './network.js';
import type { ValueType } from './schema.js';

/** Loss and accuracy of the network (not of the split variables) on a set of samples, and what else is watched. */
export interface Metrics extends Readonly<Partial<Record<Metric, number | undefined>>> {
  /** R of the network's outputs, averaged over the samples. */
  readonly loss: number;
  /** Share of samples whose largest output is the label's; classification only. */
  readonly accuracy?: number | undefined;
}

/** What a native evaluation over `count` samples found, as means. */
export function metricsOf(network: Network, { loss, correct }: NativeEvaluation, count: number): Metrics {
  const mean = loss / count;
  return classifies(network.loss) ? { loss: mean, accuracy: correct / count } : { loss: mean };
}

/** A metric by its name. */
export const METRIC: ValueType<Metric> = {
  type: METRIC_NAMES.map((name) => `'${name}'`).join(' | '),
  typed: { as: 'word', words: METRIC_NAMES },
  check: (value, name) => checkMetric(value, METRIC_NAMES, name),
};

/** The metrics that a model of a loss has; `calibrated` where its scores have been made probabilities. */
export const metricsOfLoss = (loss: Loss, calibrated = false): readonly Metric[] => {
  if (loss === 'poisson') return metricsFor('counts');
  return metricsFor(classifies(loss) && (calibrated || hasProbabilities(loss)) ? 'probabilities' : goalOf(loss));
};
