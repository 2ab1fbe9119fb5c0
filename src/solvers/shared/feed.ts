import { DlAdmmError, expected } from '../../core/errors.js';
import type { Dtype, NativeFed, NativeSamples, NativeWindows, Numbers } from '../../core/native.js';
import { classCount, classifies, domainOf, type Network } from '../../network/network.js';
import { aheadBytes, type Group, groupRows, type Rooms, type reading, type StoredSet } from '../../samples/stored.js';
import { CHUNK_ENTRIES, nonFinite, pause } from '../../tensor/inputs.js';

/** How samples are visited. */
export interface Batches {
  /** Absent where all samples are learnt from at once. */
  readonly batch?: number;
  readonly shuffle: boolean;
  readonly seed: number;
}

/** What Node, the collector and the BLAS may take as they go. */
const RESERVE = 3 * 2 ** 25;

type Native = NativeFed & NativeSamples & Partial<NativeWindows>;

/**
 * Samples of a store on their way to native code, which has room for all of them, or for so many that a window of whole batches is visited
 * while more are read: behind the last row of the room follows the first.
 */
export class Feed {
  readonly #set: StoredSet;
  readonly #network: Network;
  readonly #dtype: Dtype;
  readonly #batch: number;
  readonly #seed: number | undefined;
  /** Rows that there is room for. */
  readonly #room: number;
  #native: Native | undefined;
  /** Of rows that are read into native code. */
  #rooms: Rooms | undefined;
  #epoch = 0;
  #groups: Iterator<Group, undefined> | undefined;
  /** Of rows that are made of cells. */
  #cells: ReturnType<typeof reading> | undefined;
  /** Rows that this epoch has yet to read. */
  #left = 0;
  /** Where rows begin that have been read and not been visited, at a multiple of the batch, and how many. */
  #first = 0;
  #ready = 0;
  /** Rows of the room that the window at work takes, and steps that it has left. */
  #visited = 0;
  #steps = 0;
  #next: Promise<void> | undefined;

  /** @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT where the samples are none of the network's */
  constructor(set: StoredSet, network: Network, dtype: Dtype, { batch, shuffle, seed }: Batches) {
    const { inputs, path, labelled, beside, weighted } = set.blocks;
    const outputs = network.layers.at(-1) ?? 0;
    const wanted = classifies(network.loss) ? 1 : outputs;
    if (inputs !== network.layers[0]) throw expected(`${network.layers[0]} features`, path, inputs, 'ERR_DLADMM_SHAPE');
    if (labelled !== classifies(network.loss) || beside - (weighted ? 1 : 0) !== wanted) {
      throw expected(`${labelled ? 'labels' : `${wanted} target values`} for the loss ${network.loss}`, path, labelled);
    }
    this.#set = set;
    this.#network = network;
    this.#dtype = dtype;
    this.#batch = batch ?? set.rows;
    this.#seed = shuffle ? seed : undefined;
    this.#room = batch === undefined ? set.rows : batch * Math.ceil((2 * groupRows(set.blocks)) / batch + 1);
  }

  /** Tells the samples from others. */
  get fingerprint(): string {
    return this.#set.fingerprint;
  }

  /** So many epochs have been read, by a training that goes on. */
  goOn(epochs: number): void {
    this.#epoch = epochs;
  }

  /** Rows that native code keeps. */
  get samples(): number {
    return this.#room;
  }

