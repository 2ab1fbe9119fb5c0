/**
 * What values of DuckDB mean: what the same values in a file of Parquet do. They are told from their types and their members rather than by the
 * package `@duckdb/node-api`, whose own converter gives times in units that only types tell, and refuses what another copy of it has made.
 */
import { expected } from '../../core/errors.js';
import { decimal, moment } from './column-kinds.js';

/** A type of DuckDB, as that package has it. */
export interface DuckType {
  readonly typeId: number;
  /** Of what is in a list, or in a map. */
  readonly valueType?: DuckType;
  readonly keyType?: DuckType;
  typeForEntry?(name: string): DuckType;
  memberTypeForTag?(tag: string): DuckType;
}

type Read<T = never> = (value: T, type: DuckType) => unknown;
type Has<K extends string, T> = Readonly<Record<K, T>>;

const DAY_MICROS = 86_400_000_000n;

/** Infinity is a date to DuckDB, and to nobody else. */
function dated(date: Date, value: unknown): Date {
  if (!Number.isNaN(date.getTime())) return date;
  throw expected("dates that a Date can be, or null (nullif(…, 'infinity')),", 'a value of the query', String(value));
}

/** Moments in units of which so many are a millisecond. */
const moments =
  <K extends string>(key: K, units: number): Read<Has<K, bigint>> =>
  (value) =>
    dated(moment(value[key], units), value);

/** With a zone, that of the same moment in UTC: a file has no other. */
const zoned: Read<Has<'micros', bigint> & Has<'offset', number>> = ({ micros, offset }) => {
  const inDay = (micros - BigInt(offset) * 1_000_000n) % DAY_MICROS;
  return Number(inDay < 0n ? inDay + DAY_MICROS : inDay) / 1e6;
};

const listed: Read<Has<'items', readonly unknown[]>> = ({ items }, { valueType }) =>
  items.map((item) => fromDuckDB(item, valueType));

/** By the numbers that types have in DuckDB's interface for C. */
const READ: ReadonlyMap<number, Read> = new Map<number, Read>([
  [12, moments('micros', 1e3)],
  [13, (value: Has<'days', number>) => dated(new Date(value.days * 86_400_000), value)],
  [14, ({ micros }: Has<'micros', bigint>) => Number(micros) / 1e6],
  [15, ({ months, days, micros }: Has<'months' | 'days' | 'micros', unknown>) => ({ months, days, micros })],
  // Whole numbers of 128 bits are sums rather than identifiers, and doubles in a file.
  [16, Number],
  [18, ({ bytes }: Has<'bytes', unknown>) => bytes],
  [19, ({ value, scale }: Has<'value', bigint> & Has<'scale', number>) => decimal(value, scale)],
  [20, moments('seconds', 1e-3)],
  [21, moments('millis', 1)],
  [22, moments('nanos', 1e6)],
  [24, listed],
  [
    25,
    ({ entries }: Has<'entries', object>, type) =>
      Object.fromEntries(
        Object.entries(entries).map(([name, value]) => [name, fromDuckDB(value, type.typeForEntry?.(name))]),
      ),
  ],
  [
    26,
    ({ entries }: Has<'entries', readonly Has<'key' | 'value', unknown>[]>, { keyType, valueType }) =>
      entries.map(({ key, value }) => ({ key: fromDuckDB(key, keyType), value: fromDuckDB(value, valueType) })),
  ],
  [27, String],
  [
    28,
    ({ tag, value }: Has<'tag', string> & Has<'value', unknown>, type) => ({
      tag,
      value: fromDuckDB(value, type.memberTypeForTag?.(tag)),
    }),
  ],
  [29, ({ data }: Has<'data', unknown>) => data],
  [30, zoned],
  [31, moments('micros', 1e3)],
  [32, Number],
  [33, listed],
  [39, ({ nanos }: Has<'nanos', bigint>) => Number(nanos) / 1e9],
  [40, ({ bytes }: Has<'bytes', unknown>) => bytes],
  [41, ({ value, type }: Has<'value', unknown> & { readonly type?: DuckType }) => fromDuckDB(value, type)],
]);

/** A value as it comes by column; one of a type that is not known stays as it is, to be refused where it is used. */
export function fromDuckDB(value: unknown, type: DuckType | undefined): unknown {
  if (value === null || value === undefined) return null;
  const read = type && READ.get(type.typeId);
  return read ? read(value as never, type) : value;
}
