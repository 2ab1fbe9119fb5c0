import { readFile, stat } from 'node:fs/promises';
import { endianness } from 'node:os';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError, deniedBecause, expected, messageOf, systemCode } from '../core/errors.js';
import { addressReason, checkRoom, isNowhere, pathText, shrunk } from './atomic-file.js';
import { isStandardInput, readPipe } from './pipes.js';

const gunzipAsync = promisify(gunzip);

const HOST_IS_LITTLE_ENDIAN = endianness() === 'LE';

/** Deflate never packs more than 1032 bytes into one: a file that claims more is lying. */
export const DEFLATE_LIMIT = 1032;

/** The most bytes a packed file may unpack to: half of the memory that is left, and never more than 4 GiB − 1. */
export const unpackLimit = (): number => Math.min(2 ** 32 - 1, Math.floor(process.availableMemory() / 2));

/** A file that is truncated, damaged, or not of the format it claims. */
export function formatError(name: string, message: string, cause?: unknown): DlAdmmError {
  return new DlAdmmError('ERR_DLADMM_FORMAT', `${name}: ${message}`, cause === undefined ? undefined : { cause });
}

export const isGzip = (bytes: Uint8Array): boolean => bytes[0] === 0x1f && bytes[1] === 0x8b;

async function readWhole(path: string, signal: AbortSignal | undefined): Promise<Buffer> {
  try {
    const info = isStandardInput(path) ? undefined : await stat(path);
    // Its parts are joined in the end.
    if (!info?.isFile()) return await readPipe(path, info, Math.floor(unpackLimit() / 2), signal);
    checkRoom(info.size, path);
    const bytes = await readFile(path, { signal });
    if (bytes.length < info.size) throw shrunk(path);
    return bytes;
  } catch (error) {
    throwIfAborted(signal, `Reading ${path}`);
    throw unread(path, error);
  }
}

/** Why a file could not be read. */
export function unread(path: string, error: unknown): DlAdmmError {
  if (error instanceof DlAdmmError) return error;
  const code = systemCode(error);
  const why =
    deniedBecause(error) ??
    (isNowhere(code) ? addressReason(path, 'read') : undefined) ??
    (code === 'ENOENT' ? 'there is no such file' : messageOf(error));
  return new DlAdmmError('ERR_DLADMM_FILE', `Could not read ${pathText(path)}: ${why}`, { cause: error });
}

/** Unpacks gzip on a thread of libuv's pool; zlib checks CRC-32 and length. */
async function unpack(packed: Buffer, name: string): Promise<Buffer> {
  const limit = unpackLimit();
  // The trailer's size lets the result come in one piece, without joining chunks; as it may lie it is only a hint.
  const hint = packed.length >= 18 ? packed.readUInt32LE(packed.length - 4) + 1 : 0;
  const chunkSize = Math.max(1024, Math.min(hint, packed.length * DEFLATE_LIMIT, limit, 2 ** 28));
  try {
    return await gunzipAsync(packed, { chunkSize, maxOutputLength: limit });
  } catch (error) {
    if (systemCode(error) === 'ERR_BUFFER_TOO_LARGE')
      throw new DlAdmmError('ERR_DLADMM_MEMORY', `${name}: the gzip data unpack to more than ${limit} bytes`, {
        cause: error,
      });
    throw formatError(name, `damaged or truncated gzip data (${messageOf(error)})`, error);
  }
}

/**
 * The content of a file, of a pipe, or of the standard input (`-`), unpacked if it is gzipped: the first two bytes decide, not the
 * name.
 *
 * @throws ERR_DLADMM_FILE if the file cannot be read, ERR_DLADMM_FORMAT if its gzip data are damaged,
 *   ERR_DLADMM_MEMORY if it unpacks to more than half of the memory that is left, ERR_DLADMM_ABORTED
 */
export async function readBytes(path: string, signal?: AbortSignal): Promise<Uint8Array> {
  if (typeof path !== 'string' || path === '' || path.includes('\0')) throw expected('a file path', 'path', path);
  throwIfAborted(signal, `Reading ${path}`);
  const bytes = await readWhole(path, signal);
  const content = isGzip(bytes) ? await unpack(bytes, path) : bytes;
  throwIfAborted(signal, `Reading ${path}`);
  return content;
}

/** The number of elements of a shape: exact as far as doubles are, beyond that larger than any file. */
export const elementCount = (shape: readonly number[]): number =>
  Number(shape.reduce((product, length) => product * BigInt(length), 1n));

export interface TypedArrayConstructor<T> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): T;
}

/**
 * `count` numbers from `bytes` at `offset`: a view on the same memory where alignment and byte order allow it,
 * otherwise a copy in the machine's byte order. The caller has checked that the bytes are there.
 */
export function numbersAt<T>(
  type: TypedArrayConstructor<T>,
  bytes: Uint8Array,
  offset: number,
  count: number,
  littleEndian: boolean,
): T {
  const size = type.BYTES_PER_ELEMENT;
  const start = bytes.byteOffset + offset;
  const swap = size > 1 && littleEndian !== HOST_IS_LITTLE_ENDIAN;
  if (!swap && start % size === 0) return new type(bytes.buffer, start, count);
  const copy = Buffer.from(new ArrayBuffer(count * size));
  copy.set(bytes.subarray(offset, offset + count * size));
  if (swap) {
    if (size === 2) copy.swap16();
    else if (size === 4) copy.swap32();
    else copy.swap64();
  }
  return new type(copy.buffer, copy.byteOffset, count);
}
