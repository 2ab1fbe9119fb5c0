import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, type Parser, parse } from 'csv-parse';
import { oneOf } from '../core/checks.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { growingNumbers } from '../core/numbers.js';
import { encodeTexts, type Feature, featuresOf, numberOfText } from '../samples/features.js';
import type { Matrix } from '../tensor/matrix.js';
import { formatError, readBytes } from './bytes.js';
import { type Decimal, kindOfCell, numberHint, parseNumber } from './cells.js';
import { cellsOf, type Dialect, dialectOf, parserOptions } from './dialect.js';
import { checkEncoding, textOf } from './encoding.js';
import {
  badCell,
  type CsvTable,
  checkTableOptions,
  type Label,
  labelColumn,
  labelledTable,
  type TableOptions,
} from './labels.js';
import { reader } from './reader.js';
import { isStream, piecesOf, type TextStream } from './stream.js';

export type { TextStream } from './stream.js';

/** How to read a CSV file. What is not told is found by the file itself. */
export interface CsvOptions extends TableOptions {
  /** Default: that of `,`, `;`, tab, `|` and blanks by which the rows are the most alike. */
  readonly delimiter?: string;
  /** Whether the first row names the columns. Default: judged by what differs between it and the other rows. */
  readonly header?: boolean;
  /** Default: a comma where numbers are written with one and the delimiter is another. */
  readonly decimal?: Decimal;
  /**
   * The encoding of the text, by its name in the Encoding Standard (`windows-1252`, `utf-16le`, `shift_jis`). Default: UTF-8, or
   * UTF-16 where its mark or its zero bytes show it. What is not text in it is refused.
   */
  readonly encoding?: string;
}

/** So much text shows how a table is written. */
const SAMPLE = 2 ** 16;

/** The layout of the table, known once its first rows are. */
interface Layout {
  readonly width: number;
  readonly header: boolean;
  readonly decimal: Decimal;
  readonly names: readonly string[];
  /** The label's column, or −1 where there is none. */
  readonly label: number;
  readonly features: readonly Feature[];
}

function layoutOf(
  dialect: Dialect & { readonly rows: readonly (readonly string[])[] },
  options: CsvOptions,
  name: string,
): Layout | undefined {
  const { header, decimal, rows } = dialect;
  // A delimiter at the end of every line has no column behind it.
  const trailing = rows.every((cells) => cells.length > 1 && cells.at(-1) === '');
  const first = trailing ? rows[0]?.slice(0, -1) : rows[0];
  if (first === undefined) return undefined;
  const names = first.map((cell, column) => (header && cell !== '' ? cell : `column ${column + 1}`));
  const label = labelColumn(names, header, options, name);
  const isText = (column: number): boolean => {
    const kinds = rows.slice(header ? 1 : 0).map((row) => kindOfCell(row[column] ?? '', decimal));
    const told = kinds.filter((kind) => kind !== 'missing');
    return 2 * told.filter((kind) => kind !== 'number').length > told.length;
  };
  const features = featuresOf({ names, named: header, label, isText }, options, name);
  return { width: first.length, header, decimal, names, label, features };
}

function place(name: string, layout: Layout, line: number, column: number): string {
  const heading = layout.header ? ` (${JSON.stringify(layout.names[column])})` : '';
  return `${name}, line ${line}, column ${column + 1}${heading}`;
}

/** Gathers numbers, texts as numbers in the order they came, and the labels as text until all of them are known. */
function collector(name: string, layout: Layout, { categories, columns: chosen }: CsvOptions) {
  const { width, decimal, label, features } = layout;
  const values = growingNumbers();
  const labels: Label[] = [];
  let rows = 0;
  let headers = layout.header ? 1 : 0;

  function featureValue(cell: string, feature: Feature, line: number): number {
    const where = (): string => place(name, layout, line, feature.column);
    if (feature.texts) {
      if (cell === '') throw badCell(where(), cell, 'a text');
      return numberOfText(feature, cell, where);
    }
    const value = parseNumber(cell, decimal);
    if (value !== undefined) return value;
    const advice = cell === '' || categories || chosen ? '' : "; categories: 'one-hot' takes columns of texts";
    throw badCell(where(), cell, 'a number', numberHint(cell, decimal) || advice);
  }

  return {
    row(cells: readonly string[], line: number): void {
      if (headers > 0) {
        headers -= 1;
        return;
      }
      const trailing = cells.length === width + 1 && cells[width] === '';
      if (cells.length !== width && !trailing)
        throw formatError(`${name}, line ${line}`, `expected ${width} cells, as above, but found ${cells.length}`);
      if (label >= 0) {
        const cell = cells[label] as string;
        if (cell === '') throw badCell(place(name, layout, line, label), cell, 'a label');
        labels.push({ cell, line });
      }
      for (const feature of features) values.push(featureValue(cells[feature.column] as string, feature, line));
      rows += 1;
    },
    finish(): { raw: Matrix; labels: readonly Label[] } {
      if (rows === 0) {
        const only = `its only line is taken for the names of the columns (${layout.names.slice(0, 20).join(', ')})`;
        throw formatError(
          name,
          `expected at least one row of values but found none: ${only}; header: false (--no-header) reads it`,
        );
      }
      if (features.length === 0)
        throw formatError(name, 'expected a column of features beside the label but found none');
      return { raw: { data: values.taken(), rows, columns: features.length }, labels };
    },
  };
}

