/** Samples that lie on a disk, and are read as they are needed: in which order, and as whom. */
import { DlAdmmError, expected } from '../core/errors.js';
import type { Dtype, Numbers } from '../core/native.js';
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
import type { PackedRows } from '../tensor/packed-rows.js';
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
  /** The largest block. */
  readonly blockBytes: number;
  /** Reads a block into bytes that begin at a multiple of 8. */
  read(block: number, into: Uint8Array): Promise<PackedRows>;
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

/** Bytes of what is read ahead. */
export const aheadBytes = ({ blockBytes, rows, blockRows }: SampleBlocks): number =>
  2 * Math.min(GROUP, Math.ceil(rows / blockRows)) * slotOf(blockBytes);
const slotOf = (blockBytes: number): number => Math.ceil(blockBytes / 8) * 8;

/** Reads groups, each while the one before it is made rows of; a chunk is there until the next is asked for. */
export function reading(blocks: SampleBlocks, groups: Iterator<Group, undefined>, dtype: Dtype) {
  const { rows: all, inputs, beside: width, blockRows, blockBytes } = blocks;
  const slot = slotOf(blockBytes);
  const most = Math.min(all, Math.max(1, Math.floor((4 * CHUNK_ENTRIES) / inputs)));
  const x = zeros(dtype, most * inputs);
  const beside = new Float64Array(most * width);
  const rooms = [0, 1].map(() => new Uint8Array(aheadBytes(blocks) / 2));
  const load = (): { readonly group: Group; readonly rows: Promise<readonly PackedRows[]> } | undefined => {
    const { value: group } = groups.next();
    if (group === undefined) return undefined;
    const room = rooms.reverse()[0] as Uint8Array;
    const rows = Promise.all(Array.from(group.blocks, (block, i) => blocks.read(block, room.subarray(i * slot))));
    // Whoever asks for it is told.
    rows.catch(() => undefined);
    return { group, rows };
  };
  let ahead = load();
  let at = 0;
  let current: { readonly places: Uint32Array; readonly rows: readonly PackedRows[] } | undefined;
  return {
    /** At most `limit` rows; none where there are no more. */
    async next(limit: number): Promise<Chunk> {
      if (current === undefined || at === current.places.length) {
        if (ahead === undefined) return { x: x.subarray(0, 0), beside: beside.subarray(0, 0), count: 0 };
        current = { places: ahead.group.places, rows: await ahead.rows };
        ahead = load();
        at = 0;
      }
      const { places, rows } = current;
      const count = Math.min(limit, most, places.length - at);
      for (let i = 0; i < count; i += 1) {
        const place = places[at + i] as number;
        (rows[Math.floor(place / blockRows)] as PackedRows).put(place % blockRows, x, i * inputs, beside, i * width);
      }
      at += count;
      return { x: x.subarray(0, count * inputs), beside: beside.subarray(0, count * width), count };
    },
  };
}

/** The rows of a store that are meant, and how many these are. */
export interface Part {
  readonly rows: number;
  readonly has: (row: number) => boolean;
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
    part: Part = { rows: blocks.rows, has: () => true },
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

  /** Rows of an epoch, in float64 where something is subtracted from them. */
  epoch(seed: number | undefined, epoch: number, dtype: Dtype): ReturnType<typeof reading> {
    const groups = groupsOf(this.blocks, this.#part.has, seed === undefined ? undefined : randomOf(seed, epoch));
    return reading(this.blocks, groups, this.rules.x ? 'float64' : dtype);
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

  /** What the samples of a chunk become, and what they count for beside the others. */
  parts(chunk: Chunk, dtype: Dtype) {
    const { x: rule, y: targetRule } = this.rules;
    const { targets, weights } = partsOf(this.blocks, chunk);
    const { inputs, labelled } = this.blocks;
    const { x, count } = chunk;
    const columns = targets.length / count;
    return {
      x: rule ? standardise({ data: x, rows: count, columns: inputs }, rule, dtype).data : x,
      targets: labelled
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
  { beside, count }: Chunk,
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
  const what =
    'samples in memory (a store is learnt from by minibatch-admm and the gradient methods, named or chosen by fit)';
  throw expected(what, name, x.blocks.path);
}
