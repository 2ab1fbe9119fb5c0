/**
 * Stores of samples: a head of 40 bytes, blocks of rows (tensor/packed-rows.ts), and a directory as JSON. The head has where the directory
 * begins (8 bytes, little-endian), its version, and the checksum of the directory, which has that of every block. docs/samples.md
 * states it.
 */
import { constants, type FileHandle, open, stat } from 'node:fs/promises';
import { DISPOSE } from '../core/dispose.js';
import { DlAdmmError, expected, messageOf } from '../core/errors.js';
import { type Dtype, native } from '../core/native.js';
import { isObject, isUrl, pathOf } from '../core/objects.js';
import { checkDistinct } from '../network/network.js';
import type { Standardisation } from '../network/standardisation.js';
import { type ClassNames, LABEL_KINDS, type LabelKind } from '../samples/classes.js';
import { type Column, checkColumns, inputsOf } from '../samples/columns.js';
import type { Rooms, SampleBlocks } from '../samples/stored.js';
import { TASKS, type Task } from '../samples/targets.js';
import { breathe, checkRows, nonFinite } from '../tensor/inputs.js';
import { type Precision, packRows } from '../tensor/packed-rows.js';
import { checkPath, checkRegular, type Ours, replaceFile, writePiece } from './atomic-file.js';
import { formatError } from './bytes.js';
import { edgesOf } from './kinds.js';
import { reader } from './reader.js';
import { roomsOf, type StoredBlock } from './sample-rooms.js';

/** The first has inputs in its blocks; the second the cells of columns, of which inputs are made as they are read. */
const MAGIC = { inputs: 'dladmm-samples-1', cells: 'dladmm-samples-2' } as const;
const HEAD_BYTES = 40;
export const SAMPLES: Ours = { begins: 'dladmm-samples-', what: 'store of samples' };
/** Entries of a block. */
const BLOCK_ENTRIES = 2 ** 18;
/** Where more inputs than these are made of each cell, a block has fewer rows. */
const CELL_INPUTS = 4;

/** What a store says of its samples. */
export interface StoredFacts extends ClassNames {
  readonly task: Task;
  /** Why it was taken for that. */
  readonly because: string;
  readonly inputs: number;
  /** Classes, labels or target values that a network tells apart. */
  readonly outputs: number;
  readonly weighted: boolean;
  readonly columns?: readonly Column[];
  /** Whether the blocks have a number a column, of which its inputs are made as they are read. */
  readonly cells?: boolean;
  readonly target?: string | readonly string[];
  /** What the labels in the blocks stand for, where they were numbered as they came. */
  readonly codes?: readonly number[];
}

interface Directory extends StoredFacts {
  readonly rows: number;
  readonly blockRows: number;
  /** Whether all features lie in [0, 1]. */
  readonly unit: boolean;
  readonly blocks: readonly StoredBlock[];
}

