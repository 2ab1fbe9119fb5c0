/** All that is told of a set of samples that a model has answered for: plain data, and a table for people. */
import { inTurns } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import {
  accuracyIn,
  balancedIn,
  type ClassScore,
  classScore,
  confusionMatrix,
  type List,
  macroF1In,
  scoresIn,
  sum,
} from './classes.js';
import { isTelling, METRIC_NAMES, METRICS, type Metric } from './metrics.js';
import { areasUnder, type Bin, binsOf, brier, calibrationErrorOf, logLoss, type Point } from './probabilities.js';
import { aligned, numberText, printable, unseen } from './text.js';
import {
  meanAbsoluteError,
  meanAbsolutePercentageError,
  poissonDeviance,
  quantileCoverage,
  r2,
  rootMeanSquaredError,
} from './values.js';

/** What is drawn of a judgement. */
export interface Drawn {
  /** Of two classes, hits over false alarms, as shares. */
  readonly roc?: readonly Point[];
  /** How often what was told with some probability was so. */
  readonly bins?: readonly Bin[];
  /** Of some of the samples, a list a target, of the first targets: the output, and what the value is above it. */
  readonly residuals?: readonly (readonly Point[])[];
}

interface Judged {
  readonly samples: number;
  /** R of the network's outputs, averaged over the samples: what the training makes small. */
  readonly loss: number;
  /** What is to be known of the columns: texts that the training set did not have, say. */
  readonly warnings?: readonly string[];
  /** For pictures; neither JSON nor a comparison sees it. */
  readonly drawn?: Drawn;
}

/** How well classes are told. What one class alone cannot tell, and what needs probabilities, may be missing. */
export interface ClassEvaluation extends Judged {
  readonly accuracy: number;
  /** The mean recall of the classes that there are samples of. */
  readonly balancedAccuracy: number;
  /** The mean F1 of the classes. */
  readonly macroF1: number;
  readonly logLoss?: number;
  readonly brier?: number;
  /** The area under the ROC curve: of the second of two classes, else the mean of each class against the rest. */
  readonly rocAuc?: number;
  /** The same of precision over recall. */
  readonly prAuc?: number;
  readonly calibrationError?: number;
  readonly classes: readonly ({ readonly name: string } & ClassScore)[];
  /** `confusion[true][predicted]`. */
  readonly confusion: readonly (readonly number[])[];
  toString(): string;
}

/** How well values are told. */
export interface ValueEvaluation extends Judged {
  readonly mae: number;
  readonly rmse: number;
  /** Undefined for a single sample. */
  readonly r2?: number;
  readonly mape: number;
  /** Of counts: the mean of 2 (y log(y/ŷ) − y + ŷ). */
  readonly poissonDeviance?: number;
  /** The share of values that are not above the output: of a quantile's outputs the quantile, if they are right. */
  readonly coverage: number;
  readonly accuracy?: undefined;
  toString(): string;
}

/** How well labels are told of which a sample may have any number. */
export interface LabelEvaluation extends Judged {
  /** The share of samples all of whose labels are told right. */
  readonly exactMatch: number;
  /** F1 of all labels of all samples taken together, and the mean F1 of the labels. */
  readonly microF1: number;
  readonly macroF1: number;
  readonly labels: readonly ({ readonly name: string } & ClassScore)[];
  readonly accuracy?: undefined;
  toString(): string;
}

/** What a model is worth: of classes, of labels, or of values. */
export type Evaluation = ClassEvaluation | LabelEvaluation | ValueEvaluation;

/** What a model said of samples whose classes are known. */
export interface ToldClasses {
  readonly labels: List;
  readonly predicted: List;
  readonly names: readonly string[];
  readonly loss: number;
  readonly probabilities?: Matrix | undefined;
  readonly weights?: List | undefined;
}

/** Judges classes, by probabilities too where there are some; the event loop runs in between. */
export async function judgeClasses(told: ToldClasses): Promise<ClassEvaluation> {
  const { labels, predicted, names, loss, probabilities, weights } = told;
  const confusion = await confusionMatrix(labels, predicted, names.length, weights);
  const scores = scoresIn(confusion);
  const probable = probabilities && (await judgeProbabilities(labels, probabilities, weights));
  const evaluation = printable(
    {
      samples: labels.length,
      loss,
      accuracy: accuracyIn(confusion),
      balancedAccuracy: balancedIn(confusion),
      macroF1: macroF1In(confusion),
      ...probable?.scores,
      classes: names.map((name, c) => ({ name, ...(scores[c] as ClassScore) })),
      confusion,
    },
    classText,
  );
  return probable ? unseen(evaluation, { drawn: probable.drawn }) : evaluation;
}

async function judgeProbabilities(labels: List, probabilities: Matrix, weights: List | undefined) {
  const { rocAuc, prAuc, roc } = await areasUnder(labels, probabilities, weights);
  const bins = await binsOf(labels, probabilities, weights);
  const scores = {
    logLoss: await logLoss(labels, probabilities, weights),
    brier: await brier(labels, probabilities, weights),
    ...(rocAuc !== undefined && { rocAuc }),
    ...(prAuc !== undefined && { prAuc }),
    calibrationError: calibrationErrorOf(bins),
  };
  return { scores, drawn: { bins, ...(roc && { roc }) } };
}

/** So many samples at most are drawn, and so many targets. */
const MOST_DRAWN = { samples: 500, targets: 8 } as const;

