import { randomBytes } from 'node:crypto';
import type { Dirent, Stats } from 'node:fs';
import {
  access,
  chmod,
  constants,
  type FileHandle,
  open,
  readdir,
  readlink,
  realpath,
  rename,
  stat,
  unlink,
} from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { types } from 'node:util';
import { DlAdmmError, deniedBecause, expected, messageOf, quoted, systemCode } from '../core/errors.js';
import { native } from '../core/native.js';

/** What a file can be written from: its bytes at once, or in pieces. */
export type FileContent = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

// One system call moves at most 2 GiB, and Node refuses to ask for more.
const MAX_TRANSFER = 1 << 30;

const REASONS: ReadonlyMap<string, string> = new Map([
  ['ENOENT', 'the file or its folder does not exist'],
  ['ENOTDIR', 'a part of the path is not a folder'],
  ['EEXIST', 'what is there is not a folder'],
  ['ENOSPC', 'the disk is full'],
  ['EDQUOT', 'the disk quota is used up'],
  ['EACCES', 'permission denied'],
  ['EPERM', 'permission denied'],
  ['EROFS', 'the file system is read-only'],
  ['EFBIG', 'it would be larger than the file system or a limit of the process allows'],
  ['ENAMETOOLONG', 'the name is too long'],
  ['ELOOP', 'the symbolic links run in a circle'],
]);

