/** The metrics by which a model may be judged, watched as it trains, and chosen. */
import { didYouMean } from '../core/checks.js';
import { DlAdmmError, expected } from '../core/errors.js';

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

/** More than any error is a share of its value: where that is 0, which makes it 2⁵² times the error. */
const OF_ZERO = 1e9;

/** Whether a number says something to a person: an error as a share of 0 does not. */
export const isTelling = (name: string, value: number): boolean => name !== 'mape' || value <= OF_ZERO;

/** What other libraries call them, without capitals and what stands between words. */
const ELSEWHERE: Readonly<Record<string, Metric>> = {
  ...{ acc: 'accuracy', binaryaccuracy: 'accuracy', categoricalaccuracy: 'accuracy', error: 'accuracy' },
  ...{ balanced: 'balancedAccuracy', recall: 'balancedAccuracy', f1: 'macroF1', f1score: 'macroF1', fscore: 'macroF1' },
  ...{
    auc: 'rocAuc',
    areaunderroc: 'rocAuc',
    auroc: 'rocAuc',
    averageprecision: 'prAuc',
    aucpr: 'prAuc',
    precision: 'prAuc',
  },
  ...{
    crossentropy: 'logLoss',
    binarylogloss: 'logLoss',
    multilogloss: 'logLoss',
    mlogloss: 'logLoss',
    ece: 'calibrationError',
  },
  ...{ r2score: 'r2', l1: 'mae', mse: 'rmse', l2: 'rmse', squarederror: 'rmse', valloss: 'loss' },
  ...{ meanabsoluteerror: 'mae', meansquarederror: 'rmse', absoluteerror: 'mae', deviance: 'poissonDeviance' },
};

/** What a metric of another library is called here, as the end of a sentence. */
export function metricMeant(name: string, known: readonly string[] = METRIC_NAMES): string {
  const plain = name
    .replaceAll(/[\s_-]/g, '')
    .toLowerCase()
    .replace(/^(?:neg|val)(?=.{3})/, '');
  const found = Object.hasOwn(ELSEWHERE, plain) ? ELSEWHERE[plain] : undefined;
  return found && known.includes(found)
    ? `; did you mean ${found}?`
    : didYouMean(plain, known) || '; docs/judging.md says what each measures';
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where it is none of those that are known */
export function checkMetric(value: unknown, known: readonly Metric[], name: string): Metric {
  const found = known.find((metric) => metric === value);
  if (found !== undefined) return found;
  const { code, message } = expected(known.map((word) => `'${word}'`).join(' or '), name, value);
  throw new DlAdmmError(code, `${message}${typeof value === 'string' ? metricMeant(value, known) : ''}`);
}

/** A number of which more is better, whatever the metric. */
export const scoreOf = (metric: Metric, value: number): number => (METRICS[metric].better === 'more' ? value : -value);

export const metricsFor = (task: Task): readonly Metric[] =>
  METRIC_NAMES.filter((name) => {
    const { of } = METRICS[name];
    const also = (of === 'classes' && task === 'probabilities') || (of === 'values' && task === 'counts');
    return of === 'anything' || of === task || also || (name === 'macroF1' && task === 'labels');
  });
