import { expected } from '../core/errors.js';
import { isArrow, parseArrowFrame } from '../formats/arrow.js';
import { readBytes } from '../formats/bytes.js';
import { type CsvOptions, parseCsvFrame, type TextStream } from '../formats/csv.js';
import { isParquet, parseParquetFrame } from '../formats/parquet.js';
import { reader } from '../formats/reader.js';
import { isStream } from '../formats/stream.js';
import type { Frame } from '../samples/frame.js';

/**
 * All columns of a table as they are: of a file (CSV, Parquet, Arrow), of a pipe, of the standard input (`-`), or of a stream of CSV.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_ARGUMENT, ERR_DLADMM_FILE, ERR_DLADMM_STREAM, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readFrame = reader(async (source: string | TextStream, options: CsvOptions = {}): Promise<Frame> => {
  if (isStream(source)) return parseCsvFrame(source, 'the CSV stream', options);
  if (typeof source !== 'string') throw expected('a path, or a stream of CSV', 'source', source);
  return parseFrame(await readBytes(source, options.signal), source, options);
});

/** As {@link readFrame}, for a file's content; `name` is how errors call it. */
export const parseFrame = reader(async (bytes: Uint8Array, name: string, options: CsvOptions = {}): Promise<Frame> => {
  const parse = isParquet(bytes) ? parseParquetFrame : isArrow(bytes) ? parseArrowFrame : parseCsvFrame;
  return parse(bytes, name, options);
});
