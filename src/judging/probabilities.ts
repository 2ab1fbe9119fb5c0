/** How good probabilities of classes are, one row a sample; the event loop runs in between. What one class alone cannot tell is undefined. */
import { inTurns, turn } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import { checkLengths, type List, meanOf, ratio, weightOf } from './classes.js';

const column = ({ data, rows, columns }: Matrix, j: number): Float64Array =>
  new Float64Array(rows).map((_, i) => data[i * columns + j] as number);

/** The mean of −log of the probability that the true class was given; a probability of 0 counts as the smallest there is. */
export async function logLoss(labels: List, probabilities: Matrix, weights?: List): Promise<number> {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  const epsilon = data.BYTES_PER_ELEMENT === 4 ? 2 ** -23 : 2 ** -52;
  let [loss, all] = [0, 0];
  await inTurns(rows, (i) => {
    const clipped = (j: number): number => Math.min(1 - epsilon, Math.max(epsilon, data[i * columns + j] as number));
    let total = 0;
    for (let j = 0; j < columns; j += 1) total += clipped(j);
    loss -= weightOf(weights, i) * Math.log(clipped(labels[i] as number) / total);
    all += weightOf(weights, i);
  });
  return loss / all;
}

/** The mean squared distance of probabilities from 0 and 1: of the second of two classes, summed over more of them. */
export async function brier(labels: List, probabilities: Matrix, weights?: List): Promise<number> {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  let [loss, all] = [0, 0];
  await inTurns(rows, (i) => {
    for (let j = columns === 2 ? 1 : 0; j < columns; j += 1) {
      const miss = (data[i * columns + j] as number) - (labels[i] === j ? 1 : 0);
      loss += weightOf(weights, i) * miss * miss;
    }
    all += weightOf(weights, i);
  });
  return loss / all;
}

/** Places in the order of falling scores. */
type Order = Uint32Array<ArrayBuffer>;

const places = (count: number): Order => new Uint32Array(count).map((_, i) => i);
/** So many scores are sorted between two turns of the event loop. */
const PART = 2 ** 13;

const sorted = (order: Order, scores: List): Order =>
  order.sort((a, b) => (scores[b] as number) - (scores[a] as number));

/** Merges two ends of `from` that are in order, [first, middle) and [middle, end). */
function merge(from: Order, to: Order, first: number, middle: number, end: number, scores: List): void {
  let [i, j] = [first, middle];
  for (let at = first; at < end; at += 1) {
    const left =
      i < middle && (j >= end || (scores[from[i] as number] as number) >= (scores[from[j] as number] as number));
    to[at] = from[left ? i : j] as number;
    if (left) i += 1;
    else j += 1;
  }
}

/** The order of some scores. */
async function orderOf(scores: List): Promise<Order> {
  const { length } = scores;
  let [from, to] = await turn([places(length), new Uint32Array(length)] as const);
  for (let first = 0; first < length; first += PART) await turn(sorted(from.subarray(first, first + PART), scores));
  for (let width = PART; width < length; width *= 2) {
    for (let first = 0; first < length; first += 2 * width) {
      const [middle, end] = [Math.min(length, first + width), Math.min(length, first + 2 * width)];
      await turn(merge(from, to, first, middle, end, scores));
    }
    [from, to] = [to, from];
  }
  return from;
}

/** Calls `visit` with positives and negatives, or their weights, at every score, highest first. */
async function eachStep(
  positive: (i: number) => boolean,
  scores: List,
  weights: List | undefined,
  falling: Order,
  visit: (score: number, hits: number, misses: number) => void,
): Promise<void> {
  const last = falling.length - 1;
  let [hits, misses] = [0, 0];
  await inTurns(falling.length, (place) => {
    const i = falling[place] as number;
    const score = scores[i] as number;
    if (positive(i)) hits += weightOf(weights, i);
    else misses += weightOf(weights, i);
    if (place < last && scores[falling[place + 1] as number] === score) return;
    visit(score, hits, misses);
    [hits, misses] = [0, 0];
  });
}

/** Calls `visit` with every score, highest first, and what is told positive from it on. */
export async function eachThreshold(
  positive: (i: number) => boolean,
  scores: List,
  visit: (threshold: number, hits: number, misses: number) => void,
  weights?: List,
): Promise<void> {
  const order = await orderOf(scores);
  let [hits, misses] = [0, 0];
  await eachStep(positive, scores, weights, order, (threshold, more, wrong) => {
    hits += more;
    misses += wrong;
    visit(threshold, hits, misses);
  });
}

type Score = (
  positive: (i: number) => boolean,
  scores: List,
  weights: List | undefined,
  order: Order,
) => Promise<number | undefined>;

