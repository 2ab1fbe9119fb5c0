import type { EpochRecord, IterationRecord } from 'dladmm/solvers';
import type { Machine } from '../harness/results.js';

/** One iteration of one method. */
export interface ComparePoint {
  readonly iteration: number;
  /** Seconds of all iterations so far, evaluation left out. */
  readonly seconds: number;
  readonly testAccuracy: number;
  readonly testLoss: number;
  /**
   * What the method minimises: its augmented Lagrangian; of a gradient method the training loss summed over the samples,
   * each as its epoch met it.
   */
  readonly objective: number;
  /** Of the network on the training samples, where it was asked for. */
  readonly trainLoss?: number;
}

export interface CompareCurve {
  readonly method: string;
  /** What set it apart from the defaults. */
  readonly options: object;
  /** How the training ended. */
  readonly status: string;
  readonly points: readonly ComparePoint[];
}

/** A whole comparison, as `bench/results` keeps it. */
export interface Comparison extends Machine {
  readonly data: string;
  readonly layers: string;
  readonly samples: number;
  readonly seed: number;
  readonly dtype: string;
  readonly curves: readonly CompareCurve[];
}

/** What of a record is kept. */
type Always = 'iteration' | 'test' | 'train';
export type Watched = Pick<IterationRecord, Always | 'lagrangian'> | Pick<EpochRecord, Always | 'loss'>;

/**
 * @param seconds of this iteration and all before it
 * @param samples of the training set
 */
export function pointOf(record: Watched, seconds: number, samples: number): ComparePoint {
  const { iteration, test, train } = record;
  return {
    iteration,
    seconds,
    testAccuracy: test?.accuracy ?? Number.NaN,
    testLoss: test?.loss ?? Number.NaN,
    objective: 'lagrangian' in record ? record.lagrangian : record.loss * samples,
    ...(train && { trainLoss: train.loss }),
  };
}

/** The point of the highest test accuracy, the earliest of equals; those without one do not count. */
export const bestOf = (points: readonly ComparePoint[]): ComparePoint | undefined =>
  points
    .filter(({ testAccuracy }) => Number.isFinite(testAccuracy))
    .reduce<ComparePoint | undefined>(
      (best, point) => (best === undefined || point.testAccuracy > best.testAccuracy ? point : best),
      undefined,
    );

/** 1, 2, 5, 10, 20, 50, … up to a largest one. */
export function milestones(largest: number): readonly number[] {
  const all: number[] = [];
  for (let ten = 1; ten <= largest; ten *= 10) all.push(ten, 2 * ten, 5 * ten);
  return all.filter((iteration) => iteration <= largest);
}
