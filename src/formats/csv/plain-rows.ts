/**
 * Rows of a table of text that need no parser: between two delimiters stands a cell as it is, or in quotation marks. They are read off the event
 * loop, and a number where it stands, without a text being made of it. What else there is a parser reads on from the row in which it stands.
 */
import { native } from '../../core/native.js';
import { type Decimal, isCode, isMissing, parseNumber } from '../../samples/cells.js';
import { pause } from '../../tensor/inputs.js';
import { inPieces } from './dialect.js';

/** What takes the values of a column. */
export interface ColumnTaker {
  /** Whether all that came were numbers, or missing: more may come by `pushNumbers`. */
  readonly plain: boolean;
  /** `wide`: whether float32 holds not all of them. NaN where a value is missing. */
  pushNumbers(values: Float64Array, wide: boolean): void;
}

/** What takes the rows of a table. */
export interface RowTaker {
  /** What takes cells, by their place; nothing where nobody asks for them. */
  readonly columns: readonly (ColumnTaker | undefined)[];
  /** Whether the next row names the columns; `headed` says that it has come. */
  readonly heading: boolean;
  headed(): void;
  /** Whether digits behind a 0 are a text. */
  readonly coded: boolean;
  /** Takes a cell for the column at that place. */
  cell(place: number, cell: string): void;
  /** Says that all cells of the rows in these lines have been given. */
  ended(lines: Int32Array): void;
}

/** What no row is longer than that is read here. */
const LONGEST = 2 ** 22;
/** So much text is taken at first, and at most: what columns hold shows soon, and much is taken quicker. */
const FIRST = 2 ** 12;
const MOST = 2 ** 18;
/** A text that is shorter is a copy of its own, not a look into a longer one. */
const COPIED = 13;
const [LF, CR] = [10, 13] as const;
const [NUMBERS, CELLS] = [1, 2] as const;

