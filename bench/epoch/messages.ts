import type { GradientMethod, MinibatchMethod } from 'dladmm';
import type { FloorProduct, Way } from './floor.js';

export type EpochRequest =
  | {
      readonly layers: readonly number[];
      readonly samples: number;
      readonly batch: number;
      readonly method: GradientMethod | ({ readonly solver: 'minibatch-admm' } & MinibatchMethod);
      readonly dtype: 'float32' | 'float64';
      readonly threads: number;
    }
  | 'epoch';

export interface EpochReply {
  /** Wall-clock seconds of one epoch as a user gets it, without evaluation. */
  readonly seconds: number;
  /** Seconds a step in the fastest of many short runs: what the machine does while nobody else wants it. */
  readonly stepSeconds: number;
  readonly peakRssBytes: number;
  readonly core: string;
}

export interface FloorRequest {
  readonly products: readonly FloorProduct[];
  /** Numbers in the vectors that an update works on. */
  readonly vectors: number;
  readonly dtype: 'float32' | 'float64';
  readonly threads: number;
}

export interface FloorReply {
  readonly products: readonly { readonly product: FloorProduct; readonly way: Way; readonly seconds: number }[];
  /** Numbers read or written a second by a pass over the vectors. */
  readonly numbersPerSecond: number;
}
