/** Samples that lie on a disk, and are read as they are needed: in which order, and as whom. */
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype, Numbers, OddFeature } from '../core/native.js';
import { zeros } from '../core/numbers.js';
import { isObject } from '../core/objects.js';
import { type Random, seededRandom } from '../core/random.js';
import type { Standardisation } from '../network/standardisation.js';
import {
  asSamples,
  CHUNK_ENTRIES,
  type MatrixLike,
  pause,
  type RowSource,
  rowSource,
  trusted,
} from '../tensor/inputs.js';
import type { Matrix } from '../tensor/matrix.js';
import type { LabelKind } from './classes.js';
import { standardise } from './standardise.js';

/** Blocks of rows: features, then a label or target values, then where samples have one a weight. */
export interface SampleBlocks {
  readonly path: string;
  readonly rows: number;
  readonly inputs: number;
  /** Columns behind the features. */
  readonly beside: number;
  readonly weighted: boolean;
  readonly labelled: boolean;
  readonly labelKind?: LabelKind | undefined;
  /** Rows of every block but the last. */
  readonly blockRows: number;
  /** Of all that is in it. */
  readonly checksum: string;
  /** Bytes that are taken by rows of which features are read in a type. */
  bytesOf(rows: number, dtype: Dtype): number;
  /** Whether its rows are cells, of which inputs are made as they are taken. */
  readonly encodes: boolean;
  /**
   * Two rooms of so many rows, of which one is filled while the other is taken from; features are standardised where there is a rule. With
   * an `input` there is one, and features go there.
   */
  rooms(rows: number, dtype: Dtype, rule?: Standardisation, input?: object): Rooms;
}

export interface Rooms {
  /** Reads a group, its k-th row to a place. Answers with a feature that is not finite. */
  read(room: number, group: Group, placeOf: (k: number) => number): Promise<OddFeature | undefined>;
  /** Copies rows from `first` on, as many as there is place for: what stands behind the features, and features. */
  take(room: number, first: number, beside: Float64Array, x?: Numbers): void;
  close(): void;
}

/** Blocks whose rows are mixed with each other. */
const GROUP = 32;

/** Some blocks, and which rows of them are visited in which order: row r of block i as i · blockRows + r. */
export interface Group {
  readonly blocks: readonly number[];
  readonly places: Uint32Array;
}

/** Fisher and Yates. */
function shuffle(values: Uint32Array, random: Random): void {
  for (let i = values.length; i > 1; i -= 1) {
    const j = Math.floor(random.uniform() * i);
    const value = values[j] as number;
    values[j] = values[i - 1] as number;
    values[i - 1] = value;
  }
}

/** The order of an epoch, which follows from the seed and the number of the epoch alone. */
export const randomOf = (seed: number, epoch: number): Random =>
  seededRandom((seed + Math.imul(epoch, 0x85ebca6b)) >>> 0);

/** Rows group by group: blocks in a new order and the rows of some of them mixed, or all as they lie. */
export function* groupsOf(
  { rows, blockRows }: Pick<SampleBlocks, 'rows' | 'blockRows'>,
  has: (row: number) => boolean,
  random?: Random,
): Generator<Group, undefined> {
  const order = Uint32Array.from({ length: Math.ceil(rows / blockRows) }, (_, i) => i);
  if (random) shuffle(order, random);
  for (let first = 0; first < order.length; first += GROUP) {
    const places = new Uint32Array(Math.min(GROUP * blockRows, rows));
    const blocks: number[] = [];
    let count = 0;
    for (const block of order.subarray(first, first + GROUP)) {
      const before = count;
      const end = Math.min(blockRows, rows - block * blockRows);
      for (let row = 0; row < end; row += 1) {
        if (has(block * blockRows + row)) places[count++] = blocks.length * blockRows + row;
      }
      if (count > before) blocks.push(block);
    }
    const found = places.subarray(0, count);
    if (random) shuffle(found, random);
    if (count > 0) yield { blocks, places: found };
  }
  return undefined;
}

/** Rows as they lie, one after the other. */
interface Chunk {
  readonly x: Numbers;
  readonly beside: Float64Array;
  readonly count: number;
}

