import { reached } from '../core/abort.js';
import type { Model } from '../model/model.js';
import type { ArrivingSamples, WeightedSamples } from '../samples/arriving.js';
import type { ProgressRecord } from '../solvers/shared/record.js';
import type { IterationRecord } from '../solvers/shared/splittings/layered.js';
import type { AnyBlock, Update } from '../solvers/shared/sweep.js';

/** What to train on, and what to watch meanwhile. */
export interface TrainingData extends WeightedSamples {
  /** Watched by early stopping. */
  readonly validation?: ArrivingSamples;
  /** Only reported. */
  readonly test?: ArrivingSamples;
}

/** Without what is watched. */
export const onlyTrain = ({ validation: _, test: __, ...train }: TrainingData): WeightedSamples => train;

/** The training samples as a model is judged by them, where there are no others: each counts as much as the next. */
export function judgedTrain(data: TrainingData): ArrivingSamples {
  const { weights: _, ...samples } = onlyTrain(data);
  return samples;
}

/** How a training ended. None of these is an error: the model is usable after each. */
export type Status =
  /** All iterations ran. */
  | { readonly kind: 'completed' }
  /** The validation metric stopped improving; the model is that of the best iteration. */
  | { readonly kind: 'early-stopped'; readonly bestIteration: number }
  /**
   * The signal was aborted, whenever that was, or the consumer of the iteration records left. The model is that of the last iteration;
   * before the first, the one that the training began with. Where rows were still to say what network is trained, there is none, and
   * asking for it throws ERR_DLADMM_ABORTED.
   */
  | { readonly kind: 'aborted' }
  /** An update met a value that is not finite; the model is the last finite one. */
  | {
      readonly kind: 'diverged';
      readonly iteration: number;
      readonly update?: Update<AnyBlock>;
    };

/** What a training gives. */
export interface FitResult<R extends ProgressRecord = IterationRecord, M = Model> {
  readonly model: M;
  readonly status: Status;
  /** Iterations that ran to their end, those before an interruption included. */
  readonly iterations: number;
  /** The records of this process. */
  readonly history: readonly R[];
  /** Wall-clock seconds, everything included; of a training that was interrupted, those before too. */
  readonly seconds: number;
  /** What the model is to be looked at for, where there is something: that a regulariser left it no weights. */
  readonly warnings?: readonly string[];
}

/** What a training gives that was aborted before it had a model. */
export const nothingOf = (signal: AbortSignal | undefined, seconds: number, iterations = 0) =>
  reached(signal, { status: { kind: 'aborted' }, iterations, history: [], seconds } as const, ['model', 'report']);

/** Whether the model of a training has learnt: what diverged, or was stopped before its first iteration, is not to be judged. */
export const hasLearnt = ({ status, iterations }: Pick<FitResult, 'status' | 'iterations'>): boolean =>
  status.kind !== 'diverged' && iterations > 0;
