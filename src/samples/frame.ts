/** A table by column, whole and as it came: what records, tables, streams and files are before anything is learnt of them. */
import { types } from 'node:util';
import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf, quoted } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { dtypeOf, growingNumbers, zeros } from '../core/numbers.js';
import { breathe, inTurns } from '../tensor/inputs.js';
import { isRecord } from './arrived.js';
import { isCode } from './cells.js';
import { lacks, momentOf, numberOf, numberSaid, readOf, textOf } from './encoder.js';
import { type ColumnPlace, placeOf } from './features.js';
import { listText } from './label-lists.js';
import { type Cells, type ColumnsLike, columnReader, fieldsOf, type TableLike, tableOf, typeOf } from './table.js';

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
  const text = `Expected ${what} but found lists, which only a target may hold: ignore (--drop) leaves the column out`;
  throw new DlAdmmError('ERR_DLADMM_ARGUMENT', text);
}

/** How errors call a row. */
export const placeText = ({ lines, origin }: Frame, row: number): string =>
  lines ? `line ${lines[row]}` : `row ${origin?.[row] ?? row}`;

/** The value of a row: a number, true or false, a text, or null where it is missing. */
export function valueAt(column: FrameColumn, row: number): number | string | boolean | null {
  if (column.kind === 'text') return column.texts[column.codes[row] as number] ?? null;
  const value = column.values[row] as number;
  if (Number.isNaN(value)) return null;
  return column.kind === 'boolean' ? value === 1 : value;
}

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
      const own = textValues([]);
      await inTurns(rows.length, (i) => {
        const text = column.texts[column.codes[rows[i] as number] as number] ?? null;
        if (text === null) missing += 1;
        own.push(text);
      });
      columns.push({ ...column, ...own.taken(), missing });
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

/** Texts by their number, in the order they came. */
function textValues(first: readonly (string | null)[]) {
  const places = new Map<string, number>();
  const codes = growingNumbers();
  const push = (text: string | null): void => {
    let code = text === null ? -1 : places.get(text);
    if (code === undefined) {
      code = places.size;
      places.set(text as string, code);
    }
    codes.push(code);
  };
  for (const text of first) push(text);
  return { push, taken: () => ({ codes: new Int32Array(codes.taken()), texts: [...places.keys()] }) };
}

/** What a value is; a text that says a number or a date is one. */
type Kind = 'number' | 'boolean' | 'date' | 'text';

function kindOf(value: unknown): Kind | undefined {
  if (typeof value === 'number') return 'number';
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'bigint') return numberOf(value) === undefined ? 'text' : 'number';
  if (typeof value === 'string') {
    if (!/^[\s\d+\-.tf]/i.test(value) || isCode(value)) return 'text';
    const number = numberSaid(value);
    if (number !== undefined) return /^\s*[tf]/i.test(value) ? 'boolean' : 'number';
    return momentOf(value) === undefined ? 'text' : 'date';
  }
  return momentOf(value) === undefined ? undefined : 'date';
}

const READ: Readonly<Record<Exclude<Kind, 'text'>, (value: unknown) => number | undefined>> = {
  number: numberSaid,
  boolean: numberSaid,
  date: momentOf,
};

/** Python writes so what is missing, which among texts may be a value like others. */
const isNone = (value: unknown): boolean => typeof value === 'string' && /^\s*none\s*$/i.test(value);

const CALLED = { number: 'numbers', date: 'dates', boolean: 'booleans' } as const;

/** What a column of texts was made of, where not all of its values were texts. */
function mixtureOf(
  seen: ReadonlyMap<Kind, { readonly count: number; readonly row: number; readonly text: string }>,
  told: number,
): Mixture | undefined {
  const [most, ...rest] = [...seen]
    .flatMap(([kind, each]) => (kind === 'text' ? [] : [{ kind, ...each }]))
    .toSorted((a, b) => b.count - a.count);
  const [first] = [...(seen.get('text') ? [seen.get('text')] : []), ...rest].flatMap((each) => each ?? []);
  if (most === undefined || first === undefined) return undefined;
  const { row, text } = first;
  return { most: CALLED[most.kind], numbers: most.count, texts: told - most.count, row, text };
}

