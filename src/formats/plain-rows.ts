/**
 * Rows of a table of text that need no parser: between two delimiters stands a cell as it is, or in quotation marks that nothing is
 * marked within. A number is read where it stands, without a text being made of it. What else there is a parser reads on from the row
 * in which it stands.
 */
import type { Decimal } from '../samples/cells.js';

/** What takes the values of a column. */
export interface ColumnTaker {
  /** Whether all that came were numbers, so that more may come by `pushNumber`. */
  readonly plain: boolean;
  pushNumber(value: number): void;
}

/** What takes the rows of a table. */
export interface RowTaker {
  /** Cells that a row has. */
  readonly width: number;
  /** What takes cells, by their place; nothing where nobody asks for them. */
  readonly columns: readonly (ColumnTaker | undefined)[];
  /** Whether the next row names the columns. */
  readonly heading: boolean;
  /** Whether digits behind a 0 are a text. */
  readonly coded: boolean;
  /** Takes a cell for the column at that place. */
  cell(place: number, cell: string): void;
  /** Says that all cells of a row have been given; `last` is the one beyond its width, where there is one. */
  ended(cells: number, last: string, line: number): void;
  /** Takes a row whole. */
  row(cells: readonly string[], line: number): void;
}

/** What no row is longer than that is read here. */
const LONGEST = 2 ** 22;
/** So many digits any double holds, and so many powers of ten: their quotient is the double nearest to the number, as IEEE 754 divides. */
const DIGITS = 15;
const POWERS = Array.from({ length: DIGITS + 1 }, (_, i) => 10 ** i);
/** Of more digits none is read where it stands. */
const MANY = 300;
const [LF, CR, BLANK, MINUS, POINT, ZERO, NINE] = [10, 13, 32, 45, 46, 48, 57] as const;

/** Delimiters that stand in no number, and are not cut off a cell's ends where others are the delimiter. */
export const isPlainDelimiter = (delimiter: string): boolean => /^[!#-*,/:-~\t]$/.test(delimiter);

/** What a parser is to read on from, and the line in which it begins. */
export interface Rest {
  readonly text: string;
  readonly line: number;
}

/** Takes text piece by piece; answers with what is left for a parser, and takes no more from there on. */
export function plainRows(table: RowTaker, delimiter: string, decimal: Decimal) {
  const trims = delimiter !== '\t';
  const comma = delimiter.charCodeAt(0);
  const point = decimal.charCodeAt(0);
  const trimmed = (cell: string): string => (trims ? cell.trim() : cell);
  /** The text that is taken, where it is of ASCII. */
  let bytes = Buffer.alloc(0);
  let carry = '';
  let line = 1;

  /** The end of the line that begins at `at`; `end` where it has none. */
  function endOfLine(text: string, at: number, end: number): number {
    let to = at;
    for (let code = 0; to < end; to += 1) {
      code = text.charCodeAt(to);
      if (code === LF || code === CR) break;
    }
    return to;
  }

  /** The cells of a line; undefined where a parser is needed. */
  function cellsOf(row: string): readonly string[] | undefined {
    if (!row.includes('"')) return row.split(delimiter).map(trimmed);
    const cells: string[] = [];
    for (let at = 0; ; ) {
      const marked = row.charAt(at) === '"';
      const close = marked ? row.indexOf('"', at + 1) : -1;
      if (marked && close < 0) return undefined;
      const found = marked ? close + 1 : row.indexOf(delimiter, at);
      const to = found < 0 ? row.length : found;
      const cell = marked ? row.slice(at + 1, close) : row.slice(at, to);
      if (!marked && cell.includes('"')) return undefined;
      cells.push(marked ? cell : trimmed(cell));
      if (to === row.length) return cells;
      if (row.charAt(to) !== delimiter) return undefined;
      at = to + 1;
    }
  }

  /** Takes the cells of a line of ASCII without quotation marks, which ends with a line end; answers with that. */
  function takeCells(text: string, from: number): number {
    const { columns, width, coded } = table;
    const codes = bytes;
    let at = from;
    let place = 0;
    let start = at;
    let code = 0;
    for (; ; place += 1) {
      const column = place < width ? columns[place] : undefined;
      start = at;
      if (column?.plain) {
        while (trims && codes[at] === BLANK) at += 1;
        start = at;
        const minus = codes[at] === MINUS;
        if (minus) at += 1;
        const first = at;
        let digits = 0;
        for (code = codes[at] as number; code >= ZERO && code <= NINE; code = codes[at] as number) {
          digits = digits * 10 + (code - ZERO);
          at += 1;
        }
        const whole = at - first;
        let behind = 0;
        if (code === point && point !== comma) {
          const fraction = at + 1;
          at = fraction;
          for (code = codes[at] as number; code >= ZERO && code <= NINE; code = codes[at] as number) {
            digits = digits * 10 + (code - ZERO);
            at += 1;
          }
          behind = at - fraction;
        }
        const count = whole + behind;
        const known = count > 0 && (code === comma || code === LF || code === CR);
        if (known && !(coded && whole > 1 && codes[first] === ZERO)) {
          let size = Number.NaN;
          if (count <= DIGITS) size = behind === 0 ? digits : digits / (POWERS[behind] as number);
          else if (behind > 0 && count < MANY && point === POINT) size = Number(text.slice(first, at));
          if (size < Number.POSITIVE_INFINITY) {
            column.pushNumber(minus ? -size : size);
            if (code !== comma) break;
            at += 1;
            continue;
          }
        }
        at = start;
      }
      for (code = codes[at] as number; code !== comma && code !== LF && code !== CR; code = codes[at] as number)
        at += 1;
      if (column) table.cell(place, trimmed(text.slice(start, at)));
      if (code !== comma) break;
      at += 1;
    }
    table.ended(place + 1, place === width ? trimmed(text.slice(start, at)) : '', line);
    return at;
  }

  /** Takes lines up to `end`; answers with the beginning of one that a parser is needed for. */
  function take(text: string, end: number): number | undefined {
    if (bytes.length <= 3 * text.length) bytes = Buffer.alloc(4 * text.length + 1);
    const ascii = bytes.write(text) === text.length;
    bytes[text.length] = LF;
    const parted = !ascii || text.includes('"');
    for (let at = 0; at < end; line += 1) {
      const from = at;
      const odd = parted || table.heading || (bytes[at] as number) <= BLANK;
      const to = odd ? endOfLine(text, at, end) : 0;
      const row = odd ? text.slice(at, to) : '';
      if (odd && trimmed(row) === '') at = to;
      else if (parted || table.heading) {
        const cells = cellsOf(row);
        if (cells === undefined) return from;
        table.row(cells, line);
        at = to;
      } else at = takeCells(text, at);
      at += text.charCodeAt(at) === CR && text.charCodeAt(at + 1) === LF ? 2 : 1;
    }
    return undefined;
  }

  return {
    take(piece: string): Rest | undefined {
      const text = carry + piece;
      // What ends with a return may go on with a feed, of the same line end.
      const end = Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r', text.length - 2)) + 1;
      const left = take(text, end);
      if (left !== undefined) return { text: text.slice(left), line };
      carry = text.slice(end);
      return carry.length > LONGEST ? { text: carry, line } : undefined;
    },
    finish(): Rest | undefined {
      const left = take(carry, carry.length);
      return left === undefined ? undefined : { text: carry.slice(left), line };
    },
  };
}
