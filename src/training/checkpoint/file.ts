/**
 * Checkpoints as files: safetensors, as native code lays them out (native/core/storage/tensor_file.hpp), so that other
 * tools can look into them. `__metadata__` has `checksum` (XXH64 of the header), `sections` (of the values), `format`, and
 * what the training is in `training`, as JSON.
 */
import { randomBytes } from 'node:crypto';
import { constants, type FileHandle, open, statfs, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DlAdmmError, describe, messageOf } from '../../core/errors.js';
import { fromJson, toJson } from '../../core/json.js';
import {
  type Dtype,
  type NativeExtra,
  type NativePersistent,
  type NativeStoredSection,
  type Numbers,
  native,
} from '../../core/native.js';
import { checkPath, fileError, type Ours, replaceFile, targetOf } from '../../formats/atomic-file.js';
import { failedFile, reader } from '../../formats/reader.js';
import { CUT_OFF, decodeHeader, type Entry, MAX_HEADER_BYTES } from '../../formats/safetensors.js';

/** Raised when what a checkpoint holds changes its meaning. */
const FORMATS = [1, 2, 3, 4, 5, 6].map((format) => `dladmm-checkpoint-${format}`);
const HEAD = '{"__metadata__":{"checksum":"';
export const CHECKPOINT: Ours = { begins: HEAD, what: 'checkpoint' };
const DIGITS = 16;
const LENGTH_BYTES = 8;
const PIECE_BYTES = 1 << 20;

/** A checkpoint opened for reading; its header has been checked, its values have not. */
export interface OpenCheckpoint {
  readonly path: string;
  readonly file: FileHandle;
  readonly bytes: number;
  /** From 1. */
  readonly format: number;
  /** The checksum of the header, in which those of all values are: two files with one of these are the same. */
  readonly identity: string;
  readonly sections: readonly NativeStoredSection[];
  /** What was given to {@link writeCheckpoint}. */
  readonly training: unknown;
}

const metadataOf = (training: unknown): string =>
  JSON.stringify({ format: FORMATS.at(-1), training: toJson(training) }).slice(1, -1);

/** What else a header has: its sections, and what is known when it is written. */
const OTHER_BYTES = 1_000_000;

/** @throws DlAdmmError ERR_DLADMM_RANGE where a header that tells this would be larger than those that are read */
export function checkTelling(path: string, training: unknown): void {
  const bytes = Buffer.byteLength(metadataOf(training));
  const most = MAX_HEADER_BYTES - OTHER_BYTES;
  if (bytes <= most) return;
  const text = `${path} could not be read again: options, names and scales take ${bytes} bytes of it, and ${most} are the most`;
  throw new DlAdmmError('ERR_DLADMM_RANGE', text);
}

/**
 * Writes a state, from where it lives, so that `path` holds at every moment the whole of the old or of the new file.
 * Answers with the bytes written.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_CLOSED
 */
export async function writeCheckpoint(
  path: string,
  state: NativePersistent,
  content: { readonly training: unknown; readonly kept: boolean; readonly extras: readonly NativeExtra[] },
): Promise<number> {
  const metadata = metadataOf(content.training);
  return replaceFile(
    path,
    async (file) => {
      try {
        return await state.saveSections(file.fd, metadata, content.kept, content.extras);
      } catch (error) {
        throw failedFile('write', path, error);
      }
    },
    CHECKPOINT,
  );
}

/** A file without a name in the folder of temporary files: never seen, gone when it is closed or the process is killed. */
async function openNameless(): Promise<FileHandle> {
  const folder = tmpdir();
  // O_TMPFILE of Linux, which Node does not name. Not every file system has it.
  const flags = constants.O_RDWR | constants.O_DIRECTORY | 0o20000000;
  const file = process.platform === 'linux' ? await open(folder, flags, 0o600).catch(() => undefined) : undefined;
  if (file !== undefined) return file;
  const path = join(folder, `dladmm-${randomBytes(8).toString('hex')}`);
  const named = await open(path, 'wx+', 0o600);
  await unlink(path);
  return named;
}

