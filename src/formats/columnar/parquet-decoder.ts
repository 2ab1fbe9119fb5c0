import * as zlib from 'node:zlib';
import { type Compressors, type FileMetaData, parquetMetadata, parquetSchema, type SchemaTree } from 'hyparquet';
import { assembleNested } from 'hyparquet/src/assemble.js';
import { parquetHeader, readColumn } from 'hyparquet/src/column.js';
import { DEFAULT_PARSERS } from 'hyparquet/src/convert.js';
import { isListLike } from 'hyparquet/src/schema.js';
import { decompressLz4, decompressLz4Raw, decompressZstd } from 'hyparquet-compressors';
import { DlAdmmError } from '../../core/errors.js';
import { PER_SECOND } from '../../samples/table.js';
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
  type Unpack,
} from './column-kinds.js';
import type { FileColumn } from './file.js';

type Values = ArrayLike<unknown>;
type ColumnChunk = FileMetaData['row_groups'][number]['columns'][number];

const by = (unpack: Unpack) => (input: Uint8Array, length: number) =>
  unpack(input, { maxOutputLength: Math.max(1, length) });

const COMPRESSORS: Compressors = {
  GZIP: by(zlib.gunzipSync),
  BROTLI: by(zlib.brotliDecompressSync),
  ZSTD: nodeZstd ? by(nodeZstd) : (input, length) => decompressZstd(input, new Uint8Array(length)),
  LZ4: decompressLz4,
  LZ4_RAW: decompressLz4Raw,
};
const CODECS: readonly string[] = ['UNCOMPRESSED', 'SNAPPY', ...Object.keys(COMPRESSORS)];
/** Those that may pack tighter than deflate. */
const TIGHT: readonly string[] = ['BROTLI', 'ZSTD'];
/** No writer makes pages of this size; what claims to be larger is damaged. */
const MAX_PAGE_BYTES = 2 ** 29;
const MAX_PAGE_VALUES = 2 ** 25;

/** Bytes that are no UTF-8 would become the same text as others. */
const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const text = (bytes: Uint8Array): string => strict.decode(bytes);
const PARSERS = { ...DEFAULT_PARSERS, stringFromBytes: text, jsonFromBytes: text };

/** How the values of a leaf are read: plainly, or as they are stored and then by `convert`. */
interface Reading extends Pick<FileColumn, 'kind' | 'wide' | 'refused'> {
  readonly convert?: (value: number | bigint | Uint8Array) => unknown;
}

const wholeOf = (value: number | bigint | Uint8Array): number | bigint =>
  typeof value === 'object' ? signedInteger(value, false) : value;

function readingOf({ type, converted_type: converted, logical_type: logical, scale }: SchemaTree['element']): Reading {
  const kind = logical?.type ?? converted;
  const unit = logical && 'unit' in logical ? logical.unit : converted?.replace(/^.*_/, '');
  const perSecond = PER_SECOND[unit ?? ''] ?? 1;
  if (kind === 'DECIMAL') {
    const digits = logical && 'scale' in logical ? logical.scale : (scale ?? 0);
    return { ...KINDS.wide, convert: (value) => decimal(wholeOf(value), digits) };
  }
  if (kind === 'DATE') return { ...KINDS.date, convert: (days) => new Date(Number(days) * 86_400_000) };
  if (kind?.startsWith('TIMESTAMP')) {
    return { ...KINDS.date, convert: (value) => moment(wholeOf(value), perSecond / 1000) };
  }
  if (kind?.startsWith('TIME')) return { ...KINDS.wide, convert: (value) => Number(value) / perSecond };
  if (type === 'INT96') return KINDS.date;
  if (kind === 'FLOAT16' || type === 'FLOAT') return KINDS.narrow;
  if (kind === 'UUID') return KINDS.text;
  if (kind !== undefined && ['INTERVAL', 'BSON', 'GEOMETRY', 'GEOGRAPHY', 'VARIANT'].includes(kind)) {
    return refusedKind(kind.toLowerCase());
  }
  if (type === 'BYTE_ARRAY') return KINDS.text;
  if (type === 'FIXED_LEN_BYTE_ARRAY') return refusedKind('bytes');
  if (type === 'BOOLEAN') return KINDS.boolean;
  const small = /^U?INT_(?:8|16)$/.test(converted ?? '') || (logical?.type === 'INTEGER' && logical.bitWidth <= 16);
  return small ? KINDS.narrow : KINDS.wide;
}

