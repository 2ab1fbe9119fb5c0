import { columnarReaders } from './columnar/readers.js';

/** Arrow's file format, its stream format (which begins with a continuation mark), and Feather, which is one of them. */
export const isArrow = (bytes: Uint8Array): boolean =>
  /^(?:ARROW1|FEA1|\xff\xff\xff\xff)/.test(Buffer.from(bytes.subarray(0, 6)).toString('latin1'));

const { parse, parseFrame, read } = columnarReaders('Arrow', 'arrow');

/** As `readArrow`, for a file's content; `name` is how errors call it. */
export const parseArrow = parse;

/** All columns of a file's content, as they are. */
export const parseArrowFrame = parseFrame;

/**
 * Reads a table from an Arrow file or stream, or from Feather version 2, as `readParquet` does; its buffers may be compressed
 * by LZ4 or Zstandard. It takes the package apache-arrow, which has to be installed beside this one.
 *
 * @throws ERR_DLADMM_FORMAT naming row and column for a missing value or one that is no number, and for a damaged file;
 *   ERR_DLADMM_FILE also where apache-arrow is not installed; ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE,
 *   ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readArrow = read;
