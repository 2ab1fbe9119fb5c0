/** How a table of texts is written: its delimiter, its decimal sign, and whether its first row names the columns. */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { type Decimal, kindOfCell, parseNumber } from '../../samples/cells.js';
import { turn } from '../../tensor/inputs.js';

export interface Dialect {
  readonly delimiter: string;
  readonly decimal: Decimal;
  readonly header: boolean;
}

/** A row longer than this is a quotation mark that is never closed. */
const MAX_ROW_LENGTH = 2 ** 26;
/** So many rows say what a table is like. */
const SAMPLE_ROWS = 1000;
/** The delimiters that are looked for, the likelier first. */
const DELIMITERS = [',', ';', '\t', '|', ' '] as const;

type Row = readonly string[];

/** What csv-parse is told, for a sample and for the whole alike. */
export const parserOptions = (delimiter: string) => ({
  delimiter,
  max_record_size: MAX_ROW_LENGTH,
  record_delimiter: ['\r\n', '\n', '\r'] as string[],
  // Rows of another length are refused with the line they stand in.
  relax_column_count: true,
  skip_empty_lines: true,
  trim: !/\s/.test(delimiter),
});

/** The cells of a row; several blanks between two cells are one delimiter. */
export const cellsOf = (cells: readonly string[], delimiter: string): readonly string[] =>
  delimiter === ' ' ? cells.filter((cell) => cell !== '') : cells;

/** So much text is parsed between two turns of the event loop. */
const PIECE = 2 ** 11;

/** Such parts of a text, with a turn between each two; two units that are one character stay together. */
export async function* inPieces(text: string): AsyncGenerator<string, void, undefined> {
  for (let at = 0; at < text.length; ) {
    const to = at + PIECE;
    const end = /[\ud800-\udbff]/.test(text.charAt(to - 1)) ? to + 1 : to;
    yield turn(text.slice(at, end));
    at = end;
  }
}

/**
 * The first rows of a text, as far as they can be read; the event loop runs in between.
 *
 * @param quotes takes, row by row, which cells stand in quotation marks
 */
async function sampleRows(
  text: string,
  delimiter: string,
  fromLine: number,
  most = SAMPLE_ROWS,
  quotes?: (readonly boolean[])[],
): Promise<readonly Row[]> {
  const rows: Row[] = [];
  let quoted: boolean[] = [];
  const on_record = (cells: string[]): null => {
    rows.push(cellsOf(cells, delimiter));
    quotes?.push(delimiter === ' ' ? quoted.filter((_, i) => cells[i] !== '') : quoted);
    quoted = [];
    return null;
  };
  const cast = (cell: string, { quoting }: { readonly quoting: boolean }): string => {
    quoted.push(quoting);
    return cell;
  };
  async function* pieces(): AsyncGenerator<string, void, undefined> {
    for await (const piece of inPieces(text)) {
      if (rows.length >= most) return;
      yield piece;
    }
  }
  const parser = parse({ ...parserOptions(delimiter), from_line: fromLine, on_record, ...(quotes && { cast }) });
  try {
    await pipeline(Readable.from(pieces()), parser.resume());
  } catch {
    // The end of a sample may cut a quotation, and what is wrong in a file is told when all of it is read.
  }
  return rows.slice(0, most);
}

// ---------------------------------------------------------------------------------------------------------------- delimiter

const COMMA_NUMBER = /^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$/;
const POINT_NUMBER = /^[+-]?\d*\.\d+(?:[eE][+-]?\d+)?$/;
const GROUPS = /^[+-]?\d{1,3}(?:\.\d{3})+(?:,\d+)?$/;

/** So are thousands written in English, and fractions elsewhere. */
const THOUSANDS = /^[+-]?[1-9]\d{0,2},\d{3}$/;

/**
 * Commas are decimal where numbers are written with them and none with a point that is not between thousands; `ambiguous` is one of
 * them where all may be thousands.
 */
function decimalOf(
  rows: readonly Row[],
  delimiter: string,
): { readonly decimal: Decimal; readonly ambiguous?: string } {
  if (delimiter === ',') return { decimal: '.' };
  const cells = rows.flat();
  const commas = cells.filter((cell) => COMMA_NUMBER.test(cell));
  if (commas.length === 0 || cells.some((cell) => POINT_NUMBER.test(cell) && !GROUPS.test(cell)))
    return { decimal: '.' };
  const [ambiguous] = commas.every((cell) => THOUSANDS.test(cell)) ? commas : [];
  return { decimal: ',', ...(ambiguous !== undefined && { ambiguous }) };
}