/** A state in a file that has no name. */
export async function passingCheckpoint(state: NativePersistent): Promise<OpenCheckpoint> {
  const path = tmpdir();
  const file = await openNameless().catch((error: unknown) => {
    throw fileError('write', path, error);
  });
  try {
    await state.saveSections(file.fd, metadataOf({}), false, []);
    return await readHeader(path, file);
  } catch (error) {
    await file.close();
    throw failedFile('write', path, error);
  }
}

/** Free bytes where `path` is to be; Infinity where the system does not tell. */
export async function freeBytes(path: string): Promise<number> {
  const found = await statfs(dirname(await targetOf(path).catch(() => path))).catch(() => undefined);
  return found === undefined || found.blocks === 0 ? Number.POSITIVE_INFINITY : found.bavail * found.bsize;
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const { bytesRead } = await file.read(bytes, done, length - done, at + done);
    if (bytesRead === 0) return bytes.subarray(0, done);
    done += bytesRead;
  }
  return bytes;
}

/**
 * Opens a checkpoint and checks its header, byte for byte. The file stays open: what is read later is of the same file,
 * though another may have taken its name.
 *
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_FORMAT
 */
export const openCheckpoint = reader(async (path: string): Promise<OpenCheckpoint> => {
  checkPath(path);
  // A pipe without a writer would be waited for.
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return await readHeader(path, file);
  } catch (error) {
    await file.close();
    throw failedFile('read', path, error);
  }
}, 'safetensors');

const damaged = (path: string, what: string): DlAdmmError =>
  new DlAdmmError('ERR_DLADMM_FORMAT', `${path} is no whole checkpoint: ${what}`);

async function readHeader(path: string, file: FileHandle): Promise<OpenCheckpoint> {
  const found = await file.stat();
  if (!found.isFile()) throw new DlAdmmError('ERR_DLADMM_FILE', `Could not read ${path}: it is not a regular file`);
  const { size } = found;
  const lengthBytes = await readAt(file, 0, LENGTH_BYTES);
  if (lengthBytes.length < LENGTH_BYTES) throw damaged(path, `it has ${size} bytes, too few for the header's length`);
  const length = new DataView(lengthBytes.buffer).getBigUint64(0, true);
  if (length > BigInt(Math.min(size - LENGTH_BYTES, MAX_HEADER_BYTES))) {
    throw damaged(path, `its header should have ${length} bytes, but ${size - LENGTH_BYTES} follow: ${CUT_OFF}`);
  }
  const bytes = await readAt(file, LENGTH_BYTES, Number(length));
  const identity = checkedHeader(path, lengthBytes, bytes);
  const begin = LENGTH_BYTES + bytes.length;
  const { entries, metadata } = decodeHeader(bytes, size - begin, path);
  const format = metadata.get('format');
  const known = FORMATS.indexOf(format ?? '') + 1;
  if (known === 0) {
    const text = `${path} is a checkpoint of the format ${describe(format)}; this version of dladmm reads ${FORMATS.join(', ')}`;
    throw new DlAdmmError('ERR_DLADMM_CHECKPOINT', text);
  }
  const sections = sectionsOf(path, entries, metadata.get('sections') ?? '', begin);
  return { path, file, bytes: size, format: known, identity, sections, training: trainingIn(path, metadata) };
}

function checkedHeader(path: string, length: Uint8Array, bytes: Uint8Array): string {
  const start = new TextDecoder().decode(bytes.subarray(0, HEAD.length + DIGITS));
  if (!start.startsWith(HEAD)) {
    const isModel = new TextDecoder().decode(bytes).includes('"network":"{');
    const what = 'its header does not begin as that of a checkpoint does';
    throw damaged(path, isModel ? 'it is a model, which goes on by model.fit (dladmm train --from)' : what);
  }
  const hash = new native.Hash64();
  hash.update(length);
  hash.update(new TextEncoder().encode(HEAD + '0'.repeat(DIGITS)));
  hash.update(bytes.subarray(HEAD.length + DIGITS));
  const recorded = start.slice(HEAD.length);
  const computed = hash.digest();
  if (computed === recorded) return recorded;
  throw damaged(path, `the checksum of its header is ${computed}, but ${describe(recorded)} is recorded`);
}