function residualsOf(y: Matrix, outputs: Matrix): readonly (readonly Point[])[] {
  const { rows, columns } = y;
  const step = Math.max(1, Math.ceil(rows / MOST_DRAWN.samples));
  const places = Array.from({ length: Math.ceil(rows / step) }, (_, i) => i * step * columns);
  return Array.from({ length: Math.min(columns, MOST_DRAWN.targets) }, (_, target) =>
    places.map((place) => {
      const output = outputs.data[place + target] as number;
      return [output, (y.data[place + target] as number) - output] as const;
    }),
  );
}

/** Judges values; `by` is the loss, of which some have a measure of their own. The event loop runs in between. */
export async function judgeValues(
  y: Matrix,
  outputs: Matrix,
  loss: number,
  weights?: List,
  by?: string,
): Promise<ValueEvaluation> {
  const explained = await r2(y, outputs, weights);
  const evaluation = printable(
    {
      samples: y.rows,
      loss,
      mae: await meanAbsoluteError(y, outputs, weights),
      rmse: await rootMeanSquaredError(y, outputs, weights),
      ...(explained !== undefined && { r2: explained }),
      mape: await meanAbsolutePercentageError(y, outputs, weights),
      ...(by === 'poisson' && { poissonDeviance: await poissonDeviance(y, outputs, weights) }),
      coverage: await quantileCoverage(y, outputs, weights),
    },
    (all) => metricLines(all).join('\n'),
  );
  return unseen(evaluation, { drawn: { residuals: residualsOf(y, outputs) } });
}

/** Judges labels, each by itself: told are those of probability ½ and more, true those of ½ and more. The event loop runs in between. */
export async function judgeLabels(
  { data, rows, columns }: Matrix,
  probabilities: ArrayLike<number>,
  names: readonly string[],
  loss: number,
): Promise<LabelEvaluation> {
  const [right, told, on] = [0, 0, 0].map(() => new Float64Array(columns)) as [
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  let exact = 0;
  await inTurns(rows, (i) => {
    let missed = 0;
    for (let j = 0; j < columns; j += 1) {
      const is = Number((data[i * columns + j] ?? 0) >= 0.5);
      const said = Number((probabilities[i * columns + j] ?? 0) >= 0.5);
      on[j] = (on[j] ?? 0) + is;
      told[j] = (told[j] ?? 0) + said;
      right[j] = (right[j] ?? 0) + is * said;
      missed += Number(is !== said);
    }
    exact += Number(missed === 0);
  });
  const labels = names.map((name, j) => ({ name, ...classScore(right[j] ?? 0, told[j] ?? 0, on[j] ?? 0) }));
  return printable(
    {
      samples: rows,
      loss,
      exactMatch: exact / rows,
      microF1: classScore(sum(right), sum(told), sum(on)).f1,
      macroF1: sum(labels.map(({ f1 }) => f1)) / columns,
      labels,
    },
    (evaluation) => [...metricLines(evaluation), '', ...scoreTable('label', labels)].join('\n'),
  );
}

function metricLines(evaluation: Readonly<Record<string, unknown>> | Evaluation): readonly string[] {
  const of = evaluation as Readonly<Partial<Record<Metric | 'coverage' | 'samples', number>>>;
  const rows = METRIC_NAMES.flatMap((name) => {
    const value = of[name];
    return value !== undefined && isTelling(name, value) ? [[METRICS[name].title, numberText(value)]] : [];
  });
  if (of.coverage !== undefined) rows.push(['quantile coverage', numberText(of.coverage)]);
  return [`${of.samples} samples`, ...aligned(rows)];
}

/** So many classes have a table of what was taken for what. */
const MOST_CONFUSED = 20;
const MOST_CLASSES = 50;

function scoreTable(what: string, scores: ClassEvaluation['classes']): readonly string[] {
  const shown = scores.slice(0, MOST_CLASSES);
  const table = [
    [what, 'precision', 'recall', 'F1', 'samples'],
    ...shown.map(({ name, precision, recall, f1, support }) => [
      name,
      ...[precision, recall, f1, support].map(numberText),
    ]),
  ];
  const rest = scores.length - shown.length;
  return [...aligned(table), ...(rest > 0 ? [`… ${rest} more`] : [])];
}

function classText(evaluation: Omit<ClassEvaluation, 'toString'>): string {
  const { classes, confusion } = evaluation;
  const matrix = [
    ['true \\ told', ...classes.map(({ name }) => name)],
    ...classes.map(({ name }, c) => [name, ...(confusion[c] ?? []).map(numberText)]),
  ];
  return [
    ...metricLines(evaluation as ClassEvaluation),
    '',
    ...scoreTable('class', classes),
    ...(classes.length <= MOST_CONFUSED ? ['', ...aligned(matrix)] : []),
  ].join('\n');
}

/** A judgement with what is to be known of its columns; none where there is nothing. */
export function warned<E extends Evaluation>(evaluation: E, notes: readonly { readonly text: string }[]): E {
  if (notes.length === 0) return evaluation;
  const warnings = notes.map(({ text }) => text);
  const { drawn } = evaluation;
  const told = printable({ ...evaluation, warnings }, () =>
    [...warnings.map((text) => `note: ${text}`), String(evaluation)].join('\n'),
  );
  return drawn ? unseen(told, { drawn }) : told;
}
