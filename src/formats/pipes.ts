/** What is read from beginning to end and only once: the standard input, pipes, terminals. */
import { constants, createReadStream, open, type Stats } from 'node:fs';
import { Socket } from 'node:net';
import { addAbortSignal, type Readable } from 'node:stream';
import { promisify } from 'node:util';
import { DlAdmmError } from '../core/errors.js';

const openFile = promisify(open);

/** The path that stands for the standard input. */
export const STANDARD_INPUT = '-';

export const isPipe = (info: Stats): boolean => info.isFIFO() || info.isCharacterDevice();

/**
 * A FIFO that nobody writes to yet is waited for by the event loop: no thread is held by it, and destroying the stream ends the
 * wait.
 */
async function openPipe(path: string, info: Stats | undefined): Promise<Readable> {
  if (info === undefined) return process.stdin;
  if (!info.isFIFO()) return createReadStream(path);
  const fd = await openFile(path, constants.O_RDONLY | constants.O_NONBLOCK);
  return new Socket({ fd, readable: true, writable: false });
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
  if (signal) addAbortSignal(signal, pipe);
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of pipe as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > limit)
      throw new DlAdmmError(
        'ERR_DLADMM_MEMORY',
        `${path} brings more than ${limit} bytes, which do not fit into memory`,
      );
    parts.push(Buffer.from(part));
  }
  return Buffer.concat(parts);
}
