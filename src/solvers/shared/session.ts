import { checkKeys, checkObject, oneOf, whole } from '../../core/checks.js';
import { DISPOSE } from '../../core/dispose.js';
import { DlAdmmError, expected } from '../../core/errors.js';
import { type Dtype, fromNative, type NativePersistent, type Numbers } from '../../core/native.js';
import { isNumbers, ofThisRealm } from '../../core/numbers.js';
import { present } from '../../core/objects.js';
import type { Share } from '../../core/ranks.js';
import { type Metrics, metricsOf } from '../../network/metrics.js';
import { checkNetwork, MOST_THREADS, type Network, nativeActivation, nativeLoss } from '../../network/network.js';
import { checkNumbers, type Parameters } from '../../network/parameters.js';
import { TRAINING_SET } from '../../samples/samples.js';
import { pause } from '../../tensor/inputs.js';
import type { Matrix } from '../../tensor/matrix.js';
import type { Batches, Feed } from './feed.js';
import type { NativeClass, Problem } from './problem.js';
import { type Blocks, bySample, checkedBlock } from './sweep.js';

/** What every session is told. */
export interface SessionOptions {
  readonly network: Network;
  readonly dtype: Dtype;
  readonly threads: number;
  /** Which of the samples are learnt from here, where others learn from the rest. @internal */
  readonly share?: Share;
}

/** A session on its way: native memory with data in it, and what it was made of. */
export interface Opened<O, B extends string, S, N extends NativePersistent> {
  readonly options: O;
  readonly blocks: Blocks<B>;
  readonly native: N;
  readonly samples: number;
  readonly rows: readonly number[];
  readonly add: (set: S, name: string) => Promise<readonly [set: number, size: number]>;
  /** Where samples come from that are read as batches need them. */
  readonly feed?: Feed;
  /** The checksum of what is learnt from, where the state does not have all of it as it was loaded. */
  readonly fingerprint?: () => Promise<string>;
}

/** What opens a session: the data it takes, the class of the addon, and what the splitting has to say of its options. */
export interface Opening<
  O extends SessionOptions,
  D,
  S,
  B extends string,
  P extends NativePersistent,
  N extends P,
  NO,
> {
  readonly problem: Problem<D, S, P>;
  readonly blocks: Blocks<B>;
  readonly State: () => NativeClass<N, NO>;
  /** Options beside `network`, `dtype` and `threads`. */
  readonly keys: readonly string[];
  /** Checks them, and that the splitting carries the network. */
  readonly check: (options: O) => void;
  /** Native options beside those that every state has. */
  readonly setup: (options: O, samples: number) => object;
  /** Whether the features may be sparse; not if absent. */
  readonly takesSparse?: (options: O) => boolean;
  /** What has a row a sample may lie in a `file`; not if absent. */
  readonly spills?: boolean;
}

/**
 * Allocates a state and copies the data in.
 *
 * @throws DlAdmmError ERR_DLADMM_MEMORY before anything is allocated, if it would not fit; ERR_DLADMM_NON_FINITE,
 * ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED for the data; ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE for the
 * options
 */
export async function openNative<
  O extends SessionOptions,
  D,
  S,
  B extends string,
  P extends NativePersistent,
  N extends P,
  NO,
