/** One sample, and what a model says of it alone. */
import type { Numbers } from '../core/native.js';
import type { ClassLoss, Loss } from '../network/network.js';
import { isRecord } from '../samples/arrived.js';
import { areColumns, type Cells, isTable, type ValuesLike } from '../samples/table.js';
import { isSparseRow, type SparseRow } from '../tensor/csr.js';
import { isArray } from '../tensor/inputs.js';
import type { Prediction } from './answer.js';

/** A class, as the training's labels were. */
type Label = number | string | boolean;

interface Labelled {
  /** The class of the largest output (of the largest probability, where there are some). */
  readonly label: Label;
  /** The network's outputs z_L, in the order of the classes. */
  readonly outputs: readonly number[];
  /** Where the model has been calibrated. */
  readonly probability?: number;
  readonly probabilities?: readonly number[];
  readonly labels?: undefined;
  readonly value?: undefined;
}

interface Probable {
  /** The class of the largest output. */
  readonly label: Label;
  /** How probable that class is. */
  readonly probability: number;
  /** The same of every class, in their order. */
  readonly probabilities: readonly number[];
  readonly outputs: readonly number[];
  readonly labels?: undefined;
  readonly value?: undefined;
}

interface MultiLabelled {
  readonly value?: undefined;
  /** The labels of probability ½ and more. */
  readonly labels: readonly (string | number)[];
  /** How probable each label is. */
  readonly probabilities: readonly number[];
  readonly outputs: readonly number[];
  readonly label?: undefined;
  readonly probability?: undefined;
}

interface Valued {
  /** The first of the outputs: of a network with one, what it predicts. */
  readonly value: number;
  readonly outputs: readonly number[];
  readonly label?: undefined;
  readonly labels?: undefined;
  readonly probability?: undefined;
  readonly probabilities?: undefined;
}

export type OnePrediction<L extends Loss = Loss> = L extends 'softmax-cross-entropy'
  ? Probable
  : L extends ClassLoss
    ? Labelled
    : L extends 'sigmoid-cross-entropy'
      ? MultiLabelled
      : Valued;

/** Whether all values of an object are lists; not where they may be anything. */
type AreLists<R> = keyof R extends never
  ? false
  : 0 extends 1 & R[keyof R]
    ? false
    : R[keyof R] extends ValuesLike
      ? true
      : false;

/** What is said of a record, or of columns by their names. */
export type NamedPrediction<R, L extends Loss> = AreLists<R> extends true ? Prediction<L> : OnePrediction<L>;

/** A sample without names: its numbers, or those of them that are not 0. */
export type PlainRow = readonly number[] | SparseRow;

/** The names of a model's columns. */
type Named = readonly { readonly name: string }[] | undefined;

/** Whether a sample is given by its entries, and not a table of columns that are called so. */
export const isSparseOne = (x: unknown, columns: Named): x is SparseRow =>
  isSparseRow(x) && !columns?.some(({ name }) => name === 'indices' || name === 'values');

/** Whether one sample is given and not many: a plain array of numbers, a sparse row, or a record, whose values are not all lists. */
export function isOne(x: unknown, columns: Named): x is PlainRow | Cells {
  if (Array.isArray(x)) return typeof x[0] === 'number';
  if (isSparseOne(x, columns)) return true;
  return isRecord(x) && !isTable(x) && !(Symbol.iterator in x) && !(Symbol.asyncIterator in x) && !areColumns(x);
}

/** What was said of the only sample; of two classes the second from the threshold on, where the model has one. */
export function onlyOf(
  { outputs: { data: found }, labels, probabilities }: Prediction,
  threshold?: number,
): OnePrediction {
  // Plain arrays, which JSON takes for arrays.
  const outputs = [...found];
  if (labels === undefined) return { value: outputs[0] as number, outputs };
  const [said] = labels;
  const data = probabilities && [...(probabilities.data as Numbers)];
  if (isArray(said) && data) return { labels: said, probabilities: data, outputs };
  const label = said as Label;
  if (data === undefined) return { label, outputs };
  const second = data[1] ?? 0;
  const probability = threshold === undefined ? Math.max(...data) : second >= threshold ? second : (data[0] ?? 0);
  return { label, probability, probabilities: data, outputs };
}
