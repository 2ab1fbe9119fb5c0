import { DlAdmmError, expected } from '../../core/errors.js';
import type { Dtype, NativeSamples, NativeWindows, Numbers } from '../../core/native.js';
import { classCount, classifies, domainOf, type Network } from '../../network/network.js';
import { aheadBytes, type reading, type StoredSet } from '../../samples/stored.js';
import { nonFinite, pause } from '../../tensor/inputs.js';

/** How samples are visited. */
export interface Batches {
  readonly batch: number;
  readonly shuffle: boolean;
  readonly seed: number;
}

/** Entries of a window: many batches, so that the pause between two windows is short beside them. */
const WINDOW_ENTRIES = 2 ** 22;
/** What Node, the collector and the BLAS may take as they go. */
const RESERVE = 3 * 2 ** 25;

/** Samples of a store on their way to native code, which visits one window of its rows while the other is filled. */
export class Feed {
  readonly #set: StoredSet;
  readonly #network: Network;
  readonly #dtype: Dtype;
  readonly #batch: number;
  readonly #seed: number | undefined;
  readonly #window: number;
  #native: (NativeWindows & NativeSamples) | undefined;
  #epoch = 0;
  #rows: ReturnType<typeof reading> | undefined;
  #left = 0;
  /** Steps that the window at work has left, and rows of the one behind it. */
  #steps = 0;
  #next: Promise<number> | undefined;
  #first = 0;

  /** @throws DlAdmmError ERR_DLADMM_SHAPE, ERR_DLADMM_ARGUMENT where the samples are none of the network's */
  constructor(set: StoredSet, network: Network, dtype: Dtype, { batch, shuffle, seed }: Batches) {
    const { inputs, path, labelled, beside, weighted } = set.blocks;
    const outputs = network.layers.at(-1) ?? 0;
    const wanted = classifies(network.loss) ? 1 : outputs;
    if (inputs !== network.layers[0]) throw expected(`${network.layers[0]} features`, path, inputs, 'ERR_DLADMM_SHAPE');
    if (labelled !== classifies(network.loss) || beside - (weighted ? 1 : 0) !== wanted) {
      throw expected(`${labelled ? 'labels' : `${wanted} target values`} for the loss ${network.loss}`, path, labelled);
    }
    const batches = Math.min(Math.ceil(set.rows / batch), Math.max(1, Math.floor(WINDOW_ENTRIES / inputs / batch)));
    this.#set = set;
    this.#network = network;
    this.#dtype = dtype;
    this.#batch = batch;
    this.#seed = shuffle ? seed : undefined;
    this.#window = batches * batch;
  }

  /** Rows that native code keeps: two windows. */
  get samples(): number {
    return 2 * this.#window;
  }

  /** Bytes beside those of native code. */
  get bytes(): number {
    return aheadBytes(this.#set.blocks) + RESERVE;
  }

  async open(native: NativeWindows & NativeSamples): Promise<void> {
    this.#native = native;
    await this.#set.weigh();
    if (this.#set.blocks.weighted) native.loadWeights(new Float64Array(this.samples).fill(1));
  }

  /** Goes to the next window where the one at work has been visited. Answers with the steps that are left in it. */
  async window(): Promise<number> {
    if (this.#steps > 0) return this.#steps;
    const rows = await (this.#next ?? this.#fill(this.#other));
    this.#next = undefined;
    this.#first = this.#other;
    this.#native?.visit(this.#first, rows);
    this.#steps = Math.ceil(rows / this.#batch);
    return this.#steps;
  }

  took(steps: number): void {
    this.#steps -= steps;
  }

  /** Fills the window behind the one at work. */
  async readAhead(): Promise<void> {
    this.#next ??= this.#fill(this.#other);
    await this.#next;
  }

  get #other(): number {
    return this.#first === 0 ? this.#window : 0;
  }

  /** Fills rows from `first` on with the next of the epoch. Answers with how many. */
  async #fill(first: number): Promise<number> {
    if (this.#rows === undefined) {
      this.#rows = this.#set.epoch(this.#seed, this.#epoch, this.#dtype);
      this.#left = this.#set.rows;
      this.#epoch += 1;
    }
    const wanted = Math.min(this.#window, this.#left);
    for (let count = 0; count < wanted; ) {
      const chunk = await this.#rows.next(wanted - count);
      this.#put(first + count, this.#set.parts(chunk, this.#dtype));
      count += chunk.count;
      await pause();
    }
    this.#left -= wanted;
    if (this.#left === 0) this.#rows = undefined;
    return wanted;
  }

  #put(first: number, { x, targets, weights }: ReturnType<StoredSet['parts']>): void {
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
    fill(0, x, inputs);
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

/** @throws DlAdmmError ERR_DLADMM_MEMORY where so many more bytes are more than the process may take */
export function checkBound(bytes: number, { memory, blocks }: StoredSet): void {
  const taken = process.memoryUsage.rss();
  if (taken + bytes <= memory) return;
  const size = (count: number): string => `${Math.ceil(count / 1e6)} MB`;
  const text = `Training from ${blocks.path} takes ${size(taken + bytes)} (${size(taken)} of them are taken already), but memory allows ${size(memory)}; smaller batches, or a smaller network, take less`;
  throw new DlAdmmError('ERR_DLADMM_MEMORY', text);
}
