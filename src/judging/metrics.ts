/** The metrics by which a model may be judged, watched as it trains, and chosen. */

/** What is told: classes, their probabilities, any number of labels, values, or counts. */
export type Task = 'classes' | 'probabilities' | 'labels' | 'values' | 'counts';

interface Told {
  readonly title: string;
  readonly better: 'more' | 'less';
  /** What there must be for it. */
  readonly of: 'anything' | Task;
}

const TABLE = {
  accuracy: { title: 'accuracy', better: 'more', of: 'classes' },
  balancedAccuracy: { title: 'balanced accuracy', better: 'more', of: 'classes' },
  macroF1: { title: 'F1, mean of classes', better: 'more', of: 'classes' },
  rocAuc: { title: 'ROC AUC', better: 'more', of: 'probabilities' },
  prAuc: { title: 'PR AUC', better: 'more', of: 'probabilities' },
  logLoss: { title: 'log loss', better: 'less', of: 'probabilities' },
  brier: { title: 'Brier score', better: 'less', of: 'probabilities' },
  calibrationError: { title: 'calibration error', better: 'less', of: 'probabilities' },
  exactMatch: { title: 'all labels right', better: 'more', of: 'labels' },
  microF1: { title: 'F1 of all labels', better: 'more', of: 'labels' },
  r2: { title: 'R²', better: 'more', of: 'values' },
  mae: { title: 'mean absolute error', better: 'less', of: 'values' },
  rmse: { title: 'root mean squared error', better: 'less', of: 'values' },
  mape: { title: 'mean absolute percentage error', better: 'less', of: 'values' },
  poissonDeviance: { title: 'Poisson deviance', better: 'less', of: 'counts' },
  loss: { title: 'loss', better: 'less', of: 'anything' },
} as const satisfies Readonly<Record<string, Told>>;

/** A metric by its name. */
export type Metric = keyof typeof TABLE;

export const METRICS: Readonly<Record<Metric, Told>> = TABLE;
export const METRIC_NAMES = Object.keys(TABLE) as readonly Metric[];

/** A number of which more is better, whatever the metric. */
export const scoreOf = (metric: Metric, value: number): number => (METRICS[metric].better === 'more' ? value : -value);

export const metricsFor = (task: Task): readonly Metric[] =>
  METRIC_NAMES.filter((name) => {
    const { of } = METRICS[name];
    const also = (of === 'classes' && task === 'probabilities') || (of === 'values' && task === 'counts');
    return of === 'anything' || of === task || also;
  });
