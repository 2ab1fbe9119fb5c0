/** What values of columnar files mean, however a format stores them. */
import * as zlib from 'node:zlib';
import type { FileColumn } from './file.js';

/** Unpacks to so many bytes at most. */
export type Unpack = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;

/** Node's own Zstandard, which it has since 22.15. */
export const nodeZstd = (zlib as { readonly zstdDecompressSync?: Unpack }).zstdDecompressSync;

export interface StoredColumn extends FileColumn {
  /** Its values are lists of numbers, all of one length. */
  readonly list?: true;
  /** All its values in order, some at a time. */
  values(): Iterable<ArrayLike<unknown>>;
}

/** Opens a file's content; what it throws that is no DlAdmmError says that the file is damaged. */
export type Decoder = (bytes: Uint8Array, name: string) => { readonly rows: number; readonly columns: StoredColumn[] };

type Kind = Pick<FileColumn, 'kind' | 'wide' | 'refused'>;

/** Columns by what they hold; `narrow` numbers are exact in float32. */
export const KINDS = {
  boolean: { kind: 'boolean', wide: false },
  narrow: { kind: 'number', wide: false },
  wide: { kind: 'number', wide: true },
  text: { kind: 'text', wide: false },
  date: { kind: 'date', wide: true },
} as const satisfies Readonly<Record<string, Kind>>;

/** A column that cannot be read, by what it holds. */
export const refusedKind = (what: string): Kind => ({ kind: 'text', wide: false, refused: what });

/** A whole number of units of 10^−scale, as the double nearest to it. */
export function decimal(units: number | bigint, scale: number): number {
  const number = Number(units);
  // Both are exact and a quotient is rounded once; beyond that only the decimal digits say which double is nearest.
  return Number.isSafeInteger(number) && scale <= 22 ? number / 10 ** scale : Number(`${units}e-${scale}`);
}

/** The millisecond in which a moment lies that is so many units after 1970, `units` of which are a millisecond: of one before 1970 too. */
export function moment(since: number | bigint, units: number): Date {
  if (typeof since === 'number' || units <= 1) return new Date(Math.floor(Number(since) / units));
  // A double does not hold the nanoseconds since 1970; and whole numbers are divided towards 0.
  const [whole, rest] = [since / BigInt(units), since % BigInt(units)];
  return new Date(Number(whole) - (rest < 0n ? 1 : 0));
}

/** A whole number in two's complement. */
export function signedInteger(bytes: Uint8Array, littleEndian: boolean): bigint {
  const digits = littleEndian ? Uint8Array.from(bytes).reverse() : bytes;
  const hex = Buffer.from(digits).toString('hex');
  return hex === '' ? 0n : BigInt.asIntN(8 * bytes.length, BigInt(`0x${hex}`));
}

/** Whether a column holds the labels of a data frame's rows: by what pandas says of the file, else by the name it gives them. */
export function pandasIndex(metadata: string | undefined): (name: string) => boolean {
  let named: unknown;
  try {
    named = (JSON.parse(metadata ?? '{}') as { readonly index_columns?: unknown } | null)?.index_columns;
  } catch {
    // What pandas did not write says nothing of an index.
  }
  return (name) => (Array.isArray(named) && named.includes(name)) || /^__index_level_\d+__$/.test(name);
}