function sectionsOf(
  path: string,
  entries: readonly Entry[],
  checksums: string,
  begin: number,
): readonly NativeStoredSection[] {
  if (checksums.length !== entries.length * DIGITS || !/^[0-9a-f]*$/.test(checksums)) {
    throw damaged(path, `it has no checksums of its ${entries.length} arrays`);
  }
  return entries.map(({ name, begin: from, end }, i) => {
    const checksum = checksums.slice(i * DIGITS, (i + 1) * DIGITS);
    return { name, offset: begin + from, bytes: end - from, checksum };
  });
}

function trainingIn(path: string, metadata: ReadonlyMap<string, string>): unknown {
  try {
    return fromJson(metadata.get('training') ?? 'null');
  } catch (error) {
    throw damaged(path, `what it says of its training is not JSON (${messageOf(error)})`);
  }
}

/**
 * Fills a state from a checkpoint, checking every byte; answers with the extras asked for.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function fillState(
  { path, file, sections }: OpenCheckpoint,
  state: NativePersistent,
  kept: boolean,
  extras: readonly string[],
): Promise<readonly Numbers[]> {
  try {
    return await state.loadSections(file.fd, sections, kept, extras);
  } catch (error) {
    const own = failedFile('read', path, error);
    if (own instanceof DlAdmmError && own.code === 'ERR_DLADMM_FORMAT') throw damaged(path, own.message);
    throw own;
  }
}

/**
 * Reads every value of a checkpoint and checks it; the event loop runs in between.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT, ERR_DLADMM_FILE
 */
export async function checkValues(from: OpenCheckpoint): Promise<void> {
  for (const section of from.sections) await readSection(from, section, () => undefined);
}

/**
 * Some of the arrays of a checkpoint by name, checked.
 *
 * @throws DlAdmmError ERR_DLADMM_FORMAT where one is missing; ERR_DLADMM_FILE
 */
export async function readValues(
  from: OpenCheckpoint,
  names: readonly string[],
  dtype: Dtype,
): Promise<readonly Numbers[]> {
  const sections = new Map(from.sections.map((section) => [section.name, section]));
  const found: Numbers[] = [];
  for (const name of names) {
    const section = sections.get(name);
    if (section === undefined) throw damaged(from.path, `it has no ${JSON.stringify(name)}`);
    const bytes = new Uint8Array(section.bytes);
    const Floats = dtype === 'float32' ? Float32Array : Float64Array;
    if (bytes.length % Floats.BYTES_PER_ELEMENT !== 0)
      throw damaged(from.path, `${JSON.stringify(name)} is not of ${dtype}`);
    await readSection(from, section, (part, at) => bytes.set(part, at));
    found.push(new Floats(bytes.buffer));
  }
  return found;
}

async function readSection(
  { path, file }: OpenCheckpoint,
  { name, offset, bytes, checksum }: NativeStoredSection,
  take: (part: Uint8Array, at: number) => void,
): Promise<void> {
  try {
    const hash = new native.Hash64();
    for (let done = 0; done < bytes; done += PIECE_BYTES) {
      const part = await readAt(file, offset + done, Math.min(PIECE_BYTES, bytes - done));
      hash.update(part);
      take(part, done);
    }
    const computed = hash.digest();
    if (computed !== checksum) {
      throw damaged(path, `the checksum of "${name}" is ${computed}, but ${checksum} is recorded`);
    }
  } catch (error) {
    throw failedFile('read', path, error);
  }
}
