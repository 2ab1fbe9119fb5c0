import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { types } from 'node:util';
import { CsvError, type Parser, parse } from 'csv-parse';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import type { Column } from '../samples/columns.js';
import {
  checkFeatureOptions,
  encodeTexts,
  type Feature,
  type FeatureOptions,
  featuresOf,
  numberOfText,
} from '../samples/features.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError, readBytes, throwIfAborted } from './bytes.js';

/** How to read a CSV file. */
export interface CsvOptions extends FeatureOptions {
  /**
   * The column that holds the label or target: its name in the header, or its number from 0, or from −1 counted from
   * the end. Default −1, the last column (of those that are not in `columns`). With `null` every column is a feature.
   */
  readonly label?: string | number | null;
  /**
   * What the label column means. By default: classes if no label is a number, or if all are whole numbers from 0 to 99,
   * otherwise regression targets.
   */
  readonly task?: 'classification' | 'regression';
  /** Default `','`, or a tab for a file whose name ends in `.tsv` or `.tsv.gz`. */
  readonly delimiter?: string;
  /** Whether the first row names the columns. Default: it does if it has no number in it and the second row has one. */
  readonly header?: boolean;
  readonly signal?: AbortSignal;
}

interface Features {
  /** Rows of the file x feature columns, float32. */
  readonly x: Matrix;
  /**
   * The names of the feature columns: from the header, or `column 1`, `column 2`, … by their place in the file. For a column
   * of texts, its name and its categories.
   */
  readonly columns: readonly (string | Column)[];
}

/** A table with a class for each row. */
export interface ClassificationTable extends Features {
  readonly task: 'classification';
  readonly label: string;
  readonly labels: Int32Array;
  readonly classes: readonly string[];
}

/** A table with a target for each row; `y` has one column. */
export interface RegressionTable extends Features {
  readonly task: 'regression';
  readonly label: string;
  readonly y: Matrix;
}

/** A table of features alone. */
export interface UnlabelledTable extends Features {
  readonly task: 'unlabelled';
}

/** What a table turned out to hold. */
export type CsvTable = ClassificationTable | RegressionTable | UnlabelledTable;

/** Whole numbers below this are taken for classes when the task is not told. */
const INFERRED_CLASSES = 100;
/** More classes than any network here could have outputs: a label this large is a target or an identifier. */
const MAX_CLASSES = 65_536;
/** A row longer than this is a quotation mark that is never closed. */
const MAX_ROW_LENGTH = 2 ** 26;
const CHUNK = 2 ** 18;

const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;

/** The number a cell holds, or undefined: Number() alone would take blanks, hexadecimals and infinities. */
function parseNumber(cell: string): number | undefined {
  if (!NUMBER.test(cell)) return undefined;
  const value = Number(cell);
  return Number.isFinite(Math.fround(value)) ? value : undefined;
}

/** A label as text, and where it stands. */
export interface Label {
  readonly cell: string;
  readonly line: number;
}

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

function badCell(where: string, cell: string, what: string): DlAdmmError {
  return formatError(
    where,
    `expected ${what} but ${cell === '' ? 'the cell is empty' : `found ${JSON.stringify(cell.slice(0, 40))}`}`,
  );
}

/** A row with any number in it is data, if perhaps damaged: to take it for names would lose it in silence. */
const isHeader = (first: readonly string[], second: readonly string[]): boolean =>
  first.every((cell) => parseNumber(cell) === undefined) && second.some((cell) => parseNumber(cell) !== undefined);

