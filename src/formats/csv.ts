import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CsvError, type Parser, parse } from 'csv-parse';
import { throwIfAborted, untilAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { isObject } from '../core/objects.js';
import {
  flag,
  type OptionsOf,
  option,
  readOptions,
  type Schema,
  type ValueType,
  valueType,
  word,
} from '../network/schema.js';
import { type Decimal, isCode, parseNumber } from '../samples/cells.js';
import { featuresOf, learntColumns } from '../samples/features.js';
import { type Frame, renamed } from '../samples/frame.js';
import { columnBuilder, finished } from '../samples/framing.js';
import { tableColumns } from '../samples/hashed.js';
import { growingNumbers, slabs } from '../tensor/growing.js';
import { formatError, isGzip } from './bytes.js';
import { cellsOf, type Dialect, dialectOf, inPieces, parserOptions } from './csv/dialect.js';
import { checkEncoding, textOf } from './csv/encoding.js';
import { isPlainDelimiter, plainRows, takePlain } from './csv/plain-rows.js';
import { type CsvTable, TABLE, targetColumn } from './labels.js';
import { reader } from './reader.js';
import { contentOf, isStream, piecesOf, type TextStream } from './stream.js';
import { tableFrom } from './tables.js';

export type { TextStream } from './stream.js';

const encoding: ValueType<string> = { type: 'name of an encoding', typed: { as: 'text' }, check: checkEncoding };

/** How a CSV file is written. What is not told is found by the file itself. */
export const DIALECT = {
  delimiter: option(
    valueType<string>(
      'text',
      (value) => typeof value === 'string' && value !== '' && !/["\r\n]/.test(value),
      'a text without quotation marks and line ends',
      { as: 'delimiter' },
    ),
    {
      otherwise: 'that of , ; tab | and blanks by which the rows are the most alike',
      says: 'CSV: what stands between cells; on the command line tab for a tab.',
    },
  ),
  header: flag({
    otherwise: 'judged by what differs between it and the other rows',
    says: 'CSV: whether the first row names the columns.',
  }),
  decimal: word(['.', ','], {
    otherwise: 'a comma where numbers are written with one and the delimiter is another',
    says: 'CSV: the decimal sign.',
  }),
  encoding: option(encoding, {
    otherwise: 'UTF-8, or UTF-16 where its mark or its zero bytes show it',
    says: 'CSV: the encoding of the text, by its name in the Encoding Standard, such as windows-1252; what is no text in it is refused.',
  }),
} as const satisfies Schema;

export type CsvDialect = OptionsOf<typeof DIALECT>;

export const CSV = { ...TABLE, ...DIALECT } as const satisfies Schema;

/** How to read a CSV file. */
export type CsvOptions = OptionsOf<typeof CSV>;

/** So much text shows how a table is written, and more where it has fewer lines. */
const SAMPLE = 2 ** 16;
const LINES = 4;
const MOST = 2 ** 23;
/** A table with more columns is none: its first line does not end. */
const COLUMNS = 2 ** 20;

interface Layout {
  readonly width: number;
  readonly header: boolean;
  readonly decimal: Decimal;
  readonly names: readonly string[];
}

function layoutOf({
  header,
  decimal,
  rows,
}: Dialect & { readonly rows: readonly (readonly string[])[] }): Layout | undefined {
  // A delimiter at the end of every line has no column behind it.
  const trailing = rows.every((cells) => cells.length > 1 && cells.at(-1) === '');
  const first = trailing ? rows[0]?.slice(0, -1) : rows[0];
  if (first === undefined) return undefined;
  const names = first.map((cell, column) => (header && cell !== '' ? cell : `column ${column + 1}`));
  return { width: first.length, header, decimal, names };
}

/** A row of another length than the first. */
function misfit(where: string, width: number, cells: number, first: boolean): DlAdmmError {
  const above = first ? 'a title above the names of the columns has to be taken out, ' : '';
  const more = `${above}a cell that holds a delimiter stands in quotation marks`;
  const help = cells > width ? more : 'what is no row of the table has to be taken out';
  const found = `expected ${width} ${width === 1 ? 'cell' : 'cells'}, as above, but found ${cells}`;
  return formatError(where, `${found}: ${help}`);
}

/** What is wrong with the quotation marks of a text, by the code of the parser. */
function unquoted({ code }: CsvError): string {
  if (code === 'CSV_QUOTE_NOT_CLOSED' || code === 'CSV_MAX_RECORD_SIZE')
    return 'a quotation mark is opened in this row and never closed';
  return 'a quotation mark stands within a cell: such a cell stands in quotation marks, and those in it are doubled';
}

/** The lines above a table that begin with #. */
const commentsIn = (sample: string): readonly string[] =>
  /^(?:#.*(?:\r\n|\n|\r))+/
    .exec(sample)?.[0]
    .split(/\r\n|\n|\r/)
    .slice(0, -1) ?? [];

/** Gathers some columns of a table, by their places. `coded`: whether a number that begins with zeros is a text. */
function collector(
  name: string,
  { width, decimal, header, names }: Layout,
  { places, once = [] }: Chosen,
  coded: boolean,
) {
  const memory = slabs();
  const scanned = new Set(once);
  const columns: (ReturnType<typeof columnBuilder> | undefined)[] = names.map(() => undefined);
  for (const place of places)
    columns[place] = columnBuilder(names[place] as string, name, false, 0, scanned.has(place) ? memory : undefined);
  const builders = places.map((place) => columns[place] as ReturnType<typeof columnBuilder>);
  const lines = growingNumbers();
  let rows = 0;
  let heading = header;
  const cell = (place: number, text: string): void => {
    const column = columns[place];
    column?.push(column.texts || (coded && isCode(text)) ? text : (parseNumber(text, decimal) ?? text));
  };
  return {
    ...{ columns, coded, cell },
    get heading(): boolean {
      return heading;
    },
    headed(): void {
      heading = false;
    },
    ended(some: Int32Array): void {
      for (const line of some) lines.push(line);
      rows += some.length;
    },
    row(cells: readonly string[], line: number): void {
      if (heading) {
        heading = false;
        return;
      }
      const trailing = cells.length === width + 1 && cells[width] === '';
      if (cells.length !== width && !trailing) throw misfit(`${name}, line ${line}`, width, cells.length, rows === 0);
      for (const place of places) cell(place, cells[place] as string);
      lines.push(line);
      rows += 1;
    },
    async finish(): Promise<Frame> {
      if (rows === 0) {
        const only = `its only line is taken for the names of the columns (${names.slice(0, 20).join(', ')})`;
        const text = `expected at least one row of values but found none: ${only}; header: false (--no-header) reads it`;
        throw formatError(name, text);
      }
      const columns = await finished(builders);
      return { name, rows, named: header, columns, lines: await lines.taken() };
    },
  };
}

const isTsv = (name: string): boolean => /\.tsv(\.gz)?$/i.test(name);

function checkCsvOptions(options: ParseOptions): void {
  readOptions(CSV, isObject(options) ? { ...options, fromLine: undefined } : options);
}

/** The columns that are asked for by name: the features, where these are told, else the target. */
function namesIn({ columns = [], target }: ParseOptions): readonly string[] {
  const features = columns.filter((each) => typeof each !== 'number');
  const single = tableColumns(features.map((each) => (typeof each === 'string' ? { name: each } : each)));
  return single.length > 0 ? single.map(({ name }) => name) : typeof target === 'string' ? [target] : [];
}

/** The beginning of a text, and all of it. */
async function sampled(
  texts: AsyncGenerator<string>,
): Promise<{ readonly sample: string; readonly all: AsyncIterable<string> }> {
  let sample = '';
  let ended = false;
  let lines = 0;
  while (!ended && (sample.length < SAMPLE || (lines < LINES && sample.length < MOST))) {
    const next = await texts.next();
    if (next.done) ended = true;
    else {
      sample += next.value;
      lines += next.value.match(/\r?\n|\r/g)?.length ?? 0;
    }
  }
  async function* all(): AsyncGenerator<string> {
    // Parsed a part at a time, as what follows is.
    yield* inPieces(sample);
    yield* texts;
  }
  return {
    sample: ended
      ? sample
      : sample.slice(0, Math.max(sample.lastIndexOf('\n'), sample.lastIndexOf('\r')) + 1) || sample,
    all: all(),
  };
}

type Content = Uint8Array | TextStream;
type ParseOptions = CsvOptions & { readonly fromLine?: number };
interface Chosen {
  readonly places: readonly number[];
  /** Those that will be gone through once, row by row. */
  readonly once?: readonly number[];
}
type Choose = (layout: Layout) => Chosen;

/** Reads those columns of a table that `choose` names, by their places, in that order. */
async function readColumns(
  content: Content,
  name: string,
  options: ParseOptions,
  choose: Choose,
  coded = false,
): Promise<Columns> {
  checkCsvOptions(options);
  if (!isStream(content) && !(Symbol.iterator in Object(content ?? 0)))
    throw expected('bytes (a Uint8Array), or a stream of text or bytes,', 'content', content);
  const { encoding, signal } = options;
  const known = encoding === undefined ? undefined : checkEncoding(encoding);
  const source =
    signal && isStream(content) ? untilAborted(content, signal, () => `Reading ${name} was aborted`) : content;
  const texts = textOf(piecesOf(source, name, signal), known, name);
  try {
    const found = await columnsOf(texts, name, options, choose, coded);
    throwIfAborted(signal, `Reading ${name}`);
    return found;
  } finally {
    // A file is closed; a stream that never answers is not waited for.
    texts.return().catch(() => undefined);
  }
}

interface Columns {
  readonly frame: Frame;
  readonly layout: Layout;
}

async function columnsOf(
  texts: AsyncGenerator<string, void, undefined>,
  name: string,
  options: ParseOptions,
  choose: Choose,
  coded: boolean,
): Promise<Columns> {
  const { sample, all } = await sampled(texts);
  // Excel writes and reads a first line that names the delimiter.
  const excel = /^"?sep=([^\r\n])"?\r?\n/i.exec(sample)?.[1];
  const comments = commentsIn(sample);
  let fromLine = (options.fromLine ?? 1) + (excel === undefined ? comments.length : 1);
  const likely = isTsv(name) ? '\t' : undefined;
  const described = () => dialectOf(sample, { delimiter: excel, ...options }, likely, fromLine, namesIn(options));
  let dialect = await described();
  // Where nothing below names the columns, the last of them may.
  if (!dialect.header && comments.at(-1)?.split(dialect.delimiter).length === (dialect.rows[0]?.length ?? 0)) {
    fromLine -= 1;
    dialect = await described();
  }
  if (dialect.ambiguous !== undefined) {
    const text = `${JSON.stringify(dialect.ambiguous)} may be a fraction or a thousand: say which by decimal: ',' or '.' (--decimal)`;
    throw formatError(name, text);
  }
  const layout = layoutOf(dialect);
  if (layout === undefined) throw formatError(name, 'expected at least one row of values but it is empty');
  if (layout.width > COLUMNS) {
    const why = 'the lines of a table end, each with the cells of a row; a vector is written a number a line';
    throw formatError(name, `expected at most ${COLUMNS} columns but its first line has more: ${why}`);
  }
  const table = collector(name, layout, choose(layout), coded);
  const { delimiter, decimal } = dialect;
  const plain = isPlainDelimiter(delimiter) && fromLine === 1;
  const { rest, line } = plain ? await takePlain(all, plainRows(table, delimiter, decimal)) : { rest: all, line: 1 };
  if (rest === undefined) return { frame: await table.finish(), layout };
  let [last, empty] = [line - 1, 0];
  const parser: Parser = parse({
    ...parserOptions(delimiter),
    from_line: fromLine,
    on_record: (cells: string[], { lines, empty_lines }) => {
      [last, empty] = [lines, empty_lines];
      table.row(cellsOf(cells, delimiter), lines);
      return null;
    },
  });
  Object.assign(parser.info, { lines: line });
  parser.resume();
  try {
    await pipeline(Readable.from(rest), parser);
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    if (!(error instanceof CsvError)) throw formatError(name, `not CSV: ${messageOf(error)}`, error);
    throw formatError(
      `${name}, line ${last + 1 + parser.info.empty_lines - empty}`,
      `not CSV: ${unquoted(error)}`,
      error,
    );
  }
  return { frame: await table.finish(), layout };
}

/** All columns of a table, as they are. */
export const parseCsvFrame = reader(
  async (content: Content, name: string, options: ParseOptions = {}): Promise<Frame> =>
    (await readColumns(content, name, options, ({ names }) => ({ places: names.map((_, place) => place) }), true))
      .frame,
  'text',
);

async function csvTable(content: Content, name: string, options: ParseOptions = {}): Promise<CsvTable> {
  let target = -1;
  let features: readonly number[] = [];
  const { frame, layout } = await readColumns(content, name, options, ({ names, header: named }) => {
    target = targetColumn(names, named, options, name);
    features = featuresOf({ names, named, target }, options, name);
    return { places: target < 0 ? features : [...features, target], once: features };
  });
  const { names, header, decimal } = layout;
  const learnt = learntColumns(options);
  // In a file without a header line, a model's columns are found by their order.
  const called = [...features.map((place, i) => learnt[i]?.name ?? (names[place] as string))];
  const columns = frame.columns.map((column, i) => renamed(column, called[i] ?? column.name));
  const where = (column: string, row: number): string => {
    const i = columns.findIndex((each) => each.name === column);
    const place = features[i] ?? target;
    const heading = header ? ` (${JSON.stringify(names[place])})` : '';
    return `${name}, line ${frame.lines?.[row]}, column ${place + 1}${heading}`;
  };
  const reading = { name, target: target < 0 ? undefined : names[target], options, where, decimal };
  return tableFrom({ ...frame, columns }, reading);
}

/**
 * As `readCsv`, for a file's content or a stream of it; `name` is how errors call it, and `fromLine` the line (from 1) to
 * start at.
 */
export const parseCsv = reader(csvTable, 'text');

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
export const readCsv = reader(
  async (source: string | TextStream, options: CsvOptions = {}): Promise<CsvTable> => {
    checkCsvOptions(options);
    if (isStream(source)) return parseCsv(source, 'the CSV stream', options);
    return parseCsv(await contentOf(source, options.signal, (head) => !isGzip(head)), source, options);
  },
  'gzip',
  'text',
);