/** Delimiters that stand in no number, and are not cut off a cell's ends where others are the delimiter. */
export const isPlainDelimiter = (delimiter: string): boolean => /^[!#-*,/:-~\t]$/.test(delimiter);

interface Patch {
  readonly row: number;
  readonly value: number;
}

/** Cells of ASCII are found in text of so many bytes at a time, which is made once. */
const BLOCK = 2 ** 14;

/** Reads cells out of bytes: as a text of its own where it is short or not of ASCII alone, as a look into a longer one is kept with all of that. */
function cellsIn(bytes: Buffer, ascii: boolean, trims: boolean) {
  let [first, block] = [-1, ''];
  const textAt = (from: number, to: number): string => {
    const begin = from - (from % BLOCK);
    if (!ascii || to - from >= COPIED || to > begin + BLOCK) return bytes.toString(ascii ? 'latin1' : 'utf8', from, to);
    if (begin !== first) [first, block] = [begin, bytes.toString('latin1', begin, begin + BLOCK)];
    return block.slice(from - begin, to - begin);
  };
  return (begin: number, to: number): string => {
    if (begin < 0) return textAt(~begin, to).replaceAll('""', '"');
    const cell = textAt(begin, to);
    return trims ? cell.trim() : cell;
  };
}

/** Text as UTF-8, as it comes. */
function gathering() {
  let bytes = Buffer.alloc(0);
  let [held, ascii] = [0, true];
  return {
    get held(): number {
      return held;
    },
    add(text: string): void {
      const needed = held + 3 * text.length + 1;
      if (bytes.length < needed) {
        const before = bytes.subarray(0, held);
        bytes = Buffer.alloc(2 * needed);
        bytes.set(before);
      }
      const written = bytes.write(text, held);
      ascii &&= written === text.length;
      held += written;
    },
    /** Begins anew with what has not been taken of another. */
    begin(rest: Uint8Array, plain: boolean): void {
      if (bytes.length < rest.length) bytes = Buffer.alloc(2 * rest.length);
      bytes.set(rest);
      [held, ascii] = [rest.length, plain];
    },
    taken: () => ({ bytes: bytes.subarray(0, held), ascii }),
  };
}

/** Takes text; answers with what is left for a parser, and takes no more from there on. */
export function plainRows(table: RowTaker, delimiter: string, decimal: Decimal) {
  const trims = delimiter !== '\t';
  const rows = new native.TextRows({ delimiter, decimal, trims, codes: table.coded });
  let size = FIRST;
  let line = 1;
  let numbers = new Float64Array(0);
  /** What comes, and what is taken in the meantime; of that, what a parser is needed for. */
  let [coming, going] = [gathering(), gathering()];
  let left: Buffer = Buffer.alloc(0);

  /** What a cell is among numbers, NaN for none; undefined where the column has to be told of it. */
  function numberOf(cell: string): number | undefined {
    if (isMissing(cell.trim()) || /^\s*none\s*$/i.test(cell)) return Number.NaN;
    return table.coded && isCode(cell) ? undefined : parseNumber(cell, decimal);
  }

  /** Takes some of these rows; answers with where they end, and whether a parser is needed there. */
  async function takeRows(bytes: Buffer, ascii: boolean): Promise<{ readonly end: number; readonly stopped: boolean }> {
    const { columns, heading } = table;
    const asked = Int8Array.from(heading ? [] : columns, (column) => (column ? (column.plain ? NUMBERS : CELLS) : 0));
    const textOf = cellsIn(bytes, ascii, trims);
    for (;;) {
      const found = await rows.read(bytes, asked, line, heading);
      if (heading) {
        if (found.lines.length > 0) table.headed();
        line = found.line;
        return found;
      }
      const numbered: number[] = [];
      const told: number[] = [];
      for (const [place, what] of asked.entries()) if (what > 0) (what === NUMBERS ? numbered : told).push(place);
      const patches = numbered.map((): Patch[] => []);
      let again = false;
      for (let i = 0; i < found.odd.length; i += 4) {
        const [column = 0, row = 0, begin = 0, to = 0] = found.odd.subarray(i, i + 4);
        const value = numberOf(textOf(begin, to));
        if (value !== undefined) patches[column]?.push({ row, value });
        else {
          asked[numbered[column] as number] = CELLS;
          again = true;
        }
      }
      if (again) continue;
      const count = found.lines.length;
      if (numbers.length !== count) numbers = new Float64Array(count);
      for (const [i, place] of numbered.entries()) {
        rows.take(i, numbers);
        let wide = found.wide[i] !== 0;
        for (const { row, value } of patches[i] as readonly Patch[]) {
          numbers[row] = value;
          wide ||= !Object.is(Math.fround(value), value);
        }
        columns[place]?.pushNumbers(numbers, wide);
      }
      for (const [i, place] of told.entries()) {
        for (let k = 2 * i * count; k < 2 * (i + 1) * count; k += 2)
          table.cell(place, textOf(found.cells[k] as number, found.cells[k + 1] as number));
        await pause();
      }
      table.ended(found.lines);
      line = found.line;
      return found;
    }
  }

  /** Takes the lines up to `end` of what has come; answers whether all of them were taken. */
  async function take(end: number): Promise<boolean> {
    [coming, going] = [going, coming];
    const { bytes, ascii } = going.taken();
    coming.begin(bytes.subarray(end), ascii);
    for (let at = 0; at < end; ) {
      const { end: taken, stopped } = await takeRows(bytes.subarray(at, end), ascii);
      at += taken;
      left = bytes.subarray(at, end);
      if (stopped) return false;
      await pause();
    }
    return true;
  }

  return {
    /** Adds to what is taken next, also while what came before is; answers whether it is enough. */
    add(text: string): boolean {
      coming.add(text);
      return coming.held >= size;
    },
    /** Takes what has come; answers false where a parser is needed, and then takes no more. */
    async take(): Promise<boolean> {
      size = Math.min(MOST, 2 * size);
      const { bytes } = coming.taken();
      if (bytes.length > LONGEST) return false;
      // What ends with a return may go on with a feed, of the same line end.
      const feed = bytes.lastIndexOf(LF);
      return take((feed >= 0 || bytes.length < 2 ? feed : bytes.lastIndexOf(CR, -2)) + 1);
    },
    /** The same at the end of the text, whose last line may have no end. */
    async finish(): Promise<boolean> {
      if (coming.held === 0) return true;
      coming.add('\n');
      return take(coming.held);
    },
    /** What a parser is to read on from, before what comes, and the line in which it begins. */
    rest: () => ({ text: Buffer.concat([left, coming.taken().bytes]).toString(), line }),
    close: (): void => rows.close(),
  };
}

/** Takes rows for as long as they need no parser; `rest` is the text from there on. The next text comes while one is taken. */
export async function takePlain(
  texts: AsyncIterable<string>,
  rows: ReturnType<typeof plainRows>,
): Promise<{ readonly rest: AsyncIterable<string> | undefined; readonly line: number }> {
  const pieces = texts[Symbol.asyncIterator]();
  /** Whether there was something. */
  const gathered = async (): Promise<boolean> => {
    for (let some = false; ; some = true) {
      const next = await pieces.next();
      if (next.done || rows.add(next.value)) return some || !next.done;
    }
  };
  let coming = gathered();
  async function* rest(): AsyncGenerator<string> {
    yield* inPieces(rows.rest().text);
    if (await coming) for (let next = await pieces.next(); !next.done; next = await pieces.next()) yield next.value;
  }
  try {
    while (await coming) {
      const taking = rows.take();
      coming = gathered();
      // What fails first in the text is told first.
      const [taken] = await Promise.all([taking, coming.catch(() => false)]);
      if (!taken) return { rest: rest(), line: rows.rest().line };
    }
    return (await rows.finish()) ? { rest: undefined, line: 1 } : { rest: rest(), line: rows.rest().line };
  } finally {
    rows.close();
  }
}
