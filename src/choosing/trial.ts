import { expected } from '../core/errors.js';
import { type Metric, scoreOf } from '../judging/metrics.js';
import { type Fold, type Spreads, spreadsOf } from './cross-validate.js';

/** One choice of options, and what it is worth. */
export interface Trial {
  /** 1 for the first. */
  readonly number: number;
  /** What varies. */
  readonly options: Readonly<Record<string, unknown>>;
  /** The samples of its largest training. */
  readonly samples: number;
  /** The mean of the metric over the folds; undefined where a training diverged. */
  readonly value?: number;
  readonly scores: Spreads;
  readonly seconds: number;
}

/** The most samples first, then the best, then the first. */
export const byWorth =
  (metric: Metric) =>
  (a: Trial, b: Trial): number => {
    const score = ({ value }: Trial): number => (value === undefined ? -Number.MAX_VALUE : scoreOf(metric, value));
    return b.samples - a.samples || score(b) - score(a) || a.number - b.number;
  };

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where the models have no such metric */
export function trialOf(
  number: number,
  options: Trial['options'],
  samples: number,
  folds: readonly Fold[],
  metric: Metric,
): Trial {
  const scores = spreadsOf(folds);
  const whole = folds.every((fold) => fold.scores !== undefined);
  const value = whole ? scores[metric]?.mean : undefined;
  if (whole && value === undefined) {
    throw expected(`a metric that these models have (${Object.keys(scores).join(', ')})`, 'metric', metric);
  }
  const seconds = folds.reduce((sum, fold) => sum + fold.seconds, 0);
  return { number, options, samples, ...(value !== undefined && { value }), scores, seconds };
}
