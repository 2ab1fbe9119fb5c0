/** What is added up over the ranks, and how long that takes by latency and bandwidth. */
import { sum } from '../harness/statistics.js';

/** All-reduces of one kind. */
export interface Sums {
  readonly calls: number;
  readonly bytes: number;
}

/** A machine's seconds of a message, and of a byte more of it. */
export interface Wire {
  readonly latency: number;
  readonly secondsPerByte: number;
}

/** In the bytes and calls of all kinds. */
export const totalOf = (kinds: readonly Sums[]): Sums => ({
  calls: sum(kinds.map(({ calls }) => calls)),
  bytes: sum(kinds.map(({ bytes }) => bytes)),
});

/**
 * What an iteration of dlADMM adds up where XᵀX is kept and L is 2 at least: each gradient of W_l twice, of W_1 once; then nine scalars, and
 * sums of columns n_l wide, about six times a layer; five largest of two, and three numbers by which all go on together. A number of a
 * gradient has `size` bytes, the others have 8.
 */
export function sumsOfIteration(widths: readonly number[], size: number): readonly [gradients: Sums, others: Sums] {
  const L = widths.length - 1;
  const n = (l: number): number => widths[l] ?? 0;
  const inner = widths.slice(2, L);
  const gradients = widths.slice(2).reduce((total, width, l) => total + 2 * width * n(l + 1), n(1) * n(0));
  const columns = 7 * n(L) + 6 * sum(inner) + 2 * n(1);
  const [scalars, ofColumns] = [6 * L - 5, 6 * L - 3];
  return [
    { calls: 2 * L - 1, bytes: size * gradients },
    { calls: scalars + ofColumns + 5 + 1, bytes: 8 * (9 * scalars + columns + 5 * 2 + 3) },
  ];
}

/** What a step by gradients adds up: all gradients in one, and the loss. */
export const sumsOfStep = (widths: readonly number[], size: number): readonly [gradients: Sums, others: Sums] => [
  { calls: 1, bytes: size * widths.slice(1).reduce((total, width, l) => total + width * ((widths[l] ?? 0) + 1), 0) },
  { calls: 1, bytes: 8 },
];

/** An epoch of such steps, and the three numbers by which all go on together. */
export const sumsOfEpoch = (widths: readonly number[], size: number, batches: number): readonly Sums[] => [
  ...sumsOfStep(widths, size).map(({ calls, bytes }) => ({
    calls: calls * Math.ceil(batches),
    bytes: bytes * Math.ceil(batches),
  })),
  { calls: 1, bytes: 24 },
];

/** How often the inputs of a batch are taken in in the last of so many epochs: at batches 1, 2, 4, 7, …, every `every`-th in the end. */
function takenIn(epochs: number, batches: number, every: number): number {
  let [taken, since, last] = [0, 0, 0];
  for (let batch = 0; batch < epochs * batches; batch += 1) {
    const takes = since >= Math.min(every, taken);
    since = takes ? 1 : since + 1;
    if (takes) taken += 1;
    if (takes && batch >= (epochs - 1) * batches) last += 1;
  }
  return last;
}

/**
 * The last of so many epochs of mini-batch dlADMM: the gradient of each [W_l b_l] by itself, the loss and what the samples count for, every batch; of each layer's inputs and
 * multipliers, where they are taken in, their squared norm, their products with `rank` directions, and those of these.
 */
export function sumsOfMinibatchEpoch(
  widths: readonly number[],
  size: number,
  { batches, epochs, every, rank }: Readonly<Record<'batches' | 'epochs' | 'every' | 'rank', number>>,
): readonly Sums[] {
  const steps = Math.ceil(batches);
  const [gradients, others] = sumsOfStep(widths, size);
  const taken = takenIn(epochs, steps, every);
  return [
    { calls: steps * (widths.length - 1), bytes: steps * gradients.bytes },
    { calls: steps * others.calls, bytes: steps * 2 * others.bytes },
    ...[...widths.slice(0, -1).map((width) => width + 1), ...widths.slice(1)].map((long) => {
      const r = Math.min(rank, long);
      return { calls: 3 * taken, bytes: taken * (8 + size * (long * r + r * r)) };
    }),
    { calls: 1, bytes: 24 },
  ];
}

/** Round a ring: p − 1 messages of a p-th to add up, and as many to tell. */
export const byRing = (ranks: number, { calls, bytes }: Sums, { latency, secondsPerByte }: Wire): number =>
  2 * (ranks - 1) * (calls * latency + (bytes / ranks) * secondsPerByte);

/** Up a binary tree and down again, whole. */
export const byTree = (ranks: number, { calls, bytes }: Sums, { latency, secondsPerByte }: Wire): number =>
  2 * Math.ceil(Math.log2(ranks)) * (calls * latency + bytes * secondsPerByte);

/** Each kind by the faster way, as libraries choose. */
export const byTheFaster = (ranks: number, kinds: readonly Sums[], wire: Wire): number =>
  sum(kinds.map((kind) => Math.min(byRing(ranks, kind, wire), byTree(ranks, kind, wire))));
