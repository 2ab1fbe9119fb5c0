import { setImmediate as nextTurn } from 'node:timers/promises';
import * as zlib from 'node:zlib';
import { type Compressors, type FileMetaData, parquetMetadata, parquetRead } from 'hyparquet';
import { parquetHeader } from 'hyparquet/src/column.js';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { DEFLATE_LIMIT, formatError, readBytes, unpackLimit } from './bytes.js';
import { type ColumnarFile, type ColumnPart, readColumnar } from './columnar.js';
import type { CsvTable, TableOptions } from './labels.js';
import { reader } from './reader.js';

const MAGIC = 'PAR1';

const textAt = (bytes: Uint8Array, at: number): string => Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');

export const isParquet = (bytes: Uint8Array): boolean => bytes.length >= 4 && textAt(bytes, 0) === MAGIC;

type Unpack = (bytes: Uint8Array, options: { readonly maxOutputLength: number }) => Uint8Array;

/** What Node itself can unpack; Zstandard since Node 22.15. */
function compressors(): Compressors {
  const zstd: unknown = 'zstdDecompressSync' in zlib ? zlib.zstdDecompressSync : undefined;
  const by = (unpack: Unpack) => (input: Uint8Array, length: number) =>
    unpack(input, { maxOutputLength: Math.max(1, length) });
  return {
    GZIP: by(zlib.gunzipSync),
    BROTLI: by(zlib.brotliDecompressSync),
    ...(typeof zstd === 'function' && { ZSTD: by(zstd as Unpack) }),
  };
}

interface LeafColumn {
  readonly name: string;
  readonly type: string | undefined;
}

/** The columns at the top of the schema; one that holds others has no type. */
function leaves({ schema }: FileMetaData): readonly LeafColumn[] {
  const columns: LeafColumn[] = [];
  let at = 1;
  const skip = (): void => {
    const children = schema[at]?.num_children ?? 0;
    at += 1;
    for (let i = 0; i < children && at < schema.length; i += 1) skip();
  };
  while (at < schema.length) {
    const element = schema[at];
    columns.push({ name: element?.name ?? '', type: element?.num_children ? undefined : element?.type });
    skip();
  }
  return columns;
}

const NARROW: readonly (string | undefined)[] = ['BOOLEAN', 'FLOAT'];
const TEXT: readonly (string | undefined)[] = ['BYTE_ARRAY', 'FIXED_LEN_BYTE_ARRAY'];

function checkCodecs(metadata: FileMetaData, known: readonly string[], name: string): void {
  for (const { columns } of metadata.row_groups) {
    for (const { meta_data } of columns) {
      const codec = meta_data?.codec ?? 'UNCOMPRESSED';
      if (known.includes(codec)) continue;
      const zstd = codec === 'ZSTD' ? ' (Node 22.15 and newer unpack ZSTD)' : '';
      throw formatError(
        name,
        `column ${meta_data?.path_in_schema.join('.')} is compressed by ${codec}; expected ${known.join(', ')}${zstd}: write it with snappy`,
      );
    }
  }
}

/** The codecs that never pack as tightly as Brotli and Zstandard may. */
const MODERATE = { UNCOMPRESSED: true, SNAPPY: true, GZIP: true } as const;

/**
 * Checks the header of every page against the file before any page is decoded: a damaged number there would have the decoder
 * count to it.
 */
function checkPages(bytes: Uint8Array, { row_groups }: FileMetaData): void {
  for (const { columns, num_rows } of row_groups) {
    for (const { meta_data } of columns) {
      if (meta_data === undefined) throw new Error('a column has no metadata');
      const { dictionary_page_offset, data_page_offset, total_compressed_size, path_in_schema, codec } = meta_data;
      const start = Number(dictionary_page_offset || data_page_offset);
      const end = start + Number(total_compressed_size);
      if (!(start >= 0 && end >= start && end <= bytes.length))
        throw new Error('a column lies beyond the end of the file');
      const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
      const reader = { view, offset: 0 };
      // Of a list there may be any number of values in a row, and lists are refused later.
      const most = path_in_schema.length > 1 ? Number.POSITIVE_INFINITY : Number(num_rows);
      while (reader.offset < view.byteLength) {
        const header = parquetHeader(reader);
        const {
          compressed_page_size: packed,
          uncompressed_page_size: size,
          dictionary_page_header: dictionary,
        } = header;
        const values = header.data_page_header?.num_values ?? header.data_page_header_v2?.num_values ?? 0;
        if (!(packed >= 0 && reader.offset + packed <= view.byteLength))
          throw new Error('a page ends after its column');
        if (
          !(
            size >= 0 &&
            size <= (codec in MODERATE ? Math.min(unpackLimit(), 64 + packed * DEFLATE_LIMIT) : unpackLimit())
          )
        )
          throw new Error('a page claims to unpack to too much');
        if (!(values >= 0 && values <= most)) throw new Error('a page has more values than there are rows');
        if (!((dictionary?.num_values ?? 0) <= 8 * size)) throw new Error('a dictionary has more values than bits');
        reader.offset += packed;
      }
    }
  }
}

