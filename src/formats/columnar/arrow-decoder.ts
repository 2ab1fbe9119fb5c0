import { decompressZstd } from 'hyparquet-compressors';
import { decompress } from 'lz4js';
import { messageOf } from '../../core/errors.js';
import { optionalPackage } from '../../core/package.js';
import { type ColumnLike, isTable, secondsOf, type TableLike } from '../../samples/table.js';
import { DEFLATE_LIMIT, formatError, unpackLimit } from '../bytes.js';
import {
  type Decoder,
  decimal,
  KINDS,
  moment,
  nodeZstd,
  pandasIndex,
  refusedKind,
  type StoredColumn,
  signedInteger,
} from './column-kinds.js';
import type { FileColumn } from './file.js';

interface Arrow {
  readonly tableFromIPC: (bytes: Uint8Array) => unknown;
  readonly compressionRegistry?: { get(type: number): unknown; set(type: number, codec: object): void };
}

interface ArrowTable extends TableLike {
  readonly schema: TableLike['schema'] & { readonly metadata?: ReadonlyMap<string, string> };
  getChildAt(column: number): ColumnLike | null;
}

/** The type of a column as apache-arrow tells of it. */
interface ArrowType {
  readonly scale?: number;
  readonly children?: readonly { readonly type: unknown }[] | null;
}

/** LZ4 frames and Zstandard, by their numbers in the format. */
const CODECS = [
  (packed: Uint8Array) => decompress(packed),
  (packed: Uint8Array) => (nodeZstd ? nodeZstd(packed, { maxOutputLength: unpackLimit() }) : decompressZstd(packed)),
] as const;

const PART = 2 ** 14;

const startsWith = (bytes: Uint8Array, text: string): boolean =>
  Buffer.from(bytes.subarray(0, text.length)).toString('latin1') === text;

/** How the values of a type are read: as they are, or by `convert`. */
interface Reading extends Pick<FileColumn, 'kind' | 'wide' | 'refused'> {
  readonly list?: true;
  readonly convert?: (value: never) => unknown;
}