  /** Bytes beside those of native code. */
  get bytes(): number {
    const { blocks } = this.#set;
    return RESERVE + (blocks.encodes ? aheadBytes(blocks, this.#dtype) : 8 * this.#room * blocks.beside);
  }

  async open(native: Native): Promise<void> {
    const { blocks, rules } = this.#set;
    this.#native = native;
    await this.#set.weigh();
    if (blocks.weighted) native.loadWeights(new Float64Array(this.samples).fill(1));
    if (!blocks.encodes) this.#rooms = blocks.rooms(this.#room, this.#dtype, rules.x, native.input());
  }

  /** Reads all samples, as they lie. */
  async fill(): Promise<void> {
    do await this.#read();
    while (this.#left > 0);
    this.#rooms?.close();
  }

  /** Goes to the next window where the one at work has been visited. Answers with the steps that are left in it. */
  async window(): Promise<number> {
    if (this.#steps > 0) return this.#steps;
    await this.#next;
    this.#visited = 0;
    while (this.#ready < this.#batch && (this.#left > 0 || this.#ready === 0)) await this.#read();
    const rows = this.#left > 0 ? this.#ready - (this.#ready % this.#batch) : this.#ready;
    this.#native?.visit?.(this.#first, rows);
    this.#steps = Math.ceil(rows / this.#batch);
    this.#visited = this.#steps * this.#batch;
    this.#first = (this.#first + this.#visited) % this.#room;
    this.#ready -= rows;
    return this.#steps;
  }

  took(steps: number): void {
    this.#steps -= steps;
  }

  /** Reads rows behind the window at work, where there is room for them. */
  async readAhead(): Promise<void> {
    // The rows of another epoch begin at a new batch.
    const waits = this.#left === 0 && this.#ready > 0;
    if (waits || this.#visited + this.#ready + groupRows(this.#set.blocks) > this.#room) return;
    this.#next = this.#read();
    await this.#next;
  }

  /** Reads rows of the epoch, or the first of the next one. */
  async #read(): Promise<void> {
    if (this.#left === 0) {
      this.#groups = this.#set.groups(this.#seed, this.#epoch);
      if (this.#set.blocks.encodes) this.#cells = this.#set.reading(this.#groups, this.#dtype);
      this.#left = this.#set.rows;
      this.#epoch += 1;
    }
    const at = this.#first + this.#ready;
    const count = this.#cells ? await this.#encoded(this.#cells, at) : await this.#readGroup(at);
    this.#ready += count;
    this.#left -= count;
  }

  async #readGroup(at: number): Promise<number> {
    const group = this.#groups?.next().value;
    const rooms = this.#rooms;
    if (group === undefined || rooms === undefined) return 0;
    const { path, inputs, beside: width } = this.#set.blocks;
    const odd = await rooms.read(0, group, (k) => (at + k) % this.#room);
    if (odd) throw nonFinite({ name: path, columns: inputs }, 0, odd.index, odd.value);
    const { length: rows } = group.places;
    for (let done = 0, count = 0; done < rows; done += count) {
      const first = (at + done) % this.#room;
      count = Math.min(rows - done, this.#room - first, CHUNK_ENTRIES);
      const beside = new Float64Array(count * width);
      rooms.take(0, first, beside);
      this.#put(first, this.#set.parts({ beside, count }, this.#dtype));
      await pause();
    }
    return rows;
  }

  /** Rows made of cells, as many as a group has. Answers with how many. */
  async #encoded(cells: ReturnType<typeof reading>, at: number): Promise<number> {
    const rows = Math.min(this.#left, groupRows(this.#set.blocks));
    for (let done = 0; done < rows; ) {
      const first = (at + done) % this.#room;
      const chunk = await cells.next(Math.min(rows - done, this.#room - first));
      this.#put(first, this.#set.parts(chunk, this.#dtype), chunk.x);
      done += chunk.count;
      await pause();
    }
    return rows;
  }

  #put(first: number, { targets, weights }: ReturnType<StoredSet['parts']>, x?: Numbers): void {
    const { path, inputs } = this.#set.blocks;
    const fill = (part: 0 | 1 | 2 | 3, chunk: Numbers | Int32Array, columns: number): void => {
      const bad = this.#native?.fill(part, first, chunk) ?? -1;
      if (bad < 0) return;
      if (part === 2) {
        const classes = classCount(this.#network.loss, this.#network.layers.at(-1) ?? 0);
        throw expected(`labels below ${classes}`, path, chunk[bad], 'ERR_DLADMM_LABEL');
      }
      throw nonFinite({ name: path, columns }, 0, bad, chunk[bad]);
    };
    if (x) fill(0, x, inputs);
    if (this.#set.blocks.labelled) fill(2, targets, 1);
    else {
      this.#checkDomain(targets as Numbers);
      fill(1, targets, this.#network.layers.at(-1) ?? 0);
    }
    if (weights) fill(3, weights, 1);
  }

  /** @throws DlAdmmError ERR_DLADMM_RANGE for a target value that the loss does not take */
  #checkDomain(values: Numbers): void {
    const { loss } = this.#network;
    const [least, most] = domainOf(loss) ?? [];
    if (least === undefined || most === undefined) return;
    const bad = values.find((value) => value < least || value > most);
    if (bad === undefined) return;
    const what = `a value from 0${most === 1 ? ' to 1' : ''}, as the loss is ${loss},`;
    throw expected(what, this.#set.blocks.path, bad, 'ERR_DLADMM_RANGE');
  }
}

/** Bytes that the process may take yet. */
export const roomOf = ({ memory }: StoredSet): number => memory - process.memoryUsage.rss();

/** @throws DlAdmmError ERR_DLADMM_MEMORY where they are, and what `less` says takes less */
export function checkBound(bytes: number, set: StoredSet, less: string): void {
  if (bytes <= roomOf(set)) return;
  const taken = process.memoryUsage.rss();
  const size = (count: number): string => `${Math.ceil(count / 1e6)} MB`;
  const text = `Training from ${set.blocks.path} takes ${size(taken + bytes)} (${size(taken)} of them are taken already), but memory allows ${size(set.memory)}; ${less}`;
  throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
}