const leavesOf = (node: SchemaTree): SchemaTree[] => (node.children.length ? node.children.flatMap(leavesOf) : [node]);

/** The one leaf below a column of lists, or of plain values; undefined below one of anything else. */
function leafOf(node: SchemaTree): readonly SchemaTree[] | undefined {
  const path = [node];
  for (let at = node; at.children.length > 0; path.push(at)) {
    const [child] = at.children;
    if (at.children.length > 1 || child === undefined) return undefined;
    at = child;
  }
  const plain = path.length === 1 && node.element.repetition_type !== 'REPEATED';
  const list = path.length === 3 && isListLike(node);
  return plain || list ? path : undefined;
}

/** The bytes of a column of one group, each of whose pages has been checked: a damaged number would be counted to. */
function checkedChunk(bytes: Uint8Array, { meta_data, file_path }: ColumnChunk, rows: number): DataView {
  if (meta_data === undefined || file_path) throw new Error('a column lies in another file or has no metadata');
  const { dictionary_page_offset, data_page_offset, total_compressed_size, path_in_schema, codec } = meta_data;
  const start = Number(dictionary_page_offset || data_page_offset);
  const end = start + Number(total_compressed_size);
  if (!(start >= 0 && end >= start && end <= bytes.length)) throw new Error('a column lies beyond the end of the file');
  const view = new DataView(bytes.buffer, bytes.byteOffset + start, end - start);
  const reader = { view, offset: 0 };
  const largest = Math.min(MAX_PAGE_BYTES, unpackLimit());
  // Of a list there may be any number of values in a row.
  const most = path_in_schema.length > 1 ? MAX_PAGE_VALUES : Math.min(MAX_PAGE_VALUES, rows);
  while (reader.offset < view.byteLength) {
    const header = parquetHeader(reader);
    const { compressed_page_size: packed, uncompressed_page_size: size } = header;
    const { data_page_header_v2: second, dictionary_page_header: dictionary } = header;
    const values = header.data_page_header?.num_values ?? second?.num_values ?? 0;
    if (!(packed >= 0 && reader.offset + packed <= view.byteLength)) throw new Error('a page ends after its column');
    const room = TIGHT.includes(codec) ? largest : Math.min(largest, 64 + packed * DEFLATE_LIMIT);
    if (!(size >= 0 && size <= room)) throw new Error('a page claims to unpack to too much');
    if (!(values >= 0 && values <= most)) throw new Error('a page has more values than there are rows');
    if (!((dictionary?.num_values ?? 0) <= 8 * size)) throw new Error('a dictionary has more values than bits');
    const levels = [second?.definition_levels_byte_length ?? 0, second?.repetition_levels_byte_length ?? 0];
    if (!levels.every((length) => length >= 0) || !((levels[0] ?? 0) + (levels[1] ?? 0) <= packed))
      throw new Error('the levels of a page are longer than the page');
    reader.offset += packed;
  }
  return view;
}

