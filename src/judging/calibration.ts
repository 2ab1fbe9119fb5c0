/** Probabilities of scores: Platt's sigmoid (1999), of several classes each against the rest. */
import { checkKeys, checkObject } from '../core/checks.js';
import { expected } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { inTurns } from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import type { List } from './classes.js';

/**
 * σ(slope · score + offset) of every class, over their sum. Two classes have one pair, for the second: its score less that of the first, or
 * the only score there is.
 */
export interface Calibration {
  readonly slope: readonly number[];
  readonly offset: readonly number[];
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT unless it is one for so many classes */
export function checkCalibration(value: unknown, classes: number): void {
  checkObject(value, '{ slope, offset }', 'calibration');
  checkKeys(value, ['slope', 'offset'], 'calibration');
  const pairs = classes === 2 ? 1 : classes;
  for (const [name, list] of Object.entries(value as Calibration)) {
    const right = Array.isArray(list) && list.length === pairs && list.every(Number.isFinite);
    if (!right) throw expected(`${pairs} finite numbers`, `calibration.${name}`, list);
  }
  const { slope, offset } = value as Partial<Calibration>;
  if (!slope || !offset) throw expected('{ slope, offset }', 'calibration', value);
}

const sigmoid = (z: number): number => 1 / (1 + Math.exp(-z));

/** The score of a sample that pair j is about. */
const scoreOf = (outputs: List, columns: number, pairs: number, row: number, j: number): number => {
  const at = row * columns;
  if (pairs > 1 || columns === 1) return outputs[at + j] as number;
  return (outputs[at + 1] as number) - (outputs[at] as number);
};

/** Probabilities of the classes of some samples, from their outputs, from `at` on in `out`. */
export function calibrated(
  outputs: List,
  columns: number,
  { slope, offset }: Calibration,
  out: Numbers,
  at: number,
): void {
  const pairs = slope.length;
  const classes = pairs === 1 ? 2 : pairs;
  for (let row = 0; row * columns < outputs.length; row += 1) {
    const to = at + row * classes;
    const told = (j: number): number =>
      (slope[j] as number) * scoreOf(outputs, columns, pairs, row, j) + (offset[j] as number);
    if (pairs === 1) {
      out[to] = sigmoid(-told(0));
      out[to + 1] = sigmoid(told(0));
      continue;
    }
    let sum = 0;
    for (let j = 0; j < pairs; j += 1) {
      out[to + j] = sigmoid(told(j));
      sum += out[to + j] as number;
    }
    for (let j = 0; j < pairs; j += 1) out[to + j] = sum > 0 ? (out[to + j] as number) / sum : 1 / pairs;
  }
}

const STEPS = 100;

/**
 * The likeliest a and b of σ(a s + b), where those that are of the class count as (n₊ + 1)/(n₊ + 2) of it and the others as 1/(n₋ + 2): by
 * Newton's method with halved steps (Lin, Lin and Weng, 2007).
 */
async function platt(
  scores: Float64Array,
  positive: (row: number) => boolean,
): Promise<readonly [slope: number, offset: number]> {
  const { length } = scores;
  let hits = 0;
  for (let i = 0; i < length; i += 1) hits += Number(positive(i));
  const [high, low] = [(hits + 1) / (hits + 2), 1 / (length - hits + 2)];
  const target = (i: number): number => (positive(i) ? high : low);
  const cost = async (a: number, b: number): Promise<number> => {
    let sum = 0;
    await inTurns(length, (i) => {
      const z = a * (scores[i] as number) + b;
      // log(1 + eᶻ) − t z, where eᶻ is not too large.
      sum += Math.max(z, 0) + Math.log1p(Math.exp(-Math.abs(z))) - target(i) * z;
    });
    return sum;
  };
  let [a, b] = [0, Math.log((hits + 1) / (length - hits + 1))];
  let best = await cost(a, b);
  for (let step = 0; step < STEPS; step += 1) {
    let [ga, gb, haa, hab, hbb] = [0, 0, 1e-12, 0, 1e-12];
    const [slope, offset] = [a, b];
    await inTurns(length, (i) => {
      const s = scores[i] as number;
      const p = sigmoid(slope * s + offset);
      const miss = p - target(i);
      const weight = p * (1 - p);
      ga += miss * s;
      gb += miss;
      haa += weight * s * s;
      hab += weight * s;
      hbb += weight;
    });
    const determinant = haa * hbb - hab * hab;
    const [da, db] = [(hab * gb - hbb * ga) / determinant, (hab * ga - haa * gb) / determinant];
    const fall = ga * da + gb * db;
    if (!(fall < -1e-14 * (1 + best))) break;
    let size = 1;
    while (size > 1e-10 && !((await cost(a + size * da, b + size * db)) < best + 1e-4 * size * fall)) size /= 2;
    if (size <= 1e-10) break;
    a += size * da;
    b += size * db;
    best = await cost(a, b);
  }
  return [a, b];
}

/**
 * The calibration of outputs by samples of known classes, which the network should not have been trained on; the event loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT where all samples are of one class
 */
export async function learnCalibration(
  labels: List,
  { data, rows, columns }: Matrix,
  classes: number,
): Promise<Calibration> {
  const pairs = classes === 2 ? 1 : classes;
  let first = 1;
  while (first < rows && labels[first] === labels[0]) first += 1;
  if (first >= rows) throw expected('samples of at least two classes', 'the samples to calibrate by', labels[0]);
  const found: (readonly [slope: number, offset: number])[] = [];
  for (let j = 0; j < pairs; j += 1) {
    const scores = new Float64Array(rows);
    await inTurns(rows, (row) => {
      scores[row] = scoreOf(data, columns, pairs, row, j);
    });
    found.push(await platt(scores, (row) => labels[row] === (pairs === 1 ? 1 : j)));
  }
  return { slope: found.map(([a]) => a), offset: found.map(([, b]) => b) };
}