function readingOf(type: unknown): Reading {
  const named = String(type);
  const { scale = 0, children } = type as ArrowType;
  const seconds = secondsOf(type);
  if (/^(?:FixedSize|Large)?List\b/.test(named)) {
    const item = readingOf(children?.[0]?.type);
    const { convert } = item;
    if (item.kind !== 'number' || item.list || item.refused) return refusedKind('lists of what is no number');
    const items = convert ? (list: Iterable<never>) => Array.from(list, (value) => given(value, convert)) : Array.from;
    return { ...item, list: true, convert: items as (value: never) => unknown };
  }
  if (named.startsWith('Dictionary<')) return readingOf((type as { readonly dictionary: unknown }).dictionary);
  if (/^(?:Large)?Utf8/.test(named)) return KINDS.text;
  if (named === 'Bool') return KINDS.boolean;
  if (/^(?:Float(?:16|32)|U?int(?:8|16))$/i.test(named)) return KINDS.narrow;
  if (/^(?:Float64|U?int(?:32|64)|Null)$/i.test(named)) return KINDS.wide;
  if (/^Decimal/.test(named)) {
    const words = ({ buffer, byteOffset, byteLength }: Uint32Array) => new Uint8Array(buffer, byteOffset, byteLength);
    return { ...KINDS.wide, convert: (value: Uint32Array) => decimal(signedInteger(words(value), true), scale) };
  }
  if (/^(?:Date|Timestamp)/.test(named)) return { ...KINDS.date, convert: (ms: number) => moment(ms, 1) };
  if (seconds !== undefined) return { ...KINDS.wide, convert: seconds };
  return refusedKind(named.replace(/[<[{].*$/s, '').toLowerCase() || 'another type');
}

const given = (value: unknown, convert: Reading['convert']): unknown =>
  value === null || value === undefined ? null : convert ? convert(value as never) : value;

/** What `toArray()` gives of other types is how they are stored, not what they mean. */
const PLAIN = /^(?:float(?:32|64)|u?int(?:8|16|32|64))$/i;

function* valuesOf(vector: ColumnLike, type: unknown, convert: Reading['convert']): Generator<ArrayLike<unknown>> {
  const plain = PLAIN.test(String(type)) && !((vector.nullCount ?? 0) > 0);
  for (let first = 0; first < vector.length; first += PART) {
    const count = Math.min(PART, vector.length - first);
    const values = plain
      ? vector.slice?.(first, first + count).toArray()
      : Array.from({ length: count }, (_, i) => given(vector.get?.(first + i), convert));
    if (values?.length !== count) throw new Error('a column has fewer values than it promises');
    yield values;
  }
}

/** A part of a column, as apache-arrow has it. */
interface Chunk {
  readonly length: number;
  readonly stride: number;
  readonly values?: ArrayLike<unknown>;
  readonly valueOffsets?: ArrayLike<unknown>;
  readonly type: unknown;
  readonly children: readonly Chunk[];
}

/** Whether there are as many values as a part says that it has: those that are not there would be taken for missing. */
function isWhole({ length, stride, values, valueOffsets, type, children }: Chunk): boolean {
  const held = valueOffsets
    ? valueOffsets.length - 1
    : ((values?.length ?? length * stride) / stride) * (String(type) === 'Bool' ? 8 : 1);
  return length === 0 || (held >= length && children.every(isWhole));
}

function open({ tableFromIPC }: Arrow, bytes: Uint8Array, name: string): ReturnType<Decoder> {
  if (startsWith(bytes, 'FEA1')) {
    throw formatError(name, 'Feather version 1; expected version 2, which is an Arrow file');
  }
  const table: unknown = tableFromIPC(bytes);
  if (!isTable(table)) throw new Error('it holds no table');
  const { numRows: rows, schema } = table as ArrowTable;
  // Columns of nulls take no bytes: of such alone nothing says that there are as many rows as a damaged file claims.
  if (rows > 0 && schema.fields.every(({ type }) => String(type) === 'Null'))
    throw new Error('it holds nothing but nulls');
  // A value takes a bit at least, and may be packed.
  if (!(rows <= 8 * DEFLATE_LIMIT * bytes.length)) throw new Error(`it promises ${rows} rows in ${bytes.length} bytes`);
  const isIndex = pandasIndex(schema.metadata?.get('pandas'));
  const columns = schema.fields.map(({ name: column, type }, place): StoredColumn => {
    const { convert, ...reading } = readingOf(type);
    const vector = (table as ArrowTable).getChildAt(place);
    const chunks = (vector as { readonly data?: readonly Chunk[] } | null)?.data ?? [];
    if (vector?.length !== rows || !chunks.every(isWhole)) throw new Error(`column ${column} has not ${rows} values`);
    return {
      name: column,
      ...reading,
      ...(isIndex(column) && { index: true }),
      values: () => valuesOf(vector, type, convert),
    };
  });
  return { rows, columns };
}

/**
 * Loads the package apache-arrow.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE
 */
export async function arrowDecoder(name: string): Promise<Decoder> {
  const arrow = await optionalPackage<Arrow>('apache-arrow', `Reading ${name}`);
  for (const [type, decode] of CODECS.entries()) {
    if (arrow.compressionRegistry && !arrow.compressionRegistry.get(type)) {
      arrow.compressionRegistry.set(type, { decode });
    }
  }
  return (bytes, file) => {
    try {
      return open(arrow, bytes, file);
    } catch (error) {
      const packed = arrow.compressionRegistry === undefined && /compress/i.test(messageOf(error));
      if (!packed) throw error;
      throw formatError(file, 'its buffers are compressed, which takes apache-arrow 21.1 or newer', error);
    }
  };
}
