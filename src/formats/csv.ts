import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { types } from 'node:util';
import { CsvError, type Parser, parse } from 'csv-parse';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { encodeTexts, type Feature, type FeatureOptions, featuresOf, numberOfText } from '../samples/features.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError, readBytes, throwIfAborted } from './bytes.js';
import {
  badCell,
  type CsvTable,
  checkTableOptions,
  type Label,
  labelColumn,
  labelledTable,
  parseNumber,
  type TableOptions,
} from './labels.js';
import { reader } from './reader.js';

/** How to read a CSV file. */
export interface CsvOptions extends TableOptions {
  /** Default `','`, or a tab for a file whose name ends in `.tsv` or `.tsv.gz`. */
  readonly delimiter?: string;
  /** Whether the first row names the columns. Default: it does if it has no number in it and the second row has one. */
  readonly header?: boolean;
}

/** A row longer than this is a quotation mark that is never closed. */
const MAX_ROW_LENGTH = 2 ** 26;
const CHUNK = 2 ** 18;

/** The layout of the table, known once its first two rows are. */
interface Layout {
  readonly width: number;
  readonly header: readonly string[] | undefined;
  /** The label's column, or −1 where there is none. */
  readonly label: number;
  readonly features: readonly Feature[];
}

const columnName = ({ header }: Pick<Layout, 'header'>, column: number): string =>
  header?.[column] ?? `column ${column + 1}`;

function place(name: string, layout: Layout, line: number, column: number): string {
  const heading = layout.header?.[column];
  return `${name}, line ${line}, column ${column + 1}${heading === undefined ? '' : ` (${JSON.stringify(heading)})`}`;
}

/** A row with any number in it is data, if perhaps damaged: to take it for names would lose it in silence. */
const isHeader = (first: readonly string[], second: readonly string[]): boolean =>
  first.every((cell) => parseNumber(cell) === undefined) && second.some((cell) => parseNumber(cell) !== undefined);

/** Gathers rows into a growing float32 array and keeps the labels as text until all of them are known. */
function collector(name: string, options: CsvOptions) {
  let layout: Layout | undefined;
  let first: { readonly cells: readonly string[]; readonly line: number } | undefined;
  let values = new Float32Array(4096);
  let rows = 0;
  const labels: Label[] = [];

  function lay(cells: readonly string[], header: readonly string[] | undefined, firstRow: readonly string[]): Layout {
    const width = cells.length;
    const names = Array.from({ length: width }, (_, c) => columnName({ header }, c));
    const label = labelColumn(names, header !== undefined, options, name);
    const isText = (column: number): boolean => parseNumber(firstRow[column] ?? '') === undefined;
    const features = featuresOf({ names, named: header !== undefined, label, isText }, options, name);
    return { width, header, label, features };
  }

  function add(cells: readonly string[], line: number, table: Layout): void {
    const { width, label, features } = table;
    if (cells.length !== width)
      throw formatError(`${name}, line ${line}`, `expected ${width} cells, as above, but found ${cells.length}`);
    if ((rows + 1) * features.length > values.length) {
      const wider = new Float32Array(Math.max(2 * values.length, features.length));
      wider.set(values);
      values = wider;
    }
    const labelCell = label < 0 ? undefined : (cells[label] as string);
    if (labelCell === '') throw badCell(place(name, table, line, label), labelCell, 'a label');
    if (labelCell !== undefined) labels.push({ cell: labelCell, line });
    let at = rows * features.length;
    for (const feature of features) values[at++] = featureValue(cells[feature.column] as string, feature, line, table);
    rows++;
  }

  function featureValue(cell: string, feature: Feature, line: number, table: Layout): number {
    const where = (): string => place(name, table, line, feature.column);
    if (feature.texts) {
      if (cell === '') throw badCell(where(), cell, 'a text');
      return numberOfText(feature, cell, where);
    }
    const value = parseNumber(cell);
    if (value === undefined) throw badCell(where(), cell, `a number (of float32 size${textHint(cell, options)})`);
    return value;
  }

  /** Nothing but the second row can tell whether the first one is a header. */
  function start(second: { readonly cells: readonly string[]; readonly line: number } | undefined): Layout | undefined {
    if (first === undefined) return undefined;
    const header = options.header ?? (second !== undefined && isHeader(first.cells, second.cells));
    const table = lay(first.cells, header ? first.cells : undefined, header && second ? second.cells : first.cells);
    if (!header) add(first.cells, first.line, table);
    return table;
  }

  return {
    row(cells: readonly string[], line: number): void {
      if (layout === undefined && first === undefined) {
        first = { cells, line };
        return;
      }
      layout ??= start({ cells, line });
      if (layout !== undefined) add(cells, line, layout);
    },
    finish(): { layout: Layout; raw: Matrix; labels: readonly Label[] } {
      layout ??= start(undefined);
      if (layout === undefined || rows === 0)
        throw formatError(name, 'expected at least one row of numbers but found none');
      const columns = layout.features.length;
      if (columns === 0) throw formatError(name, 'expected a column of features beside the label but found none');
      return { layout, raw: { data: values.slice(0, rows * columns), rows, columns }, labels };
    },
  };
}