>(
  { problem, blocks, State, keys, check, setup, takesSparse, spills = false }: Opening<O, D, S, B, P, N, NO>,
  options: O,
  data: D,
  name: string,
): Promise<Opened<O, B, S, N>> {
  checkObject(options, '{ network, dtype, threads, … }', 'options');
  checkKeys(options, ['network', 'dtype', 'threads', ...keys], 'options');
  const { network, dtype, threads, share } = options;
  checkNetwork(network, 'options.network');
  oneOf(dtype, ['float32', 'float64'], 'options.dtype');
  whole(threads, 1, MOST_THREADS, 'options.threads');
  check(options);
  const checked = problem.check(network, dtype, data, name, share);
  if (share && checked.feed) throw expected('samples in memory (a store is read by one process)', 'distributed', true);
  if ('entries' in checked.setup && !takesSparse?.(options)) {
    const what =
      'dense features (sparse ones are learnt from by minibatch-admm and the gradient methods, but for kfac and isaac)';
    throw new DlAdmmError('ERR_DLADMM_ARGUMENT', `Expected ${what} for ${name}.x but received a sparse matrix`);
  }
  const common = {
    dtype,
    widths: network.layers,
    ...nativeActivation(network.activation),
    ...nativeLoss(network),
    threads,
    ...(share && { share }),
  };
  const own = setup(options, share?.samples ?? checked.samples);
  const { feed, setup: windows } = checked.feed?.(own as Batches, spills) ?? {};
  const nativeOptions = { softmax: 'stable', ...common, ...checked.setup, ...own, ...windows } as NO;
  let made: N | undefined;
  try {
    const rows = await checked.open(State(), nativeOptions, (state) => {
      made = state;
    });
    const native = made as N;
    const add = (set: S, called: string) => checked.add(native, set, called);
    const { fingerprint = feed && (async () => feed.fingerprint) } = checked;
    const all = share?.samples ?? checked.samples;
    return { options, blocks, native, samples: all, rows, add, ...present({ feed, fingerprint }) };
  } catch (error) {
    made?.close();
    throw fromNative(error);
  }
}

/**
 * Native memory with data in it, whatever the splitting and whatever the data: parameters and other blocks are read and
 * written, the network is evaluated, work is stopped, and in the end memory is given back. Calls run one after the other, off
 * the event loop. A splitting adds what an iteration is.
 */
export class Session<O extends SessionOptions, B extends string, S> {
  readonly options: O;
  /** How many samples, or nodes, are learnt from. */
  readonly samples: number;
  /** How many rows the variables of layer 0 … L have: all samples or, on a graph, the nodes that the layer is kept on. */
  readonly rows: readonly number[];
  /** For checkpoints. @internal */
  readonly native: NativePersistent;
  /** Where samples come from that are read as they are needed. @internal */
  readonly feed: Feed | undefined;
  /** @internal */
  readonly fingerprint: (() => Promise<string>) | undefined;
  readonly #blocks: Blocks<B>;
  readonly #add: Opened<O, B, S, NativePersistent>['add'];
  readonly #sizes: number[] = [];
  #ready = false;
  #closed = false;

  /** @internal */
  constructor(of: Opened<O, B, S, NativePersistent>) {
    const { options, blocks, native, samples, rows, add, feed, fingerprint } = of;
    this.options = options;
    this.samples = samples;
    this.rows = rows;
    this.native = native;
    this.feed = feed;
    this.fingerprint = fingerprint;
    this.#blocks = blocks;
    this.#add = add;
  }

  /** Copies samples (of a graph: nodes) to be evaluated on; answers with the number to give to {@link evaluate}. */
  addEvaluationSet(set: S, name: string): Promise<number> {
    return this.call(async () => {
      const [number, size] = await this.#add(set, name);
      this.#sizes[number] = size;
      return number;
    });
  }

  /** Loss and accuracy of the network (not of split variables) on an evaluation set, or on what is learnt from. */
  evaluate(set: number | 'train'): Promise<Metrics> {
    return this.call(async () => {
      const size = set === 'train' ? this.samples : this.#sizes[set];
      if (size === undefined) throw expected('the number of an evaluation set', 'set', set);
      const found = await this.native.evaluate(set === 'train' ? TRAINING_SET : set);
      return metricsOf(this.options.network, found, size);
    });
  }

  /**
   * A copy of a block.
   *
   * @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_RANGE where there is none; ERR_DLADMM_STATE before the start for what
   * begins with it; ERR_DLADMM_CLOSED
   */
  read(block: B, layer: number): Promise<Matrix> {
    return this.call(async () => {
      const { number, rows, columns } = this.place(block, layer);
      return { rows, columns, data: ofThisRealm(await this.native.read(number, layer)) };
    });
  }

