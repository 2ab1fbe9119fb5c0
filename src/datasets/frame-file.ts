import { checkOptions } from '../core/checks.js';
import { expected } from '../core/errors.js';
import { readBytes } from '../formats/bytes.js';
import { type CsvDialect, DIALECT_KEYS, parseCsvFrame, type TextStream } from '../formats/csv.js';
import type { TableOptions } from '../formats/labels.js';
import { reader } from '../formats/reader.js';
import { isStream } from '../formats/stream.js';
import { tableFormatOf } from '../formats/table-formats.js';
import type { ArrivingSamples, RowsLike } from '../samples/arriving.js';
import type { ColumnPlace } from '../samples/features.js';
import { type Frame, isFrame } from '../samples/frame.js';
import type { ColumnsLike } from '../samples/table.js';
import type { TargetPlaces } from '../samples/targets.js';

/** How a table is read; the names of rows, which a data frame keeps beside its columns, are read where they are asked for. */
export interface ReadingOptions extends CsvDialect, Pick<TableOptions, 'label' | 'columns' | 'signal'> {}

/** How a model takes a table: how it is read, and the column that holds what is predicted. Default: the model's own target. */
export interface TableReading extends Omit<ReadingOptions, 'label' | 'columns'> {
  readonly target?: TargetPlaces;
  /** Columns that are passed over: of two of one name, the one that is not meant. */
  readonly ignore?: readonly ColumnPlace[];
}

/** What a file of a table may be, besides text. */
const OWN = ['parquet', 'arrow', 'gzip'] as const;

/** Samples whose classes or values are known, in any form: `{ x, labels }`, or rows with the column that is predicted. */
export type SamplesLike = ArrivingSamples | RowsLike | ColumnsLike | Frame | string;

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for an option that is none */
export function checkedReading(options: TableReading): ReadingOptions {
  checkOptions(options, [...DIALECT_KEYS, 'signal', 'target', 'ignore']);
  const { target: label, ignore: _, ...reading } = options;
  return { ...reading, ...(label !== undefined && typeof label !== 'object' && { label }) };
}

/** Whether rows are read as a file is: by a path, from a Readable of text, or as a table that has been taken in. */
export const isFile = (rows: unknown): rows is string | TextStream | Frame =>
  typeof rows === 'string' ||
  isFrame(rows) ||
  (isStream(rows) && 'readableObjectMode' in rows && !rows.readableObjectMode);

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
    return parseFrame(await readBytes(source, options.signal), source, options);
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
