import { types } from 'node:util';
import { DlAdmmError } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { type Calibration, calibrated } from '../judging/calibration.js';
import {
  type ClassEvaluation,
  type Evaluation,
  judgeClasses,
  judgeLabels,
  judgeValues,
  type LabelEvaluation,
  type ValueEvaluation,
} from '../judging/evaluation.js';
import {
  type ClassLoss,
  classCount,
  classifies,
  goalOf,
  hasProbabilities,
  type Loss,
  type Network,
} from '../network/network.js';
import { restoreTargets, type Standardisation } from '../network/standardisation.js';
import { type ClassNames, type Labels, labelOf, numbersOf } from '../samples/classes.js';
import type { Matrix } from '../tensor/matrix.js';
import type { Divergence } from './parts.js';

interface Outputs {
  /** The network's outputs z_L, samples × n_L; of regression the values themselves (eᶻ for poisson), in float64 where targets were standardised. */
  readonly outputs: Matrix;
}

interface Labelled extends Outputs {
  /** The class of the largest output (of the largest probability, where there are some), one a sample, as the training's labels were. */
  readonly labels: Labels;
  /** Where the model has been calibrated, samples × classes. */
  readonly probabilities?: Matrix;
}

interface Probable extends Outputs {
  /** The class of the largest output, one a sample, as a number or as the training's labels were. */
  readonly labels: Labels;
  /** The softmax of the outputs, samples × n_L. */
  readonly probabilities: Matrix;
}

interface MultiLabelled extends Outputs {
  readonly value?: undefined;
  /** The labels of probability ½ and more, one list a sample, by name where they have names. */
  readonly labels: readonly (readonly (string | number)[])[];
  /** The sigmoid of the outputs, samples × n_L. */
  readonly probabilities: Matrix;
}

interface Valued extends Outputs {
  readonly labels?: undefined;
  readonly probabilities?: undefined;
}

interface Predictions {
  readonly 'softmax-cross-entropy': Probable;
  readonly hinge: Labelled;
  readonly 'one-hot-squared-error': Labelled;
  readonly 'squared-error': Valued;
  readonly 'sigmoid-cross-entropy': MultiLabelled;
  readonly huber: Valued;
  readonly absolute: Valued;
  readonly quantile: Valued;
  readonly poisson: Valued;
}

/** What a model says of some samples, or of some nodes of a graph: labels and probabilities are there where its loss has them. */
export type Prediction<L extends Loss = Loss> = Predictions[L];

/** How good a model is, by what its loss is for. */
export type EvaluationOf<L extends Loss> = L extends ClassLoss
  ? ClassEvaluation
  : L extends 'sigmoid-cross-entropy'
    ? LabelEvaluation
    : ValueEvaluation;

/** A prediction that is being put together. */
export interface Answer {
  /** Takes the outputs of the samples from `first` on. */
  put(first: number, outputs: Numbers): void;
  /** All that was put. */
  prediction(): Prediction;
  /** How good it is, where the class numbers or the values are `truth` and the loss is known. */
  evaluation(truth: Int32Array | Matrix, loss: number): Promise<Evaluation>;
}

/** What a model says of its answers, beside its network. */
interface Told extends ClassNames {
  readonly threshold?: number;
  readonly calibration?: Calibration;
  readonly targetStandardisation?: Standardisation;
  readonly diverged?: Divergence;
}

/** What there is to say of a model whose training diverged. */
export const divergedText = ({ iteration }: Divergence): string =>
  `diverged in iteration ${iteration}: its parameters are the last finite ones`;

/**
 * The prediction for so many samples, from the outputs of a network; labels as `names` has them, values as targets were.
 *
 * @throws DlAdmmError ERR_DLADMM_NON_FINITE, by `put`, for an output that is not finite
 */
