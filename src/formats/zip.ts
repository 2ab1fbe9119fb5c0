import { promisify } from 'node:util';
import { crc32, inflateRaw } from 'node:zlib';
import { DlAdmmError, messageOf } from '../core/errors.js';
import { DEFLATE_LIMIT, formatError, unpackLimit } from './bytes.js';
import { reader } from './reader.js';

const inflateRawAsync = promisify(inflateRaw);

/** One file of an archive as its central directory describes it. Sizes are in bytes. */
export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly crc: number;
  readonly packedSize: number;
  readonly size: number;
  readonly offset: number;
}

const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_LENGTH = 22;
const ENTRY_LENGTH = 46;
const LOCAL_LENGTH = 30;

export const isZip = (bytes: Uint8Array): boolean =>
  bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5) && bytes[3] === (bytes[2] ?? 0) + 1;

const asBuffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** A 64-bit number as a double; one beyond 2⁵³ loses digits and fails every check of bounds that follows. */
const uint64 = (bytes: Buffer, at: number): number => Number(bytes.readBigUInt64LE(at));

/** The end record is last, but for a comment whose length it states itself. */
function findEnd(bytes: Buffer, name: string): number {
  const first = Math.max(0, bytes.length - END_LENGTH - 0xffff);
  for (let at = bytes.length - END_LENGTH; at >= first; at--)
    if (bytes.readUInt32LE(at) === END && at + END_LENGTH + bytes.readUInt16LE(at + 20) === bytes.length) return at;
  throw formatError(name, 'truncated or not a zip archive: found no end-of-directory record');
}

function directory(bytes: Buffer, name: string): { start: number; count: number; end: number } {
  const at = findEnd(bytes, name);
  if (at >= 20 && bytes.readUInt32LE(at - 20) === LOCATOR_64) {
    const end = uint64(bytes, at - 12);
    if (end + 56 > at - 20 || bytes.readUInt32LE(end) !== END_64)
      throw formatError(name, 'damaged zip archive: the ZIP64 locator points at no ZIP64 end record');
    return { start: uint64(bytes, end + 48), count: uint64(bytes, end + 32), end };
  }
  if (bytes.readUInt32LE(at + 4) !== 0) throw formatError(name, 'the zip archive is split over several files');
  return { start: bytes.readUInt32LE(at + 16), count: bytes.readUInt16LE(at + 10), end: at };
}

/** The values that did not fit into 32 bits stand in an extra field, in a fixed order, only those that are needed. */
function wideValues(bytes: Buffer, from: number, to: number, narrow: readonly number[], name: string): number[] {
  const bad = () => formatError(name, 'damaged zip archive: a ZIP64 field is missing or too short');
  const needed = narrow.filter((value) => value === 0xffffffff).length;
  if (needed === 0) return [...narrow];
  for (let at = from; at + 4 <= to; at += 4 + bytes.readUInt16LE(at + 2)) {
    if (bytes.readUInt16LE(at) !== 1) continue;
    let next = at + 4;
    if (next + 8 * needed > Math.min(to, next + bytes.readUInt16LE(at + 2))) throw bad();
    return narrow.map((value) => {
      if (value !== 0xffffffff) return value;
      next += 8;
      return uint64(bytes, next - 8);
    });
  }
  throw bad();
}

/**
 * The entries of a zip archive in memory, in the order of its central directory.
 *
 * @throws ERR_DLADMM_FORMAT if the directory is damaged, names a file twice, claims more packed bytes than the archive
 *   has, or more unpacked bytes than deflate can make of them; ERR_DLADMM_MEMORY if all entries together would unpack
 *   to more than half of the memory
 */