/** The cells of a column below the first row that say something. */
const below = (rows: readonly Row[], column: number): readonly string[] =>
  rows.slice(1).flatMap((row) => row[column] ?? []);

/** How well a delimiter explains the rows that it makes: even widths first, then columns of one kind, then their number. */
function scoreOf(rows: readonly Row[], delimiter: string): number {
  const counts = new Map<number, number>();
  for (const { length } of rows) counts.set(length, (counts.get(length) ?? 0) + 1);
  const [width = 0, times = 0] = [...counts].sort((a, b) => b[1] - a[1])[0] ?? [];
  if (width < 2) return 0;
  const { decimal } = decimalOf(rows, delimiter);
  const body = rows.length > 1 ? rows.slice(1) : rows;
  let typed = 0;
  for (const row of body) {
    for (const cell of row) typed += /^(?:number|date|boolean|missing)$/.test(kindOfCell(cell, decimal)) ? 1 : 0;
  }
  const cells = body.reduce((sum, { length }) => sum + length, 0);
  return 4 * (times / rows.length) ** 2 + typed / Math.max(1, cells) + Math.min(width, 20) / 40;
}

async function delimiterOf(
  text: string,
  decimal: Decimal | undefined,
  likely: string | undefined,
  fromLine: number,
): Promise<string> {
  let best: string | undefined;
  let most = 0;
  for (const delimiter of likely ? [likely, ...DELIMITERS] : DELIMITERS) {
    if (!text.includes(delimiter) || delimiter === decimal) continue;
    const score = await turn(scoreOf(await sampleRows(text, delimiter, fromLine, 200), delimiter));
    // A blank stands in many texts that are no table of blanks.
    const needed = delimiter === ' ' ? most + 0.5 : most;
    if (score > needed) {
      best = delimiter;
      most = score;
    }
  }
  // Where nothing else parts the cells, numbers with a comma are quoted.
  const quoted = text.includes(',') && text.includes('"');
  return best ?? likely ?? (decimal === ',' && !quoted ? ';' : ',');
}

// ------------------------------------------------------------------------------------------------------------------- header

/** Words that name columns far more often than they stand in them. */
const NAMES = new Set(
  `id index key name label labels class classes target targets y x date time timestamp year month day type kind category
  categories text value values price cost amount count total sex gender age city country state region zip address email phone
  height width length weight size color colour species status title description quantity rate score rating first_name
  last_name firstname lastname surname product customer user latitude longitude lat lon lng`.split(/\s+/),
);

const shapeOf = (cell: string): string =>
  cell
    .replace(/[A-Z]+/g, 'A')
    .replace(/[a-z]+/g, 'a')
    .replace(/\d+/g, '9');

/** Whether a number stands among others as one of them. */
function isAlike(value: number, others: readonly number[]): boolean {
  const low = Math.min(...others);
  const high = Math.max(...others);
  const room = Math.max(high - low, Math.abs(high) / 2, 1);
  return value >= low - room && value <= high + room;
}

/** For numbers in the first row of a column of numbers: they are a row of data, unless they could be names (years, places). */
function numberVote(cell: string, others: readonly string[], inSequence: boolean, decimal: Decimal): number {
  const value = parseNumber(cell, decimal) as number;
  if (!Number.isInteger(value) || /[.,e]/i.test(cell)) return -5;
  if (inSequence) return 1;
  return isAlike(
    value,
    others.map((other) => parseNumber(other, decimal) as number),
  )
    ? -3
    : 0;
}

/** For texts in the first row of a column of texts. */
function textVote(cell: string, others: readonly string[]): number {
  const counts = new Map<string, number>();
  for (const other of others) counts.set(other, (counts.get(other) ?? 0) + 1);
  if (counts.has(cell)) return -3;
  const distinct = [...counts.keys()];
  // How likely a value is new by how many came but once (Good and Turing): what surprises is rather a name.
  const once = distinct.filter((other) => counts.get(other) === 1).length;
  let vote = Math.min(3, Math.log((others.length + 1) / (once + 1)));
  const every = (test: (text: string) => boolean): boolean => distinct.every(test);
  if (distinct.length > 1) {
    if (every(({ length }) => length === distinct[0]?.length) && cell.length !== distinct[0]?.length) vote += 1.5;
    if (every((other) => shapeOf(other) === shapeOf(distinct[0] as string))) {
      vote += shapeOf(cell) === shapeOf(distinct[0] as string) ? 0 : 1;
    }
  }
  // Numbers in texts, and sentences: names have them less often than values.
  for (const sign of [/\d/, / /]) if (every((other) => sign.test(other))) vote += sign.test(cell) ? -1 : 1.5;
  return vote + (NAMES.has(cell.toLowerCase()) ? 2 : 0);
}