const hashOf = (...parts: readonly Uint8Array[]): string => {
  const hash = new native.Hash64();
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** Columns of a block behind the features: a label or target values, then a weight. */
const besideOf = ({ task, outputs, weighted }: StoredFacts): number =>
  (task === 'classification' ? 1 : outputs) + (weighted ? 1 : 0);

/** Columns of a block that are features. */
const featuresOf = ({ cells, columns, inputs }: Pick<StoredFacts, 'cells' | 'columns' | 'inputs'>): number =>
  cells ? (columns?.length ?? 0) : inputs;

const isCoded = (column: Column | undefined): boolean =>
  column?.categories !== undefined || column?.buckets !== undefined;

/**
 * Writes a store, so that `path` holds at every moment what it held before or the whole of it.
 *
 * @param beside columns behind the features, of which the first is a label where samples are `labelled`
 * @param columns those whose cells the features are; undefined where they are inputs
 * @param rows whole rows, some at a time
 * @param facts asked for when all rows are there
 * @throws DlAdmmError ERR_DLADMM_FILE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_SHAPE
 */
export async function writeSamples(
  path: string,
  {
    features,
    beside,
    labelled,
    columns,
    precision,
  }: {
    readonly features: number;
    readonly beside: number;
    readonly labelled: boolean;
    readonly columns?: readonly Column[] | undefined;
    readonly precision: Precision;
  },
  rows: AsyncIterable<Float64Array>,
  facts: () => StoredFacts,
): Promise<{ readonly rows: number; readonly bytes: number }> {
  const width = features + beside;
  const isExact = (column: number): boolean =>
    column === features ? labelled : isCoded(columns?.[column]) || columns?.[column]?.date !== undefined;
  const mayMiss = Array.from({ length: width }, (_, column) => columns?.[column]?.fill !== undefined);
  /** Columns that stay within [0, 1] whatever their cells are, or are no features. */
  const isShare = mayMiss.map((_, column) => column >= features || isCoded(columns?.[column]));
  // A training has room for the inputs of two groups of blocks.
  const wide = columns ? inputsOf(columns) / CELL_INPUTS : 0;
  const blockRows = Math.max(1, Math.floor(BLOCK_ENTRIES / Math.max(width, wide)));
  const room = new Float64Array(blockRows * width);
  const blocks: (readonly [number, number, string])[] = [];
  let [end, filled, count, unit] = [HEAD_BYTES, 0, 0, true];
  return replaceFile(
    path,
    async (file) => {
      const flush = async (): Promise<void> => {
        const bytes = packRows(room.subarray(0, filled), width, precision, isExact);
        await writePiece(file, bytes, path);
        blocks.push([end, bytes.length, hashOf(bytes)]);
        end += bytes.length;
        filled = 0;
        await breathe();
      };
      await writePiece(file, new Uint8Array(HEAD_BYTES), path);
      for await (const some of rows) {
        for (let at = 0; at < some.length; ) {
          const part = some.subarray(at, at + room.length - filled);
          for (let k = 0; k < part.length; k += 1) {
            const value = part[k] as number;
            if (value >= 0 && value <= 1) continue;
            const column = (at + k) % width;
            if (Number.isNaN(value) && mayMiss[column]) continue;
            if (!Number.isFinite(value)) throw nonFinite({ name: 'data', columns: width }, count, at + k, value);
            unit &&= isShare[column] === true;
          }
          room.set(part, filled);
          filled += part.length;
          at += part.length;
          if (filled === room.length) await flush();
        }
        count += some.length / width;
        if (count > 0) checkRows(count, 'data');
      }
      checkRows(count, 'data');
      if (filled > 0) await flush();
      const directory: Directory = { ...facts(), rows: count, blockRows, unit, blocks };
      const text = Buffer.from(JSON.stringify(directory));
      await writePiece(file, text, path);
      await writePiece(file, headOf(end, text, columns ? MAGIC.cells : MAGIC.inputs), path, 0);
      return { rows: count, bytes: end + text.length };
    },
    SAMPLES,
  );
}

function headOf(offset: number, directory: Uint8Array, magic: string): Buffer {
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(BigInt(offset));
  return Buffer.concat([start, Buffer.from(magic + hashOf(start, directory), 'latin1')]);
}

async function readAt(file: FileHandle, into: Uint8Array, at: number, path: string): Promise<void> {
  for (let done = 0; done < into.length; ) {
    const { bytesRead } = await file.read(into, done, into.length - done, at + done);
    if (bytesRead === 0)
      throw formatError(path, `no whole store of samples: it ends ${into.length - done} bytes too soon`);
    done += bytesRead;
  }
}

const isCount = (value: unknown, least = 1): value is number =>
  Number.isSafeInteger(value) && (value as number) >= least && (value as number) < 2 ** 31;

/** The first thing that a directory says wrongly. */
function wrongIn(said: Readonly<Record<string, unknown>>, end: number): string | undefined {
  const { rows, inputs, outputs, blockRows, blocks, task, weighted, unit, because, classes, labelKind, target, codes } =
    said;
  if (said.cells !== undefined && !(said.cells === true && Array.isArray(said.columns))) return 'its cells are none';
  if (![rows, inputs, outputs, blockRows].every((value) => isCount(value)) || Number(blockRows) > BLOCK_ENTRIES)
    return 'its counts are none';
  if (!TASKS.includes(task as Task) || typeof because !== 'string') return 'its task is none';
  if (typeof weighted !== 'boolean' || typeof unit !== 'boolean') return 'it does not say how it counts';
  if (labelKind !== undefined && !LABEL_KINDS.includes(labelKind as LabelKind)) return 'its labels are of no kind';
  const names = (value: unknown): boolean => Array.isArray(value) && value.every((text) => typeof text === 'string');
  if (classes !== undefined && (!names(classes) || (classes as string[]).length !== outputs))
    return 'its classes are none';
  if (target !== undefined && typeof target !== 'string' && !names(target)) return 'its target is none';
  const isClass = (value: unknown): boolean => isCount(value, 0) && value < (outputs as number);
  if (codes !== undefined && !(Array.isArray(codes) && codes.every(isClass))) return 'its labels stand for nothing';
  const count = Math.ceil((rows as number) / (blockRows as number));
  const isBlock = (value: unknown): boolean =>
    Array.isArray(value) &&
    [value[0], value[1]].every((place) => Number.isSafeInteger(place) && place > 0) &&
    value[1] < 2 ** 31 &&
    value[1] > featuresOf(said as unknown as StoredFacts) &&
    value[0] + value[1] <= end &&
    /^[\da-f]{16}$/.test(value[2]);
  if (!Array.isArray(blocks) || blocks.length !== count || !blocks.every(isBlock)) return 'its blocks are none';
  return undefined;
}

/** The files of stores that nobody has closed: Node takes one that is left to its collector for an error. */
const forgotten = new FinalizationRegistry<FileHandle>((file) => void file.close().catch(() => undefined));

/** Samples in a file, which are read block by block as they are needed. Close it when it is no longer needed. */
export class StoredSamples implements SampleBlocks {
  /** The file. */
  readonly path: string;
  /** How many samples there are. */
  readonly rows: number;
  /** How many inputs a network has for them. */
  readonly inputs: number;
  /** What there is to predict. */
  readonly task: Task;
  /** How many outputs a network has for it. */
  readonly outputs: number;
  /** The names of the classes, or of the labels. */
  readonly classes?: readonly string[];
  /** The columns of the table that was packed, and how their values become inputs. */
  readonly columns?: readonly Column[];
  /** The column that is predicted, or several. */
  readonly target?: string | readonly string[];
  /** Whether each sample has a weight. */
  readonly weighted: boolean;
  /** Samples of each block but the last. */
  readonly blockRows: number;
  /** @internal */
  readonly facts: Directory;
  readonly #file: FileHandle;
  #closed = false;

  /** Use {@link openSamples}. @internal */
  constructor(path: string, file: FileHandle, facts: Directory) {
    const { rows, inputs, task, outputs, classes, columns, target, weighted, blockRows } = facts;
    Object.assign(this, {
      ...(classes && { classes }),
      ...(columns && { columns }),
      ...(target !== undefined && { target }),
    });
    this.path = path;
    this.rows = rows;
    this.inputs = inputs;
    this.task = task;
    this.outputs = outputs;
    this.weighted = weighted;
    this.blockRows = blockRows;
    this.facts = facts;
    this.#file = file;
    forgotten.register(this, file, this);
  }

  /** @internal */
  static is(value: unknown): value is StoredSamples {
    return typeof value === 'object' && value !== null && #file in value;
  }

  /** @internal */
  get checksum(): string {
    return hashOf(Buffer.from(JSON.stringify(this.facts)));
  }

  /** @internal */
  get beside(): number {
    return besideOf(this.facts);
  }

  /** @internal */
  get labelKind(): LabelKind | undefined {
    return this.facts.labelKind;
  }

  /** @internal */
  get labelled(): boolean {
    return this.task === 'classification';
  }

  /** @internal */
  bytesOf(rows: number, dtype: Dtype): number {
    const size = this.facts.cells || dtype === 'float64' ? 8 : 4;
    return rows * (size * featuresOf(this.facts) + 8 * this.beside);
  }

  /** @internal */
  get encodes(): boolean {
    return this.facts.cells === true;
  }

  /** @internal */
  rooms(rows: number, dtype: Dtype, rule?: Standardisation, input?: object): Rooms {
    const { path, blockRows, inputs, facts, beside } = this;
    const { cells, columns = [], codes = [], blocks } = facts;
    const file = (): number => {
      if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', `${path} has been closed`);
      return this.#file.fd;
    };
    const features = featuresOf(facts);
    const store = { path, rows: this.rows, blockRows, blocks, features, beside, inputs, codes, file };
    return roomsOf({ ...store, ...(cells && { cells: columns }) }, rows, dtype, { rule, input });
  }

  /** Gives the file back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    forgotten.unregister(this);
    this.#file.close().catch(() => undefined);
  }

  /** As `close`, at the end of a `using` block. */
  [DISPOSE](): void {
    this.close();
  }
}

/** Whether a file is a store; false where it cannot be read. */
export async function isSampleFile(path: string): Promise<boolean> {
  const start = (await edgesOf(path)) ?? new Uint8Array(0);
  return Buffer.from(start.subarray(8, 8 + SAMPLES.begins.length)).toString('latin1') === SAMPLES.begins;
}

/**
 * Opens a store of samples that `packSamples` or `dladmm pack` has written. Its directory is checked here, each block whenever it is read.
 *
 *     using samples = await openSamples('data.samples');
 *     const { model } = await fit(samples, { solver: 'adam', memory: '2GB' });
 *
 * @throws DlAdmmError ERR_DLADMM_FILE; ERR_DLADMM_FORMAT where it is truncated, damaged, of another version or no store
 */
export const openSamples = reader(async (path: string): Promise<StoredSamples> => {
  checkPath(path);
  checkRegular('read', path, await stat(path));
  if (!(await isSampleFile(path))) throw formatError(path, 'no store of samples, as packSamples writes one');
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    return new StoredSamples(path, file, await directoryOf(path, file));
  } catch (error) {
    await file.close();
    throw error;
  }
}, 'samples');

