/** The products that an algorithm cannot do without, and how long they take at the best rate that this machine reaches. */
import type { Dtype } from 'dladmm';
import { median, sum } from '../harness/statistics.js';

/** Ways to carry out a product; a team's thread takes a share of the samples, a block of the result, or a slice of the sum. */
export type Way = 'openblas' | 'team-blocks' | 'team-shares' | 'team-slices';

/** R'A (`gradient`), A W' (`image`) or R W (`back`) for a layer of so many inputs and outputs. */
export interface FloorProduct {
  readonly product: 'gradient' | 'image' | 'back';
  readonly inputs: number;
  readonly outputs: number;
  readonly samples: number;
  /** How many of them an iteration or a step needs, on average. */
  readonly count: number;
  /** The update that it belongs to, such as `W2`. */
  readonly update?: string;
}

/** What the child of `floor/multiplier` is asked for. */
export interface FloorRequest {
  readonly products: readonly FloorProduct[];
  readonly ways: readonly Way[];
  readonly repeats: number;
  /** Numbers in vectors to pass over, where their bandwidth is wanted. */
  readonly vectors?: number;
  readonly dtype: Dtype;
  readonly threads: number;
}

export interface FloorReply {
  /** Seconds by the key of the product, then by way. */
  readonly seconds: Readonly<Record<string, readonly number[]>>;
  /** Numbers read or written a second by a pass over the vectors. */
  readonly numbersPerSecond?: number;
}

export const keyOf = ({ product, inputs, outputs, samples }: FloorProduct): string =>
  `${product} ${inputs} ${outputs} ${samples}`;

/** 2 n_in n_out samples, so often as it is needed. */
export const flopsOf = (products: readonly FloorProduct[]): number =>
  sum(products.map(({ inputs, outputs, samples, count }) => 2 * inputs * outputs * samples * count));

/** Seconds of one product of each key: the fastest way by the median of the rounds. */
export function bestSeconds(rounds: readonly FloorReply[]): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(rounds[0]?.seconds ?? {}).map(([key, ways]) => [
      key,
      Math.min(...ways.map((_, way) => median(rounds.map(({ seconds }) => seconds[key]?.[way] ?? Number.NaN)))),
    ]),
  );
}

export const secondsOf = (products: readonly FloorProduct[], best: ReadonlyMap<string, number>): number =>
  sum(products.map((product) => product.count * (best.get(keyOf(product)) ?? Number.NaN)));