/** The area under the curve of hits over false alarms. */
const areaOf: Score = async (...of) => {
  let [area, hits, misses] = [0, 0, 0];
  await eachStep(...of, (_, more, wrong) => {
    area += wrong * (hits + more / 2);
    hits += more;
    misses += wrong;
  });
  return ratio(area, hits * misses);
};

/** The mean precision, each weighted by the recall that it gains. */
const precisionOf: Score = async (...of) => {
  let [area, hits, misses] = [0, 0, 0];
  await eachStep(...of, (_, more, wrong) => {
    hits += more;
    misses += wrong;
    if (more > 0) area += (more * hits) / (hits + misses);
  });
  return ratio(area, hits);
};

/** A place of a curve. */
export type Point = readonly [across: number, up: number];

/** A curve has between half of so many points and these, where there are as many scores. */
const POINTS = 400;

/** The curve of hits over false alarms, as shares; undefined for one class alone. */
async function rocOf(...of: Parameters<Score>): Promise<readonly Point[] | undefined> {
  let points: Point[] = [[0, 0]];
  let [hits, misses, step, every] = [0, 0, 0, 1];
  await eachStep(...of, (_, more, wrong) => {
    hits += more;
    misses += wrong;
    step += 1;
    if (step % every !== 0) return;
    points.push([misses, hits]);
    if (points.length <= POINTS) return;
    points = points.filter((_, i) => i % 2 === 0);
    every *= 2;
  });
  if (hits === 0 || misses === 0) return undefined;
  if (step % every !== 0) points.push([misses, hits]);
  return points.map(([wrong, right]) => [wrong / misses, right / hits]);
}

/** The classes that are scored each against the rest: of two the second. */
const scored = ({ columns }: Matrix): readonly number[] =>
  columns === 2 ? [1] : Array.from({ length: columns }, (_, c) => c);

/**
 * The areas under two curves: of hits over false alarms, ties counting a half, and of precision over recall, as the average precision.
 * Of two classes for the second, with the first curve; of more the mean over each against the rest, where that is defined.
 */
export async function areasUnder(labels: List, probabilities: Matrix, weights?: List) {
  checkLengths(probabilities.rows, labels, weights);
  const roc: (number | undefined)[] = [];
  const pr: (number | undefined)[] = [];
  let curve: readonly Point[] | undefined;
  for (const c of scored(probabilities)) {
    const scores = await turn(column(probabilities, c));
    const order = await orderOf(scores);
    const positive = (i: number): boolean => labels[i] === c;
    roc.push(await areaOf(positive, scores, weights, order));
    pr.push(await precisionOf(positive, scores, weights, order));
    if (probabilities.columns === 2) curve = await rocOf(positive, scores, weights, order);
  }
  return { rocAuc: meanOf(roc), prAuc: meanOf(pr), roc: curve };
}

/** Samples that were told with about the same probability. */
export interface Bin {
  /** The mean of the probabilities. */
  readonly told: number;
  /** The share for which it was so. */
  readonly found: number;
  /** How many samples, or how much weight. */
  readonly weight: number;
}

/** Ten bins of probabilities, those that are not empty: of the second of two classes, and of more classes of the one that is told. */
export async function binsOf(labels: List, probabilities: Matrix, weights?: List): Promise<readonly Bin[]> {
  const { data, rows, columns } = probabilities;
  checkLengths(rows, labels, weights);
  const [told, found, weight] = [0, 0, 0].map(() => new Float64Array(10)) as [Float64Array, Float64Array, Float64Array];
  const add = (to: Float64Array, bin: number, value: number): void => {
    to[bin] = (to[bin] as number) + value;
  };
  await inTurns(rows, (i) => {
    let c = columns === 2 ? 1 : 0;
    for (let j = 1; j < columns && columns !== 2; j += 1) {
      if ((data[i * columns + j] as number) > (data[i * columns + c] as number)) c = j;
    }
    const p = data[i * columns + c] as number;
    let bin = 0;
    while (bin < 9 && 0.1 * (bin + 1) < p) bin += 1;
    const counts = weightOf(weights, i);
    add(told, bin, counts * p);
    if (labels[i] === c) add(found, bin, counts);
    add(weight, bin, counts);
  });
  return Array.from(weight, (all, k) => ({
    ...{ told: (told[k] as number) / all, found: (found[k] as number) / all, weight: all },
  })).filter((bin) => bin.weight > 0);
}

/** By how much probabilities are off on average. */
export const calibrationErrorOf = (bins: readonly Bin[]): number =>
  bins.reduce((sum, { told, found, weight }) => sum + weight * Math.abs(told - found), 0) /
  bins.reduce((sum, { weight }) => sum + weight, 0);