/** Whether the first cell of a column stands in quotation marks, as programs write names, and none of its values does. */
const isQuotedAlone = (quotes: readonly (readonly boolean[])[], column: number): boolean =>
  quotes[0]?.[column] === true && !quotes.slice(1).some((row) => row[column]);

/** Above 0 where the first cell of a column seems to name it, below 0 where it seems to be one of its values. */
function voteOf(cell: string, others: readonly string[], inSequence: boolean, decimal: Decimal): number {
  const kind = kindOfCell(cell, decimal);
  const told = others.filter((other) => kindOfCell(other, decimal) !== 'missing');
  if (kind === 'missing' || told.length === 0) return kind !== 'text' ? 0 : NAMES.has(cell.toLowerCase()) ? 2 : 0;
  const kinds = new Set(told.map((other) => kindOfCell(other, decimal)));
  const [only] = kinds;
  if (kinds.size === 1 && only === 'number') return kind === 'number' ? numberVote(cell, told, inSequence, decimal) : 3;
  if (kinds.size === 1 && only !== 'text') return kind === only ? -3 : kind === 'text' ? 3 : 0;
  return kind === 'text' ? textVote(cell, told) : 0;
}

/** The places of numbers in a row that count up by one. */
function sequenceOf(row: Row, decimal: Decimal): readonly number[] {
  const places = row.flatMap((cell, column) => (kindOfCell(cell, decimal) === 'number' ? [column] : []));
  const numbers = places.map((column) => parseNumber(row[column] as string, decimal) as number);
  const counts = numbers.length > 1 && numbers.every((n, i) => i === 0 || n === (numbers[i - 1] as number) + 1);
  return counts ? places : [];
}

/**
 * Whether the first of some rows names the columns: told by what differs between it and the others, column by column. A row on
 * its own does where none of its cells is a number.
 */
async function headerIn(
  rows: readonly Row[],
  decimal: Decimal,
  quotes: readonly (readonly boolean[])[],
): Promise<boolean> {
  const [first, ...others] = rows;
  if (first === undefined) return false;
  if (others.length === 0) {
    const kinds = first.map((cell) => kindOfCell(cell, decimal));
    return kinds.includes('text') && kinds.every((kind) => kind === 'text' || kind === 'missing');
  }
  const sequence = sequenceOf(first, decimal);
  const alone = sequence.length > 1 && !others.some((row) => sequenceOf(row, decimal).length > 1);
  const names = first.filter((cell) => cell !== '');
  const marked = first.map((_, column) => isQuotedAlone(quotes, column));
  let sum = new Set(names).size < names.length ? -2 : 0;
  for (const [column, cell] of first.entries()) {
    const vote = voteOf(cell, below(rows, column), alone && sequence.includes(column), decimal);
    sum += await turn(marked[column] ? Math.max(vote, 0) + 2 : vote);
  }
  // Nothing but numbers that count up: names only where there are many, and what is below is no such row.
  if (sequence.length === names.length && names.length < 3 && !marked.includes(true)) return false;
  return sum > 0;
}

/**
 * What a text shows of how it is written, where it is not told.
 *
 * @param text the beginning of the table
 * @param likely the delimiter that the file's name speaks for
 * @param names columns that are asked for by name: a first row that has them all is one of names, be they numbers
 */
export async function dialectOf(
  text: string,
  given: { readonly [K in keyof Dialect]?: Dialect[K] | undefined },
  likely?: string,
  fromLine = 1,
  names: readonly string[] = [],
): Promise<Dialect & { readonly rows: readonly Row[]; readonly ambiguous?: string | undefined }> {
  const delimiter = given.delimiter ?? (await delimiterOf(text, given.decimal, likely, fromLine));
  const quotes: (readonly boolean[])[] | undefined = text.includes('"') ? [] : undefined;
  const rows = await sampleRows(text, delimiter, fromLine, SAMPLE_ROWS, quotes);
  const { decimal, ambiguous } = given.decimal ? { decimal: given.decimal } : decimalOf(rows, delimiter);
  const called = names.length > 0 && names.every((name) => rows[0]?.includes(name));
  const header = given.header ?? (called || (await headerIn(rows, decimal, quotes ?? [])));
  return { delimiter, decimal, header, rows, ambiguous };
}