/** What is against a value. */
const refusal = (value: unknown, place: string, listed: boolean): DlAdmmError =>
  typeof value === 'number' && !listed
    ? expected('a finite number', place, value, 'ERR_DLADMM_NON_FINITE')
    : expected(
        listed ? 'a list, as before,' : 'a number, a text, true or false, a Date, a list of labels or null',
        place,
        value,
      );

/**
 * Gathers the values of a column, of whatever kind they turn out to be.
 *
 * @param where how errors call the table
 * @param asText whether texts are texts, whatever they say
 */
export function columnBuilder(name: string, where: string, asText = false) {
  let kind: Kind | undefined;
  let numbers = growingNumbers();
  let texts: ReturnType<typeof textValues> | undefined;
  let rows = 0;
  let missing = 0;
  let told = 0;
  let code: string | undefined;
  let refused: DlAdmmError | undefined;
  let lists = 0;
  /** What may be texts or missing values, before anything else says which, by row. */
  const nones = new Map<number, string>();
  const seen = new Map<Kind, { count: number; readonly row: number; readonly text: string }>();
  const place = (row: number): string => `row ${row} of column ${JSON.stringify(name)} of ${where}`;

  /** What stands in the column so far, as texts. */
  function becomeText(): void {
    missing -= nones.size;
    told += nones.size;
    const before = [...numbers.taken()].map((value, row) => {
      if (Number.isNaN(value)) return nones.get(row) ?? null;
      if (kind === 'boolean') return String(value === 1);
      return kind === 'date' ? new Date(value).toISOString() : String(value);
    });
    texts = textValues(before);
    numbers = growingNumbers();
    kind = 'text';
  }

  return {
    /** Whether texts have come. */
    get texts(): boolean {
      return texts !== undefined;
    },
    push(value: unknown): void {
      const plain = asText && typeof value === 'string';
      const none = !plain && kind !== 'text' && isNone(value);
      const absent = lacks(value) || none;
      const found = typeof value === 'number' ? 'number' : plain ? 'text' : absent ? undefined : kindOf(value);
      const list = found === undefined && !absent && told === lists ? listText(value) : undefined;
      const infinite = value === Number.POSITIVE_INFINITY || value === Number.NEGATIVE_INFINITY;
      if (absent || infinite || (lists > 0 ? list === undefined : found === undefined && list === undefined)) {
        if (!absent) refused ??= refusal(value, place(rows), lists > 0);
        missing += 1;
        if (none && kind === undefined) nones.set(rows, textOf(value) as string);
        if (texts) texts.push(null);
        else numbers.push(Number.NaN);
        rows += 1;
        return;
      }
      told += 1;
      rows += 1;
      if (found === undefined) {
        if (texts === undefined) becomeText();
        texts?.push(list as string);
        lists += 1;
        return;
      }
      const before = seen.get(found);
      if (found === 'text' && !plain && isCode(value as string)) code ??= value as string;
      else if (before) before.count += 1;
      else seen.set(found, { count: 1, row: rows - 1, text: textOf(value) as string });
      if (kind === undefined && found !== 'text') nones.clear();
      kind ??= found;
      // True and false among numbers are 1 and 0; everything else that is mixed is told by its text.
      if (kind === 'boolean' && found === 'number') kind = 'number';
      const fits = found === kind || (kind === 'number' && found === 'boolean');
      if (texts === undefined && (!fits || found === 'text')) becomeText();
      if (texts) texts.push(textOf(value) as string);
      else numbers.push(READ[kind as Exclude<Kind, 'text'>](value) as number);
    },
    finish(): FrameColumn {
      const mixture = texts && mixtureOf(seen, told);
      const flags = texts === undefined && seen.has('boolean') && seen.has('number');
      const common = {
        ...{ name, missing, ...(mixture && { mixture }), ...(flags && { flags: true as const }) },
        ...(code !== undefined && { code }),
        ...(refused && { refused }),
        ...(lists > 0 && { lists: true as const }),
      };
      if (texts) return { ...common, kind: 'text', ...texts.taken() };
      return { ...common, kind: kind === 'text' || kind === undefined ? 'number' : kind, values: numbers.taken() };
    },
  };
}

