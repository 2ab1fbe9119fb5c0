import { columnarReaders } from './columnar/readers.js';

/** Files begin so, those with an encrypted footer by `PARE`. */
export const isParquet = (bytes: Uint8Array): boolean =>
  /^PAR[1E]$/.test(Buffer.from(bytes.subarray(0, 4)).toString('latin1'));

const { parse, parseFrame, read } = columnarReaders('Parquet', 'parquet');

/** As `readParquet`, for a file's content; `name` is how errors call it. */
export const parseParquet = parse;

/** All columns of a file's content, as they are. */
export const parseParquetFrame = parseFrame;

/**
 * Reads a table from a Parquet file, a part of a column at a time, in a process of its own: columns of numbers or booleans as
 * features, in float32 where that holds them and in float64 elsewhere, and a column of labels, as `readCsv` does. Decimals
 * become doubles, times of day and durations seconds, lists of one length a column for each of their places (`name[0]`, …).
 * The index of a pandas frame is passed over unless it is asked for by name. Pages may be plain or compressed by Snappy, gzip,
 * Brotli, LZ4 or Zstandard.
 *
 * @throws ERR_DLADMM_FORMAT naming row and column for a missing value or one that is no number, for a damaged file, and for
 *   another compression; ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FILE, ERR_DLADMM_MEMORY,
 *   ERR_DLADMM_ABORTED
 */
export const readParquet = read;
