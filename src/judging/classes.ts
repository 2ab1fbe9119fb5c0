/** How well classes were told: functions of the true and the predicted class numbers. All take a weight for every sample. */
import { DlAdmmError } from '../core/errors.js';
import { inTurns } from '../tensor/inputs.js';

/** A list of numbers: class numbers, scores, weights. */
export type List = ArrayLike<number>;

/** @throws DlAdmmError ERR_DLADMM_SHAPE */
export function checkLengths(samples: number, ...lists: readonly (List | undefined)[]): void {
  const odd = lists.find((list) => list !== undefined && list.length !== samples);
  if (odd)
    throw new DlAdmmError('ERR_DLADMM_SHAPE', `Expected ${samples} numbers, one a sample, but received ${odd.length}`);
}

export const weightOf = (weights: List | undefined, i: number): number => weights?.[i] ?? 1;

export const sum = (values: List): number =>
  Array.prototype.reduce.call(values, (a, b) => (a as number) + (b as number), 0) as number;

/** a / b, or undefined where b is 0. */
export const ratio = (a: number, b: number): number | undefined => (b === 0 ? undefined : a / b);

/** The mean of what is defined. */
export function meanOf(values: readonly (number | undefined)[]): number | undefined {
  const defined = values.filter((value) => value !== undefined);
  return ratio(sum(defined), defined.length);
}

/** `matrix[true][predicted]`: how many samples, or how much weight; the event loop runs in between. */
export async function confusionMatrix(
  labels: List,
  predicted: List,
  classes: number,
  weights?: List,
): Promise<number[][]> {
  checkLengths(labels.length, predicted, weights);
  const matrix = Array.from({ length: classes }, () => new Array<number>(classes).fill(0));
  await inTurns(labels.length, (i) => {
    const row = matrix[labels[i] as number] as number[];
    const column = predicted[i] as number;
    row[column] = (row[column] ?? 0) + weightOf(weights, i);
  });
  return matrix;
}

/** How often each class is told. */
function toldIn(matrix: readonly (readonly number[])[]): Float64Array {
  const told = new Float64Array(matrix.length);
  for (const row of matrix) for (let j = 0; j < told.length; j += 1) told[j] = (told[j] ?? 0) + (row[j] ?? 0);
  return told;
}

export interface ClassScore {
  /** Of those that were told to be of the class, how many are; 0 where none was. */
  readonly precision: number;
  /** Of those that are of the class, how many were told; 0 where none is. */
  readonly recall: number;
  /** The harmonic mean of both. */
  readonly f1: number;
  /** How many samples are of the class. */
  readonly support: number;
}

/** Precision, recall and F1 of every class, from a confusion matrix. */
export function scoresIn(matrix: readonly (readonly number[])[]): readonly ClassScore[] {
  const told = toldIn(matrix);
  return matrix.map((row, c) => classScore(row[c] as number, told[c] as number, sum(row)));
}

/** The same of one class, from how many are told right, are told, and are there. */
export const classScore = (right: number, told: number, support: number): ClassScore => ({
  precision: ratio(right, told) ?? 0,
  recall: ratio(right, support) ?? 0,
  f1: ratio(2 * right, told + support) ?? 0,
  support,
});

/** The share of samples that are told right, from a confusion matrix. */
export const accuracyIn = (matrix: readonly (readonly number[])[]): number =>
  sum(matrix.map((row, c) => row[c] as number)) / sum(matrix.map(sum));

/** The mean recall of the classes that there are samples of, from a confusion matrix. */
export const balancedIn = (matrix: readonly (readonly number[])[]): number =>
  meanOf(matrix.map((row, c) => ratio(row[c] as number, sum(row)))) ?? 0;

/** The mean F1 of the classes that are there, or were told. */
export function macroF1In(matrix: readonly (readonly number[])[]): number {
  const told = toldIn(matrix);
  return meanOf(scoresIn(matrix).map(({ f1, support }, c) => (support + (told[c] ?? 0) > 0 ? f1 : undefined))) ?? 0;
}