export const zipEntries = reader(
  (archive: Uint8Array, name: string): readonly ZipEntry[] => {
    const bytes = asBuffer(archive);
    const { start, count, end } = directory(bytes, name);
    const entries = new Map<string, ZipEntry>();
    let at = start;
    for (let i = 0; i < count; i++) {
      if (at + ENTRY_LENGTH > end || bytes.readUInt32LE(at) !== ENTRY)
        throw formatError(name, `damaged zip archive: the directory promises ${count} entries but holds ${i}`);
      const nameEnd = at + ENTRY_LENGTH + bytes.readUInt16LE(at + 28);
      const extraEnd = nameEnd + bytes.readUInt16LE(at + 30);
      const next = extraEnd + bytes.readUInt16LE(at + 32);
      if (next > end) throw formatError(name, `damaged zip archive: entry ${i + 1} runs past the end of the directory`);
      const entry = bytes.toString('utf8', at + ENTRY_LENGTH, nameEnd);
      if (entries.has(entry))
        throw formatError(name, `damaged zip archive: ${JSON.stringify(entry)} stands in it twice`);
      if (bytes.readUInt16LE(at + 8) & 1)
        throw formatError(name, `${JSON.stringify(entry)} in the archive is encrypted`);
      const narrow = [bytes.readUInt32LE(at + 24), bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 42)];
      const [size = 0, packedSize = 0, offset = 0] = wideValues(bytes, nameEnd, extraEnd, narrow, name);
      const method = bytes.readUInt16LE(at + 10);
      if (size > packedSize * DEFLATE_LIMIT + 64)
        throw formatError(
          name,
          `damaged zip archive: ${JSON.stringify(entry)} claims to unpack ${packedSize} bytes to ${size}`,
        );
      entries.set(entry, { name: entry, method, crc: bytes.readUInt32LE(at + 16), packedSize, size, offset });
      at = next;
    }
    const list = [...entries.values()];
    const total = (key: 'packedSize' | 'size') => list.reduce((sum, entry) => sum + entry[key], 0);
    // Entries that share their packed bytes are how a small archive unpacks to a huge one.
    if (total('packedSize') > bytes.length)
      throw formatError(name, `damaged zip archive: its entries claim more packed bytes than its ${bytes.length}`);
    if (total('size') > unpackLimit())
      throw new DlAdmmError(
        'ERR_DLADMM_MEMORY',
        `${name}: the archive unpacks to ${total('size')} bytes, more than the ${unpackLimit()} allowed on this machine`,
      );
    return list;
  },
  'zip',
  'npz',
);

/**
 * The bytes of one entry. Unpacked on a thread of libuv's pool, never to more than the size it claims, and checked
 * against its CRC-32. An entry that is stored and not packed is a view on the archive.
 *
 * @throws ERR_DLADMM_FORMAT if the entry is damaged or packed in another way than stored or deflated
 */
export const unzipEntry = reader(
  async (archive: Uint8Array, entry: ZipEntry, name: string): Promise<Uint8Array> => {
    const bytes = asBuffer(archive);
    const where = `${name}, entry ${JSON.stringify(entry.name)}`;
    const { offset, packedSize, size } = entry;
    if (offset + LOCAL_LENGTH > bytes.length || bytes.readUInt32LE(offset) !== LOCAL)
      throw formatError(where, 'damaged zip archive: the directory points at no entry');
    const start = offset + LOCAL_LENGTH + bytes.readUInt16LE(offset + 26) + bytes.readUInt16LE(offset + 28);
    if (start + packedSize > bytes.length)
      throw formatError(where, `truncated: expected ${packedSize} packed bytes, ${bytes.length - start} are left`);
    if (entry.method !== 0 && entry.method !== 8)
      throw formatError(where, `expected a stored or deflated entry but found compression method ${entry.method}`);
    const packed = bytes.subarray(start, start + packedSize);
    const content = entry.method === 0 ? packed : await inflate(packed, size, where);
    if (content.length !== size)
      throw formatError(where, `damaged: expected ${size} bytes but it unpacks to ${content.length}`);
    const crc = crc32(content);
    if (crc !== entry.crc)
      throw formatError(where, `damaged: expected the CRC-32 ${entry.crc.toString(16)} but found ${crc.toString(16)}`);
    return content;
  },
  'zip',
  'npz',
);

async function inflate(packed: Uint8Array, size: number, where: string): Promise<Uint8Array> {
  try {
    // One byte of room beyond the size it claims, or zlib would not see that the stream ends there.
    const room = size + 1;
    return await inflateRawAsync(packed, { maxOutputLength: room, chunkSize: Math.max(64, Math.min(room, 2 ** 28)) });
  } catch (error) {
    throw formatError(where, `damaged: ${messageOf(error)}`, error);
  }
}