export function answerOf(network: Network, dtype: Dtype, rows: number, names: Told): Answer {
  const { loss, layers } = network;
  const columns = layers.at(-1) ?? 0;
  const { targetStandardisation: targets, threshold, calibration } = names;
  const data = zeros(targets ? 'float64' : dtype, rows * columns);
  const classification = classifies(loss);
  const labels = new Int32Array(classification ? rows : 0);
  const several = goalOf(loss) === 'labels';
  const lists: (readonly (string | number)[])[] = [];
  // Filled as outputs come, as all of many at once would hold up the event loop.
  const answers: (string | boolean)[] = [];
  const called = labelOf(names);
  const probable = hasProbabilities(loss) || calibration !== undefined;
  const count = classCount(loss, columns);
  const probabilities = zeros(targets ? 'float64' : dtype, probable ? rows * count : 0);
  const classOf = count === columns ? largest : aboveHalf;
  return {
    put(first, part) {
      // Of finite values this sum is 0; a call of a function for each of them would take longer than a small network does.
      let doubt = 0;
      for (let i = 0; i < part.length; i += 1) doubt += (part[i] ?? 0) - (part[i] ?? 0);
      if (doubt !== 0) {
        const bad = part.findIndex((value) => !Number.isFinite(value));
        const why = names.diverged ? `the training ${divergedText(names.diverged)}` : `they are too large for ${dtype}`;
        const text = `The outputs of the model for row ${first + Math.floor(bad / columns)} are not finite: ${why}`;
        throw new DlAdmmError('ERR_DLADMM_NON_FINITE', text);
      }
      if (targets) restoreTargets(part, targets, data as Float64Array, first * columns);
      else data.set(loss === 'poisson' ? part.map(Math.exp) : part, first * columns);
      const end = first + part.length / columns;
      if (several) {
        probabilities.set(part.map(sigmoid), first * columns);
        for (let i = first; i < end; i += 1) lists[i] = labelList(probabilities, i * columns, columns, names.classes);
      } else if (calibration) calibrated(part, columns, calibration, probabilities, first * count);
      else if (probable) softmax(part, columns, probabilities, first * columns);
      if (!classification) return;
      if (threshold !== undefined) fromThreshold(probabilities, threshold, labels, first, end);
      else if (calibration) largest(probabilities.subarray(first * count, end * count), count, labels, first);
      else classOf(part, columns, labels, first);
      if (called) for (let i = first; i < end; i += 1) answers[i] = called(labels[i] as number);
    },
    async evaluation(truth, loss) {
      const classes = names.classes ?? Array.from({ length: count }, (_, c) => String(c));
      if (!types.isTypedArray(truth)) {
        if (several) return judgeLabels(truth, probabilities, classes, loss);
        return judgeValues(truth, { data, rows, columns }, loss, undefined, network.loss);
      }
      const told = { labels: truth, predicted: labels, names: classes, loss };
      return judgeClasses(probable ? { ...told, probabilities: { data: probabilities, rows, columns: count } } : told);
    },
    prediction() {
      const outputs: Matrix = { data, rows, columns };
      if (several) {
        const found = { data: probabilities, rows, columns };
        return { outputs, labels: lists, probabilities: found };
      }
      if (!classification) return { outputs };
      const found = called ? (answers as Labels) : numbersOf(labels, names);
      if (!probable) return { outputs, labels: found };
      return { outputs, labels: found, probabilities: { data: probabilities, rows, columns: count } };
    },
  };
}

/** 1 / (1 + e⁻ᶻ) */
const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** The labels of a row that are more probable than not. */
function labelList(probabilities: Numbers, at: number, columns: number, names: readonly string[] | undefined) {
  const found: (string | number)[] = [];
  for (let j = 0; j < columns; j += 1) if ((probabilities[at + j] ?? 0) >= 0.5) found.push(names?.[j] ?? j);
  return found;
}

/** labels[first + i] becomes the class of the largest output of row i. */
function largest(outputs: Numbers, columns: number, labels: Int32Array, first: number): void {
  for (let i = 0; i * columns < outputs.length; i += 1) {
    let best = 0;
    for (let j = 1; j < columns; j += 1) {
      if ((outputs[i * columns + j] ?? 0) > (outputs[i * columns + best] ?? 0)) best = j;
    }
    labels[first + i] = best;
  }
}

/** The second of two classes from a probability on. */
function fromThreshold(
  probabilities: Numbers,
  threshold: number,
  labels: Int32Array,
  first: number,
  end: number,
): void {
  for (let i = first; i < end; i += 1) labels[i] = (probabilities[2 * i + 1] ?? 0) >= threshold ? 1 : 0;
}

/** The same of a network with one output for two classes, whose targets are 1 and 0. */
function aboveHalf(outputs: Numbers, _: number, labels: Int32Array, first: number): void {
  for (let i = 0; i < outputs.length; i += 1) labels[first + i] = (outputs[i] ?? 0) > 0.5 ? 1 : 0;
}

/** The softmax of every row of `outputs`, from `at` on in `out`. */
function softmax(outputs: Numbers, columns: number, out: Numbers, at: number): void {
  for (let first = 0; first < outputs.length; first += columns) {
    let top = Number.NEGATIVE_INFINITY;
    for (let j = first; j < first + columns; j += 1) top = Math.max(top, outputs[j] ?? 0);
    let sum = 0;
    for (let j = first; j < first + columns; j += 1) {
      const e = Math.exp((outputs[j] ?? 0) - top);
      out[at + j] = e;
      sum += e;
    }
    for (let j = at + first; j < at + first + columns; j += 1) out[j] = (out[j] ?? 0) / sum;
  }
}