/** Rows of a group. */
export const groupRows = ({ rows, blockRows }: SampleBlocks): number => Math.min(rows, GROUP * blockRows);
/** Bytes of what is read ahead. */
export const aheadBytes = (blocks: SampleBlocks, dtype: Dtype): number => 2 * blocks.bytesOf(groupRows(blocks), dtype);

/** Reads groups, each while the one before it is taken; a chunk is there until the next is asked for. */
export function reading(
  blocks: SampleBlocks,
  groups: Iterator<Group, undefined>,
  dtype: Dtype,
  rule?: Standardisation,
) {
  const { rows: all, inputs, beside: width } = blocks;
  const most = Math.min(all, Math.max(1, Math.floor((4 * CHUNK_ENTRIES) / inputs)));
  const x = zeros(dtype, most * inputs);
  const beside = new Float64Array(most * width);
  const rooms = blocks.rooms(groupRows(blocks), dtype, rule);
  let room = 0;
  const load = (): { readonly rows: number; readonly read: Promise<unknown> } | undefined => {
    const { value: group } = groups.next();
    if (group === undefined) return undefined;
    const read = rooms.read(1 - room, group, (k) => k);
    // Whoever asks for it is told.
    read.catch(() => undefined);
    return { rows: group.places.length, read };
  };
  let ahead = load();
  let [at, rows] = [0, 0];
  return {
    /** At most `limit` rows; none where there are no more. */
    async next(limit: number): Promise<Chunk> {
      if (at === rows && ahead !== undefined) {
        await ahead.read;
        room = 1 - room;
        [at, rows] = [0, ahead.rows];
        ahead = load();
      }
      const count = Math.min(limit, most, rows - at);
      const chunk = { x: x.subarray(0, count * inputs), beside: beside.subarray(0, count * width), count };
      if (count > 0) rooms.take(room, at, chunk.beside, chunk.x);
      at += count;
      if (at === rows && ahead === undefined) rooms.close();
      return chunk;
    },
  };
}

/** The rows of a store that are meant, and how many these are. */
export interface Part {
  readonly rows: number;
  readonly has: (row: number) => boolean;
  /** Tells it from other parts of the store. */
  readonly name: string;
}

/** Samples of a store that are learnt from, or judged. */
export class StoredSet {
  readonly blocks: SampleBlocks;
  /** Bytes that the process may take. */
  readonly memory: number;
  /** What is done to features and to target values. */
  readonly rules: { readonly x?: Standardisation; readonly y?: Standardisation };
  readonly #part: Part;
  #mean: number | undefined;

  constructor(
    blocks: SampleBlocks,
    part: Part = { rows: blocks.rows, has: () => true, name: 'all' },
    memory: number = Number.POSITIVE_INFINITY,
    rules: StoredSet['rules'] = {},
  ) {
    this.blocks = blocks;
    this.memory = memory;
    this.rules = rules;
    this.#part = part;
  }

  static is(value: unknown): value is StoredSet {
    return typeof value === 'object' && value !== null && #part in value;
  }

  /** The part of a store that samples are, as their `x`; undefined where they are anything else. */
  static within(samples: unknown): StoredSet | undefined {
    const x = isObject(samples) ? samples.x : undefined;
    return StoredSet.is(x) ? x : undefined;
  }

  get rows(): number {
    return this.#part.rows;
  }

  /** Tells these samples from others. */
  get fingerprint(): string {
    return `${this.blocks.checksum}, ${this.#part.name}`;
  }

