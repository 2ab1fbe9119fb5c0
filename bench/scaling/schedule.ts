/** The schedule of a pool: rounds one after the other, each of pieces that whoever is free takes in order. */
import { sum } from '../harness/statistics.js';

/** A round as one thread ran it; times in seconds. */
export interface Round {
  /** Since the round before: what no other thread can help with. */
  readonly before: number;
  readonly flops: number;
  readonly pieces: readonly number[];
}

/** Seconds. */
export interface Overhead {
  /** To begin and to end a round that several threads share. */
  readonly round: number;
  /** To claim a piece, by one thread at a time. */
  readonly claim: number;
}

/** A thread more is called in for so many flops. */
const FLOPS_A_THREAD = 3e6;

/** The rounds in a trace: of each the seconds before, its flops, the number of its pieces, and the seconds of each. */
export function roundsOf(trace: ArrayLike<number>): readonly Round[] {
  const rounds: Round[] = [];
  for (let at = 0; at < trace.length; ) {
    const [before = 0, flops = 0, count = 0] = [trace[at], trace[at + 1], trace[at + 2]];
    rounds.push({ before, flops, pieces: Array.from({ length: count }, (_, i) => trace[at + 3 + i] ?? 0) });
    at += 3 + count;
  }
  // What lies before the first is no part of the training.
  return rounds.map((round, i) => (i === 0 ? { ...round, before: 0 } : round));
}

/** Every piece at the fastest of several traces of the same rounds; traces of other rounds than the first are left out. */
export function fastest(traces: readonly (readonly Round[])[]): readonly Round[] {
  const shape = (rounds: readonly Round[]): string => rounds.map(({ pieces }) => pieces.length).join();
  const [first = [], ...others] = traces;
  const same = [first, ...others.filter((trace) => shape(trace) === shape(first))];
  const least = (of: (trace: readonly Round[]) => number | undefined): number =>
    Math.min(...same.map((trace) => of(trace) ?? Number.POSITIVE_INFINITY));
  return first.map(({ flops, pieces }, i) => ({
    before: least((trace) => trace[i]?.before),
    flops,
    pieces: pieces.map((_, j) => least((trace) => trace[i]?.pieces[j])),
  }));
}

/** Seconds of a round on so many threads. */
export function roundSeconds({ flops, pieces }: Round, threads: number, { round, claim }: Overhead): number {
  const team = Math.floor(Math.min(flops / FLOPS_A_THREAD, pieces.length, threads));
  if (team < 2) return sum(pieces);
  const free = new Array<number>(team).fill(0);
  let claimed = 0;
  for (const seconds of pieces) {
    const first = free.indexOf(Math.min(...free));
    claimed = Math.max(claimed, free[first] ?? 0) + claim;
    free[first] = claimed + seconds;
  }
  return round + Math.max(...free);
}

/** Time of one thread over that of all of so many, and the share of one thread's time that lies outside of rounds or in rounds of one piece. */
export function efficiency(rounds: readonly Round[], threads: number, overhead: Overhead) {
  const over = (of: (round: Round) => number): number => sum(rounds.map((round) => round.before + of(round)));
  const busy = over(({ pieces }) => sum(pieces));
  const seconds = over((round) => roundSeconds(round, threads, overhead));
  const serial = over(({ pieces, flops }) => (pieces.length < 2 || flops < 2 * FLOPS_A_THREAD ? sum(pieces) : 0));
  return { efficiency: busy / (threads * seconds), seconds, serialShare: serial / busy };
}
