/** A stream of text or bytes as bytes, a piece at a time: unpacked where it is gzipped, as a file is. */
import { open, stat } from 'node:fs/promises';
import { pipeline, Readable } from 'node:stream';
import { types } from 'node:util';
import { constants, createGunzip, gunzipSync } from 'node:zlib';
import { throwIfAborted } from '../core/abort.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { pause } from '../tensor/inputs.js';
import { checkRoom, shrunk } from './atomic-file.js';
import { formatError, isGzip, readBytes, unpackLimit, unread } from './bytes.js';
import { isStandardInput } from './pipes.js';

/** A stream of text or bytes, as a request's body or `createReadStream` is. */
export type TextStream = AsyncIterable<Uint8Array | string>;

/** So much is parsed between two looks at the clock. */
const PIECE = 2 ** 14;

export const isStream = (source: unknown): source is TextStream =>
  typeof source === 'object' && source !== null && Symbol.asyncIterator in source;

async function* bytesOf(stream: TextStream, name: string): AsyncGenerator<Buffer, void, undefined> {
  try {
    for await (const piece of stream) {
      if (typeof piece !== 'string' && !types.isUint8Array(piece)) throw expected('text or bytes', name, piece);
      yield Buffer.from(piece as Uint8Array);
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    throw new DlAdmmError('ERR_DLADMM_STREAM', `${name} failed: ${messageOf(error)}`, { cause: error });
  }
}

async function* unpacked(packed: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer, void, undefined> {
  const limit = unpackLimit();
  let length = 0;
  const gunzip = pipeline(Readable.from(packed), createGunzip({ chunkSize: READ }), () => undefined);
  try {
    for await (const piece of gunzip as AsyncIterable<Buffer>) {
      length += piece.length;
      if (length > limit)
        throw new DlAdmmError('ERR_DLADMM_MEMORY', `${name}: the gzip data unpack to more than ${limit} bytes`);
      yield piece;
    }
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    throw formatError(name, `damaged or truncated gzip data (${messageOf(error)})`, error);
  }
}

/** The content of a stream, which may be gzipped: its first two bytes decide. */
async function* content(stream: TextStream, name: string): AsyncGenerator<Buffer, void, undefined> {
  const pieces = bytesOf(stream, name);
  try {
    const first: Buffer[] = [];
    for (let length = 0; length < 2; ) {
      const next = await pieces.next();
      if (next.done) break;
      first.push(next.value);
      length += next.value.length;
    }
    const head = Buffer.concat(first);
    async function* all(): AsyncGenerator<Buffer, void, undefined> {
      yield head;
      yield* pieces;
    }
    yield* isGzip(head) ? unpacked(all(), name) : all();
  } finally {
    // Who wanted the head alone has begun no other loop over the pieces.
    await pieces.return(undefined);
  }
}

/**
 * The bytes of a file's content or of a stream, in pieces between which the event loop has its turn.
 *
 * @throws DlAdmmError ERR_DLADMM_STREAM, ERR_DLADMM_FORMAT, ERR_DLADMM_MEMORY, ERR_DLADMM_ARGUMENT, ERR_DLADMM_ABORTED
 */
export async function* piecesOf(
  source: Uint8Array | TextStream,
  name: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const parts = types.isUint8Array(source) ? [source] : content(source as TextStream, name);
  for await (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) {
      throwIfAborted(signal, `Reading ${name}`);
      yield part.subarray(at, at + PIECE);
      await pause();
    }
  }
}

/** A file that is longer is not held whole where it can be read piece by piece. */
const LARGE = 2 ** 24;
/** So much of it is read at once. */
const READ = 2 ** 18;

async function* bytesIn(path: string): AsyncGenerator<Uint8Array, void, undefined> {
  try {
    const file = await open(path);
    try {
      const { size } = await file.stat();
      // What comes next is read while somebody takes what has come.
      const rooms = [new Uint8Array(READ), new Uint8Array(READ)] as const;
      const read = (at: number, turn: number) => file.read(rooms[turn % 2] as Uint8Array, 0, READ, at);
      let next = read(0, 0);
      for (let [at, turn] = [0, 1]; ; turn += 1) {
        const { bytesRead, buffer } = await next;
        if (bytesRead === 0 && at < size) throw shrunk(path);
        if (bytesRead === 0) return;
        at += bytesRead;
        next = read(at, turn);
        // An error is of him who waits for it.
        next.catch(() => undefined);
        yield buffer.subarray(0, bytesRead);
      }
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unread(path, error);
  }
}

/** The first bytes of what has been packed, where it has. */
function begun(head: Uint8Array): Uint8Array {
  if (!isGzip(head)) return head;
  try {
    return gunzipSync(head.subarray(0, 2 ** 12), { finishFlush: constants.Z_SYNC_FLUSH });
  } catch {
    // Told by who reads all of it.
    return head;
  }
}

/**
 * What a file holds: whole, or as a stream where it is long and `streams` agrees, by its first bytes, unpacked.
 *
 * @throws DlAdmmError as `readBytes`
 */
export async function contentOf(
  path: string,
  signal: AbortSignal | undefined,
  streams: (head: Uint8Array) => boolean,
): Promise<Uint8Array | TextStream> {
  const info = typeof path === 'string' && !isStandardInput(path) ? await stat(path).catch(() => undefined) : undefined;
  if (!info?.isFile() || info.size <= LARGE) return readBytes(path, signal);
  checkRoom(info.size, path);
  throwIfAborted(signal, `Reading ${path}`);
  for await (const head of bytesIn(path)) return streams(begun(head)) ? bytesIn(path) : readBytes(path, signal);
  return readBytes(path, signal);
}
