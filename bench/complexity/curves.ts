import type { StepKind } from 'dladmm/solvers';

/** The kinds of step that are timed, by block; the quadratic one first, as the others are compared with it. */
export const KINDS = {
  W: ['quadratic', 'pseudoinverse', 'inverse', 'cholesky'],
  a: ['quadratic', 'inverse', 'cholesky'],
} as const satisfies Readonly<Record<string, readonly StepKind[]>>;

export type TimedBlock = keyof typeof KINDS;
export type Kind = StepKind;
export const BLOCKS: readonly TimedBlock[] = ['W', 'a'];

/** One curve is measured with each. */
export interface Setting {
  readonly dtype: 'float32' | 'float64';
  /** A fixed number of samples, or as many as a layer has neurons. */
  readonly samples: number | 'n';
}

/** The time of one update at one width. */
export interface Point {
  readonly n: number;
  /** The median of the runs. */
  readonly seconds: number;
  /** Share of the time that went into forming and factoring (or inverting) the n × n matrix; 0 for a quadratic step. */
  readonly factorShare: number;
  readonly runs: number;
}

/** The points of one kind of step for one block, by rising n. */
export interface Curve {
  readonly block: TimedBlock;
  readonly kind: Kind;
  readonly points: readonly Point[];
}

/** Widths 64 · 2^(k/2), rounded, up to a largest one. */
export function widths(largest: number): readonly number[] {
  const all: number[] = [];
  for (let k = 0; Math.round(64 * 2 ** (k / 2)) <= largest; k += 1) all.push(Math.round(64 * 2 ** (k / 2)));
  return all;
}

export const curveOf = (curves: readonly Curve[], block: TimedBlock, kind: Kind): readonly Point[] =>
  curves.find((curve) => curve.block === block && curve.kind === kind)?.points ?? [];
