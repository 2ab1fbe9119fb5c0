import type { Parameters } from './initialisation.js';
import type { LabelledSamples } from './layered-state.js';
import type { Numbers } from './native.js';
import type { Metrics, ProgressRecord } from './record.js';
import type { AnyBlock } from './sweep.js';

/** What {@link Training} adds to the record of an engine. */
export type Watched = 'iteration' | 'elapsed' | 'train' | 'validation' | 'test';

/** How an iteration went. */
export type Advance<R extends ProgressRecord> =
  | { readonly kind: 'done'; readonly progress: Omit<R, Watched> }
  /** A stop was asked for; the iteration is not complete. */
  | { readonly kind: 'stopped' }
  /** A value was not finite; the parameters are the last finite ones. */
  | { readonly kind: 'diverged'; readonly update?: { readonly block: AnyBlock; readonly layer: number } };

/**
 * One face for all solvers: samples and parameters in native memory, and something that an iteration does to them. A
 * training opens it, advances it, evaluates, reads the parameters, closes it.
 */
export interface Engine<R extends ProgressRecord> {
  readonly samples: number;
  addEvaluationSet(samples: LabelledSamples, name: string): Promise<number>;
  advance(iteration: number): Promise<Advance<R>>;
  /** The complete record of the iteration just done: schedules look at it. */
  learn(record: R): void;
  evaluate(set: number | 'train'): Promise<Metrics>;
  parameters(): Promise<Parameters>;
  /** A copy of a block of the present state. */
  read(block: AnyBlock, layer: number): Promise<Numbers>;
  /** Ends the iteration at work as soon as may be. */
  stop(): void;
  close(): void;
}