const isTsv = (name: string): boolean => /\.tsv(\.gz)?$/i.test(name);

function checkOptions(options: CsvOptions): void {
  const { delimiter, header, decimal, encoding } = options;
  if (delimiter !== undefined && (typeof delimiter !== 'string' || delimiter === '' || /["\r\n]/.test(delimiter)))
    throw expected('a text without quotation marks and line ends', 'delimiter', delimiter);
  if (header !== undefined && typeof header !== 'boolean') throw expected('true or false', 'header', header);
  if (decimal !== undefined) oneOf(decimal, ['.', ','], 'decimal');
  if (decimal === ',' && delimiter === ',')
    throw expected("another decimal sign than the delimiter's", 'decimal', decimal);
  if (encoding !== undefined) checkEncoding(encoding);
  checkTableOptions(options);
}

/** The beginning of a text, and all of it. */
async function sampled(
  texts: AsyncGenerator<string>,
): Promise<{ readonly sample: string; readonly all: AsyncIterable<string> }> {
  let sample = '';
  let ended = false;
  while (sample.length < SAMPLE && !ended) {
    const next = await texts.next();
    if (next.done) ended = true;
    else sample += next.value;
  }
  async function* all(): AsyncGenerator<string> {
    // Parsed a part at a time, as what follows is.
    for (let at = 0; at < sample.length; at += SAMPLE / 2) yield sample.slice(at, at + SAMPLE / 2);
    yield* texts;
  }
  return {
    sample: ended
      ? sample
      : sample.slice(0, Math.max(sample.lastIndexOf('\n'), sample.lastIndexOf('\r')) + 1) || sample,
    all: all(),
  };
}

async function csvTable(
  content: Uint8Array | TextStream,
  name: string,
  options: CsvOptions & { readonly fromLine?: number } = {},
): Promise<CsvTable> {
  checkOptions(options);
  const { encoding, signal, task } = options;
  const texts = textOf(
    piecesOf(content, name, signal),
    encoding === undefined ? undefined : checkEncoding(encoding),
    name,
  );
  const { sample, all } = await sampled(texts);
  // Excel writes and reads a first line that names the delimiter.
  const excel = /^sep=([^\r\n])\r?\n/i.exec(sample)?.[1];
  const fromLine = (options.fromLine ?? 1) + (excel === undefined ? 0 : 1);
  const dialect = dialectOf(sample, { delimiter: excel, ...options }, isTsv(name) ? '\t' : undefined, fromLine);
  if (dialect.ambiguous !== undefined) {
    throw formatError(
      name,
      `${JSON.stringify(dialect.ambiguous)} may be a fraction or a thousand: say which by decimal: ',' or '.' (--decimal)`,
    );
  }
  const layout = layoutOf(dialect, options, name);
  if (layout === undefined) throw formatError(name, 'expected at least one row of values but it is empty');
  const table = collector(name, layout, options);
  const { delimiter } = dialect;
  const parser: Parser = parse({
    ...parserOptions(delimiter),
    from_line: fromLine,
    on_record: (cells: string[], { lines }) => {
      table.row(cellsOf(cells, delimiter), lines);
      return null;
    },
  });
  parser.resume();
  try {
    await pipeline(Readable.from(all), parser);
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    const line = error instanceof CsvError ? `, line ${parser.info.lines}` : '';
    throw formatError(`${name}${line}`, `not CSV: ${messageOf(error)}`, error);
  }

  const { raw, labels } = table.finish();
  const encoded = encodeTexts(raw, layout.features);
  const { x } = encoded;
  const columns = encoded.columns.map((column) => (column.categories ? column : column.name));
  if (layout.label < 0) return { task: 'unlabelled', x, columns };
  const where = (l: Label) => place(name, layout, l.line, layout.label);
  const features = { x, columns, label: layout.names[layout.label] as string };
  return labelledTable(features, labels, task, where, layout.decimal);
}

/**
 * As `readCsv`, for a file's content or a stream of it; `name` is how errors call it, and `fromLine` the line (from 1) to
 * start at.
 */
export const parseCsv = reader(csvTable);

/**
 * Reads a table of numbers from a CSV file, gzipped or plain, from the standard input (`-`), or from a stream of text, as features
 * and a label for each row. How it is written is found by itself: encoding, delimiter, decimal sign, and whether the first line names
 * the columns; a column without a name is called by its place. Labels become classes in their sorted order, texts and whole numbers
 * alike. The table may be given to `fit` as it is.
 *
 * @throws ERR_DLADMM_FORMAT naming line and column (from 1) for a row of another length than the first, an empty cell or
 *   something that is no number, for bytes that are no text in the encoding, and for two columns of one name; ERR_DLADMM_LABEL for
 *   classes that are fractional or more than 65536, and for a text that `columns` do not know; ERR_DLADMM_ARGUMENT,
 *   ERR_DLADMM_RANGE for a bad option; ERR_DLADMM_STREAM for a stream that fails; ERR_DLADMM_FILE, ERR_DLADMM_MEMORY,
 *   ERR_DLADMM_ABORTED
 */
export const readCsv = reader(async (source: string | TextStream, options: CsvOptions = {}): Promise<CsvTable> => {
  checkOptions(options);
  if (isStream(source)) return parseCsv(source, 'the CSV stream', options);
  return parseCsv(await readBytes(source, options.signal), source, options);
}, 'gzip');