export interface FrameOptions {
  /** How errors call it. */
  readonly name: string;
  readonly signal?: AbortSignal;
}

/** Values that are taken in between two turns of the event loop. */
const VALUES = 8000;

const empty = (name: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_SHAPE', `Expected at least one row in ${name} but received none`);

/**
 * Records, one after the other or all at once, or a table, as a Frame. A record may lack some columns, and have some that those
 * before it lack: such values are missing.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_STREAM, ERR_DLADMM_ABORTED
 */
export async function frameOf(
  x: TableLike | ColumnsLike | Iterable<unknown> | AsyncIterable<unknown>,
  { name, signal }: FrameOptions,
): Promise<Frame> {
  const table = tableOf(x, name);
  if (table) return frameOfTable(table, { name, ...(signal && { signal }) });
  if (typeof x !== 'object' || x === null || !(Symbol.asyncIterator in x || Symbol.iterator in x)) {
    throw expected('records, a table, a stream of records, or the path of a file', name, x);
  }
  const builders = new Map<string, ReturnType<typeof columnBuilder>>();
  const inherited = new Set<string>();
  let rows = 0;
  const take = (record: Cells): void => {
    for (const key of Object.keys(record)) {
      if (builders.has(key)) continue;
      const builder = columnBuilder(key, name);
      for (let i = 0; i < rows; i += 1) builder.push(null);
      builders.set(key, builder);
      if (key in Object.prototype) inherited.add(key);
    }
    for (const [key, builder] of builders) builder.push(inherited.has(key) ? readOf(key)(record) : record[key]);
    rows += 1;
  };
  let values = 0;
  try {
    for await (const item of x as AsyncIterable<unknown>) {
      throwIfAborted(signal, `Reading ${name}`);
      if (!isRecord(item) || types.isMap(item)) {
        const text = typeof item === 'string' || ArrayBuffer.isView(item);
        const help = text ? ' (a stream of text is read by its path, or as a Readable)' : '';
        throw expected(`a record, as { column: value, … }${help},`, `${name}[${rows}]`, item);
      }
      take(item);
      values += builders.size;
      if (values < VALUES) continue;
      values = 0;
      await breathe();
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    throw new DlAdmmError('ERR_DLADMM_STREAM', `${name} failed where row ${rows} was to come: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (rows === 0) throw empty(name);
  if (builders.size === 0) throw expected('records with keys', name, {});
  return { name, rows, named: true, records: true, columns: await finished([...builders.values()]) };
}

/** The columns that have been gathered; the event loop runs in between. */
export async function finished(builders: readonly { finish(): FrameColumn }[]): Promise<readonly FrameColumn[]> {
  const columns: FrameColumn[] = [];
  for (const builder of builders) {
    columns.push(builder.finish());
    await breathe();
  }
  return columns;
}

async function frameOfTable(table: TableLike, { name, signal }: FrameOptions): Promise<Frame> {
  const { numRows: rows } = table;
  if (!Number.isInteger(rows) || rows < 1) throw empty(name);
  const columns: FrameColumn[] = [];
  for (const field of fieldsOf(table, name)) {
    const read = columnReader(table, field, name);
    const type = String(typeOf(table, field));
    const builder = columnBuilder(field, name, /utf8/i.test(type));
    const isDate = /^(?:Date|Timestamp)/.test(type);
    for (let first = 0; first < rows; first += VALUES) {
      throwIfAborted(signal, `Reading ${name}`);
      const count = Math.min(VALUES, rows - first);
      const part = read(first, count);
      for (let i = 0; i < count; i += 1) {
        const value = part[i];
        builder.push(isDate && typeof value === 'number' ? new Date(value) : value);
      }
      await breathe();
    }
    columns.push(builder.finish());
  }
  return { name, rows, named: true, columns };
}
