import type { NativePersistent, Numbers } from '../../core/native.js';
import type { Parameters } from '../../network/initialisation.js';
import type { NodesLike } from '../../samples/graph-samples.js';
import type { LabelledSamples } from './layered-state.js';
import type { Metrics, ProgressRecord } from './record.js';
import type { AnyBlock } from './sweep.js';

/** What {@link Training} adds to the record of an engine. */
export type Watched = 'iteration' | 'elapsed' | 'train' | 'validation' | 'test' | 'checkpoint';

/** How an iteration went. */
export type Advance<R extends ProgressRecord> =
  | { readonly kind: 'done'; readonly progress: Omit<R, Watched> }
  /** A stop was asked for; the iteration is not complete. */
  | { readonly kind: 'stopped' }
  /** A value was not finite; the parameters are the last finite ones. */
  | { readonly kind: 'diverged'; readonly update?: { readonly block: AnyBlock; readonly layer: number } };

/** How an engine is written out and taken up again. */
export interface Persistence {
  /** The variables: they are written from where they live. */
  readonly native: NativePersistent;
  /** What is remembered beside them, as JSON can say it. */
  memory(): unknown;
  /** Takes up what memory() gave; native memory has been filled already. */
  recall(memory: unknown): void | Promise<void>;
  /** Whether this iteration ended with everything that is kept found afresh, so that it need not be written. */
  endsAfresh(iteration: number): boolean;
}

/** What a training evaluates beside its training set: samples, or on a graph nodes of it. */
export type AnySamples = LabelledSamples | NodesLike;

/** What an engine does in place of starting its variables, once it is open. */
export type TakeUp = (persistence: Persistence | undefined, samples: number) => Promise<void>;

/**
 * One face for all solvers: samples and parameters in native memory, and something that an iteration does to them. A
 * training opens it, advances it, evaluates, reads the parameters, closes it.
 */
export interface Engine<R extends ProgressRecord, S = LabelledSamples> {
  readonly samples: number;
  addEvaluationSet(samples: S, name: string): Promise<number>;
  advance(iteration: number): Promise<Advance<R>>;
  /** The complete record of the iteration just done: schedules look at it. */
  learn(record: R): void;
  evaluate(set: number | 'train'): Promise<Metrics>;
  parameters(): Promise<Parameters>;
  /** A copy of a block of the present state. */
  read(block: AnyBlock, layer: number): Promise<Numbers>;
  /** Absent where a solver cannot be written out. */
  readonly persistence?: Persistence;
  /** Ends the iteration at work as soon as may be. */
  stop(): void;
  close(): void;
}
