import { expected } from '../../core/errors.js';
import type { Dtype, NativeGraphState, NativePersistent, NativeState } from '../../core/native.js';
import type { Share } from '../../core/ranks.js';
import { failedFile } from '../../formats/reader.js';
import { Spill } from '../../formats/spill.js';
import type { Network } from '../../network/network.js';
import { type GraphSamples, graphSamplesOf, labelledNodes, type NodesLike } from '../../samples/graph-samples.js';
import {
  checkMemory,
  fingerprintOf,
  type LabelledSamples,
  loadSamples,
  samplesOf,
  shareOf,
  TRAINING_SET,
} from '../../samples/samples.js';
import { StoredSet } from '../../samples/stored.js';
import { finiteRows, inSteps } from '../../tensor/csr.js';
import { breathe, turn } from '../../tensor/inputs.js';
import { type Batches, checkBound, Feed, roomOf } from './feed.js';

/** A class of the addon whose objects are states. */
export interface NativeClass<N, O> {
  new (options: O): N;
  /** Absent where a state has to look at its data first. */
  requiredBytes?(options: O): number;
}

/** Data that fit a network, before they are copied. */
interface Checked<N, S> {
  /** How many samples, or nodes, are learnt from. */
  readonly samples: number;
  /** What native options have of them. */
  readonly setup: object;
  /**
   * Makes a state, gives it to `made`, and copies the data in. Answers with the rows that the variables of layer 0 … L have.
   *
   * @throws DlAdmmError ERR_DLADMM_MEMORY before variables are allocated that would not fit; ERR_DLADMM_NON_FINITE
   */
  open<M extends N, O>(State: NativeClass<M, O>, options: O, made: (native: M) => void): Promise<readonly number[]>;
  /** Of samples that are read as batches need them: where they come from, and what native options have of it. */
  readonly feed?: (batches: Batches, spills: boolean) => { readonly feed: Feed; readonly setup: object };
  /** The checksum of all samples, where a state has a share of them. */
  readonly fingerprint?: () => Promise<string>;
  /** Copies a set to be evaluated on; answers with its number and its size. */
  add(native: N, set: S, name: string): Promise<readonly [set: number, size: number]>;
}

export interface Problem<D, S, N extends NativePersistent> {
  readonly kind: 'samples' | 'graph';
  /** @throws DlAdmmError ERR_DLADMM_ARGUMENT, ERR_DLADMM_SHAPE, ERR_DLADMM_LABEL, ERR_DLADMM_DETACHED, … */
  check(network: Network, dtype: Dtype, data: D, name: string, share?: Share): Checked<N, S>;
}

/** Rows of features, with class labels or rows of target values. */
export const samples: Problem<LabelledSamples, LabelledSamples, NativeState> = {
  kind: 'samples',
  check(network, dtype, data, name, share) {
    const add: Checked<NativeState, LabelledSamples>['add'] = async (native, set, called) => {
      const more = samplesOf(network, set, called);
      if (more.weights)
        throw expected('no weights (measures count all samples alike)', `${called}.weights`, set.weights);
      await inSteps(finiteRows(more.source, dtype));
      const number = native.addEvaluationSet(more.source.rows, more.source.sparse !== undefined);
      await loadSamples(native, number, more);
      return [number, more.source.rows];
    };
    const stored = StoredSet.within(data);
    if (stored !== undefined) return { ...fedBy(stored, network, dtype), add };
    const all = samplesOf(network, data, name);
    const own = share ? shareOf(all, share) : all;
    const { rows, sparse } = own.source;
    return {
      samples: rows,
      setup: {
        samples: rows,
        ...(sparse && { entries: sparse.indices.length }),
        ...(own.weights && { weighted: true }),
      },
      add,
      ...(share && { fingerprint: () => fingerprintOf(all, dtype) }),
      async open(State, options, made) {
        await inSteps(finiteRows(all.source, dtype));
        checkMemory(State.requiredBytes?.(options) ?? 0, rows, network, dtype);
        await breathe();
        const native = new State(options);
        await turn(made(native));
        await loadSamples(native, TRAINING_SET, own);
        return network.layers.map(() => rows);
      },
    };
  },
};

const FEWER = 'smaller batches, or a smaller network, take less';
const OTHERS =
  'minibatch-admm and the gradient methods take less, and dladmm and inversion-admm leave on the disk what has a row a sample';

/** @throws DlAdmmError ERR_DLADMM_FILE where the disk has no room */
function onDisk<N>(make: () => N, path: string): N {
  try {
    return make();
  } catch (error) {
    throw failedFile('write', `the variables of the training beside ${path}`, error);
  }
}

/** With as many bytes of what goes to the disk in memory yet as there is room for, but for what others take as the training goes on. */
function onlySpilling<O extends object>(options: O, bytesOf: (of: O) => number, set: StoredSet): O {
  const room = roomOf(set) - bytesOf(options) - set.memory / 8;
  return { ...options, heldBytes: Math.max(0, Math.floor(room)) };
}

/** Samples of a store, window by window or all at once; what `spills` goes to the disk where memory does not allow it. */
function fedBy(set: StoredSet, network: Network, dtype: Dtype): Omit<Checked<NativeState, never>, 'add'> {
  let feed: Feed | undefined;
  let [whole, spilling] = [false, false];
  return {
    samples: set.rows,
    setup: {},
    feed(batches, spills) {
      feed = new Feed(set, network, dtype, batches);
      [whole, spilling] = [batches.batch === undefined, spills];
      const weighted = set.blocks.weighted && { weighted: true };
      return { feed, setup: { samples: feed.samples, ...(!whole && { shuffle: false }), ...weighted } };
    },
    async open(State, options, made) {
      const bytesOf = (of: typeof options): number => (State.requiredBytes?.(of) ?? 0) + (feed?.bytes ?? 0);
      using spill = spilling && bytesOf(options) > roomOf(set) ? new Spill(set.blocks.path) : undefined;
      const own = spill ? onlySpilling({ ...options, file: spill.descriptor, heldBytes: 0 }, bytesOf, set) : options;
      checkMemory(bytesOf(own), set.rows, network, dtype);
      checkBound(bytesOf(own), set, whole ? OTHERS : FEWER);
      const native = spill ? onDisk(() => new State(own), set.blocks.path) : new State(own);
      await turn(made(native));
      await feed?.open(native as NativeState);
      if (whole) await feed?.fill();
      return network.layers.map(() => set.rows);
    },
  };
}

/** A graph whose nodes have features and, some of them, labels. Sets are of its nodes. */
export const graph: Problem<GraphSamples, NodesLike, NativeGraphState> = {
  kind: 'graph',
  check(network, dtype, data, name) {
    const { adjacency, features, labels, train, weights } = graphSamplesOf(network, dtype, data, name);
    return {
      samples: train.length,
      setup: { adjacency, features, labels, training: train, ...(weights && { weights }) },
      async open(State, options, made) {
        const native = new State(options);
        made(native);
        const { bytes, nodes } = await native.prepare();
        checkMemory(bytes, labels.length, network, dtype);
        await native.allocate();
        return nodes;
      },
      async add(native, set, called) {
        const nodes = labelledNodes(set, labels, called);
        return [native.addEvaluationSet(nodes), nodes.length];
      },
    };
  },
};
