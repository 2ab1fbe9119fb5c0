/** What is read from beginning to end and only once: the standard input, pipes, terminals. */
import { closeSync, constants, createReadStream, fstatSync, open, type Stats, statSync } from 'node:fs';
import { Socket } from 'node:net';
import { devNull } from 'node:os';
import type { Readable } from 'node:stream';
import { isatty, ReadStream } from 'node:tty';
import { promisify } from 'node:util';
import { onAbort } from '../core/abort.js';
import { DlAdmmError } from '../core/errors.js';

const openFile = promisify(open);

/** Whether a path stands for the standard input, which may be a socket. */
export const isStandardInput = (path: string): boolean => path === '-' || path === '/dev/stdin';

/** @throws DlAdmmError ERR_DLADMM_FILE for what brings nothing, or without an end, as devices do but for terminals and the empty one */
function checkEnds(path: string, info: Stats, fd?: number): void {
  const ends =
    fd !== undefined &&
    !info.isDirectory() &&
    (!info.isCharacterDevice() || isatty(fd) || info.rdev === statSync(devNull).rdev);
  if (ends) return;
  const kind = info.isDirectory() ? 'a folder' : info.isSocket() ? 'a socket' : 'a device without an end';
  throw new DlAdmmError(
    'ERR_DLADMM_FILE',
    `Expected a regular file, a pipe or a terminal at ${path}, but it is ${kind}`,
  );
}

/**
 * A FIFO that nobody writes to yet is waited for by the event loop: no thread is held by it, and destroying the stream ends the
 * wait.
 */
async function openPipe(path: string, info: Stats | undefined): Promise<Readable> {
  if (info === undefined) {
    checkEnds('the standard input', fstatSync(0), 0);
    return process.stdin;
  }
  if (!info.isFIFO() && !info.isCharacterDevice()) checkEnds(path, info);
  const fd = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
  if (info.isFIFO()) return new Socket({ fd, readable: true, writable: false });
  try {
    checkEnds(path, info, fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
  return isatty(fd) ? new ReadStream(fd) : createReadStream(path, { fd });
}

/**
 * All that comes out of a pipe or a device, or of the standard input.
 *
 * @param info what the path is; undefined for the standard input
 * @param limit the most bytes that are taken
 * @throws DlAdmmError ERR_DLADMM_MEMORY, and errors of the system
 */
export async function readPipe(
  path: string,
  info: Stats | undefined,
  limit: number,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  const pipe = await openPipe(path, info);
  const forget = onAbort(signal, () => pipe.destroy());
  const parts: Buffer[] = [];
  let length = 0;
  try {
    for await (const part of pipe as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > limit)
        throw new DlAdmmError(
          'ERR_DLADMM_MEMORY',
          `${path} brings more than ${limit} bytes, which do not fit into memory`,
        );
      parts.push(Buffer.from(part));
    }
  } finally {
    forget();
  }
  return Buffer.concat(parts);
}
