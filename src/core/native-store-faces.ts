/** The classes of the C++ addon that read and check stores of samples, and what ranks have in common. */
import type { Dtype, NativeStoredSection, Numbers } from './native-faces.js';

export interface NativeRowReaderOptions {
  readonly dtype: Dtype;
  /** Of a row: its features, and all that stands in it. */
  readonly features: number;
  readonly columns: number;
  /** That a room has place for. */
  readonly rows: number;
  /** How features are standardised, if they are. */
  readonly mean?: Float64Array;
  readonly scale?: Float64Array;
  /** Where features go to, if they are not kept in the rooms: see {@link NativeWindows}. */
  readonly input?: object;
}

/** A feature that is not finite: which, counted row by row. */
export interface OddFeature {
  readonly index: number;
  readonly value: number;
}

/** Blocks of a store of samples on their way into two rooms; into one where the features go to a state. */
export interface NativeRowReader {
  /** Reads, checks and unpacks blocks of so many rows; each row goes to its place in the room, and to none where that is −1. */
  read(
    room: number,
    file: number,
    blocks: readonly NativeStoredSection[],
    rows: Int32Array,
    places: Int32Array,
  ): Promise<OddFeature | undefined>;
  /** Copies rows from `first` on: what stands behind the features, and features. */
  take(room: number, first: number, beside: Float64Array, x?: Numbers): void;
  close(): void;
}

export interface NativeHash64 {
  update(bytes: Uint8Array): void;
  digest(): string;
}

/** The processes of a distributed training. Every rank makes the same calls, in the same order. */
export interface NativeRanks {
  /** Loads MPI and waits for all ranks, and the event loop with it. */
  join(): { readonly rank: number; readonly size: number; readonly library: string };
  /** Entry by entry, of all ranks. */
  largest(numbers: Float64Array): Promise<Float64Array>;
  broadcast(text: string, from: number): Promise<string>;
  /** What this rank has added up with the others so far. */
  traffic(): { readonly calls: number; readonly bytes: number };
  /** Waits until all have left. */
  leave(): void;
  /** Ends all ranks. */
  abort(code: number): void;
}