/** The store that data are, or are the path of; one that was opened here is to be closed. */
export async function storeOf(
  data: unknown,
): Promise<{ readonly store: StoredSamples; close(): void; [DISPOSE](): void } | undefined> {
  const nothing = (): void => undefined;
  if (StoredSamples.is(data)) return { store: data, close: nothing, [DISPOSE]: nothing };
  const path = isUrl(data) ? pathOf(data) : data;
  if (typeof path !== 'string' || !(await isSampleFile(path))) return undefined;
  const store = await openSamples(path);
  return { store, close: () => store.close(), [DISPOSE]: () => store.close() };
}

async function directoryOf(path: string, file: FileHandle): Promise<Directory> {
  const { size } = await file.stat();
  const head = Buffer.alloc(HEAD_BYTES);
  await readAt(file, head, 0, path);
  const magic = head.toString('latin1', 8, 24);
  const known: readonly string[] = Object.values(MAGIC);
  if (!known.includes(magic)) {
    const text = `a store of the version ${JSON.stringify(magic)}; this version of dladmm reads ${known.join(' and ')}`;
    throw formatError(path, text);
  }
  const begin = head.readBigUInt64LE(0);
  if (begin < HEAD_BYTES || begin >= BigInt(size)) {
    throw formatError(path, `no whole store of samples: its directory begins at byte ${begin} of ${size}`);
  }
  const text = new Uint8Array(size - Number(begin));
  await readAt(file, text, Number(begin), path);
  if (!headOf(Number(begin), text, magic).equals(head))
    throw formatError(path, 'the checksum of its directory is not the recorded one');
  let said: unknown;
  try {
    said = JSON.parse(Buffer.from(text).toString());
  } catch (error) {
    throw formatError(path, `its directory is no JSON (${messageOf(error)})`, error);
  }
  const wrong = isObject(said) ? wrongIn(said, Number(begin)) : 'its directory is no object';
  if (wrong !== undefined) throw formatError(path, wrong);
  const directory = said as Directory;
  if (magic !== MAGIC[directory.cells ? 'cells' : 'inputs']) throw formatError(path, 'its version is not what it has');
  if (directory.columns) checkColumns(directory.columns, directory.inputs, path);
  if (directory.classes) checkDistinct(directory.classes, path);
  return directory;
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where rows have to be in memory */
export function checkNoStore(rows: unknown, name: string): void {
  if (!StoredSamples.is(rows)) return;
  throw expected('rows in memory (a store is learnt from by fit, and judged by the model)', name, rows.path);
}