/** What may help where a text stands among numbers. */
const textHint = (cell: string, { categories, columns }: FeatureOptions): string =>
  cell === '' || categories !== undefined || columns !== undefined
    ? ''
    : "; categories: 'one-hot' takes columns of texts";

/** A stream of text, as a request's body or `createReadStream` is. */
export type TextStream = AsyncIterable<Uint8Array | string>;

async function* piecesOf(stream: TextStream, name: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  try {
    for await (const piece of stream) {
      throwIfAborted(signal, `Reading ${name}`);
      if (typeof piece !== 'string' && !types.isUint8Array(piece)) throw expected('text or bytes', name, piece);
      yield Buffer.from(piece as Uint8Array);
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const why = messageOf(error);
    throw new DlAdmmError('ERR_DLADMM_STREAM', `${name} failed: ${why}`, { cause: error });
  }
}

/** Feeds the parser a piece a turn, so that the event loop lives on while a large file is read. */
async function* pieces(bytes: Uint8Array, name: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += CHUNK) {
    throwIfAborted(signal, `Reading ${name}`);
    yield Buffer.from(bytes.buffer, bytes.byteOffset + at, Math.min(CHUNK, bytes.length - at));
    await nextTurn();
  }
}

const isTsv = (name: string): boolean => /\.tsv(\.gz)?$/i.test(name);

function checkOptions(options: CsvOptions, name: string): string {
  const { delimiter = isTsv(name) ? '\t' : ',' } = options;
  if (typeof delimiter !== 'string' || delimiter === '' || /["\r\n]/.test(delimiter))
    throw expected('a text without quotation marks and line ends', 'delimiter', delimiter);
  checkTableOptions(options);
  return delimiter;
}

async function csvTable(
  content: Uint8Array | TextStream,
  name: string,
  options: CsvOptions & { readonly fromLine?: number } = {},
): Promise<CsvTable> {
  const delimiter = checkOptions(options, name);
  const table = collector(name, options);
  const parser: Parser = parse({
    bom: true,
    delimiter,
    from_line: options.fromLine ?? 1,
    max_record_size: MAX_ROW_LENGTH,
    record_delimiter: ['\r\n', '\n', '\r'],
    // Rows of another length are refused with the line they stand in.
    relax_column_count: true,
    skip_empty_lines: true,
    trim: !/\s/.test(delimiter),
    on_record: (cells: string[], { lines }) => {
      table.row(cells, lines);
      return null;
    },
  });
  parser.resume();
  try {
    const source = types.isUint8Array(content) ? pieces : piecesOf;
    await pipeline(Readable.from(source(content as Uint8Array & TextStream, name, options.signal)), parser);
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const line = error instanceof CsvError ? `, line ${parser.info.lines}` : '';
    throw formatError(`${name}${line}`, `not CSV: ${messageOf(error)}`, error);
  }

  const { layout, raw, labels } = table.finish();
  const encoded = encodeTexts(raw, layout.features);
  const { x } = encoded;
  const columns = encoded.columns.map((column) => (column.categories ? column : column.name));
  if (layout.label < 0) return { task: 'unlabelled', x, columns };
  const where = (l: Label) => place(name, layout, l.line, layout.label);
  return labelledTable({ x, columns, label: columnName(layout, layout.label) }, labels, options.task, where);
}

/**
 * As `readCsv`, for a file's content or a stream of it; `name` is how errors call it, and `fromLine` the line (from 1) to
 * start at.
 */
export const parseCsv = reader(csvTable);

/**
 * Reads a table of numbers from a CSV file, gzipped or plain, or from a stream of text, with or without a header line, as
 * float32 features and a label for each row. Labels that are texts become class numbers in their sorted order (by code unit)
 * and name the classes; labels that are whole numbers stay what they are. The table may be given to `fit` as it is.
 *
 * @throws ERR_DLADMM_FORMAT naming line and column (from 1) for a row of another length than the first, an empty cell or
 *   something that is no number; ERR_DLADMM_LABEL for class numbers that are fractional, negative or above 65535, and for a
 *   text that `columns` do not know; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for a bad option; ERR_DLADMM_STREAM for a stream
 *   that fails; ERR_DLADMM_FILE, ERR_DLADMM_MEMORY, ERR_DLADMM_ABORTED
 */
export const readCsv = reader(async (source: string | TextStream, options: CsvOptions = {}): Promise<CsvTable> => {
  checkOptions(options, String(source));
  if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source) {
    return parseCsv(source, 'the CSV stream', options);
  }
  return parseCsv(await readBytes(source, options.signal), source, options);
}, 'gzip');
