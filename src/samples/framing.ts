/** Records, tables and streams as a Frame: each column is gathered value by value, and is of the kind that its values turn out to be. */
import { types } from 'node:util';
import { throwIfAborted, untilAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import type { Numbers } from '../core/native.js';
import { dtypeOf, zeros } from '../core/numbers.js';
import { growingNumbers, type Slabs } from '../tensor/growing.js';
import { breathe, inTurns, isArray, paced, pause } from '../tensor/inputs.js';
import { isRecord, itemsOf } from './arrived.js';
import { isCode } from './cells.js';
import type { Column } from './columns.js';
import { checkRecord, lacks, momentOf, numberOf, numberSaid, readOf, textOf } from './encoder.js';
import type { Frame, FrameColumn, Mixture } from './frame.js';
import { listText } from './label-lists.js';
import { type Cells, type ColumnsLike, columnReader, fieldsOf, type TableLike, tableOf, typeOf } from './table.js';

/** Texts by their number, in the order they came. */
function textValues() {
  const places = new Map<string, number>();
  const codes = growingNumbers();
  const codeOf = (text: string | null): number => {
    if (text === null) return -1;
    const known = places.get(text);
    if (known !== undefined) return known;
    places.set(text, places.size);
    return places.size - 1;
  };
  return {
    codeOf,
    codes,
    push: (text: string | null): void => codes.push(codeOf(text)),
    texts: (): readonly string[] => [...places.keys()],
  };
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

/** One for all columns that have none. */
const NO_NONES = new Map<number, string>();

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
 * @param before rows that have come without it
 * @param slabs memory for its numbers, which stay in the blocks that they come into
 */
export function columnBuilder(name: string, where: string, asText = false, before = 0, slabs?: Slabs) {
  let kind: Kind | undefined;
  const numbers = growingNumbers(slabs);
  /** What the numbers are that came before the first text. */
  let first: Kind | undefined;
  let texts: ReturnType<typeof textValues> | undefined;
  let rows = before;
  let missing = before;
  for (let i = 0; i < before; i += 1) numbers.push(Number.NaN);
  let told = 0;
  let code: string | undefined;
  let refused: DlAdmmError | undefined;
  let lists = 0;
  /** Numbers that came by `pushNumbers`. */
  let numbered = 0;
  /** What may be texts or missing values, before anything else says which, by row. */
  let nones = NO_NONES;
  const seen = new Map<Kind, { count: number; readonly row: number; readonly text: string }>();
  const place = (row: number): string => `row ${row} of column ${JSON.stringify(name)} of ${where}`;

  function becomeText(): void {
    missing -= nones.size;
    told += nones.size;
    texts = textValues();
    first = kind;
    kind = 'text';
  }

  const said = (value: number): string | null => {
    if (Number.isNaN(value)) return null;
    if (first === 'boolean') return String(value === 1);
    return first === 'date' ? new Date(value).toISOString() : String(value);
  };

  /** The texts, after what came before them. */
  async function allTexts(after: ReturnType<typeof textValues>) {
    const before = await numbers.taken();
    if (before.length === 0) return after;
    const all = textValues();
    await inTurns(before.length, (i) => all.push(said(before[i] as number) ?? nones.get(i) ?? null));
    const [codes, places] = [await after.codes.taken(), after.texts().map(all.codeOf)];
    await inTurns(codes.length, (i) => all.codes.push(places[codes[i] as number] ?? -1));
    return all;
  }

  return {
    /** Whether texts have come. */
    get texts(): boolean {
      return texts !== undefined;
    },
    /** Whether all that came were numbers, or missing: more of them may come by `pushNumbers`. */
    get plain(): boolean {
      return kind === 'number' && texts === undefined && lists === 0;
    },
    /** Numbers, and NaN where one is missing; `wide`: whether float32 holds not all of them. */
    pushNumbers(values: Float64Array, wide: boolean): void {
      let absent = 0;
      for (const value of values) absent += Number.isNaN(value) ? 1 : 0;
      missing += absent;
      told += values.length - absent;
      numbered += values.length - absent;
      rows += values.length;
      numbers.pushAll(values, wide);
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
        if (none && kind === undefined) {
          if (nones === NO_NONES) nones = new Map();
          nones.set(rows, textOf(value) as string);
        }
        if (texts) texts.push(null);
        else numbers.push(Number.NaN);
        rows += 1;
        return;
      }
      told += 1;
      rows += 1;
      if (found !== 'text' && kind === undefined) nones = NO_NONES;
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
      kind ??= found;
      // True and false among numbers are 1 and 0; everything else that is mixed is told by its text.
      if (kind === 'boolean' && found === 'number') kind = 'number';
      const fits = found === kind || (kind === 'number' && found === 'boolean');
      if (texts === undefined && (!fits || found === 'text')) becomeText();
      if (texts) texts.push(textOf(value) as string);
      else numbers.push(READ[kind as Exclude<Kind, 'text'>](value) as number);
    },
    async finish(): Promise<FrameColumn> {
      const count = seen.get('number');
      if (count) count.count += numbered;
      const mixture = texts && mixtureOf(seen, told);
      const flags = texts === undefined && seen.has('boolean') && seen.has('number');
      const common = {
        ...{ name, missing, ...(mixture && { mixture }), ...(flags && { flags: true as const }) },
        ...(code !== undefined && { code }),
        ...(refused && { refused }),
        ...(lists > 0 && { lists: true as const }),
      };
      if (texts === undefined) {
        const found = kind === 'text' || kind === undefined ? 'number' : kind;
        const as = (values: Numbers) => ({ ...common, kind: found, values });
        return numbers.file === undefined && slabs === undefined
          ? as(await numbers.taken())
          : inParts(numbers, 'values', (length) => zeros(dtypeOf(numbers.part(0, 0)), length), as);
      }
      const { codes, texts: named } = await allTexts(texts);
      const its = named();
      const as = (all: Int32Array) => ({ ...common, kind: 'text' as const, codes: all, texts: its });
      const make = (length: number) => new Int32Array(length);
      return codes.file ? inParts(codes, 'codes', make, as) : as(await codes.taken(make));
    },
  };
}

/** So many values are read from a file between two looks at the clock. */
const FETCHED = 2 ** 15;

/** The column that numbers are, of which nothing else is in memory than what stays there, or what is asked for, in what `make` makes. */
function inParts<T extends Numbers | Int32Array>(
  numbers: ReturnType<typeof growingNumbers>,
  member: 'values' | 'codes',
  make: (length: number) => T,
  as: (all: T) => FrameColumn,
): FrameColumn {
  const { file, length } = numbers;
  const column = { ...as(make(0)), part: numbers.part, ...(file ? { fetch } : { release: numbers.release }) };
  async function fetch(): Promise<void> {
    const out = make(length);
    for (let first = 0; first < length; first += FETCHED) {
      out.set(numbers.part(first, Math.min(FETCHED, length - first)), first);
      await pause();
    }
    file?.once(column, () => out);
  }
  const whole = (): T => {
    const out = make(length);
    out.set(numbers.part(0, length));
    return out;
  };
  return Object.defineProperty(column, member, {
    get: () => (file ? file.once(column, whole) : whole()),
    enumerable: true,
  });
}

export interface FrameOptions {
  /** How errors call it. */
  readonly name: string;
  readonly signal?: AbortSignal;
  /** Columns that a model knows: a record that seems to have one by another name is refused. */
  readonly known?: readonly Column[] | undefined;
}

const areAlike = (one: readonly string[], other: readonly string[]): boolean =>
  one.length === other.length && one.every((key, i) => key === other[i]);

const empty = (name: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_SHAPE', `Expected at least one row in ${name} but received none`);

/**
 * Records, one after the other, some at a time or all at once, or a table, as a Frame. A record may lack some columns, and have some that those
 * before it lack: such values are missing.
 *
 * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_STREAM, ERR_DLADMM_ABORTED
 */
export async function frameOf(
  x: TableLike | ColumnsLike | Iterable<unknown> | AsyncIterable<unknown>,
  { name, signal, known }: FrameOptions,
): Promise<Frame> {
  const table = tableOf(x, name);
  if (table) return frameOfTable(table, { name, ...(signal && { signal }) });
  if (typeof x !== 'object' || x === null || !(Symbol.asyncIterator in x || Symbol.iterator in x)) {
    throw expected('records, a table, a stream of records, or the path of a file', name, x);
  }
  const builders = new Map<string, ReturnType<typeof columnBuilder>>();
  const inherited = new Set<string>();
  let rows = 0;
  let before: readonly string[] = [];
  const take = (record: Cells): void => {
    const keys = Object.keys(record);
    if (known && !areAlike(keys, before)) checkRecord(record, known, `${name}[${rows}]`);
    before = keys;
    for (const key of keys) {
      if (builders.has(key)) continue;
      builders.set(key, columnBuilder(key, name, false, rows));
      if (key in Object.prototype) inherited.add(key);
    }
    for (const [key, builder] of builders) builder.push(inherited.has(key) ? readOf(key)(record) : record[key]);
    rows += 1;
  };
  const pace = paced();
  /** Takes one in; answers with a pause where it is time for it. */
  const taken = (item: unknown): Promise<void> | undefined => {
    throwIfAborted(signal, `Reading ${name}`);
    if (!isRecord(item) || types.isMap(item)) {
      const text = typeof item === 'string' || ArrayBuffer.isView(item);
      const help = text ? ' (a stream of text is read by its path, or as a Readable with objectMode: false)' : '';
      throw expected(`a record, as { column: value, … }${help},`, `${name}[${rows}]`, item);
    }
    take(item);
    return pace(builders.size);
  };
  // Of what is there already no promise a row is made, which would have to be collected.
  const takeAll = async (items: readonly unknown[]): Promise<void> => {
    for (const item of items) {
      const pausing = taken(item);
      if (pausing) await pausing;
    }
  };
  const stream =
    signal && !isArray(x) ? untilAborted(x, signal, () => `The signal was aborted after ${rows} rows of ${name}`) : x;
  try {
    if (isArray(stream)) await takeAll(stream);
    else for await (const item of stream) await takeAll(isArray(item) && item.length === 0 ? item : itemsOf(item));
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
export async function finished(
  builders: readonly { finish(): Promise<FrameColumn> }[],
): Promise<readonly FrameColumn[]> {
  const columns: FrameColumn[] = [];
  for (const builder of builders) {
    columns.push(await builder.finish());
    await breathe();
  }
  return columns;
}

/** Values of a column that are had at once. */
const PART = 2 ** 9;

async function frameOfTable(table: TableLike, { name, signal }: FrameOptions): Promise<Frame> {
  const pace = paced();
  const { numRows: rows } = table;
  if (!Number.isInteger(rows) || rows < 1) throw empty(name);
  const columns: FrameColumn[] = [];
  for (const field of fieldsOf(table, name)) {
    const read = columnReader(table, field, name);
    const type = String(typeOf(table, field));
    const builder = columnBuilder(field, name, /utf8/i.test(type));
    const isDate = /^(?:Date|Timestamp)/.test(type);
    for (let first = 0; first < rows; first += PART) {
      throwIfAborted(signal, `Reading ${name}`);
      const count = Math.min(PART, rows - first);
      const part = read(first, count);
      for (let i = 0; i < count; i += 1) {
        const value = part[i];
        builder.push(isDate && typeof value === 'number' ? new Date(value) : value);
      }
      await pace(count);
    }
    columns.push(await builder.finish());
  }
  return { name, rows, named: true, columns };
}
