/** The metrics by which a model may be judged, watched as it trains, and chosen. */

interface Told {
  readonly title: string;
  readonly better: 'more' | 'less';
  /** What there must be for it: told classes, their probabilities, or told values. */
  readonly of: 'anything' | 'classes' | 'probabilities' | 'values';
}

/** In the order in which they are told. */
const TABLE = {
  accuracy: { title: 'accuracy', better: 'more', of: 'classes' },
  balancedAccuracy: { title: 'balanced accuracy', better: 'more', of: 'classes' },
  macroF1: { title: 'F1, mean of classes', better: 'more', of: 'classes' },
  rocAuc: { title: 'ROC AUC', better: 'more', of: 'probabilities' },
  prAuc: { title: 'PR AUC', better: 'more', of: 'probabilities' },
  logLoss: { title: 'log loss', better: 'less', of: 'probabilities' },
  brier: { title: 'Brier score', better: 'less', of: 'probabilities' },
  calibrationError: { title: 'calibration error', better: 'less', of: 'probabilities' },
  r2: { title: 'R²', better: 'more', of: 'values' },
  mae: { title: 'mean absolute error', better: 'less', of: 'values' },
  rmse: { title: 'root mean squared error', better: 'less', of: 'values' },
  mape: { title: 'mean absolute percentage error', better: 'less', of: 'values' },
  loss: { title: 'loss', better: 'less', of: 'anything' },
} as const satisfies Readonly<Record<string, Told>>;

/** A metric by its name. */
export type Metric = keyof typeof TABLE;

export const METRICS: Readonly<Record<Metric, Told>> = TABLE;
/** Their names. */
export const METRIC_NAMES = Object.keys(TABLE) as readonly Metric[];

/** A number of which more is better, whatever the metric. */
export const scoreOf = (metric: Metric, value: number): number => (METRICS[metric].better === 'more' ? value : -value);

/** The metrics of a task. */
export const metricsFor = (task: 'classes' | 'probabilities' | 'values'): readonly Metric[] =>
  METRIC_NAMES.filter((name) => {
    const { of } = METRICS[name];
    return of === 'anything' || of === task || (of === 'classes' && task === 'probabilities');
  });