function checkMetadata(metadata: FileMetaData, leaves: readonly SchemaTree[], name: string): number {
  const counts = metadata.row_groups.map((group) => Number(group.num_rows));
  const rows = counts.reduce((sum, count) => sum + count, 0);
  if (rows !== Number(metadata.num_rows) || counts.some((count) => !Number.isSafeInteger(count) || count < 0))
    throw new Error(`it promises ${metadata.num_rows} rows but its groups have ${rows}`);
  if (rows * leaves.length * 8 > unpackLimit()) {
    const what = `${rows} rows of ${leaves.length} columns do not fit into memory`;
    throw new DlAdmmError('ERR_DLADMM_MEMORY', `${name}: ${what}`);
  }
  for (const { columns } of metadata.row_groups) {
    if (columns.length !== leaves.length) throw new Error('a group of rows lacks a column');
    for (const [i, { meta_data, crypto_metadata }] of columns.entries()) {
      if (crypto_metadata) throw formatError(name, 'the file is encrypted: write it without encryption');
      const codec = meta_data?.codec ?? 'UNCOMPRESSED';
      const what = `column ${leaves[i]?.path.join('.')} is compressed by ${codec}; expected ${CODECS.join(', ')}`;
      if (!CODECS.includes(codec)) throw formatError(name, `${what}: write it with zstd or snappy`);
    }
  }
  return rows;
}

export const openParquet: Decoder = (bytes, name) => {
  const magic = (at: number): string => Buffer.from(bytes.subarray(at, at + 4)).toString('latin1');
  const last = magic(bytes.length - 4);
  if (last === 'PARE') throw formatError(name, 'the file is encrypted: write it without encryption');
  if (bytes.length < 12 || last !== 'PAR1') throw new Error('it does not end with PAR1');
  const metadata = parquetMetadata(bytes, { geoparquet: false });
  const root = parquetSchema(metadata);
  const leaves = leavesOf(root).filter((leaf) => leaf !== root);
  const rows = checkMetadata(metadata, leaves, name);
  const isIndex = pandasIndex(metadata.key_value_metadata?.find(({ key }) => key === 'pandas')?.value);

  function* valuesOf(path: readonly SchemaTree[], convert: Reading['convert']): Generator<Values> {
    const leaf = path.at(-1) as SchemaTree;
    const top = path[0] as SchemaTree;
    const at = leaves.indexOf(leaf);
    const { converted_type: _, logical_type: __, ...stored } = leaf.element;
    const element = convert ? stored : leaf.element;
    const schemaPath = [root, ...path.map((node) => (node === leaf ? { ...leaf, element } : node))];
    for (const { columns, num_rows } of metadata.row_groups) {
      const chunk = columns[at] as ColumnChunk;
      const count = Number(num_rows);
      if (count === 0) continue;
      const view = checkedChunk(bytes, chunk, count);
      const { type, codec, path_in_schema: pathInSchema } = chunk.meta_data as Required<ColumnChunk>['meta_data'];
      const { data } = readColumn(
        { view, offset: 0 },
        { groupStart: 0, selectStart: 0, selectEnd: count, groupRows: count },
        { type, codec, pathInSchema, element, schemaPath, parsers: PARSERS, compressors: COMPRESSORS, utf8: !convert },
      );
      for (const part of data)
        yield convert ? converted(assembled(part, path, top), convert) : assembled(part, path, top);
    }
  }

  const columns = root.children.map((node): StoredColumn => {
    const path = leafOf(node);
    const label = { name: node.element.name, ...(isIndex(node.element.name) && { index: true as const }) };
    if (path === undefined) return { ...label, ...refusedKind('a nested type'), values: () => [] };
    const { convert, ...kind } = readingOf((path.at(-1) as SchemaTree).element);
    const list = path.length > 1;
    const refused = list && kind.kind !== 'number' ? refusedKind('lists of what is no number') : {};
    return { ...label, ...kind, ...refused, ...(list && { list }), values: () => valuesOf(path, convert) };
  });
  return { rows, columns };
};

/** Lists as they are meant, where they have come as the levels of their schema. */
function assembled(part: Values, path: readonly SchemaTree[], top: SchemaTree): Values {
  if (path.length === 1) return part;
  const found = new Map([[(path.at(-1) as SchemaTree).path.join('.'), part as unknown[]]]);
  assembleNested(found, top, PARSERS);
  return found.get(top.path.join('.')) ?? [];
}

function converted(values: Values, convert: NonNullable<Reading['convert']>): unknown[] {
  return Array.from(values, (value) => {
    if (value === null || value === undefined) return null;
    return Array.isArray(value) ? converted(value, convert) : convert(value as number);
  });
}
