/** How good probabilities of classes are, one row a sample. What one class alone cannot tell is undefined. */
import type { Matrix } from '../tensor/matrix.js';
import { checkLengths, type List, meanOf, ratio, weightOf } from './classes.js';

const column = ({ data, rows, columns }: Matrix, j: number): Float64Array =>
  Float64Array.from({ length: rows }, (_, i) => data[i * columns + j] as number);

/** The mean of −log of the probability that the true class was given; a probability of 0 counts as the smallest there is. */
export function logLoss(labels: List, probabilities: Matrix, weights?: List): number {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  const epsilon = data.BYTES_PER_ELEMENT === 4 ? 2 ** -23 : 2 ** -52;
  let [loss, all] = [0, 0];
  for (let i = 0; i < rows; i += 1) {
    const clipped = (j: number): number => Math.min(1 - epsilon, Math.max(epsilon, data[i * columns + j] as number));
    let total = 0;
    for (let j = 0; j < columns; j += 1) total += clipped(j);
    loss -= weightOf(weights, i) * Math.log(clipped(labels[i] as number) / total);
    all += weightOf(weights, i);
  }
  return loss / all;
}

/** The mean squared distance of probabilities from 0 and 1: of the second of two classes, summed over more of them. */
export function brier(labels: List, probabilities: Matrix, weights?: List): number {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  let [loss, all] = [0, 0];
  for (let i = 0; i < rows; i += 1) {
    for (let j = columns === 2 ? 1 : 0; j < columns; j += 1) {
      const miss = (data[i * columns + j] as number) - (labels[i] === j ? 1 : 0);
      loss += weightOf(weights, i) * miss * miss;
    }
    all += weightOf(weights, i);
  }
  return loss / all;
}

/** Positives and negatives, or their weights, at every score, highest first. */
function* steps(positive: (i: number) => boolean, scores: List, weights: List | undefined) {
  const order = Uint32Array.from({ length: scores.length }, (_, i) => i);
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));
  for (let first = 0; first < order.length; ) {
    const score = scores[order[first] as number];
    let [hits, misses] = [0, 0];
    for (; first < order.length && scores[order[first] as number] === score; first += 1) {
      const i = order[first] as number;
      if (positive(i)) hits += weightOf(weights, i);
      else misses += weightOf(weights, i);
    }
    yield { score: score as number, hits, misses };
  }
}

/** Counts of what is told positive from a score on, highest first: to choose a threshold by. */
export function* thresholds(positive: (i: number) => boolean, scores: List, weights?: List) {
  let [hits, misses] = [0, 0];
  for (const step of steps(positive, scores, weights)) {
    hits += step.hits;
    misses += step.misses;
    yield { threshold: step.score, hits, misses };
  }
}

/** The area under the curve of hits over false alarms. */
function areaOf(positive: (i: number) => boolean, scores: List, weights: List | undefined): number | undefined {
  let [area, hits, misses] = [0, 0, 0];
  for (const step of steps(positive, scores, weights)) {
    area += step.misses * (hits + step.hits / 2);
    hits += step.hits;
    misses += step.misses;
  }
  return ratio(area, hits * misses);
}

/** The mean precision, each weighted by the recall that it gains. */
function precisionOf(positive: (i: number) => boolean, scores: List, weights: List | undefined): number | undefined {
  let [area, hits, misses] = [0, 0, 0];
  for (const step of steps(positive, scores, weights)) {
    hits += step.hits;
    misses += step.misses;
    if (step.hits > 0) area += (step.hits * hits) / (hits + misses);
  }
  return ratio(area, hits);
}

/** A score of the second of two classes; of more classes its mean over each against the rest, where that is defined. */
function perClass(
  score: (positive: (i: number) => boolean, scores: List, weights: List | undefined) => number | undefined,
  labels: List,
  probabilities: Matrix,
  weights: List | undefined,
): number | undefined {
  checkLengths(probabilities.rows, labels, weights);
  const of = (c: number): number | undefined => score((i) => labels[i] === c, column(probabilities, c), weights);
  return probabilities.columns === 2 ? of(1) : meanOf(Array.from({ length: probabilities.columns }, (_, c) => of(c)));
}

/** The area under the ROC curve, ties counting a half; undefined where all samples are of one class. */
export const rocAuc = (labels: List, probabilities: Matrix, weights?: List): number | undefined =>
  perClass(areaOf, labels, probabilities, weights);

/** The area under the curve of precision over recall, as the average precision; undefined where no class has a sample. */
export const prAuc = (labels: List, probabilities: Matrix, weights?: List): number | undefined =>
  perClass(precisionOf, labels, probabilities, weights);

/**
 * By how much probabilities are off on average, over ten bins of them: of the second of two classes, and of more classes of the
 * one that is told.
 */
export function calibrationError(labels: List, probabilities: Matrix, weights?: List): number {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  const misses = new Float64Array(10);
  let all = 0;
  for (let i = 0; i < rows; i += 1) {
    let told = columns === 2 ? 1 : 0;
    for (let j = 1; j < columns && columns !== 2; j += 1) {
      if ((data[i * columns + j] as number) > (data[i * columns + told] as number)) told = j;
    }
    const p = data[i * columns + told] as number;
    let bin = 0;
    while (bin < 9 && 0.1 * (bin + 1) < p) bin += 1;
    misses[bin] = (misses[bin] as number) + weightOf(weights, i) * (p - (labels[i] === told ? 1 : 0));
    all += weightOf(weights, i);
  }
  return misses.reduce((total, miss) => total + Math.abs(miss), 0) / all;
}