  /** The same, standardised. */
  with(rules: StoredSet['rules']): StoredSet {
    return new StoredSet(this.blocks, this.#part, this.memory, rules);
  }

  /** All rows as they lie. */
  async each(dtype: Dtype, take: (chunk: Chunk, first: number) => unknown): Promise<void> {
    const rows = reading(this.blocks, groupsOf(this.blocks, this.#part.has), dtype);
    for (let first = 0; first < this.rows; ) {
      const chunk = await rows.next(Number.POSITIVE_INFINITY);
      if ((await take(chunk, first)) === false) return;
      first += chunk.count;
      await pause();
    }
  }

  /** Labels or target values in memory, and features where these are asked for. */
  async gathered(
    features: boolean,
  ): Promise<{ readonly x: MatrixLike; readonly labels?: Int32Array; readonly y?: Matrix }> {
    const { inputs, labelled, path } = this.blocks;
    const { rows, columns } = this.targets;
    const x = new Float64Array(features ? rows * inputs : 0);
    const data = new Float64Array(rows * columns);
    await this.each('float64', (chunk, first) => {
      if (features) x.set(chunk.x, first * inputs);
      data.set(partsOf(this.blocks, chunk).targets, first * columns);
    });
    return {
      x: asSamples(features ? rowSource(x, inputs, path) : this.features),
      ...(labelled ? { labels: Int32Array.from(data) } : { y: { data, rows, columns } }),
    };
  }

  /** The groups of an epoch, as they lie where there is no seed. */
  groups(seed: number | undefined, epoch: number): Iterator<Group, undefined> {
    return groupsOf(this.blocks, this.#part.has, seed === undefined ? undefined : randomOf(seed, epoch));
  }

  /** Rows of groups, standardised. */
  reading(groups: Iterator<Group, undefined>, dtype: Dtype): ReturnType<typeof reading> {
    return reading(this.blocks, groups, dtype, this.rules.x);
  }

  /** The features as they were packed. */
  get features(): RowSource {
    return this.#source('', this.blocks.inputs, 'float64', ({ x }) => x);
  }

  /** The target values, or labels. */
  get targets(): RowSource {
    const { beside, weighted } = this.blocks;
    const outputs = beside - (weighted ? 1 : 0);
    return this.#source('.y', outputs, 'float64', (chunk) => partsOf(this.blocks, chunk).targets);
  }

  #source(name: string, columns: number, dtype: Dtype, of: (chunk: Chunk) => Numbers): RowSource {
    return trusted({
      name: `${this.blocks.path}${name}`,
      rows: this.rows,
      columns,
      chunk: () => {
        throw new DlAdmmError('ERR_DLADMM_STATE', `The rows of ${this.blocks.path} are read one after the other`);
      },
      each: (take) => this.each(dtype, (chunk, first) => take(of(chunk), first, chunk.count)),
    });
  }

  /** What the targets of a chunk become, and what its samples count for beside the others. */
  parts(chunk: Omit<Chunk, 'x'>, dtype: Dtype) {
    const { y: targetRule } = this.rules;
    const { targets, weights } = partsOf(this.blocks, chunk);
    const { count } = chunk;
    const columns = targets.length / count;
    return {
      targets: this.blocks.labelled
        ? Int32Array.from(targets)
        : targetRule
          ? standardise({ data: targets, rows: count, columns }, targetRule, dtype).data
          : targets,
      ...(weights && { weights: weights.map((weight) => weight / (this.#mean ?? 1)) }),
    };
  }

  /** Finds out what weights are relative to. */
  async weigh(): Promise<void> {
    if (!this.blocks.weighted || this.#mean !== undefined) return;
    let sum = 0;
    await this.each('float32', (chunk) => {
      for (const weight of partsOf(this.blocks, chunk).weights ?? []) {
        // What was packed is; a file may say anything.
        if (!(weight >= 0)) throw expected('weights of at least 0', this.blocks.path, weight, 'ERR_DLADMM_RANGE');
        sum += weight;
      }
    });
    if (!(sum > 0)) throw expected('weights that are not all 0', this.blocks.path, sum, 'ERR_DLADMM_RANGE');
    this.#mean = sum / this.rows;
  }
}

function partsOf(
  { beside: width, weighted }: SampleBlocks,
  { beside, count }: Omit<Chunk, 'x'>,
): { readonly targets: Float64Array; readonly weights?: Float64Array } {
  if (!weighted) return { targets: beside };
  const columns = width - 1;
  const targets = new Float64Array(count * columns);
  const weights = new Float64Array(count);
  for (let i = 0; i < count; i += 1) {
    targets.set(beside.subarray(i * width, i * width + columns), i * columns);
    weights[i] = beside[i * width + columns] as number;
  }
  return { targets, weights };
}

/** @throws DlAdmmError ERR_DLADMM_ARGUMENT where samples have to be in memory */
export function checkInMemory(x: unknown, name: string): void {
  if (!StoredSet.is(x)) return;
  const what = 'samples in memory (a store is learnt from by fit, and evaluated by the model)';
  throw expected(what, name, x.blocks.path);
}
