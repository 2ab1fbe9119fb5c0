/**
 * The piecewise-linear encoding of numbers (Gorishniy, Rubachev, Babenko, "On Embeddings for Numerical Features in Tabular Deep Learning",
 * NeurIPS 2022): of edges b_0 < … < b_T, quantiles of the training set, input t is (x − b_{t−1})/(b_t − b_{t−1}), clipped to [0, 1]. So a
 * linear layer on it is a continuous function of x, linear between edges.
 */
import type { Numbers } from '../core/native.js';

/** As many values as say where the quantiles lie. */
const SAMPLE = 50_000;

/**
 * The most bins of a column where nobody says: each has so many rows, and all columns together have no more than `all`. Of fewer rows,
 * but `some`, no more than `few` columns have the least that tell anything.
 */
const BINS = { most: 32, rows: 200, all: 512, least: 4, some: 30, few: 16 } as const;

/** So many bins may each of some columns have; 0 where that are too few to tell anything. */
export function mostBins(rows: number, columns: number): number {
  const most = Math.floor(Math.min(BINS.most, rows / BINS.rows, BINS.all / Math.max(1, columns)));
  if (most >= BINS.least) return most;
  return rows < BINS.some || columns > BINS.few ? 0 : BINS.least;
}

/**
 * Edges of at most `most` bins that hold about the same share of the values each: a value that is more frequent than a share has an edge to
 * itself, and the others have the bins that are left. Empty where fewer than three values differ.
 */
export function learnBins(values: Numbers, most: number): readonly number[] {
  const step = Math.max(1, Math.floor(values.length / SAMPLE));
  const told = new Float64Array(Math.ceil(values.length / step));
  let count = 0;
  for (let i = 0; i < values.length; i += step) if (Number.isFinite(values[i])) told[count++] = values[i] as number;
  const sorted = told.subarray(0, count).sort();
  const last = sorted.length - 1;
  const found: number[] = [...sorted.subarray(0, 1)];
  for (let at = 0; found.length <= most && at < last; ) {
    const before = found.at(-1) as number;
    let next = Math.min(last, at + Math.max(1, Math.ceil((last - at) / (most + 1 - found.length))));
    while (next < last && (sorted[next] as number) <= before) next += 1;
    if ((sorted[next] as number) > before) found.push(sorted[next] as number);
    at = next;
  }
  return found.length > 2 ? found : [];
}

/** Writes the encoding of `value` into `out`, from `at` on, where zeros stand. */
export function putBins(value: number, edges: readonly number[], out: { [i: number]: number }, at: number): void {
  const bins = edges.length - 1;
  for (let t = 0; t < bins; t += 1) {
    const low = edges[t] as number;
    if (value <= low) return;
    const high = edges[t + 1] as number;
    out[at + t] = value >= high ? 1 : (value - low) / (high - low);
  }
}