  /**
   * Replaces a block; what depends on it is found afresh when it is next needed.
   *
   * @param values what `read` gives, or its numbers alone
   * @throws DlAdmmError as {@link read}, and ERR_DLADMM_SHAPE, ERR_DLADMM_NON_FINITE, ERR_DLADMM_DETACHED
   */
  write(block: B, layer: number, values: Numbers | Matrix): Promise<void> {
    return this.call(async () => {
      const { number, rows, columns } = this.place(block, layer);
      const data: unknown = isNumbers(values) ? values : values?.data;
      checkNumbers(data, rows * columns, this.options.dtype, 'values');
      await this.native.write(number, layer, data);
    });
  }

  /** Every block of every layer that has one. @internal */
  places(): readonly { readonly block: B; readonly layer: number }[] {
    return (Object.keys(this.#blocks) as B[]).flatMap((block) => {
      const { layers } = this.#blocks[block];
      const [first, last] = [layers === 'last' ? this.depth : 1, layers === 'hidden' ? this.depth - 1 : this.depth];
      return Array.from({ length: last - first + 1 }, (_, i) => ({ block, layer: first + i }));
    });
  }

  /** A copy of every W_l and, where the network has them, b_l. */
  async parameters(): Promise<Parameters> {
    const weights: Numbers[] = [];
    const biases: Numbers[] = [];
    for (let l = 1; l <= this.depth; l += 1) {
      weights.push((await this.read('W' as B, l)).data);
      if ('b' in this.#blocks) biases.push((await this.read('b' as B, l)).data);
    }
    return { weights, biases };
  }

  /**
   * Replaces all of them, where each fits.
   *
   * @throws DlAdmmError as {@link write}
   */
  async writeParameters(parameters: Parameters): Promise<void> {
    checkObject(parameters, '{ weights, biases }', 'parameters');
    const lists = { weights: 'W', ...('b' in this.#blocks && { biases: 'b' }) };
    const all = Object.entries(lists).flatMap(([name, block]) => {
      const list: unknown = parameters[name as keyof Parameters];
      if (!Array.isArray(list)) throw expected(`an array of ${this.depth} typed arrays`, `parameters.${name}`, list);
      return Array.from({ length: this.depth }, (_, i) => ({ block: block as B, layer: i + 1, name, values: list[i] }));
    });
    for (const { block, layer, name, values } of all) {
      const { rows, columns } = this.place(block, layer);
      checkNumbers(values, rows * columns, this.options.dtype, `parameters.${name}[${layer - 1}]`);
      await pause();
    }
    for (const { block, layer, values } of all) await this.write(block, layer, values as Numbers);
  }

  /** Ends the work under way between two of its steps. */
  stop(): void {
    this.native.stop();
  }

  /** Gives the memory back. Everything but `close` and `stop` fails afterwards. */
  close(): void {
    this.#closed = true;
    this.native.close();
  }

  /** As `close`, at the end of a `using` block. */
  [DISPOSE](): void {
    this.close();
  }

  /** L. */
  protected get depth(): number {
    return this.options.network.layers.length - 1;
  }

  /** All variables are something that can be looked at. @internal */
  ready(): void {
    this.#ready = true;
  }

  /** @throws DlAdmmError ERR_DLADMM_STATE before they are */
  protected needStart(): void {
    if (!this.#ready) throw new DlAdmmError('ERR_DLADMM_STATE', 'Expected start() before this call but it has not run');
  }

  /** Does the work unless the session is closed; an error of the addon leaves as a DlAdmmError. */
  protected async call<R>(work: () => Promise<R>): Promise<R> {
    if (this.#closed) throw new DlAdmmError('ERR_DLADMM_CLOSED', 'This session has been closed');
    try {
      const answer = await work();
      // Node hands over up to a thousand answers in one turn, if they come as fast as they are followed by new calls.
      await pause();
      return answer;
    } catch (error) {
      throw fromNative(error);
    }
  }

  /** The number, the rows and the columns of a block that can be looked at. */
  protected place(
    block: B,
    layer: number,
  ): { readonly number: number; readonly rows: number; readonly columns: number } {
    checkedBlock(this.#blocks, block, layer, this.depth, 'block and layer');
    const { number, shape } = this.#blocks[block];
    if (shape === bySample) this.needStart();
    const [rows, columns] = shape(this.options.network.layers, layer, this.rows[layer] ?? 0);
    return { number, rows, columns };
  }
}
