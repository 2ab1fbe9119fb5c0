import { expected } from '../core/errors.js';
import { isUrl, present } from '../core/objects.js';
import { type CsvDialect, type CsvOptions, DIALECT, parseCsvFrame, type TextStream } from '../formats/csv.js';
import { reader } from '../formats/reader.js';
import type { StoredSamples } from '../formats/sample-file.js';
import { contentOf, isStream } from '../formats/stream.js';
import { isPlainCsv, tableFormatOf } from '../formats/table-formats.js';
import { type OptionsOf, readOptions, type Schema, signalOption } from '../network/schema.js';
import type { ArrivingSamples, RowsLike } from '../samples/arriving.js';
import { IGNORE } from '../samples/features.js';
import { type Frame, isFrame } from '../samples/frame.js';
import type { ColumnsLike } from '../samples/table.js';
import { targetOption } from '../samples/targets.js';

/** How a table is read; the names of rows, which a data frame keeps beside its columns, are read where they are asked for. */
export type ReadingOptions = Pick<CsvOptions, keyof CsvDialect | 'target' | 'columns' | 'signal'>;

/** How a model takes a table. */
export const READING = {
  target: targetOption("the model's own"),
  ignore: IGNORE,
  ...DIALECT,
  signal: signalOption('Ends the reading, and what is done with the rows, which rejects with ERR_DLADMM_ABORTED.'),
} as const satisfies Schema;

export type TableReading = OptionsOf<typeof READING>;

/** What a file of a table may be, besides text. */
const OWN = ['parquet', 'arrow', 'gzip', 'text'] as const;

/** Samples whose classes or values are known, in any form: `{ x, labels }`, or rows with the column that is predicted. */
export type SamplesLike = ArrivingSamples | RowsLike | ColumnsLike | Frame | StoredSamples | string | URL;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an option that is none */
export function checkedReading(options: TableReading): ReadingOptions {
  const { target, ignore: _, ...reading } = present(readOptions(READING, options));
  return { ...reading, ...(target !== undefined && typeof target !== 'object' && { target }) };
}

/** Whether rows are read from a file, or from a Readable of text. */
export const isRead = (rows: unknown): rows is string | URL | TextStream =>
  typeof rows === 'string' ||
  isUrl(rows) ||
  (isStream(rows) && 'readableObjectMode' in rows && !rows.readableObjectMode);

/** Whether rows are read as a file is: by a path, by a `file:` URL, from a Readable of text, or as a table that has been taken in. */
export const isFile = (rows: unknown): rows is string | URL | TextStream | Frame => isFrame(rows) || isRead(rows);

/**
 * All columns of a table as they are: of a file (CSV, Parquet, Arrow), of a pipe, of the standard input (`-`), or of a stream of CSV.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_ARGUMENT, ERR_DLADMM_FILE, ERR_DLADMM_STREAM, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readFrame = reader(
  async (source: string | TextStream | Frame, options: ReadingOptions = {}): Promise<Frame> => {
    if (isFrame(source)) return source;
    if (isStream(source)) return parseCsvFrame(source, 'the CSV stream', options);
    if (typeof source !== 'string') throw expected('a path, or a stream of CSV', 'source', source);
    const content = await contentOf(source, options.signal, isPlainCsv);
    return isStream(content) ? parseCsvFrame(content, source, options) : parseFrame(content, source, options);
  },
  ...OWN,
);

/** As {@link readFrame}, for a file's content; `name` is how errors call it. */
export const parseFrame = reader(
  async (bytes: Uint8Array, name: string, options: ReadingOptions = {}): Promise<Frame> => {
    return tableFormatOf(bytes, options).parseFrame(bytes, name, options);
  },
  ...OWN,
);
