import type { Metrics } from '../../network/metrics.js';

/** What was written out after an iteration. */
export interface CheckpointRecord {
  readonly path: string;
  /** The size of the file. */
  readonly bytes: number;
  /** What it took, until it was safe on the disk. */
  readonly seconds: number;
}

/** What every solver tells of one of its iterations (a sweep, an epoch). */
export interface ProgressRecord {
  /** 1 for the first. */
  readonly iteration: number;
  /**
   * R averaged over what is learnt from, as the iteration had it: at the outputs z_L that a sweep ended with, or of an epoch at
   * the parameters with which each of its steps began. Of standardised targets it is in deviations.
   */
  readonly loss: number;
  /** Seconds of this iteration, evaluation left out. */
  readonly seconds: number;
  /** Seconds since the training began, everything included. */
  readonly elapsed: number;
  /** Present where they were asked for, in iterations that evaluate. */
  readonly train?: Metrics;
  readonly validation?: Metrics;
  readonly test?: Metrics;
  /** Present where one was written after this iteration. */
  readonly checkpoint?: CheckpointRecord;
}

/** Where the split variables of any splitting stand. */
export interface SweepMeasures {
  /** The augmented Lagrangian. */
  readonly lagrangian: number;
  /** R at the outputs z_L, averaged over what is learnt from. */
  readonly loss: number;
  /** R at the outputs z_L as the Lagrangian has it, summed. */
  readonly lossSum: number;
  /** Σ Ω_l(W_l). */
  readonly regularisation: number;
}

/** What is told of weights where `regularise` is asked for. */
export interface WeightMeasures {
  /** Σ Ω_l(W_l). */
  readonly regularisation: number;
  /** The share of the weights that are 0, layer by layer. */
  readonly zeros: readonly number[];
}

/** What one epoch of a training by batches did. */
export interface EpochRecord extends ProgressRecord, Partial<WeightMeasures> {
  /** Batches of the epoch. */
  readonly steps: number;
  /** γ of the last of them, of methods that have one. */
  readonly learningRate?: number;
}

/** Whether the losses of a record may be of two units: values are learnt standardised, and judged in their own. Classes have an accuracy. */
export const isJudgedInUnits = ({ train, validation, test }: ProgressRecord): boolean =>
  [train, validation, test].some((judged) => judged !== undefined && judged.accuracy === undefined);