const refusal = (name: string, error: unknown): DlAdmmError =>
  error instanceof DlAdmmError ? error : formatError(name, `damaged Parquet file: ${messageOf(error)}`, error);

function openParquet(bytes: Uint8Array, name: string): ColumnarFile {
  let metadata: FileMetaData;
  try {
    if (bytes.length < 12 || textAt(bytes, bytes.length - 4) !== MAGIC) throw new Error('it does not end with PAR1');
    metadata = parquetMetadata(bytes);
  } catch (error) {
    throw refusal(name, error);
  }
  const codecs = compressors();
  checkCodecs(metadata, ['UNCOMPRESSED', 'SNAPPY', ...Object.keys(codecs)], name);
  const columns = leaves(metadata);
  const counts = metadata.row_groups.map((group) => Number(group.num_rows));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (rows !== Number(metadata.num_rows) || counts.some((count) => !Number.isSafeInteger(count) || count < 0)) {
    throw formatError(name, `damaged Parquet file: it promises ${metadata.num_rows} rows but its groups have ${rows}`);
  }
  if (rows * columns.length * 8 > unpackLimit()) {
    throw new DlAdmmError(
      'ERR_DLADMM_MEMORY',
      `${name}: ${rows} rows of ${columns.length} columns do not fit into memory`,
    );
  }
  try {
    checkPages(bytes, metadata);
  } catch (error) {
    throw refusal(name, error);
  }
  const names = columns.map((column) => column.name);
  const file = {
    byteLength: bytes.length,
    // A Buffer's own slice is a view on the whole.
    slice: (start: number, end?: number): ArrayBuffer => new Uint8Array(bytes.subarray(start, end)).buffer,
  };

  async function* parts(wanted: readonly number[]): AsyncGenerator<ColumnPart> {
    let rowStart = 0;
    for (const count of counts) {
      const found: ColumnPart[] = [];
      try {
        await parquetRead({
          file,
          metadata,
          columns: wanted.map((column) => names[column] as string),
          rowStart,
          rowEnd: rowStart + count,
          compressors: codecs,
          onChunk: ({ columnName, columnData, rowStart: first }) => {
            found.push({ column: names.indexOf(columnName), first, values: columnData as ArrayLike<unknown> });
          },
        });
      } catch (error) {
        throw refusal(name, error);
      }
      yield* found;
      rowStart += count;
      await nextTurn();
    }
  }

  return {
    names,
    rows,
    isWide: (column) => !NARROW.includes(columns[column]?.type),
    isText: (column) => TEXT.includes(columns[column]?.type),
    parts,
  };
}

/** As `readParquet`, for a file's content; `name` is how errors call it. */
export const parseParquet = reader(
  async (bytes: Uint8Array, name: string, options: TableOptions = {}): Promise<CsvTable> => {
    return readColumnar(openParquet(bytes, name), name, options);
  },
);

/**
 * Reads a table from a Parquet file, a group of rows at a time: columns of numbers or booleans as features, in float32 where
 * that holds them and in float64 elsewhere, and a column of labels, as `readCsv` does. Pages may be plain or compressed by
 * Snappy, gzip or Brotli, on Node 22.15 and newer also by Zstandard.
 *
 * @throws ERR_DLADMM_FORMAT naming row and column for a missing value or one that is no number, for a damaged file, and for
 *   another compression; ERR_DLADMM_LABEL, ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE, ERR_DLADMM_FILE, ERR_DLADMM_MEMORY,
 *   ERR_DLADMM_ABORTED
 */
export const readParquet = reader(async (path: string, options: TableOptions = {}): Promise<CsvTable> => {
  return parseParquet(await readBytes(path, options.signal), path, options);
});
