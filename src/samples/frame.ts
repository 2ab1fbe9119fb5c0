/** A table by column, whole and as it came: what records, tables, streams and files are before anything is learnt of them. */
import { DlAdmmError, quoted } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { inTurns } from '../tensor/inputs.js';
import { type ColumnPlace, placeOf } from './features.js';

/** Values of several kinds in a column that is told by its texts. */
export interface Mixture {
  /** What most are that are no texts. */
  readonly most: 'numbers' | 'dates' | 'booleans';
  /** How many, and how many others. */
  readonly numbers: number;
  readonly texts: number;
  /** Row and value of the first of the others. */
  readonly row: number;
  readonly text: string;
  /** How errors call that row, where the table is some rows of another. */
  readonly place?: string;
}

interface Common {
  readonly name: string;
  /** How many values are missing. */
  readonly missing: number;
  readonly mixture?: Mixture;
  /** Numbers among which true and false stand, as 1 and 0. */
  readonly flags?: true;
  /** The first of its numbers that begins with zeros, as codes do: they are texts. */
  readonly code?: string;
  /** What is against the first of its values that no column can hold; they are missing. */
  readonly refused?: DlAdmmError;
  /** Its texts are lists of labels, as JSON. */
  readonly lists?: true;
  /** Of a column that is kept in blocks, or in a file: some of its values or codes. All of them are put together where they are asked for. */
  readonly part?: (first: number, count: number) => Numbers;
  /** Of a column that is kept in a file: puts all of them together ahead, in turns; for as long as no other column is asked for. */
  readonly fetch?: () => Promise<void>;
  /** Says that the rows before that one are not asked for again, so that their memory may be given back. */
  readonly release?: (row: number) => void;
}

/** The values of a column: NaN, or −1 among codes, is a missing one; moments are milliseconds since 1970. */
export type FrameColumn = Common &
  (
    | { readonly kind: 'number' | 'boolean' | 'date'; readonly values: Numbers }
    /** `codes` say which of the texts a row has. */
    | { readonly kind: 'text'; readonly codes: Int32Array; readonly texts: readonly string[] }
  );

export interface Frame {
  /** How errors call it. */
  readonly name: string;
  readonly rows: number;
  /** Whether the columns have names of their own, rather than their places. */
  readonly named: boolean;
  readonly columns: readonly FrameColumn[];
  /** The line of a file that each row stood in, from 1. */
  readonly lines?: Numbers;
  /** The row that each was before some were taken. */
  readonly origin?: Int32Array;
  /** It comes from records, of which some may lack what others have. */
  readonly records?: true;
}

export const isFrame = (value: unknown): value is Frame =>
  typeof value === 'object' && value !== null && 'named' in value && 'columns' in value && 'rows' in value;

const named = new WeakMap<Frame['columns'], readonly string[]>();

/** The column that somebody names. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FORMAT */
export function namedColumn({ columns, name }: Frame, which: ColumnPlace, option: string): FrameColumn {
  const names = named.get(columns) ?? columns.map((column) => column.name);
  named.set(columns, names);
  return columns[placeOf(which, names, option, name)] as FrameColumn;
}

/** The column by another name; what is put together where it is asked for stays apart. */
export function renamed(column: FrameColumn, name: string): FrameColumn {
  if (column.name === name) return column;
  const all = { ...Object.getOwnPropertyDescriptors(column), name: { value: name, enumerable: true } };
  return Object.defineProperties({} as FrameColumn, all);
}

/** A table without some of its columns. @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FORMAT */
export function without(frame: Frame, ignore: readonly ColumnPlace[]): Frame {
  const left = new Set(ignore.map((which) => namedColumn(frame, which, 'ignore')));
  return left.size === 0 ? frame : { ...frame, columns: frame.columns.filter((column) => !left.has(column)) };
}

/** A column that is needed. @throws DlAdmmError what is against one of its values */
export function readable(column: FrameColumn): FrameColumn {
  if (column.refused) throw column.refused;
  return column;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT for a column of lists, which no input can hold, and as {@link readable} */
export function single(column: FrameColumn, called: string): FrameColumn {
  readable(column);
  if (!column.lists) return column;
  const what = `a value a row in column ${quoted(column.name)} of ${called}`;
  const text = `Expected ${what} but found lists, which only a target may hold: ignore (--ignore) leaves the column out`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/** How errors call a row. */
export const placeText = ({ lines, origin }: Frame, row: number): string =>
  lines ? `line ${lines[row]}` : `row ${origin?.[row] ?? row}`;

/** What a value or a code of a column stands for: a number, true or false, a text, or null where it is missing. */
export function saidBy(column: FrameColumn, value: number): number | string | boolean | null {
  if (column.kind === 'text') return column.texts[value] ?? null;
  if (Number.isNaN(value)) return null;
  return column.kind === 'boolean' ? value === 1 : value;
}

/** The same of a row. */
export const valueAt = (column: FrameColumn, row: number): number | string | boolean | null =>
  saidBy(column, (column.kind === 'text' ? column.codes : column.values)[row] as number);

/** Some rows of a table, in that order; the event loop runs in between. */
export async function takeRows(frame: Frame, rows: Int32Array): Promise<Frame> {
  const taken = async <T extends Numbers | Int32Array>(values: T, out: T): Promise<T> => {
    await inTurns(rows.length, (i) => {
      out[i] = values[rows[i] as number] as number;
    });
    return out;
  };
  const numbers = (values: Numbers): Promise<Numbers> => taken(values, zeros(dtypeOf(values), rows.length));
  const columns: FrameColumn[] = [];
  for (const whole of frame.columns) {
    const { mixture } = whole;
    const place = mixture && (mixture.place ?? placeText(frame, mixture.row));
    const column: FrameColumn = place === undefined ? whole : { ...whole, mixture: { ...(mixture as Mixture), place } };
    let missing = 0;
    if (column.kind === 'text') {
      // Only their own texts: what other rows say is not theirs to know.
      const texts: string[] = [];
      const places = new Int32Array(column.texts.length).fill(-1);
      const codes = new Int32Array(rows.length);
      await inTurns(rows.length, (i) => {
        const code = column.codes[rows[i] as number] as number;
        if (code < 0) missing += 1;
        else if ((places[code] as number) < 0) places[code] = texts.push(column.texts[code] as string) - 1;
        codes[i] = code < 0 ? -1 : (places[code] as number);
      });
      columns.push({ ...column, codes, texts, missing });
    } else {
      const values = await numbers(column.values);
      for (let i = 0; column.missing > 0 && i < values.length; i += 1) missing += Number.isNaN(values[i]) ? 1 : 0;
      columns.push({ ...column, values, missing });
    }
  }
  const place = frame.lines
    ? { lines: await numbers(frame.lines) }
    : { origin: rows.map((row) => frame.origin?.[row] ?? row) };
  return { ...frame, rows: rows.length, columns, ...place };
}
