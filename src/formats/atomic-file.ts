import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import { access, constants, type FileHandle, open, realpath, rename, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { types } from 'node:util';
import { DlAdmmError, expected, messageOf, systemCode } from '../core/errors.js';

/** What a file can be written from: its bytes at once, or in pieces. */
export type FileContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

// One system call moves at most 2 GiB, and Node refuses to ask for more.
const MAX_TRANSFER = 1 << 30;

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'the file or its folder does not exist'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['EFBIG', 'it would be larger than the file system or a limit of the process allows'],
  ['ENAMETOOLONG', 'the name is too long'],
  ['ELOOP', 'the symbolic links run in a circle'],
]);

/** An error of the system as one of ours, which says what could not be done to which file, and why. */
export function fileError(action: 'read' | 'write', path: string, cause: unknown): DlAdmmError {
  const code = systemCode(cause);
  const reason = (code && REASONS.get(code)) ?? messageOf(cause);
  return new DlAdmmError('ERR_DLADMM_FILE', `Could not ${action} ${path}: ${reason}${code ? ` (${code})` : ''}`, {
    cause,
  });
}

export function checkPath(path: unknown, name = 'path'): asserts path is string {
  if (typeof path !== 'string' || path === '') throw expected('a file name', name, path);
  if (path.includes('\0')) throw expected('a file name without a zero byte', name, path);
}

// Anything else than a file is refused before it is opened: a pipe would block, a device be replaced by the rename.
function checkRegular(action: 'read' | 'write', path: string, found: Stats): void {
  if (found.isFile()) return;
  const kind = found.isDirectory() ? 'a folder' : 'not a regular file';
  throw new DlAdmmError('ERR_DLADMM_FILE', `Could not ${action} ${path}: it is ${kind}`);
}

/** `error` when it says that nothing is there; any other error is thrown. */
function absent(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
}

async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(bytes.length - at, MAX_TRANSFER));
    at += bytesWritten;
  }
}

/** Makes a rename in `folder` last through a power cut, on the file systems that can. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r').catch(() => undefined);
  try {
    await handle?.sync();
  } catch {
    // Network and some user-space file systems cannot sync a folder. The file itself is whole all the same.
  } finally {
    await handle?.close();
  }
}

/** Only the errors of the file system are ours to explain; what the caller's own iterator throws goes to the caller. */
async function guarded<T>(path: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof DlAdmmError) throw error;
    throw fileError('write', path, error);
  }
}

/**
 * Writes a file so that at every moment, a crash or a full disk included, `path` holds either what it held before or all of
 * the new bytes: they go to a temporary file in the same folder, which then takes the place of the old file. When anything
 * fails the temporary file is removed. A symbolic link is followed, the permissions of an existing file are kept.
 *
 * The bytes must not change until the promise is settled.
 *
 * @throws DlAdmmError `ERR_DLADMM_ARGUMENT` for a path that is no file name or content that is not bytes;
 *   `ERR_DLADMM_FILE` for a missing folder, a full disk, missing rights, or a path that names a folder or a device.
 *   An error thrown by the caller's iterable is passed on as it is.
 */
export async function writeFileAtomic(path: string, content: FileContent): Promise<void> {
  checkPath(path);
  if (!isContent(content)) throw expected('a Uint8Array or an iterable of them', 'content', content);
  await replaceFile(path, '.dladmm-', async (file) => {
    for await (const piece of types.isUint8Array(content) ? [content] : content) {
      if (!types.isUint8Array(piece)) throw expected('Uint8Arrays', 'the pieces of content', piece);
      await guarded(path, () => writeAll(file, piece));
    }
  });
}

/**
 * {@link writeFileAtomic} for content that `write` puts into the temporary file, whose name begins with `prefix`.
 *
 * @throws DlAdmmError as {@link writeFileAtomic}; what `write` throws is passed on as it is
 */
export async function replaceFile(
  path: string,
  prefix: string,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  checkPath(path);
  const target = await guarded(path, () => realpath(path).catch(absent)).then((found) => found ?? path);
  const earlier = await guarded(path, () => stat(target).catch(absent));
  if (earlier) checkRegular('write', path, earlier);

  const folder = dirname(target);
  const temporary = join(folder, `${prefix}${randomBytes(8).toString('hex')}.tmp`);
  const file = await guarded(path, () => open(temporary, 'wx'));
  try {
    try {
      if (earlier) await guarded(path, () => file.chmod(earlier.mode & 0o7777));
      await write(file);
      await guarded(path, () => file.sync());
      // Still open, so that a lock on it lasts until it has its name.
      await guarded(path, () => rename(temporary, target));
    } finally {
      await guarded(path, () => file.close());
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(folder);
}

/**
 * Finds out, before a long work, what `writeFileAtomic` would stumble over: a missing folder, missing rights, a path that
 * names no regular file. Nothing is created.
 *
 * @throws DlAdmmError `ERR_DLADMM_ARGUMENT`, `ERR_DLADMM_FILE` as `writeFileAtomic`
 */
export async function checkWritable(path: string): Promise<void> {
  checkPath(path);
  await guarded(path, async () => {
    const target = (await realpath(path).catch(absent)) ?? path;
    const earlier = await stat(target).catch(absent);
    if (earlier) checkRegular('write', path, earlier);
    await access(dirname(target), constants.W_OK);
  });
}

function isContent(content: unknown): content is FileContent {
  return (
    typeof content === 'object' && content !== null && (Symbol.iterator in content || Symbol.asyncIterator in content)
  );
}

/**
 * All bytes of a regular file, of any size that fits into memory.
 *
 * @throws DlAdmmError `ERR_DLADMM_FILE` when it is missing, unreadable, or not a regular file, or shrinks while it is read;
 *   `ERR_DLADMM_MEMORY` when it does not fit.
 */
export async function readWholeFile(path: string): Promise<Uint8Array> {
  checkPath(path);
  try {
    checkRegular('read', path, await stat(path));
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const bytes = allocate(size, path);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(bytes, at, Math.min(size - at, MAX_TRANSFER), at);
        if (bytesRead === 0)
          throw new DlAdmmError('ERR_DLADMM_FILE', `Could not read ${path}: it shrank while being read`);
        at += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    throw error instanceof DlAdmmError ? error : fileError('read', path, error);
  }
}

function allocate(size: number, path: string): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch (cause) {
    throw new DlAdmmError('ERR_DLADMM_MEMORY', `Could not read ${path}: its ${size} bytes do not fit into memory`, {
      cause,
    });
  }
}
