import type { Solver, Way } from './floor.js';

export type IterationRequest =
  | {
      readonly solver: Solver;
      readonly layers: readonly number[];
      readonly samples: number;
      readonly dtype: 'float32' | 'float64';
      readonly threads: number;
    }
  | 'iterate';

export interface IterationReply {
  /** Wall-clock seconds of one iteration as a user gets it, without evaluation and without a refresh of the products. */
  readonly seconds: number;
  /** Seconds of such a refresh. */
  readonly refreshSeconds: number;
  /** Seconds by kind of update. */
  readonly kinds: Readonly<Record<string, number>>;
  readonly peakRssBytes: number;
  readonly core: string;
}

export interface FloorRequest {
  readonly product: 'gradient' | 'image' | 'back';
  readonly inputs: number;
  readonly outputs: number;
  readonly samples: number;
  readonly dtype: 'float32' | 'float64';
  readonly threads: number;
}

export interface FloorReply {
  readonly seconds: Readonly<Record<Way, number>>;
}