/** Whether a text is rather what is in a file than its path: JSON, or lines. */
const isFileText = (path: string): boolean => /^\s*[[{]\s*["[{\d]|\n/.test(path);

/** A path as errors show it, of what is none its beginning. */
export const pathText = (path: string): string => (isFileText(path) ? quoted(path) : path);

/** Whether the system knows nothing that is called so. */
export const isNowhere = (code: string | undefined): boolean => code === 'ENOENT' || code === 'ENAMETOOLONG';

/** What is to be said of a path where nothing is, if it is an address. */
export function addressReason(path: string, action: 'read' | 'write'): string | undefined {
  if (action === 'read' && isFileText(path)) return 'a text is a path: what is in a file is parsed to rows first';
  if (/^file:/i.test(path)) return 'a text is a path: leave file:// out, or give new URL(…)';
  if (!/^[a-z][a-z\d+.-]+:\/\//i.test(path)) return undefined;
  const help = action === 'read' ? 'fetch it first' : 'name one, and send it there';
  return `it is an address, but only files of this machine are read and written: ${help}`;
}

/** An error of the system as one of ours, which says what could not be done to which file, and why. */
export function fileError(action: 'read' | 'write', path: string, cause: unknown): DlAdmmError {
  const code = systemCode(cause);
  const addressed = isNowhere(code) ? addressReason(path, action) : undefined;
  const reason = deniedBecause(cause) ?? addressed ?? (code && REASONS.get(code)) ?? messageOf(cause);
  return new DlAdmmError(
    'ERR_DLADMM_FILE',
    `Could not ${action} ${pathText(path)}: ${reason}${code ? ` (${code})` : ''}`,
    {
      cause,
    },
  );
}

export function checkPath(path: unknown, name = 'path'): asserts path is string {
  if (typeof path !== 'string' || path === '') throw expected('a file name', name, path);
  if (path.includes('\0')) throw expected('a file name without a zero byte', name, path);
}

// Anything else than a file is refused before it is opened: a pipe would block, a device be replaced by the rename.
export function checkRegular(action: 'read' | 'write', path: string, found: Stats): void {
  if (found.isFile()) return;
  const kind = found.isDirectory() ? 'a folder' : 'not a regular file';
  throw new DlAdmmError('ERR_DLADMM_FILE', `Could not ${action} ${path}: it is ${kind}`);
}

/** A kind of files that we write: what one begins with behind the eight bytes that say how long its header is, and what errors call it. */
export interface Ours {
  readonly begins: string;
  readonly what: string;
}

/** Refuses to take the place of somebody's file; an empty one is nobody's. */
async function checkOurs(path: string, target: string, { begins, what }: Ours): Promise<void> {
  const file = await open(target, 'r');
  try {
    const start = Buffer.alloc(begins.length);
    await file.read(start, 0, start.length, 8);
    if (start.toString('latin1') === begins || (await file.stat()).size === 0) return;
  } finally {
    await file.close();
  }
  const text = `Refused to write to ${path}: it is there already, and no ${what}; name another file, or remove it`;
  throw new DlAdmmError('ERR_DLADMM_FILE', text);
}

/** `error` when it says that nothing is there; any other error is thrown. */
function absent(error: unknown): undefined {
  if (systemCode(error) !== 'ENOENT') throw error;
  return undefined;
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

/** Writes `bytes` to the temporary file of {@link replaceFile}: behind those before, or at a place; errors name `path`. */
export function writePiece(file: FileHandle, bytes: Uint8Array, path: string, place?: number): Promise<void> {
  return guarded(path, async () => {
    for (let at = 0; at < bytes.length; ) {
      const { bytesWritten } = await file.write(
        bytes,
        at,
        Math.min(bytes.length - at, MAX_TRANSFER),
        place === undefined ? null : place + at,
      );
      at += bytesWritten;
    }
  });
}

/**
 * Where a file of that name lies, or will lie: symbolic links are followed, one to a file that is not there yet as well.
 */
export async function targetOf(path: string): Promise<string> {
  const found = await realpath(path).catch(absent);
  if (found !== undefined) return found;
  const link = await readlink(path).catch((error: unknown) =>
    systemCode(error) === 'EINVAL' ? undefined : absent(error),
  );
  return link === undefined ? path : targetOf(resolve(await realpath(dirname(path)), link));
}

/** Node denies `fchmod` to every process under its permission model, and the mode by name only where it may not write. */
const setMode = (file: FileHandle, name: string, mode: number): Promise<void> =>
  file
    .chmod(mode)
    .catch((error: unknown) => (systemCode(error) === 'ERR_ACCESS_DENIED' ? chmod(name, mode) : Promise.reject(error)));

const TEMPORARY = /^\.dladmm-.*\.tmp$/;

/**
 * Takes the lock of an open file: false where somebody else has it. Whoever writes a temporary file holds its lock, so what is
 * found without one was left by a process that was killed. Undefined without the addon, or before it can be loaded.
 */
function locked(file: FileHandle): boolean | undefined {
  try {
    return native.lockFile(file.fd);
  } catch {
    return undefined;
  }
}

/** A new file beside `target`, which is ours: between its making and its lock somebody may have taken it for a leftover. */
async function openTemporary(target: string): Promise<{ readonly file: FileHandle; readonly temporary: string }> {
  for (;;) {
    const temporary = join(dirname(target), `.dladmm-${randomBytes(8).toString('hex')}.tmp`);
    const file = await open(temporary, 'wx');
    if (locked(file) !== false && (await file.stat()).nlink > 0) return { file, temporary };
    await file.close();
  }
}

/** Removes what killed processes have left in the folder of `path` of any file of ours; what others are writing stays. */
export async function removeLeftovers(path: string): Promise<void> {
  const folder = dirname(await targetOf(path).catch(() => path));
  const entries: readonly Dirent[] = await readdir(folder, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    if (!entry.isFile() || !TEMPORARY.test(entry.name)) continue;
    const leftover = join(folder, entry.name);
    const file = await open(leftover, 'r+').catch(() => undefined);
    try {
      if (file && locked(file)) await unlink(leftover);
    } catch {
      // Somebody else was faster, or may and we may not.
    } finally {
      await file?.close();
    }
  }
}

/**
 * Writes a file so that at every moment, a crash or a full disk included, `path` holds either what it held before or all of
 * the new bytes: they go to a temporary file in the same folder, which then takes the place of the old file. When anything
 * fails the temporary file is removed; one that a killed process has left is removed by the next that writes into the folder.
 * A symbolic link is followed, also to a file that is not there yet; the permissions of an existing file are kept. With `ours`
 * only a file of that kind is replaced.
 *
 * The bytes must not change until the promise is settled.
 *
 * @throws DlAdmmError `ERR_DLADMM_ARGUMENT` for a path that is no file name or content that is not bytes;
 *   `ERR_DLADMM_FILE` for a missing folder, a full disk, missing rights, or a path that names a folder, a device or
 *   a file that is not `ours`. An error thrown by the caller's iterable is passed on as it is.
 */
export async function writeFileAtomic(path: string, content: FileContent, ours?: Ours): Promise<void> {
  checkPath(path);
  if (!isContent(content)) throw expected('a Uint8Array or an iterable of them', 'content', content);
  await replaceFile(
    path,
    async (file) => {
      for await (const piece of types.isUint8Array(content) ? [content] : content) {
        if (!types.isUint8Array(piece)) throw expected('Uint8Arrays', 'the pieces of content', piece);
        await writePiece(file, piece, path);
      }
    },
    ours,
  );
}

/**
 * {@link writeFileAtomic} for content that `write` puts into the temporary file.
 *
 * @throws DlAdmmError as {@link writeFileAtomic}; what `write` throws is passed on as it is
 */
export async function replaceFile<T>(path: string, write: (file: FileHandle) => Promise<T>, ours?: Ours): Promise<T> {
  const { target, earlier } = await writable(path, ours);
  await removeLeftovers(target);
  const { file, temporary } = await guarded(path, () => openTemporary(target));
  let written: T;
  try {
    try {
      if (earlier) await guarded(path, () => setMode(file, temporary, earlier.mode & 0o7777));
      written = await write(file);
      await guarded(path, () => file.sync());
      // Still open, so that the lock on it lasts until it has its name.
      await guarded(path, () => rename(temporary, target));
    } finally {
      await guarded(path, () => file.close());
    }
  } catch (error) {
    await unlink(temporary).catch(() => undefined);
    throw error;
  }
  await syncFolder(dirname(target));
  return written;
}

/** Where `path` leads to, and what is there already; refused where it is no file, or not `ours`. */
async function writable(path: string, ours: Ours | undefined) {
  checkPath(path);
  return guarded(path, async () => {
    const target = await targetOf(path);
    const earlier = await stat(target).catch(absent);
    if (earlier) checkRegular('write', path, earlier);
    if (earlier && ours) await checkOurs(path, target, ours);
    return { target, earlier };
  });
}

/**
 * Finds out, before a long work, what `writeFileAtomic` would stumble over: a missing folder, missing rights, a path that
 * names no regular file, or one that is not `ours`. Nothing is created.
 *
 * @throws DlAdmmError `ERR_DLADMM_ARGUMENT`, `ERR_DLADMM_FILE` as `writeFileAtomic`
 */
export async function checkWritable(path: string, ours?: Ours): Promise<void> {
  const { target } = await writable(path, ours);
  await guarded(path, () => access(dirname(target), constants.W_OK));
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
      checkRoom(size, path);
      const bytes = new Uint8Array(size);
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(bytes, at, Math.min(size - at, MAX_TRANSFER), at);
        if (bytesRead === 0) throw shrunk(path);
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

/** Of what lost its end meanwhile nobody knows what it was. */
export const shrunk = (path: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FILE', `Could not read ${path}: it shrank while being read`);

/** A system may promise memory that it does not have. @throws DlAdmmError ERR_DLADMM_MEMORY */
export function checkRoom(size: number, path: string): void {
  if (size <= process.availableMemory()) return;
  throw new DlAdmmError('ERR_DLADMM_MEMORY', `Could not read ${path}: its ${size} bytes do not fit into memory`);
}
