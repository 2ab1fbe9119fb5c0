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

/** Rows of text that have been read. */
export interface FoundRows {
  /** The line in which each row stands. */
  readonly lines: Int32Array;
  /** Where reading ended, the line that begins there, and whether a parser is needed for it. */
  readonly end: number;
  readonly line: number;
  readonly stopped: boolean;
  /** Of each column asked for numbers: whether there are such that float32 does not hold. */
  readonly wide: Int32Array;
  /** By column of those asked for cells, where each begins (the complement of it where it stands in quotation marks) and ends. */
  readonly cells: Int32Array;
  /** Cells that are no number, in columns asked for such: which of these, row, begin and end. */
  readonly odd: Int32Array;
}

/** Rows of a table of text, which ends with a line end, read off the event loop. */
export interface NativeTextRows {
  /**
   * @param asked by place: 0 for nothing, 1 for numbers, 2 for cells
   * @param any whether one row is gone over, whatever it holds
   */
  read(text: Uint8Array, asked: Int8Array, line: number, any: boolean): Promise<FoundRows>;
  /** Copies the numbers of one column of those asked for such; NaN for a cell that is empty or odd. */
  take(column: number, into: Float64Array): void;
  close(): void;
}

/** Memory that is got ready off the event loop; nobody may take it away before what has been asked for is done. */
export interface NativePages {
  /** Has the system provide the pages of some bytes. */
  provide(from: number, to: number): Promise<void>;
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