function labelColumn(
  label: string | number | null,
  width: number,
  header: readonly string[] | undefined,
  name: string,
): number {
  if (label === null) return -1;
  if (typeof label === 'string') {
    const column = header?.indexOf(label) ?? -1;
    if (column >= 0) return column;
    const columns =
      header === undefined ? 'it has no header line' : `its columns are ${header.slice(0, 50).join(', ')}`;
    throw expected(`a column of ${name} (${columns})`, 'label', label);
  }
  const column = label < 0 ? width + label : label;
  if (!Number.isInteger(column) || column < 0 || column >= width)
    throw expected(`a column number from ${-width} to ${width - 1} of ${name}`, 'label', label, 'ERR_DLADMM_RANGE');
  return column;
}

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
    const label = labelColumn(
      options.label === undefined ? lastOther(names, header) : options.label,
      width,
      header,
      name,
    );
    const isText = (column: number): boolean => parseNumber(firstRow[column] ?? '') === undefined;
    const features = featuresOf({ names, named: header !== undefined, label, isText }, options, name);
    return { width, header, label, features };
  }

  /** The last column that no model takes for a feature. */
  function lastOther(names: readonly string[], header: readonly string[] | undefined): number {
    const taken = header && options.columns?.map((column) => column.name);
    const column = taken ? names.findLastIndex((text) => !taken.includes(text)) : names.length - 1;
    if (column < 0) throw formatError(name, 'expected a column of labels beside the features but found none');
    return column;
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

function inferTask(labels: readonly Label[], numbers: readonly (number | undefined)[], where: (l: Label) => string) {
  const odd = numbers.indexOf(undefined);
  if (odd < 0) {
    const classes = numbers.every((n) => Number.isInteger(n) && Number(n) >= 0 && Number(n) < INFERRED_CLASSES);
    return classes ? 'classification' : 'regression';
  }
  if (numbers.every((n) => n === undefined)) return 'classification';
  const label = labels[odd] as Label;
  throw badCell(where(label), label.cell, 'a number, as other labels are (or the task to be classification)');
}

/** Texts become numbers in sorted order; whole numbers stay what they are. */
function classify(labels: readonly Label[], numbers: readonly (number | undefined)[], where: (l: Label) => string) {
  if (numbers.includes(undefined)) {
    const classes = [...new Set(labels.map(({ cell }) => cell))].sort();
    if (classes.length > MAX_CLASSES)
      throw new DlAdmmError(
        'ERR_DLADMM_LABEL',
        `${where(labels[0] as Label)}: expected at most ${MAX_CLASSES} classes but found ${classes.length}`,
      );
    const index = new Map(classes.map((text, i) => [text, i]));
    return { labels: Int32Array.from(labels, ({ cell }) => index.get(cell) as number), classes };
  }
  const bad = numbers.findIndex((n) => !(Number.isInteger(n) && Number(n) >= 0 && Number(n) < MAX_CLASSES));
  if (bad >= 0) {
    const label = labels[bad] as Label;
    throw new DlAdmmError(
      'ERR_DLADMM_LABEL',
      `${where(label)}: expected a class, a whole number from 0 to ${MAX_CLASSES - 1}, but found ${label.cell}`,
    );
  }
  const classed = Int32Array.from(numbers as readonly number[]);
  return { labels: classed, classes: numberedClasses(classed) };
}

/** The classes '0', '1', … up to the largest of `labels`. */
export function numberedClasses(...labels: readonly Int32Array[]): readonly string[] {
  const largest = labels.reduce((max, part) => part.reduce((m, label) => Math.max(m, label), max), -1);
  return Array.from({ length: largest + 1 }, (_, i) => String(i));
}

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
  const { delimiter = isTsv(name) ? '\t' : ',', label, task } = options;
  if (typeof delimiter !== 'string' || delimiter === '' || /["\r\n]/.test(delimiter))
    throw expected('a text without quotation marks and line ends', 'delimiter', delimiter);
  if (label !== undefined && label !== null && typeof label !== 'string' && typeof label !== 'number')
    throw expected("a column's name or number, or null", 'label', label);
  if (task !== undefined && task !== 'classification' && task !== 'regression')
    throw expected("'classification' or 'regression'", 'task', task);
  checkFeatureOptions(options);
  return delimiter;
}

/**
 * As `readCsv`, for a file's content or a stream of it; `name` is how errors call it, and `fromLine` the line (from 1) to
 * start at.
 */
export async function parseCsv(
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

/** Features with labels or targets, by what the labels are. */
export function labelledTable(
  features: Features & { readonly label: string },
  labels: readonly Label[],
  task: CsvOptions['task'],
  where: (label: Label) => string,
): ClassificationTable | RegressionTable {
  const numbers = labels.map(({ cell }) => parseNumber(cell));
  if ((task ?? inferTask(labels, numbers, where)) === 'classification')
    return { task: 'classification', ...features, ...classify(labels, numbers, where) };
  const odd = numbers.indexOf(undefined);
  if (odd >= 0) throw badCell(where(labels[odd] as Label), (labels[odd] as Label).cell, 'a number (of float32 size)');
  const y = { data: Float32Array.from(numbers as readonly number[]), rows: labels.length, columns: 1 };
  return { task: 'regression', ...features, y };
}

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
export async function readCsv(source: string | TextStream, options: CsvOptions = {}): Promise<CsvTable> {
  checkOptions(options, String(source));
  if (typeof source === 'object' && source !== null && Symbol.asyncIterator in source) {
    return parseCsv(source, 'the CSV stream', options);
  }
  return parseCsv(await readBytes(source, options.signal), source, options);
}
