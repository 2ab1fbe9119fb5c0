import type { EpochRecord, IterationRecord } from 'dladmm/solvers';
import type { Study } from '../harness/study.js';

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
  /** ‖r_l‖², summed over the samples, where the method has constraints. */
  readonly residuals?: readonly number[];
  /** Of the network on the training samples, where it was asked for. */
  readonly trainLoss?: number;
  readonly trainAccuracy?: number;
}

export interface CompareCurve {
  readonly method: string;
  /** What set it apart from the defaults. */
  readonly options: object;
  /** That it was to run for. */
  readonly iterations: number;
  /** How the training ended. */
  readonly status: string;
  readonly points: readonly ComparePoint[];
}

/** A whole comparison, as `bench/results` keeps it. */
export type Comparison = Study<
  {
    readonly data: string;
    readonly layers: string;
    readonly samples: number;
    readonly seed: number;
    readonly dtype: string;
  },
  CompareCurve
>;

/** What of a record is kept. */
type Always = 'iteration' | 'test' | 'train';
export type Watched =
  | (Pick<IterationRecord, Always | 'lagrangian'> & Partial<Pick<IterationRecord, 'residuals'>>)
  | Pick<EpochRecord, Always | 'loss'>;

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
    ...('residuals' in record && record.residuals && { residuals: record.residuals }),
    ...(train && { trainLoss: train.loss }),
    ...(train?.accuracy !== undefined && { trainAccuracy: train.accuracy }),
  };
}

/** The point of the highest test accuracy, the earliest of equals; those without one do not count. */
export const bestOf = (points: readonly ComparePoint[]): ComparePoint | undefined =>
  points
    .filter(({ testAccuracy }) => Number.isFinite(testAccuracy))
    .toSorted((left, right) => right.testAccuracy - left.testAccuracy)[0];

/** 1, 2, 5, 10, 20, 50, … up to a largest one. */
export function milestones(largest: number): readonly number[] {
  const all: number[] = [];
  for (let ten = 1; ten <= largest; ten *= 10) all.push(ten, 2 * ten, 5 * ten);
  return all.filter((iteration) => iteration <= largest);
}
